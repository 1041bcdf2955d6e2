"""recon.classical: against slow loops, known values, and what the equations promise."""

import cv2
import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from recon import classical
from recon.boxes import Box, rasterise

NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), dtype="float32")


def neighbours(shape, row, column):
    """The pixels above, below, left and right, as far as they lie on the photo."""
    places = [(row + down, column + right) for down, right in NEIGHBOURS]
    return [(r, c) for r, c in places if 0 <= r < shape[0] and 0 <= c < shape[1]]


def relax(masked, mask, sweeps=5000):
    """Gauss–Seidel: set every missing pixel to the mean of its neighbours until none moves."""
    photo = masked.astype("float64")
    missing = [tuple(place) for place in np.argwhere(mask[..., 0] > 0)]
    for _ in range(sweeps):
        moved = 0.0
        for place in missing:
            value = np.mean([photo[other] for other in neighbours(photo.shape, *place)], axis=0)
            moved = max(moved, np.abs(value - photo[place]).max())
            photo[place] = value
        if moved < 1e-9:
            return photo
    raise AssertionError("not converged")


@st.composite
def masks(draw, inside=False):
    """Masks of any shape, with a known pixel; with `inside` all around the edge."""
    shape = draw(st.tuples(st.integers(3, 9), st.integers(3, 9)))
    mask = draw(arrays.arrays("float32", (*shape, 1), elements=st.sampled_from([0.0, 1.0])))
    if inside:
        mask[[0, -1]] = mask[:, [0, -1]] = 0
    if mask.all():
        mask[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = 0
    return mask


def ramp(shape, start, down, right):
    """Colours that change evenly: from `start` by `down` per row and `right` per column."""
    rows, columns = np.mgrid[: shape[0], : shape[1], :1][:2]
    return (start + down * rows + right * columns).astype("float32") * np.ones(3, "float32")


# All fills


@pytest.mark.parametrize("name", classical.FILLS)
@pytest.mark.parametrize(
    ("shape", "holes"),
    [
        ((8, 9), []),
        ((8, 9), [Box(0, 0, 8, 9)]),  # nothing is known
        ((1, 1), []),
        ((1, 1), [Box(0, 0, 1, 1)]),
        ((1, 5), [Box(0, 1, 1, 2)]),
        ((5, 1), [Box(3, 0, 2, 1)]),
        ((9, 9), [Box(2, 3, 4, 4)]),
        ((12, 10), [Box(0, 0, 5, 5), Box(3, 3, 5, 5)]),  # overlap, corner
        ((12, 10), [Box(7, 0, 5, 10)]),  # an edge as a whole
    ],
)
def test_a_fill_completes_any_photo_and_leaves_known_pixels(name, shape, holes):
    mask = rasterise(holes, shape)
    masked = noise(*shape) * (1 - mask)
    given_masked, given_mask = masked.copy(), mask.copy()
    completed = classical.FILLS[name](masked, mask)
    assert completed.shape == (*shape, 3)
    assert completed.dtype == np.float32
    assert completed.min() >= 0
    assert completed.max() <= 1
    known = mask[..., 0] == 0
    np.testing.assert_array_equal(completed[known], masked[known])
    np.testing.assert_array_equal(masked, given_masked)  # and what was given stays
    np.testing.assert_array_equal(mask, given_mask)
    if not known.any():
        np.testing.assert_array_equal(completed, masked)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    # OpenCV's Telea is a few of 255 steps off even here.
    [("mean", 1e-7), ("harmonic", 1e-7), ("biharmonic", 1e-7), ("telea", 8 / 255)],
)
def test_a_photo_of_one_colour_is_completed_by_it(name, tolerance):
    photo = np.full((16, 16, 3), [0.2, 0.4, 0.8], "float32")
    mask = rasterise([Box(0, 0, 6, 6), Box(5, 4, 6, 6), Box(12, 0, 4, 16)], 16)
    completed = classical.FILLS[name](photo * (1 - mask), mask)
    np.testing.assert_allclose(completed, photo, atol=tolerance)


# mean


def test_mean_is_of_the_known_pixels():
    photo = np.zeros((2, 2, 3), "float32")
    photo[0, 0], photo[0, 1], photo[1, 0] = [0.3, 0, 1], [0.6, 0, 1], [0.9, 0.3, 1]
    mask = rasterise([Box(1, 1, 1, 1)], 2)
    np.testing.assert_allclose(classical.mean(photo, mask)[1, 1], [0.6, 0.1, 1], atol=1e-7)


def test_mean_of_a_large_photo_is_exact():
    photo = np.full((1024, 1024, 3), 0.4, "float32")
    completed = classical.mean(photo, rasterise([Box(0, 0, 1, 1)], 1024))
    np.testing.assert_allclose(completed[0, 0], 0.4, atol=1e-7)


