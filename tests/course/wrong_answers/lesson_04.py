"""Lesson 04: the U-Net that minimises RMSE."""

import numpy as np
from bank import accepted, refused
from keras import layers, ops

from recon.models.unet import convolution, mirrored

# 4.1 conditional_mean


def shares(d, width):
    weight = np.exp(-(d - d.min()) / (2 * width**2))
    return weight / weight.sum()


def differences(masked, mask, photos):
    known = 1 - mask
    return np.sum(known * (photos - masked) ** 2, axis=(1, 2, 3)) / (3 * np.sum(known))


@refused("4.1", "the hole's black is compared too", "In the hole masked is black")
def conditional_mean(masked, mask, photos, width):
    d = np.mean((photos - masked) ** 2, axis=(1, 2, 3))
    return np.tensordot(shares(d, width), photos, axes=1)


@refused("4.1", "the missing pixels are compared", "what is known is 1 - mask")
def conditional_mean(masked, mask, photos, width):
    d = np.sum(mask * (photos - masked) ** 2, axis=(1, 2, 3)) / (3 * mask.sum())
    return np.tensordot(shares(d, width), photos, axes=1)


@refused("4.1", "differences are summed", "A sum grows with the photo")
def conditional_mean(masked, mask, photos, width):
    d = np.sum((1 - mask) * (photos - masked) ** 2, axis=(1, 2, 3))
    return np.tensordot(shares(d, width), photos, axes=1)


@refused("4.1", "the mean counts the zeros of the hole", "not of all")
def conditional_mean(masked, mask, photos, width):
    d = np.mean((1 - mask) * (photos - masked) ** 2, axis=(1, 2, 3))
    return np.tensordot(shares(d, width), photos, axes=1)


@refused("4.1", "channels are forgotten in the count", "A pixel is three values")
def conditional_mean(masked, mask, photos, width):
    return np.tensordot(shares(3 * differences(masked, mask, photos), width), photos, axes=1)


@refused("4.1", "the width is not squared", "The width is squared")
def conditional_mean(masked, mask, photos, width):
    return np.tensordot(shares(differences(masked, mask, photos), width**0.5), photos, axes=1)


@refused("4.1", "the 2 is forgotten", "A bell curve has a 2 in it")
def conditional_mean(masked, mask, photos, width):
    return np.tensordot(shares(2 * differences(masked, mask, photos), width), photos, axes=1)


@refused("4.1", "the root of the difference", "no root")
def conditional_mean(masked, mask, photos, width):
    return np.tensordot(shares(differences(masked, mask, photos) ** 0.5, width), photos, axes=1)


@refused("4.1", "the sign is forgotten", "a photo that differs more counts less")
def conditional_mean(masked, mask, photos, width):
    return np.tensordot(shares(-differences(masked, mask, photos), width), photos, axes=1)


@refused("4.1", "weights do not sum to 1", "Weights must sum to 1")
def conditional_mean(masked, mask, photos, width):
    weight = np.exp(-differences(masked, mask, photos) / (2 * width**2))
    return np.tensordot(weight, photos, axes=1)


@refused("4.1", "the nearest photo alone", "the one photo that agrees best")
def conditional_mean(masked, mask, photos, width):
    return photos[np.argmin(differences(masked, mask, photos))]


@refused("4.1", "all photos alike", "their difference must matter")
def conditional_mean(masked, mask, photos, width):
    return photos.mean(axis=0)


@refused("4.1", "no number where all weights are too small", "subtract the smallest")
def conditional_mean(masked, mask, photos, width):
    weight = np.exp(-differences(masked, mask, photos) / (2 * width**2))
    with np.errstate(invalid="ignore"):
        return np.tensordot(weight / weight.sum(), photos, axes=1)


@refused("4.1", "weighted photos are not added up", "The mean over the photos is missing")
def conditional_mean(masked, mask, photos, width):
    return shares(differences(masked, mask, photos), width)[:, None, None, None] * photos


