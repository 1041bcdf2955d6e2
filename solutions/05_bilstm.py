# %% [markdown]
# # 05  Bidirectional LSTMs on pixels
#
# **Goal.** Build an LSTM from its equations, let it read a row of pixels from both ends, and then a
# whole photo, row by row and column by column.
#
# **You need.** Lesson 04 (the loss in the holes, what a mean looks like). You have heard of
# recurrent networks; the equations are all here.
#
# **Minutes.** 70
#
# **On a CPU.** All of it runs here at 32×32 in under a minute; two trainings take most of it.
#
# **Full size.** `FULL = True` in the first cell trains the package's size at 256×256, on a GPU.

# %%
import recon  # first: it keeps TensorFlow quiet

import keras
import numpy as np
from keras import layers, ops
from matplotlib.figure import Figure

from recon import classical, plots
from recon.course import check
from recon.data import catalog, pipeline, safari
from recon.models import blocks
from recon.models.bilstm import both_ways
from recon.models.unet import mse_in_holes

FULL = False  # True: 256×256, the package's size, on a GPU

SIZE, HIDDEN, PASSES = (256, 64, 2) if FULL else (32, 32, 1)
PHOTOS, STEPS = (3072, 40_000) if FULL else (768, 500)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## A row is a sequence
#
# One idea of the challenge's report: "pixel reconstruction with bidirectional LSTM". A row of
# pixels is a sequence, as a sentence is one of words. Whoever has read the beginning of a sentence
# and its end can guess the word in between; so can whoever has seen the pixels to the left of a
# hole and those to its right.
#
# A convolution sees as far as its kernels reach. A recurrent network has no such limit: it reads
# one pixel after the other and takes along what it has seen, in numbers that it calls its state.
#
# ## 5.1  One step
#
# An LSTM (long short-term memory) keeps two of them per unit: a memory $c$, which nobody else sees,
# and $h$, what it says. At every pixel $x$ it decides, by three *gates* between 0 and 1, how much
# of the old memory to keep, how much of a new *candidate* to write, and how much of it to tell:
#
# $$i, f, o = \operatorname{sigmoid}(\ldots), \qquad g = \tanh(\ldots), \qquad
#   c' = f \cdot c + i \cdot g, \qquad h' = o \cdot \tanh(c') .$$
#
# Each of the four looks at the pixel and at what was said last, $W x + U h + b$. Their weights lie
# side by side in one matrix, in the order input gate, forget gate, candidate, output gate, so that
# one product computes all four.
#
# ![A memory line runs from left to right through two crossings: times the forget gate, plus input
# gate times candidate; below it, what is told is output gate times tanh of the
# memory](pictures/05_lstm.svg)
#
# Why the sum? A plain recurrent network multiplies its state by the same matrix at every step, and
# after fifty steps nothing of a pixel is left, nor of its gradient. Along the line of $c$ a memory
# is only multiplied by a gate: while that is open, it stays.

# %% exercise 5.1 recon.models.bilstm.lstm_step

# %% [markdown]
# One unit, with weights written by hand: it remembers the first bright pixel, for the forget gate
# is always open and the input gate opens for bright pixels only.

# %%
brightness = np.array([0.0, 0, 0, 1, 0, 0, 0, 0, 0, 0], "float32")
kernel = np.array([[20, 0, 2, 0]], "float32")  # of input gate, forget gate, candidate, output gate
bias = np.array([-10, 10, 0, 10], "float32")
memories = []
for forget in (10, 1):  # sigmoid(10) is nearly 1, sigmoid(1) is 0.73
    bias[1] = forget
    h = c = np.zeros((1, 1), "float32")
    memory = []
    for value in brightness:
        h, c = lstm_step(
            np.array([[value]], "float32"), h, c, kernel, np.zeros((1, 4), "float32"), bias
        )
        memory.append(float(ops.convert_to_numpy(c)[0, 0]))
    memories.append(memory)

