"""Answers to lesson 11: the denoiser's question, steps, guidance, holes."""

import numpy as np
from bank import accepted, refused
from keras import ops
from skimage.measure import block_reduce

from recon.stable_diffusion import sampler, schedulers

# 11.1 noise_guess


def alphas(step):
    return np.take(schedulers.alphas_cumprod(), step).astype("float32")


def ask(denoise, latent, step, context, width):
    time = schedulers.timestep_embedding(step, width)
    return denoise({"latent": latent, "timestep_embedding": time, "context": context})


@refused("11.1", "ᾱ along the channels", "ᾱ went along the channels")
def along_channels(denoise, latent, noise, step, context, time_width):
    noisy = schedulers.add_noise(latent, noise, alphas(step))
    return ask(denoise, noisy, step, context, time_width)


@refused("11.1", "the clean latent", "this is the clean one")
def clean(denoise, latent, noise, step, context, time_width):
    return ask(denoise, latent, step, context, time_width)


@refused("11.1", "swapped", "Latent and noise are swapped")
def swapped(denoise, latent, noise, step, context, time_width):
    noisy = schedulers.add_noise(noise, latent, alphas(step).reshape(-1, 1, 1, 1))
    return ask(denoise, noisy, step, context, time_width)


@refused("11.1", "1 − β instead of ᾱ", "That is one step's 1 − β")
def one_step(denoise, latent, noise, step, context, time_width):
    alpha = (1 - schedulers.betas()[step]).astype("float32").reshape(-1, 1, 1, 1)
    return ask(denoise, schedulers.add_noise(latent, noise, alpha), step, context, time_width)


@refused("11.1", "β instead of ᾱ", "β is what one step takes")
def beta(denoise, latent, noise, step, context, time_width):
    alpha = schedulers.betas()[step].astype("float32").reshape(-1, 1, 1, 1)
    return ask(denoise, schedulers.add_noise(latent, noise, alpha), step, context, time_width)


@refused("11.1", "the first step for all", "Every latent has a step of its own")
def first_for_all(denoise, latent, noise, step, context, time_width):
    noisy = schedulers.add_noise(latent, noise, alphas(step)[0])
    return ask(denoise, noisy, step, context, time_width)


@refused("11.1", "the embedding of ᾱ", "The network is told the step")
def embeds_alpha(denoise, latent, noise, step, context, time_width):
    alpha = alphas(step)
    noisy = schedulers.add_noise(latent, noise, alpha.reshape(-1, 1, 1, 1))
    return ask(denoise, noisy, alpha, context, time_width)


@refused("11.1", "the error", "The error comes later")
def error(denoise, latent, noise, step, context, time_width):
    noisy = schedulers.add_noise(latent, noise, alphas(step).reshape(-1, 1, 1, 1))
    return ops.mean((noise - ask(denoise, noisy, step, context, time_width)) ** 2)


@refused("11.1", "no dictionary", "takes one dictionary")
def no_dictionary(denoise, latent, noise, step, context, time_width):
    noisy = schedulers.add_noise(latent, noise, alphas(step).reshape(-1, 1, 1, 1))
    return denoise(noisy)


@accepted("11.1", "by NumPy, and None for new axes")
def by_numpy(denoise, latent, noise, step, context, time_width):
    alpha = schedulers.alphas_cumprod()[step][:, None, None, None]
    noisy = (np.sqrt(alpha) * latent + np.sqrt(1 - alpha) * noise).astype("float32")
    return ask(denoise, noisy, step, context, time_width)


# 11.2 predicted_x0


@refused("11.2", "not divided", "divide by it")
def not_divided(latent, eps, alpha):
    return latent - ops.sqrt(1 - alpha) * eps


@refused("11.2", "divided by ᾱ", "not by ᾱ")
def by_alpha(latent, eps, alpha):
    return (latent - ops.sqrt(1 - alpha) * eps) / alpha


