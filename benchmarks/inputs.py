"""`python -m benchmarks.inputs`: the input pipeline beside decoding alone and PyTorch's DataLoader.

Photos of 256×256 as they come from a folder: decoded, resized to 286, cut, mirrored, two boxes,
float32 in [0, 1], in batches. recon's come through `pipeline.wire` and the compiled `feeding.Feed`,
as in every step of `recon.train`; the DataLoader's two workers do the same work with OpenCV. The
floor decodes JPEG files that lie in memory, and nothing else. CPU-seconds are those of all threads
and of the DataLoader's workers.

Where a photo's time goes (parts timed alone, in turns, on the machine of results/inputs.json): 0.27
milliseconds decoding, 0.21 from there to a square of bytes (0.13 resizing, the rest bytes to floats
and back), 0.07 the plan, what is drawn and batching, 0.02 reading, 0.10 bytes to float32 photos
with their masks. What brought something:

- XLA for the last of these (`feeding.in_one_pass`), which had taken 0.23 by TensorFlow's own
  operations, photos and masks in one pass: from 3.1 to 2.9 times decoding.
- No condition in the graph for what is known of all photos, whether TensorFlow reads them and
  whether they lie in shards: 0.02 of 0.52. To 2.7 times decoding.

What was tried and brought nothing: OpenCV's resize through a Python call, resizing of bytes in
place of floats, rounding after the cut or by `QuantizeV2`, `ScaleAndTranslate` or `CropAndResize`
for the square alone, XLA for the whole step, one thread an operation; masks of bytes, one product
of matrices for both masks.
"""

import os
import tempfile
import time
from pathlib import Path

from benchmarks import measure

BATCH = 16
WORKERS = 2
FASTER, DEARER = 3, 2.8  # the goals: than the DataLoader, than decoding alone
NAMES = {
    "decode": "decoding alone",
    "files": "recon, from files",
    "memory": "recon, photos in memory",
    "device": "recon, photos on the device",
    "loader": f"DataLoader, {WORKERS} OpenCV workers",
}


def needs() -> str | None:
    """PyTorch, for its DataLoader, and Linux, which tells what its workers cost."""
    if not Path("/proc/self/stat").exists():
        return "reads the workers' processor time from /proc: needs Linux"
    return measure.missing("torch")


class Photos:
    """What the DataLoader's workers read: masked, mask and photo of a file, by OpenCV.

    Args:
        paths: of JPEG files.
        size: height and width of the photos.
        jittered: side to which they are resized before the cut.
    """

    def __init__(self, paths: list[str], size: int, jittered: int):
        self.paths, self.size, self.jittered = paths, size, jittered

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        import cv2
        import numpy as np

        from recon import boxes

        cv2.setNumThreads(0)
        generator = np.random.default_rng()
        size, spare = self.size, self.jittered - self.size
        photo = cv2.cvtColor(cv2.imread(self.paths[index]), cv2.COLOR_BGR2RGB)
        photo = cv2.resize(photo, (self.jittered, self.jittered), interpolation=cv2.INTER_LINEAR)
        row, column = generator.integers(0, spare + 1, 2)
        photo = photo[row : row + size, column : column + size]
        if generator.random() < 0.5:
            photo = cv2.flip(photo, 1)
        mask = np.zeros((size, size, 1), "float32")
        for top, left, height, width in boxes.draw(generator, size):
            mask[top : top + height, left : left + width] = 1
        photo = photo.astype("float32") / 255
        return photo * (1 - mask), mask, photo


def cpu_seconds(others: list[int]) -> float:
    """Processor time of this process and of others so far."""
    ticks = 0
    for pid in others:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # in user mode, in the kernel
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def decoder(paths: list[str], count: int):
    """The floor: JPEG files in memory become photos, of which one pixel is kept."""
    import tensorflow as tf

    files = tf.constant([Path(path).read_bytes() for path in paths])

    def decode(index):
        photo = tf.io.decode_jpeg(files[index], channels=3, dct_method="INTEGER_ACCURATE")
        return photo[0, 0]

    rows = tf.data.Dataset.range(count).map(lambda i: i % len(paths))
    batches = rows.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(2)

    def run():
        for _ in batches:
            pass

    return run


def fed(table, size: int, count: int, where: str):
    """recon's way: the wire through tf.data, the rest in a compiled step.

    Args:
        where: the photos are: `files`, `memory` or `device`.
    """
    import tensorflow as tf

    from recon import feeding
    from recon.data import pipeline

    resident = where == "device"
    kept = pipeline.load(table, pipeline.jittered(table, size)) if resident else None
    feed = tf.function(feeding.Feed(size, kept))
    steps = count // BATCH
    wire = pipeline.wire(
        table, size, BATCH, steps, cache=where == "memory", resident=resident
    ).take(steps)

    def run():
        for batch in wire:
            feed(batch)

    return run


