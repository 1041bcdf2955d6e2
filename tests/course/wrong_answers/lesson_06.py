"""What learners answer in lesson 06."""

import keras
import numpy as np
from bank import accepted, refused
from keras import layers, ops

from recon.models.blocks import downsample as down
from recon.models.blocks import normal, normalise
from recon.models.blocks import upsample as up

# 6.1


@refused("6.1", "missing pixels are left black", "as if it were a colour")
def to_signed(masked, mask):
    return ops.concatenate([2 * masked - 1, mask], axis=-1)


@refused("6.1", "colours are not rescaled", "still in [0, 1]")
def to_signed(masked, mask):
    return ops.concatenate([masked, mask], axis=-1)


@refused("6.1", "shifted and not widened", "half as wide")
def to_signed(masked, mask):
    return ops.concatenate([(masked - 0.5) * (1 - mask), mask], axis=-1)


@refused("6.1", "the mask is left out", "must know where it has to invent")
def to_signed(masked, mask):
    return (2 * masked - 1) * (1 - mask)


@refused("6.1", "joined along the batch's axis", "axis=-1")
def to_signed(masked, mask):
    signed = (2 * masked - 1) * (1 - mask)
    return ops.concatenate([signed, ops.broadcast_to(mask, (2, 4, 4, 3))], axis=1)


@refused("6.1", "known pixels are put out", "1 - mask is kept")
def to_signed(masked, mask):
    return ops.concatenate([(2 * masked - 1) * mask, mask], axis=-1)


@refused("6.1", "the mask is rescaled too", "only colours are rescaled")
def to_signed(masked, mask):
    return ops.concatenate([(2 * masked - 1) * (1 - mask), 2 * mask - 1], axis=-1)


@refused("6.1", "trusts that missing pixels are black", "it shows through")
def to_signed(masked, mask):
    return ops.concatenate([2 * masked - 1 + mask, mask], axis=-1)


@refused("6.1", "axis counted from the front", "Rows of pixels")
def to_signed(masked, mask):
    return ops.concatenate([(2 * masked - 1) * (1 - mask), mask], axis=3)


@refused("6.1", "in NumPy", "part of a network")
def to_signed(masked, mask):
    return np.concatenate([(2 * np.asarray(masked) - 1) * (1 - mask), mask], axis=-1)


@accepted("6.1", "a selection, and stacked by a layer")
def to_signed(masked, mask):
    signed = ops.where(mask > 0, 0.0, masked * 2 - 1)
    return layers.Concatenate()([signed, mask])


# 6.2


def conv(filters, bias, stride=2, padding="same", width=4, **kwargs):
    kwargs = {"kernel_initializer": normal()} | kwargs
    return layers.Conv2D(filters, width, stride, padding, use_bias=bias, **kwargs)


@refused("6.2", "calls the layers at once", "gives back a function")
def downsample(filters, kind="batch"):
    return ops.ones((1, 4, 4, filters))


@refused("6.2", "the inner function returns nothing", "must end with `return x`")
def downsample(filters, kind="batch"):
    def block(x):
        x = conv(filters, kind is None)(x)
        x = layers.LeakyReLU(0.2)(x)

    return block


@refused("6.2", "without padding", "The edge is lost")
def downsample(filters, kind="batch"):
    return lambda x: layers.LeakyReLU(0.2)(conv(filters, True, padding="valid")(x))


@refused("6.2", "never a bias", "it needs its bias")
def downsample(filters, kind="batch"):
    def block(x):
        x = conv(filters, False)(x)
        x = normalise(kind)(x) if kind else x
        return layers.LeakyReLU(0.2)(x)

    return block


@refused("6.2", "always a bias", "it takes a bias away")
def downsample(filters, kind="batch"):
    def block(x):
        x = conv(filters, True)(x)
        x = normalise(kind)(x) if kind else x
        return layers.LeakyReLU(0.2)(x)

    return block


@refused("6.2", "normalised whatever kind says", "leaves the normalisation out")
def downsample(filters, kind="batch"):
    return lambda x: layers.LeakyReLU(0.2)(normalise()(conv(filters, kind is None)(x)))


@refused("6.2", "a plain ReLU", "nothing is learned")
def downsample(filters, kind="batch"):
    return lambda x: layers.ReLU()(conv(filters, True)(x))


