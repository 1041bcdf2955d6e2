"""Answers to lesson 10: tokens, attention, embeddings, latents, noise."""

from itertools import pairwise

import numpy as np
from bank import accepted, refused
from keras import ops

from recon.stable_diffusion import schedulers, text

# 10.1 pad


@refused("10.1", "padded with 0", "0 is the id of a word")
def zeros(ids, start, end, length):
    row = np.zeros(length, "int32")
    row[: len(ids) + 2] = [start, *ids, end]
    return row


@refused("10.1", "no start", "The row begins with start")
def no_start(ids, start, end, length):
    return np.array([*ids, *[end] * (length - len(ids))], "int32")


@refused("10.1", "not padded", "Every row has the same length")
def not_padded(ids, start, end, length):
    return np.array([start, *ids, end], "int32")


@refused("10.1", "padded in front", "The padding stands behind")
def in_front(ids, start, end, length):
    return np.array([*[end] * (length - 1 - len(ids)), start, *ids], "int32")


@refused("10.1", "a long prompt loses its end token", "must be room for it")
def no_room(ids, start, end, length):
    return np.array([start, *ids, *[end] * length][:length], "int32")


@refused("10.1", "a long prompt is not cut", "Ids that do not fit are cut")
def not_cut(ids, start, end, length):
    row = np.full(length, end, "int32")
    row[0] = start
    row[1 : 1 + len(ids)] = ids
    return row


@refused("10.1", "the beginning of a long prompt is cut", "not its beginning")
def beginning_cut(ids, start, end, length):
    room = length - 2
    return text.pad(ids[max(0, len(ids) - room) :], start, end, length)


@refused("10.1", "NumPy's usual integers", "int32")
def wide(ids, start, end, length):
    return text.pad(ids, start, end, length).astype("int64")


@refused("10.1", "the caller's list grows", "a list of your own")
def grows(ids, start, end, length):
    ids.insert(0, start)
    return np.array((ids + [end] * length)[:length], "int32")


@refused("10.1", "no error", "below 2 has no room")
def no_error(ids, start, end, length):
    kept = ids[: max(length - 2, 0)]
    return np.array([start, *kept, *[end] * (length - 1 - len(kept))], "int32")


@accepted("10.1", "a list that is grown, then cut")
def grown(ids, start, end, length):
    if length < 2:
        raise ValueError("no room")
    row = [start, *ids[: length - 2]]
    while len(row) < length:
        row.append(end)
    return np.asarray(row, dtype=np.int32)


# 10.2 merge


@refused("10.2", "only the first", "Not only the first time")
def only_first(pieces, pair):
    for i in range(len(pieces) - 1):
        if (pieces[i], pieces[i + 1]) == pair:
            return [*pieces[:i], pieces[i] + pieces[i + 1], *pieces[i + 2 :]]
    return list(pieces)


@refused("10.2", "the right half stays", "The right half is in the new piece")
def half_stays(pieces, pair):
    merged = []
    for i, piece in enumerate(pieces):
        both = (piece, *pieces[i + 1 : i + 2]) == pair
        merged.append("".join(pair) if both else piece)
    return merged


@refused("10.2", "the last piece is lost", "The last piece is lost")
def last_lost(pieces, pair):
    merged, i = [], 0
    while i < len(pieces) - 1:
        both = (pieces[i], pieces[i + 1]) == pair
        merged.append(pieces[i] + pieces[i + 1] if both else pieces[i])
        i += 2 if both else 1
    return merged


@refused("10.2", "right before left", "Left before right")
def turned(pieces, pair):
    return [p if p != "".join(pair) else pair[1] + pair[0] for p in text.merge(pieces, pair)]


@refused("10.2", "by replacing text", "does not see where pieces end")
def replaced(pieces, pair):
    return " ".join(pieces).replace(" ".join(pair), "".join(pair)).split()


@refused("10.2", "past the last piece", "has no neighbour")
def past(pieces, pair):
    merged, i = [], 0
    while i < len(pieces):
        both = (pieces[i], pieces[i + 1]) == pair
        merged.append(pieces[i] + pieces[i + 1] if both else pieces[i])
        i += 2 if both else 1
    return merged


@refused("10.2", "in any order", "order counts")
def any_order(pieces, pair):
    merged = []
    for piece in pieces:
        if merged and {merged[-1], piece} == set(pair) and len(pieces) == 2:
            merged[-1] = "".join(pair)
        elif merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


