"""What every command line shares: options from a typed function, one clear line for an error."""

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

import cyclopts
from rich.console import Console

from recon import __version__
from recon.errors import BadInput


class Later(NamedTuple):
    """A command that is imported only when it is asked for, `module:function`."""

    path: str
    help: str


def run(
    command: Callable,
    arguments: list[str] | None = None,
    others: Mapping[str, Callable | Later] | None = None,
) -> None:
    """Run `python -m ...`: options and help come from the function's signature and docstring.

    Args:
        command: a function with type hints and a docstring; its module names the program.
        arguments: what the user wrote; by default the words after the program's name.
        others: first word -> the command that it asks for instead.

    Raises:
        SystemExit: 2 after input that cannot be used, with one line on standard error;
            130 after Ctrl-C.
    """
    program = command.__module__
    if program == "__main__":  # run by `python -m`, which hides the module's own name
        program = sys.modules["__main__"].__spec__.name
    program = program.removesuffix(".__main__")  # a folder's
    app = cyclopts.App(
        name=f"python -m {program}",
        version=__version__,
        help_format="markdown",
        default_parameter=cyclopts.Parameter(negative=(), consume_multiple=True),
    )
    app.default(command)
    for word, other in (others or {}).items():
        if isinstance(other, Later):
            app.command(other.path, name=word, help=other.help)
        else:
            app.command(other, name=word)
    tokens = sys.argv[1:] if arguments is None else arguments
    if others and tokens and not tokens[0].startswith("-"):
        if tokens[0] not in others:
            stop(f"{tokens[0]}: no such command; there are {', '.join(sorted(others))}")
        program += f" {tokens[0]}"  # which lists its own options
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except cyclopts.CycloptsError as error:
        stop(f"{' '.join(str(error).split())} `python -m {program} --help` lists the options.")
    except BadInput as error:
        stop(str(error))
    except OSError as error:  # no such file, no permission, disk full: the system's own words
        place = f"{error.filename}: " if error.filename else ""
        stop(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        stop("stopped", 130)


def stop(message: str, code: int = 2) -> NoReturn:
    """Say what is wrong, in one line on standard error, and end."""
    print(f"error: {message}" if code == 2 else f"\n{message}", file=sys.stderr)
    raise SystemExit(code) from None


def console() -> Console:
    """A terminal for tables; piped into a file, lines are as long as they need to be."""
    return Console(width=None if sys.stdout.isatty() else 160)
