"""What `benchmarks.gpu` counts and draws, and its trainings, run through at tiny size on a CPU."""

import functools
import json
import types

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from benchmarks import carry, gpu, gpu_training, gpu_work
from recon import boxes
from recon.data import pipeline, plan
from recon.errors import BadInput
from recon.models import shipped
from recon.models.pix2pix import widths


def multiplications(layer: gpu_work.Convolution) -> int:
    """Count as a convolution goes: every pixel, every place of the kernel, every pair of channels.

    A transposed one stamps where the other sums up: the same loops.
    """
    count = 0
    for _ in range(layer.side**2):
        for _ in range(layer.kernel**2):
            for _ in range(layer.channels_in):
                count += layer.channels_out
    return count


@pytest.mark.parametrize(
    "layer", [gpu_work.Convolution(4, 3, 5, 6), gpu_work.Convolution(2, 1, 1, 1)]
)
def test_a_convolutions_operations_are_multiplications_and_as_many_additions(layer):
    assert layer.operations() == 2 * multiplications(layer)


@pytest.mark.parametrize(("size", "narrow", "widest", "judge"), [(32, 4, 8, 4), (64, 6, 16, 2)])
def test_operations_of_a_training_step_are_those_that_pytorch_counts(size, narrow, widest, judge):
    torch = pytest.importorskip("torch", reason="the extra bench")
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks import peers

    model = peers.Pix2Pix(size, narrow, widest, judge)
    photo, mask = torch.rand(2, 3, size, size), torch.ones(2, 1, size, size)
    with FlopCounterMode(display=False) as counter:
        model(photo * 0, mask, photo).backward()
    counted = gpu_work.training(size, widths(size, narrow, widest), judge)
    assert 2 * counted == counter.get_total_flops()


def test_the_papers_pix2pix_takes_87_billion_operations_a_photo():
    assert gpu_work.training(256, widths(256), 64) == 87_208_493_056


def test_the_chips_rate_is_the_most_particular_ones():
    assert gpu_work.peak("NVIDIA H200") == 989e12
    assert gpu_work.peak("NVIDIA H100 PCIe") == 756e12
    assert gpu_work.peak("NVIDIA H100 80GB HBM3") == 989e12
    assert gpu_work.peak("some chip", 3.5) == 3.5e12
    with pytest.raises(BadInput, match="its matrix rate is not listed"):
        gpu_work.peak("some chip")


# The plan that NumPy draws, beside the pipeline's ------------------------------------------------

SIZE, SPARE, PHOTOS, BATCH, STEPS, EPOCHS = 16, 2, 7, 3, 40, 5


def drawn_by_numpy() -> dict[str, np.ndarray]:
    """All of some epochs."""
    photos = np.zeros((PHOTOS, SIZE + SPARE, SIZE + SPARE, 3), "uint8")
    batches = [
        batch
        for number in range(EPOCHS)
        for batch in plan.epoch(photos, SIZE, BATCH, STEPS, 3, number, 2)
    ]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def drawn_by_tensorflow() -> dict[str, np.ndarray]:
    """Likewise."""
    orders, rows = [], []
    for number in range(EPOCHS):
        order, keys = pipeline.epoch_plan(PHOTOS, STEPS, BATCH, 3, number)
        orders.append(order.numpy())
        rows.append(tf.map_fn(lambda key: pipeline.choices(key, SPARE, SIZE, 2), keys, OUTPUT))
    drawn = {name: np.concatenate([row[name].numpy() for row in rows]) for name in rows[0]}
    return drawn | {"index": np.concatenate(orders)}


OUTPUT = {"cut": tf.int32, "mirrored": tf.bool, "corners": tf.int32}
PLACES = {  # what is drawn, and how many values are equally likely
    "index": PHOTOS,
    "cut": SPARE + 1,
    "mirrored": 2,
    "corners": SIZE - boxes.side(SIZE) + 1,
}


