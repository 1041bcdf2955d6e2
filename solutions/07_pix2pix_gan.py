# %% [markdown]
# # 07  pix2pix II: a GAN is an ordinary `fit`
#
# **Goal.** Build the discriminator and the losses of pix2pix, and put both players into one
# `compute_loss` so that each term moves its own player and leaves the other alone. Then train it by
# plain `fit`, and see what the second player buys and what it costs.
#
# **You need.** Lesson 06. What a gradient is.
#
# **Minutes.** 90
#
# **On a CPU.** All of it, in about a minute; two small networks of 32×32 are trained.
#
# **Full size.** `FULL = True` trains the paper's networks at 256×256: for a GPU, an hour or two.

# %%
import recon  # first: it keeps TensorFlow quiet

import keras
import numpy as np
from keras import layers, ops
from matplotlib.figure import Figure

from recon import boxes, devices, losses, metrics, plots
from recon.course import check
from recon.data import safari
from recon.models.adversarial import read_once
from recon.models.blocks import Completer, ToSigned, downsample, normal, normalise, receptive_field
from recon.models.pix2pix import generator

FULL = False  # True: the paper's sizes, on a GPU
size = 256 if FULL else 32
count = 416 if FULL else 1024

photos = safari.draw_many(range(count), size) / np.float32(255)  # (N, S, S, 3) in [0, 1]
drawing = np.random.default_rng(0)
masks = np.stack([boxes.rasterise(boxes.draw(drawing, size), size) for _ in photos])
masked = photos * (1 - masks)

# %% [markdown]
# A network that minimises a distance to the one true photo answers with the mean of all photos that
# could have been there, and a mean is blurred (lesson 04). pix2pix adds a second network, the
# *discriminator*, which learns to tell completed photos from real ones. Blur is easy to tell. So
# the *generator* is not told what sharp means; it is told by somebody who finds out.
#
# ## 7.1  One score a patch
#
# The discriminator does not score a photo. It scores every patch of 70×70 pixels by itself: a
# *PatchGAN*. Whether the whole makes sense is L1's business; whether a patch looks real can be seen
# in the patch. That takes fewer weights, and gives 900 opinions per photo of 256×256 and not one.
#
# Three halvings as in lesson 06, then two convolutions 4×4 of stride 1. `padding="same"` would add
# three rows of zeros around those, two on one side and one on the other; the paper adds one on each
# side, so each of the two makes the picture one smaller. What comes out are logits, raw scores of
# any size: no sigmoid.

# %%
print("a score sees", receptive_field([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)]), "pixels")

# %% exercise 7.1 recon.models.blocks.patches

# %% [markdown]
# What it scores is not the photo alone. Next to it lies what the generator was given, the masked
# photo and the mask: seven channels. So it can ask whether this fills *that* hole, and it is told
# where to look.

# %% source recon.models.pix2pix.discriminator

# %%
paper = discriminator(256)
print(f"{paper.count_params() / 1e6:.2f} M weights, scores {paper.output_shape[1:]}")

# %% [markdown]
# ## 7.2  A loss for scores
#
# Let $s$ be a score and $\sigma(s) = 1 / (1 + e^{-s})$ the probability it stands for, and $t$ the
# target: 1 for real, 0 for fake. The loss of the first GAN is the cross-entropy,
#
# $$-t \log \sigma(s) - (1 - t) \log (1 - \sigma(s)).$$
#
# Computed as it is written it fails: $\sigma(-200)$ is 0 in float32 and its logarithm infinite.
# Clip the probability, and the gradient there is 0: whoever is most wrong learns nothing. Write it
# without ever computing $\sigma$. You need one function, $\text{softplus}(s) = \log(1 + e^s)$, which
# `ops` has in a form that does not overflow.

# %% exercise 7.2 recon.losses.cross_entropy

