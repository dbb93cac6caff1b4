"""What GATConv and GATv2Conv share, against PyG's, on the same weights."""

import copy
import io
import pickle
from types import MethodType

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from hypothesis import given, settings
from torch.utils.checkpoint import checkpoint

from gatsparse import CSRGraph
from gatsparse.testing import graph_zoo, relative_error
from tests.nn.layers import OURS, assert_same, outputs_and_gradients, pair
from tests.strategies import graphs

ZOO = graph_zoo()
SQUARE = {name: graph for name, graph in ZOO.items() if graph.size[0] == graph.size[1]}
EDGES, (NUM_NODES, _) = ZOO["random"]
FILL_VALUES = [
    None,
    0.5,
    torch.tensor([0.5, -1.0, 2.0]).double(),
    "mean",
    "add",
    "min",
    "max",
    "mul",
]

every_layer = pytest.mark.parametrize("layer", OURS)


def features(num_nodes=NUM_NODES, channels=6):
    return torch.randn(num_nodes, channels, dtype=torch.float64)


@pytest.mark.parametrize("backend", ["auto", "fused", "scatter", "dense"])
@pytest.mark.parametrize("name", SQUARE)
@every_layer
def test_equals_pyg_on_the_zoo(layer, name, backend):
    edge_index, (num_nodes, _) = ZOO[name]
    theirs, ours = pair(layer, 6, 5, heads=3, backend=backend)
    assert_same(theirs, ours, (features(num_nodes),), edge_index)


@settings(max_examples=50)
@given(graphs())
@every_layer
def test_equals_pyg_on_any_graph(layer, graph):
    x_src, x_dst = (features(n, 4) for n in graph.size)
    edge_attr = features(graph.edge_index.size(1), 3)
    if graph.size[0] == graph.size[1]:
        theirs, ours = pair(layer, 4, 3, heads=2, edge_dim=3)
        assert_same(theirs, ours, (x_src,), graph.edge_index, edge_attr)
    theirs, ours = pair(layer, (4, 4), 3, heads=2)
    assert_same(theirs, ours, (x_src, x_dst), graph.edge_index)


@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"concat": False},
        {"add_self_loops": False},
        {"bias": False},
        {"bias": False, "concat": False},
        {"residual": True},
        {"residual": True, "concat": False},
        {"residual": True, "bias": False},
        {"negative_slope": 0.0},
        {"heads": 1},
        {"flow": "target_to_source"},
        {"aggr": "max"},
        {"aggr": "softmax", "aggr_kwargs": {"t": 0.5}},
    ],
    ids=str,
)
@every_layer
def test_options(layer, options, edge_dim):
    theirs, ours = pair(layer, 6, 5, **{"heads": 3, "edge_dim": edge_dim, **options})
    assert_same(theirs, ours, (features(),), EDGES)
    if edge_dim is not None:
        assert_same(theirs, ours, (features(),), EDGES, features(EDGES.size(1), 3))


@every_layer
def test_decomposed_layers_change_nothing(layer):
    """PyG's layers fail: they cut what they think is a tensor of features, and is two."""
    theirs, ours = pair(layer, 6, 4, heads=3, decomposed_layers=2)
    x = features()
    with pytest.raises(AttributeError):
        theirs(x, EDGES)
    theirs.decomposed_layers = 1
    assert_same(theirs, ours, (x,), EDGES)


# Edge features ###################################################################


@pytest.mark.parametrize("fill_value", FILL_VALUES, ids=str)
@pytest.mark.parametrize("name", ["random", "duplicate loops", "isolated nodes", "no edges"])
@every_layer
def test_edge_features(layer, name, fill_value):
    edge_index, (num_nodes, _) = ZOO[name]
    x, edge_attr = features(num_nodes), features(edge_index.size(1), 3)
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=3, fill_value=fill_value, backend="fused")
    assert_same(theirs, ours, (x,), edge_index, edge_attr)


