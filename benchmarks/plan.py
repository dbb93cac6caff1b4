"""The measurements that a run is made of, and what each one's result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import NamedTuple

from benchmarks.config import BenchConfig
from benchmarks.results import Key, Measurement


class Task(NamedTuple):
    """One measurement.

    Args:
        dataset, contender, measurement, round: As in :class:`benchmarks.results.Key`.
    """

    dataset: str
    contender: str
    measurement: Measurement
    round: int = 0


def reference(dataset: str) -> Task:
    """The computation that all gates of a data set compare with."""
    return Task(dataset, "pyg", "reference")


def requirement(task: Task) -> Task | None:
    """The measurement that must have gone well before this one, if any."""
    if task.measurement == "reference":
        return None
    if task.measurement == "gate":
        return reference(task.dataset)
    return Task(task.dataset, task.contender, "gate")


def datasets(config: BenchConfig, available: Callable[[str], bool]) -> list[str]:
    """The data sets that can be had, and the one that stands in for the others."""
    names = [name for name in config.datasets if available(name)]
    missing = len(names) < len(config.datasets)
    if missing and config.fallback is not None and config.fallback not in names:
        names.append(config.fallback)
    return names


def tasks(config: BenchConfig, dataset: str) -> list[Task]:
    """All measurements on a data set, in the order in which they are made.

    In every round each contender has its turn, so that a drift of the machine meets all.
    """
    timed: tuple[Measurement, ...] = ("inference", "step")
    trained = [name for name in config.contenders if name in config.accuracy.contenders]
    return [
        reference(dataset),
        *(Task(dataset, name, "gate") for name in config.contenders),
        *(
            Task(dataset, name, measurement, turn)
            for turn in range(config.rounds)
            for measurement in timed
            for name in config.contenders
        ),
        *(
            Task(dataset, name, "accuracy", seed)
            for seed in range(config.accuracy.seeds)
            for name in trained
        ),
    ]


def key(task: Task, config: BenchConfig, environment: Mapping[str, str | int]) -> Key:
    """The key of a task's row."""
    depends: dict[str, object] = {
        "environment": dict(environment),
        "root": config.root,
        "memory_limit": config.memory_limit,
        "time_limit": config.time_limit,
    }
    match task.measurement:
        case "reference" | "gate":
            depends["seed"] = config.seed
        case "inference":
            depends["timing"] = asdict(config.inference)
        case "step":
            depends["timing"] = asdict(config.step)
        case "accuracy":
            depends["epochs"] = config.accuracy.epochs
    text = json.dumps(depends, sort_keys=True)
    return Key(*task, settings=hashlib.sha256(text.encode()).hexdigest()[:12])
