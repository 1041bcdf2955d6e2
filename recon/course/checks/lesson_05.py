"""Lesson 05: an LSTM from its equations, a row both ways, rows and columns, patches."""

import keras
import numpy as np
from keras import layers, ops

from recon.course.broken import lesson_05 as broken
from recon.course.exercise import exercise
from recon.models import bilstm

tensor = ops.convert_to_tensor


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def weights_of(channels, units, seed):
    """Kernel, recurrent kernel and bias of one LSTM."""
    shapes = (channels, 4 * units), (units, 4 * units), (4 * units,)
    return tuple(normal(*s, seed=seed + i) for i, s in enumerate(shapes))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gates(x, h, kernel, recurrent_kernel, bias):
    """What the four see, before they are bent: four of `(B, U)`."""
    z = x @ kernel + h @ recurrent_kernel + bias
    return np.split(z.astype("float64"), 4, axis=-1)


def step(x, h, c, *weights):
    write, keep, candidate, tell = gates(x, h, *weights)
    c = sigmoid(keep) * c + sigmoid(write) * np.tanh(candidate)
    return sigmoid(tell) * np.tanh(c), c


def scan(row, weights, carry=("h", "c"), cell=False):
    """Forwards, pixel by pixel; `carry`: what is handed on."""
    h = c = np.zeros((len(row), len(weights[1])))
    said = []
    for x in np.moveaxis(row, 1, 0):
        h, c = step(x, h, c, *weights)
        said.append(c if cell else h)
        h, c = h * ("h" in carry), c * ("c" in carry)
    return np.stack(said, axis=1)


def scan_back(row, weights):
    return scan(row[:, ::-1], weights)[:, ::-1]


def both(rows, forward, backward):
    return np.concatenate([scan(rows, forward), scan_back(rows, backward)], axis=-1)


# 5.1


@exercise(
    "5.1",
    bilstm.lstm_step,
    minutes=12,
    difficulty=3,
    hints=(
        "One matrix product makes all four: z = x·kernel + h·recurrent_kernel + bias, (B, 4U); "
        "ops.split(z, 4, axis=-1) takes it apart, in the docstring's order.",
        "A gate is a sigmoid, between closed (0) and open (1); the candidate is a tanh.",
        "c = forget · c + input · candidate, and then, with the new c: h = output · tanh(c).",
    ),
)
def lstm_step(answer, expect):
    x, h, c = normal(2, 3, seed=1), normal(2, 2, seed=2), normal(2, 2, seed=3)
    weights = weights_of(3, 2, seed=4)
    kernel, recurrent, bias = weights
    with expect.on_error(
        Exception,
        "x is (B, C) and stands left of kernel (C, 4U); h is (B, U) and left of recurrent_kernel.",
    ):
        came = answer(*map(tensor, (x, h, c, *weights)))
    expect.type(came, (tuple, list), "Two things go on to the next pixel: h, c.")
    expect.true(len(came) == 2, f"gave {len(came)} things, expected 2", "h, c: two things.")
    for own in came:
        expect.shape(
            own,
            (2, 2),
            "(B, U): one number per unit.",
            mistakes=[((2, 8), "z is the four gates side by side: split it into four first.")],
        )
    i, f, g, o = gates(x, h, *weights)  # before they are bent
    si, sf, tg, so = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)

    def out(i=si, f=sf, g=tg, o=so, tanh=np.tanh, old=False):
        new = f * c + i * g
        return o * tanh(c if old else new), new

    def with_gates(i, f, g, o):
        return out(sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o))

    new_h, new_c = out()
    wrong = [
        ((new_c, new_h), "h comes first and c second."),
        (out(tanh=lambda x: x), "What is told is bent once more: output gate times tanh(c)."),
        (out(tanh=sigmoid), "The memory is told through a tanh; only gates are sigmoids."),
        (out(old=True), "h is made of the new c, not of the one that came in."),
        (out(g=sigmoid(g)), "The candidate is a tanh: it may be negative, gates may not."),
        (out(g=g), "The candidate is bent too: tanh."),
        (out(np.tanh(i), np.tanh(f), np.tanh(g), np.tanh(o)), "Gates are sigmoids, 0 to 1."),
        (out(i, f, g, o), "Gates are sigmoids of what they see, the candidate is a tanh."),
        (
            with_gates(f, i, g, o),
            "Input gate and forget gate are exchanged: input, forget, candidate, output.",
        ),
        (
            with_gates(i, f, o, g),
            "Candidate and output gate are exchanged: input, forget, candidate, output.",
        ),
        (
            with_gates(*gates(x, h, kernel, recurrent, 0 * bias)),
            "The bias is missing: it is added before anything is bent.",
        ),
        (
            with_gates(*gates(x, 0 * h, *weights)),
            "h is not looked at: what was said at the pixel before counts too.",
        ),
        (
            with_gates(*gates(0 * x, h, *weights)),
            "x is not looked at: x·kernel is missing.",
        ),
        (
            (so * np.tanh(si * tg), si * tg),
            "It forgets everything: the old c, times the forget gate, stays in the new one.",
        ),
        (
            (so * np.tanh(c + si * tg), c + si * tg),
            "It never forgets: the old c is multiplied by the forget gate (Gers, 2000).",
        ),
        (
            out(f=1 - sf),
            "An open forget gate keeps: the old c is multiplied by it, not by 1 minus it.",
        ),
    ]
    expect.close(
        np.stack([ops.convert_to_numpy(own) for own in came]),
        np.stack([new_h, new_c]),
        "c = forget · c + input · candidate; h = output · tanh(c).",
        mistakes=[(np.stack(pair), hint) for pair, hint in wrong],
    )


