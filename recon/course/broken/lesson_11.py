"""Lesson 11's wrong functions, and the check that catches them."""

import numpy as np
from keras import ops

from recon.stable_diffusion import schedulers
from recon.stable_diffusion.sampler import cast, keep_known


def lost_way_back(denoise, plan, known, hole, noise):
    """A run of DDIM, with RePaint's ways back: as KerasCV's inpainting once did it."""
    latent = schedulers.add_noise(known, noise[0], plan.start)
    latent = keep_known(latent, known, hole, noise[0], float(plan.alpha[0]))
    for timestep, alpha, alpha_next, _, back in zip(*map(cast, plan[1:]), strict=True):
        x0 = schedulers.predicted_x0(latent, denoise(latent, timestep), alpha)
        latent = schedulers.ddim_step(latent, x0, alpha, alpha_next)
        latent = keep_known(latent, known, hole, noise[0], alpha_next)
        if back:
            noisier = schedulers.renoise(latent, noise[back], alpha, alpha_next)
            known = keep_known(noisier, known, hole, noise[0], 1.0)
    return latent


def stale_way_back(denoise, plan, known, hole, noise):
    """A run of DDIM, with ways back by the noise that it began with."""
    latent = schedulers.add_noise(known, noise[0], plan.start)
    latent = keep_known(latent, known, hole, noise[0], float(plan.alpha[0]))
    for timestep, alpha, alpha_next, _, back in zip(*map(cast, plan[1:]), strict=True):
        x0 = schedulers.predicted_x0(latent, denoise(latent, timestep), alpha)
        latent = schedulers.ddim_step(latent, x0, alpha, alpha_next)
        latent = keep_known(latent, known, hole, noise[0], alpha_next)
        if back:
            latent = schedulers.renoise(latent, noise[0], alpha, alpha_next)
    return latent


def long_way_back(denoise, plan, known, hole, noise):
    """A run of DDIM, with ways back that take a latent for clean which is noisy already."""
    latent = schedulers.add_noise(known, noise[0], plan.start)
    latent = keep_known(latent, known, hole, noise[0], float(plan.alpha[0]))
    for timestep, alpha, alpha_next, _, back in zip(*map(cast, plan[1:]), strict=True):
        x0 = schedulers.predicted_x0(latent, denoise(latent, timestep), alpha)
        latent = schedulers.ddim_step(latent, x0, alpha, alpha_next)
        latent = keep_known(latent, known, hole, noise[0], alpha_next)
        if back:
            latent = schedulers.add_noise(latent, noise[back], alpha)
    return latent


def catch_lost_way_back(run):
    """Raise an AssertionError where the network does not see the latent that went back.

    Args:
        run: takes denoise, plan, known, hole and noise, as `sampler.slow_run` does, and gives the
            latents. It may be right or wrong.
    """
    plan = schedulers.plan(3, resample=2)  # the step at 999, again, and three rows more
    noise = np.random.default_rng(0).standard_normal((plan.noises, 1, 2, 2, 4), "float32")
    known, hole = np.zeros((1, 2, 2, 4), "float32"), np.ones((1, 2, 2, 1), "float32")
    seen = []

    def denoise(latent, timestep):
        seen.append(ops.convert_to_numpy(latent))
        return 0 * latent

    run(denoise, plan, known, hole, noise)
    # Where there is no noise to take away, there and back is nothing but the fresh noise.
    fresh = np.sqrt(1 - plan.alpha[0] / plan.alpha_next[0]) * noise[plan.renoise[0]]
    assert np.allclose(seen[1], seen[0] + fresh, atol=1e-3), "it went back to somewhere else"
