"""Give real photos their missing pieces back: `python -m recon.restore PHOTO --box ROW,COL`.

A classical fill takes the whole photo. A network knows one size only, so it looks at the photo
through square windows: around each hole one that the hole fills about as much as the boxes filled
the photos of its training, resized to the network's size and back. Only missing pixels are
pasted, at the photo's own resolution; known pixels stay as they are, bit for bit. A network whose
answers are means sees each window whole and in parts, and what it says is averaged.
"""

import math
import time
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps
from scipy import ndimage

from recon import boxes, classical, commandline, methods
from recon.atomic import writing
from recon.boxes import Box
from recon.data import photos
from recon.errors import BadInput
from recon.stable_diffusion.request import Request, asked

SHARE = boxes.SIDE / boxes.PHOTO  # of a training photo's side that a box takes
# A classical fill of a million missing pixels can take 15 seconds and 2 GB (harmonic, a hole that
# is not made of boxes); a larger hole is filled on a smaller copy of the photo.
LARGEST = 1_000_000
FORMATS = {  # ending: how Pillow writes it
    ".png": {},
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"lossless": True, "exact": True},
    ".tif": {"compression": "tiff_lzw"},
    ".tiff": {"compression": "tiff_lzw"},
    ".bmp": {},
}
LOSSY = (".jpg", ".jpeg")
TIFF = (".tif", ".tiff")  # its EXIF is its own layout, offsets of pixels in it: not carried over


# Where to look ------------------------------------------------------------------------------


def area(box: Box) -> tuple[slice, slice]:
    """Rows and columns of a box, to index a photo with; past the photo's edge they are cut."""
    return slice(box.row, box.row + box.height), slice(box.column, box.column + box.width)


def cut(box: Box, largest: int) -> list[Box]:
    """Cut a box into a grid of equal boxes (to a pixel), none longer than `largest` pixels."""
    rows, columns = (
        np.linspace(start, start + length, math.ceil(length / largest) + 1).astype(int).tolist()
        for start, length in ((box.row, box.height), (box.column, box.width))
    )
    return [
        Box(top, left, bottom - top, right - left)
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]


