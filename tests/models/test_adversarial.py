"""recon.models.adversarial: calls that share one reading of a network are the same calls."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from recon.models.adversarial import call_frozen, read_once

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="looks into TensorFlow's graph"
)
PHOTO, FAKE = np.random.default_rng(0).random((2, 3, 8, 8, 3), "float32")


def judge():
    """A network with a kernel, and with statistics that move."""
    keras.utils.set_random_seed(0)
    photo = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(photo)
    x = layers.BatchNormalization(momentum=0.5)(x)
    return keras.Model(photo, layers.Conv2D(1, 3)(x))


def looks(network):
    """What pix2pix asks of its judge."""
    return network(PHOTO, training=True), network(FAKE, training=True), call_frozen(network, FAKE)


def test_scores_and_statistics_are_those_of_calls_on_their_own():
    plain, once = judge(), judge()
    expected = looks(plain)
    with read_once(once):
        scores = looks(once)
    for one, other in zip(scores, expected, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))
    start = judge().get_weights()
    for one, other, before in zip(once.weights, plain.weights, start, strict=True):
        now = ops.convert_to_numpy(one)
        np.testing.assert_array_equal(now, ops.convert_to_numpy(other), err_msg=one.path)
        assert (now != before).any() == (not one.trainable), one.path  # photo's, then the fake's


def test_within_another_scope_statistics_go_there():
    """As in a step on JAX, which is handed all variables and hands them back."""
    network = judge()
    before = network.get_weights()
    with keras.StatelessScope() as outer, read_once(network):
        looks(network)
    for variable, value in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value)
    expected = judge()
    looks(expected)
    for variable, other in zip(
        network.non_trainable_variables, expected.non_trainable_variables, strict=True
    ):
        noted = ops.convert_to_numpy(outer.get_current_value(variable))
        np.testing.assert_array_equal(noted, ops.convert_to_numpy(other))


def test_a_call_that_fails_leaves_the_network_alone():
    network = judge()
    before = network.get_weights()

    def fail():
        with read_once(network):
            looks(network)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    for now, value in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, value)


@needs_tensorflow
def test_each_weight_is_read_once_in_a_graph():
    """So that TensorFlow can tell that two looks at a fake are one."""
    import tensorflow as tf

    network = judge()

    def shared():
        with read_once(network):
            return looks(network)

    def reads(function) -> set[int]:
        """How often a weight is read, of all weights."""
        graph = tf.function(function).get_concrete_function().graph
        weights = [graph.capture(v.value.handle) for v in network.trainable_variables]
        read = [op.inputs[0] for op in graph.get_operations() if op.type == "ReadVariableOp"]
        return {sum(one is weight for one in read) for weight in weights}

    assert reads(shared) == {1}
    assert reads(lambda: looks(network)) == {3}
