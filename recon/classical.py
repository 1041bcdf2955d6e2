"""The classical fills: what a model must beat.

Each takes one photo, `masked` `(H, W, 3)` in [0, 1] and `mask` `(H, W, 1)` with 1 = missing, and
returns the completed photo, float32 `(H, W, 3)`. Known pixels come back bit for bit.
"""

from collections.abc import Callable

import cv2
import numpy as np
from scipy import linalg, ndimage, sparse
from scipy.sparse.linalg import splu
from skimage.restoration import inpaint_biharmonic
from threadpoolctl import ThreadpoolController

from recon import rectangles
from recon.rectangles import Rectangle


def paste(masked: np.ndarray, mask: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Take the guess where pixels are missing and the photo, bit for bit, where they are known."""
    return np.where(mask > 0, guess, masked).astype("float32")


def mean(masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill with the mean colour of the known pixels.

    Args:
        masked: `(H, W, 3)` in [0, 1], with missing pixels black.
        mask: `(H, W, 1)`, 1 = missing.

    Returns:
        the completed photo, float32 `(H, W, 3)`; one without any known pixel as it came.
    """
    known = mask[..., 0] == 0
    if not known.any():
        return masked.astype("float32")
    # In float32 the sum would lose what is added: 0.06 off after 25 million pixels of 0.4.
    return paste(masked, mask, masked[known].mean(axis=0, dtype="float64"))


def neighbour_sum(picture: np.ndarray) -> np.ndarray:
    """Add up, for every pixel, the pixels above, below, left and right of it.

    Beyond the photo's edge there is no pixel: there, three are added, in a corner two. The sum of
    a picture of ones is therefore the number of neighbours.

    Args:
        picture: float `(H, W, C)`.

    Returns:
        the same shape and type.
    """
    total = np.zeros_like(picture)
    total[1:] += picture[:-1]  # above
    total[:-1] += picture[1:]  # below
    total[:, 1:] += picture[:, :-1]  # left
    total[:, :-1] += picture[:, 1:]  # right
    return total


def sweep(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Set every missing pixel to the mean of its neighbours, all at once: one sweep of Jacobi's.

    All means are taken from the photo as it was before the sweep, so that the order of the pixels
    does not matter. At the photo's edge the mean is of the neighbours that there are.

    Args:
        photo: float `(H, W, C)`, with a first guess in the hole.
        hole: bool `(H, W)`, true where a pixel is missing.

    Returns:
        `(H, W, C)`, a new array; known pixels are the photo's, bit for bit.
    """
    neighbours = neighbour_sum(np.ones((*hole.shape, 1), photo.dtype))
    average = neighbour_sum(photo) / np.maximum(neighbours, 1)  # a photo of one pixel has none
    return np.where(hole[..., None], average, photo)


def jacobi(
    masked: np.ndarray, mask: np.ndarray, tolerance: float = 1e-5, most: int = 10_000
) -> np.ndarray:
    """Fill with Laplace's equation by sweeps, until no pixel moves: `harmonic` the slow way.

    It needs some thousand sweeps where `harmonic` solves once; the sweeps wanted grow with the
    square of the hole's side. (Jacobi, 1845.)

    Args:
        masked: `(H, W, 3)` in [0, 1].
        mask: `(H, W, 1)`, 1 = missing.
        tolerance: the sweeps end when the last moved no value by as much as this.
        most: sweeps, if they do not come to rest before.

    Returns:
        the completed photo, float32 `(H, W, 3)`. What is left to go is more than the last step.
    """
    hole = mask[..., 0] > 0
    photo = masked.astype("float64")
    for _ in range(most):
        before, photo = photo, sweep(photo, hole)
        if np.abs(photo - before).max() < tolerance:
            break
    return paste(masked, mask, photo)


def laplace_system(masked: np.ndarray, hole: np.ndarray) -> tuple[sparse.csc_array, np.ndarray]:
    """Write Laplace's equation on the missing pixels as a sparse linear system.

    A missing pixel is the mean of its neighbours above, below, left and right: with n neighbours,
    n·x − (sum of missing neighbours) = (sum of known neighbours). Beyond the photo's edge there
    is no neighbour, so the edge pixel is the mean of the two or three it has; that is the
    natural (Neumann) condition, no slope across the edge.

    Args:
        masked: float `(H, W, C)`; what stands in the hole does not matter.
        hole: bool `(H, W)`, true where a pixel is missing.

    Returns:
        matrix `(n, n)` and right-hand side `(n, C)` for the n missing pixels, row by row.
    """
    count = np.count_nonzero(hole)
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(count)  # a missing pixel's place among the unknowns
    below, right = hole[:-1] & hole[1:], hole[:, :-1] & hole[:, 1:]  # pairs with both missing
    first = np.concatenate([number[:-1][below], number[:, :-1][right]])
    second = np.concatenate([number[1:][below], number[:, 1:][right]])
    pairs = sparse.coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    neighbours = neighbour_sum(np.ones((*hole.shape, 1)))[hole][:, 0]  # (n,)
    matrix = sparse.diags_array(neighbours) - pairs - pairs.T  # each pair is in two equations
    known_sum = neighbour_sum(np.where(hole[..., None], 0, masked))[hole]
    return sparse.csc_array(matrix), known_sum


def sparse_harmonic(masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill a hole of any shape with the solution of Laplace's equation.

    Solved exactly by a sparse factorisation, once for all channels.

    Args:
        masked: `(H, W, 3)` in [0, 1], with missing pixels black.
        mask: `(H, W, 1)`, 1 = missing.

    Returns:
        the completed photo, float32 `(H, W, 3)`; one without any known pixel has no such solution
        and comes back as it is.
    """
    hole = mask[..., 0] > 0
    if not hole.any() or hole.all():
        return masked.astype("float32")
    guess = masked.astype("float64")
    matrix, known_sum = laplace_system(guess, hole)
    # The matrix is symmetric: the ordering for A + Aᵀ leaves less fill-in than the default.
    guess[hole] = splu(matrix, permc_spec="MMD_AT_PLUS_A").solve(known_sum)
    return paste(masked, mask, guess)


# By one thread: matrices of this size gain little by a second, and on a busy machine the threads of
# a product wait for each other ten times as long as it takes.
@ThreadpoolController().wrap(limits=1, user_api="blas")
def fill_rectangles(photo: np.ndarray, hole: np.ndarray, seam: np.ndarray) -> None:
    """Solve Laplace's equation in a hole that seams part into rectangles, in place.

    With the seams at 0 every rectangle is solved by itself. That gives what it adds to the seams'
    equations; with its answers to them they are a small system for the seams alone. And with the
    seams known every rectangle is solved for good.

    Args:
        photo: float64 `(H, W, C)`.
        hole: bool `(H, W)`, with a known pixel beside it.
        seam: bool `(H, W)`, those pixels of the hole (`recon.rectangles.seams`).
    """
    parts = [Rectangle.on(hole.shape, box) for box in rectangles.cut(hole & ~seam)]
    photo[seam] = 0
    for part in parts:
        part.fill(photo)
    if not seam.any():
        return
    matrix, known_sum = laplace_system(photo, seam)
    matrix = matrix.toarray()
    number = np.full((hole.shape[0] + 2, hole.shape[1]), -1)
    number[1:-1][seam] = np.arange(len(matrix))
    for part in parts:
        part.eliminate(matrix, number)
    photo[seam] = linalg.solve(matrix, known_sum, assume_a="pos")
    for part in parts:
        part.fill(photo)


def harmonic(masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill with the solution of Laplace's equation: the smoothest membrane over the hole.

    Solved exactly. The membrane has no bump of its own (maximum principle: every value lies
    between the smallest and the largest on the hole's border) and continues a linear ramp exactly,
    unless the hole touches the photo's edge, across which it has no slope.

    Each connected part of the hole is solved by itself: by `fill_rectangles` where it is a
    rectangle, or a few that overlap or touch; all parts of another shape by `sparse_harmonic`.

    Args:
        masked: `(H, W, 3)` in [0, 1], with missing pixels black.
        mask: `(H, W, 1)`, 1 = missing.

    Returns:
        the completed photo, float32 `(H, W, 3)`; one without any known pixel has no such solution
        and comes back as it is.
    """
    hole, completed = mask[..., 0] > 0, masked.astype("float32")
    if hole.all():
        return completed
    parts, _ = ndimage.label(hole)  # by four neighbours, as the equation has them
    for number, extent in enumerate(ndimage.find_objects(parts), 1):
        place = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in extent)  # and border
        part = parts[place] == number
        seam = rectangles.seams(part)
        if seam is not None:
            view = masked[place].astype("float64")
            fill_rectangles(view, part, seam)
            np.copyto(completed[place], view, where=part[..., None])
            hole[place][part] = False
    return sparse_harmonic(completed, hole[..., None])


def telea(masked: np.ndarray, mask: np.ndarray, radius: float = 3) -> np.ndarray:
    """Fill from the border inwards, by weighted means along a fast march (Telea, 2004).

    OpenCV's function, on 8-bit channels.
    """
    photo = np.round(masked * 255).astype("uint8")
    hole = (mask[..., 0] > 0).astype("uint8")
    return paste(masked, mask, cv2.inpaint(photo, hole, radius, cv2.INPAINT_TELEA) / 255)


def biharmonic(masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill with the solution of the biharmonic equation: slopes go on across the border too.

    scikit-image's function (Damelin and Hoang, 2018). Such slopes may overshoot: scikit-image
    clips each channel to the range of the photo's known pixels.
    """
    hole = mask[..., 0] > 0
    if hole.all():
        return masked.astype("float32")
    guess = inpaint_biharmonic(masked.astype("float64"), hole, channel_axis=-1)
    return paste(masked, mask, guess)


FILLS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": mean,
    "harmonic": harmonic,
    "telea": telea,
    "biharmonic": biharmonic,
}
