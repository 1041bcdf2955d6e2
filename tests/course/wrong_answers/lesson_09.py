"""Answers to lesson 09, CycleGAN."""

import numpy as np
from bank import accepted, refused
from keras import layers, ops

from recon.models import blocks
from recon.models.cyclegan import ReflectionPadding, convolve, half, put

# 9.1 instance_normalise


def normalised(x, scale, offset, epsilon=1e-3, axis=(1, 2)):
    mean = ops.mean(x, axis=axis, keepdims=True)
    variance = ops.var(x, axis=axis, keepdims=True)
    return scale * (x - mean) / ops.sqrt(variance + epsilon) + offset


@refused("9.1", "over the batch", "That is batch normalisation")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    return normalised(x, scale, offset, epsilon, (0, 1, 2))


@refused("9.1", "over channels too", "layer normalisation")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    return normalised(x, scale, offset, epsilon, (1, 2, 3))


@refused("9.1", "over channels", "axis 3 holds the channels")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    return normalised(x, scale, offset, epsilon, 3)


@refused("9.1", "divides by the variance", "the root of the variance")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    mean = ops.mean(x, axis=(1, 2), keepdims=True)
    variance = ops.var(x, axis=(1, 2), keepdims=True)
    return scale * (x - mean) / (variance + epsilon) + offset


@refused("9.1", "epsilon outside the root", "under the root")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    mean = ops.mean(x, axis=(1, 2), keepdims=True)
    spread = ops.std(x, axis=(1, 2), keepdims=True)
    return scale * (x - mean) / (spread + epsilon) + offset


@refused("9.1", "no epsilon", "would divide by 0")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    return normalised(x, scale, offset, 0)


@refused("9.1", "neither scale nor offset", "Scale and offset are learned")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    return normalised(x, 1, 0, epsilon)


@refused("9.1", "offset before the scale", "First the scale")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    return scale * (normalised(x, 1, 0, epsilon) + offset)


@refused("9.1", "an epsilon of its own", "Use `epsilon`")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    return normalised(x, scale, offset)


@refused("9.1", "axes dropped", "keepdims=True")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    mean, variance = ops.mean(x, axis=(1, 2)), ops.var(x, axis=(1, 2))
    return scale * (x - mean) / ops.sqrt(variance + epsilon) + offset


@accepted("9.1", "photo by photo, with the mean of the squares")
def instance_normalise(x, scale, offset, epsilon=1e-3):
    done = []
    for photo in x:
        mean = ops.mean(photo, axis=(0, 1))
        variance = ops.mean(photo * photo, axis=(0, 1)) - mean * mean
        done.append((photo - mean) * scale * ops.rsqrt(variance + epsilon) + offset)
    return ops.stack(done)


# 9.2 residual


def second(filters, padding="valid", bias=False, start=blocks.normal):
    return layers.Conv2D(filters, 3, padding=padding, use_bias=bias, kernel_initializer=start())


@refused("9.2", "zeros around", "a border that the network sees")
def residual(filters):
    def block(x):
        y = second(filters, "same")(convolve(filters, 3)(x))
        return layers.Add()([x, blocks.normalise("instance")(y)])

    return block


@refused("9.2", "no padding", "pad first")
def residual(filters):
    def block(x):
        y = second(filters)(convolve(filters, 3)(x))
        return layers.Add()([x, blocks.normalise("instance")(y)])

    return block


@refused("9.2", "a ReLU behind the sum", "No ReLU behind the sum")
def residual(filters):
    def block(x):
        y = second(filters)(ReflectionPadding()(convolve(filters, 3)(x)))
        return layers.ReLU()(layers.Add()([x, blocks.normalise("instance")(y)]))

    return block


@refused("9.2", "two times convolve", "A ReLU before the sum")
def residual(filters):
    def block(x):
        return layers.Add()([x, convolve(filters, 3)(convolve(filters, 3)(x))])

    return block


@refused("9.2", "not residual", "added to what came in")
def residual(filters):
    def block(x):
        y = second(filters)(ReflectionPadding()(convolve(filters, 3)(x)))
        return blocks.normalise("instance")(y)

    return block


@refused("9.2", "a bias", "any bias: use_bias=False")
def residual(filters):
    def block(x):
        y = second(filters, bias=True)(ReflectionPadding()(convolve(filters, 3)(x)))
        return layers.Add()([x, blocks.normalise("instance")(y)])

    return block


@refused("9.2", "one normalisation", "the second too")
def residual(filters):
    def block(x):
        return layers.Add()([x, second(filters)(ReflectionPadding()(convolve(filters, 3)(x)))])

    return block


@refused("9.2", "batch normalisation", "Each photo by itself")
def residual(filters):
    def block(x):
        y = second(filters)(ReflectionPadding()(convolve(filters, 3)(x)))
        return layers.Add()([x, blocks.normalise()(y)])

    return block


