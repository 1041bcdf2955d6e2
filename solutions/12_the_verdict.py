# %% [markdown]
# # 12  The verdict
#
# **Goal.** Put every method of the course on one table, say how far the table is to be trusted and
# what its score rewards, and send in a whole submission.
#
# **You need.** Lessons 00, 01 and 03; the others make the table mean more. Python and NumPy; no
# training.
#
# **Minutes.** 80
#
# **On a CPU.** Everything runs here, in about a minute; the diffusion model takes most of it.
#
# **Full size.** `FULL = True` takes all 256 test photos of the table in place of 12; a GPU is worth
# having for the diffusion model alone.

# %%
import recon  # first: it keeps TensorFlow quiet

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from recon import boxes, evaluate, methods, metrics, plots, restore
from recon.boxes import Box
from recon.course import check
from recon.data import catalog, challenge, photos, safari
from recon.restore import resampling, resize
from recon.stable_diffusion import inpaint
from recon.stable_diffusion.request import Request
from recon.submit import BATCH

FULL = False  # True: all of the test photos, as the README's table has them

# %% [markdown]
# ## Two answers to one hole
#
# Behind a hole there could have been many things. A method may answer with *one* of them, as a
# GAN or a diffusion model does, or with the *mean* of them all, as a network trained on squared
# error does (lesson 04). The first looks like a photo. The second scores better, always: for any
# guess $g$ that does not know which of the possible truths $y$ is the true one,
#
# $$\mathbb{E}\,(g - y)^2 = (g - \bar y)^2 + \mathbb{E}\,(y - \bar y)^2 ,$$
#
# smallest at $g = \bar y$; and a guess that is itself one of the possible truths, drawn as they
# are, pays the second term twice.
#
# ![RMSE over detail: the mean of all possible truths has the lowest RMSE and little detail, a single
# possible truth much detail and a higher RMSE; the truth itself is out of reach](pictures/12_verdict.svg)
#
# Let us watch it happen. The small diffusion model of lessons 10 and 11 completes the same photos
# eight times, with eight seeds. Every answer is one of the things that could have been
# there; their mean is a stand-in for the mean of all.

# %%
size = 64
test = catalog.split_of(catalog.load("safari", 0), "test")
test = test if FULL else test.iloc[evaluate.spread(len(test), 12)].reset_index(drop=True)
photo = np.stack([catalog.photo(row, size) for row in test.itertuples()]) / 255
mask = np.stack([catalog.mask(row, size) for row in test.itertuples()])
masked = (photo * (1 - mask)).astype("float32")

networks = inpaint.load("diffusion-small", Request())
answers = np.stack(
    [inpaint.inpaint(networks, masked, mask, Request(steps=10, seed=seed)) for seed in range(8)]
)

# %%
shown = {f"seed_{seed}": answers[seed, 2] for seed in range(3)}
plots.show(masked=masked[2], **shown, mean_of_8=answers[:, 2].mean(0), truth=photo[2])

# %% [markdown]
# Three answers that differ, and their mean: softer than each of them, and nobody's picture.
#
# ## 12.1  How much detail
#
# "Softer" wants a number. A flat colour has no steps between neighbouring pixels, a photo has many.
# So we add up the absolute steps in the hole, down and to the right, once in the completed photo
# and once in the true one; their quotient is the share of the truth's detail that a method gives. It
# does not ask whether the detail is at the right place. That is the RMSE's business.

# %% exercise 12.1 recon.metrics.detail


# %%
def figures(completed: np.ndarray) -> tuple[float, float]:
    """RMSE in the boxes and share of detail, over all photos."""
    sums = np.array([detail(*one) for one in zip(photo, completed, mask, strict=True)]).sum(0)
    squared = (mask * (completed - photo) ** 2).sum() / (3 * mask.sum())
    return float(squared**0.5), float(sums[0] / sums[1])


rows = {f"mean of {n}": figures(answers[:n].mean(0)) for n in (1, 2, 4, 8)}
for name in ("mean", "harmonic"):
    rows[f"{name} fill"] = figures(methods.load(name)(masked, mask))
print(pd.DataFrame(rows, index=["RMSE", "detail"]).T.round(3).to_string())

