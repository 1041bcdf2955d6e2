"""python -m recon.evaluate: its figures by slow loops, its table, its files, its refusals."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from recon import boxes, classical, commandline, evaluate, methods, restore
from recon.boxes import Box
from recon.data import catalog, photos
from recon.errors import BadInput
from recon.methods import Method

SIZE = 32
HARMONIC = methods.classical_method("harmonic")


def run(*arguments):
    """Exit code of `python -m recon.evaluate`, without a process of its own."""
    try:
        commandline.run(evaluate.evaluate, [str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


def error_of(capsys, *arguments):
    """The one line of an error, its code being 2."""
    assert run(*arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Eighteen noisy photos, more than are completed at once; boxes overlap in every other."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    pairs = []
    for number in range(18):
        ramp = np.linspace(20, 200, SIZE)[:, None, None] + generator.normal(0, 20, (SIZE, SIZE, 3))
        photos.write(folder / f"{number:02}.png", np.clip(ramp, 0, 255).astype("uint8"))
        row, column = generator.integers(0, 8, 2)
        step = 4 if number % 2 else 15
        pairs.append((Box(row, column, 9, 9), Box(row + step, column + step, 9, 9)))
    found = catalog.read(folder)
    return found.assign(split="test", boxes=pd.Series(pairs, dtype=object), frame=SIZE)


# Figures


def stretched(photo):
    """Every channel from 0 to 1."""
    low, high = photo.min(axis=(0, 1)), photo.max(axis=(0, 1))
    return (photo - low) / (high - low)


def slow_figures(method, table):
    """Row by row of a submission, as the challenge scores it."""
    squares, stretched_squares, distances, psnrs, ssims = [], [], [], [], []
    steps, true_steps = [], []
    for row in table.itertuples():
        photo = photos.read(row.path).astype("float64") / 255
        mask = boxes.rasterise(row.boxes, SIZE).astype("float64")
        completed = method((photo * (1 - mask))[None].astype("float32"), mask[None])[0]
        completed = completed.astype("float64")
        for box in row.boxes:  # a pixel in two boxes is asked for twice
            for r in range(box.row, box.row + box.height):
                for c in range(box.column, box.column + box.width):
                    squares += list((photo[r, c] - completed[r, c]) ** 2)
                    distances += list(abs(photo[r, c] - completed[r, c]))
                    stretched_squares += list((stretched(photo) - stretched(completed))[r, c] ** 2)
        for r, c in np.argwhere(mask[..., 0] == 1):
            for below in ((r + 1, c), (r, c + 1)):
                if max(below) < SIZE and mask[below] == 1:
                    steps += list(abs(completed[below] - completed[r, c]))
                    true_steps += list(abs(photo[below] - photo[r, c]))
        psnrs.append(10 * np.log10(1 / ((photo - completed) ** 2).mean()))
        ssims.append(
            structural_similarity(
                *(photo, completed),
                channel_axis=-1,
                data_range=1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        )
    return {
        "rmse": np.mean(squares) ** 0.5,
        "rmse_minmax": np.mean(stretched_squares) ** 0.5,
        "mae": np.mean(distances),
        "psnr": np.mean(psnrs),
        "ssim": np.mean(ssims),
        "detail": sum(steps) / sum(true_steps),
    }


def test_figures_are_those_of_slow_loops(table):
    some = table.iloc[[0, 1, 3, 5]].reset_index(drop=True)
    assert any((boxes.coverage(pair, SIZE) > 1).any() for pair in some.boxes)  # some overlap
    figures = evaluate.compare([HARMONIC], some, SIZE)["harmonic"]
    assert figures.pop("ms_per_photo") > 0
    assert figures.pop("rmse_over_harmonic") == [1, 1]  # it is harmonic itself
    assert figures == pytest.approx(slow_figures(HARMONIC, some), rel=1e-4)


def test_a_class_has_the_figures_of_its_photos_alone(table):
    mixed = table.assign(**{"class": ["cats", "dogs", "cats"] * 6})
    figures = evaluate.compare([HARMONIC], mixed, SIZE)["harmonic"]["rmse_by_class"]
    assert set(figures) == {"cats", "dogs"}
    for kind, rmse in figures.items():
        alone = evaluate.compare([HARMONIC], mixed[mixed["class"] == kind], SIZE)["harmonic"]
        assert rmse == pytest.approx(alone["rmse"], rel=1e-6)
        assert "rmse_by_class" not in alone  # it would be rmse again


def test_squares_are_pooled_over_batches(table):
    """18 photos are two batches: as if each had been completed by itself."""
    whole = evaluate.compare([HARMONIC], table, SIZE)["harmonic"]
    alone = [evaluate.compare([HARMONIC], table.iloc[[n]], SIZE)["harmonic"] for n in range(18)]
    squares = np.mean([one["rmse"] ** 2 for one in alone])  # equally many pixels in each
    assert whole["rmse"] == pytest.approx(squares**0.5, rel=1e-5)
    assert whole["rmse"] != pytest.approx(np.mean([one["rmse"] for one in alone]), rel=1e-5)
    assert whole["ssim"] == pytest.approx(np.mean([one["ssim"] for one in alone]), rel=1e-5)


def test_a_method_without_error_has_none(table):
    truth = {}
    for photo, weight in evaluate.batches(table, SIZE):
        for one, count in zip(photo, weight, strict=True):
            truth[(one * (1 - np.minimum(count, 1))).tobytes()] = one
    oracle = Method("oracle", lambda masked, mask: np.stack([truth[m.tobytes()] for m in masked]))
    figures = evaluate.compare([oracle], table, SIZE)["oracle"]
    figures.pop("ms_per_photo")
    assert figures.pop("detail") == pytest.approx(1)
    assert figures == {"rmse": 0, "rmse_minmax": 0, "mae": 0, "psnr": 100, "ssim": 1}


def test_the_interval_holds_the_quotient_and_narrows_with_more_photos(table):
    mean = methods.load("mean")
    widths = []
    for count in (4, 18):
        scores = evaluate.compare([mean, HARMONIC], table.iloc[:count], SIZE)
        low, high = scores["mean"]["rmse_over_harmonic"]
        assert low < scores["mean"]["rmse"] / scores["harmonic"]["rmse"] < high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_a_network_is_compiled_outside_the_time_that_is_measured(table):
    """It meets every batch's shape once before the clock starts; a fill works once."""
    shapes = {"network": [], "fill": []}

    def method(name, size):
        def complete(masked, mask):
            shapes[name].append(len(masked))
            return classical.paste(masked, mask, masked)

        return Method(name, complete, size)

    evaluate.compare([method("network", SIZE), method("fill", None)], table, SIZE)
    assert shapes == {"network": [16, 16, 2, 2], "fill": [16, 2]}