@refused("6.2", "Keras's own leak", "Keras's own leak is 0.3")
def downsample(filters, kind="batch"):
    return lambda x: layers.LeakyReLU()(conv(filters, True)(x))


@refused("6.2", "activation before the normalisation", "before the ReLU, not after")
def downsample(filters, kind="batch"):
    def block(x):
        x = layers.LeakyReLU(0.2)(conv(filters, kind is None)(x))
        return normalise(kind)(x) if kind else x

    return block


@refused("6.2", "always batch", "makes the layer that is asked for")
def downsample(filters, kind="batch"):
    def block(x):
        x = conv(filters, kind is None)(x)
        x = layers.BatchNormalization()(x) if kind else x
        return layers.LeakyReLU(0.2)(x)

    return block


@refused("6.2", "Keras's own start", "kernel_initializer=normal()")
def downsample(filters, kind="batch"):
    def block(x):
        x = conv(filters, kind is None, kernel_initializer="glorot_uniform")(x)
        x = normalise(kind)(x) if kind else x
        return layers.LeakyReLU(0.2)(x)

    return block


@refused("6.2", "3×3, as elsewhere", "4×4")
def downsample(filters, kind="batch"):
    return lambda x: layers.LeakyReLU(0.2)(conv(filters, True, width=3)(x))


@accepted("6.2", "as a Sequential")
def downsample(filters, kind="batch"):
    parts = [conv(filters, not kind)]
    if kind is not None:
        parts.append(normalise(kind))
    return keras.Sequential([*parts, layers.LeakyReLU(negative_slope=0.2)])


# 6.3


@refused("6.3", "widths added up", "each adds width - 1")
def receptive_field(convolutions):
    return sum(width for width, _ in convolutions) or 1


@refused("6.3", "strides forgotten", "strides matter")
def receptive_field(convolutions):
    return 1 + sum(width - 1 for width, _ in convolutions)


@refused("6.3", "the stride before the width", "One convolution of width 4")
def receptive_field(convolutions):
    field = spacing = 1
    for width, stride in convolutions:
        spacing *= stride
        field += (width - 1) * spacing
    return field


@refused("6.3", "strides not multiplied", "product of all strides")
def receptive_field(convolutions):
    field = spacing = 1
    for width, stride in convolutions:
        field += (width - 1) * spacing
        spacing = stride
    return field


@refused("6.3", "fields multiplied", "Fields do not multiply")
def receptive_field(convolutions):
    field = 1
    for width, _ in convolutions:
        field *= width
    return field


@refused("6.3", "from the network outwards, the list as it is", "order is the photo's")
def receptive_field(convolutions):
    field = 1
    for width, stride in convolutions:  # reversed is right
        field = (field - 1) * stride + width
    return field


@refused("6.3", "nothing sees nothing", "a pixel sees itself")
def receptive_field(convolutions):
    field, spacing = 0, 1
    for width, stride in convolutions:
        field += (width - 1) * spacing
        spacing *= stride
    return field


@accepted("6.3", "from the network outwards")
def receptive_field(convolutions):
    field = 1
    for width, stride in reversed(convolutions):
        field = (field - 1) * stride + width
    return field


# 6.4


@refused("6.4", "every level from x", "not x")
def contract(x, widths, kind="batch"):
    return [down(width, kind)(x) for width in widths]


@refused("6.4", "the end alone", "as a list")
def contract(x, widths, kind="batch"):
    for width in widths:
        x = down(width, kind)(x)
    return x


@refused("6.4", "kept before the block", "after its block")
def contract(x, widths, kind="batch"):
    features = []
    for width in widths:
        features.append(x)
        x = down(width, kind)(x)
    return features


@refused("6.4", "smallest first", "The largest comes first")
def contract(x, widths, kind="batch"):
    features = []
    for width in widths:
        x = down(width, kind)(x)
        features.insert(0, x)
    return features


@refused("6.4", "the last level normalised", "normalised, it is 0")
def contract(x, widths, kind="batch"):
    features = []
    for level, width in enumerate(widths):
        x = down(width, kind if level else None)(x)
        features.append(x)
    return features


@refused("6.4", "the first level normalised", "own brightness")
def contract(x, widths, kind="batch"):
    features = []
    for level, width in enumerate(widths):
        x = down(width, None if level == len(widths) - 1 else kind)(x)
        features.append(x)
    return features


