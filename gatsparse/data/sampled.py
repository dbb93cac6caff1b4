"""Samples, and the CSR graphs of their edges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch_geometric.sampler import HeteroSamplerOutput, SamplerOutput
from torch_geometric.typing import EdgeType

from gatsparse.graph import CSRGraph


@dataclass(frozen=True)
class Built:
    """A CSR graph and the edges from which it was built."""

    graph: CSRGraph
    row: Tensor
    col: Tensor
    versions: tuple[int, ...] | None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles without version counters, which start anew in another process."""
        if self.of(self.row, self.col):
            return build, (self.graph, self.row, self.col)
        return Built, (self.graph, self.row, self.col, (-1,))

    def of(self, row: Tensor | None, col: Tensor | None) -> bool:
        """Whether the graph is that of these edges: the same tensors, unmodified."""
        return (
            row is self.row and col is self.col and self.versions == _versions(self.row, self.col)
        )


def build(graph: CSRGraph, row: Tensor, col: Tensor) -> Built:
    """Pairs a graph with its edges as they are now."""
    return Built(graph, row, col, _versions(row, col))


def _versions(*tensors: Tensor) -> tuple[int, ...] | None:
    """Version counters; None for inference tensors, which have none."""
    if any(tensor.is_inference() for tensor in tensors):
        return None
    return tuple(tensor._version for tensor in tensors)


@dataclass
class SampledNodes(SamplerOutput):
    """Sample of a graph with one node type; its edges are sorted by destination.

    Args:
        built (Built, optional): The CSR graph of the edges.
    """

    built: Built | None = None

    @property
    def graph(self) -> CSRGraph | None:
        """CSR graph of the edges; None if they were changed since."""
        if self.built is None or not self.built.of(self.row, self.col):
            return None
        return self.built.graph


@dataclass
class SampledHeteroNodes(HeteroSamplerOutput):
    """Sample of a graph with several types.

    Args:
        built (dict, optional): The CSR graph of each edge type.
    """

    built: dict[EdgeType, Built] = field(default_factory=dict)

    @property
    def graph(self) -> dict[EdgeType, CSRGraph]:
        """CSR graphs of the edge types whose edges were not changed since."""
        return {
            key: built.graph
            for key, built in self.built.items()
            if built.of(self.row.get(key), self.col.get(key))
        }
