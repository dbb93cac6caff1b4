"""Formats of a graph, and ways to change a cached graph."""

import torch
from torch_geometric import EdgeIndex

from gatsparse import CSRGraph

# Formats of a graph: (edges, size) -> (the format, the order of its edges) ########


def plain(dtype):
    return lambda edges, _size: (edges.to(dtype, copy=True), torch.arange(edges.size(1)))


def transposed(edges, _size):
    return edges.t().contiguous().t(), torch.arange(edges.size(1))


def part_of_more(edges, _size):
    more = torch.cat([edges, edges.flip(1)], dim=1)
    return more[:, : edges.size(1)], torch.arange(edges.size(1))


def edge_index(sort_order):
    def build(edges, size):
        order = torch.arange(edges.size(1))
        if sort_order is not None:
            order = edges[("row", "col").index(sort_order)].argsort(stable=True)
        sorted_edges = edges[:, order].contiguous()
        return EdgeIndex(sorted_edges, sparse_size=size, sort_order=sort_order), order

    return build


def coo(edges, size):
    ones = torch.ones(edges.size(1))
    return torch.sparse_coo_tensor(edges.flip(0), ones, size[::-1]), torch.arange(edges.size(1))


def csr(edges, size):
    src, dst = edges
    order = (dst * max(size) + src).argsort(stable=True)
    rowptr = torch.zeros(size[1] + 1, dtype=torch.int64)
    rowptr[1:] = torch.bincount(dst, minlength=size[1]).cumsum(0)
    ones = torch.ones(edges.size(1))
    matrix = torch.sparse_csr_tensor(rowptr, src[order], ones, size[::-1], check_invariants=False)
    return matrix, order


def csr_graph(edges, size):
    return CSRGraph.from_edge_index(edges, size=size), torch.arange(edges.size(1))


FORMATS = {
    "int64": plain(torch.int64),
    "int32": plain(torch.int32),
    "transposed": transposed,
    "part": part_of_more,
    "EdgeIndex": edge_index(None),
    "EdgeIndex by row": edge_index("row"),
    "EdgeIndex by col": edge_index("col"),
    "COO": coo,
    "CSR": csr,
    "CSRGraph": csr_graph,
}
WRITABLE = ("int64", "int32", "transposed", "part", "EdgeIndex")


# Changes of a cached graph ########################################################


def write_in_place(edges, column, values):
    edges[:, column] = values


def write_through_data(edges, column, values):
    edges.data[:, column] = values


def write_through_numpy(edges, column, values):
    edges.numpy()[:, column] = values.numpy()


def write_through_dlpack(edges, column, values):
    torch.from_dlpack(torch.utils.dlpack.to_dlpack(edges))[:, column] = values


def replace_data(edges, column, values):
    other = edges.clone()
    other[:, column] = values
    edges.data = torch.zeros_like(other)
    edges.data = other


def drop_edges(edges, column, _values):
    edges.data = edges[:, : column + 1].clone()


def swap(edges, column, values):
    other = edges.clone()
    other[:, column] = values
    torch.utils.swap_tensors(edges, other)


WRITERS = [
    write_in_place,
    write_through_data,
    write_through_numpy,
    write_through_dlpack,
    replace_data,
    drop_edges,
    swap,
]
