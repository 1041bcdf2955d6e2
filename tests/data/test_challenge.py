"""recon.data.challenge: the challenge's formats, against CHALLENGE.md's own lines."""

import re

import cv2
import numpy as np
import pytest

from recon import boxes
from recon.boxes import Box
from recon.data import challenge, photos
from recon.errors import BadInput

SIZE = 16  # a box is 5×5
NAMES = ["Tiger (10).jpeg", "Cat-Train (1).png", "a, b.jpg"]
PAIRS = [
    (Box(1, 2, 5, 5), Box(3, 4, 5, 5)),  # overlap
    (Box(0, 0, 5, 5), Box(11, 11, 5, 5)),  # both touch the edge
    (Box(5, 6, 5, 5), Box(5, 6, 5, 5)),  # the same place twice
]
INFO = list(zip(NAMES, PAIRS, strict=True))
ROWS = 2 * 5 * 5 * 3  # of a photo


def random_photo(seed, size=SIZE):
    return np.random.default_rng(seed).integers(10, 240, (size, size, 3), dtype="uint8")


@pytest.fixture
def folder(tmp_path):
    """Three masked photos and their masked_info.csv, as a challenge's Testing_Data."""
    place = tmp_path / "Testing_Data"
    place.mkdir()
    for number, (name, _) in enumerate(INFO):
        photos.write(place / name, random_photo(number))
    challenge.write_info(place / challenge.INFO, INFO)
    return place


def info_text(*rows, header=",filename,box1_row,box1_col,box2_row,box2_col"):
    return "\n".join([header, *rows]) + "\n"


GOOD = ["0,Tiger (10).jpeg,1,2,3,4", "1,Cat-Train (1).png,0,0,11,11", '2,"a, b.jpg",5,6,5,6']


# masked_info.csv


def test_the_info_is_written_as_the_challenge_does(folder):
    assert (folder / challenge.INFO).read_text() == info_text(*GOOD)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_info_is_read_in_its_own_order(folder, newline, encoding):
    text = info_text(*GOOD[::-1]).replace("\n", newline)
    (folder / challenge.INFO).write_bytes(text.encode(encoding))
    assert challenge.read_info(folder / challenge.INFO, folder) == INFO[::-1]


def test_names_that_pandas_would_take_for_something_else(tmp_path):
    names = ["NA.png", "007.png", "nan.png"]
    for name in names:
        photos.write(tmp_path / name, random_photo(0))
    challenge.write_info(tmp_path / "info.csv", [(name, PAIRS[0]) for name in names])
    read = challenge.read_info(tmp_path / "info.csv", tmp_path)
    assert [name for name, _ in read] == names


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "row 1 has no column filename"),
        (
            info_text(*GOOD, header=",filename,box1_row,box1_col,box2_row,col"),
            "row 1 has no column box2_col",
        ),
        (
            info_text(*GOOD, "3,gone.jpg,1,2,3,4"),
            "row 5, column filename: no photo 'gone.jpg' in",
        ),
        (info_text(*GOOD[:2]), "no row for the photo 'a, b.jpg' in"),
        (info_text(GOOD[0]), "no row for the photo 'Cat-Train (1).png' and 1 more in"),
        (info_text(*GOOD, GOOD[0]), "row 5, column filename: 'Tiger (10).jpeg' is in row 2"),
        (info_text(*GOOD, "3,,1,2,3,4"), "row 5, column filename: the cell is empty"),
        (
            info_text(*GOOD[1:], "0,Tiger (10).jpeg,12,2,3,4"),
            "row 4, column box1_row: 12 puts the box over the edge; 0 to 11 fit in a 16×16 photo",
        ),
        (
            info_text(*GOOD[1:], "0,Tiger (10).jpeg,1,2,3,-1"),
            "row 4, column box2_col: -1 puts the box over the edge",
        ),
        (
            info_text("0,Tiger (10).jpeg,1,two,3,4", *GOOD[1:]),
            "row 2, column box1_col: 'two' is not a whole number",
        ),
        (
            info_text("0,Tiger (10).jpeg,1,2,3.0,4", *GOOD[1:]),
            "row 2, column box2_row: '3.0' is not a whole number",
        ),
        (
            info_text("0,Tiger (10).jpeg,1,2,,4", *GOOD[1:]),
            "row 2, column box2_row: the cell is empty",
        ),
        (
            info_text(*GOOD[:2], "2,a, b.jpg,5,6,5,6"),
            "row 4 has 7 cells, the header 6",
        ),
    ],
)
def test_a_fault_in_the_info_is_one_line_with_file_row_and_column(folder, text, line):
    path = folder / challenge.INFO
    path.write_text(text)
    with pytest.raises(BadInput, match=re.escape(line)) as caught:
        challenge.read_info(path, folder)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_blank_lines_are_not_rows_but_count(folder):
    path = folder / challenge.INFO
    path.write_text(info_text(GOOD[0], "", *GOOD[1:], "", "3,gone.jpg,1,2,3,4"))
    with pytest.raises(BadInput, match=r"row 7, column filename: no photo 'gone\.jpg'"):
        challenge.read_info(path, folder)


