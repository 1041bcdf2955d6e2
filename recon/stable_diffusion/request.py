"""What a user asks of a diffusion model: the options of restore, evaluate and submit.

Nothing large is loaded here.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from recon.errors import BadInput
from recon.stable_diffusion import text


@Parameter(name="*", group="Diffusion")
@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make in the holes, and how."""

    prompt: str = text.ANYTHING
    """What the photo is to show, with its holes filled."""

    negative_prompt: str = text.UNCONDITIONAL
    """What it is not to show."""

    steps: int = 50
    """Steps from noise to photo: more take longer and come closer to what the network knows."""

    guidance: float = 7.5
    """How strictly the prompt is followed: 0 not at all, 1 as a mere condition."""

    strength: float = 1.0
    """Part of the steps that are taken, from 0 to 1; below 1 the harmonic fill shines through."""

    sampler: Literal["ddim", "dpm++"] = "ddim"
    """dpm++ needs fewer steps."""

    resample: int = 1
    """How often each step is taken, so that holes and surroundings agree (RePaint)."""

    feather: int = 0
    """Width in pixels of a border inside the holes where the fill passes into what is known."""

    weights: Path | None = None
    """Folder with Stable Diffusion's files, KerasCV's or of the diffusers library; by default
    KerasCV's in the cache folder."""

    canvas: int = 512
    """Height and width at which Stable Diffusion sees a photo, a multiple of 64."""

    batch: int = 1
    """Photos that are completed at once."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Of Stable Diffusion's networks; bfloat16 takes half the memory."""

    seed: Annotated[int, Parameter(parse=False)] = 0  # the commands have a --seed of their own
    """Chooses one of many possible fills."""

    def check(self) -> None:
        """Raise BadInput for what cannot be meant, before anything is loaded."""
        text.check_prompt(self.prompt)
        if not (math.isfinite(self.guidance) and self.guidance >= 0):
            raise BadInput(f"--guidance {self.guidance}: must be a number, 0 or more")
        for name in ("seed", "feather"):
            if getattr(self, name) < 0:
                raise BadInput(f"--{name} {getattr(self, name)}: must be 0 or more")
        if self.batch < 1:
            raise BadInput(f"--batch {self.batch}: must be 1 or more")
        if self.canvas < 64 or self.canvas % 64:
            raise BadInput(f"--canvas {self.canvas}: must be a multiple of 64")
        try:
            self.plan()
        except ValueError as error:
            raise BadInput(f"--{error}") from None

    def plan(self):
        """The run that it asks for: a `schedulers.Plan`."""
        from recon.stable_diffusion import schedulers  # loads Keras; --help does without

        return schedulers.plan(self.steps, self.sampler, self.strength, self.resample)


def asked(request: Request | None, seed: int) -> Request | None:
    """A command's request with its --seed; None if neither was given."""
    if request is None and not seed:
        return None
    return replace(request or Request(), seed=seed)
