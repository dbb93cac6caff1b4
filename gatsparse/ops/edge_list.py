"""A graph as the list of its edges, for operators that are traced rather than computed."""

from __future__ import annotations

import torch
from torch import Tensor


def hide_number(edge_index: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
    """Hides the number of edges from the deprecated exporter of ONNX, whose code for
    ``scatter_reduce`` is invalid if shapes are known. Otherwise returns the arguments.

    Args:
        edge_index (Tensor): Integers ``[2, E]``.
        *features (Tensor): ``[E, ...]``.
    """
    if not (torch.onnx.is_in_onnx_export() and torch.jit.is_tracing()):  # pyright: ignore
        return edge_index, *features
    every = edge_index[0] == edge_index[0]
    return edge_index[:, every], *(rows[every] for rows in features)


class EdgeList:
    r"""The edges of a graph in the caller's order, neither sorted nor checked.

    It takes the place of a :class:`gatsparse.CSRGraph` in the edge-wise backends while a tracer
    records them. No operator of gatsparse is recorded, no value of :obj:`edge_index` is read, and
    no shape depends on one.

    Args:
        edge_index (Tensor): Integers ``[2, E]``; row 0 holds the sources.
        size (tuple): ``(N_src, N_dst)``.
    """

    def __init__(self, edge_index: Tensor, size: tuple[int, int]) -> None:
        (self._edge_index,) = hide_number(edge_index.long())
        self.size = size
        self.num_src, self.num_dst = size

    @property
    def num_edges(self) -> int:
        """Number of edges :math:`E`."""
        return self._edge_index.size(1)

    @property
    def device(self) -> torch.device:
        """Device of the edges."""
        return self._edge_index.device

    def edge_index(self) -> Tensor:
        """Returns the edges, int64 ``[2, E]``."""
        return self._edge_index

    def reverse(self) -> EdgeList:
        """Returns the same edges in the opposite direction."""
        return EdgeList(self._edge_index.flip(0), (self.num_dst, self.num_src))

    def repeat(self, count: int) -> EdgeList:
        """Returns the disjoint union of copies of the graph, as :meth:`CSRGraph.repeat` does."""
        copy = torch.arange(count, device=self.device)[:, None]
        rows = [
            (row + copy * num_nodes).flatten()
            for row, num_nodes in zip(self._edge_index, self.size, strict=True)
        ]
        return EdgeList(torch.stack(rows), (count * self.num_src, count * self.num_dst))
