"""The transposed convolution as a product of matrices: what Keras's gives, on either backend."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from backends import OTHER
from keras import layers, ops

from recon.models import blocks, dcgan

BACKEND = keras.backend.backend()
CASES = [
    (kernel, stride, padding)
    for kernel in (1, 3, 4, 12, (3, 4))
    for stride in (1, 2, 3, 8)
    for padding in ("same", "valid")
]
FEW = [(4, 2, "same"), (3, 2, "same"), (3, 1, "valid"), (12, 8, "valid"), (2, 3, "same")]


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def gradients(function, *arrays):
    """The gradient of the mean of a function's squares, for each of its arguments."""

    def loss(*arrays):
        return ops.mean(ops.square(function(*arrays)))

    tensors = [ops.convert_to_tensor(x) for x in arrays]
    if BACKEND == "jax":
        import jax

        return jax.grad(loss, argnums=tuple(range(len(arrays))))(*tensors)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return tape.gradient(value, tensors)


@pytest.mark.parametrize(("kernel", "stride", "padding"), CASES)
def test_it_is_the_transposed_convolution(kernel, stride, padding):
    x = numbers(0, 2, 5, 7, 3)  # odd sides
    layer = layers.Conv2DTranspose(4, kernel, stride, padding, use_bias=False)
    expected = ops.convert_to_numpy(layer(x))
    same = blocks.convolve_transposed(
        ops.convert_to_tensor(x), ops.convert_to_tensor(layer.kernel), layer.strides, padding
    )
    assert same.shape == expected.shape
    np.testing.assert_allclose(ops.convert_to_numpy(same), expected, atol=1e-5)


@pytest.mark.parametrize(("kernel", "stride", "padding"), FEW)
def test_its_gradients_are_those_of_the_transposed_convolution(kernel, stride, padding):
    x, weights = numbers(0, 2, 5, 7, 3), numbers(1, kernel, kernel, 4, 3)
    strides = (stride, stride)
    expected = gradients(lambda x, k: ops.conv_transpose(x, k, strides, padding), x, weights)
    found = gradients(lambda x, k: blocks.convolve_transposed(x, k, strides, padding), x, weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("product", [True, False], ids=["as_a_product", "backends_own"])
def test_the_layer_is_kerass_either_way(monkeypatch, product, precision):
    monkeypatch.setattr(blocks, "xla_on_cpu", lambda: product)
    settings = {"activation": "tanh", "bias_initializer": "ones", "dtype": precision}
    theirs = layers.Conv2DTranspose(4, 4, 2, "same", **settings)
    ours = blocks.Conv2DTranspose(4, 4, 2, "same", **settings)
    x = numbers(0, 2, 5, 7, 3)
    expected = theirs(x)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    same = ours(x)
    assert keras.backend.standardize_dtype(same.dtype) == theirs.compute_dtype
    bound = 1e-5 if precision == "float32" else 2e-2
    np.testing.assert_allclose(
        *(ops.convert_to_numpy(ops.cast(y, "float32")) for y in (same, expected)), atol=bound
    )


def test_what_it_cannot_do_keras_does(monkeypatch):
    monkeypatch.setattr(blocks, "xla_on_cpu", lambda: True)
    monkeypatch.setattr(blocks, "convolve_transposed", None)
    assert blocks.Conv2DTranspose(2, 3, 1, dilation_rate=2)(numbers(0, 1, 5, 5, 3)).ndim == 4
    assert blocks.Conv2DTranspose(2, 3, 2, output_padding=1)(numbers(0, 1, 5, 5, 3)).ndim == 4
    assert blocks.Conv2DTranspose(2, 3, 2)(layers.Input((None, None, 3))).shape[-1] == 2


def test_weights_saved_with_kerass_layer_load(monkeypatch, tmp_path):
    before, after = tmp_path / "before.weights.h5", tmp_path / "after.keras"
    with monkeypatch.context() as patched:
        patched.setattr(blocks, "Conv2DTranspose", layers.Conv2DTranspose)
        older = dcgan.generator(64, 2, 5)
    older.save_weights(before)
    newer = dcgan.generator(64, 2, 5)
    newer.load_weights(before)
    z = numbers(0, 2, 5)
    expected = ops.convert_to_numpy(older(z))
    np.testing.assert_allclose(ops.convert_to_numpy(newer(z)), expected, atol=1e-5)
    newer.save(after)
    loaded = keras.saving.load_model(after)
    kinds = [type(x) for x in loaded.layers if isinstance(x, layers.Conv2DTranspose)]
    assert kinds == [blocks.Conv2DTranspose] * len(kinds) != []
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(z)), expected, atol=1e-5)


def test_gradients_and_layer_are_right_on_the_other_backend():
    other = OTHER.get(BACKEND)
    if other is None or importlib.util.find_spec(other) is None:
        pytest.skip(f"no other backend than {BACKEND} is installed")
    command = [sys.executable, "-m", "pytest", __file__, "-k", "its_gradients or either_way"]
    environment = {**os.environ, "KERAS_BACKEND": other}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
