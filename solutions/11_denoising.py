# %% [markdown]
# # 11  Stable Diffusion II: denoising by prompt
#
# **Goal.** A hole in a photo, completed four ways: as a cat, a dog, an elephant, a tiger. You write
# the whole way there: the question that the denoiser is trained on, a step towards its answer, the
# guidance by a prompt, what keeps the known parts of a photo, and the loop around all of it.
#
# **You need.** Lesson 10: latents, embeddings, alpha-bar. Lesson 01 for masks.
#
# **Minutes.** 125
#
# **On a CPU.** All of it, in about a minute, with `diffusion-small`, which comes with the package.
#
# **Full size.** `FULL = True` with `WEIGHTS` set to a folder of Stable Diffusion 1.x (KerasCV's
# files or the diffusers layout; you must have them): the same cells run on it, at 512×512.

# %%
import recon  # first: it keeps TensorFlow quiet

from pathlib import Path

import numpy as np
from keras import ops
from matplotlib.figure import Figure

from recon import classical, plots
from recon.course import check
from recon.data import safari
from recon.stable_diffusion import inpaint, sampler, schedulers, text
from recon.stable_diffusion.request import Request
from recon.stable_diffusion.sampler import cast
from recon.stable_diffusion.schedulers import STEPS, Plan, add_noise

FULL = False  # True: Stable Diffusion 1.x, with the weights in the folder below, on a GPU
WEIGHTS = "stable-diffusion"

name = "stable-diffusion" if FULL else "diffusion-small"
networks = inpaint.load(name, Request(weights=Path(WEIGHTS) if FULL else None))
layout, size = networks.layout, networks.size
side = size // layout.factor  # of a latent
alphas = schedulers.alphas_cumprod()  # what is left of the signal's power, step by step


def embed(*prompts):
    """What the denoiser is told of every prompt: (N, L, W)."""
    return text.embed(networks.text_encoder, networks.tokenizer, prompts)


def ask(inputs):
    """The denoiser, compiled: the noise that it sees, (N, h, w, 4)."""
    arrays = {name: ops.convert_to_numpy(x).astype("float32") for name, x in inputs.items()}
    return networks.denoiser.predict_on_batch(arrays).astype("float32")


def show(title, photos):
    """Photos in a row, one title."""
    figure = Figure((5.6, 5.6 / len(photos) + 0.25), layout="constrained")
    for cell, photo in zip(figure.subplots(1, len(photos)), photos, strict=True):
        cell.imshow(photo)
        cell.set(xticks=[], yticks=[])
    figure.suptitle(title, fontsize=9)
    plots.display(figure)


# %% [markdown]
# ## 11.1  The denoiser's question
#
# A denoiser is trained on one question. Take a clean latent $z$, draw a step $k$ and noise
# $\varepsilon$, mix them, and ask: *what of this is noise?*
#
# $$ L = \lVert \varepsilon - \varepsilon_\theta(\sqrt{\bar\alpha_k}\, z +
# \sqrt{1 - \bar\alpha_k}\, \varepsilon,\; k,\; c) \rVert^2 $$
#
# It is told the step, as cosines and sines of it (`schedulers.timestep_embedding(step, width)`),
# and the prompt's embeddings $c$. Every latent of a batch has a step of its own, so $\bar\alpha$ is
# a number per latent. Mind its shape: a batch of four goes with four channels without a complaint.
#
# Write what happens up to the guess. The squared error is then one line.

# %% exercise 11.1 recon.models.diffusion_small.noise_guess

# %%
numbers = (2004, 2005, 2006, 2007)  # a cat, a dog, an elephant, a tiger
photos = np.stack([safari.draw(n, size) for n in numbers]) / np.float32(255)
latents = inpaint.encode(networks, photos)  # (4, h, w, 4)
animals = ("cat", "dog", "elephant", "tiger")
told = embed(*(f"a drawing of {'an' if a == 'elephant' else 'a'} {a}" for a in animals))
untold = embed("", "", "", "")
generator = np.random.default_rng(0)
noise = generator.standard_normal(latents.shape, "float32")

