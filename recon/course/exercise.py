"""Exercises: what is asked, and the verdict on an answer."""

import importlib
import importlib.util
import inspect
import linecache
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from recon.course.describe import call_text
from recon.course.expect import Blank, Expect, Wrong

LESSONS = tuple(f"{number:02d}" for number in range(13))


@dataclass(frozen=True)
class Exercise:
    """A function of the package that a learner writes anew.

    `id` is lesson and number, `4.2`; `reference` the package's function; `judge(answer, expect)`
    looks at an answer and raises `Wrong` through `expect`; `minutes` what it takes a learner;
    `difficulty` 1, 2 or 3; `hints` come one at a time, the last nearly tells. `tensorflow`: the
    function is TensorFlow's own (tf.data), and is judged on that backend only.
    """

    id: str
    reference: Callable
    judge: Callable
    minutes: int
    difficulty: int
    hints: tuple[str, ...]
    tensorflow: bool = False

    @property
    def name(self) -> str:
        """What the function is called, in the package and in the notebook."""
        return self.reference.__name__

    @property
    def path(self) -> str:
        """Where the package has it: `recon.boxes.rasterise`."""
        return f"{self.reference.__module__}.{self.reference.__qualname__}"


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer.

    `lines` say what was called, what came and what was expected; `hint` fits the mistake;
    `pictures` are name -> `(H, W, C)` where the answer was one.
    """

    exercise: Exercise
    state: Literal["right", "blank", "wrong"]
    lines: tuple[str, ...] = ()
    hint: str = ""
    pictures: dict[str, np.ndarray] = field(default_factory=dict)


_found: dict[str, Exercise] = {}


def exercise(
    id: str,
    reference: Callable,
    *,
    minutes: int,
    difficulty: Literal[1, 2, 3],
    hints: tuple[str, ...],
    tensorflow: bool = False,
) -> Callable:
    """Make a function `judge(answer, expect)` the check of an exercise.

    Raises:
        ValueError: another check has that id.
    """

    def register(judge: Callable) -> Callable:
        before = _found.get(id)  # its own, where a module is reloaded
        new = Exercise(id, reference, judge, minutes, difficulty, tuple(hints), tensorflow)
        if before and (before.judge.__module__, before.path) != (judge.__module__, new.path):
            raise ValueError(f"two exercises are {id}: {before.path} and {new.path}")
        _found[id] = new
        return judge

    return register


def of_lesson(number: str) -> tuple[Exercise, ...]:
    """The exercises of lesson `04`, in order; none if it has no checks yet."""
    name = f"recon.course.checks.lesson_{number}"
    if importlib.util.find_spec(name) is None:
        return ()
    importlib.import_module(name)
    chosen = [e for e in _found.values() if int(e.id.split(".")[0]) == int(number)]
    return tuple(sorted(chosen, key=lambda e: int(e.id.split(".")[1])))


def everything() -> tuple[Exercise, ...]:
    """All exercises of all lessons, in order."""
    return tuple(e for number in LESSONS for e in of_lesson(number))


def find(id: str) -> Exercise:
    """The exercise of an id such as `4.2`.

    Raises:
        KeyError: there is none.
    """
    lesson, _, number = id.partition(".")
    if lesson.isdigit() and number.isdigit():
        for candidate in of_lesson(f"{int(lesson):02d}"):
            if candidate.id == f"{int(lesson)}.{int(number)}":
                return candidate
    raise KeyError(id)


class Answer:
    """A learner's function, as a check calls it: it remembers the call, for the message.

    A NotImplementedError makes the answer blank; any other error makes it wrong, unless the check
    expects it (`expect.raises`). An array that went in must come out unchanged.
    """

    def __init__(self, function: Callable, expect: Expect):
        self.function, self.expect = function, expect
        self.__name__ = getattr(function, "__name__", "answer")

    def __call__(self, *args, **kwargs):
        self.expect.call = call_text(self.__name__, args, kwargs)
        given = [*args, *kwargs.values()]
        names = [*(f"argument {number}" for number in range(1, len(args) + 1)), *kwargs]
        kept = [x.copy() if isinstance(x, np.ndarray) else None for x in given]
        try:
            result = self.function(*args, **kwargs)
        except NotImplementedError:
            raise Blank from None
        except Wrong:
            raise
        except Exception as error:
            raise self.expect.crashed(error, place_of(error, self.function)) from error
        self.expect.came = result
        for name, before, now in zip(names, kept, given, strict=True):
            if before is not None and before.tobytes() != now.tobytes():
                raise Wrong(
                    (self.expect.call, f"{name} was changed by the call"),
                    "An array that comes in belongs to the caller: work on a copy.",
                )
        return result


def place_of(error: Exception, function: Callable) -> str:
    """The line of the learner's own function that an error came through; empty if none did."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename == code.co_filename]
    if not own:
        return ""
    line = own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno)
    return line.strip()


def judge(exercise: Exercise, function: Callable) -> Verdict:
    """Hold an answer against its exercise's check."""
    if not callable(function):
        line = f"{exercise.name} is {type(function).__name__}, not a function"
        return Verdict(exercise, "wrong", (line,), "Give the function itself: its name, no ().")
    expect = Expect()
    try:
        exercise.judge(Answer(function, expect), expect)
    except Blank:
        return Verdict(exercise, "blank")
    except Wrong as wrong:
        return Verdict(exercise, "wrong", wrong.lines, wrong.hint, wrong.pictures)
    except Exception as error:  # the package's own answer passes, so this one's result is odd
        wrong = expect.unusable(error)
        return Verdict(exercise, "wrong", wrong.lines, wrong.hint)
    return Verdict(exercise, "right")
