"""A little Stable Diffusion that two CPU cores train in minutes: all of its parts, and its prompts.

Autoencoder, text encoder and denoiser are those of `recon.stable_diffusion.networks`, narrow; they
learn from photos and the names of their classes. Rombach et al., 2022, High-Resolution Image
Synthesis with Latent Diffusion Models (https://arxiv.org/abs/2112.10752) train the autoencoder
first; here all learn at once, which is one `fit`: the denoiser sees the latents of the day behind
a `stop_gradient`, and as the learning rate falls the latents come to rest. A convolution costs
sixteen times as much at the photo's resolution as at the latents', and the autoencoder has the
easier task: it learns from one half of every batch.

A photo is completed by the sampler, the guidance and the mask that the large networks use:
`recon.stable_diffusion.inpaint`.
"""

import dataclasses
import functools

import keras
import numpy as np
import pandas as pd
from keras import ops

from recon import devices, losses
from recon.data import safari
from recon.stable_diffusion import inpaint, networks, schedulers, text
from recon.stable_diffusion.request import Request

SIZES = (32, 64, 128)
EVEN_BATCH = True  # the autoencoder learns from one half of a batch
UNPROMPTED = 0.1  # of the photos: for guidance's other half (Ho & Salimans, 2022, section 3.2)
KL = 5e-4  # keeps latents near the standard normal distribution, where noise begins
CLASSES = (*safari.CLASSES, "")  # "": a photo of no class


def labels(table: pd.DataFrame) -> np.ndarray:
    """What each photo shows, for the prompts: int32 `(N,)`, a place in `CLASSES`.

    Raises:
        BadInput: a class for which there are no words.
    """
    places = {name: CLASSES.index(text.animal_of(name)) for name in table["class"].unique()}
    return table["class"].map(places).to_numpy("int32")


def prompt_tokens(tokenizer: text.Tokenizer, length: int) -> np.ndarray:
    """Every prompt of every class: int32 `(classes, prompts, length)`."""
    return np.stack(
        [
            [text.tokens(tokenizer, prompt, length) for prompt in text.prompts(name)]
            for name in CLASSES
        ]
    )


def draw_latent(moments, noise):
    """A latent from the distribution that the encoder gives for a photo.

    Mean plus standard deviation times noise: so the gradient reaches both through what was drawn
    (Kingma & Welling, 2014, section 2.4, https://arxiv.org/abs/1312.6114).

    Args:
        moments: `(B, h, w, 2C)`: C channels of mean, then C of the variance's natural logarithm.
        noise: `(B, h, w, C)`, standard normal.

    Returns:
        `(B, h, w, C)`.
    """
    mean, log_variance = ops.split(moments, 2, axis=-1)
    return mean + ops.exp(log_variance / 2) * noise


def noise_guess(denoise, latent, noise, step, context, time_width):
    """What the denoiser takes for noise in latents that were made noisy: its training's question.

    Ho et al., 2020, Algorithm 1, line 5, https://arxiv.org/abs/2006.11239

    Args:
        denoise: takes {"latent", "timestep_embedding" `(B, time_width)`, "context"}.
        latent, noise: `(B, h, w, C)`, the clean latents and the noise to put in.
        step: int `(B,)`, 0 to 999: how noisy each is made.
        context: `(B, L, W)`, the embeddings of the prompts.
        time_width: of the timestep embedding.

    Returns:
        `(B, h, w, C)`, at best the noise.
    """
    alphas = ops.convert_to_tensor(schedulers.alphas_cumprod().astype("float32"))
    alpha = ops.reshape(ops.take(alphas, step), (-1, 1, 1, 1))
    return denoise(
        {
            "latent": schedulers.add_noise(latent, noise, alpha),
            "timestep_embedding": schedulers.timestep_embedding(step, time_width),
            "context": context,
        }
    )


