"""From noise to latents: the whole loop of a run as one compiled call."""

from collections.abc import Callable, Iterable

import keras
import numpy as np
from keras import ops

from recon.stable_diffusion import schedulers
from recon.stable_diffusion.schedulers import Plan


def draw_noise(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal noise, the same on every backend.

    Args:
        seed: 0 or more.
        shape: `(N, B, h, w, 4)` for a run, N being its plan's `noises`.

    Returns:
        float32, of that shape.
    """
    return np.random.default_rng(seed).standard_normal(shape, "float32")


def guided(unconditional, conditional, guidance):
    """Classifier-free guidance: past the conditional guess, away from the unconditional one.

    Ho & Salimans, 2022, https://arxiv.org/abs/2207.12598, eq. 6, in Stable Diffusion's counting:
    u + g · (c − u), where g is the paper's 1 + w. 0 ignores the prompt, 1 is the conditional guess.
    """
    return unconditional + guidance * (conditional - unconditional)


def guided_noise(denoise, latent, negative, context, guidance):
    """The guided guess of the noise, from one call on a batch of two halves.

    One call takes less time than two; and what the network does with a latent before it looks at
    the prompt, it does once for both (`networks.denoiser`).

    Args:
        denoise: takes latents `(B, h, w, C)` and two contexts for each, `(2B, L, W)`, all of the
            first before all of the second; says the noise, `(2B, h, w, 4)`, in the same order.
        latent: `(B, h, w, C)`, seen by both halves.
        negative, context: `(B, L, W)`, embeddings of the empty or negative prompts, the first half,
            and of the prompts, the second.
        guidance: of `guided`.

    Returns:
        `(B, h, w, 4)`.
    """
    eps = denoise(latent, ops.concatenate([negative, context]))
    unconditional, conditional = ops.split(eps, 2)
    return guided(unconditional, conditional, guidance)


def keep_known(latent, known, hole, noise, alpha):
    """Put known latents back around the hole, as noisy as the rest (Lugmayr et al., 2022, eq. 8).

    Args:
        latent: `(B, h, w, C)`, as noisy as `alpha` says.
        known: `(B, h, w, C)`, the clean latents of the photos.
        hole: `(B, h, w, 1)`, 1 = to be made, 0 = known.
        noise: `(B, h, w, C)`, the same in every step: what is known goes a straight way.
        alpha: ᾱ, a number; 1 puts them back exactly.
    """
    return ops.where(hole > 0, latent, schedulers.add_noise(known, noise, alpha))


def slow_run(denoise, plan: Plan, known, hole, noise):
    """A run as a plain loop, one call of the network after the other: what `Sampler` must compute.

    Args:
        denoise: takes latents `(B, h, w, C)` and a timestep, says their noise.
        plan: N rows, of `schedulers.plan`.
        known: `(B, h, w, C)`, the photos' latents.
        hole: `(B, h, w, 1)`, 1 = to be made.
        noise: `(plan.noises, B, h, w, C)`: the first to start from and for what is known, the
            others for the ways back.

    Returns:
        float32 `(B, h, w, C)`, the known latents as they were given.
    """
    latent = schedulers.add_noise(known, noise[0], plan.start)
    latent = keep_known(latent, known, hole, noise[0], float(plan.alpha[0]))
    previous = ops.zeros_like(latent)
    for timestep, alpha, alpha_next, history, back in zip(*map(cast, plan[1:]), strict=True):
        x0 = schedulers.predicted_x0(latent, denoise(latent, timestep), alpha)
        latent = schedulers.dpm_step(latent, x0, previous, history, alpha, alpha_next)
        latent = keep_known(latent, known, hole, noise[0], alpha_next)
        if back:
            latent = schedulers.renoise(latent, noise[back], alpha, alpha_next)
        previous = x0
    return latent


@keras.saving.register_keras_serializable("recon")
class Sampler(keras.Model):
    """The loop over a plan's rows around a denoiser.

    One program serves every run of the same shapes: the rows are data, and so are the first and the
    last to be done. It holds no weights but the denoiser's, and its latents are float32 whatever
    the denoiser computes in.

    Known latents are put in place, as noisy as the rest, at the start and after every step, so that
    they end as they were given (Lugmayr et al., 2022, eq. 8). A denoiser of nine channels, trained
    to inpaint, sees the known latents beside its input; what it makes of them stays, as in
    training: the given ones, encoded with something else in the hole, would not fit at its border.

    Args:
        denoiser: a model of {"latent" `(B, h, w, 4 or 9)`, "timestep_embedding" `(B, width)`,
            "context" `(B, L, W)`} that says the noise, `(B, h, w, 4)`.
        time_width: width of its timestep embedding.
    """

    def __init__(self, denoiser: keras.Model, time_width: int = 320, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.denoiser, self.time_width = denoiser, time_width
        # Nothing to build: JAX would otherwise do a whole run, uncompiled, to find that out.
        self.built = True

    def predicted_noise(self, latent, timestep, inputs):
        """The denoiser's guess, guided where there is a negative context: `(B, h, w, 4)`."""
        seen, context = latent, inputs["context"]
        if "masked" in inputs:  # the order of the original's inpainting model
            seen = ops.concatenate([latent, inputs["hole"], inputs["masked"]], axis=-1)
        embedding = schedulers.timestep_embedding(timestep[None], self.time_width)  # (1, width)

        def denoise(seen, context):
            eps = self.denoiser(
                {
                    "latent": seen,
                    "timestep_embedding": ops.repeat(embedding, ops.shape(seen)[0], axis=0),
                    "context": context,
                },
                training=False,
            )
            return ops.cast(eps, "float32")

        if "negative" in inputs:
            eps = guided_noise(denoise, seen, inputs["negative"], context, inputs["guidance"])
        else:
            eps = denoise(seen, context)
        return ops.reshape(eps, ops.shape(latent))

    def call(self, inputs):
        """Do the rows `begin` to `end` − 1.

        Args:
            inputs: "state" `(B, h, w, 8)`, the noisy latent and the last guess of the clean one;
                a plan's arrays by their names; "begin" and "end", of its rows; "known"
                `(B, h, w, 4)`; "hole" `(B, h, w, 1)`; "noise" `(N, B, h, w, 4)`; "context"
                `(B, L, W)`; with guidance "negative", its like, and "guidance"; for a denoiser of
                nine channels "masked" `(B, h, w, 4)`.

        Returns:
            the state afterwards.
        """

        def row(number, state):
            latent, previous = state
            alpha, alpha_next = inputs["alpha"][number], inputs["alpha_next"][number]
            eps = self.predicted_noise(latent, inputs["timestep"][number], inputs)
            x0 = schedulers.predicted_x0(latent, eps, alpha)
            history = inputs["history"][number]
            latent = schedulers.dpm_step(latent, x0, previous, history, alpha, alpha_next)
            if "masked" not in inputs:
                known, hole, noise = (inputs[name] for name in ("known", "hole", "noise"))
                latent = keep_known(latent, known, hole, noise[0], alpha_next)
            back = inputs["renoise"][number]
            noisier = schedulers.renoise(latent, inputs["noise"][back], alpha, alpha_next)
            return ops.where(back > 0, noisier, latent), x0

        state = tuple(ops.split(inputs["state"], 2, axis=-1))
        return ops.concatenate(ops.fori_loop(inputs["begin"], inputs["end"], row, state), axis=-1)

    def run(
        self,
        plan: Plan,
        known: np.ndarray,
        hole: np.ndarray,
        context: np.ndarray,
        noise: np.ndarray,
        *,
        progress: Callable[[range], Iterable[int]] | None = None,
        **options,
    ) -> np.ndarray:
        """Sample.

        Args:
            plan, known, hole, context, noise, options: as of `prepare`.
            progress: goes through the rows as a bar does; each is then a call of its own, with the
                same result. Without it the run is one call.

        Returns:
            float32 `(B, h, w, 4)`: latents, the known ones exactly as given, unless the denoiser
            is one of nine channels.

        Raises:
            ValueError: arrays that do not fit together, or guidance that is none.
        """
        inputs = prepare(plan, known, hole, context, noise, **options)
        rows = range(len(plan.timestep))
        chunks = ((row, row + 1) for row in progress(rows)) if progress else [(0, len(rows))]
        for begin, end in chunks:
            inputs |= {"begin": np.int32(begin), "end": np.int32(end)}
            inputs["state"] = self.predict_on_batch(inputs)
        latent, _ = np.split(inputs["state"], 2, axis=-1)
        return latent

    def get_config(self):
        config = super().get_config()
        denoiser = keras.saving.serialize_keras_object(self.denoiser)
        return {**config, "denoiser": denoiser, "time_width": self.time_width}

    @classmethod
    def from_config(cls, config):
        from recon.stable_diffusion import networks  # noqa: F401 (registers a denoiser's layers)

        denoiser = keras.saving.deserialize_keras_object(config.pop("denoiser"))
        return cls(denoiser, **config)


def prepare(
    plan: Plan,
    known: np.ndarray,
    hole: np.ndarray,
    context: np.ndarray,
    noise: np.ndarray,
    *,
    negative: np.ndarray | None = None,
    guidance: float = 7.5,
    masked: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """What `Sampler.call` takes, to do the whole of a run.

    Args:
        plan: of `schedulers.plan`.
        known: `(B, h, w, 4)`, the photos' latents. What they hold in the hole counts only for a
            plan of strength below 1.
        hole: `(B, h, w, 1)`, 1 = to be made, 0 = known.
        context: `(B, L, W)`, the prompts' embeddings.
        noise: `(N, B, h, w, 4)` of `draw_noise`: the first starts the run and makes the known
            latents noisy, the others are for the ways back; N is the plan's `noises` or more.
        negative: `(B, L, W)`, embeddings of empty or negative prompts; neither needed nor computed
            with at guidance 1.
        guidance: 0 or more.
        masked: `(B, h, w, 4)`, latents of the photos with their holes blank, for a denoiser of
            nine channels alone.

    Raises:
        ValueError: arrays that do not fit together, or guidance that is none.
    """
    inputs = {"known": known, "hole": hole, "context": context, "noise": noise}
    if masked is not None:
        inputs["masked"] = masked
    if guidance != 1:
        inputs |= {"negative": negative, "guidance": guidance}
    check(plan, inputs)
    inputs = {name: np.asarray(x, "float32") for name, x in inputs.items()}
    inputs |= {name: cast(x) for name, x in plan._asdict().items() if name != "start"}
    ends = {"begin": np.int32(0), "end": np.int32(len(plan.timestep))}
    return inputs | ends | {"state": start(plan, inputs)}


def cast(table: np.ndarray) -> np.ndarray:
    """Plans are exact; programs count in 32 bits."""
    return table.astype("int32" if table.dtype.kind == "i" else "float32")


def start(plan: Plan, inputs: dict) -> np.ndarray:
    """The state before the first row: `(B, h, w, 8)`; there is no guess of the clean latent yet."""
    known, noise = inputs["known"], inputs["noise"][0]
    latent = schedulers.add_noise(known, noise, plan.start)
    if "masked" not in inputs:
        latent = keep_known(latent, known, inputs["hole"], noise, np.float32(plan.alpha[0]))
    latent = ops.convert_to_numpy(latent)
    return np.concatenate([latent, np.zeros_like(latent)], axis=-1)


def check(plan: Plan, inputs: dict) -> None:
    """Refuse what does not fit together, before anything is compiled.

    Raises:
        ValueError: says which array, and what shape it should have.
    """
    guidance = inputs.get("guidance", 1)
    if not (np.isfinite(guidance) and guidance >= 0):
        raise ValueError(f"guidance {guidance}: must be a number, 0 or more")
    if guidance != 1 and inputs["negative"] is None:
        raise ValueError(f"guidance {guidance} needs a negative context; only guidance 1 has none")
    shape = np.shape(inputs["known"])
    if len(shape) != 4:
        raise ValueError(f"known: shape {shape}, must be (B, h, w, C)")
    context = np.shape(inputs["context"])
    if len(context) != 3 or context[0] != shape[0]:
        raise ValueError(f"context: shape {context}, must be ({shape[0]}, L, W)")
    expected = {"hole": (*shape[:3], 1), "masked": shape, "negative": context}
    for name in expected.keys() & inputs.keys():
        if np.shape(inputs[name]) != expected[name]:
            raise ValueError(f"{name}: shape {np.shape(inputs[name])}, must be {expected[name]}")
    noise = np.shape(inputs["noise"])
    if noise[1:] != shape or noise[0] < plan.noises:
        wanted = ", ".join(map(str, (plan.noises, *shape)))
        raise ValueError(f"noise: shape {noise}, must be ({wanted}), or more of the first")
    if "masked" in inputs and plan.noises > 1:
        raise ValueError("a denoiser of nine channels knows its surroundings: resample must be 1")
