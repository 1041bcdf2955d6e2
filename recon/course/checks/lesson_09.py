"""Lesson 09: CycleGAN, its terms, and its pool of past fakes."""

import keras
import numpy as np
from keras import layers, ops

from recon.course.broken import lesson_09 as broken
from recon.course.describe import as_array
from recon.course.exercise import Answer, exercise
from recon.models import cyclegan


@exercise(
    "9.1",
    cyclegan.instance_normalise,
    minutes=8,
    difficulty=1,
    hints=(
        "Which axes does a mean run over that is one number for each channel of each photo?",
        "keepdims=True leaves (B, 1, 1, C), which fits x again.",
        "mean and variance over axis=(1, 2); then scale * (x - mean) / ops.sqrt(variance + "
        "epsilon) + offset.",
    ),
)
def instance_normalise(answer, expect):
    rng = np.random.default_rng(0)
    x = rng.normal(2, 3, (2, 4, 5, 3)).astype("float32")
    x[0] *= 0.2
    scale, offset = np.float32([1.5, 0.5, -1.0]), np.float32([0.1, -0.2, 0.3])

    def normal(axes, epsilon=1e-3, root=np.sqrt, outside=0.0):
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        return scale * (x - mean) / (root(variance + epsilon) + outside) + offset

    expected = np.zeros_like(x)
    for photo, channel in np.ndindex(2, 3):
        one = x[photo, :, :, channel].astype("float64")
        spread = (((one - one.mean()) ** 2).mean() + 1e-3) ** 0.5
        expected[photo, :, :, channel] = (one - one.mean()) / spread
    with expect.on_error(
        Exception,
        "Keep the axes that you average over, so that (B, 1, 1, C) fits x: keepdims=True.",
    ):
        found = answer(x, scale, offset)
    expect.shape(found, x.shape, "Every number stays where it is: the shape stays, too.")
    expect.close(
        found,
        scale * expected + offset,
        "Each channel of each photo: minus its mean, over the root of its variance + ε, then scale "
        "and offset.",
        mistakes=[
            (normal((0, 1, 2)), "That is batch normalisation: a photo must not see the others."),
            (normal((1, 2, 3)), "That mixes channels (layer normalisation): over pixels alone."),
            (normal((3,)), "Over a photo's pixels, axes 1 and 2; axis 3 holds the channels."),
            (expected, "Scale and offset are learned: multiply by the one, add the other."),
            (scale * expected, "The offset comes last, behind the scale."),
            (scale * (expected + offset), "First the scale, then the offset."),
            (
                normal((1, 2), root=lambda v: v),
                "Divide by the standard deviation, the root of the variance.",
            ),
            (
                normal((1, 2), epsilon=0, outside=1e-3),
                "ε is added to the variance, under the root.",
            ),
            (normal((1, 2), epsilon=0), "ε is missing: a channel of one value would divide by 0."),
            (
                scale * expected * np.sqrt(19 / 20) + offset,
                "The variance is the mean of the squares: over n, not n − 1.",
            ),
        ],
        tolerance=1e-4,
    )
    even = np.full((1, 2, 2, 1), 0.7, "float32")
    one, none = np.ones(1, "float32"), np.zeros(1, "float32")
    expect.close(answer(even, one, none), 0 * even, "A photo of one colour has variance 0: add ε.")
    expect.close(
        answer(x, scale, offset, 2.0),
        normal((1, 2), epsilon=2.0),
        "Use `epsilon`; it may be any.",
        tolerance=1e-4,
    )


def convolved(x, kernel, mode):
    """A convolution 3×3 that keeps height and width, the edge continued by np.pad's `mode`."""
    around = [(0, 0), (1, 1), (1, 1), (0, 0)]
    height, width = x.shape[1:3]
    x = np.pad(x, around, mode=mode)
    return sum(
        x[:, row : row + height, column : column + width] @ kernel[row, column]
        for row, column in np.ndindex(3, 3)
    )


def instance(x):
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-3)


def block_by_hand(x, first, second, *, modes=("reflect",) * 2, relu=True, last=True, add=True):
    """The residual block written out, with scales and offsets that have learned nothing."""
    y = instance(convolved(x, first, modes[0]))
    y = convolved(np.maximum(y, 0) if relu else y, second, modes[1])
    y = instance(y) if last else y
    return x + y if add else y


