"""recon.feeding: from the wire to what a model sees, to the bit what the pipeline's examples are.

python tests/test_feeding.py WIRE.npz SEEN.npz    feeds a batch on this process's backend
"""

import recon  # noqa: F401, I001 (first: TensorFlow then starts quietly)
import importlib.util
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from recon import boxes, feeding, models
from recon.data import catalog

SIZE, BASE = 32, 36
PHOTOS = np.random.default_rng(0).integers(0, 256, (5, BASE, BASE, 3), dtype="uint8")
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}
ROUNDED = 0 if keras.backend.backend() == "tensorflow" else 2e-7  # XLA multiplies by 1/255


def travelling(count=3):
    """A batch on the wire, of all photos of which some travel whole: name -> array."""
    generator = np.random.default_rng(1)
    return {
        "index": generator.integers(0, len(PHOTOS), 8, dtype="int32"),
        "cut": generator.integers(0, BASE - SIZE + 1, (8, 2), dtype="int32"),
        "mirrored": generator.random(8) < 0.5,
        "corners": generator.integers(0, SIZE - 9 + 1, (8, count, 2), dtype="int32"),
        "label": np.arange(8, dtype="int32"),
    }


def view(index, cut, mirrored):
    """A square of a photo, the slow way."""
    square = PHOTOS[index, cut[0] : cut[0] + SIZE, cut[1] : cut[1] + SIZE]
    return square[:, ::-1] if mirrored else square


def fed(wire, photos=None):
    """What a model sees of a batch: masked, mask, photo and label."""
    inputs, photo = feeding.Feed(SIZE, photos)(wire)
    return {name: ops.convert_to_numpy(x) for name, x in (inputs | {"photo": photo}).items()}


def test_painted_corners_are_boxes():
    corners = travelling(count=4)["corners"]
    masks = ops.convert_to_numpy(feeding.paint(ops.convert_to_tensor(corners), SIZE))
    for mask, four in zip(masks, corners, strict=True):
        some = [boxes.Box(*corner, boxes.side(SIZE), boxes.side(SIZE)) for corner in four]
        np.testing.assert_array_equal(mask, boxes.rasterise(some, SIZE))


def test_views_are_squares_some_of_them_in_a_mirror():
    wire = travelling()
    where = wire["index"], wire["cut"], wire["mirrored"]
    assert set(wire["mirrored"]) == {True, False}
    seen = ops.convert_to_numpy(feeding.views(PHOTOS, *where, SIZE))
    assert seen.dtype == "uint8"
    np.testing.assert_array_equal(seen, [view(*one) for one in zip(*where, strict=True)])


def enlarged(number, cut, sides, mirrored):
    """A rectangle of a photo, resized by Pillow, which looks beyond its edges too."""
    row, column, height, width = map(int, (*cut, *sides))
    rectangle = (column, row, column + width, row + height)
    planes = [Image.fromarray(plane) for plane in np.moveaxis(PHOTOS[number] / 255.0, -1, 0)]
    planes = [
        plane.convert("F").resize((SIZE, SIZE), Image.Resampling.BILINEAR, rectangle)
        for plane in planes
    ]
    whole = np.stack(planes, axis=-1)
    return whole[:, ::-1] if mirrored else whole


@pytest.mark.parametrize("sides", [(1, SIZE), (SIZE, BASE), (BASE, BASE)])
def test_zoomed_rectangles_are_resized_as_pillow_does(sides):
    wire = travelling()
    generator = np.random.default_rng(2)
    sides = generator.integers(sides[0], sides[1] + 1, (8, 2), dtype="int32")
    cut = generator.integers(0, BASE - sides + 1).astype("int32")
    whole = (PHOTOS / 255).astype("float32")[wire["index"]]
    where = cut, sides, wire["mirrored"]
    seen = ops.convert_to_numpy(feeding.zoomed(*map(ops.convert_to_tensor, (whole, *where)), SIZE))
    expected = [enlarged(*one) for one in zip(wire["index"], *where, strict=True)]
    np.testing.assert_allclose(seen, expected, atol=1e-5)


def test_photos_on_the_device_are_fed_like_those_that_travel():
    wire = travelling()
    whole = {name: wire[name] for name in ("corners", "label")}
    where = zip(wire["index"], wire["cut"], wire["mirrored"], strict=True)
    whole["photo"] = np.stack([view(*one) for one in where])
    resident, sent = fed(wire, PHOTOS), fed(whole)
    assert set(resident) == {"masked", "mask", "label", "photo"}
    for name, value in resident.items():
        np.testing.assert_array_equal(value, sent[name])
    np.testing.assert_array_equal(sent["masked"], sent["photo"] * (1 - sent["mask"]))
    np.testing.assert_allclose(sent["photo"] * 255, whole["photo"], rtol=1e-6)


