"""The graph, the labels and the names that an explanation refers to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_choice, check_instance
from gatsparse.data.labels import Task, node_labels, node_mask
from gatsparse.index_checks import check_edge_index, check_range

TASKS: tuple[Task, ...] = ("classification", "multi_label", "regression")


@dataclass(frozen=True)
class Problem:
    """Checked inputs of :func:`gatsparse.explain.explain`.

    Args:
        data (torch_geometric.data.Data): The graph.
        task (str): What the outputs of the model mean.
        num_nodes (int): Number of nodes.
        y (Tensor, optional): int64 ``[N]``, -1 for unlabelled nodes; None without classes.
        class_names (list of str): Names of the classes or outputs.
        node_ids (sequence, optional): Ids of the nodes.
        tested (Tensor): Nodes on which predictions are judged.
        tested_name (str): Description of these nodes.
    """

    data: Data
    task: Task
    num_nodes: int
    y: Tensor | None
    class_names: list[str]
    node_ids: Any
    tested: Tensor
    tested_name: str

    def node_id(self, node: int) -> str:
        """Returns the caller's name of a node."""
        return str(node if self.node_ids is None else self.node_ids[node])

    def candidates(self) -> NDArray[np.int64]:
        """Returns the tested nodes that have at least two in-edges from other nodes."""
        assert self.data.edge_index is not None
        src, dst = self.data.edge_index
        degree = torch.bincount(dst[src != dst], minlength=self.num_nodes)
        return self.tested[degree[self.tested] >= 2].numpy()

    def label(self, node: int) -> int | None:
        """Returns the class of a node, or None if it is unlabelled."""
        if self.y is None or self.y[node] < 0:
            return None
        return int(self.y[node])


def check_data(data: Any) -> int:
    """Checks the graph; returns its number of nodes.

    Raises:
        TypeError: If :obj:`data` or its :obj:`edge_index` is of a wrong type.
        ValueError: If :obj:`x` or :obj:`edge_index` is missing or has a wrong shape.
        IndexError: If a node index of an edge is out of range.
    """
    check_instance("data", data, Data, "torch_geometric.data.Data")
    for key in ("x", "edge_index"):
        if data.get(key) is None:
            hint = ": set edge_index from adj_t" if key == "edge_index" and "adj_t" in data else ""
            raise ValueError(f"data.{key}: expected a tensor, got None{hint}")
    check_instance("data.x", data.x, Tensor, "a tensor")
    if data.x.dim() < 1 or data.x.size(0) == 0:
        raise ValueError(f"data.x: expected features [N, F], got {list(data.x.shape)}")
    check_edge_index(data.edge_index)
    num_nodes = data.x.size(0)
    check_range("data.edge_index", data.edge_index, num_nodes)
    return num_nodes


def problem_of(
    data: Data,
    output: Tensor,
    task: Task | None,
    node_ids: Any = None,
    class_names: Sequence[str] | None = None,
) -> Problem:
    """Checks labels, masks and names against the output of a model.

    Args:
        data (torch_geometric.data.Data): Data of :func:`check_data`.
        output (Tensor): ``[N, T]``, the output of the model.
        task (str, optional): As in :func:`gatsparse.explain.explain`.
        node_ids, class_names (optional): As in :func:`gatsparse.explain.explain`.

    Raises:
        TypeError, ValueError: If they do not fit the output or each other.
    """
    num_nodes, num_outputs = output.shape
    if task is None:
        task = _task_of(data.y)
    check_choice("task", task, TASKS)
    y = None
    if task == "classification":
        if num_outputs < 2:
            raise ValueError(
                "model: expected logits of at least 2 classes, got 1 output per node: pass "
                "task='multi_label' for a binary logit, or task='regression'"
            )
        if data.y is not None:
            y = node_labels(data)
            if y.numel() and int(y.max()) >= num_outputs:
                raise ValueError(
                    f"data.y: expected classes below {num_outputs}, the number of outputs of the "
                    f"model, got {int(y.max())}"
                )
    if class_names is None:
        class_names = [str(k) for k in range(num_outputs)]
    check_length("class_names", class_names, num_outputs, "outputs of the model")
    tested, tested_name = _tested(data, y, num_nodes)
    return Problem(
        data=data,
        task=task,
        num_nodes=num_nodes,
        y=y,
        class_names=[str(name) for name in class_names],
        node_ids=node_ids,
        tested=tested,
        tested_name=tested_name,
    )


def _task_of(y: Any) -> Task:
    """Returns the task that labels suggest; whole numbers, one per node, are classes."""
    if not isinstance(y, Tensor) or not y.is_floating_point():
        return "classification"
    known = y[~y.isnan()]
    if y.dim() == 2 and y.size(1) > 1:
        return "multi_label" if bool(((known == 0) | (known == 1)).all()) else "regression"
    return "classification" if bool((known == known.round()).all()) else "regression"


def check_length(name: str, names: Any, expected: int, of_what: str) -> None:
    """Raises TypeError or ValueError unless names are a sequence of the expected length."""
    if isinstance(names, (str, bytes)) or not hasattr(names, "__getitem__"):
        raise TypeError(f"{name}: expected a sequence of names, got {type(names).__name__}")
    if len(names) != expected:
        raise ValueError(f"{name}: expected {expected}, the number of {of_what}, got {len(names)}")


def _tested(data: Data, y: Tensor | None, num_nodes: int) -> tuple[Tensor, str]:
    if data.get("test_mask") is not None:
        labelled = torch.ones(num_nodes, dtype=torch.bool) if y is None else y >= 0
        return node_mask(data, "test_mask", labelled).nonzero().view(-1), "test nodes"
    if y is not None:
        return (y >= 0).nonzero().view(-1), "labelled nodes"
    return torch.arange(num_nodes), "nodes"
