"""One progress bar for everything that takes a while."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

Item = TypeVar("Item")
_shown: list[Progress] = []  # the bars on the terminal now, if any


def progress(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """Go through items with a bar on standard error, which goes when they are done.

    Within another bar's items it is a second line. In a log, where a bar would be an empty line,
    there is none; nor in a notebook, where it would ask for one more package and leave a gap.
    """
    if _shown:
        task = _shown[0].add_task(what, total=total)
        yield from _shown[0].track(items, total, task)
        _shown[0].remove_task(task)
        return
    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as bars:
        _shown.append(bars)
        try:
            yield from bars.track(items, total, description=what)
        finally:
            _shown.clear()
