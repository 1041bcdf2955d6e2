"""What the photos of `recon.data.safari` are painted with: a canvas, shapes, shading, noise.

Shapes are signed distances, so every edge is anti-aliased at any size. Coordinates: the photo
reaches from -1 to 1, x to the right and y down. Colours are arrays (3, 1, 1) or (3, H, W) in
[0, 1], red first; distances, shares and coordinates are arrays (H, W). All is NumPy's float64:
machines that differ in the last bit of a square root or cosine still round to the same bytes.
"""

import copy
import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np


class Shape(NamedTuple):
    """Signed distance to an edge, negative inside, and half the thickness of the body there."""

    d: np.ndarray
    thick: float | np.ndarray


class Light(NamedTuple):
    """Unit vector towards the light (right, down, viewer), its colour and the shadows'."""

    direction: tuple[float, float, float]
    sun: np.ndarray
    shade: np.ndarray


class Canvas:
    """A photo, or a part of it, with coordinates of its own: arrays `x` and `y`.

    `at` gives a canvas moved, scaled, turned or mirrored over the same pixels, so that a head
    is drawn around (0, 0) whatever the pose. A `reach` says how far from its centre anything
    is drawn; small things then cost little.

    Args:
        photo: float64 `(3, size, size)`, painted over.
        light: where the scene's light comes from.
        table: numbers in [-1, 1] that `noise` is made of; `(2**k, 2**k)`.
        matrix: a, b, c, d: column = a·x + b·y + left and row = c·x + d·y + top.
        corner: left and top.
    """

    def __init__(self, photo, light: Light, table, matrix, corner):
        self.photo, self.light, self.table = photo, light, table
        self.matrix, self.corner = matrix, corner
        self.image, self.start = photo, (0, 0)
        a, b, c, d = matrix
        self.pixel = 1 / math.sqrt(abs(a * d - b * c))  # a pixel's side in this canvas's units

    @classmethod
    def of(cls, photo, light: Light, table) -> "Canvas":
        """The whole photo, -1 to 1."""
        half = photo.shape[-1] / 2
        return cls(photo, light, table, (half, 0.0, 0.0, half), (half, half))._locate()

    def _locate(self) -> "Canvas":
        """Work out the coordinates of the pixels in `image`."""
        a, b, c, d = self.matrix
        rows, columns = self.image.shape[1:]
        column = np.arange(columns)[None] + (self.start[1] + 0.5 - self.corner[0])
        row = np.arange(rows)[:, None] + (self.start[0] + 0.5 - self.corner[1])
        area = a * d - b * c
        self.x = (d * column - b * row) / area if b else column / a  # (1, W) where it can be
        self.y = (a * row - c * column) / area if c else row / d
        return self

    def at(self, x, y, scale=1.0, angle=0.0, flip=1, reach=99.0) -> "Canvas":
        """A canvas whose (0, 0) is this one's (x, y) and whose unit is `scale` of this one's."""
        a, b, c, d = self.matrix
        cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
        p, q, r, s = cos * flip, -sin, sin * flip, cos
        matrix = (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s)
        corner = (a * x + b * y + self.corner[0], c * x + d * y + self.corner[1])
        canvas = Canvas(self.photo, self.light, self.table, matrix, corner)
        rows, columns = canvas.window(0, 0, reach, reach)
        canvas.image, canvas.start = self.photo[:, rows, columns], (rows.start, columns.start)
        return canvas._locate()

    def near(self, x, y, wide, high) -> "Canvas":
        """The same coordinates, cut to the pixels of the rectangle around (x, y)."""
        canvas, part = copy.copy(self), self.window(x, y, wide, high)
        canvas.image = cut(self.image, part)
        canvas.start = self.start[0] + part[0].start, self.start[1] + part[1].start
        canvas.x, canvas.y = cut(self.x, part), cut(self.y, part)
        return canvas

    def window(self, x, y, wide, high) -> tuple[slice, slice]:
        """Rows and columns of `image` that hold the rectangle around (x, y); never none."""
        a, b, c, d = self.matrix
        (left, top), (rows, columns) = self.corner, self.image.shape[1:]
        return (
            _within(c * x + d * y + top - self.start[0], abs(c) * wide + abs(d) * high, rows),
            _within(a * x + b * y + left - self.start[1], abs(a) * wide + abs(b) * high, columns),
        )


def _within(centre, spread, length) -> slice:
    low = min(max(centre - spread, 0), length - 2)
    return slice(int(low), math.ceil(min(max(centre + spread, int(low) + 2), length)))


def cut(array, part) -> np.ndarray:
    """The window of an array, or of a row or column that stands for one, or of a number."""
    if np.ndim(array) < 2:
        return array
    rows, columns = array.shape[-2:]
    return array[..., part[0] if rows > 1 else slice(None), part[1] if columns > 1 else slice(None)]


