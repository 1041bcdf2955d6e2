"""Every method on one table: `python -m recon.results` trains, measures, draws and writes it down.

A settings file, results/tables.toml, holds a section per table: the photos, and the runs.

    [safari-64]
    data = "safari"                  # or a folder of photos
    size = 64
    seed = 0                         # chooses splits and boxes; 0 by default
    picture = true                   # by default only of drawn photos

    [[safari-64.runs]]
    model = "pix2pix"
    size = 64                        # what it is trained at; the table's by default
    epochs = 10                      # this and any other setting of recon.train
    out = "runs/pix2pix-safari-64"   # recon.train's default
    name = "pix2pix"                 # in the table; the model's by default

NAME.json and NAME.png go beside the settings file, the table into the README between its markers.
"""

import importlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import keras
import pandas as pd

from recon import atomic, commandline, evaluate, methods, perceptual, runs
from recon import train as training
from recon.data import catalog
from recon.errors import BadInput

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES = Path("results/tables.toml")
FIGURES = ("rmse", "rmse_minmax", "mae", "psnr", "ssim", "detail", "lpips", "ms_per_photo")
FILLS = ("mean", "telea", "biharmonic", "harmonic")  # in this order first
# What the picture shows, in the order that tells it: from the plain mean to what looks best
STORY = ("mean", "harmonic", "bilstm", "unet", "pix2pix", "cyclegan", "dcgan", "diffusion-small")
SMALLEST = 32  # pixels; LPIPS's network takes no less

State = Literal["new", "begun", "finished"]


# The settings file --------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A trained model of a table."""

    name: str
    out: Path
    stated: dict[str, Any]  # settings that differ from the model's recipe
    settings: training.Settings  # all of them


@dataclass(frozen=True)
class Table:
    """What is compared on which photos."""

    name: str
    data: str
    size: int
    seed: int
    picture: bool
    runs: tuple[Run, ...]


TABLE_KEYS = {"data": str, "size": int, "seed": int, "picture": bool, "runs": list}
_SETTINGS = get_type_hints(training.Settings)
RUN_KEYS = {"name": str, "out": str} | {
    key: hint for key, hint in _SETTINGS.items() if key not in ("data", "seed")
}


@contextmanager
def within(place: str) -> Iterator[None]:
    """Put before every BadInput of the block where it comes from."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"{place}: {error}") from None


def suits(value: Any, hint: Any) -> bool:
    """Whether a value of a TOML file is what a type such as `float | None` asks for."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_args(hint):
        return any(suits(value, kind) for kind in get_args(hint))
    return type(value) is hint or (hint is float and type(value) is int)


def describe(hint: Any) -> str:
    """What a type such as `float | None` asks for, in words."""
    if get_origin(hint) is Literal:
        return f"one of {', '.join(get_args(hint))}"
    if get_args(hint):
        return describe(get_args(hint)[0])
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return words.get(hint, "tables of their own")


def check_keys(entry: dict[str, Any], keys: dict[str, Any], needed: tuple[str, ...]) -> None:
    """Raise BadInput for a key that is unknown or missing, or a value of another type."""
    for key, value in entry.items():
        if key not in keys:
            raise BadInput(f"unknown key {key!r}; choose from {', '.join(keys)}")
        if not suits(value, keys[key]):
            raise BadInput(f"{key} = {value!r}: must be {describe(keys[key])}")
    for key in needed:
        if key not in entry:
            raise BadInput(f"{key} is missing")


def run_of(entry: dict[str, Any], data: str, size: int, seed: int) -> Run:
    """A run as the settings file names it.

    Raises:
        BadInput: an unknown key or model, or settings that cannot be meant.
    """
    check_keys(entry, RUN_KEYS, needed=("model",))
    stated = {key: value for key, value in entry.items() if key not in ("name", "out")}
    settings = training.resolve(training.Settings(**{"size": size, **stated}, data=data, seed=seed))
    stated = {key: value for key, value in stated.items() if key not in ("model", "size")}
    out = Path(entry.get("out", training.default_out(settings)))
    return Run(entry.get("name", settings.model), out, stated, settings)


