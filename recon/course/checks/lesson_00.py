"""Lesson 00, the challenge: what its answers are held against."""

import math

import numpy as np

from recon import classical
from recon.boxes import Box
from recon.course.broken import lesson_00 as broken
from recon.course.exercise import exercise
from recon.data import challenge


@exercise(
    "0.1",
    challenge.parse_boxes,
    minutes=6,
    difficulty=1,
    hints=(
        "What a CSV file holds are texts: int(text) makes a number of one.",
        "Each box has four numbers: row, column, height and width.",
        "boxes.side(frame) is height and width of both boxes.",
    ),
)
def parse_boxes(answer, expect):
    cells = {"filename": "Tiger (1024).jpeg", "box1_row": "58", "box1_col": "27"}
    cells |= {"box2_row": "104", "box2_col": "15"}
    pair = answer(cells, 256)
    expect.type(pair, tuple, "It gives two boxes, as a tuple: return one, two.")
    expect.equal(len(pair), 2, "It gives two boxes.")
    for box in pair:
        expect.type(box, Box, "Each of the two is a Box: Box(row, column, height, width).")
        expect.true(
            all(type(number) is int for number in box),
            f"gave {box}",
            "A cell holds a text: int(cells[...]) is its number.",
        )
    expect.equal(
        pair,
        (Box(58, 27), Box(104, 15)),
        "box1_row and box1_col are the first box's top-left pixel.",
        mistakes=[
            ((Box(27, 58), Box(15, 104)), "A Box begins with its row: rows first, then columns."),
            ((Box(104, 15), Box(58, 27)), "box1 comes first."),
            ((Box(58, 104), Box(27, 15)), "The columns alternate: row, col, row, col."),
            (
                (Box(58, 27), Box(58, 27)),
                "The second box has cells of its own: box2_row, box2_col.",
            ),
            ((Box(58, 27), Box(27, 104)), "The columns alternate: row, col, row, col."),
        ],
    )
    small = {"box1_row": "0", "box1_col": "45", "box2_row": "7", "box2_col": "30"}
    expect.equal(
        answer(small, 64),
        (Box(0, 45, 19, 19), Box(7, 30, 19, 19)),
        "The boxes' side follows from the photo's: boxes.side(64) is 19.",
        mistakes=[
            (
                (Box(0, 45), Box(7, 30)),
                "75 is the side on 256 pixels: a photo of 64 has boxes of boxes.side(64) = 19.",
            ),
        ],
    )
    turned = {"box2_col": "4", "box2_row": "3", "box1_col": "2", "box1_row": "1"}
    expect.equal(
        answer(turned, 256),
        (Box(1, 2), Box(3, 4)),
        "A table's columns may come in any order: ask for cells by name.",
    )


@exercise(
    "0.2",
    challenge.cut,
    minutes=6,
    difficulty=1,
    hints=(
        "A slice of rows and one of columns cut a rectangle: photo[top:bottom, left:right].",
        "A slice ends before its end: bottom is row + height.",
        "np.stack makes one array of a list of equal ones.",
    ),
)
def cut(answer, expect):
    photo = np.arange(8 * 9 * 3).reshape(8, 9, 3) / 255
    pair = (Box(1, 2, 3, 4), Box(2, 4, 3, 4))
    pieces = answer(photo, pair)
    expect.type(pieces, np.ndarray, "One array for all boxes: np.stack.")
    expect.shape(
        pieces,
        (2, 3, 4, 3),
        "All boxes in one array: (boxes, height, width, channels).",
        mistakes=[
            ((2, 4, 5, 3), "A slice ends before its end: row + height is already outside."),
            ((2, 2, 3, 3), "From row to row + height, the end itself left out: no - 1."),
            ((6, 4, 3), "np.stack puts boxes into an axis of their own; np.concatenate joins."),
            ((2, 4, 3, 3), "Height goes with rows, width with columns."),
        ],
    )

    def pick(box, down=0, right=0):
        rows = range(box.row + down, box.row + down + 3)
        columns = range(box.column + right, box.column + right + 4)
        return [[photo[r, c] for c in columns] for r in rows]

    golden = np.array([pick(box) for box in pair])
    swapped = np.array([pick(Box(box.column, box.row)) for box in pair[:1]])
    expect.close(
        pieces,
        golden,
        "The corner is (row, column) of the photo, rows first.",
        mistakes=[
            (golden[::-1], "box1 comes before box2."),
            (golden[..., ::-1], "The channels stay as they are."),
            (
                np.concatenate([swapped, golden[1:]]),
                "The first box's corner is (1, 2): row 1, column 2.",
            ),
        ],
    )
    one = answer(photo, [Box(7, 8, 1, 1)])
    expect.close(one, photo[7:, 8:][None], "A box may touch the edge, and there may be only one.")
    pieces[...] = -1
    expect.true(
        photo.min() >= 0,
        "writing into the pieces changed the photo",
        "A slice is a window on the photo: np.stack copies, a slice alone does not.",
    )