def test_the_other_backend_feeds_the_same(tmp_path):
    other = OTHER.get(keras.backend.backend())
    if other is None or importlib.util.find_spec(other) is None:
        pytest.skip(f"no other backend than {keras.backend.backend()} is installed")
    np.savez(tmp_path / "wire.npz", **travelling())
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path / "wire.npz"), str(tmp_path / "seen.npz")],
        env={**os.environ, "KERAS_BACKEND": other},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    seen = np.load(tmp_path / "seen.npz")
    for name, value in fed(travelling(), PHOTOS).items():
        np.testing.assert_allclose(seen[name], value, rtol=2e-7, err_msg=name)


# Beside the pipeline's own examples


@pytest.fixture(scope="module")
def table(drawn_folder):
    return catalog.read(drawn_folder)


@pytest.fixture(scope="module")
def watched(table):
    """Photos whose boxes are drawn once."""
    return table[table.split != "train"]


def batches(dataset, count=4):
    return list(dataset.take(count).as_numpy_iterator())


@pytest.mark.parametrize("how", ["files", "cache", "resident"])
def test_a_batch_is_to_the_bit_what_the_pipeline_makes(table, how):
    pipeline = pytest.importorskip("recon.data.pipeline")
    size = 35  # the photos' own side is 40, and 39 that of the jittered ones: they are resized
    labels = np.arange(len(table), dtype="int32")
    options = {"seed": 3, "first_epoch": 2, "labels": labels, "count": 3}
    kept = pipeline.load(table, pipeline.jittered(table, size)) if how == "resident" else None
    wire = pipeline.wire(
        table, size, 6, 3, cache=how == "cache", resident=how == "resident", **options
    )
    feed = feeding.Feed(size, kept)
    examples = batches(pipeline.training(table, size, 6, 3, cache=how != "files", **options))
    for sent, (inputs, photo) in zip(batches(wire), examples, strict=True):
        assert "photo" not in sent or sent["photo"].dtype == "uint8"
        assert "photo" in sent or how == "resident"
        seen, whole = feed(sent)
        np.testing.assert_array_equal(seen["mask"], inputs["mask"])
        np.testing.assert_array_equal(seen["label"], inputs["label"])
        # Files that are resized there keep the parts of a whole number.
        atol = 0.51 / 255 if how == "files" else 0
        np.testing.assert_allclose(whole, photo, rtol=ROUNDED, atol=atol)
        np.testing.assert_allclose(seen["masked"], inputs["masked"], rtol=ROUNDED, atol=atol)


def test_photos_are_enlarged_alike_wherever_they_lie(table):
    pipeline = pytest.importorskip("recon.data.pipeline")
    size, zoom = 32, 1.5
    kept = pipeline.load(table, pipeline.jittered(table, size, zoom))
    assert kept.shape[1:3] == (48, 48)
    options = {"seed": 3, "first_epoch": 2, "count": 3, "zoom": zoom}
    ways = {"files": {}, "cache": {"cache": True}, "resident": {"resident": True}}
    sent = {
        how: batches(pipeline.wire(table, size, 6, 3, **options, **way))
        for how, way in ways.items()
    }
    sides = np.concatenate([one["sides"] for one in sent["cache"]])
    assert 32 / (4 / 3) ** 0.5 - 1 <= sides.min() < sides.max() <= 48
    assert (sides[:, 0] != sides[:, 1]).any()
    for files, cache, resident in zip(*sent.values(), strict=True):
        one, other, last = (
            feeding.Feed(size, kept if wire is resident else None)(wire)
            for wire in (files, cache, resident)
        )
        np.testing.assert_array_equal(other[1], last[1])
        np.testing.assert_allclose(one[1], other[1], atol=1.1 / 255)  # bytes, rounded elsewhere
        assert one[1].shape == (6, size, size, 3)
        for way in (one, other, last):
            np.testing.assert_array_equal(way[0]["mask"], one[0]["mask"])
            seen = way[1] * (1 - way[0]["mask"])
            np.testing.assert_array_equal(way[0]["masked"], seen)


def test_every_colour_is_raised_to_its_power():
    photo = np.random.default_rng(0).random((2, 4, 4, 3), "float32")
    photo[0, 0, 0], photo[0, 0, 1] = 0, 1
    powers = np.array([[1, 1, 1], [0.5, 2, 1]], "float32")
    changed = ops.convert_to_numpy(feeding.adjust_gamma(photo, powers))
    np.testing.assert_allclose(changed[0], photo[0], rtol=1e-5)
    for channel, expected in enumerate([photo[1] ** 0.5, photo[1] ** 2, photo[1]]):
        np.testing.assert_allclose(
            changed[1, ..., channel], expected[..., channel], rtol=1e-5, atol=1e-7
        )


