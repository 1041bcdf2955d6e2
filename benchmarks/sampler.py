"""`python -m benchmarks.sampler`: a run of the sampler beside KerasCV's loop.

KerasCV samples in Python, with two calls of the denoiser a step, one for each half of the guidance;
`recon.stable_diffusion.sampler` does a whole run in one compiled call, and what comes before the
prompt once for both halves. The same small denoiser with random weights, the same noise and steps;
runs alternate in one process, so that all see the same machine. KerasCV's loop runs twice: with the
blocks as KerasCV has them ("kerascv"), and with recon's faster normalisation of groups ("loop").
Keras decides how to compile all: TensorFlow on a CPU without XLA, everything else with.
"""

import math

from benchmarks import measure

SIZE, GUIDANCE = 64, 7.5
BATCHES = (1, 4)


def needs() -> str | None:
    """Nothing that recon does not need itself."""
    return None


def data(count: int, plan) -> dict:
    """Contexts and noise at random, and latents that are all hole: KerasCV knows no other."""
    import numpy as np

    from recon.stable_diffusion import networks, sampler

    layout = networks.SMALL
    side = SIZE // layout.factor
    generator = np.random.default_rng(0)
    prompts = (count, layout.length, layout.text_width)
    return {
        "known": np.zeros((count, side, side, 4), "float32"),
        "hole": np.ones((count, side, side, 1), "float32"),
        "context": generator.standard_normal(prompts, "float32"),
        "negative": generator.standard_normal(prompts, "float32"),
        "noise": sampler.draw_noise(0, (plan.noises, count, side, side, 4)),
    }


def kerascv_run(denoiser, plan, width: int, given: dict):
    """The loop of KerasCV 0.9.0's `StableDiffusion.generate_image`, its progress bar left out."""
    from keras import ops

    latent = given["noise"][0]
    for timestep, alpha, alpha_next in zip(plan.timestep, plan.alpha, plan.alpha_next, strict=True):
        frequencies = ops.exp(
            -math.log(10000) * ops.cast(ops.arange(0, width // 2), "float32") / (width // 2)
        )
        angle = ops.convert_to_tensor([timestep], dtype="float32") * frequencies
        embedding = ops.reshape(ops.concatenate([ops.cos(angle), ops.sin(angle)], 0), [1, -1])
        inputs = {
            "latent": latent,
            "timestep_embedding": ops.repeat(embedding, len(latent), axis=0),
        }
        unconditional = denoiser.predict_on_batch({**inputs, "context": given["negative"]})
        conditional = denoiser.predict_on_batch({**inputs, "context": given["context"]})
        eps = ops.array(unconditional + GUIDANCE * (conditional - unconditional))
        x0 = (latent - math.sqrt(1 - alpha) * eps) / math.sqrt(alpha)
        latent = ops.array(eps) * math.sqrt(1 - alpha_next) + math.sqrt(alpha_next) * x0
    return ops.convert_to_numpy(latent)


def with_keras_normalisation(denoiser):
    """Have a denoiser normalise groups with Keras's layer, as KerasCV's blocks do."""
    import keras

    from recon.stable_diffusion import kerascv

    for layer in denoiser._flatten_layers():
        if isinstance(layer, kerascv.GroupNormalization):
            layer.__class__ = keras.layers.GroupNormalization
    return denoiser


def compare(denoiser, theirs, plan, count: int, repeats: int) -> dict:
    """All ways at one batch size: medians of the seconds for one photo."""
    import numpy as np

    from recon.stable_diffusion import networks, sampler

    width, given = networks.SMALL.time_width, data(count, plan)
    ours = sampler.Sampler(denoiser, width)
    functions = {
        "recon": lambda: ours.run(plan, **given, guidance=GUIDANCE),
        "loop": lambda: kerascv_run(denoiser, plan, width, given),
        "kerascv": lambda: kerascv_run(theirs, plan, width, given),
    }
    taken = measure.alternate(functions, repeats, warm=1)
    row = {"batch": count}
    for name, pairs in taken.items():
        seconds, cpu = (value / count for value in measure.median(pairs))
        row |= {f"{name}_seconds": seconds, f"{name}_cpu_seconds": cpu}
    for name in ("loop", "kerascv"):
        row[f"faster_than_{name}"] = row[f"{name}_seconds"] / row["recon_seconds"]
        row[f"fewer_cpu_seconds_than_{name}"] = (
            row[f"{name}_cpu_seconds"] / row["recon_cpu_seconds"]
        )
    own, *others = [function() for function in functions.values()]
    row["largest_difference"] = max(float(np.abs(own - x).max()) for x in others)  # of latents
    return row


def compare_batches(steps: int, repeats: int) -> dict:
    """Compare at every batch size, and say what ran."""
    import keras

    from recon.stable_diffusion import networks, schedulers

    keras.utils.set_random_seed(0)
    denoiser = networks.denoiser(networks.SMALL, SIZE)
    theirs = with_keras_normalisation(networks.denoiser(networks.SMALL, SIZE))
    theirs.set_weights(denoiser.get_weights())
    plan = schedulers.plan(steps)
    result = {"size": SIZE, "weights": denoiser.count_params(), "steps": steps, "runs": []}
    for count in BATCHES:
        row = compare(denoiser, theirs, plan, count, repeats)
        result["runs"].append(row)
        print(
            f"batch {count}, {steps} steps: recon {row['recon_seconds']:.3f} s a photo, KerasCV's "
            f"loop {row['kerascv_seconds']:.3f} s: {row['faster_than_kerascv']:.2f} times faster "
            f"({row['fewer_cpu_seconds_than_kerascv']:.2f} in CPU-seconds); around recon's network "
            f"{row['loop_seconds']:.3f} s: {row['faster_than_loop']:.2f} times faster "
            f"({row['fewer_cpu_seconds_than_loop']:.2f}); latents differ by "
            f"{row['largest_difference']:.1e} at most",
            flush=True,
        )
    return result | {"repeats": repeats} | measure.machine()


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table."""
    return [
        (
            f"sampling {row['batch']} at once with the small denoiser: speed over KerasCV's loop",
            f"{row['faster_than_kerascv']:.1f} × ({row['faster_than_loop']:.1f} × where the loop "
            "gets recon's network)",
            "KerasCV 0.9.0",
            "python -m benchmarks.sampler",
        )
        for row in result["runs"]
    ]


def main() -> None:
    """Compare; keep the figures."""
    parser = measure.parser(__doc__, repeats=7)
    parser.add_argument("--steps", type=int, default=25)
    options = parser.parse_args()
    measure.write("sampler", compare_batches(options.steps, options.repeats), options.out)


if __name__ == "__main__":
    main()
