"""recon.perceptual: what LPIPS is given, and what is said where it is missing.

torchvision and AlexNet's weights are not in the tests' reach, nor is a download, so modules of the
test stand for the packages: they record what they are given. What the real ones make of it is
theirs.
"""

import hashlib
import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from recon import evaluate, metrics, perceptual  # noqa: F401 (metrics: before torch is a stand-in)
from recon.data import catalog
from recon.errors import BadInput
from recon.methods import Method

WEIGHTS = b"AlexNet's weights"
NAME = f"alexnet-owt-{hashlib.sha256(WEIGHTS).hexdigest()[:8]}.pth"


class Tensor:
    """As much of a PyTorch tensor as is used."""

    def __init__(self, array):
        self.array = array

    def numpy(self):
        return self.array


class Network:
    """Stands for lpips.LPIPS: says 0, 1, 2 … for the photos of a batch."""

    def __init__(self, **options):
        self.options, self.given = options, []

    def __call__(self, *pair):
        self.given.append([tensor.array for tensor in pair])
        count = len(pair[0].array)
        return Tensor(np.arange(count, dtype="float32").reshape(count, 1, 1, 1))


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """Where torchvision's weights lie, empty; the packages are there."""
    modules = {name: ModuleType(name) for name in ("lpips", "torch", "torchvision")}
    models = modules["torchvision.models"] = ModuleType("torchvision.models")
    url = f"https://download.pytorch.org/models/{NAME}"
    models.AlexNet_Weights = SimpleNamespace(IMAGENET1K_V1=SimpleNamespace(url=url))
    torch = modules["torch"]
    torch.hub = SimpleNamespace(get_dir=lambda: str(tmp_path))
    torch.from_numpy, torch.no_grad, torch.Tensor = Tensor, nullcontext, Tensor
    networks = []
    modules["lpips"].LPIPS = lambda **options: networks.append(Network(**options)) or networks[-1]
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return SimpleNamespace(folder=folder, networks=networks)


def test_the_network_sees_whole_photos_channels_first_from_minus_one_to_one(checkpoints, capsys):
    (checkpoints.folder / NAME).write_bytes(WEIGHTS)
    distance = perceptual.load()
    assert capsys.readouterr().out == ""
    photo, completed = np.random.default_rng(0).random((2, 3, 40, 36, 3), dtype="float32")
    np.testing.assert_array_equal(distance(photo, completed), [0, 1, 2])
    (network,) = checkpoints.networks
    assert network.options == {"net": "alex", "verbose": False}
    (given,) = network.given
    for array, source in zip(given, (photo, completed), strict=True):
        assert array.shape == (3, 3, 40, 36)
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        for channel in range(3):
            np.testing.assert_allclose(array[1, channel], source[1, ..., channel] * 2 - 1)


def test_the_mean_over_photos_stands_among_the_figures(checkpoints):
    """Eighteen photos are two batches, of distances 0 to 15 and 0 to 1."""
    (checkpoints.folder / NAME).write_bytes(WEIGHTS)
    table = catalog.split_of(catalog.load("safari"), "test").iloc[:18]
    black = Method("black", lambda masked, mask: masked)
    figures = evaluate.compare([black], table, 32, perceptual.load())["black"]
    assert figures["lpips"] == pytest.approx((sum(range(16)) + 1) / 18)
    first, second = checkpoints.networks[0].given
    assert (len(first[0]), len(second[0])) == (16, 2)
    truth, completed = first
    hole = (completed == -1).all(axis=1)  # black where it is missing, the photo elsewhere
    assert hole.any()
    known = np.broadcast_to(~hole[:, None], truth.shape)
    np.testing.assert_array_equal(completed[known], truth[known])


def test_no_weights_no_network_and_one_line(checkpoints, capsys):
    assert perceptual.load() is None
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert f"put https://download.pytorch.org/models/{NAME} into {checkpoints.folder}" in told
    assert checkpoints.networks == []  # it would have downloaded them


@pytest.mark.parametrize("name", ["lpips", "torch", "torchvision"])
def test_no_package_and_one_line(checkpoints, name, monkeypatch, capsys):
    (checkpoints.folder / NAME).write_bytes(WEIGHTS)
    monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    if name == "torchvision":
        monkeypatch.setitem(sys.modules, "torchvision.models", None)
    assert perceptual.load() is None
    told = capsys.readouterr().out
    assert told.count("\n") == 1
    assert name in told
    assert "pip install -e '.[lpips]'" in told


def test_damaged_weights(checkpoints):
    (checkpoints.folder / NAME).write_bytes(WEIGHTS[:-1])
    with pytest.raises(BadInput, match=f"{NAME}: damaged"):
        perceptual.load()
    assert checkpoints.networks == []