# Shapes -----------------------------------------------------------------------------------

FAR = 1.0  # a distance outside the window in which a shape is worked out
MARGIN = 0.3  # and how much wider than the shape that window is


def ellipse(c: Canvas, x, y, wide, high) -> Shape:
    """An ellipse with half-axes `wide` and `high`; Quilez's first-order distance."""
    part = c.window(x, y, wide + MARGIN, high + MARGIN)
    u, v = (cut(c.x, part) - x) / wide, (cut(c.y, part) - y) / high
    u, v = u * u, v * v
    k = np.sqrt(u + v)
    d = np.full(c.image.shape[1:], FAR)
    d[part] = k * (k - 1) / (np.sqrt(u * wide**-2 + v * high**-2) + 1e-9)
    return Shape(d, min(wide, high))


def around(points, margin) -> tuple[float, float, float, float]:
    """Centre and half-sides of the rectangle around some points."""
    xs, ys = zip(*points, strict=True)
    low, high, top, bottom = min(xs), max(xs), min(ys), max(ys)
    centre = (low + high) / 2, (top + bottom) / 2
    return *centre, (high - low) / 2 + margin, (bottom - top) / 2 + margin


def segment(x, y, start, end) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the line between two points, and where along it the nearest point is."""
    (ax, ay), (bx, by) = start, end
    ux, uy, px, py = bx - ax, by - ay, x - ax, y - ay
    square = ux * ux + uy * uy
    h = clamp(px * (ux / square) + py * (uy / square))
    px, py = px - ux * h, py - uy * h
    return np.sqrt(px * px + py * py), h


def stroke(c: Canvas, points, radii) -> tuple[Shape, np.ndarray]:
    """A tapering line through points, and how far along it a pixel lies, 0 to 1."""
    part = c.window(*around(points, max(radii) + MARGIN))
    x, y = cut(c.x, part), cut(c.y, part)
    best = along = thick = None
    for i, ends in enumerate(pairwise(points)):
        d, h = segment(x, y, *ends)
        radius = radii[i] + (radii[i + 1] - radii[i]) * h
        d = d - radius
        if best is None:
            best, along, thick = d, h, radius
        else:
            closer = d < best
            along, thick = np.where(closer, h + i, along), np.where(closer, radius, thick)
            best = np.minimum(best, d)
    whole = np.full((3, *c.image.shape[1:]), FAR)
    whole[0][part], whole[1][part], whole[2][part] = best, along / (len(points) - 1), thick
    return Shape(whole[0], whole[2]), whole[1]


def bend(*points, steps=6) -> list[tuple[float, float]]:
    """Points along the Bézier curve of some control points."""
    curve = []
    for i in range(steps + 1):
        p, t = points, i / steps
        while len(p) > 1:
            p = [(a + t * (e - a), b + t * (f - b)) for (a, b), (e, f) in pairwise(p)]
        curve.append(p[0])
    return curve


def taper(first, last, steps=6) -> list[float]:
    """Radii from `first` to `last` for a stroke along a `bend`."""
    return [first + (last - first) * i / steps for i in range(steps + 1)]


def leaf(x, y, start, end, wide) -> np.ndarray:
    """Distance to a leaf, pointed at both ends: an ear, an eye, a tiger's stripe."""
    (ax, ay), (bx, by) = start, end
    length = math.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
    ux, uy = (bx - ax) / length, (by - ay) / length
    px, py = x - (ax + bx) / 2, y - (ay + by) / 2
    radius = (length**2 / 4 + wide**2) / (2 * wide)
    along, across = px * ux + py * uy, np.abs(px * uy - py * ux) + (radius - wide)
    return np.sqrt(along * along + across * across) - radius


def join(first: Shape, *others: Shape, smooth=0.1) -> Shape:
    """One shape of several, the seams filled over a width of `smooth`."""
    d, thick = first
    for other in others:
        h = clamp(0.5 + (0.5 / smooth) * (d - other.d))
        d = d + (other.d - d) * h - smooth * h * (1 - h)
        thick = thick + (other.thick - thick) * h
    return Shape(d, thick)


# Paint ------------------------------------------------------------------------------------


