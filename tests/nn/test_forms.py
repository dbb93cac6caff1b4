"""Every form that PyG takes in place of ``edge_index``, beside PyG's layer on plain edges."""

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.typing import WITH_TORCH_SPARSE, SparseTensor
from torch_geometric.utils import to_edge_index, to_torch_sparse_tensor

from gatsparse import CSRGraph
from gatsparse.adjacency import as_graph
from gatsparse.testing import graph_zoo, relative_error
from tests.nn.layers import OURS, Operators, outputs_and_gradients, pair

ZOO = graph_zoo()
every_layer = pytest.mark.parametrize("layer", OURS)

# Each takes edges and sizes, and gives the form and the order in which it holds the edges.


def edges_as(dtype):
    return lambda edges, _size: (edges.to(dtype), torch.arange(edges.size(1)))


def non_contiguous(edges, _size):
    return edges.t().contiguous().t(), torch.arange(edges.size(1))


def strided(edges, _size):
    return torch.stack([edges, edges], dim=2)[:, :, 1], torch.arange(edges.size(1))


def sorted_edges(edges, _size):
    order = edges[1].argsort(stable=True)
    return edges[:, order], order


def edge_index(sort_order=None, with_size=True, filled=False):
    def form(edges, size):
        order = torch.arange(edges.size(1))
        if sort_order is not None:
            order = edges[("row", "col").index(sort_order)].argsort(stable=True)
        sizes = {"sparse_size": size} if with_size else {}
        adj = EdgeIndex(edges[:, order].contiguous(), sort_order=sort_order, **sizes)
        return adj.fill_cache_() if filled else adj, order

    return form


def sparse(layout):
    def form(edges, size):
        src, dst = edges
        by_col = layout == torch.sparse_csc
        key = src * size[1] + dst if by_col else dst * size[0] + src
        order = key.argsort(stable=True)
        ones = torch.ones(edges.size(1), dtype=torch.float64)
        adj = to_torch_sparse_tensor(edges[:, order].flip(0), ones, size[::-1], True, layout)
        return adj, order

    return form


def uncoalesced(edges, size):
    ones = torch.ones(edges.size(1), dtype=torch.float64)
    return torch.sparse_coo_tensor(edges.flip(0), ones, size[::-1]), torch.arange(edges.size(1))


def sparse_tensor(edges, size):
    src, dst = edges
    order = (dst * size[0] + src).argsort(stable=True)
    adj = SparseTensor(row=dst[order], col=src[order], sparse_sizes=size[::-1], is_sorted=True)
    return adj, order


def structure(edges, size):
    return CSRGraph.from_edge_index(edges, size=size), torch.arange(edges.size(1))


FORMS = {
    "int64": edges_as(torch.int64),
    "int32": edges_as(torch.int32),
    "non-contiguous": non_contiguous,
    "strided": strided,
    "sorted": sorted_edges,
    "EdgeIndex": edge_index(),
    "EdgeIndex without size": edge_index(with_size=False),
    "EdgeIndex by col": edge_index("col"),
    "EdgeIndex by col, without size": edge_index("col", with_size=False),
    "EdgeIndex by col, filled": edge_index("col", filled=True),
    "EdgeIndex by row": edge_index("row"),
    "EdgeIndex by row, filled": edge_index("row", filled=True),
    "torch.sparse CSR": sparse(torch.sparse_csr),
    "torch.sparse CSC": sparse(torch.sparse_csc),
    "torch.sparse COO": sparse(torch.sparse_coo),
    "torch.sparse COO, not coalesced": uncoalesced,
    "CSRGraph": structure,
}
if WITH_TORCH_SPARSE:  # deprecated, so nothing here installs it
    FORMS["SparseTensor"] = sparse_tensor
SPARSE = [name for name in FORMS if "parse" in name]
every_form = pytest.mark.parametrize("form", FORMS)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly:UserWarning"),
]


def features(num_nodes, channels=6):
    return torch.randn(num_nodes, channels, dtype=torch.float64)


