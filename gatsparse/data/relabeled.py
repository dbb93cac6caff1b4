"""Edges and graphs whose nodes were renumbered."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from gatsparse.graph import CSRGraph


class RelabeledEdges(NamedTuple):
    r"""Edges whose nodes are numbered 0 to :math:`N - 1`.

    Attributes:
        edge_index (Tensor): ``[2, E]``.
        node_ids (Tensor): ``[N]``, the id of each node in the file, in ascending order. int64, or
            uint64 if an id exceeds int64.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.data import read_edge_list
        >>> _ = Path("ids.csv").write_text("700,90\n90,5\n")
        >>> edges = read_edge_list("ids.csv", relabel=True)
        >>> edges.node_ids
        tensor([  5,  90, 700])
        >>> edges.edge_index
        tensor([[2, 1],
                [1, 0]], dtype=torch.int32)
    """

    edge_index: Tensor
    node_ids: Tensor


class RelabeledGraph(NamedTuple):
    r"""Graph whose nodes are numbered 0 to :math:`N - 1`.

    Attributes:
        graph (CSRGraph): The graph.
        node_ids (Tensor): As in :class:`RelabeledEdges`.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.data import read_graph
        >>> _ = Path("ids.csv").write_text("700,90\n90,5\n")
        >>> graph, node_ids = read_graph("ids.csv", relabel=True)
        >>> graph.num_src, node_ids
        (3, tensor([  5,  90, 700]))
    """

    graph: CSRGraph
    node_ids: Tensor
