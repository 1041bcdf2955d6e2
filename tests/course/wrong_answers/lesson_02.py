"""Typical answers to lesson 02."""

import numpy as np
import tensorflow as tf
from bank import accepted, refused
from tensorflow.random import experimental as keys

from recon import boxes
from recon.data.pipeline import (
    augment,
    draw_mask,
    epoch_order,
    inputs_of,
)

# 2.1 draw_mask


def corners_of(size, key, bound=1):
    side = boxes.side(size)
    return side, tf.random.stateless_uniform((2, 2), key, 0, size - side + bound, tf.int32)


def paint(corners, side, size):
    """float32 `(boxes, size, size)`."""
    place = tf.range(size)
    inside = (place >= corners[..., None]) & (place < corners[..., None] + side)
    return tf.cast(inside[:, 0, :, None] & inside[:, 1, None, :], "float32")


def any_box(painted):
    return tf.reduce_max(painted, axis=0)[..., None]


@refused("2.1", "no channel axis", "One channel more")
def no_channel(size, key):
    side, corners = corners_of(size, key)
    return any_box(paint(corners, side, size))[..., 0]


@refused("2.1", "bool", "tf.cast it to float32")
def as_bool(size, key):
    side, corners = corners_of(size, key)
    return any_box(paint(corners, side, size)) > 0


@refused("2.1", "not stateless", "take the stateless function")
def stateful(size, key):
    side = boxes.side(size)
    corners = tf.random.uniform((2, 2), 0, size - side + 1, tf.int32)
    return any_box(paint(corners, side, size))


@refused("2.1", "a key of its own", "comes from the argument `key`")
def key_ignored(size, key):
    side, corners = corners_of(size, tf.constant([0, 0]))
    return any_box(paint(corners, side, size))


@refused("2.1", "boxes added up", "missing once")
def added(size, key):
    side, corners = corners_of(size, key)
    return tf.reduce_sum(paint(corners, side, size), axis=0)[..., None]


@refused("2.1", "1 = known", "other way round")
def inverted(size, key):
    side, corners = corners_of(size, key)
    return 1 - any_box(paint(corners, side, size))


@refused("2.1", "in both boxes", "in one box or in the other")
def both(size, key):
    side, corners = corners_of(size, key)
    return tf.reduce_min(paint(corners, side, size), axis=0)[..., None]


@refused("2.1", "rows or columns", "not one of them")
def crosses(size, key):
    side, corners = corners_of(size, key)
    place = tf.range(size)
    inside = (place >= corners[..., None]) & (place < corners[..., None] + side)
    missing = inside[:, 0, :, None] | inside[:, 1, None, :]
    return tf.cast(tf.reduce_any(missing, axis=0), "float32")[..., None]


@refused("2.1", "a pixel too long", "One pixel too long")
def too_long(size, key):
    side, corners = corners_of(size, key, bound=0)
    return any_box(paint(corners, side + 1, size))


@refused("2.1", "boxes over the edge", "reaches over the edge")
def over_the_edge(size, key):
    side, corners = corners_of(size, key, bound=side_of(size))
    return any_box(paint(corners, side, size))


def side_of(size):
    return boxes.side(size)


@refused("2.1", "upper bound left out", "it is one more")
def never_last(size, key):
    side, corners = corners_of(size, key, bound=0)
    return any_box(paint(corners, side, size))


@refused("2.1", "one draw for both boxes", "Two boxes of one place")
def same_box_twice(size, key):
    side = boxes.side(size)
    corner = tf.random.stateless_uniform((2,), key, 0, size - side + 1, tf.int32)
    return any_box(paint(tf.stack([corner, corner]), side, size))


@refused("2.1", "one key for row and column", "Row and column drawn with the same key")
def on_the_diagonal(size, key):
    side = boxes.side(size)
    rows = tf.random.stateless_uniform((2,), key, 0, size - side + 1, tf.int32)
    columns = tf.random.stateless_uniform((2,), key, 0, size - side + 1, tf.int32)
    return any_box(paint(tf.stack([rows, columns], axis=1), side, size))


