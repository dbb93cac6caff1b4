"""Check with random features that a model mixes nodes in its attention layers only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import Linear
from torch_geometric.nn.models.basic_gnn import BasicGNN
from torch_geometric.nn.norm import BatchNorm, LayerNorm

from gatsparse.graph import CSRGraph
from gatsparse.inference.model import (
    Step,
    is_plain,
    model_device,
    model_dtype,
    steps_after,
    steps_before,
)
from gatsparse.nn.overrides import is_changed
from gatsparse.ops import dropout, elu_dropout

_ROWS = 129
_BYTES = 2 * 10**6  # of the random features
_NODES, _EDGES = 24, 96
_SCALES = (0.01, 1.0, 1000.0)
#: Modules that do not mix nodes; norms as `check_model` allows them.
_KNOWN = frozenset(
    {
        *(torch.nn.Identity, torch.nn.Dropout, torch.nn.Linear, BatchNorm, LayerNorm),
        *(torch.nn.ReLU, torch.nn.LeakyReLU, torch.nn.ELU, torch.nn.GELU, torch.nn.SiLU),
        *(torch.nn.Sigmoid, torch.nn.Tanh, torch.nn.Softplus, torch.nn.PReLU),
    }
)


@torch.no_grad()
def check_node_wise(model: Any) -> None:
    """Raises if exact inference on some nodes at a time would change the result of a model.

    Activations, norms, dropout and hooks of a model may be any functions. Unknown functions are
    called with random features of some nodes, and again with a subset of these nodes. Modified
    layers are called with a small random graph, and again with the in-edges of a subset of its
    nodes.

    Raises:
        ValueError: If a function or a modified layer is random, mixes nodes, or cannot be called
            in this way; the message names it.
    """
    dtype, device = model_dtype(model), model_device(model)
    for layer in range(model.num_layers):
        conv = model.convs[layer]
        width = conv.in_channels[0] if isinstance(conv.in_channels, tuple) else conv.in_channels
        for step in steps_before(model, layer):
            width = _check_step(step, width, dtype, device)
        if not _is_known(conv):
            _check_layer(f"convs.{layer}", conv, dtype, device)
        width = conv.out_channels * (conv.heads if conv.concat else 1)
        for step in steps_after(model, layer):
            width = _check_step(step, width, dtype, device)
    if isinstance(model, BasicGNN) and not is_plain(model):
        x = _random(_ROWS, model.hidden_channels, dtype).to(device)
        if not torch.equal(model.dropout(x.clone()), x):
            raise ValueError(
                "model: dropout: expected the identity in evaluation mode, as "
                f"inference_per_layer of PyG's models does not call it, got {model.dropout}"
            )


def _is_known(conv: Any) -> bool:
    """Whether a layer has no hooks or overridden methods, and uses gatsparse's operators."""
    lin_edge = conv.lin_edge
    known = lin_edge is None or type(lin_edge) in (torch.nn.Linear, Linear)
    return known and conv.splits_by_head()


def _is_known_step(function: Any) -> bool:
    """Whether a function is known not to mix nodes in evaluation mode, and has no hooks."""
    if not isinstance(function, torch.nn.Module):
        return function in (dropout, elu_dropout, torch.nn.functional.dropout)
    changed = any(is_changed(module) for module in function.modules())
    return type(function) in _KNOWN and not changed


def _check_step(step: Step, width: int, dtype: torch.dtype, device: torch.device) -> int:
    """Checks a function of features ``[N, width]``; returns its number of output channels."""
    if _is_known_step(step.function):
        return width
    rows = max(8, min(_ROWS, _BYTES // (width * dtype.itemsize)))
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(1)).to(device)
    subsets = (order[: rows // 2], order[rows // 2 :].sort().values, order[:1], order[:2])
    out = torch.empty(0, 0)
    for scale in _SCALES:
        x = scale * _random(rows, width, dtype).to(device)
        try:
            out = step(x.clone())
            alike = len(out) == rows and all(
                _is_close(step(x[subset]), out[subset]) for subset in subsets
            )
        except Exception as error:
            got = f"an error on random features: {error}"
            raise ValueError(_message(step.name, got)) from error
        if not alike:
            raise ValueError(_message(step.name, "different values for a subset of the nodes"))
    return out.size(-1)


def _check_layer(name: str, conv: Any, dtype: torch.dtype, device: torch.device) -> None:
    """Checks a layer with hooks, overridden methods or another backend."""
    generator = torch.Generator().manual_seed(2)
    edge_index = torch.randint(_NODES, (2, _EDGES), generator=generator).to(device)
    in_channels = conv.in_channels
    width = in_channels[0] if isinstance(in_channels, tuple) else in_channels
    x, edge_attr = _random(_NODES, width, dtype).to(device), None
    if conv.lin_edge is not None:
        edge_attr = _random(_EDGES, conv.lin_edge.in_channels, dtype).to(device)
    try:
        out = conv(x, edge_index, **_options(edge_attr))
        alike = len(out) == _NODES
        for nodes in torch.arange(_NODES, device=device).split([_NODES // 3, _NODES - _NODES // 3]):
            kept = torch.isin(edge_index[1], nodes)
            src, dst = edge_index[:, kept]
            others = src[~torch.isin(src, nodes)].unique()
            local = torch.full((_NODES,), -1, device=device)
            sources = torch.cat([nodes, others])
            local[sources] = torch.arange(len(sources), device=device)
            graph = CSRGraph.from_edge_index(
                torch.stack([local[src], local[dst]]), size=(len(sources), len(nodes))
            )
            features = x[sources], x[nodes]
            rows = None if edge_attr is None else edge_attr[kept]
            alike = alike and _is_close(conv(features, graph, **_options(rows)), out[nodes])
    except Exception as error:
        got = f"an error on a random graph: {error}"
        raise ValueError(_message(name, got, layer=True)) from error
    if not alike:
        got = "different values for a subset of the nodes"
        raise ValueError(_message(name, got, layer=True))


def _options(edge_attr: Tensor | None) -> dict[str, Tensor]:
    return {} if edge_attr is None else {"edge_attr": edge_attr}


def _message(name: str, got: str, layer: bool = False) -> str:
    if layer:
        return (
            f"model: {name}: expected hooks and overridden methods that compute each node from its "
            "in-edges and accept a pair (x_src, x_dst) with a CSRGraph, as inference runs on "
            f"subsets of the nodes, got {got}"
        )
    return (
        f"model: {name}: expected a deterministic function, including hooks, that does not mix "
        f"nodes, as inference runs on subsets of the nodes, got {got}"
    )


def _random(rows: int, width: int, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, width, generator=generator, dtype=torch.float64).to(dtype)


def _is_close(out: Tensor, expected: Tensor) -> bool:
    """Whether two results are equal up to the order of sums."""
    eps = torch.finfo(expected.dtype).eps
    tolerance = max(4 * eps, min(256 * eps, 1e-2))
    if out.shape != expected.shape:
        return False
    finite = expected.nan_to_num(0.0, 0.0, 0.0).abs()
    atol = tolerance * float(finite.max()) if finite.numel() else 0.0
    return torch.allclose(out, expected, rtol=tolerance, atol=atol, equal_nan=True)
