"""recon.data.brush: distances against slow oracles, canvases against each other."""

from itertools import pairwise

import numpy as np
import pytest

from recon.data import brush
from recon.data.brush import Canvas, Light, Shape

FRONT = Light((0.0, 0.0, 1.0), brush.rgb("ffffff") * 0.5, brush.rgb("ffffff") * 0.5)


def blank(size=64, grey=0.5, table=None):
    table = np.zeros((4, 4)) if table is None else table
    return Canvas.of(np.full((3, size, size), grey), FRONT, table)


def outline(curve):
    """Points along a closed curve, from a function of the angle."""
    return np.array([curve(angle) for angle in np.linspace(0, 2 * np.pi, 4000)])


def test_the_photo_reaches_from_minus_one_to_one():
    c = blank(4)
    np.testing.assert_allclose(c.x[0], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_allclose(c.y[:, 0], [-0.75, -0.25, 0.25, 0.75])
    assert c.pixel == 0.5


def test_a_canvas_moved_scaled_turned_and_mirrored_shows_the_same_places():
    whole = blank(64)
    part = whole.at(0.2, -0.1, 0.5, angle=0.3, flip=-1, reach=0.4)
    (row, column), (rows, columns) = part.start, part.image.shape[1:]
    window = np.s_[row : row + rows, column : column + columns]
    u, v = part.x * -0.5, part.y * 0.5  # mirrored and scaled, then turned, then moved
    x = 0.2 + np.cos(0.3) * u - np.sin(0.3) * v
    y = -0.1 + np.sin(0.3) * u + np.cos(0.3) * v
    np.testing.assert_allclose(x, (whole.x + 0 * whole.y)[window], atol=1e-12)
    np.testing.assert_allclose(y, (whole.y + 0 * whole.x)[window], atol=1e-12)
    assert part.pixel == pytest.approx(2 * whole.pixel)
    for reached in ((0.4, 0.4), (-0.4, 0.4), (0.4, -0.4), (-0.4, -0.4)):  # nothing is cut off
        distance = np.hypot(part.x - reached[0], part.y - reached[1])
        assert distance.min() < part.pixel


def test_near_cuts_pixels_and_keeps_coordinates():
    whole = blank(32)
    part = whole.near(0.5, -0.5, 0.25, 0.125)
    assert part.x.min() >= 0.25
    assert part.x.max() <= 0.75
    assert part.image.shape == (3, 4, 8)
    part.image[:] = 0
    assert (whole.photo == 0).sum() == 3 * 4 * 8


@pytest.mark.parametrize("place", [(5.0, 0.0), (0.0, -9.0), (-1.0, 1.0)])
def test_a_canvas_outside_the_photo_can_still_be_painted(place):
    c = blank(16).at(*place, 0.1, reach=1.0)
    brush.solid(c, brush.ellipse(c, 0, 0, 1, 1), brush.rgb("ff0000"))
    assert np.isfinite(c.photo).all()


def test_a_stroke_is_as_far_as_its_nearest_point():
    c = blank(24)
    points, radii = [(-0.5, -0.2), (0.1, 0.4), (0.6, 0.3)], [0.1, 0.1, 0.1]
    shape, along = brush.stroke(c, points, radii)
    for row in range(24):
        for column in range(24):
            here = np.array([c.x[0, column], c.y[row, 0]])
            t = np.linspace(0, 1, 2000)[:, None]
            path = [np.array(a) + t * (np.array(b) - a) for a, b in pairwise(points)]
            distances = np.linalg.norm(np.concatenate(path) - here, axis=1)
            if distances.min() < brush.MARGIN:
                assert shape.d[row, column] == pytest.approx(distances.min() - 0.1, abs=1e-3)
                assert along[row, column] == pytest.approx(distances.argmin() / 4000, abs=2e-3)
            else:
                assert shape.d[row, column] > 0


def test_a_circle_is_an_ellipse_whose_distance_is_exact():
    c = blank(40)
    shape = brush.ellipse(c, 0.1, -0.2, 0.4, 0.4)
    expected = np.hypot(c.x - 0.1, c.y + 0.2) - 0.4
    close = np.maximum(abs(c.x - 0.1), abs(c.y + 0.2)) < 0.4 + brush.MARGIN
    np.testing.assert_allclose(shape.d[close], expected[close], atol=1e-6)
    assert (shape.d[~close] > 0).all()


def test_an_ellipse_has_its_edge_where_it_should():
    c = blank(200)
    d = brush.ellipse(c, 0.1, 0.2, 0.6, 0.3).d
    inside = ((c.x - 0.1) / 0.6) ** 2 + ((c.y - 0.2) / 0.3) ** 2 < 1
    np.testing.assert_array_equal(d < 0, inside)


def test_a_leaf_is_pointed_and_as_wide_as_told():
    x = np.array([-1.0, -0.9, 0.0, 0.0, 1.1])
    y = np.array([0.0, 0.0, 0.3, -0.2, 0.0])
    d = brush.leaf(x, y, (-1, 0), (1, 0), 0.3)
    assert d[0] == pytest.approx(0, abs=1e-12)  # the tip
    assert d[1] < 0 < d[4]
    assert d[2:4] == pytest.approx([0, -0.1])  # the widest place, and 0.1 inside it


def test_joined_shapes_hold_both_and_fill_the_seam():
    c = blank(64)
    left, right = brush.ellipse(c, -0.2, 0, 0.3, 0.3), brush.ellipse(c, 0.2, 0, 0.3, 0.3)
    both = brush.join(left, right, smooth=0.2)
    assert (both.d <= np.minimum(left.d, right.d) + 1e-12).all()
    assert ((both.d < 0) & (np.minimum(left.d, right.d) > 0)).any()


def test_cover_is_the_share_of_the_pixel_inside():
    c = blank(8)
    share = brush.cover(c, c.x - 0.1 + 0 * c.y)
    edges = np.linspace(-1, 1, 9)
    expected = np.clip((0.1 - edges[:-1]) / 0.25, 0, 1)
    np.testing.assert_allclose(share[0], expected)


def test_a_thin_line_fades_and_keeps_its_ink():
    """The same line at three sizes darkens the photo by the same amount."""
    ink = []
    for size in (32, 64, 256):
        c = blank(size, grey=1.0)
        brush.line(c, [(-0.5, 0.03), (0.5, 0.03)], 0.01, brush.rgb("000000"))
        ink.append((1 - c.photo).mean())
    np.testing.assert_allclose(ink, ink[-1], rtol=0.06)


def test_a_solid_is_bright_on_the_side_of_the_light():
    c = blank(64)
    c.light = FRONT._replace(direction=(0.8, 0.0, 0.6))
    brush.solid(c, brush.ellipse(c, 0, 0, 0.8, 0.8), brush.rgb("808080"))
    row = c.photo[0, 32]
    assert row[50] > row[32] > row[14]
    np.testing.assert_array_equal(c.photo[:, 0, 0], 0.5)  # and nothing outside is touched


def test_noise_passes_through_its_table_and_repeats():
    table = np.random.default_rng(0).uniform(-1, 1, (8, 8))
    c = blank(8, table=table)
    rows, columns = np.mgrid[-3:12, -3:12].astype(float)
    np.testing.assert_allclose(
        brush.noise(c, columns, rows), table[rows.astype(int) % 8, columns.astype(int) % 8]
    )
    half = brush.noise(c, np.array([[2.5]]), np.array([[3.0]]))
    assert half[0, 0] == pytest.approx((table[3, 2] + table[3, 3]) / 2)


def test_fur_leaves_out_what_pixels_cannot_show():
    table = np.random.default_rng(0).uniform(-1, 1, (64, 64))
    coarse, fine = blank(8, table=table), blank(256, table=table)
    assert np.ptp(brush.fur(coarse, 0.3) + 0 * coarse.x * coarse.y) == 0
    assert np.ptp(brush.fur(fine, 0.3)) > 0.1


def test_a_bend_starts_and_ends_where_told():
    points = brush.bend((0, 0), (1, 0), (1, 1), steps=4)
    assert points[0] == (0, 0)
    assert points[-1] == (1, 1)
    assert points[2] == pytest.approx((0.75, 0.25))
    assert len(brush.taper(0.2, 0.1, 4)) == len(points)


def test_shapes_keep_their_thickness():
    c = blank(16)
    assert brush.ellipse(c, 0, 0, 0.5, 0.2).thick == 0.2
    assert isinstance(brush.join(brush.ellipse(c, 0, 0, 0.5, 0.2)), Shape)
