"""Typical answers to lesson 03."""

import numpy as np
from bank import accepted, refused
from scipy import linalg, ndimage, sparse
from scipy.sparse.linalg import splu, spsolve
from skimage.metrics import peak_signal_noise_ratio

from recon.classical import laplace_system, neighbour_sum, paste, sparse_harmonic, sweep
from recon.rectangles import solve_rectangle

# 3.1 neighbour_sum


def padded_sum(padded):
    return padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]


FRAME = ((1, 1), (1, 1), (0, 0))


@refused("3.1", "itself too", "no neighbour of its own")
def with_itself(picture):
    return neighbour_sum(picture) + picture


@refused("3.1", "eight neighbours", "Four neighbours, not eight")
def eight(picture):
    window = np.ones((3, 3, 1))
    window[1, 1] = 0
    return ndimage.convolve(picture, window, mode="constant")


@refused("3.1", "a 3×3 window", "whole 3×3 window")
def window(picture):
    return ndimage.convolve(picture, np.ones((3, 3, 1)), mode="constant")


@refused("3.1", "the mean", "not yet the mean")
def mean_of_four(picture):
    return neighbour_sum(picture) / 4


@refused("3.1", "rows only", "left and right lack")
def rows_only(picture):
    total = np.zeros_like(picture)
    total[1:] += picture[:-1]
    total[:-1] += picture[1:]
    return total


@refused("3.1", "columns only", "above and below lack")
def columns_only(picture):
    return rows_only(picture.swapaxes(0, 1)).swapaxes(0, 1)


@refused("3.1", "round the edge", "The photo is no ring")
def rolled(picture):
    return sum(np.roll(picture, shift, axis) for shift in (1, -1) for axis in (0, 1))


@refused("3.1", "the edge repeated", "not the edge's own pixel")
def edge_repeated(picture):
    return padded_sum(np.pad(picture, FRAME, "edge"))


@refused("3.1", "the edge mirrored", "no mirror image")
def edge_mirrored(picture):
    mode = "reflect" if min(picture.shape[:2]) > 1 else "edge"
    return padded_sum(np.pad(picture, FRAME, mode))


@refused("3.1", "the inside only", "The pixels at the edge have a sum too")
def inside_only(picture):
    total = np.zeros_like(picture)
    total[1:-1, 1:-1] = neighbour_sum(picture)[1:-1, 1:-1]
    return total


@refused("3.1", "into what came in", "work on a copy")
def in_place(picture):
    picture[1:] += picture[:-1]
    return picture


@refused("3.1", "the inside cut out", "picture's own shape")
def smaller(picture):
    return neighbour_sum(picture)[1:-1, 1:-1]


@accepted("3.1", "by a convolution")
def convolved(picture):
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], float)[..., None]
    return ndimage.convolve(picture, cross, mode="constant").astype(picture.dtype)


@accepted("3.1", "by a frame of zeros")
def framed(picture):
    return padded_sum(np.pad(picture, FRAME))


# 3.2 sweep


def mean_of(photo):
    ones = np.ones((*photo.shape[:2], 1))
    return neighbour_sum(photo) / np.maximum(neighbour_sum(ones), 1)


@refused("3.2", "known pixels too", "Known pixels have moved too")
def everywhere(photo, hole):
    return mean_of(photo)


@refused("3.2", "known and missing exchanged", "The hole stayed")
def exchanged(photo, hole):
    return np.where(hole[..., None], photo, mean_of(photo))


@refused("3.2", "always four", "divide by how many there are")
def always_four(photo, hole):
    return np.where(hole[..., None], neighbour_sum(photo) / 4, photo)


@refused("3.2", "the sum", "divide it by their number")
def the_sum(photo, hole):
    return np.where(hole[..., None], neighbour_sum(photo), photo)


@refused("3.2", "one after the other", "the photo before")
def gauss_seidel(photo, hole):
    photo = photo.copy()
    ones = neighbour_sum(np.ones((*hole.shape, 1)))
    for row, column in np.argwhere(hole):
        if ones[row, column] > 0:
            photo[row, column] = (neighbour_sum(photo) / np.maximum(ones, 1))[row, column]
    return photo


