"""`python -m benchmarks.overhead`: what `recon.train`'s loop costs beside the steps themselves.

The same compiled step on the same batches, called in a plain loop and by `fit` with all that
`recon.train` hands to it (its callbacks are caught on their way, not written down a second time).
Left out is what an epoch ends with and a step has no part in: validation, the picture, the
checkpoint. What is compared is CPU-seconds; so many steps are one call that the start of `fit`,
its iterator and TensorBoard's file are in it as in a short epoch.
"""

import contextlib
import io
import itertools
import os
import tempfile
from pathlib import Path
from unittest import mock

from benchmarks import measure
from recon import memory

COMMAND = "python -m benchmarks.overhead"
GOAL = 3.0  # percent
# model, size -> steps of a call
CASES = {("unet", 64): 12, ("pix2pix", 64): 60, ("pix2pix", 256): 5}


def needs() -> str | None:
    """TensorFlow as the backend: the bare step is called as its trainer does."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    return None if backend == "tensorflow" else f"needs KERAS_BACKEND=tensorflow, not {backend}"


class Prepared(Exception):
    """`fit` was called: all is prepared."""


def caught(name: str, size: int, folder: Path) -> tuple:
    """Have `recon.train.fit` prepare a training and catch what it hands to Keras's `fit`.

    Returns:
        model, dataset and the other arguments.
    """
    import keras

    from recon import train

    settings = train.resolve(train.Settings(model=name, size=size, data="safari"))
    splits = {split: rows.head(32) for split, rows in train.photos_of(settings).items()}
    patched = mock.patch.object(keras.Model, "fit", autospec=True, side_effect=Prepared)
    with patched as fit, contextlib.suppress(Prepared):
        train.fit(settings, folder, splits)
    (model, dataset), arguments = fit.call_args
    return model, dataset, arguments


def functions(name: str, size: int, steps: int, folder: Path) -> dict:
    """Both ways to train so many steps."""
    from recon import fitting

    model, dataset, arguments = caught(name, size, folder)
    batches = dataset.take(4).cache().repeat()  # in memory: the pipeline has a benchmark of its own
    callbacks = [c for c in arguments["callbacks"] if not isinstance(c, fitting.Record)]
    arguments |= {
        "callbacks": callbacks,
        "steps_per_epoch": steps,
        "epochs": 1,
        "validation_data": None,
        "verbose": 2,  # a line an epoch, as in a log
    }
    model.make_train_function()

    def bare():
        model.reset_metrics()
        iterator = iter(batches)
        for _ in itertools.repeat(None, steps):
            logs = model.train_function(iterator)
        return float(logs["loss"])

    def fit():
        with contextlib.redirect_stdout(io.StringIO()):
            model.fit(batches, **arguments)

    return {"bare": bare, "fit": fit}


def compare(cases: dict, threads: int, repeats: int) -> dict:
    """Compare at every case, and say what ran."""
    result = {"trainings": []}
    for (name, size), steps in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            taken = measure.alternate(functions(name, size, steps, Path(folder)), repeats, warm=1)
        (wall, cpu), (fit_wall, fit_cpu) = (measure.median(taken[way]) for way in ("bare", "fit"))
        row = {
            "model": name,
            "size": size,
            "steps": steps,
            "cpu_seconds_a_step": cpu / steps,
            "overhead_percent": 100 * (fit_cpu / cpu - 1),
            "overhead_percent_on_the_wall": 100 * (fit_wall / wall - 1),
        }
        result["trainings"].append(row)
        print(
            f"{name}-{size}: {1e3 * row['cpu_seconds_a_step']:.1f} CPU-ms a step; fit adds "
            f"{row['overhead_percent']:.1f} % ({row['overhead_percent_on_the_wall']:.1f} % on the "
            "wall)",
            flush=True,
        )
    return result | {"threads": threads, "repeats": repeats} | measure.machine()


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table."""
    return [
        (
            f"`fit` with all callbacks over the bare compiled step, {row['model']}-{row['size']}: "
            "more CPU-seconds",
            f"{row['overhead_percent']:+.1f} %",
            f"≤ {GOAL:.0f} %",
            COMMAND,
        )
        for row in result["trainings"]
    ]


def main() -> None:
    """Set the threads; compare; keep the figures."""
    parser = measure.parser(__doc__, repeats=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--tiny", action="store_true", help="a few steps at 64 alone")
    options = parser.parse_args()
    measure.threads(options.threads)
    memory.keep()  # as recon.train does
    cases = {case: 5 for case in CASES if case[1] == 64} if options.tiny else CASES
    measure.write("overhead", compare(cases, options.threads, options.repeats), options.out)


if __name__ == "__main__":
    main()
