"""Answers to lesson 12, the verdict."""

import numpy as np
from bank import accepted, refused
from PIL import Image

from recon import boxes, restore
from recon.data import photos
from recon.restore import resampling, resize
from recon.submit import BATCH

# 12.1 detail


def steps_down(picture, mask):
    return float((np.abs(picture[1:] - picture[:-1]) * mask[1:] * mask[:-1]).sum())


def steps_right(picture, mask):
    inside = mask[:, 1:] * mask[:, :-1]
    return float((np.abs(picture[:, 1:] - picture[:, :-1]) * inside).sum())


def total(picture, mask):
    return steps_down(picture, mask) + steps_right(picture, mask)


@refused("12.1", "the true photo first", "completed photo's sum comes first")
def detail(photo, completed, mask):
    return total(photo, mask), total(completed, mask)


@refused("12.1", "the quotient", "Two sums: return one, two.")
def detail(photo, completed, mask):
    return total(completed, mask) / total(photo, mask)


@refused("12.1", "across the hole's border", "where both of its pixels are missing")
def detail(photo, completed, mask):
    def steps(p):
        down = np.abs(p[1:] - p[:-1]) * mask[1:]
        right = np.abs(p[:, 1:] - p[:, :-1]) * mask[:, 1:]
        return float(down.sum() + right.sum())

    return steps(completed), steps(photo)


@refused("12.1", "downwards only", "Steps to the right count too")
def detail(photo, completed, mask):
    return steps_down(completed, mask), steps_down(photo, mask)


@refused("12.1", "to the right only", "Steps downwards count too")
def detail(photo, completed, mask):
    return steps_right(completed, mask), steps_right(photo, mask)


@refused("12.1", "the whole photo", "Only steps in the hole count")
def detail(photo, completed, mask):
    whole = np.ones_like(mask)
    return total(completed, whole), total(photo, whole)


@refused("12.1", "the known part", "1 is missing: the hole is where it is 1")
def detail(photo, completed, mask):
    return total(completed, 1 - mask), total(photo, 1 - mask)


@refused("12.1", "squares", "not squares")
def detail(photo, completed, mask):
    def steps(p):
        down = (p[1:] - p[:-1]) ** 2 * mask[1:] * mask[:-1]
        right = (p[:, 1:] - p[:, :-1]) ** 2 * mask[:, 1:] * mask[:, :-1]
        return float(down.sum() + right.sum())

    return steps(completed), steps(photo)


@refused("12.1", "signed steps", "must not cancel")
def detail(photo, completed, mask):
    def steps(p):
        down = (p[1:] - p[:-1]) * mask[1:] * mask[:-1]
        right = (p[:, 1:] - p[:, :-1]) * mask[:, 1:] * mask[:, :-1]
        return float(down.sum() + right.sum())

    return steps(completed), steps(photo)


@accepted("12.1", "np.diff, and a boolean mask")
def detail(photo, completed, mask):
    hole = mask[..., 0] > 0

    def steps(picture):
        down = np.abs(np.diff(picture, axis=0))[hole[1:] & hole[:-1]]
        right = np.abs(np.diff(picture, axis=1))[hole[:, 1:] & hole[:, :-1]]
        return down.sum() + right.sum()

    return steps(completed), steps(photo)


# 12.2 bootstrap_ratio


def drawn(seed, count, draws):
    return np.random.default_rng(seed).integers(0, count, (draws, count))


def quotients(squares, others, chosen):
    return np.sqrt(np.asarray(squares)[chosen].sum(1) / np.asarray(others)[chosen].sum(1))


def ends(ratios, share=0.025):
    return tuple(float(q) for q in np.quantile(ratios, (share, 1 - share)))


@refused("12.2", "no root", "RMSEs are roots")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    return ends(quotients(squares, others, drawn(seed, len(squares), draws)) ** 2)


@refused("12.2", "upside down", "not the other way round")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    return ends(quotients(others, squares, drawn(seed, len(squares), draws)))


@refused("12.2", "each method draws for itself", "Both methods must see the same draws")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    one, two = drawn(seed, len(squares), draws), drawn(seed + 1, len(squares), draws)
    return ends(np.sqrt(np.asarray(squares)[one].sum(1) / np.asarray(others)[two].sum(1)))


@refused("12.2", "shuffled, not drawn with replacement", "With replacement")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    generator = np.random.default_rng(seed)
    chosen = np.stack([generator.permutation(len(squares)) for _ in range(min(draws, 50))])
    return ends(quotients(squares, others, chosen))


@refused("12.2", "5 % on each side", "it is 2.5 % on each")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    return ends(quotients(squares, others, drawn(seed, len(squares), draws)), 0.05)


@refused("12.2", "photo by photo", "Pool the draw's squares")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    chosen = drawn(seed, len(squares), draws)
    ratios = np.sqrt(np.asarray(squares) / np.asarray(others))
    return ends(ratios[chosen].mean(1))


