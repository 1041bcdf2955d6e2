"""The embedded photos: drawn cats, dogs, elephants and tigers, the same on every machine.

A photo is painted back to front with signed distances, so every edge is anti-aliased at any
size: background, shadow, tail, legs, body, head. A scene is drawn from (seed, number) alone;
the size only says how finely it is sampled. NumPy in float64 throughout: libraries that
differ in the last bit of a sine still round to the same bytes.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

CLASSES = ("cat", "dog", "elephant", "tiger")
SIZES = (32, 512)

Colour = tuple[float, float, float] | np.ndarray


class Shape(NamedTuple):
    """Signed distance to a shape's edge, negative inside, and how thick the shape is there."""

    d: np.ndarray
    thick: float | np.ndarray


class Light(NamedTuple):
    """Direction towards the light in the photo (right, down, viewer), and two colours."""

    direction: tuple[float, float, float]
    sun: tuple[float, float, float]
    shade: tuple[float, float, float]


class Canvas:
    """A part of the photo with coordinates of its own: x to the right, y down.

    `at` gives a smaller canvas, moved, scaled, turned or mirrored, over the same pixels; that
    is how a head is drawn around (0, 0) whatever the pose, and why small things cost little.
    """

    def __init__(self, photo, light, table, matrix, origin, reach=None):
        size = len(photo)
        spread = np.abs(matrix).sum(1) * (np.inf if reach is None else reach)
        low = np.clip(np.floor(origin - spread), 0, size - 2).astype(int)
        high = np.clip(np.ceil(origin + spread), low + 2, size).astype(int)
        self.photo, self.light, self.table = photo, light, table
        self.matrix, self.origin = matrix, origin
        self.image = photo[low[1] : high[1], low[0] : high[0]]
        column = np.arange(low[0], high[0])[None] + 0.5 - origin[0]
        row = np.arange(low[1], high[1])[:, None] + 0.5 - origin[1]
        (a, b), (c, d) = matrix
        area = a * d - b * c
        self.x = (d * column - b * row) / area if b else column / a
        self.y = (a * row - c * column) / area if c else row / d
        self.pixel = 1 / np.sqrt(np.abs(area))

    def at(self, x, y, scale=1.0, angle=0.0, flip=1, reach=None) -> "Canvas":
        """A canvas whose (0, 0) is this one's (x, y), and that reaches `reach` of its units."""
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        matrix = self.matrix @ np.array([[cos * flip, -sin], [sin * flip, cos]])
        origin = self.matrix @ np.array([x, y]) + self.origin
        return Canvas(self.photo, self.light, self.table, matrix, origin, reach)


# Shapes ------------------------------------------------------------------------------------


def ellipse(c: Canvas, x, y, wide, high) -> Shape:
    """An ellipse with half-axes `wide` and `high` (Quilez's first-order distance)."""
    u, v = (c.x - x) / wide, (c.y - y) / high
    k = np.sqrt(u * u + v * v)
    slope = np.sqrt((u / wide) ** 2 + (v / high) ** 2) + 1e-9
    return Shape(k * (k - 1) / slope, min(wide, high))


def stroke(c: Canvas, points, radii) -> tuple[Shape, np.ndarray]:
    """A tapering line through points, and how far along it a pixel lies, 0 to 1."""
    best = along = thick = None
    for i, ((ax, ay), (bx, by)) in enumerate(zip(points[:-1], points[1:], strict=True)):
        ux, uy, px, py = bx - ax, by - ay, c.x - ax, c.y - ay
        h = np.clip((px * ux + py * uy) / (ux * ux + uy * uy), 0, 1)
        radius = radii[i] + h * (radii[i + 1] - radii[i])
        d = np.sqrt((px - h * ux) ** 2 + (py - h * uy) ** 2) - radius
        if best is None:
            best, along, thick = d, h, radius
        else:
            closer = d < best
            along = np.where(closer, i + h, along)
            thick = np.where(closer, radius, thick)
            best = np.minimum(best, d)
    return Shape(best, thick), along / (len(points) - 1)


def bend(*points, steps=7) -> list[tuple[float, float]]:
    """Points along the Bézier curve of three or four control points."""
    curve = []
    for t in np.linspace(0, 1, steps + 1):
        p = [np.array(point, float) for point in points]
        while len(p) > 1:
            p = [a + t * (b - a) for a, b in zip(p[:-1], p[1:], strict=True)]
        curve.append((float(p[0][0]), float(p[0][1])))
    return curve


def taper(first, last, steps=7) -> list[float]:
    """Radii from `first` to `last`, for a stroke along a `bend`."""
    return list(np.linspace(first, last, steps + 1))


def leaf(x, y, start, end, wide) -> np.ndarray:
    """Distance to a leaf, pointed at both ends: an ear, an eye, a tiger's stripe."""
    (ax, ay), (bx, by) = start, end
    length = np.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
    ux, uy = (bx - ax) / length, (by - ay) / length
    px, py = x - (ax + bx) / 2, y - (ay + by) / 2
    along, across = px * ux + py * uy, np.abs(px * uy - py * ux)
    radius = (length**2 / 4 + wide**2) / (2 * wide)
    return np.sqrt(along**2 + (across + radius - wide) ** 2) - radius


def join(first: Shape, *others: Shape, smooth=0.1) -> Shape:
    """One shape of several, with the seams filled over a width of `smooth`."""
    d, thick = first
    for other in others:
        h = np.clip(0.5 + 0.5 * (d - other.d) / smooth, 0, 1)
        d = d + (other.d - d) * h - smooth * h * (1 - h)
        thick = thick + (other.thick - thick) * h
    return Shape(d, thick)


# Paint -------------------------------------------------------------------------------------


def step(value, low, high) -> np.ndarray:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(first: Colour, second: Colour, share) -> np.ndarray:
    """Blend colours; `share` is a number or an array `(H, W)` of the second's part."""
    first, second = np.asarray(first), np.asarray(second)
    return first + (second - first) * np.asarray(share)[..., None]


