"""recon.models.pix2pix: shapes, weights, the patch's field, and whose gradient moves whom."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from recon import losses, methods
from recon.models import blocks, pix2pix

SIZES = [32, 64, 128, 256, 512]
needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the reference is written with GradientTape"
)


def batch(size, count=2, seed=0):
    """Photos with a hole each: what the pipeline gives."""
    generator = np.random.default_rng(seed)
    photo = generator.random((count, size, size, 3), "float32")
    mask = np.zeros((count, size, size, 1), "float32")
    mask[:, size // 4 : size // 2, size // 8 : size // 2] = 1
    return {"masked": photo * (1 - mask), "mask": mask}, photo


def tensors(arrays):
    return keras.tree.map_structure(ops.convert_to_tensor, arrays)


@pytest.fixture(scope="module")
def small():
    """A narrow model of one training step."""
    keras.utils.set_random_seed(0)
    model = pix2pix.Pix2Pix(32, filters=4, judge_filters=4)
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    inputs, photo = batch(32)
    model.fit(inputs, photo, batch_size=2, verbose=0)
    return model, before


@pytest.mark.parametrize("size", SIZES)
def test_generator_takes_every_power_of_two(size):
    generator = pix2pix.generator(size, filters=2)
    assert generator.output_shape == (None, size, size, 3)
    assert len([n for n in generator.layers if "conv2d_transpose" in n.name]) == np.log2(size)


def test_generator_has_the_papers_weights_at_256():
    generator = pix2pix.generator(256)
    # By hand, from the paper's appendix: a kernel is 4·4·in·out, a norm has 2 numbers a channel.
    down = [4, 64, 128, 256, 512, 512, 512, 512, 512]
    up = [512, 512, 512, 512, 256, 128, 64]
    kernels = sum(16 * a * b for a, b in itertools.pairwise(down))
    kernels += 16 * 512 * 512  # 1×1 to 2×2: no skip yet, so 512 channels in
    kernels += sum(16 * 2 * a * b for a, b in itertools.pairwise(up))
    kernels += 16 * 2 * 64 * 3
    norms = 2 * (sum(down[2:-1]) + sum(up))
    biases = 64 + 512 + 3  # where no norm follows
    trainable = sum(int(np.prod(v.shape)) for v in generator.trainable_variables)
    assert trainable == kernels + norms + biases
    assert round(trainable / 1e6, 1) == 54.4


def test_discriminator_has_the_papers_weights_and_patches_at_256():
    discriminator = pix2pix.discriminator(256)
    trainable = sum(int(np.prod(v.shape)) for v in discriminator.trainable_variables)
    assert round(trainable / 1e6, 2) == 2.77
    assert discriminator.output_shape == (None, 30, 30, 1)


def test_a_score_looks_at_70_by_70_pixels():
    """Change one row or column of pixels at a time, and see which change one score."""
    keras.utils.set_random_seed(0)
    size = 128
    discriminator = pix2pix.discriminator(size, filters=4)
    inputs, photo = batch(size, 1)
    context = [inputs["masked"], inputs["mask"]]

    def score(photos):
        count = len(photos)
        scores = discriminator([photos, *[np.repeat(c, count, 0) for c in context]])
        return ops.convert_to_numpy(scores)[:, 7, 7, 0]  # a patch that lies inside the photo

    before = score(photo)[0]
    for axis in (1, 2):
        changed = np.repeat(photo, size, 0)
        for place in range(size):
            changed[(place, *([slice(None)] * (axis - 1)), place)] += 1
        seen = np.nonzero(score(changed) != before)[0]
        assert seen[-1] - seen[0] + 1 == len(seen) == 70


def test_the_patch_can_be_had_by_arithmetic():
    assert blocks.receptive_field([(4, 2), (4, 2), (4, 2), (4, 1), (4, 1)]) == 70
    # one number at 1×1, in the middle of the generator, sees more than the whole photo
    assert blocks.receptive_field([(4, 2)] * 8) > 256
    assert blocks.receptive_field([]) == 1


def test_widths_are_the_papers():
    assert pix2pix.widths(256) == [64, 128, 256, 512, 512, 512, 512, 512]
    assert pix2pix.widths(32, filters=24, widest=96) == [24, 48, 96, 96, 96]
    with pytest.raises(ValueError, match="one of 32, 64"):
        pix2pix.widths(100)


def test_the_way_down_is_not_blind_at_its_end():
    """One pixel normalised by itself is zero, so the last level is not normalised."""
    photos = np.random.default_rng(0).random((2, 8, 8, 3), "float32")
    *_, last = pix2pix.contract(photos, [4, 4, 4], "instance")
    assert last.shape == (2, 1, 1, 4)
    assert (ops.convert_to_numpy(last[0]) != ops.convert_to_numpy(last[1])).all()


def test_the_way_up_ends_with_the_largest_level_s_own_words():
    features = [np.full((1, 8 >> level, 8 >> level, 4), level + 1.0) for level in range(4)]
    x = ops.convert_to_numpy(pix2pix.expand(features))
    assert x.shape == (1, 8, 8, 8)
    np.testing.assert_array_equal(x[..., 4:], 1)


def test_guess_lies_between_0_and_1():
    inputs, _ = batch(32)
    guess = ops.convert_to_numpy(pix2pix.generator(32, filters=4)(inputs))
    assert guess.min() >= 0
    assert guess.max() <= 1


def test_hidden_pixels_do_not_reach_the_network():
    generator = pix2pix.generator(32, filters=4)
    inputs, photo = batch(32)
    hidden = generator({"masked": photo, "mask": inputs["mask"]})
    np.testing.assert_array_equal(generator(inputs), hidden)


@pytest.mark.parametrize("kind", ["batch", "instance"])
def test_one_photo_gets_one_answer_whatever_stands_beside_it(kind):
    model = pix2pix.generator(32, filters=4, kind=kind)
    (inputs, _), (others, _) = batch(32), batch(32, seed=1)
    together = {k: np.concatenate([inputs[k], others[k]]) for k in inputs}
    alone = ops.convert_to_numpy(model(inputs))
    np.testing.assert_allclose(ops.convert_to_numpy(model(together))[:2], alone, atol=1e-5)


def test_a_step_moves_every_weight_of_both_players(small):
    model, before = small
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.abs(ops.convert_to_numpy(variable) - old).max() > 0, variable.path


@needs_tensorflow
@pytest.mark.parametrize(
    ("objective", "kind"), [("bce", "batch"), ("lsgan", "batch"), ("hinge", "instance")]
)
def test_gradients_are_those_of_two_tapes_and_two_optimisers(objective, kind):
    """The formulation of TensorFlow's pix2pix tutorial, weight by weight."""
    import tensorflow as tf

    from recon import fitting

    keras.utils.set_random_seed(1)
    model = pix2pix.Pix2Pix(32, filters=4, judge_filters=4, kind=kind, objective=objective)
    generator, discriminator = model.generator, model.discriminator
    inputs, photo = tensors(batch(32))
    context = [inputs["masked"], inputs["mask"]]

    def reset_dropout():
        for state in fitting.seed_states(model):
            state.assign([1, 2])

    reset_dropout()
    with tf.GradientTape() as tape:
        guess = model(inputs, training=True)
        loss = model.compute_loss(inputs, photo, guess)
    ours = tape.gradient(loss, model.trainable_variables)

    reset_dropout()
    adversarial = losses.AdversarialLoss(objective)
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        guess = generator(inputs, training=True)
        completed = inputs["mask"] * guess + (1 - inputs["mask"]) * photo
        real = discriminator([photo, *context], training=True)
        fake = discriminator([completed, *context], training=True)
        missing = tf.repeat(inputs["mask"], 3, axis=-1) > 0
        l1 = tf.reduce_mean(tf.abs((2 * photo - 1) - (2 * guess - 1))[missing])
        generator_loss = adversarial.generator(fake) + 100 * l1
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