def pieces(mask: np.ndarray, size: int) -> list[Box]:
    """Find the holes of a mask, each as a box or, where it is long and thin, as several.

    What makes a hole hard is how far its middle lies from the nearest known pixel. A scratch
    across a photo is as wide as the photo and yet thin everywhere: in one window it would be
    shrunk until nothing is left of its surroundings. So a hole is cut into boxes of at most
    twice its thickness, or as long as a box in training where that is more.

    Args:
        mask: `(H, W, 1)`, 1 = missing.
        size: side of the network's photos, in pixels.

    Returns:
        Boxes that together hold every missing pixel, the smallest first. Two may overlap.
    """
    missing = mask[..., 0] > 0
    labels, _ = ndimage.label(missing, structure=np.ones((3, 3)))
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        hole = np.pad(labels[rows, columns] == number, 1)  # a known ring, at the edge too
        thickness = 2 * int(ndimage.distance_transform_cdt(hole, "chessboard").max())
        box = Box(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
        found += cut(box, max(2 * thickness, boxes.side(size)))
    found = [box for box in found if missing[area(box)].any()]
    return sorted(found, key=lambda box: max(box.height, box.width))


def window_around(box: Box, size: int, shape: tuple[int, int]) -> Box:
    """Choose the square window through which a network sees a hole.

    Its side is such that the hole takes the share it had in training, at least `size` pixels
    (known surroundings cost nothing there) and at most the photo's longer side. If half as much
    again takes in the photo's whole shorter side, it does: networks learn from whole photos, and
    know where in a photo a head is. The window lies on the photo, with the hole as near to its
    middle as the edges allow; where the photo is narrower than the window, the window begins at
    the edge and reaches over the other one.

    Args:
        box: the hole, in pixels of the photo.
        size: side of the network's photos, in pixels.
        shape: height and width of the photo.
    """
    longer = max(box.height, box.width)
    wanted = size if longer <= boxes.side(size) else math.ceil(longer / SHARE)
    whole = min(shape)
    side = whole if wanted < whole <= 1.5 * wanted else min(wanted, max(shape))
    row, column = (
        max(0, min(start + length // 2 - side // 2, limit - side))
        for start, length, limit in zip(box[:2], box[2:], shape, strict=True)
    )
    return Box(row, column, side, side)


def serves(window: Box, box: Box, size: int, shape: tuple[int, int]) -> bool:
    """Say whether a window made for one hole does for another.

    Not if that hole wants a larger window, and not if it lies within an eighth of this one's
    edge, unless the photo ends there: what is known beyond would be left unused.
    """
    if window_around(box, size, shape).height > window.height:
        return False
    margin = window.height // 8
    return all(
        max(0, start - margin) >= first and min(limit, start + length + margin) <= first + side
        for start, length, limit, first, side in zip(
            box[:2], box[2:], shape, window[:2], window[2:], strict=True
        )
    )


# From the photo's resolution to the method's and back ------------------------------------------


def resize(picture: np.ndarray, shape: tuple[int, int], resample: Image.Resampling) -> np.ndarray:
    """Resize float32 `(H, W, C)` to `(height, width, C)`, antialiased, channel by channel."""
    channels = [
        Image.fromarray(np.ascontiguousarray(channel)).resize(shape[::-1], resample)
        for channel in np.moveaxis(picture, -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def resampling(shape: tuple[int, int], wanted: tuple[int, int]) -> Image.Resampling:
    """How a photo with holes is resized: a box looks at the pixels under it alone.

    It would enlarge in blocks.
    """
    smaller = wanted[0] <= shape[0]
    return Image.Resampling.BOX if smaller else Image.Resampling.BILINEAR


def shrink(
    photo: np.ndarray, missing: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Bring a photo with holes to another size, so that no hole colours what is known.

    A small pixel is the mean of the known pixels under it: the resized photo (holes black) over
    the resized map of known pixels. It counts as missing if more than half of it is: a hole that
    grew would hide from a network what it was trained to see.

    Args:
        photo: uint8 `(H, W, 3)`; what it holds in the holes is not looked at.
        missing: bool `(H, W)`.
        shape: height and width wanted.

    Returns:
        masked `(height, width, 3)` and mask `(height, width, 1)`, float32 in [0, 1].
    """
    mask = missing[..., None].astype("float32")
    masked = photo.astype("float32") / 255 * (1 - mask)
    if shape == missing.shape:
        return masked, mask
    resample = resampling(missing.shape, shape)
    weight = resize(1 - mask, shape, resample)
    masked = resize(masked, shape, resample) / np.maximum(weight, 1e-6)
    mask = (resize(mask, shape, Image.Resampling.BOX) > 0.5).astype("float32")
    return np.clip(masked, 0, 1) * (1 - mask), mask


def to_bytes(completed: np.ndarray) -> np.ndarray:
    """A photo in [0, 1] as uint8."""
    return np.round(np.clip(completed, 0, 1) * 255).astype("uint8")


def complete_at(
    method: methods.Method, photo: np.ndarray, missing: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Complete a photo on a copy of another size, and bring the result back to its own.

    Args:
        photo: uint8 `(H, W, 3)`.
        missing: bool `(H, W)`.
        shape: height and width of the copy.

    Returns:
        uint8 `(H, W, 3)`, of use in the holes only.
    """
    masked, mask = shrink(photo, missing, shape)
    completed = np.asarray(method(masked[None], mask[None]))[0]
    if shape != missing.shape:
        completed = resize(completed, missing.shape, Image.Resampling.BICUBIC)
    return to_bytes(completed)


# A network's side of a window: it is sent what is shown, and gives back what it completes of it.
# The two ends are a generator and whoever drives it, so that photos can go side by side.
Seen = tuple[np.ndarray, np.ndarray]  # masked (S, S, 3) and mask (S, S, 1) of the network's size
Walk = Generator[Seen, np.ndarray, np.ndarray]


def parts(side: int, size: int) -> list[Box]:
    """Smaller squares of a square window, one in each corner, through which it is seen once more.

    They are thirteen sixteenths of its side, and at least as large as the network sees. On 97
    validation photos of animals, every second one, at 256×256, the U-Net that comes with the
    package has an RMSE of 0.914 of harmonic's by the window alone, and of 0.898 with these. The one
    that came before it, by which the size was chosen, had 0.926 and 0.914; 0.918 with parts of
    seven eighths, 0.919 with three quarters, 0.914 with seven eighths besides.

    Args:
        side: the window's.
        size: side of the network's photos, in pixels.
    """
    part = max(size, round(side * 13 / 16))
    ends = (0, side - part) if part < side else ()
    return [Box(row, column, part, part) for row in ends for column in ends]


def weight(part: Box, side: int) -> np.ndarray:
    """How much a part of a window counts, pixel by pixel: less towards its edges in the window.

    There it lacks what lies beyond, and what it says would end in a seam: if all of a part counts
    alike, the earlier network's 0.914 (see `parts`) becomes 0.918.

    Args:
        part: one of `parts`.
        side: the window's.

    Returns:
        float32 `(L, L, 1)`: 1, and towards the edges that are not the window's down to 0, over as
        many pixels as the parts lie apart.
    """
    inwards = (np.arange(part.height) + 0.5) / (side - part.height)
    rows, columns = (np.minimum(inwards if start else inwards[::-1], 1) for start in part[:2])
    return np.outer(rows, columns)[..., None].astype("float32")


def added_in(fine: np.ndarray, mask: np.ndarray) -> Walk:
    """Ask a network what is to be added to a harmonic fill.

    Enlarged, a network's answer has lost every fine detail that runs into the hole. What it adds
    to the harmonic fill is smooth and loses little; the fill has the detail at any size. And with
    the fill in the hole, pixels at its border shrink to what they would be in a whole photo.

    Args:
        fine: the fill, `(L, L, 3)` in [0, 1].
        mask: the hole at the network's own size, `(S, S, 1)`, with a known pixel.

    Yields:
        once, the square as the network sees it; it is sent the completed one.

    Returns:
        `(L, L, 3)`, of use in the hole only.
    """
    large, own = fine.shape[:2], mask.shape[:2]
    masked = np.clip(resize(fine, own, resampling(large, own)), 0, 1) * (1 - mask)
    completed = yield masked, mask
    added = completed - classical.harmonic(masked, mask)
    return resize(added, large, Image.Resampling.BICUBIC)


def guess_in(photo: np.ndarray, missing: np.ndarray, window: Box, method: methods.Method) -> Walk:
    """Complete what a window shows; where it reaches over the edge the photo is mirrored.

    A network sees the window at its own size. What comes back is the harmonic fill at the photo's
    size, and on it what the network adds to the fill: in the window and, if its answers are means,
    in the window's `parts`, averaged by `weight`.

    Yields:
        what the network sees, one after another; it is sent the completed ones.

    Returns:
        uint8, of the window's size as far as it lies on the photo.
    """
    view, hole = photo[area(window)], missing[area(window)]
    rows, columns = hole.shape
    beyond = ((0, window.height - rows), (0, window.width - columns))
    view = np.pad(view, (*beyond, (0, 0)), mode="symmetric")
    hole = np.pad(hole, beyond, mode="symmetric")
    own = (method.size, method.size)
    masked, mask = shrink(view, hole, own)
    if own == hole.shape or hole.sum() > LARGEST or mask.all():
        completed = yield masked, mask
        if own != hole.shape:
            completed = resize(completed, hole.shape, Image.Resampling.BICUBIC)
        return to_bytes(completed)[:rows, :columns]
    fine = classical.harmonic(*shrink(view, hole, hole.shape))
    total = yield from added_in(fine, mask)
    weights = np.ones((*hole.shape, 1), "float32")
    # Parts without a missing pixel are looked at too: photos that go side by side come out even.
    for part in parts(window.height, method.size) if method.averages else []:
        _, mask = shrink(view[area(part)], hole[area(part)], own)
        if not mask.all():
            share = weight(part, window.height)
            total[area(part)] += share * (yield from added_in(fine[area(part)], mask))
            weights[area(part)] += share
    return to_bytes(fine + total / weights)[:rows, :columns]


def walk(photo: np.ndarray, mask: np.ndarray, method: methods.Method) -> Walk:
    """Complete a photo of any size, window by window, by a network of one size.

    Small holes first; what is filled counts as known from then on, so that pieces of one hole
    go on from each other.

    Yields:
        what the network sees, one after another; it is sent the completed ones.

    Returns:
        as `complete`.
    """
    photo, missing, size = photo.copy(), mask[..., 0] > 0, method.size
    todo = pieces(mask, size)
    while todo:
        window = window_around(todo[0], size, missing.shape)
        now = [box for box in todo if serves(window, box, size, missing.shape)]
        guess = yield from guess_in(photo, missing, window, method)
        for box in now:
            hole = missing[area(box)]
            inside = box._replace(row=box.row - window.row, column=box.column - window.column)
            photo[area(box)][hole] = guess[area(inside)][hole]
            hole[:] = False
        todo = [box for box in todo if box not in now]
    return photo


def side_by_side(method: methods.Method, walks: list[Walk]) -> list[np.ndarray]:
    """Go through several photos at once: the network sees the next window of each as one batch."""
    seen: dict[int, Seen] = {}
    results: dict[int, np.ndarray] = {}

    def go_on(number: int, completed: np.ndarray | None) -> None:
        try:
            seen[number] = walks[number].send(completed)
        except StopIteration as end:
            results[number] = end.value
            seen.pop(number, None)

    for number in range(len(walks)):
        go_on(number, None)
    while seen:
        masked, mask = (np.stack(arrays) for arrays in zip(*seen.values(), strict=True))
        for number, completed in zip(list(seen), method(masked, mask), strict=True):
            go_on(number, completed)
    return [results[number] for number in range(len(walks))]


def complete(method: methods.Method, photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill the holes of a photo of any size.

    Args:
        method: a classical fill or a trained network, see `recon.methods`.
        photo: uint8 `(H, W, 3)`; what it holds in the holes is not looked at.
        mask: `(H, W, 1)`, 1 = missing, 0 = known; with at least one pixel of each.

    Returns:
        uint8 `(H, W, 3)`; known pixels are the photo's, bit for bit.
    """
    if method.size is not None:
        return side_by_side(method, [walk(photo, mask, method)])[0]
    missing = mask[..., 0] > 0
    factor = max(1, math.sqrt(missing.sum() / LARGEST))
    shape = tuple(max(1, int(side / factor)) for side in missing.shape)
    return np.where(missing[..., None], complete_at(method, photo, missing, shape), photo)


def complete_all(
    method: methods.Method, photo: list[np.ndarray], mask: list[np.ndarray]
) -> list[np.ndarray]:
    """Fill the holes of photos of any sizes, as `complete` does; a network sees them as batches."""
    pairs = zip(photo, mask, strict=True)
    if method.size is None:
        return [complete(method, *pair) for pair in pairs]
    return side_by_side(method, [walk(*pair, method) for pair in pairs])


def at_any_size(method: methods.Method) -> methods.Method:
    """A method for photos of any one size: what a network does not take it sees through windows.

    At a network's own size its values stay as they are; through windows they have 8 bits, as
    `complete` gives them. Comparing, submitting and restoring thus complete a photo alike.
    """
    if method.size is None:
        return method

    def complete_batch(masked, mask):
        if masked.shape[1:3] == (method.size, method.size):
            return method(masked, mask)
        photo = np.round(masked * 255).astype("uint8")
        guess = np.stack(complete_all(method, list(photo), list(mask))).astype("float32") / 255
        return classical.paste(masked, mask, guess)

    return methods.Method(method.name, complete_batch)


# Files ------------------------------------------------------------------------------------------


class Extras(NamedTuple):
    """What a photo's file holds besides the colours that `photos.read` gives."""

    grey: bool
    layers: np.ndarray | None  # uint8 (H, W, 4): red, green, blue, alpha, if it has an alpha
    icc_profile: bytes | None
    exif: Image.Exif  # without the orientation: pixels are upright now


def read_extras(path: Path) -> Extras:
    """Read what `photos.read` leaves behind, so that the restored photo can have it too."""
    with Image.open(path) as file:
        try:
            upright = ImageOps.exif_transpose(file)
            exif = Image.Exif() if file.format == "TIFF" else upright.getexif()
        except Exception:  # broken EXIF beside good pixels: `photos.read` ignores it too
            upright, exif = file, Image.Exif()
        grey = upright.mode in ("1", "L", "LA", "La", "F") or upright.mode.startswith("I")
        layers = None
        if upright.has_transparency_data and upright.mode[0] not in "IF":
            layers = np.asarray(upright.convert("RGBA"))
        return Extras(grey, layers, upright.info.get("icc_profile"), exif)


def put_back(completed: np.ndarray, mask: np.ndarray, extras: Extras) -> Image.Image:
    """Give a completed photo its greyscale or its alpha channel back.

    A method sees transparent pixels on white; where they are known, the colours under the
    transparency come back, bit for bit, and the alpha channel stays as it was everywhere.

    Args:
        completed: uint8 `(H, W, 3)`.
        mask: `(H, W, 1)`, 1 = missing.
    """
    if extras.layers is not None:
        known = extras.layers[..., :3]
        colours = np.where(mask > 0, completed, known)
        image = Image.fromarray(np.concatenate([colours, extras.layers[..., 3:]], axis=-1))
        return image.convert("LA") if extras.grey else image
    image = Image.fromarray(completed)
    return image.convert("L") if extras.grey else image  # red = green = blue is the grey, exactly


def save(path: Path, image: Image.Image, extras: Extras) -> None:
    """Write a photo with the profile and the EXIF it came with, in the format of the ending."""
    options = dict(FORMATS[path.suffix.lower()])
    # Bytes 16 to 20 name the colours of a profile: a CMYK photo's does not fit its RGB pixels.
    if extras.icc_profile and extras.icc_profile[16:20] == (b"GRAY" if extras.grey else b"RGB "):
        options["icc_profile"] = extras.icc_profile
    if extras.exif and path.suffix.lower() not in TIFF:
        options["exif"] = extras.exif
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as temporary:
        image.save(temporary, **options)


def target(photo: Path, out: Path | None) -> Path:
    """Say where the restored photo goes: `NAME-restored.ENDING`, or the file that `out` names.

    The ending is the photo's own where `FORMATS` has it, else .png.

    Raises:
        BadInput: `out` is a file of a kind that is not written here.
    """
    if out is not None and out.suffix.lower() in FORMATS and not out.is_dir():
        return out
    if out is not None and out.suffix.lower() in Image.registered_extensions():
        raise BadInput(f"--out {out}: no {out.suffix} is written; choose {' '.join(FORMATS)}")
    ending = photo.suffix if photo.suffix.lower() in FORMATS else ".png"
    folder = photo.parent if out is None else out
    return folder / f"{photo.stem}-restored{ending}"


def check_targets(paths: list[Path], targets: list[Path], mask: Path | None) -> None:
    """Raise BadInput if a result would overwrite what was given, or another result."""
    given = {path.resolve(): path for path in [*paths, *([mask] if mask else [])]}
    taken: dict[Path, Path] = {}
    for path, goal in zip(paths, targets, strict=True):
        place = goal.resolve()
        if place in given:
            raise BadInput(
                f"{path}: the result would overwrite {given[place]}; name another file with --out"
            )
        if place in taken:
            raise BadInput(
                f"{path} and {taken[place]} would both be written to {goal}: with several "
                "photos --out is a folder, and their names differ"
            )
        taken[place] = path


def find_mask(
    path: Path, shape: tuple[int, int], holes: list[Box], mask: Path | None
) -> np.ndarray:
    """Make or read the mask of a photo, and check that there is something to do.

    Args:
        path: the photo, for the messages.
        shape: its height and width.
        holes: the missing boxes, or none, if `mask` is the file of a mask.

    Returns:
        float32 `(H, W, 1)`, 1 = missing, 0 = known.

    Raises:
        BadInput: a box over the edge, a mask of another size, nothing or everything missing.
    """
    height, width = shape
    if mask is None:
        try:
            missing = boxes.rasterise(holes, shape)
        except ValueError as error:
            raise BadInput(f"{path}: {error} (rows×columns)") from None
    else:
        missing = photos.read_mask(mask)
        if missing.shape[:2] != shape:
            rows, columns = missing.shape[:2]
            raise BadInput(
                f"{mask}: a mask of {rows}×{columns} pixels (rows×columns), but {path} has "
                f"{height}×{width} when upright; they must be the same"
            )
    if not missing.any():
        raise BadInput(f"{mask}: nothing is missing; missing pixels are white")
    if missing.all():
        raise BadInput(f"{path}: all of its {height}×{width} pixels are missing, none is known")
    return missing


def restore(
    photo: list[Path],
    /,
    *,
    box: list[str] | None = None,
    mask: Path | None = None,
    method: str = methods.SHIPPED,
    diffusion: Request | None = None,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Fill the missing pieces of photos of any size; known pixels stay as they are.

    Rows and columns are those of the upright photo. Greyscale, alpha channel, colour profile
    and EXIF are kept; 16 bits per channel become 8. A photo that was given is never
    overwritten, an earlier result is.

    Args:
        photo: photos with missing pieces, before the options; all are checked before the first
            is written.
        box: ROW,COL or ROW,COL,HEIGHT,WIDTH in pixels of the top-left corner and the size
            (75×75 unless said); several after one another. They hold for every photo.
        mask: a picture as large as the photo, white where it is missing, instead of boxes.
        method: unet, the network that comes with the package; mean, harmonic, telea, biharmonic,
            diffusion-small, stable-diffusion, or the folder of a training run.
        seed: chooses one of the many fills that a diffusion model can make.
        out: a file, or a folder for NAME-restored.ENDING; by default beside the photo.
    """
    if bool(box) == bool(mask):
        raise BadInput("say what is missing: either --box ROW,COL[,HEIGHT,WIDTH] or --mask FILE")
    try:
        holes = [boxes.parse(text) for text in box or []]
    except ValueError as error:
        raise BadInput(str(error)) from None
    targets = [target(path, out) for path in photo]
    check_targets(photo, targets, mask)
    for path, goal in zip(photo, targets, strict=True):
        find_mask(path, photos.read(path).shape[:2], holes, mask)
        if read_extras(path).layers is not None and goal.suffix.lower() in LOSSY:
            raise BadInput(f"{path}: {goal.name} cannot hold its alpha channel; write a .png")
    fill = methods.load(method, asked(diffusion, seed))
    together = diffusion.batch if diffusion else 1
    for start in range(0, len(photo), together):
        some = photo[start : start + together]
        began = time.perf_counter()
        pixels = [photos.read(path) for path in some]
        missing = [
            find_mask(path, one.shape[:2], holes, mask)
            for path, one in zip(some, pixels, strict=True)
        ]
        completed = complete_all(fill, pixels, missing)
        seconds = (time.perf_counter() - began) / len(some)
        for path, goal, one, hole in zip(some, targets[start:], completed, missing, strict=False):
            extras = read_extras(path)
            save(goal, put_back(one, hole, extras), extras)
            print(
                f"{path}: {int(hole.sum()):,} missing pixels filled by {fill.name}, "
                f"written to {goal} in {seconds:.1f} s"
            )
    if any(goal.suffix.lower() in LOSSY for goal in targets):
        print("JPEG compresses anew, known pixels too; a .png keeps them bit for bit.")


if __name__ == "__main__":
    commandline.run(restore)