# 5.2


@exercise(
    "5.2",
    bilstm.scan_row,
    minutes=10,
    difficulty=2,
    hints=(
        "h and c begin as zeros of (B, U); U is recurrent_kernel.shape[0].",
        "ops.unstack(row, axis=1) is a list of the W pixels, (B, C) each: a for loop steps through "
        "it, and a list gathers every h.",
        "Backwards, loop over reversed(pixels), and reverse the list of h before ops.stack(…, "
        "axis=1): the first pixel of the answer is the row's leftmost.",
    ),
)
def scan_row(answer, expect):
    row, weights = normal(2, 4, 3), weights_of(3, 2, seed=1)
    tensors = [tensor(w) for w in weights]
    with expect.on_error(
        Exception,
        "h and c are (B, U), one number per unit: U is recurrent_kernel.shape[0].",
    ):
        came = answer(tensor(row), *tensors)
    right = scan(row, weights)
    expect.shape(
        came,
        (2, 4, 2),
        "(B, W, U): what the LSTM said at every pixel.",
        mistakes=[
            ((2, 2), "That is the last pixel's answer only: gather what is said at each."),
            ((4, 2, 2), "Stack along axis 1: the batch comes first, then the row's pixels."),
            ((2, 2, 4), "Stack along axis 1: pixels in the middle, units last."),
        ],
    )
    expect.close(
        came,
        right,
        "From left to right, h and c of each pixel go into the step of the next.",
        mistakes=[
            (scan(row, weights, carry=()), "Every pixel is read alone: hand h and c on."),
            (scan(row, weights, carry=("h",)), "c is not handed on: it is the memory."),
            (scan(row, weights, carry=("c",)), "h is not handed on: the gates look at it."),
            (scan(row, weights, cell=True), "That is c, the memory; what is said is h."),
            (scan_back(row, weights), "Without backwards the row is read from left to right."),
            (right[:, ::-1], "The answer's first pixel is the row's first: no need to turn it."),
        ],
    )
    back = scan(row[:, ::-1], weights)
    expect.close(
        answer(tensor(row), *tensors, backwards=True),
        back[:, ::-1],
        "Backwards: the row's last pixel is read first, and stays the last of the answer.",
        mistakes=[
            (right, "backwards is not looked at."),
            (back, "The answer is in the order of reading: turn it round again before you stack."),
            (right[:, ::-1], "Read the pixels in reverse; it is not enough to turn the answer."),
            (
                scan(row[::-1], weights),
                "Axis 0 is the batch: a row's pixels are axis 1.",
            ),
            (back[::-1], "Axis 0 is the batch: turn the answer along axis 1."),
        ],
    )


# 5.3


