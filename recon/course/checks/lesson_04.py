"""Lesson 04: the loss, the fill and the network of a U-Net that minimises RMSE."""

import keras
import numpy as np
from keras import layers, ops

from recon.course.broken import lesson_04 as broken
from recon.course.exercise import exercise
from recon.models import unet

tensor = ops.convert_to_tensor


def uniform(*shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype("float32")


# 4.1


@exercise(
    "4.1",
    unet.conditional_mean,
    minutes=12,
    difficulty=2,
    hints=(
        "Three steps: how far is each photo from what is known, how much does it count, the mean.",
        "Per photo one number: the squared differences times (1 - mask), summed over axes "
        "(1, 2, 3), by the number of known values: known pixels times 3 channels.",
        "weight = np.exp(-(d - d.min()) / (2 * width**2)); np.tensordot(weight / weight.sum(), "
        "photos, axes=1) is the weighted mean over axis 0.",
    ),
)
def conditional_mean(answer, expect):
    photos = uniform(5, 4, 6, 3)
    mask = np.zeros((4, 6, 1), "float32")
    mask[1:3, 2:6] = 1
    masked = (0.6 * photos[2] + 0.4 * photos[4]) * (1 - mask)
    width = 0.3

    def distance(weight, power=2):
        """One sum a photo."""
        photo_by_photo = photos.astype("float64")
        return np.array([(weight * np.abs(p - masked) ** power).sum() for p in photo_by_photo])

    def mean(weight):
        return sum(w * photo for w, photo in zip(weight, photos, strict=True))

    def guess(d, scale=2 * width**2):
        weight = np.exp(-d / scale)
        return mean(weight / weight.sum())

    known, count = 1 - mask, 3 * 16
    d = distance(known) / count
    with expect.on_error(
        ValueError,
        "One difference per photo, (N,): the sums go over axes (1, 2, 3), never over axis 0.",
        "broadcast",
    ):
        came = answer(masked, mask, photos, width)
    expect.shape(
        came,
        (4, 6, 3),
        "The guess is one photo.",
        mistakes=[
            ((5, 4, 6, 3), "The mean over the photos is missing: sum over axis 0."),
            ((4, 6), "The mean goes over the photos (axis 0), not over the channels."),
        ],
    )
    expect.close(
        came,
        guess(d),
        "Compare step by step for two photos: difference, weight, share.",
        mistakes=[
            (
                guess(distance(np.ones_like(mask)) / 72),
                "In the hole masked is black, not a colour: compare where (1 - mask) is 1 only.",
            ),
            (
                guess(distance(mask) / (3 * 8)),
                "mask is 1 where pixels are missing: what is known is 1 - mask.",
            ),
            (
                guess(distance(known)),
                "A sum grows with the photo: divide by the number of known values.",
            ),
            (guess(distance(known) / 72), "Divide by the number of known values, not of all."),
            (
                guess(distance(known) / 16),
                "A pixel is three values: divide by 3 times the known pixels.",
            ),
            (guess(d, 2 * width), "The width is squared: 2 * width**2."),
            (guess(d, width**2), "A bell curve has a 2 in it: exp(-d / (2 * width**2))."),
            (guess(distance(known, 1) / count), "Differences are squared before they are summed."),
            (
                guess(np.sqrt(d)),
                "d stays a mean of squares, no root: it is the width that is squared.",
            ),
            (guess(-d), "The sign: a photo that differs more counts less."),
            (mean(np.exp(-d / (2 * width**2))), "Weights must sum to 1: divide by their sum."),
            (
                mean(np.exp(-(d - d.min()) / (2 * width**2))),
                "The best counts 1, but all together must: divide by their sum.",
            ),
            (photos.mean(axis=0), "All photos count the same: their difference must matter."),
            (photos[np.argmin(d)], "That is the one photo that agrees best: take all, weighted."),
        ],
    )
    narrow = answer(masked, mask, photos, 1e-3)
    expect.close(
        narrow,
        photos[np.argmin(d)],
        "With a narrow width every exp(…) is 0, and 0/0 no number: subtract the smallest "
        "difference from all before exp; the shares stay the same.",
    )


# 4.2


@exercise(
    "4.2",
    unet.mse_in_holes,
    minutes=6,
    difficulty=1,
    hints=(
        "Two sums: squared errors of missing values, and how many missing values there are.",
        "mask has one channel and photos have three: it multiplies all three, but sums to a third.",
        "Or let Keras weigh: MeanSquaredError(reduction='mean_with_sample_weight') takes a weight "
        "per pixel, sample_weight of shape (B, H, W).",
    ),
)
def mse_in_holes(answer, expect):
    photo, guess = uniform(2, 4, 6, 3), uniform(2, 4, 6, 3, seed=1)
    mask = np.zeros((2, 4, 6, 1), "float32")
    mask[0, 0, :3] = mask[1, 1:4, 2:5] = 1  # 3 pixels and 9
    came = answer(*map(tensor, (photo, guess, mask)))
    square = ((photo - guess) ** 2).astype("float64")
    hole = [square[i][mask[i, ..., 0] == 1] for i in (0, 1)]  # (3, 3), (9, 3)
    missing = np.concatenate(hole)
    expect.shape(
        came,
        (),
        "A loss is one number.",
        mistakes=[
            ((2,), "That is a number per photo: sum over the batch too, before you divide."),
            ((2, 4, 6), "That is a number per pixel: add up, divide by how many are missing."),
            ((2, 4, 6, 3), "That is a number per value: add up, divide by how many are missing."),
            ((3,), "That is a number per channel: sum over the channels too."),
        ],
    )
    expect.close(
        came,
        missing.mean(),
        "The sum of squared errors where mask is 1, by the number of values there.",
        mistakes=[
            (square.mean(), "Known pixels are pasted back: their error must not count."),
            (
                (square * mask).mean(),
                "Known pixels count as errors of 0, so that a photo with a small hole has a small "
                "loss: divide by the number of missing values.",
            ),
            (
                (square * (1 - mask)).sum() / (3 * (1 - mask).sum()),
                "That is the error of the known pixels: mask is 1 where pixels are missing.",
            ),
            (
                missing.sum() / 12,
                "Three times too large: mask has one channel, the error has three.",
            ),
            (missing.sum(), "A mean, not a sum: divide by the number of missing values."),
            (np.sqrt(missing.mean()), "No root: it would only change the length of the gradient."),
            (
                np.abs(photo - guess)[mask[..., 0] == 1].mean(),
                "That is the absolute error: what it asks for is the median, not the mean.",
            ),
            (
                (hole[0].mean() + hole[1].mean()) / 2,
                "A mean of photos' means counts a pixel of a small hole more: one sum over all.",
            ),
        ],
    )


# 4.3


def halves(colour, known):
    """The mean of what is known of each four, pixel by pixel, and how many are known."""
    batch, height, width, _ = colour.shape
    mean = np.zeros((batch, height // 2, width // 2, 3))
    count = np.zeros((batch, height // 2, width // 2, 1))
    for b, row, column in np.ndindex(count.shape[:3]):
        there = [
            colour[b, y, x]
            for y in (2 * row, 2 * row + 1)
            for x in (2 * column, 2 * column + 1)
            if known[b, y, x, 0] == 1
        ]
        count[b, row, column] = len(there)
        if there:
            mean[b, row, column] = np.mean(there, axis=0)
    return mean, count


@exercise(
    "4.3",
    unet.halve_known,
    minutes=10,
    difficulty=2,
    hints=(
        "ops.average_pool(x, 2, 2) is the mean of each 2×2 pixels: of colours, and of known too.",
        "A hole must add nothing: pool colour * known, and divide by the share that is known.",
        "Where none is known the share is 0; ops.maximum(share, 0.25) divides 0 by something. "
        "Known is then where the share is above 0, as numbers.",
    ),
)
def halve_known(answer, expect):
    colour = uniform(2, 4, 6, 3)
    known = np.zeros((2, 4, 6, 1), "float32")
    for number, (b, row, column) in enumerate(np.ndindex(2, 2, 3)):
        four = (np.arange(4) < number % 5).astype("float32")  # 0, 1, 2, 3, 4, 0, ... are known
        known[b, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, 0] = four.reshape(2, 2)
    came = answer(tensor(colour), tensor(known))
    expect.type(came, (tuple, list), "Give two things back: colour, and what is known of it.")
    expect.true(
        len(came) == 2, f"gave {len(came)} things, expected 2", "colour, known: two things."
    )
    halved, there = came
    hint = "Half the height and half the width: each 2×2 pixels become one."
    expect.shape(halved, (2, 2, 3, 3), hint)
    expect.shape(there, (2, 2, 3, 1), "known is halved along with its photo, one channel.")
    mean, count = halves(colour, known)
    where_none = np.where(count > 0, mean, np.nan)
    plain = colour.reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4))
    own = ops.convert_to_numpy(halved)
    expect.true(
        np.isfinite(own).all(),
        "the colour holds NaN or infinity",
        "Where none of the four is known, 0 is divided by 0: keep the divisor above 0.",
    )
    expect.close(
        np.where(count > 0, own, 0),
        np.nan_to_num(where_none),
        "The sum of the known colours of each four, by how many are known.",
        mistakes=[
            (
                np.where(count > 0, mean * count / 4, 0),
                "Holes count as black: divide by the share of the four that is known.",
            ),
            (
                np.where(count > 0, plain, 0),
                "What the colour holds in the holes gets in: multiply by known first.",
            ),
            (
                np.where(count > 0, plain / np.maximum(count / 4, 0.25), 0),
                "The division is right, but holes add their colour: multiply by known before.",
            ),
            (
                np.where(count > 0, mean * count, 0),
                "That is the sum of the known colours: divide by how many are known.",
            ),
            (
                np.where(count > 0, mean / 4, 0),
                "Four times too dark: is the one a mean over the four pixels and the other a sum?",
            ),
            (np.where(count > 0, colour[:, ::2, ::2], 0), "Every second pixel is no mean of four."),
        ],
    )
    expect.close(own, mean, "Where none of the four is known, the colour is 0.")
    expect.dtype(there, "float32", "known takes part in sums: cast the comparison to a number.")
    expect.equal(
        there,
        (count > 0).astype("float32"),
        "A pixel is known when one of its four is.",
        mistakes=[
            (count / 4, "That is the share that is known: one known pixel is enough, so 1 or 0."),
            (count == 4, "One known pixel of four is enough: else holes grow, and never close."),
            (count == 0, "1 = known; yours says what is missing."),
            (count > 1, "One known pixel is enough: above 0, not above a quarter."),
        ],
    )


# 4.4


def doubled(x):
    """Enlarged by 2, bilinear: a new pixel lies a quarter of an old one beside its centre."""
    for axis in (1, 2):
        x = np.moveaxis(x, axis, 0)
        before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
        even, odd = 0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after
        x = np.moveaxis(np.stack([even, odd], axis=1).reshape(-1, *x.shape[1:]), 0, axis)
    return x


def swept(x, divide_by_nine=False, without_itself=False):
    """Every pixel the mean of the 3×3 around it, as far as they are on the photo."""
    mean = np.zeros_like(x)
    for row, column in np.ndindex(x.shape[1:3]):
        around = x[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        total, count = around.sum(axis=(1, 2)), around.shape[1] * around.shape[2]
        if without_itself:
            total, count = total - x[:, row, column], count - 1
        mean[:, row, column] = total / (9 if divide_by_nine else count)
    return mean


@exercise(
    "4.4",
    unet.refine,
    minutes=10,
    difficulty=2,
    hints=(
        "ops.where(known > 0, a, b) takes a where pixels are known, and b elsewhere.",
        "ops.image.resize(coarser, (height, width)) enlarges; ops.average_pool(x, 3, 1, 'same') is "
        "the mean of the 3×3 pixels around each, at the photo's edge of those there are.",
        "The known pixels go back in after the enlargement, and again after every sweep.",
    ),
)
def refine(answer, expect):
    coarser, colour = uniform(2, 3, 4, 3), uniform(2, 6, 8, 3, seed=1)
    known = np.ones((2, 6, 8, 1), "float32")
    known[0, :4, 2:7] = known[1, 2:, :3] = 0  # both holes touch an edge

    def pasted(fill):
        return np.where(known > 0, colour, fill)

    def call(sweeps):
        return answer(*map(tensor, (coarser, colour, known)), sweeps)

    start = doubled(coarser.astype("float64"))
    size = "Enlarge to the photo's own height and width: (height, width), in this order."
    with expect.on_error(Exception, size):
        came = call(0)
    expect.shape(came, (2, 6, 8, 3), size)
    expect.close(
        came,
        pasted(start),
        "Without sweeps: the coarser fill, enlarged, and the known pixels on top of it.",
        mistakes=[
            (start, "The known pixels are missing: ops.where(known > 0, colour, …)."),
            (np.where(known > 0, start, colour), "known is 1 where the photo's own pixels stay."),
            (
                pasted(coarser.repeat(2, axis=1).repeat(2, axis=2)),
                "Pixels are doubled, which leaves steps: ops.image.resize blends (bilinear).",
            ),
            (colour, "The coarser grid's fill goes into the holes."),
            (pasted(swept(pasted(start))), "sweeps is 0, and one was made all the same."),
        ],
    )
    once = pasted(swept(pasted(start)))
    expect.close(
        call(1),
        once,
        "One sweep: every missing pixel becomes the mean of the 3×3 around it.",
        mistakes=[
            (pasted(start), "Nothing was swept: how often does the loop run?"),
            (
                swept(pasted(start)),
                "Known pixels were averaged too: put them back after the sweep.",
            ),
            (
                pasted(swept(pasted(start), divide_by_nine=True)),
                "Beyond the photo's edge black was counted: divide by the pixels there are "
                "(average_pool with padding 'same' does).",
            ),
            (
                pasted(swept(pasted(start), without_itself=True)),
                "The mean of 3×3 pixels counts the middle one too.",
            ),
            (
                pasted(swept(start)),
                "The known pixels must be in before the first sweep: they are what spreads.",
            ),
            (pasted(swept(once)), "One sweep too many."),
        ],
    )
    expect.close(
        call(3),
        pasted(swept(pasted(swept(once)))),
        "Three sweeps are one sweep three times, each beginning with what the last one left.",
        mistakes=[
            (once, "One sweep was made of three: the loop forgets what the last one left."),
            (
                pasted(swept(swept(swept(pasted(start))))),
                "The known pixels must go back in after every sweep, not only after the last: "
                "they fade otherwise.",
            ),
        ],
    )


# 4.5 and 4.6: a network's answer, with weights that are put in


def convolved(x, kernel, stride=1):
    """`keras.layers.Conv2D` with padding "same", tap by tap."""
    batch, height, width, _ = x.shape
    side = kernel.shape[0]
    rows, columns = height // stride, width // stride
    before = (side - stride) // 2 if side > 1 else 0
    padded = np.pad(x, ((0, 0), (before, side), (before, side), (0, 0)))
    out = np.zeros((batch, rows, columns, kernel.shape[-1]))
    for i, j in np.ndindex(side, side):
        tap = padded[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
        out += tap @ kernel[i, j]
    return out


class Weights:
    """A model's weights, one after the other, and blocks that take them as they need them."""

    def __init__(self, weights):
        self.left = iter(weights)

    def block(self, x, stride=1):
        kernel, gamma, beta, mean, variance = (next(self.left) for _ in range(5))
        x = (convolved(x, kernel, stride) - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        return np.maximum(x, 0)

    def bare(self, x):
        return convolved(x, next(self.left))


def filled(expect, places, outputs, kernels, blocks, mistakes, hint):
    """A model of what an answer gave, with given weights; its kernels must be as expected.

    `kernels`: shapes, in order; `blocks`: how many of them have a batch normalisation.
    """
    model = keras.Model(places, outputs)
    shapes = [tuple(v.shape) for v in model.weights]
    own = [s for s in shapes if len(s) == 4]
    expect.equal(own, kernels, hint, mistakes)
    if len(shapes) != len(kernels) + 4 * blocks:
        expect.fail(
            f"{len(shapes)} arrays of weights, expected {len(kernels) + 4 * blocks}: kernels, "
            "and four of each batch normalisation",
            "convolution(width) is a convolution without bias, batch normalisation and ReLU; a "
            "1×1 convolution is layers.Conv2D(width, 1, use_bias=False).",
        )
    generator = np.random.default_rng(2)
    values = [generator.uniform(0.2, 1, s) - (0.6 if len(s) == 4 else 0) for s in shapes]
    model.set_weights([v.astype("float32") for v in values])
    return model, values


def is_a_level(expect, level, shape, hint, mistakes=()):
    expect.true(
        hasattr(level, "shape"),
        f"a level is a {type(level).__name__}",
        "A level is what a layer gives, not the layer: convolution(width)(x).",
    )
    expect.shape(level, shape, hint, mistakes)


@exercise(
    "4.5",
    unet.contract,
    minutes=10,
    difficulty=2,
    hints=(
        "Keep a list: after each level's last convolution, append what it gave.",
        "convolution(width, 3, 2)(x) halves the grid: every level begins with it but the first.",
        "Then `depth` times convolution(width)(x), and twice as often on the last level.",
    ),
)
def contract(answer, expect):
    place = layers.Input((8, 12, 2))
    levels = answer(place, (3, 4, 5), 1)
    expect.type(levels, (list, tuple), "Give all levels back, in a list: the way up needs each.")
    levels = list(levels)
    expect.true(
        len(levels) == 3,
        f"gave {len(levels)} levels, expected 3",
        "One entry per level: what it ends with.",
    )
    shapes = [(None, 8, 12, 3), (None, 4, 6, 4), (None, 2, 3, 5)]
    if [tuple(getattr(x, "shape", ())) for x in levels] == shapes[::-1]:
        expect.fail("levels come coarsest first", "Finest first: the order in which they are made.")
    for level, shape in zip(levels, shapes, strict=True):
        rows, columns = shape[1:3]
        is_a_level(
            expect,
            level,
            shape,
            "Widths are the levels' channels; each level's grid is half the one above.",
            mistakes=[
                (
                    (None, rows // 2, columns // 2, shape[-1]),
                    "The first level keeps the photo's grid: it does not begin with a stride of 2.",
                ),
                ((None, 8, 12, shape[-1]), "The grid is never halved: a stride of 2 is missing."),
                (
                    (None, 4, 6, shape[-1]),
                    "Levels halve one after the other: go on from the level above.",
                ),
            ],
        )

    def kernels(widths, counts):
        """Shapes: a convolution of stride 2 where a level is not the first, then `counts`."""
        shapes, channels = [], 2
        for level, (width, count) in enumerate(zip(widths, counts, strict=True)):
            for _ in range(count + (level > 0)):
                shapes.append((3, 3, channels, width))
                channels = width
        return shapes

    model, values = filled(
        expect,
        place,
        levels,
        kernels((3, 4, 5), (1, 1, 2)),
        6,
        [
            (kernels((3, 4, 5), (1, 1, 1)), "The last level has twice as many convolutions."),
            (kernels((3, 4, 5), (2, 2, 2)), "Only the last level has twice as many convolutions."),
            (kernels((3, 4, 5), (2, 1, 1)), "The last level is the coarsest one, not the finest."),
            (
                kernels((3, 4, 5), (1, 1, 0)),
                "Levels were noted before their convolutions: append after them.",
            ),
            (
                kernels((3, 4, 5), (1, 0, 1)),
                "The convolution of stride 2 comes on top of the level's own: 1 + depth of them.",
            ),
        ],
        "Per level: one convolution of stride 2 (not on the first), then `depth`, on the last "
        "twice as many.",
    )
    photo = uniform(2, 8, 12, 2)
    came = model(photo, training=False)
    came = list(came) if isinstance(came, list | tuple) else [came]

    def way(strides):
        """What each level ends with; `strides`: of its convolutions."""
        weights, x, levels = Weights(values), photo, []
        for level in strides:
            for stride in level:
                x = weights.block(x, stride)
            levels.append(x)
        return levels

    right = way([[1], [2, 1], [2, 1, 1]])
    late = way([[1], [1, 2], [1, 2, 1]])
    last = way([[1], [1, 2], [1, 1, 2]])
    for own, wanted, *wrong in zip(came, right, late, last, strict=True):
        expect.close(
            own,
            wanted,
            "The order: stride 2 first, then the convolutions of stride 1, each from the last.",
            mistakes=[
                (w, "A level begins with its stride of 2: what follows is then four times cheaper.")
                for w in wrong
            ],
            tolerance=1e-4,
        )
    deep = keras.Model(place, list(answer(place, (3, 4), 2)))
    own = [tuple(v.shape) for v in deep.weights if len(v.shape) == 4]
    expect.equal(
        own,
        kernels((3, 4), (2, 4)),
        "depth counts: with depth 2, two convolutions a level and four on the last.",
        mistakes=[
            (kernels((3, 4), (1, 2)), "depth is not looked at: it says how many convolutions."),
            (kernels((3, 4), (2, 3)), "Twice as many on the last level, not one more: 2 * depth."),
            (kernels((3, 4), (1, 4)), "The other levels have `depth` convolutions too."),
        ],
    )


@exercise(
    "4.6",
    unet.expand,
    minutes=12,
    difficulty=2,
    hints=(
        "Begin with the coarsest level, levels[-1], and go through the others from coarse to fine.",
        "Two things are added that must have one shape: so first the channels (a 1×1 convolution), "
        "then the size (layers.UpSampling2D()).",
        "layers.Add()([x, skip]), then `depth` times convolution(skip.shape[-1])(x).",
    ),
)
def expand(answer, expect):
    places = [layers.Input(s) for s in ((8, 12, 3), (4, 6, 4), (2, 3, 5))]
    order = (
        "Two shapes meet that are not the same: from the coarsest level on, change the channels "
        "(1×1), double the grid, then add."
    )
    with expect.on_error(ValueError, order):
        x = answer(places, 1)
    expect.true(
        not isinstance(x, list | tuple),
        f"gave a {type(x).__name__}",
        "Give what the finest level ends with, not all levels.",
    )
    is_a_level(
        expect,
        x,
        (None, 8, 12, 3),
        "It ends on the finest grid, with the finest level's channels.",
        mistakes=[
            ((None, 4, 6, 4), "One level is missing: the finest one is a skip connection too."),
            ((None, 2, 3, 5), "Nothing went up: double the grid for each finer level."),
        ],
    )
    up = [(1, 1, 5, 4), (3, 3, 4, 4), (1, 1, 4, 3), (3, 3, 3, 3)]
    model, values = filled(
        expect,
        places,
        x,
        up,
        2,
        [
            (
                [(1, 1, 5, 4), (3, 3, 8, 4), (1, 1, 4, 3), (3, 3, 6, 3)],
                "That puts skips beside what came up, as the paper does: layers.Add() adds them, "
                "at half the cost.",
            ),
            (up[::2], "The convolutions after the addition are missing: `depth` of them."),
            (
                [(3, 3, 5, 4), (3, 3, 4, 4), (3, 3, 4, 3), (3, 3, 3, 3)],
                "The channels are changed by a 1×1 convolution: it looks at one pixel at a time.",
            ),
            (
                [
                    (1, 1, 5, 4),
                    (3, 3, 4, 4),
                    (3, 3, 4, 4),
                    (1, 1, 4, 3),
                    (3, 3, 3, 3),
                    (3, 3, 3, 3),
                ],
                "Twice as many convolutions are for the bottom of the U only.",
            ),
        ],
        "Per level: a 1×1 convolution to the finer level's channels, then `depth` of 3×3.",
    )
    photo = [uniform(2, *p.shape[1:], seed=i) for i, p in enumerate(places)]

    def way(enlarge=lambda x: x.repeat(2, axis=1).repeat(2, axis=2), skip=True, late=False):
        weights, x = Weights(values), photo[-1]
        for level in photo[-2::-1]:
            x = enlarge(weights.bare(x))
            x = weights.block(x + level) if skip and not late else weights.block(x)
            x = x + level if late else x
        return x

    expect.close(
        model(photo, training=False),
        way(),
        "The order: 1×1 convolution, doubled grid, skip added, convolutions.",
        mistakes=[
            (way(skip=False), "The skip connection is missing: add the finer level's own pixels."),
            (
                way(late=True),
                "The skip is added before the convolutions: they are what blends the two.",
            ),
            (way(doubled), "Pixels are doubled, not blended: layers.UpSampling2D() as it is."),
        ],
        tolerance=1e-4,
    )
    deep = keras.Model(places[:2], answer(places[:2], 2))
    own = [tuple(v.shape) for v in deep.weights if len(v.shape) == 4]
    expect.equal(
        own,
        [(1, 1, 4, 3), (3, 3, 3, 3), (3, 3, 3, 3)],
        "depth counts: with depth 2, two convolutions of 3×3 after the addition.",
    )


# 4.7


@exercise(
    "4.7",
    unet.mirror_averaged,
    minutes=8,
    difficulty=2,
    hints=(
        "mirrored(inputs) turns photo and mask; it turns a guess as well.",
        "Two answers: of the inputs, and of their mirror image. The second looks the other way.",
        "(complete(inputs) + mirrored(…)) / 2",
    ),
)
def mirror_averaged(answer, expect):
    inputs = {"masked": uniform(2, 4, 6, 3), "mask": uniform(2, 4, 6, 1, seed=1).round()}
    slope = np.linspace(0, 1, 6, dtype="float32")[:, None] + uniform(4, 1, 1, seed=2)  # (4, 6, 1)

    def complete(inputs):
        """A network that likes the right side, and whatever is missing."""
        return tensor(inputs["masked"]) * slope + tensor(inputs["mask"]) * slope**2

    def turned(inputs, axis=2, mask=True):
        return {
            name: np.flip(x, axis) if mask or name == "masked" else x for name, x in inputs.items()
        }

    def says(inputs):
        return ops.convert_to_numpy(complete(inputs))

    came = answer(complete, keras.tree.map_structure(tensor, inputs))
    expect.shape(came, (2, 4, 6, 3), "One guess per photo.")
    plain, back = says(inputs), says(turned(inputs))
    upside = np.flip(says(turned(inputs, 1)), 1)
    expect.close(
        came,
        (plain + back[:, :, ::-1]) / 2,
        "The mean of two answers, of which the second was turned, completed, and turned back.",
        mistakes=[
            ((plain + back) / 2, "The mirror image's answer looks the other way: turn it back."),
            (plain + back[:, :, ::-1], "A mean, not a sum: twice as bright as a photo."),
            (plain, "The mirror image is not asked."),
            (back[:, :, ::-1], "The photo as it is counts as well: the mean of both answers."),
            (back, "Two answers are wanted, of the photo and of its mirror image, and their mean."),
            ((plain + upside) / 2, "Upside down is no mirror: left and right are axis 2."),
            (
                (plain + plain[:, :, ::-1]) / 2,
                "The inputs must be mirrored before the network sees them, not only its answer.",
            ),
            (
                (plain + says(turned(inputs, mask=False))[:, :, ::-1]) / 2,
                "The photo was mirrored without its mask: the holes are elsewhere then.",
            ),
            (
                plain + back[:, :, ::-1] / 2,
                "Only the second half is halved: brackets around the sum.",
            ),
        ],
    )


# 4.8


def by_counting(colour, known):
    """Right, in another way: pixel by pixel."""
    colour, known = ops.convert_to_numpy(colour), ops.convert_to_numpy(known)
    mean, count = halves(colour, known)
    return tensor(mean.astype("float32")), tensor((count > 0).astype("float32"))


def counting_two_at_least(colour, known):
    """Wrong: one known pixel of four is divided by two."""
    weight = ops.average_pool(known, 2, 2)
    colour = ops.average_pool(colour * known, 2, 2) / ops.maximum(weight, 0.5)
    return colour, ops.cast(weight > 0, colour.dtype)


def counting_three_as_four(colour, known):
    """Wrong: three known pixels of four are divided by four."""
    weight = ops.average_pool(known, 2, 2)
    share = ops.where(weight > 0.7, 1.0, ops.maximum(weight, 0.25))
    return ops.average_pool(colour * known, 2, 2) / share, ops.cast(weight > 0, colour.dtype)


@exercise(
    "4.8",
    broken.catch_darkening,
    minutes=10,
    difficulty=2,
    hints=(
        "A photo of one colour with a hole: what must it be when it is halved?",
        "Call halve_known(0.8 * known * np.ones(3), known) and compare where something is known.",
        "Try 1, 2, 3 and 4 known pixels of four: each is a case of its own.",
    ),
)
def catch_darkening(answer, expect):
    expect.catches(
        answer,
        right=[unet.halve_known, by_counting],
        wrong=[
            (
                broken.darkening,
                "Give it one colour and a hole that cuts through 2×2 pixels: the colour must stay.",
            ),
            (
                counting_two_at_least,
                "It fails where a single pixel of four is known: try that case too.",
            ),
            (
                counting_three_as_four,
                "It fails where three of four are known: a hole's corner. Try that case too.",
            ),
        ],
        hint="That function is right. Compare colours where something is known only, and leave "
        "room for rounding.",
    )
