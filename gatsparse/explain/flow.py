"""Paths of the attention to one node, layer by layer, reduced to the most attended nodes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gatsparse.explain.neighborhood import Neighborhood
from gatsparse.explain.problem import Problem
from gatsparse.explain.rollout import rollout


@dataclass(frozen=True)
class FlowNode:
    """A node in a column of a :class:`Flow`.

    Args:
        node (int): The node.
        id (str): Its name.
        label (int, optional): Its class; None if it is unlabelled or there are no classes.
        share (float): Its share of the attention rollout.

    Example:
        >>> from gatsparse.explain import FlowNode
        >>> FlowNode(node=7, id="paper 7", label=2, share=0.25).id
        'paper 7'
    """

    node: int
    id: str
    label: int | None
    share: float


@dataclass(frozen=True)
class FlowEdge:
    """An edge from a column of a :class:`Flow` to the next.

    Args:
        source, target (int): Positions in their columns.
        attention (float): Attention of the target to the source, averaged over heads.

    Example:
        >>> from gatsparse.explain import FlowEdge
        >>> FlowEdge(source=0, target=0, attention=0.4).attention
        0.4
    """

    source: int
    target: int
    attention: float


@dataclass(frozen=True)
class Flow:
    """The neighbourhood of a node as the model sees it.

    A column holds the nodes before a layer, the last one only the node itself. The edges between
    two columns are those of the layer between them.

    Args:
        columns (list): :class:`FlowNode` of each column, by decreasing share.
        edges (list): :class:`FlowEdge` between a column and the next, for each layer.
        totals (list of int): Number of nodes of each column, including those left out.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> (node,) = explain(model, load("digits"), nodes=[7], removals=0).nodes
        >>> node.flow.columns[2][0].id, len(node.flow.edges), node.flow.totals[2]
        ('7', 2, 1)
    """

    columns: list[list[FlowNode]]
    edges: list[list[FlowEdge]]
    totals: list[int]


def flow_of(hood: Neighborhood, problem: Problem, residual: list[float], width: int) -> Flow:
    """Returns the paths of the attention to the node of a neighbourhood.

    Args:
        hood (Neighborhood): The neighbourhood.
        problem (Problem): Names and classes of nodes.
        residual (list of float): As in :func:`~gatsparse.explain.rollout.rollout`.
        width (int): Maximum number of nodes in a column.
    """
    steps = rollout(hood.layers, residual, hood.num_nodes)
    kept = [share.topk(min(width, int((share > 0).sum()))).indices for share in steps]
    columns = []
    for nodes, share in zip(kept, steps, strict=True):
        column = []
        for node, part in zip(hood.n_id[nodes].tolist(), share[nodes].tolist(), strict=True):
            column.append(FlowNode(node, problem.node_id(node), problem.label(node), part))
        columns.append(column)
    edges = [
        _edges(layer.edge_index, layer.alpha, sources, targets, hood.num_nodes)
        for layer, sources, targets in zip(hood.layers, kept[:-1], kept[1:], strict=True)
    ]
    return Flow(columns, edges, [int((share > 0).sum()) for share in steps])


def _edges(
    edge_index: Tensor, alpha: Tensor, sources: Tensor, targets: Tensor, num_nodes: int
) -> list[FlowEdge]:
    """Edges between kept nodes; parallel ones are added up."""
    place = torch.full((2, num_nodes), -1)
    place[0, sources], place[1, targets] = torch.arange(len(sources)), torch.arange(len(targets))
    source, target = place[0, edge_index[0]], place[1, edge_index[1]]
    both = (source >= 0) & (target >= 0)
    total = torch.zeros(len(sources), len(targets), dtype=torch.float64)
    total.index_put_((source[both], target[both]), alpha[both].double().mean(dim=1), True)
    return [FlowEdge(s, t, total[s, t].item()) for s, t in total.nonzero().tolist()]