@exercise(
    "9.2",
    cyclegan.residual,
    minutes=10,
    difficulty=2,
    hints=(
        "Inside `block`: y is what two convolutions make of x; the block gives x + y.",
        "convolve(filters, 3) is the first convolution with all that belongs to it. Of the second "
        "you need the parts: ReflectionPadding, Conv2D without bias, normalisation.",
        'Behind the second: blocks.normalise("instance"), no ReLU, then layers.Add()([x, y]).',
    ),
)
def residual(answer, expect):
    block = answer(4)
    expect.true(
        callable(block),
        f"gave a {type(block).__name__}",
        "The function gives back a function: `def block(x): ...`, and `return block`.",
    )
    x = layers.Input((6, 7, 4))
    with expect.on_error(
        ValueError, "A 3×3 convolution without padding takes a pixel from every side: pad first."
    ):
        y = Answer(block, expect)(x)
    expect.shape(
        y,
        (None, 6, 7, 4),
        "What comes out must fit what came in: pad by 1 before each 3×3 convolution.",
    )
    network = keras.Model(x, y)
    kernels = [layer for layer in network.layers if isinstance(layer, layers.Conv2D)]
    expect.call = "residual(4), the shapes of its kernels"
    expect.equal(
        [tuple(layer.kernel.shape) for layer in kernels],
        [(3, 3, 4, 4)] * 2,
        "Two convolutions of 3×3, as many channels out as in.",
    )
    expect.call = "residual(4), the shapes of its trainable weights, sorted"
    expect.equal(
        sorted(tuple(v.shape) for v in network.trainable_variables),
        [(3, 3, 4, 4)] * 2 + [(4,)] * 4,
        "Two kernels, and behind each a normalisation with a scale and an offset.",
        mistakes=[
            (
                [(3, 3, 4, 4)] * 2 + [(4,)] * 5,
                "The normalisation takes the mean away, and with it any bias: use_bias=False.",
            ),
            (
                [(3, 3, 4, 4)] * 2 + [(4,)] * 2,
                "Each of the two convolutions has a normalisation behind it, the second too.",
            ),
        ],
    )
    expect.call = "residual(4), how many weights of it are not trained"
    expect.equal(
        len(network.non_trainable_variables),
        0,
        'Each photo by itself: blocks.normalise("instance"), here as in `convolve`.',
    )
    expect.call = "residual(4)"
    rng = np.random.default_rng(0)
    for layer in kernels:
        expect.true(
            as_array(layer.kernel).std() < 0.05,
            "a kernel starts with a standard deviation over 0.05",
            "Weights start small, normal with 0.02: kernel_initializer=blocks.normal().",
        )
        layer.kernel.assign(rng.normal(0, 0.5, (3, 3, 4, 4)))
    for variable in network.trainable_variables:
        if "gamma" in variable.path:
            variable.assign(np.ones(4))
    first, second = (as_array(layer.kernel) for layer in kernels)
    photo = rng.normal(0, 1, (2, 6, 7, 4)).astype("float32")
    expect.call = "residual(4)(x)"

    def variant(**changed):
        return block_by_hand(photo, first, second, **changed)

    zeros = "Zeros around a photo are a border that the network sees: ReflectionPadding."
    expect.close(
        network(photo),
        variant(),
        "convolve(filters, 3); then reflect, convolve, normalise; then add what came in.",
        mistakes=[
            (variant(modes=("reflect", "constant")), zeros),
            (variant(modes=("constant", "reflect")), zeros),
            (variant(modes=("constant", "constant")), zeros),
            (variant(modes=("reflect", "symmetric")), zeros),
            (
                np.maximum(variant(), 0),
                "No ReLU behind the sum: all blocks after it would only ever be able to add.",
            ),
            (
                photo + np.maximum(variant(add=False), 0),
                "A ReLU before the sum lets the block only add: it must be able to take away.",
            ),
            (variant(add=False), "Residual: what the block makes is added to what came in."),
            (variant(relu=False), "Between the convolutions stands a ReLU: convolve has it."),
            (2 * photo + 0 * photo, "The convolutions' result must be used: add y to x, not x."),
        ],
        tolerance=1e-3,
    )