# harmonic


@pytest.mark.parametrize(
    ("shape", "holes"),
    [
        ((9, 8), [Box(2, 2, 5, 4)]),
        ((10, 10), [Box(1, 1, 5, 5), Box(4, 3, 5, 5)]),  # overlap
        ((8, 8), [Box(0, 2, 4, 4)]),  # at an edge
        ((8, 8), [Box(0, 0, 4, 4), Box(5, 5, 3, 3)]),  # in corners
        ((7, 9), [Box(0, 0, 7, 3), Box(2, 5, 2, 2)]),  # a side as a whole
        ((6, 6), [Box(0, 2, 6, 2)]),  # from edge to edge
        ((1, 7), [Box(0, 1, 1, 4)]),
    ],
)
def test_harmonic_is_where_relaxation_comes_to_rest(shape, holes):
    mask = rasterise(holes, shape)
    masked = noise(*shape) * (1 - mask)
    np.testing.assert_allclose(classical.harmonic(masked, mask), relax(masked, mask), atol=1e-6)


@settings(deadline=None)
@given(masks(), st.integers(0, 100))
def test_harmonic_makes_every_missing_pixel_the_mean_of_its_neighbours(mask, seed):
    completed = classical.harmonic(noise(*mask.shape[:2], seed) * (1 - mask), mask)
    for row, column in np.argwhere(mask[..., 0] > 0):
        around = [completed[place] for place in neighbours(mask.shape, row, column)]
        np.testing.assert_allclose(completed[row, column], np.mean(around, axis=0), atol=1e-6)


@settings(deadline=None)
@given(masks(), st.integers(0, 100))
def test_harmonic_stays_within_the_values_around_each_hole(mask, seed):
    masked = noise(*mask.shape[:2], seed) * (1 - mask)
    completed = classical.harmonic(masked, mask)
    holes, count = ndimage.label(mask[..., 0] > 0)  # four neighbours, as the equation has them
    for number in range(1, count + 1):
        hole = holes == number
        border = masked[ndimage.binary_dilation(hole) & (holes == 0)]
        assert (completed[hole] >= border.min(axis=0) - 1e-6).all()
        assert (completed[hole] <= border.max(axis=0) + 1e-6).all()


slopes = st.lists(st.floats(-0.05, 0.05), min_size=3, max_size=3).map(np.array)


@settings(deadline=None)
@given(masks(inside=True), slopes, slopes)
def test_harmonic_continues_a_ramp_into_a_hole_inside(mask, down, right):
    photo = ramp(mask.shape[:2], 0.5, down, right)
    completed = classical.harmonic(photo * (1 - mask), mask)
    np.testing.assert_allclose(completed, photo, atol=1e-6)


