"""Progress of a run: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gatsparse.train.metrics import format_score

if TYPE_CHECKING:
    from rich.console import Console

    from gatsparse.train.config import TrainConfig
    from gatsparse.train.results import Epoch
    from gatsparse.train.run_folder import RunFolder

#: Seconds between two lines.
INTERVAL = 5.0


class RunProgress:
    """Progress of the seeds of a run, read from its files, whichever process trains them.

    Args:
        folder (RunFolder): The folder of the run.
        config (TrainConfig): Its configuration.
        seeds (list of int): The seeds that were not finished when it began.
        clock (callable, optional): Returns the time in seconds.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: TrainConfig,
        seeds: Sequence[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.config, self.seeds, self.clock = folder, config, list(seeds), clock
        self.start = clock()
        self._finished: dict[int, int] = {}  # epochs of each seed
        # Times and numbers of epochs until then; the first mark includes epochs of checkpoints.
        self._marks: deque[tuple[float, int]] = deque(maxlen=13)

    def line(self) -> str:
        """Returns a line with the epochs of the seeds, the time so far and the time left."""
        running = self._running()
        now, most = self.clock(), self.config.epochs
        done = sum(self._finished.values()) + sum(epoch.epoch for epoch in running.values())
        waiting = len(self.seeds) - len(self._finished) - len(running)
        left = waiting * most + sum(most - epoch.epoch for epoch in running.values())
        self._marks.append((now, done))
        total = len(self.seeds)
        parts = [f"{_time(now - self.start)}: {len(self._finished)} of {total} seed(s) finished"]
        for seed, epoch in list(running.items())[:4]:
            parts.append(
                f"seed {seed} epoch {epoch.epoch} of {most}, loss {epoch.train_loss:.4f}, "
                f"val {format_score(self.config.chosen_metric, epoch.val_score)}"
            )
        if len(running) > 4:
            parts.append(f"and {len(running) - 4} more")
        then, before = self._marks[0]
        if done > before:
            parts.append(f"at most {_time(left * (now - then) / (done - before))} left")
        return "; ".join(parts)

    def _running(self) -> dict[int, Epoch]:
        """Returns the last epoch of each seed that is being trained."""
        running = {}
        for seed in self.seeds:
            if seed in self._finished:
                continue
            finished, epoch = self.folder.is_finished(seed), self.folder.last_epoch(seed)
            if finished:
                self._finished[seed] = epoch.epoch if epoch else 0
            elif epoch:
                running[seed] = epoch
        return running


@contextmanager
def heartbeat(line: Callable[[], str], show: Callable[[str], None]) -> Iterator[None]:
    """Shows a line every :data:`INTERVAL` seconds while the block runs."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(INTERVAL):
            show(line())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def progress_bar(console: Console, *, shown: bool) -> Progress:
    """Returns a progress bar, which is disabled unless :obj:`shown`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
        console=console,
        transient=True,
        disable=not shown,
    )


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
