"""The course from a terminal, as a learner meets it."""

import io
import json
import re
import subprocess
import sys

import pytest
from classroom import HERE, RIGHT, code, made_up, notebook, write  # noqa: F401
from rich.console import Console

from recon import commandline
from recon.course import __main__ as course
from recon.course import answers, board, exercise, folder, outline, progress

WRONG = "def total(x):\n    return x.sum()"
ASK = "python -m recon.course"


def run(*words):
    """Run a command; gives its exit code."""
    try:
        commandline.run(course.board, [str(word) for word in words], course.COMMANDS)
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture
def say(made_up, capsys, monkeypatch):  # noqa: F811
    """Run a command in the made-up course, judging in this process; gives what it says."""
    monkeypatch.setattr(answers, "watch", in_this_process)

    def call(*words, code=0):
        assert run(*words) == code
        said = capsys.readouterr()
        return said.err.strip() if code == 2 else said.out.rstrip()

    return call


def in_this_process(command, log, *_):
    path, log, *left_out = command[len(answers.WORKER) :]
    with open(log, "w") as file:
        tell = lambda step: print(json.dumps(step), file=file)  # noqa: E731
        answers.go_through(folder.read(folder.Path(path)), left_out, tell)
        tell({"end": True})
    return "exit code 0"


@pytest.fixture
def mine(made_up):  # noqa: F811
    """A learner's folder: of lesson 97 one answer right, one wrong, one blank; nothing of 98."""
    place = made_up / "my_lessons"
    write(place / "97_numbers.ipynb", notebook("97", {"97.1": RIGHT["97.1"], "97.2": WRONG}))
    write(place / "98_signs.ipynb", notebook("98"))
    return place


# the board


def test_a_newcomer_is_shown_where_to_start(say):
    assert (
        say()
        == f"""\
lesson                 exercises  done  min left
97  Numbers, and more  ○○○         0/3        78
98  Signs              ○           0/1         4

✓ right  ○ to do  ✗ wrong

0 of 4 exercises right, about 1 h 22 min left
next: 97.1 double, 5 min: {ASK} start"""
    )


def test_the_board_of_a_learner(say, mine):
    assert (
        say()
        == f"""\
lesson                 exercises  done  min left
97  Numbers, and more  ✓✗○         1/3        73
98  Signs              ○           0/1         4

✓ right  ○ to do  ✗ wrong

1 of 4 exercises right, about 1 h 17 min left
next: 97.2 total: {ASK} check 97.2"""
    )


def test_the_next_step_is_a_file_to_open(say, mine):
    write(mine / "97_numbers.ipynb", notebook("97", {"97.1": RIGHT["97.1"]}))
    assert say().endswith("next: 97.2 total, 70 min, in my_lessons/97_numbers.ipynb")
    write(mine / "97_numbers.ipynb", notebook("97", RIGHT))
    assert say().endswith("next: 98.1 negative, 4 min, in my_lessons/98_signs.ipynb")
    write(mine / "98_signs.ipynb", notebook("98", RIGHT))
    assert say().endswith("4 of 4 exercises right\nthe course is done")


def test_what_is_odd_is_said_under_the_board(say, mine):
    content = notebook("97", RIGHT)
    content["cells"] = [c for c in content["cells"] if "97.2" not in str(c["metadata"])]
    content["cells"].append(code(RIGHT["97.1"], exercise="97.1"))
    write(mine / "97_numbers.ipynb", content)
    (mine / "98_signs.ipynb").write_text("{")
    said = say()
    assert "97  Numbers, and more  ✓–✓         2/3        70" in said
    assert "✓ right  ○ to do  ✗ wrong  – no cell" in said
    assert said.split("\n\n")[-1].splitlines() == [
        "my_lessons/98_signs.ipynb: cannot be read as a notebook "
        "(line 1, column 2: Expecting property name enclosed in double quotes)",
        f"no notebook here of 98; {ASK} start copies it",
        f"97.2 has lost its cell; {ASK} reset 97.2 brings it back",
        "97.1 has several cells; the last counts",
    ]


def test_what_cannot_be_judged_leaves_the_rest_of_the_board(say, mine, monkeypatch):
    monkeypatch.setattr(answers, "judged", lambda *_, **__: answers.Judged({}, "no memory"))
    said = say()
    assert "97  Numbers, and more  ???" in said
    assert "97: could not be judged: no memory" in said


def test_another_folder(say, mine):
    assert f"check 97.2 --folder {mine}" in say("--folder", mine)
    assert "no such folder" in say("--folder", "nowhere", code=2)


def test_the_board_needs_neither_keras_nor_what_makes_notebooks(tmp_path):
    write(tmp_path / "97_numbers.ipynb", notebook("97"))
    program = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import classroom
