"""The compared two-layer models, which differ in how they weigh neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch_geometric.nn
from torch import Tensor
from torch_geometric.data import Data

import gatsparse
from gatsparse.nn import PaperGAT
from gatsparse.train import ModelConfig
from gatsparse.train.model_config import Kind


class MeanConv(gatsparse.GATConv):
    r"""A :class:`gatsparse.GATConv` with the attention switched off: equal weights.

    Its :obj:`att_src` and :obj:`att_dst` are 0 and are not trained, so all scores of a
    destination are equal, and their softmax is one over its degree. Projections, initial
    weights, dropout of the attention, self-loops and bias are those of the GAT.

    Args:
        *args, **kwargs: Arguments of :class:`gatsparse.GATConv`.
    """

    def reset_parameters(self) -> None:
        """Initialises as the GAT does, drawing the same numbers, then switches off."""
        super().reset_parameters()
        for att in (self.att_src, self.att_dst):
            att.requires_grad_(False).zero_()


def gcn_conv(
    in_channels: int, out_channels: int, heads: int = 1, concat: bool = True, **_attention: Any
) -> torch_geometric.nn.GCNConv:
    """Returns PyG's GCN layer as wide as a GAT layer; options of the attention are ignored."""
    width = heads * out_channels if concat else out_channels
    return torch_geometric.nn.GCNConv(in_channels, width, cached=True)


@dataclass(frozen=True)
class Model:
    """A way to weigh neighbours.

    Args:
        conv (callable): Layer class, as :class:`gatsparse.nn.PaperGAT` takes it.
        kind (str): Kind of model for which :mod:`gatsparse.train` prepares the data.
    """

    conv: Callable[..., torch.nn.Module]
    kind: Kind = "gatsparse"

    def build(self, data: Data, config: ModelConfig) -> PaperGAT:
        """Returns the model for a data set, ``forward(x, edge_index) -> logits [N, classes]``."""
        assert data.x is not None
        assert isinstance(data.y, Tensor)
        return PaperGAT(
            data.x.size(1),
            config.hidden_channels,
            int(data.y.max()) + 1,
            heads=config.heads,
            out_heads=config.out_heads,
            dropout=config.dropout,
            negative_slope=config.negative_slope,
            conv=self.conv,
        )


#: Models by name.
MODELS = {
    "GAT": Model(gatsparse.GATConv),
    "GATv2": Model(gatsparse.GATv2Conv),
    "mean": Model(MeanConv),
    "GCN": Model(gcn_conv, kind="pyg"),
}

#: Models whose attention is trained.
ATTENTIVE = ("GAT", "GATv2")
