"""KerasCV's building blocks of Stable Diffusion: the one module that touches KerasCV.

KerasCV is frozen upstream and `keras_cv.src` is private, so its version is pinned and everything
else takes the blocks from here; another source of the same blocks could take its place.

`import keras_cv` takes seconds, loads TensorFlow, tensorflow_datasets and pyarrow, and fails on a
machine with JAX only; the blocks need none of that, only `keras` and `keras.ops`. So the few
files with the blocks are loaded under stand-ins for the packages around them, and both are taken
out of `sys.modules` again: a program that imports KerasCV itself gets the real one, before or
after. These copies are recon's own, so what is replaced in them changes nothing elsewhere.

The blocks make their inner layers without passing a `dtype` on: only Keras's global policy, at
the time a block is made, decides their precision.
"""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import keras
import numpy as np

from recon.errors import BadInput

VERSION = "0.9.0"
PACKAGE = "keras_cv.src.models.stable_diffusion"


def folder() -> Path:
    """Where KerasCV is installed, found without importing it.

    Raises:
        BadInput: it is not there, or another version is.
    """
    try:
        version = importlib.metadata.version("keras-cv")
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    spec = importlib.util.find_spec("keras_cv") if "keras_cv" not in sys.modules else None
    spec = spec or getattr(sys.modules.get("keras_cv"), "__spec__", None)
    if version != VERSION or spec is None:
        raise BadInput(
            f"Stable Diffusion needs KerasCV {VERSION}, {version} is installed: "
            f"type `pip install keras-cv=={VERSION}`"
        )
    return Path(spec.origin).parent


def stand_ins(root: Path) -> dict[str, ModuleType]:
    """Empty packages of KerasCV's names, whose modules are found but whose `__init__` is not run.

    Its `backend` chooses between Keras 2 and 3 by importing TensorFlow, and sets
    `keras.backend.name_scope`; here it is Keras 3.
    """
    packages = {}
    for name in ("keras_cv", "keras_cv.src", "keras_cv.src.models", PACKAGE):
        package = packages[name] = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
    backend = packages["keras_cv.src.backend"] = ModuleType("keras_cv.src.backend")
    backend.keras, backend.ops = keras, keras.ops
    return packages


@contextmanager
def in_place_of_kerascv(packages: dict[str, ModuleType]) -> Iterator[None]:
    """Have `import` see these and no other module of KerasCV, then as before."""

    def take_out():
        names = [name for name in sys.modules if name.split(".")[0] == "keras_cv"]
        return {name: sys.modules.pop(name) for name in names}

    before = take_out()
    sys.modules.update(packages)
    try:
        yield
    finally:
        take_out()
        sys.modules.update(before)


with in_place_of_kerascv(stand_ins(folder())):
    from keras_cv.src.models.stable_diffusion import diffusion_model
    from keras_cv.src.models.stable_diffusion.attention_block import AttentionBlock
    from keras_cv.src.models.stable_diffusion.clip_tokenizer import SimpleTokenizer
    from keras_cv.src.models.stable_diffusion.constants import _ALPHAS_CUMPROD
    from keras_cv.src.models.stable_diffusion.diffusion_model import (
        ResBlock,
        SpatialTransformer,
        Upsample,
    )
    from keras_cv.src.models.stable_diffusion.padded_conv2d import PaddedConv2D
    from keras_cv.src.models.stable_diffusion.resnet_block import ResnetBlock
    from keras_cv.src.models.stable_diffusion.text_encoder import (
        CLIPEmbedding,
        CLIPEncoderLayer,
        quick_gelu,
    )

# KerasCV multiplies attention's matrices by a `keras.layers.Dot` that it makes anew in every call:
# in the precision of the global policy at that time, whatever the network's own.
diffusion_model.td_dot = keras.ops.matmul

ALPHAS_CUMPROD = np.asarray(_ALPHAS_CUMPROD, "float64")  # (1000,), of training's noise schedule

__all__ = [
    "ALPHAS_CUMPROD",
    "AttentionBlock",
    "CLIPEmbedding",
    "CLIPEncoderLayer",
    "PaddedConv2D",
    "ResBlock",
    "ResnetBlock",
    "SimpleTokenizer",
    "SpatialTransformer",
    "Upsample",
    "quick_gelu",
]
