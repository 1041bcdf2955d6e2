"""CLIP's image half: does a photo show what a prompt says?

Stable Diffusion reads prompts through the text half of CLIP ViT-L/14 (Radford et al., 2021,
https://arxiv.org/abs/2103.00020); the image half of the same network maps photos to the same
768 numbers. It is a vision transformer (Dosovitskiy et al., 2020,
https://arxiv.org/abs/2010.11929) with one more normalisation at its start.

Weights are OpenAI's, as the `transformers` library keeps them: model.safetensors of
https://huggingface.co/openai/clip-vit-large-patch14, which holds both halves.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops
from safetensors import SafetensorError
from safetensors.numpy import load_file

from recon.errors import BadInput
from recon.stable_diffusion import networks, text
from recon.stable_diffusion.kerascv import CLIPEmbedding, CLIPEncoderLayer, quick_gelu

ADDRESS = "https://huggingface.co/openai/clip-vit-large-patch14/resolve/main/model.safetensors"
ATTENTION = ("q_proj", "k_proj", "v_proj", "out_proj")

# Of the photos CLIP was trained on, per channel in [0, 1]
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Layout:
    """How large an image half is.

    Raises:
        ValueError: patches that do not divide the size, or heads that do not divide the width.
    """

    size: int  # height and width of the photos, in pixels
    patch: int  # side of the square of pixels that is one token
    width: int
    layers: int
    heads: int
    projection: int  # of the space that photos and prompts share

    def __post_init__(self):
        if self.size % self.patch:
            raise ValueError(f"size {self.size}: patches of {self.patch} do not divide it")
        if self.width % self.heads:
            raise ValueError(f"width {self.width}: {self.heads} heads do not divide it")


VIT_L_14 = Layout(size=224, patch=14, width=1024, layers=24, heads=16, projection=768)


def prepare(photo, size: int = VIT_L_14.size):
    """What CLIP is shown of photos: the middle square, resized, with each channel normalised.

    Args:
        photo: `(B, H, W, 3)` in [0, 1].
        size: height and width of the result, in pixels.

    Returns:
        `(B, size, size, 3)`, about mean 0 and deviation 1.
    """
    resized = ops.image.resize(
        photo, (size, size), "bicubic", antialias=True, crop_to_aspect_ratio=True
    )
    resized = ops.clip(resized, 0, 1)  # bicubic reaches beyond, Pillow's whole numbers do not
    return (resized - ops.array(MEAN)) / ops.array(DEVIATION)


# The network --------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("recon")
class Embeddings(layers.Layer):
    """A learned class token before the patches, and a learned position for each.

    `(B, P, width) -> (B, 1 + P, width)`.
    """

    def build(self, shape):
        _, patches, width = shape
        self.token = self.add_weight(shape=(width,), initializer="random_normal", name="class")
        self.positions = self.add_weight(
            shape=(1 + patches, width), initializer="random_normal", name="positions"
        )

    def call(self, patches):
        token = ops.broadcast_to(self.token, (ops.shape(patches)[0], 1, patches.shape[-1]))
        return ops.concatenate([token, patches], axis=1) + self.positions


def norm(name: str):
    """Layer normalisation with CLIP's epsilon."""
    return layers.LayerNormalization(epsilon=1e-5, name=name)


