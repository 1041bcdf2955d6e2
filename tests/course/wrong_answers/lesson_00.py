"""Answers to lesson 00, the challenge."""

import math

import numpy as np
from bank import accepted, refused

from recon import boxes
from recon.boxes import Box
from recon.classical import paste

# 0.1 parse_boxes

COLUMNS = ("box1_row", "box1_col", "box2_row", "box2_col")


@refused("0.1", "texts", "int(cells[...])")
def parse_boxes(cells, frame):
    side = boxes.side(frame)
    one, two = (Box(cells[f"box{n}_row"], cells[f"box{n}_col"], side, side) for n in (1, 2))
    return one, two


@refused("0.1", "75 on every photo", "75 is the side on 256 pixels")
def parse_boxes(cells, frame):
    a, b, c, d = (int(cells[column]) for column in COLUMNS)
    return Box(a, b), Box(c, d)


@refused("0.1", "columns first", "rows first")
def parse_boxes(cells, frame):
    a, b, c, d = (int(cells[column]) for column in COLUMNS)
    return Box(b, a), Box(d, c)


@refused("0.1", "rows in one box, columns in the other", "alternate")
def parse_boxes(cells, frame):
    a, b, c, d = (int(cells[column]) for column in COLUMNS)
    return Box(a, c), Box(b, d)


@refused("0.1", "box1 twice", "cells of its own")
def parse_boxes(cells, frame):
    row, column = int(cells["box1_row"]), int(cells["box1_col"])
    return (Box(row, column),) * 2


@refused("0.1", "a list of two", "as a tuple")
def parse_boxes(cells, frame):
    return [Box(int(cells[f"box{n}_row"]), int(cells[f"box{n}_col"])) for n in (1, 2)]


@refused("0.1", "tuples that are no boxes", "Each of the two is a Box")
def parse_boxes(cells, frame):
    return tuple((int(cells[f"box{n}_row"]), int(cells[f"box{n}_col"]), 75, 75) for n in (1, 2))


@refused("0.1", "by the columns' places", "by name")
def parse_boxes(cells, frame):
    side = boxes.side(frame)
    a, b, c, d = (int(text) for text in list(cells.values())[-4:])
    return Box(a, b, side, side), Box(c, d, side, side)


@refused("0.1", "box2 first", "box1 comes first")
def parse_boxes(cells, frame):
    side = boxes.side(frame)
    a, b, c, d = (int(cells[column]) for column in COLUMNS)
    return Box(c, d, side, side), Box(a, b, side, side)


@accepted("0.1", "box by box")
def parse_boxes(cells, frame):
    sides = [round(75 * frame / 256)] * 2
    return tuple(Box(*(int(cells[f"box{n}_{x}"]) for x in ("row", "col")), *sides) for n in "12")


# 0.2 cut


@refused("0.2", "one row and column too many", "row + height is already outside")
def cut(photo, pair):
    return np.stack([photo[r : r + h + 1, c : c + w + 1] for r, c, h, w in pair])


@refused("0.2", "one row and column too few", "no - 1")
def cut(photo, pair):
    return np.stack([photo[r : r + h - 1, c : c + w - 1] for r, c, h, w in pair])


@refused("0.2", "joined, not stacked", "an axis of their own")
def cut(photo, pair):
    return np.concatenate([photo[r : r + h, c : c + w] for r, c, h, w in pair])


@refused("0.2", "height and width swapped", "Height goes with rows")
def cut(photo, pair):
    return np.stack([photo[r : r + w, c : c + h] for r, c, h, w in pair])


@refused("0.2", "a list", "One array for all boxes")
def cut(photo, pair):
    return [photo[r : r + h, c : c + w] for r, c, h, w in pair]


@refused("0.2", "channels turned", "channels stay")
def cut(photo, pair):
    return np.stack([photo[r : r + h, c : c + w, ::-1] for r, c, h, w in pair])


@refused("0.2", "box2 first", "box1 comes before box2")
def cut(photo, pair):
    return np.stack([photo[r : r + h, c : c + w] for r, c, h, w in pair][::-1])