@refused("9.2", "one convolution", "Two convolutions of 3×3")
def residual(filters):
    def block(x):
        y = second(filters)(ReflectionPadding()(x))
        return layers.Add()([x, blocks.normalise("instance")(y)])

    return block


@refused("9.2", "no ReLU between", "Between the convolutions stands a ReLU")
def residual(filters):
    def block(x):
        y = x
        for _ in range(2):
            y = blocks.normalise("instance")(second(filters)(ReflectionPadding()(y)))
        return layers.Add()([x, y])

    return block


@refused("9.2", "Keras's own initial weights", "normal with 0.02")
def residual(filters):
    def block(x):
        y = layers.Conv2D(filters, 3, use_bias=False)(ReflectionPadding()(convolve(filters, 3)(x)))
        return layers.Add()([x, blocks.normalise("instance")(y)])

    return block


@refused("9.2", "block is not returned but called", "`return block`")
def residual(filters):
    return "block"


@accepted("9.2", "all layers written out, the sum by +")
def residual(filters):
    def block(x):
        y = ReflectionPadding(1)(x)
        y = second(filters)(y)
        y = layers.ReLU()(blocks.normalise("instance")(y))
        y = blocks.normalise("instance")(second(filters)(ReflectionPadding(1)(y)))
        return y + x

    return block


# 9.3 unpaired


@refused("9.3", "the same half", "No photo may be there both ways")
def unpaired(masked, complete):
    n = half(complete)
    return masked[:n], complete[:n]


@refused("9.3", "everything", "Half of the batch each")
def unpaired(masked, complete):
    half(complete)
    return masked, complete


@refused("9.3", "halves swapped", "The guess in `y_pred`")
def unpaired(masked, complete):
    n = half(complete)
    return masked[n:], complete[:n]


@refused("9.3", "complete ones first", "Masked photos first")
def unpaired(masked, complete):
    n = half(complete)
    return complete[n:], masked[:n]


@refused("9.3", "an odd batch is cut", "Three photos have no half")
def unpaired(masked, complete):
    n = len(complete) // 2
    return masked[:n], complete[n : 2 * n]


@refused("9.3", "turned round", "in order: complete[n:]")
def unpaired(masked, complete):
    n = half(complete)
    return masked[:n], complete[: n - 1 : -1]


@accepted("9.3", "by splitting")
def unpaired(masked, complete):
    if len(complete) % 2:
        raise ValueError("odd")
    first, _ = np.split(np.asarray(masked), 2)
    _, last = np.split(np.asarray(complete), 2)
    return first, last


# 9.4 cycle_loss


@refused("9.4", "forgets the range", "twice as wide")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    return distance(masked, to_masked(guess)) + distance(complete, to_complete(hidden))


@refused("9.4", "one way", "complete → masked → complete counts")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    return 2 * distance(masked, to_masked(guess))


@refused("9.4", "the same generator twice", "the other one leads back")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    return 2 * (distance(masked, to_complete(guess)) + distance(complete, to_masked(hidden)))


@refused("9.4", "against the other photo", "not with the other one")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    return 2 * (distance(complete, to_masked(guess)) + distance(masked, to_complete(hidden)))


@refused("9.4", "against the stop in between", "where the way began")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    return 2 * (distance(guess, to_masked(guess)) + distance(hidden, to_complete(hidden)))


@refused("9.4", "half of the way", "comes home again")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    return 2 * (distance(masked, guess) + distance(complete, hidden))


@refused("9.4", "makes the fakes again", "two more calls")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    there, here = to_masked(to_complete(masked)), to_complete(to_masked(complete))
    return 2 * (distance(masked, there) + distance(complete, here))


@refused("9.4", "fakes swapped", "yours are swapped")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    return 2 * (distance(masked, to_masked(hidden)) + distance(complete, to_complete(guess)))


@refused("9.4", "a distance of its own", "the truth first, then the prediction")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    return 2 * (
        ops.mean(ops.abs(masked - to_masked(guess)))
        + ops.mean(ops.abs(complete - to_complete(hidden)))
    )


@accepted("9.4", "in [-1, 1], in a loop")
def cycle_loss(distance, masked, complete, guess, hidden, to_complete, to_masked):
    total = 0.0
    for photo, fake, back in ((masked, guess, to_masked), (complete, hidden, to_complete)):
        total = total + distance(photo, back(fake)) + distance(photo, back(fake))
    return total


# 9.5 identity_loss


@refused("9.5", "photos of the wrong kind", "complete ones it must leave as they are")
def identity_loss(distance, masked, complete, to_complete, to_masked):
    return 2 * (distance(masked, to_complete(masked)) + distance(complete, to_masked(complete)))


@refused("9.5", "forgets the range", "twice as wide")
def identity_loss(distance, masked, complete, to_complete, to_masked):
    return distance(masked, to_masked(masked)) + distance(complete, to_complete(complete))


@refused("9.5", "one generator", "to_masked, too")
def identity_loss(distance, masked, complete, to_complete, to_masked):
    return 2 * distance(complete, to_complete(complete))


