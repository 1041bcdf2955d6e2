"""Lesson 07: PatchGAN, the losses, and what keeps two players apart in one `fit`."""

import keras
import numpy as np
from keras import layers, ops

from recon import losses, metrics
from recon.course.broken import lesson_07 as broken
from recon.course.describe import as_array
from recon.course.exercise import exercise
from recon.models import adversarial, blocks, pix2pix

tensor = ops.convert_to_tensor


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


# 7.1


def convolution(x, kernel, stride):
    """4×4, with one pixel of zeros on every side."""
    _, height, width, _ = x.shape
    x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    out = 0.0
    for row, column in np.ndindex(4, 4):
        rows = slice(row, row + height - 1, stride)
        columns = slice(column, column + width - 1, stride)
        out = out + x[:, rows, columns] @ kernel[row, column]
    return out


def instance(x, weights):
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-3) * weights["gamma"] + weights["beta"]


def judged(x, weights):
    """The PatchGAN written out: five convolutions, of which the inner three are normalised."""
    for number, own in enumerate(weights):
        x = convolution(x, own["kernel"], 2 if number < 3 else 1)
        x = instance(x, own) if "gamma" in own else x + own["bias"]
        x = np.maximum(x, 0.2 * x) if number < 4 else x
    return x


def inject(model) -> list[dict]:
    """Give every convolution, and the normalisation after it, weights; in the order of use."""
    found = []
    for number, variable in enumerate(model.weights):
        name = variable.path.split("/")[-1]
        value = numbers(*variable.shape, seed=number)
        if name == "kernel":
            value = value / np.sqrt(np.prod(value.shape[:3]))
            found.append({})
        variable.assign(value)
        found[-1][name] = value
    return found


def names(model) -> list[str]:
    found = []
    for variable in model.weights:
        name = variable.path.split("/")[-1]
        if name == "kernel":
            found.append(name)
        else:
            found[-1] += f" {name}"
    return found


@exercise(
    "7.1",
    blocks.patches,
    minutes=12,
    difficulty=2,
    hints=(
        "Three downsample blocks with filters, 2 · filters and 4 · filters, the first with None "
        "for kind. Then twice: zeros around, a convolution 4×4 of stride 1.",
        "layers.ZeroPadding2D()(x) puts zeros around; layers.Conv2D(filters * 8, 4, "
        "use_bias=False, kernel_initializer=normal()) adds none of its own. After it "
        "normalise(kind) and the leaky ReLU.",
        "The last convolution has one filter and a bias, and nothing follows but "
        'layers.Activation("linear", dtype="float32"), which keeps scores in float32.',
    ),
)
def patches(answer, expect):
    block = answer(2, "instance")
    expect.true(
        callable(block),
        f"gave a {type(block).__name__}, expected a function of x",
        "It makes no layers yet: it gives back a function, `def block(x): ...`, `return block`.",
    )
    x = layers.Input((64, 64, 4))
    y = block(x)
    expect.true(y is not None, "the block gives nothing (None)", "The block must `return x`.")
    around = "Zeros around before each of the last two convolutions: layers.ZeroPadding2D()."
    expect.shape(
        y,
        (None, 6, 6, 1),
        "64 becomes 32, 16, 8; with zeros around 10, then 7; with zeros around 9, then 6.",
        mistakes=[
            ((None, 2, 2, 1), around),
            ((None, 4, 4, 1), around),
            ((None, 8, 8, 1), 'padding "same" adds three rows, on one side more than the other.'),
            ((None, 6, 6, 16), "One score a patch: the last convolution has one filter."),
            ((None, 1), "One score a patch, not one a photo: nothing is averaged or flattened."),
            ((None, 1, 1, 1), "Three halvings: the last two convolutions have stride 1."),
        ],
    )
    model = keras.Model(x, y)
    plain, middle = "kernel bias", "kernel gamma beta"
    expect.equal(
        names(model),
        [plain, middle, middle, middle, plain],
        "Five convolutions: the first and the last have a bias, the three between them a "
        "normalisation.",
        mistakes=[
            ([middle, middle, middle, middle, plain], "The first one is not normalised."),
            ([plain, middle, middle, middle, middle], "Scores are not normalised: they are said."),
            (
                [plain, middle, middle, "kernel bias gamma beta", plain],
                "The fourth is normalised, which takes a bias away: use_bias=False.",
            ),
            ([plain, middle, middle, plain, plain], "The fourth is normalised, too."),
            ([plain, middle, middle, middle, "kernel"], "The last one has a bias: use_bias."),
        ],
    )
    expect.equal(
        [tuple(v.shape) for v in model.weights if len(v.shape) == 4],
        [(4, 4, 4, 2), (4, 4, 2, 4), (4, 4, 4, 8), (4, 4, 8, 16), (4, 4, 16, 1)],
        "Every convolution is 4×4; filters double: 1, 2, 4, 8 times, then 1 filter.",
    )
    weights, photos = inject(model), numbers(2, 64, 64, 4, seed=50)
    logits = judged(photos, weights)
    expect.close(
        model(photos),
        logits,
        "In this order: convolution, normalisation, leaky ReLU of 0.2; the last convolution alone.",
        mistakes=[
            (sigmoid(logits), "No sigmoid: losses take logits, which do not overflow."),
            (np.maximum(logits, 0.2 * logits), "Nothing follows the last convolution."),
            (np.maximum(logits, 0), "Nothing follows the last convolution."),
        ],
        tolerance=1e-3,
    )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        y = answer(32)(layers.Input((64, 64, 4)))
    finally:
        keras.config.set_dtype_policy(before)
    expect.dtype(
        y, "float32", "In 16 bits scores are too coarse for a loss: the last layer is float32."
    )
    network = y._keras_history.operation
    while True:  # back to the two convolutions that are not downsample's
        if isinstance(network, layers.Conv2D):
            spread = as_array(network.kernel).std()
            expect.true(
                0.016 < spread < 0.024,
                f"a kernel starts with a standard deviation of {spread:.3f}, expected 0.02",
                "The weights start as the paper's: kernel_initializer=normal().",
            )
            if network.filters > 1:
                break
        network = network.input._keras_history.operation