print("error of the guess     with the prompt   without")
for k in (50, 250, 500, 750, 999):
    step = np.full(4, k)
    errors = [
        np.mean((noise - noise_guess(ask, latents, noise, step, context, layout.time_width)) ** 2)
        for context in (told, untold)
    ]
    print(f"step {k:3}                {errors[0]:.4f}            {errors[1]:.4f}")

# %% [markdown]
# What to see: the more noise there is, the easier it is to say what is noise; at step 999 nearly
# everything is. The prompt lowers the error at every step, by two per cent or so: most of what can
# be known of the noise is seen without being told. Remember that when we come to guidance.
#
# ## 11.2  What would be clean
#
# If the noise in a latent is $\varepsilon$, the rest of it is known: solve
# $z_k = \sqrt{\bar\alpha_k}\, z_0 + \sqrt{1 - \bar\alpha_k}\, \varepsilon$ for $z_0$.

# %% exercise 11.2 recon.stable_diffusion.schedulers.predicted_x0

# %%
steps = (100, 300, 500, 700, 900, 999)
six = np.repeat(latents[3:], 6, axis=0)
generator = np.random.default_rng(1)
noise = generator.standard_normal(six.shape, "float32")
alpha = alphas[list(steps)].astype("float32").reshape(-1, 1, 1, 1)
tiger = np.repeat(told[3:], 6, axis=0)
eps = noise_guess(ask, six, noise, np.array(steps), tiger, layout.time_width)
guess = predicted_x0(add_noise(six, noise, alpha), eps, alpha)
show(
    f"what the denoiser takes for clean, from steps {steps}",
    inpaint.decode(networks, ops.convert_to_numpy(guess)),
)

# %% [markdown]
# What to see: up to the middle the tiger comes back at once. On the right it does not: an error of
# 0.02 looked small above, but here its root, 0.14, is divided by $\sqrt{\bar\alpha} = 0.07$, and the
# guess is off by 2, which is as much as latents differ at all. One guess is not enough.
#
# ## 11.3  One step
#
# So do not believe the guess, but go a little way towards it. DDIM (Song et al., 2021) keeps both
# parts, the guess $z_0$ and the noise that is then in the latent, and mixes them anew for the next,
# cleaner $\bar\alpha'$:
#
# $$ z' = \sqrt{\bar\alpha'}\, z_0 + \sqrt{1 - \bar\alpha'}\, \varepsilon, \qquad
# \varepsilon = \frac{z - \sqrt{\bar\alpha}\, z_0}{\sqrt{1 - \bar\alpha}} $$
#
# No new noise comes in: the same start gives the same photo. Here the step is given $z_0$, not
# $\varepsilon$: in 11.10 somebody else will choose where to aim.

# %% exercise 11.3 recon.stable_diffusion.schedulers.ddim_step

# %% [markdown]
# ## 11.4  Which steps
#
# Training has a thousand steps; a run visits some, evenly spaced from 999, where all is noise, to
# 0, both among them, rounded to the nearest. `strength` below 1 leaves out the first of them: the
# run then starts from what stood there, with noise on it, and keeps something of it.

# %% exercise 11.4 recon.stable_diffusion.schedulers.timesteps

# %%
visited = timesteps(20)
start = np.random.default_rng(2).standard_normal((1, side, side, 4), "float32")
latent = np.repeat(start, 4, axis=0)  # four runs from the same noise
kept = []
for k, following in zip(visited, [*visited[1:], None], strict=True):
    now = float(alphas[k])
    after = 1.0 if following is None else float(alphas[following])
    time = schedulers.timestep_embedding(np.full(4, k), layout.time_width)
    eps = ask({"latent": latent, "timestep_embedding": time, "context": told})
    x0 = predicted_x0(latent, eps, now)
    latent = ops.convert_to_numpy(ddim_step(latent, x0, now, after))
    kept.append((latent[3], ops.convert_to_numpy(x0)[3]))
for title, which in (("the latent, decoded, every fourth step", 0), ("the guess, decoded", 1)):
    strip = np.stack([pair[which] for pair in kept[3::4]])
    show(title, inpaint.decode(networks, strip))
show("asked for a cat, a dog, an elephant, a tiger", inpaint.decode(networks, latent))

