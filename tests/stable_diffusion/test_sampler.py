"""recon.stable_diffusion.sampler: the loop against the papers' in NumPy, and what it must keep."""

import dataclasses
import math

import keras
import numpy as np
import pytest
from backends import call_on_the_other_backend
from keras import layers, ops

from recon.stable_diffusion import networks, sampler, schedulers

SIDE, LENGTH, WIDTH, TIME = 4, 3, 5, 8  # of the fake networks' latents, contexts and embeddings
ALPHAS = schedulers.alphas_cumprod()


class Fake(keras.Model):
    """A network of three little layers that counts how often, and on how many, Python calls it."""

    def __init__(self, channels=4, **kwargs):
        super().__init__(**kwargs)
        self.layers_of = {
            "latent": layers.Conv2D(4, 3, padding="same"),
            "timestep_embedding": layers.Dense(4),
            "context": layers.Dense(4, "tanh"),
        }
        self.batches = []
        shapes = (SIDE, SIDE, channels), (TIME,), (LENGTH, WIDTH)
        self(dict(zip(self.layers_of, (np.zeros((1, *shape)) for shape in shapes), strict=True)))
        self.batches.clear()

    def call(self, inputs, training=False):
        self.batches.append(inputs["latent"].shape[0])
        said = {name: layer(inputs[name]) for name, layer in self.layers_of.items()}
        prompt = ops.mean(said["context"], axis=1)[:, None, None]
        pixels = said["latent"] + said["timestep_embedding"][:, None, None]
        return networks.ForEachPrompt()(pixels, prompt) + prompt