# 7.2, 7.3, 7.4


@exercise(
    "7.2",
    losses.cross_entropy,
    minutes=10,
    difficulty=2,
    hints=(
        "Write both logarithms with softplus(s) = log(1 + eˢ), which ops has: log(1 − σ(s)) is "
        "log(1 / (1 + eˢ)).",
        "−log(1 − σ(s)) = softplus(s), and −log σ(s) = softplus(−s) = softplus(s) − s.",
        "t · (softplus(s) − s) + (1 − t) · softplus(s): multiply out, most of it falls away.",
    ),
)
def cross_entropy(answer, expect):
    score = np.float32([[-3.0, -0.5, 0.0, 0.25, 2.0], [0.1, 4.0, -1.0, -2.5, 1.5]])
    target = np.float32([[0, 1, 1, 0, 1], [1, 0, 0, 1, 0]])
    p = sigmoid(score)
    expected = -(target * np.log(p) + (1 - target) * np.log(1 - p))
    came = answer(tensor(target), tensor(score))
    expect.shape(
        came,
        (2, 5),
        "A value for every score.",
        mistakes=[
            ((), "A value for every score: the mean is taken later, by who calls it."),
            ((2,), "A value for every score: no mean, not over the last axis either."),
        ],
    )
    with np.errstate(all="ignore"):
        naive = -(target * np.log(score) + (1 - target) * np.log(1 - score))
    expect.close(
        came,
        expected,
        "Try one score: at s = 0 it is log 2 = 0.693 for either target.",
        mistakes=[
            (-expected, "The sign: a logarithm of a probability is negative, a loss is not."),
            (np.log1p(np.exp(score)) - (1 - target) * score, "1 is real: targets are swapped."),
            (np.log1p(np.exp(target)) - target * score, "The target comes first, then the score."),
            (
                np.log1p(np.exp(p)) - target * p,
                "softplus takes the score itself, without a sigmoid before.",
            ),
            (-target * np.log(p), "Fake ones count, too: (1 − t) · log(1 − σ(s))."),
            (naive, "A score is no probability yet: σ(s) is."),
            (expected / np.log(2), "The natural logarithm."),
            ((p - target) ** 2, "That is a squared error: cross-entropy has a logarithm in it."),
        ],
        tolerance=1e-4,
    )
    large, targets = np.float32([-200, 200, 200, -200]), np.float32([1, 0, 1, 0])
    came = as_array(answer(tensor(targets), tensor(large)))
    overflow = "At ±200 σ(s) is 0 or 1 and its logarithm is lost: never compute σ(s) itself."
    expect.true(
        not np.allclose(came[:2], -np.log(1e-7), rtol=0.05),
        f"gave {came} at scores {large}, expected [200, 200, 0, 0]",
        "Clipped probabilities say 16 where 200 is right, and their gradient is 0: who is most "
        "wrong learns nothing. Use the score itself.",
    )
    expect.close(came, [200, 200, 0, 0], overflow)


