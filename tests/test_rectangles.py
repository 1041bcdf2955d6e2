"""recon.rectangles: against full matrices and loops over pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.sparse.linalg import spsolve

from recon import classical, rectangles
from recon.boxes import Box, rasterise


@st.composite
def holes(draw):
    """A few boxes on a small photo: apart, overlapping, at edges, within each other, crossing."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    hole = np.zeros(shape, bool)
    for _ in range(draw(st.integers(1, 3))):
        row, column = (draw(st.integers(0, length - 1)) for length in shape)
        bottom, right = (draw(st.integers(n + 1, 9)) for n in (row, column))
        hole[row:bottom, column:right] = True
    return hole


def parts_with_seams(hole):
    """Each connected part of a hole and its seams, however small; not those that have none."""
    parts, count = ndimage.label(hole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rectangles, "SMALL", 1)
        some = [
            (parts == number, rectangles.seams(parts == number)) for number in range(1, count + 1)
        ]
    return [(part, seam) for part, seam in some if seam is not None]


def painted(boxes, shape):
    return rasterise(boxes, shape)[..., 0] > 0


def row_matrix(length, ends):
    matrix = 2 * np.eye(length) - np.eye(length, k=1) - np.eye(length, k=-1)
    matrix[0, 0] -= ends[0]
    matrix[-1, -1] -= ends[1]
    return matrix


@pytest.mark.parametrize("start_open", [False, True])
@pytest.mark.parametrize("end_open", [False, True])
@pytest.mark.parametrize("length", [1, 2, 3, 8, 75])
def test_standing_waves_are_a_rows_eigenvectors(length, start_open, end_open):
    values, waves = rectangles.standing_waves(length, start_open, end_open)
    np.testing.assert_allclose(waves.T @ waves, np.eye(length), atol=1e-12)
    matrix = row_matrix(length, (start_open, end_open))
    np.testing.assert_allclose(waves @ np.diag(values) @ waves.T, matrix, atol=1e-12)


@given(st.integers(1, 6), st.integers(1, 6), st.tuples(*[st.booleans()] * 4), st.integers(1, 4))
def test_a_rectangle_is_solved_as_by_the_full_matrix(height, width, ends, channels):
    if all(ends):
        return  # nothing is known
    known_sum = np.random.default_rng(0).random((height, width, channels))
    down, across = (
        rectangles.standing_waves(height, *ends[:2]),
        rectangles.standing_waves(width, *ends[2:]),
    )
    solved = rectangles.solve_rectangle(known_sum, down, across)
    columns, rows = row_matrix(height, ends[:2]), row_matrix(width, ends[2:])
    matrix = np.kron(columns, np.eye(width)) + np.kron(np.eye(height), rows)
    expected = np.linalg.solve(matrix, known_sum.reshape(-1, channels))
    np.testing.assert_allclose(solved.reshape(-1, channels), expected, atol=1e-9)


def test_two_boxes_that_overlap_are_cut_where_rows_change():
    hole = painted([Box(1, 1, 4, 3), Box(3, 2, 4, 3)], (8, 6))
    assert rectangles.cut(hole) == [Box(1, 1, 2, 3), Box(3, 1, 2, 4), Box(5, 2, 2, 3)]


@given(holes())
def test_a_cut_hole_has_every_pixel_once(hole):
    counts = np.zeros(hole.shape, int)
    for row, column, height, width in rectangles.cut(hole):
        counts[row : row + height, column : column + width] += 1
    np.testing.assert_array_equal(counts, hole)


@settings(deadline=None)
@given(holes())
def test_without_its_seams_a_hole_is_rectangles_that_do_not_touch(hole):
    for part, seam in parts_with_seams(hole):
        assert not seam[~part].any()
        rest = part & ~seam
        assert ndimage.label(rest)[1] == len(rectangles.cut(rest))


@pytest.mark.parametrize(
    ("boxes", "rows"),
    [
        ([Box(20, 20, 30, 30)], []),  # one rectangle has none
        ([Box(0, 0, 30, 30), Box(20, 20, 30, 30)], [19, 30]),  # of the narrower ones, at the wider
        ([Box(0, 0, 20, 50), Box(20, 10, 30, 30)], [20]),  # they touch
        ([Box(0, 10, 20, 30), Box(20, 0, 30, 50)], [19]),
        ([Box(0, 0, 20, 30), Box(20, 20, 20, 30)], [20]),  # neither is wider
        ([Box(0, 0, 60, 40), Box(10, 10, 20, 20)], []),  # one within the other
    ],
)
def test_seams_are_rows_of_the_narrower_rectangle(boxes, rows):
    seam = rectangles.seams(painted(boxes, (60, 60)))
    assert np.flatnonzero(seam.any(1)).tolist() == rows


@pytest.mark.parametrize(
    "hole",
    [
        painted([Box(1, 1, 9, 9)], (20, 20)),  # small
        painted([Box(1, 1, 3, 400)], (5, 402)),  # long and thin
        np.hypot(*np.mgrid[-30:31, -30:31]) < 29,  # a disc
        painted([Box(4 * n, 20 * (n % 2), 4, 40) for n in range(30)], (120, 60)),  # stairs
    ],
)
def test_what_is_not_a_few_rectangles_is_left_to_the_sparse_solver(hole):
    assert rectangles.seams(hole) is None


@settings(deadline=None)
@given(holes(), st.integers(0, 100))
def test_seams_and_rectangles_solve_what_the_sparse_system_does(hole, seed):
    photo = np.random.default_rng(seed).random((*hole.shape, 3))
    for part, seam in parts_with_seams(hole):
        if part.all():
            continue
        filled = photo.copy()
        classical.fill_rectangles(filled, part, seam)
        matrix, known_sum = classical.laplace_system(photo, part)
        np.testing.assert_allclose(filled[part], spsolve(matrix, known_sum), atol=1e-10)
        np.testing.assert_array_equal(filled[~part], photo[~part])
