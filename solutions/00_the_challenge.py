# %% [markdown]
# # 00  The challenge
#
# **Goal.** Read the challenge's files, fill its holes with one colour per photo, write a submission
# and score it. What you build here is the ruler that every later lesson is measured with.
#
# **You need.** Python and a little NumPy: slices, `mean`, boolean masks. No Keras yet.
#
# **Minutes.** 60
#
# **On a CPU.** All of it runs here at the challenge's own size, in less than half a minute.
#
# **Full size.** `FULL = True` takes 200 test photos, as many as the challenge has, instead of 6.

# %%
import recon  # first: it keeps TensorFlow quiet

import csv
import math
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from recon import boxes, plots
from recon.boxes import Box
from recon.classical import paste
from recon.course import check
from recon.data import challenge, photos, safari, tables
from recon.data.challenge import CORNERS

FULL = False  # True: 200 test photos, as in the challenge

# %% [markdown]
# ## The task
#
# In 2023 a class of students was given 7,000 photos of cats, dogs, elephants and tigers, 256×256
# pixels each, and 200 more with two black boxes of 75×75 pixels. They were to say what had been in
# the boxes, pixel by pixel. Who was closest, won.
#
# ![A photo with two boxes, the row of the table that says where they are, and the rows of the
# submission that say what was in them](pictures/00_challenge.svg)
#
# The photos are not ours to hand on, so the course draws its own: `safari.draw(number, size)` is
# the same photo on every machine. We write six of them as the challenge would, into a folder of
# their own: masked photos and a table in `Testing_Data`, the complete ones, which a participant
# never sees, in `Testing_Truth`.

# %%
folder = Path(tempfile.mkdtemp())
numbers = range(200 if FULL else 6)
names = [f"{safari.CLASSES[number % 4].title()} ({number}).png" for number in numbers]
testing = (
    (name, safari.draw(number, 256), boxes.fixed(0, name))
    for number, name in zip(numbers, names, strict=True)
)
challenge.write(folder, training=[], testing=testing)

for file in sorted(folder.rglob("*"))[:9]:
    print(file.relative_to(folder))
print()
print((folder / "Testing_Data" / "masked_info.csv").read_text())

# %% [markdown]
# ## 0.1  Where the boxes are
#
# A row of `masked_info.csv` names a photo and the top-left pixels of its two boxes. The boxes' side
# is not in the table: on a photo of 256 pixels it is 75, and on a smaller one the same share of it,
# which `boxes.side(frame)` works out. (You write that function in lesson 01.)
#
# The package keeps a box as four numbers with names, `Box(row, column, height, width)`. A row is
# counted from the top, a column from the left, and the row comes first, as in NumPy's
# `photo[row, column]`. OpenCV and most drawing programs say x, y: the other way round.

# %% exercise 0.1 recon.data.challenge.parse_boxes

# %%
table = tables.read(folder / "Testing_Data" / "masked_info.csv", ("filename", *CORNERS))
info = [(cells["filename"], parse_boxes(cells, 256)) for _, cells in table]
truths = [photos.read(folder / "Testing_Truth" / name) / 255 for name, _ in info]
maskeds = [photos.read(folder / "Testing_Data" / name) / 255 for name, _ in info]
plots.show(**{name: masked for (name, _), masked in zip(info[:6], maskeds, strict=False)})

# %% [markdown]
# Two boxes per photo: they may overlap, and they may touch the edge. Nobody chose them so as to
# spare the eyes.
#
# ## 0.2  What was in them
#
# What the challenge asks for is the inside of the boxes, and nothing else: two pieces of 75×75
# pixels. Where the boxes overlap, both pieces hold the pixel, and it is asked for twice.

# %% exercise 0.2 recon.data.challenge.cut

# %%
name, pair = info[3]
one, two = cut(truths[3], pair)
plots.show(masked=maskeds[3], box1=one, box2=two, truth=truths[3])

