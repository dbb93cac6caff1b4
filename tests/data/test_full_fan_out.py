"""With all in-edges sampled, the rows of the seeds equal those of the whole graph."""

import pytest
import torch
import torch_geometric.nn
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import ImbalancedSampler, NodeLoader
from torch_geometric.utils import coalesce, to_undirected

import gatsparse
from gatsparse.data import LinkNeighborLoader, NeighborLoader, NeighborSampler

F, D, LAYERS = 3, 2, 2
CONVS = {
    "GAT": (torch_geometric.nn.GATConv, gatsparse.GATConv),
    "GATv2": (torch_geometric.nn.GATv2Conv, gatsparse.GATv2Conv),
}
KINDS = st.sampled_from(["directional", "induced", "bidirectional"])
layers = st.tuples(st.sampled_from(sorted(CONVS)), st.booleans(), st.booleans())


@st.composite
def edges(draw, num_src, num_dst):
    """Draws edges with self-loops, parallel edges and isolated nodes."""
    pairs = st.tuples(st.integers(0, num_src - 1), st.integers(0, num_dst - 1))
    found = draw(st.lists(pairs, max_size=14))
    if draw(st.booleans()):
        found += [(i, i) for i in range(min(num_src, num_dst))]
    return torch.tensor(found, dtype=torch.int64).view(-1, 2).t().contiguous()


def seeds_of(num_nodes):
    """Draws seeds, many of them repeated."""
    drawn = st.lists(st.integers(0, num_nodes - 1), min_size=1, max_size=6)
    return drawn.flatmap(lambda seeds: st.sampled_from([seeds, seeds + seeds[:2]]))


def features(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def convs_of(layer, in_channels=F, **options):
    """Returns PyG's layers and ours with the same weights."""
    name, add_self_loops, edge_features = layer
    options = {
        "heads": 2,
        "concat": False,
        "add_self_loops": add_self_loops,
        "edge_dim": D if edge_features else None,
        **options,
    }
    theirs = [CONVS[name][0](in_channels, F, **options).double() for _ in range(LAYERS)]
    ours = [CONVS[name][1](in_channels, F, **options).double() for _ in range(LAYERS)]
    for one, other in zip(theirs, ours, strict=True):
        other.load_state_dict(one.state_dict())
    return theirs, ours


def run(convs, x, edge_index, edge_attr):
    for conv in convs:
        x = conv(x, edge_index, edge_attr).tanh()
    return x


def assert_rows(out, expected):
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.data(), KINDS, st.booleans(), layers, st.booleans(), st.integers(1, 6))
def test_rows_of_seeds_equal_the_whole_graph(draw, kind, replace, layer, pygs_loader, batch_size):
    num_nodes = draw.draw(st.integers(1, 8))
    edge_index = draw.draw(edges(num_nodes, num_nodes))
    seeds = torch.tensor(draw.draw(seeds_of(num_nodes)))
    if kind == "bidirectional":  # adds edges to a directed graph
        edge_index = coalesce(to_undirected(edge_index, num_nodes=num_nodes))
    edge_attr = features(edge_index.size(1), D)
    if kind == "bidirectional":  # the id of an edge may be that of its reverse
        edge_attr = (edge_index.sum(0) + 0.1 * edge_index.prod(0))[:, None].repeat(1, D).double()
    data = Data(features(num_nodes, F), edge_index, edge_attr)
    theirs, ours = convs_of(layer)
    expected = run(theirs, data.x, data.edge_index, data.edge_attr if layer[2] else None)
    hops = [-1] * LAYERS
    sampler = NeighborSampler(data, hops, subgraph_type=kind, replace=replace)
    if pygs_loader:
        loader = NodeLoader(data, sampler, input_nodes=seeds, batch_size=batch_size)
    else:
        options = {"subgraph_type": kind, "replace": replace, "batch_size": batch_size}
        loader = NeighborLoader(data, hops, input_nodes=seeds, **options)
    for batch in loader:
        assert torch.equal(batch.n_id[: batch.batch_size], seeds[batch.input_id])
        assert torch.equal(batch.x, data.x[batch.n_id])
        attr = batch.edge_attr if layer[2] else None
        for convs in (ours, theirs):
            out = run(convs, batch.x, batch.edge_index, attr)[: batch.batch_size]
            assert_rows(out, expected[seeds[batch.input_id]])


