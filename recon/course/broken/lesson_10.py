"""Lesson 10's wrong functions, and the check that catches them."""

import numpy as np


def without_roots(latent, noise, alpha):
    """Blend a latent with noise: ᾱ · latent + (1 − ᾱ) · noise."""
    return alpha * latent + (1 - alpha) * noise


def all_of_the_latent(latent, noise, alpha):
    """Put noise on top of a latent that stays as it is."""
    return latent + (1 - alpha) ** 0.5 * noise


def one_root_missing(latent, noise, alpha):
    """Blend a latent with noise: √ᾱ · latent + (1 − ᾱ) · noise."""
    return alpha**0.5 * latent + (1 - alpha) * noise


def catch_lost_power(add_noise):
    """Raise an AssertionError where a noisy latent is not as strong as latent and noise are.

    Args:
        add_noise: takes latent and noise `(B, h, w, C)` and a number ᾱ in [0, 1], and gives the
            noisy latent. It may be right or wrong.
    """
    generator = np.random.default_rng(0)
    latent, noise = generator.standard_normal((2, 1, 64, 64, 4), "float32")
    for alpha in (0.9, 0.5, 0.1):
        strength = np.std(np.asarray(add_noise(latent, noise, alpha)))
        assert abs(strength - 1) < 0.03, f"standard deviation {strength:.2f} at ᾱ = {alpha}"