# %% [markdown]
# Read the first four rows from the top: each doubling lowers the RMSE and takes detail away. The
# same model, the same photos; only *what is asked for* has changed. Blau and Michaeli proved that
# no method escapes: past some point, whoever looks better scores worse.
#
# ## 12.2  How sure
#
# Twelve photos are few. Had they been twelve others, the numbers would have been others too: by how
# much? The *bootstrap* answers with the photos at hand. Draw as many photos as there are, with
# replacement, so that one comes twice and another not at all; compute the quotient of two methods'
# RMSEs on these; do it two thousand times. Ninety-five of a hundred quotients lie between the ends
# that you give back.
#
# Both methods must be given the same draws. A photo that is hard for one is hard for the other, and
# what they share cancels in the quotient.

# %% exercise 12.2 recon.metrics.bootstrap_ratio


# %%
def squares(completed: np.ndarray) -> np.ndarray:
    """Each photo's sum of squared errors in the boxes."""
    return (mask * (completed - photo) ** 2).sum(axis=(1, 2, 3))


harmonic = methods.load("harmonic")(masked, mask)
pairs = {
    "one sample / mean of 8": (answers[0], answers.mean(0)),
    "mean of 8 / harmonic": (answers.mean(0), harmonic),
    "mean fill / harmonic": (methods.load("mean")(masked, mask), harmonic),
}
for name, (one, other) in pairs.items():
    ratio = (squares(one).sum() / squares(other).sum()) ** 0.5
    low, high = bootstrap_ratio(squares(one), squares(other))
    print(f"{name:24} {ratio:.2f}   95 % between {low:.2f} and {high:.2f}")

# %% [markdown]
# A quotient whose interval holds 1 has not been decided: these photos cannot tell the two methods
# apart. Look for the intervals that do not hold it. With 256 photos they are about
# $\sqrt{256 / 12} \approx 4.6$ times as narrow. `python -m recon.evaluate` prints them beside every
# method.
#
# ## 12.3  Another size
#
# The networks of the course see 64 or 128 pixels, the challenge's photos have 256. Shrinking a
# photo with holes in the ordinary way mixes the holes' black into every pixel at their border, and
# the network takes it for the photo's. So a small pixel must be the mean of the *known* pixels
# under it:
#
# $$x' = \frac{\text{resize}(x \cdot k)}{\text{resize}(k)}, \qquad k = 1 - \text{mask}$$
#
# `resize(picture, shape, resample)` takes a float picture of any number of channels, and
# `resampling(old, new)` says which filter serves: BOX looks at the pixels under a small one and at
# no others.

# %% exercise 12.3 recon.restore.shrink

# %%
large = safari.draw(4, 256)
hole = boxes.rasterise([Box(60, 40), Box(120, 150)], 256)
plain = resize((large / 255 * (1 - hole)).astype("float32"), (32, 32), Image.Resampling.BOX)
small, small_hole = shrink(large, hole[..., 0] > 0, (32, 32))
plots.show(photo=large / 255, masked=large / 255 * (1 - hole), shrunk_plainly=plain, shrunk=small)

# %% [markdown]
# Shrunk plainly, the holes have a dark rim that the photo never had. In the last picture they end
# sharply, and the pixels beside them have the photo's colours.
#
# ## 12.4  A whole submission
#
# All that is left is the loop around it: read some photos, black out their boxes, let the method
# complete them, hand them on one by one. Some at a time, because a network is quicker with a
# batch, and because 200 photos at once need not fit into memory. A generator does both: `yield`
# gives a photo away before the next part is read. `BATCH` is how many at a time,
# `photos.read(path)` reads one, uint8 `(S, S, 3)`, and `restore.at_any_size(method)` is the method
# for photos of any size, by way of 12.3.
#
# Two traps. The files of a test may hold anything in their boxes; what the method sees must not.
# And what the method says must not be rounded to a file's 256 values.

# %% exercise 12.4 recon.submit.completed

# %%
folder = Path(tempfile.mkdtemp())
numbers = range(100_000, 100_006)
names = [f"{safari.CLASSES[number % 4].title()} ({number}).png" for number in numbers]
testing = [
    (name, safari.draw(number, 256), boxes.fixed(0, name))
    for name, number in zip(names, numbers, strict=True)
]
challenge.write(folder, training=[], testing=testing)
place, info = challenge.testing(folder)

for name in ("mean", "telea", "harmonic"):
    items = completed(methods.load(name), place, info)
    challenge.write_submission(folder / f"{name}.csv", items, "bgr", "minmax")
    score = challenge.score(
        folder / f"{name}.csv", folder, folder / "Testing_Truth", "bgr", "minmax"
    )
    print(f"{name:10} RMSE {score:.4f}")

