"""Graph structure: the in-edges of every node as CSR, and its transpose."""

from __future__ import annotations

import operator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.checks import check_choice, check_instance
from gatsparse.extras import require_extra
from gatsparse.tracing import is_traced, is_transformed

Order = Literal["rcm", "degree"]

_INT32_MAX = torch.iinfo(torch.int32).max
_INT64_MAX = torch.iinfo(torch.int64).max

_native.LIBRARY.define(
    "coo_to_csr(Tensor row, Tensor col, SymInt num_rows, SymInt num_cols, bool narrow) -> Tensor[]"
)
_native.LIBRARY.define("csr_transpose(Tensor[] csr, SymInt num_cols) -> Tensor[]")
_native.LIBRARY.define("find_duplicate(Tensor[] csr, int num_cols) -> Tensor")


@_native.fake("coo_to_csr")
def _(row: Tensor, col: Tensor, num_rows: int, _num_cols: int, narrow: bool) -> list[Tensor]:
    index = col.new_empty(col.numel(), dtype=torch.int32 if narrow else torch.int64)
    return [row.new_empty(num_rows + 1), index, torch.empty_like(index)]


@_native.fake("csr_transpose")
def _(csr: list[Tensor], num_cols: int) -> list[Tensor]:
    rowptr, col, perm = csr
    return [rowptr.new_empty(num_cols + 1), torch.empty_like(col), torch.empty_like(perm)]


class CSR(NamedTuple):
    """Entries grouped by row.

    Args:
        ptr (Tensor): int64 ``[num_rows + 1]``; row ``i`` holds entries ``ptr[i]:ptr[i + 1]``.
        other (Tensor): int32 or int64 ``[E]``; the other end of each edge.
        perm (Tensor): int32 or int64 ``[E]``; the position of each edge before it was sorted.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[2, 0, 1], [0, 1, 0]]), num_nodes=3)
        >>> graph.csr.row()
        tensor([0, 0, 1])
    """

    ptr: Tensor
    other: Tensor
    perm: Tensor

    def row(self) -> Tensor:
        """The row of every entry, int64 ``[E]``."""
        return torch.repeat_interleave(
            torch.arange(self.ptr.numel() - 1, device=self.ptr.device),
            self.ptr.diff(),
            output_size=self.other.numel(),
        )

    def first(self, count: int, copies: int) -> CSR:
        """Returns the first of several copies of a graph."""
        rows = (self.ptr.numel() - 1) // copies * count
        entries = self.other.numel() // copies * count
        return CSR(self.ptr[: rows + 1], self.other[:entries], self.perm[:entries])