@exercise(
    "0.3",
    classical.mean,
    minutes=8,
    difficulty=1,
    hints=(
        "The missing pixels are black, and black is a colour: they must not count.",
        "A boolean `(H, W)` picks pixels: masked[known] is `(n, 3)`.",
        "The mean over axis 0 of these is one colour; `paste` puts it where the mask is 1.",
    ),
)
def mean(answer, expect):
    random = np.random.default_rng(3)
    photo = random.random((4, 5, 3), "float32")
    mask = np.zeros((4, 5, 1), "float32")
    mask[1:3, 1:4] = 1
    masked = photo * (1 - mask)
    known = [photo[r, c] for r in range(4) for c in range(5) if mask[r, c] == 0]
    colour = np.array([sum(float(pixel[c]) for pixel in known) / len(known) for c in range(3)])

    def filled(value):
        return np.where(mask == 1, value, photo)

    completed = answer(masked, mask)
    hole = np.array([photo[r, c] for r in range(4) for c in range(5) if mask[r, c] == 1])
    expect.shape(completed, (4, 5, 3), "It gives the completed photo.", mistakes=[((3,), "Paste.")])
    expect.close(
        completed,
        filled(colour),
        "The mean of the known pixels, each channel by itself.",
        mistakes=[
            (filled(masked.mean((0, 1))), "The missing pixels are black, and were counted too."),
            (filled(colour.mean()), "One mean per channel: all three together are a grey."),
            (filled(np.median(known, axis=0)), "The mean, not the median."),
            (np.broadcast_to(colour, photo.shape), "Known pixels stay as they are: paste."),
            (filled(masked[1:3, 1:4].mean((0, 1))), "1 is missing: the mean is of pixels with 0."),
            (np.where(mask == 1, masked, colour), "The other way round: 1 is missing."),
            (filled(hole.mean(0)), "That is the truth's own mean; nobody knows it."),
        ],
    )
    expect.dtype(completed, "float32", "Photos are float32, and stay so: `paste` sees to it.")
    expect.equal(
        completed[mask[..., 0] == 0],
        photo[mask[..., 0] == 0],
        "Known pixels come back bit for bit.",
    )
    dark = photo.copy()
    dark[0] = 0  # known, and black
    darker = np.where(mask == 1, 0, dark).astype("float32")
    value = np.array([dark[r, c] for r in range(4) for c in range(5) if mask[r, c] == 0]).mean(0)
    expect.close(
        answer(darker, mask),
        np.where(mask == 1, value, dark),
        "A black pixel may be known: the mask says what is missing, not the colour.",
    )
    nothing = np.zeros((2, 2, 3), "float32")
    expect.close(
        answer(nothing, np.ones((2, 2, 1), "float32")),
        nothing,
        "Where nothing is known there is no mean: give the photo back as it came.",
    )
    large = np.full((400, 500, 3), 0.3, "float32")
    corner = np.zeros((400, 500, 1), "float32")
    corner[0, 0] = 1
    expect.true(
        abs(float(answer(large, corner)[0, 0, 0]) - 0.3) < 1e-6,
        "the mean of 199,999 pixels of 0.3 is not 0.3",
        'float32 loses what is added to a large sum: mean(..., dtype="float64").',
    )


