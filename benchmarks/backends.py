"""`python -m benchmarks.backends`: a training step on JAX beside the same on TensorFlow, on a CPU.

Each backend has a process of its own, which waits while the other one steps; they take turns, step
by step, so that both see the same machine. What is compared is CPU-seconds.

What `blocks.Conv2DTranspose` bought on JAX, in CPU-milliseconds forward and backward; on the right
with Adam's step, which XLA fuses with the gradient, on another machine. Plain: as a convolution to
as many channels as a patch of the stride has pixels (Shi et al., 2016), which is how it was before.

    photos, side, channels in -> out    transposed  plain  TensorFlow's own  |  plain  stamps
    1 of 64×64, 256 -> 64, 4×4 by 2           1493     89                84  |     36      31
    1 of 16×16, 1024 -> 256, 4×4 by 2         2522    134                89  |    108      47
    1 of 2×2, 1024 -> 512, 4×4 by 2            219    152                69  |    181      94
    4 of 64×64, 256 -> 64, 4×4 by 2           7566    734               338  |    286     122
    1 of 128×128, 128 -> 3, 4×4 by 2           125     24                19  |      8       2
    4 of 32×32, 64 -> 3, 12×12 by 8             45     22                20  |      9       7

A plain convolution's kernel has to be laid out anew at every step, and its gradient's, and XLA
does that number by number: half of the 1.31 CPU-seconds that a step of pix2pix-256 took. With
stamps it takes 0.82. TensorFlow itself would take one to four times its own with stamps; less only
where 4 to 16 pixels paint kernels of eight million weights.
"""

import argparse
import json
import os
import subprocess
import sys

from benchmarks import measure
from recon import memory

COMMAND = "python -m benchmarks.backends"
GOAL = 1.6
BACKENDS = ("tensorflow", "jax")
CASES = {  # model, size -> photos a batch; as its recipe says
    ("pix2pix", 256): 1,
    ("pix2pix", 64): 8,
    ("unet", 64): 16,
    ("cyclegan", 64): 2,
    ("dcgan", 64): 16,
    ("bilstm", 64): 16,
}


def needs() -> str | None:
    """Both backends, and no GPU: the script would speak of something else."""
    return measure.missing(*BACKENDS)


def serve(name: str, size: int, count: int) -> None:
    """Train a step for every line that comes in, and answer with its seconds and CPU-seconds."""
    import keras
    from keras import ops

    from recon import train

    keras.utils.set_random_seed(0)
    settings = train.Settings(model=name, size=size, data="safari", precision="float32")
    model = train.compiled(train.resolve(settings), 1000)
    masked, mask, photo = map(ops.convert_to_tensor, measure.photos(count, size))

    def step() -> float:
        return float(model.train_on_batch({"masked": masked, "mask": mask}, photo)[0])

    for _ in sys.stdin:
        taken = measure.alternate({"step": step}, 1, warm=0)["step"][0]
        print(json.dumps(taken), flush=True)


class Process:
    """A backend with a model in a process of its own; call it to have a step trained.

    Raises:
        RuntimeError: it ended; what it said is in the terminal.
    """

    def __init__(self, backend: str, name: str, size: int, count: int):
        case = [name, str(size), str(count)]
        self.name = f"{name}-{size} on {backend}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.backends", "--serve", *case],
            env=os.environ | {"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self) -> tuple[float, float]:
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name}: ended with code {self.process.wait()}")
        return tuple(json.loads(answer))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait()


def compare(cases: dict, threads: int, repeats: int) -> dict:
    """Compare at every case, and say what ran."""
    result = {"steps": []}
    for (name, size), count in cases.items():
        with (
            Process("tensorflow", name, size, count) as tensorflow,
            Process("jax", name, size, count) as jax,
        ):
            turns = [(tensorflow(), jax()) for _ in range(2 + repeats)][2:]  # two to warm up
        (wall, cpu), (jax_wall, jax_cpu) = map(measure.median, zip(*turns, strict=True))
        row = {"model": name, "size": size, "batch": count}
        row |= {"tensorflow_cpu_seconds": cpu, "jax_cpu_seconds": jax_cpu}
        row |= {"ratio": jax_cpu / cpu, "ratio_on_the_wall": jax_wall / wall}
        result["steps"].append(row)
        print(
            f"{name}-{size}, batch {count}: TensorFlow {cpu:.3f}, JAX {jax_cpu:.3f} CPU-seconds a "
            f"step, ratio {row['ratio']:.2f} ({row['ratio_on_the_wall']:.2f} on the wall)",
            flush=True,
        )
    return result | {"threads": threads, "repeats": repeats} | measure.machine(*BACKENDS)


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table."""
    return [
        (
            f"{row['model']}-{row['size']} step, batch {row['batch']}, on a CPU: CPU-seconds on "
            "JAX over TensorFlow's",
            f"{row['ratio']:.2f}",
            f"≤ {GOAL}",
            COMMAND,
        )
        for row in result["steps"]
    ]


def main() -> None:
    """Set the threads; compare; keep the figures."""
    parser = measure.parser(__doc__, repeats=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--tiny", action="store_true", help="the small models alone")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    measure.threads(options.threads)
    memory.keep()  # as recon.train does
    if options.serve:
        name, size, count = options.serve
        serve(name, int(size), int(count))
        return
    cases = {case: count for case, count in CASES.items() if case[1] < 256 or not options.tiny}
    measure.write("backends", compare(cases, options.threads, options.repeats), options.out)


if __name__ == "__main__":
    main()
