"""Weights of the networks: where published ones come from, and how their files are read.

Two layouts of Stable Diffusion 1.x are read, and one of our own is written:

- KerasCV's files: one `.h5` per network in the legacy format of Keras 2, read by Keras itself;
- a folder of the `diffusers` library: `unet`, `vae`, `text_encoder` and `tokenizer`, with
  safetensors, the 9-channel model trained to inpaint among them;
- one compact safetensors file of a small model.

Tensors of the last two bear diffusers' names. `published` says which weight is which: a layer of
`recon.stable_diffusion.networks` is named after diffusers' module, and `inner` names what is inside
a block. Every tensor of a file must be one of these, and each of these must be in the file.

KerasCV computes almost what diffusers does, not quite: the gate of its feed-forward layers is the
tanh approximation of GELU, and epsilon is 1e-5 in every normalisation, where diffusers has 1e-6 in
some.
"""

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from recon import commandline
from recon.atomic import writing
from recon.errors import BadInput
from recon.stable_diffusion import kerascv, networks, text
from recon.stable_diffusion.networks import STABLE_DIFFUSION, Layout


class Loaded(NamedTuple):
    """The networks of one model, with weights."""

    layout: Layout
    vocabulary: Path | None  # file of the tokenizer; None: the small model's words
    text_encoder: keras.Model
    image_encoder: keras.Model
    denoiser: keras.Model  # of 4 channels, or of 9, trained to inpaint
    decoder: keras.Model


# KerasCV's files ----------------------------------------------------------------------------


class Published(NamedTuple):
    """A file that KerasCV publishes; sizes are about 4 bytes a weight."""

    name: str
    size: str
    address: str
    sha256: str


HOST = "https://huggingface.co/fchollet/stable-diffusion/resolve/main/"
TEXT_ENCODER = Published(
    "kcv_encoder.h5",
    "490 MB",
    HOST + "kcv_encoder.h5",
    "4789e63e07c0e54d6a34a29b45ce81ece27060c499a709d556c7755b42bb0dc4",
)
DENOISER = Published(
    "kcv_diffusion_model.h5",
    "3.4 GB",
    HOST + "kcv_diffusion_model.h5",
    "8799ff9763de13d7f30a683d653018e114ed24a6a819667da4f5ee10f9e805fe",
)
DECODER = Published(
    "kcv_decoder.h5",
    "200 MB",
    HOST + "kcv_decoder.h5",
    "ad350a65cc8bc4a80c8103367e039a3329b4231c2469a1093869a345f55b1962",
)
IMAGE_ENCODER = Published(
    "vae_encoder.h5",
    "140 MB",
    HOST + "vae_encoder.h5",
    "c60fb220a40d090e0f86a6ab4c312d113e115c87c40ff75d11ffcf380aab7ebb",
)
VOCABULARY = Published(
    "bpe_simple_vocab_16e6.txt.gz",
    "1.4 MB",
    "https://github.com/openai/CLIP/blob/main/clip/bpe_simple_vocab_16e6.txt.gz?raw=true",
    "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
)


def cache() -> Path:
    """The folder where KerasCV's files are looked for: in RECON_CACHE, or the platform's cache."""
    import pooch  # where tqdm is, it warns a notebook of a bar that nobody sees

    return Path(os.environ.get("RECON_CACHE") or pooch.os_cache("recon")) / "stable-diffusion"


def find(file: Published, folder: Path) -> Path:
    """Where a published file is.

    Raises:
        BadInput: it is not there.
    """
    path = folder / file.name
    if not path.is_file():
        raise BadInput(f"{path}: no such file, about {file.size}; {how_to_get(file, path)}")
    return path


def check(file: Published, path: Path) -> None:
    """Hold a file against its published checksum; gigabytes take some seconds.

    Raises:
        BadInput: it is another one.
    """
    import pooch

    if pooch.file_hash(str(path), alg="sha256") != file.sha256:
        raise BadInput(
            f"{path}: {path.stat().st_size:,} bytes, not the published file of about {file.size}, "
            f"or only its beginning; {how_to_get(file, path)}"
        )


def how_to_get(file: Published, path: Path) -> str:
    """What to type; curl goes on where it stopped."""
    return f'type: curl --create-dirs -L -C - -o "{path}" "{file.address}"'


