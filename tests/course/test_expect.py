"""What a check asks, and what a learner is told: each way to be right, blank and wrong."""

import keras
import numpy as np
import pytest
from keras import ops

from recon.boxes import Box
from recon.course import exercise as course
from recon.course.describe import call_text, value_text
from recon.course.exercise import Exercise, judge
from recon.course.expect import NOTHING, Expect, Wrong


def double(x):
    return x * 2


def verdict(answer, look, *args):
    """The verdict of a check that looks at one call's result."""

    def check(answer, expect):
        look(expect, answer(*args))

    return judge(Exercise("1.1", double, check, 5, 1, ("a nudge",)), answer)


def refusal(look, *args):
    """What `look(expect)` says; it must refuse."""
    with pytest.raises(Wrong) as caught:
        look(Expect(), *args)
    return caught.value


def test_right_blank_and_wrong():
    def blank(x):
        raise NotImplementedError("1.1")

    def triple(x):
        return x * 3

    def look(expect, result):
        expect.equal(result, 8, "twice as much", mistakes=[(12, "thrice is too much")])

    assert verdict(double, look, 4).state == "right"
    assert verdict(blank, look, 4).state == "blank"
    wrong = verdict(triple, look, 4)
    assert wrong.state == "wrong"
    assert wrong.lines == ("triple(4)", "gave 12, expected 8")
    assert wrong.hint == "thrice is too much"


def test_what_is_no_function_is_wrong():
    assert "not a function" in verdict(4, None).lines[0]


def test_an_error_says_its_line():
    def divide(x):
        return x / 0

    def look(expect, result):
        pass

    wrong = verdict(divide, look, 4)
    assert wrong.lines == (
        "divide(4)",
        "raised ZeroDivisionError: division by zero",
        "in your line: return x / 0",
    )
    assert wrong.hint


def test_an_expected_error_has_its_own_hint():
    def check(answer, expect):
        with expect.on_error(ZeroDivisionError, "not by 0", containing="zero"):
            answer(4)

    def divide(x):
        return x / 0

    assert judge(Exercise("1.1", double, check, 5, 1, ()), divide).hint == "not by 0"


def test_what_the_check_stumbles_over_is_wrong_not_broken():
    def look(expect, result):
        expect.true(result["guess"] is not None, "", "")

    def nothing(x):
        pass

    assert verdict(nothing, look, 4).hint == NOTHING
    wrong = verdict(double, look, 4)
    assert wrong.state == "wrong"
    assert "gave 8; using it raises TypeError" in wrong.lines[1]


@pytest.mark.parametrize("named", [False, True])
def test_an_argument_must_stay_as_it_was(named):
    def in_place(x):
        x *= 2
        return x

    def check(answer, expect):
        answer(x=np.ones(3)) if named else answer(np.ones(3))

    wrong = judge(Exercise("1.1", double, check, 5, 1, ()), in_place)
    assert wrong.lines[1] == ("x" if named else "argument 1") + " was changed by the call"


def test_raises():
    def answer(x):
        if x < 0:
            raise ValueError(f"{x} is below 0")
        return int("a") if x == 7 else x

    def look(expect, *args, **kwargs):
        expect.raises(ValueError, course.Answer(answer, expect), *args, hint="refuse", **kwargs)

    look(Expect(), -1, containing="below")
    assert "gave 3, expected a ValueError" in refusal(look, 3).lines[1]
    assert "expected 'above' in it" in refusal(lambda e: look(e, -1, containing="above")).lines[1]
    assert "raised TypeError" in refusal(look, None).lines[1]


def test_a_blank_is_blank_where_an_error_is_expected():
    def blank(x):
        raise NotImplementedError("1.1")

    def check(answer, expect):
        expect.raises(RuntimeError, answer, 1, hint="")  # whose kind NotImplementedError is

    assert judge(Exercise("1.1", double, check, 5, 1, ()), blank).state == "blank"


def test_shape_and_type():
    Expect().shape(np.zeros((2, 3)), (None, 3))
    wrong = refusal(lambda e: e.shape(np.zeros((3, 2)), (None, 3), "", [((3, 2), "turned")]))
    assert wrong.lines == ("shape (3, 2), expected (any, 3)",)
    assert wrong.hint == "turned"
    assert refusal(lambda e: e.shape(None, (1,))).hint == NOTHING
    Expect().dtype(ops.zeros(2, "float32"), "float32")
    Expect().dtype(keras.Variable(0.0), "float32")
    assert refusal(lambda e: e.dtype(np.zeros(2), "float32")).lines[0].startswith("dtype float64")
    assert refusal(lambda e: e.type([1], tuple)).lines[0] == "gave a list, expected a tuple"


