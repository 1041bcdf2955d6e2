# %% [markdown]
# # 04  A U-Net that minimises RMSE; why it blurs
#
# **Goal.** Build the network that wins the challenge's score, train it, and see why the score that
# it wins makes it blur.
#
# **You need.** Lesson 03 (the harmonic fill, RMSE in the boxes) and the idea of a convolution. You
# have seen `layers.Conv2D` and `model.fit` before.
#
# **Minutes.** 85
#
# **On a CPU.** All of it runs here at 32×32 in under a minute; the training takes 300 steps, some
# 15 seconds on two cores.
#
# **Full size.** `FULL = True` in the first cell trains at 256×256: the package's widths, 20,000
# steps, on a GPU.

# %%
import recon  # first: it keeps TensorFlow quiet

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops
from matplotlib.figure import Figure

from recon import boxes, classical, plots
from recon.course import check
from recon.data import catalog, pipeline, safari
from recon.models import blocks
from recon.models.unet import SIZES, Membrane, convolution, mirrored

FULL = False  # True: 256×256, the package's widths, on a GPU

SIZE = 256 if FULL else 32
PATCH, WIDTHS = (8, (64, 128, 256)) if FULL else (2, (24, 48, 96))
PHOTOS, STEPS = (3072, 20_000) if FULL else (768, 300)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## The best guess of a coin
#
# A hole of one pixel. In half of all photos that look like this one it was black (0), in the other
# half white (1). What do you write into the submission?
#
# For a guess $g$ and a pixel $x$, the mean squared error is
# $$\mathbb{E}\,(g - x)^2 = (g - \mathbb{E}\,x)^2 + \operatorname{Var} x .$$
# The second term is not in your hands. The first is 0 where $g$ is the mean: grey, the one answer
# that is never right.

# %%
pixel = np.array([0.0, 1.0])
guesses = np.linspace(0, 1, 101)
squared = np.sqrt(((guesses[:, None] - pixel) ** 2).mean(axis=1))
absolute = np.abs(guesses[:, None] - pixel).mean(axis=1)

figure = Figure((5, 2.4), layout="constrained")
axes = figure.subplots()
axes.plot(guesses, squared, label="RMSE")
axes.plot(guesses, absolute, "--", label="mean absolute error")
axes.plot(0.5, 0.5, "ko")
axes.set(xlabel="guess: black 0, white 1", ylabel="error", ylim=(0.4, 0.8))
axes.legend(fontsize=8, loc="upper center")
plots.display(figure)

# %% [markdown]
# See the lowest point of the solid curve: grey costs 0.5, a decision for black or white 0.71,
# though the decision is right every second time. The absolute error does not care: any guess
# between the two costs the same, because it asks for the median and not for the mean.
#
# A photo is many such coins. Where an ear may begin here or two pixels further left, the answer
# with the smallest RMSE is an ear with a soft edge. Nothing is wrong with a network that says so;
# it says what the score asks for.
#
# ## 4.1  What squared error asks for
#
# So the best guess is a mean: that of all photos that agree with what is known, the *conditional
# mean* $\mathbb{E}[\text{photo} \mid \text{known pixels}]$. With photos enough one could look it
# up, without any network: take every photo there is, measure how far it is from the known pixels,
# and let it count accordingly,
# $$w_i \propto \exp\!\Big(\!-\frac{d_i}{2\sigma^2}\Big), \qquad
#   \text{guess} = \sum_i w_i\, \text{photo}_i , \qquad \sum_i w_i = 1 ,$$
# where $d_i$ is the mean squared difference over the known pixels and $\sigma$ the `width`. (This
# is the regression of Nadaraya and Watson, and with other words attention: keys, a softmax,
# values.)

# %% exercise 4.1 recon.models.unet.conditional_mean

# %% [markdown]
# Below, 512 drawn photos are the memory, and 24 others have a hole. The width goes from narrow (the
# one photo that agrees best is copied) to wide (the mean of all 512, whatever is known).

# %%
memory = safari.draw_many(range(512), 32) / np.float32(255)
others = safari.draw_many(range(4000, 4024), 32) / np.float32(255)
hole = boxes.rasterise([boxes.Box(10, 8, 12, 12)], 32)
widths = [0.003, 0.01, 0.03, 0.06, 0.1, 0.2, 1.0]