@refused("4.1", "one difference per pixel", "One difference per photo")
def conditional_mean(masked, mask, photos, width):
    d = np.sum((1 - mask) * (photos - masked) ** 2, axis=(0, 3))
    return np.sum(shares(d, width) * photos, axis=0)


@accepted("4.1", "photo by photo")
def conditional_mean(masked, mask, photos, width):
    known = np.repeat(mask == 0, 3, axis=-1)
    d = [np.mean((photo[known] - masked[known]) ** 2) for photo in photos]
    weight = [np.exp((min(d) - one) / (2 * width * width)) for one in d]
    return sum(w * photo for w, photo in zip(weight, photos, strict=True)) / sum(weight)


# 4.2 mse_in_holes


@refused("4.2", "all pixels count", "Known pixels are pasted back")
def mse_in_holes(photo, guess, mask):
    return ops.mean(ops.square(photo - guess))


@refused("4.2", "known pixels count as right", "a photo with a small hole has a small")
def mse_in_holes(photo, guess, mask):
    return ops.mean(mask * ops.square(photo - guess))


@refused("4.2", "channels are forgotten in the count", "Three times too large")
def mse_in_holes(photo, guess, mask):
    return ops.sum(mask * ops.square(photo - guess)) / ops.sum(mask)


@refused("4.2", "the mask is read the other way round", "That is the error of the known pixels")
def mse_in_holes(photo, guess, mask):
    known = 1 - mask
    return ops.sum(known * ops.square(photo - guess)) / (3 * ops.sum(known))


@refused("4.2", "a root is taken", "No root")
def mse_in_holes(photo, guess, mask):
    return ops.sqrt(ops.sum(mask * ops.square(photo - guess)) / (3 * ops.sum(mask)))


@refused("4.2", "absolute error", "the median, not the mean")
def mse_in_holes(photo, guess, mask):
    return ops.sum(mask * ops.abs(photo - guess)) / (3 * ops.sum(mask))


@refused("4.2", "a sum", "A mean, not a sum")
def mse_in_holes(photo, guess, mask):
    return ops.sum(mask * ops.square(photo - guess))


@refused("4.2", "the mean of the photos' means", "one sum over all")
def mse_in_holes(photo, guess, mask):
    error = ops.sum(mask * ops.square(photo - guess), axis=(1, 2, 3))
    return ops.mean(error / (3 * ops.sum(mask, axis=(1, 2, 3))))


@refused("4.2", "a number per photo", "That is a number per photo")
def mse_in_holes(photo, guess, mask):
    error = ops.sum(mask * ops.square(photo - guess), axis=(1, 2, 3))
    return error / (3 * ops.sum(mask, axis=(1, 2, 3)))


@refused("4.2", "a number per pixel", "That is a number per pixel")
def mse_in_holes(photo, guess, mask):
    return ops.mean(mask * ops.square(photo - guess), axis=-1)


@accepted("4.2", "two sums")
def mse_in_holes(photo, guess, mask):
    error = mask * (photo - guess) ** 2
    return ops.sum(error) / (ops.sum(mask) * photo.shape[-1])


@accepted("4.2", "the channels' mean first")
def mse_in_holes(photo, guess, mask):
    error = ops.mean(ops.square(guess - photo), axis=-1, keepdims=True)
    return ops.sum(error * mask) / ops.sum(mask)


# 4.3 halve_known


@refused("4.3", "holes count as black", "divide by the share of the four")
def halve_known(colour, known):
    weight = ops.average_pool(known, 2, 2)
    return ops.average_pool(colour * known, 2, 2), ops.cast(weight > 0, "float32")


@refused("4.3", "holes are averaged in", "What the colour holds in the holes gets in")
def halve_known(colour, known):
    weight = ops.average_pool(known, 2, 2)
    return ops.average_pool(colour, 2, 2), ops.cast(weight > 0, "float32")


