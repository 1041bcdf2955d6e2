"""python -m data_tools.licensed: only photos whose licence is stated, and drawn ones."""

import numpy as np
import pandas as pd
import pytest

from data_tools import licensed as tool
from recon import commandline
from recon.data import catalog, photos, safari

LICENCES = ["CC BY 4.0", "none stated", "", "None (Kaggle)", "CC0 claimed", " none"]
SPLITS = ["train", "train", "train", "test", "test", "val"]


@pytest.fixture
def folder(tmp_path):
    """Six photos, two of them with a licence."""
    rows = []
    for number, (licence, split) in enumerate(zip(LICENCES, SPLITS, strict=True)):
        path = f"cats/{number}.png"
        (tmp_path / "photos" / "cats").mkdir(parents=True, exist_ok=True)
        photos.write(tmp_path / "photos" / path, np.full((8, 8, 3), number, "uint8"))
        rows.append((path, split, "cats", licence, f"someone/{number}"))
    columns = ["path", "split", "class", "licence", "source_repo"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(tmp_path / "photos" / "manifest.csv", index=False)
    return tmp_path / "photos"


def gather(*words):
    commandline.run(tool.licensed, [str(word) for word in words])


def test_only_photos_with_a_licence_and_drawn_ones_are_gathered(folder, tmp_path, capsys):
    out = tmp_path / "out"
    gather(folder, out, "--drawings", "3")
    assert "4 train, 0 val, 1 test" in (said := capsys.readouterr().out)
    assert "4 of 6 photos state no licence: left out" in said
    files = {p.relative_to(out).as_posix() for p in out.rglob("*.png")}
    drawn = [f"drawn/{number:05}.png" for number in range(3)]
    assert files == {"cats/0.png", "cats/4.png", *drawn}
    np.testing.assert_array_equal(photos.read(out / drawn[2]), safari.draw(2, 256))
    manifest = pd.read_csv(out / "manifest.csv").set_index("path")
    assert manifest.loc["cats/4.png"].to_dict() == {
        "split": "test",
        "class": "cats",
        "licence": "CC0 claimed",
        "source": "someone/4",
    }
    assert set(manifest.loc[drawn, "split"]) == {"train"}
    assert len(catalog.read(out)) == 5  # what recon.train reads


@pytest.mark.parametrize(
    ("change", "words", "told"),
    [
        (lambda t: t.drop(columns="licence"), [], "row 1 has no column licence"),
        (lambda t: t.assign(licence="none"), [], "no row states a licence"),
        (lambda t: t.assign(path="../a.png", licence="CC0"), [], "'../a.png' leaves the folder"),
        (lambda t: t, ["--drawings", "-1"], "--drawings -1: there are 0 to 3,072 to draw"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(folder, tmp_path, change, words, told, capsys):
    change(pd.read_csv(folder / "manifest.csv")).to_csv(folder / "manifest.csv", index=False)
    with pytest.raises(SystemExit) as stopped:
        gather(folder, tmp_path / "out", *words)
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert told in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]
