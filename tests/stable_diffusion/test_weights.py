import dataclasses
import re

import h5py
import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from recon.errors import BadInput
from recon.stable_diffusion import networks, weights

SIZE = 8


@pytest.fixture(scope="module")
def model(layout):
    return weights.Loaded(layout, None, *weights.build(layout, SIZE, 4))


def scramble(parts, seed=0):
    """Other weights than those that a new network starts with."""
    rng = np.random.default_rng(seed)
    for part in parts:
        part.set_weights([rng.normal(size=w.shape).astype("float32") for w in part.get_weights()])


def parts_of(model):
    return model.text_encoder, model.image_encoder, model.denoiser, model.decoder


def assert_equal(a, b):
    for one, other in zip(parts_of(a), parts_of(b), strict=True):
        for x, y in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(x, y)


# Names: an independent list, written down from diffusers' modules ------------------------------


def linear(name, bias=True):
    return {f"{name}.weight", *([f"{name}.bias"] if bias else [])}


def every(*names):
    return set().union(*map(linear, names))


def resnet(name, shortcut, time=True):
    parts = ["norm1", "conv1", "norm2", "conv2"]
    parts += ["time_emb_proj"] * time + ["conv_shortcut"] * shortcut
    return every(*(f"{name}.{part}" for part in parts))


def transformer(name):
    block = f"{name}.transformer_blocks.0"
    found = every(*(f"{name}.{part}" for part in ("norm", "proj_in", "proj_out")))
    found |= every(*(f"{block}.{part}" for part in ("norm1", "norm2", "norm3")))
    found |= every(f"{block}.ff.net.0.proj", f"{block}.ff.net.2")
    for attention in ("attn1", "attn2"):
        found |= every(f"{block}.{attention}.to_out.0")
        for part in ("to_q", "to_k", "to_v"):
            found |= linear(f"{block}.{attention}.{part}", bias=False)
    return found


def unet_names():
    """Of Stable Diffusion 1.x: three levels with attention, one without."""
    found = every("conv_in", "conv_out", "conv_norm_out")
    found |= every("time_embedding.linear_1", "time_embedding.linear_2")
    for i in range(4):
        for j in range(2):
            found |= resnet(f"down_blocks.{i}.resnets.{j}", shortcut=j == 0 and i in (1, 2))
            found |= transformer(f"down_blocks.{i}.attentions.{j}") if i < 3 else set()
        for j in range(3):
            found |= resnet(f"up_blocks.{i}.resnets.{j}", shortcut=True)
            found |= transformer(f"up_blocks.{i}.attentions.{j}") if i > 0 else set()
        if i < 3:
            found |= every(f"down_blocks.{i}.downsamplers.0.conv")
            found |= every(f"up_blocks.{i}.upsamplers.0.conv")
    found |= resnet("mid_block.resnets.0", False) | resnet("mid_block.resnets.1", False)
    return found | transformer("mid_block.attentions.0")


def vae_names():
    found = every("quant_conv", "post_quant_conv")
    for half, blocks in (("encoder", 2), ("decoder", 3)):
        found |= every(*(f"{half}.{part}" for part in ("conv_in", "conv_norm_out", "conv_out")))
        for i in range(4):
            place, sampler, new = {
                "encoder": (f"{half}.down_blocks.{i}", "downsamplers", i in (1, 2)),
                "decoder": (f"{half}.up_blocks.{i}", "upsamplers", i in (2, 3)),
            }[half]
            for j in range(blocks):
                found |= resnet(f"{place}.resnets.{j}", shortcut=new and j == 0, time=False)
            found |= every(f"{place}.{sampler}.0.conv") if i < 3 else set()
        for j in range(2):
            found |= resnet(f"{half}.mid_block.resnets.{j}", shortcut=False, time=False)
        attention = f"{half}.mid_block.attentions.0"
        found |= every(*(f"{attention}.{p}" for p in ("to_q", "to_k", "to_v", "to_out.0")))
        found |= every(f"{attention}.group_norm")
    return found


