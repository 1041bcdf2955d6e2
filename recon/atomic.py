"""Files and folders appear whole or not at all: made beside their place, then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recon.errors import BadInput


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


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """Give a new folder beside `out`, which becomes `out` if the block ends well, else goes.

    Raises:
        BadInput: `out` is there and not an empty folder, or cannot be made.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput(f"{out}: not an empty folder; name a new one")
    temporary = out.with_name(f".{os.getpid()}-{out.name}")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise BadInput(f"{out}: cannot be made ({error.strerror}); name another") from None
    try:
        yield temporary
        os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
