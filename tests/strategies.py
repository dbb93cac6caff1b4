"""Hypothesis strategies for graphs and shapes."""

import torch
from hypothesis import strategies as st

from gatsparse.testing import Graph


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int = 12, max_edges: int = 60) -> Graph:
    """Any graph: bipartite or not, with isolated nodes, self-loops and duplicate edges."""
    num_src = draw(st.integers(0, max_nodes))
    num_dst = draw(st.one_of(st.just(num_src), st.integers(0, max_nodes)))
    if num_src == 0 or num_dst == 0:
        edges = []
    else:
        edge = st.tuples(st.integers(0, num_src - 1), st.integers(0, num_dst - 1))
        edges = draw(st.lists(edge, max_size=max_edges))
    edge_index = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T
    return Graph(edge_index, (num_src, num_dst))


#: (H, C), odd ones included, and more heads than a kernel takes at a time.
shapes = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 17)),
    st.tuples(st.integers(15, 18), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(31, 66)),
)
