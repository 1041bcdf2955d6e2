"""recon.metrics: each figure against the same formula, written out in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from recon import metrics
from recon.boxes import Box, coverage, rasterise

rng = np.random.default_rng(0)


def noise(*shape):
    return rng.random(shape, dtype="float32")


def holes(*counts, size=12):
    """Masks `(B, 12, 12, 1)` with a hole of so many pixels in each."""
    masks = np.zeros((len(counts), size * size, 1), "float32")
    for mask, count in zip(masks, counts, strict=True):
        mask[rng.permutation(size * size)[:count]] = 1
    return masks.reshape(-1, size, size, 1)


# complete


def test_complete_pastes_known_pixels_bit_for_bit():
    photo, guess = noise(2, 12, 12, 3), noise(2, 12, 12, 3)
    mask = holes(40, 7)
    completed = ops.convert_to_numpy(metrics.complete(photo * (1 - mask), mask, guess))
    missing = mask[..., 0] == 1
    np.testing.assert_array_equal(completed[~missing], photo[~missing])
    np.testing.assert_array_equal(completed[missing], guess[missing])
    assert completed.dtype == np.float32


def test_complete_looks_at_no_guess_for_a_known_pixel():
    # In `mask * guess + (1 - mask) * photo`, 0 * nan would be nan.
    photo, mask = noise(1, 12, 12, 3), holes(30)
    guess = np.where(mask == 1, np.float32(0.5), np.float32(np.nan))
    completed = ops.convert_to_numpy(metrics.complete(photo, mask, guess))
    assert np.isfinite(completed).all()


# Errors in the boxes


def missing_values(photo, completed, mask):
    """Differences of all missing values of all photos, one after another."""
    return np.concatenate(
        [
            (one - other)[hole[..., 0] == 1].ravel().astype("float64")
            for one, other, hole in zip(photo, completed, mask, strict=True)
        ]
    )


def test_errors_are_sums_over_the_missing_values_and_their_count():
    photo, completed = noise(3, 12, 12, 3), noise(3, 12, 12, 3)
    mask = holes(40, 7, 0)
    difference = missing_values(photo, completed, mask)
    squared, count = metrics.squared_error(photo, completed, mask)
    assert float(squared) == pytest.approx(np.sum(difference**2), rel=1e-5)
    assert float(count) == len(difference) == 47 * 3
    absolute, count = metrics.absolute_error(photo, completed, mask)
    assert float(absolute) == pytest.approx(np.sum(np.abs(difference)), rel=1e-5)
    assert float(count) == 47 * 3
    # A single photo has no batch axis.
    squared, count = metrics.squared_error(photo[1], completed[1], mask[1])
    assert float(squared) == pytest.approx(np.sum(difference[120:] ** 2), rel=1e-5)
    assert float(count) == 21


def test_a_pixel_in_two_boxes_counts_twice():
    pair = [Box(1, 1, 4, 4), Box(3, 3, 4, 4)]
    photo, completed = noise(12, 12, 3), noise(12, 12, 3)
    asked = [(photo - completed)[b.row : b.row + 4, b.column : b.column + 4] for b in pair]
    for error, power in ((metrics.squared_error, 2), (metrics.absolute_error, 1)):
        total, count = error(photo, completed, coverage(pair, 12))
        assert float(total) == pytest.approx(np.sum(np.abs(asked) ** power), rel=1e-5)
        assert float(count) == 2 * 16 * 3
        once, _ = error(photo, completed, rasterise(pair, 12))
        assert float(once) < float(total)


def test_rmse_is_pooled_and_no_mean_of_means():
    # A large hole without error and a small one that is wrong by 1 everywhere.
    photo = np.zeros((2, 12, 12, 3), "float32")
    completed, mask = photo.copy(), holes(99, 1)
    completed[1] = 1
    rmse = metrics.BoxRMSE()
    rmse.update_state(photo, completed, mask)
    assert float(rmse.result()) == pytest.approx(0.1)  # √(1/100), where the two's mean is 0.5


def test_rmse_of_batches_is_that_of_all_at_once():
    photo, completed = noise(7, 12, 12, 3), noise(7, 12, 12, 3)
    mask = holes(144, 1, 30, 0, 60, 2, 9)
    at_once, in_batches, by_photo = (metrics.BoxRMSE() for _ in range(3))
    at_once.update_state(photo, completed, mask)
    for part in (slice(0, 3), slice(3, 6), slice(6, 7)):
        in_batches.update_state(photo[part], completed[part], mask[part])
    for one in zip(photo, completed, mask, strict=True):
        by_photo.update_state(*one)
    expected = np.sqrt(np.mean(missing_values(photo, completed, mask) ** 2))
    for rmse in (at_once, in_batches, by_photo):
        assert float(rmse.result()) == pytest.approx(expected, rel=1e-5)


def test_rmse_starts_anew_after_a_reset_and_is_0_before_any_photo():
    rmse = metrics.BoxRMSE()
    assert float(rmse.result()) == 0
    photo, mask = np.zeros((1, 12, 12, 3), "float32"), holes(20)
    rmse.update_state(photo, photo + 1, mask)
    assert float(rmse.result()) == pytest.approx(1)
    rmse.reset_state()
    assert float(rmse.result()) == 0
    rmse.update_state(photo, photo + 0.25, mask)
    assert float(rmse.result()) == pytest.approx(0.25)


def test_rmse_adds_up_in_float32_whatever_comes_in():
    # In float16 a sum ends at 65504, and 2048 + 1 is 2048.
    photo = np.zeros((1, 160, 160, 3), "float16")
    rmse = metrics.BoxRMSE()
    rmse.update_state(photo, photo + np.float16(0.5), np.ones((1, 160, 160, 1), "float16"))
    assert float(rmse.result()) == pytest.approx(0.5)


def test_rmse_is_saved_with_a_model():
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metrics.BoxRMSE(name="val"))
    )
    assert isinstance(copy, metrics.BoxRMSE)
    assert copy.name == "val"


# Figures of the whole photo


def test_psnr_is_the_mean_squared_error_in_decibels():
    photo, completed = noise(12, 10, 3), noise(12, 10, 3)
    error = np.mean((photo.astype("float64") - completed) ** 2)
    assert metrics.psnr(photo, completed) == pytest.approx(-10 * np.log10(error), abs=1e-4)
    black = np.zeros((4, 4, 3), "float32")
    assert metrics.psnr(black, black + np.float32(0.1)) == pytest.approx(20, abs=1e-4)


def test_psnr_is_100_at_most():
    photo = noise(12, 12, 3)
    assert metrics.psnr(photo, photo) == 100
    nearly = photo.copy()
    nearly[0, 0, 0] += 1e-6  # 146 dB
    assert metrics.psnr(photo, nearly) == 100


def slow_ssim(photo, completed):
    """Wang et al., 2004, window by window: 11×11 Gaussian weights, σ = 1.5, C = 0.01², 0.03²."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    x, y = photo.astype("float64"), completed.astype("float64")
    values = []
    for channel in range(3):
        for row in range(5, x.shape[0] - 5):  # windows that lie on the photo as a whole
            for column in range(5, x.shape[1] - 5):
                a, b = (p[row - 5 : row + 6, column - 5 : column + 6, channel] for p in (x, y))
                mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
                variance_a = (weights * (a - mean_a) ** 2).sum()
                variance_b = (weights * (b - mean_b) ** 2).sum()
                covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
                luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
                structure = (2 * covariance + 0.03**2) / (variance_a + variance_b + 0.03**2)
                values.append(luminance * structure)
    return np.mean(values)


def test_ssim_is_that_of_the_paper():
    photo = noise(16, 14, 3)
    for completed in (noise(16, 14, 3), np.clip(photo + 0.1 * noise(16, 14, 3), 0, 1), 1 - photo):
        expected = slow_ssim(photo, completed)
        assert metrics.ssim(photo, completed) == pytest.approx(expected, abs=1e-5)


def test_ssim_is_1_at_most():
    photo = noise(16, 16, 3)
    assert metrics.ssim(photo, photo) == 1
    black = np.zeros((16, 16, 3), "float32")
    assert metrics.ssim(black, black) == 1
    assert metrics.ssim(photo, 1 - photo) < 0