from recon import commandline
from recon.course import __main__ as course
classroom.learn_lessons()
commandline.run(course.board, [], course.COMMANDS)
heavy = {{"keras", "tensorflow", "jupytext", "nbformat", "pandas", "matplotlib", "PIL"}}
print(heavy & set(sys.modules))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1:] == ["set()"], done.stderr


def shown(width, **options):
    """The sample learner's board on a terminal."""
    terminal = Console(file=io.StringIO(), width=width, **options)
    terminal.print(board.board(board.sample(done=2), []))
    return terminal.file.getvalue()


def test_eighty_columns_and_no_colours_are_enough(made_up, monkeypatch):  # noqa: F811
    monkeypatch.setattr(folder.Notebook, "title", "A title that goes on and on " * 4)
    lines = shown(80).splitlines()
    assert max(map(len, lines)) <= 80
    assert re.match(r"97  A title that goes .*… +✓✓○ +2/3 +3", lines[1])
    assert "\x1b" in shown(80, force_terminal=True)


def test_the_picture_of_the_board(made_up, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(board, "SAMPLE", 0)
    board.picture(tmp_path / "board.svg")
    picture = (tmp_path / "board.svg").read_text()
    assert picture.startswith("<svg")
    assert "97.1&#160;double" in picture
    board.picture(tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == picture


def test_outlines_say_what_the_checks_say():
    for number in exercise.LESSONS:
        found = [(e.id, e.name, e.minutes, e.hints) for e in exercise.of_lesson(number)]
        assert [tuple(e) for e in outline.asked(number)] == found


def test_outlines_of_the_course_are_read_without_running_it(monkeypatch):
    monkeypatch.setattr(exercise, "of_lesson", None)
    assert all(outline.asked(number) for number in outline.all_lessons())


# check


def test_check_prints_what_the_notebook_does(say, mine):
    assert (
        say("check", "97", code=1)
        == """\
✓ 97.1 double
✗ 97.2 total
  total([0., 1., 2.])
  gave 3.0, expected 6.0
  Double it first.
○ 97.10 last      to do, about 3 minutes · the package's own is used meanwhile"""
    )
    assert say("check", "97.1") == "✓ 97.1 double"
    assert say("check", "97.02", code=1).startswith("✗ 97.2 total")
    assert len(say("check", code=1).splitlines()) == 7


def test_check_counts_tries(say, mine):
    say("check", "97", code=1)
    say("check", "97.2", code=1)
    tries = {id: progress.counted(mine, id, "tries") for id in ("97.1", "97.2", "97.10")}
    assert tries == {"97.1": 1, "97.2": 2, "97.10": 0}


def test_check_of_what_is_not_there(say, mine):
    content = notebook("97", RIGHT)
    content["cells"] = content["cells"][:4]
    write(mine / "97_numbers.ipynb", content)
    (mine / "98_signs.ipynb").unlink()
    assert say("check", "97.2") == f"97.2 has lost its cell; {ASK} reset 97.2 brings it back"
    assert say("check", "98", code=2) == f"error: {mine}: no notebook of lesson 98"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("check 55", "55: there is no lesson 55; lessons: 97, 98"),
        ("hint 97.3", "97.3: there is no such exercise; lesson 97: 97.1 to 97.10"),
        ("reset 97", "97 is a lesson; name one exercise, such as 97.1"),
        ("solution two", "two: name a lesson, such as 4, or an exercise, such as 4.2"),
        ("check 97.", "97.: name a lesson, such as 4, or an exercise, such as 4.2"),
        (
            "chekc 4",
            "chekc: no such command; there are build, check, grade, hint, reset, solution, start",
        ),
    ],
)
def test_a_slip_is_one_line(say, mine, words, said):
    assert say(*words.split(), code=2) == f"error: {said}"


# hint, solution, reset


def test_hints_come_one_at_a_time_and_start_over(say, mine):
    said = [say("hint", "97.1").splitlines() for _ in range(4)]
    assert said == [
        ["97.1 double, hint 1 of 3", "  Think."],
        ["97.1 double, hint 2 of 3", "  Think of two."],
        [
            "97.1 double, hint 3 of 3",
            "  2 * x",
            f"That was the last. The package's own: {ASK} solution 97.1",
        ],
        ["97.1 double, hint 1 of 3, from the first again", "  Think."],
    ]
    assert say("hint", "97.10") == "97.10 last has no hints"


