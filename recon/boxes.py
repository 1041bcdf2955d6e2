"""The missing boxes: draw them, scale them, read them, paint them into a mask."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

PHOTO = 256  # the challenge's photos are 256×256 pixels,
SIDE = 75  # and its boxes 75×75


class Box(NamedTuple):
    """A missing rectangle; `row` and `column` are its top-left pixel."""

    row: int
    column: int
    height: int = SIDE
    width: int = SIDE


def side(size: int) -> int:
    """Scale the side of a box with the photo: 75 pixels per 256.

    Args:
        size: height and width of the photo, in pixels.

    Returns:
        the box's height and width: a whole number of pixels, the nearest, and at least 1.
    """
    return max(1, round(SIDE * size / PHOTO))


def draw(generator: np.random.Generator, size: int = PHOTO, count: int = 2) -> tuple[Box, ...]:
    """Draw boxes wherever they fall: every position is as likely as any other.

    Args:
        generator: where the randomness comes from.
        size: height and width of the photo, in pixels.
        count: how many boxes; they may overlap and touch the edge, as in the challenge.

    Returns:
        `count` boxes of side `side(size)`, whole on the photo; rows and columns are Python's ints.
    """
    length = side(size)
    corners = generator.integers(0, size - length, (count, 2), endpoint=True)
    return tuple(Box(int(row), int(column), length, length) for row, column in corners)


def fixed(seed: int, name: str, size: int = PHOTO, count: int = 2) -> tuple[Box, ...]:
    """Draw boxes that depend on nothing but a seed and a photo's name.

    Validation and test photos get these: the boxes of a photo stay when others join it.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    # One word a byte, as of a list of numbers, which NumPy would take in four times as slowly.
    words = np.frombuffer(digest, "uint8").astype("uint32")
    return draw(np.random.default_rng(words), size, count)


def scale(box: Box, old: int, new: int) -> Box:
    """Carry a box from a photo of `old`×`old` pixels to the same photo at `new`×`new`.

    Corners are rounded, sides are rounded and at least 1, and the box stays on the photo.
    """
    height, width = (max(1, round(length * new / old)) for length in (box.height, box.width))
    row = min(round(box.row * new / old), new - height)
    column = min(round(box.column * new / old), new - width)
    return Box(row, column, height, width)


def validate(box: Box, size: int | tuple[int, int]) -> None:
    """Raise a ValueError if a box is empty or reaches over the photo's edge."""
    rows, columns = (size, size) if isinstance(size, int) else size
    row, column, height, width = box
    if min(height, width) < 1:
        raise ValueError(f"box {row},{column},{height},{width} is empty")
    if min(row, column) < 0 or row + height > rows or column + width > columns:
        raise ValueError(
            f"box {row},{column},{height},{width} reaches over the edge of a {rows}×{columns} photo"
        )


def rasterise(boxes: Iterable[Box], size: int | tuple[int, int]) -> np.ndarray:
    """Paint boxes into a mask.

    Args:
        boxes: the missing rectangles; they may overlap.
        size: height and width of the photo, in pixels; one number for a square.

    Returns:
        float32 `(height, width, 1)`: 1 where a pixel is missing, 0 where it is known.

    Raises:
        ValueError: a box is empty or reaches over the edge (`validate` says so).
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    mask = np.zeros((rows, columns, 1), "float32")
    for box in boxes:
        validate(box, (rows, columns))  # a slice past the edge would silently be cut
        row, column, height, width = box
        mask[row : row + height, column : column + width] = 1  # overlap: missing once, so not 2
    return mask


def coverage(boxes: Iterable[Box], size: int | tuple[int, int]) -> np.ndarray:
    """Count the boxes over every pixel.

    The challenge asks for every pixel of every box, so one in two boxes counts twice.

    Args:
        boxes: the missing rectangles.
        size: height and width of the photo, in pixels; one number for a square.

    Returns:
        float32 `(height, width, 1)`: how many boxes a pixel lies in.

    Raises:
        ValueError: a box is empty or reaches over the edge.
    """
    counts = rasterise([], size)
    for box in boxes:
        counts += rasterise([box], size)
    return counts


def parse(text: str) -> Box:
    """Read a box from the command line: `ROW,COL` or `ROW,COL,HEIGHT,WIDTH`.

    Raises:
        ValueError: not two or four whole numbers.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 4):
        raise ValueError(f"{text!r} is not a box: write ROW,COL or ROW,COL,HEIGHT,WIDTH in pixels")
    return Box(*numbers)
