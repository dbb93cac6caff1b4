"""Every format of ``edge_index`` equals PyG's layer on plain edges."""

import pytest
import torch
from torch_geometric.utils import to_edge_index

from gatsparse.adjacency import as_graph
from gatsparse.testing import relative_error
from tests.nn.formats import (
    FORMATS,
    SPARSE,
    SPARSE_WARNINGS,
    assert_equal,
    every_format,
)
from tests.nn.inputs import ZOO, every_layer, features
from tests.nn.layers import OURS, Operators, outputs_and_gradients, pair

pytestmark = SPARSE_WARNINGS


@pytest.mark.parametrize("flow", ["source_to_target", "target_to_source"])
@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("name", ["random", "duplicate loops"])
@every_format
@every_layer
def test_equals_pyg_on_plain_edges(layer, format, name, add_self_loops, edge_dim, flow):
    edges, size = ZOO[name]
    options = {"edge_dim": edge_dim, "add_self_loops": add_self_loops, "flow": flow}
    theirs, ours = pair(layer, 6, 5, heads=3, backend="fused", **options)
    adj, order = FORMATS[format](edges, size)
    x = (features(size[0]),)
    edge_attr = None if edge_dim is None else features(edges.size(1), 3)
    expected = outputs_and_gradients(theirs, x, edges, edge_attr)
    actual = outputs_and_gradients(ours, x, adj, None if edge_attr is None else edge_attr[order])
    if edge_attr is not None:
        expected[2] = expected[2][order]
    assert_equal(actual, expected)


@pytest.mark.parametrize("name", ["bipartite, more sources", "bipartite, more destinations"])
@pytest.mark.parametrize("add_self_loops", [False, True])
@every_format
@every_layer
def test_equals_pyg_on_bipartite_graphs(layer, format, name, add_self_loops):
    edges, size = ZOO[name]
    theirs, ours = pair(layer, (6, 4), 5, heads=3, add_self_loops=add_self_loops, backend="fused")
    x = features(size[0]), features(size[1], 4)
    adj, _ = FORMATS[format](edges, size)
    expected = outputs_and_gradients(theirs, x, edges)
    assert_equal(outputs_and_gradients(ours, x, adj), expected)


@every_format
def test_sources_without_destination_features(format):
    edges, size = ZOO["bipartite, more sources"]
    theirs, ours = pair("GATConv", (6, 4), 5, heads=3)
    x = features(size[0]), None
    adj, _ = FORMATS[format](edges, size)
    expected = outputs_and_gradients(theirs, x, edges, size=size)
    assert_equal(outputs_and_gradients(ours, x, adj, size=size), expected)
    if (
        format in SPARSE
        or format == "CSRGraph"
        or ("EdgeIndex" in format and "without" not in format)
    ):
        assert_equal(outputs_and_gradients(ours, x, adj), expected)


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_format
@every_layer
def test_attention_has_the_format_of_pyg(layer, format, add_self_loops):
    edges, size = ZOO["random"]
    edges = torch.unique(edges, dim=1)[:, torch.randperm(torch.unique(edges, dim=1).size(1))]
    theirs, ours = pair(layer, 6, 5, heads=3, add_self_loops=add_self_loops)
    adj, _ = FORMATS[format](edges, size)
    x = features(size[0])
    _, attention = ours(x, adj, return_attention_weights=True)
    if format == "SparseTensor":
        expected = theirs(x, adj, return_attention_weights=True)[1]
        assert_equal(attention.coo(), expected.coo())
        return
    edge_index, alpha = attention
    if format in ("torch.sparse CSC", "CSRGraph", "torch.sparse COO, not coalesced"):
        # PyG fails. The same attention by pair of nodes:
        if format in SPARSE:
            assert edge_index.layout == adj.layout
            pairs, values = to_edge_index(edge_index)
            edge_index = pairs.flip(0)
            assert torch.equal(values, alpha)
        dense = torch.zeros(2, *size, 3, dtype=torch.float64)
        _, (their_edges, their_alpha) = theirs(x, edges, return_attention_weights=True)
        dense[0][tuple(edge_index)], dense[1][tuple(their_edges)] = alpha, their_alpha
        assert relative_error(*dense) <= 1e-12
        return
    _, (their_edges, their_alpha) = theirs(x, adj, return_attention_weights=True)
    assert type(edge_index) is type(their_edges)
    assert (edge_index.dtype, edge_index.layout) == (their_edges.dtype, their_edges.layout)
    if format in SPARSE:
        assert relative_error(edge_index.to_dense(), their_edges.to_dense()) <= 1e-12
        assert torch.equal(edge_index.values(), alpha)
    else:
        assert torch.equal(torch.as_tensor(edge_index), torch.as_tensor(their_edges))
    assert relative_error(alpha, their_alpha) <= 1e-12