def test_the_solution_comes_after_a_try(say, mine):
    assert say("solution", "97.2", code=2) == (
        "error: 97.2 total: the package's own comes after a try, right or wrong; "
        f"`{ASK} hint 97.2` helps, --now shows it at once"
    )
    say("check", "97.2", code=1)
    first, _, *source = say("solution", "97.2").splitlines()
    assert re.fullmatch(r"97.2 recon.course.checks.lesson_97.total, .*lesson_97.py:\d+", first)
    assert source == [
        "def total(x: np.ndarray) -> float:",
        '    """All of it, twice."""',
        "    return float(double(x).sum())",
    ]
    assert "return -x" in say("solution", "98.1", "--now")


def test_reset_brings_the_blank_and_keeps_the_answer(say, mine):
    path = mine / "97_numbers.ipynb"
    before = path.read_text("utf-8").splitlines()
    assert say("reset", "97.2").splitlines() == [
        "97.2 total is blank again in my_lessons/97_numbers.ipynb; "
        "your answer is in my_lessons/answers/97.2-1.py",
        "Is the notebook open? Reload it (File, Reload Notebook from Disk) before you save.",
    ]
    assert (mine / "answers" / "97.2-1.py").read_text() == WRONG + "\n"
    after = path.read_text("utf-8").splitlines()
    assert [line.strip() for line in after if line not in before] == [
        r'"def total(x: np.ndarray) -> float:\n",',
        r'"    \"\"\"All of it, twice.\"\"\"\n",',
        r'"    raise NotImplementedError(\"97.2\")"',
    ]
    text = path.read_bytes()
    assert say("reset", "97.2") == "97.2 total is blank already, in my_lessons/97_numbers.ipynb"
    assert path.read_bytes() == text


def test_reset_of_a_lost_cell_and_of_several(say, mine):
    content = notebook("97", RIGHT)
    content["cells"] = [c for c in content["cells"] if "97.2" not in str(c["metadata"])]
    content["cells"].append(code(RIGHT["97.1"], exercise="97.1"))
    path = write(mine / "97_numbers.ipynb", content)
    assert say("reset", "97.2").startswith(
        "97.2 total has its blank and its check in my_lessons/97_numbers.ipynb again"
    )
    assert "It has several cells: the last is blank now" in say("reset", "97.1")
    cells = [c for c in folder.read(path).cells if c.exercise]
    assert [(c.exercise, folder.untouched(c.source)) for c in cells] == [
        ("97.1", False),
        ("97.2", True),
        ("97.10", False),
        ("97.1", True),
    ]


def test_reset_of_a_broken_notebook_names_it(say, mine):
    (mine / "98_signs.ipynb").write_text("{")
    said = say("reset", "98.1", code=2)
    assert said.startswith(f"error: {mine}: no notebook of lesson 98 (my_lessons/98_signs.ipynb")
    assert "\n" not in said


# start


def test_start_copies_what_is_missing_and_never_overwrites(say, made_up):  # noqa: F811
    place = made_up / "my_lessons"
    assert say("start", "--no-open") == "my_lessons: 2 lessons copied"
    assert (place / "pictures" / "97_line.svg").exists()
    mine = write(place / "97_numbers.ipynb", notebook("97", RIGHT)).read_bytes()
    (place / "98_signs.ipynb").unlink()
    said = say("start", "--no-open")
    assert said == "my_lessons: 1 lesson kept as it is; new: 98_signs.ipynb"
    assert (place / "97_numbers.ipynb").read_bytes() == mine
    assert say("start", "--no-open") == "my_lessons: 2 lessons kept as they are; nothing new"
    assert say("start", "other", "--no-open") == "other: 2 lessons copied"
    assert say("start", "lessons", "--no-open") == "lessons: the course's own, nothing is copied"


def test_start_opens_the_first_lesson_with_something_to_do(say, mine, monkeypatch):
    calls = []

    class Process:
        returncode = 0

        def __init__(self, command, cwd):
            calls.append((command[1:], cwd))

        def poll(self):
            return self.returncode

    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(
        course.importlib.util, "find_spec", lambda name: name
    )  # JupyterLab is there
    write(mine / "97_numbers.ipynb", notebook("97", RIGHT))
    assert "JupyterLab opens 98_signs.ipynb; Ctrl-C here ends it" in say("start")
    assert calls == [(["-m", "jupyterlab", "98_signs.ipynb"], folder.Path("my_lessons"))]


def test_start_without_jupyterlab_or_lessons(say, made_up, monkeypatch):  # noqa: F811
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: None)
    assert say("start", code=2).endswith('JupyterLab is not installed: pip install -e ".[course]"')
    assert (made_up / "my_lessons" / "97_numbers.ipynb").exists()
    monkeypatch.setattr(folder, "CHECKOUT", made_up / "nowhere")
    assert "clone the repository" in say("start", code=2)


def test_start_in_a_file(say, made_up):  # noqa: F811
    (made_up / "taken").write_text("")
    assert say("start", "taken", code=2) == "error: taken: is a file; name a folder"
