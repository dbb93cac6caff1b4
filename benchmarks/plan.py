"""Measurements of a run, and the settings that each result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import product
from typing import NamedTuple, get_args

from benchmarks.config import BenchConfig, Layer, Timing
from benchmarks.import_path import relevant
from benchmarks.rows import Key, Measurement, TimedLayer

_TIMED_LAYERS: tuple[TimedLayer, ...] = get_args(TimedLayer)


class Task(NamedTuple):
    """One measurement.

    Args:
        dataset, contender, measurement, round: See :class:`benchmarks.rows.Key`.
    """

    dataset: str
    contender: str
    measurement: Measurement
    round: int = 0


class Case(NamedTuple):
    """A layer with a shape on a graph, named ``"graph layer shape"`` in rows.

    Args:
        graph (str): Name of a synthetic graph or a data set.
        layer (str): ``"GAT"`` or ``"GATv2"``.
        shape (str): Heads times channels, such as ``"8x16"``.
    """

    graph: str
    layer: Layer
    shape: str

    def __str__(self) -> str:
        return " ".join(self)

    @classmethod
    def of(cls, task: Task) -> Case:
        """Returns the case of a timed layer."""
        return cls(*task.dataset.split(" "))  # pyright: ignore[reportArgumentType]

    @property
    def size(self) -> tuple[int, int]:
        """``(heads, channels)``."""
        return split(self.shape)


def split(shape: str) -> tuple[int, int]:
    """Returns ``(heads, channels)`` of a shape such as ``"8x16"``."""
    heads, channels = map(int, shape.split("x"))
    return heads, channels


def reference(dataset: str) -> Task:
    """Returns the task that computes the reference of all gates of a data set."""
    return Task(dataset, "pyg", "reference")


def graph(name: str) -> Task:
    """Returns the task that draws or loads a graph for single layers."""
    return Task(name, "pyg", "graph")


def source(task: Task) -> Task:
    """Returns the task that writes the input file of a task."""
    if task.measurement in _TIMED_LAYERS:
        return graph(Case.of(task).graph)
    return task if task.measurement == "graph" else reference(task.dataset)


def requirements(task: Task) -> tuple[Task, ...]:
    """Returns the tasks that must succeed before this one."""
    match task.measurement:
        case "reference" | "graph" | "layer gate":
            return ()
        case "gate":
            return (source(task),)
        case "inference" | "step" | "recipe" | "accuracy":
            return (Task(task.dataset, task.contender, "gate"),)
        case _:
            return (source(task), Task(Case.of(task).layer, task.contender, "layer gate"))


def datasets(config: BenchConfig, available: Callable[[str], bool]) -> list[str]:
    """Returns the available data sets, and the fallback if one is missing."""
    names = [name for name in config.datasets if available(name)]
    missing = len(names) < len(config.datasets)
    if missing and config.fallback is not None and config.fallback not in names:
        names.append(config.fallback)
    return names


def tasks(config: BenchConfig, dataset: str) -> list[Task]:
    """Returns all measurements on a data set, in the order in which they are made.

    Contenders are interleaved, so that a drift of the machine affects all of them.
    """
    timed: tuple[Measurement, ...] = ("inference", "step")
    timed_trainings = [name for name in config.contenders if name in config.recipe.contenders]
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
        *(Task(dataset, name, "recipe", config.recipe.seed) for name in timed_trainings),
        *(
            Task(dataset, name, "accuracy", seed)
            for seed in range(config.accuracy.seeds)
            for name in trained
        ),
    ]


def graphs(config: BenchConfig) -> list[str]:
    """Returns the graphs that layers are measured on."""
    return list(dict.fromkeys(name for sweep in config.layers for name in sweep.graphs))


def layer_tasks(config: BenchConfig, graph: str) -> list[Task]:
    """Returns all measurements of layers on a graph and their gates, in the order of execution.

    Only the operator of gatsparse is measured.
    """
    found: list[Task] = []
    for sweep in config.layers:
        names = sweep.contenders or config.contenders
        for layer, shape in product(sweep.layers, sweep.shapes) if graph in sweep.graphs else ():
            found += [Task(layer, name, "layer gate") for name in names]
            found += [
                Task(str(Case(graph, layer, shape)), name, measurement, turn)
                for turn in range(config.rounds)
                for measurement in _TIMED_LAYERS
                for name in names
                if name == "gatsparse" or not measurement.startswith("operator")
            ]
    return list(dict.fromkeys(found))


def names(config: BenchConfig) -> list[str]:
    """Returns all contenders, data sets and graphs that a configuration names."""
    fallback = () if config.fallback is None else (config.fallback,)
    contenders = [*model_contenders(config), *layer_contenders(config)]
    return [*contenders, *config.datasets, *fallback, *graphs(config)]


def model_contenders(config: BenchConfig) -> list[str]:
    """Returns the contenders for the two-layer model."""
    trained = (*config.accuracy.contenders, *config.recipe.contenders)
    return list(dict.fromkeys((*config.contenders, *trained)))


def layer_contenders(config: BenchConfig) -> list[str]:
    """Returns the contenders for single layers."""
    names = [name for sweep in config.layers for name in sweep.contenders or config.contenders]
    return list(dict.fromkeys(names))


def shapes(config: BenchConfig, layer: str) -> list[str]:
    """Returns the shapes in which a layer is measured."""
    sweeps = [sweep for sweep in config.layers if layer in sweep.layers]
    return list(dict.fromkeys(shape for sweep in sweeps for shape in sweep.shapes))


def timing(task: Task, config: BenchConfig) -> Timing | None:
    """Returns the timing of a layer from the first sweep that contains it, or None."""
    case = Case.of(task)
    for sweep in config.layers:
        names = sweep.contenders or config.contenders
        asked = case.graph in sweep.graphs and case.layer in sweep.layers
        if asked and case.shape in sweep.shapes and task.contender in names:
            return sweep.timing
    return None


def key(task: Task, config: BenchConfig, environment: Mapping[str, str | int]) -> Key:
    """Returns the key of a task's row."""
    depends: dict[str, object] = {
        "environment": relevant(environment, [*task.dataset.split(" "), task.contender]),
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
        case "recipe":
            depends |= {key: getattr(config.recipe, key) for key in ("epochs", "limit", "seconds")}
        case "accuracy":
            depends["epochs"] = config.accuracy.epochs
        case "graph":
            depends |= _graph(task.dataset, config)
        case "layer gate":
            depends |= {"seed": config.seed, "shapes": shapes(config, task.dataset)}
        case _:
            depends |= _graph(Case.of(task).graph, config)
            depends["in_channels"] = config.in_channels
            found = timing(task, config)
            depends["timing"] = None if found is None else asdict(found)
    text = json.dumps(depends, sort_keys=True)
    return Key(*task, settings=hashlib.sha256(text.encode()).hexdigest()[:12])


def _graph(name: str, config: BenchConfig) -> dict[str, object]:
    synthetic = config.graphs.get(name)
    return {"graph": None if synthetic is None else asdict(synthetic), "seed": config.seed}
