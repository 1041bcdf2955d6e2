# %% [markdown]
# # 01  Boxes and masks
#
# **Goal.** Draw boxes, paint them into masks, carry them to other sizes, paste known pixels back,
# and measure the error in the holes. Everything that completes a photo, from one colour to Stable
# Diffusion, takes and gives what you build here.
#
# **You need.** Lesson 00. NumPy slices and broadcasting; from 1.6 on `keras.ops`, which is NumPy
# with another name in front.
#
# **Minutes.** 75
#
# **On a CPU.** All of it, in less than half a minute.
#
# **Full size.** `FULL = True` shows the photos at 256×256 instead of 128×128; nothing is trained.

# %%
import recon  # first: it keeps TensorFlow quiet

from collections.abc import Iterable

import numpy as np
from keras import ops
from matplotlib.figure import Figure

from recon import plots
from recon.boxes import PHOTO, SIDE, Box, validate
from recon.course import check
from recon.data import challenge, safari

FULL = False  # True: the challenge's own size
size = 256 if FULL else 128
photo = safari.draw(3, size) / np.float32(255)  # (H, W, 3) in [0, 1]

# %% [markdown]
# ## 1.1  How large is a box
#
# The challenge's boxes are 75 pixels wide on photos of 256. Nobody trains a first network at 256:
# at 64 a step costs a sixteenth. But then the boxes must shrink with the photo, or else they would
# cover it, and the task would be another one. So a box is a *share* of the photo, 75/256, rounded
# to whole pixels.

# %% exercise 1.1 recon.boxes.side

# %%
for length in (32, 64, 128, 256, 512):
    share = side(length) ** 2 / length**2
    print(f"{length:3}: a box of {side(length):3} covers {share:.2%} of a photo")

# %% [markdown]
# The share is not quite the same everywhere: rounding 18.75 to 19 adds to each side. That is why
# results are compared at one size only.
#
# ## 1.2  From boxes to a mask
#
# The challenge says *where* pixels are missing as rows of numbers. A network cannot read rows of
# numbers; it reads pictures. So we paint one: 1 where a pixel is missing, 0 where it is known.
# (OpenCV, scikit-image and diffusers agree on this; papers on partial convolutions use the
# opposite. Half of all inpainting bugs live in that sentence.)
#
# ![A box on a photo: row and column lead to its top-left pixel, height goes down, width to the
# right; beside it the mask, 1 inside and 0 outside](pictures/01_box.svg)
#
# Two boxes may overlap. What should the mask hold there, and why not 2? And a box over the edge: a
# NumPy slice that reaches too far is cut without a word, so somebody must look:
# `validate(box, (rows, columns))` raises the error.

# %% exercise 1.2 recon.boxes.rasterise

# %%
pair = (Box(29, 13, 38, 38), Box(52, 8, 38, 38))
mask = rasterise(pair if size == 128 else [Box(*(2 * n for n in box)) for box in pair], size)
masked = photo * (1 - mask)
plots.show(photo=photo, mask=mask, masked=masked)

# %% [markdown]
# Where the boxes meet, the mask is no brighter than elsewhere: missing is missing. And the mask is
# `(H, W, 1)`, so that it multiplies a photo of any number of channels.
#
# ## 1.3  Where they fall
#
# For training we need boxes without end, drawn as the challenge drew its own: each corner anywhere
# that leaves the box whole on the photo, every place as likely as any other. How many places are
# there for the row of a box of 75 on 256 pixels: 180, 181 or 182?
#
# The randomness comes from outside, as an argument. A function that makes its own cannot be
# repeated, and a training that cannot be repeated cannot be debugged.

# %% exercise 1.3 recon.boxes.draw

# %%
generator = np.random.default_rng(25)
draws = [draw(generator, size) for _ in range(5)]
plots.show(**{f"draw_{n}": photo * (1 - rasterise(two, size)) for n, two in enumerate(draws, 1)})

# %% [markdown]
# Some pairs overlap, some touch the edge, as in the challenge.
#
# ## 1.4  The same box at another size
#
# A network may look at 64×64 while the photo on the disk has 256×256, and its answer must land on
# the same spot. Scaling a box sounds like one multiplication, but pixels are whole numbers: corner
# and side are rounded by themselves, and a corner and a side that both round up can push the box
# over the edge by one pixel. A thin box must not vanish either.

# %% exercise 1.4 recon.boxes.scale

# %%
sizes = (256, 128, 64, 32)
corner = Box(181, 107)  # touches the lower edge of 256
for length in sizes:
    print(f"{length:3}: {scale(corner, 256, length)}")
pictures = {}
for length in sizes:
    hole = rasterise([scale(corner, 256, length)], length)
    pictures[f"{length}×{length}"] = safari.draw(3, length) / 255 * (1 - hole)
plots.show(**pictures)

# %% [markdown]
# The hole stays on the same part of the animal, and on the photo, down to 32×32, where one pixel is
# eight of the first picture's.
#
# ## 1.5  Counting
#
# The challenge asks for every pixel of every box. A pixel that lies in two boxes is asked for
# twice, so it weighs twice in the score. The mask cannot say that; a count can. With `rasterise` it
# takes three lines.

# %% exercise 1.5 recon.boxes.coverage

# %%
counts = coverage([Box(2, 1, 4, 4), Box(4, 3, 4, 4)], 9)
print(counts[..., 0].astype(int))

