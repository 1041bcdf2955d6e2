"""Lesson 06: pix2pix's generator, block by block."""

import keras
import numpy as np
from keras import layers, ops

from recon.course.broken import lesson_06 as broken
from recon.course.describe import as_array
from recon.course.exercise import exercise
from recon.models import blocks, pix2pix

WEIGHTS = "kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"
INSIDE = "The block's inner function must end with `return x`."


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# The layers, slowly: what they do to `(B, H, W, C)`.


def convolution(x, kernel):
    """4×4, stride 2, padding "same", which is one pixel of zeros on every side."""
    count, height, width, _ = x.shape
    x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    out = np.zeros((count, height // 2, width // 2, kernel.shape[3]))
    for row, column in np.ndindex(height // 2, width // 2):
        window = x[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4]
        out[:, row, column] = np.einsum("bhwc,hwcd->bd", window, kernel)
    return out


def transposed_convolution(x, kernel):
    """Its mirror: every pixel paints a stamp of 4×4, two pixels further each."""
    count, height, width, _ = x.shape
    out = np.zeros((count, 2 * height + 2, 2 * width + 2, kernel.shape[2]))
    for row, column in np.ndindex(height, width):
        stamp = np.einsum("bd,hwcd->bhwc", x[:, row, column], kernel)
        out[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += stamp
    return out[:, 1:-1, 1:-1]


def standardised(x, weights, kind):
    """By the moving statistics, or every photo's channel by its own."""
    if kind == "batch":
        mean, variance = weights["moving_mean"], weights["moving_variance"]
    else:
        mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-3) * weights["gamma"] + weights["beta"]


def leaky(x, slope=0.2):
    return np.where(x > 0, x, slope * x)


# Networks of an answer, with weights that are known.


def inject(model) -> list[dict]:
    """Give every convolution, and the normalisation after it, weights; in the order of use."""
    found = []
    for number, variable in enumerate(model.weights):
        name = variable.path.split("/")[-1]
        if name not in WEIGHTS:  # a dropout's seed
            continue
        value = numbers(*variable.shape, seed=number)
        if name == "moving_variance":
            value = np.abs(value) + 0.5
        variable.assign(value)
        if name == "kernel":
            found.append({})
        found[-1][name] = value
    return found


def names(model) -> list[str]:
    """What its weights are called: `kernel bias` of a convolution, and so on, in order."""
    found = []
    for variable in model.weights:
        name = variable.path.split("/")[-1]
        if name == "kernel":
            found.append(name)
        elif name in WEIGHTS:
            found[-1] += f" {name}"
    return found


NORMALISED = "kernel gamma beta"
BATCH = "kernel gamma beta moving_mean moving_variance"


def built(block, expect, side: int, channels: int):
    """A block as a network of its own."""
    expect.true(
        callable(block),
        f"gave a {type(block).__name__}, expected a function of x",
        "It makes no layers yet: it gives back a function, `def block(x): ...`, `return block`.",
    )
    x = layers.Input((side, side, channels))
    y = block(x)
    expect.true(y is not None, "the block gives nothing (None)", INSIDE)
    return x, y


@exercise(
    "6.1",
    blocks.to_signed,
    minutes=6,
    difficulty=1,
    hints=(
        "Three steps: the colours to [-1, 1], the missing ones to 0, the mask as fourth channel.",
        "0 goes to -1 and 1 to 1: twice the number, less one. Black missing pixels are then -1, "
        "a colour; times (1 - mask) makes them 0, which is none.",
        "ops.concatenate([colours, mask], axis=-1) puts channels beside each other.",
    ),
)
def to_signed(answer, expect):
    photo = np.random.default_rng(0).random((2, 4, 4, 3)).astype("float32")
    mask = np.zeros((2, 4, 4, 1), "float32")
    mask[0, 1:3, 2:] = 1
    mask[1, 0, 0] = 1
    masked, known, signed = photo * (1 - mask), 1 - mask, 2 * photo - 1

    def beside(colours, last=mask):
        return np.concatenate([colours, last], axis=-1)

    with expect.on_error(Exception, "Masks have one channel, photos three: put them beside."):
        came = answer(masked, mask)
    expect.shape(
        came,
        (2, 4, 4, 4),
        "Three channels of colour and one of mask: four.",
        mistakes=[
            ((2, 4, 4, 3), "The mask is missing: the network must know where it has to invent."),
            ((4, 4, 4, 3), "They stand one after the other: channels are the last axis, axis=-1."),
            ((2, 8, 4, 3), "They stand one below the other: channels are the last axis, axis=-1."),
        ],
    )
    expect.close(
        came,
        beside(signed * known),
        "Look at one known pixel and at one missing pixel by themselves.",
        mistakes=[
            (
                beside(2 * masked - 1),
                "A missing pixel is black here, -1, as if it were a colour: make it 0.",
            ),
            (beside(masked), "The colours are still in [0, 1]: 0 must become -1, and 1 stay 1."),
            (beside((masked - 0.5) * known), "[-0.5, 0.5] is half as wide as [-1, 1]."),
            (
                beside((2 * masked - 1) * mask),
                "mask is 1 where pixels are missing: 1 - mask is kept.",
            ),
            (
                beside(signed * known, 2 * mask - 1),
                "The mask stays as it is, 0 and 1: only colours are rescaled.",
            ),
            (beside(signed * known, known), "The mask goes in as it is: 1 stays missing."),
            (
                np.concatenate([mask, signed * known], axis=-1),
                "Colours come first, the mask is the fourth channel.",
            ),
        ],
    )
    expect.close(
        answer(photo, mask),
        beside(signed * known),
        "What missing pixels hold does not matter: here it is not black, and it shows through.",
    )
    rows = "Rows of pixels, (B, W, 3), come too: count the axis from the end, axis=-1."
    with expect.on_error(Exception, rows):
        row = answer(masked[:, 0], mask[:, 0])
    expect.close(row, beside(signed * known)[:, 0], rows)
    with expect.on_error(Exception, "It becomes part of a network: take ops.concatenate, not np."):
        answer(layers.Input((4, 4, 3)), layers.Input((4, 4, 1)))


@exercise(
    "6.2",
    blocks.downsample,
    minutes=10,
    difficulty=1,
    hints=(
        "Inside, `def block(x):` with three layers, each called on x, and `return x`; outside, "
        "`return block`. The second layer is there only if kind is not None.",
        'layers.Conv2D(filters, 4, 2, "same", ...)(x): width 4, stride 2. A normalisation takes '
        "any bias away again, so use_bias=kind is None.",
        "After it normalise(kind)(x) if kind, then layers.LeakyReLU(0.2)(x); the convolution's "
        "weights start as kernel_initializer=normal().",
    ),
)
def downsample(answer, expect):
    x, y = built(answer(2, None), expect, 8, 3)
    expect.shape(
        y,
        (None, 4, 4, 2),
        "8×8 with 3 channels becomes 4×4 with `filters` channels.",
        mistakes=[
            ((None, 3, 3, 2), 'The edge is lost: padding "same".'),
            ((None, 8, 8, 2), "Nothing is halved: the stride is 2."),
            ((None, 2, 2, 2), "That is a quarter: one stride of 2, width 4."),
        ],
    )
    model = keras.Model(x, y)
    expect.equal(
        names(model),
        ["kernel bias"],
        "kind None: a convolution and nothing else that has weights.",
        mistakes=[
            (["kernel"], "Without normalisation nothing can shift a channel: it needs its bias."),
            ([BATCH], "kind None leaves the normalisation out."),
            (["kernel bias" + BATCH[6:]], "kind None leaves the normalisation out."),
        ],
    )
    (weights,) = inject(model)
    expect.equal(weights["kernel"].shape, (4, 4, 3, 2), "The paper's convolutions are 4×4.")
    photos = numbers(2, 8, 8, 3, seed=5)
    plain = convolution(photos, weights["kernel"]) + weights["bias"]
    expect.close(
        model(photos),
        leaky(plain),
        "kind None: the convolution, then the leaky ReLU.",
        mistakes=[
            (leaky(plain, 0), "A plain ReLU: below 0 nothing is learned. It must leak, 0.2."),
            (leaky(plain, 0.3), "Keras's own leak is 0.3; the paper's is 0.2."),
            (leaky(plain, 0.01), "PyTorch's own leak is 0.01; the paper's is 0.2."),
            (plain, "The activation is missing: without it two layers are one."),
        ],
        tolerance=1e-4,
    )
    for kind, expected in (("batch", BATCH), ("instance", NORMALISED)):
        x, y = built(answer(2, kind), expect, 8, 3)
        model = keras.Model(x, y)
        expect.equal(
            names(model),
            [expected],
            f"kind {kind!r}: normalise(kind) makes the layer that is asked for.",
            mistakes=[
                (
                    ["kernel bias" + expected[6:]],
                    "A normalisation follows: it takes a bias away.",
                ),
                (["kernel bias"], "The normalisation is missing where kind asks for one."),
                (["kernel"], "The normalisation is missing where kind asks for one."),
            ],
        )
        (weights,) = inject(model)
        plain = convolution(photos, weights["kernel"])
        expect.close(
            model(photos),
            leaky(standardised(plain, weights, kind)),
            "Convolution, normalisation, leaky ReLU: in this order.",
            mistakes=[
                (
                    standardised(leaky(plain), weights, kind),
                    "The normalisation comes before the ReLU, not after it.",
                ),
                (standardised(plain, weights, kind), "The leaky ReLU is missing."),
            ],
            tolerance=1e-4,
        )
    x, y = built(answer(32), expect, 8, 8)
    model = keras.Model(x, y)
    expect.equal(names(model), [BATCH], "Without a word, kind is batch.")
    spread = as_array(model.weights[0]).std()
    expect.true(
        0.017 < spread < 0.023,
        f"the kernel starts with a standard deviation of {spread:.3f}, expected 0.02",
        "The weights start as the paper's: kernel_initializer=normal().",
    )


@exercise(
    "6.3",
    blocks.receptive_field,
    minutes=10,
    difficulty=2,
    hints=(
        "Walk from the photo inwards and keep two numbers: how wide one number sees so far, and "
        "how many pixels lie between neighbouring numbers. Both begin with 1.",
        "A convolution of width w puts w neighbours together: w - 1 steps of that spacing wider.",
        "field += (width - 1) * spacing, and after it spacing *= stride.",
    ),
)
def receptive_field(answer, expect):
    expect.equal(answer([]), 1, "No convolution at all: a pixel sees itself.")
    expect.equal(answer([(4, 2)]), 4, "One convolution of width 4 sees four pixels.")
    expect.equal(
        answer([(3, 1), (3, 1)]),
        5,
        "Two of width 3, stride 1: each adds 2, so 5.",
        mistakes=[
            (6, "Two of width 3 overlap: each adds width - 1, and the first pixel is there."),
            (9, "Fields do not multiply: the second adds 2 to the first one's 3."),
            (7, "Each adds width - 1 pixels, starting with 1."),
            (3, "All convolutions count, not the last alone."),
        ],
    )
    expect.equal(
        answer([(4, 2), (4, 2)]),
        10,
        "After a stride of 2 neighbours lie two pixels apart: the second adds 3 · 2.",
        mistakes=[
            (7, "After a stride of 2 neighbours lie two pixels apart: strides matter."),
            (16, "A convolution's own stride spreads only those after it: add, then multiply."),
            (14, "A convolution's own stride spreads only those after it: add, then multiply."),
            (8, "Strides matter for what comes after: neighbours lie two pixels apart."),
        ],
    )
    expect.equal(
        answer([(4, 2), (4, 2), (4, 2)]),
        22,
        "Strides multiply: after two of them neighbours lie 4 pixels apart.",
        mistakes=[
            (16, "The spacing is the product of all strides so far, not the last one."),
            (20, "Strides multiply and do not add: after three of them 8, not 6."),
        ],
    )
    expect.equal(
        answer([(3, 3), (2, 1), (5, 2)]),
        18,
        "3, then 1 · 3 more, then 4 · 3 more: the order is the photo's way through them.",
        mistakes=[
            (13, "The list's order is the photo's: the first convolution comes first."),
            (11, "The list's order is the photo's: the first convolution comes first."),
        ],
    )


# The way down, and the way up, written out


def down(x, weights, kinds):
    """What each level says; kinds: of normalisation, or None."""
    found = []
    for own, kind in zip(weights, kinds, strict=True):
        x = convolution(x, own["kernel"])
        x = leaky(standardised(x, own, kind) if kind else x + own["bias"])
        found.append(x)
    return found


@exercise(
    "6.4",
    pix2pix.contract,
    minutes=12,
    difficulty=2,
    hints=(
        "A loop over the widths: each level takes what the one before has said, and its answer "
        "goes into a list. The list is what is given back, all of it.",
        "x = downsample(width, ...)(x); features.append(x).",
        "enumerate(widths) counts the levels: the first is 0, the last len(widths) - 1. In "
        "between kind, at both ends None.",
    ),
)
def contract(answer, expect):
    x = layers.Input((16, 16, 3))
    with expect.on_error(
        TypeError, "downsample(width, kind) makes a block; call that on x: downsample(...)(x)."
    ):
        features = answer(x, [2, 3, 2, 4], "instance")
    expect.type(features, (list, tuple), "All levels are given back, as a list: skips need them.")
    sizes = [(None, 8, 8, 2), (None, 4, 4, 3), (None, 2, 2, 2), (None, 1, 1, 4)]
    bigger = [(None, 16, 16, 3), *sizes]
    expect.equal(
        [tuple(f.shape) for f in features],
        sizes,
        "Each level halves what the one before it has said, to its own width.",
        mistakes=[
            (sizes[::-1], "The largest comes first."),
            ([(None, 8, 8, w) for w in (2, 3, 2, 4)], "Each level takes the one before, not x."),
            (bigger, "x itself is no level: the first is half as large."),
            (bigger[:-1], "What a level says is kept after its block, not before."),
            (sizes[:-1], "The last level belongs to the list, too."),
            (sizes[-1:], "Keep what every level says, not only the last."),
        ],
    )
    model = keras.Model(x, list(features))
    plain, middle = "kernel bias", NORMALISED
    expect.equal(
        names(model),
        [plain, middle, middle, plain],
        "Both ends stay without normalisation, all others have one.",
        mistakes=[
            ([plain, middle, middle, middle], "The last level is one pixel: normalised, it is 0."),
            ([middle, middle, middle, plain], "The first level keeps a photo's own brightness."),
            ([middle] * 4, "Neither the first level nor the last one is normalised."),
            ([plain] * 4, "The levels between the first and the last are normalised: kind."),
            ([plain, plain, middle, plain], "Levels count from 0: only 0 is the first."),
            ([plain, middle, plain, plain], "The last level is number len(widths) - 1."),
            (
                [plain, BATCH, BATCH, plain],
                "kind says which normalisation: hand it on to downsample.",
            ),
        ],
    )
    weights, photos = inject(model), numbers(2, 16, 16, 3, seed=3)
    kinds = [None, "instance", "instance", None]
    for came, level in zip(model(photos), down(photos, weights, kinds), strict=True):
        expect.close(came, level, "Each level is one downsample(width, ...) block.", tolerance=1e-3)
    x = layers.Input((8, 8, 1))
    expect.equal(
        names(keras.Model(x, list(answer(x, [1, 1, 1])))),
        [plain, BATCH, plain],
        "Without a word, kind is batch.",
    )


@exercise(
    "6.5",
    blocks.upsample,
    minutes=8,
    difficulty=1,
    hints=(
        "downsample's mirror: a convolution, a normalisation, an activation, and between the last "
        "two a dropout where one is asked for.",
        'layers.Conv2DTranspose(filters, 4, 2, "same", use_bias=False, ...) doubles the side.',
        "if dropout: x = layers.Dropout(dropout)(x); at the end layers.ReLU()(x). Weights start as "
        "kernel_initializer=normal().",
    ),
)
def upsample(answer, expect):
    x, y = built(answer(2, "instance", 0.25), expect, 4, 3)
    expect.shape(
        y,
        (None, 8, 8, 2),
        "4×4 with 3 channels becomes 8×8 with `filters` channels.",
        mistakes=[
            ((None, 2, 2, 2), "That halves: the transposed convolution is layers.Conv2DTranspose."),
            ((None, 10, 10, 2), 'Stamps reach over the edge: padding "same".'),
            ((None, 4, 4, 2), "Nothing is doubled: the stride is 2."),
        ],
    )
    model = keras.Model(x, y)
    expect.equal(
        names(model),
        [NORMALISED],
        "normalise(kind) makes the layer that is asked for.",
        mistakes=[
            (["kernel bias" + NORMALISED[6:]], "A normalisation follows: use_bias=False."),
            (["kernel"], "The normalisation is missing."),
            (["kernel bias"], "The normalisation is missing."),
            ([BATCH], "kind says which normalisation: hand it on to normalise."),
        ],
    )
    (weights,) = inject(model)
    expect.equal(weights["kernel"].shape, (4, 4, 2, 3), "The paper's convolutions are 4×4.")
    photos = numbers(4, 4, 4, 3, seed=5)
    plain = transposed_convolution(photos, weights["kernel"])
    normalised = standardised(plain, weights, "instance")
    expected = leaky(normalised, 0)
    expect.close(
        model(photos),
        expected,
        "Transposed convolution, normalisation, ReLU: in this order.",
        mistakes=[
            (leaky(normalised), "It leaks: on the way up the paper's ReLU does not."),
            (normalised, "The ReLU is missing."),
            (
                standardised(leaky(plain, 0), weights, "instance"),
                "The normalisation comes before the ReLU, not after it.",
            ),
        ],
        tolerance=1e-4,
    )
    trained, rested = (as_array(model(photos, training=mode)) for mode in (True, False))
    lit = rested > 0.3
    parts = trained[lit] / rested[lit]  # 0 where dropped, else 1 / (1 - 0.25)
    wide = 0.05  # 16-bit numbers are coarse
    expect.true(
        (parts < wide).any(),
        "in training no number is dropped, expected a quarter of them",
        "dropout=0.25 asks for a Dropout layer of that rate.",
    )
    expect.true(
        (np.abs(parts[parts > wide] - 4 / 3) < wide).all(),
        f"in training the numbers that stay are multiplied by {parts.max():.2f}, expected 1.33",
        "Dropout's rate is the part that is dropped, here 0.25; once, and after normalising.",
    )
    x, y = built(answer(32), expect, 4, 8)
    model = keras.Model(x, y)
    expect.equal(names(model), [BATCH], "Without a word, kind is batch.")
    spread = as_array(model.weights[0]).std()
    expect.true(
        0.017 < spread < 0.023,
        f"the kernel starts with a standard deviation of {spread:.3f}, expected 0.02",
        "The weights start as the paper's: kernel_initializer=normal().",
    )
    expect.true(
        not dropouts(model), "drops numbers with dropout=0", "A dropout of 0 needs no layer."
    )


def dropouts(model) -> list[tuple]:
    """Side and rate of every dropout, in order."""
    found = []
    for layer in model.layers:
        if isinstance(layer, layers.Dropout):
            found.append((layer.output.shape[1], layer.rate))
        elif hasattr(layer, "layers"):
            found += dropouts(layer)
    return found


def up(features, weights, swap=False):
    *skips, x = features
    for own, skip in zip(weights, reversed(skips), strict=True):
        x = transposed_convolution(x, own["kernel"])
        x = leaky(standardised(x, own, "instance"), 0)
        x = np.concatenate([skip, x] if swap else [x, skip], axis=-1)
    return x


@exercise(
    "6.6",
    pix2pix.expand,
    minutes=15,
    difficulty=3,
    hints=(
        "Take the last of the features apart from the others: *skips, x = features. It is where "
        "the way up begins; the others are the skips, wanted from the smallest to the largest.",
        "For each skip: upsample x to as many channels as the skip has, then put both beside each "
        "other with layers.Concatenate()([x, skip]).",
        "enumerate(reversed(skips)) counts the doublings: the first three have dropout, others 0. "
        "The width of a level is skip.shape[-1].",
    ),
)
def expand(answer, expect):
    sizes = [(16, 16, 2), (8, 8, 3), (4, 4, 2), (2, 2, 4), (1, 1, 3)]
    features = [layers.Input(size) for size in sizes]
    with expect.on_error(
        ValueError, "Sizes must agree: the innermost has no partner, skips go smallest first."
    ):
        y = answer(features, "instance", 0.5)
    expect.equal(len(features), 5, "The caller's list has changed: pop takes out of it.")
    expect.shape(
        y,
        (None, 16, 16, 4),
        "The last doubling gives the largest level's 2 channels, and the skip brings 2 more.",
        mistakes=[
            (
                (None, 16, 16, 2),
                "The largest level's own channels are missing: put beside, not added or left out.",
            ),
            (
                (None, 32, 32, 4),
                "It ends at the largest level: the photo's own layer comes later.",
            ),
            ((None, 8, 8, 6), "The largest level is a skip, too."),
        ],
    )
    model = keras.Model(features, y)
    expect.equal(names(model), [NORMALISED] * 4, "Four doublings, each normalised as kind says.")
    expect.equal(
        [tuple(v.shape) for v in model.weights if len(v.shape) == 4],
        [(4, 4, 4, 3), (4, 4, 2, 8), (4, 4, 3, 4), (4, 4, 2, 6)],
        "A doubling has as many channels as its skip, skip.shape[-1]; the next one sees both.",
        mistakes=[
            ([(4, 4, 4, 3), (4, 4, 2, 4), (4, 4, 3, 2), (4, 4, 2, 3)], "Skips are put beside x."),
        ],
    )
    weights = inject(model)
    values = [numbers(1, *size, seed=n) for n, size in enumerate(sizes, 3)]
    expect.close(
        model(values),
        up(values, weights),
        "Each doubling is one upsample(width, kind, ...) block, with its skip beside it.",
        mistakes=[(up(values, weights, swap=True), "x comes first, then the skip.")],
        tolerance=1e-3,
    )
    expect.equal(
        dropouts(model),
        [(2, 0.5), (4, 0.5), (8, 0.5)],
        "Dropout belongs to the three innermost doublings: to 2×2, 4×4 and 8×8.",
        mistakes=[
            ([(n, 0.5) for n in (2, 4, 8, 16)], "Four are too many: the outermost has no dropout."),
            ([(n, 0.5) for n in (4, 8, 16)], "The innermost three, not the outermost three."),
            ([], "dropout must reach upsample."),
        ],
    )
    few = [layers.Input(size) for size in ((2, 2, 1), (1, 1, 1))]
    model = keras.Model(few, answer(few))
    expect.equal(names(model), [BATCH], "Without a word, kind is batch.")
    expect.equal(dropouts(model), [(2, 0.5)], "Without a word, dropout is 0.5.")


# Break it


def tidy(x, widths, kind="batch"):
    """Right, and another network: it averages instead of taking large steps."""
    found = []
    for width in widths:
        x = layers.AveragePooling2D(2)(layers.Conv2D(width, 3, padding="same")(x))
        found.append(x)
    return found


def silent(x, widths, kind="batch"):
    """Its innermost features are 0, whichever way photos are normalised."""
    *found, last = pix2pix.contract(x, widths, kind)
    return [*found, 0 * last]


def constant(x, widths, kind="batch"):
    """`blind`, with an offset: nothing is 0, and nothing depends on the photo."""
    *found, last = broken.blind(x, widths, "instance" if kind == "instance" else kind)
    return [*found, last + ops.cast(ops.arange(widths[-1]), last.dtype)]


@exercise(
    "6.7",
    broken.catch_blind,
    minutes=12,
    difficulty=2,
    hints=(
        "Give it two different photos in one batch, so that both meet the same weights, and look "
        "at the last of the features: what does it say of one, and what of the other?",
        "The fault shows where the last level is a single pixel: an 8×8 photo and three widths. "
        'And only with kind "instance".',
        'features = contract(photos, [4, 4, 4], "instance"); '
        "one, other = ops.convert_to_numpy(features[-1]); assert they differ somewhere.",
    ),
)
def catch_blind(answer, expect):
    expect.catches(
        answer,
        right=[pix2pix.contract, tidy],
        wrong=[
            (silent, "Its innermost features are all 0: compare those of two photos."),
            (
                broken.blind,
                'It is blind at 1×1 with kind "instance": look there. As many widths as the '
                "photo can be halved.",
            ),
            (
                constant,
                "Its innermost features are not 0, but the same for every photo: ask whether two "
                "photos differ.",
            ),
        ],
        hint="It refuses a way down that sees: weights are random, so no value is known before, "
        "and one weight more or less is no fault. Only that two photos differ is.",
    )