# %% [markdown]
# ## 7.3  A loss with a margin
#
# Cross-entropy never has enough: a score of 5 for a real photo could always be 6. The *hinge* loss
# has. Real photos ought to get 1 or more, fake ones −1 or less, and beyond that there is nothing
# left to learn. What counts is only what a score lacks of its margin. (The generator has no margin:
# it minimises $-s$.)

# %% exercise 7.3 recon.losses.hinge

# %%
score = np.linspace(-3, 3, 121, dtype="float32")
figure = Figure((6.4, 2.4), layout="constrained")
for cell, target in zip(figure.subplots(1, 2, sharey=True), (1, 0), strict=True):
    for name, function in (("bce", cross_entropy), ("lsgan", losses.squares), ("hinge", hinge)):
        value = ops.convert_to_numpy(function(np.full_like(score, target), score))
        cell.plot(score, value, label=name)
    cell.set_title("of a real photo" if target else "of a fake one", fontsize=9)
    cell.set(ylim=(0, 4), xlabel="score")
    cell.legend(fontsize=8)
plots.display(figure)

# %% [markdown]
# Follow each curve to where it is flat. Cross-entropy is flat nowhere, hinge from the margin on,
# and `lsgan`, the squared distance to the target, is flat at the target alone: it also punishes a
# score for being too right.
#
# ## 7.4  The discriminator's loss
#
# It sees real photos and completed ones, with a target each. The paper halves the sum: the
# discriminator has the easier task, and learns at half the pace.

# %% exercise 7.4 recon.losses.discriminator_loss

# %% [markdown]
# And the generator's? The first idea is to give it the discriminator's loss with the opposite sign.
# It does not work well, and a derivative shows why. Where the discriminator is sure that a photo is
# fake, $s \ll 0$, the opposite sign gives $\log(1 - \sigma(s))$, with the slope $-\sigma(s) \approx
# 0$: the generator learns least when it is worst. So its target is 1 instead: $-\log \sigma(s)$,
# with the slope $\sigma(s) - 1 \approx -1$.

# %%
figure = Figure((3.6, 2.3), layout="constrained")
cell = figure.subplots()
sigma = 1 / (1 + np.exp(-score))
cell.plot(score, sigma, label="the opposite of the judge's loss")
cell.plot(score, 1 - sigma, label="cross-entropy to target 1")
cell.set_title("how hard the generator is pushed", fontsize=9)
cell.set(xlabel="score of its photo", ylim=(0, 1.5))
cell.legend(fontsize=8, loc="upper center")
plots.display(figure)

# %% [markdown]
# On the left, where training begins, the first curve is near 0.
#
# ## 7.5  Through the judge, and not into it
#
# Here is what makes a GAN a GAN, and what makes it go wrong. The generator's term is computed from
# the discriminator's score. Its gradient runs back through the discriminator's layers to the
# photo, and from there to the generator. On its way it passes all the discriminator's weights. If
# they were moved by it, the discriminator would learn to call fakes real.
#
# The usual way out are two gradients, two optimisers and a training step written by hand. There is
# a shorter one. A Keras network can be called with weights that are handed to it:
# `network.stateless_call(trainable, non_trainable, inputs, training=...)`. Hand it its own, as
# constants, `ops.stop_gradient`, and the gradient runs *through* the layers and never *into* them.
# Inputs and outputs stay as they are.

# %% exercise 7.5 recon.models.adversarial.call_frozen

# %% [markdown]
# ## 7.6  What L1 counts
#
# The discriminator says whether a fill looks real, not whether it is right. That is L1's part: the
# mean absolute distance to the photo. Known pixels are pasted over the guess anyway, so it counts
# the missing ones only. The paper's weight for it is 100, in photos of $[-1, 1]$; ours are in
# $[0, 1]$, half as wide, so the distance is doubled once, here, and 100 stays 100.
#
# A mean over *all* missing pixels of a batch: photos whose boxes overlap have fewer, and those
# should not weigh more.

# %% exercise 7.6 recon.losses.missing_l1

