"""The weights that come with the package: what `--method unet` means. UNET.md is their card.

`python -m recon.models.shipped RUN` writes them from a finished run.
"""

import json
from pathlib import Path

import keras
import numpy as np
from keras import ops
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from recon import commandline
from recon.atomic import writing
from recon.errors import BadInput
from recon.models import unet

PATH = Path(__file__).with_name("unet.safetensors")


def named(model: unet.UNet) -> dict[str, keras.Variable]:
    """Every weight of the network by a name that does not depend on what was built before it."""
    weights = model.network.weights
    return {f"{number:03}.{weight.name}": weight for number, weight in enumerate(weights)}


def save(path: str | Path, model: unet.UNet) -> None:
    """Write a U-Net's weights and settings to one file: kernels in float16, all else in float32.

    A kernel's numbers are some hundredths, which float16 holds to one part in two thousand; a
    normalisation's variances may be too small for it.

    Args:
        path: ends in .safetensors.
        model: trained.
    """
    arrays = {}
    for name, weight in named(model).items():
        array = ops.convert_to_numpy(weight)
        arrays[name] = np.ascontiguousarray(array, "float16" if array.ndim > 1 else "float32")
    with writing(path) as temporary:
        save_file(arrays, temporary, {"unet": json.dumps(model.settings)})


def load(path: str | Path = PATH) -> unet.UNet:
    """Read what `save` wrote.

    Raises:
        BadInput: no such file, a damaged one, or another kind of file.
    """
    try:
        with safe_open(path, "np") as file:
            model = unet.UNet(**json.loads(file.metadata()["unet"]))
            for name, weight in named(model).items():
                weight.assign(file.get_tensor(name))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: not a U-Net's weights ({reason}); install recon anew") from None
    return model


def ship(run: Path, out: Path = PATH) -> None:
    """Write the network of a finished run of unet to one compact file.

    Parameters
    ----------
    run
        The run's folder.
    out
        The file; by default the one that `--method unet` reads.
    """
    from recon import runs

    save(out, runs.load_model(run, "unet"))
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    commandline.run(ship)
