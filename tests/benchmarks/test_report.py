import csv
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks import __main__ as command_line
from benchmarks import plan
from benchmarks.config import Recipe
from benchmarks.growth import Curve
from benchmarks.plan import Task
from benchmarks.report import report
from benchmarks.rows import Values
from benchmarks.summary import Summary
from tests.benchmarks import fakes

LAYERS = ("GAT", "GATv2")
PNG = b"\x89PNG"


@pytest.fixture(autouse=True)
def _no_charts(monkeypatch):
    """Charts take seconds, and have tests of their own."""
    for module in ("benchmarks.report", "benchmarks.__main__"):
        monkeypatch.setattr(f"{module}.plot", lambda _: [])


def table(folder, dataset):
    """Returns the Markdown table of a data set, by contender."""
    part = (folder / "report.md").read_text().split(f"## {dataset}\n\n")[1].split("\n\n")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines()]
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}


def test_table_of_a_data_set(config, machine):
    folder = fakes.make(config, machine)
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


def test_report_of_timed_trainings(config, machine):
    config = replace(config, recipe=Recipe(("gatsparse", "pyg", "dense-concat")))
    folder = fakes.make(config, machine, {("citeseer", "pyg", "recipe"): "out of time"})
    report(folder, Console(quiet=True))
    lines = {name: line["200 epochs (s)"] for name, line in table(folder, "cora").items()}
    assert lines == {
        "gatsparse": "2.5 (1x), 82.5 %",
        "scatter": "-",
        "pyg": "7.5 (3x), 82.5 %",
        "dense-concat": "~ 405 (162x), scaled from 10 epochs",
    }
    assert table(folder, "citeseer")["pyg"]["200 epochs (s)"] == "out of time"
    text = (folder / "report.md").read_text()
    assert "- citeseer pyg recipe 0: out of time: why [it] is" in text
    assert "- 200 epochs: wall seconds of one whole training" in text


def test_report_without_timed_trainings_has_no_column_for_them(config, machine):
    folder = fakes.make(config, machine)
    assert "epochs (s)" not in report(folder, Console(quiet=True)).read_text()


def test_report_has_machine_and_versions(config, machine):
    text = report(fakes.make(config, machine), Console(quiet=True)).read_text()
    assert str(machine["cpu"]) in text
    assert f"- torch: {machine['torch']}" in text


def test_failures_are_in_the_tables(config, machine):
    changes = {
        ("cora", "gatsparse", "gate"): "wrong",
        ("cora", "scatter", "gate"): "unavailable",
        ("cora", "pyg", "step"): "out of time",
        ("cora", "dense-concat", "inference"): "out of memory",
        ("citeseer", "pyg", "reference"): "crashed",
    }
    folder = fakes.make(config, machine, changes)
    console = Console(record=True, width=160)
    report(folder, console)
    lines = table(folder, "cora")
    assert list(lines["gatsparse"].values())[1:] == ["wrong", *["-"] * 5]
    assert list(lines["scatter"].values())[1:] == ["unavailable", *["-"] * 5]
    assert lines["pyg"]["training step (ms)"] == "out of time"
    assert lines["pyg"]["inference (ms)"] != "-"
    assert lines["dense-concat"]["inference (ms)"] == "out of memory"
    assert lines["dense-concat"]["relative"] == "-"
    for line in table(folder, "citeseer").values():
        assert list(line.values())[1:] == ["reference crashed", *["-"] * 5]
    for note in (
        "cora gatsparse gate: wrong: why [it] is",
        "citeseer pyg reference: crashed: why [it] is",
    ):
        assert note in console.export_text(clear=False)
        assert (folder / "report.md").read_text().count(f"- {note}") == 1


@pytest.mark.parametrize("status", ["crashed", "unavailable", "out of memory", "out of time"])
def test_gates_without_values_are_reported(config, layers, machine, status):
    changes = {(name, "scatter", "gate"): status for name in config.datasets}
    folder = fakes.make(config, machine, changes)
    report(folder, Console(quiet=True))
    assert list(table(folder, "cora")["scatter"].values())[1:] == [status, *["-"] * 5]
    folder = fakes.make(
        layers, machine, {(name, "scatter", "layer gate"): status for name in LAYERS}
    )
    report(folder, Console(quiet=True))
    assert cells(folder, "E1000:", "GAT 8x8", "scatter") == [status, *["-"] * 6]


