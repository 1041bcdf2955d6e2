"""recon.models.unet: the membrane against the exact fill, shapes, weights, mirror images."""

import keras
import numpy as np
import pytest
from backends import call_on_the_other_backend
from keras import ops

from recon import classical, methods
from recon.data import safari
from recon.models import unet

# One step is not worth a graph of TensorFlow's.
EAGER = keras.backend.backend() == "tensorflow"


def batch(size, count=2, seed=0):
    """Photos with a hole each: what the pipeline gives."""
    generator = np.random.default_rng(seed)
    photo = generator.random((count, size, size, 3), "float32")
    mask = np.zeros((count, size, size, 1), "float32")
    mask[:, size // 4 : size // 2, size // 8 : size // 2] = 1
    return {"masked": photo * (1 - mask), "mask": mask}, photo


def small_network(size=32):
    return {"size": size, "patch": 2, "widths": (4, 8)}


def guess_of(model, inputs):
    return ops.convert_to_numpy(model(inputs, training=False))


def filled(inputs, **settings):
    tensors = keras.tree.map_structure(ops.convert_to_tensor, inputs)
    return ops.convert_to_numpy(unet.membrane(tensors["masked"], tensors["mask"], **settings))


@pytest.fixture(scope="module")
def small():
    """A narrow model of two training steps, and its weights before."""
    keras.utils.set_random_seed(0)
    model = unet.UNet(**small_network())
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=EAGER)
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    inputs, photo = batch(32)
    model.fit(inputs, photo, batch_size=2, epochs=2, verbose=0)
    return model, before


# What squared error asks for


def test_the_conditional_mean_goes_from_the_likest_photo_to_the_mean_of_all():
    inputs, photo = batch(8, 5)
    masked, mask = inputs["masked"][3], inputs["mask"][3]
    narrow, wide = (unet.conditional_mean(masked, mask, photo, width) for width in (1e-3, 1e3))
    np.testing.assert_allclose(narrow, photo[3], atol=1e-6)
    np.testing.assert_allclose(wide, photo.mean(axis=0), atol=1e-5)


def test_of_photos_that_agree_in_all_that_is_known_their_mean_errs_least():
    inputs, photo = batch(8, 1)
    mask = inputs["mask"][0]
    other = np.random.default_rng(1).random((20, 8, 8, 3), "float32")
    photos = mask * other + (1 - mask) * photo
    guess = unet.conditional_mean(inputs["masked"][0], mask, photos, 0.1)
    errors = [np.square(mask * (photos - candidate)).sum() for candidate in (guess, *photos)]
    assert min(errors) == errors[0]


# The membrane


def test_halving_takes_the_mean_of_what_is_known():
    inputs, photo = batch(8, 1)
    known = 1 - inputs["mask"]
    colour, there = unet.halve_known(*map(ops.convert_to_tensor, (inputs["masked"], known)))
    for row, column in np.ndindex(4, 4):
        block = np.s_[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        pixels = photo[block][known[block][..., 0] > 0]  # (0 to 4, 3)
        expected = pixels.mean(axis=0) if len(pixels) else np.zeros(3)
        np.testing.assert_allclose(colour[0, row, column], expected, atol=1e-6)
        assert float(there[0, row, column, 0]) == (len(pixels) > 0)


def test_known_pixels_stay_bit_for_bit():
    inputs, photo = batch(32)
    known = np.broadcast_to(inputs["mask"] == 0, photo.shape)
    np.testing.assert_array_equal(filled(inputs)[known], photo[known])


def test_enough_sweeps_come_to_a_constant_and_to_the_harmonic_fill():
    inputs, _ = batch(32, 1)
    inputs["masked"] = 0.3 * (1 - inputs["mask"]) * np.ones(3, "float32")
    np.testing.assert_allclose(filled(inputs), 0.3, atol=1e-6)
    photo = safari.draw(0, 64) / np.float32(255)
    mask = np.zeros((64, 64, 1), "float32")
    mask[20:39, 30:49] = 1
    masked = photo * (1 - mask)
    exact = classical.harmonic(masked, mask)

    def distance(sweeps):
        fill = filled({"masked": masked[None], "mask": mask[None]}, sweeps=sweeps)[0]
        return np.abs(fill - exact).max()

    # The mean of nine pixels has the same membranes as that of four, but near the border's corners.
    assert distance(500) < 0.05
    assert distance(500) < distance(4) < distance(0)


@pytest.mark.parametrize("missing", [np.s_[:, :16], np.s_[:, :], np.s_[:0, :]])
def test_a_hole_may_touch_the_edge_take_the_whole_photo_or_be_none(missing):
    _, photo = batch(32, 1)
    mask = np.zeros((1, 32, 32, 1), "float32")
    mask[0][missing] = 1
    fill = filled({"masked": photo * (1 - mask), "mask": mask})
    assert np.isfinite(fill).all()
    assert fill.min() >= 0
    assert fill.max() <= 1


# The network


def test_down_and_up_again_keeps_the_grid_of_the_finest_level():
    place = keras.layers.Input((16, 24, 5))
    levels = unet.contract(place, (4, 6, 8), depth=2)
    assert [x.shape[1:] for x in levels] == [(16, 24, 4), (8, 12, 6), (4, 6, 8)]
    assert unet.expand(levels, depth=2).shape[1:] == (16, 24, 4)


@pytest.mark.parametrize("size", unet.SIZES)
def test_it_takes_every_size(size):
    network = unet.network(size, patch=4, widths=(2, 2))
    assert network.output_shape == (None, size, size, 3)


@pytest.mark.parametrize("size", [0, 31, 48, 66, 1024])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"size {size}: must be one of 32, 64, 128, 256, 512"):
        unet.UNet(size)


