"""KerasCV's building blocks of Stable Diffusion: the one module that touches KerasCV.

KerasCV is frozen upstream and `keras_cv.src` is private, so its version is pinned and everything
else takes the blocks from here; another source of the same blocks could take its place.

`import keras_cv` takes seconds, loads TensorFlow, tensorflow_datasets and pyarrow, and fails on a
machine with JAX only; the blocks need none of that, only `keras` and `keras.ops`. So the few
files with the blocks are loaded under stand-ins for the packages around them, and both are taken
out of `sys.modules` again: a program that imports KerasCV itself gets the real one, before or
after. These copies are recon's own, so what is replaced in them changes nothing elsewhere.

The blocks make their inner layers without passing a `dtype` on: only Keras's global policy, at
the time a block is made, decides their precision.
"""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
from keras import ops

from recon.errors import BadInput

VERSION = "0.9.0"
PACKAGE = "keras_cv.src.models.stable_diffusion"


def folder() -> Path:
    """Where KerasCV is installed, found without importing it.

    Raises:
        BadInput: it is not there, or another version is.
    """
    try:
        version = importlib.metadata.version("keras-cv")
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    spec = importlib.util.find_spec("keras_cv") if "keras_cv" not in sys.modules else None
    spec = spec or getattr(sys.modules.get("keras_cv"), "__spec__", None)
    if version != VERSION or spec is None:
        raise BadInput(
            f"Stable Diffusion needs KerasCV {VERSION}, {version} is installed: "
            f"type `pip install keras-cv=={VERSION}`"
        )
    return Path(spec.origin).parent