class Says(keras.Model):
    """A network without weights: a function of its latent."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function
        self.built = True

    def call(self, inputs, training=False):
        return self.function(networks.ForEachPrompt()(inputs["latent"], inputs["context"]))


def arrays(plan, count=2, width=WIDTH):
    """What a run takes: latents with a square hole, contexts, noise."""
    generator = np.random.default_rng(1)
    hole = np.zeros((count, SIDE, SIDE, 1), "float32")
    hole[:, 1:3, 1:3] = 1
    return {
        "known": generator.standard_normal((count, SIDE, SIDE, 4), "float32"),
        "hole": hole,
        "context": generator.standard_normal((count, LENGTH, width), "float32"),
        "negative": generator.standard_normal((count, LENGTH, width), "float32"),
        "noise": sampler.draw_noise(0, (plan.noises, count, SIDE, SIDE, 4)),
    }


@pytest.fixture(scope="module")
def fake():
    keras.utils.set_random_seed(0)
    return Fake()


@pytest.fixture(scope="module")
def tiny():
    """A sampler of a real denoiser of one level, its plan, and the arrays of a run."""
    keras.utils.set_random_seed(0)
    sizes = {"text_width": 4 * WIDTH, "length": LENGTH, "time_width": TIME}
    layout = dataclasses.replace(networks.SMALL, **sizes, denoiser=(32,), attention=(0,))
    plan = schedulers.plan(3, "dpm++", resample=2)
    network = networks.denoiser(layout, SIDE * layout.factor)
    return sampler.Sampler(network, TIME), plan, arrays(plan, width=4 * WIDTH)


# The slow, obvious loop: the papers' equations in float64


def lam(alpha):
    return math.log(math.sqrt(alpha) / math.sqrt(1 - alpha))


def embedding(timestep, width=TIME):
    angles = [timestep * math.exp(-math.log(10000) * i / (width // 2)) for i in range(width // 2)]
    return [*map(math.cos, angles), *map(math.sin, angles)]


def eps_of(network, x, timestep, data, guidance):
    """Two calls, one for each half."""

    def call(context):
        inputs = {
            "latent": x.astype("float32"),
            "timestep_embedding": np.array([embedding(timestep)] * len(x), "float32"),
            "context": context,
        }
        return ops.convert_to_numpy(network(inputs, training=False)).astype("float64")

    c, u = call(data["context"]), call(data["negative"])
    return u + guidance * (c - u)


def oracle(network, data, steps, name="ddim", strength=1.0, resample=1, guidance=7.5):
    z0, hole, fresh = data["known"].astype("float64"), data["hole"], list(data["noise"])
    noise = fresh.pop(0)

    def known(alpha):
        return math.sqrt(alpha) * z0 + math.sqrt(1 - alpha) * noise

    visited = [round(999 * i / (steps - 1)) for i in range(steps)][::-1]
    visited = visited[-round(strength * steps) :]
    x = hole * (noise if strength == 1 else known(ALPHAS[visited[0]]))
    x += (1 - hole) * known(ALPHAS[visited[0]])
    before = None  # ᾱ and guess of the step before
    for k, timestep in enumerate(visited):
        last = k == len(visited) - 1
        a = ALPHAS[timestep]
        a_next = 1 if last else ALPHAS[visited[k + 1]]
        for u in range(1, resample + 1):
            eps = eps_of(network, x, timestep, data, guidance)
            x0 = (x - math.sqrt(1 - a) * eps) / math.sqrt(a)
            first_order = name == "ddim" or before is None or last
            if not first_order:
                r = (lam(a) - lam(before[0])) / (lam(a_next) - lam(a))
                first_order = r < 1 / 2
            if first_order:
                x = math.sqrt(a_next) * x0 + math.sqrt(1 - a_next) * eps  # DDIM, equation 12
            else:
                d = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * before[1]
                h = lam(a_next) - lam(a)
                x = math.sqrt((1 - a_next) / (1 - a)) * x
                x -= math.sqrt(a_next) * (math.exp(-h) - 1) * d
            x = hole * x + (1 - hole) * known(a_next)
            before = a, x0
            if last:
                return x
            if u < resample:
                beta = 1 - a / a_next  # of all the steps of training in between
                x = math.sqrt(1 - beta) * x + math.sqrt(beta) * fresh.pop(0)
                before = None


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 5},
        {"steps": 8, "sampler": "dpm++"},
        {"steps": 8, "sampler": "dpm++", "strength": 0.6},
        {"steps": 4, "resample": 3},
        {"steps": 6, "sampler": "dpm++", "strength": 0.7, "resample": 2},
    ],
)
def test_a_run_is_the_loop_of_the_papers(fake, settings):
    plan = schedulers.plan(**settings)
    data = arrays(plan)
    latent = sampler.Sampler(fake, TIME).run(plan, **data)
    settings = {"name": settings.get("sampler", "ddim"), **settings}
    settings.pop("sampler", None)
    np.testing.assert_allclose(latent, oracle(fake, data, **settings), rtol=1e-4, atol=1e-4)


def test_a_real_network_runs_the_same_loop(tiny):
    ours, plan, data = tiny
    latent = ours.run(plan, **data, guidance=3)
    expected = oracle(ours.denoiser, data, 3, "dpm++", resample=2, guidance=3)
    np.testing.assert_allclose(latent, expected, rtol=1e-4, atol=1e-4)


def test_the_other_backend_says_the_same(tiny, tmp_path):
    ours, plan, data = tiny
    inputs = sampler.prepare(plan, **data)
    here = ours.predict_on_batch(inputs)
    there = call_on_the_other_backend(ours, "recon.stable_diffusion.sampler", inputs, tmp_path)
    np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "settings", [{"strength": 0.6}, {"sampler": "dpm++"}, {"sampler": "dpm++", "resample": 2}]
)
def test_the_plain_loop_is_the_same_run(fake, settings):
    plan = schedulers.plan(6, **settings)
    data = arrays(plan)
    expected = sampler.Sampler(fake, TIME).run(plan, **data, guidance=3)

    def denoise(latent, timestep):
        def both(latent, context):
            time = schedulers.timestep_embedding(np.full(2, timestep), TIME)
            return fake({"latent": latent, "timestep_embedding": time, "context": context})

        return sampler.guided_noise(both, latent, data["negative"], data["context"], 3)

    latent = sampler.slow_run(denoise, plan, data["known"], data["hole"], data["noise"])
    np.testing.assert_allclose(ops.convert_to_numpy(latent), expected, rtol=1e-4, atol=1e-4)


# Compiled once


def test_one_program_serves_every_run_of_a_shape(fake):
    ours, data = sampler.Sampler(fake, TIME), arrays(schedulers.plan(6))
    fake.batches.clear()
    ours.run(schedulers.plan(6), **data)
    traces = len(fake.batches)
    assert 1 <= traces <= 2  # not once a step
    ours.run(schedulers.plan(6, "dpm++"), **data, guidance=3)
    ours.run(schedulers.plan(6), **data, progress=list)
    assert len(fake.batches) == traces


def test_step_by_step_is_all_at_once_bit_for_bit(tiny):
    ours, plan, data = tiny
    seen = []

    def bar(rows):
        for row in rows:
            seen.append(row)
            yield row

    np.testing.assert_array_equal(ours.run(plan, **data, progress=bar), ours.run(plan, **data))
    assert seen == [0, 1, 2, 3, 4]


def test_a_photo_is_the_same_beside_others(fake):
    plan = schedulers.plan(5)
    data = arrays(plan, count=3)
    one = {k: x[:, 1:2] if k == "noise" else x[1:2] for k, x in data.items()}
    ours = sampler.Sampler(fake, TIME)
    np.testing.assert_allclose(
        ours.run(plan, **data)[1:2], ours.run(plan, **one), rtol=1e-4, atol=1e-4
    )


def test_the_weights_are_the_denoisers_as_they_are_now():
    keras.utils.set_random_seed(1)
    network = Fake()
    ours, plan = sampler.Sampler(network, TIME), schedulers.plan(3)
    assert [id(w) for w in ours.weights] == [id(w) for w in network.weights]
    before = ours.run(plan, **arrays(plan))
    network.set_weights([w + 0.1 for w in network.get_weights()])
    data = arrays(plan)
    after = ours.run(plan, **data)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, oracle(network, data, 3), rtol=1e-4, atol=1e-4)


# Guidance


def test_guidance_1_is_one_half_alone(fake):
    plan = schedulers.plan(5)
    data = arrays(plan)
    ours = sampler.Sampler(fake, TIME)
    inputs = sampler.prepare(plan, **data) | {"guidance": np.float32(1)}
    both = ours.predict_on_batch(inputs)[..., :4]
    fake.batches.clear()
    del data["negative"]
    np.testing.assert_allclose(ours.run(plan, **data, guidance=1), both, rtol=1e-4, atol=1e-4)
    assert set(fake.batches) == {2}  # not twice the two photos


def test_guidance_0_does_not_look_at_the_prompt(fake):
    plan = schedulers.plan(3)
    data = arrays(plan)
    ours = sampler.Sampler(fake, TIME)
    without = ours.run(plan, **data, guidance=0)
    data["context"] = data["context"] + 1
    np.testing.assert_array_equal(ours.run(plan, **data, guidance=0), without)
    assert np.abs(ours.run(plan, **data) - without).max() > 0.01


# Known latents


@pytest.mark.parametrize("settings", [{}, {"sampler": "dpm++"}, {"strength": 0.5, "resample": 2}])
def test_known_latents_end_as_they_were_given(fake, settings):
    plan = schedulers.plan(4, **settings)
    data = arrays(plan)
    latent = sampler.Sampler(fake, TIME).run(plan, **data)
    outside = np.broadcast_to(data["hole"] == 0, latent.shape)
    np.testing.assert_array_equal(latent[outside], data["known"][outside])
    assert (latent[~outside] != data["known"][~outside]).all()


@pytest.mark.parametrize(("strength", "counts"), [(1, False), (0.5, True)])
def test_what_stands_in_the_hole_counts_below_full_strength(fake, strength, counts):
    plan = schedulers.plan(4, strength=strength)
    data = arrays(plan)
    ours = sampler.Sampler(fake, TIME)
    before = ours.run(plan, **data)
    data["known"] = data["known"] + data["hole"]
    assert (np.abs(ours.run(plan, **data) - before).max() > 0) == counts


def test_the_latent_that_goes_back_is_what_the_network_sees_next():
    # Its noise is half of what it sees, so its guess of x0, kept in the state, says what it saw.
    ours = sampler.Sampler(Says(lambda latent: latent / 2), TIME)
    plan = schedulers.plan(3, resample=3)
    data = arrays(plan)
    inputs = sampler.prepare(plan, **data, guidance=2)
    saw, made = [], [inputs["state"][..., :4]]
    for row, alpha in enumerate(plan.alpha):
        inputs |= {"begin": np.int32(row), "end": np.int32(row + 1)}
        inputs["state"] = ours.predict_on_batch(inputs)
        latent, x0 = np.split(inputs["state"], 2, axis=-1)
        saw.append(x0 * math.sqrt(alpha) / (1 - math.sqrt(1 - alpha) / 2))
        made.append(latent)
    np.testing.assert_allclose(saw, made[:-1], atol=1e-5)
    for row in np.flatnonzero(plan.renoise):
        a, a_next, noise = plan.alpha[row], plan.alpha_next[row], data["noise"][plan.renoise[row]]
        x0 = saw[row] * (1 - math.sqrt(1 - a) / 2) / math.sqrt(a)
        stepped = math.sqrt(a_next) * x0 + math.sqrt(1 - a_next) * saw[row] / 2
        known = math.sqrt(a_next) * data["known"] + math.sqrt(1 - a_next) * data["noise"][0]
        merged = data["hole"] * stepped + (1 - data["hole"]) * known
        back = math.sqrt(a / a_next) * merged + math.sqrt(1 - a / a_next) * noise
        np.testing.assert_allclose(saw[row + 1], back, atol=1e-5)


# Nine channels


def test_a_network_trained_to_inpaint_sees_latent_mask_and_masked_latent():
    def function(seen):
        return seen[..., :4] / 4 + seen[..., 4:5] + 2 * seen[..., 5:]

    plan = schedulers.plan(1)
    data = arrays(plan)
    masked = data["known"] * (1 - data["hole"])
    latent = sampler.Sampler(Says(function), TIME).run(plan, **data, masked=masked)
    noise, alpha = data["noise"][0], ALPHAS[999]
    eps = noise / 4 + data["hole"] + 2 * masked
    x0 = (noise - math.sqrt(1 - alpha) * eps) / math.sqrt(alpha)
    # Its own answer everywhere: known latents are not put back.
    np.testing.assert_allclose(latent, x0, rtol=1e-4, atol=1e-4)


# Precision


def test_latents_stay_in_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        ours = sampler.Sampler(Says(ops.zeros_like), TIME)
    finally:
        keras.config.set_dtype_policy(before)
    assert ours.denoiser.compute_dtype == "bfloat16"
    plan = schedulers.plan(5, "dpm++")
    data = arrays(plan)
    latent = ours.run(plan, **data)
    assert latent.dtype == np.float32
    # A network that says 0: the guess is the latent, enlarged, all along.
    expected = sampler.Sampler(Says(ops.zeros_like), TIME).run(plan, **data)
    np.testing.assert_array_equal(latent, expected)


# Noise


def test_noise_comes_from_numpy_so_that_every_backend_has_the_same():
    noise = sampler.draw_noise(7, (2, 1, 4, 4, 4))
    assert noise.dtype == np.float32
    expected = np.random.default_rng(7).standard_normal((2, 1, 4, 4, 4), np.float32)
    np.testing.assert_array_equal(noise, expected)
    many = sampler.draw_noise(0, (1, 4, 64, 64, 4))
    assert abs(many.mean()) < 0.02
    assert abs(many.std() - 1) < 0.02


# What is refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"guidance": -1}, "guidance -1: must be a number, 0 or more"),
        ({"guidance": math.nan}, "guidance nan"),
        ({"guidance": math.inf}, "guidance inf"),
        ({"negative": None}, "guidance 7.5 needs a negative context"),
        ({"known": np.zeros((4, 4, 4))}, r"known: shape \(4, 4, 4\), must be \(B, h, w, C\)"),
        ({"hole": np.zeros((2, 8, 8, 1))}, r"hole: shape \(2, 8, 8, 1\), must be \(2, 4, 4, 1\)"),
        ({"context": np.zeros((1, 3, 5))}, r"context: shape \(1, 3, 5\), must be \(2, L, W\)"),
        ({"negative": np.zeros((2, 4, 5))}, r"negative: shape .*, must be \(2, 3, 5\)"),
        ({"masked": np.zeros((2, 4, 4, 3))}, r"masked: shape .*, must be \(2, 4, 4, 4\)"),
        ({"noise": np.zeros((1, 2, 4, 4, 4))}, r"noise: shape .*, must be \(3, 2, 4, 4, 4\), or"),
        ({"masked": np.zeros((2, 4, 4, 4))}, "nine channels .* resample must be 1"),
    ],
)
def test_what_does_not_fit_is_refused(fake, changes, said):
    plan = schedulers.plan(3, resample=2)
    with pytest.raises(ValueError, match=said):
        sampler.Sampler(fake, TIME).run(plan, **{**arrays(plan), **changes})
