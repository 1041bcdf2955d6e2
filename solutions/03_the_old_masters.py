# %% [markdown]
# # 03  The old masters
#
# **Goal.** Fill holes without learning anything: Laplace's equation, first by patience, then by a
# sparse system, then by standing waves; beside it Telea's march and the biharmonic fill. Whatever a
# network does later has to beat them.
#
# **You need.** Lesson 01. NumPy slices; what a system of linear equations is, and an eigenvector.
# No Keras.
#
# **Minutes.** 105
#
# **On a CPU.** All of it, in half a minute.
#
# **Full size.** `FULL = True` fills photos of 256×256 instead of 64×64; Jacobi's sweeps then take
# minutes.

# %%
import recon  # first: it keeps TensorFlow quiet

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import sparse
from scipy.sparse.linalg import splu

from recon import classical, metrics, plots, rectangles
from recon.classical import paste
from recon.course import check
from recon.data import catalog
from recon.rectangles import Waves

FULL = False  # True: the challenge's own size
size = 256 if FULL else 64
test = catalog.split_of(catalog.load("safari"), "test")


def photo_and_mask(number):
    row = test.iloc[number]
    return catalog.photo(row, size) / np.float32(255), catalog.mask(row, size)


photo, mask = photo_and_mask(3)  # (H, W, 3) in [0, 1] and (H, W, 1)
hole = mask[..., 0] > 0  # (H, W)
masked = photo * (1 - mask)

# %% [markdown]
# ## The mean of the neighbours
#
# What do we know of a missing pixel? That photos are smooth, mostly: a pixel is much like those
# beside it. Let us take that at its word and ask that each missing pixel *is* the mean of the
# pixels above, below, left and right of it:
#
# $$x_{r,c} = \tfrac14\,(x_{r-1,c} + x_{r+1,c} + x_{r,c-1} + x_{r,c+1})$$
#
# Known neighbours are numbers, missing ones are unknowns, so this is one equation for each missing
# pixel, all tied together. It is Laplace's equation $\Delta x = 0$ on a grid, from the 1780s. It
# describes a soap film in a wire frame, the heat in a plate whose rim is kept at given
# temperatures, and the voltage between charged wires. Its solutions are called *harmonic*.
#
# ![A missing pixel and its four neighbours; at the photo's edge three, in a corner two; and the
# equation of three missing pixels as rows of a matrix](pictures/03_neighbours.svg)
#
# ## 3.1  The neighbours' sum
#
# At the photo's edge a pixel has three neighbours, in a corner two. No pixels are invented beyond
# the edge: no zeros, which would pull everything there to black, no repeats. A loop over pixels
# would be slow in Python; a shift of the whole picture is not. Shifted down by a row, every pixel
# lies where the one below it was.

# %% exercise 3.1 recon.classical.neighbour_sum

# %%
print(neighbour_sum(np.ones((4, 6, 1)))[..., 0].astype(int))

# %% [markdown]
# Sent through it, a picture of ones counts the neighbours: 4 inside, 3 at an edge, 2 in a corner.
# Keep that trick in mind.
#
# ## 3.2  One sweep
#
# Jacobi's way to solve such equations (1845) is the naive one: guess something, and then make
# every missing pixel the mean of its neighbours, all at the same time. Known pixels stay. All at
# the same time means: every mean is taken from the photo as it was *before* the sweep.

# %% exercise 3.2 recon.classical.sweep

# %%
states, current = {}, masked.astype("float64")
for number in range(301):
    if number in (0, 1, 10, 30, 100, 300):
        states[f"{number}_sweeps"] = current
    current = sweep(current, hole)
plots.show(height=1.4, **states)

# %% [markdown]
# Black is only the first guess, and it is eaten from the rim inwards: a sweep carries news by one
# pixel. After a hundred sweeps the middle is still too dark.
#
# ## 3.3  Until nothing moves
#
# When to stop? When a sweep moves no value by more than some tolerance. Mind the word *no*: the
# mean movement is small from the beginning, as most pixels are known and do not move at all.

# %% exercise 3.3 recon.classical.jacobi

# %%
at_rest = jacobi(masked, mask)
plots.show(photo=photo, masked=masked, at_rest=at_rest)

