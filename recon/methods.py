"""Everything that completes a photo, classical or learned, behind one interface."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recon import classical
from recon.errors import BadInput


@dataclass(frozen=True)
class Method:
    """A callable `(masked, mask) -> completed` with a name.

    Called with NumPy float32 `(B, H, W, 3)` in [0, 1] and `(B, H, W, 1)`; known pixels come back
    bit for bit.
    """

    name: str
    complete: Callable[[np.ndarray, np.ndarray], np.ndarray]
    size: int | None = None  # the one side a network takes; None: any height and width

    def __call__(self, masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self.complete(masked, mask)


def classical_method(name: str) -> Method:
    """One of the fills of `recon.classical`, photo by photo."""
    fill = classical.FILLS[name]

    def complete(masked, mask):
        return np.stack([fill(*one) for one in zip(masked, mask, strict=True)])

    return Method(name, complete)


def learned_method(name: str, model) -> Method:
    """A network's guess with the known pixels pasted back.

    A model whose completion is more than one call has a `complete(masked, mask)` of its own.
    """

    def complete(masked, mask):
        if hasattr(model, "complete"):
            return classical.paste(masked, mask, model.complete(masked, mask))
        guess = model.predict_on_batch({"masked": masked, "mask": mask})
        return classical.paste(masked, mask, guess)

    return Method(name, complete, model.size)


def load(name: str) -> Method:
    """Find a method by what a user calls it.

    Args:
        name: a classical fill, or the folder of a training run.

    Raises:
        BadInput: neither, or a folder without a trained model.
    """
    if name in classical.FILLS:
        return classical_method(name)
    if not Path(name).is_dir():
        fills = ", ".join(classical.FILLS)
        raise BadInput(f"unknown method {name!r}: choose from {fills}, or name a run's folder")
    from recon import runs  # Keras takes seconds to load: only a learned method pays for it

    # Resolved: `.` has no name of its own.
    return learned_method(Path(name).resolve().name, runs.load_model(name))
