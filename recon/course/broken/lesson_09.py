"""Lesson 09, break it: pools that remember nothing, or too much."""

import numpy as np
from keras import ops

from recon.models.cyclegan import put


def newest(photos, count, new, place, older):
    """Show a pool one new fake: what it holds now, and what a judge is shown."""
    filling = count < photos.shape[0]
    place = ops.where(filling, count, place)
    photos = put(photos, place, new)
    return photos, ops.take(photos, place, axis=0)


def first_ones(photos, count, new, place, older):
    """Show a pool one new fake: what it holds now, and what a judge is shown."""
    if count < photos.shape[0]:
        return put(photos, count, new), new
    return photos, photos[place] if older else new


def catch_newest(exchange):
    """Raise an AssertionError unless a full pool shows old fakes, and lets new ones in.

    With heads (`older`) it shows the fake at the drawn place, and keeps the new one there; with
    tails it shows the new one.

    Args:
        exchange: takes photos `(N, S, S, 3)`, count, new `(S, S, 3)`, place, older; gives what the
            pool holds now, and what a judge is shown.
    """
    pool = np.stack([np.full((2, 2, 3), number, "float32") for number in (0.1, 0.2, 0.3)])
    new = np.full((2, 2, 3), 0.9, "float32")
    held, shown = exchange(pool.copy(), 3, new, 1, True)
    assert np.allclose(shown, 0.2), "heads shows the old one"
    assert np.allclose(held[1], 0.9), "heads keeps the new one"
    _, shown = exchange(pool.copy(), 3, new, 1, False)
    assert np.allclose(shown, 0.9), "tails shows the new one"