@keras.saving.register_keras_serializable("recon")
class DiffusionSmall(keras.Model):
    """The three networks, trained as one.

    Args:
        size: height and width of the photos.
        layout: a `networks.Layout`, or its fields.
    """

    def __init__(self, size=64, layout=networks.SMALL, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.layout = layout if isinstance(layout, networks.Layout) else networks.layout_of(layout)
        self.text_encoder = networks.text_encoder(self.layout)
        self.image_encoder = networks.image_encoder(self.layout, size)
        self.moments = networks.moments(self.image_encoder)
        self.decoder = networks.decoder(self.layout, size)
        self.denoiser = networks.denoiser(self.layout, size)
        self.random = keras.random.SeedGenerator()
        self.absolute = keras.losses.MeanAbsoluteError()
        self.squared = keras.losses.MeanSquaredError()
        self.kl = losses.GaussianKL()
        self.terms = {name: keras.metrics.Mean(name) for name in ("pixels", "kl", "noise")}
        tokenizer = text.WordTokenizer(text.SMALL_WORDS)
        self.prompts = prompt_tokens(tokenizer, self.layout.length)  # (classes, prompts, L)
        self.unprompted = text.tokens(tokenizer, text.UNCONDITIONAL, self.layout.length)  # (L,)
        # Made once. Behind a function, so that Keras does not take the sampler for a part of this.
        self.parts = functools.cache(
            lambda: inpaint.Networks(
                self.layout,
                size,
                tokenizer,
                self.text_encoder,
                self.image_encoder,
                self.denoiser,
                self.decoder,
            )
        )

    def call(self, inputs, training=False):
        # Not what it learns from: that is the whole photo and its class, in `compute_loss`.
        return inputs["masked"]

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        photo = 2 * y - 1  # (B, S, S, 3)
        half = -(-ops.shape(photo)[0] // 2)
        moments = self.moments(photo[:half], training=training)  # (B/2, h, w, 8)
        others = ops.stop_gradient(self.moments(photo[half:], training=training))
        pixels = self.absolute(photo[:half], self.decoded(moments, training))
        kl = self.kl(ops.zeros_like(moments), ops.cast(moments, "float32"))

        moments = ops.concatenate([ops.stop_gradient(moments), others])  # (B, h, w, 8)
        mean, _ = ops.split(ops.cast(moments, "float32"), 2, axis=-1)
        noise = self.noise_term(mean * self.layout.latent_scale, x["label"], training)
        for name, term in (("pixels", pixels), ("kl", kl), ("noise", noise)):
            self.terms[name].update_state(devices.unscaled(term))
        return pixels + KL * kl + noise

    def decoded(self, moments, training):
        """A photo in [-1, 1] from latents drawn from their distributions."""
        moments = ops.cast(moments, "float32")  # (B, h, w, 8)
        count, height, width, channels = ops.shape(moments)
        normal = functools.partial(keras.random.normal, seed=self.random)
        noise = devices.drawn(normal, (count, height, width, channels // 2))
        latent = draw_latent(moments, noise)
        photo = self.decoder(latent * self.layout.latent_scale, training=training)
        return ops.cast(photo, "float32")

    def noise_term(self, latent, label, training):
        """How far the denoiser is from the noise in noisy latents (Ho et al., 2020, eq. 14)."""
        count = ops.shape(latent)[0]
        step = self.drawn(keras.random.randint, (count,), maxval=schedulers.STEPS)
        noise = self.drawn(keras.random.normal, ops.shape(latent))
        denoise = functools.partial(self.denoiser, training=training)
        context = self.context(label, training)
        guess = noise_guess(denoise, latent, noise, step, context, self.layout.time_width)
        return self.squared(noise, ops.cast(guess, "float32"))

    def drawn(self, draw, shape, maxval=None):
        """Numbers for the photos of both halves; `draw` takes `maxval` where there is one."""
        limits = {} if maxval is None else {"minval": 0, "maxval": maxval}
        draw = functools.partial(draw, **limits, seed=self.random)
        return devices.drawn(draw, shape, halves=True)

    def context(self, label, training):
        """Embeddings of a prompt drawn for every photo, or of none: `(B, L, width)`."""
        count = ops.shape(label)[0]
        which = self.drawn(keras.random.randint, (count,), maxval=self.prompts.shape[1])
        said = ops.convert_to_tensor(self.prompts.reshape(-1, self.layout.length))
        tokens = ops.take(said, label * self.prompts.shape[1] + which, axis=0)  # (B, L)
        silent = self.drawn(keras.random.uniform, (count, 1), maxval=1.0) < UNPROMPTED
        tokens = ops.where(silent, ops.convert_to_tensor(self.unprompted)[None], tokens)
        positions = ops.broadcast_to(ops.arange(self.layout.length), ops.shape(tokens))
        return self.text_encoder({"tokens": tokens, "positions": positions}, training=training)

    def samples(self, count: int) -> np.ndarray:
        """Photos out of noise, an equal number of each class: `(count, S, S, 3)` in [0, 1]."""
        each = -(-count // len(safari.CLASSES))
        prompts = [text.prompts(name)[0] for name in safari.CLASSES for _ in range(each)]
        request = Request(steps=20, guidance=3.0)
        return inpaint.generate(self.parts(), prompts[:count], request)

    def complete(self, masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Complete photos as any photo: see `inpaint.inpaint`, which follows prompts too."""
        return inpaint.inpaint(self.parts(), masked, mask, Request())

    def get_config(self):
        # No dtype: whoever loads the model says in which precision it works.
        return {"name": self.name, "size": self.size, "layout": dataclasses.asdict(self.layout)}


def recipe(size: int) -> dict:
    """Settings that train it well: at 64, 35 CPU-minutes in mixed_bfloat16."""
    return {
        "epochs": 14,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "beta_1": 0.9,
        "decay_from": 0.4,
        "ema": 0.998,
    }


def build(size: int) -> DiffusionSmall:
    """A model that has learned nothing yet."""
    return DiffusionSmall(size)
