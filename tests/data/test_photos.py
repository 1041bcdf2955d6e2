"""recon.data.photos: every kind of file that people call a photo."""

import cv2
import numpy as np
import pytest
from PIL import Image

from recon.data import photos
from recon.errors import BadInput

rng = np.random.default_rng(0)
COLOUR = rng.integers(0, 256, (9, 14, 3), dtype="uint8")
SMOOTH = np.stack(np.broadcast_arrays(*np.ogrid[40:200:4j, 30:230:6j], 90), -1).astype("uint8")


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def test_a_png_comes_back_as_it_was(tmp_path):
    photo = photos.read(save(tmp_path / "a.png", COLOUR))
    assert photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, COLOUR)


def test_the_ending_may_be_in_capitals_and_need_not_be_true(tmp_path):
    assert photos.is_photo("Tiger (1).JPEG")
    assert not photos.is_photo("notes.txt")
    save(tmp_path / "a.png", COLOUR).rename(tmp_path / "a.JPG")  # a PNG named JPG, as in the wild
    np.testing.assert_array_equal(photos.read(tmp_path / "a.JPG"), COLOUR)


def test_greyscale_becomes_three_equal_channels(tmp_path):
    photo = photos.read(save(tmp_path / "a.png", COLOUR[..., 0]))
    np.testing.assert_array_equal(photo, COLOUR[..., [0, 0, 0]])


def test_black_and_white_of_one_bit(tmp_path):
    photo = photos.read(save(tmp_path / "a.png", COLOUR[..., 0] > 127))
    np.testing.assert_array_equal(photo[..., 1], (COLOUR[..., 0] > 127) * 255)


def test_cmyk_keeps_its_colours(tmp_path):
    photo = photos.read(save(tmp_path / "a.jpg", SMOOTH, "CMYK", quality=100, subsampling=0))
    assert np.abs(photo.astype(int) - SMOOTH).max() <= 8


