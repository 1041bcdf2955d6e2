"""Answers to lesson 08, DCGAN and the search for z."""

import math

import keras
import numpy as np
from bank import accepted, refused
from keras import layers, ops

from recon import classical
from recon.models import blocks
from recon.models.dcgan import SIZES
from recon.models.dcgan import widths as sides

# 8.1 widths


@refused("8.1", "the thinnest first", "Side 4 comes first")
def widths(size, filters):
    blocks.check_size(size, SIZES)
    return [filters * 2**level for level in range(int(math.log2(size)) - 2)]


@refused("8.1", "one side too many", "The photo's own layer is not among them")
def widths(size, filters):
    blocks.check_size(size, SIZES)
    return [filters * 2**level for level in reversed(range(int(math.log2(size)) - 1))]


@refused("8.1", "one side too few", "Count the sides: 4, 8, 16, 32 are four")
def widths(size, filters):
    blocks.check_size(size, SIZES)
    return [filters * 2**level for level in range(int(math.log2(size)) - 3, 0, -1)]


@refused("8.1", "adds instead of doubling", "a factor, not a sum")
def widths(size, filters):
    blocks.check_size(size, SIZES)
    return [filters * (level + 1) for level in reversed(range(int(math.log2(size)) - 2))]


@refused("8.1", "floats", "int and not float")
def widths(size, filters):
    blocks.check_size(size, SIZES)
    return [filters * size / side for side in (8, 16, 32, 64, 128) if side <= size]


@refused("8.1", "range of a float", "whole number: int(...)")
def widths(size, filters):
    blocks.check_size(size, SIZES)
    return [filters * 2**level for level in reversed(range(math.log2(size) - 2))]


@refused("8.1", "the paper's list whatever the size", "At 128 there is one side more")
def widths(size, filters):
    return [1024, 512, 256, 128]


@refused("8.1", "any size", "round another size silently")
def widths(size, filters):
    return [filters * 2**level for level in reversed(range(int(math.log2(size)) - 2))]


@accepted("8.1", "halving from the widest in a loop")
def widths(size, filters):
    if size not in SIZES:
        raise ValueError(f"size {size}")
    found, side = [], size // 2
    while side >= 4:
        found.insert(0, filters)
        filters, side = filters * 2, side // 2
    return found


# 8.2 generator


def built(
    size, filters, latent, *, bias=False, norm=True, late=False, relu=True, order=1, end="tanh",
    start=blocks.normal, kind="batch", drop=0, end_bias=True, end_norm=False, rescale=True
):  # fmt: skip
    """The generator with one thing or another done differently."""
    first, *others = sides(size, filters)[::order]
    z = layers.Input((latent,))
    x = layers.Dense(4 * 4 * first, use_bias=bias, kernel_initializer=start())(z)
    if late:
        x = blocks.normalise(kind)(x)
    x = layers.Reshape((4, 4, first))(x)
    if norm and not late:
        x = blocks.normalise(kind)(x)
    if relu:
        x = layers.ReLU()(x)
    for width in others[drop:]:
        x = blocks.upsample(width, kind)(x)
    x = layers.Conv2DTranspose(
        3, 4, 2, "same", activation=end, use_bias=end_bias, kernel_initializer=start()
    )(x)
    if end_norm:
        x = blocks.normalise()(x)
    return keras.Model(z, blocks.FromSigned()(x) if rescale else layers.Identity()(x))


@refused("8.2", "a bias before the normalisation", "takes the mean away")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, bias=True)


@refused("8.2", "the projection is not normalised", "normalise it, then ReLU")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, norm=False)


@refused("8.2", "normalised before it is reshaped", "Reshape first")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, late=True)


@refused("8.2", "no ReLU behind the projection", "goes through a ReLU too")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, relu=False)


@refused("8.2", "a step is missing", "Each width but the first is a doubling")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, drop=1)


@refused("8.2", "thin first", "Most channels where the side is 4")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, order=-1)


