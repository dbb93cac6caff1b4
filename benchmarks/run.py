"""Runs a benchmark: each measurement in a separate process, each result as a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import contenders, datasets, gate, plan, worker
from benchmarks.config import BenchConfig
from benchmarks.contenders import Contender
from benchmarks.import_path import digests
from benchmarks.isolate import Call, Outcome, isolated
from benchmarks.measure import environment
from benchmarks.plan import Task
from benchmarks.rows import Key, Row, Store, Values, open_store
from benchmarks.summary import save_settings
from benchmarks.text import describe

Measure = Callable[[Task, Contender, BenchConfig, Path], Values]

_SOURCES = ("reference", "graph")


def run(config: BenchConfig, console: Console, measure: Measure = worker.measure) -> Path:
    """Makes every measurement that has no row yet.

    Args:
        config (BenchConfig): Configuration of the run.
        console (Console): Console that shows the progress.
        measure (callable, optional): Function that makes a measurement in its process.

    Returns:
        Path: Folder of the run.

    Raises:
        ValueError: If a contender or data set is unknown, no data set is available, or another
            run is writing to the folder.
        KeyboardInterrupt: After Ctrl-C; the rows that are finished are kept.
    """
    for name in plan.model_contenders(config):
        contenders.find(name)
    for name in plan.layer_contenders(config):
        contenders.find_for_layers(name)
    for name in config.datasets:
        datasets.check("datasets", name)
    for name in plan.graphs(config):
        datasets.check("graphs", name, tuple(config.graphs))
    if config.fallback is not None:
        datasets.check("fallback", config.fallback)
    folder = Path(config.out)
    for part in ("reference", "logs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with open_store(folder / "results.jsonl") as store:
        here = environment(config.threads) | digests(plan.names(config))
        save_settings(folder, config, here)
        store.forget(partial(_outdated, folder))
        _Session(config, folder, store, here, measure, console).run()
    return folder


@dataclass(frozen=True)
class _Session:
    config: BenchConfig
    folder: Path
    store: Store
    environment: dict[str, str | int]
    measure: Measure
    console: Console

    def run(self) -> None:
        rows = [row for row in self.store.rows.values() if row.environment == self.environment]
        found = f"continuing with {len(rows)} rows" if rows else "a new run"
        self.console.print(f"{self.folder}: {found}", soft_wrap=True)
        names = plan.datasets(self.config, self._available)
        wanted = plan.graphs(self.config)
        graphs = [name for name in wanted if self._obtained(plan.graph(name))]
        if not names and not graphs:
            raise ValueError(
                f"datasets: expected one that is available, got {[*self.config.datasets, *wanted]}"
            )
        tasks = [task for name in names for task in plan.tasks(self.config, name)]
        tasks += [task for name in graphs for task in plan.layer_tasks(self.config, name)]
        with Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self.console,
        ) as progress:
            bar = progress.add_task("", total=len(tasks))

            def shown(tasks: Iterable[Task]) -> Iterator[Task]:
                for task in tasks:
                    progress.update(bar, description=" ".join(task[:3]))
                    yield task
                    progress.advance(bar)

            trainings = [task for task in tasks if task.measurement == "accuracy"]
            self._make(shown(task for task in tasks if task not in trainings))
            self._make(shown(trainings), self._at_once())
            progress.update(bar, description="done")

    def _available(self, dataset: str) -> bool:
        obtained = self._obtained(plan.reference(dataset))
        if not obtained and self.config.fallback is not None:
            self.console.print(f"Running on {self.config.fallback} instead of {dataset}.")
        return obtained

    def _obtained(self, source: Task) -> bool:
        """Computes the input of other measurements, and returns whether it is available."""
        self._make([source])
        row = self._row(source)
        return row is None or row.status != "unavailable"

    def _make(self, tasks: Iterable[Task], at_once: int = 1) -> None:
        """Makes the measurements that have no row and whose requirements are met."""
        calls = (self._call(task) for task in tasks if self._due(task))
        for call, outcome in isolated(calls, at_once):
            task, *_ = call.args
            self._record(task, outcome)

    def _at_once(self) -> int:
        """Returns the number of trainings at a time: each has one thread, and none is timed."""
        return self.config.accuracy.processes or int(self.environment["threads"])

    def _row(self, task: Task) -> Row | None:
        return self.store.rows.get(plan.key(task, self.config, self.environment))

    def _due(self, task: Task) -> bool:
        required = [self._row(requirement) for requirement in plan.requirements(task)]
        met = all(row is not None and row.status == "ok" for row in required)
        return met and self._row(task) is None

    def _call(self, task: Task) -> Call:
        source = plan.key(plan.source(task), self.config, self.environment)
        return Call(
            self.measure,
            (
                task,
                contenders.find(task.contender),
                self.config,
                _source_file(self.folder, source),
            ),
            memory_limit=self.config.memory_limit,
            time_limit=self.config.time_limit,
            log=self.folder / "logs" / ("-".join(map(str, task)) + ".log"),
        )

    def _record(self, task: Task, outcome: Outcome) -> None:
        status, detail = outcome.status, outcome.detail
        if task.measurement in ("gate", "layer gate") and status == "ok":
            failures = gate.failures(outcome.value or Values())
            status, detail = ("wrong", "; ".join(failures)) if failures else ("ok", "")
        row = Row(
            *plan.key(task, self.config, self.environment),
            status=status,
            detail=detail,
            values=outcome.value or Values(),
            environment=self.environment,
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        self.store.append(row)
        self.console.print(describe(row), markup=False, highlight=False, soft_wrap=True)


def _source_file(folder: Path, key: Key) -> Path:
    return folder / "reference" / f"{key.dataset}-{key.settings}.pt"


def _outdated(folder: Path, row: Row) -> bool:
    """Returns whether a missing input may be available now, or a file was deleted."""
    lost = row.measurement in _SOURCES and not _source_file(folder, row.key).exists()
    return row.status == "unavailable" or (row.status == "ok" and lost)
