"""What a check asks of an answer; every miss says what came, what was expected, and a hint."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager

import numpy as np

from recon.course.describe import as_array, call_text, is_array, number_text, place_text, value_text

NOTHING = "It gives nothing back: a function ends with `return`."
VERDICT = "Nobody reads what a check returns: let it raise, `assert condition`."
Mistakes = Sequence[tuple[object, str]]


class Blank(Exception):
    """An answer that still says NotImplementedError."""


class Wrong(Exception):
    """An answer that is not right: lines that say what is wrong, a hint, pictures to compare."""

    def __init__(self, lines: Iterable[str], hint: str, pictures: dict | None = None):
        super().__init__(hint)
        self.lines, self.hint, self.pictures = tuple(lines), hint, pictures or {}


def precision() -> float:
    """The least difference that means something: that of the networks' number type."""
    keras = sys.modules.get("keras")  # where nobody has loaded it, nothing is in 16 bits
    small = keras and keras.config.dtype_policy().compute_dtype in ("bfloat16", "float16")
    return 3e-2 if small else 0.0


class Expect:
    """The asker that every check is given, beside the answer.

    Each method takes `hint`, the sentence a learner sees when that very thing is wrong, and
    where a typical mistake gives a value of its own, `mistakes`: pairs of that value and the hint
    that fits it.
    """

    def __init__(self):
        self.call = ""  # the answer's last call, for the message,
        self.came: object = ...  # and what it gave
        self.crashes: list[tuple[type, str, str]] = []

    def fail(self, what: str, hint: str, pictures: dict | None = None):
        """Refuse the answer: one line what, one line hint."""
        raise Wrong((self.call, what) if self.call else (what,), hint, pictures)

    # errors

    @contextmanager
    def on_error(self, kind: type[Exception], hint: str, containing: str = ""):
        """Within the block, an error of that kind (and text) has this hint."""
        self.crashes.append((kind, containing, hint))
        try:
            yield
        finally:
            self.crashes.pop()

    def crashed(self, error: Exception, place: str) -> Wrong:
        """The refusal of an answer that raised an error nobody asked for."""
        first = (str(error).strip().splitlines() or [""])[0]
        lines = [self.call, f"raised {type(error).__name__}: {first}"[:300]]
        if place:
            lines.append(f"in your line: {place}")
        for kind, containing, hint in reversed(self.crashes):
            if isinstance(error, kind) and containing in str(error):
                return Wrong(lines, hint)
        return Wrong(lines, "Call it in a cell of its own, with values like these, and look on.")

    def unusable(self, error: Exception) -> Wrong:
        """The refusal of an answer whose result the check stumbles over."""
        came = "nothing (None)" if self.came is None else value_text(self.came)
        what = f"gave {came}; using it raises {type(error).__name__}: {error}"
        hint = "It gives back something of another kind: read the docstring's Returns."
        return Wrong([self.call, what[:300]], NOTHING if self.came is None else hint)

    def raises(
        self, kind: type[Exception], answer: Callable, *args, hint: str, containing: str = ""
    ) -> None:
        """The call must raise that kind of error, with that text in its message."""
        self.call = call_text(answer.__name__, args, {})
        try:
            result = answer.function(*args)
        except NotImplementedError:
            raise Blank from None
        except kind as error:
            if containing not in str(error):
                self.fail(f"says {str(error)!r}, expected {containing!r} in it", hint)
            return
        except Exception as error:
            self.fail(f"raised {type(error).__name__}, expected {kind.__name__}", hint)
        self.fail(f"gave {value_text(result)}, expected a {kind.__name__}", hint)

    # values

    def true(self, condition: bool, what: str, hint: str) -> None:
        """Whatever no other method says; `what` is what is wrong, in words."""
        if not bool(condition):
            self.fail(what, hint)

    def type(self, value, kind: type | tuple[type, ...], hint: str = "") -> None:
        """The value must be of a type."""
        if value is None and kind is not type(None):
            self.fail("gave nothing (None)", NOTHING)
        if not isinstance(value, kind):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            names = " or ".join(k.__name__ for k in kinds)
            self.fail(f"gave a {type(value).__name__}, expected a {names}", hint)

    def array(self, value) -> None:
        """The value must be an array or a tensor, or a number."""
        if value is None:
            self.fail("gave nothing (None)", NOTHING)
        if not is_array(value) and not isinstance(value, int | float | list | tuple):
            self.fail(f"gave a {type(value).__name__}, expected an array", "")

    def shape(self, value, shape: tuple, hint: str = "", mistakes: Mistakes = ()) -> None:
        """The value's shape; None stands for any length. `mistakes`: (wrong shape, hint)."""
        self.array(value)
        own = tuple(value.shape) if is_array(value) else np.shape(value)
        if len(own) == len(shape) and all(
            b is None or a == b for a, b in zip(own, shape, strict=True)
        ):
            return
        fitting = [h for wrong, h in mistakes if tuple(wrong) == own]
        wanted = str(tuple(shape)).replace("None", "any")
        self.fail(f"shape {own}, expected {wanted}", fitting[0] if fitting else hint)

    def dtype(self, value, dtype: str, hint: str = "") -> None:
        """The array's number type, by name; any backend's."""
        self.array(value)
        own = str(getattr(value, "dtype", type(value).__name__))
        own = own.removeprefix("<dtype: '").removesuffix("'>").removeprefix("torch.")
        if own != dtype:
            self.fail(f"dtype {own}, expected {dtype}", hint)

    def within(self, value, low: float, high: float, hint: str = "") -> None:
        """Every number must lie in [low, high]."""
        self.array(value)
        array = as_array(value)
        self.finite(array)
        bad = (array < low) | (array > high)
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            self.fail(
                f"{number_text(array[first])} at {place_text(first, array.shape)}, "
                f"expected {low:g} to {high:g} everywhere",
                hint,
            )

    def finite(self, value, hint: str = "Something is divided by 0, or its logarithm taken."):
        """No NaN and no infinity."""
        array = as_array(value)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            where = place_text(first, array.shape)
            self.fail(f"{array[first]} at {where}, expected a number", hint)

    def equal(self, value, expected, hint: str = "", mistakes: Mistakes = ()) -> None:
        """Exactly this value; for arrays, every element, and the shape."""
        if is_array(expected) or is_array(value):
            self.close(value, expected, hint, mistakes, tolerance=0)
            return
        if value is None and expected is not None:
            self.fail("gave nothing (None)", NOTHING)

        def same(other) -> bool:  # a Box is more than the tuple of its numbers
            typed = isinstance(other, str | tuple | list | dict)
            return value == other and (not typed or type(value) is type(other))

        if not same(expected):
            fitting = [h for wrong, h in mistakes if same(wrong)]
            what = f"gave {value_text(value)}, expected {value_text(expected)}"
            self.fail(what, fitting[0] if fitting else hint)

    def close(
        self, value, expected, hint: str = "", mistakes: Mistakes = (), tolerance: float = 1e-5
    ) -> None:
        """These numbers, each within `tolerance` (of 1, or of the largest, where that is more)."""
        wanted = as_array(expected)
        self.array(value)
        own = as_array(value)
        if own.dtype.kind not in "fiub":
            self.fail(f"gave {value_text(value)}, expected numbers", hint)
        least = 0 if tolerance == 0 else max(tolerance, precision())

        def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            a, b = a.astype("float64"), b.astype("float64")
            scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0)))
            with np.errstate(invalid="ignore"):  # ∞ - ∞
                return (a == b) | (np.abs(a - b) <= least * scale)

        def fitting() -> str:
            for wrong, its_hint in mistakes:
                wrong = as_array(wrong)
                if wrong.shape == own.shape and same(own, wrong).all():
                    return its_hint
            return hint

        if own.shape != wanted.shape:
            self.fail(f"shape {own.shape}, expected {wanted.shape}", fitting())
        if own.dtype.kind == "f" and np.isfinite(wanted).all():
            self.finite(own, *filter(None, [fitting()]))
        bad = ~same(own, wanted)
        if not bad.any():
            return
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        came, wish = number_text(own[first]), number_text(wanted[first])
        if own.ndim == 0:
            self.fail(f"gave {came}, expected {wish}", fitting())
        where = place_text(first, own.shape)
        what = f"{int(bad.sum())} of {own.size} numbers differ, first at {where}: "
        self.fail(f"{what}{came}, expected {wish}", fitting(), side_by_side(own, wanted))

    def catches(
        self,
        answer: Callable,
        right: Iterable[Callable],
        wrong: Iterable[tuple[Callable, str]],
        hint: str = "It refuses a function that is right: ask for less.",
    ) -> None:
        """The learner's answer is itself a check: quiet on right functions, loud on wrong ones.

        Args:
            answer: takes a function and raises an AssertionError where that is wrong.
            right: functions it must let pass.
            wrong: functions it must catch, each with the hint for a learner whose check does not.
            hint: for a learner whose check refuses a right function.
        """
        for function in right:
            self.call = f"{answer.__name__}({function.__name__})"
            try:
                answer.function(function)
            except NotImplementedError:
                raise Blank from None
            except AssertionError as error:
                said = f": {error}" if str(error) else ""
                self.fail(f"raised AssertionError{said}, expected silence", hint)
            except Exception as error:
                self.fail(f"raised {type(error).__name__}: {error}, expected silence", hint)
        for function, its_hint in wrong:
            self.call = f"{answer.__name__}({function.__name__})"
            try:
                result = answer.function(function)
            except AssertionError:
                continue
            except Exception as error:
                name = type(error).__name__
                self.fail(f"raised {name}: {error}, expected AssertionError", its_hint)
            if result is not None:
                self.fail(f"gave {value_text(result)}, expected AssertionError", VERDICT)
            self.fail("said nothing, expected AssertionError", its_hint)


def side_by_side(own: np.ndarray, wanted: np.ndarray) -> dict[str, np.ndarray]:
    """Yours, expected and their difference, where arrays are pictures; else nothing."""
    picture = own[0] if own.ndim == 4 else own
    if picture.ndim != 3 or picture.shape[-1] not in (1, 3) or min(picture.shape[:2]) < 8:
        return {}
    expected = wanted[0] if wanted.ndim == 4 else wanted
    difference = np.abs(picture.astype("float32") - expected)
    return {"yours": picture, "expected": expected, "difference": difference}
