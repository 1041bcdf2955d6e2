"""Pictures: photos side by side, a run's progress and its curves."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from recon import atomic
from recon.data import photos


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all, without touching the user's pyplot."""
    FigureCanvasAgg(figure)
    with atomic.writing(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png")


def comparison(path: Path, columns: dict[str, np.ndarray], errors: dict[str, list[float]]) -> None:
    """Draw photos in rows and methods in columns, the RMSE under each, a row's lowest in bold.

    Args:
        path: where the PNG goes.
        columns: title -> photos `(N, H, W, 3)` in [0, 1], the same N everywhere.
        errors: title -> N RMSEs; a column without them, such as the truth, has none.
    """
    count = len(next(iter(columns.values())))
    figure = Figure((1.1 * len(columns), 1.3 * count), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03, wspace=0, hspace=0)
    axes = figure.subplots(count, len(columns), squeeze=False)
    for column, (title, pictures) in enumerate(columns.items()):
        axes[0, column].set_title(title, fontsize=11)
        for row in range(count):
            cell = axes[row, column]
            cell.imshow(np.clip(pictures[row], 0, 1), interpolation="nearest")
            cell.set(xticks=[], yticks=[])
            cell.spines[:].set_visible(False)
            if title in errors:
                lowest = min(values[row] for values in errors.values())
                weight = "bold" if errors[title][row] == lowest else "normal"
                caption = f"{errors[title][row]:.3f}"
                cell.set_xlabel(caption, fontsize=10, fontweight=weight, labelpad=2)
            elif column == 0 and errors:
                cell.set_xlabel("RMSE", fontsize=10, labelpad=2)
    save(figure, path)


def contact_sheet(path: Path, *rows: np.ndarray) -> None:
    """Write rows of equal photos `(N, H, W, 3)` in [0, 1] as one picture, pixel for pixel."""
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    photos.write(path, np.round(np.clip(sheet, 0, 1) * 255).astype("uint8"))


def curves(path: Path, history: pd.DataFrame) -> None:
    """Draw a run's history: every figure over the epochs, training and validation together."""
    names = [n for n in history.columns if n != "epoch" and not n.startswith("val_")]
    figure = Figure((3.2 * len(names), 2.6), layout="constrained")
    for cell, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        cell.plot(history.epoch, history[name], ".-", label="training")
        if f"val_{name}" in history:
            cell.plot(history.epoch, history[f"val_{name}"], ".-", label="validation")
            cell.legend(fontsize=8)
        cell.set_title(name, fontsize=10)
        cell.set_xlabel("epoch", fontsize=8)
        cell.xaxis.get_major_locator().set_params(integer=True)
    save(figure, path)


def similarities(path: Path, names: list[str], cosines: np.ndarray) -> None:
    """Draw cosines `(N, N)` between N named things, such as prompts: dark is alike.

    A row has its number and its name, a column its number alone.
    """
    count, longest = len(names), max(map(len, names))
    figure = Figure((0.6 + 0.085 * longest + 0.5 * count, 0.5 + 0.5 * count), layout="constrained")
    cell = figure.subplots()
    lowest = cosines.min()  # where white is: prompts are all somewhat alike
    cell.imshow(cosines, cmap="Blues", vmin=lowest, vmax=1)
    for row, column in np.ndindex(count, count):
        value = cosines[row, column]
        colour = "white" if value > (lowest + 1) / 2 else "black"
        cell.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    numbers = range(1, count + 1)
    rows = [f"{number} {name}" for number, name in zip(numbers, names, strict=True)]
    cell.set_xticks(range(count), numbers, fontsize=9)
    cell.set_yticks(range(count), rows, fontsize=9, parse_math=False)
    cell.tick_params(length=0, labeltop=True, labelbottom=False)
    save(figure, path)


def show(*, height: float = 1.7, **pictures: np.ndarray) -> None:
    """Show photos or masks beside each other, in a notebook.

    Args:
        height: of the picture, in inches.
        **pictures: title -> `(H, W, 3)` or `(H, W, 1)` in [0, 1], of any backend; an underscore in
            a title becomes a space.
    """
    figure = Figure((1.1 * height * len(pictures), 1.2 * height), layout="constrained")
    axes = figure.subplots(1, len(pictures), squeeze=False)[0]
    for cell, (title, picture) in zip(axes, pictures.items(), strict=True):
        cell.imshow(np.clip(np.asarray(picture), 0, 1), cmap="gray", vmin=0, vmax=1)
        cell.set_title(title.replace("_", " "), fontsize=9)
        cell.set(xticks=[], yticks=[])
    display(figure)


def display(figure: Figure) -> None:
    """Show a figure in a notebook, whatever backend pyplot has; elsewhere, do nothing."""
    from IPython import display as notebook
    from IPython import get_ipython

    if get_ipython() is None:
        return
    FigureCanvasAgg(figure)
    png = io.BytesIO()
    figure.savefig(png, dpi=80, format="png", metadata={"Software": None})
    notebook.display(notebook.Image(png.getvalue()))
