"""benchmarks.growth: slopes of power laws, what is left out and why, and what the README says."""

import json
import operator
import os

import pytest

from benchmarks import growth, measure

POINT = {"seconds": 1.0, "cpu_seconds": 1.0, "peak": 1e9}


def line(costs):
    return {"name": "it", "points": [{"x": x, "cost": cost} for x, cost in costs.items()]}


def test_the_slope_of_a_power_law_is_its_exponent():
    slope, factor = growth.fit([(x, 0.3 * x**1.7) for x in (64, 128, 256, 512)])
    assert (slope, factor) == pytest.approx((1.7, 0.3))


def test_the_slope_of_scattered_points_is_that_of_least_squares():
    # logarithms to base 2: (0, 0), (1, 2), (2, 1); the mean line rises by 1/2
    slope, _ = growth.fit([(1, 1), (2, 4), (4, 2)])
    assert slope == pytest.approx(0.5)


def test_points_before_the_start_do_not_count():
    found = growth.with_slopes(line({1: 5, 10: 10, 100: 100}), "cost", start=10)
    assert found["slopes"]["cost"] == {
        "slope": pytest.approx(1),
        "factor": pytest.approx(1),
        "over": [10, 100],
    }
    assert growth.named(found, "cost", "side") == "it ∝ side^1.00 from 10"


def test_a_single_point_has_no_slope():
    found = growth.with_slopes(line({1: 5}), "cost")
    assert found["slopes"] == {}
    assert growth.named(found, "cost", "side") == "it"


def test_a_point_that_would_take_too_long_is_left_out_with_its_reason():
    def point(x):
        return POINT | {"cpu_seconds": x**2 / 100}

    said = []
    found = growth.follow("it", (10, 20, 40, 80), 2, point, growth.here, said.append)
    assert [one["x"] for one in found["points"]] == [10, 20, 40]
    assert found["left_out"] == [{"x": 80, "why": "about 64 CPU-seconds a call"}]
    assert said[-1] == "it, 80: left out, about 64 CPU-seconds a call"


def test_of_the_memory_only_what_grows_is_expected_to_grow_on():
    points = [{"x": 1, **POINT}, {"x": 2, **POINT, "peak": 2e9}]
    assert growth.too_much(points, 4, 2) is None  # 1 GB of libraries, and 4 times the other GB
    assert growth.too_much(points, 8, 2) == "about 17.0 GB"


def test_a_process_that_is_killed_leaves_its_point_out():
    assert growth.alone(operator.add, 1, 2) == 3
    found = growth.follow("it", (9,), 1, os._exit, growth.alone, str)
    assert found["points"] == []
    assert "killed" in found["left_out"][0]["why"]


def test_labels_move_apart_and_keep_their_order():
    assert growth.spread([0.1, 0.12, 0.5], 0.1) == pytest.approx([0.1, 0.2, 0.5])


def test_all_of_it_runs_at_tiny_size(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure, "threads", lambda count: None)  # of this process: they are set
    out = tmp_path / "growth.json"
    monkeypatch.setattr("sys.argv", ["growth", "--tiny", "--repeats", "1", "--out", str(out)])
    growth.main()
    result = json.loads(out.read_text())
    starts = result["photos"]["starts"]
    assert [point["x"] for point in starts["points"]] == [40, 80]
    assert [mark["photos"] for mark in starts["points"][0]["memory"]][-1] == 64
    assert len(growth.rows(result)) == 2
    assert "step of unet, 32: " in capsys.readouterr().out
    for part in growth.PARTS:
        assert (tmp_path / f"growth_{part}.png").read_bytes().startswith(b"\x89PNG")


def test_the_readme_says_what_the_figures_say():
    result = json.loads((measure.RESULTS / "growth.json").read_text())
    readme = growth.README.read_text()
    begin, end = growth.in_readme(readme)
    assert readme[begin:end].strip() == growth.words(result)


def test_the_committed_plots_are_small():
    for part in growth.PARTS:
        assert (measure.RESULTS / f"growth_{part}.png").stat().st_size < 100_000
