"""Reports of the committed rows equal the committed reports."""

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import style
from benchmarks.__main__ import main
from benchmarks.report import report

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "cpu-2-cores"


@pytest.mark.parametrize("environment", [True, False])
@pytest.mark.parametrize("name", ["bench", "kernels", "kernels-scaling", "accuracy"])
def test_committed_reports_equal_reports_of_the_rows(tmp_path, monkeypatch, name, environment):
    monkeypatch.setattr(style, "save", lambda *_: None)  # takes seconds
    folder = tmp_path / name
    shutil.copytree(RESULTS / name, folder)
    if not environment:  # the environment of the last row is used
        (folder / "environment.json").unlink()
    report(folder, Console(quiet=True))
    for written in folder.glob("*.[mc][ds]*"):
        assert written.read_text() == (RESULTS / name / written.name).read_text(), written.name


def test_committed_report_of_large_graphs_equals_report_of_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "save", lambda *_: None)
    shutil.copy(RESULTS / "large" / "rows.jsonl", tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    committed = (RESULTS / "large" / "report.md").read_text()
    assert (tmp_path / "report.md").read_text() == committed


def test_rows_of_other_experiments_are_refused(tmp_path, capsys):
    shutil.copy(RESULTS / "claims" / "rows.jsonl", tmp_path)
    assert main(["report", str(tmp_path)]) == 1
    assert "rows.jsonl:1: expected a row" in capsys.readouterr().err