def test_windows_of_all_photos_come_together_and_are_compiled_outside_the_time(table):
    """The batch is completed once before the clock starts, and once on it."""
    seen = []

    def complete(masked, mask):
        seen.append(masked.shape)
        return classical.paste(masked, mask, masked)

    evaluate.compare([Method("network", complete, 16)], table.iloc[:3], SIZE)
    assert seen[0] == (3, 16, 16, 3)
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]


def test_training_photos_get_boxes_that_stay(drawn_folder):
    train = catalog.split_of(catalog.read(drawn_folder), "train")
    boxed = evaluate.with_boxes(train, seed=5)
    assert [len(pair) for pair in boxed.boxes] == [2] * len(train)
    expected = boxes.fixed(5, train.file[3], train.frame[3])
    assert evaluate.with_boxes(train.iloc[3:], seed=5).boxes.iloc[0] == expected


def test_boxes_and_masks_that_are_there_stay(table):
    kept = evaluate.with_boxes(table, seed=5)
    assert list(kept.boxes) == list(table.boxes)
    masked = table.assign(boxes=None, mask="mask.png")
    assert evaluate.with_boxes(masked, seed=5).boxes.isna().all()


def test_rows_are_spread_over_a_table():
    assert evaluate.spread(100, 5) == [0, 24, 49, 74, 99]
    assert evaluate.spread(3, 6) == [0, 1, 2]
    assert evaluate.spread(1, 6) == [0]


# The command


def test_the_table_names_every_method_and_the_best_comes_last(drawn_folder, capsys):
    assert run("--data", drawn_folder, "--size", SIZE, "--split", "train") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert f"{drawn_folder}, train split: 10 photos at 32×32" in shown.out
    whole, by_class = (
        [line.split("│") for line in part.splitlines() if "│" in line]
        for part in shown.out.split("RMSE by class")
    )
    assert [row[1] for row in by_class] == [row[1] for row in whole]
    assert {len(row) for row in by_class} == {2 + 1 + 4}  # the borders, the name, four classes
    rows = whole
    names = [row[1].strip() for row in rows]
    assert sorted(names) == sorted(classical.FILLS)
    errors = [float(row[2]) for row in rows]
    assert errors == sorted(errors, reverse=True)
    assert rows[names.index("harmonic")][3].strip() == "+0.0%"
    assert re.fullmatch(
        r"\+\d+\.\d% \(.\d+\.\d% to \+\d+\.\d%\)", rows[names.index("mean")][3].strip()
    )