def test_harmonic_lets_no_slope_cross_the_photos_edge():
    # Beyond the edge nothing is known, so the equation asks for no slope across it: a ramp along
    # the edge goes on, ...
    photo, mask = ramp((8, 8), 0.1, 0, 0.1), rasterise([Box(5, 2, 3, 4)], 8)
    np.testing.assert_allclose(classical.harmonic(photo * (1 - mask), mask), photo, atol=1e-6)
    # ... and a ramp across it levels out; here at once, as nothing at the sides holds it up.
    photo, mask = ramp((8, 8), 0.1, 0.1, 0), rasterise([Box(5, 0, 3, 8)], 8)
    completed = classical.harmonic(photo * (1 - mask), mask)
    np.testing.assert_allclose(completed[5:], np.broadcast_to(photo[4], (3, 8, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("place", "around"),
    [
        ((1, 1), [(0, 1), (2, 1), (1, 0), (1, 2)]),
        ((0, 1), [(0, 0), (0, 2), (1, 1)]),  # at an edge three
        ((2, 2), [(1, 2), (2, 1)]),  # in a corner two
    ],
)
def test_harmonic_of_a_single_pixel(place, around):
    photo = noise(3, 3)
    completed = classical.harmonic(photo, rasterise([Box(*place, 1, 1)], 3))
    expected = np.mean([photo[neighbour] for neighbour in around], axis=0)
    np.testing.assert_allclose(completed[place], expected, atol=1e-7)


SIDE = 75


@pytest.mark.parametrize(
    "holes",
    [
        [Box(20, 30), Box(150, 160)],  # apart
        [Box(0, 0), Box(256 - SIDE, 256 - SIDE)],  # in corners
        [Box(20, 30), Box(20 + SIDE, 30 + SIDE)],  # touching in a point: no neighbours
        [Box(20, 30), Box(20, 30 + SIDE)],  # touching along a side
        [Box(20, 30), Box(40, 30 + SIDE)],
        [Box(60, 90), Box(59 + SIDE, 91 - SIDE)],  # overlapping by a single pixel
        [Box(60, 90), Box(61, 91)],
        [Box(0, 90), Box(50, 20)],  # overlapping, one at the edge
        [Box(256 - SIDE, 0), Box(256 - 2 * SIDE + 10, 40)],
        [Box(60, 90), Box(60, 90)],
        [Box(60, 90), Box(80, 100, 20, 30)],  # one within the other
        [Box(100, 20, 30, 200), Box(20, 100, 200, 30)],  # a cross
        [Box(0, 100, 256, 60)],  # from edge to edge
        [Box(0, 40, 256, 216)],  # a side as a whole
        [Box(0, 0, 200, 256), Box(100, 60, 156, 100)],  # known are two corners
        [Box(20, 20, 30, 150), Box(20, 20, 150, 30), Box(140, 20, 30, 150), Box(20, 140, 150, 30)],
    ],
)
def test_harmonic_solves_boxes_without_a_sparse_factor(holes, monkeypatch):
    def factorise(*_, **__):
        raise AssertionError("a sparse factorisation")

    monkeypatch.setattr(classical, "splu", factorise)
    mask = rasterise(holes, 256)
    masked = noise(256, 256) * (1 - mask)
    completed = classical.harmonic(masked, mask)
    hole = mask[..., 0] > 0
    np.testing.assert_array_equal(completed[~hole], masked[~hole])
    swept = classical.sweep(completed.astype("float64"), hole)  # every pixel is the mean already
    np.testing.assert_allclose(completed, swept, atol=1e-6)
    border = masked[ndimage.binary_dilation(hole) & ~hole]
    assert (completed[hole] >= border.min(0) - 1e-6).all()
    assert (completed[hole] <= border.max(0) + 1e-6).all()


def test_harmonic_multiplies_on_one_thread_and_leaves_the_others_to_the_rest(monkeypatch):
    def threads():
        pools = threadpoolctl.threadpool_info()
        return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}

    seen, fill = [], classical.Rectangle.fill
    monkeypatch.setattr(
        classical.Rectangle, "fill", lambda *given: (seen.append(threads()), fill(*given))
    )
    mask = rasterise([Box(5, 5, 40, 40)], 64)
    with threadpoolctl.threadpool_limits(2, "blas"):
        classical.harmonic(noise(64, 64) * (1 - mask), mask)
        assert threads() == {2}
    assert seen == [{1}]


corners = st.integers(0, 64 - 19)


@settings(deadline=None, max_examples=50)
@given(corners, corners, corners, corners)
def test_harmonic_of_two_boxes_is_the_sparse_solution(row, column, other_row, other_column):
    mask = rasterise([Box(row, column, 19, 19), Box(other_row, other_column, 19, 19)], 64)
    masked = noise(64, 64) * (1 - mask)
    expected = classical.sparse_harmonic(masked, mask)
    np.testing.assert_allclose(classical.harmonic(masked, mask), expected, atol=1e-6)


def test_harmonic_solves_parts_of_every_kind_in_one_photo():
    mask = rasterise([Box(2, 2, 30, 30), Box(50, 0, 20, 40), Box(65, 20, 30, 20), Box(9, 80)], 160)
    mask[110:150, 80:150] = np.random.default_rng(1).random((40, 70, 1)) < 0.5  # crumbs, a sponge
    mask[100:155, 10:65] = (np.hypot(*np.mgrid[-27:28, -27:28]) < 27)[..., None]  # a disc
    masked = noise(160, 160) * (1 - mask)
    expected = classical.sparse_harmonic(masked, mask)
    np.testing.assert_allclose(classical.harmonic(masked, mask), expected, atol=1e-6)


# Jacobi's sweeps, and the system


def test_neighbours_are_counted_by_a_picture_of_ones():
    counts = classical.neighbour_sum(np.ones((3, 4, 1)))
    np.testing.assert_array_equal(counts[..., 0], [[2, 3, 3, 2], [3, 4, 4, 3], [2, 3, 3, 2]])


@settings(deadline=None)
@given(masks(), st.integers(0, 100))
def test_a_sweep_takes_every_mean_from_the_photo_before_it(mask, seed):
    photo, hole = noise(*mask.shape[:2], seed), mask[..., 0] > 0
    swept = classical.sweep(photo, hole)
    np.testing.assert_array_equal(swept[~hole], photo[~hole])
    for place in map(tuple, np.argwhere(hole)):
        around = [photo[other] for other in neighbours(hole.shape, *place)]
        np.testing.assert_allclose(swept[place], np.mean(around, axis=0), atol=1e-6)


def test_a_photo_of_one_missing_pixel_has_no_neighbours():
    swept = classical.sweep(noise(1, 1), np.ones((1, 1), bool))
    np.testing.assert_array_equal(swept, np.zeros((1, 1, 3)))


@pytest.mark.parametrize("holes", [[Box(2, 2, 4, 4), Box(4, 3, 5, 4)], [Box(0, 0, 3, 9)], []])
def test_jacobi_comes_to_rest_at_the_harmonic_fill(holes):
    mask = rasterise(holes, 9)
    masked = noise(9, 9) * (1 - mask)
    completed = classical.jacobi(masked, mask, tolerance=1e-9)
    np.testing.assert_allclose(completed, classical.harmonic(masked, mask), atol=1e-6)


def test_jacobi_stops_after_as_many_sweeps_as_it_may_take():
    mask = rasterise([Box(1, 1, 6, 6)], 8)
    masked = noise(8, 8) * (1 - mask)
    hole = mask[..., 0] > 0
    two = classical.sweep(classical.sweep(masked.astype("float64"), hole), hole)
    completed = classical.jacobi(masked, mask, most=2)
    np.testing.assert_array_equal(completed, two.astype("float32"))


def test_the_system_of_three_missing_pixels_by_hand():
    photo = np.arange(9.0).reshape(3, 3, 1)
    hole = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 1]], bool)
    matrix, known_sum = classical.laplace_system(photo, hole)
    np.testing.assert_array_equal(matrix.toarray(), [[2, -1, 0], [-1, 3, 0], [0, 0, 2]])
    np.testing.assert_array_equal(known_sum, [[3], [2 + 4], [5 + 7]])