@exercise(
    "5.3",
    bilstm.scan_both_ways,
    minutes=5,
    difficulty=1,
    hints=(
        "Two calls of scan_row, each with its own weights; the second with backwards=True.",
        "*forward hands the three weights on one by one.",
        "ops.concatenate([…, …], axis=-1): every pixel gets both answers side by side.",
    ),
)
def scan_both_ways(answer, expect):
    row, forward, backward = normal(2, 4, 3), weights_of(3, 2, seed=1), weights_of(3, 2, seed=5)
    with expect.on_error(TypeError, "forward is three things: scan_row(row, *forward)."):
        came = answer(tensor(row), *([tensor(w) for w in ws] for ws in (forward, backward)))
    left, right = scan(row, forward), scan_back(row, backward)
    sides = "Side by side, 2U numbers a pixel: a sum or a mean can no longer be told apart."
    expect.shape(
        came,
        (2, 4, 4),
        "(B, W, 2U): what both say of every pixel.",
        mistakes=[
            ((2, 4, 2), sides),
            ((2, 8, 2), "Along the last axis (axis=-1): pixels stay as many as they are."),
            ((4, 4, 2), "Along the last axis (axis=-1): axis 0 is the batch."),
            ((2, 2, 4, 2), "Concatenated, not stacked: no new axis."),
        ],
    )

    def pair(a, b):
        return np.concatenate([a, b], axis=-1)

    expect.close(
        came,
        pair(left, right),
        "First what was said from the left, then what was said from the right.",
        mistakes=[
            (
                pair(right, left),
                "The forward answer comes first, as in keras.layers.Bidirectional.",
            ),
            (
                pair(left, scan(row, backward)),
                "Both read from the left: nobody has seen what comes to the right.",
            ),
            (
                pair(left, scan_back(row, forward)),
                "The second LSTM has weights of its own: backward.",
            ),
            (
                pair(left, right[:, ::-1]),
                "scan_row has turned the backward answer round already: left and right no longer "
                "speak of the same pixel.",
            ),
            (
                pair(left, scan_back(row[:, ::-1], backward)),
                "The row is turned twice: backwards=True alone reads it from the right.",
            ),
            (pair(scan_back(row, forward), scan(row, backward)), "Forward reads from the left."),
        ],
    )


# 5.4 and 5.5: blocks with a layer inside, whose weights are put in


def block_answer(expect, answer, shape, hint):
    """What a block makes of a picture, with given weights; and those, of both directions."""
    block = answer(2)
    expect.true(
        callable(block) and not hasattr(block, "shape"),
        f"read(2) gave a {type(block).__name__}, expected a function",
        "Give a function block(x) back: hidden is known at once, x only when it is called.",
    )
    place = layers.Input((3, 4, 2))
    try:
        x = block(place)
    except Exception as error:
        what = (str(error).strip().splitlines() or [""])[0]
        expect.fail(f"block(x) raised {type(error).__name__}: {what}"[:200], hint)
    expect.true(x is not None, "block(x) gave nothing (None)", "block(x) ends with `return`.")
    expect.shape(
        x,
        (None, 3, 4, 4),
        hint,
        mistakes=[
            ((None, 4, 3, 4), "Height and width come out exchanged: transpose back at the end."),
            ((None, 3, 4, 2), "Both directions speak: 2·hidden channels, both_ways(hidden)."),
            ((None, 4, 4), "Rows are still one batch: reshape to (-1, height, width, 2·hidden)."),
            ((None, 3, 4), "Columns are still one batch: give them back their place."),
        ],
    )
    model = keras.Model(place, x)
    shapes = [tuple(v.shape) for v in model.weights]
    expect.equal(
        shapes,
        [(2, 8), (2, 8), (8,)] * 2,
        "One layer, both_ways(hidden), reads all of them: two LSTMs of `hidden` units.",
        mistakes=[
            (
                [(2, 16), (4, 16), (16,)],
                "A single LSTM of 2·hidden reads in one direction: both_ways(hidden).",
            ),
            (
                [(2, 16), (4, 16), (16,)] * 2,
                "hidden units in each direction: both_ways doubles them by itself.",
            ),
            (
                [(2, 8), (2, 8), (8,)] * 6,
                "One layer for all rows, called once: rows side by side are a batch.",
            ),
        ],
    )
    forward, backward = weights_of(2, 2, seed=1), weights_of(2, 2, seed=5)
    model.set_weights([*forward, *backward])
    photo = normal(2, 3, 4, 2)
    return photo, ops.convert_to_numpy(model(photo, training=False)), forward, backward


