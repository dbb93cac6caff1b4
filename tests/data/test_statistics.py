"""Statistics of graphs equal their definitions, computed edge by edge."""

from __future__ import annotations

from statistics import mean

import networkx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatsparse.data import edge_homophily, graph_statistics, statistics
from gatsparse.data.statistics import duplicate_edges

NODES = 6
EDGES = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=20)
CHUNKS = st.sampled_from([1, 3, 2**22])


@pytest.fixture(autouse=True)
def _chunk(monkeypatch):
    """Restores the size of a chunk, which the tests change."""
    monkeypatch.setattr(statistics, "_CHUNK", statistics._CHUNK)


def tensor(edges, dtype=torch.int64):
    return torch.tensor(edges, dtype=dtype).view(-1, 2).t().contiguous()


@given(EDGES, CHUNKS, st.sampled_from([torch.int32, torch.int64]))
def test_statistics(edges, chunk, dtype):
    statistics._CHUNK = chunk
    found = graph_statistics(tensor(edges, dtype), NODES)
    degrees = [sum(dst == node for _, dst in edges) for node in range(NODES)]
    between = [(src, dst) for src, dst in edges if src != dst]
    assert (found.num_nodes, found.num_edges) == (NODES, len(edges))
    low, _, average, high = found.in_degrees
    assert (low, high) == (min(degrees), max(degrees))
    assert average == pytest.approx(mean(degrees))
    assert found.num_self_loops == len(edges) - len(between)
    assert found.num_isolated == NODES - len({node for edge in between for node in edge})
    assert found.num_duplicates == len(edges) - len(set(edges))
    both = sum((dst, src) in set(edges) for src, dst in between)
    assert found.reciprocity == pytest.approx(both / max(len(between), 1))
    assert found.is_undirected == (both == len(between))
    graph = networkx.Graph(edges)
    graph.add_nodes_from(range(NODES))
    parts = list(networkx.connected_components(graph))
    assert (found.num_components, found.largest_component) == (len(parts), max(map(len, parts)))


@given(EDGES, CHUNKS)
def test_duplicate_edges(edges, chunk):
    statistics._CHUNK = chunk
    expected = [k for k, edge in enumerate(edges) if edge in edges[:k]]
    assert duplicate_edges(tensor(edges), NODES).tolist() == expected


@given(EDGES, CHUNKS, st.lists(st.integers(-1, 2), min_size=NODES, max_size=NODES))
def test_homophily(edges, chunk, labels):
    statistics._CHUNK = chunk
    known = [(s, d) for s, d in edges if s != d and labels[s] >= 0 and labels[d] >= 0]
    found = edge_homophily(tensor(edges), torch.tensor(labels))
    if not known:
        assert found != found  # NaN
        return
    assert found == pytest.approx(mean(labels[s] == labels[d] for s, d in known))


def test_components_of_large_graphs_are_left_out(monkeypatch):
    monkeypatch.setattr(statistics, "_MOST_FOR_COMPONENTS", 1)
    found = graph_statistics(tensor([(0, 1), (1, 0)]), 2)
    assert found.num_components is found.largest_component is None
