"""The networks: one file per model, and the list of their names.

A model's module has two functions: `recipe(size)`, the settings that train it well at a size, and
`build(size, objective)`, the model, not yet trained.
"""

import importlib
from types import ModuleType

from recon.errors import BadInput

# name on the command line -> its module, loaded on demand: listing names starts no Keras
MODELS = {"pix2pix": "recon.models.pix2pix"}


def find(name: str) -> ModuleType:
    """Import a model's module.

    Raises:
        BadInput: no such model.
    """
    if name not in MODELS:
        raise BadInput(f"unknown model {name!r}: choose from {', '.join(MODELS)}")
    return importlib.import_module(MODELS[name])
