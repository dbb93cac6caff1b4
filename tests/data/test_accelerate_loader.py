"""Replacement of PyG's loader."""

from __future__ import annotations

import pytest
import torch
import torch_geometric.loader
from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler, SubsetRandomSampler
from torch_geometric.data import Data, HeteroData

from gatsparse.data import NeighborLoader, NeighborSampler, accelerate_loader

N = 40
pytestmark = pytest.mark.filterwarnings("ignore:.*without a 'pyg-lib'.*")


def graph():
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(N, (2, 200), generator=generator)
    return Data(x=torch.arange(N), edge_index=edge_index)


def pyg_loader(data, *args, **options):
    return torch_geometric.loader.NeighborLoader(data, *args, **options)


def seeds(loader):
    return [batch.n_id[: batch.batch_size].tolist() for batch in loader]


ORDERS = {
    "in order": {"batch_size": 7},
    "drop_last": {"batch_size": 7, "drop_last": True},
    "sampler": {"batch_size": 3, "sampler": SubsetRandomSampler([4, 2, 9, 5])},
    "replacement": {"sampler": RandomSampler(range(12), replacement=True, num_samples=9)},
    "batch_sampler": {"batch_sampler": BatchSampler(SequentialSampler(range(9)), 4, False)},
}


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("nodes", [None, torch.arange(N) % 3 > 0], ids=["all", "mask"])
def test_seeds_are_those_of_pyg(name, nodes):
    theirs = pyg_loader(graph(), [3, -1], nodes, **ORDERS[name])
    ours = accelerate_loader(theirs)
    assert type(ours) is NeighborLoader
    nodes = theirs.input_data.node
    if "sampler" in ORDERS[name]:
        assert ours.sampler is theirs.sampler
        assert sum(map(len, seeds(ours))) == len(theirs.sampler)
    else:
        assert seeds(ours) == [nodes[index].tolist() for index in theirs.batch_sampler]
    assert ours.batch_size == theirs.batch_size
    assert len(ours) == len(theirs)


def test_shuffled_loader_uses_its_generator():
    generator = torch.Generator().manual_seed(5)
    ours = accelerate_loader(
        pyg_loader(graph(), [3], batch_size=8, shuffle=True, generator=generator)
    )
    first, second = seeds(ours), seeds(ours)
    assert sorted(node for batch in first for node in batch) == list(range(N))
    assert first != second
    generator.manual_seed(5)
    assert seeds(ours) == first


def test_options_of_sampling_and_transforms_are_kept():
    def transform(batch):
        batch.seen = True
        return batch

    options = {"replace": True, "subgraph_type": "induced", "transform": transform}
    ours = accelerate_loader(pyg_loader(graph(), [2, 1], batch_size=4, num_workers=0, **options))
    sampler = ours.node_sampler
    assert sampler.replace
    assert sampler.subgraph_type.value == "induced"
    assert next(iter(ours)).seen
    assert accelerate_loader(ours) is ours


def test_loader_of_a_heterogeneous_graph():
    data = HeteroData()
    data["a"].x, data["b"].x = torch.randn(10, 2), torch.randn(6, 2)
    data["a", "to", "b"].edge_index = torch.stack([torch.arange(10), torch.arange(10) % 6])
    ours = accelerate_loader(pyg_loader(data, {("a", "to", "b"): [-1]}, ("b", None), batch_size=6))
    batch = next(iter(ours))
    assert (batch["b"].batch_size, batch["a"].num_nodes) == (6, 10)


def test_unsupported_options_raise():
    with pytest.raises(ValueError, match=r"^disjoint: only"):
        accelerate_loader(pyg_loader(graph(), [3], disjoint=True))
    weighted = pyg_loader(graph(), [3])
    weighted.node_sampler.edge_weight = torch.ones(200)  # weight_attr, which needs pyg-lib
    with pytest.raises(ValueError, match=r"^weight_attr: only"):
        accelerate_loader(weighted)
    with pytest.raises(ValueError, match="expected a sampler of PyG, got a Neighbor"):
        accelerate_loader(pyg_loader(graph(), [3], neighbor_sampler=NeighborSampler(graph(), [3])))


def test_other_loaders_raise():
    class Mine(torch_geometric.loader.NeighborLoader):
        pass

    for other in (torch_geometric.loader.DataLoader([graph()]), Mine(graph(), [3]), None):
        with pytest.raises(TypeError, match="loader: expected a torch_geometric"):
            accelerate_loader(other)
