import pytest
import torch
from torch_geometric.data import Data, HeteroData

from gatsparse import CSRGraph
from gatsparse.data.sampler import NeighborSampler
from tests.data.loader.batches import CITES, EDITS, OF, WRITES, E, GraphBuiltError, N


@pytest.fixture(autouse=True)
def _one_thread(threads):
    threads(1)


def make_data():
    """A graph with isolated nodes, loops and duplicate edges."""
    return Data(
        x=torch.randn(N, 6, dtype=torch.float64),
        edge_index=torch.randint(N - 5, (2, E)),
        edge_attr=torch.randn(E, 3, dtype=torch.float64),
        y=torch.randint(4, (N,)),
    )


@pytest.fixture
def data():
    return make_data()


@pytest.fixture
def hetero():
    """Papers, authors, topics and journals; topics have no in-edges."""
    data = HeteroData()
    for name, num_nodes in (("paper", 40), ("author", 15), ("topic", 8), ("journal", 5)):
        data[name].x = torch.randn(num_nodes, 6, dtype=torch.float64)
    for key, num_edges in ((CITES, 150), (WRITES, 90), (OF, 60), (EDITS, 12)):
        ends = [torch.randint(data[name].num_nodes, (num_edges,)) for name in (key[0], key[2])]
        data[key].edge_index = torch.stack(ends)
        data[key].edge_attr = torch.randn(num_edges, 3, dtype=torch.float64)
    data["paper"].y = torch.randint(4, (40,))
    return data


@pytest.fixture
def no_graph_is_built(monkeypatch):
    """Returns a function after whose call building a graph raises."""

    def refuse():
        def build(*_, **__):
            raise GraphBuiltError

        monkeypatch.setattr(CSRGraph, "from_edge_index", build)

    return refuse


@pytest.fixture
def outputs(monkeypatch):
    """Outputs of all samplers, in order."""
    found, sample = [], NeighborSampler._sample
    monkeypatch.setattr(
        NeighborSampler,
        "_sample",
        lambda *args, **kwargs: found.append(sample(*args, **kwargs)) or found[-1],
    )
    return found
