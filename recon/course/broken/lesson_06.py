"""Lesson 06's break-it: a way down whose end says the same of every photo."""

import numpy as np
from keras import ops

from recon.models.blocks import downsample


def blind(x, widths, kind="batch"):
    """`contract` as a tidy mind would write it: every level but the first is normalised."""
    features = []
    for level, width in enumerate(widths):
        x = downsample(width, kind if level > 0 else None)(x)
        features.append(x)
    return features


def catch_blind(contract):
    """Raise an AssertionError unless the innermost features depend on the photo.

    What is caught: a way down whose last level, one pixel, is the same whatever the photo is. It
    shows with kind "instance", which normalises every photo by itself.

    Args:
        contract: a function like `contract`; it takes arrays too, and makes new random weights
            every time it is called.
    """
    photos = np.random.default_rng(0).random((2, 8, 8, 3), "float32")
    features = contract(photos, [4, 4, 4], "instance")  # the last is (2, 1, 1, 4)
    one, other = ops.convert_to_numpy(features[-1])
    assert np.any(one != other), "two photos, and the innermost features say the same of both"
