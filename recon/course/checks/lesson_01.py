"""Lesson 01, boxes and masks: what its answers are held against."""

import numpy as np
from keras import ops

from recon import boxes, metrics
from recon.boxes import Box
from recon.course.broken import lesson_01 as broken
from recon.course.exercise import exercise


@exercise(
    "1.1",
    boxes.side,
    minutes=5,
    difficulty=1,
    hints=(
        "75 pixels of 256 stay 75/256 of any size.",
        "Pixels are whole: `round` takes the nearest, `int` cuts.",
        "On a photo of one pixel the box would round to 0: `max` with 1.",
    ),
)
def side(answer, expect):
    expect.equal(answer(256), 75, "On the challenge's own size, 256, the side is 75.")
    expect.equal(
        answer(64),
        19,
        "The share of the side stays: 75/256 of the size.",
        mistakes=[
            (75, "The side is 75 on 256 pixels only: a photo of 64 has a smaller box."),
            (18, "75 × 64 / 256 is 18.75: the nearest whole number is 19. `int` and // cut."),
            (18.75, "A slice needs whole pixels: round."),
            (19.0, "A slice needs a whole number: an int."),
        ],
    )
    expect.type(answer(64), int, "A slice needs a whole number: an int.")
    expect.equal(answer(32), 9, "75 × 32 / 256 is 9.375, nearest to 9: it rounds down too.")
    expect.equal(answer(1), 1, "A box without pixels is none: at least 1.")
    expect.equal(answer(4), 1, "75 × 4 / 256 is 1.17: that rounds to 1, and stays 1.")
    expect.equal(answer(512), 150, "Larger photos have larger boxes.")


@exercise(
    "1.2",
    boxes.rasterise,
    minutes=10,
    difficulty=1,
    hints=(
        "A mask is a picture: begin with zeros of the photo's height and width, and one channel.",
        "`validate(box, (rows, columns))` raises the errors.",
        "A slice paints a rectangle in one line: mask[top:bottom, left:right] = 1.",
    ),
)
def rasterise(answer, expect):
    mask = answer([Box(1, 2, 3, 5)], 8)
    expect.shape(
        mask,
        (8, 8, 1),
        "A mask has the photo's height and width.",
        mistakes=[((8, 8), "One channel more: masks travel with photos, (H, W, C).")],
    )
    golden = np.zeros((8, 8, 1))
    golden[1:4, 2:7] = 1
    swapped, turned, long = np.zeros((3, 8, 8, 1))
    swapped[2:7, 1:4] = 1
    turned[2:5, 1:6] = 1
    long[1:5, 2:8] = 1
    ends = np.zeros((8, 8, 1))
    ends[1:3, 2:5] = 1
    expect.close(
        mask,
        golden,
        "The box begins at (row, column), and is `height` rows high, `width` columns wide.",
        mistakes=[
            (1 - golden, "1 is missing and 0 is known; yours is the other way round."),
            (swapped, "Rows come first: the challenge's box1_row is the y of other libraries."),
            (turned, "The corner is (row, column), in this order: rows come first."),
            (long, "A slice ends before its end: row + height is already outside."),
            (ends, "A slice goes from its start to its end, not to a length: row + height."),
        ],
    )
    expect.dtype(mask, "float32", "Networks reckon in float32; np.zeros gives float64 unless told.")
    both = answer([Box(0, 0, 2, 2), Box(1, 1, 2, 2)], 4)
    overlap = np.zeros((4, 4, 1))
    overlap[:2, :2] = overlap[1:3, 1:3] = 1
    last = np.zeros((4, 4, 1))
    last[1:3, 1:3] = 1
    twice = overlap.copy()
    twice[1, 1] = 2
    holed = overlap.copy()
    holed[1, 1] = 0
    expect.close(
        both,
        overlap,
        "Every box is painted.",
        mistakes=[
            (twice, "Where boxes overlap a pixel is missing once: set, don't add."),
            (holed, "Where boxes overlap the pixel is missing all the same: set, don't flip."),
            (last, "All boxes go into one mask: begin with zeros once, before the loop."),
        ],
    )
    expect.close(answer([], 3), np.zeros((3, 3, 1)), "Without boxes nothing is missing: all zeros.")
    order = "`size` may be (height, width): in this order."
    with (
        expect.on_error(Exception, "A photo may be (height, width), and not square."),
        expect.on_error(ValueError, order, containing="over the edge"),
    ):
        expect.shape(answer([Box(0, 3, 2, 2)], (2, 5)), (2, 5, 1), order)
    for box in (Box(6, 0, 3, 3), Box(0, 6, 3, 3), Box(-1, 0, 3, 3)):
        expect.raises(
            ValueError,
            answer,
            [box],
            8,
            hint="A slice past the edge is silently cut: NumPy does not tell, so `validate` must.",
            containing="edge of a 8×8 photo",
        )
    expect.raises(
        ValueError,
        answer,
        [Box(0, 1, 2, 3)],
        (6, 3),
        hint="Rows are held against the height, columns against the width.",
        containing="edge of a 6×3 photo",
    )


