"""Answers taken out of a notebook and judged: what is executed of it, and what stops a process."""

import ast

import pytest
from classroom import BLANKS, ENDLESS, RIGHT, code, made_up, notebook, prose, write  # noqa: F401

from recon.course import answers, folder
from recon.course.answers import Limits

pytestmark = pytest.mark.usefixtures("made_up")


def kept(source):
    """The text of what is executed of a cell."""
    return [ast.unparse(node) for node in answers.statements(source)]


def verdicts(tmp_path, content, left_out=()):
    """Judge a notebook in this process: id -> the verdict as it is told."""
    steps = []
    lesson = folder.read(write(tmp_path / "lesson.ipynb", content))
    answers.go_through(lesson, left_out, steps.append)
    return {step["id"]: step for step in steps if "id" in step}


def states(found):
    return {id: step["state"] for id, step in found.items()}


# what is executed


def test_only_imports_functions_classes_and_plain_values_are_kept():
    source = """
import numpy as np
SIZE, SCALE = 64, -0.5
KERNEL = np.array([[0, 1], [1, 0]]) / 2
model = build(SIZE)
history = model.fit(data)
photo = load()["photo"]
np.random.seed(1)
for i in range(10): print(i)
class Box(tuple): pass
async def wait(): pass
half: int = SIZE // 2
later: int
"""
    found = kept(source)
    assert [line.split("\n")[0] for line in found] == [
        "import numpy as np",
        "SIZE, SCALE = (64, -0.5)",
        "KERNEL = np.array([[0, 1], [1, 0]]) / 2",
        "class Box(tuple):",
        "async def wait():",
        "half: int = SIZE // 2",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%matplotlib inline\nimport math", ["import math"]),
        ("%%time\nx = 1", ["x = 1"]),
        ("%%bash\nx=1", []),
        ("!pip install thing\nx = 1\nx?", ["x = 1"]),
        ("files = !ls\nx = 1", ["files = None", "x = 1"]),
        ("y = %timeit -o f()\nx = 1", ["y = None", "x = 1"]),
        ("def f():\n    %time g()\n    return 1", ["def f():\n    pass\n    return 1"]),
        ("x = (7\n% 4)", ["x = 7 % 4"]),
        ("TEXT = '''\n%time\n'''", ["TEXT = '\\n%time\\n'"]),
        ("", []),
    ],
)
def test_what_only_ipython_understands_is_left_out(source, expected):
    assert kept(source) == expected


@pytest.mark.parametrize("source", ["def f(:", "x = \0", "(" * 5000])
def test_a_cell_that_is_no_python_is_a_syntax_error(source):
    with pytest.raises(SyntaxError):
        answers.statements(source)


def test_a_plot_or_a_comment_changes_nothing_of_the_gist(tmp_path):
    def gist(*more):
        return answers.gist(folder.read(write(tmp_path / "n.ipynb", notebook("97", RIGHT, *more))))

    assert gist(code("# so far\nplots.show(photo)"), prose("Look.")) == gist()
    assert gist(code("SIZE = 4")) != gist()


# verdicts


def test_right_blank_and_wrong_answers(tmp_path):
    found = verdicts(tmp_path, notebook("97", RIGHT | {"97.1": "def double(x):\n    return x"}))
    assert states(found) == {"97.1": "wrong", "97.2": "right", "97.10": "right"}
    assert found["97.1"]["text"].endswith("Twice, not once.")
    given = {"97.2": RIGHT["97.2"]}
    assert states(verdicts(tmp_path, notebook("97", given))) == {
        "97.1": "blank",
        "97.2": "right",  # with the package's double
        "97.10": "blank",
    }


def test_an_answer_uses_what_the_notebook_has_made(tmp_path):
    helper = code("%matplotlib inline\nSCALE = 2\ndef scaled(x):\n    return SCALE * x")
    answer = "from functools import partial\ndef double(x):\n    return scaled(x)"
    assert verdicts(tmp_path, notebook("97", {"97.1": answer}, helper))["97.1"]["state"] == "right"


def test_a_helper_between_an_answer_and_its_check_counts(tmp_path):
    content = notebook("97", {"97.1": "def double(x):\n    return scaled(x)"})
    content["cells"].insert(3, code("def scaled(x):\n    return 2 * x"))
    assert verdicts(tmp_path, content)["97.1"]["state"] == "right"


def test_an_answer_without_its_check_is_judged(tmp_path):
    content = notebook("97", RIGHT)
    content["cells"] = [c for c in content["cells"] if "check" not in c["metadata"].get("tags", [])]
    assert set(states(verdicts(tmp_path, content)).values()) == {"right"}


