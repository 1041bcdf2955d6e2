"""Lesson 05: the bidirectional LSTM on pixels."""

import numpy as np
from bank import accepted, refused
from keras import layers, ops

from recon.models import bilstm
from recon.models.bilstm import both_ways

# 5.1 lstm_step


def parts(x, h, kernel, recurrent_kernel, bias):
    return ops.split(ops.matmul(x, kernel) + ops.matmul(h, recurrent_kernel) + bias, 4, axis=-1)


def finish(i, f, g, o, c):
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * ops.tanh(c), c


@refused("5.1", "c first", "h comes first")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    return finish(*parts(x, h, kernel, recurrent_kernel, bias), c)[::-1]


@refused("5.1", "what is told is not bent", "output gate times tanh(c)")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, f, g, o = parts(x, h, kernel, recurrent_kernel, bias)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * c, c


@refused("5.1", "h from the old c", "made of the new c")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, f, g, o = parts(x, h, kernel, recurrent_kernel, bias)
    return ops.sigmoid(o) * ops.tanh(c), ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)


@refused("5.1", "four sigmoids", "it may be negative")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, f, g, o = parts(x, h, kernel, recurrent_kernel, bias)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.sigmoid(g)
    return ops.sigmoid(o) * ops.tanh(c), c


@refused("5.1", "four tanhs", "Gates are sigmoids, 0 to 1")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, f, g, o = parts(x, h, kernel, recurrent_kernel, bias)
    c = ops.tanh(f) * c + ops.tanh(i) * ops.tanh(g)
    return ops.tanh(o) * ops.tanh(c), c


@refused("5.1", "nothing is bent", "Gates are sigmoids of what they see")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, f, g, o = parts(x, h, kernel, recurrent_kernel, bias)
    c = f * c + i * g
    return o * ops.tanh(c), c


@refused("5.1", "input and forget gate exchanged", "Input gate and forget gate are exchanged")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    f, i, g, o = parts(x, h, kernel, recurrent_kernel, bias)
    return finish(i, f, g, o, c)


@refused("5.1", "candidate and output gate exchanged", "Candidate and output gate are exchanged")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, f, o, g = parts(x, h, kernel, recurrent_kernel, bias)
    return finish(i, f, g, o, c)


@refused("5.1", "no bias", "The bias is missing")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    return finish(*parts(x, h, kernel, recurrent_kernel, 0 * bias), c)


@refused("5.1", "h is not looked at", "h is not looked at")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    return finish(*parts(x, 0 * h, kernel, recurrent_kernel, bias), c)


@refused("5.1", "everything is forgotten", "It forgets everything")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    return finish(*parts(x, h, kernel, recurrent_kernel, bias), 0 * c)


@refused("5.1", "nothing is forgotten", "It never forgets")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, _, g, o = parts(x, h, kernel, recurrent_kernel, bias)
    c = c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * ops.tanh(c), c


@refused("5.1", "an open forget gate forgets", "An open forget gate keeps")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    i, f, g, o = parts(x, h, kernel, recurrent_kernel, bias)
    c = (1 - ops.sigmoid(f)) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * ops.tanh(c), c


@refused("5.1", "h alone", "Two things go on")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    return finish(*parts(x, h, kernel, recurrent_kernel, bias), c)[0]


@refused("5.1", "kernel and pixel exchanged", "stands left of kernel")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    z = ops.matmul(kernel, x) + ops.matmul(recurrent_kernel, h) + bias
    return finish(*ops.split(z, 4, axis=-1), c)


@refused("5.1", "not split", "split it into four first")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    z = ops.matmul(x, kernel) + ops.matmul(h, recurrent_kernel) + bias
    c = ops.concatenate([c] * 4, axis=-1)
    return finish(z, z, z, z, c)


@accepted("5.1", "gate by gate, by slices")
def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    units = h.shape[-1]

    def see(number):
        own = slice(number * units, (number + 1) * units)
        return x @ kernel[:, own] + h @ recurrent_kernel[:, own] + bias[own]

    kept = c / (1 + ops.exp(-see(1)))
    written = ops.tanh(see(2)) / (1 + ops.exp(-see(0)))
    return ops.tanh(kept + written) * ops.sigmoid(see(3)), kept + written


