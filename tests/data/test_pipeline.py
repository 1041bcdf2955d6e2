"""recon.data.pipeline: what batches hold; an epoch depends on (seed, epoch) alone."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data_tools import shard
from recon import boxes, commandline
from recon.data import catalog, photos

tf = pytest.importorskip("tensorflow")
from recon.data import pipeline  # noqa: E402 (needs TensorFlow)

SIZE, COUNT = 32, 10
SIDE = boxes.side(SIZE)  # 9 pixels


def photo_of(number):
    """Random photo `number`, 36×36: at size 32 that is the jittered side, so nothing is resized."""
    return np.random.default_rng(number).integers(0, 256, (36, 36, 3), dtype="uint8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("photos")
    rows = [(f"{n}.png", "train" if n < COUNT else "test") for n in range(COUNT + 5)]
    for number, (path, _) in enumerate(rows):
        photos.write(place / path, photo_of(number))
    pd.DataFrame(rows, columns=["path", "split"]).to_csv(place / "manifest.csv", index=False)
    return place


@pytest.fixture(scope="module")
def table(folder):
    return catalog.split_of(catalog.read(folder), "train")


def take(table, epochs=1, steps=4, batch_size=3, size=SIZE, **more):
    """Batches of some epochs as one array each: masked, mask, photo, `(N, S, S, C)`."""
    dataset = pipeline.training(table, size, batch_size, steps, **more).take(epochs * steps)
    batches = list(dataset.as_numpy_iterator())
    masked = np.concatenate([x["masked"] for x, _ in batches])
    mask = np.concatenate([x["mask"] for x, _ in batches])
    return masked, mask, np.concatenate([y for _, y in batches])


def crops(photo, size=SIZE):
    """Every crop of a photo and its mirror image: bytes -> (row, column, mirrored)."""
    found = {}
    spare = photo.shape[0] - size + 1
    for row, column, step in np.ndindex(spare, spare, 2):
        cut = photo[row : row + size, column : column + size, :]
        cut = cut[:, ::-1] if step else cut
        found[cut.tobytes()] = (row, column, step)
    return found


@pytest.fixture(scope="module")
def recognise():
    """Tell which photo, crop and mirroring a batch's photo is: the slow way round."""
    known = {}
    for number in range(COUNT):
        table_number = sorted(f"{n}.png" for n in range(COUNT)).index(f"{number}.png")
        for cut, place in crops(photo_of(number)).items():
            known[cut] = (table_number, *place)

    def look(photo):
        return known[np.round(photo * 255).astype("uint8").tobytes()]

    return look


# What a batch holds


def test_a_batch_holds_masked_mask_and_photo(table):
    inputs, photo = next(iter(pipeline.training(table, SIZE, 3, 2)))
    assert set(inputs) == {"masked", "mask"}
    assert photo.shape == inputs["masked"].shape == (3, SIZE, SIZE, 3)
    assert inputs["mask"].shape == (3, SIZE, SIZE, 1)
    assert {x.dtype for x in (photo, *inputs.values())} == {tf.float32}
    assert float(tf.reduce_min(photo)) >= 0
    assert 0.9 < float(tf.reduce_max(photo)) <= 1


def test_shapes_are_known_before_a_photo_is_read(table):
    inputs, photo = pipeline.training(table, SIZE, 3, 2).element_spec
    assert photo.shape == inputs["masked"].shape == (3, SIZE, SIZE, 3)
    assert inputs["mask"].shape == (3, SIZE, SIZE, 1)


def test_missing_pixels_are_black_and_known_ones_are_the_photos(table):
    masked, mask, photo = take(table)
    np.testing.assert_array_equal(masked, photo * (1 - mask))
    assert set(np.unique(mask)) == {0, 1}


def test_a_batch_larger_than_the_data_is_filled_all_the_same(table):
    assert take(table.iloc[:3], steps=1, batch_size=8)[2].shape == (8, SIZE, SIZE, 3)


# Boxes


def two_boxes(mask):
    """Pairs of corners whose boxes paint a mask `(S, S, 1)`."""
    rows, columns = np.nonzero(mask[..., 0])
    top, left = rows.min(), columns.min()
    bottom, right = rows.max() - SIDE + 1, columns.max() - SIDE + 1
    pairs = [((top, left), (bottom, right)), ((top, right), (bottom, left))]
    return [
        pair
        for pair in pairs
        if np.array_equal(boxes.rasterise([boxes.Box(*p, SIDE, SIDE) for p in pair], SIZE), mask)
    ]