@pytest.fixture(scope="module")
def drawings():
    return {"numpy": drawn_by_numpy(), "tensorflow": drawn_by_tensorflow()}


@pytest.mark.parametrize("name", PLACES)
def test_every_value_is_as_likely_in_numpys_plan_as_in_the_pipelines(name, drawings):
    for drawn in drawings.values():
        values = drawn[name]
        columns = values.reshape(len(values), -1).T.astype(int)  # rows and columns by themselves
        for column in columns:
            counts = np.bincount(column, minlength=PLACES[name])
            assert len(counts) == PLACES[name]
            assert stats.chisquare(counts).pvalue > 1e-3  # the seed is fixed: it passes or not
        for a in range(len(columns)):  # and what is drawn beside is no help to guess it
            for b in range(a):
                pairs = np.zeros((PLACES[name], PLACES[name]))
                np.add.at(pairs, (columns[a], columns[b]), 1)
                assert stats.chi2_contingency(pairs).pvalue > 1e-3


def test_both_plans_enlarge_alike():
    """Sides, and places that each of them leaves."""
    zoom, side = 1.5, 24
    photos = np.zeros((PHOTOS, side, side, 3), "uint8")
    batches = list(plan.epoch(photos, SIZE, BATCH, 400, 3, 0, 2, zoom))
    ours = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    _, keys = pipeline.epoch_plan(PHOTOS, 400, BATCH, 3, 0)
    types = OUTPUT | {"sides": tf.int32}
    choose = functools.partial(pipeline.choices, spare=side - SIZE, size=SIZE, count=2, zoom=zoom)
    theirs = {name: rows.numpy() for name, rows in tf.map_fn(choose, keys, types).items()}
    assert set(theirs) == set(ours) - {"index"}
    for name, rows in theirs.items():
        assert (rows.shape, rows.dtype) == (ours[name].shape, ours[name].dtype)
    for drawn in (ours, theirs):
        smallest = side / zoom / (4 / 3) ** 0.5
        assert smallest - 1 <= drawn["sides"].min() < smallest + 1
        assert drawn["sides"].max() == side
        factor = side / drawn["sides"]
        stretch = np.log(factor[:, 0] / factor[:, 1]) / np.log(4 / 3)
        assert abs(stretch.mean()) < 0.02
        assert -1.2 < stretch.min() < -0.8  # but for whole pixels
        assert 0.8 < stretch.max() < 1.2
        # No side is larger than the photo, so that factors below 1 count as 1.
        middle = factor.prod(axis=1) ** 0.5
        assert abs(middle.mean() - (1 + zoom) / 2) < 0.03
        assert (drawn["cut"] >= 0).all()
        assert (drawn["cut"] + drawn["sides"] <= side).all()
        room = side - drawn["sides"]
        place = (drawn["cut"] / np.maximum(room, 1))[room > 0]
        assert abs(place.mean() - 0.5) < 0.03
        assert place.min() == 0
        assert place.max() == 1
    for axis in range(2):
        pair = (drawn["sides"][:, axis] for drawn in (ours, theirs))
        assert stats.ks_2samp(*pair).pvalue > 1e-3
    assert stats.ks_2samp(ours["cut"][:, 0], theirs["cut"][:, 0]).pvalue > 1e-3


