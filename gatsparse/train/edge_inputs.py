"""Inputs of a model in addition to features and edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch_geometric.nn import GATConv, GATv2Conv

from gatsparse.nn.forward_arguments import forward_parameters

if TYPE_CHECKING:
    import torch
    from torch_geometric.data import Data


def edge_inputs(model: torch.nn.Module, data: Data) -> dict[str, Tensor]:
    """Returns the keyword arguments of ``model(x, edge_index, ...)`` from :obj:`data`.

    Edge features are passed to models with :obj:`edge_dim`, edge weights to models that support
    them, and :obj:`batch` to models whose norms use it. Edge features and weights are never ignored
    silently.

    Args:
        model (torch.nn.Module): The model.
        data (torch_geometric.data.Data): Its data.

    Raises:
        ValueError: If :obj:`data` has edge features or weights that the model does not support, or
            lacks edge features that the model needs.
    """
    parameters = forward_parameters(model)
    dims = [m.edge_dim for m in model.modules() if isinstance(m, (GATConv, GATv2Conv))]
    inputs: dict[str, Tensor] = {}
    edge_attr, edge_weight, batch = (data.get(key) for key in ("edge_attr", "edge_weight", "batch"))
    needs = any(dim is not None for dim in dims)
    if edge_attr is None and needs:
        raise ValueError(
            "data.edge_attr: expected edge features [E, edge_dim] of the model, got None"
        )
    if edge_attr is not None:
        by_keyword = needs and any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        if not ("edge_attr" in parameters or by_keyword) or (dims and not needs):
            raise ValueError(
                "data.edge_attr: expected None, as the model takes no edge features: "
                "build it with edge_dim, or delete data.edge_attr to train without them"
            )
        inputs["edge_attr"] = edge_attr
    if edge_weight is not None:
        supported = "edge_weight" in parameters and getattr(model, "supports_edge_weight", True)
        if not supported:
            raise ValueError(
                "data.edge_weight: expected None, as the model takes no edge weights: pass them "
                "as data.edge_attr [E, 1] to a model with edge_dim=1, or delete data.edge_weight "
                "to train without them"
            )
        inputs["edge_weight"] = edge_weight
    if batch is not None and "batch" in parameters and _supports_batch(model):
        inputs["batch"] = batch
    return inputs


def _supports_batch(model: Any) -> bool:
    return bool(getattr(model, "supports_norm_batch", True))
