"""The networks: one file per model, and the list of their names."""

import importlib
from collections.abc import Callable

from recon.errors import BadInput

# name on the command line: module and what builds the model for a size
MODELS = {"pix2pix": ("recon.models.pix2pix", "for_size")}


def builder(name: str) -> Callable:
    """Find what builds a model: a function of the photo's size.

    Modules load on demand, so that listing the names costs no start of Keras.

    Raises:
        BadInput: no such model.
    """
    if name not in MODELS:
        raise BadInput(f"unknown model {name!r}: choose from {', '.join(MODELS)}")
    module, function = MODELS[name]
    return getattr(importlib.import_module(module), function)
