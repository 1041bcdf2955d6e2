"""`python -m recon.evaluate`: compare methods on the same photos and boxes."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from rich.table import Table

from recon import boxes, classical, commandline, methods, restore
from recon.data import catalog, challenge, safari
from recon.errors import BadInput
from recon.methods import SHIPPED, Method
from recon.progress import progress
from recon.stable_diffusion.request import Request, asked

SAFARI_SIZE = 64
SMALLEST = 16  # SSIM's window is 11 pixels wide
BATCH = 16  # photos completed at once


def default_size(data: str) -> int:
    """64 for the drawn photos, the challenge's 256 for a folder."""
    return SAFARI_SIZE if data == "safari" else boxes.PHOTO


@dataclass
class Scores:
    """Sums over the photos seen so far, and the figures that they give."""

    totals: dict[str, float] = field(default_factory=dict)
    squares: list[float] = field(default_factory=list)  # squared error of each photo,
    counts: list[float] = field(default_factory=list)  # and over how many values

    def add(self, **amounts: float) -> None:
        for name, amount in amounts.items():
            self.totals[name] = self.totals.get(name, 0.0) + float(amount)

    def update(self, photo: np.ndarray, completed: np.ndarray, weight: np.ndarray) -> None:
        """Take in one photo `(H, W, 3)`; weight `(H, W, 1)` counts the boxes over each pixel."""
        from recon import metrics  # Keras takes seconds to load; --help does without

        squared, count = metrics.squared_error(photo, completed, weight)
        rescaled, _ = metrics.squared_error(
            challenge.minmax(photo), challenge.minmax(completed), weight
        )
        absolute, _ = metrics.absolute_error(photo, completed, weight)
        steps, true_steps = metrics.detail(photo, completed, np.minimum(weight, 1))
        self.squares.append(float(squared))
        self.counts.append(float(count))
        self.add(
            photos=1,
            count=count,
            squared=squared,
            rescaled=rescaled,
            absolute=absolute,
            psnr=metrics.psnr(photo, completed),
            ssim=metrics.ssim(photo, completed),
            steps=steps,
            true_steps=true_steps,
        )

    def result(self) -> dict[str, float]:
        total = self.totals
        means = ("psnr", "ssim", "lpips")  # over photos; LPIPS where it is measured
        return {
            "rmse": (total["squared"] / total["count"]) ** 0.5,
            "rmse_minmax": (total["rescaled"] / total["count"]) ** 0.5,
            "mae": total["absolute"] / total["count"],
            **{name: total[name] / total["photos"] for name in means if name in total},
            "detail": total["steps"] / max(total["true_steps"], 1e-9),
            "ms_per_photo": 1000 * total["seconds"] / total["photos"],
        }

    def by_class(self, classes: Sequence[str]) -> dict[str, float]:
        """RMSE of the photos of each class alone, for the class of every photo seen."""
        sums = pd.DataFrame({"class": classes, "squared": self.squares, "count": self.counts})
        sums = sums.groupby("class").sum()
        return ((sums["squared"] / sums["count"]) ** 0.5).to_dict()


