"""Options of the synthetic data set."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gatsparse.config_types import require, require_sizes, require_types


@dataclass(frozen=True)
class SyntheticConfig:
    """The data set "sbm", see gatsparse.data.stochastic_block_model.

    Args:
        num_nodes: Number of nodes.
        num_edges: Number of directed edges.
        num_classes: Number of classes.
        num_features: Features of each node.
        homophily: Probability that an edge stays in a class.
        signal: Strength of the classes in the features, relative to the noise.
        seed: Seed of the graph, the features and the split.

    Example:
        >>> from gatsparse.train import SyntheticConfig, TrainConfig, load_task
        >>> synthetic = SyntheticConfig(num_nodes=200, num_edges=1000)
        >>> load_task(TrainConfig("sbm", synthetic=synthetic)).num_nodes
        200
    """

    num_nodes: int = 10_000
    num_edges: int = 100_000
    num_classes: int = 10
    num_features: int = 32
    homophily: float = 0.8
    signal: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_types(self, "synthetic.")
        require_sizes(self, "synthetic.", ("num_nodes", "num_classes", "num_features"))
        require(0 <= self.num_edges < 2**48, "synthetic.num_edges", "0 .. 2**48", self.num_edges)
        require(
            self.num_classes <= self.num_nodes,
            "synthetic.num_classes",
            f"<= {self.num_nodes}, the number of nodes",
            self.num_classes,
        )
        require(0 <= self.homophily <= 1, "synthetic.homophily", "0 .. 1", self.homophily)
        require(math.isfinite(self.signal), "synthetic.signal", "a finite number", self.signal)
        require(0 <= self.seed < 2**63, "synthetic.seed", "0 .. 2**63 - 1", self.seed)