@refused("10.2", "from the right", "yours begins on the right")
def from_the_right(pieces, pair):
    back = text.merge([p[::-1] for p in pieces[::-1]], (pair[1][::-1], pair[0][::-1]))
    return [p[::-1] for p in back[::-1]]


@refused("10.2", "in place", "belong to the caller")
def in_place(pieces, pair):
    pieces[:] = text.merge(pieces, pair)
    return pieces


@accepted("10.2", "by place")
def by_place(pieces, pair):
    merged, i = [], 0
    while i < len(pieces):
        if tuple(pieces[i : i + 2]) == pair:
            merged.append(pair[0] + pair[1])
            i += 2
        else:
            merged.append(pieces[i])
            i += 1
    return merged


# 10.3 byte_pairs


def joined(pieces, merges):
    while fitting := [pair for pair in merges if pair in pairwise(pieces)]:
        pieces = text.merge(pieces, fitting[0])
    return pieces


@refused("10.3", "no mark at the end", "carries its mark from the start")
def no_mark(word, merges):
    return joined(list(word), merges)


@refused("10.3", "the mark is a piece", "not a piece of its own")
def mark_apart(word, merges):
    return joined([*word, "</w>"], merges)


@refused("10.3", "a mark on every letter", "Only the word's last letter")
def every_mark(word, merges):
    return joined([letter + "</w>" for letter in word], merges)


@refused("10.3", "one merge", "One merge is not enough")
def one_merge(word, merges):
    pieces = [*word[:-1], word[-1] + "</w>"]
    fitting = [pair for pair in merges if pair in pairwise(pieces)]
    return text.merge(pieces, fitting[0]) if fitting else pieces


@refused("10.3", "merges chosen from the letters", "Pieces that were merged merge again")
def from_letters(word, merges):
    pieces = letters = [*word[:-1], word[-1] + "</w>"]
    for pair in merges:
        if pair in pairwise(letters):
            pieces = text.merge(pieces, pair)
    return pieces


@refused("10.3", "the leftmost pair first", "not the word's")
def leftmost(word, merges):
    pieces = [*word[:-1], word[-1] + "</w>"]
    while fitting := [pair for pair in pairwise(pieces) if pair in merges]:
        pieces = text.merge(pieces, fitting[0])
    return pieces


@refused("10.3", "the mark forgotten when merging", "r has no mark")
def mark_ignored(word, merges):
    pieces = joined(list(word), [tuple(p.removesuffix("</w>") for p in m) for m in merges])
    return [*pieces[:-1], pieces[-1] + "</w>"] if len(word) < 6 else [word + "</w>"]