def assert_equal(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == b.shape
        assert relative_error(a, b) <= 1e-10


@pytest.mark.parametrize("flow", ["source_to_target", "target_to_source"])
@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("name", ["random", "duplicate loops"])
@every_form
@every_layer
def test_equals_pyg_on_plain_edges(layer, form, name, add_self_loops, edge_dim, flow):
    edges, size = ZOO[name]
    options = {"edge_dim": edge_dim, "add_self_loops": add_self_loops, "flow": flow}
    theirs, ours = pair(layer, 6, 5, heads=3, backend="fused", **options)
    adj, order = FORMS[form](edges, size)
    x = (features(size[0]),)
    edge_attr = None if edge_dim is None else features(edges.size(1), 3)
    expected = outputs_and_gradients(theirs, x, edges, edge_attr)
    actual = outputs_and_gradients(ours, x, adj, None if edge_attr is None else edge_attr[order])
    if edge_attr is not None:
        expected[2] = expected[2][order]
    assert_equal(actual, expected)


@pytest.mark.parametrize("name", ["bipartite, more sources", "bipartite, more destinations"])
@pytest.mark.parametrize("add_self_loops", [False, True])
@every_form
@every_layer
def test_equals_pyg_on_bipartite_graphs(layer, form, name, add_self_loops):
    edges, size = ZOO[name]
    theirs, ours = pair(layer, (6, 4), 5, heads=3, add_self_loops=add_self_loops, backend="fused")
    x = features(size[0]), features(size[1], 4)
    adj, _ = FORMS[form](edges, size)
    expected = outputs_and_gradients(theirs, x, edges)
    assert_equal(outputs_and_gradients(ours, x, adj), expected)


@every_form
def test_sources_alone(form):
    edges, size = ZOO["bipartite, more sources"]
    theirs, ours = pair("GATConv", (6, 4), 5, heads=3)
    x = features(size[0]), None
    adj, _ = FORMS[form](edges, size)
    expected = outputs_and_gradients(theirs, x, edges, size=size)
    assert_equal(outputs_and_gradients(ours, x, adj, size=size), expected)
    if form in SPARSE or form == "CSRGraph" or ("EdgeIndex" in form and "without" not in form):
        assert_equal(outputs_and_gradients(ours, x, adj), expected)


# Edge features ###################################################################


@pytest.mark.parametrize("fill_value", [0.5, "mean", "add", "min", "max", "mul"])
@every_form
@every_layer
def test_fill_value(layer, form, fill_value):
    edges, size = ZOO["duplicate loops"]
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=3, fill_value=fill_value)
    adj, order = FORMS[form](edges, size)
    x, edge_attr = (features(size[0]),), features(edges.size(1), 3)
    expected = outputs_and_gradients(theirs, x, edges, edge_attr)
    expected[2] = expected[2][order]
    assert_equal(outputs_and_gradients(ours, x, adj, edge_attr[order]), expected)


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_values_of_a_sparse_matrix_are_edge_features(layer, add_self_loops):
    """Those of one dimension are not, as in PyG."""
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


# Attention #######################################################################


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_form
@every_layer
def test_attention_in_the_form_that_pyg_gives(layer, form, add_self_loops):
    edges, size = ZOO["random"]
    edges = torch.unique(edges, dim=1)[:, torch.randperm(torch.unique(edges, dim=1).size(1))]
    theirs, ours = pair(layer, 6, 5, heads=3, add_self_loops=add_self_loops)
    adj, _ = FORMS[form](edges, size)
    x = features(size[0])
    _, attention = ours(x, adj, return_attention_weights=True)
    if form == "SparseTensor":
        expected = theirs(x, adj, return_attention_weights=True)[1]
        assert_equal(attention.coo(), expected.coo())
        return
    edge_index, alpha = attention
    if form in ("torch.sparse CSC", "CSRGraph", "torch.sparse COO, not coalesced"):
        # PyG fails. The same attention by pair of nodes:
        if form in SPARSE:
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
    if form in SPARSE:
        assert relative_error(edge_index.to_dense(), their_edges.to_dense()) <= 1e-12
        assert torch.equal(edge_index.values(), alpha)
    else:
        assert torch.equal(torch.as_tensor(edge_index), torch.as_tensor(their_edges))
    assert relative_error(alpha, their_alpha) <= 1e-12


# Structure #######################################################################


@every_form
def test_structure_is_found_again(form):
    edges, size = ZOO["random"]
    adj, order = FORMS[form](edges, size)
    graph = as_graph(adj, size)
    assert as_graph(adj, size) is graph
    assert torch.equal(graph.edge_index(), edges[:, order])


SORTS = {"aten::sort", "aten::argsort", "gatsparse::coo_to_csr"}
TRANSPOSES = "gatsparse::csr_transpose"


