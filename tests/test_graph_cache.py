"""A cached graph is used while the indices are unchanged, whoever writes to them."""

import gc
import io
import operator
import pickle
import subprocess
import sys
import weakref

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric import EdgeIndex

import gatsparse
from gatsparse import CSRGraph, _native, clear_graph_cache, graph_cache
from gatsparse.adjacency import as_graph, remember
from gatsparse.graph_cache import (
    MAX_COPIES,
    MAX_STORAGES,
    _cache,
    _fingerprint_in_torch,
    fingerprint,
)
from gatsparse.testing import graph_zoo

ZOO = graph_zoo()


def test_same_tensor_is_found_again():
    edge_index = torch.randint(9, (2, 40))
    graph = as_graph(edge_index, (9, 9))
    assert as_graph(edge_index, (9, 9)) is graph
    assert as_graph(edge_index, (10, 9)).size == (10, 9)
    assert as_graph(edge_index, (9, 9)) is graph
    assert as_graph(edge_index.clone(), (9, 9)) is not graph


def test_new_views_of_the_same_memory_are_found_again():
    edges = torch.randint(9, (2, 40))
    graph = as_graph(edges[:, :30], (9, 9))
    assert as_graph(edges[:, :30], (9, 9)) is graph
    assert as_graph(edges.detach()[:, :30], (9, 9)) is graph
    assert as_graph(edges[:, 10:], (9, 9)) is not graph


# Changes ##########################################################################


def in_place(edges):
    edges[0, 3] = 5


def through_data(edges):
    edges.data[0, 3] = 5


def through_numpy(edges):
    edges.numpy()[0, 3] = 5


def through_dlpack(edges):
    torch.from_dlpack(torch.utils.dlpack.to_dlpack(edges))[0, 3] = 5


def through_the_storage(edges):
    edges.untyped_storage().copy_(edges.flip(0).contiguous().untyped_storage())


def in_inference_mode(edges):
    with torch.inference_mode():
        edges.detach()[0, 3] = 5


def by_new_data(edges):
    edges.data = edges.flip(0).contiguous()


def by_new_data_twice(edges):
    edges.data = torch.zeros_like(edges)
    edges.data = edges.data.fill_(2)


def by_data_of_fewer_edges(edges):
    edges.data = edges[:, :7].clone()


def by_other_strides(edges):
    edges.data = edges.reshape(-1, 2).t()


def by_resizing(edges):
    edges.resize_(2, 11)


def by_setting_the_storage(edges):
    edges.set_(torch.full_like(edges, 4))


def by_swapping(edges):
    torch.utils.swap_tensors(edges, torch.full_like(edges, 4))


WRITERS = [
    in_place,
    through_data,
    through_numpy,
    through_dlpack,
    through_the_storage,
    in_inference_mode,
    by_new_data,
    by_new_data_twice,
    by_data_of_fewer_edges,
    by_other_strides,
    by_resizing,
    by_setting_the_storage,
    by_swapping,
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_changes_are_seen_however_they_were_made(write):
    edges = torch.arange(24).reshape(2, 12) % 6
    as_graph(edges, (6, 6))
    write(edges)
    assert torch.equal(as_graph(edges, (6, 6)).edge_index(), edges)


@pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning")
@pytest.mark.parametrize("layout", ["EdgeIndex", torch.sparse_coo, torch.sparse_csr])
def test_unseen_changes_of_other_formats_are_seen(layout):
    dense = torch.eye(6)
    if layout == "EdgeIndex":
        adj = EdgeIndex(torch.arange(24).reshape(2, 12) % 6, sparse_size=(6, 6))
        index = adj.as_tensor()
    else:
        adj = dense.to_sparse(layout=layout)
        index = adj._indices() if layout == torch.sparse_coo else adj.col_indices()
    as_graph(adj, (6, 6))
    index.numpy()[..., 3] = 5
    graph = as_graph(adj, (6, 6))
    expected = graph.rowptr.diff().sum(), (graph.col == 5).sum()
    assert expected[0] == (12 if layout == "EdgeIndex" else 6)
    assert expected[1] >= 2


def test_memory_written_by_another_process(tmp_path):
    path = tmp_path / "edges"
    torch.arange(24).numpy().tofile(path)
    edges = torch.from_file(str(path), shared=True, size=24, dtype=torch.int64).view(2, 12)
    as_graph(edges, (24, 24))
    script = f"file = open({str(path)!r}, 'r+b'); file.write((23).to_bytes(8, 'little'))"
    subprocess.run([sys.executable, "-S", "-c", script], check=True)
    assert edges[0, 0] == 23
    assert torch.equal(as_graph(edges, (24, 24)).edge_index(), edges)


def test_indices_that_became_wrong_raise():
    edges = torch.tensor([[0, 1], [1, 0]])
    as_graph(edges, (3, 3))
    edges.numpy()[0, 0] = 5
    with pytest.raises(IndexError, match="got 5"):
        as_graph(edges, (3, 3))


# Fingerprints #####################################################################


def in_torch(index):
    return _fingerprint_in_torch(index)


@pytest.mark.parametrize("hash_of", [fingerprint, in_torch], ids=["native", "torch"])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("num_edges", [1, 3, 8, 31, 200, 70_001])
def test_fingerprint_depends_on_every_element(hash_of, dtype, num_edges):
    index = torch.randint(1000, (2, num_edges), dtype=dtype)
    seen = {hash_of(index)}
    flat = index.view(-1)
    places = {0, 1, num_edges, 2 * num_edges - 1, *torch.randint(2 * num_edges, (40,)).tolist()}
    places = [place for place in places if place < 2 * num_edges]
    for place in places:
        for bit in (0, 1, 9, 30):
            flat[place] ^= 1 << bit
            seen.add(hash_of(index))
            flat[place] ^= 1 << bit
    assert len(seen) == 1 + 4 * len(places)
    assert hash_of(index) in seen


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=40))
def test_fingerprints_of_short_lists_differ(a, b):
    a, b = torch.tensor(a, dtype=torch.int64), torch.tensor(b, dtype=torch.int64)
    assert (fingerprint(a) == fingerprint(b)) == torch.equal(a, b)
    if a.shape == b.shape:
        assert (in_torch(a) == in_torch(b)) == torch.equal(a, b)