@refused("11.2", "1 − ᾱ without its root", "not by 1 − ᾱ")
def no_root(latent, eps, alpha):
    return (latent - (1 - alpha) * eps) / ops.sqrt(alpha)


@refused("11.2", "plus", "The noise is taken away")
def plus(latent, eps, alpha):
    return (latent + ops.sqrt(1 - alpha) * eps) / ops.sqrt(alpha)


@refused("11.2", "factors swapped", "The two factors are swapped")
def factors(latent, eps, alpha):
    return (latent - ops.sqrt(alpha) * eps) / ops.sqrt(1 - alpha)


@refused("11.2", "all of eps", "Not all of eps")
def all_of_eps(latent, eps, alpha):
    return (latent - eps) / ops.sqrt(alpha)


@refused("11.2", "multiplied", "To undo the shrinking")
def multiplied(latent, eps, alpha):
    return (latent - ops.sqrt(1 - alpha) * eps) * ops.sqrt(alpha)


@refused("11.2", "no brackets", "Brackets")
def no_brackets(latent, eps, alpha):
    return latent / ops.sqrt(alpha) - ops.sqrt(1 - alpha) * eps


@refused("11.2", "in place", "belongs to the caller")
def in_place(latent, eps, alpha):
    latent -= np.sqrt(1 - alpha) * eps
    return latent / np.sqrt(alpha)


@accepted("11.2", "by the ratio of noise to signal")
def by_ratio(latent, eps, alpha):
    return latent * alpha**-0.5 - (1 / alpha - 1) ** 0.5 * eps


# 11.3 ddim_step


def eps_in(latent, x0, alpha):
    return (latent - ops.sqrt(alpha) * x0) / ops.sqrt(1 - alpha)


@refused("11.3", "mixed with the present ᾱ", "You come back to where you were")
def stays(latent, x0, alpha, alpha_next):
    return schedulers.add_noise(x0, eps_in(latent, x0, alpha), alpha)


@refused("11.3", "x0 at once", "That jumps to the end")
def jumps(latent, x0, alpha, alpha_next):
    return x0 + 0 * latent


@refused("11.3", "no noise left", "The noise that stays is missing")
def no_noise(latent, x0, alpha, alpha_next):
    return ops.sqrt(alpha_next) * x0


@refused("11.3", "the latent taken for the noise", "The latent is not the noise")
def latent_as_noise(latent, x0, alpha, alpha_next):
    return schedulers.add_noise(x0, latent, alpha_next)


@refused("11.3", "eps not divided", "what remains divided by")
def eps_not_divided(latent, x0, alpha, alpha_next):
    return schedulers.add_noise(x0, latent - ops.sqrt(alpha) * x0, alpha_next)


@refused("11.3", "x0 not shrunk", "In the latent x0 is shrunk")
def x0_not_shrunk(latent, x0, alpha, alpha_next):
    return schedulers.add_noise(x0, (latent - x0) / ops.sqrt(1 - alpha), alpha_next)


@refused("11.3", "now and next swapped", "Now and next are swapped")
def now_and_next(latent, x0, alpha, alpha_next):
    return schedulers.add_noise(x0, eps_in(latent, x0, alpha_next), alpha)


@refused("11.3", "no roots", "ᾱ is of the power")
def no_roots(latent, x0, alpha, alpha_next):
    eps = (latent - alpha * x0) / (1 - alpha)
    return alpha_next * x0 + (1 - alpha_next) * eps


@accepted("11.3", "by two factors of latent and x0")
def by_factors(latent, x0, alpha, alpha_next):
    kept = ((1 - alpha_next) / (1 - alpha)) ** 0.5
    return kept * latent + (alpha_next**0.5 - kept * alpha**0.5) * x0


# 11.4 timesteps


def check(steps, strength):
    if not 1 <= steps <= 1000 or not 0 < strength <= 1:
        raise ValueError("no such run")


