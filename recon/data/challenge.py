"""The challenge's own files: its folder, its boxes, its submissions and their score."""

import csv
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from recon import boxes
from recon.atomic import writing
from recon.boxes import Box
from recon.data import photos, tables
from recon.errors import BadInput

INFO = "masked_info.csv"
TRAINING, TESTING = "Training_Data", "Testing_Data"
MASKED, UNMASKED = "Masked_Train", "Unmasked_Train"
TRUTH = "Testing_Truth"  # not the challenge's: complete photos of a test that we made
SAMPLE = "sample_submission.csv"
CORNERS = ("box1_row", "box1_col", "box2_row", "box2_col")
HEADER = ["filename_box_pixel", "value"]
Info = list[tuple[str, tuple[Box, Box]]]  # file name and boxes of each photo, in order
Channels = Literal["bgr", "rgb"]
Values = Literal["minmax", "scaled"]


# The folder ---------------------------------------------------------------------------------


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


def check_corners(place: str, cells: dict[str, str], frame: int) -> None:
    """Raise BadInput if a corner is no whole number, or puts its box over the edge.

    Args:
        place: file and row, for the message.
        cells: the row's texts by column.
        frame: side of the photo, in pixels; the boxes' side follows from it.
    """
    last = frame - boxes.side(frame)
    for column in CORNERS:
        text = cells[column].strip()
        if not re.fullmatch("[+-]?[0-9]+", text):
            fault = f"{text!r} is not a whole number" if text else "the cell is empty"
            raise BadInput(f"{place}, column {column}: {fault}; write a pixel's number")
        if not 0 <= int(text) <= last:
            raise BadInput(
                f"{place}, column {column}: {text} puts the box over the edge; "
                f"0 to {last} fit in a {frame}×{frame} photo"
            )


def parse_boxes(cells: dict[str, str], frame: int) -> tuple[Box, Box]:
    """Read the two boxes of a row of masked_info.csv.

    Args:
        cells: the row's texts by column: box1_row, box1_col, box2_row, box2_col.
        frame: side of the photo, in pixels; the boxes' side, `boxes.side(frame)`, follows from it.

    Returns:
        the row's two boxes, box1 first.
    """
    side = boxes.side(frame)
    one_row, one_column, two_row, two_column = (int(cells[column]) for column in CORNERS)
    return Box(one_row, one_column, side, side), Box(two_row, two_column, side, side)


def two_boxes(place: str, cells: dict[str, str], frame: int) -> tuple[Box, Box]:
    """Check and read the four corner columns of a table's row; see the two functions above."""
    check_corners(place, cells, frame)
    return parse_boxes(cells, frame)


def read_info(path: str | Path, folder: str | Path) -> Info:
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


def testing(data: str | Path) -> tuple[Path, Info]:
    """Find the masked test photos of a challenge folder.

    Returns:
        their folder, and file name and boxes of each, in the order of masked_info.csv.

    Raises:
        BadInput: no such folder, no challenge, no test photos, or a fault in masked_info.csv.
    """
    if not Path(data).is_dir():
        raise BadInput(f"{data}: no such folder")
    folder = (root(data) or Path(data)) / TESTING
    if not folder.is_dir():
        raise BadInput(f"{data}: no challenge folder, it has no {TESTING}")
    info = read_info(folder / INFO, folder)
    if not info:
        raise BadInput(f"{folder}: no photos in it")
    return folder, info


def write_info(path: str | Path, info: Info) -> None:
    """Write masked_info.csv, its nameless first column included."""
    rows = [(file, one.row, one.column, two.row, two.column) for file, (one, two) in info]
    with writing(path) as temporary:
        pd.DataFrame(rows, columns=["filename", *CORNERS]).to_csv(temporary)


