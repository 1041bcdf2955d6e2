"""A folder of photos, of whatever kind, as one table: file, class, split, boxes, mask."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from recon import boxes
from recon.boxes import PHOTO, Box
from recon.data import challenge, photos, safari, shards, tables
from recon.errors import BadInput

SPLITS = ("train", "val", "test")
MANIFEST = "manifest.csv"
SAFARI = {"train": 3072, "val": 128, "test": 256}  # drawn photos in each split


class Found(NamedTuple):
    """A photo before it is looked into; an empty split is one that has to be chosen."""

    file: str
    path: Path | str  # a text for a drawn photo
    kind: str  # its class
    split: str = ""
    boxes: tuple[Box, ...] | None = None
    mask: Path | None = None
    frame: int = PHOTO


def load(data: str | Path, seed: int = 0, say: Callable[[str], Any] = print) -> pd.DataFrame:
    """The table of what `--data` names: `safari`, the drawn photos, or a folder."""
    return safari_table(seed) if str(data) == "safari" else read(data, seed, say)


def read(folder: str | Path, seed: int = 0, say: Callable[[str], Any] = print) -> pd.DataFrame:
    """Read a folder of photos into a table.

    Kinds of folder, the first that fits:

    - a challenge: Training_Data or Testing_Data, also in `Dataset/`. Complete photos of
      Unmasked_Train with the boxes of masked_info.csv; photos of Testing_Data are "hidden".
      Files are named from the folder that holds the two.
    - a manifest.csv with columns path and split (train, val or test), and as they are
      wanted class, mask (white is missing) and box1_row, box1_col, box2_row, box2_col.
    - a folder of class folders, or of photos.
    - shards that `data_tools.shard` made, with the splits and boxes they were made with.

    Args:
        folder: where the photos are.
        seed: chooses splits and boxes where the folder gives none: 80 % train, 10 % val,
            10 % test by a hash of the seed and the file's name, so that a photo keeps its
            place when others join it; boxes of val and test alike.
        say: takes the line about photos that cannot be read and are left out.

    Returns:
        One row per photo, sorted by file:

        - file: its name, unique, from the folder, with forward slashes.
        - path: absolute.
        - class: "" where there is none.
        - split: train, val, test, or hidden: only a masked version exists.
        - boxes: tuple of `Box`, or None: a mask file, or drawn anew every epoch.
        - mask: absolute path of a mask file, or None.
        - frame: side of the square photo that the boxes' pixels are of.
        - plain: TensorFlow decodes it as `photos.read` does; see `photos.Facts`.

    Raises:
        BadInput: no such folder, no photos, or a fault in its tables.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BadInput(f"{folder}: {'not a' if folder.exists() else 'no such'} folder")
    if shards.is_shards(folder):
        return shards.table(folder)
    if place := challenge.root(folder):
        found = _in_challenge(place)
    elif (folder / MANIFEST).is_file():
        found = _in_manifest(folder)
    else:
        found = _in_folders(folder)
    if not found:
        raise BadInput(f"{folder}: no photos ({', '.join(photos.ENDINGS)}) in it or in its folders")
    facts = _inspect(found, say)
    if not facts:
        raise BadInput(f"{folder}: none of its {len(found)} photos can be read")
    found = _split([photo for photo in found if photo.file in facts], seed)
    return _table(found, [facts[photo.file].plain for photo in found], seed)


def _in_folders(folder: Path) -> list[Found]:
    """Photos of a folder, without a class, and of the folders in it, which are classes."""
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir() and challenge.visible(p))]
    return [
        Found((place / file).relative_to(folder).as_posix(), place / file, kind)
        for place, kind in zip(places, ["", *(p.name for p in places[1:])], strict=True)
        for file in challenge.files(place)
    ]


def _in_challenge(folder: Path) -> list[Found]:
    """Photos of a challenge: complete ones of every class, and the hidden test."""
    found = []
    if (folder / challenge.TRAINING).is_dir():
        for place in sorted((folder / challenge.TRAINING).iterdir()):
            if place.is_dir() and challenge.visible(place):
                for file, pair, frame in challenge.read_pairs(place):
                    path = place / challenge.UNMASKED / file
                    name = path.relative_to(folder).as_posix()
                    found.append(Found(name, path, place.name, "", pair, None, frame))
    if (folder / challenge.TESTING).is_dir():
        place = folder / challenge.TESTING
        info = challenge.read_info(place / challenge.INFO, place)
        frame = challenge.common_side(place, [file for file, _ in info]) if info else 0
        for file, pair in info:
            name = f"{challenge.TESTING}/{file}"
            found.append(Found(name, place / file, "", "hidden", pair, None, frame))
    return found


