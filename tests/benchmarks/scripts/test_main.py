import json

import pytest

from benchmarks.exact import TOLERANCE
from benchmarks.scripts import __main__ as scripts
from benchmarks.scripts import measure
from benchmarks.scripts.__main__ import main
from benchmarks.scripts.cases import CASES
from benchmarks.scripts.rows import AccuracyRow
from gatsparse.data import DatasetNotFoundError, load

REAL = ["gat-cora", "gat-citeseer", "gatv2-cora", "gatv2-citeseer", "links-cora"]
DRAWN = ["ogb", "ppi", "hetero-conv", "to-hetero", "molecules"]


def require_data():
    try:
        load("cora")
        load("citeseer")
    except DatasetNotFoundError as error:
        pytest.skip(str(error))


def test_every_script_is_tested():
    assert sorted(REAL + DRAWN) == sorted(CASES)


@pytest.mark.parametrize(("names", "scale"), [(REAL, 0.1), (DRAWN, 0.02)])
def test_main_compares_and_times_scripts(tmp_path, capsys, names, scale):
    if names is REAL:
        require_data()
    arguments = ["--rounds=1", f"--scale={scale}", "--out", str(tmp_path), "--only", *names]
    assert main(arguments) == 0
    report = (tmp_path / "report.md").read_text()
    assert str(tmp_path) not in report + (tmp_path / "scripts.json").read_text()
    assert "failed" not in report + capsys.readouterr().out
    rows = json.loads((tmp_path / "scripts.json").read_text())["scripts"]
    assert [row["script"] for row in rows[::3]] == names
    assert [row["function"] for row in rows[:3]] == ["train", "test", "train + test"]
    for row in rows:
        assert row["load"] == "idle"
        assert row["rounds"] == 1
        assert set(row["seconds"]) == {"PyG", "gatsparse"}
        assert row["error"] <= TOLERANCE


def test_busy_option_times_both_loads(tmp_path):
    arguments = ["--rounds=2", "--scale=0.02", "--busy", "--only", "molecules"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "scripts.json").read_text())["scripts"]
    assert [row["load"] for row in rows] == ["idle"] * 3 + ["one core busy"] * 3
    for row in rows:
        value, low, high = row["gain"]
        assert low <= value <= high
        assert value == pytest.approx(row["seconds"]["PyG"] / row["seconds"]["gatsparse"])


@pytest.mark.parametrize(("ours", "status"), [([0.81, 0.82, 0.83], 0), ([0.71, 0.72, 0.73], 1)])
def test_different_accuracies_fail(monkeypatch, ours, status):
    def row(options):
        assert options.seeds == 3
        found = {"PyG": [0.8, 0.82, 0.83], "gatsparse": ours}
        yield measure.Job("gat-cora", lambda: [AccuracyRow("gat-cora", 200, found)])

    section = scripts._ACCURACIES._replace(measure=row)
    monkeypatch.setattr(scripts, "_ACCURACIES", section)
    assert main(["--only", "molecules", "--rounds=1", "--scale=0.02", "--seeds=3"]) == status


def test_accuracy_is_that_of_the_best_validation():
    scores = iter([[0.9, 0.5, 0.1], [0.9, 0.7, 0.2], [0.9, 0.7, 0.9], [0.9, 0.6, 0.8]])
    script = measure.Script(None, None, lambda: 0.0, lambda: next(scores))
    assert measure.best_accuracy(script, 4) == 0.2


def test_accuracies_need_two_seeds(capsys):
    with pytest.raises(SystemExit):
        main(["--seeds=1"])
    assert "--seeds: expected 0 or at least 2, got 1" in capsys.readouterr().err
