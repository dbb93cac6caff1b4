"""A batch of node features on one graph, compared with PyG's layers graph by graph."""

import pytest
import torch

from gatsparse import CSRGraph
from gatsparse.adjacency import as_graph
from gatsparse.testing import graph_zoo, relative_error
from tests.nn.layers import OURS, pair

ZOO = graph_zoo()
EDGES, SIZE = ZOO["random"]
every_layer = pytest.mark.parametrize("layer", OURS)


def features(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def check(theirs, ours, x, edges, edge_attr=None, per_graph=False):
    """Compares outputs, attention and gradients on a batch with PyG's on each of its graphs."""
    pair_of = x if isinstance(x, tuple) else (x,)
    batch = pair_of[0].shape[:-2]
    flat = [t.flatten(0, -3) for t in pair_of]
    outs, alphas = [], []
    for b in range(len(flat[0])):
        x_b = tuple(t[b] for t in flat)
        e = () if edge_attr is None else (edge_attr.flatten(0, -3)[b] if per_graph else edge_attr,)
        arguments = (x_b if isinstance(x, tuple) else x_b[0], edges, *e)
        out, (their_edges, alpha) = theirs(*arguments, return_attention_weights=True)
        outs.append(out)
        alphas.append(alpha)
    expected = torch.stack(outs).unflatten(0, batch)
    leaves = [*pair_of] + ([] if edge_attr is None else [edge_attr])
    grad = torch.randn_like(expected)
    out = ours(x, edges, edge_attr)
    assert out.shape == expected.shape
    assert relative_error(out, expected) <= 1e-10
    both = [
        torch.autograd.grad(o, leaves + list(conv.parameters()), grad, allow_unused=True)
        for o, conv in ((out, ours), (expected, theirs))
    ]
    for a, b in zip(*both, strict=True):
        assert (a is None) == (b is None)
        assert a is None or relative_error(a, b) <= 1e-10
    _, (our_edges, our_alpha) = ours(x, edges, edge_attr, return_attention_weights=True)
    assert torch.equal(our_edges, their_edges)
    assert relative_error(our_alpha, torch.stack(alphas).unflatten(0, batch)) <= 1e-10


@pytest.mark.parametrize("batch", [(1,), (4,), (2, 3)])
@pytest.mark.parametrize("name", ["random", "duplicate loops", "isolated nodes", "no edges"])
@every_layer
def test_equals_pyg_graph_by_graph(layer, name, batch):
    edges, (num_nodes, _) = ZOO[name]
    theirs, ours = pair(layer, 6, 5, heads=3)
    check(theirs, ours, features(*batch, num_nodes, 6), edges)


@pytest.mark.parametrize(
    "options",
    [
        {"concat": False},
        {"add_self_loops": False},
        {"bias": False},
        {"residual": True},
        {"flow": "target_to_source"},
        {"backend": "scatter"},
    ],
    ids=str,
)
@every_layer
def test_options(layer, options):
    theirs, ours = pair(layer, 6, 5, heads=3, **options)
    check(theirs, ours, features(4, SIZE[0], 6), EDGES)


@pytest.mark.parametrize("fill_value", [0.5, "mean", "max"])
@pytest.mark.parametrize("per_graph", [False, True])
@every_layer
def test_edge_features(layer, per_graph, fill_value):
    """Each graph has its own edge features, or all graphs share them."""
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=2, fill_value=fill_value)
    edge_attr = features(*((4,) if per_graph else ()), EDGES.size(1), 2)
    check(theirs, ours, features(4, SIZE[0], 6), EDGES, edge_attr, per_graph)


@pytest.mark.parametrize("name", ["bipartite, more sources", "bipartite, more destinations"])
@every_layer
def test_bipartite(layer, name):
    edges, size = ZOO[name]
    theirs, ours = pair(layer, (6, 4), 5, heads=3, add_self_loops=False)
    check(theirs, ours, (features(4, size[0], 6), features(4, size[1], 4)), edges)


def test_sources_without_destination_features():
    edges, size = ZOO["bipartite, more sources"]
    theirs, ours = pair("GATConv", (6, 4), 5, heads=3, add_self_loops=False)
    x = features(4, size[0], 6)
    expected = torch.stack([theirs((x_b, None), edges, size=size) for x_b in x])
    assert relative_error(ours((x, None), edges, size=size), expected) <= 1e-10


