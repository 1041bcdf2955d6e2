# %% [markdown]
# # 10  Stable Diffusion I: words, latents, noise
#
# **Goal.** Everything that a latent diffusion model needs before it can denoise: a prompt that has
# become vectors which know of each other, a photo that has become twelve times fewer numbers, and
# a schedule by which those numbers drown in noise.
#
# **You need.** Lesson 01 for masks and ranges, lesson 04 for what an encoder and a decoder do. In
# mathematics: the softmax, the dot product, and that the variances of independent numbers add.
#
# **Minutes.** 105
#
# **On a CPU.** All of it, in half a minute, with `diffusion-small`: a model with the three networks
# of Stable Diffusion, narrow, that was trained on the drawn photos and comes with the package. It
# knows four animals and two dozen words.
#
# **Full size.** `FULL = True` with `WEIGHTS` set to a folder of Stable Diffusion 1.x (KerasCV's
# files or the diffusers layout; some 4 GB, which you must have): the same cells run on it.

# %%
import recon  # first: it keeps TensorFlow quiet

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from keras import ops
from matplotlib.figure import Figure

from recon import plots
from recon.course import check
from recon.data import safari
from recon.stable_diffusion import inpaint, schedulers, text
from recon.stable_diffusion import networks as nets
from recon.stable_diffusion.request import Request
from recon.stable_diffusion.schedulers import STEPS

FULL = False  # True: Stable Diffusion 1.x, with the weights in the folder below, on a GPU
WEIGHTS = "stable-diffusion"

name = "stable-diffusion" if FULL else "diffusion-small"
networks = inpaint.load(name, Request(weights=Path(WEIGHTS) if FULL else None))
layout = networks.layout

# %% [markdown]
# Rombach et al. (2022) had two ideas that make diffusion affordable. Noise and denoising happen not
# in the photo but in a small *latent* that an autoencoder makes of it; and what the photo shows is
# said in words, which a text encoder turns into vectors that the denoiser looks at.
#
# ![Above, a prompt becomes a row of ids and then an embedding per token, which reaches the box with
# the noise; below, a photo goes through the encoder into a latent, through the box, and through the
# decoder back to a photo](pictures/10_path.svg)
#
# *The whole path. The upper row and the left of the lower one are this lesson; what takes the noise
# out again is the next.*
#
# ## 10.1  A prompt becomes a row
#
# A tokenizer looks words up: each has a number, its id. Prompts have different lengths and a batch
# has one, so every row is filled up. Stable Diffusion's rows have 77 places: `start`, the ids, then
# `end` up to the last place. (CLIP was trained that way; later models pad otherwise.) A prompt that
# is too long loses what does not fit, but never its `end`: you will see in 10.5 what it is for.

# %% exercise 10.1 recon.stable_diffusion.text.pad

# %%
tokenizer, length = networks.tokenizer, layout.length
for prompt in ("", "a tiger", "a drawing of a tiger, no text"):
    print(pad(tokenizer.encode(prompt), tokenizer.start, tokenizer.end, length)[:16], repr(prompt))

# %% [markdown]
# The row of the empty prompt is a row like any other. It means "anything", and lesson 11 cannot do
# without it.
#
# ## 10.2  Words that nobody has listed
#
# The small model has one id per word, and 24 words. A vocabulary of all words would never end:
# names, typing errors, other languages. Byte-pair encoding (Sennrich et al., 2016) needs no list of
# words. A word begins as its letters, and pairs that were frequent in some large text are merged,
# so that a frequent word ends as one piece and a rare one as several. CLIP's file holds 48,894
# merges, the most frequent first.
#
# One merge: join the two halves wherever they stand side by side, from left to right.

# %% exercise 10.2 recon.stable_diffusion.text.merge

# %%
pieces = ["t", "i", "g", "e", "r</w>"]
for pair in (("t", "i"), ("g", "e"), ("ti", "ge")):
    pieces = merge(pieces, pair)
    print(pair, "->", pieces)

