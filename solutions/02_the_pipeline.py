# %% [markdown]
# # 02  The pipeline
#
# **Goal.** Turn a table of photos into batches without end: cut, mirror, draw boxes, shuffle,
# batch. Each step is a small function, and the order of the steps is the lesson: what comes before
# a cache is frozen for ever.
#
# **You need.** Lesson 01. A first idea of `tf.data`: a `Dataset` is a chain of steps, and `map`
# runs a function on every element. TensorFlow runs that function as a *graph*: it is called once,
# with placeholders, and what it does to them is written down. So no `numpy()`, no `mask[2:5] = 1`.
#
# **Minutes.** 85
#
# **On a CPU.** All of it, in half a minute.
#
# **Full size.** `FULL = True` feeds photos of 256×256 instead of 64×64.

# %%
import recon  # first: it keeps TensorFlow quiet

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorflow.random import experimental as keys

from recon import boxes, plots
from recon.course import check
from recon.data import pipeline, plan, safari

FULL = False  # True: the paper's size
size = 256 if FULL else 64

# %% [markdown]
# ## From a folder to a batch
#
# ![Read, decode and resize come first, then the cache; after it cut, mirror, boxes; then batch and
# prefetch. Before the cache all is fixed, after it all is random](pictures/02_order.svg)
#
# A network wants the next batch at once; a disk, a JPEG decoder and a resize are slow. Two steps
# help: a *cache* keeps what they made, and *prefetch* prepares the next batch while the network
# trains on this one. Between the two lies all that is random. Left of the cache everything happens
# once; right of it, anew in every epoch. A step on the wrong side is either slow or frozen.
#
# Our photos are drawn and not read; the rest is the same. They are a little larger than the
# network's, 72 for 64 (pix2pix: 286 for 256), so that there is something to cut off.

# %%
large = round(size * plan.JITTER)
photos = safari.draw_many(range(12), large) / np.float32(255)  # (N, 72, 72, 3): left of the cache
print(photos.shape)

# %% [markdown]
# ## 2.1  Boxes in a graph
#
# Lesson 01 paints boxes with slices and draws them from a generator. Neither works here: a graph
# assigns to no slice, and a generator *changes* when it is used, so that whoever draws first
# decides what the next one gets. With sixteen threads nobody knows who is first.
#
# Two replacements. For painting: compare. Pixel $(i, j)$ lies in a box of side $l$ with the corner
# $(r, c)$ if $r \le i < r + l$ and $c \le j < c + l$; rows and columns are asked apart, and
# broadcasting makes a square of the two answers. For drawing: a *key*, two whole numbers. A
# stateless function makes the same numbers of the same key, whenever and wherever it runs. That is
# a promise and a trap: ask it twice with one key, and you get the same twice.

# %% exercise 2.1 recon.data.pipeline.draw_mask

# %%
masks = [draw_mask(size, tf.constant([7, number])) for number in (0, 1, 2, 0)]
titles = ("key_7,0", "key_7,1", "key_7,2", "key_7,0_again")
plots.show(**dict(zip(titles, masks, strict=True)))

# %% [markdown]
# The first and the last are the same picture: the key decides, not the hour.
#
# ## 2.2  Cut and mirror
#
# Twelve photos are few. A cut that lies elsewhere each time, and a mirror image in half of the
# cases, make $9 \cdot 9 \cdot 2 = 162$ pictures of each (at 256: $31 \cdot 31 \cdot 2 = 1922$).
# Left and right may be exchanged, above and below may not: an elephant on its back is another
# problem.
#
# Where to cut and whether to mirror are two decisions, so they want two keys;
# `keys.stateless_split` makes two of one.

# %% exercise 2.2 recon.data.pipeline.augment

# %%
views = {
    f"key_7,{number}": augment(tf.constant(photos[3]), size, tf.constant([7, number]))
    for number in range(5)
}
plots.show(height=1.4, whole=photos[3], **views)

# %% [markdown]
# Some tigers look left and some right, and the edges are cut elsewhere each time.
#
# ## 2.3  One example, in order
#
# Now cut, mask and target come together. The order is not a matter of taste:
#
# - *The cut before the boxes.* Boxes drawn first are cut along with the photo: some lose a side,
#   some vanish. And where a photo is resized after its boxes are drawn, they are no longer 75
#   pixels wide.
# - *The target after the cut.* It is the same cut, complete, or else the network is asked for
#   pixels that it cannot know.
#
# What the model sees is made by a function that you may take as it is:

