"""Typed configuration of the measurements on large graphs."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.config import PowerLaw
from gatsparse.inference import parse_bytes


@dataclass(frozen=True)
class LargeConfig:
    """Measurements of a model with one layer per entry of :obj:`num_neighbors`.

    Args:
        out: Folder of the run; a run continues with the rows it finds.
        graphs: Synthetic graphs by name.
        datasets: Names, as in ``gatsparse.data.load``; a missing data set is ``unavailable``.
        root: Folder that is searched first for data sets.
        in_channels: Number of features of synthetic graphs.
        out_channels: Number of classes of synthetic graphs.
        hidden_channels: Channels per head of all layers but the last.
        heads: Number of heads of all layers but the last.
        dropout: Dropout of the inputs of layers and of their attention.
        num_neighbors: Number of in-edges drawn for each node, hop by hop.
        batch_size: Number of seeds in a batch.
        seeds: Number of seeds in a sampled epoch.
        budgets: Memory budgets of exact inference, such as ``"2GB"``; all but the first keep
            features between layers on disk.
        steps: Full-batch steps; the first warms up, the median of the others counts.
        memory_limit: Private memory of each measurement, in GB (1e9 bytes).
        time_limit: Seconds that each measurement may take.
        threads: Threads of each measurement.
    """

    out: str
    graphs: dict[str, PowerLaw] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    root: str | None = None
    in_channels: int = 100
    out_channels: int = 47
    hidden_channels: int = 16
    heads: int = 8
    dropout: float = 0.2
    num_neighbors: tuple[int, ...] = (15, 10, 5)
    batch_size: int = 1024
    seeds: int = 20480
    budgets: tuple[str, ...] = ("8GB", "2GB", "1GB")
    steps: int = 3
    memory_limit: float = 21.4
    time_limit: float = 1800.0
    threads: int = 2

    def __post_init__(self) -> None:
        for budget in self.budgets:
            parse_bytes(budget)
        if self.steps < 2:
            raise ValueError(f"steps: expected >= 2, as the first warms up, got {self.steps}")
        if not self.graphs and not self.datasets:
            raise ValueError("graphs: expected at least one, or datasets, got neither")
