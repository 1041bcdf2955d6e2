"""recon.models.diffusion_small: what its parts learn from, and that photos come back whole."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import ops

from recon import losses, methods
from recon.errors import BadInput
from recon.models import diffusion_small
from recon.stable_diffusion import networks, text
from recon.stable_diffusion.request import Request

TINY = networks.Layout(
    name="tiny",
    vocabulary=64,
    length=8,
    text_width=32,
    text_layers=1,
    text_heads=2,
    autoencoder=(32, 32, 32),
    autoencoder_blocks=1,
    denoiser=(32,),
    denoiser_blocks=1,
    attention=(0,),
    heads=2,
    time_width=32,
    latent_scale=1.0,
)
# One step is not worth a graph of TensorFlow's.
EAGER = keras.backend.backend() == "tensorflow"


def batch(count=8, size=32, seed=0):
    """Photos with a hole each and their labels: what the pipeline gives."""
    generator = np.random.default_rng(seed)
    photo = generator.random((count, size, size, 3), "float32")
    mask = np.zeros((count, size, size, 1), "float32")
    mask[:, size // 4 : size // 2, size // 8 : size // 2] = 1
    label = np.arange(count, dtype="int32") % len(diffusion_small.CLASSES)
    return {"masked": photo * (1 - mask), "mask": mask, "label": label}, photo


def parts_of(model):
    names = ("text_encoder", "image_encoder", "denoiser", "decoder")
    return {name: getattr(model, name).get_weights() for name in names}


def moved(before, after):
    """Names of the parts of which every weight has changed, and of those where none has."""
    every, none = set(), set()
    for name in before:
        changes = [np.abs(a - b).max() > 0 for a, b in zip(before[name], after[name], strict=True)]
        every |= {name} if all(changes) else set()
        none |= {name} if not any(changes) else set()
    return every, none


def step(model, *data):
    """One step of training, big enough to be seen; the parts' weights before and after."""
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=EAGER)
    before = parts_of(model)
    model.fit(*data, batch_size=len(data[1]), verbose=0)
    return before, parts_of(model)


@pytest.fixture(scope="module")
def tiny():
    keras.utils.set_random_seed(0)
    return diffusion_small.DiffusionSmall(32, TINY)


class Nothing(keras.losses.Loss):
    """A term that is 0 and has no gradient."""

    def call(self, y_true, y_pred):
        return 0 * ops.stop_gradient(y_pred)


# What photos show


def test_photos_are_labelled_by_their_class():
    table = pd.DataFrame({"class": ["cat", "Tigers", "", "elephants"]})
    assert diffusion_small.labels(table).tolist() == [0, 3, 4, 2]


def test_a_class_without_words_is_refused():
    with pytest.raises(BadInput, match="class 'horses': the small model has words for cat"):
        diffusion_small.labels(pd.DataFrame({"class": ["cat", "horses"]}))


def test_every_class_has_prompts_that_name_it_in_words_that_the_model_knows(capsys):
    tokenizer = text.WordTokenizer(text.SMALL_WORDS)
    tokens = diffusion_small.prompt_tokens(tokenizer, networks.SMALL.length)
    for name, prompts in zip(diffusion_small.CLASSES, tokens, strict=True):
        assert (prompts[:, 0] == tokenizer.start).all()
        assert tokenizer.unknown not in prompts
        assert prompts.max() < networks.SMALL.vocabulary
        said = [tokenizer.decode(prompt) for prompt in prompts[:-1]]  # the last fits any photo
        assert all((name or "animal") in one for one in said)
    assert capsys.readouterr().err == ""  # nothing was cut, nothing unknown


# What each part learns from


def test_the_kl_term_is_that_of_two_normal_distributions():
    moments = np.array([[[[0.5, -1.0, 0.2, -0.3]]]], "float32")
    mean, variance = moments[..., :2], np.exp(moments[..., 2:])
    # ∫ p log(p / q), summed over a fine grid
    x = np.linspace(-12, 12, 200_001)[:, None]
    p = np.exp(-((x - mean.ravel()) ** 2) / (2 * variance.ravel()))
    p /= np.sqrt(2 * np.pi * variance.ravel())
    q = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    expected = (p * np.log(np.maximum(p, 1e-300) / q)).sum(axis=0) * (x[1, 0] - x[0, 0])
    found = losses.GaussianKL()(np.zeros_like(moments), moments)
    assert float(found) == pytest.approx(expected.mean(), rel=1e-3)


def test_a_step_moves_every_weight(tiny):
    every, _ = moved(*step(tiny, *batch()))
    assert every >= {"image_encoder", "denoiser", "decoder"}


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # which is what is tested
def test_the_denoiser_does_not_move_the_autoencoder_nor_the_other_way_round():
    keras.utils.set_random_seed(0)
    model = diffusion_small.DiffusionSmall(32, TINY)
    model.absolute, model.kl = Nothing(), Nothing()
    _, none = moved(*step(model, *batch()))
    assert none == {"image_encoder", "decoder"}
    model.absolute, model.squared = keras.losses.MeanAbsoluteError(), Nothing()
    _, none = moved(*step(model, *batch()))
    assert none == {"text_encoder", "denoiser"}


def test_the_noise_term_is_the_squared_error_of_the_noise(tiny):
    for variable in tiny.denoiser.get_layer("conv_out").weights:
        variable.assign(0 * variable)  # it guesses that there is none
    latent = ops.zeros((64, 8, 8, 4))
    found = float(tiny.noise_term(latent, ops.arange(64) % 5, False))
    assert found == pytest.approx(1, abs=0.05)  # the variance of what was drawn


# What comes of it


def test_samples_are_photos_of_every_class(tiny):
    samples = tiny.samples(8)
    assert samples.shape == (8, 32, 32, 3)
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert np.abs(samples[0] - samples[1]).max() > 1e-3  # one prompt, other noise


def test_known_pixels_come_back_bit_for_bit_and_the_same_every_time(tiny):
    inputs, photo = batch(2)
    method = methods.diffusion_method("tiny", tiny.parts(), Request(steps=3))
    completed = method(inputs["masked"], inputs["mask"])
    known = np.broadcast_to(inputs["mask"] == 0, photo.shape)
    np.testing.assert_array_equal(completed[known], photo[known])
    np.testing.assert_array_equal(completed, method(inputs["masked"], inputs["mask"]))


def test_saved_and_loaded_it_completes_alike(tiny, tmp_path):
    tiny.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert loaded.layout == tiny.layout
    inputs, _ = batch(1)
    request = Request(steps=2)
    one, other = (
        methods.diffusion_method("tiny", model.parts(), request)(inputs["masked"], inputs["mask"])
        for model in (tiny, loaded)
    )
    np.testing.assert_array_equal(one, other)
