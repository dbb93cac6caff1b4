"""Training on mini-batches: one step per batch of sampled neighbourhoods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.config_types import ConfigError
from gatsparse.data import NeighborLoader
from gatsparse.inference import check_budget, infer
from gatsparse.train.device import device_of, moved_batches
from gatsparse.train.edge_inputs import edge_inputs

if TYPE_CHECKING:
    from gatsparse.train.config import SamplingConfig
    from gatsparse.train.objectives.objective import Objective


def _check_model(model: Any) -> None:
    needed = ("convs", "num_layers", "inference_per_layer")
    if missing := [name for name in needed if not hasattr(model, name)]:
        raise TypeError(
            "model: expected gatsparse.GAT, gatsparse.nn.PaperGAT or a model of PyG with mode "
            f"sampled, got {type(model).__name__} without {', '.join(missing)}: use mode full"
        )
    if getattr(model, "jk_mode", None) not in (None, "last"):
        raise ValueError(
            f"model: expected jk None or 'last' with mode sampled, got {model.jk_mode!r}: "
            "use mode full"
        )


class Sampled(ABC):
    """Steps of a model on sampled batches, and its exact outputs.

    Args:
        model (torch.nn.Module): A :class:`gatsparse.nn.PaperGAT` or a :class:`gatsparse.GAT`.
        data (torch_geometric.data.Data): Data of the training.
        optimizer (torch.optim.Optimizer): Optimizer of the model.
        config (SamplingConfig): Sizes of the batches.

    Raises:
        TypeError: If exact inference does not support the model, or :obj:`edge_index` is not a
            dense tensor.
        ConfigError: If exact inference does not fit into :obj:`sampling.max_memory`.
        ValueError: As in :func:`~gatsparse.train.edge_inputs.edge_inputs`, or if the model has
            another :obj:`jk` than None or ``"last"``, or takes edge weights or :obj:`batch`, which
            exact inference does not support.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data: Data,
        optimizer: torch.optim.Optimizer,
        config: SamplingConfig,
    ) -> None:
        assert isinstance(data.x, Tensor)
        _check_model(model)
        edge_index: Any = data.edge_index
        if not isinstance(edge_index, Tensor) or edge_index.layout != torch.strided:
            got = getattr(edge_index, "layout", type(edge_index).__name__)
            raise TypeError(
                f"data.edge_index: expected a dense tensor [2, E] with mode sampled, got {got}"
            )
        x = data.x if data.x.layout == torch.strided else data.x.to_dense()
        try:  # before hours of work
            check_budget(model, x.shape, x.dtype, config.max_memory, on_disk=False)
        except ValueError as error:
            raise ConfigError(f"sampling.{error}") from error
        inputs = edge_inputs(model, data)
        for key in ("edge_weight", "batch"):
            if key in inputs:
                raise ValueError(f"data.{key}: expected None with mode sampled, got a tensor")
        self.model, self.optimizer, self.config = model, optimizer, config
        self.device = device_of(model)
        self.data = Data(x=x, edge_index=data.edge_index, **inputs)
        self._prepare(data)

    @abstractmethod
    def _prepare(self, data: Data) -> None:
        """Prepares the batches before the first epoch."""

    @abstractmethod
    def _batches(self) -> Iterable[Any]:
        """Returns the batches of an epoch, in the memory of the host."""

    @abstractmethod
    def _loss(self, outputs: Tensor, batch: Any) -> tuple[Tensor, int]:
        """Returns the mean loss of the outputs of a batch, and the number of its examples."""

    def epoch(self) -> float:
        """Trains one epoch; returns the mean of its training losses."""
        self.model.train()
        total, count = torch.zeros((), dtype=torch.float64, device=self.device), 0
        for batch in moved_batches(self._batches(), self.device):
            self.optimizer.zero_grad()
            inputs = {key: batch[key] for key in ("edge_attr",) if key in batch}
            out = self.model(
                batch.x,
                batch.edge_index,
                **inputs,
                num_sampled_nodes_per_hop=batch.num_sampled_nodes,
                num_sampled_edges_per_hop=batch.num_sampled_edges,
            )
            loss, size = self._loss(out, batch)
            loss.backward()
            self.optimizer.step()
            total += loss.detach().double() * size  # not read before the end of the epoch
            count += size
        return total.item() / count

    def outputs(self) -> Tensor:
        """Outputs of all nodes ``[N, K]`` in the memory of the host, without dropout and over all
        in-edges.
        """
        self.model.eval()
        x, edge_index = self.data.x, self.data.edge_index
        assert x is not None
        edge_attr = self.data.edge_attr
        return infer(self.model, x, edge_index, edge_attr, max_memory=self.config.max_memory)


class SampledNodes(Sampled):
    """Steps of a model on batches of nodes.

    Args:
        model, data, optimizer, config: As in :class:`Sampled`; :obj:`data` of
            :func:`~gatsparse.train.task.checked_task`.
        objective (Objective): The loss.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data: Data,
        optimizer: torch.optim.Optimizer,
        objective: Objective,
        config: SamplingConfig,
    ) -> None:
        self.objective = objective
        super().__init__(model, data, optimizer, config)

    def _prepare(self, data: Data) -> None:
        self.data.y = data["y"]
        self.loader = NeighborLoader(
            self.data,
            self.config.num_neighbors,
            data.train_mask,
            batch_size=self.config.batch_size,
            shuffle=True,
        )

    def _batches(self) -> Iterable[Any]:
        return self.loader

    def _loss(self, outputs: Tensor, batch: Any) -> tuple[Tensor, int]:
        size = batch.batch_size
        return self.objective.loss(outputs[:size], batch.y[:size]), size
