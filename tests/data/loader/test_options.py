"""Options that the loaders accept and reject."""

import pytest
import torch
from torch_geometric.data import Data

from gatsparse import CSRGraph, _native
from gatsparse.data.loader import LinkNeighborLoader, NeighborLoader
from gatsparse.data.sampler import NeighborSampler
from tests.data.loader.batches import BATCH, E, N, check

NODE_OPTIONS = {
    "input_time": torch.zeros(N),
    "disjoint": True,
    "time_attr": "time",
    "weight_attr": "weight",
    "temporal_strategy": "last",
    "directed": False,
}


@pytest.mark.parametrize("name", NODE_OPTIONS)
def test_unsupported_options_raise(name, data):
    with pytest.raises(ValueError, match=f"^{name}: only .* is supported, got "):
        NeighborLoader(data, [2], **{name: NODE_OPTIONS[name]})


@pytest.mark.parametrize("name", ["edge_label_time", *list(NODE_OPTIONS)[1:]])
def test_unsupported_options_of_edge_loaders_raise(name, data):
    value = NODE_OPTIONS.get(name, torch.zeros(E))
    with pytest.raises(ValueError, match=f"^{name}: only .* is supported, got "):
        LinkNeighborLoader(data, [2], **{name: value})


def test_default_values_of_pyg_options_are_accepted(data):
    options = dict.fromkeys(("time_attr", "weight_attr", "input_time"))
    loader = NeighborLoader(
        data,
        [2],
        **options,
        disjoint=False,
        temporal_strategy="uniform",
        directed=True,
        is_sorted=True,
        batch_size=BATCH,
    )
    check(data, next(iter(loader)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefetch": -1}, r"^prefetch: expected >= 0, got -1"),
        (
            {"prefetch": 1, "num_workers": 2},
            r"^prefetch: expected 0 together with worker processes, got 1 and num_workers=2",
        ),
    ],
)
def test_bad_prefetch_raises(options, message, data):
    with pytest.raises(ValueError, match=message):
        NeighborLoader(data, [2], **options)


@pytest.mark.parametrize("loader", [NeighborLoader, LinkNeighborLoader])
def test_loader_raises_the_errors_of_the_sampler(loader, data, monkeypatch):
    with pytest.raises(ValueError, match=r"num_neighbors: expected .* got \[-3\]"):
        loader(data, [-3])
    with pytest.raises(TypeError, match="data: expected edge_index or adj_t, got neither"):
        loader(Data(x=data.x), [3])
    with pytest.raises(TypeError, match=r"data: expected Data, .* got str"):
        loader("cora", [3])
    monkeypatch.setattr(_native, "MISSING", "not built")
    with pytest.raises(ImportError, match="not built"):
        loader(data, [3])


def test_loader_rejects_csr_graph(data):
    graph = CSRGraph.from_edge_index(data.edge_index, N)
    with pytest.raises(TypeError, match=r"data: expected"):
        NeighborLoader(graph, [3], torch.arange(4))


@pytest.mark.parametrize("options", [{"replace": True}, {"subgraph_type": "induced"}, {"seed": 1}])
@pytest.mark.parametrize("loader", [NeighborLoader, LinkNeighborLoader])
def test_options_in_addition_to_a_sampler_raise(loader, options, data):
    (name,) = options
    with pytest.raises(ValueError, match=f"^{name}: expected .* with a neighbor_sampler"):
        loader(data, [2], neighbor_sampler=NeighborSampler(data, [2]), **options)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_torch_sparse_adj_t_raises(data):
    adj_t = torch.eye(N).to_sparse_csr()
    with pytest.raises(TypeError, match=r"torch\.sparse adj_t.*set edge_index"):
        NeighborLoader(Data(x=data.x, adj_t=adj_t), [2])