@refused("3.2", "known neighbours only", "Missing neighbours count too")
def known_neighbours(photo, hole):
    known = ~hole[..., None]
    count = np.maximum(neighbour_sum(known.astype(float)), 1)
    return np.where(known, photo, neighbour_sum(photo * known) / count)


@refused("3.2", "itself too", "no neighbour of its own")
def self_too(photo, hole):
    return np.where(hole[..., None], (neighbour_sum(photo) + photo) / 5, photo)


@refused("3.2", "the hole as it is", "hole[..., None] fits")
def no_channel(photo, hole):
    return np.where(hole, mean_of(photo), photo)


@refused("3.2", "in place", "work on a copy")
def writes_into(photo, hole):
    photo[hole] = mean_of(photo)[hole]
    return photo


@refused("3.2", "by adding and multiplying", "bit for bit")
def blended(photo, hole):
    step = mean_of(photo) - photo
    return photo + 0.1 - 0.1 + hole[..., None] * step


@refused("3.2", "one pixel alone", "0 / 0 is no number")
def alone(photo, hole):
    with np.errstate(all="ignore"):
        average = neighbour_sum(photo) / neighbour_sum(np.ones((*hole.shape, 1)))
    return np.where(hole[..., None], average, photo)


@accepted("3.2", "pixel by pixel")
def pixel_by_pixel(photo, hole):
    after = photo.copy()
    for row, column in np.argwhere(hole):
        places = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        here = [photo[p] for p in places if 0 <= p[0] < len(photo) and 0 <= p[1] < len(photo[0])]
        after[row, column] = np.mean(here, axis=0) if here else photo[row, column]
    return after


# 3.3 jacobi


def sweeps_of(masked, mask, most, rest):
    """Sweep until `rest(before, photo)`."""
    photo, hole = masked.astype("float64"), mask[..., 0] > 0
    for _ in range(most):
        before, photo = photo, sweep(photo, hole)
        if rest(before, photo):
            break
    return paste(masked, mask, photo)


def least(tolerance):
    return lambda before, photo: np.abs(photo - before).max() < tolerance


@refused("3.3", "one sweep too few", "One sweep too few")
def too_few(masked, mask, tolerance=1e-5, most=10_000):
    return sweeps_of(masked, mask, most - 1, least(tolerance))


@refused("3.3", "one sweep too many", "One sweep too many")
def too_many(masked, mask, tolerance=1e-5, most=10_000):
    return sweeps_of(masked, mask, most + 1, least(tolerance))


@refused("3.3", "every sweep from the first photo", "begins with what the last one gave")
def from_the_first(masked, mask, tolerance=1e-5, most=10_000):
    for _ in range(min(most, 100)):
        photo = sweep(masked.astype("float64"), mask[..., 0] > 0)
    return paste(masked, mask, photo)


@refused("3.3", "most is not asked", "Never more than")
def without_most(masked, mask, tolerance=1e-5, most=10_000):
    return sweeps_of(masked, mask, 10_000, least(tolerance))


@refused("3.3", "never at rest", "compare with the tolerance")
def never_at_rest(masked, mask, tolerance=1e-5, most=10_000):
    return sweeps_of(masked, mask, most, lambda before, photo: False)


@refused("3.3", "the mean step", "take the largest")
def mean_step(masked, mask, tolerance=1e-5, most=10_000):
    return sweeps_of(masked, mask, most, lambda b, p: np.abs(p - b).mean() < tolerance)


@refused("3.3", "no absolute value", "absolute value")
def signed_step(masked, mask, tolerance=1e-5, most=10_000):
    return sweeps_of(masked, mask, most, lambda b, p: (p - b).max() < tolerance)


@refused("3.3", "the photo before", "not the one before it")
def one_back(masked, mask, tolerance=1e-5, most=10_000):
    photo, hole = masked.astype("float64"), mask[..., 0] > 0
    for _ in range(most):
        after = sweep(photo, hole)
        if np.abs(after - photo).max() < tolerance:
            break
        photo = after
    return paste(masked, mask, photo)


