"""GraphGym layers, which are registered when this module is imported.

``gnn.layer_type: gatsparse_gatconv`` or ``gatsparse_gatv2conv`` in a configuration selects them.
"""

from __future__ import annotations

from typing import Any

import torch

from gatsparse.extras import missing_extra

if error := missing_extra("gatsparse.graphgym", "graphgym", "yacs"):
    raise error

from torch_geometric.graphgym.config import cfg
from torch_geometric.graphgym.models.layer import LayerConfig
from torch_geometric.graphgym.register import register_layer

from gatsparse.nn import GATConv, GATv2Conv

__all__ = ["GATConvLayer", "GATv2ConvLayer"]


class _AttentionLayer(torch.nn.Module):
    """Base class: a layer with ``cfg.gnn.att_heads`` heads that takes GraphGym's batches."""

    conv: type[GATConv] | type[GATv2Conv]

    def __init__(self, layer_config: LayerConfig, **kwargs: Any) -> None:
        super().__init__()
        dim_out, heads = layer_config.dim_out, cfg.gnn.att_heads
        if heads < 1 or dim_out % heads != 0:
            raise ValueError(
                f"cfg.gnn.att_heads: expected a divisor of the layer's width {dim_out}, got {heads}"
            )
        self.model = self.conv(
            layer_config.dim_in, dim_out // heads, heads, bias=layer_config.has_bias, **kwargs
        )

    def forward(self, batch: Any) -> Any:
        r"""Replaces ``batch.x`` with the layer's output ``[N, dim_out]``."""
        batch.x = self.model(batch.x, batch.edge_index)
        return batch


class GATConvLayer(_AttentionLayer):
    r"""A GraphGym layer of :class:`gatsparse.GATConv`.

    Its ``cfg.gnn.att_heads`` heads of ``dim_out // att_heads`` channels are concatenated, so
    that the output is ``dim_out`` wide; PyG's own ``gatconv`` has one head.

    Args:
        layer_config (LayerConfig): The configuration of the layer: ``dim_in``, ``dim_out``,
            ``has_bias``.
        **kwargs (optional): As in :class:`gatsparse.GATConv`.

    Raises:
        ValueError: If ``cfg.gnn.att_heads`` does not divide ``dim_out``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.graphgym.config import cfg, set_cfg
        >>> from torch_geometric.graphgym.models.layer import LayerConfig
        >>> from gatsparse.graphgym import GATConvLayer
        >>> set_cfg(cfg)
        >>> cfg.gnn.att_heads = 4
        >>> layer = GATConvLayer(LayerConfig(dim_in=16, dim_out=32))
        >>> data = Data(x=torch.randn(3, 16), edge_index=torch.tensor([[0, 1], [1, 2]]))
        >>> layer(data).x.shape
        torch.Size([3, 32])
    """

    conv = GATConv


class GATv2ConvLayer(_AttentionLayer):
    r"""A GraphGym layer of :class:`gatsparse.GATv2Conv`; see :class:`GATConvLayer`.

    Args:
        layer_config (LayerConfig): The configuration of the layer: ``dim_in``, ``dim_out``,
            ``has_bias``.
        **kwargs (optional): As in :class:`gatsparse.GATv2Conv`.

    Raises:
        ValueError: If ``cfg.gnn.att_heads`` does not divide ``dim_out``.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> from torch_geometric.graphgym.config import cfg, set_cfg
        >>> from torch_geometric.graphgym.models.layer import LayerConfig
        >>> from gatsparse.graphgym import GATv2ConvLayer
        >>> set_cfg(cfg)
        >>> cfg.gnn.att_heads = 4
        >>> layer = GATv2ConvLayer(LayerConfig(dim_in=16, dim_out=32))
        >>> data = Data(x=torch.randn(3, 16), edge_index=torch.tensor([[0, 1], [1, 2]]))
        >>> layer(data).x.shape
        torch.Size([3, 32])
    """

    conv = GATv2Conv


register_layer("gatsparse_gatconv", GATConvLayer)
register_layer("gatsparse_gatv2conv", GATv2ConvLayer)
