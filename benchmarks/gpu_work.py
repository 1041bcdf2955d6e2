"""How many multiplications a training step of pix2pix asks for, and how many a chip can do.

Counted by hand from the paper's layers, whatever computes them: a convolution of k×k from `cin` to
`cout` channels multiplies k²·cin·cout numbers for every pixel of its smaller side, and adds them
up. Zeros around the edge are multiplied too: a chip does.
"""

from typing import NamedTuple

from recon.errors import BadInput

# Dense bfloat16 with sums in float32, in 10¹² operations a second, by the makers' data sheets; by
# a part of what JAX calls the device, the more particular name first
CHIPS = {
    "H200": 989,
    "H100 PCIe": 756,
    "H100": 989,
    "B200": 2250,
    "A100": 312,
    "L40S": 362,
    "L4": 121,
    "RTX 4090": 165,  # sums in float32
    "A10": 125,
    "V100": 125,  # float16: it has no bfloat16
    "T4": 65,  # likewise
}


def peak(kind: str, stated: float | None = None) -> float:
    """The chip's dense matrix rate, in operations a second.

    Args:
        kind: what JAX calls the device.
        stated: in 10¹² operations a second, where the user knows better.

    Raises:
        BadInput: a chip that is not listed.
    """
    rates = [rate for name, rate in CHIPS.items() if name in kind]
    if not (stated or rates):
        raise BadInput(
            f"{kind}: its matrix rate is not listed; give it, in 10¹² operations a second of dense "
            "bfloat16, by --peak"
        )
    return 1e12 * (stated or rates[0])


class Convolution(NamedTuple):
    """One layer, transposed or not."""

    kernel: int
    channels_in: int
    channels_out: int
    side: int  # of what comes out; of what goes in, where it is transposed

    def operations(self) -> int:
        """Of one photo's way through it: a multiplication and an addition are two."""
        return 2 * self.kernel**2 * self.channels_in * self.channels_out * self.side**2


def generator(size: int, widths: list[int]) -> list[Convolution]:
    """The U-Net's convolutions, in the order in which a photo meets them.

    Args:
        size: height and width of the photo.
        widths: channels after every halving, as `pix2pix.widths` gives them.
    """
    sides = [size >> level for level in range(1, len(widths) + 1)]  # 128, 64, ... 1
    down = [
        Convolution(4, before, width, side)
        for before, width, side in zip([4, *widths[:-1]], widths, sides, strict=True)
    ]
    into = [widths[-1], *(2 * width for width in widths[-2::-1])]  # a skip beside, but innermost
    out = [*widths[-2::-1], 3]
    up = [
        Convolution(4, before, width, side)
        for before, width, side in zip(into, out, reversed(sides), strict=True)
    ]
    return down + up


def discriminator(size: int, filters: int) -> list[Convolution]:
    """The 70×70 PatchGAN's convolutions."""
    eighth = size // 8
    return [
        Convolution(4, 7, filters, size // 2),
        Convolution(4, filters, 2 * filters, size // 4),
        Convolution(4, 2 * filters, 4 * filters, eighth),
        Convolution(4, 4 * filters, 8 * filters, eighth - 1),
        Convolution(4, 8 * filters, 1, eighth - 2),
    ]


def training(size: int, widths: list[int], filters: int) -> int:
    """Operations of a training step for every photo of its batch.

    The gradient of a convolution is one as large for its kernel, and one for what went in.

    - The generator: all three, but none for the photo that went in.
    - The judge, of real and of fake photos: likewise.
    - The judge as the generator's teacher: forwards, and back through every layer, the first too;
      its kernels stand still.
    """
    painter, judge = (
        [layer.operations() for layer in layers]
        for layers in (generator(size, widths), discriminator(size, filters))
    )
    return 3 * sum(painter) - painter[0] + 2 * (3 * sum(judge) - judge[0]) + 2 * sum(judge)