def test_a_mask_is_two_boxes_of_the_challenges_side(table):
    for mask in take(table, steps=40)[1]:
        assert two_boxes(mask), "no two boxes paint it"


def test_boxes_come_to_lie_everywhere_equally_often():
    keys = [tf.constant([7, number]) for number in range(2500)]
    corners = np.zeros((SIZE - SIDE + 1,) * 2)
    draw = tf.function(lambda key: pipeline.draw_mask(SIZE, key))
    for key in keys:
        rows, columns = np.nonzero(draw(key).numpy()[..., 0])
        corners[rows.min(), columns.min()] += 1  # top-left of the two together
        corners[rows.max() - SIDE + 1, columns.max() - SIDE + 1] += 1  # and bottom-right
    assert corners[[0, -1]].any(axis=1).all()
    assert corners[:, [0, -1]].any(axis=0).all()
    # Two places a mask: the smallest of two draws and the largest, by symmetry uniform together.
    expected = 2 * len(keys) / (SIZE - SIDE + 1)
    for axis in (0, 1):
        counts = corners.sum(axis=axis)
        assert (abs(counts - expected) < 5 * expected**0.5).all()


# An epoch is a pure function of (seed, epoch)


def equal(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


@pytest.mark.parametrize("cache", [False, True])
def test_an_epoch_is_the_same_whenever_it_is_asked_for(table, cache):
    three = take(table, epochs=3, cache=cache)
    assert equal(three, take(table, epochs=3, cache=cache))
    later = take(table, epochs=1, first_epoch=2, cache=cache)
    assert equal([x[2 * 12 :] for x in three], later)


def test_epochs_and_seeds_differ(table):
    first, second = (take(table, first_epoch=epoch) for epoch in (0, 1))
    other = take(table, seed=1)
    for a, b in [(first, second), (first, other), (second, other)]:
        assert not np.array_equal(a[1], b[1])
        assert not np.array_equal(a[2], b[2])


def test_seed_one_epoch_nought_is_not_seed_nought_epoch_one(table):
    assert not np.array_equal(take(table, seed=1)[1], take(table, first_epoch=1)[1])


def test_no_photo_comes_again_before_all_others_have_come(table, recognise):
    seen = [recognise(photo)[0] for photo in take(table, steps=6, batch_size=5)[2]]
    for start in (0, 10, 20):
        assert sorted(seen[start : start + 10]) == list(range(10))
    assert seen[:10] != seen[10:20]


def order(count, steps, batch_size, seed=0):
    """The order of an epoch, `(steps, batch_size)`."""
    drawn = pipeline.epoch_order(count, steps, batch_size, tf.constant([seed, 1]))
    return drawn.numpy().reshape(steps, batch_size)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 12), st.integers(0, 15), st.integers(0, 9))
def test_no_batch_holds_a_photo_twice(batch_size, steps, more, seed):
    count = batch_size + more
    drawn = order(count, steps, batch_size, seed)
    assert drawn.min() >= 0
    assert drawn.max() < count
    in_a_shuffle = count // batch_size  # batches
    for start in range(0, steps, in_a_shuffle):
        whole = drawn[start : start + in_a_shuffle].ravel()
        assert len(set(whole)) == len(whole)


def test_a_photo_that_is_cut_off_one_shuffle_comes_in_others():
    drawn = order(10, 60, 3)
    left_out = [set(range(10)) - set(drawn[n : n + 3].ravel()) for n in range(0, 60, 3)]
    assert {len(photos) for photos in left_out} == {1}
    assert len(set.union(*left_out)) > 5  # of 20 drawn
    np.testing.assert_array_equal(np.unique(drawn), np.arange(10))


def test_an_epoch_of_whole_batches_is_shuffles_of_all_photos_as_they_are():
    key = tf.constant([4, 2])
    shuffles = [
        tf.random.experimental.stateless_shuffle(
            tf.range(12), tf.random.experimental.stateless_fold_in(key, number)
        )
        for number in range(2)
    ]
    drawn = pipeline.epoch_order(12, 5, 4, key)
    np.testing.assert_array_equal(drawn, np.concatenate(shuffles)[:20])


def plan(count=6, steps=3, batch_size=4, seed=0, epoch=0):
    drawn, photo_keys = pipeline.epoch_plan(count, steps, batch_size, seed, epoch)
    return drawn.numpy(), photo_keys.numpy()


