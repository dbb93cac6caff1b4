"""The formats of ``edge_index`` that PyG accepts."""

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.typing import WITH_TORCH_SPARSE, SparseTensor
from torch_geometric.utils import to_torch_sparse_tensor

from gatsparse import CSRGraph
from gatsparse.testing import relative_error

# Each function returns a graph in one format, and the order of its edges.


def edges_as(dtype):
    return lambda edges, _size: (edges.to(dtype), torch.arange(edges.size(1)))


def non_contiguous(edges, _size):
    return edges.t().contiguous().t(), torch.arange(edges.size(1))


def strided(edges, _size):
    return torch.stack([edges, edges], dim=2)[:, :, 1], torch.arange(edges.size(1))


def sorted_edges(edges, _size):
    order = edges[1].argsort(stable=True)
    return edges[:, order], order


def edge_index(sort_order=None, with_size=True, filled=False):
    def build(edges, size):
        order = torch.arange(edges.size(1))
        if sort_order is not None:
            order = edges[("row", "col").index(sort_order)].argsort(stable=True)
        sizes = {"sparse_size": size} if with_size else {}
        adj = EdgeIndex(edges[:, order].contiguous(), sort_order=sort_order, **sizes)
        return adj.fill_cache_() if filled else adj, order

    return build


def sparse(layout):
    def build(edges, size):
        src, dst = edges
        by_col = layout == torch.sparse_csc
        key = src * size[1] + dst if by_col else dst * size[0] + src
        order = key.argsort(stable=True)
        ones = torch.ones(edges.size(1), dtype=torch.float64)
        adj = to_torch_sparse_tensor(edges[:, order].flip(0), ones, size[::-1], True, layout)
        return adj, order

    return build


def uncoalesced(edges, size):
    ones = torch.ones(edges.size(1), dtype=torch.float64)
    return torch.sparse_coo_tensor(edges.flip(0), ones, size[::-1]), torch.arange(edges.size(1))


def sparse_tensor(edges, size):
    src, dst = edges
    order = (dst * size[0] + src).argsort(stable=True)
    adj = SparseTensor(row=dst[order], col=src[order], sparse_sizes=size[::-1], is_sorted=True)
    return adj, order


def csr_graph(edges, size):
    return CSRGraph.from_edge_index(edges, size=size), torch.arange(edges.size(1))


FORMATS = {
    "int64": edges_as(torch.int64),
    "int32": edges_as(torch.int32),
    "non-contiguous": non_contiguous,
    "strided": strided,
    "sorted": sorted_edges,
    "EdgeIndex": edge_index(),
    "EdgeIndex without size": edge_index(with_size=False),
    "EdgeIndex by col": edge_index("col"),
    "EdgeIndex by col, without size": edge_index("col", with_size=False),
    "EdgeIndex by col, filled": edge_index("col", filled=True),
    "EdgeIndex by row": edge_index("row"),
    "EdgeIndex by row, filled": edge_index("row", filled=True),
    "torch.sparse CSR": sparse(torch.sparse_csr),
    "torch.sparse CSC": sparse(torch.sparse_csc),
    "torch.sparse COO": sparse(torch.sparse_coo),
    "torch.sparse COO, not coalesced": uncoalesced,
    "CSRGraph": csr_graph,
    # deprecated, so the tests do not install it
    **({"SparseTensor": sparse_tensor} if WITH_TORCH_SPARSE else {}),
}
SPARSE = [name for name in FORMATS if "parse" in name]
every_format = pytest.mark.parametrize("format", FORMATS)
SPARSE_WARNINGS = [
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly:UserWarning"),
]


def assert_equal(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == b.shape
        assert relative_error(a, b) <= 1e-10
