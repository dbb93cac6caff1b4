"""Statistics of a graph: degrees, duplicates, reciprocity, components, homophily."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gatsparse.checks import check_instance, check_integer
from gatsparse.graph import CSRGraph
from gatsparse.graph.csr import fitting_dtype, sort_edges
from gatsparse.index_checks import check_edge_index, check_indices, check_range

_CHUNK = 2**22  # edges that are compared at a time
_MOST_FOR_COMPONENTS = 20_000_000  # edges; SciPy needs 16 bytes for each


@dataclass(frozen=True)
class GraphStatistics:
    """Statistics of a directed graph.

    Args:
        num_nodes, num_edges (int): Numbers of nodes and of directed edges.
        in_degrees (tuple of float): Minimum, median, mean and maximum of the in-degrees.
        num_isolated (int): Nodes without an edge to or from another node.
        num_self_loops (int): Edges from a node to itself.
        num_duplicates (int): Edges that occur before.
        reciprocity (float): Share of the edges whose reverse exists, too; self-loops do not count.
        num_components (int, optional): Weakly connected components; None for large graphs.
        largest_component (int, optional): Nodes of the largest one.

    Example:
        >>> import torch
        >>> from gatsparse.data import graph_statistics
        >>> statistics = graph_statistics(torch.tensor([[0, 1, 1], [1, 0, 2]]), num_nodes=4)
        >>> statistics.num_isolated, statistics.num_components
        (1, 2)
        >>> round(statistics.reciprocity, 2)
        0.67
    """

    num_nodes: int
    num_edges: int
    in_degrees: tuple[float, float, float, float]
    num_isolated: int
    num_self_loops: int
    num_duplicates: int
    reciprocity: float
    num_components: int | None
    largest_component: int | None

    @property
    def is_undirected(self) -> bool:
        """Whether the reverse of every edge exists, too."""
        return self.reciprocity == 1 or self.num_self_loops == self.num_edges


def graph_statistics(edge_index: Tensor, num_nodes: int) -> GraphStatistics:
    """Returns statistics of a graph. Needs about 16 bytes per edge.

    Args:
        edge_index (Tensor): int64 or int32 ``[2, E]``.
        num_nodes (int): Number of nodes, at least 1.

    Raises:
        TypeError, ValueError, IndexError: If :obj:`edge_index` is not such a tensor, or an index is
            out of range.

    Example:
        >>> import torch
        >>> from gatsparse.data import graph_statistics
        >>> graph_statistics(torch.tensor([[0, 1], [1, 1]]), num_nodes=2).num_self_loops
        1
    """
    check_instance("edge_index", edge_index, Tensor, "a tensor")
    check_integer("num_nodes", num_nodes)
    check_edge_index(edge_index)
    num_edges = edge_index.size(1)
    dtype = fitting_dtype(num_nodes, num_edges)
    src, dst = edge_index.unbind(0)
    # The positions of the edges, which take much memory, are dropped at once.
    ptr, other = sort_edges(src, dst, num_nodes, num_nodes, dtype)[:2]
    ptr_t, other_t = sort_edges(dst, src, num_nodes, num_nodes, dtype)[:2]
    linked = torch.zeros(num_nodes, dtype=torch.bool)
    loops = duplicates = reciprocal = 0
    for first, last in row_ranges(ptr + ptr_t):
        row, col = entries(ptr, other, first, last)
        loop = row == col
        loops += int(loop.sum())
        linked[row[~loop]] = True
        linked[col[~loop]] = True
        keys = (row * num_nodes + col).sort().values
        duplicates += int((keys[1:] == keys[:-1]).sum())
        row, col = entries(ptr_t, other_t, first, last)
        reverse = (row * num_nodes + col)[row != col].sort().values
        reciprocal += int(_is_in(keys, reverse).sum())
    components = largest = None
    if num_edges <= _MOST_FOR_COMPONENTS:
        components, largest = _components(ptr, other)
    degrees = ptr.diff()
    spread = (degrees.min(), degrees.median(), degrees.double().mean(), degrees.max())
    low, median, mean, high = (float(value) for value in spread)
    return GraphStatistics(
        num_nodes=num_nodes,
        num_edges=num_edges,
        in_degrees=(low, median, mean, high),
        num_isolated=num_nodes - int(linked.sum()),
        num_self_loops=loops,
        num_duplicates=duplicates,
        reciprocity=reciprocal / max(num_edges - loops, 1),
        num_components=components,
        largest_component=largest,
    )


def edge_homophily(edge_index: Tensor, y: Tensor) -> float:
    """Returns the share of edges between two nodes of the same class, among the edges between
    different nodes with labels; NaN if there are none.

    Args:
        edge_index (Tensor): ``[2, E]``.
        y (Tensor): int64 ``[N]``, -1 for nodes without a label.

    Raises:
        TypeError, ValueError, IndexError: If an argument is not such a tensor, or an index is out
            of range.

    Example:
        >>> import torch
        >>> from gatsparse.data import edge_homophily
        >>> edge_homophily(torch.tensor([[0, 1], [1, 2]]), torch.tensor([0, 0, 1]))
        0.5
    """
    check_edge_index(edge_index)
    check_indices("y", y)
    if y.dim() != 1:
        raise ValueError(f"y: expected [N], got {list(y.shape)}")
    check_range("edge_index", edge_index.flatten(), len(y))
    same = count = 0
    for first in range(0, edge_index.size(1), _CHUNK):
        src, dst = edge_index[:, first : first + _CHUNK].long()
        known = (y[src] >= 0) & (y[dst] >= 0) & (src != dst)
        count += int(known.sum())
        same += int((y[src] == y[dst])[known].sum())
    return same / count if count > 0 else float("nan")


def duplicate_edges(edge_index: Tensor, num_nodes: int) -> Tensor:
    """Returns the positions of edges that occur before, int64, in ascending order.

    Args:
        edge_index (Tensor): int64 or int32 ``[2, E]``.
        num_nodes (int): Number of nodes.
    """
    graph = CSRGraph.from_edge_index(edge_index, num_nodes)
    found = [torch.empty(0, dtype=torch.long)]
    for first, last in row_ranges(graph.rowptr):
        row, col = entries(graph.rowptr, graph.col, first, last)
        keys, order = (row * num_nodes + col).sort(stable=True)
        again = (keys[1:] == keys[:-1]).nonzero().squeeze(1) + 1
        found.append(graph.perm[graph.rowptr[first] + order[again]].long())
    return torch.cat(found).sort().values


def row_ranges(rowptr: Tensor) -> Iterator[tuple[int, int]]:
    """Yields ranges of rows with a limited number of entries, or of one row."""
    num_rows, first = len(rowptr) - 1, 0
    while first < num_rows:
        last = int(torch.searchsorted(rowptr, rowptr[first] + _CHUNK, right=True)) - 1
        last = min(max(last, first + 1), num_rows)
        yield first, last
        first = last


def entries(ptr: Tensor, other: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of the entries of some rows, int64."""
    row = torch.repeat_interleave(torch.arange(first, last), ptr[first : last + 1].diff())
    return row, other[ptr[first] : ptr[last]].long()


def _is_in(keys: Tensor, among: Tensor) -> Tensor:
    """Whether each key is one of some sorted keys."""
    if len(among) == 0:
        return torch.zeros(len(keys), dtype=torch.bool)
    position = torch.searchsorted(among, keys).clamp_(max=len(among) - 1)
    return among[position] == keys


def _components(ptr: Tensor, other: Tensor) -> tuple[int, int]:
    import numpy as np
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    col = other.numpy()
    matrix = csr_array(
        (np.ones(len(col), np.int8), col, ptr.numpy().astype(col.dtype)),
        shape=(len(ptr) - 1, len(ptr) - 1),
    )
    count, labels = connected_components(matrix, directed=True, connection="weak")
    return int(count), int(np.bincount(labels).max())