@refused("4.3", "holes are averaged in and the mean divided", "holes add their colour")
def halve_known(colour, known):
    weight = ops.average_pool(known, 2, 2)
    colour = ops.average_pool(colour, 2, 2) / ops.maximum(weight, 0.25)
    return colour, ops.cast(weight > 0, "float32")


@refused("4.3", "0 is divided by 0", "0 is divided by 0")
def halve_known(colour, known):
    weight = ops.average_pool(known, 2, 2)
    return ops.average_pool(colour * known, 2, 2) / weight, ops.cast(weight > 0, "float32")


@refused("4.3", "every second pixel", "Every second pixel is no mean")
def halve_known(colour, known):
    return colour[:, ::2, ::2], known[:, ::2, ::2]


@refused("4.3", "a sum of colours", "the sum of the known colours: divide")
def halve_known(colour, known):
    weight = ops.average_pool(known, 2, 2)
    return 4 * ops.average_pool(colour * known, 2, 2), ops.cast(weight > 0, "float32")


@refused("4.3", "a mean divided by a sum", "Four times too dark")
def halve_known(colour, known):
    count = 4 * ops.average_pool(known, 2, 2)
    colour = ops.average_pool(colour * known, 2, 2) / ops.maximum(count, 1)
    return colour, ops.cast(count > 0, "float32")


def halved_colour(colour, known):
    weight = ops.average_pool(known, 2, 2)
    return ops.average_pool(colour * known, 2, 2) / ops.maximum(weight, 0.25), weight


@refused("4.3", "known is a share", "That is the share that is known")
def halve_known(colour, known):
    return halved_colour(colour, known)


@refused("4.3", "known needs all four", "else holes grow")
def halve_known(colour, known):
    halved, weight = halved_colour(colour, known)
    return halved, ops.cast(weight == 1, "float32")


@refused("4.3", "known is what is missing", "yours says what is missing")
def halve_known(colour, known):
    halved, weight = halved_colour(colour, known)
    return halved, ops.cast(weight == 0, "float32")


@refused("4.3", "known stays a bool", "cast the comparison to a number")
def halve_known(colour, known):
    halved, weight = halved_colour(colour, known)
    return halved, weight > 0


@refused("4.3", "the colour alone", "Give two things back")
def halve_known(colour, known):
    return halved_colour(colour, known)[0]


@refused("4.3", "pooled with a stride of 1", "Half the height and half the width")
def halve_known(colour, known):
    weight = ops.average_pool(known, 2, 1)
    colour = ops.average_pool(colour * known, 2, 1) / ops.maximum(weight, 0.25)
    return colour, ops.cast(weight > 0, "float32")


@refused("4.3", "something where nothing is known", "the colour is 0")
def halve_known(colour, known):
    halved, weight = halved_colour(colour, known)
    return ops.where(weight > 0, halved, 0.5), ops.cast(weight > 0, "float32")


