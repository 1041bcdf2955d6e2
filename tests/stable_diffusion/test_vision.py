"""recon.stable_diffusion.vision: CLIP's image half against PyTorch's own layers."""

import recon  # noqa: F401, I001 (first: TensorFlow then starts quietly)
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PIL.Image import Resampling
from keras import ops
from safetensors.numpy import load_file, save_file

from recon.data import safari
from recon.errors import BadInput
from recon.stable_diffusion import networks, text, vision

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

TINY = vision.Layout(size=28, patch=7, width=32, layers=2, heads=4, projection=16)
TEXT = replace(
    networks.SMALL, vocabulary=len(text.SMALL_WORDS) + 3, length=8, text_width=24, text_heads=3
)


# CLIP in PyTorch, its modules named as in the published file


class TorchAttention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            setattr(self, name, nn.Linear(width, width))

    def forward(self, x):
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class TorchLayer(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn = TorchAttention(width, heads, causal)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )

    def forward(self, x):
        x = x + self.self_attn(self.layer_norm1(x))
        y = self.mlp["fc1"](self.layer_norm2(x))
        return x + self.mlp["fc2"](y * torch.sigmoid(1.702 * y))


def torch_encoder(width, heads, count, causal):
    blocks = [TorchLayer(width, heads, causal) for _ in range(count)]
    return nn.ModuleDict({"layers": nn.ModuleList(blocks)})


class TorchVision(nn.Module):
    def __init__(self, layout):
        super().__init__()
        width, patches = layout.width, (layout.size // layout.patch) ** 2
        self.embeddings = nn.Module()
        self.embeddings.class_embedding = nn.Parameter(torch.randn(width))
        self.embeddings.patch_embedding = nn.Conv2d(
            3, width, layout.patch, layout.patch, bias=False
        )
        self.embeddings.position_embedding = nn.Embedding(1 + patches, width)
        self.embeddings.register_buffer("position_ids", torch.arange(1 + patches)[None])
        self.pre_layrnorm, self.post_layernorm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.encoder = torch_encoder(width, layout.heads, layout.layers, causal=False)

    def forward(self, photo):
        x = self.embeddings.patch_embedding(photo).flatten(2).transpose(1, 2)
        token = self.embeddings.class_embedding.expand(len(x), 1, -1)
        x = torch.cat([token, x], 1) + self.embeddings.position_embedding.weight
        x = self.pre_layrnorm(x)
        for layer in self.encoder["layers"]:
            x = layer(x)
        return self.post_layernorm(x[:, 0])


class TorchText(nn.Module):
    def __init__(self, layout):
        super().__init__()
        width = layout.text_width
        self.embeddings = nn.Module()
        self.embeddings.token_embedding = nn.Embedding(layout.vocabulary, width)
        self.embeddings.position_embedding = nn.Embedding(layout.length, width)
        self.embeddings.register_buffer("position_ids", torch.arange(layout.length)[None])
        self.final_layer_norm = nn.LayerNorm(width)
        self.encoder = torch_encoder(width, layout.text_heads, layout.text_layers, causal=True)

    def forward(self, tokens):
        x = self.embeddings.token_embedding(tokens) + self.embeddings.position_embedding.weight
        for layer in self.encoder["layers"]:
            x = layer(x)
        return self.final_layer_norm(x)


class TorchClip(nn.Module):
    def __init__(self):
        super().__init__()
        self.vision_model, self.text_model = TorchVision(TINY), TorchText(TEXT)
        self.visual_projection = nn.Linear(TINY.width, TINY.projection, bias=False)
        self.text_projection = nn.Linear(TEXT.text_width, TINY.projection, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(4.6))


@pytest.fixture(scope="module")
def peer():
    """PyTorch's CLIP with every weight random, normalisations and biases included."""
    torch.manual_seed(0)
    clip = TorchClip().eval()
    for parameter in clip.parameters():
        nn.init.normal_(parameter, 0, 0.2)
    return clip


@pytest.fixture(scope="module")
def file(peer, tmp_path_factory):
    """Its weights as the published file keeps them."""
    path = tmp_path_factory.mktemp("clip") / "model.safetensors"
    save_file({name: x.numpy() for name, x in peer.state_dict().items()}, path)
    return path


@pytest.fixture(scope="module")
def clip(file):
    return vision.load_clip(file, TINY, TEXT)


@pytest.fixture
def words():
    return text.WordTokenizer(text.SMALL_WORDS)


def photos(count, size=28, seed=0):
    return np.random.default_rng(seed).random((count, size, size, 3), "float32")


# What CLIP is shown


@pytest.mark.parametrize("size", [64, 96, 300])
def test_preparing_is_pillows_bicubic_and_clips_mean_and_deviation(size):
    photo = safari.draw(3, size) / np.float32(255)
    # Channel by channel, as Pillow resizes numbers that are not whole
    channels = [
        Image.fromarray(photo[..., c]).resize((224, 224), Resampling.BICUBIC) for c in range(3)
    ]
    expected = (np.clip(np.stack(channels, -1), 0, 1) - vision.MEAN) / vision.DEVIATION
    prepared = ops.convert_to_numpy(vision.prepare(photo[None]))
    assert prepared.shape == (1, 224, 224, 3)
    np.testing.assert_allclose(prepared[0], expected, atol=1e-4)


def test_of_a_photo_that_is_not_square_the_middle_is_shown():
    photo = photos(1, 40)
    wide = np.concatenate([photo * 0, photo, photo * 0 + 1], axis=2)  # (1, 40, 120, 3)
    for shown in (wide, wide.transpose(0, 2, 1, 3)):
        square = photo if shown is wide else photo.transpose(0, 2, 1, 3)
        np.testing.assert_allclose(vision.prepare(shown, 40), vision.prepare(square, 40), atol=1e-5)


# The network


def test_the_image_half_is_pytorchs(peer, clip):
    photo = photos(2)
    with torch.no_grad():
        shown = torch.from_numpy(photo).permute(0, 3, 1, 2)
        expected = peer.visual_projection(peer.vision_model(shown))
    said = ops.convert_to_numpy(clip.vision(photo, training=False))
    assert said.shape == (2, TINY.projection)
    assert np.abs(expected.numpy()).max() > 0.5
    np.testing.assert_allclose(said, expected.numpy(), atol=1e-4)


def test_the_text_half_is_pytorchs(peer, clip, words):
    prompts = ["a tiger", "", "a drawing of an elephant"]
    ids = np.stack([text.tokens(words, one, TEXT.length) for one in prompts])
    with torch.no_grad():
        expected = peer.text_model(torch.from_numpy(ids))
    said = text.embed(clip.text, words, prompts)
    np.testing.assert_allclose(said, expected.numpy(), atol=1e-4)


def test_similarities_are_pytorchs(peer, clip, words):
    shown, prompts = photos(3), ["a tiger", "no text"]
    ids = np.stack([text.tokens(words, one, TEXT.length) for one in prompts])
    first_end = torch.tensor([3, 3])  # start and two words come before
    with torch.no_grad():
        prepared = torch.tensor(ops.convert_to_numpy(vision.prepare(shown, TINY.size)))
        seen = peer.visual_projection(peer.vision_model(prepared.permute(0, 3, 1, 2)))
        said = peer.text_projection(peer.text_model(torch.from_numpy(ids))[range(2), first_end])
        expected = nn.functional.cosine_similarity(seen[:, None], said[None], dim=-1)
    found = vision.image_similarity(clip, words, shown, prompts)
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
    assert float(clip.logit_scale) == peer.logit_scale.item()


def test_every_patch_sees_every_other(clip):
    one = photos(1)
    other = one.copy()
    other[:, -7:, -7:] = 0  # the last patch: a causal mask would hide it from the class token
    difference = np.abs(ops.convert_to_numpy(clip.vision(one) - clip.vision(other))).max()
    assert difference > 1e-3


def test_the_published_size_has_the_published_count_of_weights():
    layout = replace(vision.VIT_L_14, layers=1)
    one = vision.vision_encoder(layout).count_params()
    per_layer = 4 * (1024 * 1024 + 1024) + 2 * 4 * 1024 * 1024 + 4096 + 1024 + 4 * 1024
    # transformers' CLIPVisionModelWithProjection of ViT-L/14 has this many
    assert one + 23 * per_layer == 303_966_208


@pytest.mark.parametrize(
    ("change", "line"),
    [({"patch": 5}, "size 28: patches of 5 do not"), ({"heads": 5}, "width 32: 5 heads do not")],
)
def test_a_layout_that_does_not_divide_is_refused(change, line):
    with pytest.raises(ValueError, match=line):
        replace(TINY, **change)


# The file


def spoiled(file, folder, change):
    """A copy of the file with its tensors changed."""
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, folder / "spoiled.safetensors")
    return folder / "spoiled.safetensors"


