"""The edges that the edge-wise backends of GAT work on."""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph


def edges(graph: CSRGraph, add_self_loops: bool) -> tuple[Tensor, Tensor]:
    """The edges in the caller's order, and the number by which dropout knows each.

    With self-loops: the edges that are none, then ``i -> i`` for every node that is
    both a source and a destination; the order of PyG's ``add_self_loops``.

    Returns:
        tuple: ``edge_index`` int64 ``[2, E']`` and ``edge`` int64 ``[E']``.
    """
    edge_index = graph.edge_index()
    edge = torch.arange(graph.num_edges, device=graph.device)
    if not add_self_loops:
        return edge_index, edge
    loop = torch.arange(min(graph.size), device=graph.device)
    no_loop = edge_index[0] != edge_index[1]
    return (
        torch.cat([edge_index[:, no_loop], loop.expand(2, -1)], dim=1),
        torch.cat([edge[no_loop], graph.num_edges + loop]),
    )
