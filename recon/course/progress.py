"""What is remembered of a learner, in one small file beside the notebooks: tries and hints.

Which exercises are right is not remembered but found, by running the checks. The file keeps
verdicts only so that answers that have not changed need not be judged again: whoever deletes it
loses the counts, and some time.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

from recon import atomic

STATE = ".recon-course.json"
LOG = "RECON_COURSE_LOG"  # names a file that gets a line per verdict, for who runs many notebooks
VERDICTS = "verdicts"  # beside the exercises' ids: lesson number -> its verdicts, and a key


def read(folder: Path) -> dict[str, dict]:
    """exercise id -> {"tries", "hints"}; what cannot be read counts as never written."""
    try:
        state = json.loads((folder / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(state, dict):
        return {}
    return {key: value for key, value in state.items() if isinstance(value, dict)}


def write(folder: Path, state: dict[str, dict]) -> None:
    """Keep the state; a folder that cannot be written to has none."""
    with suppress(OSError), atomic.writing(folder / STATE) as temporary:
        temporary.write_text(json.dumps(state, indent=1, sort_keys=True) + "\n", "utf-8")


def counted(folder: Path, id: str, what: str) -> int:
    """How many "tries" or "hints" an exercise has had."""
    number = read(folder).get(id, {}).get(what, 0)
    return number if isinstance(number, int) else 0


def count(folder: Path, id: str, what: str) -> int:
    """Add 1 to an exercise's "tries" or "hints", and say how many there are now."""
    number = counted(folder, id, what) + 1
    state = read(folder)
    state.setdefault(id, {})[what] = number
    write(folder, state)
    return number


def record(verdict, folder: Path) -> None:
    """Note a verdict: a try, unless the answer was blank."""
    id = verdict.exercise.id
    if os.environ.get(LOG):
        with open(os.environ[LOG], "a", encoding="utf-8") as file:
            file.write(json.dumps({"id": id, "state": verdict.state}) + "\n")
    elif verdict.state != "blank":
        count(folder, id, "tries")
