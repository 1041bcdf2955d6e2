"""What tests of Stable Diffusion share; they run the other backend as those of the models do."""

import recon  # noqa: F401, I001 (first: TensorFlow then starts quietly)
import sys
from pathlib import Path

import pytest

from recon.stable_diffusion import networks

sys.path.append(str(Path(__file__).parents[1] / "models"))


@pytest.fixture(scope="session")
def layout():
    """Networks that are built in a second, of two levels each; the small model's words fit."""
    return networks.Layout(
        name="tiny",
        vocabulary=64,
        length=4,
        text_width=32,
        text_layers=1,
        text_heads=2,
        autoencoder=(32, 64),
        autoencoder_blocks=1,
        denoiser=(32, 64),
        denoiser_blocks=1,
        attention=(1,),
        heads=2,
        time_width=8,
    )
