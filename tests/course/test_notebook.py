"""Notebooks that run: a solution's execution, and lessons under `pytest --nbval`."""

from pathlib import Path

import nbformat
import pytest
from nbformat import v4

import recon
from recon.course import execute
from recon.course.lessons import Cell, Lesson

pytest_plugins = "pytester"

ROOT = Path(recon.__file__).parents[1]
CHECKS = '''
from recon.course.exercise import exercise


def double(x):
    """Twice as much."""
    return x * 2


@exercise("99.1", double, minutes=3, difficulty=1, hints=("a nudge",))
def judge_double(answer, expect):
    expect.equal(answer(4), 8, "twice as much", mistakes=[(12, "thrice is too much")])
'''
BLANK = 'def double(x):\n    """Twice as much."""\n    raise NotImplementedError("99.1")'


def notebook(answer: str, checks: Path, *more: str):
    """A lesson of one exercise."""
    begin = (
        f"import recon.course.checks\nrecon.course.checks.__path__.append({str(checks)!r})\n"
        "from recon.course import check"
    )
    check = v4.new_code_cell(
        'double = check("99.1", double)', metadata={"recon": {"check": "99.1"}}
    )
    asked = v4.new_code_cell(answer, metadata={"recon": {"exercise": "99.1"}})
    cells = [v4.new_code_cell(begin), asked, check, *map(v4.new_code_cell, more)]
    return v4.new_notebook(cells=cells)


@pytest.fixture
def course(tmp_path):
    """A folder such as the repository: its conftest.py, checks, and lessons still to be written."""
    (tmp_path / "conftest.py").write_bytes((ROOT / "conftest.py").read_bytes())
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q\n")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "lesson_99.py").write_text(CHECKS)
    (tmp_path / "lessons").mkdir()
    return tmp_path


@pytest.fixture
def lessons_run(course, pytester, monkeypatch):
    """What `pytest` in that folder ends with and says."""
    monkeypatch.chdir(course)
    monkeypatch.setenv("MPLBACKEND", "agg")  # all that conftest.py sets is undone in the end
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("RECON_COURSE_LOG", "RECON_STRICT"):
        monkeypatch.delenv(name, raising=False)

    def run(*options: str) -> tuple[int, list[str]]:
        result = pytester.runpytest_inprocess(f"--rootdir={course}", *options)
        return result.ret, result.outlines

    return run


def test_lessons_under_pytest(course, lessons_run, monkeypatch):
    old = v4.new_output("stream", text="what an older version said\n")
    blank = notebook(BLANK, course / "checks", "double(1)")
    blank.cells[-1].outputs = [old]  # as a notebook that was saved half-way has them
    nbformat.write(blank, course / "lessons" / "1_blank.ipynb")
    thrice = BLANK.replace('raise NotImplementedError("99.1")', "return x * 3")
    wrong = notebook(thrice, course / "checks", "assert double(1) == 2")
    wrong.cells[2].metadata["tags"] = ["raises-exception"]
    nbformat.write(wrong, course / "lessons" / "2_wrong.ipynb")

    code, lines = lessons_run("--nbval", "lessons/1_blank.ipynb")
    assert code == 0, lines
    assert lines[-2] == "course: 0 right, 0 wrong, 1 to do; next: 99.1 double"

    monkeypatch.setenv("RECON_STRICT", "1")
    code, lines = lessons_run("--nbval", "lessons/")
    assert code == 1
    said = "\n".join(lines)
    assert "\n○ 99.1 double      to do" in said
    assert "\n✗ 99.1 double\n  double(4)\n  gave 12, expected 8\n  thrice is too much\n" in said
    assert "\nAssertionError:\nperhaps because of 99.1 above\n" in said
    assert "course: 0 right, 1 wrong, 0 to do; next: 99.1 double" in lines
    assert lines[-1].startswith("4 failed, 4 passed")  # a check, and the cell after it, of each

    assert lessons_run()[0] == 5  # nothing collected: notebooks are run when asked for


def lesson(folder: Path) -> Lesson:
    return Lesson(folder / "solutions" / "99_tiny.py", (Cell("exercise", 1, id="99.1"),))


RIGHT = BLANK.replace('raise NotImplementedError("99.1")', "return x * 2")
NOISE = """
import os, sys
print("in", os.getcwd(), "of", double)
print("a warning", file=sys.stderr)
double
"""


def test_a_solution_is_executed_and_cleaned(course):
    made = notebook(RIGHT, course / "checks", NOISE)
    made.metadata = {"language_info": {"name": "python"}}
    run = execute.run(lesson(course), made, course)
    assert run.problems == []
    assert run.notes == ["solutions/99_tiny.py: cell `import os, sys`: standard error: a warning"]
    assert run.exercises == 1
    assert 0 < run.own_seconds <= run.cpu_seconds
    assert run.own_seconds <= run.seconds
    assert 0.01 < run.gigabytes < execute.GIGABYTES
    executed = nbformat.reads(run.text, 4)
    assert executed.metadata == {"language_info": {"name": "python"}}
    assert all(c.execution_count and "execution" not in c.metadata for c in executed.cells)
    check, last = executed.cells[2].outputs, executed.cells[3].outputs
    assert check[0].text.startswith("✓ 99.1 double")
    assert last[0].text == "in . of <function double>\n"
    assert last[1].data["text/plain"] == "<function __main__.double(x)>"
    assert [p.name for p in course.iterdir() if p.name.startswith(".lesson")] == []


def test_a_solution_that_fails_says_where(course):
    run = execute.run(lesson(course), notebook(BLANK, course / "checks"), course)
    assert not run.finished
    (line,) = run.problems
    assert line.startswith("solutions/99_tiny.py: exercise 99.1: ○ 99.1 double")  # strict


def test_budgets(course, capsys):
    more = {"gigabytes": 4.1, "text": "x" * 1_600_000}
    run = execute.Run(lesson(course), seconds=200, cpu_seconds=300, **more)
    name = "solutions/99_tiny.py"
    assert execute.over_budget(run) == [
        f"{name}: 200.0 seconds, at most 180; make it smaller",
        f"{name}: 4.1 GB of memory, at most 4; make it smaller",
        f"{name}: 1.6 MB of notebook, at most 1.5; make it smaller",
    ]
    assert execute.report([run]) == []
    assert execute.report([run] * 4) == ["all lessons together: 800 s, at most 720"]
    assert "99_tiny" in capsys.readouterr().out


def test_waiting_for_other_programs_is_nobodys_budget(course):
    run = execute.Run(lesson(course), seconds=900, cpu_seconds=60)
    assert execute.over_budget(run) == []
    assert execute.report([run] * 11) == []


def test_outputs_are_cleaned_and_pictures_are_left():
    output = {
        "data": {"image/png": "/home/me/x at 0x12", "text/plain": "</home/me/x.png at 0x7F0a>"},
        "metadata": {},
    }
    cleaned = execute.cleaned(output, {"/home/me/": ""})
    assert cleaned.data == {"image/png": "/home/me/x at 0x12", "text/plain": "<x.png>"}
