"""The same networks in eager PyTorch, with the same training step: what recon is measured beside.

`tests/test_benchmarks.py` copies recon's weights into them and compares losses and gradients.
Photos are float32 `(B, 3, H, W)` in [0, 1], a mask is `(B, 1, H, W)`, 1 = missing.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from recon.models.pix2pix import widths

EPSILON = 1e-3  # what Keras adds to the variance


def tensor(array) -> torch.Tensor:
    """An array `(B, H, W, C)`, of whichever library, as PyTorch has it: `(B, C, H, W)`."""
    return torch.tensor(np.array(array)).permute(0, 3, 1, 2).contiguous()


def to_signed(masked: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """[0, 1] -> [-1, 1], missing pixels 0, mask beside: `(B, 4, H, W)`."""
    return torch.cat([(2 * masked - 1) * (1 - mask), mask], 1)


def normalise(channels: int) -> nn.Module:
    """Normalise every channel of every photo by itself."""
    return nn.InstanceNorm2d(channels, EPSILON, affine=True)


def downsample(channels: int, filters: int, normalised: bool = True) -> nn.Sequential:
    """Halve: convolution 4×4 of stride 2, normalisation, leaky ReLU."""
    convolution = nn.Conv2d(channels, filters, 4, 2, 1, bias=not normalised)
    normal = [normalise(filters)] if normalised else []
    return nn.Sequential(convolution, *normal, nn.LeakyReLU(0.2))


def upsample(channels: int, filters: int, dropout: float) -> nn.Sequential:
    """Double: transposed convolution 4×4 of stride 2, normalisation, dropout, ReLU."""
    convolution = nn.ConvTranspose2d(channels, filters, 4, 2, 1, bias=False)
    dropped = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(convolution, normalise(filters), *dropped, nn.ReLU())


class Generator(nn.Module):
    """`recon.models.pix2pix.generator` of kind `instance`: masked, mask -> guess in [0, 1]."""

    def __init__(self, size: int, filters: int = 64, widest: int = 512, dropout: float = 0.5):
        super().__init__()
        channels = widths(size, filters, widest)
        last = len(channels) - 1
        self.down = nn.ModuleList(
            downsample(before, width, 0 < level < last)
            for level, (before, width) in enumerate(zip([4, *channels[:-1]], channels, strict=True))
        )
        self.up = nn.ModuleList()
        channels_in = channels[-1]
        for step, width in enumerate(reversed(channels[:-1])):
            self.up.append(upsample(channels_in, width, dropout if step < 3 else 0.0))
            channels_in = 2 * width  # with the skip beside
        self.paint = nn.ConvTranspose2d(channels_in, 3, 4, 2, 1)

    def forward(self, masked, mask):
        x, features = to_signed(masked, mask), []
        for layer in self.down:
            x = layer(x)
            features.append(x)
        for layer, skip in zip(self.up, reversed(features[:-1]), strict=True):
            x = torch.cat([layer(x), skip], 1)
        return (torch.tanh(self.paint(x)).float() + 1) / 2


class Discriminator(nn.Sequential):
    """`recon.models.pix2pix.discriminator` of kind `instance`: the 70×70 PatchGAN, logits."""

    def __init__(self, filters: int = 64):
        super().__init__(
            downsample(7, filters, False),
            downsample(filters, filters * 2),
            downsample(filters * 2, filters * 4),
            nn.Conv2d(filters * 4, filters * 8, 4, padding=1, bias=False),
            normalise(filters * 8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(filters * 8, 1, 4, padding=1),
        )

    def forward(self, photo, masked, mask):
        return super().forward(torch.cat([2 * photo - 1, to_signed(masked, mask)], 1)).float()


class Pix2Pix(nn.Module):
    """`recon.models.pix2pix.Pix2Pix` of kind `instance`: masked, mask, photo -> the sum of losses.

    Each term moves one player, as there: the judge sees a detached guess, and while it judges for
    the generator its weights ask for no gradient.
    """

    def __init__(
        self,
        size: int = 256,
        filters: int = 64,
        widest: int = 512,
        judge_filters: int = 64,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.generator = Generator(size, filters, widest, dropout)
        self.discriminator = Discriminator(judge_filters)

    def forward(self, masked, mask, photo):
        guess = self.generator(masked, mask)
        completed = torch.where(mask > 0, guess, masked)
        real = self.discriminator(photo, masked, mask)
        fake = self.discriminator(completed.detach(), masked, mask)
        frozen = {name: w.detach() for name, w in self.discriminator.named_parameters()}
        scores = functional_call(self.discriminator, frozen, (completed, masked, mask))
        judge = (cross_entropy(1.0, real) + cross_entropy(0.0, fake)) / 2
        l1 = ((photo - guess).abs() * mask).sum() / (3 * mask.sum())
        return judge + cross_entropy(1.0, scores) + 100 * 2 * l1  # [-1, 1] is twice as wide


def cross_entropy(target: float, logit: torch.Tensor) -> torch.Tensor:
    """The mean binary cross-entropy of scores that ought all to be `target`."""
    return functional.binary_cross_entropy_with_logits(logit, torch.full_like(logit, target))


class ReNet(nn.Module):
    """`recon.models.bilstm.network`: masked, mask -> guess in [0, 1].

    cuDNN's layout of an LSTM's weights has a second bias, so there are a few more of them.
    """

    def __init__(self, hidden: int = 64, patch: int = 4):
        super().__init__()
        self.embed = nn.Conv2d(4, 2 * hidden, patch, patch)
        self.sweeps = nn.ModuleList(
            nn.LSTM(2 * hidden, hidden, batch_first=True, bidirectional=True) for _ in range(4)
        )
        self.pixels = nn.Linear(2 * hidden, 3 * patch**2)
        self.depth_to_space = nn.PixelShuffle(patch)

    def forward(self, masked, mask):
        x = self.embed(to_signed(masked, mask)).permute(0, 2, 3, 1)  # (B, H, W, C)
        for lstm in self.sweeps:  # rows, columns, rows, columns: turned by 90° after each
            batch, length, width, channels = x.shape
            x, _ = lstm(x.reshape(batch * length, width, channels))
            x = x.reshape(batch, length, width, -1).transpose(1, 2)
        x = torch.tanh(self.pixels(x)).permute(0, 3, 1, 2)
        return (self.depth_to_space(x) + 1) / 2


class Regression(nn.Module):
    """A network trained by the squared error in the holes, as `bilstm.BiLSTM` is."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, masked, mask, photo):
        error = (self.network(masked, mask) - photo).square().mean(1, keepdim=True)
        return (error * mask).sum() / mask.sum()