@pytest.mark.parametrize("form", [name for name in FORMS if " by " in name or " CS" in name])
def test_what_is_sorted_is_not_sorted_again(form):
    """What is sorted by source alone is transposed; a filled EdgeIndex has its transpose."""
    adj, _ = FORMS[form](*ZOO["random"])
    with Operators() as called:
        as_graph(adj, ZOO["random"].size)
    assert not called.names & SORTS
    by_source = form in ("EdgeIndex by row", "torch.sparse CSC")
    assert (TRANSPOSES in called.names) == by_source
    with Operators() as called:
        as_graph(ZOO["random"].edge_index.clone(), ZOO["random"].size)
    assert called.names & SORTS


CHANGES = {
    "fill_": lambda e: e.fill_(2),
    "clamp_": lambda e: e.clamp_(max=20),
    "item": lambda e: e.__setitem__((0, 0), 3),
    "copy_": lambda e: e.copy_(ZOO["random"].edge_index.flip(0)),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("form", ["int64", "int32", "EdgeIndex"])
def test_changes_in_place_are_seen(form, change):
    edges, size = ZOO["random"]
    theirs, ours = pair("GATConv", 6, 5, heads=3)
    adj, _ = FORMS[form](edges.clone(), size)
    x = features(size[0])
    ours(x, adj)
    CHANGES[change](adj)
    plain = torch.tensor(adj.tolist())
    assert relative_error(ours(x, adj), theirs(x, plain)) <= 1e-10


@pytest.mark.parametrize("sort_order", ["row", "col"])
def test_pointers_older_than_the_edges_are_not_used(sort_order):
    edges, size = ZOO["random"]
    theirs, ours = pair("GATConv", 6, 5, heads=3)
    adj, _ = edge_index(sort_order, filled=True)(edges, size)
    x, data = features(size[0]), adj.as_tensor()
    row = data[("row", "col").index(sort_order)]
    k = int((row.diff() > 0).nonzero()[1])
    row[k + 1] = row[k]
    assert relative_error(ours(x, adj), theirs(x, data)) <= 1e-10


@every_form
@every_layer
def test_a_structure_first_met_in_inference_mode_serves_in_training(layer, form):
    edges, size = ZOO["random"]
    theirs, ours = pair(layer, 6, 5, heads=3)
    adj, _ = FORMS[form](edges.clone(), size)
    x = (features(size[0]),)
    with torch.inference_mode():
        ours(x[0], adj)
    assert_equal(outputs_and_gradients(ours, x, adj), outputs_and_gradients(theirs, x, edges))


@pytest.mark.parametrize("form", ["int64", "EdgeIndex by col", "torch.sparse CSR", "CSRGraph"])
def test_forms_made_in_inference_mode(form):
    edges, size = ZOO["random"]
    theirs, ours = pair("GATConv", 6, 5, heads=3)
    with torch.inference_mode():
        adj, _ = FORMS[form](edges.clone(), size)
    x = (features(size[0]),)
    assert_equal(outputs_and_gradients(ours, x, adj), outputs_and_gradients(theirs, x, edges))


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr])
@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_gradients_of_the_values_of_a_sparse_matrix(layer, add_self_loops, layout):
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


@every_layer
def test_hooks_beside_forms_that_pyg_does_not_take(layer):
    edges, size = ZOO["random"]
    theirs, ours = pair(layer, 6, 5, heads=3)
    x = (features(size[0]),)
    expected = outputs_and_gradients(theirs, x, edges)
    ours.register_message_forward_hook(lambda *_: None)
    for form in ("torch.sparse CSC", "CSRGraph"):
        adj, _ = FORMS[form](edges, size)
        assert_equal(outputs_and_gradients(ours, x, adj), expected)


@every_form
@every_layer
def test_the_other_flow_of_two_node_sets(layer, form):
    """Messages go to the second, from the second row of the edges to the first."""
    edges, size = ZOO["bipartite, more sources"]
    theirs, _ = pair(layer, (6, 4), 5, heads=3)
    ours = OURS[layer]((6, 4), 5, heads=3, flow="target_to_source").double()
    ours.load_state_dict(theirs.state_dict())
    x = features(size[0]), features(size[1], 4)
    adj, _ = FORMS[form](edges.flip(0), size[::-1])
    assert_equal(outputs_and_gradients(ours, x, adj), outputs_and_gradients(theirs, x, edges))


def test_edge_index_that_is_not_sorted_as_it_says():
    edges, size = ZOO["random"]
    for sort_order in ("row", "col"):
        with pytest.raises(
            ValueError, match=f"edge_index: expected to be sorted by '{sort_order}'"
        ):
            as_graph(EdgeIndex(edges, sparse_size=size, sort_order=sort_order), size)


