"""recon.progress: bars, and bars within bars."""

import pytest
from rich.console import Console

from recon import progress as module
from recon.progress import progress


@pytest.mark.parametrize("terminal", [True, False])
def test_every_item_comes_once_and_in_order_within_another_bar_too(monkeypatch, terminal):
    monkeypatch.setattr(module, "Console", lambda stderr: Console(force_terminal=terminal))
    seen = [
        (outer, inner)
        for outer in progress(range(2), "outer", 2)
        for inner in progress("ab", "inner", 2)
    ]
    assert seen == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]
    assert list(progress([], "after", 0)) == []


def test_a_bar_that_is_left_early_makes_room_for_the_next(monkeypatch):
    monkeypatch.setattr(module, "Console", lambda stderr: Console(force_terminal=True))

    def fail():
        for _ in progress(range(3), "outer", 3):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(progress(range(3), "another", 3)) == [0, 1, 2]


def test_a_notebook_shows_no_bar(monkeypatch, capsys):
    monkeypatch.setattr(module, "Console", lambda stderr: Console(force_jupyter=True))
    assert list(progress(range(3), "reading photos", 3)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
