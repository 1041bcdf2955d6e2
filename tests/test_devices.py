"""recon.devices: several devices and several machines train as one does."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from recon import commandline, devices
from recon.data import photos, safari
from recon.devices import Team
from recon.errors import BadInput
from recon.train import train

TESTS = Path(__file__).parent
BACKENDS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(not importlib.util.find_spec(name), reason=f"no {name} here"),
    )
    for name in ("tensorflow", "jax")
]


# What is asked for


def error_of(capsys, *arguments):
    """The one line of an error, its code being 2."""
    with pytest.raises(SystemExit) as end:
        commandline.run(train, [str(argument) for argument in arguments])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--devices", 0), "--devices 0: must be 1 or more"),
        (("--machines", "here", "--machine", 0), "--machines here: not a HOST:PORT"),
        (("--machines", "a:1", "b:2"), "say with --machine which one this is, 0 to 1"),
        (("--machines", "a:1", "b:2", "--machine", 2), "--machine 2: there are 2, numbered from 0"),
        (("--machine", 1), "--machine 1: name all with --machines HOST:PORT HOST:PORT"),
    ],
)
def test_what_cannot_be_meant(tmp_path, capsys, options, told):
    assert told in error_of(capsys, *options, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_machines_may_be_named_by_tf_config(monkeypatch):
    config = '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}'
    monkeypatch.setenv("TF_CONFIG", config)
    assert devices.cluster(None, None) == (["a:1", "b:2"], 1)
    assert devices.cluster(["c:3"], 0) == (["c:3"], 0)  # what is said counts
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"ps": ["a:1"]}}')
    with pytest.raises(BadInput, match="TF_CONFIG: names no workers"):
        devices.cluster(None, None)


@pytest.mark.parametrize(
    ("batch_size", "halves", "told"),
    [
        (10, False, "--batch-size 10: does not divide among 4 devices; take 8 or 12"),
        (12, True, "--batch-size 12: does not divide among 4 devices, half by half; take 8 or 16"),
        (3, False, "--batch-size 3: does not divide among 4 devices; take 4"),
    ],
)
def test_a_batch_must_divide_among_the_devices(batch_size, halves, told):
    with pytest.raises(BadInput, match="^" + told + "$"):
        Team(devices=4).check_batch(batch_size, halves)


def test_no_more_gpus_than_there_are():
    with pytest.raises(
        BadInput, match="--devices 4: this machine has 1 GPU; name so many or fewer"
    ):
        devices.check_count(4, 1)


# Who reads what


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [20, 23])
def test_machines_read_every_photo_of_a_plan_once(workers, count):
    """Whatever their number, the batches are the same, and each row of them is one machine's."""
    from recon.data import pipeline

    order, _ = pipeline.epoch_plan(count, count // 10, 10, 7, 3)
    teams = [Team(machines=workers, machine=number) for number in range(workers)]
    parts = [pipeline.part(order, 10, team.rows(10, False)).numpy() for team in teams]
    batches = np.concatenate([part.reshape(count // 10, -1) for part in parts], axis=1)
    np.testing.assert_array_equal(batches.ravel(), order)
    assert len(set(batches.ravel())) == batches.size == 20


@pytest.mark.parametrize("machines", [1, 2])
def test_replicas_get_as_much_of_either_half(monkeypatch, machines):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    teams = [Team(2, machines, number) for number in range(machines)]
    rows = np.concatenate([team.rows(16, True) for team in teams]).reshape(2 * machines, 2, -1)
    assert (rows[:, 0] < 8).all()
    assert (rows[:, 1] >= 8).all()
    assert sorted(rows.ravel()) == list(range(16))


def test_validation_leaves_out_what_cannot_be_shared():
    team = Team(devices=4)
    np.testing.assert_array_equal(team.shared(23, 8, False), np.arange(20))
    with pytest.raises(BadInput, match="4 devices cannot share 3 validation photos"):
        team.shared(3, 8, False)


# The same training


CURVES = """
import recon, sys
import keras, numpy as np, tensorflow as tf
from recon import devices, feeding, fitting
from recon.models import pix2pix, unet
team = devices.start(int(sys.argv[1]))
generator = np.random.default_rng(0)
wire = {
    "photo": generator.integers(0, 256, (24, 32, 32, 3), "uint8"),
    "corners": generator.integers(0, 23, (24, 2, 2), "int32"),
}
def run(team, build, validated):
    keras.utils.set_random_seed(0)
    with team.scope():
        model = build()
        jit = keras.backend.backend() == "jax"
        model.compile(fitting.optimizer("adam", 1e-3, 0.5, 0.5, 0.9, 6), jit_compile=jit)
        fed = feeding.Fed(model)
        devices.prepare(fed, team)
        batches = tf.data.Dataset.from_tensor_slices(wire).batch(8).repeat()
        batches = team.distributed(batches)
        steps = {"steps_per_epoch": 3}
        if validated:
            steps |= {"validation_data": batches, "validation_steps": 3}
        past = fed.fit(batches, epochs=2, verbose=0, **steps).history
        return past, [keras.ops.convert_to_numpy(v) for v in model.variables]
builds = {
    "pix2pix": lambda: pix2pix.Pix2Pix(32, filters=2, widest=4, judge_filters=2, dropout=0.0),
    "unet": lambda: unet.UNet(32, patch=2, widths=(4, 4)),
}
for name in sys.argv[2:]:
    validated = name == "unet"  # a GAN takes its time to compile
    one, weights = run(devices.ALONE, builds[name], validated)
    several, others = run(team, builds[name], validated)
    assert set(one) == set(several)
    for term in one:
        np.testing.assert_allclose(one[term], several[term], rtol=2e-4, atol=2e-5, err_msg=term)
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    print("same", len(one))
"""


@pytest.mark.parametrize(
    ("backend", "count", "names"),
    [
        pytest.param("tensorflow", 8, ("unet",)),
        # Two: TensorFlow makes a copy of the step for each, and a GAN's takes it seconds.
        pytest.param("tensorflow", 2, ("pix2pix",), marks=pytest.mark.slow),
        pytest.param("jax", 8, ("unet", "pix2pix"), marks=BACKENDS[1].marks),
    ],
)
def test_several_devices_give_the_loss_curve_and_the_weights_of_one(backend, count, names):
    done = subprocess.run(
        [sys.executable, "-c", CURVES, str(count), *names],
        env=environment(backend),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("same") == len(names)


def environment(backend, **more):
    path = os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    return {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": path,
        **more,
    }


def machine(backend, *arguments, **more):
    """A process that trains a tiny network; see one_machine.py."""
    options = ("--model", "tiny", "--size", 32, "--epochs", 2, "--steps-per-epoch", 2)
    options += ("--batch-size", 4, "--precision", "float32", *arguments)
    return subprocess.Popen(
        [sys.executable, str(TESTS / "one_machine.py"), *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(backend, **more),
    )


def ended(*running):
    """Exit codes of processes, and what they wrote to standard error."""
    told = [process.communicate(timeout=900)[1] for process in running]
    return [process.returncode for process in running], told


def addresses(count):
    """So many of this machine's, free a moment ago."""
    places = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [f"127.0.0.1:{place.getsockname()[1]}" for place in places]
    for place in places:
        place.close()
    return found


def drawn(folder):
    """Twelve drawn photos, two of them for validation: one for each machine."""
    folder.mkdir()
    rows = [(f"{n}.png", "train" if n < 8 else "val" if n < 10 else "test") for n in range(12)]
    for number, (file, _) in enumerate(rows):
        photos.write(folder / file, safari.draw(number, 32, 0))
    pd.DataFrame(rows, columns=["path", "split"]).to_csv(folder / "manifest.csv", index=False)
    return folder


def assert_same_history(some, others):
    some, others = (pd.read_csv(out / "history.csv") for out in (some, others))
    pd.testing.assert_frame_equal(some, others, check_exact=False, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize(
    "backend",
    ["tensorflow", pytest.param("jax", marks=[*BACKENDS[1].marks, pytest.mark.slow])],
)
def test_a_machine_that_is_killed_comes_back_and_nothing_is_lost(backend, tmp_path):
    """And the end is that of one machine alone, on another number of devices."""
    data, out, alone = ("--data", drawn(tmp_path / "photos")), tmp_path / "run", tmp_path / "alone"
    codes, told = ended(machine(backend, *data, "--out", alone))
    assert codes == [0], told

    def both(*more, **environment):
        team = "--machines", *addresses(2), *data, "--out", out, *more
        return ended(
            machine(backend, *team, "--machine", 0),
            machine(backend, *team, "--machine", 1, **environment),
        )

    codes, told = both(RECON_DIE="2")
    assert codes == [2, -9], told
    assert "another machine is gone; go on with: python -m recon.train" in told[0]
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["00001.keras"]
    codes, told = both("--resume")
    assert codes == [0, 0], told
    assert_same_history(out, alone)
