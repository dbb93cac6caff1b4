"""The part of a sampled batch that one layer computes with."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from gatsparse.adjacency import as_graph
from gatsparse.graph import CSR, CSRGraph


def sampled_block(
    layer: int, num_layers: int, edge_index: Any, num_sampled_nodes: list[int]
) -> CSRGraph:
    """The edges that a layer needs of a sampled batch: from the nodes that are left for it, to
    those that the layers after it read.

    Args:
        layer (int): Its number, from 0.
        num_layers (int): Number of layers, at least as many as hops.
        edge_index (Tensor or CSRGraph): The batch; its edges stand by destination, as
            :class:`gatsparse.data.NeighborLoader` gives them.
        num_sampled_nodes (list of int): How many nodes each hop met first, seeds before them.

    Returns:
        CSRGraph: Bipartite; its destinations are the first of its sources.

    Raises:
        ValueError: If the numbers are not those of the batch.
    """
    ends = list(accumulate(num_sampled_nodes))
    hops = len(ends) - 1
    if hops > num_layers:
        raise ValueError(f"num_sampled_nodes: expected at most {num_layers} hops, got {hops}")
    graph = as_graph(edge_index, (ends[-1], ends[-1]))
    num_src, num_dst = (ends[min(hops, num_layers - k)] for k in (layer, layer + 1))
    if num_src == num_dst == graph.num_dst:
        return graph
    ptr = graph.rowptr[: num_dst + 1]
    num_edges = int(ptr[-1])
    csr = CSR(ptr, graph.col[:num_edges], graph.perm[:num_edges])
    if num_edges > 0 and int(csr.perm.max()) >= num_edges:
        raise ValueError("edge_index: expected the edges of a batch by destination, hop by hop")
    return CSRGraph(csr, num_src)
