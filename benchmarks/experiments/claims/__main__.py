"""Tests whether attention is asymmetric and whether it resists noise.

``python -m benchmarks.experiments.claims``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.experiments.claims.findings import Findings
from benchmarks.experiments.claims.plot import plot
from benchmarks.experiments.claims.report import outcome, write_report
from benchmarks.experiments.claims.training import Failure, Row, Task, read, train
from benchmarks.measure import environment
from benchmarks.rows import open_lines
from gatsparse.data import NAMES


def run(tasks: list[Task], processes: int) -> Iterator[Row | Failure]:
    """Runs trainings in parallel, each with one thread.

    Args:
        tasks (list of Task): Trainings to run.
        processes (int): Number of trainings at a time.

    Yields:
        Row or Failure: Result of each training when it ends; a failure does not stop the others.
    """
    pool = ProcessPoolExecutor(
        min(processes, len(tasks) or 1), get_context("spawn"), torch.set_num_threads, (1,)
    )
    try:
        futures = {pool.submit(train, task): task for task in tasks}
        for future in as_completed(futures):
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                yield Failure(futures[future], f"{type(error).__name__}: {error}")
    finally:
        pool.shutdown(cancel_futures=True)


def main(arguments: list[str] | None = None) -> int:
    """Runs the missing trainings, writes the report, and returns the exit status.

    The exit status is 1 if a training failed. The report covers the seeds for which all trainings
    on a data set succeeded.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    options = _options(arguments)
    console = Console(highlight=False, soft_wrap=True)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "rows.jsonl"
    datasets = list(dict.fromkeys(options.datasets))
    noise, seeds = sorted(set(options.noise)), range(options.seeds)
    try:
        rows = read(path)
        findings = Findings(datasets, noise, seeds, options.epochs, rows)
        tasks = findings.tasks()
        missing = [task for task in tasks if task not in rows]
        reasons: dict[str, list[Task]] = {}
        with open_lines(path) as append:
            for row in run(missing, options.processes):
                if isinstance(row, Failure):
                    if row.reason not in reasons:
                        print(f"failed: {_name(row.task)}: {row.reason}", file=sys.stderr)
                    reasons.setdefault(row.reason, []).append(row.task)
                    continue
                append(row.to_json())
                rows[row.task] = row
                done = sum(task in rows for task in tasks)
                console.print(f"{done}/{len(tasks)} {_describe(row)}", markup=False)
        findings.write_csv(options.out / "claims.csv")
        failures = [
            f"{len(failed)} trainings, of which the first is {_name(failed[0])}: {reason}"
            for reason, failed in reasons.items()
        ]
        _report(findings.complete(), failures, options.out, console)
    except KeyboardInterrupt:
        console.print("Stopped. The finished rows are kept; the same command continues the run.")
        return 130
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return int(bool(reasons))


def _report(findings: Findings, failures: list[str], folder: Path, console: Console) -> None:
    chart, report = "claims.png", folder / "report.md"
    plot(findings, folder / chart)
    write_report(findings, environment(1), chart, report, failures)
    console.print(*outcome(findings), sep="\n", markup=False)
    console.print(f"Report: {report}")


def _describe(row: Row) -> str:
    return f"{_name(row.task)}: {100 * row.test_score:.1f} % in {row.seconds:.1f} s"


def _name(task: Task) -> str:
    return f"{task.dataset} {task.model}, {task.noise} % noise, seed {task.seed}"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.experiments.claims", description=__doc__
    )
    parser.add_argument("--datasets", nargs="+", choices=NAMES, default=["cora", "citeseer"])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, at least 2")
    parser.add_argument("--epochs", type=int, default=200, help="epochs of each training")
    parser.add_argument(
        "--noise",
        type=int,
        nargs="+",
        default=[0, 25, 50, 100, 200],
        help="noise edges to add, in %% of the edges; must include 0",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/claims"), help="folder; a run in it is continued"
    )
    parser.add_argument("--processes", type=int, default=2, help="trainings at a time")
    options = parser.parse_args(arguments)
    for name, least in (("seeds", 2), ("epochs", 1), ("processes", 1)):
        value = getattr(options, name)
        if value < least:
            parser.error(f"{name}: expected >= {least}, got {value}")
    if min(options.noise) != 0 or max(options.noise) == 0:
        parser.error(f"noise: expected 0 and at least one larger number, got {options.noise}")
    return options


if __name__ == "__main__":
    sys.exit(main())
