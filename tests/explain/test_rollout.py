"""Attention rollout equals products of dense matrices."""

import pytest
import torch

import gatsparse
from gatsparse import attention_weights
from gatsparse.explain.rollout import direct_attention, residual_shares, rollout


def dense(layer, num_nodes):
    matrix = torch.zeros(num_nodes, num_nodes, dtype=torch.float64)
    src, dst = layer.edge_index
    return matrix.index_put((dst, src), layer.alpha.double().mean(dim=1), accumulate=True)


@pytest.mark.parametrize("residual", [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]])
def test_equals_product_of_matrices(model, data, residual):
    layers = attention_weights(model, data)
    first, second = (
        r * torch.eye(80, dtype=torch.float64) + (1 - r) * dense(layer, 80)
        for layer, r in zip(layers, residual, strict=True)
    )
    inputs, hidden, output = rollout(layers, residual, 80)
    torch.testing.assert_close(inputs, (second @ first)[0])
    torch.testing.assert_close(hidden, second[0])
    assert output.nonzero().tolist() == [[0]]
    # The weights are float32 and sum to 1 within their rounding errors.
    assert inputs.sum().item() == pytest.approx(1, abs=1e-5)


def test_direct_attention_is_the_row_of_each_layer(model, data):
    layers = attention_weights(model, data)
    attention, equal = direct_attention(layers, 80)
    for k, layer in enumerate(layers):
        row = dense(layer, 80)[0]
        torch.testing.assert_close(attention[:, k], row)
        assert ((equal[:, k] > 0) == (row > 0)).all()
        assert equal[:, k].sum().item() == pytest.approx(1)


@pytest.mark.parametrize(("residual", "expected"), [(False, 0.0), (True, 0.5)])
def test_residual_connections_are_recognised(residual, expected):
    model = gatsparse.GAT(6, 8, 2, out_channels=3, residual=residual)
    assert residual_shares(model, ["convs.0", "convs.1"]) == [expected, expected]
