"""Configuration of a model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gatsparse.config_types import require, require_sizes, require_types

#: Layers of a model: gatsparse's, gatsparse's with the scatter backend, PyG's, or dense layers.
Kind = Literal["gatsparse", "scatter", "pyg", "dense"]
#: Attention of a model.
Variant = Literal["gat", "gatv2"]
#: Normalisation between the layers of a model.
Norm = Literal["layer", "batch", "none"]
#: Jumping knowledge of a model.
Jump = Literal["last", "cat", "max", "lstm"]


@dataclass(frozen=True)
class ModelConfig:
    """The GAT of the paper, or a deeper one.

    Args:
        kind: Layers of gatsparse, of gatsparse with the scatter backend, of PyG, or dense layers.
        hidden_channels: Size of each head of all layers but the last.
        heads: Concatenated heads of all layers but the last.
        out_heads: Averaged heads of the last layer.
        dropout: Dropout probability of the inputs of the layers and of their attention.
        negative_slope: Slope of the LeakyReLU for negative scores.
        paper_exact: Follow the authors' code in every detail, see gatsparse.nn.PaperExactGAT.
        num_layers: Number of layers.
        architecture: The model of the paper, or a deep one with residual connections, LayerNorm,
            GELU and the same number of heads in all layers, see gatsparse.train.build_deep_gat.
        variant: Attention of GAT or of GATv2.
        residual: Add a linear projection of its input to the output of each layer.
            (default: only in deep models)
        norm: Normalisation between the layers of a deep model: of each node (layer) or of each
            feature over the nodes (batch). (default: layer)
        jk: Jumping knowledge of a deep model: a linear layer on the output of the last layer, or
            on those of all layers, concatenated, by their maximum or by an LSTM.
        add_self_loops: Let each node attend to itself.

    Example:
        >>> from gatsparse.train import ModelConfig, TrainConfig
        >>> config = TrainConfig("digits", model=ModelConfig(num_layers=5, architecture="deep"))
        >>> config.model.heads
        8
    """

    kind: Kind = "gatsparse"
    hidden_channels: int = 8
    heads: int = 8
    out_heads: int = 1
    dropout: float = 0.6
    negative_slope: float = 0.2
    paper_exact: bool = False
    num_layers: int = 2
    architecture: Literal["paper", "deep"] = "paper"
    variant: Variant = "gat"
    residual: bool | None = None
    norm: Norm | None = None
    jk: Jump | None = None
    add_self_loops: bool = True

    def __post_init__(self) -> None:
        require_types(self, "model.")
        require_sizes(self, "model.", ("hidden_channels", "heads", "out_heads"))
        layers = self.num_layers
        require(1 <= layers <= 1000, "model.num_layers", "1 .. 1000", layers)
        require(0 <= self.dropout < 1, "model.dropout", "0 <= dropout < 1", self.dropout)
        slope = self.negative_slope
        require(0 <= slope < math.inf, "model.negative_slope", ">= 0", slope)
        require(
            not self.paper_exact or self.kind == "gatsparse",
            "model.paper_exact",
            f"false with model.kind: {self.kind}, as only gatsparse supports it",
            self.paper_exact,
        )
        if self.architecture == "deep":
            possible = self.kind != "dense" and not self.paper_exact
            require(possible, "model.architecture", "paper with dense or paper_exact", "deep")
            require(self.out_heads == 1, "model.out_heads", "1 in deep models", self.out_heads)
        if not self.takes_edge_features:
            what = "with dense or paper_exact"
            require(layers == 2, "model.num_layers", f"2 {what}", layers)
            require(self.variant == "gat", "model.variant", f"gat {what}", self.variant)
            require(not self.residual, "model.residual", f"false {what}", self.residual)
            require(self.add_self_loops, "model.add_self_loops", f"true {what}", False)
        if self.architecture == "paper":
            expected = "null with model.architecture: paper (deep supports it)"
            require(self.norm is None, "model.norm", expected, self.norm)
            require(self.jk is None, "model.jk", expected, self.jk)

    @property
    def takes_edge_features(self) -> bool:
        """Whether the layers can use edge features; not with dense or paper_exact."""
        return self.kind != "dense" and not self.paper_exact