def count(model: nn.Module) -> int:
    """How many weights a network has."""
    return sum(weights.numel() for weights in model.parameters())


def training_step(
    model: Callable[..., torch.Tensor],
    optimizer: torch.optim.Optimizer,
    autocast: torch.dtype | None = None,
) -> Callable[..., float]:
    """A function that trains one step on a batch, and gives its loss.

    Args:
        model: batch -> loss; a module here, or `torch.compile` of one.
        optimizer: of its weights; see `adam`.
        autocast: bfloat16 or float16 for the multiplications, or None for float32.
    """

    def step(*batch: torch.Tensor) -> float:
        optimizer.zero_grad()
        with torch.autocast(batch[0].device.type, autocast, enabled=autocast is not None):
            loss = model(*batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def adam(model: nn.Module, rate: float, beta_1: float, **options) -> torch.optim.Adam:
    """Adam with Keras's epsilon; `fused=True` and the like are passed on."""
    return torch.optim.Adam(model.parameters(), rate, (beta_1, 0.999), 1e-7, **options)


def pix2pix(size: int = 256, channels_last: bool = False, device: str = "cpu") -> Pix2Pix:
    """The paper's pix2pix: 57.2 M weights at 256, as `recon.models.pix2pix.build` gives.

    Args:
        size: height and width, 128 to 512.
        channels_last: keep weights, and with them what is computed, as `(B, H, W, C)` in memory.
        device: where it trains.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return Pix2Pix(size).to(device, memory_format=layout)


def copy_weights(kernels: Iterable, model: nn.Module) -> None:
    """Give a network here the weights of the same one in Keras.

    Args:
        kernels: Keras's `trainable_variables`, in its layers' order, which is the order here too.
        model: its weights are replaced.
    """
    with torch.no_grad():
        for own, theirs in zip(model.parameters(), kernels, strict=True):
            own.copy_(torch.tensor(np.array(as_here(theirs))))


def as_here(kernel):
    """A weight, or its gradient, of a convolution in Keras as PyTorch has it.

    `(h, w, in, out)` -> `(out, in, h, w)`, and of a transposed one `(h, w, out, in)` ->
    `(in, out, h, w)`.
    """
    kernel = np.asarray(kernel)
    return kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel
