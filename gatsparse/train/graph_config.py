"""Options of the classification of graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gatsparse.config_types import require, require_sizes, require_types

#: How the embeddings of the nodes of a graph become one.
Pooling = Literal["mean", "sum", "max"]


@dataclass(frozen=True)
class GraphConfig:
    """Options of task graph_classification.

    Args:
        channels: Size of the embedding of each node.
        pooling: Embedding of a graph, of which a linear layer computes the logits: the mean, sum or
            maximum of the embeddings of its nodes.
        draw: Draw a split that is not given with the same shares of every class, or at random.
        train_share: Share of training graphs of the labelled graphs, if drawn.
        val_share: Share of validation graphs, if drawn; all others are test graphs.

    Example:
        >>> from gatsparse.train import GraphConfig, TrainConfig
        >>> graph = GraphConfig(channels=32, pooling="max")
        >>> TrainConfig("my_module:graphs", task="graph_classification", graph=graph).chosen_metric
        'accuracy'
    """

    channels: int = 64
    pooling: Pooling = "mean"
    draw: Literal["stratified", "random"] = "stratified"
    train_share: float = 0.8
    val_share: float = 0.1

    def __post_init__(self) -> None:
        require_types(self, "graph.")
        require_sizes(self, "graph.", ("channels",))
        shares = self.train_share, self.val_share
        require(
            min(shares) > 0 and sum(shares) < 1,
            "graph.train_share",
            "positive shares with train_share + val_share < 1",
            shares,
        )