@refused("2.1", "a side that is given", "A box's side goes with the photo's")
def one_side(size, key):
    corners = tf.random.stateless_uniform((2, 2), key, 0, size - 1, tf.int32)
    return any_box(paint(corners, 2, size))


@refused("2.1", "painted with NumPy", "tf.data runs it as a graph")
def with_numpy(size, key):
    side, corners = corners_of(size, key)
    return tf.constant(
        boxes.rasterise([boxes.Box(int(r), int(c), side, side) for r, c in corners.numpy()], size)
    )


@refused("2.1", "always two boxes", "as many as `count` says")
def always_two(size, key, count=2):
    side, corners = corners_of(size, key)
    return any_box(paint(corners, side, size))


@accepted("2.1", "by splitting the key, box by box")
def box_by_box(size, key, count=2):
    side = boxes.side(size)
    mask = tf.zeros((size, size))
    for box_key in tf.unstack(keys.stateless_split(key, count)):
        row_key, column_key = tf.unstack(keys.stateless_split(box_key, 2))
        row = tf.random.stateless_uniform((), row_key, 0, size - side + 1, tf.int32)
        column = tf.random.stateless_uniform((), column_key, 0, size - side + 1, tf.int32)
        box = tf.pad(
            tf.ones((side, side)), [[row, size - side - row], [column, size - side - column]]
        )
        mask = tf.maximum(mask, tf.reshape(box, (size, size)))
    return mask[..., None]


# 2.2 augment


def corner(photo, size, key, bound=1):
    spare = tf.shape(photo)[0] - size
    return tf.unstack(tf.random.stateless_uniform((2,), key, 0, spare + bound, tf.int32))


def mirror(photo, key, axis=1):
    return tf.cond(
        tf.random.stateless_uniform((), key) < 0.5, lambda: tf.reverse(photo, [axis]), lambda: photo
    )


def cut_at(photo, row, column, size):
    return photo[row : row + size, column : column + size]


@refused("2.2", "nothing cut", "The photo came back whole")
def no_cut(photo, size, key):
    return mirror(photo, key)


@refused("2.2", "not stateless", "take stateless functions")
def stateful_augment(photo, size, key):
    return tf.image.random_flip_left_right(tf.image.random_crop(photo, (size, size, 3)))


@refused("2.2", "resized", "Cut, do not resize")
def resized(photo, size, key):
    return mirror(tf.image.resize(photo, (size, size)), key)


@refused("2.2", "upside down", "gravity")
def upside_down(photo, size, key):
    corner_key, flip_key = tf.unstack(keys.stateless_split(key, 2))
    return mirror(cut_at(photo, *corner(photo, size, corner_key), size), flip_key, axis=0)


@refused("2.2", "colours reversed", "The last axis is colour")
def colours_reversed(photo, size, key):
    corner_key, flip_key = tf.unstack(keys.stateless_split(key, 2))
    return mirror(cut_at(photo, *corner(photo, size, corner_key), size), flip_key, axis=2)


@refused("2.2", "the middle", "a cut that never moves")
def the_middle(photo, size, key):
    start = (tf.shape(photo)[0] - size) // 2
    return mirror(cut_at(photo, start, start, size), key)


@refused("2.2", "upper bound left out", "of 6 − 4 = 2 spare pixels")
def never_the_last(photo, size, key):
    corner_key, flip_key = tf.unstack(keys.stateless_split(key, 2))
    return mirror(cut_at(photo, *corner(photo, size, corner_key, bound=0), size), flip_key)


@refused("2.2", "one key for row and column", "same key are the same number")
def diagonal(photo, size, key):
    corner_key, flip_key = tf.unstack(keys.stateless_split(key, 2))
    spare = tf.shape(photo)[0] - size
    row = tf.random.stateless_uniform((), corner_key, 0, spare + 1, tf.int32)
    column = tf.random.stateless_uniform((), corner_key, 0, spare + 1, tf.int32)
    return mirror(cut_at(photo, row, column, size), flip_key)


@refused("2.2", "never mirrored", "And the mirror")
def never_mirrored(photo, size, key):
    return cut_at(photo, *corner(photo, size, key), size)


@refused("2.2", "always mirrored", "Mirror half of them")
def always_mirrored(photo, size, key):
    return cut_at(photo, *corner(photo, size, key), size)[:, ::-1]