@refused("3.3", "float64 comes out", "paste makes it so")
def as_float64(masked, mask, tolerance=1e-5, most=10_000):
    return sweeps_of(masked, mask, most, least(tolerance)).astype("float64")


@refused("3.3", "known pixels swept", "Known pixels come back bit for bit")
def swept_known(masked, mask, tolerance=1e-5, most=10_000):
    return sweeps_of(masked, mask, most, least(tolerance)) + np.float32(1e-7)


@accepted("3.3", "by a while loop, the hole's pixels only")
def by_while(masked, mask, tolerance=1e-5, most=10_000):
    hole = mask[..., 0] > 0
    photo, moved, count = masked.astype("float64"), np.inf, 0
    while moved >= tolerance and count < most:
        new = sweep(photo, hole)[hole]
        moved = np.abs(new - photo[hole]).max(initial=0)
        photo[hole] = new
        count += 1
    return np.where(mask > 0, photo, masked).astype("float32")


# 3.4 laplace_system


def changed(change):
    """An answer whose matrix, and right-hand side, are those of `change(matrix, right, n)`."""

    def answer(masked, hole):
        matrix, right = laplace_system(masked, hole)
        matrix, right = change(matrix.toarray(), right, matrix.diagonal())
        return sparse.csc_array(matrix), right

    return answer


def diagonal_and_links(matrix):
    diagonal = np.diag(np.diag(matrix))
    return diagonal, matrix - diagonal


@refused("3.4", "the matrix alone", "return matrix, known_sum")
def matrix_alone(masked, hole):
    return laplace_system(masked, hole)[0]


@refused("3.4", "a full matrix", "31 million numbers")
def full(masked, hole):
    matrix, right = laplace_system(masked, hole)
    return matrix.toarray(), right


@refused("3.4", "all pixels are unknown", "not all of the photo")
def all_pixels(masked, hole):
    return laplace_system(masked, np.ones_like(hole))


@refused("3.4", "one channel", "right-hand side of its own")
def one_channel(masked, hole):
    matrix, right = laplace_system(masked, hole)
    return matrix, right[:, 0]


@refused("3.4", "always four", "2 in a corner")
def four_on_the_diagonal(masked, hole):
    def change(matrix, right, n):
        return matrix + np.diag(4 - n), right

    return changed(change)(masked, hole)


@refused("3.4", "missing neighbours counted", "the system is singular")
def missing_counted(masked, hole):
    def change(matrix, right, n):
        _, links = diagonal_and_links(matrix)
        return np.diag(-links.sum(1)) + links, right

    return changed(change)(masked, hole)


@refused("3.4", "plus for neighbours", "with a minus")
def plus(masked, hole):
    def change(matrix, right, n):
        diagonal, links = diagonal_and_links(matrix)
        return diagonal - links, right

    return changed(change)(masked, hole)


@refused("3.4", "no transpose", "A pair is in two equations")
def no_transpose(masked, hole):
    return changed(lambda matrix, right, n: (np.triu(matrix), right))(masked, hole)


@refused("3.4", "the transpose alone", "stands above the diagonal")
def transpose_alone(masked, hole):
    return changed(lambda matrix, right, n: (np.tril(matrix), right))(masked, hole)


@refused("3.4", "no neighbours", "each has its −1")
def no_neighbours(masked, hole):
    return changed(lambda matrix, right, n: (np.diag(n), right))(masked, hole)


@refused("3.4", "all signs", "All signs are turned round")
def all_signs(masked, hole):
    return changed(lambda matrix, right, n: (-matrix, right))(masked, hole)


@refused("3.4", "means", "Multiply each equation by its n")
def means(masked, hole):
    return changed(lambda matrix, right, n: (matrix / n[:, None], right / n[:, None]))(masked, hole)


@refused("3.4", "a mean on the right only", "A sum and not a mean")
def mean_on_the_right(masked, hole):
    return changed(lambda matrix, right, n: (matrix, right / n[:, None]))(masked, hole)


@refused("3.4", "black is data", "no data, be it black or not")
def black_is_data(masked, hole):
    return laplace_system(masked, hole)[0], neighbour_sum(masked)[hole]