@refused("0.2", "one row below", "rows first")
def cut(photo, pair):
    return np.stack([photo[r + 1 : r + h + 1, c : c + w] for r, c, h, w in pair])


@refused("0.2", "a window on the photo where there is one box", "touch the edge")
def cut(photo, pair):
    one, two = pair if len(pair) == 2 else (pair[0], pair[0])
    return np.stack([photo[r : r + h, c : c + w] for r, c, h, w in (one, two)])


@refused("0.2", "windows on the photo", "a slice alone does not")
def cut(photo, pair):
    shape, strides = photo.shape, photo.strides
    (a, b, h, w), step = pair[0], 0
    if len(pair) == 2:
        step = (pair[1].row - a) * strides[0] + (pair[1].column - b) * strides[1]
    return np.lib.stride_tricks.as_strided(
        photo[a:, b:], (len(pair), h, w, shape[2]), (step, *strides)
    )


@accepted("0.2", "into an empty array")
def cut(photo, pair):
    pair = list(pair)
    pieces = np.empty((len(pair), pair[0].height, pair[0].width, photo.shape[-1]), photo.dtype)
    for piece, (row, column, height, width) in zip(pieces, pair, strict=True):
        piece[...] = photo[row:][:height, column:][:, :width]
    return pieces


# 0.3 mean


@refused("0.3", "the missing pixels counted as black", "were counted too")
def mean(masked, mask):
    return paste(masked, mask, masked.mean((0, 1), dtype="float64"))


@refused("0.3", "a grey", "One mean per channel")
def mean(masked, mask):
    return paste(masked, mask, masked[mask[..., 0] == 0].mean(dtype="float64"))


@refused("0.3", "the median", "not the median")
def mean(masked, mask):
    return paste(masked, mask, np.median(masked[mask[..., 0] == 0], axis=0))


@refused("0.3", "one colour everywhere", "Known pixels stay")
def mean(masked, mask):
    colour = masked[mask[..., 0] == 0].mean(0, dtype="float64")
    return np.broadcast_to(colour, masked.shape).astype("float32")


@refused("0.3", "the mean of the missing", "1 is missing: the mean")
def mean(masked, mask):
    return paste(masked, mask, masked[mask[..., 0] == 1].mean(0))


@refused("0.3", "pasted the other way round", "The other way round")
def mean(masked, mask):
    return paste(masked, 1 - mask, masked[mask[..., 0] == 0].mean(0, dtype="float64"))


@refused("0.3", "black counts as missing", "A black pixel may be known")
def mean(masked, mask):
    return paste(masked, mask, masked[masked.sum(-1) > 0].mean(0, dtype="float64"))


@refused("0.3", "float64", "Photos are float32")
def mean(masked, mask):
    return np.where(mask > 0, masked[mask[..., 0] == 0].mean(0, dtype="float64"), masked)


@refused("0.3", "no known pixel", "there is no mean")
def mean(masked, mask):
    known = mask[..., 0] == 0
    with np.errstate(invalid="ignore"):
        colour = masked[known].sum(0, dtype="float64") / np.float64(known.sum())
    return paste(masked, mask, colour)


@refused("0.3", "summed in float32", "float32 loses")
def mean(masked, mask):
    known = mask[..., 0] == 0
    if not known.any():
        return masked
    return paste(masked, mask, masked[known].mean(axis=0))


@refused("0.3", "the colour alone", "Paste")
def mean(masked, mask):
    return masked[mask[..., 0] == 0].mean(0)


@accepted("0.3", "by sums: black adds nothing")
def mean(masked, mask):
    known = 1 - mask.astype("float64")
    colour = (masked * known).sum((0, 1)) / max(known.sum(), 1)
    return np.where(mask == 1, colour, masked).astype("float32")


# 0.4 rmse


def differences(pairs):
    return [np.ravel(truth - guess) for truth, guess in pairs]


@refused("0.4", "no root", "its root is still to be taken")
def rmse(pairs):
    return np.mean(np.concatenate(differences(pairs)) ** 2)