def cover(c: Canvas, d) -> np.ndarray:
    """How much of each pixel lies inside a distance: the anti-aliasing."""
    return np.clip(0.5 - d / c.pixel, 0, 1)


def paint(c: Canvas, share, colour: Colour) -> None:
    """Lay a flat colour over the photo where `share` says so."""
    c.image += share[..., None] * (colour - c.image)


def line(c: Canvas, points, width, colour, strength=1.0) -> None:
    """Draw a thin line; thinner than a pixel it fades instead of breaking up."""
    radius = max(width, c.pixel / 2)
    shape, _ = stroke(c, points, [radius] * len(points))
    paint(c, cover(c, shape.d) * min(1, width / radius) * strength, colour)


def solid(c: Canvas, shape: Shape, coat: Colour, edge=0.25) -> None:
    """Paint a shape as a rounded body in the scene's light, its outline slightly darker."""
    d, thick = shape
    down, right = np.gradient(d, c.pixel)
    tilt = np.clip(1 + d / thick, 0, 1)
    x, y, z = c.light.direction
    lit = np.clip(tilt * (right * x + down * y) + np.sqrt(1 - tilt * tilt) * z, 0, 1)
    colour = coat * (np.array(c.light.shade) + lit[..., None] * c.light.sun)
    colour = colour * (1 - edge * step(tilt, 0.75, 1.0))[..., None]
    paint(c, cover(c, d), colour)


def noise(c: Canvas, x, y) -> np.ndarray:
    """Smooth noise in [-1, 1], about one bump per unit, from the photo's own random table."""
    column, row = np.floor(x), np.floor(y)
    u, v = step(x - column, 0, 1), step(y - row, 0, 1)
    side = len(c.table)
    i, j = row.astype(int) % side, column.astype(int) % side
    i1, j1 = (i + 1) % side, (j + 1) % side
    top = c.table[i, j] * (1 - u) + c.table[i, j1] * u
    return top * (1 - v) + (c.table[i1, j] * (1 - u) + c.table[i1, j1] * u) * v


def fur(c: Canvas, angle, length=0.16, strength=0.09) -> np.ndarray:
    """Hairs: noise stretched along `angle`, two sizes; what a pixel cannot show is left out."""
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = c.x * cos + c.y * sin, c.y * cos - c.x * sin
    hairs = 0.0
    for fine in (1, 2.6):
        wave = length / 4 / fine
        if wave > c.pixel * 0.7:
            fade = min(1.0, wave / c.pixel - 0.7)
            hairs = hairs + fade * noise(c, u / length * fine, v / wave + 7 * fine)
    return 1 + strength * np.broadcast_to(hairs, np.broadcast(c.x, c.y).shape)


# Backgrounds -------------------------------------------------------------------------------


def ridge(c: Canvas, height, rough, period, shift) -> np.ndarray:
    """Distance below a line of hills at `height`."""
    return height - rough * noise(c, c.x / period + shift, 0 * c.x + shift) - c.y


def ground(c: Canvas, horizon, near: Colour, far: Colour, rough=0.06) -> None:
    """Grass or sand below the horizon, its texture coarser towards the viewer."""
    depth = np.clip((c.y - horizon) / (1 - horizon), 0, 1)
    colour = mix(far, near, np.broadcast_to(depth, c.image.shape[:2]))
    scale = 0.35 + depth
    tufts = noise(c, c.x * 14 / scale, c.y * 9 / scale)
    broad = noise(c, c.x * 2.2 / scale + 5, c.y * 9 / scale)
    colour = colour * (1 + rough * tufts + rough * broad)[..., None]
    paint(c, cover(c, horizon - c.y) * np.ones_like(c.x), colour)


def tree(c: Canvas, x, y, scale, leaves: Colour, bark: Colour, flat: bool) -> None:
    """A round tree, or an acacia with its flat crown; (x, y) is the foot."""
    t = c.at(x, y, scale, reach=2.2)
    trunk, _ = stroke(t, [(0, 0), (0.04, -0.6), (0, -1)], [0.09, 0.06, 0.06])
    solid(t, trunk, bark)
    if flat:
        parts = [ellipse(t, u, v, w, 0.17) for u, v, w in ((-0.4, -1.05, 0.5), (0.4, -1.1, 0.6))]
        parts.append(ellipse(t, 0, -1.25, 0.6, 0.2))
    else:
        parts = [ellipse(t, u, v, r, r) for u, v, r in ((-0.35, -1, 0.4), (0.35, -1.05, 0.42))]
        parts.append(ellipse(t, 0, -1.4, 0.5, 0.5))
    solid(t, join(*parts), leaves * (1 + 0.1 * noise(t, t.x * 6, t.y * 6))[..., None])


