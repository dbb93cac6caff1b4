"""The files of one run."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import torch

from gatsparse.files import write_atomically
from gatsparse.train.config import ConfigError, config_yaml, parse_config
from gatsparse.train.environment import environment
from gatsparse.train.fitting import FitResult, RuleResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gatsparse.train.config import TrainConfig
    from gatsparse.train.fitting import Epoch


@dataclass(frozen=True)
class RunFolder:
    """A folder ``<run_dir>/<dataset>-<kind>-<time>``, see :func:`open_run_folder`.

    ====================== ==============================================================
    ``config.yaml``        what ``gatsparse train`` takes to run the same again
    ``environment.json``   versions, threads: what else the numbers depend on
    ``seed-<seed>.jsonl``  a row per epoch
    ``seed-<seed>.pt``     the model kept: ``state_dict`` and its row, for ``torch.load``
    ``checkpoint-<seed>``  how far the training of a seed is, until it is finished
    ``seed-<seed>.json``   best epoch and accuracies by rule, seconds; written last
    ``summary.json``       of the seeds finished so far
    ====================== ==============================================================

    A file gets its name when it is complete and on disk, so that an interrupted run leaves
    only files that can be read.

    Args:
        path (Path): The folder.
        continued (bool, optional): Whether an earlier process began the run.
    """

    path: Path
    continued: bool = False

    def save_epochs(self, seed: int, epochs: Sequence[Epoch]) -> None:
        """Saves the rows of a seed."""
        rows = "".join(json.dumps({"seed": seed, **asdict(epoch)}) + "\n" for epoch in epochs)
        self._write_text(f"seed-{seed}.jsonl", rows)

    def save_result(self, seed: int, result: FitResult) -> None:
        """Saves the model kept, then the result: with it the seed is finished."""
        rule, kept = next(iter(result.rules.items()))
        model = {"seed": seed, "rule": rule, **asdict(kept), "state_dict": result.state_dict}
        self._write(f"seed-{seed}.pt", lambda file: torch.save(model, file))
        rules = {rule: asdict(of_rule) for rule, of_rule in result.rules.items()}
        content = {"seed": seed, "seconds": result.seconds, "rules": rules}
        self._write_json(f"seed-{seed}.json", content)

    def checkpoint(self, seed: int) -> Path:
        """The file of the last state of a training that is not finished."""
        return self.path / f"checkpoint-{seed}"

    def is_finished(self, seed: int) -> bool:
        """Whether the result of a seed is there."""
        return (self.path / f"seed-{seed}.json").exists()

    def load_result(self, seed: int) -> FitResult:
        """The result of a finished seed."""
        result = json.loads((self.path / f"seed-{seed}.json").read_text())
        rows = (self.path / f"seed-{seed}.jsonl").read_text().splitlines()
        model = torch.load(self.path / f"seed-{seed}.pt", weights_only=True)
        return FitResult(
            rules={rule: RuleResult(**values) for rule, values in result["rules"].items()},
            losses=[json.loads(row)["train_loss"] for row in rows],
            seconds=result["seconds"],
            state_dict=model["state_dict"],
        )

    def save_summary(self, summary: dict[str, Any]) -> None:
        """Saves the summary; with that of all seeds, the run is finished."""
        self._write_json("summary.json", summary)

    def begin(self, config: TrainConfig) -> None:
        """Saves what the run is about."""
        self._write_text("config.yaml", config_yaml(config))
        self._write_json("environment.json", environment(config.threads))

    def serves(self, config: TrainConfig, current: dict[str, Any]) -> bool:
        """Whether this is an unfinished run of this configuration and environment."""
        if _read_json(self.path / "environment.json") != current:
            return False
        summary = _read_json(self.path / "summary.json")
        if summary is not None and summary["seeds"] == config.all_seeds:
            return False
        try:
            return parse_config(self.path / "config.yaml").essence() == config.essence()
        except ConfigError:
            return False

    def remove_torn_files(self) -> None:
        """Removes what was being written when the run was killed."""
        for path in self.path.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        self._write_text(name, json.dumps(content, indent=2) + "\n")

    def _write_text(self, name: str, text: str) -> None:
        self._write(name, lambda file: file.write(text.encode()))

    def _write(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        write_atomically(self.path / name, write)


@contextmanager
def open_run_folder(config: TrainConfig) -> Iterator[RunFolder]:
    """The newest unfinished folder of this configuration, else a new one; locked.

    An unfinished run is continued if the values of all keys that its numbers depend on,
    the code, the versions and the instruction sets are the same, unless another process
    is at it. An earlier run is never touched otherwise.

    Raises:
        OSError: If the folder cannot be made.
    """
    folder, lock = (config.resume and _unfinished(config)) or _new(config)
    try:
        yield folder
    finally:
        os.close(lock)


def _unfinished(config: TrainConfig) -> tuple[RunFolder, int] | None:
    begun = config.run_dir.glob(f"{config.dataset}-{config.model.kind}-*/environment.json")
    current = environment(config.threads)
    for file in sorted(begun, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        folder = RunFolder(file.parent, continued=True)
        if not folder.serves(config, current) or (lock := _lock(folder.path)) is None:
            continue
        if folder.serves(config, current):  # still: it may have been finished meanwhile
            folder.remove_torn_files()
            return folder, lock
        os.close(lock)
    return None


def _new(config: TrainConfig) -> tuple[RunFolder, int]:
    stem = f"{config.dataset}-{config.model.kind}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in count(1):
        folder = RunFolder(config.run_dir / (stem if number == 1 else f"{stem}-{number}"))
        try:
            folder.path.mkdir(parents=True)
        except FileExistsError:
            continue
        lock = _lock(folder.path)
        assert lock is not None  # others look for a lock where there is an environment.json
        folder.begin(config)
        return folder, lock
    raise AssertionError("unreachable: count() does not end")


def _lock(path: Path) -> int | None:
    """A lock that lives as long as the descriptor returned; None if another process has it."""
    descriptor = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
