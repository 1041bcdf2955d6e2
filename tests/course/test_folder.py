"""A learner's folder: which it is, the answers in it, and a blank put back."""

import json
import re

import pytest
from classroom import BLANKS, RIGHT, code, made_up, notebook, prose, write  # noqa: F401

from recon.course import folder
from recon.errors import BadInput


def test_a_notebook_is_known_by_its_cells(tmp_path):
    write(tmp_path / "my own name.ipynb", notebook("98"))
    write(tmp_path / "Untitled.ipynb", {"cells": [prose("# Notes")], "metadata": {}})
    found = folder.lessons(tmp_path)
    assert list(found.notebooks) == ["98"]
    assert found.notes == []
    lesson = found.notebooks["98"]
    assert (lesson.title, list(lesson.answers)) == ("Signs", ["98.1"])


def test_a_title_has_no_number_and_no_marks(tmp_path):
    assert folder.read(write(tmp_path / "n.ipynb", notebook("97"))).title == "Numbers, and more"
    untitled = {"cells": [code("x = 1", exercise="97.1")]}
    assert folder.read(write(tmp_path / "97_x.ipynb", untitled)).title == "97_x"


def test_of_copied_cells_the_last_counts_and_of_copied_notebooks_the_first(tmp_path):
    content = notebook("98")
    content["cells"].append(code("def negative(x): ...", exercise="98.1"))
    write(tmp_path / "98_signs.ipynb", content)
    write(tmp_path / "98_signs-Copy1.ipynb", notebook("98"))
    found = folder.lessons(tmp_path)
    lesson = found.notebooks["98"]
    assert lesson.answers["98.1"].source == "def negative(x): ..."
    assert lesson.copied == ["98.1"]
    assert found.notes == ["98_signs-Copy1.ipynb: lesson 98 again; 98_signs.ipynb counts"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"cells": [\n{"cell_type" "code"}]}', "line 2, column 14: Expecting ':' delimiter"),
        ("", "line 1, column 1: Expecting value"),
        ("[]", "its cells are not a notebook's"),
        ("{}", "its cells are not a notebook's"),
        ('{"cells": [3]}', "its cells are not a notebook's"),
        ('{"cells": [{"cell_type": "code", "source": [3]}]}', "its cells are not a notebook's"),
        ("[" * 100_000, "its cells are not a notebook's"),
    ],
)
def test_a_broken_notebook_is_one_line(tmp_path, text, what):
    path = tmp_path / "97_numbers.ipynb"
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        folder.read(path)
    assert str(error.value) == f"{path}: cannot be read as a notebook ({what})"
    assert folder.lessons(tmp_path).notes == [str(error.value)]


def test_strange_metadata_is_no_exercise(tmp_path):
    cells = [code("x"), code("y", exercise="../../1.2"), prose("z")]
    cells[0]["metadata"]["recon"] = "1.2"
    cells[2]["metadata"]["recon"] = {"exercise": "1.2"}
    assert folder.read(write(tmp_path / "n.ipynb", {"cells": cells})).answers == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        *((blank, True) for blank in BLANKS.values()),
        ("@cached\ndef f(x):\n    raise NotImplementedError", True),
        ("def f(x):\n    y = x\n    raise NotImplementedError('1.1')", False),
        ("HALF = 1 / 2\ndef f(x):\n    raise NotImplementedError('1.1')", False),
        ("def f(x):\n    'only words'", False),
        ("def f(x:", False),
        ("", False),
    ],
)
def test_an_answer_is_untouched_while_it_only_raises(source, expected):
    assert folder.untouched(source) is expected


def test_which_folder(made_up, tmp_path, monkeypatch):  # noqa: F811
    shipped = made_up / "lessons"
    assert folder.choose(None) == shipped
    elsewhere = tmp_path / "elsewhere"
    write(made_up / "my_lessons" / "97_numbers.ipynb", notebook("97"))
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert folder.choose(None) == made_up / "my_lessons"
    write(elsewhere / "my_lessons" / "97_numbers.ipynb", notebook("97"))
    assert folder.choose(None).resolve() == elsewhere / "my_lessons"
    monkeypatch.chdir(elsewhere / "my_lessons")
    assert folder.choose(None).resolve() == elsewhere / "my_lessons"
    assert folder.choose(shipped) == shipped


