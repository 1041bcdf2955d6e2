"""What tests of a learner's way share: two made-up lessons, and notebooks with answers to them.

Run as a program it judges a notebook as `recon.course.answers` does, knowing those lessons.
"""

import json
import os
import sys
from pathlib import Path

import pytest

from recon.course import answers, checks, exercise, folder

HERE = Path(__file__).parent
BLANKS = {
    "97.1": 'def double(x):\n    """Twice as much."""\n    raise NotImplementedError("97.1")',
    "97.2": 'def total(x):\n    """All of it, twice."""\n    raise NotImplementedError("97.2")',
    "97.10": 'def last(x):\n    """The last number."""\n    raise NotImplementedError("97.10")',
    "98.1": 'def negative(x):\n    raise NotImplementedError("98.1")',
}
RIGHT = {
    "97.1": "def double(x):\n    return x + x",
    "97.2": "def total(x):\n    return float(np.sum(double(x)))",
    "97.10": "def last(x):\n    return float(x[len(x) - 1])",
    "98.1": "def negative(x):\n    return 0 - x",
}
ENDLESS = "import time\ndef double(x):\n    while True:\n        time.sleep(1)"


def learn_lessons() -> None:
    """Have the made-up lessons found beside the course's own."""
    checks.__path__ = [*checks.__path__, str(HERE / "made_up")]
    exercise.LESSONS = ("97", "98")


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """A course of two made-up lessons; its checkout is a folder with the notebooks as shipped."""
    monkeypatch.setattr(checks, "__path__", list(checks.__path__))
    monkeypatch.setattr(exercise, "LESSONS", exercise.LESSONS)
    learn_lessons()
    monkeypatch.setattr(answers, "WORKER", (sys.executable, str(HERE / "classroom.py")))
    checkout = tmp_path / "checkout"
    write(checkout / "lessons" / "97_numbers.ipynb", notebook("97"))
    write(checkout / "lessons" / "98_signs.ipynb", notebook("98"))
    (checkout / "lessons" / "pictures").mkdir()
    (checkout / "lessons" / "pictures" / "97_line.svg").write_text("<svg/>")
    monkeypatch.setattr(folder, "CHECKOUT", checkout)
    monkeypatch.chdir(checkout)
    return checkout


def code(source: str, **marks: str) -> dict:
    """A code cell; `exercise="97.1"` or `check="97.1"` mark it."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "a",
        "metadata": {"recon": marks, "tags": list(marks)} if marks else {},
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


def prose(text: str) -> dict:
    """A markdown cell."""
    return {"cell_type": "markdown", "id": "b", "metadata": {}, "source": [text]}


TITLES = {"97": "# 97  Numbers, and `more`\n\nOf which there are many.", "98": "# 98 Signs"}


def notebook(number: str, given: dict[str, str] | None = None, *more: dict) -> dict:
    """A lesson's notebook with some answers given, and more cells after the first."""
    cells = [prose(TITLES[number]), code("import numpy as np"), *more]
    for id, blank in BLANKS.items():
        if id.startswith(number):
            name = blank[4 : blank.index("(")]
            cells.append(code((given or {}).get(id, blank), exercise=id))
            cells.append(code(f'{name} = check("{id}", {name})', check=id))
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def write(path: Path, content: dict) -> Path:
    """Write a notebook as Jupyter does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


if __name__ == "__main__":
    learn_lessons()
    sys.path[0] = os.getcwd()  # as `python -m` has it
    answers.main(*sys.argv[1:])
