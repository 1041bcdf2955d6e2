"""`python -m benchmarks.growth`: how cost grows with photos' size, with the batch, with the photos.

Four parts, each with a plot beside its figures (`python -m benchmarks.growth photos` measures one
anew and keeps the others):

- size: a training step, and one completion, of photos of 64, 128, 256 and 512 pixels a side. A
  model's recipe builds another network for another size, so its slope says what a user pays; beside
  it stands the network of the smallest size, the same layers at every size.
- batch: a training step of 1, 2, 4, 8 and 16 photos.
- photos: catalogues of a thousand to a million photos, which name a few hundred drawn ones again
  and again: seconds until the first training batch is there, and memory while it goes on; and
  folders of growing size, read by `recon.data.catalog`.
- restore: photos of 1, 4 and 12 megapixels with one hole.

A slope is the exponent of a power law, fitted by least squares to the logarithms of the points that
its figure names: 1 is proportional, 2 grows with the square. Costs are CPU-seconds, which others on
the machine disturb least. Every point has a process of its own, whose peak memory counts; one that
would take minutes or more than 6 GB, by what the points before it took, is left out and says so.
"""

import functools
import json
import math
import multiprocessing
import os
import resource
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from benchmarks import measure

COMMAND = "python -m benchmarks.growth"
SECONDS, MEMORY = 20, 6e9  # of one call, and bytes of its process: more is left out
TRAINED = 2  # photos of a step whose cost against size is measured


class Scale(NamedTuple):
    """How far to go: all the way, or in a test through everything once."""

    sizes: tuple[int, ...]
    batches: tuple[int, ...]
    rows: tuple[int, ...]
    folders: tuple[int, ...]
    networks: tuple[str, ...]
    completed: tuple[str, ...]  # by which fills, and which of the networks
    batched: tuple[tuple[str, int], ...]  # network and size
    files: int  # that a catalogue's rows name again and again
    side: int  # of these, and of the training
    streamed: int  # photos read of a catalogue
    restored: tuple[tuple[str, int], ...]  # by what, and side of the hole
    megapixels: tuple[int, ...]


FULL = Scale(
    sizes=(64, 128, 256, 512),
    batches=(1, 2, 4, 8, 16),
    rows=(1_000, 10_000, 100_000, 300_000, 1_000_000),
    folders=(1_000, 2_000, 4_000, 8_000),
    networks=("unet", "unet as at 64", "pix2pix", "pix2pix as at 64", "bilstm"),
    completed=("mean", "telea", "biharmonic", "harmonic", "unet"),
    batched=(("unet", 64), ("bilstm", 64), ("pix2pix", 256)),
    files=256,
    side=256,
    streamed=4096,
    restored=(("harmonic", 75), ("harmonic", 600), ("unet", 75), ("unet", 600)),
    megapixels=(1, 4, 12),
)
TINY = Scale(
    sizes=(32, 64),
    batches=(1,),
    rows=(40, 80),
    folders=(10, 20),
    networks=("unet",),
    completed=("harmonic",),
    batched=(("unet", 32),),
    files=8,
    side=32,
    streamed=64,
    restored=(("harmonic", 75),),
    megapixels=(1,),
)


# Slopes ---------------------------------------------------------------------------------------


