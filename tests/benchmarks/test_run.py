import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from benchmarks import __main__ as command_line
from benchmarks import plan
from benchmarks.config import Accuracy, Recipe, Sweep, save
from benchmarks.rows import read
from benchmarks.run import run
from tests.benchmarks import fakes

ROOT = Path(__file__).parents[2]

SLOW_RUN = """
import sys
from rich.console import Console
from benchmarks.config import parse
from benchmarks.run import run
from tests.benchmarks import fakes
run(parse(sys.argv[1]), Console(), fakes.slow)
"""


@pytest.fixture
def console():
    return Console(record=True, width=200)


def rows(folder):
    return list(read(folder / "results.jsonl").values())


def test_every_task_becomes_a_row(tmp_path, console):
    config = fakes.config(tmp_path, rounds=2, recipe=Recipe(fakes.CONTENDERS))
    run(config, console, fakes.measure)
    tasks = plan.tasks(config, "cora")
    assert [row.key[:4] for row in rows(tmp_path)] == tasks
    assert all(row.status == "ok" for row in rows(tmp_path))
    assert fakes.calls(tmp_path) == [" ".join(map(str, task)) for task in tasks]
    text = console.export_text()
    assert "cora pyg step 1: 6 (5.4 to 6.6) ms" in text
    assert "cora pyg recipe 0: 200 epochs in 7.5 s, 82.5 %" in text
    assert "cora dense-concat recipe 0: 10 epochs in 25.0 s" in text


def test_finished_run_measures_nothing(tmp_path, console):
    config = fakes.config(tmp_path)
    run(config, console, fakes.measure)
    before = fakes.calls(tmp_path)
    run(config, console, fakes.measure)
    assert fakes.calls(tmp_path) == before
    assert f"continuing with {len(before)} rows" in console.export_text()


def test_changed_settings_are_measured_again(tmp_path, console):
    config = fakes.config(tmp_path)
    run(config, console, fakes.measure)
    before = fakes.calls(tmp_path)
    run(replace(config, accuracy=Accuracy(epochs=3, seeds=1, processes=1)), console, fakes.measure)
    new = fakes.calls(tmp_path)[len(before) :]
    assert new == [f"cora {name} accuracy 0" for name in ("gatsparse", "scatter", "pyg")]


def test_lost_reference_is_computed_again(tmp_path, console):
    config = fakes.config(tmp_path)
    run(config, console, fakes.measure)
    before = fakes.calls(tmp_path)
    next((tmp_path / "reference").iterdir()).unlink()
    run(config, console, fakes.measure)
    assert fakes.calls(tmp_path)[len(before) :] == ["cora pyg reference 0"]


def test_failures_become_rows(tmp_path, console):
    config = fakes.config(tmp_path, memory_limit=2.0, time_limit=3.0)
    run(config, console, fakes.troubled)
    found = {row.key[1:3]: row for row in rows(tmp_path) if row.round == 0}
    status = {what: row.status for what, row in found.items()}
    assert status == {
        ("pyg", "reference"): "ok",
        ("gatsparse", "gate"): "wrong",
        ("scatter", "gate"): "unavailable",
        ("pyg", "gate"): "ok",
        ("dense-concat", "gate"): "ok",
        ("pyg", "inference"): "ok",
        ("dense-concat", "inference"): "out of time",
        ("pyg", "step"): "crashed",
        ("dense-concat", "step"): "out of memory",
        ("pyg", "accuracy"): "ok",
    }
    assert found["gatsparse", "gate"].detail == "output error 0.3, budget 0.2"
    assert "SIGABRT" in found["pyg", "step"].detail


def test_every_layer_becomes_a_row(tmp_path, console):
    config = fakes.layer_config(tmp_path)
    run(config, console, fakes.measure)
    tasks = [plan.graph(name) for name in plan.graphs(config)]
    tasks += [task for name in plan.graphs(config) for task in plan.layer_tasks(config, name)]
    assert [row.key[:4] for row in rows(tmp_path)] == list(dict.fromkeys(tasks))
    assert all(row.status == "ok" for row in rows(tmp_path))
    text = console.export_text()
    assert "E1000 pyg graph: 100 nodes, 1,000 edges" in text
    assert "E1000 GAT 8x8 gatsparse forward 0: 0.0316 (0.0285 to 0.0348) ms, 10 runs" in text


def one_layer(folder, **changes):
    sweep = Sweep(("E1000",), ("GAT",), ("8x8",), ("gatsparse", "scatter", "pyg"))
    return fakes.layer_config(folder, layers=(sweep,), **changes)


def test_lost_graph_is_drawn_again(tmp_path, console):
    config = one_layer(tmp_path)
    run(config, console, fakes.measure)
    before = fakes.calls(tmp_path)
    next((tmp_path / "reference").glob("E1000-*")).unlink()
    run(config, console, fakes.measure)
    assert fakes.calls(tmp_path)[len(before) :] == ["E1000 pyg graph 0"]