def looked_up(photo, width):
    return classical.paste(photo, hole, conditional_mean(photo * (1 - hole), hole, memory, width))


def hole_rmse(photo, completed):
    return np.sqrt((hole * (photo - completed) ** 2).sum() / (3 * hole.sum()))


errors = [np.mean([hole_rmse(p, looked_up(p, width)) for p in others]) for width in widths]
figure = Figure((5, 2.2), layout="constrained")
axes = figure.subplots()
axes.semilogx(widths, errors, ".-")
axes.set(xlabel="width", ylabel="RMSE in the hole")
plots.display(figure)

photo = others[5]
plots.show(
    photo=photo,
    masked=photo * (1 - hole),
    the_likest_photo=looked_up(photo, 0.003),
    the_best_width=looked_up(photo, widths[int(np.argmin(errors))]),
    the_mean_of_all=looked_up(photo, 1.0),
)

# %% [markdown]
# See the curve's lowest point: neither the one likest photo nor the mean of all, but a mean of the
# few that agree. The likest photo is sharp: it shows a face, of which no line meets the lines
# around it. The best width shows a face in a mist, and its RMSE is lower by a sixth. A network does
# not look photos up: it learns which features of the known pixels matter, and so finds a better
# mean. But a mean is what it is asked for.
#
# ## 4.2  The loss
#
# The network learns by minimising the mean squared error over the *missing* pixels. The known ones
# are pasted back afterwards, so that nothing the network says of them counts, and they must not
# water down the mean either. Its root is the score itself.

# %% exercise 4.2 recon.models.unet.mse_in_holes

# %% [markdown]
# ## 4.3  Half the photo, without its hole
#
# Zero is a poor beginning for a missing pixel: it is black, which means something. Lesson 03 has a
# better one, the harmonic fill, and the network shall only say what is to be *added* to it. But a
# sparse solver does not run on a GPU, nor inside a training step. So we make a cheap copy that
# does: halve the photo until its hole has closed, then go back up and blend.
#
# Halving takes the mean of each 2×2 pixels, of those that are known; one is enough.

# %% exercise 4.3 recon.models.unet.halve_known

# %%
colour, known = photo[None] * (1 - hole), 1 - hole[None]
pyramid = {"32": colour[0]}
for _ in range(4):
    colour, known = halve_known(ops.convert_to_tensor(colour), ops.convert_to_tensor(known))
    pyramid[str(colour.shape[1])] = ops.convert_to_numpy(colour)[0]
plots.show(**pyramid)

# %% [markdown]
# The hole shrinks from 12 pixels to 6, then to 2 by 3, and is gone; the animal around it keeps its
# colours up to the hole's edge. At 2×2 the photo is four colours, all of them known.
#
# ## 4.4  And up again
#
# On the way back every grid starts from the coarser one's answer, enlarged. Two things are then
# wrong with it: the known pixels are known better, and the enlargement does not meet them smoothly.
# So the known pixels go on top, and every missing one is replaced by the mean of the 3×3 pixels
# around it, a few times over. Lesson 03 needed hundreds of such sweeps; here the coarse grids have
# carried the colours across the hole already, and four are enough. (That is the idea of *multigrid*
# methods.)

# %% exercise 4.4 recon.models.unet.refine

# %% [markdown]
# Put together, they are `recon.models.unet.membrane`. It uses your two functions:

# %% source recon.models.unet.membrane

# %%
masked = photo * (1 - hole)
cheap = membrane(ops.convert_to_tensor(masked[None]), ops.convert_to_tensor(hole[None]))
cheap, exact = ops.convert_to_numpy(cheap)[0], classical.harmonic(masked, hole)
plots.show(masked=masked, membrane=cheap, harmonic=exact, difference_times_5=5 * abs(cheap - exact))
print(f"RMSE: membrane {hole_rmse(photo, cheap):.3f}, harmonic {hole_rmse(photo, exact):.3f}")

