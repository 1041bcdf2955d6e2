"""What is remembered of a learner: tries and hints, in one small file beside the notebooks.

Which exercises are right is not remembered but found, by running the checks; the file may be
deleted.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

from recon import atomic

STATE = ".recon-course.json"
LOG = "RECON_COURSE_LOG"  # names a file that gets a line per verdict, for who runs many notebooks


def read(folder: Path) -> dict[str, dict]:
    """exercise id -> {"tries", "hints"}; what cannot be read counts as never written."""
    try:
        state = json.loads((folder / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write(folder: Path, state: dict[str, dict]) -> None:
    """Keep the state; a folder that cannot be written to has none."""
    with suppress(OSError), atomic.writing(folder / STATE) as temporary:
        temporary.write_text(json.dumps(state, indent=1, sort_keys=True) + "\n", "utf-8")


def count(folder: Path, id: str, what: str) -> int:
    """Add 1 to an exercise's "tries" or "hints", and say how many there are now."""
    state = read(folder)
    entry = state.setdefault(id, {})
    entry[what] = int(entry.get(what, 0)) + 1
    write(folder, state)
    return entry[what]


def record(verdict, folder: Path) -> None:
    """Note a verdict: a try, unless the answer was blank."""
    id = verdict.exercise.id
    if os.environ.get(LOG):
        with open(os.environ[LOG], "a", encoding="utf-8") as file:
            file.write(json.dumps({"id": id, "state": verdict.state}) + "\n")
    elif verdict.state != "blank":
        count(folder, id, "tries")
