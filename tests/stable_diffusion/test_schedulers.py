"""recon.stable_diffusion.schedulers: the papers' equations, and what a plan must hold."""

import recon  # noqa: F401, I001 (first: TensorFlow then starts quietly)
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from recon.stable_diffusion import schedulers
from recon.stable_diffusion.kerascv import ALPHAS_CUMPROD

ALPHAS = schedulers.alphas_cumprod()
alpha_bars = st.floats(0.004, 0.9992)


def draw(count, seed=0, shape=(2, 3, 3, 4)):
    return np.random.default_rng(seed).standard_normal((count, *shape)).astype("float32")


def lam(alpha):
    """λ of Lu et al.: log(α/σ), with their α = √ᾱ and σ = √(1 − ᾱ)."""
    return math.log(math.sqrt(alpha) / math.sqrt(1 - alpha))


def call(function, *arguments):
    """A function of keras.ops on NumPy's arrays and Python's numbers."""
    tensors = [ops.convert_to_tensor(x, "float32") for x in arguments]
    return ops.convert_to_numpy(function(*tensors))


# The schedule


def test_alphas_are_those_that_kerascv_lists():
    np.testing.assert_allclose(ALPHAS, ALPHAS_CUMPROD, rtol=2e-7)  # printed float32


def test_betas_go_from_end_to_end():
    betas = schedulers.betas()
    np.testing.assert_allclose(betas[[0, -1]], [0.00085, 0.012])
    np.testing.assert_allclose(np.diff(np.sqrt(betas)), np.diff(np.sqrt(betas))[0], rtol=1e-9)


def test_timesteps_are_spaced_as_in_kerascv():
    for steps in range(2, 1001):
        ratio = (1000 - 1) / (steps - 1)
        kerascv = (np.arange(0, steps) * ratio).round().astype(np.int64)
        np.testing.assert_array_equal(schedulers.timesteps(steps), kerascv[::-1])


def test_a_single_step_starts_from_noise():
    assert list(schedulers.timesteps(1)) == [999]


@pytest.mark.parametrize(
    ("steps", "strength", "left"), [(10, 0.5, 5), (10, 0.01, 1), (1, 0.1, 1), (10, 0.99, 10)]
)
def test_strength_keeps_the_last_steps(steps, strength, left):
    np.testing.assert_array_equal(
        schedulers.timesteps(steps, strength), schedulers.timesteps(steps)[-left:]
    )


# One step


def test_noise_is_added_by_the_square_roots():
    latent, noise = np.full((1, 1, 1, 4), 2.0), np.full((1, 1, 1, 4), 10.0)
    np.testing.assert_allclose(call(schedulers.add_noise, latent, noise, 0.64), 1.6 + 6, rtol=1e-6)


def test_no_noise_gives_the_latent_back_exactly_and_nothing_else_gives_the_noise():
    latent, noise = draw(2)
    np.testing.assert_array_equal(call(schedulers.add_noise, latent, noise, 1), latent)
    np.testing.assert_array_equal(call(schedulers.add_noise, latent, noise, 0), noise)


@settings(max_examples=25, deadline=None)
@given(alpha=alpha_bars)
def test_x0_undoes_the_noise(alpha):
    latent, noise = draw(2)
    noisy = call(schedulers.add_noise, latent, noise, alpha)
    x0 = call(schedulers.predicted_x0, noisy, noise, alpha)
    np.testing.assert_allclose(x0, latent, atol=2e-5)


@settings(max_examples=25, deadline=None)
@given(alpha=alpha_bars, alpha_next=alpha_bars)
def test_ddim_is_equation_12(alpha, alpha_next):
    latent, eps = draw(2)
    x0 = (latent - math.sqrt(1 - alpha) * eps) / math.sqrt(alpha)
    expected = math.sqrt(alpha_next) * x0 + math.sqrt(1 - alpha_next) * eps
    step = call(schedulers.ddim_step, latent, x0, alpha, alpha_next)
    np.testing.assert_allclose(step, expected, atol=2e-3)  # float32, divided by √(1 − ᾱ) > 0.028


@settings(max_examples=25, deadline=None)
@given(number=st.integers(2, 998))
def test_dpm_is_algorithm_2(number):
    latent, x0, previous = draw(3)
    before, alpha, alpha_next = ALPHAS[number + 1], ALPHAS[number], ALPHAS[number - 1]
    h_before, h = lam(alpha) - lam(before), lam(alpha_next) - lam(alpha)
    r = h_before / h
    d = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * previous
    sigma, sigma_next = math.sqrt(1 - alpha), math.sqrt(1 - alpha_next)
    expected = sigma_next / sigma * latent - math.sqrt(alpha_next) * (math.exp(-h) - 1) * d
    steps = np.array([[before, alpha], [alpha, alpha_next]])
    history = schedulers.history_weights(*steps.T, np.array([True, False]))
    assert history[0] == 0
    step = call(schedulers.dpm_step, latent, x0, previous, history[1], alpha, alpha_next)
    np.testing.assert_allclose(step, expected, atol=1e-4)


def test_the_step_to_no_noise_is_the_guess():
    latent, x0, previous = draw(3)
    step = call(schedulers.dpm_step, latent, x0, previous, 0, ALPHAS[42], 1)
    np.testing.assert_array_equal(step, x0)


