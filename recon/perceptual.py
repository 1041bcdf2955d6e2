"""LPIPS, the distance between photos that people see, where a user has its weights.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (2018), on
AlexNet, computed by the authors' own package `lpips` in PyTorch.
"""

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recon.errors import BadInput

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def load() -> Distance | None:
    """Make the distance ready, without touching the network.

    `lpips` brings its own few weights; AlexNet's are those of torchvision, which would download
    them unasked. So their file is looked for first, where torchvision looks and by its name.

    Returns:
        `(photo, completed) -> (B,)`: two `(B, H, W, 3)` in [0, 1], at least 32 by 32 pixels, to a
        number each: 0 for equals. Or None where the packages or the weights are missing, and a
        printed line that says how to have them.

    Raises:
        BadInput: the file is not the one that its name promises.
    """
    try:
        import lpips
        import torch
        from torchvision.models import AlexNet_Weights
    except (ImportError, RuntimeError, OSError) as error:  # missing, or made for another torch
        reason = str(error).splitlines()[0]
        print(f"LPIPS is left out ({reason}): pip install -e '.[lpips]' brings its packages")
        return None
    url = AlexNet_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        print(f"LPIPS is left out: put {url} into {path.parent} to have it")
        return None
    check(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lpips asks torchvision in the way of 2021
        network = lpips.LPIPS(net="alex", verbose=False)

    def distance(photo: np.ndarray, completed: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            pair = (torch.from_numpy(signed(photos)) for photos in (photo, completed))
            return network(*pair).numpy().reshape(-1)  # (B, 1, 1, 1) -> (B,)

    return distance


def check(path: Path) -> None:
    """Raise BadInput unless a file's SHA-256 begins as its name ends, as PyTorch names weights."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if not digest.startswith(path.stem.rpartition("-")[2]):
        raise BadInput(f"{path}: damaged, its checksum is not the one in its name; fetch it again")


def signed(photos: np.ndarray) -> np.ndarray:
    """Photos as PyTorch's networks take them: `(B, H, W, 3)` in [0, 1] to `(B, 3, H, W)` in ±1."""
    return np.ascontiguousarray(np.moveaxis(2 * photos.astype("float32") - 1, -1, 1))
