"""`python -m benchmarks.pix2pix`: a training step of pix2pix-256 beside eager PyTorch's.

The paper's U-Net and 70×70 PatchGAN, the same losses and Adam (`benchmarks.peers`), on the same
batches from the real pipeline; float32 and bfloat16, batch 1 and 4, all in turns. What is compared
is CPU-seconds. PyTorch runs as it comes, and once more with Adam's kernels fused, which it can but
does not by default. Needs PyTorch: `pip install -e ".[bench]"`.

Where a step of four photos goes, in float32 (`tf.profiler`; 8.1 seconds of two threads on a busy
machine): 77 % oneDNN's convolutions, of which there are 31 forward, 28 for what comes in and 26 for
kernels, as in PyTorch; 20 % whatever goes number by number, normalisation and Adam above all. What
was tried:

- Normalisation of one photo as mean and variance by axes, or as two sums, instead of Keras's
  `GroupNormalization`: 4.41 to 4.43 CPU-seconds where Keras's takes 4.41, and PyTorch 4.41.
- Adam in one pass through memory (`recon.fitting.Adam`, TensorFlow's `ResourceApplyAdam`), as
  PyTorch's fused one: alone 0.03 CPU-seconds for 31 million weights where Keras's operations take
  0.11. On the machine of results/pix2pix.json at rest the ratios went from 1.00 to 0.86 with one
  photo and from 1.03 to 1.02 with four, in bfloat16 from 0.94 to 0.69 and from 1.01 to 0.96.
- The judge looks at a fake twice, once for each player, with the same numbers forward: 5 of the 31
  convolutions. TensorFlow finds that out by itself where both looks take its weights from one
  reading of them (`recon.models.adversarial.read_once`): with four photos 1.97 CPU-seconds in user
  mode, not 2.10. (XLA finds it out anyway.)
- Kernels of 4×4×1024×512 numbers are larger than the 32 MB from which glibc gives memory back at
  once: 50,000 to 120,000 pages a step were fetched anew, by PyTorch too. With memory kept
  (`recon.memory`) nearly none are: 0.64 and 2.0 CPU-seconds with one photo and with four, where it
  had been 0.72 and 2.15, and for PyTorch 0.79 and 2.2 where it had been 0.90 and 2.5 (each in a
  process of its own). Here memory is kept for both.
"""

import itertools
import os

from benchmarks import measure
from recon import memory

BATCHES = (1, 4)
GOALS = {("float32", 1): 1.05, ("float32", 4): 0.95, ("bfloat16", 1): 1.05, ("bfloat16", 4): 1.05}
GAIN = 1.6  # float32 over bfloat16, where the CPU has AMX
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
KEPT = 3  # batches that the steps take in turns


def needs() -> str | None:
    """PyTorch."""
    return measure.missing("torch")


def batches(data: str, size: int, count: int) -> list[tuple]:
    """Some batches of `recon.train`'s pipeline: masked, mask and photo, in NumPy."""
    import keras

    from recon.data import catalog, pipeline

    table = catalog.split_of(catalog.load(data, 0), "train").head(KEPT * max(count, 4))
    dataset = pipeline.training(table, size, count, KEPT)
    return [
        tuple(keras.ops.convert_to_numpy(x) for x in (inputs["masked"], inputs["mask"], photo))
        for inputs, photo in itertools.islice(dataset, KEPT)
    ]


def keras_step(size: int, precision: str, given: list[tuple]):
    """A function that trains a step, compiled as `recon.train` does, on the next batch."""
    import keras
    from keras import ops

    from recon import train

    policy = POLICIES[precision]
    keras.mixed_precision.set_dtype_policy(policy)
    settings = train.Settings(model="pix2pix", data="safari", size=size, precision=policy)
    model = train.compiled(train.resolve(settings), 1000)
    keras.mixed_precision.set_dtype_policy("float32")
    upcoming = itertools.cycle(
        [tuple(ops.convert_to_tensor(array) for array in batch) for batch in given]
    )

    def step() -> float:
        masked, mask, photo = next(upcoming)
        return float(model.train_on_batch({"masked": masked, "mask": mask}, photo)[0])

    return step


