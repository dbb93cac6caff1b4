"""Training of links on mini-batches of sampled neighbourhoods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.data import LinkNeighborLoader, NeighborSampler
from gatsparse.train.config import SamplingConfig
from gatsparse.train.link_criterion import LinkCriterion, pair_loss
from gatsparse.train.sampled import Sampled


class SampledLinks(Sampled):
    """Steps of a model on batches of links and of pairs without a link; see :class:`Sampled`.

    Args:
        model, data, optimizer, config: As in :class:`Sampled`.
        criterion (LinkCriterion): The training links.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data: Data,
        optimizer: torch.optim.Optimizer,
        criterion: LinkCriterion,
        config: SamplingConfig,
    ) -> None:
        self.criterion = criterion
        super().__init__(model, data, optimizer, config)

    def _prepare(self, data: Data) -> None:  # noqa: ARG002
        self.sampler = NeighborSampler(self.data, self.config.num_neighbors)

    def _batches(self) -> Iterable[Any]:
        pairs, truth = self.criterion.examples()
        return LinkNeighborLoader(
            self.data,
            self.config.num_neighbors,
            pairs,
            truth,
            neighbor_sampler=self.sampler,
            batch_size=self.config.batch_size,
            shuffle=True,
        )

    def _loss(self, outputs: Tensor, batch: Any) -> tuple[Tensor, int]:
        loss = pair_loss(outputs, batch.edge_label_index, batch.edge_label)
        return loss, len(batch.edge_label)
