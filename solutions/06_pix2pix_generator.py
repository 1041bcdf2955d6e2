# %% [markdown]
# # 06  pix2pix I: the generator, block by block
#
# **Goal.** Build the U-Net of pix2pix out of two blocks, know the shape of everything in it, how
# far each number in it sees, and why two of its layers are not normalised.
#
# **You need.** Lesson 01; lesson 04 helps. Keras's functional style: a layer is called on `x` and
# gives the next `x`.
#
# **Minutes.** 75
#
# **On a CPU.** All of it, in about half a minute; two networks of 64×64 are trained for some
# seconds each.
#
# **Full size.** `FULL = True` trains at 256×256 with the paper's channels: for a GPU.

# %%
import recon  # first: it keeps TensorFlow quiet

from collections.abc import Iterable

import keras
import numpy as np
from keras import initializers, layers, ops
from matplotlib.figure import Figure

from recon import boxes, plots
from recon.course import check
from recon.data import safari
from recon.models.blocks import Conv2DTranspose, FromSigned, ToSigned, normal, normalise
from recon.models.pix2pix import widths

FULL = False  # True: the paper's sizes, on a GPU
size = 256 if FULL else 64

count = 256 if FULL else 128
photos = safari.draw_many(range(count), size) / np.float32(255)  # (N, S, S, 3) in [0, 1]
drawing = np.random.default_rng(0)
masks = np.stack([boxes.rasterise(boxes.draw(drawing, size), size) for _ in photos])
masked = photos * (1 - masks)

# %% [markdown]
# pix2pix (Isola et al., 2017) turns one picture into another: a map into an aerial photo, edges
# into a handbag, and here a photo with holes into a photo without. Its generator is a U-Net that
# goes down all the way, to one pixel:
#
# ![The generator: eight halvings from 256 to 1 on the left, seven doublings on the right, and
# dashed skips between bars of equal size](pictures/06_generator.svg)
#
# On the left a photo is taken apart: sides halve, channels double. On the right it is put together
# again, and on every size it is handed what the left side knew there. Four functions make it.
#
# ## 6.1  What goes in
#
# The network's last layer is a tanh, which says numbers in $[-1, 1]$, and layers learn best from
# numbers around 0. So photos are rescaled on the way in, $[0, 1] \to [-1, 1]$. Then a missing pixel
# needs a value. Black would be $-1$, and black is a colour: cats are black. 0 is the middle of the
# range, no colour more than another; in a convolution, whose sums it adds nothing to, it is the
# nearest thing to silence. Still, grey is 0 too. So the mask goes in as a fourth channel.

# %% exercise 6.1 recon.models.blocks.to_signed

# %%
signed = ops.convert_to_numpy(to_signed(masked[3], masks[3]))
plots.show(
    masked=masked[3], as_it_goes_in=(signed[..., :3] + 1) / 2, fourth_channel=signed[..., 3:]
)

# %% [markdown]
# The middle picture is drawn with $-1$ as black and 1 as white: the holes are grey, 0, and black
# is left to what is black.
#
# ## 6.2  Halve
#
# A convolution of stride 2 steps over every other pixel: what comes out is half as wide. The
# paper's are 4×4, so that every pixel is seen by the same number of windows (with 3×3 and stride 2
# some are seen once, others four times). Then a normalisation, and a ReLU that leaks:
#
# $$x \mapsto \max(x,\ 0.2\,x)$$
#
# A plain ReLU has no gradient below 0. On the way down that would cut off whoever learns through
# it, and in lesson 07 the generator will learn through four such layers of the discriminator.
#
# A block makes its layers when it is called, so it is a function that gives back a function. Two
# helpers of the package are at hand: `normal()`, how weights start (standard deviation 0.02), and
# this one:

# %% source recon.models.blocks.normalise

# %% [markdown]
# Mind the bias. A normalisation subtracts the mean of each channel, and with it any constant that
# was added before. A bias in front of it costs memory and does nothing; without normalisation it is
# needed.

# %% exercise 6.2 recon.models.blocks.downsample

# %%
picture = layers.Input((size, size, 3))
block = keras.Model(picture, downsample(3, None)(picture))
kernel = np.zeros((4, 4, 3, 3), "float32")
for channel in range(3):
    kernel[:, :, channel, channel] = 1 / 16  # each colour: the mean of 4×4 pixels
block.set_weights([kernel, np.zeros(3, "float32")])
small = block(2 * photos[3:4] - 1)[0]
plots.show(photo=photos[3], weights_by_hand=(small + 1) / 2)
print(photos[3].shape, "->", tuple(small.shape))

