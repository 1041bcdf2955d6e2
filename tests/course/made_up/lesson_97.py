"""A lesson for tests: three small exercises, answered in no time."""

import numpy as np

from recon.course.exercise import exercise


def double(x: np.ndarray) -> np.ndarray:
    """Twice as much."""
    return 2 * x


def total(x: np.ndarray) -> float:
    """All of it, twice."""
    return float(double(x).sum())


def last(x: np.ndarray) -> float:
    """The last number."""
    return float(x[-1])


@exercise("97.1", double, minutes=5, difficulty=1, hints=("Think.", "Think of two.", "2 * x"))
def check_double(answer, expect):
    expect.close(answer(np.arange(3.0)), [0.0, 2.0, 4.0], "Twice, not once.")


@exercise("97.2", total, minutes=70, difficulty=2, hints=("Use what you have.",))
def check_total(answer, expect):
    expect.equal(answer(np.arange(3.0)), 6.0, "Double it first.")


@exercise("97.10", last, minutes=3, difficulty=1, hints=())
def check_last(answer, expect):
    expect.equal(answer(np.arange(3.0)), 2.0, "Count from the end.")