def test_a_run_is_compared_and_its_figures_are_the_reports(tiny_run, drawn_folder, tmp_path):
    out = tmp_path / "results"
    options = ("--data", drawn_folder, "--methods", "mean", tiny_run, "--out", out)
    assert run(*options) == 0  # the size is the run's
    report = json.loads((out / "report.json").read_text())
    assert set(report) == {"data", "size", "split", "photos", "methods"}
    assert (report["size"], report["split"]) == (SIZE, "test")
    trained = json.loads((tiny_run / "report.json").read_text())["methods"]
    for name in ("mean", "tiny"):
        for figure in set(trained[name]) - {"ms_per_photo", "rmse_over_harmonic"}:
            assert report["methods"][name][figure] == trained[name][figure]
    with Image.open(out / "samples.png") as picture:
        assert min(picture.size) > 100


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--methods", "magic"), "unknown method 'magic': choose from mean, harmonic, telea"),
        (("--methods", "mean", "mean"), "two methods are called mean"),
        (("--size", 8), "--size 8: must be 16 or more"),
        (("--data", "safari", "--size", 20), "--size 20: photos are drawn from 32 to 512"),
        (("--split", "hidden"), "--split"),
        (("--data", "/nowhere"), "/nowhere: no such folder"),
    ],
)
def test_what_cannot_be_meant_is_one_line(drawn_folder, tmp_path, arguments, told, capsys):
    out = tmp_path / "results"
    options = ("--data", drawn_folder) if "--data" not in arguments else ()
    assert told in error_of(capsys, *options, *arguments, "--out", out)
    assert not out.exists()


def test_a_run_of_another_size_is_measured_as_restore_completes(tiny_run, drawn_folder, tmp_path):
    out = tmp_path / "results"
    options = ("--data", drawn_folder, "--methods", tiny_run, "--size", 48, "--out", out)
    assert run(*options) == 0
    tiny = methods.load(str(tiny_run))
    squares = []
    for row in catalog.split_of(catalog.read(drawn_folder), "test").itertuples():
        photo, weight = catalog.photo(row, 48), catalog.coverage(row, 48)
        restored = restore.complete(tiny, photo, np.minimum(weight, 1))
        for value, truth, count in zip(restored, photo, weight, strict=True):
            squares += list(np.repeat(value / 255 - truth / 255, count[:, 0].astype(int), 0) ** 2)
    figures = json.loads((out / "report.json").read_text())["methods"]["tiny"]
    assert figures["rmse"] == pytest.approx(np.mean(squares) ** 0.5, rel=1e-5)


def test_photos_are_as_large_as_the_largest_run_wants(monkeypatch):
    sizes = {"small": 32, "large": 96, "mean": None}
    monkeypatch.setattr(methods, "load", lambda name, request=None: Method(name, None, sizes[name]))
    assert evaluate.choose(["small", "large", "mean"], None, "photos")[1] == 96
    assert evaluate.choose(["large", "small"], 40, "photos")[1] == 40
    assert evaluate.choose(["small", "mean"], None, "safari")[1] == 32


def test_an_unfinished_run_says_how_to_finish_it(tiny_run, drawn_folder, tmp_path, capsys):
    (tmp_path / "config.json").write_bytes((tiny_run / "config.json").read_bytes())
    told = error_of(capsys, "--data", drawn_folder, "--methods", tmp_path)
    assert f"{tmp_path}: not trained to its end; go on with: python -m recon.train" in told


def test_a_folder_that_is_no_run(drawn_folder, tmp_path, capsys):
    told = error_of(capsys, "--data", drawn_folder, "--methods", tmp_path)
    assert told == f"error: {tmp_path}: not a training run (it has no config.json)"


def test_out_must_be_empty(drawn_folder, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    told = error_of(capsys, "--data", drawn_folder, "--size", SIZE, "--out", tmp_path)
    assert told == f"error: {tmp_path}: not empty; choose another --out"


def test_no_method_at_all():
    with pytest.raises(BadInput, match="--methods names none"):
        evaluate.choose([], None, "safari")


def test_the_size_is_what_is_said_or_a_default():
    assert evaluate.choose(["mean"], 128, "safari")[1] == 128
    assert evaluate.choose(["mean"], None, "safari")[1] == 64
    assert evaluate.choose(["mean"], None, "photos")[1] == 256