def test_no_info_no_folder(folder):
    with pytest.raises(BadInput, match=r"gone\.csv: no such file"):
        challenge.read_info(folder / "gone.csv", folder)
    with pytest.raises(BadInput, match="gone: no such folder"):
        challenge.read_info(folder / challenge.INFO, folder / "gone")


def test_photos_of_a_challenge_are_square_and_of_one_size(folder):
    path = folder / challenge.INFO
    photos.write(folder / "a, b.jpg", random_photo(0, 12))
    with pytest.raises(BadInput, match=r"a, b\.jpg: 12×12 pixels, the photos before it 16×16"):
        challenge.read_info(path, folder)
    photos.write(folder / "a, b.jpg", random_photo(0)[:9])
    with pytest.raises(BadInput, match=r"a, b\.jpg: 9×16 pixels; .* are square"):
        challenge.read_info(path, folder)


# Submissions


def completed(number):
    return (random_photo(number) / 255).astype("float32")


def slow_rows(items, channels, values):
    """The submission's rows, by CHALLENGE.md's words and OpenCV, one value at a time."""
    for name, pair, photo in items:
        photo = photo if channels == "rgb" else photo[..., ::-1]
        if values == "minmax":
            photo = np.stack(
                [
                    cv2.normalize(photo[..., c].copy(), None, 0, 1, cv2.NORM_MINMAX)
                    for c in range(3)
                ],
                axis=-1,
            )
        for number, box in enumerate(pair, 1):
            for row in range(box.row, box.row + 5):
                for column in range(box.column, box.column + 5):
                    for c in range(3):
                        place = f"{name}_box{number}_{row}_{column}_{c}"
                        yield place, float(photo[row, column, c])


@pytest.mark.parametrize("values", ["minmax", "scaled"])
@pytest.mark.parametrize("channels", ["bgr", "rgb"])
def test_a_submission_holds_what_the_challenge_asks_for(tmp_path, channels, values):
    items = [(name, pair, completed(n)) for n, (name, pair) in enumerate(INFO)]
    path = tmp_path / "submission.csv"
    challenge.write_submission(path, iter(items), channels, values)
    lines = path.read_text().splitlines()
    assert lines[0] == "filename_box_pixel,value"
    expected = list(slow_rows(items, channels, values))
    assert len(lines) == 1 + len(expected) == 1 + 3 * ROWS
    for line, (place, value) in zip(lines[1:], expected, strict=True):
        written, number = line.rsplit(",", 1)
        assert written == (f'"{place}"' if "," in place else place)
        assert abs(float(number) - value) < 2e-6  # OpenCV's own is float32

    read = challenge.read_submission(path, INFO)
    assert [r.shape for r in read] == [(2, 5, 5, 3)] * 3
    np.testing.assert_allclose(np.concatenate(read).ravel(), [v for _, v in expected], atol=2e-6)


def test_the_documents_own_lines(tmp_path):
    """The first rows of CHALLENGE.md's example, to the letter."""
    photo = np.zeros((256, 256, 3), "float32")
    photo[58, 27] = np.array([75, 157, 126]) / 255
    photo[58, 28, 2] = 140 / 255
    pair = (Box(58, 27), Box(104, 15))
    path = tmp_path / "submission.csv"
    challenge.write_submission(path, [("Tiger (1024).jpeg", pair, photo)], "bgr", "scaled")
    lines = path.read_text().splitlines()
    assert lines[:5] == [
        "filename_box_pixel,value",
        "Tiger (1024).jpeg_box1_58_27_0,0.494118",
        "Tiger (1024).jpeg_box1_58_27_1,0.615686",
        "Tiger (1024).jpeg_box1_58_27_2,0.294118",
        "Tiger (1024).jpeg_box1_58_28_0,0.54902",
    ]
    assert lines[-1] == "Tiger (1024).jpeg_box2_178_89_2,0.0"
    assert len(lines) == 1 + 6_750_000 // 200


def test_minmax_spans_0_to_1_and_a_constant_channel_is_0():
    photo = completed(0)
    photo[..., 1] = 0.3
    scaled = challenge.minmax(photo)
    np.testing.assert_allclose(scaled.min((0, 1)), [0, 0, 0])
    np.testing.assert_allclose(scaled.max((0, 1)), [1, 0, 1])
    low, high = photo[..., 2].min(), photo[..., 2].max()
    np.testing.assert_allclose(scaled[..., 2], (photo[..., 2] - low) / (high - low), rtol=1e-5)