def fit(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Fit the power law `cost = factor · x ** slope` by least squares of the logarithms.

    Args:
        points: (x, cost), all above 0, with at least two different x.

    Returns:
        slope and factor.
    """
    import numpy as np

    x, cost = np.log(points).T
    slope, offset = np.polyfit(x, cost, 1)
    return float(slope), float(np.exp(offset))


def with_slopes(line: dict, *costs: str, start: float = 0) -> dict:
    """Say how a line's costs grow, over its points from `start` on.

    Args:
        line: its points are dictionaries with an `x`.
        costs: which of a point's figures.
        start: below, a cost is mostly what a process pays once.

    Returns:
        the line with `slopes`: cost -> slope, factor, and the ends of what they were fitted over;
        a cost with a single point has none.
    """
    slopes = dict(line.get("slopes", {}))
    points = [point for point in line["points"] if point["x"] >= start]
    if len(points) > 1:
        for cost in costs:
            slope, factor = fit([(point["x"], point[cost]) for point in points])
            over = [points[0]["x"], points[-1]["x"]]
            slopes[cost] = {"slope": slope, "factor": factor, "over": over}
    return line | {"slopes": slopes}


def too_much(points: list[dict], x: float, power: int) -> str | None:
    """Why a point is left out, if cost goes on growing with this power from the last; or None.

    Of the memory only what is above the first point's grows: the rest are libraries.
    """
    if not points:
        return None
    first, last = points[0], points[-1]
    times = (x / last["x"]) ** power
    seconds = last["cpu_seconds"] * times
    memory = first["peak"] + (last["peak"] - first["peak"]) * times
    if seconds > SECONDS:
        return f"about {seconds:.0f} CPU-seconds a call"
    if memory > MEMORY:
        return f"about {memory / 1e9:.1f} GB"
    return None


# One point, one process ------------------------------------------------------------------------


def peak_memory() -> int:
    """The most bytes that this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident() -> int:
    """Bytes that this process holds now."""
    import psutil

    return psutil.Process().memory_info().rss


def alone(function: Callable, *arguments):
    """Call a function in a fresh process of its own, and give what it returns."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def here(function: Callable, *arguments):
    """The same in this process: quick, and its peak memory is no point's own."""
    return function(*arguments)


def follow(
    name: str, xs: tuple, power: int, point: Callable[[int], dict], run: Callable, say: Callable
) -> dict:
    """Measure a line, point after point, as long as the next one is not too much.

    Args:
        name: of the line.
        xs: ascending.
        power: with which cost is expected to grow at most.
        point: x -> figures, `cpu_seconds` and `peak` among them.
        run: `alone` or `here`.
        say: takes a line about every point.
    """
    points, left_out = [], []
    for x in xs:
        why = too_much(points, x, power)
        if why is None:
            try:
                points.append({"x": x, **run(point, x)})
                say(f"{name}, {x:,}: {shown(points[-1])}")
                continue
            except BrokenProcessPool:
                why = "its process was killed, most likely for want of memory"
        left_out.append({"x": x, "why": why})
        say(f"{name}, {x:,}: left out, {why}")
    return {"name": name, "points": points, "left_out": left_out}


def shown(point: dict) -> str:
    """A point's figures, for the reader of the terminal."""
    seconds = f"{point['cpu_seconds']:.4g} CPU-seconds, {point['seconds']:.4g} s"
    return f"{seconds}, {point['peak'] / 1e9:.2f} GB"


# Size and batch ---------------------------------------------------------------------------------


def batch_of(count: int, size: int):
    """Noise with the challenge's two boxes missing: `masked`, `mask` and `photo`."""
    import numpy as np

    from recon import boxes

    generator = np.random.default_rng(0)
    photo = generator.random((count, size, size, 3), "float32")
    mask = np.stack([boxes.rasterise(boxes.draw(generator, size), size) for _ in range(count)])
    return photo * (1 - mask), mask, photo


def network(name: str, size: int):
    """A model, not yet trained: its recipe's, or the recipe's of 64 with every size's pixels."""
    from recon.models import bilstm, pix2pix, unet

    return {
        "unet": lambda: unet.build(size),
        "unet as at 64": lambda: unet.UNet(size, patch=2),
        "pix2pix": lambda: pix2pix.build(size, "bce"),
        "pix2pix as at 64": lambda: pix2pix.Pix2Pix(
            size, filters=24, widest=96, judge_filters=8, dropout=0.0
        ),
        "bilstm": lambda: bilstm.build(size),
    }[name]()


def timed(function: Callable[[], object], repeats: int, warm: int = 1) -> dict:
    """Medians of a call's seconds, and the peak memory of the process so far."""
    taken = measure.alternate({"it": function}, repeats, warm)["it"]
    seconds, cpu_seconds = measure.median(taken)
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak": peak_memory()}


def step(name: str, size: int, count: int, repeats: int) -> dict:
    """A training step by Adam in float32, as `recon.train` compiles it for a CPU."""
    import keras
    from keras import ops

    from recon import fitting

    model = network(name, size)
    jit = keras.backend.backend() == "jax"
    model.compile(fitting.optimizer("adam", 1e-3, 0.9, 1.0, 0.0, 1), jit_compile=jit)
    masked, mask, photo = (ops.convert_to_tensor(x) for x in batch_of(count, size))
    inputs = {"masked": masked, "mask": mask}
    return timed(lambda: float(model.train_on_batch(inputs, photo)[0]), repeats)


def completion(name: str, size: int, repeats: int) -> dict:
    """One photo completed by a classical fill, or by a network as `recon.restore` calls it."""
    from recon import classical, methods

    if name in classical.FILLS:
        method = methods.load(name)
    else:
        method = methods.learned_method(name, network(name, size))
    masked, mask, _ = batch_of(1, size)
    return timed(lambda: method(masked, mask), repeats)


def against_size(scale: Scale, repeats: int, run: Callable, say: Callable) -> dict:
    """A step's cost and a completion's, and their memory, against the photos' side."""

    def lines(kind: str, names: tuple[str, ...], point: Callable, **fixed) -> list[dict]:
        return [
            with_slopes(
                follow(
                    f"{kind} of {name}",
                    scale.sizes,
                    2,
                    functools.partial(point, name, repeats=repeats, **fixed),
                    run,
                    say,
                )
                | {"name": name},
                "cpu_seconds",
                "seconds",
                start=128,
            )
            for name in names
        ]

    return {
        "batch": TRAINED,
        "steps": lines("step", scale.networks, step, count=TRAINED),
        "completions": lines("completion", scale.completed, completion),
    }


def against_batch(scale: Scale, repeats: int, run: Callable, say: Callable) -> dict:
    """A step's cost for each of its photos, against their number."""
    lines = []
    for name, size in scale.batched:
        point = functools.partial(step, name, size, repeats=repeats)
        line = follow(f"{name} at {size}×{size}", scale.batches, 1, point, run, say)
        for one in line["points"]:
            one["cpu_seconds_per_photo"] = one["cpu_seconds"] / one["x"]
            one["seconds_per_photo"] = one["seconds"] / one["x"]
        lines.append(with_slopes(line, "cpu_seconds_per_photo", "seconds_per_photo"))
    return {"steps": lines}


# Photos ---------------------------------------------------------------------------------------


def draw_files(folder: Path, count: int, side: int) -> list[Path]:
    """Draw photos at half their side, which is quick, and write them as JPEG."""
    from recon.data import photos, safari

    files = [folder / f"{number:04}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        photos.write(file, photos.square(safari.draw(number, max(32, side // 2)), side))
    return files


def catalogue(rows: int, files: list[Path]):
    """A table of so many photos as `recon.data.catalog` makes it: files come again and again."""
    from recon.data import catalog, safari

    kinds = safari.CLASSES
    found = [
        catalog.Found(f"{kinds[n % 4]}/{n:07}.jpg", files[n % len(files)], kinds[n % 4])
        for n in range(rows)
    ]
    return catalog._table(catalog._split(found, 0), [True] * rows, 0)


def start(files: list[Path], side: int, streamed: int, rows: int) -> dict:
    """From a table in memory to the first batch of its training photos, and some batches on.

    The libraries are imported before, and the table is made: what it takes is told apart.
    """
    import gc

    from recon.data import catalog, pipeline

    before, began = resident(), time.process_time()
    table = catalogue(rows, files)
    table_cpu_seconds = time.process_time() - began
    gc.collect()
    table_bytes = resident() - before
    train, batch = catalog.split_of(table, "train"), 16
    del table

    began = time.perf_counter(), time.process_time()
    batches = iter(pipeline.wire(train, side, batch, max(1, len(train) // batch)))
    next(batches)
    seconds, cpu_seconds = time.perf_counter() - began[0], time.process_time() - began[1]

    memory = [{"photos": batch, "resident": resident()}]
    marks = {streamed * part // 8 for part in range(1, 9)}
    for read in range(2 * batch, streamed + 1, batch):
        next(batches)
        if read in marks:
            memory.append({"photos": read, "resident": resident()})
    return {
        "train": len(train),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "table_cpu_seconds": table_cpu_seconds,
        "table_bytes": table_bytes,
        "memory": memory,
        "peak": peak_memory(),
    }


def read_folder(files: list[Path], count: int) -> dict:
    """A folder of class folders with so many photos, hard links to few, read into a table."""
    from recon.data import catalog, safari

    with tempfile.TemporaryDirectory(dir=files[0].parent) as place:
        for kind in safari.CLASSES:
            (Path(place) / kind).mkdir()
        for number in range(count):
            link = Path(place) / safari.CLASSES[number % 4] / f"{number:07}.jpg"
            link.hardlink_to(files[number % len(files)])
        began = time.perf_counter(), time.process_time()
        catalog.read(place)
        seconds, cpu_seconds = time.perf_counter() - began[0], time.process_time() - began[1]
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak": peak_memory()}


def against_photos(scale: Scale, repeats: int, run: Callable, say: Callable) -> dict:
    """Start-up and memory of catalogues, and what reading a folder costs."""
    with tempfile.TemporaryDirectory() as place:
        files = draw_files(Path(place), scale.files, scale.side)
        point = functools.partial(start, files, scale.side, scale.streamed)
        starts = follow("start-up with rows", scale.rows, 1, point, run, say)
        point = functools.partial(read_folder, files)
        reads = follow("reading a folder", scale.folders, 1, point, run, say)
    costs = "seconds", "cpu_seconds", "table_cpu_seconds"
    return {
        "files": scale.files,
        "side": scale.side,
        "starts": with_slopes(starts, *costs, start=scale.rows[-1] // 10),
        "folders": with_slopes(reads, "cpu_seconds", "seconds"),
    }


# Large photos -----------------------------------------------------------------------------------


def restoration(name: str, box: int, megapixels: int, repeats: int) -> dict:
    """A photo of so many megapixels restored: one square hole of so many pixels a side."""
    import numpy as np

    from recon import boxes, classical, methods, restore

    rows, columns = (
        round((megapixels * 1e6 * 3 / 4) ** 0.5),
        round((megapixels * 1e6 * 4 / 3) ** 0.5),
    )
    photo = np.random.default_rng(0).integers(0, 256, (rows, columns, 3), "uint8")
    hole = boxes.Box(rows // 3, columns // 3, min(box, rows // 2), min(box, rows // 2))
    mask = boxes.rasterise([hole], (rows, columns))
    if name in classical.FILLS:
        method = methods.load(name)
    else:
        method = methods.learned_method(name, network(name, 256))
    return timed(lambda: restore.complete(method, photo, mask), repeats)


def against_pixels(scale: Scale, repeats: int, run: Callable, say: Callable) -> dict:
    """What `recon.restore` takes for large photos, without reading and writing the files."""
    lines = []
    for name, box in scale.restored:
        point = functools.partial(restoration, name, box, repeats=repeats)
        line = follow(f"{name}, a hole of {box}×{box}", scale.megapixels, 1, point, run, say)
        lines.append(with_slopes(line, "cpu_seconds", "seconds"))
    return {"network_size": 256, "restorations": lines}


# Plots ------------------------------------------------------------------------------------------


class Panel(NamedTuple):
    """One picture of a plot; a reference is a dashed line that grows with the power it is named."""

    title: str
    x: str
    y: str
    lines: dict[str, list[tuple[float, float]]]  # label -> points (x, y)
    reference: tuple[str, float] | None = None
    scale: str = "log"  # of both axes; or linear, from 0


def named(line: dict, cost: str, x: str) -> str:
    """A line's name, its slope and whence it was fitted: `bilstm ∝ side^1.93 from 128`."""
    if cost not in line["slopes"]:
        return line["name"]
    slope, (start, _) = (line["slopes"][cost][key] for key in ("slope", "over"))
    whence = f" from {start:,}" if start > line["points"][0]["x"] else ""
    return f"{line['name']} ∝ {x}^{slope:.2f}{whence}"


def curves(lines: list[dict], cost: str, x: str, unit: float = 1) -> dict:
    """Lines for a panel, each with its slope, in a unit of cost."""
    return {
        named(line, cost, x): [(point["x"], point[cost] / unit) for point in line["points"]]
        for line in lines
        if line["points"]
    }


def fitted(lines: list[dict], cost: str) -> str:
    """Over which points lines' slopes were fitted: "from 128 to 512"."""
    over = [line["slopes"][cost]["over"] for line in lines if cost in line["slopes"]]
    return f"from {over[0][0]:,} to {max(end for _, end in over):,}" if over else "not fitted"


def spread(places: list[float], gap: float) -> list[float]:
    """Move labels' places apart, upwards, until none is nearer to the next than a gap.

    Args:
        places: ascending.
        gap: the least distance.
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    return moved


def draw(path: Path, panels: list[Panel]) -> None:
    """Draw panels beside each other, each line named where it ends."""
    from matplotlib.figure import Figure
    from PIL import Image

    from recon import atomic, plots

    figure = Figure((4.2 * len(panels), 3.2), layout="constrained")
    for cell, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        cell.set(xscale=panel.scale, yscale=panel.scale)
        cell.set_xlabel(panel.x, fontsize=8)
        cell.set_ylabel(panel.y, fontsize=8)
        cell.set_title(panel.title, fontsize=9)
        cell.tick_params(labelsize=7, which="both")
        cell.spines[["top", "right"]].set_visible(False)
        cell.grid(color="0.93", linewidth=0.6)
        for name, points in panel.lines.items():
            cell.plot(*zip(*points, strict=True), ".-", label=name, linewidth=1.2)
        if panel.reference:
            add_reference(cell, *panel.reference)
        if panel.scale == "linear":
            cell.set_ylim(bottom=0)
        plain_numbers(cell)
        name_lines(cell)
    plots.save(figure, path)
    with atomic.writing(path) as temporary, Image.open(path) as picture:
        picture.convert("RGB").quantize(64).save(temporary)  # a third of the bytes


def add_reference(cell, name: str, power: float) -> None:
    """A dashed line that begins below all others and grows with a power of x."""
    lines = [line.get_xydata() for line in cell.get_lines()]
    left, right = min(line[0, 0] for line in lines), max(line[-1, 0] for line in lines)
    start = 0.7 * min(line[0, 1] for line in lines)
    ys = [start, start * (right / left) ** power]
    cell.plot([left, right], ys, "--", color="grey", label=name, linewidth=1)


def plain_numbers(cell) -> None:
    """Numbers as people write them; of few points exactly those."""
    from matplotlib.ticker import (
        FixedLocator,
        FuncFormatter,
        LogLocator,
        NullFormatter,
        NullLocator,
    )

    plain = FuncFormatter(lambda x, _: f"{x:,.0f}" if x >= 100 else f"{x:.3g}")
    xs = sorted({float(x) for line in cell.get_lines() for x in line.get_xdata()})
    for axis in (cell.xaxis, cell.yaxis):
        axis.set_major_formatter(plain)
    if len(xs) <= 5:
        cell.xaxis.set_major_locator(FixedLocator(xs))
        cell.xaxis.set_minor_locator(NullLocator())
    if cell.get_yscale() == "log":
        bottom, top = cell.get_ylim()
        few = top / bottom < 30  # a decade or so: its halves and fifths too
        cell.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        cell.yaxis.set_minor_formatter(NullFormatter())


def name_lines(cell) -> None:
    """Write each line's name at the height where it ends, right of the picture."""
    bottom, top = cell.transLimits.inverted().transform([(0, 0), (0, 1)])[:, 1]
    shape = math.log10 if cell.get_yscale() == "log" else float
    lines = sorted(cell.get_lines(), key=lambda line: line.get_ydata()[-1])
    heights = [(shape(line.get_ydata()[-1]) - bottom) / (top - bottom) for line in lines]
    for height, line in zip(spread(heights, 0.07), lines, strict=True):
        place = {"xycoords": "axes fraction", "va": "center", "annotation_clip": False}
        style = {"fontsize": 7.5, "color": line.get_color()}
        cell.annotate(line.get_label(), (1.02, height), **place, **style)


def plot_size(path: Path, found: dict) -> None:
    """Steps, completions and memory against the photos' side."""
    steps, completions = found["steps"], found["completions"]
    side, pixels, cost = "side of the photos, pixels", ("∝ side², the pixels", 2), "cpu_seconds"
    per_photo = 1e-3 * found["batch"]
    memory = {
        name.split(" ∝")[0]: points for name, points in curves(steps, "peak", "", 1e9).items()
    }
    draw(
        path,
        [
            Panel(
                f"A training step of {found['batch']} photos",
                side,
                "CPU-milliseconds a photo",
                curves(steps, cost, "side", per_photo),
                pixels,
            ),
            Panel(
                "A photo completed",
                side,
                "CPU-milliseconds",
                curves(completions, cost, "side", 1e-3),
                pixels,
            ),
            Panel("A training process's memory", side, "GB at most", memory, scale="linear"),
        ],
    )


def plot_batch(path: Path, found: dict) -> None:
    """Cost of a photo in a step against the photos of it."""
    steps = found["steps"]
    draw(
        path,
        [
            Panel(
                f"A training step, {title}",
                "photos of a batch",
                unit,
                curves(steps, cost, "batch", 1e-3),
            )
            for title, cost, unit in (
                ("all cores' work", "cpu_seconds_per_photo", "CPU-milliseconds a photo"),
                ("by the clock", "seconds_per_photo", "milliseconds a photo"),
            )
        ],
    )


def plot_photos(path: Path, found: dict) -> None:
    """Start-up and reading against the number of photos; memory as they stream."""
    starts, folders = found["starts"], found["folders"]
    seconds = (
        curves([starts | {"name": "first batch"}], "cpu_seconds", "photos")
        | curves([starts | {"name": "table"}], "table_cpu_seconds", "photos")
        | curves([folders | {"name": "reading a folder"}], "cpu_seconds", "photos")
    )
    memory = {
        f"of {point['x']:,}": [(m["photos"], m["resident"] / 1e9) for m in point["memory"]]
        for point in starts["points"]
        if math.log10(point["x"]) % 1 == 0  # a few lines say it
    }
    draw(
        path,
        [
            Panel("Until training begins", "photos", "CPU-seconds", seconds, ("∝ photos", 1)),
            Panel("Memory while a catalogue streams", "photos read", "GB", memory, scale="linear"),
        ],
    )


def plot_restore(path: Path, found: dict) -> None:
    """Cost and memory of a restoration against the photo's pixels."""
    lines, pixels = found["restorations"], "megapixels"
    memory = {line["name"]: [(p["x"], p["peak"] / 1e9) for p in line["points"]] for line in lines}
    draw(
        path,
        [
            Panel(
                "A large photo restored",
                pixels,
                "CPU-seconds",
                curves(lines, "cpu_seconds", "pixels"),
                ("∝ pixels", 1),
            ),
            Panel("Memory meanwhile", pixels, "GB at most", memory, scale="linear"),
        ],
    )


# The README -------------------------------------------------------------------------------------

README = Path(__file__).parent.parent / "README.md"
MARKERS = "<!-- growth -->", "<!-- end of growth -->"


def slopes(lines: list[dict], cost: str) -> str:
    """Slopes as a sentence's part: "unet 0.87, bilstm 1.98"."""
    return ", ".join(
        f"{line['name']} {line['slopes'][cost]['slope']:.2f}".replace(" -", " −")
        for line in lines
        if cost in line["slopes"]
    )


def gained(found: dict) -> tuple[dict, float]:
    """The largest catalogue's point, and the bytes gained from its second mark to its last.

    Up to the second mark the queues of batches fill.
    """
    last = found["starts"]["points"][-1]
    return last, last["memory"][-1]["resident"] - last["memory"][1]["resident"]


def words(result: dict) -> str:
    """What the README says of growth, out of the figures."""
    cost, each = "cpu_seconds", "cpu_seconds_per_photo"
    size, batch, photos, restore = (result[part] for part in PARTS)
    largest = max(line["points"][-1]["x"] for line in restore["restorations"])
    restored = "; ".join(
        f"{line['name']}, {line['points'][-1]['cpu_seconds']:.1f} (exponent "
        f"{line['slopes'][cost]['slope']:.2f})"
        for line in restore["restorations"]
    )
    last, bytes_gained = gained(photos)
    first, end = last["memory"][1]["photos"], last["memory"][-1]["photos"]
    folders = photos["folders"]
    of_reading = folders["points"][-1]
    paragraphs = [
        "How cost grows, as the exponent of a power law fitted to CPU-seconds (`python -m "
        "benchmarks.growth`, [figures](benchmarks/results/growth.json); 1 is proportional). "
        f"Against the side of the photos, {fitted(size['steps'], cost)}, where 2 is proportional "
        f"to the pixels, a training step: {slopes(size['steps'], cost)} (a recipe's unet keeps 32 "
        "patches a side, and its pix2pix grows deeper); a completion: "
        f"{slopes(size['completions'], cost)}.",
        "![CPU-milliseconds and memory against the photos' side]"
        "(benchmarks/results/growth_size.png)",
        f"Against the batch, {fitted(batch['steps'], each)}, the cost of one photo in a step: "
        f"{slopes(batch['steps'], each)}.",
        "![Milliseconds of a photo in a step against the batch]"
        "(benchmarks/results/growth_batch.png)",
        f"A catalogue of {last['x']:,} photos has its first training batch ready "
        f"{last['seconds']:.1f} s after its table is in memory ({last['cpu_seconds']:.1f} "
        f"CPU-seconds, exponent {photos['starts']['slopes'][cost]['slope']:.2f}, "
        f"{fitted([photos['starts']], cost)}); the table takes {last['table_bytes'] / 1e9:.2f} GB "
        f"and {last['table_cpu_seconds']:.0f} CPU-seconds to make, and from the {first:,}th to the "
        f"{end:,}th photo read memory grows by {max(0, bytes_gained) / 1e6:.0f} MB. Reading a "
        "folder, which looks into every file, takes "
        f"{1e3 * of_reading['cpu_seconds'] / of_reading['x']:.2f} CPU-milliseconds a photo, "
        f"exponent {folders['slopes'][cost]['slope']:.2f}.",
        "![CPU-seconds until training begins, and memory, against the number of photos]"
        "(benchmarks/results/growth_photos.png)",
        f"A photo of {largest} megapixels with one hole is restored in so many CPU-seconds, where "
        f"the network is one of {restore['network_size']} pixels a side: {restored}.",
        "![CPU-seconds and memory against a photo's megapixels]"
        "(benchmarks/results/growth_restore.png)",
    ]
    return "\n\n".join(
        text if text.startswith("!") else textwrap.fill(text, 100, break_on_hyphens=False)
        for text in paragraphs
    )


def in_readme(readme: str) -> tuple[int, int]:
    """Where the paragraphs on growth begin and end in a README's text."""
    first, last = MARKERS
    return readme.index(first) + len(first), readme.index(last)


def write_readme(result: dict) -> None:
    """Have the README say what the figures say."""
    from recon import atomic

    readme = README.read_text()
    begin, end = in_readme(readme)
    with atomic.writing(README) as temporary:
        temporary.write_text(f"{readme[:begin]}\n\n{words(result)}\n\n{readme[end:]}")


# The command line -------------------------------------------------------------------------------

PARTS = {  # name -> what measures it, and what draws it
    "size": (against_size, plot_size),
    "batch": (against_batch, plot_batch),
    "photos": (against_photos, plot_photos),
    "restore": (against_pixels, plot_restore),
}


def needs() -> str | None:
    """Why this machine cannot run it: a process's peak memory is asked of Unix."""
    return None if os.name == "posix" else "needs Linux or macOS, to ask for peak memory"


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table: what, figure, goal, command."""
    last, bytes_gained = gained(result["photos"])
    first, end = last["memory"][1]["photos"], last["memory"][-1]["photos"]
    return [
        (
            f"{last['x']:,} photos: from their table to the first training batch",
            f"{last['seconds']:.1f} s",
            "10 s",
            COMMAND,
        ),
        (
            f"{last['x']:,} photos: memory gained from the {first:,}th to the {end:,}th read",
            f"{max(0, bytes_gained) / 1e6:.0f} MB",
            "flat",
            COMMAND,
        ),
    ]


def main() -> None:
    """Set the threads; measure the parts asked for; keep figures and plots side by side."""
    parser = measure.parser(__doc__, repeats=3)
    parser.add_argument("parts", nargs="*", help="size, batch, photos, restore; all unless said")
    parser.add_argument("--tiny", action="store_true", help="little of all, in one process")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    measure.threads(os.cpu_count())
    out = options.out or measure.RESULTS / "growth.json"
    result = json.loads(out.read_text()) if options.parts and out.exists() else {}
    scale, run = (TINY, here) if options.tiny else (FULL, alone)
    for name in options.parts or PARTS:
        against, plot = PARTS[name]
        found = against(scale, options.repeats, run, functools.partial(print, flush=True))
        result[name] = found | {"repeats": options.repeats, "machine": run(measure.machine)}
        measure.write("growth", result, out)
        plot(out.with_name(f"growth_{name}.png"), found)
    if options.out is None and set(PARTS) <= set(result):
        write_readme(result)


if __name__ == "__main__":
    main()
