"""How everything here is measured: calls that take turns, medians, what ran, a file of figures.

Whatever is compared runs in one process in turns, so that all see the same machine, and what is
compared is the median. CPU-seconds are those of all threads of the process: where others work on
the machine too, they say more than the clock on the wall.

Light: neither Keras nor a backend is imported before `machine` is asked.
"""

import argparse
import importlib.util
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def alternate(
    functions: dict[str, Callable[[], object]], repeats: int, warm: int = 2
) -> dict[str, list[tuple[float, float]]]:
    """Time functions in turns: a, b, b, a, a, b, ... so that none has the better place.

    Args:
        functions: name -> what is called; it returns when its work is done, not when it is queued.
        repeats: calls of each that count.
        warm: calls of each before, which do not: they compile, and fill caches.

    Returns:
        name -> (seconds, CPU-seconds) of every call.
    """
    for function in functions.values():
        for _ in range(warm):
            function()
    taken = {name: [] for name in functions}
    order = list(functions.items())
    for _ in range(repeats):
        for name, function in order:
            start = time.perf_counter(), time.process_time()
            function()
            taken[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
        order.reverse()
    return taken


def median(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """The median of the seconds, and that of the CPU-seconds."""
    seconds, cpu_seconds = zip(*pairs, strict=True)
    return statistics.median(seconds), statistics.median(cpu_seconds)


def threads(count: int) -> None:
    """Give every library so many threads; before any of them is imported.

    Waiting threads sleep: OpenMP's would spin, and count as work.
    """
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(count)
    os.environ["OMP_WAIT_POLICY"] = "passive"


def cpu_name() -> str:
    """The processor's name, as Linux calls it."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def cpu_has(flag: str) -> bool:
    """Whether the processor has a feature, by Linux's name for it: `amx_bf16`, `avx512_bf16`."""
    cpu = Path("/proc/cpuinfo")
    return cpu.exists() and flag in cpu.read_text().split()


def gpus() -> list[str]:
    """The GPUs that Keras's backend works on, by their names there; empty on a CPU."""
    import keras

    names = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
    if names and keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices()]
    return names


def machine(*modules: str) -> dict:
    """What ran, and on what: a part of every result.

    Args:
        modules: those that took part beside Keras, such as "torch"; their versions are given too.
    """
    from recon import runs

    others = {name: importlib.import_module(name).__version__ for name in modules}
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,  # over the last minute
        "gpu": gpus(),
        "versions": runs.versions() | others,
    }


def photos(count: int, size: int):
    """Noise with a hole, always the same: masked, mask and photo, as the pipeline gives them."""
    import numpy as np

    photo = np.random.default_rng(0).random((count, size, size, 3), "float32")
    mask = np.zeros((count, size, size, 1), "float32")
    side = size * 75 // 256
    mask[:, size // 3 : size // 3 + side, size // 4 : size // 4 + side] = 1
    return photo * (1 - mask), mask, photo


def parser(description: str | None, repeats: int) -> argparse.ArgumentParser:
    """The options that every script has: `--repeats` and `--out`.

    Args:
        description: the module's docstring, of which `--help` shows the first line.
        repeats: how often by default.
    """
    options = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    options.add_argument("--repeats", type=int, default=repeats, help="calls of each that count")
    options.add_argument(
        "--out", type=Path, help="file of the figures; by default benchmarks/results/NAME.json"
    )
    return options


def command(name: str, data: str) -> str:
    """What was typed: the script, and the folder of the photos, where they were not drawn.

    >>> command("inputs", "photos")
    'python -m benchmarks.inputs --data photos'
    """
    return f"python -m benchmarks.{name}" + ("" if data == "safari" else f" --data {data}")


def write(name: str, result: dict, out: Path | None = None) -> None:
    """Keep a script's figures, in `out` or in results/NAME.json, whole or not at all."""
    from recon import runs

    path = out or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    runs.write_json(path, result)


def missing(*modules: str) -> str | None:
    """Why a script cannot run for want of modules, and what to do; None if all are there."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            extra = {"torch": "bench", "jax": "dev"}.get(name)
            install = f'pip install -e ".[{extra}]"' if extra else f"pip install {name}"
            return f"needs {name}: {install}"
    return None
