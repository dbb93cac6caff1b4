"""Noise edges and their share of the attention."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch_geometric.utils import coalesce, is_undirected, to_undirected

import gatsparse
from benchmarks.experiments.claims.models import MODELS
from benchmarks.experiments.claims.noise import equal_weights, noise_edges, weight_share
from gatsparse.train import ModelConfig
from tests.benchmarks.experiments.claims.made_up import random_data


@st.composite
def undirected(draw):
    num_nodes = draw(st.integers(2, 12))
    node = st.integers(0, num_nodes - 1)
    pairs = draw(st.lists(st.tuples(node, node).filter(lambda p: p[0] != p[1]), max_size=20))
    edge_index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    return to_undirected(edge_index, num_nodes=num_nodes), num_nodes


@given(undirected(), st.integers(0, 300), st.integers(0, 5))
def test_noise_edges_are_new_undirected_and_nested(graph, percent, seed):
    edge_index, num_nodes = graph
    count = round(percent / 100 * edge_index.size(1) / 2)
    free = num_nodes * (num_nodes - 1) // 2 - edge_index.size(1) // 2
    if count > free:
        with pytest.raises(ValueError, match=f"ratio: expected at most {free} .* got {count}"):
            noise_edges(edge_index, num_nodes, percent / 100, seed)
        return
    noise = noise_edges(edge_index, num_nodes, percent / 100, seed)
    assert noise.dtype == torch.int64
    assert noise.shape == (2, 2 * count)
    assert (noise[0] != noise[1]).all()
    together = torch.cat([edge_index, noise], dim=1)
    assert together.unique(dim=1).shape == together.shape
    assert is_undirected(coalesce(together), num_nodes=num_nodes)
    assert noise.equal(noise_edges(edge_index, num_nodes, percent / 100, seed))
    less = noise_edges(edge_index, num_nodes, percent / 200, seed)
    assert noise[:, : less.size(1)].equal(less)


def test_noise_depends_on_the_seed_and_is_uniform():
    edge_index = torch.tensor([[0, 1], [1, 0]])
    drawn = [noise_edges(edge_index, 4, 1.0, seed)[:, 0].tolist() for seed in range(500)]
    counts = np.unique(np.array(drawn) @ [4, 1], return_counts=True)[1]
    assert len(counts) == 5
    assert stats.chisquare(counts).pvalue > 1e-4
    with pytest.raises(ValueError, match="ratio: expected >= 0, got -1"):
        noise_edges(edge_index, 4, -1, 0)


def test_mean_model_gives_noise_the_baseline_share():
    data = random_data()
    num_edges = data.edge_index.size(1)
    noise = noise_edges(data.edge_index, 30, 0.5, 0)
    data.edge_index = torch.cat([data.edge_index, noise], dim=1)
    model = MODELS["mean"].build(data, ModelConfig())
    for attention in gatsparse.attention_weights(model, data):
        dst, is_noise = attention.edge_index[1], attention.edge_id >= num_edges
        assert int(is_noise.sum()) == noise.size(1)
        share = weight_share(dst, attention.alpha, is_noise)
        baseline = weight_share(dst, equal_weights(dst), is_noise)
        assert share == pytest.approx(baseline)
        degree = data.edge_index[1].bincount(minlength=30) + 1
        of_noise = noise[1].bincount(minlength=30)
        hit = of_noise > 0
        assert baseline == pytest.approx((of_noise[hit] / degree[hit]).mean().item())


def test_weight_share_by_hand():
    dst = torch.tensor([0, 0, 1, 1, 2])
    weight = torch.tensor([[0.25, 0.5], [0.75, 0.5], [0.1, 0.3], [0.9, 0.7], [1.0, 1.0]])
    chosen = torch.tensor([True, False, True, True, False])
    assert weight_share(dst, weight, chosen) == pytest.approx((0.25 + 0.5 + 1 + 1) / 4)
