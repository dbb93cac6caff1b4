"""Expected CSR graphs, by NumPy, and the graphs of the zoo."""

import numpy as np
import torch

from gatsparse.testing import graph_zoo

ZOO = graph_zoo()


def check_graph(graph, edge_index, size):
    """Compares every tensor of a graph with its definition, computed by NumPy."""
    num_src, num_dst = size
    src, dst = edge_index.numpy()
    perm = np.argsort(dst, kind="stable")
    rowptr = np.concatenate([[0], np.cumsum(np.bincount(dst, minlength=num_dst))])
    assert graph.size == size
    assert graph.num_edges == len(src)
    assert graph.rowptr.dtype == torch.int64
    np.testing.assert_array_equal(graph.rowptr, rowptr)
    np.testing.assert_array_equal(graph.perm, perm)
    np.testing.assert_array_equal(graph.col, src[perm])
    perm_t = np.argsort(src[perm], kind="stable")
    np.testing.assert_array_equal(
        graph.rowptr_t, np.concatenate([[0], np.cumsum(np.bincount(src, minlength=num_src))])
    )
    np.testing.assert_array_equal(graph.perm_t, perm_t)
    np.testing.assert_array_equal(graph.col_t, dst[perm][perm_t])
