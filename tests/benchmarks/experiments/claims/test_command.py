"""The command: training, rows, report."""

import csv
import subprocess
import sys

import pytest

from benchmarks.experiments.claims import __main__ as claims
from benchmarks.experiments.claims.models import ATTENTIVE, MODELS
from benchmarks.experiments.claims.training import Failure, Task, read, train
from tests.benchmarks.experiments.claims.made_up import ACCURACIES, made_up


def test_torn_last_row_is_dropped_and_reading_does_not_write(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert read(path) == {}
    findings = made_up(dict.fromkeys(MODELS, (0.8, 0.6)))
    lines = [row.to_json() for row in findings.rows.values()]
    text = "\n".join(lines) + "\n" + lines[0][:20]
    path.write_text(text)
    assert read(path) == findings.rows
    assert path.read_text() == text
    path.write_text("[]\n")
    with pytest.raises(ValueError, match="1: expected a row"):
        read(path)


@pytest.fixture
def in_process(monkeypatch):
    """Trains in this process; returns the list of the tasks trained."""
    trained = []

    def run(tasks, processes):  # noqa: ARG001
        for task in tasks:
            trained.append(task)
            yield train(task)

    monkeypatch.setattr(claims, "run", run)
    return trained


SMALL = ["--datasets=digits", "--seeds=2", "--epochs=2", "--noise", "100", "0"]


def test_main_writes_the_report_and_resumes(tmp_path, capsys, in_process):
    arguments = [*SMALL, "--out", str(tmp_path)]
    assert claims.main(arguments) == 0
    assert len(in_process) == 2 * 2 * len(MODELS)
    report = (tmp_path / "report.md").read_text()
    printed = capsys.readouterr().out
    assert "16/16 digits" in printed
    assert str(tmp_path) not in report
    assert "These are 4 comparisons" in report
    assert "nan" not in report
    for heading in ("What comes out", "Resistance to noisy neighbours", "Asymmetry"):
        assert f"## {heading}\n" in report
    assert (tmp_path / "claims.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "claims.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 16
    for line in lines:
        attentive, noisy = line["model"] in ATTENTIVE, line["noise"] == "100"
        assert bool(line["layer2_noise_share_attention"]) == (attentive and noisy)
        assert bool(line["layer1_score_median"]) == (attentive and not noisy)

    rows = (tmp_path / "rows.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_text("".join(rows[:-1]) + rows[-1][:20])  # torn by a kill
    del in_process[:]
    assert claims.main(arguments) == 0  # continues
    assert len(in_process) == 1
    values = [line.partition('"seconds"')[0] for line in rows]
    again = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [line.partition('"seconds"')[0] for line in again] == values


def test_failed_training_keeps_the_others(tmp_path, capsys, monkeypatch):
    def run(tasks, processes):  # noqa: ARG001
        for task in tasks:
            if task.seed == 1 and task.model == "GCN":
                yield Failure(task, "MemoryError: no more")
            else:
                yield made_up(ACCURACIES, seeds=3).rows[task]

    monkeypatch.setattr(claims, "run", run)
    arguments = ["--datasets=digits", "--epochs=1", "--noise", "0", "100", "--out", str(tmp_path)]
    assert claims.main([*arguments, "--seeds=3"]) == 1
    assert "failed: digits GCN, 0 % noise, seed 1: MemoryError: no more" in capsys.readouterr().err
    report = (tmp_path / "report.md").read_text()
    assert "- 2 trainings, of which the first is digits GCN, 0 % noise, seed 1: Memory" in report
    assert "- 2 seeds; 1 epochs" in report
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3 * 2 * len(MODELS) - 2
    with (tmp_path / "claims.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3 * 2 * len(MODELS) - 2

    assert claims.main([*arguments, "--seeds=2"]) == 1  # only one complete seed
    assert "expected at least two seeds" in capsys.readouterr().err


def test_main_rejects_bad_arguments_and_rows(tmp_path, capsys, monkeypatch):
    for wrong in (["--seeds=1"], ["--epochs=0"], ["--processes=0"], ["--noise", "50"]):
        with pytest.raises(SystemExit):
            claims.main([*SMALL, *wrong, "--out", str(tmp_path)])
        assert f"{wrong[0].strip('-').split('=')[0]}: expected" in capsys.readouterr().err

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "run", interrupted)
    assert claims.main([*SMALL, "--out", str(tmp_path)]) == 130
    assert "continues the run" in capsys.readouterr().out
    (tmp_path / "rows.jsonl").write_text("no row\n")
    assert claims.main([*SMALL, "--out", str(tmp_path)]) == 1
    assert "expected a row" in capsys.readouterr().err


def test_trainings_run_in_processes():
    tasks = [Task("digits", model, 0, 0, 1) for model in ("GAT", "GCN")]
    rows = {row.task: row for row in claims.run(tasks, 1)}
    assert set(rows) == set(tasks)
    assert list(claims.run([], 2)) == []
    (failure,) = claims.run([Task("nowhere", "GAT", 0, 0, 1)], 1)
    assert failure.task.dataset == "nowhere"
    assert "nowhere" in failure.reason


def test_command_shows_its_help():
    command = [sys.executable, "-m", "benchmarks.experiments.claims", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--noise" in done.stdout
