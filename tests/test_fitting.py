"""recon.fitting: the schedule, averaged weights, and randomness that an epoch decides."""

import signal

import keras
import numpy as np
import pytest
from keras import layers, ops

from recon import fitting


@pytest.mark.parametrize("decay_from", [0, 0.25, 0.5, 0.9])
def test_the_rate_is_constant_and_then_falls_to_nought_along_a_line(decay_from):
    schedule = fitting.LinearDecay(2e-4, decay_from, 200)
    for step in range(0, 201, 5):
        done = step / 200
        expected = 2e-4 if done <= decay_from else 2e-4 * (1 - done) / (1 - decay_from)
        assert float(schedule(step)) == pytest.approx(expected, rel=1e-5, abs=1e-12)
    assert float(schedule(300)) == 0  # past the end


def test_the_papers_schedule():
    """200 epochs of 10 steps: constant for 100, half of the rate left after 150."""
    schedule = fitting.LinearDecay(2e-4, 0.5, 2000)
    rates = [float(schedule(10 * epoch)) for epoch in (0, 99, 150, 200)]
    assert rates == pytest.approx([2e-4, 2e-4, 1e-4, 0])


def test_a_schedule_survives_being_saved():
    schedule = fitting.LinearDecay(2e-4, 0.5, 2000)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config()


def test_adam_is_the_papers():
    optimizer = fitting.optimizer("adam", 2e-4, 0.5, 1, 0, 100)
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.use_ema) == (0.5, 0.999, False)
    assert float(optimizer.learning_rate) == pytest.approx(2e-4)
    assert fitting.optimizer("adam", 2e-4, 0.5, 1, 0.9, 100).ema_momentum == 0.9
    decaying = fitting.optimizer("adam", 2e-4, 0.5, 0.5, 0, 100)
    decaying.build([keras.Variable(np.zeros(2))])
    decaying.iterations.assign(75)
    assert float(decaying.learning_rate) == pytest.approx(1e-4)


def stepped(optimizer, gradients, compiled):
    """Weights and moments after one step for each of some gradients, from the same start."""
    rng = np.random.default_rng(1)
    weights = [keras.Variable(rng.normal(size=g.shape).astype("float32")) for g in gradients[0]]
    optimizer.build(weights)

    def step(given):
        optimizer.apply(given, weights)

    if compiled and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        step = tf.function(step)
    for given in gradients:
        step([ops.convert_to_tensor(g) for g in given])
    return [ops.convert_to_numpy(v) for v in (*weights, *optimizer.variables)]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "settings", [{}, {"weight_decay": 0.1}, {"use_ema": True}, {"clipnorm": 1}]
)
def test_adam_is_kerass_to_rounding(settings, compiled):
    rng = np.random.default_rng(0)
    shapes = [(3, 3, 5, 7), (1000, 33), (11,), ()]
    gradients = [[rng.normal(size=s).astype("float32") for s in shapes] for _ in range(5)]
    ours, kerass = (
        stepped(kind(0.01, beta_1=0.5, **settings), gradients, compiled)
        for kind in (fitting.Adam, keras.optimizers.Adam)
    )
    assert len(ours) == len(kerass)
    for one, other in zip(ours, kerass, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_adam_is_the_papers_formula():
    rng = np.random.default_rng(2)
    weight, mean, square = rng.normal(size=20), np.zeros(20), np.zeros(20)
    variable = keras.Variable(weight.astype("float32"))
    optimizer = fitting.Adam(0.1, beta_1=0.5, beta_2=0.9)
    for step in range(1, 6):
        gradient = rng.normal(size=20)
        mean = 0.5 * mean + 0.5 * gradient
        square = 0.9 * square + 0.1 * gradient**2
        rate = 0.1 * (1 - 0.9**step) ** 0.5 / (1 - 0.5**step)
        weight = weight - rate * mean / (square**0.5 + 1e-7)
        optimizer.apply([ops.convert_to_tensor(gradient, "float32")], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), weight, rtol=1e-4, atol=1e-6)