def outdoors(c: Canvas, rng, kind: str) -> None:
    """Sky, sun, hills, trees and ground: a savanna, a meadow or an evening."""
    sky, low, far, near, leaves = {
        "savanna": ((0.36, 0.62, 0.86), (0.96, 0.9, 0.72), (0.8, 0.68, 0.36),
                    (0.72, 0.52, 0.22), (0.33, 0.42, 0.16)),
        "meadow": ((0.28, 0.56, 0.9), (0.8, 0.92, 0.98), (0.5, 0.72, 0.32),
                   (0.26, 0.52, 0.16), (0.16, 0.42, 0.18)),
        "evening": ((0.36, 0.22, 0.5), (1.0, 0.62, 0.3), (0.42, 0.26, 0.3),
                    (0.25, 0.15, 0.22), (0.14, 0.1, 0.18)),
    }[kind]  # fmt: skip
    horizon = 0.1 + 0.35 * rng.random()
    tint = 0.9 + 0.2 * rng.random(3)
    rise = step(np.broadcast_to(c.y, c.image.shape[:2]), -1.2, horizon)
    c.image[:] = mix(np.array(sky) * tint, low, rise)
    u, v = 1.6 * rng.random() - 0.8, horizon - 0.5 - 0.4 * rng.random()
    glow = ellipse(c, u, v, 0.17, 0.17).d
    paint(c, 0.45 * step(-glow, -0.6, 0), np.array((1, 0.9, 0.65)))
    paint(c, cover(c, glow), np.array((1, 0.97, 0.8)))
    if kind != "evening":
        for _ in range(2):
            u, v, w = 2 * rng.random() - 1, -0.95 + 0.5 * rng.random(), 0.2 + 0.2 * rng.random()
            cloud = join(ellipse(c, u, v, w, 0.09), ellipse(c, u + 0.1, v - 0.08, w / 2, 0.1))
            paint(c, cover(c, cloud.d) * 0.85, np.array((1, 1, 1)))
    for layer in (1.0, 0.5):
        top = ridge(c, horizon - 0.16 * layer, 0.14 * layer, 0.9, 40 * rng.random())
        haze = mix(np.array(leaves) * 0.8 + 0.1, np.array(low) * 0.8, 0.6 * layer)
        paint(c, cover(c, top), haze)
    for _ in range(rng.integers(1, 4)):
        u, size = 2.2 * rng.random() - 1.1, 0.35 + 0.35 * rng.random()
        bark = np.array((0.32, 0.22, 0.15)) * (0.4 if kind == "evening" else 1)
        tree(c, u, horizon + 0.1 * size, size, np.array(leaves), bark, kind != "meadow")
    ground(c, horizon, np.array(near) * tint, np.array(far) * tint)


def room(c: Canvas, rng) -> None:
    """A wall with striped paper, a skirting board and a floor of planks in perspective."""
    wall = np.array(((0.62, 0.74, 0.78), (0.86, 0.7, 0.52), (0.66, 0.72, 0.56), (0.78, 0.6, 0.62),
                     (0.4, 0.46, 0.6))[rng.integers(5)])  # fmt: skip
    floor, edge = 0.3 + 0.25 * rng.random(), 0.09
    period, shift = 0.24 + 0.16 * rng.random(), rng.random()
    stripes = step(np.abs((c.x / period + shift) % 1 - 0.5) - 0.25, -c.pixel, c.pixel)
    c.image[:] = mix(wall, wall * 0.8 + 0.16, np.broadcast_to(stripes, c.image.shape[:2]))
    if rng.random() < 0.6:
        window(c, (0.55 + 0.2 * rng.random()) * (1 if rng.random() < 0.5 else -1), rng)
    wood = np.array(((0.62, 0.42, 0.25), (0.46, 0.3, 0.2), (0.74, 0.6, 0.42))[rng.integers(3)])
    depth = np.maximum(c.y - floor + 0.5, 0.2)
    plank = (c.x / depth * 2.2 + 0.5) % 1
    gap = np.minimum(plank, 1 - plank) * depth / 2.2
    grain = noise(c, c.x / depth * 9, c.y * 3)
    boards = wood * (1 + 0.05 * grain)[..., None] * (1 - 0.45 * cover(c, gap - 0.012))[..., None]
    paint(c, cover(c, floor - c.y) * np.ones_like(c.x), boards)
    white = np.array((0.95, 0.93, 0.88))
    paint(c, cover(c, np.abs(c.y - floor + edge / 2) - edge / 2) * np.ones_like(c.x), white)
    rug = ellipse(c, 0, 0.95, 1.05, 0.3).d
    colour = np.array(((0.7, 0.25, 0.22), (0.25, 0.36, 0.6), (0.3, 0.5, 0.4))[rng.integers(3)])
    paint(c, cover(c, rug), colour)
    paint(c, cover(c, np.abs(rug + 0.06) - 0.02), colour * 0.5 + 0.45)


def window(c: Canvas, x, rng) -> None:
    """A window on the wall with four panes of sky."""
    sky = np.array((0.6, 0.82, 0.96)) * (0.85 + 0.15 * rng.random())
    u, v = np.abs(c.x - x), np.abs(c.y + 0.5)
    frame = np.maximum(u - 0.36, v - 0.42)
    pane = np.maximum(np.abs(u - 0.165) - 0.135, np.abs(v - 0.195) - 0.165)
    paint(c, cover(c, frame), np.array((0.96, 0.95, 0.92)))
    paint(c, cover(c, pane), sky * (1 - 0.1 * (c.y + 0.5))[..., None])


def background(c: Canvas, rng, kind: str) -> None:
    """Paint everything behind the animal."""
    if kind == "room":
        room(c, rng)
    else:
        outdoors(c, rng, kind)


def shadow(c: Canvas, x, y, wide, high) -> None:
    """The soft shadow of a body on the ground, away from the light."""
    d = ellipse(c, x - 0.25 * c.light.direction[0], y, wide, high).d
    c.image *= (1 - 0.5 * step(-d, -0.08, 0.12))[..., None]


# Faces -------------------------------------------------------------------------------------


class Coat(NamedTuple):
    """The colours of one animal."""

    base: np.ndarray
    pale: np.ndarray
    dark: np.ndarray
    eye: np.ndarray
    nose: np.ndarray
    marks: str  # "stripes", "tabby", "points", "bib", "patch", "plain"


