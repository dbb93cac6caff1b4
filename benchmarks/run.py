"""Runs a benchmark: every measurement in a process of its own, every result a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import config as configs
from benchmarks import gate, plan, worker
from benchmarks.config import BenchConfig
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.isolate import Outcome, isolated
from benchmarks.measure import environment
from benchmarks.plan import Task
from benchmarks.report import describe
from benchmarks.results import Key, Row, Store, Values, open_store

Measure = Callable[[Task, Contender, BenchConfig, Path], Values]


def run(config: BenchConfig, console: Console, measure: Measure = worker.measure) -> Path:
    """Makes every measurement that has no row yet.

    Args:
        config (BenchConfig): What to measure.
        console (Console): Where progress is shown.
        measure (callable, optional): What runs in the process of a measurement.

    Returns:
        Path: The folder of the run.

    Raises:
        ValueError: If there is no such contender, no data set can be had, or another run
            is writing to the folder.
        KeyboardInterrupt: After Ctrl-C; the rows that are finished are kept.
    """
    for name in (*config.contenders, *config.accuracy.contenders):
        if name not in CONTENDERS:
            raise ValueError(f"contenders: expected some of {list(CONTENDERS)}, got {name!r}")
    folder = Path(config.out)
    for part in ("reference", "logs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    with open_store(folder / "results.jsonl") as store:
        configs.save(config, folder / "config.yaml")
        store.forget(partial(_outdated, folder))
        _Session(config, folder, store, environment(config.threads), measure, console).run()
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
        found = f"going on with {len(rows)} rows" if rows else "a new run"
        self.console.print(f"{self.folder}: {found}", soft_wrap=True)
        names = plan.datasets(self.config, self._available)
        if not names:
            raise ValueError(f"datasets: none of {list(self.config.datasets)} can be had")
        tasks = [task for name in names for task in plan.tasks(self.config, name)]
        with Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self.console,
        ) as progress:
            bar = progress.add_task("", total=len(tasks))
            for task in tasks:
                progress.update(bar, description=" ".join(task[:3]))
                self._row(task)
                progress.advance(bar)
            progress.update(bar, description="done")

    def _available(self, dataset: str) -> bool:
        row = self._row(plan.reference(dataset))
        if row is None or row.status != "unavailable":
            return True
        if self.config.fallback is not None:
            self.console.print(f"Running on {self.config.fallback} instead of {dataset}.")
        return False

    def _row(self, task: Task) -> Row | None:
        """The row of a task, measured if there is none; None if a requirement failed."""
        requirement = plan.requirement(task)
        if requirement is not None:
            required = self._row(requirement)
            if required is None or required.status != "ok":
                return None
        key = plan.key(task, self.config, self.environment)
        if key in self.store.rows:
            return self.store.rows[key]
        outcome = self._isolated(task)
        row = Row(
            *key,
            status=outcome.status,
            detail=outcome.detail,
            values=outcome.value or Values(),
            environment=self.environment,
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        self.store.append(row)
        self.console.print(describe(row), markup=False, highlight=False, soft_wrap=True)
        return row

    def _isolated(self, task: Task) -> Outcome:
        reference = plan.key(plan.reference(task.dataset), self.config, self.environment)
        outcome = isolated(
            self.measure,
            task,
            CONTENDERS[task.contender],
            self.config,
            _reference_file(self.folder, reference),
            memory_limit=self.config.memory_limit,
            time_limit=self.config.time_limit,
            log=self.folder / "logs" / ("-".join(map(str, task)) + ".log"),
        )
        if task.measurement != "gate" or outcome.status != "ok":
            return outcome
        failures = gate.failures(outcome.value)
        return Outcome("wrong", "; ".join(failures), outcome.value) if failures else outcome


def _reference_file(folder: Path, key: Key) -> Path:
    return folder / "reference" / f"{key.dataset}-{key.settings}.pt"


def _outdated(folder: Path, row: Row) -> bool:
    """Whether what was missing may be there now, or what others need is gone."""
    lost = row.measurement == "reference" and not _reference_file(folder, row.key).exists()
    return row.status == "unavailable" or (row.status == "ok" and lost)
