"""Completing a photo by searching a generator's latent space (Yeh et al., 2017).

The generator has never seen a hole. What it can paint is searched for the photo that agrees with
the known pixels around the boxes. https://arxiv.org/abs/1607.07539
"""

import keras
import numpy as np
from keras import ops

from recon import classical


def context_weight(mask, window: int = 7):
    """Weigh known pixels by how many missing ones are near (section 3.3, the equation for W).

    Args:
        mask: `(B, H, W, 1)`, 1 = missing.
        window: side of the neighbourhood, in pixels, odd; 7 in the paper.

    Returns:
        `(B, H, W, 1)` in [0, 1]: the missing part of a known pixel's neighbourhood inside the
        photo; 0 for a missing pixel, and for one with no missing pixel near.
    """
    return (1 - mask) * ops.average_pool(mask, window, 1, "same")


def context_loss(guess, photo, weight):
    """‖W ⊙ (guess − photo)‖₁ in the paper's units [-1, 1], summed over pixels and channels.

    Args:
        guess, photo: `(..., H, W, 3)` in [0, 1].
        weight: `(..., H, W, 1)`, of `context_weight`.

    Returns:
        `(...)`.
    """
    # [-1, 1] is twice as wide as [0, 1]: so is a distance in it.
    return 2 * ops.sum(weight * ops.abs(guess - photo), axis=(-3, -2, -1))


def prior_loss(persuade: keras.losses.Loss, logits):
    """How little each guess passes for a photo (section 3.3, L_p).

    The loss that the generator was trained with, in place of the paper's log(1 − D(G(z))): as in
    the paper's code. A number for each guess, because each is searched by itself.

    Args:
        persuade: of targets and logits; 1 is the target of a real photo. Its method `call` gives
            the loss of every row, where calling it gives the mean of them all.
        logits: `(N, 1)`, what the judge says.

    Returns:
        `(N,)`.
    """
    losses = persuade.call(ops.ones_like(logits), logits)
    return ops.reshape(losses, (-1,))  # (N,) or (N, 1): losses differ


