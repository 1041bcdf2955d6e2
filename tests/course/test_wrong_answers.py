"""Typical wrong answers are refused, each with the hint that fits it; different right ones pass.

pytest tests/course/test_wrong_answers.py -k 4.2        one exercise
pytest tests/course/test_wrong_answers.py -k lesson_04  one lesson
KERAS_BACKEND=jax pytest tests/course/test_wrong_answers.py  all of them on JAX
"""

import functools
import importlib.util
import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import keras
import pytest
from bank import BANK, Entry

from recon.course.exercise import LESSONS, Exercise, Verdict, find, judge, of_lesson

FOLDER = Path(__file__).parent / "wrong_answers"
FEWEST = 4  # typical wrong answers per exercise
OTHER = {"tensorflow": "jax", "jax": "tensorflow"}
# JAX compiles each small operation of a check: in half the time, where the result may be slow.
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def load(path: Path) -> None:
    """Run a file of wrong answers: it fills the bank."""
    spec = importlib.util.spec_from_file_location(f"wrong_answers_{path.stem}", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def exercises() -> list[Exercise]:
    """All exercises; a lesson that cannot be imported is left to the test that says so."""
    found = []
    for number in LESSONS:
        with suppress(Exception):
            found.extend(of_lesson(number))
    return found


def fill() -> dict[str, Exception]:
    """Fill the bank; file name -> error, where one cannot be run."""
    errors = {}
    for path in sorted(FOLDER.glob("lesson_*.py")):
        try:
            load(path)
        except Exception as error:
            errors[path.name] = error
    return errors


ERRORS = fill()
EXERCISES = exercises()
FILES = sorted(path.name for path in FOLDER.glob("*.py"))


def entry_name(entry: Entry) -> str:
    return f"lesson_{int(entry.id.split('.')[0]):02d}-{entry.id}-{entry.what.replace(' ', '-')}"


def exercise_name(exercise: Exercise) -> str:
    return f"lesson_{int(exercise.id.split('.')[0]):02d}-{exercise.id}-{exercise.name}"


def on_this_backend(exercise: Exercise) -> None:
    """Skip what is TensorFlow's own where Keras runs on another backend."""
    if exercise.tensorflow and keras.backend.backend() != "tensorflow":
        pytest.skip("a function of tf.data: judged on TensorFlow only")


@functools.cache  # two tests ask for it
def verdict_of(entry: Entry) -> Verdict:
    """What the check says of an answer of the bank."""
    return judge(find(entry.id), entry.function)


@pytest.mark.parametrize("number", LESSONS)
def test_a_lessons_checks_load(number):
    of_lesson(number)


@pytest.mark.parametrize("name", FILES)
def test_wrong_answers_load(name):
    if name in ERRORS:
        raise ERRORS[name]
    assert (Path(of_lesson.__code__.co_filename).parent / "checks" / name).exists()


@pytest.mark.parametrize("entry", BANK, ids=entry_name)
def test_an_answer_gets_its_verdict(entry):
    on_this_backend(find(entry.id))
    verdict = verdict_of(entry)
    if entry.hint is None:
        assert verdict.state == "right", [*verdict.lines, verdict.hint]
    else:
        assert verdict.state == "wrong", f"it is {verdict.state}"
        assert verdict.lines, "a refusal says what came and what was expected"
        assert entry.hint in verdict.hint, [*verdict.lines, verdict.hint]


@pytest.mark.parametrize("exercise", EXERCISES, ids=exercise_name)
def test_the_packages_own_function_is_right(exercise):
    on_this_backend(exercise)
    verdict = judge(exercise, exercise.reference)
    assert verdict.state == "right", [*verdict.lines, verdict.hint]


@pytest.mark.parametrize("exercise", EXERCISES, ids=exercise_name)
def test_a_blank_is_to_do(exercise):
    on_this_backend(exercise)

    def blank(*args, **kwargs):
        raise NotImplementedError(exercise.id)

    blank.__name__ = exercise.name
    assert judge(exercise, blank).state == "blank"


@pytest.mark.parametrize("exercise", EXERCISES, ids=exercise_name)
def test_an_answer_without_return_is_wrong(exercise):
    on_this_backend(exercise)
    verdict = judge(exercise, lambda *args, **kwargs: None)
    assert verdict.state == "wrong"
    assert verdict.hint, verdict.lines


@pytest.mark.parametrize("exercise", EXERCISES, ids=exercise_name)
def test_every_mistake_has_a_hint_of_its_own(exercise):
    on_this_backend(exercise)
    wrong = [e for e in BANK if e.id == exercise.id and e.hint is not None]
    right = [e for e in BANK if e.id == exercise.id and e.hint is None]
    hints = Counter(verdict_of(e).hint for e in wrong)
    assert len(wrong) >= FEWEST, f"{len(wrong)} wrong answers, {FEWEST} are needed"
    assert right, "a different right answer is needed"
    assert not {hint for hint, count in hints.items() if count > 1}, "several mistakes, one hint"


@pytest.fixture(scope="module", autouse=True)
def elsewhere(request, tmp_path_factory):
    """Every function's own check on the other backend: a process, beside the tests above it.

    Gives the process and its output's file; None where its test was not asked for or cannot run.
    """
    other = OTHER.get(keras.backend.backend())
    wanted = test_checks_run_on_the_other_backend.__name__
    asked = any(item.name == wanted for item in request.session.items)
    if not asked or other is None or importlib.util.find_spec(other) is None:
        yield None
        return
    tests = f"{__file__}::{test_the_packages_own_function_is_right.__name__}"
    output = tmp_path_factory.mktemp("elsewhere") / "output"
    with open(output, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", tests],
            env={**os.environ, "KERAS_BACKEND": other, "XLA_FLAGS": QUICK},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        yield process, output
        process.kill()


def test_checks_run_on_the_other_backend(elsewhere):
    if elsewhere is None:
        pytest.skip(f"no other backend than {keras.backend.backend()} is installed")
    process, output = elsewhere
    assert process.wait() == 0, output.read_text()
