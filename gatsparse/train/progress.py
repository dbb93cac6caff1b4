"""Progress of a run, read from its files while they are written."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatsparse.train.output import Output
    from gatsparse.train.results import Epoch
    from gatsparse.train.run_folder import RunFolder

#: Seconds between two looks at the files.
INTERVAL = 0.5
#: Seconds that the time left is extrapolated from.
_WINDOW = 60.0


class RunProgress:
    """New epochs of the seeds of a run, whichever process trains them, and the time left.

    Args:
        folder (RunFolder): The folder of the run.
        seeds (list of int): The seeds that are not finished, in the order of their training.
        most (int): Maximum number of epochs of a seed.
        processes (int): Number of seeds that are trained at the same time.
        clock (callable, optional): Returns the time in seconds.
    """

    def __init__(
        self,
        folder: RunFolder,
        seeds: Sequence[int],
        most: int,
        processes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.most, self.processes, self.clock = folder, most, processes, clock
        self._unfinished = dict.fromkeys(seeds, 0)  # last epoch of each
        self._positions = dict.fromkeys(seeds, 0)  # in the files
        self._done = 0  # epochs
        # Times and numbers of epochs until then; the first mark includes epochs of checkpoints.
        self._marks: deque[tuple[float, int]] = deque()

    def new_epochs(self) -> list[tuple[int, Epoch]]:
        """Returns seed and result of each epoch that has been written since the last call."""
        rows = []
        for seed in list(islice(self._unfinished, self.processes)):
            epochs, self._positions[seed] = self.folder.epochs(seed, self._positions[seed])
            # A training that resumes writes epochs again that an earlier process has written.
            new = [epoch for epoch in epochs if epoch.epoch > self._unfinished[seed]]
            if new:
                self._unfinished[seed] = new[-1].epoch
            rows += [(seed, epoch) for epoch in new]
        if rows:
            self._done += len(rows)
            self._marks.append((self.clock(), self._done))
            while len(self._marks) > 2 and self._marks[-1][0] - self._marks[1][0] >= _WINDOW:
                self._marks.popleft()
        return rows

    def finish(self, seed: int) -> None:
        """Counts no more epochs of a seed."""
        del self._unfinished[seed]

    def seconds_left(self) -> float | None:
        """Returns the time left if no seed stops early, or None while it is unknown."""
        if len(self._marks) < 2:
            return None
        (then, before), (now, done) = self._marks[0], self._marks[-1]
        left = sum(self.most - epoch for epoch in self._unfinished.values())
        return left * (now - then) / (done - before)


@contextmanager
def watched(progress: RunProgress, output: Output) -> Iterator[Callable[[], None]]:
    """Passes new epochs to an output while the block runs, in another thread.

    Yields:
        callable: Passes the epochs written until now. It raises the error of the output, if any.
    """
    lock, stop = threading.Lock(), threading.Event()
    errors: list[Exception] = []

    def update() -> None:
        with lock:
            if errors:
                raise errors[0]
            if rows := progress.new_epochs():
                try:
                    output.epochs(rows, progress.seconds_left())
                except Exception as error:
                    errors.append(error)
                    raise

    def repeat() -> None:
        with suppress(Exception):  # the next call of update raises it again
            while not stop.wait(INTERVAL):
                update()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield update
    finally:
        stop.set()
        thread.join()
