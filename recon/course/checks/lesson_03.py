"""Checks of lesson 03: the classical fills."""

import numpy as np

from recon import classical, metrics, rectangles
from recon.course.broken import lesson_03 as broken
from recon.course.exercise import exercise

NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, channels))


def around(shape: tuple, row: int, column: int, steps: tuple = NEIGHBOURS) -> list[tuple]:
    """The places one step from a pixel, as far as they lie on the photo."""
    places = [(row + down, column + right) for down, right in steps]
    return [(r, c) for r, c in places if 0 <= r < shape[0] and 0 <= c < shape[1]]


def summed(photo: np.ndarray, steps: tuple = NEIGHBOURS) -> np.ndarray:
    """The sum over the neighbours, pixel by pixel."""
    total = np.zeros_like(photo)
    for row, column in np.ndindex(photo.shape[:2]):
        for place in around(photo.shape, row, column, steps):
            total[row, column] += photo[place]
    return total


@exercise(
    "3.1",
    classical.neighbour_sum,
    minutes=8,
    difficulty=1,
    hints=(
        "Shift the whole picture by one row and add it: no loop over pixels is needed.",
        "Row 1 has row 0 above it, row 2 has row 1, … : total[1:] += picture[:-1]. Row 0 gets "
        "nothing, because nothing is above it.",
        "The other three: total[:-1] += picture[1:], and the same twice along the columns, "
        "total[:, 1:] and total[:, :-1].",
    ),
)
def neighbour_sum(answer, expect):
    dot = np.zeros((5, 5, 1))
    dot[2, 2] = 1
    total = answer(dot)
    expect.shape(total, (5, 5, 1), "A sum for every pixel: the picture's own shape.")
    total = np.asarray(total)
    corners = np.zeros_like(dot)
    corners[1:4:2, 1:4:2] = 1
    cross = summed(dot)
    expect.close(
        total,
        cross,
        "One bright pixel is seen by the pixels above, below, left and right of it, each once.",
        mistakes=[
            (cross + dot, "A pixel is no neighbour of its own: leave it out of its sum."),
            (cross + corners, "Four neighbours, not eight: the corners touch at a point only."),
            (
                cross + corners + dot,
                "That is the whole 3×3 window; of it, only the four that share a side.",
            ),
            (cross / 4, "The sum is asked for, not yet the mean."),
            (summed(dot, NEIGHBOURS[:2]), "Above and below are there; left and right lack."),
            (summed(dot, NEIGHBOURS[2:]), "Left and right are there; above and below lack."),
        ],
    )
    photo = picture(3, 4)
    wrapped = sum(np.roll(photo, shift, axis) for shift in (1, -1) for axis in (0, 1))
    pad = np.pad(photo, ((1, 1), (1, 1), (0, 0)), "edge")
    repeated = pad[:-2, 1:-1] + pad[2:, 1:-1] + pad[1:-1, :-2] + pad[1:-1, 2:]
    pad = np.pad(photo, ((1, 1), (1, 1), (0, 0)), "reflect")
    reflected = pad[:-2, 1:-1] + pad[2:, 1:-1] + pad[1:-1, :-2] + pad[1:-1, 2:]
    inside = np.zeros_like(photo)
    inside[1:-1, 1:-1] = summed(photo)[1:-1, 1:-1]
    expect.close(
        answer(photo),
        summed(photo),
        "At the edge there are three neighbours, in a corner two; the others count nothing.",
        mistakes=[
            (wrapped, "The photo is no ring: np.roll brings the last row before the first."),
            (repeated, "Beyond the edge there is nothing, not the edge's own pixel once more."),
            (reflected, "Beyond the edge there is nothing, no mirror image either."),
            (inside, "The pixels at the edge have a sum too, of the neighbours that they have."),
        ],
    )
    single = picture(3, 4).astype("float32")
    expect.dtype(answer(single), "float32", "The type is the picture's own: np.zeros_like.")
    expect.close(answer(picture(1, 1)), np.zeros((1, 1, 3)), "One pixel alone has no neighbours.")