# %% [markdown]
# The mask decides what is filled, the count decides what it is worth.
#
# ## 1.6  Paste back
#
# A network says something about *every* pixel, the known ones included, and of those it is never
# quite sure. We are. So whatever it says, the known pixels are put back:
#
# $$\text{completed} = m \cdot \text{guess} + (1 - m) \cdot \text{photo}$$
#
# That is how papers write it. On a computer it has two faults: a guess of $\infty$ or NaN at a
# known pixel poisons it, since $0 \cdot \text{NaN}$ is NaN; and nobody promises that
# $1 \cdot x + 0 \cdot y$ gives the very bits of $x$ for all $y$. A *selection* has neither.

# %% exercise 1.6 recon.metrics.complete

# %%
guess = photo[:, ::-1]  # a guess that is bold and wrong: the photo's mirror image
completed = complete(masked[None], mask[None], guess[None])[0]
plots.show(masked=masked, guess=guess, completed=completed)
known = mask[..., 0] == 0
same = np.array_equal(np.asarray(completed)[known], photo[known])
print(f"known pixels are the photo's, bit for bit: {same}")

# %% [markdown]
# The seam around the boxes shows how wrong the guess is; the known part of the photo knows nothing
# of it.
#
# ## 1.7  The error in the boxes
#
# In lesson 00 you cut pieces out of one photo after another. A network is measured on batches,
# `(B, H, W, 3)`, and pieces of different sizes do not fit into one array. The weight does:
# multiply the squared error by it, and known pixels fall out.
#
# What we give back is not the RMSE but its two parts, the sum and the number of terms. They can be
# added up over batches; roots cannot, as lesson 00 has shown. How many terms are there, if the
# weight is `(B, H, W, 1)` and the photo `(B, H, W, 3)`?

# %% exercise 1.7 recon.metrics.squared_error

# %%
photos = safari.draw_many(range(8), 64) / np.float32(255)  # (8, 64, 64, 3)
generator = np.random.default_rng(7)
pairs = [draw(generator, 64) for _ in photos]
masks = np.stack([rasterise(two, 64) for two in pairs])
grey = complete(photos * (1 - masks), masks, 0.5 + 0 * photos)


def root(parts):
    return float(parts[0] / parts[1]) ** 0.5


weights = np.stack([coverage(two, 64) for two in pairs])
pieces = [
    [challenge.cut(np.asarray(picture), two) for picture in (one, other)]
    for one, other, two in zip(photos, grey, pairs, strict=True)
]
print(f"by the count of boxes   {root(squared_error(photos, grey, weights)):.5f}")
print(f"by cutting, lesson 00   {challenge.rmse(pieces):.5f}")
print(f"by the mask             {root(squared_error(photos, grey, masks)):.5f}")

# %% [markdown]
# The count gives the challenge's number exactly, the mask one close by: in it a pixel in two boxes
# counts once.
#
# ## Break it
#
# Here is a `rasterise` as it comes out of an evening with a library that says x, y:

# %% source recon.course.broken.lesson_01.swapped

# %%
plots.show(right=rasterise([Box(20, 20, 60, 60)], 128), swapped=swapped([Box(20, 20, 60, 60)], 128))

# %% [markdown]
# Nothing to be seen, on this box. Write the check that sees it: a function that takes any
# `rasterise`, tries it on boxes of your choice, and raises an `AssertionError` where rows and
# columns are mixed up. Not all four numbers need be swapped for that: your check is tried on wrong
# functions of three kinds, and on right ones.

# %% exercise 1.8 recon.course.broken.lesson_01.catch_swapped

# %% [markdown]
# ## Look
#
# Every box is as likely as any other. Is every *pixel* as likely to be missing? Draw two thousand
# pairs, paint the masks, and take their mean.

# %%
generator = np.random.default_rng(0)
many = [rasterise(draw(generator, 64), 64)[..., 0] for _ in range(2000)]
often = np.mean(many, axis=0)  # (64, 64)

figure = Figure((6, 2.4), layout="constrained", dpi=100)
left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
shown = left.imshow(often, cmap="magma", vmin=0)
left.set(xticks=[], yticks=[])
left.set_title("share of pairs that hide a pixel", fontsize=9)
figure.colorbar(shown, ax=left)
right.plot(often[32], label="row 32")
right.plot(often[4], label="row 4")
right.set(xlabel="column", ylim=(0, None))
right.legend()
plots.display(figure)

# %% [markdown]
# No. The middle is missing in three of ten pairs, a corner almost never: only one place of all
# covers it. A network trained on such masks sees the middle of photos far less than their edges,
# and is asked for it far more.
#
# **A question to think about.** How often exactly is a pixel in the middle missing, and how often
# the one in the corner, for two boxes of 75 on 256 pixels?
#
# <details><summary>Answer</summary>
#
# A box has $256 - 75 + 1 = 182$ places for its row, and as many for its column. A row in the
# middle is covered by 75 of them, the first row by one. Rows and columns are drawn independently,
# so one box covers a middle pixel with probability $(75/182)^2 \approx 0.170$ and the corner with
# $(1/182)^2 \approx 0.00003$. For two boxes the pixel is missing unless both spare it:
# $1 - (1 - p)^2$, which is 0.311 in the middle and 0.00006 in the corner. At 64 pixels with
# boxes of 19 there are 46 places: 0.312 and 0.0009, as in the picture.
#
# </details>

# %% [markdown]
# **Read on.** These are `recon.boxes.side`, `.rasterise`, `.draw`, `.scale` and `.coverage`, and
# `recon.metrics.complete` and `.squared_error`; `recon.metrics.BoxRMSE` adds the two parts up as a
# Keras metric. On masks that say 1 for *known*: Liu et al., [Image Inpainting for Irregular Holes
# Using Partial Convolutions](https://arxiv.org/abs/1804.07723), 2018. Next: lesson 02 makes batches
# of these, without end.