# %% [markdown]
# The boxes are filled by a smooth film that meets the photo all around. It has no bump of its own:
# a mean is never larger than the largest of its neighbours, so no missing pixel is brighter than
# the brightest at the rim, nor darker than the darkest (the *maximum principle*).
#
# But is it at rest? That the last step was small does not mean that the rest of the way is. The
# error shrinks by a factor $\rho$ a sweep, which for a square hole of side $l$ is
# $\cos\frac{\pi}{l+1} \approx 1 - \frac{\pi^2}{2(l+1)^2}$. For $l = 19$ that is 0.988: what is
# left to go is about $1/(1 - \rho) = 81$ times the last step. For $l = 75$ it is 1,171 times, and
# the sweeps wanted grow with $l^2$ too. There must be a better way.
#
# ## 3.4  All equations at once
#
# We are not after a process, we are after its end; and that is a linear system. With $n$
# neighbours (2, 3 or 4), multiply the equation by $n$ and bring the unknowns to the left:
#
# $$n\,x \;-\!\!\sum_{\text{missing neighbours}}\!\! x' \;=\!\! \sum_{\text{known neighbours}}\!\! p$$
#
# A row of the matrix has $n$ on the diagonal and at most four times $-1$. For two boxes of 75×75
# there are up to 11,250 unknowns and 127 million entries, of which 56,000 are not zero. So it is
# *sparse*, and only those are kept: as a list of rows, columns and values. Two missing pixels that
# touch are in each other's equation, so the matrix is symmetric.
#
# The right-hand side has a column per colour channel; the matrix is the same for all three. And
# careful: what stands in the hole is black, and black is a number. It is no data.

# %% exercise 3.4 recon.classical.laplace_system

# %%
matrix, known_sum = laplace_system(masked.astype("float64"), hole)
print(f"{matrix.shape[0]} unknowns, {matrix.nnz} numbers that are not 0 of {np.prod(matrix.shape)}")
figure = Figure((6.4, 2.6), layout="constrained", dpi=100)
whole, part = figure.subplots(1, 2)
whole.spy(matrix, markersize=0.5)
whole.locator_params(nbins=5)
part.spy(matrix[:60, :60], markersize=2)
whole.set_title("all unknowns", fontsize=9)
part.set_title("the first 60", fontsize=9)
plots.display(figure)

# %% [markdown]
# The diagonal, close beside it the neighbours left and right, and one row of the box away those
# above and below.
#
# ## 3.5  The harmonic fill
#
# SciPy's `splu` factorises the matrix once, $A = LU$, and then solves for all three channels. One
# option decides about speed: the order in which unknowns are eliminated, because elimination turns
# zeros into numbers. For a symmetric matrix `permc_spec="MMD_AT_PLUS_A"` makes the fewest.
#
# Two photos have no such system: one without a hole, and one without a known pixel. In the second
# case the matrix is singular: any constant would do. Both come back as they are.

# %% exercise 3.5 recon.classical.sparse_harmonic

# %%
exact = sparse_harmonic(masked, mask)
figure = Figure((6, 2.4), layout="constrained", dpi=100)
axes = figure.subplots()
current, distance = masked.astype("float64"), []
for _ in range(2000):
    distance.append(np.abs(current - exact).max())
    current = sweep(current, hole)
axes.semilogy(distance)
axes.set(xlabel="sweeps", ylabel="largest distance")
plots.display(figure)
print(f"where jacobi stopped, it still had {np.abs(at_rest - exact).max():.4f} to go")

# %% [markdown]
# Jacobi comes to the same solution, on a straight line in this logarithmic picture: so many sweeps
# for each further digit. The floor at the end is float32's last digit. The system gives all digits
# at once, at 256×256 in 20 milliseconds.
#
# ## 3.6  Standing waves
#
# That fills a hole of any shape. But ours are boxes, and on a rectangle the same equations fall
# apart. A pixel has neighbours in its column and neighbours in its row; so with the missing pixels
# as an $h \times w$ picture $X$, and their known sums as another, $F$, all equations together are
#
# $$T_h X + X\,T_w = F$$
#
# where $T$ is the matrix of a single row of missing pixels: $-1$ beside the diagonal, and on it 2,
# or 1 at an end that lies on the photo's edge. That matrix is an old acquaintance too. Its
# eigenvectors, $T = V \Lambda V^\top$, are what a string can sound:

# %% source recon.rectangles.standing_waves

# %%
figure = Figure((6.4, 2), layout="constrained", dpi=100)
for cell, end_open in zip(figure.subplots(1, 2, sharey=True), (False, True), strict=True):
    values, waves = standing_waves(19, False, end_open)
    cell.plot(range(1, 20), waves[:, :4], ".-")
    cell.set_title("at the photo's edge on the right" if end_open else "within", fontsize=9)
    cell.set(xlabel="pixel")
plots.display(figure)

