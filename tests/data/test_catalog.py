"""recon.data.catalog: every kind of folder as one table."""

import numpy as np
import pandas as pd
import pytest

from recon import boxes
from recon.boxes import Box
from recon.data import catalog, challenge, photos, safari
from recon.errors import BadInput

SIZE = 16  # a box is 5×5
rng = np.random.default_rng(0)


def add(path, size=SIZE):
    """Write a photo of random pixels, and give the pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    photo = rng.integers(0, 256, (size, size, 3), dtype="uint8")
    photos.write(path, photo)
    return photo


def quiet(line):
    raise AssertionError(f"nothing to say, but: {line}")


@pytest.fixture
def flat(tmp_path):
    for number in range(40):
        add(tmp_path / f"{number:02}.png")
    return tmp_path


def made_challenge(folder, counts=(6, 5), tests=2):
    def photo():
        return rng.integers(0, 256, (SIZE, SIZE, 3), dtype="uint8")

    challenge.write(
        folder,
        [
            (kind, f"{kind}-Train ({n}).png", photo(), (Box(n, 2, 5, 5), Box(3, n, 5, 5)))
            for kind, count in zip(("Cat", "Tiger"), counts, strict=True)
            for n in range(count)
        ],
        [(f"Test ({n}).png", photo(), (Box(0, n, 5, 5), Box(11, 11, 5, 5))) for n in range(tests)],
    )
    return folder


def test_a_flat_folder(flat):
    (flat / "notes.txt").write_text("no photo")
    table = catalog.read(flat, say=quiet)
    columns = ["file", "path", "class", "split", "boxes", "mask", "frame", "plain"]
    assert table.columns.tolist() == columns
    assert table["file"].tolist() == [f"{number:02}.png" for number in range(40)]
    assert table["path"].tolist() == [str(flat / file) for file in table["file"]]
    assert set(table["class"]) == {""}
    assert table["plain"].all()
    assert (table["frame"] == 256).all()
    for _, row in table.iterrows():
        held_out = row["split"] in ("val", "test")
        assert row["boxes"] == (boxes.fixed(0, row["file"]) if held_out else None)
        assert row["mask"] is None


def test_class_folders_are_classes(tmp_path):
    for file in ("cats/1.png", "dogs/1.png", "NA/1.JPEG", "top.png", ".thumbnails/1.png"):
        add(tmp_path / file)
    (tmp_path / "cats" / "._1.png").write_bytes(b"a Mac's own")
    table = catalog.read(tmp_path, say=quiet)
    assert table["file"].tolist() == ["NA/1.JPEG", "cats/1.png", "dogs/1.png", "top.png"]
    assert table["class"].tolist() == ["NA", "cats", "dogs", ""]


def test_splits_and_boxes_stay_when_photos_join(flat):
    before = catalog.read(flat).set_index("file")
    for number in range(100, 120):
        add(flat / f"{number}.png")
    after = catalog.read(flat).set_index("file")
    # A photo that only filled an empty split could go back; in forty there is none.
    assert after.loc[before.index, "split"].equals(before["split"])
    assert after.loc[before.index, "boxes"].equals(before["boxes"])
    other = catalog.read(flat, seed=1).set_index("file")
    assert not other["split"].equals(after["split"])


def test_splits_are_80_10_10():
    places = np.array([catalog.place_of(0, f"{number}.png") for number in range(5000)])
    assert 0 <= places.min() < places.max() < 1
    shares = [(places < 0.8).mean(), ((places >= 0.8) & (places < 0.9)).mean()]
    np.testing.assert_allclose(shares, [0.8, 0.1], atol=0.02)  # 3.5 standard deviations


@pytest.mark.parametrize("count", [3, 4, 7])
@pytest.mark.parametrize("seed", range(4))
def test_a_small_folder_fills_every_split(tmp_path, count, seed):
    for number in range(count):
        add(tmp_path / f"{number}.png")
    table = catalog.read(tmp_path, seed)
    for split in catalog.SPLITS:
        assert len(catalog.split_of(table, split)) >= 1
    assert len(table) == count


def test_a_missing_split_is_named_when_asked_for(tmp_path):
    add(tmp_path / "only.png")
    table = catalog.read(tmp_path)
    (present,) = table["split"]
    absent = "val" if present == "train" else "train"
    with pytest.raises(BadInput, match=f"no {absent} photos: the data has 1 {present}"):
        catalog.split_of(table, absent)


def test_split_of_counts_rows_anew(flat):
    test = catalog.split_of(catalog.read(flat), "test")
    assert set(test["split"]) == {"test"}
    assert test.index.tolist() == list(range(len(test)))


def test_unreadable_photos_are_named_and_skipped(flat):
    whole = (flat / "07.png").read_bytes()
    (flat / "07.png").write_bytes(whole[: len(whole) // 2])
    (flat / "notes.jpg").write_text("hello")
    said = []
    table = catalog.read(flat, say=said.append)
    assert said == ["skipped 2 of 41 photos: 07.png (truncated), notes.jpg (not an image)"]
    assert len(table) == 39
    assert not {"07.png", "notes.jpg"} & set(table["file"])


def test_no_folder_no_photos_none_readable(tmp_path):
    with pytest.raises(BadInput, match="absent: no such folder"):
        catalog.read(tmp_path / "absent")
    with pytest.raises(BadInput, match=r"no photos \(\.jpg, \.jpeg, \.png\)"):
        catalog.read(tmp_path)
    (tmp_path / "notes.jpg").write_text("hello")
    with pytest.raises(BadInput, match=r"notes\.jpg: not a folder"):
        catalog.read(tmp_path / "notes.jpg")
    with pytest.raises(BadInput, match="none of its 1 photos can be read"):
        catalog.read(tmp_path, say=lambda line: None)


# manifest.csv


def manifest(folder, text, **options):
    (folder / "manifest.csv").write_text(text, **options)
    return folder


def test_a_manifest_says_what_is_what(tmp_path):
    for file in ("a/1.png", "a/2.png", "NA/007.png", "unlisted.png"):
        add(tmp_path / file)
    hole = np.zeros((SIZE, SIZE, 3), "uint8")
    hole[3:6, 4:9] = 255
    photos.write(tmp_path / "hole.png", hole)
    manifest(
        tmp_path,
        "path,class,split,mask,box1_row,box1_col,box2_row,box2_col,note\r\n"
        'a/1.png,NA,test,,1,2,3,4,"two lines\r\nof note"\r\n'
        "a/2.png,7,val,hole.png,,,,,\r\n"
        "\r\n"
        "NA/007.png,,train,,,,,,\r\n",
        encoding="utf-8-sig",  # as Excel saves it
        newline="",
    )
    table = catalog.read(tmp_path, say=quiet)
    assert table["file"].tolist() == ["NA/007.png", "a/1.png", "a/2.png"]
    assert table["class"].tolist() == ["", "NA", "7"]
    assert table["split"].tolist() == ["train", "test", "val"]
    assert table["boxes"].tolist() == [None, (Box(1, 2, 5, 5), Box(3, 4, 5, 5)), None]
    assert table["mask"].tolist() == [None, None, str(tmp_path / "hole.png")]
    assert table["frame"].tolist() == [256, SIZE, 256]
    np.testing.assert_array_equal(catalog.mask(table.iloc[2], SIZE), hole[..., :1] / 255)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("path,class\n1.png,a\n", "row 1 has no column split"),
        ("", "row 1 has no column path"),
        ("path,split\n1.png,train\n2.png,train\n", r"row 3, column path: no photo '2\.png'"),
        ("path,split\n1.png,train\n1.png,test\n", r"row 3, column path: '1\.png' is in row 2"),
        ("path,split\n1.png,dev\n", "row 2, column split: 'dev' is none of train, val, test"),
        ("path,split\n,dev\n", "row 2, column path: the cell is empty"),
        ("path,split\n1.png,train,x\n", "row 2 has 3 cells, the header 2"),
        ("path,split,mask\n1.png,train,m.png\n", r"row 2, column mask: no file 'm\.png'"),
        ("path,split,mask\n1.png,train,8.png\n", "column mask: 8×8 pixels, its photo 16×16"),
        ("path,split,box1_row\n1.png,train,3\n", "row 2: boxes need the column box1_col too"),
        (
            "path,split,box1_row,box1_col,box2_row,box2_col\n1.png,train,3,4,12,0\n",
            "row 2, column box2_row: 12 puts the box over the edge; 0 to 11 fit",
        ),
    ],
)
def test_a_fault_in_a_manifest_is_named(tmp_path, text, line):
    add(tmp_path / "1.png")
    add(tmp_path / "8.png", 8)
    with pytest.raises(BadInput, match=line) as caught:
        catalog.read(manifest(tmp_path, text))
    assert "manifest.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_no_text(tmp_path):
    (tmp_path / "manifest.csv").write_bytes(b"path,split\n\xff\xfe,train\n")
    with pytest.raises(BadInput, match="not a CSV file in UTF-8"):
        catalog.read(tmp_path)


# A challenge folder


@pytest.mark.parametrize("inside", ["", "Dataset"])
def test_a_challenge(tmp_path, inside):
    made_challenge(tmp_path / inside)
    table = catalog.read(tmp_path, say=quiet)
    assert len(table) == 6 + 5 + 2
    table = table.set_index("file", drop=False)
    row = table.loc["Training_Data/Tiger/Unmasked_Train/Tiger-Train (4).png"]
    assert row["class"] == "Tiger"
    assert row["split"] in catalog.SPLITS
    assert row["boxes"] == (Box(4, 2, 5, 5), Box(3, 4, 5, 5))
    assert row["frame"] == SIZE
    assert row["path"] == str(tmp_path / inside / row["file"])
    hidden = catalog.split_of(table, "hidden")
    assert hidden["file"].tolist() == ["Testing_Data/Test (0).png", "Testing_Data/Test (1).png"]
    assert hidden["boxes"][1] == (Box(0, 1, 5, 5), Box(11, 11, 5, 5))
    assert hidden["class"].tolist() == ["", ""]
    # The hidden row's photo is what there is of it: black in the boxes.
    missing = catalog.mask(hidden.iloc[0], SIZE)[..., 0] == 1
    assert (catalog.photo(hidden.iloc[0], SIZE)[missing] == 0).all()


def test_a_truncated_photo_of_a_challenge_is_skipped(tmp_path):
    made_challenge(tmp_path)
    file = "Training_Data/Cat/Unmasked_Train/Cat-Train (1).png"
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])
    said = []
    assert len(catalog.read(tmp_path, say=said.append)) == 12
    assert said == [f"skipped 1 of 13 photos: {file} (truncated)"]


@pytest.mark.parametrize(
    ("file", "size", "line"),
    [
        ("Unmasked_Train/Cat-Train (2).png", 12, "12×12 pixels, its masked version 16×16"),
        ("Masked_Train/Cat-Train (2).png", 12, "12×12 pixels, the photos before it 16×16"),
        ("Unmasked_Train/new.png", 16, r"no row for the photo 'new\.png'"),
        ("Masked_Train/new.png", 16, r"no row for the photo 'new\.png'"),
    ],
)
def test_masked_and_complete_photos_must_match(tmp_path, file, size, line):
    made_challenge(tmp_path)
    add(tmp_path / "Training_Data/Cat" / file, size)
    with pytest.raises(BadInput, match=line):
        catalog.read(tmp_path)


@pytest.mark.parametrize("folder", ["Masked_Train", "Unmasked_Train"])
def test_a_row_for_a_photo_that_is_not_there(tmp_path, folder):
    made_challenge(tmp_path)
    (tmp_path / "Training_Data/Cat" / folder / "Cat-Train (2).png").unlink()
    with pytest.raises(BadInput, match=r"Cat-Train \(2\)\.png") as caught:
        catalog.read(tmp_path)
    assert "no" in str(caught.value)
    assert "masked_info.csv" in str(caught.value)


# Pixels


def test_photo_and_mask_of_a_row(tmp_path):
    pixels = add(tmp_path / "1.png", 64)
    manifest(tmp_path, "path,split,box1_row,box1_col,box2_row,box2_col\n1.png,test,4,8,10,20\n")
    table = catalog.read(tmp_path)
    for row in (table.iloc[0], next(table.itertuples())):  # a Series has its own .mask
        np.testing.assert_array_equal(catalog.photo(row, 64), pixels)
        assert catalog.photo(row, 32).shape == (32, 32, 3)
        counts = catalog.coverage(row, 64)
        expected = np.zeros((64, 64, 1))
        expected[4:23, 8:27] += 1  # 75 per 256 is 19 per 64
        expected[10:29, 20:39] += 1
        np.testing.assert_array_equal(counts, expected)
        np.testing.assert_array_equal(catalog.mask(row, 64), expected > 0)
        half = catalog.mask(row, 32)
        expected = boxes.rasterise([Box(2, 4, 10, 10), Box(5, 10, 10, 10)], 32)
        np.testing.assert_array_equal(half, expected)


def test_a_row_without_a_hole_has_no_mask(flat):
    row = catalog.split_of(catalog.read(flat), "train").iloc[0]
    with pytest.raises(ValueError, match="neither boxes nor a mask"):
        catalog.mask(row, SIZE)


def test_the_drawn_photos():
    table = catalog.load("safari", seed=3)
    counts = table["split"].value_counts().to_dict()
    assert counts == {"train": 3072, "val": 128, "test": 256}
    assert table["file"].is_unique
    assert table["file"].is_monotonic_increasing
    row = table[table["path"] == "safari:3:3201"].iloc[0]
    kind = safari.CLASSES[3201 % 4]
    assert row["file"] == f"safari/{kind}-03201.png"
    assert row["class"] == kind
    assert row["split"] == "test"
    assert row["boxes"] == boxes.fixed(3, row["file"])
    np.testing.assert_array_equal(catalog.photo(row, 32), safari.draw(3201, 32, 3))
    first = table[table["path"] == "safari:3:0"].iloc[0]
    assert first["split"] == "train"
    assert first["boxes"] is None
    assert pd.api.types.is_bool_dtype(table["plain"])


def test_load_reads_folders_too(flat):
    pd.testing.assert_frame_equal(catalog.load(str(flat)), catalog.read(flat))
