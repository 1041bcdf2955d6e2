"""What lesson 05 breaks: a row that is read backwards, and stays so."""

import numpy as np
from keras import ops

from recon.models.bilstm import lstm_step


def in_reading_order(row, kernel, recurrent_kernel, bias, backwards=False):
    """Read a row of pixels one after the other: `keras.layers.LSTM`, step by step."""
    h = c = ops.zeros((ops.shape(row)[0], recurrent_kernel.shape[0]), row.dtype)
    said = []
    pixels = ops.unstack(row, axis=1)
    for x in reversed(pixels) if backwards else pixels:
        h, c = lstm_step(x, h, c, kernel, recurrent_kernel, bias)
        said.append(h)
    return ops.stack(said, axis=1)


def catch_reading_order(scan_row):
    """Raise an AssertionError unless a row that is read backwards keeps its order.

    Read from right to left, a pixel is told of by an LSTM that has seen it and all to its right,
    and nothing to its left.

    Args:
        scan_row: takes row `(B, W, C)`, kernel `(C, 4U)`, recurrent_kernel `(U, 4U)`, bias `(4U,)`
            and backwards; gives `(B, W, U)`.
    """
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=s).astype("float32") for s in ((3, 8), (2, 8), (8,))]
    row = generator.random((1, 5, 3)).astype("float32")

    def said(row):
        return ops.convert_to_numpy(scan_row(ops.convert_to_tensor(row), *weights, backwards=True))

    for place in range(5):
        changed = row.copy()
        changed[:, place] += 1
        differs = (said(changed) != said(row)).any(axis=(0, 2)).tolist()
        expected = [pixel <= place for pixel in range(5)]
        assert differs == expected, f"pixel {place} is changed, and heard of at {differs}"
