"""From bytes and corners, which travel, to photos and masks, which a model sees.

A batch travels as uint8 photos with the corners of their boxes, or, where all photos lie on the
device, as nothing but numbers that say what to show of them. Division by 255, boxes and masked
photo are made inside the compiled step, on any backend.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers, ops

from recon import boxes, devices


def paint(corners, size: int):
    """Paint boxes of side `boxes.side(size)`, as `boxes.rasterise` does.

    Args:
        corners: int `(B, count, 2)`, row and column of every box's top-left pixel.
        size: height and width of the mask.

    Returns:
        float32 `(B, size, size, 1)`, 1 = missing.
    """
    place = ops.arange(size, dtype=corners.dtype)
    first = ops.expand_dims(corners, -1)  # (B, count, 2, 1)
    inside = ops.logical_and(place >= first, place < first + boxes.side(size))
    rows, columns = inside[:, :, 0, :, None], inside[:, :, 1, None, :]
    missing = ops.any(ops.logical_and(rows, columns), axis=1)  # (B, size, size)
    return ops.cast(missing, "float32")[..., None]


def views(photos, index, cut, mirrored, size: int):
    """Look squares up in photos, some of them in a mirror: one gather for the whole batch.

    Args:
        photos: `(N, S, S, 3)`; all together at most 2³¹ pixels.
        index: int32 `(B,)`, which photo.
        cut: int32 `(B, 2)`, row and column of the square's top-left pixel.
        mirrored: bool `(B,)`, whether left and right are exchanged.
        size: height and width of the squares.

    Returns:
        `(B, size, size, 3)`, of the photos' type.
    """
    side, place = photos.shape[1], ops.arange(size, dtype="int32")
    row = cut[:, :1] + place  # (B, size)
    column = cut[:, 1:] + ops.where(mirrored[:, None], size - 1 - place, place)
    line = index[:, None] * side + row
    pixel = line[:, :, None] * side + column[:, None, :]  # (B, size, size)
    return ops.take(ops.reshape(photos, (-1, 3)), pixel, axis=0)


def zoomed(photos, cut, sides, mirrored, size: int):
    """Cut rectangles out of photos and resize them to squares, some of them in a mirror.

    Every line of the result is a weighted mean of the photo's lines, and so is every column: two
    products of matrices for each photo. The weights are those of linear interpolation, spread as
    far as pixels grow where they are reduced, as in Pillow's `Image.resize(..., BILINEAR, box)`.

    Args:
        photos: float32 `(B, S, S, 3)` in [0, 1].
        cut: int32 `(B, 2)`, row and column of the rectangle's top-left pixel.
        sides: int32 `(B, 2)`, its height and width, at most S.
        mirrored: bool `(B,)`, whether left and right are exchanged.
        size: height and width of the result.

    Returns:
        float32 `(B, size, size, 3)` in [0, 1].
    """
    place = ops.arange(photos.shape[1], dtype="float32")
    pixel = ops.cast(sides, "float32")[:, :, None, None] / size  # of the result, in the photo
    centre = (ops.arange(size, dtype="float32")[:, None] + 0.5) * pixel - 0.5  # (B, 2, size, 1)
    distance = place - centre - ops.cast(cut, "float32")[:, :, None, None]  # (B, 2, size, S)
    weight = ops.relu(1 - ops.abs(distance) / ops.maximum(pixel, 1.0))
    weight = weight / ops.sum(weight, axis=-1, keepdims=True)  # less of it lies in at the edges
    rows, columns = weight[:, 0], weight[:, 1]
    columns = ops.where(mirrored[:, None, None], ops.flip(columns, axis=1), columns)

    def lines(weight, photos):  # (B, size, S), (B, S, X, 3) -> (B, X, size, 3), lines as columns
        flat = ops.reshape(photos, (-1, photos.shape[1], photos.shape[2] * 3))
        mean = ops.reshape(ops.matmul(weight, flat), (-1, size, photos.shape[2], 3))
        return ops.transpose(mean, (0, 2, 1, 3))

    # Weights' sums are rounded, and may be a little above 1.
    return ops.minimum(lines(columns, lines(rows, photos)), 1.0)  # (B, size, size, 3)


def adjust_gamma(photo, powers):
    """Make photos darker or brighter, and of another tint: every colour to a power of its own.

    Args:
        photo: `(B, H, W, 3)` in [0, 1].
        powers: `(B, 3)`, above 0; above 1 is darker.

    Returns:
        `(B, H, W, 3)` in [0, 1]; black and white stay.
    """
    return ops.power(photo, powers[:, None, None, :])


def in_one_pass(function: Callable) -> Callable:
    """Have XLA compile a function of arrays, where the step that calls it is not its work.

    TensorFlow's own operations go through all pixels one after another; XLA goes once, which takes
    half of the time.
    """
    if keras.backend.backend() != "tensorflow":  # on JAX every step is XLA's
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


class Feed(layers.Layer):
    """Makes of a batch on the wire what a model sees, and what it is to say.

    Args:
        size: height and width of the photos.
        photos: uint8 `(N, S, S, 3)`, all of them, to keep on the device; None: they travel.
    """

    def __init__(self, size: int, photos: np.ndarray | None = None, **kwargs):
        super().__init__(dtype="float32", **kwargs)  # models make 16 bits of it where they like
        self.size = size
        if photos is not None:
            self.photos = self.add_weight(
                photos.shape, lambda *_, **__: photos, "uint8", trainable=False, name="photos"
            )
        # Were it a constant, XLA would multiply by 1/255, which is not the same in the last bit.
        self.white = self.add_weight((), lambda *_, **__: 255.0, trainable=False, name="white")
        self.call_in_one_pass = in_one_pass(self.unpack)

    def call(self, wire):
        return self.call_in_one_pass(wire)

    def unpack(self, wire):
        """The wire's batch -> `({"masked", "mask"[, "label"]}, photo)`, float32 in [0, 1].

        Args:
            wire: `"photo"`, uint8 `(B, size, size, 3)`, or which part of which resident one:
                `"index"`, `"cut"` and `"mirrored"`, see `views`; with `"sides"` too, photos of any
                size, see `zoomed`; `"corners"`, see `paint`, or a whole `"mask"`, uint8 `(B, size,
                size, 1)`; and maybe `"powers"`, `(B, 3)`, see `adjust_gamma`, and `"label"`,
                `(B,)`.
        """
        if "photo" in wire:
            photo = wire["photo"]
        elif "sides" in wire:
            photo = ops.take(self.photos, wire["index"], axis=0)
        else:
            where = wire["index"], wire["cut"], wire["mirrored"]
            photo = views(ops.convert_to_tensor(self.photos), *where, self.size)
        photo = ops.cast(photo, "float32") / self.white
        if "sides" in wire:
            photo = zoomed(photo, wire["cut"], wire["sides"], wire["mirrored"], self.size)
        if "powers" in wire:
            photo = adjust_gamma(photo, wire["powers"])
        if "mask" in wire:
            mask = ops.cast(wire["mask"], "float32")
        else:
            mask = paint(wire["corners"], self.size)
        inputs = {"masked": photo * (1 - mask), "mask": mask}
        return inputs | {name: wire[name] for name in ("label",) if name in wire}, photo


class Fed(keras.Model):
    """Any model of recon, fed from the wire: plain `fit` of this one trains that one.

    What is saved is the model alone, and a checkpoint of it goes on fed in another way.

    Args:
        model: compiled; takes `{"masked", "mask"}` and maybe a label.
        photos: uint8 `(N, S, S, 3)`, to keep on the device; None: they travel.
    """

    def __init__(self, model: keras.Model, photos: np.ndarray | None = None):
        super().__init__(dtype="float32")
        self.model, self.feed = model, Feed(model.size, photos)
        self.compile(model.optimizer, jit_compile=model.jit_compile)

    def call(self, wire, training=False):
        inputs, photo = self.feed(wire)
        return {"inputs": inputs, "photo": photo, "guess": self.model(inputs, training=training)}

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        seen = y_pred["inputs"], y_pred["photo"], y_pred["guess"]
        return self.model.compute_loss(*seen, training=training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.model.compute_metrics(y_pred["inputs"], y_pred["photo"], y_pred["guess"])
        return devices.reported(self.get_metrics_result())

    @property
    def metrics(self):
        # Keras leaves out those of a model within a model; the loss is counted here.
        return super().metrics + [m for m in self.model.metrics if m.name != "loss"]

    def save(self, *args, **kwargs):
        self.model.save(*args, **kwargs)
