"""Pieces of rows: they cover the edges once and in order, without waiting for a device."""

from itertools import pairwise
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatsparse.gpu.pieces import cut, piece_length, pieces
from gatsparse.testing import graph_zoo

CHUNK = 3
DEGREES = st.lists(st.sampled_from([0, 1, 2, 3, 5, 8, 9, 40, 200]), max_size=40)


def pointers(degrees):
    return torch.tensor([0, *degrees], dtype=torch.int64).cumsum(0)


def added(first, end, chunks):
    """Returns the range of pieces that is added; removes the chunks that it consists of."""
    if first not in chunks:
        return first, end
    ranges = [chunks.pop(k) for k in range(first, end)]
    for (_, stop), (begin, _) in pairwise(ranges):
        assert stop == begin
    assert all(stop - begin == CHUNK for begin, stop in ranges[:-1])
    assert 0 < ranges[-1][1] - ranges[-1][0] <= CHUNK
    assert ranges[-1][1] - ranges[0][0] > CHUNK
    return ranges[0][0], ranges[-1][1]


@mock.patch("gatsparse.gpu.pieces._TOGETHER", CHUNK)
@given(DEGREES, st.sampled_from([1, 4, 8, 64]), st.sampled_from([torch.int32, torch.int64]))
@settings(deadline=None, max_examples=100)
def test_pieces_cover_every_row_once(degrees, length, dtype):
    ptr = pointers(degrees)
    found = cut(ptr, int(ptr[-1]), length, dtype)
    assert found.table.dtype == found.hubs.dtype == dtype
    of_row = {i: [] for i in range(len(degrees))}
    for begin, end, row, slot in found.table.tolist():
        if row < 0:
            assert (begin, end, row, slot) == (0, 0, -1, -2)
            continue
        assert 0 <= end - begin <= length
        of_row[row].append((begin, end, slot))
    hubs = {row: (first, end) for row, first, end, _ in found.hubs.tolist() if row >= 0}
    chunks = {k: (first, end) for k, first, end, _ in found.chunks.tolist() if k >= 0}
    used = []
    for row, parts in of_row.items():
        parts.sort()
        ends = [int(ptr[row]), *(end for _, end, _ in parts)]
        assert [begin for begin, _, _ in parts] == ends[:-1]
        assert ends[-1] == ptr[row + 1]
        slots = [slot for _, _, slot in parts]
        if len(parts) == 1:
            assert slots == [-2]
            assert row not in hubs
        else:
            first, end = added(*hubs.pop(row), chunks)
            assert [slot // 2 for slot in slots] == list(range(first, end))
            assert [slot % 2 for slot in slots] == [0] + [1] * (len(parts) - 1)
            used += range(first, end)
    assert not hubs
    assert not chunks
    assert sorted(used) == list(range(len(used)))
    assert len(used) <= found.num_partial


def test_long_pieces_come_first_in_every_window():
    generator = torch.Generator().manual_seed(0)
    degrees = torch.randint(0, 30, (1000,), generator=generator)
    ptr = pointers(degrees.tolist())
    table = cut(ptr, int(ptr[-1]), 64, torch.int64).table
    size = (table[:, 1] - table[:, 0])[:1000]
    for window, rows in zip(size.split(256), table[:1000, 2].split(256), strict=True):
        assert (window.diff() <= 0).all()
        assert rows.max() - rows.min() < 256


def test_shapes_need_no_device():
    """A tensor without data cannot be waited for."""
    ptr = torch.empty(101, dtype=torch.int64, device="meta")
    found = cut(ptr, 1000, 64, torch.int32)
    assert found.table.shape == (100 + 1000 // 64, 4)
    assert found.hubs.shape == (1000 // 64, 4)


@pytest.mark.parametrize("num_edges", [0, 1, 10**6, 2**21, 10**8, 2**33])
def test_partial_sums_are_bounded(num_edges):
    length = piece_length(num_edges)
    assert num_edges // length <= 32768
    ptr = torch.empty(101, dtype=torch.int64, device="meta")
    found = cut(ptr, num_edges, length, torch.int64)
    assert found.num_partial <= 66000
    assert len(found.chunks) <= 384


@pytest.mark.parametrize("degree", [256 * 64, 256 * 64 + 1, 10**6])
def test_a_program_combines_at_most_256_pieces(degree):
    found = cut(pointers([3, degree, 5]), degree + 8, 64, torch.int32)
    tables = torch.cat([found.hubs, found.chunks])
    tables = tables[tables[:, 0] >= 0]
    assert (tables[:, 2] - tables[:, 1]).max() <= 256
    assert (len(tables) > 1) == (degree > 256 * 64)


def csr():
    return list(graph_zoo()["random"].csr().csr)


def test_pieces_are_cached_until_the_graph_changes():
    graph = csr()
    found = pieces(graph, 60)
    assert pieces(graph, 60) is found
    assert pieces(graph, 60, length=8) is not found
    found = pieces(graph, 60)
    graph[1][0] = 5
    assert pieces(graph, 60) is not found
    found = pieces(graph, 60)
    assert pieces([graph[0].clone(), *graph[1:]], 60) is not found


def test_pieces_of_inference_tensors():
    with torch.inference_mode():
        graph = [tensor.clone() for tensor in csr()]
        assert pieces(graph, 60) is pieces(graph, 60)


@pytest.mark.parametrize(
    ("tensor", "place", "value"),
    [(0, 0, 1), (0, 3, 10**6), (0, -1, 499), (1, 7, 60), (1, 7, -1), (2, 7, 500), (2, 7, -1)],
)
def test_index_out_of_range_raises(tensor, place, value):
    graph = [t.clone() for t in csr()]
    graph[tensor][place] = value
    with pytest.raises(RuntimeError, match="csr: "):
        pieces(graph, 60)