figure = Figure((7, 2.2), layout="constrained")
axes = figure.subplots()
axes.step(range(10), brightness, where="mid", color="grey", label="pixel")
axes.plot(memories[0], ".-", label="memory, forget gate open")
axes.plot(memories[1], ".--", label="forget gate at 0.73")
axes.set(xlabel="pixel of the row")
axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
plots.display(figure)

# %% [markdown]
# The solid line stays where the bright pixel has put it; with the gate at 0.73, half of it is gone
# after two pixels.
#
# ## 5.2  A row, pixel by pixel
#
# Now hand h and c on, from pixel to pixel, and gather every h. From right to left it is the same,
# with one trap: what was said first belongs to the *last* pixel. The answer is in the row's order,
# whichever way the row was read.

# %% exercise 5.2 recon.models.bilstm.scan_row

# %% [markdown]
# ## 5.3  Both ways
#
# The first LSTM says of a pixel all that lies to its left, the second all that lies to its right.
# Side by side, every pixel knows the whole row. They are two LSTMs with weights of their own: what
# follows is not the mirror image of what went before.

# %% exercise 5.3 recon.models.bilstm.scan_both_ways

# %%
generator = np.random.default_rng(0)
row = generator.normal(size=(1, 16, 4)).astype("float32")
forward, backward = (
    [generator.normal(size=s).astype("float32") / 2 for s in ((4, 12), (3, 12), (12,))]
    for _ in range(2)
)
changed = row.copy()
changed[0, 6] += 1
before, after = (
    ops.convert_to_numpy(scan_both_ways(ops.convert_to_tensor(r), forward, backward))
    for r in (row, changed)
)
figure = Figure((5, 1.9), layout="constrained")
axes = figure.subplots()
axes.imshow(np.log10(np.abs(after - before)[0].T + 1e-6), cmap="magma", aspect="auto")
axes.set(xlabel="pixel of the row; pixel 6 was changed", yticks=[1, 4])
axes.set_yticklabels(["forward", "backward"])
plots.display(figure)

# %% [markdown]
# Bright is where the answer changes (on a logarithmic scale, black is nothing at all): pixel 6 is
# heard of by the forward units from there to the right, by the backward units from there to the
# left. The further away, the fainter.
#
# Your function is `keras.layers.Bidirectional(keras.layers.LSTM(...))`, number for number. From
# here on we take Keras's, which is the same and faster:

# %% source recon.models.bilstm.both_ways

# %%
layer = both_ways(3)
layer.build(row.shape)
layer.set_weights([*forward, *backward])
difference = np.abs(ops.convert_to_numpy(layer(row)) - before).max()
print("the same" if difference < 1e-5 else f"differs by {difference}")

# %% [markdown]
# ## 5.4  All rows of a photo
#
# A layer for sequences takes `(N, T, C)`: N sequences of T steps. A photo has H rows, and none of
# them asks what the others say. So they are a batch.

# %% exercise 5.4 recon.models.bilstm.read_rows

# %% [markdown]
# ## 5.5  All columns
#
# A row knows nothing of the row above. Reading what the rows said once more, column by column,
# changes that: row 9 hears from row 3 about all of row 3. After one pass over rows and one over
# columns every pixel has heard of every other (ReNet: Visin and others, 2015).
#
# ![A grid of patches; first arrows along each row, both ways, then arrows along each column, both
# ways; a marked patch then knows all](pictures/05_rows_columns.svg)

# %% exercise 5.5 recon.models.bilstm.read_columns

# %%
place = layers.Input((16, 16, 2))
picture = generator.normal(size=(1, 16, 16, 2)).astype("float32")
changed = picture.copy()
changed[0, 5, 9] += 1
heard = {}
for name, blocks_in_turn in {
    "rows": [read_rows(4)],
    "columns": [read_columns(4)],
    "rows_then_columns": [read_rows(4), read_columns(4)],
}.items():
    x = place
    for block in blocks_in_turn:
        x = block(x)
    reader = keras.Model(place, x)
    answers = [ops.convert_to_numpy(reader(p, training=False)) for p in (picture, changed)]
    heard[name] = (answers[0] != answers[1]).any(axis=-1)[0][..., None].astype("float32")