def test_a_plan_has_a_key_for_every_place_of_its_order():
    drawn, photo_keys = plan()
    assert drawn.shape == (12,)
    assert photo_keys.shape == (12, 2)
    assert len({tuple(key) for key in photo_keys}) == 12


def test_a_plan_is_decided_by_seed_and_epoch_and_by_nothing_else():
    plans = [plan(seed=seed, epoch=epoch) for seed in (0, 1) for epoch in (0, 1)]
    for number, (drawn, photo_keys) in enumerate(plans):
        assert equal((drawn, photo_keys), plan(seed=number // 2, epoch=number % 2))
        for other, other_keys in plans[:number]:
            assert not np.array_equal(drawn, other)
            assert not np.isin(photo_keys, other_keys).all()
    as_counted = plan(epoch=tf.constant(1, tf.int64))  # as tf.data counts
    assert equal(as_counted, plans[1])


def test_endless_goes_from_epoch_to_epoch_and_fills_batches_across_them():
    batches = pipeline.endless(lambda e: 10 * e + tf.range(3, dtype="int64"), lambda x: -x, 2, 4)
    assert batches.element_spec.shape == (2,)
    first = np.stack(list(batches.take(3).as_numpy_iterator()))
    np.testing.assert_array_equal(first, [[-40, -41], [-42, -50], [-51, -52]])


def test_an_example_is_cut_first_and_masked_then(recognise):
    photo = tf.constant(photo_of(3), tf.float32) / 255
    table_number = recognise(photo_of(3)[:SIZE, :SIZE] / 255)[0]
    for number in range(20):
        inputs, cut = pipeline.training_example(photo, SIZE, tf.constant([number, 0]))
        assert recognise(cut.numpy())[0] == table_number
        assert two_boxes(inputs["mask"].numpy())
        np.testing.assert_array_equal(inputs["masked"], cut * (1 - inputs["mask"]))


def test_a_photo_that_comes_twice_in_an_epoch_is_cut_and_masked_anew(table):
    _, mask, photo = take(table.iloc[:1], steps=2, batch_size=4)
    assert len({one.tobytes() for one in photo}) > 4
    assert len({one.tobytes() for one in mask}) == 8


def test_crops_change_from_epoch_to_epoch_though_photos_are_cached(table, recognise):
    places = [
        {recognise(photo)[0]: recognise(photo)[1:] for photo in photo_of_epoch}
        for photo_of_epoch in (
            take(table, steps=1, batch_size=10, first_epoch=e, cache=True)[2] for e in (0, 1)
        )
    ]
    assert set(places[0]) == set(places[1]) == set(range(10))
    assert sum(places[0][n] != places[1][n] for n in range(10)) >= 8


def test_half_of_the_photos_are_mirrored_and_crops_lie_everywhere(table, recognise):
    found = np.array([recognise(photo) for photo in take(table, steps=25, batch_size=16)[2]])
    assert 150 < found[:, 3].sum() < 250  # of 400; five standard deviations are 50
    for axis in (1, 2):
        counts = np.bincount(found[:, axis], minlength=5)
        assert len(counts) == 5
        assert (abs(counts - 80) < 40).all()


# Reading


def test_cached_photos_are_those_decoded_anew_up_to_rounding(tmp_path):
    for number in range(3):  # smooth photos: of noise, no two resizing filters agree
        ramp = np.add.outer(np.arange(50) * 2, np.arange(61) * 2)
        photos.write(tmp_path / f"{number}.png", np.stack([ramp + number] * 3, -1).astype("uint8"))
    rows = catalog.read(tmp_path)
    kept, fresh = (take(rows, steps=2, cache=cache) for cache in (True, False))
    np.testing.assert_array_equal(kept[1], fresh[1])
    np.testing.assert_allclose(kept[2] * 255, fresh[2] * 255, atol=1.5)


PLAIN = {
    "colour.jpg": lambda x: Image.fromarray(x),
    "colour.png": lambda x: Image.fromarray(x),
    "grey.jpg": lambda x: Image.fromarray(x).convert("L"),
    "grey.png": lambda x: Image.fromarray(x).convert("L"),
}
ODD = {
    "cmyk.jpg": lambda x: Image.fromarray(x).convert("CMYK"),
    "alpha.png": lambda x: Image.fromarray(np.dstack([x, x[..., :1]])),
    "palette.png": lambda x: Image.fromarray(x).convert("P"),
    "grey-alpha.png": lambda x: Image.fromarray(x).convert("LA"),
    "sixteen.png": lambda x: Image.fromarray(x[..., 0].astype("uint16") * 257),
}


def decoded(path, size=33):
    plain = photos.inspect(path).plain
    rows = tf.data.Dataset.from_tensors((str(path), plain))
    return plain, next(rows.map(lambda p, q: pipeline.decode(p, q, size)).as_numpy_iterator())


@pytest.mark.parametrize("name", PLAIN)
def test_tensorflow_reads_plain_photos_as_pillow_does(tmp_path, name):
    PLAIN[name](np.random.default_rng(0).integers(0, 256, (33, 33, 3), dtype="uint8")).save(
        tmp_path / name
    )
    plain, photo = decoded(tmp_path / name)
    assert plain
    np.testing.assert_array_equal(np.round(photo * 255), photos.read(tmp_path / name))


@pytest.mark.parametrize("name", ODD)
def test_odd_photos_come_through_as_pillow_reads_them(tmp_path, name):
    ODD[name](np.random.default_rng(0).integers(0, 256, (33, 33, 3), dtype="uint8")).save(
        tmp_path / name
    )
    plain, photo = decoded(tmp_path / name)
    assert not plain
    np.testing.assert_array_equal(np.round(photo * 255), photos.read(tmp_path / name))


@pytest.mark.parametrize("names", [[*PLAIN], [*ODD], [*PLAIN, *ODD]], ids=["plain", "odd", "both"])
@pytest.mark.parametrize("sharded", [False, True])
def test_photos_of_one_kind_or_of_both_are_read_as_pillow_reads_them(tmp_path, names, sharded):
    place, generator = tmp_path / "photos", np.random.default_rng(0)
    place.mkdir()
    for name in names:
        array = generator.integers(0, 256, (33, 33, 3), dtype="uint8")
        (PLAIN | ODD)[name](array).save(place / f"{name.replace('.', '-')}.{name[-3:]}")
    if sharded:
        place, files = tmp_path / "shards", place
        commandline.run(shard.shard, [str(files), str(place), "--shards", "2"])
    rows = catalog.read(place)
    assert len(rows) == len(names)
    arguments = pipeline.files(rows)
    squares = tf.data.Dataset.range(len(rows)).map(lambda n: pipeline.read_square(*arguments(n)))
    for square, row in zip(squares.as_numpy_iterator(), rows.itertuples(), strict=True):
        np.testing.assert_array_equal(square, photos.read(row.path))


def test_a_photo_taken_sideways_is_turned_upright(tmp_path):
    sideways = np.zeros((33, 33, 3), "uint8")
    sideways[:, :16] = 255  # what the sensor saw on its left …
    exif = Image.Exif()
    exif[0x0112] = 6  # … is above: turn clockwise by 90°
    Image.fromarray(sideways).save(tmp_path / "turned.png", exif=exif)
    _, photo = decoded(tmp_path / "turned.png")
    assert photo[:16].min() == 1
    assert photo[17:].max() == 0


def test_colour_of_16_bits_loses_its_low_byte(tmp_path):
    deep = np.random.default_rng(0).integers(0, 2**16, (33, 33, 3), dtype="uint16")
    cv2.imwrite(str(tmp_path / "deep.png"), deep[..., ::-1])  # OpenCV writes blue, green, red
    _, photo = decoded(tmp_path / "deep.png")
    np.testing.assert_array_equal(np.round(photo * 255), deep >> 8)


@pytest.mark.parametrize("side", [20, 33, 47])  # reduced, as it is, enlarged
def test_a_cut_of_a_resized_photo_is_computed_alone(tmp_path, side):
    photos.write(tmp_path / "a.png", photo_of(0)[:33, :33])
    path, cut, size = str(tmp_path / "a.png"), tf.constant([3, 1]), 15
    square = pipeline.read_square(path, True)
    whole = pipeline.decode(path, True, side)[3 : 3 + size, 1 : 1 + size] * 255
    part = pipeline.cut_resized(square, side, cut, size)
    assert part.dtype == tf.uint8
    np.testing.assert_allclose(part, whole, atol=0.51)


def test_choices_are_what_an_example_is_made_of():
    photo = tf.constant(photo_of(2), tf.float32)
    for number in range(8):
        key = tf.constant([5, number])
        chosen = pipeline.choices(key, 36 - SIZE, SIZE, 3)
        inputs, seen = pipeline.training_example(photo, SIZE, key, count=3)
        row, column = chosen["cut"].numpy()
        view = photo[row : row + SIZE, column : column + SIZE]
        view = view[:, ::-1] if chosen["mirrored"] else view
        np.testing.assert_array_equal(seen, view)
        some = [boxes.Box(*corner, SIDE, SIDE) for corner in chosen["corners"].numpy()]
        np.testing.assert_array_equal(inputs["mask"], boxes.rasterise(some, SIZE))


def test_the_middle_square_is_cut_out(tmp_path):
    wide = np.zeros((33, 53, 3), "uint8")
    wide[:, 10:43] = 200
    photos.write(tmp_path / "wide.png", wide)
    np.testing.assert_allclose(decoded(tmp_path / "wide.png")[1], 200 / 255, rtol=1e-6)


# Drawn photos


def test_drawn_photos_keep_their_size():
    rows = catalog.split_of(catalog.safari_table(), "train").iloc[:3]
    assert pipeline.jittered(rows, 64) == 64
    _, _, photo = take(rows, steps=1)
    known = {catalog.photo(row, SIZE).tobytes() for row in rows.itertuples()}
    known |= {catalog.photo(row, SIZE)[:, ::-1].tobytes() for row in rows.itertuples()}
    assert {np.round(one * 255).astype("uint8").tobytes() for one in photo} <= known


def test_photos_of_256_are_jittered_as_the_paper_does(table):
    assert pipeline.jittered(table, 256) == 286


# Validation and test


def test_fixed_batches_have_the_tables_photos_and_boxes_in_its_order(folder):
    test = catalog.split_of(catalog.read(folder), "test")
    batches = list(pipeline.fixed(test, 36, 2).as_numpy_iterator())
    assert [len(photo) for _, photo in batches] == [2, 2, 1]
    mask = np.concatenate([x["mask"] for x, _ in batches])
    masked = np.concatenate([x["masked"] for x, _ in batches])
    photo = np.concatenate([y for _, y in batches])
    np.testing.assert_array_equal(masked, photo * (1 - mask))
    for number, row in enumerate(test.itertuples()):
        scaled = [boxes.scale(box, row.frame, 36) for box in row.boxes]
        np.testing.assert_array_equal(mask[number], boxes.rasterise(scaled, 36))
        np.testing.assert_array_equal(np.round(photo[number] * 255), photos.read(row.path))


def test_fixed_batches_take_a_manifests_mask(tmp_path):
    photos.write(tmp_path / "a.png", photo_of(0))
    drawing = np.zeros((36, 36, 3), "uint8")
    drawing[3:9, 20:30] = 255
    (tmp_path / "masks").mkdir()
    photos.write(tmp_path / "masks" / "a.png", drawing)
    (tmp_path / "manifest.csv").write_text("path,split,mask\na.png,test,masks/a.png\n")
    inputs, _ = next(iter(pipeline.fixed(catalog.read(tmp_path), 36, 4)))
    np.testing.assert_array_equal(inputs["mask"][0, ..., 0], drawing[..., 0] / 255)


def test_photos_too_many_to_keep_are_read_anew_and_the_same(folder, monkeypatch):
    table = catalog.split_of(catalog.read(folder), "test")
    labels = np.arange(len(table), dtype="int32")

    def batches():
        return [*pipeline.fixed_wire(table, 36, 2, labels).repeat(2).as_numpy_iterator()]

    kept = batches()
    monkeypatch.setattr(pipeline, "KEPT", 0)
    for one, other in zip(kept, batches(), strict=True):
        for name in ("photo", "mask", "label"):
            np.testing.assert_array_equal(one[name], other[name])


# Labels


@pytest.mark.parametrize("make", ["training", "fixed"])
def test_a_label_stays_with_its_photo(make):
    table = catalog.split_of(catalog.load("safari", 0), "test").iloc[:8]
    photos = pipeline.load(table, 32) / np.float32(255)
    labels = np.arange(8, dtype="int32")
    if make == "training":
        batches = pipeline.training(table, 32, 4, 4, labels=labels).take(4)
    else:
        batches = pipeline.fixed(table, 32, 3, labels)
    seen = []
    for inputs, photo in batches.as_numpy_iterator():
        seen += inputs["label"].tolist()
        for label, one in zip(inputs["label"], photo, strict=True):
            either = (photos[label], photos[label][:, ::-1])  # mirrored, or not
            assert any(np.allclose(one, other, atol=1e-6) for other in either)
    assert set(seen) == set(labels.tolist())
