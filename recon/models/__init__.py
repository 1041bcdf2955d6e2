"""The networks: one file per model, and the list of their names.

A model's module has `SIZES`, the sides of the photos it takes, and two functions: `recipe(size)`,
the settings that train it well at a size, and `build(size)`, the model, not yet trained. One with
an adversarial loss names its `objective` in the recipe, and is built by `build(size, objective)`.
One that learns what photos show has `labels(table)`: its batches then hold a "label" too.
"""

import importlib
from types import ModuleType

from recon.errors import BadInput

# name on the command line -> its module, loaded on demand: listing names starts no Keras
MODELS = {
    name: f"recon.models.{name.replace('-', '_')}"
    for name in ("pix2pix", "unet", "bilstm", "cyclegan", "dcgan", "diffusion-small")
}


def find(name: str) -> ModuleType:
    """Import a model's module.

    Raises:
        BadInput: no such model.
    """
    if name not in MODELS:
        raise BadInput(f"unknown model {name!r}: choose from {', '.join(MODELS)}")
    return importlib.import_module(MODELS[name])