@exercise(
    "1.3",
    boxes.draw,
    minutes=10,
    difficulty=2,
    hints=(
        "The box's side comes from `side(size)`; then only its corner is drawn.",
        "How far down may the top row be, so that the whole box is on the photo?",
        "generator.integers(0, size - length, (count, 2), endpoint=True) draws all corners.",
    ),
)
def draw(answer, expect):
    generator = np.random.default_rng(0)
    two = answer(generator, 32)
    expect.type(two, tuple, "It gives a tuple of boxes: tuple(Box(...) for ...).")
    expect.equal(len(two), 2, "Two boxes, unless `count` says another number.")
    for box in two:
        expect.type(box, Box, "Each is a Box: Box(row, column, height, width).")
        expect.equal(
            (box.height, box.width),
            (9, 9),
            "The side follows from the size: side(32) is 9.",
            mistakes=[((75, 75), "75 is the side on 256 pixels: take side(size).")],
        )
        expect.true(
            type(box.row) is int and type(box.column) is int,
            f"its row is a {type(box.row).__name__}, expected an int",
            "NumPy's numbers are not Python's: JSON refuses them. int(row), int(column).",
        )
    same = answer(np.random.default_rng(0), 32)
    expect.equal(same, two, "The same generator state gives the same boxes: use `generator` alone.")
    more = answer(generator, 32)
    expect.true(
        more != two,
        "a second call gives the same boxes",
        "A generator goes on: no new seed inside the function.",
    )
    many = answer(np.random.default_rng(1), 32, 4000)
    expect.equal(len(many), 4000, "`count` says how many boxes.")
    rows, columns = {box.row for box in many}, {box.column for box in many}
    equal = all(box.row == box.column for box in many)
    expect.true(
        not equal,
        "every box lies on the diagonal: row and column are one number",
        "Row and column are two draws: else boxes fall on the diagonal only.",
    )
    for name, found in (("row", rows), ("column", columns)):
        expect.true(
            max(found) <= 23 and min(found) >= 0,
            f"{name}s from {min(found)} to {max(found)}, expected 0 to 23",
            "A box must lie whole on the photo: row + height is at most the size.",
        )
        expect.true(
            found == set(range(24)),
            f"{name}s from {min(found)} to {max(found)}, expected 0 to 23",
            "A box may touch the edge: 32 - 9 = 23 is a place too, and so is 0.",
        )
    each = np.bincount([box.row for box in many], minlength=24)
    expect.true(
        each.min() > 100 and each.max() < 240,  # about 167; 5 sigma
        f"some row comes {each.min()} times in 4000, another {each.max()}",
        "Every place is as likely as any other: draw once, do not clip.",
    )
    whole = answer(np.random.default_rng(2))
    expect.true(
        all(box.height == 75 and max(box.row, box.column) <= 181 for box in whole),
        f"gave {whole}",
        "Without a size the photo is the challenge's, 256×256.",
    )
    far = max(max(b.row, b.column) for b in answer(np.random.default_rng(3), count=100))
    expect.true(far > 150, f"no corner beyond {far}", "Corners reach 256 - 75 = 181.")


