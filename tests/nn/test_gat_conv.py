"""Our GATConv against PyG's, on the same weights."""

import copy
import pickle

import pytest
import torch
import torch_geometric.nn
from hypothesis import given, settings
from torch.utils.checkpoint import checkpoint

import gatsparse
from gatsparse import CSRGraph, GATConv
from gatsparse.testing import graph_zoo, relative_error
from tests.strategies import graphs

PyGGATConv = torch_geometric.nn.GATConv
ZOO = graph_zoo()
SQUARE = {name: graph for name, graph in ZOO.items() if graph.size[0] == graph.size[1]}
BACKENDS = ["auto", "fused", "scatter", "dense"]


def pair(*args, backend="auto", **kwargs):
    """PyG's layer and ours with the same random weights, biases included, in float64."""
    theirs = PyGGATConv(*args, **kwargs).double()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    ours = GATConv(*args, backend=backend, **kwargs).double()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def outputs_and_gradients(conv, x, *args, **kwargs):
    x = tuple(None if t is None else t.clone().requires_grad_() for t in x)
    out = conv(x if len(x) > 1 else x[0], *args, **kwargs)
    leaves = [t for t in x if t is not None] + list(conv.parameters())
    weight = torch.arange(out.numel(), dtype=out.dtype).reshape(out.shape).cos()
    grads = torch.autograd.grad(out, leaves, weight, allow_unused=True)
    return [out, *(torch.zeros_like(v) if g is None else g for g, v in zip(grads, leaves))]  # noqa: B905


def assert_same(theirs, ours, x, *args, **kwargs):
    expected = outputs_and_gradients(theirs, x, *args, **kwargs)
    actual = outputs_and_gradients(ours, x, *args, **kwargs)
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == b.shape
        assert relative_error(a, b) <= 1e-10


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SQUARE)
def test_equals_pyg_on_the_zoo(name, backend):
    edge_index, (num_nodes, _) = ZOO[name]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    assert_same(*pair(6, 5, heads=3, backend=backend), (x,), edge_index)


@settings(max_examples=50)
@given(graphs())
def test_equals_pyg_on_any_graph(graph):
    x_src, x_dst = (torch.randn(n, 4, dtype=torch.float64) for n in graph.size)
    if graph.size[0] == graph.size[1]:
        assert_same(*pair(4, 3, heads=2), (x_src,), graph.edge_index)
    assert_same(*pair((4, 4), 3, heads=2), (x_src, x_dst), graph.edge_index)


@pytest.mark.parametrize(
    "options",
    [
        {"concat": False},
        {"add_self_loops": False},
        {"bias": False},
        {"residual": True},
        {"residual": True, "concat": False},
        {"negative_slope": 0.0},
        {"heads": 1},
        {"edge_dim": 3},
        {"flow": "target_to_source"},
        {"aggr": "max"},
    ],
    ids=str,
)
def test_options(options):
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    theirs, ours = pair(6, 5, **{"heads": 3, **options})
    assert_same(theirs, ours, (x,), edge_index)


@pytest.mark.parametrize("fill_value", [0.5, "mean", "max"])
def test_edge_features(fill_value):
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    edge_attr = torch.randn(edge_index.size(1), 3, dtype=torch.float64)
    theirs, ours = pair(6, 5, heads=3, edge_dim=3, fill_value=fill_value)
    assert_same(theirs, ours, (x,), edge_index, edge_attr)
    ours.backend = "fused"
    with pytest.raises(ValueError, match="backend='fused' cannot serve this call: edge_attr"):
        ours(x, edge_index, edge_attr)


@pytest.mark.parametrize("name", ["bipartite, more sources", "bipartite, more destinations"])
def test_bipartite(name):
    edge_index, size = ZOO[name]
    x_src, x_dst = (torch.randn(n, f, dtype=torch.float64) for n, f in zip(size, (4, 7)))  # noqa: B905
    theirs, ours = pair((4, 7), 5, heads=3)
    assert_same(theirs, ours, (x_src, x_dst), edge_index)
    assert_same(theirs, ours, (x_src, x_dst), edge_index, size=size)
    assert_same(theirs, ours, (x_src, None), edge_index, size=size)
    theirs, ours = pair(4, 5, heads=3)
    assert_same(theirs, ours, (x_src, x_dst[:, :4]), edge_index)


@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("concat", [False, True])
def test_attention_weights(add_self_loops, concat):
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    theirs, ours = pair(6, 5, heads=3, add_self_loops=add_self_loops, concat=concat)
    out, (edges, alpha) = theirs(x, edge_index, return_attention_weights=True)
    our_out, (our_edges, our_alpha) = ours(x, edge_index, return_attention_weights=True)
    assert torch.equal(our_edges, edges)
    assert relative_error(our_alpha, alpha) <= 1e-12
    assert relative_error(our_out, out) <= 1e-12
    grads = [torch.autograd.grad(a.square().sum(), c.att_src)[0] for a, c in
             ((alpha, theirs), (our_alpha, ours))]  # fmt: skip
    assert relative_error(grads[1], grads[0]) <= 1e-10
    assert isinstance(ours(x, edge_index, return_attention_weights=False), torch.Tensor)