def test_both_plans_make_photos_darker_and_brighter_alike():
    gamma, photos = 0.6, np.zeros((PHOTOS, SIZE + SPARE, SIZE + SPARE, 3), "uint8")
    batches = plan.epoch(photos, SIZE, BATCH, 400, 3, gamma=gamma)
    ours = np.concatenate([batch["powers"] for batch in batches])
    _, keys = pipeline.epoch_plan(PHOTOS, 400, BATCH, 3, 0)
    choose = functools.partial(pipeline.choices, spare=SPARE, size=SIZE, count=2, gamma=gamma)
    theirs = tf.map_fn(choose, keys, OUTPUT | {"powers": tf.float32})["powers"].numpy()
    assert ours.shape == theirs.shape == (400 * BATCH, 3)
    assert ours.dtype == theirs.dtype == "float32"
    for powers in (ours, theirs):
        exponents = np.log(powers)
        assert 0.9 * gamma < np.abs(exponents).max() < 4 / 3 * gamma + 1e-6
        assert np.abs(exponents.mean(axis=0)).max() < 0.1 * gamma
        apart = exponents - exponents[:, ::-1]  # red less blue: twice a third at most
        assert 0.5 * gamma < np.abs(apart).max() < 2 / 3 * gamma + 1e-6
    for values in (lambda p: p[:, 0], lambda p: p[:, 1] / p[:, 2]):
        assert stats.ks_2samp(values(ours), values(theirs)).pvalue > 1e-3


def test_both_plans_have_the_same_shapes_and_types(drawings):
    shapes = [
        {name: (rows.shape, rows.dtype) for name, rows in sorted(drawn.items())}
        for drawn in drawings.values()
    ]
    assert shapes[0] == shapes[1]


def test_no_batch_holds_a_photo_twice(drawings):
    for drawn in drawings.values():
        assert all(len(set(batch)) == BATCH for batch in drawn["index"].reshape(-1, BATCH))


def test_an_epochs_plan_is_a_function_of_seed_and_number():
    photos = np.zeros((4, 20, 20, 3), "uint8")

    def first(*key):
        return next(plan.epoch(photos, 16, 2, 1, *key))["corners"].tolist()

    assert first(1, 0) == first(1, 0)
    assert first(1, 0) != first(1, 1)
    assert first(1, 0) != first(2, 0)


def test_fewer_photos_than_a_batch_come_again():
    order = plan.order(2, 3, 5, np.random.default_rng(0))
    assert order.shape == (15,)
    assert set(order) == {0, 1}


# Trainings ---------------------------------------------------------------------------------------


def options(*words):
    """As the command line gives them, tiny."""
    given = gpu.arguments().parse_args(["--tiny", *words])
    vars(given).update(gpu_training.TINY)
    return given