# %% [markdown]
# With weights set by hand the block is something known: it averages, and gives the photo at half
# its size. Dark parts turned grey: they are below 0, where the ReLU lets only a fifth through.
#
# ## 6.3  How far one number sees
#
# A number in the first block's output depends on 4×4 pixels. One in the second depends on 4×4
# numbers of the first, which lie two pixels apart and overlap:
#
# ![One number after two convolutions of width 4 and stride 2 depends on ten pixels of the
# photo](pictures/06_field.svg)
#
# The side of that square is the *receptive field*. A network cannot use what lies outside of it,
# whatever it learns: to fill a hole, some number must see over its edge on both sides. Two things
# are enough to compute it: how wide one number sees so far, and how far apart neighbours are.

# %% exercise 6.3 recon.models.blocks.receptive_field

# %%
for depth in range(1, 9):
    field = receptive_field([(4, 2)] * depth)
    print(f"{depth} halvings: side {256 >> depth:3}, one number sees {field:3} pixels")

# %% [markdown]
# A box is 75 pixels wide. After four halvings a number sees 46: in the middle of a box it sees
# nothing but missing pixels. After five it sees 94, over both edges. Deeper levels are not there
# for detail; they are the only ones that know what surrounds the hole.
#
# ## 6.4  The way down
#
# Block after block, each with its own width. How wide is given by a list, in the paper 64 to 512:

# %%
print(widths(256), "at 256;", widths(64, filters=16, widest=64), "in this lesson, at 64")

# %% [markdown]
# Two levels stay without normalisation. The first, because a normalised channel has mean 0 whatever
# the photo: how bright it was would be lost at the door. The last is one pixel wide. What does a
# normalisation over one pixel leave of it? (`Break it` comes back to that.)
#
# All levels are needed later, so all are given back, not just the end.

# %% exercise 6.4 recon.models.pix2pix.contract

# %%
keras.utils.set_random_seed(0)
features = contract(ops.convert_to_tensor(2 * photos[3:4] - 1), widths(64, 16, 64), "instance")
levels = {}
for level in features[:5]:
    one = ops.convert_to_numpy(level)[0, :, :, :1]
    levels["×".join(map(str, level.shape[1:]))] = (one - one.min()) / np.ptp(one)
plots.show(photo=photos[3], **levels)

# %% [markdown]
# One channel of each level, with random weights, the titles being height × width × channels: the
# animal's outline is there at 32×32 and hardly at 16×16; then there are only a few large patches.
# What is gone is not lost: it went into channels, and the skips will bring the outline back.
#
# ## 6.5  Double
#
# A transposed convolution is the convolution's mirror: it does not read a window around every other
# pixel, it paints a stamp of 4×4 at every other pixel, and adds where stamps overlap. Stamps of
# width 4, two pixels apart, overlap evenly; stamps of width 3 do not:

# %%
stamps = {}
for width in (3, 4):
    paint = layers.Conv2DTranspose(1, width, 2, "same", kernel_initializer="ones")
    stamps[f"stamps_of_width_{width}"] = paint(np.ones((1, 8, 8, 1), "float32"))[0] / 4
plots.show(**stamps)

# %% [markdown]
# Both paint a picture in which all is 1, with stamps of ones. Width 3 leaves a checkerboard, which
# a network would first have to unlearn; with width 4 only the edge is darker.
#
# After it a normalisation, in some blocks a dropout, and a ReLU that does not leak. Dropout is the
# paper's noise: one hole has many right answers, and a generator that is to give more than one of
# them has to get chance from somewhere.
#
# `layers.Conv2DTranspose` is all you need. The package has its own of that name, with the same
# weights and the same answer: where JAX works on a CPU it makes one product of matrices of it, every
# pixel times the whole kernel, and adds up the stamps, which is many times as fast there.

# %% exercise 6.5 recon.models.blocks.upsample

# %% [markdown]
# ## 6.6  The way up
#
# It starts from the last of the features, and doubles until it is as large as the first. After
# every doubling, what the way down had said at that size is put beside it, channel by channel. So a
# level sees both: from below, *what* is there; from the side, *where* exactly.
#
# Put beside, not added: the next convolution has weights of its own for either, and may ignore one.

# %% exercise 6.6 recon.models.pix2pix.expand

# %% [markdown]
# The rest is assembly: in, down, up, and a last doubling to three channels and the photo's size.

# %% source recon.models.pix2pix.generator

