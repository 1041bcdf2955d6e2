"""What several models share: layers with pix2pix's settings (Isola et al., 2017, appendix 6)."""

from collections.abc import Iterable, Sequence

import keras
from keras import initializers, layers, ops

from recon import metrics


def check_size(size: int, sizes: Sequence[int]) -> None:
    """Raise a ValueError for a side that a network does not take; it would round it silently."""
    if size not in sizes:
        raise ValueError(f"size {size}: must be one of {', '.join(map(str, sizes))}")


def normal():
    """Weights start as the paper's: normal, mean 0, standard deviation 0.02."""
    return initializers.RandomNormal(0.0, 0.02)


def normalise(kind: str = "batch"):
    """Normalise every channel; scales start around 1 with the paper's standard deviation 0.02.

    - `batch`: by the batch's own statistics in training and by their moving average at test
      time, so that what a photo gets does not depend on the photos beside it.
    - `instance`: every photo by itself, in training and at test time. That is what the paper's
      batch normalisation does with its one photo a batch, at test time too.
    """
    start = initializers.RandomNormal(1.0, 0.02)
    if kind == "instance":
        return layers.GroupNormalization(-1, gamma_initializer=start)
    return layers.BatchNormalization(gamma_initializer=start)


def convolve_transposed(x, kernel, strides: tuple[int, int], padding: str):
    """Transposed convolution as one product of matrices: every pixel's stamp, and their sum.

    A pixel of what goes in paints the kernel, once for each of its channels, and the next pixel
    paints a stride further (Dumoulin and Visin, 2016, https://arxiv.org/abs/1603.07285, chapter 4).
    All stamps are one product, in which the kernel stays as it lies in memory, as it does in both
    products of the gradient. Cut into patches as large as the stride, a stamp has a patch in as
    many places as all others, so that patches are added whole.

    Args:
        x: `(B, H, W, C)`.
        kernel: `(h, w, F, C)`.
        strides: pixels from one stamp to the next, down and across.
        padding: `same` or `valid`, as Keras means it.

    Returns:
        what `ops.conv_transpose` does, within rounding: `(B, s·H, s·W, F)` with `same`; with
        `valid` larger by what the kernel is wider than the stride.
    """
    _, height, width, channels = x.shape
    *sides, filters, _ = kernel.shape
    both = list(zip(sides, strides, strict=True))  # of height and of width
    down, across = (-(-side // stride) for side, stride in both)  # patches of a stamp

    # Zeros where the stride does not divide the kernel.
    lacking = [(0, n * s - side) for n, (side, s) in zip((down, across), both, strict=True)]
    kernel = ops.reshape(ops.pad(kernel, [*lacking, (0, 0), (0, 0)]), (-1, channels))
    stamps = ops.matmul(ops.reshape(x, (-1, channels)), ops.transpose(kernel))
    shape = (-1, height, width, down, strides[0], across, strides[1], filters)
    stamps = ops.reshape(stamps, shape)

    total = 0.0  # of patches: (B, H + down - 1, W + across - 1, s, s, F)
    for i in range(down):
        for j in range(across):
            around = [(0, 0), (i, down - 1 - i), (j, across - 1 - j), (0, 0), (0, 0), (0, 0)]
            total = total + ops.pad(stamps[:, :, :, i, :, j], around)
    x = ops.transpose(total, (0, 1, 3, 2, 4, 5))  # (B, rows, s, columns, s, F)
    rows, columns = height + down - 1, width + across - 1
    x = ops.reshape(x, (-1, rows * strides[0], columns * strides[1], filters))

    # Stamps reach over the edge: `valid` keeps all they paint, `same` cuts it off all around.
    over = [max(side - stride, 0) for side, stride in both]
    same = padding == "same"
    top, left = (n // 2 if same else 0 for n in over)
    bottom = top + height * strides[0] + (0 if same else over[0])
    right = left + width * strides[1] + (0 if same else over[1])
    return x[:, top:bottom, left:right]


@keras.saving.register_keras_serializable("recon")
class Conv2DTranspose(layers.Conv2DTranspose):
    """Keras's layer, with its weights and its name; on JAX and a CPU computed another way.

    There XLA takes twenty times as long and more for the gradient of a transposed convolution as
    for the gradient of `convolve_transposed`; `benchmarks/backends.py` has the figures. Elsewhere
    the backend's own is kept: oneDNN's, which TensorFlow calls, is the faster one, and a GPU's
    libraries have one of their own.
    """

    def call(self, inputs):
        usual = (
            self.data_format == "channels_last"
            and self.dilation_rate == (1, 1)
            and self.output_padding is None
            and None not in inputs.shape[1:]
        )
        if not (usual and xla_on_cpu()):
            return super().call(inputs)
        x = convolve_transposed(
            inputs, ops.convert_to_tensor(self.kernel), self.strides, self.padding
        )
        if self.use_bias:
            x = x + ops.convert_to_tensor(self.bias)
        return self.activation(x)


def xla_on_cpu() -> bool:
    """Whether JAX computes, and on a CPU."""
    return keras.backend.backend() == "jax" and all(
        name.startswith("cpu") for name in keras.distribution.list_devices()
    )


def downsample(filters: int, kind: str | None = "batch"):
    """Halve height and width: convolution 4×4 of stride 2, normalisation, leaky ReLU.

    Padding is `same`; the ReLU leaks 0.2. A bias comes only where no normalisation follows, which
    would take it away again.

    Args:
        filters: channels of what comes out.
        kind: which normalisation, see `normalise`; None leaves it out.

    Returns:
        a function `x (B, H, W, C) -> (B, H/2, W/2, filters)`, which makes its layers when called.
    """

    def block(x):
        x = layers.Conv2D(
            filters, 4, 2, "same", use_bias=kind is None, kernel_initializer=normal()
        )(x)
        if kind:
            x = normalise(kind)(x)
        return layers.LeakyReLU(0.2)(x)

    return block


def upsample(filters: int, kind: str = "batch", dropout: float = 0.0):
    """Double height and width: transposed convolution 4×4 of stride 2, normalisation, ReLU.

    Padding is `same`, and there is no bias: the normalisation has its own.

    Args:
        filters: channels of what comes out.
        kind: which normalisation, see `normalise`.
        dropout: part of the numbers that is set to 0 in training, before the ReLU; 0 for none.

    Returns:
        a function `x (B, H, W, C) -> (B, 2H, 2W, filters)`, which makes its layers when called.
    """

    def block(x):
        x = Conv2DTranspose(filters, 4, 2, "same", use_bias=False, kernel_initializer=normal())(x)
        x = normalise(kind)(x)
        if dropout:
            x = layers.Dropout(dropout)(x)
        return layers.ReLU()(x)

    return block


def patches(filters: int, kind: str = "batch"):
    """Score every patch of 70×70 pixels: the PatchGAN's layers, up to its logits.

    Three halvings, of which the first is not normalised; a convolution 4×4 of stride 1 with 8
    times the filters, normalisation, leaky ReLU; a convolution 4×4 of stride 1 to one channel.
    Before each of the last two, one row and column of zeros on every side. The logits are float32
    whatever the precision.

    Args:
        filters: channels after the first convolution; they double with every halving.
        kind: which normalisation, see `normalise`.

    Returns:
        a function `x (B, S, S, C) -> logits (B, S/8 - 2, S/8 - 2, 1)`.
    """

    def block(x):  # shapes as at size 256 with 64 filters
        x = downsample(filters, None)(x)  # (B, 128, 128, 64)
        x = downsample(filters * 2, kind)(x)  # (B, 64, 64, 128)
        x = downsample(filters * 4, kind)(x)  # (B, 32, 32, 256)
        x = layers.ZeroPadding2D()(x)  # (B, 34, 34, 256)
        x = layers.Conv2D(filters * 8, 4, use_bias=False, kernel_initializer=normal())(x)
        x = normalise(kind)(x)  # (B, 31, 31, 512)
        x = layers.LeakyReLU(0.2)(x)
        x = layers.ZeroPadding2D()(x)  # (B, 33, 33, 512)
        x = layers.Conv2D(1, 4, kernel_initializer=normal())(x)  # (B, 30, 30, 1)
        return layers.Activation("linear", dtype="float32")(x)  # losses in float32 always

    return block


def receptive_field(convolutions: Iterable[tuple[int, int]]) -> int:
    """How far one number sees: the side of the square of pixels that it depends on.

    Args:
        convolutions: width and stride of each, in the order in which a photo meets them.

    Returns:
        pixels along one side; 1 if there is no convolution at all.
    """
    field = spacing = 1  # spacing: pixels of the photo from one number to the next
    for width, stride in convolutions:
        field += (width - 1) * spacing
        spacing *= stride
    return field


def to_signed(masked, mask):
    """Photo and mask to what a network likes: [0, 1] -> [-1, 1], missing pixels 0, mask beside.

    Args:
        masked: `(..., H, W, 3)` in [0, 1]; what its missing pixels hold does not matter.
        mask: `(..., H, W, 1)`, 1 = missing.

    Returns:
        `(..., H, W, 4)`: three channels of colour, then the mask as it is.
    """
    return ops.concatenate([(2 * masked - 1) * (1 - mask), mask], axis=-1)


@keras.saving.register_keras_serializable("recon")
class ToSigned(layers.Layer):
    """`to_signed` as a layer: `(B, H, W, 3)`, `(B, H, W, 1)` -> `(B, H, W, 4)`."""

    def call(self, masked, mask):
        return to_signed(masked, mask)


@keras.saving.register_keras_serializable("recon")
class FromSigned(layers.Layer):
    """What a network says to a photo: [-1, 1] -> [0, 1], in float32 whatever the precision."""

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, x):
        return (x + 1) / 2


class Completer(keras.Model):
    """A network whose guess completes photos: its error in the holes is a metric, `rmse`.

    Args:
        settings: the arguments that build it again, `size` among them.
    """

    def __init__(self, settings: dict, **kwargs):
        super().__init__(**kwargs)
        self.settings, self.size = settings, settings["size"]
        self.rmse = metrics.BoxRMSE()

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        completed = metrics.complete(x["masked"], x["mask"], y_pred)
        self.rmse.update_state(y, completed, x["mask"])
        return self.get_metrics_result()

    def get_config(self):
        # No dtype: whoever loads the model says in which precision it works.
        return {"name": self.name, **self.settings}
