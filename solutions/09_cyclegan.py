# %% [markdown]
# # 09  CycleGAN: cycle, identity, pool
#
# **Goal.** Train two generators without a single pair of photos, understand the four terms of
# their loss, and see what such a training cannot know.
#
# **You need.** Lessons 06 and 07: convolutions that halve and double, the PatchGAN, a GAN as
# one `fit`.
#
# **Minutes.** 75
#
# **On a CPU.** All of it, in about one minute on two cores; the training takes most of it.
#
# **Full size.** `FULL = True` in the first cell trains the paper's networks on 256×256 photos; a
# GPU is wanted for that.

# %%
import recon  # first: it keeps TensorFlow quiet

import keras
import numpy as np
from keras import layers, ops
from matplotlib.figure import Figure

from recon import boxes, metrics, plots
from recon.course import check
from recon.data import safari
from recon.models import blocks, cyclegan
from recon.models.cyclegan import PhotoPool, ReflectionPadding, convolve, half, put

FULL = False  # True: the paper's sizes, on a GPU
SIZE, COUNT, STEPS = (256, 1000, 100_000) if FULL else (32, 400, 400)
BATCH, RATE = (2, 2e-4) if FULL else (4, 3e-3)

keras.utils.set_random_seed(1)
photos = (safari.draw_many(range(COUNT), SIZE) / 255).astype("float32")  # (N, S, S, 3)
generator = np.random.default_rng(0)
masks = np.stack([boxes.rasterise(boxes.draw(generator, SIZE), SIZE) for _ in photos])


def strips(**rows):
    """Show rows of photos, each with its name."""
    figure = Figure((7, 0.7 * len(rows)), layout="constrained")
    cells = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for cell, (name, row) in zip(cells, rows.items(), strict=True):
        cell.imshow(np.concatenate(list(np.clip(np.asarray(row), 0, 1)), axis=1))
        cell.set(xticks=[], yticks=[])
        cell.set_ylabel(name.replace("_", " "), rotation=0, ha="right", va="center", fontsize=9)
    plots.display(figure)


# %% [markdown]
# ## 9.0  No pairs
#
# pix2pix learns from pairs: this masked photo, this complete one. Often there are none. Nobody has
# the same field with horses and with zebras on it, and of an old damaged print there is no
# undamaged copy. What one does have is a heap of photos of one kind and a heap of the other.
#
# CycleGAN (Zhu et al., 2017) learns from two heaps. Here they are
#
# - domain A: **masked** photos, with black boxes;
# - domain B: **complete** photos, but never those that the masked ones were made of.
#
# Two generators lead from one to the other, `to_complete` (the paper's $G$) and `to_masked` (its
# $F$), and each domain has a judge, a PatchGAN as in lesson 07.
#
# ![Two ways round: masked to guess to masked again, and complete to hidden to complete again](pictures/09_cycle.svg)
#
# *Blue leads to complete photos, orange to masked ones. Each judge sees real photos of its domain
# and one generator's; the dashed lines compare the end of a way with its beginning.*
#
# What a judge asks is only: could this be a complete photo? *Any* complete photo will do, of another
# animal too. All that ties a guess to its photo are the terms below.

# %%
masked = photos * (1 - masks)
strips(domain_A=masked[:10], domain_B=photos[200:210])

# %% [markdown]
# Two heaps: no photo of the upper row is in the lower one.
#
# ## 9.1  Instance normalisation
#
# A batch of CycleGAN's is small, in the paper a single photo, and a generator should treat a photo
# the same whatever lies beside it. So its normalisation takes mean and variance from one photo
# alone, for every channel $c$ of every photo $b$:
#
# $$y_{bijc} = \gamma_c\,\frac{x_{bijc}-\mu_{bc}}{\sqrt{\sigma^2_{bc}+\varepsilon}}+\beta_c$$
#
# Scale $\gamma$ and offset $\beta$ are learned. Keras has this as `GroupNormalization(-1)`; write
# it once by hand.

