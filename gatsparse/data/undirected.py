"""Graphs with the reverse of every edge."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.utils import to_undirected

from gatsparse.data.statistics import entries, row_ranges
from gatsparse.graph import CSRGraph


def undirected(
    edge_index: Tensor, edge_attr: Tensor | None, num_nodes: int
) -> tuple[Tensor, Tensor | None]:
    """Adds the reverse of every edge, and drops duplicate edges, as
    :func:`torch_geometric.utils.to_undirected` does.

    Without edge features it needs much less memory, and keeps int32 indices.

    Args:
        edge_index (Tensor): int64 or int32 ``[2, E]``.
        edge_attr (Tensor, optional): ``[E, D]``; the features of duplicate edges are averaged.
        num_nodes (int): Number of nodes.
    """
    if edge_attr is not None:
        # PyG multiplies indices by the number of nodes, which int32 does not hold.
        both, attr = to_undirected(edge_index.long(), edge_attr, num_nodes, reduce="mean")
        return both.to(edge_index.dtype), attr
    graph = CSRGraph.from_edge_index(edge_index, num_nodes)
    parts = [edge_index.new_empty(2, 0)]
    for first, last in row_ranges(graph.rowptr + graph.rowptr_t):
        both = (
            entries(graph.rowptr, graph.col, first, last),
            entries(graph.rowptr_t, graph.col_t, first, last),
        )
        keys = torch.cat([row * num_nodes + col for row, col in both]).unique()
        ends = torch.stack([keys.div(num_nodes, rounding_mode="floor"), keys % num_nodes])
        parts.append(ends.to(edge_index.dtype))
    return torch.cat(parts, dim=1), None