@pytest.mark.parametrize("fill_value", FILL_VALUES[3:])
@pytest.mark.parametrize("name", ["bipartite, more sources", "bipartite, more destinations"])
@every_layer
def test_edge_features_of_bipartite_graphs(layer, name, fill_value):
    edge_index, size = ZOO[name]
    x = (features(size[0], 4), features(size[1], 7))
    edge_attr = features(edge_index.size(1), 3)
    # PyG fills by the destinations, which must not be more than the loops there.
    options = {"edge_dim": 3, "add_self_loops": name == "bipartite, more sources"}
    theirs, ours = pair(layer, (4, 7), 5, heads=3, fill_value=fill_value, **options)
    assert_same(theirs, ours, x, edge_index, edge_attr)


@every_layer
def test_edge_features_of_one_dimension(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=1, backend="fused")
    assert_same(theirs, ours, (features(),), EDGES, features(EDGES.size(1), 1)[:, 0])


@pytest.mark.parametrize("fill_value", FILL_VALUES[:4], ids=str)
@every_layer
def test_edge_features_beside_a_structure(layer, fill_value):
    x, edge_attr = features(), features(EDGES.size(1), 3)
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=3, fill_value=fill_value)
    graph = CSRGraph.from_edge_index(EDGES, NUM_NODES)
    expected = outputs_and_gradients(theirs, (x,), EDGES, edge_attr)
    for a, b in zip(outputs_and_gradients(ours, (x,), graph, edge_attr), expected, strict=True):
        assert relative_error(a, b) <= 1e-10


@every_layer
def test_hooks_on_the_projection_of_edges(layer):
    x, edge_attr = features(), features(EDGES.size(1), 3)
    layers = pair(layer, 6, 5, heads=3, edge_dim=3)
    for conv in layers:
        conv.lin_edge.register_forward_hook(lambda _lin, _input, out: 2 * out)
    assert_same(*layers, (x,), EDGES, edge_attr)
    for conv in layers:
        conv.lin_edge.register_forward_pre_hook(lambda _lin, inputs: (inputs[0].sin(),))
    assert_same(*layers, (x,), EDGES, edge_attr)


# Calls ###########################################################################


@pytest.mark.parametrize("name", ["bipartite, more sources", "bipartite, more destinations"])
@pytest.mark.parametrize("residual", [False, True])
@every_layer
def test_bipartite(layer, residual, name):
    edge_index, size = ZOO[name]
    x_src, x_dst = features(size[0], 4), features(size[1], 7)
    theirs, ours = pair(layer, (4, 7), 5, heads=3, residual=residual)
    assert_same(theirs, ours, (x_src, x_dst), edge_index)
    theirs, ours = pair(layer, 4, 5, heads=3)
    assert_same(theirs, ours, (x_src, x_dst[:, :4]), edge_index)


@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("concat", [False, True])
@every_layer
def test_attention_weights(layer, add_self_loops, concat, edge_dim):
    options = {"add_self_loops": add_self_loops, "concat": concat, "edge_dim": edge_dim}
    theirs, ours = pair(layer, 6, 5, heads=3, **options)
    arguments = (features(), EDGES, None if edge_dim is None else features(EDGES.size(1), 3))
    out, (edges, alpha) = theirs(*arguments, return_attention_weights=True)
    our_out, (our_edges, our_alpha) = ours(*arguments, return_attention_weights=True)
    assert torch.equal(our_edges, edges)
    assert relative_error(our_alpha, alpha) <= 1e-12
    assert relative_error(our_out, out) <= 1e-12
    grads = [
        torch.autograd.grad(a.square().sum(), conv.parameters(), allow_unused=True)
        for a, conv in ((our_alpha, ours), (alpha, theirs))
    ]
    for a, b in zip(*grads, strict=True):
        assert (a is None) == (b is None)
        assert a is None or relative_error(a, b) <= 1e-10
    assert isinstance(ours(*arguments, return_attention_weights=False), torch.Tensor)


