"""Second derivatives and batched gradients are computed, or raise and name an alternative."""

import pytest
import torch

from gatsparse import CSRGraph
from gatsparse.ops import (
    dropout,
    elu_dropout,
    gat_attention,
    gatv2_attention,
    neighbor_sum,
    sparse_linear,
)


def weight() -> torch.Tensor:
    return torch.randn(3, 4, requires_grad=True)


@pytest.mark.parametrize("operator", [dropout, elu_dropout])
def test_batches_of_gradients(operator):
    w = weight()
    out, grads_out = operator(w, 0.5), torch.randn(5, 3, 4)
    (batch,) = torch.autograd.grad(out, w, grads_out, is_grads_batched=True, retain_graph=True)
    for grad_out, grad in zip(grads_out, batch, strict=True):
        (alone,) = torch.autograd.grad(out, w, grad_out, retain_graph=True)
        assert torch.equal(grad, alone)


def test_second_derivative_of_sparse_linear_names_the_alternative():
    x, w = torch.eye(4).to_sparse_coo(), weight()
    out = sparse_linear(x, w)
    grad_out = torch.ones_like(out, requires_grad=True)
    instead = r"use torch\.nn\.functional\.linear with x\.to_dense\(\)"
    with pytest.raises(NotImplementedError, match=f"^sparse_linear: batches of .*{instead}"):
        torch.autograd.grad(
            out, w, torch.ones(2, *out.shape), is_grads_batched=True, retain_graph=True
        )
    (grad,) = torch.autograd.grad(out, w, grad_out, create_graph=True)
    with pytest.raises(NotImplementedError, match=f"^sparse_linear: second .*{instead}"):
        grad.sum().backward()


def test_neighbor_sum_names_what_computes_batches():
    graph = CSRGraph.from_edge_index(torch.tensor([[0, 1], [2, 2]]), num_nodes=3)
    x = torch.randn(3, 4, requires_grad=True)
    out = neighbor_sum(x, graph)
    with pytest.raises(NotImplementedError, match=r"^neighbor_sum: batches of .*index_add"):
        torch.autograd.grad(out, x, torch.ones(2, *out.shape), is_grads_batched=True)


def test_nodes_of_the_autograd_graph_are_named_after_their_operators():
    graph = CSRGraph.from_edge_index(torch.tensor([[0, 1], [2, 2]]), num_nodes=3)
    x, att = torch.randn(3, 2, 4, requires_grad=True), torch.randn(1, 2, 4)
    for out, name in (
        (dropout(x, 0.5), "gatsparse_dropoutBackward"),
        (gat_attention(x, att, att, graph), "gatsparse_gatBackward"),
        (gatv2_attention(x, x, att, graph), "gatsparse_gatv2Backward"),
    ):
        assert out.grad_fn.name() == name
