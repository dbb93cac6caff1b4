"""What a benchmark run does, as a typed configuration file."""

from __future__ import annotations

import re
from argparse import ArgumentError
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from jsonargparse import ArgumentParser

Config = TypeVar("Config")

#: The layers that can be measured alone; PyG's class is called that, and ``Conv``.
Layer = Literal["GAT", "GATv2"]


@dataclass(frozen=True)
class Timing:
    """How often something is run to be timed.

    Args:
        warmup: Seconds of runs that are thrown away; at least one run.
        seconds: Seconds of runs that count, ...
        repetitions: ... and the least number of them; both are met.
    """

    warmup: float = 1.0
    seconds: float = 5.0
    repetitions: int = 3

    def __post_init__(self) -> None:
        _check(self, warmup=0, seconds=0, repetitions=1)


@dataclass(frozen=True)
class Accuracy:
    """How the test accuracy is measured.

    Args:
        seeds: Number of seeds; none measures no accuracy.
        epochs: Epochs of each training; the epoch of the best validation accuracy counts.
        contenders: Who is trained; for the others the gate stands in.
        processes: Trainings at a time, each with one thread; one per thread of the other
            measurements if not given.
    """

    seeds: int = 2
    epochs: int = 200
    contenders: tuple[str, ...] = ("gatsparse", "scatter", "pyg", "pyg-compile")
    processes: int | None = None

    def __post_init__(self) -> None:
        _check(self, seeds=0, epochs=1)
        if self.processes is not None:
            _check(self, processes=1)


@dataclass(frozen=True)
class Recipe:
    """Whole trainings that are timed, one after another, with all threads.

    Args:
        contenders: Who is trained.
        epochs: Epochs of each training; the epoch of the best validation accuracy counts.
        seed: Of each training.
        limit: A training that would take more seconds is not run to its end, ...
        seconds: ... but for so many after its first epoch, and its time is scaled up.
    """

    contenders: tuple[str, ...] = ()
    epochs: int = 200
    seed: int = 0
    limit: float = 120.0
    seconds: float = 20.0

    def __post_init__(self) -> None:
        _check(self, epochs=1, seed=0, limit=0, seconds=0)


@dataclass(frozen=True)
class PowerLaw:
    """A synthetic graph; see :func:`gatsparse.data.rmat`.

    Args:
        num_nodes: Number of nodes.
        num_edges: Number of directed edges.
    """

    num_nodes: int
    num_edges: int

    def __post_init__(self) -> None:
        _check(self, num_nodes=1, num_edges=0)


@dataclass(frozen=True)
class Sweep:
    """Single layers to measure: each layer in each shape on each graph.

    Args:
        graphs: Names of synthetic graphs, or of data sets.
        layers: Which layers.
        shapes: Heads times channels of each head, such as ``"8x16"``.
        contenders: Who computes them; the contenders of the run if not given.
        timing: Of the forward pass, of forward and backward pass, and of the operator.
    """

    graphs: tuple[str, ...]
    layers: tuple[Layer, ...]
    shapes: tuple[str, ...]
    contenders: tuple[str, ...] | None = None
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        for shape in self.shapes:
            if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", shape):
                raise ValueError(f"shapes: expected HEADSxCHANNELS, such as 8x16, got {shape!r}")


@dataclass(frozen=True)
class BenchConfig:
    """A benchmark run.

    Args:
        out: Folder of the run: rows, report, plots. A run goes on with the rows it finds.
        contenders: Names, as in the table of contenders, or import paths such as
            ``my_module:my_contender``.
        datasets: Names, as in ``gatsparse.data.load``, or import paths such as
            ``my_module:my_dataset``, of those that the two-layer model is measured on.
        fallback: Data set that stands in for those that cannot be had.
        root: Folder in which data sets are looked for first.
        rounds: How often the contenders are timed in turn, each time in new processes;
            none times nothing.
        threads: Threads of each measurement; one per core if not given.
        memory_limit: GB (1e9 bytes) of private memory that each measurement may take.
        time_limit: Seconds that each measurement may take.
        seed: Of the weights that the gate compares on, of synthetic graphs, and of the
            features of single layers.
        inference: Timing of the forward pass.
        step: Timing of the training step.
        accuracy: Training runs.
        recipe: Training runs that are timed.
        graphs: Synthetic graphs by name.
        in_channels: Width of the features that single layers take.
        layers: Single layers to measure.
    """

    out: str
    contenders: tuple[str, ...]
    datasets: tuple[str, ...] = ()
    fallback: str | None = None
    root: str | None = None
    rounds: int = 1
    threads: int | None = None
    memory_limit: float = 16.0
    time_limit: float = 300.0
    seed: int = 0
    inference: Timing = field(default_factory=Timing)
    step: Timing = field(default_factory=Timing)
    accuracy: Accuracy = field(default_factory=Accuracy)
    recipe: Recipe = field(default_factory=Recipe)
    graphs: dict[str, PowerLaw] = field(default_factory=dict)
    in_channels: int = 128
    layers: tuple[Sweep, ...] = ()

    def __post_init__(self) -> None:
        _check(self, rounds=0, memory_limit=0, time_limit=0, in_channels=1)
        if self.threads is not None:
            _check(self, threads=1)
        if not self.datasets and not self.layers:
            raise ValueError("datasets: expected at least one, or layers, got none")
        for name in self.graphs:
            if " " in name:
                raise ValueError(f"graphs: expected names without spaces, got {name!r}")


def parse(path: str | Path, *overrides: str) -> BenchConfig:
    """Reads a configuration file: see :func:`parse_as`."""
    return parse_as(BenchConfig, path, *overrides)


def parse_as(config: type[Config], path: str | Path, *overrides: str) -> Config:
    """Reads a configuration file.

    Args:
        config (type): Dataclass of the configuration.
        path (str): A YAML file with its fields.
        *overrides (str): ``"--key", "value"``, in place of what the file says.

    Raises:
        ValueError: If the file cannot be read, a key is unknown, or a value is of a wrong
            type or out of range.
    """
    parser = ArgumentParser(prog="CONFIG", exit_on_error=False, allow_abbrev=False, add_help=False)
    parser.add_argument("--config", action="config", help="another file, on top of CONFIG")
    parser.add_class_arguments(config, as_group=True)
    try:
        values = dict(parser.instantiate(parser.parse_args(["--config", str(path), *overrides])))
    except (ArgumentError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    del values["config"]
    return config(**values)


def save(config: Any, path: Path) -> None:
    """Writes a configuration so that :func:`parse` reads it."""
    path.write_text(yaml.safe_dump(asdict(config), sort_keys=False))


def _check(config: Any, **least: float) -> None:
    for item in fields(config):
        value = getattr(config, item.name)
        if item.name in least and value < least[item.name]:
            raise ValueError(f"{item.name}: expected >= {least[item.name]}, got {value}")