# 5.2 scan_row


def zeros(row, recurrent_kernel):
    return ops.zeros((row.shape[0], recurrent_kernel.shape[0]))


def scanned(pixels, h, *weights):
    c, said = h, []
    for x in pixels:
        h, c = bilstm.lstm_step(x, h, c, *weights)
        said.append(h)
    return said


@refused("5.2", "the last answer only", "That is the last pixel's answer only")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    pixels = ops.unstack(row, axis=1)[:: -1 if backwards else 1]
    return scanned(pixels, zeros(row, recurrent_kernel), kernel, recurrent_kernel, bias)[-1]


@refused("5.2", "stacked along the batch", "the batch comes first")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    pixels = ops.unstack(row, axis=1)
    return ops.stack(scanned(pixels, zeros(row, recurrent_kernel), kernel, recurrent_kernel, bias))


@refused("5.2", "nothing is handed on", "Every pixel is read alone")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    h = zeros(row, recurrent_kernel)
    pixels = ops.unstack(row, axis=1)
    said = [bilstm.lstm_step(x, h, h, kernel, recurrent_kernel, bias)[0] for x in pixels]
    return ops.stack(said, axis=1)


@refused("5.2", "c is not handed on", "c is not handed on")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    h = c = zeros(row, recurrent_kernel)
    said = []
    for x in ops.unstack(row, axis=1):
        h, _ = bilstm.lstm_step(x, h, c, kernel, recurrent_kernel, bias)
        said.append(h)
    return ops.stack(said, axis=1)


@refused("5.2", "h is not handed on", "h is not handed on")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    start = c = zeros(row, recurrent_kernel)
    said = []
    for x in ops.unstack(row, axis=1):
        h, c = bilstm.lstm_step(x, start, c, kernel, recurrent_kernel, bias)
        said.append(h)
    return ops.stack(said, axis=1)


@refused("5.2", "the memory is told", "That is c, the memory")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    h = c = zeros(row, recurrent_kernel)
    said = []
    for x in ops.unstack(row, axis=1):
        h, c = bilstm.lstm_step(x, h, c, kernel, recurrent_kernel, bias)
        said.append(c)
    return ops.stack(said, axis=1)


@refused("5.2", "in the order of reading", "The answer is in the order of reading")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    pixels = ops.unstack(row, axis=1)[:: -1 if backwards else 1]
    said = scanned(pixels, zeros(row, recurrent_kernel), kernel, recurrent_kernel, bias)
    return ops.stack(said, axis=1)


@refused("5.2", "only the answer is turned", "it is not enough to turn the answer")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    pixels = ops.unstack(row, axis=1)
    said = scanned(pixels, zeros(row, recurrent_kernel), kernel, recurrent_kernel, bias)
    return ops.stack(said[::-1] if backwards else said, axis=1)


@refused("5.2", "backwards is forgotten", "backwards is not looked at")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    pixels = ops.unstack(row, axis=1)
    said = scanned(pixels, zeros(row, recurrent_kernel), kernel, recurrent_kernel, bias)
    return ops.stack(said, axis=1)


@refused("5.2", "backwards the other way round", "Without backwards the row is read from left")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    return bilstm.scan_row(row, kernel, recurrent_kernel, bias, not backwards)


@refused("5.2", "the batch is turned", "a row's pixels are axis 1")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    row = ops.flip(row, axis=0) if backwards else row
    return bilstm.scan_row(row, kernel, recurrent_kernel, bias)


@refused("5.2", "h as long as a pixel", "one number per unit: U is")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    pixels = ops.unstack(row, axis=1)
    said = scanned(pixels, ops.zeros_like(pixels[0]), kernel, recurrent_kernel, bias)
    return ops.stack(said, axis=1)


@accepted("5.2", "by index, into its place")
def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    h = c = zeros(row, recurrent_kernel)
    width = row.shape[1]
    said = [None] * width
    for place in range(width - 1, -1, -1) if backwards else range(width):
        h, c = bilstm.lstm_step(row[:, place], h, c, kernel, recurrent_kernel, bias)
        said[place] = h[:, None]
    return ops.concatenate(said, axis=1)


