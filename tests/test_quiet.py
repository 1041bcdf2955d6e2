"""recon.quiet: light to import, and TensorFlow says nothing at its start."""

import importlib.util
import subprocess
import sys

import pytest


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_import_recon_loads_no_backend_and_no_large_library():
    loaded = run("import recon, sys; print(*sys.modules)").stdout.split()
    assert "recon" in loaded
    assert not {"tensorflow", "keras", "jax", "torch", "numpy", "pandas"} & set(loaded)


@pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="no TensorFlow here")
def test_tensorflow_starts_without_a_word():
    done = run("import recon, tensorflow as tf; print(int(tf.constant(1) + 1))")
    assert (done.stdout.strip(), done.stderr) == ("2", "")


def test_a_failure_while_loading_shows_what_was_held_back(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(
        "import os; os.write(2, b'a library says why'); raise ImportError('broken')"
    )
    done = run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import recon, tensorflow")
    assert "a library says why" in done.stderr
    assert "ImportError: broken" in done.stderr
