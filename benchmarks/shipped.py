"""`python -m benchmarks.shipped`: the weights that come with the package, on photos they never saw.

RMSE in the boxes beside the harmonic fill's, class by class: on the test split of real animals
(`--data`, those that recon/models/UNET.md names; the photos are not part of this repository) and on
the held-out drawn photos, both at 256×256.
"""

from benchmarks import measure

SIZE = 256


def needs() -> str | None:
    """Nothing: without `--data`, drawn photos alone are measured, and nothing is kept."""
    return None


def compared(data: str) -> dict:
    """Both methods on a test split: photos, and per method RMSE, its interval, RMSE by class."""
    from recon import evaluate, methods
    from recon.data import catalog

    table = catalog.split_of(catalog.load(data), "test")
    scores = evaluate.compare([methods.load(n) for n in ("harmonic", "unet")], table, SIZE)
    evaluate.print_table(scores, evaluate.title(data, "test", len(table), SIZE))
    kept = ("rmse", "rmse_minmax", "rmse_by_class", "rmse_over_harmonic", "psnr", "ssim")
    figures = {name: {key: score[key] for key in kept} for name, score in scores.items()}
    return {"photos": len(table), **figures}


def gain(figures: dict, kind: str | None = None) -> float:
    """By how much the network's RMSE differs from harmonic's, in percent; of one class, or of all.

    >>> gain({"unet": {"rmse": 0.9}, "harmonic": {"rmse": 1.0}})
    -10.0
    """
    unet, harmonic = (
        figures[name]["rmse"] if kind is None else figures[name]["rmse_by_class"][kind]
        for name in ("unet", "harmonic")
    )
    return round(100 * (unet / harmonic - 1), 6)


def worst(figures: dict) -> tuple[str, float]:
    """The class that gains least, and how much."""
    gains = {kind: gain(figures, kind) for kind in figures["unet"]["rmse_by_class"]}
    kind = max(gains, key=gains.get)
    return kind, gains[kind]


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table."""
    lines = []
    for name in ("animals", "drawn"):
        figures, goal = result[name], "no class above 0"
        kind, least = worst(figures)
        lines.append(
            (
                f"shipped U-Net, {figures['photos']} {name} at {SIZE}: RMSE against harmonic's",
                f"{gain(figures):+.1f} %; least for {kind}, {least:+.1f} %",
                f"−15 %, {goal}" if name == "animals" else goal,
                "python -m benchmarks.shipped --data ../shared/animals",
            )
        )
    return lines


def main() -> None:
    """Measure; keep the figures if real photos were among them."""
    options = measure.parser(__doc__, 1)
    options.add_argument("--data", help="folder of real photos with a test split")
    given = options.parse_args()
    result = {"drawn": compared("safari")}
    if given.data:
        result = {"animals": compared(given.data), **result, **measure.machine()}
        measure.write("shipped", result, given.out)


if __name__ == "__main__":
    main()