@refused("3.4", "the known sum subtracted", "stays on the right")
def subtracted(masked, hole):
    return changed(lambda matrix, right, n: (matrix, -right))(masked, hole)


@refused("3.4", "rows, not columns", "The solver wants columns")
def as_rows(masked, hole):
    matrix, right = laplace_system(masked, hole)
    return matrix.tocsr(), right


@accepted("3.4", "equation by equation, in a dictionary of keys")
def equation_by_equation(masked, hole):
    places = [tuple(p) for p in np.argwhere(hole)]
    number = {place: n for n, place in enumerate(places)}
    matrix = sparse.dok_array((len(places), len(places)))
    right = np.zeros((len(places), masked.shape[-1]))
    height, width = hole.shape
    for (row, column), here in number.items():
        steps = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        for other in steps:
            if not (0 <= other[0] < height and 0 <= other[1] < width):
                continue
            matrix[here, here] += 1
            if other in number:
                matrix[here, number[other]] = -1
            else:
                right[here] += masked[other]
    return matrix.tocsc(), right


# 3.5 sparse_harmonic


def solution(masked, mask):
    """`(n, 3)`."""
    matrix, right = laplace_system(masked.astype("float64"), mask[..., 0] > 0)
    return splu(matrix).solve(right)


def nothing_to_solve(mask):
    return not mask.any() or mask.all()


@refused("3.5", "the solution thrown away", "The hole is still black")
def thrown_away(masked, mask):
    if not nothing_to_solve(mask):
        solution(masked, mask)
    return masked.astype("float32")


@refused("3.5", "one channel for all", "One channel was solved")
def grey(masked, mask):
    if nothing_to_solve(mask):
        return masked.astype("float32")
    guess = masked.astype("float64")
    guess[mask[..., 0] > 0] = solution(masked, mask)[:, :1]
    return paste(masked, mask, guess)


@refused("3.5", "not solved", "right-hand side itself")
def not_solved(masked, mask):
    if nothing_to_solve(mask):
        return masked.astype("float32")
    guess = masked.astype("float64")
    guess[mask[..., 0] > 0] = laplace_system(guess, mask[..., 0] > 0)[1]
    return paste(masked, mask, guess)


@refused("3.5", "known pixels lost", "The known pixels are lost")
def hole_only(masked, mask):
    return sparse_harmonic(masked, mask) * mask


@refused("3.5", "8 bits", "rounded to 256 steps")
def eight_bits(masked, mask):
    return paste(masked, mask, np.round(sparse_harmonic(masked, mask) * 255) / 255)


@refused("3.5", "float64", "paste makes it so")
def double(masked, mask):
    return sparse_harmonic(masked, mask).astype("float64")


@refused("3.5", "known pixels in their last bits", "Known pixels come back bit for bit")
def last_bits(masked, mask):
    return sparse_harmonic(masked, mask) + np.float32(1e-7)


@refused("3.5", "no case of its own for a photo without a hole", "without a hole comes back")
def no_hole(masked, mask):
    return sparse_harmonic(masked, mask) if mask.any() else np.zeros_like(masked)


@refused("3.5", "no case of its own for a photo without known pixels", "nothing follows")
def nothing_known(masked, mask):
    return sparse_harmonic(masked, mask) if not mask.all() else np.full_like(masked, 0.5)


@refused("3.5", "a photo without a hole as it came, float64", "whatever comes in")
def as_it_came(masked, mask):
    return sparse_harmonic(masked, mask) if mask.any() else masked


@accepted("3.5", "channel by channel")
def channel_by_channel(masked, mask):
    hole = mask[..., 0] > 0
    completed = masked.astype("float32")
    if hole.any() and not hole.all():
        matrix, right = laplace_system(masked.astype("float64"), hole)
        for channel in range(masked.shape[-1]):
            completed[hole, channel] = spsolve(matrix, right[:, channel])
    return completed


# 3.6 solve_rectangle