def torch_step(size: int, precision: str, given: list[tuple], **adam):
    """The same in eager PyTorch."""
    import torch

    from benchmarks import peers

    model = peers.pix2pix(size)
    autocast = torch.bfloat16 if precision == "bfloat16" else None
    step = peers.training_step(model, peers.adam(model, 2e-4, 0.5, **adam), autocast)
    upcoming = itertools.cycle([tuple(map(peers.tensor, batch)) for batch in given])
    return lambda: step(*next(upcoming))


def compare(data: str, size: int, counts: tuple[int, ...], threads: int, repeats: int) -> dict:
    """Compare at every batch size, and say what ran."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    result = {"size": size, "steps": [], "amx": measure.cpu_has("amx_bf16")}
    result["avx512_bf16"] = measure.cpu_has("avx512_bf16")
    for count in counts:
        given = batches(data, size, count)
        functions = {}
        for precision in POLICIES:
            functions[precision, "recon"] = keras_step(size, precision, given)
            functions[precision, "torch"] = torch_step(size, precision, given)
            functions[precision, "torch_fused"] = torch_step(size, precision, given, fused=True)
        taken = measure.alternate(functions, repeats)
        for precision in POLICIES:
            cpu = {
                who: measure.median(taken[precision, who])[1]
                for who in ("recon", "torch", "torch_fused")
            }
            row = {"batch": count, "precision": precision, "cpu_seconds": cpu["recon"]}
            row |= {f"{who}_cpu_seconds": cpu[who] for who in ("torch", "torch_fused")}
            row |= {
                "seconds": measure.median(taken[precision, "recon"])[0],
                "torch_seconds": measure.median(taken[precision, "torch"])[0],
                "ratio": cpu["recon"] / cpu["torch"],
                "ratio_to_fused": cpu["recon"] / cpu["torch_fused"],
            }
            result["steps"].append(row)
            print(
                f"{size}×{size}, batch {count}, {precision}: recon {cpu['recon']:.3f}, PyTorch "
                f"{cpu['torch']:.3f} CPU-seconds a step, ratio {row['ratio']:.2f}; with fused "
                f"Adam {cpu['torch_fused']:.3f}, ratio {row['ratio_to_fused']:.2f}",
                flush=True,
            )
        print(f"batch {count}: bfloat16 is {gain(result, count):.2f} times as fast as float32")
    more = {"data": data, "threads": threads, "repeats": repeats}
    return result | more | measure.machine("torch")


def gain(result: dict, count: int) -> float:
    """How many times as fast bfloat16 is as float32, at a batch size."""
    cpu = {r["precision"]: r["cpu_seconds"] for r in result["steps"] if r["batch"] == count}
    return cpu["float32"] / cpu["bfloat16"]


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table."""
    lines, command = [], measure.command("pix2pix", result["data"])
    for row in result["steps"]:
        key = row["precision"], row["batch"]
        lines.append(
            (
                f"pix2pix-{result['size']} step, {key[0]}, batch {key[1]}: CPU-seconds over eager "
                "PyTorch's",
                f"{row['ratio']:.2f} ({row['ratio_to_fused']:.2f} with its Adam fused)",
                f"≤ {GOALS[key]:.2f}",
                command,
            )
        )
    for count in sorted({row["batch"] for row in result["steps"]}):
        lines.append(
            (
                f"pix2pix-{result['size']} step, batch {count}: bfloat16's speed over float32's, "
                + ("with AMX" if result["amx"] else "without AMX"),
                f"{gain(result, count):.2f} ×",
                f"≥ {GAIN} ×" + ("" if result["amx"] else " where there is AMX"),
                command,
            )
        )
    return lines


def main() -> None:
    """Set the threads before either library starts; compare; keep the figures."""
    parser = measure.parser(__doc__, repeats=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", default="safari", help="safari, or a folder of photos")
    parser.add_argument("--size", type=int, default=256, choices=(128, 256, 512))
    parser.add_argument("--batch", type=int, nargs="+", default=BATCHES)
    options = parser.parse_args()
    measure.threads(options.threads)
    memory.keep()  # as recon.train does
    given = options.data, options.size, tuple(options.batch)
    measure.write("pix2pix", compare(*given, options.threads, options.repeats), options.out)


if __name__ == "__main__":
    main()