@refused("6.4", "all normalised", "Neither the first level nor the last")
def contract(x, widths, kind="batch"):
    features = []
    for width in widths:
        x = down(width, kind)(x)
        features.append(x)
    return features


@refused("6.4", "kind forgotten", "hand it on")
def contract(x, widths, kind="batch"):
    features = []
    for level, width in enumerate(widths):
        ends = level in (0, len(widths) - 1)
        x = down(width, None)(x) if ends else down(width)(x)
        features.append(x)
    return features


@refused("6.4", "levels counted from 1", "Levels count from 0")
def contract(x, widths, kind="batch"):
    features = []
    for level, width in enumerate(widths):
        x = down(width, kind if 1 < level < len(widths) - 1 else None)(x)
        features.append(x)
    return features


@refused("6.4", "x handed to the maker", "call that on x")
def contract(x, widths, kind="batch"):
    return [down(x, width, kind) for width in widths]


@accepted("6.4", "first, middle and last apart")
def contract(x, widths, kind="batch"):
    first, *middle, last = widths
    features = [down(first, None)(x)]
    for width in middle:
        features.append(down(width, kind)(features[-1]))
    return (*features, down(last, None)(features[-1]))


# 6.5


def transposed(filters, bias=False, stride=2, padding="same", **kwargs):
    kwargs = {"kernel_initializer": normal()} | kwargs
    return layers.Conv2DTranspose(filters, 4, stride, padding, use_bias=bias, **kwargs)


@refused("6.5", "a convolution of stride 2", "That halves")
def upsample(filters, kind="batch", dropout=0.0):
    return lambda x: layers.ReLU()(normalise(kind)(conv(filters, False)(x)))


@refused("6.5", "without padding", "over the edge")
def upsample(filters, kind="batch", dropout=0.0):
    return lambda x: layers.ReLU()(normalise(kind)(transposed(filters, padding="valid")(x)))


@refused("6.5", "no stride", "Nothing is doubled")
def upsample(filters, kind="batch", dropout=0.0):
    return lambda x: layers.ReLU()(normalise(kind)(transposed(filters, stride=1)(x)))


@refused("6.5", "with a bias", "use_bias=False")
def upsample(filters, kind="batch", dropout=0.0):
    return lambda x: layers.ReLU()(normalise(kind)(transposed(filters, True)(x)))


@refused("6.5", "always batch", "hand it on to normalise")
def upsample(filters, kind="batch", dropout=0.0):
    return lambda x: layers.ReLU()(normalise()(transposed(filters)(x)))


@refused("6.5", "leaky as on the way down", "the paper's ReLU does not")
def upsample(filters, kind="batch", dropout=0.0):
    return lambda x: layers.LeakyReLU(0.2)(normalise(kind)(transposed(filters)(x)))


@refused("6.5", "no activation", "The ReLU is missing")
def upsample(filters, kind="batch", dropout=0.0):
    return lambda x: normalise(kind)(transposed(filters)(x))


@refused("6.5", "dropout forgotten", "asks for a Dropout layer")
def upsample(filters, kind="batch", dropout=0.0):
    return lambda x: layers.ReLU()(normalise(kind)(transposed(filters)(x)))


@refused("6.5", "the part that stays taken for the part that goes", "the part that is dropped")
def upsample(filters, kind="batch", dropout=0.0):
    def block(x):
        x = layers.Dropout(1 - dropout)(normalise(kind)(transposed(filters)(x)))
        return layers.ReLU()(x)

    return block


@accepted("6.5", "dropout after the ReLU: what is dropped is 0 either way")
def upsample(filters, kind="batch", dropout=0.0):
    def block(x):
        x = layers.Activation("relu")(normalise(kind)(transposed(filters)(x)))
        return layers.Dropout(dropout)(x) if dropout else x

    return block


# 6.6


@refused("6.6", "skips in the order of the list", "smallest first")
def expand(features, kind="batch", dropout=0.5):
    *skips, x = features
    for skip in skips:
        x = layers.Concatenate()([up(skip.shape[-1], kind, dropout)(x), skip])
    return x


@refused("6.6", "skips added, as a ResNet does", "put beside, not added")
def expand(features, kind="batch", dropout=0.5):
    *skips, x = features
    for skip in reversed(skips):
        x = layers.Add()([up(skip.shape[-1], kind, dropout)(x), skip])
    return x


