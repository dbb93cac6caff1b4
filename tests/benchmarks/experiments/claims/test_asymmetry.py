"""Asymmetry of attention and of its scores."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

import gatsparse
from benchmarks.experiments.claims.asymmetry import (
    WEIGHTS,
    Asymmetry,
    asymmetries,
    attention_and_scores,
    reciprocal,
)
from benchmarks.experiments.claims.models import ATTENTIVE, MODELS
from gatsparse.train import ModelConfig
from tests.benchmarks.experiments.claims.made_up import random_data


def ring(num_nodes=8):
    nodes = torch.arange(num_nodes)
    edge_index = torch.stack([nodes, (nodes + 1) % num_nodes])
    return torch.cat([edge_index, edge_index.flip(0)], dim=1)


@pytest.mark.parametrize("name", ATTENTIVE)
def test_softmax_of_scores_equals_attention(name):
    data = random_data()
    model = MODELS[name].build(data, ModelConfig(out_heads=2))
    found = attention_and_scores(model, data)
    assert [attention.name for attention, _ in found] == ["conv1", "conv2"]
    for attention, scores in found:
        weight = scores.exp()
        total = torch.zeros(30, weight.size(1)).index_add_(0, attention.edge_index[1], weight)
        torch.testing.assert_close(weight / total[attention.edge_index[1]], attention.alpha)
    assert not model.conv1._forward_pre_hooks


def test_symmetric_layer_has_no_asymmetry():
    data = Data(x=torch.randn(8, 4), edge_index=ring())
    model = MODELS["GAT"].build(Data(x=data.x, y=torch.arange(8) % 2), ModelConfig())
    for conv in (model.conv1, model.conv2):  # alike nodes: alike neighbourhoods
        torch.nn.init.zeros_(conv.att_src)
        torch.nn.init.zeros_(conv.att_dst)
    for attention, scores in attention_and_scores(model, data):
        for found in asymmetries(attention, scores).values():
            assert found == pytest.approx(Asymmetry(0, 0, 0), abs=1e-6)


def test_symmetric_score_differs_from_degrees():
    path = to_undirected(torch.tensor([[0, 1, 2], [1, 2, 3]]))  # in-degrees 2 3 3 2 with loops
    data = Data(x=torch.randn(4, 4), edge_index=path, y=torch.arange(4) % 2)
    model = MODELS["GAT"].build(data, ModelConfig())
    for conv in (model.conv1, model.conv2):
        conv.att_src.data.copy_(conv.att_dst.data)
    for attention, scores in attention_and_scores(model, data):
        found = asymmetries(attention, scores)
        assert list(found) == list(WEIGHTS)
        assert found["score"] == pytest.approx(Asymmetry(0, 0, 0), abs=1e-6)
        # (1/2 - 1/3) / (1/2 + 1/3) = 0.2 of the outer pairs, 0 of the inner one
        assert found["equal"] == pytest.approx(Asymmetry(2 / 15, 0.2, 2 / 3))
        assert found["attention"].mean > 0.01
        assert found["relative"].mean > 0  # by the softmax alone


def test_reciprocal_pairs_edges():
    edge_index = torch.tensor([[0, 1, 2, 2, 3, 1], [1, 0, 2, 1, 2, 2]])
    assert reciprocal(edge_index).tolist() == [[0, 5], [1, 3]]
    directed = gatsparse.nn.LayerAttention(
        "conv", edge_index[:, :1], torch.ones(1, 1), torch.zeros(1).bool(), torch.arange(1)
    )
    with pytest.raises(ValueError, match="edge_index: expected edges in both directions"):
        asymmetries(directed, torch.zeros(1, 1))