def _in_manifest(folder: Path) -> list[Found]:
    """Photos that manifest.csv lists, with what it says about them."""
    found = []
    seen: dict[str, int] = {}
    for row, cells in tables.read(folder / MANIFEST, ("path", "split")):
        place = f"{folder / MANIFEST}: row {row}"
        file = PurePosixPath(cells["path"]).as_posix() if cells["path"] else ""
        path = folder / file
        if not file:
            raise BadInput(f"{place}, column path: the cell is empty; write a photo's path")
        if file in seen:
            raise BadInput(f"{place}, column path: {file!r} is in row {seen[file]} already")
        if not path.is_file():
            raise BadInput(f"{place}, column path: no photo {file!r} in {folder}")
        if cells["split"] not in SPLITS:
            raise BadInput(
                f"{place}, column split: {cells['split']!r} is none of {', '.join(SPLITS)}"
            )
        seen[file] = row
        mask = _mask_of(place, folder, cells, path)
        pair, frame = None, PHOTO
        if any(cells.get(column) for column in challenge.CORNERS):
            pair, frame = _boxes_of(place, cells, path, mask)
        found.append(Found(file, path, cells.get("class", ""), cells["split"], pair, mask, frame))
    return found


def _mask_of(place: str, folder: Path, cells: dict[str, str], path: Path) -> Path | None:
    """Mask file of a manifest's row; it must lie over the photo pixel by pixel."""
    if not cells.get("mask"):
        return None
    mask = folder / cells["mask"]
    if not mask.is_file():
        raise BadInput(f"{place}, column mask: no file {cells['mask']!r} in {folder}")
    try:
        shape = photos.size(path)
    except photos.Unreadable:
        return None  # left out later, with its name and the reason
    facts = photos.inspect(mask)
    if (facts.height, facts.width) != shape:
        raise BadInput(
            f"{place}, column mask: {facts.height}×{facts.width} pixels, "
            f"its photo {shape[0]}×{shape[1]}; make them the same size"
        )
    return mask


def _boxes_of(
    place: str, cells: dict[str, str], path: Path, mask: Path | None
) -> tuple[tuple[Box, ...] | None, int]:
    """Boxes of a manifest's row, and the side of their photo."""
    absent = [column for column in challenge.CORNERS if column not in cells]
    if absent:
        raise BadInput(f"{place}: boxes need the column {absent[0]} too")
    if mask:
        raise BadInput(f"{place}: both a mask and boxes; leave one empty")
    try:
        height, width = photos.size(path)
    except photos.Unreadable:
        return None, PHOTO  # left out later, with its name and the reason
    if height != width:
        raise BadInput(f"{place}: boxes on a photo of {height}×{width} pixels; crop it square")
    return challenge.two_boxes(place, cells, height), height


def _inspect(found: list[Found], say: Callable[[str], Any]) -> dict[str, photos.Facts]:
    """Look into every photo, in parallel; name those that cannot be read.

    Returns:
        What is known of each readable photo, by file.
    """

    def look(photo: Found) -> photos.Facts | photos.Unreadable:
        try:
            return photos.inspect(photo.path)
        except photos.Unreadable as error:
            return error

    # Pillow lets go of Python's lock while it decodes, so threads are enough.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = dict(zip([photo.file for photo in found], pool.map(look, found), strict=True))
    faults = [
        f"{file} ({fact.reason})"
        for file, fact in seen.items()
        if isinstance(fact, photos.Unreadable)
    ]
    if faults:
        more = f" and {len(faults) - 10} more" if len(faults) > 10 else ""
        listed = ", ".join(faults[:10])
        say(f"skipped {len(faults)} of {len(found)} photos: {listed}{more}")
    return {file: fact for file, fact in seen.items() if isinstance(fact, photos.Facts)}


