"""A bidirectional LSTM on pixels: first along one row, then over the whole photo.

The challenge's report names "pixel reconstruction with bidirectional LSTM": a row of pixels is a
sequence, one LSTM reads it from the left and one from the right, and what both have seen tells the
pixel between. `lstm_step`, `scan_row` and `row_model` are that idea, from the equations up. A
row knows nothing of the rows above and below it; `renet` reads rows of patches, then columns of
what the rows said, so that every pixel hears of every other: ReNet (Visin et al., 2015).

https://arxiv.org/abs/1505.00393
"""

import keras
from keras import layers, ops

from recon import devices
from recon.models import blocks

SIZES = (32, 64, 128, 256, 512)


def lstm_step(x, h, c, kernel, recurrent_kernel, bias):
    """Move an LSTM one pixel on (Hochreiter and Schmidhuber, 1997, with Gers's forget gate, 2000).

    Args:
        x: the pixel, `(B, C)`.
        h: what the LSTM said at the pixel before, `(B, U)`.
        c: what it remembers, `(B, U)`.
        kernel: `(C, 4U)`; recurrent_kernel: `(U, 4U)`; bias: `(4U,)`; side by side the weights of
            input gate, forget gate, candidate and output gate: the order of `keras.layers.LSTM`.

    Returns:
        the new h and c, `(B, U)` each.
    """
    z = ops.matmul(x, kernel) + ops.matmul(h, recurrent_kernel) + bias  # (B, 4U)
    write, keep, candidate, tell = ops.split(z, 4, axis=-1)  # (B, U) each
    c = ops.sigmoid(keep) * c + ops.sigmoid(write) * ops.tanh(candidate)
    return ops.sigmoid(tell) * ops.tanh(c), c


def scan_row(row, kernel, recurrent_kernel, bias, backwards=False):
    """Read a row of pixels one after the other: `keras.layers.LSTM`, step by step.

    Args:
        row: `(B, W, C)`.
        kernel, recurrent_kernel, bias: as in `lstm_step`.
        backwards: from right to left.

    Returns:
        `(B, W, U)`: at every pixel, what the LSTM says of it and all before it; the pixels' order
        is the row's, whichever way it was read.
    """
    h = c = ops.zeros((ops.shape(row)[0], recurrent_kernel.shape[0]), row.dtype)  # (B, U)
    said = []
    pixels = ops.unstack(row, axis=1)
    for x in reversed(pixels) if backwards else pixels:
        h, c = lstm_step(x, h, c, kernel, recurrent_kernel, bias)
        said.append(h)
    return ops.stack(said[::-1] if backwards else said, axis=1)


def scan_both_ways(row, forward, backward):
    """Read a row from the left and from the right: `keras.layers.Bidirectional`.

    Args:
        row: `(B, W, C)`.
        forward, backward: kernel, recurrent_kernel and bias of each LSTM, as in `lstm_step`.

    Returns:
        `(B, W, 2U)`: what the one says that knows all to the left, then the other's.
    """
    return ops.concatenate(
        [scan_row(row, *forward), scan_row(row, *backward, backwards=True)], axis=-1
    )


def row_model(width: int = 256, hidden: int = 64) -> keras.Model:
    """Build the network that completes one row of pixels from that row alone.

    Args:
        width: pixels of the row.
        hidden: units of the LSTM of each direction.

    Returns:
        model `{"masked" (B, W, 3), "mask" (B, W, 1)} -> guess (B, W, 3)` in [0, 1].
    """
    masked = layers.Input((width, 3), name="masked")
    mask = layers.Input((width, 1), name="mask")
    x = blocks.ToSigned()(masked, mask)  # (B, W, 4)
    x = both_ways(hidden)(x)  # (B, W, 2·hidden)
    x = layers.Dense(3, activation="tanh")(x)  # (B, W, 3) in [-1, 1]
    guess = blocks.FromSigned(name="guess")(x)  # (B, W, 3) in [0, 1]
    return keras.Model({"masked": masked, "mask": mask}, guess, name="row_model")


def both_ways(hidden: int):
    """Read sequences from both ends: `(N, T, C)` -> `(N, T, 2·hidden)`, cuDNN's on a GPU.

    A plain Keras layer: with TensorFlow on a CPU, a step of `renet` at 256 costs 0.68 (batch 4) to
    0.71 (batch 1) times the CPU-seconds of PyTorch's `nn.LSTM` (`python -m benchmarks.renet`). A
    recurrence of our own, both directions in one batch and the gradient by hand, cost 1.15 to 1.3
    times this layer's; the same steps laid out one after the other, 0.73 to 0.95 times, but
    20 seconds of building the graph, and no cuDNN.
    """
    one_way = layers.LSTM(hidden, return_sequences=True)
    both = layers.Bidirectional(one_way)
    # Bidirectional copies the layer by Keras's serialisation, which, while a model is loaded, knows
    # objects by their address: let go, another LSTM at that address would be taken for this one.
    vars(both)["__one_way"] = one_way  # under a name that Keras neither tracks nor saves
    return both


