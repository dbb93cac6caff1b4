"""Loaders, and checks of the batches that they return."""

import threading

import pytest
import torch
import torch_geometric.nn
from torch_geometric.loader import NeighborLoader as PyGNeighborLoader
from torch_geometric.loader import NodeLoader

import gatsparse
from gatsparse.data.loader import NeighborLoader
from gatsparse.data.sampler import NeighborSampler

N, E, BATCH = 120, 900, 25
CITES, WRITES = ("paper", "cites", "paper"), ("author", "writes", "paper")
OF, EDITS = ("topic", "of", "paper"), ("author", "edits", "journal")


def check(data, batch):
    """Checks that a batch holds features and edges of its nodes."""
    assert torch.equal(batch.x, data.x[batch.n_id])
    assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
    assert torch.equal(batch.edge_attr, data.edge_attr[batch.e_id])
    assert bool((batch.edge_index[1].diff() >= 0).all())


def check_hetero(data, batch):
    for key in data.node_types:
        assert torch.equal(batch[key].x, data[key].x[batch[key].n_id])
    for key in data.edge_types:
        j, i = batch[key].edge_index
        ends = torch.stack([batch[key[0]].n_id[j], batch[key[2]].n_id[i]])
        assert torch.equal(ends, data[key].edge_index[:, batch[key].e_id])
        assert torch.equal(batch[key].edge_attr, data[key].edge_attr[batch[key].e_id])
        assert bool((i.diff() >= 0).all())


def content(batches):
    """Returns the nodes and edges of batches, to compare them."""
    return [torch.cat([batch.n_id, batch.e_id]).tolist() for batch in batches]


def conv(**options):
    return gatsparse.GATConv(6, 3, heads=2, edge_dim=3, **options).double()


def assert_right(layer, batch):
    """Checks that a layer uses the current edges of a batch, against PyG's layer."""
    ours = layer(batch.x, batch.edge_index, batch.edge_attr)
    again = layer(batch.x, batch.edge_index.clone(), batch.edge_attr)
    assert torch.equal(ours, again)
    theirs = torch_geometric.nn.GATConv(6, 3, heads=2, edge_dim=3).double()
    theirs.load_state_dict(layer.state_dict())
    torch.testing.assert_close(ours, theirs(batch.x, batch.edge_index, batch.edge_attr))


class GraphBuiltError(Exception):
    pass


def pyg_loader(data, num_neighbors, **options):
    return NodeLoader(data, node_sampler=NeighborSampler(data, num_neighbors), **options)


def pyg_neighbor_loader(data, num_neighbors, **options):
    sampler = NeighborSampler(data, num_neighbors)
    return PyGNeighborLoader(data, num_neighbors, neighbor_sampler=sampler, **options)


every_loader = pytest.mark.parametrize("loader", [NeighborLoader, pyg_loader, pyg_neighbor_loader])


def no_threads():
    return not [t for t in threading.enumerate() if t.name.startswith("gatsparse-batches")]