def batch_of_numbers(count):
    """Masked and complete photos that say who they are."""
    complete = np.zeros((count, 2, 2, 3), "float32")
    complete += np.arange(1, count + 1).reshape(-1, 1, 1, 1)
    return -complete, complete


@exercise(
    "9.3",
    cyclegan.unpaired,
    minutes=5,
    difficulty=1,
    hints=(
        "half(complete) is n, and refuses an odd batch.",
        "Masked photos of the first half, complete ones of the last.",
        "masked[:n], complete[n:]",
    ),
)
def unpaired(answer, expect):
    masked, complete = batch_of_numbers(6)
    pair = answer(masked, complete)
    expect.type(pair, tuple, "Two things come back: `return a, b`.")
    expect.equal(len(pair), 2, "Two things come back: masked photos, and complete ones.")
    a, b = (as_array(x)[:, 0, 0, 0] if np.ndim(x) == 4 else np.zeros(0) for x in pair)

    def same(x, *numbers):
        return x.tolist() == list(numbers)

    expect.true(
        not (same(a, 4, 5, 6) and same(b, -1, -2, -3))
        and not (same(a, 1, 2, 3) and same(b, -4, -5, -6)),
        "gave complete photos first, then masked ones",
        "Masked photos first, then complete ones.",
    )
    expect.true(
        len(a) == len(b) == 3,
        f"gave {len(a)} masked photos and {len(b)} complete ones of a batch of 6",
        "Half of the batch each: of six, three masked photos and three complete ones.",
    )
    met = sorted(set((-a).tolist()) & set(b.tolist()))
    numbers = ", ".join(f"{n - 1:g}" for n in met)
    expect.true(
        not met,
        f"numbers {numbers} of the batch are among the masked and among the complete ones",
        "No photo may be there both ways, in the same row or in another: two halves.",
    )
    expect.true(
        same(a, -1, -2, -3),
        f"masked photos are numbers {(-a - 1).tolist()} of the batch, expected 0, 1, 2",
        "The guess in `y_pred` is of the first half: the masked ones are masked[:n].",
    )
    expect.true(
        same(b, 4, 5, 6),
        f"complete photos are numbers {(b - 1).tolist()} of the batch, expected 3, 4, 5",
        "All of the last half, in order: complete[n:].",
    )
    odd = batch_of_numbers(3)
    expect.raises(
        ValueError,
        answer,
        *odd,
        hint="Three photos have no half; `half(complete)` says so where 3 // 2 does not.",
    )


def mean_distance(truth, prediction):
    """The mean absolute error; of NumPy arrays, NumPy's."""
    return np.abs(np.asarray(truth) - np.asarray(prediction)).mean()


def worlds():
    """Two photos, what two invertible "generators" make of them, and those two."""
    rng = np.random.default_rng(0)
    masked, complete = rng.random((2, 2, 4, 4, 3)).astype("float32")

    def to_complete(x):
        return 0.5 * x + 0.3

    def to_masked(x):
        return x**2

    return masked, complete, to_complete, to_masked


