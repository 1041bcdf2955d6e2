"""Stable Diffusion at its full width, with random weights, from photo to photo.

In a process of its own, so that its peak is no other test's memory.
"""

import json
import subprocess
import sys

import pytest

from recon.stable_diffusion import inpaint

PROGRAM = """
import json, resource
import recon
import numpy as np
from recon.stable_diffusion import inpaint, networks, text, weights
from recon.stable_diffusion.request import Request

size = 128
with networks.precision("PRECISION"):
    parts = weights.build(networks.STABLE_DIFFUSION, size, 4)
loaded = weights.Loaded(networks.STABLE_DIFFUSION, None, *parts)
photo = np.random.default_rng(0).random((1, size, size, 3), "float32")
mask = np.zeros((1, size, size, 1), "float32")
mask[:, 20:70, 30:80] = 1
completed = inpaint.inpaint(
    inpaint.of(loaded, size), photo * (1 - mask), mask, Request(steps=2, prompt="a tiger")
)
known = np.broadcast_to(mask == 0, photo.shape)
print(json.dumps({
    "known_stay": bool((completed[known] == photo[known]).all()),
    "finite": bool(np.isfinite(completed).all()),
    "weights": sum(part.count_params() for part in parts),
    "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_full_size_runs_end_to_end_in_the_memory_that_is_said(precision):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("PRECISION", precision)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["known_stay"]
    assert found["finite"]
    assert found["weights"] == pytest.approx(inpaint.WEIGHTS, rel=0.01)
    assert found["peak"] < inpaint.memory(128, precision)
