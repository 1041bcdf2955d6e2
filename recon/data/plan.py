"""All that is random about an epoch, drawn by NumPy: where TensorFlow is not installed.

The same definitions as in `pipeline`, so that everything is as likely as there; the numbers are
others. What comes out is what travels to `feeding.Fed`, whose photos lie on the device.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from recon import boxes

JITTER = 286 / 256  # pix2pix, section 3.3: resize to 286×286, crop back to 256×256
ASPECT = 4 / 3  # of height and width of what is cut out, at most (Szegedy et al., 2015, section 6)


def drawn(table: pd.DataFrame) -> bool:
    """Whether photos of a table are drawn, so that there is no file to decode."""
    return table.path.str.startswith("safari:").any()


def jittered(table: pd.DataFrame, size: int, zoom: float = 0.0) -> int:
    """Side to which photos are resized before the crop: 286 for 256, or as `zoom` needs it.

    Drawn photos keep their size: they vary by themselves, and a crop would enlarge what is never
    enlarged in validation and test.
    """
    return size if drawn(table) else round(size * (zoom or JITTER))


def order(count: int, steps: int, batch_size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the order of an epoch, as `pipeline.epoch_order` does: shuffles cut to whole batches.

    Returns:
        int32 `(steps * batch_size,)`: indices; no batch holds a photo twice, unless there are
        fewer photos than that.
    """
    wanted = steps * batch_size
    used = count - count % batch_size or count  # of one shuffle
    shuffles = [generator.permutation(count)[:used] for _ in range(-(-wanted // used))]
    return np.concatenate(shuffles)[:wanted].astype("int32")


def epoch(
    photos: np.ndarray,
    size: int,
    batch_size: int,
    steps: int,
    seed: int = 0,
    number: int = 0,
    count: int = 2,
    zoom: float = 0.0,
    gamma: float = 0.0,
) -> Iterator[dict[str, np.ndarray]]:
    """The batches of an epoch, as `pipeline.wire` has them of resident photos.

    Args:
        photos: uint8 `(N, S, S, 3)`; S is at least `size`, and what is more is cut off.
        size: height and width of what a model sees.
        batch_size: photos a batch.
        steps: batches.
        seed: with the epoch's number, decides all.
        number: the epoch's, from 0.
        count: boxes missing from a photo.
        zoom: 0, or by how much photos are enlarged at most; they are then `zoom` times `size`. One
            side may be enlarged up to `ASPECT` times as much as the other.
        gamma: 0, or the most by which photos are made darker or brighter: to a power of e^-gamma to
            e^gamma, and each colour to one of its own besides, a third as far from 1 at most.

    Yields:
        `{"index" (B,), "cut" (B, 2), "mirrored" (B,), "corners" (B, count, 2)}`, with zoom also
        `"sides"` (B, 2), with gamma `"powers"` (B, 3), see `feeding.Feed`.
    """
    generator = np.random.default_rng([seed, number])
    all_of_it, sides = steps * batch_size, size
    places = size - boxes.side(size) + 1
    chosen = {"index": order(len(photos), steps, batch_size, generator)}
    if zoom:
        factor = generator.uniform(1, zoom, (all_of_it, 1))
        stretch = ASPECT ** (generator.uniform(-0.5, 0.5, (all_of_it, 1)) * [1, -1])
        chosen["sides"] = np.round(photos.shape[1] / np.maximum(factor * stretch, 1)).astype(
            "int32"
        )
        sides = chosen["sides"]
    chosen |= {
        "cut": generator.integers(0, photos.shape[1] - sides + 1, (all_of_it, 2)).astype("int32"),
        "mirrored": generator.random(all_of_it) < 0.5,
        "corners": generator.integers(0, places, (all_of_it, count, 2), "int32"),
    }
    if gamma:
        together = generator.uniform(-gamma, gamma, (all_of_it, 1))
        apart = generator.uniform(-gamma / 3, gamma / 3, (all_of_it, 3))
        chosen["powers"] = np.exp(together + apart).astype("float32")
    for start in range(0, all_of_it, batch_size):
        yield {name: rows[start : start + batch_size] for name, rows in chosen.items()}