class CSRGraph:
    r"""A directed graph, stored as the in-edges of every destination.

    Build it with :meth:`from_edge_index`. It is accepted wherever a gatsparse layer
    takes an :obj:`edge_index`. The transpose, which only a backward pass needs, is
    built when it is first asked for.

    Attributes:
        num_src (int): Number of source nodes, :math:`N_{src}`.
        num_dst (int): Number of destination nodes, :math:`N_{dst}`.
        num_edges (int): Number of edges :math:`E`, duplicates and self-loops included.
        rowptr (Tensor): int64 ``[N_dst + 1]``.
        col (Tensor): ``[E]``, the source of each edge, by destination.
        perm (Tensor): ``[E]``, the position of each edge in the :obj:`edge_index` it came from.
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

        The edges of one destination keep their order.

        Args:
            edge_index (Tensor): ``[2, E]``, int64 or int32; row 0 holds the source
                :math:`j` and row 1 the destination :math:`i` of each edge.
            num_nodes (int, optional): Number of nodes, of a graph with one node set.
                (default: one more than the largest index)
            size (tuple, optional): ``(N_src, N_dst)``, of a bipartite graph.
            index_dtype (torch.dtype, optional): ``torch.int32`` or ``torch.int64``.
                (default: int32 where the graph fits)

        Raises:
            TypeError: If :obj:`edge_index` is not a tensor of integers.
            ValueError: If its shape is not ``[2, E]``, a size is negative, both
                :obj:`num_nodes` and :obj:`size` are given, or the graph does not fit
                :obj:`index_dtype`.
            IndexError: If an index is negative or not below its number of nodes.
        """
        check_edge_index(edge_index)
        if num_nodes is not None and size is not None:
            raise ValueError("num_nodes, size: expected one of them, got both")
        if size is not None:
            num_src, num_dst = _check_size("size[0]", size[0]), _check_size("size[1]", size[1])
        elif num_nodes is not None:
            num_src = num_dst = _check_size("num_nodes", num_nodes)
        else:
            num_src = num_dst = int(edge_index.max()) + 1 if edge_index.numel() > 0 else 0
        native = edge_index.device.type == "cpu" and _native.available()

        def check() -> None:
            check_range("edge_index[0]", edge_index[0], num_src)
            check_range("edge_index[1]", edge_index[1], num_dst)

        # What is compiled must not depend on sizes; its operator raises where they do not fit.
        fits = torch.compiler.is_compiling() or (
            _index_dtype(num_src, num_dst, edge_index.size(1)) == torch.int32
        )
        if index_dtype not in (None, torch.int32, torch.int64):
            raise ValueError(f"index_dtype: expected torch.int32 or int64, got {index_dtype}")
        if index_dtype == torch.int32 and not fits:
            raise ValueError("index_dtype: the graph does not fit torch.int32")
        narrow = fits and index_dtype != torch.int64

        with recordable():
            col, row = edge_index.contiguous().unbind(0)
            if native:
                try:
                    csr = CSR(*torch.ops.gatsparse.coo_to_csr(row, col, num_dst, num_src, narrow))
                except RuntimeError:  # an index out of range, of which it says less
                    check()
                    raise
            else:
                if not torch.compiler.is_compiling():
                    check()
                dtype = torch.int32 if narrow else torch.int64
                csr = _sort_by_row(row.long(), col.long(), num_dst, dtype)
        return cls(csr, num_src)

    @classmethod
    def from_csr(
        cls, rowptr: Tensor, col: Tensor, num_src: int, perm: Tensor | None = None
    ) -> CSRGraph:
        r"""Takes a copy of edges that are grouped by destination already; nothing is sorted.

        Args:
            rowptr (Tensor): int64 or int32 ``[N_dst + 1]``; destination ``i`` has the edges
                ``rowptr[i]:rowptr[i + 1]``.
            col (Tensor): int64 or int32 ``[E]``, the source of each edge.
            num_src (int): Number of sources :math:`N_{src}`.
            perm (Tensor, optional): int64 or int32 ``[E]``, a permutation: the position of each
                edge in the order of the edge features. (default: the order of :obj:`col`)

        Raises:
            TypeError: If an argument is not a tensor of such integers.
            ValueError: If :obj:`rowptr` does not rise from 0 to :math:`E`, or :obj:`perm` is
                not of shape ``[E]`` or holds a position twice.
            IndexError: If an index in :obj:`col` is negative or not below :obj:`num_src`, or one
                in :obj:`perm` not below :math:`E`.
        """
        num_src = _check_size("num_src", num_src)
        csr = _checked_csr("rowptr", rowptr, "col", col, num_src)
        if perm is not None:
            _check_permutation("perm", perm, csr.perm)
            with recordable():
                csr = csr._replace(perm=perm.to(csr.perm.dtype, copy=True))
        return cls(csr, num_src)

    @classmethod
    def from_csc(cls, colptr: Tensor, row: Tensor, num_dst: int) -> CSRGraph:
        r"""Takes a copy of edges that are grouped by source already.

        Args:
            colptr (Tensor): int64 or int32 ``[N_src + 1]``; source ``j`` has the edges
                ``colptr[j]:colptr[j + 1]``.
            row (Tensor): int64 or int32 ``[E]``, the destination of each edge.
            num_dst (int): Number of destinations :math:`N_{dst}`.

        Raises:
            TypeError, ValueError, IndexError: As :meth:`from_csr`.
        """
        num_dst = _check_size("num_dst", num_dst)
        by_source = _checked_csr("colptr", colptr, "row", row, num_dst)
        with recordable():
            csr = _transpose(by_source, num_dst)
        return cls(csr, by_source.ptr.numel() - 1)

    @property
    def csr(self) -> CSR:
        """The in-edges of every destination."""
        return self._csr

    @property
    def csr_t(self) -> CSR:
        """The out-edges of every source; built at the first use."""
        if self._csr_t is not None:
            return self._csr_t
        with recordable():
            csr_t = _transpose(self._csr, self.num_src)
        if _outlives_the_call(csr_t.ptr):
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
        """Device of the graph."""
        return self.rowptr.device

    def edge_index(self) -> Tensor:
        """Returns the edges in the order of the input, int64 ``[2, E]``."""
        sorted_edges = torch.stack([self.col.long(), self._csr.row()])
        edge_index = torch.empty_like(sorted_edges)
        edge_index[:, self.perm.long()] = sorted_edges
        return edge_index

    def find_duplicate(self) -> tuple[int, int] | None:
        """Returns the input positions of the first duplicate edge.

        Returns:
            tuple or None: Positions ``(first, second)`` of an edge and its duplicate; of all
            duplicates, the one whose second position is smallest. None if all edges differ.
        """
        if self.device.type == "cpu" and _native.available():
            pair = torch.ops.gatsparse.find_duplicate(list(self.csr), self.num_src)
        else:
            pair = _find_duplicate(self.csr)
        return (int(pair[0]), int(pair[1])) if pair.numel() > 0 else None

    def reverse(self) -> CSRGraph:
        """The same edges in the same order, each leading the other way; built at the first use."""
        if self._reversed is not None:
            return self._reversed
        edge_index, dtype = self.edge_index().flip(0), self.col.dtype
        reverse = CSRGraph.from_edge_index(
            edge_index, size=(self.num_dst, self.num_src), index_dtype=dtype
        )
        if _outlives_the_call(reverse.rowptr):
            self._reversed = reverse
        return reverse

    def repeat(self, count: int) -> CSRGraph:
        r"""Returns disjoint copies of this graph as one graph.

        Node ``i`` of copy ``b`` has number ``b * N + i``, and its edge ``e`` has position
        ``b * E + e``. The largest number of copies that was requested is kept; fewer are part
        of it.

        Args:
            count (int): Number of copies.

        Raises:
            ValueError: If :obj:`count` is negative.
        """
        count = _check_size("count", count)
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
        num_src, num_dst, num_edges = (count * n for n in (*self.size, self.num_edges))
        dtype = _index_dtype(num_src, num_dst, num_edges)
        copy = torch.arange(count, device=self.device)[:, None]

        def shifted(values: Tensor, by: int) -> Tensor:
            return (values.long() + copy * by).flatten()

        end = self.rowptr.new_full((1,), num_edges)
        ptr = torch.cat([shifted(self.rowptr[:-1], self.num_edges), end])
        col = shifted(self.col, self.num_src).to(dtype)
        perm = shifted(self.perm, self.num_edges).to(dtype)
        return CSRGraph(CSR(ptr, col, perm), num_src)

    def reorder(self, method: Order = "rcm") -> Reordered:
        r"""Returns the graph with its nodes renumbered, so that neighbours are close in memory;
        computed at the first use of each method.

        The whole model runs in the new order, and its outputs are returned to the caller's::

            reordered = graph.reorder()
            out = reordered.to_caller(model(reordered.to_new(x), reordered.graph))

        It gains where features exceed the caches and the given numbering hides communities of
        the graph: ``python -m benchmarks.reorder`` measures gain and cost.

        Edges keep their positions in the caller's :obj:`edge_index` (:obj:`perm`), and
        with them the attention dropout that they draw. Only virtual self-loops, which
        are numbered by node, draw that of the new numbers.

        Args:
            method (str, optional): ``"rcm"``, reverse Cuthill-McKee, for meshes and
                graphs of clear communities; or ``"degree"``, nodes grouped by powers of two
                of their degree, largest first, for graphs whose hubs are scattered.

        Raises:
            ValueError: If there is no such :obj:`method`, or the graph is bipartite.
        """
        check_choice("method", method, _ORDERS)
        if self.num_src != self.num_dst:
            raise ValueError(f"graph: expected one node set to reorder, got size {self.size}")
        if self._reordered is None:
            self._reordered = {}
        if method in self._reordered:
            return self._reordered[method]
        with recordable():
            order = _ORDERS[method](self)
            rank = torch.empty_like(order)
            rank[order] = torch.arange(order.numel(), device=order.device)
            edge_index = rank[self.edge_index()]
            graph = CSRGraph.from_edge_index(edge_index, size=self.size, index_dtype=self.col.dtype)
        reordered = Reordered(graph, order, rank)
        if _outlives_the_call(rank):
            self._reordered[method] = reordered
        return reordered

    def to(self, device: torch.device | str) -> CSRGraph:
        """Returns the graph on another device; the same object if it is there already.

        Args:
            device (torch.device or str): Such as ``"cpu"`` or ``"cuda:0"``.

        Raises:
            TypeError: If :obj:`device` is neither.
            ValueError: If there is no such kind of device.
        """
        check_instance("device", device, (torch.device, str), "a torch.device or a string")
        try:
            device = torch.device(device)
        except RuntimeError as error:
            raise ValueError(
                f"device: expected such as 'cpu' or 'cuda:0', got {device!r}"
            ) from error
        if device == self.device:
            return self
        moved = CSRGraph(CSR(*(t.to(device) for t in self._csr)), self.num_src)
        if self._csr_t is not None:
            moved._csr_t = CSR(*(t.to(device) for t in self._csr_t))
        return moved

    def __reduce__(self) -> tuple[Any, ...]:
        """Leaves out what is built at its first use; ``torch.load`` needs no unsafe globals."""
        return CSRGraph, (self._csr, self.num_src)

    def __repr__(self) -> str:
        return (
            f"CSRGraph(num_src={self.num_src}, num_dst={self.num_dst}, "
            f"num_edges={self.num_edges}, device={str(self.device)!r})"
        )