@settings(max_examples=30, deadline=None)
@given(st.data(), layers, st.booleans())
def test_rows_of_seeds_with_trimming(draw, layer, ours_trimmed):
    num_nodes = draw.draw(st.integers(1, 8))
    edge_index = draw.draw(edges(num_nodes, num_nodes))
    seeds = torch.tensor(draw.draw(seeds_of(num_nodes)))
    data = Data(features(num_nodes, F), edge_index, features(edge_index.size(1), D))
    name, add_self_loops, edge_features = layer
    options = {
        "v2": name == "GATv2",
        "add_self_loops": add_self_loops,
        "edge_dim": D if edge_features else None,
    }
    theirs = torch_geometric.nn.GAT(F, 4, LAYERS, 3, **options).double().eval()
    ours = gatsparse.GAT(F, 4, LAYERS, 3, **options).double().eval()
    ours.load_state_dict(theirs.state_dict())
    paper = gatsparse.nn.PaperGAT(F, 4, 3, heads=2).double().eval()
    attr = {"edge_attr": data.edge_attr} if edge_features else {}
    expected = theirs(data.x, edge_index, **attr)[seeds]
    (batch,) = NeighborLoader(data, [-1] * LAYERS, input_nodes=seeds, batch_size=len(seeds))
    nodes, num_edges = batch.num_sampled_nodes, batch.num_sampled_edges
    attr = {"edge_attr": batch.edge_attr} if edge_features else {}
    model = ours if ours_trimmed else theirs
    out = model(
        batch.x,
        batch.edge_index,
        num_sampled_nodes_per_hop=nodes,
        num_sampled_edges_per_hop=num_edges,
        **attr,
    )
    assert_rows(out[: len(seeds)], expected)
    out = paper(batch.x, batch.edge_index, nodes)
    assert_rows(out[: len(seeds)], paper(data.x, edge_index)[seeds])


@settings(max_examples=30, deadline=None)
@given(st.data(), KINDS, layers, st.sampled_from([None, "binary", "triplet"]))
def test_rows_of_the_ends_of_edges(draw, kind, layer, negative):
    num_nodes = draw.draw(st.integers(2, 8))
    edge_index = draw.draw(edges(num_nodes, num_nodes))
    if kind == "bidirectional":
        edge_index = coalesce(to_undirected(edge_index, num_nodes=num_nodes))
    ends = draw.draw(st.lists(seeds_of(num_nodes), min_size=1, max_size=1))[0]
    labels = torch.tensor([ends, ends[::-1]])  # with loops, and the same edge again
    data = Data(features(num_nodes, F), edge_index)
    theirs, ours = convs_of((*layer[:2], False))
    expected = run(theirs, data.x, edge_index, None)
    loader = LinkNeighborLoader(
        data, [-1] * LAYERS, labels, batch_size=3, neg_sampling=negative, subgraph_type=kind
    )
    for batch in loader:
        out = run(ours, batch.x, batch.edge_index, None)
        if negative == "triplet":
            index = [batch.src_index, batch.dst_pos_index, batch.dst_neg_index]
            local = torch.cat([i.flatten() for i in index])
        else:
            local = batch.edge_label_index.flatten()
        assert_rows(out[local], expected[batch.n_id[local]])


TYPES = [("a", "to", "a"), ("a", "to", "b"), ("b", "to", "a"), ("a", "also", "a")]


@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from(["directional", "induced"]), layers, st.sampled_from("ab"))
def test_rows_of_seeds_of_several_types(draw, kind, layer, seed_type):
    sizes = {key: draw.draw(st.integers(1, 6)) for key in "ab"}
    data = HeteroData()
    for key, size in sizes.items():
        data[key].x = features(size, F)
    for src, name, dst in TYPES:
        store = data[src, name, dst]
        store.edge_index = draw.draw(edges(sizes[src], sizes[dst]))
        store.edge_attr = features(store.edge_index.size(1), D)
    seeds = torch.tensor(draw.draw(seeds_of(sizes[seed_type])))
    theirs, ours = {}, {}
    for key in TYPES:  # loops are added within one type only: others would join unrelated nodes
        one_type = layer[1] and key[0] == key[2]
        pair = convs_of((layer[0], one_type, layer[2]), (F, F))
        theirs[key], ours[key] = pair
    out = {}
    (batch,) = NeighborLoader(
        data,
        [-1] * LAYERS,
        input_nodes=(seed_type, seeds),
        batch_size=len(seeds),
        subgraph_type=kind,
    )
    for name, convs, given_data in (("whole", theirs, data), ("batch", ours, batch)):
        x = given_data.x_dict
        for hop in range(LAYERS):
            sums = {key: torch.zeros_like(value) for key, value in x.items()}
            for key in TYPES:
                store = given_data[key]
                attr = store.edge_attr if layer[2] else None
                pair = (x[key[0]], x[key[2]])
                sums[key[2]] = sums[key[2]] + convs[key][hop](pair, store.edge_index, attr)
            x = {key: value.tanh() for key, value in sums.items()}
        out[name] = x[seed_type]
    assert torch.equal(batch[seed_type].n_id[: len(seeds)], seeds)
    assert_rows(out["batch"][: len(seeds)], out["whole"][seeds])


