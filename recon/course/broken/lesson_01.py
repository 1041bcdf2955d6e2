"""Lesson 01's wrong functions, and the checks that catch them."""

import numpy as np

from recon.boxes import Box


def swapped(boxes, size):
    """Paint boxes into a mask; rows and columns are swapped, as in a library that says x, y."""
    mask = np.zeros((size, size, 1), "float32")
    for row, column, height, width in boxes:
        mask[column : column + width, row : row + height] = 1
    return mask


def half_swapped(boxes, size):
    """Paint boxes into a mask; the corner is right, and height and width are swapped."""
    mask = np.zeros((size, size, 1), "float32")
    for row, column, height, width in boxes:
        mask[row : row + width, column : column + height] = 1
    return mask


def corner_swapped(boxes, size):
    """Paint boxes into a mask; height and width are right, and the corner's numbers are swapped."""
    mask = np.zeros((size, size, 1), "float32")
    for row, column, height, width in boxes:
        mask[column : column + height, row : row + width] = 1
    return mask


def catch_swapped(rasterise):
    """Raise an AssertionError where rows and columns are mixed up.

    Args:
        rasterise: takes boxes and a size, and gives a mask `(size, size, 1)`. It may be right or
            wrong; whatever it does with boxes over the edge is not asked here.
    """
    mask = rasterise([Box(1, 3, 2, 4)], 8)  # nothing of it is symmetric
    expected = np.zeros((8, 8, 1))
    expected[1:3, 3:7] = 1
    assert np.array_equal(mask, expected), "rows and columns are mixed up"
