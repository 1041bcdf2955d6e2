"""What the networks minimise; each formula once.

Every term is a `keras.losses` object: those scale themselves when training is spread over
several devices, a bare mean does not.
"""

import keras
from keras import ops


class GaussianKL(keras.losses.Loss):
    """Kullback-Leibler divergence of normal distributions from the standard one, a value each.

    Kingma and Welling, 2014, Auto-Encoding Variational Bayes, appendix B
    (https://arxiv.org/abs/1312.6114). `y_pred` `(..., 2C)` holds C means, then C logarithms of
    variances; `y_true` is not looked at.
    """

    def call(self, y_true, y_pred):
        mean, log_variance = ops.split(y_pred, 2, axis=-1)
        return (mean**2 + ops.exp(log_variance) - 1 - log_variance) / 2


def cross_entropy(target, logit):
    """Binary cross-entropy −t·log σ(s) − (1 − t)·log(1 − σ(s)), σ being the logistic function.

    Goodfellow et al., 2014 (https://arxiv.org/abs/1406.2661). Written so that no score, however
    large, overflows: σ(s) itself is never computed.

    Args:
        target: t, 1 for real and 0 for fake, any shape.
        logit: s, the discriminator's raw score, of that shape.

    Returns:
        a value for every score, 0 or more.
    """
    # −log σ(s) = softplus(s) − s and −log(1 − σ(s)) = softplus(s), with softplus = log(1 + eˢ)
    return ops.softplus(logit) - target * logit


def squares(target, score):
    """Squared distance of every score to its target (LSGAN: Mao et al., 2017)."""
    return ops.square(score - target)


def hinge(target, score):
    """How much a score lacks of the margin: real ones ought to be 1 or more, fake ones −1 or less.

    Lim and Ye, 2017 (https://arxiv.org/abs/1705.02894).

    Args:
        target: 1 for real and 0 for fake, any shape.
        score: the discriminator's raw score, of that shape.

    Returns:
        a value for every score, 0 where it is beyond its margin.
    """
    return ops.relu(1 - (2 * target - 1) * score)


def linear(target, score):
    """−(2·target − 1)·score: what the hinge generator minimises, without a margin."""
    return -(2 * target - 1) * score


class OfScores(keras.losses.Loss):
    """The mean over all scores of a function of targets and scores, such as `cross_entropy`."""

    def __init__(self, function):
        super().__init__(name=function.__name__)
        self.function = function

    def call(self, y_true, y_pred):
        return self.function(y_true, y_pred)


def discriminator_loss(loss, real, fake):
    """Reward telling real from fake; halved, as in pix2pix (section 3.3).

    Args:
        loss: a function of targets (1 real, 0 fake) and scores that gives one number.
        real: scores of real photos, any shape.
        fake: scores of the generator's.

    Returns:
        the mean of both losses.
    """
    return (loss(ops.ones_like(real), real) + loss(ops.zeros_like(fake), fake)) / 2


class AdversarialLoss:
    """Both players' terms, for the objective that a name chooses.

    - `bce`: binary cross-entropy on logits, the original GAN (Goodfellow et al., 2014) with
      the generator's non-saturating form;
    - `lsgan`: mean squared distance of the scores to 1 (real) and 0 (fake) (Mao et al., 2017);
    - `hinge`: Lim and Ye, 2017.

    Scores are the discriminator's raw outputs, any shape.
    """

    def __init__(self, objective="bce"):
        if objective not in OBJECTIVES:
            names = ", ".join(OBJECTIVES)
            raise ValueError(f"unknown objective {objective!r}: choose from {names}")
        self.judge, self.persuade = map(OfScores, OBJECTIVES[objective])

    def discriminator(self, real, fake):
        """The discriminator's term; see `discriminator_loss`."""
        return discriminator_loss(self.judge, real, fake)

    def generator(self, fake):
        """Reward passing for real."""
        return self.persuade(ops.ones_like(fake), fake)


# name: (the discriminator's loss, the generator's loss), of targets in {0, 1} and scores
OBJECTIVES = {
    "bce": (cross_entropy, cross_entropy),
    "lsgan": (squares, squares),
    "hinge": (hinge, linear),
}


def missing_l1(photo, guess, mask):
    """Mean absolute error over the missing pixels, in pix2pix's units, [-1, 1].

    Args:
        photo: `(B, H, W, 3)` in [0, 1].
        guess: likewise; what it says where pixels are known does not matter.
        mask: `(B, H, W, 1)`, 1 = missing.

    Returns:
        one number: the mean over all missing pixels of the batch and their three channels; 0 if
        no pixel is missing.
    """
    l1 = keras.losses.MeanAbsoluteError(reduction="mean_with_sample_weight")
    # [-1, 1] is twice as wide as [0, 1]: so is a distance in it.
    return 2 * l1(photo, guess, sample_weight=mask[..., 0])