def test_a_way_back_adds_what_the_step_took():
    latent, noise = draw(2)
    alpha, alpha_next = 0.3, 0.5
    clean = call(schedulers.renoise, math.sqrt(alpha_next) * latent, 0 * noise, alpha, alpha_next)
    np.testing.assert_allclose(clean, math.sqrt(alpha) * latent, atol=1e-6)
    fresh = call(schedulers.renoise, 0 * latent, noise, alpha, alpha_next)
    # Two independent noises: their variances add up to 1 − ᾱ.
    scale = fresh / noise
    np.testing.assert_allclose(
        alpha / alpha_next * (1 - alpha_next) + scale**2, 1 - alpha, rtol=1e-5
    )


# A whole run, where the exact noise is known


def mixture_x0(x, alpha):
    """The exact guess for data of two Gaussians, at -1 and 1.5, deviation 0.3."""
    means, variance = np.array([-1, 1.5]), 0.09
    spread = alpha * variance + 1 - alpha
    away = x[:, None] - np.sqrt(alpha) * means  # (N, 2)
    weight = np.exp(-(away**2 - (away**2).min(axis=1, keepdims=True)) / (2 * spread))
    guess = means + np.sqrt(alpha) * variance / spread * away
    return (weight * guess).sum(axis=1) / weight.sum(axis=1)


def mixture_run(steps, sampler):
    plan = schedulers.plan(steps, sampler)
    x = np.random.default_rng(0).standard_normal(500)
    previous = 0 * x
    for alpha, alpha_next, history in zip(plan.alpha, plan.alpha_next, plan.history, strict=True):
        x0 = mixture_x0(x, alpha)
        x = call(schedulers.dpm_step, x, x0, previous, history, alpha, alpha_next)
        previous = x0
    return x


@pytest.mark.parametrize("steps", [5, 10, 50])
def test_dpm_comes_nearer_than_ddim(steps):
    exact = mixture_run(300, "ddim")
    ddim, dpm = (
        np.sqrt(np.mean((mixture_run(steps, sampler) - exact) ** 2))
        for sampler in schedulers.SAMPLERS
    )
    assert dpm < 0.9 * ddim


# The timestep


def test_timesteps_embed_as_in_kerascv():
    said = call(schedulers.timestep_embedding, [0, 1, 999])
    assert said.shape == (3, 320)
    for row, timestep in enumerate([0, 1, 999]):
        for i in (0, 1, 80, 159):
            angle = timestep * math.exp(-math.log(10000) * i / 160)
            assert said[row, i] == pytest.approx(math.cos(angle), abs=1e-4)
            assert said[row, 160 + i] == pytest.approx(math.sin(angle), abs=1e-4)


def test_its_width_is_even():
    assert schedulers.timestep_embedding(np.zeros(2), 64).shape == (2, 64)
    with pytest.raises(ValueError, match="width 63: must be even"):
        schedulers.timestep_embedding(np.zeros(2), 63)


# The plan


@settings(deadline=None)
@given(
    steps=st.integers(1, 60),
    sampler=st.sampled_from(schedulers.SAMPLERS),
    strength=st.floats(0.01, 1),
    resample=st.integers(1, 4),
)
def test_a_plan_is_algorithm_1(steps, sampler, strength, resample):
    plan = schedulers.plan(steps, sampler, strength, resample)
    visited = schedulers.timesteps(steps, strength)
    expected, noises = [], 1
    for k, timestep in enumerate(visited):
        last = k == len(visited) - 1
        alpha_next = 1 if last else ALPHAS[visited[k + 1]]
        for u in range(1, resample + 1):
            back = 0
            if u < resample and not last:  # "if u < U and t > 1"
                back, noises = noises, noises + 1
            expected.append((timestep, ALPHAS[timestep], alpha_next, back))
            if last:
                break
    rows = zip(plan.timestep, plan.alpha, plan.alpha_next, plan.renoise, strict=True)
    assert list(rows) == expected
    assert plan.noises == noises


def test_history_is_dropped_at_the_ends_and_after_a_way_back():
    plan = schedulers.plan(10, "dpm++", resample=3)
    fresh = np.flatnonzero(plan.renoise) + 1  # the row after a way back
    assert not plan.history[[0, *fresh, -1]].any()
    # The last step but one, done three times, is too long for any.
    others = np.setdiff1d(np.arange(len(plan.history) - 4), [0, *fresh])
    assert (plan.history[others] > 0).all()


@settings(deadline=None)
@given(steps=st.integers(1, 1000), resample=st.integers(1, 3))
def test_history_never_reaches_further_than_the_last_step(steps, resample):
    history = schedulers.plan(steps, "dpm++", resample=resample).history
    assert np.isfinite(history).all()
    assert history.min() >= 0
    assert history.max() <= 1


def test_ddim_has_no_history():
    assert not schedulers.plan(10, "ddim").history.any()


def test_only_a_run_of_less_than_full_strength_starts_from_the_latents():
    assert schedulers.plan(10).start == 0
    plan = schedulers.plan(10, strength=0.5)
    assert plan.start == plan.alpha[0] == ALPHAS[444]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "steps 0: must be 1 to 1000"),
        ({"steps": 1001}, "steps 1001"),
        ({"steps": 5, "strength": 0}, "strength 0: must be above 0 and at most 1"),
        ({"steps": 5, "strength": 1.1}, "strength 1.1"),
        ({"steps": 5, "strength": math.nan}, "strength nan"),
        ({"steps": 5, "resample": 0}, "resample 0: must be 1 or more"),
        ({"steps": 5, "sampler": "plms"}, "unknown sampler 'plms': choose from ddim, dpm\\+\\+"),
    ],
)
def test_other_runs_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        schedulers.plan(**options)
