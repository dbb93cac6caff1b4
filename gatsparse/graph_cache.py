"""Cache of the CSR graphs of tensors, which are recognised by what their memory holds."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from gatsparse import _native
from gatsparse.graph import CSRGraph

#: Limits of the cache: storages, and views in one size of each. The oldest are dropped first.
MAX_STORAGES = 4096
MAX_VIEWS = 16


class _Entry(NamedTuple):
    """The graph of one view of a storage in one size, while the view held one content."""

    content: Hashable
    graph: CSRGraph


# By storage, not by tensor: views come as new tensors at each call, and
# torch.utils.swap_tensors refuses a tensor to which there is a weak reference.
_cache: WeakIdKeyDictionary = WeakIdKeyDictionary()


class GraphKey:
    """Identifies the graph that some index tensors hold at this moment.

    Memory can be written without a trace in the tensor: through NumPy or DLPack, by another process
    or by a collective. So a graph is recognised by a fingerprint of the indices, which reads each
    of them once.

    Args:
        form (Hashable): What else determines the graph, such as the class of its format.
        *indices (Tensor): Integer tensors. A graph is kept while the memory of the first is alive.
    """

    def __init__(self, form: Hashable, *indices: Tensor) -> None:
        self._storage = indices[0].untyped_storage()
        self._view = (form, *map(_view, indices))
        self._content = tuple(map(fingerprint, indices))

    def find(self, size: tuple[int, int]) -> CSRGraph | None:
        """Returns the graph of this size that was kept for this content, if there is one."""
        entry = (_cache.get(self._storage) or {}).get((self._view, size))
        return None if entry is None or entry.content != self._content else entry.graph

    def keep(self, graph: CSRGraph) -> None:
        """Keeps a graph for this content; those of an earlier content are dropped."""
        views: dict[tuple[Hashable, tuple[int, int]], _Entry] | None = _cache.get(self._storage)
        if views is None:
            if len(_cache) >= MAX_STORAGES:
                _cache.pop(next(iter(_cache.keys())), None)
            views = _cache[self._storage] = {}
        for key, entry in list(views.items()):
            if key[0] == self._view and entry.content != self._content:
                views.pop(key, None)
        if len(views) >= MAX_VIEWS:
            views.pop(next(iter(views)), None)
        views[self._view, graph.size] = _Entry(self._content, graph)


def clear_graph_cache() -> None:
    """Drops all cached CSR graphs; each is built again at its next use.

    The graph of an ``edge_index`` is kept while the memory of the tensor is alive. The cache holds
    the graphs of 4096 tensors at most and drops the oldest first.

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
    if index.device.type != "cpu" or not _native.available():
        return _fingerprint_in_torch(index)
    if not index.is_contiguous():
        if index.dim() == 2 and index.stride(1) == 1:
            return tuple(map(fingerprint, index.unbind(0)))
        transposed = index.dim() == 2 and index.t().is_contiguous()
        index = index.t() if transposed else index.contiguous()
    return _native.fingerprint(index.data_ptr(), index.nbytes)


def _fingerprint_in_torch(index: Tensor) -> int:
    """The same on any device: a sum of numbers that depend on place and value."""
    place = torch.arange(index.numel(), device=index.device)
    return int(_mix(_mix(place) ^ index.reshape(-1)).sum())


def _mix(number: Tensor) -> Tensor:
    """Spreads every bit of an int64 tensor over all its bits, one to one."""
    number = (number ^ 0x2545F4914F6CDD1D) * -0x61C8864680B583EB  # odd: no bit is lost
    number = (number ^ (number >> 32)) * -0x4B47D0C5A1A6B2D5
    return number ^ (number >> 29)


def _view(index: Tensor) -> Hashable:
    return index.storage_offset(), index.shape, index.stride(), index.dtype
