"""What a lesson asks, read from the text of its checks: nothing is run, Keras is not loaded."""

import ast
import importlib.util
from pathlib import Path
from typing import NamedTuple

from recon.course import exercise
from recon.errors import BadInput


class Asked(NamedTuple):
    """An exercise, as far as a board or a hint needs it."""

    id: str
    name: str
    minutes: int
    hints: tuple[str, ...]


def checks_file(number: str) -> Path | None:
    """The file with the checks of lesson `04`; None if there is none yet."""
    spec = importlib.util.find_spec(f"recon.course.checks.lesson_{number}")
    return Path(spec.origin) if spec and spec.origin else None


def asked(number: str) -> tuple[Asked, ...]:
    """The exercises of lesson `04`, in order; none if it has no checks yet."""
    file = checks_file(number)
    if file is None:
        return ()
    try:
        tree = ast.parse(file.read_text("utf-8"))
        found = [read(call) for node in tree.body for call in registrations(node)]
    except (ValueError, KeyError, IndexError, SyntaxError):
        # not written out plainly: import it, which takes as long as its modules take
        found = [Asked(e.id, e.name, e.minutes, e.hints) for e in exercise.of_lesson(number)]
    return tuple(sorted(found, key=lambda e: place(e.id)))


def registrations(node: ast.stmt) -> list[ast.Call]:
    """The `@exercise(...)` above a function."""
    return [
        d
        for d in getattr(node, "decorator_list", [])
        if isinstance(d, ast.Call) and ast.unparse(d.func).split(".")[-1] == "exercise"
    ]


def read(call: ast.Call) -> Asked:
    """An exercise out of `exercise("1.2", boxes.rasterise, minutes=8, hints=(…))`."""
    words = {k.arg: k.value for k in call.keywords}
    name = ast.unparse(call.args[1]).split(".")[-1]
    return Asked(
        ast.literal_eval(call.args[0]),
        name,
        ast.literal_eval(words["minutes"]),
        tuple(ast.literal_eval(words["hints"])),
    )


def place(id: str) -> tuple[int, ...]:
    """Where an exercise stands among all: 1.10 comes after 1.9."""
    return tuple(int(part) for part in id.split("."))


def lesson_of(id: str) -> str:
    """`04` of `4.2`."""
    return f"{place(id)[0]:02d}"


def all_lessons() -> dict[str, tuple[Asked, ...]]:
    """Every lesson that has checks: number -> its exercises."""
    found = {number: asked(number) for number in exercise.LESSONS}
    return {number: exercises for number, exercises in found.items() if exercises}


def named(word: str) -> tuple[Asked, ...]:
    """The exercises that a word means: one for `4.2`, those of a lesson for `4` or `04`.

    Raises:
        BadInput: it means none.
    """
    lesson, _, number = word.partition(".")
    known = all_lessons()
    if not lesson.isdecimal() or (number and not number.isdecimal()) or word.endswith("."):
        raise BadInput(f"{word}: name a lesson, such as 4, or an exercise, such as 4.2")
    exercises = known.get(f"{int(lesson):02d}", ())
    if not exercises:
        numbers = ", ".join(str(int(n)) for n in known) or "none yet"
        raise BadInput(f"{word}: there is no lesson {int(lesson)}; lessons: {numbers}")
    if not number:
        return exercises
    found = tuple(e for e in exercises if place(e.id) == (int(lesson), int(number)))
    if not found:
        first, last = exercises[0].id, exercises[-1].id
        raise BadInput(
            f"{word}: there is no such exercise; lesson {int(lesson)}: {first} to {last}"
        )
    return found


def one(word: str) -> Asked:
    """The exercise that a word such as `4.2` means.

    Raises:
        BadInput: it means none, or a lesson.
    """
    found = named(word)
    if "." not in word:
        raise BadInput(f"{word} is a lesson; name one exercise, such as {found[0].id}")
    return found[0]