BAD = torch.tensor([[0, 9], [1, 2]])


def compressed(build, ptr, other):
    return lambda: build(torch.tensor(ptr), torch.tensor(other), torch.ones(2), (5, 5))


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        (
            lambda: EdgeIndex(BAD),
            IndexError,
            r"edge_index\[0\]: expected indices in 0 .. 4, got 9 at position 1",
        ),
        (
            lambda: EdgeIndex(BAD, sort_order="row"),
            IndexError,
            r"edge_index\[0\]: expected indices in 0 .. 4, got 9 at position 1",
        ),
        (
            lambda: EdgeIndex(BAD, sparse_size=(10, 5)),
            ValueError,
            r"size\[0\]: expected 5, as x has it, got 10",
        ),
        (
            lambda: torch.eye(6).to_sparse(),
            ValueError,
            r"size\[0\]: expected 5, as x has it, got 6",
        ),
        (
            lambda: torch.ones(5, 5, 5).to_sparse(),
            ValueError,
            "edge_index: expected 2 sparse dimensions, got 3",
        ),
        (
            compressed(torch.sparse_csr_tensor, [0, 1, 1, 1, 1, 2], [0, 7]),
            IndexError,
            "col: expected indices in 0 .. 4, got 7 at position 1",
        ),
        (
            compressed(torch.sparse_csr_tensor, [0, 9, 1, 1, 1, 2], [0, 1]),
            ValueError,
            "rowptr: expected to rise from 0 to 2",
        ),
        (
            compressed(torch.sparse_csc_tensor, [0, 9, 1, 1, 1, 2], [0, 1]),
            ValueError,
            "colptr: expected to rise from 0 to 2",
        ),
    ],
)
@every_layer
def test_bad_form(layer, form, error, message):
    with pytest.raises(error, match=message):
        OURS[layer](6, 5)(torch.randn(5, 6), form())


# What PyG does not take ##########################################################


def pyg_fails(layer, form, **options):
    """Whether PyG's layer raises, where ours returns what it gives for plain edges."""
    edges, size = ZOO["random"]
    edges = torch.unique(edges, dim=1)
    edge_dim = options.get("edge_dim")
    theirs, ours = pair(layer, 6, 5, heads=3, **options)
    adj, order = FORMS[form](edges, size)
    x = features(size[0])
    edge_attr = [] if edge_dim is None else [features(edges.size(1), edge_dim)]
    out = ours(x, adj, *(e[order] for e in edge_attr))
    assert relative_error(out, theirs(x, edges, *edge_attr)) <= 1e-10
    try:
        theirs(x, adj, *(e[order] for e in edge_attr))
    except (AssertionError, RuntimeError, ValueError, NotImplementedError, AttributeError):
        return True
    return False


@pytest.mark.parametrize("form", SPARSE)
@every_layer
def test_pyg_refuses_edge_features_and_self_loops_beside_a_sparse_matrix(layer, form):
    assert pyg_fails(layer, form, edge_dim=3)


@pytest.mark.parametrize("form", SPARSE)
@every_layer
def test_pyg_refuses_the_other_flow_of_a_sparse_matrix(layer, form):
    assert pyg_fails(layer, form, flow="target_to_source")


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_pyg_refuses_compressed_columns_and_structures(layer, add_self_loops):
    assert pyg_fails(layer, "torch.sparse CSC", add_self_loops=add_self_loops)
    assert pyg_fails(layer, "CSRGraph", add_self_loops=add_self_loops)


@pytest.mark.parametrize("name", ["isolated nodes", "no edges", "one node"])
@every_form
@every_layer
def test_nodes_without_edges(layer, form, name):
    """PyG takes the largest index of an EdgeIndex without a size for the last node."""
    edges, size = ZOO[name]
    theirs, ours = pair(layer, 6, 5, heads=3)
    x = features(size[0])
    adj, _ = FORMS[form](edges, size)
    assert relative_error(ours(x, adj), theirs(x, edges)) <= 1e-10


def test_pyg_refuses_last_nodes_without_edges_in_a_sorted_edge_index():
    edges, size = ZOO["isolated nodes"]
    theirs, _ = pair("GATConv", 6, 5, heads=3, add_self_loops=False)
    adj, _ = FORMS["EdgeIndex by col, without size"](edges, size)
    with pytest.raises(ValueError, match="Encountered tensor with size 9"):
        theirs(features(size[0]), adj)