def test_patches_and_levels_that_do_not_divide_the_size_are_refused():
    with pytest.raises(ValueError, match="size 32: patches of 8 and 4 levels do not divide it"):
        unet.network(32, 8, (2, 2, 2, 2))


def test_untrained_it_gives_the_membrane():
    inputs, _ = batch(32)
    network = unet.UNet(**small_network()).network
    np.testing.assert_allclose(guess_of(network, inputs), filled(inputs), atol=1e-6)


def test_hidden_pixels_do_not_reach_the_network(small):
    model, _ = small
    inputs, photo = batch(32)
    missing = np.broadcast_to(inputs["mask"] > 0, photo.shape)
    hidden = guess_of(model, {"masked": photo, "mask": inputs["mask"]})
    np.testing.assert_array_equal(guess_of(model, inputs)[missing], hidden[missing])


def test_one_photo_gets_one_answer_whatever_stands_beside_it(small):
    model, _ = small
    (inputs, _), (others, _) = batch(32), batch(32, seed=1)
    together = {k: np.concatenate([inputs[k], others[k]]) for k in inputs}
    np.testing.assert_allclose(guess_of(model, together)[:2], guess_of(model, inputs), atol=1e-5)


def test_the_mirror_image_is_completed_as_the_mirror_image(small):
    model, _ = small
    inputs, _ = batch(32)
    mirrored = {k: x[:, :, ::-1] for k, x in inputs.items()}
    np.testing.assert_allclose(
        guess_of(model, mirrored)[:, :, ::-1], guess_of(model, inputs), atol=1e-5
    )


def test_moved_and_back_a_photo_lacks_nothing_but_its_edge():
    _, photo = batch(32)
    photo = ops.convert_to_tensor(photo)
    there = unet.moved({"masked": photo}, 3)["masked"]
    np.testing.assert_array_equal(there[:, 3:, 3:], photo[:, :-3, :-3])
    np.testing.assert_array_equal(there[:, 2, 3:], photo[:, 0, :-3])  # mirrored at the edge
    np.testing.assert_array_equal(unet.moved_back(there, 3)[:, :-3, :-3], photo[:, :-3, :-3])