@exercise(
    "0.4",
    challenge.rmse,
    minutes=8,
    difficulty=1,
    hints=(
        "All values of all photos go into one pot; the root comes last.",
        "Two running numbers: the sum of the squares, and how many there are.",
        "total += np.sum(error**2); count += error.size; math.sqrt(total / count).",
    ),
)
def rmse(answer, expect):
    first = np.array([0.0, 0.5]), np.array([1.0, 0.0])  # 1 and 0.25
    second = np.array([0.0, 0.0]), np.array([0.0, 0.25])  # 0 and 0.0625
    pooled = math.sqrt(1.3125 / 4)
    got = answer([first, second])
    expect.shape(got, (), "One number for all photos.")
    expect.close(
        got,
        pooled,
        "The root of the mean of all squared differences.",
        mistakes=[
            (1.3125 / 4, "That is the mean of the squares: its root is still to be taken."),
            (1.75 / 4, "Squares, no absolute values: RMSE punishes large misses more."),
            ((math.sqrt(1.25 / 2) + 0.25 / math.sqrt(2)) / 2, "A mean of the photos' RMSEs is "
             "another number: pool all values, and take one root."),
            (math.sqrt(1.3125), "The squares are summed, and not divided by their count."),
            (math.sqrt(1.3125) / 4, "First the mean, then the root: √(total / count)."),
            (math.sqrt(1.3125 / 2), "Divide by the number of values, not of photos."),
            (0.25 / math.sqrt(2), "The last photo alone: add up over all of them."),
            (math.sqrt(1.25 / 2), "The first photo alone: `return` stands inside the loop."),
            (0.5625 / 4, "Square each difference, then add: signs must not cancel."),
        ],
    )  # fmt: skip
    large = np.zeros((2, 3, 3)), np.full((2, 3, 3), 0.5)
    small = np.zeros(6), np.zeros(6)
    expect.close(
        answer([large, small]),
        math.sqrt(18 * 0.25 / 24),
        "Photos may have different numbers of values, and every value counts alike.",
    )
    once = (pair for pair in (first, second))  # `pairs` is an Iterable
    with expect.on_error(Exception, "`pairs` may be read only once, like a file."):
        value = answer(once)
    expect.close(value, pooled, "`pairs` may be read only once, like a file.")
    expect.close(answer([(first[0], first[0])]), 0, "What is right everywhere scores 0.")


@exercise(
    "0.5",
    challenge.minmax,
    minutes=8,
    difficulty=2,
    hints=(
        "Subtract the smallest, then divide by what is now the largest.",
        "Each channel has a smallest and a largest value of its own: over axes (0, 1).",
        "A constant channel would be divided by 0: np.where picks another divisor there.",
    ),
)
def minmax(answer, expect):
    photo = np.zeros((2, 2, 3))
    photo[..., 0] = [[0.2, 0.4], [0.6, 0.4]]
    photo[..., 1] = [[0.5, 0.1], [0.9, 0.3]]
    photo[..., 2] = [[0.0, 1.0], [0.5, 0.25]]
    golden = photo.copy()
    golden[..., 0] = [[0, 0.5], [1, 0.5]]
    golden[..., 1] = [[0.5, 0], [1, 0.25]]
    scaled = answer(photo)
    expect.shape(scaled, (2, 2, 3), "The same shape as the photo.")
    low, high = photo.min((0, 1)), photo.max((0, 1))
    darker = photo * 0.5 + 0.25  # spans no channel from 0 to 1
    by_rows = (photo - photo.min(0)) / np.maximum(photo.max(0) - photo.min(0), 1e-9)
    expect.close(
        scaled,
        golden,
        "(value - smallest) / (largest - smallest), each channel by itself.",
        mistakes=[
            (photo, "All channels together span 0 to 1 here; each must do so by itself."),
            (photo / high, "The smallest becomes 0: subtract it first."),
            (photo - low, "The largest becomes 1: divide by the span."),
            ((photo - low) / high, "After the subtraction the largest is `high - low`."),
            (1 - golden, "Upside down: the largest becomes 1."),
            (by_rows, "Smallest and largest are over rows and columns, axes (0, 1)."),
        ],
    )
    expect.close(
        answer(darker), golden, "A span may begin above 0 and end below 1 in every channel."
    )
    flat = np.full((2, 3, 3), 0.25)
    flat[0, 0, 1] = 0.5
    wanted = np.zeros((2, 3, 3))
    wanted[0, 0, 1] = 1
    with np.errstate(all="ignore"):
        level = answer(flat)
    expect.finite(level, "A constant channel has no span: 0 / 0 is no number.")
    expect.close(
        level,
        wanted,
        "A constant channel becomes 0.",
    )
    narrow = np.full((2, 2, 3), 0.5)
    narrow[0, 0] += 1e-6
    expect.close(
        answer(narrow),
        np.where(narrow > 0.5, 1.0, 0),
        "Even the smallest span is stretched: no number is added to the divisor.",
        tolerance=1e-3,
    )


