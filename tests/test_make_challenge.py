"""python -m data_tools.make_challenge: a whole challenge folder, or nothing."""

import errno
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from data_tools import make_challenge as tool
from recon import boxes, commandline
from recon.boxes import Box
from recon.data import catalog, challenge, photos

rng = np.random.default_rng(0)


@pytest.fixture
def source(tmp_path):
    """Forty photos in three class folders."""
    for kind, count in (("cats", 20), ("Dog", 10), ("NA", 10)):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number in range(count):
            photo = rng.integers(1, 256, (20, 24, 3), dtype="uint8")
            photos.write(tmp_path / "photos" / kind / f"{number}.png", photo)
    return tmp_path / "photos"


def make(*arguments):
    commandline.run(tool.make_challenge, [str(argument) for argument in arguments])


def test_a_whole_challenge(source, tmp_path, capsys):
    out = tmp_path / "made" / "challenge"
    make(source, out, "--size=16")
    table = catalog.read(source)
    tests = catalog.split_of(table, "test")
    assert {path.name for path in out.iterdir()} == {
        "Training_Data",
        "Testing_Data",
        "Testing_Truth",
        "sample_submission.csv",
    }
    assert {path.name for path in (out / "Training_Data").iterdir()} == {"Cat", "Dog", "NA"}
    assert [path.name for path in out.parent.iterdir()] == ["challenge"]
    printed = capsys.readouterr().out
    assert f"{40 - len(tests)} training photos, {len(tests)} test photos" in printed
    assert str(out / "Testing_Truth") in printed

    # What the catalog reads back: classes, sizes, boxes, and known pixels as they were.
    made = catalog.read(out)
    assert (made["frame"] == 16).all()
    assert (made["split"] == "hidden").sum() == len(tests)
    for row in made.itertuples():
        complete = photos.read(row.path)
        masked = row.path.replace("Unmasked_Train", "Masked_Train")
        if row.split == "hidden":
            complete = photos.read(row.path.replace("Testing_Data", "Testing_Truth"))
        assert [box.height for box in row.boxes] == [5, 5]
        mask = boxes.rasterise(row.boxes, 16)
        np.testing.assert_array_equal(photos.read(masked), complete * (1 - mask))


def test_test_photos_and_boxes_are_those_of_the_source(source, tmp_path):
    make(source, tmp_path / "out", "--size=256")
    tests = catalog.split_of(catalog.read(source), "test")
    wanted = {(tuple(row.boxes), catalog.photo(row, 256).tobytes()) for row in tests.itertuples()}
    _, info = challenge.testing(tmp_path / "out")
    truth = tmp_path / "out" / "Testing_Truth"
    assert {(pair, photos.read(truth / file).tobytes()) for file, pair in info} == wanted


def test_the_same_seed_makes_the_same_challenge(source, tmp_path):
    def content(folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [(path.relative_to(folder), path.read_bytes()) for path in files]

    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make(source, tmp_path / name, "--size=16", f"--seed={seed}")
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert content(tmp_path / "a") != content(tmp_path / "c")


def test_a_number_of_test_photos_leaves_the_rest_of_the_split_out(source, tmp_path, capsys):
    out = tmp_path / "out"
    make(source, out, "--size=16", "--test=2")
    count = len(catalog.split_of(catalog.read(source), "test"))
    assert count > 2
    made = catalog.read(out)
    assert (made["split"] == "hidden").sum() == 2
    assert len(made) == 40 - count + 2
    assert f"left out: {count - 2} more photos of the test split" in capsys.readouterr().out


def test_a_flat_folder_and_drawn_photos(tmp_path, monkeypatch, source):
    make(source / "cats", tmp_path / "flat", "--size=8")
    assert [path.name for path in (tmp_path / "flat/Training_Data").iterdir()] == ["Photo"]
    monkeypatch.setattr(catalog, "SAFARI", {"train": 8, "val": 4, "test": 4})
    make("safari", tmp_path / "safari", "--size=32")
    classes = {path.name for path in (tmp_path / "safari/Training_Data").iterdir()}
    assert classes == {"Cat", "Dog", "Elephant", "Tiger"}


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("cats", "Cat"),
        ("cat", "Cat"),
        ("Elephant", "Elephant"),
        ("TIGERS", "Tiger"),
        ("dogs", "Dog"),
        ("", "Photo"),
        ("..", "Photo"),
        ("red panda", "red panda"),
        ("big/cats", "big-cats"),
    ],
)
def test_class_names(folder, name):
    assert tool.class_name(folder) == name