@pytest.mark.parametrize(("patch", "places"), [(2, [0]), (4, [0, 2])])
def test_a_guess_is_the_mean_of_two_views_or_four(patch, places):
    keras.utils.set_random_seed(0)
    model = unet.UNet(32, patch, (4, 8))
    for variable in model.network.weights:
        variable.assign(keras.random.uniform(variable.shape, 0.1, 0.5))
    inputs, _ = batch(32)
    views = []
    for flip in (1, -1):  # as it is, mirrored
        for pixels in places:  # as it is, moved by half a patch
            pad = ((0, 0), (pixels, 0), (pixels, 0), (0, 0))
            view = {k: np.pad(x[:, :, ::flip], pad, "symmetric") for k, x in inputs.items()}
            view = {k: x[:, :32, :32] for k, x in view.items()}
            guess = ops.convert_to_numpy(model.network(view, training=False))[:, pixels:, pixels:]
            guess = np.pad(guess, ((0, 0), (0, pixels), (0, pixels), (0, 0)), "symmetric")
            views.append(guess[:, :, ::flip])
    np.testing.assert_allclose(
        guess_of(model, inputs), np.mean(views, axis=0), rtol=1e-4, atol=1e-4
    )


def test_a_step_moves_every_weight(small):
    model, before = small
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.abs(ops.convert_to_numpy(variable) - old).max() > 0, variable.path


def test_the_loss_is_the_squared_error_of_the_missing_pixels_alone():
    inputs, photo = (keras.tree.map_structure(ops.convert_to_tensor, x) for x in batch(32))
    model = unet.UNet(**small_network())
    guess = photo + 0.1 * inputs["mask"] - 0.5 * (1 - inputs["mask"])
    assert float(model.compute_loss(inputs, photo, guess)) == pytest.approx(0.01, rel=1e-4)


def test_grown_it_says_of_an_enlarged_photo_what_the_small_one_says_of_the_small():
    keras.utils.set_random_seed(0)
    small, large = unet.UNet(64, 2, (4, 8)), unet.UNet(128, 4, (4, 8))
    for variable in small.network.weights:
        variable.assign(keras.random.uniform(variable.shape, 0.1, 0.5))
    unet.grow(large, small)
    _, photo = batch(64)
    enlarged = photo.repeat(2, axis=1).repeat(2, axis=2)

    def residual(model, photo):  # nothing is missing: the fill is the photo
        return guess_of(model.network, {"masked": photo, "mask": 0 * photo[..., :1]}) - photo

    expected = residual(small, photo).repeat(2, axis=1).repeat(2, axis=2)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(residual(large, enlarged), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("smaller", [(32, 1, (4, 8)), (64, 2, (4, 4)), (64, 4, (4, 8))])
def test_what_does_not_fit_does_not_grow(smaller):
    with pytest.raises(ValueError, match="cannot grow into one of"):
        unet.grow(unet.UNet(128, 4, (4, 8)), unet.UNet(*smaller))


def test_saved_and_loaded_it_gives_the_same_guess(small, tmp_path):
    model, _ = small
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    inputs, _ = batch(32)
    assert loaded.settings == model.settings
    np.testing.assert_array_equal(guess_of(loaded, inputs), guess_of(model, inputs))


def test_the_other_backend_says_the_same(small, tmp_path):
    model, _ = small
    inputs, _ = batch(32)
    other = call_on_the_other_backend(model, "recon.models.unet", inputs, tmp_path)
    np.testing.assert_allclose(guess_of(model, inputs), other, atol=1e-4)


def test_known_pixels_come_back_bit_for_bit(small):
    model, _ = small
    inputs, photo = batch(32)
    completed = methods.learned_method("small", model)(inputs["masked"], inputs["mask"])
    known = np.broadcast_to(inputs["mask"] == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_it_learns_a_photo_and_its_mirror_image_by_heart(precision):
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_dtype_policy(precision)
    try:
        model = unet.UNet(32, 2, (16, 32))
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    model.compile(keras.optimizers.Adam(5e-3))
    photo = np.stack([safari.draw(0, 32), safari.draw(0, 32)[:, ::-1]]) / np.float32(255)
    inputs, _ = batch(32)
    mask = inputs["mask"][0]
    inputs["mask"] = np.stack([mask, mask[:, ::-1]])
    inputs["masked"] = photo * (1 - inputs["mask"])

    def error():  # of what it was shown: moved by half a patch it has not seen the photo
        guess = ops.cast(model.network(inputs, training=False), "float32")
        return float(model.compute_loss(inputs, photo, guess)) ** 0.5

    before = error()
    often = keras.tree.map_structure(lambda x: np.tile(x, (100, 1, 1, 1)), (inputs, photo))
    model.fit(*often, batch_size=2, verbose=0, shuffle=False)
    assert error() < before / 3
