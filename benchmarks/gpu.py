"""`python -m benchmarks.gpu`: what one GPU makes of pix2pix-256, JAX beside PyTorch.

Parts, each for itself (`--parts`); one that fails is told and leaves the others:

- `step`: photos a second of the compiled training step, in mixed_bfloat16, at batches that double
  until no more is gained; its share of the chip's dense bfloat16 rate, with the operations counted
  by hand from the layers (`benchmarks.gpu_work`) and, beside, by XLA in the compiled step; and in
  turns with it the same step of PyTorch: channels_last, autocast, torch.compile, fused Adam.
  Batches lie on the device. Goal: PyTorch's seconds over ours, 1 or more.
- `training`: the report's whole training, 5,600 photos for 50 epochs at 256×256, from files to
  weights by `fit` (`benchmarks.gpu_training`). Goal: under 3 minutes.
- `kernels`: where a step's time goes: its longest kernels, and PyTorch's.
- `variants`: the same asked otherwise: what a step takes without this or that.
- `tests`: `pytest -m gpu`.
- `unet`: trains the U-Net that wins the score, and compares it with the harmonic fill on real
  photos; not unless asked for (`--weights`).

`--tiny` runs all of it through on a CPU in seconds: then the figures mean nothing.

Neither TensorFlow nor a network is needed. For a machine that has a GPU, JAX and PyTorch for it,
and no way to fetch anything, `benchmarks.carry` packs the rest:

    python -m benchmarks.carry --data ../shared/animals     # here, into build/carry

    # there, in the repository's root, with build/carry; a part or two a call where time is short
    python3 -m pip install -q --no-index --no-deps --target /tmp/site build/carry/wheels/*.whl &&
    export PYTHONPATH=/tmp/site JAX_COMPILATION_CACHE_DIR=/tmp/jax &&
    python3 -m benchmarks.gpu --data build/carry/photos --parts step training --out gpu.json

JAX_COMPILATION_CACHE_DIR keeps what was compiled and how kernels were tuned, from one call to the
next. Without it, on an H100, the first compilation of pix2pix-256 went on for more than a minute
without an end, tuning most likely; with it, it took eight seconds: let `step` run before
`training`. PyTorch compiles besides, once for every batch size; `variants` compiles seven networks.
`unet` takes three minutes, and `tests`, with eight workers beside six trainings, did not end in
five.
"""

import gc
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import gpu_training, gpu_work, measure

PARTS = ("step", "training", "kernels", "variants", "tests", "unet")
TESTS = ("tests/models/test_every_model.py", "tests/course/test_gpu.py")
MATRIX = r"gemm|conv|xmma|wgrad|dgrad|fprop|nvjet|cutlass|cudnn"  # names of kernels, in any case
LAYOUT = r"nchwtonhwc|nhwctonchw|transpose|memcpy|copy"


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    size: int = 256
    filters: int = 64
    widest: int = 512
    judge_filters: int = 64
    batches: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)
    seconds: float = 2.0  # of each call that is timed
    most: int = 1000  # steps in it, at most
    photos: int = 5600
    epochs: int = 50


FULL = Scale()
TINY = Scale(32, 4, 8, 4, (2,), 0.05, 2, 12, 2)


def needs() -> str | None:
    """Why this machine cannot measure it."""
    if missing := measure.missing("jax", "torch"):
        return missing
    import jax

    if jax.default_backend() == "cpu":
        return "needs a GPU that JAX works on; `--tiny` runs it through without one"
    return None


# The training step, ours and PyTorch's ---------------------------------------------------------


def photos(scale: Scale, count: int) -> tuple:
    """A batch at random, two boxes each: masked, mask and photo, in NumPy."""
    import numpy as np

    from recon import boxes

    generator = np.random.default_rng(0)
    photo = generator.random((count, scale.size, scale.size, 3), "float32")
    masks = [boxes.rasterise(boxes.draw(generator, scale.size), scale.size) for _ in range(count)]
    mask = np.stack(masks)
    return photo * (1 - mask), mask, photo


