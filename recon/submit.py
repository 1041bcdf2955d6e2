"""Write the challenge's CSV: `python -m recon.submit --data CHALLENGE --method M --out FILE`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recon import boxes, commandline, methods, restore
from recon.boxes import Box
from recon.data import challenge, photos
from recon.errors import BadInput
from recon.progress import progress
from recon.stable_diffusion.request import Request, asked

BATCH = 16  # photos completed at once


def check_out(out: Path) -> None:
    """Raise BadInput if no file can be written there: better now than after the work."""
    if out.is_dir():
        raise BadInput(f"--out {out}: a folder; name a file, such as {out / 'submission.csv'}")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise BadInput(f"--out {out}: no such folder as {folder}; make it or choose another")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror.lower()
        raise BadInput(f"--out {out}: cannot be written ({reason}); choose another") from None


def completed(
    method: methods.Method, folder: Path, info: challenge.Info
) -> Iterator[tuple[str, tuple[Box, Box], np.ndarray]]:
    """Complete a challenge's test photos, some at a time, as `recon.evaluate` does.

    Values are the method's own: rounded to 8 bits, a submission would score otherwise.

    Args:
        method: what completes them.
        folder: where they are.
        info: file name and boxes of each.

    Returns:
        file name, boxes and completed photo `(S, S, 3)` in [0, 1], one after another.
    """
    method = restore.at_any_size(method)
    for start in range(0, len(info), BATCH):
        some = info[start : start + BATCH]
        photo = np.stack([photos.read(folder / file) for file, _ in some])
        mask = np.stack([boxes.rasterise(pair, photo.shape[1]) for _, pair in some])
        masked = photo.astype("float32") / 255 * (1 - mask)
        for (file, pair), one in zip(some, method(masked, mask), strict=True):
            yield file, pair, one


def submit(
    *,
    data: Path,
    method: str,
    out: Path,
    diffusion: Request | None = None,
    seed: int = 0,
    channels: challenge.Channels = "bgr",
    values: challenge.Values = "minmax",
) -> None:
    """Complete a challenge's test photos and write its CSV.

    Boxes are those of Testing_Data/masked_info.csv; what the photos hold in them is ignored.
    The file appears when the last photo is in it; an earlier one is replaced.

    Parameters
    ----------
    data
        The challenge folder.
    method
        mean, harmonic, telea, biharmonic, unet, diffusion-small, stable-diffusion, or the folder
        of a training run. A network of another size than the photos' sees them through windows,
        as in recon.restore.
    out
        The CSV file.
    seed
        Chooses one of the many fills that a diffusion model can make.
    channels
        Order of a pixel's three rows: bgr as OpenCV reads photos, rgb as Pillow does.
    values
        minmax: each channel of a completed photo spans 0 to 1; scaled: pixel / 255.
    """
    check_out(out)
    folder, info = challenge.testing(data)
    for file, _ in info:  # an unreadable photo is noticed before any work is done
        photos.inspect(folder / file)
    fill = methods.load(method, asked(diffusion, seed))
    items = progress(completed(fill, folder, info), "completing", len(info))
    challenge.write_submission(out, items, channels, values)
    rows = sum(3 * box.height * box.width for _, pair in info for box in pair)
    print(
        f"{out}: {len(info):,} photos completed by {fill.name}, {rows:,} rows, {channels}, {values}"
    )


if __name__ == "__main__":
    commandline.run(submit)
