"""The board: every lesson, what is done of it, and the next step."""

import io
import re
from pathlib import Path

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from recon import atomic
from recon.course import answers, folder, outline
from recon.course.answers import Result
from recon.course.notebook import MARKS
from recon.course.standing import Lesson

SIGNS = MARKS | {"gone": "–", "unknown": "?"}
STYLES = {"right": "green", "blank": "dim", "wrong": "bold red", "gone": "dim", "unknown": "yellow"}
WORDS = {
    "right": "right",
    "blank": "to do",
    "wrong": "wrong",
    "gone": "no cell",
    "unknown": "not judged",
}
PROGRAM = "python -m recon.course"
WIDTH = 80
SAMPLE = 23  # exercises done in the picture


def board(lessons: list[Lesson], notes: list[str], place: str = "") -> Group:
    """What `python -m recon.course` shows.

    Args:
        notes: a line each for what is odd with the folder's files.
        place: what a suggested command needs to look at the same folder, ` --folder X`.
    """
    seen = {lesson.state(e.id) for lesson in lessons for e in lesson.exercises}
    shown = [s for s in SIGNS if s in seen or s in MARKS]
    legend = Text("  ").join(Text(f"{SIGNS[s]} {WORDS[s]}", STYLES[s]) for s in shown)
    parts = [table(lessons), Text(), legend, Text()]
    parts += [Text(summary(lessons)), Text(next_step(lessons, place))]
    missing = [lesson.number for lesson in lessons if lesson.notebook is None]
    if missing:
        notes = [*notes, f"no notebook here of {' '.join(missing)}; {PROGRAM} start copies it"]
    remarks = [*notes, *(line for lesson in lessons for line in oddities(lesson, place))]
    if remarks:
        parts += [Text(), *map(Text, remarks)]
    return Group(*parts)


def table(lessons: list[Lesson]) -> Table:
    """A row per lesson: a mark for each exercise, how many are right, minutes of the others."""
    found = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    found.add_column("lesson", no_wrap=True, overflow="ellipsis", max_width=48)
    found.add_column("exercises", no_wrap=True)
    found.add_column("done", justify="right", no_wrap=True)
    found.add_column("min left", justify="right", no_wrap=True)
    for lesson in lessons:
        states = [lesson.state(e.id) for e in lesson.exercises]
        marks = Text.assemble(*((SIGNS[s], STYLES[s]) for s in states))
        done, minutes = states.count("right"), minutes_left(lesson)
        count = Text(f"{done}/{len(states)}", "green" if done == len(states) else "")
        found.add_row(
            f"{lesson.number}  {lesson.title}", marks, count, str(minutes) if minutes else ""
        )
    return found


def minutes_left(lesson: Lesson) -> int:
    """What the exercises that are not right take."""
    return sum(e.minutes for e in lesson.exercises if lesson.state(e.id) != "right")


def duration(minutes: int) -> str:
    """`50 min`, `9 h 20 min`"""
    hours, rest = divmod(minutes, 60)
    return " ".join(filter(None, [f"{hours} h" * bool(hours), f"{rest} min" * bool(rest)]))


def summary(lessons: list[Lesson]) -> str:
    """`23 of 57 exercises right, about 6 h 10 min left`"""
    total = sum(len(lesson.exercises) for lesson in lessons)
    done = sum(lesson.state(e.id) == "right" for lesson in lessons for e in lesson.exercises)
    minutes = sum(map(minutes_left, lessons))
    left = f", about {duration(minutes)} left" if minutes else ""
    return f"{done} of {total} exercises right{left}"


def next_step(lessons: list[Lesson], place: str = "") -> str:
    """The next step, in one line: what is wrong comes before what is to do."""
    todo = [(lesson, e, lesson.state(e.id)) for lesson in lessons for e in lesson.exercises]
    steps = [step for state in ("wrong", "blank") for step in todo if step[2] == state]
    if not todo:
        return "no lesson has exercises yet"
    if not steps:
        if all(state == "right" for _, _, state in todo):
            return "the course is done"
        lesson, e, state = next(step for step in todo if step[2] != "right")
        what = "start" if lesson.notebook is None else f"reset {e.id}{place}"
        if state == "unknown":
            what = f"check {e.id}{place}"
        return f"next: {e.id} {e.name}, {e.minutes} min: {PROGRAM} {what}"
    lesson, e, state = steps[0]
    if state == "wrong":
        return f"next: {e.id} {e.name}: {PROGRAM} check {e.id}{place}"
    path = lesson.notebook.path
    if is_shipped(path) and not any(state in ("right", "wrong") for _, _, state in todo):
        return f"next: {e.id} {e.name}, {e.minutes} min: {PROGRAM} start"
    return f"next: {e.id} {e.name}, {e.minutes} min, in {near(path)}"


def is_shipped(path: Path) -> bool:
    """Whether a notebook is that of the course itself, not a learner's copy."""
    return path.resolve().parent == (folder.CHECKOUT / "lessons").resolve()


def near(path: Path) -> str:
    """A path as one would type it here."""
    absolute, here = path.absolute(), Path.cwd()
    inside = absolute != here and absolute.is_relative_to(here)
    return str(absolute.relative_to(here) if inside else absolute)


def oddities(lesson: Lesson, place: str = "") -> list[str]:
    """A line for each thing about a lesson's notebook that a learner should know."""
    lines = []
    if lesson.failure:
        lines.append(f"{lesson.number}: could not be judged: {lesson.failure}")
    elif lesson.notebook:
        for e in lesson.exercises:
            if lesson.state(e.id) == "gone":
                line = f"{e.id} has lost its cell; {PROGRAM} reset {e.id}{place} brings it back"
                lines.append(line)
        lines += [f"{id} has several cells; the last counts" for id in lesson.notebook.copied]
    return lines


# The README's picture -----------------------------------------------------------------------


def sample(done: int) -> list[Lesson]:
    """The board of a learner who has done the first exercises of the course as it is shipped."""
    found = folder.lessons(folder.shipped()).notebooks
    lessons = []
    for number, exercises in outline.all_lessons().items():
        if number not in found:
            continue
        here = folder.Path(folder.OWN) / found[number].path.name
        notebook = folder.Notebook(here, found[number].text, found[number].cells)
        results = {
            e.id: Result(e.id, "right", "") if n < done else answers.blank(e)
            for n, e in enumerate(exercises)
        }
        done -= min(done, len(exercises))
        lessons.append(Lesson(number, notebook.title, exercises, notebook, results))
    return lessons


def picture(path: str | Path) -> None:
    """Draw the sample learner's board as an SVG: the README's picture is made by it."""
    terminal = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    terminal.print(board(sample(SAMPLE), []))
    terminal.print()  # or the frame cuts the last line's underscores
    drawn = terminal.export_svg(title=PROGRAM)
    # A picture on a page loads no font, and the clip of each line cuts other fonts' underscores.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    drawn = drawn.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    drawn = re.sub(r'<clipPath id="\S+-line-\d+">.*?</clipPath>\s*', "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' clip-path="url\(#\S+-line-\d+\)"', "", drawn)
    with atomic.writing(path) as temporary:
        temporary.write_text(drawn, "utf-8")
