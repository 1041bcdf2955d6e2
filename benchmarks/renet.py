"""`python -m benchmarks.renet`: a training step of `recon.models.bilstm` beside PyTorch's.

The same network in eager PyTorch with `nn.LSTM`, on the same photos, Adam with the same settings;
steps alternate in one process, so that both see the same machine. What is compared is CPU-seconds.
The script sets the threads of both, and waiting threads sleep: OpenMP's would spin, and count
against PyTorch. Needs PyTorch: `pip install -e ".[bench]"`.
"""

import os

from benchmarks import measure

SIZE, HIDDEN, PATCH = 256, 64, 4
BATCHES = (1, 4)


def photos(count: int):
    """Noise with a 75×75 hole: `masked`, `mask` and `photo`, as the pipeline gives them."""
    import numpy as np

    photo = np.random.default_rng(0).random((count, SIZE, SIZE, 3), "float32")
    mask = np.zeros((count, SIZE, SIZE, 1), "float32")
    mask[:, 90:165, 60:135] = 1
    return photo * (1 - mask), mask, photo


def keras_step(count: int):
    """Return a function that trains one step, and the network's number of weights."""
    import keras
    from keras import ops

    from recon import fitting
    from recon.models import bilstm

    masked, mask, photo = (ops.convert_to_tensor(x) for x in photos(count))
    model = bilstm.BiLSTM(SIZE, HIDDEN, PATCH)
    jit = keras.backend.backend() == "jax"  # as recon.train on a CPU
    model.compile(fitting.optimizer("adam", 1e-3, 0.9, 1.0, 0.0, 1), jit_compile=jit)

    def step():
        return float(model.train_on_batch({"masked": masked, "mask": mask}, photo)[0])

    return step, model.network.count_params()


def torch_step(count: int):
    """The same in eager PyTorch."""
    import torch
    from torch import nn

    class ReNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Conv2d(4, 2 * HIDDEN, PATCH, PATCH)
            self.sweeps = nn.ModuleList(
                nn.LSTM(2 * HIDDEN, HIDDEN, batch_first=True, bidirectional=True) for _ in range(4)
            )
            self.pixels = nn.Linear(2 * HIDDEN, 3 * PATCH**2)
            self.depth_to_space = nn.PixelShuffle(PATCH)

        def forward(self, masked, mask):
            x = torch.cat([(2 * masked - 1) * (1 - mask), mask], 1)  # (B, 4, S, S)
            x = self.embed(x).permute(0, 2, 3, 1)  # (B, H, W, C)
            for lstm in self.sweeps:  # rows, columns, rows, columns: turned by 90° after each
                batch, length, width, channels = x.shape
                x, _ = lstm(x.reshape(batch * length, width, channels))
                x = x.reshape(batch, length, width, -1).transpose(1, 2)
            x = torch.tanh(self.pixels(x)).permute(0, 3, 1, 2)
            return (self.depth_to_space(x) + 1) / 2

    masked, mask, photo = (
        torch.from_numpy(x).permute(0, 3, 1, 2).contiguous() for x in photos(count)
    )
    network = ReNet()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, eps=1e-7)  # Keras's epsilon

    def step():
        optimizer.zero_grad()
        error = (network(masked, mask) - photo).square().mean(1, keepdim=True)
        loss = (error * mask).sum() / mask.sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, sum(weights.numel() for weights in network.parameters())


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


def main() -> None:
    """Set the threads before either library starts; compare; keep the figures."""
    parser = measure.parser(__doc__, repeats=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    measure.threads(options.threads)
    measure.write("renet", compare(options.threads, options.repeats), options.out)


if __name__ == "__main__":
    main()
