"""Explanations of single predictions."""

from itertools import pairwise

import pytest
import torch

from gatsparse import attention_weights
from gatsparse.explain import explain


def test_table_of_in_neighbors(model, data):
    (node,) = explain(model, data, nodes=[7], removals=0).nodes
    src, dst = data.edge_index
    assert node.num_neighbors == src[(dst == 7) & (src != 7)].unique().numel()
    means = [sum(neighbor.attention) / 2 for neighbor in node.neighbors]
    assert means == sorted(means, reverse=True)
    for k, layer in enumerate(attention_weights(model, data)):
        for neighbor in node.neighbors:
            edges = (layer.edge_index[0] == neighbor.node) & (layer.edge_index[1] == 7)
            expected = layer.alpha[edges].mean(dim=1).sum().item()
            # Of float32, with sums in another order.
            assert neighbor.attention[k] == pytest.approx(expected, rel=1e-5)
    everything = sum(means) + sum(node.to_self) / 2
    assert everything == pytest.approx(1, rel=1e-5)


def test_prediction_and_effect_of_each_in_neighbor(model, data):
    (node,) = explain(model, data, nodes=[7], removals=0).nodes
    src, dst = data.edge_index
    with torch.no_grad():
        before = model(data.x, data.edge_index)[7].softmax(dim=0)
        assert node.predicted == int(before.argmax())
        assert node.probability == pytest.approx(before.max().item(), rel=1e-5)
        for neighbor in node.neighbors:
            kept = ~((src == neighbor.node) & (dst == 7))
            after = model(data.x, data.edge_index[:, kept])[7].softmax(dim=0)
            change = (before - after)[node.predicted].item()
            assert neighbor.drop == pytest.approx(change, abs=1e-6), "rounding of float32"
            assert neighbor.effect == abs(neighbor.drop)


def test_long_tables_are_cut(data, model):
    data.edge_index = torch.cartesian_prod(torch.arange(80), torch.arange(4)).t()
    (node,) = explain(model, data, nodes=[2], removals=0).nodes
    assert node.num_neighbors == 79
    assert len(node.neighbors) == 10
    assert node.num_reached == 80
    shares = [reached.share for reached in node.reached]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 10


def test_flow(model, data):
    (node,) = explain(model, data, nodes=[7], removals=0).nodes
    columns, edges = node.flow.columns, node.flow.edges
    assert [column.node for column in columns[-1]] == [7]
    assert columns[-1][0].share == 1
    assert len(columns) == len(edges) + 1 == 3
    for layer, (sources, targets) in enumerate(pairwise(columns)):
        weights = attention_weights(model, data)[layer]
        for edge in edges[layer]:
            source, target = sources[edge.source].node, targets[edge.target].node
            same = (weights.edge_index[0] == source) & (weights.edge_index[1] == target)
            expected = weights.alpha[same].mean(dim=1).sum().item()
            assert edge.attention == pytest.approx(expected, rel=1e-5)
    assert [reached.share for reached in node.reached] == [dot.share for dot in columns[0]]
    assert node.flow.totals[-1] == 1
    assert node.flow.totals[0] == node.num_reached >= len(columns[0])


def test_node_without_in_edges(model, data):
    data.edge_index = data.edge_index[:, data.edge_index[1] != 3]
    (node,) = explain(model, data, nodes=[3], removals=0).nodes
    assert node.neighbors == []
    assert node.to_self == pytest.approx([1, 1])
    assert [reached.node for reached in node.reached] == [3]


def test_default_nodes_are_random_ones_and_confident_errors(model, data):
    explanation = explain(model, data, removals=0)
    reasons = [node.reason for node in explanation.nodes]
    assert reasons == ["drawn at random"] * 6 + ["confident error"] * 6
    assert len({node.node for node in explanation.nodes}) == 12
    errors = [node for node in explanation.nodes if node.reason == "confident error"]
    assert all(node.predicted != node.label for node in errors)
    confidence = [node.probability for node in errors]
    assert confidence == sorted(confidence, reverse=True)
    assert all(data.test_mask[node.node] for node in explanation.nodes)
