"""Lesson 08, break it: measures of diversity that do not see a collapse."""

import numpy as np
from keras import ops


def distance_to_photos(fake, real):
    """How different a batch's photos are from each other: 1 as real ones, 0 all the same."""
    apart = ops.mean(ops.abs(fake - real))
    usual = ops.mean(ops.abs(real - ops.roll(real, 1, axis=0)))
    return apart / ops.maximum(usual, 1e-7)


def contrast(fake, real):
    """How different a batch's photos are from each other: 1 as real ones, 0 all the same."""
    return ops.std(fake) / ops.maximum(ops.std(real), 1e-7)


def catch_blind(diversity):
    """Raise an AssertionError unless a measure of diversity sees that a generator has collapsed.

    It sees it if one photo painted again and again gets 0 (or nearly), and photos that vary like
    real ones get 1 (or nearly).

    Args:
        diversity: takes `fake` and `real`, each `(B, H, W, 3)` in [0, 1]; gives a number.
    """
    real = np.random.default_rng(0).random((6, 8, 8, 3)).astype("float32")
    collapsed = np.repeat(real[:1], 6, axis=0)
    assert float(diversity(collapsed, real)) < 0.1, "one photo six times is not diverse"
    turned = real[::-1].copy()
    assert float(diversity(turned, real)) > 0.9, "real photos are as diverse as real photos"