torch.serialization.add_safe_globals([CSR, CSRGraph])


class Reordered(NamedTuple):
    """A graph whose nodes were renumbered, with the maps between both orders.

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
        """Rows ``[N, ...]`` of the caller's nodes, returned in the new order.

        Raises:
            ValueError: If :obj:`x` does not have one row per node.
        """
        return _take_rows("x", x, self.order)

    def to_caller(self, out: Tensor) -> Tensor:
        """Rows ``[N, ...]`` of the new nodes, returned in the caller's order.

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
    """By powers of two of the degree, so that nodes of one group stay in the given order."""
    degree = graph.rowptr.diff() + graph.rowptr_t.diff()
    power = torch.frexp(degree.double()).exponent
    return torch.sort(power, descending=True, stable=True).indices


_ORDERS = {"rcm": _rcm_order, "degree": _degree_order}


def _transpose(csr: CSR, num_cols: int) -> CSR:
    """The entries by column; :attr:`CSR.perm` of it holds positions in :obj:`csr`."""
    if csr.ptr.device.type == "cpu" and _native.available():
        return CSR(*torch.ops.gatsparse.csr_transpose(list(csr), num_cols))
    return _sort_by_row(csr.other.long(), csr.row(), num_cols, csr.other.dtype)


def _sort_by_row(row: Tensor, col: Tensor, num_rows: int, dtype: torch.dtype) -> CSR:
    """The counting sort in torch operations, where there is no native one."""
    perm = torch.sort(row, stable=True).indices
    ptr = row.new_zeros(num_rows + 1)
    ptr[1:] = torch.bincount(row, minlength=num_rows).cumsum(0)
    return CSR(ptr, col[perm].to(dtype), perm.to(dtype))


