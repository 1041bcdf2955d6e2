"""What the networks minimise; each formula once.

Every term is a `keras.losses` object: those scale themselves when training is spread over
several devices, a bare mean does not.
"""

import keras
from keras import ops


class Linear(keras.losses.Loss):
    """Mean of −(2·target − 1)·logit: what the hinge generator minimises (Lim and Ye, 2017)."""

    def call(self, y_true, y_pred):
        return -(2 * y_true - 1) * y_pred


class GaussianKL(keras.losses.Loss):
    """Kullback-Leibler divergence of normal distributions from the standard one, a value each.

    Kingma and Welling, 2014, Auto-Encoding Variational Bayes, appendix B
    (https://arxiv.org/abs/1312.6114). `y_pred` `(..., 2C)` holds C means, then C logarithms of
    variances; `y_true` is not looked at.
    """

    def call(self, y_true, y_pred):
        mean, log_variance = ops.split(y_pred, 2, axis=-1)
        return (mean**2 + ops.exp(log_variance) - 1 - log_variance) / 2


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
        self.judge, self.persuade = (make() for make in OBJECTIVES[objective])

    def discriminator(self, real, fake):
        """Reward telling real from fake; halved, as in pix2pix (section 3.3)."""
        return (self.judge(ops.ones_like(real), real) + self.judge(ops.zeros_like(fake), fake)) / 2

    def generator(self, fake):
        """Reward passing for real."""
        return self.persuade(ops.ones_like(fake), fake)


def _bce():
    return keras.losses.BinaryCrossentropy(from_logits=True)


# name: (the discriminator's loss, the generator's loss), of targets in {0, 1} and scores
OBJECTIVES = {
    "bce": (_bce, _bce),
    "lsgan": (keras.losses.MeanSquaredError, keras.losses.MeanSquaredError),
    "hinge": (keras.losses.Hinge, Linear),
}
