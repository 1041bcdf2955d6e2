"""How noise comes and goes: the schedule, a step of DDIM and DPM-Solver++, the plan of a run.

Everywhere `alpha` is ᾱ (alpha bar), the cumulative product: a noisy latent is
√ᾱ · latent + √(1 − ᾱ) · noise. ᾱ falls from 1, no noise, to almost 0, almost nothing else.
"""

from typing import NamedTuple

import numpy as np
from keras import ops

STEPS = 1000  # of training; a run of the sampler visits some of them
SAMPLERS = ("ddim", "dpm++")


def betas() -> np.ndarray:
    """What part of the signal's power each of the 1000 steps of training turns into noise.

    Latent Diffusion's "scaled linear": the square roots are evenly spaced, 0.00085 to 0.012.
    (Rombach et al., 2022, https://github.com/CompVis/stable-diffusion)

    Returns:
        float64 `(1000,)`.
    """
    return np.linspace(np.sqrt(0.00085), np.sqrt(0.012), STEPS) ** 2


def alphas_cumprod() -> np.ndarray:
    """ᾱ of every step: what is left of the signal's power (Ho et al., 2020, section 2).

    Returns:
        float64 `(1000,)`, from 0.99915 falling to 0.00466.
    """
    return np.cumprod(1 - betas())


def timesteps(steps: int, strength: float = 1.0) -> np.ndarray:
    """The steps of training that a run visits, the noisiest first.

    They are spaced as in KerasCV: evenly, both ends among them. A single step is 999: a run of
    full strength starts from noise. (KerasCV's single step is 0, where it expects none.)

    Args:
        steps: how many a run of full strength takes, 1 to 1000.
        strength: in (0, 1]; below 1 only the last `round(strength · steps)` are taken, at least
            one, so that what stood in the hole shines through.

    Returns:
        int32 `(T,)`, falling.

    Raises:
        ValueError: there is no such run.
    """
    if not 1 <= steps <= STEPS:
        raise ValueError(f"steps {steps}: must be 1 to {STEPS}")
    if not 0 < strength <= 1:
        raise ValueError(f"strength {strength}: must be above 0 and at most 1")
    rising = np.linspace(0, STEPS - 1, steps) if steps > 1 else np.array([STEPS - 1])
    visited = rising.round().astype("int32")[::-1]
    return visited[-max(1, round(strength * steps)) :]


def add_noise(latent, noise, alpha):
    """√ᾱ · latent + √(1 − ᾱ) · noise (Ho et al., 2020, eq. 4).

    Args:
        latent, noise: `(B, h, w, C)`.
        alpha: in [0, 1], a number or `(B, 1, 1, 1)`; 1 gives the latent back exactly.
    """
    return ops.sqrt(alpha) * latent + ops.sqrt(1 - alpha) * noise


def renoise(latent, noise, alpha, alpha_next):
    """Back from the cleaner ᾱ of the next step to the present one (RePaint, Algorithm 1, line 10).

    The signal left falls by the factor ᾱ/ᾱ', which is what `add_noise` does to a clean latent.

    Args:
        latent: `(B, h, w, C)`, as noisy as `alpha_next` says.
        noise: `(B, h, w, C)`, fresh.
        alpha, alpha_next: numbers, `alpha` the smaller.
    """
    return add_noise(latent, noise, alpha / alpha_next)


def predicted_x0(latent, eps, alpha):
    """The clean latent, if the noise in it is `eps`: `add_noise` solved for it (DDIM, eq. 9).

    Args:
        latent, eps: `(B, h, w, C)`, the noisy latent and the network's guess of its noise.
        alpha: in (0, 1].
    """
    return (latent - ops.sqrt(1 - alpha) * eps) / ops.sqrt(alpha)


def ddim_step(latent, x0, alpha, alpha_next):
    """One step without new noise (η = 0): the same x0 and the same noise, mixed anew (DDIM eq. 12).

    https://arxiv.org/abs/2010.02502

    Args:
        latent: `(B, h, w, C)`, as noisy as `alpha` says.
        x0: `(B, h, w, C)`, the clean latent that the step aims at.
        alpha, alpha_next: ᾱ now, in (0, 1), and afterwards, up to 1.
    """
    eps = (latent - ops.sqrt(alpha) * x0) / ops.sqrt(1 - alpha)
    return add_noise(x0, eps, alpha_next)


def dpm_step(latent, x0, previous, history, alpha, alpha_next):
    """DPM-Solver++(2M): a DDIM step that aims where x0 is moving to (Lu et al., 2022, Algorithm 2).

    The paper's D = (1 + 1/2r) x0 − 1/2r · previous continues the line through the last two guesses;
    its update of the latent with D is DDIM's. https://arxiv.org/abs/2211.01095

    Args:
        latent, x0, alpha, alpha_next: as in `ddim_step`.
        previous: `(B, h, w, C)`, the x0 of the step before.
        history: 1/2r of `history_weights`; 0 is a step of first order, DDIM's.
    """
    return ddim_step(latent, x0 + history * (x0 - previous), alpha, alpha_next)


