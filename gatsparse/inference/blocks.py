"""A layer of exact inference on blocks of destinations, with the features of their in-neighbours:
for layers that cannot be split by head, layers with edge features, and budgets too small for one
head of all nodes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.graph import CSRGraph
from gatsparse.graph.csr import CSR
from gatsparse.inference.model import model_device, output_channels, run_layer
from gatsparse.inference.sources import Source, gather_into, row_bytes
from gatsparse.nn import GATv2Conv
from gatsparse.ops.fused import padded_heads
from gatsparse.ops.kernel_support import kernel_itemsize

_native.LIBRARY.define(
    "row_block(Tensor[] csr, int first, int limit, int per_src, int per_dst, int per_edge, "
    "Tensor(a!) local) -> Tensor[]"
)

ON_DISK = ": pass a folder to keep features between the layers on disk"
# Bytes per row that kernels on a GPU need to order the rows, see gatsparse/gpu/pieces.py.
GPU_ROW_BYTES = 200
_FILL = 0.85  # of the budget for blocks: the allocator does not use all of its memory


class Block(NamedTuple):
    """Consecutive destinations with their in-edges.

    Attributes:
        first (int): The first destination.
        graph (CSRGraph): The in-edges, between local nodes; destinations come first.
        nodes (Tensor): int64 ``[S]``, the nodes.
        edges (Tensor): ``[E]``, the positions of the in-edges in the caller's edges.
    """

    first: int
    graph: CSRGraph
    nodes: Tensor
    edges: Tensor


def destination_blocks(
    model: Any,
    layer: int,
    source: Source,
    graph: CSRGraph,
    first: int,
    budget: int,
    resident: int,
    keeps: bool,
    edges: Source | None = None,
) -> Iterator[Block]:
    """Yields blocks of a layer, starting at node :obj:`first`, as large as the budget allows.

    Args:
        resident (int): Bytes of the budget that are already used.
        keeps (bool): Whether features between the layers are among them.
        edges (Source, optional): Edge features.

    Raises:
        ValueError: If the budget is too small for the next node.
    """
    cost = _cost(model, layer, source, edges)
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
                f"{col.numel():,} in-edges, including {resident:,} for all blocks, got {budget:,}"
                + (ON_DISK if keeps else "")
            )
        perm = torch.arange(col.numel(), dtype=torch.int32)
        begin, end = (int(graph.rowptr[row]) for row in (first, first + num_dst))
        yield Block(
            first, CSRGraph(CSR(ptr, col, perm), nodes.numel()), nodes, graph.perm[begin:end]
        )
        first += num_dst


class EdgeRows:
    """Edge features of one block at a time, in a buffer that is allocated once: buffers of
    different sizes would fragment the memory.

    Args:
        edges (Source): Edge features of the graph.
        num_rows (int): Number of edges of the largest block.
    """

    def __init__(self, edges: Source, num_rows: int) -> None:
        self._edges = edges
        self._rows = torch.empty(num_rows, *edges.shape[1:], dtype=edges.dtype)

    def of(self, block: Block) -> Tensor:
        """Features ``[E, D]`` or ``[E]`` of a block, valid until the next block is read."""
        return gather_into(self._rows[: block.edges.numel()], self._edges, block.edges)


def edge_rows(
    model: Any, layer: int, source: Source, graph: CSRGraph, budget: int, edges: Source
) -> EdgeRows:
    """Edge features for the blocks of a layer within a budget."""
    per_edge = _cost(model, layer, source, edges)[2]
    return EdgeRows(edges, min(graph.num_edges, budget // per_edge))


def run_block(
    model: Any, layer: int, source: Source, block: Block, edges: EdgeRows | None = None
) -> Tensor:
    """Computes the layer's rows of a block's destinations, and returns them to the host."""
    device = model_device(model)
    edge_attr = None if edges is None else edges.of(block).to(device)
    graph = block.graph.to(device)
    return run_layer(model, layer, source.gather(block.nodes), graph, edge_attr).cpu()


def _cost(
    model: Any, layer: int, source: Source, edges: Source | None = None
) -> tuple[int, int, int]:
    """Bytes of a block per source, per destination and per edge."""
    conv = model.convs[layer]
    size = kernel_itemsize(source.dtype)
    width, terms = size * conv.heads * conv.out_channels, 4 * padded_heads(conv.heads)
    after = size * output_channels(model, layer)
    # Other backends than the fused one build messages.
    per_edge = 8 if conv.splits_by_head() else 8 + 3 * (width + terms)
    per_loop = 0
    if edges is not None:
        features = row_bytes(edges)
        # GATv2 projects the features to all channels, GAT to one term of each head.
        projected = width if isinstance(conv, GATv2Conv) else size * conv.heads
        per_edge += 80 + features + 2 * projected  # positions, ends, features and their terms
        per_loop = 2 * features + 2 * projected if conv.add_self_loops else 0
    on_gpu = GPU_ROW_BYTES if model_device(model).type != "cpu" else 0
    # Per source: number, features, projection, its terms of the scores and their exponentials. Per
    # destination: projection, the product with att_dst, output, activation and norm.
    return (
        8 + row_bytes(source) + width + 3 * terms,
        16 + 2 * width + 3 * max(width, after) + 6 * terms + per_loop + on_gpu,
        per_edge,
    )
