# %% [markdown]
# # 08  DCGAN: a prior over photos
#
# **Goal.** Paint photos out of noise, fill a hole by searching that noise, and see a generator
# collapse, in a picture and in a number.
#
# **You need.** Lesson 03 (the harmonic fill), lessons 06 and 07: convolutions that halve and
# double, a GAN as one `fit`.
#
# **Minutes.** 90
#
# **On a CPU.** All of it, in about one minute on two cores; half of that is the training.
#
# **Full size.** `FULL = True` in the first cell trains the paper's networks on sharp photos of 128×128;
# that wants a GPU.

# %%
import recon  # first: it keeps TensorFlow quiet

import math

import keras
import numpy as np
from keras import layers, ops
from matplotlib.figure import Figure

from recon import boxes, classical, metrics, plots
from recon.course import check
from recon.data import safari
from recon.models import blocks, dcgan, latent_search
from recon.models.dcgan import SIZES
from recon.models.latent_search import LatentSearch

FULL = False  # True: the paper's sizes, on a GPU
SIZE, COUNT = (128, 4000) if FULL else (64, 512)
STEPS, BATCH, RATE = (100_000, 128, 2e-4) if FULL else (800, 16, 1e-3)

keras.utils.set_random_seed(1)
photos = (safari.draw_many(range(0, 4 * COUNT, 4), SIZE) / 255).astype("float32")  # (N, S, S, 3)


def blurred(photos, side=12):
    """Photos of which a small network can learn something in a minute: no more than 12×12 colours."""
    small = ops.image.resize(photos, (side, side), antialias=True)
    large = ops.image.resize(small, photos.shape[1:3], interpolation="bicubic")
    return np.clip(ops.convert_to_numpy(large), 0, 1)


sharp = photos
photos = photos if FULL else blurred(photos)


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
# ## 8.0  A network that has never seen a hole
#
# U-Net and pix2pix are told where pixels are missing and what had been there. This lesson's network is
# told neither. It learns one thing only: what photos look like, *all* of them, as a *prior*. That it can
# fill holes comes afterwards, by search: which of the photos that you can paint fits the pixels we
# know? (Yeh et al., 2017.)
#
# ![z goes through the generator to a guess, which is compared with the photo near the hole and judged; the gradient moves z alone](pictures/08_search.svg)
#
# *Left to right: numbers $z$ become a guess; two losses say how badly it fits; their gradient goes all
# the way back and moves $z$. No weight of a network moves.*
#
# We train on cats only, and blurred: in a minute on a CPU nobody learns fur.

# %%
strips(drawn=sharp[:8], shown=photos[:8])

# %% [markdown]
# Above, the drawn photos; below, what the network is shown: animal, sky and ground, no whiskers.
#
# ## 8.1  How wide, where
#
# The generator begins with a picture of 4×4 and doubles its side until it is a photo's. A layer's work is
# side² · channels²: halve the channels whenever the side doubles and every layer costs the same. The
# paper's widths at 64×64 are 1024, 512, 256, 128 at sides 4, 8, 16, 32; the photo itself has three.

# %% exercise 8.1 recon.models.dcgan.widths

# %%
for size in SIZES:
    print(size, widths(size, 128))

# %% [markdown]
# One side more at 128, so one width more, and the widest twice as wide.
#
# ## 8.2  From 100 numbers to a photo
#
# $z$ holds numbers drawn evenly from [-1, 1]. One dense layer *projects* it to 4×4 places; from there
# on it is lesson 06's doubling, `blocks.upsample`, again and again. The paper's rules (Radford et al.,
# 2016), each found by trying:
#
# - normalise over the batch behind every layer, *but not* behind the last: photos keep their brightness;
# - ReLU everywhere, tanh at the end; `blocks.FromSigned()` brings [-1, 1] to [0, 1];
# - weights start normal with standard deviation 0.02, `blocks.normal()`;
# - a layer in front of a normalisation has no bias, which it would take away again.

# %% exercise 8.2 recon.models.dcgan.generator

# %%
network = generator(SIZE, filters=16, latent=32)
z = np.random.default_rng(0).uniform(-1, 1, (8, 32)).astype("float32")
strips(untrained=network(z))
print(f"{network.count_params():,} weights")