def history_weights(alpha, alpha_next, restarts) -> np.ndarray:
    """1/2r of every step: half of its length over that of the step before, in log-SNR.

    A step of first order has 0. Such are restarts; a step to ᾱ = 1, which is infinitely long (as
    in diffusers); and steps more than twice as long as the one before, which would go further than
    two guesses can tell. Evenly spaced timesteps end with one, from the last but one to 0: with it
    of second order, ten steps miss the exact answer for a mixture of two Gaussians three times as
    far as DDIM's.

    Args:
        alpha, alpha_next: `(N,)`, ᾱ before and after every step.
        restarts: bool `(N,)`: steps that have no step before them, the first among them.

    Returns:
        float64 `(N,)` in [0, 1].
    """
    last = alpha_next == 1
    finite = np.where(last, alpha, alpha_next)
    # λ = log(√ᾱ / √(1 − ᾱ)) is half the log-odds of ᾱ.
    before, after = ((np.log(a) - np.log1p(-a)) / 2 for a in (alpha, finite))
    length = after - before  # (N,), the paper's h
    history = np.zeros(len(alpha))
    second_order = np.flatnonzero(~(restarts | last))
    history[second_order] = length[second_order] / (2 * length[second_order - 1])
    return np.where(history <= 1, history, 0)


def timestep_embedding(timestep, width: int = 320, max_period: float = 10000):
    """Cosines, then sines, of the timestep at falling frequencies, as in the original and KerasCV.

    Args:
        timestep: `(B,)`, 0 to 999.
        width: an even number.
        max_period: 2π times this is the longest period, in steps.

    Returns:
        float32 `(B, width)`.

    Raises:
        ValueError: an odd width.
    """
    if width % 2:
        raise ValueError(f"width {width}: must be even, half of it cosines and half sines")
    # From NumPy, so that the frequencies have the same bits on every backend.
    frequencies = np.exp(-np.log(max_period) * np.arange(width // 2) / (width // 2))
    angle = ops.cast(timestep, "float32")[:, None] * frequencies.astype("float32")
    return ops.concatenate([ops.cos(angle), ops.sin(angle)], axis=-1)


class Plan(NamedTuple):
    """A run of the sampler: one row for every call of the network, and how the hole starts."""

    start: float  # ᾱ of the hole at the start: 0 is nothing but noise
    timestep: np.ndarray  # (N,) int32: what the network is told
    alpha: np.ndarray  # (N,) float64: ᾱ of the latent that it sees
    alpha_next: np.ndarray  # (N,): ᾱ that the row steps to; the last is 1
    history: np.ndarray  # (N,): of `dpm_step`
    renoise: np.ndarray  # (N,) int32: which noise takes the latent back to `alpha`; 0: none does

    @property
    def noises(self) -> int:
        """How many arrays of noise the run needs: one to start from, one for every way back."""
        return 1 + int(np.count_nonzero(self.renoise))


def plan(steps: int, sampler: str = "ddim", strength: float = 1.0, resample: int = 1) -> Plan:
    """Write down a run, call by call.

    Args:
        steps: of a run of full strength, 1 to 1000.
        sampler: "ddim" or "dpm++".
        strength: in (0, 1]; at 1 the hole starts from noise alone, below from its own latents with
            noise of the first step added.
        resample: how often each step is done, RePaint's U (Lugmayr et al., 2022, Algorithm 1):
            after all but the last time the latent goes back to where it was, by fresh noise, and
            hole and surroundings get to agree. The last step is done once, as in the paper.
            https://arxiv.org/abs/2201.09865

    Raises:
        ValueError: there is no such run.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"unknown sampler {sampler!r}: choose from {', '.join(SAMPLERS)}")
    if resample < 1:
        raise ValueError(f"resample {resample}: must be 1 or more")
    visited = timesteps(steps, strength)
    times = np.full(len(visited), resample)
    times[-1] = 1
    timestep = np.repeat(visited, times)
    ends = np.cumsum(times) - 1  # row of each step's last time
    goes_back = np.ones(len(timestep), bool)
    goes_back[ends] = False
    alphas = alphas_cumprod()[visited]
    alpha, alpha_next = np.repeat(alphas, times), np.repeat(np.append(alphas[1:], 1.0), times)
    # A guess from before the way back is of a latent that is gone.
    restarts = np.append(True, goes_back[:-1])
    history = history_weights(alpha, alpha_next, restarts)
    return Plan(
        start=0.0 if strength == 1 else float(alphas[0]),
        timestep=timestep,
        alpha=alpha,
        alpha_next=alpha_next,
        history=history if sampler == "dpm++" else np.zeros_like(history),
        renoise=np.where(goes_back, np.cumsum(goes_back), 0).astype("int32"),
    )
