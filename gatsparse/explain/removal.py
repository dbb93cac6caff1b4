"""Change of a prediction when an in-neighbour is removed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatsparse.explain.neighborhood import Neighborhood
from gatsparse.explain.problem import Task
from gatsparse.explain.rollout import direct_attention, rollout

#: What a removal changes, by task.
MEASURES: dict[Task, str] = {
    "classification": "probability of the predicted class",
    "multi_label": "probabilities of the labels, on average",
    "regression": "outputs, on average",
}


class InNeighbors(NamedTuple):
    """The in-neighbours of a node, without the node itself.

    Args:
        local (list of int): Their numbers in the neighbourhood, by decreasing mean attention.
        attention (ndarray): ``[d, L]``, by layer, averaged over heads.
        equal (ndarray): ``[d]``, the weight if all in-edges were equal.
        rollout (ndarray): ``[d]``, the attention rollout over all layers.
        to_self (ndarray): ``[L]``, the attention of the node to itself.
    """

    local: list[int]
    attention: NDArray[np.float64]
    equal: NDArray[np.float64]
    rollout: NDArray[np.float64]
    to_self: NDArray[np.float64]


def in_neighbors(hood: Neighborhood, residual: list[float]) -> InNeighbors:
    """Returns the in-neighbours of the node of a neighbourhood.

    Args:
        hood (Neighborhood): The neighbourhood.
        residual (list of float): As in :func:`~gatsparse.explain.rollout.rollout`.
    """
    attention, equal = direct_attention(hood.layers, hood.num_nodes)
    shares = rollout(hood.layers, residual, hood.num_nodes)[0]
    src, dst = hood.edge_index
    local = src[(dst == 0) & (src != 0)].unique()
    order = attention[local].mean(dim=1).argsort(descending=True, stable=True)
    local = local[order]
    return InNeighbors(
        local.tolist(),
        attention[local].numpy(),
        equal[local].mean(dim=1).numpy(),
        shares[local].numpy(),
        attention[0].numpy(),
    )


class Changes(NamedTuple):
    """Changes of the prediction of a node, for each removed neighbour.

    Args:
        size (ndarray): ``[K]``, absolute change, see :data:`MEASURES`.
        drop (ndarray): ``[K]``, decrease of the probability of the predicted class; negative if it
            rises; NaN for other tasks than classification.
        flips (ndarray): bool ``[K]``, whether another class is predicted.
    """

    size: NDArray[np.float64]
    drop: NDArray[np.float64]
    flips: NDArray[np.bool_]


def changes(hood: Neighborhood, removed: list[int], task: Task) -> Changes:
    """Runs the model again without each of some neighbours.

    Changes that are not larger than rounding errors are 0.

    Args:
        hood (Neighborhood): The neighbourhood.
        removed (list of int): Neighbours, numbered as in the neighbourhood.
        task (str): The task.
    """
    outputs = hood.without(removed)
    values = probabilities(outputs, task)
    scale = 1.0 if task != "regression" else 1.0 + float(values.abs().max())
    rounding = 16 * torch.finfo(outputs.dtype).eps * scale
    if task == "classification":
        predicted = int(values[0].argmax())
        drop = values[0, predicted] - values[1:, predicted]
        drop = torch.where(drop.abs() <= rounding, 0.0, drop)
        flips = values[1:].argmax(dim=1) != predicted
        return Changes(drop.abs().numpy(), drop.numpy(), flips.numpy())
    size = (values[1:] - values[0]).abs().mean(dim=1)
    size = torch.where(size <= rounding, 0.0, size).numpy()
    return Changes(size, np.full(len(removed), np.nan), np.zeros(len(removed), dtype=bool))


def probabilities(outputs: Tensor, task: Task) -> Tensor:
    """Returns the probabilities of classes or labels, or the outputs of a regression, in float64.

    Args:
        outputs (Tensor): ``[K, T]``, outputs of the model.
        task (str): The task.
    """
    outputs = outputs.double()
    if task == "classification":
        return outputs.softmax(dim=1)
    return outputs.sigmoid() if task == "multi_label" else outputs
