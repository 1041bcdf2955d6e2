"""A learner's folder: its notebooks, the answers in them, and a blank put back.

A notebook is changed in one cell only; every other byte of its file stays as it was.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import NamedTuple

import recon
from recon import atomic
from recon.course import outline
from recon.errors import BadInput

OWN = "my_lessons"  # what `start` makes
ANSWERS = "answers"  # beside the notebooks: what `reset` took out of them
CHECKOUT = Path(recon.__file__).parents[1]


class Cell(NamedTuple):
    """A cell of a notebook: `exercise` is the id whose answer it holds, `check` whose it judges."""

    index: int
    kind: str
    source: str
    exercise: str = ""
    check: str = ""


@dataclass(frozen=True)
class Notebook:
    """A notebook as it lies in a file."""

    path: Path
    text: str
    cells: tuple[Cell, ...]

    @cached_property
    def answers(self) -> dict[str, Cell]:
        """exercise id -> the cell that counts: where there are copies, the last."""
        return {c.exercise: c for c in self.cells if c.exercise}

    @property
    def copied(self) -> list[str]:
        """Exercises with more than one cell."""
        ids = [c.exercise for c in self.cells if c.exercise]
        return sorted({id for id in ids if ids.count(id) > 1}, key=outline.place)

    @property
    def number(self) -> str:
        """Which lesson it is, `04`; empty if no cell says so."""
        numbers = [outline.lesson_of(id) for id in self.answers]
        return max(sorted(set(numbers)), key=numbers.count) if numbers else ""

    @property
    def title(self) -> str:
        """Its first heading, without the lesson's number; else the file's name."""
        for cell in self.cells:
            heading = re.search(r"^# +(.+)$", cell.source, re.MULTILINE)
            if cell.kind == "markdown" and heading:
                plain = re.sub(r"^(Lesson )?\d+\s*[.:·–—-]?\s+", "", heading[1].strip())
                return re.sub(r"[*`]", "", plain)
        return self.path.stem


def read(path: Path) -> Notebook:
    """Read a notebook.

    Raises:
        BadInput: it is none, or not any more.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        cells = json.loads(text)["cells"]
        return Notebook(path, text, tuple(read_cell(*pair) for pair in enumerate(cells)))
    except json.JSONDecodeError as error:
        what = f"line {error.lineno}, column {error.colno}: {error.msg}"
    except UnicodeDecodeError:
        what = "its text is not UTF-8"
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        what = "its cells are not a notebook's"
    raise BadInput(f"{path}: cannot be read as a notebook ({what})")


def read_cell(index: int, cell: dict) -> Cell:
    """A cell out of a notebook's JSON."""
    source = cell.get("source", "")
    source = source if isinstance(source, str) else "".join(source)
    marks = cell.get("metadata", {}).get("recon", {})
    if cell["cell_type"] != "code" or not isinstance(marks, dict):
        marks = {}
    ids = [str(marks.get(kind, "")) for kind in ("exercise", "check")]
    ids = [id if re.fullmatch(r"\d+\.\d+", id) else "" for id in ids]
    return Cell(index, cell["cell_type"], source, *ids)


def untouched(source: str) -> bool:
    """Whether an answer is still as it was given: nothing under a docstring but the blank."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError):
        return False
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    return bool(body) and len(functions) == len(body) and all(map(is_blank, functions))


def is_blank(function: ast.FunctionDef) -> bool:
    """Whether a function does nothing but raise NotImplementedError."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return len(body) == 1 and ast.unparse(body[0]).startswith("raise NotImplementedError")


class Found(NamedTuple):
    """Lesson number -> its notebook, and a line for each file that has something odd."""

    notebooks: dict[str, Notebook]
    notes: list[str]


def lessons(folder: Path, pattern: str = "*.ipynb") -> Found:
    """The lesson notebooks of a folder, known by their cells; others are not looked at."""
    notebooks, notes = {}, []
    for path in sorted(folder.glob(pattern)):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # Jupyter's own copies
        try:
            notebook = read(path)
        except BadInput as error:
            notes.append(str(error))
            continue
        number = notebook.number
        if not number:
            continue
        if number in notebooks:  # Jupyter names a copy NAME-Copy1, which is sorted before NAME
            first, second = sorted((notebooks[number], notebook), key=lambda n: len(n.path.name))
            notes.append(f"{second.path.name}: lesson {number} again; {first.path.name} counts")
            notebook = first
        notebooks[number] = notebook
    return Found(notebooks, notes)


def shipped() -> Path:
    """The lessons as they come with the course.

    Raises:
        BadInput: the package does not run from a checkout.
    """
    folder = CHECKOUT / "lessons"
    if not any(folder.glob("*.ipynb")):
        raise BadInput(
            f"{folder}: no lessons there; clone the repository and, in it, run "
            '`pip install -e ".[course]"`'
        )
    return folder


