"""What exact inference asks of a model: layers one by one, and nodes that do not mix elsewhere."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.models.basic_gnn import BasicGNN
from torch_geometric.nn.norm import BatchNorm, LayerNorm

from gatsparse.nn import PaperGAT
from gatsparse.nn.attention_conv import AttentionConv, is_changed


def check_model(model: Any) -> None:
    """Raises if :func:`gatsparse.infer` would not give what the model gives.

    Raises:
        TypeError: If there is a layer that is not of gatsparse.
        ValueError: If the model is in training mode, is changed by hooks, or mixes nodes apart
            from its layers of attention.
    """
    if "_orig_mod" in getattr(model, "_modules", {}):
        raise TypeError("model: expected the model itself, got one of torch.compile")
    if not (hasattr(model, "inference_per_layer") and hasattr(model, "convs")):
        raise TypeError(
            f"model: expected gatsparse.GAT, PaperGAT or PyG's, got {type(model).__name__}"
        )
    for base in (PaperGAT, BasicGNN):
        if isinstance(model, base) and (
            type(model).forward is not base.forward
            and type(model).inference_per_layer is base.inference_per_layer
        ):
            raise ValueError(
                f"model: expected {type(model).__name__} to override inference_per_layer as well, "
                "as it overrides forward"
            )
    if is_changed(model):
        raise ValueError("model: expected no hooks on it, and no forward of its own")
    if model.training:
        raise ValueError("model: expected evaluation mode, got training mode: call model.eval()")
    if getattr(model, "jk_mode", None) not in (None, "last"):
        raise ValueError(f"model: expected jk None or 'last', got {model.jk_mode!r}")
    for conv in model.convs:
        if not isinstance(conv, AttentionConv):
            raise TypeError(
                f"model: expected layers of gatsparse, got {type(conv).__name__}: "
                "see gatsparse.accelerate"
            )
        if conv.flow != "source_to_target":  # pyright: ignore[reportAttributeAccessIssue]
            raise ValueError(f"model: expected flow 'source_to_target', got {conv}")
    for norm in getattr(model, "norms", None) or []:
        by_node = (
            isinstance(norm, torch.nn.Identity)
            or (isinstance(norm, BatchNorm) and norm.module.running_mean is not None)
            or (isinstance(norm, LayerNorm) and norm.mode == "node")
        )
        if not by_node:
            raise ValueError(
                "model: expected norms that take each node by itself (BatchNorm with running "
                f"statistics, LayerNorm with mode='node'), got {norm}"
            )


def conv_channels(model: Any, layer: int) -> int:
    """The width of what a layer's attention gives."""
    conv = model.convs[layer]
    return conv.out_channels * (conv.heads if conv.concat else 1)


def output_channels(model: Any, layer: int) -> int:
    """The width of what is kept of a layer."""
    last = layer == model.num_layers - 1 and isinstance(
        getattr(model, "lin", None), torch.nn.Module
    )
    return model.lin.out_features if last else conv_channels(model, layer)


class _HandsOn(torch.nn.Module):
    """In place of a layer whose result is there already."""

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:  # noqa: ARG002
        return x


def after_layer(model: torch.nn.Module, layer: int) -> Any:
    """A view of a model whose layer hands on what it gets: what comes after it is left."""
    conv = model.convs[layer]  # pyright: ignore[reportIndexIssue]

    def without(module: Any) -> Any:
        if isinstance(module, torch.nn.ModuleList):
            return torch.nn.ModuleList(map(without, module))
        return _HandsOn() if module is conv else module

    view = copy.copy(model)
    view.__dict__["_modules"] = {key: without(module) for key, module in model._modules.items()}
    return view