# Telea


def test_telea_is_opencvs_on_8_bits():
    photo = np.round(noise(20, 20) * 255).astype("uint8")
    mask = rasterise([Box(3, 4, 6, 7), Box(0, 15, 5, 5)], 20)
    photo[mask[..., 0] > 0] = 0
    expected = cv2.inpaint(photo, mask.astype("uint8"), 3, cv2.INPAINT_TELEA)
    completed = classical.telea((photo / 255).astype("float32"), mask)
    np.testing.assert_array_equal(np.round(completed * 255), expected)
    wide = cv2.inpaint(photo, mask.astype("uint8"), 5, cv2.INPAINT_TELEA)
    completed = classical.telea((photo / 255).astype("float32"), mask, radius=5)
    np.testing.assert_array_equal(np.round(completed * 255), wide)


def test_telea_takes_its_colours_from_the_nearest_border():
    photo = np.zeros((20, 20, 3), "float32")
    photo[:, :10], photo[:, 10:] = [1, 0, 0], [0, 0, 1]
    mask = rasterise([Box(4, 4, 12, 12)], 20)
    completed = classical.telea(photo * (1 - mask), mask)
    np.testing.assert_allclose(completed[4:16, 4:7], photo[4:16, 4:7], atol=0.05)
    np.testing.assert_allclose(completed[4:16, 13:16], photo[4:16, 13:16], atol=0.05)


# biharmonic


def test_biharmonic_of_a_single_pixel():
    # The Laplacian of the Laplacian as a stencil, 20 in the middle, put to zero.
    stencil = np.array(
        [[0, 0, 1, 0, 0], [0, 2, -8, 2, 0], [1, -8, 0, -8, 1], [0, 2, -8, 2, 0], [0, 0, 1, 0, 0]]
    )
    photo = 0.3 + 0.4 * noise(7, 7)
    completed = classical.biharmonic(photo, rasterise([Box(3, 3, 1, 1)], 7))
    expected = -(stencil[..., None] * photo[1:6, 1:6]).sum((0, 1)) / 20
    np.testing.assert_allclose(completed[3, 3], expected, atol=1e-6)


def test_biharmonic_continues_a_bend_where_harmonic_does_not():
    rows, columns = np.mgrid[-1:1:16j, -1:1:16j]
    bent = np.stack([(1 + rows) ** 2 / 4, 0.5 + columns**3 / 2, 0.5 + rows * columns**2 / 2], -1)
    mask = rasterise([Box(4, 4, 6, 6), Box(7, 6, 6, 6)], 16)  # two pixels and more off the edge
    masked = (bent * (1 - mask)).astype("float32")
    np.testing.assert_allclose(classical.biharmonic(masked, mask), bent, atol=1e-5)
    assert np.abs(classical.harmonic(masked, mask) - bent).max(axis=(0, 1)).min() > 0.01


def test_biharmonic_stays_within_the_known_values_where_slopes_lead_beyond():
    photo = np.zeros((12, 12, 3), "float32")
    photo[:] = np.array([0, 0.2, 0.4, 0.8, 0, 0, 0, 0, 0.8, 0.4, 0.2, 0])[None, :, None]
    mask = rasterise([Box(2, 4, 8, 4)], 12)
    completed = classical.biharmonic(photo, mask)
    np.testing.assert_array_equal(completed[5, 5:7], np.float32(0.8))
