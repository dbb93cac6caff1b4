"""Samples with the reverse of every edge, in which a seed may occur several times."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor


def bidirectional(out: Any) -> Any:
    """Adds the reverse of every edge, as ``to_bidirectional`` of PyG's samples does.

    All occurrences of a repeated seed get the same in-edges: the sampled edges of every occurrence
    and the reverse edges. Edges from a repeated seed start at its first occurrence, except for
    self-loops.

    Args:
        out (SampledNodes or SampledHeteroNodes): Sample of :class:`NeighborSampler`.
    """
    hetero = isinstance(out.node, dict)
    nodes = out.node if hetero else {"": out.node}
    counts: Any = out.num_sampled_nodes if hetero else {"": out.num_sampled_nodes}
    first: dict[str, Any] = {
        key: index
        for key, node in nodes.items()
        if (index := _first_occurrences(node, counts[key][0])) is not None
    }
    if not first:
        return out.to_bidirectional(keep_orig_edges=False)
    merged = copy.copy(out)
    if not hetero:
        merged.row, merged.col = first[""][out.row], first[""][out.col]
        both = merged.to_bidirectional(keep_orig_edges=False)
        both.row, both.col, edge = _spread(both.row, both.col, first[""], one_type=True)
        both.edge = both.edge[edge]
        return both
    merged.row = {key: _map(first.get(key[0]), row) for key, row in out.row.items()}
    merged.col = {key: _map(first.get(key[2]), col) for key, col in out.col.items()}
    both = merged.to_bidirectional(keep_orig_edges=False)
    for key, row in both.row.items():
        index = first.get(key[2])
        if row is merged.row[key]:  # PyG found no reverse type
            both.row[key], both.col[key] = out.row[key], out.col[key]
        elif index is not None:
            one_type = key[0] == key[2]
            both.row[key], both.col[key], edge = _spread(row, both.col[key], index, one_type)
            if both.edge[key] is not None:
                both.edge[key] = both.edge[key][edge]
    return both


def _first_occurrences(node: Tensor, num_seeds: int) -> Tensor | None:
    """Returns the first local node with the id of each local node; None if no seed is repeated.

    Args:
        node (Tensor): int64 ``[N]``, the ids, seeds first; only seeds occur several times.
        num_seeds (int): Number of seeds.
    """
    ids, place = node[:num_seeds].unique(return_inverse=True)
    if ids.numel() == num_seeds:
        return None
    first = torch.arange(node.numel())
    seeds = first[:num_seeds]
    first[:num_seeds] = torch.full_like(ids, num_seeds).scatter_reduce_(0, place, seeds, "amin")[
        place
    ]
    return first


def _map(first: Tensor | None, index: Tensor) -> Tensor:
    return index if first is None else first[index]


def _spread(
    row: Tensor, col: Tensor, first: Tensor, one_type: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gives each node the in-edges of its first occurrence.

    Returns:
        tuple: Sources, destinations (ascending), and the positions of the edges in :obj:`row`.
    """
    order = col.argsort(stable=True)
    degree = torch.bincount(col, minlength=first.numel())
    count = degree[first]
    new_col = torch.arange(first.numel()).repeat_interleave(count)
    begin = (degree.cumsum(0) - degree)[first] - (count.cumsum(0) - count)
    edge = order[torch.arange(new_col.numel()) + begin[new_col]]
    new_row = row[edge]
    if one_type:
        new_row = torch.where(new_row == first[new_col], new_col, new_row)
    return new_row, new_col, edge
