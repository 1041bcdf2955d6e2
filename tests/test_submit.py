"""python -m recon.submit: its score is evaluate's RMSE, and bad input leaves no file behind."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from data_tools.make_challenge import make_challenge
from recon import classical, commandline, evaluate, methods, restore
from recon.boxes import rasterise
from recon.data import catalog, challenge, photos, safari
from recon.submit import submit

SIZE, TEST = 32, 18  # more test photos than are completed at once


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A challenge of drawn photos, made once."""
    source, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("made") / "challenge"
    rows = [(f"{n}.png", "train" if n >= TEST else "test") for n in range(TEST + 1)]
    for number, (path, _) in enumerate(rows):
        photos.write(source / path, safari.draw(number, SIZE, 0))
    pd.DataFrame(rows, columns=["path", "split"]).to_csv(source / "manifest.csv", index=False)
    make_challenge(str(source), out, size=SIZE)
    return out


@pytest.fixture
def folder(made, tmp_path):
    """A copy of its test part, to spoil."""
    (tmp_path / "Testing_Data").mkdir()
    for path in (made / "Testing_Data").iterdir():
        (tmp_path / "Testing_Data" / path.name).write_bytes(path.read_bytes())
    return tmp_path


def complete_photos(made):
    """The hidden truth as a table for evaluate: complete photos with the challenge's boxes."""
    info = pd.read_csv(made / "Testing_Data/masked_info.csv", index_col=0)
    table = info.rename(columns={"filename": "path"}).assign(split="test")
    table.to_csv(made / "Testing_Truth/manifest.csv", index=False)
    return catalog.split_of(catalog.read(made / "Testing_Truth"), "test")


def use(monkeypatch, method):
    """Let the command line find a method that is no fill."""
    monkeypatch.setattr(methods, "load", lambda name, request=None: method)


def paint(colour):
    """What a network that paints every hole in one colour completes."""
    return lambda masked, mask: np.where(mask > 0, np.float32(colour), masked)


# The score is evaluate's


@pytest.mark.parametrize(("values", "figure"), [("scaled", "rmse"), ("minmax", "rmse_minmax")])
def test_a_network_of_another_size_scores_as_evaluate_says(
    made, tmp_path, monkeypatch, values, figure
):
    def complete(masked, mask):  # each window in the mean of what is known in it
        mean = masked.sum((1, 2), keepdims=True) / (1 - mask).sum((1, 2), keepdims=True)
        return classical.paste(masked, mask, mean)

    network = methods.Method("small", complete, size=16)
    use(monkeypatch, network)
    out = tmp_path / "submission.csv"
    submit(data=made, method="a run", out=out, values=values)
    score = challenge.score(out, made, made / "Testing_Truth", values=values)
    figures = evaluate.compare([network], complete_photos(made), SIZE)["small"]
    assert score == pytest.approx(figures[figure], abs=5e-7)


@pytest.mark.parametrize("channels", ["bgr", "rgb"])
@pytest.mark.parametrize(("values", "figure"), [("scaled", "rmse"), ("minmax", "rmse_minmax")])
@pytest.mark.parametrize("name", ["mean", "harmonic"])
def test_the_score_is_what_evaluate_says(made, tmp_path, name, values, figure, channels):
    out = tmp_path / "submission.csv"
    submit(data=made, method=name, out=out, channels=channels, values=values)
    score = challenge.score(out, made, made / "Testing_Truth", channels, values)
    figures = evaluate.compare([methods.load(name)], complete_photos(made), SIZE)[name]
    assert score == pytest.approx(figures[figure], abs=5e-7)


def test_a_network_of_the_photos_size_scores_as_evaluate_says(made, tmp_path, monkeypatch):
    colour = [0.1234567, 0.5, 0.7654321]  # none of 8 bits
    network = methods.Method("network", paint(colour), size=SIZE)
    use(monkeypatch, network)
    out = tmp_path / "submission.csv"
    submit(data=made, method="a run", out=out, values="scaled")
    figures = evaluate.compare([network], complete_photos(made), SIZE)["network"]
    score = challenge.score(out, made, made / "Testing_Truth", values="scaled")
    assert score == pytest.approx(figures["rmse"], abs=5e-7)
    assert set(pd.read_csv(out)["value"]) == {0.123457, 0.5, 0.765432}


def test_values_are_the_methods_own_not_rounded_to_8_bits(made, tmp_path):
    out = tmp_path / "submission.csv"
    submit(data=made, method="harmonic", out=out, channels="rgb", values="scaled")
    file, pair = challenge.testing(made)[1][-1]
    mask = rasterise(pair, SIZE)
    masked = photos.read(made / "Testing_Truth" / file).astype("float32") / 255 * (1 - mask)
    filled = classical.harmonic(masked, mask)
    table = pd.read_csv(out).tail(pair[0].height * pair[0].width * 3)
    for name, value in table.itertuples(index=False):
        *_, row, column, channel = name.split("_")
        assert value == pytest.approx(filled[int(row), int(column), int(channel)], abs=6e-7)
    off_grid = np.abs(table["value"] * 255 - np.round(table["value"] * 255))
    assert off_grid.max() > 0.2