# %% [markdown]
# Grey: small weights give a tanh of nearly 0. All the rest is learned.
#
# ## 8.3  How different are they?
#
# A judge looks at one photo at a time. If the generator finds *one* photo that passes, it may paint it
# for every $z$: nothing in the loss asks for a second one. That is **mode collapse**. The loss does not
# show it, so it needs a measure of its own: how far apart are photos of one batch, the generator's over
# real ones?
#
# $$\text{diversity} = \frac{\operatorname{mean}|x_b - x_{b-1}|\ \text{of fakes}}{\operatorname{mean}|x_b - x_{b-1}|\ \text{of photos}}$$
#
# 1 is as varied as photos are, 0 is one photo again and again.

# %% exercise 8.3 recon.models.dcgan.diversity

# %%
for function in (widths, generator, diversity):
    setattr(dcgan, function.__name__, function)  # the package uses yours from here on

if FULL:
    model = dcgan.build(SIZE, "bce")
else:
    model = dcgan.DCGAN(
        SIZE, filters=16, judge_filters=10, latent=32, objective="hinge", candidates=128, steps=60
    )
rate = keras.optimizers.schedules.CosineDecay(RATE, STEPS)
model.compile(keras.optimizers.Adam(rate, beta_1=0.5))
inputs = {"masked": photos, "mask": np.zeros_like(photos[..., :1])}  # no holes in training
EPOCHS = STEPS * BATCH // COUNT
history = model.fit(inputs, photos, batch_size=BATCH, epochs=EPOCHS, verbose=0).history
for name in ("judge", "persuade", "diversity"):
    print(f"{name:9}", *(f"{value:5.2f}" for value in history[name][:: EPOCHS // 8]))
healthy = model.samples(8)
strips(photos=photos[:8], painted=healthy)

# %% [markdown]
# Diversity starts near 0, since all is grey, and grows. The painted photos are scenes, not
# animals yet: sky, ground, a warm evening, something dark in the middle. They differ.
#
# ### Collapse, seen
#
# Now let the judge stand still and the generator go on. The judge no longer learns what is wrong with the
# photo that it likes best, so the generator moves all of its photos towards that one.

# %%
kept = model.get_weights()
model.discriminator.trainable = False
model.compile(keras.optimizers.Adam(RATE / 2, beta_1=0.5))
part = {name: array[:256] for name, array in inputs.items()}
fall = model.fit(part, photos[:256], batch_size=BATCH, epochs=8, verbose=0).history
collapsed = model.samples(8)
print("persuade ", *(f"{value:5.2f}" for value in fall["persuade"]))
print("diversity", *(f"{value:5.2f}" for value in fall["diversity"]))
strips(healthy=healthy, collapsed=collapsed)
found = [float(diversity(batch, photos[:8])) for batch in (healthy, collapsed)]
print(f"diversity of these eight: healthy {found[0]:.2f}, collapsed {found[1]:.2f}")
model.discriminator.trainable = True
model.set_weights(kept)  # back to the healthy one

# %% [markdown]
# `persuade` says that the generator does better and better. The pictures, and diversity, say
# what happened.
#
# ## 8.4  Which pixels to compare
#
# Now the holes. A guess should agree with the photo's known pixels, most of all with those around the
# hole: what is far away says little about it. The paper weighs a known pixel by the part of its
# neighbourhood $N$ that is missing (7×7 pixels):
#
# $$W_i = \frac{1}{|N(i)|}\sum_{j\in N(i)} m_j\ \text{ where } m_i = 0,\qquad W_i = 0\ \text{ where } m_i = 1$$
#
# At a photo's edge the neighbourhood is what is inside.

# %% exercise 8.4 recon.models.latent_search.context_weight

# %%
unseen = (safari.draw_many(range(40000, 40024, 4), SIZE) / 255).astype("float32")
truth = unseen if FULL else blurred(unseen)  # cats that the network has not seen
draw = np.random.default_rng(5)
mask = np.stack([boxes.rasterise(boxes.draw(draw, SIZE), SIZE) for _ in truth])
masked = truth * (1 - mask)
weight = ops.convert_to_numpy(context_weight(ops.convert_to_tensor(mask)))
plots.show(photo=truth[0], mask=mask[0], weight=2 * weight[0])

# %% [markdown]
# A bright rim around each box, three pixels wide, brightest right at it; brighter between two
# boxes that lie close. Nothing inside, nothing far away.
#
# ## 8.5  How badly a guess fits
#
# The **context loss** is the weighted 1-norm, $\lVert W\odot(G(z) - x)\rVert_1$: a sum, over rows, columns
# and channels. Every $z$ is searched by itself, so each guess has a loss of its own. The paper's photos
# are in [-1, 1], where distances are twice as long as in our [0, 1].

# %% exercise 8.5 recon.models.latent_search.context_loss

# %%
candidates = model.paint(model.fixed_z(128))  # (128, S, S, 3)
fit = ops.convert_to_numpy(context_loss(candidates, masked[3], weight[3]))
order = np.argsort(fit)
best, worst = candidates[order[:6]], candidates[order[-6:]]
strips(photo=np.repeat(masked[3:4], 6, axis=0), best=best, worst=worst)
print(f"context loss, best {fit[order[0]]:.0f}, worst {fit[order[-1]]:.0f}")

# %% [markdown]
# One photo against 128 painted ones. The best are dark and dull like the photo, the worst bright.
# Only the boxes' rims are compared: elsewhere they may be anything.
#
# ## 8.6  How little it looks like a photo
#
# $z$ may go where the generator never was, and paint nonsense with the right rim. The **prior loss**
# holds it back: the judge is asked whether the guess passes for a photo, in the form that the generator
# was trained with. The sum of both is what the search minimises, with $\lambda = 0.003$:
#
# $$\mathcal L(z) = \lVert W\odot(G(z) - x)\rVert_1 + \lambda\,\mathcal L_{prior}(G(z))$$

# %% exercise 8.6 recon.models.latent_search.prior_loss

# %%
noise = np.random.default_rng(2).random(truth.shape).astype("float32")
for name, some in (("photos", truth), ("painted", candidates[:6]), ("noise", noise)):
    logits = model.discriminator(some, training=False)
    each = ops.convert_to_numpy(prior_loss(model.adversarial.persuade, logits))
    print(f"{name:8}", *(f"{value:6.2f}" for value in each))

# %% [markdown]
# A number for each. The lower, the more the judge takes it for a photo; real photos come lowest
# as a rule, and what the generator paints comes next.
#
# ## 8.7  Several starts, one answer
#
# The way down from a $z$ ends in the nearest valley, which need not be the deepest. So many $z$ are
# painted once, the nearest are taken as starts, and each goes its own way; all are rows of one weight,
# and the search is a `fit` whose only trainable weight is that one. In the end each photo takes the best
# of its own restarts.

# %% exercise 8.7 recon.models.latent_search.best_of_restarts

# %%
for function in (context_weight, context_loss, prior_loss, best_of_restarts):
    setattr(latent_search, function.__name__, function)

starts = model.fixed_z(128)
quick = {"photos": len(truth), "restarts": 4, "learning_rate": 0.05}
judged = model.generator, model.discriminator
guesses = {}
for steps in (1, 60):
    search = LatentSearch(*judged, model.adversarial.persuade, steps=steps, **quick)
    guesses[steps], losses = search.run(*judged, masked, mask, starts)
    print(f"{steps:2} steps, loss of each restart:")
    for row in losses[:3]:
        print("   photo", *(f"{value:6.1f}" for value in row))
strips(masked=masked, one_step=guesses[1], sixty_steps=guesses[60], truth=truth)

# %% [markdown]
# Sixty steps lower every restart's loss. The guess takes the photo's colours, around the boxes
# first of all: away from them it may be anything, since nothing is asked of it there.
#
# ## 8.8  Blending at the border
#
# Paste a guess into a hole and its border shows: a step in brightness is seen at once, a slow
# change is not. So keep the guess's *gradients* and give up its level: Poisson blending. That
# sounds like a new equation and is lesson 03's. On the border the guess $g$ lacks $x - g$; continue that
# difference into the hole by Laplace's equation, and add it.
#
# $$\text{completed} = g + \operatorname{harmonic}(x - g)\quad\text{in the hole}$$

# %% exercise 8.8 recon.models.latent_search.blend

# %%
best = guesses[60]
pasted = ops.convert_to_numpy(metrics.complete(masked, mask, best))
blended = np.stack([blend(*one) for one in zip(best, masked, mask, strict=True)])
strips(masked=masked, pasted=pasted, blended=blended)

# %% [markdown]
# Pasted, some boxes stand out as a whole: too bright, or of another colour. Blended, they begin
# with the colour of their surroundings; what is inside, its grain too, is the generator's.
#
# ## Break it
#
# Two measures of diversity. Both are 1 for photos in another order, or near it, and both sound right.

# %% source recon.course.broken.lesson_08.distance_to_photos

# %% source recon.course.broken.lesson_08.contrast

# %% [markdown]
# Neither can see a collapse. Write the check that catches them, and lets right measures pass: not only
# 8.3's, also one that compares all pairs, for example.

# %% exercise 8.9 recon.course.broken.lesson_08.catch_blind

# %% [markdown]
# ## Look
#
# What a collapsed generator has to offer, what the search found, and the harmonic fill, which knows
# nothing of photos but that they are smooth.

# %%
harmonic = np.stack([classical.harmonic(*one) for one in zip(masked, mask, strict=True)])
hole = np.broadcast_to(mask > 0, truth.shape)


def rmse(completed):
    return float(np.sqrt(np.mean((completed - truth)[hole] ** 2)))


sameness = np.repeat(collapsed[:1], len(truth), axis=0)
one_photo = np.stack([blend(*one) for one in zip(sameness, masked, mask, strict=True)])
strips(collapsed=one_photo, searched=blended, harmonic=harmonic, truth=truth)
for name, completed in (("collapsed", one_photo), ("searched", blended), ("harmonic", harmonic)):
    print(f"{name:9}  RMSE in the boxes {rmse(completed):.3f}")

# %% [markdown]
# One photo fits no hole. The search is far better, and still behind the harmonic fill: blurred
# photos are smooth, which is all that the harmonic fill believes in, and a generator of one minute
# brings its grain along. Trained for longer, on sharp photos, it comes near: 0.2025 against 0.1972
# (the table of the package's README).
#
# **A question to think about.** Suppose a generator has not collapsed to one photo but to $k$, and
# paints each of them as often. Its $k$ photos are as different as real ones. What does `diversity`
# say for $k$ = 2, for $k$ = 10? Would you see it?
#
# <details><summary>Answer</summary>
#
# Two neighbours in a batch are the same photo with probability $1/k$, else they are as far apart as real
# ones: the measure is $1 - 1/k$, so 0.5 for two photos and 0.9 for ten. It sees a total collapse and
# hardly a partial one. One would have to look for photos that are nearly equal in a large batch: of $n$
# photos, chance alone makes two of the same kind likely once $n$ is about $\sqrt{k}$ (Arora and Zhang,
# 2017, counted photos so, by the birthday paradox). All pairs instead of neighbours give the same mean
# with less scatter, not another one.
#
# </details>

# %% [markdown]
# **Read on.**
#
# - Radford, Metz, Chintala: [Unsupervised Representation Learning with Deep Convolutional Generative
#   Adversarial Networks](https://arxiv.org/abs/1511.06434), 2016. Figure 1 is 8.2.
# - Yeh et al.: [Semantic Image Inpainting with Deep Generative
#   Models](https://arxiv.org/abs/1607.07539), 2017. Section 3.3 has the losses, 3.4 the blending.
# - Pérez, Gangnet, Blake: [Poisson Image Editing](https://doi.org/10.1145/882262.882269), 2003.
# - Arora, Zhang: [Do GANs actually learn the distribution?](https://arxiv.org/abs/1706.08224), 2017.
# - In the package this is `recon.models.dcgan` and `recon.models.latent_search`;
#   `python -m recon.train --model dcgan` trains it, and its `complete` searches and blends.