def eye(c: Canvas, x, y, size, colour, slit: float, tilt=0.0) -> None:
    """An almond with iris, pupil and highlight; `slit` is the pupil's width, 1 is round."""
    e = c.at(x, y, size, tilt, reach=1.5)
    d = leaf(e.x, e.y, (-1.1, 0), (1.1, 0), 0.8)
    paint(e, cover(e, d - 0.2), np.array((0.07, 0.05, 0.05)))
    inside = cover(e, d)
    paint(e, inside, np.array((0.96, 0.96, 0.92)))
    iris = ellipse(e, 0, 0, 0.72, 0.72).d
    paint(e, inside * cover(e, iris), colour * (1 - 0.3 * step(-e.y, -0.2, 0.7))[..., None])
    paint(e, inside * cover(e, ellipse(e, 0, 0, 0.42 * slit, 0.58).d), np.array((0.03, 0.02, 0.03)))
    paint(e, cover(e, ellipse(e, -0.24, -0.3, 0.2, 0.2).d), np.array((1.0, 1, 1)))


def whiskers(c: Canvas, x, y, colour, strength=0.7) -> None:
    """Three whiskers to each side of the muzzle."""
    for side in (-1, 1):
        for rise in (-0.16, 0, 0.16):
            points = bend((x + side * 0.25, y + rise / 3), (x + side * 0.7, y + rise - 0.08),
                          (x + side * 1.1, y + rise * 1.8), steps=3)  # fmt: skip
            line(c, points, 0.012, colour, strength)


def mouth(c: Canvas, x, y, colour) -> None:
    """The line under a nose and the two curves of a smile."""
    line(c, [(x, y), (x, y + 0.14)], 0.022, colour)
    for side in (-1, 1):
        line(c, bend((x, y + 0.14), (x + side * 0.1, y + 0.26), (x + side * 0.26, y + 0.16),
                     steps=3), 0.022, colour)  # fmt: skip


TIGER_FACE = (  # leaves on the right half of the face: start, end, half-width
    ((0, -0.92), (0, -0.5), 0.06), ((0.06, -0.74), (0.42, -0.8), 0.055),
    ((0.05, -0.56), (0.36, -0.6), 0.05), ((0.05, -0.42), (0.2, -0.42), 0.035),
    ((0.62, -0.35), (0.98, -0.48), 0.06), ((0.6, 0.0), (1.05, -0.12), 0.075),
    ((0.62, 0.26), (1.08, 0.2), 0.075), ((0.55, 0.52), (0.95, 0.55), 0.07),
)  # fmt: skip
TABBY_FACE = (
    ((0, -0.9), (0, -0.52), 0.05), ((0.2, -0.88), (0.22, -0.5), 0.05),
    ((0.22, -0.52), (0.46, -0.75), 0.04), ((0.62, 0.05), (1.0, -0.05), 0.045),
    ((0.6, 0.25), (0.98, 0.25), 0.045),
)  # fmt: skip


def face_coat(c: Canvas, coat: Coat, turn) -> np.ndarray:
    """The colours of a cat's or tiger's face: markings mirrored, bright round the muzzle."""
    x = c.x - 0.3 * turn
    colour = np.broadcast_to(coat.base, c.image.shape)
    pale = {"stripes": 0.85, "tabby": 0.5}.get(coat.marks, 0.0)
    if pale:
        spots = np.minimum(leaf(np.abs(x), c.y, (0.2, -0.34), (0.62, -0.42), 0.14),
                           ellipse(c, 0.3 * turn, 0.75, 0.75, 0.42).d)  # fmt: skip
        colour = mix(colour, coat.pale, pale * step(-spots, -0.1, 0.06))
    if coat.marks in ("stripes", "tabby"):
        leaves = TIGER_FACE if coat.marks == "stripes" else TABBY_FACE
        d = np.min([leaf(np.abs(x), c.y, *one) for one in leaves], axis=0)
        colour = mix(colour, coat.dark, cover(c, d) * (1 if coat.marks == "stripes" else 0.75))
    if coat.marks == "points":
        mask = ellipse(c, 0.45 * turn, 0.2, 0.55, 0.6).d
        colour = mix(colour, coat.dark, step(-mask, -0.25, 0.2))
    if coat.marks == "bib":
        blaze = leaf(x, c.y, (0.1 * turn, -0.7), (0.1 * turn, 1.4), 0.42)
        colour = mix(colour, coat.pale, cover(c, blaze))
    return colour * fur(c, np.pi / 2)[..., None]


def cat_head(c: Canvas, coat: Coat, turn: float) -> None:
    """A cat's head of radius 1 around (0, 0); `turn` from -1 (left) to 1 (right)."""
    tips = coat.dark if coat.marks == "points" else coat.base
    for side in (-1, 1):
        foot, tip = (side * 0.5 + 0.1 * turn, -0.1), (side * 0.82 - 0.05 * turn, -1.38)
        wide = 0.44 + 0.06 * side * turn
        ear = leaf(c.x, c.y, foot, tip, wide)
        solid(c, Shape(ear, 0.4), tips * np.ones_like(c.image))
        inner = leaf(c.x, c.y, foot, (tip[0] * 0.97, tip[1] + 0.2), wide * 0.62)
        paint(c, cover(c, inner), mix(np.array((0.9, 0.6, 0.56)), tips, 0.25))
    head = join(ellipse(c, 0, 0, 1, 0.84), ellipse(c, 0.15 * turn, 0.35, 0.86, 0.52), smooth=0.3)
    solid(c, head, face_coat(c, coat, turn))
    nose = 0.5 * turn
    white = mix(coat.pale, coat.dark, 0.9 if coat.marks == "points" else 0.0)
    pads = join(ellipse(c, nose - 0.19, 0.45, 0.25, 0.2), ellipse(c, nose + 0.19, 0.45, 0.25, 0.2),
                ellipse(c, nose, 0.6, 0.17, 0.13), smooth=0.05)  # fmt: skip
    solid(c, pads, white, edge=0.12)
    for side in (-1, 1):
        eye(c, side * 0.4 * (1 - 0.12 * side * turn) + 0.38 * turn, -0.06, 0.23, coat.eye, 0.5,
            -0.14 * side)  # fmt: skip
    paint(c, cover(c, leaf(c.x, c.y, (nose - 0.16, 0.26), (nose + 0.16, 0.26), 0.1)), coat.nose)
    mouth(c, nose, 0.32, coat.dark * 0.5)
    whiskers(c, nose, 0.44, np.array((1.0, 1, 1)))


