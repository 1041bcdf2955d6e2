"""What is broken in lesson 02, and the check that catches it."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf


def cached_after_the_cut(photos: np.ndarray, size: int, epochs: int) -> tf.data.Dataset:
    """Cut a random square out of every photo, anew in every epoch, they say."""
    return (
        tf.data.Dataset.from_tensor_slices(photos)
        .map(lambda photo: tf.image.random_crop(photo, (size, size, 3)))
        .cache()
        .repeat(epochs)
    )


def cut_afresh(photos: np.ndarray, size: int, epochs: int) -> tf.data.Dataset:
    """Cut a random square out of every photo, anew in every epoch."""
    return (
        tf.data.Dataset.from_tensor_slices(photos)
        .cache()
        .repeat(epochs)
        .map(lambda photo: tf.image.random_crop(photo, (size, size, 3)))
    )


def catch_frozen(pipeline: Callable) -> None:
    """Raise an AssertionError if a pipeline cuts the photos of every epoch at the same places.

    Args:
        pipeline: called as `pipeline(photos, size, epochs)`, with `photos` `(N, H, W, 3)` and
            `size` less than H and W, it gives a dataset of `N * epochs` cuts `(size, size, 3)`:
            an epoch's N, then the next epoch's. Within an epoch they may come in any order.

    Raises:
        AssertionError: the second epoch holds the first one's cuts.
    """
    photos = np.random.default_rng(0).random((8, 12, 12, 3), dtype="float32")
    cuts = [cut.tobytes() for cut in pipeline(photos, 6, 2).as_numpy_iterator()]
    first, second = set(cuts[:8]), set(cuts[8:])
    assert first != second, "the second epoch holds the same cuts as the first"