# 5.3 scan_both_ways


@refused("5.3", "a sum", "can no longer be told apart")
def scan_both_ways(row, forward, backward):
    return bilstm.scan_row(row, *forward) + bilstm.scan_row(row, *backward, backwards=True)


@refused("5.3", "backward first", "The forward answer comes first")
def scan_both_ways(row, forward, backward):
    left, right = bilstm.scan_row(row, *forward), bilstm.scan_row(row, *backward, backwards=True)
    return ops.concatenate([right, left], axis=-1)


@refused("5.3", "both from the left", "Both read from the left")
def scan_both_ways(row, forward, backward):
    answers = [bilstm.scan_row(row, *weights) for weights in (forward, backward)]
    return ops.concatenate(answers, axis=-1)


@refused("5.3", "the same weights twice", "weights of its own")
def scan_both_ways(row, forward, backward):
    left, right = bilstm.scan_row(row, *forward), bilstm.scan_row(row, *forward, backwards=True)
    return ops.concatenate([left, right], axis=-1)


@refused("5.3", "turned once too often", "has turned the backward answer round already")
def scan_both_ways(row, forward, backward):
    left, right = bilstm.scan_row(row, *forward), bilstm.scan_row(row, *backward, backwards=True)
    return ops.concatenate([left, right[:, ::-1]], axis=-1)


@refused("5.3", "the row is turned too", "The row is turned twice")
def scan_both_ways(row, forward, backward):
    right = bilstm.scan_row(ops.flip(row, 1), *backward, backwards=True)
    return ops.concatenate([bilstm.scan_row(row, *forward), right], axis=-1)


@refused("5.3", "one after the other", "pixels stay as many as they are")
def scan_both_ways(row, forward, backward):
    left, right = bilstm.scan_row(row, *forward), bilstm.scan_row(row, *backward, backwards=True)
    return ops.concatenate([left, right], axis=1)


@refused("5.3", "stacked", "no new axis")
def scan_both_ways(row, forward, backward):
    left, right = bilstm.scan_row(row, *forward), bilstm.scan_row(row, *backward, backwards=True)
    return ops.stack([left, right])


@refused("5.3", "weights are not taken apart", "scan_row(row, *forward)")
def scan_both_ways(row, forward, backward):
    left, right = bilstm.scan_row(row, forward), bilstm.scan_row(row, backward, backwards=True)
    return ops.concatenate([left, right], axis=-1)


@accepted("5.3", "by mirroring")
def scan_both_ways(row, forward, backward):
    right = ops.flip(bilstm.scan_row(ops.flip(row, axis=1), *backward), axis=1)
    return ops.concatenate((bilstm.scan_row(row, *forward), right), axis=2)


# 5.4 read_rows


@refused("5.4", "columns", "That reads columns")
def read_rows(hidden):
    return bilstm.read_columns(hidden)


@refused("5.4", "one long row", "The photo is read as one long row")
def read_rows(hidden):
    def block(x):
        _, height, width, channels = x.shape
        x = both_ways(hidden)(ops.reshape(x, (-1, height * width, channels)))
        return ops.reshape(x, (-1, height, width, 2 * hidden))

    return block


@refused("5.4", "sequences of the height's length", "cut rows in pieces: T is the width")
def read_rows(hidden):
    def block(x):
        _, height, width, channels = x.shape
        x = both_ways(hidden)(ops.reshape(x, (-1, height, channels)))
        return ops.reshape(x, (-1, height, width, 2 * hidden))

    return block


@refused("5.4", "no reshape", "rows of all photos are one batch, B·H")
def read_rows(hidden):
    return lambda x: both_ways(hidden)(x)


@refused("5.4", "rows are not put together again", "Rows are still one batch")
def read_rows(hidden):
    def block(x):
        _, _, width, channels = x.shape
        return both_ways(hidden)(ops.reshape(x, (-1, width, channels)))

    return block


