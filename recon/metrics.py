"""What is measured in the boxes, and on the whole completed photo; each formula once."""

import keras
import numpy as np
from keras import ops
from skimage.metrics import structural_similarity


def complete(masked, mask, guess):
    """Paste the known pixels over a guess: `mask * guess + (1 - mask) * photo`.

    Args:
        masked: the photo with its missing pixels black, `(B, H, W, 3)` in [0, 1].
        mask: `(B, H, W, 1)`, 1 = missing.
        guess: `(B, H, W, 3)`, what a network says.

    Returns:
        `(B, H, W, 3)`; a selection and not a sum, so that known pixels come back bit for bit.
        (`classical.paste` does this to NumPy arrays, without Keras.)
    """
    return ops.where(mask > 0, guess, masked)


def squared_error(photo, completed, weight):
    """Sum the squared error over the missing pixels, and count its terms.

    Args:
        photo: `(..., H, W, 3)` in [0, 1].
        completed: likewise; known pixels do not matter.
        weight: `(..., H, W, 1)`, the mask; or how many boxes a pixel lies in, as the challenge
            counts (a pixel in two boxes is asked for twice).

    Returns:
        sum and number of terms; the root of their quotient is the RMSE in the boxes. Pooling
        means adding up both before the division: a mean of photos' RMSEs is another number.
    """
    error = weight * ops.square(photo - completed)
    return ops.sum(error), ops.sum(weight) * photo.shape[-1]


def absolute_error(photo, completed, weight):
    """Sum the absolute error over the missing pixels, and count its terms, as above."""
    return ops.sum(weight * ops.abs(photo - completed)), ops.sum(weight) * photo.shape[-1]


@keras.saving.register_keras_serializable("recon")
class BoxRMSE(keras.metrics.Metric):
    """RMSE in the boxes, pooled over all missing pixels of all photos seen since the reset.

    >>> rmse = BoxRMSE()
    >>> rmse.update_state(photo, completed, mask)  # photo by photo or batch by batch: the same
    >>> float(rmse.result())
    """

    def __init__(self, name="rmse", **kwargs):
        super().__init__(name=name, **kwargs)
        self.total = self.add_variable((), initializer="zeros", name="total")
        self.count = self.add_variable((), initializer="zeros", name="count")

    def update_state(self, photo, completed, sample_weight):
        photo, completed, weight = (
            ops.cast(x, "float32") for x in (photo, completed, sample_weight)
        )
        total, count = squared_error(photo, completed, weight)
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self):
        return ops.sqrt(self.total / ops.maximum(self.count, 1))


def psnr(photo: np.ndarray, completed: np.ndarray) -> float:
    """Peak signal-to-noise ratio of a whole completed photo: 10·log₁₀(1 / mean squared error).

    An RMSE of 0.1 is 20 dB, a tenth of it 20 dB more.

    Args:
        photo: `(H, W, C)` in [0, 1], so that the peak is 1.
        completed: likewise.

    Returns:
        dB, at most 100: one photo completed without any error would else make a mean infinite.
    """
    error = np.mean(np.square(photo.astype("float64") - completed))
    return 100.0 if error <= 1e-10 else float(-10 * np.log10(error))


def ssim(photo: np.ndarray, completed: np.ndarray) -> float:
    """Structural similarity of a whole completed photo (Wang et al., 2004), at most 1.

    Gaussian window of σ = 1.5 and population covariance, as in the paper; mean over channels.
    """
    return float(
        structural_similarity(
            photo,
            completed,
            channel_axis=-1,
            data_range=1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def detail(photo: np.ndarray, completed: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Sum the steps between neighbouring pixels in the holes, of a completed photo and of the true.

    Their quotient says how much of the truth's fine detail a fill has: 0 is one flat colour, 1 as
    much as was there, at the right place or at a wrong one. (Both sums are a total variation:
    Rudin, Osher & Fatemi, 1992, with absolute values along both axes.)

    Args:
        photo: `(H, W, C)` in [0, 1].
        completed: likewise.
        mask: `(H, W, 1)`, 1 = missing; a step counts where both of its pixels are.

    Returns:
        the completed photo's sum and the photo's.
    """

    def steps(picture):
        down = np.abs(picture[1:] - picture[:-1]) * mask[1:] * mask[:-1]
        right = np.abs(picture[:, 1:] - picture[:, :-1]) * mask[:, 1:] * mask[:, :-1]
        return float(down.sum() + right.sum())

    return steps(completed), steps(photo)


def bootstrap_ratio(
    squares: np.ndarray, others: np.ndarray, seed: int = 0, draws: int = 2000
) -> tuple[float, float]:
    """Say how far the quotient of two methods' RMSEs is to be trusted: a 95 % interval.

    Photos are drawn from those there are, with replacement and as many, again and again (Efron,
    1979, Bootstrap Methods). A photo brings both methods' errors along, so that hard photos are
    hard for both.

    Args:
        squares: `(N,)`, one method's sum of squared errors on each photo.
        others: the other's, on the same photos and boxes.
        seed: of the draws.
        draws: how many.

    Returns:
        the quotients that 2.5 % and 97.5 % of all draws stay below.
    """
    squares, others = np.asarray(squares), np.asarray(others)
    photos = np.random.default_rng(seed).integers(0, len(squares), (draws, len(squares)))
    ratios = np.sqrt(squares[photos].sum(axis=1) / others[photos].sum(axis=1))
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)
