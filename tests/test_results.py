"""python -m recon.results: what it trains and what not, what it writes, what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recon import classical, commandline, evaluate, fitting, models, perceptual, results, runs
from recon import train as training
from recon.data import catalog
from recon.methods import Method
from recon.results import between, markdown, markers, read_tables

AROUND = ("# Page\r\n\r\nAn older table:\r\n", "\r\nThe end, without a line's end")

DRAWN = '[a]\ndata = "safari"\nsize = 64\n'
TINY = '[[a.runs]]\nmodel = "tiny"\nsize = 32\n'


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with an empty results/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    return tmp_path


def write(place, text, *names):
    """Write the settings file, and a README with markers for tables of these names."""
    (place / "results/tables.toml").write_text(text)
    tables = "\n\n".join(f"{first}\nold\n{last}" for first, last in map(markers, names))
    (place / "README.md").write_bytes((AROUND[0] + tables + AROUND[1]).encode())


def run(*arguments):
    """Exit code of `python -m recon.results`, without a process of its own."""
    try:
        commandline.run(results.results, [str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


def files(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def refusal(place, capsys, *arguments):
    """The one line of an error, its code being 2; nothing was written."""
    before = files(place)
    assert run(*arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert files(place) == before
    return lines[0].removeprefix("error: ")


def forbid_training(monkeypatch):
    def train(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(training, "train", train)


def report(place, name):
    return json.loads((place / f"results/{name}.json").read_text())


def section(name, data, size=32, **keys):
    """A table of the settings file, with one run of the tiny model."""
    table = {key: keys.pop(key) for key in ("seed", "picture") if key in keys}
    lines = [f"[{name}]", f"data = {json.dumps(str(data))}", f"size = {size}"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    lines += [f"[[{name}.runs]]", 'model = "tiny"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n\n"


def finished(tiny_run, **keys):
    """Settings of the finished run that tests share."""
    return {"size": 32, "steps_per_epoch": 3, "out": str(tiny_run)} | keys


# What it trains and writes


def test_a_run_is_trained_once_for_two_tables_and_loaded_ever_after(
    place, drawn_folder, monkeypatch, capsys
):
    short = {"epochs": 1, "steps_per_epoch": 1, "out": "runs/mine"}
    small = section("small", drawn_folder, picture=True, **short)
    large = section("large", drawn_folder, 48, **short).replace(
        'model = "tiny"', 'model = "tiny"\nsize = 32\nname = "shy"'
    )
    write(place, small + large, "small", "large")
    assert run() == 0
    assert "shy: trained already, in runs/mine" in capsys.readouterr().out
    assert {path.name for path in (place / "results").iterdir()} == {
        *("tables.toml", "small.json", "small.png", "large.json")
    }
    with Image.open(place / "results/small.png") as picture:
        assert min(picture.size) > 100

    small, large = report(place, "small"), report(place, "large")
    table = catalog.load(drawn_folder)
    assert (small["data"], small["size"], small["seed"]) == (str(drawn_folder), 32, 0)
    assert (small["split"], small["photos"]) == ("test", int((table.split == "test").sum()))
    assert small["command"] == "python -m recon.results small"
    assert small["versions"] == results.versions()
    assert set(small["methods"]) == {*classical.FILLS, "tiny"}
    assert set(large["methods"]) == {*classical.FILLS, "shy"}
    for name, score in small["methods"].items():
        assert score["lpips"] is None
        assert set(results.FIGURES) <= set(score), name
    trained = json.loads((place / "runs/mine/report.json").read_text())
    tiny, shy = small["methods"]["tiny"], large["methods"]["shy"]
    assert tiny["rmse"] == trained["methods"]["tiny"]["rmse"]
    assert shy["rmse"] != tiny["rmse"]  # through windows, on photos of 48×48
    for score in (tiny, shy):
        assert (score["model"], score["trained_at"]) == ("tiny", 32)
        assert score["weights"] == trained["parameters"]
        assert score["seconds"] == trained["seconds"] > 0
        assert score["cpu_seconds"] == trained["cpu_seconds"] > 0
        assert score["settings"] == {"epochs": 1, "steps_per_epoch": 1}

    readme = (place / "README.md").read_bytes().decode()
    assert readme.startswith(AROUND[0])  # its line ends as they were
    assert readme.endswith(AROUND[1])
    for name, content in (("small", small), ("large", large)):
        start, end = between(readme, name)
        assert readme[start:end].strip() == markdown(content)

    forbid_training(monkeypatch)
    assert run("small") == 0
    again = report(place, "small")
    for content in (small, again):
        for score in content["methods"].values():
            del score["ms_per_photo"]
    assert again == small
    assert report(place, "large") == large


def test_what_was_interrupted_goes_on(place, drawn_folder, monkeypatch, capsys):
    write(place, section("short", drawn_folder, epochs=2, steps_per_epoch=1), "short")
    before = files(place)
    original = fitting.StopAtNaN.on_train_batch_end

    def press(self, batch, logs=None):
        original(self, batch, logs)
        if self.epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting.StopAtNaN, "on_train_batch_end", press)
        assert run("short") == 130
    out = training.default_out(training.Settings(model="tiny", data=str(drawn_folder), size=32))
    assert list(runs.read_history(out).epoch) == [1]
    assert {path: content for path, content in files(place).items() if path in before} == before
    capsys.readouterr()
    assert run("short") == 0
    assert "going on after epoch 1 of 2" in capsys.readouterr().out
    assert list(runs.read_history(out).epoch) == [1, 2]
    assert "tiny" in report(place, "short")["methods"]


def test_lpips_stands_in_the_table_where_there_is_one(
    place, drawn_folder, tiny_run, monkeypatch, capsys
):
    monkeypatch.setattr(perceptual, "load", lambda: lambda photo, done: np.full(len(photo), 0.25))
    write(place, section("known", drawn_folder, **finished(tiny_run)), "known")
    assert run() == 0
    content = report(place, "known")
    assert {score["lpips"] for score in content["methods"].values()} == {0.25}
    assert markdown(content).count("| 0.2500 |") == 5
    assert not (place / "results/known.png").exists()  # not drawn ones: not shown unasked


# The table and the picture


def score(rmse, **more):
    figures = {"rmse": rmse, "lpips": None, "ms_per_photo": 12.34}
    return dict.fromkeys(results.FIGURES, 0.5) | figures | more


def test_the_table_by_hand():
    about = {"trained_at": 64, "weights": 1_508_260, "seconds": 90.0, "cpu_seconds": None}
    methods = {
        "unet": score(0.09, **about),
        "harmonic": score(0.1),
        "dcgan": score(0.12364, **about | {"trained_at": 32}),
        "mean": score(0.2, psnr=20.125),
    }
    assert markdown({"size": 64, "methods": methods}).splitlines() == [
        "| method | RMSE | min–max RMSE | against harmonic | MAE | PSNR, dB | SSIM | detail "
        "| ms per photo | weights, M | training, min |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| mean | 0.2000 | 0.5000 | +100.0% | 0.5000 | 20.12 | 0.5000 | 0.50 | 12.3 | – | – |",
        "| harmonic | 0.1000 | 0.5000 | +0.0% | 0.5000 | 0.50 | 0.5000 | 0.50 | 12.3 | – | – |",
        "| dcgan, trained at 32 | 0.1236 | 0.5000 | +23.6% | 0.5000 | 0.50 | 0.5000 | 0.50 | 12.3 "
        "| 1.51 | 1.5 |",
        "| unet | 0.0900 | 0.5000 | -10.0% | 0.5000 | 0.50 | 0.5000 | 0.50 | 12.3 | 1.51 | 1.5 |",
    ]


def test_fills_stand_in_a_fixed_order_and_networks_by_rmse():
    names = ["harmonic", "b", "biharmonic", "a", "telea", "mean", "c"]
    errors = [1, 2, 3, 4, 5, 6, 3]
    methods = {name: score(error) for name, error in zip(names, errors, strict=True)}
    rows = markdown({"size": 64, "methods": methods}).splitlines()[2:]
    found = [row.split(" | ")[0].removeprefix("| ") for row in rows]
    assert found == ["mean", "telea", "biharmonic", "harmonic", "a", "c", "b"]


def test_only_what_stands_between_the_markers_changes():
    first, last = markers("a")
    readme = f"before\r\n{first}\r\nold | table\r\n{last}\r\nafter {markers('b')[0]}"
    new = results.replaced(readme, "a", "| new |")
    assert new == f"before\r\n{first}\n\n| new |\n\n{last}\r\nafter {markers('b')[0]}"
    assert results.replaced(new, "a", "| new |") == new


def test_the_picture_tells_its_story_in_order(place, monkeypatch):
    names = ["dcgan", "tiny", "bilstm", "unet"]
    for name in names:
        monkeypatch.setitem(models.MODELS, name, "tiny_model")
    runs_ = "".join(f'[[a.runs]]\nmodel = "{name}"\nsize = 32\n' for name in names)
    write(place, DRAWN + runs_ + '[[a.runs]]\nmodel = "unet"\nsize = 32\nname = "big"\nout = "b"')
    table = read_tables(Path("results/tables.toml"))["a"]
    learned = [Method(run_.name, None, 32) for run_ in table.runs]
    shown = [method.name for method in results.story(table, learned)]
    assert shown == ["mean", "harmonic", "bilstm", "unet", "big", "dcgan", "tiny"]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("aabbccdd", [0, 2, 4, 6]),
        ("ab" * 5, [0, 8, 1, 9]),
        ("abcabc", [0, 3, 1, 4, 2, 5]),
        ("abcde", [0, 1, 2, 3, 4]),
        ("abcdefgh", [0, 1, 2, 4, 5, 7]),
        ("ab", [0, 1]),
    ],
)
def test_the_picture_shows_photos_of_every_class(classes, expected):
    table = pd.DataFrame({"class": list(classes)})
    assert list(results.exemplars(table).index) == expected


def test_photos_without_classes_are_spread():
    assert list(results.exemplars(pd.DataFrame({"class": [""] * 10})).index) == [0, 3, 6, 9]


# What it refuses


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a\ndata = 1", "not TOML: "),
        ("[a]\ndata = 'x'\nsize = 03", "line 3"),
        ("", "names no table"),
        ("a = 1", "[a]: not a table; write [NAME] above its keys"),
        ('["a/b"]\nsize = 1', "[a/b]: a table's name has letters"),
        ("[a]\nsize = 64", "[a]: data is missing"),
        ('[a]\ndata = "safari"', "[a]: size is missing"),
        (
            DRAWN + "sise = 3",
            "[a]: unknown key 'sise'; choose from data, size, seed, picture, runs",
        ),
        ('[a]\ndata = "safari"\nsize = "64"', "[a]: size = '64': must be a whole number"),
        ('[a]\ndata = "safari"\nsize = true', "[a]: size = True: must be a whole number"),
        ('[a]\ndata = "x"\nsize = 16', "[a]: size = 16: must be 32 or more"),
        ('[a]\ndata = "safari"\nsize = 600', "600: photos are drawn from 32 to 512"),
        (DRAWN + "picture = 1", "[a]: picture = 1: must be true or false"),
        (DRAWN + "runs = 1", "[a]: runs = 1: must be tables of their own"),
        (DRAWN + "runs = [1]", "[a]: runs: not tables; write [[a.runs]]"),
        (DRAWN + "[[a.runs]]\nsize = 64", "[a]: run 1: model is missing"),
        (
            DRAWN + TINY + "epoch = 3",
            "[a]: run 1: unknown key 'epoch'; choose from name, out, model",
        ),
        (DRAWN + TINY + "data = 'x'", "[a]: run 1: unknown key 'data'"),
        (DRAWN + TINY + "epochs = 2.5", "run 1: epochs = 2.5: must be a whole number"),
        (DRAWN + TINY + "epochs = 0", "run 1: --epochs 0: must be 1 or more"),
        (DRAWN + TINY + "ema = 'no'", "run 1: ema = 'no': must be a number"),
        (DRAWN + TINY + "ema = nan", "run 1: --ema nan: must be 0 or more"),
        (DRAWN + TINY + "objective = 'l2'", "must be one of bce, lsgan, hinge"),
        (DRAWN + "[[a.runs]]\nmodel = 'gan'", "[a]: run 1: "),
        (DRAWN + "[[a.runs]]\nmodel = 'tiny'\nsize = 48", "[a]: run 1: --size 48"),
        (DRAWN + TINY + TINY, "[a]: run 2: another method is called 'tiny' too"),
        (DRAWN + TINY + "name = 'mean'", "[a]: run 1: another method is called 'mean' too"),
        (DRAWN + TINY + TINY + "name = 'b'", "run 2: runs/tiny-safari-32 is another run's folder"),
        (
            DRAWN + TINY + (DRAWN + TINY).replace("[a", "[b").replace("[[a", "[[b") + "epochs = 9",
            "[b]: runs/tiny-safari-32 has other settings in [a]; name another out",
        ),
    ],
)
def test_a_bad_settings_file_is_one_line_before_any_training(
    place, text, told, monkeypatch, capsys
):
    forbid_training(monkeypatch)
    write(place, text, "a", "b")
    line = refusal(place, capsys)
    assert line.startswith("results/tables.toml: ")
    assert told in line


def test_an_unknown_table_and_an_absent_file(place, capsys):
    write(place, DRAWN, "a")
    assert refusal(place, capsys, "b") == "results/tables.toml: no table [b]; choose from a"
    assert refusal(place, capsys, "--tables", "gone.toml").startswith("gone.toml: No such file")
    (place / "results/tables.toml").write_bytes(b"\xff")
    assert "results/tables.toml: not TOML" in refusal(place, capsys)


@pytest.mark.parametrize("fault", ["none", "twice", "order", "end", "text", "gone"])
def test_a_readme_without_its_markers(place, fault, drawn_folder, monkeypatch, capsys):
    forbid_training(monkeypatch)
    write(place, section("a", drawn_folder))
    first, last = markers("a")
    texts = {
        "none": "nothing",
        "twice": f"{first}\n{last}\n{first}\n{last}",
        "order": f"{last}\n{first}",
        "end": first,
    }
    told = f"README.md: must have the line '{first}' once, and after it '{last}' once"
    (place / "README.md").write_text(texts.get(fault, ""))
    if fault == "text":
        (place / "README.md").write_bytes(b"\xff")
        told = "README.md: not a text in UTF-8"
    if fault == "gone":
        (place / "README.md").unlink()
        told = "README.md: No such file"
    assert refusal(place, capsys).startswith(told)


def test_photos_are_looked_for_before_any_training(place, drawn_folder, monkeypatch, capsys):
    forbid_training(monkeypatch)
    write(place, section("a", drawn_folder) + section("b", "gone"), "a", "b")
    assert refusal(place, capsys) == "results/tables.toml: [b]: gone: no such folder"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"epochs": 5}, "was trained with epochs = 3, not 5; set epochs here, or name another out"),
        ({"steps_per_epoch": 4}, "was trained with steps_per_epoch = 3, not 4"),
        ({"seed": 1}, "was trained with seed = 0, not 1"),
        ({"size": 64}, "was trained with size = 32, not 64"),
        ({"precision": "mixed_float16"}, "was trained with precision = "),
    ],
)
def test_a_run_that_was_trained_otherwise(
    place, drawn_folder, tiny_run, changed, told, monkeypatch, capsys
):
    forbid_training(monkeypatch)
    keys = finished(tiny_run) | changed
    seed, size = keys.pop("seed", 0), keys.pop("size")
    write(place, section("a", drawn_folder, size, seed=seed, **keys), "a")
    line = refusal(place, capsys)
    assert line.startswith(f"results/tables.toml: [a]: run 1: {tiny_run} ")
    assert told in line


def test_a_run_of_other_photos(place, tiny_run, monkeypatch, capsys):
    forbid_training(monkeypatch)
    write(place, section("a", "elsewhere", **finished(tiny_run)), "a")
    assert "was trained with data = " in refusal(place, capsys)


def test_one_folder_may_be_spelled_in_two_ways_and_auto_is_what_it_came_to(
    place, drawn_folder, tiny_run
):
    spelled = drawn_folder.parent / "gone" / ".." / drawn_folder.name
    text = section("a", spelled, **finished(tiny_run), precision="auto")
    write(place, text, "a")
    (run_,) = read_tables(Path("results/tables.toml"))["a"].runs
    assert results.state(run_) == "finished"


def test_a_folder_that_is_no_run_and_a_damaged_report(place, drawn_folder, tiny_run, capsys):
    (place / "mine").mkdir()
    (place / "mine/notes.txt").write_text("mine")
    keys = finished(tiny_run) | {"out": "mine"}
    write(place, section("a", drawn_folder, **keys), "a")
    assert "[a]: run 1: mine: not a training run" in refusal(place, capsys)
    (place / "mine/config.json").write_bytes((tiny_run / "config.json").read_bytes())
    (place / "mine/report.json").write_text("{}")
    assert "mine/report.json: damaged; remove mine" in refusal(place, capsys)


def test_pictures_are_of_drawn_photos_unless_others_are_asked_for(place):
    text = DRAWN + '[b]\ndata = "animals"\nsize = 64\n[c]\ndata = "mine"\nsize = 64\npicture = true'
    write(place, text)
    tables = read_tables(Path("results/tables.toml"))
    assert [table.picture for table in tables.values()] == [True, False, True]


def test_a_table_of_fills_alone_is_that_of_evaluate(place, drawn_folder):
    write(place, f"[a]\ndata = {json.dumps(str(drawn_folder))}\nsize = 32", "a")
    assert run() == 0
    test = catalog.split_of(catalog.load(drawn_folder), "test")
    chosen, _ = evaluate.choose(results.FILLS, 32, str(drawn_folder))
    expected = evaluate.compare(chosen, test, 32)
    for name, figures in report(place, "a")["methods"].items():
        assert set(figures) == set(results.FIGURES)
        for figure in set(figures) - {"ms_per_photo", "lpips"}:
            assert figures[figure] == expected[name][figure]