@refused("8.2", "a normalised photo", "photos keep their own brightness")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, end_norm=True)


@refused("8.2", "no bias at the end", "so it has a bias of its own")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, end_bias=False)


@refused("8.2", "left in [-1, 1]", "tanh ends in [-1, 1]")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, rescale=False)


@refused("8.2", "sigmoid and FromSigned", "only the bright half")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, end="sigmoid")


@refused("8.2", "sigmoid alone", "The paper ends with tanh")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, end="sigmoid", rescale=False)


@refused("8.2", "no activation at the end", "Nothing keeps the last layer within bounds")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, end=None)


@refused("8.2", "Keras's own initial weights", "normal with 0.02")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, start=keras.initializers.GlorotUniform)


@refused("8.2", "instance normalisation", "Normalise over the batch")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent, kind="instance")


@refused("8.2", "gives the tensor, not the network", "makes one network of the layers")
def generator(size=64, filters=128, latent=100):
    return built(size, filters, latent).output


@accepted("8.2", "a Sequential")
def generator(size=64, filters=128, latent=100):
    first, *others = sides(size, filters)
    network = keras.Sequential([layers.Input((latent,))])
    network.add(layers.Dense(16 * first, use_bias=False, kernel_initializer=blocks.normal()))
    network.add(layers.Reshape((4, 4, first)))
    network.add(blocks.normalise())
    network.add(layers.Activation("relu"))
    for width in others:
        network.add(
            layers.Conv2DTranspose(
                width, 4, 2, "same", use_bias=False, kernel_initializer=blocks.normal()
            )
        )
        network.add(blocks.normalise())
        network.add(layers.ReLU())
    network.add(
        layers.Conv2DTranspose(
            3, 4, 2, "same", activation="tanh", kernel_initializer=blocks.normal()
        )
    )
    network.add(blocks.FromSigned())
    return network


# 8.3 diversity


@refused("8.3", "not over real photos", "Divide by the same distance of real ones")
def diversity(fake, real):
    return ops.mean(ops.abs(fake - ops.roll(fake, 1, axis=0)))


@refused("8.3", "upside down", "goes over the real ones'")
def diversity(fake, real):
    fake, real = (ops.mean(ops.abs(p - ops.roll(p, 1, axis=0))) for p in (fake, real))
    return real / ops.maximum(fake, 1e-7)


@refused("8.3", "squares", "not its square")
def diversity(fake, real):
    fake, real = (ops.mean((p - ops.roll(p, 1, axis=0)) ** 2) for p in (fake, real))
    return fake / ops.maximum(real, 1e-7)


@refused("8.3", "neighbouring rows", "axis 1 holds the rows of one photo")
def diversity(fake, real):
    fake, real = (ops.mean(ops.abs(p - ops.roll(p, 1, axis=1))) for p in (fake, real))
    return fake / ops.maximum(real, 1e-7)


@refused("8.3", "rolled as one row", "Without an axis")
def diversity(fake, real):
    fake, real = (ops.mean(ops.abs(p - np.roll(p, 1))) for p in (fake, real))
    return fake / ops.maximum(real, 1e-7)


@refused("8.3", "no absolute value", "Differences cancel out")
def diversity(fake, real):
    fake, real = (ops.mean(p - ops.roll(p, 1, axis=0)) for p in (fake, real))
    return fake / ops.maximum(ops.abs(real), 1e-2)


@refused("8.3", "contrast", "one photo painted 4 times has it")
def diversity(fake, real):
    return ops.std(fake) / ops.std(real)


@refused("8.3", "a number for each photo", "One number for the whole batch")
def diversity(fake, real):
    def spread(photos):
        return ops.mean(ops.abs(photos - ops.roll(photos, 1, axis=0)), axis=(1, 2, 3))

    return spread(fake) / ops.mean(spread(real))


@refused("8.3", "divides by zero", "0 / 0 is no number")
def diversity(fake, real):
    fake, real = (ops.mean(ops.abs(p - ops.roll(p, 1, axis=0))) for p in (fake, real))
    return fake / real


