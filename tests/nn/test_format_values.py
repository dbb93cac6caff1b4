"""Edge features given together with a format, or as values of a sparse matrix."""

import pytest
import torch
from torch_geometric.utils import to_edge_index, to_torch_sparse_tensor

from gatsparse.testing import relative_error
from tests.nn.formats import (
    FORMATS,
    SPARSE_WARNINGS,
    assert_equal,
    every_format,
)
from tests.nn.inputs import ZOO, every_layer, features
from tests.nn.layers import outputs_and_gradients, pair

pytestmark = SPARSE_WARNINGS


@pytest.mark.parametrize("fill_value", [0.5, "mean", "add", "min", "max", "mul"])
@every_format
@every_layer
def test_fill_value_of_every_format(layer, format, fill_value):
    edges, size = ZOO["duplicate loops"]
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=3, fill_value=fill_value)
    adj, order = FORMATS[format](edges, size)
    x, edge_attr = (features(size[0]),), features(edges.size(1), 3)
    expected = outputs_and_gradients(theirs, x, edges, edge_attr)
    expected[2] = expected[2][order]
    assert_equal(outputs_and_gradients(ours, x, adj, edge_attr[order]), expected)


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_values_of_a_sparse_matrix_are_edge_features(layer, add_self_loops):
    """One-dimensional values are ignored, as in PyG."""
    edges, size = ZOO["random"]
    edges = torch.unique(edges, dim=1)
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=3, add_self_loops=add_self_loops)
    x, edge_attr = features(size[0]), features(edges.size(1), 3)
    adj = torch.sparse_coo_tensor(edges.flip(0), edge_attr, (*size[::-1], 3)).coalesce()
    src_dst, values = to_edge_index(adj)
    expected = theirs(x, src_dst.flip(0), values)
    assert relative_error(ours(x, adj), expected) <= 1e-10
    assert relative_error(ours(x, adj, values), expected) <= 1e-10
    if not add_self_loops:
        assert relative_error(theirs(x, adj), expected) <= 1e-10
    weights = torch.sparse_coo_tensor(src_dst, features(edges.size(1), 1)[:, 0], size[::-1])
    assert relative_error(ours(x, weights), theirs(x, edges)) <= 1e-10


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_values_of_a_sparse_matrix_have_gradients(layer, add_self_loops, layout):
    edges, size = ZOO["random"]
    edges = torch.unique(edges, dim=1)
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=3, add_self_loops=add_self_loops)
    x = features(size[0])
    order = (edges[1] * size[0] + edges[0]).argsort()
    values = features(edges.size(1), 3)
    grads = []
    for conv in (theirs, ours):
        leaf = values.clone().requires_grad_()
        if conv is theirs:
            out = conv(x, edges[:, order], leaf)
        else:
            out = conv(x, to_torch_sparse_tensor(edges[:, order].flip(0), leaf, size, True, layout))
        grads += torch.autograd.grad(out.square().sum(), leaf)
    assert relative_error(*grads) <= 1e-10
    loose = torch.sparse_coo_tensor(edges.flip(0), leaf, (*size, 3))
    with pytest.raises(ValueError, match="edge_index: expected a coalesced matrix for gradients"):
        ours(x, loose)
