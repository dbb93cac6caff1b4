"""Many graphs as one that is disconnected."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Data

from gatsparse.data import join_graphs
from gatsparse.data.graph_set import check_graphs, graph_labels, separate_graphs


def graph_of(num_nodes: int = 3, num_edges: int = 4, **options: Any) -> Data:
    values = {
        "x": torch.randn(num_nodes, 2),
        "edge_index": torch.randint(num_nodes, (2, num_edges)),
        "edge_attr": torch.randn(num_edges, 2),
        "y": num_nodes % 2,
        **options,
    }
    return Data(**{key: value for key, value in values.items() if value is not None})


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6)), min_size=1, max_size=6))
def test_separated_graphs_are_those_that_were_joined(sizes: list[tuple[int, int]]):
    """Also of graphs without edges, and with edges in another order than their graphs."""
    graphs = [graph_of(*size) for size in sizes]
    joined = join_graphs(graphs)
    order = torch.randperm(joined.num_edges)
    inverse = [
        order[joined["batch"][joined["edge_index"][0, order]] == i] for i in range(len(sizes))
    ]
    joined.edge_index, joined.edge_attr = joined["edge_index"][:, order], joined["edge_attr"][order]
    first = 0
    for graph, edges, separated in zip(graphs, inverse, separate_graphs(joined), strict=True):
        assert torch.equal(separated["x"], graph["x"])
        assert torch.equal(separated["edge_index"], graph["edge_index"][:, edges - first])
        assert torch.equal(separated["edge_attr"], graph["edge_attr"][edges - first])
        assert separated["y"].tolist() == [graph["y"]]
        first += graph.num_edges


def test_given_split_becomes_masks():
    data = join_graphs([graph_of()] * 3, [graph_of()], [graph_of()] * 2)
    masks = [data[f"{name}_mask"].tolist() for name in ("train", "val", "test")]
    assert [[i for i, part in enumerate(mask) if part] for mask in masks] == [
        [0, 1, 2],
        [3],
        [4, 5],
    ]
    with pytest.raises(ValueError, match=r"test_graphs: expected graphs, .* got None"):
        join_graphs([graph_of()], [graph_of()])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": None}, r"\.x: expected features \[n, 2\] of n >= 1 nodes, got None"),
        ({"x": torch.ones(3, 1)}, r"\.x: expected features \[n, 2\] .* got a tensor \[3, 1\]"),
        ({"x": torch.ones(0, 2)}, r"\.x: expected .* n >= 1 nodes, got a tensor \[0, 2\]"),
        ({"edge_index": None, "edge_attr": None}, r"\.edge_index: expected a tensor \[2, e\]"),
        ({"edge_index": torch.full((2, 4), 3)}, r"\.edge_index: expected nodes in 0 \.\. 2"),
        ({"edge_attr": None}, r"\.edge_attr: expected a tensor \[4, 2\], .* got None"),
        ({"edge_weight": torch.ones(4)}, r"\.edge_weight: expected None, as graphs\[0\] has"),
        ({"y": None}, r"\.y: expected the class of the graph, got None"),
        ({"y": torch.ones(2)}, r"\.y: expected the class of the graph, got a tensor \[2\]"),
    ],
)
def test_unsuitable_graphs_raise(options: Any, message: str):
    with pytest.raises(ValueError, match=rf"^graphs\[1\]{message}"):
        join_graphs([graph_of(), graph_of(**options)])


def test_other_objects_raise():
    with pytest.raises(TypeError, match=r"graphs\[0\]: expected torch_geometric\.data\.Data"):
        join_graphs([3])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="graphs: expected at least one graph"):
        join_graphs([])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": None}, r"data\.batch: expected .* got None: join graphs with"),
        ({"batch": torch.tensor([0, 1, 0, 1])}, r"data\.batch: expected numbers of graphs 0, 0"),
        ({"batch": torch.tensor([0, 0, 2, 2])}, r"data\.batch: .* without gaps"),
        ({"batch": torch.tensor([1, 1, 2, 2])}, r"data\.batch: expected numbers of graphs 0, 0"),
        ({"batch": torch.tensor([0, 0, 0, 1])}, "edge 1 from a node of graph 0 to a node of gr"),
    ],
)
def test_nodes_out_of_order_and_edges_between_graphs_raise(options: Any, message: str):
    edge_index, batch = torch.tensor([[0, 2], [1, 3]]), torch.tensor([0, 0, 1, 1])
    values = {"x": torch.ones(4, 1), "edge_index": edge_index, "batch": batch, **options}
    with pytest.raises(ValueError, match=message):
        check_graphs(Data(**values))


def test_labels_are_those_of_graphs():
    data = join_graphs([graph_of(2, y=2.0), graph_of(y=float("nan"))])
    assert graph_labels(data).tolist() == [2, -1]
    data.y = torch.zeros(5)
    with pytest.raises(
        ValueError, match=r"data\.y: expected one class per graph, \[2\], got a ten"
    ):
        graph_labels(data)
