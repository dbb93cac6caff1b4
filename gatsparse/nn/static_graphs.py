"""Batches of node features on one graph, ``[*, N, F]``, computed on copies of the graph."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from gatsparse.ops.scatter import edges


def is_batch(x: Any) -> bool:
    """Whether features have batch dimensions."""
    tensors = x if isinstance(x, (tuple, list)) else (x,)
    return any(isinstance(tensor, Tensor) and tensor.dim() > 2 for tensor in tensors)


def batch_shape(x: tuple[Tensor, Tensor | None]) -> torch.Size:
    """The dimensions before the dimensions of nodes and features.

    Raises:
        ValueError: If the dimensions of sources and destinations differ.
    """
    batch, *others = (t.shape[:-2] for t in x if t is not None)
    if any(other != batch for other in others):
        raise ValueError(
            "x: expected the same batch dimensions for sources and destinations, "
            f"got {[list(batch), *map(list, others)]}"
        )
    return batch


def repeat_edge_attr(edge_attr: Tensor, batch: torch.Size, num_edges: int) -> Tensor:
    """Edge features of all copies ``[B * E, ...]``, from separate or shared features of the copies.

    Raises:
        ValueError: If the shape of :obj:`edge_attr` is neither.
    """
    if edge_attr.dim() <= 2:
        return edge_attr.expand(math.prod(batch), *edge_attr.shape).flatten(0, 1)
    if edge_attr.shape[:-1] != (*batch, num_edges):
        raise ValueError(
            f"edge_attr: expected shape [{num_edges}, D] or {[*batch, num_edges, 'D']} to match x "
            f"and edge_index, got {list(edge_attr.shape)}"
        )
    return edge_attr.flatten(0, -2)


def split_attention(
    alpha: Tensor, batch: torch.Size, graph: Any, add_self_loops: bool
) -> tuple[Tensor, Tensor]:
    """The edges of one copy ``[2, E']`` and the attention of all, ``[*, E', H]``.

    Args:
        alpha (Tensor): Attention on the graph of all copies: first their edges, then their loops.
        batch (torch.Size): The dimensions of the batch.
        graph (CSRGraph or EdgeList): One copy.
        add_self_loops (bool): Whether self-loops were added.
    """
    attended = edges(graph, add_self_loops)
    index, _ = attended.without_replaced(alpha.new_empty(attended.edge_index.size(1), 0))
    num_loops = min(graph.size) if add_self_loops else 0
    parts = (index.size(1) - num_loops, num_loops)
    count = math.prod(batch)
    splits = alpha.split([count * n for n in parts])
    shaped = [a.reshape(*batch, n, alpha.size(1)) for a, n in zip(splits, parts, strict=True)]
    return index, torch.cat(shaped, dim=len(batch))
