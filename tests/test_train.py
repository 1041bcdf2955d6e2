"""python -m recon.train: what a run leaves behind, how it goes on, how it ends badly."""

import errno
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from recon import commandline, evaluate, fitting, methods, models, plots, runs
from recon import train as training
from recon.data import catalog
from recon.errors import BadInput
from recon.train import Settings, train

TESTS = Path(__file__).parent
TINY = ("--model", "tiny", "--size", "32", "--steps-per-epoch", "3")
FIGURES = {"rmse", "rmse_minmax", "mae", "psnr", "ssim", "detail", "ms_per_photo"}
FIGURES.add("rmse_over_harmonic")


def run(*arguments):
    """Exit code of `python -m recon.train`, without a process of its own."""
    try:
        commandline.run(train, [str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code
    return 0


def error_of(capsys, *arguments):
    """The one line of an error, its code being 2."""
    assert run(*arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def weights(out):
    return runs.load_model(out).get_weights()


def assert_same_run(some, others):
    """Weights and history agree bit for bit."""
    assert (some / "history.csv").read_text() == (others / "history.csv").read_text()
    for a, b in zip(weights(some), weights(others), strict=True):
        np.testing.assert_array_equal(a, b)


def interrupt(monkeypatch, epoch, step):
    """Press Ctrl-C after a step of an epoch, both counted from 1."""
    original = fitting.StopAtNaN.on_train_batch_end

    def press(self, batch, logs=None):
        original(self, batch, logs)
        if (self.epoch + 1, batch + 1) == (epoch, step):
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting.StopAtNaN, "on_train_batch_end", press)


# From a smaller size


def test_a_run_may_begin_with_the_weights_of_a_smaller_one(tiny_run, drawn_folder, tmp_path):
    more = ("--epochs", 1, "--learning-rate", 1e-9, "--data", drawn_folder, "--out", tmp_path / "b")
    assert run("--model", "tiny", "--size", 64, *more, "--start", tiny_run) == 0
    for a, b in zip(
        runs.load_model(tmp_path / "b").trainable_variables,
        runs.load_model(tiny_run).trainable_variables,
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)
    before, after = (runs.read_clock(out) for out in (tiny_run, tmp_path / "b"))
    assert all(after[name] > before[name] for name in before)  # what the weights have cost in all


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--size", "32", "--model", "tiny"), "trained at 32×32, which does not grow to 32×32"),
        (("--size", "64", "--model", "unet"), "a run of tiny, not of unet"),
        (("--size", "64", "--model", "pix2pix"), "pix2pix does not grow from size to size"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(tiny_run, tmp_path, capsys, options, expected):
    more = ("--out", tmp_path / "b", "--start", tiny_run)
    assert expected in error_of(capsys, *options, *more)
    assert not (tmp_path / "b").exists()


def test_a_start_that_is_not_there_or_not_finished_is_refused(tiny_run, tmp_path, capsys):
    place = ("--out", tmp_path / "b", "--start", tmp_path / "a")
    options = ("--model", "tiny", "--size", "64", *place)
    assert "not a training run" in error_of(capsys, *options)
    (tmp_path / "a").mkdir()
    shutil.copy(tiny_run / "config.json", tmp_path / "a")
    assert "not trained to its end" in error_of(capsys, *options)
    assert not (tmp_path / "b").exists()


def test_a_class_without_words_is_said_before_anything_is_written(tmp_path, capsys):
    (tmp_path / "photos" / "horses").mkdir(parents=True)
    for number in range(30):
        place = tmp_path / "photos" / "horses" / f"{number}.png"
        Image.new("RGB", (64, 64), (number, 0, 0)).save(place)
    options = ("--model", "diffusion-small", "--size", 32, "--data", tmp_path / "photos")
    assert "class 'horses'" in error_of(capsys, *options, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


# What a run leaves behind


def test_a_run_holds_all_that_the_module_says(tiny_run):
    names = {path.name for path in tiny_run.iterdir()}
    assert names == {
        *("config.json", "history.csv", "clock.json", "logs", "progress", "checkpoints"),
        *("model.keras", "curves.png", "samples.png", "report.json"),
    }
    progress = sorted(path.name for path in (tiny_run / "progress").iterdir())
    assert progress == ["00001.png", "00002.png", "00003.png"]
    assert [path.name for path in runs.checkpoints(tiny_run)] == ["00003.keras"]
    assert len(list(tiny_run.glob("logs/*/events.out.tfevents.*"))) == 2  # train, validation


def test_history_has_a_row_per_epoch(tiny_run):
    history = pd.read_csv(tiny_run / "history.csv")
    assert list(history.epoch) == [1, 2, 3]
    assert {"loss", "rmse", "val_loss", "val_rmse"} < set(history.columns)
    assert np.isfinite(history).all(axis=None)


def test_config_says_how_to_run_it_again(tiny_run, drawn_folder):
    config = json.loads((tiny_run / "config.json").read_text())
    assert config["settings"] == {
        "model": "tiny",
        "data": str(drawn_folder),
        "size": 32,
        "epochs": 3,
        "steps_per_epoch": 3,
        "batch_size": 2,
        "boxes": 2,
        "zoom": 0.0,
        "gamma": 0.0,
        "optimizer": "adam",
        "learning_rate": 1e-2,
        "beta_1": 0.5,
        "decay_from": 0.5,
        "ema": 0.9,
        "objective": "bce",
        "start": None,
        "precision": training.choose_precision("auto"),  # what auto came to
        "seed": 0,
    }
    assert config["versions"]["keras"] == keras.__version__


def test_the_report_has_the_keys_that_were_promised(tiny_run, drawn_folder):
    report = json.loads((tiny_run / "report.json").read_text())
    assert set(report) == {
        *("data", "size", "split", "photos", "methods"),
        *("model", "seconds", "cpu_seconds", "parameters"),
    }
    assert (report["data"], report["size"], report["split"]) == (str(drawn_folder), 32, "test")
    assert report["photos"] == len(catalog.split_of(catalog.read(drawn_folder), "test"))
    assert set(report["methods"]) == {"mean", "harmonic", "telea", "biharmonic", "tiny"}
    assert all(set(figures) == FIGURES for figures in report["methods"].values())
    assert report["model"] == "tiny"
    assert report["parameters"] == sum(w.size for w in weights(tiny_run))
    assert report["seconds"] > 0


def test_pictures_can_be_opened(tiny_run, drawn_folder):
    for name in ("curves.png", "samples.png"):
        with Image.open(tiny_run / name) as picture:
            assert min(picture.size) > 100
    validation = len(catalog.split_of(catalog.read(drawn_folder), "val"))
    with Image.open(tiny_run / "progress" / "00003.png") as picture:
        assert picture.size == (32 * min(validation, 8), 32 * 3)  # masked, completed, photo


def test_the_model_can_be_loaded_and_asked(tiny_run):
    guess = runs.load_model(tiny_run).predict_on_batch(
        {"masked": np.zeros((1, 32, 32, 3)), "mask": np.ones((1, 32, 32, 1))}
    )
    assert guess.shape == (1, 32, 32, 3)


def test_pix2pix_trains_and_its_generator_and_judge_both_move(drawn_folder, tmp_path, capsys):
    options = ("--data", drawn_folder, "--size", 32, "--epochs", 1, "--steps-per-epoch", 2)
    assert run(*options, "--batch-size", 2, "--out", tmp_path / "run") == 0
    assert "samples.png shows it" in capsys.readouterr().out
    keras.utils.set_random_seed(0)
    fresh = models.find("pix2pix").build(32, "bce")
    trained = runs.load_model(tmp_path / "run", "pix2pix")
    for part in ("generator", "discriminator"):
        before, after = (getattr(model, part).get_weights() for model in (fresh, trained))
        assert any(abs(a - b).max() > 1e-6 for a, b in zip(before, after, strict=True))
    columns = pd.read_csv(tmp_path / "run" / "history.csv").columns
    assert {"judge", "persuade", "l1", "val_rmse"} < set(columns)


def test_mixed_precision_trains(drawn_folder, tmp_path, capsys):
    options = (*TINY, "--data", drawn_folder, "--epochs", 1, "--out", tmp_path / "run")
    assert run(*options, "--precision", "mixed_bfloat16") == 0
    assert "32×32, mixed_bfloat16: " in capsys.readouterr().out
    assert np.isfinite(pd.read_csv(tmp_path / "run" / "history.csv")).all(axis=None)
    assert keras.config.dtype_policy().name == "float32"  # what is measured is the file,
    report = json.loads((tmp_path / "run" / "report.json").read_text())  # as others read it:
    test = catalog.split_of(catalog.read(drawn_folder), "test")
    scores = evaluate.compare([methods.load(str(tmp_path / "run"))], test, 32)
    assert scores["run"]["rmse"] == report["methods"]["tiny"]["rmse"]


# Going on


@pytest.mark.parametrize("moment", [(1, 2), (3, 3)])
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    tiny_run, drawn_folder, tmp_path, moment, monkeypatch, capsys
):
    """With dropout, normalisation, decay, averaged weights; stopped before any
    checkpoint and in the last epoch."""
    out = tmp_path / "a run"
    with monkeypatch.context() as patch:
        interrupt(patch, *moment)
        assert run(*TINY, "--data", drawn_folder, "--out", out) == 130
    told = capsys.readouterr().err
    assert told == f"\nstopped; go on with: python -m recon.train --out '{out}' --resume\n"
    assert not (out / "model.keras").exists()
    assert run("--out", out, "--resume") == 0
    assert_same_run(out, tiny_run)


@pytest.mark.parametrize(
    "more", [("--ema", 0, "--decay-from", 1), ("--precision", "mixed_float16")]
)
def test_a_resumed_run_ends_alike_without_averages_and_with_scaled_losses(
    drawn_folder, tmp_path, more, monkeypatch
):
    options = (*TINY, "--data", drawn_folder, "--epochs", 2, *more)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert run(*options, "--out", whole) == 0
    with monkeypatch.context() as patch:
        interrupt(patch, 2, 2)
        assert run(*options, "--out", halves) == 130
    assert run(*options, "--out", halves, "--resume") == 0  # all settings may be said again
    assert_same_run(whole, halves)


def test_a_run_stopped_between_its_last_epoch_and_its_report(
    tiny_run, drawn_folder, tmp_path, monkeypatch
):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(plots, "curves", stop)
        assert run(*TINY, "--data", drawn_folder, "--out", tmp_path / "run") == 130
    assert run("--out", tmp_path / "run", "--resume") == 0
    assert_same_run(tmp_path / "run", tiny_run)


def process(*arguments, **environment):
    """`python -m recon.train` as a process, with the tiny model in its list.

    It listens to Ctrl-C even if these tests run in the background, where a shell turns that off.
    """
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import recon; from recon import commandline, models; models.MODELS['tiny'] = 'tiny_model';"
        "from recon.train import train; commandline.run(train)"
    )
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )


def signal_in_epoch(running, epoch, number):
    """Send a signal as soon as an epoch has begun."""
    for line in running.stdout:
        if line.startswith(f"Epoch {epoch}/"):
            running.send_signal(number)
            break
    else:
        pytest.fail(f"epoch {epoch} never came: {running.stderr.read()}")
    return running.communicate(timeout=300)[1]


def test_killed_in_the_middle_of_an_epoch_and_resumed(drawn_folder, tmp_path):
    options = ("--model", "tiny", "--size", 32, "--steps-per-epoch", 300, "--data", drawn_folder)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    running = process(*options, "--epochs", 2, "--out", killed)
    signal_in_epoch(running, 2, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert [path.name for path in runs.checkpoints(killed)] == ["00001.keras"]
    assert len(pd.read_csv(killed / "history.csv")) == 1
    assert run("--out", killed, "--resume") == 0
    assert run(*options, "--epochs", 2, "--out", whole) == 0
    assert_same_run(whole, killed)


def test_ctrl_c_ends_a_process_cleanly(drawn_folder, tmp_path):
    out = tmp_path / "run"
    running = process(
        *("--model", "tiny", "--size", 32, "--steps-per-epoch", 2000, "--data", drawn_folder),
        *("--out", out),
    )
    told = signal_in_epoch(running, 1, signal.SIGINT)
    assert running.returncode == 130
    assert told == f"\nstopped; go on with: python -m recon.train --out {out} --resume\n"


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
def test_on_jax_a_run_trains_and_resumes_too(drawn_folder, tmp_path):
    code = f"""
import recon
import sys; sys.path.insert(0, {str(TESTS)!r})
from recon import models; models.MODELS["tiny"] = "tiny_model"
import pytest, pathlib, test_train as t
def test(monkeypatch):
    options = (*t.TINY, "--epochs", 2, "--data", {str(drawn_folder)!r})
    whole, halves = (pathlib.Path({str(tmp_path)!r}, name) for name in ("whole", "halves"))
    assert t.run(*options, "--out", whole) == 0
    with monkeypatch.context() as patch:
        t.interrupt(patch, 2, 2)
        assert t.run(*options, "--out", halves) == 130
    assert t.run("--out", halves, "--resume") == 0
    t.assert_same_run(whole, halves)
with pytest.MonkeyPatch.context() as patch:
    test(patch)
import keras; print("backend:", keras.backend.backend())
"""
    path = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr
    assert "backend: jax" in done.stdout
    assert (tmp_path / "whole" / "report.json").is_file()


# What cannot be resumed


def test_resume_says_when_there_is_nothing_to_resume(tmp_path, capsys):
    told = error_of(capsys, "--out", tmp_path / "none", "--resume")
    assert told.startswith(f"error: {tmp_path / 'none'}: nothing to resume")
    assert "leave --resume out" in told


def test_resume_refuses_a_finished_run(tiny_run, capsys):
    told = error_of(capsys, "--out", tiny_run, "--resume")
    assert "this run is finished" in told
    assert str(tiny_run / "report.json") in told


@pytest.mark.parametrize(
    ("option", "value", "had"),
    [
        ("--learning-rate", "0.5", "with --learning-rate 0.01"),
        ("--size", "64", "with --size 32"),
        ("--seed", "3", "with --seed 0"),
        ("--model", "pix2pix", "with --model tiny"),
        ("--data", "safari", "with --data "),
    ],
)
def test_resume_refuses_a_changed_setting(tiny_run, option, value, had, capsys):
    told = error_of(capsys, "--out", tiny_run, "--resume", option, value)
    assert f"was begun {had}" in told
    assert f"not {value}; leave {option} out" in told


def test_resume_refuses_a_setting_that_was_left_open():
    begun = {"settings": {"model": "tiny", "size": 32, "steps_per_epoch": None}}
    with pytest.raises(BadInput, match="begun without --steps-per-epoch, not 7"):
        training.resume_settings(Settings(steps_per_epoch=7), begun, Path("run"))


def test_resume_takes_what_an_older_version_did_not_keep_from_the_recipe():
    begun = {"settings": {"model": "tiny", "size": 32, "learning_rate": 0.1}}
    settings = training.resume_settings(Settings(), begun, Path("run"))
    assert (settings.beta_1, settings.learning_rate) == (0.5, 0.1)


def test_resume_takes_two_boxes_and_adam_where_an_older_version_knew_nothing_else():
    begun = {"settings": {"model": "unet", "size": 64}}
    settings = training.resume_settings(Settings(), begun, Path("run"))
    assert (settings.boxes, settings.optimizer) == (2, "adam")


def test_resume_takes_auto_as_what_it_came_to():
    begun = {"settings": {"model": "tiny", "size": 32, "precision": "float32"}}
    settings = training.resume_settings(Settings(precision="auto"), begun, Path("run"))
    assert settings.precision == "float32"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "damaged"),
        ("[]", "holds no settings"),
        ("{}", "holds no settings"),
        ('{"settings": {"model": "tiny", "warp": 9}, "versions": {"recon": "7"}}', "by recon 7"),
    ],
)
def test_resume_refuses_a_config_that_makes_no_sense(tmp_path, text, told, capsys):
    (tmp_path / "config.json").write_text(text)
    assert told in error_of(capsys, "--out", tmp_path, "--resume")


