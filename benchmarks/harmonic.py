"""`python -m benchmarks.harmonic`: the harmonic fill beside the sparse solver and other fills.

Each photo has two boxes where the challenge would draw them; every fill takes it in turn, on one
thread. The time of a size is the mean over its photos, of each the median of its repeats; and apart
for boxes that overlap or touch, for others of which one lies at the photo's edge, and for the rest.
A batch is filled as `recon.methods` does, photo by photo. Then a single large hole, as
`recon.restore` may meet it.
"""

import functools
import statistics

from benchmarks import measure

COMMAND = "python -m benchmarks.harmonic"
GOAL = 10  # ms per photo of 256×256
SIZES = {64: 64, 128: 64, 256: 64, 512: 32}  # size -> photos
BATCH = 16
LARGE = 1000  # side of the large hole
SLOW = ("biharmonic",)  # a repeat each, and only of photos up to 256×256


def needs() -> str | None:
    """Nothing but the package."""
    return None


def kind(boxes: list, size: int) -> str:
    """Where two boxes lie; overlapping ones at the edge count as overlapping.

    >>> kind([(1, 1, 3, 3), (4, 2, 3, 3)], 16), kind([(1, 1, 3, 3), (4, 4, 3, 3)], 16)
    ('overlapping', 'apart')
    >>> kind([(0, 1, 3, 3), (9, 9, 3, 3)], 16)
    'at the edge'
    """
    (row, column, height, width), (other_row, other_column, *_) = boxes
    down, right = abs(row - other_row), abs(column - other_column)
    if down <= height and right <= width and (down < height or right < width):
        return "overlapping"
    starts = {row, column, other_row, other_column}
    return "at the edge" if starts & {0, size - height} else "apart"  # the boxes are squares


def photo(size: int, number: int) -> tuple:
    """Noise with two boxes: masked, mask and the boxes' kind."""
    import numpy as np

    from recon import boxes

    generator = np.random.default_rng([size, number])
    drawn = boxes.draw(generator, size)
    mask = boxes.rasterise(drawn, size)
    return generator.random((size, size, 3), "float32") * (1 - mask), mask, kind(drawn, size)


def two_boxes(size: int, count: int, repeats: int) -> dict:
    """Every fill on photos of a size: ms per photo of each kind, by the clock and of the CPU."""
    import numpy as np

    from recon import classical

    fills = {
        "harmonic": classical.harmonic,
        "sparse": classical.sparse_harmonic,
        "telea": classical.telea,
    }
    fills |= {name: classical.FILLS[name] for name in SLOW if size <= 256}
    taken, off = [], 0.0  # a row per photo and fill; the largest difference to the sparse solution
    for number in range(count):
        masked, mask, where = photo(size, number)
        calls = {name: functools.partial(fill, masked, mask) for name, fill in fills.items()}
        slow = {name: calls.pop(name) for name in SLOW if name in calls}
        pairs = measure.alternate(calls, repeats, warm=1) | measure.alternate(slow, 1, warm=0)
        taken += [(name, where, *measure.median(times)) for name, times in pairs.items()]
        difference = classical.harmonic(masked, mask) - classical.sparse_harmonic(masked, mask)
        off = max(off, float(np.abs(difference).max()))

    def mean(name: str, kinds: tuple) -> dict:
        rows = [row[2:] for row in taken if row[0] == name and row[1] in kinds]
        wall, cpu = (1000 * statistics.fmean(column) for column in zip(*rows, strict=True))
        return {"ms": wall, "cpu_ms": cpu, "photos": len(rows)}

    kinds = sorted({row[1] for row in taken})
    figures = {
        name: mean(name, kinds) | {"by_kind": {one: mean(name, (one,)) for one in kinds}}
        for name in fills
    }
    return {"size": size, "off": off, "fills": figures}


def batch(repeats: int) -> dict:
    """A batch of 256×256: ms per photo."""
    import numpy as np

    from recon import methods

    masked, mask, _ = zip(*(photo(256, number) for number in range(BATCH)), strict=True)
    masked, mask = np.stack(masked), np.stack(mask)
    fill = methods.classical_method("harmonic")
    wall, cpu = measure.median(
        measure.alternate({"batch": functools.partial(fill, masked, mask)}, repeats)["batch"]
    )
    return {"photos": BATCH, "ms": 1000 * wall / BATCH, "cpu_ms": 1000 * cpu / BATCH}


