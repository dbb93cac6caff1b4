"""Layers reuse the CSR graph that the sampler built."""

import pytest
import torch
import torch_geometric.nn
from torch_geometric.nn import HeteroConv

import gatsparse
from gatsparse.adjacency import as_graph
from gatsparse.data.loader import LinkNeighborLoader, NeighborLoader
from tests.data.loader.batches import BATCH, GraphBuiltError, conv


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("subgraph_type", ["directional", "induced"])
def test_cached_graph_is_that_of_the_sampler(data, outputs, prefetch, subgraph_type):
    loader = NeighborLoader(
        data, [4, 3], batch_size=BATCH, prefetch=prefetch, subgraph_type=subgraph_type
    )
    graphs = []
    for batch in loader:
        graphs.append(as_graph(batch.edge_index, (batch.num_nodes, batch.num_nodes)))
        assert torch.equal(graphs[-1].edge_index(), batch.edge_index)
    assert {id(graph) for graph in graphs} == {id(out.graph) for out in outputs}


@pytest.mark.parametrize("prefetch", [0, 2])
def test_layers_build_no_graph_of_node_batches(data, no_graph_is_built, prefetch):
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, prefetch=prefetch)
    model = torch.nn.ModuleList([conv(), gatsparse.GATv2Conv(6, 2, edge_dim=3).double()])
    batches = list(loader)

    def run(batch, edge_index):
        outs = [layer(batch.x, edge_index, batch.edge_attr) for layer in model]
        total = sum(out.square().sum() for out in outs)
        return *outs, *torch.autograd.grad(total, list(model.parameters()))

    expected = [run(batch, batch.edge_index.clone()) for batch in batches]
    no_graph_is_built()
    for batch, outs in zip(batches, expected, strict=True):
        assert all(map(torch.equal, run(batch, batch.edge_index), outs))
    with pytest.raises(GraphBuiltError):
        run(batches[0], batches[0].edge_index.clone())


def test_layers_build_no_graph_of_edge_batches(data, no_graph_is_built):
    batches = list(LinkNeighborLoader(data, [4, 3], batch_size=200, neg_sampling="binary"))
    layer = conv()
    no_graph_is_built()
    for batch in batches:
        layer(batch.x, batch.edge_index, batch.edge_attr)


@pytest.mark.filterwarnings("ignore:There exist node types")
@pytest.mark.parametrize("prefetch", [0, 2])
def test_layers_build_no_graph_of_hetero_batches(hetero, no_graph_is_built, prefetch):
    loader = NeighborLoader(hetero, [3, 2], input_nodes="paper", batch_size=16, prefetch=prefetch)
    layer = HeteroConv(
        {key: gatsparse.GATConv(6, 2, add_self_loops=False) for key in hetero.edge_types}
    ).double()
    batches = list(loader)

    def run(batch, edges):
        return layer({key: batch[key].x for key in batch.node_types}, edges)

    rebuilt = [
        run(batch, {key: store.edge_index.clone() for key, store in batch.edge_items()})
        for batch in batches
    ]
    no_graph_is_built()
    for batch, expected in zip(batches, rebuilt, strict=True):
        outs = run(batch, {key: store.edge_index for key, store in batch.edge_items()})
        assert outs.keys() == expected.keys() >= {"paper"}
        assert all(torch.equal(outs[key], expected[key]) for key in outs)
    with pytest.raises(GraphBuiltError):
        run(batch, {key: store.edge_index.clone() for key, store in batch.edge_items()})


def test_trimmed_model_equals_the_whole_model(data):
    batch = next(iter(NeighborLoader(data, [4, 3], batch_size=BATCH)))
    model = gatsparse.accelerate(
        torch_geometric.nn.GAT(6, 8, num_layers=2, out_channels=4, edge_dim=3).double()
    )
    whole = model(batch.x, batch.edge_index, edge_attr=batch.edge_attr)
    trimmed = model(
        batch.x,
        batch.edge_index,
        edge_attr=batch.edge_attr,
        num_sampled_nodes_per_hop=batch.num_sampled_nodes,
        num_sampled_edges_per_hop=batch.num_sampled_edges,
    )
    torch.testing.assert_close(trimmed[:BATCH], whole[:BATCH])
