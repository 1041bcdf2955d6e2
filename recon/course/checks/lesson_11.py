"""Lesson 11: the denoiser's question, steps towards its answer, guidance, and holes."""

import math

import numpy as np
from keras import ops

from recon.course.broken import lesson_11 as broken
from recon.course.describe import as_array
from recon.course.exercise import exercise
from recon.models import diffusion_small
from recon.stable_diffusion import inpaint, sampler, schedulers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def alpha_bars():
    """ᾱ of every step, by a loop."""
    left, found = 1.0, []
    for k in range(1000):
        left *= 1 - (0.00085**0.5 + k / 999 * (0.012**0.5 - 0.00085**0.5)) ** 2
        found.append(left)
    return np.array(found)


# 11.1


@exercise(
    "11.1",
    diffusion_small.noise_guess,
    minutes=12,
    difficulty=3,
    hints=(
        "Three things happen: look up ᾱ of every latent's step, add the noise, ask.",
        "ᾱ must be (B, 1, 1, 1) to go with (B, h, w, C): reshape it. (B,) would go with the "
        "channels, silently where there are as many.",
        'denoise({"latent": schedulers.add_noise(latent, noise, alpha), "timestep_embedding": '
        'schedulers.timestep_embedding(step, time_width), "context": context})',
    ),
)
def noise_guess(answer, expect):
    latent, noise = normal(4, 2, 2, 4), normal(4, 2, 2, 4, seed=1)  # as many as channels
    step = np.array([0, 250, 600, 999])
    context = normal(4, 3, 5, seed=2)
    asked = []

    def denoise(inputs, **options):
        asked.append(inputs)
        return ops.convert_to_tensor(7 * noise)

    shape = "ᾱ is a number per latent, (B, 1, 1, 1): reshape it before it meets (B, h, w, C)."
    with expect.on_error(ValueError, shape), expect.on_error(Exception, shape, "ncompatible"):
        guess = answer(denoise, latent, noise, step, context, 6)
    expect.array(guess)
    expect.true(len(asked) == 1, f"the denoiser was asked {len(asked)} times", "Ask it once.")
    names = {"latent", "timestep_embedding", "context"}
    expect.true(
        isinstance(asked[0], dict) and set(asked[0]) == names,
        f"the denoiser got {sorted(asked[0]) if isinstance(asked[0], dict) else 'no dictionary'}",
        "The denoiser takes one dictionary: latent, timestep_embedding, context.",
    )
    a = alpha_bars()[step]
    rows = a.reshape(4, 1, 1, 1)
    beta = (0.00085**0.5 + step / 999 * (0.012**0.5 - 0.00085**0.5)) ** 2
    beta = beta.reshape(4, 1, 1, 1)

    def noisy(alpha, latent=latent, noise=noise):
        return np.sqrt(alpha) * latent + np.sqrt(1 - alpha) * noise

    expect.close(
        asked[0]["latent"],
        noisy(rows),
        "The denoiser sees √ᾱ · latent + √(1 − ᾱ) · noise, ᾱ of each latent's own step.",
        mistakes=[
            (noisy(a), "ᾱ went along the channels, of which there are as many: (B, 1, 1, 1)."),
            (latent, "It must see the noisy latent; this is the clean one."),
            (noise, "It must see the noisy latent; this is the noise alone."),
            (noisy(rows, noise, latent), "Latent and noise are swapped in add_noise."),
            (noisy(1 - beta), "That is one step's 1 − β; the noise of all steps is in ᾱ."),
            (noisy(beta), "β is what one step takes; what is left after all of them is ᾱ."),
            (noisy(rows[0]), "Every latent has a step of its own: take all of them."),
            (noisy(rows[::-1]), "Step 0 is the cleanest."),
        ],
        tolerance=1e-4,
    )
    angles = step[:, None] * np.exp(-math.log(10000) * np.arange(3) / 3)
    expect.close(
        asked[0]["timestep_embedding"],
        np.concatenate([np.cos(angles), np.sin(angles)], axis=1),
        "The network is told the step, 0 to 999, as timestep_embedding(step, time_width).",
        tolerance=1e-3,
    )
    expect.equal(asked[0]["context"], context, "The prompts' embeddings go in as they are.")
    expect.close(
        guess,
        7 * noise,
        "What the denoiser says is the answer, as it is.",
        mistakes=[(36 * np.mean(noise**2), "The error comes later: give the guess back.")],
    )