def text_names():
    place = "text_model.embeddings"
    found = {f"{place}.token_embedding.weight", f"{place}.position_embedding.weight"}
    for i in range(12):
        parts = [f"self_attn.{p}_proj" for p in ("q", "k", "v", "out")]
        parts += ["layer_norm1", "layer_norm2", "mlp.fc1", "mlp.fc2"]
        found |= every(*(f"text_model.encoder.layers.{i}.{part}" for part in parts))
    return found | every("text_model.final_layer_norm")


# As deep as Stable Diffusion, and as wide as fits in a test.
DEEP = dataclasses.replace(
    networks.STABLE_DIFFUSION,
    vocabulary=20,
    length=4,
    text_width=12,
    autoencoder=(32, 64, 96, 96),
    denoiser=(32, 64, 96, 96),
    time_width=8,
)


def test_names_are_those_of_diffusers():
    text_encoder, image_encoder, denoiser, decoder = weights.build(DEEP, 64, 4)
    found = weights.places(denoiser)
    assert found.keys() == unet_names()
    assert len(found) == 686  # of Stable Diffusion 1.5, as published
    found = weights.places(image_encoder, decoder)
    assert found.keys() == vae_names()
    assert len(found) == 248
    found = weights.places(text_encoder)
    assert found.keys() == text_names()
    assert len(found) == 196  # and position_ids


def test_axes_are_those_of_pytorch(model):
    shapes = {name: place.shape for name, place in weights.places(model.denoiser).items()}
    assert shapes["conv_in.weight"] == (32, 4, 3, 3)  # outputs, inputs, height, width
    assert shapes["time_embedding.linear_1.weight"] == (32, 8)  # outputs, inputs
    transformer = "mid_block.attentions.0.transformer_blocks.0"
    assert shapes[f"{transformer}.attn2.to_k.weight"] == (64, 32)  # from the prompt's width
    assert shapes[f"{transformer}.ff.net.0.proj.weight"] == (512, 64)  # values, then gates


def test_a_convolution_and_a_dense_layer_are_turned_the_right_way(model):
    """Against sums written out over the published axes."""
    scramble([model.denoiser])
    rng = np.random.default_rng(1)
    found = weights.places(model.denoiser)
    kernel, bias = found["conv_in.weight"].read(), found["conv_in.bias"].read()
    x = rng.normal(size=(1, 3, 3, 4)).astype("float32")
    expected = np.einsum("oihw,bhwi->bo", kernel, x) + bias
    said = np.asarray(model.denoiser.get_layer("conv_in")(x))[:, 1, 1]
    np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-4)
    name = "time_embedding.linear_1"
    matrix, bias = found[f"{name}.weight"].read(), found[f"{name}.bias"].read()
    x = rng.normal(size=(1, 8)).astype("float32")
    said = np.asarray(model.denoiser.get_layer(name)(x))
    np.testing.assert_allclose(said, x @ matrix.T + bias, rtol=1e-4, atol=1e-4)


# Folders of diffusers --------------------------------------------------------------------------


def written(parts, dtype="float32"):
    """Tensors as diffusers keeps them, of one safetensors file."""
    return {
        name: np.ascontiguousarray(place.read().astype(dtype))
        for name, place in weights.places(*parts).items()
    }


def write_folder(folder, model, dtype="float32", half=""):
    for part, name, found in (
        ("unet", "diffusion_pytorch_model", [model.denoiser]),
        ("vae", "diffusion_pytorch_model", [model.image_encoder, model.decoder]),
        ("text_encoder", "model", [model.text_encoder]),
    ):
        (folder / part).mkdir()
        save_file(written(found, dtype), folder / part / f"{name}{half}.safetensors")
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    return folder


def rewrite(path, change):
    """Change the tensors of a file."""
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(change(tensors), path)