def network(
    scale: Scale,
    of=None,
    precision: str = "mixed_bfloat16",
    rate: float = 2e-4,
    steps: int = 0,
    **settings,
):
    """pix2pix as `recon.train` builds it, of this scale, with its optimiser.

    Args:
        scale: how large.
        of: the class, by default `pix2pix.Pix2Pix`.
        precision: of its layers.
        rate: Adam's learning rate.
        steps: in whose second half it falls to 0; by default it stays.
        settings: of the network, others than the paper's.
    """
    import keras

    from recon import fitting
    from recon.models import pix2pix

    keras.mixed_precision.set_dtype_policy(precision)
    model = (of or pix2pix.Pix2Pix)(
        scale.size,
        scale.filters,
        scale.widest,
        scale.judge_filters,
        **{"kind": "instance"} | settings,
    )
    keras.mixed_precision.set_dtype_policy("float32")
    optimizer = fitting.optimizer("adam", rate, 0.5, 0.5 if steps else 1.0, 0.0, steps)
    model.compile(optimizer, jit_compile=True)
    seen = (("masked", 3), ("mask", 1))
    # By symbols: on arrays, each of its two hundred operations would be compiled by itself.
    model({name: keras.KerasTensor((1, scale.size, scale.size, c)) for name, c in seen})
    model.optimizer.build(model.trainable_variables)
    return model


class Compiled:
    """Keras's own training step of a model, compiled for one batch; a call trains some steps.

    That is what `fit` runs; without it, so that a batch stays on the device and nothing waits
    between two steps. The model's variables are given away.
    """

    def __init__(self, model, batch: tuple):
        import jax

        masked, mask, photo = map(jax.numpy.asarray, batch)
        self.data = {"masked": masked, "mask": mask}, photo
        variables = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        self.state = tuple([variable.value for variable in some] for some in variables)
        step = jax.jit(model.train_step, donate_argnums=0)
        start = time.perf_counter()
        self.step = step.lower(self.state, self.data).compile()
        self.compile_seconds = time.perf_counter() - start

    def __call__(self, steps: int) -> None:
        import jax

        for _ in range(steps):
            _, self.state = self.step(self.state, self.data)
        jax.block_until_ready(self.state)

    def counted(self) -> dict:
        """What XLA counted in the compiled step; where a library computes, it may count too few."""
        cost, memory = self.step.cost_analysis(), self.step.memory_analysis()
        cost = cost[0] if isinstance(cost, list) else cost or {}  # a list in older versions
        sizes = ("argument_size_in_bytes", "temp_size_in_bytes", "generated_code_size_in_bytes")
        return {
            "xla_operations": cost.get("flops"),
            "xla_bytes_accessed": cost.get("bytes accessed"),
            "bytes": sum(getattr(memory, name, 0) for name in sizes),
        }


class Peer:
    """The same step in PyTorch: channels_last, autocast, torch.compile, fused Adam."""

    def __init__(self, scale: Scale, batch: tuple):
        import torch

        from benchmarks import peers

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.backends.cudnn.benchmark = True  # looks for the fastest convolutions, as XLA does
        torch.set_float32_matmul_precision("high")  # TF32 where float32 is left, as XLA does
        torch.set_flush_denormal(True)
        model = peers.Pix2Pix(scale.size, scale.filters, scale.widest, scale.judge_filters)
        model = model.to(self.device, memory_format=torch.channels_last)
        self.model = torch.compile(model, dynamic=False, fullgraph=True)
        self.optimizer = peers.adam(model, 2e-4, 0.5, fused=self.device == "cuda")
        self.batch = [
            peers.tensor(array).to(self.device, memory_format=torch.channels_last)
            for array in batch
        ]

    def __call__(self, steps: int) -> None:
        import torch

        for _ in range(steps):
            self.optimizer.zero_grad()
            with torch.autocast(self.device, torch.bfloat16):
                loss = self.model(*self.batch)
            loss.backward()
            self.optimizer.step()
        if self.device == "cuda":
            torch.cuda.synchronize()