plots.show(**heard)

# %% [markdown]
# White are the places that hear of one changed pixel: its row, its column, everything.
#
# ## 5.6  Patches, and back to pixels
#
# A row of 256 steps is slow, one step cannot begin before the last one has ended, and a single
# pixel says little. So the network reads *patches*, as 5.4 would read pixels: a convolution whose
# stride is as large as its kernel turns each 4×4 pixels into one position of many channels. At the
# end each position says 4·4·3 numbers, which must become 4×4 pixels again.
#
# That is a matter of order: channel $(r \cdot p + s) \cdot C + k$ of a position is colour $k$ of
# the pixel in row $r$ and column $s$ of its patch. (It is also how a network enlarges a picture
# without a transposed convolution: "sub-pixel convolution".)

# %% exercise 5.6 recon.models.bilstm.depth_to_space

# %%
photo = safari.draw(2, 32) / np.float32(255)
patches = photo.reshape(8, 4, 8, 4, 3).transpose(0, 2, 1, 3, 4).reshape(1, 8, 8, 48)
plots.show(
    photo=photo,
    the_patches_first_pixels=patches[0, ..., :3],
    laid_out_again=ops.convert_to_numpy(depth_to_space(ops.convert_to_tensor(patches), 4))[0],
    by_a_reshape_alone=patches.reshape(32, 32, 3),
)

# %% [markdown]
# The third picture is the first. In the fourth, each patch lies there as a line of 16 pixels: that
# is what forgetting the transpose looks like.
#
# ## Train
#
# The network, from your functions. `reads` says what is read in turn; rows, columns, rows, columns
# is `recon.models.bilstm.renet`.

# %%
PATCH = 4


def patch_network(reads, size, patch=PATCH):
    """`reads`: blocks such as read_rows(32)."""
    masked = layers.Input((size, size, 3), name="masked")
    mask = layers.Input((size, size, 1), name="mask")
    x = blocks.ToSigned()(masked, mask)  # (B, 32, 32, 4), missing pixels 0
    x = layers.Conv2D(2 * HIDDEN, patch, patch)(x)  # (B, 8, 8, 64): patches do not overlap
    for read in reads:
        x = read(x)  # (B, 8, 8, 64)
    x = layers.Dense(3 * patch**2, activation="tanh")(x)  # (B, 8, 8, 48)
    x = depth_to_space(x, patch)  # (B, 32, 32, 3)
    guess = blocks.FromSigned(name="guess")(x)  # [-1, 1] to [0, 1]
    return keras.Model({"masked": masked, "mask": mask}, guess)


class Regression(blocks.Completer):
    """A network that learns by squared error in the holes, as in lesson 04."""

    def __init__(self, network, size):
        super().__init__({"size": size})
        self.network = network

    def call(self, inputs, training=False):
        return self.network(inputs, training=training)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return mse_in_holes(y, y_pred, x["mask"])


# %% [markdown]
# Two networks with as many weights, trained alike. The first reads rows twice and so completes
# every row of patches from that row alone; the second reads rows, then columns.

# %%
table = catalog.safari_table()
training = pipeline.training(catalog.split_of(table, "train")[:PHOTOS], SIZE, 16, STEPS)
test = pipeline.fixed(catalog.split_of(table, "test")[:64], SIZE, 64)
inputs, truth = next(iter(test))
masked, mask, truth = (ops.convert_to_numpy(x) for x in (inputs["masked"], inputs["mask"], truth))


def rmse(completed):
    return np.sqrt((mask * (truth - completed) ** 2).sum() / (3 * mask.sum()))


completed = {
    "harmonic": np.stack([classical.harmonic(m, k) for m, k in zip(masked, mask, strict=True)])
}
histories = {}
for name, reads in {
    "rows": [read_rows, read_rows],
    "rows_and_columns": [read_rows, read_columns],
}.items():
    keras.utils.set_random_seed(0)
    network = patch_network([read(HIDDEN) for read in PASSES * reads], SIZE)
    model = Regression(network, SIZE)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, STEPS)
    model.compile(keras.optimizers.Adam(rate), jit_compile=False)
    history = model.fit(
        training, steps_per_epoch=STEPS // 8, epochs=8, shuffle=False, verbose=0
    ).history
    histories[name] = history["rmse"]
    completed[name] = np.where(mask > 0, model.predict(inputs, verbose=0), masked)