def test_returned_attention_is_the_one_that_was_used():
    edge_index, (num_nodes, _) = ZOO["random"]
    conv = GATConv(6, 5, heads=3, dropout=0.5, bias=False).double().train()
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    out, ((j, i), alpha) = conv(x, edge_index, return_attention_weights=True)
    messages = alpha[..., None] * conv.lin(x).view(-1, 3, 5)[j]
    total = torch.zeros(num_nodes, 3, 5, dtype=torch.float64).index_add(0, i, messages)
    assert (alpha == 0).any()
    assert relative_error(out, total.flatten(1)) <= 1e-12


def test_dropout_only_in_training():
    edge_index, (num_nodes, _) = ZOO["random"]
    theirs, ours = pair(6, 5, heads=3, dropout=0.6)
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    assert not torch.equal(ours(x, edge_index), ours(x, edge_index))
    assert_same(theirs.eval(), ours.eval(), (x,), edge_index)


def test_backends_draw_the_same_dropout():
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    conv = GATConv(6, 5, heads=3, dropout=0.6).double()
    results = []
    for backend in BACKENDS:
        conv.backend = backend
        torch.manual_seed(3)
        results.append(outputs_and_gradients(conv, (x,), edge_index))
    for result in results[1:]:
        for a, b in zip(results[0], result, strict=True):
            assert relative_error(a, b) <= 1e-10


def test_csr_graph_in_place_of_edge_index():
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    for options in ({}, {"flow": "target_to_source"}):
        _, ours = pair(6, 5, heads=3, **options)
        graph = CSRGraph.from_edge_index(edge_index, num_nodes)
        assert relative_error(ours(x, graph), ours(x, edge_index)) <= 1e-12


def test_in_place_change_of_edge_index_is_seen():
    theirs, ours = pair(6, 5, heads=3)
    edge_index = ZOO["random"].edge_index.clone()
    x = torch.randn(60, 6, dtype=torch.float64)
    ours(x, edge_index)
    edge_index[0] = edge_index[0].roll(1)
    assert_same(theirs, ours, (x,), edge_index)


def test_sparse_matrix_in_place_of_edge_index():
    x = torch.randn(12, 6, dtype=torch.float64)
    theirs, ours = pair(6, 5, heads=3, add_self_loops=False)
    adj = torch.ones(12, 12, dtype=torch.float64).to_sparse()
    assert relative_error(ours(x, adj), theirs(x, adj)) <= 1e-12


def test_hooks_and_explainers_see_messages():
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    theirs, ours = pair(6, 5, heads=3)
    seen = []
    handle = ours.register_message_forward_hook(lambda *args: seen.append(args[-1].shape))
    assert_same(theirs, ours, (x,), edge_index)
    assert len(seen) == 1
    handle.remove()
    ours(x, edge_index)
    assert len(seen) == 1
    assert "explain" not in str(ours._unmet(edge_index, None))
    ours.explain = True
    assert "explain" in str(ours._unmet(edge_index, None))


def test_overridden_message_is_used():
    class Doubled(GATConv):
        def message(self, x_j, alpha):
            return 2 * super().message(x_j, alpha)

    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    conv = GATConv(6, 5, heads=3, bias=False).double()
    doubled = Doubled(6, 5, heads=3, bias=False).double()
    doubled.load_state_dict(conv.state_dict())
    assert relative_error(doubled(x, edge_index), 2 * conv(x, edge_index)) <= 1e-12


def test_overridden_propagate_is_used():
    class Silent(GATConv):
        def propagate(self, edge_index, size=None, **kwargs):  # noqa: ARG002
            return torch.zeros_like(kwargs["x"][0])

    conv = Silent(6, 5, heads=3, bias=False)
    assert not conv(torch.randn(60, 6), ZOO["random"].edge_index).any()


def test_changing_the_output_in_place():
    edge_index, (num_nodes, _) = ZOO["random"]
    for options in ({}, {"bias": False}, {"bias": False, "concat": False}):
        conv = GATConv(6, 5, heads=3, **options)
        conv(torch.randn(num_nodes, 6), edge_index).relu_().sum().backward()


def test_activation_checkpointing():
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, requires_grad=True)
    conv = GATConv(6, 5, heads=3)
    (expected,) = torch.autograd.grad(conv(x, edge_index).square().sum(), x)
    out = checkpoint(conv, x, edge_index, use_reentrant=False)
    (actual,) = torch.autograd.grad(out.square().sum(), x)
    assert torch.equal(actual, expected)


def test_returned_attention_in_bfloat16_is_that_of_the_sum():
    edge_index, (num_nodes, _) = ZOO["random"]
    conv = GATConv(6, 5, heads=3).bfloat16()
    x = torch.randn(num_nodes, 6, dtype=torch.bfloat16)
    _, ((_, i), alpha) = conv(x, edge_index, return_attention_weights=True)
    sums = torch.zeros(num_nodes, 3).index_add(0, i, alpha)
    assert relative_error(sums, torch.ones(num_nodes, 3)) <= 16 * torch.finfo().eps


