"""The formats of ``edge_index`` in PyG: their conversion to a CSR graph, which sorts only unsorted
edges, and attention returned in the same format.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.index import index2ptr
from torch_geometric.typing import SparseTensor  # pyright: ignore[reportAttributeAccessIssue]
from torch_geometric.utils import is_torch_sparse_tensor

from gatsparse.graph import CSRGraph
from gatsparse.graph_cache import GraphKey
from gatsparse.index_checks import check_edge_index, check_range
from gatsparse.tracing import is_traced, recordable

#: Integer dtypes that PyG's layers convert to int64.
_NARROW = (torch.int8, torch.uint8, torch.int16)

#: ``(N_src, N_dst)``, None where unknown.
Size = tuple[int | None, int | None]


def adjacency(edge_index: Any) -> Adjacency:
    """Returns the format of a graph.

    Raises:
        TypeError: If the format is not supported.
        ValueError: If its shape is wrong.
    """
    if isinstance(edge_index, CSRGraph):
        kind = _CSRGraph
    elif isinstance(edge_index, EdgeIndex):
        kind = _EdgeIndex
    elif isinstance(edge_index, SparseTensor):
        kind = _SparseTensor
    elif is_torch_sparse_tensor(edge_index):
        if edge_index.layout == torch.sparse_coo and edge_index.sparse_dim() != 2:
            raise ValueError(
                f"edge_index: expected 2 sparse dimensions, got {edge_index.sparse_dim()}"
            )
        kind = _TorchSparse
    else:
        if isinstance(edge_index, Tensor) and edge_index.dtype in _NARROW:
            check_edge_index(wide := edge_index.long())
            return _NarrowEdges(edge_index, wide)
        check_edge_index(edge_index)
        kind = Adjacency
    return kind(edge_index)


def as_graph(edge_index: Any, size: tuple[int, int]) -> CSRGraph:
    r"""Returns the CSR graph of :obj:`edge_index`, which is built once and cached.

    The graph is cached while the memory of the tensor is alive, and recognised by a hash of the
    indices: it is built again after any change, including changes that PyTorch does not see, such
    as through NumPy or by another process. A :class:`gatsparse.CSRGraph` is returned unchanged,
    without reading its edges.

    Args:
        edge_index (Any): ``[2, E]`` of integers or one of PyG's other formats: ``EdgeIndex``,
            ``torch.sparse`` or ``SparseTensor`` ``[N_dst, N_src]``; or a
            :class:`gatsparse.CSRGraph`.
        size (tuple): ``(N_src, N_dst)``.

    Raises:
        TypeError: If the format is not supported.
        ValueError: If the graph has another size, or is not sorted as it declares.
        IndexError: If a node index is out of range.
    """
    return adjacency(edge_index).graph(size)


def remember(edge_index: Tensor, graph: CSRGraph) -> None:
    """Caches the given graph of a plain :obj:`edge_index`, so that it is not built."""
    if not is_traced(edge_index):
        Adjacency(edge_index)._key().keep(graph)


class Adjacency:
    """A graph in the format in which it was passed; here a plain ``edge_index [2, E]``."""

    def __init__(self, given: Any) -> None:
        self.given = given

    @property
    def size(self) -> Size:
        """Numbers of nodes that are stored in the format."""
        return None, None

    @property
    def values(self) -> Tensor | None:
        """Edge features ``[E, ...]`` that are stored in the format and used by PyG's layers."""
        return None

    @property
    def num_edges(self) -> int:
        """Number of edges :math:`E`."""
        return self._indices()[0].size(-1)

    @property
    def traced(self) -> bool:
        """Whether the indices hold no data that may be read and cached: see :func:`is_traced`."""
        return is_traced(*self._indices())

    def edges(self) -> Tensor:
        """Sources and destinations ``[2, E]``, in the order of the format."""
        return self.given

    def graph(self, size: tuple[int, int]) -> CSRGraph:
        """See :func:`as_graph`."""
        if self.traced:
            with recordable():
                return self._build(size)
        key = self._key()
        graph = key.find(size)
        if graph is None:
            with recordable():
                graph = self._build(size)
            key.keep(graph)
        return graph

    def attention(self, edge_index: Tensor, alpha: Tensor, loops: bool) -> Any:
        """Returns attention in this format, as PyG returns it next to the output.

        Args:
            edge_index (Tensor): int64 ``[2, E']``, as ``gat_attention_weights`` returns it.
            alpha (Tensor): ``[E', H]``.
            loops (bool): Whether self-loops were added; otherwise the edges are the given ones.
        """
        return (edge_index if loops else self.given), alpha

    def _indices(self) -> tuple[Tensor, ...]:
        """The tensors that determine the graph."""
        return (self.given,)

    def _key(self) -> GraphKey:
        return GraphKey(type(self), *self._indices())

    def _build(self, size: tuple[int, int]) -> CSRGraph:
        return CSRGraph.from_edge_index(self.given, size=size)