# %% source recon.data.pipeline.inputs_of

# %% [markdown]
# One more thing is lost on the way. A slice between drawn numbers has a shape that nobody knows
# before it runs, and a network wants to know: `tf.ensure_shape` says it, and is checked when it
# does run.

# %% exercise 2.3 recon.data.pipeline.training_example

# %%
inputs, target = training_example(tf.constant(photos[3]), size, tf.constant([7, 3]))
plots.show(whole=photos[3], masked=inputs["masked"], mask=inputs["mask"], target=target)

# %% [markdown]
# `masked` and `target` are the same cut; the boxes lie on it as a whole, though it was drawn
# afterwards.
#
# ## 2.4  The order of an epoch
#
# An epoch is so many *steps*, and a step is a full batch: a last batch of three photos would count
# as much in training as one of sixteen. But 10 photos do not make whole batches of 3. So every
# shuffle is cut to whole batches, here 9, and the next shuffle begins with the next batch:
#
# $$\underbrace{4\;0\;7 \mid 2\;9\;5 \mid 8\;1\;3}_{\text{shuffle 0, without 6}} \;\Big|\;
# \underbrace{6\;3\;0 \mid 5\;8\;4 \mid \ldots}_{\text{shuffle 1}}$$
#
# Without the cut, a batch on the seam could hold one photo twice. With it, a photo is left out
# each time, and each time another one. Shuffling beats drawing at random: of $n$ draws from $n$
# photos, $1/e$ or 37 % never come.
#
# `keys.stateless_shuffle(values, key)` shuffles. Each shuffle wants a key of its own, and
# `keys.stateless_fold_in(key, number)` makes one of a key for every number.

# %% exercise 2.4 recon.data.pipeline.epoch_order

# %%
for epoch_key in ([7, 0], [7, 1]):
    print(epoch_order(10, 6, 3, tf.constant(epoch_key)).numpy().reshape(6, 3).tolist())

# %% [markdown]
# Two keys, two orders. Within three batches no number comes twice.
#
# ## 2.5  An epoch is a function
#
# A training of ten hours is killed in the ninth. Weights and optimiser were saved; but where was
# the shuffle, and what would have been the next boxes? Instead of saving that too, we make it
# unnecessary:
#
# $$\text{epoch} = f(\text{seed}, \text{number})$$
#
# Everything random in an epoch comes from one key, and that key from the seed and the epoch's
# number. Epoch 7 is then the same whether six others ran before it or none. Fold the number in
# rather than adding it to the seed: $1 + 0 = 0 + 1$, and two runs would share their epochs.

# %% exercise 2.5 recon.data.pipeline.epoch_plan

# %%
order, photo_keys = epoch_plan(count=5, steps=2, batch_size=4, seed=0, epoch=7)
for index, key in zip(order.numpy(), photo_keys.numpy(), strict=True):
    print(f"photo {index} with key {key.tolist()}")

# %% [markdown]
# Eight places of five photos: a photo that comes twice has another key each time. The first number
# is the epoch's, the second the place's.
#
# ## 2.6  Without end
#
# The chain itself. The epochs' numbers, counted for ever; of each number a plan; of each row of a
# plan an example, several at a time on all cores; of so many examples a batch; and the next
# batches ready before they are asked for.
#
# `map` or `batch` first? Some steps are faster on whole batches. But an example has its own key,
# cut and boxes: here the map comes first.

# %% exercise 2.6 recon.data.pipeline.endless


# %%
def plan(epoch):
    return epoch_plan(len(photos), 3, 4, 0, epoch)


def example(index, key):
    return training_example(tf.constant(photos)[index], size, key)


batches = endless(plan, example, 4)
for inputs, _ in batches.take(1):
    plots.show(height=1.4, **{f"masked_{n}": x for n, x in enumerate(inputs["masked"])})

resumed = next(iter(endless(plan, example, 4, first_epoch=2)))
uninterrupted = list(batches.take(7))[-1]  # the first batch after two epochs of three
same = np.array_equal(resumed[0]["masked"], uninterrupted[0]["masked"])
print(f"a run that resumes at epoch 2 sees what it would have seen: {same}")