def in_waves(array, down_waves, across_waves):
    """Amplitudes of waves; with their transposes, the pixels again."""
    return np.einsum("rcx,ri,cj->ijx", array, down_waves, across_waves)


def divided(change):
    """An answer whose amplitudes are those of `change(amplitudes, down_values, across_values)`."""

    def answer(known_sum, down, across):
        amplitudes = in_waves(known_sum, down[1], across[1])
        amplitudes = change(amplitudes, down[0][:, None, None], across[0][None, :, None])
        return in_waves(amplitudes, down[1].T, across[1].T)

    return answer


@refused("3.6", "transposes the wrong way round", "the wrong way round")
def turned(known_sum, down, across):
    return solve_rectangle(known_sum, (down[0], down[1].T), (across[0], across[1].T))


@refused("3.6", "not put together again", "put the pixels together")
def amplitudes_only(known_sum, down, across):
    values = (down[0][:, None] + across[0])[..., None]
    return in_waves(known_sum, down[1], across[1]) / values


@refused("3.6", "pixels divided", "take it apart into waves first")
def pixels_divided(known_sum, down, across):
    values = (down[0][:, None] + across[0])[..., None]
    return in_waves(known_sum / values, down[1].T, across[1].T)


@refused("3.6", "not divided", "divide the amplitudes")
def not_divided(known_sum, down, across):
    return divided(lambda amplitudes, d, a: amplitudes)(known_sum, down, across)


@refused("3.6", "multiplied", "to solve is to divide")
def multiplied(known_sum, down, across):
    return divided(lambda amplitudes, d, a: amplitudes * (d + a))(known_sum, down, across)


@refused("3.6", "the eigenvalues' product", "the eigenvalues add up")
def product(known_sum, down, across):
    return divided(lambda amplitudes, d, a: amplitudes / (d * a))(known_sum, down, across)


@refused("3.6", "eigenvalues along the wrong axes", "wave i down and wave j across")
def other_axes(known_sum, down, across):
    def change(amplitudes, d, a):
        return amplitudes / (d + a).swapaxes(0, 1)

    return divided(change)(known_sum, down, across)


@refused("3.6", "eigenvalues of the columns only", "waves across have eigenvalues")
def columns_only_divided(known_sum, down, across):
    return divided(lambda amplitudes, d, a: amplitudes / d)(known_sum, down, across)


@refused("3.6", "eigenvalues of the rows only", "waves down have eigenvalues")
def rows_only_divided(known_sum, down, across):
    return divided(lambda amplitudes, d, a: amplitudes / a)(known_sum, down, across)


@refused("3.6", "down and across exchanged", "`down` is of the columns")
def exchanged_waves(known_sum, down, across):
    return solve_rectangle(known_sum, across, down)


@refused("3.6", "one channel for all", "One channel was solved")
def one_for_all(known_sum, down, across):
    return np.repeat(solve_rectangle(known_sum, down, across)[..., :1], 3, -1)


@refused("3.6", "three channels only", "any channels")
def three_channels(known_sum, down, across):
    return solve_rectangle(known_sum.reshape(*known_sum.shape[:2], 3), down, across)


@refused("3.6", "channels first", "channels last")
def channels_first(known_sum, down, across):
    solved = solve_rectangle(known_sum, down, across)
    return solved if known_sum.shape[-1] == 3 else np.moveaxis(solved, -1, 0)


@accepted("3.6", "channel by channel, by einsum")
def by_einsum(known_sum, down, across):
    channels = []
    for channel in np.moveaxis(known_sum, -1, 0):
        amplitudes = np.einsum("rc,ri,cj->ij", channel, down[1], across[1])
        amplitudes /= np.add.outer(down[0], across[0])
        channels.append(np.einsum("ij,ri,cj->rc", amplitudes, down[1], across[1]))
    return np.stack(channels, -1)


@accepted("3.6", "by Sylvester's equation")
def by_sylvester(known_sum, down, across):
    columns, rows = (waves @ np.diag(values) @ waves.T for values, waves in (down, across))
    channels = np.moveaxis(known_sum, -1, 0)
    return np.stack([linalg.solve_sylvester(columns, rows, one) for one in channels], -1)


