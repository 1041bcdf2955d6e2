"""recon.models.dcgan: shapes, weights, whose gradient moves whom, and completing by search."""

import itertools

import keras
import numpy as np
import pytest
from backends import call_on_the_other_backend
from keras import ops

from recon import fitting, losses, methods
from recon.models import dcgan
from recon.models.latent_search import blend

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the reference is written with GradientTape"
)


def tiny(size=64, **settings):
    return dcgan.DCGAN(
        size,
        **{
            "filters": 2,
            "judge_filters": 2,
            "latent": 5,
            "restarts": 2,
            "candidates": 4,
            "steps": 2,
            **settings,
        },
    )


def batch(size=64, count=3, seed=0):
    """Photos with a hole each: what the pipeline gives."""
    generator = np.random.default_rng(seed)
    photo = generator.random((count, size, size, 3), "float32")
    mask = np.zeros((count, size, size, 1), "float32")
    mask[:, size // 4 : size // 2, size // 8 : size // 2] = 1
    return {"masked": photo * (1 - mask), "mask": mask}, photo


def tensors(arrays):
    return keras.tree.map_structure(ops.convert_to_tensor, arrays)


def values(variables):
    return [ops.convert_to_numpy(v) for v in variables]


def count_trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def wake(network):
    """Enlarge what starts at a standard deviation of 0.02: of a narrow network little arrives."""
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            layer.kernel.assign(layer.kernel * 15)


@pytest.fixture(scope="module")
def trained():
    """A narrow model of one training step, its weights before, and that step's history."""
    keras.utils.set_random_seed(0)
    model = tiny()
    wake(model.generator)
    wake(model.discriminator)
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    before = values(model.trainable_variables)
    inputs, photo = batch()
    history = model.fit(
        inputs, photo, batch_size=3, validation_data=(inputs, photo), verbose=0
    ).history
    return model, before, history


@pytest.mark.parametrize("size", dcgan.SIZES)
def test_both_networks_take_every_size(size):
    generator, discriminator = dcgan.generator(size, 2), dcgan.discriminator(size, 2)
    assert generator.input_shape == (None, 100)
    assert generator.output_shape == discriminator.input_shape == (None, size, size, 3)
    assert discriminator.output_shape == (None, 1)
    sides = [
        layer.output.shape[1] for layer in generator.layers if type(layer) is keras.layers.ReLU
    ]
    assert sides == [4 * 2**level for level in range(len(sides))]
    assert sides[-1] == size // 2


@pytest.mark.parametrize("size", [32, 96, 256])
@pytest.mark.parametrize("make", [dcgan.generator, dcgan.discriminator, dcgan.DCGAN])
def test_other_sizes_are_refused(make, size):
    with pytest.raises(ValueError, match=f"size {size}: must be one of 64, 128"):
        make(size)


def test_networks_have_the_papers_weights():
    # By hand, from figure 1: a kernel is 4·4·in·out, a norm has 2 numbers a channel.
    wide = [1024, 512, 256, 128]
    between = sum(16 * a * b for a, b in itertools.pairwise(wide))
    generator = 100 * 16 * 1024 + between + 16 * 128 * 3 + 3 + 2 * sum(wide)
    assert count_trainable(dcgan.generator()) == generator
    # The mirror: no norm after the first layer, which has a bias instead; one score of 4·4·1024.
    judge = 16 * 3 * 128 + 128 + between + 2 * (256 + 512 + 1024) + 16 * 1024 + 1
    assert count_trainable(dcgan.discriminator()) == judge


def test_at_128_the_default_model_has_one_layer_more_of_half_the_channels():
    assert dcgan.widths(128, 64) == [1024, 512, 256, 128, 64]
    assert dcgan.widths(64, 128) == [1024, 512, 256, 128]


@pytest.mark.parametrize("size", dcgan.SIZES)
def test_recipe_and_model_go_together(size):
    recipe = dcgan.recipe(size)
    model = dcgan.build(size, recipe["objective"])
    assert model.size == size
    if size == 128:  # section 4 of the paper
        assert recipe["objective"] == "bce"
        assert (recipe["learning_rate"], recipe["beta_1"], recipe["batch_size"]) == (2e-4, 0.5, 128)
        assert model.settings["filters"] == model.settings["judge_filters"] == 64


def test_an_unknown_objective_is_refused():
    with pytest.raises(ValueError, match="bce, lsgan, hinge"):
        tiny(objective="wgan")


def test_a_guess_is_a_photo_out_of_fresh_noise():
    model = tiny()
    inputs, _ = batch(count=4)
    first, second = (ops.convert_to_numpy(model(tensors(inputs))) for _ in range(2))
    assert first.shape == (4, 64, 64, 3)
    assert first.min() >= 0
    assert first.max() <= 1
    assert np.abs(first - second).max() > 0


def test_its_noise_is_reseeded_with_every_epoch(trained):
    model, _, _ = trained
    assert model.noise.state in fitting.seed_states(model)


def test_a_step_moves_every_weight_of_both_players(trained):
    model, before, _ = trained
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.abs(ops.convert_to_numpy(variable) - old).max() > 0, variable.path


@needs_tensorflow
@pytest.mark.parametrize("objective", ["bce", "lsgan", "hinge"])
def test_gradients_are_those_of_two_tapes_and_two_optimisers(objective):
    """The formulation of TensorFlow's DCGAN tutorial, weight by weight, statistics included."""
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    model = tiny(objective=objective)
    generator, discriminator = model.generator, model.discriminator
    inputs, photo = tensors(batch())
    untouched = values(model.non_trainable_variables)

    def reset():
        for variable, value in zip(model.non_trainable_variables, untouched, strict=True):
            variable.assign(value)

    with tf.GradientTape() as tape:
        guess = model(inputs, training=True)
        loss = model.compute_loss(inputs, photo, guess)
    ours = tape.gradient(loss, model.trainable_variables)
    networks = [*generator.non_trainable_variables, *discriminator.non_trainable_variables]
    our_statistics = values(networks)

    reset()
    adversarial = losses.AdversarialLoss(objective)
    z = keras.random.uniform((3, 5), -1, 1, seed=model.noise)
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        guess = generator(z, training=True)
        real = discriminator(photo, training=True)  # two batches, each normalised by itself
        fake = discriminator(guess, training=True)
        generator_loss = adversarial.generator(fake)
        discriminator_loss = adversarial.discriminator(real, fake)
    theirs = {
        v.path: g
        for tape, loss, network in (
            (generator_tape, generator_loss, generator),
            (discriminator_tape, discriminator_loss, discriminator),
        )
        for v, g in zip(
            network.trainable_variables,
            tape.gradient(loss, network.trainable_variables),
            strict=True,
        )
    }
    assert len(theirs) == len(ours)
    for variable, gradient in zip(model.trainable_variables, ours, strict=True):
        reference = theirs[variable.path]
        scale = max(np.abs(reference).max(), 1e-6)
        np.testing.assert_allclose(gradient, reference, atol=1e-5 * scale, err_msg=variable.path)
    # Passing the judge a second time, frozen, has not moved its running statistics.
    for variable, ours, theirs in zip(networks, our_statistics, values(networks), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, err_msg=variable.path)


def test_what_is_masked_does_not_matter_in_training():
    keras.utils.set_random_seed(0)
    model = tiny()
    inputs, photo = tensors(batch())
    black = {"masked": ops.zeros_like(inputs["masked"]), "mask": ops.ones_like(inputs["mask"])}
    guess = model(inputs)
    found = [float(model.compute_loss(x, photo, guess, training=False)) for x in (inputs, black)]
    assert found[0] == found[1]


def test_diversity_is_1_for_photos_and_0_for_a_collapsed_generator():
    _, photo = batch(count=4)
    assert float(dcgan.diversity(photo[[2, 3, 0, 1]], photo)) == pytest.approx(1)
    assert float(dcgan.diversity(np.repeat(photo[:1], 4, axis=0), photo)) == 0
    assert float(dcgan.diversity(0.25 * photo + 0.5, photo)) == pytest.approx(0.25, rel=1e-4)
    assert float(dcgan.diversity(photo[:1], photo[:1])) == 0  # no neighbours


def test_history_has_the_terms_and_no_rmse(trained):
    _, _, history = trained
    terms = {"loss", "judge", "persuade", "diversity"}
    assert set(history) == terms | {f"val_{name}" for name in terms}
    assert history["loss"][0] == pytest.approx(history["judge"][0] + history["persuade"][0])


def test_samples_are_the_same_every_time(trained):
    model, _, _ = trained
    samples = model.samples(4)
    assert samples.shape == (4, 64, 64, 3)
    np.testing.assert_array_equal(samples, model.samples(4))
    np.testing.assert_allclose(samples[:2], model.samples(2), atol=1e-6)
    assert np.abs(samples[0] - samples[1]).max() > 0


def test_completing_keeps_known_pixels_and_every_weight(trained):
    model, _, _ = trained
    inputs, photo = batch()
    before = values(model.variables)
    completed = model.complete(inputs["masked"], inputs["mask"])
    assert completed.dtype == "float32"
    assert completed.min() >= 0
    assert completed.max() <= 1
    known = np.broadcast_to(inputs["mask"] == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])
    assert len(model.variables) == len(before)  # the search's copies are not this model's
    for old, new in zip(before, values(model.variables), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_best_guess_is_blended_in(trained):
    model, _, _ = trained
    masked, mask = (batch()[0][name] for name in ("masked", "mask"))
    guess, _ = model.search_for(3).run(
        model.generator, model.discriminator, masked, mask, model.fixed_z(model.candidates)
    )
    expected = [blend(*one) for one in zip(guess, masked, mask, strict=True)]
    np.testing.assert_allclose(model.complete(masked, mask), expected, atol=1e-6)


def test_saved_and_loaded_it_completes_the_same(trained, tmp_path):
    model, _, _ = trained
    inputs, _ = batch()
    completed = model.complete(inputs["masked"], inputs["mask"])
    model.save(tmp_path / "model.keras")  # searched with already: the search is not saved
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert loaded.settings == model.settings
    np.testing.assert_array_equal(loaded.samples(2), model.samples(2))
    np.testing.assert_array_equal(loaded.complete(inputs["masked"], inputs["mask"]), completed)


def test_it_is_a_method_like_every_other(trained):
    model, _, _ = trained
    inputs, photo = batch()
    completed = methods.learned_method("small", model)(inputs["masked"], inputs["mask"])
    known = np.broadcast_to(inputs["mask"] == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])


