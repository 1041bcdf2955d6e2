"""No small change to a package function passes its exercise's check, but those that change nothing.

pytest tests/course/test_mutants.py -k 4.2
"""

import keras
import mutants
import pytest
from test_wrong_answers import EXERCISES, exercise_name, on_this_backend

from recon.course.exercise import Exercise

LISTED = mutants.listed()

SOURCE = '''
def clip(values: list, low: float = 0.5) -> float:
    """At most 1."""
    if low < 1 and values:
        raise ValueError(f"{low + 1} is less than {1}")
    total = sum(values) - 2 * -low  # not this + 1
    for value in values:
        total += divide(value, low, axis=-1)
    return not total
'''


def changes(source, logic=False):
    return [text for text, _ in mutants.changed_sources(source, logic)]


def test_what_is_changed():
    assert changes(SOURCE) == [
        "if low < 1 and values: -> dropped",
        "if low < 1 and values: -> if not (low < 1 and values):",
        "if low < 1 and values: -> if low < 1 or values:",
        "if low < 1 and values: -> if low <= 1 and values:",
        "if low < 1 and values: -> if low < 2 and values:",
        'raise ValueError(f"{low + 1} is less than {1}") -> dropped',
        "total = sum(values) - 2 * -low -> dropped",
        "total = sum(values) - 2 * -low -> total = sum(values) + 2 * -low",
        "total = sum(values) - 2 * -low -> total = sum(values) - 2 / -low",
        "total = sum(values) - 2 * -low -> total = sum(values) - 3 * -low",
        "total = sum(values) - 2 * -low -> total = sum(values) - 2 * low",
        "for value in values: -> dropped",
        "total += divide(value, low, axis=-1) -> dropped",
        "total += divide(value, low, axis=-1) -> total -= divide(value, low, axis=-1)",
        "total += divide(value, low, axis=-1) -> total += divide(low, value, axis=-1)",
        "total += divide(value, low, axis=-1) -> total += divide(value, low, axis=None)",
        "total += divide(value, low, axis=-1) -> total += divide(value, low, axis=1)",
        "total += divide(value, low, axis=-1) -> total += divide(value, low, axis=-2)",
        "return not total -> dropped",
        "return not total -> return total",
    ]


def test_examples_in_a_check_are_left_alone():
    source = "def catch(f):\n    assert f(1, -2) == 3 + 4, f(1)\n"
    assert changes(source, logic=True) == [
        "assert f(1, -2) == 3 + 4, f(1) -> dropped",
        "assert f(1, -2) == 3 + 4, f(1) -> assert f(1, -2) != 3 + 4, f(1)",
    ]


def test_what_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr(mutants, "SECONDS", 0.05)

    def endless():
        while True:
            pass

    def check(answer, expect):
        answer()

    assert not mutants.survives(Exercise("1.1", endless, check, 1, 1, ()), endless)
    assert mutants.survives(Exercise("1.1", endless, check, 1, 1, ()), lambda: None)


def test_every_listed_survivor_has_an_exercise_and_a_reason():
    assert set(LISTED) <= {exercise.id for exercise in EXERCISES}
    for rows in LISTED.values():
        assert all(len(why.split()) > 3 for why in rows.values()), rows


@pytest.mark.parametrize("exercise", EXERCISES, ids=exercise_name)
def test_a_changed_function_is_refused(exercise):
    on_this_backend(exercise)
    passing = set(mutants.survivors(exercise))
    expected = set(LISTED.get(exercise.id, ()))
    keras.backend.clear_session()  # some checks build hundreds of networks
    holes = "\n".join(mutants.row_text(exercise.id, change) for change in passing - expected)
    assert passing <= expected, f"the check lets these pass:\n{holes}"
    assert expected <= passing, f"listed, and refused or gone: {expected - passing}"