@every_layer
def test_csr_graph_and_hooks_give_the_same_output(layer):
    _, ours = pair(layer, 6, 5, heads=3)
    x = features(4, SIZE[0], 6)
    expected = ours(x, EDGES)
    graph = CSRGraph.from_edge_index(EDGES, SIZE[0])
    assert torch.equal(ours(x, graph), expected)
    seen = []
    ours.register_message_forward_hook(lambda *_: seen.append(1))
    assert relative_error(ours(x, EDGES), expected) <= 1e-10
    assert seen == [1]


@every_layer
def test_graphs_of_a_batch_drop_different_weights(layer):
    conv = OURS[layer](6, 5, heads=3, dropout=0.5)
    x = torch.randn(1, SIZE[0], 6).expand(4, -1, -1)
    _, (_, alpha) = conv(x, EDGES, return_attention_weights=True)
    dropped = alpha == 0
    assert all(not torch.equal(dropped[0], other) for other in dropped[1:])


@every_layer
def test_smaller_batches_reuse_the_largest_graph(layer):
    conv = OURS[layer](6, 5)
    graph = as_graph(EDGES, SIZE)
    largest = graph.repeat(16)
    for count in (8, 3, 8, 9, 1):
        x = torch.randn(count, SIZE[0], 6)
        expected = torch.stack([conv(x_b, EDGES) for x_b in x])
        assert relative_error(conv(x, EDGES), expected) <= 16 * torch.finfo().eps
        assert graph.repeat(16) is largest


@every_layer
def test_empty_batch_has_an_empty_output(layer):
    conv = OURS[layer](6, 5, heads=3)
    for batch in ((0,), (2, 0)):
        x = torch.randn(*batch, SIZE[0], 6)
        out, (edges, alpha) = conv(x, EDGES, return_attention_weights=True)
        assert out.shape == (*batch, SIZE[0], 15)
        assert alpha.shape == (*batch, edges.size(1), 3)


@pytest.mark.parametrize(
    ("x", "edge_attr", "message"),
    [
        (
            (torch.zeros(2, 60, 6), torch.zeros(3, 60, 6)),
            None,
            r"x: expected the same batch dimensions .*, got \[\[2",
        ),
        (
            (torch.zeros(60, 6), torch.zeros(3, 60, 6)),
            None,
            r"x: expected the same batch dimensions .*, got \[\[\], ",
        ),
        ((torch.zeros(2, 60, 6), torch.zeros(2, 50, 6)), None, "x: expected add_self_loops=False"),
        (torch.zeros(2, 60, 7), None, r"x: expected shape \[N, 6\], got \[2, 60, 7\]"),
        (
            torch.zeros(2, 60, 6),
            torch.zeros(3, 500, 2),
            r"edge_attr: expected shape \[500, D\] or \[2, 500, 'D'\].* got \[3, 500, 2\]",
        ),
        (torch.zeros(2, 60, 6), torch.zeros(2, 400, 2), r"edge_attr: .* got \[2, 400, 2\]"),
    ],
)
@every_layer
def test_bad_batches_raise(layer, x, edge_attr, message):
    edges = EDGES[:, (EDGES < 50).all(dim=0)] if isinstance(x, tuple) else EDGES
    with pytest.raises(ValueError, match=message):
        OURS[layer](6, 5, edge_dim=2)(x, edges, edge_attr)


@pytest.mark.parametrize("x", [(torch.zeros(2, 60, 6),), (torch.zeros(2, 60, 6), [1.0])])
@every_layer
def test_batches_of_wrong_types_raise(layer, x):
    with pytest.raises(
        TypeError, match=r"x: expected a tensor or a pair|x\[1\]: expected a tensor"
    ):
        OURS[layer](6, 5)(x, EDGES)


@every_layer
def test_pyg_rejects_static_graphs(layer):
    theirs, _ = pair(layer, 6, 5)
    with pytest.raises(AssertionError):
        theirs(features(4, SIZE[0], 6), EDGES)