def test_fingerprint_is_the_same_for_any_number_of_threads(threads):
    index = torch.randint(1000, (2, 200_000))
    values = set()
    for number in (1, 2, 5):
        threads(number)
        values.add(fingerprint(index))
    assert len(values) == 1


@pytest.mark.parametrize(
    "view",
    [
        lambda t: t[:, 3:],
        lambda t: t[:, ::2],
        lambda t: t.t().contiguous().t(),
        lambda t: torch.stack([t, t], 2)[:, :, 1],
        lambda t: t[1:].expand(2, -1),
    ],
)
def test_fingerprint_of_strided_tensors(view):
    index = view(torch.randint(1000, (2, 60)))
    before = fingerprint(index)
    assert fingerprint(index) == before
    index[1, 4] += 1
    assert fingerprint(index) != before


def test_without_kernels(monkeypatch):
    monkeypatch.setattr(_native, "MISSING", "it is missing")
    edges = torch.randint(9, (2, 40))
    graph = as_graph(edges, (9, 9))
    assert as_graph(edges, (9, 9)) is graph
    edges.numpy()[0, 0] = (edges[0, 0] + 1) % 9
    assert torch.equal(as_graph(edges, (9, 9)).edge_index(), edges)


# Lifetime #########################################################################


def test_graphs_live_no_longer_than_the_memory():
    edge_index = torch.randint(9, (2, 40))
    graph = weakref.ref(as_graph(edge_index, (9, 9)))
    view = edge_index[:, 1:]
    gc.collect()  # of other tests
    size = len(_cache)
    del edge_index
    gc.collect()
    assert graph() is not None
    del view
    gc.collect()
    assert graph() is None
    assert len(_cache) == size - 1


def test_only_the_last_content_is_kept():
    edge_index = torch.zeros(2, 20, dtype=torch.int64)
    known = []
    for n in range(2, 9):
        edge_index.random_(0, n)
        known.append(weakref.ref(as_graph(edge_index, (n, n))))
    gc.collect()
    assert [graph() is None for graph in known] == [True] * 6 + [False]


def test_number_of_cached_graphs_is_bounded():
    clear_graph_cache()
    edges = [torch.tensor([[0], [k % 3]]) for k in range(MAX_STORAGES + 5)]
    first, *_, last = [as_graph(edge_index, (3, 3)) for edge_index in edges]
    assert len(_cache) == MAX_STORAGES
    assert as_graph(edges[-1], (3, 3)) is last
    assert as_graph(edges[0], (3, 3)) is not first
    views = [edges[0][:, :0].expand(2, 0), *(torch.zeros(2, 99).long()[:, :k] for k in range(3))]
    assert all(as_graph(view, (3, 3)).num_edges == view.size(1) for view in views)
    clear_graph_cache()
    assert len(_cache) == 0


def test_graphs_of_a_data_set_are_views_that_are_all_cached():
    edges = torch.randint(5, (2, 50 * 8))
    first, second = (
        [as_graph(edges[:, 8 * k : 8 * k + 8], (5, 5)) for k in range(50)] for _ in range(2)
    )
    assert all(map(operator.is_, second, first))


