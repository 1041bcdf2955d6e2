"""pix2pix: a U-Net that completes, and a PatchGAN that judges (Isola et al., 2017).

https://arxiv.org/abs/1611.07004
"""

import math

import keras
from keras import layers, ops

from recon import losses, metrics
from recon.models import blocks
from recon.models.adversarial import call_frozen


def generator(size: int = 256, filters: int = 64) -> keras.Model:
    """Build the paper's U-Net: halve down to 1×1, double back up, skips between equal sizes.

    Args:
        size: height and width, a power of two from 32 to 512.
        filters: channels after the first convolution; 64 in the paper. They double with every
            halving, up to eight times.

    Returns:
        model `{"masked" (B, S, S, 3), "mask" (B, S, S, 1)} -> guess (B, S, S, 3)` in [0, 1];
        54.4 M weights at 256 with 64 filters.
    """
    masked = layers.Input((size, size, 3), name="masked")
    mask = layers.Input((size, size, 1), name="mask")
    x = blocks.ToSigned()(masked, mask)  # (B, S, S, 4)

    depth = int(math.log2(size))
    widths = [filters * min(2**level, 8) for level in range(depth)]
    skips = []  # at size 256 and 64 filters:
    for level, width in enumerate(widths):
        # The first layer stays without normalisation, so that a photo's own brightness survives;
        # so does the last: one pixel of one photo, normalised by itself, would be zero.
        x = blocks.downsample(width, normalise=0 < level < depth - 1)(x)
        skips.append(x)  # (B, 128, 128, 64), (B, 64, 64, 128), ... (B, 1, 1, 512)

    for level in reversed(range(depth - 1)):
        # Dropout in the paper's three innermost layers is the generator's only noise.
        dropout = 0.5 if level >= depth - 4 else 0.0
        x = blocks.upsample(widths[level], dropout)(x)  # (B, 2, 2, 512), ... (B, 128, 128, 64)
        x = layers.Concatenate()([x, skips[level]])  # (B, 2, 2, 1024), ... (B, 128, 128, 128)

    x = layers.Conv2DTranspose(
        3, 4, 2, "same", activation="tanh", kernel_initializer=blocks.normal()
    )(x)  # (B, S, S, 3) in [-1, 1]
    guess = blocks.FromSigned(name="guess")(x)  # (B, S, S, 3) in [0, 1]
    return keras.Model({"masked": masked, "mask": mask}, guess, name="generator")


def discriminator(size: int = 256, filters: int = 64) -> keras.Model:
    """Build the 70×70 PatchGAN: every score looks at one patch of 70×70 pixels.

    Args:
        size: height and width of the photos.
        filters: channels after the first convolution; 64 in the paper.

    Returns:
        model `[photo or guess (B, S, S, 3), masked (B, S, S, 3), mask (B, S, S, 1)] ->
        logits (B, S/8 - 2, S/8 - 2, 1)`; 2.77 M weights with 64 filters.
    """
    photo = layers.Input((size, size, 3), name="photo")
    masked = layers.Input((size, size, 3), name="masked")
    mask = layers.Input((size, size, 1), name="mask")
    x = layers.Concatenate()([2 * photo - 1, blocks.ToSigned()(masked, mask)])  # (B, S, S, 7)

    x = blocks.downsample(filters, normalise=False)(x)  # (B, 128, 128, 64) at size 256
    x = blocks.downsample(filters * 2)(x)  # (B, 64, 64, 128)
    x = blocks.downsample(filters * 4)(x)  # (B, 32, 32, 256)
    x = layers.ZeroPadding2D()(x)  # (B, 34, 34, 256)
    x = layers.Conv2D(filters * 8, 4, use_bias=False, kernel_initializer=blocks.normal())(x)
    x = blocks.normalisation()(x)  # (B, 31, 31, 512)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.ZeroPadding2D()(x)  # (B, 33, 33, 512)
    x = layers.Conv2D(1, 4, kernel_initializer=blocks.normal())(x)  # (B, 30, 30, 1)
    logits = layers.Activation("linear", dtype="float32")(x)  # losses in float32 always
    return keras.Model([photo, masked, mask], logits, name="discriminator")


@keras.saving.register_keras_serializable("recon")
class Pix2Pix(keras.Model):
    """Generator and discriminator, trained together by plain `fit`.

    Both move at once, as in TensorFlow's tutorial (the paper alternates): Adam keeps its moments
    per weight, so one Adam over all weights is the paper's two Adams of equal settings. What keeps
    the players apart is in `compute_loss`.

    At test time dropout is off and normalisation uses its moving averages: one photo, one answer.
    (The paper keeps dropout on and normalises by the test batch.)

    Args:
        size: height and width, a power of two from 32 to 512.
        filters: channels after the first convolution of both networks; 64 in the paper.
        objective: the adversarial loss: `bce` (the paper), `lsgan` or `hinge`.
        l1_weight: weight of the L1 term in the paper's units, [-1, 1]; 100 in the paper.
    """

    def __init__(self, size=256, filters=64, objective="bce", l1_weight=100.0, **kwargs):
        super().__init__(**kwargs)
        self.size, self.filters = size, filters
        self.objective, self.l1_weight = objective, l1_weight
        self.generator = generator(size, filters)
        self.discriminator = discriminator(size, filters)
        self.adversarial = losses.AdversarialLoss(objective)
        self.l1 = keras.losses.MeanAbsoluteError()
        self.rmse = metrics.BoxRMSE()
        self.terms = {name: keras.metrics.Mean(name) for name in ("l1", "persuade", "judge")}

    def call(self, inputs, training=False):
        return self.generator(inputs, training=training)  # (B, S, S, 3) in [0, 1]

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        context = [x["masked"], x["mask"]]
        # The judge learns from the guess as it is: no gradient leads back to the generator.
        real = self.discriminator([y, *context], training=training)
        fake = self.discriminator([ops.stop_gradient(y_pred), *context], training=training)
        judge = self.adversarial.discriminator(real, fake)
        # The generator learns through the judge, whose weights stand still.
        scores = call_frozen(self.discriminator, [y_pred, *context], training)
        persuade = self.adversarial.generator(scores)
        # [-1, 1] is twice as wide as [0, 1]: so is a distance in it.
        l1 = 2 * self.l1(y, y_pred)
        for name, term in (("judge", judge), ("persuade", persuade), ("l1", l1)):
            self.terms[name].update_state(term)
        return judge + persuade + self.l1_weight * l1

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        completed = metrics.complete(x["masked"], x["mask"], y_pred)
        self.rmse.update_state(y, completed, x["mask"])
        return self.get_metrics_result()

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "filters": self.filters,
            "objective": self.objective,
            "l1_weight": self.l1_weight,
        }


def recipe(size: int) -> dict:
    """Settings that train it well: the paper's for its own sizes, a CPU's for small ones."""
    paper = {
        "epochs": 200,
        "batch_size": 1,
        "learning_rate": 2e-4,
        "decay_from": 0.5,
        "ema": 0.0,
        "objective": "bce",
    }
    if size >= 128:
        return paper
    return paper | {"epochs": 12, "batch_size": 8, "learning_rate": 1e-3, "ema": 0.99}


def build(size: int, objective: str) -> Pix2Pix:
    """A model that has learned nothing yet; narrower than the paper's below its sizes."""
    return Pix2Pix(size, filters=64 if size >= 128 else 32, objective=objective)
