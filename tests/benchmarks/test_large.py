import json
import sys
from pathlib import Path

import pytest

from benchmarks.config import PowerLaw, parse_as
from benchmarks.isolate import Outcome, UnavailableError
from benchmarks.large import __main__ as large
from benchmarks.large import measurements
from benchmarks.large.config import LargeConfig
from benchmarks.large.report import report
from gatsparse.data import DatasetNotFoundError

RESULTS = Path("benchmarks/results/cpu-2-cores")
linux = pytest.mark.skipif(sys.platform != "linux", reason="peaks of a process are read from /proc")


@linux
def test_run_measures_and_resumes(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"out: {tmp_path / 'out'}\n"
        "graphs: {small: {num_nodes: 3000, num_edges: 30000}}\n"
        "seeds: 2048\nsteps: 2\nbudgets: [1GB, 100MB, 1MB]\ntime_limit: 120\n"
    )
    assert large.main([str(config)]) == 1  # one budget is too small
    assert (
        "failed: small inference within 1MB, on disk gatsparse: crashed" in capsys.readouterr().err
    )
    report = (tmp_path / "out" / "report.md").read_text()
    rows = {tuple(line.split(" | ")[:3]): line for line in report.splitlines() if "| small" in line}
    assert len(rows) == 10
    for what, words in {
        "structure": ["torch.argsort", "+"],
        "step": ["of the floor"],
        "sampling": ["M edges/s", "a loop in NumPy"],
        "sampled epoch": ["drawing batches alone"],
        "inference within 1GB": ["difference from the whole graph"],
        "inference within 100MB, on disk": ["difference from the whole graph"],
        "inference within 1MB, on disk": ["crashed", "max_memory: layer 1 needs"],
    }.items():
        row = rows["| small", what, "gatsparse"]
        assert all(word in row for word in words), row
    for what in ("step", "sampled epoch", "inference"):
        assert " s |" in rows["| small", what, "pyg"]

    before = len((tmp_path / "out" / "rows.jsonl").read_text().splitlines())
    with (tmp_path / "out" / "rows.jsonl").open("a") as file:
        file.write('{"graph": "sm')  # torn by a kill
    assert large.main([str(config)]) == 1  # nothing is missing
    assert len((tmp_path / "out" / "rows.jsonl").read_text().splitlines()) == before
    lines = (tmp_path / "out" / "rows.jsonl").read_text().splitlines()
    for row in map(json.loads, lines):
        if "difference" in row["numbers"]:
            assert row["numbers"]["difference"] < 1e-5


@linux
def test_out_of_memory_is_a_row(tmp_path, monkeypatch):
    graphs = {"1M": PowerLaw(62500, 1_000_000)}
    config = LargeConfig(str(tmp_path), graphs, memory_limit=1.0)
    rows = [row for row in large.plan(config) if (row.what, row.who) == ("step", "pyg")]
    monkeypatch.setattr(large, "plan", lambda _: rows)
    large.run(config)
    assert "| 1M | step | pyg | out of memory |" in (tmp_path / "report.md").read_text()


def test_missing_data_set_is_unavailable(tmp_path, monkeypatch):
    def missing(*_):
        raise DatasetNotFoundError("no such files")

    monkeypatch.setattr(measurements, "load", missing)
    config = LargeConfig(str(tmp_path), datasets=("tolokers",))
    with pytest.raises(UnavailableError, match="no such files"):
        measurements.structure(config, "tolokers")


def test_committed_config():
    config = parse_as(LargeConfig, "configs/large.yaml", "--out", "elsewhere")
    assert [graph.num_edges for graph in config.graphs.values()][::3] == [10**6, 124 * 10**6]


def test_bad_configurations_are_reported(tmp_path, capsys):
    for text, words in {
        "out: x": "graphs: expected at least one",
        "out: x\ngraphs: {a: {num_nodes: 1, num_edges: 1}}\nsteps: 1": "steps: expected >= 2",
        "out: x\ngraphs: {a: {num_nodes: 1, num_edges: 1}}\nbudgets: [4 miles]": "max_memory",
        "out: x\nmiles: 4": "miles",
    }.items():
        path = Path(tmp_path / "config.yaml")
        path.write_text(text)
        assert large.main([str(path)]) == 1
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("difference", [1e-3, float("nan")])
def test_inexact_inference_is_wrong(difference):
    row = large.Row("small", "inference", "gatsparse", dict)
    line = large._line(row, Outcome("ok", value={"seconds": 1.0, "difference": difference}), {})
    assert line["status"] == "wrong"
    assert "difference from the whole graph" in line["detail"]
    assert line["numbers"]["seconds"] == 1.0


def test_report_does_not_change_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.large.report.plot", lambda *_: None)
    text = (RESULTS / "large" / "rows.jsonl").read_text() + '{"graph": "1'
    (tmp_path / "rows.jsonl").write_text(text)
    report(tmp_path)
    assert (tmp_path / "rows.jsonl").read_text() == text


def test_bad_rows_and_missing_rows_raise(tmp_path):
    (tmp_path / "rows.jsonl").write_text("[]\n")
    with pytest.raises(ValueError, match=r"rows.jsonl:1: expected a row"):
        report(tmp_path)
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(ValueError, match="got none"):
        report(tmp_path)