def test_a_folder_of_diffusers_is_read_whole(model, tmp_path):
    scramble(parts_of(model))
    folder = write_folder(tmp_path, model)
    loaded = weights.load(folder, SIZE, layout=model.layout)
    assert_equal(loaded, model)
    assert loaded.vocabulary == folder / "tokenizer" / "merges.txt"


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_half_precision_is_read(model, tmp_path, dtype):
    scramble([model.text_encoder])
    expected = [w.astype(dtype).astype("float32") for w in model.text_encoder.get_weights()]
    save_file(written([model.text_encoder], dtype), tmp_path / "half.safetensors")
    scramble([model.text_encoder], 1)
    weights.fill(tmp_path / "half.safetensors", weights.places(model.text_encoder))
    for x, y in zip(model.text_encoder.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(x, y)


def test_the_half_precision_file_will_do(tmp_path):
    half = tmp_path / "unet" / "model.fp16.safetensors"
    half.parent.mkdir()
    half.touch()
    assert weights.safetensors_file(tmp_path, "unet", "model") == half
    full = tmp_path / "unet" / "model.safetensors"
    full.touch()
    assert weights.safetensors_file(tmp_path, "unet", "model") == full


def test_names_and_shapes_of_older_files_are_read(model, tmp_path):
    """The autoencoder's attention had other names, and matrices instead of convolutions."""
    parts = [model.image_encoder, model.decoder]
    scramble(parts)
    expected = [w for part in parts for w in part.get_weights()]
    tensors = written(parts)
    for name in list(tensors):
        if ".attentions." in name:
            old = name
            for a, b in (("to_q", "query"), ("to_k", "key"), ("to_v", "value")):
                old = old.replace(a, b)
            old = old.replace("to_out.0", "proj_attn")
            tensor = tensors.pop(name)
            tensors[old] = tensor[..., 0, 0].copy() if tensor.ndim == 4 else tensor
    assert "decoder.mid_block.attentions.0.proj_attn.weight" in tensors
    save_file(tensors, tmp_path / "old.safetensors")
    scramble(parts, 1)
    weights.fill(tmp_path / "old.safetensors", weights.places(*parts))
    found = [w for part in parts for w in part.get_weights()]
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y)


def test_position_numbers_are_passed_over(model, tmp_path):
    tensors = written([model.text_encoder])
    tensors["text_model.embeddings.position_ids"] = np.arange(4)[None]
    save_file(tensors, tmp_path / "text.safetensors")
    weights.fill(tmp_path / "text.safetensors", weights.places(model.text_encoder))


def test_the_inpainting_model_has_nine_channels(layout, tmp_path):
    nine = networks.denoiser(layout, SIZE, 9)
    path = tmp_path / "unet.safetensors"
    save_file(written([nine]), path)
    assert weights.input_channels(path) == 9
    again = networks.denoiser(layout, SIZE, weights.input_channels(path))
    weights.fill(path, weights.places(again))
    for x, y in zip(nine.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {k: t[k] for k in t if k != "conv_in.bias"}, "no tensor 'conv_in.bias'; "),
        (lambda t: t | {"lora.up": np.zeros(1)}, "unknown tensor 'lora.up'; "),
        (
            lambda t: t | {"conv_in.bias": np.zeros(3)},
            r"'conv_in.bias' is \(3,\), not \(32,\): another model's",
        ),
    ],
    ids=["missing", "unknown", "shape"],
)
def test_every_tensor_is_accounted_for(model, tmp_path, change, message):
    before = model.denoiser.get_weights()
    path = tmp_path / "unet.safetensors"
    save_file(written([model.denoiser]), path)
    rewrite(path, change)
    with pytest.raises(BadInput, match=message):
        weights.fill(path, weights.places(model.denoiser))
    for x, y in zip(before, model.denoiser.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)  # nothing is filled by halves


def test_a_half_downloaded_file_says_so(model, tmp_path):
    path = tmp_path / "text.safetensors"
    save_file(written([model.text_encoder]), path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BadInput, match="5,000 bytes that are no whole safetensors file"):
        weights.fill(path, weights.places(model.text_encoder))


# KerasCV's files ---------------------------------------------------------------------------------


