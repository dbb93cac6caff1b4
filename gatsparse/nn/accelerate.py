"""Replacement of PyG's GAT layers in an existing model."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from typing import Any, TypeVar

import torch
import torch_geometric.nn
from torch.nn.utils.parametrize import is_parametrized
from torch_geometric.utils._trim_to_layer import TrimToLayer as PyGTrimToLayer

from gatsparse.nn.attention_conv import AttentionConv
from gatsparse.nn.gat_conv import GATConv
from gatsparse.nn.gatv2_conv import GATv2Conv
from gatsparse.nn.sampled_block import TrimToLayer
from gatsparse.ops import backend as backends
from gatsparse.ops.backend import Backend
from gatsparse.slow_path import SlowPathWarning

Model = TypeVar("Model", bound=torch.nn.Module)

_logger = logging.getLogger("gatsparse")

_OURS: dict[type[torch.nn.Module], type[torch.nn.Module]] = {
    torch_geometric.nn.GATConv: GATConv,
    torch_geometric.nn.GATv2Conv: GATv2Conv,
    PyGTrimToLayer: TrimToLayer,
}
_PYG_LAYERS = (torch_geometric.nn.GATConv, torch_geometric.nn.GATv2Conv)


def accelerate(model: Model, backend: Backend = "auto") -> Model:
    r"""Replaces every PyG GAT and GATv2 layer of a model with a gatsparse layer, in place.

    Parameters, buffers and hooks stay the same, and so do optimisers that hold the parameters; the
    model computes the same function. Parametrised layers (:mod:`torch.nn.utils.parametrize`) are
    replaced, too. ``TrimToLayer`` is replaced so that the graph of a sampled batch is built once.

    A warning names the layers that cannot be replaced and the reason: user-defined subclasses of
    PyG's layers, and scripted modules. The logger ``"gatsparse"`` reports the replaced layers at
    level ``INFO``; :func:`gatsparse.explain_backend` shows which backend runs.

    Args:
        model (torch.nn.Module): Any module; may be a layer itself.
        backend (str, optional): As in :class:`gatsparse.GATConv`.

    Returns:
        torch.nn.Module: :obj:`model` itself.

    Raises:
        TypeError: If :obj:`model` is not a module.
        ValueError: If :obj:`backend` is unknown.

    Example:
        >>> import gatsparse, torch_geometric
        >>> model = torch_geometric.nn.GAT(16, 8, num_layers=2, out_channels=4, heads=2)
        >>> gatsparse.accelerate(model).convs[0]
        GATConv(16, 4, heads=2, backend='auto')
    """
    backends.check(backend)
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    exchanged: Counter[str] = Counter()
    left_alone = []
    found = False
    for name, module in model.named_modules():
        if reason := why_left_alone(module):
            left_alone.append(f"{name or 'the model'} ({type(module).__name__}): {reason}")
        if (ours := _ours(module)) is not None:
            exchanged[type(module).__name__] += 1
            module.__class__ = ours
        if isinstance(module, AttentionConv):
            found = True
            if ours is not None or backend != "auto":
                module.backend = backend
    _logger.info("accelerate: exchanged %s", dict(exchanged) or "nothing")
    if left_alone:
        _warn("these layers keep PyG's forward pass: " + "; ".join(left_alone))
    elif not found:
        _warn("the model has no GATConv or GATv2Conv; nothing was exchanged")
    return model


def why_left_alone(module: torch.nn.Module) -> str | None:
    """Returns why :func:`accelerate` cannot replace a layer of PyG; None if it can, or if the
    module is not such a layer.
    """
    if isinstance(module, AttentionConv) or _ours(module) is not None:
        return None
    if isinstance(module, torch.jit.ScriptModule):
        scripted = getattr(module, "original_name", "") in ("GATConv", "GATv2Conv")
        return "it is scripted: accelerate the model before torch.jit.script" if scripted else None
    if isinstance(module, _PYG_LAYERS) and "forward" in vars(module):
        return "its forward was replaced on the instance: accelerate the model first"
    if isinstance(module, _PYG_LAYERS):
        base = "GATConv" if isinstance(module, _PYG_LAYERS[0]) else "GATv2Conv"
        return f"a subclass may compute something else: derive it from gatsparse.{base}"
    return None


def _ours(module: torch.nn.Module) -> type[Any] | None:
    """Class of gatsparse that replaces the class of a module, or None."""
    kind = type(module)
    if "forward" in vars(module):
        return None
    if kind in _OURS:
        return _OURS[kind]
    if is_parametrized(module) and kind.__bases__[0] in _OURS:
        # register_parametrization creates a subclass with properties for each module.
        members = {k: v for k, v in vars(kind).items() if k not in ("__dict__", "__weakref__")}
        return type(kind.__name__, (_OURS[kind.__bases__[0]],), members)
    return None


def _warn(message: str) -> None:
    warnings.warn(f"gatsparse.accelerate: {message}", SlowPathWarning, stacklevel=3)
