"""Lessons out of their sources: what is built, what stays the same, and what the check finds."""

import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest

import recon.course.checks
from recon import commandline
from recon.course import build, exercise, lessons
from recon.errors import BadInput

CHECKS = '''
from functools import cache

from recon.course.exercise import exercise


@cache
def double(
    x: int,
    *,
    times: int = 1,
) -> int:
    """Twice as much.

    Args:
        x: how much.
    """
    # why it is so
    return x * 2 * times


def halve(x):
    """Half as much."""
    return x / 2


@exercise("99.1", double, minutes=3, difficulty=1, hints=("a nudge", "more"))
def judge_double(answer, expect):
    expect.equal(answer(4), 8, "twice as much")


@exercise("99.2", halve, minutes=3, difficulty=1, hints=("a nudge", "more"))
def judge_halve(answer, expect):
    expect.equal(answer(4), 2.0, "half as much")
'''

SOURCE = """# %% [markdown]
# # Tiny
#
# ![two circles](pictures/99_circles.svg)

# %%
from functools import cache

from recon.course import check

# %% exercise 99.1 recon.course.checks.lesson_99.double

# %%
print("the same")

# %% exercise 99.2 recon.course.checks.lesson_99.halve

# %%
print("the same")

# %% source recon.course.checks.lesson_99.halve
"""

BLANK = '''@cache
def double(
    x: int,
    *,
    times: int = 1,
) -> int:
    """Twice as much.

    Args:
        x: how much.
    """
    raise NotImplementedError("99.1")'''


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A folder with one lesson of two exercises, and the checks that belong to it."""
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "lesson_99.py").write_text(CHECKS)
    pictures = tmp_path / "solutions" / "pictures"
    pictures.mkdir(parents=True)
    (pictures / "99_circles.svg").write_text("<svg/>")
    (tmp_path / "solutions" / "99_tiny.py").write_text(SOURCE)
    monkeypatch.setattr(recon.course.checks, "__path__", [str(checks)])
    monkeypatch.delitem(sys.modules, "recon.course.checks.lesson_99", raising=False)
    monkeypatch.setattr(exercise, "_found", {})
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("recon.course.checks.lesson_99", None)


def edit(file: Path, before: str, after: str) -> None:
    """Change a file's text, which must have `before`."""
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), "utf-8")


def pretend_executed(folder: Path) -> None:
    """Write the solved notebook as an execution would leave it, without waiting for one."""
    lesson = lessons.read(folder / "solutions" / "99_tiny.py")
    notebook = build.make(lesson, solved=True)
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        cell.execution_count = number
    build.write(lesson.solved_file, build.text_of(notebook))


def built(folder: Path) -> Path:
    """The folder, with its lesson built."""
    commandline.run(build.build, ["--no-execute"])
    pretend_executed(folder)
    return folder


def found(capsys) -> list[str]:
    """What `build --check` says is wrong."""
    capsys.readouterr()
    with suppress(SystemExit):
        commandline.run(build.build, ["--check"])
    lines = capsys.readouterr().err.splitlines()
    assert not lines or lines.pop().startswith("error: ")
    return lines


def refusal(folder: Path) -> str:
    """What building says of a lesson it cannot build."""
    with pytest.raises(BadInput) as caught:
        build.write_lesson(lessons.read(folder / "solutions" / "99_tiny.py"))
    return str(caught.value)


# blanks


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            'def f(x):\n    """One line."""\n    return x',
            'def f(x):\n    """One line."""\n    raise NotImplementedError("1.2")',
        ),
        (
            'def f(x):  # why\n    # more\n    """Doc."""\n\n    def inner():\n        """No."""\n'
            "        return x\n\n    return inner()",
            'def f(x):  # why\n    # more\n    """Doc."""\n    raise NotImplementedError("1.2")',
        ),
        (
            '@one\n@two(3, sep="def ")\ndef f(\n    x=(1,\n       2),\n):\n    r"""A\n\n    B"""\n'
            "    yield x",
            '@one\n@two(3, sep="def ")\ndef f(\n    x=(1,\n       2),\n):\n    r"""A\n\n    B"""\n'
            '    raise NotImplementedError("1.2")',
        ),
        (
            'def é(ü="ß"):\n  "Two spaces."\n  return ü',
            'def é(ü="ß"):\n  "Two spaces."\n  raise NotImplementedError("1.2")',
        ),
    ],
    ids=["plain", "nested function and comments", "decorators and many lines", "no ASCII"],
)
def test_a_blank_keeps_all_that_stands_above_the_body(source, expected):
    assert build.blank(source, "1.2") == expected


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def f(x):\n    return x", "f has no docstring"),
        ('def f(x):\n    """Doc."""', "lines of its own"),
        ('def f(x): "doc"; return x', "lines of its own"),
        ('def f(x):\n    """Doc."""; return x', "lines of its own"),
        ('class F:\n    """Doc."""\n    x = 1', "no function"),
        ("f = lambda x: x", "no function"),
    ],
)
def test_what_makes_no_blank_is_refused_with_its_place(source, why):
    with pytest.raises(BadInput, match=f"^here: .*{why}"):
        build.blank(source, "1.2", "here")


