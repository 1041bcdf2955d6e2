"""What learners answer in lesson 07."""

import keras
from bank import accepted, refused
from keras import layers, ops

from recon import losses, metrics
from recon.course.broken.lesson_07 import moved
from recon.models import adversarial as frozen
from recon.models.blocks import downsample, normal, normalise

# 7.1


def conv(filters, bias=False, padding="valid", stride=1):
    return layers.Conv2D(filters, 4, stride, padding, use_bias=bias, kernel_initializer=normal())


def halved(x, filters, kind, first=None):
    x = downsample(filters, first)(x)
    return downsample(filters * 4, kind)(downsample(filters * 2, kind)(x))


def score(x):
    return layers.Activation("linear", dtype="float32")(x)


def fourth(x, filters, kind):
    x = conv(filters * 8)(layers.ZeroPadding2D()(x))
    return layers.LeakyReLU(0.2)(normalise(kind)(x))


@refused("7.1", "padding same throughout", "three rows")
def patches(filters, kind="batch"):
    def block(x):
        x = conv(filters * 8, padding="same")(halved(x, filters, kind))
        x = layers.LeakyReLU(0.2)(normalise(kind)(x))
        return score(conv(1, True, "same")(x))

    return block


@refused("7.1", "no zeros around", "Zeros around")
def patches(filters, kind="batch"):
    def block(x):
        x = conv(filters * 8)(halved(x, filters, kind))
        return score(conv(1, True)(layers.LeakyReLU(0.2)(normalise(kind)(x))))

    return block


@refused("7.1", "one score a photo", "not one a photo")
def patches(filters, kind="batch"):
    def block(x):
        x = fourth(halved(x, filters, kind), filters, kind)
        return score(layers.Dense(1)(layers.GlobalAveragePooling2D()(x)))

    return block


@refused("7.1", "first block normalised", "The first one is not normalised")
def patches(filters, kind="batch"):
    def block(x):
        x = fourth(halved(x, filters, kind, kind), filters, kind)
        return score(conv(1, True)(layers.ZeroPadding2D()(x)))

    return block


@refused("7.1", "the fourth not normalised", "The fourth is normalised, too")
def patches(filters, kind="batch"):
    def block(x):
        x = conv(filters * 8, True)(layers.ZeroPadding2D()(halved(x, filters, kind)))
        x = layers.LeakyReLU(0.2)(x)
        return score(conv(1, True)(layers.ZeroPadding2D()(x)))

    return block


@refused("7.1", "probabilities", "losses take logits")
def patches(filters, kind="batch"):
    def block(x):
        x = fourth(halved(x, filters, kind), filters, kind)
        x = conv(1, True)(layers.ZeroPadding2D()(x))
        return layers.Activation("sigmoid", dtype="float32")(x)

    return block


@refused("7.1", "scores in 16 bits", "too coarse for a loss")
def patches(filters, kind="batch"):
    def block(x):
        x = fourth(halved(x, filters, kind), filters, kind)
        return conv(1, True)(layers.ZeroPadding2D()(x))

    return block


