"""CSR graph: the in-edges of every node, and the transpose."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatsparse.checks import check_choice, check_instance
from gatsparse.graph.csr import CSR, copied, find_duplicate, sort_edges
from gatsparse.graph.csr import checked_csr as _checked_csr
from gatsparse.graph.csr import transpose as _transpose
from gatsparse.graph.late_check import LateCheck, confine
from gatsparse.graph.reorder import ORDERS, Order, Reordered
from gatsparse.index_checks import check_edge_index, check_permutation, check_size, fitting_dtype
from gatsparse.tracing import is_cacheable, is_traced, recordable


class CSRGraph:
    r"""A directed graph, stored as the in-edges of every destination.

    Build it with :meth:`from_edge_index`. It is accepted wherever a gatsparse layer
    accepts an :obj:`edge_index`. The transpose is built at its first use; only the
    backward pass needs it.

    Attributes:
        num_src (int): Number of source nodes, :math:`N_{src}`.
        num_dst (int): Number of destination nodes, :math:`N_{dst}`.
        num_edges (int): Number of edges :math:`E`, duplicates and self-loops included.
        rowptr (Tensor): int64 ``[N_dst + 1]``.
        col (Tensor): ``[E]``, the source of each edge, by destination.
        perm (Tensor): ``[E]``, the position of each edge in the input :obj:`edge_index`.
        rowptr_t, col_t, perm_t (Tensor): The same for the out-edges of every source;
            :obj:`perm_t` holds positions in :obj:`col`.

    :obj:`col`, :obj:`perm` and their transposes are int32 where the graph fits, else int64.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[2, 0, 1], [0, 1, 0]]), num_nodes=3)
        >>> graph.rowptr, graph.col
        (tensor([0, 2, 3, 3]), tensor([2, 1, 0], dtype=torch.int32))
    """

    # Without a __dict__: thousands of small graphs may be cached.
    __slots__ = (
        "__weakref__",
        "_check",
        "_csr",
        "_csr_t",
        "_reordered",
        "_repeated",
        "_reversed",
        "num_dst",
        "num_edges",
        "num_src",
    )

    def __init__(self, csr: CSR, num_src: int) -> None:
        self._csr = csr
        self._check: LateCheck | None = None
        self._csr_t: CSR | None = None
        self._reversed: CSRGraph | None = None
        self._repeated: tuple[int, CSRGraph] | None = None
        self._reordered: dict[Order, Reordered] | None = None
        self.num_src = num_src
        self.num_dst = csr.ptr.numel() - 1
        self.num_edges = csr.other.numel()

    @classmethod
    def from_edge_index(
        cls,
        edge_index: Tensor,
        num_nodes: int | None = None,
        size: tuple[int, int] | None = None,
        index_dtype: torch.dtype | None = None,
    ) -> CSRGraph:
        r"""Sorts edges by destination, by a parallel counting sort.

        The edges of one destination keep their order in :obj:`edge_index`.

        Args:
            edge_index (Tensor): ``[2, E]``, int64 or int32; row 0 holds the source
                :math:`j` and row 1 the destination :math:`i` of each edge.
            num_nodes (int, optional): Number of nodes of a graph with one node set.
                (default: one more than the largest index)
            size (tuple, optional): ``(N_src, N_dst)`` of a bipartite graph.
            index_dtype (torch.dtype, optional): ``torch.int32`` or ``torch.int64``.
                (default: int32 where the graph fits)

        Raises:
            TypeError: If :obj:`edge_index` is not a tensor of int64 or int32.
            ValueError: If its shape is not ``[2, E]``, a size is negative, both
                :obj:`num_nodes` and :obj:`size` are given, or the graph does not fit
                :obj:`index_dtype`.
            IndexError: If an index is negative or not below its number of nodes; on a GPU at a
                later use of the graph, see :meth:`check_indices`.
        """
        check_edge_index(edge_index)
        if num_nodes is not None and size is not None:
            raise ValueError("num_nodes, size: expected one of them, got both")
        if size is not None:
            num_src, num_dst = check_size("size[0]", size[0]), check_size("size[1]", size[1])
        elif num_nodes is not None:
            num_src = num_dst = check_size("num_nodes", num_nodes)
        else:
            num_src = num_dst = int(edge_index.max()) + 1 if edge_index.numel() > 0 else 0
        # A compiled graph must not depend on sizes; its operator raises where they do not fit.
        fits = torch.compiler.is_compiling() or (
            fitting_dtype(num_src, num_dst, edge_index.size(1)) == torch.int32
        )
        if index_dtype not in (None, torch.int32, torch.int64):
            raise ValueError(f"index_dtype: expected torch.int32 or int64, got {index_dtype}")
        if index_dtype == torch.int32 and not fits:
            raise ValueError(
                "index_dtype: expected torch.int64, as the graph is too large, got torch.int32"
            )
        dtype = torch.int32 if fits and index_dtype != torch.int64 else torch.int64
        check = None
        with recordable():
            if edge_index.is_cuda and not is_traced(edge_index):
                edge_index, check = confine(edge_index, (num_src, num_dst))
            src, dst = edge_index.unbind(0)
            csr = sort_edges(src, dst, num_src, num_dst, dtype, confined=check is not None)
        graph = cls(csr, num_src)
        graph._check = check
        return graph

    @classmethod
    def from_csr(
        cls, rowptr: Tensor, col: Tensor, num_src: int, perm: Tensor | None = None
    ) -> CSRGraph:
        r"""Copies edges that are already grouped by destination, without sorting.

        Args:
            rowptr (Tensor): int64 or int32 ``[N_dst + 1]``; destination ``i`` has the edges
                ``rowptr[i]:rowptr[i + 1]``.
            col (Tensor): int64 or int32 ``[E]``, the source of each edge.
            num_src (int): Number of sources :math:`N_{src}`.
            perm (Tensor, optional): int64 or int32 ``[E]``, a permutation: the position of each
                edge in the order of the edge features. (default: the order of :obj:`col`)

        Raises:
            TypeError: If an argument is not a tensor of int64 or int32.
            ValueError: If :obj:`rowptr` does not rise from 0 to :math:`E`, or :obj:`perm` is
                not of shape ``[E]`` or holds a position twice.
            IndexError: If an index in :obj:`col` is negative or not below :obj:`num_src`, or one
                in :obj:`perm` not below :math:`E`.
        """
        num_src = check_size("num_src", num_src)
        csr = _checked_csr("rowptr", rowptr, "col", col, num_src)
        if perm is not None:
            check_permutation("perm", perm, csr.perm)
            with recordable():
                csr = csr._replace(perm=perm.to(csr.perm.dtype, copy=True))
        return cls(csr, num_src)

    @classmethod
    def from_csc(cls, colptr: Tensor, row: Tensor, num_dst: int) -> CSRGraph:
        r"""Copies edges that are already grouped by source.

        Args:
            colptr (Tensor): int64 or int32 ``[N_src + 1]``; source ``j`` has the edges
                ``colptr[j]:colptr[j + 1]``.
            row (Tensor): int64 or int32 ``[E]``, the destination of each edge.
            num_dst (int): Number of destinations :math:`N_{dst}`.

        Raises:
            TypeError, ValueError, IndexError: As in :meth:`from_csr`.
        """
        num_dst = check_size("num_dst", num_dst)
        by_source = _checked_csr("colptr", colptr, "row", row, num_dst)
        with recordable():
            csr = _transpose(by_source, num_dst)
        return cls(csr, by_source.ptr.numel() - 1)

    @property
    def csr(self) -> CSR:
        """In-edges of every destination."""
        if self._check is not None:
            self.check_indices(wait=False)
        return self._csr

    @property
    def csr_t(self) -> CSR:
        """Out-edges of every source; built at the first use."""
        if self._csr_t is not None:
            return self._csr_t
        with recordable():
            csr_t = _transpose(self._csr, self.num_src)
        if is_cacheable(csr_t.ptr):
            self._csr_t = csr_t
        return csr_t

    @property
    def rowptr(self) -> Tensor:
        """int64 ``[N_dst + 1]``."""
        return self._csr.ptr

    @property
    def col(self) -> Tensor:
        """``[E]``, the source of each edge."""
        return self._csr.other

    @property
    def perm(self) -> Tensor:
        """``[E]``, the position of each edge in the input."""
        return self._csr.perm

    @property
    def rowptr_t(self) -> Tensor:
        """int64 ``[N_src + 1]``."""
        return self.csr_t.ptr

    @property
    def col_t(self) -> Tensor:
        """``[E]``, the destination of each edge, by source."""
        return self.csr_t.other

    @property
    def perm_t(self) -> Tensor:
        """``[E]``, the position of each edge in :obj:`col`."""
        return self.csr_t.perm

    @property
    def size(self) -> tuple[int, int]:
        """``(N_src, N_dst)``."""
        return self.num_src, self.num_dst

    @property
    def device(self) -> torch.device:
        """Device of the index tensors."""
        return self.rowptr.device

    def check_indices(self, wait: bool = True) -> None:
        """Raises if the graph was built on a GPU from an index that is out of range.

        On a CPU :meth:`from_edge_index` raises. On a GPU it does not wait for the result: the
        attention operators raise as soon as it has arrived, and this method waits for it.

        Args:
            wait (bool, optional): Otherwise does nothing if the result has not arrived.

        Raises:
            IndexError: If an index is negative or not below its number of nodes.
        """
        if self._check is not None and self._check.passed(wait=wait):
            self._check = None

    def edge_index(self) -> Tensor:
        """Returns the edges in their input order, int64 ``[2, E]``."""
        sorted_edges = torch.stack([self.col.long(), self._csr.row()])
        edge_index = torch.empty_like(sorted_edges)
        edge_index[:, self.perm.long()] = sorted_edges
        return edge_index

    def find_duplicate(self) -> tuple[int, int] | None:
        """Returns the input positions of the first duplicate edge.

        Returns:
            tuple or None: ``(first, second)``: the positions of two equal edges, the smallest
            possible second position and the last equal edge before it. None if all edges differ.
        """
        return find_duplicate(self.csr, self.num_src)

    def reverse(self) -> CSRGraph:
        """Returns the graph with every edge reversed, in the same order; built at the first use."""
        self.check_indices(wait=False)
        if self._reversed is not None:
            return self._reversed
        edge_index, dtype = self.edge_index().flip(0), self.col.dtype
        reverse = CSRGraph.from_edge_index(
            edge_index, size=(self.num_dst, self.num_src), index_dtype=dtype
        )
        if is_cacheable(reverse.rowptr):
            self._reversed = reverse
        return reverse

    def repeat(self, count: int) -> CSRGraph:
        r"""Returns the disjoint union of copies of this graph.

        Node ``i`` of copy ``b`` has number ``b * N + i``, and its edge ``e`` has position
        ``b * E + e``. The largest number of copies requested so far is cached; fewer copies are
        views of it.

        Args:
            count (int): Number of copies.

        Raises:
            ValueError: If :obj:`count` is negative.
        """
        count = check_size("count", count)
        if count == 1:
            return self
        if is_traced(self.rowptr):
            return self._copies(count)
        if self._repeated is None or count > self._repeated[0]:
            with recordable():
                self._repeated = count, self._copies(count)
        kept, repeated = self._repeated
        if count == kept:
            return repeated
        part = CSRGraph(repeated.csr.first(count, kept), count * self.num_src)
        if repeated._csr_t is not None:
            part._csr_t = repeated._csr_t.first(count, kept)
        return part

    def _copies(self, count: int) -> CSRGraph:
        return CSRGraph(copied(self.csr, count, self.num_src), count * self.num_src)

    def reorder(self, method: Order = "rcm") -> Reordered:
        r"""Returns the graph with its nodes renumbered, so that nodes that are gathered together
        are close together in memory; computed at the first use of each method.

        The whole model runs in the new order; its outputs are mapped back to the caller's order::

            reordered = graph.reorder()
            out = reordered.to_caller(model(reordered.to_new(x), reordered.graph))

        Reordering pays if the features exceed the caches and the given numbering scatters
        neighbours: ``python -m benchmarks.reorder`` measures gain and cost.

        Edges keep their positions in the caller's :obj:`edge_index` (:obj:`perm`), so their
        attention dropout does not change. Virtual self-loops are numbered by node: their
        dropout follows the new numbers.

        Args:
            method (str, optional): ``"rcm"``, reverse Cuthill-McKee, for meshes and
                graphs with clear communities; or ``"degree"``, nodes grouped by powers of two
                of their degree, largest first, for graphs with scattered hubs.

        Raises:
            ValueError: If :obj:`method` is unknown, or the graph is bipartite.
        """
        check_choice("method", method, ORDERS)
        if self.num_src != self.num_dst:
            raise ValueError(f"graph: expected one node set to reorder, got size {self.size}")
        self.check_indices(wait=False)
        if self._reordered is None:
            self._reordered = {}
        if method in self._reordered:
            return self._reordered[method]
        with recordable():
            order = ORDERS[method](self)
            rank = torch.empty_like(order)
            rank[order] = torch.arange(order.numel(), device=order.device)
            edge_index = rank[self.edge_index()]
            graph = CSRGraph.from_edge_index(edge_index, size=self.size, index_dtype=self.col.dtype)
        reordered = Reordered(graph, order, rank)
        if is_cacheable(rank):
            self._reordered[method] = reordered
        return reordered

    def to(self, device: torch.device | str) -> CSRGraph:
        """Returns the graph on another device; the same object if it is already there.

        Args:
            device (torch.device or str): Such as ``"cpu"`` or ``"cuda:0"``.

        Raises:
            TypeError: If :obj:`device` is neither.
            ValueError: If the device type is unknown.
        """
        check_instance("device", device, (torch.device, str), "a torch.device or a string")
        try:
            device = torch.device(device)
        except RuntimeError as error:
            raise ValueError(
                f"device: expected a device such as 'cpu' or 'cuda:0', got {device!r}"
            ) from error
        if device == self.device:
            return self
        self.check_indices()
        moved = CSRGraph(CSR(*(t.to(device) for t in self._csr)), self.num_src)
        if self._csr_t is not None:
            moved._csr_t = CSR(*(t.to(device) for t in self._csr_t))
        return moved

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the in-edges only; ``torch.load`` needs no unsafe globals."""
        self.check_indices()
        return CSRGraph, (self._csr, self.num_src)

    def __repr__(self) -> str:
        return (
            f"CSRGraph(num_src={self.num_src}, num_dst={self.num_dst}, "
            f"num_edges={self.num_edges}, device={str(self.device)!r})"
        )


torch.serialization.add_safe_globals([CSRGraph])