def test_it_learns_one_photo_by_heart():
    keras.utils.set_random_seed(0)
    model = tiny(filters=8, judge_filters=8, objective="hinge")
    for layer in model.generator.layers:  # its statistics follow within tens of steps
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9
    model.compile(
        keras.optimizers.Adam(2e-3, beta_1=0.5, use_ema=True, ema_momentum=0.97),
        jit_compile=keras.backend.backend() == "jax",
    )
    corners = np.random.default_rng(0).random((1, 2, 2, 3), "float32")  # four colours, blended
    photo = np.repeat(ops.convert_to_numpy(ops.image.resize(corners, (64, 64))), 2, axis=0)
    inputs = {"masked": photo, "mask": np.zeros((2, 64, 64, 1), "float32")}

    def error():
        return np.sqrt(np.mean((model.samples(2) - photo) ** 2))

    before = error()
    often = keras.tree.map_structure(lambda x: np.tile(x, (240, 1, 1, 1)), (inputs, photo))
    model.fit(*often, batch_size=2, verbose=0)
    with fitting.averaged(model):
        assert error() < before / 2


def test_both_networks_say_the_same_on_the_other_backend(trained, tmp_path):
    model, _, _ = trained
    z = keras.layers.Input((5,), name="z")
    photo = model.generator(z)
    flat = keras.layers.Flatten()(photo)
    said = keras.layers.Concatenate()([flat, model.discriminator(photo)])  # (B, 64·64·3 + 1)
    both = keras.Model(z, said)
    inputs = model.fixed_z(3)
    there = call_on_the_other_backend(both, "recon.models.dcgan", {"z": inputs}, tmp_path)
    here = ops.convert_to_numpy(both(inputs, training=False))
    assert here.std(axis=0).max() > 0.01
    np.testing.assert_allclose(there, here, atol=1e-4)


def test_trained_in_16_bits_it_is_read_in_the_readers_precision(tmp_path):
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = tiny()
        assert model.generator.layers[-2].compute_dtype == "bfloat16"
        inputs, _ = batch()
        assert model(tensors(inputs)).dtype == "float32"  # a guess is float32 always
        model.save(tmp_path / "model.keras")
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    policies = {layer.compute_dtype for layer in (loaded, *loaded.generator.layers)}
    assert policies == {"float32"}
