"""A class of learners graded: one row each, whatever they hand in."""

import os

import pandas as pd
import pytest
from classroom import ENDLESS, RIGHT, made_up, notebook, write  # noqa: F401

from recon import commandline
from recon.course import __main__ as course
from recon.course import answers, grade

SPY = "import os\ndef negative(x):\n    return -x if {} else x"


def run(*words):
    """Run the command; gives its exit code."""
    try:
        commandline.run(course.board, ["grade", *map(str, words)], course.COMMANDS)
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture
def class_(made_up):  # noqa: F811
    """Five learners."""
    place = made_up / "class"
    right = notebook("97", RIGHT)
    write(place / "Ada" / "97_numbers.ipynb", right)
    write(place / "Ada" / "98_signs.ipynb", notebook("98", RIGHT))
    write(place / "Bob" / "my_lessons" / "97_numbers.ipynb", notebook("97", RIGHT | {
        "97.1": ENDLESS, "97.2": "import os\ndef total(x):\n    os._exit(0)"
    }))  # fmt: skip
    write(place / "Bob" / "my_lessons" / ".ipynb_checkpoints" / "97_numbers.ipynb", right)
    write(place / "Cy" / "98_signs.ipynb", notebook("98", {"98.1": "def negative(x):\n  return x"}))
    (place / "Cy" / "97_numbers.ipynb").write_text("<<<<<<< HEAD\n")
    write(place / "Dee, M." / "97_numbers.ipynb", notebook("97"))
    (place / "Eve").mkdir()
    (place / "read me.txt").write_text("")
    return place


def test_a_class_is_a_table(class_, made_up, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setattr(answers, "ANSWER", 6 / 120)
    out, details = made_up / "grades.csv", made_up / "details.csv"
    assert run(class_, "--out", out, "--details", details, "--jobs", 2) == 0
    assert capsys.readouterr().out == f"{out}: 5 learners, 4 with notes\n"
    assert (
        out.read_text()
        == """\
learner,right,wrong,to do,97,98,notes
Ada,4,0,0,3,1,
Bob,1,2,1,1,,no notebook of 98; 97.1 did not end within 6 s; 97.2 ended Python (exit code 0)
Cy,0,1,3,,0,"no notebook of 97; 97_numbers.ipynb: cannot be read as a notebook \
(line 1, column 1: Expecting value)"
"Dee, M.",0,0,4,0,,no notebook of 98
Eve,0,0,4,,,no notebook of any lesson
"""
    )
    table = pd.read_csv(details).fillna("")
    assert len(table) == 5 * 4
    assert list(table.columns) == ["learner", "exercise", "name", "state", "said"]
    cy = table[(table.learner == "Cy") & (table.name == "negative")].iloc[0]
    assert (cy.state, cy.said) == ("wrong", "negative(3.0) gave 3.0, expected -3.0 Mind the sign.")
    assert set(table[table.learner == "Eve"].state) == {"no answer"}
    assert set(table[table.learner == "Dee, M."].state) == {"to do", "no answer"}


def test_what_learners_hand_in_works_in_an_empty_place(made_up, monkeypatch):  # noqa: F811
    monkeypatch.setenv("TOKEN_OF_THE_TEACHER", "secret")
    spied = [
        "'TOKEN_OF_THE_TEACHER' not in os.environ",
        f"not os.path.samefile(os.getcwd(), {os.getcwd()!r})",
        "os.listdir() == ['helper.py'] and os.path.samefile('.', os.environ['HOME'])",
        "__import__('helper').THERE",
    ]
    answer = SPY.format(" and ".join(spied))
    path = write(made_up / "class" / "Ada" / "98_signs.ipynb", notebook("98", {"98.1": answer}))
    (path.parent / "helper.py").write_text("THERE = True")
    before = sorted(path.parent.rglob("*"))
    assert run(made_up / "class", "--out", made_up / "grades.csv") == 0
    assert pd.read_csv(made_up / "grades.csv").right.tolist() == [1]
    assert sorted(path.parent.rglob("*")) == before


def test_an_imported_answer_is_noted(made_up):  # noqa: F811
    answer = "from recon.course.checks.lesson_98 import negative"
    write(made_up / "class" / "Ada" / "98_signs.ipynb", notebook("98", {"98.1": answer}))
    learner = grade.learners(made_up / "class")[0]
    steps = []
    answers.go_through(learner.notebooks["98"], (), steps.append)
    result = next(answers.Result(**s) for s in steps if "id" in s)
    learner.judged["98"] = answers.Judged({"98.1": result})
    assert "98.1 is the package's own function, imported" in list(grade.notes(learner, ["98"]))


def test_an_error_of_one_notebook_is_a_note(class_, made_up, monkeypatch):  # noqa: F811
    def judged(lesson, *_):
        raise OSError("disk full")

    monkeypatch.setattr(answers, "judged", judged)
    assert run(class_, "--out", made_up / "grades.csv") == 0
    table = pd.read_csv(made_up / "grades.csv")
    assert "97 could not be judged: OSError: disk full" in table.notes[0]


def test_a_table_is_written_whole_or_not_at_all(class_, made_up, monkeypatch):  # noqa: F811
    out = made_up / "grades.csv"
    out.write_text("the last one\n")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(grade, "row", stop)
    monkeypatch.setattr(answers, "judged", lambda *_: answers.Judged({}))
    assert run(class_, "--out", out) == 130
    assert out.read_text() == "the last one\n"
    assert sorted(p.name for p in made_up.glob("*.csv")) == ["grades.csv"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nowhere --out x.csv", "nowhere: no such folder"),
        ("empty --out x.csv", "empty: no folder in it has a lesson's notebook"),
        ("class/Ada --out x.csv", "class/Ada: has notebooks itself; name a folder with a folder"),
        ("class --out no/x.csv", "no/x.csv: no folder no to write it in"),
        ("class --out class", "class: is a folder; name a file"),
        ("class --out x.csv --time-limit 0", "Must be > 0"),
        ("class", "--out requires an argument"),
    ],
)
def test_a_slip_is_one_line(class_, made_up, capsys, words, said):  # noqa: F811
    (made_up / "empty").mkdir()
    assert run(*words.split()) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