@exercise(
    "7.3",
    losses.hinge,
    minutes=8,
    difficulty=1,
    hints=(
        "Targets are 1 and 0, but the margin wants a sign: +1 for real, −1 for fake.",
        "sign = 2 · target − 1; sign · score is how far a score is on its right side.",
        "What it lacks of 1 is 1 − sign · score, and nothing if that is negative: ops.relu.",
    ),
)
def hinge(answer, expect):
    score = np.float32([[-3.0, -0.5, 0.0, 0.25, 2.0], [0.5, 4.0, -1.5, -2.5, 1.5]])
    target = np.float32([[0, 1, 1, 0, 1], [1, 0, 0, 1, 0]])
    sign = np.where(target == 1, 1.0, -1.0)
    lacking = 1 - sign * score
    came = answer(tensor(target), tensor(score))
    expect.shape(
        came,
        (2, 5),
        "A value for every score.",
        mistakes=[((), "A value for every score: the mean is taken later, by who calls it.")],
    )
    expect.close(
        came,
        np.maximum(lacking, 0),
        "A real score of 0.25 lacks 0.75 of the margin; a fake one of 0.25 lacks 1.25.",
        mistakes=[
            (lacking, "Beyond the margin it is 0: there is nothing left to learn."),
            (np.maximum(1 - target * score, 0), "A target of 0 must become −1: 2 · target − 1."),
            (np.maximum(-sign * score, 0), "The margin is missing: right is not yet enough."),
            (np.maximum(1 + sign * score, 0), "The sign: real ones ought to be large."),
            (np.maximum(lacking, 0) ** 2, "Not squared: that is another loss."),
            (-sign * score, "That is the generator's, `linear`: the judge's has a margin."),
            (np.minimum(lacking, 0), "The part above 0 is the loss, not the part below."),
        ],
    )


@exercise(
    "7.4",
    losses.discriminator_loss,
    minutes=5,
    difficulty=1,
    hints=(
        "Two calls of loss: what should scores of real photos be, and what those of fake ones?",
        "Targets have the scores' shape: ops.ones_like(real) and ops.zeros_like(fake).",
        "(loss(ones, real) + loss(zeros, fake)) / 2.",
    ),
)
def discriminator_loss(answer, expect):
    real, fake = numbers(3, 2, 2, 1, seed=1), numbers(2, 2, 2, 1, seed=2)

    def loss(target, score):
        """Another function for either target, so that nothing can be swapped unseen."""
        return ops.mean(ops.square(score - target) * (1 + target) + ops.abs(score))

    def slowly(target, scores):
        return np.mean((scores - target) ** 2 * (1 + target) + np.abs(scores))

    at_real, at_fake = slowly(1, real), slowly(0, fake)
    came = answer(loss, tensor(real), tensor(fake))
    expect.shape(came, (), "One number.", mistakes=[((2,), "Their mean, one number, not both.")])
    expect.close(
        came,
        (at_real + at_fake) / 2,
        "loss(target, scores) of real photos and of fake ones, each with its own target.",
        mistakes=[
            (at_real + at_fake, "Halved: in pix2pix the judge learns at half the pace."),
            ((slowly(0, real) + slowly(1, fake)) / 2, "1 is real and 0 is fake."),
            ((at_real - at_fake) / 2, "Both are losses: they are added."),
            (at_real / 2, "What it says of fake photos counts, too."),
            (at_fake / 2, "What it says of real photos counts, too."),
            ((at_real + slowly(1, fake)) / 2, "For fake photos the target is 0."),
            (
                (slowly_swapped(real, 1) + slowly_swapped(fake, 0)) / 2,
                "The target comes first, then the scores: loss(target, scores).",
            ),
        ],
    )