# 3.7 psnr


def squared(photo, completed):
    return np.mean((photo.astype("float64") - completed) ** 2)


@refused("3.7", "no minus", "1 over it")
def no_minus(photo, completed):
    return float(10 * np.log10(squared(photo, completed)))


@refused("3.7", "natural logarithm", "natural logarithm")
def natural(photo, completed):
    return float(-10 * np.log(squared(photo, completed)))


@refused("3.7", "of the RMSE", "20·log of its root")
def of_the_root(photo, completed):
    return float(-10 * np.log10(np.sqrt(squared(photo, completed))))


@refused("3.7", "absolute error", "Square the differences")
def absolute(photo, completed):
    return float(-10 * np.log10(np.mean(np.abs(photo.astype("float64") - completed))))


@refused("3.7", "bels", "ten times the logarithm")
def bels(photo, completed):
    return float(-np.log10(squared(photo, completed)))


@refused("3.7", "the peak of 8 bits", "255 is the peak")
def peak_255(photo, completed):
    return float(10 * np.log10(255**2 / squared(photo, completed)))


@refused("3.7", "the sum", "The mean, not the sum")
def summed_error(photo, completed):
    return float(-10 * np.log10(squared(photo, completed) * photo.size))


@refused("3.7", "a mean of channels' decibels", "then one logarithm")
def by_channel(photo, completed):
    error = np.mean((photo - completed) ** 2, axis=(0, 1))
    return float(np.mean(-10 * np.log10(error)))


@refused("3.7", "infinite", "not infinite")
def infinite(photo, completed):
    with np.errstate(divide="ignore"):
        return float(-10 * np.log10(squared(photo, completed)))


@refused("3.7", "more than 100", "At most 100 dB")
def above(photo, completed):
    error = squared(photo, completed)
    return 100.0 if error == 0 else float(-10 * np.log10(error))


@refused("3.7", "100 too soon", "Down to an error of 1e-10")
def too_soon(photo, completed):
    error = squared(photo, completed)
    return 100.0 if error < 1e-6 else float(-10 * np.log10(error))


@accepted("3.7", "by scikit-image")
def by_library(photo, completed):
    if np.array_equal(photo, completed):
        return 100.0
    photo, completed = photo.astype("float64"), completed.astype("float64")
    return min(100.0, float(peak_signal_noise_ratio(photo, completed, data_range=1)))


# 3.8 catch_moved

PHOTO = np.random.default_rng(1).random((5, 6, 3))
HOLE = np.zeros((5, 6), bool)
HOLE[1:3, 2:4] = True


@refused("3.8", "looks into the hole", "Compare the pixels outside the hole")
def into_the_hole(sweep):
    swept = sweep(PHOTO.copy(), HOLE)
    assert not np.array_equal(swept[HOLE], PHOTO[HOLE])


@refused("3.8", "looks at a corner", "compare all that are known")
def a_corner(sweep):
    assert np.array_equal(sweep(PHOTO.copy(), HOLE)[0, 0], PHOTO[0, 0])


@refused("3.8", "nearly equal", "np.array_equal and not np.allclose")
def nearly(sweep):
    swept = sweep(PHOTO.copy(), HOLE)
    assert np.allclose(swept[~HOLE], PHOTO[~HOLE], atol=1e-2)


@refused("3.8", "no copy", "keep a copy to compare with")
def without_a_copy(sweep):
    photo = PHOTO.copy()
    assert np.array_equal(sweep(photo, HOLE)[~HOLE], photo[~HOLE])


@refused("3.8", "asks for Jacobi's means", "not to be judged here")
def asks_for_means(sweep):
    swept = sweep(PHOTO.copy(), HOLE)
    assert np.allclose(swept, np.where(HOLE[..., None], mean_of(PHOTO), PHOTO))


@accepted("3.8", "pixel by pixel, two photos")
def every_pixel(sweep):
    for photo in (PHOTO, PHOTO[::-1]):
        swept = sweep(photo.copy(), HOLE.copy())
        for row, column in np.argwhere(~HOLE):
            assert (swept[row, column] == photo[row, column]).all()
