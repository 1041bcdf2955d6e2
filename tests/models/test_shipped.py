"""The weights that come with the package, and the file that holds them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from keras import ops
from safetensors.numpy import save_file

from benchmarks import shipped as figures
from recon import classical, commandline, evaluate, methods
from recon.data import catalog
from recon.errors import BadInput
from recon.models import shipped, unet

CARD = Path(shipped.__file__).with_name("UNET.md")
RESULTS = Path(figures.__file__).parent / "results" / "shipped.json"


@pytest.fixture(scope="module")
def small():
    """A U-Net of 32×32 photos whose weights are all drawn."""
    rng = np.random.default_rng(0)
    model = unet.UNet(32, 2, (8, 16))
    for weight in model.network.weights:
        weight.assign(rng.uniform(0.1, 0.5, weight.shape))
    return model


def test_what_is_saved_is_loaded(small, tmp_path):
    shipped.save(tmp_path / "a.safetensors", small)
    again = shipped.load(tmp_path / "a.safetensors")
    assert again.settings == small.settings
    for one, other in zip(small.network.weights, again.network.weights, strict=True):
        one, other = ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        if one.ndim > 1:
            np.testing.assert_allclose(one, other, rtol=2**-11)  # float16's nearest number
        else:
            np.testing.assert_array_equal(one, other)


def test_a_file_that_is_no_unets_is_named(small, tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(BadInput, match=r"a\.safetensors: not a U-Net's weights"):
        shipped.load(path)
    shipped.save(path, small)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(BadInput, match="not a U-Net's weights"):
        shipped.load(path)
    save_file({"x": np.zeros(3, "float32")}, path)
    with pytest.raises(BadInput, match="not a U-Net's weights"):
        shipped.load(path)
    save_file({"x": np.zeros(3, "float32")}, path, {"unet": json.dumps(small.settings)})
    with pytest.raises(BadInput, match="not a U-Net's weights"):
        shipped.load(path)


def test_only_a_finished_run_of_unet_is_shipped(tiny_run, tmp_path, capsys):
    out = tmp_path / "a.safetensors"
    with pytest.raises(SystemExit):
        commandline.run(shipped.ship, [str(tiny_run), str(out)])
    assert "a run of tiny, not of unet" in capsys.readouterr().err
    assert not out.exists()


def test_the_file_is_small_and_in_the_package():
    assert shipped.PATH.stat().st_size <= 16e6
    assert shipped.PATH.parent == Path(unet.__file__).parent


@pytest.fixture(scope="module")
def method():
    return methods.load("unet")


def test_the_shipped_network_beats_harmonic_on_drawn_photos(method):
    """Held-out ones: 24 of them, boxes as they are fixed for the test split."""
    table = catalog.split_of(catalog.load("safari"), "test").iloc[:24]
    scores = evaluate.compare([methods.load("harmonic"), method], table, 256)
    assert scores["unet"]["rmse"] < 0.95 * scores["harmonic"]["rmse"]


def test_known_pixels_stay(method):
    rng = np.random.default_rng(0)
    mask = np.zeros((1, 128, 128, 1), "float32")
    mask[:, 30:60, 50:90] = 1
    masked = rng.random((1, 128, 128, 3), "float32") * (1 - mask)
    completed = method(masked, mask)
    np.testing.assert_array_equal(completed[mask[..., 0] == 0], masked[mask[..., 0] == 0])
    assert np.isfinite(completed).all()


def test_grey_with_a_hole_stays_about_grey(method):
    mask = np.zeros((1, 128, 128, 1), "float32")
    mask[:, 40:78, 40:78] = 1
    masked = 0.5 * np.ones((1, 128, 128, 3), "float32") * (1 - mask)
    fill = classical.harmonic(masked[0], mask[0])
    assert np.abs(method(masked, mask)[0] - fill).max() < 0.1


def test_the_card_states_the_measured_figures():
    result = json.loads(RESULTS.read_text())
    card = " ".join(CARD.read_text().split())
    animals = result["animals"]
    readme = " ".join((RESULTS.parents[2] / "README.md").read_text().split())
    assert f"it comes {-figures.gain(animals):.1f} % below the harmonic fill" in readme
    assert f"{figures.gain(animals):+.1f} %" in card
    for kind in animals["unet"]["rmse_by_class"]:
        row = re.search(rf"\| {kind} \| (\S+) \| (\S+) \| (\S+) % \|", card)
        assert row, kind
        assert row[1] == f"{animals['harmonic']['rmse_by_class'][kind]:.4f}"
        assert row[2] == f"{animals['unet']['rmse_by_class'][kind]:.4f}"
        assert row[3] == f"{figures.gain(animals, kind):+.1f}"
        assert figures.gain(animals, kind) < 0  # never worse than harmonic, on any class