def slowly_swapped(scores, target):
    """The loss above where scores were given as targets."""
    return np.mean((target - scores) ** 2 * (1 + scores) + np.abs(target))


# 7.5


class Through(keras.Model):
    """A player that learns through a network, which an answer calls."""

    def __init__(self, call, network):
        super().__init__()
        self.answer, self.network = call, network
        self.player = layers.Dense(2, use_bias=False)
        self.player.build((None, 2))
        self.player.kernel.assign(numbers(2, 2, seed=4))

    def call(self, x):
        return self.player(x)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        nothing = 0 * sum(ops.sum(variable) for variable in self.weights)
        said = self.answer(self.network, y_pred, False)
        return ops.mean(ops.cast(said, "float32")) + nothing


def judge_of_two():
    """A network of one layer and a normalisation, with known weights."""
    x = layers.Input((2,))
    network = keras.Model(x, layers.BatchNormalization()(layers.Dense(1)(x)))
    values = [2.0], [0.5], [0.25], [4.0]  # gamma, beta, moving mean, moving variance
    network.layers[1].set_weights([np.float32([[1.0], [-3.0]]), np.float32([0.5])])
    network.layers[2].set_weights([np.float32(v) for v in values])
    return network


@exercise(
    "7.5",
    adversarial.call_frozen,
    minutes=12,
    difficulty=3,
    hints=(
        "A network can be called with weights that are not its own: network.stateless_call("
        "trainable, non_trainable, inputs, training=...).",
        "Give it its own weights, but as constants: ops.stop_gradient(v) for every v of "
        "network.trainable_variables.",
        "It gives two things back: what the network says, and what its running statistics would "
        "be. The second is thrown away, so they stay as they are.",
    ),
)
def call_frozen(answer, expect):
    network = judge_of_two()
    x = numbers(5, 2, seed=3)
    plain = x @ np.float32([[1.0], [-3.0]]) + 0.5
    with expect.on_error(
        TypeError,
        "stateless_call(trainable, non_trainable, inputs, training=...): two lists of weights "
        "come first.",
        "stateless_call",
    ):
        said = answer(network, tensor(x), False)
    expect.true(
        not isinstance(said, tuple | list),
        f"gave {len(said) if isinstance(said, tuple | list) else 1} things, expected one",
        "stateless_call gives the outputs and the new statistics: keep the first.",
    )
    expect.true(
        network.trainable and len(network.trainable_variables) == 4,
        "the network is not trainable any more",
        "trainable = False is for good, and the judge's own term must move it: freeze this call.",
    )
    rested = (plain - 0.25) / np.sqrt(4 + 1e-3) * 2 + 0.5
    trained = (plain - plain.mean(0)) / np.sqrt(plain.var(0) + 1e-3) * 2 + 0.5
    expect.close(
        said,
        rested,
        "It says what network(inputs, training=training) would say.",
        mistakes=[(trained, "training=False was asked for: hand `training` on.")],
        tolerance=1e-4,
    )
    expect.close(
        answer(network, tensor(x), True),
        trained,
        "It says what network(inputs, training=training) would say.",
        mistakes=[(rested, "training=True was asked for: hand `training` on.")],
        tolerance=1e-4,
    )
    expect.close(
        network.get_weights()[4],
        [0.25],
        "Its running statistics have moved, as in a plain call; stateless_call gives new ones "
        "back, to be thrown away.",
    )
    before = network.get_weights()
    through = Through(answer.function, network)
    through.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    through.train_on_batch(tensor(x), tensor(x))
    for old, now in zip(before, network.get_weights(), strict=True):
        expect.true(
            np.array_equal(old, now),
            "a step moved the network's own weights",
            "Its weights must be constants in this call: ops.stop_gradient(v) for each.",
        )
    gradient = np.outer(x.mean(0), [1.0, -3.0]) * 2 / np.sqrt(4 + 1e-3)
    expect.close(
        as_array(through.player.kernel),
        numbers(2, 2, seed=4) - gradient,
        "The gradient that comes through the network to its input is another one.",
        mistakes=[
            (
                numbers(2, 2, seed=4),
                "Nothing came through: weights stand still, but inputs and outputs stay as they "
                "are, so that whoever made the inputs learns.",
            )
        ],
        tolerance=1e-4,
    )
    again = as_array(answer(network, tensor(x)))
    expect.close(again, trained, "Without a word, training is True.", tolerance=1e-4)


