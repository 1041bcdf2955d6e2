"""The course from a terminal: `python -m recon.course` shows the board."""

import importlib.util
import inspect
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.padding import Padding
from rich.syntax import Syntax

from recon import atomic, commandline
from recon.course import board as boards
from recon.course import exercise, outline, progress, standing
from recon.course import folder as folders
from recon.course.board import PROGRAM, near
from recon.errors import BadInput

INSTALL = 'pip install -e ".[course]"'
POSITIVE = Parameter(validator=Number(gt=0))


def option(place: Path | None) -> str:
    """What a suggested command needs, to look at the folder that was named."""
    return (
        f' --folder "{place}"'
        if place and " " in str(place)
        else f" --folder {place}" * bool(place)
    )


def titles() -> dict[str, str]:
    """Lesson number -> title, as shipped; none without a checkout."""
    try:
        return {
            n: lesson.title for n, lesson in folders.lessons(folders.shipped()).notebooks.items()
        }
    except BadInput:
        return {}


def board(*, folder: Path | None = None) -> None:
    """Show every lesson, what is done of it, and the next step.

    Args:
        folder: the lessons to look at; by default those here, in my_lessons/, or the course's own.
    """
    place = folders.choose(folder)
    found = folders.lessons(place)
    known = {} if set(outline.all_lessons()) <= set(found.notebooks) else titles()
    rows = standing.standing(place, found, known)
    commandline.console().print(boards.board(rows, found.notes, option(folder)))


def check(what: str | None = None, /, *, folder: Path | None = None) -> None:
    """Judge the answers in the notebooks; ends with 1 if one is wrong.

    Args:
        what: a lesson, such as 4, or an exercise, such as 4.2; by default all.
        folder: the lessons to look at; by default those here, in my_lessons/, or the course's own.
    """
    place = folders.choose(folder)
    found = folders.lessons(place)
    asked = (
        outline.named(what) if what else [e for es in outline.all_lessons().values() for e in es]
    )
    numbers = {outline.lesson_of(e.id) for e in asked}
    if what and not numbers & set(found.notebooks):
        raise BadInput(folders.missing(place, min(numbers), found))
    states = []
    for lesson in standing.standing(place, found, {}, anew=numbers & set(found.notebooks)):
        if lesson.failure:
            raise BadInput(f"lesson {lesson.number} could not be judged: {lesson.failure}")
        for e in lesson.exercises:
            if e not in asked:
                continue
            states.append(lesson.state(e.id))
            if e.id in lesson.results:
                print(lesson.results[e.id].text)
                if states[-1] != "blank":
                    progress.count(place, e.id, "tries")
        chosen = {e.id for e in asked}
        for line in boards.oddities(lesson, option(folder)):
            if line.split()[0] in chosen:
                print(line)
    if "wrong" in states:
        raise SystemExit(1)


def hint(id: str, /, *, folder: Path | None = None) -> None:
    """Give the next hint for an exercise; each call gives one more.

    Args:
        id: the exercise, such as 4.2.
        folder: the lessons in work; by default those here, in my_lessons/, or the course's own.
    """
    place, asked = folders.choose(folder), outline.one(id)
    total = len(asked.hints)
    if not total:
        print(f"{asked.id} {asked.name} has no hints")
        return
    number = progress.count(place, asked.id, "hints")
    turn = (number - 1) % total + 1
    again = ", from the first again" if number > total and turn == 1 else ""
    print(f"{asked.id} {asked.name}, hint {turn} of {total}{again}")
    print(textwrap.fill(asked.hints[turn - 1], 78, initial_indent="  ", subsequent_indent="  "))
    if turn == total:
        print(
            f"That was the last. The package's own: {PROGRAM} solution {asked.id}{option(folder)}"
        )


def solution(id: str, /, *, now: bool = False, folder: Path | None = None) -> None:
    """Show the package's own function, after at least one try.

    Args:
        id: the exercise, such as 4.2.
        now: show it even before a try.
        folder: the lessons in work; by default those here, in my_lessons/, or the course's own.
    """
    place, asked = folders.choose(folder), outline.one(id)
    if not now and not progress.counted(place, asked.id, "tries"):
        raise BadInput(
            f"{asked.id} {asked.name}: the package's own comes after a try, right or wrong; "
            f"`{PROGRAM} hint {asked.id}` helps, --now shows it at once"
        )
    reference = exercise.find(asked.id).reference
    source = textwrap.dedent(inspect.getsource(reference)).rstrip()
    file = inspect.getsourcefile(reference)
    line = inspect.getsourcelines(reference)[1]
    print(f"{asked.id} {reference.__module__}.{reference.__name__}, {near(Path(file))}:{line}\n")
    terminal = commandline.console()
    if terminal.is_terminal:
        code = Syntax(
            source, "python", theme="ansi_dark", background_color="default", word_wrap=True
        )
        terminal.print(Padding(code, (0, 0, 1, 0)))
    else:
        print(source)


def reset(id: str, /, *, folder: Path | None = None) -> None:
    """Put the blank of an exercise back; your answer is kept in a file beside.

    Args:
        id: the exercise, such as 4.2.
        folder: the lessons in work; by default those here, in my_lessons/, or the course's own.
    """
    put_back(folders.choose(folder), outline.one(id))


