"""Calls of a layer that are like an earlier one, whose checks and choices are not made again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import Linear

from gatsparse.graph import CSRGraph
from gatsparse.nn.overrides import is_changed, reasons_for_pyg
from gatsparse.nn.sparse_features import SparseFeatures
from gatsparse.ops.backend import has_level
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.kernel_support import is_autocast, unmet
from gatsparse.slow_path import is_observed
from gatsparse.tracing import is_traced

#: Attributes of a layer on which its checks or the choice of the backend depend.
_ATTRIBUTES = (
    *("add_self_loops", "backend", "concat", "dropout", "flow"),
    *("heads", "in_channels", "negative_slope", "out_channels"),
)


#: Names of a layer's parameters.
_PARAMETERS = ("att", "att_dst", "att_src", "bias")


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
    if traced or has_level() or is_observed() or is_autocast(x):
        return None
    attributes, lins = vars(layer), layer._lins()
    shipped = "_pyg" in vars(type(layer)) and not attributes["_buffers"]
    if any(name in attributes for name in _PARAMETERS):  # plain tensors, which may change
        return None
    if not shipped or layer.res is not None or reasons_for_pyg(layer):
        return None
    if any(type(lin) is not Linear or is_changed(lin) for lin in lins):
        return None
    parameters = [*attributes["_parameters"].values(), *[lin.weight for lin in lins]]
    if any(p is not None and type(p) is not torch.nn.Parameter for p in parameters):
        return None
    return (
        *(type(x) is Tensor, x.dtype, x.layout, x.shape[1:], x.device),
        *(edge_index.dtype, edge_index.shape[:-1], edge_index.device),
        *[getattr(layer, name) for name in _ATTRIBUTES],
        *[lin.in_channels for lin in lins],
        *[None if p is None else (p.dtype, p.shape, p.device) for p in parameters],
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
