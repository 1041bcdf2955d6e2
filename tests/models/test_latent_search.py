"""recon.models.latent_search: what is weighed, what is blended, and that z alone is moved."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from recon import losses
from recon.models import blocks, latent_search
from recon.models.latent_search import LatentSearch, blend, context_weight

SIZE, LATENT = 12, 3


def hole(count=1, size=SIZE):
    mask = np.zeros((count, size, size, 1), "float32")
    mask[:, 3:8, 4:9] = 1
    return mask


def networks(seed=0):
    """A generator and a judge of a layer each, with batch statistics that training would move."""
    keras.utils.set_random_seed(seed)
    start = keras.initializers.RandomNormal(0.0, 0.7)
    z = layers.Input((LATENT,))
    x = layers.Dense(SIZE * SIZE * 3, activation="tanh", kernel_initializer=start)(z)
    x = layers.BatchNormalization()(layers.Reshape((SIZE, SIZE, 3))(x))
    generator = keras.Model(z, blocks.FromSigned()(x))
    photo = layers.Input((SIZE, SIZE, 3))
    judge = keras.Model(
        photo, layers.Dense(1)(layers.BatchNormalization()(layers.Flatten()(photo)))
    )
    return generator, judge


def search(generator, judge, photos=1, **settings):
    persuade = keras.losses.BinaryCrossentropy(from_logits=True)
    return LatentSearch(generator, judge, persuade, photos, **settings)


def candidates(count, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, LATENT)).astype("float32")


def painted(generator, z):
    return ops.convert_to_numpy(generator(z, training=False))


def masked_photos(count=1, seed=1):
    photo = np.random.default_rng(seed).random((count, SIZE, SIZE, 3), "float32")
    mask = hole(count)
    return photo * (1 - mask), mask


def weights(model):
    return [ops.convert_to_numpy(v) for v in model.variables]


@pytest.mark.parametrize("window", [3, 7])
def test_context_weight_is_the_missing_part_of_the_neighbourhood(window):
    mask = (np.random.default_rng(0).random((2, 9, 11, 1)) < 0.3).astype("float32")
    expected = np.zeros_like(mask)
    reach = window // 2
    for photo, row, column, _ in np.ndindex(*mask.shape):
        near = [
            mask[photo, i, j, 0]
            for i in range(row - reach, row + reach + 1)
            for j in range(column - reach, column + reach + 1)
            if 0 <= i < 9 and 0 <= j < 11
        ]
        if mask[photo, row, column, 0] == 0:
            expected[photo, row, column, 0] = sum(near) / len(near)
    weight = ops.convert_to_numpy(context_weight(ops.convert_to_tensor(mask), window))
    np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_context_loss_is_a_weighted_sum_in_the_papers_units():
    photo = np.full((2, 4, 4, 3), 0.5, "float32")
    weight = np.zeros((4, 4, 1), "float32")
    weight[1, 2], weight[3, 0] = 0.5, 0.25
    guess = photo + np.float32([0.1, -0.2]).reshape(2, 1, 1, 1)
    # three channels, [-1, 1] twice as wide as [0, 1], weights 0.75 together
    expected = [0.1 * 2 * 3 * 0.75, 0.2 * 2 * 3 * 0.75]
    found = ops.convert_to_numpy(latent_search.context_loss(guess, photo, weight))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("objective", ["bce", "lsgan", "hinge"])
def test_prior_loss_is_a_loss_for_each_guess_whose_mean_the_generator_was_trained_with(objective):
    persuade = losses.AdversarialLoss(objective).persuade
    logits = np.float32([[-1.5], [0.2], [2.0], [0.9]])
    found = ops.convert_to_numpy(latent_search.prior_loss(persuade, logits))
    each = [float(persuade(np.ones((1, 1)), row[None])) for row in logits]
    np.testing.assert_allclose(found, each, rtol=1e-5)
    assert found.mean() == pytest.approx(float(persuade(np.ones((4, 1)), logits)), rel=1e-5)


def test_each_photo_gets_the_restart_that_ends_lowest():
    guess = np.arange(6.0).reshape(6, 1, 1, 1) * np.ones((1, 2, 2, 3))
    best = latent_search.best_of_restarts(guess, np.float32([[3, 1, 2], [1, 4, 0.5]]))
    np.testing.assert_array_equal(best, guess[[1, 5]])


def test_blending_leaves_a_guess_that_fits_and_takes_an_offset_away():
    photo = np.random.default_rng(0).uniform(0.3, 0.7, (SIZE, SIZE, 3)).astype("float32")
    mask = hole()[0]
    masked = photo * (1 - mask)
    np.testing.assert_allclose(blend(photo, masked, mask), photo, atol=1e-6)
    shifted = photo + np.float32([0.1, -0.2, 0.05])
    np.testing.assert_allclose(blend(shifted, masked, mask), photo, atol=1e-6)


def test_blending_keeps_the_guesss_gradients():
    """Poisson's equation: in the hole, the Laplacian of what comes out is the guess's."""
    generator = np.random.default_rng(0)
    photo, guess = generator.uniform(0.4, 0.6, (2, SIZE, SIZE, 3)).astype("float32")
    mask = hole()[0]
    completed = blend(guess, photo * (1 - mask), mask)
    assert np.abs(completed - guess)[mask[..., 0] > 0].max() > 0.01

    def laplacian(x):
        middle = 4 * x[1:-1, 1:-1]
        return middle - x[:-2, 1:-1] - x[2:, 1:-1] - x[1:-1, :-2] - x[1:-1, 2:]

    # Across the border the guess's own gradient counts, to the guess's pixel outside.
    difference = laplacian(completed.astype("float64") - guess)
    np.testing.assert_allclose(difference[mask[1:-1, 1:-1, 0] > 0], 0, atol=1e-6)


def test_blending_returns_known_pixels_bit_for_bit_and_stays_a_photo():
    generator = np.random.default_rng(0)
    photo, guess = generator.random((2, SIZE, SIZE, 3), "float32")
    mask = hole()[0]
    completed = blend(guess, photo * (1 - mask), mask)
    known = np.broadcast_to(mask == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])
    assert completed.dtype == "float32"
    assert completed.min() >= 0
    assert completed.max() <= 1


def test_blending_a_photo_without_known_pixels_gives_the_guess():
    guess = np.random.default_rng(0).random((SIZE, SIZE, 3), "float32")
    mask = np.ones((SIZE, SIZE, 1), "float32")
    np.testing.assert_array_equal(blend(guess, np.zeros_like(guess), mask), guess)


def test_only_z_is_trained_and_only_z_moves():
    generator, judge = networks()
    model = search(generator, judge, photos=2, restarts=3, steps=4)
    assert [tuple(v.shape) for v in model.trainable_variables] == [(6, LATENT)]
    before = weights(generator) + weights(judge)
    model.run(generator, judge, *masked_photos(2), candidates(9))
    for networks_after in ((generator, judge), (model.generator, model.judge)):
        after = [value for network in networks_after for value in weights(network)]
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old, new)
    z = ops.convert_to_numpy(model.z)
    assert (z != model.starts(candidates(9))).any(axis=1).all()  # of the same photos and weights
    assert np.abs(z).max() <= 1


def test_it_searches_with_the_present_weights():
    (first, judge), (second, _) = networks(0), networks(1)
    model = search(first, judge, steps=2)
    guess, _ = model.run(second, judge, *masked_photos(), candidates(4))
    expected = painted(second, ops.convert_to_numpy(model.z))
    assert np.abs(expected - guess).max(axis=(1, 2, 3)).min() < 1e-6


def test_z_is_clipped_to_the_prior():
    generator, judge = networks()
    model = search(generator, judge, steps=1, learning_rate=3.0)
    model.run(generator, judge, *masked_photos(), candidates(4))
    # Adam's first step is as long as the rate: from anywhere inside, 3 leads out.
    np.testing.assert_array_equal(np.abs(ops.convert_to_numpy(model.z)), 1)


def test_starts_are_the_candidates_nearest_to_each_photo():
    generator, judge = networks()
    z = candidates(8)
    model = search(generator, judge, photos=2, restarts=2, steps=1)
    masked = painted(generator, z[[5, 2]]) * (1 - hole(2))
    model.run(generator, judge, masked, hole(2), z)
    starts = model.starts(z).reshape(2, 2, LATENT)
    np.testing.assert_array_equal(starts[:, 0], z[[5, 2]])


def test_it_lowers_the_loss_and_finds_a_photo_of_the_generators_own():
    generator, judge = networks()
    photo = painted(generator, candidates(1, seed=7))
    masked = photo * (1 - hole())
    settings = {"restarts": 4, "prior_weight": 0.0}
    _, before = search(generator, judge, steps=1, learning_rate=0.0, **settings).run(
        generator, judge, masked, hole(), candidates(4)
    )
    guess, after = search(generator, judge, steps=150, **settings).run(
        generator, judge, masked, hole(), candidates(4)
    )
    assert (after < before).all()
    np.testing.assert_allclose(guess, photo, atol=0.01)  # in the hole, too


def test_the_best_restart_of_each_photo_is_chosen():
    generator, judge = networks()
    masked, mask = masked_photos(8)
    model = search(generator, judge, photos=8, steps=3, learning_rate=1.0, prior_weight=0.0)
    guess, ends = model.run(generator, judge, masked, mask, candidates(4))
    assert ends.shape == (8, 4)
    assert len(set(ends.argmin(axis=1))) > 1  # not always the one that was best at the start
    weight = ops.convert_to_numpy(context_weight(ops.convert_to_tensor(mask)))
    own = 2 * (weight * np.abs(guess - masked)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(own, ends.min(axis=1), rtol=1e-4)


def test_the_prior_is_what_the_judge_says_of_each_row():
    generator, judge = networks()
    masked, mask = masked_photos()
    found = []
    for weight in (0.0, 0.003):
        model = search(
            generator, judge, restarts=3, steps=1, learning_rate=0.0, prior_weight=weight
        )
        found.append(model.run(generator, judge, masked, mask, candidates(3))[1][0])
    logits = painted(judge, painted(generator, model.starts(candidates(3))))[:, 0]
    expected = 0.003 * np.log1p(np.exp(-logits.astype("float64")))  # −log D(G(z))
    np.testing.assert_allclose(found[1] - found[0], expected, atol=1e-5)


def test_a_search_leaves_nothing_behind_for_the_next():
    generator, judge = networks()
    model = search(generator, judge, steps=5)
    first, _ = model.run(generator, judge, *masked_photos(), candidates(4))
    other, _ = model.run(generator, judge, *masked_photos(seed=2), candidates(4))
    again, _ = model.run(generator, judge, *masked_photos(), candidates(4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(other - first).max() > 0


def test_photos_are_searched_for_each_by_itself():
    generator, judge = networks()
    masked, mask = masked_photos(2)
    together, _ = search(generator, judge, photos=2, steps=5).run(
        generator, judge, masked, mask, candidates(6)
    )
    alone, _ = search(generator, judge, photos=1, steps=5).run(
        generator, judge, masked[1:], mask[1:], candidates(6)
    )
    np.testing.assert_allclose(together[1:], alone, atol=1e-5)
