"""Lesson 12's wrong functions, and the check that catches them."""

import zlib

import numpy as np

from recon import boxes


def rmse_in_boxes(method, photos: np.ndarray, mask: np.ndarray) -> float:
    """Complete photos `(N, S, S, 3)` by a method, and give the RMSE in the holes."""
    completed = method(photos * (1 - mask), mask)
    return float(np.sqrt((mask * (completed - photos) ** 2).sum() / (3 * mask.sum())))


def draw_masks(generator: np.random.Generator, photos: np.ndarray) -> np.ndarray:
    """Two boxes for each of the photos `(N, S, S, 3)`, as masks `(N, S, S, 1)`."""
    size = photos.shape[1]
    return np.stack([boxes.rasterise(boxes.draw(generator, size), size) for _ in photos])


def compare(methods, photos, generator):
    """Score every method: draw boxes, let it complete the photos, and take the RMSE."""
    scores = {}
    for name, method in methods.items():
        mask = draw_masks(generator, photos)
        scores[name] = rmse_in_boxes(method, photos, mask)
    return scores


def compare_by_name(methods, photos, generator):
    """Boxes that depend on a method's name: the same in every run, and another for each."""
    scores = {}
    for name, method in methods.items():
        mask = draw_masks(np.random.default_rng(zlib.crc32(name.encode())), photos)
        scores[name] = rmse_in_boxes(method, photos, mask)
    return scores


def compare_in_turn(methods, photos, generator):
    """The right number of boxes drawn once, and handed to the photos in another order each time."""
    mask = draw_masks(generator, photos)
    turns = enumerate(methods.items())
    return {name: rmse_in_boxes(m, photos, np.roll(mask, turn, 0)) for turn, (name, m) in turns}


def compare_fairly(methods, photos, generator):
    """Score every method on the same boxes."""
    mask = draw_masks(generator, photos)
    return {name: rmse_in_boxes(method, photos, mask) for name, method in methods.items()}


def compare_on_fixed_boxes(methods, photos, generator):
    """Boxes that depend on a photo's place alone, as a challenge's test photos have them."""
    size = photos.shape[1]
    pairs = [boxes.fixed(0, str(number), size) for number in range(len(photos))]
    mask = np.stack([boxes.rasterise(pair, size) for pair in pairs])
    return {name: rmse_in_boxes(method, photos, mask) for name, method in methods.items()}


def catch_unfair(compare):
    """Raise an AssertionError where two methods are not compared on the same boxes.

    Args:
        compare: takes methods (name -> callable of masked `(N, S, S, 3)` and mask `(N, S, S, 1)`,
            which gives the completed photos), complete photos `(N, S, S, 3)` and a NumPy generator;
            gives name -> RMSE. It may be right or wrong.
    """
    seen = []

    def spy(masked, mask):
        seen.append(mask.copy())
        return masked

    photos = np.ones((3, 64, 64, 3), "float32")
    compare({"one": spy, "two": spy}, photos, np.random.default_rng(0))
    assert len(seen) == 2, f"two methods were called {len(seen)} times"
    assert np.array_equal(*seen), "the second method completed other boxes than the first"