def test_a_name_that_is_not_made_here_is_told_apart(tmp_path):
    lost = code("model = build()")
    found = verdicts(
        tmp_path, notebook("97", {"97.1": "def double(x):\n    return model(x)"}, lost)
    )
    assert found["97.1"]["text"].endswith("make model inside the function.")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("def double(x):\n    return 2 *", "line 2: invalid syntax\n  return 2 *"),
        ("def doubel(x):\n    return 2 * x", "no function double in its cell"),
        ("", "no function double in its cell"),
        ("import nothing_of_that_name", "its cell raised ModuleNotFoundError: No module"),
        ("double = 2", "double is int, not a function"),
        ("def double(x):\n    raise SystemExit(0)", "raised SystemExit"),
        ("def double(x):\n    return double(x)", "raised RecursionError"),
        ("@nothing\ndef double(x):\n    return 2 * x", "NameError: name 'nothing'"),
    ],
)
def test_an_answer_that_is_no_function_is_wrong_and_says_why(tmp_path, answer, said):
    found = verdicts(tmp_path, notebook("97", RIGHT | {"97.1": answer}))
    assert states(found) == {"97.1": "wrong", "97.2": "right", "97.10": "right"}
    assert found["97.1"]["text"].startswith("✗ 97.1 double\n  ")
    assert said in found["97.1"]["text"]


def test_an_imported_name_is_no_answer(tmp_path):
    early = code("from recon.course.checks.lesson_97 import double")
    found = verdicts(tmp_path, notebook("97", {"97.1": "x = 1"}, early))
    assert "no function double" in found["97.1"]["text"]
    answer = "from recon.course.checks.lesson_97 import double"
    found = verdicts(tmp_path, notebook("97", {"97.1": answer}))
    assert (found["97.1"]["state"], found["97.1"]["note"]) == ("right", answers.IMPORTED)


def test_the_last_of_several_cells_counts(tmp_path):
    content = notebook("97", {"97.1": "def double(x):\n    return 2 *"})
    content["cells"].append(code(RIGHT["97.1"], exercise="97.1"))
    assert verdicts(tmp_path, content)["97.1"]["state"] == "right"
    content["cells"].append(code(BLANKS["97.1"], exercise="97.1"))
    assert verdicts(tmp_path, content)["97.1"]["state"] == "blank"


def test_later_cells_know_what_the_future_holds(tmp_path):
    first = code("from __future__ import annotations")
    answer = "def double(x: NoSuchType):\n    return 2 * x"
    assert verdicts(tmp_path, notebook("97", {"97.1": answer}, first))["97.1"]["state"] == "right"


def test_an_answer_has_its_source(tmp_path):
    answer = (
        "import inspect\ndef double(x):\n"
        "    return 2 * x if 'return 2' in inspect.getsource(double) else x"
    )
    assert verdicts(tmp_path, notebook("97", {"97.1": answer}))["97.1"]["state"] == "right"


# in a process of its own


def test_a_lesson_as_shipped_needs_no_process(made_up, monkeypatch):  # noqa: F811
    monkeypatch.setattr(answers, "watch", None)
    lesson = folder.read(made_up / "lessons" / "97_numbers.ipynb")
    found = answers.judged(lesson).results
    assert [r.state for r in found.values()] == ["blank"] * 3
    assert found["97.2"].text.startswith("○ 97.2 total      to do, about 70 minutes")


@pytest.mark.parametrize(
    ("answer", "limits", "said"),
    [
        (ENDLESS, Limits(), "did not end within 6 s"),
        ("import os\ndef double(x):\n    os._exit(3)", Limits(), "ended Python (exit code 3)"),
        (
            "def double(x):\n    kept = []\n    while True:\n        kept.append(np.ones(10**6))",
            Limits(gigabytes=0.6),
            "took more than 0.6 GB of memory",
        ),
    ],
)
def test_what_stops_a_process_is_one_wrong_answer(tmp_path, monkeypatch, answer, limits, said):
    if answer == ENDLESS:
        monkeypatch.setattr(answers, "ANSWER", 6 / 120)
    path = write(tmp_path / "lesson.ipynb", notebook("97", RIGHT | {"97.1": answer}))
    found = answers.judged(folder.read(path), limits)
    assert not found.failure
    assert {r.id: r.state for r in found.results.values()} == {
        "97.1": "wrong",
        "97.2": "right",
        "97.10": "right",
    }
    assert found.results["97.1"].text.startswith(f"✗ 97.1 double\n  {said}\n  ")
    assert found.results["97.1"].note == said


def test_cells_that_do_not_end_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "ANSWER", 6 / 120)
    endless = "import time\nclass Loop:\n    while True:\n        time.sleep(1)\n"
    given = RIGHT | {"97.10": endless + RIGHT["97.10"]}
    path = write(tmp_path / "lesson.ipynb", notebook("97", given, code(endless)))
    found = answers.judged(folder.read(path))
    assert [r.state for r in found.results.values()] == ["right", "right", "wrong"]


def test_what_keeps_a_lesson_from_being_judged_is_said(tmp_path, monkeypatch):
    path = write(tmp_path / "lesson.ipynb", notebook("97", RIGHT))
    monkeypatch.setattr(answers, "WORKER", ("false",))
    found = answers.judged(folder.read(path))
    assert (found.results, found.failure) == (
        {},
        "Keras was not loaded: ended Python (exit code 1)",
    )