def choose(folder: Path | None) -> Path:
    """The folder to look at: the one named, else the nearest that has lessons.

    Raises:
        BadInput: the one named has none.
    """
    if folder is not None:
        if not folder.is_dir():
            raise BadInput(f"{folder}: no such folder")
        found = lessons(folder)
        if not found.notebooks:
            first = f" ({found.notes[0]})" if found.notes else ""
            raise BadInput(f"{folder}: no lesson's notebook in it{first}")
        return folder
    for place in (Path(), Path(OWN), CHECKOUT / OWN):
        if any(map(is_lesson, sorted(place.glob("*.ipynb")))):
            return place
    return shipped()


def is_lesson(path: Path) -> bool:
    """Whether a file is a lesson's notebook."""
    try:
        return bool(read(path).number)
    except BadInput:
        return False


def notebook_of(folder: Path, id: str) -> Notebook:
    """The notebook of an exercise's lesson.

    Raises:
        BadInput: it is not in the folder.
    """
    found = lessons(folder)
    number = outline.lesson_of(id)
    if number not in found.notebooks:
        raise BadInput(missing(folder, number, found))
    return found.notebooks[number]


def missing(folder: Path, number: str, found: Found) -> str:
    """That a lesson's notebook is not in a folder; perhaps because it cannot be read."""
    broken = f" ({found.notes[0]})" if found.notes else ""
    return f"{folder.absolute()}: no notebook of lesson {number}{broken}"


# A blank put back ---------------------------------------------------------------------------


def keep(folder: Path, id: str, answer: str) -> Path:
    """Write an answer to a file of its own, `answers/4.2-1.py`; an older one is never replaced."""
    place = folder / ANSWERS
    place.mkdir(exist_ok=True)
    for number in count(1):
        path = place / f"{id}-{number}.py"
        try:
            with path.open("x", encoding="utf-8", newline="") as file:
                file.write(answer.rstrip("\n") + "\n")
            return path
        except FileExistsError:
            continue


def put_back(notebook: Notebook, id: str, blank: str) -> None:
    """Give an exercise's cell another source; nothing else in the file changes.

    What the cell printed goes with the old source.
    """
    text = notebook.text
    cell = cells_in(text)[notebook.answers[id].index]
    fields = dict(members(text, cell.start))
    new = {"source": lines_as_json(blank), "outputs": [], "execution_count": None}
    for name in sorted(set(new) & set(fields), key=lambda name: -fields[name].start):
        span = fields[name]
        begin = text.rfind("\n", 0, span.start) + 1
        indent = re.match(r"[ \t]*", text[begin:])[0]
        value = json.dumps(new[name], ensure_ascii=False, indent=1).replace("\n", "\n" + indent)
        text = text[: span.start] + value + text[span.stop :]
    write(notebook.path, text)


def put_in(notebook: Notebook, id: str, name: str, blank: str) -> None:
    """Give a notebook the cells of an exercise that it has lost: the blank, and its check.

    They come after the exercise before, else at the end.
    """
    text = notebook.text
    marked = [
        (c.index, outline.place(c.exercise or c.check))
        for c in notebook.cells
        if c.exercise or c.check
    ]
    later = [index for index, other in marked if other > outline.place(id)]
    earlier = [i for i, _ in marked if i < later[0]] if later else [i for i, _ in marked]
    spans = cells_in(text)
    after = spans[earlier[-1] if earlier else -1].stop
    new = [
        code_cell("exercise", id, blank),
        code_cell("check", id, f'{name} = check("{id}", {name})'),
    ]
    for cell in reversed(new):
        value = json.dumps(cell, ensure_ascii=False, indent=1).replace("\n", "\n  ")
        text = f"{text[:after]},\n  {value}{text[after:]}"
    write(notebook.path, text)


def code_cell(kind: str, id: str, source: str) -> dict:
    """A code cell as notebooks keep it."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": f"{kind}-{id.replace('.', '-')}-again",
        "metadata": {"recon": {kind: id}, "tags": [kind]},
        "outputs": [],
        "source": lines_as_json(source),
    }


def write(path: Path, text: str) -> None:
    """Write a notebook's text whole, byte for byte."""
    with atomic.writing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def cells_in(text: str) -> list[slice]:
    """Where each cell of a notebook stands in its text."""
    return list(elements(text, dict(members(text, 0))["cells"].start))


def lines_as_json(source: str) -> list[str]:
    """A cell's source as notebooks keep it: a list of lines with their ends."""
    return source.splitlines(keepends=True)


# Where things stand in JSON text, without reading and writing it anew

_value = json.JSONDecoder().raw_decode


def skip(text: str, at: int) -> int:
    """The next place that is neither white nor a comma or a colon."""
    return re.compile(r"[\s,:]*").match(text, at).end()


def members(text: str, at: int) -> Iterator[tuple[str, slice]]:
    """The keys of the object that begins at a place, each with where its value stands."""
    at = skip(text, skip(text, at) + 1)
    while text[at] != "}":
        key, end = _value(text, at)
        start = skip(text, end)
        end = _value(text, start)[1]
        yield key, slice(start, end)
        at = skip(text, end)


def elements(text: str, at: int) -> Iterator[slice]:
    """Where each element of the array that begins at a place stands."""
    at = skip(text, skip(text, at) + 1)
    while text[at] != "]":
        end = _value(text, at)[1]
        yield slice(at, end)
        at = skip(text, end)