def visit(steps):
    rising = np.linspace(0, 999, steps) if steps > 1 else np.array([999])
    return rising.round().astype("int32")[::-1]


@refused("11.4", "rising", "The noisiest comes first")
def rising(steps, strength=1.0):
    check(steps, strength)
    return visit(steps)[::-1]


@refused("11.4", "rounded down", "not down")
def down(steps, strength=1.0):
    check(steps, strength)
    return np.linspace(0, 999, steps).astype("int32")[::-1]


@refused("11.4", "by strides", "or the run does not start from noise")
def strides(steps, strength=1.0):
    check(steps, strength)
    return np.arange(0, 1000, 1000 // steps)[::-1].astype("int32")


@refused("11.4", "from 1000", "The last step of training is 999")
def from_1000(steps, strength=1.0):
    check(steps, strength)
    return np.linspace(0, 1000, steps).round().astype("int32")[::-1]


@refused("11.4", "floats", "int32")
def floats(steps, strength=1.0):
    check(steps, strength)
    return visit(steps).astype("float32")


@refused("11.4", "a single step is 0", "it is 999, not 0")
def single(steps, strength=1.0):
    check(steps, strength)
    return np.linspace(0, 999, steps).round().astype("int32")[::-1]


@refused("11.4", "strength keeps the first", "where little noise is left")
def first(steps, strength=1.0):
    check(steps, strength)
    return visit(steps)[: round(strength * steps)]


@refused("11.4", "strength makes fewer steps", "Not fewer steps for the whole way")
def fewer(steps, strength=1.0):
    check(steps, strength)
    return visit(max(1, round(strength * steps)))


@refused("11.4", "no step at all", "At least one step")
def none_left(steps, strength=1.0):
    check(steps, strength)
    return visit(steps)[-round(strength * steps) :]


@refused("11.4", "strength rounded down", "9.9 of 10 are 10")
def strength_down(steps, strength=1.0):
    check(steps, strength)
    return visit(steps)[-max(1, int(strength * steps)) :]


@refused("11.4", "any number of steps", "There are 1 to 1000 steps")
def any_number(steps, strength=1.0):
    return visit(steps)[-max(1, round(strength * steps)) :]


@refused("11.4", "any strength", "Strength is above 0")
def any_strength(steps, strength=1.0):
    check(steps, 1)
    return visit(steps)[-max(1, round(strength * steps)) :]


@accepted("11.4", "falling from the start")
def falling(steps, strength=1.0):
    check(steps, strength)
    if steps == 1:
        return np.array([999], "int32")
    visited = [round(999 - 999 * i / (steps - 1)) for i in range(steps)]
    taken = round(strength * steps) or 1
    return np.array(visited[len(visited) - taken :], "int32")


# 11.5 guided


@refused("11.5", "prompts swapped", "The prompts are swapped")
def prompts_swapped(unconditional, conditional, guidance):
    return conditional + guidance * (unconditional - conditional)


@refused("11.5", "difference turned round", "The difference points from")
def difference_turned(unconditional, conditional, guidance):
    return unconditional + guidance * (unconditional - conditional)


@refused("11.5", "the paper's w", "That is the paper's 1 + w")
def papers_w(unconditional, conditional, guidance):
    return conditional + guidance * (conditional - unconditional)


@refused("11.5", "the difference alone", "is added to the unconditional guess")
def difference_alone(unconditional, conditional, guidance):
    return guidance * (conditional - unconditional)


@refused("11.5", "the conditional guess is enlarged", "It is a difference that is enlarged")
def enlarged(unconditional, conditional, guidance):
    return unconditional + guidance * conditional


@refused("11.5", "a mean", "Not a mean between the two")
def weighted(unconditional, conditional, guidance):
    return (unconditional + guidance * conditional) / (1 + guidance)


@accepted("11.5", "by two weights")
def by_weights(unconditional, conditional, guidance):
    return (1 - guidance) * unconditional + guidance * conditional


# 11.6 guided_noise


@refused("11.6", "two calls", "not two calls")
def two_calls(denoise, latent, negative, context, guidance):
    return sampler.guided(denoise(latent, negative), denoise(latent, context), guidance)


@refused("11.6", "halves swapped", "The halves are swapped")
def halves_swapped(denoise, latent, negative, context, guidance):
    conditional, unconditional = ops.split(denoise(latent, np.concatenate([negative, context])), 2)
    return sampler.guided(unconditional, conditional, guidance)


@refused("11.6", "latents twice", "The latents go in once")
def latents_twice(denoise, latent, negative, context, guidance):
    eps = denoise(ops.concatenate([latent, latent]), ops.concatenate([negative, context]))
    return sampler.guided(*ops.split(eps, 2), guidance)


@refused("11.6", "taken by turns", "split in two")
def by_turns(denoise, latent, negative, context, guidance):
    eps = denoise(latent, ops.concatenate([negative, context]))
    return sampler.guided(eps[::2], eps[1::2], guidance)


@refused("11.6", "put in by turns", "The contexts went in by turns")
def in_by_turns(denoise, latent, negative, context, guidance):
    both = np.stack([negative, context], axis=1).reshape(-1, *context.shape[1:])
    return sampler.guided(*ops.split(denoise(latent, both), 2), guidance)


@refused("11.6", "not guided", "the conditional half alone")
def not_guided(denoise, latent, negative, context, guidance):
    return ops.split(denoise(latent, ops.concatenate([negative, context])), 2)[1]


@refused("11.6", "not split", "Both halves came back")
def not_split(denoise, latent, negative, context, guidance):
    return guidance * denoise(latent, ops.concatenate([negative, context]))


@accepted("11.6", "prompts first")
def prompts_first(denoise, latent, negative, context, guidance):
    eps = denoise(latent, np.concatenate([context, negative]))
    count = len(latent)
    return (1 - guidance) * eps[count:] + guidance * eps[:count]


# 11.7 latent_hole


def squares(mask, factor):
    batch, height, width, _ = mask.shape
    return mask.reshape(batch, height // factor, factor, width // factor, factor, 1)


@refused("11.7", "the mean", "A mean is neither")
def mean(mask, factor):
    return squares(mask, factor).mean(axis=(2, 4))


@refused("11.7", "by majority", "Not by majority")
def majority(mask, factor):
    return np.round(squares(mask, factor).mean(axis=(2, 4)))


@refused("11.7", "kept where any is known", "Yours keeps a latent if any pixel is known")
def any_known(mask, factor):
    return squares(mask, factor).min(axis=(2, 4))


@refused("11.7", "one pixel of each", "One pixel of each square")
def one_pixel(mask, factor):
    return mask[:, ::factor, ::factor]


@refused("11.7", "the middle", "The square's middle")
def middle(mask, factor):
    return mask[:, factor // 2 :: factor, factor // 2 :: factor]


@refused("11.7", "how many", "Not how many")
def how_many(mask, factor):
    return squares(mask, factor).sum(axis=(2, 4))


@refused("11.7", "the wrong axes", "axes 2 and 4")
def wrong_axes(mask, factor):
    return squares(mask, factor).max(axis=(1, 3))


@refused("11.7", "no channel", "The channel axis stays")
def no_channel(mask, factor):
    return squares(mask, factor).max(axis=(2, 4, 5))


@refused("11.7", "true and false", "A mask stays float32")
def boolean(mask, factor):
    return squares(mask, factor).any(axis=(2, 4))


@refused("11.7", "width before height", "Rows first")
def width_first(mask, factor):
    batch, height, width, _ = mask.shape
    rows = mask.reshape(batch, width // factor, factor, height, 1).max(axis=2)
    return rows.reshape(batch, width // factor, factor, factor, -1).max(axis=2)


@accepted("11.7", "by scikit-image")
def by_blocks(mask, factor):
    return block_reduce(mask, (1, factor, factor, 1), np.max)


# 11.8 keep_known


@refused("11.8", "clean around noisy", "Clean latents around noisy ones")
def clean_around(latent, known, hole, noise, alpha):
    return ops.where(hole > 0, latent, known)


@refused("11.8", "inside out", "yours keeps the hole's inside")
def inside_out(latent, known, hole, noise, alpha):
    return ops.where(hole > 0, schedulers.add_noise(known, noise, alpha), latent)


@refused("11.8", "no hole", "The hole is lost")
def no_hole(latent, known, hole, noise, alpha):
    return schedulers.add_noise(known, noise, alpha)


@refused("11.8", "no roots", "add_noise takes its roots")
def known_no_roots(latent, known, hole, noise, alpha):
    return ops.where(hole > 0, latent, alpha * known + (1 - alpha) * noise)


@refused("11.8", "known and noise swapped", "ᾱ is what is left of the known")
def known_swapped(latent, known, hole, noise, alpha):
    return ops.where(hole > 0, latent, schedulers.add_noise(noise, known, alpha))


@refused("11.8", "noise on everything", "only the known gets noise")
def on_everything(latent, known, hole, noise, alpha):
    return schedulers.add_noise(ops.where(hole > 0, latent, known), noise, alpha)


@refused("11.8", "nothing around", "Around the hole there is nothing")
def nothing_around(latent, known, hole, noise, alpha):
    return hole * latent


@accepted("11.8", "by products")
def by_products(latent, known, hole, noise, alpha):
    return hole * latent + (1 - hole) * (alpha**0.5 * known + (1 - alpha) ** 0.5 * noise)


# 11.9 renoise


@refused("11.9", "as if it were clean", "The latent is not clean")
def as_clean(latent, noise, alpha, alpha_next):
    return schedulers.add_noise(latent, noise, alpha)


@refused("11.9", "no roots", "The ratio is of powers")
def ratio_no_roots(latent, noise, alpha, alpha_next):
    ratio = alpha / alpha_next
    return ratio * latent + (1 - ratio) * noise


@refused("11.9", "the ratio upside down", "alpha is the smaller one")
def upside_down(latent, noise, alpha, alpha_next):
    return schedulers.add_noise(latent, noise, alpha_next / alpha)


@refused("11.9", "the difference", "the ratio, not the difference")
def difference(latent, noise, alpha, alpha_next):
    return schedulers.add_noise(latent, noise, 1 - (alpha_next - alpha))


@refused("11.9", "noise on top", "The signal must shrink")
def on_top(latent, noise, alpha, alpha_next):
    return latent + ops.sqrt(alpha_next - alpha) * noise


@refused("11.9", "no fresh noise", "The fresh noise is missing")
def no_fresh(latent, noise, alpha, alpha_next):
    return ops.sqrt(alpha / alpha_next) * latent


@refused("11.9", "as much noise as a clean latent gets", "Some of the noise is in the latent")
def much_noise(latent, noise, alpha, alpha_next):
    return ops.sqrt(alpha / alpha_next) * latent + ops.sqrt(1 - alpha) * noise


@accepted("11.9", "by the β of the whole stretch")
def by_beta(latent, noise, alpha, alpha_next):
    beta = 1 - alpha / alpha_next
    return (1 - beta) ** 0.5 * latent + beta**0.5 * noise


# 11.10 dpm_step


@refused("11.10", "DDIM", "the guess before is not used")
def only_ddim(latent, x0, previous, history, alpha, alpha_next):
    return schedulers.ddim_step(latent, x0, alpha, alpha_next)


@refused("11.10", "back towards the guess before", "Go on past x0")
def back_towards(latent, x0, previous, history, alpha, alpha_next):
    aim = x0 + history * (previous - x0)
    return schedulers.ddim_step(latent, aim, alpha, alpha_next)


@refused("11.10", "the guess before is added", "It is the change that goes on")
def added(latent, x0, previous, history, alpha, alpha_next):
    return schedulers.ddim_step(latent, x0 + history * previous, alpha, alpha_next)


@refused("11.10", "all of the change", "Times history")
def all_of_change(latent, x0, previous, history, alpha, alpha_next):
    return schedulers.ddim_step(latent, 2 * x0 - previous, alpha, alpha_next)


@refused("11.10", "the noise of the old aim", "one ddim_step does both")
def old_noise(latent, x0, previous, history, alpha, alpha_next):
    aim = x0 + history * (x0 - previous)
    return schedulers.add_noise(aim, eps_in(latent, x0, alpha), alpha_next)


@refused("11.10", "after the step", "The aim moves before the step")
def after_the_step(latent, x0, previous, history, alpha, alpha_next):
    return schedulers.ddim_step(latent, x0, alpha, alpha_next) + history * (x0 - previous)


@refused("11.10", "the aim", "That is where to aim")
def the_aim(latent, x0, previous, history, alpha, alpha_next):
    return x0 + history * (x0 - previous)


@accepted("11.10", "as the paper writes it")
def as_the_paper(latent, x0, previous, history, alpha, alpha_next):
    d = (1 + history) * x0 - history * previous
    sigma, sigma_next = (1 - alpha) ** 0.5, (1 - alpha_next) ** 0.5
    fall = (sigma_next / alpha_next**0.5) * (alpha**0.5 / sigma)  # exp(-h)
    return sigma_next / sigma * latent - alpha_next**0.5 * (fall - 1) * d


# 11.11 slow_run


def loop(denoise, plan, known, hole, noise, mistake=""):
    latent = schedulers.add_noise(known, noise[0], 0.0 if mistake == "strength" else plan.start)
    if mistake != "start":
        around = float(plan.alpha[0])
        latent = sampler.keep_known(latent, known, hole, noise[0], around)
    previous = 0 * latent
    for timestep, alpha, alpha_next, history, back in zip(
        *map(sampler.cast, plan[1:]), strict=True
    ):
        x0 = schedulers.predicted_x0(latent, denoise(latent, timestep), alpha)
        history = 0 if mistake == "history" else history
        latent = schedulers.dpm_step(latent, x0, previous, history, alpha, alpha_next)
        stepped = latent
        if mistake not in ("keep", "late"):
            a = alpha if mistake == "early" else alpha_next
            a = 1.0 if mistake == "clean" else a
            latent = sampler.keep_known(latent, known, hole, noise[0], a)
        if back and mistake != "back":
            which = {"first": 0, "one": 1}.get(mistake, back)
            go = alpha / alpha_next if mistake != "far" else alpha
            latent = schedulers.add_noise(latent, noise[which], go)
        if mistake == "late":
            a = alpha if back else alpha_next
            latent = sampler.keep_known(latent, known, hole, noise[0], a)
        if mistake != "previous":
            previous = stepped if mistake == "stepped" else x0
    return latent


def with_mistake(mistake):
    def slow_run(denoise, plan, known, hole, noise):
        return loop(denoise, plan, known, hole, noise, mistake)

    return slow_run


refused("11.11", "known put back at the start only", "after every step")(with_mistake("keep"))
refused("11.11", "known not put in at the start", "Before the first row")(with_mistake("start"))
refused("11.11", "known as noisy as before the step", "no longer alpha")(with_mistake("early"))
refused("11.11", "always from noise", "starts from its own latents")(with_mistake("strength"))
refused("11.11", "DDIM only", "history is not used")(with_mistake("history"))
refused("11.11", "no guess kept", "becomes the previous one")(with_mistake("previous"))
refused("11.11", "no way back", "The way back is missing")(with_mistake("back"))
refused("11.11", "the way back by old noise", "takes fresh noise")(with_mistake("first"))
refused("11.11", "one noise for all ways back", "a noise of its own")(with_mistake("one"))
refused("11.11", "too far back", "renoise, not add_noise")(with_mistake("far"))
refused("11.11", "the way back first", "First the known latents")(with_mistake("late"))


@refused("11.11", "known put back clean", "as noisy as the rest, or")
def put_back_clean(denoise, plan, known, hole, noise):
    latent = ops.where(hole > 0, schedulers.add_noise(known, noise[0], plan.start), known)
    previous = 0 * latent
    for timestep, alpha, alpha_next, history, _ in zip(*map(sampler.cast, plan[1:]), strict=True):
        x0 = schedulers.predicted_x0(latent, denoise(latent, timestep), alpha)
        latent = schedulers.dpm_step(latent, x0, previous, history, alpha, alpha_next)
        latent = ops.where(hole > 0, latent, known)
        previous = x0
    return latent


@refused("11.11", "one call for all rows", "One call of the network per row")
def one_call(denoise, plan, known, hole, noise):
    latent = ops.convert_to_tensor(noise[0])
    return schedulers.predicted_x0(latent, denoise(latent, plan.timestep[0]), 0.5)


@accepted("11.11", "by row numbers, without helpers")
def by_row_numbers(denoise, plan, known, hole, noise):
    def around(alpha):
        return alpha**0.5 * known + (1 - alpha) ** 0.5 * noise[0]

    start = float(plan.start)
    latent = hole * around(start) + (1 - hole) * around(float(plan.alpha[0]))
    previous = latent
    for row in range(len(plan.timestep)):
        a, after = float(plan.alpha[row]), float(plan.alpha_next[row])
        guess = denoise(ops.convert_to_tensor(latent, "float32"), plan.timestep[row])
        x0 = (latent - (1 - a) ** 0.5 * guess) / a**0.5
        history = float(plan.history[row])
        latent = schedulers.dpm_step(latent, x0, previous, history, a, after)
        latent = hole * latent + (1 - hole) * around(after)
        if plan.renoise[row]:
            fresh = noise[plan.renoise[row]]
            latent = (a / after) ** 0.5 * latent + (1 - a / after) ** 0.5 * fresh
        previous = x0
    return latent


# 11.12 catch_lost_way_back


def watched(run, change=0.0):
    """What the network sees in a run that goes back, and the noise of the way back."""
    plan = schedulers.plan(3, resample=2)
    noise = np.random.default_rng(5).standard_normal((plan.noises, 1, 2, 2, 4)).astype("float32")
    noise[1] += change
    known, hole = np.zeros((1, 2, 2, 4), "float32"), np.ones((1, 2, 2, 1), "float32")
    seen = []

    def denoise(latent, timestep):
        seen.append(ops.convert_to_numpy(latent))
        return 0 * latent

    run(denoise, plan, known, hole, noise)
    return seen, noise


@refused("11.12", "only that there is an answer", "what the network sees in the second row")
def answers(run):
    seen, _ = watched(run)
    assert len(seen) == 5


@refused("11.12", "only that it is another latent", "how much of the first latent")
def another(run):
    first, changed = watched(run)[0], watched(run, change=1)[0]
    assert not np.allclose(first[1], changed[1])


@refused("11.12", "only that it is as strong as before", "noise[1] must show")
def as_strong(run):
    seen, noise = watched(run)
    assert np.std(seen[1]) < 3 * np.std(seen[0])
    assert np.std(seen[1] - seen[0]) < 2 or np.allclose(noise[0], seen[0])


@refused("11.12", "that nothing changes", "ask for less")
def nothing_changes(run):
    seen, _ = watched(run)
    assert np.allclose(seen[0], seen[1])


@accepted("11.12", "by the noise that is in it")
def by_its_noise(run):
    seen, noise = watched(run)
    both = np.stack([noise[0].ravel(), noise[1].ravel()], axis=1)
    share, *_ = np.linalg.lstsq(both, seen[1].ravel(), rcond=None)
    assert abs(share[0] - 1) < 0.05
    assert share[1] > 0.5