# %% exercise 9.1 recon.models.cyclegan.instance_normalise

# %%
pair = np.stack([photos[0], 0.3 * photos[0]])  # a photo, and the same at dusk
one, none = np.ones(3, "float32"), np.zeros(3, "float32")
alone = ops.convert_to_numpy(instance_normalise(pair, one, none))
together = (pair - pair.mean((0, 1, 2))) / np.sqrt(pair.var((0, 1, 2)) + 1e-3)
day, dusk = pair
plots.show(
    day=day,
    dusk=dusk,
    instance_day=alone[0] / 4 + 0.5,
    instance_dusk=alone[1] / 4 + 0.5,
    batch_day=together[0] / 4 + 0.5,
    batch_dusk=together[1] / 4 + 0.5,
)

# %% [markdown]
# Instance normalisation takes brightness and contrast away: day and dusk become the same.
# Batch normalisation keeps the difference, and makes one depend on the other.
#
# ## 9.2  A residual block
#
# pix2pix's U-Net hands fine detail past its bottleneck. CycleGAN's generator goes down to a quarter
# only, and there passes blocks that change a little at a time: what a block makes is *added* to what
# came in. A block that has learned nothing yet does little harm, and nine in a row can be trained.
#
# Two odd choices. There is no ReLU at the end of a block, or it could only ever add. And instead of
# zeros the border is padded with the photo's mirror image: zeros are a dark frame, which convolutions
# carry further inwards with every layer. The first of the two convolutions is given:

# %% source recon.models.cyclegan.convolve

# %% [markdown]
# The second is its like, all but the ReLU.

# %% exercise 9.2 recon.models.cyclegan.residual

# %%
grey = np.full((1, 24, 24, 1), 0.8, "float32")
blur = np.full((3, 3, 1, 1), 1 / 9, "float32")
zeros, mirror = grey, grey
for _ in range(6):
    zeros = ops.conv(zeros, blur, padding="same")
    mirror = ops.conv(ReflectionPadding()(mirror), blur, padding="valid")
plots.show(grey=grey[0], six_with_zeros=zeros[0], six_with_mirror=mirror[0])

# %% [markdown]
# Six blurs of an even grey. Padded with zeros a frame grows inwards; mirrored, grey stays grey.
#
# ## 9.3  Unpaired batches
#
# Our photos do come in pairs, since we cut the boxes ourselves. To learn as if they did not, a batch
# of $2n$ pairs is halved: masked photos of the first half, complete ones of the last. (Two batches in
# orders of their own would do as well, nearly: now and then a photo would meet itself.)

# %% exercise 9.3 recon.models.cyclegan.unpaired

# %%
a, b = unpaired(masked[:10], photos[:10])
strips(masked=a, complete=b)

# %% [markdown]
# Five and five of a batch of ten. No animal is in both rows.
#
# ## 9.4  There and back
#
# A judge of complete photos is content with any complete photo. What should keep the cat a cat? The
# way back: if `to_masked` is to make the *same* masked photo out of the guess again, the guess must
# hold what that takes.
#
# $$\mathcal L_{cyc} = \lVert F(G(a)) - a\rVert_1 + \lVert G(F(b)) - b\rVert_1$$
#
# In training `guess` $= G(a)$ is there already, from the model's `call`, and so is `hidden` $= F(b)$,
# since the judge has seen it. Networks are expensive: use them. The paper's photos are in [-1, 1] and
# so are the weights it gives its terms, 10 and 5; ours are in [0, 1], where a distance is half as
# long.

# %% exercise 9.4 recon.models.cyclegan.cycle_loss

# %% [markdown]
# ## 9.5  What needs no change
#
# A complete photo is what `to_complete` should make; given one, it should do nothing. Without this
# term the paper's generators swap day for dusk at will: both are plausible, and as long as the way
# back swaps them again, the cycle does not mind.
#
# $$\mathcal L_{id} = \lVert G(b) - b\rVert_1 + \lVert F(a) - a\rVert_1$$