def test_adam_moves_the_rows_of_an_embedding_as_kerass():
    seen = {}
    for kind in (fitting.Adam, keras.optimizers.Adam):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([layers.Input((2,)), layers.Embedding(9, 3), layers.Flatten()])
        model.compile(kind(0.1), "mse")
        words, wanted = np.array([[1, 4], [4, 7]]), np.ones((2, 6))
        model.fit(words, wanted, epochs=3, verbose=0)
        seen[kind] = ops.convert_to_numpy(model.trainable_variables[0])
    np.testing.assert_allclose(*seen.values(), rtol=1e-5, atol=1e-7)


def test_adam_is_saved_and_loaded_and_goes_on_from_where_it_was(tmp_path):
    x, y = np.random.default_rng(0).random((2, 4, 1), "float32")
    keras.utils.set_random_seed(0)
    model = one_weight(0)
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is fitting.Adam
    for each in (model, again):
        each.fit(x, y, epochs=2, verbose=0)
    for one, other in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))


def test_weights_decay_by_a_part_of_the_rate():
    variable = keras.Variable(np.array([1.0, -2.0], "float32"))
    optimizer = fitting.optimizer("muon", 0.1, 0.9, 1, 0, 10, weight_decay=0.5)
    optimizer.apply([ops.zeros(2)], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), [0.95, -1.9], rtol=1e-6)


@pytest.mark.parametrize("shape", [(40, 9), (9, 40), (16, 16)])
def test_orthogonalised_singular_values_are_about_one_and_keep_their_directions(shape):
    left, values, right = np.linalg.svd(np.random.default_rng(0).normal(size=shape), False)
    matrix = (left * np.geomspace(1, 0.02, len(values))) @ right
    found = ops.convert_to_numpy(fitting.orthogonalise(ops.convert_to_tensor(matrix, "float32")))
    inside = left.T @ found @ right.T  # diagonal, if the directions are what they were
    assert np.abs(inside - np.diag(np.diag(inside))).max() < 1e-4
    assert 0.5 < np.diag(inside).min() < np.diag(inside).max() < 1.3


def test_muon_moves_a_wide_kernel_by_an_orthogonal_matrix_and_all_else_as_adam():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=s).astype("float32") for s in ((3, 3, 64, 80), (3, 3, 4, 64), (64,))]
    gradients = [rng.normal(size=value.shape).astype("float32") for value in start]
    moved = {}
    for name in ("muon", "adam"):
        weights = [keras.Variable(value) for value in start]
        fitting.optimizer(name, 0.01, 0.9, 1, 0, 100).apply(
            [ops.convert_to_tensor(g) for g in gradients], weights
        )
        moved[name] = [ops.convert_to_numpy(w) - s for w, s in zip(weights, start, strict=True)]
    for ours, adams in zip(moved["muon"][1:], moved["adam"][1:], strict=True):
        np.testing.assert_allclose(ours, adams, rtol=1e-2, atol=1e-5)  # the first step: ±0.01
    step = moved["muon"][0].reshape(-1, 80)
    left, _, right = np.linalg.svd(gradients[0].reshape(-1, 80), False)
    towards = np.diag(left.T @ step @ right.T) / (-0.01 * 0.2 * 576**0.5)
    assert 0.5 < towards.min() < towards.max() < 1.3
    assert np.sqrt(np.mean(step**2)) == pytest.approx(0.01 * 0.2, rel=0.3)  # Moonlight's length


def test_muon_is_saved_and_loaded():
    optimizer = fitting.optimizer("muon", 2e-3, 0.95, 0.0, 0, 100)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert isinstance(again, fitting.Muon)
    assert again.get_config() == optimizer.get_config()


def one_weight(ema, wrap=lambda optimizer: optimizer):
    model = keras.Sequential([layers.Input((1,)), layers.Dense(1, use_bias=False)])
    model.compile(wrap(fitting.optimizer("adam", 0.1, 0.5, 1, ema, 10)), "mse")
    return model