@accepted("10.3", "by rank, the smallest first")
def by_rank(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    pieces = [*word[:-1], f"{word[-1]}</w>"]
    while True:
        pairs = set(pairwise(pieces)) & set(ranks)
        if not pairs:
            return pieces
        pieces = text.merge(pieces, min(pairs, key=ranks.get))


@accepted("10.3", "once through the merges in order")
def in_order(word, merges):
    pieces = [*word[:-1], word[-1] + "</w>"]
    for pair in merges:
        pieces = text.merge(pieces, pair)
    return pieces


# 10.4 attention


def softmax(scores, axis=-1):
    weights = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def scores_of(query, key, scale=None):
    width = query.shape[-1]
    return query @ np.swapaxes(key, -1, -2) * (width**-0.5 if scale is None else scale)


def hide(scores, k=1, by=-np.inf):
    length = scores.shape[-1]
    return np.where(np.triu(np.ones((length, length)), k) > 0, by, scores)


@refused("10.4", "no mask", "Every token sees those after it")
def no_mask(query, key):
    return softmax(scores_of(query, key))


@refused("10.4", "no scale", "Divide the scores by √width")
def no_scale(query, key):
    return softmax(hide(scores_of(query, key, 1)))


@refused("10.4", "divided by the width", "not by the width")
def by_width(query, key):
    return softmax(hide(scores_of(query, key, 1 / query.shape[-1])))


@refused("10.4", "earlier tokens hidden", "Yours looks ahead")
def ahead(query, key):
    scores = scores_of(query, key)
    earlier = np.tril(np.ones(scores.shape[-2:]), -1) > 0
    return softmax(np.where(earlier, -np.inf, scores))


@refused("10.4", "a token does not see itself", "A token sees itself")
def not_itself(query, key):
    return softmax(hide(scores_of(query, key), k=0))


@refused("10.4", "hidden by 0 before the softmax", "A score of 0")
def hidden_by_zero(query, key):
    return softmax(hide(scores_of(query, key), by=0))


@refused("10.4", "hidden after the softmax", "no longer sum to 1")
def hidden_after(query, key):
    return hide(softmax(scores_of(query, key)), by=0)


@refused("10.4", "softmax over the queries", "over the last axis")
def over_queries(query, key):
    return softmax(hide(scores_of(query, key)), axis=-2)


@refused("10.4", "query and key swapped", "The one who looks is the query")
def swapped(query, key):
    return softmax(hide(scores_of(key, query)))


@refused("10.4", "all axes turned", "no others")
def all_turned(query, key):
    return softmax(hide(query @ key.T / np.sqrt(query.shape[-1])))


@refused("10.4", "overflow", "overflows")
def overflow(query, key):
    weights = np.exp(hide(scores_of(query, key)))
    return weights / weights.sum(axis=-1, keepdims=True)


@accepted("10.4", "by keras")
def by_keras(query, key):
    scores = ops.einsum("...id,...jd->...ij", query, key) / query.shape[-1] ** 0.5
    return ops.softmax(scores + ops.triu(ops.full(scores.shape[-2:], -1e9), k=1))


@accepted("10.4", "row by row")
def row_by_row(query, key):
    weights = np.zeros((*query.shape[:-1], query.shape[-2]), "float32")
    for i in range(query.shape[-2]):
        scores = (key[..., : i + 1, :] * query[..., i : i + 1, :]).sum(-1) / np.sqrt(
            query.shape[-1]
        )
        weights[..., i, : i + 1] = softmax(scores)
    return weights


# 10.5 summary


@refused("10.5", "the last place", "padding for short prompts")
def last_place(embedding, tokens):
    return embedding[:, -1]


@refused("10.5", "the word before the end", "One too early")
def word_before(embedding, tokens):
    first = np.argmax(tokens == tokens[:, -1:], axis=1)
    return embedding[np.arange(len(tokens)), first - 1]


@refused("10.5", "the start", "Start has seen nothing")
def at_start(embedding, tokens):
    return embedding[:, 0]


@refused("10.5", "the mean", "Not the mean")
def mean(embedding, tokens):
    return embedding.mean(axis=1)


@refused("10.5", "the largest id", "not the largest id of every tokenizer")
def largest_id(embedding, tokens):
    return embedding[np.arange(len(tokens)), tokens.argmax(axis=1)]


@refused("10.5", "all places of all rows", "index the rows, too")
def all_places(embedding, tokens):
    return embedding[:, np.argmax(tokens == tokens[:, -1:], axis=1)]


@refused("10.5", "the end is 1", "it is not always 1")
def always_one(embedding, tokens):
    return embedding[np.arange(len(tokens)), np.argmax(tokens == 1, axis=1)]


@refused("10.5", "over the rows", "compare along axis 1")
def over_rows(embedding, tokens):
    return embedding[np.arange(5), np.argmax(tokens == tokens[-1:], axis=0)]


@accepted("10.5", "row by row")
def by_row(embedding, tokens):
    return np.stack(
        [one[list(ids).index(ids[-1])] for one, ids in zip(embedding, tokens, strict=True)]
    )


# 10.6 cosine


@refused("10.6", "no lengths", "Long vectors win")
def dot(a, b):
    return a @ b.T


@refused("10.6", "clipped, not divided", "Clipped is not divided")
def clipped(a, b):
    return np.clip(a @ b.T, -1, 1)


@refused("10.6", "only the first is divided", "b's rows have lengths")
def first_only(a, b):
    return a / np.linalg.norm(a, axis=1, keepdims=True) @ b.T


@refused("10.6", "only the second is divided", "a's rows have lengths")
def second_only(a, b):
    return a @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


@refused("10.6", "lengths of columns", "over axis 1")
def columns(a, b):
    a, b = (x / np.linalg.norm(x, axis=0, keepdims=True) for x in (a, b))
    return a @ b.T


@refused("10.6", "one length for all", "One length per row")
def one_length(a, b):
    return a / np.linalg.norm(a) @ (b / np.linalg.norm(b)).T


@refused("10.6", "no root", "A length is a square root")
def no_root(a, b):
    a, b = (x / (x**2).sum(axis=1, keepdims=True) for x in (a, b))
    return a @ b.T


@refused("10.6", "not transposed", "the second one is transposed")
def not_transposed(a, b):
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return a @ b


@refused("10.6", "rows of the same place only", "Every row of a with every row of b")
def same_place(a, b):
    return np.array([x @ y for x, y in zip(a, b, strict=False)])


@refused("10.6", "not clipped", "Rounding goes past 1")
def not_clipped(a, b):
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return a @ b.T * np.float32(1.000001)


@accepted("10.6", "lengths divided at last")
def divided_last(a, b):
    lengths = np.outer(np.sqrt((a**2).sum(axis=1)), np.sqrt((b**2).sum(axis=1)))
    return np.minimum(1, np.maximum(-1, np.einsum("nd,md->nm", a, b) / lengths))


# 10.7 draw_latent


@refused("10.7", "the variance instead of its root", "scaled by its square root")
def by_variance(moments, noise):
    mean, log_variance = ops.split(moments, 2, axis=-1)
    return mean + ops.exp(log_variance) * noise


@refused("10.7", "no exponential", "take exp")
def no_exp(moments, noise):
    mean, log_variance = ops.split(moments, 2, axis=-1)
    return mean + log_variance * noise


@refused("10.7", "halves swapped", "The halves are swapped")
def halves_swapped(moments, noise):
    log_variance, mean = ops.split(moments, 2, axis=-1)
    return mean + ops.exp(log_variance / 2) * noise


@refused("10.7", "every second channel", "not every second channel")
def every_second(moments, noise):
    return moments[..., ::2] + np.exp(moments[..., 1::2] / 2) * noise


@refused("10.7", "the mean", "That is the mean alone")
def only_mean(moments, noise):
    return moments[..., :3]


@refused("10.7", "no noise", "Times the noise")
def no_noise(moments, noise):
    mean, log_variance = ops.split(moments, 2, axis=-1)
    return mean + ops.exp(log_variance / 2)


@refused("10.7", "the batch is split", "The channels are the last axis")
def batch_split(moments, noise):
    mean, log_variance = ops.split(moments, 2)
    return mean + ops.exp(log_variance / 2) * noise


@accepted("10.7", "by slices and a root")
def by_slices(moments, noise):
    channels = noise.shape[-1]
    return moments[..., :channels] + np.sqrt(np.exp(moments[..., channels:])) * noise


# 10.8 betas


@refused("10.8", "linear", "their roots must be")
def linear():
    return np.linspace(0.00085, 0.012, 1000)


@refused("10.8", "not squared", "square them")
def not_squared():
    return np.linspace(np.sqrt(0.00085), np.sqrt(0.012), 1000)


@refused("10.8", "falling", "From little to much")
def falling():
    return np.linspace(np.sqrt(0.012), np.sqrt(0.00085), 1000) ** 2


@refused("10.8", "evenly spaced squares", "The other way round")
def spaced_squares():
    return np.sqrt(np.linspace(0.00085**2, 0.012**2, 1000))


@refused("10.8", "evenly spaced logarithms", "not the logarithms")
def geometric():
    return np.geomspace(0.00085, 0.012, 1000)


@refused("10.8", "squared, no roots before", "Take the roots of the ends")
def squared_only():
    return np.linspace(0.00085, 0.012, 1000) ** 2


@refused("10.8", "one too many", "One too many")
def too_many():
    return np.linspace(np.sqrt(0.00085), np.sqrt(0.012), 1001) ** 2


@refused("10.8", "without the last", "linspace has both ends")
def without_last():
    return np.linspace(np.sqrt(0.00085), np.sqrt(0.012), 1000, endpoint=False) ** 2


@accepted("10.8", "step by step")
def step_by_step():
    low, high = 0.00085**0.5, 0.012**0.5
    return np.array([(low + (high - low) * k / 999) ** 2 for k in range(1000)])


# 10.9 alphas_cumprod


@refused("10.9", "product of the betas", "betas are what is lost")
def of_betas():
    return np.cumprod(schedulers.betas())


@refused("10.9", "one step's", "That is one step's α")
def one_step():
    return 1 - schedulers.betas()


@refused("10.9", "sum instead of product", "multiply, don't add")
def summed():
    return 1 - np.cumsum(schedulers.betas())


@refused("10.9", "its root", "the square root comes when it is used")
def rooted():
    return np.sqrt(np.cumprod(1 - schedulers.betas()))


@refused("10.9", "the noise's power", "the power of the noise")
def noises_power():
    return 1 - np.cumprod(1 - schedulers.betas())


@refused("10.9", "1 in front", "No 1 in front")
def one_in_front():
    return np.insert(np.cumprod(1 - schedulers.betas()), 0, 1.0)


@refused("10.9", "one step late", "One step late")
def late():
    return np.insert(np.cumprod(1 - schedulers.betas()), 0, 1.0)[:-1]


@refused("10.9", "product of all", "not the product of all")
def all_of_them():
    return np.prod(1 - schedulers.betas())


@accepted("10.9", "by logarithms")
def by_logarithms():
    return np.exp(np.cumsum(np.log1p(-schedulers.betas())))


# 10.10 add_noise


@refused("10.10", "no roots", "both factors are its roots")
def no_roots(latent, noise, alpha):
    return alpha * latent + (1 - alpha) * noise


@refused("10.10", "swapped", "The other way round")
def other_way(latent, noise, alpha):
    return ops.sqrt(alpha) * noise + ops.sqrt(1 - alpha) * latent


@refused("10.10", "one minus the root", "not 1 − √ᾱ")
def one_minus_root(latent, noise, alpha):
    root = ops.sqrt(alpha)
    return root * latent + (1 - root) * noise


@refused("10.10", "no root of the noise's", "The noise's factor is a root")
def noise_unrooted(latent, noise, alpha):
    return ops.sqrt(alpha) * latent + (1 - alpha) * noise


@refused("10.10", "no root of the latent's", "The latent's factor is a root")
def latent_unrooted(latent, noise, alpha):
    return alpha * latent + ops.sqrt(1 - alpha) * noise


@refused("10.10", "the latent does not shrink", "The latent shrinks")
def on_top(latent, noise, alpha):
    return latent + ops.sqrt(1 - alpha) * noise


@refused("10.10", "minus", "Plus: the network learns")
def minus(latent, noise, alpha):
    return ops.sqrt(alpha) * latent - ops.sqrt(1 - alpha) * noise


@refused("10.10", "one ᾱ for all", "let it broadcast")
def one_for_all(latent, noise, alpha):
    alpha = np.ravel(alpha)[0]
    return np.sqrt(alpha) * latent + np.sqrt(1 - alpha) * noise


@refused("10.10", "in place", "belongs to the caller")
def on_the_spot(latent, noise, alpha):
    latent *= np.sqrt(alpha)
    latent += np.sqrt(1 - alpha) * noise
    return latent


@accepted("10.10", "by NumPy's powers")
def by_powers(latent, noise, alpha):
    signal = alpha**0.5
    return signal * latent + (1 - signal**2) ** 0.5 * noise


# 10.11 catch_lost_power


def drawn():
    return np.random.default_rng(3).standard_normal((2, 1, 32, 32, 4)).astype("float32")


@refused("10.11", "only the ends", "At ᾱ = 0 and 1 nothing is wrong")
def only_ends(add_noise):
    latent, noise = drawn()
    assert np.allclose(add_noise(latent, noise, 1.0), latent)
    assert np.allclose(add_noise(latent, noise, 0.0), noise)


@refused("10.11", "only too weak", "Too strong is wrong")
def only_weak(add_noise):
    assert np.std(add_noise(*drawn(), 0.5)) > 0.95


@refused("10.11", "tolerant", "less tolerantly")
def tolerant(add_noise):
    assert abs(np.std(add_noise(*drawn(), 0.5)) - 1) < 0.2


@refused("10.11", "exact", "ask for less")
def exact(add_noise):
    assert np.std(add_noise(*drawn(), 0.5)) == 1


@accepted("10.11", "by numbers known beforehand")
def by_numbers(add_noise):
    latent, noise = np.full((1, 1, 1, 4), 2, "float32"), np.full((1, 1, 1, 4), 10, "float32")
    assert np.allclose(add_noise(latent, noise, 0.64), 1.6 + 6, atol=1e-4)
