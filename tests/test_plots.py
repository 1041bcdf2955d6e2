"""recon.plots: what is written under a comparison, and where."""

import numpy as np
import pytest
from PIL import Image

from recon import plots


@pytest.fixture
def drawn(monkeypatch):
    """The figure that would be saved."""
    kept = []
    monkeypatch.setattr(plots, "save", lambda figure, path: kept.append(figure))
    return kept


def test_a_comparison_has_each_rmse_below_and_the_lowest_of_a_row_in_bold(drawn, tmp_path):
    photo = np.random.default_rng(0).random((2, 8, 8, 3))
    columns = {"masked": photo * 0, "blurred": photo / 2, "sharp": photo / 3, "truth": photo}
    errors = {"blurred": [0.1234, 0.2], "sharp": [0.3, 0.1996]}
    plots.comparison(tmp_path / "a.png", columns, errors)
    cells = np.array(drawn[0].axes).reshape(2, 4)
    assert [cell.get_title() for cell in cells[0]] == list(columns)
    assert [cell.get_title() for cell in cells[1]] == [""] * 4
    below = [[cell.xaxis.label for cell in row] for row in cells]
    assert [[label.get_text() for label in row] for row in below] == [
        ["RMSE", "0.123", "0.300", ""],
        ["RMSE", "0.200", "0.200", ""],
    ]
    bold = [[label.get_fontweight() == "bold" for label in row] for row in below]
    assert bold == [[False, True, False, False], [False, False, True, False]]
    for row in range(2):
        for column, pictures in enumerate(columns.values()):
            np.testing.assert_array_equal(cells[row, column].images[0].get_array(), pictures[row])


def test_a_comparison_can_be_opened(tmp_path):
    photo = np.ones((1, 8, 8, 3), "float32")
    plots.comparison(tmp_path / "a.png", {"masked": photo, "mean": photo}, {"mean": [0.0]})
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (330, 195)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_similarities_have_a_row_and_a_column_per_name_and_every_value(drawn, tmp_path):
    cosines = np.array([[1, 0.25, 0.5], [0.25, 1, 0.75], [0.5, 0.75, 1]])
    names = ["a tiger", "a $cat$", "no text"]
    plots.similarities(tmp_path / "a.png", names, cosines)
    (cell,) = drawn[0].axes
    rows = [label.get_text() for label in cell.yaxis.get_ticklabels()]
    assert rows == ["1 a tiger", "2 a $cat$", "3 no text"]
    assert [label.get_text() for label in cell.xaxis.get_ticklabels()] == ["1", "2", "3"]
    values = [f"{value:.2f}" for value in cosines.ravel()]
    assert [value.get_text() for value in cell.texts] == values


def test_one_prompt_with_half_a_formula_can_be_drawn(tmp_path):
    plots.similarities(tmp_path / "a.png", ["$a"], np.ones((1, 1)))
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 100