# %% [markdown]
# The membrane is no solution of Laplace's equation, as the difference shows, but as good a
# beginning.
#
# ## 4.5  Down
#
# To know what belongs into a hole, a pixel must see more than its neighbours: the eye on the other
# side, the direction of the stripes. A convolution of 3×3 sees one pixel further. A *stride* of 2
# halves the grid, and every convolution after it sees twice as far at a quarter of the cost, so
# that there may be twice as many channels.
#
# ![A U: on the left three levels, each half the size of the one above; on the right the same levels
# upwards; arrows across from left to right](pictures/04_unet.svg)
#
# The brick is given, `recon.models.unet.convolution`:

# %% source recon.models.unet.convolution

# %% exercise 4.5 recon.models.unet.contract

# %%
for level in contract(layers.Input((16, 16, 24)), (24, 48, 96)):
    print(level.shape)

# %% [markdown]
# ## 4.6  Up
#
# At the bottom, 4×4 positions know the whole photo, but not where exactly an edge runs. The way up
# brings that back: each level is enlarged and the level of the same size from the way down, which
# still knows the pixels, is added. These *skip connections* are what makes it a U and not an
# hourglass.
#
# Ronneberger and others set the two beside each other (concatenation); adding them asks for equal
# channels, which the 1×1 convolution makes, and costs half.

# %% exercise 4.6 recon.models.unet.expand

# %% [markdown]
# The whole network is now a page, `recon.models.unet.network`. Two odd choices: the first
# convolution has a stride of `patch`, for most of a photo's pixels say little one by one (vision
# transformers begin so, too); and the last layer begins with weights of zero, so that training
# starts from the membrane and not from noise.

# %% source recon.models.unet.network

# %%
net = network(SIZE, PATCH, WIDTHS)
print(f"{net.count_params():,} weights, {len(net.layers)} layers")

# %% [markdown]
# ## 4.7  Ask twice
#
# An animal may look either way. A network that has learned from photos will still answer a little
# differently for a photo and for its mirror image. Both answers are guesses of the same mean, with
# errors of their own, and the mean of two guesses has the smaller error: by the formula at the top,
# $(g - \mathbb{E}x)^2$ of a mean is at most the mean of the two. This is called *test-time
# augmentation*. It costs a second pass, no training, and brings one or two per cent.

# %% exercise 4.7 recon.models.unet.mirror_averaged

# %% [markdown]
# Now it can be trained. A model is the network, your loss, and in use your second look;
# `recon.models.unet.UNet` is the same with a few settings.

# %%
table = catalog.safari_table()
training = pipeline.training(catalog.split_of(table, "train")[:PHOTOS], SIZE, 16, STEPS)
test = pipeline.fixed(catalog.split_of(table, "test")[:64], SIZE, 64)


class Regression(blocks.Completer):
    """A network that learns by squared error and is asked twice."""

    def __init__(self, network, size):
        super().__init__({"size": size})
        self.network = network

    def call(self, inputs, training=False):
        if training:
            return self.network(inputs, training=True)
        return mirror_averaged(self.network, inputs)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return mse_in_holes(y, y_pred, x["mask"])


model = Regression(net, SIZE)
rate = keras.optimizers.schedules.CosineDecay(2e-3, STEPS)
model.compile(keras.optimizers.Adam(rate), jit_compile=False)
history = model.fit(
    training, steps_per_epoch=STEPS // 10, epochs=10, shuffle=False, verbose=0
).history

# %%
inputs, truth = next(iter(test))
masked, mask, truth = (ops.convert_to_numpy(x) for x in (inputs["masked"], inputs["mask"], truth))
answers = {
    "mean": [classical.mean(m, k) for m, k in zip(masked, mask, strict=True)],
    "harmonic": [classical.harmonic(m, k) for m, k in zip(masked, mask, strict=True)],
    "unet": np.clip(ops.convert_to_numpy(model.predict(inputs, verbose=0)), 0, 1),
}
answers["unet"] = np.where(mask > 0, answers["unet"], masked)


def rmse(completed):
    return np.sqrt((mask * (truth - completed) ** 2).sum() / (3 * mask.sum()))