def load_legacy(network: keras.Model, path: Path) -> None:
    """Fill a network from a legacy `.h5` file, which lists weights in the order of its layers.

    Raises:
        BadInput: the file is damaged, or another network's.
    """
    try:
        network.load_weights(path)
    except OSError:
        raise BadInput(
            f"{path}: {path.stat().st_size:,} bytes that are no whole .h5 file; download it again"
        ) from None
    except (ValueError, KeyError) as error:
        why = str(error).splitlines()[0]
        raise BadInput(f"{path}: not weights of the {network.name}: {why}") from None


def load_kerascv(folder: Path | None, layout: Layout, size: int, vocabulary: Path | None) -> Loaded:
    """Load KerasCV's files; only those of the cache (folder None) must be the published ones."""
    place = folder or cache()
    files = (TEXT_ENCODER, IMAGE_ENCODER, DENOISER, DECODER)
    # Everything that is missing is said before gigabytes are read.
    paths = [find(file, place) for file in files]
    vocabulary = vocabulary or find(VOCABULARY, place)
    if folder is None:
        for file, path in zip((*files, VOCABULARY), (*paths, vocabulary), strict=True):
            check(file, path)
    parts = build(layout, size, layout.latent_channels)
    for part, path in zip(parts, paths, strict=True):
        load_legacy(part, path)
    return Loaded(layout, vocabulary, *parts)


def build(layout: Layout, size: int, channels: int) -> tuple[keras.Model, ...]:
    """Text encoder, image encoder, denoiser and decoder, without weights from anywhere."""
    return (
        networks.text_encoder(layout),
        networks.image_encoder(layout, size),
        networks.denoiser(layout, size, channels),
        networks.decoder(layout, size),
    )


# Diffusers' names ---------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a published tensor goes."""

    variable: keras.Variable
    axes: tuple[int, ...]  # the variable's axes in PyTorch's order

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the published tensor."""
        return tuple(self.variable.shape[axis] for axis in self.axes)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """A 1×1 convolution is published as a matrix, too: without its two axes of length 1."""
        return tuple(shape) in (self.shape, self.shape[:2] if self.shape[2:] == (1, 1) else None)

    def fill(self, tensor: np.ndarray) -> None:
        tensor = tensor.astype("float32", copy=False).reshape(self.shape)
        self.variable.assign(tensor.transpose(np.argsort(self.axes)))

    def read(self) -> np.ndarray:
        return ops.convert_to_numpy(self.variable).astype("float32").transpose(self.axes)


def inner(block) -> dict[str, layers.Layer]:
    """The layers inside a block, by the names of diffusers' modules; nothing for a plain layer."""
    match block:
        case kerascv.PaddedConv2D():
            return {"": block.conv2d}
        case kerascv.ResBlock():
            found = {
                "norm1": block.entry_flow[0],
                "conv1": block.entry_flow[2],
                "time_emb_proj": block.embedding_flow[1],
                "norm2": block.exit_flow[0],
                "conv2": block.exit_flow[2],
            }
            return found | shortcut(block)
        case kerascv.ResnetBlock():
            names = ("norm1", "conv1", "norm2", "conv2")
            return {name: getattr(block, name) for name in names} | shortcut(block)
        case kerascv.AttentionBlock():
            return {
                "group_norm": block.norm,
                "to_q": block.q,
                "to_k": block.k,
                "to_v": block.v,
                "to_out.0": block.proj_out,
            }
        case kerascv.SpatialTransformer():
            return {
                "norm": block.norm,
                "proj_in": block.proj1,
                "transformer_blocks.0": block.transformer_block,
                "proj_out": block.proj2,
            }
        case kerascv.BasicTransformerBlock():
            names = ("norm1", "attn1", "norm2", "attn2", "norm3")
            return {name: getattr(block, name) for name in names} | {
                "ff.net.0.proj": block.geglu.dense,
                "ff.net.2": block.dense,
            }
        case kerascv.CrossAttention():
            names = ("to_q", "to_k", "to_v")
            return {name: getattr(block, name) for name in names} | {"to_out.0": block.out_proj}
        case kerascv.Upsample():
            return {"conv": block.conv}
        case kerascv.CLIPEmbedding():
            names = ("token_embedding", "position_embedding")
            return {name: getattr(block, name) for name in names}
        case kerascv.CLIPEncoderLayer():
            return {
                "layer_norm1": block.layer_norm1,
                "self_attn": block.clip_attn,
                "layer_norm2": block.layer_norm2,
                "mlp.fc1": block.fc1,
                "mlp.fc2": block.fc2,
            }
        case kerascv.CLIPAttention():
            return {
                name: getattr(block, name) for name in ("q_proj", "k_proj", "v_proj", "out_proj")
            }
    return {}


