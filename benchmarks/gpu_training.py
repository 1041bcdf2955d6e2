"""Whole trainings on one GPU, input included and without TensorFlow: parts of `benchmarks.gpu`.

All photos lie on the device as uint8 (`recon.feeding`); what travels is which photo, from where it
is cut, whether it is mirrored and where its boxes are (`recon.data.plan`), some bytes a photo.
Decoding to that, and the boxes' pixels, are part of the compiled step.
"""

import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

TINY = {"size": 32, "grid": 8, "widths": [8, 16, 32], "photos": 4, "epochs": 1}
EVALUATED = 256  # side of the photos on which the U-Net is compared
GOAL = 180  # seconds; the report's own took 6.5 hours


def load(table: pd.DataFrame, size: int, zoom: float = 0.0) -> np.ndarray:
    """Read all photos of a table, larger than they are seen: uint8 `(N, S, S, 3)`."""
    from recon.data import catalog, plan

    side = plan.jittered(table, size, zoom)
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda row: catalog.photo(row, side), table.itertuples())))


def repeated(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """The table's rows again and again, until there are so many: each is read anew."""
    return table.iloc[np.arange(count) % len(table)].reset_index(drop=True)


def batches(
    photos: np.ndarray,
    size: int,
    batch_size: int,
    steps: int,
    count: int = 2,
    zoom: float = 0.0,
    gamma: float = 0.0,
    seed: int = 0,
) -> Iterator[tuple[dict]]:
    """Batches without end, as Keras wants them of a generator."""
    from recon.data import plan

    for number in itertools.count():
        epoch = plan.epoch(photos, size, batch_size, steps, seed, number, count, zoom, gamma)
        for batch in epoch:
            yield (batch,)


def timed():
    """A callback that notes when epochs end, in its list `ends`."""
    import keras

    class Ends(keras.callbacks.Callback):
        ends: list[float]

        def on_train_begin(self, logs=None):
            self.ends = [time.perf_counter()]

        def on_epoch_end(self, epoch, logs=None):
            self.ends.append(time.perf_counter())

    return Ends()


def fed(model, photos: np.ndarray, steps: int):
    """The model with its photos on the device, to be trained so many steps an epoch.

    Keras is asked to run many steps on end, a divisor of the epoch's: it would run more than that
    otherwise. On JAX these are as many calls, and the device is never waited for in between; what
    is saved is Keras's callbacks.
    """
    from recon import feeding

    together = max(number for number in range(1, 26) if steps % number == 0)
    whole = feeding.Fed(model, photos)
    whole.compile(model.optimizer, jit_compile=model.jit_compile, steps_per_execution=together)
    return whole


def beside_harmonic(model, table: pd.DataFrame, size: int) -> dict:
    """RMSE in the boxes, the network's and the harmonic fill's, on a table's photos and boxes."""
    from recon import evaluate, methods

    chosen = [methods.load("harmonic"), methods.learned_method("network", model)]
    scores = evaluate.compare(chosen, table, size)
    harmonic, network = (scores[name]["rmse"] for name in ("harmonic", "network"))
    figures = {"photos": len(table), "harmonic": harmonic, "network": network}
    return figures | {"against_harmonic": network / harmonic - 1}


def tuned_before() -> bool:
    """Whether XLA has kept what it found when it tuned kernels, of this network or another."""
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    return bool(cache) and any(Path(cache).glob("xla_gpu_per_fusion_autotune_cache_dir/*"))


def report(scale, options) -> dict:
    """pix2pix on as many photos, for as many epochs, as the challenge's report trained.

    The clock runs from the first file to the last weight, compilation included. Compiled for the
    first time on such a chip, its convolutions are tuned, which takes XLA more than a minute more.
    """
    from benchmarks import gpu
    from recon.data import catalog

    data, size = options.data or "safari", scale.size
    batch_size = options.batch or (4 if options.tiny else 64)
    steps = -(-scale.photos // batch_size)

    start, tuned = time.perf_counter(), tuned_before()
    table = catalog.load(data)
    train = catalog.split_of(table, "train")
    photos = load(repeated(train, scale.photos), size)
    read = time.perf_counter()
    model = gpu.network(scale, rate=options.rate, steps=steps * scale.epochs)
    whole, clock = fed(model, photos, steps), timed()
    built = time.perf_counter()
    whole.fit(
        batches(photos, size, batch_size, steps),
        steps_per_epoch=steps,
        epochs=scale.epochs,
        shuffle=False,  # the plan does
        verbose=0,
        callbacks=[clock],
    )
    end = time.perf_counter()
    epochs = np.diff(clock.ends)
    usual = float(np.median(epochs[1:]))
    result = {
        "data": Path(data).name,
        "distinct_photos": min(len(train), scale.photos),
        "photos": scale.photos,
        "epochs": scale.epochs,
        "batch": batch_size,
        "rate": options.rate,
        "seconds": end - start,
        "reading_seconds": read - start,
        "building_seconds": built - read,
        "compile_seconds": float(epochs[0]) - usual,
        "tuned_before": tuned,
        "epoch_seconds": usual,
        "photos_per_second": steps * batch_size / usual,
        "goal_seconds": GOAL,
    }
    print(
        f"{scale.photos:,} photos ({result['distinct_photos']:,} different ones) × {scale.epochs} "
        f"epochs: {result['seconds']:.0f} s (reading {result['reading_seconds']:.0f}, building "
        f"{result['building_seconds']:.0f}, compiling {result['compile_seconds']:.0f}); then "
        f"{result['photos_per_second']:,.0f} photos a second",
        flush=True,
    )
    held = catalog.split_of(table, "val").head(8 if options.tiny else None)
    result["val"] = beside_harmonic(model, held, size)
    print(f"on {len(held)} held-out photos: {told(result['val'])}", flush=True)
    return result


def told(figures: dict) -> str:
    """One line about a comparison."""
    return (
        f"RMSE {figures['network']:.4f}, harmonic {figures['harmonic']:.4f}: "
        f"{figures['against_harmonic']:+.1%}"
    )


# The U-Net for the score ------------------------------------------------------------------------


def add_arguments(group) -> None:
    """What can be asked of the U-Net's training; by default it is the one that ships."""
    group.add_argument("--epochs", type=int, default=98, help="of 200 steps")
    group.add_argument("--photos", type=int, default=64, help="photos a step")
    group.add_argument("--size", type=int, default=128, help="of photos, in pixels")
    group.add_argument("--grid", type=int, default=64, help="patches a side")
    group.add_argument(
        "--widths", type=int, nargs="+", default=[64, 128, 256, 480], help="channels"
    )
    group.add_argument("--boxes", type=int, default=4, help="missing from a photo")
    group.add_argument("--zoom", type=float, default=1.6, help="as recon.train takes it")
    group.add_argument("--gamma", type=float, default=0.4, help="as recon.train takes it")
    group.add_argument("--unet-rate", type=float, default=2e-3, help="learning rate of Muon")
    group.add_argument("--decay-from", type=float, default=0.5, help="part after which it falls")
    group.add_argument("--weight-decay", type=float, default=0.5, help="part of the rate")
    group.add_argument("--seed", type=int, default=0, help="of the first weights and the batches")
    group.add_argument(
        "--weights",
        type=Path,
        help="file.safetensors to keep them in, as `recon.models.shipped` reads them; they are "
        "then not compared: `benchmarks.shipped` does that, and needs no GPU",
    )


def shown():
    """A callback that tells of every tenth epoch."""
    import keras

    class Shown(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            if epoch % 10 == 9:
                names = [name for name in ("rmse", "val_rmse") if name in logs]
                figures = ", ".join(f"{name} {logs[name]:.4f}" for name in names)
                seconds = time.perf_counter() - self.start
                print(f"{seconds:4.0f} s, epoch {epoch + 1}: {figures}", flush=True)

    return Shown()


def wire(table: pd.DataFrame, size: int) -> dict[str, np.ndarray]:
    """Whole photos and their masks, as they travel to `feeding.Fed`."""
    from recon.data import catalog

    rows = list(table.itertuples())
    return {
        "photo": np.stack([catalog.photo(row, size) for row in rows]),
        "mask": np.stack([catalog.mask(row, size) for row in rows]).astype("uint8"),
    }


def unet(options) -> dict:
    """Train the U-Net; keep its weights, or compare them with harmonic.

    What is compared is what would be kept: kernels of 16 bits, at work in float32.
    """
    import keras

    from recon import fitting
    from recon.data import catalog, plan
    from recon.models import shipped, unet

    table = catalog.load(options.data or "safari")
    few = 8 if options.tiny else None
    train, val, test = (
        catalog.split_of(table, split).head(few) for split in ("train", "val", "test")
    )
    start = time.perf_counter()
    keras.utils.set_random_seed(options.seed)
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    model = unet.UNet(options.size, options.size // options.grid, options.widths)
    steps, each = (2, 1) if options.tiny else (200, 20)
    optimizer = fitting.optimizer(
        "muon",
        options.unet_rate,
        beta_1=0.95,
        decay_from=options.decay_from,
        ema=0.0,
        steps=options.epochs * steps,
        weight_decay=options.weight_decay,
    )
    model.compile(optimizer, jit_compile=keras.backend.backend() == "jax")
    zoom = 0.0 if plan.drawn(train) else options.zoom
    photos = load(train, model.size, zoom)
    print(f"{options.size}×{options.size}, {len(train):,} photos", flush=True)
    varied = options.boxes, zoom, options.gamma, options.seed
    history = (
        fed(model, photos, steps)
        .fit(
            batches(photos, model.size, options.photos, steps, *varied),
            steps_per_epoch=steps,
            epochs=options.epochs,
            validation_data=wire(val, model.size),
            validation_batch_size=32,
            validation_freq=each,
            shuffle=False,  # the plan does
            verbose=0,
            callbacks=[shown()],
        )
        .history
    )
    keras.mixed_precision.set_dtype_policy("float32")  # Muon's iterations, too, had half the bits
    result = {
        "data": Path(options.data or "safari").name,
        "photos": len(train),
        "photos_seen": options.epochs * steps * options.photos,
        "seconds": time.perf_counter() - start,
        "rmse": history["rmse"][each - 1 :: each],
        "val_rmse": history.get("val_rmse", []),
        "settings": model.settings,
        "parameters": model.network.count_params(),
    }
    if options.weights:
        options.weights.parent.mkdir(parents=True, exist_ok=True)
        shipped.save(options.weights, model)
        return result
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unet.safetensors"
        shipped.save(path, model)
        model = shipped.load(path)
    for name, held in (("val", val), ("test", test)):
        result[name] = beside_harmonic(model, held, options.size if options.tiny else EVALUATED)
        print(f"on {len(held)} {name} photos: {told(result[name])}", flush=True)
    return result