def test_a_network_of_another_size_looks_through_windows(made, tmp_path, monkeypatch, capsys):
    network = methods.Method("small", paint([0.2, 0.4, 0.6]), size=16)
    use(monkeypatch, network)
    out = tmp_path / "submission.csv"
    submit(data=made, method="a run", out=out, values="scaled")
    rows = TEST * 2 * 9 * 9 * 3
    line = f"{out}: 18 photos completed by small, {rows:,} rows, bgr, scaled\n"
    assert capsys.readouterr().out == line

    items = []  # as recon.restore completes them, one by one
    for file, pair in challenge.testing(made)[1]:
        masked = photos.read(made / "Testing_Data" / file)
        restored = restore.complete(network, masked, rasterise(pair, SIZE))
        items.append((file, pair, restored.astype("float32") / 255))
    challenge.write_submission(tmp_path / "expected.csv", items, values="scaled")
    assert out.read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_what_the_photos_hold_in_the_boxes_is_ignored(folder, tmp_path):
    outs = [tmp_path / "black.csv", tmp_path / "noise.csv"]
    submit(data=folder, method="telea", out=outs[0])
    place, info = challenge.testing(folder)
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype="uint8")
    for file, pair in info:
        photos.write(
            place / file, np.where(rasterise(pair, SIZE), noise, photos.read(place / file))
        )
    submit(data=folder, method="telea", out=outs[1])
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_an_earlier_file_is_replaced(folder, tmp_path):
    out = tmp_path / "submission.csv"
    out.write_text("older")
    submit(data=folder, method="mean", out=out)
    assert out.read_text().startswith("filename_box_pixel,value\n")
    assert {path.name for path in tmp_path.iterdir()} == {"Testing_Data", "submission.csv"}


# Bad input


def refusal(capsys, folder, *arguments, data=None, method="mean", out=None):
    """Run into an error: exit code 2, one line, and no file that was not there before."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    out = out or folder / "submission.csv"
    given = [f"--data={data or folder}", f"--method={method}", f"--out={out}", *arguments]
    with pytest.raises(SystemExit) as caught:
        commandline.run(submit, given)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    return output.err


def test_a_photo_that_cannot_be_read(folder, capsys, monkeypatch):
    use(monkeypatch, methods.Method("never", None))  # would fail if it were called
    last = challenge.testing(folder)[1][-1][0]
    path = folder / "Testing_Data" / last
    path.write_bytes(path.read_bytes()[:-40])
    assert f"{path}: not a photo that can be read (truncated)" in refusal(capsys, folder)
    path.write_text("no photo")
    assert f"{path}: not a photo that can be read (not an image)" in refusal(capsys, folder)


def test_a_method_that_is_none(folder, capsys):
    line = refusal(capsys, folder, method="magic")
    assert "unknown method 'magic': choose from mean, harmonic, telea, biharmonic" in line
    assert "not a training run" in refusal(capsys, folder, method=folder)


def test_no_challenge_there(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert "no challenge folder, it has no Testing_Data" in refusal(
        capsys, folder, data=tmp_path / "empty"
    )
    assert "gone: no such folder" in refusal(capsys, folder, data=tmp_path / "gone")
    (folder / "Testing_Data/masked_info.csv").unlink()
    assert "masked_info.csv: no such file" in refusal(capsys, folder)


def test_a_file_that_cannot_be_written(folder, capsys):
    line = refusal(capsys, folder, out=folder / "gone/submission.csv")
    assert f"no such folder as {folder / 'gone'}" in line
    assert "a folder; name a file, such as" in refusal(capsys, folder, out=folder)
    info = folder / "Testing_Data/masked_info.csv"
    assert "no such folder" in refusal(capsys, folder, out=info / "submission.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_must_not_be_written(folder, tmp_path, capsys):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    line = refusal(capsys, folder, out=locked / "submission.csv")
    assert "cannot be written (permission denied)" in line


def test_a_result_without_numbers_leaves_the_earlier_file(folder, capsys, monkeypatch):
    (folder / "submission.csv").write_text("older")
    calls = []

    def complete(masked, mask):  # good at first, so that rows are already written
        calls.append(mask)
        return paint([0.5] * 3 if len(calls) == 1 else [np.nan] * 3)(masked, mask)

    use(monkeypatch, methods.Method("broken", complete))
    assert "holds values that are no numbers" in refusal(capsys, folder)
    assert len(calls) == 2


def test_options_that_are_none(folder, capsys):
    assert "channels" in refusal(capsys, folder, "--channels=gbr")
    assert "values" in refusal(capsys, folder, "--values=raw")


def test_from_the_shell(folder):
    def run(*arguments):
        command = [sys.executable, "-m", "recon.submit", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True)

    out = folder / "submission.csv"
    good = run("--data", folder, "--method", "mean", "--out", out)
    rows = TEST * 2 * 9 * 9 * 3
    line = f"{out}: 18 photos completed by mean, {rows:,} rows, bgr, minmax\n"
    assert (good.returncode, good.stdout, good.stderr) == (0, line, "")
    bad = run("--data", folder / "gone", "--method", "mean", "--out", out)
    line = f"error: {folder / 'gone'}: no such folder\n"
    assert (bad.returncode, bad.stdout, bad.stderr) == (2, "", line)
    missing = run("--data", folder)
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1