# %% exercise 9.5 recon.models.cyclegan.identity_loss

# %%
distance = keras.losses.MeanAbsoluteError()


def negative(x):
    """A generator that does something silly, and its own inverse."""
    return 1 - x


a, b = masked[:4], photos[4:8]
cycle = cycle_loss(distance, a, b, 1 - a, 1 - b, negative, negative)
identity = identity_loss(distance, a, b, negative, negative)
print(f"cycle    {float(cycle):.3f}\nidentity {float(identity):.3f}")

# %% [markdown]
# Two generators that turn every photo into its negative: the cycle is perfect, and only the
# identity term objects.
#
# ## 9.6  A pool of the past
#
# Generator and judge can run in circles: the generator finds a trick, the judge learns it and forgets
# the last one, the generator goes back to that. So the judge is reminded: it is shown not the newest
# fake alone, but, with probability ½, one out of a pool of 50 older ones.
#
# | | shown | kept |
# |---|---|---|
# | the pool is filling | the new one | the new one, at the next free place |
# | full, heads | the old one at a drawn place | the new one, at that place |
# | full, tails | the new one | nothing changes |
#
# The pool is *state*, and it is the same in every step, so it lives in weights that no gradient
# moves; and a compiled step has no `if` on a tensor: `ops.where` chooses. Place and coin are drawn
# outside. `put(photos, place, photo)` gives the photos with one replaced.

# %% exercise 9.6 recon.models.cyclegan.exchange

# %%
coin = np.random.default_rng(4)
held = np.zeros((3, 1, 1, 3), "float32")
for number in range(1, 11):
    new = np.full((1, 1, 3), number, "float32")
    place, heads = int(coin.integers(3)), bool(coin.integers(2))
    held, shown = exchange(held, number - 1, new, place, heads)
    inside = [int(n) for n in np.asarray(held)[:, 0, 0, 0]]
    toss, seen = "heads" if heads else "tails", int(np.asarray(shown)[0, 0, 0])
    print(f"new {number:2}  {toss}  place {place}  shown {seen:2}  pool {inside}")

# %% [markdown]
# A pool of three. Once it is full, heads shows a number that is older than the new one, and some
# fakes stay for long.
#
# ## 9.7  All together
#
# Four networks, two pools, one loss, one optimiser, one `fit`:
#
# $$\mathcal L = 10\,\mathcal L_{cyc} + 5\,\mathcal L_{id} + \text{persuade} + \text{judge}$$
#
# The last two are lesson 07's: the generators learn through judges whose weights stand still, the
# judges see what the pools show, and no gradient leads from there to a generator. Here is how the
# package adds them up; then your functions take their places in it, and it learns.

# %% source recon.models.cyclegan.CycleGAN.measure

# %%
for function in (residual, unpaired, cycle_loss, identity_loss, exchange):
    setattr(cyclegan, function.__name__, function)  # the package uses yours from here on

if FULL:
    model = cyclegan.build(SIZE, "lsgan")
else:
    model = cyclegan.CycleGAN(SIZE, filters=12, residuals=1, judge_filters=8)
model.compile(keras.optimizers.Adam(RATE, beta_1=0.5))
EPOCHS = STEPS * BATCH // COUNT
inputs = {"masked": masked, "mask": masks}
history = model.fit(inputs, photos, batch_size=BATCH, epochs=EPOCHS, verbose=0).history
for name in ("cycle", "identity", "persuade", "judge"):
    print(f"{name:9}", *(f"{value:.2f}" for value in history[name]))

# %% [markdown]
# Cycle and identity fall from epoch to epoch; persuade and judge hold each other in balance.
#
# ## Break it
#
# Somebody has written a pool that cannot be told from a right one by looking at a training's first
# minutes: nothing fails, the loss falls.

# %% source recon.course.broken.lesson_09.newest

# %% [markdown]
# Whatever comes in goes straight out again: the judge never sees the past. Write the check that
# catches it. Yours will be tried on two right pools and on some more wrong ones, one that lets no
# new fake in, and one that shows old ones always.

