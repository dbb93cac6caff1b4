"""Calls of any model on a graph, for reports about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch_geometric.data import Data, HeteroData

from gatsparse.nn.forward_arguments import forward_parameters


def call_model(model: torch.nn.Module, data: Data | HeteroData) -> Any:
    """Returns the output of a model in evaluation mode, without gradients.

    Args:
        model (torch.nn.Module): The model.
        data (Data or HeteroData): Its input; see :func:`arguments_of`.

    Raises:
        TypeError: As in :func:`arguments_of`.
    """
    runs = unwrapped(model)
    with torch.no_grad(), evaluation(model):
        return runs(**arguments_of(runs, data, {}))


def arguments_of(
    model: torch.nn.Module, data: Data | HeteroData, kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Returns the arguments with which a model is called, see :func:`gatsparse.attention_weights`.

    Raises:
        TypeError: If an argument of the model is missing.
    """
    parameters = forward_parameters(model).values()
    parameters = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    required = [p.name for p in parameters if p.default is p.empty and p.name not in kwargs]
    if len(required) == 1:
        (name,) = required
        if name in ("data", "batch") or _attribute(data, name) is None:
            return {name: data, **kwargs}
    arguments = {}
    for parameter in parameters:
        value = _attribute(data, parameter.name)
        # PyG's models declare which edge features they support.
        if value is not None and getattr(model, f"supports_{parameter.name}", True):
            arguments[parameter.name] = value
    arguments |= kwargs
    missing = [name for name in required if name not in arguments]
    if missing:
        raise TypeError(
            f"data: expected attributes or keyword arguments {missing} for "
            f"{type(model).__name__}.forward, got {sorted(data.keys())}"
        )
    return arguments


def unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    """Returns the model inside wrappers that pass on any arguments."""
    parameters = forward_parameters(model).values()
    inner = getattr(model, "module", getattr(model, "_orig_mod", None))
    passes = any(p.kind == p.VAR_POSITIONAL for p in parameters) or hasattr(model, "_orig_mod")
    return unwrapped(inner) if passes and isinstance(inner, torch.nn.Module) else model


def _attribute(data: Data | HeteroData, name: str) -> Any:
    """Attribute for an argument of this name; for several types a dictionary."""
    for key in (name, "adj_t") if name.removesuffix("_dict") == "edge_index" else (name,):
        if isinstance(data, Data):
            value = data.get(key)
        else:
            value = data.collect(key.removesuffix("_dict"), allow_empty=True) or None
        if value is not None:
            return value
    return None


@contextmanager
def evaluation(model: torch.nn.Module) -> Iterator[None]:
    """Sets a model to evaluation mode, and restores the mode of each module."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
