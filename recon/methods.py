"""Everything that completes a photo, classical or learned, behind one interface."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recon import classical
from recon.errors import BadInput
from recon.progress import progress
from recon.stable_diffusion.request import Request

DIFFUSION = ("diffusion-small", "stable-diffusion")  # completed in view of a prompt
SHIPPED = "unet"  # a network that comes trained: see recon/models/UNET.md


@dataclass(frozen=True)
class Method:
    """A callable `(masked, mask) -> completed` with a name.

    Called with NumPy float32 `(B, H, W, 3)` in [0, 1] and `(B, H, W, 1)`; known pixels come back
    bit for bit. One that `averages` answers with a mean of what could be, so that the mean of what
    it says of several views is a better answer.
    """

    name: str
    complete: Callable[[np.ndarray, np.ndarray], np.ndarray]
    size: int | None = None  # the one side a network takes; None: any height and width
    averages: bool = False

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

    A model whose completion is more than one call has a `complete(masked, mask)` of its own; one
    that is trained by squared error alone says so by AVERAGES.
    """

    def complete(masked, mask):
        if hasattr(model, "complete"):
            return classical.paste(masked, mask, model.complete(masked, mask))
        guess = model.predict_on_batch({"masked": masked, "mask": mask})
        return classical.paste(masked, mask, guess)

    return Method(name, complete, model.size, getattr(model, "AVERAGES", False))


def diffusion_method(name: str, networks, request: Request) -> Method:
    """Latent diffusion in view of a prompt (`recon.stable_diffusion.inpaint`)."""
    from recon.stable_diffusion import inpaint

    large = name == "stable-diffusion"  # a step takes seconds, and a photo gigabytes

    def steps(rows):
        return progress(rows, "denoising", len(rows))

    def complete(masked, mask):
        together = request.batch if large else len(masked)
        parts = [
            inpaint.inpaint(
                networks,
                masked[start : start + together],
                mask[start : start + together],
                request,
                steps if large else None,
            )
            for start in range(0, len(masked), together)
        ]
        return np.concatenate(parts)

    return Method(name, complete, networks.size)


def takes_request(name: str) -> bool:
    """Whether a method is a diffusion model: one of the package's, or a run's."""
    if name in (*classical.FILLS, SHIPPED, *DIFFUSION) or not Path(name).is_dir():
        return name in DIFFUSION
    from recon import runs

    return runs.read_config(name)["settings"]["model"] in DIFFUSION


def load(name: str, request: Request | None = None) -> Method:
    """Find a method by what a user calls it.

    Args:
        name: a classical fill, unet, diffusion-small, stable-diffusion, or the folder of a training
            run.
        request: what a diffusion model is to make; None: anything that fits.

    Raises:
        BadInput: none of these, a folder without a trained model, weights that are not there, or
            a request to a method that takes none.
    """
    if name in DIFFUSION:
        from recon.stable_diffusion import inpaint

        request = request or Request()
        request.check()
        return diffusion_method(name, inpaint.load(name, request), request)
    if name in classical.FILLS:
        found = classical_method(name)
    elif name == SHIPPED:
        from recon.models import shipped

        found = learned_method(name, shipped.load())
    elif Path(name).is_dir():
        from recon import runs  # Keras takes seconds to load: only a learned method pays for it

        model = runs.load_model(name)
        name = Path(name).resolve().name  # `.` has no name of its own
        if request is not None and hasattr(model, "parts"):  # a diffusion model
            request.check()
            return diffusion_method(name, model.parts(), request)
        found = learned_method(name, model)
    else:
        names = ", ".join((*classical.FILLS, SHIPPED, *DIFFUSION))
        raise BadInput(f"unknown method {name!r}: choose from {names}, or name a run's folder")
    if request is not None:
        raise BadInput(f"{name} takes no prompt, nor another option of a diffusion model")
    return found