# 11.2


@exercise(
    "11.2",
    schedulers.predicted_x0,
    minutes=6,
    difficulty=1,
    hints=(
        "noisy = √ᾱ · x0 + √(1 − ᾱ) · eps. Solve it for x0.",
        "First take the noise away, then undo the shrinking.",
        "(latent - ops.sqrt(1 - alpha) * eps) / ops.sqrt(alpha)",
    ),
)
def predicted_x0(answer, expect):
    latent, eps = normal(2, 3, 3, 4), normal(2, 3, 3, 4, seed=1)
    expect.close(
        answer(latent, eps, 0.64),
        (latent - 0.6 * eps) / 0.8,
        "At ᾱ = 0.64: take 0.6 eps away, divide by 0.8.",
        mistakes=[
            (latent - 0.6 * eps, "The clean latent had shrunk by √ᾱ: divide by it."),
            ((latent - 0.6 * eps) / 0.64, "It had shrunk by √ᾱ, not by ᾱ."),
            ((latent - 0.36 * eps) / 0.8, "The noise came in by √(1 − ᾱ), not by 1 − ᾱ."),
            ((latent + 0.6 * eps) / 0.8, "The noise is taken away: minus."),
            ((latent - 0.8 * eps) / 0.6, "The two factors are swapped: the noise's is √(1 − ᾱ)."),
            ((latent - eps) / 0.8, "Not all of eps is in it: √(1 − ᾱ) of it."),
            ((latent - 0.6 * eps) * 0.8, "To undo the shrinking, divide."),
            (latent / 0.8 - 0.6 * eps, "Brackets: the noise was not shrunk, take it away first."),
        ],
    )


# 11.3


@exercise(
    "11.3",
    schedulers.ddim_step,
    minutes=8,
    difficulty=2,
    hints=(
        "latent = √ᾱ · x0 + √(1 − ᾱ) · eps, and latent, x0 and ᾱ are given: which eps?",
        "The next latent is made of the same x0 and the same eps, in other parts: add_noise.",
        "eps = (latent - ops.sqrt(alpha) * x0) / ops.sqrt(1 - alpha); "
        "return add_noise(x0, eps, alpha_next)",
    ),
)
def ddim_step(answer, expect):
    latent, x0 = normal(2, 3, 3, 4), normal(2, 3, 3, 4, seed=1)
    eps = (latent - 0.6 * x0) / 0.8  # ᾱ = 0.36
    expect.close(
        answer(latent, x0, 0.36, 0.64),
        0.8 * x0 + 0.6 * eps,
        "The noise that is in the latent, and x0, mixed anew for the next ᾱ.",
        mistakes=[
            (latent, "You come back to where you were: mix with alpha_next."),
            (x0, "That jumps to the end: on the way there is noise left, as alpha_next says."),
            (0.8 * x0, "The noise that stays is missing: √(1 − ᾱ') · eps."),
            (0.8 * x0 + 0.6 * latent, "The latent is not the noise: solve for eps first."),
            (
                0.8 * x0 + 0.6 * (latent - 0.6 * x0),
                "eps is what remains divided by √(1 − ᾱ).",
            ),
            (
                0.8 * x0 + 0.6 * (latent - x0) / 0.8,
                "In the latent x0 is shrunk: take √ᾱ · x0 away.",
            ),
            (
                0.6 * x0 + 0.8 * (latent - 0.8 * x0) / 0.6,
                "Now and next are swapped: eps is in the latent by alpha.",
            ),
            (0.6 * x0 + 0.8 * eps, "Back again, or the two factors swapped: √ᾱ' goes with x0."),
            (
                0.64 * x0 + 0.36 * (latent - 0.36 * x0) / 0.64,
                "ᾱ is of the power: its roots are the factors.",
            ),
        ],
    )
    last = "At alpha_next = 1 no noise is left: the step ends at x0."
    expect.equal(answer(latent, x0, 0.36, 1.0), x0, last)


# 11.4