def released() -> None:
    """Give back what both libraries hold and no one needs: the next batch wants the memory."""
    gc.collect()
    if torch := sys.modules.get("torch"):
        torch.compiler.reset()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def pace(run: Callable[[int], None], scale: Scale) -> int:
    """How many steps take about as long as a call that is timed is meant to; warms up, too."""
    run(2)
    start = time.perf_counter()
    run(2)
    wanted = round(2 * scale.seconds / (time.perf_counter() - start))
    return min(max(wanted, 2), scale.most)


def seconds_a_step(run: Callable[[int], None], scale: Scale, repeats: int = 3) -> float:
    """The median over some calls."""
    steps = pace(run, scale)
    taken = measure.alternate({"run": lambda: run(steps)}, repeats, warm=0)
    return measure.median(taken["run"])[0] / steps


def at_batch(scale: Scale, count: int, rate: float) -> dict:
    """Our step at one batch size."""
    from recon.models import pix2pix

    run = Compiled(network(scale), photos(scale, count))
    seconds = seconds_a_step(run, scale)
    widths = pix2pix.widths(scale.size, scale.filters, scale.widest)
    operations = gpu_work.training(scale.size, widths, scale.judge_filters)
    counted = run.counted()
    row = {
        "batch": count,
        "seconds": seconds,
        "photos_per_second": count / seconds,
        "operations_per_photo": operations,
        "share_of_peak": operations * count / seconds / rate,
        "compile_seconds": run.compile_seconds,
        **counted,
    }
    if counted["xla_operations"]:
        row["xla_share_of_peak"] = counted["xla_operations"] / seconds / rate
    return row


def beside(scale: Scale, count: int, repeats: int) -> dict:
    """Ours and PyTorch's in turns, at one batch size."""
    batch = photos(scale, count)
    runs = {"recon": Compiled(network(scale), batch), "torch": Peer(scale, batch)}
    steps = max(pace(run, scale) for run in runs.values())
    functions = {name: lambda run=run: run(steps) for name, run in runs.items()}
    taken = measure.alternate(functions, repeats, warm=1)
    row = {"batch": count}
    for name, pairs in taken.items():
        row[f"{name}_seconds"] = measure.median(pairs)[0] / steps
        row[f"{name}_photos_per_second"] = count / row[f"{name}_seconds"]
    return row | {"faster_than_torch": row["torch_seconds"] / row["recon_seconds"]}


