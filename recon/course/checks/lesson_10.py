"""Lesson 10: tokens, attention, embeddings, latents, and how noise gets into them."""

import math

import numpy as np

from recon.course.broken import lesson_10 as broken
from recon.course.exercise import exercise
from recon.models import diffusion_small
from recon.stable_diffusion import schedulers, text


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


# 10.1


@exercise(
    "10.1",
    text.pad,
    minutes=8,
    difficulty=1,
    hints=(
        "Two of the places are taken before the first word: by start and by end.",
        "Keep the first length - 2 ids, and let a row begin as nothing but ends.",
        'row = np.full(length, end, "int32"); row[0] = start; then the kept ids into a slice '
        "from 1 on.",
    ),
)
def pad(answer, expect):
    ids = [7, 8, 9]
    row = answer(ids, 1, 2, 8)
    expect.true(
        ids == [7, 8, 9],
        f"the list of ids became {ids}",
        "insert and append change the caller's list: make a list of your own, [start, *ids, end].",
    )
    expect.equal(
        row,
        np.array([1, 7, 8, 9, 2, 2, 2, 2]),
        "One start, the ids, one end, and ends up to the length.",
        mistakes=[
            ([1, 7, 8, 9, 2, 0, 0, 0], "0 is the id of a word or a sign: pad with the end again."),
            ([7, 8, 9, 2, 2, 2, 2, 2], "The row begins with start."),
            ([1, 7, 8, 9, 1, 1, 1, 1], "Start comes once: what follows the ids is the end."),
            ([1, 7, 8, 9, 2], "Every row has the same length, or prompts do not make a batch."),
            ([2, 2, 2, 2, 1, 7, 8, 9], "The padding stands behind: the first place is start's."),
        ],
    )
    expect.dtype(row, "int32", "Rows of ids are int32, as the text encoder's input is.")
    many = [5, 6, 7, 8, 9, 10]
    with expect.on_error(
        ValueError, "Ids that do not fit are cut: keep length - 2 of them.", "broadcast"
    ):
        cut = answer(many, 1, 2, 5)
    expect.equal(
        cut,
        np.array([1, 5, 6, 7, 2]),
        "Too many ids: keep the first length - 2 of them.",
        mistakes=[
            ([1, 5, 6, 7, 8], "A row that is cut ends in the end, too: it must be room for it."),
            ([1, 5, 6, 2, 2], "One place too many is left free: start and end take two."),
            ([1, 8, 9, 10, 2], "The end of a long prompt is cut, not its beginning."),
        ],
    )
    full = "As many ids as there are places for: none is cut."
    expect.equal(answer([5, 6, 7], 1, 2, 5), np.array([1, 5, 6, 7, 2]), full)
    none = "The empty prompt has a row, too: guidance needs it."
    expect.equal(answer([], 1, 2, 3), np.array([1, 2, 2]), none)
    expect.equal(answer([5], 1, 2, 2), np.array([1, 2]), "A length of 2 has room for no id.")
    expect.raises(
        ValueError,
        answer,
        [5],
        1,
        2,
        1,
        hint="A length below 2 has no room for start and end: raise a ValueError that says so.",
    )


# 10.2


