"""Lesson 08: DCGAN, and completing a photo by searching its latent space."""

import keras
import numpy as np
from keras import layers

from recon import losses
from recon.course.broken import lesson_08 as broken
from recon.course.describe import as_array
from recon.course.exercise import exercise
from recon.models import dcgan, latent_search


@exercise(
    "8.1",
    dcgan.widths,
    minutes=5,
    difficulty=1,
    hints=(
        "Write the sides down: at 64 they are 4, 8, 16, 32. The last doubling, to 64 itself, is "
        "the photo's layer, which has three channels and is not in the list.",
        "A side is a power of two: log2(64) is 6, log2(4) is 2.",
        "filters * 2**level for level in depth-1, ..., 1, 0, with depth = log2(size) - 2.",
    ),
)
def widths(answer, expect):
    with expect.on_error(TypeError, "A level is counted, so it is a whole number: int(...)."):
        found = answer(64, 128)
    expect.equal(
        found,
        [1024, 512, 256, 128],
        "At side 32, before the photo, there are `filters` channels; at half the side twice as "
        "many.",
        mistakes=[
            ([128, 256, 512, 1024], "Side 4 comes first, and has the most channels."),
            (
                [2048, 1024, 512, 256, 128],
                "Count the sides: 4, 8, 16, 32. The photo's own layer is not among them.",
            ),
            ([1024, 512, 256], "Count the sides: 4, 8, 16, 32 are four."),
            ([512, 384, 256, 128], "Channels double as the side halves: a factor, not a sum."),
            (
                [1024.0, 512.0, 256.0, 128.0],
                "Channels are counted: whole numbers, int and not float.",
            ),
        ],
    )
    expect.true(
        all(isinstance(width, int) for width in found),
        f"gave {found}",
        "Channels are counted: whole numbers, int and not float.",
    )
    expect.equal(answer(128, 64), [1024, 512, 256, 128, 64], "At 128 there is one side more.")
    for size in (32, 96, 256):
        expect.raises(
            ValueError,
            answer,
            size,
            8,
            hint="The network would round another size silently: blocks.check_size(size, SIZES).",
        )


