"""Stable Diffusion's networks, large and small, assembled from KerasCV's blocks.

Rombach et al., 2022, High-Resolution Image Synthesis with Latent Diffusion Models
(https://arxiv.org/abs/2112.10752). A `Layout` says how wide and how deep; the same functions build
Stable Diffusion 1.x from `STABLE_DIFFUSION`, layer for layer KerasCV's, and from `SMALL` one that
two CPU cores train in minutes.

Every layer with weights bears the name that the `diffusers` library gives its module, so that
`recon.stable_diffusion.weights` finds it.

Photos in here are in [-1, 1]. Precision is Keras's global policy at the time of building:
`with precision("bfloat16"): network = decoder(layout, size)`.
"""

from dataclasses import dataclass

import keras
from keras import layers, ops

from recon.stable_diffusion.kerascv import (
    AttentionBlock,
    CLIPEmbedding,
    CLIPEncoderLayer,
    GroupNormalization,
    PaddedConv2D,
    ResBlock,
    ResnetBlock,
    SpatialTransformer,
    Upsample,
    precision,
    quick_gelu,
)

__all__ = [
    "SMALL",
    "STABLE_DIFFUSION",
    "Layout",
    "decoder",
    "denoiser",
    "image_encoder",
    "latent_side",
    "moments",
    "precision",
    "text_encoder",
]

GROUPS = 32  # of every GroupNormalization in KerasCV's blocks, whatever the width


@dataclass(frozen=True)
class Layout:
    """How wide and how deep the networks are.

    Widths are channels, from the highest resolution to the lowest; every level but the last
    halves height and width.

    Raises:
        ValueError: a width that GroupNormalization's 32 groups, or the heads, do not divide.
    """

    name: str
    vocabulary: int  # tokens that there are
    length: int  # tokens of a prompt, padding included
    text_width: int
    text_layers: int
    text_heads: int
    autoencoder: tuple[int, ...]  # widths, from the photo to the latent
    autoencoder_blocks: int  # residual blocks of a level; the decoder has one more
    denoiser: tuple[int, ...]  # widths, from the latent downwards
    denoiser_blocks: int  # residual blocks of a level on the way down; one more on the way up
    attention: tuple[int, ...]  # levels of the denoiser that look at the prompt; its middle does
    heads: int  # of the denoiser's attention
    time_width: int  # of the sinusoidal timestep embedding
    latent_channels: int = 4
    latent_scale: float = 0.18215  # brings latents to a standard deviation of about 1
    text_activation: str = "quick_gelu"  # CLIP's own, or "gelu"

    def __post_init__(self):
        for width in (*self.autoencoder, *self.denoiser):
            if width % GROUPS:
                raise ValueError(f"width {width}: must be a multiple of {GROUPS}")
        for width in self.denoiser:
            if width % self.heads:
                raise ValueError(f"width {width}: {self.heads} heads do not divide it")
        if self.text_width % self.text_heads:
            raise ValueError(f"width {self.text_width}: {self.text_heads} heads do not divide it")
        if self.text_activation not in ACTIVATIONS:
            raise ValueError(f"{self.text_activation!r}: must be one of {', '.join(ACTIVATIONS)}")

    @property
    def factor(self) -> int:
        """Side of the square of pixels that one pixel of the latent stands for."""
        return 2 ** (len(self.autoencoder) - 1)

    @property
    def multiple(self) -> int:
        """Photos' sides must be multiples of this, for every level to halve without a rest."""
        return self.factor * 2 ** (len(self.denoiser) - 1)


