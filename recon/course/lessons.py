"""The hand-written source of a lesson, `solutions/NN_topic.py`, as cells."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jupytext

from recon.errors import BadInput

SOURCES = Path("solutions")  # what is written by hand, and the solved notebooks
LESSONS = Path("lessons")  # what learners are given
PICTURES = "pictures"  # in both

NAME = re.compile(r"\d\d_[a-z0-9_]+")
LAYOUT = {"lines_to_next_cell", "lines_to_end_of_cell_marker"}  # jupytext's, of blank lines
HEADER = re.compile(r"(exercise) (\d+\.\d+) ([\w.]+)|(source) ([\w.]+)")
PICTURE = re.compile(r"""\]\(pictures/([^)\s]+)|src=["']pictures/([^"']+)""")


@dataclass(frozen=True)
class Cell:
    """A cell as it is written: `line` is its header's in the file.

    `markdown` and `code` cells have their text; `exercise` and `source` cells name a function of
    the package, `path`, and exercises have an `id`.
    """

    kind: Literal["markdown", "code", "exercise", "source"]
    line: int
    text: str = ""
    path: str = ""
    id: str = ""


@dataclass(frozen=True)
class Lesson:
    """A lesson's source: where it is, and its cells."""

    file: Path
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """`01_boxes_and_masks`"""
        return self.file.stem

    @property
    def number(self) -> str:
        """`01`"""
        return self.name[:2]

    @property
    def blank_file(self) -> Path:
        """The notebook that learners are given."""
        return self.file.parent.parent / LESSONS / f"{self.name}.ipynb"

    @property
    def solved_file(self) -> Path:
        """The notebook with answers and outputs."""
        return self.file.with_suffix(".ipynb")

    @property
    def prose(self) -> str:
        """All text between the code."""
        return "\n\n".join(c.text for c in self.cells if c.kind == "markdown")

    def place(self, cell: Cell) -> str:
        """`solutions/01_boxes_and_masks.py:24`, for messages."""
        return f"{self.file.parent.name}/{self.file.name}:{cell.line}"

    def pictures(self) -> dict[str, Cell]:
        """File names in `pictures/` that the prose shows, each with the cell that does."""
        found = {}
        for cell in self.cells:
            if cell.kind == "markdown":
                for names in PICTURE.findall(cell.text):
                    found.setdefault(next(filter(None, names)), cell)
        return found


def sources(root: Path) -> list[Path]:
    """The sources of all lessons, in order.

    Raises:
        BadInput: there is no folder of them, or two lessons have one number.
    """
    folder = root / SOURCES
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; run this in the folder that has solutions/")
    found = sorted(f for f in folder.glob("*.py") if NAME.fullmatch(f.stem))
    for before, after in itertools.pairwise(found):
        if before.stem[:2] == after.stem[:2]:
            raise BadInput(f"{after}: {before.name} has that number already; take another")
    return found


def choose(root: Path, words: list[str]) -> list[Path]:
    """The sources that words such as `4`, `04` or `04_unet` mean; all, if there are no words.

    Raises:
        BadInput: a word means none.
    """
    found = sources(root)
    chosen = []
    for word in words:
        stem = Path(word).name.removesuffix(".py").removesuffix(".ipynb")
        number = f"{int(stem):02d}" if stem.isdecimal() else None
        fitting = [f for f in found if f.stem == stem or f.stem[:2] == number]
        if not fitting:
            names = ", ".join(f.stem for f in found) or "none yet"
            raise BadInput(f"{word}: no lesson of that name; there are {names}")
        chosen += fitting
    return sorted(set(chosen)) if words else found


def read(file: Path) -> Lesson:
    """Read a lesson's source.

    Raises:
        BadInput: a cell that is not as it should be, with file and line.
    """
    text = file.read_text("utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    lines = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"# %%(\s|$)", line)]
    if len(lines) != len(notebook.cells):  # what stands before the first header is a cell, too
        raise BadInput(f"{file.parent.name}/{file.name}:1: begin with a line `# %% [markdown]`")
    lesson = Lesson(file, tuple(map(read_cell, notebook.cells, lines)))
    for cell, written in zip(lesson.cells, notebook.cells, strict=True):
        complain(lesson.place(cell), cell, written)
    return lesson


def read_cell(written, line: int) -> Cell:
    """One cell of jupytext's as one of ours."""
    header = HEADER.fullmatch(written.metadata.get("title", ""))
    if header and header[1]:
        return Cell("exercise", line, path=header[3], id=header[2])
    if header:
        return Cell("source", line, path=header[5])
    return Cell(written.cell_type, line, text=written.source)


def complain(place: str, cell: Cell, written) -> None:
    """Raise BadInput where a cell is not one of the four kinds."""
    if cell.kind in ("exercise", "source"):
        if written.source.strip():
            raise BadInput(f"{place}: leave the cell empty, its text comes from {cell.path}")
    elif cell.kind not in ("markdown", "code") or set(written.metadata) - LAYOUT:
        raise BadInput(
            f"{place}: a header is `# %%`, `# %% [markdown]`, `# %% exercise ID PATH` "
            "or `# %% source PATH`"
        )
    elif not cell.text.strip():
        raise BadInput(f"{place}: an empty cell; remove it")
