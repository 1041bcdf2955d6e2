"""pix2pix: a U-Net that completes, and a PatchGAN that judges (Isola et al., 2017).

https://arxiv.org/abs/1611.07004
"""

import math

import keras
from keras import layers, ops

from recon import losses, metrics
from recon.models import blocks
from recon.models.adversarial import call_frozen

SIZES = (32, 64, 128, 256, 512)


def generator(
    size: int = 256,
    filters: int = 64,
    widest: int = 512,
    kind: str = "batch",
    dropout: float = 0.5,
) -> keras.Model:
    """Build the paper's U-Net: halve down to 1×1, double back up, skips between equal sizes.

    Args:
        size: height and width, a power of two from 32 to 512.
        filters: channels after the first convolution; they double with every halving.
        widest: as far as they double.
        kind: normalisation, `batch` or `instance`; see `blocks.normalise`.
        dropout: in the three innermost layers of the way up; the generator's only noise.

    Returns:
        model `{"masked" (B, S, S, 3), "mask" (B, S, S, 1)} -> guess (B, S, S, 3)` in [0, 1];
        54.4 M weights at 256 with the paper's 64 to 512 channels.

    Raises:
        ValueError: another size.
    """
    blocks.check_size(size, SIZES)
    masked = layers.Input((size, size, 3), name="masked")
    mask = layers.Input((size, size, 1), name="mask")
    x = blocks.ToSigned()(masked, mask)  # (B, S, S, 4)

    depth = int(math.log2(size))
    widths = [min(filters * 2**level, widest) for level in range(depth)]
    skips = []  # shapes as at size 256, with the paper's channels
    for level, width in enumerate(widths):
        # The first layer stays without normalisation, so that a photo's own brightness survives;
        # so does the last: one pixel of one photo, normalised by itself, would be zero.
        x = blocks.downsample(width, kind if 0 < level < depth - 1 else None)(x)
        skips.append(x)  # (B, 128, 128, 64), (B, 64, 64, 128), ... (B, 1, 1, 512)

    for level in reversed(range(depth - 1)):
        x = blocks.upsample(widths[level], kind, dropout if level >= depth - 4 else 0)(x)
        x = layers.Concatenate()([x, skips[level]])  # (B, 2, 2, 1024), ... (B, 128, 128, 128)

    x = layers.Conv2DTranspose(
        3, 4, 2, "same", activation="tanh", kernel_initializer=blocks.normal()
    )(x)  # (B, S, S, 3) in [-1, 1]
    guess = blocks.FromSigned(name="guess")(x)  # (B, S, S, 3) in [0, 1]
    return keras.Model({"masked": masked, "mask": mask}, guess, name="generator")


def discriminator(size: int = 256, filters: int = 64, kind: str = "batch") -> keras.Model:
    """Build the 70×70 PatchGAN: every score looks at one patch of 70×70 pixels.

    Args:
        size: height and width of the photos, 32 or more.
        filters: channels after the first convolution; 64 in the paper.
        kind: normalisation, `batch` or `instance`; see `blocks.normalise`.

    Returns:
        model `[photo or completed (B, S, S, 3), masked (B, S, S, 3), mask (B, S, S, 1)] ->
        logits (B, S/8 - 2, S/8 - 2, 1)`; 2.77 M weights with 64 filters.
    """
    photo = layers.Input((size, size, 3), name="photo")
    masked = layers.Input((size, size, 3), name="masked")
    mask = layers.Input((size, size, 1), name="mask")
    x = layers.Concatenate()([2 * photo - 1, blocks.ToSigned()(masked, mask)])  # (B, S, S, 7)
    logits = blocks.patches(filters, kind)(x)
    return keras.Model([photo, masked, mask], logits, name="discriminator")


