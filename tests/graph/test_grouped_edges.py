import pytest
import torch

from gatsparse import CSRGraph
from tests.graph.expected import ZOO, check_graph


@pytest.mark.parametrize("name", ZOO)
def test_from_csr_and_from_csc_equal_numpy(name):
    edge_index, size = ZOO[name]
    graph = ZOO[name].csr()
    again = CSRGraph.from_csr(graph.rowptr.int(), graph.col.long(), size[0])
    check_graph(again, graph.edge_index()[:, graph.perm.long()], size)
    assert torch.equal(
        CSRGraph.from_csr(graph.rowptr, graph.col, size[0], graph.perm).edge_index(), edge_index
    )
    by_source = CSRGraph.from_csc(graph.rowptr_t, graph.col_t, size[1])
    src, dst = edge_index
    check_graph(by_source, edge_index[:, (src * max(size) + dst).argsort(stable=True)], size)


@pytest.mark.parametrize(
    ("rowptr", "col", "error", "message"),
    [
        ([0, 1, 2], [0, 2], IndexError, "col: expected indices in 0 .. 1, got 2 at position 1"),
        ([0, 2, 1], [0, 1], ValueError, "rowptr: expected to rise from 0 to 2"),
        ([1, 1, 2], [0, 1], ValueError, "rowptr: expected to rise from 0 to 2"),
        ([0, 1, 3], [0, 1], ValueError, "rowptr: expected to rise from 0 to 2"),
        ([], [], ValueError, "rowptr: expected to rise from 0 to 0"),
        ([[0, 1]], [0], ValueError, r"rowptr: expected one dimension, got \[1, 2\]"),
    ],
)
def test_bad_pointers_and_indices_raise(rowptr, col, error, message):
    rowptr, col = (torch.tensor(t, dtype=torch.int64) for t in (rowptr, col))
    with pytest.raises(error, match=message):
        CSRGraph.from_csr(rowptr, col, 2)
    with pytest.raises(error, match=message.replace("rowptr", "colptr").replace("col:", "row:")):
        CSRGraph.from_csc(rowptr, col, 2)


def test_from_csr_copies_its_arguments():
    ptr, other = torch.tensor([0, 1]), torch.tensor([0], dtype=torch.int32)
    perm = torch.tensor([0], dtype=torch.int32)
    graph = CSRGraph.from_csr(ptr, other, 1, perm)
    ptr[1], other[0], perm[0] = 5, 7, 3
    assert torch.equal(graph.edge_index(), torch.zeros(2, 1, dtype=torch.int64))


@pytest.mark.parametrize(
    ("perm", "error", "message"),
    [
        ([0, 1], ValueError, r"perm: expected shape \[1\], got \[2\]"),
        ([1], IndexError, "perm: expected indices in 0 .. 0, got 1 at position 0"),
    ],
)
def test_bad_permutation_raises(perm, error, message):
    with pytest.raises(error, match=message):
        CSRGraph.from_csr(torch.tensor([0, 1]), torch.tensor([0]), 1, torch.tensor(perm))


def test_wrong_types_raise():
    ptr, other = torch.tensor([0, 1]), torch.tensor([0])
    with pytest.raises(TypeError, match="rowptr: expected a tensor, got list"):
        CSRGraph.from_csr([0, 1], other, 1)
    with pytest.raises(TypeError, match=r"col: expected int64 or int32, got torch\.float32"):
        CSRGraph.from_csr(ptr, other.float(), 1)
    with pytest.raises(ValueError, match=r"num_src: expected 0 .. 2\*\*63 - 1, got -1"):
        CSRGraph.from_csr(ptr, other, -1)
