"""One progress bar for everything that takes a while."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def progress(items: Iterable[Item], what: str, total: int) -> Iterable[Item]:
    """Go through items with a bar on standard error, which goes when they are done.

    In a log, where a bar would be an empty line, there is none.
    """
    terminal = Console(stderr=True)
    return track(
        items,
        what,
        total,
        console=terminal,
        transient=True,
        disable=not (terminal.is_terminal or terminal.is_jupyter),
    )