@refused("7.1", "filters stay", "filters double")
def patches(filters, kind="batch"):
    def block(x):
        for level in range(3):
            x = downsample(filters, kind if level else None)(x)
        x = fourth(x, filters // 8 or 1, kind)
        return score(conv(1, True)(layers.ZeroPadding2D()(x)))

    return block


@accepted("7.1", "a loop, and the last convolution in float32 itself")
def patches(filters, kind="batch"):
    def block(x):
        for level in range(3):
            x = downsample(filters * 2**level, kind if level else None)(x)
        x = fourth(x, filters, kind)
        x = layers.ZeroPadding2D(1)(x)
        return layers.Conv2D(1, 4, kernel_initializer=normal(), dtype="float32")(x)

    return block


# 7.2


@refused("7.2", "as it is written, with logarithms", "never compute σ(s) itself")
def cross_entropy(target, logit):
    p = 1 / (1 + ops.exp(-logit))
    return -(target * ops.log(p) + (1 - target) * ops.log(1 - p))


@refused("7.2", "clipped against overflow", "learns nothing")
def cross_entropy(target, logit):
    p = ops.clip(ops.sigmoid(logit), 1e-7, 1 - 1e-7)
    return -(target * ops.log(p) + (1 - target) * ops.log(1 - p))


@refused("7.2", "the wrong sign", "a loss is not")
def cross_entropy(target, logit):
    return target * logit - ops.softplus(logit)


@refused("7.2", "targets swapped", "targets are swapped")
def cross_entropy(target, logit):
    return ops.softplus(logit) - (1 - target) * logit


@refused("7.2", "arguments swapped", "The target comes first")
def cross_entropy(target, logit):
    return ops.softplus(target) - target * logit


@refused("7.2", "fake ones forgotten", "Fake ones count, too")
def cross_entropy(target, logit):
    return target * ops.softplus(-logit)


@refused("7.2", "a sigmoid before", "without a sigmoid before")
def cross_entropy(target, logit):
    p = ops.sigmoid(logit)
    return ops.softplus(p) - target * p


@refused("7.2", "the mean at once", "the mean is taken later")
def cross_entropy(target, logit):
    return ops.mean(ops.softplus(logit) - target * logit)


@accepted("7.2", "both logarithms by softplus")
def cross_entropy(target, logit):
    return target * ops.softplus(-logit) + (1 - target) * ops.softplus(logit)


@accepted("7.2", "the classic with an absolute value")
def cross_entropy(target, logit):
    return ops.maximum(logit, 0) - logit * target + ops.log1p(ops.exp(-ops.abs(logit)))


# 7.3


@refused("7.3", "targets of 0 and 1 as signs", "must become −1")
def hinge(target, score):
    return ops.relu(1 - target * score)


@refused("7.3", "not cut at the margin", "nothing left to learn")
def hinge(target, score):
    return 1 - (2 * target - 1) * score


@refused("7.3", "without a margin", "The margin is missing")
def hinge(target, score):
    return ops.relu((1 - 2 * target) * score)


@refused("7.3", "sign turned", "real ones ought to be large")
def hinge(target, score):
    return ops.relu(1 + (2 * target - 1) * score)


@refused("7.3", "squared", "another loss")
def hinge(target, score):
    return ops.square(ops.relu(1 - (2 * target - 1) * score))


@refused("7.3", "the generator's", "the judge's has a margin")
def hinge(target, score):
    return -(2 * target - 1) * score


@accepted("7.3", "by cases")
def hinge(target, score):
    return ops.where(target > 0.5, ops.maximum(1 - score, 0), ops.maximum(1 + score, 0))


# 7.4


@refused("7.4", "not halved", "half the pace")
def discriminator_loss(loss, real, fake):
    return loss(ops.ones_like(real), real) + loss(ops.zeros_like(fake), fake)


@refused("7.4", "targets swapped", "1 is real and 0 is fake")
def discriminator_loss(loss, real, fake):
    return (loss(ops.zeros_like(real), real) + loss(ops.ones_like(fake), fake)) / 2


@refused("7.4", "subtracted", "they are added")
def discriminator_loss(loss, real, fake):
    return (loss(ops.ones_like(real), real) - loss(ops.zeros_like(fake), fake)) / 2


@refused("7.4", "real ones for both", "the target is 0")
def discriminator_loss(loss, real, fake):
    return (loss(ops.ones_like(real), real) + loss(ops.ones_like(fake), fake)) / 2


@refused("7.4", "scores before targets", "The target comes first")
def discriminator_loss(loss, real, fake):
    return (loss(real, ops.ones_like(real)) + loss(fake, ops.zeros_like(fake))) / 2


@refused("7.4", "a pair", "one number, not both")
def discriminator_loss(loss, real, fake):
    return ops.stack([loss(ops.ones_like(real), real), loss(ops.zeros_like(fake), fake)]) / 2


@accepted("7.4", "by halves")
def discriminator_loss(loss, real, fake):
    return 0.5 * loss(0 * real + 1, real) + 0.5 * loss(0 * fake, fake)


# 7.5


@refused("7.5", "called as it is", "running statistics have moved")
def call_frozen(network, inputs, training=True):
    return network(inputs, training=training)


@refused("7.5", "its inputs cut off", "Nothing came through")
def call_frozen(network, inputs, training=True):
    weights = [ops.stop_gradient(v) for v in network.trainable_variables]
    return network.stateless_call(
        weights, network.non_trainable_variables, ops.stop_gradient(inputs), training=training
    )[0]


@refused("7.5", "made untrainable", "trainable = False is for good")
def call_frozen(network, inputs, training=True):
    network.trainable = False
    weights = network.trainable_variables, network.non_trainable_variables
    return network.stateless_call(*weights, inputs, training=training)[0]


@refused("7.5", "both results given back", "keep the first")
def call_frozen(network, inputs, training=True):
    weights = [ops.stop_gradient(v) for v in network.trainable_variables]
    return network.stateless_call(
        weights, network.non_trainable_variables, inputs, training=training
    )


@refused("7.5", "training forgotten", "training=True was asked for")
def call_frozen(network, inputs, training=True):
    weights = [ops.stop_gradient(v) for v in network.trainable_variables]
    return network.stateless_call(weights, network.non_trainable_variables, inputs)[0]


@refused("7.5", "always training", "training=False was asked for")
def call_frozen(network, inputs, training=True):
    weights = [ops.stop_gradient(v) for v in network.trainable_variables]
    return network.stateless_call(weights, network.non_trainable_variables, inputs, training=True)[
        0
    ]


@refused("7.5", "weights not made constants", "constants in this call")
def call_frozen(network, inputs, training=True):
    return network.stateless_call(
        network.trainable_variables, network.non_trainable_variables, inputs, training=training
    )[0]


@refused("7.5", "called without its weights", "two lists of weights")
def call_frozen(network, inputs, training=True):
    return network.stateless_call(inputs, training=training)[0]


@accepted("7.5", "copies of the weights")
def call_frozen(network, inputs, training=True):
    weights = [ops.stop_gradient(1 * v) for v in network.trainable_variables]
    others = [ops.stop_gradient(v) for v in network.non_trainable_variables]
    said, _ = network.stateless_call(weights, others, inputs, training=training)
    return said


# 7.6


@refused("7.6", "in [0, 1] units", "twice as large")
def missing_l1(photo, guess, mask):
    return ops.sum(mask * ops.abs(photo - guess)) / (3 * ops.sum(mask))


@refused("7.6", "over all pixels", "Known pixels take no part")
def missing_l1(photo, guess, mask):
    return 2 * ops.mean(ops.abs(photo - guess))


@refused("7.6", "masked, and divided by all", "not by all of them")
def missing_l1(photo, guess, mask):
    return 2 * ops.mean(mask * ops.abs(photo - guess))


@refused("7.6", "channels summed", "three numbers")
def missing_l1(photo, guess, mask):
    return 2 * ops.sum(mask * ops.abs(photo - guess)) / ops.sum(mask)


@refused("7.6", "photo by photo", "pool them")
def missing_l1(photo, guess, mask):
    error = ops.sum(mask * ops.abs(photo - guess), (1, 2, 3)) / (3 * ops.sum(mask, (1, 2, 3)))
    return 2 * ops.mean(error)


@refused("7.6", "the known pixels", "1 where pixels are missing")
def missing_l1(photo, guess, mask):
    known = 1 - mask
    return 2 * ops.sum(known * ops.abs(photo - guess)) / (3 * ops.sum(known))


@refused("7.6", "squared", "nothing is squared")
def missing_l1(photo, guess, mask):
    return ops.sum(mask * ops.square(2 * (photo - guess))) / (3 * ops.sum(mask))


@refused("7.6", "weighted already", "The weight 100")
def missing_l1(photo, guess, mask):
    return 200 * ops.sum(mask * ops.abs(photo - guess)) / (3 * ops.sum(mask))


@refused("7.6", "0 divided by 0", "not 0/0")
def missing_l1(photo, guess, mask):
    return 2 * ops.sum(mask * ops.abs(photo - guess)) / (3 * ops.sum(mask))


@refused("7.6", "the mask with its channel", "no channel axis left")
def missing_l1(photo, guess, mask):
    l1 = keras.losses.MeanAbsoluteError(reduction="mean_with_sample_weight")
    return 2 * l1(photo, guess, sample_weight=ops.repeat(mask, 3, axis=-1))


@accepted("7.6", "by sums")
def missing_l1(photo, guess, mask):
    error = ops.abs((2 * photo - 1) - (2 * guess - 1))
    return ops.sum(mask * error) / ops.maximum(ops.sum(mask) * 3, 1)


# 7.7


def terms(judge, adversarial, masked, mask, photo, shown, learned, training, frozen_=True):
    """`shown` is what the judge learns from, `learned` what the generator does."""
    real = judge([photo, masked, mask], training=training)
    fake = judge([shown, masked, mask], training=training)
    call = frozen.call_frozen if frozen_ else judge
    scores = (
        call(judge, [learned, masked, mask], training)
        if frozen_
        else call([learned, masked, mask], training=training)
    )
    return {
        "judge": adversarial.discriminator(real, fake),
        "persuade": adversarial.generator(scores),
    }


def l1(photo, guess, mask):
    return {"l1": losses.missing_l1(photo, guess, mask)}


@refused("7.7", "the judge's term leads back to the generator", "must not lead back")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    completed = metrics.complete(masked, mask, guess)
    found = terms(discriminator, adversarial, masked, mask, photo, completed, completed, training)
    return found | l1(photo, guess, mask)


@refused("7.7", "the judge is dragged along", "generator's look leaves them")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    completed = metrics.complete(masked, mask, guess)
    still = ops.stop_gradient(completed)
    found = terms(
        discriminator, adversarial, masked, mask, photo, still, completed, training, False
    )
    return found | l1(photo, guess, mask)


@refused("7.7", "one stop_gradient for all", "no stop_gradient around the completed photo here")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    still = ops.stop_gradient(metrics.complete(masked, mask, guess))
    found = terms(discriminator, adversarial, masked, mask, photo, still, still, training)
    return found | l1(photo, guess, mask)


@refused("7.7", "the guess as it is", "Known pixels are pasted")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    still = ops.stop_gradient(guess)
    found = terms(discriminator, adversarial, masked, mask, photo, still, guess, training)
    return found | l1(photo, guess, mask)


@refused("7.7", "training forgotten", "`training` as it was given, here True")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    completed = metrics.complete(masked, mask, guess)
    still = ops.stop_gradient(completed)
    found = terms(discriminator, adversarial, masked, mask, photo, still, completed, False)
    return found | l1(photo, guess, mask)


@refused("7.7", "real and fake swapped", "real comes first")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    completed = metrics.complete(masked, mask, guess)
    still = ops.stop_gradient(completed)
    found = terms(discriminator, adversarial, masked, mask, photo, still, completed, training)
    real, fake = (
        discriminator([picture, masked, mask], training=training) for picture in (photo, still)
    )
    return found | {"judge": adversarial.discriminator(fake, real)} | l1(photo, guess, mask)


@refused("7.7", "weighted already", "Not yet weighted")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    completed = metrics.complete(masked, mask, guess)
    still = ops.stop_gradient(completed)
    found = terms(discriminator, adversarial, masked, mask, photo, still, completed, training)
    return found | {"l1": 100 * losses.missing_l1(photo, guess, mask)}


@refused("7.7", "the sum", "every term has a name")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    completed = metrics.complete(masked, mask, guess)
    still = ops.stop_gradient(completed)
    found = terms(discriminator, adversarial, masked, mask, photo, still, completed, training)
    return sum(found.values()) + losses.missing_l1(photo, guess, mask)


@refused("7.7", "l1 of the still picture", "without stop_gradient")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    completed = metrics.complete(masked, mask, guess)
    still = ops.stop_gradient(completed)
    found = terms(discriminator, adversarial, masked, mask, photo, still, completed, training)
    return found | l1(photo, still, mask)


@accepted("7.7", "the guess cut off, and a sum in place of a selection")
def measure(discriminator, adversarial, masked, mask, photo, guess, training=True):
    def completed(guess):
        return mask * guess + (1 - mask) * masked

    still = completed(ops.stop_gradient(guess))
    scores = frozen.call_frozen(discriminator, [completed(guess), masked, mask], training)
    real = discriminator([photo, masked, mask], training=training)
    fake = discriminator([still, masked, mask], training=training)
    return {
        "l1": losses.missing_l1(photo, guess, mask),
        "persuade": adversarial.generator(scores),
        "judge": adversarial.discriminator(real, fake),
    }


# 7.8


@refused("7.8", "only asks who moves", "the judge's term moves the generator")
def catch_leak(measure):
    assert moved(measure, "judge")["discriminator"] > 0
    assert moved(measure, "persuade")["generator"] > 0
    assert moved(measure, "l1")["generator"] > 0


@refused("7.8", "looks at the judge's term only", "look at persuade")
def catch_leak(measure):
    distance = moved(measure, "judge")
    assert distance["generator"] == 0
    assert distance["discriminator"] > 0


@refused("7.8", "only asks who stands still", "persuade moves nobody")
def catch_leak(measure):
    assert moved(measure, "judge")["generator"] == 0
    assert moved(measure, "persuade")["discriminator"] == 0
    assert moved(measure, "l1")["discriminator"] == 0


@refused("7.8", "lets the judge sleep", "judge moves nobody")
def catch_leak(measure):
    assert moved(measure, "judge")["generator"] == 0
    distance = moved(measure, "persuade")
    assert distance["discriminator"] == 0 < distance["generator"]


@refused("7.8", "wants both to move", "It refuses a right one")
def catch_leak(measure):
    for term in ("judge", "persuade"):
        assert min(moved(measure, term).values()) > 0


@accepted("7.8", "by a table of who moves")
def catch_leak(measure):
    found = {term: moved(measure, term) for term in ("judge", "persuade")}
    moves = [(t, p) for t, players in found.items() for p, d in players.items() if d != 0]
    assert moves == [("judge", "discriminator"), ("persuade", "generator")]
