"""What recon.models asks of every model's module, and a step of each on a GPU."""

from dataclasses import fields

import keras
import numpy as np
import pytest
from keras import ops

from recon import losses, methods, models
from recon.train import Settings

NAMES = [name for name in models.MODELS if name != "tiny"]
GPUS = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def build(name, size):
    """The model of that name and size, as `recon.train` builds it."""
    module = models.find(name)
    objective = module.recipe(size).get("objective")
    return module.build(size, objective) if objective else module.build(size)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_holds_settings_of_a_training(name):
    module = models.find(name)
    needed = {"epochs", "batch_size", "learning_rate", "beta_1", "decay_from", "ema"}
    for size in module.SIZES:
        recipe = module.recipe(size)
        assert needed <= set(recipe) <= {field.name for field in fields(Settings)}
        assert recipe.get("objective") in {None, *losses.OBJECTIVES}
        assert not (getattr(module, "EVEN_BATCH", False) and recipe["batch_size"] % 2)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_knows_its_size(name):
    smallest = min(models.find(name).SIZES)
    assert build(name, smallest).size == smallest


def test_those_trained_by_squared_error_alone_are_averaged():
    averaged = {
        name
        for name in NAMES
        if methods.learned_method(name, build(name, min(models.find(name).SIZES))).averages
    }
    assert averaged == {"unet", "bilstm"}


@pytest.mark.gpu
@pytest.mark.skipif(not GPUS, reason="the backend finds no GPU here")
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_runs_on_the_gpu(name, precision):
    size = min(models.find(name).SIZES)
    keras.mixed_precision.set_dtype_policy(precision)
    try:
        model = build(name, size)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    photo = np.random.default_rng(0).random((4, size, size, 3), "float32")
    mask = np.zeros((4, size, size, 1), "float32")
    mask[:, size // 4 : size // 2, size // 8 : size // 2] = 1
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    # Two steps: where the last layer starts from zero, the first moves that one alone.
    inputs = {"masked": photo * (1 - mask), "mask": mask}
    if hasattr(models.find(name), "labels"):
        inputs["label"] = np.arange(4, dtype="int32")
    model.fit(inputs, photo, batch_size=4, epochs=2, verbose=0)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        value = variable.value
        place = value.device if keras.backend.backend() == "tensorflow" else value.devices()
        assert "gpu" in str(place).lower() or "cuda" in str(place).lower()
        assert np.isfinite(ops.convert_to_numpy(variable)).all()
        assert np.abs(ops.convert_to_numpy(variable) - old).max() > 0
