"""The models that attention is compared with."""

import pytest
import torch

from benchmarks.experiments.claims.models import MODELS, MeanConv
from gatsparse.train import ModelConfig
from tests.benchmarks.experiments.claims.made_up import random_data


def reference(conv, x, edge_index):
    """Computes the mean over the neighbours and the node itself, by definition."""
    num_nodes = x.size(0)
    adj = torch.zeros(num_nodes, num_nodes, dtype=x.dtype)
    adj[edge_index[1], edge_index[0]] = 1.0
    adj.fill_diagonal_(1.0)
    out = adj / adj.sum(1, keepdim=True) @ (x @ conv.lin.weight.T)
    if not conv.concat:
        out = out.view(num_nodes, conv.heads, -1).mean(1)
    return out + conv.bias


@pytest.mark.parametrize("concat", [True, False])
def test_mean_layer_equals_its_definition(concat):
    data = random_data()
    conv = MeanConv(7, 5, heads=3, concat=concat, dropout=0.6).double().eval()
    torch.nn.init.normal_(conv.bias)
    x = data.x.double().requires_grad_()
    out, expected = conv(x, data.edge_index), reference(conv, x, data.edge_index)
    torch.testing.assert_close(out, expected)
    inputs = x, conv.lin.weight, conv.bias
    grad = torch.randn_like(out)
    found = torch.autograd.grad(out, inputs, grad)
    torch.testing.assert_close(found, torch.autograd.grad(expected, inputs, grad))
    assert not conv.att_src.requires_grad
    assert not conv.att_dst.requires_grad


def test_mean_model_starts_as_the_gat_without_attention():
    data, config = random_data(), ModelConfig()
    models = {}
    for name in ("GAT", "mean"):
        torch.manual_seed(3)
        models[name] = MODELS[name].build(data, config)
    gat, mean = (models[name].state_dict() for name in ("GAT", "mean"))
    assert gat.keys() == mean.keys()
    for key, value in gat.items():
        assert mean[key].equal(torch.zeros_like(value) if "att_" in key else value)


def test_gcn_is_as_wide_as_the_gat():
    data = random_data()
    model = MODELS["GCN"].build(data, ModelConfig())
    assert (model.conv1.out_channels, model.conv2.out_channels) == (64, 3)
    assert model(data.x, data.edge_index).shape == (30, 3)
