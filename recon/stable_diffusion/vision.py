"""CLIP's image half: does a photo show what a prompt says?

Stable Diffusion reads prompts through the text half of CLIP ViT-L/14 (Radford et al., 2021,
https://arxiv.org/abs/2103.00020); the image half of the same network maps photos to the same
768 numbers. It is a vision transformer (Dosovitskiy et al., 2020,
https://arxiv.org/abs/2010.11929) with one more normalisation at its start.

Weights are OpenAI's, as the `transformers` library keeps them: model.safetensors of
https://huggingface.co/openai/clip-vit-large-patch14, which holds both halves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from recon.errors import BadInput
from recon.stable_diffusion import networks, text, weights
from recon.stable_diffusion.kerascv import CLIPAttention, quick_gelu
from recon.stable_diffusion.weights import Place

ADDRESS = "https://huggingface.co/openai/clip-vit-large-patch14/resolve/main/model.safetensors"

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


class Embeddings(layers.Layer):
    """A token per patch, a learned class token before them, and a learned position for each.

    `(B, S, S, 3) -> (B, 1 + (S / patch)², width)`.
    """

    def __init__(self, width: int, patch: int, **kwargs):
        super().__init__(**kwargs)
        self.patches = layers.Conv2D(width, patch, patch, use_bias=False)
        self.flat = layers.Reshape((-1, width))

    def build(self, shape):
        self.patches.build(shape)
        _, rows, columns, width = self.patches.compute_output_shape(shape)
        self.token = self.add_weight(shape=(width,), initializer="random_normal")
        self.positions = self.add_weight(
            shape=(1 + rows * columns, width), initializer="random_normal"
        )

    def call(self, photo):
        patches = self.flat(self.patches(photo))  # (B, 256, 1024) of ViT-L/14
        token = ops.broadcast_to(self.token, (ops.shape(photo)[0], 1, patches.shape[-1]))
        return ops.concatenate([token, patches], axis=1) + self.positions


def norm(name: str):
    """Layer normalisation with CLIP's epsilon."""
    return layers.LayerNormalization(epsilon=1e-5, name=name)


def encoder_layer(width: int, heads: int, name: str):
    """Attention, then two dense layers, each normalised before and added: `(B, L, width)`.

    KerasCV's CLIPEncoderLayer, whose mask cannot be left out: every patch sees every other.
    """

    def block(x):
        y = norm(f"{name}.layer_norm1")(x)
        attention = CLIPAttention(width, heads, causal=False, name=f"{name}.self_attn")
        y = attention(y, attention_mask=0.0)  # added to every weight: it asks for a mask
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
    x = Embeddings(layout.width, layout.patch, name="vision_model.embeddings")(photo)
    # (B, 257, 1024)
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
    projection: keras.Variable  # (text width, projection): a prompt's summary to what is shared
    logit_scale: keras.Variable  # logarithm; cosines times its exponential go into a softmax


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
    if not Path(path).is_file():
        raise BadInput(f"{path}: no such file; CLIP's weights are {ADDRESS}")
    clip = Clip(
        vision_encoder(layout),
        networks.text_encoder(text_layout),
        keras.Variable(np.zeros((text_layout.text_width, layout.projection), "float32")),
        keras.Variable(np.float32(0)),
    )
    wanted = places(clip)
    with weights.tensors(Path(path)) as file:
        # Position numbers are 0, 1, 2 and so on.
        names = [name for name in file.keys() if not name.endswith(".position_ids")]  # noqa: SIM118
        check(path, {name: tuple(file.get_slice(name).get_shape()) for name in names}, wanted)
        for name in names:
            wanted[name].fill(file.get_tensor(name))
    return clip


def places(clip: Clip) -> dict[str, Place]:
    """Published name -> place, of every weight of both halves."""
    _, embeddings, *others = clip.vision.layers
    found = {
        f"{embeddings.name}.class_embedding": Place(embeddings.token, (0,)),
        f"{embeddings.name}.patch_embedding.weight": Place(embeddings.patches.kernel, (3, 2, 0, 1)),
        f"{embeddings.name}.position_embedding.weight": Place(embeddings.positions, (0, 1)),
        "text_projection.weight": Place(clip.projection, (1, 0)),
        "logit_scale": Place(clip.logit_scale, ()),
    }
    for layer in others:
        found |= dict(weights.published(layer, layer.name))
    return found | weights.places(clip.text)


def check(path: str | Path, found: dict[str, tuple], wanted: dict[str, Place]) -> None:
    """Refuse a file whose tensors are not, name for name and shape for shape, those wanted."""
    for problem, names in (
        ("lacks tensor", wanted.keys() - found.keys()),
        ("has an unknown tensor", found.keys() - wanted.keys()),
    ):
        if names:
            first, more = min(names), len(names) - 1
            others = f" and {more} more" if more else ""
            raise BadInput(f"{path}: {problem} {first!r}{others}; CLIP ViT-L/14 is {ADDRESS}")
    for name, place in wanted.items():
        if found[name] != place.shape:
            raise BadInput(
                f"{path}: tensor {name!r} is {found[name]}, not {place.shape}; CLIP ViT-L/14 is "
                f"{ADDRESS}"
            )


# Photos and prompts -------------------------------------------------------------------------


def image_similarity(
    clip: Clip, tokenizer: text.Tokenizer, photos: np.ndarray, prompts: Sequence[str]
) -> np.ndarray:
    """How well prompts describe photos.

    Times `exp(clip.logit_scale)`, a softmax over the prompts says which is the likeliest.

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
    said = text.summaries(clip.text, tokenizer, prompts)  # (M, text width)
    said = said @ ops.convert_to_numpy(clip.projection)  # (M, projection)
    return text.cosine(seen, said)