@exercise(
    "11.4",
    schedulers.timesteps,
    minutes=10,
    difficulty=2,
    hints=(
        "np.linspace from 0 to the last step of training, rounded, as int32, and turned round.",
        "A single step has no two ends: it is 999. Strength keeps the last of them, at least one.",
        "visited[-max(1, round(strength * steps)):]",
    ),
)
def timesteps(answer, expect):
    found = answer(5)
    even = np.array([0, 250, 500, 749, 999])
    expect.equal(
        as_array(found) if found is not None else found,
        even[::-1],
        "Evenly from 999 to 0, both among them, rounded.",
        mistakes=[
            (even, "The noisiest comes first: turn them round."),
            ([999, 749, 499, 249, 0], "Rounded to the nearest, not down."),
            ([800, 600, 400, 200, 0], "The first is 999, or the run does not start from noise."),
            ([999, 799, 599, 400, 200], "The last is 0: both ends are visited."),
            ([999, 799, 599, 399, 199], "The last is 0: both ends are visited."),
            ([1000, 750, 500, 250, 0], "The last step of training is 999: there are 1000."),
        ],
    )
    expect.dtype(found, "int32", "Steps are int32: the network's input, and an index.")
    expect.equal(answer(2), np.array([999, 0]), "Two steps: the ends.")
    single = "A single step starts from noise: it is 999, not 0."
    with expect.on_error(ZeroDivisionError, single):
        expect.equal(answer(1), np.array([999]), single)
    half = [444, 333, 222, 111, 0]
    expect.equal(
        answer(10, 0.5),
        np.array(half),
        "Strength keeps the last steps.",
        mistakes=[
            ([999, 888, 777, 666, 555], "The last of them, where little noise is left."),
            ([999, 749, 500, 250, 0], "Not fewer steps for the whole way, but its last part."),
            ([500, 375, 250, 125, 0], "The run of full strength is planned first, then shortened."),
        ],
    )
    nothing = "At least one step is taken: visited[-0:] would be all of them, or none."
    expect.equal(answer(10, 0.01), np.array([0]), nothing)
    rounding = "round(strength · steps): 9.9 of 10 are 10."
    expect.equal(answer(10, 0.99), answer(10), rounding)
    expect.equal(answer(1000), np.arange(1000)[::-1], "A thousand steps are all there are.")
    for steps in (0, 1001):
        hint = "There are 1 to 1000 steps: raise a ValueError for what is not among them."
        expect.raises(ValueError, answer, steps, hint=hint)
    for strength in (0, 1.5):
        hint = "Strength is above 0 and at most 1: raise a ValueError for anything else."
        expect.raises(ValueError, answer, 5, strength, hint=hint)


# 11.5


@exercise(
    "11.5",
    sampler.guided,
    minutes=5,
    difficulty=1,
    hints=(
        "Where does the prompt lead, away from the guess without it? That is a difference.",
        "Go from the unconditional guess by guidance times that difference.",
        "unconditional + guidance * (conditional - unconditional)",
    ),
)
def guided(answer, expect):
    u, c = normal(2, 2, 2, 4), normal(2, 2, 2, 4, seed=1)
    expect.close(
        answer(u, c, 3.0),
        3 * c - 2 * u,
        "From the unconditional guess, three times the way to the conditional one.",
        mistakes=[
            (3 * u - 2 * c, "The prompts are swapped: yours runs away from what was asked for."),
            (4 * u - 3 * c, "The difference points from the unconditional to the conditional."),
            (4 * c - 3 * u, "That is the paper's 1 + w: here guidance 1 is the conditional guess."),
            (3 * (c - u), "The difference is added to the unconditional guess."),
            (u + 3 * c, "It is a difference that is enlarged, not the conditional guess."),
            ((u + 3 * c) / 4, "Not a mean between the two: past the conditional one."),
            (2 * c - u, "Times guidance."),
        ],
    )
    expect.close(answer(u, c, 1.0), c, "Guidance 1 is the conditional guess.")
    expect.close(answer(u, c, 0.0), u, "Guidance 0 does not look at the prompt.")


# 11.6