def table_of(name: str, entry: Any) -> Table:
    """A table as the settings file names it.

    Raises:
        BadInput: an unknown key, a value that cannot be meant, two runs of one name or folder.
    """
    if not re.fullmatch(r"[\w-]+", name):
        raise BadInput("a table's name has letters, digits, - and _ only: files are called so")
    if type(entry) is not dict:
        raise BadInput("not a table; write [NAME] above its keys")
    check_keys(entry, TABLE_KEYS, needed=("data", "size"))
    data, size, seed = entry["data"], entry["size"], entry.get("seed", 0)
    if size < SMALLEST:
        raise BadInput(f"size = {size}: must be {SMALLEST} or more")
    evaluate.choose(FILLS, size, data)  # refuses a size at which no photos are drawn
    found: list[Run] = []
    for number, one in enumerate(entry.get("runs", []), 1):
        if type(one) is not dict:
            raise BadInput(f"runs: not tables; write [[{name}.runs]] above the keys of each")
        with within(f"run {number}"):
            run = run_of(one, data, size, seed)
            if run.name in [*FILLS, *(other.name for other in found)]:
                raise BadInput(f"another method is called {run.name!r} too; give this one a name")
            if run.out.resolve() in [other.out.resolve() for other in found]:
                raise BadInput(f"{run.out} is another run's folder too; name another out")
        found.append(run)
    return Table(name, data, size, seed, entry.get("picture", data == "safari"), tuple(found))


def read_tables(path: Path) -> dict[str, Table]:
    """Read a settings file, all of it, whichever tables are wanted.

    Raises:
        BadInput: not TOML, or something in it cannot be meant; the line says where.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not TOML, or not even text
        raise BadInput(f"{path}: not TOML: {error}") from None
    if not content:
        raise BadInput(f"{path}: names no table; begin one with a line such as [safari-64]")
    tables = {}
    trained: dict[Path, tuple[str, training.Settings]] = {}
    for name, entry in content.items():
        with within(f"{path}: [{name}]"):
            tables[name] = table_of(name, entry)
            for run in tables[name].runs:  # one run may stand in several tables
                first, settings = trained.setdefault(run.out.resolve(), (name, run.settings))
                if settings != run.settings:
                    raise BadInput(f"{run.out} has other settings in [{first}]; name another out")
    return tables


# Runs -----------------------------------------------------------------------------------------


def same(key: str, some: Any, other: Any) -> bool:
    """Whether two values of a setting mean the same."""
    if key in ("data", "start") and some and other:  # one folder may be written in two ways
        return Path(some).resolve() == Path(other).resolve()
    return some == other


def state(run: Run) -> State:
    """How far a run's folder is.

    Raises:
        BadInput: what is there was trained otherwise than the settings file says, is no run, or
            is damaged.
    """
    if not run.out.exists() or (run.out.is_dir() and not any(run.out.iterdir())):
        return "new"
    had = training.USUAL | runs.read_config(run.out)["settings"]
    for key, value in asdict(run.settings).items():
        # `auto` comes to what the machine has, and a run keeps what it came to.
        free = key == "precision" and run.stated.get(key, "auto") == "auto"
        # An older version's run may lack a setting: it was trained as if there were none.
        if key in had and not free and not same(key, had[key], value):
            raise BadInput(
                f"{run.out} was trained with {key} = {had[key]}, not {value}; "
                f"set {key} here, or name another out"
            )
    if not (run.out / runs.REPORT).is_file():
        return "begun"
    told(run)
    return "finished"


def told(run: Run) -> dict[str, Any]:
    """What a finished run tells about itself: what it is, and what its training cost.

    Returns:
        model; trained_at, the side of its photos; weights, how many; seconds and cpu_seconds of
        its training (None where it was not counted); settings that differ from the recipe.

    Raises:
        BadInput: its report is damaged.
    """
    path = run.out / runs.REPORT
    try:
        report = json.loads(path.read_text())
        return {
            "model": run.settings.model,
            "trained_at": run.settings.size,
            "weights": int(report["parameters"]),
            "seconds": float(report["seconds"]),
            "cpu_seconds": report.get("cpu_seconds"),
            "settings": run.stated,
        }
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{path}: damaged; remove {run.out} to train it anew") from None


def bring(run: Run) -> methods.Method:
    """Train a run, or go on with it, or take it as it is; then load it."""
    match state(run):
        case "new":
            training.train(run.settings, out=run.out)
        case "begun":
            training.train(out=run.out, resume=True)
        case "finished":
            print(f"{run.name}: trained already, in {run.out}", flush=True)
    return methods.learned_method(run.name, runs.load_model(run.out, run.settings.model))


# Measuring and drawing ------------------------------------------------------------------------


def check(table: Table) -> pd.DataFrame:
    """See that all that a table needs is there, before anything is trained.

    Returns:
        the photos that its methods are measured on.

    Raises:
        BadInput: photos that are not there, or a run that was trained otherwise.
    """
    states = []
    for number, run in enumerate(table.runs, 1):
        with within(f"run {number}"):
            states.append(state(run))
    photos = catalog.load(table.data, table.seed)
    splits = ("test",) if set(states) <= {"finished"} else catalog.SPLITS
    return {split: catalog.split_of(photos, split) for split in splits}["test"]


def versions() -> dict[str, str]:
    """What ran, the backend's own version included."""
    backend = keras.backend.backend()
    return runs.versions() | {backend: importlib.import_module(backend).__version__}


