"""Values in words: what was called, with what, and what came."""

import re

import numpy as np

LONGEST = 100  # characters of one value
HALF = ("bfloat16", "float16")


def as_array(value) -> np.ndarray:
    """A NumPy array of whatever a backend, a list or a number holds; 16-bit floats as float32."""
    if isinstance(value, np.ndarray | np.generic | int | float | bool | list | tuple):
        array = np.asarray(value)
    else:
        import keras  # seconds to load: only who has a tensor pays for it

        if keras.backend.standardize_dtype(value.dtype) in HALF:
            value = keras.ops.cast(value, "float32")  # TensorFlow's 16-bit scalars make no array
        array = keras.ops.convert_to_numpy(value)
    return array.astype("float32") if array.dtype.name in HALF else array


def is_array(value) -> bool:
    """Whether a value is an array or a tensor of any backend."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def value_text(value) -> str:
    """A value in a few words: small ones whole, arrays by shape and range."""
    if is_array(value):
        dtype = str(getattr(value.dtype, "name", value.dtype))
        if tuple(value.shape) == ():
            return number_text(as_array(value))
        if None in tuple(value.shape) or type(value).__name__ == "KerasTensor":
            return f"{dtype} {tuple(value.shape)}"
        array = as_array(value)
        if array.size <= 6:
            return " ".join(np.array2string(array, precision=4, separator=", ").split())
        if array.dtype.kind in "fiub":
            low, high = number_text(array.min()), number_text(array.max())
            return f"{dtype} {array.shape}, {low} to {high}"
        return f"{dtype} {array.shape}"
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        inside = ", ".join(map(value_text, value))
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        text = f"[{inside}]" if isinstance(value, list) else f"({inside}{comma})"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{k!r}: {value_text(v)}" for k, v in value.items()) + "}"
    elif callable(value) and hasattr(value, "__name__"):
        text = value.__name__
    elif hasattr(value, "layers") and hasattr(value, "name"):
        text = value.name  # a model
    else:
        text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def number_text(number) -> str:
    """A number with six digits at most, and 1 as 1.0 where it is a float."""
    array = as_array(number)
    if array.dtype.kind != "f":
        return str(array.item())
    text = f"{float(array):.6g}"
    return text if any(c in text for c in ".en") else text + ".0"


def call_text(name: str, args: tuple, kwargs: dict) -> str:
    """A call as one would type it: `rasterise([Box(…)], 4)`."""
    parts = [value_text(a) for a in args]
    parts += [f"{key}={value_text(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(parts)})"


def place_text(index: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Where in an array of a shape: rows and columns by name where it is a matrix or a picture."""
    if len(index) == 2:
        return f"row {index[0]}, column {index[1]}"
    if len(index) == 3 and shape[-1] in (1, 3):
        return f"row {index[0]}, column {index[1]}, channel {index[2]}"
    return f"index {list(index)}" if index else "the number"
