"""The embedded photos: drawn cats, dogs, elephants and tigers, the same on every machine.

A photo is painted back to front: background, shadow, tail, legs, body, head. The scene depends
on (seed, number) alone; the size only says how finely it is sampled. A head is drawn in
coordinates of its own, with radius 1 around (0, 0); a body stands on y = 0.9 or so, and those
seen from the side look to the right.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from recon.data.brush import (
    Canvas,
    Light,
    Shape,
    bend,
    between,
    cover,
    ellipse,
    fur,
    join,
    leaf,
    line,
    mix,
    noise,
    paint,
    pick,
    rgb,
    solid,
    step,
    stroke,
    taper,
)  # fmt: skip
from recon.data.scenery import CREAM, background

CLASSES = ("cat", "dog", "elephant", "tiger")
SIZES = (32, 512)  # smallest and largest side of a photo
INK, WHITE = rgb("17151a"), rgb("ffffff")

# Faces ------------------------------------------------------------------------------------


class Coat(NamedTuple):
    """The colours of an animal and the kind of its markings."""

    base: np.ndarray
    pale: np.ndarray
    dark: np.ndarray
    eye: np.ndarray
    nose: np.ndarray
    marks: str  # stripes (tiger), tabby, points (dark or tan ends), bib, patch, plain


def eyes(c: Canvas, turn, apart, y, size, colour, pupil=1.0, slant=0.0, almond=True,
         sides=(-1, 1)) -> None:  # fmt: skip
    """Eyes with iris, pupil and highlight: almonds, or round and without white."""
    for side in sides:
        x = side * apart * (1 - 0.15 * side * turn) + 0.38 * turn
        e = c.at(x, y, size, -slant * side, reach=1.6)
        d = leaf(e.x, e.y, (-1.1, 0), (1.1, 0), 0.8) if almond else ellipse(e, 0, 0, 0.82, 0.82).d
        inside = cover(e, d)
        paint(e, cover(e, d - 0.17), INK)
        paint(e, inside, mix(CREAM, colour, 0.12 if almond else 1.0))
        gaze = 0.12 * turn
        iris = colour * (1.15 - 0.35 * step(-e.y, -0.5, 0.7))
        paint(e, inside * cover(e, ellipse(e, gaze, 0, 0.74, 0.74).d), iris)
        paint(e, inside * cover(e, ellipse(e, gaze, 0, 0.46 * pupil, 0.56).d), INK * 0.4)
        paint(e, cover(e, ellipse(e, -0.24, -0.3, 0.22, 0.22).d), WHITE)


def whiskers(c: Canvas, x, y) -> None:
    """Three whiskers to each side of the muzzle."""
    for side in (-1, 1):
        for rise in (-0.16, 0, 0.16):
            path = bend((x + side * 0.25, y + rise / 3), (x + side * 0.7, y + rise - 0.08),
                        (x + side * 1.1, y + rise * 1.8), steps=3)  # fmt: skip
            line(c, path, 0.011, WHITE, 0.75)


def mouth(c: Canvas, x, y, colour) -> None:
    """The line under a nose and the two curves of a smile."""
    line(c, [(x, y), (x, y + 0.14)], 0.022, colour)
    for side in (-1, 1):
        points = (x, y + 0.14), (x + side * 0.1, y + 0.26), (x + side * 0.26, y + 0.16)
        line(c, bend(*points, steps=3), 0.022, colour)


def nose_pad(c: Canvas, x, y, wide, high, colour) -> None:
    """A cat's nose: a rounded triangle with two nostrils."""
    d = np.maximum(leaf(c.x, c.y, (x - wide, y), (x + wide, y), high), y - 0.35 * high - c.y)
    paint(c, cover(c, d - 0.03), colour * (1.08 - 0.5 * step(c.y - y, -0.5 * high, 1.5 * high)))
    for side in (-1, 1):
        nostril = ellipse(c, x + side * 0.42 * wide, y + 0.4 * high, 0.2 * wide, 0.16 * high)
        paint(c, 0.7 * cover(c, nostril.d), INK)


def muzzle(c: Canvas, x, y, wide, high, chin, coat) -> None:
    """Two pads and a chin."""
    pads = [ellipse(c, x + side * 0.75 * wide, y, wide, high) for side in (-1, 1)]
    solid(c, join(*pads, ellipse(c, x, y + high * 0.8, wide * 0.75, chin), smooth=0.06), coat, 0.15)


