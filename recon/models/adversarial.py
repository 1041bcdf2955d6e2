"""What makes a GAN an ordinary `fit()`: one sum of losses in which each player moves itself."""

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
