"""Progress of a run from the rows of its epochs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gatsparse.train import Epoch, Output
from gatsparse.train.progress import RunProgress, watched
from gatsparse.train.run_folder import RunFolder


def row(seed: int, epoch: int) -> str:
    result = Epoch(epoch, train_loss=1.5, val_loss=1.25, val_score=0.5, test_score=0.25)
    return json.dumps({"seed": seed, **asdict(result)}) + "\n"


def write(folder: Path, seed: int, epochs: range, mode: str = "a", end: str = "") -> None:
    with (folder / f"seed-{seed}.jsonl").open(mode) as file:
        file.write("".join(row(seed, epoch) for epoch in epochs) + end)


def progress_of(folder: Path, seeds: list[int], processes: int = 1, **options: Any) -> RunProgress:
    return RunProgress(RunFolder(folder), seeds, 10, processes, **options)


def new(progress: RunProgress) -> list[tuple[int, int]]:
    return [(seed, epoch.epoch) for seed, epoch in progress.new_epochs()]


def test_each_epoch_is_returned_once(tmp_path: Path):
    progress = progress_of(tmp_path, [7])
    assert new(progress) == []
    write(tmp_path, 7, range(1, 3))
    assert new(progress) == [(7, 1), (7, 2)]
    assert new(progress) == []
    write(tmp_path, 7, range(3, 4))
    assert new(progress) == [(7, 3)]


def test_half_written_row_is_returned_when_it_is_complete(tmp_path: Path):
    progress = progress_of(tmp_path, [7])
    first, rest = row(7, 2)[:20], row(7, 2)[20:]
    write(tmp_path, 7, range(1, 2), end=first)
    assert new(progress) == [(7, 1)]
    write(tmp_path, 7, range(0), end=rest)
    assert new(progress) == [(7, 2)]


def test_rows_that_a_resumed_training_writes_again_are_not_repeated(tmp_path: Path):
    write(tmp_path, 7, range(1, 6))
    progress = progress_of(tmp_path, [7])
    assert len(new(progress)) == 5
    write(tmp_path, 7, range(1, 4), mode="w")
    assert new(progress) == []
    write(tmp_path, 7, range(4, 8))
    assert new(progress) == [(7, 6), (7, 7)]


def test_damaged_rows_are_not_returned(tmp_path: Path):
    (tmp_path / "seed-7.jsonl").write_text("{}\n")
    assert new(progress_of(tmp_path, [7])) == []


def test_as_many_seeds_are_read_as_there_are_processes(tmp_path: Path):
    progress = progress_of(tmp_path, [7, 8, 9], processes=2)
    for seed in (7, 8, 9):
        write(tmp_path, seed, range(1, 2))
    assert new(progress) == [(7, 1), (8, 1)]
    progress.finish(7)
    assert new(progress) == [(9, 1)]


def test_time_left(tmp_path: Path):
    times = iter([100.0, 104.0, 200.0, 260.0])
    progress = progress_of(tmp_path, [7, 8], clock=lambda: next(times))
    write(tmp_path, 7, range(1, 3))
    new(progress)
    assert progress.seconds_left() is None  # the first epochs may be those of a checkpoint
    write(tmp_path, 7, range(3, 5))
    new(progress)
    assert progress.seconds_left() == (20 - 4) * 2.0  # two epochs in four seconds
    progress.finish(7)
    assert progress.seconds_left() == 10 * 2.0
    for epoch in (1, 2):
        write(tmp_path, 8, range(epoch, epoch + 1))
        new(progress)
    assert progress.seconds_left() == 8 * 60.0  # one epoch in the last minute


class Broken(Output):
    def epochs(self, *_: Any) -> None:
        raise BrokenPipeError


def test_error_of_the_output_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gatsparse.train.progress.INTERVAL", 0.0)
    progress = progress_of(tmp_path, [7])
    write(tmp_path, 7, range(1, 2))
    with watched(progress, Broken()) as update:
        while not progress._done:  # until the other thread has read the epochs
            pass
        with pytest.raises(BrokenPipeError):
            update()
