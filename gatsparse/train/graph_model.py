"""A model of graphs: a model of nodes, pooling, and a linear layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from gatsparse.checks import check_choice, check_instance, check_integer
from gatsparse.config_types import ConfigError
from gatsparse.train.graph_config import GraphConfig, Pooling
from gatsparse.train.models import ModelSizes, build_model_of_sizes

if TYPE_CHECKING:
    from gatsparse.train.config import TrainConfig
    from gatsparse.train.model_config import ModelConfig

_POOLS = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}


class GraphClassifier(torch.nn.Module):
    """Logits of graphs: embeddings of their nodes, pooling, and a linear layer.

    Args:
        encoder (torch.nn.Module): ``forward(x, edge_index)`` returns embeddings of nodes
            ``[N, channels]``; edge features are passed as :obj:`edge_attr`.
        channels (int): Size of the embeddings.
        out_channels (int): Number of classes.
        pooling (str, optional): ``"mean"``, ``"sum"`` or ``"max"`` over the nodes of a graph.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a size is out of range, or :obj:`pooling` is unknown.

    Example:
        >>> import gatsparse, torch
        >>> from gatsparse.train import GraphClassifier
        >>> encoder = gatsparse.GAT(3, 16, num_layers=2, out_channels=8, heads=2)
        >>> model = GraphClassifier(encoder, channels=8, out_channels=5)
        >>> edge_index, batch = torch.tensor([[0, 2], [1, 3]]), torch.tensor([0, 0, 1, 1])
        >>> model(torch.randn(4, 3), edge_index, batch).shape  # two graphs
        torch.Size([2, 5])
    """

    def __init__(
        self,
        encoder: torch.nn.Module,
        channels: int,
        out_channels: int,
        pooling: Pooling = "mean",
    ) -> None:
        check_instance("encoder", encoder, torch.nn.Module, "a torch.nn.Module")
        check_integer("channels", channels)
        check_integer("out_channels", out_channels)
        check_choice("pooling", pooling, get_args(Pooling))
        super().__init__()
        self.encoder, self.pooling = encoder, pooling
        self.lin = torch.nn.Linear(channels, out_channels)

    def forward(
        self, x: Tensor, edge_index: Tensor, batch: Tensor, edge_attr: Tensor | None = None
    ) -> Tensor:
        """Returns logits ``[G, out_channels]``.

        Args:
            x (Tensor): Features of the nodes ``[N, F]``.
            edge_index (Tensor): Edges ``[2, E]`` within the graphs.
            batch (Tensor): Number of the graph of each node, int64 ``[N]``.
            edge_attr (Tensor, optional): Edge features ``[E, D]``.
        """
        inputs = {} if edge_attr is None else {"edge_attr": edge_attr}
        embeddings = self.encoder(x, edge_index, **inputs)
        return self.lin(_POOLS[self.pooling](embeddings, batch))


def build_graph_classifier(
    model: ModelConfig, graph: GraphConfig, sizes: ModelSizes, dtype: torch.dtype = torch.float32
) -> GraphClassifier:
    """Returns the model of graphs of a configuration.

    Initial weights are drawn from torch's generator: seed it before.

    Args:
        model (ModelConfig): The model of nodes.
        graph (GraphConfig): Size of the embeddings, and their pooling.
        sizes (ModelSizes): Result of ``model_sizes(data, "graph_classification")``.
        dtype (torch.dtype, optional): Dtype of the parameters.

    Raises:
        TypeError, ValueError: As in :func:`build_model_of_sizes`.
        ConfigError: If the model is dense, or does not support edge features.

    Example:
        >>> from gatsparse.train import GraphConfig, ModelConfig, ModelSizes
        >>> from gatsparse.train import build_graph_classifier
        >>> sizes = ModelSizes(in_channels=3, out_channels=5, edge_dim=2)
        >>> build_graph_classifier(ModelConfig(), GraphConfig(channels=32), sizes).lin
        Linear(in_features=32, out_features=5, bias=True)
    """
    check_instance("graph", graph, GraphConfig, "a GraphConfig")
    check_instance("sizes", sizes, ModelSizes, "ModelSizes")
    encoder = build_model_of_sizes(model, sizes._replace(out_channels=graph.channels), dtype)
    if model.kind == "dense":
        raise ConfigError("model.kind: expected gatsparse, scatter or pyg for graphs, got dense")
    classifier = GraphClassifier(encoder, graph.channels, sizes.out_channels, graph.pooling)
    return classifier.to(dtype)


def model_of_run(config: TrainConfig, sizes: ModelSizes, dtype: torch.dtype) -> torch.nn.Module:
    """Returns the model of a training, of nodes or of graphs.

    Args:
        config (TrainConfig): The configuration.
        sizes (ModelSizes): Sizes of :func:`~gatsparse.train.models.sizes_of_run`.
        dtype (torch.dtype): Dtype of the parameters.
    """
    if config.task == "graph_classification":
        return build_graph_classifier(config.model, config.graph, sizes, dtype)
    return build_model_of_sizes(config.model, sizes, dtype)