# 7.6


@exercise(
    "7.6",
    losses.missing_l1,
    minutes=8,
    difficulty=1,
    hints=(
        "The sum of |photo − guess| over the missing pixels, by their number; in [−1, 1] every "
        "distance is twice as large.",
        "A keras.losses.MeanAbsoluteError takes sample_weight; with "
        'reduction="mean_with_sample_weight" it divides by the sum of the weights.',
        "Keras's loss is a mean over the channels already, so its weights have no channel axis: "
        "mask[..., 0].",
    ),
)
def missing_l1(answer, expect):
    generator = np.random.default_rng(0)
    photo, guess = generator.random((2, 2, 4, 4, 3)).astype("float32")
    mask = np.zeros((2, 4, 4, 1), "float32")
    mask[0, 1:3, 0:3] = 1
    mask[1, 3, 3] = 1
    error = np.abs(photo - guess)
    count = mask.sum()
    expected = 2 * (mask * error).sum() / (3 * count)
    each = [2 * (m * e).sum() / (3 * m.sum()) for m, e in zip(mask, error, strict=True)]
    wide = "mask[..., 0]: Keras's loss has no channel axis left when it is weighted."
    with expect.on_error(Exception, wide):
        came = answer(tensor(photo), tensor(guess), tensor(mask))
    expect.shape(came, (), "One number for the whole batch.")
    expect.close(
        came,
        expected,
        "Compare by hand for one missing pixel: the mean of three distances, twice.",
        mistakes=[
            (expected / 2, "In [−1, 1] a distance is twice as large as in [0, 1]."),
            (2 * error.mean(), "Known pixels take no part: they are pasted back anyway."),
            (2 * (mask * error).mean(), "Divide by the missing pixels, not by all of them."),
            (expected * 3, "A pixel is three numbers: their mean, not their sum."),
            (
                2 * ((1 - mask) * error).sum() / (3 * (32 - count)),
                "mask is 1 where pixels are missing.",
            ),
            (np.mean(each), "Every pixel counts as much, whichever photo it is in: pool them."),
            (expected * 100, "The weight 100 comes where terms are added up."),
            (
                2 * np.sqrt((mask * error**2).sum() / (3 * count)),
                "Absolute, not squared: L2 blurs more.",
            ),
            (4 * (mask * error**2).sum() / (3 * count), "The absolute error, nothing is squared."),
            (
                2 * (mask * (photo - guess)).sum() / (3 * count),
                "Too bright and too dark must not cancel: absolute values.",
            ),
        ],
    )
    none = answer(tensor(photo), tensor(guess), tensor(0 * mask))
    expect.close(none, 0.0, "With nothing missing it is 0, not 0/0.")


# 7.7


def critic():
    """A judge of one layer behind a normalisation, in known weights: its scores are linear."""
    shapes = (4, 4, 3), (4, 4, 3), (4, 4, 1)
    inputs = [layers.Input(shape) for shape in shapes]
    x = layers.Concatenate()(inputs)
    x = layers.BatchNormalization()(x)
    network = keras.Model(inputs, layers.Dense(1)(x))
    for number, variable in enumerate(network.trainable_variables):
        variable.assign(numbers(*variable.shape, seed=20 + number))
    return network


def scored(network, picture, masked, mask, training=False):
    """What `critic` says, in NumPy."""
    gamma, beta, kernel, bias = (as_array(v) for v in network.trainable_variables)
    x = np.concatenate([picture, masked, mask], axis=-1).astype("float64")
    mean, variance = (x.mean((0, 1, 2)), x.var((0, 1, 2))) if training else (0, 1)
    return ((x - mean) / np.sqrt(variance + 1e-3) * gamma + beta) @ kernel + bias


