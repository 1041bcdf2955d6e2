"""What makes a GAN an ordinary `fit()`: one sum of losses in which each player moves itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras import ops


def call_frozen(network: keras.Model, inputs, training: bool = True):
    """Call a network whose own weights must not be moved by what follows.

    The generator is trained *through* the discriminator: the gradient flows through its layers to
    their input, and stops at their weights. Its running statistics stay as they are, too.

    Args:
        network: a built model.
        inputs: what it takes.
        training: whether it normalises by the batch's own statistics.

    Returns:
        what it says.
    """
    weights = [ops.stop_gradient(v) for v in network.trainable_variables]
    outputs, _ = network.stateless_call(
        weights, network.non_trainable_variables, inputs, training=training
    )
    return outputs


@contextmanager
def read_once(network: keras.Model) -> Iterator[None]:
    """Within the block, all calls of a network work with one reading of its variables.

    Both players look at the same fake, with the same numbers up to the scores. A compiler sees that
    only where both looks take their weights from one place; then it computes them once.

    What the calls note in the network's variables, batch normalisation's statistics for example, is
    written back at the end, each call's upon that of the one before.

    Args:
        network: a built model.
    """
    read = [(variable, ops.copy(variable)) for variable in network.variables]
    with keras.StatelessScope(state_mapping=read) as scope:
        yield
    for variable in network.non_trainable_variables:
        variable.assign(scope.get_current_value(variable))