@keras.saving.register_keras_serializable("recon")
class Pix2Pix(blocks.Completer):
    """Generator and discriminator, trained together by plain `fit`.

    Both move at once, as in TensorFlow's tutorial (the paper alternates): Adam keeps its moments
    per weight, so one Adam over all weights is the paper's two Adams of equal settings. What keeps
    the players apart is in `compute_loss`.

    Known pixels are pasted over every guess, so they take no part: the judge sees completed
    photos, and L1 is the mean over the missing pixels, which are all that the generator has to
    invent, as all pixels are in the paper.

    At test time dropout is off: one photo, one answer. (The paper keeps it on, for variety.)

    Args:
        size: height and width, a power of two from 32 to 512.
        filters, widest: the generator's channels after the first convolution, and at most.
        judge_filters: the discriminator's channels after the first convolution.
        kind: normalisation of both, `batch` or `instance`; see `blocks.normalise`.
        dropout: in the generator's three innermost layers on the way up.
        objective: the adversarial loss: `bce` (the paper), `lsgan` or `hinge`.
        l1_weight: weight of the L1 term in the paper's units, [-1, 1].
    """

    def __init__(
        self,
        size=256,
        filters=64,
        widest=512,
        judge_filters=64,
        kind="batch",
        dropout=0.5,
        objective="bce",
        l1_weight=100.0,
        **kwargs,
    ):
        settings = {
            "size": size,
            "filters": filters,
            "widest": widest,
            "judge_filters": judge_filters,
            "kind": kind,
            "dropout": dropout,
            "objective": objective,
            "l1_weight": l1_weight,
        }
        super().__init__(settings, **kwargs)
        self.l1_weight = l1_weight
        self.generator = generator(size, filters, widest, kind, dropout)
        self.discriminator = discriminator(size, judge_filters, kind)
        self.adversarial = losses.AdversarialLoss(objective)
        self.l1 = keras.losses.MeanAbsoluteError(reduction="mean_with_sample_weight")
        self.terms = {name: keras.metrics.Mean(name) for name in ("l1", "persuade", "judge")}

    def call(self, inputs, training=False):
        return self.generator(inputs, training=training)  # (B, S, S, 3) in [0, 1]

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        masked, mask = x["masked"], x["mask"]
        completed = metrics.complete(masked, mask, y_pred)
        # The judge learns from what it is shown: no gradient leads back to the generator.
        real = self.discriminator([y, masked, mask], training=training)
        fake = self.discriminator([ops.stop_gradient(completed), masked, mask], training=training)
        judge = self.adversarial.discriminator(real, fake)
        # The generator learns through the judge, whose weights stand still.
        scores = call_frozen(self.discriminator, [completed, masked, mask], training)
        persuade = self.adversarial.generator(scores)
        # [-1, 1] is twice as wide as [0, 1]: so is a distance in it.
        l1 = 2 * self.l1(y, y_pred, sample_weight=mask[..., 0])
        for name, term in (("judge", judge), ("persuade", persuade), ("l1", l1)):
            self.terms[name].update_state(term)
        return judge + persuade + self.l1_weight * l1


def recipe(size: int) -> dict:
    """Settings that train it well: the paper's from 128 on, a CPU's for smaller photos."""
    paper = {
        "epochs": 200,
        "batch_size": 1,
        "learning_rate": 2e-4,
        "beta_1": 0.5,
        "decay_from": 0.5,
        "ema": 0.0,
        "objective": "bce",
    }
    if size >= 128:
        return paper
    # Few steps of few photos: larger steps, whose scatter a moving average takes out.
    return paper | {
        "epochs": 10,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "decay_from": 1.0,
        "ema": 0.998,
    }


def build(size: int, objective: str) -> Pix2Pix:
    """A model that has learned nothing yet: the paper's from 128 on, a CPU's for smaller photos.

    The small one has 1.5 M weights; trained for minutes, it needs no dropout.
    """
    if size >= 128:
        return Pix2Pix(size, kind="instance", objective=objective)
    return Pix2Pix(size, filters=24, widest=96, judge_filters=8, dropout=0.0, objective=objective)