@exercise(
    "7.7",
    pix2pix.measure,
    minutes=15,
    difficulty=3,
    hints=(
        "First the completed photo: metrics.complete(masked, mask, guess). Then three looks of "
        "the judge: at the photo, at the completed one for its own term, and at the completed one "
        "for the generator's.",
        "The judge's own look at the completed photo is at ops.stop_gradient(completed); the "
        "generator's look is call_frozen(discriminator, [completed, masked, mask], training).",
        "adversarial.discriminator(real, fake), adversarial.generator(scores) and "
        "losses.missing_l1(photo, guess, mask) are the three terms.",
    ),
)
def measure(answer, expect):
    generator = np.random.default_rng(0)
    photo, guess = generator.random((2, 2, 4, 4, 3)).astype("float32")
    mask = np.zeros((2, 4, 4, 1), "float32")
    mask[:, 1:3, 1:4] = 1
    masked = photo * (1 - mask)
    completed = mask * guess + (1 - mask) * photo
    squares = losses.AdversarialLoss("lsgan")
    network = critic()

    def terms(training):
        given = (tensor(x) for x in (masked, mask, photo, guess))
        came = answer(network, squares, *given, training)
        expect.type(came, dict, "It gives a dictionary, so that every term has a name.")
        expect.equal(
            sorted(came), ["judge", "l1", "persuade"], "Three terms: judge, persuade and l1."
        )
        return came

    def lsgan(real, fake):
        return (np.mean((real - 1) ** 2) + np.mean(fake**2)) / 2

    def score(picture, training=False):
        return scored(network, picture, masked, mask, training)

    came = terms(False)
    real, fake, raw = score(photo), score(completed), score(guess)
    paste = "Known pixels are pasted over the guess before anyone is shown it: metrics.complete."
    expect.close(
        came["judge"],
        lsgan(real, fake),
        "judge: the discriminator's loss of its scores of photo and of completed.",
        mistakes=[
            (lsgan(real, raw), paste),
            (lsgan(fake, real), "real comes first, then fake: adversarial.discriminator."),
            (lsgan(score(masked), fake), "Real is the photo, with nothing missing."),
            (lsgan(score(photo, True), score(completed, True)), "Hand `training` on."),
            (np.mean((fake - 1) ** 2), "That is the generator's term: judge and persuade swapped?"),
        ],
        tolerance=1e-4,
    )
    expect.close(
        came["persuade"],
        np.mean((fake - 1) ** 2),
        "persuade: the generator's loss of the scores of completed.",
        mistakes=[
            (
                np.mean((raw - 1) ** 2),
                "Here too the judge sees the completed photo, not the guess.",
            ),
            (
                np.mean((real - 1) ** 2),
                "The photo is not the generator's: it is judged by its own.",
            ),
            (-np.mean(fake**2), "It gains by passing for real: adversarial.generator(scores)."),
            (np.mean((score(completed, True) - 1) ** 2), "Hand `training` on to call_frozen."),
        ],
        tolerance=1e-4,
    )
    distance = 2 * np.abs(photo - guess)[np.repeat(mask, 3, -1) > 0].mean()
    expect.close(
        came["l1"],
        distance,
        "l1: losses.missing_l1(photo, guess, mask).",
        mistakes=[(100 * distance, "Not yet weighted: the weights come where terms are added.")],
    )
    before = as_array(network.layers[4].moving_mean)
    came = terms(True)
    expect.close(
        came["judge"],
        lsgan(score(photo, True), score(completed, True)),
        "The discriminator is called with `training` as it was given, here True.",
        tolerance=1e-4,
    )
    expect.close(
        came["persuade"],
        np.mean((score(completed, True) - 1) ** 2),
        "call_frozen has `training`, too, as it was given, here True.",
        tolerance=1e-4,
    )
    statistics = before
    for picture in (photo, completed):
        means = np.concatenate([picture, masked, mask], axis=-1).mean((0, 1, 2))
        statistics = 0.99 * statistics + 0.01 * means
    expect.close(
        network.layers[4].moving_mean,
        statistics,
        "The judge's running statistics see each picture once: the generator's look leaves them "
        "as they are.",
    )
    for term, owner, other in (
        ("judge", "discriminator", "generator"),
        ("persuade", "generator", "discriminator"),
        ("l1", "generator", "discriminator"),
    ):
        expect.call = f"one step on {term} alone, with players of one layer"
        distances = broken.moved(answer.function, term)
        expect.true(
            distances[other] == 0,
            f"moves the {other} by {distances[other]:.3g}, expected 0",
            {
                "judge": "The judge's term must not lead back to the generator: "
                "ops.stop_gradient(completed).",
                "persuade": "The generator learns through the judge, whose weights stand still: "
                "call_frozen.",
                "l1": "l1 has nothing to do with the judge.",
            }[term],
        )
        expect.true(
            distances[owner] > 0,
            f"does not move the {owner}, expected it to",
            {
                "judge": "The judge's own looks are not frozen: call the discriminator itself.",
                "persuade": "The gradient must reach the generator through the judge: no "
                "stop_gradient around the completed photo here.",
                "l1": "The guess goes into l1 as it is, without stop_gradient.",
            }[term],
        )