# %% [markdown]
# ## 10.3  All merges of a word
#
# Which merge comes next is decided by the list, not by the word: the one that stands first among
# those that fit, wherever in the word it is. So the same letters always become the same pieces. The
# last letter carries a mark, `</w>`, from the start, which tells `car` from the beginning of
# `carpet`.

# %% exercise 10.3 recon.stable_diffusion.text.byte_pairs

# %%
merges = [("t", "i"), ("g", "e"), ("ti", "ge"), ("tige", "r</w>"), ("tige", "r"), ("c", "a")]
merges += [("ca", "t</w>"), ("ca", "t"), ("tiger", "s</w>")]
for word in ("tiger", "tigers", "tigercat", "cat", "cats", "liger"):
    print(f"{word:9}", byte_pairs(word, merges))

# %% [markdown]
# What to see: words in the list of merges come out whole, `tigercat` as two pieces that both mean
# something, and `liger`, of which hardly anything is known, almost as letters. No word is unknown.
#
# ## 10.4  A token looks back
#
# An id says nothing but which word it is. In the text encoder every token looks at the others and
# takes from them: from each token comes a query $q_i$ and a key $k_j$, and
#
# $$ w_{ij} = \frac{e^{s_{ij}}}{\sum_{j \le i} e^{s_{ij}}}, \qquad
# s_{ij} = \frac{q_i \cdot k_j}{\sqrt{D}} \quad (j \le i) $$
#
# says how token $i$ divides its attention. The root of the width $D$ keeps the scores from growing
# with it. CLIP's encoder is *causal*: no token sees those after it, $w_{ij} = 0$ for $j > i$. In
# code that is a score of $-\infty$ before the softmax, since $e^{-\infty} = 0$ and what is left of
# the row still sums to 1. Take each row's largest score away first; nothing changes but that
# nothing overflows.

# %% exercise 10.4 recon.stable_diffusion.text.attention

# %%
prompt = "a drawing of a tiger, no text"
words = tokenizer.encode(prompt)
row = pad(words, tokenizer.start, tokenizer.end, length)[None]  # (1, L)
encoder = networks.text_encoder
positions = np.arange(length, dtype="int32")[None]
x = encoder.get_layer("text_model.embeddings")([row, positions])  # (1, L, W)
layer = encoder.get_layer("text_model.encoder.layers.0")
x = layer.layer_norm1(x)


def heads(projection):
    """A vector per head and token: (heads, L, D)."""
    vectors = ops.convert_to_numpy(projection(x)).astype("float32")
    return vectors.reshape(length, layout.text_heads, -1).transpose(1, 0, 2)


weights = attention(heads(layer.clip_attn.q_proj), heads(layer.clip_attn.k_proj))
shown = len(words) + 2
labels = ["start", *(tokenizer.decode([i]) for i in words), "end"]
figure = Figure((7, 2.4), layout="constrained")
for number, cell in enumerate(figure.subplots(1, 3)):
    cell.imshow(weights[number, :shown, :shown], cmap="Blues", vmin=0, vmax=1)
    cell.set_title(f"head {number}", fontsize=9)
    cell.set_xticks(range(shown), labels, fontsize=7, rotation=90)
    cell.set_yticks(range(shown), labels if number == 0 else [""] * shown, fontsize=7)
plots.display(figure)

# %% [markdown]
# What to see: nothing above the diagonal, in any head; the first row is all `start`, which sees
# nothing else. In head 0 everything after `tiger` looks at `tiger`, the one word that changes the
# drawing; the other heads spread or rest on `start`, where there is nothing to learn.
#
# ## 10.5  One vector for a prompt
#
# The denoiser is given the embedding of every token. To compare whole prompts, one vector must
# stand for each. Which? The encoder is causal: `start` has seen nothing, each word what came before
# it, and the first `end` is the first token that has seen the whole prompt. CLIP takes that one.
# (The ends after it have seen it all as well, but they stand at places that depend on nothing but
# the padding.)
#
# CLIP's code finds it as the largest id of the row, because CLIP's `end` happens to be the last of
# its vocabulary. The small model's is 1. The last token of every row is an `end`: look for the
# first that equals it.

