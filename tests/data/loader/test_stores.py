"""Batches from a feature store and a graph store."""

import pytest
import torch
from torch_geometric.testing import MyFeatureStore, MyGraphStore

import gatsparse
from gatsparse.data.loader import LinkNeighborLoader, NeighborLoader
from tests.data.loader.batches import BATCH, WRITES, N, every_loader


def stores(data):
    """Features and edges of one node type in stores."""
    features, graph = MyFeatureStore(), MyGraphStore()
    features.put_tensor(data.x, group_name=None, attr_name="x", index=None)
    graph.put_edge_index(data.edge_index, edge_type=None, layout="coo", size=(N, N))
    return features, graph


def hetero_stores(data):
    features, graph = MyFeatureStore(), MyGraphStore()
    for key in data.node_types:
        features.put_tensor(data[key].x, group_name=key, attr_name="x", index=None)
    for key, store in data.edge_items():
        size = (data[key[0]].num_nodes, data[key[2]].num_nodes)
        graph.put_edge_index(store.edge_index, edge_type=key, layout="coo", size=size)
    return features, graph


@every_loader
def test_stores_give_node_batches(loader, data, no_graph_is_built):
    loader = loader(stores(data), [3, 2], input_nodes=torch.arange(30), batch_size=BATCH)
    layer, batches = gatsparse.GATConv(6, 3).double(), list(loader)
    for batch in batches:
        assert torch.equal(batch.x, data.x[batch.n_id])
        assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
    expected = [layer(batch.x, batch.edge_index.clone()) for batch in batches]
    if isinstance(loader, NeighborLoader):
        no_graph_is_built()
    for batch, out in zip(batches, expected, strict=True):
        assert torch.equal(layer(batch.x, batch.edge_index), out)


@pytest.mark.parametrize("pair", [hetero_stores, lambda data: (data, data)])
def test_stores_give_hetero_batches(pair, hetero):
    for batch in NeighborLoader(pair(hetero), [3, 2], input_nodes="paper", batch_size=16):
        for key in hetero.node_types:
            assert torch.equal(batch[key].x, hetero[key].x[batch[key].n_id])
        for key in hetero.edge_types:
            j, i = batch[key].edge_index
            ends = torch.stack([batch[key[0]].n_id[j], batch[key[2]].n_id[i]])
            assert torch.equal(ends, hetero[key].edge_index[:, batch[key].e_id])


def test_stores_give_edge_batches(hetero):
    loader = LinkNeighborLoader(hetero_stores(hetero), [3], WRITES, batch_size=32)
    for batch in loader:
        sources, targets = batch[WRITES].edge_label_index
        found = torch.stack([batch["author"].n_id[sources], batch["paper"].n_id[targets]])
        assert torch.equal(found, hetero[WRITES].edge_index[:, batch[WRITES].input_id])