def tiger_head(c: Canvas, coat: Coat, turn: float) -> None:
    """A tiger's head: round ears, a ruff on the cheeks, a broad white muzzle."""
    for side in (-1, 1):
        x = side * 0.72 - 0.05 * turn
        solid(c, ellipse(c, x, -0.72, 0.3, 0.3), coat.dark)
        paint(c, cover(c, ellipse(c, x, -0.68, 0.19, 0.2).d), coat.pale * 0.9)
    cheeks = [ellipse(c, side * 0.52 + 0.1 * turn, 0.38, 0.58, 0.44) for side in (-1, 1)]
    head = join(ellipse(c, 0, -0.1, 0.94, 0.82), *cheeks, smooth=0.25)
    solid(c, head, face_coat(c, coat, turn))
    nose = 0.45 * turn
    bridge = join(ellipse(c, nose * 0.8, 0.1, 0.2, 0.4), smooth=0.1)
    solid(c, bridge, coat.base, edge=0)
    pads = join(ellipse(c, nose - 0.22, 0.48, 0.3, 0.24), ellipse(c, nose + 0.22, 0.48, 0.3, 0.24),
                ellipse(c, nose, 0.7, 0.24, 0.16), smooth=0.05)  # fmt: skip
    solid(c, pads, coat.pale, edge=0.12)
    for side in (-1, 1):
        eye(c, side * 0.4 * (1 - 0.12 * side * turn) + 0.34 * turn, -0.12, 0.18, coat.eye, 0.8,
            -0.25 * side)  # fmt: skip
    paint(c, cover(c, leaf(c.x, c.y, (nose - 0.24, 0.26), (nose + 0.24, 0.26), 0.13)), coat.nose)
    mouth(c, nose, 0.36, coat.dark)
    whiskers(c, nose, 0.48, np.array((1.0, 1, 1)))


def dog_head(c: Canvas, coat: Coat, turn: float) -> None:
    """A dog's head: hanging ears, a long muzzle with a big nose, a tongue."""
    patch = coat.marks == "patch"
    crown = ellipse(c, 0, -0.2, 0.82, 0.72)
    snout = ellipse(c, 0.2 * turn, 0.35, 0.55, 0.55)
    x = c.x - 0.3 * turn
    colour = np.broadcast_to(coat.base, c.image.shape)
    if coat.marks in ("patch", "bib"):
        blaze = leaf(x, c.y, (0, -0.95), (0.1 * turn, 1.5), 0.36)
        colour = mix(colour, coat.pale, cover(c, blaze))
    if coat.marks == "points":
        brows = ellipse(c, 0, 0, 1, 1).d * 0 + leaf(np.abs(x), c.y, (0.2, -0.4), (0.5, -0.42), 0.1)
        colour = mix(colour, coat.pale, cover(c, brows))
    solid(c, join(crown, snout, smooth=0.25), colour * fur(c, np.pi / 2)[..., None])
    nose = 0.55 * turn
    muzzle = join(ellipse(c, nose - 0.17, 0.5, 0.28, 0.26), ellipse(c, nose + 0.17, 0.5, 0.28, 0.26),
                  ellipse(c, nose * 0.9, 0.3, 0.26, 0.3), smooth=0.12)  # fmt: skip
    tongue = join(ellipse(c, nose, 0.8, 0.13, 0.22), smooth=0.1)
    solid(c, ellipse(c, nose, 0.72, 0.22, 0.14), coat.dark * 0.6)
    solid(c, tongue, np.array((0.95, 0.5, 0.5)))
    solid(c, muzzle, coat.pale, edge=0.15)
    for side in (-1, 1):
        eye(c, side * 0.37 * (1 - 0.12 * side * turn) + 0.38 * turn, -0.18, 0.17, coat.eye, 1.2)
        top, low = (side * 0.62 - 0.05 * turn, -0.66), (side * 0.98 - 0.12 * turn, 0.38)
        ear, _ = stroke(c, bend(top, (side * 1.12, -0.55), low), taper(0.14, 0.25))
        solid(c, ear, (coat.dark if patch or coat.marks == "points" else coat.base * 0.72)
              * fur(c, 1.4)[..., None])  # fmt: skip
    d = ellipse(c, nose, 0.3, 0.2, 0.145)
    solid(c, d, coat.nose)
    paint(c, cover(c, ellipse(c, nose - 0.06, 0.24, 0.05, 0.03).d), np.array((0.8, 0.8, 0.82)))
    mouth(c, nose, 0.42, coat.nose * 0.6)


