"""Output of a run: lines, bars, JSON, or nothing."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from gatsparse.nn import BackendReport
from gatsparse.train import (
    Epoch,
    FitResult,
    JsonOutput,
    Output,
    RuleResult,
    RunStart,
    TextOutput,
    TrainConfig,
    train,
)


@pytest.fixture
def config(small_run: TrainConfig) -> TrainConfig:
    return small_run


def start(config: TrainConfig, **options: Any) -> RunStart:
    values = {"resumed": False, "finished": 0, "started": 0, **options}
    return RunStart(config, "runs/digits", [], "1 MB", BackendReport([]), **values)


def epoch(number: int) -> Epoch:
    return Epoch(number, train_loss=1.5, val_loss=1.25, val_score=0.5, test_score=0.25)


def result() -> FitResult:
    rule = RuleResult(best_epoch=3, epochs=4, val_score=0.5, val_loss=1.25, test_score=0.25)
    return FitResult({"val_score": rule}, losses=[1.5] * 4, seconds=2.0, state_dict={})


class Screen:
    """A console whose text is read, and a clock that is set."""

    def __init__(self, terminal: bool = False) -> None:
        self.file, self.now = io.StringIO(), 0.0
        self.console = Console(
            file=self.file, force_terminal=terminal, width=200, color_system=None, highlight=False
        )

    def output(self, progress: Any) -> TextOutput:
        return TextOutput(progress, self.console, clock=lambda: self.now)

    def lines(self) -> list[str]:
        """Returns the lines since the last call."""
        text = self.file.getvalue()
        self.file.seek(0)
        self.file.truncate()
        return text.splitlines()


# Text


def test_lines_of_progress_are_five_seconds_apart(config: TrainConfig):
    screen = Screen()
    output = screen.output(True)
    output.begin(start(config, finished=1))
    screen.lines()
    for second in range(1, 12):
        screen.now = float(second)
        output.epochs([(6, epoch(second))], 90.0)
    assert screen.lines() == [
        f"{second} s: 1 of 2 seed(s) finished; seed 6 epoch {second} of 4, loss 1.5000, "
        "val 50.0%; at most 1 min 30 s left"
        for second in (5, 10)
    ]


def test_slow_epochs_have_a_line_each(config: TrainConfig):
    screen = Screen()
    output = screen.output(True)
    output.begin(start(config))
    screen.lines()
    for number in (1, 2, 3):
        screen.now += 4000.0
        output.epochs([(5, epoch(number))], None)
    lines = screen.lines()
    assert [line.partition("; ")[2] for line in lines] == [
        f"seed 5 epoch {number} of 4, loss 1.5000, val 50.0%" for number in (1, 2, 3)
    ]
    assert lines[0].startswith("1 h 6 min: ")


def test_line_of_progress_shows_four_seeds(config: TrainConfig):
    screen = Screen()
    output = screen.output(True)
    output.begin(start(config))
    screen.lines()
    screen.now = 5.0
    output.epochs([(seed, epoch(1)) for seed in range(6)], None)
    (line,) = screen.lines()
    assert "seed 3 epoch 1" in line
    assert "seed 4" not in line
    assert line.endswith("; and 2 more")


def test_finished_seed_is_not_in_lines_of_progress(config: TrainConfig):
    screen = Screen()
    output = screen.output(True)
    output.begin(start(config))
    output.epochs([(5, epoch(4))], None)
    output.seed_finished(5, result())
    assert screen.lines()[-1] == "seed 5: test 25.0%, val 50.0%, epoch 3 of 4, 2.0 s"
    screen.now = 5.0
    output.epochs([(6, epoch(1))], None)
    assert screen.lines() == [
        "5 s: 1 of 2 seed(s) finished; seed 6 epoch 1 of 4, loss 1.5000, val 50.0%"
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_for_each_epoch(config: TrainConfig, terminal: bool):
    screen = Screen(terminal)
    output = screen.output("epochs")
    output.begin(start(config))
    screen.lines()
    output.epochs([(5, epoch(1)), (5, epoch(2))], 3.0)
    assert screen.lines() == [
        f"seed 5 epoch {number} of 4, loss 1.5000, val 50.0%; at most 3 s left" for number in (1, 2)
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_no_progress(config: TrainConfig, terminal: bool):
    screen = Screen(terminal)
    output = screen.output(False)
    output.begin(start(config))
    screen.lines()
    screen.now = 100.0
    output.epochs([(5, epoch(1))], 3.0)
    assert screen.lines() == []


def test_terminal_shows_a_bar_for_each_running_seed(config: TrainConfig):
    screen = Screen(terminal=True)
    output = screen.output(True)
    output.begin(start(config))
    output.epochs([(5, epoch(2)), (6, epoch(1))], 3.0)
    assert output._bar is not None
    output._bar.refresh()
    shown = "\n".join(screen.lines())
    assert "seeds" in shown
    for text in ("0/2", "seed 5", "2/4", "seed 6", "1/4", "loss 1.5000", "at most 3 s left"):
        assert text in shown
    output.seed_finished(5, result())
    assert [task.description for task in output._bar.tasks] == ["seeds", "seed 6"]
    assert output._bar.tasks[0].completed == 1
    output.close()
    assert not output._bar.live.is_started


def test_bar_of_a_single_seed_shows_the_time_left(config: TrainConfig):
    screen = Screen(terminal=True)
    output = screen.output(True)
    output.begin(start(replace(config, seeds=[5])))
    output.epochs([(5, epoch(2))], 3.0)
    assert output._bar is not None
    (task,) = output._bar.tasks
    assert task.fields["state"] == "loss 1.5000, val 50.0%, at most 3 s left"
    output.close()


def test_resumed_run_is_announced(config: TrainConfig):
    screen = Screen()
    screen.output(True).begin(start(config, resumed=True, finished=1, started=1))
    assert screen.lines()[-1] == (
        "continuing run folder runs/digits: 1 of 2 seed(s) finished, 1 continue"
    )


def test_unknown_progress_raises():
    with pytest.raises(ValueError, match="progress: expected True, False or 'epochs', got 'epoch'"):
        TextOutput("epoch")  # pyright: ignore[reportArgumentType]


# JSON


def events(config: TrainConfig) -> list[dict[str, Any]]:
    file = io.StringIO()
    train(config, output=JsonOutput(file))
    return [json.loads(line) for line in file.getvalue().splitlines()]


def folder_of(config: TrainConfig) -> Path:
    (folder,) = config.run_dir.iterdir()
    return folder


def rows_of(config: TrainConfig, seed: int) -> list[dict[str, Any]]:
    text = (folder_of(config) / f"seed-{seed}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("processes", [1, 2])
def test_every_event_is_a_line_of_json(config: TrainConfig, processes: int, monkeypatch):
    if processes > 1:  # other processes do not see the small task
        monkeypatch.undo()
    config = replace(config, processes=processes)
    first, *between, last = events(config)
    assert (first["event"], first["run_folder"]) == ("start", str(folder_of(config)))
    assert (first["seeds"], first["epochs"], first["resumed"]) == ([5, 6], 4, False)
    assert [layer["backend"] for layer in first["layers"]] == ["fused", "fused"]
    assert "available" in first["memory"]
    assert first["device"] == "cpu"
    for seed in (5, 6):
        *epochs, end = [event for event in between if event["seed"] == seed]
        assert all(event.pop("event") == "epoch" for event in epochs)
        assert all("seconds_left" in event for event in epochs)
        for event in epochs:
            del event["seconds_left"]
        assert epochs == rows_of(config, seed)
        assert (end["event"], end["epochs"]) == ("seed", 4)
        assert (
            end["rules"]["val_score"]["test_score"]
            == (epochs[end["rules"]["val_score"]["best_epoch"] - 1]["test_score"])
        )
    summary = json.loads((folder_of(config) / "summary.json").read_text())
    assert last == {"event": "summary", **summary}


def test_resumed_training_shows_each_epoch_once(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
):
    config = replace(config, checkpoint_seconds=0.0)
    cross_entropy, calls = torch.nn.functional.cross_entropy, iter(range(100))

    def interrupted(*args: Any) -> torch.Tensor:
        if next(calls) == 2 * 2:  # the third step
            raise KeyboardInterrupt
        return cross_entropy(*args)

    with monkeypatch.context() as patch:
        patch.setattr("torch.nn.functional.cross_entropy", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config, output=Output())
    shown = events(config)
    assert shown[0]["resumed"]
    epochs = [(e["seed"], e["epoch"]) for e in shown if e["event"] == "epoch"]
    assert epochs == [(seed, number) for seed in (5, 6) for number in (1, 2, 3, 4)]


# No output


def test_base_class_prints_nothing(config: TrainConfig, capfd: pytest.CaptureFixture[str]):
    train(config, output=Output())
    assert capfd.readouterr() == ("", "")


class Closing(Output):
    closed = False

    def close(self) -> None:
        self.closed = True


def test_output_is_closed_after_an_error(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("gatsparse.train.experiment.fit", fail)
    output = Closing()
    with pytest.raises(RuntimeError):
        train(config, output=output)
    assert output.closed


def test_output_of_another_type_raises(config: TrainConfig):
    with pytest.raises(TypeError, match="output: expected an Output, got str"):
        train(config, output="json")  # pyright: ignore[reportArgumentType]