def large(side: int) -> dict:
    """One square hole within a photo, once: seconds."""
    import numpy as np

    from recon import classical

    mask = np.zeros((side + 200, side + 200, 1), "float32")
    mask[100:-100, 100:-100] = 1
    masked = np.random.default_rng(0).random((*mask.shape[:2], 3), "float32") * (1 - mask)
    fills = {"harmonic": classical.harmonic, "sparse": classical.sparse_harmonic}
    calls = {name: functools.partial(fill, masked, mask) for name, fill in fills.items()}
    taken = measure.alternate(calls, 1, warm=0)
    return {"side": side} | {
        name: dict(zip(("seconds", "cpu_seconds"), pairs[0], strict=True))
        for name, pairs in taken.items()
    }


def compare(repeats: int, sizes: dict[int, int], side: int) -> dict:
    """All of it; a line per figure as it comes."""
    result = {"threads": 1, "repeats": repeats, "sizes": []}
    for size, count in sizes.items():
        row = two_boxes(size, count, repeats)
        result["sizes"].append(row)
        for name, figures in row["fills"].items():
            kinds = ", ".join(
                f"{one['photos']} {where} {one['cpu_ms']:.1f}"
                for where, one in figures["by_kind"].items()
            )
            print(
                f"{size}×{size}, two boxes, {name}: {figures['ms']:.1f} ms a photo, "
                f"{figures['cpu_ms']:.1f} of the CPU ({kinds})",
                flush=True,
            )
        print(f"{size}×{size}: harmonic is at most {row['off']:.0e} off the sparse solution")
    result["batch"] = batch(repeats)
    print(
        "256×256, a batch of {photos}: {ms:.1f} ms a photo, {cpu_ms:.1f} of the CPU".format(
            **result["batch"]
        ),
        flush=True,
    )
    result["large"] = large(side)
    print(
        f"a hole of {side}×{side}: {result['large']['harmonic']['cpu_seconds']:.1f} CPU-seconds, "
        f"sparse {result['large']['sparse']['cpu_seconds']:.1f}",
        flush=True,
    )
    return result | measure.machine("scipy", "skimage", "cv2")


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table."""
    fills = next(row["fills"] for row in result["sizes"] if row["size"] == 256)
    peers = ", ".join(
        f"{name} {fills[key]['cpu_ms']:.0f}"
        for key, name in (
            ("sparse", "SciPy's sparse solver"),
            ("telea", "OpenCV's Telea"),
            ("biharmonic", "scikit-image's biharmonic"),
        )
    )
    side, both = result["large"]["side"], result["large"]
    return [
        (
            "harmonic fill of two boxes, 256×256, one thread",
            f"{fills['harmonic']['cpu_ms']:.1f} CPU-ms a photo, "
            f"overlapping {fills['harmonic']['by_kind']['overlapping']['cpu_ms']:.1f}",
            f"≤ {GOAL}; {peers}",
            COMMAND,
        ),
        (
            f"the same, a batch of {result['batch']['photos']}",
            f"{result['batch']['cpu_ms']:.1f} CPU-ms a photo",
            f"≤ {GOAL}",
            COMMAND,
        ),
        (
            f"harmonic fill of a hole of {side}×{side}",
            f"{both['harmonic']['cpu_seconds']:.1f} CPU-seconds",
            f"SciPy's sparse solver {both['sparse']['cpu_seconds']:.0f}",
            COMMAND,
        ),
    ]


def main() -> None:
    """One thread, before any library starts; compare; keep the figures."""
    parser = measure.parser(__doc__, repeats=5)
    parser.add_argument("--tiny", action="store_true", help="two small photos, in seconds")
    options = parser.parse_args()
    measure.threads(1)
    sizes, side = ({64: 4, 256: 2}, 100) if options.tiny else (SIZES, LARGE)
    measure.write("harmonic", compare(options.repeats, sizes, side), options.out)


if __name__ == "__main__":
    main()