def test_boxes_of_a_challenge_at_another_size_keep_the_size_of_boxes():
    # 19×19 on 64; 75 and not 4 × 19 = 76 on 256, and the corner's box still on the photo.
    row = pd.Series({"file": "a", "boxes": (Box(45, 0, 19, 19), Box(3, 45, 19, 19)), "frame": 64})
    assert tool.pair_of(row, 256, 0) == (Box(180, 0), Box(12, 180))
    row["boxes"], row["frame"] = None, 256
    assert tool.pair_of(row, 256, 7) == boxes.fixed(7, "a")


def refusal(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        make(*arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_what_cannot_be_made(source, tmp_path, capsys):
    before = set(tmp_path.iterdir())
    out = tmp_path / "out"
    assert "gone: no such folder" in refusal(capsys, tmp_path / "gone", out)
    assert "--size 0" in refusal(capsys, source, out, "--size=0")
    assert "--test 0: the test split has" in refusal(capsys, source, out, "--test=0")
    assert "--test 41: the test split has" in refusal(capsys, source, out, "--test=41")
    (tmp_path / "photos" / "empty").mkdir()
    assert "no photos (" in refusal(capsys, source / "empty", out)
    assert set(tmp_path.iterdir()) == before


def test_out_must_be_new_or_empty(source, tmp_path, capsys):
    assert "not an empty folder" in refusal(capsys, source, source)
    file = source / "cats" / "0.png"
    assert "not an empty folder" in refusal(capsys, source, file)
    assert "cannot be made (Not a directory)" in refusal(capsys, source, file / "out")
    empty = tmp_path / "empty"
    empty.mkdir()
    make(source, empty, "--size=16")
    assert (empty / "sample_submission.csv").exists()


def test_a_folder_that_may_not_be_written(source, tmp_path, capsys, monkeypatch):
    def mkdir(path, *args, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(tool.Path, "mkdir", mkdir)  # root may write anywhere: pretend
    message = refusal(capsys, source, tmp_path / "out")
    assert message == (
        f"error: {tmp_path / 'out'}: cannot be made (Permission denied); name another\n"
    )


def test_a_disk_that_fills_up_leaves_nothing_half_written(source, tmp_path, capsys, monkeypatch):
    written = []

    def write(path, photo):
        written.append(path)
        if len(written) > 30:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_photo(path, photo)

    write_photo = photos.write
    monkeypatch.setattr(photos, "write", write)
    assert "No space left on device" in refusal(capsys, source, tmp_path / "out", "--size=16")
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_truncated_photos_are_named_and_left_out(source, tmp_path, capsys):
    (source / "cats" / "x.jpg").write_text("no photo")
    make(source, tmp_path / "out", "--size=16")
    assert "skipped 1 of 41 photos: cats/x.jpg (not an image)" in capsys.readouterr().out


def test_from_the_shell(source, tmp_path):
    command = [sys.executable, "-m", "data_tools.make_challenge"]
    out = str(tmp_path / "out")
    good = subprocess.run(
        [*command, str(source), out, "--size", "16"], capture_output=True, text=True
    )
    assert good.returncode == 0, good.stderr
    again = subprocess.run([*command, str(source), out], capture_output=True, text=True)
    assert again.returncode == 2
    assert again.stderr == f"error: {out}: not an empty folder; name a new one\n"
