"""Training on the whole graph: one step per epoch."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_choice, check_instance
from gatsparse.gpu.compile_step import compile_step
from gatsparse.nn import GAT, PaperExactGAT, PaperGAT, dense_adjacency, explain_backend
from gatsparse.nn.overrides import is_changed
from gatsparse.train.criterion import Criterion, NodeCriterion
from gatsparse.train.device import device_of
from gatsparse.train.edge_inputs import edge_inputs
from gatsparse.train.model_config import Kind

# Nodes and edges of the largest graph whose steps are recorded. An estimate, not measured.
_MOST_RECORDED = 2**20
_RECORDABLE = (GAT, PaperGAT, PaperExactGAT)


class FullBatch:
    """Steps and outputs of a model on the whole graph.

    Args:
        model (torch.nn.Module): ``forward(x, edge_index)``, or ``forward(x, adj)`` for dense
            models, returns outputs ``[N, K]``, such as logits.
        data (torch_geometric.data.Data): Data of the training.
        optimizer (torch.optim.Optimizer): Optimizer of the model.
        criterion (Criterion): The loss.
        kind (str): Kind of the model.
        record (bool, optional): Whether to record the step as a CUDA graph if that is possible.

    Raises:
        ValueError: As in :func:`~gatsparse.train.edge_inputs.edge_inputs`.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        data: Data,
        optimizer: torch.optim.Optimizer,
        criterion: Criterion,
        kind: Kind,
        record: bool = False,
    ) -> None:
        assert data.x is not None
        self.model, self.optimizer, self.criterion, self.x = model, optimizer, criterion, data.x
        self.graph = model_graph(kind, data)
        self.inputs = edge_inputs(model, data)
        self.is_recorded = record and device_of(model).type != "cpu" and self._is_recordable()
        self._step = compile_step(self.step) if self.is_recorded else self.step

    def epoch(self) -> float:
        """Trains one epoch; returns its training loss."""
        self.model.train()
        return self._step().item()

    def step(self) -> Tensor:
        """Runs one step; returns its training loss."""
        self.optimizer.zero_grad()
        loss = self.criterion.train_loss(self._forward())
        loss.backward()
        self.optimizer.step()
        return loss

    @torch.no_grad()
    def outputs(self) -> Tensor:
        """Outputs of all nodes ``[N, K]``, without dropout."""
        self.model.eval()
        return self._forward()

    def _forward(self) -> Tensor:
        outputs = self.model(self.x, self.graph, **self.inputs)
        if not isinstance(outputs, Tensor):
            raise TypeError(
                "model: expected logits [N, classes] or other outputs [N, K] from forward, "
                f"got {type(outputs).__name__}"
            )
        if outputs.dim() != 2 or len(outputs) != len(self.x):
            raise ValueError(
                f"model: expected logits [{len(self.x)}, classes] or other outputs "
                f"[{len(self.x)}, K] from forward, got {list(outputs.shape)}"
            )
        return outputs

    def _is_recordable(self) -> bool:
        """Whether a step consists of operators that read no value on the host, and is so small that
        the host starts them slower than a GPU computes them.
        """
        model: Any = self.model
        size = self.graph.size(1) + len(self.x)
        if size > _MOST_RECORDED or not isinstance(self.criterion, NodeCriterion):
            return False
        if type(model) not in _RECORDABLE or getattr(model, "jk_mode", None) == "lstm":
            return False
        if any(is_changed(module) for module in model.modules()):
            return False
        report = explain_backend(model, self.x, self.graph, **self.inputs)
        return all(row.backend == "fused" for row in report)


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
