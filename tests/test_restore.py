"""recon.restore: windows that network and hole fit into, and files that keep what they had."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from recon import classical, commandline, methods, restore
from recon.boxes import Box, coverage, rasterise
from recon.data import photos, safari
from recon.errors import BadInput

TEAL = np.array([0, 128, 255], "uint8")


class Painter:
    """A method that paints every hole teal and remembers what it was shown."""

    name, averages = "painter", False

    def __init__(self, size=None):
        self.size = size
        self.seen, self.batches = [], []

    def __call__(self, masked, mask):
        assert masked.dtype == mask.dtype == np.float32
        assert masked.shape == (*mask.shape[:3], 3)
        assert self.size is None or mask.shape[1:] == (self.size, self.size, 1)
        assert not masked[np.broadcast_to(mask, masked.shape) == 1].any()  # holes are black
        self.seen.append((masked[0], mask[0]))
        self.batches.append(len(masked))
        return np.where(mask > 0, (TEAL / 255).astype("float32"), masked)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype="uint8")


@st.composite
def masks(draw, largest=60):
    height, width = draw(st.integers(1, largest)), draw(st.integers(2, largest))
    mask = np.zeros((height, width, 1), "float32")
    for _ in range(draw(st.integers(1, 5))):
        row, column = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[row : row + draw(st.integers(1, 40)), column : column + draw(st.integers(1, 40))] = 1
    mask[0, 0] = 0
    mask[-1, -1] = 1
    return mask


# Where to look


@given(masks())
@settings(deadline=None)
def test_pieces_hold_every_missing_pixel_smallest_first(mask):
    found = restore.pieces(mask, size=16)
    covered = rasterise(found, mask.shape[:2])
    assert (covered >= mask).all()
    longest = [max(box.height, box.width) for box in found]
    assert longest == sorted(longest)
    assert all(mask[restore.area(box)].any() for box in found)


def test_a_box_is_one_piece_and_a_scratch_is_many():
    boxes = [Box(10, 10), Box(0, 120, 30, 40)]
    assert restore.pieces(rasterise(boxes, 256), 256) == boxes[::-1]
    scratch = restore.pieces(rasterise([Box(100, 0, 3, 256)], 256), 64)
    assert len(scratch) == 14  # none longer than the 19 pixels of a box in a 64×64 photo
    assert max(box.width for box in scratch) == 19
    assert sum(box.width for box in scratch) == 256


def test_cut_leaves_no_gap_and_no_overlap():
    cells = restore.cut(Box(3, 2, 20, 31), 7)
    expected = np.zeros((40, 40, 1))
    expected[3:23, 2:33] = 1
    np.testing.assert_array_equal(coverage(cells, 40), expected)
    assert all(max(cell.height, cell.width) <= 7 for cell in cells)


@pytest.mark.parametrize(
    ("hole", "shape", "window"),
    [
        # 75 pixels at 256: the photo's own resolution, the hole in the middle
        (Box(1000, 2000), (3000, 4000), Box(909, 1909, 256, 256)),
        # twice the hole, twice the window
        (Box(1000, 2000, 150, 150), (3000, 4000), Box(819, 1819, 512, 512)),
        # a small hole is not enlarged: 256 pixels at least
        (Box(1000, 2000, 10, 4), (3000, 4000), Box(877, 1874, 256, 256)),
        # at a corner the window stays on the photo
        (Box(0, 3925), (3000, 4000), Box(0, 3744, 256, 256)),
        # a challenge photo is its own window
        (Box(58, 27), (256, 256), Box(0, 0, 256, 256)),
        # a smaller photo is enlarged rather than mirrored
        (Box(5, 5, 20, 20), (100, 90), Box(0, 0, 100, 100)),
        # nearly the whole of the shorter side: then all of it
        (Box(150, 300), (300, 451), Box(0, 151, 300, 300)),
        # never larger than the photo's longer side
        (Box(100, 100, 300, 300), (500, 600), Box(0, 0, 600, 600)),
    ],
)
def test_window_around(hole, shape, window):
    assert restore.window_around(hole, 256, shape) == window


@given(masks(), st.sampled_from([8, 16, 64]))
@settings(deadline=None)
def test_every_piece_lies_in_its_own_window(mask, size):
    shape = mask.shape[:2]
    for box in restore.pieces(mask, size):
        window = restore.window_around(box, size, shape)
        assert window.row <= box.row
        assert window.column <= box.column
        assert box.row + box.height <= window.row + window.height
        assert box.column + box.width <= window.column + window.width
        assert restore.serves(window, box, size, shape)


def test_a_window_serves_holes_that_fit_and_have_surroundings():
    window, shape = Box(100, 100, 256, 256), (1000, 1000)
    assert restore.serves(window, Box(140, 140, 50, 50), 256, shape)
    assert not restore.serves(window, Box(131, 140, 50, 50), 256, shape)  # 31 < 256 / 8
    assert not restore.serves(window, Box(140, 290, 50, 50), 256, shape)
    assert not restore.serves(window, Box(140, 140, 80, 80), 256, shape)  # wants 274 pixels
    assert restore.serves(Box(0, 0, 256, 256), Box(0, 140, 50, 50), 256, shape)  # photo's edge


# From the photo's resolution to the method's and back


def test_shrink_keeps_a_photo_of_the_right_size():
    photo, missing = noise(6, 8), np.zeros((6, 8), bool)
    missing[2:4, 3:6] = True
    masked, mask = restore.shrink(photo, missing, (6, 8))
    np.testing.assert_array_equal(mask[..., 0], missing)
    np.testing.assert_array_equal(masked, photo.astype("float32") / 255 * (1 - mask))


@pytest.mark.parametrize("shape", [(10, 15), (30, 20), (80, 90)])
def test_no_hole_darkens_its_surroundings(shape):
    photo, missing = np.full((40, 60, 3), 100, "uint8"), np.zeros((40, 60), bool)
    missing[11:25, 17:43] = True
    photo[missing] = [255, 0, 7]  # what lies in the hole is not looked at
    masked, mask = restore.shrink(photo, missing, shape)
    known = mask[..., 0] == 0
    assert 0.5 < known.mean() < 1
    np.testing.assert_allclose(masked[known], 100 / 255, rtol=1e-5)
    assert not masked[~known].any()


def test_a_small_pixel_is_missing_if_more_than_half_of_it_is():
    missing = np.random.default_rng(0).random((24, 40)) < 0.5
    _, mask = restore.shrink(noise(24, 40), missing, (6, 10))
    for row in range(6):
        for column in range(10):
            under = missing[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            assert mask[row, column, 0] == (under.mean() > 0.5)


# Completing


@given(masks(), st.sampled_from([None, 8, 32]))
@settings(deadline=None)
def test_known_pixels_stay_bit_for_bit(mask, size):
    photo = noise(*mask.shape[:2])
    before = photo.copy()
    completed = restore.complete(Painter(size), photo, mask)
    np.testing.assert_array_equal(photo, before)
    assert completed.dtype == np.uint8
    known = mask[..., 0] == 0
    np.testing.assert_array_equal(completed[known], photo[known])


@given(masks(), st.sampled_from([None, 8, 32]))
@settings(deadline=None)
def test_every_missing_pixel_is_filled_whatever_lay_in_the_holes(mask, size):
    photo = np.where(mask > 0, noise(*mask.shape[:2]), TEAL)
    completed = restore.complete(Painter(size), photo, mask)
    assert np.abs(completed.astype(int) - TEAL).max() <= 1  # resizing may round


def test_every_hole_is_painted_at_the_photos_own_resolution():
    holes = [Box(0, 0, 9, 9), Box(30, 50, 5, 5), Box(40, 12, 2, 60), Box(90, 111, 9, 9)]
    photo, mask = noise(99, 120), rasterise(holes, (99, 120))
    painter = Painter(32)
    completed = restore.complete(painter, photo, mask)
    np.testing.assert_array_equal(completed, np.where(mask > 0, TEAL, photo))
    assert len(painter.seen) > 3


def test_the_network_sees_the_photos_own_pixels():
    photo, mask = noise(200, 300), rasterise([Box(100, 150, 19, 19)], (200, 300))
    painter = Painter(64)
    restore.complete(painter, photo, mask)
    [(masked, seen)] = painter.seen
    # 100 + 19 // 2 - 64 // 2 = 77
    np.testing.assert_array_equal(seen, mask[77:141, 127:191])
    np.testing.assert_array_equal(masked, (photo / np.float32(255) * (1 - mask))[77:141, 127:191])


def test_a_challenge_photo_goes_through_the_network_once():
    painter = Painter(256)
    mask = rasterise([Box(58, 27), Box(104, 165)], 256)
    completed = restore.complete(painter, noise(256, 256), mask)
    assert len(painter.seen) == 1
    assert (completed[mask[..., 0] > 0] == TEAL).all()


def test_pieces_go_on_from_what_is_filled_already():
    painter = Painter(32)
    mask = rasterise([Box(20, 0, 2, 60)], 60)
    restore.complete(painter, np.zeros((60, 60, 3), "uint8"), mask)
    first, *_, last = painter.seen
    assert not first[0].any()  # black surroundings
    painted = (last[0] == (TEAL / 255).astype("float32")).all(axis=-1)
    assert painted.any()
    assert last[1][painted].max() == 0  # and known


def test_a_narrow_photo_is_mirrored():
    painter = Painter(16)
    photo, mask = noise(10, 16), rasterise([Box(2, 2, 2, 2)], (10, 16))
    restore.complete(painter, photo, mask)
    [(_, seen)] = painter.seen
    np.testing.assert_array_equal(seen[:10], mask)
    np.testing.assert_array_equal(seen[10:], mask[:3:-1])


def test_a_large_hole_is_shrunk_and_its_window_enlarged_again():
    ramp = np.zeros((500, 500, 3), "uint8") + np.linspace(20, 200, 500).astype("uint8")[:, None]
    mask = rasterise([Box(110, 100, 90, 90)], 500)

    class Truth(Painter):  # knows the ramp at its own size
        def __call__(self, masked, mask):
            small = restore.resize(
                (ramp[restore.area(Box(1, 0, 308, 308))] / 255).astype("float32"),
                (64, 64),
                Image.Resampling.BILINEAR,
            )
            np.testing.assert_allclose(masked, (small * (1 - mask[0]))[None], atol=0.012)
            return np.where(mask > 0, small, masked)

    window = restore.window_around(Box(110, 100, 90, 90), 64, (500, 500))
    assert window == Box(1, 0, 308, 308)
    completed = restore.complete(Truth(64), ramp, mask)
    assert np.abs(completed.astype(int) - ramp).max() <= 2


def test_enlarged_a_network_stands_on_the_harmonic_fill_of_the_photos_own_size():
    """A network that says what the fill says leaves the fill of the whole photo, every detail."""

    def complete(masked, mask):
        return np.stack([classical.harmonic(*one) for one in zip(masked, mask, strict=True)])

    photo, mask = noise(64, 64), rasterise([Box(20, 22, 16, 16)], 64)
    window = restore.window_around(Box(20, 22, 16, 16), 16, (64, 64))
    assert window == Box(0, 0, 64, 64)
    fine = classical.harmonic(photo / np.float32(255) * (1 - mask), mask) * 255
    completed = restore.complete(methods.Method("fill", complete, 16), photo, mask)
    assert np.abs(completed - fine).max() <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("side", "size", "wanted"),
    [
        (256, 128, [(0, 0, 208), (0, 48, 208), (48, 0, 208), (48, 48, 208)]),
        (140, 128, [(0, 0, 128), (0, 12, 128), (12, 0, 128), (12, 12, 128)]),  # no smaller ones
        (128, 128, []),
        (100, 128, []),
    ],
)
def test_a_window_has_a_part_in_each_corner(side, size, wanted):
    assert restore.parts(side, size) == [Box(*place, length, length) for *place, length in wanted]


@pytest.mark.parametrize("number", range(4))
def test_a_part_counts_less_towards_its_edges_within_the_window(number):
    part = restore.parts(64, 32)[number]
    weight = restore.weight(part, 64)
    assert (part.height, weight.shape, weight.dtype) == (52, (52, 52, 1), "float32")
    for row in range(52):
        for column in range(52):
            expected = 1.0
            for start, place in ((part.row, row), (part.column, column)):
                inner = place if start else 51 - place  # pixels from the edge within the window
                expected *= min(1, (inner + 0.5) / 12)
            assert weight[row, column, 0] == pytest.approx(expected)


def test_a_network_whose_answers_are_means_sees_a_window_in_parts_too():
    """It adds another number to the fill every time: a pixel gets the mean of those that saw it."""
    added = np.float32([0.1, 0.02, 0.04, 0.08, 0.16])

    def complete(masked, mask):
        fills = [classical.harmonic(*one) for one in zip(masked, mask, strict=True)]
        seen.append(len(masked))
        return np.stack(fills) + added[len(seen) - 1]

    photo = noise(64, 64, 3) // 2
    mask = rasterise([Box(0, 2, 14, 16), Box(40, 30, 19, 19)], 64)
    fine = classical.harmonic(photo / np.float32(255) * (1 - mask), mask) * 255
    for averages in (False, True):
        seen = []
        method = methods.Method("adds", complete, 32, averages)
        completed = restore.complete(method, photo, mask)
        views = [Box(0, 0, 64, 64), *(restore.parts(64, 32) if averages else [])]
        assert seen == [1] * len(views)
        for row, column in np.argwhere(mask[..., 0]):
            total, weights = added[0], 1.0
            for number, view in enumerate(views[1:], 1):
                place = row - view.row, column - view.column
                if min(place) >= 0 and max(place) < view.height:
                    weight = restore.weight(view, 64)[place][0]
                    total, weights = total + weight * added[number], weights + weight
            expected = fine[row, column] + 255 * total / weights
            assert np.abs(completed[row, column] - expected).max() < 0.51
        steps = np.diff(completed[:14, 2:18].astype(float) - fine[:14, 2:18], axis=0)
        assert np.abs(steps).max() < 3  # no seam where a part ends: the numbers are 36 apart


def test_a_part_without_a_known_pixel_is_not_asked():
    seen = []

    def complete(masked, mask):
        seen.append(mask[0])
        return masked + 0.5 * mask

    mask = rasterise([Box(0, 0, 28, 28)], 32)  # the part above on the left has 26×26
    method = methods.Method("grey", complete, 8, averages=True)
    completed = restore.complete(method, noise(32, 32), mask)
    assert len(seen) == 4
    assert not any(mask.all() for mask in seen)
    assert np.isfinite(completed).all()


def test_at_any_size_a_network_of_the_photos_size_answers_itself():
    seen = []

    def complete(masked, mask):
        seen.append(len(masked))
        return np.where(mask > 0, np.float32(0.1234567), masked)  # none of 8 bits

    photo = np.stack([noise(20, 20), noise(20, 20, 1)]).astype("float32") / 255
    mask = np.stack([rasterise([Box(3, 4, 8, 5)], 20)] * 2)
    completed = restore.at_any_size(methods.Method("own", complete, 20))(photo * (1 - mask), mask)
    np.testing.assert_array_equal(completed, np.where(mask > 0, np.float32(0.1234567), photo))
    assert seen == [2]  # both at once, not through windows


def test_at_any_size_a_network_of_another_size_sees_each_photo_through_windows():
    painter = Painter(16)
    method = restore.at_any_size(painter)
    assert (method.name, method.size) == ("painter", None)
    pixels = np.stack([noise(40, 40, seed) for seed in range(3)])
    mask = np.stack([rasterise([Box(3 * n, 4, 8, 5), Box(25, n, 6, 6)], 40) for n in range(3)])
    mask[2, 20:] = 0  # one hole, one window: the last batch has two photos
    photo = pixels.astype("float32") / 255
    completed = method(photo * (1 - mask), mask)
    assert completed.dtype == np.float32
    assert painter.batches == [3, 2]  # the photos go side by side
    for number in range(3):
        expected = restore.complete(painter, pixels[number], mask[number])
        np.testing.assert_array_equal(completed[number], expected.astype("float32") / 255)
    known = mask[..., 0] == 0
    np.testing.assert_array_equal(completed[known], photo[known])


def test_several_photos_of_any_size_are_one_batch():
    painter = Painter(16)
    photo = [noise(40, 40), noise(30, 50, 1)]
    mask = [rasterise([Box(3, 4, 8, 5)], one.shape[:2]) for one in photo]
    completed = restore.complete_all(painter, photo, mask)
    assert painter.batches == [2]
    for one, hole, result in zip(photo, mask, completed, strict=True):
        np.testing.assert_array_equal(result, restore.complete(Painter(16), one, hole))


def test_a_photo_with_nothing_missing_stays_as_it_is_beside_others():
    pixels = np.stack([noise(40, 40, seed) for seed in range(2)])
    mask = np.stack([np.zeros((40, 40, 1), "float32"), rasterise([Box(3, 4, 8, 5)], 40)])
    photo = pixels.astype("float32") / 255 * (1 - mask)
    completed = restore.at_any_size(Painter(16))(photo, mask)
    np.testing.assert_array_equal(completed[0], photo[0])
    assert np.abs(completed[1] - photo[1]).max() > 0


def test_at_any_size_a_fill_is_itself():
    fill = methods.load("harmonic")
    assert restore.at_any_size(fill) is fill


def test_a_classical_fill_with_too_many_missing_pixels_works_on_a_copy(monkeypatch):
    monkeypatch.setattr(restore, "LARGEST", 400)
    painter = Painter()
    photo, mask = noise(100, 200), rasterise([Box(10, 20, 40, 40)], (100, 200))
    completed = restore.complete(painter, photo, mask)
    [(masked, _)] = painter.seen
    assert masked.shape == (50, 100, 3)  # 1600 missing pixels: half the side
    np.testing.assert_array_equal(completed[mask[..., 0] == 0], photo[mask[..., 0] == 0])
    assert (completed[20:40, 30:50] == TEAL).all()


# Files


def run(*words):
    """Restore with the harmonic fill, unless another method is named."""
    method = [] if "--method" in words else ["--method", "harmonic"]
    commandline.run(restore.restore, [str(word) for word in words] + method)


def refused(capsys, *words):
    with pytest.raises(SystemExit) as stopped:
        run(*words)
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    return line


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_png_keeps_its_known_pixels(folder, capsys):
    photo = noise(40, 60)
    Image.fromarray(photo).save("cat.png")
    run("cat.png", "--box", "5,10,8,9", "20,30,3,4", "--method", "mean")
    mask = rasterise([Box(5, 10, 8, 9), Box(20, 30, 3, 4)], (40, 60))[..., 0] > 0
    result = photos.read("cat-restored.png")
    np.testing.assert_array_equal(result[~mask], photo[~mask])
    expected = np.round(photo[~mask].mean(axis=0))
    assert np.abs(result[mask] - expected).max() <= 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("cat.png: 84 missing pixels filled by mean, written to cat-restored.png")
    np.testing.assert_array_equal(photos.read("cat.png"), photo)


def test_the_network_that_comes_with_the_package_is_the_default(folder, capsys):
    photos.write(Path("drawn.png"), safari.draw(3, 96))
    commandline.run(restore.restore, ["drawn.png", "--box", "20,30,28,28"])
    assert (
        "784 missing pixels filled by unet, written to drawn-restored.png"
        in capsys.readouterr().out
    )
    mask = rasterise([Box(20, 30, 28, 28)], 96)[..., 0] == 0
    np.testing.assert_array_equal(photos.read("drawn-restored.png")[mask], safari.draw(3, 96)[mask])


def test_harmonic_continues_a_ramp(folder):
    ramp = np.zeros((50, 70, 3), "uint8") + np.arange(0, 210, 3, dtype="uint8")[:, None]
    Image.fromarray(ramp).save("ramp.png")
    run("ramp.png", "--box", "10,20,25,25", "--method", "harmonic")
    np.testing.assert_array_equal(photos.read("ramp-restored.png"), ramp)


def test_a_mask_file_says_what_is_missing(folder):
    ramp = np.zeros((50, 70, 3), "uint8") + np.arange(0, 210, 3, dtype="uint8")[:, None]
    spoilt, mask = ramp.copy(), np.zeros((50, 70), "uint8")
    spoilt[10:20, 30:40], mask[10:20, 30:40] = 255, 255
    Image.fromarray(spoilt).save("ramp.png")
    Image.fromarray(mask).save("mask.png")
    run("ramp.png", "--mask", "mask.png", "--out", "new/fixed.png")
    np.testing.assert_array_equal(photos.read("new/fixed.png"), ramp)


def test_a_jpeg_is_turned_upright_and_stays_a_jpeg(folder, capsys):
    smooth = np.zeros((64, 96, 3), "uint8") + np.arange(0, 192, 2, dtype="uint8")[:, None]
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"  # lying on its side: shown 96 high, 64 wide
    Image.fromarray(smooth).save("lying.JPG", quality=95, exif=exif)
    run("lying.JPG", "--box", "70,10,20,20")
    with Image.open("lying-restored.JPG") as result:
        assert result.format == "JPEG"
        assert result.size == (64, 96)
        assert 0x0112 not in result.getexif()
        assert result.getexif()[0x010F] == "A camera"
    upright = photos.read("lying.JPG")
    assert np.abs(photos.read("lying-restored.JPG").astype(int) - upright).max() < 8
    assert "a .png keeps them bit for bit" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["png", "webp", "jpg", "tif", "bmp"])
def test_exif_goes_along_where_the_format_can_hold_it(folder, ending):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "A camera"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    Image.fromarray(noise(40, 60)).save("lying.jpg", exif=exif)
    run("lying.jpg", "--box", "50,5,4,4", "--out", f"out.{ending}")
    with Image.open(f"out.{ending}") as result:
        assert result.size == (40, 60)
        kept = result.getexif()
        assert 0x0112 not in kept
        if ending not in ("tif", "bmp"):
            assert kept[0x010F] == "A camera"
            assert kept.get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"


def test_broken_exif_is_left_out(folder):
    Image.fromarray(noise(40, 60)).save("a.jpg", exif=b"Exif\0\0no exif at all")
    run("a.jpg", "--box", "5,50,4,4")
    with Image.open("a-restored.jpg") as result:
        assert result.size == (60, 40)
        assert not result.getexif()


def test_greyscale_stays_greyscale(folder):
    grey = noise(30, 30)[..., 0]
    Image.fromarray(grey).save("grey.png")
    run("grey.png", "--box", "4,4,5,5")
    with Image.open("grey-restored.png") as result:
        assert result.mode == "L"
        pixels = np.array(result)
    pixels[4:9, 4:9] = grey[4:9, 4:9]
    np.testing.assert_array_equal(pixels, grey)


@pytest.mark.parametrize(("mode", "channels"), [("RGBA", 4), ("LA", 2)])
@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_the_alpha_channel_stays_as_it_was(folder, mode, channels, ending):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 32, channels), dtype="uint8")
    Image.fromarray(pixels).save("cat.png")
    run("cat.png", "--box", "4,6,5,5", "--out", f"out.{ending}")
    with Image.open(f"out.{ending}") as result:
        assert result.mode == ("RGBA" if ending == "webp" else mode)  # WebP knows no greyscale
        restored = np.array(result.convert(mode))
    np.testing.assert_array_equal(restored[..., -1], pixels[..., -1])
    known = rasterise([Box(4, 6, 5, 5)], (30, 32))[..., 0] == 0
    np.testing.assert_array_equal(restored[known], pixels[known])
    assert (restored[~known] != pixels[~known]).any()


def test_colour_profiles_stay_where_they_fit(folder):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise(20, 20)).save("rgb.png", icc_profile=profile)
    cmyk = Image.fromarray(np.full((20, 20, 4), 90, "uint8"), "CMYK")
    cmyk.save("print.jpg", icc_profile=profile[:16] + b"CMYK" + profile[20:])
    run("rgb.png", "print.jpg", "--box", "4,4,5,5")
    with Image.open("rgb-restored.png") as result:
        assert result.info["icc_profile"] == profile
    with Image.open("print-restored.jpg") as result:
        assert result.mode == "RGB"
        assert "icc_profile" not in result.info


def test_16_bits_become_8_and_a_kind_that_is_not_written_becomes_png(folder):
    deep = (np.arange(400, dtype="uint16") * 160).reshape(20, 20)
    Image.fromarray(deep).save("deep.png")
    Image.fromarray(noise(20, 20)).save("palette.gif")
    run("deep.png", "palette.gif", "--box", "4,4,5,5")
    with Image.open("deep-restored.png") as result:
        assert result.mode == "L"
        assert np.array(result)[19, 19] == deep[19, 19] >> 8
    known = rasterise([Box(4, 4, 5, 5)], 20)[..., 0] == 0
    np.testing.assert_array_equal(
        photos.read("palette-restored.png")[known], photos.read("palette.gif")[known]
    )


def test_several_photos_go_to_a_folder(folder):
    for name in ("a.png", "b.png"):
        Image.fromarray(noise(20, 20)).save(name)
    run("a.png", "b.png", "--box", "4,4,5,5", "--out", "new/folder", "--method", "mean")
    assert sorted(path.name for path in (folder / "new/folder").iterdir()) == [
        "a-restored.png",
        "b-restored.png",
    ]


def test_every_input_is_checked_before_the_first_is_written(folder, capsys):
    for name, side in (("a.png", 40), ("small.png", 20)):
        Image.fromarray(noise(side, side)).save(name)
    line = refused(capsys, "a.png", "small.png", "--box", "10,0,20,20")
    assert line == (
        "error: small.png: box 10,0,20,20 reaches over the edge of a 20×20 photo (rows×columns)"
    )
    (folder / "text.jpg").write_text("no photo")
    assert "text.jpg" in refused(capsys, "a.png", "text.jpg", "--box", "0,0,5,5")
    assert "gone.png" in refused(capsys, "a.png", "gone.png", "--box", "0,0,5,5")
    assert "no-such" in refused(capsys, "a.png", "--box", "0,0,5,5", "--method", "no-such")
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "small.png", "text.jpg"]


def test_what_is_missing_must_make_sense(folder, capsys):
    Image.fromarray(noise(20, 30)).save("a.png")
    Image.new("L", (20, 20), 255).save("square.png")
    Image.new("L", (30, 20), 0).save("none.png")
    Image.new("L", (30, 20), 255).save("all.png")
    assert "either --box" in refused(capsys, "a.png")
    assert "either --box" in refused(capsys, "a.png", "--box", "0,0,2,2", "--mask", "none.png")
    assert "ROW,COL" in refused(capsys, "a.png", "--box", "0;0")
    line = refused(capsys, "a.png", "--mask", "square.png")
    assert "square.png: a mask of 20×20 pixels" in line
    assert "a.png has 20×30" in line
    assert "none.png: nothing is missing" in refused(capsys, "a.png", "--mask", "none.png")
    assert "all of its 20×30 pixels" in refused(capsys, "a.png", "--mask", "all.png")
    assert "all of its 20×30 pixels" in refused(capsys, "a.png", "--box", "0,0,20,30")


def test_nothing_that_was_given_is_overwritten(folder, capsys):
    Image.fromarray(noise(20, 20)).save("a.png")
    (folder / "b").mkdir()
    Image.fromarray(noise(20, 20)).save("b/a.png")
    Image.fromarray(np.dstack([noise(20, 20), noise(20, 20)[..., 0]])).save("alpha.png")
    box = ("--box", "0,0,2,2")
    assert "would overwrite a.png" in refused(capsys, "a.png", *box, "--out", "a.png")
    assert "would overwrite b/a.png" in refused(
        capsys, "a.png", "b/a.png", *box, "--out", folder / "b/a.png"
    )
    assert "would both be written" in refused(capsys, "a.png", "b/a.png", *box, "--out", "c")
    assert "would both be written" in refused(capsys, "a.png", "b/a.png", *box, "--out", "c.png")
    assert "no .gif is written" in refused(capsys, "a.png", *box, "--out", "c.gif")
    assert "alpha channel" in refused(capsys, "alpha.png", *box, "--out", "c.jpg")


def test_targets():
    assert restore.target(Path("x/cat.JPG"), None) == Path("x/cat-restored.JPG")
    assert restore.target(Path("x/cat.gif"), None) == Path("x/cat-restored.png")
    assert restore.target(Path("x/cat.png"), Path("y.webp")) == Path("y.webp")
    assert restore.target(Path("x/cat.png"), Path("y.v2")) == Path("y.v2/cat-restored.png")
    with pytest.raises(BadInput, match=r"no \.pdf is written"):
        restore.target(Path("x/cat.png"), Path("y.pdf"))
