"""Our GAT model compared with PyG's, on the same weights."""

import copy
from types import SimpleNamespace

import pytest
import torch
import torch_geometric.nn
from torch_geometric.data import Data
from torch_geometric.loader import NeighborLoader

import gatsparse
from gatsparse.testing import graph_zoo, relative_error

EDGES, (NUM_NODES, _) = graph_zoo()["random"]
every_version = pytest.mark.parametrize("v2", [False, True])


def features(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def models(*args, **kwargs):
    theirs = torch_geometric.nn.GAT(*args, **kwargs).double()
    ours = gatsparse.GAT(*args, **kwargs).double()
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    return theirs, ours


def assert_same(theirs, ours, *args, **kwargs):
    outs = [model(*args, **kwargs) for model in (theirs, ours)]
    assert relative_error(outs[1], outs[0]) <= 1e-10
    grad = torch.randn_like(outs[0])
    grads = [
        torch.autograd.grad(out, list(model.parameters()), grad, allow_unused=True)
        for out, model in zip(outs, (theirs, ours), strict=True)
    ]
    for a, b in zip(*grads, strict=True):
        assert (a is None) == (b is None)
        assert a is None or relative_error(b, a) <= 1e-10


@pytest.mark.parametrize(
    "options",
    [
        {"out_channels": 5},
        {"heads": 4},
        {"jk": "last", "out_channels": 5},
        {"jk": "cat", "out_channels": 5},
        {"jk": "max"},
        {"jk": "lstm", "out_channels": 5},
        {"norm": "BatchNorm", "act": "elu", "act_first": True},
        {"residual": True, "heads": 2, "concat": False},
        {"add_self_loops": False, "dropout": 0.0, "share_weights": True},
    ],
    ids=str,
)
@every_version
def test_equals_pyg(v2, options):
    if not v2:
        options = {k: v for k, v in options.items() if k != "share_weights"}
    theirs, ours = models(6, 8, 3, v2=v2, **options)
    assert_same(theirs, ours, features(NUM_NODES, 6), EDGES)
    expected = gatsparse.GATv2Conv if v2 else gatsparse.GATConv
    assert all(type(conv) is expected for conv in ours.convs)
    assert repr(ours) == repr(theirs)


@every_version
def test_edge_features(v2):
    theirs, ours = models(6, 8, 2, v2=v2, edge_dim=3, heads=2)
    x, edge_attr = features(NUM_NODES, 6), features(EDGES.size(1), 3)
    assert_same(theirs, ours, x, EDGES, edge_attr=edge_attr)


@every_version
def test_lazy_models_and_copies_keep_the_backend(v2):
    ours = gatsparse.GAT(-1, 8, 2, v2=v2, backend="scatter").double()
    out = ours(features(NUM_NODES, 6), EDGES)
    assert out.shape == (NUM_NODES, 8)
    assert {conv.backend for conv in copy.deepcopy(ours).convs} == {"scatter"}


def neighbourhoods(num_hops):
    """Returns nodes and edges of a batch of seeds, hop by hop, like PyG's samplers."""
    nodes, edges = [torch.arange(4)], []
    seen = nodes[0]
    counts = [len(seen)]
    for _ in range(num_hops):
        frontier = nodes[-1]
        into = torch.isin(EDGES[1], frontier)
        edges.append(into.nonzero().flatten())
        new = EDGES[0, into]
        new = torch.unique(new[~torch.isin(new, seen)])
        nodes.append(new)
        seen = torch.cat([seen, new])
        counts.append(len(new))
    number = torch.full((NUM_NODES,), -1)
    number[seen] = torch.arange(len(seen))
    e_id = torch.cat(edges)
    return seen, number[EDGES[:, e_id]], e_id, counts, [len(e) for e in edges]


@every_version
def test_trim_to_layer(v2):
    theirs, ours = models(6, 8, 2, 3, v2=v2, heads=2, edge_dim=2)
    n_id, edge_index, e_id, num_nodes, num_edges = neighbourhoods(2)
    x, edge_attr = features(NUM_NODES, 6), features(EDGES.size(1), 2)
    assert_same(
        theirs,
        ours,
        x[n_id],
        edge_index,
        edge_attr=edge_attr[e_id],
        num_sampled_nodes_per_hop=num_nodes,
        num_sampled_edges_per_hop=num_edges,
    )


@every_version
@pytest.mark.parametrize("hops", [2, 3])
def test_trimming_builds_one_csr_graph(v2, hops, monkeypatch):
    """No graph is built for a sampled batch, and one for any other batch."""
    theirs, ours = models(6, 8, 3, 3, v2=v2, heads=2, norm="batch")
    x = features(NUM_NODES, 6)
    loader = gatsparse.data.NeighborLoader(
        Data(x=x, edge_index=EDGES), [3] * hops, torch.arange(4), batch_size=4
    )
    batch = next(iter(loader))
    n_id, edge_index, _, num_nodes, num_edges = neighbourhoods(hops)
    built = []
    build = gatsparse.CSRGraph.from_edge_index
    monkeypatch.setattr(
        gatsparse.CSRGraph,
        "from_edge_index",
        lambda *args, **size: built.append(1) or build(*args, **size),
    )
    args = batch.num_sampled_nodes, batch.num_sampled_edges
    assert_same(theirs, ours, batch.x, batch.edge_index, None, None, None, None, *args)
    assert len(built) == 0
    args = num_nodes, num_edges
    assert_same(theirs, ours, x[n_id], edge_index, None, None, None, None, *args)
    assert len(built) == 1


class WholeNeighbourhoods(NeighborLoader):
    """Loads all in-edges of some nodes at a time, without PyG's sampler, which is not on PyPI."""

    def __init__(self, x, seeds_per_batch):
        self.data = Data(x=x, edge_index=EDGES, num_nodes=NUM_NODES)
        self.dataset = range(NUM_NODES)
        self.node_sampler = SimpleNamespace(num_neighbors=[-1])
        self.batches = torch.arange(NUM_NODES).split(seeds_per_batch)

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for seeds in self.batches:
            into = torch.isin(EDGES[1], seeds)
            others = EDGES[0, into].unique()
            n_id = torch.cat([seeds, others[~torch.isin(others, seeds)]])
            number = torch.full((NUM_NODES,), -1)
            number[n_id] = torch.arange(len(n_id))
            edge_index = number[EDGES[:, into]]
            yield Data(n_id=n_id, edge_index=edge_index, batch_size=len(seeds))


@every_version
def test_inference(v2):
    theirs, ours = (model.eval() for model in models(6, 8, 2, 3, v2=v2, heads=2))
    x = features(NUM_NODES, 6)
    loader = WholeNeighbourhoods(x, 16)
    expected = theirs(x, EDGES)
    for model in (theirs, ours):
        for cache in (False, True):
            out = model.inference(loader, embedding_device="cpu", cache=cache)
            assert relative_error(out, expected) <= 1e-10


@every_version
def test_inference_with_our_loader(v2):
    theirs, ours = (model.eval() for model in models(6, 8, 3, 3, v2=v2, jk="last", norm="batch"))
    accelerated = gatsparse.accelerate(copy.deepcopy(theirs))
    data = Data(features(NUM_NODES, 6), EDGES)
    loader = gatsparse.data.NeighborLoader(data, [-1], batch_size=16)
    expected = theirs(data.x, EDGES)
    for model in (theirs, ours, accelerated):
        for cache in (False, True):
            assert relative_error(model.inference(loader, cache=cache), expected) <= 1e-10


def test_bad_calls_of_inference_raise():
    def loader(num_neighbors=(-1,), **options):
        return gatsparse.data.NeighborLoader(data, list(num_neighbors), batch_size=16, **options)

    data = Data(torch.randn(NUM_NODES, 6), EDGES)
    model = gatsparse.GAT(6, 8, 2)
    with pytest.raises(ValueError, match=r"call model\.eval\(\)"):
        model.inference(loader())
    model.eval()
    with pytest.raises(ValueError, match="jk None or 'last', got 'cat'"):
        gatsparse.GAT(6, 8, 2, jk="cat").eval().inference(loader())
    with pytest.raises(TypeError, match="loader: expected a NeighborLoader"):
        model.inference([data])
    with pytest.raises(ValueError, match=r"num_neighbors=\[-1\]"):
        model.inference(loader([-1, -1]))
    for nodes in (torch.arange(4), torch.arange(NUM_NODES).flip(0)):
        with pytest.raises(ValueError, match="leave input_nodes out"):
            model.inference(loader(input_nodes=nodes))
    for options in ({"shuffle": True}, {"drop_last": True}, {"sampler": [2, 1]}):
        with pytest.raises(ValueError, match="expected all nodes in their order"):
            model.inference(loader(**options))
    data.edge_attr = torch.randn(EDGES.size(1), 3)
    assert model.inference(loader()).shape == (NUM_NODES, 8)  # ignored without edge_dim
    with pytest.raises(ValueError, match=r"gatsparse\.infer\("):
        gatsparse.GAT(6, 8, 2, edge_dim=3).eval().inference(loader())


@every_version
def test_edge_dim_without_edge_attr_equals_pyg(v2):
    theirs, ours = models(6, 8, 2, v2=v2, edge_dim=3, heads=2)
    assert_same(theirs, ours, features(NUM_NODES, 6), EDGES)


def test_bad_arguments_raise():
    with pytest.raises(ValueError, match="backend: expected one of"):
        gatsparse.GAT(6, 8, 2, backend="best")
    with pytest.raises(ValueError, match="divisible by the number of heads"):
        gatsparse.GAT(6, 8, 2, heads=3)
