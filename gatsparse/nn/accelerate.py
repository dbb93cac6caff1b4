"""Exchanging PyG's layers for ours in a model that exists."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch_geometric.nn
from torch_geometric.utils._trim_to_layer import TrimToLayer as PyGTrimToLayer

from gatsparse.nn.attention_conv import AttentionConv
from gatsparse.nn.gat_conv import GATConv
from gatsparse.nn.gatv2_conv import GATv2Conv
from gatsparse.nn.sampled_block import TrimToLayer
from gatsparse.ops import backend as backends
from gatsparse.ops.backend import Backend

Model = TypeVar("Model", bound=torch.nn.Module)

_OURS: dict[type[torch.nn.Module], type[torch.nn.Module]] = {
    torch_geometric.nn.GATConv: GATConv,
    torch_geometric.nn.GATv2Conv: GATv2Conv,
    PyGTrimToLayer: TrimToLayer,
}


def accelerate(model: Model, backend: Backend = "auto") -> Model:
    r"""Makes every PyG GAT and GATv2 layer of a model one of ours, in place.

    Parameters, buffers, hooks and optimisers that hold them stay as they are; the model
    computes the same function. Subclasses of PyG's layers that users wrote are left alone. So
    that trimming to layers builds the structure of a batch once, ``TrimToLayer`` becomes ours.

    Args:
        model (torch.nn.Module): Any module; may be a layer itself.
        backend (str, optional): As in :class:`gatsparse.GATConv`.

    Returns:
        torch.nn.Module: :obj:`model` itself.

    Raises:
        ValueError: If there is no such backend.
    """
    backends.check(backend)
    for module in model.modules():
        if type(module) in _OURS:
            module.__class__ = _OURS[type(module)]
            if isinstance(module, AttentionConv):
                module.backend = backend
    return model
