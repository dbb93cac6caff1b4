"""Arguments of a model's forward pass."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from inspect import Parameter

import torch
from torch_geometric.nn import Sequential


def forward_parameters(model: torch.nn.Module) -> Mapping[str, Parameter]:
    """Returns the parameters of ``model.forward`` by name.

    Args:
        model (torch.nn.Module): The model. PyG's ``Sequential`` names its own arguments: its
            ``forward`` has their names only if PyG can import the module that created it.
    """
    if isinstance(model, Sequential):
        names = model.signature.param_dict
        return {name: Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names}
    return inspect.signature(model.forward).parameters