class _NarrowEdges(Adjacency):
    """A plain ``edge_index`` of narrow integers; the cache key is the tensor that was passed."""

    def __init__(self, given: Tensor, wide: Tensor) -> None:
        super().__init__(given)
        self._wide = wide

    def edges(self) -> Tensor:
        return self._wide

    def _build(self, size: tuple[int, int]) -> CSRGraph:
        return CSRGraph.from_edge_index(self._wide, size=size)


class _CSRGraph(Adjacency):
    given: CSRGraph

    @property
    def size(self) -> Size:
        return self.given.size

    @property
    def num_edges(self) -> int:
        return self.given.num_edges

    def edges(self) -> Tensor:
        return self.given.edge_index()

    def _indices(self) -> tuple[Tensor, ...]:
        return (self.given.rowptr,)

    def graph(self, size: tuple[int, int]) -> CSRGraph:
        if self.given.size != size:
            raise ValueError(
                f"edge_index: expected a graph of size {size} to match x, got {self.given.size}"
            )
        return self.given

    def attention(self, edge_index: Tensor, alpha: Tensor, loops: bool) -> Any:  # noqa: ARG002
        return edge_index, alpha


class _EdgeIndex(Adjacency):
    """PyG's ``EdgeIndex``, which knows its sort order."""

    @property
    def size(self) -> Size:
        return self.given.sparse_size()

    def edges(self) -> Tensor:
        return self.given.as_tensor()

    def attention(self, edge_index: Tensor, alpha: Tensor, loops: bool) -> Any:
        if loops:
            size = self.given.sparse_size()
            return EdgeIndex(edge_index.contiguous(), sparse_size=size), alpha  # pyright: ignore
        return self.given, alpha

    def _indices(self) -> tuple[Tensor, ...]:
        return (self.given.as_tensor(),)

    def _key(self) -> GraphKey:
        return GraphKey((type(self), self.given.sort_order), *self._indices())

    def _build(self, size: tuple[int, int]) -> CSRGraph:
        src, dst = edges = self.given.as_tensor()
        order = self.given.sort_order
        if order is None or torch.compiler.is_compiling():
            return CSRGraph.from_edge_index(edges, size=size)
        for k, row in enumerate(edges):
            check_range(f"edge_index[{k}]", row, size[k])
        if not _rises(src if order == "row" else dst):
            raise ValueError(
                f"edge_index: expected to be sorted by {order!r}, as its sort_order declares, "
                "got unsorted indices: correct the sort_order of the EdgeIndex"
            )
        # Its cached pointers are not used, because they may be older than its edges.
        if order == "col":
            return CSRGraph.from_csr(index2ptr(dst, size[1]), src, size[0])
        perm = self.given._T_perm
        if perm is not None and _rises(dst[perm]):
            return CSRGraph.from_csr(index2ptr(dst[perm], size[1]), src[perm], size[0], perm)
        return CSRGraph.from_csc(index2ptr(src, size[0]), dst, size[1])


