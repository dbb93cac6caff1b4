"""Formats with bad content raise."""

import pytest
import torch
from torch_geometric import EdgeIndex

from gatsparse.adjacency import as_graph
from tests.nn.formats import SPARSE_WARNINGS
from tests.nn.inputs import ZOO, every_layer
from tests.nn.layers import OURS

pytestmark = SPARSE_WARNINGS


def test_edge_index_with_a_false_sort_order_raises():
    edges, size = ZOO["random"]
    for sort_order in ("row", "col"):
        with pytest.raises(
            ValueError, match=f"edge_index: expected to be sorted by '{sort_order}'"
        ):
            as_graph(EdgeIndex(edges, sparse_size=size, sort_order=sort_order), size)


def test_false_sort_order_of_cached_edges_raises():
    edges, size = ZOO["random"]
    as_graph(EdgeIndex(edges, sparse_size=size), size)
    with pytest.raises(ValueError, match="edge_index: expected to be sorted by 'col'"):
        as_graph(EdgeIndex(edges, sparse_size=size, sort_order="col"), size)


BAD = torch.tensor([[0, 9], [1, 2]])


def compressed(build, ptr, other):
    return lambda: build(torch.tensor(ptr), torch.tensor(other), torch.ones(2), (5, 5))


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (
            lambda: EdgeIndex(BAD),
            IndexError,
            r"edge_index\[0\]: expected indices in 0 .. 4, got 9 at position 1",
        ),
        (
            lambda: EdgeIndex(BAD, sort_order="row"),
            IndexError,
            r"edge_index\[0\]: expected indices in 0 .. 4, got 9 at position 1",
        ),
        (
            lambda: EdgeIndex(BAD, sparse_size=(10, 5)),
            ValueError,
            r"size\[0\]: expected 5 to match x, got 10",
        ),
        (
            lambda: torch.eye(6).to_sparse(),
            ValueError,
            r"size\[0\]: expected 5 to match x, got 6",
        ),
        (
            lambda: torch.ones(5, 5, 5).to_sparse(),
            ValueError,
            "edge_index: expected 2 sparse dimensions, got 3",
        ),
        (
            compressed(torch.sparse_csr_tensor, [0, 1, 1, 1, 1, 2], [0, 7]),
            IndexError,
            "col: expected indices in 0 .. 4, got 7 at position 1",
        ),
        (
            compressed(torch.sparse_csr_tensor, [0, 9, 1, 1, 1, 2], [0, 1]),
            ValueError,
            "rowptr: expected to rise from 0 to 2",
        ),
        (
            compressed(torch.sparse_csc_tensor, [0, 9, 1, 1, 1, 2], [0, 1]),
            ValueError,
            "colptr: expected to rise from 0 to 2",
        ),
    ],
)
@every_layer
def test_bad_content_raises(layer, build, error, message):
    with pytest.raises(error, match=message):
        OURS[layer](6, 5)(torch.randn(5, 6), build())
