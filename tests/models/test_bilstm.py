"""recon.models.bilstm: the LSTM from its equations, the whole photo's field, shapes and weights."""

import keras
import numpy as np
import pytest
from backends import call_on_the_other_backend
from keras import layers, ops
from keras.src.saving import serialization_lib

from recon import methods
from recon.models import bilstm

# One step is not worth a graph of TensorFlow's; JAX without its compiler scans at a snail's pace.
EAGER = keras.backend.backend() == "tensorflow"


def batch(size, count=2, seed=0):
    """Photos with a hole each: what the pipeline gives."""
    generator = np.random.default_rng(seed)
    photo = generator.random((count, size, size, 3), "float32")
    mask = np.zeros((count, size, size, 1), "float32")
    mask[:, size // 4 : size // 2, size // 8 : size // 2] = 1
    return {"masked": photo * (1 - mask), "mask": mask}, photo


def guess_of(model, inputs):
    return ops.convert_to_numpy(model(inputs, training=False))


@pytest.fixture(scope="module")
def small():
    """A narrow model of one training step, and its weights before."""
    keras.utils.set_random_seed(0)
    model = bilstm.BiLSTM(32, hidden=4)
    model.compile(keras.optimizers.Adam(1e-3), run_eagerly=EAGER)
    before = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    inputs, photo = batch(32)
    model.fit(inputs, photo, batch_size=2, verbose=0)
    return model, before


# One row of pixels


def numpy_lstm(row, kernel, recurrent_kernel, bias):
    """One row `(W, C)`, one unit at a time, as slow as it gets."""
    units = len(recurrent_kernel)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    h, c, said = np.zeros(units), np.zeros(units), []
    for x in row.astype("float64"):
        before = h.copy()
        for unit in range(units):
            write, keep, candidate, tell = (
                sum(x[i] * kernel[i, gate * units + unit] for i in range(len(x)))
                + sum(before[j] * recurrent_kernel[j, gate * units + unit] for j in range(units))
                + bias[gate * units + unit]
                for gate in range(4)
            )
            c[unit] = sigmoid(keep) * c[unit] + sigmoid(write) * np.tanh(candidate)
            h[unit] = sigmoid(tell) * np.tanh(c[unit])
        said.append(h.copy())
    return np.stack(said)


@pytest.fixture
def row_and_weights():
    """Two rows of seven pixels of four channels, and weights of two LSTMs of three units."""
    generator = np.random.default_rng(0)

    def normal(*shape):
        return generator.normal(size=shape).astype("float32")

    both = [(normal(4, 12), normal(3, 12), normal(12)) for _ in range(2)]
    return normal(2, 7, 4), *both


def test_scan_row_equals_numpy_unit_by_unit(row_and_weights):
    row, weights, _ = row_and_weights
    said = ops.convert_to_numpy(bilstm.scan_row(ops.convert_to_tensor(row), *weights))
    np.testing.assert_allclose(said, [numpy_lstm(one, *weights) for one in row], atol=1e-5)


def test_backwards_is_the_mirrored_row_read_forwards(row_and_weights):
    row, weights, _ = row_and_weights
    said = bilstm.scan_row(ops.convert_to_tensor(row), *weights, backwards=True)
    expected = np.stack([numpy_lstm(one[::-1], *weights)[::-1] for one in row])
    np.testing.assert_allclose(ops.convert_to_numpy(said), expected, atol=1e-5)


def test_scan_both_ways_equals_keras_on_the_same_weights(row_and_weights):
    row, forward, backward = row_and_weights
    layer = layers.Bidirectional(layers.LSTM(3, return_sequences=True))
    layer.build(row.shape)
    layer.set_weights([*forward, *backward])
    said = bilstm.scan_both_ways(ops.convert_to_tensor(row), forward, backward)
    np.testing.assert_allclose(
        ops.convert_to_numpy(said), ops.convert_to_numpy(layer(row)), atol=1e-5
    )


def test_left_half_knows_the_left_and_right_half_the_right(row_and_weights):
    row, forward, backward = row_and_weights
    changed = row.copy()
    changed[:, 3] += 1

    def said(pixels):
        return ops.convert_to_numpy(
            bilstm.scan_both_ways(ops.convert_to_tensor(pixels), forward, backward)
        )

    differs = (said(changed) != said(row)).any(axis=0)  # (7, 6)
    assert differs[:, :3].any(axis=1).tolist() == [False] * 3 + [True] * 4
    assert differs[:, 3:].any(axis=1).tolist() == [True] * 4 + [False] * 3


def test_row_model_completes_a_row_from_that_row_alone():
    keras.utils.set_random_seed(0)
    model = bilstm.row_model(16, hidden=4)
    # By hand: two LSTMs of 4·4 gates on 4 channels, 4 units and a bias, then 8 to 3 colours.
    assert model.count_params() == 2 * 16 * (4 + 4 + 1) + 3 * (8 + 1)
    inputs, _ = batch(16, 1)
    rows = {name: array[0] for name, array in inputs.items()}  # 16 rows
    before = guess_of(model, rows)
    assert before.shape == (16, 16, 3)
    assert before.min() >= 0
    assert before.max() <= 1
    rows["masked"][5, 12] += 0.5
    changed = (guess_of(model, rows) != before).any(axis=-1)
    assert changed[5].all()
    assert not np.delete(changed, 5, axis=0).any()


# The whole photo


@pytest.mark.parametrize("size", bilstm.SIZES)
def test_it_takes_every_size(size):
    network = bilstm.renet(size, hidden=2)
    assert network.output_shape == (None, size, size, 3)


@pytest.mark.parametrize("size", [0, 31, 48, 66, 1024])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"size {size}: must be one of 32, 64, 128, 256, 512"):
        bilstm.BiLSTM(size)