def batches(table: pd.DataFrame, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Photos `(B, S, S, 3)` in [0, 1] and box counts `(B, S, S, 1)` of a table, in its order."""
    rows = list(table.itertuples())
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        photo = np.stack([catalog.photo(row, size) for row in some]).astype("float32") / 255
        yield photo, np.stack([catalog.coverage(row, size) for row in some])


def with_boxes(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table with boxes for photos that have no hole of their own: training photos.

    They are fixed by the seed and the file's name, as those of validation and test are.
    """
    rows = zip(table.file, table.boxes, table["mask"], table.frame, strict=True)
    known = [
        boxes.fixed(seed, file, frame) if missing is None and mask is None else missing
        for file, missing, mask, frame in rows
    ]
    return table.assign(boxes=pd.Series(known, table.index, dtype=object))


def compare(
    chosen: Iterable[Method],
    table: pd.DataFrame,
    size: int,
    lpips: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> dict[str, dict[str, float]]:
    """Complete every photo of a table with every method, on the same boxes.

    Squares are pooled as the challenge does: over all missing pixels of all photos, and a pixel
    in two boxes twice. So a submission's score and this RMSE are the same number.

    Args:
        chosen: the methods; a network of another size sees the photos through windows.
        table: complete photos with boxes or masks: rows of a catalog.
        size: height and width of the photos.
        lpips: the distance of `recon.perceptual`, where it is to be measured.

    Returns:
        name -> rmse, rmse_minmax, mae (all three in the boxes, photos in [0, 1]), psnr (dB), ssim
        and lpips (of the whole completed photo, mean over photos), detail (in the boxes, a part of
        the truth's), ms_per_photo; rmse_by_class, class -> RMSE, where there is more than one; and
        where harmonic is among them, rmse_over_harmonic, a 95 % interval.
    """
    from recon import metrics

    chosen = list(chosen)
    scores = {method.name: Scores() for method in chosen}
    steps = -(-len(table) // BATCH)
    seen: set[tuple[str, int]] = set()
    for photo, weight in progress(batches(table, size), "evaluating", steps):
        mask = np.minimum(weight, 1)
        masked = photo * (1 - mask)
        for method in chosen:
            complete = restore.at_any_size(method)
            if method.size and (method.name, len(photo)) not in seen:
                # A network is compiled for every new shape: that is not its time.
                complete(masked, mask)
                seen.add((method.name, len(photo)))
            start = time.perf_counter()
            completed = complete(masked, mask)
            scores[method.name].add(seconds=time.perf_counter() - start)
            for one in zip(photo, completed, weight, strict=True):
                scores[method.name].update(*one)
            if lpips:
                scores[method.name].add(lpips=lpips(photo, completed).sum())
    results = {name: score.result() for name, score in scores.items()}
    if table["class"].nunique() > 1:
        for name, score in scores.items():
            results[name]["rmse_by_class"] = score.by_class(table["class"].tolist())
    if "harmonic" in scores:
        for name, score in scores.items():
            interval = metrics.bootstrap_ratio(score.squares, scores["harmonic"].squares)
            results[name]["rmse_over_harmonic"] = list(interval)
    return results


def picture(path: Path, chosen: Iterable[Method], table: pd.DataFrame, size: int) -> None:
    """Draw at most six of the table's photos: masked, every method's with its RMSE, the truth."""
    from recon import metrics, plots

    photo, weight = next(batches(table.iloc[spread(len(table), 6)], size))
    mask = np.minimum(weight, 1)
    masked = photo * (1 - mask)
    columns, errors = {"masked": masked}, {}
    for method in chosen:
        columns[method.name] = restore.at_any_size(method)(masked, mask)
        sums = [
            metrics.squared_error(*one)
            for one in zip(photo, columns[method.name], weight, strict=True)
        ]
        errors[method.name] = [float(e / n) ** 0.5 for e, n in sums]
    columns["truth"] = photo
    plots.comparison(path, columns, errors)


def spread(count: int, wanted: int) -> list[int]:
    """Indices of at most `wanted` rows, evenly over `count`: every class comes to be seen."""
    return [int(i) for i in np.linspace(0, count - 1, min(wanted, count))]


def print_table(scores: dict[str, dict[str, float]], title: str) -> None:
    """Print the methods, best RMSE last; in brackets, where 95 of 100 such sets of photos lie.

    A second table has the RMSE of every class.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("method")
    for heading in ("RMSE", "against harmonic", "detail", "PSNR, dB", "SSIM", "ms per photo"):
        table.add_column(heading, justify="right")
    harmonic = scores.get("harmonic", {}).get("rmse")

    def against(score: dict) -> str:
        low, high = (ratio - 1 for ratio in score["rmse_over_harmonic"])
        percent = f"{score['rmse'] / harmonic - 1:+.1%}"
        return percent if low == high else f"{percent} ({low:+.1%} to {high:+.1%})"

    best_last = sorted(scores.items(), key=lambda item: -item[1]["rmse"])
    for name, score in best_last:
        table.add_row(
            name,
            f"{score['rmse']:.4f}",
            against(score) if harmonic else "",
            f"{score['detail']:.2f}",
            f"{score['psnr']:.2f}",
            f"{score['ssim']:.4f}",
            f"{score['ms_per_photo']:.1f}",
        )
    commandline.console().print(table)
    classes = best_last[0][1].get("rmse_by_class", {})
    if not classes:
        return
    table = Table(title="RMSE by class", title_justify="left")
    table.add_column("method")
    for kind in classes:
        table.add_column(kind or "no class", justify="right")
    for name, score in best_last:
        table.add_row(name, *(f"{score['rmse_by_class'][kind]:.4f}" for kind in classes))
    commandline.console().print(table)


def title(data: str, split: str, photos: int, size: int) -> str:
    """What a table is about."""
    return f"{data}, {split} split: {photos:,} photos at {size}×{size}"


def report(data: str, size: int, split: str, photos: int, scores: dict) -> dict:
    """What report.json holds."""
    return {"data": data, "size": size, "split": split, "photos": photos, "methods": scores}


def choose(
    names: Iterable[str],
    size: int | None,
    data: str,
    request: Request | None = None,
    seed: int = 0,
) -> tuple[list[Method], int]:
    """Load methods and settle the size: what the user says, the largest run's, or the default.

    Raises:
        BadInput: no or an unknown method, two of one name, a size that cannot be meant.
    """
    names = list(names)
    prompted = [name for name in names if methods.takes_request(name)]
    if request and not prompted:
        raise BadInput("none of --methods takes a prompt, nor another option of a diffusion model")
    request = asked(request, seed)
    chosen = [methods.load(name, request if name in prompted else None) for name in names]
    if not chosen:
        raise BadInput(f"--methods names none: choose from {', '.join(classical.FILLS)} and runs")
    if size is None:
        # Of runs, that is: who wrote `unet` has not chosen the size it was trained at.
        given = [method for name, method in zip(names, chosen, strict=True) if name != SHIPPED]
        sizes = [method.size for method in given if method.size]
        size = max(sizes, default=default_size(data))
    if data == "safari" and not safari.SIZES[0] <= size <= safari.SIZES[1]:
        raise BadInput(
            f"--size {size}: photos are drawn from {safari.SIZES[0]} to {safari.SIZES[1]}"
        )
    if size < SMALLEST:
        raise BadInput(f"--size {size}: must be {SMALLEST} or more")
    for number, method in enumerate(chosen):
        if method.name in [other.name for other in chosen[:number]]:
            raise BadInput(f"two methods are called {method.name}: leave one out of --methods")
    return chosen, size


def evaluate(
    *,
    data: str = "safari",
    methods: tuple[str, ...] = tuple(classical.FILLS),
    split: Literal["train", "val", "test"] = "test",
    size: int | None = None,
    seed: int = 0,
    diffusion: Request | None = None,
    out: Path | None = None,
) -> None:
    """Compare methods on the same photos and boxes.

    Parameters
    ----------
    data
        `safari`, the drawn photos, or a folder of photos.
    methods
        Classical fills (mean, harmonic, telea, biharmonic), unet, diffusion-small, stable-diffusion
        and folders of training runs. A network of another size than the photos' sees them through
        windows, as in recon.restore.
    split
        Which photos.
    size
        Height and width of the photos; by default the largest run's, or 64 for safari and 256
        for folders.
    seed
        Chooses splits and boxes where the data has none, and a diffusion model's fills.
    out
        Folder for report.json and samples.png; without it, only the table is printed.
    """
    from recon import runs

    chosen, size = choose(methods, size, data, diffusion, seed)
    if out:
        runs.check_free(out)
    table = with_boxes(catalog.split_of(catalog.load(data, seed), split), seed)
    if out:
        runs.start_folder(out)
    scores = compare(chosen, table, size)
    print_table(scores, title(data, split, len(table), size))
    if out:
        picture(out / "samples.png", chosen, table, size)
        runs.write_json(out / runs.REPORT, report(data, size, split, len(table), scores))


if __name__ == "__main__":
    commandline.run(evaluate)