@refused("9.5", "the cycle", "each photo passes one generator")
def identity_loss(distance, masked, complete, to_complete, to_masked):
    there, here = to_masked(to_complete(masked)), to_complete(to_masked(complete))
    return 2 * (distance(masked, there) + distance(complete, here))


@refused("9.5", "against the other photo", "not with the other one")
def identity_loss(distance, masked, complete, to_complete, to_masked):
    return 2 * (distance(complete, to_masked(masked)) + distance(masked, to_complete(complete)))


@refused("9.5", "prediction first", "the truth first, then the prediction")
def identity_loss(distance, masked, complete, to_complete, to_masked):
    return 2 * (distance(to_masked(masked), masked) + distance(to_complete(complete), complete))


@accepted("9.5", "a sum over both")
def identity_loss(distance, masked, complete, to_complete, to_masked):
    both = ((masked, to_masked), (complete, to_complete))
    return sum(2 * distance(photo, same(photo)) for photo, same in both)


# 9.6 exchange


def drawn(photos, count, new, place, older, *, early=False, next_place=True, keep=True, tails=False,
          stay=False, late=0):  # fmt: skip
    """The pool with one thing or another done differently."""
    filling = count + late < len(photos)
    place = count if filling and next_place else place
    swap = bool(older) and (early or not filling)
    old = photos[place]
    held = photos
    if (filling and keep) or (swap and not stay) or (tails and not filling):
        held = put(photos, place, new)
    return held, old if swap else new


@refused("9.6", "always the newest", "no memory")
def exchange(photos, count, new, place, older):
    return put(photos, count if count < len(photos) else place, new), new


@refused("9.6", "old ones before it is full", "nothing old is shown")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older, early=True, next_place=False)


@refused("9.6", "black photos before it is full", "no generator made")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older, early=True)


@refused("9.6", "a filling pool keeps at the drawn place", "a filling one has a next one")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older, next_place=False)


@refused("9.6", "a filling pool keeps nothing", "never full")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older, keep=False)


@refused("9.6", "shown and not replaced", "or the pool ages")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older, stay=True)


@refused("9.6", "tails is kept too", "what is shown is not kept")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older, tails=True)


@refused("9.6", "full one too early", "one is free still")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older, late=1)


@refused("9.6", "shown first", "The pool's photos come first")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older)[::-1]


@refused("9.6", "only what is shown", "Two things come back")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, older)[1]


@refused("9.6", "heads and tails swapped", "an old one comes with heads only")
def exchange(photos, count, new, place, older):
    return drawn(photos, count, new, place, not older)


@accepted("9.6", "masks instead of places")
def exchange(photos, count, new, place, older):
    size = photos.shape[0]
    full = ops.cast(count >= size, "float32")
    swap = full * ops.cast(older, "float32")
    where = full * ops.cast(place, "float32") + (1 - full) * ops.cast(count, "float32")
    here = ops.cast(ops.arange(size) == ops.cast(where, "int32"), "float32")
    here = ops.reshape(here, (size, 1, 1, 1))
    old = ops.sum(here * photos, axis=0)
    write = here * (1 - full + swap)
    return photos * (1 - write) + new * write, swap * old + (1 - swap) * new


# 9.7 catch_newest


def pool():
    return np.stack([np.full((2, 2, 3), n, "float32") for n in (1, 2, 3)])


NEW = np.full((2, 2, 3), 9, "float32")


@refused("9.7", "asks a filling pool", "and yours is content")
def catch_newest(exchange):
    held, shown = exchange(pool(), 1, NEW, 0, True)
    assert np.allclose(shown, 9)
    assert np.allclose(held[1], 9)


@refused("9.7", "never looks into the pool", "never lets a new one in")
def catch_newest(exchange):
    _, shown = exchange(pool(), 3, NEW, 1, True)
    assert np.allclose(shown, 2)


@refused("9.7", "never tosses tails", "It shows an old fake always")
def catch_newest(exchange):
    held, shown = exchange(pool(), 3, NEW, 1, True)
    assert np.allclose(shown, 2)
    assert np.allclose(held[1], 9)


@refused("9.7", "wants old ones always", "It refuses a right pool")
def catch_newest(exchange):
    for older in (False, True):
        _, shown = exchange(pool(), 3, NEW, 1, older)
        assert np.allclose(shown, 2)


@accepted("9.7", "shows a pool many, and counts")
def catch_newest(exchange):
    photos, seen = pool(), []
    for number in range(20):
        new = np.full((2, 2, 3), 10.0 + number, "float32")
        before = np.array(photos)
        photos, shown = exchange(photos, 3 + number, new, number % 3, number % 2 == 0)
        expected = before[number % 3] if number % 2 == 0 else new
        assert np.allclose(shown, expected)
        seen.append(float(np.array(shown)[0, 0, 0]))
    assert sum(value >= 10 for value in seen) > 15