# %% [markdown]
# What to see: above, noise clears up from step to step. Below it, what the denoiser believed at the
# time: it is ahead of the latent, first about light and dark, then about an animal, at last about
# details. The last row shows where four runs end that began with the same noise: they do what they
# were told half-heartedly at best, and the noise decides more than the prompt.
#
# ## 11.5  Past the prompt
#
# Ask twice, with the prompt and without. The difference of the two guesses is what the prompt
# contributes, and nobody forbids to take more of it than there is:
#
# $$ \hat\varepsilon = \varepsilon_u + g\,(\varepsilon_c - \varepsilon_u) $$
#
# This is classifier-free guidance (Ho & Salimans, 2022; their $1 + w$ is our $g$). $g = 0$ ignores
# the prompt, 1 is the plain answer, Stable Diffusion uses 7.5. It works because in training one
# prompt in ten was left empty, so that the same network knows both answers. Any other prompt in the
# place of the empty one is a *negative prompt*: the answer moves away from it.

# %% exercise 11.5 recon.stable_diffusion.sampler.guided

# %% [markdown]
# ## 11.6  One call, two halves
#
# Two answers need not be two calls. A batch with all of the first contexts, then all of the second,
# is one, and on most machines faster. Here the denoiser takes the latents once and both batches of
# contexts: what it does before it looks at the prompt it then does once.

# %% exercise 11.6 recon.stable_diffusion.sampler.guided_noise


# %%
def denoiser_for(prompts, negative="", guidance=7.5):
    """What a run calls: takes latents and a step, says the guided noise."""
    context, nothing = embed(*prompts), embed(*[negative] * len(prompts))

    def denoise(latent, step):
        time = schedulers.timestep_embedding(np.full(len(prompts), step), layout.time_width)

        def both(latent, contexts):
            return ask({"latent": latent, "timestep_embedding": time, "context": contexts})

        return guided_noise(both, latent, nothing, context, guidance)

    return denoise


strengths = (0, 1, 3, 7.5)
each = np.array(strengths, "float32").reshape(-1, 1, 1, 1)
denoise = denoiser_for(["a drawing of a tiger"] * 4, guidance=each)
latent = np.repeat(start, 4, axis=0)
for k, following in zip(visited, [*visited[1:], None], strict=True):
    now = float(alphas[k])
    after = 1.0 if following is None else float(alphas[following])
    x0 = predicted_x0(latent, denoise(latent, k), now)
    latent = ops.convert_to_numpy(ddim_step(latent, x0, now, after))
show(f"“a drawing of a tiger”, guidance {strengths}", inpaint.decode(networks, latent))

# %% [markdown]
# What to see: four runs from that same noise. At 0 it is some animal, at 1 there is a hint of what
# was asked for, at 3 it is that, and at 7.5 with hard contours and loud colours. Guidance buys
# obedience and pays with variety and looks.
#
# ## 11.7  A hole in a latent
#
# Now to the holes. A mask has pixels, the sampler has latents, each of which stands for a square of
# `factor`×`factor` pixels (4 here, 8 in Stable Diffusion). Which latents are to be made? Every one
# that shows a missing pixel, be it only one. KerasCV's old inpainting pooled the other way round,
# and so it froze latents that held what had been filled into the hole.

# %% exercise 11.7 recon.stable_diffusion.inpaint.latent_hole

# %%
mask = np.zeros((1, size, size, 1), "float32")
edge = size // 16 + 1
mask[:, edge:-edge, edge:-edge] = 1
masked = photos[:1] * (1 - mask)
filled = inpaint.fill(masked, mask)  # harmonically: so that black does not leak into the latents
hole = latent_hole(mask, layout.factor)
coarse = np.kron(hole[0, :, :, 0], np.ones((layout.factor, layout.factor)))[..., None]
plots.show(height=1.4, masked=masked[0], filled=filled[0], mask=mask[0], hole_of_latents=coarse)

# %% [markdown]
# What to see: the hole of the latents is a little larger than that of the pixels, and nowhere
# smaller.
#
# ## 11.8  What is known
#
# Nothing in the sampler knows of holes. So after every step, and before the first, what is known is
# put back: in the hole the latent stays, around it come the photo's own latents. But not clean
# ones. A denoiser has only ever seen latents that are equally noisy everywhere, so the known ones
# get as much noise as the rest has now (Lugmayr et al., 2022, eq. 8), and always the same noise.
#
# ![A loop: from a latent over the guided denoiser, a step, and known latents put back to a cleaner
# latent, which is the next row's; dashed, RePaint's way back from the cleaner to the noisier
# latent](pictures/11_loop.svg)
#
# *The loop of 11.11. Its third box is this exercise, its dashed arrow the next.*