def best_of_restarts(guess: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Choose, for every photo, the guess of the restart that ends with the lowest loss.

    Args:
        guess: `(photos · restarts, H, W, 3)`, the restarts of one photo one after the other.
        losses: `(photos, restarts)`.

    Returns:
        `(photos, H, W, 3)`.
    """
    photos, restarts = losses.shape
    return guess[np.arange(photos) * restarts + losses.argmin(axis=1)]


def blend(guess: np.ndarray, masked: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Keep a guess's gradients and the photo's known pixels: Poisson blending (section 3.4).

    What the guess lacks on the hole's border is continued into the hole by Laplace's equation and
    added: guess + harmonic(photo − guess) is the photo whose gradients are nearest to the guess's.

    Args:
        guess: `(H, W, 3)` in [0, 1].
        masked: `(H, W, 3)`, the photo with its missing pixels black.
        mask: `(H, W, 1)`, 1 = missing; a photo without known pixels is the guess.

    Returns:
        float32 `(H, W, 3)` in [0, 1], known pixels bit for bit.
    """
    lacking = classical.harmonic((masked - guess) * (1 - mask), mask)
    return classical.paste(masked, mask, np.clip(guess + lacking, 0, 1))


def frozen_copy(network: keras.Model) -> keras.Model:
    """A network of its own weights that no training moves, batch statistics included."""
    copy = keras.models.clone_model(network)
    copy.trainable = False
    return copy


@keras.saving.register_keras_serializable("recon")
class InPrior(keras.constraints.Constraint):
    """Clip z to [-1, 1], where the prior is uniform, as the paper's code does after every step."""

    def __call__(self, z):
        return ops.clip(z, -1.0, 1.0)


class LatentSearch(keras.Model):
    """A model whose only trainable weight is z: `fit` is the search.

    Every row of z is searched by itself: the loss is a sum over rows, and Adam's steps are per
    number. The photos are state and not data, so that a step reads nothing, and all steps are one
    call of the compiled program.

    Args:
        generator: z `(B, L)` -> guess `(B, S, S, 3)` in [0, 1].
        judge: photo `(B, S, S, 3)` in [0, 1] -> logits `(B, 1)`.
        persuade: `keras.losses.Loss` of targets and logits, what the generator was trained with.
        photos: how many photos are searched for at once.
        restarts: rows of z for each.
        steps: of Adam.
        learning_rate: of Adam at the start; it falls to 0 along a cosine.
        prior_weight: λ of section 3.3, 0.003 in the paper.
    """

    def __init__(
        self,
        generator,
        judge,
        persuade,
        photos,
        restarts=4,
        steps=80,
        learning_rate=0.05,
        prior_weight=0.003,
    ):
        super().__init__(dtype="float32")
        self.generator, self.judge = frozen_copy(generator), frozen_copy(judge)
        self.persuade, self.prior_weight = persuade, prior_weight
        self.photos, self.restarts, self.steps = photos, restarts, steps
        latent, shape = generator.input_shape[-1], generator.output_shape[1:]
        self.z = self.add_weight((photos * restarts, latent), constraint=InPrior(), name="z")
        self.photo = self.add_weight((photos, 1, *shape), trainable=False, name="photo")
        self.weight = self.add_weight(
            (photos, 1, *shape[:-1], 1), trainable=False, name="context_weight"
        )
        # An L1 norm pulls as hard near its minimum as far away: the steps must get smaller.
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        # XLA is slower than oneDNN on a CPU; JAX knows nothing else.
        jit = keras.backend.backend() == "jax"
        self.compile(keras.optimizers.Adam(rate), jit_compile=jit, steps_per_execution=steps)
        self.optimizer.build(self.trainable_variables)
        self.fresh = [ops.convert_to_numpy(v) for v in self.optimizer.variables]

    def call(self, inputs, training=False):
        return self.generator(self.z, training=False)  # (photos · restarts, S, S, 3) in [0, 1]

    def each(self, guess):
        """The loss of every row: `(photos, restarts)`.

        The context loss and λ times the prior loss.
        """
        logits = self.judge(guess, training=False)  # (photos · restarts, 1)
        prior = prior_loss(self.persuade, logits)  # (photos · restarts,)
        rows = (self.photos, self.restarts)
        context = context_loss(
            ops.reshape(guess, (*rows, *guess.shape[1:])), self.photo, self.weight
        )
        return context + self.prior_weight * ops.reshape(prior, rows)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.sum(self.each(y_pred))

    def run(
        self,
        generator: keras.Model,
        judge: keras.Model,
        masked: np.ndarray,
        mask: np.ndarray,
        candidates: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Search with the present weights of generator and judge.

        Args:
            generator, judge: networks as those it was made of; they are not touched.
            masked: `(photos, S, S, 3)` in [0, 1], missing pixels black.
            mask: `(photos, S, S, 1)`, 1 = missing.
            candidates: `(K, L)` in [-1, 1], `restarts` or more: the search for a photo starts from
                those with the lowest context loss. Painting many once is cheaper than many starts.

        Returns:
            for every photo, the guess `(photos, S, S, 3)` of the restart that ends with the lowest
            loss, and all restarts' losses at the end `(photos, restarts)`.
        """
        self.generator.set_weights(generator.get_weights())
        self.judge.set_weights(judge.get_weights())
        self.photo.assign(masked[:, None])
        self.weight.assign(context_weight(ops.convert_to_tensor(mask))[:, None])
        self.z.assign(self.starts(candidates))
        for variable, value in zip(self.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)
        self.fit(np.zeros((self.steps, 1)), batch_size=1, shuffle=False, verbose=0)
        guess = self(None)
        losses = ops.convert_to_numpy(self.each(guess))
        return best_of_restarts(ops.convert_to_numpy(guess), losses), losses

    def starts(self, candidates: np.ndarray) -> np.ndarray:
        """The candidates nearest to each photo: `(K, L)` -> `(photos · restarts, L)`."""
        painted = self.generator(candidates, training=False)  # (K, S, S, 3)
        nearest = []
        for number in range(self.photos):  # all at once would take gigabytes
            distance = context_loss(painted, self.photo[number], self.weight[number])  # (K,)
            order = np.argsort(ops.convert_to_numpy(distance), kind="stable")
            nearest.append(candidates[order[: self.restarts]])
        return np.concatenate(nearest)
