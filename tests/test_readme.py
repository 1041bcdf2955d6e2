"""The README's tables are those of the committed results, and nothing else is."""

import json
import re
from pathlib import Path

import pytest

from recon import results

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
REPORTS = sorted((ROOT / "results").glob("*.json"))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_report_stands_in_the_readme(path):
    start, end = results.between(README, path.stem)
    assert README[start:end].strip() == results.markdown(json.loads(path.read_text()))


def test_every_marker_is_of_a_report_and_of_the_settings_files_tables():
    names = {path.stem for path in REPORTS}
    for kind in ("results", "end of results"):
        assert sorted(re.findall(rf"<!-- {kind}: (.*?) -->", README)) == sorted(names)
    assert set(results.read_tables(ROOT / results.TABLES)) == names


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_report_is_of_the_photos_that_the_settings_file_names(path):
    report = json.loads(path.read_text())
    table = results.read_tables(ROOT / results.TABLES)[path.stem]
    assert (report["data"], report["size"]) == (table.data, table.size)
    assert report["command"] == f"python -m recon.results {path.stem}"
    names = [*results.FILLS, *(run.name for run in table.runs)]
    assert set(report["methods"]) == set(names)


def test_the_figures_of_the_prompts_are_those_of_the_committed_results():
    found = json.loads((ROOT / "benchmarks/results/prompts.json").read_text())
    every, other = (
        f"{100 * found[name]:.0f} %"
        for name in ("follows_the_prompt", "follows_the_prompt_for_another_animal")
    )
    words = " ".join(README.split())
    assert f"the animal that was asked for in {every} of all answers, and in {other} where" in words


def test_the_memory_that_the_readme_states_is_what_is_asked_for():
    from recon.stable_diffusion import inpaint

    rows = re.findall(r"^\| (\d+) \| (\S+) GB \| (\S+) GB \| (\S+) GB \|$", README, re.MULTILINE)
    assert [row[0] for row in rows] == ["256", "512", "768"]
    for canvas, *stated in rows:
        needed = [
            inpaint.memory(int(canvas), precision, batch) / 1e9
            for precision, batch in (("float32", 1), ("bfloat16", 1), ("bfloat16", 4))
        ]
        assert stated == [f"{one:.1f}" for one in needed]


def test_every_picture_of_the_readme_is_there():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]*)\)", README)
    assert len(pictures) >= 2
    assert [p for p in pictures if not (ROOT / p).is_file()] == []


def test_photos_that_are_not_drawn_are_not_shown():
    for path in REPORTS:
        if json.loads(path.read_text())["data"] != "safari":
            assert not path.with_suffix(".png").exists()