@exercise(
    "9.4",
    cyclegan.cycle_loss,
    minutes=8,
    difficulty=2,
    hints=(
        "Two ways round: masked → complete → masked, and complete → masked → complete.",
        "The first half of each way is made already: guess and hidden. Which generator leads "
        "each of them home?",
        "2 * (distance(masked, to_masked(guess)) + distance(complete, to_complete(hidden)))",
    ),
)
def cycle_loss(answer, expect):
    a, b, g, f = worlds()
    d = mean_distance
    # not g(a) and f(b) exactly, so that one sees whether they are used or made again
    guess, hidden = g(a) + np.float32(0.05), f(b) - np.float32(0.04)
    forth, back = d(a, f(guess)), d(b, g(hidden))
    expect.close(
        answer(d, a, b, guess, hidden, g, f),
        2 * (forth + back),
        "From each photo there and back: home from `guess` leads to_masked, from `hidden` "
        "to_complete.",
        mistakes=[
            (forth + back, "The paper's photos are in [-1, 1], twice as wide: so is a distance."),
            (2 * forth, "That is one way round; complete → masked → complete counts as well."),
            (2 * back, "That is one way round; masked → complete → masked counts as well."),
            (
                2 * (d(a, g(guess)) + d(b, f(hidden))),
                "Each goes on with the same generator; the other one leads back.",
            ),
            (
                2 * (d(b, f(guess)) + d(a, g(hidden))),
                "Unpaired photos: compare each with itself, not with the other one.",
            ),
            (
                2 * (d(guess, f(guess)) + d(hidden, g(hidden))),
                "Compare with where the way began, not with the stop in between.",
            ),
            (
                2 * (d(a, guess) + d(b, hidden)),
                "That is how far the first half of the way leads; a cycle comes home again.",
            ),
            (
                2 * (d(a, f(g(a))) + d(b, g(f(b)))),
                "Use `guess` and `hidden`: made again, they cost two more calls of the networks.",
            ),
            (
                2 * (d(a, f(hidden)) + d(b, g(guess))),
                "`guess` was made of masked photos, `hidden` of complete ones; yours are swapped.",
            ),
            (forth - back, "Both ways count: a sum."),
            (2 * (forth - back), "Both ways count: a sum."),
            (2 * forth * back, "Both ways count: a sum."),
        ],
    )
    other = answer(lambda truth, guess: (truth**2 - guess).mean(), a, b, guess, hidden, g, f)
    expect.close(
        other,
        2 * ((a**2 - f(guess)).mean() + (b**2 - g(hidden)).mean()),
        "Call the `distance` you are given: the truth first, then the prediction.",
    )


@exercise(
    "9.5",
    cyclegan.identity_loss,
    minutes=5,
    difficulty=1,
    hints=(
        "What should to_complete do with a photo that is complete already?",
        "Give each generator a photo of the kind that it makes.",
        "2 * (distance(masked, to_masked(masked)) + distance(complete, to_complete(complete)))",
    ),
)
def identity_loss(answer, expect):
    a, b, g, f = worlds()
    d = mean_distance
    of_masked, of_complete = d(a, f(a)), d(b, g(b))
    expect.close(
        answer(d, a, b, g, f),
        2 * (of_masked + of_complete),
        "A generator that gets what it should make has nothing to do.",
        mistakes=[
            (
                2 * (d(a, g(a)) + d(b, f(b))),
                "to_complete must change masked photos; complete ones it must leave as they are.",
            ),
            (
                of_masked + of_complete,
                "The paper's photos are in [-1, 1], twice as wide: so is a distance.",
            ),
            (2 * of_complete, "Both generators are asked: to_masked, too."),
            (2 * of_masked, "Both generators are asked: to_complete, too."),
            (
                2 * (d(a, f(g(a))) + d(b, g(f(b)))),
                "That is the cycle; here each photo passes one generator.",
            ),
            (
                2 * (d(b, f(a)) + d(a, g(b))),
                "Unpaired photos: compare each with itself, not with the other one.",
            ),
            (2 * (of_masked - of_complete), "Both count: a sum."),
        ],
    )
    other = answer(lambda truth, guess: (truth**2 - guess).mean(), a, b, g, f)
    expect.close(
        other,
        2 * ((a**2 - f(a)).mean() + (b**2 - g(b)).mean()),
        "Call the `distance` you are given: the truth first, then the prediction.",
    )


def kept(*numbers):
    """Photos, each of one number."""
    return np.float32(numbers).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 3), "float32")