# %% [markdown]
# A network, or you, looks at the first picture and is to say the second and the third.
#
# ## 0.3  One colour
#
# The simplest answer that is not black: the mean colour of what is known. It needs a *mask*, a
# picture that is 1 where a pixel is missing and 0 where it is known (lesson 01 paints it). The
# black of the boxes is not a colour of the photo, so it must stay out of the mean:
#
# $$c = \frac{1}{n} \sum_{\text{known}\ i} x_i$$
#
# with one number for each channel. `paste(masked, mask, guess)` puts the guess where the mask is
# 1 and leaves every known pixel as it was.

# %% exercise 0.3 recon.classical.mean

# %%
masks = [boxes.rasterise(pair, 256) for _, pair in info]
completed = [mean(masked, mask) for masked, mask in zip(maskeds, masks, strict=True)]
plots.show(masked=maskeds[3], mean=completed[3], truth=truths[3])

# %% [markdown]
# The boxes are now as bright as the photo, and everything else about them is wrong. It is a floor:
# whatever cannot beat this has learned nothing.
#
# ## 0.4  The score
#
# A submission is judged by its RMSE: the differences of all values are squared, their mean is
# taken, and of that the root,
#
# $$\text{RMSE} = \sqrt{\frac{1}{N} \sum_{i=1}^{N} (t_i - g_i)^2}$$
#
# where $i$ runs over all $N$ values of *all* photos. The root comes last, and once. A
# black-to-white miss counts as much as a hundred misses of a tenth.

# %% exercise 0.4 recon.data.challenge.rmse

# %%
asked = [cut(truth, pair) for truth, (_, pair) in zip(truths, info, strict=True)]
guessed = [cut(photo, pair) for photo, (_, pair) in zip(completed, info, strict=True)]
for (name, _), truth, guess in list(zip(info, asked, guessed, strict=True))[:6]:
    print(f"{name:18} {rmse([(truth, guess)]):.4f}")
print(f"{'all photos':18} {rmse(zip(asked, guessed, strict=True)):.4f}")
print(f"{'left black':18} {rmse((truth, 0 * truth) for truth in asked):.4f}")

# %% [markdown]
# One colour per photo is far better than black. And the score of all photos is not the mean of the
# six above it: large errors weigh more when they are squared in one pot. On 114 of the challenge's
# real photos the mean colour scores 0.239; the best network of the report that this course grew
# from scored 0.203, on photos that nobody else has.
#
# ## 0.5  A step that changes the score
#
# Most participants copied one piece of code that reads a photo and, before it writes the values,
# rescales each channel so that its smallest value is 0 and its largest 1:
#
# $$x' = \frac{x - \min x}{\max x - \min x}$$
#
# Was the truth rescaled too? The scorer was never published. So the package can do both, with
# "minmax" and "scaled" as the names of the two. A channel that holds one value only has no span to
# divide by, and a photo may have such a channel: it becomes 0.

# %% exercise 0.5 recon.data.challenge.minmax

# %%
asked_minmax = [cut(minmax(truth), pair) for truth, (_, pair) in zip(truths, info, strict=True)]
guessed_minmax = [
    cut(minmax(photo), pair) for photo, (_, pair) in zip(completed, info, strict=True)
]
print(f"scaled  {rmse(zip(asked, guessed, strict=True)):.4f}")
print(f"minmax  {rmse(zip(asked_minmax, guessed_minmax, strict=True)):.4f}")

# %% [markdown]
# The same photos and the same method, and another score: photos that do not use the whole range are
# stretched, and their errors with them. Two numbers can be compared only if both were made in the
# same way; lesson 12 comes back to this.
#
# ## 0.6  The submission
#
# The file has one row per box, pixel and channel, and each row has a name that says which:
#
# ```
# filename_box_pixel,value
# Tiger (1024).jpeg_box1_58_27_0,0.494118
# ```
#
# That is box 1, row 58 and column 27 *of the photo*, channel 0. Box 1 comes before box 2, and in a
# box the rows come from the top, each from left to right, each pixel with its three channels.