@exercise(
    "10.2",
    text.merge,
    minutes=8,
    difficulty=1,
    hints=(
        "Go from left to right and build a new list.",
        "Look at the last piece of the new list and at the next old one: are they the pair?",
        "if merged and (merged[-1], piece) == pair: merged[-1] += piece, else append it.",
    ),
)
def merge(answer, expect):
    def pieces(given, pair):
        given = list(given)
        before = list(given)
        with expect.on_error(IndexError, "The last piece has no neighbour on its right."):
            found = answer(given, pair)
        expect.true(
            given == before,
            f"the list of pieces became {given}",
            "The pieces belong to the caller: build a new list.",
        )
        expect.type(found, (list, tuple), "A list of pieces, not one text.")
        return list(found)

    expect.equal(
        pieces(["t", "i", "g", "e", "r</w>"], ("t", "i")),
        ["ti", "g", "e", "r</w>"],
        "t and i become one piece; the others stay.",
        mistakes=[
            (["ti", "i", "g", "e", "r</w>"], "The right half is in the new piece: leave it out."),
            (["ti", "g", "e"], "The last piece is lost: a pair needs two, it needs none."),
            (["it", "g", "e", "r</w>"], "Left before right: the new piece is pair[0] + pair[1]."),
        ],
    )
    expect.equal(
        pieces("banana", ("a", "n")),
        ["b", "an", "an", "a"],
        "The pair is joined wherever it stands.",
        mistakes=[
            (["b", "an", "a", "n", "a"], "Not only the first time: the pair is there twice.")
        ],
    )
    expect.equal(
        pieces("aaaaa", ("a", "a")),
        ["aa", "aa", "a"],
        "From the left, and a piece that is used up is not used again.",
        mistakes=[(["a", "aa", "aa"], "From the left: yours begins on the right.")],
    )
    expect.equal(
        pieces(["ca", "b", "a", "b"], ("a", "b")),
        ["ca", "b", "ab"],
        "Compare whole pieces.",
        mistakes=[
            (
                ["cab", "ab"],
                "'ca' is not 'a': a text replacement does not see where pieces end.",
            )
        ],
    )
    same = ["n", "a"]
    order = "n, a is not the pair a, n: order counts."
    expect.equal(pieces(same, ("a", "n")), same, order)
    expect.equal(pieces(["t"], ("a", "n")), ["t"], "A word of one piece has no pair.")
    expect.equal(pieces([], ("a", "n")), [], "No pieces, no pair.")


# 10.3

MERGES = (("t", "i"), ("g", "e"), ("ti", "ge"), ("tige", "r</w>"), ("tige", "r"))


@exercise(
    "10.3",
    text.byte_pairs,
    minutes=12,
    difficulty=2,
    hints=(
        "The pieces to begin with are the letters, the last of them with </w> behind it.",
        "Among the merges whose pair stands somewhere in the word, take the first of the list; "
        "merge; look again, until none fits.",
        "pairwise(pieces) gives the neighbours; while fitting := [p for p in merges if p in "
        "pairwise(pieces)]: pieces = merge(pieces, fitting[0])",
    ),
)
def byte_pairs(answer, expect):
    def pieces(word, merges=MERGES):
        with expect.on_error(IndexError, "A word of one letter, and a last piece without a right."):
            found = answer(word, merges)
        expect.type(found, (list, tuple), "A list of pieces.")
        return list(found)

    bare = "The last letter carries its mark from the start: 'r</w>' is not 'r'."
    expect.equal(
        pieces("er"),
        ["e", "r</w>"],
        "No merge fits: the letters stay, the last one with </w>.",
        mistakes=[
            (["e", "r"], bare),
            (["e", "r", "</w>"], "</w> is part of the last piece, not a piece of its own."),
            (["e</w>", "r</w>"], "Only the word's last letter has the mark."),
        ],
    )
    expect.equal(
        pieces("tiger"),
        ["tiger</w>"],
        "t i, then g e, then ti ge, then tige r</w>: one piece.",
        mistakes=[
            (["ti", "g", "e", "r</w>"], "One merge is not enough: go on until none fits."),
            (["ti", "ge", "r</w>"], "Pieces that were merged merge again: look at the new word."),
            (["tiger"], bare),
            (["tige", "r</w>"], "The last merge is missing: stop only when none fits."),
        ],
    )
    expect.equal(
        pieces("abcd", (("b", "c"), ("a", "b"))),
        ["a", "bc", "d</w>"],
        "The merge that stands first in the list goes first.",
        mistakes=[
            (
                ["ab", "c", "d</w>"],
                "The list's order decides, not the word's: b c comes first wherever it stands.",
            )
        ],
    )
    one = "In the middle of a word r has no mark: another merge, another piece."
    expect.equal(pieces("tigers"), ["tiger", "s</w>"], one)
    expect.equal(pieces("titi", (("t", "i"),)), ["ti", "t", "i</w>"], "i</w> is not i.")
    expect.equal(pieces("a", ()), ["a</w>"], "A word of one letter has one piece.")


# 10.4