def step(scale: Scale, options) -> dict:
    """Double the batch until the chip is full; there, and one before, PyTorch beside."""
    import jax

    stated = options.peak or (1.0 if options.tiny else None)
    rate = gpu_work.peak(jax.devices()[0].device_kind, stated)
    result = {"peak": rate, "batches": [], "beside": []}
    for count in scale.batches:
        try:
            row = at_batch(scale, count, rate)
        except Exception as error:  # too large for the memory: XLA says so in many ways
            print(f"batch {count}: {str(error).splitlines()[0][:200]}", flush=True)
            break
        finally:
            released()
        result["batches"].append(row)
        print(
            f"batch {count}: {row['photos_per_second']:,.0f} photos a second, "
            f"{row['share_of_peak']:.1%} of the chip's rate, {row['bytes'] / 1e9:.1f} GB, "
            f"compiled in {row['compile_seconds']:.0f} s",
            flush=True,
        )
        speeds = [row["photos_per_second"] for row in result["batches"]]
        if len(speeds) > 2 and speeds[-1] < 1.02 * speeds[-2]:
            break
    best = max(result["batches"], key=lambda row: row["photos_per_second"])["batch"]
    for count in sorted({best // 2, best} & set(scale.batches)):
        with told(f"beside at batch {count}", result):
            row = beside(scale, count, options.repeats)
            result["beside"].append(row)
            print(
                f"batch {count}, in turns: {row['recon_photos_per_second']:,.0f} photos a second, "
                f"PyTorch {row['torch_photos_per_second']:,.0f}: "
                f"{row['faster_than_torch']:.2f} times as fast",
                flush=True,
            )
        released()
    return result


# Where the time goes ----------------------------------------------------------------------------


def networks() -> dict[str, Callable]:
    """Name -> a function that builds the network with something left out."""
    from unittest import mock

    import keras

    from recon.models import blocks, pix2pix

    def nothing(*_, **__):
        return keras.layers.Identity()

    class Alone(pix2pix.Pix2Pix):
        """Without a judge: L1 alone."""

        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            from recon import losses

            return self.l1_weight * losses.missing_l1(y, y_pred, x["mask"])

    def without_normalisation(scale):
        with mock.patch.object(blocks, "normalise", nothing):
            return network(scale, dropout=0.0)

    def convolutions(scale):
        bare = mock.patch.multiple(keras.layers, LeakyReLU=nothing, ReLU=nothing)
        with mock.patch.object(blocks, "normalise", nothing), bare:
            return network(scale, dropout=0.0)

    return {
        "all of it": network,
        "float32 (XLA's way: TF32)": lambda scale: network(scale, precision="float32"),
        "batch normalisation": lambda scale: network(scale, kind="batch"),
        "no dropout": lambda scale: network(scale, dropout=0.0),
        "no normalisation, no dropout": without_normalisation,
        "convolutions only": convolutions,
        "no judge": lambda scale: network(scale, Alone),
    }


def optimiser(scale: Scale) -> Callable[[int], None]:
    """Adam alone, on gradients that are there."""
    import jax

    model = network(scale)
    weights = [variable.value for variable in model.trainable_variables]
    state = [variable.value for variable in model.optimizer.variables]
    gradients = [1e-3 * value for value in weights]
    update = jax.jit(model.optimizer.stateless_apply, donate_argnums=(0, 2))
    held = [state, weights]

    def run(steps: int) -> None:
        state, weights = held
        for _ in range(steps):
            weights, state = update(state, gradients, weights)
        held[:] = jax.block_until_ready((state, weights))

    return run


def input_alone(scale: Scale, count: int) -> Callable[[int], None]:
    """What `feeding.Fed` does before the network: photos that lie on the device cut, mirrored,
    masked."""
    import jax
    import numpy as np

    from recon import feeding
    from recon.data import plan

    side = round(scale.size * plan.JITTER)
    resident = np.zeros((scale.photos, side, side, 3), "uint8")
    feed = feeding.Feed(scale.size, resident)
    wire = next(plan.epoch(resident, scale.size, count, 1))
    feed(wire)
    held = [variable.value for variable in feed.non_trainable_variables]
    given = jax.jit(lambda held, wire: feed.stateless_call([], held, wire)[0])

    def run(steps: int) -> None:
        for _ in range(steps):
            seen = given(held, wire)
        jax.block_until_ready(seen)

    return run


def traced(folder: Path) -> list[tuple[str, float, int]]:
    """Kernels of a trace that JAX wrote: name, milliseconds, calls; the longest first.

    On a CPU, which has no kernels, whatever its threads did.
    """
    from jax.profiler import ProfileData

    path = max(folder.rglob("*.xplane.pb"))
    planes = list(ProfileData.from_file(str(path)).planes)
    on_gpu = [line for plane in planes if "/device:GPU" in plane.name for line in plane.lines]
    streams = [line for line in on_gpu if line.name.startswith("Stream")]
    on_cpu = [line for plane in planes if "CPU" in plane.name for line in plane.lines]
    lines = streams or on_gpu or on_cpu
    total: dict[str, list] = {}
    for line in lines:
        for event in line.events:
            sums = total.setdefault(event.name, [0.0, 0])
            sums[0] += event.duration_ns / 1e6
            sums[1] += 1
    return sorted(((name, *sums) for name, sums in total.items()), key=lambda row: -row[1])


def trace(run: Callable[[int], None], steps: int) -> list[tuple[str, float, int]]:
    """Kernels of some of our steps."""
    import jax

    run(1)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run(steps)
        return traced(Path(folder))


def torch_trace(run: Callable[[int], None], steps: int) -> list[tuple[str, float, int]]:
    """Kernels of some of PyTorch's steps."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    on_gpu = torch.cuda.is_available()
    run(2)
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]) as taken:
        run(steps)
    rows = [
        (
            row.key,
            (row.self_device_time_total if on_gpu else row.self_cpu_time_total) / 1e3,
            row.count,
        )
        for row in taken.key_averages()
    ]
    return sorted(rows, key=lambda row: -row[1])


def kind_of(kernel: str) -> str:
    """Whether a kernel multiplies matrices, moves numbers about, or does something else."""
    name = kernel.lower()
    if re.search(LAYOUT, name):
        return "moves"
    return "matrices" if re.search(MATRIX, name) else "rest"


def summed(rows: list[tuple[str, float, int]], steps: int) -> dict:
    """Milliseconds a step of each kind of kernel, and of the longest kernels."""
    kinds = {"matrices": 0.0, "moves": 0.0, "rest": 0.0}
    for name, milliseconds, _ in rows:
        kinds[kind_of(name)] += milliseconds / steps
    longest = [
        {"kernel": name[:120], "ms": milliseconds / steps, "calls": calls / steps}
        for name, milliseconds, calls in rows[:25]
    ]
    return {"ms": kinds, "longest": longest}


def batch_of(scale: Scale, options) -> int:
    """Photos a step, where the parts that ask where its time goes look at one batch alone."""
    return options.batch or (2 if options.tiny else 64)


def kernels(scale: Scale, options) -> dict:
    """The kernels of a step, ours and PyTorch's: the longest, and how long those of a kind take."""
    count = batch_of(scale, options)
    batch = photos(scale, count)
    result = {"batch": count}
    with told("recon", result):
        result["recon"] = summed(trace(Compiled(network(scale), batch), 5), 5)
    released()
    with told("torch", result):
        result["torch"] = summed(torch_trace(Peer(scale, batch), 5), 5)
    released()
    for name in ("recon", "torch"):
        if name in result:
            kinds = ", ".join(f"{kind} {ms:.2f}" for kind, ms in result[name]["ms"].items())
            print(f"{name}: ms a step in kernels: {kinds}; the longest:")
            for row in result[name]["longest"][:15]:
                print(f"{row['ms']:8.3f} ms, {row['calls']:5.1f} calls: {row['kernel']}")
    return result


def variants(scale: Scale, options) -> dict:
    """Milliseconds of a step: all of it, then with one thing after another left out."""
    count = batch_of(scale, options)
    batch = photos(scale, count)
    result = {"batch": count, "ms": {}}

    def note(name: str, run: Callable[[int], None]) -> None:
        result["ms"][name] = 1000 * seconds_a_step(run, scale)
        print(f"{result['ms'][name]:8.2f} ms a step: {name}", flush=True)

    for name, build in networks().items():
        with told(name, result):
            note(name, Compiled(build(scale), batch))
        released()
    with told("optimiser alone", result):
        note("optimiser alone", optimiser(scale))
    with told("input alone", result):
        note("input alone", input_alone(scale, count))
    released()
    return result


# The other parts -------------------------------------------------------------------------------


def training(scale: Scale, options) -> dict:
    """The report's training; see `benchmarks.gpu_training`."""
    return gpu_training.report(scale, options)


def unet(scale: Scale, options) -> dict:
    """The U-Net for the score; see `benchmarks.gpu_training`."""
    return gpu_training.unet(options)


def tests(scale: Scale, options) -> dict:
    """Every test that is marked `gpu`."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "--no-header", "-p", "no:cacheprovider"]
    command += [*TESTS, *(["--collect-only"] if options.tiny else [])]
    if importlib.util.find_spec("xdist"):
        command += ["-n", "auto"]  # most of the time is compilation, on the CPU
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no output"]
    if done.returncode:
        print("\n".join(lines[-40:]))
    print(lines[-1], flush=True)
    return {
        "passed": not done.returncode,
        "said": lines[-1],
        "seconds": time.perf_counter() - start,
    }


class told:
    """A block whose failure is told, kept, and not passed on.

    Args:
        name: what fails.
        result: where its reason is kept, as `NAME_error`.
    """

    def __init__(self, name: str, result: dict):
        self.name, self.result = name, result

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None or not issubclass(kind, Exception):
            return False  # Ctrl-C ends it all
        traceback.print_exception(kind, error, trace)
        self.result[f"{self.name}_error"] = f"{kind.__name__}: {str(error)[:500]}"
        print(f"{self.name}: failed, {self.result[f'{self.name}_error']}", flush=True)
        return True


def before(path: Path, machine: dict) -> dict:
    """What was measured on such a machine before: other parts' figures are kept."""
    if path.is_file():
        result = json.loads(path.read_text())
        if result.get("machine", {}).get("gpu") == machine["gpu"]:
            return result
    return {}


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """What, figure, goal, command: lines of the README's table."""
    if result.get("tiny"):
        return []
    chip, lines = ", ".join(result["machine"]["gpu"]), []
    if "step" in result:
        best = max(result["step"]["batches"], key=lambda row: row["photos_per_second"])
        lines.append(
            (
                f"pix2pix-256, training step on one {chip}, batch {best['batch']}",
                f"{best['photos_per_second']:,.0f} photos/s, {best['share_of_peak']:.0%} of its "
                "matrix rate",
                "–",
                "python -m benchmarks.gpu --parts step",
            )
        )
        pairs = result["step"]["beside"]
        pair = max(pairs, key=lambda row: row["recon_photos_per_second"], default=None)
    if "step" in result and pair:
        lines.append(
            (
                f"the same, beside compiled PyTorch, batch {pair['batch']}",
                f"{pair['faster_than_torch']:.2f} times as fast",
                "≥ 1",
                "python -m benchmarks.gpu --parts step",
            )
        )
    if "training" in result:
        given = result["training"]
        kept = ", XLA's tuning kept from before" if given["tuned_before"] else ""
        lines.append(
            (
                f"{given['photos']:,} photos × {given['epochs']} epochs at 256×256, from files to "
                f"weights, on one {chip}{kept}",
                f"{given['seconds']:.0f} s",
                "< 180 s",
                "python -m benchmarks.gpu --parts training",
            )
        )
    return lines


def arguments():
    """What can be asked for."""
    parser = measure.parser(__doc__, 5)
    parser.add_argument("--tiny", action="store_true", help="run it through, at tiny size")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS[:-1])
    parser.add_argument("--data", help="folder of photos; by default the drawn ones")
    parser.add_argument("--peak", type=float, help="the chip's rate, 10¹² operations a second")
    parser.add_argument("--batch", type=int, help="photos a step of training, kernels and variants")
    parser.add_argument("--batches", type=int, nargs="+", help="photos a step, in step")
    parser.add_argument("--rate", type=float, default=5e-4, help="learning rate of `training`")
    gpu_training.add_arguments(parser.add_argument_group("unet"))
    return parser


def main(words: list[str] | None = None) -> None:
    """Measure part after part; keep the figures after each."""
    parser = arguments()
    options = parser.parse_args(words)
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch wants some, too
    if not options.tiny and (reason := needs()):
        sys.exit(reason)
    scale = TINY if options.tiny else FULL
    if options.tiny:
        vars(options).update(gpu_training.TINY)
    if options.batches:
        scale = replace(scale, batches=tuple(options.batches))
    machine = measure.machine("jax", "torch")
    out = options.out or measure.RESULTS / "gpu.json"
    result = before(out, machine) | {"tiny": options.tiny, "machine": machine}
    for name in options.parts:
        print(f"--- {name}", flush=True)
        with told(name, result):
            result[name] = globals()[name](scale, options)
            result.pop(f"{name}_error", None)
        if not options.tiny or options.out:
            measure.write("gpu", result, out)
    for what, figure, goal, _ in rows(result):
        print(f"{what}: {figure} (goal: {goal})")


if __name__ == "__main__":
    main()
