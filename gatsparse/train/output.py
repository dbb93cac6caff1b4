"""Output of a run: text, JSON lines, or nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gatsparse.checks import check_instance
from gatsparse.train.metrics import format_score
from gatsparse.train.summary import headline

if TYPE_CHECKING:
    from rich.progress import TaskID

    from gatsparse.nn import BackendReport
    from gatsparse.train.config import TrainConfig
    from gatsparse.train.results import Epoch, FitResult

#: Seconds between two lines of progress.
_LINE_INTERVAL = 5.0
_SHOWN = 4  # seeds at a time


class RunStart(NamedTuple):
    """A run that begins.

    Attributes:
        config (TrainConfig): Its configuration.
        path (str): Its folder.
        notes (list of str): What was dropped, drawn or not used when the data were read.
        memory (str): The memory that it needs.
        layers (BackendReport): The backend of each layer of its model.
        resumed (bool): Whether an earlier process started the run.
        finished (int): Number of seeds that are finished.
        started (int): Number of seeds that resume from a checkpoint.

    Example:
        >>> from gatsparse.train import RunStart
        >>> RunStart._fields[:2]
        ('config', 'path')
    """

    config: TrainConfig
    path: str
    notes: list[str]
    memory: str
    layers: BackendReport
    resumed: bool
    finished: int
    started: int


class Output:
    """Receives the events of a run and prints nothing; derive from it to show them elsewhere.

    Example:
        >>> from gatsparse.train import Output, TrainConfig, train
        >>> results = train(TrainConfig("digits", epochs=2), output=Output())  # prints nothing
    """

    def begin(self, run: RunStart) -> None:
        """Called before the first epoch."""

    def epochs(self, rows: Sequence[tuple[int, Epoch]], seconds_left: float | None) -> None:
        """Called with new epochs, in another thread.

        Args:
            rows (list of tuple): Seed and :class:`Epoch` of each.
            seconds_left (float, optional): Upper estimate of the time left; None while it is
                unknown.
        """

    def seed_finished(self, seed: int, result: FitResult) -> None:
        """Called at the end of each seed, after its last epoch."""

    def end(self, summary: dict[str, Any]) -> None:
        """Called after the last seed, with the content of ``summary.json``."""

    def close(self) -> None:
        """Called last, also after an error."""


class TextOutput(Output):
    """Prints lines, and the progress of the run.

    Args:
        progress (bool or str, optional): True shows a bar for each running seed on a terminal, and
            elsewhere a line when epochs have ended, at most every five seconds; ``"epochs"`` prints
            a line for each epoch.
        console (rich.console.Console, optional): Console to print on. (default: standard output)
        clock (callable, optional): Returns the time in seconds.

    Raises:
        TypeError: If :obj:`console` is of a wrong type.
        ValueError: If :obj:`progress` is another value.

    Example:
        >>> from gatsparse.train import TextOutput, TrainConfig, train
        >>> config = TrainConfig("digits", epochs=2)
        >>> results = train(config, output=TextOutput(progress=False))  # doctest: +ELLIPSIS
        memory: about ...
    """

    def __init__(
        self,
        progress: bool | Literal["epochs"] = True,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if progress not in (True, False, "epochs"):
            raise ValueError(f"progress: expected True, False or 'epochs', got {progress!r}")
        check_instance("console", console, (Console, NoneType), "a rich.console.Console")
        console = Console(highlight=False) if console is None else console
        self._say = partial(console.print, soft_wrap=True, markup=False)
        self._progress, self._clock = progress, clock
        self._bar = _bar(console) if progress is True and console.is_terminal else None
        self._tasks: dict[int | None, TaskID] = {}  # of the running seeds; None: of all seeds
        self._running: dict[int, Epoch] = {}

    def begin(self, run: RunStart) -> None:
        """Prints the notes, the memory, the backends and the run folder."""
        for note in run.notes:
            self._say(note)
        self._say(f"memory: {run.memory}")
        self._say(f"layers: {run.layers}")
        self._most, self._finished = run.config.epochs, run.finished
        self._seeds = len(run.config.all_seeds)
        self._score = partial(format_score, run.config.chosen_metric)
        if run.resumed:
            done = f"{run.finished} of {self._seeds} seed(s) finished"
            self._say(f"continuing run folder {run.path}: {done}, {run.started} continue")
        else:
            self._say(f"run folder: {run.path}")
        self._start = self._shown = self._clock()
        if self._bar is not None:
            self._bar.start()
            if self._seeds > 1:
                self._tasks[None] = self._bar.add_task(
                    "seeds", total=self._seeds, completed=self._finished, state=""
                )

    def epochs(self, rows: Sequence[tuple[int, Epoch]], seconds_left: float | None) -> None:
        """Updates the bars, or prints lines."""
        self._running.update(rows)
        left = "" if seconds_left is None else f"at most {_time(seconds_left)} left"
        if self._bar is not None:
            self._update(self._bar, left)
        elif self._progress == "epochs":
            for seed, epoch in rows:
                parts = (self._epoch(seed, epoch), left)
                self._say("; ".join(filter(None, parts)))
        elif self._progress and self._clock() - self._shown >= _LINE_INTERVAL:
            self._shown = self._clock()
            finished = f"{self._finished} of {self._seeds} seed(s) finished"
            parts = [f"{_time(self._shown - self._start)}: {finished}"]
            shown = list(self._running.items())[:_SHOWN]
            parts += [self._epoch(seed, epoch) for seed, epoch in shown]
            if (more := len(self._running) - len(shown)) > 0:
                parts.append(f"and {more} more")
            self._say("; ".join(filter(None, (*parts, left))))

    def seed_finished(self, seed: int, result: FitResult) -> None:
        """Prints the scores of the seed."""
        self._running.pop(seed, None)
        self._finished += 1
        if self._bar is not None:
            if (task := self._tasks.pop(seed, None)) is not None:
                self._bar.remove_task(task)
            if None in self._tasks:
                self._bar.advance(self._tasks[None])
        self._say(
            f"seed {seed}: test {self._score(result.test_score)}, "
            f"val {self._score(result.val_score)}, epoch "
            f"{result.best_epoch} of {result.epochs}, {result.seconds:.1f} s"
        )

    def end(self, summary: dict[str, Any]) -> None:
        """Prints the test score of each rule."""
        self.close()
        self._say(headline(summary))

    def close(self) -> None:
        """Removes the bars."""
        if self._bar is not None:
            self._bar.stop()

    def _epoch(self, seed: int, epoch: Epoch) -> str:
        return f"seed {seed} epoch {epoch.epoch} of {self._most}, {self._losses(epoch)}"

    def _losses(self, epoch: Epoch) -> str:
        return f"loss {epoch.train_loss:.4f}, val {self._score(epoch.val_score)}"

    def _update(self, bar: Progress, left: str) -> None:
        for seed, epoch in self._running.items():
            if seed not in self._tasks and len(self._tasks.keys() - {None}) < _SHOWN:
                self._tasks[seed] = bar.add_task(f"seed {seed}", total=self._most, state="")
            if seed in self._tasks:
                parts = (self._losses(epoch), "" if None in self._tasks else left)
                state = ", ".join(filter(None, parts))
                bar.update(self._tasks[seed], completed=epoch.epoch, state=state)
        if None in self._tasks:
            bar.update(self._tasks[None], state=left)


class JsonOutput(Output):
    """Prints each event as a line of JSON.

    ============ ===============================================================================
    ``event``    other keys
    ============ ===============================================================================
    ``start``    ``run_folder``, ``resumed``, ``notes``, ``device``, ``memory``, ``layers``,
                 ``seeds``, ``epochs``
    ``epoch``    ``seed``, ``seconds_left`` (null while it is unknown), and an :class:`Epoch`
    ``seed``     ``seed``, ``epochs``, ``seconds``, and ``rules``: the :class:`RuleResult` of each
    ``summary``  the content of ``summary.json``
    ============ ===============================================================================

    Args:
        file (file object, optional): Where to print. (default: standard output)

    Raises:
        TypeError: If nothing can be written into :obj:`file`.

    Example:
        >>> import io, json
        >>> from gatsparse.train import JsonOutput, TrainConfig, train
        >>> file = io.StringIO()
        >>> results = train(TrainConfig("digits", epochs=2), output=JsonOutput(file))
        >>> [json.loads(line)["event"] for line in file.getvalue().splitlines()]
        ['start', 'epoch', 'epoch', 'seed', 'summary']
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = sys.stdout if file is None else file
        if not callable(getattr(self._file, "write", None)):
            raise TypeError(f"file: expected a file object, got {type(file).__name__}")

    def begin(self, run: RunStart) -> None:
        """Prints the event ``start``."""
        self._print(
            "start",
            run_folder=run.path,
            resumed=run.resumed,
            notes=run.notes,
            device=run.config.device,
            memory=run.memory,
            layers=[row._asdict() for row in run.layers],
            seeds=run.config.all_seeds,
            epochs=run.config.epochs,
        )

    def epochs(self, rows: Sequence[tuple[int, Epoch]], seconds_left: float | None) -> None:
        """Prints an event ``epoch`` for each epoch."""
        left = None if seconds_left is None else round(seconds_left, 1)
        for seed, epoch in rows:
            self._print("epoch", seed=seed, **asdict(epoch), seconds_left=left)

    def seed_finished(self, seed: int, result: FitResult) -> None:
        """Prints the event ``seed``."""
        rules = {rule: asdict(of_rule) for rule, of_rule in result.rules.items()}
        self._print(
            "seed", seed=seed, epochs=result.epochs, seconds=round(result.seconds, 3), rules=rules
        )

    def end(self, summary: dict[str, Any]) -> None:
        """Prints the event ``summary``."""
        self._print("summary", **summary)

    def _print(self, event: str, **values: Any) -> None:
        self._file.write(json.dumps({"event": event, **values}) + "\n")
        self._file.flush()


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
        console=console,
        transient=True,
    )


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