# %% [markdown]
# ## 7.7  Everything together
#
# Three looks of the discriminator, three terms:
#
# ![The photo and the completed photo go to the discriminator, the completed one behind a stop; a
# second way leads through a frozen discriminator to persuade; the guess goes to
# l1](pictures/07_players.svg)
#
# - `judge` moves the discriminator. The completed photo comes from the generator, and a gradient
#   would run back there: `ops.stop_gradient` cuts it off.
# - `persuade` moves the generator, through the frozen discriminator.
# - `l1` moves the generator.
#
# With that, the *sum* of the terms has the right gradient for every weight, and one optimiser may
# take it. Adam keeps its moments per weight, so one Adam over all weights is two Adams of equal
# settings. (Both players move at once; in the paper they take turns.)

# %% exercise 7.7 recon.models.pix2pix.measure

# %% [markdown]
# Seeing is better than believing. `moved` builds two players of one layer each, lets them learn one
# term for one step, and says how far each went.

# %% source recon.course.broken.lesson_07.Pair

# %% source recon.course.broken.lesson_07.moved

# %%
for term in ("judge", "persuade", "l1"):
    print(term, {player: round(distance, 4) for player, distance in moved(measure, term).items()})

# %% [markdown]
# Every row has one 0.0, exactly. The model is then short; there is no training step in it.
# (`read_once` changes no number: in one reading of the weights a compiler sees that both players'
# looks at a fake are the same, and looks once. `devices.share` is 1 and `devices.unscaled` changes
# nothing here: where several GPUs share a batch, they make the means of the parts the mean of the
# whole.)

# %% source recon.models.pix2pix.Pix2Pix

# %%
steps = {"epochs": 200, "batch_size": 1} if FULL else {"epochs": 4, "batch_size": 8}
if FULL:
    network = {"kind": "instance", "l1_weight": 100.0}
else:  # a tenth of the weight: in a short training one sees sooner who pulls where
    network = {"filters": 16, "widest": 64, "judge_filters": 8, "dropout": 0.0, "l1_weight": 10.0}
inputs = {"masked": masked, "mask": masks}
held_out = 16  # photos that no network learns from


def train(model):
    model.compile(keras.optimizers.Adam(2e-4 if FULL else 1e-3, beta_1=0.5))
    seen = {name: array[held_out:] for name, array in inputs.items()}
    history = model.fit(seen, photos[held_out:], verbose=0, **steps)
    guess = model.predict({name: array[:held_out] for name, array in inputs.items()}, verbose=0)
    return history.history, metrics.complete(masked[:held_out], masks[:held_out], guess)


keras.utils.set_random_seed(0)
gan = Pix2Pix(size, **network)
history, by_gan = train(gan)
for name in ("judge", "persuade", "l1", "rmse"):
    print(name, *(f"{value:.3f}" for value in history[name]))

# %% [markdown]
# A value an epoch. `l1` falls. `judge` and `persuade` do not run to 0, and should not: at
# $\log 2 = 0.693$ the discriminator is guessing; at 0 it is never wrong and the generator has lost.
# Between, they lean on each other. That is why no check of this course looks at a GAN's loss.
#
# ## Break it
#
# Here is `measure` as it reads most naturally. Nothing about it looks wrong:

# %% source recon.course.broken.lesson_07.leaky

# %% [markdown]
# The judge's term asks for low scores of fakes, and it can have that in two ways: a better
# discriminator, or a worse generator. Without the stop the generator is pulled back by just the
# term that is meant for its opponent. It trains, loss falls, pictures come out, a little worse than
# they should be. Write the check that finds it: no term may move the wrong player. And one that
# moves nobody is no better.

# %% exercise 7.8 recon.course.broken.lesson_07.catch_leak

