"""recon.methods: fills and networks behind one interface."""

import keras
import numpy as np
import pytest
from keras import layers

from recon import classical, methods
from recon.boxes import Box, rasterise
from recon.errors import BadInput
from recon.stable_diffusion.request import Request


@pytest.fixture
def batch():
    """Three masked photos `(3, 12, 12, 3)`, each with a hole of its own, and their masks."""
    photo = np.random.default_rng(0).random((3, 12, 12, 3), dtype="float32")
    boxes = [Box(2, 2, 4, 5), Box(0, 6, 6, 6), Box(5, 0, 3, 12)]
    mask = np.stack([rasterise([box], 12) for box in boxes])
    return photo * (1 - mask), mask


@pytest.fixture
def network():
    """A network with a .size: its guess is half the masked photo, plus a colour in the holes."""
    masked = layers.Input((12, 12, 3), name="masked")
    mask = layers.Input((12, 12, 1), name="mask")
    mix = layers.Conv2D(3, 1)
    guess = mix(layers.Concatenate()([masked, mask]))
    kernel = np.concatenate([np.eye(3) / 2, [[0.25, 0.5, 0.75]]])
    mix.set_weights([kernel[None, None], np.zeros(3)])
    model = keras.Model({"masked": masked, "mask": mask}, guess)
    model.size = 12
    return model


@pytest.mark.parametrize("name", classical.FILLS)
def test_a_fill_completes_a_batch_photo_by_photo(name, batch):
    masked, mask = batch
    method = methods.load(name)
    assert (method.name, method.size) == (name, None)
    completed = method(masked, mask)
    assert completed.shape == (3, 12, 12, 3)
    assert completed.dtype == np.float32
    for number in range(3):
        alone = classical.FILLS[name](masked[number], mask[number])
        np.testing.assert_array_equal(completed[number], alone)
    known = mask[..., 0] == 0
    np.testing.assert_array_equal(completed[known], masked[known])
    assert (completed[~known] > 0).any()


def test_a_network_sees_photo_and_mask_and_known_pixels_are_pasted_back(network, batch):
    masked, mask = batch
    method = methods.learned_method("mine", network)
    assert (method.name, method.size) == ("mine", 12)
    completed = method(masked, mask)
    assert completed.dtype == np.float32
    missing = mask[..., 0] == 1
    np.testing.assert_array_equal(completed[~missing], masked[~missing])
    np.testing.assert_allclose(completed[missing], [[0.25, 0.5, 0.75]] * missing.sum(), rtol=1e-6)


def test_a_run_is_loaded_by_its_folder_and_named_after_it(network, batch, tmp_path, monkeypatch):
    from recon import runs

    loaded = []
    monkeypatch.setattr(runs, "load_model", lambda folder: loaded.append(folder) or network)
    folder = tmp_path / "pix2pix-cats-12"
    folder.mkdir()
    method = methods.load(str(folder))
    assert loaded == [str(folder)]
    assert (method.name, method.size) == ("pix2pix-cats-12", 12)
    assert method(*batch).shape == (3, 12, 12, 3)
    monkeypatch.chdir(folder)
    assert methods.load(".").name == "pix2pix-cats-12"


@pytest.mark.parametrize("name", ["magic", "Mean", "runs/gone"])
def test_an_unknown_method_is_named_with_those_there_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = "mean, harmonic, telea, biharmonic, unet, diffusion-small, stable-diffusion"
    line = f"unknown method {name!r}: choose from {names}, or name a run"
    with pytest.raises(BadInput) as caught:
        methods.load(name)
    assert str(caught.value).startswith(line)


def test_a_request_to_a_method_that_takes_none_is_refused(network, tmp_path, monkeypatch):
    from recon import runs

    monkeypatch.setattr(runs, "load_model", lambda folder: network)
    for name in ("harmonic", str(tmp_path)):
        with pytest.raises(BadInput, match="takes no prompt"):
            methods.load(name, Request(prompt="a tiger"))


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(BadInput, match="not a training run"):
        methods.load(str(tmp_path))
