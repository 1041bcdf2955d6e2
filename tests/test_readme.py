"""The README's figures are those of the committed reports."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REPORTS = sorted((ROOT / "results").glob("*.json"))


def rows(report: dict) -> list[str]:
    """A report's methods as rows of a Markdown table, the best RMSE last."""
    methods = report["methods"]
    harmonic = methods["harmonic"]["rmse"]
    return [
        f"| {name} | {score['rmse']:.4f} | {score['rmse'] / harmonic - 1:+.1%} "
        f"| {score['psnr']:.2f} | {score['ssim']:.4f} | {score['ms_per_photo']:.1f} |"
        for name, score in sorted(methods.items(), key=lambda item: -item[1]["rmse"])
    ]


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_every_committed_report_stands_in_the_readme(path):
    readme = (ROOT / "README.md").read_text()
    assert "\n".join(rows(json.loads(path.read_text()))) in readme


def test_every_picture_of_the_readme_is_there():
    readme = (ROOT / "README.md").read_text()
    pictures = [line.split("](")[1].split(")")[0] for line in readme.splitlines() if "![" in line]
    assert len(pictures) >= 2
    assert [p for p in pictures if not (ROOT / p).is_file()] == []
