"""recon.models.cyclegan: weights, the pool, whose gradient moves whom, and that no pair is used."""

import shutil

import keras
import numpy as np
import pytest
from backends import call_on_the_other_backend
from keras import ops

from recon import commandline, fitting, losses, methods, models, runs
from recon import train as training
from recon.models import blocks, cyclegan
from recon.models.cyclegan import CycleGAN, PhotoPool

NETWORKS = ("to_complete", "to_masked", "judge_complete", "judge_masked")
needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the reference is written with GradientTape"
)


def batch(count=2, size=32, seed=0):
    """Photos with a hole each: what the pipeline gives."""
    generator = np.random.default_rng(seed)
    photo = generator.random((count, size, size, 3), "float32")
    mask = np.zeros((count, size, size, 1), "float32")
    mask[:, size // 4 : size // 2, size // 8 : size // 2] = 1
    return {"masked": photo * (1 - mask), "mask": mask}, photo


def tensors(arrays):
    return keras.tree.map_structure(ops.convert_to_tensor, arrays)


def numpy(variables):
    return [ops.convert_to_numpy(variable) for variable in variables]


def narrow(seed=0, **more):
    keras.utils.set_random_seed(seed)
    settings = {"filters": 2, "residuals": 1, "judge_filters": 2, "pool": 3}
    return CycleGAN(32, **settings | more)


def smooth(count=2, size=32):
    """Photos of four colours, blended, with a hole each."""
    corners = np.random.default_rng(0).random((count, 2, 2, 3), "float32")
    photo = ops.convert_to_numpy(ops.image.resize(corners, (size, size)))
    inputs, _ = batch(count, size)
    return {"masked": photo * (1 - inputs["mask"]), "mask": inputs["mask"]}, photo


def own_domain(model, inputs, photo):
    """What each generator makes of the photo that is already what it should make."""
    complete, masked = photo[1:], inputs["masked"][:1]  # the halves of a batch of two
    return numpy([model.to_complete(complete)[0], model.to_masked(masked)[0]])


@pytest.fixture(scope="module")
def trained():
    """A small model, 60 steps old, of one masked photo and another complete one."""
    model = narrow(filters=8, judge_filters=4)
    model.compile(keras.optimizers.Adam(2e-3, beta_1=0.5))
    inputs, photo = smooth()
    before = {
        "weights": numpy(model.trainable_variables),
        "own": own_domain(model, inputs, photo),
    }
    often = keras.tree.map_structure(lambda x: np.tile(x, (60, 1, 1, 1)), (inputs, photo))
    model.fit(*often, batch_size=2, shuffle=False, verbose=0)
    return model, before


# Shapes and weights


@pytest.mark.parametrize("size", cyclegan.SIZES)
def test_networks_take_every_size(size):
    generator = cyclegan.generator(size, filters=2, residuals=1)
    assert generator.output_shape == (None, size, size, 3)
    judge = cyclegan.discriminator(size, filters=2)
    assert judge.output_shape == (None, size // 8 - 2, size // 8 - 2, 1)


@pytest.mark.parametrize("size", [0, 16, 48, 1024])
def test_other_sizes_are_refused(size):
    for network in (cyclegan.generator, cyclegan.discriminator, CycleGAN):
        with pytest.raises(ValueError, match=rf"size {size}: must be one of 32, 64, 128, 256, 512"):
            network(size)


def test_the_papers_model_has_the_papers_weights():
    model = cyclegan.build(256, "lsgan")
    # By hand, from the paper's appendix: kernels; 2 numbers a channel for every normalisation;
    # biases where none follows.
    channels = [3, 64, 128, 256]
    kernels = 7 * 7 * 3 * 64 * 2 + 3 * 3 * (64 * 128 + 128 * 256) * 2 + 18 * 3 * 3 * 256 * 256
    norms = 2 * (64 + 128 + 256 + 18 * 256 + 128 + 64)
    generator = kernels + norms + 3
    assert model.to_complete.count_params() == model.to_masked.count_params() == generator
    assert round(generator / 1e6, 1) == 11.4
    channels = [3, 64, 128, 256, 512, 1]
    kernels = sum(16 * channels[n] * channels[n + 1] for n in range(5))
    judge = kernels + 2 * (128 + 256 + 512) + 64 + 1
    assert model.judge_complete.count_params() == model.judge_masked.count_params() == judge
    assert round(judge / 1e6, 2) == 2.77
    assert model.count_params() == 2 * (generator + judge)  # the pools' photos are no weights
    assert model.pool_complete.photos.shape == (50, 256, 256, 3)


@pytest.mark.parametrize(("size", "blocks"), [(512, 9), (256, 9), (128, 6)])
def test_the_papers_number_of_blocks(monkeypatch, size, blocks):
    monkeypatch.setattr(cyclegan, "CycleGAN", lambda *args, **kwargs: kwargs)
    assert cyclegan.build(size, "lsgan")["residuals"] == blocks


@pytest.mark.parametrize("size", cyclegan.SIZES)
def test_recipes_have_even_batches(size):
    assert cyclegan.EVEN_BATCH
    assert cyclegan.recipe(size)["batch_size"] % 2 == 0


def test_padding_is_numpys_reflection():
    x = np.random.default_rng(0).random((2, 5, 6, 3), "float32")
    padded = cyclegan.ReflectionPadding(3)(x)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(padded), np.pad(x, [(0, 0), (3, 3), (3, 3), (0, 0)], mode="reflect")
    )


def test_instance_normalisation_by_hand_is_the_layer():
    x = np.random.default_rng(0).normal(1, 2, (2, 5, 6, 3)).astype("float32")
    layer = blocks.normalise("instance")
    layer.build(x.shape)
    layer.beta.assign([0.3, -0.2, 0.1])
    by_hand = cyclegan.instance_normalise(x, layer.gamma, layer.beta)
    np.testing.assert_allclose(*numpy([by_hand, layer(x)]), atol=1e-5)


def test_a_judge_sees_photos_in_the_papers_range():
    """Its first convolution gets 2 · photo - 1: grey photos are zeros, whatever its kernels."""
    judge = cyclegan.discriminator(32, filters=2)
    first = next(layer for layer in judge.layers if isinstance(layer, keras.layers.Conv2D))
    seen = keras.Model(judge.inputs, first.output)(np.full((1, 32, 32, 3), 0.5, "float32"))
    np.testing.assert_array_equal(ops.convert_to_numpy(seen), 0)


def test_a_guess_lies_between_0_and_1_and_does_not_see_the_mask():
    model = narrow()
    inputs, _ = batch()
    guess = ops.convert_to_numpy(model(inputs))
    assert guess.shape == (2, 32, 32, 3)
    assert guess.dtype == "float32"
    assert guess.min() >= 0
    assert guess.max() <= 1
    unmasked = model({"masked": inputs["masked"], "mask": 1 - inputs["mask"]})
    np.testing.assert_array_equal(guess, ops.convert_to_numpy(unmasked))


def test_an_unknown_objective_is_refused():
    with pytest.raises(ValueError, match="bce, lsgan, hinge"):
        narrow(objective="wgan")


# The pool


def replay(kept, capacity, fresh, shown):
    """What a pool holds after it showed `shown` for `fresh`: the paper's rule, photo by photo."""
    kept, older = list(kept), 0
    for new, seen in zip(fresh, shown, strict=True):
        if len(kept) < capacity:
            np.testing.assert_array_equal(seen, new)
            kept.append(new)
        elif not np.array_equal(seen, new):
            places = [n for n, old in enumerate(kept) if np.array_equal(seen, old)]
            assert len(places) == 1, "neither the new photo nor one that the pool holds"
            kept[places[0]] = new
            older += 1
    return kept, older


def shown_by(pool, count, times, seed=0):
    """Show a pool new photos, `times` times `count`; check each time what it holds."""
    generator = np.random.default_rng(seed)
    kept, older = [], []
    for _ in range(times):
        fresh = generator.random((count, 4, 4, 3), "float32")
        shown = ops.convert_to_numpy(pool(fresh))
        kept, replaced = replay(kept, pool.capacity, fresh, shown)
        older.append(replaced)
        assert int(pool.count) == len(kept)
        np.testing.assert_array_equal(ops.convert_to_numpy(pool.photos)[: len(kept)], kept)
    return older


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_pool_follows_the_papers_rule(count):
    """Photos one at a time, several, and more than the pool holds."""
    keras.utils.set_random_seed(0)
    older = shown_by(PhotoPool(5), count, 12)
    assert sum(older[: 5 // count]) == 0
    assert sum(older) > 0


def test_half_of_what_a_full_pool_shows_is_old_and_every_place_is_drawn():
    keras.utils.set_random_seed(0)
    pool = PhotoPool(4)
    shown_by(pool, 4, 1)
    before = ops.convert_to_numpy(pool.photos)
    fresh = np.random.default_rng(1).random((400, 4, 4, 3), "float32")
    shown = ops.convert_to_numpy(pool(fresh))
    _, older = replay(before, 4, fresh, shown)
    assert 150 < older < 250  # five standard deviations are 50
    after = ops.convert_to_numpy(pool.photos)
    assert (abs(after - before).max(axis=(1, 2, 3)) > 0).all()


def test_two_pools_of_a_model_draw_differently_and_reseed_sets_both():
    model = narrow()
    states = fitting.seed_states(model)
    assert {id(state) for state in states} == {
        id(pool.seed_generator.state) for pool in (model.pool_complete, model.pool_masked)
    }
    reseed = fitting.Reseed(3)
    reseed.set_model(model)
    reseed.on_epoch_begin(1)
    first = numpy(states)
    assert not np.array_equal(*first)
    reseed.on_epoch_begin(2)
    assert not np.array_equal(first[0], numpy(states)[0])


def test_training_fills_both_pools_with_fakes_and_validation_does_not(trained):
    model, _ = trained
    pools = model.pool_complete, model.pool_masked
    held = numpy([variable for pool in pools for variable in pool.variables])
    for pool in pools:
        assert int(pool.count) == 3  # of 60 that were shown to it
        photos = ops.convert_to_numpy(pool.photos).reshape(3, -1)
        assert len(np.unique(photos, axis=0)) == 3
        assert 0 < photos.mean() < 1
    model.evaluate(*batch(3), batch_size=2, verbose=0)
    for a, b in zip(held, numpy([v for pool in pools for v in pool.variables]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_pool_keeps_32_bits_in_mixed_precision():
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = narrow()
        inputs, photo = tensors(batch(2))
        guess = model(inputs, training=True)
        loss = model.compute_loss(inputs, photo, guess)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert model.to_complete.layers[-2].compute_dtype == "bfloat16"
    assert np.isfinite(float(loss))
    np.testing.assert_array_equal(*numpy([model.pool_complete.photos[0], guess[0]]))


@pytest.mark.parametrize(
    ("count", "older", "held", "shown"),
    [
        (1, True, [1, 9, 3], 9),  # filling, whatever the coin says: the next free place
        (1, False, [1, 9, 3], 9),
        (3, True, [1, 2, 9], 3),  # full, heads: the old one, whose place the new one takes
        (5, False, [1, 2, 3], 9),  # full, tails: the new one, and nothing is kept
    ],
)
def test_one_look_into_the_pool(count, older, held, shown):
    photos = np.float32([1, 2, 3]).reshape(3, 1, 1, 1) * np.ones((1, 2, 2, 3), "float32")
    new = np.full((2, 2, 3), 9, "float32")
    found = numpy(cyclegan.exchange(photos, count, new, 2, older))
    np.testing.assert_array_equal(found[0][:, 0, 0, 0], held)
    np.testing.assert_array_equal(found[1], np.full((2, 2, 3), shown))


# Unpaired halves


def test_masked_photos_of_one_half_and_complete_ones_of_the_other():
    """What the loss may not see is no number, and the loss is one all the same."""
    model = narrow()
    inputs, photo = batch(6)
    inputs["masked"][3:], photo[:3] = np.nan, np.nan
    inputs, photo = tensors((inputs, photo))
    loss = model.compute_loss(inputs, photo, model(inputs, training=True), training=True)
    assert np.isfinite(float(loss))


def test_every_photo_of_a_half_takes_part():
    inputs, photo = batch(6)

    def loss(inputs, photo):
        model = narrow()
        inputs, photo = tensors((inputs, photo))
        return float(model.compute_loss(inputs, photo, model(inputs, training=True)))

    for place in range(3):
        masked, complete = inputs["masked"].copy(), photo.copy()
        masked[place], complete[3 + place] = np.nan, np.nan
        assert np.isnan(loss({**inputs, "masked": masked}, photo))
        assert np.isnan(loss(inputs, complete))


def test_no_photo_is_in_both_halves():
    inputs, photo = batch(6)
    masked, complete = cyclegan.unpaired(inputs["masked"], photo)
    np.testing.assert_array_equal(masked, inputs["masked"][:3])
    np.testing.assert_array_equal(complete, photo[3:])
    with pytest.raises(ValueError, match="choose an even batch size"):
        cyclegan.unpaired(inputs["masked"][:5], photo[:5])


@pytest.mark.parametrize("count", [1, 3])
def test_an_odd_batch_cannot_be_halved(count):
    import tensorflow as tf

    model = narrow()
    model.compile(keras.optimizers.Adam(1e-3))
    dataset = tf.data.Dataset.from_tensor_slices(batch(6)).batch(count, drop_remainder=True)
    with pytest.raises(ValueError, match=f"a batch of {count} photos .* choose an even batch size"):
        model.fit(dataset, verbose=0)


def test_validation_takes_any_batch(trained):
    """Three photos, two and one at a time; every figure is then a mean over photos."""
    model, _ = trained
    inputs, photo = batch(3)
    figures = model.evaluate(inputs, photo, batch_size=2, verbose=0, return_dict=True)
    assert set(figures) == {"loss", "rmse", "cycle", "identity", "persuade", "judge"}
    together = model.compute_loss(*tensors((inputs, photo)), model(inputs), training=False)
    assert figures["loss"] == pytest.approx(float(together), rel=1e-4)


# Gradients


def gradients_of(tape, loss, networks):
    """Weight's path -> gradient."""
    weights = [v for network in networks for v in network.trainable_variables]
    return {v.path: g for v, g in zip(weights, tape.gradient(loss, weights), strict=True)}


@needs_tensorflow
@pytest.mark.parametrize(
    ("objective", "held"), [("lsgan", 0), ("lsgan", 6), ("bce", 6), ("hinge", 4)]
)
def test_gradients_are_those_of_the_paper_with_four_players(objective, held):
    """Sections 3 and 4: a loss for each generator and each judge; pools of six, `held` full."""
    import tensorflow as tf

    model = narrow(1, objective=objective, pool=6)
    g, f, d_b, d_a = (getattr(model, name) for name in NETWORKS)
    inputs, photo = tensors(batch(8))
    a, b = inputs["masked"][:4], photo[4:]
    kept = np.random.default_rng(3).random((2, 6, 32, 32, 3), "float32")

    def reset():
        """The pools as they were before, with what they will draw."""
        for number, pool in enumerate((model.pool_complete, model.pool_masked)):
            pool.count.assign(held)
            pool.photos.assign(kept[number])
            pool.seed_generator.state.assign([5, number])

    reset()
    shown = model.pool_complete(g(a)), model.pool_masked(f(b))
    older = [
        (new != seen).numpy().any(axis=(1, 2, 3)).sum()
        for new, seen in zip((g(a), f(b)), shown, strict=True)
    ]
    assert (sum(older) > 0) == (held > 0)  # old fakes take part in the comparison
    reset()
    with tf.GradientTape() as tape:
        guess = model(inputs, training=True)
        loss = model.compute_loss(inputs, photo, guess)
    ours = gradients_of(tape, loss, [g, f, d_b, d_a])

    adversarial = losses.AdversarialLoss(objective)

    def distance(x, y):  # in the paper's range
        return tf.reduce_mean(tf.abs((2 * x - 1) - (2 * y - 1)))

    with tf.GradientTape(persistent=True) as tape:
        fake_b, fake_a = g(a), f(b)
        cycle = distance(a, f(fake_b)) + distance(b, g(fake_a))
        loss_g = adversarial.generator(d_b(fake_b)) + 10 * cycle + 5 * distance(b, g(b))
        loss_f = adversarial.generator(d_a(fake_a)) + 10 * cycle + 5 * distance(a, f(a))
        # halved: "we divide the objective by 2 while optimizing D", section 4
        loss_b = adversarial.discriminator(d_b(b), d_b(shown[0]))
        loss_a = adversarial.discriminator(d_a(a), d_a(shown[1]))
    theirs = {}
    for network, loss in ((g, loss_g), (f, loss_f), (d_b, loss_b), (d_a, loss_a)):
        theirs |= gradients_of(tape, loss, [network])
    assert len(theirs) == len(ours) == len(model.trainable_variables)
    for path, gradient in ours.items():
        scale = max(np.abs(theirs[path]).max(), 1e-6)
        np.testing.assert_allclose(gradient, theirs[path], atol=1e-4 * scale, err_msg=path)


@needs_tensorflow
@pytest.mark.parametrize(
    ("term", "moved"),
    [
        ("cycle", {"to_complete", "to_masked"}),
        ("identity", {"to_complete", "to_masked"}),
        ("persuade", {"to_complete", "to_masked"}),
        ("judge", {"judge_complete", "judge_masked"}),
    ],
)
def test_a_term_moves_its_own_players_alone(term, moved):
    import tensorflow as tf

    model = narrow()
    inputs, photo = tensors(batch(2))
    with tf.GradientTape() as tape:
        guess = model(inputs, training=True)
        loss = model.measure(inputs["masked"][:1], photo[1:], guess[:1], True)[term]
    found = gradients_of(tape, loss, [getattr(model, name) for name in NETWORKS])
    for name in NETWORKS:
        own = [found[v.path] for v in getattr(model, name).trainable_variables]
        if name in moved:
            assert all(np.abs(gradient).max() > 0 for gradient in own), name
        else:
            assert all(gradient is None for gradient in own), name


def test_training_moves_every_weight_of_all_four_networks(trained):
    model, before = trained
    after = numpy(model.trainable_variables)
    for variable, old, new in zip(model.trainable_variables, before["weights"], after, strict=True):
        assert np.abs(new - old).max() > 0, variable.path


def test_terms_are_weighted_as_the_settings_say():
    inputs, photo = tensors(batch(2))

    def loss(**weights):
        model = narrow(**weights)
        value = model.compute_loss(inputs, photo, model(inputs), training=False)
        return float(value), {name: float(mean.result()) for name, mean in model.means.items()}

    value, terms = loss(cycle_weight=3, identity_weight=7)
    expected = 3 * terms["cycle"] + 7 * terms["identity"] + terms["persuade"] + terms["judge"]
    assert value == pytest.approx(expected, rel=1e-5)
    value, terms = loss()
    expected = 10 * terms["cycle"] + 5 * terms["identity"] + terms["persuade"] + terms["judge"]
    assert value == pytest.approx(expected, rel=1e-5)


# Saved, loaded, resumed


def test_saved_and_loaded_it_gives_the_same_guess_and_has_the_same_pools(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inputs, _ = batch()
    assert loaded.settings == model.settings
    np.testing.assert_array_equal(
        model.predict(inputs, verbose=0), loaded.predict(inputs, verbose=0)
    )
    for name in ("pool_complete", "pool_masked"):
        ours, theirs = getattr(model, name), getattr(loaded, name)
        assert int(theirs.count) == int(ours.count) == 3
        np.testing.assert_array_equal(*numpy([ours.photos, theirs.photos]))


def test_a_resumed_run_ends_as_the_uninterrupted_one(drawn_folder, tmp_path, monkeypatch):
    """Bit for bit, with full pools whose photos are older than what is resumed."""
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    save = runs.save_checkpoint

    def and_copy(out, model, epoch):
        save(out, model, epoch)
        if (out, epoch) == (whole, 1):
            shutil.copytree(whole, halves)  # as an interruption would leave it

    def run(*arguments):  # an error would end it with SystemExit
        commandline.run(training.train, [str(argument) for argument in arguments])

    monkeypatch.setitem(models.MODELS, "cyclegan", "recon.models.cyclegan")
    monkeypatch.setattr(cyclegan, "build", lambda size, objective: narrow(objective=objective))
    monkeypatch.setattr(runs, "save_checkpoint", and_copy)
    options = ("--model", "cyclegan", "--size", 32, "--epochs", 2, "--steps-per-epoch", 2)
    options += ("--batch-size", 4, "--data", drawn_folder)
    run(*options, "--out", whole)
    run("--out", halves, "--resume")
    assert (whole / "history.csv").read_text() == (halves / "history.csv").read_text()
    one, other = (runs.load_model(out) for out in (whole, halves))
    assert int(one.pool_complete.count) == 3
    assert len(one.get_weights()) == len(other.get_weights()) > 0
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_says_the_same_on_the_other_backend(trained, tmp_path):
    model, _ = trained
    inputs, _ = batch()
    there = call_on_the_other_backend(model, "recon.models.cyclegan", inputs, tmp_path)
    np.testing.assert_allclose(model.predict(inputs, verbose=0), there, atol=1e-4)


def test_known_pixels_come_back_bit_for_bit(trained):
    model, _ = trained
    inputs, photo = batch()
    completed = methods.learned_method("small", model)(inputs["masked"], inputs["mask"])
    known = np.broadcast_to(inputs["mask"] == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])


def test_it_learns_the_two_photos_it_saw_by_heart(trained):
    """What belongs into a box no pair says; a photo of its own domain each network gives back."""
    model, before = trained
    inputs, photo = smooth()
    after = own_domain(model, inputs, photo)
    for real, old, new in zip((photo[1], inputs["masked"][0]), before["own"], after, strict=True):
        assert np.abs(new - real).mean() < np.abs(old - real).mean() / 4
