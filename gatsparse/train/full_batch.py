"""An epoch of the whole graph: one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse.nn import dense_adjacency

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from gatsparse.nn.paper_gat import Kind


class FullBatch:
    """Steps and logits of a model on the whole graph.

    Args:
        model (torch.nn.Module): ``forward(x, structure)`` gives logits ``[N, classes]``.
        data (torch_geometric.data.Data): :obj:`x`, :obj:`y`, :obj:`edge_index`, :obj:`train_mask`.
        optimizer (torch.optim.Optimizer): Of the model.
        kind (str): Of the model.
    """

    def __init__(
        self, model: torch.nn.Module, data: Data, optimizer: torch.optim.Optimizer, kind: Kind
    ) -> None:
        assert data.x is not None
        assert isinstance(data.y, Tensor)
        self.model, self.optimizer, self.x = model, optimizer, data.x
        self.structure = model_structure(kind, data)
        self.train = data.train_mask.nonzero().squeeze(1)
        self.y_train = data.y[self.train]

    def epoch(self) -> float:
        """One epoch; returns its training loss."""
        self.model.train()
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(self.x, self.structure)[self.train], self.y_train)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def logits(self) -> Tensor:
        """Of all nodes, without dropout: ``[N, classes]``."""
        self.model.eval()
        return self.model(self.x, self.structure)


def model_structure(kind: Kind, data: Data) -> Tensor:
    """What a model of this kind takes beside the features.

    Returns:
        Tensor: For ``"dense"`` the adjacency matrix ``[N, N]`` with self-loops, else
        :obj:`edge_index` ``[2, E]``.
    """
    edge_index = data.edge_index
    assert data.x is not None
    assert edge_index is not None
    if kind == "dense":
        return dense_adjacency(edge_index, data.x.size(0), dtype=data.x.dtype)
    return edge_index
