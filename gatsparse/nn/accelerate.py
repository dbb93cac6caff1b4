"""Replacement of PyG's GAT layers in an existing model."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from typing import Any, TypeVar

import torch
import torch_geometric.nn
from torch.nn.utils.parametrize import is_parametrized
from torch_geometric.nn import MessagePassing
from torch_geometric.utils._trim_to_layer import TrimToLayer as PyGTrimToLayer

from gatsparse.checks import check_instance
from gatsparse.nn.attention_conv import AttentionConv
from gatsparse.nn.function_mode import add_hooks, remove_hooks
from gatsparse.nn.gat_conv import GATConv
from gatsparse.nn.gatv2_conv import GATv2Conv
from gatsparse.nn.overrides import GENERATED, is_generated
from gatsparse.nn.sampled_block import TrimToLayer
from gatsparse.ops import backend as backends
from gatsparse.ops.backend import Backend
from gatsparse.slow_path import SlowPathWarning

Model = TypeVar("Model", bound=torch.nn.Module)

#: Attributes of a class that belong to its base: Python's, and what PyG generates and we cache.
_OF_ITS_BASE = {
    *("__dict__", "__weakref__", "_known_steps", "collect", "edge_collect"),
    *(f"{kind}{name}" for kind in ("", "_orig_", "_jinja_") for name in GENERATED),
}

_logger = logging.getLogger("gatsparse")

_OURS: dict[type[torch.nn.Module], type[torch.nn.Module]] = {
    torch_geometric.nn.GATConv: GATConv,
    torch_geometric.nn.GATv2Conv: GATv2Conv,
    PyGTrimToLayer: TrimToLayer,
}
_PYG = {ours: theirs for theirs, ours in _OURS.items()}
_PYG_LAYERS = (torch_geometric.nn.GATConv, torch_geometric.nn.GATv2Conv)


def accelerate(model: Model, backend: Backend = "auto", functions: bool = True) -> Model:
    r"""Replaces every PyG GAT and GATv2 layer of a model with a gatsparse layer, in place, and
    functions of torch in the forward pass.

    Parameters, buffers and hooks stay the same, and so do optimisers that hold the parameters; the
    model computes the same function. Parametrised layers (:mod:`torch.nn.utils.parametrize`) are
    replaced, too. ``TrimToLayer`` is replaced so that the graph of a sampled batch is built once.

    In the forward pass of every module that contains a replaced layer,

    * dropout (:func:`torch.nn.functional.dropout`, :class:`torch.nn.Dropout`) is that of
      :func:`gatsparse.nn.dropout`: the same distribution, other random numbers;
    * ELU is computed by the kernels;
    * constant features on the CPU of which at most a tenth is nonzero, such as bags of words, are
      multiplied as a sparse matrix from their second use on, also after dropout. An infinite weight
      of a feature that is zero is ignored.

    Everything else takes unchanged dense tensors. Dropout stays that of torch if it is in place, or
    under activation checkpointing. ``torch.compile`` compiles functions itself, so they are not
    replaced there.

    A warning names the layers that cannot be replaced and the reason: user-defined subclasses of
    PyG's layers, and scripted modules. The logger ``"gatsparse"`` reports the replaced layers at
    level ``INFO``; :func:`gatsparse.explain_backend` shows which backend runs, and
    :func:`gatsparse.decelerate` restores PyG's layers.

    Args:
        model (torch.nn.Module): Any module; may be a layer itself.
        backend (str, optional): As in :class:`gatsparse.GATConv`.
        functions (bool, optional): Whether functions are replaced in addition to layers.

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
    check_instance("model", model, torch.nn.Module, "a torch.nn.Module")
    exchanged: Counter[str] = Counter()
    left_alone = []
    found = False
    for name, module in model.named_modules():
        if reason := why_left_alone(module):
            left_alone.append(f"{name or 'the model'} ({type(module).__name__}): {reason}")
        if (ours := _ours(module)) is not None:
            exchanged[type(module).__name__] += 1
            module.__class__ = ours
            vars(module)["_accelerated"] = True
            if isinstance(module, MessagePassing) and not is_generated(ours.propagate):
                module._set_jittable_templates()  # as its constructor would
        if isinstance(module, AttentionConv):
            found = True
            if ours is not None or backend != "auto":
                module.backend = backend
    for module in model.modules():
        remove_hooks(module)
        if functions and _calls_a_layer(module):
            add_hooks(module)
        if isinstance(module, AttentionConv):
            module.finds_sparse_features = functions
    _logger.info("accelerate: exchanged %s", dict(exchanged) or "nothing")
    if left_alone:
        _warn("these layers keep PyG's forward pass: " + "; ".join(left_alone))
    elif not found:
        _warn("the model has no GATConv or GATv2Conv; nothing was exchanged")
    return model


def decelerate(model: Model) -> Model:
    """Undoes :func:`accelerate`, in place: PyG's layers and torch's functions run again.

    Layers that were created as gatsparse's are kept.

    Args:
        model (torch.nn.Module): The model.

    Returns:
        torch.nn.Module: :obj:`model` itself.

    Raises:
        TypeError: If :obj:`model` is not a module.

    Example:
        >>> import gatsparse, torch_geometric
        >>> model = gatsparse.accelerate(torch_geometric.nn.GATConv(16, 4))
        >>> gatsparse.decelerate(model)
        GATConv(16, 4, heads=1)
    """
    check_instance("model", model, torch.nn.Module, "a torch.nn.Module")
    for module in model.modules():
        remove_hooks(module)
        for name in ("finds_sparse_features", "_known_call"):
            vars(module).pop(name, None)
        if vars(module).pop("_accelerated", False):
            vars(module).pop("backend", None)
            module.__class__ = _exchanged(type(module), _PYG)
    return model


def _calls_a_layer(module: torch.nn.Module) -> bool:
    """Whether the forward pass of a module calls a layer of gatsparse."""
    if isinstance(module, AttentionConv):
        return False
    return any(isinstance(child, AttentionConv) for child in module.modules())


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
    if kind in _OURS or (is_parametrized(module) and kind.__bases__[0] in _OURS):
        return _exchanged(kind, _OURS)
    return None


def _exchanged(kind: type[Any], classes: dict[type[Any], type[Any]]) -> type[Any]:
    """The class in :obj:`classes` that replaces a class, parametrised if it is."""
    if kind in classes:
        return classes[kind]
    # register_parametrization creates a subclass with properties for each module.
    members = {k: v for k, v in vars(kind).items() if k not in _OF_ITS_BASE}
    return type(kind.__name__, (classes[kind.__bases__[0]],), members)


def _warn(message: str) -> None:
    warnings.warn(f"gatsparse.accelerate: {message}", SlowPathWarning, stacklevel=3)