@every_layer
def test_returned_attention_is_the_one_that_was_used(layer):
    conv = OURS[layer](6, 5, heads=3, dropout=0.5, bias=False).double().train()
    x = features()
    out, ((j, i), alpha) = conv(x, EDGES, return_attention_weights=True)
    lin = conv.lin if layer == "GATConv" else conv.lin_l
    messages = alpha[..., None] * lin(x).view(-1, 3, 5)[j]
    total = torch.zeros(NUM_NODES, 3, 5, dtype=torch.float64).index_add(0, i, messages)
    assert (alpha == 0).any()
    assert relative_error(out, total.flatten(1)) <= 1e-12


@every_layer
def test_dropout_only_in_training(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, dropout=0.6)
    x = features()
    assert not torch.equal(ours(x, EDGES), ours(x, EDGES))
    assert_same(theirs.eval(), ours.eval(), (x,), EDGES)


@every_layer
def test_backends_draw_the_same_dropout(layer):
    x = features()
    conv = OURS[layer](6, 5, heads=3, dropout=0.6).double()
    results = []
    for backend in ("auto", "fused", "scatter", "dense"):
        conv.backend = backend
        torch.manual_seed(3)
        results.append(outputs_and_gradients(conv, (x,), EDGES))
    for result in results[1:]:
        for a, b in zip(results[0], result, strict=True):
            assert relative_error(a, b) <= 1e-10


@every_layer
def test_csr_graph_in_place_of_edge_index(layer):
    x = features()
    for options in ({}, {"flow": "target_to_source"}):
        _, ours = pair(layer, 6, 5, heads=3, **options)
        graph = CSRGraph.from_edge_index(EDGES, NUM_NODES)
        assert relative_error(ours(x, graph), ours(x, EDGES)) <= 1e-12


