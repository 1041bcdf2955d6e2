"""Photo files: read any kind, crop to a square, write whole or not at all."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from recon.atomic import writing
from recon.data import shards
from recon.errors import BadInput

ENDINGS = (".jpg", ".jpeg", ".png")  # compared in lower case

# A camera held sideways stores the picture as the sensor saw it and notes the turn in EXIF;
# this undoes it. 1 is upright, anything else is no orientation.
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(BadInput):
    """A file that is no photo; `reason` says it in a word or two."""

    def __init__(self, path: str | Path, reason: str):
        super().__init__(
            f"{path}: not a photo that can be read ({reason}); remove it or replace it"
        )
        self.reason = reason


class Facts(NamedTuple):
    """What the catalog wants to know of a photo; height and width after EXIF's turn.

    `plain` photos, greyscale or RGB without transparency or turn, come out of TensorFlow as
    out of `read`, bit for bit, by `tf.io.decode_jpeg(data, channels=3,
    dct_method="INTEGER_ACCURATE")`, which takes PNG too. (`tf.io.decode_image` uses JPEG's
    fast transform: a value off on average, up to 9 off.)
    """

    height: int
    width: int
    plain: bool


def is_photo(path: str | Path) -> bool:
    """Tell by its ending whether a file is meant to be a photo."""
    return Path(path).suffix.lower() in ENDINGS


def _whole(image: Image.Image, path: str | Path) -> None:
    """Decode all of it. Pillow is content with a PNG without its last chunk, TensorFlow is not."""
    image.load()
    if image.format == "PNG" and b"IEND\xae\x42\x60\x82" not in shards.contents(path):
        raise OSError("truncated before IEND")


@contextmanager
def _open(path: str | Path) -> Iterator[Image.Image]:
    """Open with Pillow; whatever goes wrong while open names the file in one line.

    Raises:
        BadInput: no such file, or a folder.
        Unreadable: a file, but no photo.
    """
    try:
        file = io.BytesIO(shards.contents(path)) if shards.in_shard(path) else path
        with Image.open(file) as image:
            yield image
    except FileNotFoundError:
        raise BadInput(f"{path}: no such photo") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: a folder, not a photo") from None
    except UnidentifiedImageError:
        raise Unreadable(path, "not an image") from None
    except Image.DecompressionBombError:
        raise Unreadable(path, "too many pixels") from None
    except Exception as error:  # damage makes Pillow's decoders raise OSError, SyntaxError, ...
        if isinstance(error, OSError) and error.strerror:  # the system speaks, not the decoder
            raise Unreadable(path, error.strerror.lower()) from None
        reason = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise Unreadable(path, reason) from None


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What brings the picture upright; None where it is, or where its EXIF makes no sense."""
    try:
        return UPRIGHT.get(image.getexif().get(ORIENTATION))
    except Exception:  # broken EXIF beside good pixels: show them as they are
        return None


def _turned(height: int, width: int, turn: Image.Transpose | None) -> tuple[int, int]:
    """Height and width after the turn: values 5 to 8 lay the picture on its side."""
    sideways = turn in [UPRIGHT[value] for value in (5, 6, 7, 8)]
    return (width, height) if sideways else (height, width)


def _rgb(image: Image.Image) -> Image.Image:
    """Bring any of Pillow's modes to 8-bit RGB."""
    if image.mode.startswith("I"):
        # 16-bit greyscale, which `convert` would clip at 255. Pillow (for colour) and
        # TensorFlow drop the low byte, so this does too.
        return Image.fromarray((np.asarray(image) >> 8).astype("uint8")).convert("RGB")
    if image.has_transparency_data:
        # On white, as on a page: black would look like missing pixels.
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def read(path: str | Path) -> np.ndarray:
    """Read a photo of any kind.

    Greyscale, palette, CMYK and 16-bit become 8-bit RGB (16-bit loses its low byte),
    transparency is laid on white, and EXIF's turn is made.

    Returns:
        uint8 `(H, W, 3)`, RGB.

    Raises:
        BadInput: no such file, or not a photo that can be read.
    """
    with _open(path) as image:
        _whole(image, path)
        turn = _turn(image)
        upright = _rgb(image) if turn is None else _rgb(image).transpose(turn)
        return np.array(upright)


def inspect(path: str | Path) -> Facts:
    """Decode a photo fully, as cheaply as that can be done, and say what it is.

    Raises:
        BadInput: no such file, or not a photo that can be read.
    """
    with _open(path) as image:
        width, height = image.size
        # A JPEG at an eighth skips the inverse transform and still reads every byte, so a
        # truncated one is noticed as in `read`.
        image.draft(None, (1, 1))
        _whole(image, path)
        turn = _turn(image)
        plain = (
            image.format in ("JPEG", "PNG")
            and image.mode in ("L", "RGB")
            and not image.has_transparency_data
            and turn is None
        )
    return Facts(*_turned(height, width, turn), plain)


def size(path: str | Path) -> tuple[int, int]:
    """Height and width by the header alone, EXIF's turn made.

    Raises:
        BadInput: no such file, or not a photo that can be read.
    """
    with _open(path) as image:
        width, height = image.size
        return _turned(height, width, _turn(image))


def crop(photo: np.ndarray) -> np.ndarray:
    """Cut the largest square from the middle of `(H, W, C)`."""
    height, width = photo.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return photo[top : top + side, left : left + side]


def square(photo: np.ndarray, size: int) -> np.ndarray:
    """Cut a photo to its middle square and resize that.

    Args:
        photo: uint8 `(H, W, 3)`.
        size: side of the result, in pixels.

    Returns:
        uint8 `(size, size, 3)`, by the triangle filter of `tf.image.resize(antialias=True)`;
        the same pixels where nothing has to change.
    """
    photo = crop(photo)
    if photo.shape[0] == size:
        return photo
    resized = Image.fromarray(photo).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(resized)


def read_mask(path: str | Path) -> np.ndarray:
    """Read a drawn mask: white (lighter than 127), or transparent, is missing.

    Returns:
        float32 `(H, W, 1)`: 1 where a pixel is missing, 0 where it is known.

    Raises:
        BadInput: no such file, or not a picture that can be read.
    """
    grey = np.array(Image.fromarray(read(path)).convert("L"))
    return (grey > 127).astype("float32")[..., None]


def square_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Bring a mask where `square` brings its photo.

    Args:
        mask: float32 `(H, W, 1)`, 1 = missing.
        size: side of the result, in pixels.

    Returns:
        float32 `(size, size, 1)`, still 0 or 1: each pixel takes the nearest value.
    """
    small = Image.fromarray(crop(mask)[..., 0]).resize((size, size), Image.Resampling.NEAREST)
    return np.array(small)[..., None]


def write(path: str | Path, photo: np.ndarray) -> None:
    """Write uint8 `(H, W, 3)` as PNG or JPEG by the path's ending, whole or not at all.

    Raises:
        BadInput: an ending that is neither.
    """
    if not is_photo(path):
        raise BadInput(f"{path}: cannot be written; end its name in {', '.join(ENDINGS)}")
    with writing(path) as temporary:
        # JPEG: little loss, and colour as sharp as brightness. PNG: a third of the time of
        # Pillow's own level, and photos get no larger.
        Image.fromarray(photo).save(temporary, quality=95, subsampling=0, compress_level=1)