def _find_duplicate(csr: CSR) -> Tensor:
    """In torch operations, where there is no native one: int64 ``[2]`` or ``[0]``."""
    order = torch.sort(csr.perm).indices
    order = order[torch.sort(csr.other[order], stable=True).indices]
    order = order[torch.sort(csr.row()[order], stable=True).indices]
    row, other, perm = csr.row()[order], csr.other[order], csr.perm[order].long()
    again = ((row.diff() == 0) & (other.diff() == 0)).nonzero().squeeze(1)
    if again.numel() == 0:
        return perm[:0]
    first = again[perm[again + 1].argmin()]
    return perm[first : first + 2]


def _checked_csr(ptr_name: str, ptr: Tensor, name: str, other: Tensor, num_other: int) -> CSR:
    """Entries that are grouped already, in the order in which they stand."""
    for argument, index in ((ptr_name, ptr), (name, other)):
        if not isinstance(index, Tensor):
            raise TypeError(f"{argument}: expected a tensor, got {type(index).__name__}")
        if index.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"{argument}: expected int64 or int32, got {index.dtype}")
        if index.dim() != 1:
            raise ValueError(f"{argument}: expected one dimension, got {list(index.shape)}")
    num_rows, num_entries = ptr.numel() - 1, other.numel()
    if not torch.compiler.is_compiling():  # else the operators themselves check
        if num_rows < 0 or ptr[0] != 0 or ptr[-1] != num_entries or (ptr.diff() < 0).any():
            raise ValueError(f"{ptr_name}: expected to rise from 0 to {num_entries}")
        check_range(name, other, num_other)
    dtype = _index_dtype(num_rows, num_other, num_entries)
    with recordable():
        perm = torch.arange(num_entries, dtype=dtype, device=other.device)
        ptr, other = ptr.to(torch.int64, copy=True), other.to(dtype, copy=True)
        return CSR(ptr.contiguous(), other.contiguous(), perm)


