"""Dense node features that are mostly zero, such as bags of words, multiplied as sparse ones."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_map

from gatsparse.graph import CSRGraph
from gatsparse.graph_cache import fingerprint
from gatsparse.ops import dropout
from gatsparse.ops.kernel_support import is_autocast, unmet
from gatsparse.ops.sparse_linear import sparse_linear_by_row
from gatsparse.storage_map import StorageMap
from gatsparse.tracing import recordable

#: Share of nonzero elements up to which the sparse product is faster than the dense one.
MAX_DENSITY = 0.1
#: Number of elements of a matrix that is too small to gain.
_SMALL = 2**15
#: Changes of content after which a matrix is not converted again.
_MAX_CHANGES = 3
#: Number of views of one storage.
_MAX_VIEWS = 8


class _Nonzeros(NamedTuple):
    """Places of the nonzero elements of a matrix ``[N, F]``, by row.

    Args:
        graph (CSRGraph): Graph of size ``(F, N)`` with an edge for each nonzero element.
        position (Tensor): int64 ``[nnz]``, ``row * F + column``.
    """

    graph: CSRGraph
    position: Tensor


class SparseFeatures(Tensor):
    """A constant matrix ``[N, F]`` that acts as a dense tensor. :func:`torch.nn.functional.linear`
    multiplies only its nonzero elements; all other functions take the dense matrix, which is built
    at its first use and replaces the sparse one, as it may be modified.
    """

    _nonzeros: _Nonzeros
    _stored: Tensor
    _source: Tensor | None
    _dense: Tensor | None

    @classmethod
    def of(cls, nonzeros: _Nonzeros, values: Tensor, source: Tensor | None = None) -> Any:
        """A matrix with these nonzero elements; :obj:`source` is its dense form, if it exists."""
        num_features, num_rows = nonzeros.graph.size
        features = Tensor._make_wrapper_subclass(
            cls, (num_rows, num_features), dtype=values.dtype, device=values.device
        )
        features._nonzeros, features._stored = nonzeros, values
        features._source, features._dense = source, None
        return features

    def dropped(self, p: float) -> Tensor:
        """Dropout of the features with probability :obj:`p`."""
        return self.of(self._nonzeros, dropout(self._stored, p))

    def dense(self) -> Tensor:
        """The dense matrix."""
        if self._dense is None:
            if self._source is not None:
                self._dense = self._source
            else:
                num_features, num_rows = self._nonzeros.graph.size
                dense = self._stored.new_zeros(num_rows * num_features)
                dense.index_copy_(0, self._nonzeros.position, self._stored)
                self._dense = dense.view(num_rows, num_features)
        return self._dense

    def _is_multiplied_by(self, weight: Any, bias: Any = None) -> bool:
        """Whether the sparse product equals ``F.linear`` of the dense matrix."""
        if self._dense is not None or is_autocast(self):
            return False
        given = (weight,) if bias is None else (weight, bias)
        if not all(type(t) in (Tensor, torch.nn.Parameter) for t in given):
            return False
        if weight.dim() != 2 or weight.size(1) != self.size(1):
            return False  # torch raises
        if bias is not None and bias.shape != weight.shape[:1]:
            return False  # torch broadcasts it
        same = all(t.dtype == self._stored.dtype and t.device == self._stored.device for t in given)
        return same and not unmet(weight, bias)

    @classmethod
    def __torch_function__(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        x = args[0] if args else None
        if isinstance(x, SparseFeatures):
            if func in _METADATA and x._dense is None:
                with torch._C.DisableTorchFunctionSubclass():
                    return func(*args, **kwargs)
            if func is F.linear and x._is_multiplied_by(*args[1:], **kwargs):
                return _linear(x, *args[1:], **kwargs)
        return func(*tree_map(_dense, args), **tree_map(_dense, kwargs))

    @classmethod
    def __torch_dispatch__(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Reached by calls that bypass ``__torch_function__``, such as those of TorchScript."""
        return func(*tree_map(_dense, args), **tree_map(_dense, kwargs or {}))


#: Functions of a tensor that read none of its elements.
_METADATA = frozenset(
    {
        Tensor.dim,
        Tensor.is_floating_point,
        Tensor.numel,
        Tensor.size,
        Tensor.__len__,
        *(
            getattr(Tensor, name).__get__
            for name in (
                *("device", "dtype", "is_cpu", "is_cuda", "is_sparse", "is_sparse_csr", "layout"),
                *("is_meta", "is_quantized", "ndim", "requires_grad", "shape"),
            )
        ),
    }
)


def _linear(x: SparseFeatures, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return sparse_linear_by_row(x._stored, x._nonzeros.graph, weight, bias)


def _dense(value: Any) -> Any:
    return value.dense() if isinstance(value, SparseFeatures) else value


class _Known:
    """The nonzero elements of the latest content of a matrix."""

    def __init__(self) -> None:
        self._content: object = None
        self._changes = 0
        self._found: tuple[_Nonzeros, Tensor] | None = None

    def nonzeros(self, x: Tensor) -> tuple[_Nonzeros, Tensor] | None:
        """The nonzero elements of the matrix, or None if it is not sparse or changes often."""
        if self._changes < _MAX_CHANGES and (content := fingerprint(x)) != self._content:
            self._content = content
            self._changes += 1
            self._found = None
            if self._changes < _MAX_CHANGES:
                with torch.no_grad(), recordable():
                    self._found = _converted(x)
            if self._found is None:
                self._changes = _MAX_CHANGES
        return self._found


#: By the view of a storage, which includes the dtype.
_known: StorageMap[dict[Hashable, _Known]] = StorageMap(256)


def sparse_features(x: Any) -> Any:
    """Returns :class:`SparseFeatures` instead of a constant dense matrix that is mostly zero.

    A matrix is converted when it is used for the second time, because the features of a batch are
    used once. The conversion is kept while the memory of the matrix is alive, and recognised by a
    fingerprint of its content: it is repeated after any change, also one that PyTorch does not
    see.

    Args:
        x (Any): Argument of a product.

    Returns:
        Any: :obj:`x` itself, unless it is a dense, constant matrix that is mostly zero.
    """
    if type(x) is not Tensor or x.requires_grad or x.layout != torch.strided or x.dim() != 2:
        return x
    if x.numel() < _SMALL or not x.is_contiguous() or not x.is_cpu or unmet(x):
        return x
    storage, view = x.untyped_storage(), (x.storage_offset(), x.shape, x.dtype)
    views = _known.get(storage)
    if views is None or view not in views:
        views = {} if views is None or len(views) >= _MAX_VIEWS else views
        views[view] = _Known()
        _known.set(storage, views)
        return x
    found = views[view].nonzeros(x)
    return x if found is None else SparseFeatures.of(*found, x)


def _converted(x: Tensor) -> tuple[_Nonzeros, Tensor] | None:
    """The nonzero elements of a matrix, or None if they are too many."""
    rows, features = x.shape
    if int(x.count_nonzero()) > MAX_DENSITY * x.numel():
        return None
    position = x.flatten().nonzero().flatten()
    edges = torch.stack([position % features, position.div(features, rounding_mode="floor")])
    graph = CSRGraph.from_edge_index(edges, size=(features, rows))
    return _Nonzeros(graph, position), x.flatten()[position]