def test_every_tensor_has_its_place_and_every_variable_its_tensor(file, clip):
    places = vision.places(clip)
    weights = [*clip.vision.weights, *clip.text.weights, clip.projection, clip.logit_scale]
    assert {id(place.variable) for place in places.values()} == {id(one) for one in weights}
    assert len(places) == len(weights)
    numbers = {f"{half}_model.embeddings.position_ids" for half in ("text", "vision")}
    assert set(load_file(file)) == places.keys() | numbers


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda t: t.pop("visual_projection.weight"),
            "lacks tensor 'visual_projection.weight'; CLIP",
        ),
        (
            lambda t: [t.pop(name) for name in list(t) if "layers.1.self_attn" in name],
            "lacks tensor 'text_model.encoder.layers.1.self_attn.k_proj.bias' and 15 more; CLIP",
        ),
        (lambda t: t.update(more=t["logit_scale"]), "has an unknown tensor 'more'; CLIP"),
        (
            lambda t: t.update({"visual_projection.weight": np.zeros((16, 31), "float32")}),
            "tensor 'visual_projection.weight' is (16, 31), not (16, 32); CLIP",
        ),
        (
            lambda t: t.update({"text_projection.weight": np.zeros((24, 16), "float32")}),
            "tensor 'text_projection.weight' is (24, 16), not (16, 24); CLIP",
        ),
    ],
)
def test_other_tensors_are_refused(file, tmp_path, change, line):
    path = spoiled(file, tmp_path, change)
    with pytest.raises(BadInput) as caught:
        vision.load_clip(path, TINY, TEXT)
    assert str(caught.value).startswith(f"{path}: {line}")


def test_files_that_are_missing_or_cut_are_refused(file, tmp_path):
    with pytest.raises(BadInput, match="gone: no such file; CLIP's weights are https://"):
        vision.load_clip(tmp_path / "gone", TINY, TEXT)
    cut = tmp_path / "cut.safetensors"
    for count in (0, 100, file.stat().st_size - 1):
        cut.write_bytes(file.read_bytes()[:count])
        with pytest.raises(BadInput, match=f": {count:,} bytes that are no whole safetensors"):
            vision.load_clip(cut, TINY, TEXT)