def swept(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """One sweep, pixel by pixel."""
    after = photo.copy()
    for row, column in np.argwhere(hole):
        places = around(hole.shape, row, column)
        after[row, column] = np.mean([photo[p] for p in places], axis=0) if places else 0
    return after


def one_after_the_other(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """One sweep of Gauss and Seidel's: means of what is new already."""
    after = photo.copy()
    for row, column in np.argwhere(hole):
        after[row, column] = np.mean([after[p] for p in around(hole.shape, row, column)], axis=0)
    return after


def hole_at_the_edge() -> np.ndarray:
    hole = np.zeros((5, 6), bool)
    hole[0:3, 0:2] = hole[2:4, 2:5] = True  # a corner, an edge, an inside
    return hole


@exercise(
    "3.2",
    classical.sweep,
    minutes=8,
    difficulty=2,
    hints=(
        "neighbour_sum gives the sum. What divides it, so that it is a mean in a corner too?",
        "A picture of ones, sent through neighbour_sum, counts every pixel's neighbours.",
        "np.where(hole[..., None], mean, photo) takes the mean in the hole and leaves the rest; "
        "np.maximum(count, 1) is for the photo of a single pixel.",
    ),
)
def sweep(answer, expect):
    photo, hole = picture(5, 6), hole_at_the_edge()
    with expect.on_error(
        ValueError, "hole is (H, W) and the photo (H, W, C): hole[..., None] fits it."
    ):
        after = answer(photo, hole)
    expect.shape(after, photo.shape, "A photo comes in, a photo goes out.")
    everywhere = swept(photo, np.ones_like(hole))
    right = swept(photo, hole)
    of_known = np.where(hole[..., None], 0, photo)
    counts = summed(np.where(hole, 0.0, 1.0)[..., None])
    only_known = np.where(hole[..., None], summed(of_known) / np.maximum(counts, 1), photo)
    expect.close(
        after,
        right,
        "A missing pixel becomes the mean of its two, three or four neighbours, as they were "
        "before.",
        mistakes=[
            (everywhere, "Known pixels have moved too: they are known, only the hole is filled."),
            (np.where(hole[..., None], photo, everywhere), "The hole stayed, all else moved."),
            (
                np.where(hole[..., None], summed(photo) / 4, photo),
                "At the edge a pixel has three neighbours or two: divide by how many there are.",
            ),
            (
                np.where(hole[..., None], summed(photo), photo),
                "That is the neighbours' sum: divide it by their number.",
            ),
            (
                one_after_the_other(photo, hole),
                "Means of what the sweep itself has changed: all of them are of the photo before.",
            ),
            (
                only_known,
                "Missing neighbours count too, with what is guessed there so far: else nothing "
                "reaches the middle.",
            ),
            (
                np.where(hole[..., None], (summed(photo) + photo) / (4 + 1), photo),
                "A pixel is no neighbour of its own.",
            ),
            (photo, "Nothing has moved."),
        ],
    )
    expect.true(
        np.array_equal(np.asarray(after)[~hole], photo[~hole]),
        "known pixels differ in their last bits",
        "Known pixels come back bit for bit: choose with np.where, do not add and multiply.",
    )
    row, end = picture(1, 4), np.array([[True, False, False, False]])
    expect.close(answer(row, end)[0, 0], row[0, 1], "The end of a row has one neighbour.")
    alone = answer(picture(1, 1), np.ones((1, 1), bool))
    expect.finite(alone, "A photo of one pixel has no neighbours, and 0 / 0 is no number.")


def sweeps_from(masked: np.ndarray, hole: np.ndarray) -> tuple[list, list]:
    """The photo before and after every sweep until it is at rest, and the steps between."""
    states, steps = [masked.astype("float64")], []
    while not steps or steps[-1].max() >= 1e-12:
        states.append(swept(states[-1], hole))
        steps.append(np.abs(states[-1] - states[-2]))
    return states, steps


@exercise(
    "3.3",
    classical.jacobi,
    minutes=10,
    difficulty=2,
    hints=(
        "Keep the photo of before the sweep: how far any value has moved is the largest "
        "difference of the two.",
        "Work in float64: small steps drown in float32's rounding. The hole is mask[..., 0] > 0.",
        "for _ in range(most): before, photo = photo, sweep(photo, hole); then stop if "
        "np.abs(photo - before).max() < tolerance. At the end, paste(masked, mask, photo).",
    ),
)
def jacobi(answer, expect):
    photo, hole = picture(5, 6), hole_at_the_edge()
    mask = hole[..., None].astype("float32")
    masked = (photo * (1 - mask)).astype("float32")
    states, _ = sweeps_from(masked, hole)
    three = answer(masked, mask, 1e-9, 3)
    expect.shape(three, masked.shape, "A completed photo is (H, W, 3).")
    expect.dtype(three, "float32", "A completed photo is float32: paste makes it so.")
    expect.close(
        three,
        states[3],
        "With most=3 it stops after three sweeps, from the black hole on.",
        mistakes=[
            (states[2], "One sweep too few: range(most) has `most` of them."),
            (states[4], "One sweep too many: range(most) has `most` of them."),
            (
                states[1],
                "One sweep only: each begins with what the last one gave.",
            ),
            (states[0], "No sweep at all."),
            (states[-1], "Never more than `most` sweeps, at rest or not."),
        ],
    )
    expect.equal(
        np.asarray(three)[~hole], masked[~hole], "Known pixels come back bit for bit: paste."
    )
    white = np.where(hole[..., None], np.float32(1), masked)  # a first guess that has to fall
    states, steps = sweeps_from(white, hole)
    tolerance = 1e-2
    stop = next(n for n, step in enumerate(steps, 1) if step.max() < tolerance)
    early = next(n for n, step in enumerate(steps, 1) if step.mean() < tolerance)
    expect.close(
        answer(white, mask, tolerance, 1000),
        states[stop],
        "It stops after the first sweep that moves every value by less than the tolerance.",
        tolerance=1e-6,
        mistakes=[
            (states[-1], "It goes on after it has come to rest: compare with the tolerance."),
            (states[3], "`most` is 1000 here: it is an argument."),
            (states[early], "The mean step is small long before the largest is: take the largest."),
            (states[1], "A value may fall as well as rise: take the step's absolute value."),
            (states[stop - 1], "Give the photo after the last sweep, not the one before it."),
            (states[stop + 1], "One sweep after the one that moved too little."),
        ],
    )
    at_rest = answer(masked, mask, 1e-9, 10_000)
    expect.close(
        at_rest, states[-1], "With a small tolerance it comes to rest at the harmonic fill."
    )
    nothing = np.zeros_like(mask)
    expect.equal(answer(masked, nothing, 1e-5, 3), masked, "No hole, nothing to do.")
    slow = np.zeros((1, 24, 1), "float32")
    slow[0, -1] = 1  # the far end of a row: 23 sweeps until the near one hears of it
    gap = np.ones((1, 24, 1), "float32")
    gap[0, [0, -1]] = 0
    expect.true(
        np.abs(np.asarray(answer(slow, gap))[0, :, 0] - np.linspace(0, 1, 24)).max() < 2e-3,
        "with the tolerance that is given by default, a row of 22 missing pixels is still far "
        "from its ramp",
        "The defaults are a tolerance of 1e-5 and 10,000 sweeps; both stay as they are.",
    )


def by_hand(masked: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The system, equation by equation."""
    places = [tuple(p) for p in np.argwhere(hole)]
    matrix = np.zeros((len(places), len(places)))
    right = np.zeros((len(places), masked.shape[-1]))
    for here, place in enumerate(places):
        for other in around(hole.shape, *place):
            matrix[here, here] += 1
            if hole[other]:
                matrix[here, places.index(other)] -= 1
            else:
                right[here] += masked[other]
    return matrix, right


@exercise(
    "3.4",
    classical.laplace_system,
    minutes=20,
    difficulty=3,
    hints=(
        "Number the missing pixels, row by row: number[hole] = np.arange(count). The right-hand "
        "side is the easy half: neighbour_sum of a photo whose hole is 0, taken at the hole.",
        "The diagonal is the number of neighbours: neighbour_sum of a picture of ones, at the "
        "hole. Where two missing pixels touch, each stands with −1 in the other's equation.",
        "Touching from above: hole[:-1] & hole[1:] marks the upper ones; their numbers are "
        "number[:-1][below], the lower ones' number[1:][below]. The same along the columns.",
        "sparse.coo_array((ones, (first, second)), shape=(count, count)) holds every pair once; "
        "with its transpose, twice: diags_array(neighbours) − pairs − pairs.T, as csc_array.",
    ),
)
def laplace_system(answer, expect):
    hole = hole_at_the_edge()
    masked = picture(5, 6)  # what stands in the hole is not black: it must not matter
    result = answer(masked, hole)
    expect.type(result, tuple, "Give two things: return matrix, known_sum.")
    expect.true(len(result) == 2, f"gave {len(result)} things, expected two", "matrix, known_sum.")
    matrix, known_sum = result
    expect.true(
        hasattr(matrix, "toarray"),
        f"the matrix is a {type(matrix).__name__}, expected a sparse array",
        "A hole of 75×75 has 5,625 unknowns and 31 million numbers in a full matrix: keep the "
        "few that are not 0.",
    )
    count = int(hole.sum())
    expect.shape(
        matrix,
        (count, count),
        "One equation and one unknown for every missing pixel.",
        mistakes=[((30, 30), "Unknown are the missing pixels only, not all of the photo.")],
    )
    expect.shape(
        known_sum,
        (count, 3),
        "A right-hand side for every missing pixel and every channel.",
        mistakes=[((count,), "Every channel has a right-hand side of its own: (n, C).")],
    )
    wanted, right = by_hand(masked, hole)
    diagonal = np.diag(np.diag(wanted))
    links = wanted - diagonal
    expect.close(
        matrix.toarray(),
        wanted,
        "n on the diagonal, −1 for every neighbour that is missing too, 0 elsewhere.",
        mistakes=[
            (np.diag(np.full(count, 4.0)) + links, "n is 4 inside, 3 at an edge, 2 in a corner."),
            (
                np.diag(-links.sum(1)) + links,
                "n counts all neighbours, the known ones too: else the system is singular.",
            ),
            (diagonal - links, "Missing neighbours go to the left-hand side: with a minus."),
            (diagonal + np.triu(links), "A pair is in two equations: add the transpose too."),
            (diagonal + np.tril(links), "Each pair also stands above the diagonal: transpose."),
            (diagonal, "Neighbours that are missing too are unknowns: each has its −1."),
            (-wanted, "All signs are turned round: then the right-hand side is, too."),
            (np.eye(count) + links / np.diag(wanted)[:, None], "Multiply each equation by its n."),
        ],
    )
    all_known = np.stack([summed(masked)[tuple(p)] for p in np.argwhere(hole)])
    expect.close(
        known_sum,
        right,
        "On the right is the sum of the neighbours that are known.",
        mistakes=[
            (
                all_known,
                "What stands in the hole is no data, be it black or not: sum known ones only.",
            ),
            (-right, "The known sum stays on the right: with a plus."),
            (right / np.diag(wanted)[:, None], "A sum and not a mean: n stands on the diagonal."),
        ],
    )
    expect.equal(
        getattr(matrix, "format", ""), "csc", "The solver wants columns: sparse.csc_array(...)."
    )


@exercise(
    "3.5",
    classical.sparse_harmonic,
    minutes=10,
    difficulty=2,
    hints=(
        "Two photos have nothing to solve: one without a hole, one without a known pixel.",
        "splu(matrix, permc_spec='MMD_AT_PLUS_A') factorises once; .solve(known_sum) takes all "
        "three channels.",
        "guess = masked.astype('float64'); guess[hole] = …; return paste(masked, mask, guess).",
    ),
)
def sparse_harmonic(answer, expect):
    photo, hole = picture(5, 6).astype("float32"), hole_at_the_edge()
    mask = hole[..., None].astype("float32")
    masked = photo * (1 - mask)
    completed = answer(masked, mask)
    expect.shape(completed, masked.shape, "A completed photo is (H, W, 3).")
    expect.dtype(completed, "float32", "A completed photo is float32: paste makes it so.")
    matrix, right = by_hand(masked.astype("float64"), hole)
    solved = masked.astype("float64")
    solved[hole] = np.linalg.solve(matrix, right)
    first = masked.astype("float64")
    first[hole] = solved[hole][:, :1]
    mistaken = masked.astype("float64")
    mistaken[hole] = right
    mirrored = masked.astype("float64")
    mirrored[hole] = solved[hole][::-1]
    expect.close(
        completed,
        solved,
        "Solve matrix · x = known_sum; x are the missing pixels, row by row.",
        mistakes=[
            (masked, "The hole is still black: put the solution into it, guess[hole] = ...."),
            (first, "One channel was solved and used for all: solve takes (n, 3) as it is."),
            (mistaken, "That is the right-hand side itself: it is still to be solved for."),
            (mirrored, "The solution comes row by row, in the order of guess[hole]."),
            (solved * mask, "The known pixels are lost: paste them back."),
            (
                np.where(mask > 0, np.round(solved * 255) / 255, masked),
                "It is rounded to 256 steps: photos are float in [0, 1].",
            ),
        ],
    )
    expect.equal(
        np.asarray(completed)[~hole], masked[~hole], "Known pixels come back bit for bit: paste."
    )
    full = answer(photo, np.zeros_like(mask))
    expect.equal(full, photo, "A photo without a hole comes back as it is.")
    expect.dtype(full, "float32", "It is float32 even where nothing is missing.")
    empty = answer(photo, np.ones_like(mask))
    expect.equal(empty, photo, "Where nothing is known nothing follows: give back what came.")
    wide = answer(photo.astype("float64"), np.zeros_like(mask))
    expect.dtype(wide, "float32", "A completed photo is float32, whatever comes in.")


def row_of(length: int, ends: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and waves of a row of missing pixels; `ends` are the neighbours of its two."""
    matrix = 2 * np.eye(length) - np.eye(length, k=1) - np.eye(length, k=-1)
    matrix[0, 0], matrix[-1, -1] = ends
    return np.linalg.eigh(matrix)


@exercise(
    "3.6",
    rectangles.solve_rectangle,
    minutes=15,
    difficulty=3,
    hints=(
        "Four matrix products, and one division between the second and the third. With "
        "np.moveaxis(known_sum, -1, 0) the channels lie in front, and @ does all of them at once.",
        "Amplitudes: columns are h long, and down_waves.T @ … takes them apart; rows are w long, "
        "and … @ across_waves does. Back again, without the one transpose and with the other.",
        "Divide by down_values[:, None] + across_values, (h, w). At the end, "
        "np.moveaxis(down_waves @ amplitudes @ across_waves.T, 0, -1).",
    ),
)
def solve_rectangle(answer, expect):
    def solved(known_sum: np.ndarray, down: tuple, across: tuple) -> np.ndarray:
        """By the full matrix: every pixel's equation is its column's plus its row's."""
        height, width, channels = known_sum.shape
        columns, rows = (waves @ np.diag(values) @ waves.T for values, waves in (down, across))
        matrix = np.kron(columns, np.eye(width)) + np.kron(np.eye(height), rows)
        return np.linalg.solve(matrix, known_sum.reshape(-1, channels)).reshape(known_sum.shape)

    def in_waves(array: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
        return np.einsum("rcx,ri,cj->ijx", array, down, across)

    down, across = row_of(4, (2, 1)), row_of(4, (2, 2))  # the lower end lies at the photo's edge
    known_sum = picture(4, 4)
    right = solved(known_sum, down, across)
    amplitudes = in_waves(known_sum, down[1], across[1])
    values = (down[0][:, None] + across[0])[..., None]
    back = (down[1].T, across[1].T)
    expect.close(
        answer(known_sum, down, across),
        right,
        "Take the right-hand side apart into waves, divide each amplitude by the sum of its two "
        "eigenvalues, and put the waves together again.",
        mistakes=[
            (
                in_waves(in_waves(known_sum, *back) / values, down[1], across[1]),
                "The transposes are the wrong way round: each wave is a column, so that "
                "down_waves.T @ … takes the columns apart and … @ across_waves the rows.",
            ),
            (
                amplitudes / values,
                "These are the waves' amplitudes: put the pixels together from them again.",
            ),
            (
                in_waves(known_sum / values, *back),
                "The right-hand side is still pixels: take it apart into waves first.",
            ),
            (
                in_waves(amplitudes, *back),
                "It came back as it went: divide the amplitudes by the eigenvalues in between.",
            ),
            (
                in_waves(amplitudes * values, *back),
                "That multiplies with the matrix; to solve is to divide by the eigenvalues.",
            ),
            (
                in_waves(amplitudes / (down[0][:, None] * across[0])[..., None], *back),
                "An equation is its column's plus its row's: the eigenvalues add up.",
            ),
            (
                in_waves(amplitudes / (across[0][:, None] + down[0])[..., None], *back),
                "Amplitude i, j is of wave i down and wave j across: down_values[:, None] + "
                "across_values.",
            ),
            (
                in_waves(amplitudes / down[0][:, None, None], *back),
                "The waves across have eigenvalues as well: add them.",
            ),
            (
                in_waves(amplitudes / across[0][None, :, None], *back),
                "The waves down have eigenvalues as well: add them.",
            ),
            (solved(known_sum, across, down), "`down` is of the columns, `across` of the rows."),
            (
                np.repeat(right[..., :1], 3, -1),
                "One channel was solved and used for all: each has a right-hand side of its own.",
            ),
        ],
    )
    flat, wide = picture(3, 5, 2), (row_of(3, (2, 2)), row_of(5, (1, 2)))
    with expect.on_error(ValueError, "A rectangle is h high and w wide, and has any channels."):
        oblong = answer(flat, *wide)
    expect.shape(oblong, (3, 5, 2), "What comes out has the shape of known_sum: channels last.")
    expect.close(oblong, solved(flat, *wide), "3 rows, 5 columns and 2 channels: any will do.")


@exercise(
    "3.7",
    metrics.psnr,
    minutes=6,
    difficulty=1,
    hints=(
        "The peak is 1, as photos lie in [0, 1]: 10·log₁₀(1 / mean squared error), in float64.",
        "log(1 / x) is −log x. What is the error of a photo that is right in every pixel?",
        "An error of 1e-10 is 100 dB; whatever is at most that gives 100.0.",
    ),
)
def psnr(answer, expect):
    photo = picture(4, 5).astype("float32")
    other = picture(4, 5, seed=1).astype("float32")
    squared = np.mean((photo.astype("float64") - other) ** 2)
    absolute = np.mean(np.abs(photo.astype("float64") - other))
    expect.close(
        answer(photo, other),
        10 * np.log10(1 / squared),
        "Ten times the logarithm, to base 10, of 1 over the mean squared error.",
        mistakes=[
            (10 * np.log10(squared), "A smaller error is more decibels: 1 over it, or a minus."),
            (-10 * np.log(squared), "Decibels are of base 10: np.log is the natural logarithm."),
            (-10 * np.log10(np.sqrt(squared)), "10·log of the squared error, 20·log of its root."),
            (-10 * np.log10(absolute), "Square the differences; these are absolute ones."),
            (-np.log10(squared), "Decibels are tenths of a bel: ten times the logarithm."),
            (
                10 * np.log10(255**2 / squared),
                "255 is the peak of 8-bit photos; ours lie in [0, 1] and have the peak 1.",
            ),
            (-10 * np.log10(squared * photo.size), "The mean, not the sum, over all numbers."),
            (
                np.mean(-10 * np.log10(np.mean((photo - other) ** 2, axis=(0, 1)))),
                "One mean over all pixels and channels, then one logarithm.",
            ),
        ],
    )
    expect.type(answer(photo, other), float, "A Python number: float(...).")
    expect.equal(answer(photo, photo), 100.0, "Without any error it is 100 dB, not infinite.")
    nearly = photo.copy()
    nearly[0, 0, 0] += 1e-6
    expect.equal(answer(photo, nearly), 100.0, "At most 100 dB, however small the error.")
    grey = np.full((2, 2, 1), 0.5)
    expect.close(
        answer(grey, grey + 0.0001),
        80.0,
        "Down to an error of 1e-10 it is the formula's value; here 80 dB.",
    )
    bits = (photo * 255).astype("uint8")
    expect.close(
        answer(bits / np.float32(255) * 0, (bits * 0 + 1) / np.float32(1)),
        0.0,
        "Black for white is an error of 1, and 0 dB.",
    )


@exercise(
    "3.8",
    broken.catch_moved,
    minutes=10,
    difficulty=2,
    hints=(
        "Make a photo of random numbers and a small hole, sweep once, and look outside the hole.",
        "photo[~hole] are the known pixels. A sweep may change the array it is given, and would "
        "change your copy with it: keep one that it never sees.",
        "assert np.array_equal(swept[~hole], photo[~hole]); nearly equal is not equal.",
    ),
)
def catch_moved(answer, expect):
    expect.catches(
        answer,
        right=[classical.sweep, one_after_the_other, over_relaxed],
        wrong=[
            (broken.sweep_over_all, "Compare the pixels outside the hole with what they were."),
            (
                sweep_and_border,
                "This one moves only known pixels beside the hole: compare all that are known.",
            ),
            (
                sweep_in_eight_bits,
                "This one moves known pixels by less than 1/255: equal means bit for bit, so "
                "np.array_equal and not np.allclose.",
            ),
            (
                sweep_in_place,
                "This one writes into the photo that it is given: keep a copy to compare with.",
            ),
        ],
        hint="Its known pixels stay. What it puts into the hole is not to be judged here.",
    )


def over_relaxed(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Goes further than the mean: successive over-relaxation's step."""
    return np.where(hole[..., None], photo + 1.5 * (swept(photo, hole) - photo), photo)


def sweep_and_border(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    touched = hole | (summed(hole[..., None].astype("float64"))[..., 0] > 0)
    return swept(photo, touched)


def sweep_in_eight_bits(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.round(swept(photo, hole) * 1023) / 1023


def sweep_in_place(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    photo[:] = broken.sweep_over_all(photo, hole)
    return photo