@refused("12.2", "a seed of its own", "The seed decides the draws")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    return ends(quotients(squares, others, drawn(0, len(squares), draws)))


@refused("12.2", "no seed", "The same seed draws the same photos")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    return ends(quotients(squares, others, drawn(None, len(squares), draws)))


@refused("12.2", "its own number of draws", "`draws` says how many")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    return ends(quotients(squares, others, drawn(seed, len(squares), max(draws, 2000))))


@accepted("12.2", "one draw after the other")
def bootstrap_ratio(squares, others, seed=0, draws=2000):
    generator, ratios = np.random.default_rng(seed), []
    squares, others = np.array(squares), np.array(others)
    for _ in range(draws):
        chosen = generator.choice(len(squares), len(squares))
        ratios.append((squares[chosen].sum() / others[chosen].sum()) ** 0.5)
    return float(np.percentile(ratios, 2.5)), float(np.percentile(ratios, 97.5))


# 12.3 shrink


def parts(photo, missing, shape):
    mask = missing[..., None].astype("float32")
    masked = photo.astype("float32") / 255 * (1 - mask)
    how = resampling(missing.shape, shape)
    gone = resize(mask, shape, Image.Resampling.BOX)
    return masked, mask, how, gone


@refused("12.3", "the hole's black comes in", "divide by the share of known")
def shrink(photo, missing, shape):
    masked, _, how, gone = parts(photo, missing, shape)
    gone = (gone > 0.5).astype("float32")
    return resize(masked, shape, how) * (1 - gone), gone


@refused("12.3", "any missing pixel makes a missing one", "A hole must not grow")
def shrink(photo, missing, shape):
    masked, mask, how, gone = parts(photo, missing, shape)
    colour = resize(masked, shape, how) / np.maximum(resize(1 - mask, shape, how), 1e-6)
    gone = (gone > 0).astype("float32")
    return colour * (1 - gone), gone


@refused("12.3", "half counts as missing", ">, not >=")
def shrink(photo, missing, shape):
    masked, mask, how, gone = parts(photo, missing, shape)
    colour = resize(masked, shape, how) / np.maximum(resize(1 - mask, shape, how), 1e-6)
    gone = (gone >= 0.5).astype("float32")
    return colour * (1 - gone), gone


@refused("12.3", "only what is wholly missing", "A hole must not vanish")
def shrink(photo, missing, shape):
    masked, mask, how, gone = parts(photo, missing, shape)
    colour = resize(masked, shape, how) / np.maximum(resize(1 - mask, shape, how), 1e-6)
    gone = (gone > 0.99).astype("float32")
    return colour * (1 - gone), gone


@refused("12.3", "0 / 0", "0 / 0 is no number")
def shrink(photo, missing, shape):
    masked, mask, how, gone = parts(photo, missing, shape)
    colour = resize(masked, shape, how) / resize(1 - mask, shape, how)
    gone = (gone > 0.5).astype("float32")
    return colour * (1 - gone), gone


@refused("12.3", "what lies in the hole stays", "Missing pixels are black")
def shrink(photo, missing, shape):
    masked, mask, how, gone = parts(photo, missing, shape)
    colour = resize(masked, shape, how) / np.maximum(resize(1 - mask, shape, how), 1e-6)
    return colour, (gone > 0.5).astype("float32")


@refused("12.3", "0 to 255", "uint8 is divided by 255")
def shrink(photo, missing, shape):
    masked, mask = restore.shrink(photo, missing, shape)
    return masked * 255, mask


@refused("12.3", "enlarged in blocks", "enlarge in blocks")
def shrink(photo, missing, shape):
    masked, mask, _, gone = parts(photo, missing, shape)
    how = Image.Resampling.BOX
    colour = resize(masked, shape, how) / np.maximum(resize(1 - mask, shape, how), 1e-6)
    gone = (gone > 0.5).astype("float32")
    return colour * (1 - gone), gone


@accepted("12.3", "the known share out of the mask's")
def shrink(photo, missing, shape):
    known = (~missing[..., None]).astype("float32")
    masked = known * photo.astype("float32") / 255
    how = resampling(missing.shape, shape)
    share = resize(known, shape, how)
    gone = resize(1 - known, shape, Image.Resampling.BOX) > 0.5
    colour = np.divide(
        resize(masked, shape, how),
        share,
        where=share > 1e-6,
        out=0 * share + 0 * resize(masked, shape, how),
    )
    return np.where(gone, 0, np.clip(colour, 0, 1)).astype("float32"), gone.astype("float32")


# 12.4 completed


def some_of(folder, part):
    photo = np.stack([photos.read(folder / file) for file, _ in part])
    mask = np.stack([boxes.rasterise(pair, photo.shape[1]) for _, pair in part])
    return photo.astype("float32") / 255, mask