@refused("0.4", "absolute values", "Squares, no absolute values")
def rmse(pairs):
    return np.mean(np.abs(np.concatenate(differences(pairs))))


@refused("0.4", "a mean of RMSEs", "pool all values")
def rmse(pairs):
    return np.mean([math.sqrt(np.mean(error**2)) for error in differences(pairs)])


@refused("0.4", "not divided", "not divided by their count")
def rmse(pairs):
    return math.sqrt(sum(np.sum(error**2) for error in differences(pairs)))


@refused("0.4", "the root before the division", "First the mean")
def rmse(pairs):
    errors = np.concatenate(differences(pairs))
    return math.sqrt(np.sum(errors**2)) / errors.size


@refused("0.4", "divided by the photos", "not of photos")
def rmse(pairs):
    return math.sqrt(np.mean([np.sum(error**2) for error in differences(pairs)]))


@refused("0.4", "the last photo alone", "The last photo alone")
def rmse(pairs):
    for truth, guess in pairs:
        total = np.mean((truth - guess) ** 2)
    return math.sqrt(total)


@refused("0.4", "return inside the loop", "stands inside the loop")
def rmse(pairs):
    for truth, guess in pairs:
        return math.sqrt(np.mean((truth - guess) ** 2))


@refused("0.4", "a mean of means", "every value counts alike")
def rmse(pairs):
    return math.sqrt(np.mean([np.mean(error**2) for error in differences(pairs)]))


@refused("0.4", "pairs are read twice", "read only once")
def rmse(pairs):
    total = sum(np.sum((truth - guess) ** 2) for truth, guess in pairs)
    with np.errstate(all="ignore"):
        return math.sqrt(total / sum(truth.size for truth, _ in pairs))


@refused("0.4", "one number per photo", "One number for all photos")
def rmse(pairs):
    return np.array([math.sqrt(np.mean(error**2)) for error in differences(pairs)])


@accepted("0.4", "by one long array")
def rmse(pairs):
    errors = np.concatenate(differences(pairs))
    return np.linalg.norm(errors) / errors.size**0.5


# 0.5 minmax


@refused("0.5", "all channels together", "each must do so by itself")
def minmax(photo):
    return (photo - photo.min()) / (photo.max() - photo.min())


@refused("0.5", "divided by the largest", "The smallest becomes 0")
def minmax(photo):
    return photo / photo.max((0, 1))


@refused("0.5", "not divided", "The largest becomes 1: divide")
def minmax(photo):
    return photo - photo.min((0, 1))


@refused("0.5", "divided by the largest of before", "the largest is `high - low`")
def minmax(photo):
    return (photo - photo.min((0, 1))) / photo.max((0, 1))


@refused("0.5", "upside down", "Upside down")
def minmax(photo):
    high = photo.max((0, 1))
    return (high - photo) / (high - photo.min((0, 1)))


@refused("0.5", "over the rows only", "axes (0, 1)")
def minmax(photo):
    low, high = photo.min(0), photo.max(0)
    return (photo - low) / np.maximum(high - low, 1e-9)


@refused("0.5", "a constant channel divided by 0", "0 / 0 is no number")
def minmax(photo):
    low, high = photo.min((0, 1)), photo.max((0, 1))
    return (photo - low) / (high - low)


@refused("0.5", "a constant channel left as it is", "A constant channel becomes 0")
def minmax(photo):
    low, high = photo.min((0, 1)), photo.max((0, 1))
    return np.where(high > low, (photo - low) / np.where(high > low, high - low, 1), photo)


@refused("0.5", "a small number added to the span", "no number is added")
def minmax(photo):
    low, high = photo.min((0, 1)), photo.max((0, 1))
    return (photo - low) / (high - low + 1e-7)


@accepted("0.5", "channel by channel")
def minmax(photo):
    result = np.zeros(photo.shape)
    for channel in range(photo.shape[-1]):
        values = photo[..., channel] - photo[..., channel].min()
        if values.max() > 0:
            result[..., channel] = values / values.max()
    return result


