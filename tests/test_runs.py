"""recon.runs: a run's folder, read and written."""

import json
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon import runs
from recon.errors import BadInput


def refused(call, *arguments):
    with pytest.raises(BadInput) as caught:
        call(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_model_is_read_with_its_weights(tiny_run):
    model = runs.load_model(tiny_run, "tiny")
    assert model.size == 32
    assert not hasattr(model, "optimizer") or model.optimizer is None


def test_what_is_no_run_is_named(tmp_path):
    assert refused(runs.load_model, tmp_path) == (
        f"{tmp_path}: not a training run (it has no config.json)"
    )
    assert "not a training run" in refused(runs.load_model, tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    assert "not a training run" in refused(runs.load_model, tmp_path / "file")


def test_a_run_of_another_model_is_refused(tiny_run):
    told = refused(runs.load_model, tiny_run, "pix2pix")
    assert told == f"{tiny_run}: a run of tiny, not of pix2pix"


def copy_config(run, folder):
    (folder / "config.json").write_bytes((run / "config.json").read_bytes())


def test_an_unfinished_run_says_how_to_finish_it(tiny_run, tmp_path):
    copy_config(tiny_run, tmp_path)
    told = refused(runs.load_model, tmp_path)
    assert told.startswith(f"{tmp_path}: not trained to its end")
    assert f"python -m recon.train --out {tmp_path} --resume" in told


@pytest.mark.parametrize("keep", [0, 3000, 40_000])
def test_a_damaged_model_is_named(tiny_run, tmp_path, keep):
    copy_config(tiny_run, tmp_path)
    path = tmp_path / "model.keras"
    path.write_bytes((tiny_run / "model.keras").read_bytes()[:keep])
    assert refused(runs.load_model, tmp_path).startswith(f"{path}: cannot be read (")


def test_a_run_of_a_model_that_is_gone(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"settings": {"model": "dodo"}}))
    assert "unknown model 'dodo'" in refused(runs.load_model, tmp_path)


numbers = st.floats(allow_infinity=False, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4))
def test_history_comes_back_bit_for_bit(tmp_path_factory, rows):
    out = tmp_path_factory.mktemp("run")
    history = pd.DataFrame(
        [{"epoch": n + 1, "loss": a, "val_loss": b} for n, (a, b) in enumerate(rows)]
    )
    runs.write_history(out, history)
    pd.testing.assert_frame_equal(runs.read_history(out), history, check_exact=True)
    assert len(runs.read_history(out, epochs=1)) == 1


def test_there_is_no_history_before_the_first_epoch(tmp_path):
    assert runs.read_history(tmp_path).empty


def test_history_may_hold_a_figure_that_is_no_number(tmp_path):
    runs.write_history(tmp_path, pd.DataFrame([{"epoch": 1, "loss": math.nan}]))
    assert math.isnan(runs.read_history(tmp_path).loss[0])


def test_half_written_checkpoints_do_not_count(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for name in ("00002.keras", "00010.keras", ".77-00011.keras"):
        (tmp_path / "checkpoints" / name).write_bytes(b"")
    assert [path.name for path in runs.checkpoints(tmp_path)] == ["00002.keras", "00010.keras"]


def test_what_a_killed_run_left_half_written_goes_when_it_is_resumed(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".77-00001.keras").write_bytes(b"half")
    assert runs.load_checkpoint(tmp_path, model=None) == 0  # no whole one: nothing to load
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_versions_name_what_figures_depend_on():
    assert set(runs.versions()) == {"recon", "python", "keras", "backend", "numpy"}
