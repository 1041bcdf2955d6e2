"""Lessons and solutions out of their sources: `python -m recon.course build`."""

import ast
import hashlib
import inspect
import pkgutil
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import nbformat
from cyclopts import Parameter
from nbformat import NotebookNode, v4

from recon import atomic, commandline
from recon.course import execute as running
from recon.course import lessons as sources
from recon.course.exercise import Exercise, of_lesson
from recon.course.lessons import LESSONS, PICTURES, SOURCES, Cell, Lesson
from recon.errors import BadInput

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
AGAIN = "run `python -m recon.course build`"
KEPT = ("README.md", "conftest.py")  # what may lie beside the notebooks


# a function's text, whole and blank


def source_of(thing: Callable, place: str) -> str:
    """A function's or a class's own text, without a newline at its end."""
    try:
        return textwrap.dedent(inspect.getsource(thing)).rstrip()
    except (TypeError, OSError):
        raise BadInput(f"{place}: no source to be found; name a function or a class") from None


def blank(source: str, id: str, place: str = "") -> str:
    """A function as a learner gets it: decorators, signature, docstring, and nothing else.

    Args:
        source: the function's text.
        id: the exercise, which the blank's NotImplementedError names.
        place: file and line of the lesson, for messages.

    Raises:
        BadInput: no function, one without a docstring, or one without a body.
    """
    function = ast.parse(source).body[0]
    if not isinstance(function, ast.FunctionDef):
        raise BadInput(f"{place}: exercise {id} is no function; make it one")
    if not ast.get_docstring(function):
        raise BadInput(f"{place}: {function.name} has no docstring; say what it takes and gives")
    docstring, *body = function.body
    lines = source.splitlines()
    before = lines[docstring.lineno - 1][: docstring.col_offset]
    if not body or before.strip() or body[0].lineno == docstring.end_lineno:
        raise BadInput(f"{place}: {function.name} needs lines of its own below the docstring")
    stub = f'{before}raise NotImplementedError("{id}")'
    return "\n".join([*lines[: docstring.end_lineno], stub])


# notebooks


def make(lesson: Lesson, *, solved: bool) -> NotebookNode:
    """The lesson's notebook, with blanks or with answers; nothing in it has run.

    Raises:
        BadInput: an exercise that the checks do not know, or know otherwise, or in another order.
    """
    exercises = {e.id: e for e in of_lesson(lesson.number)}
    agree(lesson, exercises)
    cells = []
    for cell in lesson.cells:
        place = lesson.place(cell)
        if cell.kind == "markdown":
            cells.append(v4.new_markdown_cell(cell.text))
        elif cell.kind == "code":
            cells.append(v4.new_code_cell(cell.text))
        elif cell.kind == "source":
            cells.append(v4.new_code_cell(source_of(resolve(cell, place), place)))
        else:
            answer = source_of(exercises[cell.id].reference, place)
            hidden = blank(answer, cell.id, place)  # solved ones too: what is wrong shows at once
            name = exercises[cell.id].name
            check = f'{name} = check("{cell.id}", {name})'
            cells.append(marked("exercise", cell.id, answer if solved else hidden))
            cells.append(marked("check", cell.id, check))
    name_cells(cells, [c for c in lesson.cells for _ in range(1 + (c.kind == "exercise"))])
    notebook = v4.new_notebook(cells=cells, metadata=METADATA)
    notebook.nbformat_minor = 5
    return notebook


def marked(kind: str, id: str, text: str) -> NotebookNode:
    """A code cell that says in its metadata which exercise it belongs to."""
    return v4.new_code_cell(text, metadata={"recon": {kind: id}, "tags": [kind]})


def name_cells(cells: list[NotebookNode], written: list[Cell]) -> None:
    """Give each cell an id that stays when others change: of the exercise, else of its text."""
    taken = set()
    for cell, source in zip(cells, written, strict=True):
        if source.id:
            id = f"{cell.metadata['tags'][0]}-{source.id.replace('.', '-')}"
        else:
            text = source.path or source.text
            id = f"{source.kind}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        number = 1
        while (unique := id if number == 1 else f"{id}-{number}") in taken:
            number += 1
        taken.add(unique)
        cell.id = unique


def agree(lesson: Lesson, exercises: dict[str, Exercise]) -> None:
    """Raise BadInput unless the lesson has each of its exercises once, in order."""
    checks = f"recon/course/checks/lesson_{lesson.number}.py"
    written = [c for c in lesson.cells if c.kind == "exercise"]
    seen = []
    for cell in written:
        place = lesson.place(cell)
        if cell.id not in exercises:
            raise BadInput(f"{place}: {checks} has no exercise {cell.id}")
        if cell.id in seen:
            raise BadInput(f"{place}: exercise {cell.id} a second time")
        if cell.path != exercises[cell.id].path:
            path = exercises[cell.id].path
            raise BadInput(f"{place}: {checks} says that exercise {cell.id} is {path}")
        seen.append(cell.id)
    for id in exercises:
        if id not in seen:
            place = f"{lesson.file.parent.name}/{lesson.file.name}"
            raise BadInput(f"{place}: has no exercise {id}, {checks} does")
    for cell, id in zip(written, exercises, strict=True):
        if cell.id != id:
            raise BadInput(f"{lesson.place(cell)}: exercise {cell.id} where {id} is next")


def resolve(cell: Cell, place: str):
    """What a path such as `recon.boxes.rasterise` names."""
    try:
        return pkgutil.resolve_name(cell.path)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"{place}: {error}") from None