def slow_attention(query, key, scale, seen, kept=True):
    """Token by token, number by number."""
    heads, length, _ = query.shape
    weights = np.zeros((heads, length, length))
    for head in range(heads):
        for i in range(length):
            scores = [scale * sum(query[head, i] * key[head, j]) for j in range(length)]
            each = [math.exp(s) if seen(i, j) else 0.0 for j, s in enumerate(scores)]
            whole = sum(each) if kept else sum(map(math.exp, scores))
            weights[head, i] = [e / whole if whole else math.nan for e in each]
    return weights


@exercise(
    "10.4",
    text.attention,
    minutes=12,
    difficulty=2,
    hints=(
        "Scores first: every query with every key, divided by the root of the width.",
        "Later tokens get the score minus infinity: np.triu(ones, k=1) says which those are.",
        "Softmax over the last axis: exp(scores - scores.max(axis=-1, keepdims=True)), then divide "
        "by its sum over that axis.",
    ),
)
def attention(answer, expect):
    query, key = normal(2, 4, 9), normal(2, 4, 9, seed=1)

    def before(i, j):
        return j <= i

    transposed = "The last two axes of the keys change places, no others: np.swapaxes(key, -1, -2)."
    with expect.on_error(ValueError, transposed), np.errstate(all="ignore"):
        weights = answer(query, key)
    expect.shape(weights, (2, 4, 4), "A weight for every two tokens of every head.")
    bare = slow_attention(query, key, 1 / 3, lambda i, j: True)
    expect.finite(weights, "A token sees itself: the mask begins one above the diagonal, k=1.")
    down = np.exp(np.einsum("hid,hjd->hij", query, key) / 3) * np.tril(np.ones((4, 4)))
    zeroed = np.exp(np.einsum("hid,hjd->hij", query, key) / 3 * np.tril(np.ones((4, 4))))
    expect.close(
        weights,
        slow_attention(query, key, 1 / 3, before),
        "softmax(query · keyᵀ / √width), without the later tokens.",
        mistakes=[
            (bare, "Every token sees those after it: they get −∞ before the softmax."),
            (
                slow_attention(query, key, 1 / 3, lambda i, j: j >= i),
                "Yours looks ahead: row i is who looks, column j who is seen; hidden is j > i.",
            ),
            (
                slow_attention(query, key, 1, before),
                "Divide the scores by √width, or the softmax is too sharp.",
            ),
            (
                slow_attention(query, key, 1 / 9, before),
                "By the width's square root, not by the width.",
            ),
            (
                slow_attention(query, key, 1 / 3, before, kept=False),
                "Masked after the softmax the rows no longer sum to 1: mask the scores.",
            ),
            (
                zeroed / zeroed.sum(axis=-1, keepdims=True),
                "A score of 0 is e⁰ = 1 in the softmax: what must not be seen has −∞.",
            ),
            (
                down / down.sum(axis=-2, keepdims=True),
                "Each row sums to 1: the softmax goes over the last axis, the tokens seen.",
            ),
            (
                slow_attention(key, query, 1 / 3, before),
                "The one who looks is the query: rows are queries, columns are keys.",
            ),
        ],
    )
    large = np.array([[10, 0], [200, 0]], "float32")
    with np.errstate(all="ignore"):
        weights = answer(large, large)
    expect.finite(weights, "e to the 28,000 overflows: take each row's largest score away first.")
    expect.close(weights, [[1, 0], [0, 1]], "The largest score takes all.")


# 10.5


