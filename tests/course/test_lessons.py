"""The lessons as they are shipped: what each must have, and that none is solved."""

import re
from pathlib import Path

import nbformat
import pytest

import recon
from recon.course import build, lessons
from recon.course.exercise import LESSONS, of_lesson

ROOT = Path(recon.__file__).parents[1]
FILES = lessons.sources(ROOT) if (ROOT / lessons.SOURCES).is_dir() else []
HEADER = ("Goal", "You need", "Minutes", "On a CPU", "Full size")


@pytest.fixture(scope="module", params=FILES, ids=lambda file: file.stem)
def lesson(request):
    """Each lesson, as its source has it."""
    return lessons.read(request.param)


def header(lesson) -> dict[str, str]:
    """The bold words of the lesson's header, each with its text."""
    cell = next(c for c in lesson.cells if c.kind == "markdown" and "**Goal" in c.text)
    parts = re.split(r"^\W*\*\*(.+?)[.:]?\*\*", cell.text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_lesson_is_there():
    assert [f.stem[:2] for f in FILES] == list(LESSONS)


def test_the_notebooks_are_as_the_source_says(lesson):
    assert build.differences(lesson) == []


def test_no_file_is_left_over():
    assert build.orphans(ROOT, [lessons.read(f) for f in FILES]) == []


def test_a_lesson_is_shipped_unsolved(lesson):
    notebook = nbformat.read(lesson.blank_file, nbformat.NO_CONVERT)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert all(c.outputs == [] and c.execution_count is None for c in code)
    asked = {
        c.metadata["recon"]["exercise"]: c.source
        for c in code
        if "exercise" in c.metadata.get("recon", {})
    }
    assert list(asked) == [e.id for e in of_lesson(lesson.number)]
    for id, source in asked.items():
        assert source.endswith(f'"""\n    raise NotImplementedError("{id}")')


def test_a_solution_is_executed_and_small(lesson):
    notebook = nbformat.read(lesson.solved_file, nbformat.NO_CONVERT)
    text = nbformat.writes(notebook)
    checks = [c for c in notebook.cells if "check" in c.metadata.get("recon", {})]
    assert all("✓" in c.outputs[-1].text for c in checks)
    assert len(text.encode()) < 1.5e6
    for trace in (str(ROOT), " at 0x", '"stderr"', "ms/step"):
        assert trace not in text


def test_the_header_says_what_a_learner_must_know(lesson):
    told = header(lesson)
    assert tuple(told) == HEADER
    assert all(text.strip(" .:\n") for text in told.values())


def test_the_minutes_suffice_for_the_exercises(lesson):
    minutes = int(re.search(r"\d+", header(lesson)["Minutes"])[0])
    assert minutes >= sum(e.minutes for e in of_lesson(lesson.number))


def test_a_lesson_has_its_parts(lesson):
    assert lesson.cells[0].text.startswith("# ")
    assert re.search(rf"^## {int(lesson.number)}\.1\b", lesson.prose, re.M)
    for part in ("## Break it", "## Look", "<details>", "</details>", "**Read on.**"):
        assert part in lesson.prose, part
    assert any(name.endswith(".svg") for name in lesson.pictures())
    assert "https://" in lesson.prose.split("**Read on.**")[1]


def test_every_figure_is_described(lesson):
    for alternative in re.findall(r"!\[([^\]]*)\]", lesson.prose):
        assert len(alternative.split()) > 2


def test_a_lesson_has_something_to_break(lesson):
    paths = [e.path for e in of_lesson(lesson.number)]
    assert any(p.startswith(f"recon.course.broken.lesson_{lesson.number}.") for p in paths)


def test_exercises_say_how_long_how_hard_and_how(lesson):
    for e in of_lesson(lesson.number):
        assert 1 <= e.minutes <= 40
        assert e.difficulty in (1, 2, 3)
        assert len(e.hints) >= 2
        assert all(h.strip() for h in e.hints)
        assert len(set(e.hints)) == len(e.hints)


def test_an_id_is_given_once():
    ids = []
    for file in sorted((ROOT / "recon" / "course" / "checks").glob("lesson_*.py")):
        own = re.findall(r'^@exercise\(\s*"(\d+\.\d+)"', file.read_text("utf-8"), re.M)
        assert own
        assert {int(id.split(".")[0]) for id in own} == {int(file.stem[-2:])}
        ids += own
    assert len(ids) == len(set(ids))
    assert len(ids) >= 50