@pytest.mark.parametrize("measurement", ["reference", "gate", "step", "accuracy"])
@pytest.mark.parametrize("status", ["crashed", "unavailable", None])
def test_exit_status_is_one_after_failures(config, machine, capsys, measurement, status):
    folder = fakes.make(config, machine, {("cora", "pyg", measurement): status})
    assert command_line.main(["report", str(folder)]) == 1
    printed = capsys.readouterr().err
    if status is None:
        assert "not made yet" in printed
    else:
        assert f"failed: cora pyg {measurement}" in printed
        assert "why [it] is" in printed


@pytest.mark.parametrize(
    "task",
    [("E1000", "pyg", "graph"), ("GAT", "pyg", "layer gate"), ("E1000 GAT 8x8", "pyg", "forward")],
)
def test_exit_status_is_one_after_failures_of_layers(layers, machine, capsys, task):
    folder = fakes.make(layers, machine, {task: "crashed"})
    assert command_line.main(["report", str(folder)]) == 1
    assert f"failed: {' '.join(task)}" in capsys.readouterr().err
    assert f"- {' '.join(task)}" in (folder / "report.md").read_text()


def test_data_set_replaced_by_the_fallback_is_no_failure(config, machine):
    config = replace(config, datasets=("cora", "citeseer"), fallback="cora")
    folder = fakes.make(config, machine, {("citeseer", "pyg", "reference"): "unavailable"})
    assert command_line.main(["report", str(folder)]) == 0


def test_published_rows_are_read_without_the_environment_file(config, machine):
    folder = fakes.make(config, machine)
    (folder / "environment.json").unlink()
    assert Summary.load(folder).failed() == []
    (folder / "environment.json").write_text("{")
    with pytest.raises(ValueError, match=r"environment.json: expected JSON"):
        Summary.load(folder)


def test_missing_data_set_has_no_section(config, machine):
    changes = {("citeseer", "pyg", "reference"): "unavailable"}
    folder = fakes.make(config, machine, changes)
    console = Console(record=True, width=160)
    text = report(folder, console).read_text()
    assert "## citeseer" not in text
    assert "- citeseer pyg reference: unavailable" in text
    assert "citeseer pyg reference: unavailable" in console.export_text()


def test_report_of_an_unfinished_run(config, machine):
    folder = fakes.make(
        config, machine, {("citeseer", "pyg", name): None for name in ("step", "gate")}
    )
    report(folder, Console(quiet=True))
    assert table(folder, "citeseer")["pyg"]["training step (ms)"] == "-"


def test_rows_of_other_settings_are_ignored(config, machine):
    folder = fakes.make(config, machine)
    slower = {**machine, "threads": 1}
    summary = Summary.load(folder)
    assert summary.row(Task("cora", "pyg", "step")) is not None
    assert replace(summary, environment=slower).row(Task("cora", "pyg", "step")) is None


@pytest.mark.parametrize("command", ["report", "plot"])
def test_folder_without_a_run_is_reported(tmp_path, capsys, command):
    assert command_line.main([command, str(tmp_path)]) == 1
    assert "expected the folder of a run" in capsys.readouterr().err


def test_command_writes_the_report(config, machine):
    folder = fakes.make(config, machine)
    assert command_line.main(["report", str(folder)]) == 0
    assert (folder / "report.md").exists()


@pytest.fixture
def layers(tmp_path):
    return fakes.layer_config(tmp_path, rounds=3)


def cells(folder, title, *start):
    """Returns the cells of a table line in a section, after those that it starts with."""
    section = (folder / "report.md").read_text().split(f"## {title}")[1].split("\n## ")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines()]
    (found,) = [line for line in lines if line[: len(start)] == list(start)]
    return found[len(start) :]


