"""Explanation of single predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatsparse.explain.flow import Flow, flow_of
from gatsparse.explain.neighborhood import Neighborhoods
from gatsparse.explain.problem import Problem
from gatsparse.explain.removal import changes, in_neighbors, probabilities
from gatsparse.explain.rollout import rollout


@dataclass(frozen=True)
class Neighbor:
    """An in-neighbour of an explained node.

    Args:
        node (int): The neighbour.
        id (str): Its name.
        label (int, optional): Its class.
        attention (list of float): Attention to it in each layer, averaged over heads.
        equal (float): The weight if all in-edges were equal.
        effect (float): Absolute change of the prediction without it, see :class:`RemovalTest`.
        drop (float): Decrease of the probability of the predicted class; NaN for other tasks.

    Example:
        >>> from gatsparse.explain import Neighbor
        >>> Neighbor(7, "paper 7", 2, attention=[0.3, 0.4], equal=0.25, effect=0.1, drop=0.1).label
        2
    """

    node: int
    id: str
    label: int | None
    attention: list[float]
    equal: float
    effect: float
    drop: float


@dataclass(frozen=True)
class Reached:
    """A node that contributes to an explained node over all layers.

    Args:
        node (int): The node.
        id (str): Its name.
        label (int, optional): Its class.
        share (float): Its share of the attention rollout.

    Example:
        >>> from gatsparse.explain import Reached
        >>> Reached(node=7, id="paper 7", label=2, share=0.1).share
        0.1
    """

    node: int
    id: str
    label: int | None
    share: float


@dataclass(frozen=True)
class NodeExplanation:
    """Explanation of the prediction for a node.

    Args:
        node (int): The node.
        id (str): Its name.
        reason (str): Why it was chosen.
        label (int, optional): Its class.
        predicted (int, optional): The predicted class; None for other tasks.
        probability (float): Its probability; NaN for other tasks.
        output (list of float): Probabilities of the classes or labels, or the outputs.
        to_self (list of float): Attention to itself in each layer, averaged over heads.
        neighbors (list of Neighbor): The most attended in-neighbours, by mean attention.
        num_neighbors (int): Number of in-neighbours.
        reached (list of Reached): The nodes with the largest shares of the attention rollout.
        num_reached (int): Number of nodes with a share.
        flow (Flow): Paths of the attention.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> (node,) = explain(model, load("digits"), nodes=[7], removals=0).nodes
        >>> node.num_neighbors, len(node.neighbors[0].attention)
        (10, 2)
    """

    node: int
    id: str
    reason: str
    label: int | None
    predicted: int | None
    probability: float
    output: list[float]
    to_self: list[float]
    neighbors: list[Neighbor]
    num_neighbors: int
    reached: list[Reached]
    num_reached: int
    flow: Flow


def explain_node(
    hoods: Neighborhoods,
    problem: Problem,
    residual: list[float],
    node: int,
    reason: str,
    most: int,
) -> NodeExplanation:
    """Explains one prediction.

    Args:
        hoods (Neighborhoods): The model and the graph.
        problem (Problem): Names and classes of nodes.
        residual (list of float): As in :func:`~gatsparse.explain.rollout.rollout`.
        node (int): The node.
        reason (str): Why it was chosen.
        most (int): Maximum number of rows of tables and of nodes in a column of the flow.
    """
    hood = hoods.of(node)
    near = in_neighbors(hood, residual)
    shown = near.local[:most]
    found = changes(hood, shown, problem.task)
    neighbors = []
    for k, local in enumerate(shown):
        other = int(hood.n_id[local])
        neighbors.append(
            Neighbor(
                node=other,
                id=problem.node_id(other),
                label=problem.label(other),
                attention=near.attention[k].tolist(),
                equal=float(near.equal[k]),
                effect=float(found.size[k]),
                drop=float(found.drop[k]),
            )
        )
    shares = rollout(hood.layers, residual, hood.num_nodes)[0]
    num_reached = int((shares > 0).sum())
    reached = []
    for local in shares.topk(min(most, num_reached)).indices.tolist():
        other = int(hood.n_id[local])
        share = shares[local].item()
        reached.append(Reached(other, problem.node_id(other), problem.label(other), share))
    output = probabilities(hoods.output[[node]], problem.task)[0]
    predicted = int(output.argmax()) if problem.task == "classification" else None
    return NodeExplanation(
        node=node,
        id=problem.node_id(node),
        reason=reason,
        label=problem.label(node),
        predicted=predicted,
        probability=float("nan") if predicted is None else output[predicted].item(),
        output=output.tolist(),
        to_self=near.to_self.tolist(),
        neighbors=neighbors,
        num_neighbors=len(near.local),
        reached=reached,
        num_reached=num_reached,
        flow=flow_of(hood, problem, residual, most),
    )


def choose_nodes(
    problem: Problem, output: Tensor, count: int, generator: np.random.Generator
) -> dict[int, str]:
    """Chooses nodes with two in-edges: half at random, half the most confident errors.

    Args:
        problem (Problem): The nodes to choose from.
        output (Tensor): ``[N, T]``, outputs of the model.
        count (int): Number of nodes.
        generator (numpy.random.Generator): Draws the nodes.

    Returns:
        dict: The reason of each chosen node.
    """
    nodes = problem.candidates()
    chosen: dict[int, str] = {}
    if problem.y is not None:
        confidence, predicted = probabilities(output[nodes], problem.task).max(dim=1)
        wrong = torch.from_numpy(nodes)[predicted != problem.y[nodes]]
        confidence = confidence[predicted != problem.y[nodes]]
        worst = wrong[confidence.argsort(descending=True, stable=True)[: count // 2]]
        chosen = dict.fromkeys(worst.tolist(), "confident error")
    others = [node for node in generator.permutation(nodes).tolist() if node not in chosen]
    drawn = dict.fromkeys(others[: count - len(chosen)], "drawn at random")
    return drawn | chosen
