"""Lines of the tables of :mod:`benchmarks.drop_in`."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.exact import TOLERANCE
from benchmarks.sections import Row, times


@dataclass(frozen=True)
class LayerRow(Row):
    """A layer on a small graph; median seconds of a call by contender."""

    layer: str
    graph: str
    edge_index: str
    work: str
    seconds: dict[str, float]
    error: float

    def cells(self) -> list[str]:
        """Cells of the line, with times in microseconds."""
        what = [self.layer, self.graph, self.edge_index, self.work]
        return [*what, *times(self.seconds, 1e6), f"{self.error:.0e}"]


@dataclass(frozen=True)
class ModelRow(Row):
    """A model and its accelerated copy; median seconds of a training step by contender."""

    model: str
    graph: str
    layers: int
    seconds: dict[str, float]
    error: float

    def cells(self) -> list[str]:
        """Cells of the line, with times in milliseconds."""
        what = [self.model, self.graph, str(self.layers)]
        return [*what, *times(self.seconds, 1e3), f"{self.error:.0e}"]


@dataclass(frozen=True)
class CompiledRow(Row):
    """A model under ``torch.compile``, on graphs of many sizes."""

    model: str
    dynamic: bool | None
    fullgraph: bool
    batches: int
    graphs: int
    recompilations: list[str]
    graph_breaks: int
    seconds: float
    error: float
    problem: str

    def cells(self) -> list[str]:
        """Cells of the line."""
        return [
            self.model,
            str(self.dynamic),
            str(self.fullgraph),
            str(self.batches),
            str(self.graphs),
            str(len(self.recompilations)),
            str(self.graph_breaks),
            f"{self.seconds:.1f}",
            "failed" if self.problem else f"{self.error:.0e}",
        ]

    def notes(self) -> list[str]:
        """Reason of a failure, or of each recompilation with ``fullgraph=True``."""
        what = f"{self.model}, dynamic={self.dynamic}, fullgraph={self.fullgraph}"
        if self.problem:
            return [f"{what} failed: {self.problem}"]
        reasons = self.recompilations if self.fullgraph else []
        return [f"{what} was compiled again: {reason}" for reason in reasons]

    def failure(self) -> str:
        """Reason why a model cannot be compiled with graph breaks, or its error."""
        if self.problem:
            return "" if self.fullgraph else self.notes()[0]
        wrong = not self.error <= TOLERANCE
        return f"{self.model}, dynamic={self.dynamic}: error {self.error:.1e}" if wrong else ""
