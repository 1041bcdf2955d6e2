"""Write photos into record shards that workers read disjointly: `python -m data_tools.shard`."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recon import atomic, commandline
from recon.data import catalog, shards
from recon.errors import BadInput
from recon.progress import progress

FRAME = 12  # bytes of a TFRecord before its data: a length and its checksum
AFTER = 4  # and after: the data's checksum


def example(row: Any, photo: bytes, mask: bytes | None) -> bytes:
    """A photo as a tf.train.Example, under the names that image data sets have."""
    import tensorflow as tf

    def texts(*values: bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    def numbers(*values: int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    kind = b"png" if photo.startswith(b"\x89PNG") else b"jpeg"
    features = {
        "image/encoded": texts(photo),
        "image/format": texts(kind),
        "image/filename": texts(row["file"].encode()),
        "image/class/text": texts(row["class"].encode()),
        "boxes": numbers(*(number for box in row["boxes"] or () for number in box)),
        "boxes/frame": numbers(row["frame"]),
    }
    if mask is not None:
        features["mask/encoded"] = texts(mask)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_shard(path: Path, table: pd.DataFrame) -> list[dict]:
    """Write photos into one shard.

    Returns:
        rows of photos.csv.

    Raises:
        OSError: a photo cannot be read, or the disk is full.
    """
    import tensorflow as tf

    rows, start = [], 0
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for _, row in table.iterrows():
                photo = shards.contents(row["path"])
                mask = shards.contents(row["mask"]) if row["mask"] else None
                record = example(row, photo, mask)
                writer.write(record)
                here = start + FRAME
                cells = {name: row[name] for name in ("file", "class", "split", "frame", "plain")}
                cells |= {"boxes": shards.write_boxes(row["boxes"]), "shard": path.name}
                cells |= {"offset": here + record.index(photo), "length": len(photo)}
                if mask is not None:
                    cells |= {"mask_offset": here + record.index(mask), "mask_length": len(mask)}
                rows.append(cells)
                start += FRAME + len(record) + AFTER
    except tf.errors.OpError as error:
        raise OSError(f"{path.name}: {error.message.split(';')[-1].strip().lower()}") from None
    return rows


def facts(path: Path, rows: list[dict]) -> dict:
    """A line of shards.json."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return {
        "file": path.name,
        "split": rows[0]["split"],
        "photos": len(rows),
        "classes": pd.Series([row["class"] for row in rows]).value_counts().sort_index().to_dict(),
        "bytes": path.stat().st_size,
        "sha256": digest.hexdigest(),
    }


def write(folder: Path, table: pd.DataFrame, count: int, seed: int) -> list[dict]:
    """Write a table of photos as a shard folder.

    Args:
        folder: empty.
        table: of the catalog.
        count: shards of each split; fewer where a split has fewer photos.
        seed: mixes the photos, so that every shard has some of all.

    Returns:
        what shards.json holds of each shard.
    """
    rows, written = [], []
    for split in sorted(table["split"].unique()):
        photos = table[table["split"] == split]
        places = [catalog.place_of(seed, f"{seed}:shard:{file}") for file in photos["file"]]
        parts = np.array_split(np.argsort(places), min(count, len(photos)))
        for number, part in enumerate(progress(parts, f"writing {split}", len(parts))):
            path = folder / f"{split}-{number:05}-of-{len(parts):05}.tfrecord"
            rows_here = write_shard(path, photos.iloc[part])
            rows += rows_here
            written.append(facts(path, rows_here))
    cells = pd.DataFrame(rows, columns=shards.COLUMNS)
    for column in ("mask_offset", "mask_length"):  # whole numbers, where there are any
        cells[column] = cells[column].astype("Int64")
    cells.to_csv(folder / shards.PHOTOS, index=False)
    (folder / shards.INDEX).write_text(json.dumps({"shards": written}, indent=1) + "\n")
    return written


def shard(photos: str, out: Path, *, shards: int = 8, seed: int = 0) -> None:
    """Write photos into record shards: few large files, read like any folder of photos.

    OUT then is a folder for --data, with the classes, splits, boxes and masks that PHOTOS has;
    the photos' own bytes are kept. Its shards are TFRecord files of tf.train.Example.

    Parameters
    ----------
    photos
        A folder of photos, as recon.train reads it.
    out
        A new or empty folder.
    shards
        How many for each split; about 100 MB each is a good size.
    seed
        Chooses splits and boxes where PHOTOS has none, as recon.train's, and mixes the photos.
    """
    if shards < 1:
        raise BadInput(f"--shards {shards}: must be 1 or more")
    with atomic.building(out.absolute()) as folder:
        written = write(folder, catalog.read(photos, seed), shards, seed)
    total, size = (sum(shard[key] for shard in written) for key in ("photos", "bytes"))
    print(f"{out}: {total:,} photos in {len(written)} shards, {size / 1e6:,.1f} MB")


if __name__ == "__main__":
    commandline.run(shard)