SORTS = {"aten::sort", "aten::argsort", "gatsparse::coo_to_csr"}
TRANSPOSES = "gatsparse::csr_transpose"


@pytest.mark.parametrize("format", [name for name in FORMATS if " by " in name or " CS" in name])
def test_sorted_formats_are_not_sorted_again(format):
    """Edges sorted by source only are transposed; a filled EdgeIndex holds its transpose."""
    adj, _ = FORMATS[format](*ZOO["random"])
    with Operators() as called:
        as_graph(adj, ZOO["random"].size)
    assert not called.names & SORTS
    by_source = format in ("EdgeIndex by row", "torch.sparse CSC")
    assert (TRANSPOSES in called.names) == by_source
    with Operators() as called:
        as_graph(ZOO["random"].edge_index.clone(), ZOO["random"].size)
    assert called.names & SORTS


@every_layer
def test_hooks_work_with_formats_that_pyg_rejects(layer):
    edges, size = ZOO["random"]
    theirs, ours = pair(layer, 6, 5, heads=3)
    x = (features(size[0]),)
    expected = outputs_and_gradients(theirs, x, edges)
    ours.register_message_forward_hook(lambda *_: None)
    for format in ("torch.sparse CSC", "CSRGraph"):
        adj, _ = FORMATS[format](edges, size)
        assert_equal(outputs_and_gradients(ours, x, adj), expected)


@every_format
@every_layer
def test_target_to_source_flow_of_bipartite_graphs(layer, format):
    """Messages go from the nodes in the second row to those in the first."""
    edges, size = ZOO["bipartite, more sources"]
    theirs, _ = pair(layer, (6, 4), 5, heads=3)
    ours = OURS[layer]((6, 4), 5, heads=3, flow="target_to_source").double()
    ours.load_state_dict(theirs.state_dict())
    x = features(size[0]), features(size[1], 4)
    adj, _ = FORMATS[format](edges.flip(0), size[::-1])
    assert_equal(outputs_and_gradients(ours, x, adj), outputs_and_gradients(theirs, x, edges))


def pyg_fails(layer, format, **options):
    """Returns whether PyG's layer raises; ours must return PyG's result for plain edges."""
    edges, size = ZOO["random"]
    edges = torch.unique(edges, dim=1)
    edge_dim = options.get("edge_dim")
    theirs, ours = pair(layer, 6, 5, heads=3, **options)
    adj, order = FORMATS[format](edges, size)
    x = features(size[0])
    edge_attr = [] if edge_dim is None else [features(edges.size(1), edge_dim)]
    out = ours(x, adj, *(e[order] for e in edge_attr))
    assert relative_error(out, theirs(x, edges, *edge_attr)) <= 1e-10
    try:
        theirs(x, adj, *(e[order] for e in edge_attr))
    except (AssertionError, RuntimeError, ValueError, NotImplementedError, AttributeError):
        return True
    return False


@pytest.mark.parametrize("format", SPARSE)
@every_layer
def test_pyg_rejects_edge_features_and_self_loops_with_sparse_matrices(layer, format):
    assert pyg_fails(layer, format, edge_dim=3)


@pytest.mark.parametrize("format", SPARSE)
@every_layer
def test_pyg_rejects_target_to_source_flow_of_sparse_matrices(layer, format):
    assert pyg_fails(layer, format, flow="target_to_source")


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_pyg_rejects_csc_matrices_and_csr_graphs(layer, add_self_loops):
    assert pyg_fails(layer, "torch.sparse CSC", add_self_loops=add_self_loops)
    assert pyg_fails(layer, "CSRGraph", add_self_loops=add_self_loops)


@pytest.mark.parametrize("name", ["isolated nodes", "no edges", "one node"])
@every_format
@every_layer
def test_nodes_without_edges(layer, format, name):
    """PyG infers the number of nodes of an EdgeIndex without a size from its largest index."""
    edges, size = ZOO[name]
    theirs, ours = pair(layer, 6, 5, heads=3)
    x = features(size[0])
    adj, _ = FORMATS[format](edges, size)
    assert relative_error(ours(x, adj), theirs(x, edges)) <= 1e-10


def test_pyg_rejects_isolated_last_nodes_in_a_sorted_edge_index():
    edges, size = ZOO["isolated nodes"]
    theirs, _ = pair("GATConv", 6, 5, heads=3, add_self_loops=False)
    adj, _ = FORMATS["EdgeIndex by col, without size"](edges, size)
    with pytest.raises(ValueError, match="Encountered tensor with size 9"):
        theirs(features(size[0]), adj)