def elephant_head(c: Canvas, coat: Coat, turn: float) -> None:
    """An elephant's head: sail-like ears, tusks, and a trunk with rings that sways."""
    skin = 1 + 0.06 * noise(c, c.x * 5, c.y * 7)[..., None]
    for side in (-1, 1):
        wide = 0.78 - 0.18 * side * turn
        x = side * (0.55 + 0.62 * wide)
        ear = join(ellipse(c, x, -0.25, wide, 0.85), ellipse(c, x * 0.9, 0.35, wide * 0.62, 0.6),
                   smooth=0.2)  # fmt: skip
        inner = mix(coat.base * 0.88, coat.pale, step(-ear.d, 0.05, 0.22) * 0.8)
        solid(c, Shape(ear.d, 0.25), inner * skin)
    for side in (-1, 1):
        root = (side * 0.36 + 0.2 * turn, 0.42)
        tusk, _ = stroke(
            c,
            bend(
                root, (side * 0.45 + 0.2 * turn, 0.95), (side * 0.62 + 0.35 * turn, 1.05), steps=5
            ),
            taper(0.1, 0.03, 5),
        )
        solid(c, tusk, np.array((0.98, 0.95, 0.85)))
    brow = [ellipse(c, side * 0.3 + 0.05 * turn, -0.62, 0.42, 0.36) for side in (-1, 1)]
    head = join(ellipse(c, 0, -0.25, 0.72, 0.7), ellipse(c, 0.1 * turn, 0.2, 0.52, 0.5), *brow,
                smooth=0.2)  # fmt: skip
    solid(c, head, coat.base * skin)
    path = bend((0.15 * turn, -0.05), (0.35 * turn, 0.8), (0.1 * turn, 1.5), (0.75 * turn, 1.6),
                steps=9)  # fmt: skip
    trunk, along = stroke(c, path, taper(0.34, 0.15, 9))
    rings = 1 - 0.22 * step(np.cos(along * 2 * np.pi * 11), 0.4, 0.95) * step(along, 0.1, 0.3)
    solid(c, trunk, coat.base * skin * rings[..., None])
    for side in (-1, 1):
        eye(c, side * 0.46 * (1 - 0.1 * side * turn) + 0.16 * turn, -0.12, 0.12, coat.eye, 1.0)


# Bodies ------------------------------------------------------------------------------------


def tiger_stripes(c: Canvas, along, across) -> np.ndarray:
    """Stripes across a body: widest at `across` 0 (the back), gone at 1 (the belly)."""
    phase = along + 0.3 * noise(c, along * 0.7, across * 1.5)
    wave = np.cos(2 * np.pi * phase) - 0.15 - 1.1 * across**2 + 0.3 * noise(c, along, across * 3)
    return step(wave, -0.12, 0.12)


def body_coat(c: Canvas, coat: Coat, front: bool) -> np.ndarray:
    """Colours of a body seen from the side or, mirrored, from the front."""
    across = np.abs(c.x) / 0.55 if front else (c.y + 0.35) / 0.75
    colour = np.broadcast_to(coat.base, c.image.shape)
    if front:
        bib = leaf(c.x, c.y, (0, -0.7), (0, 0.75), 0.26)
        strength = 0.4 if coat.marks == "plain" else 1
        colour = mix(colour, coat.pale, strength * step(-bib, -0.05, 0.05))
    else:
        under = c.y - 0.2 - 0.05 * noise(c, c.x * 3, c.y)
        colour = mix(colour, coat.pale, (0.35 if coat.marks == "plain" else 0.8)
                     * step(under, -0.04, 0.1) * step(-c.y, -0.62, -0.5))  # fmt: skip
    if coat.marks in ("stripes", "tabby"):
        if front:
            share = tiger_stripes(c, (c.y - 0.5 * np.abs(c.x)) * 5, 1.15 - across)
        else:
            legs = step(c.y, 0.3, 0.42)
            share = tiger_stripes(c, c.x * 5 + 0.8 * c.y, np.clip(across, 0, 2)) * (1 - legs)
            share = share + legs * tiger_stripes(c, c.y * 7, 0.4 + 0 * c.x)
        colour = mix(colour, coat.dark, share * (1 if coat.marks == "stripes" else 0.6))
    if coat.marks == "patch":
        saddle = ellipse(c, *((-0.4, 0.3, 0.35, 0.6) if front else (-0.15, -0.25, 0.5, 0.36))).d
        colour = mix(colour, coat.dark, cover(c, saddle + 0.05 * noise(c, c.x * 5, c.y * 5)))
    return colour * fur(c, 0.25 if not front else np.pi / 2)[..., None]


def tail(c: Canvas, coat: Coat, points, thick) -> None:
    """A tail along a bend; a tiger's has rings."""
    shape, along = stroke(c, bend(*points), taper(thick, thick * 0.75))
    colour = np.broadcast_to(coat.base, c.image.shape)
    if coat.marks in ("stripes", "tabby"):
        rings = step(np.cos(along * 2 * np.pi * 7), -0.2, 0.2)
        colour = mix(colour, coat.dark, rings * (1 if coat.marks == "stripes" else 0.6))
    if coat.marks in ("points", "bib"):
        tip = coat.dark if coat.marks == "points" else coat.pale
        colour = mix(colour, tip, step(along, 0.72, 0.8))
    solid(c, shape, colour)


def standing(c: Canvas, coat: Coat, head, build: float, gait: float) -> None:
    """A four-legged body from the side, facing right; `build` is 1 for a cat, more for heavier."""
    shadow(c, -0.05, 0.88, 0.85, 0.12)
    tail(c, coat, ((-0.62, -0.1), (-1.0, -0.1), (-0.8, -0.65), (-1.05, -0.8)), 0.07 * build)
    thin = 0.1 * build
    colour = body_coat(c, coat, front=False)

    def leg(x, y, knee, hock, foot, thigh):
        upper, _ = stroke(c, [(x, y), (x + knee, 0.42), (x + hock, 0.64), (x + foot, 0.85)],
                          [thigh, thin * 1.25, thin * 0.9, thin * 0.9])  # fmt: skip
        paw = ellipse(c, x + foot + 0.05, 0.86, thin * 1.35, thin * 0.85)
        return join(upper, paw, smooth=0.05)

    front = 0.4
    for limb in (leg(front - 0.04, 0.1, 0.02 - gait, 0.04 - gait, 0.04 - 1.6 * gait, 0.16),
                 leg(-0.42, 0.1, 0.1 + gait, -0.04 + gait, 0.02 + 1.6 * gait, 0.2)):  # fmt: skip
        solid(c, limb, colour * 0.68)
    torso, _ = stroke(c, [(-0.45, -0.08), (0, -0.05), (0.36, -0.08)],
                      [0.28 * build, 0.26 * build, 0.3 * build])  # fmt: skip
    neck, _ = stroke(c, [(0.36, -0.15), (0.6, -0.42)], [0.26 * build, 0.22 * build])
    near = [leg(front, 0.05, 0.0 + gait, 0.02 + gait, 0.02 + 1.6 * gait, 0.17 * build),
            leg(-0.5, 0.0, 0.06 - gait, -0.1 - gait, -0.04 - 1.6 * gait, 0.25 * build)]  # fmt: skip
    solid(c, join(torso, neck, *near, smooth=0.12), colour)
    head()