def transposed(x, kernel):
    """A transposed convolution 4×4 of stride 2, "same": every pixel paints its stamp."""
    count, height, width, _ = x.shape
    out = np.zeros((count, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for row, column in np.ndindex(4, 4):
        stamp = x @ kernel[row, column].T
        out[:, row : row + 2 * height : 2, column : column + 2 * width : 2] += stamp
    return out[:, 1:-1, 1:-1]


def by_hand(z, kernels, bias, *, first=True, between=True, last="signed"):
    """The generator written out: what z becomes, with normalisations that have learned nothing."""

    def normalised(x):
        return x / np.sqrt(1 + 1e-3)

    project, *others, photo = kernels
    x = normalised((z @ project).reshape(len(z), 4, 4, -1))
    x = np.maximum(x, 0) if first else x
    for kernel in others:
        x = normalised(transposed(x, kernel))
        x = np.maximum(x, 0) if between else x
    x = transposed(x, photo) + bias
    ends = {
        "signed": (np.tanh(x) + 1) / 2,
        "tanh": np.tanh(x),
        "sigmoid": 1 / (1 + np.exp(-x)),
        "squeezed twice": (1 / (1 + np.exp(-x)) + 1) / 2,
        "linear": (x + 1) / 2,
    }
    return ends[last]


def inject(network):
    """Give a network weights of which something arrives; return its kernels and last bias."""
    rng = np.random.default_rng(0)
    kernels = []
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.gamma.assign(np.ones(layer.gamma.shape))
        elif hasattr(layer, "kernel"):
            shape = tuple(layer.kernel.shape)
            kernels.append(rng.normal(0, 0.5 if len(shape) == 2 else 0.3, shape))
            layer.kernel.assign(kernels[-1])
    bias = np.float32([0.2, -0.1, 0.1])
    network.layers[-2].bias.assign(bias)
    return kernels, bias


@exercise(
    "8.2",
    dcgan.generator,
    minutes=12,
    difficulty=2,
    hints=(
        "Five steps: project z by a Dense layer, reshape it to 4×4, normalise and ReLU, double "
        "with blocks.upsample once for every other width, and a last transposed convolution.",
        "The Dense layer makes 4 * 4 * first numbers, without a bias: the normalisation behind it "
        "would take any bias away again.",
        'layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh") makes a photo in [-1, 1]; '
        "blocks.FromSigned() brings it to [0, 1].",
    ),
)
def generator(answer, expect):
    network = answer(64, 2, 5)
    expect.type(network, keras.Model, "keras.Model(z, photo) makes one network of the layers.")
    expect.equal(network.input_shape, (None, 5), "z comes in: layers.Input((latent,)).")
    expect.equal(
        network.output_shape,
        (None, 64, 64, 3),
        "Each width but the first is a doubling, and so is the last layer: 4, 8, 16, 32, 64.",
    )
    norms = [(16,)] * 2 + [(8,)] * 2 + [(4,)] * 2 + [(2,)] * 2
    kernels = [(5, 256), (4, 4, 8, 16), (4, 4, 4, 8), (4, 4, 2, 4), (4, 4, 3, 2)]
    expected = sorted([*norms, *kernels, (3,)])
    bare = [shape for shape in expected if shape != (16,)]
    flat = sorted([*bare, (256,), (256,)])
    thin = sorted([*bare, (4, 4, 3, 2)])
    thin.remove((4, 4, 3, 2))
    expect.call = "generator(64, 2, 5), the shapes of its trainable weights, sorted"
    expect.equal(
        sorted(tuple(v.shape) for v in network.trainable_variables),
        expected,
        "Print network.summary(): 4×4 with the first width, then one upsample for each other "
        "width, then three channels; a scale and an offset at every normalisation.",
        mistakes=[
            (
                sorted([*expected, (256,)]),
                "The normalisation takes the mean away, and with it any bias: use_bias=False.",
            ),
            (
                sorted([*expected, (3,), (3,)]),
                "No normalisation behind the last layer: photos keep their own brightness.",
            ),
            (thin, "The projection is a layer like the others: normalise it, then ReLU."),
            (
                flat,
                "Reshape first, then normalise: a channel has 16 places to take statistics of.",
            ),
            (
                [shape for shape in expected if shape != (3,)],
                "Nothing normalises the last layer, so it has a bias of its own.",
            ),
            (
                sorted(
                    [(2,)] * 2 + [(4,)] * 2 + [(8,)] * 2 + [(16,)] * 2 + [(3,)]
                    + [(5, 32), (4, 4, 4, 2), (4, 4, 8, 4), (4, 4, 16, 8), (4, 4, 3, 16)]
                ),
                "Most channels where the side is 4: widths has them in that order already.",
            ),
        ],
    )  # fmt: skip
    expect.call = "len(generator(64, 2, 5).non_trainable_variables)"
    expect.equal(
        len(network.non_trainable_variables),
        8,
        "Normalise over the batch, here as in blocks.upsample: blocks.normalise().",
    )
    expect.call = "generator(64, 2, 5)"
    for variable in network.trainable_variables:
        if len(variable.shape) > 1:
            expect.true(
                0.01 < as_array(variable).std() < 0.03,
                f"the weights {tuple(variable.shape)} start with another standard deviation",
                "Weights start small, normal with 0.02: kernel_initializer=blocks.normal().",
            )
    given, bias = inject(network)
    z = np.random.default_rng(1).uniform(-1, 1, (2, 5)).astype("float32")
    expect.call = "generator(64, 2, 5)(z)"
    photo = network(z, training=False)
    expect.close(
        photo,
        by_hand(z, given, bias),
        "With the same weights it paints something else: follow the order project, reshape, "
        "normalise, ReLU, upsample, and last a transposed convolution with tanh.",
        mistakes=[
            (
                by_hand(z, given, bias, last="tanh"),
                "tanh ends in [-1, 1], photos are in [0, 1]: blocks.FromSigned().",
            ),
            (
                by_hand(z, given, bias, last="sigmoid"),
                "The paper ends with tanh, in [-1, 1]; blocks.FromSigned() makes a photo of it.",
            ),
            (
                by_hand(z, given, bias, last="squeezed twice"),
                "A sigmoid is in [0, 1] already: FromSigned leaves only the bright half of it.",
            ),
            (
                by_hand(z, given, bias, last="linear"),
                "Nothing keeps the last layer within bounds: its activation is tanh.",
            ),
            (
                by_hand(z, given, bias, first=False),
                "The projected 4×4 goes through a ReLU too, like every layer after it.",
            ),
        ],
        tolerance=1e-3,
    )
    expect.raises(
        ValueError, answer, 96, 2, 5, hint="widths(size, filters) refuses other sizes: ask it."
    )


@exercise(
    "8.3",
    dcgan.diversity,
    minutes=7,
    difficulty=1,
    hints=(
        "Compare photos of the same batch with each other, never fake with real.",
        "ops.roll(photos, 1, axis=0) puts every photo's neighbour in its place.",
        "mean(|fake − roll(fake)|) / mean(|real − roll(real)|), guarded against division by 0.",
    ),
)
def diversity(answer, expect):
    rng = np.random.default_rng(0)
    real = rng.random((4, 6, 5, 3)).astype("float32")
    fake = (0.3 * rng.random((3, 6, 5, 3)) + 0.2).astype("float32")

    def spread(photos, distance=np.abs, turn=np.roll):
        return distance(photos - turn(photos, 1, 0)).mean()

    found = answer(fake, real)
    expect.shape(found, (), "One number for the whole batch: the mean over all axes.")
    expect.close(
        found,
        spread(fake) / spread(real),
        "The mean absolute distance of each photo to the one before it in the batch, the fakes' "
        "over the real ones'.",
        mistakes=[
            (spread(real) / spread(fake), "The fakes' distance goes over the real ones'."),
            (
                spread(fake),
                "How different are photos anyway? Divide by the same distance of real ones.",
            ),
            (
                spread(fake, np.square) / spread(real, np.square),
                "The absolute distance, not its square.",
            ),
            (
                np.sqrt(spread(fake, np.square) / spread(real, np.square)),
                "The absolute distance, not the root of the mean square.",
            ),
            (
                spread(fake, turn=lambda p, n, _: np.roll(p, n, 1))
                / spread(real, turn=lambda p, n, _: np.roll(p, n, 1)),
                "Neighbours in the batch, axis 0; axis 1 holds the rows of one photo.",
            ),
            (
                spread(fake, turn=lambda p, n, _: np.roll(p, n)) / spread(real, turn=lambda p, n, _:
                np.roll(p, n)),
                "Without an axis everything is rolled as one long row: axis=0.",
            ),
            (
                fake.std() / real.std(),
                "That is the contrast within photos, too: one photo painted 4 times has it.",
            ),
            (0.0, "Differences cancel out unless their absolute value is taken."),
            (np.abs(fake.mean() - real.mean()), "Compare photos of one batch with each other."),
        ],
    )  # fmt: skip
    collapsed = np.repeat(real[:1], 4, axis=0)
    expect.close(answer(collapsed, real), 0.0, "The same photo four times has no diversity.")
    expect.close(
        answer(real[:1], real[:1]),
        0.0,
        "A batch of one has no neighbours, and 0 / 0 is no number: divide by at least "
        "keras.config.epsilon().",
    )


def loop_weight(mask, window, edges=True):
    """The weight of every pixel, one after the other; without `edges` as if 0 lay around."""
    weight = np.zeros(mask.shape)
    reach = window // 2
    for photo, row, column, _ in np.ndindex(*mask.shape):
        near = mask[
            photo,
            max(row - reach, 0) : row + reach + 1,
            max(column - reach, 0) : column + reach + 1,
        ]
        weight[photo, row, column] = near.sum() / (near.size if edges else window**2)
    return weight


@exercise(
    "8.4",
    latent_search.context_weight,
    minutes=8,
    difficulty=2,
    hints=(
        "The part of a neighbourhood that is missing is the mean of the mask over it.",
        "A mean over every neighbourhood is a pooling of stride 1: ops.average_pool.",
        'ops.average_pool(mask, window, 1, "same") counts only pixels inside the photo; then put 0 '
        "on missing pixels, which cannot be compared.",
    ),
)
def context_weight(answer, expect):
    mask = np.zeros((2, 9, 11, 1), "float32")
    mask[0, 0:3, 2:5] = mask[1, 4:6, 6:11] = mask[0, 6, 8] = 1
    pooled, known = loop_weight(mask, 3), 1 - mask
    weight = answer(mask, 3)
    expect.shape(weight, mask.shape, 'A weight for every pixel: stride 1 and "same".')
    expect.close(
        weight,
        known * pooled,
        "At a known pixel: missing pixels in the window around it, over all pixels of the window.",
        mistakes=[
            (pooled, "A missing pixel has nothing to be compared with: its weight is 0."),
            (
                known * loop_weight(known, 3),
                "The other way round: pixels weigh more, the more missing ones are near.",
            ),
            (
                known * loop_weight(mask, 3, edges=False),
                'At the photo\'s edge the window is smaller: divide by what is inside ("same").',
            ),
            (
                known * (pooled > 0),
                "How many missing pixels are near counts: the mean, not the maximum.",
            ),
            (known * pooled * 9, "The missing part of the window: a mean, in [0, 1], not a sum."),
            (
                mask * pooled,
                "Known pixels are compared, missing ones cannot be: times (1 - mask).",
            ),
        ],
    )
    expect.close(
        answer(mask), known * loop_weight(mask, 7), "The window is 7 unless another is asked for."
    )
    expect.close(answer(mask, 5), known * loop_weight(mask, 5), "Use `window`; it may be any.")


@exercise(
    "8.5",
    latent_search.context_loss,
    minutes=6,
    difficulty=1,
    hints=(
        "A sum over rows, columns and channels; whatever axes come before them stay.",
        "Count axes from the end: (-3, -2, -1).",
        "2 * ops.sum(weight * ops.abs(guess - photo), axis=(-3, -2, -1))",
    ),
)
def context_loss(answer, expect):
    rng = np.random.default_rng(0)
    guess, photo = rng.random((2, 3, 4, 5, 3)).astype("float32")
    weight = rng.random((3, 4, 5, 1)).astype("float32")
    terms = weight * np.abs(guess - photo)
    axes = (1, 2, 3)
    expected = 2 * terms.sum(axes)
    found = answer(guess, photo, weight)
    expect.shape(
        found,
        (3,),
        "One number for each photo: sum over rows, columns and channels.",
        mistakes=[
            ((), "Each photo is searched by itself: keep the batch's axis."),
            ((3, 4, 5), "Channels are summed, and so are rows and columns: axis=(-3, -2, -1)."),
            ((3, 4, 5, 3), "These are the distances of single numbers: now sum them."),
        ],
    )
    signed = 2 * (weight * (guess - photo)).sum(axes)
    expect.close(
        found,
        expected,
        "Twice the weighted sum of absolute differences.",
        mistakes=[
            (expected / 2, "The paper's photos are in [-1, 1], twice as wide: so is a distance."),
            (2 * terms.mean(axes), "The norm is a sum, not a mean: λ of the prior belongs to it."),
            (2 * (weight * (guess - photo) ** 2).sum(axes), "The 1-norm: no square."),
            (4 * (weight * (guess - photo) ** 2).sum(axes), "The 1-norm: no square."),
            (2 * np.abs(guess - photo).sum(axes), "Every pixel counts alike here: use the weight."),
            (signed, "Too bright here and too dark there would cancel: the absolute value."),
            (np.abs(signed), "The absolute value of every difference, before the sum."),
        ],
    )
    many = answer(guess[:, None], photo[None], weight[None])  # every guess against every photo
    each = 2 * (weight[None] * np.abs(guess[:, None] - photo[None])).sum((2, 3, 4))
    expect.shape(many, (3, 3), "Leading axes may be any: count yours from the end.")
    expect.close(many, each, "Leading axes may be any: count yours from the end.")


@exercise(
    "8.6",
    latent_search.prior_loss,
    minutes=6,
    difficulty=2,
    hints=(
        "The generator wants its guesses to pass for real ones, whose target is 1.",
        "A keras loss object has two faces: called, it gives a mean; its method `call` gives what "
        "is averaged.",
        "persuade.call(ops.ones_like(logits), logits), flattened to one axis.",
    ),
)
def prior_loss(answer, expect):
    logits = np.float32([[-2.0], [0.5], [3.0]])
    expected = np.log1p(np.exp(-logits[:, 0]))
    bce = keras.losses.BinaryCrossentropy(from_logits=True)  # gives (N,)
    found = answer(bce, logits)
    expect.shape(
        found,
        (3,),
        "One number for each guess.",
        mistakes=[
            ((), "That is the mean of all guesses; each is searched by itself: persuade.call."),
            ((3, 1), "One axis: (N, 1) would be broadcast against the context loss to (N, N)."),
        ],
    )
    expect.close(
        found,
        expected,
        "The loss of passing for real: target 1, with the logits as prediction.",
        mistakes=[
            (
                np.log1p(np.exp(logits[:, 0])),
                "Target 0 rewards being found out; a guess that passes for a photo has target 1.",
            ),
            (
                np.full(3, expected.mean()),
                "Every guess has got the mean of all: its own loss, from persuade.call.",
            ),
            (
                -logits[:, 0],
                "The logits themselves are no loss: the generator was trained with `persuade`.",
            ),
        ],
    )
    hinge = losses.AdversarialLoss("hinge").persuade  # gives (N, 1)
    found = answer(hinge, logits)
    same = "Some losses give (N, 1), some (N,): reshape to one axis. And use `persuade`, whichever."
    expect.shape(found, (3,), same)
    expect.close(found, -logits[:, 0], same)
    compiled = (
        "In a compiled search `logits` stands for numbers still to come: no len, no if, no loop "
        "over its rows; keras.ops takes all of them at once."
    )
    with expect.on_error(Exception, compiled):
        answer(bce, keras.KerasTensor((None, 1)))


@exercise(
    "8.7",
    latent_search.best_of_restarts,
    minutes=6,
    difficulty=2,
    hints=(
        "losses.argmin(axis=1) is each photo's best restart, counted within the photo.",
        "Photo number p's restarts begin at row p * restarts of `guess`.",
        "Indexing with an array of rows takes one guess per photo: "
        "guess[np.arange(photos) * restarts + best].",
    ),
)
def best_of_restarts(answer, expect):
    guess = np.arange(6 * 2 * 2 * 3, dtype="float32").reshape(6, 2, 2, 3) / 72
    losses_ = np.float32([[3, 1, 2], [1.5, 4, 0.5]])

    def rows(*numbers):
        return guess[list(numbers)]

    with expect.on_error(
        IndexError, "Rows run from 0 to photos · restarts − 1, a photo's restarts side by side."
    ):
        found = answer(guess, losses_)
    expect.shape(
        found,
        (2, 2, 2, 3),
        "One guess for each photo.",
        mistakes=[
            ((3, 2, 2, 3), "The best restart of each photo: along axis 1, not 0."),
            ((2, 2, 3), "The best of all photos together; each photo has a best of its own."),
        ],
    )
    expect.close(
        found,
        rows(1, 5),
        "Photo 0 has rows 0, 1, 2 of `guess`, photo 1 rows 3, 4, 5.",
        mistakes=[
            (rows(1, 2), "The best restart is counted within its photo: add where that begins."),
            (rows(0, 4), "The lowest loss is the best: argmin."),
            (rows(2, 5), "Restarts of one photo lie side by side: photo · restarts + best."),
            (rows(0, 3), "That is each photo's first restart; which one ends lowest?"),
            (rows(1, 4), "Each photo begins `restarts` rows after the one before it."),
        ],
        tolerance=0,
    )
    ends = np.float32([[2, 1], [0.5, 3], [4, 0]])
    expect.close(
        answer(guess, ends),
        rows(1, 2, 5),
        "Take the number of photos and of restarts from the shape of `losses`.",
        tolerance=0,
    )


def membrane(values, hole):
    """Laplace's equation in a hole inside a photo, by Jacobi's sweeps."""
    values = np.where(hole, 0, values).astype("float64")
    for _ in range(300):
        near = sum(np.roll(values, n, axis) for n in (-1, 1) for axis in (0, 1)) / 4
        values = np.where(hole, near, values)
    return values


@exercise(
    "8.8",
    latent_search.blend,
    minutes=9,
    difficulty=3,
    hints=(
        "On the hole's border the guess is off by photo − guess. Which function of the package "
        "continues numbers on a border smoothly into a hole?",
        "classical.harmonic takes whatever has known and missing pixels, a difference of photos "
        "too: give it the difference, and the mask.",
        "Add the continued difference to the guess, clip to [0, 1], and classical.paste the known "
        "pixels back.",
    ),
)
def blend(answer, expect):
    rng = np.random.default_rng(0)
    guess, photo = rng.uniform(0.35, 0.65, (2, 8, 9, 3)).astype("float32")
    photo[0] *= 0.01  # numbers that do not come back exactly from a sum and a difference
    mask = np.zeros((8, 9, 1), "float32")
    mask[2:5, 3:7] = 1
    hole = mask > 0
    masked = photo * (1 - mask)
    lacking = membrane(masked - guess, hole)
    shift = (masked - guess)[~hole[..., 0]].mean(0)

    def filled(inside):
        return np.where(hole, inside, photo)

    found = answer(guess, masked, mask)
    expect.shape(found, (8, 9, 3), "A photo comes out, as large as the one that went in.")
    expect.close(
        found,
        filled(guess + lacking),
        "In the hole: the guess, plus what it lacks on the border, continued harmonically.",
        mistakes=[
            (filled(guess), "That pastes, and leaves a seam: add harmonic(photo − guess)."),
            (
                filled(guess - lacking),
                "What the guess lacks is photo − guess; yours has the other sign.",
            ),
            (
                guess + lacking,
                "Known pixels are the photo's own, bit for bit: classical.paste.",
            ),
            (
                filled(membrane(masked, hole)),
                "That is the harmonic fill of the photo: the guess has no part in it.",
            ),
            (
                filled(lacking),
                "That is what the guess lacks; add it to the guess.",
            ),
            (
                filled(np.clip(guess + membrane(masked, hole), 0, 1)),
                "Continue the difference between photo and guess, not the photo itself.",
            ),
            (
                filled(guess + shift),
                "One shift for the whole hole cannot fit all of its border: harmonic.",
            ),
        ],
        tolerance=1e-4,
    )
    outside = "Known pixels come back bit for bit: classical.paste as the last step."
    expect.equal(found[~hole[..., 0]], photo[~hole[..., 0]], outside)
    expect.dtype(found, "float32", "classical.paste gives float32, as every photo is.")
    bright = answer(np.where(hole, 0.99, 0.2).astype("float32"), masked, mask)
    expect.within(bright, 0, 1, "Guess and correction may add up to more than white: np.clip.")
    nothing = np.zeros_like(masked)
    expect.close(
        answer(guess, nothing, np.ones_like(mask)),
        guess,
        "Nothing is known: there is no border, so nothing is lacking. Put 0 where pixels are "
        "missing before you continue the difference.",
    )


@exercise(
    "8.9",
    broken.catch_blind,
    minutes=8,
    difficulty=2,
    hints=(
        "Which batch would show that a generator has collapsed? Make it by hand: no network is "
        "needed.",
        "np.repeat(one_photo, 4, axis=0) is what a collapsed generator paints: a measure must "
        "give about 0 for it.",
        "A measure that is 0 always passes that. So ask a second thing: real photos in another "
        "order are as different from each other as real photos are.",
    ),
)
def catch_blind(answer, expect):
    def of_all_pairs(fake, real):
        def spread(photos):
            return np.abs(photos[:, None] - photos[None]).mean()

        fake, real = as_array(fake), as_array(real)
        return spread(fake) / max(spread(real), 1e-7)

    def always_0(fake, real):
        return 0.0

    def always_1(fake, real):
        return 1.0

    expect.catches(
        answer,
        right=[dcgan.diversity, of_all_pairs],
        wrong=[
            (
                broken.distance_to_photos,
                "Give it one photo several times over: it says that all is well. Yours should not.",
            ),
            (
                broken.contrast,
                "A collapsed generator may paint a photo full of contrast, again and again: paint "
                "a real photo several times, not a grey one.",
            ),
            (always_0, "It says 0 of healthy batches too: ask for 1 where fakes vary like photos."),
            (always_1, "It says 1 of one photo painted many times: ask for 0 there."),
        ],
        hint="It refuses a right measure: fakes that vary as real photos do get 1, equal ones 0, "
        "to a tolerance.",
    )