def write(
    out: str | Path,
    training: Iterable[tuple[str, str, np.ndarray, tuple[Box, Box]]],
    testing: Iterable[tuple[str, np.ndarray, tuple[Box, Box]]],
) -> None:
    """Write a challenge folder, with the complete test photos in Testing_Truth.

    Args:
        out: an empty folder.
        training: class, file name, complete photo and boxes of each training photo.
        testing: file name, complete photo and boxes of each test photo.
            Photos are uint8 `(H, H, 3)`; all are written as their names' ending says.
    """
    out = Path(out)
    infos: dict[Path, Info] = {}

    def add(masked: Path, complete: Path, file: str, photo: np.ndarray, pair: tuple[Box, Box]):
        for folder in (masked, complete):
            folder.mkdir(parents=True, exist_ok=True)
        missing = boxes.rasterise(pair, photo.shape[:2]) > 0
        photos.write(complete / file, photo)
        photos.write(masked / file, np.where(missing, np.uint8(0), photo))
        infos.setdefault(masked, []).append((file, pair))

    for kind, *photo in training:
        add(out / TRAINING / kind / MASKED, out / TRAINING / kind / UNMASKED, *photo)
    for photo in testing:
        add(out / TESTING, out / TRUTH, *photo)
    for folder, info in infos.items():
        write_info(folder / INFO, info)
    black = ((f, pair, photos.read(out / TESTING / f) / 255) for f, pair in infos[out / TESTING])
    write_submission(out / SAMPLE, black, values="scaled")


# Submissions --------------------------------------------------------------------------------


def minmax(photo: np.ndarray) -> np.ndarray:
    """Rescale each channel so that its smallest value is 0 and its largest 1.

    `cv.normalize(..., NORM_MINMAX)` of the participants' common code.

    Args:
        photo: `(H, W, C)`, the whole completed photo.

    Returns:
        the same shape; a constant channel becomes 0.
    """
    low, high = photo.min((0, 1)), photo.max((0, 1))
    return (photo - low) / np.where(high > low, high - low, 1)


def cut(photo: np.ndarray, pair: Iterable[Box]) -> np.ndarray:
    """Cut boxes out of a photo.

    Args:
        photo: `(H, W, C)`.
        pair: its boxes, all of one size; where they overlap, both have the pixels.

    Returns:
        `(boxes, height, width, C)`, a copy.
    """
    return np.stack([photo[b.row : b.row + b.height, b.column : b.column + b.width] for b in pair])


ORDER = {"bgr": [2, 1, 0], "rgb": [0, 1, 2]}  # where the file's channels are in RGB
RESCALE = {"minmax": minmax, "scaled": np.asarray}


def asked(photo: np.ndarray, pair: Iterable[Box], channels: Channels, values: Values) -> np.ndarray:
    """Cut out of a completed photo what the challenge asks for.

    Args:
        photo: `(H, W, 3)`, RGB in [0, 1].
        pair: its boxes, all of one side.
        channels: the file's channel order, OpenCV's `bgr` or Pillow's `rgb`.
        values: `minmax`, each channel of the photo rescaled to span [0, 1], or `scaled`, as is.

    Returns:
        float64 `(boxes, side, side, 3)`.
    """
    return cut(RESCALE[values](photo.astype("float64"))[..., ORDER[channels]], pair)


def pixel_names(file: str, pair: Iterable[Box]) -> list[str]:
    """Name a photo's rows in a submission, such as `Tiger (1024).jpeg_box1_58_27_0`.

    Args:
        file: the photo's file name.
        pair: its boxes.

    Returns:
        `FILE_boxB_ROW_COLUMN_CHANNEL` for every box, row, column and channel, in this order: boxes
        count from 1, channels from 0, and a pixel's row and column are the photo's.
    """
    return [
        f"{file}_box{number}_{row}_{column}_{channel}"
        for number, box in enumerate(pair, start=1)
        for row in range(box.row, box.row + box.height)
        for column in range(box.column, box.column + box.width)
        for channel in range(3)
    ]


def write_submission(
    path: str | Path,
    items: Iterable[tuple[str, tuple[Box, Box], np.ndarray]],
    channels: Channels = "bgr",
    values: Values = "minmax",
) -> None:
    """Write the challenge's CSV, photo after photo.

    Args:
        path: the file; it appears when the last photo is in it.
        items: file name, boxes, and completed photo, `(H, W, 3)` RGB in [0, 1], of each test
            photo in the order of masked_info.csv.
        channels: order of a pixel's three rows.
        values: `minmax` or `scaled`, see `asked`.

    Raises:
        BadInput: a completed photo holds a value that is no number.
    """
    with writing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for name, pair, completed in items:
            pixels = asked(completed, pair, channels, values)
            if not np.isfinite(pixels).all():
                raise BadInput(f"{name}: the method's result holds values that are no numbers")
            # Six decimals, as short as they go: 0.54902, 1.0.
            decimals = np.round(pixels, 6).ravel().tolist()
            writer.writerows(zip(pixel_names(name, pair), decimals, strict=True))