def write_legacy(path, network):
    """As `save_weights` of Keras 2 lays a file out: a group per layer, in order."""
    with h5py.File(path, "w") as file:
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.11.0"
        file.attrs["layer_names"] = [layer.name.encode() for layer in network.layers]
        for layer in network.layers:
            group = file.create_group(layer.name)
            names = [f"{layer.name}/{i}:0" for i in range(len(layer.weights))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=weight)
        file.create_group("top_level_model_weights").attrs["weight_names"] = []


LEGACY = (weights.TEXT_ENCODER, weights.IMAGE_ENCODER, weights.DENOISER, weights.DECODER)


def test_legacy_files_are_read(model, tmp_path):
    scramble(parts_of(model))
    for file, part in zip(LEGACY, parts_of(model), strict=True):
        write_legacy(tmp_path / file.name, part)
    (tmp_path / weights.VOCABULARY.name).touch()
    loaded = weights.load(tmp_path, SIZE, layout=model.layout)
    assert_equal(loaded, model)


def test_another_networks_file_says_so(model, tmp_path):
    write_legacy(tmp_path / "a.h5", model.decoder)
    with pytest.raises(BadInput, match=r"a\.h5: not weights of the text_encoder: "):
        weights.load_legacy(model.text_encoder, tmp_path / "a.h5")
    short = tmp_path / "b.h5"
    short.write_bytes((tmp_path / "a.h5").read_bytes()[:5000])
    with pytest.raises(BadInput, match=r"5,000 bytes that are no whole \.h5 file"):
        weights.load_legacy(model.decoder, short)


def test_what_is_missing_says_where_it_comes_from(tmp_path, monkeypatch):
    monkeypatch.setenv("RECON_CACHE", str(tmp_path))
    with pytest.raises(BadInput) as said:
        weights.load()
    path = tmp_path / "stable-diffusion" / "kcv_encoder.h5"
    assert str(said.value) == (
        f"{path}: no such file, about 490 MB; type: curl --create-dirs -L -C - "
        f'-o "{path}" "https://huggingface.co/fchollet/stable-diffusion/resolve/main/kcv_encoder.h5"'
    )


def test_a_half_downloaded_file_of_the_cache_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("RECON_CACHE", str(tmp_path))
    for file in (*LEGACY, weights.VOCABULARY):
        path = weights.cache() / file.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(1234))
    with pytest.raises(BadInput, match="1,234 bytes, not the published file of about 490 MB"):
        weights.load()


def test_the_table_says_how_large_files_are():
    """About 4 bytes a weight; KerasCV's networks have these many."""
    counts = {"kcv_encoder.h5": 123.06e6, "kcv_diffusion_model.h5": 859.52e6}
    counts |= {"kcv_decoder.h5": 49.49e6, "vae_encoder.h5": 34.16e6}
    for file in LEGACY:
        number, unit = file.size.split()
        said = float(number) * {"MB": 1e6, "GB": 1e9}[unit]
        assert said == pytest.approx(4 * counts[file.name], rel=0.03)
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)


def test_no_folder_and_a_size_that_does_not_fit(tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        weights.load(tmp_path / "none")
    with pytest.raises(ValueError, match="size 500: must be a multiple of 64"):
        weights.load(size=500)


# The small model --------------------------------------------------------------------------------


def test_the_small_file_comes_back_in_half_precision(model, tmp_path):
    scramble(parts_of(model))
    path = tmp_path / "small.safetensors"
    weights.save_small(path, model)
    loaded = weights.load_small(path, 16)  # at another size, the same weights
    assert loaded.layout == model.layout
    for one, other in zip(parts_of(model), parts_of(loaded), strict=True):
        for x, y in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(x.astype("float16").astype("float32"), y)
    count = sum(part.count_params() for part in parts_of(model))
    assert path.stat().st_size < 2 * count + 50_000


def test_another_kind_of_file_is_no_small_model(tmp_path):
    save_file({"a": np.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(BadInput, match="no layout in it"):
        weights.load_small(tmp_path / "a.safetensors")