# %% exercise 11.8 recon.stable_diffusion.sampler.keep_known

# %% [markdown]
# ## 11.9  A step back
#
# What is put back and what was made do not know of each other: the next step sees a seam, and has
# little time to mend it. RePaint gives it more. After a step the latent goes back to where it was,
# by fresh noise, and the step is done again; hole and surroundings now go through the network
# together.
#
# The way back starts from a latent that is noisy already. Of its signal $\bar\alpha'$ is left, and
# $\bar\alpha$, which is less, shall be. By what factor does it shrink, and how much fresh noise
# keeps the power at 1? You have the function for it.

# %% exercise 11.9 recon.stable_diffusion.schedulers.renoise

# %% [markdown]
# ## 11.10  Better aim
#
# DDIM aims at the present guess, although guesses move from step to step. DPM-Solver++ (Lu et al.,
# 2022) goes on in the direction in which the guess has moved,
#
# $$ D = z_0 + \tfrac{1}{2r}\,(z_0 - z_0^{\text{before}}), $$
#
# and takes DDIM's step towards $D$. How far it may go on depends on the lengths of the two steps:
# $1/2r$ comes with the plan, as `history`, and is 0 where there is no guess before.

# %% exercise 11.10 recon.stable_diffusion.schedulers.dpm_step

# %% [markdown]
# ## 11.11  The loop
#
# A plan is a run written down, a row for every call of the network: the step, $\bar\alpha$ before
# and after it, `history` for the aim, and `renoise`, the number of the noise that leads back
# afterwards; 0 where no way back is. Its numbers are exact, in float64; `cast` makes float32 of
# them, which goes with the latents.

# %%
plan = schedulers.plan(4, sampler="dpm++", resample=2)
print("step   alpha  next   history  renoise")
for row in zip(*plan[1:], strict=True):
    print("{:4}   {:.3f}  {:.3f}  {:.3f}    {}".format(*row))

# %% [markdown]
# Put everything together. The latent starts as noise in the hole (`plan.start` is the $\bar\alpha$
# of it, 0 at full strength), with the known latents around it as noisy as the first row wants them.
# Then row by row: ask, predict, step, put back, and go back where the row says so.

# %% exercise 11.11 recon.stable_diffusion.sampler.slow_run


# %%
def complete(masked, mask, prompts, plan, guidance=7.5, seed=2):
    """Photos with their holes made as prompts say: (N, H, W, 3)."""
    filled = inpaint.fill(masked, mask)
    known = inpaint.encode(networks, filled)
    noise = sampler.draw_noise(seed, (plan.noises, 1, side, side, 4))
    noise = np.repeat(noise, len(prompts), axis=1)  # every photo starts from the same
    hole = latent_hole(mask, layout.factor)
    denoise = denoiser_for(prompts, guidance=guidance)
    latent = slow_run(denoise, plan, known, hole, noise)
    guess = inpaint.decode(networks, ops.convert_to_numpy(latent))
    return classical.paste(masked, mask, guess)


four = [f"a drawing of {'an' if a == 'elephant' else 'a'} {a}" for a in animals]
plan = schedulers.plan(25)
completed = complete(np.repeat(masked, 4, axis=0), np.repeat(mask, 4, axis=0), four, plan)
plots.show(height=1.4, masked=masked[0], **dict(zip(animals, completed, strict=True)))

# %% [markdown]
# What to see: one photo, one hole, one start, four prompts. What was known is untouched, bit for
# bit, because `classical.paste` puts it over the answer at last: latents alone cannot promise that,
# the autoencoder blurs what it lets through.
#
# Does a way back help? The same hole as a tiger, each step done once, twice, four times, in about
# as many calls:

# %%
plans = {"once": (32, 1), "twice": (16, 2), "four times": (8, 4)}
shown = {
    title: complete(masked, mask, four[3:], schedulers.plan(steps, resample=times))[0]
    for title, (steps, times) in plans.items()
}
plots.show(height=1.4, masked=masked[0], **shown)

