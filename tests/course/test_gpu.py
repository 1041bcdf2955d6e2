"""Every exercise's check, and a training step of every lesson's model, on a GPU; and here.

`pytest -m gpu` asserts that arrays live on the device. Without that mark the same functions run on
whatever the backend computes with.
"""

import functools

import keras
import numpy as np
import pytest
from keras import ops
from test_wrong_answers import EXERCISES, exercise_name, on_this_backend

from recon import models
from recon.course.exercise import judge

GPUS = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
PLACES = [
    "here",
    pytest.param(
        "gpu",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not GPUS, reason="the backend finds no GPU here"),
        ],
    ),
]
PRECISIONS = ["float32", "mixed_bfloat16"]
# Lesson 06 builds the generator that 07 trains, 10 the parts of what 11 samples from; the others
# train nothing.
TRAINED = {
    "04": "unet",
    "05": "bilstm",
    "07": "pix2pix",
    "08": "dcgan",
    "09": "cyclegan",
    "11": "diffusion-small",
}


@pytest.fixture
def policy():
    """Sets the number type of networks for one test."""
    yield keras.mixed_precision.set_dtype_policy
    keras.mixed_precision.set_dtype_policy("float32")


def arrays(value) -> list:
    """The backend's arrays in whatever a function gives: those of a network are its weights."""
    found = []
    for leaf in keras.tree.flatten(value):
        if isinstance(leaf, keras.layers.Layer):
            found += [variable.value for variable in leaf.variables]
        elif isinstance(leaf, keras.Variable):
            found.append(leaf.value)
        elif ops.is_tensor(leaf) and not isinstance(leaf, keras.KerasTensor):
            found.append(leaf)
    return [array for array in found if "string" not in str(array.dtype)]


def is_on_gpu(array) -> bool:
    """Whether an array lives on a GPU; symbols in a graph that is traced live nowhere yet."""
    place = array.devices() if keras.backend.backend() == "jax" else array.device
    return not place or "gpu" in str(place).lower() or "cuda" in str(place).lower()


def recorded(function):
    """The function, and a list that gets what each of its calls gives."""
    given = []

    @functools.wraps(function)
    def call(*args, **kwargs):
        result = function(*args, **kwargs)
        given.append(result)
        return result

    return call, given


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("exercise", EXERCISES, ids=exercise_name)
def test_the_check_passes(exercise, precision, place, policy):
    on_this_backend(exercise)
    policy(precision)
    function, given = recorded(exercise.reference)
    verdict = judge(exercise, function)
    assert verdict.state == "right", [*verdict.lines, verdict.hint]
    if place == "gpu" and not exercise.tensorflow:  # tf.data works on the host
        assert all(map(is_on_gpu, arrays(given)))


def build(name, size):
    """The model of that name and size, as `recon.train` builds it."""
    module = models.find(name)
    objective = module.recipe(size).get("objective")
    return module.build(size, objective) if objective else module.build(size)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("lesson", "name"), TRAINED.items())
def test_the_lessons_model_trains(lesson, name, precision, place, policy):
    size = min(models.find(name).SIZES)
    policy(precision)
    model = build(name, size)
    # Eagerly no graph has to be traced. (On JAX, Keras then mixes its arrays with NumPy's.)
    eagerly = place == "here" and keras.backend.backend() == "tensorflow"
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), run_eagerly=eagerly)
    photo = np.random.default_rng(0).random((2, size, size, 3), "float32")
    mask = np.zeros((2, size, size, 1), "float32")
    mask[:, size // 4 : size // 2, size // 8 : size // 2] = 1
    inputs = {"masked": photo * (1 - mask), "mask": mask}
    if hasattr(models.find(name), "labels"):
        inputs["label"] = np.arange(2, dtype="int32")
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    history = model.fit(inputs, photo, batch_size=2, epochs=1, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    after = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    assert any((old != new).any() for old, new in zip(before, after, strict=True))
    if place == "gpu":
        assert all(map(is_on_gpu, arrays(model)))