@refused("6.6", "takes the end out of the caller's list", "The caller's list has changed")
def expand(features, kind="batch", dropout=0.5):
    x = features.pop()
    for step, skip in enumerate(reversed(features)):
        x = up(skip.shape[-1], kind, dropout if step < 3 else 0)(x)
        x = layers.Concatenate()([x, skip])
    return x


@refused("6.6", "the skip first", "x comes first")
def expand(features, kind="batch", dropout=0.5):
    *skips, x = features
    for step, skip in enumerate(reversed(skips)):
        x = up(skip.shape[-1], kind, dropout if step < 3 else 0)(x)
        x = layers.Concatenate()([skip, x])
    return x


@refused("6.6", "one doubling too many", "It ends at the largest level")
def expand(features, kind="batch", dropout=0.5):
    *skips, x = features
    for skip in reversed(skips):
        x = layers.Concatenate()([up(skip.shape[-1], kind, dropout)(x), skip])
    return up(4, kind)(x)


@refused("6.6", "as wide as it comes", "skip.shape[-1]")
def expand(features, kind="batch", dropout=0.5):
    *skips, x = features
    for skip in reversed(skips):
        width = 3 if skip.shape[1] < 16 else 2
        x = layers.Concatenate()([up(width, kind, dropout)(x), skip])
    return x


@refused("6.6", "dropout everywhere", "Four are too many")
def expand(features, kind="batch", dropout=0.5):
    *skips, x = features
    for skip in reversed(skips):
        x = layers.Concatenate()([up(skip.shape[-1], kind, dropout)(x), skip])
    return x


@refused("6.6", "dropout at the outer end", "not the outermost three")
def expand(features, kind="batch", dropout=0.5):
    *skips, x = features
    for level, skip in reversed(list(enumerate(skips))):
        x = up(skip.shape[-1], kind, dropout if level < 3 else 0)(x)
        x = layers.Concatenate()([x, skip])
    return x


@refused("6.6", "dropout forgotten", "must reach upsample")
def expand(features, kind="batch", dropout=0.5):
    *skips, x = features
    for skip in reversed(skips):
        x = layers.Concatenate()([up(skip.shape[-1], kind)(x), skip])
    return x


@refused("6.6", "the largest level forgotten", "is a skip, too")
def expand(features, kind="batch", dropout=0.5):
    _, *skips, x = features
    for skip in reversed(skips):
        x = layers.Concatenate()([up(skip.shape[-1], kind, dropout)(x), skip])
    return x


@accepted("6.6", "counting levels from the inside")
def expand(features, kind="batch", dropout=0.5):
    x = features[-1]
    for level in range(len(features) - 2, -1, -1):
        inner = level >= len(features) - 4
        x = up(features[level].shape[-1], kind, dropout if inner else 0.0)(x)
        x = ops.concatenate([x, features[level]], axis=-1)
    return x


# 6.7


def innermost(contract, kind, widths=(4, 4, 4), photos=None):
    if photos is None:
        photos = np.random.default_rng(1).random((2, 8, 8, 3)).astype("float32")
    return ops.convert_to_numpy(contract(photos, list(widths), kind)[-1])


@refused("6.7", "asks for shapes only", "compare those of two photos")
def catch_blind(contract):
    assert innermost(contract, "instance").shape == (2, 1, 1, 4)


@refused("6.7", "looks with batch's moving statistics", 'blind at 1×1 with kind "instance"')
def catch_blind(contract):
    one, other = innermost(contract, "batch")
    assert (one != other).any()


@refused("6.7", "looks for zeros", "ask whether two photos differ")
def catch_blind(contract):
    assert innermost(contract, "instance").any()


@refused("6.7", "wants two calls to agree", "weights are random")
def catch_blind(contract):
    first, second = innermost(contract, "instance"), innermost(contract, "instance")
    np.testing.assert_allclose(first, second)


@accepted("6.7", "black and white, by a largest difference")
def catch_blind(contract):
    photos = np.zeros((2, 16, 16, 3), "float32")
    photos[1, 3:8] = 1
    black, white = innermost(contract, "instance", (2, 3, 4, 5), photos)
    assert np.abs(black - white).max() > 1e-6
