"""Another lesson for tests."""

from recon.course.exercise import exercise


def negative(x: float) -> float:
    """The other side of zero."""
    return -x


MINUTES = 4  # not written out: such a file is imported instead of read


@exercise("98.1", negative, minutes=MINUTES, difficulty=1, hints=("A minus.",))
def check_negative(answer, expect):
    expect.equal(answer(3.0), -3.0, "Mind the sign.")
