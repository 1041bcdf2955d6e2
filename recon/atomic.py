"""Files appear whole or not at all: written beside their place, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; rename it to `path` if the block ends well.

    The temporary keeps the ending of `path` (Pillow and Keras choose the format by it). If the
    block raises, a disk that fills up included, the temporary goes and an older `path` stays.

    >>> with writing("table.csv") as temporary:
    ...     temporary.write_text("a,b\\n1,2\\n")
    """
    path = Path(path)
    # A name of this process's own: two writers never share a temporary.
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
