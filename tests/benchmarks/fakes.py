"""Measurements that take no time; importable, since they run in other processes."""

import os
import time
from pathlib import Path
from typing import Any

from benchmarks.config import Accuracy, BenchConfig
from benchmarks.contenders import Contender
from benchmarks.isolate import UnavailableError
from benchmarks.plan import Task
from benchmarks.results import Values

CONTENDERS = ("gatsparse", "scatter", "pyg", "dense-concat")


def config(out: Path, **changes) -> BenchConfig:
    options: dict[str, Any] = {
        "datasets": ("cora",),
        "contenders": CONTENDERS,
        "time_limit": 20.0,
        "accuracy": Accuracy(seeds=1, processes=1),
    }
    return BenchConfig(out=str(out), **{**options, **changes})


def values(task: Task, error: float = 0.1) -> Values:
    scale = 1 + CONTENDERS.index(task.contender)
    match task.measurement:
        case "gate":
            return Values(
                output_error=error, output_budget=0.2, gradient_error=0.1, gradient_budget=0.2
            )
        case "inference" | "step":
            time = scale * (1 + task.round)
            return Values(
                median=1e-3 * time,
                p10=0.9e-3 * time,
                p90=1.1e-3 * time,
                repetitions=10,
                baseline=10**8,
                peak=scale * 10**9,
            )
        case "accuracy":
            return Values(accuracy=0.8 + 0.01 * task.round, seconds=2.0)
        case "reference":
            return Values()


def measure(task: Task, contender: Contender, config: BenchConfig, reference: Path) -> Values:
    """All goes well; ``calls`` in the folder of the run says what was asked for."""
    assert contender is not None
    with Path(config.out, "calls").open("a") as stream:
        print(*task, file=stream)
    if task.measurement == "reference":
        reference.touch()
    return values(task)


def slow(task: Task, contender: Contender, config: BenchConfig, reference: Path) -> Values:
    """As :func:`measure`, but interruptible; ``worker`` says in which process."""
    Path(config.out, "worker").write_text(str(os.getpid()))
    time.sleep(0.2)
    return measure(task, contender, config, reference)


def troubled(task: Task, contender: Contender, config: BenchConfig, reference: Path) -> Values:
    """One contender with each kind of trouble."""
    match task[:3]:
        case ("citeseer", _, _):
            raise UnavailableError("citeseer is nowhere")
        case (_, "gatsparse", "gate"):
            return values(task, error=0.3)
        case (_, "scatter", "gate"):
            raise UnavailableError("torch_scatter cannot be imported")
        case (_, "pyg", "step"):
            os.abort()
        case (_, "dense-concat", "inference"):
            time.sleep(60)
        case (_, "dense-concat", "step"):
            bytearray(2 * int(1e9 * config.memory_limit))
    return measure(task, contender, config, reference)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()
