"""The same saved network on the other backend, in a process of its own.

python tests/models/backends.py MODULE NETWORK.keras INPUTS.npz OUTPUTS.npy
"""

import recon  # noqa: F401, I001 (first: TensorFlow then starts quietly)
import importlib
import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

OTHER = {"tensorflow": "jax", "jax": "tensorflow"}


def call_on_the_other_backend(network, module, inputs, folder):
    """Save a network, load it in a Python of the other backend, and call it there.

    Args:
        network: a built model, or one of its parts.
        module: the module that registers its classes, `recon.models.dcgan` for example.
        inputs: input's name -> array.
        folder: an empty place for files.

    Returns:
        what it says at test time, as an array; the test is skipped where there is no such backend.
    """
    other = OTHER.get(keras.backend.backend())
    if other is None or importlib.util.find_spec(other) is None:
        pytest.skip(f"no other backend than {keras.backend.backend()} is installed")
    paths = folder / "network.keras", folder / "inputs.npz", folder / "outputs.npy"
    network.save(paths[0])
    np.savez(paths[1], **inputs)
    done = subprocess.run(
        [sys.executable, __file__, module, *map(str, paths)],
        env={**os.environ, "KERAS_BACKEND": other},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return np.load(paths[2])


def main(module, network, inputs, outputs):
    importlib.import_module(module)
    loaded = keras.saving.load_model(network, compile=False)
    said = loaded(dict(np.load(inputs)), training=False)
    np.save(outputs, ops.convert_to_numpy(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
