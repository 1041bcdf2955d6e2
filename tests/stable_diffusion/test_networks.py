import dataclasses
import gc
import importlib

import keras
import numpy as np
import pytest

from recon.stable_diffusion import kerascv, networks
from recon.stable_diffusion.networks import STABLE_DIFFUSION


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.fixture(scope="module")
def encoder(layout):
    return networks.image_encoder(layout, 8)


@pytest.fixture(scope="module")
def denoiser(layout):
    return networks.denoiser(layout, 8)


def prompt(ids):
    return {"tokens": np.array([ids], "int32"), "positions": np.arange(4, dtype="int32")[None]}


def test_a_token_sees_only_those_before_it(layout):
    network = networks.text_encoder(layout)
    one = network.predict_on_batch(prompt([1, 2, 3, 4]))
    other = network.predict_on_batch(prompt([1, 2, 9, 4]))
    assert one.shape == (1, 4, 32)
    assert np.isfinite(one).all()
    np.testing.assert_allclose(one[:, :2], other[:, :2], atol=1e-6)
    assert (np.abs(one[:, 2:] - other[:, 2:]).max(axis=-1) > 1e-3).all()


def test_the_latent_is_the_scaled_mean_of_the_moments(encoder):
    photo = numbers(2, 8, 8, 3)
    latent = encoder.predict_on_batch(photo)
    moments = networks.moments(encoder).predict_on_batch(photo)
    assert moments.shape == (2, 4, 4, 8)
    np.testing.assert_allclose(latent, 0.18215 * moments[..., :4], rtol=1e-5)


def test_decoder_and_denoiser_give_what_they_say(layout, denoiser):
    decoder = networks.decoder(layout, 8)
    assert decoder.predict_on_batch(numbers(2, 4, 4, 4)).shape == (2, 8, 8, 3)
    said = denoiser.predict_on_batch(denoiser_inputs())
    assert said.shape == (2, 4, 4, 4)
    assert np.isfinite(said).all()


def denoiser_inputs():
    return {
        "latent": numbers(2, 4, 4, 4),
        "timestep_embedding": numbers(2, 8, seed=1),
        "context": numbers(2, 4, 32, seed=2),
    }


def test_two_prompts_for_every_latent_are_two_calls(denoiser):
    inputs = {**denoiser_inputs(), "context": numbers(4, 4, 32, seed=3)}
    both = denoiser(inputs)
    first = denoiser({**inputs, "context": inputs["context"][:2]})
    second = denoiser({**inputs, "context": inputs["context"][2:]})
    np.testing.assert_allclose(both, np.concatenate([first, second]), atol=1e-5)


@pytest.mark.parametrize("name", ["timestep_embedding", "context"])
def test_the_denoiser_looks_at_time_and_prompt(denoiser, name):
    inputs = denoiser_inputs()
    one = denoiser.predict_on_batch(inputs)
    other = denoiser.predict_on_batch(inputs | {name: -inputs[name]})
    assert np.abs(one - other).max() > 1e-3


def test_weights_come_back(layout, denoiser, tmp_path):
    path = tmp_path / "a.weights.h5"
    denoiser.save_weights(path)
    again = networks.denoiser(layout, 8)
    again.load_weights(path)
    inputs = denoiser_inputs()
    np.testing.assert_array_equal(again.predict_on_batch(inputs), denoiser.predict_on_batch(inputs))


@pytest.mark.parametrize("size", [0, -8, 6, 12.5])
def test_sizes_are_refused_not_rounded(layout, size):
    for build in (networks.decoder, networks.denoiser, networks.image_encoder):
        with pytest.raises(ValueError, match=f"size {size}: must be a multiple of 4"):
            build(layout, size)


def test_stable_diffusions_sizes():
    assert STABLE_DIFFUSION.factor == 8
    assert STABLE_DIFFUSION.multiple == 64
    assert networks.latent_side(STABLE_DIFFUSION, 512) == 64
    assert networks.latent_side(networks.SMALL, 64) == 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"autoencoder": (32, 48)}, "width 48: must be a multiple of 32"),
        ({"denoiser": (32, 40)}, "width 40: must be a multiple of 32"),
        ({"heads": 3}, "width 32: 3 heads do not divide it"),
        ({"text_heads": 5}, "width 32: 5 heads do not divide it"),
        ({"text_activation": "relu"}, "'relu': must be one of quick_gelu, gelu"),
    ],
)
def test_layouts_that_no_network_can_have(layout, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(layout, **change)


def test_precision_is_of_the_network_and_goes_no_further(layout):
    with networks.precision("bfloat16"):
        network = networks.text_encoder(layout)
    assert {weight.dtype for weight in network.weights} == {"bfloat16"}
    assert keras.config.dtype_policy().name == "float32"


# Against KerasCV's own networks -------------------------------------------------------------


def kerascvs_own(module, name):
    """A class of KerasCV, as published: nothing in it is replaced."""
    with kerascv.in_place_of_kerascv(kerascv.stand_ins(kerascv.folder())):
        return getattr(importlib.import_module(f"{kerascv.PACKAGE}.{module}"), name)


def shapes(network):
    return [tuple(weight.shape) for weight in network.weights]


def check_same(ours, theirs, inputs):
    assert shapes(ours) == shapes(theirs)
    ours.set_weights(theirs.get_weights())
    said, expected = ours.predict_on_batch(inputs), theirs.predict_on_batch(inputs)
    np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_the_text_encoder_is_kerascvs():
    theirs = kerascvs_own("text_encoder", "TextEncoder")(77, download_weights=False)
    tokens = np.random.default_rng(0).integers(0, 49408, (1, 77)).astype("int32")
    inputs = {"tokens": tokens, "positions": np.arange(77, dtype="int32")[None]}
    check_same(networks.text_encoder(STABLE_DIFFUSION), theirs, inputs)


@pytest.mark.slow
def test_the_image_encoder_is_kerascvs():
    theirs = kerascvs_own("image_encoder", "ImageEncoder")(download_weights=False)
    check_same(networks.image_encoder(STABLE_DIFFUSION, 64), theirs, numbers(1, 64, 64, 3))


@pytest.mark.slow
def test_the_decoder_is_kerascvs():
    theirs = kerascvs_own("decoder", "Decoder")(64, 64, download_weights=False)
    check_same(networks.decoder(STABLE_DIFFUSION, 64), theirs, numbers(1, 8, 8, 4))


@pytest.mark.slow
def test_the_denoiser_is_kerascvs():
    """Its layers in their order; both in half precision and one after the other: 1.7 GB each."""

    def described(network):
        layers = [(type(x).__name__, shapes(x)) for x in network.layers if x.weights]
        count = network.count_params()
        return layers, count

    with networks.precision("bfloat16"):
        ours = described(networks.denoiser(STABLE_DIFFUSION, 128))
        gc.collect()
        own = kerascvs_own("diffusion_model", "DiffusionModel")
        theirs = described(own(128, 128, 77, download_weights=False))
    assert ours == theirs
    assert ours[1] == 859_520_964
