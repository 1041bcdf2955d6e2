"""recon.losses: both players' terms against their papers' formulas, in NumPy."""

import keras
import numpy as np
import pytest

from recon import losses
from recon.losses import AdversarialLoss

rng = np.random.default_rng(0)


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


def bce(real, fake):
    """Goodfellow et al., 2014, with the generator's non-saturating form."""
    judge = -np.mean(np.log(sigmoid(real))) - np.mean(np.log(1 - sigmoid(fake)))
    return judge, -np.mean(np.log(sigmoid(fake)))


def lsgan(real, fake):
    """Mao et al., 2017, targets 0 and 1."""
    return np.mean((real - 1) ** 2) + np.mean(fake**2), np.mean((fake - 1) ** 2)


def hinge(real, fake):
    """Lim and Ye, 2017."""
    judge = np.mean(np.maximum(0, 1 - real)) + np.mean(np.maximum(0, 1 + fake))
    return judge, -np.mean(fake)


FORMULAS = {"bce": bce, "lsgan": lsgan, "hinge": hinge}


@pytest.mark.parametrize("shape", [(2, 5, 3, 1), (4, 1), (1, 1)])
@pytest.mark.parametrize("objective", FORMULAS)
def test_both_terms_are_the_papers(objective, shape):
    real, fake = (2 * rng.standard_normal(shape) + shift for shift in (1, -1))
    judge, persuade = FORMULAS[objective](real, fake)
    loss = AdversarialLoss(objective)
    real, fake = real.astype("float32"), fake.astype("float32")
    # Halved, as in pix2pix: the judge learns at half the generator's pace.
    assert float(loss.discriminator(real, fake)) == pytest.approx(judge / 2, rel=1e-5)
    assert float(loss.generator(fake)) == pytest.approx(persuade, rel=1e-5)


def test_known_values():
    undecided = np.zeros((2, 3, 3, 1), "float32")
    for objective, judge, persuade in (
        ("bce", np.log(2), np.log(2)),
        ("lsgan", 0.5, 1),
        ("hinge", 1, 0),
    ):
        loss = AdversarialLoss(objective)
        assert float(loss.discriminator(undecided, undecided)) == pytest.approx(judge)
        assert float(loss.generator(undecided)) == pytest.approx(persuade)


def test_the_default_is_the_papers_cross_entropy():
    scores = rng.standard_normal((2, 3, 3, 1)).astype("float32")
    assert float(AdversarialLoss().generator(scores)) == pytest.approx(bce(scores, scores)[1])


def test_cross_entropy_of_large_scores_is_finite():
    certain = np.full((1, 2, 2, 1), 200, "float32")
    loss = AdversarialLoss("bce")
    assert float(loss.discriminator(-certain, certain)) == pytest.approx(200)  # all wrong
    assert float(loss.generator(-certain)) == pytest.approx(200)
    assert float(loss.discriminator(certain, -certain)) == pytest.approx(0)


def test_a_judge_beyond_the_margin_has_nothing_to_learn_by_hinge():
    real, fake = np.full((2, 1), 1.5, "float32"), np.full((2, 1), -1.5, "float32")
    loss = AdversarialLoss("hinge")
    assert float(loss.discriminator(real, fake)) == 0
    assert float(loss.generator(fake)) == 1.5  # while the generator has no margin


def test_an_unknown_objective_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="unknown objective 'wgan': choose from bce, lsgan, hinge"):
        AdversarialLoss("wgan")


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (losses.cross_entropy, keras.losses.BinaryCrossentropy(from_logits=True)),
        (losses.squares, keras.losses.MeanSquaredError()),
        (losses.hinge, keras.losses.Hinge()),
    ],
)
def test_every_function_of_scores_is_what_keras_says_too(own, theirs):
    target = rng.integers(0, 2, (4, 3, 1)).astype("float32")
    score = 3 * rng.standard_normal((4, 3, 1)).astype("float32")
    mean = float(losses.OfScores(own)(target, score))
    assert mean == pytest.approx(float(theirs(target, score)), rel=1e-5)


def test_l1_counts_missing_pixels_of_the_whole_batch_in_the_papers_units():
    photo, guess = rng.random((2, 2, 4, 4, 3)).astype("float32")
    mask = np.zeros((2, 4, 4, 1), "float32")
    mask[0, 1:3, 0:3] = 1  # six pixels of one photo,
    mask[1, 3, 3] = 1  # one of the other: every pixel counts as much
    missing = np.repeat(mask, 3, axis=-1) > 0
    expected = np.mean(np.abs((2 * photo - 1) - (2 * guess - 1))[missing])
    assert float(losses.missing_l1(photo, guess, mask)) == pytest.approx(expected, rel=1e-5)


def test_l1_of_photos_with_nothing_missing_is_0():
    photo = rng.random((1, 4, 4, 3)).astype("float32")
    assert float(losses.missing_l1(photo, 1 - photo, np.zeros((1, 4, 4, 1), "float32"))) == 0
