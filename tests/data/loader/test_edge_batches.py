"""Batches of edges, from our loader and from PyG's with our sampler."""

import pytest
import torch
from torch_geometric.loader import LinkLoader
from torch_geometric.sampler import NegativeSampling

from gatsparse.data.loader import LinkNeighborLoader
from gatsparse.data.sampler import NeighborSampler
from tests.data.loader.batches import (
    CITES,
    WRITES,
    E,
    assert_right,
    check,
    check_hetero,
    content,
    conv,
)


def pyg_link_loader(data, num_neighbors, **options):
    return LinkLoader(data, link_sampler=NeighborSampler(data, num_neighbors), **options)


every_link_loader = pytest.mark.parametrize("loader", [LinkNeighborLoader, pyg_link_loader])


@every_link_loader
@pytest.mark.parametrize("negative", [None, "binary", NegativeSampling("triplet", 2)], ids=str)
def test_edge_batches_hold_their_edges(loader, negative, data):
    loader = loader(data, [3, 2], batch_size=200, neg_sampling=negative)
    assert len(loader) == 5
    for k, batch in enumerate(loader):
        check(data, batch)
        assert_right(conv(), batch)
        edges = torch.arange(200 * k, min(200 * (k + 1), E))
        assert torch.equal(batch.input_id, edges)
        if negative is None or negative == "binary":
            found = batch.n_id[batch.edge_label_index]
        else:
            found = batch.n_id[torch.stack([batch.src_index, batch.dst_pos_index])]
            assert batch.dst_neg_index.shape == (len(edges), 2)
            assert int(batch.dst_neg_index.max()) < batch.num_nodes
        assert torch.equal(found[:, : len(edges)], data.edge_index[:, edges])
        if negative == "binary":
            assert batch.edge_label.tolist() == [1.0] * len(edges) + [0.0] * len(edges)


@every_link_loader
@pytest.mark.parametrize("negative", [None, "binary", "triplet"])
@pytest.mark.parametrize("key", [CITES, WRITES], ids=str)
def test_hetero_edge_batches_hold_their_edges(loader, key, negative, hetero):
    loader = loader(hetero, [3, 2], edge_label_index=key, batch_size=32, neg_sampling=negative)
    src, _, dst = key
    for batch in loader:
        check_hetero(hetero, batch)
        if negative == "triplet":
            sources, targets = batch[src].src_index, batch[dst].dst_pos_index
            assert int(batch[dst].dst_neg_index.max()) < batch[dst].num_nodes
        else:
            sources, targets = batch[key].edge_label_index
        found = torch.stack([batch[src].n_id[sources], batch[dst].n_id[targets]])
        edges = batch[key].input_id
        assert torch.equal(found[:, : len(edges)], hetero[key].edge_index[:, edges])


def test_edge_labels_are_returned(data):
    pairs, label = torch.tensor([[3, 90, 3], [7, 0, 7]]), torch.tensor([5, 6, 7])
    (batch,) = LinkNeighborLoader(data, [2], pairs, label, batch_size=3)
    assert torch.equal(batch.n_id[batch.edge_label_index], pairs)
    assert torch.equal(batch.edge_label, label)


def test_same_seed_gives_the_same_edge_batches(data):
    first, second = (
        content(LinkNeighborLoader(data, [3, 2], batch_size=300, seed=4)) for _ in range(2)
    )
    assert first == second
    assert first != content(LinkNeighborLoader(data, [3, 2], batch_size=300, seed=5))
