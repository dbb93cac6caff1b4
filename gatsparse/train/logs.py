"""Logs of the losses and scores of each epoch, in CSV and for TensorBoard."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gatsparse.extras import require_extra
from gatsparse.files import named_errors, open_rows
from gatsparse.train.results import Epoch

if TYPE_CHECKING:
    from gatsparse.train.run_folder import RunFolder

LogFormat = Literal["csv", "tensorboard"]
Append = Callable[[Epoch], object]


def require_logs(formats: Sequence[LogFormat]) -> None:
    """Raises ImportError if the package that writes one of the formats is not installed."""
    if "tensorboard" in formats:
        require_extra("log: tensorboard", "watch", "tensorboard")


@contextmanager
def epoch_logs(formats: Sequence[LogFormat], folder: Path, seed: int) -> Iterator[Append]:
    """Yields a function that appends an epoch to the logs ``<folder>/<format>/seed-<seed>``.

    Logs of an earlier process are replaced: a training that resumes appends its epochs again.

    Args:
        formats (list of str): Formats of the logs.
        folder (Path): Folder of the run.
        seed (int): Seed of the training.

    Raises:
        OSError: If a file cannot be written.
    """
    with ExitStack() as stack:
        writers: list[Append] = []
        for log_format in formats:
            path = folder / log_format / f"seed-{seed}"
            if path.exists():
                shutil.rmtree(path)
            path.mkdir(parents=True)
            writers.append(stack.enter_context(_WRITERS[log_format](path)))

        def append(epoch: Epoch) -> None:
            for write in writers:
                write(epoch)

        yield append


def complete_logs(formats: Sequence[LogFormat], folder: RunFolder, seeds: Iterable[int]) -> None:
    """Writes the missing logs of finished seeds, which were trained without them."""
    for seed in seeds:
        missing: list[LogFormat] = [
            log_format
            for log_format in formats
            if not (folder.path / log_format / f"seed-{seed}").exists()
        ]
        with epoch_logs(missing, folder.path, seed) as append:
            for epoch in folder.epochs(seed)[0] if missing else ():
                append(epoch)


@contextmanager
def _csv(folder: Path) -> Iterator[Append]:
    path = folder / "metrics.csv"
    with open_rows(path) as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Epoch)])
        writer.writeheader()

        def append(epoch: Epoch) -> None:
            with named_errors(path):
                writer.writerow(asdict(epoch))

        yield append


@contextmanager
def _tensorboard(folder: Path) -> Iterator[Append]:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder, flush_secs=2) as writer:

        def append(epoch: Epoch) -> None:
            for tag, value in asdict(epoch).items():
                if tag != "epoch":
                    writer.add_scalar(tag, value, epoch.epoch)

        yield append


_WRITERS = {"csv": _csv, "tensorboard": _tensorboard}