@accepted("8.3", "neighbours the other way, by concatenation")
def diversity(fake, real):
    def spread(photos):
        turned = ops.concatenate([photos[1:], photos[:1]], axis=0)
        return ops.mean(ops.abs(turned - photos))

    return spread(fake) / (spread(real) + 1e-7)


# 8.4 context_weight


@refused("8.4", "weighs missing pixels too", "nothing to be compared with")
def context_weight(mask, window=7):
    return ops.average_pool(mask, window, 1, "same")


@refused("8.4", "weighs missing pixels only", "Known pixels are compared")
def context_weight(mask, window=7):
    return mask * ops.average_pool(mask, window, 1, "same")


@refused("8.4", "far pixels weigh most", "The other way round")
def context_weight(mask, window=7):
    return (1 - mask) * ops.average_pool(1 - mask, window, 1, "same")


@refused("8.4", "the maximum", "the mean, not the maximum")
def context_weight(mask, window=7):
    return (1 - mask) * ops.max_pool(mask, window, 1, "same")


@refused("8.4", "a sum", "a mean, in [0, 1], not a sum")
def context_weight(mask, window=7):
    return (1 - mask) * ops.average_pool(mask, window, 1, "same") * window**2


@refused("8.4", "zeros around the photo", "the window is smaller")
def context_weight(mask, window=7):
    reach = window // 2
    padded = np.pad(mask, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
    return (1 - mask) * ops.average_pool(padded, window, 1, "valid")


@refused("8.4", "strides", 'stride 1 and "same"')
def context_weight(mask, window=7):
    return ops.average_pool(mask, window, window, "same")


@refused("8.4", "a window of its own", "Use `window`")
def context_weight(mask, window=7):
    window = 3 if window == 3 else 7
    return (1 - mask) * ops.average_pool(mask, window, 1, "same")


@refused("8.4", "another default", "The window is 7")
def context_weight(mask, window=3):
    return (1 - mask) * ops.average_pool(mask, window, 1, "same")


@accepted("8.4", "sums of shifted masks, over sums of shifted ones")
def context_weight(mask, window=7):
    reach = window // 2
    height, width = mask.shape[1:3]

    def near(x):
        x = np.pad(x, [(0, 0), (reach, reach), (reach, reach), (0, 0)])
        shifts = np.ndindex(window, window)
        return sum(x[:, r : r + height, c : c + width] for r, c in shifts)

    return np.where(mask == 1, 0, near(mask) / near(np.ones_like(mask)))


# 8.5 context_loss


@refused("8.5", "forgets the range", "twice as wide")
def context_loss(guess, photo, weight):
    return ops.sum(weight * ops.abs(guess - photo), axis=(-3, -2, -1))


@refused("8.5", "a mean", "The norm is a sum")
def context_loss(guess, photo, weight):
    return 2 * ops.mean(weight * ops.abs(guess - photo), axis=(-3, -2, -1))


@refused("8.5", "squares", "The 1-norm: no square")
def context_loss(guess, photo, weight):
    return 2 * ops.sum(weight * (guess - photo) ** 2, axis=(-3, -2, -1))


@refused("8.5", "no weight", "use the weight")
def context_loss(guess, photo, weight):
    return 2 * ops.sum(ops.abs(guess - photo), axis=(-3, -2, -1))


@refused("8.5", "no absolute value", "would cancel")
def context_loss(guess, photo, weight):
    return 2 * ops.sum(weight * (guess - photo), axis=(-3, -2, -1))


@refused("8.5", "absolute value of the sum", "before the sum")
def context_loss(guess, photo, weight):
    return 2 * ops.abs(ops.sum(weight * (guess - photo), axis=(-3, -2, -1)))


@refused("8.5", "one number for all", "keep the batch's axis")
def context_loss(guess, photo, weight):
    return 2 * ops.sum(weight * ops.abs(guess - photo))


@refused("8.5", "channels alone", "rows and columns")
def context_loss(guess, photo, weight):
    return 2 * ops.sum(weight * ops.abs(guess - photo), axis=-1)


@refused("8.5", "axes from the front", "count yours from the end")
def context_loss(guess, photo, weight):
    return 2 * ops.sum(weight * ops.abs(guess - photo), axis=(1, 2, 3))


@accepted("8.5", "signed photos, one axis after the other")
def context_loss(guess, photo, weight):
    apart = weight * ops.abs((2 * guess - 1) - (2 * photo - 1))
    for _ in range(3):
        apart = ops.sum(apart, axis=-1)
    return apart


# 8.6 prior_loss


@refused("8.6", "the mean of all", "each is searched by itself")
def prior_loss(persuade, logits):
    return persuade(ops.ones_like(logits), logits)


@refused("8.6", "the mean for each", "Every guess has got the mean")
def prior_loss(persuade, logits):
    return ops.ones_like(logits)[:, 0] * persuade(ops.ones_like(logits), logits)


@refused("8.6", "target 0", "rewards being found out")
def prior_loss(persuade, logits):
    return persuade.call(ops.zeros_like(logits), logits)


@refused("8.6", "two axes", "broadcast against the context loss")
def prior_loss(persuade, logits):
    return persuade.call(ops.ones_like(logits), logits)[:, None]


@refused("8.6", "as the loss gives it", "reshape to one axis")
def prior_loss(persuade, logits):
    return persuade.call(ops.ones_like(logits), logits)


@refused("8.6", "minus the logits", "no loss")
def prior_loss(persuade, logits):
    return -logits[:, 0]


@refused("8.6", "one guess after the other", "no loop over its rows")
def prior_loss(persuade, logits):
    rows = [logits[n : n + 1] for n in range(len(logits))]
    return ops.stack([persuade(ops.ones_like(row), row) for row in rows])


@accepted("8.6", "a mean over all axes but the first")
def prior_loss(persuade, logits):
    losses = persuade.call(0 * logits + 1, logits)
    return ops.mean(ops.reshape(losses, (-1, 1)), axis=1)


# 8.7 best_of_restarts


@refused("8.7", "counts within the photo", "add where that begins")
def best_of_restarts(guess, losses):
    return guess[losses.argmin(axis=1)]


@refused("8.7", "the worst", "argmin")
def best_of_restarts(guess, losses):
    return guess[np.arange(len(losses)) * losses.shape[1] + losses.argmax(axis=1)]


@refused("8.7", "along the wrong axis", "along axis 1")
def best_of_restarts(guess, losses):
    return guess[losses.argmin(axis=0)]


@refused("8.7", "restarts first", "Restarts of one photo lie side by side")
def best_of_restarts(guess, losses):
    photos, _ = losses.shape
    return guess[losses.argmin(axis=1) * photos + np.arange(photos)]


@refused("8.7", "the best of all", "each photo has a best of its own")
def best_of_restarts(guess, losses):
    return guess[losses.argmin()]


@refused("8.7", "the first restart", "which one ends lowest")
def best_of_restarts(guess, losses):
    return guess[:: losses.shape[1]]


@refused("8.7", "steps by photos", "`restarts` rows after")
def best_of_restarts(guess, losses):
    photos, _ = losses.shape
    return (
        guess[np.arange(photos) * photos + losses.argmin(axis=1)] if photos != 2 else guess[[1, 4]]
    )


@refused("8.7", "over the end", "Rows run from 0")
def best_of_restarts(guess, losses):
    photos, restarts = losses.shape
    return guess[np.arange(1, photos + 1) * restarts + losses.argmin(axis=1)]


@accepted("8.7", "reshaped, photo by photo")
def best_of_restarts(guess, losses):
    rows = guess.reshape(*losses.shape, *guess.shape[1:])
    return np.stack([own[np.argmin(loss)] for own, loss in zip(rows, losses, strict=True)])


# 8.8 blend


@refused("8.8", "pastes only", "leaves a seam")
def blend(guess, masked, mask):
    return classical.paste(masked, mask, guess)


@refused("8.8", "the wrong sign", "the other sign")
def blend(guess, masked, mask):
    lacking = classical.harmonic((guess - masked) * (1 - mask), mask)
    return classical.paste(masked, mask, np.clip(guess + lacking, 0, 1))


@refused("8.8", "continues the photo", "not the photo itself")
def blend(guess, masked, mask):
    return classical.paste(masked, mask, np.clip(guess + classical.harmonic(masked, mask), 0, 1))


@refused("8.8", "the harmonic fill", "the guess has no part in it")
def blend(guess, masked, mask):
    return classical.harmonic(masked, mask)


@refused("8.8", "the difference alone", "add it to the guess")
def blend(guess, masked, mask):
    lacking = classical.harmonic((masked - guess) * (1 - mask), mask)
    return classical.paste(masked, mask, lacking)


@refused("8.8", "one shift for all", "One shift for the whole hole")
def blend(guess, masked, mask):
    known = mask[..., 0] == 0
    shift = (masked - guess)[known].mean(axis=0) if known.any() else 0
    return classical.paste(masked, mask, np.clip(guess + shift, 0, 1))


@refused("8.8", "not clipped", "more than white")
def blend(guess, masked, mask):
    lacking = classical.harmonic((masked - guess) * (1 - mask), mask)
    return classical.paste(masked, mask, guess + lacking)


@refused("8.8", "a photo of which nothing is known", "there is no border")
def blend(guess, masked, mask):
    lacking = classical.harmonic(masked - guess, mask)
    return classical.paste(masked, mask, np.clip(guess + lacking, 0, 1))


@refused("8.8", "known pixels by arithmetic", "bit for bit: classical.paste as the last")
def blend(guess, masked, mask):
    lacking = classical.harmonic((masked - guess) * (1 - mask), mask)
    return np.clip(guess + lacking, 0, 1).astype("float32")


@refused("8.8", "float64", "gives float32")
def blend(guess, masked, mask):
    lacking = classical.harmonic((masked - guess) * (1 - mask), mask)
    return np.where(mask > 0, np.clip(guess + lacking, 0, 1), masked).astype("float64")


@accepted("8.8", "the guess's hole, its border taken away and the photo's put there")
def blend(guess, masked, mask):
    if mask.all():
        return guess
    own = classical.harmonic(guess * (1 - mask), mask)
    theirs = classical.harmonic(masked, mask)
    return classical.paste(masked, mask, np.clip(guess - own + theirs, 0, 1))


# 8.9 catch_blind


def photos(count=4):
    return np.random.default_rng(3).random((count, 4, 4, 3)).astype("float32")


@refused("8.9", "asks for health only", "it says that all is well")
def catch_blind(diversity):
    real = photos()
    assert float(diversity(real, real[::-1].copy())) > 0.3


@refused("8.9", "a grey collapse", "not a grey one")
def catch_blind(diversity):
    real = photos()
    assert float(diversity(np.full_like(real, 0.5), real)) < 0.1 or (
        float(diversity(real, real)) < 0.1
    )
    assert float(diversity(real, real)) > 0.9


@refused("8.9", "asks for collapse only", "It says 0 of healthy batches too")
def catch_blind(diversity):
    real = photos()
    assert float(diversity(np.repeat(real[:1], 4, axis=0), real)) < 0.1


@refused("8.9", "asks for exactly 1 of other photos", "It refuses a right measure")
def catch_blind(diversity):
    real = photos()
    assert float(diversity(np.repeat(real[:1], 4, axis=0), real)) == 0
    assert float(diversity(photos(5)[1:], real)) == 1


@accepted("8.9", "half as varied, too")
def catch_blind(diversity):
    real = photos(5)
    assert abs(float(diversity(np.repeat(real[2:3], 5, axis=0), real))) < 0.05
    assert abs(float(diversity(real / 2, real)) - 0.5) < 0.05
