"""What is measured on large graphs, as a typed configuration file."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.config import PowerLaw
from gatsparse.inference import parse_bytes


@dataclass(frozen=True)
class LargeConfig:
    """A model of as many layers as there are numbers of neighbours, on graphs of growing size.

    Args:
        out: Folder of the run; a run goes on with the rows it finds.
        graphs: Synthetic graphs by name.
        datasets: Names, as in ``gatsparse.data.load``; without their files, no rows.
        root: Folder in which data sets are looked for first.
        in_channels: Width of the features of synthetic graphs.
        out_channels: Number of classes of synthetic graphs.
        hidden_channels: Size of each head of the layers but the last.
        heads: Heads of the layers but the last.
        dropout: On the inputs of layers and on their attention.
        num_neighbors: In-edges drawn for each node, hop by hop.
        batch_size: Seeds of a batch.
        seeds: Nodes of a sampled epoch.
        budgets: Of exact inference, such as ``"2GB"``; with all but the first, features between
            layers lie on disk.
        steps: Full-batch steps; the first warms up, the median of the others counts.
        memory_limit: GB (1e9 bytes) of private memory of each measurement.
        time_limit: Seconds of each measurement.
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
            raise ValueError("graphs: expected at least one, or datasets, got none")