# %%
paper = generator(256)
print(f"{paper.count_params() / 1e6:.1f} M weights at 256")
for layer in paper.layers:
    if isinstance(layer, layers.Conv2DTranspose):
        print(f"{layer.input.shape[1:]!s:16} -> {layer.output.shape[1:]}")

# %% [markdown]
# 54.4 million weights, as the paper's. Read one line: 1024 channels go in at side 2 because 512 came
# up and 512 came over the skip; 512 come out at side 4.
#
# ## Break it
#
# Whoever tidies up will ask why the last level is the exception, and remove it:

# %% source recon.course.broken.lesson_06.blind

# %% [markdown]
# All shapes are as before, it trains, the loss falls, the photos look fair. But its last level is
# one pixel, and to normalise one number by its own mean and its own deviation is to compute
#
# $$\frac{x - x}{\sqrt{0 + \varepsilon}} = 0.$$
#
# The level that sees the whole photo says the same of every photo. No shape shows it, and no loss
# does. Write the check that catches it: a function that takes a function like `contract` and raises
# an `AssertionError` unless the innermost features depend on the photo.

# %% exercise 6.7 recon.course.broken.lesson_06.catch_blind

# %%
for function in (contract, blind):
    try:
        catch_blind(function)
        print(f"{function.__name__}: sees")
    except AssertionError as error:
        print(f"{function.__name__}: {error}")

# %% [markdown]
# ## Look
#
# What are skips worth? Two generators learn to repeat the photo they are given, holes and all other
# things left aside. One is yours; the other one's skips say nothing: all has to pass through the
# innermost level, a single pixel.

# %%
steps = 1500 if FULL else 150


def without_skips(features, kind="batch", dropout=0.5):
    *skips, last = features
    return expand([*(0 * skip for skip in skips), last], kind, dropout)


def trained(way_up):
    keras.utils.set_random_seed(0)
    x = photo = layers.Input((size, size, 3))
    channels = widths(size) if FULL else widths(size, filters=16, widest=64)
    x = way_up(contract(2 * x - 1, channels, "instance"), "instance", 0)
    x = layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh", kernel_initializer=normal())(x)
    network = keras.Model(photo, FromSigned()(x))
    network.compile(keras.optimizers.Adam(2e-3), "mae")
    epochs = steps * 8 // (count - 8)
    network.fit(photos[8:], photos[8:], batch_size=8, epochs=epochs, verbose=0)
    return network.predict(photos[:8], verbose=0)


repeated = {"with_skips": trained(expand), "without_skips": trained(without_skips)}
for number in (2, 7):  # photos that neither has seen
    plots.show(photo=photos[number], **{name: said[number] for name, said in repeated.items()})

# %% [markdown]
# With skips every edge is in its place after a few seconds of training. Without them there is a
# blur of about the right colours: 64 numbers are what a whole photo has to pass through. A hole has
# no skip: what is painted into it comes from below, and that is what the next lesson is about.
#
# **A question to think about.** In `to_signed` a missing pixel is 0, and 0 is grey, a colour like
# any other. What would go wrong if the mask were left out, so that only the three colour channels
# went in? And would -1 be better or worse than 0 then?
#
# <details><summary>Answer</summary>
#
# The network would have to find the holes by itself, and mostly could: nothing else in a photo is
# so even and so square. It fails where the photo is grey around the box, where the edge of the hole
# cannot be seen, and it has to spend layers on the search. With −1 the same happens in the dark:
# black cats and night. In the challenge's files missing pixels are black, and a black cat has real
# pixels of exactly (0, 0, 0). The mask is known, so it is given; that costs 1,024 weights of 54
# million.
#
# </details>

# %% [markdown]
# **Read on.**
#
# - Isola, Zhu, Zhou and Efros, 2017, [Image-to-Image Translation with Conditional Adversarial
#   Networks](https://arxiv.org/abs/1611.07004); the generator is in appendix 6.1.1.
# - Ronneberger, Fischer and Brox, 2015, [U-Net](https://arxiv.org/abs/1505.04597).
# - Odena, Dumoulin and Olah, 2016, [Deconvolution and checkerboard
#   artifacts](https://distill.pub/2016/deconv-checkerboard/).
# - Araujo, Norris and Sim, 2019, [Computing receptive fields of convolutional neural
#   networks](https://distill.pub/2019/computing-receptive-fields/).
# - In the package: `recon.models.blocks` has `to_signed`, `downsample`, `upsample` and
#   `receptive_field`; `recon.models.pix2pix` has `contract`, `expand` and `generator`.
