"""python -m data_tools.shard: photos in record shards, and what reads them."""

import hashlib
import json
import shutil
import sys
from collections import Counter
from itertools import chain

import numpy as np
import pandas as pd
import pytest

from data_tools import shard
from recon import commandline
from recon.data import catalog, photos, pipeline, safari, shards
from recon.errors import BadInput


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twenty-three drawn photos, JPEG and PNG, with boxes, a mask file and a class or none."""
    place = tmp_path_factory.mktemp("shard") / "animals"
    rows = []
    for number in range(23):
        file = f"{number:02}.{'png' if number % 3 else 'jpg'}"
        place.mkdir(exist_ok=True)
        photos.write(place / file, safari.draw(number, 40, 0))
        split = "train" if number < 15 else "val" if number < 19 else "test"
        kind = ("", *safari.CLASSES)[number % 5]
        corners = (1, 2, 20, 19) if number % 4 == 0 else ("", "", "", "")
        rows.append((file, split, kind, "mask.png" if number == 21 else "", *corners))
    mask = np.zeros((40, 40, 3), "uint8")
    mask[5:20, 8:30] = 255
    photos.write(place / "mask.png", mask)
    columns = ["path", "split", "class", "mask", "box1_row", "box1_col", "box2_row", "box2_col"]
    pd.DataFrame(rows, columns=columns).to_csv(place / "manifest.csv", index=False)
    return place


@pytest.fixture(scope="module")
def sharded(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("shard") / "shards"
    commandline.run(shard.shard, [str(folder), str(out), "--shards", "3"])
    return out


def error_of(capsys, *arguments):
    """The one line of an error, its code being 2."""
    with pytest.raises(SystemExit) as end:
        commandline.run(shard.shard, [str(argument) for argument in arguments])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_shards_are_a_folder_of_photos_like_the_one_they_were_made_of(folder, sharded):
    before, after = catalog.read(folder), catalog.read(sharded)
    same = [column for column in before.columns if column not in ("path", "mask")]
    pd.testing.assert_frame_equal(before[same], after[same])
    for old, new in zip(before.itertuples(), after.itertuples(), strict=True):
        np.testing.assert_array_equal(catalog.photo(old, 32), catalog.photo(new, 32))
        assert shards.contents(new.path) == shards.contents(old.path)
        assert bool(old.mask) == bool(new.mask)
        if old.boxes or old.mask:
            np.testing.assert_array_equal(catalog.mask(old, 32), catalog.mask(new, 32))


def test_the_pipeline_decodes_from_shards_what_it_decodes_from_files(folder, sharded):
    tables = [catalog.split_of(catalog.read(place), "train") for place in (folder, sharded)]
    both = [next(iter(pipeline.training(table, 32, 4, 3))) for table in tables]
    np.testing.assert_array_equal(both[0][1], both[1][1])
    np.testing.assert_array_equal(both[0][0]["mask"], both[1][0]["mask"])


def test_shards_are_records_that_any_program_reads(sharded):
    import tensorflow as tf

    index = json.loads((sharded / shards.INDEX).read_text())["shards"]
    assert [one["file"] for one in index[-3:]] == [f"val-0000{n}-of-00003.tfrecord" for n in "012"]
    for one in index:
        path = sharded / one["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one["sha256"]
        records = list(tf.data.TFRecordDataset(str(path)))  # which looks at each record's checksum
        assert len(records) == one["photos"] == sum(one["classes"].values())
        features = {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "image/filename": tf.io.FixedLenFeature([], tf.string),
            "boxes": tf.io.VarLenFeature(tf.int64),
        }
        table = catalog.read(sharded).set_index("file")
        for record in records:
            said = tf.io.parse_single_example(record, features)
            row = table.loc[said["image/filename"].numpy().decode()]
            assert said["image/encoded"].numpy() == shards.contents(row["path"])
            numbers = tf.sparse.to_dense(said["boxes"]).numpy().tolist()
            assert numbers == [number for box in row["boxes"] or () for number in box]
            assert row["split"] == one["split"]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_photo_is_read_once_an_epoch_whatever_the_number_of_workers(sharded, workers):
    table = catalog.read(sharded)  # 23 photos: no multiple of 2 or 5
    orders = []
    for epoch in (0, 1):
        parts = [
            [row.file for row in shards.epoch(table, 7, epoch, worker, workers)]
            for worker in range(workers)
        ]
        again = [row.file for row in shards.epoch(table, 7, epoch, 0, workers)]
        assert again == parts[0]
        assert sorted(chain.from_iterable(parts)) == table.file.tolist()
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        orders.append(parts)
    assert orders[0] != orders[1]
    assert orders[0] != [[row.file for row in shards.epoch(table, 8, 0, 0, 1)]]


def test_shards_may_be_sharded_again(sharded, tmp_path):
    commandline.run(shard.shard, [str(sharded), str(tmp_path / "again"), "--shards", "1"])
    for one, other in zip(
        catalog.read(sharded).itertuples(),
        catalog.read(tmp_path / "again").itertuples(),
        strict=True,
    ):
        assert shards.contents(one.path) == shards.contents(other.path)


def test_no_more_shards_than_photos(folder, tmp_path, capsys):
    commandline.run(shard.shard, [str(folder), str(tmp_path / "out"), "--shards", "9"])
    assert "23 photos in 17 shards" in capsys.readouterr().out  # 9 train, 4 val, 4 test
    assert Counter(catalog.read(tmp_path / "out")["split"]) == {"train": 15, "val": 4, "test": 4}


def test_what_cannot_be_sharded_leaves_nothing(folder, sharded, tmp_path, capsys):
    out = tmp_path / "out"
    assert "--shards 0: must be 1 or more" in error_of(capsys, folder, out, "--shards", 0)
    assert "no such folder" in error_of(capsys, tmp_path / "nowhere", out)
    assert f"{sharded}: not an empty folder" in error_of(capsys, folder, sharded)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_leaves_nothing_half_written(folder, tmp_path, capsys):
    import resource  # the system refuses a write, as it does when the disk is full

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        told = error_of(capsys, folder, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "too large" in told
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_is_cut_short_or_gone_is_told(sharded, tmp_path):
    place = tmp_path / "copy"
    shutil.copytree(sharded, place)
    path = place / "val-00001-of-00003.tfrecord"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(BadInput, match=r"bytes, shards.json says .*; copy it again"):
        catalog.read(place)
    path.unlink()
    with pytest.raises(BadInput, match="no such shard"):
        catalog.read(place)
    (place / shards.INDEX).write_text("{")
    with pytest.raises(BadInput, match="damaged"):
        catalog.read(place)