# 7.8


def in_one_look(discriminator, adversarial_, masked, mask, photo, guess, training=True):
    """Right, and written otherwise: the guess is cut off before anything is pasted over it."""
    shown = metrics.complete(masked, mask, ops.stop_gradient(guess))
    both = [ops.concatenate(pair) for pair in ((photo, shown), (masked, masked), (mask, mask))]
    real, fake = ops.split(discriminator(both, training=training), 2)
    completed = metrics.complete(masked, mask, guess)
    scores = adversarial.call_frozen(discriminator, [completed, masked, mask], training)
    return {
        "judge": adversarial_.discriminator(real, fake),
        "persuade": adversarial_.generator(scores),
        "l1": losses.missing_l1(photo, guess, mask),
    }


def judge_not_frozen(discriminator, adversarial_, masked, mask, photo, guess, training=True):
    """The generator's term drags the judge along, towards calling fakes real."""
    completed = metrics.complete(masked, mask, guess)
    terms = pix2pix.measure(discriminator, adversarial_, masked, mask, photo, guess, training)
    scores = discriminator([completed, masked, mask], training=training)
    return terms | {"persuade": adversarial_.generator(scores)}


def cut_off_too_early(discriminator, adversarial_, masked, mask, photo, guess, training=True):
    """One stop_gradient for all: the generator never hears what the judge says of it."""
    still = ops.stop_gradient(guess)
    terms = pix2pix.measure(discriminator, adversarial_, masked, mask, photo, still, training)
    return terms | {"l1": losses.missing_l1(photo, guess, mask)}


def judge_asleep(discriminator, adversarial_, masked, mask, photo, guess, training=True):
    """Everything is frozen: the judge never learns."""
    completed = metrics.complete(masked, mask, guess)
    terms = pix2pix.measure(discriminator, adversarial_, masked, mask, photo, guess, training)
    real, fake = (
        adversarial.call_frozen(discriminator, [picture, masked, mask], training)
        for picture in (photo, ops.stop_gradient(completed))
    )
    return terms | {"judge": adversarial_.discriminator(real, fake)}


@exercise(
    "7.8",
    broken.catch_leak,
    minutes=10,
    difficulty=2,
    hints=(
        "Write a table first: three terms, two players, who may move and who must.",
        'moved(measure, "judge") gives both distances; the generator\'s must be exactly 0, and '
        "the discriminator's must not be.",
        "For persuade and l1 it is the other way round. Six assertions, or a loop over three "
        "terms with an owner and another.",
    ),
)
def catch_leak(answer, expect):
    expect.catches(
        answer,
        right=[pix2pix.measure, in_one_look],
        wrong=[
            (
                broken.leaky,
                "In leaky the judge's term moves the generator: look at "
                'moved(measure, "judge")["generator"].',
            ),
            (
                judge_not_frozen,
                "Here the generator's term moves the judge: look at persuade, and at the "
                "discriminator.",
            ),
            (
                cut_off_too_early,
                "Here persuade moves nobody: a term that is cut off from its own player is a "
                "leak's opposite, and as wrong.",
            ),
            (judge_asleep, "Here judge moves nobody: the discriminator must learn from its term."),
        ],
        hint="It refuses a right one: judge moves the discriminator, persuade and l1 move the "
        "generator, and nothing else is asked.",
    )