def shortcut(block) -> dict[str, layers.Layer]:
    """The convolution beside a block that changes the number of channels."""
    projection = block.residual_projection
    return {"conv_shortcut": projection} if isinstance(projection, layers.Layer) else {}


def own(layer: layers.Layer) -> dict[str, Place]:
    """The tensors of a plain layer, by PyTorch's names, and how PyTorch turns their axes."""
    match layer:
        case layers.GroupNormalization() | layers.LayerNormalization():
            return {"weight": Place(layer.gamma, (0,)), "bias": Place(layer.beta, (0,))}
        case layers.Conv2D():  # PyTorch: outputs, inputs, height, width
            return {"weight": Place(layer.kernel, (3, 2, 0, 1)), "bias": Place(layer.bias, (0,))}
        case layers.Dense():  # PyTorch: outputs, inputs
            kernel = {"weight": Place(layer.kernel, (1, 0))}
            return kernel | ({"bias": Place(layer.bias, (0,))} if layer.use_bias else {})
        case layers.Embedding():
            return {"weight": Place(layer.embeddings, (0, 1))}
    return {}


def published(layer, name: str) -> Iterator[tuple[str, Place]]:
    """Every tensor of a layer and of the layers inside it, by its published name."""
    for end, place in own(layer).items():
        yield f"{name}.{end}", place
    for end, part in inner(layer).items():
        yield from published(part, f"{name}.{end}" if end else name)


def places(*models: keras.Model) -> dict[str, Place]:
    """Published name -> place, of every weight of networks that share a file."""
    found = dict(
        pair for model in models for layer in model.layers for pair in published(layer, layer.name)
    )
    assert len(found) == sum(len(model.weights) for model in models)
    return found


# Safetensors --------------------------------------------------------------------------------

OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def today(name: str) -> str:
    """Diffusers' present name of a tensor: the autoencoder's attention was renamed in 2023."""
    return re.sub(
        r"(mid_block\.attentions\.0\.)(query|key|value|proj_attn)\.",
        lambda match: f"{match[1]}{OLD_NAMES[match[2]]}.",
        name,
    )


def tensors(path: Path):
    """Open a safetensors file, whose tensors are read when asked for.

    Raises:
        BadInput: no such file, or one that is damaged or ends early.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file; see `load` for the files of a model")
    try:
        return safe_open(path, "np")
    except SafetensorError:
        raise BadInput(
            f"{path}: {path.stat().st_size:,} bytes that are no whole safetensors file; "
            "download it again"
        ) from None


def fill(path: Path, wanted: dict[str, Place]) -> None:
    """Fill weights from a safetensors file, one at a time.

    Args:
        path: of float32, float16 or bfloat16.
        wanted: every tensor that the file must hold; position numbers (0, 1, 2 and so on), which
            older text encoders hold, are passed over.

    Raises:
        BadInput: a tensor is missing, unknown or of another shape.
    """
    with tensors(path) as file:
        names = {today(name): name for name in file.keys()}  # noqa: SIM118 (no dictionary)
        names = {new: old for new, old in names.items() if not new.endswith(".position_ids")}
        for kind, some in (("no", wanted.keys() - names), ("unknown", names.keys() - wanted)):
            if some:
                more = f" and {len(some) - 1} more" if len(some) > 1 else ""
                raise BadInput(
                    f"{path}: {kind} tensor {min(some)!r}{more}; it must be Stable Diffusion 1.x "
                    "in diffusers' layout"
                )
        for new, old in names.items():
            shape = tuple(file.get_slice(old).get_shape())
            if not wanted[new].fits(shape):
                raise BadInput(
                    f"{path}: tensor {old!r} is {shape}, not {wanted[new].shape}: another model's"
                )
        for new, old in names.items():
            wanted[new].fill(file.get_tensor(old))


def safetensors_file(folder: Path, part: str, name: str) -> Path:
    """The file of one part: in full precision, or else the half-precision one beside it."""
    path, half = folder / part / f"{name}.safetensors", folder / part / f"{name}.fp16.safetensors"
    if not path.is_file() and half.is_file():
        return half
    return path


def input_channels(path: Path) -> int:
    """Channels of a denoiser's input: 4, or 9 of one that was trained to inpaint."""
    with tensors(path) as file:
        if "conv_in.weight" not in file.keys():  # noqa: SIM118 (no dictionary)
            raise BadInput(f"{path}: no tensor 'conv_in.weight'; it must be diffusers' unet")
        return file.get_slice("conv_in.weight").get_shape()[1]


