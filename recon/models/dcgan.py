"""DCGAN: photos out of noise, and a hole filled by searching the noise (Radford et al., 2016).

https://arxiv.org/abs/1511.06434. The generator has never seen a hole; how it completes a photo all
the same is in `recon.models.latent_search`.
"""

import functools
import math

import keras
import numpy as np
from keras import layers, ops

from recon import devices, losses
from recon.models import blocks
from recon.models.adversarial import call_frozen, read_once
from recon.models.latent_search import LatentSearch, blend

SIZES = (64, 128)


def widths(size: int, filters: int) -> list[int]:
    """Channels at sides 4, 8, ... size/2: they halve as the side doubles.

    At 64 with the paper's 128 filters: 1024, 512, 256, 128 (figure 1).

    Raises:
        ValueError: a size that is not in SIZES.
    """
    blocks.check_size(size, SIZES)
    depth = int(math.log2(size)) - 2
    return [filters * 2**level for level in reversed(range(depth))]


def generator(size: int = 64, filters: int = 128, latent: int = 100) -> keras.Model:
    """Build the paper's generator: project z to 4×4, double up to the photo's size.

    Args:
        size: height and width of the photos, 64 or 128.
        filters: channels before the last layer; they double with every halving of the side.
        latent: numbers in z.

    Returns:
        model `z (B, latent) -> photo (B, S, S, 3)` in [0, 1].

    Raises:
        ValueError: another size.
    """
    first, *others = widths(size, filters)
    z = layers.Input((latent,), name="z")
    # shapes as at size 64 with the paper's 128 filters
    x = layers.Dense(4 * 4 * first, use_bias=False, kernel_initializer=blocks.normal())(z)
    x = layers.Reshape((4, 4, first))(x)  # (B, 4, 4, 1024)
    x = blocks.normalise()(x)
    x = layers.ReLU()(x)
    for width in others:
        x = blocks.upsample(width)(x)  # (B, 8, 8, 512), (B, 16, 16, 256), (B, 32, 32, 128)
    # No normalisation where photos come out or go in: they keep their own brightness.
    x = blocks.Conv2DTranspose(
        3, 4, 2, "same", activation="tanh", kernel_initializer=blocks.normal()
    )(x)  # (B, 64, 64, 3) in [-1, 1]
    return keras.Model(z, blocks.FromSigned(name="photo")(x), name="generator")


def discriminator(size: int = 64, filters: int = 128) -> keras.Model:
    """Build the paper's discriminator, the generator's mirror: halve down to 4×4, one score.

    Args:
        size: height and width of the photos, 64 or 128.
        filters: channels after the first layer; they double with every halving of the side.

    Returns:
        model `photo (B, S, S, 3)` in [0, 1] `-> logits (B, 1)`.

    Raises:
        ValueError: another size.
    """
    first, *others = reversed(widths(size, filters))
    photo = layers.Input((size, size, 3), name="photo")
    # shapes as at size 64 with the paper's 128 filters
    x = blocks.downsample(first, None)(2 * photo - 1)  # (B, 32, 32, 128)
    for width in others:
        x = blocks.downsample(width)(x)  # (B, 16, 16, 256), (B, 8, 8, 512), (B, 4, 4, 1024)
    x = layers.Flatten()(x)  # (B, 16384)
    x = layers.Dense(1, kernel_initializer=blocks.normal())(x)  # (B, 1)
    logits = layers.Activation("linear", dtype="float32")(x)  # losses in float32 always
    return keras.Model(photo, logits, name="discriminator")


def diversity(fake, real):
    """How different a batch's photos are from each other: 1 as real ones, 0 all the same.

    The mean absolute distance between neighbours in the batch, of the generator's photos over that
    of real ones. A generator that has collapsed paints one photo, whatever z says.

    Args:
        fake, real: `(B, S, S, 3)`.

    Returns:
        a number, 0 or more; 0 for a batch of one, which has no neighbours.
    """
    fake, real = (
        ops.mean(ops.abs(photos - ops.roll(photos, 1, axis=0))) for photos in (fake, real)
    )
    return fake / ops.maximum(real, keras.config.epsilon())