def text_of(notebook: NotebookNode) -> str:
    """A notebook as it is written to a file: the same notebook gives the same bytes."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """What sources decide of an executed notebook."""
    bare = nbformat.from_dict(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return bare


# files


def write(file: Path, text: str) -> None:
    """Write a file whole, unless it is there and the same."""
    if not file.exists() or file.read_text("utf-8") != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic.writing(file) as temporary:
            temporary.write_text(text, "utf-8", newline="\n")


def picture(lesson: Lesson, name: str, cell: Cell) -> Path:
    """A picture of a lesson's; BadInput if it is not there."""
    file = lesson.file.parent / PICTURES / name
    if not file.is_file():
        raise BadInput(f"{lesson.place(cell)}: shows {SOURCES}/{PICTURES}/{name}; draw it")
    return file


def write_lesson(lesson: Lesson) -> None:
    """Write the notebook with blanks, and the pictures it shows."""
    for name, cell in lesson.pictures().items():
        copy = lesson.blank_file.parent / PICTURES / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture(lesson, name, cell), copy)
    write(lesson.blank_file, text_of(make(lesson, solved=False)))


def differences(lesson: Lesson) -> list[str]:
    """What of a lesson's files is not as its source says: a line each, with what to do."""
    found = []
    for name, cell in lesson.pictures().items():
        original = picture(lesson, name, cell)
        copy = lesson.blank_file.parent / PICTURES / name
        if not copy.is_file() or copy.read_bytes() != original.read_bytes():
            found.append(f"{LESSONS}/{PICTURES}/{name}: not a copy of {SOURCES}'s; {AGAIN}")
    shown = f"{LESSONS}/{lesson.blank_file.name}"
    if not lesson.blank_file.is_file():
        found.append(f"{shown}: is missing; {AGAIN}")
    elif lesson.blank_file.read_bytes() != text_of(make(lesson, solved=False)).encode():
        found.append(f"{shown}: differs from its source; {AGAIN}")
    return found + solved_differences(lesson)


def solved_differences(lesson: Lesson) -> list[str]:
    """The same for the solved notebook, whose outputs may be any."""
    shown = f"{SOURCES}/{lesson.solved_file.name}"
    if not lesson.solved_file.is_file():
        return [f"{shown}: is missing; {AGAIN}"]
    text = lesson.solved_file.read_bytes().decode()
    try:
        notebook = nbformat.reads(text, nbformat.NO_CONVERT)
    except Exception:  # nbformat has no common kind of error for what is no notebook
        return [f"{shown}: not a notebook; {AGAIN}"]
    bare = text_of(without_outputs(notebook))
    if text != text_of(notebook) or bare != text_of(make(lesson, solved=True)):
        return [f"{shown}: differs from its source; {AGAIN}"]
    if any(c.cell_type == "code" and c.execution_count is None for c in notebook.cells):
        return [f"{shown}: has cells that have not run; {AGAIN}"]
    return []


def orphans(root: Path, found: list[Lesson]) -> list[str]:
    """Files beside the lessons that no source asks for: a line each, with what to do."""
    wanted = set()
    for lesson in found:
        wanted |= {lesson.file, lesson.solved_file, lesson.blank_file}
        for name in lesson.pictures():
            wanted |= {root / SOURCES / PICTURES / name, root / LESSONS / PICTURES / name}
    wanted |= {root / folder / name for folder in (SOURCES, LESSONS) for name in KEPT}
    lines = []
    for folder in (SOURCES, LESSONS):
        for file in sorted((root / folder).rglob("*")):
            place = file.relative_to(root)
            hidden = any(p.startswith(".") or p == "__pycache__" for p in place.parts)
            if file.is_file() and not hidden and file not in wanted:
                lines.append(f"{place.as_posix()}: belongs to no lesson; remove it")
    return lines


# the command


def build(
    lessons: list[str] | None = None,
    *,
    check: bool = False,
    execute: Annotated[bool | None, Parameter(negative="--no-execute")] = None,
) -> None:
    """Build lessons and solutions from their sources, solutions/NN_topic.py.

    A lesson has blanks and no outputs; its solution has answers, and is executed.

    Parameters
    ----------
    lessons
        Which, such as 04 or 04_unet; by default all.
    check
        Write nothing; say what differs from its source, and which files belong to no lesson.
    execute
        Run the solutions and measure them. On when building, off when checking, unless said.
    """
    root = Path.cwd()
    problems, found, runs = [], [], []
    for file in sources.choose(root, list(lessons or ())):
        try:
            lesson = sources.read(file)
            found.append(lesson)
            if check:
                problems += differences(lesson)
            else:
                write_lesson(lesson)
            if execute or (execute is None and not check):
                notebook = make(lesson, solved=True)
                run = running.run(lesson, notebook, root)
                runs.append(run)
                problems += run.problems
                if not check and run.finished:
                    write(lesson.solved_file, run.text)
        except BadInput as error:
            problems.append(str(error))
    if check and not lessons and len(found) == len(sources.sources(root)):
        problems += orphans(root, found)
    if runs:
        problems += running.report(runs)
    finish(problems, len(found), check)


def finish(problems: list[str], count: int, check: bool) -> None:
    """Say what is wrong, a line each, and end with 2; or that all is well."""
    for line in problems:
        print(line, file=sys.stderr)
    if problems:
        number = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        commandline.stop(f"{number} in the course's notebooks")
    number = "1 lesson" if count == 1 else f"{count} lessons"
    print(f"{number}: {'as their sources say' if check else 'built'}")


if __name__ == "__main__":
    commandline.run(build)
