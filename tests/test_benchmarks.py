"""How benchmarks measure, that peers are the same networks, and that README and figures agree."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from benchmarks import __main__ as bench
from benchmarks import measure
from recon.errors import BadInput
from recon.models import bilstm, pix2pix


def test_functions_take_turns_and_each_is_sometimes_first():
    calls = []
    functions = {name: (lambda name=name: calls.append(name)) for name in "abc"}
    taken = measure.alternate(functions, repeats=3, warm=1)
    assert "".join(calls) == "abc" + "abc" + "cba" + "abc"
    assert {name: len(pairs) for name, pairs in taken.items()} == {"a": 3, "b": 3, "c": 3}
    assert all(seconds >= 0 and cpu >= 0 for pairs in taken.values() for seconds, cpu in pairs)


def test_the_median_is_of_seconds_and_of_cpu_seconds_by_themselves():
    assert measure.median([(1.0, 30.0), (9.0, 10.0), (2.0, 20.0)]) == (2.0, 20.0)


def test_threads_are_set_for_every_library(monkeypatch):
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    measure.threads(3)
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    assert [measure.os.environ[name] for name in names] == ["3", "3", "3"]
    assert measure.os.environ["OMP_WAIT_POLICY"] == "passive"


def test_figures_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "figures.json"
    measure.write("some", {"ratio": 1.0}, path)
    with pytest.raises(TypeError):
        measure.write("some", {"ratio": object()}, path)
    assert json.loads(path.read_text()) == {"ratio": 1.0}
    assert [p.name for p in path.parent.iterdir()] == ["figures.json"]


def test_what_is_missing_is_said_with_what_to_do():
    assert measure.missing("json", "keras") is None
    assert (
        measure.missing("json", "no_such_module")
        == "needs no_such_module: pip install no_such_module"
    )


def test_every_figure_has_a_script_that_puts_it_into_words():
    results = bench.results()
    assert {"prompts", "renet", "sampler"} <= set(results) <= set(bench.sources())
    for name, result in results.items():
        rows = bench.script(name).rows(result)
        assert rows
        for row in rows:
            assert all(isinstance(cell, str) and cell and "|" not in cell for cell in row)
            assert row[-1].startswith("python -m benchmarks.")
        assert {"cpu", "versions"} <= set(measure_of(result))


def measure_of(result):
    """What ran, of a result: in it, or in one of its parts."""
    parts = [result, *(part for part in result.values() if isinstance(part, dict))]
    parts += [part["machine"] for part in parts if "machine" in part]
    return next(part for part in parts if "versions" in part)


def test_the_readme_has_the_table_of_the_committed_figures():
    text = bench.README.read_text()
    start, end = bench.between(text)
    assert text[start:end].strip() == bench.table(), "draw it: python -m benchmarks --table-only"


def test_a_readme_without_its_marks_is_named():
    with pytest.raises(BadInput, match="once each, around the table"):
        bench.between(f"no table {bench.MARKS[1]} {bench.MARKS[0]}")


def test_drawing_changes_nothing_but_the_table(monkeypatch, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{bench.MARKS[0]}\nolder\n{bench.MARKS[1]}\nafter\n")
    monkeypatch.setattr(bench, "README", readme)
    monkeypatch.setattr(bench, "results", dict)
    bench.draw()
    assert readme.read_text().splitlines()[::5] == ["before", "after"]
    assert "older" not in readme.read_text()


@pytest.mark.parametrize("name", sorted(bench.sources()))
def test_a_script_says_what_it_needs(name):
    needs = bench.script(name).needs()
    assert needs is None or (len(needs) > 10 and "\n" not in needs)


def test_scripts_run_in_turn_and_those_left_out_have_a_reason(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(bench, "draw", lambda: ran.append("table"))
    monkeypatch.setattr(
        bench,
        "run",
        lambda name, options: ran.append((name, *options)) or {"renet": "no"}.get(name),
    )
    bench.benchmarks(["renet", "sampler"], repeats=2)
    assert ran == [("renet", "--repeats", "2"), ("sampler", "--repeats", "2"), "table"]
    assert "renet:\nleft out: no\nsampler:\n" in capsys.readouterr().out
    with pytest.raises(BadInput, match="nonesuch: no such benchmark; there are "):
        bench.benchmarks(["nonesuch"])


def close(ours, theirs):
    """Equal within 1e-4 of the largest number."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-4 * max(np.abs(ours).max(), 1e-3)


@pytest.fixture
def peers():
    pytest.importorskip("torch", reason='the peer of the benchmarks: pip install -e ".[bench]"')
    from benchmarks import peers

    return peers