@pytest.mark.parametrize("relations", [["to"], ["to", "rev_to"]], ids=str)
def test_bidirectional_samples_of_several_types(relations):
    torch.manual_seed(0)
    data = HeteroData()
    data["a"].x = features(9, F)
    edge_index = coalesce(to_undirected(torch.randint(9, (2, 20))))
    for relation in relations:
        data["a", relation, "a"].edge_index = edge_index
    seeds = torch.tensor([4, 2, 4, 4, 0, 2])
    theirs, ours = convs_of(("GAT", True, False))
    expected = run(theirs, data["a"].x, edge_index, None)[seeds]
    (batch,) = NeighborLoader(
        data, [-1, -1], ("a", seeds), batch_size=6, subgraph_type="bidirectional"
    )
    for relation in relations:
        out = run(ours, batch["a"].x, batch["a", relation, "a"].edge_index, None)
        assert_rows(out[:6], expected)


def test_oversampling():
    torch.manual_seed(0)
    edge_index = torch.cat([torch.randint(60, (2, 200)), torch.arange(60).repeat(2, 1)], dim=1)
    data = Data(features(60, F), edge_index, y=(torch.arange(60) > 52).long())
    theirs, ours = convs_of(("GAT", True, False))
    expected = run(theirs, data.x, edge_index, None)
    loader = NeighborLoader(data, [-1, -1], batch_size=16, sampler=ImbalancedSampler(data.y))
    repeated = 0
    for batch in loader:
        seeds = batch.n_id[: batch.batch_size]
        repeated += len(seeds) - len(seeds.unique())
        assert_rows(run(ours, batch.x, batch.edge_index, None)[: len(seeds)], expected[seeds])
    assert repeated > 10


def test_repeated_seeds_draw_in_edges_of_their_own():
    edge_index = torch.stack([torch.arange(1000), torch.zeros(1000, dtype=torch.int64)])
    data = Data(torch.zeros(1000, F), edge_index)
    (batch,) = NeighborLoader(data, [5], torch.tensor([0, 0]), batch_size=2, seed=0)
    drawn = [batch.e_id[batch.edge_index[1] == k].tolist() for k in (0, 1)]
    assert len(drawn[0]) == len(drawn[1]) == 5
    assert drawn[0] != drawn[1]


def test_edge_ids_of_bidirectional_samples_with_repeated_seeds():
    torch.manual_seed(0)
    data = Data(torch.zeros(20, F), torch.randint(20, (2, 60)))
    seeds = torch.tensor([3, 3, 5, 3])
    (batch,) = NeighborLoader(data, [2, 2], seeds, batch_size=4, subgraph_type="bidirectional")
    ends = batch.n_id[batch.edge_index]
    given_ends = data.edge_index[:, batch.e_id]
    assert bool(((given_ends == ends) | (given_ends.flip(0) == ends)).all())
    assert bool((batch.edge_index[1].diff() >= 0).all())
    in_edges = [set(ends[0, batch.edge_index[1] == k].tolist()) for k in (0, 1, 3)]
    assert in_edges[0] == in_edges[1] == in_edges[2]


def test_induced_sample_has_no_hops():
    """The edges are not ordered by hop, so a model must not be trimmed by them."""
    torch.manual_seed(0)
    data = Data(features(20, F), torch.randint(20, (2, 60)))
    (batch,) = NeighborLoader(data, [1, 1], torch.arange(4), batch_size=4, subgraph_type="induced")
    assert not {"num_sampled_nodes", "num_sampled_edges"} & set(batch.keys())
