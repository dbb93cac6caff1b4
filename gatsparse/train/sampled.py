"""An epoch of mini-batches: a step for every batch of sampled neighbourhoods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.data import NeighborLoader
from gatsparse.inference import check_budget, infer
from gatsparse.train.config import ConfigError

if TYPE_CHECKING:
    from gatsparse.train.config import SamplingConfig


class Sampled:
    """Steps of a model on sampled batches, and its exact logits.

    Args:
        model (torch.nn.Module): A :class:`gatsparse.nn.PaperGAT` or a :class:`gatsparse.GAT`.
        data (torch_geometric.data.Data): :obj:`x`, :obj:`y`, :obj:`edge_index`, :obj:`train_mask`.
        optimizer (torch.optim.Optimizer): Of the model.
        config (SamplingConfig): Sizes of the batches.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data: Data,
        optimizer: torch.optim.Optimizer,
        config: SamplingConfig,
    ) -> None:
        assert isinstance(data.x, Tensor)
        x = data.x if data.x.layout == torch.strided else data.x.to_dense()
        try:  # before hours of work
            check_budget(model, x.shape, x.dtype, config.max_memory, on_disk=False)
        except ValueError as error:
            raise ConfigError(f"sampling.{error}") from error
        self.model, self.optimizer, self.config = model, optimizer, config
        self.data = Data(x=x, y=data.y, edge_index=data.edge_index)
        self.loader = NeighborLoader(
            self.data,
            config.num_neighbors,
            data.train_mask,
            batch_size=config.batch_size,
            shuffle=True,
        )

    def epoch(self) -> float:
        """One epoch; returns the mean of its training losses."""
        self.model.train()
        total, count = 0.0, 0
        for batch in self.loader:
            self.optimizer.zero_grad()
            out = self.model(
                batch.x,
                batch.edge_index,
                num_sampled_nodes_per_hop=batch.num_sampled_nodes,
                num_sampled_edges_per_hop=batch.num_sampled_edges,
            )
            size = batch.batch_size
            loss = F.cross_entropy(out[:size], batch.y[:size])
            loss.backward()
            self.optimizer.step()
            total += loss.item() * batch.batch_size
            count += batch.batch_size
        return total / count

    def logits(self) -> Tensor:
        """Of all nodes, without dropout and of all in-edges: ``[N, classes]``."""
        self.model.eval()
        x, edge_index = self.data.x, self.data.edge_index
        assert x is not None
        return infer(self.model, x, edge_index, max_memory=self.config.max_memory)
