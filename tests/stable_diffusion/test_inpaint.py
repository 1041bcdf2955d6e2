"""recon.stable_diffusion.inpaint: what surrounds the sampler."""

import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon import classical
from recon.errors import BadInput
from recon.stable_diffusion import inpaint, text, weights
from recon.stable_diffusion.request import Request

SIZE = 16


def parts(layout, channels=4):
    """Networks of random weights."""
    keras.utils.set_random_seed(0)
    return inpaint.of(weights.Loaded(layout, None, *weights.build(layout, SIZE, channels)), SIZE)


@pytest.fixture(scope="module")
def tiny(layout):
    return parts(layout)


def batch(count=2, seed=0):
    generator = np.random.default_rng(seed)
    photo = generator.random((count, SIZE, SIZE, 3), "float32")
    mask = np.zeros((count, SIZE, SIZE, 1), "float32")
    mask[:, 3:9, 5:12] = 1
    return photo, mask


# Masks


@given(st.data())
def test_a_latent_is_made_if_any_of_its_pixels_is_missing(data):
    factor = data.draw(st.sampled_from([1, 2, 4, 8]))
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    shape = (1, rows * factor, columns * factor, 1)
    bits = data.draw(st.integers(0, 2**30))
    mask = (np.random.default_rng(bits).random(shape) < 0.05).astype("float32")
    hole = inpaint.latent_hole(mask, factor)
    assert hole.shape == (1, rows, columns, 1)
    for row, column in np.ndindex(rows, columns):
        square = mask[0, row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        assert hole[0, row, column, 0] == square.any()


def test_feathered_a_hole_begins_where_its_surroundings_end():
    mask = np.zeros((11, 11, 1), "float32")
    mask[2:9, 2:9] = 1
    guess, fill = np.ones((11, 11, 3), "float32"), np.zeros((11, 11, 3), "float32")
    np.testing.assert_array_equal(inpaint.feathered(guess, fill, mask, 0)[2:9, 2:9], 1)
    soft = inpaint.feathered(guess, fill, mask, 2)[5, :, 0]  # a row through the middle
    np.testing.assert_allclose(soft, [0, 0, 1 / 3, 2 / 3, 1, 1, 1, 2 / 3, 1 / 3, 0, 0], atol=1e-6)


def test_a_hole_at_the_edge_is_feathered_only_where_something_is_known():
    mask = np.zeros((8, 8, 1), "float32")
    mask[:, 4:] = 1
    guess, fill = np.ones((8, 8, 3), "float32"), np.zeros((8, 8, 3), "float32")
    soft = inpaint.feathered(guess, fill, mask, 1)[..., 0]
    np.testing.assert_allclose(soft[:, 4], 0.5)
    np.testing.assert_allclose(soft[:, 5:], 1)


def test_what_is_filled_first_is_harmonic_and_grey_where_nothing_is_known():
    photo, mask = batch()
    mask[1] = 1
    filled = inpaint.fill(photo * (1 - mask), mask)
    np.testing.assert_array_equal(filled[0], classical.harmonic(photo[0] * (1 - mask[0]), mask[0]))
    np.testing.assert_array_equal(filled[1], 0.5)


# Photos


@pytest.mark.parametrize("options", [{}, {"sampler": "dpm++", "resample": 2}, {"strength": 0.5}])
def test_known_pixels_come_back_bit_for_bit(tiny, options):
    photo, mask = batch()
    request = Request(steps=4, feather=2, **options)
    completed = inpaint.inpaint(tiny, photo * (1 - mask), mask, request)
    known = np.broadcast_to(mask == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])
    assert np.isfinite(completed).all()
    assert completed.min() >= 0
    assert completed.max() <= 1


def test_what_the_hole_held_is_not_looked_at(tiny):
    photo, mask = batch(1)
    request = Request(steps=2)
    one, other = (
        inpaint.inpaint(tiny, np.where(mask > 0, hidden, photo).astype("float32") * (1 - mask),
                        mask, request)
        for hidden in (0.1, 0.9)
    )  # fmt: skip
    np.testing.assert_array_equal(one, other)


def test_a_photo_does_not_depend_on_what_stands_beside_it(tiny):
    photo, mask = batch(3)
    masked, request = photo * (1 - mask), Request(steps=3, resample=2)
    together = inpaint.inpaint(tiny, masked, mask, request)
    alone = inpaint.inpaint(tiny, masked[1:2], mask[1:2], request)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-4)


def test_prompt_seed_and_steps_decide(tiny):
    photo, mask = batch(1)
    masked, request = photo * (1 - mask), Request(steps=3, prompt="a cat")
    first = inpaint.inpaint(tiny, masked, mask, request)
    np.testing.assert_array_equal(inpaint.inpaint(tiny, masked, mask, request), first)
    for change in ({"prompt": "a tiger"}, {"seed": 1}, {"steps": 5}, {"negative_prompt": "dog"}):
        other = inpaint.inpaint(tiny, masked, mask, dataclasses.replace(request, **change))
        assert np.abs(other - first).max() > 1e-5, change


def test_step_by_step_is_the_same_as_at_once(tiny):
    photo, mask = batch(1)
    steps = []

    def progress(rows):
        for row in rows:
            steps.append(row)
            yield row

    masked, request = photo * (1 - mask), Request(steps=3)
    at_once = inpaint.inpaint(tiny, masked, mask, request)
    np.testing.assert_array_equal(inpaint.inpaint(tiny, masked, mask, request, progress), at_once)
    assert steps == [0, 1, 2]


def test_networks_trained_to_inpaint_see_the_mask_and_the_photo(layout):
    nine = parts(layout, channels=9)
    photo, mask = batch(1)
    request = Request(steps=2)
    completed = inpaint.inpaint(nine, photo * (1 - mask), mask, request)
    known = np.broadcast_to(mask == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])
    other = np.where(mask > 0, photo, 1 - photo)
    again = inpaint.inpaint(nine, other * (1 - mask), mask, request)
    assert np.abs(again - completed)[~known].max() > 1e-5


def test_photos_of_nothing_but_prompts_differ_by_their_noise(tiny):
    photos = inpaint.generate(tiny, ["a cat", "a cat"], Request(steps=2))
    assert photos.shape == (2, SIZE, SIZE, 3)
    assert np.abs(photos[0] - photos[1]).max() > 1e-3


# Stable Diffusion's own


def test_too_little_memory_is_said_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr(
        inpaint.psutil, "virtual_memory", lambda: type("Free", (), {"available": 2_000_000_000})
    )
    with pytest.raises(BadInput, match=r"takes about .* GB, and 2\.0 GB are free; try --precision"):
        inpaint.load("stable-diffusion", Request(canvas=512))


def test_memory_grows_with_canvas_batch_and_precision():
    small = inpaint.memory(256, "bfloat16")
    assert small < inpaint.memory(256, "float32") < inpaint.memory(512, "float32")
    assert inpaint.memory(512, "float32") < inpaint.memory(512, "float32", batch=2)


def test_missing_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("RECON_CACHE", str(tmp_path))
    free = type("Free", (), {"available": 10**12})
    monkeypatch.setattr(inpaint.psutil, "virtual_memory", lambda: free)
    with pytest.raises(BadInput, match=r"kcv_encoder.h5: no such file, about 490 MB; type: curl"):
        inpaint.load("stable-diffusion", Request())


def test_a_tokenizer_of_words_belongs_to_the_small_model(tiny):
    assert tiny.tokenizer.words[3:] == text.SMALL_WORDS
