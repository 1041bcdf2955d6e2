"""What is remembered of a learner, and where they stand."""

import json
from types import SimpleNamespace

import pytest
from classroom import RIGHT, code, made_up, notebook, write  # noqa: F401

from recon.course import answers, folder, progress, standing


def verdict(id, state):
    return SimpleNamespace(exercise=SimpleNamespace(id=id), state=state)


# the file


def test_tries_and_hints_are_counted(tmp_path):
    assert progress.counted(tmp_path, "1.2", "tries") == 0
    assert [progress.count(tmp_path, "1.2", "hints") for _ in range(2)] == [1, 2]
    progress.record(verdict("1.2", "wrong"), tmp_path)
    progress.record(verdict("1.2", "blank"), tmp_path)
    assert progress.read(tmp_path) == {"1.2": {"hints": 2, "tries": 1}}


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"1.2": 3}', '{"1.2": {"tries": "x"}}'])
def test_a_file_that_makes_no_sense_counts_as_none(tmp_path, text):
    (tmp_path / progress.STATE).write_text(text)
    assert progress.counted(tmp_path, "1.2", "tries") == 0
    assert progress.count(tmp_path, "1.2", "tries") == 1


def test_a_folder_that_cannot_be_written_to_has_no_memory(tmp_path):
    nowhere = tmp_path / "nowhere"
    assert progress.count(nowhere, "1.2", "tries") == 1
    assert progress.counted(nowhere, "1.2", "tries") == 0


def test_who_runs_many_notebooks_gets_a_line_per_verdict(tmp_path, monkeypatch):
    monkeypatch.setenv(progress.LOG, str(tmp_path / "log"))
    progress.record(verdict("1.2", "right"), tmp_path)
    progress.record(verdict("1.3", "blank"), tmp_path)
    lines = (tmp_path / "log").read_text().splitlines()
    assert list(map(json.loads, lines)) == [
        {"id": "1.2", "state": "right"},
        {"id": "1.3", "state": "blank"},
    ]
    assert progress.read(tmp_path) == {}


# where a learner stands


def stand(place, **options):
    """Lesson number -> states of its exercises."""
    found = standing.standing(place, folder.lessons(place), {}, **options)
    return {lesson.number: [lesson.state(e.id) for e in lesson.exercises] for lesson in found}


@pytest.fixture
def mine(made_up):  # noqa: F811
    """A learner's folder with one wrong answer."""
    wrong = RIGHT | {"97.2": "def total(x):\n    return x.sum()"}
    write(made_up / "mine" / "97_numbers.ipynb", notebook("97", wrong))
    return made_up / "mine"


@pytest.fixture
def judgings(monkeypatch):
    """Judges in this process, and notes which lessons were."""
    seen = []

    def judged(lesson, **_):
        seen.append(lesson.number)
        steps = []
        answers.go_through(lesson, (), steps.append)
        results = [answers.Result(**step) for step in steps if "id" in step]
        return answers.Judged({r.id: r for r in results})

    monkeypatch.setattr(answers, "judged", judged)
    return seen


def test_exercises_stand_in_order_and_a_lesson_without_notebook_has_no_cells(mine, judgings):
    assert stand(mine) == {"97": ["right", "wrong", "right"], "98": ["gone"]}
    assert judgings == ["97"]


def test_answers_that_have_not_changed_are_not_judged_again(mine, judgings):
    first = stand(mine)
    write(mine / "97_numbers.ipynb", notebook("97", RIGHT | {
        "97.2": "def total(x):  # so\n    return x.sum()"
    }, code("print(1)")))  # fmt: skip
    assert stand(mine) == first
    assert judgings == ["97"]
    write(mine / "97_numbers.ipynb", notebook("97", RIGHT))
    assert stand(mine)["97"] == ["right"] * 3
    assert judgings == ["97", "97"]


def test_deleting_the_file_only_costs_time(mine, judgings):
    first = stand(mine)
    (mine / progress.STATE).unlink()
    assert stand(mine) == first
    assert judgings == ["97", "97"]


@pytest.mark.parametrize("kept", [3, {}, {"key": "x"}, {"results": [[1]]}])
def test_verdicts_that_make_no_sense_are_judged_again(mine, judgings, kept):
    first = stand(mine)
    state = progress.read(mine)
    if isinstance(kept, dict) and "results" in kept:
        kept |= {"key": state[progress.VERDICTS]["97"]["key"]}
    progress.write(mine, state | {progress.VERDICTS: {"97": kept}})
    assert stand(mine) == first
    assert judgings == ["97", "97"]


def test_a_changed_check_is_judged_again(mine, judgings, monkeypatch):
    stand(mine)
    monkeypatch.setattr(standing.recon, "__version__", "77")
    stand(mine)
    assert judgings == ["97", "97"]


def test_counts_and_verdicts_share_the_file(mine, judgings):
    progress.count(mine, "97.1", "tries")
    stand(mine)
    assert progress.count(mine, "97.1", "tries") == 2
    stand(mine)
    assert judgings == ["97"]


def test_one_lesson_anew(mine, judgings):
    stand(mine)
    assert list(stand(mine, anew={"97"})) == ["97"]
    assert judgings == ["97", "97"]


def test_what_could_not_be_judged_is_not_kept(mine, monkeypatch):
    calls = []

    def judged(lesson, **_):
        calls.append(lesson.number)
        return answers.Judged({}, "no memory")

    monkeypatch.setattr(answers, "judged", judged)
    assert stand(mine)["97"] == ["unknown"] * 3
    stand(mine)
    assert calls == ["97", "97"]