# %% [markdown]
# What to see: with ways back the tiger is more of one piece, and its body comes down to the paws
# that were left outside. The colours behind it still do not go on across the border. RePaint costs
# calls, which could have been smaller steps instead: it is worth trying where seams show.
#
# ## Break it
#
# RePaint is easy to get wrong, for nothing breaks. KerasCV's inpainting once had a loop like this
# one; it ran, and photos came out:

# %% source recon.course.broken.lesson_11.lost_way_back

# %% [markdown]
# Read its last lines: the noisier latent is made and put aside, and the next row goes on with the
# other one. The network is told a step, and sees a latent that is far cleaner than that.
#
# Write the check that catches it. What comes out looks like any photo, so look at what goes in: you
# choose the network, a function of a latent and a step. Let it note what it sees, and say something
# simple. Your check also catches ways back by the wrong noise, or to the wrong place, if it compares
# with what must be seen.

# %% exercise 11.12 recon.course.broken.lesson_11.catch_lost_way_back

# %%
try:
    catch_lost_way_back(lost_way_back)
except AssertionError as error:
    print("caught:", error)
catch_lost_way_back(slow_run)

# %% [markdown]
# ## Look
#
# Four photos, each without its middle, each completed as each of four animals, by the loop that you
# wrote: sixteen runs in one batch.

# %%
rows = np.repeat(photos, 4, axis=0)  # (16, H, W, 3)
masks = np.repeat(mask, 16, axis=0)
grid = complete(rows * (1 - masks), masks, four * 4, plan)
figure = Figure((5.4, 3.8), layout="constrained")
figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
cells = figure.subplots(4, 6)
columns = ("masked", *animals, "photo")
for i in range(4):
    line = [photos[i] * (1 - mask[0]), *grid[4 * i : 4 * i + 4], photos[i]]
    for cell, one, title in zip(cells[i], line, columns, strict=True):
        cell.imshow(one)
        cell.set(xticks=[], yticks=[])
        if i == 0:
            cell.set_title(title, fontsize=9)
plots.display(figure)

# %% [markdown]
# What to see: the columns are what was asked for, the rows are what was there. A column shows one
# animal four times: all begin with the same noise, and at guidance 7.5 the prompt is heard before
# the surroundings, of which only paws and a little background are left. Cats are drawn worst. Other
# noise gives other animals: change `seed`. A model that was *trained* to inpaint sees the mask and
# the surroundings as channels of its input, nine instead of four, and hears them better.
#
# **A question to think about.** Score these sixteen by RMSE against the photos, and the harmonic
# fill will win, by a good distance, even on the diagonal, where the right animal was asked for. Is
# the harmonic fill then the better answer? And could one make a diffusion model win this score?
#
# <details><summary>Answer</summary>
#
# RMSE rewards the mean of all that could be in the hole. A sampler gives one of all that could be:
# if its distribution is right, its error is the spread of the truth *and* the spread of its own
# answers, which makes the mean square error twice that of the mean. So the score prefers a blur,
# and an eye does not. To win it, average: draw twenty answers and take their mean, or train a
# network for the conditional mean at once, as lesson 04 does with a U-Net. Lesson 12 puts both on
# one table.
#
# </details>

# %% [markdown]
# **Read on.**
#
# - Song, Meng & Ermon, 2021, [Denoising Diffusion Implicit Models](https://arxiv.org/abs/2010.02502)
# - Ho & Salimans, 2022, [Classifier-Free Diffusion Guidance](https://arxiv.org/abs/2207.12598)
# - Lu et al., 2022, [DPM-Solver++](https://arxiv.org/abs/2211.01095)
# - Lugmayr et al., 2022, [RePaint](https://arxiv.org/abs/2201.09865)
# - Ho et al., 2020, [Denoising Diffusion Probabilistic Models](https://arxiv.org/abs/2006.11239)
# - In the package: `recon.stable_diffusion.sampler.Sampler` is your loop as one compiled call, with
#   the same arithmetic; `recon.stable_diffusion.inpaint.inpaint` is `complete`; the command is
#   `python -m recon.restore photo.jpg --box 60,100 --method diffusion-small --prompt "a tiger"`.
