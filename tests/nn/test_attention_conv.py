"""GATConv and GATv2Conv equal PyG's on the same weights."""

import copy
import io
import pickle

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from hypothesis import given, settings
from torch.utils.checkpoint import checkpoint

from gatsparse import CSRGraph
from gatsparse.testing import relative_error
from tests.nn.inputs import EDGES, FILL_VALUES, NUM_NODES, SQUARE, ZOO, every_layer, features
from tests.nn.layers import OURS, assert_same, outputs_and_gradients, pair
from tests.strategies import graphs


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
    """PyG's layers fail: they split a pair of features as if it were one tensor."""
    theirs, ours = pair(layer, 6, 4, heads=3, decomposed_layers=2)
    x = features()
    with pytest.raises(AttributeError):
        theirs(x, EDGES)
    theirs.decomposed_layers = 1
    assert_same(theirs, ours, (x,), EDGES)


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
    # PyG computes a fill value per destination, and needs a loop for each of them.
    options = {"edge_dim": 3, "add_self_loops": name == "bipartite, more sources"}
    theirs, ours = pair(layer, (4, 7), 5, heads=3, fill_value=fill_value, **options)
    assert_same(theirs, ours, x, edge_index, edge_attr)


@every_layer
def test_one_dimensional_edge_features(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=1, backend="fused")
    assert_same(theirs, ours, (features(),), EDGES, features(EDGES.size(1), 1)[:, 0])


@pytest.mark.parametrize("fill_value", FILL_VALUES[:4], ids=str)
@every_layer
def test_edge_features_with_a_csr_graph(layer, fill_value):
    x, edge_attr = features(), features(EDGES.size(1), 3)
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=3, fill_value=fill_value)
    graph = CSRGraph.from_edge_index(EDGES, NUM_NODES)
    expected = outputs_and_gradients(theirs, (x,), EDGES, edge_attr)
    for a, b in zip(outputs_and_gradients(ours, (x,), graph, edge_attr), expected, strict=True):
        assert relative_error(a, b) <= 1e-10


@pytest.mark.parametrize("name", ["bipartite, more sources", "bipartite, more destinations"])
@pytest.mark.parametrize("residual", [False, True])
@every_layer
def test_bipartite_graphs_equal_pyg(layer, residual, name):
    edge_index, size = ZOO[name]
    x_src, x_dst = features(size[0], 4), features(size[1], 7)
    theirs, ours = pair(layer, (4, 7), 5, heads=3, residual=residual)
    assert_same(theirs, ours, (x_src, x_dst), edge_index)
    theirs, ours = pair(layer, 4, 5, heads=3)
    assert_same(theirs, ours, (x_src, x_dst[:, :4]), edge_index)


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


@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("concat", [False, True])
@every_layer
def test_output_can_be_changed_in_place(layer, concat, bias, residual, edge_dim):
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
def test_initial_parameters_equal_pyg(layer, options):
    """The constructor gets positional and keyword arguments; reset_parameters is compared, too."""
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


@pytest.mark.parametrize(("edge_dim", "dropout"), [(None, 0.5), (3, 0.0)])
@every_layer
def test_compile_without_graph_breaks(layer, dropout, edge_dim):
    x, edge_attr = features(), None if edge_dim is None else features(EDGES.size(1), 3)
    conv = OURS[layer](6, 5, heads=3, dropout=dropout, edge_dim=edge_dim).double()
    torch.compiler.reset()
    compiled = torch.compile(conv, fullgraph=True, backend="aot_eager")
    for graph in (EDGES, CSRGraph.from_edge_index(EDGES, NUM_NODES)):
        out = compiled(x, graph, edge_attr)
        if dropout == 0.0:
            assert relative_error(out, conv(x, graph, edge_attr)) <= 1e-12
        out.sum().backward()


@pytest.mark.parametrize("layer", OURS)
def test_cached_tensors_can_be_swapped(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    x, edges = torch.randn(20, 6, dtype=torch.float64), [torch.randint(20, (2, 50)) for _ in "ab"]
    given = [e.clone() for e in edges]
    for edge_index in given:
        ours(x, edge_index)
    torch.utils.swap_tensors(*given)
    for edge_index, expected in zip(given, reversed(edges), strict=True):
        assert relative_error(ours(x, edge_index), theirs(x, expected)) <= 1e-10