# Stripes on the right half of a face, mirrored for the left: leaves from, to, half as wide.
TIGER_FACE = (
    ((0, -0.94), (0, -0.46), 0.07), ((0.06, -0.66), (0.5, -0.84), 0.07),
    ((0.06, -0.5), (0.34, -0.6), 0.05), ((0.5, -0.45), (1.1, -0.62), 0.07),
    ((0.56, -0.14), (1.15, -0.3), 0.085), ((0.6, 0.18), (1.2, 0.06), 0.09),
    ((0.55, 0.48), (1.12, 0.46), 0.085),
)  # fmt: skip
TABBY_FACE = (
    ((0, -0.95), (0, -0.5), 0.055), ((0.2, -0.95), (0.2, -0.48), 0.055),
    ((0.2, -0.5), (0.5, -0.78), 0.045), ((0.55, 0.02), (1.1, -0.1), 0.06),
    ((0.55, 0.26), (1.05, 0.24), 0.06),
)  # fmt: skip


def face_coat(c: Canvas, coat: Coat, turn) -> np.ndarray:
    """The colours of a cat's, dog's or tiger's face, its markings mirrored."""
    x = c.x - 0.3 * turn
    side, colour = np.abs(x), coat.base
    if coat.marks in ("stripes", "tabby"):
        strong = coat.marks == "stripes"
        brow = leaf(side, c.y, (0.2, -0.32), (0.62, -0.4), 0.13)
        light = np.minimum(brow, ellipse(c, 0.3 * turn, 0.75, 0.8, 0.4).d)
        colour = mix(colour, coat.pale, (0.9 if strong else 0.5) * step(-light, -0.08, 0.06))
        marks = np.minimum.reduce(
            [leaf(side, c.y, *one) for one in (TIGER_FACE if strong else TABBY_FACE)]
        )
        colour = mix(colour, coat.dark, cover(c, marks) * (1 if strong else 0.75))
    elif coat.marks == "points":
        mask = ellipse(c, 0.45 * turn, 0.2, 0.6, 0.6).d
        colour = mix(colour, coat.dark, step(-mask, -0.25, 0.2))
    elif coat.marks in ("bib", "patch"):
        blaze = leaf(c.x, c.y, (0.2 * turn, -0.85), (0.5 * turn, 1.4), 0.42)
        colour = mix(colour, coat.pale, cover(c, blaze))
    return colour * fur(c, np.pi / 2)


def cat_head(c: Canvas, coat: Coat, turn: float, _) -> None:
    """A cat's head of radius 1 around (0, 0); `turn` from -1 (left) to 1 (right)."""
    points = coat.marks == "points"
    for side in (-1, 1):
        foot, tip = (side * 0.5 + 0.1 * turn, -0.1), (side * 0.82 - 0.05 * turn, -1.38)
        wide = 0.45 + 0.06 * side * turn
        solid(c, Shape(leaf(c.x, c.y, foot, tip, wide), 0.4), coat.dark if points else coat.base)
        inner = leaf(c.x, c.y, foot, (tip[0] * 0.97, tip[1] + 0.2), wide * 0.62)
        paint(c, cover(c, inner), mix(rgb("e69a90"), coat.base, 0.25))
    cheeks = [ellipse(c, side * 0.48 + 0.1 * turn, 0.26, 0.5, 0.4) for side in (-1, 1)]
    chin = ellipse(c, 0.25 * turn, 0.42, 0.5, 0.4)
    head = join(ellipse(c, 0, -0.1, 0.9, 0.76), *cheeks, chin, smooth=0.2)
    solid(c, Shape(head.d, 0.6), face_coat(c, coat, turn), fluff=0.009)
    nose = 0.5 * turn
    muzzle(c, nose, 0.45, 0.25, 0.2, 0.15, mix(coat.pale, coat.dark, 0.9 if points else 0.0))
    eyes(c, turn, 0.4, -0.06, 0.24, coat.eye, 0.55, 0.14)
    nose_pad(c, nose, 0.25, 0.16, 0.12, coat.nose)
    mouth(c, nose, 0.32, coat.dark * 0.5)
    whiskers(c, nose, 0.44)


