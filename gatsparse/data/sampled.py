"""Samples, and the CSR graphs of their edges."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor
from torch_geometric.sampler import HeteroSamplerOutput, SamplerOutput
from torch_geometric.typing import EdgeType

from gatsparse.graph import CSRGraph
from gatsparse.graph_cache import fingerprint


class Built(NamedTuple):
    """A CSR graph, and a fingerprint of the edges from which it was built."""

    graph: CSRGraph
    content: tuple[Hashable, ...]

    def of(self, row: Tensor | None, col: Tensor | None) -> bool:
        """Whether these are the edges of the graph."""
        return row is not None and col is not None and self.content == _content(row, col)


def build(graph: CSRGraph, row: Tensor, col: Tensor) -> Built:
    """Pairs a graph with a fingerprint of its current edges."""
    return Built(graph, _content(row, col))


def _content(row: Tensor, col: Tensor) -> tuple[Hashable, ...]:
    return row.shape, fingerprint(row), fingerprint(col)


@dataclass
class SampledNodes(SamplerOutput):
    """Sample of a graph with one node type; its edges are sorted by destination.

    Args:
        built (Built, optional): The CSR graph of the edges.
    """

    built: Built | None = None

    @property
    def graph(self) -> CSRGraph | None:
        """CSR graph of the edges; None if they were changed after sampling."""
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
        """CSR graphs of the edge types whose edges were not changed after sampling."""
        return {
            key: built.graph
            for key, built in self.built.items()
            if built.of(self.row.get(key), self.col.get(key))
        }
