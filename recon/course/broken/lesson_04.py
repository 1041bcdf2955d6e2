"""What lesson 04 breaks: a photo that is halved, and darkens."""

import numpy as np
from keras import ops


def darkening(colour, known):
    """Halve a photo with holes: each 2×2 pixels become the mean of those that are known."""
    weight = ops.average_pool(known, 2, 2)
    colour = ops.average_pool(colour * known, 2, 2)
    return colour, ops.cast(weight > 0, colour.dtype)


def catch_darkening(halve_known):
    """Raise an AssertionError unless one colour stays that colour when it is halved.

    Whether one, two, three or all of four pixels are known, their mean is the colour that they
    have. Where none is known there is no colour to ask for.

    Args:
        halve_known: takes colour `(B, H, W, 3)` and known `(B, H, W, 1)`; gives both at half the
            size.
    """
    for count in (1, 2, 3, 4):
        known = np.zeros((1, 4, 1), "float32")
        known[:, :count] = 1
        known = known.reshape(1, 2, 2, 1)
        halved, _ = halve_known(0.8 * known * np.ones(3, "float32"), known)
        assert np.allclose(halved, 0.8, atol=1e-3), f"{count} of 4 known: {halved}, not 0.8"
