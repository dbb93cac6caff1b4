"""Rows of a benchmark, and files of rows that survive interruption."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

Parsed = TypeVar("Parsed")

#: Measurements of a contender's model on a data set; the reference is PyG in float64.
ModelMeasurement = Literal["reference", "gate", "inference", "step", "recipe", "accuracy"]

#: Timed measurements of a contender's single layer on a graph, and of its operator alone.
TimedLayer = Literal["forward", "forward+backward", "operator", "operator backward"]

Measurement = ModelMeasurement | Literal["graph", "layer gate"] | TimedLayer

#: How a measurement ended.
Status = Literal["ok", "wrong", "unavailable", "out of memory", "out of time", "crashed"]


class Key(NamedTuple):
    """Identifies a row. A measurement is finished if a row has its key.

    Args:
        dataset (str): Name of the data set or graph; for the gate of a layer, the layer; for a
            timed layer, the :class:`benchmarks.plan.Case`.
        contender (str): Name of the contender.
        measurement (str): Name of the measurement.
        round (int): Repetition of the process; for a training, the seed.
        settings (str): Hash of all settings that the result depends on.
    """

    dataset: str
    contender: str
    measurement: Measurement
    round: int
    settings: str


@dataclass(frozen=True)
class Values:
    """Values of a measurement; ``None`` if not measured.

    Args:
        median, p10, p90 (float): Quantiles of the time of one run, in seconds.
        repetitions (int): Number of runs that were timed.
        floor (float): Median time of the interleaved gather floor, in seconds.
        baseline (int): Resident bytes before the model and its graph were built.
        peak (int): Peak of the resident bytes of the process.
        output_error, gradient_error (float): Largest error, relative to the largest entry
            of the output, or of all gradients.
        output_budget, gradient_budget (float): Largest allowed errors.
        accuracy (float): Test accuracy, 0 .. 1.
        seconds (float): Wall time of a training. The recipe runs alone on the machine; trainings
            that measure the accuracy run next to others.
        first_epoch (float): Wall time of the first epoch, in seconds.
        epochs (int): Epochs that were run.
        num_nodes, num_edges (int): Size of a graph.
    """

    median: float | None = None
    p10: float | None = None
    p90: float | None = None
    repetitions: int | None = None
    floor: float | None = None
    baseline: int | None = None
    peak: int | None = None
    output_error: float | None = None
    output_budget: float | None = None
    gradient_error: float | None = None
    gradient_budget: float | None = None
    accuracy: float | None = None
    seconds: float | None = None
    first_epoch: float | None = None
    epochs: int | None = None
    num_nodes: int | None = None
    num_edges: int | None = None


@dataclass(frozen=True)
class Row:
    """One line of ``results.jsonl``.

    Args:
        dataset, contender, measurement, round, settings: See :class:`Key`.
        status (str): ``"ok"``, or the kind of failure.
        detail (str): Reason of the failure; empty if ok.
        values (Values): Measured values.
        environment (dict): The machine and the versions.
        finished (str): Time of completion, ISO 8601.
    """

    dataset: str
    contender: str
    measurement: Measurement
    round: int
    settings: str
    status: Status
    detail: str = ""
    values: Values = field(default_factory=Values)
    environment: dict[str, str | int] = field(default_factory=dict)
    finished: str = ""

    @property
    def key(self) -> Key:
        """Key of the row."""
        return Key(self.dataset, self.contender, self.measurement, self.round, self.settings)

    def to_json(self) -> str:
        """Returns the row as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Row:
        """Reads a row from a line of JSON."""
        raw = json.loads(line)
        return cls(**{**raw, "values": Values(**raw["values"])})


def parsed(path: Path, parse: Callable[[str], Parsed]) -> Iterator[Parsed]:
    """Yields a function's result for each line of a file, which may be missing.

    The file is not modified. A last line without a newline was cut off by a kill and is ignored.

    Raises:
        ValueError: If the function rejects a line.
    """
    if not path.exists():
        return
    *lines, _torn = path.read_text().split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            row = parse(line)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path}:{number}: expected a row, got {line[:80]!r}") from error
        yield row


def read(path: Path) -> dict[Key, Row]:
    """Reads the rows of a file by key; the last one of a key counts.

    Raises:
        ValueError: See :func:`parsed`.
    """
    return {row.key: row for row in parsed(path, Row.from_json)}


class Store:
    """Rows in memory and on disk; see :func:`open_store`."""

    def __init__(self, rows: dict[Key, Row], append: Callable[[str], None]) -> None:
        self.rows = rows
        self._append = append

    def append(self, row: Row) -> None:
        """Adds a row, which is completely on disk when this returns."""
        self._append(row.to_json())
        self.rows[row.key] = row

    def forget(self, outdated: Callable[[Row], bool]) -> None:
        """Drops outdated rows, so that they are measured again; the file keeps them."""
        self.rows = {key: row for key, row in self.rows.items() if not outdated(row)}


@contextmanager
def open_store(path: Path) -> Iterator[Store]:
    """Opens a file of :class:`Row` for appending; see :func:`open_lines`.

    Raises:
        ValueError: If the file is in use by another run, or a line is not a row.
    """
    with open_lines(path) as append:
        yield Store(read(path), append)


@contextmanager
def open_lines(path: Path) -> Iterator[Callable[[str], None]]:
    """Opens a file of rows for appending; an incomplete last line is removed.

    Yields:
        callable: Adds a line, which is completely on disk when it returns.

    Raises:
        ValueError: If the file is in use by another run.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"{path}: another benchmark is writing here") from error
        os.truncate(descriptor, path.read_bytes().rfind(b"\n") + 1)

        def append(line: str) -> None:
            os.write(descriptor, f"{line}\n".encode())
            os.fsync(descriptor)

        yield append
    finally:
        os.close(descriptor)