@every_layer
def test_in_place_change_of_edge_index_is_seen(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    edge_index, x = EDGES.clone(), features()
    ours(x, edge_index)
    edge_index[0] = edge_index[0].roll(1)
    assert_same(theirs, ours, (x,), edge_index)


@every_layer
def test_hooks_and_explainers_see_messages(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    seen = []
    handle = ours.register_message_forward_hook(lambda *args: seen.append(args[-1].shape))
    assert_same(theirs, ours, (features(),), EDGES)
    assert len(seen) == 1
    handle.remove()
    ours(features(), EDGES)
    assert len(seen) == 1
    ours.backend, ours.explain = "fused", True
    with pytest.raises(ValueError, match="backend='fused' cannot serve this call: explain"):
        ours(features(), EDGES)


class DoubledGATConv(OURS["GATConv"]):
    def message(self, x_j, alpha):
        return 2 * super().message(x_j, alpha)


class DoubledGATv2Conv(OURS["GATv2Conv"]):
    # PyG reads these from the source of the class, and guesses wrong without them:
    # propagate_type: (x: PairTensor, alpha: Tensor)
    # edge_updater_type: (x: PairTensor, edge_attr: OptTensor)

    def message(self, x_j, alpha):
        return 2 * super().message(x_j, alpha)


@pytest.mark.parametrize("doubled", [DoubledGATConv, DoubledGATv2Conv])
def test_overridden_message_is_used(doubled):
    conv = doubled.__base__(6, 5, heads=3, bias=False).double()
    ours = doubled(6, 5, heads=3, bias=False).double()
    ours.load_state_dict(conv.state_dict())
    x = features()
    assert relative_error(ours(x, EDGES), 2 * conv(x, EDGES)) <= 1e-12
    ours.backend = "fused"
    with pytest.raises(ValueError, match=r"Doubled.* overrides message"):
        ours(x, EDGES)


def _doubled_message(conv):
    conv.message = MethodType(lambda _, x_j, alpha: 2 * x_j * alpha[..., None], conv)


def _hooked_aggregation(conv):
    conv.aggr_module.register_forward_hook(lambda _aggr, _inputs, out: 2 * out)


def _other_aggregation(conv):
    conv.aggr_module = torch_geometric.nn.MaxAggregation()


def _silent_propagate(conv):
    propagate = conv.propagate
    conv.propagate = lambda *args, **kwargs: 0 * propagate(*args, **kwargs)


def _equal_attention(conv):
    edge_updater = conv.edge_updater
    conv.edge_updater = lambda *args, **kwargs: torch.ones_like(edge_updater(*args, **kwargs))


def _hooked_gradient_of_edges(conv):
    conv.lin_edge.register_full_backward_hook(lambda _lin, grad, _grad_out: (3 * grad[0],))


@pytest.mark.parametrize(
    "change",
    [
        _doubled_message,
        _silent_propagate,
        _equal_attention,
        _hooked_aggregation,
        _other_aggregation,
        _hooked_gradient_of_edges,
    ],
)
@every_layer
def test_what_is_changed_on_a_layer_is_honoured(layer, change):
    layers = pair(layer, 6, 5, heads=3, edge_dim=3)
    for conv in layers:
        change(conv)
    assert_same(*layers, (features(),), EDGES, features(EDGES.size(1), 3))


def test_overrides_in_a_file_of_any_name():
    class Silent(OURS["GATConv"]):
        def message(self, x_j, alpha):
            return 0 * alpha[..., None] * x_j

    Silent.message.__module__ = "my_propagate"
    assert not Silent(6, 5, bias=False).double()(features(), EDGES).any()


@every_layer
def test_projections_that_are_replaced(layer):
    layers = pair(layer, 6, 5, heads=3, edge_dim=3)
    names = ["lin", "lin_edge"] if layer == "GATConv" else ["lin_l", "lin_r", "lin_edge"]
    for conv in layers:
        for name in names:
            linear = getattr(conv, name)
            plain = torch.nn.Linear(linear.in_channels, 15, bias=linear.bias is not None).double()
            plain.load_state_dict(linear.state_dict())
            setattr(conv, name, torch.nn.Sequential(plain))
    assert_same(*layers, (features(),), EDGES, features(EDGES.size(1), 3))


@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("concat", [False, True])
@every_layer
def test_changing_the_output_in_place(layer, concat, bias, residual, edge_dim):
    options = {"concat": concat, "bias": bias, "residual": residual, "edge_dim": edge_dim}
    conv = OURS[layer](6, 5, heads=3, **options).double()
    arguments = (features(), EDGES, None if edge_dim is None else features(EDGES.size(1), 3))
    for change in (lambda out: F.elu(out, inplace=True), lambda out: out.add_(1).square()):
        gradients = [
            torch.autograd.grad(change(out).sum(), list(conv.parameters()), allow_unused=True)
            for out in (conv(*arguments), conv(*arguments).clone())
        ]
        for a, b in zip(*gradients, strict=True):
            assert a is b is None or torch.equal(a, b)


@every_layer
def test_activation_checkpointing(layer):
    x = features().requires_grad_()
    conv = OURS[layer](6, 5, heads=3).double()
    (expected,) = torch.autograd.grad(conv(x, EDGES).square().sum(), x)
    out = checkpoint(conv, x, EDGES, use_reentrant=False)
    (actual,) = torch.autograd.grad(out.square().sum(), x)
    assert torch.equal(actual, expected)


@every_layer
def test_returned_attention_in_bfloat16_is_that_of_the_sum(layer):
    conv = OURS[layer](6, 5, heads=3).bfloat16()
    _, ((_, i), alpha) = conv(features().bfloat16(), EDGES, return_attention_weights=True)
    sums = torch.zeros(NUM_NODES, 3).index_add(0, i, alpha)
    assert relative_error(sums, torch.ones(NUM_NODES, 3)) <= 16 * torch.finfo().eps


@every_layer
def test_float32_within_twice_the_error_of_pyg(layer):
    theirs, ours = pair(layer, 6, 8, heads=8)
    x = features()
    exact = theirs(x, EDGES)
    error = relative_error(theirs.float()(x.float(), EDGES), exact)
    assert relative_error(ours.float()(x.float(), EDGES), exact) <= 2 * error


@every_layer
def test_lazy_initialisation(layer):
    conv = OURS[layer](-1, 5, heads=3, edge_dim=-1).double()
    conv(features(), EDGES, features(EDGES.size(1), 3))
    lin = conv.lin if layer == "GATConv" else conv.lin_l
    assert (lin.in_channels, conv.lin_edge.in_channels) == (6, 3)
    conv = OURS[layer]((-1, -1), 5, add_self_loops=False).double()
    conv((features(60, 3), features(60, 4)), EDGES)
    lins = (conv.lin_src, conv.lin_dst) if layer == "GATConv" else (conv.lin_l, conv.lin_r)
    assert [lin.in_channels for lin in lins] == [3, 4]


@every_layer
def test_copies_and_checkpoints(layer):
    x = features()
    theirs, ours = pair(layer, 6, 5, heads=3, backend="scatter")
    expected = ours(x, EDGES)
    file = io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    for copied in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), loaded):
        assert torch.equal(copied(x, EDGES), expected)
        assert copied.backend == "scatter"
    theirs.load_state_dict(ours.state_dict())
    assert repr(theirs) == f"{layer}(6, 5, heads=3)"
    assert repr(ours) == f"{layer}(6, 5, heads=3, backend='scatter')"