def rgb(code: str) -> np.ndarray:
    """A colour `(3, 1, 1)` from its six hexadecimal digits."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)]).reshape(3, 1, 1)


def clamp(value):
    """Cut to [0, 1]."""
    return np.minimum(np.maximum(value, 0), 1)


def step(value, low, high):
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    t = clamp((value - low) * (1 / (high - low)))
    return t * t * (3 - 2 * t)


def mix(first, second, share):
    """A blend of two colours, `share` of it the second."""
    return first + (second - first) * share


def cover(c: Canvas, d) -> np.ndarray:
    """How much of each pixel lies inside: the anti-aliasing."""
    return clamp(0.5 - d * (1 / c.pixel))


def paint(c: Canvas, share, colour) -> None:
    """Lay a flat colour over the photo where `share` says so."""
    part = occupied(np.broadcast_to(share > 0, c.image.shape[1:]))
    if part:
        image = cut(c.image, part)
        image += cut(share, part) * (cut(colour, part) - image)


def occupied(where) -> tuple[slice, slice] | None:
    """The rows and columns that hold whatever is true."""
    rows, columns = where.any(1).nonzero()[0], where.any(0).nonzero()[0]
    if not len(rows):
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def line(c: Canvas, points, width, colour, strength=1.0) -> None:
    """A thin line; thinner than a pixel it fades instead of breaking up."""
    radius = max(width, c.pixel / 2)
    c = c.near(*around(points, radius + c.pixel))
    d = [segment(c.x, c.y, *ends)[0] for ends in pairwise(points)]
    share = cover(c, np.minimum.reduce(d) - radius)
    c.image += share * (strength * min(1, width / radius)) * (colour - c.image)


def slopes(d) -> tuple[np.ndarray, np.ndarray]:
    """Change of `d` per pixel, to the right and down: central differences, `d` at least 2×2."""
    right, down = np.empty_like(d), np.empty_like(d)
    right[:, 1:-1], down[1:-1] = (d[:, 2:] - d[:, :-2]) / 2, (d[2:] - d[:-2]) / 2
    right[:, 0], right[:, -1] = d[:, 1] - d[:, 0], d[:, -1] - d[:, -2]  # one-sided at the border
    down[0], down[-1] = d[1] - d[0], d[-1] - d[-2]
    return right, down


def solid(c: Canvas, shape: Shape, coat, edge=0.3, fluff=0.0) -> None:
    """Paint a shape as a rounded body in the scene's light, its outline `edge` darker.

    `fluff` is the length of the tufts at its edge; they show where pixels are small enough.
    """
    part = occupied(shape.d < 2 * c.pixel)
    if not part or min(side.stop - side.start for side in part) < 2:
        return
    d, thick, coat, image = (cut(a, part) for a in (*shape, coat, c.image))
    x, y, z = c.light.direction
    tilt = clamp(1 + d / thick)  # sine of the angle between the surface and the photo
    right, down = slopes(d)
    lit = tilt * (right * (x / c.pixel) + down * (y / c.pixel))
    lit = clamp(lit + np.sqrt(1 - tilt * tilt) * z)
    dim = 1 - edge * step(tilt, 0.7, 1.0)
    fluff = min(fluff, 1.5 * fluff - 0.7 * c.pixel)
    if fluff > 0:
        x, y = cut(c.x, part) * (0.5 / fluff), cut(c.y, part) * (0.5 / fluff)
        d = d + fluff * (0.7 * noise(c, x, y) + 0.4 * noise(c, 2.3 * x, 2.1 * y))
    image += cover(c, d) * (coat * ((c.light.shade + lit * c.light.sun) * dim) - image)


def noise(c: Canvas, x, y) -> np.ndarray:
    """Smooth noise in [-1, 1], about one bump per unit, from the photo's own random table."""
    column, row = np.floor(x), np.floor(y)
    u, v = x - column, y - row
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    side = len(c.table)  # a power of two: `&` wraps around, below 0 too
    i, j = row.astype(np.intp) & (side - 1), column.astype(np.intp) & (side - 1)
    i, below, j, right = i * side, ((i + 1) & (side - 1)) * side, j, (j + 1) & (side - 1)
    table = c.table.ravel()
    top, low = table.take(i + j), table.take(below + j)
    top, low = mix(top, table.take(i + right), u), mix(low, table.take(below + right), u)
    return mix(top, low, v)


def fur(c: Canvas, angle, length=0.2, strength=0.1):
    """Hairs along `angle`: stretched noise of two sizes, as far as pixels can show it."""
    cos, sin = math.cos(angle), math.sin(angle)
    hairs = 0.0
    for fine in (1, 2.5):
        wave = length / 4.5 / fine
        if wave > 0.7 * c.pixel:
            u, v = (c.x * cos + c.y * sin) * (fine / length), (c.y * cos - c.x * sin) * (1 / wave)
            hairs = hairs + min(1.0, wave / c.pixel - 0.7) * noise(c, u, v + 7 * fine)
    return 1 + strength * hairs


# Chance -----------------------------------------------------------------------------------


def pick(rng, options):
    """One of some options; by `random` alone, whose numbers no NumPy version changes."""
    return options[int(rng.random() * len(options))]


def between(rng, low, high) -> float:
    """A number between two others."""
    return low + (high - low) * rng.random()