@pytest.mark.parametrize("wrap", [lambda o: o, keras.optimizers.LossScaleOptimizer])
def test_averages_stand_in_for_weights_and_give_way_again(wrap):
    model = one_weight(0.9, wrap)
    weight = model.trainable_variables[0]
    seen = []
    for _ in range(4):
        model.train_on_batch(np.ones((1, 1)), np.ones((1, 1)) * 5)
        seen.append(float(ops.squeeze(weight)))
    expected = seen[0]
    for value in seen[1:]:
        expected = 0.9 * expected + 0.1 * value
    with fitting.averaged(model):
        assert float(ops.squeeze(weight)) == pytest.approx(expected, rel=1e-5)
        assert float(ops.squeeze(weight)) != seen[-1]
    assert float(ops.squeeze(weight)) == seen[-1]  # exactly: a swap by sums would round
    with pytest.raises(RuntimeError), fitting.averaged(model):
        raise RuntimeError
    assert float(ops.squeeze(weight)) == seen[-1]  # whatever happens within


def test_without_averages_weights_stay_what_they_are():
    model = one_weight(0)
    before = model.get_weights()
    with fitting.averaged(model):
        np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_validation_sees_the_averages_and_training_does_not():
    model = one_weight(0.9)
    seen = {}

    class Watch(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            seen["test"] = float(ops.squeeze(self.model.trainable_variables[0]))

        def on_epoch_end(self, epoch, logs=None):
            seen["after"] = float(ops.squeeze(self.model.trainable_variables[0]))

    x, y = np.ones((6, 1)), np.full((6, 1), 5.0)
    callbacks = [fitting.ValidateAveraged(), Watch()]
    model.fit(x, y, 1, verbose=0, validation_data=(x, y), callbacks=callbacks)
    final = float(ops.squeeze(model.trainable_variables[0]))  # fit ends with the averages
    assert seen["test"] == pytest.approx(final)
    assert seen["after"] != pytest.approx(final)


def noisy():
    model = keras.Sequential(
        [layers.Input((50,)), layers.Dropout(0.5), layers.GaussianNoise(1.0), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


def noise_of(epoch, seed=0, spent=0):
    """What a noisy model makes of ones at the beginning of an epoch."""
    keras.utils.set_random_seed(3)
    model = noisy()
    reseed = fitting.Reseed(seed)
    reseed.set_model(model)
    for _ in range(spent):
        model(np.ones((1, 50)), training=True)
    reseed.on_epoch_begin(epoch)
    return ops.convert_to_numpy(model(np.ones((1, 50)), training=True))


def test_an_epochs_noise_does_not_depend_on_what_came_before():
    np.testing.assert_array_equal(noise_of(4), noise_of(4, spent=3))


def test_epochs_and_seeds_make_different_noise():
    values = {float(noise_of(epoch, seed)[0, 0]) for epoch in (0, 1, 2) for seed in (0, 1, 2)}
    assert len(values) == 9


def test_every_generator_has_a_state_of_its_own():
    model = noisy()
    reseed = fitting.Reseed(0)
    reseed.set_model(model)
    reseed.on_epoch_begin(0)
    states = [tuple(ops.convert_to_numpy(state)) for state in fitting.seed_states(model)]
    assert len(states) == 2  # dropout's and the noise's
    assert states[0] != states[1]


def test_a_finite_loss_goes_on(tmp_path):
    stop = fitting.StopAtNaN(tmp_path)
    stop.on_epoch_begin(0)
    stop.on_train_batch_end(0, {"loss": 1e30})
    stop.on_epoch_end(0, {"loss": 1e30})


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_names_its_step(tmp_path, loss):
    stop = fitting.StopAtNaN(tmp_path)
    stop.on_epoch_begin(6)
    with pytest.raises(fitting.Diverged, match=f"the loss is {loss} at step 5 of epoch 7; no epo"):
        stop.on_train_batch_end(4, {"loss": loss})


def test_ctrl_c_waits_for_the_step_and_a_second_one_does_not():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with fitting.StopAtCtrlC() as stop:
            stop.on_train_batch_end(0, {})
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                stop.on_train_batch_end(1, {})
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does in the background
        with fitting.StopAtCtrlC() as stop:
            signal.raise_signal(signal.SIGINT)
            stop.on_train_batch_end(0, {})
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