@pytest.fixture
def eager():
    """Without graphs: a few steps of a tiny network take less than the tracing of one."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("eager")
def test_the_unet_is_trained_on_resident_photos_and_kept(drawn_folder, tmp_path):
    path = tmp_path / "weights" / "unet.safetensors"
    given = options("--data", str(drawn_folder), "--weights", str(path))
    result = gpu_training.unet(given)
    assert (result["photos"], result["photos_seen"]) == (8, 8)
    assert len(result["rmse"]) == len(result["val_rmse"]) == 1
    assert path.stat().st_size < 4 * result["parameters"]
    assert shipped.load(path).settings == result["settings"]
    assert "test" not in result


@pytest.mark.usefixtures("eager")
def test_a_unet_that_is_not_kept_is_compared(drawn_folder):
    given = options("--data", str(drawn_folder))
    assert 0 < gpu_training.unet(given)["test"]["network"] < 1


def test_a_folders_rows_are_repeated_to_as_many_as_the_report_had():
    table = gpu_training.pd.DataFrame({"path": ["a", "b", "c"]})
    assert "".join(gpu_training.repeated(table, 7).path) == "abcabca"


# What is told ------------------------------------------------------------------------------------


def test_a_failed_part_is_told_and_kept_and_the_others_go_on(capsys):
    result = {}
    with gpu.told("step", result):
        raise RuntimeError("out of memory\nat length")
    assert result == {"step_error": "RuntimeError: out of memory\nat length"}
    assert "step: failed" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt), gpu.told("step", result):
        raise KeyboardInterrupt


def test_kernels_are_told_apart_by_name():
    kinds = {
        "sm90_xmma_fprop_implicit_gemm_bf16bf16_f32": "matrices",
        "nvjet_tst_128x256_64x4": "matrices",
        "void cudnn::ops::nchwToNhwcKernel<float>": "moves",
        "MemcpyD2D": "moves",
        "loop_multiply_fusion_3": "rest",
    }
    assert {name: gpu.kind_of(name) for name in kinds} == kinds
    summed = gpu.summed([(name, 2.0, 4) for name in kinds], 2)
    assert summed["ms"] == {"matrices": 2.0, "moves": 2.0, "rest": 1.0}
    assert summed["longest"][0]["calls"] == 2


RESULT = {
    "tiny": False,
    "machine": {"gpu": ["NVIDIA H200"]},
    "step": {
        "batches": [
            {"batch": 8, "photos_per_second": 900.0, "share_of_peak": 0.1},
            {"batch": 64, "photos_per_second": 3000.0, "share_of_peak": 0.264},
        ],
        "beside": [
            {"batch": 64, "recon_photos_per_second": 3000.0, "faster_than_torch": 1.234},
        ],
    },
    "training": {"photos": 5600, "epochs": 50, "seconds": 123.4, "tuned_before": True},
}


def test_lines_of_the_table_come_from_the_figures_alone():
    first, second, third = gpu.rows(json.loads(json.dumps(RESULT)))
    assert first[:2] == (
        "pix2pix-256, training step on one NVIDIA H200, batch 64",
        "3,000 photos/s, 26% of its matrix rate",
    )
    assert second[1:3] == ("1.23 times as fast", "≥ 1")
    assert third[0].endswith("on one NVIDIA H200, XLA's tuning kept from before")
    assert third[1:3] == ("123 s", "< 180 s")
    assert gpu.rows({"tiny": True}) == []


def test_figures_of_other_parts_are_kept_on_the_same_chip_only(tmp_path):
    path = tmp_path / "gpu.json"
    path.write_text(json.dumps(RESULT))
    assert gpu.before(path, {"gpu": ["NVIDIA H200"]}) == RESULT
    assert gpu.before(path, {"gpu": []}) == {}
    assert gpu.before(tmp_path / "none.json", {"gpu": []}) == {}


def test_without_a_gpu_it_says_so(monkeypatch):
    monkeypatch.setattr(gpu.measure, "missing", lambda *names: None)
    monkeypatch.setitem(
        gpu.sys.modules, "jax", types.SimpleNamespace(default_backend=lambda: "cpu")
    )
    assert "needs a GPU" in gpu.needs()


# What is carried ---------------------------------------------------------------------------------


def test_photos_are_carried_as_they_are_and_those_to_train_on_as_jpegs_where_smaller(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")
    for name in ("a.jpg", "b.jpg", "a.png", "d.png"):
        carry.photos.write(folder / name, noise)
    carry.photos.write(folder / "e.png", np.zeros((64, 64, 3), "uint8"))
    rows = [
        f"{name},{split},own"
        for name, split in zip(
            ("a.jpg", "b.jpg", "a.png", "d.png", "e.png"),
            ("train", "test", "train", "val", "train"),
            strict=True,
        )
    ]
    (folder / "manifest.csv").write_text("\n".join(["path,split,licence", *rows]) + "\n")
    carry.pack(folder, tmp_path / "same", None)
    carry.pack(folder, tmp_path / "smaller", 50)
    before, same, smaller = (
        {p.name: p.stat().st_size for p in (tmp_path / name).iterdir()}
        for name in ("photos", "same", "smaller")
    )
    assert same == before
    changed = {"a.jpg", "a.png.jpg", "manifest.csv"}  # an e.png.jpg would be larger
    assert {name for name in smaller if smaller[name] != before.get(name)} == changed
    assert smaller["a.jpg"] < before["a.jpg"]
    assert smaller["a.png.jpg"] < before["a.png"]
    paths = [cells["path"] for _, cells in carry.tables.read(tmp_path / "smaller/manifest.csv", ())]
    assert paths == ["a.jpg", "b.jpg", "a.png.jpg", "d.png", "e.png"]