@refused("2.2", "the first place left out", "from 0 on")
def never_first(photo, size, key):
    corner_key, flip_key = tf.unstack(keys.stateless_split(key, 2))
    spare = tf.shape(photo)[0] - size
    row, column = tf.unstack(
        tf.random.stateless_uniform((2,), corner_key, tf.minimum(spare, 1), spare + 1, tf.int32)
    )
    return mirror(cut_at(photo, row, column, size), flip_key)


@accepted("2.2", "by TensorFlow's own stateless crop, mirrored before it")
def mirror_then_crop(photo, size, key):
    first, second = tf.unstack(keys.stateless_split(key, 2))
    photo = tf.image.stateless_random_flip_left_right(photo, first)
    return tf.image.stateless_random_crop(photo, (size, size, 3), second)


@accepted("2.2", "by tf.cond and a draw of one number")
def by_cond(photo, size, key):
    corner_key, flip_key = tf.unstack(keys.stateless_split(key, 2))
    return mirror(cut_at(photo, *corner(photo, size, corner_key), size), flip_key)


# 2.3 training_example


def parts(photo, size, key):
    crop_key, box_key = tf.unstack(keys.stateless_split(key, 2))
    cut = tf.ensure_shape(augment(photo, size, crop_key), (size, size, 3))
    return cut, draw_mask(size, box_key)


@refused("2.3", "the inputs alone", "return inputs, photo")
def inputs_alone(photo, size, key, label=None):
    return inputs_of(*parts(photo, size, key), label)


@refused("2.3", "photo first", "First what the model sees")
def photo_first(photo, size, key, label=None):
    cut, mask = parts(photo, size, key)
    return cut, inputs_of(cut, mask, label)


@refused("2.3", "the whole photo is the target", "not the whole one")
def whole_target(photo, size, key, label=None):
    return inputs_of(*parts(photo, size, key), label), photo


@refused("2.3", "masked is the target", "what was in the boxes")
def masked_target(photo, size, key, label=None):
    inputs = inputs_of(*parts(photo, size, key), label)
    return inputs, inputs["masked"]


@refused("2.3", "boxes drawn before the cut", "no longer of the challenge's size")
def boxes_first(photo, size, key, label=None):
    crop_key, box_key = tf.unstack(keys.stateless_split(key, 2))
    large = int(photo.shape[0])
    both = tf.concat([photo, tf.repeat(draw_mask(large, box_key), 3, axis=-1)], axis=-1)
    row, column = tf.unstack(
        tf.random.stateless_uniform((2,), crop_key, 0, large - size + 1, tf.int32)
    )
    both = tf.ensure_shape(both[row : row + size, column : column + size], (size, size, 6))
    return inputs_of(both[..., :3], both[..., 3:4], label), both[..., :3]


@refused("2.3", "the mask of the whole photo", "left after the cut")
def whole_mask(photo, size, key, label=None):
    cut, _ = parts(photo, size, key)
    mask = draw_mask(int(photo.shape[0]), key)
    return {"masked": cut, "mask": mask}, cut


@refused("2.3", "the boxes are kept", "keep 1 − mask")
def boxes_kept(photo, size, key, label=None):
    cut, mask = parts(photo, size, key)
    return {"masked": cut * mask, "mask": mask}, cut


@refused("2.3", "nothing taken out", "still filled")
def still_filled(photo, size, key, label=None):
    cut, mask = parts(photo, size, key)
    return {"masked": cut, "mask": mask}, cut


@refused("2.3", "another cut under the mask", "of the same cut photo")
def another_cut(photo, size, key, label=None):
    cut, mask = parts(photo, size, key)
    other, _ = parts(photo, size, key + 1)
    return inputs_of(other, mask, label), cut


@refused("2.3", "always the same boxes", "each want a key")
def same_boxes(photo, size, key, label=None):
    cut, _ = parts(photo, size, key)
    return inputs_of(cut, draw_mask(size, tf.constant([0, 1])), label), cut


@refused("2.3", "no shape", "tf.ensure_shape")
def no_shape(photo, size, key, label=None):
    crop_key, box_key = tf.unstack(keys.stateless_split(key, 2))
    cut = augment(photo, size, crop_key)
    return inputs_of(cut, draw_mask(size, box_key), label), cut