@exercise(
    "10.5",
    text.summary,
    minutes=8,
    difficulty=2,
    hints=(
        "The last token of every row is an end. Where does the first one of its kind stand?",
        "np.argmax of a bool array gives the first True.",
        "embedding[np.arange(N), first] takes one place of every row.",
    ),
)
def summary(answer, expect):
    tokens = np.array([[0, 9, 5, 1, 1], [0, 1, 1, 1, 1], [0, 4, 9, 7, 1]])
    embedding = normal(3, 5, 2)
    first = [3, 1, 4]

    def at(places):
        return np.stack([embedding[n, place] for n, place in enumerate(places)])

    with expect.on_error(IndexError, "tokens is (N, L): compare along axis 1, the tokens."):
        vectors = answer(embedding, tokens)
    expect.shape(
        vectors,
        (3, 2),
        "One vector per prompt: (N, width).",
        mistakes=[
            ((3, 3, 2), "embedding[:, first] takes all places of all rows: index the rows, too."),
            ((3, 5), "The width stays; it is the tokens of which one is chosen."),
        ],
    )
    expect.close(
        vectors,
        at(first),
        "The embedding at the first end of each row.",
        mistakes=[
            (at([4, 4, 4]), "The last place is padding for short prompts: take the first end."),
            (at([2, 0, 3]), "One too early: the end token itself, not the word before it."),
            (at([0, 0, 0]), "Start has seen nothing of the prompt: a token sees those before it."),
            (embedding.mean(axis=1), "Not the mean: one token has seen all of the prompt."),
            (
                at([1, 1, 2]),
                "The end is not the largest id of every tokenizer: compare with the last token.",
            ),
        ],
    )
    ends = np.array([[3, 8, 8, 8], [3, 5, 5, 8]])
    embedding = normal(2, 4, 3, seed=1)
    other = "Which id is the end, the row's last token says: it is not always 1."
    expect.close(answer(embedding, ends), embedding[[0, 1], [1, 3]], other)


# 10.6


@exercise(
    "10.6",
    text.cosine,
    minutes=6,
    difficulty=1,
    hints=(
        "Divide every row by its length; then a matrix product does the rest.",
        "np.linalg.norm(x, axis=1, keepdims=True) is (N, 1).",
        "np.clip(a @ b.T, -1, 1) after both were divided: rounding may go past 1.",
    ),
)
def cosine(answer, expect):
    a, b = normal(3, 4), 2 * normal(2, 4, seed=1)
    exact = np.zeros((3, 2))
    for i, j in np.ndindex(3, 2):
        lengths = math.sqrt(sum(a[i] ** 2)) * math.sqrt(sum(b[j] ** 2))
        exact[i, j] = sum(a[i] * b[j]) / lengths
    lengths = [np.sqrt((x**2).sum(axis=1, keepdims=True)) for x in (a, b)]
    columns = [x / np.sqrt((x**2).sum(axis=0, keepdims=True)) for x in (a, b)]
    whole = [x / np.sqrt((x**2).sum()) for x in (a, b)]
    with expect.on_error(
        ValueError, "(N, D) times (D, M): the second one is transposed, b.T; lengths are (N, 1)."
    ):
        found = answer(a, b)
    expect.shape(found, (3, 2), "Every row of a with every row of b.")
    dot = a @ b.T
    expect.close(
        found,
        exact,
        "The dot product of two rows, divided by both lengths.",
        mistakes=[
            (dot, "Long vectors win: divide every row by its length first."),
            (np.clip(dot, -1, 1), "Clipped is not divided: divide every row by its length first."),
            (dot / lengths[0], "b's rows have lengths, too."),
            (dot / lengths[1].T, "a's rows have lengths, too."),
            (columns[0] @ columns[1].T, "The length of a row is over axis 1, its numbers."),
            (whole[0] @ whole[1].T, "One length per row (axis=1, keepdims=True), not one for all."),
            (dot / (lengths[0] * lengths[1].T) ** 2, "A length is a square root."),
        ],
    )
    many = normal(64, 16, seed=2)
    rounding = "Rounding goes past 1, and arccos would say nan: clip to [-1, 1]."
    expect.within(answer(many, many), -1, 1, rounding)
    expect.within(answer(many, -many), -1, 1, rounding)


# 10.7