def test_float32_within_twice_the_error_of_pyg():
    edge_index, (num_nodes, _) = ZOO["random"]
    theirs, ours = pair(6, 8, heads=8)
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    exact = theirs(x, edge_index)
    error = relative_error(theirs.float()(x.float(), edge_index), exact)
    assert relative_error(ours.float()(x.float(), edge_index), exact) <= 2 * error


def test_lazy_initialisation():
    edge_index, (num_nodes, _) = ZOO["random"]
    conv = GATConv(-1, 5, heads=3)
    conv(torch.randn(num_nodes, 6), edge_index)
    assert conv.lin.in_channels == 6
    conv = GATConv((-1, -1), 5, add_self_loops=False)
    conv((torch.randn(60, 3), torch.randn(60, 4)), edge_index)
    assert (conv.lin_src.in_channels, conv.lin_dst.in_channels) == (3, 4)


def test_copies_and_checkpoints():
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    theirs, ours = pair(6, 5, heads=3, backend="scatter")
    expected = ours(x, edge_index)
    for copied in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert torch.equal(copied(x, edge_index), expected)
        assert copied.backend == "scatter"
    theirs.load_state_dict(ours.state_dict())
    assert repr(ours) == repr(theirs) == "GATConv(6, 5, heads=3)"


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_compile_without_graph_breaks(dropout):
    edge_index, (num_nodes, _) = ZOO["random"]
    x = torch.randn(num_nodes, 6, dtype=torch.float64)
    conv = GATConv(6, 5, heads=3, dropout=dropout).double()
    compiled = torch.compile(conv, fullgraph=True)
    for structure in (edge_index, CSRGraph.from_edge_index(edge_index, num_nodes)):
        out = compiled(x, structure)
        if dropout == 0.0:
            assert relative_error(out, conv(x, structure)) <= 1e-12
        out.sum().backward()


# Documented results of odd input #################################################


def test_no_nodes_and_no_edges():
    conv = GATConv(6, 5, heads=3)
    none = torch.empty(2, 0, dtype=torch.int64)
    assert conv(torch.empty(0, 6), none).shape == (0, 15)
    out = GATConv(6, 5, heads=3, add_self_loops=False)(torch.randn(4, 6), none)
    assert torch.equal(out, torch.zeros(4, 15))
    conv(torch.randn(4, 6, requires_grad=True), none).sum().backward()


def test_nan_reaches_its_neighbours_only():
    x = torch.randn(21, 6)
    x[4, 2] = torch.nan
    out = GATConv(6, 5, heads=3)(x, ZOO["chain"].edge_index)
    assert out.isnan().any(dim=1).nonzero().flatten().tolist() == [4, 5]


X = torch.randn(5, 6)
EDGES = torch.tensor([[0, 1], [1, 2]])


@pytest.mark.parametrize(
    ("x", "edge_index", "kwargs", "error", "message"),
    [
        (X, torch.tensor([[0, 9], [1, 2]]), {}, IndexError, "expected indices in 0 .. 4, got 9"),
        (X, torch.tensor([[0, 1], [-1, 2]]), {}, IndexError, "got -1 at position 0"),
        (X, EDGES.float(), {}, TypeError, "edge_index: expected int64 or int32"),
        (X, EDGES[0], {}, ValueError, r"edge_index: expected shape \[2, E\], got \[2\]"),
        (X, None, {}, TypeError, "edge_index: expected a tensor, got NoneType"),
        (X[:, :4], EDGES, {}, ValueError, r"x: expected shape \[N, 6\], got \[5, 4\]"),
        (X[0], EDGES, {}, ValueError, r"x: expected shape \[N, 6\], got \[6\]"),
        (X.long(), EDGES, {}, TypeError, "x: expected a floating point tensor"),
        (None, EDGES, {}, TypeError, "x: expected a tensor or a pair"),
        ((None, X), EDGES, {}, TypeError, r"x\[0\]: expected a tensor"),
        (X, EDGES, {"size": (5, 7)}, ValueError, r"size\[1\]: expected 5, as x has it, got 7"),
        (X, EDGES, {"size": (4, 5)}, ValueError, r"size\[0\]: expected 5, as x has it, got 4"),
        (X, CSRGraph.from_edge_index(EDGES, 4), {}, ValueError, r"size\[0\]: expected 5"),
    ],
)
def test_bad_call(x, edge_index, kwargs, error, message):
    with pytest.raises(error, match=message):
        GATConv(6, 5, heads=3)(x, edge_index, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"heads": 0}, "heads: expected >= 1, got 0"),
        ({"out_channels": 0}, "out_channels: expected >= 1, got 0"),
        ({"dropout": 1.5}, "dropout: expected 0 <= dropout <= 1, got 1.5"),
        ({"dropout": -0.5}, "dropout: expected 0 <= dropout <= 1, got -0.5"),
        ({"backend": "best"}, "backend: expected one of"),
    ],
)
def test_bad_constructor(kwargs, message):
    with pytest.raises(ValueError, match=message):
        GATConv(**{"in_channels": 6, "out_channels": 5, **kwargs})


def test_public_names():
    for name in gatsparse.__all__:
        assert getattr(gatsparse, name).__doc__
