"""Features of GATConv only, compared with PyG's layer on the same weights."""

import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook
from torch_geometric.nn import Linear

import gatsparse
from gatsparse import GATConv
from gatsparse.testing import graph_zoo, relative_error
from tests.nn.layers import assert_same, pair

ZOO = graph_zoo()
X = torch.randn(5, 6)
EDGES = torch.tensor([[0, 1], [1, 2]])


@pytest.mark.parametrize("name", ["bipartite, more sources", "bipartite, more destinations"])
def test_size_and_destinations_without_features(name):
    edge_index, size = ZOO[name]
    x_src, x_dst = (torch.randn(n, f, dtype=torch.float64) for n, f in zip(size, (4, 7)))  # noqa: B905
    theirs, ours = pair("GATConv", (4, 7), 5, heads=3)
    assert_same(theirs, ours, (x_src, x_dst), edge_index, size=size)
    assert_same(theirs, ours, (x_src, None), edge_index, size=size)


def test_edge_features_without_edge_dim_are_not_used():
    theirs, ours = pair("GATConv", 6, 5, heads=3)
    x = X.double()
    edge_attr = torch.randn(2, 3, dtype=torch.float64)
    assert relative_error(ours(x, EDGES, edge_attr), theirs(x, EDGES, edge_attr)) <= 1e-12


def test_edge_features_are_not_projected(monkeypatch):
    """The term of an edge is computed as <W^T a, e>, without a call of the projection."""
    conv = GATConv(6, 5, heads=3, edge_dim=3)
    called, forward = [], Linear.forward
    monkeypatch.setattr(Linear, "forward", lambda lin, x: called.append(lin) or forward(lin, x))
    conv(X, EDGES, torch.randn(2, 3)).sum().backward()
    assert called == [conv.lin]


def test_modified_projection_of_edges_is_called():
    """The projection has a bias, is wrapped, or has a global hook."""
    edge_attr = torch.randn(2, 3, dtype=torch.float64)

    def biased(conv):
        conv.lin_edge = Linear(3, 15, bias=True).double()
        with torch.no_grad():
            conv.lin_edge.weight.fill_(0.3), conv.lin_edge.bias.copy_(torch.linspace(-1, 1, 15))

    def wrapped(conv):
        forward = conv.lin_edge.forward
        conv.lin_edge.forward = lambda e: forward(e).sin()

    for change in (biased, wrapped):
        layers = pair("GATConv", 6, 5, heads=3, edge_dim=3)
        for conv in layers:
            change(conv)
        assert_same(*layers, (X.double(),), EDGES, edge_attr)
    theirs, ours = pair("GATConv", 6, 5, heads=3, edge_dim=3)
    hook = register_module_forward_hook(
        lambda module, _args, out: 2 * out if isinstance(module, Linear) else None
    )
    try:
        assert_same(theirs, ours, (X.double(),), EDGES, edge_attr)
    finally:
        hook.remove()


def test_overridden_propagate_is_used():
    class Silent(GATConv):
        def propagate(self, edge_index, size=None, **kwargs):  # noqa: ARG002
            return torch.zeros_like(kwargs["x"][0])

    assert not Silent(6, 5, heads=3, bias=False)(X, EDGES).any()


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((5, 7), r"size\[1\]: expected 5 to match x, got 7"),
        ((4, 5), r"size\[0\]: expected 5 to match x, got 4"),
    ],
)
def test_bad_size_raises(size, message):
    with pytest.raises(ValueError, match=message):
        GATConv(6, 5, heads=3)(X, EDGES, size=size)


def test_size_must_be_a_pair():
    with pytest.raises(TypeError, match="size: expected a pair of integers, got 5"):
        GATConv(6, 5)(X, EDGES, size=5)


def test_public_names_have_docstrings():
    for name in gatsparse.__all__:
        assert getattr(gatsparse, name).__doc__