class _TorchSparse(Adjacency):
    """``torch.sparse`` CSR, CSC or COO ``[N_dst, N_src]``; edges in the order of its values."""

    @property
    def size(self) -> tuple[int, int]:
        return self.given.size(1), self.given.size(0)

    @property
    def num_edges(self) -> int:
        return self.given._nnz()

    @property
    def values(self) -> Tensor | None:
        given = self.given
        if given.layout != torch.sparse_coo or given.is_coalesced():
            values = given.values()
        elif given.requires_grad:
            raise ValueError(
                "edge_index: expected a coalesced matrix for gradients of its values, got an "
                "uncoalesced one: call coalesce()"
            )
        else:
            values = given._values()
        return None if values.dim() == 1 else values

    def edges(self) -> Tensor:
        return self.graph(self.size).edge_index()

    def attention(self, edge_index: Tensor, alpha: Tensor, loops: bool) -> Any:
        (col, row), layout = edge_index, self.given.layout
        shape = (*self.given.shape[:2], alpha.size(1))
        by_col = layout == torch.sparse_csc
        if loops:  # they are last, not in the order of the layout
            order = torch.argsort(col * shape[0] + row if by_col else row * shape[1] + col)
            col, row, alpha = col[order], row[order], alpha[order]
        if layout == torch.sparse_coo:
            index, coalesced = torch.stack([row, col]), self.given.is_coalesced()
            adj = torch.sparse_coo_tensor(
                index, alpha, shape, check_invariants=False, is_coalesced=coalesced
            )
        else:
            ptr = index2ptr(col, shape[1]) if by_col else index2ptr(row, shape[0])
            other = row if by_col else col
            adj = torch.sparse_compressed_tensor(
                ptr, other, alpha, shape, layout=layout, check_invariants=False
            )
        return adj, alpha

    def _build(self, size: tuple[int, int]) -> CSRGraph:
        row, col = self._rows_and_columns()
        if self.given.layout == torch.sparse_csr:
            return CSRGraph.from_csr(row, col, size[0])
        if self.given.layout == torch.sparse_csc:
            return CSRGraph.from_csc(col, row, size[1])
        return CSRGraph.from_edge_index(torch.stack([col, row]), size=size)

    def _indices(self) -> tuple[Tensor, ...]:
        return self._rows_and_columns()

    def _key(self) -> GraphKey:
        return GraphKey((type(self), self.given.layout), *self._indices())

    def _rows_and_columns(self) -> tuple[Tensor, Tensor]:
        """Row and column indices, one of them compressed unless the layout is COO."""
        if self.given.layout == torch.sparse_csr:
            return self.given.crow_indices(), self.given.col_indices()
        if self.given.layout == torch.sparse_csc:
            return self.given.row_indices(), self.given.ccol_indices()
        row, col = self.given._indices()
        return row, col


class _SparseTensor(Adjacency):
    """torch-sparse's ``[N_dst, N_src]``, sorted by destination."""

    @property
    def size(self) -> tuple[int, int]:
        return self.given.size(1), self.given.size(0)

    @property
    def num_edges(self) -> int:
        return self.given.nnz()

    @property
    def values(self) -> Tensor | None:
        values = self.given.storage.value()
        return None if values is None or values.dim() == 1 else values

    def edges(self) -> Tensor:
        return self.graph(self.size).edge_index()

    def attention(self, edge_index: Tensor, alpha: Tensor, loops: bool) -> Any:
        if not loops:
            return self.given.set_value(alpha, layout="coo")
        col, row = edge_index
        sizes = self.given.sparse_sizes()
        return SparseTensor(row=row, col=col, value=alpha, sparse_sizes=sizes)

    def _indices(self) -> tuple[Tensor, ...]:
        rowptr, col, _ = self.given.csr()
        return col, rowptr

    def _build(self, size: tuple[int, int]) -> CSRGraph:
        rowptr, col, _ = self.given.csr()
        return CSRGraph.from_csr(rowptr, col, size[0])


def _rises(index: Tensor) -> bool:
    return not bool((index.diff() < 0).any())
