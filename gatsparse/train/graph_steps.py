"""Training on graphs: one step per epoch on all of them, or one per batch of graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from gatsparse.data.graph_set import separate_graphs
from gatsparse.nn.forward_arguments import forward_parameters
from gatsparse.train.device import device_of, moved, moved_batches
from gatsparse.train.edge_inputs import edge_inputs

if TYPE_CHECKING:
    from gatsparse.train.objectives.objective import Objective


class GraphSteps:
    """Steps and outputs of a model of graphs.

    Args:
        model (torch.nn.Module): ``forward(x, edge_index, batch)`` returns logits ``[G, classes]``;
            edge features are passed as :obj:`edge_attr`.
        data (torch_geometric.data.Data): Data of :func:`~gatsparse.train.task.checked_task`.
        optimizer (torch.optim.Optimizer): Optimizer of the model.
        objective (Objective): The loss.
        batch_size (int, optional): Graphs per step, which are drawn anew for each epoch.
            (default: all training graphs)

    Raises:
        ValueError: If ``forward`` does not take :obj:`batch`, or as in
            :func:`~gatsparse.train.edge_inputs.edge_inputs`.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data: Data,
        optimizer: torch.optim.Optimizer,
        objective: Objective,
        batch_size: int | None,
    ) -> None:
        self.model, self.optimizer, self.objective = model, optimizer, objective
        graphs = separate_graphs(data)
        training = [graphs[index] for index in data.train_mask.nonzero().flatten().tolist()]
        self.device = device_of(model)
        self.training = _batches(training, batch_size, self.device, shuffle=True)
        self.batches = _batches_of_all(data, batch_size, self.device)
        self.keys = input_keys(model, data)

    def epoch(self) -> float:
        """Trains one epoch; returns the mean of its training losses."""
        self.model.train()
        total, count = torch.zeros((), dtype=torch.float64, device=self.device), 0
        for batch in self.training:
            self.optimizer.zero_grad()
            outputs = graph_outputs(self.model, batch, self.keys)
            loss = self.objective.loss(outputs, batch.y)
            loss.backward()
            self.optimizer.step()
            total += loss.detach().double() * len(outputs)
            count += len(outputs)
        return total.item() / count

    def outputs(self) -> Tensor:
        """Logits of all graphs ``[G, classes]`` in the memory of the host, without dropout."""
        return outputs_of_batches(self.model, self.batches, self.keys)


def outputs_of_graphs(model: torch.nn.Module, data: Data, batch_size: int | None) -> Tensor:
    """Returns the outputs of all graphs ``[G, K]``, as :class:`GraphSteps` computes them.

    Args:
        model (torch.nn.Module): The model.
        data (torch_geometric.data.Data): Data of :func:`gatsparse.data.join_graphs`.
        batch_size (int, optional): Graphs at a time. (default: all)
    """
    batches = _batches_of_all(data, batch_size, device_of(model))
    return outputs_of_batches(model, batches, input_keys(model, data))


@torch.no_grad()
def outputs_of_batches(
    model: torch.nn.Module, batches: Iterable[Data], keys: Sequence[str]
) -> Tensor:
    """Returns the outputs of the graphs of batches ``[G, K]`` in the memory of the host, without
    dropout.
    """
    model.eval()
    return torch.cat([graph_outputs(model, batch, keys) for batch in batches]).cpu()


def input_keys(model: torch.nn.Module, data: Data) -> list[str]:
    """Returns the attributes that a model takes in addition to features and edges.

    Raises:
        ValueError: As :class:`GraphSteps`.
    """
    if "batch" not in forward_parameters(model):
        raise ValueError(
            "model: expected forward(x, edge_index, batch) for graphs, got "
            f"{type(model).__name__} without batch: call gatsparse.train.build_graph_classifier"
        )
    return list({**edge_inputs(model, data), "batch": None})


def graph_outputs(model: torch.nn.Module, batch: Data, keys: Sequence[str]) -> Tensor:
    """Returns the outputs of the graphs of a batch ``[G, K]``.

    Raises:
        ValueError: If the model returns something else.
    """
    outputs: Any = model(batch.x, batch.edge_index, **{key: batch[key] for key in keys})
    count = int(batch["batch"][-1]) + 1
    if not isinstance(outputs, Tensor) or outputs.dim() != 2 or len(outputs) != count:
        got = list(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise ValueError(
            f"model: expected logits [{count}, classes] of graphs from forward, got {got}"
        )
    return outputs


def _batches(
    graphs: list[Data], batch_size: int | None, device: torch.device, *, shuffle: bool = False
) -> Iterable[Any]:
    """Batches of graphs; all graphs are one batch, which stays the same."""
    if batch_size is None:
        return [moved(Batch.from_data_list(list(graphs)), device)]
    return moved_batches(DataLoader(graphs, batch_size=batch_size, shuffle=shuffle), device)


def _batches_of_all(data: Data, batch_size: int | None, device: torch.device) -> Iterable[Any]:
    """Batches of all graphs in order."""
    if batch_size is None:
        return [moved(data, device)]
    return _batches(separate_graphs(data), batch_size, device)