@exercise(
    "0.6",
    challenge.pixel_names,
    minutes=8,
    difficulty=1,
    hints=(
        "Four loops inside each other: box, row, column, channel.",
        "enumerate(pair, start=1) counts the boxes from 1.",
        "The row runs from box.row to box.row + box.height, the end left out.",
    ),
)
def pixel_names(answer, expect):
    pair = (Box(5, 7, 2, 3), Box(6, 8, 2, 3))
    names = answer("Cat (1).png", pair)
    expect.type(names, list, "It gives a list of texts.")
    expect.equal(
        len(names),
        36,
        "2 boxes of 2 × 3 pixels and 3 channels are 36 rows.",
        mistakes=[
            (12, "Every pixel has three rows, one per channel."),
            (18, "Both boxes are asked for."),
            (72, "range leaves its end out: 2 rows are range(5, 5 + 2)."),
            (30, "A pixel in two boxes appears twice: leave it in."),
        ],
    )
    expect.equal(
        names[0],
        "Cat (1).png_box1_5_7_0",
        "FILE_boxB_ROW_COLUMN_CHANNEL",
        mistakes=[
            ("Cat (1).png_box0_5_7_0", "Boxes count from 1: box1 and box2."),
            ("Cat (1).png_box1_0_0_0", "Row and column are the photo's, not the box's own."),
            ("Cat (1).png_box1_7_5_0", "The row comes before the column."),
            ("Cat (1).png_box1_5_7_1", "Channels count from 0."),
            ("Cat (1)_box1_5_7_0", "The whole file name, its ending too."),
        ],
    )
    golden = []
    for line in ("1_5_7", "1_5_8", "1_5_9", "1_6_7", "1_6_8", "1_6_9"):
        golden += [f"Cat (1).png_box{line}_{c}" for c in (0, 1, 2)]
    for line in ("2_6_8", "2_6_9", "2_6_10", "2_7_8", "2_7_9", "2_7_10"):
        golden += [f"Cat (1).png_box{line}_{c}" for c in (0, 1, 2)]
    where = next((i for i, (a, b) in enumerate(zip(names, golden, strict=True)) if a != b), None)
    if where is not None:
        hint = "Box after box, row by row, then columns, then channels."
        if sorted(names) == sorted(golden):
            hint = (
                "All names are there, in another order: the channel changes fastest, the box last."
            )
        elif len(set(names)) == 18:
            hint = "The second box's names say box2: count the boxes."
        expect.equal(names[where], golden[where], hint)
    one = answer("a.jpg", [Box(0, 0, 1, 1)])
    expect.equal(one, [f"a.jpg_box1_0_0_{c}" for c in (0, 1, 2)], "There may be one box only.")


def by_concatenation(pairs):
    """A right one, by another way."""
    errors = np.concatenate([(truth - guess).ravel() for truth, guess in pairs])
    return float(np.linalg.norm(errors) / math.sqrt(errors.size))


@exercise(
    "0.7",
    broken.catch_mean_of_means,
    minutes=10,
    difficulty=2,
    hints=(
        "Two photos, one without any error: what is the pooled RMSE, what the mean of two RMSEs?",
        "Give the photos different numbers of values.",
        "8 values right and 1 value off by 1: pooled √(1/9) = 1/3. Compare with math.isclose.",
    ),
)
def catch_mean_of_means(answer, expect):
    expect.catches(
        answer,
        right=[challenge.rmse, by_concatenation],
        wrong=[
            (
                broken.mean_of_rmses,
                "The given one passes: let one photo be right and the other wrong, and see.",
            ),
            (
                broken.root_of_mean_of_means,
                "Photos of one size hide a mean of means: give them different numbers of values.",
            ),
            (
                broken.weighted_mean_of_rmses,
                "RMSEs weighted by their numbers of values come out too small: ask for the number "
                "itself, not for a limit.",
            ),
        ],
        hint="It refuses a right score: compare floats with math.isclose, and give arrays.",
    )