def sitting(c: Canvas, coat: Coat, head, build: float, gait: float) -> None:
    """A body that sits and faces the viewer: haunches to the sides, front legs between."""
    shadow(c, 0, 0.88, 0.72, 0.12)
    tail(c, coat, ((0.4, 0.78), (0.85, 0.95), (0.95, 0.5), (0.75, 0.3 + gait)), 0.08 * build)
    colour = body_coat(c, coat, front=True)
    trunk = join(ellipse(c, 0, -0.05, 0.32 * build, 0.4), ellipse(c, 0, 0.42, 0.46 * build, 0.44),
                 smooth=0.2)  # fmt: skip
    solid(c, trunk, colour)
    for side in (-1, 1):
        solid(c, ellipse(c, side * 0.4 * build, 0.62, 0.24 * build, 0.29), colour)
        solid(c, ellipse(c, side * 0.42 * build, 0.86, 0.2, 0.1), mix(colour, coat.pale, 0.5))
    for side in (-1, 1):
        limb, _ = stroke(c, [(side * 0.17, 0.1), (side * 0.16, 0.5), (side * 0.15, 0.8)],
                         [0.15 * build, 0.12 * build, 0.1 * build])  # fmt: skip
        solid(c, limb, colour)
        paw = ellipse(c, side * 0.16, 0.86, 0.15 * build, 0.1)
        solid(c, paw, mix(coat.base, coat.pale, 0.0 if coat.marks == "plain" else 0.9))
        for toe in (-0.05, 0.05):
            line(c, [(side * 0.16 + toe, 0.84), (side * 0.16 + toe, 0.94)], 0.012, coat.dark * 0.6)
    head()


def elephant_standing(c: Canvas, coat: Coat, head, build: float, gait: float) -> None:
    """An elephant from the side, facing right: a barrel on four columns."""
    shadow(c, -0.05, 0.9, 0.9, 0.13)
    skin = coat.base * (1 + 0.05 * noise(c, c.x * 8, c.y * 14))[..., None]
    rope, _ = stroke(c, bend((-0.75, -0.2), (-0.95, 0.0), (-0.9, 0.4)), taper(0.05, 0.03))
    solid(c, rope, coat.base * 0.9)
    solid(c, ellipse(c, -0.9, 0.45, 0.06, 0.11), coat.dark)

    def leg(x, foot, shade):
        limb, _ = stroke(c, [(x, 0.1), (x + foot / 2, 0.5), (x + foot, 0.84)], [0.22, 0.16, 0.165])
        solid(c, limb, skin * shade)
        for toe in (-0.09, 0.0, 0.09):
            paint(c, cover(c, ellipse(c, x + foot + toe, 0.95, 0.04, 0.04).d), coat.pale * shade)

    leg(0.18, -gait, 0.7)
    leg(-0.3, gait, 0.7)
    torso = join(ellipse(c, -0.18, -0.1, 0.66, 0.46), ellipse(c, 0.3, -0.12, 0.4, 0.42), smooth=0.2)
    leg(0.36, gait, 1)
    leg(-0.52, -gait, 1)
    solid(c, torso, skin)
    head()


def elephant_front(c: Canvas, coat: Coat, head, build: float, gait: float) -> None:
    """An elephant from the front: the head with its ears before a round body."""
    shadow(c, 0, 0.9, 0.75, 0.13)
    skin = coat.base * (1 + 0.05 * noise(c, c.x * 8, c.y * 14))[..., None]
    solid(c, ellipse(c, 0, 0.1, 0.62, 0.62), skin * 0.85)
    for side in (-1, 1):
        limb, _ = stroke(c, [(side * 0.36, 0.2), (side * 0.36, 0.84)], [0.2, 0.18])
        solid(c, limb, skin)
        for toe in (-0.1, 0.0, 0.1):
            paint(c, cover(c, ellipse(c, side * 0.36 + toe, 0.96, 0.045, 0.045).d), coat.pale)
    head()


# Scenes ------------------------------------------------------------------------------------


def rgb(*values: float) -> np.ndarray:
    """A colour."""
    return np.array(values)


INK, WHITE, PINK = rgb(0.09, 0.08, 0.09), rgb(0.97, 0.95, 0.9), rgb(0.9, 0.52, 0.5)
GREEN, AMBER, BLUE, BROWN = (
    rgb(0.55, 0.78, 0.3), rgb(0.95, 0.7, 0.2), rgb(0.4, 0.68, 0.92), rgb(0.45, 0.27, 0.13))  # fmt: skip