figure = Figure((5, 2.2), layout="constrained")
axes = figure.subplots()
for name, values in histories.items():
    axes.plot(np.arange(1, 9) * (STEPS // 8), values, ".-", label=name.replace("_", " "))
axes.axhline(rmse(completed["harmonic"]), ls="--", color="grey", label="harmonic, on test photos")
axes.set(xlabel="steps", ylabel="RMSE in training")
axes.legend(fontsize=8)
plots.display(figure)
for name, photos in completed.items():
    print(f"{name.replace('_', ' '):17} RMSE {rmse(photos):.3f}")

# %% [markdown]
# Rows alone stay above the dashed line: a row that is missing from edge to edge of a box has only
# its two ends to go by. With columns the same number of weights comes clearly lower, and in a few
# hundred steps about as low as the harmonic fill. That is no small thing: unlike lesson 04's U-Net
# this network has no fill to stand on, and learns from nothing that colours go on where they end.
# With columns twice, twice the units and ten minutes at 64×64 it comes 18 per cent below the fill;
# the U-Net comes 35 per cent below (the README's tables).
#
# ## Break it
#
# Here is a `scan_row` with the trap of 5.2 in it. Its shapes are right. Forwards it is right, too.
# A network with it even learns something: from the wrong end.

# %% source recon.course.broken.lesson_05.in_reading_order

# %% [markdown]
# Write the check that catches it, and every other function that, read backwards, does not tell a
# pixel what lies to its right. It needs no trained weights, and no other function to compare with.

# %% exercise 5.7 recon.course.broken.lesson_05.catch_reading_order

# %% [markdown]
# ## Look

# %%
for number in (0, 5, 14):
    shown = {name: photos[number] for name, photos in completed.items()}
    plots.show(masked=masked[number], **shown, photo=truth[number])

# %% [markdown]
# In the fourth column of pictures the colours of above and below come in; in the third they come
# from the left and the right alone, and stripes lie across the holes. Both show the squares of 4×4
# pixels that they think in, and both are soft for lesson 04's reason: they say means, too.
#
# **A question to think about.** The U-Net of lesson 04 and this network have heard of the whole
# photo both. On photos of 256×256 with 4×4 patches, how many steps must follow one another until a
# corner has heard of the opposite one, in each? Which of the two would you rather run on a GPU?
#
# <details><summary>Answer</summary>
#
# The LSTMs: 64 patches along the row, then 64 along the column, one after the other: 128 steps, and
# twice that for two passes. The U-Net: a dozen layers, in each of which all positions are computed
# at once. A GPU has thousands of lanes, and of a sequence's steps only one can run at a time: it
# waits for them one by one, with the rows of the batch side by side to fill its lanes. This is
# the reason why attention, where every position looks at every other in one step, took the place of
# recurrent networks.
#
# </details>

# %% [markdown]
# **Read on.**
#
# - Hochreiter and Schmidhuber, 1997, [Long Short-Term
#   Memory](https://doi.org/10.1162/neco.1997.9.8.1735); the forget gate: Gers, Schmidhuber, Cummins,
#   2000, [Learning to Forget](https://doi.org/10.1162/089976600300015015).
# - Visin and others, 2015, [ReNet](https://arxiv.org/abs/1505.00393): rows and columns.
# - Van den Oord and others, 2016, [Pixel Recurrent Neural
#   Networks](https://arxiv.org/abs/1601.06759): LSTMs that draw photos pixel by pixel, and fill
#   holes with many different answers in place of their mean.
# - Shi and others, 2016, [sub-pixel convolution](https://arxiv.org/abs/1609.05158).
# - In the package this is `recon.models.bilstm`; `python -m recon.train --model bilstm` trains it.
