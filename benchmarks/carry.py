"""`python -m benchmarks.carry`: pack what a GPU machine without a network lacks, into one folder.

It is thought to have Python, JAX and PyTorch with CUDA, and the usual scientific packages, but no
Keras and nothing to fetch it from. The folder holds

- `wheels/`: Keras and the small packages that recon needs beside, for that machine's Python;
- `photos/`: real photos with their manifest, as `--data` takes them.

What to type there is said at the end; `benchmarks.gpu` says what it measures.
"""

import argparse
import importlib.metadata
import io
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from PIL import Image

from recon import atomic
from recon.data import catalog, photos, tables
from recon.errors import BadInput

OUT = Path("build/carry")  # git ignores it
# What recon.train and the benchmarks need of recon's own packages beyond the scientific ones, with
# what these need in turn; TensorFlow is not among them. All but optree are pure Python.
WHEELS = [
    "keras",
    "keras-cv",
    "namex",
    "optree",
    "rich",
    "cyclopts",
    "docstring-parser",
    "rich-rst",
    "pooch",
    "platformdirs",
]
GLIBC = (17, 27, 28)  # any Linux of the last years runs wheels for these


def wheels(out: Path, python: str) -> None:
    """Fetch the wheels, in the versions that are installed here, for Linux on x86-64.

    Raises:
        BadInput: one of them could not be fetched.
    """
    named = [f"{name}=={importlib.metadata.version(name)}" for name in WHEELS]
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in GLIBC]
    fetch = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--implementation=cp"]
    fetch += [f"--python-version={python}", *platforms, f"--dest={out}", *named]
    done = subprocess.run([sys.executable, "-m", "pip", *fetch], capture_output=True, text=True)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if "ERROR" in line] or [done.stderr]
        raise BadInput(f"pip could not fetch a wheel: {reasons[-1].strip()}")


def pack(folder: Path, out: Path, quality: int | None) -> None:
    """Copy photos and manifest; photos to train on as JPEGs where these are smaller, none other.

    Args:
        folder: photos with a manifest.csv.
        out: a new folder.
        quality: of these JPEGs; None: all stay as they are.
    """
    rows = [cells for _, cells in tables.read(folder / catalog.MANIFEST, ("path", "split"))]
    for cells in rows:
        place = out / cells["path"]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / cells["path"], place)
        if quality and cells["split"] == "train":
            smaller = io.BytesIO()
            Image.fromarray(photos.read(place)).save(smaller, "JPEG", quality=quality)
            if smaller.tell() < place.stat().st_size:
                if place.suffix.lower() not in (".jpg", ".jpeg"):
                    place.unlink()
                    place = place.with_name(f"{place.name}.jpg")  # beside a.png there may be a.jpg
                    cells["path"] = place.relative_to(out).as_posix()
                place.write_bytes(smaller.getvalue())
    pd.DataFrame(rows).to_csv(out / catalog.MANIFEST, index=False)


def size(folder: Path) -> str:
    """How many megabytes a folder holds."""
    megabytes = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6
    return f"{folder}: {megabytes:.1f} MB"


def main(words: list[str] | None = None) -> None:
    """Pack, and say what to type on the other machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of photos with a manifest.csv")
    parser.add_argument("--python", default="3.12", help="the machine's Python")
    parser.add_argument(
        "--quality",
        type=int,
        help="photos to train on as JPEGs of that quality, as 95, where these are smaller",
    )
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(words)
    try:
        with atomic.building(options.out) as made:
            wheels(made / "wheels", options.python)
            if options.data:
                pack(options.data, made / "photos", options.quality)
    except BadInput as error:
        sys.exit(f"error: {error}")
    for folder in sorted(options.out.iterdir()):
        print(size(folder))
    photos_there = f" --data {options.out / 'photos'}" if options.data else ""
    print(
        "there, in the repository's root:\n"
        "python3 -m pip install -q --no-index --no-deps --target /tmp/site "
        f"{options.out / 'wheels'}/*.whl && export PYTHONPATH=/tmp/site "
        f"JAX_COMPILATION_CACHE_DIR=/tmp/jax && python3 -m benchmarks.gpu{photos_there}"
    )


if __name__ == "__main__":
    main()