@refused("5.4", "one direction", "A single LSTM of 2·hidden")
def read_rows(hidden):
    def block(x):
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, width, channels))
        x = layers.LSTM(2 * hidden, return_sequences=True)(x)
        return ops.reshape(x, (-1, height, width, 2 * hidden))

    return block


@refused("5.4", "a layer for each row", "One layer for all rows")
def read_rows(hidden):
    def block(x):
        rows = [both_ways(hidden)(x[:, number]) for number in range(x.shape[1])]
        return ops.stack(rows, axis=1)

    return block


@refused("5.4", "the picture at once", "Give a function block(x) back")
def read_rows(hidden):
    return layers.Input((3, 4, 2 * hidden))


@refused("5.4", "the block gives nothing", "block(x) ends with")
def read_rows(hidden):
    def block(x):
        _, _, width, channels = x.shape
        both_ways(hidden)(ops.reshape(x, (-1, width, channels)))

    return block


@accepted("5.4", "Keras's layer that reads each part by itself")
def read_rows(hidden):
    return layers.TimeDistributed(both_ways(hidden))


@accepted("5.4", "one layer called row by row")
def read_rows(hidden):
    def block(x):
        read = both_ways(hidden)
        return ops.stack([read(row) for row in ops.unstack(x, axis=1)], axis=1)

    return block


# 5.5 read_columns


@refused("5.5", "rows", "That reads rows")
def read_columns(hidden):
    return bilstm.read_rows(hidden)


@refused("5.5", "not transposed back", "transpose back at the end")
def read_columns(hidden):
    return lambda x: bilstm.read_rows(hidden)(ops.transpose(x, (0, 2, 1, 3)))


@refused("5.5", "cut by a reshape", "cuts rows in pieces")
def read_columns(hidden):
    def block(x):
        _, height, width, channels = x.shape
        x = both_ways(hidden)(ops.reshape(x, (-1, height, channels)))
        return ops.reshape(x, (-1, height, width, 2 * hidden))

    return block


@refused("5.5", "exchanged by a reshape", "it only cuts elsewhere")
def read_columns(hidden):
    def block(x):
        _, height, width, channels = x.shape
        x = bilstm.read_rows(hidden)(ops.reshape(x, (-1, width, height, channels)))
        return ops.transpose(x, (0, 2, 1, 3))

    return block


@refused("5.5", "back by a reshape", "It comes back by a reshape")
def read_columns(hidden):
    def block(x):
        _, height, width, _ = x.shape
        x = bilstm.read_rows(hidden)(ops.transpose(x, (0, 2, 1, 3)))
        return ops.reshape(x, (-1, height, width, 2 * hidden))

    return block


@refused("5.5", "rotated", "a transpose, not a rotation")
def read_columns(hidden):
    def block(x):
        x = ops.flip(ops.transpose(x, (0, 2, 1, 3)), axis=2)
        x = ops.flip(bilstm.read_rows(hidden)(x), axis=2)
        return ops.transpose(x, (0, 2, 1, 3))

    return block


@refused("5.5", "twice the units", "both_ways doubles them by itself")
def read_columns(hidden):
    def block(x):
        x = bilstm.read_rows(2 * hidden)(ops.transpose(x, (0, 2, 1, 3)))
        return ops.transpose(x, (0, 2, 1, 3))[..., : 2 * hidden]

    return block


@accepted("5.5", "columns as a batch of their own")
def read_columns(hidden):
    def block(x):
        _, height, width, channels = x.shape
        x = ops.reshape(ops.swapaxes(x, 1, 2), (-1, height, channels))
        x = ops.reshape(both_ways(hidden)(x), (-1, width, height, 2 * hidden))
        return ops.swapaxes(x, 1, 2)

    return block


# 5.6 depth_to_space


