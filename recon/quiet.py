"""Keeps TensorFlow's start-up notes off the user's terminal."""

import importlib.abc
import importlib.machinery
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def standard_error_held() -> Iterator[None]:
    """Hold back what the process, C++ included, writes to standard error; show it on failure."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        terminal = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


class QuietLoader(importlib.abc.Loader):
    """Loads a module as its own loader does, with standard error held."""

    def __init__(self, loader: importlib.abc.Loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self.loader  # as if we had not been here
        with standard_error_held():
            self.loader.exec_module(module)


class QuietTensorFlow(importlib.abc.MetaPathFinder):
    """Finds TensorFlow, if anyone asks for it, and has it loaded quietly.

    TensorFlow obeys TF_CPP_MIN_LOG_LEVEL only once its logging is set up; what it writes while
    its libraries are being loaded comes regardless, and only the file descriptor can hold it.
    """

    def find_spec(self, name, path=None, target=None):
        if name != "tensorflow":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = QuietLoader(spec.loader)
        return spec


def install() -> None:
    """Quieten TensorFlow, now and in the processes that this one starts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # advice on retracing, for example
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, QuietTensorFlow())