@keras.saving.register_keras_serializable("recon")
class GroupNormalization(keras.layers.GroupNormalization):
    """Keras's layer in half of its time on a CPU: what it takes from the pixels is two sums.

    A group's mean and variance are put together from its channels', and become one factor and one
    summand a channel; Keras spreads the pixels over a fifth dimension instead, and goes over them
    five times. Wu & He, 2018, https://arxiv.org/abs/1803.08494, eq. 1 and 2.
    """

    def call(self, inputs):
        x = ops.cast(inputs, "float32")  # (B, ..., C)
        channels = x.shape[-1]
        pixels = tuple(range(1, len(x.shape) - 1))

        def of_groups(of_channels):  # (B, C), the same all over a group
            groups = ops.reshape(of_channels, (-1, self.groups, channels // self.groups))
            mean = ops.mean(groups, axis=-1, keepdims=True)
            return ops.reshape(ops.broadcast_to(mean, ops.shape(groups)), (-1, channels))

        mean = of_groups(ops.mean(x, axis=pixels))
        variance = of_groups(ops.mean(ops.square(x), axis=pixels)) - ops.square(mean)
        factor = ops.rsqrt(ops.maximum(variance, 0.0) + self.epsilon)
        factor = factor * ops.cast(self.gamma, "float32")
        summand = ops.cast(self.beta, "float32") - mean * factor
        shape = (-1, *[1] * len(pixels), channels)
        x = x * ops.reshape(factor, shape) + ops.reshape(summand, shape)
        return ops.cast(x, self.compute_dtype)


def keras_for_kerascv() -> ModuleType:
    """Keras as KerasCV's blocks see it: with the faster normalisation."""
    layers = ModuleType("keras.layers")
    vars(layers).update(vars(keras.layers), GroupNormalization=GroupNormalization)
    seen = ModuleType("keras")
    vars(seen).update(vars(keras), layers=layers)
    return seen


def stand_ins(root: Path) -> dict[str, ModuleType]:
    """Empty packages of KerasCV's names, whose modules are found but whose `__init__` is not run.

    Its `backend` chooses between Keras 2 and 3 by importing TensorFlow, and sets
    `keras.backend.name_scope`; here it is Keras 3.
    """
    packages = {}
    for name in ("keras_cv", "keras_cv.src", "keras_cv.src.models", PACKAGE):
        package = packages[name] = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
    backend = packages["keras_cv.src.backend"] = ModuleType("keras_cv.src.backend")
    backend.keras, backend.ops = keras_for_kerascv(), ops
    return packages


@contextmanager
def in_place_of_kerascv(packages: dict[str, ModuleType]) -> Iterator[None]:
    """Have `import` see these and no other module of KerasCV, then as before."""

    def take_out():
        names = [name for name in sys.modules if name.split(".")[0] == "keras_cv"]
        return {name: sys.modules.pop(name) for name in names}

    before = take_out()
    sys.modules.update(packages)
    try:
        yield
    finally:
        take_out()
        sys.modules.update(before)


with in_place_of_kerascv(stand_ins(folder())):
    from keras_cv.src.models.stable_diffusion import diffusion_model
    from keras_cv.src.models.stable_diffusion.attention_block import AttentionBlock
    from keras_cv.src.models.stable_diffusion.clip_tokenizer import SimpleTokenizer
    from keras_cv.src.models.stable_diffusion.constants import _ALPHAS_CUMPROD
    from keras_cv.src.models.stable_diffusion.diffusion_model import (
        GEGLU,
        BasicTransformerBlock,
        CrossAttention,
        ResBlock,
        SpatialTransformer,
        Upsample,
    )
    from keras_cv.src.models.stable_diffusion.padded_conv2d import PaddedConv2D
    from keras_cv.src.models.stable_diffusion.resnet_block import ResnetBlock
    from keras_cv.src.models.stable_diffusion.text_encoder import (
        CLIPAttention,
        CLIPEmbedding,
        CLIPEncoderLayer,
        quick_gelu,
    )

# KerasCV multiplies attention's matrices by a `keras.layers.Dot` that it makes anew in every call:
# in the precision of the global policy at that time, whatever the network's own.
diffusion_model.td_dot = keras.ops.matmul


@contextmanager
def precision(policy: str | keras.DTypePolicy) -> Iterator[None]:
    """Build blocks in a precision, which goes no further.

    `bfloat16` halves the weights' memory; `mixed_bfloat16` keeps them in float32.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


# How blocks make their weights ---------------------------------------------------------------
# KerasCV leaves it to the first call. Keras then traces a block once to find its weights and once
# more to use it, and so does every block inside of it: the innermost are traced eight times over.


def with_channels(shape: tuple, channels: int) -> tuple:
    return (*shape[:-1], channels)


def build_each(layers: list, shape: tuple) -> None:
    for layer in layers:
        layer.build(shape)


def build_padded_conv(self, input_shape):
    self.conv2d.build(self.padding2d.compute_output_shape(input_shape))


def build_embedding(self, input_shape):
    self.token_embedding.build()
    self.position_embedding.build()


def build_text_attention(self, input_shape):
    build_each([self.q_proj, self.k_proj, self.v_proj, self.out_proj], input_shape)


def build_text_layer(self, input_shape):
    build_each([self.layer_norm1, self.clip_attn, self.layer_norm2, self.fc1], input_shape)
    self.fc2.build(with_channels(input_shape, self.fc1.units))


def build_pixel_attention(self, input_shape):
    build_each([self.norm, self.q, self.k, self.v, self.proj_out], input_shape)


def residual_projection(block, input_shape):
    """The convolution beside a block that changes the number of channels, or nothing."""
    if input_shape[-1] == block.output_dim:
        return lambda x: x
    with precision(block.dtype_policy):
        projection = PaddedConv2D(block.output_dim, 1)
    projection.build(input_shape)
    return projection


def build_photo_residual(self, input_shape):
    build_each([self.norm1, self.conv1], input_shape)
    build_each([self.norm2, self.conv2], with_channels(input_shape, self.output_dim))
    self.residual_projection = residual_projection(self, input_shape)


def build_latent_residual(self, input_shape):
    shape, time = input_shape
    build_each(self.entry_flow, shape)
    build_each(self.embedding_flow, time)
    build_each(self.exit_flow, with_channels(shape, self.output_dim))
    self.residual_projection = residual_projection(self, shape)


def build_attention(self, inputs_shape, context_shape=None):
    build_each([self.to_q], inputs_shape)
    build_each([self.to_k, self.to_v], context_shape or inputs_shape)
    build_each([self.out_proj], with_channels(inputs_shape, self.num_heads * self.head_size))


def build_gated(self, input_shape):
    self.dense.build(input_shape)


def build_transformer_block(self, input_shape):
    shape, context = input_shape
    build_each([self.norm1, self.attn1, self.norm2, self.norm3, self.geglu], shape)
    self.attn2.build(shape, context)
    self.dense.build(with_channels(shape, self.geglu.output_dim))


def build_transformer(self, input_shape):
    shape, context = input_shape
    batch, height, width, channels = shape
    build_each([self.norm, self.proj1, self.proj2], shape)
    self.transformer_block.build([(batch, height * width, channels), context])


def build_upsample(self, input_shape):
    self.conv.build(self.ups.compute_output_shape(input_shape))


PaddedConv2D.build = build_padded_conv
CLIPEmbedding.build = build_embedding
CLIPAttention.build = build_text_attention
CLIPEncoderLayer.build = build_text_layer
AttentionBlock.build = build_pixel_attention
ResnetBlock.build = build_photo_residual
ResBlock.build = build_latent_residual
CrossAttention.build = build_attention
GEGLU.build = build_gated
BasicTransformerBlock.build = build_transformer_block
SpatialTransformer.build = build_transformer
Upsample.build = build_upsample

ALPHAS_CUMPROD = np.asarray(_ALPHAS_CUMPROD, "float64")  # (1000,), of training's noise schedule

__all__ = [
    "ALPHAS_CUMPROD",
    "AttentionBlock",
    "BasicTransformerBlock",
    "CLIPAttention",
    "CLIPEmbedding",
    "CLIPEncoderLayer",
    "CrossAttention",
    "GroupNormalization",
    "PaddedConv2D",
    "ResBlock",
    "ResnetBlock",
    "SimpleTokenizer",
    "SpatialTransformer",
    "Upsample",
    "precision",
    "quick_gelu",
]