def test_failures_of_layers_become_rows(tmp_path, console):
    config = one_layer(tmp_path, memory_limit=2.0)
    run(config, console, fakes.troubled)
    found = {row.key[:3]: row.status for row in rows(tmp_path)}
    assert found["GAT", "scatter", "layer gate"] == "wrong"
    assert ("E1000 GAT 8x8", "scatter", "forward") not in found
    assert found["E1000 GAT 8x8", "pyg", "forward"] == "ok"
    assert found["E1000 GAT 8x8", "pyg", "forward+backward"] == "out of memory"
    assert found["E1000 GAT 8x8", "gatsparse", "forward+backward"] == "ok"


def test_no_available_graph_raises(tmp_path, console):
    sweep = Sweep(("citeseer",), ("GAT",), ("8x8",))
    config = fakes.config(tmp_path, datasets=(), contenders=("pyg",), layers=(sweep,))
    with pytest.raises(ValueError, match=r"one that is available, got \['citeseer'\]"):
        run(config, console, fakes.troubled)


def test_unavailable_measurements_are_tried_again(tmp_path, console):
    config = fakes.config(tmp_path, contenders=("scatter", "pyg"), rounds=0)
    run(config, console, fakes.troubled)
    run(config, console, fakes.measure)
    assert {row.status for row in rows(tmp_path)} == {"ok"}


def test_fallback_replaces_a_missing_data_set(tmp_path, console):
    config = fakes.config(
        tmp_path, datasets=("citeseer",), fallback="digits", contenders=("pyg",), rounds=0
    )
    run(config, console, fakes.troubled)
    text = console.export_text()
    assert "citeseer is nowhere" in text
    assert "Running on digits instead of citeseer." in text
    assert {row.dataset for row in rows(tmp_path)} == {"citeseer", "digits"}


def test_no_available_data_set_raises(tmp_path, console):
    config = fakes.config(tmp_path, datasets=("citeseer",))
    with pytest.raises(ValueError, match=r"one that is available, got \['citeseer'\]"):
        run(config, console, fakes.troubled)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("contenders", {"contenders": ("pgy",)}),
        ("contenders", {"accuracy": Accuracy(contenders=("pgy",))}),
        ("contenders", {"recipe": Recipe(("pgy",))}),
        ("datasets", {"datasets": ("cora", "pgy")}),
        ("fallback", {"fallback": "pgy"}),
        ("graphs", {"layers": (Sweep(("pgy",), ("GAT",), ("8x8",), ("pyg",)),)}),
        ("contenders", {"layers": (Sweep(("cora",), ("GAT",), ("8x8",), ("pgy",)),)}),
    ],
)
def test_unknown_names_raise(tmp_path, console, key, change):
    with pytest.raises(ValueError, match=rf"{key}: expected one of .*, got 'pgy'"):
        run(fakes.config(tmp_path, **change), console, fakes.measure)


def test_dense_contenders_of_layers_raise(tmp_path, console):
    sweep = Sweep(("cora",), ("GAT",), ("8x8",), ("dense-concat",))
    with pytest.raises(ValueError, match="contenders: expected one of gatsparse, scatter, pyg"):
        run(fakes.config(tmp_path, layers=(sweep,)), console, fakes.measure)


def test_resume_after_kill(tmp_path, console):
    config = fakes.config(tmp_path / "run", threads=1)
    folder = Path(config.out)
    save(config, tmp_path / "bench.yaml")
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, tmp_path / "bench.yaml"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: len(read(folder / "results.jsonl")) >= 3, seconds=60)
    process.kill()
    process.wait()
    wait_until((folder / "worker").read_text, seconds=60)  # empty while it is written
    worker = int((folder / "worker").read_text())
    wait_until(lambda: not psutil.pid_exists(worker), seconds=10)
    kept = (folder / "results.jsonl").read_text()
    assert len(kept.splitlines()) < len(plan.tasks(config, "cora"))

    done = len(fakes.calls(folder))
    run(config, console, fakes.measure)
    assert (folder / "results.jsonl").read_text().startswith(kept)
    assert [row.key[:4] for row in rows(folder)] == plan.tasks(config, "cora")
    finished = {" ".join(map(str, row.key[:4])) for row in rows(folder)[: kept.count("\n")]}
    assert not finished & set(fakes.calls(folder)[done:])


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_ctrl_c_on_the_command_line(tmp_path, monkeypatch, capsys):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    save(fakes.config(tmp_path), tmp_path / "bench.yaml")
    monkeypatch.setattr(command_line, "run", interrupted)
    assert command_line.main(["run", str(tmp_path / "bench.yaml")]) == 130
    assert "continues the run" in capsys.readouterr().out
