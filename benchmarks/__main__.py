"""`python -m benchmarks`: run what this machine allows, and draw the README's table of figures.

A script is a module here that has `rows`: its lines of the table, from its figures alone. They are
found by looking, so that a new one needs no entry anywhere.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

from cyclopts import Parameter

from benchmarks import measure
from recon import atomic, commandline
from recon.errors import BadInput

FOLDER = Path(__file__).parent
README = FOLDER.parent / "README.md"
MARKS = "<!-- benchmarks -->", "<!-- end of benchmarks -->"
HEAD = ("What", "Figure", "Goal or peer", "Script and all its figures")


def sources() -> dict[str, str]:
    """The scripts: name -> text, in alphabetical order."""
    texts = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.py"))}
    return {name: text for name, text in texts.items() if "\ndef rows(" in text}


def script(name: str) -> ModuleType:
    """A script as a module; it imports nothing heavy before it runs."""
    return importlib.import_module(f"benchmarks.{name}")


def results() -> dict[str, dict]:
    """The figures there are: name -> what a script has kept."""
    return {
        path.stem: json.loads(path.read_text()) for path in sorted(measure.RESULTS.glob("*.json"))
    }


def table() -> str:
    """All figures in Markdown, a line each."""
    lines = [HEAD, ("---",) * len(HEAD)]
    for name, result in results().items():
        for what, figure, goal, command in script(name).rows(result):
            link = f"[`{command}`](benchmarks/results/{name}.json)"
            lines.append((what, figure, goal, link))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def between(text: str) -> tuple[int, int]:
    """Where the table stands in a text: after the first mark, before the second.

    Raises:
        BadInput: the marks are not there, one of each and in this order.
    """
    start, end = (text.find(mark) for mark in MARKS)
    if [text.count(mark) for mark in MARKS] != [1, 1] or end < start:
        raise BadInput(f"{README}: must have {' and '.join(MARKS)}, once each, around the table")
    return start + len(MARKS[0]), end


def draw() -> None:
    """Put the table of the present figures into the README, in the old one's place."""
    text = README.read_text()
    start, end = between(text)
    with atomic.writing(README) as temporary:
        temporary.write_text(f"{text[:start]}\n{table()}\n{text[end:]}")


def run(name: str, options: list[str]) -> str | None:
    """Run a script in a process of its own.

    Returns:
        why there are no new figures; None if there are.
    """
    if reason := script(name).needs():
        return reason
    code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options]).returncode
    return f"ended with code {code}; see above" if code else None


def benchmarks(
    names: Annotated[list[str] | None, Parameter(negative=())] = None,
    /,
    *,
    data: Path | None = None,
    repeats: int | None = None,
    table_only: bool = False,
) -> None:
    """Measure beside peers; write benchmarks/results/ and the README's table.

    Parameters
    ----------
    names
        Which scripts, by their names in benchmarks/; by default all. What this machine cannot run
        is left out, with the reason.
    data
        A folder of real photos, for the scripts that take one; else they draw theirs.
    repeats
        How often each thing is measured; by default what the script says.
    table_only
        Measure nothing: draw the table of the figures there are.
    """
    found = sources()
    for name in names or []:
        if name not in found:
            raise BadInput(f"{name}: no such benchmark; there are {', '.join(found)}")
    missed = 0
    for name in [] if table_only else names or found:
        print(f"{name}:", flush=True)
        options = []
        if repeats and "measure.parser(" in found[name]:
            options += ["--repeats", str(repeats)]
        if data and '"--data"' in found[name]:
            options += ["--data", str(data)]
        if reason := run(name, options):
            print(f"left out: {reason}", flush=True)
            missed += 1
    draw()
    print(f"{README.name} has the table; {missed} left out" if missed else f"{README.name} has it")


if __name__ == "__main__":
    commandline.run(benchmarks)