def tiger_head(c: Canvas, coat: Coat, turn: float, _) -> None:
    """A tiger's head: round ears, a ruff on the cheeks, a broad white muzzle."""
    for side in (-1, 1):
        x = side * 0.72 - 0.05 * turn
        solid(c, ellipse(c, x, -0.72, 0.32, 0.32), coat.dark, fluff=0.009)
        paint(c, cover(c, ellipse(c, x, -0.68, 0.2, 0.21).d), coat.pale * 0.9)
    cheeks = [ellipse(c, side * 0.52 + 0.1 * turn, 0.36, 0.58, 0.44) for side in (-1, 1)]
    head = join(ellipse(c, 0, -0.1, 0.94, 0.84), *cheeks, smooth=0.25)
    solid(c, Shape(head.d, 0.6), face_coat(c, coat, turn), fluff=0.014)
    nose = 0.45 * turn
    muzzle(c, nose, 0.48, 0.3, 0.25, 0.2, coat.pale)
    eyes(c, turn, 0.4, -0.12, 0.19, coat.eye, 0.8, 0.25)
    nose_pad(c, nose, 0.22, 0.26, 0.17, coat.nose)
    mouth(c, nose, 0.36, coat.dark)
    whiskers(c, nose, 0.48)


def dog_head(c: Canvas, coat: Coat, turn: float, ear: float) -> None:
    """A dog's head: hanging ears, a long muzzle with a big nose, a tongue."""
    crown, snout = ellipse(c, 0, -0.2, 0.82, 0.72), ellipse(c, 0.2 * turn, 0.35, 0.58, 0.55)
    black_and_tan = coat.marks == "points"
    colour = face_coat(c, coat._replace(marks="plain") if black_and_tan else coat, turn)
    solid(c, Shape(join(crown, snout, smooth=0.25).d, 0.55), colour, fluff=0.009)
    nose = 0.5 * turn
    solid(c, ellipse(c, nose, 0.74, 0.24, 0.16), coat.dark * 0.5)
    solid(c, ellipse(c, nose, 0.84, 0.14, 0.22), rgb("f27f80"))
    muzzle(c, nose, 0.48, 0.31, 0.27, 0.1, coat.pale)
    if black_and_tan:
        brow = leaf(np.abs(c.x - 0.3 * turn), c.y, (0.22, -0.46), (0.5, -0.5), 0.1)
        paint(c, cover(c, brow), coat.pale)
    eyes(c, turn, 0.36, -0.16, 0.19, coat.eye, 1.1, almond=False)
    for side in (-1, 1):
        top, low = (side * 0.6 - 0.05 * turn, -0.7), (side * 0.98 - 0.12 * turn, ear)
        flap, _ = stroke(c, bend(top, (side * 1.15, -0.6), low), taper(0.14, 0.26))
        tone = coat.dark if coat.marks != "plain" else coat.base * 0.72
        solid(c, flap, tone * fur(c, 1.4), fluff=0.009)
    solid(c, ellipse(c, nose, 0.28, 0.22, 0.16), coat.nose * 1.3)
    paint(c, cover(c, ellipse(c, nose - 0.06, 0.22, 0.07, 0.035).d), rgb("c8c8d0"))
    mouth(c, nose, 0.42, coat.nose)


def skin(c: Canvas, coat: Coat) -> np.ndarray:
    """An elephant's hide: blotches and fine creases."""
    creases = np.abs(noise(c, c.x * 4, c.y * 16)) * min(1.0, 0.03 / c.pixel)
    return coat.base * (0.97 + 0.06 * noise(c, c.x * 3, c.y * 3) + 0.07 * creases)


def trunk(c: Canvas, path, colour) -> None:
    """A trunk with rings along a bend."""
    shape, along = stroke(c, bend(*path, steps=9), taper(0.34, 0.14, 9))
    rings = step(np.cos(along * 2 * np.pi * 11), 0.3, 0.95) * step(along, 0.12, 0.35)
    solid(c, shape, colour * (1 - 0.25 * rings))


def tusk(c: Canvas, x, y, side, turn) -> None:
    """An ivory tusk that curves out and up."""
    path = bend(
        (x, y), (x + side * 0.1, y + 0.6), (x + side * 0.34 + 0.15 * turn, y + 0.6), steps=5
    )
    solid(c, stroke(c, path, taper(0.1, 0.03, 5))[0], rgb("fbf3da"))