# %% [markdown]
# Each wave sinks to 0 on the known pixel beside an end, and has its crest where the photo ends.
# Written in such waves, $X = V_h \hat X V_w^\top$ and $F = V_h \hat F V_w^\top$, the equations are
# no longer tied together at all:
#
# $$(\lambda_i + \mu_j)\,\hat X_{ij} = \hat F_{ij}$$
#
# with the eigenvalues $\lambda$ of $T_h$ and $\mu$ of $T_w$. To $\hat F$ and back from $\hat X$ it
# is two matrix products each, as $V^{-1} = V^\top$. For a box of 75×75 that is done in a quarter
# of a millisecond. It is called *fast diagonalisation* (Lynch, Rice and Thomas, 1964).

# %% exercise 3.6 recon.rectangles.solve_rectangle

# %%
_, two_boxes = photo_and_mask(0)  # apart from each other, and from the edges
box = rectangles.cut(two_boxes[..., 0] > 0)[0]
inside = np.s_[box.row : box.row + box.height, box.column : box.column + box.width]
with_hole = photo.astype("float64")
with_hole[inside] = 0
alone = np.zeros_like(mask)
alone[inside] = 1

down, across = standing_waves(box.height, False, False), standing_waves(box.width, False, False)
filled = solve_rectangle(neighbour_sum(with_hole)[inside], down, across)
difference = np.abs(filled - sparse_harmonic(with_hole, alone)[inside]).max()
print(f"{box}: at most {difference:.0e} from the sparse solution, which is float32")

# %% [markdown]
# And boxes that overlap, as two do in nearly half of the challenge's photos? Were the red pixels
# known, nothing but rectangles would be left. How each rectangle answers to its red neighbours is
# again a matter of waves; put into the equations of the red pixels, the answers leave a small system
# for these alone (a *Schur complement*), and once they are solved every rectangle is.

# %%
overlapping = catalog.mask(test.iloc[6], 256)
seams = rectangles.seams(overlapping[..., 0] > 0)
shown = np.repeat(overlapping, 3, -1)
shown[seams] = [1, 0, 0]
plots.show(mask=overlapping, seams=shown)
print(f"{np.count_nonzero(seams)} red pixels of {np.count_nonzero(overlapping)}")

# %% [markdown]
# So works `recon.classical.harmonic`: as exact as yours, and at 256×256 in 4 milliseconds and not
# 20. What is not made of a few rectangles it leaves to `sparse_harmonic`.
#
# ## 3.7  Decibels
#
# How good is it? In the boxes we measure RMSE, as in lesson 01. Papers give PSNR as well, the
# *peak signal-to-noise ratio*, over the whole completed photo:
#
# $$\text{PSNR} = 10 \log_{10} \frac{\text{peak}^2}{\text{MSE}}$$
#
# An RMSE of 0.1 is 20 dB, half of it 6 dB more. The peak is 1, as our photos lie in $[0, 1]$; who
# computes with 255 on such photos gets 48 dB for nothing. A perfect photo has no error and
# infinitely many decibels, and one infinity makes every mean infinite: so 100 is the most.

# %% exercise 3.7 recon.metrics.psnr

# %%
for name, completed in {"masked": masked, "harmonic": exact}.items():
    print(f"{name:9} {psnr(photo, completed):5.2f} dB")

# %% [markdown]
# Known pixels count in it, and they are perfect: the larger the hole, the fewer decibels. Compare
# numbers only where the holes are the same.
#
# ## Two others
#
# **Telea's march** (2004) fills from the rim inwards, nearest pixels first, each once and for
# ever: a weighted mean of the pixels known by then, in a small disc around it, slopes included. It
# is fast, and it leaves streaks where the fronts of two sides meet. **The biharmonic fill** asks
# for $\Delta^2 x = 0$: it continues not only the values at the rim but the slopes too, like a bent
# metal sheet and not like a soap film. A slope that is continued over 19 pixels leads far astray,
# so it must be clipped. Both are in `recon.classical`, by OpenCV and by scikit-image.
#
# ## Break it
#
# A sweep as one writes it in a hurry: shorter, without any hole.

# %% source recon.course.broken.lesson_03.sweep_over_all

# %%
blurred = photo.astype("float64")
for _ in range(10):
    blurred = sweep_over_all(blurred, hole)
plots.show(photo=photo, after_10_sweeps=blurred)

# %% [markdown]
# All of the photo melts, known pixels first. Here anyone sees it; after one sweep nobody would,
# and the score in the boxes never looks at known pixels.
#
# Write the check that sees it: given any function `sweep(photo, hole)`, it raises an
# `AssertionError` if a known pixel has moved, be it by a last bit. It must let other right sweeps
# pass: Gauss and Seidel's, which uses new values as soon as they are there, or one that goes
# further than the mean.