# %% [markdown]
# On the challenge's own folder, that is `python -m recon.submit --data FOLDER --method harmonic
# --out submission.csv`. The report's best network scored 0.203 there, on photos that nobody else
# has; on 114 other photos of the challenge the harmonic fill comes to 0.158.
#
# ## Break it
#
# Somebody compares methods like this:

# %% source recon.course.broken.lesson_12.rmse_in_boxes

# %% source recon.course.broken.lesson_12.draw_masks

# %% source recon.course.broken.lesson_12.compare

# %%
fills = {name: methods.load(name) for name in ("harmonic", "telea")}
some = photo.astype("float32")
for seed in range(4):
    scores = compare(fills, some, np.random.default_rng(seed))
    print("  ".join(f"{name} {score:.3f}" for name, score in scores.items()))

# %% [markdown]
# Each method draws boxes of its own, so a lucky draw looks like a good method, and the verdict may
# change with the seed. Write the check that catches it. It is given a `compare` and may hand it any
# methods it likes.

# %% exercise 12.5 recon.course.broken.lesson_12.catch_unfair

# %% [markdown]
# ## Look
#
# The table of the README, every method of the course on the same 256 drawn photos at 64×64, as
# RMSE over detail.

# %%
root = Path(recon.__file__).parents[1]
report = json.loads((root / "results" / "safari-64.json").read_text())["methods"]
table = pd.DataFrame(report).T[["rmse", "detail", "ssim"]].astype(float).sort_values("rmse")
print(table.round(3).to_string())

figure = Figure((6.6, 3.2), layout="constrained", dpi=100)
cell = figure.subplots()
cell.scatter(table.detail, table.rmse, color="#2a6fbb")
for name, row in table.iterrows():
    cell.annotate(name, (row.detail, row.rmse), (5, 4), textcoords="offset points", fontsize=9)
cell.axvline(1, color="#bbb", linestyle="--")
cell.set(xlabel="detail, a share of the truth's", ylabel="RMSE in the boxes")
cell.margins(0.12)
plots.display(figure)

# %% [markdown]
# Nobody is at the bottom of the dashed line, where the truth is. The U-Net has the lowest RMSE and
# six tenths of the truth's detail; pix2pix pays a ninth more RMSE for a third more detail. DCGAN and
# CycleGAN have all the detail one could wish for, at the wrong places: detail alone is no verdict
# either. Which is best? By the challenge's score the U-Net. On a wall, probably pix2pix.
#
# **A question to think about.** A challenge wants completions that people like. What would you
# score instead of RMSE, and how would a clever participant cheat your score?
#
# <details><summary>Answer</summary>
#
# There is no score that cannot be gamed; the question is what gaming it does to the photos. RMSE
# pays for blur. SSIM pays for local contrast and still prefers blur to detail at the wrong place.
# LPIPS, distances in a network's features, pays for textures of the right kind; one can climb it by
# gradient into patterns that only the network likes. FID compares two *sets* of photos and does not
# see whether a completion fits its own surroundings: handing in other real photos would win. A
# panel of people who see the photo and the completion, in random order and without names, is the
# slowest and the hardest to cheat. Good reports give two numbers that pull in different
# directions, and pictures.
#
# </details>

# %% [markdown]
# **Read on.** These are `recon.metrics.detail`, `recon.metrics.bootstrap_ratio`,
# `recon.restore.shrink` and `recon.submit.completed`; `recon.evaluate` and `recon.results` make
# tables of them. Blau and Michaeli, [The Perception-Distortion
# Tradeoff](https://arxiv.org/abs/1711.06077), 2018; Zhang et al., [The Unreasonable Effectiveness of
# Deep Features as a Perceptual Metric](https://arxiv.org/abs/1801.03924), 2018; Heusel et al., [GANs
# Trained by a Two Time-Scale Update Rule](https://arxiv.org/abs/1706.08500), 2017, for FID; Suvorov
# et al., [Resolution-robust Large Mask Inpainting](https://arxiv.org/abs/2109.07161), 2021, the
# network to try next; Lugmayr et al., [RePaint](https://arxiv.org/abs/2201.09865), 2022, for
# diffusion. And Efron, [Bootstrap Methods: Another Look at the
# Jackknife](https://doi.org/10.1214/aos/1176344552), 1979.