@exercise(
    "5.4",
    bilstm.read_rows,
    minutes=8,
    difficulty=2,
    hints=(
        "A layer that reads sequences takes (N, T, C). Which of B, H, W go into N, and which is T?",
        "ops.reshape(x, (-1, width, channels)): rows of all photos become one batch.",
        "Read them with both_ways(hidden), and reshape to (-1, height, width, 2 * hidden).",
    ),
)
def read_rows(answer, expect):
    photo, came, *weights = block_answer(
        expect, answer, (3, 4), "Sequences are (N, T, C): rows of all photos are one batch, B·H."
    )

    def read(sequences):
        return both(sequences, *weights).reshape(2, 3, 4, 4)

    columns = photo.transpose(0, 2, 1, 3)
    by_columns = both(columns.reshape(8, 3, 2), *weights).reshape(2, 4, 3, 4).transpose(0, 2, 1, 3)
    expect.close(
        came,
        read(photo.reshape(6, 4, 2)),
        "Every row is read by itself, along the width.",
        mistakes=[
            (by_columns, "That reads columns: a row's pixels lie along the width, axis 2."),
            (
                read(photo.reshape(8, 3, 2)),
                "Sequences of the height's length cut rows in pieces: T is the width.",
            ),
            (
                read(photo.reshape(2, 12, 2)),
                "The photo is read as one long row: each row begins with an empty memory.",
            ),
            (
                read(columns.reshape(6, 4, 2)),
                "A transposed photo is cut into pieces of `width`: rows need no transpose.",
            ),
        ],
        tolerance=1e-4,
    )


@exercise(
    "5.5",
    bilstm.read_columns,
    minutes=6,
    difficulty=2,
    hints=(
        "A column of a photo is a row of the photo turned over its diagonal.",
        "ops.transpose(x, (0, 2, 1, 3)) exchanges height and width, and does so again.",
        "Transpose, read_rows(hidden)(x), transpose.",
    ),
)
def read_columns(answer, expect):
    photo, came, *weights = block_answer(
        expect, answer, (3, 4), "A column is a row of the transposed photo: read_rows reads that."
    )
    turned = photo.transpose(0, 2, 1, 3)  # (2, 4, 3, 2)

    def read(sequences, *shape):
        return both(sequences, *weights).reshape(2, *shape, 4)

    right = read(turned.reshape(8, 3, 2), 4, 3).transpose(0, 2, 1, 3)
    upside = both(turned[:, :, ::-1].reshape(8, 3, 2), *weights).reshape(2, 4, 3, 4)
    expect.close(
        came,
        right,
        "Every column is read by itself, along the height.",
        mistakes=[
            (read(photo.reshape(6, 4, 2), 3, 4), "That reads rows: a column runs along axis 1."),
            (
                read(photo.reshape(8, 3, 2), 4, 3).transpose(0, 2, 1, 3),
                "A reshape does not exchange height and width, it only cuts elsewhere: transpose.",
            ),
            (
                read(photo.reshape(8, 3, 2), 3, 4),
                "A reshape to (-1, height, channels) cuts rows in pieces: transpose first.",
            ),
            (
                read(turned.reshape(8, 3, 2), 3, 4),
                "It comes back by a reshape: only a transpose exchanges width and height again.",
            ),
            (
                upside.transpose(0, 2, 1, 3)[:, ::-1],
                "Columns are read from the bottom first: a transpose, not a rotation.",
            ),
        ],
        tolerance=1e-4,
    )


# 5.6