def place_of(seed: int, file: str) -> float:
    """A photo's place in [0, 1), by nothing but the seed and its name; it chooses the split."""
    digest = hashlib.sha256(f"{seed}:split:{file}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _split(found: list[Found], seed: int) -> list[Found]:
    """Choose a split for photos that have none: 80 % train, 10 % val, 10 % test.

    A small folder may leave a split empty; it then gets the photo whose place comes last in
    the fullest one, if that has a photo to give.
    """
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    ordered = sorted((place_of(seed, p.file), p.file) for p in found if not p.split)
    for place, file in ordered:
        splits["train" if place < 0.8 else "val" if place < 0.9 else "test"].append(file)
    for split in SPLITS:
        fullest = max(splits.values(), key=len)
        if not splits[split] and len(fullest) > 1:
            splits[split].append(fullest.pop())
    chosen = {file: split for split, names in splits.items() for file in names}
    return [photo._replace(split=photo.split or chosen[photo.file]) for photo in found]


def _table(found: list[Found], plain: list[bool], seed: int) -> pd.DataFrame:
    """Rows of the table, sorted by file; val and test photos without a hole get boxes."""
    rows = []
    for photo, is_plain in zip(found, plain, strict=True):
        missing = photo.boxes
        if missing is None and photo.mask is None and photo.split in ("val", "test"):
            missing = boxes.fixed(seed, photo.file, photo.frame)
        mask = str(photo.mask.absolute()) if photo.mask else None
        path = photo.path if isinstance(photo.path, str) else str(photo.path.absolute())
        rows.append(
            (photo.file, path, photo.kind, photo.split, missing, mask, photo.frame, is_plain)
        )
    columns = ["file", "path", "class", "split", "boxes", "mask", "frame", "plain"]
    table = pd.DataFrame(sorted(rows, key=lambda row: row[0]), columns=columns, dtype=object)
    # As objects, None stays None in boxes and mask; pandas 3 would make it NaN among texts.
    return table.astype({"frame": int, "plain": bool})


def safari_table(seed: int = 0) -> pd.DataFrame:
    """The table of the drawn photos: 3,072 train, then 128 val, then 256 test by number.

    A photo's path is `safari:SEED:NUMBER`; `photo` draws it.
    """
    found = []
    for split, count in SAFARI.items():
        for number in range(len(found), len(found) + count):
            kind = safari.CLASSES[number % len(safari.CLASSES)]
            path = f"safari:{seed}:{number}"
            found.append(Found(f"safari/{kind}-{number:05}.png", path, kind, split))
    return _table(found, [True] * len(found), seed)


def split_of(table: pd.DataFrame, split: str) -> pd.DataFrame:
    """Rows of a split, numbered anew.

    Raises:
        BadInput: it has none.
    """
    rows = table[table["split"] == split]
    if rows.empty:
        counts = table["split"].value_counts()
        present = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        raise BadInput(f"no {split} photos: the data has {present}; take another split")
    return rows.reset_index(drop=True)


def _cell(row: Any, column: str) -> Any:
    """A cell of a table's row, be it of `itertuples` or a Series (whose `.mask` is a method)."""
    return row[column] if isinstance(row, pd.Series) else getattr(row, column)


def photo(row: Any, size: int) -> np.ndarray:
    """The complete photo of a table's row; of a hidden row, the masked one.

    Returns:
        uint8 `(size, size, 3)`, RGB.

    Raises:
        BadInput: it can be read no more.
    """
    path = _cell(row, "path")
    if path.startswith("safari:"):
        _, seed, number = path.split(":")
        return safari.draw(int(number), size, int(seed))
    return photos.square(photos.read(path), size)


def coverage(row: Any, size: int) -> np.ndarray:
    """How many of a row's boxes lie over each pixel; of a mask file, its mask.

    Returns:
        float32 `(size, size, 1)`.

    Raises:
        ValueError: a train row's hole is drawn anew every epoch and not known here.
    """
    if path := _cell(row, "mask"):
        return photos.square_mask(photos.read_mask(path), size)
    missing = _cell(row, "boxes")
    if missing is None:
        raise ValueError(f"{_cell(row, 'file')}: neither boxes nor a mask")
    frame = _cell(row, "frame")
    return boxes.coverage((boxes.scale(box, frame, size) for box in missing), size)


def mask(row: Any, size: int) -> np.ndarray:
    """The mask of a table's row.

    Returns:
        float32 `(size, size, 1)`: 1 where a pixel is missing, 0 where it is known.

    Raises:
        ValueError: a train row's hole is drawn anew every epoch and not known here.
    """
    return np.minimum(coverage(row, size), 1)