@refused("2.3", "label lost", "Pass the label on")
def label_lost(photo, size, key, label=None):
    cut, mask = parts(photo, size, key)
    return inputs_of(cut, mask, None), cut


@refused("2.3", "always two boxes", "as many as `count` says")
def count_lost(photo, size, key, label=None, count=2):
    cut, mask = parts(photo, size, key)
    return inputs_of(cut, mask, label), cut


@accepted("2.3", "by folding numbers into the key, and its own dictionary")
def folded(photo, size, key, label=None, count=2):
    cut = augment(photo, size, keys.stateless_fold_in(key, 1))
    cut = tf.reshape(cut, (size, size, 3))
    mask = draw_mask(size, keys.stateless_fold_in(key, 2), count)
    inputs = {"mask": mask, "masked": tf.where(mask > 0, 0.0, cut)}
    if label is not None:
        inputs["label"] = label
    return inputs, cut


# 2.4 epoch_order


@refused("2.4", "one shuffle", "One shuffle is not enough")
def one_shuffle(count, steps, batch_size, key):
    return keys.stateless_shuffle(tf.range(count), key)


@refused("2.4", "batches already", "A flat list")
def in_batches(count, steps, batch_size, key):
    return tf.reshape(epoch_order(count, steps, batch_size, key), (steps, batch_size))


@refused("2.4", "not shuffled", "Shuffle them")
def in_order(count, steps, batch_size, key):
    return tf.range(steps * batch_size) % count


@refused("2.4", "drawn at random", "do not draw at random")
def at_random(count, steps, batch_size, key):
    return tf.random.stateless_uniform((steps * batch_size,), key, 0, count, tf.int32)