def read_submission(path: str | Path, info: Info) -> list[np.ndarray]:
    """Read a submission and hold every row's name against the one expected there.

    Args:
        path: the CSV file.
        info: file name and boxes of each test photo, in order.

    Returns:
        The values of each photo, float64 `(2, side, side, 3)`, channels in the file's order.

    Raises:
        BadInput: no such file; a row is missing, extra, repeated, out of order or no number.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return list(_read_photos(path, csv.reader(file), info))
    except (FileNotFoundError, IsADirectoryError):
        raise BadInput(f"{path}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: not a CSV file in UTF-8 ({error})") from None


def _read_photos(path: str | Path, rows: Iterator[list[str]], info: Info) -> Iterator[np.ndarray]:
    """Give each photo's values in turn; `rows` is the file's reader, before its header."""
    header = next(rows, [])
    if header != HEADER:
        raise BadInput(f"{path}: row 1 is {','.join(header)!r}, expected {','.join(HEADER)!r}")
    row = 2
    for file, pair in info:
        names = pixel_names(file, pair)
        values = []
        for name, cells in zip(names, rows, strict=False):  # the file goes on after this photo
            try:
                found, text = cells
                value = float(text)
            except ValueError:  # not two cells, or not a number
                found, value = None, math.nan
            if found != name or not math.isfinite(value):
                raise BadInput(f"{path}: row {row} {_fault(cells, name, names[: len(values)])}")
            values.append(value)
            row += 1
        if len(values) < len(names):
            name = names[len(values)]
            raise BadInput(f"{path}: the file ends before row {row}, expected {name!r} there")
        yield np.reshape(values, (len(pair), pair[0].height, pair[0].width, 3))
    for extra, cells in enumerate(rows, row):
        if any(cells):
            raise BadInput(f"{path}: row {extra} is {cells[0]!r}, expected the end of the file")


def _fault(cells: list[str], name: str, before: list[str]) -> str:
    """Say what is wrong with a submission's row.

    Args:
        cells: what is in the row.
        name: what is expected in its first cell.
        before: what was expected, and found, in the rows of the photo before it.
    """
    if not any(cells):
        return f"is empty, expected {name!r}"
    if cells[0] in before:
        return f"is {cells[0]!r}, which is there already, expected {name!r}"
    if cells[0] != name:
        return f"is {cells[0]!r}, expected {name!r}; rows follow masked_info.csv, each once"
    if len(cells) != 2:
        return f"({name!r}) has {len(cells)} cells, expected its name and a value"
    return f"({name!r}): {cells[1]!r} is not a number"


def rmse(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Root of the mean squared difference over all rows of a submission.

    Args:
        pairs: of each photo the true values and the guessed ones, arrays of one shape; photos
            may differ in shape.

    Returns:
        the RMSE, pooled: all values of all photos count alike. (A mean of the photos' own RMSEs
        is another number, and a smaller one.)
    """
    total = count = 0
    for truth, guess in pairs:
        error = truth - guess
        total += np.sum(error**2)
        count += error.size
    return math.sqrt(total / count)


def score(
    submission: str | Path,
    data: str | Path,
    truth: str | Path,
    channels: Channels = "bgr",
    values: Values = "minmax",
) -> float:
    """Score a submission: root of the mean squared difference over all rows.

    Args:
        submission: the CSV file.
        data: the challenge folder; boxes and order are of its Testing_Data/masked_info.csv.
        truth: complete photos of the same names.
        channels: the submission's channel order.
        values: the submission's values; the truth is rescaled alike.

    Raises:
        BadInput: as `testing` and `read_submission`; a complete photo is missing, cannot be
            read, or has another size than its masked version.
    """
    folder, info = testing(data)
    frame = common_side(folder, [file for file, _ in info])
    if not Path(truth).is_dir():
        raise BadInput(f"{truth}: no such folder")
    for file, _ in info:  # before the submission, which takes longer
        check_size(Path(truth) / file, frame)
    truths = (
        asked(photos.read(Path(truth) / file) / 255, pair, channels, values) for file, pair in info
    )
    return rmse(zip(truths, read_submission(submission, info), strict=True))