def test_weights_at_256_by_hand():
    patch = 4 * 4 * 4  # pixels of a patch, with their colours and mask
    embedding = patch * 128 + 128
    lstm = 4 * 64 * (128 + 64 + 1)  # four gates see the input, the last output, and a bias
    pixels = 128 * 48 + 48
    assert bilstm.build(256).network.count_params() == embedding + 4 * 2 * lstm + pixels == 409_776


def test_rows_are_read_along_the_width_and_columns_along_the_height():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).random((1, 5, 6, 3), "float32")
    changed = x.copy()
    changed[0, 2, 4] += 1
    place = layers.Input((5, 6, 3))
    for read, seen in ((bilstm.read_rows, np.s_[2, :]), (bilstm.read_columns, np.s_[:, 4])):
        network = keras.Model(place, read(2)(place))
        differs = (guess_of(network, changed) != guess_of(network, x))[0].any(axis=-1)  # (5, 6)
        expected = np.zeros((5, 6), bool)
        expected[seen] = True
        np.testing.assert_array_equal(differs, expected)


def test_depth_to_space_lays_out_patch_by_patch():
    x = np.arange(2 * 3 * 12, dtype="float32").reshape(1, 2, 3, 12)
    expected = np.zeros((1, 4, 6, 3), "float32")
    for row, column in np.ndindex(4, 6):
        channels = (row % 2 * 2 + column % 2) * 3
        expected[0, row, column] = x[0, row // 2, column // 2, channels : channels + 3]
    laid_out = bilstm.depth_to_space(ops.convert_to_tensor(x), 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(laid_out), expected)


def test_one_known_pixel_reaches_every_pixel_of_the_guess():
    keras.utils.set_random_seed(0)
    network = bilstm.renet(32, hidden=8)
    inputs, _ = batch(32, 1)
    before = guess_of(network, inputs)
    inputs["masked"][0, 30, 1] = 1 - inputs["masked"][0, 30, 1]
    assert (guess_of(network, inputs) != before).any(axis=-1).all()


def test_hidden_pixels_do_not_reach_the_network(small):
    model, _ = small
    inputs, photo = batch(32)
    hidden = guess_of(model, {"masked": photo, "mask": inputs["mask"]})
    np.testing.assert_array_equal(guess_of(model, inputs), hidden)


def test_one_photo_gets_one_answer_whatever_stands_beside_it(small):
    model, _ = small
    (inputs, _), (others, _) = batch(32), batch(32, seed=1)
    together = {k: np.concatenate([inputs[k], others[k]]) for k in inputs}
    np.testing.assert_allclose(guess_of(model, together)[:2], guess_of(model, inputs), atol=1e-6)


def test_guess_lies_between_0_and_1_as_float32(small):
    model, _ = small
    inputs, _ = batch(32)
    guess = guess_of(model, {k: 100 * v for k, v in inputs.items()})  # far outside of all seen
    assert guess.dtype == "float32"
    assert guess.min() >= 0
    assert guess.max() <= 1


# Training


def test_a_step_moves_every_weight(small):
    model, before = small
    assert len(before) == 2 + 4 * 6 + 2
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.abs(ops.convert_to_numpy(variable) - old).max() > 0, variable.path


def test_the_loss_is_the_mean_square_over_missing_pixels(small):
    model, _ = small
    inputs, photo = batch(32)
    error = np.random.default_rng(1).normal(size=photo.shape).astype("float32")
    missing = np.repeat(inputs["mask"], 3, axis=-1) == 1
    loss = model.compute_loss(
        inputs, ops.convert_to_tensor(photo), ops.convert_to_tensor(photo + error)
    )
    assert float(loss) == pytest.approx(np.square(error[missing]).mean(), rel=1e-4)


def test_it_learns_one_photo_by_heart():
    keras.utils.set_random_seed(0)
    model = bilstm.BiLSTM(32, hidden=16, patch=8)
    model.compile(keras.optimizers.Adam(1e-2))
    corners = np.random.default_rng(0).random((1, 2, 2, 3), "float32")  # four colours, blended
    photo = ops.convert_to_numpy(ops.image.resize(corners, (32, 32)))
    inputs, _ = batch(32, 1)
    inputs["masked"] = photo * (1 - inputs["mask"])

    def error():
        missing = np.repeat(inputs["mask"], 3, axis=-1) == 1
        return np.sqrt(np.square(guess_of(model, inputs) - photo)[missing].mean())

    before = error()
    often = keras.tree.map_structure(lambda x: np.tile(x, (100, 1, 1, 1)), (inputs, photo))
    model.fit(*often, batch_size=1, verbose=0)
    assert error() < before / 5


def test_saved_and_loaded_it_gives_the_same_guess(small, tmp_path):
    model, _ = small
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inputs, _ = batch(32)
    assert loaded.settings == model.settings
    np.testing.assert_array_equal(guess_of(loaded, inputs), guess_of(model, inputs))


def test_trained_in_16_bits_it_is_read_in_the_readers_precision(tmp_path):
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = bilstm.BiLSTM(32, hidden=2)
        inputs, photo = batch(32)
        model.compile(keras.optimizers.Adam(1e-3), run_eagerly=EAGER)
        model.fit(inputs, photo, batch_size=2, verbose=0)
        assert model(inputs).dtype == "float32"  # a guess is float32 always
        model.save(tmp_path / "model.keras")
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert {layer.compute_dtype for layer in (loaded, *loaded.network.layers)} == {"float32"}


def test_known_pixels_come_back_bit_for_bit(small):
    model, _ = small
    inputs, photo = batch(32)
    completed = methods.learned_method("small", model)(inputs["masked"], inputs["mask"])
    known = np.broadcast_to(inputs["mask"] == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])


def test_layers_made_while_a_model_is_loaded_are_never_taken_for_each_other():
    """Keras then knows objects by their address, which is used again once one is let go."""
    with serialization_lib.ObjectSharingScope():
        made = [bilstm.both_ways(2) for _ in range(100)]
    assert all(not m.forward_layer.go_backwards and m.backward_layer.go_backwards for m in made)
    ways = [layer for m in made for layer in (m.forward_layer, m.backward_layer)]
    assert len(set(map(id, ways))) == 200


def test_the_other_backend_says_the_same(small, tmp_path):
    model, _ = small
    inputs, _ = batch(32)
    theirs = call_on_the_other_backend(model, "recon.models.bilstm", inputs, tmp_path)
    np.testing.assert_allclose(theirs, guess_of(model, inputs), atol=1e-4)
