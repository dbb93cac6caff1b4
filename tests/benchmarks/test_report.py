from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import __main__ as command_line
from benchmarks import plan
from benchmarks.config import Accuracy
from benchmarks.measure import environment
from benchmarks.plan import Task
from benchmarks.plot import plot
from benchmarks.report import report
from benchmarks.results import Row, open_store
from benchmarks.summary import Summary, save_settings
from tests.benchmarks import fakes

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def machine():
    return environment(threads=2)


@pytest.fixture
def config(tmp_path):
    return fakes.config(
        tmp_path,
        datasets=("cora", "citeseer"),
        rounds=3,
        accuracy=Accuracy(seeds=3, contenders=("gatsparse", "scatter", "pyg")),
    )


def make(config, machine, changes=None):
    """A run's folder; :obj:`changes` tells what else than ok a task is, None for no row."""
    save_settings(Path(config.out), config, machine)
    with open_store(Path(config.out, "results.jsonl")) as store:
        for dataset in config.datasets:
            for task in plan.tasks(config, dataset):
                status = (changes or {}).get(task[:3], "ok")
                if status is not None:
                    key = plan.key(task, config, machine)
                    row = Row(*key, status=status, values=fakes.values(task), environment=machine)
                    store.append(row if status == "ok" else replace(row, detail="why [it] is"))
    return Path(config.out)


def table(folder, dataset):
    """The Markdown table of a data set, by contender."""
    part = (folder / "report.md").read_text().split(f"## {dataset}\n\n")[1].split("\n\n")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines()]
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}


def test_table(config, machine):
    folder = make(config, machine)
    console = Console(record=True, width=160)
    report(folder, console)
    assert "dense-concat" in console.export_text()
    for dataset in config.datasets:
        line = table(folder, dataset)["gatsparse"]
        assert line["gate"] == "0.50 of budget"
        assert line["training step (ms)"] == "2 (1.8 to 2.2), 30"
        assert line["relative"] == "1x"
        assert line["peak (GB)"] == "1.00 (+0.90)"
        assert line["accuracy (%)"] == "81.0 ± 1.0, 3"
        line = table(folder, dataset)["dense-concat"]
        assert line["relative"] == "4x"
        assert line["accuracy (%)"] == "by gate"


def test_machine_and_versions(config, machine):
    text = report(make(config, machine), Console(quiet=True)).read_text()
    assert str(machine["cpu"]) in text
    assert f"- torch: {machine['torch']}" in text


def test_trouble(config, machine):
    changes = {
        ("cora", "gatsparse", "gate"): "wrong",
        ("cora", "scatter", "gate"): "unavailable",
        ("cora", "pyg", "step"): "out of time",
        ("cora", "dense-concat", "inference"): "out of memory",
        ("citeseer", "pyg", "reference"): "crashed",
    }
    folder = make(config, machine, changes)
    console = Console(record=True, width=160)
    report(folder, console)
    lines = table(folder, "cora")
    assert list(lines["gatsparse"].values())[1:] == ["wrong", *["-"] * 5]
    assert list(lines["scatter"].values())[1:] == ["unavailable", *["-"] * 5]
    assert lines["pyg"]["training step (ms)"] == "out of time"
    assert lines["pyg"]["inference (ms)"] != "-"
    assert lines["dense-concat"]["inference (ms)"] == "out of memory"
    assert lines["dense-concat"]["relative"] == "-"
    assert all(set(list(line.values())[1:]) == {"-"} for line in table(folder, "citeseer").values())
    for note in (
        "cora gatsparse gate: wrong: why [it] is",
        "citeseer pyg reference: crashed: why [it] is",
    ):
        assert note in console.export_text(clear=False)
        assert (folder / "report.md").read_text().count(f"- {note}") == 1


def test_missing_data_set(config, machine):
    changes = {("citeseer", "pyg", "reference"): "unavailable"}
    folder = make(config, machine, changes)
    console = Console(record=True, width=160)
    text = report(folder, console).read_text()
    assert "## citeseer" not in text
    assert "citeseer pyg reference: unavailable" in text
    assert "citeseer pyg reference: unavailable" in console.export_text()


def test_unfinished_run(config, machine):
    folder = make(config, machine, {("citeseer", "pyg", name): None for name in ("step", "gate")})
    report(folder, Console(quiet=True))
    assert table(folder, "citeseer")["pyg"]["training step (ms)"] == "-"
    assert plot(folder)


def test_other_settings_are_not_mixed_in(config, machine):
    folder = make(config, machine)
    slower = {**machine, "threads": 1}
    summary = Summary.load(folder)
    assert summary.row(Task("cora", "pyg", "step")) is not None
    assert replace(summary, environment=slower).row(Task("cora", "pyg", "step")) is None


def test_plots(config, machine):
    changes = {("cora", "dense-concat", "step"): "out of memory"}
    paths = plot(make(config, machine, changes))
    names = ["inference-time.png", "step-time.png", "peak-memory.png"]
    assert [path.name for path in paths] == names
    assert all(path.read_bytes().startswith(PNG) for path in paths)


@pytest.mark.parametrize("command", ["report", "plot"])
def test_no_run_there(tmp_path, capsys, command):
    assert command_line.main([command, str(tmp_path)]) == 1
    assert "expected the folder of a run" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "plot"])
def test_commands(config, machine, command):
    folder = make(config, machine)
    assert command_line.main([command, str(folder)]) == 0
    assert (folder / ("report.md" if command == "report" else "step-time.png")).exists()