@exercise(
    "10.7",
    diffusion_small.draw_latent,
    minutes=6,
    difficulty=1,
    hints=(
        "mean + standard deviation · noise.",
        "The second half of the channels is the logarithm of the variance.",
        "ops.split(moments, 2, axis=-1); the standard deviation is exp(log_variance / 2).",
    ),
)
def draw_latent(answer, expect):
    moments, noise = normal(2, 3, 4, 6), normal(2, 3, 4, 3, seed=1)
    mean, log_variance = moments[..., :3], moments[..., 3:]
    shape = "The channels are the last axis: half of them mean, half of them log variance."
    with (
        expect.on_error(ValueError, shape),
        expect.on_error(TypeError, shape),
        expect.on_error(Exception, shape, "shape"),
    ):
        latent = answer(moments, noise)
    expect.shape(latent, (2, 3, 4, 3), "As many channels as the noise has, half of the moments'.")
    expect.close(
        latent,
        mean + np.sqrt(np.exp(log_variance)) * noise,
        "mean + exp(log variance / 2) · noise.",
        mistakes=[
            (
                mean + np.exp(log_variance) * noise,
                "exp gives the variance; noise is scaled by its square root, exp(… / 2).",
            ),
            (mean + log_variance * noise, "It is the logarithm of the variance: take exp."),
            (mean + log_variance / 2 * noise, "Half the logarithm is there; its exp is missing."),
            (
                log_variance + np.exp(mean / 2) * noise,
                "The halves are swapped: mean comes first.",
            ),
            (
                moments[..., ::2] + np.exp(moments[..., 1::2] / 2) * noise,
                "Halves, not every second channel: first all means, then all variances.",
            ),
            (mean, "That is the mean alone; what is drawn needs the noise."),
            (mean + np.exp(log_variance / 2), "Times the noise, or nothing is drawn."),
        ],
        tolerance=1e-4,
    )


# 10.8


@exercise(
    "10.8",
    schedulers.betas,
    minutes=5,
    difficulty=1,
    hints=(
        "Evenly spaced are the square roots, not the betas.",
        "np.linspace from one root to the other, both included, STEPS numbers; then square.",
        "np.linspace(np.sqrt(0.00085), np.sqrt(0.012), STEPS) ** 2",
    ),
)
def betas(answer, expect):
    found = answer()
    low, high = 0.00085, 0.012
    expect.shape(
        found,
        (1000,),
        "One beta for every step of training.",
        mistakes=[((1001,), "One too many."), ((999,), "One too few.")],
    )
    share = np.arange(1000) / 999
    roots = low**0.5 + share * (high**0.5 - low**0.5)
    expect.close(
        np.asarray(found) / high,  # the largest is 1
        roots * roots / high,
        "Evenly spaced square roots, squared; the ends are 0.00085 and 0.012.",
        mistakes=[
            ((low + share * (high - low)) / high, "Those are evenly spaced; their roots must be."),
            (roots / high, "Those are the square roots: square them."),
            (roots[::-1] ** 2 / high, "From little to much: the first is 0.00085."),
            (
                np.sqrt(low**2 + share * (high**2 - low**2)) / high,
                "The other way round: roots are evenly spaced, not squares.",
            ),
            (
                low * (high / low) ** share / high,
                "Evenly spaced are the roots, not the logarithms.",
            ),
            (
                (low + share * (high - low)) ** 2 / high,
                "Take the roots of the ends before you space, and square afterwards.",
            ),
            (
                (low**0.5 + np.arange(1000) / 1000 * (high**0.5 - low**0.5)) ** 2 / high,
                "The last one is 0.012: linspace has both ends, arange has not.",
            ),
        ],
        tolerance=1e-6,
    )


# 10.9


@exercise(
    "10.9",
    schedulers.alphas_cumprod,
    minutes=5,
    difficulty=1,
    hints=(
        "Step k keeps 1 - beta of the power that is there. What is left after all steps so far?",
        "A running product: np.cumprod.",
        "np.cumprod(1 - betas())",
    ),
)
def alphas_cumprod(answer, expect):
    found = answer()
    beta = [(0.00085**0.5 + k / 999 * (0.012**0.5 - 0.00085**0.5)) ** 2 for k in range(1000)]
    left, exact = 1.0, []
    for b in beta:
        left *= 1 - b
        exact.append(left)
    beta, exact = np.array(beta), np.array(exact)
    expect.shape(
        found,
        (1000,),
        "One ᾱ for every step.",
        mistakes=[
            ((1001,), "No 1 in front: the first step has taken its part already."),
            ((), "A running product, not the product of all: ᾱ of every step."),
        ],
    )
    expect.close(
        found,
        exact,
        "The running product of 1 − β.",
        mistakes=[
            (np.cumprod(beta), "What is left is 1 − β of every step: betas are what is lost."),
            (1 - beta, "That is one step's α; ᾱ is the product of all up to there."),
            (
                1 - np.cumsum(beta),
                "Each step takes its part of what is left, not of the whole: multiply, don't add.",
            ),
            (np.sqrt(exact), "ᾱ is of the power; the square root comes when it is used."),
            (1 - exact, "That is the power of the noise; ᾱ is the signal's."),
            (np.insert(exact[:-1], 0, 1), "One step late: ᾱ of the first step is 1 − β of it."),
            (exact[::-1], "ᾱ falls: the last step is the noisiest."),
        ],
    )


