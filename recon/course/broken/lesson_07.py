"""Lesson 07's break-it: a loss whose terms move the wrong player, and a way to see who moves."""

import keras
import numpy as np
from keras import layers, ops

from recon import losses, metrics
from recon.models.adversarial import call_frozen


class Pair(keras.Model):
    """A generator and a discriminator of one layer each, which learn one term of `measure` alone.

    Args:
        measure: a function like `recon.models.pix2pix.measure`.
        term: which of its terms is the loss.
    """

    def __init__(self, measure, term):
        super().__init__()
        self.measure, self.term = measure, term
        self.adversarial = losses.AdversarialLoss("bce")
        self.generator = layers.Dense(3)  # every pixel by itself
        self.generator.build((None, 4, 4, 3))
        shapes = (4, 4, 3), (4, 4, 3), (4, 4, 1)
        inputs = [layers.Input(shape) for shape in shapes]  # photo or completed, masked, mask
        self.discriminator = keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(inputs)))
        rng = np.random.default_rng(0)
        for variable in self.trainable_variables:
            variable.assign(rng.normal(0, 0.5, variable.shape))

    def call(self, inputs):
        return self.generator(inputs["masked"])

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        masked, mask = x["masked"], x["mask"]
        terms = self.measure(self.discriminator, self.adversarial, masked, mask, y, y_pred)
        # Whoever is not reached by the term has a gradient, too: zero.
        nothing = 0 * sum(ops.sum(variable) for variable in self.trainable_variables)
        return terms[self.term] + nothing


def moved(measure, term):
    """Let two small players learn one term for one step, and see who moves.

    Args:
        measure: a function like `recon.models.pix2pix.measure`.
        term: `judge`, `persuade` or `l1`.

    Returns:
        `{"generator": number, "discriminator": number}`: how far the weights of each have gone, at
        most; 0.0 for who has not moved at all.
    """
    rng = np.random.default_rng(1)
    photo = rng.random((2, 4, 4, 3)).astype("float32")
    mask = np.zeros((2, 4, 4, 1), "float32")
    mask[:, 1:3, 1:3] = 1
    inputs = {"masked": photo * (1 - mask), "mask": mask}
    pair = Pair(measure, term)
    pair.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    players = {"generator": pair.generator, "discriminator": pair.discriminator}
    before = {name: player.get_weights() for name, player in players.items()}
    pair.train_on_batch(*keras.tree.map_structure(ops.convert_to_tensor, (inputs, photo)))
    distances = {}
    for name, player in players.items():
        changes = zip(before[name], player.get_weights(), strict=True)
        distances[name] = max(float(np.abs(now - old).max()) for old, now in changes)
    return distances


def leaky(discriminator, adversarial, masked, mask, photo, guess, training=True):
    """`measure` as it reads most naturally: the discriminator scores both photos, and no more."""
    completed = metrics.complete(masked, mask, guess)
    real = discriminator([photo, masked, mask], training=training)
    fake = discriminator([completed, masked, mask], training=training)
    scores = call_frozen(discriminator, [completed, masked, mask], training)
    return {
        "judge": adversarial.discriminator(real, fake),
        "persuade": adversarial.generator(scores),
        "l1": losses.missing_l1(photo, guess, mask),
    }


def catch_leak(measure):
    """Raise an AssertionError unless every term moves its own player, and that one alone.

    `judge` is the discriminator's; `persuade` and `l1` are the generator's. What is caught: a
    player that is moved by the other's term, and one that is not moved by its own.

    Args:
        measure: a function like `measure`; `moved(measure, term)` says who moves.
    """
    for term in ("judge", "persuade", "l1"):
        owner, other = "generator", "discriminator"
        if term == "judge":
            owner, other = other, owner
        distance = moved(measure, term)
        assert distance[other] == 0, f"{term} moves the {other}"
        assert distance[owner] > 0, f"{term} does not move the {owner}"