# %% exercise 9.7 recon.course.broken.lesson_09.catch_newest

# %% [markdown]
# ## Look
#
# Photos that no network has seen, both ways round.

# %%
fresh = (safari.draw_many(range(5000, 5064), SIZE) / 255).astype("float32")
holes = np.stack([boxes.rasterise(boxes.draw(generator, SIZE), SIZE) for _ in fresh])
cut = fresh * (1 - holes)


def use(network, x):
    return ops.convert_to_numpy(network(x, training=False))


guess = use(model.to_complete, cut)
again = use(model.to_masked, guess)
hidden = use(model.to_masked, fresh)
back = use(model.to_complete, hidden)
strips(masked=cut[:8], guess=guess[:8], masked_again=again[:8])
strips(complete=fresh[:8], hidden=hidden[:8], complete_again=back[:8])

# %% [markdown]
# Above: the guesses have no black boxes, and no faces either; below each, `to_masked` has cut
# boxes out of the guess, and nearly everywhere where they had been. Below: it cuts boxes into
# complete photos too, wherever it likes, and `to_complete` closes them.

# %%
completed = metrics.complete(cut, holes, guess)
mean = (cut.sum((1, 2)) / (1 - holes).sum((1, 2)))[:, None, None]  # of the known pixels
flat = metrics.complete(cut, holes, np.broadcast_to(mean, cut.shape))


def rmse(answer):
    apart = (ops.convert_to_numpy(answer) - fresh)[np.broadcast_to(holes > 0, fresh.shape)]
    return float(np.sqrt(np.mean(apart**2)))


dark = again.mean(-1, keepdims=True) < 0.15
inside, outside = dark[holes > 0].mean(), dark[holes == 0].mean()
print(f"RMSE in the boxes: CycleGAN {rmse(completed):.3f}, mean colour {rmse(flat):.3f}")
print(f"black again: {inside:.0%} of the boxes, {outside:.0%} of the rest")

# %% [markdown]
# CycleGAN does worse than one even colour: nothing in its loss asks for what had been there.
# And `to_masked` finds the boxes in guesses that should hold no trace of them.
#
# **A question to think about.** The mask is no input of `to_masked`. It sees a completed photo, and
# yet it cuts the boxes where they were. How does it know, who has taught whom, and what would
# happen with a guess that is perfect?
#
# <details><summary>Answer</summary>
#
# The cycle loss has taught it to both of them. Of a perfect guess nobody could say where the boxes had
# been, `to_masked` would have to place them by chance, and the cycle would cost a lot. So
# `to_complete` is paid for leaving a trace: here a patch that is somewhat darker, in large networks a
# pattern too faint to see (Chu et al., 2017, found whole aerial photos hidden in maps). The cycle wants
# both ways to be invertible, but masking is not: it throws something away. Between domains of which one
# holds less than the other, CycleGAN's own loss has an interest in cheating. pix2pix, which is told
# the pairs, has none.
#
# </details>

# %% [markdown]
# **Read on.**
#
# - Zhu, Park, Isola, Efros: [Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
#   Networks](https://arxiv.org/abs/1703.10593), 2017. Section 3 has the terms, section 4 the pool and
#   the settings, appendix 7.2 the networks.
# - Shrivastava et al.: [Learning from Simulated and Unsupervised
#   Images](https://arxiv.org/abs/1612.07828), 2017. Section 2.3 has the pool.
# - Ulyanov, Vedaldi, Lempitsky: [Instance Normalization](https://arxiv.org/abs/1607.08022), 2016.
# - Chu, Zhmoginov, Sandler: [CycleGAN, a Master of
#   Steganography](https://arxiv.org/abs/1712.02950), 2017.
# - In the package this is `recon.models.cyclegan`: `CycleGAN` with `residual`, `unpaired`,
#   `cycle_loss`, `identity_loss`, `PhotoPool` with `exchange`; `python -m recon.train --model cyclegan`
#   trains it.
