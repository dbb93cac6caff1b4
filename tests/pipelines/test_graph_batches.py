"""Many small graphs in one batch, pooled and classified."""

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader

from tests.pipelines.twins import (
    Net,
    assert_equal,
    assert_same,
    assert_same_training,
    every_layer,
    random_graph,
    twins,
)

CLASSES = 3
POOLS = {
    "mean": torch_geometric.nn.global_mean_pool,
    "add": torch_geometric.nn.global_add_pool,
}


@pytest.fixture
def graphs():
    """64 graphs of 1 to 12 nodes, every fourth without an edge, most with isolated nodes."""
    labels = torch.randint(CLASSES, (64, 1))
    sizes = [(1 + k % 12, 2 * (k % 4) * (k % 12)) for k in range(64)]
    return [random_graph(*size, y=y) for size, y in zip(sizes, labels, strict=True)]


class Classifier(Net):
    def __init__(self, conv, pool, **kwargs):
        super().__init__(conv, 6, 8, **kwargs)
        self.pool = POOLS[pool]
        self.out = torch.nn.Linear(8, CLASSES)

    def forward(self, x, edge_index, edge_attr, batch):
        x = super().forward(x, edge_index, edge_attr).tanh()
        return self.out(self.pool(x, batch))


def arguments(batch):
    return batch.x, batch.edge_index, batch.edge_attr, batch.batch


@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("pool", POOLS)
@every_layer
def test_training(layer, pool, edge_dim, graphs):
    if edge_dim is None:
        for graph in graphs:
            del graph.edge_attr
    batches = list(DataLoader(graphs, batch_size=24, shuffle=True))
    assert [batch.num_graphs for batch in batches] == [24, 24, 16]
    theirs, ours = twins(layer, lambda conv: Classifier(conv, pool, edge_dim=edge_dim))

    def loss(model, batch):
        return F.cross_entropy(model(*arguments(batch)), batch.y)

    assert_same_training(theirs, ours, 3 * batches, loss)


@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("fill_value", [0.5, "mean", "max"])
@every_layer
def test_gradients_of_a_batch(layer, fill_value, add_self_loops, graphs):
    options = {"edge_dim": 3, "fill_value": fill_value, "add_self_loops": add_self_loops}
    theirs, ours = twins(layer, lambda conv: Classifier(conv, "mean", **options))
    assert_same(theirs, ours, *arguments(Batch.from_data_list(graphs)))


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_batch_without_an_edge(layer, add_self_loops):
    batch = Batch.from_data_list([random_graph(num_nodes, 0) for num_nodes in (1, 4, 2)])
    options = {"edge_dim": 3, "add_self_loops": add_self_loops}
    theirs, ours = twins(layer, lambda conv: Classifier(conv, "mean", **options))
    assert_same(theirs, ours, *arguments(batch))


@every_layer
def test_batch_gives_the_results_of_its_graphs(layer, graphs):
    theirs, ours = twins(layer, lambda conv: Classifier(conv, "mean", edge_dim=3))
    single = [ours(*arguments(Batch.from_data_list([graph]))) for graph in graphs]
    batch = Batch.from_data_list(graphs)
    assert_equal(ours(*arguments(batch)), torch.cat(single))
    again = Batch.from_data_list(batch.to_data_list()[::-1])
    assert_equal(ours(*arguments(again)), theirs(*arguments(batch)).flip(0))


@every_layer
def test_norms_and_jumping_knowledge_of_a_batch(layer, graphs):
    class Model(torch.nn.Module):
        def __init__(self, conv):
            super().__init__()
            self.convs = torch.nn.ModuleList([conv(6, 4, heads=2), conv(8, 4, heads=2)])
            self.norms = torch.nn.ModuleList(
                [torch_geometric.nn.GraphNorm(8), torch_geometric.nn.BatchNorm(8)]
            )
            self.jump = torch_geometric.nn.JumpingKnowledge("cat")

        def forward(self, x, edge_index, batch):
            hidden = []
            for conv, norm in zip(self.convs, self.norms, strict=True):
                x = conv(x, edge_index)
                x = norm(x, batch) if isinstance(norm, torch_geometric.nn.GraphNorm) else norm(x)
                hidden.append(x.relu())
            return torch_geometric.nn.global_add_pool(self.jump(hidden), batch)

    batch = Batch.from_data_list(graphs)
    theirs, ours = twins(layer, Model)
    assert_same(theirs, ours, batch.x, batch.edge_index, batch.batch)
