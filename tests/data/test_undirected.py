"""Reverse edges, as PyG's ``to_undirected`` adds them."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.utils import to_undirected

from gatsparse.data import statistics
from gatsparse.data.undirected import undirected


@pytest.mark.parametrize("chunk", [1, 7, 2**22])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("num_edges", [0, 60])
def test_edges(monkeypatch, chunk, dtype, num_edges):
    monkeypatch.setattr(statistics, "_CHUNK", chunk)
    edge_index = torch.randint(10, (2, num_edges))
    found, attr = undirected(edge_index.to(dtype), None, 10)
    assert attr is None
    assert found.dtype == dtype
    assert torch.equal(found.long(), to_undirected(edge_index, num_nodes=10))


def test_features_of_duplicates_are_averaged():
    edge_index = torch.tensor([[0, 1, 0, 2], [1, 0, 1, 2]], dtype=torch.int32)
    attr = torch.tensor([[1.0], [4.0], [7.0], [5.0]])
    found, averaged = undirected(edge_index, attr, 3)
    assert found.tolist() == [[0, 1, 2], [1, 0, 2]]
    assert averaged.tolist() == [[4.0], [4.0], [5.0]]


def test_indices_near_the_limit_of_int32():
    """The number of a pair of nodes does not fit int32."""
    edge_index = torch.tensor([[0, 99_999], [99_999, 99_998]], dtype=torch.int32)
    found, _ = undirected(edge_index, torch.ones(2, 1), 100_000)
    assert found.tolist() == [[0, 99_998, 99_999, 99_999], [99_999, 99_999, 0, 99_998]]