# %% [markdown]
# This is what `fit` is given from lesson 04 on, one line: `pipeline.training(table, size, ...)`.
#
# What does it cost? On one core, for a JPEG of 256×256: to decode it takes 0.35 ms; to decode,
# resize to 286, cut, mirror, draw two boxes and convert, 1.4 ms. A cache saves the larger half of
# that. That is why people put `.cache()` as late as it goes, and that is what goes wrong next.
#
# ## Break it
#
# Reading is slow, so why not cache what comes out of the whole chain? keras.io's example of a
# CycleGAN does it:

# %% source recon.course.broken.lesson_02.cached_after_the_cut

# %% [markdown]
# It runs, it is fast, and the loss goes down. And this is the right one:

# %% source recon.course.broken.lesson_02.cut_afresh

# %%
tf.random.set_seed(0)  # the same cuts whenever this lesson runs
three = photos[[3, 1, 5]]
for name, function in {"frozen": cached_after_the_cut, "afresh": cut_afresh}.items():
    cuts = list(function(three, size * 3 // 4, 5))[::3]  # the first photo, epoch by epoch
    plots.show(height=1.3, **{f"{name},_epoch_{n}": cut for n, cut in enumerate(cuts)})

# %% [markdown]
# Above the same cut five times, below five. No shape, no number and no error tells one from the
# other: only a look at two epochs does.
#
# Write that look: a function that takes such a pipeline and raises an `AssertionError` where the
# second epoch holds the first one's cuts. It is tried on pipelines that shuffle, too, frozen ones
# and right ones; and a single cut may come again by chance.

# %% exercise 2.7 recon.course.broken.lesson_02.catch_frozen

# %% [markdown]
# ## Look
#
# How many different pictures does a network see of one photo? Count them over 300 epochs.

# %%
photo, epochs = tf.constant(photos[3]), 300
cut = tf.function(lambda key: training_example(photo, size, key))
seen_cuts, seen_examples, counts = set(), set(), []
for epoch in range(epochs):
    inputs, target = cut(epoch_plan(1, 1, 1, 0, epoch)[1][0])
    seen_cuts.add(target.numpy().tobytes())
    seen_examples.add(inputs["masked"].numpy().tobytes())
    counts.append((1, len(seen_cuts), len(seen_examples)))

figure = Figure((6, 2.6), layout="constrained", dpi=100)
axes = figure.subplots()
names = ("cached after the cut", "cut afresh", "cut and masked afresh")
for name, line in zip(names, np.transpose(counts), strict=True):
    axes.plot(range(1, epochs + 1), line, label=name)
axes.set(xlabel="epoch", ylabel="different pictures")
axes.legend()
plots.display(figure)
print(f"after {epochs} epochs: 1, {len(seen_cuts)} and {len(seen_examples)} pictures")

# %% [markdown]
# The cache's line stays at 1. The cuts' line bends: there are 162 of them, and after some hundred
# epochs most have been seen. The boxes keep every epoch new: places for two boxes are so many (at
# 64, $46^4$, 4.5 million) that none comes again.
#
# **A question to think about.** `cut_afresh` calls `tf.image.random_crop`, which has a state. You
# want your results to be repeatable, so you write `tf.random.set_seed(0)` above it, as here, make
# the dataset of *one* epoch, `cut_afresh(photos, size, 1)`, and give it to `fit(epochs=100)`, which
# goes through it a hundred times. What does the network see? Try it.
#
# <details><summary>Answer</summary>
#
# A hundred times the same cuts. Each pass makes a new iterator, and where a seed is set, every
# iterator's random functions begin again from that seed. Without the seed, or with `repeat(100)`
# and so a single iterator, the cuts change. No cache is to be seen anywhere, and the freeze is the
# same. Keys made of the epoch's number cannot freeze by accident: to get the same cut twice, one
# has to ask for the same epoch.
#
# </details>

# %% [markdown]
# **Read on.** These are `recon.data.pipeline.draw_mask`, `.augment`, `.training_example`,
# `.epoch_order`, `.epoch_plan` and `.endless`; `pipeline.training` puts them together,
# `pipeline.fixed` makes the batches of validation and test, whose boxes are drawn once and never
# change. The jitter is section 3.3 of Isola et al., [Image-to-Image Translation with Conditional
# Adversarial Networks](https://arxiv.org/abs/1611.07004), 2017. On random numbers by key: Salmon
# et al., [Parallel random numbers: as easy as 1, 2, 3](https://doi.org/10.1145/2063384.2063405),
# 2011. And TensorFlow's own page, [Better performance with the tf.data
# API](https://www.tensorflow.org/guide/data_performance). Next: lesson 03 fills the boxes without
# learning anything.