@keras.saving.register_keras_serializable("recon")
class DCGAN(keras.Model):
    """Generator and discriminator, trained together on complete photos by plain `fit`.

    It takes what every model of recon takes, and looks at the complete photos alone: what is
    masked does not matter in training. So `call` gives photos out of noise, drawn anew every time,
    as many as there are masked ones; a photo is completed by `complete`.

    z is uniform in [-1, 1], as in both papers' code. Real photos and the generator's are
    normalised as batches of their own, as in the paper's code. Both players move at once; the
    paper alternates.

    `diversity` watches for mode collapse; see the function of that name.

    Args:
        size: height and width, 64 or 128.
        filters: the generator's channels before its last layer.
        judge_filters: the discriminator's channels after its first layer.
        latent: numbers in z, 100 in the paper.
        objective: the adversarial loss: `bce` (the paper), `lsgan` or `hinge`.
        restarts: starts of the search for one photo.
        candidates: drawn z, of which the nearest to the photo are the starts.
        steps: of the search.
        search_rate: its learning rate.

    Raises:
        ValueError: another size, or an unknown objective.
    """

    def __init__(
        self,
        size=64,
        filters=128,
        judge_filters=128,
        latent=100,
        objective="bce",
        restarts=4,
        candidates=256,
        steps=80,
        search_rate=0.05,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.settings = {
            "size": size,
            "filters": filters,
            "judge_filters": judge_filters,
            "latent": latent,
            "objective": objective,
            "restarts": restarts,
            "candidates": candidates,
            "steps": steps,
            "search_rate": search_rate,
        }
        self.size, self.latent = size, latent
        self.restarts, self.candidates = restarts, candidates
        self.steps, self.search_rate = steps, search_rate
        self.generator = generator(size, filters, latent)
        self.discriminator = discriminator(size, judge_filters)
        self.adversarial = losses.AdversarialLoss(objective)
        self.noise = keras.random.SeedGenerator()
        self.terms = {name: keras.metrics.Mean(name) for name in ("judge", "persuade", "diversity")}
        # Compiled once for every number of photos. Behind a function, so that Keras does not take
        # their copies of the networks for this model's weights.
        self.search_for = functools.lru_cache(maxsize=4)(self.new_search)

    def call(self, inputs, training=False):
        count = ops.shape(inputs["mask"])[0]
        uniform = functools.partial(keras.random.uniform, minval=-1, maxval=1, seed=self.noise)
        z = devices.drawn(uniform, (count, self.latent))
        return self.generator(z, training=training)  # (B, S, S, 3) in [0, 1]

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        with read_once(self.discriminator):  # which sees each fake twice
            # The judge learns from what it is shown: no gradient leads back to the generator.
            real = self.discriminator(y, training=training)
            fake = self.discriminator(ops.stop_gradient(y_pred), training=training)
            # The generator learns through the judge, whose weights stand still.
            scores = call_frozen(self.discriminator, y_pred, training)
        judge = self.adversarial.discriminator(real, fake)
        persuade = self.adversarial.generator(scores)
        for name, term in (("judge", judge), ("persuade", persuade)):
            self.terms[name].update_state(devices.unscaled(term))
        self.terms["diversity"].update_state(diversity(devices.whole(y_pred), devices.whole(y)))
        return judge + persuade

    def samples(self, count: int) -> np.ndarray:
        """Photos out of noise, of the same z every time: `(count, S, S, 3)` in [0, 1]."""
        return self.paint(self.fixed_z(count))

    def fixed_z(self, count: int) -> np.ndarray:
        """The first of an endless list of drawn z, the same on every machine: `(count, latent)`."""
        return np.random.default_rng(0).uniform(-1, 1, (count, self.latent)).astype("float32")

    def paint(self, z: np.ndarray) -> np.ndarray:
        """What the generator makes of z `(B, latent)`, at test time: `(B, S, S, 3)` in [0, 1]."""
        return ops.convert_to_numpy(self.generator(z, training=False))

    def new_search(self, photos: int) -> LatentSearch:
        """A search for so many photos at once."""
        return LatentSearch(
            self.generator,
            self.discriminator,
            self.adversarial.persuade,
            photos,
            self.restarts,
            self.steps,
            self.search_rate,
        )

    def complete(self, masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Search for the photos that the generator could have painted, and blend them in.

        A pure function: the search starts from the same z for every photo.

        Args:
            masked: `(B, S, S, 3)` in [0, 1], missing pixels black.
            mask: `(B, S, S, 1)`, 1 = missing.

        Returns:
            float32 `(B, S, S, 3)` in [0, 1], known pixels bit for bit.
        """
        guess, _ = self.search_for(len(masked)).run(
            self.generator, self.discriminator, masked, mask, self.fixed_z(self.candidates)
        )
        return np.stack([blend(*one) for one in zip(guess, masked, mask, strict=True)])

    def get_config(self):
        # No dtype: whoever loads the model says in which precision it works.
        return {"name": self.name, **self.settings}


def recipe(size: int) -> dict:
    """Settings that train it well: the paper's at 128, a CPU's at 64."""
    paper = {
        "epochs": 100,
        "batch_size": 128,
        "learning_rate": 2e-4,
        "beta_1": 0.5,
        "decay_from": 1.0,
        "ema": 0.0,
        "objective": "bce",
    }
    if size >= 128:
        return paper
    # Few steps of few photos: larger steps, whose scatter a moving average takes out. The rate
    # falls to 0, so that batch statistics and averaged weights belong together in the end.
    return paper | {
        "epochs": 30,
        "batch_size": 32,
        "learning_rate": 7e-4,
        "decay_from": 0.5,
        "ema": 0.998,
        "objective": "hinge",  # of the three, the clearest photos in short trials
    }


def build(size: int, objective: str) -> DCGAN:
    """A model that has learned nothing yet: the paper's at 128, a CPU's at 64."""
    if size >= 128:
        return DCGAN(size, filters=64, judge_filters=64, objective=objective)
    return DCGAN(size, filters=24, judge_filters=12, objective=objective)
