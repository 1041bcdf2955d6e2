"""The U-Net that wins the score: a regression on the membrane, trained by squared error alone.

RMSE is smallest at the mean of all that could have been there, so nothing here tries to look
real. The network is a U-Net (Ronneberger et al., 2015, https://arxiv.org/abs/1505.04597) that
looks at patches of pixels, as a vision transformer does, and says what is to be added to a cheap
harmonic fill.

What was tried, on the animals' validation photos at 64×64 (RMSE over the exact harmonic fill's;
one seed each, batch 16, Adam with β₂ 0.99 at 1e-3, warmed up and falling to 0, mixed_bfloat16;
CPU-seconds on two cores, shared with others; the stem was still a 2×2 convolution):

| what                                             | CPU-seconds |  photos | RMSE  | mirrored too |
|--------------------------------------------------|-------------|---------|-------|--------------|
| this network: 32 patches a side                  |         300 |  20,464 | 0.968 | 0.966        |
| 16 patches a side, channels 128, 256, 256        |         300 |  27,072 | 0.982 | 0.979        |
| this network, batch 8                            |         200 |  13,288 | 0.979 | 0.977        |
| a fourth level of 256 channels                   |         200 |  12,992 | 0.986 | 0.985        |
| residual blocks instead of single convolutions   |         200 |   8,816 | 1.006 | 1.004        |
| the first network on photos of 256×256, a fourth |         240 |  10,768 | 1.020 | 1.020        |
| level, still 32 patches a side                   |             |         |       |              |

64 patches a side (channels 32, 64, 128, 256) were stopped after 100 CPU-seconds: 4,656 photos and
1.020, where 32 patches had seen 7,024 and stood at 1.007. So: small photos, cheap steps, many of
them. mixed_bfloat16 makes convolutions 1.6 times as fast on a CPU that multiplies bfloat16
(AVX512_BF16).

384,000 photos (89 CPU-minutes) came to 10.5 % below harmonic on the animals' test photos at 64×64;
on the drawn photos 37,000 photos came to 35 %. In the animals' last twenty epochs the validation
RMSE went from 0.133 to 0.131, that of training from 0.126 to 0.124.

At 256×256, where what a network adds to the fill is enlarged (`recon.restore`), half of that is
lost. What brought some of it back, on 97 validation photos at 256×256, every second one:

| what                                                           | CPU-minutes | RMSE  |
|----------------------------------------------------------------|-------------|-------|
| trained at 64×64, photos as they are and mirrored              |          89 | 0.945 |
| and moved by half a patch; holes filled before they are shrunk |          89 | 0.942 |
| grown to 128×128 and trained on 512,000 photos more            |         233 | 0.927 |
| the mean of the last two (not used)                            |             | 0.925 |

Grown to 256×256 instead, it saw 79 photos a second where 128×128 saw 129, and stood at 0.955 when
128×128 stood at 0.941 (four CPU-minutes of each). At 128×128 training ended at an RMSE of 0.131 and
validation at 0.141: more of the same would learn the photos by heart.

What was tried against that, and for more from a photo, one seed each:

- Photos enlarged by 1 to 1.25 at random, not by 1.12: from the last network on, after 150 seconds
  on two cores 0.931 at 256×256, where the same time of what it was trained with gave 0.926.
- That network grown to 256×256 and trained on: 0.936 after 180 seconds, from 0.934. Of what 256×256
  adds, no more was found; half of the loss on the way is detail that 128 pixels do not hold.
- Muon (Jordan et al., 2024) on kernels as matrices, batch 32 at 2e-3, from nothing at 64×64: after
  100 seconds 0.966 of harmonic there, where Adam, batch 16 at 1e-3, came to 0.973 with an eighth
  more photos. Muon at 4e-3 was worse, batch 16 at 1e-3 between.
- With Muon, more boxes missing from a training photo, so that more of what is computed is learned
  from: after the same 100 seconds 0.966 with two boxes (0.986 at 256×256), 0.959 with three
  (0.982), 0.958 with four (0.980), 0.956 with six (0.982). Half as wide again, it was far behind
  after 50 seconds (1.010, not 0.985).
- With four boxes, 128×128 from the start: a photo costs a sixth more than at 64×64, for there are
  as many patches, and at 256×256 it stood at 0.980 too.
- What the network says, and on it the harmonic fill of how far it is off around the hole, in place
  of the harmonic fill and on it what the network adds: 0.9257 for 0.9265.

What keeps it from learning photos by heart was looked for where that comes fast: 250 of the
training photos at 64×64, each seen a hundred times (800 steps of Muon, batch 32, four boxes, one
seed; RMSE on all validation photos over harmonic's, and the last 200 steps' own RMSE):

| what                                                    | validation | training |
|---------------------------------------------------------|------------|----------|
| photos enlarged by 286/256 and cut, as pix2pix does     | 0.954      | 0.136    |
| enlarged by a factor of 1 to 1.6, drawn anew every time | 0.939      | 0.133    |
| brighter or darker, of another tint, by about a fifth   | 0.945      | 0.142    |
| weights decay by the learning rate's part at every step | 0.950      | 0.136    |
| a fifth of the channels dropped, coarse and last levels | 0.954      | 0.141    |
| eight boxes missing                                     | 0.975      | 0.143    |

So photos are enlarged at random (`zoom`). Together with weight decay that was no better after 400
steps (0.957 both), and factors up to 2.2 were behind after 200 (0.991, not 0.978). On 250 others
enlarging came to 0.943, and to 0.945 with other colours besides (powers of a photo, 0.6 to 1.7, a
little more or less of each colour); where one side was enlarged up to a third more than the other
besides, to 0.937 and 0.934 (two seeds; the mean of what both say to 0.931), and up to four fifths
more to 0.935. So photos are also stretched a little (`recon.data.plan.ASPECT`).

So the results table's U-Net is trained: 128×128 from the start, 512,000 photos, 77 CPU-minutes on
one core of two. It ends at an RMSE of 0.128 in training and 0.138 in validation, and on the 194
test photos 10.1 % below harmonic at 128×128, 9.0 % (0.1474 for 0.1621) at 256×256. Before photos
were stretched, and seen in parts at 256×256 (`recon.restore.parts`), these were 9.8 and 8.0 %.

On a GPU (an H100, JAX), the 969 licensed and 320 drawn photos of the shipped weights, 128,000
photos seen in 2,000 steps of 64, four boxes; RMSE over harmonic's on all 194 validation photos at
256×256:

| what                                                              | M weights | RMSE  |
|-------------------------------------------------------------------|-----------|-------|
| this network at 128×128, 32 patches a side                        |       2.0 | 0.940 |
| photos made darker or brighter (`gamma` 0.4)                      |       2.0 | 0.939 |
| twice as wide                                                     |       7.9 | 0.928 |
| twice as wide, gamma 0.4, weights decay by half the learning rate |       7.9 | 0.928 |
| at 256×256, 32 patches a side                                     |       2.0 | 0.952 |
| at 256×256, 64 patches a side, a fourth level of 256 channels     |       3.8 | 0.930 |

Finer patches and wide levels, then, at 128×128: 64 patches a side, channels 64, 128, 256, 480, with
gamma and decay against learning by heart. After 1,254,400 photos that network stood at 0.887, and
is the one that ships (UNET.md); the one before, a CPU's, at 0.912. Its training RMSE fell from
0.128 to 0.110 while the rate fell, over half of the photos. It does not say too much: less of what
it adds to the fill, 0.97 to 0.8 of it, is worse.

What was tried on the trained network, on all 194 validation photos, or on every second one (0.898
to begin with), and not used:

- Batch normalisation's statistics taken anew, of 1,280 training photos cut as pix2pix cuts them and
  with two boxes missing, which is how photos come (Wu and Johnson, 2021,
  https://arxiv.org/abs/2105.07576): 0.883 for 0.887 on all, 0.887 for 0.898 on every second one;
  but 10.2 % below harmonic for 10.1 on the test photos, and 41.7 for 41.9 on drawn ones. (Of the
  CPU's network, whose statistics depend much on how much is missing, 0.912 for 0.914.)
- After that, more parts of a photo (`recon.restore.parts`), on every second one: four of eleven
  sixteenths besides 0.884 for 0.887, for 1.6 times the time; nine of thirteen sixteenths 0.887.
- After that, more of what it adds to the fill, 1.05 to 1.1 of it: 0.887.
- Trained on for 9,600 photos, Muon at 4e-4 falling to 0, and statistics taken anew: as before, with
  four boxes and all zoom, 0.892, with two boxes and zoom 1.23 0.899; means of its weights and
  those, 0.888 to 0.890. It has learned what it can of these photos.

Not yet tried: longer on a GPU (that took three minutes), and more then against learning by heart;
boxes of several sizes, for in a part of a photo they look larger than in training; several
networks' mean, or one that is taught by it; the exact fill or none in place of the membrane, an
absolute error, attention (begun, and behind after one CPU-minute), Fourier convolutions, partial
convolutions.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops

from recon import devices
from recon.models import blocks

SIZES = (32, 64, 128, 256, 512)


def conditional_mean(
    masked: np.ndarray, mask: np.ndarray, photos: np.ndarray, width: float
) -> np.ndarray:
    """Say what squared error asks for, by looking at photos one by one and without a network.

    The mean of all photos, each counted as far as it agrees with what is known: exp(−d / 2 width²)
    of the mean squared difference d over the known pixels (Nadaraya and Watson, 1964). A narrow
    width gives the one photo that agrees best, a wide one the mean of all.

    Args:
        masked: `(H, W, 3)` in [0, 1].
        mask: `(H, W, 1)`, 1 = missing.
        photos: `(N, H, W, 3)`, complete ones.
        width: how much a photo may differ and still count.

    Returns:
        guess `(H, W, 3)`.
    """
    known = 1 - mask
    difference = np.sum(known * (photos - masked) ** 2, axis=(1, 2, 3)) / (3 * np.sum(known))
    # From the best photo on: else all weights could be too small for a float, and their sum 0.
    weight = np.exp(-(difference - difference.min()) / (2 * width**2))  # (N,)
    return np.tensordot(weight / weight.sum(), photos, axes=1)


def mse_in_holes(photo, guess, mask):
    """Mean squared error over the missing pixels of all photos of a batch: what is minimised.

    Args:
        photo: `(B, H, W, 3)` in [0, 1].
        guess: likewise; what it says of known pixels does not count.
        mask: `(B, H, W, 1)`, 1 = missing.

    Returns:
        a number; each missing pixel counts the same, in whichever photo.
    """
    # A keras.losses object scales itself when several devices share a batch; a bare mean does not.
    squared = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    return squared(photo, guess, sample_weight=mask[..., 0])


def halve_known(colour, known):
    """Halve a photo with holes: each 2×2 pixels become the mean of those that are known.

    Args:
        colour: `(B, H, W, 3)`; what it holds in the holes is not looked at.
        known: `(B, H, W, 1)`, 1 = known.

    Returns:
        colour `(B, H/2, W/2, 3)`, 0 where none of the four is known, and known `(B, H/2, W/2, 1)`.
    """
    weight = ops.average_pool(known, 2, 2)
    colour = ops.average_pool(colour * known, 2, 2) / ops.maximum(weight, 0.25)
    return colour, ops.cast(weight > 0, colour.dtype)


def refine(coarser, colour, known, sweeps: int):
    """Carry a fill to the next finer grid: enlarge it, then smooth it in the holes.

    Args:
        coarser: the fill of the coarser grid, `(B, H/2, W/2, 3)`.
        colour: the photo on this grid, `(B, H, W, 3)`; what it holds in the holes does not matter.
        known: `(B, H, W, 1)`, 1 = known.
        sweeps: how often every missing pixel is replaced by the mean of the 3×3 pixels around it,
            all at once.

    Returns:
        `(B, H, W, 3)`, with known pixels as they are.
    """
    _, height, width, _ = colour.shape
    fill = ops.where(known > 0, colour, ops.image.resize(coarser, (height, width)))
    for _ in range(sweeps):
        # At the photo's edge the mean is over the pixels there are: no slope across it.
        fill = ops.where(known > 0, colour, ops.average_pool(fill, 3, 1, "same"))
    return fill


def membrane(masked, mask, sweeps: int = 4, finest: int = 64):
    """Fill holes almost as `classical.harmonic` does, for a fraction of its cost.

    Coarse to fine (a cascade of grids; Briggs et al., A Multigrid Tutorial, chapter 3): the
    photo is halved until its holes have closed, and on the way back every missing pixel starts
    from the coarser answer and is replaced by the mean of the 3×3 pixels around it, some times
    over.

    Args:
        masked: `(B, S, S, 3)` in [0, 1].
        mask: `(B, S, S, 1)`, 1 = missing.
        sweeps: how often a level is averaged.
        finest: the largest level that is: beyond, the answer is only enlarged.

    Returns:
        `(B, S, S, 3)`, with known pixels as they are.
    """
    colour, known = masked, 1 - mask
    finer = []
    while colour.shape[1] > 4:
        finer.append((colour, known))
        colour, known = halve_known(colour, known)
    share = ops.maximum(ops.sum(known, axis=(1, 2), keepdims=True), 1)
    fill = ops.sum(colour * known, axis=(1, 2), keepdims=True) / share  # (B, 1, 1, 3)
    fill = ops.where(known > 0, colour, fill)  # (B, 4, 4, 3)
    for colour, known in reversed(finer):
        fill = refine(fill, colour, known, sweeps if colour.shape[1] <= finest else 0)
    return fill


@keras.saving.register_keras_serializable("recon")
class Membrane(layers.Layer):
    """`membrane` as a layer, in float32 whatever the precision."""

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, masked, mask):
        return membrane(masked, mask)


def convolution(width: int, kernel: int = 3, stride: int = 1, padding: str = "same"):
    """Convolution, batch normalisation, ReLU: `(B, H, W, C)` -> `(B, H/stride, W/stride, width)`.

    Statistics move faster than Keras's default (momentum 0.99), which lags behind for a hundred
    steps.
    """

    def block(x):
        x = layers.Conv2D(width, kernel, stride, padding, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.ReLU()(x)

    return block


def contract(x, widths: Sequence[int], depth: int = 1) -> list:
    """Go down: look at ever larger parts of the photo, on ever coarser grids.

    Every level but the first begins with a `convolution` of stride 2, which halves the grid; then
    every level has `depth` convolutions of stride 1, the last one twice as many.

    Args:
        x: `(B, H, W, C)`.
        widths: channels of each level, finest first.
        depth: convolutions of a level.

    Returns:
        what each level ends with, finest first: `(B, H, W, widths[0])`,
        `(B, H/2, W/2, widths[1])`, ...
    """
    levels = []
    for level, width in enumerate(widths):
        if level:
            x = convolution(width, 3, 2)(x)
        for _ in range(depth * (2 if level == len(widths) - 1 else 1)):
            x = convolution(width)(x)
        levels.append(x)
    return levels


def expand(levels: Sequence, depth: int = 1):
    """Go up again: bring what the coarse levels understood to where the fine ones know the pixels.

    From the coarsest on: a 1×1 convolution (no bias) to the next finer level's channels, every
    pixel doubled both ways, that level's pixels added (the skip connection), and `depth`
    convolutions.

    Args:
        levels: as `contract` gives them, finest first.
        depth: convolutions of a level.

    Returns:
        of the shape of the finest level.
    """
    *finer, x = levels
    for skip in reversed(finer):
        width = skip.shape[-1]
        x = layers.Conv2D(width, 1, use_bias=False)(x)
        x = layers.UpSampling2D()(x)
        x = layers.Add()([x, skip])  # half the cost of the paper's concatenation
        for _ in range(depth):
            x = convolution(width)(x)
    return x


def network(
    size: int = 256,
    patch: int = 8,
    widths: Sequence[int] = (64, 128, 256),
    depth: int = 1,
) -> keras.Model:
    """Build the U-Net: patches in, a residual on the membrane out.

    Args:
        size: height and width of the photos.
        patch: side of the patches that the first convolution sums up; 1 for none.
        widths: channels of each level; every level halves the one above.
        depth: convolutions of each level, on the way down and again on the way up.

    Returns:
        model `{"masked" (B, S, S, 3), "mask" (B, S, S, 1)} -> guess (B, S, S, 3)`. Not yet
        trained, it gives the membrane: the last layer's weights are zero.

    Raises:
        ValueError: another size, or one that patches and levels do not divide.
    """
    blocks.check_size(size, SIZES)
    if size % (patch * 2 ** (len(widths) - 1)):
        raise ValueError(
            f"size {size}: patches of {patch} and {len(widths)} levels do not divide it"
        )
    masked = layers.Input((size, size, 3), name="masked")
    mask = layers.Input((size, size, 1), name="mask")
    fill = Membrane(name="fill")(masked, mask)  # (B, S, S, 3)
    x = layers.Concatenate()([2 * fill - 1, mask])  # (B, S, S, 4)

    # A patch is looked at with half of the next one, below and on the right: at every size the
    # same part of the photo, which lets weights grow. Single pixels have neighbours all around.
    kernel, above, below = (3, 1, 1) if patch == 1 else (3 * patch // 2, 0, patch // 2)

    # shapes as at size 64
    x = layers.ZeroPadding2D(((above, below), (above, below)))(x)  # (B, 65, 65, 4)
    x = convolution(widths[0], kernel, patch, "valid")(x)  # (B, 32, 32, 64)
    levels = contract(x, widths, depth)  # (B, 32, 32, 64), (B, 16, 16, 128), (B, 8, 8, 256)
    x = expand(levels, depth)  # (B, 32, 32, 64)
    residual = layers.Conv2DTranspose(3, kernel, patch, kernel_initializer="zeros")(x)
    residual = layers.Cropping2D(((above, below), (above, below)))(residual)  # (B, S, S, 3)
    guess = layers.Add(dtype="float32", name="guess")([fill, residual])  # (B, S, S, 3)
    return keras.Model({"masked": masked, "mask": mask}, guess, name="network")


def mirrored(inputs):
    """Photos and masks with left and right exchanged."""
    return keras.tree.map_structure(lambda x: ops.flip(x, axis=2), inputs)


def mirror_averaged(complete: Callable, inputs):
    """Complete photos as they are and mirrored, and take the mean: an animal may look either way.

    Args:
        complete: `{"masked", "mask"} -> guess`.
        inputs: `masked` `(B, H, W, 3)`, `mask` `(B, H, W, 1)`.

    Returns:
        `(B, H, W, 3)`, the mirror image's answer turned round again.
    """
    return (complete(inputs) + mirrored(complete(mirrored(inputs)))) / 2


def moved(inputs, pixels: int):
    """Photos and masks moved down and to the right; what comes in at the edges is mirrored.

    Args:
        inputs: arrays `(B, S, S, C)`.
        pixels: how far, 1 or more.
    """

    def move(x):
        x = ops.pad(x, ((0, 0), (pixels, 0), (pixels, 0), (0, 0)), mode="symmetric")
        return x[:, :-pixels, :-pixels]

    return keras.tree.map_structure(move, inputs)


def moved_back(guess, pixels: int):
    """Undo `moved`; the last rows and columns, which had left the photo, are mirrored again."""
    guess = guess[:, pixels:, pixels:]
    return ops.pad(guess, ((0, 0), (0, pixels), (0, pixels), (0, 0)), mode="symmetric")


@keras.saving.register_keras_serializable("recon")
class UNet(blocks.Completer):
    """The network, trained by the mean squared error over the missing pixels.

    At test time a photo is completed as it is and mirrored, for an animal may look either way, and
    the answers are averaged. Where patches are larger than 2×2 pixels, both are also completed
    moved by half a patch: a pixel's place in its patch means nothing. (Smaller patches have little
    to gain, and drawn photos, which always lie alike, lose: 0.132 for 0.128.)

    Args:
        size, patch, widths, depth: as `network` takes them.
    """

    AVERAGES = True  # so that it is shown larger photos whole and in parts, see `recon.restore`

    def __init__(self, size=256, patch=8, widths=(64, 128, 256), depth=1, **kwargs):
        settings = {"size": size, "patch": patch, "widths": list(widths), "depth": depth}
        super().__init__(settings, **kwargs)
        self.network = network(size, patch, widths, depth)

    def call(self, inputs, training=False):
        if training:
            return self.network(inputs, training=True)  # (B, S, S, 3)
        return mirror_averaged(self.seen_twice, inputs)

    def seen_twice(self, inputs):
        """The mean of what the network says of photos as they are and moved by half a patch."""
        guess = self.network(inputs)
        if self.settings["patch"] <= 2:
            return guess
        pixels = self.settings["patch"] // 2
        return (guess + moved_back(self.network(moved(inputs, pixels)), pixels)) / 2

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return mse_in_holes(y, y_pred, x["mask"]) * devices.share(x["mask"])


def grow(model: UNet, smaller: UNet) -> None:
    """Give a model the weights of one that was trained on smaller photos.

    Small photos first, then larger (Karras et al., 2018, Progressive Growing of GANs,
    https://arxiv.org/abs/1710.10196). Both see as many patches a side, so that only the first
    and the last kernel differ: each of their pixels becomes `factor`×`factor`. Of a photo that is
    enlarged pixel by pixel, the grown network says what the smaller one says of the small photo.

    Args:
        model: its weights are replaced.
        smaller: of the same widths and depth, for photos a whole factor smaller.

    Raises:
        ValueError: the one cannot grow into the other.
    """
    factor = model.size // smaller.size
    square = np.ones((factor, factor, 1, 1), "float32")
    weights = [ops.convert_to_numpy(variable) for variable in smaller.network.weights]
    weights[0] = np.kron(weights[0], square / factor**2)  # a sum over more pixels
    weights[-2] = np.kron(weights[-2], square)  # before the bias
    if [w.shape for w in weights] != [tuple(v.shape) for v in model.network.weights]:
        raise ValueError(f"a U-Net of {smaller.settings} cannot grow into one of {model.settings}")
    model.network.set_weights(weights)


def recipe(size: int) -> dict:
    """Settings that train it well: cheap steps, many of them, and a rate that falls to 0."""
    return {
        "epochs": 12,
        "batch_size": 32,
        "boxes": 4,
        "zoom": 1.6,
        "optimizer": "muon",
        "learning_rate": 2e-3,
        "beta_1": 0.95,
        "decay_from": 0.0,
        "ema": 0.0,
    }


def build(size: int) -> UNet:
    """A model that has learned nothing yet: 32 patches a side, 2 M weights, whatever the size."""
    return UNet(size, size // 32)