def sail(c: Canvas, coat: Coat, x, y, wide, side, colour) -> None:
    """An elephant's ear, pink inside."""
    lobe = ellipse(c, x - side * 0.1, y + 0.55, wide * 0.62, 0.6)
    flap = join(ellipse(c, x, y, wide, 0.85), lobe, smooth=0.2)
    inner = mix(colour * 0.88, coat.pale, step(-flap.d, 0.05, 0.22) * 0.8)
    solid(c, Shape(flap.d, 0.25), inner)


def elephant_head(c: Canvas, coat: Coat, turn: float, sway: float) -> None:
    """An elephant's head from the front: ears like sails, tusks, and a trunk that sways."""
    colour = skin(c, coat)
    for side in (-1, 1):
        wide = 0.78 - 0.18 * side * turn
        sail(c, coat, side * (0.55 + 0.62 * wide), -0.25, wide, side, colour)
    for side in (-1, 1):
        tusk(c, side * 0.38 + 0.2 * turn, 0.4, side, turn)
    brow = [ellipse(c, side * 0.3 + 0.05 * turn, -0.62, 0.42, 0.36) for side in (-1, 1)]
    cheek = ellipse(c, 0.1 * turn, 0.2, 0.52, 0.5)
    brow_only = step(-ellipse(c, 0.1 * turn, -0.45, 0.4, 0.25).d, 0, 0.1)
    waves = step(np.cos(28 * c.y - 2.8 * np.cos(3 * c.x)), 0.5, 1.0) * brow_only
    head = join(ellipse(c, 0, -0.25, 0.72, 0.7), cheek, *brow, smooth=0.2)
    solid(c, head, colour * (1 - 0.22 * waves))
    path = (0.15 * turn, -0.05), (0.35 * turn, 0.8), (0.1 * turn + sway, 1.5), (2 * sway, 1.5)
    trunk(c, path, colour)
    eyes(c, 0.4 * turn, 0.47, -0.12, 0.12, coat.eye, almond=False)


def elephant_profile(c: Canvas, coat: Coat, _, sway: float) -> None:
    """An elephant's head from the side, facing right; the trunk hangs or is raised."""
    colour = skin(c, coat)
    hang = ((0.5, 0.0), (1.0, 0.6), (0.6, 1.3), (1.15, 1.5))
    lift = ((0.5, 0.0), (1.2, 0.9), (1.5, 0.1), (1.15, -0.75))
    trunk(c, lift if sway > 0.1 else hang, colour)
    jaw = ellipse(c, 0.3, 0.25, 0.42, 0.42)
    solid(c, join(ellipse(c, 0.15, -0.3, 0.68, 0.62), jaw, smooth=0.2), colour)
    tusk(c, 0.55, 0.42, 1, 0.8)
    sail(c, coat, -0.35, -0.1, 0.6, -1, colour)
    eyes(c, 0, 0.52, -0.2, 0.12, coat.eye, almond=False, sides=(1,))


# Bodies -----------------------------------------------------------------------------------


def shadow(c: Canvas, x, y, wide, high) -> None:
    """The soft shadow of a body on the ground, away from the light."""
    d = ellipse(c, x, y, wide, high).d
    c.image *= 1 - 0.55 * step(-d, -0.1, 0.12)


def stripes(c: Canvas, along, across, softness=0.15) -> np.ndarray:
    """Stripes across a body: widest at `across` 0 (the back), gone at 1 (the belly)."""
    phase = along + 0.14 * noise(c, along * 0.6, across * 1.5)
    wave = np.cos(2 * np.pi * phase) - 0.1 - 1.1 * across * across
    return step(wave, -softness, softness)


def side_coat(c: Canvas, coat: Coat, standing=True) -> np.ndarray:
    """Colours of a body from the side: saddle or stripes, light belly, socks."""
    plain = coat.marks == "plain"
    belly = step(-ellipse(c, -0.02, 0.25, 0.36, 0.16).d, -0.06, 0.08)
    colour = mix(coat.base, coat.pale, belly * (0.25 if plain or coat.marks == "points" else 0.7))
    if coat.marks in ("stripes", "tabby"):
        legs = step(c.y, 0.22, 0.34) * standing
        share = stripes(c, c.x * 3.7 + 0.6 * c.y, (c.y + 0.35) / 0.62) * (1 - legs)
        share = share + legs * stripes(c, c.y * 6, 0.4 + 0 * c.x)
        colour = mix(colour, coat.dark, share * (1 if coat.marks == "stripes" else 0.65))
    elif coat.marks == "patch":
        saddle = ellipse(c, -0.15, -0.25, 0.5, 0.36).d + 0.05 * noise(c, c.x * 4, c.y * 4)
        colour = mix(colour, coat.dark, cover(c, saddle))
    if standing and not plain:
        socks = coat.dark if coat.marks == "points" and coat.pale.mean() > 0.7 else coat.pale
        colour = mix(colour, socks, step(c.y, 0.68, 0.72))
    return colour * fur(c, 0.25)