def test_photos_are_made_darker_and_brighter_and_nothing_else_changes(table):
    pipeline = pytest.importorskip("recon.data.pipeline")
    feed = feeding.Feed(SIZE)
    usual, varied = (
        batches(pipeline.wire(table, SIZE, 3, 2, seed=1, gamma=gamma)) for gamma in (0.0, 0.7)
    )
    assert len(varied) > 0
    for one, other in zip(usual, varied, strict=True):
        powers = other["powers"]
        assert powers.shape == (3, 3)
        assert len(np.unique(powers)) == powers.size
        (_, photo), (seen, changed) = feed(one), feed(other)
        expected = ops.convert_to_numpy(photo) ** powers[:, None, None, :]
        np.testing.assert_allclose(changed, expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(seen["mask"], feed(one)[0]["mask"])
        hidden = ops.convert_to_numpy(changed) * (1 - ops.convert_to_numpy(seen["mask"]))
        np.testing.assert_array_equal(seen["masked"], hidden)


def test_drawn_photos_are_never_enlarged():
    pipeline = pytest.importorskip("recon.data.pipeline")
    rows = catalog.split_of(catalog.safari_table(), "train").iloc[:4]
    usual, zoomed = (batches(pipeline.wire(rows, SIZE, 2, 2, zoom=zoom), 2) for zoom in (0.0, 1.5))
    for one, other in zip(usual, zoomed, strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, one, other)


def test_photos_of_validation_are_fed_with_the_tables_own_boxes(watched):
    pipeline = pytest.importorskip("recon.data.pipeline")
    feed, labels = feeding.Feed(SIZE), np.arange(len(watched), dtype="int32")
    sent = batches(pipeline.fixed_wire(watched, SIZE, 2, labels))
    examples = batches(pipeline.fixed(watched, SIZE, 2, labels))
    assert len(sent) == len(examples) > 0
    for one, (inputs, photo) in zip(sent, examples, strict=True):
        seen, whole = feed(one)
        np.testing.assert_allclose(whole, photo, rtol=ROUNDED)
        assert set(seen) == set(inputs)
        for name, value in inputs.items():
            np.testing.assert_allclose(seen[name], value, rtol=ROUNDED)


# Models


def trained(table, watched, how):
    """The tiny model after two epochs, and their history."""
    from tiny_model import Tiny

    from recon.data import pipeline

    keras.utils.set_random_seed(0)
    model = Tiny(SIZE)
    model.compile(keras.optimizers.SGD(0.1))  # Adam makes much of rounding
    options = {"epochs": 2, "steps_per_epoch": 3, "shuffle": False, "verbose": 0}
    if how == "bare":
        examples = pipeline.training(table, SIZE, 4, 3, cache=True)
        history = model.fit(examples, **options, validation_data=pipeline.fixed(watched, SIZE, 4))
        return model, history.history
    resident = how == "resident"
    base = pipeline.jittered(table, SIZE)
    whole = feeding.Fed(model, pipeline.load(table, base) if resident else None)
    wire = pipeline.wire(table, SIZE, 4, 3, cache=True, resident=resident)
    history = whole.fit(wire, **options, validation_data=pipeline.fixed_wire(watched, SIZE, 4))
    return model, history.history


@pytest.fixture(scope="module")
def bare(table, watched):
    pytest.importorskip("tensorflow")
    return trained(table, watched, "bare")


@pytest.mark.parametrize("how", ["wire", "resident"])
def test_a_fed_model_learns_what_it_learns_by_itself(table, watched, bare, how):
    model, history = trained(table, watched, how)
    assert set(history) == set(bare[1]) == {"loss", "rmse", "val_loss", "val_rmse"}
    for name, values in bare[1].items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5)
    for own, other in zip(model.get_weights(), bare[0].get_weights(), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)


def test_what_is_saved_is_the_model_without_the_photos(tmp_path):
    from tiny_model import Tiny

    model = Tiny(SIZE)
    model.compile("adam")
    whole = feeding.Fed(model, PHOTOS)
    whole({name: value for name, value in travelling().items() if name != "label"})
    whole.save(tmp_path / "fed.keras")
    model.save(tmp_path / "bare.keras")
    sizes = [
        {file.filename: file.file_size for file in zipfile.ZipFile(tmp_path / name).infolist()}
        for name in ("fed.keras", "bare.keras")
    ]
    assert sizes[0] == sizes[1]
    loaded = keras.saving.load_model(tmp_path / "fed.keras")
    assert type(loaded) is Tiny
    for own, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("name", [name for name in models.MODELS if name != "tiny"])
def test_every_model_can_be_fed(name):
    module = models.find(name)
    size = min(module.SIZES)
    objective = module.recipe(size).get("objective")
    model = module.build(size, *([objective] if objective else []))
    model.compile("adam")
    whole = feeding.Fed(model)
    wire = {
        "photo": np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype="uint8"),
        "corners": np.array([[[0, 0], [3, 4]], [[5, 0], [1, 1]]], "int32"),
    }
    if hasattr(module, "labels"):
        wire["label"] = np.array([0, 1], "int32")
    said = whole(wire, training=True)
    loss = whole.compute_loss(wire, None, said)
    found = whole.compute_metrics(wire, None, said)
    assert said["guess"].shape == said["photo"].shape
    assert np.isfinite(ops.convert_to_numpy(loss))
    assert [v.path for v in whole.trainable_variables] == [
        v.path for v in model.trainable_variables
    ]
    assert set(found) == {metric.name for metric in model.metrics}


if __name__ == "__main__":
    np.savez(sys.argv[2], **fed(dict(np.load(sys.argv[1])), PHOTOS))