# %% exercise 10.5 recon.stable_diffusion.text.summary

# %% [markdown]
# ## 10.6  How alike are two prompts
#
# The length of such a vector says little, its direction much. The cosine of the angle between two
# of them is 1 for the same direction, 0 for none in common:
#
# $$ \cos(a, b) = \frac{a \cdot b}{\lVert a \rVert \, \lVert b \rVert} $$

# %% exercise 10.6 recon.stable_diffusion.text.cosine

# %%
prompts = ("a cat", "a drawing of a cat", "cats", "a tiger", "a dog")
prompts += ("an elephant", "a photo of elephants")
ids = text.all_tokens(encoder, tokenizer, prompts)  # (N, L)
vectors = summary(text.encode(encoder, ids), ids)  # (N, W)
likeness = cosine(vectors, vectors)
figure = Figure((5.2, 3), layout="constrained")
cell = figure.subplots()
cell.imshow(likeness, cmap="Blues", vmin=likeness.min(), vmax=1)
for i, j in np.ndindex(likeness.shape):
    ink = "white" if likeness[i, j] > (1 + likeness.min()) / 2 else "black"
    cell.text(j, i, f"{likeness[i, j]:.2f}", ha="center", va="center", fontsize=7, color=ink)
cell.set_xticks(range(len(prompts)), range(1, len(prompts) + 1), fontsize=8)
cell.set_yticks(range(len(prompts)), [f"{n} {p}" for n, p in enumerate(prompts, 1)], fontsize=8)
plots.display(figure)

# %% [markdown]
# What to see: three prompts about a cat are nearly one, whatever else they say, and so are the two
# about elephants; between animals the cosine falls. Nobody told the encoder what a cat is: it
# learned from the denoiser's errors alone which words make a difference to a drawing. The same
# table for prompts of your own, on the command line:
# `python -m recon.stable_diffusion.text "a tiger" "a cat" "an elephant"`.
#
# ## 10.7  A photo becomes a latent
#
# The autoencoder's first half turns 64×64×3 numbers into 16×16×4 (Stable Diffusion: 512×512×3 into
# 64×64×4). It gives two numbers for each of them: a mean, and the *logarithm* of a variance, which
# any network output will do for, since its exponential is always positive. In training a latent is
# drawn from that distribution,
#
# $$ z = \mu + e^{\frac{1}{2}\log \sigma^2} \cdot \varepsilon, \qquad \varepsilon \sim N(0, 1), $$
#
# so that the decoder learns to live with latents that are a little off, as the denoiser's will be.
# Written like this, with the chance in $\varepsilon$ alone, the gradient reaches $\mu$ and $\sigma$.

# %% exercise 10.7 recon.models.diffusion_small.draw_latent

# %%
size = networks.size
numbers = (2001, 2002, 2003, 2000)  # a dog, an elephant, a tiger, a cat
photos = np.stack([safari.draw(n, size) for n in numbers]) / np.float32(255)
moments = nets.moments(networks.image_encoder).predict_on_batch(2 * photos - 1)
noise = np.random.default_rng(0).standard_normal((*moments.shape[:3], 4), "float32")
latent = ops.convert_to_numpy(draw_latent(moments, noise)) * layout.latent_scale
print(f"{photos[0].size} numbers become {latent[0].size}; their deviation is {latent.std():.2f}")

