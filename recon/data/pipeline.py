"""A table of photos becomes batches: decode, jitter, crop, flip, draw boxes, batch, prefetch.

An epoch is a pure function of (seed, epoch): its order, crops, flips and boxes come from stateless
random operations keyed by both, so a run that resumes at epoch 7 sees exactly the epoch 7 of the
run that was never interrupted, and no iterator is ever saved.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from tensorflow.random import experimental as keys

from recon import boxes
from recon.data import catalog, photos, shards
from recon.data.plan import ASPECT, drawn, jittered
from recon.progress import progress

if keras.backend.backend() != "tensorflow":  # the GPU is the network's; TensorFlow would fill it
    with suppress(RuntimeError):  # TensorFlow runs already: whoever started it has chosen
        tf.config.set_visible_devices([], "GPU")

KEPT = 1 << 30  # bytes: photos that fit are read once, those of validation with their masks


def load(table: pd.DataFrame, size: int) -> np.ndarray:
    """Read, or draw, all photos of a table: uint8 `(N, size, size, 3)`."""
    # Pillow lets go of Python's lock while it decodes. Drawing is many small steps of NumPy's, for
    # each of which threads would queue: with six of them it takes twice as long as with one.
    with ThreadPoolExecutor(1 if drawn(table) else None) as pool:
        photos_in_order = pool.map(lambda row: catalog.photo(row, size), table.itertuples())
        return np.stack(list(progress(photos_in_order, "reading photos", len(table))))


def draw_mask(size: int, key: tf.Tensor, count: int = 2) -> tf.Tensor:
    """Draw boxes of side `boxes.side(size)` and paint them: every place is as likely.

    That is what `boxes.draw` and `boxes.rasterise` do, here with operations of a graph.

    Args:
        size: height and width of the photo.
        key: int32 `(2,)`; the same key gives the same boxes.
        count: how many boxes.

    Returns:
        float32 `(size, size, 1)`, 1 = missing.
    """
    length = boxes.side(size)
    corners = tf.random.stateless_uniform((count, 2), key, 0, size - length + 1, tf.int32)
    place = tf.range(size)  # inside[b, axis, i]: pixel i of that axis lies in box b
    inside = (place >= corners[..., None]) & (place < corners[..., None] + length)
    missing = inside[:, 0, :, None] & inside[:, 1, None, :]  # (count, size, size)
    return tf.cast(tf.reduce_any(missing, axis=0), "float32")[..., None]


def augment(photo: tf.Tensor, size: int, key: tf.Tensor) -> tf.Tensor:
    """Cut a random square out of a jittered photo and mirror it in half of the cases.

    Args:
        photo: `(S, S, 3)` with S at least `size`.
        size: height and width of the result.
        key: int32 `(2,)`; the same key gives the same cut, another key most likely another.

    Returns:
        `(size, size, 3)`; every square of the photo is as likely as any other.
    """
    corner_key, flip_key = tf.unstack(keys.stateless_split(key, 2))
    spare = tf.shape(photo)[0] - size
    row, column = tf.unstack(tf.random.stateless_uniform((2,), corner_key, 0, spare + 1, tf.int32))
    photo = photo[row : row + size, column : column + size]
    return tf.image.stateless_random_flip_left_right(photo, flip_key)


def either(condition: tf.Tensor | bool, yes: Callable, no: Callable) -> tf.Tensor:
    """What one of two functions gives; only that one is called.

    A condition that is a tensor is decided anew for every photo, which takes some microseconds.
    """
    if isinstance(condition, bool):
        return yes() if condition else no()
    return tf.cond(condition, yes, no)


def read_square(
    path: tf.Tensor, plain: tf.Tensor | bool, in_shard: tf.Tensor | bool = False
) -> tf.Tensor:
    """Read a photo file and cut its middle square out.

    Args:
        path: a file's path.
        plain: whether TensorFlow reads it as Pillow does: 8-bit grey or RGB, upright, opaque. The
            rare others go through `photos.read`.
        in_shard: whether the path leads into a shard, see `recon.data.shards`.

    Returns:
        uint8 `(L, L, 3)`.
    """

    def with_tensorflow():  # takes PNG too
        data = either(in_shard, with_shard, lambda: tf.io.read_file(path))
        # Pillow's and OpenCV's inverse transform, not TensorFlow's faster, coarser one
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")

    def with_shard():
        return tf.numpy_function(lambda p: shards.contents(p.decode()), [path], tf.string)

    def with_pillow():
        return tf.numpy_function(lambda p: photos.read(p.decode()), [path], tf.uint8)

    photo = tf.ensure_shape(either(plain, with_tensorflow, with_pillow), (None, None, 3))
    height, width = tf.shape(photo)[0], tf.shape(photo)[1]
    length = tf.minimum(height, width)
    top, left = (height - length) // 2, (width - length) // 2
    return photo[top : top + length, left : left + length]


def decode(
    path: tf.Tensor,
    plain: tf.Tensor | bool,
    size: int,
    in_shard: tf.Tensor | bool = False,
) -> tf.Tensor:
    """Read a photo file, cut its middle square out and resize it: see `read_square`.

    Returns:
        float32 `(size, size, 3)` in [0, 1].
    """
    photo = tf.cast(read_square(path, plain, in_shard), "float32")
    photo = tf.image.resize(photo, (size, size), antialias=True)
    return tf.ensure_shape(photo, (size, size, 3)) / 255


def cut_resized(photo: tf.Tensor, side: int, cut: tf.Tensor, size: int) -> tf.Tensor:
    """A square out of a resized photo, of which nothing else is computed if that saves time.

    Args:
        photo: uint8 `(L, L, 3)`.
        side: to which it is resized, as `decode` does.
        cut: int32 `(2,)`, row and column of the square's top-left pixel in the resized photo.
        size: height and width of the square.

    Returns:
        uint8 `(size, size, 3)`.
    """
    photo = tf.cast(photo, "float32")

    def whole_numbers(x):
        return tf.cast(tf.round(x), "uint8")

    def enlarged():  # two neighbours along each axis, antialiased or not, and this is the fast way
        large = whole_numbers(tf.image.resize(photo, (side, side)))
        return tf.slice(large, (cut[0], cut[1], 0), (size, size, 3))  # of bytes: a quarter to copy

    def reduced():
        scale = tf.cast(side / tf.shape(photo)[0], "float32")
        part = tf.raw_ops.ScaleAndTranslate(
            images=photo[None],
            size=(size, size),
            scale=[scale, scale],
            translation=-tf.cast(cut, "float32"),
            kernel_type="triangle",
            antialias=True,
        )
        return whole_numbers(part[0])

    return tf.cond(tf.shape(photo)[0] <= side, enlarged, reduced)


def epoch_order(count: int, steps: int, batch_size: int, key: tf.Tensor) -> tf.Tensor:
    """Draw the order of an epoch: shuffle after shuffle of all photos, as many as it needs.

    Every shuffle is cut to whole batches, so that no batch holds a photo twice; what is cut off
    differs from shuffle to shuffle. With fewer photos than a batch, repeats cannot be avoided.

    Returns:
        int32 `(steps * batch_size,)`: indices; within the batches of one shuffle every photo comes
        at most once.
    """
    wanted = steps * batch_size
    used = count - count % batch_size or count  # of one shuffle
    shuffles = [
        keys.stateless_shuffle(tf.range(count), keys.stateless_fold_in(key, number))[:used]
        for number in range(-(-wanted // used))
    ]
    return tf.concat(shuffles, axis=0)[:wanted]


def inputs_of(photo: tf.Tensor, mask: tf.Tensor, label: tf.Tensor | None) -> dict[str, tf.Tensor]:
    """What a model sees of a photo, or of a batch."""
    inputs = {"masked": photo * (1 - mask), "mask": mask}
    return inputs if label is None else inputs | {"label": label}


def training_example(
    photo: tf.Tensor, size: int, key: tf.Tensor, label: tf.Tensor | None = None, count: int = 2
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Make an example of a photo: cut and mirror it, draw its boxes, take their pixels out.

    The boxes come after the cut, so that they keep their size and lie on the photo that is seen.

    Args:
        photo: float32 `(S, S, 3)` in [0, 1], jittered: S is at least `size`.
        size: height and width of the result.
        key: int32 `(2,)`; the same key gives the same example.
        label: passed on to the model, where it is given.
        count: how many boxes.

    Returns:
        what the model sees, and what it is to say: `({"masked": (size, size, 3), "mask": (size,
        size, 1)}, photo (size, size, 3))`.
    """
    crop_key, box_key = tf.unstack(keys.stateless_split(key, 2))
    photo = tf.ensure_shape(augment(photo, size, crop_key), (size, size, 3))
    return inputs_of(photo, draw_mask(size, box_key, count), label), photo