figure = Figure((5, 2.2), layout="constrained")
axes = figure.subplots()
axes.plot(np.arange(1, 11) * (STEPS // 10), history["rmse"], ".-", label="U-Net, in training")
axes.axhline(rmse(answers["harmonic"]), ls="--", color="grey", label="harmonic, on test photos")
axes.set(xlabel="steps", ylabel="RMSE in the holes")
axes.legend(fontsize=8)
plots.display(figure)
for name, completed in answers.items():
    print(f"{name:10} RMSE {rmse(completed):.3f}")

# %% [markdown]
# The network stands on the harmonic fill, so that its curve begins near the dashed line; within a
# few hundred steps it is well below.

# %%
for number in (0, 5, 14):
    shown = {name: completed[number] for name, completed in answers.items()}
    plots.show(masked=masked[number], **shown, photo=truth[number])

# %% [markdown]
# Compare the last two of each row. The colours are right, legs and ears come where they belong, and
# every edge that the known pixels do not decide is soft.
#
# ## Break it
#
# Here is a `halve_known` as one writes it first. It runs, its shapes are right, and the loss goes
# down with it, too.

# %% source recon.course.broken.lesson_04.darkening

# %%
seen = {}
for name, halve in (("right", halve_known), ("broken", darkening)):
    colour, known = ops.convert_to_tensor(photo[None] * (1 - hole)), 1 - hole[None]
    for _ in range(3):
        colour, known = halve(colour, ops.convert_to_tensor(known))
    seen[name] = ops.convert_to_numpy(colour)[0]
plots.show(photo=photo, masked=photo * (1 - hole), **seen)

# %% [markdown]
# Where the hole was, the broken one is darker: missing pixels count as black ones. In an array of
# random numbers nobody would see it. Find an input of which you know the answer without computing
# it, and write the check that catches this function, and its relatives, and lets every right one
# pass.

# %% exercise 4.8 recon.course.broken.lesson_04.catch_darkening

# %% [markdown]
# ## Look
#
# How much does it blur? Take the mean difference between neighbouring pixels inside the holes, as
# a share of what it is in the true photo: 1 is as sharp as the truth.

# %%
missing = mask[..., 0] > 0


def sharpness(completed):
    """Mean difference of horizontal neighbours that are both missing."""
    both = missing[:, :, 1:] & missing[:, :, :-1]
    return np.abs(np.diff(np.asarray(completed), axis=2))[both].mean()


if not FULL:  # the memory is of 32×32
    pairs = zip(masked, mask, strict=True)
    likest = np.stack([conditional_mean(m, k, memory, 0.003) for m, k in pairs])
    answers["likest photo"] = np.where(mask > 0, likest, masked)
answers["truth"] = truth

figure = Figure((5, 2.6), layout="constrained")
axes = figure.subplots()
for name, completed in answers.items():
    x, y = sharpness(completed) / sharpness(truth), rmse(completed)
    axes.plot(x, y, "o")
    axes.annotate(name, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=8)
axes.set(xlabel="sharpness, the truth's is 1", ylabel="RMSE", xlim=(-0.05, 1.3), ylim=(-0.02, 0.36))
plots.display(figure)

# %% [markdown]
# The truth lies at the bottom right, and nobody gets there. The likest photo of 4.1 is as sharp as
# the truth; the U-Net is half as sharp and has the lowest RMSE of all. Lessons 06 and 07 choose
# otherwise: a second network judges whether the answer *looks* like a photo, and RMSE goes up.
#
# **A question to think about.** The U-Net trains longer, on millions of photos, with ten times the
# weights. Does its RMSE go to 0? Does its blur go away?
#
# <details><summary>Answer</summary>
#
# Neither. By the formula at the top the error has two parts. Training removes the first, the
# distance of the guess from the conditional mean. The second, the variance of what could have been
# there given the known pixels, belongs to the photos and not to the network; it stays, and the
# better the network, the more exactly it says the mean: soft where the photos differ. What does
# help is to know more: fewer or smaller holes. In the middle of a large box the blur is largest, at
# its border nearly nothing.
#
# </details>

# %% [markdown]
# **Read on.**
#
# - Ronneberger, Fischer, Brox, 2015, [U-Net](https://arxiv.org/abs/1505.04597).
# - Briggs, Henson, McCormick, *A Multigrid Tutorial*, chapter 3: the coarse grid first.
# - Blau and Michaeli, 2018, [The Perception-Distortion
#   Tradeoff](https://arxiv.org/abs/1711.06077): the last picture, as a theorem.
# - In the package this is `recon.models.unet`; its first page has what was tried and what it brought.
#   `python -m recon.train --model unet` trains it.