span = np.abs(latent).max()
channels = {f"channel_{c}": (latent[2, ..., c : c + 1] / span + 1) / 2 for c in range(4)}
back = inpaint.decode(networks, latent)
plots.show(photo=photos[2], **channels, decoded=back[2])
print(f"RMSE after the way there and back: {np.sqrt(np.mean((back - photos) ** 2)):.3f}")

# %% [markdown]
# What to see: the animal is still there in each channel, coarse, as light and dark; the decoded
# photo is the photo with less detail. What the autoencoder loses, no denoiser brings back. That is
# one reason why lesson 11 pastes known pixels over its answer.
#
# The deviation should not be far from 1, for the noise that comes now has exactly 1. Stable
# Diffusion's latents come out with 5.5: they are multiplied by 0.18215, `latent_scale`, wherever
# they leave the encoder, and divided by it before the decoder. The small model's training pulls
# latents towards 1 by itself; 1.7 is near enough for a scale of 1.
#
# ## 10.8  How much noise, step by step
#
# Noise comes in a thousand steps. In each, a part $\beta_k$ of the signal's power gives way to
# noise. Ho et al. (2020) let $\beta$ grow evenly. For latents that goes too fast: the Stable
# Diffusion family spaces the *square roots* evenly, from $\sqrt{0.00085}$ to $\sqrt{0.012}$
# ("scaled linear"), and so spends more steps with little noise, where details are made.
# `STEPS` is 1000.

# %% exercise 10.8 recon.stable_diffusion.schedulers.betas

# %% [markdown]
# ## 10.9  What is left
#
# A step keeps $1 - \beta_k$ of the power that is there. After all steps up to $k$
#
# $$ \bar\alpha_k = \prod_{i \le k} (1 - \beta_i) $$
#
# is left of the signal. This one number, called alpha-bar, is all that anyone needs to know about a
# noisy latent; the steps it came by are forgotten.

# %% exercise 10.9 recon.stable_diffusion.schedulers.alphas_cumprod

# %%
alphas = alphas_cumprod()
linear = np.cumprod(1 - np.linspace(1e-4, 0.02, STEPS))
figure = Figure((5.5, 2.2), layout="constrained")
cell = figure.subplots()
cell.plot(alphas, label="scaled linear")
cell.plot(linear, "--", label="linear (Ho et al.)")
cell.set_xlabel("step", fontsize=8)
cell.set_ylabel("power left", fontsize=8)
cell.legend(fontsize=8)
plots.display(figure)
print(f"after the first step {alphas[0]:.5f}, after the last {alphas[-1]:.5f}")

# %% [markdown]
# What to see: the signal falls more slowly than with linear betas, and never to 0: at the last step
# there is still half a percent of its power. Keep that in mind for the question at the end.
#
# ## 10.10  Noise goes in
#
# Because only $\bar\alpha$ counts, a noisy latent takes no loop:
#
# $$ z_k = \sqrt{\bar\alpha_k}\, z + \sqrt{1 - \bar\alpha_k}\, \varepsilon $$
#
# Power is the square of what is drawn, so shares of power become factors by their roots. The two
# squared factors add up to 1: what had deviation 1 keeps it.

# %% exercise 10.10 recon.stable_diffusion.schedulers.add_noise

# %%
steps = (0, 100, 250, 500, 750, 999)
noise = np.random.default_rng(1).standard_normal((len(steps), *latent.shape[1:]), "float32")
alpha = alphas[list(steps)].astype("float32").reshape(-1, 1, 1, 1)
tiger = np.repeat(latent[2:3], len(steps), axis=0)
noisy = ops.convert_to_numpy(add_noise(tiger, noise, alpha))
decoded = inpaint.decode(networks, noisy)
plots.show(height=1.2, **{f"step {s}": one for s, one in zip(steps, decoded, strict=True)})

# %% [markdown]
# What to see: noise in a latent is not grain on a photo. The decoder turns it into pebbles of false
# colour. At step 500 the tiger can still be told, at 750 hardly that something stands there: going
# back, the first steps decide what the photo shows, and the last ones what it looks like.
#
# ## Break it
#
# Many write the blend without roots, as one fades one song into another:

