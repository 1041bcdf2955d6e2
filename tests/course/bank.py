"""Where wrong answers gather: `wrong_answers/lesson_NN.py` fill it, tests empty it.

from bank import accepted, refused

@refused("1.2", "rows and columns swapped", "Rows come first")
def rasterise(boxes, size): ...

@accepted("1.2", "by comparing coordinates instead of slicing")
def rasterise(boxes, size): ...

The functions have the exercise's name, so that a refusal reads as a learner sees it: such a file
begins with `# ruff: noqa: F811`. `tests/course/test_wrong_answers.py` holds them against the check.
"""

from collections.abc import Callable
from typing import NamedTuple


class Entry(NamedTuple):
    """An answer to exercise `id`; `hint` is part of the hint that it must get, None if right."""

    id: str
    what: str
    hint: str | None
    function: Callable


BANK: list[Entry] = []


def refused(id: str, what: str, hint: str) -> Callable:
    """Note a typical wrong answer, and a part of the hint that it must be refused with."""

    def note(function: Callable) -> Callable:
        BANK.append(Entry(id, what, hint, function))
        return function

    return note


def accepted(id: str, what: str) -> Callable:
    """Note an answer that differs from the package's and is right."""

    def note(function: Callable) -> Callable:
        BANK.append(Entry(id, what, None, function))
        return function

    return note