# %% exercise 3.8 recon.course.broken.lesson_03.catch_moved

# %% [markdown]
# ## Look
#
# All four on drawn photos that no method has seen, two boxes in each.

# %%
fills = {
    "mean": classical.mean,
    "telea": classical.telea,
    "biharmonic": classical.biharmonic,
    "harmonic": sparse_harmonic,
}
rows, pictures = [], []
for number in range(48):
    photo, mask = photo_and_mask(number)
    for name, fill in fills.items():
        completed = fill(photo * (1 - mask), mask)
        squared, count = metrics.squared_error(photo, completed, mask)
        rows.append((name, float(squared), float(count), psnr(photo, completed)))
        if number in (5, 10):
            pictures.append((name, completed, float(squared / count) ** 0.5))

sums = pd.DataFrame(rows, columns=["method", "squared", "count", "psnr"]).groupby("method")
result = pd.DataFrame(
    {
        "RMSE in the boxes": (sums.squared.sum() / sums["count"].sum()) ** 0.5,
        "PSNR, dB": sums.psnr.mean(),
    }
)
result.loc[list(fills)].round(3)

# %%
figure = Figure((6, 3.2), layout="constrained", dpi=100)
for cell, (name, completed, error) in zip(figure.subplots(2, 4).flat, pictures, strict=True):
    cell.imshow(completed)
    cell.set_title(f"{name} {error:.3f}", fontsize=9)
    cell.set_axis_off()
plots.display(figure)

# %% [markdown]
# The mean leaves a patch, Telea streaks, biharmonic bright and dark bays where it overshoots. On
# the first photo biharmonic wins, on the second harmonic; over all 48 the harmonic fill, the
# dullest of them. None of the four draws an ear.
#
# Now the sentence that this lesson is for. On 114 real photos of the challenge at 256×256, two
# 75×75 boxes each:
#
# | method | RMSE in the boxes |
# |---|---|
# | mean of the known pixels | 0.239 |
# | the best network of the challenge's report: a pix2pix, 50 epochs, 6.5 hours | 0.203 |
# | Telea | 0.177 |
# | **harmonic fill** | **0.158** |
#
# **An equation from the eighteenth century beats the report's best network.** (The report's photos
# were others, the hidden test, and how its scorer normalised them was never published; but the
# distance is large.) On 194 other real photos the README has 0.1823 for Telea, 0.1969 for
# biharmonic and 0.1621 for harmonic. That is where the course starts: a network that does not get
# below the harmonic fill has learned nothing that Laplace did not know.
#
# **A question to think about.** Biharmonic knows more than harmonic, values *and* slopes at the
# rim. Why is it worse? And would it be, if the boxes were 3×3?
#
# <details><summary>Answer</summary>
#
# A slope is a good guess nearby and a bad one far away: the fur at the rim gets brighter from one
# pixel to the next, but not for 19 pixels on end. In a large box the continued slopes make bays
# that are too bright or too dark, and a squared error punishes large misses. The harmonic fill
# predicts values between those at the rim and so misses by less: RMSE rewards whoever dares
# little. In a box of 3×3 every missing pixel is near the rim, slopes hold that far, and biharmonic
# wins (try it: put `boxes.rasterise([Box(20, 20, 3, 3)], size)` for the mask, over many photos).
# The size of the hole decides, not the method alone.
#
# </details>

# %% [markdown]
# **Read on.** These are `recon.classical.neighbour_sum`, `.sweep`, `.jacobi`, `.laplace_system`,
# `.sparse_harmonic`, `recon.rectangles.solve_rectangle` and `recon.metrics.psnr`;
# `classical.FILLS` has the four fills by name, and `python -m recon.evaluate` compares them on your
# photos. Lynch, Rice and Thomas, [Direct Solution of Partial Difference Equations by Tensor Product
# Methods](https://doi.org/10.1007/BF01386067), 1964. Telea, [An Image Inpainting Technique Based on the
# Fast Marching Method](https://doi.org/10.1080/10867651.2004.10487596), 2004. Damelin and Hoang,
# [On Surface Completion and Image Inpainting by Biharmonic
# Functions](https://arxiv.org/abs/1707.06567), 2018. Bertalmio et al., [Image
# Inpainting](https://doi.org/10.1145/344779.344972), 2000, where the word comes from. Pérez et
# al., [Poisson Image Editing](https://doi.org/10.1145/882262.882269), 2003, does much more with
# the same matrix. Next: lesson 04 trains a network, and gives it the harmonic fill to start from.