def test_a_submission_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("an older one")
    broken = completed(1)
    broken[12, 12, 1] = np.nan
    items = [(NAMES[0], PAIRS[0], completed(0)), (NAMES[1], PAIRS[1], broken)]
    with pytest.raises(BadInput, match=r"Cat-Train \(1\)\.png: .* no numbers"):
        challenge.write_submission(path, items)
    assert path.read_text() == "an older one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def lines(tmp_path):
    """The rows of a good submission, header first."""
    items = [(name, pair, completed(n)) for n, (name, pair) in enumerate(INFO)]
    challenge.write_submission(tmp_path / "good.csv", items)
    return (tmp_path / "good.csv").read_text().splitlines()


def refusal(tmp_path, lines):
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        challenge.read_submission(path, INFO)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# Row n of the file is lines[n - 1]; row 155 is the fourth of the second photo.
SECOND = "Cat-Train (1).png_box1_0_{}"


def test_a_missing_row(tmp_path, lines):
    del lines[154]
    assert refusal(tmp_path, lines).startswith(
        f"row 155 is '{SECOND.format('1_1')}', expected '{SECOND.format('1_0')}'"
    )


def test_a_missing_last_row(tmp_path, lines):
    assert refusal(tmp_path, lines[:-1]) == (
        "the file ends before row 451, expected 'a, b.jpg_box2_9_10_2' there"
    )


def test_a_submission_of_some_photos_only(tmp_path, lines):
    assert refusal(tmp_path, lines[: 1 + ROWS]) == (
        f"the file ends before row {2 + ROWS}, expected '{SECOND.format('0_0')}' there"
    )


def test_an_extra_row(tmp_path, lines):
    lines.insert(154, "cat.jpg_box1_0_0_0,0.5")
    assert refusal(tmp_path, lines).startswith(
        f"row 155 is 'cat.jpg_box1_0_0_0', expected '{SECOND.format('1_0')}'"
    )


def test_an_extra_last_row(tmp_path, lines):
    lines.append("cat.jpg_box1_0_0_0,0.5")
    assert refusal(tmp_path, lines) == (
        "row 452 is 'cat.jpg_box1_0_0_0', expected the end of the file"
    )


def test_a_repeated_row(tmp_path, lines):
    lines.insert(154, lines[153])
    assert refusal(tmp_path, lines).startswith(
        f"row 155 is '{SECOND.format('0_2')}', which is there already, "
        f"expected '{SECOND.format('1_0')}'"
    )


def test_rows_out_of_order(tmp_path, lines):
    lines[154], lines[155] = lines[155], lines[154]
    assert refusal(tmp_path, lines).startswith(
        f"row 155 is '{SECOND.format('1_1')}', expected '{SECOND.format('1_0')}'"
    )


@pytest.mark.parametrize("text", ["", "NA", "nan", "inf", "half", "1,2"])
def test_a_value_that_is_no_number(tmp_path, lines, text):
    name = lines[154].split(",")[0]
    lines[154] = f"{name},{text}"
    message = refusal(tmp_path, lines)
    assert message.startswith(f"row 155 ('{SECOND.format('1_0')}')")
    assert ("has 3 cells" if text == "1,2" else f"{text!r} is not a number") in message


def test_a_blank_row_in_the_middle(tmp_path, lines):
    lines.insert(154, "")
    assert refusal(tmp_path, lines) == f"row 155 is empty, expected '{SECOND.format('1_0')}'"


def test_a_wrong_header_and_no_file(tmp_path, lines):
    message = refusal(tmp_path, ["id,value", *lines[1:]])
    assert message == "row 1 is 'id,value', expected 'filename_box_pixel,value'"
    assert refusal(tmp_path, []).startswith("row 1 is ''")
    with pytest.raises(BadInput, match=r"gone\.csv: no such file"):
        challenge.read_submission(tmp_path / "gone.csv", INFO)


def test_a_submission_saved_by_excel(tmp_path, lines):
    path = tmp_path / "excel.csv"
    path.write_text("\r\n".join(lines) + "\r\n\r\n", encoding="utf-8-sig", newline="")
    assert len(challenge.read_submission(path, INFO)) == 3


# Score


@pytest.fixture
def truth(tmp_path):
    place = tmp_path / "truth"
    place.mkdir()
    for number, (name, _) in enumerate(INFO):
        photos.write(place / name, random_photo(100 + number))
    return place


