"""A network that compiles in a second, with all that makes a resume hard.

Dropout draws, batch normalisation keeps statistics, Adam keeps moments.
"""

import keras
from keras import layers, ops

from recon import metrics
from recon.models import blocks


@keras.saving.register_keras_serializable("tests")
class Tiny(keras.Model):
    """`{"masked", "mask"} -> guess`, as every model of recon."""

    def __init__(self, size=32, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        masked = layers.Input((size, size, 3), name="masked")
        mask = layers.Input((size, size, 1), name="mask")
        x = blocks.downsample(4)(layers.Concatenate()([masked, mask]))  # (B, S/2, S/2, 4)
        x = blocks.upsample(4, dropout=0.5)(x)  # (B, S, S, 4)
        guess = layers.Conv2D(3, 3, padding="same", activation="sigmoid", dtype="float32")(x)
        self.network = keras.Model({"masked": masked, "mask": mask}, guess)
        self.l1 = keras.losses.MeanAbsoluteError()
        self.rmse = metrics.BoxRMSE()

    def call(self, inputs, training=False):
        return self.network(inputs, training=training)  # (B, S, S, 3)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return self.l1(y, y_pred)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.rmse.update_state(y, ops.cast(y_pred, "float32"), x["mask"])
        return self.get_metrics_result()

    def get_config(self):
        return {**super().get_config(), "size": self.size}


SIZES = (32, 64, 256)


def recipe(size):
    return {
        "epochs": 3,
        "batch_size": 2,
        "learning_rate": 1e-2,
        "beta_1": 0.5,
        "decay_from": 0.5,
        "ema": 0.9,
        "objective": "bce",
    }


def build(size, objective):
    return Tiny(size)


def grow(model, smaller):
    model.set_weights(smaller.get_weights())  # convolutions take photos of any size