# notebooks


def test_a_lesson_has_blanks_and_a_solution_the_package_s_own(tiny):
    lesson = lessons.read(tiny / "solutions" / "99_tiny.py")
    hidden = [c.source for c in build.make(lesson, solved=False).cells]
    solved = [c.source for c in build.make(lesson, solved=True).cells]
    assert hidden[2] == BLANK
    assert solved[2].startswith("@cache\ndef double(")
    assert solved[2].endswith("# why it is so\n    return x * 2 * times")
    assert hidden[3] == solved[3] == 'double = check("99.1", double)'
    assert hidden[-1] == solved[-1] == 'def halve(x):\n    """Half as much."""\n    return x / 2'
    assert [a == b for a, b in zip(hidden, solved, strict=True)].count(False) == 2


def test_exercises_and_checks_are_marked(tiny):
    lesson = lessons.read(tiny / "solutions" / "99_tiny.py")
    cells = build.make(lesson, solved=False).cells
    assert cells[2].metadata == {"recon": {"exercise": "99.1"}, "tags": ["exercise"]}
    assert cells[3].metadata == {"recon": {"check": "99.1"}, "tags": ["check"]}


def test_ids_are_unique_and_stay_when_a_cell_comes_before(tiny):
    file = tiny / "solutions" / "99_tiny.py"
    ids = [c.id for c in build.make(lessons.read(file), solved=False).cells]
    assert len(set(ids)) == len(ids)
    edit(file, "# # Tiny", "# # Tiny\n\n# %%\nnew = 1\n\n# %% [markdown]\n# More")
    later = [c.id for c in build.make(lessons.read(file), solved=True).cells]
    assert set(ids[1:]) < set(later)
    assert len(set(later)) == len(later)


def test_a_lesson_file_says_nothing_of_time_or_version(tiny):
    built(tiny)
    notebook = json.loads((tiny / "lessons" / "99_tiny.ipynb").read_text("utf-8"))
    assert notebook["metadata"] == build.METADATA
    for cell in notebook["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert (tiny / "lessons" / "99_tiny.ipynb").read_bytes().endswith(b"}\n")


def test_building_again_changes_no_byte(tiny):
    def contents():
        return {f: f.read_bytes() for f in (tiny / "lessons").rglob("*") if f.is_file()}

    built(tiny)
    before = contents()
    assert len(before) == 2  # the notebook and its picture
    built(tiny)
    assert contents() == before


# sources that do not agree with the checks


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("99.1 recon", "99.3 recon", "99_tiny.py:11: .*has no exercise 99.3"),
        ("lesson_99.double", "lesson_99.halve", "99_tiny.py:11: .*99.1 is recon.*double"),
        ("99.2 recon.course.checks.lesson_99.halve", "99.1 recon.double", "a second time"),
        ("# %% exercise 99.2 recon.course.checks.lesson_99.halve", "", "has no exercise 99.2"),
        (
            "source recon.course",
            "source recon.curse",
            ":21: module 'recon' has no attribute 'curse'",
        ),
        ("source recon.course.checks.lesson_99.halve", "source recon.boxes.SIDE", "no source"),
        ("lesson_99.double\n", "lesson_99.double\nx = 1\n", ":11: leave the cell empty"),
        ("exercise 99.1 recon", "exercise: 99.1 recon", ":11: a header is"),
        ("# %%\nprint", '# %% tags=["x"]\nprint', ":13: a header is"),
        ("# %% [markdown]\n# # Tiny", "import os", ":1: begin with"),
        ("99_circles", "99_squares", ":1: shows solutions/pictures/99_squares.svg"),
    ],
)
def test_a_source_that_is_amiss_is_refused_by_line(tiny, before, after, says):
    edit(tiny / "solutions" / "99_tiny.py", before, after)
    with pytest.raises(BadInput, match=says):
        build.write_lesson(lessons.read(tiny / "solutions" / "99_tiny.py"))


def test_blank_lines_that_a_formatter_puts_before_a_function_are_no_fault(tiny):
    file = tiny / "solutions" / "99_tiny.py"
    edit(file, "from recon.course import check\n\n#", "from recon.course import check\n\n\n#")
    edit(file, '# %%\nprint("the same")\n', "# %%\ndef same():\n    pass\n\n")
    kinds = [cell.kind for cell in lessons.read(file).cells]
    assert kinds.count("exercise") == 2


def test_exercises_come_in_order(tiny):
    one = "# %% exercise 99.1 recon.course.checks.lesson_99.double"
    two = "# %% exercise 99.2 recon.course.checks.lesson_99.halve"
    edit(tiny / "solutions" / "99_tiny.py", one, "ONE")
    edit(tiny / "solutions" / "99_tiny.py", two, one)
    edit(tiny / "solutions" / "99_tiny.py", "ONE", two)
    assert "exercise 99.2 where 99.1 is next" in refusal(tiny)


