"""Score a challenge submission: `python -m recon.score submission.csv --data D --truth T`."""

from pathlib import Path

from recon import commandline
from recon.data import challenge


def score(
    submission: Path,
    *,
    data: Path,
    truth: Path,
    channels: challenge.Channels = "bgr",
    values: challenge.Values = "minmax",
) -> None:
    """Score a challenge submission against the complete photos.

    Prints the RMSE over all of its rows.

    Parameters
    ----------
    submission
        The CSV file.
    data
        The challenge folder; its Testing_Data holds the boxes.
    truth
        A folder of the complete test photos, under the same names.
    channels
        Order of a pixel's three rows: bgr as OpenCV reads photos, rgb as Pillow does.
    values
        minmax: each channel of a completed photo spans 0 to 1; scaled: pixel / 255.
    """
    rmse = challenge.score(submission, data, truth, channels, values)
    print(f"RMSE {rmse:.6f}")


if __name__ == "__main__":
    commandline.run(score)