@refused("2.4", "the same shuffle again", "fold the shuffle's number")
def same_shuffle(count, steps, batch_size, key):
    wanted = steps * batch_size
    used = count - count % batch_size or count
    shuffle = keys.stateless_shuffle(tf.range(count), key)[:used]
    return tf.tile(shuffle, [-(-wanted // used)])[:wanted]


@refused("2.4", "not stateless", "same order: stateless")
def stateful_order(count, steps, batch_size, key):
    wanted = steps * batch_size
    used = count - count % batch_size or count
    shuffles = [tf.random.shuffle(tf.range(count))[:used] for _ in range(-(-wanted // used))]
    return tf.concat(shuffles, 0)[:wanted]


@refused("2.4", "the key is not used", "Use the key that is given")
def own_key(count, steps, batch_size, key):
    return epoch_order(count, steps, batch_size, tf.constant([0, 0]))


@refused("2.4", "shuffles joined as they are", "A photo twice in a batch")
def joined(count, steps, batch_size, key):
    wanted = steps * batch_size
    shuffles = [
        keys.stateless_shuffle(tf.range(count), keys.stateless_fold_in(key, n))
        for n in range(-(-wanted // count))
    ]
    return tf.concat(shuffles, 0)[:wanted]


@refused("2.4", "too few shuffles", "Shuffles that are cut short")
def too_few(count, steps, batch_size, key):
    used = count - count % batch_size or count
    shuffles = [
        keys.stateless_shuffle(tf.range(count), keys.stateless_fold_in(key, n))[:used]
        for n in range(-(-steps * batch_size // count))
    ]
    return tf.concat(shuffles, 0)[: steps * batch_size]


@refused("2.4", "cut before the shuffle", "Cut after the shuffle")
def cut_before(count, steps, batch_size, key):
    used = count - count % batch_size or count
    return epoch_order(used, steps, batch_size, key)


@refused("2.4", "fewer photos than a batch: one of them only", "nothing is cut off")
def few_photos(count, steps, batch_size, key):
    if count < batch_size:
        return tf.zeros(steps * batch_size, tf.int32)
    return epoch_order(count, steps, batch_size, key)


@accepted("2.4", "by sorting random numbers, a loop")
def by_sorting(count, steps, batch_size, key):
    used = (count // batch_size) * batch_size or count
    order = tf.zeros(0, tf.int32)
    number = 0
    while len(order) < steps * batch_size:
        draws = tf.random.stateless_uniform((count,), tf.stack([key[0], key[1] + 100 + number]))
        order = tf.concat([order, tf.argsort(draws)[:used]], 0)
        number += 1
    return order[: steps * batch_size]


# 2.5 epoch_plan


def planned(count, steps, batch_size, key, number=None):
    order_key, photo_key = tf.unstack(keys.stateless_split(key, 2))
    order = epoch_order(count, steps, batch_size, order_key)
    numbers = tf.range(steps * batch_size) if number is None else number(order)
    return order, tf.map_fn(lambda n: keys.stateless_fold_in(photo_key, n), numbers)


def key_of(seed, epoch):
    return keys.stateless_fold_in(tf.constant([seed, 0]), tf.cast(epoch, "int32"))


@refused("2.5", "the order alone", "return order, photo_keys")
def order_alone(count, steps, batch_size, seed, epoch):
    return epoch_order(count, steps, batch_size, key_of(seed, epoch))


@refused("2.5", "keys first", "The order comes first")
def keys_first(count, steps, batch_size, seed, epoch):
    order, photo_keys = planned(count, steps, batch_size, key_of(seed, epoch))
    return photo_keys, order


@refused("2.5", "a key for every photo", "not for every photo")
def key_a_photo(count, steps, batch_size, seed, epoch):
    return planned(count, steps, batch_size, key_of(seed, epoch), lambda _: tf.range(count))


@refused("2.5", "one key for all", "One key for all")
def one_key(count, steps, batch_size, seed, epoch):
    order_key, photo_key = tf.unstack(keys.stateless_split(key_of(seed, epoch), 2))
    return epoch_order(count, steps, batch_size, order_key), photo_key


@refused("2.5", "the photo folded in", "fold in the place")
def by_photo(count, steps, batch_size, seed, epoch):
    return planned(count, steps, batch_size, key_of(seed, epoch), lambda order: order)


@refused("2.5", "the epoch left out", "every epoch is the first")
def no_epoch(count, steps, batch_size, seed, epoch):
    return planned(count, steps, batch_size, tf.constant([seed, 0]))


@refused("2.5", "only the order changes", "cuts and boxes freeze")
def frozen_keys(count, steps, batch_size, seed, epoch):
    order, _ = planned(count, steps, batch_size, key_of(seed, epoch))
    return order, planned(count, steps, batch_size, tf.constant([seed, 0]))[1]


@refused("2.5", "only the keys change", "The order has to depend")
def frozen_order(count, steps, batch_size, seed, epoch):
    _, photo_keys = planned(count, steps, batch_size, key_of(seed, epoch))
    return planned(count, steps, batch_size, tf.constant([seed, 0]))[0], photo_keys


@refused("2.5", "the seed left out", "The seed belongs into the key")
def no_seed(count, steps, batch_size, seed, epoch):
    return planned(count, steps, batch_size, key_of(0, epoch))


@refused("2.5", "seed and epoch added up", "A sum of seed and epoch")
def summed(count, steps, batch_size, seed, epoch):
    return planned(count, steps, batch_size, key_of(0, seed + tf.cast(epoch, "int32")))


@refused("2.5", "the epoch as a Python number", "tf.cast it")
def python_number(count, steps, batch_size, seed, epoch):
    return planned(count, steps, batch_size, tf.constant([seed, int(epoch)]))


@refused("2.5", "steps and batch size exchanged", "in that order")
def exchanged(count, steps, batch_size, seed, epoch):
    return planned(count, batch_size, steps, key_of(seed, epoch))


@accepted("2.5", "by a key of seed and epoch, and one draw for all keys")
def drawn_keys(count, steps, batch_size, seed, epoch):
    key = tf.stack([tf.constant(seed), tf.cast(epoch, "int32")])
    order_key, photo_key = tf.unstack(keys.stateless_split(key, 2))
    order = epoch_order(count, steps, batch_size, order_key)
    return order, keys.stateless_split(photo_key, steps * batch_size)


# 2.6 endless


def rows_of(plan, first_epoch=0):
    epochs = tf.data.Dataset.counter(first_epoch)
    return epochs.flat_map(lambda epoch: tf.data.Dataset.from_tensor_slices(plan(epoch)))


@refused("2.6", "batched before the map", "Map before you batch")
def batched_first(plan, example, batch_size, first_epoch=0):
    return rows_of(plan, first_epoch).batch(batch_size, drop_remainder=True).map(example)


@refused("2.6", "no batches", "Batch it")
def no_batches(plan, example, batch_size, first_epoch=0):
    return rows_of(plan, first_epoch).map(example).prefetch(2)


@refused("2.6", "the last batch may be short", "drop_remainder=True")
def short_batches(plan, example, batch_size, first_epoch=0):
    return rows_of(plan, first_epoch).map(example).batch(batch_size)


@refused("2.6", "a single epoch", "It goes on without end")
def single_epoch(plan, example, batch_size, first_epoch=0):
    epoch = tf.constant(first_epoch, tf.int64)
    rows = tf.data.Dataset.from_tensor_slices(plan(epoch))
    return rows.map(example).batch(batch_size, drop_remainder=True)


@refused("2.6", "one epoch repeated", "One epoch, repeated")
def repeated(plan, example, batch_size, first_epoch=0):
    rows = tf.data.Dataset.from_tensor_slices(plan(tf.constant(first_epoch, tf.int64)))
    return rows.repeat().map(example).batch(batch_size, drop_remainder=True)


@refused("2.6", "first_epoch left out", "Begin with first_epoch")
def from_nought(plan, example, batch_size, first_epoch=0):
    return rows_of(plan).map(example).batch(batch_size, drop_remainder=True)


@refused("2.6", "batched in every epoch", "The end of every epoch is lost")
def batched_in_epochs(plan, example, batch_size, first_epoch=0):
    def batches(epoch):
        rows = tf.data.Dataset.from_tensor_slices(plan(epoch))
        return rows.map(example).batch(batch_size, drop_remainder=True)

    return tf.data.Dataset.counter(first_epoch).flat_map(batches)


@refused("2.6", "epochs interleaved", "Epochs are mixed")
def interleaved(plan, example, batch_size, first_epoch=0):
    rows = tf.data.Dataset.counter(first_epoch).interleave(
        lambda epoch: tf.data.Dataset.from_tensor_slices(plan(epoch)), cycle_length=2
    )
    return rows.map(example).batch(batch_size, drop_remainder=True)


@refused("2.6", "a list", "Give the dataset itself")
def as_list(plan, example, batch_size, first_epoch=0):
    batches = rows_of(plan, first_epoch).map(example).batch(batch_size, drop_remainder=True)
    return list(batches.take(5))


@accepted("2.6", "by map and unbatch")
def by_unbatch(plan, example, batch_size, first_epoch=0):
    rows = tf.data.Dataset.range(first_epoch, 2**40).map(plan).unbatch()
    return rows.map(example).batch(batch_size, drop_remainder=True, num_parallel_calls=2)


# 2.7 catch_frozen

PHOTOS = np.random.default_rng(1).random((6, 12, 12, 3), dtype="float32")


def epochs_of(pipeline):
    cuts = np.stack(list(pipeline(PHOTOS, 8, 2).as_numpy_iterator()))
    return cuts[:6], cuts[6:]


@refused("2.7", "compares shapes", "Both epochs hold the same cuts")
def only_shapes(pipeline):
    first, second = epochs_of(pipeline)
    assert first.shape == second.shape


@refused("2.7", "compares by place", "compare the epochs as sets")
def by_place(pipeline):
    first, second = epochs_of(pipeline)
    assert not np.array_equal(first, second)


@refused("2.7", "wants the epochs to be the same", "ask only that the epochs")
def the_wrong_way(pipeline):
    first, second = epochs_of(pipeline)
    assert np.array_equal(first, second)


@refused("2.7", "returns its verdict", "let it raise")
def gives_a_verdict(pipeline):
    first, second = epochs_of(pipeline)
    return not np.array_equal(first, second)


@accepted("2.7", "by sorting the cuts")
def by_sums(pipeline):
    first, second = (np.sort(cuts.sum(axis=(1, 2, 3))) for cuts in epochs_of(pipeline))
    assert np.abs(first - second).max() > 1e-3
