"""Where a learner stands: found by judging the answers of a folder, not remembered."""

import hashlib
import json
import os
import threading
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import recon
from recon.course import answers, outline
from recon.course.answers import Judged, Result
from recon.course.folder import Found, Notebook
from recon.course.progress import VERDICTS, read, write
from recon.progress import progress

TOGETHER = min(4, os.cpu_count() or 1)  # lessons judged at once; each loads Keras
ENGINE = ("answers.py", "describe.py", "exercise.py", "expect.py", "notebook.py")  # what judges


class Lesson(NamedTuple):
    """Where a learner stands in a lesson.

    `results` has what has been judged, by id; exercises that the notebook has no cell for are not
    in it, and none where there is no notebook. `failure` says why nothing could be judged.
    """

    number: str
    title: str
    exercises: tuple[outline.Asked, ...]
    notebook: Notebook | None
    results: dict[str, Result]
    failure: str = ""

    def state(self, id: str) -> str:
        """ "right", "blank", "wrong"; "gone" without a cell, "unknown" where judging failed."""
        if id in self.results:
            return self.results[id].state
        gone = self.notebook is None or id not in self.notebook.answers
        return "gone" if gone else "unknown"


def standing(
    folder: Path, found: Found, titles: dict[str, str], anew: Collection[str] | None = None
) -> list[Lesson]:
    """Judge a folder's answers, in several processes, and say how each lesson stands.

    Args:
        found: the folder's notebooks.
        titles: lesson number -> title, of the lessons as shipped.
        anew: numbers of lessons that are judged even if nothing has changed in them, and no
            others; by default all whose answers have changed.
    """
    known = outline.all_lessons()
    lessons = {
        number: found.notebooks[number]
        for number in known
        if number in found.notebooks and (anew is None or number in anew)
    }
    keys = {number: key_of(lesson) for number, lesson in lessons.items()}
    kept = {} if anew is not None else read(folder).get(VERDICTS, {})
    judged = {n: j for n in lessons if (j := from_state(kept.get(n), keys[n]))}
    todo = {n: lesson for n, lesson in lessons.items() if n not in judged}
    judged |= {n: answers.judged(lesson) for n, lesson in todo.items() if answers.untouched(lesson)}
    new = judge_all({n: lesson for n, lesson in todo.items() if n not in judged})
    if new:
        state = read(folder)  # anew: a notebook may have counted a try meanwhile
        state[VERDICTS] = state.get(VERDICTS, {}) | {
            n: as_state(j, keys[n]) for n, j in new.items() if not j.failure
        }
        write(folder, state)
    judged |= new
    return [
        Lesson(
            number,
            lessons[number].title if number in lessons else titles.get(number, ""),
            exercises,
            lessons.get(number),
            *judged.get(number, Judged({})),
        )
        for number, exercises in known.items()
        if anew is None or number in anew
    ]


def judge_all(lessons: dict[str, Notebook]) -> dict[str, Judged]:
    """Judge the answers of several lessons, some at once, with a bar."""
    if not lessons:
        return {}
    stop = threading.Event()
    with ThreadPoolExecutor(TOGETHER) as pool:
        futures: dict[Future, str] = {
            pool.submit(answers.judged, lesson, stop=stop): number
            for number, lesson in lessons.items()
        }
        try:
            ended = progress(as_completed(futures), "judging answers", len(futures))
            return {futures[future]: future.result() for future in ended}
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def key_of(lesson: Notebook) -> str:
    """Changes when a verdict on a lesson's answers can."""
    here = Path(__file__).parent
    files = [here / name for name in ENGINE]
    files += [here / "broken" / f"lesson_{lesson.number}.py", outline.checks_file(lesson.number)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() if file.exists() else b"")
    said = [recon.__version__, os.environ.get("KERAS_BACKEND", ""), answers.gist(lesson)]
    digest.update(json.dumps(said).encode())
    return digest.hexdigest()


def as_state(judged: Judged, key: str) -> dict:
    """Verdicts as the file keeps them."""
    return {"key": key, "results": [list(r) for r in judged.results.values()]}


def from_state(entry, key: str) -> Judged | None:
    """Verdicts that the file has kept; None if it has not, or for other answers."""
    if not isinstance(entry, dict) or entry.get("key") != key:
        return None
    try:
        results = [Result(*r) for r in entry["results"]]
    except (KeyError, TypeError):
        return None
    return Judged({r.id: r for r in results})