def laid_out(x, patch, order="row column channel"):
    """Pixel by pixel: which channel of which position it is."""
    batch, height, width, depth = x.shape
    channels = depth // patch**2
    out = np.zeros((batch, height * patch, width * patch, channels))
    for row, column, channel in np.ndindex(out.shape[1:]):
        down, right = row % patch, column % patch
        place = {
            "row column channel": (down * patch + right) * channels + channel,
            "column row channel": (right * patch + down) * channels + channel,
            "channel row column": (channel * patch + down) * patch + right,
        }[order]
        out[:, row, column, channel] = x[:, row // patch, column // patch, place]
    return out


@exercise(
    "5.6",
    bilstm.depth_to_space,
    minutes=10,
    difficulty=2,
    hints=(
        "Take the channels apart first: reshape to (-1, height, width, patch, patch, channels).",
        "Of the six axes, a pixel's row is made of height and the first patch axis: they must "
        "stand side by side. So must the two that make its column.",
        "Transpose by (0, 1, 3, 2, 4, 5), then reshape to (-1, height * patch, width * patch, "
        "channels).",
    ),
)
def depth_to_space(answer, expect):
    for shape, patch in (((2, 2, 3, 12), 2), ((1, 3, 2, 18), 3)):
        x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
        batch, height, width, depth = shape
        channels = depth // patch**2
        wanted = (batch, height * patch, width * patch, channels)
        with expect.on_error(Exception, "Channels of a pixel: depth divided by patch·patch."):
            came = answer(tensor(x), patch)
        expect.shape(
            came,
            wanted,
            "Height and width grow by patch, channels shrink by patch·patch.",
            mistakes=[
                (
                    (batch, width * patch, height * patch, channels),
                    "Height and width are exchanged: the order of the last reshape.",
                ),
                (
                    (batch // patch, height * patch, width * patch, depth // patch),
                    "Channels of a pixel: depth divided by patch·patch; the batch pays for it.",
                ),
            ],
        )
        doubled = x[..., :channels].repeat(patch, axis=1).repeat(patch, axis=2)
        expect.close(
            came,
            laid_out(x, patch),
            "A position's channels are its patch, row by row, each pixel's colours together.",
            mistakes=[
                (
                    x.reshape(wanted),
                    "A reshape alone lays a patch out as one line: between two reshapes, a "
                    "transpose brings each patch's rows beside the photo's.",
                ),
                (
                    laid_out(x, patch, "column row channel"),
                    "Each patch lies on its side: of its two axes, the first is the row.",
                ),
                (
                    laid_out(x, patch, "channel row column"),
                    "The channels are each pixel's colours, together: they are the last of the six "
                    "axes. (PyTorch's pixel_shuffle has them first.)",
                ),
                (
                    x.reshape(batch, height, width, patch, patch, channels)
                    .transpose(0, 3, 1, 4, 2, 5)
                    .reshape(wanted),
                    "Photos small and side by side: the photo's axis comes before the patch's, "
                    "height then patch, width then patch.",
                ),
                (doubled, "All pixels of a patch are the same: each has channels of its own."),
            ],
            tolerance=0,
        )


# 5.7


def by_turning_the_row(row, kernel, recurrent_kernel, bias, backwards=False):
    """Right, in another way: the row is turned, read, and the answer turned."""
    if backwards:
        turned = bilstm.scan_row(ops.flip(row, axis=1), kernel, recurrent_kernel, bias)
        return ops.flip(turned, axis=1)
    return bilstm.scan_row(row, kernel, recurrent_kernel, bias)


def never_backwards(row, kernel, recurrent_kernel, bias, backwards=False):
    """Wrong: reads from the left, whatever is asked."""
    return bilstm.scan_row(row, kernel, recurrent_kernel, bias)


def forgetful(row, kernel, recurrent_kernel, bias, backwards=False):
    """Wrong: backwards, every pixel is read alone."""
    if not backwards:
        return bilstm.scan_row(row, kernel, recurrent_kernel, bias)
    alone = [
        bilstm.scan_row(x[:, None], kernel, recurrent_kernel, bias)
        for x in ops.unstack(row, axis=1)
    ]
    return ops.concatenate(alone, axis=1)


@exercise(
    "5.7",
    broken.catch_reading_order,
    minutes=12,
    difficulty=2,
    hints=(
        "Change one pixel of a row: at which pixels may the answer differ, if it is read from the "
        "right?",
        "At that pixel and at all to its left, and nowhere else.",
        "Or compare: a row read backwards is the mirrored row read forwards, mirrored again.",
    ),
)
def catch_reading_order(answer, expect):
    expect.catches(
        answer,
        right=[bilstm.scan_row, by_turning_the_row],
        wrong=[
            (
                broken.in_reading_order,
                "Change the leftmost pixel: read from the right, it is the last one seen, so only "
                "its own answer may change.",
            ),
            (
                never_backwards,
                "That one reads from the left, whatever is asked: the right end must be heard of "
                "at the left.",
            ),
            (
                forgetful,
                "That one reads every pixel alone: change the rightmost, and all must change.",
            ),
        ],
        hint="That function is right. Read backwards, a pixel's answer knows it and all to its "
        "right.",
    )
