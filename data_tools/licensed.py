"""Gather the photos that weights for others may learn from: `python -m data_tools.licensed`."""

import shutil
from collections import Counter
from pathlib import Path

import pandas as pd

from recon import atomic, boxes, commandline
from recon.data import catalog, photos, safari, tables
from recon.errors import BadInput
from recon.progress import progress

COLUMNS = ["path", "split", "class", "licence", "source"]


def stated(rows: list[tuple[int, dict[str, str]]]) -> list[dict[str, str]]:
    """Keep the photos of a manifest whose licence is stated: neither empty nor "none ..."."""
    return [
        cells
        for _, cells in rows
        if cells["licence"].strip() and not cells["licence"].strip().lower().startswith("none")
    ]


def drawn(folder: Path, count: int) -> list[dict[str, str]]:
    """Draw the first `count` photos of `safari` into a folder, all to be trained on."""
    (folder / "drawn").mkdir()
    found = []
    for number in progress(range(count), "drawing photos", count):
        path = f"drawn/{number:05}.png"
        photos.write(folder / path, safari.draw(number, boxes.PHOTO))
        kind = safari.CLASSES[number % len(safari.CLASSES)]
        found.append({"path": path, "class": kind, "licence": "recon's own", "source": "recon"})
    return [row | {"split": "train"} for row in found]


def licensed(folder: Path, out: Path, *, drawings: int = 320) -> None:
    """Gather the photos of a folder whose licence is stated, and drawn ones, in a new folder.

    OUT is then data for `recon.train`: photos, and a manifest.csv with the split, the class, the
    licence and the source of each.

    Parameters
    ----------
    folder
        Photos with a manifest.csv that has the columns path, split and licence; class and
        source_repo are taken along.
    out
        A new or empty folder.
    drawings
        How many drawn photos to train on as well.
    """
    if not 0 <= drawings <= catalog.SAFARI["train"]:
        raise BadInput(f"--drawings {drawings}: there are 0 to {catalog.SAFARI['train']:,} to draw")
    listed = tables.read(folder / catalog.MANIFEST, ("path", "split", "licence"))
    chosen = stated(listed)
    if not chosen:
        raise BadInput(f"{folder / catalog.MANIFEST}: no row states a licence (column licence)")
    with atomic.building(out.absolute()) as made:
        rows = []
        for cells in progress(chosen, "copying photos", len(chosen)):
            place = made / cells["path"]
            if ".." in Path(cells["path"]).parts or place == made / "manifest.csv":
                raise BadInput(f"{folder / catalog.MANIFEST}: {cells['path']!r} leaves the folder")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / cells["path"], place)
            rows.append(cells | {"source": cells.get("source_repo", "")})
        rows += drawn(made, drawings)
        table = pd.DataFrame(rows).reindex(columns=COLUMNS).fillna("")
        table.to_csv(made / catalog.MANIFEST, index=False)
    counts = Counter(row["split"] for row in rows)
    print(f"{out}: " + ", ".join(f"{counts[split]:,} {split}" for split in catalog.SPLITS))
    print(f"{len(listed) - len(chosen):,} of {len(listed):,} photos state no licence: left out")


if __name__ == "__main__":
    commandline.run(licensed)
