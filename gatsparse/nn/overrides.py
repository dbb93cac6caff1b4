"""Detection of hooks, overrides and other changes under which PyG's own forward pass must run."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.modules.module import _has_any_global_hook
from torch_geometric.nn import MessagePassing, SumAggregation

from gatsparse.nn.function_mode import is_own_hook

_HOOKS = (
    "_propagate_forward_pre_hooks",
    "_propagate_forward_hooks",
    "_message_forward_pre_hooks",
    "_message_forward_hooks",
    "_aggregate_forward_pre_hooks",
    "_aggregate_forward_hooks",
    "_edge_update_forward_pre_hooks",
    "_edge_update_forward_hooks",
    "_message_and_aggregate_forward_pre_hooks",
    "_message_and_aggregate_forward_hooks",
)
_STEPS = ("message", "aggregate", "message_and_aggregate", "update", "edge_update")

#: Methods that PyG generates for each class.
GENERATED = ("propagate", "edge_updater")
_ALL_STEPS = (*_STEPS, *GENERATED)


def reasons_for_pyg(layer: Any) -> list[str]:
    """Returns why PyG's own forward pass must compute a gatsparse layer; empty if it need not.

    The operators compute no messages, so anything that observes or changes messages needs PyG's.
    """
    reasons = []
    attributes = vars(layer)
    if layer.explain:
        reasons.append("explain: an explainer masks messages")
    for hooks in _HOOKS:
        if attributes[hooks]:
            reasons.append("message-passing hooks are registered: remove them to use the kernels")
            break
    overridden = _overridden(type(layer))
    for name in _ALL_STEPS:
        if name in attributes and _is_replaced(layer, name):
            overridden = [*overridden, name]
    if overridden:
        names = ", ".join(dict.fromkeys(overridden))
        reasons.append(f"{type(layer).__name__} overrides {names}")
    aggregation = layer.aggr_module
    if type(aggregation) is not SumAggregation:
        reasons.append(f"aggr={layer.aggr!r} ({aggregation}) instead of 'add'")
    elif is_changed(aggregation):
        reasons.append("aggr_module has hooks or an instance-level forward")
    return reasons


def is_changed(module: torch.nn.Module) -> bool:
    """Whether hooks or an instance-level ``forward`` alter a module."""
    return _is_hooked(module) or "forward" in vars(module) or bool(_has_any_global_hook())


def overrides(cls: Any, name: str) -> bool:
    """Whether a user's subclass of a gatsparse layer overrides a step of message passing."""
    method = getattr(cls, name)
    inherited = getattr(cls._pyg, name), getattr(MessagePassing, name)
    return method not in inherited and not (name in GENERATED and is_generated(method))


def _is_hooked(module: torch.nn.Module) -> bool:
    forward = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    backward = module._backward_hooks or module._backward_pre_hooks
    return bool(backward) or not all(map(is_own_hook, forward))


def is_generated(method: Any) -> bool:
    """Whether PyG generated a method, in a separate module that defines ``CollectArgs``."""
    return "CollectArgs" in getattr(method, "__globals__", {})


def _overridden(cls: Any) -> list[str]:
    """The steps that a class overrides; cached on the class while its methods are the same."""
    steps = tuple([getattr(cls, name) for name in _ALL_STEPS])
    known = vars(cls).get("_known_steps")
    if known is not None and known[0] == steps:
        return known[1]
    overridden = [name for name in _ALL_STEPS if overrides(cls, name)]
    if not torch.compiler.is_compiling():
        cls._known_steps = steps, overridden
    return overridden


def _is_replaced(layer: Any, name: str) -> bool:
    """Whether a step that was set on the layer itself is not PyG's."""
    known = [getattr(type(layer), f"_{kind}_{name}", None) for kind in ("orig", "jinja")]
    function = getattr(vars(layer)[name], "__func__", None)
    return function is None or function not in known