def epoch_plan(
    count: int, steps: int, batch_size: int, seed: int, epoch: tf.Tensor | int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decide all that is random in an epoch, from nothing but its seed and its number.

    Args:
        count: how many photos there are.
        steps: batches of the epoch.
        batch_size: photos of a batch.
        seed: of the whole run.
        epoch: the epoch's number, from 0; of any integer type.

    Returns:
        order, int32 `(steps * batch_size,)`: which photo comes when; and a key for each place in
        it, int32 `(steps * batch_size, 2)`: for the place and not for the photo, so that a photo
        that comes twice is cut and masked anew.
    """
    key = keys.stateless_fold_in(tf.constant([seed, 0], tf.int32), tf.cast(epoch, "int32"))
    order_key, photo_key = tf.unstack(keys.stateless_split(key, 2))
    order = epoch_order(count, steps, batch_size, order_key)
    place = tf.range(steps * batch_size)
    return order, tf.vectorized_map(lambda n: keys.stateless_fold_in(photo_key, n), place)


def choices(
    key: tf.Tensor,
    spare: tf.Tensor | int,
    size: int,
    count: int,
    zoom: float = 0.0,
    gamma: float = 0.0,
) -> dict[str, tf.Tensor]:
    """Draw all that is random about an example: the very numbers that `training_example` draws.

    Args:
        key: int32 `(2,)`.
        spare: how much larger the photo is than what is cut out of it.
        size: height and width of what is cut out.
        count: how many boxes.
        zoom: 0, or by how much a photo is enlarged at most: then `spare` is what is left of a photo
            enlarged that much. One side may be enlarged up to `ASPECT` times as much as the
            other.
        gamma: 0, or the most by which a photo is made darker or brighter: to a power of e^-gamma to
            e^gamma, and each colour to one of its own besides, a third as far from 1 at most.

    Returns:
        `"cut"`, int32 `(2,)`, row and column of the top-left pixel; `"mirrored"`, a bool; and
        `"corners"`, int32 `(count, 2)`, likewise of every box; with zoom also `"sides"`, int32
        `(2,)`, height and width of what is cut out and resized: the photo's side over a factor of 1
        to `zoom`, stretched; with gamma `"powers"`, float32 `(3,)`.
    """
    crop_key, box_key = tf.unstack(keys.stateless_split(key, 2))
    corner_key, flip_key = tf.unstack(keys.stateless_split(crop_key, 2))
    places = size - boxes.side(size) + 1
    if zoom:
        factor = tf.random.stateless_uniform((), keys.stateless_fold_in(crop_key, 2), 1, zoom)
        halves = tf.random.stateless_uniform((), keys.stateless_fold_in(crop_key, 3), -0.5, 0.5)
        factors = tf.maximum(factor * ASPECT ** tf.stack([halves, -halves]), 1.0)
        sides = tf.cast(tf.round(tf.cast(spare + size, "float32") / factors), "int32")
        # Whole numbers are drawn below one limit only; there are two.
        limits = tf.cast(spare + size - sides + 1, "float32")
        cut = tf.cast(tf.random.stateless_uniform((2,), corner_key) * limits, "int32")
        where = {"cut": cut, "sides": sides}
    else:
        where = {"cut": tf.random.stateless_uniform((2,), corner_key, 0, spare + 1, tf.int32)}
    if gamma:
        shared_key, own_key = (keys.stateless_fold_in(flip_key, number) for number in (0, 1))
        together = tf.random.stateless_uniform((1,), shared_key, -gamma, gamma)
        apart = tf.random.stateless_uniform((3,), own_key, -gamma / 3, gamma / 3)
        where["powers"] = tf.exp(together + apart)
    return where | {
        "mirrored": tf.random.stateless_uniform((), flip_key) < 0.5,
        "corners": tf.random.stateless_uniform((count, 2), box_key, 0, places, tf.int32),
    }


def endless(
    plan: Callable, example: Callable, batch_size: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Chain epoch after epoch into batches, without end.

    Args:
        plan: epoch's number, an int64 scalar -> tensors with one row for every photo of that epoch.
        example: such a row -> one example.
        batch_size: examples a batch; every batch is full, across the end of an epoch if need be.
        first_epoch: the epoch to begin with.

    Returns:
        the batches, in the plans' order; the next ones are made while the last is trained on.
    """
    return (
        tf.data.Dataset.counter(first_epoch)
        .flat_map(lambda epoch: tf.data.Dataset.from_tensor_slices(plan(epoch)))
        .map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def kept(table: pd.DataFrame, side: int) -> tf.Tensor:
    """All photos of a table in memory, where tf.data works: uint8 `(N, side, side, 3)`."""
    with tf.device("CPU"):
        return tf.constant(load(table, side))


def files(table: pd.DataFrame) -> Callable[[tf.Tensor], tuple]:
    """The arguments of `read_square` for the photo of an index."""

    def looked_up(column: pd.Series) -> Callable:
        if column.nunique() == 1 and column.dtype == bool:  # true of all photos, or of none
            return lambda index: bool(column.iloc[0])
        with tf.device("CPU"):
            values = tf.constant(column.tolist())
        return lambda index: values[index]

    columns = table.path, table.plain.astype(bool), table.path.str.startswith(shards.PREFIX)
    path, plain, in_shard = map(looked_up, columns)
    return lambda index: (path(index), plain(index), in_shard(index))


def training(
    table: pd.DataFrame,
    size: int,
    batch_size: int,
    steps: int,
    seed: int = 0,
    first_epoch: int = 0,
    cache: bool = False,
    labels: np.ndarray | None = None,
    count: int = 2,
) -> tf.data.Dataset:
    """Batches without end for `fit(..., steps_per_epoch=steps)`, from `first_epoch` on.

    Boxes are drawn anew for every photo of every epoch, after the jitter, so that they keep their
    size; boxes or masks that the table names are for validation and test.

    Args:
        table: rows of a catalog.
        size: height and width of the photos.
        batch_size: photos a batch; every batch is full.
        steps: batches an epoch.
        seed: with the epoch's number, decides all that is random.
        first_epoch: the epoch to begin with, from 0.
        cache: keep all photos in memory, decoded and resized. The cache lies before the
            randomness, so that crops and boxes go on changing.
        labels: int32 `(N,)`, what each photo of the table shows, for a model that asks.
        count: boxes missing from a photo.

    Returns:
        `({"masked": (B, S, S, 3), "mask": (B, S, S, 1)}, photo (B, S, S, 3))`, float32 in [0, 1];
        with labels also `"label": (B,)`.
    """
    base = jittered(table, size)
    if cache or drawn(table):
        photos_in_memory = kept(table, base)

        def read(index):
            return tf.cast(photos_in_memory[index], "float32") / 255
    else:
        file = files(table)

        def read(index):
            path, plain, in_shard = file(index)
            return decode(path, plain, base, in_shard)

    def plan(epoch):
        return epoch_plan(len(table), steps, batch_size, seed, epoch)

    def example(index, key):
        label = None if labels is None else tf.constant(labels)[index]
        return training_example(read(index), size, key, label, count)

    return endless(plan, example, batch_size, first_epoch)


def wire(
    table: pd.DataFrame,
    size: int,
    batch_size: int,
    steps: int,
    seed: int = 0,
    first_epoch: int = 0,
    cache: bool = False,
    labels: np.ndarray | None = None,
    count: int = 2,
    resident: bool = False,
    rows: np.ndarray | None = None,
    zoom: float = 0.0,
    gamma: float = 0.0,
) -> tf.data.Dataset:
    """The batches of `training` as they travel: bytes, for `feeding.Fed` to make photos of.

    Same photos, cuts, mirrors and boxes, to the bit; of photos that are resized, the whole numbers
    from 0 to 255 that are nearest.

    Args:
        resident: photos lie on the device, all of them, `load(table, jittered(table, size, zoom))`;
            what travels is what to show of them.
        rows: which rows of every batch to make, where other machines make the others; None: all.
        zoom: photos are enlarged by a factor of 1 to this before they are cut, and a little
            stretched, otherwise every time; 0: as in `training`, always by the same. Drawn photos
            never are.
        gamma: by how much they are made darker or brighter, see `choices`.

    Returns:
        `{"photo": uint8 (B, S, S, 3), "corners": int32 (B, count, 2)}`; resident, in the photo's
        place `"index"` (B,), `"cut"` (B, 2) and `"mirrored"` (B,); with zoom these three or, with
        the whole photo in its index's place, two, and `"sides"` (B, 2); with gamma also `"powers"`
        (B, 3), with labels `"label"` (B,).
    """
    base = jittered(table, size, zoom)
    zoom = 0.0 if drawn(table) else zoom
    in_memory = kept(table, base) if (cache or drawn(table)) and not resident else None
    file = files(table) if in_memory is None and not resident else None
    if labels is not None:
        labels = tf.constant(labels)

    def whole(index):
        if in_memory is None:
            return cut_resized(read_square(*file(index)), base, tf.constant([0, 0]), base)
        return in_memory[index]

    def look(index, cut, mirrored):
        if in_memory is None:
            photo = cut_resized(read_square(*file(index)), base, cut, size)
        else:
            photo = tf.slice(in_memory, (index, cut[0], cut[1], 0), (1, size, size, 3))[0]
        return tf.cond(mirrored, lambda: tf.reverse(photo, [1]), lambda: photo)

    def plan(epoch):
        every = epoch_plan(len(table), steps, batch_size, seed, epoch)
        return every if rows is None else tuple(part(one, batch_size, rows) for one in every)

    def example(index, key):
        chosen = choices(key, base - size, size, count, zoom, gamma)
        if resident:
            chosen["index"] = index
        elif zoom:
            chosen["photo"] = whole(index)
        else:
            chosen["photo"] = look(index, chosen.pop("cut"), chosen.pop("mirrored"))
        return chosen if labels is None else chosen | {"label": labels[index]}

    return endless(plan, example, batch_size if rows is None else len(rows), first_epoch)


def part(planned: tf.Tensor, batch_size: int, rows: np.ndarray) -> tf.Tensor:
    """The same rows of every batch of a plan.

    `(steps · batch_size, ...)` -> `(steps · len(rows), ...)`
    """
    batches = tf.reshape(planned, (-1, batch_size, *planned.shape[1:]))
    return tf.reshape(tf.gather(batches, rows, axis=1), (-1, *planned.shape[1:]))


def fixed_wire(
    table: pd.DataFrame, size: int, batch_size: int, labels: np.ndarray | None = None
) -> tf.data.Dataset:
    """Whole photos with the table's own boxes or masks, in the table's order, once, as bytes.

    Photos that take more than `KEPT` bytes are read anew every time, batch by batch.

    Returns:
        `{"photo": uint8 (B, S, S, 3), "mask": uint8 (B, S, S, 1)}`, with labels also `"label"`
        (B,); the last batch may be smaller.
    """

    def masks(rows):
        missing = [catalog.mask(row, size).astype("uint8") for row in rows.itertuples()]
        return np.stack(missing)

    if len(table) * size**2 * 4 <= KEPT:
        kept = {"photo": load(table, size), "mask": masks(table)}
        if labels is not None:
            kept["label"] = labels
        return tf.data.Dataset.from_tensor_slices(kept).batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def read(first):
        rows = table.iloc[first : first + batch_size]
        return np.stack([catalog.photo(row, size) for row in rows.itertuples()]), masks(rows)

    def batch(first):
        photo, mask = tf.numpy_function(read, [first], (tf.uint8, tf.uint8))
        some = {
            "photo": tf.ensure_shape(photo, (None, size, size, 3)),
            "mask": tf.ensure_shape(mask, (None, size, size, 1)),
        }
        if labels is not None:
            some["label"] = tf.constant(labels)[first : first + batch_size]
        return some

    first = tf.data.Dataset.range(0, len(table), batch_size)
    return first.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def fixed(
    table: pd.DataFrame, size: int, batch_size: int, labels: np.ndarray | None = None
) -> tf.data.Dataset:
    """The batches of `fixed_wire` as a model sees them, in the structure of `training`."""

    def example(rows):
        photo, mask = (tf.cast(rows[name], "float32") for name in ("photo", "mask"))
        photo = photo / 255
        return inputs_of(photo, mask, rows.get("label")), photo

    return fixed_wire(table, size, batch_size, labels).map(example)