def test_resume_names_a_damaged_checkpoint(tiny_run, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(tiny_run, out)
    (out / "report.json").unlink()  # as if it had been killed just before
    checkpoint = out / "checkpoints" / "00003.keras"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    assert f"{checkpoint}: cannot be read" in error_of(capsys, "--out", out, "--resume")


# Runs that end badly


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(
    drawn_folder, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "run"

    class Spoiled(fitting.Reseed):
        """Damages a weight before the second epoch."""

        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            if epoch == 1:
                weight = self.model.trainable_variables[-1]
                weight.assign(np.full(weight.shape, np.nan))

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "Reseed", Spoiled)
        told = error_of(capsys, *TINY, "--data", drawn_folder, "--out", out)
    assert "the loss is nan at step 1 of epoch 2" in told
    assert f"the last good weights are in {out / 'checkpoints' / '00001.keras'}" in told
    assert "--learning-rate" in told
    assert [path.name for path in runs.checkpoints(out)] == ["00001.keras"]
    assert len(pd.read_csv(out / "history.csv")) == 1


def test_weights_spoiled_by_an_epochs_last_step_are_not_saved(drawn_folder, tmp_path, capsys):
    """The step's own loss is that of the weights before it: only validation can tell."""
    out = tmp_path / "run"
    told = error_of(
        *(capsys, "--model", "tiny", "--size", 32, "--steps-per-epoch", 1, "--data", drawn_folder),
        *("--learning-rate", 1e38, "--out", out),
    )
    assert "the validation loss is nan at the end of epoch 1; no epoch was finished" in told
    assert not runs.checkpoints(out)


@pytest.mark.parametrize("module", ["tensorflow", "plain"])
def test_a_disk_that_fills_up_leaves_the_older_checkpoint(
    drawn_folder, tmp_path, monkeypatch, module, capsys
):
    import tensorflow as tf

    original, out = keras.Model.save, tmp_path / "run"
    full = {
        "tensorflow": tf.errors.ResourceExhaustedError(None, None, "No space left on device\nx"),
        "plain": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    }

    def save(model, path):
        if not path.name.endswith("00002.keras"):
            return original(model, path)
        path.write_bytes(b"half")
        raise full[module]

    monkeypatch.setattr(keras.Model, "save", save)
    told = error_of(capsys, *TINY, "--data", drawn_folder, "--out", out)
    assert "no space left on device; mend that, then go on with: python -m recon.train" in told
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["00001.keras"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_file_that_cannot_be_written_to_its_end_leaves_nothing(
    drawn_folder, tmp_path, monkeypatch, capsys
):
    import resource  # the system refuses a write, as it does when the disk is full

    original = runs.save_checkpoint
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limited(out, model, epoch):
        if epoch == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        original(out, model, epoch)

    monkeypatch.setattr(runs, "save_checkpoint", limited)
    try:
        told = error_of(capsys, *TINY, "--data", drawn_folder, "--out", tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "file too large; mend that, then go on with" in told
    places = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert places == ["00001.keras"]


# Settings that cannot be meant


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--size", 48, "pix2pix takes photos of 32, 64, 128, 256, 512 pixels; choose"),
        ("--size", 16, "--size 16: pix2pix takes photos of 32, 64,"),
        ("--size", 1024, "--size 1024: pix2pix takes photos of 32, 64,"),
        ("--size", 0, "--size 0: pix2pix takes photos of 32, 64,"),
        ("--epochs", 0, "--epochs 0: must be 1 or more"),
        ("--steps-per-epoch", -1, "--steps-per-epoch -1: must be 1 or more"),
        ("--batch-size", 0, "--batch-size 0: must be 1 or more"),
        ("--learning-rate", -0.1, "--learning-rate -0.1: must be a number above 0"),
        ("--learning-rate", "nan", "--learning-rate nan: must be a number above 0"),
        ("--learning-rate", "inf", "--learning-rate inf: must be a number above 0"),
        ("--beta-1", 1, "--beta-1 1.0: must be 0 or more and less than 1"),
        ("--decay-from", 1.5, "--decay-from 1.5: must lie between 0 and 1"),
        ("--ema", 1, "--ema 1.0: must be 0 or more and less than 1"),
        ("--zoom", 0.5, "--zoom 0.5: must be from 1 to 8, or 0"),
        ("--zoom", 9, "--zoom 9.0: must be from 1 to 8, or 0"),
        ("--zoom", "nan", "--zoom nan: must be from 1 to 8, or 0"),
        ("--gamma", -0.1, "--gamma -0.1: must be from 0 to 2"),
        ("--gamma", "nan", "--gamma nan: must be from 0 to 2"),
        ("--seed", -1, "--seed -1: must be a whole number from 0 to 2147483647"),
        ("--model", "picasso", "unknown model 'picasso': choose from "),
        ("--epochs", "many", "--epochs"),
        ("--precision", "float8", "--precision"),
        ("--objective", "wgan", "--objective"),
        ("--warp", 9, "--warp"),
    ],
)
def test_settings_that_cannot_be_meant(drawn_folder, tmp_path, option, value, told, capsys):
    out = tmp_path / "run"
    assert told in error_of(capsys, "--data", drawn_folder, option, value, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("model", "option", "value", "told"),
    [
        ("unet", "--objective", "hinge", "hinge: unet has no adversarial loss; leave it out"),
        ("cyclegan", "--batch-size", 7, "--batch-size 7: cyclegan takes an even number of photos"),
        ("dcgan", "--size", 256, "--size 256: dcgan takes photos of 64, 128 pixels; choose one"),
        ("bilstm", "--size", 100, "--size 100: bilstm takes photos of 32, 64, 128, 256, 512"),
    ],
)
def test_settings_that_a_model_does_not_take(tmp_path, model, option, value, told, capsys):
    out = tmp_path / "run"
    assert told in error_of(capsys, "--model", model, option, value, "--out", out)
    assert not out.exists()


def test_data_that_is_not_there_leaves_no_folder_behind(tmp_path, capsys):
    out, data = tmp_path / "run", tmp_path / "nowhere"
    assert f"{data}: no such folder" in error_of(capsys, "--data", data, "--out", out)
    assert not out.exists()


def test_out_must_be_empty(drawn_folder, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    told = error_of(capsys, "--data", drawn_folder, "--out", tmp_path)
    assert told == f"error: {tmp_path}: not empty; choose another --out"


def test_out_that_holds_a_run_can_be_resumed_unless_it_is_finished(
    tiny_run, drawn_folder, tmp_path, capsys
):
    told = error_of(capsys, "--data", drawn_folder, "--out", tiny_run)
    assert told == f"error: {tiny_run}: not empty; choose another --out"
    (tmp_path / "config.json").write_bytes((tiny_run / "config.json").read_bytes())
    told = error_of(capsys, "--data", drawn_folder, "--out", tmp_path)
    assert told == f"error: {tmp_path}: not empty; go on with --resume, or choose another --out"


def test_out_that_cannot_be_a_folder(drawn_folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        told = error_of(capsys, *TINY, "--data", drawn_folder, "--out", out)
        assert told.startswith(f"error: {out}: ")
        assert told.endswith("choose another --out")


def test_by_default_a_run_is_named_after_model_data_and_size(tmp_path):
    settings = Settings(model="pix2pix", data="safari", size=64)
    assert training.default_out(settings) == Path("runs/pix2pix-safari-64")
    settings = Settings(model="pix2pix", data=f"{tmp_path}/holiday/", size=256)
    assert training.default_out(settings) == Path("runs/pix2pix-holiday-256")


# Defaults


def test_what_the_user_leaves_open_is_the_models_recipe():
    settings = training.resolve(Settings(model="tiny", data="photos", epochs=7))
    assert (settings.size, settings.epochs, settings.batch_size) == (256, 7, 2)
    assert training.resolve(Settings(model="tiny")).size == 64  # of the drawn photos


@pytest.mark.parametrize(
    ("flags", "gpus", "chosen", "told"),
    [
        ("fpu amx_bf16", [], "mixed_bfloat16", "mixed_bfloat16 on a CPU with AMX: "),
        ("fpu", ["gpu:0"], "mixed_bfloat16", "mixed_bfloat16 on a GPU: "),
        ("fpu", [], "float32", "float32: "),
    ],
)
def test_auto_precision_is_what_the_hardware_multiplies(monkeypatch, flags, gpus, chosen, told):
    monkeypatch.setattr(Path, "read_text", lambda path: flags)
    monkeypatch.setattr(Path, "exists", lambda path: True)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0", *gpus])
    assert training.choose_precision("auto") == chosen
    assert training.choose_precision("mixed_float16") == "mixed_float16"
    settings = Settings(model="tiny", data="photos", size=64, precision=chosen)
    assert training.summary(settings, {}).startswith(f"tiny on photos at 64×64, {told}")