def recon_loss(model, masked, mask, photo):
    """The loss of a training step and its gradient for every weight."""
    inputs = {"masked": masked, "mask": mask}
    with tf.GradientTape() as tape:
        guess = model(inputs, training=True)
        loss = model.compute_loss(inputs, photo, guess, training=True)
    return float(loss), tape.gradient(loss, [v.value for v in model.trainable_variables])


def test_pix2pix_in_pytorch_is_the_same_network_with_the_same_step(peers):
    settings = {"filters": 4, "widest": 8, "judge_filters": 3, "dropout": 0.0}
    ours = pix2pix.Pix2Pix(32, kind="instance", **settings)
    given = measure.photos(2, 32)
    loss, gradients = recon_loss(ours, *map(ops.convert_to_tensor, given))

    theirs = peers.Pix2Pix(32, **settings)
    peers.copy_weights(ours.trainable_variables, theirs)
    there = [peers.tensor(x) for x in given]
    guess = theirs.generator(*there[:2]).detach().permute(0, 2, 3, 1)
    close(ours({"masked": given[0], "mask": given[1]}), guess)

    total = theirs(*there)
    total.backward()
    close(loss, total.item())
    for gradient, weights in zip(gradients, theirs.parameters(), strict=True):
        close(peers.as_here(gradient), weights.grad.numpy())


def test_pytorchs_step_is_adams_as_in_keras(peers):
    settings = {"filters": 4, "widest": 8, "judge_filters": 3, "dropout": 0.0}
    ours = pix2pix.Pix2Pix(32, kind="instance", **settings)
    masked, mask, photo = measure.photos(2, 32)
    theirs = peers.Pix2Pix(32, **settings)
    peers.copy_weights(ours.trainable_variables, theirs)
    ours.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), jit_compile=False)
    step = peers.training_step(theirs, peers.adam(theirs, 1e-3, 0.5))
    for _ in range(3):
        loss = ours.train_on_batch({"masked": masked, "mask": mask}, photo)[0]
        assert step(*map(peers.tensor, (masked, mask, photo))) == pytest.approx(loss, rel=1e-3)


def test_dropout_is_where_ours_is(peers):
    ours = pix2pix.generator(64, filters=2, widest=4, kind="instance")
    dropped = [layer.rate for layer in ours.layers if isinstance(layer, keras.layers.Dropout)]
    blocks = [
        [layer.p for layer in block if type(layer).__name__ == "Dropout"]
        for block in peers.Generator(64, 2, 4).up
    ]
    assert dropped == [0.5] * 3
    assert blocks == [[0.5], [0.5], [0.5], [], []]


def test_renet_in_pytorch_is_the_same_network(peers):
    import torch

    hidden, patch = 3, 4
    ours = bilstm.BiLSTM(32, hidden, patch)
    given = measure.photos(2, 32)
    inputs = {"masked": given[0], "mask": given[1]}
    theirs = peers.Regression(peers.ReNet(hidden, patch))
    kernels = [np.asarray(ops.convert_to_numpy(v)) for v in ours.trainable_variables]
    embed, sweeps, (pixels, bias) = kernels[:2], kernels[2:-2], kernels[-2:]
    # Keras lays a patch out as (row, column, colour), PyTorch as (colour, row, column).
    order = np.arange(3 * patch**2).reshape(patch, patch, 3).transpose(2, 0, 1).ravel()
    with torch.no_grad():
        network = theirs.network
        network.embed.weight.copy_(torch.tensor(peers.as_here(embed[0])))
        network.embed.bias.copy_(torch.tensor(embed[1]))
        for lstm, start in zip(network.sweeps, range(0, 24, 6), strict=True):
            for suffix, at in (("", start), ("_reverse", start + 3)):
                kernel, recurrent, shift = sweeps[at : at + 3]
                getattr(lstm, f"weight_ih_l0{suffix}").copy_(torch.tensor(kernel.T))
                getattr(lstm, f"weight_hh_l0{suffix}").copy_(torch.tensor(recurrent.T))
                getattr(lstm, f"bias_ih_l0{suffix}").copy_(torch.tensor(shift))
                getattr(lstm, f"bias_hh_l0{suffix}").zero_()  # cuDNN's layout has a second one
        network.pixels.weight.copy_(torch.tensor(pixels.T[order].copy()))
        network.pixels.bias.copy_(torch.tensor(bias[order].copy()))
    there = [peers.tensor(x) for x in given]
    close(ours(inputs), theirs.network(*there[:2]).detach().permute(0, 2, 3, 1))
    loss = ours.compute_loss(inputs, given[2], ours(inputs))
    close(float(loss), theirs(*there).item())
