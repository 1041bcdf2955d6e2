"""Answers to lesson 01, boxes and masks."""

import numpy as np
from bank import accepted, refused
from keras import ops

from recon.boxes import Box, validate

# 1.1 side


@refused("1.1", "cut instead of rounded", "`int` and // cut")
def side(size):
    return max(1, int(75 * size / 256))


@refused("1.1", "always 75", "75 on 256 pixels only")
def side(size):
    return 75


@refused("1.1", "not rounded", "whole pixels: round")
def side(size):
    return size if size == 1 else (75 if size == 256 else 75 * size / 256)


@refused("1.1", "no least side", "A box without pixels is none")
def side(size):
    return round(75 * size / 256)


@refused("1.1", "a float", "whole number: an int")
def side(size):
    return max(1.0, np.round(75 * size / 256)) if size != 256 else 75


@refused("1.1", "rounded up", "it rounds down too")
def side(size):
    return -(-75 * size // 256)


@accepted("1.1", "in whole numbers")
def side(size):
    return max((2 * 75 * size + 256) // (2 * 256), 1)


# 1.2 rasterise


def paint(boxes, size, value=1.0, dtype="float32"):
    mask = np.zeros((*((size, size) if isinstance(size, int) else size), 1), dtype)
    for box in boxes:
        validate(box, size)
        row, column, height, width = box
        mask[row : row + height, column : column + width] = value
    return mask


@refused("1.2", "rows and columns swapped", "Rows come first")
def rasterise(boxes, size):
    return paint([Box(b.column, b.row, b.width, b.height) for b in boxes], size)


@refused("1.2", "corner swapped", "The corner is (row, column)")
def rasterise(boxes, size):
    return paint([Box(b.column, b.row, b.height, b.width) for b in boxes], size)


@refused("1.2", "known is 1", "other way round")
def rasterise(boxes, size):
    return 1 - paint(boxes, size)


@refused("1.2", "overlap adds up to 2", "set, don't add")
def rasterise(boxes, size):
    return sum((paint([box], size) for box in boxes), np.zeros((size, size, 1), "float32"))


@refused("1.2", "overlap flips back to 0", "set, don't flip")
def rasterise(boxes, size):
    return sum((paint([box], size) for box in boxes), np.zeros((size, size, 1), "float32")) % 2


@refused("1.2", "a new mask for every box", "before the loop")
def rasterise(boxes, size):
    for box in boxes:
        mask = paint([box], size)
    return mask


@refused("1.2", "box over the edge is cut", "silently cut")
def rasterise(boxes, size):
    rows, columns = (size, size) if isinstance(size, int) else size
    mask = np.zeros((rows, columns, 1), "float32")
    for row, column, height, width in boxes:
        mask[max(row, 0) : row + height, column : column + width] = 1
    return mask


@refused("1.2", "no channel axis", "One channel more")
def rasterise(boxes, size):
    return paint(boxes, size)[..., 0]


@refused("1.2", "one pixel too long", "A slice ends before its end")
def rasterise(boxes, size):
    return paint([Box(*b[:2], b.height + 1, b.width + 1) for b in boxes], size)


@refused("1.2", "the length as the slice's end", "not to a length")
def rasterise(boxes, size):
    mask = np.zeros((size, size, 1), "float32")
    for row, column, height, width in boxes:
        mask[row:height, column:width] = 1
    return mask


@refused("1.2", "float64", "float64 unless told")
def rasterise(boxes, size):
    return paint(boxes, size, dtype="float64")


@refused("1.2", "squares only", "and not square")
def rasterise(boxes, size):
    return paint(boxes, size + 0)


@refused("1.2", "width and height of the size swapped", "in this order")
def rasterise(boxes, size):
    return paint(boxes, size if isinstance(size, int) else size[::-1])


@refused("1.2", "edges of a square photo only", "against the height")
def rasterise(boxes, size):
    rows, columns = (size, size) if isinstance(size, int) else size
    mask = np.zeros((rows, columns, 1), "float32")
    for box in boxes:
        validate(box, max(rows, columns) if rows != columns else rows)
        mask[box.row : box.row + box.height, box.column : box.column + box.width] = 1
    return mask


@accepted("1.2", "by comparing coordinates instead of slicing")
def rasterise(boxes, size):
    rows, columns = (size, size) if isinstance(size, int) else size
    row, column = np.mgrid[:rows, :columns]
    mask = np.zeros((rows, columns), bool)
    for box in boxes:
        validate(box, size)
        mask |= (
            (box.row <= row)
            & (row < box.row + box.height)
            & (box.column <= column)
            & (column < box.column + box.width)
        )
    return mask[..., None].astype(np.float32)


# 1.3 draw


@refused("1.3", "75 on every size", "75 is the side on 256 pixels")
def draw(generator, size=256, count=2):
    return tuple(Box(*map(int, generator.integers(0, size, 2))) for _ in range(count))


@refused("1.3", "never at the last place", "A box may touch the edge")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = generator.integers(0, size - side, (count, 2))
    return tuple(Box(int(row), int(column), side, side) for row, column in corners)


@refused("1.3", "over the edge", "A box must lie whole on the photo")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = generator.integers(0, size, (count, 2))
    return tuple(Box(int(row), int(column), side, side) for row, column in corners)


@refused("1.3", "clipped onto the photo", "do not clip")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = np.minimum(generator.integers(0, size, (count, 2)), size - side)
    return tuple(Box(int(row), int(column), side, side) for row, column in corners)


@refused("1.3", "row and column are one draw", "Row and column are two draws")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    places = generator.integers(0, size - side, count, endpoint=True)
    return tuple(Box(int(place), int(place), side, side) for place in places)


@refused("1.3", "a seed of its own", "no new seed inside")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = np.random.default_rng(0).integers(0, size - side, (count, 2), endpoint=True)
    return tuple(Box(int(row), int(column), side, side) for row, column in corners)


@refused("1.3", "NumPy's global randomness", "use `generator` alone")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = np.random.randint(0, size - side + 1, (count, 2))
    return tuple(Box(int(row), int(column), side, side) for row, column in corners)


@refused("1.3", "NumPy's integers", "JSON refuses them")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = generator.integers(0, size - side, (count, 2), endpoint=True)
    return tuple(Box(row, column, side, side) for row, column in corners)


@refused("1.3", "a list", "a tuple of boxes")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = generator.integers(0, size - side, (count, 2), endpoint=True)
    return [Box(int(row), int(column), side, side) for row, column in corners]


@refused("1.3", "tuples that are no boxes", "Each is a Box")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = generator.integers(0, size - side, (count, 2), endpoint=True)
    return tuple((int(row), int(column), side, side) for row, column in corners)


@refused("1.3", "always two", "`count` says how many")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = generator.integers(0, size - side, (2, 2), endpoint=True)
    return tuple(Box(int(row), int(column), side, side) for row, column in corners)


@accepted("1.3", "box by box, with the end left out")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    return tuple(
        Box(*(int(generator.integers(size - side + 1)) for _ in range(2)), side, side)
        for _ in range(count)
    )


@accepted("1.3", "from fractions")
def draw(generator, size=256, count=2):
    side = max(1, round(75 * size / 256))
    corners = np.floor(generator.random((2, count)) * (size - side + 1))
    return tuple(Box(int(row), int(column), side, side) for row, column in corners.T)


# 1.4 scale


@refused("1.4", "old / new", "not old / new")
def scale(box, old, new):
    return Box(*(round(number * old / new) for number in box))


@refused("1.4", "the corner only", "The sides grow with the photo")
def scale(box, old, new):
    return Box(round(box.row * new / old), round(box.column * new / old), box.height, box.width)


@refused("1.4", "cut instead of rounded", "Round to the nearest")
def scale(box, old, new):
    return Box(*(number * new // old for number in box))


@refused("1.4", "not rounded", "Pixels are whole numbers")
def scale(box, old, new):
    return Box(*(number * new / old for number in box))


@refused("1.4", "no least side", "A box of 0 pixels is none")
def scale(box, old, new):
    return Box(*(round(number * new / old) for number in box))


@refused("1.4", "rounded over the edge", "min(row, new - height)")
def scale(box, old, new):
    row, column, height, width = (round(number * new / old) for number in box)
    if height < 1 or width < 1:
        height, width = max(1, height), max(1, width)
        row, column = min(row, new - height), min(column, new - width)
    return Box(row, column, height, width)


@refused("1.4", "rows kept on the photo, columns not", "min(column, new - width)")
def scale(box, old, new):
    row, column, height, width = (round(number * new / old) for number in box)
    if width < 1:
        column = min(column, new - 1)
    height, width = max(1, height), max(1, width)
    return Box(min(row, new - height), column, height, width)


@refused("1.4", "height and width swapped", "swapped on the way")
def scale(box, old, new):
    row, column, height, width = (round(number * new / old) for number in box)
    return Box(row, column, width, height)


@refused("1.4", "a tuple", "It gives a Box")
def scale(box, old, new):
    return tuple(round(number * new / old) for number in box)


@refused("1.4", "one limit for row and column", "each with its own side")
def scale(box, old, new):
    row, column, height, width = (round(number * new / old) for number in box)
    height, width = max(1, height), max(1, width)
    if row + height > new or column + width > new:
        row, column = (min(number, new - max(height, width)) for number in (row, column))
    return Box(row, column, height, width)


@accepted("1.4", "number by number")
def scale(box, old, new):
    factor = new / old
    height = round(box.height * factor) or 1
    width = round(box.width * factor) or 1
    row, column = round(box.row * factor), round(box.column * factor)
    if row + height > new:
        row = new - height
    if column + width > new:
        column = new - width
    return Box(row=row, column=column, height=height, width=width)


# 1.5 coverage


@refused("1.5", "a mask", "A pixel in two boxes counts 2")
def coverage(boxes, size):
    return paint(boxes, size)


@refused("1.5", "flips", "not flipping")
def coverage(boxes, size):
    return sum((paint([box], size) for box in boxes), np.zeros((size, size, 1), "float32")) % 2


@refused("1.5", "stops at 2", "nothing stops at 2")
def coverage(boxes, size):
    masks = (paint([box], size) for box in boxes)
    return np.minimum(sum(masks, np.zeros((size, size, 1), "float32")), 2)


@refused("1.5", "one picture per box", "One picture for all boxes")
def coverage(boxes, size):
    return np.stack([paint([box], size) for box in boxes])


@refused("1.5", "no channel axis", "One channel more")
def coverage(boxes, size):
    return sum(paint([box], size) for box in boxes)[..., 0]


@refused("1.5", "no boxes, no zeros", "zeros, of the photo's size")
def coverage(boxes, size):
    return sum(paint([box], size) for box in boxes)


@refused("1.5", "float64", "photos, which are float32")
def coverage(boxes, size):
    return sum(paint([box], size, dtype="float64") for box in boxes)


@refused("1.5", "rows and columns swapped", "Rows come first")
def coverage(boxes, size):
    return sum(paint([Box(b[1], b[0], b[3], b[2])], size) for b in boxes)


@refused("1.5", "box over the edge is cut", "an error here too")
def coverage(boxes, size):
    counts = np.zeros((*((size, size) if isinstance(size, int) else size), 1), "float32")
    for row, column, height, width in boxes:
        counts[row : row + height, column : column + width] += 1
    return counts


@refused("1.5", "boxes are read twice", "read only once")
def coverage(boxes, size):
    for box in boxes:
        validate(box, size)
    return sum((paint([box], size) for box in boxes), paint([], size))


@accepted("1.5", "by adding to a slice")
def coverage(boxes, size):
    rows, columns = (size, size) if isinstance(size, int) else size
    counts = np.zeros((rows, columns, 1), np.float32)
    for box in boxes:
        validate(box, size)
        counts[box.row : box.row + box.height, box.column : box.column + box.width] += 1
    return counts


# 1.6 complete


@refused("1.6", "inverted", "The other way round")
def complete(masked, mask, guess):
    return ops.where(mask > 0, masked, guess)


@refused("1.6", "the guess alone", "The whole guess came back")
def complete(masked, mask, guess):
    return ops.convert_to_tensor(guess)


@refused("1.6", "a sum of both", "Known pixels keep none of the guess")
def complete(masked, mask, guess):
    return masked + guess


@refused("1.6", "the guess in the hole alone", "Known pixels are black")
def complete(masked, mask, guess):
    return mask * guess


@refused("1.6", "the formula as a sum", "0 × NaN is NaN")
def complete(masked, mask, guess):
    return mask * guess + (1 - mask) * masked


@refused("1.6", "black is missing", "A black pixel may be known")
def complete(masked, mask, guess):
    return ops.where(ops.all(ops.equal(masked, 0), axis=-1, keepdims=True), guess, masked)


@refused("1.6", "a difference, added where it is missing", "bit for bit")
def complete(masked, mask, guess):
    guess = ops.nan_to_num(guess)
    return masked + guess - (1 - mask) * guess + 1e-7 * (1 - mask)


@accepted("1.6", "by NumPy")
def complete(masked, mask, guess):
    return np.where(np.equal(mask, 1), guess, masked)


@accepted("1.6", "inverted twice")
def complete(masked, mask, guess):
    return ops.where(ops.equal(mask, 0), masked, guess)


# 1.7 squared_error


@refused("1.7", "the weight squared too", "inside the square")
def squared_error(photo, completed, weight):
    return ops.sum(ops.square(weight * (photo - completed))), ops.sum(weight) * 3


@refused("1.7", "the mask instead of the count of boxes", "The weight counts")
def squared_error(photo, completed, weight):
    missing = ops.cast(weight > 0, "float32")
    return ops.sum(missing * ops.square(photo - completed)), ops.sum(weight) * 3


@refused("1.7", "absolute", "not the absolute value")
def squared_error(photo, completed, weight):
    return ops.sum(weight * ops.abs(photo - completed)), ops.sum(weight) * 3


@refused("1.7", "a mean", "Sums, no means")
def squared_error(photo, completed, weight):
    count = ops.sum(weight) * 3
    return ops.sum(weight * ops.square(photo - completed)) / count, count


@refused("1.7", "known pixels count", "Known pixels do not matter")
def squared_error(photo, completed, weight):
    return ops.sum(ops.maximum(weight, 1) * ops.square(photo - completed)), ops.sum(weight) * 3


@refused("1.7", "pixels instead of numbers", "times channels")
def squared_error(photo, completed, weight):
    return ops.sum(weight * ops.square(photo - completed)), ops.sum(weight)


@refused("1.7", "a pixel in two boxes counts once", "counts twice here too")
def squared_error(photo, completed, weight):
    return ops.sum(weight * (photo - completed) ** 2), ops.sum(ops.cast(weight > 0, "float32")) * 3


@refused("1.7", "the photo's whole size", "only those in boxes")
def squared_error(photo, completed, weight):
    return ops.sum(weight * (photo - completed) ** 2), float(np.size(photo))


@refused("1.7", "per photo of a batch", "batch, rows, columns, channels")
def squared_error(photo, completed, weight):
    axes = (1, 2, 3)
    return ops.sum(weight * (photo - completed) ** 2, axis=axes), ops.sum(weight, axis=axes) * 3


@refused("1.7", "three channels always", "the photo's own number")
def squared_error(photo, completed, weight):
    return ops.sum(weight * ops.square(photo - completed)), 3 * ops.sum(weight)


@accepted("1.7", "the weight spread over the channels")
def squared_error(photo, completed, weight):
    weight = np.broadcast_to(weight, photo.shape)
    return float((weight * (photo - completed) ** 2).sum()), float(weight.sum())


# 1.8 catch_swapped


@refused("1.8", "a square box on the diagonal", "its mask is the right one, transposed")
def catch_swapped(rasterise):
    mask = rasterise([Box(2, 2, 3, 3)], 8)
    assert mask[2:5, 2:5].all()
    assert mask.sum() == 9


@refused("1.8", "a square box", "A square box hides")
def catch_swapped(rasterise):
    assert rasterise([Box(1, 3, 2, 2)], 8)[1:3, 3:5].all()


@refused("1.8", "a corner on the diagonal", "a swapped corner")
def catch_swapped(rasterise):
    assert rasterise([Box(1, 1, 2, 4)], 8)[1:3, 1:5].all()


@refused("1.8", "without the channel", "ask less, or count again")
def catch_swapped(rasterise):
    expected = np.zeros((8, 8))
    expected[1:3, 3:7] = 1
    assert np.array_equal(rasterise([Box(1, 3, 2, 4)], 8), expected)


@accepted("1.8", "by four pixels")
def catch_swapped(rasterise):
    mask = rasterise([Box(0, 2, 2, 5)], 9)[..., 0]
    for row, column, value in ((0, 2, 1), (1, 6, 1), (2, 2, 0), (1, 7, 0), (0, 1, 0)):
        assert mask[row, column] == value
