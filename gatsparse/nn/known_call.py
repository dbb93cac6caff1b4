"""Calls of a layer that are like an earlier one, whose checks and choices are not made again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.nn.overrides import reasons_for_pyg
from gatsparse.nn.sparse_features import SparseFeatures
from gatsparse.ops.backend import has_level
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.kernel_support import unmet
from gatsparse.slow_path import is_observed
from gatsparse.tracing import is_traced

#: Attributes of a layer on which its checks or the choice of the backend depend.
_ATTRIBUTES = (
    *("add_self_loops", "backend", "concat", "dropout", "flow"),
    *("heads", "in_channels", "negative_slope", "out_channels"),
)


def call_signature(layer: Any, x: Any, edge_index: Any) -> Hashable | None:
    """Returns all that determines the checks of a call and the choice of its backend; None for
    calls that need more than the kernels, or are traced.

    Args:
        layer (AttentionConv): The layer.
        x (Any): Its features.
        edge_index (Any): The graph.
    """
    if type(edge_index) is not Tensor or type(x) not in (Tensor, SparseFeatures):
        return None
    if edge_index.layout != torch.strided or edge_index.dtype not in (torch.int64, torch.int32):
        return None
    if x.layout not in (torch.strided, torch.sparse_csr):
        return None
    traced = is_traced(edge_index) if type(x) is SparseFeatures else is_traced(x, edge_index)
    if traced or has_level() or is_observed() or torch.is_autocast_enabled("cpu"):
        return None
    attributes = vars(layer)
    if layer.res is not None or reasons_for_pyg(layer):
        return None
    return (
        *(type(x), x.dtype, x.layout, x.shape[1:], x.is_cpu),
        *(edge_index.dtype, edge_index.shape[:-1], edge_index.is_cpu),
        *[attributes[name] for name in _ATTRIBUTES],
        *[
            None if p is None else (type(p), p.dtype, p.shape, p.is_cpu)
            for p in attributes["_parameters"].values()
        ],
        *attributes["_modules"].values(),
    )


def needs_only_kernels(layer: Any, x: Tensor, graph: CSRGraph | EdgeList) -> bool:
    """Whether a layer's call is computed by the kernels from its parameters as they are.

    Args:
        layer (AttentionConv): The layer.
        x (Tensor): Projected features of the sources.
        graph (CSRGraph or EdgeList): The graph.
    """
    dtypes = {x.dtype, *[p.dtype for p in layer.parameters(recurse=False)]}
    by_kernels = layer.backend in ("auto", "fused") and not unmet(x, graph=graph)
    forwards = layer.flow == "source_to_target"
    return by_kernels and forwards and dtypes <= {torch.float32, torch.float64} and len(dtypes) == 1