def measure(
    table: Table,
    test: pd.DataFrame,
    learned: list[methods.Method],
    lpips: perceptual.Distance | None,
) -> dict[str, Any]:
    """Evaluate a table's methods: what NAME.json holds."""
    chosen = [*map(methods.load, FILLS), *learned]
    scores = evaluate.compare(chosen, test, table.size, lpips)
    evaluate.print_table(scores, evaluate.title(table.data, "test", len(test), table.size))
    about = {run.name: told(run) for run in table.runs}
    return {
        "data": table.data,
        "size": table.size,
        "split": "test",
        "photos": len(test),
        "seed": table.seed,
        "command": f"python -m recon.results {table.name}",
        "versions": versions(),
        "methods": {
            name: {figure: score.get(figure) for figure in FIGURES} | about.get(name, {})
            for name, score in scores.items()
        },
    }


def story(table: Table, learned: list[methods.Method]) -> list[methods.Method]:
    """What the picture shows, in its order; a model that it does not know comes last."""
    models = {name: name for name in FILLS} | {run.name: run.settings.model for run in table.runs}
    shown = [methods.load(name) for name in FILLS if name in STORY] + learned
    place = {name: number for number, name in enumerate(STORY)}
    return sorted(shown, key=lambda method: place.get(models[method.name], len(STORY)))


def exemplars(test: pd.DataFrame) -> pd.DataFrame:
    """Four to six photos, as many as there are, equally many of each class as far as that goes."""
    classes = sorted(set(test["class"]))
    classes = [classes[i] for i in evaluate.spread(len(classes), 6)]
    each = math.ceil(4 / len(classes))
    rows = [test[test["class"] == kind] for kind in classes]
    return pd.concat([some.iloc[evaluate.spread(len(some), each)] for some in rows])


# The table ------------------------------------------------------------------------------------


def _figure(key: str, form: str, unit: float = 1) -> Callable[[dict, dict], str | None]:
    """A cell from a method's figure; None where it has none."""

    def cell(score: dict, harmonic: dict) -> str | None:
        value = score.get(key)
        return None if value is None else format(value / unit, form)

    return cell


COLUMNS: dict[str, Callable[[dict, dict], str | None]] = {
    "RMSE": _figure("rmse", ".4f"),
    "min–max RMSE": _figure("rmse_minmax", ".4f"),
    "against harmonic": lambda score, harmonic: f"{score['rmse'] / harmonic['rmse'] - 1:+.1%}",
    "MAE": _figure("mae", ".4f"),
    "PSNR, dB": _figure("psnr", ".2f"),
    "SSIM": _figure("ssim", ".4f"),
    "detail": _figure("detail", ".2f"),
    "LPIPS": _figure("lpips", ".4f"),
    "ms per photo": _figure("ms_per_photo", ".1f"),
    "weights, M": _figure("weights", ".2f", 1e6),
    "training, min": _figure("seconds", ".1f", 60),
    "training, CPU min": _figure("cpu_seconds", ".1f", 60),
}


