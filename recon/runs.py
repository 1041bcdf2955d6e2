"""A training run's folder: what it holds, how it is resumed, how it is read again.

config.json       the settings, and the versions that ran
history.csv       a row per epoch
logs/             the same for TensorBoard
progress/         a picture of the same validation photos after every epoch
checkpoints/      the last epoch's weights, optimiser moments included
model.keras       the trained model
curves.png  samples.png  report.json
"""

import json
import platform
import tempfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd

import recon
from recon import atomic, models
from recon.errors import BadInput

CONFIG, HISTORY, MODEL, REPORT = "config.json", "history.csv", "model.keras", "report.json"
CHECKPOINTS, PROGRESS, LOGS = "checkpoints", "progress", "logs"


def write_json(path: Path, content: dict) -> None:
    """Write a JSON file, whole or not at all."""
    with atomic.writing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def versions() -> dict[str, str]:
    """What ran: the versions that a figure depends on."""
    return {
        "recon": recon.__version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
    }


def start_folder(out: Path) -> None:
    """Make the folder that results go to.

    Raises:
        BadInput: something is in it already, or it cannot be written.
    """
    if out.is_dir() and any(out.iterdir()):
        go_on = "go on with --resume, or " if (out / CONFIG).is_file() else ""
        raise BadInput(f"{out}: not empty; {go_on}choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        reason = error.strerror.lower()
        raise BadInput(f"{out}: cannot be written ({reason}); choose another --out") from None


def read_config(folder: str | Path) -> dict:
    """The settings of a run.

    Raises:
        BadInput: no run there.
    """
    path = Path(folder) / CONFIG
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise BadInput(f"{folder}: not a training run (it has no {CONFIG})") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}: damaged ({error})") from None


def load_model(folder: str | Path, model: str | None = None) -> keras.Model:
    """Read a run's trained model.

    Args:
        folder: a run's folder.
        model: the model's name, where only that one will do.

    Raises:
        BadInput: no run there, of another model, unfinished, or damaged.
    """
    folder = Path(folder)
    config = read_config(folder)
    name = config["settings"]["model"]
    if model is not None and name != model:
        raise BadInput(f"{folder}: a run of {name}, not of {model}")
    models.find(name)  # its module registers the classes that the file names
    path = folder / MODEL
    if not path.is_file():
        raise BadInput(f"{folder}: not trained to its end; finish it with --resume --out {folder}")
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: cannot be read ({reason}); train it anew") from None


def save_checkpoint(out: Path, model: keras.Model, epoch: int) -> None:
    """Save weights and optimiser after `epoch` epochs; the older checkpoint goes last."""
    path = out / CHECKPOINTS / f"{epoch:05}.weights.h5"
    path.parent.mkdir(exist_ok=True)
    with atomic.writing(path) as temporary:
        model.save_weights(temporary)
    for older in checkpoints(out):
        if older != path:
            older.unlink()


def checkpoints(out: Path) -> list[Path]:
    """A run's checkpoints, oldest first. Half-written ones begin with a dot and do not count."""
    return sorted((out / CHECKPOINTS).glob("[0-9]*.weights.h5"))


def load_checkpoint(out: Path, model: keras.Model) -> int:
    """Load the last checkpoint into a compiled model.

    Returns:
        how many epochs it has been trained; 0, and nothing loaded, where there is no checkpoint.
    """
    saved = checkpoints(out)
    if not saved:
        return 0
    model.optimizer.build(model.trainable_variables)  # its moments need a place to be loaded to
    model.load_weights(saved[-1])
    return int(saved[-1].name.split(".")[0])


def read_history(out: Path, epochs: int | None = None) -> pd.DataFrame:
    """A run's history, of its first `epochs` epochs; empty before the first."""
    path = out / HISTORY
    if not path.is_file():
        return pd.DataFrame()
    history = pd.read_csv(path, float_precision="round_trip")
    return history if epochs is None else history[history.epoch <= epochs]


def write_history(out: Path, history: pd.DataFrame) -> None:
    """Write a run's history, whole or not at all."""
    with atomic.writing(out / HISTORY) as temporary:
        history.to_csv(temporary, index=False)