def loader(paths: list[str], size: int, jittered: int):
    """PyTorch's way; returns a call of an epoch and its workers' process numbers."""
    from torch.utils.data import DataLoader

    batches = DataLoader(
        Photos(paths, size, jittered),
        BATCH,
        shuffle=True,
        num_workers=WORKERS,
        drop_last=True,
        persistent_workers=True,  # they start once, before the clock does
        multiprocessing_context="spawn",  # not a copy of a process with TensorFlow's threads
    )

    def run():
        for _ in batches:
            pass

    run()
    return run, [worker.pid for worker in batches._iterator._workers]


def turns(calls: dict, repeats: int, others: list[int]) -> dict[str, list[tuple[float, float]]]:
    """As `measure.alternate`, but with the processor time of the workers too."""
    for call in calls.values():
        call()
    taken, order = {name: [] for name in calls}, list(calls.items())
    for _ in range(repeats):
        for name, call in order:
            start = time.perf_counter(), cpu_seconds(others)
            call()
            taken[name].append((time.perf_counter() - start[0], cpu_seconds(others) - start[1]))
        order.reverse()
    return taken


def drawn(folder: Path, count: int, size: int) -> Path:
    """Drawn photos as JPEG files, where no real ones are named."""
    from recon.data import photos, safari

    for number in range(count):
        place = folder / safari.CLASSES[number % len(safari.CLASSES)]
        place.mkdir(exist_ok=True)
        photos.write(place / f"{number}.jpg", safari.draw(number, size, 0))
    return folder


def compare(data: Path, size: int, count: int, repeats: int) -> dict:
    """All ways in turns: milliseconds a photo, by the clock and of the processors."""
    from recon.data import catalog, pipeline

    table = catalog.read(data).iloc[:count]
    count = len(table) - len(table) % BATCH
    paths = [str(path) for path in table.path[:count]]
    table = table.iloc[:count]
    torchs, workers = loader(paths, size, pipeline.jittered(table, size))
    calls = {"decode": decoder(paths, count), "loader": torchs}
    calls |= {where: fed(table, size, count, where) for where in ("files", "memory", "device")}
    figures = {}
    taken = turns(calls, repeats, workers)
    for name in NAMES:
        ms, cpu_ms = (1000 * seconds / count for seconds in measure.median(taken[name]))
        figures[name] = {"ms": ms, "cpu_ms": cpu_ms, "photos_per_second": 1000 / ms}
    for name, one in figures.items():
        print(
            f"{NAMES[name]}: {one['cpu_ms']:.2f} ms of the CPU a photo, "
            f"{one['photos_per_second']:,.0f} photos a second",
            flush=True,
        )
    cost = {name: one["cpu_ms"] for name, one in figures.items()}
    ratios = {
        "files_over_decode": cost["files"] / cost["decode"],
        "loader_over_files": cost["loader"] / cost["files"],
        "loader_over_memory": cost["loader"] / cost["memory"],
        "loader_over_device": cost["loader"] / cost["device"],
        "wall_loader_over_files": figures["loader"]["ms"] / figures["files"]["ms"],
        "wall_loader_over_memory": figures["loader"]["ms"] / figures["memory"]["ms"],
    }
    for name, ratio in ratios.items():
        print(f"{name.replace('_', ' ')}: {ratio:.2f}")
    return {"size": size, "batch": BATCH, "photos": count, "figures": figures, "ratios": ratios}


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """The table's lines: what, figure, goal or peer, command."""
    ratios, figures = result["ratios"], result["figures"]
    command = measure.command("inputs", result["data"])
    what = f"Input pipeline, {result['size']}×{result['size']} JPEG files"
    return [
        (
            f"{what}: CPU time a photo over decoding alone",
            f"{ratios['files_over_decode']:.2f} ({figures['files']['cpu_ms']:.2f} ms)",
            f"≤ {DEARER}",
            command,
        ),
        (
            f"{what}: as many times cheaper than a DataLoader with {WORKERS} OpenCV workers",
            f"{ratios['loader_over_files']:.2f} from files, "
            f"{ratios['loader_over_memory']:.2f} from memory",
            f"≥ {FASTER}",
            command,
        ),
    ]


def main() -> None:
    options = measure.parser(__doc__, repeats=9)
    options.add_argument("--data", type=Path, help="a folder of photos; by default drawn ones")
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--photos", type=int, default=512, help="so many of them")
    options.add_argument("--tiny", action="store_true", help="a few small ones, to try it out")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.size, chosen.photos, chosen.repeats = 32, 32, 1
    reason = needs()
    if reason:
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as folder:
        data = chosen.data or drawn(Path(folder), chosen.photos, chosen.size)
        result = compare(data, chosen.size, chosen.photos, chosen.repeats)
    result |= {"repeats": chosen.repeats, "data": str(chosen.data or "safari")}
    measure.write("inputs", result | {"machine": measure.machine("torch", "cv2")}, chosen.out)


if __name__ == "__main__":
    main()