def test_l1_is_the_mean_over_missing_pixels_in_the_papers_units():
    model = pix2pix.Pix2Pix(32, filters=4, judge_filters=4)
    inputs, photo = tensors(batch(32))
    guess = photo + 0.1 * inputs["mask"] - 0.5 * (1 - inputs["mask"])
    model.compute_loss(inputs, photo, guess)
    # 0.1 in [0, 1] is 0.2 in the paper's [-1, 1]; what is wrong where pixels are known is no loss
    assert float(model.terms["l1"].result()) == pytest.approx(0.2, rel=1e-5)


def test_saved_and_loaded_it_gives_the_same_guess(small, tmp_path):
    model, _ = small
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inputs, _ = batch(32)
    assert loaded.settings == model.settings
    np.testing.assert_array_equal(
        model.predict(inputs, verbose=0), loaded.predict(inputs, verbose=0)
    )


def test_known_pixels_come_back_bit_for_bit(small):
    model, _ = small
    inputs, photo = batch(32)
    completed = methods.learned_method("small", model)(inputs["masked"], inputs["mask"])
    known = np.broadcast_to(inputs["mask"] == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])


def test_it_learns_two_photos_by_heart():
    keras.utils.set_random_seed(0)
    model = pix2pix.Pix2Pix(32, 16, 64, judge_filters=4, kind="instance", dropout=0.0)
    model.compile(keras.optimizers.Adam(2e-3, beta_1=0.5))
    generator = np.random.default_rng(0)
    corners = generator.random((2, 2, 2, 3), "float32")  # smooth photos: four colours, blended
    photo = ops.convert_to_numpy(ops.image.resize(corners, (32, 32)))
    inputs, _ = batch(32)
    inputs["masked"] = photo * (1 - inputs["mask"])
    before = model.evaluate(inputs, photo, verbose=0, return_dict=True)["rmse"]
    often = keras.tree.map_structure(lambda x: np.tile(x, (100, 1, 1, 1)), (inputs, photo))
    model.fit(*often, batch_size=2, verbose=0)
    after = model.evaluate(inputs, photo, verbose=0, return_dict=True)["rmse"]
    assert after < before / 3


def test_an_unknown_objective_is_refused():
    with pytest.raises(ValueError, match="bce, lsgan, hinge"):
        pix2pix.Pix2Pix(32, filters=2, judge_filters=2, objective="wgan")


def test_trained_in_16_bits_it_is_read_in_the_readers_precision(tmp_path):
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = pix2pix.Pix2Pix(32, filters=4, judge_filters=4)
        assert model.generator.layers[-2].compute_dtype == "bfloat16"
        inputs, _ = batch(32)
        assert model(tensors(inputs)).dtype == "float32"  # a guess is float32 always
        model.save(tmp_path / "model.keras")
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    policies = {layer.compute_dtype for layer in (loaded, *loaded.generator.layers)}
    assert policies == {"float32"}
