"""Explanation of a trained graph attention network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_instance, check_integer
from gatsparse.data import NodeIds
from gatsparse.explain.class_attention import ClassAttention, class_attention
from gatsparse.explain.confusion import Confusion, confusion_of
from gatsparse.explain.entropy import AttentionEntropy, attention_entropy
from gatsparse.explain.neighborhood import Neighborhoods
from gatsparse.explain.nodes import NodeExplanation, choose_nodes, explain_node
from gatsparse.explain.problem import Problem, Task, check_data, check_length, problem_of
from gatsparse.explain.removal_test import RemovalTest, removal_test
from gatsparse.explain.requested import requested_nodes
from gatsparse.explain.rollout import residual_shares
from gatsparse.nn import LayerAttention
from gatsparse.nn.attention_weights import attention_layers, visit_attention
from gatsparse.nn.model_call import call_model

#: Explained nodes, if none are chosen.
_NODES = 12
#: Rows of the tables of a node, and nodes in a column of its flow.
_MOST = 10
#: In-neighbours removed from a node of the removal test, one by one.
_NEIGHBORS = 8


@dataclass(frozen=True)
class LayerExplanation:
    """Statistics of the attention of a layer over the whole graph.

    Args:
        name (str): The layer's path in the model.
        heads (int): Number of heads.
        num_edges (int): Number of edges, including self-loops that the layer adds.
        entropy (AttentionEntropy, optional): None if no node has two in-edges.
        classes (ClassAttention, optional): None without classes.
        to_self (ndarray): ``[H]``, mean attention of a node to itself.
        equal_to_self (float): The same for equal weights.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> [layer.name for layer in explain(model, load("digits"), nodes=[], removals=0).layers]
        ['convs.0', 'convs.1']
    """

    name: str
    heads: int
    num_edges: int
    entropy: AttentionEntropy | None
    classes: ClassAttention | None
    to_self: NDArray[np.float64]
    equal_to_self: float


@dataclass(frozen=True)
class Explanation:
    """Statistics of the attention of a model; the result of :func:`explain`.

    Args:
        task (str): ``"classification"``, ``"multi_label"`` or ``"regression"``.
        num_nodes, num_edges, num_features (int): Size of the graph.
        class_names (list of str): Names of the classes or outputs.
        layers (list of LayerExplanation): Statistics of each layer.
        residual (list of float): Weight of the residual connection of each layer in the attention
            rollout: 0.5, or 0 for a layer without one.
        confusion (Confusion, optional): None without classes.
        nodes (list of NodeExplanation): Explained nodes.
        removal (RemovalTest, optional): None if it was not requested or is not possible.
        notes (list of str): What was left out, and why.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> explanation = explain(model, load("digits"), nodes=[7], removals=5)
        >>> explanation.task, explanation.num_nodes, explanation.nodes[0].id
        ('classification', 1797, '7')
    """

    task: Task
    num_nodes: int
    num_edges: int
    num_features: int
    class_names: list[str]
    layers: list[LayerExplanation]
    residual: list[float]
    confusion: Confusion | None
    nodes: list[NodeExplanation]
    removal: RemovalTest | None
    notes: list[str]


def explain(
    model: torch.nn.Module,
    data: Data,
    *,
    node_ids: Any = None,
    class_names: Sequence[str] | None = None,
    nodes: Sequence[int | str] | None = None,
    removals: int = 200,
    task: Task | None = None,
    seed: int = 0,
) -> Explanation:
    r"""Explains what a trained model attends to, and tests whether its attention matters.

    The attention of the whole graph is reduced to statistics layer by layer. Single nodes are
    explained on their in-neighbourhood, which is as deep as the model has attention layers and
    gives the same prediction as the whole graph. The model runs in evaluation mode.

    The test removes in-neighbours of a random sample of nodes, one by one, and compares the change
    of the prediction with the attention: see :class:`RemovalTest`.

    Args:
        model (torch.nn.Module): A model with GAT or GATv2 layers, of gatsparse or PyG, called as in
            :func:`gatsparse.attention_weights`. It returns ``[N, T]``.
        data (torch_geometric.data.Data): With :obj:`x` and :obj:`edge_index`, and optionally labels
            :obj:`y` and :obj:`test_mask`.
        node_ids (sequence, optional): Ids of the nodes; only ``str(node_ids[i])`` is used.
            (default: those of :func:`gatsparse.data.load_files`, else their numbers)
        class_names (list of str, optional): Names of the classes or outputs.
            (default: their numbers)
        nodes (list of int or str, optional): Nodes to explain. An integer is the number of a node,
            also if ids are integers; a text is an id, such as ``"item-7"`` or ``"7"``. (default:
            12 of the test nodes with at least two in-edges, half of them drawn at random, half of
            them errors with the highest confidence)
        removals (int, optional): Number of nodes whose in-neighbours are removed; 0 leaves the test
            out. Fewer are tested if their neighbourhoods are very large. (default: ``200``)
        task (str, optional): ``"classification"``, ``"multi_label"`` (a sigmoid for each output) or
            ``"regression"``. The parts about classes need a classification.
            (default: by :obj:`y`: floating-point values are labels if they are 0 and 1 in several
            columns, and numbers to predict if they have a fractional part)
        seed (int, optional): Seed of the choice of nodes and of removed in-neighbours; the global
            generators are not touched.

    Returns:
        Explanation: The statistics, the explained nodes and the test.

    Raises:
        TypeError: If an argument is of a wrong type, or the model cannot be called.
        ValueError: If labels, masks or names do not fit the output of the model, the model has no
            attention layers, its output for a node depends on more than its in-neighbourhood, or
            there is no node with an id, or several.
        IndexError: If the number of a node is out of range.
        ImportError: If the kernels are not installed and single nodes are explained.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> explanation = explain(model, load("digits"), removals=20)
        >>> len(explanation.nodes), explanation.removal.num_nodes
        (12, 20)
    """
    num_nodes = check_data(data)
    check_integer("removals", removals, 0)
    check_integer("seed", seed, 0, 2**63 - 1)
    if node_ids is None and isinstance(data.get("node_ids"), NodeIds):
        node_ids = data.node_ids
    if node_ids is not None:
        check_length("node_ids", node_ids, num_nodes, "nodes")
    chosen = None if nodes is None else requested_nodes(nodes, num_nodes, node_ids)
    attention_layers(model)  # raises if there are none
    output = _checked_output(model, call_model(model, data), num_nodes)
    problem = problem_of(data, output, task, node_ids, class_names)
    layers: list[LayerExplanation] = []
    visit_attention(model, data, lambda attention: layers.append(_layer(attention, problem)))
    names = [layer.name for layer in layers]
    residual = residual_shares(model, names)

    sampling, testing = (np.random.default_rng([seed, k]) for k in range(2))
    if chosen is None:
        reasons = choose_nodes(problem, output, _NODES, sampling)
    else:
        reasons = dict.fromkeys(chosen, "requested")
    explained: list[NodeExplanation] = []
    test, notes = None, _notes(problem, removals)
    if reasons or removals > 0:
        hoods = Neighborhoods(model, data, len(layers), output)
        for node, reason in reasons.items():
            explained.append(explain_node(hoods, problem, residual, node, reason, _MOST))
        if removals > 0:
            test = removal_test(hoods, problem, residual, names, removals, _NEIGHBORS, testing)
            notes += _notes_on_test(test, removals, len(problem.candidates()))
    predicted = output.argmax(dim=1)
    return Explanation(
        task=problem.task,
        num_nodes=num_nodes,
        num_edges=data.num_edges,
        num_features=data.num_node_features,
        class_names=problem.class_names,
        layers=layers,
        residual=residual,
        confusion=confusion_of(problem, predicted),
        nodes=explained,
        removal=test,
        notes=notes,
    )


def _layer(attention: LayerAttention, problem: Problem) -> LayerExplanation:
    loops = attention.loop_mask
    attends = torch.unique(attention.edge_index[1]).numel()
    degree = torch.bincount(attention.edge_index[1])[attention.edge_index[1]]
    classes = None
    if problem.y is not None:
        classes = class_attention(attention, problem.y, len(problem.class_names))
    return LayerExplanation(
        name=attention.name,
        heads=attention.alpha.size(1),
        num_edges=attention.alpha.size(0),
        entropy=attention_entropy(attention, problem.num_nodes),
        classes=classes,
        to_self=(attention.alpha[loops].sum(dim=0, dtype=torch.float64) / max(attends, 1)).numpy(),
        equal_to_self=float((1.0 / degree[loops].double()).sum() / max(attends, 1)),
    )


def _checked_output(model: Any, output: Any, num_nodes: int) -> Tensor:
    check_instance("model", output, Tensor, "a model that returns a tensor [N, T]")
    if output.dim() != 2 or output.size(0) != num_nodes or output.size(1) == 0:
        raise ValueError(
            f"model: expected outputs [{num_nodes}, T] of {type(model).__name__}.forward, got "
            f"{list(output.shape)}"
        )
    if not bool(output.isfinite().all()):
        raise ValueError("model: expected finite outputs, got NaN or infinity")
    return output


def _notes(problem: Problem, removals: int) -> list[str]:
    notes = []
    if problem.task != "classification":
        notes.append(
            f"The task is {problem.task}: the confusion matrix and the attention between classes "
            "were left out, because they need one class per node."
        )
    elif problem.y is None:
        notes.append(
            "The data has no labels: the confusion matrix and the attention between classes were "
            "left out."
        )
    if removals == 0:
        notes.append("No in-neighbours were removed, because removals=0 was requested.")
    return notes


def _notes_on_test(test: RemovalTest | None, removals: int, candidates: int) -> list[str]:
    if test is None:
        return ["No in-neighbours were removed: no test node has at least two of them."]
    if test.num_nodes < min(removals, candidates):
        return [
            f"In-neighbours of {test.num_nodes} nodes instead of {removals} were removed, because "
            "their neighbourhoods have very many edges."
        ]
    return []