@accepted("4.3", "by reshaping, and known by max pooling")
def halve_known(colour, known):
    batch, height, width, channels = colour.shape

    def total(x, channels):
        return ops.sum(ops.reshape(x, (batch, height // 2, 2, width // 2, 2, channels)), (2, 4))

    colour = total(colour * known, channels) / ops.maximum(total(known, 1), 1)
    return colour, ops.max_pool(known, 2, 2)


# 4.4 refine


def enlarged(coarser, colour):
    return ops.image.resize(coarser, colour.shape[1:3])


def blurred(fill):
    return ops.average_pool(fill, 3, 1, "same")


@refused("4.4", "known pixels are not pasted", "The known pixels are missing")
def refine(coarser, colour, known, sweeps):
    fill = enlarged(coarser, colour)
    for _ in range(sweeps):
        fill = ops.where(known > 0, colour, blurred(fill))
    return fill


@refused("4.4", "known is read the other way round", "where the photo's own pixels stay")
def refine(coarser, colour, known, sweeps):
    fill = ops.where(known > 0, enlarged(coarser, colour), colour)
    for _ in range(sweeps):
        fill = ops.where(known > 0, blurred(fill), colour)
    return fill


@refused("4.4", "pixels are doubled", "Pixels are doubled, which leaves steps")
def refine(coarser, colour, known, sweeps):
    fill = ops.image.resize(coarser, colour.shape[1:3], interpolation="nearest")
    fill = ops.where(known > 0, colour, fill)
    for _ in range(sweeps):
        fill = ops.where(known > 0, colour, blurred(fill))
    return fill


@refused("4.4", "the coarser fill is not used", "goes into the holes")
def refine(coarser, colour, known, sweeps):
    fill = colour
    for _ in range(sweeps):
        fill = ops.where(known > 0, colour, blurred(fill))
    return fill


@refused("4.4", "known pixels are swept too", "Known pixels were averaged too")
def refine(coarser, colour, known, sweeps):
    fill = ops.where(known > 0, colour, enlarged(coarser, colour))
    for _ in range(sweeps):
        fill = blurred(fill)
    return fill


@refused("4.4", "known pixels go back in only at the end", "after every sweep, not only")
def refine(coarser, colour, known, sweeps):
    fill = ops.where(known > 0, colour, enlarged(coarser, colour))
    for _ in range(sweeps):
        fill = blurred(fill)
    return ops.where(known > 0, colour, fill)


@refused("4.4", "known pixels go in after the first sweep", "in before the first sweep")
def refine(coarser, colour, known, sweeps):
    fill = enlarged(coarser, colour)
    for _ in range(sweeps):
        fill = ops.where(known > 0, colour, blurred(fill))
    return ops.where(known > 0, colour, fill)


@refused("4.4", "black beyond the edge", "Beyond the photo's edge black was counted")
def refine(coarser, colour, known, sweeps):
    fill = ops.where(known > 0, colour, enlarged(coarser, colour))
    for _ in range(sweeps):
        framed = ops.pad(fill, ((0, 0), (1, 1), (1, 1), (0, 0)))
        fill = ops.where(known > 0, colour, ops.average_pool(framed, 3, 1))
    return fill


@refused("4.4", "each sweep begins anew", "the loop forgets")
def refine(coarser, colour, known, sweeps):
    start = fill = ops.where(known > 0, colour, enlarged(coarser, colour))
    for _ in range(sweeps):
        fill = ops.where(known > 0, colour, blurred(start))
    return fill


@refused("4.4", "one sweep too many", "sweeps is 0, and one was made")
def refine(coarser, colour, known, sweeps):
    fill = ops.where(known > 0, colour, enlarged(coarser, colour))
    for _ in range(sweeps + 1):
        fill = ops.where(known > 0, colour, blurred(fill))
    return fill


@refused("4.4", "no sweep", "Nothing was swept")
def refine(coarser, colour, known, sweeps):
    return ops.where(known > 0, colour, enlarged(coarser, colour))


@refused("4.4", "a square is taken for granted", "in this order")
def refine(coarser, colour, known, sweeps):
    side = colour.shape[1]
    return ops.where(known > 0, colour, ops.image.resize(coarser, (side, side)))


@accepted("4.4", "with numbers in place of where, and layers' pooling")
def refine(coarser, colour, known, sweeps):
    _, height, width, _ = colour.shape
    fill = known * colour + (1 - known) * ops.image.resize(coarser, (height, width))
    for _ in range(sweeps):
        mean = layers.AveragePooling2D(3, 1, "same")(fill)
        fill = known * colour + (1 - known) * mean
    return fill


# 4.5 contract


def down(x, widths, counts, first_stride=1):
    levels = []
    for level, (width, count) in enumerate(zip(widths, counts, strict=True)):
        if level or first_stride == 2:
            x = convolution(width, 3, 2)(x)
        for _ in range(count):
            x = convolution(width)(x)
        levels.append(x)
    return levels


def usual(widths, depth):
    return [depth] * (len(widths) - 1) + [2 * depth]


@refused("4.5", "the first level halves too", "it does not begin with a stride of 2")
def contract(x, widths, depth=1):
    return down(x, widths, usual(widths, depth), first_stride=2)


@refused("4.5", "no stride", "The grid is never halved")
def contract(x, widths, depth=1):
    levels = []
    for width, count in zip(widths, usual(widths, depth), strict=True):
        for _ in range(count):
            x = convolution(width)(x)
        levels.append(x)
    return levels


@refused("4.5", "the last level is like the others", "The last level has twice as many")
def contract(x, widths, depth=1):
    return down(x, widths, [depth] * len(widths))


@refused("4.5", "every level has twice as many", "Only the last level")
def contract(x, widths, depth=1):
    return down(x, widths, [2 * depth] * len(widths))


@refused("4.5", "the first level has twice as many", "the coarsest one, not the finest")
def contract(x, widths, depth=1):
    return down(x, widths, usual(widths, depth)[::-1])


@refused("4.5", "one more on the last level", "not one more: 2 * depth")
def contract(x, widths, depth=1):
    return down(x, widths, [depth] * (len(widths) - 1) + [depth + 1])


@refused("4.5", "depth is not looked at", "depth is not looked at")
def contract(x, widths, depth=1):
    return down(x, widths, usual(widths, 1))


@refused("4.5", "the bottom alone", "Give all levels back")
def contract(x, widths, depth=1):
    return down(x, widths, usual(widths, depth))[-1]


@refused("4.5", "coarsest first", "Finest first")
def contract(x, widths, depth=1):
    return down(x, widths, usual(widths, depth))[::-1]


@refused("4.5", "the bottom is not among the levels", "One entry per level")
def contract(x, widths, depth=1):
    return down(x, widths, usual(widths, depth))[:-1]


@refused("4.5", "noted before its convolutions", "append after them")
def contract(x, widths, depth=1):
    levels = []
    for level, width in enumerate(widths):
        x = convolution(width, 3, 2 if level else 1)(x)
        levels.append(x)
        for _ in range(depth * (2 if level == len(widths) - 1 else 1) - (level == 0)):
            x = convolution(width)(x)
    return levels


@refused("4.5", "the stride comes last", "A level begins with its stride of 2")
def contract(x, widths, depth=1):
    levels = []
    for level, (width, count) in enumerate(zip(widths, usual(widths, depth), strict=True)):
        for _ in range(count):
            x = convolution(width)(x)
        if level:
            x = convolution(width, 3, 2)(x)
        levels.append(x)
    return levels


@refused("4.5", "the stride's convolution counts as one of depth", "comes on top")
def contract(x, widths, depth=1):
    counts = usual(widths, depth)
    return down(x, widths, counts[:1] + [count - 1 for count in counts[1:]])


@refused("4.5", "no batch normalisation", "a convolution without bias, batch normalisation")
def contract(x, widths, depth=1):
    levels = []
    for level, (width, count) in enumerate(zip(widths, usual(widths, depth), strict=True)):
        for number in range(count + (level > 0)):
            stride = 2 if level and number == 0 else 1
            x = layers.Conv2D(width, 3, stride, "same", use_bias=False, activation="relu")(x)
        levels.append(x)
    return levels


@refused("4.5", "every level from the photo", "go on from the level above")
def contract(x, widths, depth=1):
    levels, start = [], x
    for level, (width, count) in enumerate(zip(widths, usual(widths, depth), strict=True)):
        x = convolution(width, 3, 2)(start) if level else start
        for _ in range(count):
            x = convolution(width)(x)
        levels.append(x)
    return levels


@accepted("4.5", "the last level apart, and a tuple")
def contract(x, widths, depth=1):
    first, *others = widths
    for _ in range(depth if others else 2 * depth):
        x = convolution(first)(x)
    levels = [x]
    for width in others:
        x = convolution(width, stride=2)(x)
        for _ in range(depth):
            x = convolution(width)(x)
        levels.append(x)
    if others:
        for _ in range(depth):
            levels[-1] = convolution(others[-1])(levels[-1])
    return tuple(levels)


# 4.6 expand


@refused("4.6", "skips are set beside", "That puts skips beside")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[::-1]:
        width = skip.shape[-1]
        x = layers.UpSampling2D()(layers.Conv2D(width, 1, use_bias=False)(x))
        x = layers.Concatenate()([x, skip])
        for _ in range(depth):
            x = convolution(width)(x)
    return x


@refused("4.6", "no skip connections", "The skip connection is missing")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[::-1]:
        width = skip.shape[-1]
        x = layers.UpSampling2D()(layers.Conv2D(width, 1, use_bias=False)(x))
        for _ in range(depth):
            x = convolution(width)(x)
    return x


@refused("4.6", "the skip is added last", "before the convolutions")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[::-1]:
        width = skip.shape[-1]
        x = layers.UpSampling2D()(layers.Conv2D(width, 1, use_bias=False)(x))
        for _ in range(depth):
            x = convolution(width)(x)
        x = layers.Add()([x, skip])
    return x


@refused("4.6", "blended instead of doubled", "Pixels are doubled, not blended")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[::-1]:
        width = skip.shape[-1]
        x = layers.Conv2D(width, 1, use_bias=False)(x)
        x = layers.UpSampling2D(interpolation="bilinear")(x)
        x = layers.Add()([x, skip])
        for _ in range(depth):
            x = convolution(width)(x)
    return x


@refused("4.6", "from the finest level on", "Two shapes meet")
def expand(levels, depth=1):
    x, *coarser = levels
    for skip in coarser:
        x = layers.UpSampling2D()(layers.Conv2D(skip.shape[-1], 1, use_bias=False)(x))
        x = convolution(skip.shape[-1])(layers.Add()([x, skip]))
    return x


@refused("4.6", "the finest skip is forgotten", "One level is missing")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[:0:-1]:
        x = layers.UpSampling2D()(layers.Conv2D(skip.shape[-1], 1, use_bias=False)(x))
        x = convolution(skip.shape[-1])(layers.Add()([x, skip]))
    return x


@refused("4.6", "depth is not looked at", "depth counts")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[::-1]:
        x = layers.UpSampling2D()(layers.Conv2D(skip.shape[-1], 1, use_bias=False)(x))
        x = convolution(skip.shape[-1])(layers.Add()([x, skip]))
    return x


@refused("4.6", "no convolution after the addition", "The convolutions after the addition")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[::-1]:
        x = layers.UpSampling2D()(layers.Conv2D(skip.shape[-1], 1, use_bias=False)(x))
        x = layers.Add()([x, skip])
    return x


@refused("4.6", "3x3 to change the channels", "it looks at one pixel at a time")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[::-1]:
        width = skip.shape[-1]
        x = layers.UpSampling2D()(layers.Conv2D(width, 3, padding="same", use_bias=False)(x))
        x = convolution(width)(layers.Add()([x, skip]))
    return x


@refused("4.6", "a bias in the 1x1", "use_bias=False")
def expand(levels, depth=1):
    *finer, x = levels
    for skip in finer[::-1]:
        x = layers.UpSampling2D()(layers.Conv2D(skip.shape[-1], 1)(x))
        for _ in range(depth):
            x = convolution(skip.shape[-1])(x if _ else layers.Add()([x, skip]))
    return x


@refused("4.6", "all levels come back", "not all levels")
def expand(levels, depth=1):
    *finer, x = levels
    made = []
    for skip in finer[::-1]:
        x = layers.UpSampling2D()(layers.Conv2D(skip.shape[-1], 1, use_bias=False)(x))
        x = convolution(skip.shape[-1])(layers.Add()([x, skip]))
        made.append(x)
    return made


@accepted("4.6", "doubled first, then the channels; a plus for the addition")
def expand(levels, depth=1):
    x = levels[-1]
    for number in range(len(levels) - 2, -1, -1):
        skip = levels[number]
        x = layers.UpSampling2D(2)(x)
        x = layers.Conv2D(skip.shape[-1], 1, use_bias=False)(x) + skip
        for _ in range(depth):
            x = convolution(skip.shape[-1])(x)
    return x


# 4.7 mirror_averaged


@refused("4.7", "the answer is not turned back", "turn it back")
def mirror_averaged(complete, inputs):
    return (complete(inputs) + complete(mirrored(inputs))) / 2


@refused("4.7", "a sum", "A mean, not a sum")
def mirror_averaged(complete, inputs):
    return complete(inputs) + mirrored(complete(mirrored(inputs)))


@refused("4.7", "brackets forgotten", "Only the second half is halved")
def mirror_averaged(complete, inputs):
    return complete(inputs) + mirrored(complete(mirrored(inputs))) / 2


@refused("4.7", "inputs are not mirrored", "not only its answer")
def mirror_averaged(complete, inputs):
    guess = complete(inputs)
    return (guess + mirrored(guess)) / 2


@refused("4.7", "upside down", "Upside down is no mirror")
def mirror_averaged(complete, inputs):
    turned = {name: ops.flip(x, axis=1) for name, x in inputs.items()}
    return (complete(inputs) + ops.flip(complete(turned), axis=1)) / 2


@refused("4.7", "the mask is not mirrored", "without its mask")
def mirror_averaged(complete, inputs):
    turned = {"masked": mirrored(inputs["masked"]), "mask": inputs["mask"]}
    return (complete(inputs) + mirrored(complete(turned))) / 2


@refused("4.7", "the mirror image alone", "The photo as it is counts as well")
def mirror_averaged(complete, inputs):
    return mirrored(complete(mirrored(inputs)))


@refused("4.7", "the photo alone", "The mirror image is not asked")
def mirror_averaged(complete, inputs):
    return complete(inputs)


@accepted("4.7", "both as one batch")
def mirror_averaged(complete, inputs):
    both = {name: ops.concatenate([x, x[:, :, ::-1]]) for name, x in inputs.items()}
    straight, turned = ops.split(complete(both), 2)
    return ops.mean(ops.stack([straight, turned[:, :, ::-1]]), axis=0)


# 4.8 catch_darkening


def constant(known):
    return np.float32(0.6) * known * np.ones(3, "float32")


CUT = np.ones((1, 4, 4, 1), "float32")
CUT[:, 1:3, 1:3] = 0  # three of each four are known


@refused("4.8", "it catches nothing", "a hole that cuts through 2×2 pixels")
def catch_darkening(halve_known):
    known = np.ones((1, 4, 4, 1), "float32")
    halved, _ = halve_known(constant(known), known)
    assert np.allclose(halved, 0.6, atol=1e-3)


@refused("4.8", "one kind of hole only", "a single pixel of four is known")
def catch_darkening(halve_known):
    halved, _ = halve_known(constant(CUT), CUT)
    assert np.allclose(halved, 0.6, atol=1e-3)


@refused("4.8", "colour is asked for where nothing is known", "where something is known only")
def catch_darkening(halve_known):
    known = np.zeros((1, 4, 4, 1), "float32")
    known[0, 0, 0] = 1
    halved, _ = halve_known(constant(known), known)
    assert np.allclose(halved, 0.6, atol=1e-3)


@refused("4.8", "single pixels only", "where three of four are known")
def catch_darkening(halve_known):
    known = np.zeros((1, 4, 4, 1), "float32")
    known[:, ::2, ::2] = 1
    halved, _ = halve_known(constant(known), known)
    assert np.allclose(halved, 0.6, atol=1e-3)


@accepted("4.8", "a random hole, and the colour where something is known")
def catch_darkening(halve_known):
    known = (np.random.default_rng(0).random((1, 16, 16, 1)) < 0.4).astype("float32")
    halved, there = halve_known(constant(known), known)
    found = np.asarray(halved)[np.asarray(there)[..., 0] > 0]
    assert found.size
    assert np.abs(found - 0.6).max() < 0.01
