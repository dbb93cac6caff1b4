"""Arguments of a model's forward pass."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from inspect import Parameter

import torch
from torch_geometric.nn import HeteroConv, Sequential


def forward_parameters(model: torch.nn.Module) -> Mapping[str, Parameter]:
    """Returns the parameters of ``model.forward`` by name.

    Args:
        model (torch.nn.Module): The model. PyG's ``HeteroConv`` takes any arguments. Its
            ``Sequential`` does, too, where PyG cannot import the module that created it.
    """
    if isinstance(model, HeteroConv):
        names = ("x_dict", "edge_index_dict")
    elif isinstance(model, Sequential):
        names = tuple(model.signature.param_dict)
    else:
        return inspect.signature(model.forward).parameters
    return {name: Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names}