def shuffled(x, patch, split, order):
    _, height, width, depth = x.shape
    sizes = {"p": patch, "c": depth // patch**2}
    x = ops.reshape(x, (-1, height, width, *(sizes[s] for s in split)))
    x = ops.transpose(x, order)
    return ops.reshape(x, (-1, height * patch, width * patch, sizes["c"]))


@refused("5.6", "a reshape alone", "A reshape alone")
def depth_to_space(x, patch):
    _, height, width, depth = x.shape
    return ops.reshape(x, (-1, height * patch, width * patch, depth // patch**2))


@refused("5.6", "each patch on its side", "Each patch lies on its side")
def depth_to_space(x, patch):
    return shuffled(x, patch, "ppc", (0, 1, 4, 2, 3, 5))


@refused("5.6", "channels first", "PyTorch's pixel_shuffle")
def depth_to_space(x, patch):
    return shuffled(x, patch, "cpp", (0, 1, 4, 2, 5, 3))


@refused("5.6", "small photos side by side", "Photos small and side by side")
def depth_to_space(x, patch):
    return shuffled(x, patch, "ppc", (0, 3, 1, 4, 2, 5))


@refused("5.6", "enlarged", "All pixels of a patch are the same")
def depth_to_space(x, patch):
    channels = x.shape[-1] // patch**2
    x = ops.repeat(ops.repeat(x, patch, axis=1), patch, axis=2)
    return x[..., :channels]


@refused("5.6", "divided by patch once", "depth divided by patch·patch")
def depth_to_space(x, patch):
    _, height, width, depth = x.shape
    x = ops.reshape(x, (-1, height, width, patch, patch, depth // patch))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, height * patch, width * patch, depth // patch))


@refused("5.6", "height and width exchanged", "the order of the last reshape")
def depth_to_space(x, patch):
    return ops.transpose(bilstm.depth_to_space(x, patch), (0, 2, 1, 3))


@accepted("5.6", "pixel of a patch by pixel of a patch")
def depth_to_space(x, patch):
    channels = x.shape[-1] // patch**2
    rows = []
    for down in range(patch):
        first = down * patch
        pixels = [x[..., (first + i) * channels : (first + i + 1) * channels] for i in range(patch)]
        row = ops.stack(pixels, axis=3)  # (B, H, W, patch, C)
        rows.append(ops.reshape(row, (-1, x.shape[1], x.shape[2] * patch, channels)))
    rows = ops.stack(rows, axis=2)  # (B, H, patch, W·patch, C)
    return ops.reshape(rows, (-1, x.shape[1] * patch, x.shape[2] * patch, channels))


# 5.7 catch_reading_order


def trial():
    generator = np.random.default_rng(1)
    shapes = (1, 4, 3), (3, 8), (2, 8), (8,)
    row, *weights = (generator.normal(size=s).astype("float32") for s in shapes)
    return row, weights


def read(scan_row, row, weights, backwards=True):
    said = scan_row(ops.convert_to_tensor(row), *weights, backwards=backwards)
    return ops.convert_to_numpy(said)


@refused("5.7", "the shape is looked at", "Change the leftmost pixel")
def catch_reading_order(scan_row):
    row, weights = trial()
    assert read(scan_row, row, weights).shape == (1, 4, 2)


@refused("5.7", "the leftmost pixel hears of itself", "the right end must be heard of")
def catch_reading_order(scan_row):
    row, weights = trial()
    changed = row.copy()
    changed[:, 0] += 1
    assert (read(scan_row, row, weights) != read(scan_row, changed, weights))[:, 0].any()


@refused("5.7", "the leftmost pixel is heard of nowhere else", "reads every pixel alone")
def catch_reading_order(scan_row):
    row, weights = trial()
    changed = row.copy()
    changed[:, 0] += 1
    assert (read(scan_row, row, weights) == read(scan_row, changed, weights))[:, 1:].all()


@refused("5.7", "forwards and backwards must agree", "That function is right")
def catch_reading_order(scan_row):
    row, weights = trial()
    forwards = read(scan_row, row, weights, backwards=False)
    assert np.allclose(forwards, read(scan_row, row, weights))


@accepted("5.7", "the mirrored row read forwards, mirrored")
def catch_reading_order(scan_row):
    row, weights = trial()
    mirrored = read(scan_row, row[:, ::-1], weights, backwards=False)[:, ::-1]
    if not np.allclose(read(scan_row, row, weights), mirrored, atol=1e-4):
        raise AssertionError("read from the right is not the mirror image of read from the left")
