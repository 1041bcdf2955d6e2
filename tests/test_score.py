"""python -m recon.score: one line on standard output, or one on standard error and exit code 2."""

import re
import subprocess
import sys

import numpy as np
import pytest

from recon import commandline
from recon.boxes import Box
from recon.data import challenge, photos
from recon.score import score

PAIR = (Box(1, 2, 5, 5), Box(3, 4, 5, 5))


@pytest.fixture
def folder(tmp_path):
    """A challenge of two test photos: one all black, one all white."""
    photo = np.zeros((16, 16, 3), "uint8")
    tests = [("black.png", photo, PAIR), ("white.png", photo + 255, PAIR)]
    challenge.write(tmp_path, [("Cat", "cat.png", photo, PAIR)], tests)
    return tmp_path


def options(folder, submission="sample_submission.csv"):
    return [
        str(folder / submission),
        f"--data={folder}",
        f"--truth={folder / 'Testing_Truth'}",
    ]


def test_the_rmse_has_six_decimals(folder, capsys):
    # Black everywhere is right for one photo and wrong by 1 for the other: √½.
    commandline.run(score, [*options(folder), "--values=scaled"])
    assert capsys.readouterr().out == "RMSE 0.707107\n"
    # Either photo's channels are constant, so by min–max both are 0.
    commandline.run(score, options(folder))
    assert capsys.readouterr().out == "RMSE 0.000000\n"


def test_the_channels_can_be_chosen(folder, capsys):
    blue = np.zeros((16, 16, 3))
    blue[..., 2] = 1
    photos.write(folder / "Testing_Truth/black.png", (blue * 255).astype("uint8"))
    items = [("black.png", PAIR, blue), ("white.png", PAIR, blue * 0 + 1)]
    challenge.write_submission(folder / "mine.csv", items, "rgb", "scaled")
    for channels, line in (("rgb", "RMSE 0.000000\n"), ("bgr", "RMSE 0.577350\n")):
        given = [*options(folder, "mine.csv"), "--values=scaled", f"--channels={channels}"]
        commandline.run(score, given)
        assert capsys.readouterr().out == line  # two of six values wrong by 1: √⅓


def refusal(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        commandline.run(score, arguments)
    assert caught.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    return output.err


def spoil_submission(folder, change):
    path = folder / "sample_submission.csv"
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda rows: rows.pop(5), "row 6 is 'black.png_box1_1_3_2', expected '.*_1_3_1'"),
        (lambda rows: rows.insert(5, rows[4]), "row 6 is '.*_1_3_0', which is .*, expected"),
        (lambda rows: rows.append("x,1"), "row 302 is 'x', expected the end of the file"),
        (lambda rows: rows.pop(), r"ends before row 301, expected 'white\.png_box2_7_8_2'"),
        (lambda rows: rows.__setitem__(5, rows[5][:-3] + "one"), "row 6 .*: 'one' is not a num"),
        (lambda rows: rows.__setitem__(5, rows[5][:-3]), "row 6 .*: '' is not a number"),
    ],
)
def test_a_faulty_submission(folder, capsys, change, line):
    spoil_submission(folder, change)
    assert re.search(line, refusal(capsys, options(folder)))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("box2_col", "column", "row 1 has no column box2_col"),
        ("white.png", "gone.png", r"row 3, column filename: no photo 'gone\.png'"),
        ("white.png", "black.png", r"row 3, column filename: 'black\.png' is in row 2"),
        ("1,white.png,1,2,3,4\n", "", r"no row for the photo 'white\.png'"),
        ("white.png,1", "white.png,12", "row 3, column box1_row: 12 puts the box over the edge"),
        ("white.png,1", "white.png,one", "row 3, column box1_row: 'one' is not a whole number"),
        ("white.png,1", "white.png,", "row 3, column box1_row: the cell is empty"),
    ],
)
def test_a_faulty_info(folder, capsys, old, new, line):
    path = folder / "Testing_Data/masked_info.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert re.search(line, refusal(capsys, options(folder)))


def test_a_complete_photo_is_missing_or_of_another_size(folder, capsys):
    photos.write(folder / "Testing_Truth/white.png", np.zeros((12, 12, 3), "uint8"))
    assert "12×12 pixels, its masked version 16×16" in refusal(capsys, options(folder))
    (folder / "Testing_Truth/white.png").unlink()
    assert "white.png: no such photo" in refusal(capsys, options(folder))


def test_files_and_folders_that_are_not_there(folder, capsys):
    assert "gone.csv: no such file" in refusal(capsys, options(folder, "gone.csv"))
    sample = str(folder / "sample_submission.csv")
    for data, truth in (("gone", "Testing_Truth"), (".", "gone")):
        given = [sample, f"--data={folder / data}", f"--truth={folder / truth}"]
        assert "gone: no such folder" in refusal(capsys, given)


def test_from_the_shell(folder):
    command = [sys.executable, "-m", "recon.score"]
    good = subprocess.run([*command, *options(folder)], capture_output=True, text=True)
    assert (good.returncode, good.stdout, good.stderr) == (0, "RMSE 0.000000\n", "")
    bad = subprocess.run([*command, *options(folder, "gone.csv")], capture_output=True, text=True)
    line = f"error: {folder / 'gone.csv'}: no such file\n"
    assert (bad.returncode, bad.stdout, bad.stderr) == (2, "", line)
    wrong = subprocess.run(
        [*command, *options(folder), "--channels=gbr"], capture_output=True, text=True
    )
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "channels" in wrong.stderr