COATS = {
    "cat": (
        Coat(rgb(0.9, 0.55, 0.24), rgb(1.0, 0.9, 0.76), rgb(0.6, 0.27, 0.08), GREEN, PINK, "tabby"),
        Coat(rgb(0.56, 0.56, 0.58), rgb(0.92, 0.92, 0.92), rgb(0.2, 0.2, 0.23), AMBER, PINK, "tabby"),
        Coat(rgb(0.16, 0.16, 0.19), WHITE, INK, GREEN, PINK, "bib"),
        Coat(rgb(0.95, 0.88, 0.76), rgb(1, 0.96, 0.88), rgb(0.3, 0.2, 0.16), BLUE, INK, "points"),
        Coat(rgb(0.6, 0.45, 0.3), rgb(0.9, 0.8, 0.65), rgb(0.22, 0.14, 0.09), GREEN, PINK, "tabby"),
        Coat(rgb(0.5, 0.54, 0.62), WHITE, rgb(0.3, 0.32, 0.38), AMBER, PINK, "bib"),
    ),
    "dog": (
        Coat(rgb(0.88, 0.66, 0.36), rgb(0.98, 0.86, 0.62), rgb(0.5, 0.3, 0.12), BROWN, INK, "plain"),
        Coat(rgb(0.45, 0.27, 0.16), rgb(0.66, 0.46, 0.3), rgb(0.22, 0.12, 0.07), AMBER, INK, "plain"),
        Coat(rgb(0.17, 0.16, 0.17), rgb(0.82, 0.52, 0.25), INK, BROWN, INK, "points"),
        Coat(rgb(0.8, 0.5, 0.25), WHITE, rgb(0.28, 0.15, 0.09), BROWN, INK, "patch"),
        Coat(rgb(0.25, 0.25, 0.28), WHITE, INK, BLUE, INK, "bib"),
    ),
    "elephant": (
        Coat(rgb(0.56, 0.56, 0.6), rgb(0.86, 0.7, 0.68), INK, BROWN, INK, "plain"),
        Coat(rgb(0.6, 0.54, 0.48), rgb(0.86, 0.72, 0.64), INK, AMBER, INK, "plain"),
        Coat(rgb(0.44, 0.49, 0.58), rgb(0.78, 0.66, 0.7), INK, BROWN, INK, "plain"),
    ),
    "tiger": (
        Coat(rgb(0.95, 0.56, 0.16), WHITE, INK, AMBER, rgb(0.85, 0.48, 0.45), "stripes"),
        Coat(rgb(0.9, 0.66, 0.3), WHITE, rgb(0.2, 0.12, 0.07), GREEN, rgb(0.8, 0.45, 0.42), "stripes"),
        Coat(rgb(0.93, 0.93, 0.92), WHITE, rgb(0.15, 0.15, 0.18), BLUE, PINK, "stripes"),
    ),
}  # fmt: skip
HEADS = {"cat": cat_head, "dog": dog_head, "elephant": elephant_head, "tiger": tiger_head}
BUILD = {"cat": 1.0, "dog": 1.05, "elephant": 1.0, "tiger": 1.12}
PLACES = {
    "cat": ("room", "meadow", "room", "evening"),
    "dog": ("meadow", "room", "meadow", "evening"),
    "elephant": ("savanna", "evening", "savanna", "meadow"),
    "tiger": ("meadow", "savanna", "evening", "meadow"),
}


def animal(c: Canvas, rng, kind: str) -> None:
    """Choose coat and pose, and paint the animal."""
    coat = COATS[kind][rng.integers(len(COATS[kind]))]
    coat = coat._replace(base=coat.base * (0.9 + 0.2 * rng.random()))
    turn, nod = 0.8 * rng.random() - 0.25, 0.3 * rng.random() - 0.15
    gait, flip = 0.12 * rng.random() - 0.04, 1 if rng.random() < 0.5 else -1
    pose, size = rng.integers(3), 0.92 + 0.16 * rng.random()
    body = c.at(0.12 * rng.random() - 0.06, 0.08 * rng.random(), size, flip=flip)
    large = kind == "elephant"
    if pose == 0:
        place = (0.58, -0.3, 0.42) if large else (0.62, -0.42, 0.4)
        paint_body = elephant_standing if large else standing
    elif pose == 1:
        place = (0, -0.3, 0.58) if large else (0, -0.4, 0.5)
        paint_body, turn = elephant_front if large else sitting, turn - 0.15
    else:  # a portrait is a sitting animal seen from near by
        place = (0, -0.3, 0.58) if large else (0, -0.4, 0.5)
        paint_body = elephant_front if large else sitting
        body, turn = body.at(0, 0.55, 1.6), turn - 0.15
    x, y, scale = place
    paint_head = lambda: HEADS[kind](body.at(x, y, scale, nod, reach=2.6), coat, turn)  # noqa: E731
    paint_body(body, coat, paint_head, BUILD[kind], gait)


def draw(number: int, size: int = 64, seed: int = 0) -> np.ndarray:
    """Draw one photo; it shows `CLASSES[number % 4]`.

    Args:
        number: which photo, from 0.
        size: height and width in pixels, 32 to 512; the scene is the same at every size.
        seed: another seed, other photos.

    Returns:
        uint8 `(size, size, 3)`, RGB.

    Raises:
        ValueError: a size outside 32 to 512.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"size {size} is not between {SIZES[0]} and {SIZES[1]} pixels")
    rng = np.random.Generator(np.random.PCG64([seed, number]))
    kind = CLASSES[number % len(CLASSES)]
    where = PLACES[kind][rng.integers(4)]
    table = 2 * rng.random((64, 64)) - 1
    warm = 0.14 if where == "evening" else 0.03
    side = (0.45 + 0.25 * rng.random()) * (1 if rng.random() < 0.5 else -1)
    sun = 0.75 + 0.15 * rng.random()
    light = Light((side, -0.45, np.sqrt(1 - side**2 - 0.45**2)),
                  (sun * (1 + warm), sun, sun * (1 - 2 * warm)), (0.4, 0.42, 0.48))  # fmt: skip
    image = np.zeros((size, size, 3))
    scale = np.eye(2) * size / 2
    canvas = Canvas(image, light, table, scale, np.array([size / 2, size / 2]))
    background(canvas, rng, where)
    animal(canvas, rng, kind)
    image += 0.012 * (rng.random((size, size, 1)) - 0.5) * 3.4  # grain: standard deviation 0.012
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def draw_many(numbers: Iterable[int], size: int = 64, seed: int = 0) -> np.ndarray:
    """Draw photos; uint8 `(N, size, size, 3)`, RGB. See `draw`."""
    photos = [draw(number, size, seed) for number in numbers]
    return np.stack(photos) if photos else np.zeros((0, size, size, 3), np.uint8)
