"""Logs of a training in CSV and for TensorBoard."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gatsparse.train import EarlyStopping, FitResult, Output, TrainConfig, train
from gatsparse.train.logs import LogFormat

FORMATS: list[LogFormat] = ["csv", "tensorboard"]
Epochs = list[tuple[int, dict[str, float]]]


@pytest.fixture
def config(small_run: TrainConfig) -> TrainConfig:
    return replace(small_run, checkpoint_seconds=0.0, log=FORMATS)


def run(config: TrainConfig) -> list[FitResult]:
    return train(config, output=Output())


def folder_of(config: TrainConfig) -> Path:
    (folder,) = config.run_dir.iterdir()
    return folder


def of_csv(folder: Path) -> Epochs:
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [{key: float(row[key]) for key in row} for row in csv.DictReader(file)]
    return [(int(row.pop("epoch")), row) for row in rows]


def of_tensorboard(folder: Path) -> Epochs:
    events = EventAccumulator(str(folder))
    events.Reload()
    epochs: dict[int, dict[str, float]] = {}
    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            assert tag not in epochs.setdefault(event.step, {}), "the epoch is there twice"
            epochs[event.step][tag] = event.value
    return sorted(epochs.items())


def of_rows(file: Path) -> Epochs:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        (row["epoch"], {key: row[key] for key in row if key not in ("seed", "epoch")})
        for row in rows
    ]


def assert_complete(folder: Path) -> None:
    """Asserts that the logs have each epoch of seeds 5 and 6 once, with its numbers."""
    for seed in (5, 6):
        expected = of_rows(folder / f"seed-{seed}.jsonl")
        assert [number for number, _ in expected] == [1, 2, 3, 4]
        assert of_csv(folder / "csv" / f"seed-{seed}") == expected
        shown = of_tensorboard(folder / "tensorboard" / f"seed-{seed}")
        assert [number for number, _ in shown] == [1, 2, 3, 4]
        for (_, scalars), (_, numbers) in zip(shown, expected, strict=True):
            assert scalars == pytest.approx(numbers, rel=1e-7)  # TensorBoard stores float32


def test_logs_have_every_epoch(config: TrainConfig):
    run(config)
    assert_complete(folder_of(config))


def test_logs_of_parallel_trainings(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()  # other processes do not see the small task
    run(replace(config, processes=2))
    assert_complete(folder_of(config))


def test_results_do_not_depend_on_logs(config: TrainConfig):
    plain = run(replace(config, log=None))
    assert [result.losses for result in run(config)] == [result.losses for result in plain]


def interrupt_at_step(step: int, patch: pytest.MonkeyPatch) -> None:
    cross_entropy, calls = torch.nn.functional.cross_entropy, iter(range(100))

    def interrupted(*args: Any) -> torch.Tensor:
        if next(calls) == 2 * (step - 1):  # a training and a validation loss in each epoch
            raise KeyboardInterrupt
        return cross_entropy(*args)

    patch.setattr("torch.nn.functional.cross_entropy", interrupted)


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 100.0])
def test_resumed_training_has_each_epoch_once_in_its_logs(
    config: TrainConfig, checkpoint_seconds: float, monkeypatch: pytest.MonkeyPatch
):
    config = replace(config, checkpoint_seconds=checkpoint_seconds)
    with monkeypatch.context() as patch:
        interrupt_at_step(4 + 3, patch)  # the second seed's third
        with pytest.raises(KeyboardInterrupt):
            run(config)
    assert len(of_csv(folder_of(config) / "csv" / "seed-6")) == 2
    run(config)
    assert_complete(folder_of(config))


def test_log_that_is_added_to_an_interrupted_run_has_the_finished_seeds(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        interrupt_at_step(4 + 3, patch)
        with pytest.raises(KeyboardInterrupt):
            run(replace(config, log="csv"))
    run(config)
    assert_complete(folder_of(config))


def test_csv_is_written_while_the_training_runs(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
):
    counts: list[int] = []
    update = EarlyStopping.update

    def counting(*arguments: Any) -> bool:
        counts.append(len(of_csv(folder_of(config) / "csv" / "seed-5")))
        return update(*arguments)

    monkeypatch.setattr(EarlyStopping, "update", counting)
    run(replace(config, seeds=[5]))
    assert counts == [0, 1, 2, 3]


def test_missing_package_is_reported_before_the_training(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    message = r"log: tensorboard needs tensorboard, which .* pip install 'gatsparse\[watch\]'$"
    with pytest.raises(ImportError, match=message):
        run(config)
    assert not config.run_dir.exists()


def test_training_without_logs_loads_no_tensorboard(tmp_path: Path):
    code = """
import sys
from gatsparse.train import Output, TrainConfig, train
train(TrainConfig("digits", epochs=1, seeds=1), output=Output())
assert "tensorboard" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=tmp_path)
