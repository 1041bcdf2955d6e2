"""pix2pix: a U-Net that completes, and a PatchGAN that judges (Isola et al., 2017).

https://arxiv.org/abs/1611.07004
"""

import math

import keras
from keras import layers, ops

from recon import devices, losses, metrics
from recon.models.adversarial import call_frozen, read_once
from recon.models.blocks import (
    Completer,
    Conv2DTranspose,
    FromSigned,
    ToSigned,
    check_size,
    downsample,
    normal,
    patches,
    upsample,
)

SIZES = (32, 64, 128, 256, 512)


def widths(size: int, filters: int = 64, widest: int = 512) -> list[int]:
    """Channels after every halving, down to 1×1: they double as the side halves.

    Args:
        size: height and width of the photo, one of SIZES.
        filters: channels after the first halving.
        widest: as far as they double.

    Returns:
        one number a halving; `[64, 128, 256, 512, 512, 512, 512, 512]` at 256.

    Raises:
        ValueError: another size.
    """
    check_size(size, SIZES)
    depth = int(math.log2(size))
    return [min(filters * 2**level, widest) for level in range(depth)]


def contract(x, widths: list[int], kind: str = "batch") -> list:
    """Halve again and again: the U-Net's way down.

    The first level stays without normalisation, so that a photo's own brightness survives; so does
    the last: one pixel of one photo, normalised by itself, would be zero.

    Args:
        x: `(B, S, S, C)`.
        widths: channels of every level.
        kind: normalisation, `batch` or `instance`; see `blocks.normalise`.

    Returns:
        what every level says, the largest first: `(B, S/2, S/2, widths[0])`,
        `(B, S/4, S/4, widths[1])`, ...
    """
    features, last = [], len(widths) - 1
    for level, width in enumerate(widths):
        x = downsample(width, kind if 0 < level < last else None)(x)
        features.append(x)  # (B, 128, 128, 64), (B, 64, 64, 128), ... (B, 1, 1, 512)
    return features


def expand(features: list, kind: str = "batch", dropout: float = 0.5):
    """Double again and again, what the way down had said put beside: the U-Net's way up.

    Args:
        features: what `contract` gives.
        kind: normalisation, `batch` or `instance`; see `blocks.normalise`.
        dropout: in the three innermost doublings; the generator's only noise.

    Returns:
        `(B, S/2, S/2, 2·widths[0])`: the last doubling's channels, then those of the largest level.
    """
    *skips, x = features
    for step, skip in enumerate(reversed(skips)):
        x = upsample(skip.shape[-1], kind, dropout if step < 3 else 0)(x)
        x = layers.Concatenate()([x, skip])  # (B, 2, 2, 1024), ... (B, 128, 128, 128)
    return x


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
    masked = layers.Input((size, size, 3), name="masked")
    mask = layers.Input((size, size, 1), name="mask")
    # shapes as at size 256, with the paper's channels
    x = ToSigned()(masked, mask)  # (B, 256, 256, 4)
    features = contract(x, widths(size, filters, widest), kind)  # (B, 128, 128, 64), ...
    x = expand(features, kind, dropout)  # (B, 128, 128, 128)
    x = Conv2DTranspose(3, 4, 2, "same", activation="tanh", kernel_initializer=normal())(x)
    guess = FromSigned(name="guess")(x)  # (B, 256, 256, 3), from [-1, 1] to [0, 1]
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
    x = layers.Concatenate()([2 * photo - 1, ToSigned()(masked, mask)])  # (B, S, S, 7)
    logits = patches(filters, kind)(x)
    return keras.Model([photo, masked, mask], logits, name="discriminator")


def measure(discriminator, adversarial, masked, mask, photo, guess, training=True) -> dict:
    """Every term of the loss, not yet weighted; each moves one player and leaves the other alone.

    Known pixels are pasted over the guess, so the discriminator sees completed photos.

    Args:
        discriminator: model `[photo or completed, masked, mask] -> logits`.
        adversarial: a `losses.AdversarialLoss`; `discriminator(real, fake)` and
            `generator(fake)` are its two losses, of scores.
        masked: `(B, H, W, 3)` in [0, 1].
        mask: `(B, H, W, 1)`, 1 = missing.
        photo: `(B, H, W, 3)` in [0, 1].
        guess: likewise, the generator's.
        training: what the discriminator is called with.

    Returns:
        - `judge`: the discriminator's term; it does not move the generator;
        - `persuade`: the generator's; it does not move the discriminator, which it goes through;
        - `l1`: the generator's; see `losses.missing_l1`.
    """
    completed = metrics.complete(masked, mask, guess)
    # The judge learns from what it is shown: no gradient leads back to the generator.
    real = discriminator([photo, masked, mask], training=training)
    fake = discriminator([ops.stop_gradient(completed), masked, mask], training=training)
    # The generator learns through the judge, whose weights stand still.
    scores = call_frozen(discriminator, [completed, masked, mask], training)
    return {
        "judge": adversarial.discriminator(real, fake),
        "persuade": adversarial.generator(scores),
        "l1": losses.missing_l1(photo, guess, mask),
    }


@keras.saving.register_keras_serializable("recon")
class Pix2Pix(Completer):
    """Generator and discriminator, trained together by plain `fit`.

    Both move at once, as in TensorFlow's tutorial (the paper alternates): Adam keeps its moments
    per weight, so one Adam over all weights is the paper's two Adams of equal settings. What keeps
    the players apart is in `measure`.

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
        self.terms = {name: keras.metrics.Mean(name) for name in ("l1", "persuade", "judge")}

    def call(self, inputs, training=False):
        return self.generator(inputs, training=training)  # (B, S, S, 3) in [0, 1]

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        with read_once(self.discriminator):  # which sees each fake twice
            terms = measure(
                self.discriminator, self.adversarial, x["masked"], x["mask"], y, y_pred, training
            )
        terms["l1"] *= devices.share(x["mask"])
        for name, term in terms.items():
            self.terms[name].update_state(devices.unscaled(term))
        return terms["judge"] + terms["persuade"] + self.l1_weight * terms["l1"]


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
