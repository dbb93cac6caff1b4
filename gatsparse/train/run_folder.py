"""The files of one run."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

import torch

from gatsparse.train.config import config_yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gatsparse.train.config import TrainConfig
    from gatsparse.train.full_batch import Epoch, FitResult


class RunFolder:
    """A new folder ``<run_dir>/<dataset>-<kind>-<time>``; an earlier run is never touched.

    ===================== ===============================================================
    ``config.yaml``       what ``gatsparse train`` takes to run the same again
    ``metrics.jsonl``     a row per epoch
    ``seed-<seed>.pt``    the model kept: ``state_dict`` and its row, for ``torch.load``
    ``summary.json``      accuracies of the seeds finished so far, mean, standard deviation
    ===================== ===============================================================

    Files are replaced as a whole, rows are written as a whole: an interrupted run leaves
    only files that can be read.

    Args:
        config (TrainConfig): Of the run.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.path = _new_folder(config)
        self._write("config.yaml", lambda path: path.write_text(config_yaml(config)))
        (self.path / "metrics.jsonl").touch()

    def append_epoch(self, seed: int, epoch: Epoch) -> None:
        """Adds a row to the metrics."""
        with (self.path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"seed": seed, **asdict(epoch)}) + "\n")

    def save_checkpoint(self, seed: int, result: FitResult) -> None:
        """Saves the model kept."""
        content = {key: value for key, value in asdict(result).items() if key != "losses"}
        self._write(f"seed-{seed}.pt", lambda path: torch.save({"seed": seed, **content}, path))

    def save_summary(self, summary: dict[str, object]) -> None:
        """Saves the summary."""
        self._write(
            "summary.json", lambda path: path.write_text(json.dumps(summary, indent=2) + "\n")
        )

    def _write(self, name: str, write: Callable[[Path], object]) -> None:
        temporary = self.path / f".{name}.tmp"
        write(temporary)
        temporary.replace(self.path / name)


def _new_folder(config: TrainConfig) -> Path:
    stem = f"{config.dataset}-{config.model.kind}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in count(1):
        path = config.run_dir / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise AssertionError("unreachable: count() does not end")
