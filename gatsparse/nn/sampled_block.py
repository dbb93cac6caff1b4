"""Parts of a sampled batch that each layer needs."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, cast

from torch import Tensor
from torch_geometric.utils._trim_to_layer import TrimToLayer as PyGTrimToLayer

from gatsparse.adjacency import adjacency, as_graph, remember
from gatsparse.graph import CSRGraph
from gatsparse.graph.csr import CSR
from gatsparse.tracing import is_traced


def sampled_block(
    layer: int, num_layers: int, edge_index: Any, num_sampled_nodes: list[int]
) -> CSRGraph:
    """Returns the edges of a sampled batch that a layer needs: the in-edges of the nodes that later
    layers read.

    Args:
        layer (int): Number of the layer, from 0.
        num_layers (int): Number of layers, at least the number of hops.
        edge_index (Tensor or CSRGraph): The batch; its edges are sorted by destination, as
            :class:`gatsparse.data.NeighborLoader` returns them.
        num_sampled_nodes (list of int): Number of seeds, then of the nodes first reached in each
            hop.

    Returns:
        CSRGraph: Bipartite; its destinations are the first of its sources.

    Raises:
        ValueError: If the numbers are not those of the batch, or :obj:`edge_index` is a matrix of
            edge features, which the block does not carry.
    """
    ends = list(accumulate(num_sampled_nodes))
    hops = len(ends) - 1
    if hops > num_layers:
        raise ValueError(f"num_sampled_nodes: expected at most {num_layers} hops, got {hops}")
    if adjacency(edge_index).values is not None:
        raise ValueError(
            "edge_index: expected no edge features in a batch that is trimmed by hops, got a "
            "matrix of edge features: omit num_sampled_nodes_per_hop"
        )
    graph = as_graph(edge_index, (ends[-1], ends[-1]))
    num_src, num_dst = (ends[min(hops, num_layers - k)] for k in (layer, layer + 1))
    if num_src == num_dst == graph.num_dst:
        return graph
    block = _first_part(graph, num_src, num_dst, int(graph.rowptr[num_dst]))
    if block is None:
        raise ValueError(
            "edge_index: expected the edges of a batch sorted by destination, hop by hop"
        )
    return block


class TrimToLayer(PyGTrimToLayer):
    """PyG's ``TrimToLayer``, which creates a new ``edge_index`` for each layer. Here the CSR graph
    of a batch is built once, and the graphs of the layers are parts of it.
    """

    def forward(
        self,
        layer: int,
        num_sampled_nodes_per_hop: list[int] | None,
        num_sampled_edges_per_hop: list[int] | None,
        x: Any,
        edge_index: Any,
        edge_attr: Tensor | None = None,
    ) -> tuple[Any, Any, Tensor | None]:
        """As in PyG: :obj:`x` is ``[N, F]``, :obj:`edge_index` ``[2, E]`` or in another format."""
        x_left, edges_left, edge_attr = super().forward(
            layer, num_sampled_nodes_per_hop, num_sampled_edges_per_hop, x, edge_index, edge_attr
        )
        plain = type(edge_index) is Tensor and isinstance(x, Tensor)
        if plain and edges_left is not edge_index and not is_traced(edge_index):
            graph = as_graph(edge_index, (x.size(0), x.size(0)))
            part = _first_part(graph, x_left.size(0), x_left.size(0), edges_left.size(1))
            if part is not None:
                remember(cast(Tensor, edges_left), part)
        return x_left, edges_left, edge_attr


def _first_part(graph: CSRGraph, num_src: int, num_dst: int, num_edges: int) -> CSRGraph | None:
    """Returns the first edges of a graph as a graph of its first nodes; None if they are not the
    in-edges of the first destinations, or start at other nodes.
    """
    ptr = graph.rowptr[: num_dst + 1].clamp(max=num_edges)
    col, perm = graph.col[:num_edges], graph.perm[:num_edges]
    if num_edges > 0 and (int(perm.max()) >= num_edges or int(col.max()) >= num_src):
        return None
    return CSRGraph(CSR(ptr, col, perm), num_src)