def encoder_layer(width: int, heads: int, name: str):
    """Attention, then two dense layers, each normalised before and added: `(B, L, width)`.

    KerasCV's CLIPEncoderLayer without its mask: every patch sees every other.
    """

    def block(x):
        y = norm(f"{name}.layer_norm1")(x)
        y = layers.MultiHeadAttention(heads, width // heads, name=f"{name}.self_attn")(y, y)
        x = layers.Add()([x, y])
        y = norm(f"{name}.layer_norm2")(x)
        y = layers.Dense(4 * width, quick_gelu, name=f"{name}.mlp.fc1")(y)  # (B, L, 4 width)
        y = layers.Dense(width, name=f"{name}.mlp.fc2")(y)
        return layers.Add()([x, y])

    return block


def vision_encoder(layout: Layout = VIT_L_14) -> keras.Model:
    """CLIP's image half; layers bear the names of the `transformers` library's modules.

    Returns:
        model photo `(B, S, S, 3)`, of `prepare` -> `(B, projection)`: comparable, by cosine, with
        prompts' projected summaries.
    """
    photo = layers.Input((layout.size, layout.size, 3), name="photo")
    # shapes as of ViT-L/14
    x = layers.Conv2D(
        layout.width,
        layout.patch,
        layout.patch,
        use_bias=False,
        name="vision_model.embeddings.patch_embedding",
    )(photo)  # (B, 16, 16, 1024)
    x = layers.Reshape((-1, layout.width))(x)  # (B, 256, 1024)
    x = Embeddings(name="vision_model.embeddings")(x)  # (B, 257, 1024)
    x = norm("vision_model.pre_layrnorm")(x)  # the published name
    for i in range(layout.layers):
        name = f"vision_model.encoder.layers.{i}"
        x = encoder_layer(layout.width, layout.heads, name)(x)  # (B, 257, 1024)
    x = norm("vision_model.post_layernorm")(x[:, 0])  # (B, 1024): the class token's
    x = layers.Dense(layout.projection, use_bias=False, name="visual_projection")(x)  # (B, 768)
    return keras.Model(photo, x, name="vision_encoder")


# Published weights --------------------------------------------------------------------------


@dataclass(frozen=True)
class Clip:
    """Both halves of CLIP, with weights."""

    vision: keras.Model  # of `vision_encoder`
    text: keras.Model  # of `networks.text_encoder`
    projection: np.ndarray  # (text width, projection): from a prompt's summary to what is shared
    temperature: float  # divides cosines before a softmax over prompts; 0.01 in OpenAI's


def load_clip(
    path: str | Path,
    layout: Layout = VIT_L_14,
    text_layout: networks.Layout = networks.STABLE_DIFFUSION,
) -> Clip:
    """Load both halves of CLIP from one file.

    Args:
        path: model.safetensors of openai/clip-vit-large-patch14, in the layout of `transformers`;
            every tensor of it is used, but the position numbers that older files hold.
        layout: of its image half.
        text_layout: of its text half; Stable Diffusion 1.x has the same one.

    Raises:
        BadInput: no such file, one that is damaged, or tensors missing, unknown or of another
            shape.
    """
    tensors = read(path)
    vision, prompts = vision_encoder(layout), networks.text_encoder(text_layout)
    places = {name: place for model in (vision, prompts) for name, place in published(model)}
    shapes = {name: place.shape for name, place in places.items()}
    shapes["text_projection.weight"] = (layout.projection, text_layout.text_width)
    shapes["logit_scale"] = ()
    check(path, {name: tensor.shape for name, tensor in tensors.items()}, shapes)
    for name, place in places.items():
        place.fill(tensors[name])
    projection = tensors["text_projection.weight"].astype("float32").T
    return Clip(vision, prompts, projection, float(np.exp(-tensors["logit_scale"])))


def read(path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file, without position numbers: 0, 1, 2 and so on.

    Raises:
        BadInput: no such file, or one that is damaged or ends early.
    """
    if not Path(path).is_file():
        raise BadInput(f"{path}: no such file; CLIP's weights are {ADDRESS}")
    try:
        tensors = load_file(path)
    except SafetensorError:
        size = Path(path).stat().st_size
        raise BadInput(
            f"{path}: {size:,} bytes that are no whole safetensors file; download it again from "
            f"{ADDRESS}"
        ) from None
    return {name: x for name, x in tensors.items() if not name.endswith(".position_ids")}


def check(path: str | Path, found: dict[str, tuple], wanted: dict[str, tuple]) -> None:
    """Refuse a file whose tensors are not, name for name and shape for shape, those wanted."""
    for problem, names in (
        ("lacks", wanted.keys() - found.keys()),
        ("has an unknown tensor", found.keys() - wanted.keys()),
    ):
        if names:
            first, more = min(names), len(names) - 1
            others = f" and {more} more" if more else ""
            raise BadInput(f"{path}: {problem} {first}{others}; CLIP ViT-L/14 is {ADDRESS}")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise BadInput(f"{path}: {name} is {found[name]}, {shape} was expected: {ADDRESS}")


class Place(NamedTuple):
    """Where a published tensor goes."""

    variable: keras.Variable
    shape: tuple[int, ...]  # of the published tensor
    axes: tuple[int, ...]  # its axes in Keras's order

    def fill(self, tensor: np.ndarray) -> None:
        # Keras's attention has its heads on an axis of their own: the same numbers, reshaped.
        self.variable.assign(tensor.transpose(self.axes).reshape(self.variable.shape))


def plain(variable) -> Place:
    """A tensor that PyTorch keeps as Keras does."""
    return Place(variable, tuple(variable.shape), tuple(range(len(variable.shape))))


def published(model: keras.Model) -> Iterator[tuple[str, Place]]:
    """Every tensor of a half of CLIP: its published name and its place."""
    for layer in model.layers:
        for end, place in published_layer(layer):
            yield f"{layer.name}.{end}", place


def published_layer(layer) -> Iterator[tuple[str, Place]]:
    """The tensors of one layer, named as in PyTorch's module of that kind."""
    match layer:
        case Embeddings():
            yield "class_embedding", plain(layer.token)
            yield "position_embedding.weight", plain(layer.positions)
        case CLIPEmbedding():
            yield "token_embedding.weight", plain(layer.token_embedding.embeddings)
            yield "position_embedding.weight", plain(layer.position_embedding.embeddings)
        case layers.LayerNormalization():
            yield "weight", plain(layer.gamma)
            yield "bias", plain(layer.beta)
        case layers.Conv2D():
            height, width, inputs, outputs = layer.kernel.shape
            yield "weight", Place(layer.kernel, (outputs, inputs, height, width), (2, 3, 1, 0))
        case layers.Dense():
            yield "weight", Place(layer.kernel, tuple(layer.kernel.shape[::-1]), (1, 0))
            if layer.use_bias:
                yield "bias", plain(layer.bias)
        case layers.MultiHeadAttention():
            inner = layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense
            for name, part in zip(ATTENTION, inner, strict=True):
                width = math.prod(part.bias.shape)
                yield f"{name}.weight", Place(part.kernel, (width, width), (1, 0))
                yield f"{name}.bias", Place(part.bias, (width,), (0,))
        case CLIPEncoderLayer():
            parts = {f"self_attn.{name}": getattr(layer.clip_attn, name) for name in ATTENTION}
            parts |= {name: getattr(layer, name) for name in ("layer_norm1", "layer_norm2")}
            parts |= {f"mlp.{name}": getattr(layer, name) for name in ("fc1", "fc2")}
            for name, part in parts.items():
                for end, place in published_layer(part):
                    yield f"{name}.{end}", place


# Photos and prompts -------------------------------------------------------------------------


def image_similarity(
    clip: Clip, tokenizer: text.Tokenizer, photos: np.ndarray, prompts: Sequence[str]
) -> np.ndarray:
    """How well prompts describe photos.

    Divided by `clip.temperature`, a softmax over the prompts says which is the likeliest.

    Args:
        clip: of `load_clip`.
        tokenizer: the one whose ids its text half knows.
        photos: `(N, H, W, 3)` in [0, 1].
        prompts: M of them.

    Returns:
        float32 `(N, M)`: cosines, from -1 to 1; around 0.2 for OpenAI's even where all is well.
    """
    size = clip.vision.input_shape[1]
    seen = ops.convert_to_numpy(clip.vision(prepare(photos, size), training=False))
    said = text.summaries(clip.text, tokenizer, prompts) @ clip.projection  # (M, projection)
    return text.cosine(seen, said)
