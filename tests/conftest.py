"""What tests of training and of comparing methods share."""

import recon  # noqa: F401, I001 (first: TensorFlow then starts quietly)
import pytest

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