def title(name: str, score: dict[str, Any], size: int) -> str:
    """A method's name, and the size it was trained at where that is another."""
    trained_at = score.get("trained_at", size)
    return name if trained_at == size else f"{name}, trained at {trained_at}"


def markdown(report: dict[str, Any]) -> str:
    """The README's table of a NAME.json: the classical fills, then networks, the best RMSE last.

    A column that no method fills, such as LPIPS where nobody has its weights, is left out.
    """
    scores = report["methods"]
    learned = sorted(set(scores) - set(FILLS), key=lambda name: -scores[name]["rmse"])
    names = [*(name for name in FILLS if name in scores), *learned]
    cells = {
        heading: [cell(scores[name], scores["harmonic"]) for name in names]
        for heading, cell in COLUMNS.items()
    }
    cells = {heading: column for heading, column in cells.items() if any(column)}
    titles = [title(name, scores[name], report["size"]) for name in names]
    rows = [["method", *cells], ["---", *["---:"] * len(cells)]]
    rows += [list(row) for row in zip(titles, *cells.values(), strict=True)]
    return "\n".join(f"| {' | '.join(cell or '–' for cell in row)} |" for row in rows)


def markers(name: str) -> tuple[str, str]:
    """The two lines of a README between which a table stands."""
    return f"<!-- results: {name} -->", f"<!-- end of results: {name} -->"


def between(readme: str, name: str) -> tuple[int, int]:
    """Where a table begins and ends in a README's text.

    Raises:
        BadInput: not one marker of each kind, or in the wrong order.
    """
    first, last = markers(name)
    counts = readme.count(first), readme.count(last)
    if counts != (1, 1) or readme.index(first) > readme.index(last):
        raise BadInput(f"must have the line {first!r} once, and after it {last!r} once")
    return readme.index(first) + len(first), readme.index(last)


def replaced(readme: str, name: str, table: str) -> str:
    """A README's text with another table between its markers; nothing else changes."""
    start, end = between(readme, name)
    return f"{readme[:start]}\n\n{table}\n\n{readme[end:]}"


def read_text(path: Path) -> str:
    """A text with its line ends as they are, so that it can be written back.

    Raises:
        BadInput: it is none.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: not a text in UTF-8") from None


# The command ------------------------------------------------------------------------------------


def results(*name: str, tables: Path = TABLES, readme: Path = Path("README.md")) -> None:
    """Train or load the models of the results tables, measure every method, and write it all down.

    What is trained already is loaded, what was interrupted goes on. Everything is checked, the
    photos included, before the first training begins.

    Parameters
    ----------
    name
        Tables of the settings file, before the options; by default all.
    tables
        The settings file. NAME.json and NAME.png are written beside it.
    readme
        The page whose tables are rewritten between their markers.
    """
    known = read_tables(tables)
    for one in name:
        if one not in known:
            raise BadInput(f"{tables}: no table [{one}]; choose from {', '.join(known)}")
    wanted = [known[one] for one in dict.fromkeys(name or known)]
    ready = []
    for table in wanted:
        text = read_text(readme)
        with within(str(readme)):
            between(text, table.name)
        with within(f"{tables}: [{table.name}]"):
            ready.append((table, check(table)))
    lpips = perceptual.load()
    for table, test in ready:
        learned = [bring(run) for run in table.runs]
        report = measure(table, test, learned, lpips)
        if table.picture:
            picture = tables.parent / f"{table.name}.png"
            evaluate.picture(picture, story(table, learned), exemplars(test), table.size)
        written = tables.parent / f"{table.name}.json"
        runs.write_json(written, report)
        text = read_text(readme)
        with within(str(readme)), atomic.writing(readme) as temporary:
            temporary.write_bytes(replaced(text, table.name, markdown(report)).encode("utf-8"))
        print(f"{written} and {readme} hold the figures of {table.name}", flush=True)


if __name__ == "__main__":
    commandline.run(results)