@pytest.mark.parametrize(
    "options", [{}, {"residual": True, "edge_dim": 3}, {"bias": False}], ids=str
)
@every_layer
def test_parameters_begin_as_those_of_pyg(layer, options):
    """By the constructor, by position as by name, and by reset_parameters."""
    torch.manual_seed(5)
    theirs = getattr(torch_geometric.nn, layer)(6, 5, 3, True, 0.1, 0.0, False, **options)
    torch.manual_seed(5)
    ours = OURS[layer](6, 5, 3, True, 0.1, 0.0, False, **options)
    for _ in range(2):
        expected, actual = theirs.state_dict(), ours.state_dict()
        assert list(actual) == list(expected)
        assert all(torch.equal(actual[name], expected[name]) for name in expected)
        for conv in (theirs, ours):
            torch.manual_seed(6)
            conv.reset_parameters()
    assert (ours.negative_slope, ours.add_self_loops) == (0.1, False)


@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@every_layer
def test_compile_without_graph_breaks(layer, dropout, edge_dim):
    x, edge_attr = features(), None if edge_dim is None else features(EDGES.size(1), 3)
    conv = OURS[layer](6, 5, heads=3, dropout=dropout, edge_dim=edge_dim).double()
    torch.compiler.reset()
    compiled = torch.compile(conv, fullgraph=True)
    for structure in (EDGES, CSRGraph.from_edge_index(EDGES, NUM_NODES)):
        out = compiled(x, structure, edge_attr)
        if dropout == 0.0:
            assert relative_error(out, conv(x, structure, edge_attr)) <= 1e-12
        out.sum().backward()


# Documented results of odd input #################################################


@every_layer
def test_no_nodes_and_no_edges(layer):
    conv = OURS[layer](6, 5, heads=3)
    none = torch.empty(2, 0, dtype=torch.int64)
    assert conv(torch.empty(0, 6), none).shape == (0, 15)
    out = OURS[layer](6, 5, heads=3, add_self_loops=False)(torch.randn(4, 6), none)
    assert torch.equal(out, torch.zeros(4, 15))
    conv(torch.randn(4, 6, requires_grad=True), none).sum().backward()


@every_layer
def test_nan_reaches_its_neighbours_only(layer):
    x = torch.randn(21, 6)
    x[4, 2] = torch.nan
    out = OURS[layer](6, 5, heads=3)(x, ZOO["chain"].edge_index)
    assert out.isnan().any(dim=1).nonzero().flatten().tolist() == [4, 5]


X = torch.randn(5, 6)
SHORT = torch.tensor([[0, 1], [1, 2]])


