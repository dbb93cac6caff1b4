"""Node orders that place nodes that are read together close together in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gatsparse.checks import check_instance
from gatsparse.extras import require_extra

if TYPE_CHECKING:
    from gatsparse.graph import CSRGraph

Order = Literal["rcm", "degree"]


class Reordered(NamedTuple):
    """A graph whose nodes were renumbered, and the maps between the two numberings.

    Args:
        graph (CSRGraph): The graph in the new order.
        order (Tensor): int64 ``[N]``; the caller's number of each new node.
        rank (Tensor): int64 ``[N]``; the new number of each of the caller's nodes.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3)
        >>> reordered, x = graph.reorder("rcm"), torch.randn(3, 4)
        >>> torch.equal(reordered.to_caller(reordered.to_new(x)), x)
        True
    """

    graph: CSRGraph
    order: Tensor
    rank: Tensor

    def to_new(self, x: Tensor) -> Tensor:
        """Brings rows ``[N, ...]`` of the caller's nodes into the new order.

        Raises:
            ValueError: If :obj:`x` does not have one row per node.
        """
        return _take_rows("x", x, self.order)

    def to_caller(self, out: Tensor) -> Tensor:
        """Brings rows ``[N, ...]`` of the new nodes back into the caller's order.

        Raises:
            ValueError: If :obj:`out` does not have one row per node.
        """
        return _take_rows("out", out, self.rank)


def _take_rows(name: str, rows: Tensor, index: Tensor) -> Tensor:
    check_instance(name, rows, Tensor, "a tensor")
    if rows.dim() == 0 or rows.size(0) != index.numel():
        raise ValueError(f"{name}: expected shape [{index.numel()}, ...], got {list(rows.shape)}")
    return rows.index_select(0, index)


def _rcm_order(graph: CSRGraph) -> Tensor:
    """Reverse Cuthill-McKee on the undirected graph: levels of a breadth-first search."""
    require_extra("CSRGraph.reorder('rcm')", "data", "scipy")
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if graph.num_dst == 0:  # scipy takes the maximum over the nodes
        return graph.rowptr.new_empty(0)
    rowptr, col = graph.rowptr.cpu().numpy(), graph.col.cpu().numpy()
    adjacency = csr_array((np.ones(len(col), dtype=bool), col, rowptr), shape=graph.size)
    order = reverse_cuthill_mckee((adjacency + adjacency.T).tocsr(), symmetric_mode=True)
    return torch.from_numpy(order.astype(np.int64)).to(graph.device)


def _degree_order(graph: CSRGraph) -> Tensor:
    """Sorts by powers of two of the degree; nodes of one group keep the given order."""
    degree = graph.rowptr.diff() + graph.rowptr_t.diff()
    power = torch.frexp(degree.double()).exponent
    return torch.sort(power, descending=True, stable=True).indices


#: Functions that return the caller's number of each new node, int64 ``[N]``.
ORDERS = {"rcm": _rcm_order, "degree": _degree_order}
