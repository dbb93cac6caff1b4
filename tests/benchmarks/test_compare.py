"""Comparison of two runs."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from scipy import stats

from benchmarks import plan
from benchmarks.__main__ import main
from benchmarks.compare import compare, differences, flat, welch_interval
from benchmarks.config import Accuracy, Recipe, Sweep, Timing
from benchmarks.rows import Row, Values, open_store
from benchmarks.summary import save_settings
from tests.benchmarks import fakes

MACHINE = {"cpu": "a", "threads": 2, "memory": 1}


def make(config, machine=MACHINE, slower=1.0, status=None):
    """Writes a run's folder, with all times multiplied by a factor."""
    folder = Path(config.out)
    folder.mkdir()
    save_settings(folder, config, machine)
    tasks = [task for name in config.datasets for task in plan.tasks(config, name)]
    for name in plan.graphs(config):
        tasks += [plan.graph(name), *plan.layer_tasks(config, name)]
    with open_store(folder / "results.jsonl") as store:
        for task in tasks:
            values = fakes.values(task)
            if values.median is not None:
                scaled = {k: slower * getattr(values, k) for k in ("median", "p10", "p90")}
                values = replace(values, **scaled)
            row = Row(*plan.key(task, config, machine), "ok", values=values, environment=machine)
            if (status or {}).get(task[1:3]):
                row = replace(row, status=status[task[1:3]], values=Values())
            store.append(row)
    return folder


def compared(a, b):
    console = Console(record=True, width=200)
    compare(a, b, console)
    return console.export_text()


def line(text, *start):
    found = [
        words for words in map(str.split, text.splitlines()) if words[: len(start)] == [*start]
    ]
    return found[0][len(start) :]


def test_ratios_of_rounds_have_confidence_intervals(tmp_path):
    config = fakes.config(tmp_path / "a", rounds=3)
    a, b = make(config), make(replace(config, out=str(tmp_path / "b")), slower=2.0)
    text = compared(a, b)
    cells = line(text, "cora", "pyg", "step")
    assert cells[:5] == ["6", "ms", "12", "ms", "2"]
    assert float(cells[5]) < 2 < float(cells[7])
    assert cells[8] == "1"
    assert "environment: equal" in text
    assert line(text, "out") == [str(a), str(b)]


def test_ratio_of_one_round_has_an_interval_of_percentiles(tmp_path):
    config = fakes.config(tmp_path / "a", recipe=Recipe(("pyg",)))
    a, b = make(config), make(replace(config, out=str(tmp_path / "b")), slower=2.0)
    text = compared(a, b)
    assert line(text, "cora", "pyg", "step")[5:9] == [
        "~",
        f"{1.8 / 1.1:.3g}",
        "to",
        f"{2.2 / 0.9:.3g}",
    ]
    assert line(text, "cora", "pyg", "recipe")[:5] == ["7.5", "s", "7.5", "s", "1"]


def test_accuracies_differ_by_points(tmp_path):
    config = fakes.config(tmp_path / "a", accuracy=Accuracy(seeds=2, contenders=("pyg",)))
    more = replace(config, out=str(tmp_path / "b"), accuracy=Accuracy(4, contenders=("pyg",)))
    cells = line(compared(make(config), make(more)), "cora", "pyg", "accuracy")
    assert cells[:8] == ["80.5", "%,", "2", "81.5", "%,", "4", "+1.0", "points"]


def test_layers_and_different_settings_are_compared(tmp_path):
    config = fakes.layer_config(tmp_path / "a")
    sweep = Sweep(("E1000",), ("GAT",), ("8x8",), ("gatsparse", "pyg"), Timing(seconds=9.0))
    other = replace(config, out=str(tmp_path / "b"), layers=(sweep,))
    text = compared(make(config), make(other, machine={**MACHINE, "cpu": "b"}))
    assert line(text, "cpu") == ["a", "b"]
    assert line(text, "layers[0].timing.seconds") == ["5.0", "9.0"]
    assert line(text, "E1000", "GAT", "8x8", "pyg", "forward")[4] == "1"
    assert "asked for in A alone: " in text


def test_failures_are_shown(tmp_path):
    config = fakes.config(tmp_path / "a")
    status = {("pyg", "step"): "out of memory"}
    a, b = make(config), make(replace(config, out=str(tmp_path / "b")), status=status)
    assert line(compared(a, b), "cora", "pyg", "step")[:4] == ["ok", "out", "of", "memory"]


def test_runs_without_common_measurements(tmp_path):
    a = make(fakes.config(tmp_path / "a"))
    b = make(fakes.config(tmp_path / "b", datasets=("citeseer",)))
    assert "no measurement in common" in compared(a, b)


def test_command_compares_two_folders(tmp_path, capsys):
    a = make(fakes.config(tmp_path / "a"))
    assert main(["compare", str(a), str(a)]) == 0
    assert "configuration: equal" in capsys.readouterr().out
    assert main(["compare", str(a), str(tmp_path)]) == 1
    assert "expected the folder of a run" in capsys.readouterr().err


def test_flat_and_differences():
    nested = {"a": {"b": 1, "c": ({"d": 2}, {"d": None})}, "e": ("x", "y"), "f": {}}
    leaves = {"a.b": "1", "a.c[0].d": "2", "a.c[1].d": "None", "e": "x, y", "f": "{}"}
    assert flat(nested) == leaves
    assert differences({"a": 1, "b": 2}, {"b": 2, "c": 3}) == [["a", "1", "-"], ["c", "-", "3"]]


def test_welch_interval_agrees_with_the_p_value():
    a, b = [1.0, 2.0, 4.0], [1.5, 1.0, 1.2, 1.4]
    low, high = welch_interval(a, b)
    assert low < sum(a) / 3 - sum(b) / 4 < high
    p = stats.ttest_ind(a, b, equal_var=False).pvalue
    assert (low < 0 < high) == (p > 0.05)


@pytest.mark.parametrize("section", ["", "step.", "graphs.NAME.", "layers[].timing."])
def test_help_lists_the_keys_of_the_configuration(capsys, section):
    with pytest.raises(SystemExit) as ended:
        main(["run", "configs/bench.yaml", "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    cells = {
        "": ("memory_limit", "float", "16.0", "Private memory"),
        "step.": ("step.warmup", "float", "1.0", "Seconds of warm-up"),
        "graphs.NAME.": ("graphs.NAME.num_nodes", "int", "required", "Number of nodes"),
        "layers[].timing.": ("layers[].timing.repetitions", "int", "3", "Minimum number"),
    }[section]
    assert any(all(cell in row for cell in cells) for row in printed.splitlines())
