"""`python -m benchmarks.renet`: a training step of `recon.models.bilstm` beside PyTorch's.

The same network in eager PyTorch with `nn.LSTM`, on the same photos, Adam with the same settings;
steps alternate in one process, so that both see the same machine. What is compared is CPU-seconds.
The script sets the threads of both, and waiting threads sleep: OpenMP's would spin, and count
against PyTorch. Needs PyTorch: `pip install -e ".[bench]"`.
"""

import os

from benchmarks import measure
from recon import memory

SIZE, HIDDEN, PATCH = 256, 64, 4
BATCHES = (1, 4)
GOAL = 1.05


def needs() -> str | None:
    """PyTorch."""
    return measure.missing("torch")


def keras_step(count: int):
    """Return a function that trains one step, and the network's number of weights."""
    import keras
    from keras import ops

    from recon import fitting
    from recon.models import bilstm

    masked, mask, photo = (ops.convert_to_tensor(x) for x in measure.photos(count, SIZE))
    model = bilstm.BiLSTM(SIZE, HIDDEN, PATCH)
    jit = keras.backend.backend() == "jax"  # as recon.train on a CPU
    model.compile(fitting.optimizer("adam", 1e-3, 0.9, 1.0, 0.0, 1), jit_compile=jit)

    def step():
        return float(model.train_on_batch({"masked": masked, "mask": mask}, photo)[0])

    return step, model.network.count_params()


def torch_step(count: int):
    """The same in eager PyTorch."""
    from benchmarks import peers

    batch = [peers.tensor(x) for x in measure.photos(count, SIZE)]
    model = peers.Regression(peers.ReNet(HIDDEN, PATCH))
    train = peers.training_step(model, peers.adam(model, 1e-3, 0.9))
    return lambda: train(*batch), peers.count(model)


def compare(threads: int, repeats: int) -> dict:
    """Compare at every batch size, and say what ran."""
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    result = {"size": SIZE, "hidden": HIDDEN, "patch": PATCH, "steps": []}
    for count in BATCHES:
        (ours, weights), (theirs, their_weights) = keras_step(count), torch_step(count)
        taken = measure.alternate({"recon": ours, "torch": theirs}, repeats)
        cpu = {name: measure.median(pairs)[1] for name, pairs in taken.items()}
        row = {
            "batch": count,
            "weights": weights,
            "torch_weights": their_weights,  # cuDNN's layout: each LSTM has a second bias
            "cpu_seconds": cpu["recon"],
            "torch_cpu_seconds": cpu["torch"],
            "ratio": cpu["recon"] / cpu["torch"],
        }
        result["steps"].append(row)
        print(
            f"{SIZE}×{SIZE}, batch {count}, {threads} threads: recon {cpu['recon']:.3f}, "
            f"PyTorch {cpu['torch']:.3f} CPU-seconds a step, ratio {row['ratio']:.2f}",
            flush=True,
        )
    return result | {"repeats": repeats, "threads": threads} | measure.machine("torch")


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table."""
    return [
        (
            f"ReNet-{result['size']} step, batch {row['batch']}: CPU-seconds over eager PyTorch's",
            f"{row['ratio']:.2f}",
            f"≤ {GOAL:.2f}",
            "python -m benchmarks.renet",
        )
        for row in result["steps"]
    ]


def main() -> None:
    """Set the threads before either library starts; compare; keep the figures."""
    parser = measure.parser(__doc__, repeats=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    measure.threads(options.threads)
    memory.keep()  # as recon.train does
    measure.write("renet", compare(options.threads, options.repeats), options.out)


if __name__ == "__main__":
    main()
