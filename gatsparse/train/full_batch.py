"""Training on the whole graph: one step per epoch."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_choice, check_instance
from gatsparse.nn import dense_adjacency
from gatsparse.train.config import Kind
from gatsparse.train.edge_inputs import edge_inputs
from gatsparse.train.metrics import class_loss


class FullBatch:
    """Steps and logits of a model on the whole graph.

    Args:
        model (torch.nn.Module): ``forward(x, edge_index)``, or ``forward(x, adj)`` for dense
            models, returns logits ``[N, classes]``.
        data (torch_geometric.data.Data): Data of :func:`~gatsparse.train.task.checked_task`.
        optimizer (torch.optim.Optimizer): Optimizer of the model.
        kind (str): Kind of the model.

    Raises:
        ValueError: As in :func:`~gatsparse.train.edge_inputs.edge_inputs`.
    """

    def __init__(
        self, model: torch.nn.Module, data: Data, optimizer: torch.optim.Optimizer, kind: Kind
    ) -> None:
        assert data.x is not None
        assert isinstance(data.y, Tensor)
        self.model, self.optimizer, self.x = model, optimizer, data.x
        self.graph = model_graph(kind, data)
        self.inputs = edge_inputs(model, data)
        self.train = data.train_mask.nonzero().squeeze(1)
        self.y_train = data.y[self.train]

    def epoch(self) -> float:
        """Trains one epoch; returns its training loss."""
        self.model.train()
        self.optimizer.zero_grad()
        logits = self._forward()
        loss = class_loss(logits[self.train], self.y_train)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def logits(self) -> Tensor:
        """Logits of all nodes ``[N, classes]``, without dropout."""
        self.model.eval()
        return self._forward()

    def _forward(self) -> Tensor:
        logits = self.model(self.x, self.graph, **self.inputs)
        if not isinstance(logits, Tensor):
            raise TypeError(
                f"model: expected logits [N, classes] from forward, got {type(logits).__name__}"
            )
        if logits.dim() != 2 or len(logits) != len(self.x):
            raise ValueError(
                f"model: expected logits [{len(self.x)}, classes] from forward, "
                f"got {list(logits.shape)}"
            )
        return logits


def model_graph(kind: Kind, data: Data) -> Tensor:
    """Returns the graph in the format that a model of this kind takes.

    Args:
        kind (str): Kind of the model.
        data (torch_geometric.data.Data): With features :obj:`x` and :obj:`edge_index`.

    Returns:
        Tensor: For ``"dense"`` the adjacency matrix ``[N, N]`` with self-loops, else
        :obj:`edge_index` ``[2, E]``.

    Raises:
        TypeError: If :obj:`data` is of a wrong type.
        ValueError: If :obj:`kind` is unknown, or :obj:`edge_index` is missing.

    Example:
        >>> from gatsparse.data import load
        >>> from gatsparse.train import model_graph
        >>> data = load("digits")
        >>> model_graph("dense", data).shape
        torch.Size([1797, 1797])
        >>> model_graph("gatsparse", data) is data.edge_index
        True
    """
    check_choice("kind", kind, get_args(Kind))
    check_instance("data", data, Data, "torch_geometric.data.Data")
    edge_index = data.edge_index
    if edge_index is None:
        raise ValueError("data.edge_index: expected a tensor [2, E], got None")
    assert data.x is not None
    if kind == "dense":
        return dense_adjacency(edge_index, data.x.size(0), dtype=data.x.dtype)
    return edge_index