@exercise(
    "1.4",
    boxes.scale,
    minutes=12,
    difficulty=2,
    hints=(
        "All four numbers grow by the same factor, new / old.",
        "Round the sides first, at least 1; then the corner.",
        "Rounding corner and side both up may push the box over the edge: "
        "min(round(...), new - height).",
    ),
)
def scale(answer, expect):
    box = answer(Box(10, 20, 30, 40), 100, 200)
    expect.type(box, Box, "It gives a Box: Box(row, column, height, width).")
    expect.equal(
        box,
        Box(20, 40, 60, 80),
        "Every number is multiplied by new / old.",
        mistakes=[
            (Box(5, 10, 15, 20), "From old to new: the factor is new / old, not old / new."),
            (Box(20, 40, 30, 40), "The sides grow with the photo, not only the corner."),
            (Box(20, 40, 80, 60), "Height and width are swapped on the way."),
        ],
    )
    expect.true(
        all(type(number) is int for number in answer(Box(10, 20, 30, 40), 100, 50)),
        f"gave {answer(Box(10, 20, 30, 40), 100, 50)}",
        "Pixels are whole numbers: round.",
    )
    expect.equal(
        answer(Box(58, 27), 256, 64),
        Box(14, 7, 19, 19),  # 14.5, 6.75, 18.75: Python rounds a half to the even number
        "Round to the nearest: `int` and // cut.",
    )
    expect.equal(
        answer(Box(11, 7, 1, 1), 12, 3),
        Box(2, 2, 1, 1),
        "A box of 0 pixels is none: its sides are at least 1, and then it may stick out.",
    )
    expect.equal(
        answer(Box(2, 3, 10, 2), 100, 25),
        Box(0, 1, 2, 1),
        "Each side is at least 1 by itself: round(2 / 4) would be 0.",
    )
    expect.equal(
        answer(Box(3, 2, 2, 10), 100, 25),
        Box(1, 0, 1, 2),
        "Each side is at least 1 by itself: round(2 / 4) would be 0.",
    )
    expect.equal(
        answer(Box(6, 2, 4, 3), 10, 4),
        Box(2, 1, 2, 1),
        "Rows are rounded like columns.",
    )
    expect.equal(
        answer(Box(3, 0, 3, 2), 6, 3),
        Box(1, 0, 2, 1),
        "Row 1.5 and height 1.5 both round up, and 2 + 2 rows are more than 3: "
        "min(row, new - height).",
    )
    expect.equal(
        answer(Box(0, 3, 2, 3), 6, 3),
        Box(0, 1, 1, 2),
        "Column 1.5 and width 1.5 both round up, and 2 + 2 columns are more than 3: "
        "min(column, new - width).",
    )
    expect.equal(
        answer(Box(7, 5, 1, 3), 8, 4),
        Box(3, 2, 1, 2),
        "The lowest row is new - height, the last column new - width: each with its own side.",
    )