@pytest.mark.parametrize(
    ("x", "edge_index", "edge_attr", "error", "message"),
    [
        (X, torch.tensor([[0, 9], [1, 2]]), None, IndexError, "expected indices in 0 .. 4, got 9"),
        (X, torch.tensor([[0, 1], [-1, 2]]), None, IndexError, "got -1 at position 0"),
        (X, SHORT.float(), None, TypeError, "edge_index: expected int64 or int32"),
        (X, SHORT[0], None, ValueError, r"edge_index: expected shape \[2, E\], got \[2\]"),
        (X, None, None, TypeError, "edge_index: expected a tensor, got NoneType"),
        (X[:, :4], SHORT, None, ValueError, r"x: expected shape \[N, 6\], got \[5, 4\]"),
        (X[0], SHORT, None, ValueError, r"x: expected shape \[N, 6\], got \[6\]"),
        (X.long(), SHORT, None, TypeError, "x: expected a floating point tensor"),
        (None, SHORT, None, TypeError, "x: expected a tensor or a pair"),
        ((None, X), SHORT, None, TypeError, r"x\[0\]: expected a tensor"),
        (X, CSRGraph.from_edge_index(SHORT, 4), None, ValueError, r"size\[0\]: expected 5"),
        (X, SHORT, [1.0, 2.0], TypeError, "edge_attr: expected a tensor, got list"),
        (X, SHORT, torch.zeros(2, 3).long(), TypeError, "edge_attr: expected a floating point"),
        (X, SHORT, torch.zeros(3, 3), ValueError, r"edge_attr: expected shape \[2, 3\], got \[3"),
        (X, SHORT, torch.zeros(2, 4), ValueError, r"edge_attr: expected shape \[2, 3\], got \[2"),
        (X, SHORT, torch.zeros(2), ValueError, r"edge_attr: expected shape \[2, 3\], got \[2, 1"),
    ],
)
@every_layer
def test_bad_call(layer, x, edge_index, edge_attr, error, message):
    with pytest.raises(error, match=message):
        OURS[layer](6, 5, heads=3, edge_dim=3)(x, edge_index, edge_attr)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"heads": 0}, "heads: expected >= 1, got 0"),
        ({"heads": "2"}, "heads: expected an integer, got '2'"),
        ({"dropout": None}, "dropout: expected a number, got None"),
        ({"out_channels": 0}, "out_channels: expected >= 1, got 0"),
        ({"dropout": 1.5}, "dropout: expected 0 <= dropout <= 1, got 1.5"),
        ({"dropout": -0.5}, "dropout: expected 0 <= dropout <= 1, got -0.5"),
        ({"backend": "best"}, "backend: expected one of"),
    ],
)
@every_layer
def test_bad_constructor(layer, kwargs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        OURS[layer](**{"in_channels": 6, "out_channels": 5, **kwargs})


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32])
@pytest.mark.parametrize("layer", OURS)
def test_narrow_integers(layer, dtype):
    """PyG widens them by adding self-loops; ours take them without, too."""
    for loops in (True, False):
        theirs, ours = pair(layer, 6, 5, heads=3, add_self_loops=loops)
        edge_index = torch.randint(20, (2, 50))
        x = torch.randn(20, 6, dtype=torch.float64)
        given = edge_index if not loops else edge_index.to(dtype)
        assert relative_error(ours(x, edge_index.to(dtype)), theirs(x, given)) <= 1e-10
    for wrong in (torch.bool, torch.float32):
        with pytest.raises(TypeError, match="edge_index: expected int64 or int32"):
            ours(x, edge_index.to(wrong))


@pytest.mark.parametrize("layer", OURS)
def test_tensors_that_were_seen_can_be_swapped(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    x, edges = torch.randn(20, 6, dtype=torch.float64), [torch.randint(20, (2, 50)) for _ in "ab"]
    given = [e.clone() for e in edges]
    for edge_index in given:
        ours(x, edge_index)
    torch.utils.swap_tensors(*given)
    for edge_index, expected in zip(given, reversed(edges), strict=True):
        assert relative_error(ours(x, edge_index), theirs(x, expected)) <= 1e-10
