"""Transforms of batches and of the sampler's output."""

import copy

import pytest
import torch
import torch_geometric.transforms as T

import gatsparse
from gatsparse.data.loader import LinkNeighborLoader, NeighborLoader
from tests.data.loader.batches import (
    BATCH,
    CITES,
    assert_right,
    conv,
    no_threads,
)


def flip_in_place(batch):
    batch.edge_index.copy_(batch.edge_index.flip(0))
    return batch


def flip(batch):
    batch.edge_index = batch.edge_index.flip(0)
    return batch


def drop(batch):
    return batch.edge_subgraph(torch.arange(batch.num_edges) % 3 > 0)


CHANGES = {
    "flipped in place": flip_in_place,
    "flipped": flip,
    "fewer": drop,
    "undirected": T.ToUndirected(),
    "loops": T.AddSelfLoops("edge_attr"),
}


@pytest.mark.parametrize("prefetch", [0, 1])
@pytest.mark.parametrize("transform", CHANGES.values(), ids=CHANGES)
def test_layers_see_edges_changed_by_a_transform(transform, prefetch, data):
    plain = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=1)
    changed = NeighborLoader(
        data, [4, 3], batch_size=BATCH, seed=1, transform=transform, prefetch=prefetch
    )
    for batch, before in zip(changed, plain, strict=True):
        assert batch.edge_index.shape != before.edge_index.shape or not torch.equal(
            batch.edge_index, before.edge_index
        )
        assert_right(conv(), batch)


def test_layers_in_a_transform_build_no_graph(data, no_graph_is_built):
    layer, seen = conv(), []

    def transform(batch):
        seen.append(layer(batch.x, batch.edge_index, batch.edge_attr))
        return batch.num_nodes

    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, transform=transform)
    link_loader = LinkNeighborLoader(data, [4, 3], batch_size=300, transform=transform)
    no_graph_is_built()
    for batches in (loader, link_loader):
        seen.clear()
        assert list(batches) == [len(out) for out in seen]
        assert len(seen) == len(batches)


def test_transform_of_hetero_batches(hetero):
    loader = NeighborLoader(
        hetero, [3], input_nodes="paper", batch_size=16, transform=lambda b: b[CITES].num_edges
    )
    assert all(isinstance(count, int) and count > 0 for count in loader)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_error_in_a_transform_is_raised(prefetch, data):
    def transform(batch):
        if int(batch.input_id[0]) == 2 * BATCH:
            raise RuntimeError("the third")
        return batch

    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, transform=transform, prefetch=prefetch)
    for _ in range(2):
        seen = []
        with pytest.raises(RuntimeError, match="the third"):
            seen.extend(batch for batch in loader)
        assert no_threads()
    batches = iter(loader)
    assert [next(batches).batch_size for _ in range(2)] == [BATCH, BATCH]
    if prefetch:
        batches.close()
        assert no_threads()


@pytest.mark.parametrize("in_place", [True, False])
def test_transform_of_the_sampler_output_changes_the_edges(in_place, data):
    def transform(out):
        changed = out if in_place else copy.copy(out)
        changed.row, changed.col, changed.edge = out.row[::2], out.col[::2], out.edge[::2]
        return changed

    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, transform_sampler_output=transform)
    layer = gatsparse.GATConv(6, 3).double()
    for batch in loader:
        expected = layer(batch.x, batch.edge_index.clone())
        torch.testing.assert_close(layer(batch.x, batch.edge_index), expected)


@pytest.mark.parametrize("through_numpy", [False, True])
def test_transform_may_write_into_the_sampler_output(through_numpy, data):
    def transform(out):
        row = out.row.flip(0)
        if through_numpy:
            out.row.numpy()[:] = row.numpy()
        else:
            out.row.copy_(row)
        return out

    layer = gatsparse.GATConv(6, 3).double()
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, transform_sampler_output=transform)
    for batch in loader:
        expected = layer(batch.x, batch.edge_index.clone())
        torch.testing.assert_close(layer(batch.x, batch.edge_index), expected)