@exercise(
    "1.5",
    boxes.coverage,
    minutes=6,
    difficulty=1,
    hints=(
        "A mask says whether; this says how often. Adding masks counts.",
        "`rasterise` of one box is a mask of 0 and 1, and raises the errors too.",
        "Begin with rasterise([], size), all zeros, and add one mask per box.",
    ),
)
def coverage(answer, expect):
    counts = answer([Box(0, 0, 2, 3), Box(1, 1, 2, 2), Box(1, 2, 1, 1)], 4)
    golden = np.array([[1, 1, 1, 0], [1, 2, 3, 0], [0, 1, 1, 0], [0, 0, 0, 0]])[..., None]
    expect.shape(
        counts,
        (4, 4, 1),
        "As a mask: (H, W, 1).",
        mistakes=[
            ((4, 4), "One channel more: counts multiply photos, (H, W, C)."),
            ((3, 4, 4, 1), "One picture for all boxes: sum over them."),
        ],
    )
    expect.close(
        counts,
        golden,
        "Every pixel counts the boxes that it lies in.",
        mistakes=[
            (golden > 0, "A pixel in two boxes counts 2: `rasterise` of all boxes gives 1 there."),
            (golden % 2, "Adding, not flipping: two boxes are 2, not 0."),
            (golden[..., 0].T[..., None], "Rows come first."),
            (np.minimum(golden, 2), "Three boxes are 3: nothing stops at 2."),
        ],
    )
    expect.dtype(counts, "float32", "It weighs photos, which are float32.")
    expect.close(answer([], 3), np.zeros((3, 3, 1)), "No boxes: zeros, of the photo's size.")
    with expect.on_error(Exception, "`size` may be (height, width)."):
        expect.shape(answer([Box(0, 3, 2, 2)], (2, 5)), (2, 5, 1), "`size` may be (height, width).")
    once = (box for box in (Box(0, 0, 1, 1), Box(0, 0, 1, 1)))  # `boxes` is an Iterable
    expect.close(answer(once, 1), [[[2]]], "`boxes` may be read only once: an Iterable.")
    expect.raises(
        ValueError,
        answer,
        [Box(2, 0, 3, 3)],
        4,
        hint="A box over the edge is an error here too, as in `rasterise`.",
        containing="edge of a 4×4 photo",
    )


@exercise(
    "1.6",
    metrics.complete,
    minutes=8,
    difficulty=1,
    hints=(
        "At a missing pixel take the guess, at a known one the photo.",
        "mask * guess + (1 - mask) * photo is right on paper; what is 0 * NaN?",
        "ops.where(condition, there, elsewhere) selects, and touches no number.",
    ),
)
def complete(answer, expect):
    random = np.random.default_rng(6)
    photo, guess = random.random((2, 1, 4, 4, 3), "float32")
    mask = np.zeros((1, 4, 4, 1), "float32")
    mask[:, 1:3, 2:] = 1
    masked = photo * (1 - mask)
    golden = masked.copy()
    golden[:, 1:3, 2:] = guess[:, 1:3, 2:]
    kept = guess.copy()
    kept[:, 1:3, 2:] = 0
    completed = answer(masked, mask, guess)
    expect.shape(completed, (1, 4, 4, 3), "The completed photo has the photo's shape.")
    expect.close(
        completed,
        golden,
        "The guess where the mask is 1, the photo where it is 0.",
        mistakes=[
            (kept, "The other way round: 1 is missing, so there the guess is taken."),
            (guess, "The whole guess came back: known pixels are pasted over it."),
            (masked + guess, "Known pixels keep none of the guess: the mask decides which."),
            (mask * guess, "Known pixels are black: they come from `masked`."),
        ],
    )
    unsure = guess.copy()
    unsure[0, 0, 0] = np.nan
    expect.finite(
        ops.convert_to_numpy(answer(masked, mask, unsure)),
        "0 × NaN is NaN: a sum drags the guess into known pixels; a selection does not.",
    )
    known = np.broadcast_to(mask == 0, golden.shape)
    huge = guess * np.float32(1e8)
    expect.equal(
        ops.convert_to_numpy(answer(masked, mask, huge))[known],
        masked[known],
        "Known pixels come back bit for bit, however far off the guess is: select, do not add.",
    )
    black = np.ones((1, 4, 4, 3), "float32") * (1 - mask) * 0
    expect.close(
        answer(black, mask, guess),
        mask * guess,
        "A black pixel may be known: ask the mask what is missing, not the colour.",
    )