@exercise(
    "9.6",
    cyclegan.exchange,
    minutes=12,
    difficulty=3,
    hints=(
        "Write the three cases down: the pool is filling; it is full and heads came; it is full "
        "and tails came. For each: which place, what is shown, what is kept?",
        "A compiled step has no `if` on a tensor: ops.where chooses between two photos, "
        "ops.logical_and and ops.logical_or combine conditions.",
        "swap = logical_and(logical_not(filling), older); shown = where(swap, old, new); the place "
        "gets where(logical_or(filling, swap), new, old).",
    ),
)
def exchange(answer, expect):
    def look(photos, count, place, older):
        numbers = (np.int32(count), new, np.int32(place), np.bool_(older))
        tensors = [ops.convert_to_tensor(x) for x in (photos, *numbers)]  # as in a compiled step
        with expect.on_error(Exception, "Integers and floats do not mix in a step: ops.cast."):
            result = answer(*tensors)
        expect.type(result, tuple, "Two things come back: the pool's photos, and the one shown.")
        expect.equal(len(result), 2, "Two things come back: the pool's photos, and the one shown.")
        held, shown = result
        expect.shape(
            held,
            photos.shape,
            "First the pool's photos, as many as before.",
            mistakes=[(new.shape, "The pool's photos come first, then the one that is shown.")],
        )
        expect.shape(shown, new.shape, "One photo is shown for one that comes: `(S, S, 3)`.")
        return as_array(held)[:, 0, 0, 0], as_array(shown)[0, 0, 0]

    new = kept(9)[0]
    filling = kept(1, 2, 0, 0)
    for older in (True, False):
        held, shown = look(filling, 2, 0, older)
        expect.close(
            shown,
            9.0,
            "While the pool is filling, the judge sees the new fake, whatever the coin says.",
            mistakes=[
                (1.0, "The pool is not full yet: nothing old is shown, whatever the coin says."),
                (0.0, "The free places hold black photos, which no generator made: show the new."),
            ],
        )
        expect.close(
            held,
            [1, 2, 9, 0],
            "While the pool is filling, the new fake goes to the next free place, number `count`.",
            mistakes=[
                ([9, 2, 0, 0], "The drawn place is for a full pool; a filling one has a next one."),
                ([1, 2, 0, 0], "A filling pool keeps what it shows: else it is never full."),
                ([1, 2, 0, 9], "`count` places are taken, and numbers begin at 0: place `count`."),
                ([1, 9, 0, 0], "`count` places are taken, and numbers begin at 0: place `count`."),
            ],
        )
    held, _ = look(kept(1, 2, 3, 0), 3, 0, True)
    expect.close(held, [1, 2, 3, 9], "Of four places three are taken: one is free still.")
    full = kept(1, 2, 3, 4)
    for count in (4, 7):
        after_tails, shown = look(full, count, 1, False)
        expect.close(
            shown,
            9.0,
            "Tails: the judge sees the new fake.",
            mistakes=[(2.0, "Tails: the new one is shown; an old one comes with heads only.")],
        )
        after_heads, shown = look(full, count, 1, True)
        expect.close(
            shown,
            2.0,
            "Heads: the judge sees the old fake at the drawn place.",
            mistakes=[
                (9.0, "A pool that only ever shows the newest is no memory: heads shows an old."),
                (1.0, "The old one at the drawn place."),
            ],
        )
        expect.close(
            after_heads,
            [1, 9, 3, 4],
            "Heads: the new fake takes the place of the old one that is shown.",
            mistakes=[
                ([1, 2, 3, 4], "Heads: the new one takes the old one's place, or the pool ages."),
                ([9, 2, 3, 4], "The new one goes where the shown one was: to the drawn place."),
            ],
        )
        expect.close(
            after_tails,
            [1, 2, 3, 4],
            "Tails: the new fake is shown and not kept; the pool stays as it is.",
            mistakes=[
                ([1, 9, 3, 4], "Tails: what is shown is not kept, so that old ones stay a while.")
            ],
        )


@exercise(
    "9.7",
    broken.catch_newest,
    minutes=8,
    difficulty=2,
    hints=(
        "Build a full pool by hand, of photos that you can tell apart: np.zeros, np.ones, ...",
        "With older=True the photo shown must be the one that the pool had at `place`.",
        "Ask three things: heads shows the old one, and keeps the new one at its place; tails "
        "shows the new one.",
    ),
)
def catch_newest(answer, expect):
    def by_cases(photos, count, new, place, older):
        photos = np.array(photos)
        if count < len(photos):
            photos[count] = new
            return photos, new
        if not older:
            return photos, new
        old = photos[place].copy()
        photos[place] = new
        return photos, old

    def always_old(photos, count, new, place, older):
        return by_cases(photos, count, new, place, True)

    expect.catches(
        answer,
        right=[cyclegan.exchange, by_cases],
        wrong=[
            (
                broken.newest,
                "Show a full pool a new fake, with heads: it must show the old one. This one never "
                "does, and yours is content.",
            ),
            (
                broken.first_ones,
                "It shows old fakes, and never lets a new one in: look at what the pool holds "
                "after heads, too.",
            ),
            (always_old, "It shows an old fake always; with tails a judge must see the new one."),
        ],
        hint="It refuses a right pool: give it a full pool (count = number of photos), and compare "
        "with the photo at `place`.",
    )
