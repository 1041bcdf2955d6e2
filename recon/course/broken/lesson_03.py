"""What is broken in lesson 03, and the check that catches it."""

from collections.abc import Callable

import numpy as np

from recon.classical import neighbour_sum


def sweep_over_all(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Set every missing pixel to the mean of its neighbours, all at once, they say."""
    return neighbour_sum(photo) / neighbour_sum(np.ones((*hole.shape, 1), photo.dtype))


def catch_moved(sweep: Callable) -> None:
    """Raise an AssertionError if a sweep moves a known pixel, by however little.

    Args:
        sweep: called as `sweep(photo, hole)`, with `photo` float `(H, W, C)` and `hole` bool
            `(H, W)`, true where a pixel is missing; it gives the photo after the sweep. What it
            puts into the hole is its own affair: there are other sweeps than Jacobi's.

    Raises:
        AssertionError: a known pixel is not the photo's, bit for bit.
    """
    photo = np.random.default_rng(0).random((6, 7, 3))
    hole = np.zeros((6, 7), bool)
    hole[2:4, 1:5] = True
    swept = sweep(photo.copy(), hole.copy())
    assert np.array_equal(swept[~hole], photo[~hole]), "a known pixel has moved"
