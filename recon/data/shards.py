"""Photos in record shards: few large files in place of many small ones.

A shard folder, as `python -m data_tools.shard` makes it, holds

    train-00000-of-00008.tfrecord ...   TFRecord files of tf.train.Example, photos as they were
    photos.csv                          a row per photo, and where its bytes lie in which shard
    shards.json                         a line per shard: split, photos, classes, bytes, SHA-256

A photo in a shard has a path like any other, `shard:OFFSET:LENGTH:FILE`, which `photos.read`
understands: so a shard folder is one more folder of photos. It is opened without looking into a
single photo, every one is one read away, and which of them a worker reads, and when, is decided by
an epoch's plan, from seed and number alone.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recon.boxes import Box
from recon.errors import BadInput

INDEX, PHOTOS = "shards.json", "photos.csv"
PREFIX = "shard:"
COLUMNS = (
    *("file", "class", "split", "frame", "plain", "boxes"),
    *("shard", "offset", "length", "mask_offset", "mask_length"),
)


def is_shards(folder: Path) -> bool:
    """Whether a folder holds shards."""
    return (folder / INDEX).is_file()


def in_shard(path: Any) -> bool:
    """Whether a photo's path leads into a shard."""
    return str(path).startswith(PREFIX)


def contents(path: str | Path) -> bytes:
    """The bytes of a photo's file, or of its part of a shard.

    Raises:
        OSError: there are none, or not so many.
    """
    if not in_shard(path):
        return Path(path).read_bytes()
    _, offset, length, file = str(path).split(":", 3)
    with open(file, "rb") as shard:
        shard.seek(int(offset))
        found = shard.read(int(length))
    if len(found) < int(length):
        raise OSError(f"truncated: {len(found)} of {length} bytes")
    return found


def table(folder: Path) -> pd.DataFrame:
    """The catalog's table of a shard folder: see `catalog.read`.

    Raises:
        BadInput: a shard is missing or cut short, or the index is damaged.
    """
    check(folder)
    try:
        rows = pd.read_csv(folder / PHOTOS, dtype=str, keep_default_na=False)[list(COLUMNS)]
        rows = rows.sort_values("file", ignore_index=True)
        place = str(folder.absolute()) + "/"
        paths = PREFIX + rows.offset + ":" + rows.length + ":" + place + rows.shard
        masks = PREFIX + rows.mask_offset + ":" + rows.mask_length + ":" + place + rows.shard
        found = pd.DataFrame(
            {
                "file": rows.file,
                "path": paths,
                "class": rows["class"],
                "split": rows.split,
                "boxes": [parse_boxes(text) for text in rows.boxes],
                "mask": [m if n else None for m, n in zip(masks, rows.mask_length, strict=True)],
            },
            dtype=object,
        )
        return found.assign(frame=rows.frame.astype(int), plain=rows.plain == "True")
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{folder / PHOTOS}: damaged ({reason}); make the shards anew") from None


def check(folder: Path) -> None:
    """See that all shards are there, whole by their length.

    Raises:
        BadInput: they are not.
    """
    try:
        shards = json.loads((folder / INDEX).read_text())["shards"]
        sizes = {folder / shard["file"]: shard["bytes"] for shard in shards}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder / INDEX}: damaged ({error}); make the shards anew") from None
    for path, size in sizes.items():
        if not path.is_file():
            raise BadInput(f"{path}: no such shard, but {INDEX} names it; copy it here")
        if path.stat().st_size != size:
            raise BadInput(
                f"{path}: {path.stat().st_size:,} bytes, {INDEX} says {size:,}; copy it again"
            )


def write_boxes(boxes: tuple[Box, ...] | None) -> str:
    """Boxes as a cell of photos.csv: `58 27 75 75;104 15 75 75`."""
    return ";".join(" ".join(map(str, box)) for box in boxes or ())


def parse_boxes(text: str) -> tuple[Box, ...] | None:
    """Read what `write_boxes` writes; None where there are none."""
    return tuple(Box(*map(int, box.split())) for box in text.split(";")) if text else None


def epoch(
    table: pd.DataFrame, seed: int, epoch: int, worker: int = 0, workers: int = 1
) -> Iterator[Any]:
    """A worker's rows of an epoch: every photo once, by one worker, for programs of your own.

    (Training reads whole batches of equal parts: see `pipeline.epoch_plan`.)

    Args:
        table: of one split; the same for all workers.
        seed: with the epoch's number, decides the order of all photos.
        epoch: from 0.
        worker: from 0.
        workers: how many there are. One reads at most one photo more than another.

    Yields:
        rows of the table, as `itertuples` gives them.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(table))
    yield from table.iloc[order[worker::workers]].itertuples()