# 10.10


@exercise(
    "10.10",
    schedulers.add_noise,
    minutes=6,
    difficulty=1,
    hints=(
        "ᾱ is a share of the power, and power is the square of what is drawn.",
        "√ᾱ · latent + √(1 − ᾱ) · noise",
        "ops.sqrt(alpha) * latent + ops.sqrt(1 - alpha) * noise",
    ),
)
def add_noise(answer, expect):
    latent, noise = normal(2, 3, 3, 4), normal(2, 3, 3, 4, seed=1)
    a = 0.64
    expect.close(
        answer(latent, noise, a),
        0.8 * latent + 0.6 * noise,
        "√ᾱ · latent + √(1 − ᾱ) · noise: at ᾱ = 0.64 that is 0.8 and 0.6.",
        mistakes=[
            (0.64 * latent + 0.36 * noise, "ᾱ is a share of power: both factors are its roots."),
            (0.8 * noise + 0.6 * latent, "The other way round: ᾱ is what is left of the latent."),
            (0.8 * latent + 0.36 * noise, "The noise's factor is a root, too: √(1 − ᾱ)."),
            (0.64 * latent + 0.6 * noise, "The latent's factor is a root, too: √ᾱ."),
            (0.8 * latent + 0.2 * noise, "√(1 − ᾱ), not 1 − √ᾱ: the squares add up to 1."),
            (latent + 0.6 * noise, "The latent shrinks as noise comes in, or the sum grows."),
            (0.8 * latent - 0.6 * noise, "Plus: the network learns the noise that was added."),
        ],
    )
    exact = "ᾱ = 1 is no noise at all: the latent comes back exactly."
    expect.equal(answer(latent, noise, 1.0), latent, exact)
    each = np.array([0.64, 0.36], "float32").reshape(2, 1, 1, 1)
    wanted = np.stack([0.8 * latent[0] + 0.6 * noise[0], 0.6 * latent[1] + 0.8 * noise[1]])
    expect.close(
        answer(latent, noise, each),
        wanted,
        "Every latent of a batch has an ᾱ of its own, (B, 1, 1, 1): let it broadcast.",
    )


# 10.11


def by_angle(latent, noise, alpha):
    """Turn from latent towards noise, on a circle: cos² + sin² = 1."""
    angle = np.arccos(np.sqrt(alpha))
    return np.cos(angle) * latent + np.sin(angle) * noise


@exercise(
    "10.11",
    broken.catch_lost_power,
    minutes=10,
    difficulty=2,
    hints=(
        "Latent and noise both have standard deviation 1 and nothing to do with each other. What "
        "should the sum have, whatever ᾱ is?",
        "Draw both with np.random.default_rng(0).standard_normal, some thousand numbers, and look "
        "at np.std of the answer at ᾱ = 0.5.",
        "assert abs(np.std(noisy) - 1) < 0.03",
    ),
)
def catch_lost_power(answer, expect):
    expect.catches(
        answer,
        right=[schedulers.add_noise, by_angle],
        wrong=[
            (
                broken.without_roots,
                "At ᾱ = 0.5 that is half of each, with standard deviation 0.71: yours must refuse "
                "it. At ᾱ = 0 and 1 nothing is wrong with it.",
            ),
            (
                broken.all_of_the_latent,
                "Too strong is wrong, too: this one keeps all of the latent, and adds noise.",
            ),
            (
                broken.one_root_missing,
                "One root is missing here, the noise's: at ᾱ = 0.9 hardly any noise is left. Look "
                "at more than one ᾱ, and less tolerantly.",
            ),
        ],
    )