def front_coat(c: Canvas, coat: Coat) -> np.ndarray:
    """Colours of a body from the front, mirrored: a bib, stripes from the sides."""
    side, colour = np.abs(c.x), coat.base
    if coat.marks in ("stripes", "tabby"):
        share = stripes(c, (c.y - 0.5 * side) * 4.2, 1.15 - side / 0.55)
        colour = mix(colour, coat.dark, share * (1 if coat.marks == "stripes" else 0.65))
    bib = leaf(c.x, c.y, (0, -0.75), (0, 0.62), 0.25)
    colour = mix(colour, coat.pale, step(-bib, -0.04, 0.04) * (0.4 if coat.marks == "plain" else 1))
    return colour * fur(c, np.pi / 2)


def tail(c: Canvas, coat: Coat, points, thick) -> None:
    """A tail along a bend; a tiger's has rings, some have another tip."""
    shape, along = stroke(c, bend(*points), taper(thick, thick * 0.8))
    colour = coat.base * fur(c, 1.2)
    if coat.marks in ("stripes", "tabby"):
        rings = step(np.cos(along * 2 * np.pi * 5.5), -0.3, 0.3)
        colour = mix(colour, coat.dark, rings * (1 if coat.marks == "stripes" else 0.65))
    elif coat.marks != "plain":
        tip = coat.dark if coat.marks == "points" else coat.pale
        colour = mix(colour, tip, step(along, 0.68, 0.74))
    solid(c, shape, colour, fluff=0.009)


def crease(c: Canvas, x, y, wide, high, side) -> None:
    """The soft shadow along one side of a haunch or shoulder that stands out from the body."""
    edge = step(-np.abs(ellipse(c, x, y, wide, high).d), -0.07, 0.0)
    there = step(side * (c.x - x), 0.1, 0.2) * step(-np.abs(c.y - y), -0.24, -0.08)
    c.image *= 1 - 0.3 * edge * there


def standing(c: Canvas, coat: Coat, build: float, gait: float) -> None:
    """A four-legged body from the side, facing right; `build` is 1 for a cat."""
    shadow(c, -0.1, 0.88, 0.75, 0.1)
    path = (-0.62, -0.15), (-1.0, -0.1), (-0.72, -0.6), (-0.95, -0.85)
    tail(c.near(-0.8, -0.4, 0.4, 0.6), coat, path, 0.075 * build)
    c = c.near(-0.05, 0.2, 0.9, 0.86)
    colour, thin = side_coat(c, coat), 0.095 * build

    def leg(x, y, knee, hock, foot, thigh) -> Shape:
        path = [(x, y), (x + knee, 0.42), (x + hock, 0.64), (x + foot, 0.85)]
        limb, _ = stroke(c, path, [thigh, thin * 1.25, thin * 0.9, thin * 0.9])
        return join(limb, ellipse(c, x + foot + 0.05, 0.87, thin * 1.3, thin * 0.8), smooth=0.05)

    for limb in (
        leg(0.32, 0.1, 0.02 - gait, 0.04 - gait, 0.06 - 1.6 * gait, 0.16),
        leg(-0.42, 0.1, 0.1 + gait, -0.02 + gait, 0.06 + 1.6 * gait, 0.2),
    ):
        solid(c, limb, colour * 0.66)
    back = [(-0.46, -0.1), (-0.1, -0.04), (0.14, -0.06), (0.34, -0.12)]
    torso, _ = stroke(c, back, [0.27 * build, 0.24 * build, 0.27 * build, 0.29 * build])
    neck, _ = stroke(c, [(0.36, -0.15), (0.52, -0.42)], [0.26 * build, 0.22 * build])
    fore = leg(0.38, 0.0, 0.0 + gait, 0.0 + gait, 0.02 + 1.6 * gait, 0.18 * build)
    hind = leg(-0.5, -0.02, 0.06 - gait, -0.1 - gait, -0.04 - 1.6 * gait, 0.27 * build)
    solid(c, join(torso, neck, fore, hind, smooth=0.12), colour, fluff=0.009)
    crease(c, -0.48, 0, 0.26 * build, 0.34, 1)
    crease(c, 0.38, 0, 0.2 * build, 0.34, -1)


