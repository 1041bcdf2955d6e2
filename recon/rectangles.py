"""Laplace's equation on holes that are made of rectangles, without a sparse matrix.

On a single rectangle its solution is four small matrix products: `solve_rectangle`. A hole of
several that overlap or touch, as two boxes do in half of the challenge's photos, is cut along seams
into rectangles that no longer touch; their answers to the seams make a small system for the seams
alone (a Schur complement: `Rectangle.eliminate`). `recon.classical.harmonic` puts it together.
"""

from typing import NamedTuple

import numpy as np

from recon.boxes import Box

SMALL = 300  # missing pixels per rectangle; with fewer the sparse solver is as fast

Waves = tuple[np.ndarray, np.ndarray]  # eigenvalues (n,) and eigenvectors (n, n), one a column


def standing_waves(length: int, start_open: bool, end_open: bool) -> Waves:
    """Eigenvalues and eigenvectors of Laplace's equation on a row of missing pixels.

    Its matrix has −1 beside the diagonal and on it the number of neighbours: 2, at an open end 1.
    Its eigenvectors are what a string of that length can sound: sines with a node on the known
    pixel beside an end, and a crest half a pixel beyond an end that is open.

    Args:
        length: pixels in the row.
        start_open: whether the row begins at the photo's edge, with no pixel before it.
        end_open: the same of its end.

    Returns:
        values `(length,)`, and waves `(length, length)`, each a column of norm 1: the matrix is
        waves · diag(values) · wavesᵀ.
    """
    half = (start_open + end_open) / 2
    angles = np.pi * (np.arange(1, length + 1) - half) / (length + 1 - half)  # per pixel
    places = np.arange(1, length + 1) - start_open / 2
    waves = np.sin(np.outer(places, angles) + start_open * np.pi / 2)
    return 4 * np.sin(angles / 2) ** 2, waves / np.linalg.norm(waves, axis=0)


def solve_rectangle(known_sum: np.ndarray, down: Waves, across: Waves) -> np.ndarray:
    """Solve Laplace's equation in a rectangle by fast diagonalisation.

    Written as a sum of standing waves, one `down` the columns times one `across` the rows, every
    such product has an equation of its own: the sum of the two eigenvalues times its amplitude is
    its amplitude in `known_sum`. (Lynch, Rice and Thomas, 1964.)

    Args:
        known_sum: for each missing pixel the sum of its known neighbours, float `(h, w, C)`.
        down: eigenvalues `(h,)` and waves `(h, h)` of a column of h missing pixels, each wave a
            column of norm 1.
        across: eigenvalues `(w,)` and waves `(w, w)` of a row of w.

    Returns:
        the missing pixels, `(h, w, C)`.
    """
    (down_values, down_waves), (across_values, across_waves) = down, across
    channels = np.moveaxis(known_sum, -1, 0)  # (C, h, w): matrix products take the last two axes
    amplitudes = down_waves.T @ channels @ across_waves
    amplitudes = amplitudes / (down_values[:, None] + across_values)
    return np.moveaxis(down_waves @ amplitudes @ across_waves.T, 0, -1)


def cut(hole: np.ndarray) -> list[Box]:
    """Cut a hole, bool `(H, W)`, into rectangles: runs of missing pixels, one below its like."""
    change = np.diff(hole.astype("int8"), axis=1, prepend=0, append=0)  # (H, W + 1)
    (rows, starts), ends = np.nonzero(change > 0), np.nonzero(change < 0)[1]
    runs = np.stack([rows, starts, ends], 1)[np.lexsort((rows, ends, starts))]
    goes_on = (np.diff(runs, axis=0, prepend=-2) == (1, 0, 0)).all(1)  # the run before, a row below
    tops = np.flatnonzero(~goes_on)
    heights = np.diff(tops, append=len(runs))
    return [
        Box(row, start, height, end - start)
        for (row, start, end), height in zip(runs[tops].tolist(), heights.tolist(), strict=True)
    ]


def seams(hole: np.ndarray) -> np.ndarray | None:
    """Choose rows of missing pixels without which a hole falls into rectangles.

    Where two rectangles touch, the narrower gives the row with which it touches the wider.

    Args:
        hole: bool `(H, W)`, one connected part.

    Returns:
        bool `(H, W)`; None where a sparse factor is smaller than the full matrices of such seams
        and rectangles: these are many, or long and thin.
    """
    boxes, count = cut(hole), np.count_nonzero(hole)
    if len(boxes) * SMALL > count:
        return None
    seam = np.zeros_like(hole)
    widths = np.zeros((hole.shape[0] + 2, hole.shape[1]), int)  # each pixel's box's; in a frame
    for row, column, height, width in boxes:
        widths[row + 1 : row + height + 1, column : column + width] = width
    for row, column, height, width in boxes:
        columns = slice(column, column + width)
        seam[row, columns] |= widths[row, columns].max() >= width  # above
        seam[row + height - 1, columns] |= widths[row + height + 1, columns].max() > width  # below
    longest = max(np.count_nonzero(seam), *(max(box.height, box.width) for box in boxes))
    return seam if longest <= 4 * count**0.5 else None


class Rectangle(NamedTuple):
    """A rectangle of missing pixels, and the standing waves of its columns and of its rows."""

    box: Box
    down: Waves
    across: Waves

    @classmethod
    def on(cls, shape: tuple[int, int], box: Box) -> "Rectangle":
        """A box on a photo of that height and width, whose edges are open."""
        row, column, height, width = box
        down = standing_waves(height, row == 0, row + height == shape[0])
        return cls(box, down, standing_waves(width, column == 0, column + width == shape[1]))

    def fill(self, photo: np.ndarray) -> None:
        """Fill it, in place, in a photo `(H, W, C)` in which all pixels around it are known."""
        top, left, height, width = self.box
        bottom, right = top + height, left + width
        known_sum = np.zeros((height, width, photo.shape[-1]))
        if top > 0:
            known_sum[0] += photo[top - 1, left:right]
        if bottom < photo.shape[0]:
            known_sum[-1] += photo[bottom, left:right]
        if left > 0:
            known_sum[:, 0] += photo[top:bottom, left - 1]
        if right < photo.shape[1]:
            known_sum[:, -1] += photo[top:bottom, right]
        photo[top:bottom, left:right] = solve_rectangle(known_sum, self.down, self.across)

    def eliminate(self, matrix: np.ndarray, number: np.ndarray) -> None:
        """Put its answers into the system of the seams, in place.

        A seam's pixel raises those beside it, they all of the rectangle, and that the seams: what
        comes back, for every two seam pixels, is taken off the matrix.

        Args:
            matrix: `(n, n)` for the n pixels of all seams.
            number: `(H + 2, W)`, a seam pixel's place among them and −1 elsewhere; with a row more
                above the photo and below.
        """
        row, column, height, width = self.box
        beside = number[[row, row + height + 1], column : column + width]  # above it and below
        (down_values, down_waves), (across_values, across_waves) = self.down, self.across
        ends = down_waves[[0, -1]]  # (2, h)
        inverse = 1 / (down_values[:, None] + across_values)  # (h, w)
        passed = np.einsum("ai,bi,ij->abj", ends, ends, inverse)  # of each wave across: (2, 2, w)
        for here, there in np.ndindex(2, 2):
            ours, theirs = beside[here] >= 0, beside[there] >= 0
            answer = across_waves[ours] * passed[here, there] @ across_waves[theirs].T
            matrix[np.ix_(beside[here, ours], beside[there, theirs])] -= answer
