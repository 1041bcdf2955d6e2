"""Make a whole challenge folder from any photos: `python -m data_tools.make_challenge`."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from recon import atomic, boxes, commandline
from recon.boxes import Box
from recon.data import catalog, challenge
from recon.errors import BadInput
from recon.progress import progress

TEST = 200  # test photos of the real challenge
CLASSES = {"cats": "Cat", "dogs": "Dog", "elephants": "Elephant", "tigers": "Tiger"}


def class_name(name: str) -> str:
    """The challenge's name of a class: `cats` and `cat` are Cat, no class at all is Photo.

    Others keep theirs, as far as it can name a folder.
    """
    name = re.sub(r"[/\\]", "-", name).strip(". ") or "Photo"
    return CLASSES.get(name.lower(), CLASSES.get(f"{name.lower()}s", name))


def pair_of(row: pd.Series, size: int, seed: int) -> tuple[Box, Box]:
    """A photo's two boxes: its own where it has them, else by seed and name.

    Args:
        row: of the catalog's table.
        size: side of the photo they are wanted for, in pixels.
        seed: as the catalog's.
    """
    pair = row["boxes"] or boxes.fixed(seed, row["file"], row["frame"])
    side = boxes.side(size)  # from 64 pixels, 19 would scale to 76 at 256
    corners = (boxes.scale(box, row["frame"], size) for box in pair)
    return tuple(
        Box(min(box.row, size - side), min(box.column, size - side), side, side) for box in corners
    )


def choose(table: pd.DataFrame, count: int | None, seed: int) -> pd.DataFrame:
    """Take test photos, mixed over the classes and the same for the same seed."""
    if count is None:
        count = min(TEST, len(table))
    if not 1 <= count <= len(table):
        raise BadInput(f"--test {count}: the test split has {len(table)} photos, take 1 or more")
    places = [catalog.place_of(seed, file) for file in table["file"]]
    return table.iloc[np.argsort(places)[:count]]


def named(
    table: pd.DataFrame, part: str, size: int, seed: int
) -> Iterator[tuple[str, str, np.ndarray, tuple[Box, Box]]]:
    """Give each photo its name in the challenge.

    Returns:
        class, file name such as `Cat-Train (1).png`, complete photo, boxes, one after another.
    """
    numbers: Counter[str] = Counter()
    rows = progress(table.iterrows(), f"{part} photos", len(table))
    for _, row in rows:
        kind = class_name(row["class"])
        numbers[kind] += 1
        file = f"{kind}-{part} ({numbers[kind]}).png"
        yield kind, file, catalog.photo(row, size), pair_of(row, size, seed)


def make_challenge(
    photos: str, out: Path, *, size: int = boxes.PHOTO, test: int | None = None, seed: int = 0
) -> None:
    """Make a challenge folder from any photos, with the hidden truth in it.

    OUT gets Training_Data, Testing_Data and sample_submission.csv, as the challenge had them,
    and the complete test photos in Testing_Truth: `python -m recon.score` wants that folder,
    whoever takes part should not have it. Test photos are of the test split. All photos are
    PNG: JPEG would blur the boxes' edges into the known pixels.

    Parameters
    ----------
    photos
        A folder of photos, as recon.train reads it, or safari, the drawn ones.
    out
        A new or empty folder.
    size
        Side of the challenge's photos, in pixels.
    test
        How many test photos; by default the whole test split (a tenth of the photos where
        the folder has no splits), at most 200.
    seed
        Chooses splits, boxes and test photos.
    """
    if size < 1:
        raise BadInput(f"--size {size}: a photo has at least 1 pixel")
    with atomic.building(out.absolute()) as folder:
        table = catalog.load(photos, seed)
        tests = choose(catalog.split_of(table, "test"), test, seed)
        train = table[table["split"].isin(["train", "val"])]
        challenge.write(
            folder,
            named(train, "Train", size, seed),
            (photo for _, *photo in named(tests, "Test", size, seed)),
        )
    print(f"{out}: {len(train):,} training photos, {len(tests):,} test photos")
    print(f"complete test photos: {out / challenge.TRUTH}")
    if left := len(catalog.split_of(table, "test")) - len(tests):
        print(f"left out: {left:,} more photos of the test split")


if __name__ == "__main__":
    commandline.run(make_challenge)