@pytest.mark.parametrize("values", ["minmax", "scaled"])
@pytest.mark.parametrize("channels", ["bgr", "rgb"])
def test_the_score_is_the_rmse_over_all_rows(tmp_path, folder, truth, channels, values):
    items = [(name, pair, completed(n)) for n, (name, pair) in enumerate(INFO)]
    path = tmp_path / "submission.csv"
    challenge.write_submission(path, items, channels, values)
    right = [(n, p, (photos.read(truth / n) / 255).astype("float32")) for n, p in INFO]
    pairs = zip(slow_rows(items, "rgb", values), slow_rows(right, "rgb", values), strict=True)
    errors = [(guess - said) ** 2 for (_, guess), (_, said) in pairs]
    expected = (sum(errors) / len(errors)) ** 0.5
    found = challenge.score(path, tmp_path, truth, channels, values)
    assert abs(found - expected) < 1e-6
    other = {"bgr": "rgb", "rgb": "bgr"}[channels]
    assert abs(challenge.score(path, tmp_path, truth, other, values) - expected) > 1e-3


def test_the_truth_itself_scores_0(tmp_path, folder, truth):
    path = tmp_path / "submission.csv"
    items = [(name, pair, photos.read(truth / name) / 255) for name, pair in INFO]
    challenge.write_submission(path, items)
    assert challenge.score(path, tmp_path, truth) < 1e-6  # six decimals


def test_faults_of_the_truth(tmp_path, folder, truth, lines):
    path = tmp_path / "good.csv"
    (truth / NAMES[1]).unlink()
    with pytest.raises(BadInput, match=r"truth/Cat-Train \(1\)\.png: no such photo"):
        challenge.score(path, tmp_path, truth)
    photos.write(truth / NAMES[1], random_photo(0, 12))
    with pytest.raises(BadInput, match="12×12 pixels, its masked version 16×16"):
        challenge.score(path, tmp_path, truth)
    (truth / NAMES[1]).write_text("no photo")
    with pytest.raises(BadInput, match=r"truth/Cat-Train \(1\)\.png: .*not an image"):
        challenge.score(path, tmp_path, truth)
    with pytest.raises(BadInput, match="gone: no such folder"):
        challenge.score(path, tmp_path, tmp_path / "gone")


def test_testing_finds_the_folder_or_says_what_is_missing(tmp_path, folder):
    assert challenge.testing(tmp_path) == (folder, INFO)
    (tmp_path / "Dataset").mkdir()
    folder.rename(tmp_path / "Dataset" / "Testing_Data")
    assert challenge.testing(tmp_path) == (tmp_path / "Dataset" / "Testing_Data", INFO)
    with pytest.raises(BadInput, match="gone: no such folder"):
        challenge.testing(tmp_path / "gone")
    (tmp_path / "else").mkdir()
    with pytest.raises(BadInput, match="no challenge folder, it has no Testing_Data"):
        challenge.testing(tmp_path / "else")


def test_a_challenge_folder_is_written_whole(tmp_path):
    training = [("Cat", f"{n}.png", random_photo(n), PAIRS[n]) for n in range(2)]
    testing = [("3.png", random_photo(3), PAIRS[0]), ("NA.png", random_photo(4), PAIRS[1])]
    challenge.write(tmp_path, iter(training), iter(testing))
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {
        *(
            f"Training_Data/Cat/{k}/{n}.png"
            for k in ("Masked_Train", "Unmasked_Train")
            for n in (0, 1)
        ),
        "Training_Data/Cat/Masked_Train/masked_info.csv",
        *(f"{k}/{n}.png" for k in ("Testing_Data", "Testing_Truth") for n in ("3", "NA")),
        "Testing_Data/masked_info.csv",
        "sample_submission.csv",
    }
    for complete, masked, pair in (
        ("Testing_Truth/3.png", "Testing_Data/3.png", PAIRS[0]),
        *(
            (
                f"Training_Data/Cat/Unmasked_Train/{n}.png",
                f"Training_Data/Cat/Masked_Train/{n}.png",
                PAIRS[n],
            )
            for n in (0, 1)
        ),
    ):
        mask = boxes.rasterise(pair, SIZE)
        np.testing.assert_array_equal(
            photos.read(tmp_path / masked), photos.read(tmp_path / complete) * (1 - mask)
        )
    assert challenge.testing(tmp_path)[1] == [("3.png", PAIRS[0]), ("NA.png", PAIRS[1])]
    place = tmp_path / "Training_Data" / "Cat"
    assert challenge.read_pairs(place) == [("0.png", PAIRS[0], SIZE), ("1.png", PAIRS[1], SIZE)]
    sample = challenge.read_submission(
        tmp_path / "sample_submission.csv", challenge.testing(tmp_path)[1]
    )
    assert (np.concatenate(sample) == 0).all()