def test_one_number_is_one_lesson(tiny):
    (tiny / "solutions" / "99_other.py").write_text(SOURCE)
    with pytest.raises(BadInput, match="has that number already"):
        lessons.sources(tiny)


def test_a_lesson_is_chosen_by_number_name_or_file(tiny):
    for word in ("99", "99_tiny", "solutions/99_tiny.py", "lessons/99_tiny.ipynb"):
        assert [f.stem for f in lessons.choose(tiny, [word])] == ["99_tiny"]
    with pytest.raises(BadInput, match="7: no lesson of that name; there are 99_tiny"):
        lessons.choose(tiny, ["7"])


def test_elsewhere_there_is_nothing_to_build(tmp_path):
    with pytest.raises(BadInput, match="has solutions/"):
        lessons.sources(tmp_path)


# the check


def test_what_is_built_passes_the_check(tiny, capsys):
    built(tiny)
    commandline.run(build.build, ["--check"])
    assert "1 lesson: as their sources say" in capsys.readouterr().out


def test_outputs_may_be_any(tiny, capsys):
    notebook = tiny / "solutions" / "99_tiny.ipynb"
    built(tiny)
    text = json.loads(notebook.read_text("utf-8"))
    text["cells"][4]["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["what\n"]}]
    text["cells"][4]["execution_count"] = 77
    written = json.dumps(text, indent=1, sort_keys=True, ensure_ascii=False)
    notebook.write_text(written + "\n", "utf-8")
    assert found(capsys) == []


AGAIN = "run `python -m recon.course build`"


@pytest.mark.parametrize(
    ("place", "before", "after", "says"),
    [
        ("solutions/99_tiny.py", "# # Tiny", "# # Small", "differs from its source"),
        ("checks/lesson_99.py", "Twice as much", "Two times", "differs from its source"),
        ("lessons/99_tiny.ipynb", "# Tiny", "# Small", "differs from its source"),
        ("lessons/99_tiny.ipynb", "}\n", "}", "differs from its source"),
        ("solutions/99_tiny.ipynb", "x * 2", "x * 3", "differs from its source"),
        ("solutions/99_tiny.ipynb", '"execution_count": 1', '"execution_count": null', "not run"),
        ("solutions/99_tiny.ipynb", '"nbformat"', '"nbformatt', "not a notebook"),
        ("solutions/99_tiny.ipynb", '"name": "python3"', '"name": "julia"', "differs"),
        ("lessons/pictures/99_circles.svg", "<svg/>", "<svg></svg>", "not a copy"),
    ],
)
def test_the_check_finds_a_difference(tiny, capsys, monkeypatch, place, before, after, says):
    built(tiny)
    edit(tiny / place, before, after)
    if place.startswith("checks"):  # as a new process would
        monkeypatch.delitem(sys.modules, "recon.course.checks.lesson_99")
    lines = found(capsys)
    assert lines
    for line in lines:
        assert says in line
        assert AGAIN in line
    if place.endswith(("ipynb", "svg")):
        assert [line.split(":")[0] for line in lines] == [place]


@pytest.mark.parametrize(
    "place",
    ["lessons/99_tiny.ipynb", "solutions/99_tiny.ipynb", "lessons/pictures/99_circles.svg"],
)
def test_the_check_finds_what_is_missing(tiny, capsys, place):
    built(tiny)
    (tiny / place).unlink()
    (line,) = found(capsys)
    assert line.startswith(f"{place}: ")
    assert AGAIN in line


def test_the_check_finds_a_missing_picture_by_the_line_that_shows_it(tiny, capsys):
    built(tiny)
    (tiny / "solutions" / "pictures" / "99_circles.svg").unlink()
    assert "solutions/99_tiny.py:1: shows solutions/pictures/99_circles.svg" in found(capsys)[0]


def test_the_check_finds_files_that_belong_to_no_lesson(tiny, capsys):
    built(tiny)
    strays = ["lessons/98_gone.ipynb", "lessons/pictures/99_old.svg", "solutions/98_gone.ipynb"]
    strays += ["solutions/notes.py", "solutions/pictures/99_old.png"]
    for place in strays:
        (tiny / place).write_text("")
    for place in ("solutions/README.md", "lessons/.recon-course.json"):
        (tiny / place).write_text("")  # these may be there
    lines = found(capsys)
    assert sorted(line.split(":")[0] for line in lines) == sorted(strays)
    assert all("remove it" in line for line in lines)


def test_the_check_writes_nothing_and_ends_with_2(tiny, capsys):
    with pytest.raises(SystemExit) as stopped:
        commandline.run(build.build, ["--check"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith("error: 3 problems in the course's notebooks\n")
    assert not (tiny / "lessons").exists()
    assert not (tiny / "solutions" / "99_tiny.ipynb").exists()