@refused("12.4", "all at once", "BATCH photos at a time")
def completed(method, folder, info):
    method = restore.at_any_size(method)
    photo, mask = some_of(folder, info)
    for (file, pair), one in zip(info, method(photo * (1 - mask), mask), strict=True):
        yield file, pair, one


@refused("12.4", "one by one", "quicker with a batch")
def completed(method, folder, info):
    method = restore.at_any_size(method)
    for file, pair in info:
        photo, mask = some_of(folder, [(file, pair)])
        yield file, pair, method(photo * (1 - mask), mask)[0]


@refused("12.4", "the last part is lost", "the last part may be smaller")
def completed(method, folder, info):
    method = restore.at_any_size(method)
    for start in range(0, len(info) - BATCH + 1, BATCH):
        part = info[start : start + BATCH]
        photo, mask = some_of(folder, part)
        for (file, pair), one in zip(part, method(photo * (1 - mask), mask), strict=True):
            yield file, pair, one


@refused("12.4", "the file's pixels are seen", "must not be seen")
def completed(method, folder, info):
    method = restore.at_any_size(method)
    for start in range(0, len(info), BATCH):
        part = info[start : start + BATCH]
        photo, mask = some_of(folder, part)
        for (file, pair), one in zip(part, method(photo, mask), strict=True):
            yield file, pair, one


@refused("12.4", "0 to 255", "a method wants [0, 1]")
def completed(method, folder, info):
    method = restore.at_any_size(method)
    for start in range(0, len(info), BATCH):
        part = info[start : start + BATCH]
        photo, mask = some_of(folder, part)
        for (file, pair), one in zip(part, method(255 * photo * (1 - mask), mask), strict=True):
            yield file, pair, one


@refused("12.4", "rounded to bytes", "rounded to 8 bits")
def completed(method, folder, info):
    method = restore.at_any_size(method)
    for start in range(0, len(info), BATCH):
        part = info[start : start + BATCH]
        photo, mask = some_of(folder, part)
        for (file, pair), one in zip(part, method(photo * (1 - mask), mask), strict=True):
            yield file, pair, np.round(one * 255) / 255


@refused("12.4", "sorted by name", "In the order of the table")
def completed(method, folder, info):
    method = restore.at_any_size(method)
    for start in range(0, len(info), BATCH):
        part = sorted(info)[start : start + BATCH]
        photo, mask = some_of(folder, part)
        for (file, pair), one in zip(part, method(photo * (1 - mask), mask), strict=True):
            yield file, pair, one


@refused("12.4", "for methods of any size only", "of its own size alone")
def completed(method, folder, info):
    for start in range(0, len(info), BATCH):
        part = info[start : start + BATCH]
        photo, mask = some_of(folder, part)
        for (file, pair), one in zip(part, method(photo * (1 - mask), mask), strict=True):
            yield file, pair, one


@accepted("12.4", "a part at a time, cut off the list")
def completed(method, folder, info):
    method, left = restore.at_any_size(method), list(info)
    while left:
        part, left = left[:BATCH], left[BATCH:]
        photo, mask = some_of(folder, part)
        done = method(photo * (1 - mask), mask)
        yield from ((file, pair, one) for (file, pair), one in zip(part, done, strict=True))


# 12.5 catch_unfair

WHITE = np.ones((3, 64, 64, 3), "float32")


def spies():
    seen = []

    def spy(masked, mask):
        seen.append(mask.copy())
        return masked

    return seen, {"one": spy, "two": spy}


@refused("12.5", "looks at the sizes only", "hold the masks together")
def catch_unfair(compare):
    seen, methods = spies()
    compare(methods, WHITE, np.random.default_rng(0))
    assert seen[0].shape == seen[1].shape


@refused("12.5", "gives its verdict back", "let it raise")
def catch_unfair(compare):
    seen, methods = spies()
    compare(methods, WHITE, np.random.default_rng(0))
    return np.array_equal(*seen)


@refused("12.5", "holds the masks' union together", "give it several photos")
def catch_unfair(compare):
    seen, methods = spies()
    compare(methods, WHITE, np.random.default_rng(0))
    assert np.array_equal(seen[0].max(0), seen[1].max(0))


@refused("12.5", "wants the same masks from another generator", "It refuses a comparison")
def catch_unfair(compare):
    seen, methods = spies()
    for seed in range(2):
        compare({"one": methods["one"]}, WHITE, np.random.default_rng(seed))
    assert not np.array_equal(*seen)


@accepted("12.5", "one method under two names scores the same")
def catch_unfair(compare):
    photos = np.random.default_rng(0).random((3, 32, 32, 3)).astype("float32")
    methods = {name: lambda masked, mask: masked for name in ("a", "b", "c")}
    scores = compare(methods, photos, np.random.default_rng(1))
    assert len(set(scores.values())) == 1