def lying(c: Canvas, coat: Coat, build: float, _) -> None:
    """A body at rest, from the side, facing right: haunch, folded hind leg, front legs out."""
    shadow(c, -0.05, 0.84, 0.95, 0.12)
    tail(c, coat, ((-0.75, 0.55), (-1.1, 0.75), (-0.95, 0.95), (-0.45, 0.86)), 0.08 * build)
    c = c.near(0, 0.3, 1.0, 0.75)
    colour = side_coat(c.at(0, 0.42).near(0, -0.12, 1.0, 0.75), coat, standing=False)
    paws = [ellipse(c, x, y, 0.17 * build, 0.1) for x, y in ((0.74, 0.72), (0.62, 0.84))]
    far, _ = stroke(c, [(0.4, 0.4), (0.5, 0.66), (0.7, 0.7)], [0.16, 0.12, 0.1])
    solid(c, join(far, paws[0], smooth=0.05), mix(coat.base, coat.pale, 0.3) * 0.7)
    back = [(-0.48, 0.4), (-0.1, 0.4), (0.3, 0.3)]
    torso, _ = stroke(c, back, [0.36 * build, 0.33 * build, 0.36 * build])
    neck, _ = stroke(c, [(0.3, 0.3), (0.42, -0.05)], [0.32 * build, 0.25 * build])
    solid(c, join(torso, neck, smooth=0.15), colour, fluff=0.009)
    near, _ = stroke(c, [(0.26, 0.45), (0.3, 0.78), (0.58, 0.82)], [0.19, 0.13, 0.1])
    solid(c, join(near, paws[1], smooth=0.06), colour)
    solid(c, ellipse(c, -0.5, 0.52, 0.34 * build, 0.36), colour)
    foot, _ = stroke(c, [(-0.42, 0.8), (-0.12, 0.84)], [0.1, 0.085])
    solid(c, foot, mix(coat.base, coat.pale, step(c.x, -0.25, -0.1) * 0.5) * fur(c, 0.25))


def sitting(c: Canvas, coat: Coat, build: float, gait: float) -> None:
    """A body that sits and faces the viewer: haunches at the sides, front legs between."""
    shadow(c, 0, 0.88, 0.72, 0.12)
    path = (0.4, 0.78), (0.85, 0.95), (0.95, 0.5), (0.75, 0.3 + gait)
    tail(c.near(0.65, 0.6, 0.45, 0.5), coat, path, 0.085 * build)
    c = c.near(0, 0.25, 0.75, 0.8)
    colour, light = front_coat(c, coat), 0.0 if coat.marks == "plain" else 0.9
    pear = ellipse(c, 0, -0.05, 0.34 * build, 0.4), ellipse(c, 0, 0.42, 0.46 * build, 0.44)
    solid(c, join(*pear, smooth=0.2), colour, fluff=0.009)
    for side in (-1, 1):
        solid(c, ellipse(c, side * 0.4 * build, 0.62, 0.24 * build, 0.29), colour)
        foot = ellipse(c, side * 0.42 * build, 0.86, 0.2, 0.1)
        solid(c, foot, mix(coat.base, coat.pale, light))
    for side in (-1, 1):
        path = [(side * 0.17, 0.1), (side * 0.165, 0.5), (side * 0.155, 0.8)]
        limb, _ = stroke(c, path, [0.15 * build, 0.125 * build, 0.11 * build])
        solid(c, limb, colour)
        paw = ellipse(c, side * 0.165, 0.86, 0.16 * build, 0.1)
        solid(c, paw, mix(coat.base, coat.pale, light))
        for toe in (-0.05, 0.05):
            x = side * 0.165 + toe
            line(c, [(x, 0.84), (x, 0.94)], 0.012, coat.dark * 0.6)


def column(c: Canvas, x, foot) -> Shape:
    """An elephant's leg, its sole flat."""
    limb, _ = stroke(c, [(x, 0.1), (x + foot / 2, 0.5), (x + foot, 0.84)], [0.22, 0.165, 0.17])
    return Shape(np.maximum(limb.d, 3 * (c.y - 0.97)), limb.thick)


