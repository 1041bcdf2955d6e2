"""What a notebook sees of the course: one function, one line per answer."""

import os
from collections.abc import Callable
from pathlib import Path

from recon.course import progress
from recon.course.exercise import Verdict, find, judge, of_lesson

MARKS = {"right": "✓", "blank": "○", "wrong": "✗"}


class WrongAnswer(AssertionError):
    """Ends a cell whose answer is wrong, with the verdict as its only text, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it
        return str(self).splitlines()


def strict() -> bool:
    """Whether a blank counts as wrong: RECON_STRICT=1."""
    return os.environ.get("RECON_STRICT", "") not in ("", "0")


def headline(verdict: Verdict) -> str:
    """`✓ 1.2 rasterise`"""
    return f"{MARKS[verdict.state]} {verdict.exercise.id} {verdict.exercise.name}"


def text(verdict: Verdict) -> str:
    """The verdict as a learner reads it: a line, and below it what, what was expected, a hint."""
    if verdict.state == "right":
        return headline(verdict)
    if verdict.state == "blank":
        minutes = verdict.exercise.minutes
        return (
            f"{headline(verdict)}      to do, about {minutes} minutes · "
            "the package's own is used meanwhile"
        )
    hint = verdict.hint or f"python -m recon.course hint {verdict.exercise.id}"
    return "\n  ".join([headline(verdict), *verdict.lines, hint])


_right: set[str] = set()  # in this notebook, since it was started


def standing(verdict: Verdict) -> str:
    """`3 of 5 in this lesson · next: 1.3 sample`"""
    exercises = of_lesson(f"{int(verdict.exercise.id.split('.')[0]):02d}")
    done = sum(e.id in _right for e in exercises)
    after = [e for e in exercises if e.id not in _right]
    ids = [e.id for e in exercises]
    later = [e for e in after if ids.index(e.id) > ids.index(verdict.exercise.id)]
    following = f"next: {later[0].id} {later[0].name}" if later else "the lesson's last"
    if not after:
        following = "the lesson is done"
    return f"{done} of {len(ids)} in this lesson · {following}"


def check(id: str, answer: Callable) -> Callable:
    """Judge an answer.

    Args:
        id: the exercise, such as `1.2`.
        answer: the learner's function.

    Returns:
        the answer where it is right, the package's own function where it is still blank, so that
        the rest of the lesson runs.

    Raises:
        WrongAnswer: it is wrong, or blank where RECON_STRICT=1.
    """
    try:
        exercise = find(id)
    except KeyError:
        raise WrongAnswer(f"there is no exercise {id}; the check's first line names it") from None
    verdict = judge(exercise, answer)
    progress.record(verdict, Path.cwd())
    if verdict.state == "right":
        _right.add(id)
        print(f"{text(verdict)}      {standing(verdict)}")
        return answer
    _right.discard(id)
    if verdict.state == "blank" and not strict():
        print(text(verdict))
        return exercise.reference
    if verdict.pictures:
        from recon import plots

        plots.show(**verdict.pictures)
    raise WrongAnswer(text(verdict)) from None