# %%
figure = Figure((6.4, 2.2), layout="constrained")
for cell, function in zip(figure.subplots(1, 2, sharey=True), (measure, leaky), strict=True):
    distances = {term: moved(function, term) for term in ("judge", "persuade", "l1")}
    for offset, player in ((-0.2, "generator"), (0.2, "discriminator")):
        values = [distances[term][player] for term in distances]
        cell.bar(np.arange(3) + offset, values, 0.4, label=player)
    cell.set_xticks(range(3), list(distances))
    cell.set_title(function.__name__, fontsize=9)
    cell.set_yscale("symlog", linthresh=1e-3)
    cell.set_ylim(0, 50)
    cell.legend(fontsize=8, loc="upper center", ncols=2)
plots.display(figure)

# %% [markdown]
# How far one step moves whom: on the left one bar a term, on the right `judge` has two. Here the
# leak pushes the generator harder than `persuade` does, and the other way.
#
# ## Look
#
# What does the second player buy? The same generator, from the same start, trained on L1 alone:

# %%
keras.utils.set_random_seed(0)


class Alone(Pix2Pix):
    """The generator without a judge."""

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return missing_l1(y, y_pred, x["mask"])


alone = Alone(size, **network)
alone.discriminator.trainable = False  # nothing reaches it: it has no part in this
_, by_l1 = train(alone)

for number in (0, 3, 7):
    by = {"l1_alone": by_l1[number], "with_a_judge": by_gan[number], "photo": photos[number]}
    plots.show(masked=masked[number], **by)


def detail(completed):
    """How much neighbours differ, in the holes: 0 is a blur without any structure."""
    inside = masks[:held_out, :, 1:] * masks[:held_out, :, :-1]
    differences = np.abs(np.diff(ops.convert_to_numpy(completed), axis=2))
    return float((inside * differences).sum() / (3 * inside.sum()))


for name, completed in (
    ("l1 alone", by_l1),
    ("with a judge", by_gan),
    ("photo", photos[:held_out]),
):
    rmse = metrics.BoxRMSE()
    rmse.update_state(photos[:held_out], completed, masks[:held_out])
    print(f"{name:13} RMSE {float(rmse.result()):.3f}   detail {detail(completed):.3f}")

# %% [markdown]
# L1 alone has the lower error and the flatter fill. With a judge there is about as much going on
# between neighbours as in the photos, and where that detail is in the wrong place it costs RMSE. At
# this size and after so few steps it is texture more than it is an animal; `FULL`, or the package's
# `python -m recon.train`, takes it further. Which of both is better is not a question that a score
# can answer: lesson 12 comes back to it.
#
# **A question to think about.** `judge` shows the discriminator `completed`, photos with the known
# pixels pasted back, and not the raw guess. What would happen if it were shown the guess? It is one
# line less.
#
# <details><summary>Answer</summary>
#
# The guess differs from a photo everywhere, not in the holes alone: its known part is a little
# blurred, too, because the network repeats it. The discriminator would look at that, which is most
# of the picture, and the generator would spend its weights on repeating what is pasted over anyway.
# Completed photos differ from real ones in the holes and at their edges. That is where the judge
# then looks, seams included.
#
# </details>

# %% [markdown]
# **Read on.**
#
# - Goodfellow et al., 2014, [Generative Adversarial Networks](https://arxiv.org/abs/1406.2661).
# - Isola et al., 2017, [pix2pix](https://arxiv.org/abs/1611.07004): section 3.3 for the training,
#   appendix 6.1.2 for the PatchGAN.
# - Mao et al., 2017, [Least squares GANs](https://arxiv.org/abs/1611.04076); Lim and Ye, 2017,
#   [Geometric GAN](https://arxiv.org/abs/1705.02894), for the hinge.
# - TensorFlow's [pix2pix tutorial](https://www.tensorflow.org/tutorials/generative/pix2pix) does the
#   same with two tapes and two optimisers. `tests/models/test_pix2pix.py` holds our gradients
#   against that formulation, weight by weight: they are equal.
# - In the package: `recon.losses`, `recon.models.adversarial.call_frozen`,
#   `recon.models.pix2pix.measure` and `Pix2Pix`.
