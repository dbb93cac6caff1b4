"""Typed configuration of a benchmark run."""

from __future__ import annotations

import re
from argparse import ArgumentError
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from jsonargparse import ArgumentParser

Config = TypeVar("Config")

#: Layers that can be measured alone; the name of the class adds ``Conv``.
Layer = Literal["GAT", "GATv2"]

#: Device of single layers.
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Timing:
    """Duration and number of timed runs.

    Args:
        warmup: Seconds of warm-up runs, which are not counted; at least one run.
        seconds: Minimum seconds of all timed runs together.
        repetitions: Minimum number of timed runs.
    """

    warmup: float = 1.0
    seconds: float = 5.0
    repetitions: int = 3

    def __post_init__(self) -> None:
        _check(self, warmup=0, seconds=0, repetitions=1)


@dataclass(frozen=True)
class Accuracy:
    """Measurement of the test accuracy.

    Args:
        seeds: Number of seeds; 0 skips the measurement.
        epochs: Epochs of each training; the epoch of the best validation accuracy counts.
        contenders: Contenders that are trained; the others only pass the gate.
        processes: Trainings at a time, each with one thread; by default, one per thread of
            the other measurements.
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
    """Timed trainings, one after another, with all threads.

    Args:
        contenders: Contenders that are trained.
        epochs: Epochs of each training; the epoch of the best validation accuracy counts.
        seed: Seed of each training.
        limit: Seconds; a training that would take longer is stopped early, and its time is
            scaled up.
        seconds: Seconds that such a training runs after its first epoch.
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
        graphs: Names of synthetic graphs or data sets.
        layers: Layers to measure.
        shapes: Heads times channels per head, such as ``"8x16"``.
        contenders: Contenders to measure; by default, those of the run.
        timing: Timing of the forward pass, of forward + backward, and of the operator.
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
        out: Folder of the run: rows, report, plots. A run continues with the rows it finds.
        contenders: Names from the table of contenders, or import paths such as
            ``my_module:my_contender``.
        datasets: Data sets of the two-layer model: names, as in ``gatsparse.data.load``, or
            import paths such as ``my_module:my_dataset``.
        fallback: Data set that replaces unavailable ones.
        root: Folder that is searched first for data sets.
        rounds: Number of rounds, each of which times every contender in a new process; 0
            times nothing.
        threads: Threads of each measurement; by default, one per core.
        memory_limit: Private memory of each measurement, in GB (1e9 bytes).
        time_limit: Seconds that each measurement may take.
        seed: Seed of the weights in the gate, of synthetic graphs, and of the features of
            single layers.
        inference: Timing of the forward pass.
        step: Timing of the training step.
        accuracy: Trainings that measure the accuracy.
        recipe: Trainings that are timed.
        graphs: Synthetic graphs by name.
        in_channels: Number of input features of single layers.
        layers: Single layers to measure.
        device: Device of single layers; models are measured on the CPU.
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
    device: Device = "cpu"

    def __post_init__(self) -> None:
        _check(self, rounds=0, memory_limit=0, time_limit=0, in_channels=1)
        if self.threads is not None:
            _check(self, threads=1)
        if not self.datasets and not self.layers:
            raise ValueError("datasets: expected at least one, or layers, got neither")
        if self.datasets and self.device != "cpu":
            raise ValueError(f"datasets: expected none with device: {self.device}")
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
        path (str): Path of a YAML file.
        *overrides (str): ``"--key", "value"`` pairs that override the file.

    Raises:
        ValueError: If the file cannot be read, a key is unknown, or a value has a wrong type
            or is out of range.
    """
    parser = ArgumentParser(prog="CONFIG", exit_on_error=False, allow_abbrev=False, add_help=False)
    parser.add_argument("--config", action="config", help="another file that overrides CONFIG")
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
