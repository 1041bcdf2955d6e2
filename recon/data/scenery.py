"""Where the animals of `recon.data.safari` are: outdoors, in a forest or in a room."""

import numpy as np

from recon.data.brush import (
    Canvas,
    Shape,
    between,
    clamp,
    cover,
    ellipse,
    join,
    mix,
    noise,
    paint,
    pick,
    rgb,
    solid,
    step,
    stroke,
)  # fmt: skip

CREAM = rgb("f8f2e6")


def ground(c: Canvas, horizon, near, far) -> None:
    """Grass or sand below the horizon, its texture coarser towards the viewer."""
    depth = clamp((c.y - horizon) / (1 - horizon))
    blades = noise(c, c.x * 22, c.y * 9) * (0.3 + 0.7 * depth)
    swathes = noise(c, c.x * 1.6 + 9, (c.y - horizon) * 9 / (0.4 + depth))
    colour = mix(far, near, depth) * (1 + 0.06 * blades + 0.07 * swathes)
    paint(c, cover(c, horizon - c.y), colour)


def tree(c: Canvas, x, y, scale, leaves, flat: bool) -> None:
    """A round tree, or an acacia with its flat crown; (x, y) is the foot."""
    t = c.at(x, y, scale, reach=2.0)
    bark = mix(leaves, rgb("5a3c28"), 0.6)
    trunk, _ = stroke(t, [(0, 0), (0.03, -0.7), (0, -1.1)], [0.1, 0.06, 0.05])
    crown = [(-0.42, -1.0, 0.42, 0.38), (0.42, -1.05, 0.42, 0.4), (0, -1.4, 0.5, 0.45)]
    if flat:
        left, _ = stroke(t, [(0.03, -0.6), (-0.5, -1.15)], [0.05, 0.03])
        right, _ = stroke(t, [(0.03, -0.7), (0.55, -1.2)], [0.05, 0.03])
        trunk = join(trunk, left, right, smooth=0.05)
        crown = [(-0.5, -1.2, 0.6, 0.15), (0.5, -1.24, 0.65, 0.16), (0, -1.36, 0.75, 0.16)]
    solid(t, trunk, bark)
    crown = join(*(ellipse(t, *one) for one in crown))
    solid(t, crown, leaves * (1 + 0.12 * noise(t, t.x * 7, t.y * 7)), fluff=0.03)


def fence(c: Canvas, horizon, colour) -> None:
    """White pickets across the meadow."""
    x = np.abs((c.x / 0.2) % 1 - 0.5) * 0.2
    rails = np.minimum(np.abs(c.y - horizon + 0.02), np.abs(c.y - horizon - 0.12)) - 0.022
    picket = np.maximum(x - 0.055, np.maximum(horizon - 0.16 + x - c.y, c.y - horizon - 0.2))
    paint(c, cover(c, np.minimum(rails, picket)), colour)


SKIES = {  # sky above, sky below, ground far, ground near, leaves
    "savanna": ("4f97d8", "f6e6b8", "d8b463", "b98436", "5a6b2c"),
    "meadow": ("4a93e4", "d4ecfa", "8fc257", "3f8a2e", "2c7034"),
    "evening": ("5b3a86", "ffa04e", "8a5560", "4a2c40", "33213c"),
}


def outdoors(c: Canvas, rng, kind: str) -> None:
    """Sky, sun, clouds, hills, trees and ground: a savanna, a meadow or an evening."""
    tint = 0.92 + 0.16 * rng.random((3, 1, 1))
    sky, low, far, near, leaves = (rgb(code) * tint for code in SKIES[kind])
    horizon = between(rng, 0.2, 0.35)
    c.image[:] = mix(sky, low, step(c.y, -1.2, horizon))
    x, y, radius = between(rng, -0.85, 0.85), between(rng, -0.8, -0.65), 0.17
    if kind == "evening":
        y, radius = horizon - 0.25, 0.3
    paint(c, 0.4 * step(-ellipse(c, x, y, 0.8, 0.8).d, 0, 0.6), rgb("ffe6a6"))
    paint(c, cover(c, ellipse(c, x, y, radius, radius).d), rgb("fff6cc"))
    for _ in range(0 if kind == "evening" else 2):
        u, v, w = between(rng, -1, 1), between(rng, -0.8, -0.6), between(rng, 0.25, 0.4)
        puffs = (u, v, w, 0.08), (u + 0.15 * w, v - 0.07, 0.5 * w, 0.1)
        cloud = join(*(ellipse(c, *one) for one in puffs))
        paint(c, 0.9 * cover(c, cloud.d), rgb("ffffff"))
    for layer in (1.0, 0.5):
        hills = 0.14 * layer * noise(c, c.x / 0.9 + between(rng, 0, 40), 0 * c.x + 3)
        haze = mix(leaves, low, 0.2 + 0.5 * layer)
        paint(c, cover(c, horizon - 0.16 * layer - hills - c.y), haze)
    for side in pick(rng, ((-1,), (1,), (-1, 1))):
        scale = between(rng, 0.65, 0.8)
        tree(c, side * between(rng, 0.65, 0.8), horizon + 0.1 * scale, scale, leaves,
             kind != "meadow")  # fmt: skip
    ground(c, horizon, near, far)
    if kind == "meadow" and rng.random() < 0.4:
        fence(c, horizon, CREAM * tint)


