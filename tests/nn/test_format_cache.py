"""The CSR graph of every format is cached, also across inference mode, until its edges change."""

import pytest
import torch

from gatsparse.adjacency import as_graph
from gatsparse.testing import relative_error
from tests.nn.formats import (
    FORMATS,
    SPARSE_WARNINGS,
    assert_equal,
    edge_index,
    every_format,
)
from tests.nn.inputs import ZOO, every_layer, features
from tests.nn.layers import outputs_and_gradients, pair

pytestmark = SPARSE_WARNINGS


@every_format
def test_graph_of_a_format_is_cached(format):
    edges, size = ZOO["random"]
    adj, order = FORMATS[format](edges, size)
    graph = as_graph(adj, size)
    assert as_graph(adj, size) is graph
    assert torch.equal(graph.edge_index(), edges[:, order])


CHANGES = {
    "fill_": lambda e: e.fill_(2),
    "clamp_": lambda e: e.clamp_(max=20),
    "item": lambda e: e.__setitem__((0, 0), 3),
    "copy_": lambda e: e.copy_(ZOO["random"].edge_index.flip(0)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("format", ["int64", "int32", "EdgeIndex"])
def test_in_place_changes_are_seen(format, change):
    edges, size = ZOO["random"]
    theirs, ours = pair("GATConv", 6, 5, heads=3)
    adj, _ = FORMATS[format](edges.clone(), size)
    x = features(size[0])
    ours(x, adj)
    CHANGES[change](adj)
    plain = torch.tensor(adj.tolist())
    assert relative_error(ours(x, adj), theirs(x, plain)) <= 1e-10


@pytest.mark.parametrize("sort_order", ["row", "col"])
def test_outdated_pointers_are_not_used(sort_order):
    edges, size = ZOO["random"]
    theirs, ours = pair("GATConv", 6, 5, heads=3)
    adj, _ = edge_index(sort_order, filled=True)(edges, size)
    x, data = features(size[0]), adj.as_tensor()
    row = data[("row", "col").index(sort_order)]
    k = int((row.diff() > 0).nonzero()[1])
    row[k + 1] = row[k]
    assert relative_error(ours(x, adj), theirs(x, data)) <= 1e-10


@every_format
@every_layer
def test_graph_cached_in_inference_mode_works_in_training(layer, format):
    edges, size = ZOO["random"]
    theirs, ours = pair(layer, 6, 5, heads=3)
    adj, _ = FORMATS[format](edges.clone(), size)
    x = (features(size[0]),)
    with torch.inference_mode():
        ours(x[0], adj)
    assert_equal(outputs_and_gradients(ours, x, adj), outputs_and_gradients(theirs, x, edges))


@pytest.mark.parametrize("format", ["int64", "EdgeIndex by col", "torch.sparse CSR", "CSRGraph"])
def test_formats_created_in_inference_mode_work_in_training(format):
    edges, size = ZOO["random"]
    theirs, ours = pair("GATConv", 6, 5, heads=3)
    with torch.inference_mode():
        adj, _ = FORMATS[format](edges.clone(), size)
    x = (features(size[0]),)
    assert_equal(outputs_and_gradients(ours, x, adj), outputs_and_gradients(theirs, x, edges))