def test_numbers():
    Expect().within(ops.ones(3), 0, 1)
    assert (
        "2.0 at row 0, column 1, expected 0 to 1"
        in refusal(lambda e: e.within(np.array([[0.0, 2.0]]), 0, 1)).lines[0]
    )
    assert "nan at" in refusal(lambda e: e.finite(np.array([np.nan]))).lines[0]
    Expect().close(np.inf, np.inf)
    Expect().close(ops.convert_to_tensor([1.0, 2.0]), [1.0, 2.0])
    refusal(lambda e: e.close([1.0, 2.0], [1.0, 2.1]))
    refusal(lambda e: e.close([np.inf, 2.0], [np.inf, 2.1]))
    refusal(lambda e: e.close([1.0], [1.0, 1.0]))
    assert refusal(lambda e: e.close("1", 1.0)).lines == ("gave a str, expected an array",)


def test_a_named_tuple_is_more_than_its_numbers():
    Expect().equal(Box(1, 2), Box(1, 2))
    mistakes = [((1, 2, 75, 75), "a Box, not a tuple"), (Box(2, 1), "turned")]
    assert refusal(lambda e: e.equal((1, 2, 75, 75), Box(1, 2), "", mistakes)).hint.startswith("a")
    assert refusal(lambda e: e.equal(Box(2, 1), Box(1, 2), "", mistakes)).hint == "turned"


def test_pictures_are_shown_side_by_side():
    own, wanted = np.zeros((8, 8, 3)), np.ones((8, 8, 3))
    wrong = refusal(lambda e: e.close(own, wanted))
    assert "192 of 192 numbers differ, first at row 0, column 0, channel 0" in wrong.lines[0]
    assert set(wrong.pictures) == {"yours", "expected", "difference"}
    assert not refusal(lambda e: e.close(own[:2], wanted[:2])).pictures


def test_no_picture_has_no_channels():
    said = np.zeros((2, 5, 8))  # photos, pixels of a row, units
    wrong = refusal(lambda e: e.close(said, said + 1))
    assert "first at index [0, 0, 0]" in wrong.lines[0]


def test_sixteen_bits_loosen_what_is_close():
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        Expect().close(1.01, 1.0)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    refusal(lambda e: e.close(1.01, 1.0))


def test_catches():
    def right(x):
        return x

    def wrong(x):
        return -x

    def careful(function):
        assert function(2) == 2, "2 stays 2"

    def careless(function):
        function(2)

    def judging(function):
        return function(2) == 2

    def strict(function):
        raise AssertionError("never")

    def clumsy(function):
        if function(2) != 2:
            raise IndexError("out")

    def blank(function):
        raise NotImplementedError("1.1")

    def check(answer, expect):
        expect.catches(answer, [right], [(wrong, "look at the sign")])

    def say(answer):
        return judge(Exercise("1.1", double, check, 5, 1, ()), answer)

    assert say(careful).state == "right"
    assert say(blank).state == "blank"
    assert say(careless).lines == ("careless(wrong)", "said nothing, expected AssertionError")
    assert say(careless).hint == "look at the sign"
    assert say(judging).lines[1] == "gave False, expected AssertionError"
    assert "let it raise" in say(judging).hint
    assert "expected silence" in say(strict).lines[1]
    assert "raised IndexError: out, expected AssertionError" in say(clumsy).lines[1]


def test_an_id_is_given_once():
    def first(answer, expect):
        pass

    register = course.exercise("0.99", double, minutes=1, difficulty=1, hints=())
    try:
        register(first)
        register(first)  # a module that is loaded again
        with pytest.raises(ValueError, match=r"two exercises are 0\.99"):
            course.exercise("0.99", value_text, minutes=1, difficulty=1, hints=())(first)
    finally:
        del course._found["0.99"]


def test_values_in_words():
    assert call_text("f", (np.zeros((4, 4), "float32"),), {"n": 2}) == (
        "f(float32 (4, 4), 0.0 to 0.0, n=2)"
    )
    assert value_text(np.arange(4).reshape(2, 2)) == "[[0, 1], [2, 3]]"
    assert value_text((Box(1, 2),)) == "(Box(row=1, column=2, height=75, width=75),)"
    assert value_text(ops.ones((), "bfloat16")) == "1.0"
    assert value_text(keras.KerasTensor((None, 4))) == "float32 (None, 4)"
    assert value_text({"mask": np.zeros(2)}) == "{'mask': [0., 0.]}"
    assert value_text(np.random.default_rng(0)) == "Generator(PCG64)"
    assert len(value_text("long " * 100)) == 100