@exercise(
    "11.6",
    sampler.guided_noise,
    minutes=8,
    difficulty=2,
    hints=(
        "One call: the latents, and behind each other two batches of contexts.",
        "ops.concatenate puts batches behind each other; ops.split(eps, 2) takes them apart.",
        "Whichever context went in first, its half comes out first; guided takes the "
        "unconditional one first.",
    ),
)
def guided_noise(answer, expect):
    latent = normal(2, 3, 3, 4)
    negative, context = normal(2, 3, 5, seed=1), normal(2, 3, 5, seed=2)
    asked = []

    def said(latent, context):
        mean = context.mean(axis=(1, 2))[:, None, None, None]
        return latent * mean + latent.mean(axis=(1, 2), keepdims=True)

    def denoise(latent, context):
        latent, context = as_array(latent), as_array(context)
        asked.append((len(latent), len(context)))
        if len(context) % len(latent):
            raise ValueError(f"{len(latent)} latents and {len(context)} contexts")
        latent = np.concatenate([latent] * (len(context) // len(latent)))
        return ops.convert_to_tensor(said(latent, context))

    u, c = said(latent, negative), said(latent, context)
    with expect.on_error(ValueError, "Two batches of contexts to one of latents.", "contexts"):
        found = answer(denoise, latent, negative, context, 3.0)
    expect.shape(
        found,
        (2, 3, 3, 4),
        "Two halves become one guess: (B, h, w, 4).",
        mistakes=[((4, 3, 3, 4), "Both halves came back: split them, and guide.")],
    )
    expect.true(
        len(asked) == 1,
        f"the denoiser was called {len(asked)} times, expected once",
        "One call on a batch of two halves, not two calls.",
    )
    expect.true(
        asked == [(2, 4)],
        f"the denoiser was called on {asked[0][0]} latents and {asked[0][1]} contexts",
        "The latents go in once: what does not depend on the prompt is then done once.",
    )
    turned = said(
        np.concatenate([latent, latent]), np.stack([negative, context], 1).reshape(4, 3, 5)
    )
    halves = np.concatenate([u, c])
    expect.close(
        found,
        3 * c - 2 * u,
        "u + guidance · (c − u), where u is of the negative context and c of the prompts.",
        mistakes=[
            (3 * u - 2 * c, "The halves are swapped: what went in first comes out first."),
            (
                3 * turned[2:] - 2 * turned[:2],
                "The contexts went in by turns: first all of one kind, then all of the other.",
            ),
            (
                3 * halves[1::2] - 2 * halves[::2],
                "The halves lie behind each other, not by turns: split in two.",
            ),
            (c, "That is the conditional half alone: guide."),
            (u, "That is the unconditional half alone: guide."),
            ((u + c) / 2, "Not their mean: guided goes past the conditional one."),
        ],
        tolerance=1e-4,
    )


# 11.7


@exercise(
    "11.7",
    inpaint.latent_hole,
    minutes=8,
    difficulty=2,
    hints=(
        "A latent is to be made if any of the pixels in its square is missing.",
        "Reshape rows into (rows of latents, factor) and columns likewise: then the two factor "
        "axes are the pixels of a square.",
        "mask.reshape(B, H // f, f, W // f, f, 1).max(axis=(2, 4))",
    ),
)
def latent_hole(answer, expect):
    mask = np.zeros((3, 8, 12, 1), "float32")
    mask[0, 0, 0] = mask[0, 3, 5] = 1  # one pixel of a square each, at a corner and inside
    mask[0, 4:, 4:8] = 1  # a square that is all hole
    mask[1, 1:6, 9:12] = 1  # most of one square, a part of another
    mask[2, 2, 2] = 1
    exact = np.zeros((3, 2, 3, 1), "float32")
    squares = np.zeros((3, 2, 3, 16), "float32")
    for b, i, j in np.ndindex(3, 2, 3):
        square = mask[b, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4, 0]
        squares[b, i, j] = square.ravel()
        exact[b, i, j, 0] = 1.0 if any(square.ravel()) else 0.0
    mean = squares.mean(axis=-1, keepdims=True)
    size = "A latent for every square of factor × factor pixels: (B, H / factor, W / factor, 1)."
    with expect.on_error(ValueError, "Rows first: height and width differ here.", "reshape"):
        hole = answer(mask, 4)
    expect.shape(
        hole,
        (3, 2, 3, 1),
        size,
        mistakes=[
            ((3, 2, 3), "The channel axis stays: (B, h, w, 1)."),
            ((3, 4, 4, 1), "The square's own axes are the second of each pair: axes 2 and 4."),
        ],
    )
    expect.close(
        hole,
        exact,
        "1 where any pixel of the square is missing.",
        mistakes=[
            (mean, "A mean is neither: one missing pixel makes the latent one to be made."),
            (np.round(mean), "Not by majority: a frozen latent would show the hole's fill."),
            (
                squares.min(axis=-1, keepdims=True),
                "Yours keeps a latent if any pixel is known; make it if any is missing.",
            ),
            (mask[:, ::4, ::4], "One pixel of each square does not speak for the others."),
            (mask[:, 2::4, 2::4], "The square's middle does not speak for the others."),
            (1 - exact, "1 is missing: yours is the other way round."),
            (squares.sum(axis=-1, keepdims=True), "Not how many: whether any."),
        ],
    )
    expect.dtype(hole, "float32", "A mask stays float32.")


# 11.8


@exercise(
    "11.8",
    sampler.keep_known,
    minutes=6,
    difficulty=1,
    hints=(
        "In the hole the latent stays; around it the known latents are put.",
        "The network has learned latents that are equally noisy everywhere.",
        "ops.where(hole > 0, latent, schedulers.add_noise(known, noise, alpha))",
    ),
)
def keep_known(answer, expect):
    latent, known, noise = (normal(2, 4, 4, 4, seed=seed) for seed in range(3))
    hole = np.zeros((2, 4, 4, 1), "float32")
    hole[:, 1:3, 1:4] = 1

    def pasted(around, inside=latent):
        return hole * inside + (1 - hole) * around

    noisy = 0.6 * known + 0.8 * noise
    expect.close(
        answer(latent, known, hole, noise, 0.36),
        pasted(noisy),
        "In the hole the latent, around it √ᾱ · known + √(1 − ᾱ) · noise.",
        mistakes=[
            (pasted(known), "Clean latents around noisy ones: make the known as noisy as ᾱ says."),
            (pasted(latent, noisy), "1 in hole is to be made: yours keeps the hole's inside."),
            (noisy, "The hole is lost: where it is 1, the latent stays."),
            (pasted(0.36 * known + 0.64 * noise), "ᾱ is of the power: add_noise takes its roots."),
            (pasted(0.8 * known + 0.6 * noise), "ᾱ is what is left of the known, not the noise."),
            (
                0.6 * pasted(known) + 0.8 * noise,
                "The latent is noisy already: only the known gets noise.",
            ),
            (pasted(noise), "That is the noise alone: the known is in it by √ᾱ."),
            (pasted(noisy, 0.6 * latent), "The latent in the hole stays as it is."),
            (pasted(0 * noisy), "Around the hole there is nothing: put the known there."),
        ],
    )
    exact = "At ᾱ = 1 the known latents come back exactly."
    expect.equal(answer(latent, known, hole, noise, 1.0), pasted(known), exact)


# 11.9


@exercise(
    "11.9",
    schedulers.renoise,
    minutes=6,
    difficulty=2,
    hints=(
        "The latent is noisy already: its signal has √ᾱ' left, and is to have √ᾱ.",
        "By which factor must it shrink? And how much noise keeps the power at 1?",
        "It is add_noise with alpha / alpha_next in place of ᾱ.",
    ),
)
def renoise(answer, expect):
    latent, noise = normal(2, 3, 3, 4), normal(2, 3, 3, 4, seed=1)
    alpha, alpha_next = 0.32, 0.5  # their ratio: 0.64
    root, rest = math.sqrt(alpha), math.sqrt(1 - alpha)
    with np.errstate(all="ignore"):
        found = answer(latent, noise, alpha, alpha_next)
    expect.finite(found, "alpha is the smaller one: alpha / alpha_next is below 1, not above.")
    step = alpha_next - alpha
    expect.close(
        found,
        0.8 * latent + 0.6 * noise,
        "From 0.5 of the power to 0.32 is a factor of 0.64: 0.8 of the latent, 0.6 of the noise.",
        mistakes=[
            (
                root * latent + rest * noise,
                "The latent is not clean: from ᾱ' to ᾱ it shrinks by √(ᾱ / ᾱ') only.",
            ),
            (0.64 * latent + 0.36 * noise, "The ratio is of powers: take the roots."),
            (
                latent + math.sqrt(step) * noise,
                "The signal must shrink, too, or the latent gets too strong.",
            ),
            (0.8 * latent, "The fresh noise is missing."),
            (
                0.8 * latent + rest * noise,
                "Some of the noise is in the latent already: only √(1 − ᾱ/ᾱ') is fresh.",
            ),
            (
                math.sqrt(1 - step) * latent + math.sqrt(step) * noise,
                "What is left multiplies from step to step: the ratio, not the difference.",
            ),
            (0.8 * noise + 0.6 * latent, "Latent and noise are swapped."),
        ],
    )


# 11.10


@exercise(
    "11.10",
    schedulers.dpm_step,
    minutes=8,
    difficulty=2,
    hints=(
        "x0 now, x0 before: where will it be next, if it goes on like that?",
        "Go on from x0 by history times the last change. Then a DDIM step, aiming there.",
        "ddim_step(latent, x0 + history * (x0 - previous), alpha, alpha_next)",
    ),
)
def dpm_step(answer, expect):
    latent, x0, previous = (normal(2, 3, 3, 4, seed=seed) for seed in range(3))
    alpha, alpha_next, history = 0.36, 0.64, 0.5

    def ddim(aim, eps_of=None):
        eps = (latent - 0.6 * (aim if eps_of is None else eps_of)) / 0.8
        return 0.8 * aim + 0.6 * eps

    aim = 1.5 * x0 - 0.5 * previous
    expect.close(
        answer(latent, x0, previous, history, alpha, alpha_next),
        ddim(aim),
        "A DDIM step towards x0 + history · (x0 − previous).",
        mistakes=[
            (ddim(x0), "That is DDIM: the guess before is not used."),
            (ddim(0.5 * x0 + 0.5 * previous), "Go on past x0, not back towards the guess before."),
            (ddim(x0 + previous / 2), "It is the change that goes on: x0 − previous."),
            (ddim(2 * x0 - previous), "Times history: half of the change, here."),
            (ddim(aim, x0), "The noise is found with the new aim, too: one ddim_step does both."),
            (
                ddim(x0) + 0.5 * (x0 - previous),
                "The aim moves before the step; the step then takes its part of it.",
            ),
            (ddim((x0 - previous) / 2), "The change is added to x0."),
            (aim, "That is where to aim: a step goes there, and does not arrive."),
        ],
    )
    first = "With history 0 it is a step of DDIM: there is no guess before."
    expect.close(answer(latent, x0, 0 * x0, 0.0, alpha, alpha_next), ddim(x0), first)


# 11.11


def obvious(denoise, plan, known, hole, noise, mistake=""):
    """The run in NumPy; `mistake` says what it does wrong."""

    def noised(clean, n, a):
        return math.sqrt(a) * clean + math.sqrt(1 - a) * n

    def keep(latent, alpha):
        around = known if mistake == "clean" else noised(known, noise[0], alpha)
        return latent if mistake == "never" else hole * latent + (1 - hole) * around

    latent = noised(known, noise[0], 0 if mistake == "strength" else plan.start)
    if mistake == "start clean":
        latent = known
    if mistake != "start":
        latent = keep(latent, plan.alpha[0])
    previous = 0 * latent
    for timestep, a, after, history, back in zip(*plan[1:], strict=True):
        eps = denoise(latent, timestep)
        x0 = (latent - math.sqrt(1 - a) * eps) / math.sqrt(a)
        aim = x0 if mistake == "history" else x0 + history * (x0 - previous)
        eps = (latent - math.sqrt(a) * aim) / math.sqrt(1 - a)
        latent = noised(aim, eps, after)
        if mistake not in ("keep", "late"):
            latent = keep(latent, a if mistake == "early" else after)
        if back and mistake != "back":
            n = noise[{"first": 0, "one": 1}.get(mistake, back)]
            latent = noised(latent, n, a if mistake == "far" else a / after)
        if mistake == "late":
            latent = keep(latent, a if back else after)
        if mistake != "previous":
            previous = x0
    return latent


@exercise(
    "11.11",
    sampler.slow_run,
    minutes=15,
    difficulty=3,
    hints=(
        "Before the loop: the hole starts as add_noise(known, noise[0], plan.start), and what is "
        "known is put around it, as noisy as plan.alpha[0].",
        "A row: ask, predict x0, step, put the known back at alpha_next, and go back if it says "
        "so. Then x0 is the previous one.",
        "for timestep, alpha, alpha_next, history, back in zip(*map(cast, plan[1:]), strict=True)",
    ),
)
def slow_run(answer, expect):
    known = normal(2, 3, 3, 4)
    hole = np.zeros((2, 3, 3, 1), "float32")
    hole[:, 1:, 1:] = 1
    asked = []

    def denoise(latent, timestep):
        """Every place sees all others, as in the network."""
        asked.append(int(timestep))
        mean = ops.mean(latent, axis=(1, 2), keepdims=True)
        return ops.tanh(latent) / 2 + mean / 2 + float(timestep) / 2000

    def in_numpy(latent, timestep):
        mean = latent.mean(axis=(1, 2), keepdims=True)
        return np.tanh(latent) / 2 + mean / 2 + float(timestep) / 2000

    def hold(hint, mistakes, **settings):
        plan = schedulers.plan(**settings)
        noise = normal(plan.noises, 2, 3, 3, 4, seed=1)
        asked.clear()
        exact = "A plan's numbers are float64, latents are float32: map(cast, plan[1:])."
        with expect.on_error(Exception, exact, "double"):
            latent = answer(denoise, plan, known, hole, noise)
        expect.shape(latent, known.shape, "Latents like those that came in.")
        expect.true(
            asked == plan.timestep.tolist(),
            f"the network was asked at {asked}, expected {plan.timestep.tolist()}",
            "One call of the network per row, at the row's timestep.",
        )
        expect.close(
            latent,
            obvious(in_numpy, plan, known, hole, noise),
            hint,
            mistakes=[
                (obvious(in_numpy, plan, known, hole, noise, mistake), its_hint)
                for mistake, its_hint in mistakes.items()
            ],
            tolerance=1e-4,
        )

    hold(
        "Ask, predict x0, step, put the known latents back as noisy as alpha_next says.",
        {
            "never": "The known latents are never put back: the photo around the hole is lost.",
            "keep": "The known latents are put back after every step, not only at the start.",
            "start": "Before the first row, too, the known latents belong around the hole.",
            "clean": "Known latents as noisy as the rest, or the network has never seen the like.",
            "early": "After the step the rest is as noisy as alpha_next says, no longer alpha.",
            "start clean": "The hole starts from noise: add_noise(known, noise[0], plan.start).",
        },
        steps=3,
    )
    hold(
        "At a strength below 1 the run starts in the middle.",
        {"strength": "Below full strength the hole starts from its own latents: plan.start."},
        steps=4,
        strength=0.5,
    )
    hold(
        "DPM-Solver++ aims by the last two guesses: dpm_step, with the row's history.",
        {
            "history": "history is not used: dpm_step is DDIM where it is 0, and more elsewhere.",
            "previous": "At the end of a row x0 becomes the previous one.",
        },
        steps=5,
        sampler="dpm++",
    )
    hold(
        "Where back is above 0 the latent goes back to alpha by noise[back].",
        {
            "back": "The way back is missing: what went back is what the network sees next.",
            "first": "noise[0] is in the latent already: the way back takes fresh noise.",
            "one": "Every way back has a noise of its own: noise[back].",
            "far": "The latent is noisy already: renoise, not add_noise.",
            "late": "First the known latents, then the way back: both go back together.",
        },
        steps=3,
        resample=3,
    )


# 11.12


def in_numpy(denoise, plan, known, hole, noise):
    """The run without Keras."""

    def asked(latent, timestep):
        return as_array(denoise(latent.astype("float32"), timestep))

    return obvious(asked, plan, known, hole, noise).astype("float32")


@exercise(
    "11.12",
    broken.catch_lost_way_back,
    minutes=12,
    difficulty=3,
    hints=(
        "You choose the network: a function that notes each latent it sees, and says 0.",
        "plan(3, resample=2) goes back after the first of its rows. Where the network "
        "says 0, a step makes √(ᾱ'/ᾱ) · latent: the way back undoes that, and adds noise.",
        "seen[1] - seen[0] is √(1 − ᾱ/ᾱ') · noise[1], with ᾱ = plan.alpha[0] and ᾱ' = "
        "plan.alpha_next[0], where all is hole.",
    ),
)
def catch_lost_way_back(answer, expect):
    expect.catches(
        answer,
        right=[sampler.slow_run, in_numpy],
        wrong=[
            (
                broken.lost_way_back,
                "This one makes the noisy latent and then goes on with the other: note what the "
                "network sees in the second row, not what comes out.",
            ),
            (
                broken.stale_way_back,
                "This one goes back by noise[0], which is in the latent already: the fresh "
                "noise[1] must show in what the network sees.",
            ),
            (
                broken.long_way_back,
                "This one goes back too far: how much of the first latent is left in the second, "
                "and how much fresh noise is in it?",
            ),
        ],
    )
