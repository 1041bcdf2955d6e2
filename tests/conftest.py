"""What tests of training and of comparing methods share."""

import recon  # noqa: F401, I001 (first: TensorFlow then starts quietly)
import pytest

from recon import commandline, models
from recon.data import photos, safari


@pytest.fixture(scope="session")
def drawn_folder(tmp_path_factory):
    """Twelve drawn photos of four classes, 40×40: a small folder to train on."""
    folder = tmp_path_factory.mktemp("drawn") / "animals"
    for number in range(12):
        place = folder / safari.CLASSES[number % 4]
        place.mkdir(parents=True, exist_ok=True)
        photos.write(place / f"{number}.png", safari.draw(number, 40, 0))
    return folder


@pytest.fixture(scope="session", autouse=True)
def tiny_model():
    """Put a network that compiles in a second on the list of models."""
    models.MODELS["tiny"] = "tiny_model"
    yield
    del models.MODELS["tiny"]


@pytest.fixture(scope="session")
def tiny_run(drawn_folder, tmp_path_factory):
    """A finished run of the tiny model: three epochs of three steps."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    from recon.train import train  # Keras takes seconds to load: only who needs a run pays for it

    options = ["--model", "tiny", "--size", "32", "--steps-per-epoch", "3"]
    commandline.run(train, [*options, "--data", str(drawn_folder), "--out", str(out)])
    return out
