"""The challenge's own files: its folder, its boxes, its submissions and their score."""

import re
from collections.abc import Iterable
from pathlib import Path

from recon import boxes
from recon.boxes import Box
from recon.data import photos, tables
from recon.errors import BadInput

INFO = "masked_info.csv"
TRAINING, TESTING = "Training_Data", "Testing_Data"
MASKED, UNMASKED = "Masked_Train", "Unmasked_Train"
CORNERS = ("box1_row", "box1_col", "box2_row", "box2_col")


def root(folder: str | Path) -> Path | None:
    """The folder with Training_Data or Testing_Data in it: this one, or its Dataset.

    Returns:
        None where neither is, so `folder` is no challenge.
    """
    for place in (Path(folder), Path(folder) / "Dataset"):
        if (place / TRAINING).is_dir() or (place / TESTING).is_dir():
            return place
    return None


def files(folder: str | Path) -> list[str]:
    """Names of the photos in a folder, sorted."""
    if not Path(folder).is_dir():
        raise BadInput(f"{folder}: no such folder")
    return sorted(p.name for p in Path(folder).iterdir() if photos.is_photo(p) and visible(p))


def visible(path: Path) -> bool:
    """A file or folder that was put there, not by the system (`._Cat-1.jpg` of a Mac)."""
    return not path.name.startswith(".")


def common_side(folder: str | Path, names: Iterable[str]) -> int:
    """Side in pixels of photos that must all be square and of one size.

    A photo that cannot be read has no size; whoever wants its pixels will say so.

    Raises:
        BadInput: one is not square, or of another size than those before it, or none is
            readable.
    """
    side = None
    for name in names:
        try:
            height, width = photos.size(Path(folder) / name)
        except photos.Unreadable:
            continue
        if height != width:
            raise BadInput(
                f"{Path(folder) / name}: {height}×{width} pixels; a challenge's photos are square"
            )
        if side not in (None, height):
            raise BadInput(
                f"{Path(folder) / name}: {height}×{width} pixels, the photos before it "
                f"{side}×{side}; a challenge's photos are all of one size"
            )
        side = height
    if side is None:
        raise BadInput(f"{folder}: no photo that can be read")
    return side


def two_boxes(place: str, cells: dict[str, str], frame: int) -> tuple[Box, Box]:
    """Read the four corner columns of a table's row.

    Args:
        place: file and row, for the message.
        cells: the row's texts by column.
        frame: side of the photo, in pixels; the boxes' side follows from it.

    Raises:
        BadInput: a cell is empty, no whole number, or puts its box over the edge.
    """
    side = boxes.side(frame)
    corners = []
    for column in CORNERS:
        text = cells[column].strip()
        if not re.fullmatch("[+-]?[0-9]+", text):
            fault = f"{text!r} is not a whole number" if text else "the cell is empty"
            raise BadInput(f"{place}, column {column}: {fault}; write a pixel's number")
        if not 0 <= int(text) <= frame - side:
            raise BadInput(
                f"{place}, column {column}: {text} puts the box over the edge; "
                f"0 to {frame - side} fit in a {frame}×{frame} photo"
            )
        corners.append(int(text))
    return Box(*corners[:2], side, side), Box(*corners[2:], side, side)


def read_info(path: str | Path, folder: str | Path) -> list[tuple[str, tuple[Box, Box]]]:
    """Read masked_info.csv and hold it against the photos that it speaks of.

    Args:
        path: the CSV file: filename, box1_row, box1_col, box2_row, box2_col.
        folder: the photos.

    Returns:
        Every photo's file name and its two boxes, in the file's order.

    Raises:
        BadInput: a column is missing; a row is there twice or for a photo that is not
            there; a photo has no row; a box is no box, or over its photo's edge; photos
            differ in size.
    """
    rows = tables.read(path, ("filename", *CORNERS))
    present = set(files(folder))
    seen: dict[str, int] = {}
    for row, cells in rows:
        file = cells["filename"]
        place = f"{path}: row {row}, column filename"
        if not file:
            raise BadInput(f"{place}: the cell is empty; write a photo's name")
        if file in seen:
            raise BadInput(f"{place}: {file!r} is in row {seen[file]} already; remove one")
        if file not in present:
            raise BadInput(f"{place}: no photo {file!r} in {folder}; remove the row or add it")
        seen[file] = row
    without = sorted(present - set(seen))
    if without:
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        raise BadInput(
            f"{path}: no row for the photo {without[0]!r}{more} in {folder}; add it or remove it"
        )
    if not rows:
        return []
    frame = common_side(folder, seen)
    return [
        (cells["filename"], two_boxes(f"{path}: row {row}", cells, frame)) for row, cells in rows
    ]


def read_pairs(folder: str | Path) -> list[tuple[str, tuple[Box, Box], int]]:
    """Read a class folder of Training_Data: Masked_Train, its boxes, and Unmasked_Train.

    Returns:
        Every photo's file name, its two boxes, and the side of the photo in pixels.

    Raises:
        BadInput: as `read_info`; or a photo has no complete version, or no masked one, or
            the two differ in size.
    """
    masked, complete = Path(folder) / MASKED, Path(folder) / UNMASKED
    info = read_info(masked / INFO, masked)
    names = [file for file, _ in info]
    present = set(files(complete))
    for file in names:
        if file not in present:
            raise BadInput(
                f"{complete / file}: no such photo, and {masked / INFO} has a row for it"
            )
    for file in sorted(present - set(names)):
        raise BadInput(f"{masked / INFO}: no row for the photo {file!r} in {complete}")
    if not info:
        return []
    frame = common_side(masked, names)
    for file in names:
        check_size(complete / file, frame)
    return [(file, pair, frame) for file, pair in info]


def check_size(complete: str | Path, frame: int) -> None:
    """Raise BadInput if a complete photo has not the size of the masked ones.

    A photo that cannot be read has no size; whoever wants its pixels will say so.
    """
    try:
        height, width = photos.size(complete)
    except photos.Unreadable:
        return
    if (height, width) != (frame, frame):
        raise BadInput(
            f"{complete}: {height}×{width} pixels, its masked version {frame}×{frame}; "
            "they must be the same size"
        )