def put_back(place: Path, asked: outline.Asked) -> None:
    """Reset one exercise in a folder, and say what was done."""
    notebook = folders.notebook_of(place, asked.id)
    cell = notebook.answers.get(asked.id)
    if cell and folders.untouched(cell.source):
        print(f"{asked.id} {asked.name} is blank already, in {near(notebook.path)}")
        return
    blank = blank_of(asked.id)
    name = near(notebook.path)
    if cell is None:
        folders.put_in(notebook, asked.id, asked.name, blank)
        print(f"{asked.id} {asked.name} has its blank and its check in {name} again")
    else:
        kept = folders.keep(place, asked.id, cell.source)
        folders.put_back(notebook, asked.id, blank)
        print(f"{asked.id} {asked.name} is blank again in {name}; your answer is in {near(kept)}")
        if asked.id in notebook.copied:
            print("It has several cells: the last is blank now, the others are as they were.")
    print("Is the notebook open? Reload it (File, Reload Notebook from Disk) before you save.")


def blank_of(id: str) -> str:
    """What an exercise's cell holds when it is given."""
    try:
        from recon.course import build  # with what makes notebooks: not everybody has it
    except ModuleNotFoundError as error:
        raise BadInput(f"{error.name} is not installed: {INSTALL}") from None
    return build.blank(build.source_of(exercise.find(id).reference, id), id)


def start(place: Path | None = None, /, *, no_open: bool = False) -> None:
    """Copy the lessons into a folder of your own, and open them in JupyterLab.

    A notebook that is there already is never overwritten; new lessons are added.

    Args:
        place: the folder; by default my_lessons.
        no_open: only copy.
    """
    origin = folders.shipped()
    place = place or own_place(origin)
    if place.exists() and not place.is_dir():
        raise BadInput(f"{place}: is a file; name a folder")
    if place.resolve() == origin.resolve():
        print(f"{near(place)}: the course's own, nothing is copied")
    else:
        copy(origin, place)
    if no_open:
        return
    if importlib.util.find_spec("jupyterlab") is None:
        raise BadInput(f"JupyterLab is not installed: {INSTALL}")
    open_notebook(place, first_to_do(place))


def own_place(origin: Path) -> Path:
    """Where the learner works already, else a new my_lessons in the checkout."""
    place = folders.choose(None)
    return folders.CHECKOUT / folders.OWN if place.resolve() == origin.resolve() else place


def copy(origin: Path, place: Path) -> None:
    """Bring lessons that are missing, and all pictures, and say what was done."""
    place.mkdir(parents=True, exist_ok=True)
    names = [path.name for path in sorted(origin.glob("*.ipynb"))]
    new = [name for name in names if not (place / name).exists()]
    for name in new:
        with atomic.writing(place / name) as temporary:
            shutil.copyfile(origin / name, temporary)
    if (origin / "pictures").is_dir():
        shutil.copytree(origin / "pictures", place / "pictures", dirs_exist_ok=True)
    print(f"{near(place)}: {brought(len(names) - len(new), new)}")


def brought(kept: int, new: list[str]) -> str:
    """What was done, in words."""
    if not kept:
        return f"{len(new)} lessons copied"
    stayed = "1 lesson kept as it is" if kept == 1 else f"{kept} lessons kept as they are"
    return f"{stayed}; {'new: ' + ', '.join(new) if new else 'nothing new'}"


def first_to_do(place: Path) -> str:
    """The first notebook with an answer that has not been begun."""
    for _, lesson in sorted(folders.lessons(place).notebooks.items()):
        if any(folders.untouched(cell.source) for cell in lesson.answers.values()):
            return lesson.path.name
    return ""


def open_notebook(place: Path, name: str) -> None:
    """Run JupyterLab in a folder until it ends."""
    print(f"JupyterLab opens {name or 'the folder'}; Ctrl-C here ends it", flush=True)
    command = [sys.executable, "-m", "jupyterlab", *filter(None, [name])]
    process = subprocess.Popen(command, cwd=place)
    while process.poll() is None:
        try:
            process.wait()
        except KeyboardInterrupt:  # JupyterLab gets it too, and asks whether it is meant
            continue
    if process.returncode:
        raise SystemExit(process.returncode)


def grade(
    place: Path,
    /,
    *,
    out: Path,
    details: Path | None = None,
    time_limit: Annotated[float, POSITIVE] = 120,
    memory_limit: Annotated[float, POSITIVE] = 4,
    jobs: Annotated[int, POSITIVE] = standing.TOGETHER,
) -> None:
    """Judge many learners' notebooks, and write a table with a row per learner.

    Their code runs with your rights, in processes of its own: see solutions/README.md.

    Args:
        place: a folder that has a folder per learner.
        out: the CSV file: right, wrong, to do, right per lesson, notes.
        details: another CSV file, with a row per learner and exercise.
        time_limit: seconds for a lesson's process; a single answer has a quarter of them.
        memory_limit: gigabytes for a lesson's process.
        jobs: lessons judged at the same time.
    """
    from recon.course import grade as grading  # pandas: only who grades waits for it
    from recon.course.answers import Limits

    class_ = grading.grade(place, out, details, Limits(time_limit, memory_limit), jobs)
    noted = sum(bool(list(grading.notes(learner, outline.all_lessons()))) for learner in class_)
    number = "1 learner" if len(class_) == 1 else f"{len(class_)} learners"
    print(f"{out}: {number}, {noted} with notes")


COMMANDS = {
    "start": start,
    "hint": hint,
    "check": check,
    "solution": solution,
    "reset": reset,
    "grade": grade,
    "build": commandline.Later("recon.course.build:build", "Build lessons from their sources."),
}

if __name__ == "__main__":
    commandline.run(board, others=COMMANDS)