def layout_of(fields: dict) -> Layout:
    """A layout from its fields as a file has them: JSON knows no tuples."""
    return Layout(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


ACTIVATIONS = {"quick_gelu": quick_gelu, "gelu": keras.activations.gelu}

STABLE_DIFFUSION = Layout(
    name="Stable Diffusion 1.x",
    vocabulary=49408,
    length=77,
    text_width=768,
    text_layers=12,
    text_heads=12,
    autoencoder=(128, 256, 512, 512),
    autoencoder_blocks=2,
    denoiser=(320, 640, 1280, 1280),
    denoiser_blocks=2,
    attention=(0, 1, 2),
    heads=8,
    time_width=320,
)

SMALL = Layout(
    name="small",
    vocabulary=64,
    length=16,
    text_width=64,
    text_layers=2,
    text_heads=4,
    autoencoder=(32, 32, 64),
    autoencoder_blocks=1,
    denoiser=(64, 96),
    denoiser_blocks=1,
    attention=(1,),
    heads=4,
    time_width=64,
    latent_scale=1.0,  # its training holds latents near a standard deviation of 1
)


def latent_side(layout: Layout, size: int) -> int:
    """Height and width of the latent of a photo whose sides are `size` pixels.

    Raises:
        ValueError: not a multiple of `layout.multiple`; KerasCV would round it silently.
    """
    if size <= 0 or size % layout.multiple:
        raise ValueError(f"size {size}: must be a multiple of {layout.multiple}")
    return size // layout.factor


def norm(name: str):
    """Group normalisation of 32 groups, as in KerasCV's blocks."""
    return GroupNormalization(GROUPS, epsilon=1e-5, name=name)


# Text ---------------------------------------------------------------------------------------


def text_encoder(layout: Layout) -> keras.Model:
    """CLIP's text encoder (Radford et al., 2021, https://arxiv.org/abs/2103.00020).

    Returns:
        model `{"tokens" (B, L), "positions" (B, L)} -> (B, L, W)`, L the layout's length, W its
        text width; tokens and positions (0 to L - 1) are int32. A token sees those before it.
    """
    tokens = layers.Input((layout.length,), dtype="int32", name="tokens")
    positions = layers.Input((layout.length,), dtype="int32", name="positions")
    width, heads = layout.text_width, layout.text_heads
    activation = ACTIVATIONS[layout.text_activation]
    x = CLIPEmbedding(layout.vocabulary, width, layout.length, name="text_model.embeddings")(
        [tokens, positions]
    )  # (B, L, W), and so to the end
    for i in range(layout.text_layers):
        x = CLIPEncoderLayer(width, heads, activation, name=f"text_model.encoder.layers.{i}")(x)
    x = layers.LayerNormalization(epsilon=1e-5, name="text_model.final_layer_norm")(x)
    return keras.Model({"tokens": tokens, "positions": positions}, x, name="text_encoder")


# Autoencoder --------------------------------------------------------------------------------
# shapes as at size 512 with Stable Diffusion's widths


def autoencoder_middle(width: int, part: str):
    """Residual block, attention over all pixels, residual block: `(B, h, w, width)` as it was."""

    def block(x):
        x = ResnetBlock(width, name=f"{part}.mid_block.resnets.0")(x)
        x = AttentionBlock(width, name=f"{part}.mid_block.attentions.0")(x)
        return ResnetBlock(width, name=f"{part}.mid_block.resnets.1")(x)

    return block


def image_encoder(layout: Layout, size: int | None = None) -> keras.Model:
    """The autoencoder's first half, with the mean of its posterior as the latent.

    Args:
        layout: widths and depths.
        size: height and width of the photos, in pixels; None: any.

    Returns:
        model photo `(B, S, S, 3)` in [-1, 1] -> latent `(B, S/f, S/f, 4)`, times
        `layout.latent_scale`. `moments` takes the mean and the variance out of it.

    Raises:
        ValueError: not a multiple of `layout.multiple`.
    """
    if size is not None:
        latent_side(layout, size)
    photo = layers.Input((size, size, 3), name="photo")
    widths = layout.autoencoder
    x = PaddedConv2D(widths[0], 3, padding=1, name="encoder.conv_in")(photo)  # (B, 512, 512, 128)
    for level, width in enumerate(widths):
        if level:
            # Padded on one side only, as the paper's code does.
            name = f"encoder.down_blocks.{level - 1}.downsamplers.0.conv"
            x = PaddedConv2D(widths[level - 1], 3, padding=((0, 1), (0, 1)), strides=2, name=name)(
                x
            )  # (B, 256, 256, 128), (B, 128, 128, 256), (B, 64, 64, 512)
        for i in range(layout.autoencoder_blocks):
            x = ResnetBlock(width, name=f"encoder.down_blocks.{level}.resnets.{i}")(x)
    x = autoencoder_middle(widths[-1], "encoder")(x)
    x = norm("encoder.conv_norm_out")(x)
    x = layers.Activation("swish")(x)
    channels = 2 * layout.latent_channels
    x = PaddedConv2D(channels, 3, padding=1, name="encoder.conv_out")(x)  # (B, 64, 64, 8)
    x = PaddedConv2D(channels, 1, name="quant_conv")(x)  # (B, 64, 64, 8)
    latent = x[..., : layout.latent_channels] * layout.latent_scale  # (B, 64, 64, 4)
    return keras.Model(photo, latent, name="image_encoder")


def moments(encoder: keras.Model) -> keras.Model:
    """The posterior behind an image encoder's latent, to train it: the same weights.

    Returns:
        model photo `(B, S, S, 3)` -> `(B, S/f, S/f, 8)`: four channels of mean, then four of the
        logarithm of the variance; the mean times `latent_scale` is the encoder's latent.
    """
    return keras.Model(encoder.input, encoder.get_layer("quant_conv").output, name="moments")


def decoder(layout: Layout, size: int) -> keras.Model:
    """The autoencoder's second half.

    Returns:
        model latent `(B, S/f, S/f, 4)` -> photo `(B, S, S, 3)`, about [-1, 1], not clipped.

    Raises:
        ValueError: a size that is not a multiple of `layout.multiple`.
    """
    side = latent_side(layout, size)
    latent = layers.Input((side, side, layout.latent_channels), name="latent")
    widths = layout.autoencoder[::-1]
    x = layers.Rescaling(1 / layout.latent_scale)(latent)
    x = PaddedConv2D(layout.latent_channels, 1, name="post_quant_conv")(x)  # (B, 64, 64, 4)
    x = PaddedConv2D(widths[0], 3, padding=1, name="decoder.conv_in")(x)  # (B, 64, 64, 512)
    x = autoencoder_middle(widths[0], "decoder")(x)
    for level, width in enumerate(widths):
        if level:
            name = f"decoder.up_blocks.{level - 1}.upsamplers.0.conv"
            x = layers.UpSampling2D(2)(x)
            x = PaddedConv2D(widths[level - 1], 3, padding=1, name=name)(
                x
            )  # (B, 128, 128, 512), (B, 256, 256, 512), (B, 512, 512, 256)
        for i in range(layout.autoencoder_blocks + 1):
            x = ResnetBlock(width, name=f"decoder.up_blocks.{level}.resnets.{i}")(x)
    x = norm("decoder.conv_norm_out")(x)
    x = layers.Activation("swish")(x)
    photo = PaddedConv2D(3, 3, padding=1, name="decoder.conv_out")(x)  # (B, 512, 512, 3)
    return keras.Model(latent, photo, name="decoder")


# Denoiser -----------------------------------------------------------------------------------


@keras.saving.register_keras_serializable("recon")
class ForEachPrompt(layers.Layer):
    """Repeat a batch until there is one of each for every prompt.

    Called with x `(B, ...)` and context `(n · B, L, W)` it gives `(n · B, ...)`: all of x, n times.
    """

    def call(self, x, context):
        times = ops.shape(context)[0] // ops.shape(x)[0]
        return ops.tile(x, (times, *[1] * (len(x.shape) - 1)))


def denoiser(layout: Layout, size: int, channels: int | None = None) -> keras.Model:
    """The U-Net that says what is noise in a noisy latent, with the prompt in view.

    Args:
        layout: widths and depths.
        size: height and width of the photos, in pixels.
        channels: of its input: the latent's own (4, the default), or 9 for the model trained to
            inpaint, which also sees the mask (1) and the masked photo's latent (4).

    Returns:
        model `{"latent" (B, h, w, channels), "timestep_embedding" (B, T), "context" (B, L, W)} ->
        noise (B, h, w, 4)`; h = w = size / factor, T the layout's time width, L and W as of
        `text_encoder`. With n contexts for every latent, `(n · B, L, W)`, all of the first prompts
        before all of the second, it says n · B noises, and does what comes before the first look
        at a prompt once.

    Raises:
        ValueError: a size that is not a multiple of `layout.multiple`.
    """
    side = latent_side(layout, size)
    channels = channels or layout.latent_channels
    latent = layers.Input((side, side, channels), name="latent")
    timestep = layers.Input((layout.time_width,), name="timestep_embedding")
    context = layers.Input((layout.length, layout.text_width), name="context")

    time = layers.Dense(4 * layout.time_width, name="time_embedding.linear_1")(timestep)
    time = layers.Activation("swish")(time)
    time = layers.Dense(4 * layout.time_width, name="time_embedding.linear_2")(time)  # (B, 1280)

    def residual(x, width, place, i):
        return ResBlock(width, name=f"{place}.resnets.{i}")([x, time])

    def attend(x, width, place, i):
        nonlocal prompted, time
        if not prompted:  # up to here all prompts of a latent have the same
            x, time, *skips[:] = [ForEachPrompt()(each, context) for each in (x, time, *skips)]
            prompted = True
        block = SpatialTransformer(
            layout.heads, width // layout.heads, name=f"{place}.attentions.{i}"
        )
        return block([x, context])

    # shapes as at size 512 with Stable Diffusion's widths
    widths, prompted = layout.denoiser, False
    x = PaddedConv2D(widths[0], 3, padding=1, name="conv_in")(latent)  # (B, 64, 64, 320)
    skips = [x]
    for level, width in enumerate(widths):
        place = f"down_blocks.{level}"
        if level:
            name = f"down_blocks.{level - 1}.downsamplers.0.conv"
            x = PaddedConv2D(widths[level - 1], 3, strides=2, padding=1, name=name)(
                x
            )  # (B, 32, 32, 320), (B, 16, 16, 640), (B, 8, 8, 1280)
            skips.append(x)
        for i in range(layout.denoiser_blocks):
            x = residual(x, width, place, i)
            if level in layout.attention:
                x = attend(x, width, place, i)
            skips.append(x)

    x = residual(x, widths[-1], "mid_block", 0)  # (B, 8, 8, 1280)
    x = attend(x, widths[-1], "mid_block", 0)
    x = residual(x, widths[-1], "mid_block", 1)

    for step, level in enumerate(reversed(range(len(widths)))):
        place, width = f"up_blocks.{step}", widths[level]
        if step:
            name = f"up_blocks.{step - 1}.upsamplers.0"
            x = Upsample(widths[level + 1], name=name)(
                x
            )  # (B, 16, 16, 1280), (B, 32, 32, 1280), (B, 64, 64, 640)
        for i in range(layout.denoiser_blocks + 1):
            x = layers.Concatenate()([x, skips.pop()])
            x = residual(x, width, place, i)
            if level in layout.attention:
                x = attend(x, width, place, i)

    x = norm("conv_norm_out")(x)
    x = layers.Activation("swish")(x)
    noise = PaddedConv2D(layout.latent_channels, 3, padding=1, name="conv_out")(x)  # (B, 64, 64, 4)
    return keras.Model(
        {"latent": latent, "timestep_embedding": timestep, "context": context},
        noise,
        name="denoiser",
    )
