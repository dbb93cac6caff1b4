"""A layer of exact inference on blocks of destinations, with the features of their in-neighbours:
for layers that cannot be taken head by head, and budgets too small for a head of all nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.graph import CSR, CSRGraph
from gatsparse.inference.model import output_channels
from gatsparse.inference.stage import Source
from gatsparse.ops.native import padded_heads

_native.LIBRARY.define(
    "row_block(Tensor[] csr, int first, int limit, int per_src, int per_dst, int per_edge, "
    "Tensor(a!) local) -> Tensor[]"
)

ON_DISK = "; with a folder, features between the layers stay on disk"
_FILL = 0.85  # of the budget for blocks: the allocator does not use all that it holds


class Block(NamedTuple):
    """Destinations from ``first`` on, and the nodes whose features they need."""

    first: int
    graph: CSRGraph
    nodes: Tensor


def destination_blocks(
    model: Any,
    layer: int,
    source: Source,
    graph: CSRGraph,
    first: int,
    budget: int,
    resident: int,
    keeps: bool,
) -> Iterator[Block]:
    """The blocks of a layer from the node :obj:`first` on, as large as the budget allows.

    Args:
        resident (int): Bytes of the budget that are taken already.
        keeps (bool): Whether features between the layers are among them.

    Raises:
        ValueError: If the budget is too small for the next node.
    """
    cost = _cost(model, layer, source)
    resident += 4 * graph.num_src  # of `local`
    limit = int(_FILL * (budget - resident))
    local = torch.full((graph.num_src,), -1, dtype=torch.int32)
    while first < graph.num_dst:
        ptr, col, nodes = torch.ops.gatsparse.row_block(list(graph.csr), first, limit, *cost, local)
        num_dst = ptr.numel() - 1
        needed = cost[0] * nodes.numel() + cost[1] * num_dst + cost[2] * col.numel()
        if needed > limit:
            total = resident + math.ceil(needed / _FILL)
            raise ValueError(
                f"max_memory: layer {layer + 1} needs {total:,} bytes for node {first} and its "
                f"{col.numel():,} in-edges, of which {resident:,} beside them, got {budget:,}"
                + (ON_DISK if keeps else "")
            )
        perm = torch.arange(col.numel(), dtype=torch.int32)
        yield Block(first, CSRGraph(CSR(ptr, col, perm), nodes.numel()), nodes)
        first += num_dst


def run_block(model: Any, layer: int, source: Source, block: Block) -> Tensor:
    """The layer's rows of a block's destinations."""
    num_dst = block.graph.num_dst
    x = source.gather(block.nodes)
    return model.inference_per_layer(layer, (x, x[:num_dst]), block.graph, num_dst)


def _cost(model: Any, layer: int, source: Source) -> tuple[int, int, int]:
    """Bytes of a block per source, per destination and per edge."""
    conv = model.convs[layer]
    size = source.dtype.itemsize
    width, terms = size * conv.heads * conv.out_channels, 4 * padded_heads(conv.heads)
    features = size * source.shape[1]
    after = size * output_channels(model, layer)
    # Other ways than the fused one build messages.
    per_edge = 8 if conv.splits_by_head() else 8 + 3 * (width + terms)
    # Of a source: number, features, projection, its terms of the scores and their exponentials. Of
    # a destination: projection, the product with att_dst, output, activation and norm.
    return (
        8 + features + width + 3 * terms,
        16 + 2 * width + 3 * max(width, after) + 6 * terms,
        per_edge,
    )