def test_a_folder_without_lessons_is_refused(made_up, monkeypatch):  # noqa: F811
    with pytest.raises(BadInput, match="no such folder"):
        folder.choose(made_up / "nowhere")
    with pytest.raises(BadInput, match="no lesson's notebook in it"):
        folder.choose(made_up)
    monkeypatch.setattr(folder, "CHECKOUT", made_up / "nowhere")
    with pytest.raises(BadInput, match="clone the repository"):
        folder.choose(None)


# a blank put back


def dressed(text: str, style: str) -> str:
    """A notebook's text as different programs write it."""
    content = json.loads(text)
    if style == "compact":
        return json.dumps(content)
    if style == "four":
        return json.dumps(content, indent=4, sort_keys=True) + "\n\n"
    if style == "windows":
        return text.replace("\n", "\r\n")
    if style == "escaped":  # one half of a pair, which no encoder takes
        return text.replace("Of which", "\\ud83d Of which")
    return text


@pytest.mark.parametrize("style", ["jupyter", "compact", "four", "windows", "escaped"])
def test_only_the_answers_cell_changes(tmp_path, style):
    content = notebook("97", RIGHT, code('print("ü [{\\" ,")'))
    content["cells"][2]["outputs"] = [{"output_type": "stream", "text": ['"source": ["x"]\n']}]
    answer = content["cells"][5]
    answer |= {"execution_count": 7, "outputs": [{"output_type": "error", "ename": "E"}]}
    path = write(tmp_path / "n.ipynb", content)
    text = dressed(path.read_text("utf-8"), style)
    path.write_bytes(text.encode())
    lesson = folder.read(path)
    folder.put_back(lesson, "97.2", BLANKS["97.2"])
    after = path.read_bytes().decode()
    # the same cells, and the same bytes around the one that changed
    before, now = json.loads(text), json.loads(after)
    new = now["cells"][5]
    assert "".join(new["source"]) == BLANKS["97.2"]
    assert (new["outputs"], new["execution_count"]) == ([], None)
    assert {k: v for k, v in new.items() if k in ("id", "metadata", "cell_type")} == {
        k: v for k, v in answer.items() if k in ("id", "metadata", "cell_type")
    }
    now["cells"][5] = before["cells"][5]
    assert now == before
    spans, spans_after = folder.cells_in(text), folder.cells_in(after)
    assert text[: spans[5].start] == after[: spans_after[5].start]
    assert text[spans[5].stop :] == after[spans_after[5].stop :]
    if style == "jupyter":  # and the cell itself as Jupyter would write it
        assert after == json.dumps(now | {"cells": json.loads(after)["cells"]}, indent=1,
                                   ensure_ascii=False) + "\n"  # fmt: skip


def test_a_lost_exercise_comes_back_where_it_was(tmp_path):
    content = notebook("97", RIGHT)
    content["cells"] = [c for c in content["cells"] if "97.2" not in str(c["metadata"])]
    path = write(tmp_path / "n.ipynb", content)
    folder.put_in(folder.read(path), "97.2", "total", BLANKS["97.2"])
    lesson = folder.read(path)
    assert [c.exercise or c.check for c in lesson.cells[2:]] == [
        "97.1", "97.1", "97.2", "97.2", "97.10", "97.10"
    ]  # fmt: skip
    assert lesson.cells[4].source == BLANKS["97.2"]
    assert lesson.cells[5].source == 'total = check("97.2", total)'
    assert json.loads(path.read_text("utf-8"))["cells"][:4] == content["cells"][:4]
    again = json.dumps(json.loads(path.read_text("utf-8")), indent=1, ensure_ascii=False) + "\n"
    assert path.read_text("utf-8") == again


def test_a_lost_first_exercise_comes_back_at_the_end(tmp_path):
    content = notebook("97", RIGHT)
    content["cells"] = [c for c in content["cells"] if "'97.1'" not in str(c["metadata"])]
    path = write(tmp_path / "n.ipynb", content)
    folder.put_in(folder.read(path), "97.1", "double", BLANKS["97.1"])
    assert [c.exercise or c.check for c in folder.read(path).cells[-2:]] == ["97.1", "97.1"]


def test_an_answer_taken_out_never_replaces_another(tmp_path):
    assert [folder.keep(tmp_path, "97.1", f"x = {n}").name for n in range(3)] == [
        "97.1-1.py", "97.1-2.py", "97.1-3.py"
    ]  # fmt: skip
    assert re.fullmatch("x = 1\n", (tmp_path / "answers" / "97.1-2.py").read_text())
