"""A class's notebooks judged: a row per learner.

What learners hand in is code that nobody has read. It runs in processes of its own, in an empty
folder, without this process's environment, with limits of time and memory; it runs with the
user's rights all the same.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from recon import atomic
from recon.course import answers, folder, outline
from recon.course.answers import Judged, Limits
from recon.course.folder import Notebook
from recon.errors import BadInput
from recon.progress import progress

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "KERAS_BACKEND")
NOTHING = Judged({})


class Learner(NamedTuple):
    """A learner's copy: lesson number -> notebook, what is odd, and what came of it."""

    name: str
    notebooks: dict[str, Notebook]
    notes: list[str]
    judged: dict[str, Judged]


def learners(place: Path) -> list[Learner]:
    """A learner per folder, whose notebooks may lie deeper in it.

    Raises:
        BadInput: there are none.
    """
    if not place.is_dir():
        raise BadInput(f"{place}: no such folder")
    names = sorted(p for p in place.iterdir() if p.is_dir() and not p.name.startswith("."))
    found = [learner(p) for p in names]
    if folder.lessons(place).notebooks:
        raise BadInput(f"{place}: has notebooks itself; name a folder with a folder per learner")
    if not any(one.notebooks or one.notes for one in found):
        raise BadInput(f"{place}: no folder in it has a lesson's notebook")
    return found


def learner(place: Path) -> Learner:
    """What a learner has handed in."""
    notebooks, notes = folder.lessons(place, "**/*.ipynb")
    return Learner(place.name, notebooks, [n.replace(f"{place}{os.sep}", "") for n in notes], {})


def surroundings(home: str) -> dict[str, str]:
    """The environment that a learner's code is given: no token or key of the teacher's is in it."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {"HOME": home, "USERPROFILE": home, "TMPDIR": home, "TEMP": home}


def judge(lesson: Notebook, limits: Limits, stop: threading.Event) -> Judged:
    """Judge a notebook in an empty folder, with the modules that lie beside it."""
    with tempfile.TemporaryDirectory(prefix="recon-grade-", ignore_cleanup_errors=True) as home:
        try:
            for module in lesson.path.parent.glob("*.py"):
                shutil.copy(module, home)
            return answers.judged(lesson, limits, surroundings(home), Path(home), stop)
        except Exception as error:  # of one notebook, whatever is in it; the others are judged
            return Judged({}, f"{type(error).__name__}: {error}")


def judge_all(class_: list[Learner], limits: Limits, jobs: int) -> None:
    """Judge every learner's notebooks, some at once, with a bar."""
    known = outline.all_lessons()
    stop = threading.Event()
    with ThreadPoolExecutor(jobs) as pool:
        futures: dict[Future, tuple[Learner, str]] = {
            pool.submit(judge, lesson, limits, stop): (learner, number)
            for learner in class_
            for number, lesson in learner.notebooks.items()
            if number in known
        }
        try:
            for future in progress(as_completed(futures), "grading", len(futures)):
                learner, number = futures[future]
                learner.judged[number] = future.result()
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def row(learner: Learner) -> dict[str, object]:
    """A learner's line: how many are right, wrong and to do; right ones per lesson; notes."""
    lessons = outline.all_lessons()
    states = {n: [r.state for r in j.results.values()] for n, j in learner.judged.items()}
    all_states = [state for some in states.values() for state in some]
    right, wrong = all_states.count("right"), all_states.count("wrong")
    total = sum(map(len, lessons.values()))
    counts = {
        "learner": learner.name,
        "right": right,
        "wrong": wrong,
        "to do": total - right - wrong,
    }
    each = {n: states[n].count("right") if n in states else pd.NA for n in lessons}
    return counts | each | {"notes": "; ".join(notes(learner, lessons))}


def notes(learner: Learner, lessons: Iterable[str]) -> Iterator[str]:
    """What a teacher should know of a learner's notebooks."""
    missing = [n for n in lessons if n not in learner.notebooks]
    if missing:
        yield "no notebook of " + (" ".join(missing) if learner.notebooks else "any lesson")
    yield from learner.notes
    for number, judged in learner.judged.items():
        if judged.failure:
            yield f"{number} could not be judged: {judged.failure}"
        for result in judged.results.values():
            if result.note:
                yield f"{result.id} {result.note}"
        lesson = learner.notebooks[number]
        yield from (f"{id} has several cells, the last counts" for id in lesson.copied)
        gone = [e.id for e in outline.asked(number) if e.id not in lesson.answers]
        yield from (f"{id} has lost its cell" for id in gone)


def detail(learner: Learner) -> Iterator[dict[str, str]]:
    """A line per exercise of a learner, with what the notebook says."""
    for number, exercises in outline.all_lessons().items():
        results = learner.judged.get(number, NOTHING).results
        for e in exercises:
            result = results.get(e.id)
            said = " ".join(result.text.split("\n", 1)[1].split()) if wrong(result) else ""
            state = {"blank": "to do"}.get(result.state, result.state) if result else "no answer"
            yield {
                "learner": learner.name,
                "exercise": e.id,
                "name": e.name,
                "state": state,
                "said": said,
            }


def wrong(result: answers.Result | None) -> bool:
    """Whether an answer has more than a headline."""
    return result is not None and result.state == "wrong" and "\n" in result.text


def write(path: Path, rows: Iterable[dict]) -> None:
    """Write a table as CSV, whole or not at all."""
    table = pd.DataFrame(list(rows))
    counts = [c for c in table.columns if c.isdecimal()]
    with atomic.writing(path) as temporary:
        table.astype(dict.fromkeys(counts, "Int64")).to_csv(temporary, index=False)


def grade(place: Path, out: Path, details: Path | None, limits: Limits, jobs: int) -> list[Learner]:
    """Judge a class and write its tables.

    Raises:
        BadInput: no learners, or nowhere to write.
    """
    for path in filter(None, (out, details)):
        if not path.parent.is_dir():
            raise BadInput(f"{path}: no folder {path.parent} to write it in")
        if path.is_dir():
            raise BadInput(f"{path}: is a folder; name a file")
    class_ = learners(place)
    judge_all(class_, limits, jobs)
    write(out, map(row, class_))
    if details:
        write(details, (line for learner in class_ for line in detail(learner)))
    return class_