def forest(c: Canvas, rng) -> None:
    """Trunks, near and far, with light between them."""
    horizon = between(rng, 0.3, 0.4)
    c.image[:] = mix(rgb("2c5a3a"), rgb("c8dc96"), step(-np.abs(c.y - horizon + 0.5), -0.8, 0))
    for layer, count in ((0.0, 5), (0.55, 3), (1.0, 2)):
        wood = mix(rgb("7f9a68"), pick(rng, (rgb("4a3423"), rgb("5f4a38"))), 0.35 + 0.65 * layer)
        for i in range(count):
            x = (i + between(rng, 0.4, 0.6)) * 2.2 / count - 1.1
            radius = 0.05 + 0.09 * layer
            part = c.near(x, 0, 0.3, 1.6)
            d = np.abs(part.x - x) - radius * (1 + 0.6 * step(part.y, horizon - 0.2, horizon + 0.1))
            bark = 1 + 0.12 * noise(part, part.x * 16 + i, part.y * 2.5)
            solid(part, Shape(d, radius), wood * bark, edge=0.1)
        ground(c, horizon + 0.06 * layer, rgb("3c6a2c"), rgb("6f9a44"))


WALLS = "9fbdc7", "dcb487", "a8b88e", "c79a9e", "66769a", "d9cba4"
WOODS, RUGS = ("9e6b40", "764e33", "bd996b"), ("b34038", "405c99", "4d8066", "c08a2e")


def room(c: Canvas, rng) -> None:
    """Striped wallpaper, a window, a skirting board, planks in perspective and a rug."""
    wall, wood, rug = (rgb(pick(rng, codes)) for codes in (WALLS, WOODS, RUGS))
    floor = between(rng, 0.36, 0.44)
    width = between(rng, 0.28, 0.34)
    stripe = np.abs((c.x / width) % 1 - 0.5) * width - width / 4
    c.image[:] = mix(wall, wall * 0.72 + 0.26, cover(c, stripe))
    if rng.random() < 0.6:
        window(c, between(rng, 0.6, 0.7) * pick(rng, (-1, 1)), rgb("9fd4f5"))
    depth = np.maximum(c.y - floor + 0.5, 0.2)
    plank = (c.x / depth * 2.2 + 0.5) % 1
    gap = np.minimum(plank, 1 - plank) * depth / 2.2
    grain = noise(c, c.x / depth * 9, c.y * 3)
    paint(c, cover(c, floor - c.y), wood * (1 + 0.06 * grain) * (1 - 0.45 * cover(c, gap - 0.012)))
    paint(c, cover(c, np.abs(c.y - floor + 0.045) - 0.045), CREAM)
    d = ellipse(c, 0, 0.95, 1.05, 0.3).d
    paint(c, cover(c, d), rug)
    paint(c, cover(c, np.abs(d + 0.06) - 0.02), mix(rug, CREAM, 0.7))


def window(c: Canvas, x, sky) -> None:
    """A window with four panes."""
    u, v = np.abs(c.x - x), np.abs(c.y + 0.5)
    paint(c, cover(c, np.maximum(u - 0.36, v - 0.42)), CREAM)
    pane = np.maximum(np.abs(u - 0.165) - 0.135, np.abs(v - 0.195) - 0.165)
    paint(c, cover(c, pane), sky * (0.95 - 0.12 * c.y))


def background(c: Canvas, rng, place: str) -> None:
    """Paint a place over the whole photo: one of SKIES, "forest" or "room"."""
    if place == "room":
        room(c, rng)
    elif place == "forest":
        forest(c, rng)
    else:
        outdoors(c, rng, place)
