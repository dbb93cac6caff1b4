"""Ids that start at 1, or are sparse, or any integers of 64 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from gatsparse.data import EdgeListError, RelabeledEdges, RelabeledGraph
from gatsparse.data.edge_list import read_edge_list, read_graph
from tests.data.edge_files.edge_lists import (
    LISTS,
    reads,
    refuses,
    write,
    write_table,
)


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet", ".pq"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int8, np.uint16])
def test_ids_from_one(tmp_path: Path, suffix: str, dtype):
    path = write_table(tmp_path / f"e{suffix}", np.array(LISTS, dtype) + dtype(1))
    reads(path, base=1)
    assert read_graph(path, base=1).size == (6, 6)
    assert read_graph(path, base=1, num_nodes=8).size == (8, 8)
    refuses(path, "expected 1 .. 5 (num_nodes=5) (ids start at 1), got 6", base=1, num_nodes=5)
    refuses(
        path, "expected 0 .. 5 (num_nodes=6), got 6 (if ids start at 1, pass base=1)", num_nodes=6
    )
    path = write_table(tmp_path / f"e{suffix}", np.array(LISTS, dtype))
    refuses(path, "source: expected 1 .. ", base=1)
    path = write_table(tmp_path / f"e{suffix}", np.array([[2**31], [1]]))
    assert read_edge_list(path, base=1).dtype == torch.int32


@st.composite
def sparse_ids(draw) -> np.ndarray:
    dtype = draw(st.sampled_from([np.int64, np.uint64, np.int32, np.uint8]))
    bounds = np.iinfo(dtype)
    pool = st.integers(int(bounds.min), int(bounds.max))
    known = draw(st.lists(pool, min_size=1, max_size=6))
    pairs = draw(st.lists(st.tuples(*[st.sampled_from(known)] * 2), max_size=20))
    return np.array(pairs, dtype).reshape(-1, 2).T


@given(
    suffix=st.sampled_from([".csv", ".npy", ".parquet"]),
    ends=sparse_ids(),
    block_size=st.integers(1, 30),
)
def test_any_ids_are_relabeled(tmp_path_factory, suffix: str, ends: np.ndarray, block_size: int):
    if suffix == ".npy" and ends.shape == (2, 2):
        ends = ends[:, :1]
    path = write_table(tmp_path_factory.mktemp("ids") / f"e{suffix}", ends)
    found = read_edge_list(path, relabel=True, block_size=block_size)
    assert isinstance(found, RelabeledEdges)
    edge_index, node_ids = found
    assert node_ids.tolist() == sorted(set(ends.ravel().tolist()))
    ids = node_ids.numpy()
    assert ids[edge_index.numpy()].tolist() == ends.tolist()
    assert edge_index.dtype == torch.int32
    assert node_ids.dtype == (torch.uint64 if ids.max(initial=0) > 2**63 - 1 else torch.int64)
    graph = read_graph(path, relabel=True, duplicates="keep", block_size=block_size)
    assert isinstance(graph, RelabeledGraph)
    assert graph.node_ids.tolist() == node_ids.tolist()
    assert graph.graph.size == (len(node_ids), len(node_ids))
    assert graph.graph.edge_index().tolist() == edge_index.tolist()


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet"])
def test_sparse_ids_of_graphs_raise(tmp_path: Path, suffix: str):
    """Otherwise nodes that are not in the file would take up to all of the memory."""
    for largest in (12345, 10**9, 76561198000000000, 2**63 - 1):
        path = write_table(tmp_path / f"e{suffix}", np.array([[0, 7, 3], [1, largest, 3]]))
        message = f"the largest node id is {largest}, but there are only 3 edges: pass relabel=True"
        refuses(path, message, read_graph)
        refuses(
            path, {".csv": "line 3: ", ".npy": "edge 1 ", ".parquet": "row 1: "}[suffix], read_graph
        )
        graph, node_ids = read_graph(path, relabel=True)
        assert node_ids.tolist() == [0, 1, 3, 7, largest]
        assert graph.edge_index().tolist() == [[0, 3, 2], [1, 4, 2]]
    path = write_table(tmp_path / f"e{suffix}", np.array([[0, 7, 3], [1, -12345, 3]]))
    refuses(path, "got -12345 (relabel=True accepts any ids)", read_graph)
    path = write_table(tmp_path / f"e{suffix}", np.array([[0, 7, 3], [1, 2**64 - 1, 3]], np.uint64))
    refuses(path, str(2**64 - 1), read_graph)
    refuses(path, "(relabel=True accepts any ids)", read_graph)
    path = write_table(tmp_path / f"e{suffix}", np.array([[0, 7, 3], [1, 12345, 3]]))
    assert read_graph(path, num_nodes=12346).size == (12346, 12346)
    refuses(path, "is 12345, but there are only 3 edges", read_graph, base=0)


def test_duplicates_are_named_by_their_ids(tmp_path: Path):
    path = write(tmp_path / "e.txt", "7000000000 -5\n3 4\n7000000000 -5\n")
    refuses(
        path,
        "line 3: expected every edge once, got 7000000000 -> -5 again",
        read_graph,
        relabel=True,
    )
    path = write(tmp_path / "e.txt", "7 5\n3 4\n7 5\n")
    refuses(path, "line 3: expected every edge once, got 7 -> 5 again", read_graph, base=1)


@pytest.mark.parametrize("signed", [pa.int8(), pa.int32(), pa.int64()], ids=str)
@pytest.mark.parametrize("large", [2**60, 2**63 + 5])
def test_signed_and_unsigned_columns_are_relabeled_together(tmp_path: Path, signed, large):
    src, dst = [1, 2, 3], [2, large, large + 2]
    table = pa.table({"src": pa.array(src, signed), "dst": pa.array(dst, pa.uint64())})
    parquet.write_table(table, tmp_path / "e.parquet")
    edges, ids = read_edge_list(tmp_path / "e.parquet", relabel=True)
    assert ids.numpy().tolist() == [1, 2, 3, large, large + 2]
    assert edges.tolist() == [[0, 1, 2], [1, 3, 4]]
    table = pa.table({"src": pa.array([-1, 2, 3], signed), "dst": table["dst"]})
    parquet.write_table(table, tmp_path / "e.parquet")
    if large > 2**63:
        refuses(tmp_path / "e.parquet", "expected ids that fit int64 or uint64", relabel=True)
    else:
        assert int(read_edge_list(tmp_path / "e.parquet", relabel=True).node_ids[0]) == -1


def test_ids_of_both_signs_beyond_int64(tmp_path: Path):
    path = write(tmp_path / "e.txt", f"1 {2**64 - 1}\n-1 2\n")
    with pytest.raises(EdgeListError, match="expected ids that fit int64 or uint64"):
        read_edge_list(path, relabel=True, block_size=1)
    refuses(write(path, f"1 {2**64}\n"), f"expected 0 .. {2**64 - 1}, got '{2**64}'", relabel=True)


def test_more_nodes_than_memory(tmp_path: Path):
    path = write(tmp_path / "e.txt", "0 1\n")
    with pytest.raises(
        MemoryError, match="a graph of 10000000000000000 nodes and 1 edges does not"
    ):
        read_graph(path, num_nodes=10**16)