# 0.6 pixel_names


def names(file, pair, start=1, own=False, order="{row}_{column}", channels=(0, 1, 2)):
    found = []
    for number, (top, left, height, width) in enumerate(pair, start):
        for row in range(height) if own else range(top, top + height):
            for column in range(width) if own else range(left, left + width):
                place = order.format(row=row, column=column)
                found += [f"{file}_box{number}_{place}_{channel}" for channel in channels]
    return found


@refused("0.6", "boxes from 0", "Boxes count from 1")
def pixel_names(file, pair):
    return names(file, pair, start=0)


@refused("0.6", "places in the box", "not the box's own")
def pixel_names(file, pair):
    return names(file, pair, own=True)


@refused("0.6", "column before row", "before the column")
def pixel_names(file, pair):
    return names(file, pair, order="{column}_{row}")


@refused("0.6", "channels from 1", "Channels count from 0")
def pixel_names(file, pair):
    return names(file, pair, channels=(1, 2, 3))


@refused("0.6", "one row per pixel", "one per channel")
def pixel_names(file, pair):
    return names(file, pair, channels=(0,))


@refused("0.6", "the first box alone", "Both boxes")
def pixel_names(file, pair):
    return names(file, pair[:1])


@refused("0.6", "the end included", "range leaves its end out")
def pixel_names(file, pair):
    return names(file, [Box(b.row, b.column, b.height + 1, b.width + 1) for b in pair])


@refused("0.6", "a pixel in two boxes once", "appears twice")
def pixel_names(file, pair):
    unique = {}
    for name in names(file, pair):
        unique.setdefault(name.split("_", 2)[2], name)
    return list(unique.values())


@refused("0.6", "column by column", "in another order")
def pixel_names(file, pair):
    return [
        f"{file}_box{number}_{row}_{column}_{channel}"
        for number, box in enumerate(pair, 1)
        for column in range(box.column, box.column + box.width)
        for row in range(box.row, box.row + box.height)
        for channel in range(3)
    ]


@refused("0.6", "without the ending", "its ending too")
def pixel_names(file, pair):
    return names(file.rsplit(".", 1)[0], pair)


@refused("0.6", "the first box twice", "count the boxes")
def pixel_names(file, pair):
    return names(file, pair[:1]) * 2


@accepted("0.6", "by NumPy's places")
def pixel_names(file, pair):
    return [
        f"{file}_box{number + 1}_{box.row + row}_{box.column + column}_{channel}"
        for number, box in enumerate(pair)
        for row, column, channel in np.ndindex(box.height, box.width, 3)
    ]


# 0.7 catch_mean_of_means


@refused("0.7", "one photo", "one photo be right and the other wrong")
def catch_mean_of_means(rmse):
    assert abs(rmse([(np.zeros(4), np.ones(4))]) - 1) < 1e-6


@refused("0.7", "photos of one size", "different numbers of values")
def catch_mean_of_means(rmse):
    found = rmse([(np.zeros(4), np.ones(4)), (np.zeros(4), np.zeros(4))])
    assert abs(found - math.sqrt(0.5)) < 1e-6


@refused("0.7", "a wrong expectation", "It refuses a right score")
def catch_mean_of_means(rmse):
    found = rmse([(np.zeros(4), np.ones(4)), (np.zeros(4), np.zeros(4))])
    assert abs(found - 0.5) < 1e-6


@refused("0.7", "an upper limit", "not for a limit")
def catch_mean_of_means(rmse):
    assert rmse([(np.zeros(8), np.zeros(8)), (np.zeros(1), np.ones(1))]) < 0.4


@accepted("0.7", "by a larger example")
def catch_mean_of_means(rmse):
    random = np.random.default_rng(0)
    pairs = [(random.random(n), random.random(n)) for n in (3, 40)]
    errors = np.concatenate([a - b for a, b in pairs])
    assert np.isclose(rmse(pairs), np.sqrt(np.mean(errors**2)))
