"""Requirements of exact inference on a model, and the steps of one of its layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.nn.models.basic_gnn import BasicGNN
from torch_geometric.nn.norm import BatchNorm, LayerNorm

from gatsparse.graph import CSRGraph
from gatsparse.nn import PaperGAT
from gatsparse.nn.attention_conv import AttentionConv
from gatsparse.nn.overrides import is_changed


def check_model(model: Any) -> None:
    """Raises if :func:`gatsparse.infer` would not return what the model returns.

    Raises:
        TypeError: If a layer is not from gatsparse.
        ValueError: If the model or a part of it is in training mode, has no parameters yet, is on
            several devices, is changed by hooks, or mixes nodes outside of its attention layers.
    """
    if "_orig_mod" in getattr(model, "_modules", {}):
        raise TypeError("model: expected the original model, got the result of torch.compile")
    if not (hasattr(model, "inference_per_layer") and hasattr(model, "convs")):
        raise TypeError(
            "model: expected gatsparse.GAT, gatsparse.nn.PaperGAT or a model of PyG, "
            f"got {type(model).__name__}"
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
    if is_changed(model) or "inference_per_layer" in vars(model):
        raise ValueError(
            "model: expected no hooks and no instance-level forward or inference_per_layer, "
            "got one of them"
        )
    if model.training:
        raise ValueError("model: expected evaluation mode, got training mode: call model.eval()")
    if training := [name for name, module in model.named_modules() if module.training]:
        raise ValueError(
            f"model: expected evaluation mode, got {training} in training mode: call model.eval()"
        )
    if any(map(torch.nn.parameter.is_lazy, model.parameters())):
        raise ValueError(
            "model: expected sizes of all parameters, got in_channels=-1 before the first call: "
            "call the model once"
        )
    devices = {str(tensor.device) for tensor in (*model.parameters(), *model.buffers())}
    if len(devices) > 1 or any(parameter.is_meta for parameter in model.parameters()):
        raise ValueError(
            "model: expected all parameters and buffers on the CPU or on one GPU, got them on "
            f"{' and '.join(sorted(devices))}"
        )
    if getattr(model, "jk_mode", None) not in (None, "last") or hasattr(model, "jk"):
        raise ValueError(f"model: expected jk None or 'last', got {model.jk_mode!r}")
    lin = getattr(model, "lin", None)
    if isinstance(lin, torch.nn.Module) and not hasattr(lin, "out_features"):
        raise ValueError(f"model: lin: expected a torch.nn.Linear, got {type(lin).__name__}")
    for conv in model.convs:
        if not isinstance(conv, AttentionConv):
            raise TypeError(
                f"model: expected layers of gatsparse, got {type(conv).__name__}: "
                "call gatsparse.accelerate(model)"
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
                "model: expected norms that do not mix nodes (BatchNorm with running "
                f"statistics, LayerNorm with mode='node'), got {norm}"
            )


def conv_channels(model: Any, layer: int) -> int:
    """Number of output channels of a layer's attention."""
    conv = model.convs[layer]
    return conv.out_channels * (conv.heads if conv.concat else 1)


def output_channels(model: Any, layer: int) -> int:
    """Number of channels that a layer passes on, after the final linear layer if any."""
    last = layer == model.num_layers - 1 and isinstance(
        getattr(model, "lin", None), torch.nn.Module
    )
    return model.lin.out_features if last else conv_channels(model, layer)


def model_dtype(model: Any) -> torch.dtype:
    """The dtype in which a model computes: that of its first layer."""
    return next(model.convs[0].parameters()).dtype


def model_device(model: Any) -> torch.device:
    """The device of a model: that of its first layer."""
    return next(model.convs[0].parameters()).device


def is_plain(model: Any) -> bool:
    """Whether the model's ``inference_per_layer`` is that of PyG or gatsparse."""
    known = (PaperGAT.inference_per_layer, BasicGNN.inference_per_layer)
    return type(model).inference_per_layer in known


class Step(NamedTuple):
    """A function that a model applies to the features of nodes.

    Attributes:
        name (str): Its name, for messages.
        function (callable): ``function(x, *args)``.
        args (tuple): The other arguments.
    """

    name: str
    function: Callable[..., Tensor]
    args: tuple[Any, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        """Applies the function to features."""
        return self.function(x, *self.args)


def steps_before(model: Any, layer: int) -> list[Step]:
    """Functions that a model's ``forward`` applies to the input of a layer."""
    if layer > 0 or not isinstance(model, PaperGAT):
        return []
    return [Step("dropout_fn", model.dropout_fn, (model.dropout, model.training))]


def steps_after(model: Any, layer: int) -> list[Step]:
    """Functions that a model's ``forward`` applies to the output of a layer."""
    last = layer == model.num_layers - 1
    if isinstance(model, PaperGAT):
        step = Step("elu_dropout_fn", model.elu_dropout_fn, (model.dropout, model.training))
        return [] if last else [step]
    if not isinstance(model, BasicGNN):
        return []
    steps: list[Step] = []
    if not last or model.jk_mode is not None:
        batch = (None, None) if model.supports_norm_batch else ()
        steps.append(Step(f"norms.{layer}", model.norms[layer], batch))
        if model.act is not None:
            steps.insert(0 if model.act_first else 1, Step("act", model.act))
        steps.append(Step("dropout", model.dropout))
    if last and hasattr(model, "lin"):
        steps.append(Step("lin", model.lin))
    return steps


def apply_steps(steps: list[Step], x: Tensor) -> Tensor:
    """Applies functions one after another."""
    for step in steps:
        x = step(x)
    return x


def run_layer(
    model: Any, layer: int, x: Tensor, graph: CSRGraph, edge_attr: Tensor | None = None
) -> Tensor:
    """Computes a layer and the functions that the model applies before and after it.

    Args:
        x (Tensor): Features of the sources; the first ones are the destinations.
        edge_attr (Tensor, optional): Edge features in the order of the graph's edges.
    """
    num_dst = graph.num_dst
    if not is_plain(model):
        view = model if edge_attr is None else with_edge_features(model, layer, edge_attr)
        return view.inference_per_layer(layer, (x, x[:num_dst]), graph, num_dst)
    x = apply_steps(steps_before(model, layer), x)
    options = {} if edge_attr is None else {"edge_attr": edge_attr}
    out = model.convs[layer]((x, x[:num_dst]), graph, **options)
    return apply_steps(steps_after(model, layer), out)


class _WithEdgeFeatures(torch.nn.Module):
    """Replaces a layer that takes edge features in addition to the graph."""

    def __init__(self, conv: torch.nn.Module, edge_attr: Tensor) -> None:
        super().__init__()
        self.conv, self.edge_attr = conv, edge_attr

    def forward(self, x: Any, edge_index: Any) -> Tensor:
        return self.conv(x, edge_index, edge_attr=self.edge_attr)


def with_edge_features(model: Any, layer: int, edge_attr: Tensor) -> Any:
    """Returns a view of a model that passes edge features to a layer."""
    return _replaced(model, layer, _WithEdgeFeatures(model.convs[layer], edge_attr))


def _replaced(model: Any, layer: int, other: torch.nn.Module) -> Any:
    conv = model.convs[layer]

    def replaced(module: Any) -> Any:
        if isinstance(module, torch.nn.ModuleList):
            return torch.nn.ModuleList(map(replaced, module))
        return other if module is conv else module

    view = copy.copy(model)
    view.__dict__["_modules"] = {key: replaced(module) for key, module in model._modules.items()}
    return view
