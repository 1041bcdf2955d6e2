"""A training run's folder: what it holds, how it is resumed, how it is read again.

config.json       the settings, and the versions that ran
history.csv       a row per epoch
clock.json        seconds of training so far, on the wall and of the processors
logs/             the same for TensorBoard
progress/         a picture of the same validation photos after every epoch
checkpoints/      the last epoch's weights, optimiser moments included
model.keras       the trained model
curves.png  samples.png  report.json
"""

import json
import platform
import shlex
import tempfile
from pathlib import Path
from zipfile import BadZipFile

import keras
import numpy as np
import pandas as pd

import recon
from recon import atomic, models
from recon.errors import BadInput

CONFIG, HISTORY, MODEL, REPORT = "config.json", "history.csv", "model.keras", "report.json"
CLOCK = "clock.json"
CHECKPOINTS, PROGRESS, LOGS = "checkpoints", "progress", "logs"

# What Keras raises for a file that is not what it should be
DAMAGE = (OSError, ValueError, TypeError, KeyError, BadZipFile)


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


def check_free(out: Path) -> None:
    """See that a folder for results is not there yet, or empty.

    Raises:
        BadInput: something is in it already, or it is a file.
    """
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: a file, not a folder; choose another --out")
    if out.is_dir() and any(out.iterdir()):
        begun = (out / CONFIG).is_file() and not (out / REPORT).is_file()
        go_on = "go on with --resume, or " if begun else ""
        raise BadInput(f"{out}: not empty; {go_on}choose another --out")


def start_folder(out: Path) -> None:
    """Make the folder that results go to.

    Raises:
        BadInput: something is in it already, or it cannot be written.
    """
    try:
        check_free(out)
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        reason = error.strerror.lower()
        raise BadInput(f"{out}: cannot be written ({reason}); choose another --out") from None


def read_config(folder: str | Path) -> dict:
    """The settings of a run.

    Raises:
        BadInput: no run there, or its config.json is damaged.
    """
    path = Path(folder) / CONFIG
    try:
        config = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"{folder}: not a training run (it has no {CONFIG})") from None
    except ValueError as error:  # not JSON, or not even text
        raise BadInput(f"{path}: damaged ({error}); choose another run") from None
    if not isinstance(config, dict) or "model" not in config.get("settings", {}):
        raise BadInput(f"{path}: holds no settings of a training run; choose another run")
    return config


def how_to_resume(folder: Path) -> str:
    """What to type after an interruption."""
    return f"go on with: python -m recon.train --out {shlex.quote(str(folder))} --resume"


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
        raise BadInput(f"{folder}: not trained to its end; {how_to_resume(folder)}")
    try:
        return keras.saving.load_model(path, compile=False)
    except DAMAGE as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"{path}: cannot be read ({reason}); train it anew") from None


def save_checkpoint(out: Path, model: keras.Model, epoch: int) -> None:
    """Save weights and optimiser after `epoch` epochs; the older checkpoint goes last.

    The whole model, not `save_weights`: that writes HDF5 straight to the disk, and one that fills
    up meanwhile leaves the HDF5 library broken for the rest of the process.
    """
    path = out / CHECKPOINTS / f"{epoch:05}.keras"
    path.parent.mkdir(exist_ok=True)
    with atomic.writing(path) as temporary:
        model.save(temporary)
    for older in checkpoints(out):
        if older != path:
            older.unlink()


def checkpoints(out: Path) -> list[Path]:
    """A run's checkpoints, oldest first. Half-written ones begin with a dot and do not count."""
    return sorted((out / CHECKPOINTS).glob("[0-9]*.keras"))


def load_checkpoint(out: Path, model: keras.Model) -> int:
    """Load the last checkpoint into a compiled model.

    Returns:
        how many epochs it has been trained; 0, and nothing loaded, where there is no checkpoint.
        What a killed run left half-written is removed.

    Raises:
        BadInput: the checkpoint is damaged, or of another model.
    """
    for half in (out / CHECKPOINTS).glob(".*.keras"):
        half.unlink()
    saved = checkpoints(out)
    if not saved:
        return 0
    # Weights, and the optimiser's moments, need a place to be loaded to.
    black = np.zeros((1, model.size, model.size, 4), "float32")
    model({"masked": black[..., :3], "mask": black[..., 3:]})
    model.optimizer.build(model.trainable_variables)
    try:
        model.load_weights(saved[-1])
    except DAMAGE as error:
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"{saved[-1]}: cannot be read ({reason}); begin a new run with another --out"
        ) from None
    return int(saved[-1].stem)


def read_clock(out: Path) -> dict[str, float]:
    """Seconds of training so far, of all sessions of a run: on the wall, and of the processors."""
    try:
        clock = json.loads((out / CLOCK).read_text())
        return {name: float(clock[name]) for name in ("seconds", "cpu_seconds")}
    except FileNotFoundError:
        return {"seconds": 0.0, "cpu_seconds": 0.0}
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{out / CLOCK}: damaged; remove it to go on, counting from 0") from None


def read_history(out: Path, epochs: int | None = None) -> pd.DataFrame:
    """A run's history, of its first `epochs` epochs; empty before the first."""
    path = out / HISTORY
    if not path.is_file():
        return pd.DataFrame()
    # Python's own reading of numbers gives back every bit; pandas's faster one may not.
    history = pd.read_csv(path, dtype=object).map(float).astype({"epoch": int})
    return history if epochs is None else history[history.epoch <= epochs]


def write_history(out: Path, history: pd.DataFrame) -> None:
    """Write a run's history, whole or not at all."""
    with atomic.writing(out / HISTORY) as temporary:
        history.to_csv(temporary, index=False)
