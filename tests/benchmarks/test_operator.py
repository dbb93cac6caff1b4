import pytest
import torch

from benchmarks import operator
from benchmarks.operator import Floor
from gatsparse.data import rmat

N, SIZE = 40, (2, 3)


@pytest.fixture
def edge_index():
    return rmat(N, 300)


def test_floor_sums_rows_over_edges_and_loops(edge_index):
    floor = Floor(edge_index, N, 6)
    source, target = edge_index[:, edge_index[0] != edge_index[1]]
    adjacency = torch.eye(N)
    adjacency.index_put_((target, source), torch.ones(()), accumulate=True)
    assert not torch.equal(adjacency, adjacency.T)
    torch.testing.assert_close(floor.forward(), adjacency @ floor._rows)
    torch.testing.assert_close(floor.backward(), adjacency.T @ floor._rows)


def test_floor_both_runs_forward_and_backward(edge_index, monkeypatch):
    floor, calls = Floor(edge_index, N, 6), []
    for name in ("forward", "backward"):
        monkeypatch.setattr(floor, name, lambda name=name: calls.append(name))
    floor.both()
    assert calls == ["forward", "backward"]


@pytest.mark.parametrize("layer", ["GAT", "GATv2"])
def test_forward_adds_self_loops(edge_index, layer):
    function = operator.forward(layer, SIZE, edge_index, N)
    out = function()
    assert out.shape == (N, 6)
    assert not out.requires_grad
    loops = torch.arange(N).expand(2, N)
    torch.manual_seed(0)
    without = operator.forward(layer, SIZE, torch.empty(2, 0, dtype=torch.int64), N)()
    torch.manual_seed(0)
    torch.testing.assert_close(operator.forward(layer, SIZE, loops, N)(), without)
    assert without.abs().min() > 0  # each node attends to itself


@pytest.mark.parametrize(("layer", "nodes"), [("GAT", 1), ("GATv2", 2)])
def test_backward_gives_all_gradients_each_time(edge_index, layer, nodes):
    function = operator.backward(layer, SIZE, edge_index, N)
    first, second = function(), function()
    assert [g.size(0) for g in first] == [N] * nodes + [1] * (3 - nodes)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(bool(g.abs().max() > 0) for g in first)