def test_number_of_views_is_bounded(monkeypatch):
    monkeypatch.setattr(graph_cache, "MAX_VIEWS", 20)
    edges = torch.randint(9, (2, 400))
    first = as_graph(edges[:, :1], (9, 9))
    for k in range(2, 22):
        last = as_graph(edges[:, :k], (9, 9))
    assert len(_cache.get(edges.untyped_storage())) == 20
    assert as_graph(edges[:, :21], (9, 9)) is last
    assert as_graph(edges[:, :1], (9, 9)) is not first


def test_size_of_all_views_is_bounded():
    edges = torch.randint(9, (2, 400))
    for k in range(100):
        last = as_graph(edges[:, k : k + 300], (9, 9))
    assert len(_cache.get(edges.untyped_storage())) == MAX_COPIES * 800 // 318
    assert as_graph(edges[:, 99:399], (9, 9)) is last


def test_number_of_sizes_is_bounded():
    edges = torch.randint(9, (2, 40))
    for n in range(900, 950):
        last = as_graph(edges, (n, n))
    assert len(_cache.get(edges.untyped_storage())) == MAX_COPIES
    assert as_graph(edges, last.size) is last


@pytest.mark.parametrize("dtype", [torch.int16, torch.uint8])
def test_narrow_integers_are_cached_as_they_were_passed(dtype):
    edges = torch.randint(9, (2, 40)).to(dtype)
    graph = as_graph(edges, (9, 9))
    assert as_graph(edges, (9, 9)) is graph
    assert torch.equal(graph.edge_index(), edges.long())
    edges[0, 0] = 1 - edges[0, 0].clamp(max=1)
    assert torch.equal(as_graph(edges, (9, 9)).edge_index(), edges.long())


def test_clearing_the_cache_changes_no_result():
    edges, x, conv = torch.randint(9, (2, 40)), torch.randn(9, 3), gatsparse.GATConv(3, 2)
    before = conv(x, edges)
    clear_graph_cache()
    assert torch.equal(conv(x, edges), before)


# Graphs that the cache is told ####################################################


def test_remembered_graph_is_not_built(monkeypatch):
    edge_index = torch.randint(9, (2, 40))
    graph = CSRGraph.from_edge_index(edge_index, 9)
    with monkeypatch.context() as patch:
        patch.setattr(CSRGraph, "from_edge_index", None)
        remember(edge_index, graph)
        assert as_graph(edge_index, (9, 9)) is graph
    assert as_graph(edge_index, (9, 10)).size == (9, 10)
    assert as_graph(edge_index, (9, 9)) is graph
    edge_index[0, 0] = (edge_index[0, 0] + 1) % 9
    assert torch.equal(as_graph(edge_index, (9, 9)).edge_index(), edge_index)


def test_graphs_of_inference_tensors_are_cached():
    with torch.inference_mode():
        edge_index = torch.tensor([[0, 1], [1, 0]])
        first = as_graph(edge_index, (3, 3))
        assert as_graph(edge_index, (3, 3)) is first
        edge_index[0, 0] = 2
        assert torch.equal(as_graph(edge_index, (3, 3)).edge_index(), edge_index)
        graph = CSRGraph.from_edge_index(edge_index, 3)
        remember(edge_index, graph)
        assert as_graph(edge_index, (3, 3)) is not first


def test_graph_built_in_inference_mode_is_used_in_training():
    edge_index = torch.randint(9, (2, 40))
    conv = gatsparse.GATConv(3, 2)
    x = torch.randn(9, 3)
    with torch.inference_mode():
        conv(x, edge_index)
        graph = CSRGraph.from_edge_index(edge_index, 9)
        assert graph.csr_t.ptr.numel() == 10
    conv(x, edge_index).sum().backward()
    conv(x, graph).sum().backward()


# Copies of graphs #################################################################


def copied_by_pickle(graph):
    return pickle.loads(pickle.dumps(graph))


def copied_by_torch(graph):
    file = io.BytesIO()
    torch.save({"graph": graph}, file)
    file.seek(0)
    return torch.load(file, weights_only=True)["graph"]


@pytest.mark.parametrize("copied", [copied_by_pickle, copied_by_torch])
@pytest.mark.parametrize("name", ["random", "bipartite, more sources", "no nodes"])
def test_saved_graphs_load(copied, name):
    graph = ZOO[name].csr()
    copy = copied(graph)
    assert copy.size == graph.size
    assert all(map(torch.equal, copy.csr + copy.csr_t, graph.csr + graph.csr_t))