def load_diffusers(folder: Path, layout: Layout, size: int, vocabulary: Path | None) -> Loaded:
    """Load a folder of diffusers' layout: see `load`."""
    unet = safetensors_file(folder, "unet", "diffusion_pytorch_model")
    vae = safetensors_file(folder, "vae", "diffusion_pytorch_model")
    clip = safetensors_file(folder, "text_encoder", "model")
    vocabulary = vocabulary or folder / "tokenizer" / "merges.txt"
    if not vocabulary.is_file():
        raise BadInput(f"{vocabulary}: no such file; it comes with the model's `tokenizer` folder")
    for path in (clip, vae):  # said before gigabytes are read
        tensors(path)
    parts = build(layout, size, input_channels(unet))
    text_encoder, image_encoder, denoiser, decoder = parts
    fill(clip, places(text_encoder))
    fill(vae, places(image_encoder, decoder))
    fill(unet, places(denoiser))
    return Loaded(layout, vocabulary, *parts)


def load(
    source: str | Path | None = None,
    size: int = 512,
    precision: str = "float32",
    layout: Layout = STABLE_DIFFUSION,
    vocabulary: str | Path | None = None,
) -> Loaded:
    """Load Stable Diffusion 1.x.

    Args:
        source: None: KerasCV's published files in the `cache` folder, checksums checked. Or a
            folder with files of these names; or one of the diffusers library: unet and vae with
            diffusion_pytorch_model.safetensors, text_encoder with model.safetensors, tokenizer
            with merges.txt (`.fp16.safetensors` will do).
        size: height and width of the photos, in pixels.
        precision: Keras's policy; `bfloat16` halves the memory.
        layout: of the networks.
        vocabulary: file of the tokenizer; None: the one beside the weights.

    Raises:
        BadInput: a file is missing, damaged, or another model's.
        ValueError: a size that is not a multiple of `layout.multiple`.
    """
    networks.latent_side(layout, size)
    if source is not None and not Path(source).is_dir():
        raise BadInput(f"{source}: no such folder; name one with Stable Diffusion's weights")
    folder = None if source is None else Path(source)
    read = load_diffusers if folder and (folder / "unet").is_dir() else load_kerascv
    with networks.precision(precision):
        return read(folder, layout, size, None if vocabulary is None else Path(vocabulary))


# The small model ----------------------------------------------------------------------------


def all_places(model) -> dict[str, Place]:
    """Every weight of a model's four networks, its published name behind its folder's."""
    shared = {
        "text_encoder": places(model.text_encoder),
        "unet": places(model.denoiser),
        "vae": places(model.image_encoder, model.decoder),
    }
    return {f"{part}/{name}": place for part, of in shared.items() for name, place in of.items()}


def save_small(path: str | Path, model) -> None:
    """Write a model's weights and layout to one safetensors file, in float16.

    Args:
        path: ends in .safetensors.
        model: has `layout`, `text_encoder`, `image_encoder`, `denoiser` and `decoder`.
    """
    arrays = {
        name: np.ascontiguousarray(place.read().astype("float16"))
        for name, place in all_places(model).items()
    }
    with writing(path) as temporary:
        save_file(arrays, temporary, {"layout": json.dumps(dataclasses.asdict(model.layout))})


def load_small(path: str | Path, size: int = 64) -> Loaded:
    """Load what `save_small` wrote.

    Args:
        path: the file.
        size: height and width of the photos, in pixels.

    Raises:
        BadInput: no such file, a damaged one, or another kind of file.
        ValueError: a size that is not a multiple of the layout's `multiple`.
    """
    path = Path(path)
    with tensors(path) as file:
        settings = (file.metadata() or {}).get("layout")
        if settings is None:
            raise BadInput(f"{path}: no layout in it; it must be a file of the small model")
    layout = networks.layout_of(json.loads(settings))
    model = Loaded(layout, None, *build(layout, size, layout.latent_channels))
    fill(path, all_places(model))
    return model


def ship(run: Path, out: Path = text.SHIPPED) -> None:
    """Write the networks of a finished run of diffusion-small to one compact file.

    Parameters
    ----------
    run
        The run's folder.
    out
        The file; by default the one that `--method diffusion-small` reads.
    """
    from recon import runs

    save_small(out, runs.load_model(run, "diffusion-small"))
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    commandline.run(ship)
