"""Checks of lesson 02: the pipeline."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import tensorflow as tf

from recon.course.broken import lesson_02 as broken
from recon.course.exercise import exercise
from recon.data import pipeline

IN_GRAPH = (
    "It works on numbers, but tf.data runs it as a graph, where values are not there yet: "
    "use TensorFlow's functions only, and no numpy()."
)


def compiled(answer: Callable, expect) -> Callable:
    """The answer as tf.data runs it: traced once, then fast."""
    graph = tf.function(answer.function)

    def run(*args):
        try:
            return graph(*args)
        except Exception as error:
            line = (str(error).strip().splitlines() or [""])[0]
            expect.fail(f"in a graph: raised {type(error).__name__}: {line}"[:200], IN_GRAPH)

    return run


def keys_of(count: int) -> list[tf.Tensor]:
    return [tf.constant([3, number]) for number in range(count)]


@lru_cache
def two_boxes(size: int, side: int) -> dict[bytes, tuple]:
    """Every mask that two boxes paint -> the corners of the two."""
    found = {}
    corners = list(np.ndindex(size - side + 1, size - side + 1))
    for number, (row, column) in enumerate(corners):
        for other_row, other_column in corners[number:]:
            mask = np.zeros((size, size), bool)
            mask[row : row + side, column : column + side] = True
            mask[other_row : other_row + side, other_column : other_column + side] = True
            found[mask.tobytes()] = ((row, column), (other_row, other_column))
    return found


def corners_in(mask: np.ndarray, side: int) -> tuple | None:
    """The corners of the two boxes of a mask `(S, S, 1)`, or None."""
    return two_boxes(len(mask), side).get((mask[..., 0] > 0).tobytes())


@exercise(
    "2.1",
    pipeline.draw_mask,
    minutes=12,
    difficulty=2,
    tensorflow=True,
    hints=(
        "Draw row and column of all corners at once: tf.random.stateless_uniform((count, 2), key, "
        "0, …, tf.int32). The upper bound is not drawn; how large may a corner be?",
        "There is no mask[a:b] = 1 in a graph. Ask of every row whether it lies in the box, of "
        "every column too, and combine the two by broadcasting: rows[:, None] & columns[None].",
        "inside = (tf.range(size) >= corners[..., None]) & (tf.range(size) < corners[..., None] + "
        "length) is (count, 2 axes, size); a pixel is missing where any box has its row and its "
        "column.",
    ),
)
def draw_mask(answer, expect):
    size, side = 8, 2
    first = answer(size, tf.constant([3, 0]))
    expect.shape(
        first,
        (size, size, 1),
        "A mask is (size, size, 1).",
        mistakes=[((size, size), "One channel more: masks travel with photos, (H, W, 1).")],
    )
    expect.dtype(first, "float32", "Photos and masks are multiplied: tf.cast it to float32.")
    draw = compiled(answer, expect)
    masks = [draw(size, key).numpy() for key in keys_of(48)]
    expect.equal(
        draw(size, tf.constant([3, 0])).numpy(),
        masks[0],
        "The same key must give the same boxes: take the stateless function, and give it the key.",
    )
    expect.true(
        any((m != masks[0]).any() for m in masks),
        "48 keys gave one and the same mask",
        "Another key must give other boxes: the randomness comes from the argument `key`.",
    )
    look_at_masks(masks, size, side, expect)
    large = compiled(answer, expect)(16, tf.constant([3, 0])).numpy()
    expect.true(
        corners_in(large, 5),
        f"on a photo of 16×16 pixels the mask has {large.sum():g} missing pixels, "
        "not two boxes of 5×5",
        "A box's side goes with the photo's: boxes.side(size), 75 of 256.",
    )
    answer(size, tf.constant([3, 0]), 1)
    for count in (1, 3):
        many = [draw(size, key, count).numpy() for key in keys_of(32)]
        look_at_count(many, side, count, expect)


def look_at_count(masks, side, count, expect):
    """Of many masks, some have boxes that do not overlap: those tell how many boxes there are."""
    most = max(mask.sum() for mask in masks)
    what = f"with count={count}, a mask has {most:g} missing pixels, expected {count * side**2} "
    expect.true(
        most == count * side**2,
        what + f"({count} of {side}×{side})",
        "Not always two boxes: as many as `count` says.",
    )


def look_at_masks(masks, size, side, expect):
    sums = np.array([m.sum() for m in masks])
    expect.within(np.array(masks), 0, 1, "Where boxes overlap a pixel is missing once: 1, not 2.")
    expect.true(
        not all(corners_in(1 - m, side) for m in masks),
        "0 in two boxes and 1 around them",
        "1 is missing and 0 is known; yours is the other way round.",
    )
    expect.true(
        not (sums.max() <= side**2 and sums.min() < side**2),
        f"0 to {sums.max():g} pixels are missing, expected two boxes of {side}×{side}",
        "A pixel is missing in one box or in the other; few lie in both.",
    )
    expect.true(
        not any(m.sum() == 2 * size * side - side**2 for m in masks),
        "whole rows and columns are missing",
        "A pixel lies in a box where its row does and its column does, not one of them.",
    )
    for mask in masks:
        missing = int(mask.sum())
        longer = corners_in(mask, side + 1)
        expect.true(
            not longer,
            f"boxes of {side + 1}×{side + 1} pixels, expected {side}×{side}",
            "One pixel too long: a box that begins at 3 and is 2 long has 3 and 4, and 5 no more.",
        )
        expect.true(
            corners_in(mask, side),
            f"{missing} missing pixels that are not two boxes of {side}×{side}",
            "A box reaches over the edge and is cut: a corner is at most size − side.",
        )
    pairs = [corners_in(m, side) for m in masks]
    expect.true(
        any(one != other for one, other in pairs),
        "one box in every mask",
        "Two boxes of one place: the same key draws the same numbers. Draw all four in one call.",
    )
    expect.true(
        any(row != column for pair in pairs for row, column in pair),
        "the boxes lie on the diagonal, all of them",
        "Row and column drawn with the same key are the same number. Draw both in one call.",
    )
    last = any(m[-1].any() for m in masks) and any(m[:, -1].any() for m in masks)
    expect.true(
        last,
        "of 96 boxes none touches the last row or column",
        "The upper bound of a draw is left out: for corners up to size − side it is one more.",
    )
    first = any(m[0].any() for m in masks) and any(m[:, 0].any() for m in masks)
    expect.true(first, "of 96 boxes none touches the first row or column", "Corners begin at 0.")


def views_of(photo: np.ndarray, size: int) -> dict[bytes, tuple]:
    """Every square of a photo and its mirror images: bytes -> (row, column, how)."""
    found = {}
    spare = len(photo) - size + 1
    for row, column in np.ndindex(spare, spare):
        cut = photo[row : row + size, column : column + size]
        ways = {
            "as it is": cut,
            "mirrored": cut[:, ::-1],
            "upside down": cut[::-1],
            "turned": cut[::-1, ::-1],
            "colours reversed": cut[..., ::-1],
            "transposed": cut.transpose(1, 0, 2),
        }
        found |= {np.ascontiguousarray(p).tobytes(): (row, column, w) for w, p in ways.items()}
    return found


@exercise(
    "2.2",
    pipeline.augment,
    minutes=10,
    difficulty=2,
    tensorflow=True,
    hints=(
        "Two things are random here, where to cut and whether to mirror: each wants a key of its "
        "own. keys.stateless_split(key, 2) makes two of one, tf.unstack takes them apart.",
        "How many places may the cut begin at? With S = 6 and size = 4: at 0, 1 and 2.",
        "row, column = tf.unstack(tf.random.stateless_uniform((2,), corner_key, 0, spare + 1, "
        "tf.int32)), then slice; tf.image.stateless_random_flip_left_right(photo, flip_key).",
    ),
)
def augment(answer, expect):
    photo, size = np.arange(108, dtype="float32").reshape(6, 6, 3) / 108, 4
    first = answer(tf.constant(photo), size, tf.constant([3, 0]))
    expect.shape(
        first,
        (size, size, 3),
        "The result is a square of `size` rows and columns.",
        mistakes=[((6, 6, 3), "The photo came back whole: cut a square of `size` out of it.")],
    )
    cut = compiled(answer, expect)
    views = [cut(tf.constant(photo), size, key).numpy() for key in keys_of(60)]
    expect.equal(
        np.stack([cut(tf.constant(photo), size, key).numpy() for key in keys_of(8)]),
        np.stack(views[:8]),  # one may be the same by chance
        "The same key must give the same cut: take stateless functions, and give them the key.",
    )
    known = views_of(photo, size)
    for view in views:
        expect.true(
            view.tobytes() in known,
            "pixels that are not a square of the photo's",
            "Cut, do not resize: rows row to row + size, columns column to column + size.",
        )
    places = [known[view.tobytes()] for view in views]
    ways = {how for _, _, how in places}
    expect.true(
        not ways & {"upside down", "turned"},
        "some photos stand on their heads",
        "Left and right are columns, axis 1: gravity does not turn round, an animal may.",
    )
    expect.true(
        "colours reversed" not in ways,
        "red and blue are exchanged",
        "The last axis is colour; a mirror turns the columns round, axis 1.",
    )
    expect.true(
        "transposed" not in ways,
        "rows and columns are exchanged",
        "A mirror turns the columns round and leaves the rows.",
    )
    look_at_places(places, expect)
    same = cut(tf.constant(photo), 6, tf.constant([3, 1])).numpy()
    expect.true(
        np.array_equal(same, photo) or np.array_equal(same, photo[:, ::-1]),
        "with nothing to spare, the photo itself or its mirror image is expected",
        "Where S is `size` there is one place to cut, 0: the draw has to allow it.",
    )


def look_at_places(places, expect):
    rows, columns = {p[0] for p in places}, {p[1] for p in places}
    expect.true(
        len(rows | columns) > 1,
        f"60 keys cut at row {min(rows)}, column {min(columns)}, all of them",
        "The place is to be drawn: a cut that never moves is no jitter.",
    )
    expect.true(
        2 in rows and 2 in columns,
        f"rows {sorted(rows)} and columns {sorted(columns)} are cut at, expected 0, 1 and 2",
        "The upper bound of a draw is left out: of 6 − 4 = 2 spare pixels, 0, 1 and 2 are places.",
    )
    expect.true(
        any(row != column for row, column, _ in places),
        "every cut begins on the diagonal: row = column",
        "Row and column drawn with the same key are the same number. Draw both in one call.",
    )
    expect.true(
        rows == columns == {0, 1, 2},
        f"rows {sorted(rows)} and columns {sorted(columns)} are cut at, expected 0, 1 and 2",
        "Every place is to be as likely as any other, from 0 on.",
    )
    mirrored = sum(how == "mirrored" for _, _, how in places)
    expect.true(mirrored > 0, "of 60 photos none is mirrored", "And the mirror: half of them.")
    expect.true(
        12 <= mirrored <= 48,
        f"of 60 photos {mirrored} are mirrored",
        "Mirror half of them, by a draw: a mirror that is always there is a fixed change.",
    )


@exercise(
    "2.3",
    pipeline.training_example,
    minutes=10,
    difficulty=2,
    tensorflow=True,
    hints=(
        "In order: a key for the cut and a key for the boxes; the cut; a mask for the photo that "
        "is left; what the model sees of the two.",
        "The target is the complete photo after the cut, the one that `masked` is made from.",
        "Slicing by numbers that are drawn loses the shape: tf.ensure_shape(photo, (size, size, "
        "3)) gives it back. `inputs_of(photo, mask, label)` makes the dictionary.",
    ),
)
def training_example(answer, expect):
    photo, size = np.arange(1, 433, dtype="float32").reshape(12, 12, 3) / 432, 8
    result = answer(tf.constant(photo), size, tf.constant([3, 0]))
    expect.type(result, tuple, "Give two things: return inputs, photo.")
    expect.true(len(result) == 2, f"gave {len(result)} things, expected inputs and photo", "Two.")
    expect.type(result[0], dict, "First what the model sees, a dictionary, then the photo.")
    expect.equal(sorted(result[0]), ["mask", "masked"], "The model sees masked and mask.")
    expect.shape(
        result[1],
        (size, size, 3),
        "The target is a photo of `size`×`size` pixels.",
        mistakes=[((12, 12, 3), "The target is the photo after the cut, not the whole one.")],
    )
    expect.shape(
        result[0]["mask"],
        (size, size, 1),
        "The mask lies over the cut photo, pixel by pixel.",
        mistakes=[((12, 12, 1), "Draw the boxes for the photo that is left after the cut.")],
    )
    make = compiled(answer, expect)
    examples = [make(tf.constant(photo), size, key) for key in keys_of(12)]
    again = make(tf.constant(photo), size, tf.constant([3, 0]))
    known = views_of(photo, size)
    for inputs, target in examples:
        masked, mask, target = (x.numpy() for x in (inputs["masked"], inputs["mask"], target))
        if target.tobytes() not in known:
            expect.true(
                not np.array_equal(target, masked),
                "the target has black boxes",
                "The target is complete: what was in the boxes is what the model is to say.",
            )
            expect.fail(
                "the target is not a square of the photo",
                "The target is the photo as augment cuts it, and nothing else.",
            )
        expect.true(
            corners_in(mask, 2),
            f"{mask.sum():g} missing pixels that are not two boxes of 2×2",
            "First cut, then draw boxes for `size`: a box that is cut with the photo is no longer "
            "of the challenge's size.",
        )
        expect.close(
            masked,
            target * (1 - mask),
            "masked is photo·(1 − mask), of the same cut photo and the same mask.",
            mistakes=[
                (target * mask, "All but the boxes is black: 1 is missing, so keep 1 − mask."),
                (target, "The boxes are still filled: multiply by 1 − mask."),
            ],
        )
    first, second = examples[0], examples[1]
    expect.equal(
        np.concatenate([again[1].numpy(), again[0]["mask"].numpy()], -1),
        np.concatenate([first[1].numpy(), first[0]["mask"].numpy()], -1),
        "The same key must give the same example.",
    )
    for what, one, other in [
        ("cuts", [e[1].numpy() for e in examples], first[1].numpy()),
        ("boxes", [e[0]["mask"].numpy() for e in examples], second[0]["mask"].numpy()),
    ]:
        expect.true(
            any((x != other).any() for x in one),
            f"twelve keys gave the same {what}",
            "Cut and boxes each want a key that comes from `key`.",
        )
    shapes = tf.data.Dataset.from_tensors((photo, (3, 0))).map(
        lambda p, k: answer.function(p, size, k)
    )
    expect.equal(
        tuple(shapes.element_spec[1].shape),
        (size, size, 3),
        "A drawn cut has no shape before it runs, and a network wants one: tf.ensure_shape.",
    )
    inputs = answer(tf.constant(photo), size, tf.constant([3, 0]), 7)[0]
    expect.true("label" in inputs, "the label is lost", "Pass the label on, to inputs_of.")
    expect.equal(inputs["label"], 7, "The label goes through as it is.")
    answer(tf.constant(photo), size, tf.constant([3, 0]), None, 3)
    masks = [make(tf.constant(photo), size, k, None, 3)[0]["mask"].numpy() for k in keys_of(32)]
    look_at_count(masks, 2, 3, expect)


@exercise(
    "2.4",
    pipeline.epoch_order,
    minutes=12,
    difficulty=3,
    tensorflow=True,
    hints=(
        "An epoch has steps × batch_size places. How many of a shuffle's `count` photos fill "
        "whole batches?",
        "Each shuffle wants a key of its own: keys.stateless_fold_in(key, number) makes one for "
        "every number.",
        "used = count − count % batch_size, but `count` where that is 0; so many shuffles as "
        "⌈wanted / used⌉, each cut to [:used], then tf.concat and [:wanted].",
    ),
)
def epoch_order(answer, expect):
    key = tf.constant([3, 1])
    drawn = answer(10, 6, 5, key)
    expect.shape(
        drawn,
        (30,),
        "One index for every place of the epoch: steps × batch_size.",
        mistakes=[
            ((10,), "One shuffle is not enough here: shuffle after shuffle, as many as it takes."),
            ((6, 5), "A flat list: the batches are made later."),
        ],
    )
    expect.dtype(drawn, "int32", "Indices are int32: tf.range(count), shuffled.")
    drawn = drawn.numpy()
    expect.within(drawn, 0, 9, "Indices of `count` photos run from 0 to count − 1.")
    expect.true(
        any((drawn[n : n + 10] != np.arange(10)).any() for n in (0, 10, 20)),
        "the photos come in their own order",
        "Shuffle them: keys.stateless_shuffle.",
    )
    for start in (0, 10, 20):
        expect.true(
            len(set(drawn[start : start + 10])) == 10,
            f"of places {start} to {start + 9}, {len(set(drawn[start : start + 10]))} photos of 10",
            "No photo comes again before all others have come: shuffle, do not draw at random.",
        )
    expect.true(
        (drawn[:10] != drawn[10:20]).any(),
        "the second shuffle is the first one again",
        "One key gives one shuffle: fold the shuffle's number into the key.",
    )
    expect.equal(
        answer(10, 6, 5, key).numpy(), drawn, "The same key must give the same order: stateless."
    )
    other = answer(10, 6, 5, tf.constant([3, 2])).numpy()
    expect.true(
        (other != drawn).any(), "another key gave the same order", "Use the key that is given."
    )
    batches = answer(10, 13, 3, key)
    expect.shape(batches, (39,), "Shuffles that are cut short give less: 39 are asked for.")
    batches = batches.numpy().reshape(13, 3)
    for number, batch in enumerate(batches):
        expect.true(
            len(set(batch)) == 3,
            f"batch {number} is {batch.tolist()}",
            "A photo twice in a batch: cut every shuffle to whole batches before the next begins.",
        )
    for start in range(0, 12, 3):
        expect.true(
            len(set(batches[start : start + 3].ravel())) == 9,
            f"batches {start} to {start + 2} have a photo twice",
            "Of 10 photos 9 fill batches of 3: drop no more than the rest.",
        )
    left = {9 * 5 - int(batches[n : n + 3].sum()) for n in range(0, 12, 3)}
    expect.true(
        len(left) > 1,
        f"photo {min(left)} is left out every time",
        "Cut after the shuffle, so that each time another photo is left out.",
    )
    few = answer(3, 2, 5, key)
    expect.shape(few, (10,), "With 3 photos and batches of 5 there are repeats, and full batches.")
    expect.equal(
        sorted(few.numpy()[:3].tolist()),
        [0, 1, 2],
        "With fewer photos than a batch nothing is cut off: all of them, again and again.",
    )


@exercise(
    "2.5",
    pipeline.epoch_plan,
    minutes=10,
    difficulty=3,
    tensorflow=True,
    hints=(
        "Seed and epoch make the one key that all others come from: begin with [seed, 0] and fold "
        "the epoch's number in.",
        "Split that key: one half for the order, one for the photos. The second, with a place's "
        "number folded in, is the key of that place.",
        "tf.vectorized_map(lambda n: keys.stateless_fold_in(photo_key, n), tf.range(steps * "
        "batch_size)) does it for all places; fold_in wants an int32: tf.cast(epoch, 'int32').",
    ),
)
def epoch_plan(answer, expect):
    def plan(seed, epoch):
        runs.setdefault(seed, tf.function(lambda e: answer.function(5, 3, 4, seed, e)))
        expect.call = f"{answer.__name__}(5, 3, 4, {seed}, {epoch})"
        try:
            order, places = runs[seed](tf.constant(epoch, tf.int64))  # as tf.data counts
        except Exception as error:
            line = (str(error).strip().splitlines() or [""])[0]
            expect.fail(
                f"epoch as an int64 tensor: raised {type(error).__name__}: {line}"[:200],
                "The epoch comes out of tf.data as an int64 tensor: tf.cast it, and compute with "
                "TensorFlow's functions.",
            )
        return order.numpy(), [tuple(key) for key in places.numpy().tolist()]

    runs = {}
    result = answer(5, 3, 4, 0, 0)
    expect.type(result, tuple, "Give two things: return order, photo_keys.")
    expect.true(len(result) == 2, f"gave {len(result)} things, expected two", "Order and keys.")
    expect.shape(
        result[0],
        (12,),
        "First the order, an index for every place: epoch_order.",
        mistakes=[((12, 2), "The order comes first, then the keys.")],
    )
    expect.shape(
        result[1],
        (12, 2),
        "A key for each of steps × batch_size places.",
        mistakes=[
            ((5, 2), "A key for every place in the order, not for every photo."),
            ((2,), "One key for all: then every photo is cut and masked alike."),
        ],
    )
    expect.dtype(result[1], "int32", "Keys are int32, two numbers each.")
    expect.within(result[0], 0, 4, "The order has indices of 5 photos.")
    first = plan(0, 0)
    expect.equal(plan(0, 0)[0], first[0], "The same seed and epoch must give the same order.")
    expect.true(
        plan(0, 0)[1] == first[1],
        "the same seed and epoch gave other keys",
        "Nothing but seed and epoch decides: use stateless functions.",
    )
    expect.true(
        len(set(first[1])) == 12,
        f"{len(set(first[1]))} keys for 12 places",
        "A photo that comes twice has the same key twice, and the same cut: fold in the place, "
        "not the photo.",
    )
    second, other = plan(0, 1), plan(1, 0)
    for order in (first[0], second[0], other[0]):
        for batch in order.reshape(3, 4):
            expect.true(
                len(set(batch)) == 4,
                f"batch {batch.tolist()} has a photo twice",
                "The order is epoch_order's: (count, steps, batch_size, key), in that order.",
            )
    expect.true(
        set(second[1]) != set(first[1]) or (second[0] != first[0]).any(),
        "epochs 0 and 1 are the same",
        "Fold the epoch's number in: without it every epoch is the first.",
    )
    expect.true(
        not set(second[1]) & set(first[1]),
        "epochs 0 and 1 have keys in common",
        "The photos' keys have to depend on the epoch: cuts and boxes freeze without it.",
    )
    expect.true(
        (second[0] != first[0]).any(),
        "epochs 0 and 1 have the same order",
        "The order has to depend on the epoch too.",
    )
    expect.true(
        (other[0] != first[0]).any() and not set(other[1]) & set(first[1]),
        "seeds 0 and 1 give the same plan, or a part of it",
        "The seed belongs into the key: another seed is another run.",
    )
    expect.true(
        not set(other[1]) & set(second[1]),
        "seed 1 in epoch 0 has keys of seed 0 in epoch 1",
        "A sum of seed and epoch mixes runs up: put the seed into the key, then fold the epoch in.",
    )


@exercise(
    "2.6",
    pipeline.endless,
    minutes=10,
    difficulty=2,
    tensorflow=True,
    hints=(
        "tf.data.Dataset.counter(first_epoch) gives the epochs' numbers, for ever; each becomes "
        "the rows of its plan.",
        "flat_map lays the datasets that its function returns one behind the other; "
        "from_tensor_slices makes a dataset of a plan's rows.",
        "counter, flat_map, map (several at a time: num_parallel_calls=tf.data.AUTOTUNE, and in "
        "order), batch with drop_remainder=True, prefetch.",
    ),
)
def endless(answer, expect):
    shapes = []

    def plan(epoch):
        rows = 10 * epoch + tf.range(3, dtype=tf.int64)
        return rows, -rows

    def example(row, opposite):
        shapes.append(tuple(row.shape))
        return {"row": row}, row + opposite

    with expect.on_error(
        TypeError, "from_tensor_slices keeps a plan's parts together: example(*row), not one row."
    ):
        batches = answer(plan, example, 2, 4)
    expect.type(batches, tf.data.Dataset, "Give the dataset itself, nothing of what is in it.")
    expect.true(
        all(shape == () for shape in shapes) and shapes,
        f"example was called with shape {shapes[0] if shapes else 'none'}, expected ()",
        "Map before you batch: an example is made of one photo, with a key of its own.",
    )
    spec = batches.element_spec
    expect.type(spec, tuple, "What example gives goes on as it is.")
    expect.true(
        len(spec[1].shape) == 1,
        f"a batch's target, a number per photo, has shape {spec[1].shape}, expected (2,)",
        "Batch it: `batch_size` examples become one batch, (B, ...).",
    )
    expect.equal(
        tuple(spec[1].shape),
        (2,),
        "Every batch is full, and its shape known: batch(..., drop_remainder=True).",
    )
    rows = [inputs["row"].numpy() for inputs, _ in batches.take(5)]
    expect.true(
        len(rows) == 5,
        f"{len(rows)} batches, then it ends",
        "It goes on without end: `fit` takes as many batches as it wants.",
    )
    frozen = np.resize([40, 41, 42], (5, 2))
    expect.equal(
        np.array(rows),
        np.array([[40, 41], [42, 50], [51, 52], [60, 61], [62, 70]]),
        "Epoch after epoch, each plan's rows in their order.",
        mistakes=[
            (frozen, "One epoch, repeated: ask for a plan anew for every epoch."),
            (
                np.array([[0, 1], [2, 10], [11, 12], [20, 21], [22, 30]]),
                "Begin with first_epoch: a run that resumes at 4 wants epoch 4.",
            ),
            (
                np.array([[40, 41], [50, 51], [60, 61], [70, 71], [80, 81]]),
                "The end of every epoch is lost: batch after the epochs are joined, not in each.",
            ),
            (
                np.array([[40, 50], [41, 51], [42, 52], [60, 70], [61, 71]]),
                "Epochs are mixed: flat_map finishes one before it begins the next.",
            ),
        ],
    )


@exercise(
    "2.7",
    broken.catch_frozen,
    minutes=12,
    difficulty=2,
    tensorflow=True,
    hints=(
        "Make some photos of random numbers, larger than `size`, and ask for two epochs of them.",
        "The first len(photos) cuts are the first epoch, the rest the second. What must not be?",
        "An order may change while the cuts do not: compare what the epochs hold, as sets, "
        "{cut.tobytes() for cut in epoch}, not what comes first.",
    ),
)
def catch_frozen(answer, expect):
    expect.catches(
        answer,
        right=[broken.cut_afresh, shuffled_and_cut_afresh],
        wrong=[
            (
                broken.cached_after_the_cut,
                "Both epochs hold the same cuts: compare the second with the first.",
            ),
            (
                cached_then_shuffled,
                "Here the order changes and the cuts do not: compare the epochs as sets of cuts.",
            ),
        ],
        hint="Its cuts change from epoch to epoch. Some may come again by chance, and the order "
        "is free: ask only that the epochs do not hold the same cuts.",
    )


def shuffled_and_cut_afresh(photos, size, epochs):
    rows = tf.data.Dataset.from_tensor_slices(photos).shuffle(len(photos)).repeat(epochs)
    return rows.map(lambda photo: tf.image.random_crop(photo, (size, size, 3)))


def cached_then_shuffled(photos, size, epochs):
    return broken.cached_after_the_cut(photos, size, 1).shuffle(len(photos)).repeat(epochs)