def toes(c: Canvas, coat: Coat, x) -> None:
    """The three nails of an elephant's foot."""
    for nail in (-0.1, 0.0, 0.1):
        part = c.near(x + nail, 0.95, 0.1, 0.1)
        paint(part, cover(part, ellipse(part, x + nail, 0.95, 0.042, 0.045).d), coat.pale)


def elephant_side(c: Canvas, coat: Coat, _, gait: float) -> None:
    """An elephant's body from the side, facing right: a barrel on four columns."""
    shadow(c, -0.1, 0.94, 0.8, 0.11)
    part = c.near(-0.88, 0.1, 0.25, 0.6)
    rope, _ = stroke(part, bend((-0.75, -0.2), (-0.95, 0.0), (-0.9, 0.4)), taper(0.05, 0.03))
    solid(part, rope, coat.base * 0.9)
    solid(part, ellipse(part, -0.9, 0.45, 0.06, 0.11), coat.dark)
    c = c.near(-0.1, 0.2, 0.85, 0.85)
    colour = skin(c, coat)
    for x, foot in ((0.16, -gait), (-0.3, gait)):
        solid(c, column(c, x, foot), colour * 0.62)
    barrel = ellipse(c, -0.2, -0.12, 0.64, 0.48), ellipse(c, 0.26, -0.14, 0.4, 0.42)
    legs = column(c, 0.36, gait), column(c, -0.54, -gait)
    solid(c, join(*barrel, *legs, smooth=0.14), colour)
    for x in (0.36 + gait, -0.54 - gait):
        toes(c, coat, x)


def elephant_front(c: Canvas, coat: Coat, _, gait: float) -> None:
    """An elephant's body from the front."""
    shadow(c, 0, 0.94, 0.7, 0.11)
    colour = skin(c, coat)
    solid(c, ellipse(c, 0, 0.1, 0.62, 0.62), colour * 0.8)
    for side in (-1, 1):
        solid(c, column(c, side * 0.36, side * gait * 0.3), colour)
        toes(c, coat, side * (0.36 + gait * 0.3))


# Scenes -----------------------------------------------------------------------------------


def coats(*rows: str) -> list[Coat]:
    """Coats from lines of five colours and the markings' kind."""
    return [Coat(*(rgb(code) for code in row.split()[:5]), row.split()[5]) for row in rows]


COATS = {  # base, pale, dark, eyes, nose, markings
    "cat": coats(
        "e68c3d ffe6c2 9a4514 8cc74d e68580 tabby", "8f8f94 ebebeb 33333b f2b333 e68580 tabby",
        "29292f f8f2e6 17151a 8cc74d e68580 bib", "f2e0c2 fff5e0 4d3329 66adeb 3a2a26 points",
        "99734d e6cca6 382417 8cc74d e68580 tabby", "808a9e f8f2e6 4d525f f2b333 e68580 bib",
    ),
    "dog": coats(
        "e0a85c fadb9e 804d1f 6b3d1c 17151a plain", "73452a a87550 381f12 8a5a24 17151a plain",
        "2c292b d18540 17151a 6b3d1c 17151a points", "cc8040 f8f2e6 47260f 5a3418 17151a patch",
        "404048 f8f2e6 1c1c22 7fb4e0 17151a bib", "f2e6d0 fff8ea b8854a 5a3418 17151a patch",
    ),
    "elephant": coats(
        "8f8f99 dbb3ad 2a2628 5a3418 17151a plain", "998a7a dbb8a3 2a2628 7a5024 17151a plain",
        "707d94 c7a8b3 2a2628 5a3418 17151a plain",
    ),
    "tiger": coats(
        "f28f29 f8f2e6 17151a f2b333 d97a73 stripes", "e6a84d f8f2e6 33200f 8cc74d cc7369 stripes",
        "f28f29 f8f2e6 17151a 8cc74d d97a73 stripes", "ededea fbfbf8 26262e 66adeb e68580 stripes",
    ),
}  # fmt: skip
HEADS = {"cat": cat_head, "dog": dog_head, "elephant": elephant_head, "tiger": tiger_head}
BUILD = {"cat": 1.0, "dog": 1.05, "elephant": 1.0, "tiger": 1.12}
PLACES = {
    "cat": ("room", "room", "meadow", "evening"),
    "dog": ("meadow", "room", "forest", "meadow"),
    "elephant": ("savanna", "savanna", "evening", "meadow"),
    "tiger": ("forest", "savanna", "forest", "evening"),
}
POSES = {  # body, head or None for the animal's usual one, and where the head goes: x, y, scale
    "front": (sitting, None, (0, -0.4, 0.5)),
    "side": (standing, None, (0.52, -0.42, 0.42)),
    "rest": (lying, None, (0.4, -0.08, 0.47)),
    "elephant front": (elephant_front, None, (0, -0.32, 0.58)),
    "elephant side": (elephant_side, None, (0.44, -0.3, 0.43)),
    "elephant rest": (elephant_side, elephant_profile, (0.32, -0.28, 0.44)),
}