# %% exercise 0.6 recon.data.challenge.pixel_names

# %%
rows = [
    (name, round(value, 6))
    for (file, pair), guess in zip(info, guessed, strict=True)
    for name, value in zip(pixel_names(file, pair), guess.ravel().tolist(), strict=True)
]
with open(folder / "submission.csv", "w", newline="", encoding="utf-8") as file:
    csv.writer(file, lineterminator="\n").writerows([("filename_box_pixel", "value"), *rows])

print(f"{len(rows):,} rows, for example {rows[0]}")
score = challenge.score(
    folder / "submission.csv", folder, folder / "Testing_Truth", channels="rgb", values="scaled"
)
print(f"RMSE {score:.4f}")

# %% [markdown]
# `challenge.score` is the package's scorer. It holds the name of every row against the one expected
# there, reads the truth, and comes to your number. With the challenge's 200 photos the file has
# 6,750,000 rows.
#
# ## Break it
#
# Somebody scores photo by photo and takes the mean. It looks right, it runs, and its numbers are of
# the right size:

# %% source recon.course.broken.lesson_00.mean_of_rmses

# %%
print(f"pooled         {rmse(zip(asked, guessed, strict=True)):.4f}")
print(f"mean of RMSEs  {mean_of_rmses(list(zip(asked, guessed, strict=True))):.4f}")

# %% [markdown]
# A mean of roots is never above the root of the mean, so this scorer flatters. Write the check that
# catches it: a function that takes a scorer, tries it on arrays of your own, and raises an
# `AssertionError` where it is wrong. A small example whose result you know by heart is best. There
# are other ways to average photos first; one check can catch them all.

# %% exercise 0.7 recon.course.broken.lesson_00.catch_mean_of_means

# %% [markdown]
# ## Look
#
# Where does the mean colour miss? Below each photo is its error, the distance of the two colours
# pixel by pixel: black is right, white is far off.

# %%
figure = Figure((6.6, 2.5), layout="constrained", dpi=100)
axes = figure.subplots(2, 6)
for number, (above, below) in enumerate(axes.T):
    error = np.sqrt(np.mean((completed[number] - truths[number]) ** 2, axis=-1))
    above.imshow(completed[number])
    below.imshow(error, cmap="magma", vmin=0, vmax=0.6)
    below.set_xlabel(f"{rmse([(asked[number], guessed[number])]):.3f}", fontsize=9)
for cell in axes.flat:
    cell.set(xticks=[], yticks=[])
plots.display(figure)

# %% [markdown]
# The outlines of what is missing stand in the error. The elephant is about as bright as the mean of
# its photo, and costs least; the white cat under a mean of green costs twice as much. A fill that
# continued the surroundings into the boxes would gain most at their borders: that is lesson 03.
#
# **A question to think about.** Of all single colours that one could put into the boxes of a photo,
# which has the smallest RMSE, and how small is it?
#
# <details><summary>Answer</summary>
#
# The mean of the *true* pixels in the boxes, $\bar t$. For any colour $c$,
#
# $$\frac1n\sum_i (t_i - c)^2 = \frac1n\sum_i (t_i - \bar t)^2 + (\bar t - c)^2,$$
#
# so the squared error is the variance inside the boxes, which no single colour can avoid, plus the
# squared distance of $c$ from $\bar t$. The mean of the known pixels is a guess at $\bar t$. That
# the mean minimises the squared error is the most useful sentence of this course: lesson 04 shows
# what it does to a network that is trained on it.
#
# </details>

# %% [markdown]
# **Read on.** These are `recon.data.challenge.parse_boxes`, `.cut`, `.rmse`, `.minmax` and
# `.pixel_names`, and `recon.classical.mean`. `python -m recon.submit --help` writes a submission
# with any method, `python -m recon.score --help` scores one. On why squares: Gneiting, [Making
# and Evaluating Point Forecasts](https://arxiv.org/abs/0912.0902), 2011. Next: lesson 01 paints the
# masks.