@pytest.mark.parametrize("shape", [(9, 14), (9, 14, 3)])
def test_16_bits_are_scaled_and_not_clipped(tmp_path, shape):
    deep = rng.integers(0, 65536, shape, dtype="uint16")
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    photo = photos.read(tmp_path / "a.png")
    expected = deep[..., None].repeat(3, -1) if deep.ndim == 2 else deep[..., ::-1]  # from BGR
    np.testing.assert_array_equal(photo, expected // 256)


def test_a_palette_gives_its_colours(tmp_path):
    few = COLOUR // 128 * 255  # eight colours
    np.testing.assert_array_equal(photos.read(save(tmp_path / "a.png", few, "P")), few)


def test_transparency_is_laid_on_white(tmp_path):
    alpha = rng.integers(0, 256, (9, 14, 1), dtype="uint8")
    photo = photos.read(save(tmp_path / "a.png", np.concatenate([COLOUR, alpha], -1)))
    share = alpha / 255
    expected = share * COLOUR + (1 - share) * 255
    assert np.abs(photo - expected).max() <= 1


def test_a_transparent_colour_counts_as_transparency(tmp_path):
    colour = tuple(int(value) for value in COLOUR[2, 3])
    photo = photos.read(save(tmp_path / "a.png", COLOUR, transparency=colour))
    np.testing.assert_array_equal(photo[2, 3], [255, 255, 255])
    np.testing.assert_array_equal(photo[2, 4], COLOUR[2, 4])


# How a camera stores an upright photo, by EXIF's orientation.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_rotation_is_undone(tmp_path, orientation):
    exif = Image.Exif()
    exif[photos.ORIENTATION] = orientation
    stored = np.ascontiguousarray(STORED[orientation](COLOUR))
    path = save(tmp_path / "a.png", stored, exif=exif)
    np.testing.assert_array_equal(photos.read(path), COLOUR)
    assert photos.size(path) == (9, 14)
    assert photos.inspect(path) == photos.Facts(9, 14, plain=orientation == 1)


def test_broken_exif_beside_good_pixels_is_ignored(tmp_path):
    path = save(tmp_path / "a.jpg", SMOOTH, exif=b"Exif\0\0no TIFF header in here")
    assert photos.read(path).shape == (4, 6, 3)
    assert photos.inspect(path) == photos.Facts(4, 6, True)


@pytest.mark.parametrize("ending", photos.ENDINGS)
def test_a_single_pixel_is_a_photo(tmp_path, ending):
    path = save(tmp_path / f"a{ending}", np.full((1, 1, 3), 99, "uint8"))
    np.testing.assert_array_equal(photos.read(path), [[[99] * 3]])
    assert photos.inspect(path) == photos.Facts(1, 1, True)
    assert (photos.square(photos.read(path), 5) == 99).all()


def cut(path, keep):
    """Keep a share of a file, or all but some bytes at its end."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)] if keep > 0 else data[:keep])
    return path


@pytest.mark.parametrize("look", [photos.read, photos.inspect])
@pytest.mark.parametrize("keep", [-2, -20, 0.95, 0.7])
@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_truncated_photo_is_named(tmp_path, look, keep, ending):
    noise = rng.integers(0, 256, (64, 64, 3), dtype="uint8")
    path = cut(save(tmp_path / f"a{ending}", noise), keep)
    with pytest.raises(photos.Unreadable) as caught:
        look(path)
    assert str(caught.value) == (
        f"{path}: not a photo that can be read (truncated); remove it or replace it"
    )
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("look", [photos.read, photos.inspect, photos.size])
@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff"])
def test_a_text_named_jpg_is_named(tmp_path, look, content):
    path = tmp_path / "notes.jpg"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"notes\.jpg: not a photo .* \(not an image\)"):
        look(path)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(BadInput, match=r"a\.jpg: no such photo"):
        photos.read(tmp_path / "a.jpg")
    with pytest.raises(BadInput, match="a folder, not a photo"):
        photos.read(tmp_path)


def kinds(folder):
    """One file of each kind."""
    save(folder / "rgb.png", COLOUR)
    save(folder / "grey.png", COLOUR[..., 0])
    save(folder / "rgb.jpg", COLOUR)
    save(folder / "progressive.jpg", COLOUR, progressive=True)
    save(folder / "grey.jpg", COLOUR[..., 0])
    save(folder / "cmyk.jpg", COLOUR, "CMYK")
    save(folder / "alpha.png", COLOUR, "RGBA")
    save(folder / "palette.png", COLOUR, "P")
    save(folder / "gif.png", COLOUR, "P", format="GIF")
    cv2.imwrite(str(folder / "deep.png"), COLOUR.astype("uint16") * 200)
    return sorted(folder.iterdir())


def test_plain_photos_come_out_of_tensorflow_as_out_of_read(tmp_path):
    tf = pytest.importorskip("tensorflow")
    plain = [path for path in kinds(tmp_path) if photos.inspect(path).plain]
    assert {path.name for path in plain} >= {"rgb.png", "grey.png", "rgb.jpg", "grey.jpg"}
    assert not {path.name for path in plain} & {"cmyk.jpg", "alpha.png", "palette.png", "gif.png"}
    for path in plain:
        decoded = tf.io.decode_jpeg(
            tf.io.read_file(str(path)), channels=3, dct_method="INTEGER_ACCURATE"
        )
        np.testing.assert_array_equal(decoded, photos.read(path), err_msg=path.name)


def triangle(row, size):
    """Resize one line by the textbook's antialiased triangle filter, pixel by pixel."""
    scale = len(row) / size
    width = max(scale, 1)
    result = []
    for place in range(size):
        centre = (place + 0.5) * scale
        weights = [max(0, 1 - abs(i + 0.5 - centre) / width) for i in range(len(row))]
        result.append(sum(w * v for w, v in zip(weights, row, strict=True)) / sum(weights))
    return result


@pytest.mark.parametrize("size", [3, 7, 20])
def test_square_resizes_by_the_antialiased_triangle_filter(size):
    photo = rng.integers(0, 256, (9, 9, 3), dtype="uint8")
    down = np.apply_along_axis(triangle, 0, photo.astype(float), size)
    expected = np.apply_along_axis(triangle, 1, down, size)
    resized = photos.square(photo, size)
    assert resized.dtype == np.uint8
    assert np.abs(resized - expected).max() <= 1.01  # Pillow rounds after each direction


def test_square_cuts_the_middle_and_leaves_the_right_size_alone():
    np.testing.assert_array_equal(photos.square(COLOUR, 9), COLOUR[:, 2:11])
    tall = COLOUR.swapaxes(0, 1)
    np.testing.assert_array_equal(photos.square(tall, 9), tall[2:11])


def test_a_mask_is_1_where_white(tmp_path):
    drawn = np.array([[0, 127, 128, 255]], "uint8")
    mask = photos.read_mask(save(tmp_path / "m.png", drawn))
    assert mask.dtype == np.float32
    assert mask.shape == (1, 4, 1)
    assert mask.ravel().tolist() == [0, 0, 1, 1]


def test_a_mask_stays_0_or_1_when_resized():
    mask = np.zeros((4, 6, 1), "float32")
    mask[:2, 1:3] = 1  # the middle square's upper left quarter
    expected = np.zeros((8, 8, 1), "float32")
    expected[:4, :4] = 1
    np.testing.assert_array_equal(photos.square_mask(mask, 8), expected)
    np.testing.assert_array_equal(photos.square_mask(mask, 2)[..., 0], [[1, 0], [0, 0]])


def test_write_and_read_again(tmp_path):
    photos.write(tmp_path / "a.png", COLOUR)
    np.testing.assert_array_equal(photos.read(tmp_path / "a.png"), COLOUR)
    photos.write(tmp_path / "b.JPG", SMOOTH)
    assert Image.open(tmp_path / "b.JPG").format == "JPEG"
    assert np.abs(photos.read(tmp_path / "b.JPG").astype(int) - SMOOTH).max() <= 8
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.JPG"}


def test_write_says_which_endings_it_knows(tmp_path):
    with pytest.raises(BadInput, match=r"a\.tif: .*\.jpg, \.jpeg, \.png"):
        photos.write(tmp_path / "a.tif", COLOUR)
    assert not list(tmp_path.iterdir())