def _check_permutation(name: str, perm: Tensor, expected: Tensor) -> None:
    """Raises if :obj:`perm` is not a permutation of the shape of :obj:`expected`."""
    check_instance(name, perm, Tensor, "a tensor")
    if perm.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name}: expected int64 or int32, got {perm.dtype}")
    if perm.shape != expected.shape:
        raise ValueError(f"{name}: expected shape {list(expected.shape)}, got {list(perm.shape)}")
    if is_traced(perm) or perm.numel() == 0:
        return
    check_range(name, perm, perm.numel())
    count = torch.bincount(perm)
    if count.max() > 1:
        raise ValueError(f"{name}: expected every position once, got {int(count.argmax())} twice")


def _index_dtype(*sizes: int) -> torch.dtype:
    """The smallest for indices below all sizes, on which a compiled graph must not depend."""
    narrow = not torch.compiler.is_compiling() and max(sizes) <= _INT32_MAX
    return torch.int32 if narrow else torch.int64


def check_edge_index(edge_index: Tensor) -> None:
    """Raises TypeError or ValueError if :obj:`edge_index` is not ``[2, E]`` of integers."""
    if not isinstance(edge_index, Tensor):
        raise TypeError(f"edge_index: expected a tensor, got {type(edge_index).__name__}")
    if edge_index.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"edge_index: expected int64 or int32, got {edge_index.dtype}")
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"edge_index: expected shape [2, E], got {list(edge_index.shape)}")


def _check_size(name: str, size: int) -> int:
    # Sizes that a tracer follows must stay symbols; what is not a size fails there, too.
    if torch.compiler.is_compiling() or isinstance(size, torch.SymInt):
        return size
    if not isinstance(size, int):
        try:
            size = operator.index(size)
        except TypeError as error:
            raise TypeError(f"{name}: expected an integer, got {size!r}") from error
    if not 0 <= size <= _INT64_MAX:
        raise ValueError(f"{name}: expected 0 .. 2**63 - 1, got {size}")
    return size


def _outlives_the_call(built: Tensor) -> bool:
    """Whether what was built of a graph may be kept with it: no fake tensor, and none that belongs
    to a transform of ``torch.func``.
    """
    return type(built) is Tensor and not is_transformed()


def recordable() -> AbstractContextManager[object]:
    """A structure outlives the call that builds it, and must serve in training too, even
    if that call is made in inference mode.
    """
    inference = not torch.compiler.is_compiling() and torch.is_inference_mode_enabled()
    return torch.inference_mode(False) if inference else nullcontext()


def check_range(name: str, index: Tensor, num_nodes: int) -> None:
    """Raises IndexError if an entry of :obj:`index` is not in ``0 .. num_nodes - 1``."""
    if index.numel() == 0:
        return
    low, high = (int(bound) for bound in index.aminmax())
    if low < 0 or high >= num_nodes:
        worst = low if low < 0 else high
        position = int((index == worst).nonzero()[0])
        raise IndexError(
            f"{name}: expected indices in 0 .. {num_nodes - 1}, got {worst} at position {position}"
        )