@exercise(
    "1.7",
    metrics.squared_error,
    minutes=10,
    difficulty=2,
    hints=(
        "The weight has one channel and the photo three: it broadcasts over them.",
        "The count is that of numbers, not of pixels: every pixel has three.",
        "weight * ops.square(photo - completed), summed; ops.sum(weight) times the channels.",
    ),
)
def squared_error(answer, expect):
    photo, completed = np.zeros((2, 2, 3, 3), "float32"), np.zeros((2, 2, 3, 3), "float32")
    photo[0, 0, 0] = 0.75, 0.25, 0.5
    completed[0, 0, 0] = 0.25, 0.5, 0.5  # 0.25 + 0.0625 + 0
    photo[1, 1, 2, 1] = 1  # 1
    completed[0, 1, 1] = 0.125  # known: does not matter
    weight = np.zeros((2, 2, 3, 1), "float32")
    weight[0, 0, 0], weight[0, 0, 1], weight[1, 1, 2] = 1, 1, 2
    result = answer(photo, completed, weight)
    expect.type(result, tuple, "It gives two: the sum and the count.")
    expect.equal(len(result), 2, "It gives two: the sum and the count.")
    total, count = result
    expect.shape(total, (), "One sum over everything: batch, rows, columns, channels.")
    expect.close(
        total,
        2.3125,
        "The squared difference times the weight, summed over all.",
        mistakes=[
            (1.3125, "The weight counts: a pixel in two boxes is asked for twice."),
            (4.3125, "Weigh the squared difference; a weight of 2 inside the square becomes 4."),
            (2.75, "The square, not the absolute value."),
            (2.3125 / 12, "Sums, no means: the division comes when all photos are in."),
            (2.359375, "Known pixels do not matter: they have weight 0."),
        ],
    )
    expect.shape(count, (), "One count over everything.")
    expect.close(
        count,
        12,
        "Weights 1 + 1 + 2, times 3 channels.",
        mistakes=[
            (4, "Every pixel has three numbers: the count is of numbers, so times channels."),
            (9, "A pixel in two boxes counts twice here too: sum the weights."),
            (36, "All numbers are counted; only those in boxes were asked for."),
        ],
    )
    alone = answer(photo[0], completed[0], weight[0])
    expect.close(alone[0], 0.3125, "A single photo has no batch axis, (H, W, 3): still one sum.")
    expect.close(alone[1], 6, "A single photo has no batch axis, (H, W, 3): still one count.")
    grey = answer(photo[..., :1], completed[..., :1], weight)
    expect.close(grey[1], 4, "Grey photos have one channel: take the photo's own number.")


def painted_by_comparison(boxes, size):
    """A right one, by another way."""
    row, column = np.mgrid[:size, :size]
    mask = np.zeros((size, size), bool)
    for box in boxes:
        inside_rows = (row >= box.row) & (row < box.row + box.height)
        mask |= inside_rows & (column >= box.column) & (column < box.column + box.width)
    return mask[..., None].astype("float32")


@exercise(
    "1.8",
    broken.catch_swapped,
    minutes=10,
    difficulty=2,
    hints=(
        "Which box looks the same when rows and columns are swapped? Take another.",
        "row, column, height and width are best four different numbers.",
        "Paint the expected mask by hand: expected[1:3, 3:7] = 1, and np.array_equal.",
    ),
)
def catch_swapped(answer, expect):
    expect.catches(
        answer,
        right=[boxes.rasterise, painted_by_comparison],
        wrong=[
            (broken.swapped, "The given one passes: its mask is the right one, transposed."),
            (broken.half_swapped, "A square box hides swapped sides: make it higher than wide."),
            (broken.corner_swapped, "A box on the diagonal hides a swapped corner: row ≠ column."),
        ],
        hint="It refuses a right mask, (size, size, 1), rows first: ask less, or count again.",
    )