def test_layer_tables(layers, machine):
    folder = fakes.make(layers, machine)
    console = Console(record=True, width=200)
    report(folder, console)
    assert "E1000000: 100,000 nodes, 1,000,000 edges" in console.export_text()
    time = ["6000 (5400 to 6600), 30", "0.25"]  # third contender, second of three rounds
    line = cells(folder, "E1000000:", "GAT 8x8", "pyg")
    assert line == ["0.50 of budget", *time, *time, "3x", "0.40 (+0.30)"]
    assert cells(folder, "E1000:", "GAT 8x8", "scatter")[5] == "2x"
    assert cells(folder, "E1000000:", "GATv2 1x4", "2000 (1800 to 2200), 30")[0] == "0.25"
    assert f"on {layers.in_channels} features" in (folder / "report.md").read_text()


def test_growth_has_exponents_of_three_or_more_graphs(layers, machine):
    folder = fakes.make(layers, machine, {("E10000000 GAT 8x8", "pyg", "forward"): "out of memory"})
    report(folder, Console(quiet=True))
    # Only one graph has 3e6 edges or more.
    assert cells(folder, "Growth", "GAT 8x8", "gatsparse") == ["1.50", "-", "1.50", "-"]
    assert cells(folder, "Growth", "GAT 8x8", "pyg") == ["1.50", "-", "1.50", "-"]
    section = (folder / "report.md").read_text().split("## Growth")[1]
    assert "scatter" not in section.split("\n\n")[1]  # measured on one graph only


def test_exponent_is_fitted_from_a_least_number_of_edges():
    def curve(*points):
        return Curve("GAT", "8x8", "pyg", [(e, Values(median=t)) for e, t in points])

    assert curve((10**3, 5.0), (10**5, 1.0), (10**6, 100.0)).exponent() == pytest.approx(2.0)
    assert curve((10**3, 5.0), (10**5, 1.0)).exponent() is None
    points = ((10**5, 7.0), (10**6, 1.0), (10**7, 1000.0))
    assert curve(*points).exponent(least=10**6) == pytest.approx(3.0)


def test_failures_of_layers_are_in_the_tables(layers, machine):
    changes = {
        ("E1000 GAT 8x8", "pyg", "forward+backward"): "out of memory",
        ("GAT", "scatter", "layer gate"): "wrong",
        ("E100000", "pyg", "graph"): "crashed",
    }
    folder = fakes.make(layers, machine, changes)
    console = Console(record=True, width=200)
    report(folder, console)
    line = cells(folder, "E1000:", "GAT 8x8", "pyg")
    assert line[3:] == ["out of memory", "-", "-", "-"]
    assert line[1] != "-"
    assert cells(folder, "E1000:", "GAT 8x8", "scatter") == ["wrong", *["-"] * 6]
    text = (folder / "report.md").read_text()
    assert text.count("- GAT scatter layer gate: wrong: why [it] is") == 1
    assert "## E100000:" not in text
    assert "- E100000 pyg graph: crashed: why [it] is" in text
    assert "E1000 GAT 8x8 pyg forward+backward 0: out of memory" in console.export_text()


def test_missing_graph_has_no_section(layers, machine):
    folder = fakes.make(layers, machine, {("E1000", "pyg", "graph"): "unavailable"})
    text = report(folder, Console(quiet=True)).read_text()
    assert "## E1000:" not in text
    assert "E1000 pyg graph: unavailable: why [it] is" in text


def test_csv_has_every_measurement_of_layers(layers, machine):
    changes = {("E1000 GAT 8x8", "pyg", "forward+backward"): "out of memory"}
    folder = fakes.make(layers, machine, changes)
    report(folder, Console(quiet=True))
    with (folder / "layers.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    tasks = [task for name in fakes.GRAPHS for task in plan.layer_tasks(layers, name)]
    assert len(lines) == len({task[:3] for task in tasks if task.measurement != "layer gate"})
    lines = [line for line in lines if (line["graph"], line["contender"]) == ("E1000", "pyg")]
    forward, both = lines[:2]
    assert forward["measurement"] == "forward"
    assert (forward["heads"], forward["channels"], forward["edges"]) == ("8", "8", "1000")
    assert float(forward["floor_fraction"]) == 0.25
    assert float(forward["median_s"]) == pytest.approx(4 * float(forward["floor_s"]))
    assert (both["status"], both["median_s"]) == ("out of memory", "")