def read_rows(hidden: int):
    """Read every row of a picture both ways.

    Args:
        hidden: units of each of the two LSTMs; see `both_ways`.

    Returns:
        a function `x (B, H, W, C) -> (B, H, W, 2·hidden)`, which makes its layers when called.
    """

    def block(x):
        _, height, width, channels = x.shape
        x = ops.reshape(x, (-1, width, channels))  # (B·H, W, C)
        x = both_ways(hidden)(x)  # (B·H, W, 2·hidden)
        return ops.reshape(x, (-1, height, width, 2 * hidden))

    return block


def read_columns(hidden: int):
    """Read every column of a picture both ways.

    Args:
        hidden: units of each of the two LSTMs.

    Returns:
        a function `x (B, H, W, C) -> (B, H, W, 2·hidden)`, which makes its layers when called.
    """

    def block(x):
        x = ops.transpose(x, (0, 2, 1, 3))  # (B, W, H, C)
        x = read_rows(hidden)(x)  # (B, W, H, 2·hidden)
        return ops.transpose(x, (0, 2, 1, 3))

    return block


def depth_to_space(x, patch: int):
    """Lay every position's channels out as a patch of pixels.

    `(B, H, W, patch·patch·C)` -> `(B, H·patch, W·patch, C)`
    """
    _, height, width, depth = x.shape
    channels = depth // patch**2
    x = ops.reshape(x, (-1, height, width, patch, patch, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))  # (B, H, patch, W, patch, C)
    return ops.reshape(x, (-1, height * patch, width * patch, channels))


def renet(size: int = 256, hidden: int = 64, patch: int = 4) -> keras.Model:
    """Build the whole-photo network: rows, columns, rows, columns, and back to pixels.

    The paper reads columns first; nothing hangs on it.

    Args:
        size: height and width, one of `SIZES`.
        hidden: units of the LSTM of each direction.
        patch: side of the squares that are read as one.

    Returns:
        model `{"masked" (B, S, S, 3), "mask" (B, S, S, 1)} -> guess (B, S, S, 3)` in [0, 1];
        0.41 M weights at hidden 64 and 4×4 patches, whatever the size.
    """
    blocks.check_size(size, SIZES)
    masked = layers.Input((size, size, 3), name="masked")
    mask = layers.Input((size, size, 1), name="mask")
    x = blocks.ToSigned()(masked, mask)  # (B, S, S, 4)

    # shapes as at size 256, hidden 64 and 4×4 patches
    x = layers.Conv2D(2 * hidden, patch, patch)(x)  # (B, 64, 64, 128): patches do not overlap
    for _ in range(2):
        x = read_rows(hidden)(x)  # (B, 64, 64, 128): a position knows its row of patches
        x = read_columns(hidden)(x)  # (B, 64, 64, 128): and now the whole photo
    x = layers.Dense(3 * patch**2, activation="tanh")(x)  # (B, 64, 64, 48) in [-1, 1]
    x = depth_to_space(x, patch)  # (B, 256, 256, 3)
    guess = blocks.FromSigned(name="guess")(x)  # (B, 256, 256, 3) in [0, 1]
    return keras.Model({"masked": masked, "mask": mask}, guess, name="renet")


@keras.saving.register_keras_serializable("recon")
class BiLSTM(blocks.Completer):
    """ReNet, trained by the squared error of the missing pixels, the only ones that it invents.

    Args:
        size: height and width, one of `SIZES`.
        hidden: units of the LSTM of each direction.
        patch: side of the squares that are read as one.
    """

    AVERAGES = True  # so that it is shown larger photos whole and in parts, see `recon.restore`

    def __init__(self, size=256, hidden=64, patch=4, **kwargs):
        super().__init__({"size": size, "hidden": hidden, "patch": patch}, **kwargs)
        self.network = renet(size, hidden, patch)
        self.l2 = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")

    def call(self, inputs, training=False):
        return self.network(inputs, training=training)  # (B, S, S, 3) in [0, 1]

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        l2 = self.l2(y, y_pred, sample_weight=x["mask"][..., 0])
        return l2 * devices.share(x["mask"])


def recipe(size: int) -> dict:
    """Settings that train it: a CPU's minutes below 128; above, a start, not tuned.

    At 64×64 on the drawn photos: RMSE 0.163 in the boxes of the 256 test photos, harmonic 0.197,
    after 487 CPU-seconds in all on two cores that others used too; on the
    validation photos it draws level with harmonic (0.188) after three of the twelve epochs.
    """
    small = size < 128
    return {
        "epochs": 12 if small else 100,
        "batch_size": 16 if small else 8,
        "learning_rate": 2e-3 if small else 1e-3,
        "beta_1": 0.9,
        "decay_from": 0.3,
        "ema": 0.0,
    }


def build(size: int) -> BiLSTM:
    """A model that has learned nothing yet: 0.41 M weights at every size."""
    return BiLSTM(size)