def animal(c: Canvas, rng, kind: str) -> None:
    """Choose coat and pose, and paint the animal."""
    coat = pick(rng, COATS[kind])
    coat = coat._replace(base=coat.base * between(rng, 0.9, 1.08))
    view = pick(rng, ("front", "near", "front", "near", "side", "rest"))
    turn, nod, gait = (
        between(rng, -0.25, 0.25),
        between(rng, -0.08, 0.08),
        between(rng, -0.04, 0.06),
    )
    body = c.at(between(rng, -0.03, 0.03), between(rng, 0, 0.03), between(rng, 0.98, 1.06),
                flip=pick(rng, (-1, 1)))  # fmt: skip
    if view == "near":  # a portrait: the front view from close by
        down, closer = (0.3, 1.3) if kind == "elephant" else (0.55, 1.6)
        body = body.at(between(rng, -0.04, 0.04), down, closer)
    elif view != "front":
        turn = turn + 0.2
    name = "front" if view == "near" else view
    paint_body, head, (x, y, scale) = POSES[f"elephant {name}" if kind == "elephant" else name]
    paint_body(body, coat, BUILD[kind], gait)
    if kind != "elephant":  # the shadow under the chin
        chin = ellipse(body, x, y + 0.72 * scale, 0.55 * scale, 0.3 * scale).d
        body.image *= 1 - 0.35 * step(-chin, -0.06, 0.1)
    face = body.at(x, y, scale, nod, reach=2.1 if kind == "elephant" else 1.5)
    (head or HEADS[kind])(face, coat, turn, between(rng, -0.1, 0.35))


def daylight(rng, evening: bool) -> Light:
    """Light from the upper left or right; low and orange in the evening."""
    side = between(rng, 0.4, 0.7) * pick(rng, (-1, 1))
    up = -0.25 if evening else -0.5
    sun = between(rng, 0.74, 0.9) * rgb("ffdcb0" if evening else "fffaf0")
    shade = 0.45 * rgb("d8c8f0" if evening else "e0e8ff")
    return Light((side, up, math.sqrt(1 - side**2 - up**2)), sun, shade)


def draw(number: int, size: int = 64, seed: int = 0) -> np.ndarray:
    """Draw one photo; it shows `CLASSES[number % 4]`.

    Args:
        number: which photo, from 0.
        size: height and width in pixels, 32 to 512; the scene is the same at every size.
        seed: another seed, other photos.

    Returns:
        uint8 `(size, size, 3)`, RGB.

    Raises:
        ValueError: a size outside 32 to 512, or a negative number or seed.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"size {size} is not between {SIZES[0]} and {SIZES[1]} pixels")
    rng = np.random.Generator(np.random.PCG64([seed, number]))
    kind = CLASSES[number % len(CLASSES)]
    place = pick(rng, PLACES[kind])
    light, table = daylight(rng, place == "evening"), 2 * rng.random((64, 64)) - 1
    image = np.empty((3, size, size))
    canvas = Canvas.of(image, light, table)
    background(canvas, rng, place)
    animal(canvas, rng, kind)
    image *= between(rng, 0.92, 1.06) * (1.02 - 0.09 * (canvas.x**2 + canvas.y**2))  # vignette
    image += 0.028 * (rng.random((size, size)) - 0.5)  # grain: standard deviation 0.008
    return np.rint(image.clip(0, 1).transpose(1, 2, 0) * 255).astype(np.uint8)


def draw_many(numbers: Iterable[int], size: int = 64, seed: int = 0) -> np.ndarray:
    """Draw photos; uint8 `(N, size, size, 3)`, RGB. See `draw`."""
    photos = [draw(number, size, seed) for number in numbers]
    return np.stack(photos) if photos else np.zeros((0, size, size, 3), np.uint8)