# %% source recon.course.broken.lesson_10.without_roots

# %% [markdown]
# At both ends it is right, and the pictures look plausible. But in the middle it is too quiet:
# half of one and half of the other, independent of each other, have a deviation of
# $\sqrt{0.25 + 0.25} = 0.71$. A network that was trained on this has never seen the latents that a
# sampler will show it.
#
# Write the check that catches it. It is given some `add_noise` and does not know how that one is
# written; it may only call it. Choose latents and noise for which you know what must come out, and
# let a function that is right pass.

# %% exercise 10.11 recon.course.broken.lesson_10.catch_lost_power

# %%
try:
    catch_lost_power(without_roots)
except AssertionError as error:
    print("caught:", error)
catch_lost_power(add_noise)

# %% [markdown]
# ## Look
#
# Is a latent more than a small photo? Go from one photo to another in seven steps, once by blending
# pixels, once by blending latents and decoding what lies between.

# %%
shares = np.linspace(0, 1, 7)[:, None, None, None].astype("float32")
pixels = (1 - shares) * photos[3] + shares * photos[2]
between = inpaint.decode(networks, (1 - shares) * latent[3] + shares * latent[2])
figure = Figure((7, 2.2), layout="constrained")
for cells, strip in zip(figure.subplots(2, 7), (pixels, between), strict=True):
    for cell, one in zip(cells, strip, strict=True):
        cell.imshow(one)
        cell.set(xticks=[], yticks=[])
for cell, label in zip(figure.axes[::7], ("pixels", "latents"), strict=True):
    cell.set_ylabel(label, fontsize=8)
plots.display(figure)

# %% [markdown]
# What to see: between two photos the pixels show both, one through the other. The latents do little
# better: halfway there is no cat-tiger, but a mixture with harder edges. This autoencoder
# compresses, it does not understand. What lies between a cat and a tiger, and what a photo may look
# like at all, is the denoiser's knowledge.
#
# **A question to think about.** At the last step there is half a percent of the signal's power
# left, so in training the denoiser never sees pure noise. A run of the sampler starts from exactly
# that. What does the network take for granted that is then not true, and what would you see in the
# pictures?
#
# <details><summary>Answer</summary>
#
# $\sqrt{0.00466} = 0.068$ of the latent is still in what the network sees in training at step 999.
# That is drowned place by place, but not in the mean over thousands of places: the average of a
# latent, its overall brightness and colour, can still be read off. So the network learns to trust
# the average that it sees. Pure noise has an average of about 0, which to the network means medium
# brightness: Stable Diffusion has trouble making very dark or very bright pictures. Lin et al.
# (2023) rescale the schedule so that it ends at 0.
#
# </details>

# %% [markdown]
# **Read on.**
#
# - Rombach et al., 2022, [High-Resolution Image Synthesis with Latent Diffusion
#   Models](https://arxiv.org/abs/2112.10752)
# - Radford et al., 2021, [Learning Transferable Visual Models From Natural Language
#   Supervision](https://arxiv.org/abs/2103.00020): CLIP
# - Sennrich et al., 2016, [Neural Machine Translation of Rare Words with Subword
#   Units](https://arxiv.org/abs/1508.07909): byte pairs
# - Kingma & Welling, 2014, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114)
# - Ho et al., 2020, [Denoising Diffusion Probabilistic Models](https://arxiv.org/abs/2006.11239)
# - Lin et al., 2023, [Common Diffusion Noise Schedules and Sample Steps are
#   Flawed](https://arxiv.org/abs/2305.08891)
# - In the package: `recon.stable_diffusion.text` and `recon.stable_diffusion.schedulers` hold what
#   you wrote; `recon.stable_diffusion.networks` builds all networks, large and small, from one
#   `Layout`.
