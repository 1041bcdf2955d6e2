import importlib.metadata
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from recon.errors import BadInput
from recon.stable_diffusion import kerascv

ALONE = """
import sys
sys.modules["tensorflow"] = None  # as where it is not installed
from recon.stable_diffusion import kerascv
left = [name for name in sys.modules if name.split(".")[0] in ("keras_cv", "tensorflow_datasets")]
print(left, kerascv.ResBlock(32).__class__.__name__)
"""


def test_the_blocks_need_no_tensorflow_and_leave_no_module_behind():
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    if "No module named 'jax'" in done.stderr:
        pytest.skip("JAX is not installed")
    assert done.stdout == "[] ResBlock\n", done.stderr


@pytest.mark.parametrize("found", ["0.9.1", None])
def test_another_version_or_none_says_what_to_type(monkeypatch, found):
    def version(name):
        if found is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(BadInput, match=rf"{found or 'none'} is installed: type `pip install"):
        kerascv.folder()


def test_what_was_imported_before_is_there_afterwards(monkeypatch):
    real = kerascv.ModuleType("keras_cv")
    monkeypatch.setitem(sys.modules, "keras_cv", real)
    with kerascv.in_place_of_kerascv({"keras_cv": kerascv.ModuleType("keras_cv")}):
        assert sys.modules["keras_cv"] is not real
    assert sys.modules["keras_cv"] is real


def test_noise_schedule_of_training():
    """Scaled-linear betas (Rombach et al.): square roots from 0.00085 to 0.012 in even steps."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    np.testing.assert_allclose(kerascv.ALPHAS_CUMPROD, np.cumprod(1 - betas), rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 5, 3, 64), (1, 7, 96)])
def test_group_normalisation_is_the_papers(shape):
    """Eq. 1 and 2, in float64: every group of every photo has mean 0 and variance 1."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(3, 2, shape).astype("float32")
    layer = kerascv.GroupNormalization(32, epsilon=1e-5)
    layer.build(shape)
    gamma, beta = (np.random.default_rng(1).normal(size=shape[-1]) for _ in range(2))
    layer.set_weights([gamma, beta])
    expected = np.empty(shape)
    for photo, group in np.ndindex(shape[0], 32):
        own = slice(group * shape[-1] // 32, (group + 1) * shape[-1] // 32)
        values = x[photo, ..., own].astype("float64")
        expected[photo, ..., own] = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
    expected = expected * gamma + beta
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)
    theirs = keras.layers.GroupNormalization(32, epsilon=1e-5)
    theirs.build(shape)
    theirs.set_weights([gamma, beta])
    np.testing.assert_allclose(layer(x), theirs(x), atol=1e-4)


PIXELS, TIME, PROMPT = (2, 4, 4, 64), (2, 8), (2, 5, 16)
BLOCKS = {
    "PaddedConv2D": (lambda: kerascv.PaddedConv2D(32, 3, padding=1), PIXELS),
    "ResnetBlock": (lambda: kerascv.ResnetBlock(64), PIXELS),
    "ResnetBlock, wider": (lambda: kerascv.ResnetBlock(96), PIXELS),
    "AttentionBlock": (lambda: kerascv.AttentionBlock(64), PIXELS),
    "ResBlock": (lambda: kerascv.ResBlock(64), [PIXELS, TIME]),
    "ResBlock, wider": (lambda: kerascv.ResBlock(96), [PIXELS, TIME]),
    "SpatialTransformer": (lambda: kerascv.SpatialTransformer(4, 16), [PIXELS, PROMPT]),
    "Upsample": (lambda: kerascv.Upsample(32), PIXELS),
    "CLIPEncoderLayer": (
        lambda: kerascv.CLIPEncoderLayer(16, 4, kerascv.quick_gelu),
        PROMPT,
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "bfloat16"])
def test_a_block_makes_all_its_weights_when_built_and_keeps_its_precision(name, policy):
    """Called under another policy than it was made under."""
    make, shapes = BLOCKS[name]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        block = make()
    finally:
        keras.config.set_dtype_policy(before)
    block.build(shapes)
    made = [weight.path for weight in block.weights]
    rng = np.random.default_rng(0)
    ones = shapes if isinstance(shapes, list) else [shapes]
    inputs = [keras.ops.array(rng.normal(size=shape).astype("float32")) for shape in ones]
    said = block(inputs if isinstance(shapes, list) else inputs[0])
    assert [weight.path for weight in block.weights] == made
    assert {weight.dtype for weight in block.weights} == {block.variable_dtype}
    assert keras.backend.standardize_dtype(said.dtype) == block.compute_dtype
    assert np.isfinite(np.asarray(keras.ops.cast(said, "float32"))).all()


def test_attention_to_a_prompt_is_softmax_of_scaled_products():
    """Vaswani et al., 2017, equation 1, head by head."""
    heads, width = 2, 3
    layer = kerascv.CrossAttention(heads, width)
    rng = np.random.default_rng(0)
    x, prompt = rng.normal(size=(1, 4, 6)), rng.normal(size=(1, 5, 7))
    said = np.asarray(layer(keras.ops.array(x, "float32"), context=keras.ops.array(prompt)))
    matrices = [np.asarray(getattr(layer, name).kernel) for name in ("to_q", "to_k", "to_v")]
    q, k, v = x[0] @ matrices[0], prompt[0] @ matrices[1], prompt[0] @ matrices[2]
    found = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        score = np.exp(q[:, part] @ k[:, part].T / np.sqrt(width))
        found.append(score / score.sum(1, keepdims=True) @ v[:, part])
    expected = np.concatenate(found, 1) @ np.asarray(layer.out_proj.kernel)
    np.testing.assert_allclose(said[0], expected, rtol=1e-4, atol=1e-5)
