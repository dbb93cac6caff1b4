"""Cache of the CSR graphs of tensors, with keys that include the content of their memory."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.gpu.content import ContentOnGPU
from gatsparse.gpu.support import triton_missing
from gatsparse.graph import CSRGraph
from gatsparse.storage_map import StorageMap

#: Limits of the cache: number of storages; number of graphs of views of one storage; and their
#: total size, relative to the storage or the largest graph. The oldest are dropped first.
MAX_STORAGES = 4096
MAX_VIEWS = 4096
MAX_COPIES = 16


_lock = Lock()


class _Graphs:
    """The graphs of the views of one storage; only those of a view's latest content are kept.

    Args:
        capacity (int): Number of elements of the storage.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._total = 0
        self._count = 0
        #: Content of each view, and its graphs by size.
        self._views: dict[Hashable, tuple[Hashable, dict[tuple[int, int], CSRGraph]]] = {}

    def __len__(self) -> int:
        return self._count

    def find(self, view: Hashable, size: tuple[int, int], content: Hashable) -> CSRGraph | None:
        known, graphs = self._views.get(view, (None, {}))
        if known != content:
            return None
        graph = graphs.get(size)
        if isinstance(known, ContentOnGPU) and isinstance(content, ContentOnGPU) and graph:
            known.compare(content)
        return graph

    def keep(self, view: Hashable, content: Hashable, graph: CSRGraph) -> None:
        with _lock:
            known, graphs = self._views.get(view, (content, {}))
            for size in list(graphs) if known != content else [graph.size]:
                self._drop(view, size)
            if isinstance(content, ContentOnGPU) and view not in self._views:
                content.keep()
            _, graphs = self._views.setdefault(view, (content, {}))
            graphs[graph.size] = graph
            self._count += 1
            self._total += _elements(graph)
            self._capacity = max(self._capacity, _elements(graph))
            while len(self) > MAX_VIEWS or self._total > MAX_COPIES * self._capacity:
                oldest, (_, graphs) = next(iter(self._views.items()))
                self._drop(oldest, next(iter(graphs)))

    def _drop(self, view: Hashable, size: tuple[int, int]) -> None:
        """Drops a graph if it exists, and the view if it has no more graphs."""
        _, graphs = self._views.get(view, (None, {}))
        graph = graphs.pop(size, None)
        if graph is not None:
            self._count -= 1
            self._total -= _elements(graph)
        if not graphs:
            self._views.pop(view, None)


def _elements(graph: CSRGraph) -> int:
    return graph.num_edges + sum(graph.size)


_cache: StorageMap[_Graphs] = StorageMap(MAX_STORAGES)


class GraphKey:
    """Cache key of the graph in the current content of some index tensors.

    Memory can change without a new version of the tensor: through NumPy or DLPack, by another
    process or by a collective. Therefore the key includes a fingerprint of the indices, for which
    each of them is read once. On a GPU the host does not wait for it: see :class:`ContentOnGPU`.

    Args:
        form (Hashable): Other properties that determine the graph, such as the class of its format.
        *indices (Tensor): Integer tensors. A graph is kept while the memory of the first is alive.
    """

    def __init__(self, form: Hashable, *indices: Tensor) -> None:
        self._storage = indices[0].untyped_storage()
        self._view = (form, *map(_view, indices))
        on_gpu = indices[0].is_cuda and triton_missing() is None
        self._content = ContentOnGPU(indices) if on_gpu else tuple(map(fingerprint, indices))

    def find(self, size: tuple[int, int]) -> CSRGraph | None:
        """Returns the graph of this size that is cached for this content, or None."""
        graphs = _cache.get(self._storage)
        return None if graphs is None else graphs.find(self._view, size, self._content)

    def keep(self, graph: CSRGraph) -> None:
        """Caches a graph for this content; drops the graphs of an earlier content."""
        graphs = _cache.get(self._storage)
        if graphs is None:
            graphs = _Graphs(self._storage.nbytes() // 8)
            _cache.set(self._storage, graphs)
        graphs.keep(self._view, self._content, graph)


def clear_graph_cache() -> None:
    """Drops all cached CSR graphs; each is built again at its next use.

    The graph of an ``edge_index`` is kept while the memory of the tensor is alive. The cache holds
    graphs of at most 4096 tensors and drops the oldest first. Views of one tensor, such as the
    graphs of a data set, are cached separately: at most 4096 graphs, which together are at most 16
    times as large as the tensor.

    Example:
        >>> import gatsparse
        >>> gatsparse.clear_graph_cache()
    """
    _cache.clear()


def fingerprint(index: Tensor) -> Hashable:
    """Returns a hash of the elements of an integer tensor of up to two dimensions.

    Two tensors of the same shape and dtype that differ have the same hash with a probability of
    about :math:`2^{-64}`.
    """
    if not index.is_cpu or not _native.available():
        return _fingerprint_in_torch(index)
    if not index.is_contiguous():
        if index.dim() == 2 and index.stride(1) == 1:
            return tuple(map(fingerprint, index.unbind(0)))
        transposed = index.dim() == 2 and index.t().is_contiguous()
        index = index.t() if transposed else index.contiguous()
    return _native.fingerprint(index.data_ptr(), index.nbytes)


def _fingerprint_in_torch(index: Tensor) -> int:
    """Device-independent fingerprint: a sum of hashes of position and value."""
    place = torch.arange(index.numel(), device=index.device)
    return int(_mix(_mix(place) ^ index.reshape(-1)).sum())


def _mix(number: Tensor) -> Tensor:
    """Bijective mixing of all bits of an int64 tensor."""
    number = (number ^ 0x2545F4914F6CDD1D) * -0x61C8864680B583EB  # odd: no bit is lost
    number = (number ^ (number >> 32)) * -0x4B47D0C5A1A6B2D5
    return number ^ (number >> 29)


def _view(index: Tensor) -> Hashable:
    return index.storage_offset(), index.shape, index.stride(), index.dtype
