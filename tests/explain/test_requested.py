"""Nodes are requested by number or by id."""

import numpy as np
import pyarrow as pa
import pytest

from gatsparse.data import NodeIds
from gatsparse.explain import explain
from gatsparse.explain.requested import requested_nodes

IDS = ["a", "b", "2", "b"]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [([2, 0], [2, 0]), (["2", "a"], [2, 0]), ([3, "a"], [3, 0]), (np.array(["a"]), [0]), ([], [])],
)
def test_integers_are_numbers_and_texts_are_ids(nodes, expected):
    assert requested_nodes(nodes, 4, IDS) == expected
    assert requested_nodes(nodes, 4, NodeIds(pa.array(["a", "b", "2", "c"]))) == expected


@pytest.mark.parametrize("ids", [[30, 20, 10], NodeIds(pa.array([30, 20, 10]))])
def test_ids_that_are_integers_are_requested_as_text(ids):
    assert requested_nodes(["10", 1], 3, ids) == [2, 1]
    with pytest.raises(IndexError, match=r"nodes: expected indices in 0 .. 2, got 10"):
        requested_nodes([10], 3, ids)


@pytest.mark.parametrize("ids", [None, NodeIds(num_nodes=3)])
def test_numbers_are_the_ids_of_nodes_without_ids(ids):
    assert requested_nodes(["2"], 3, ids) == [2]


@pytest.mark.parametrize(
    ("nodes", "error", "message"),
    [
        (["b"], ValueError, "nodes: expected the id of one node, got 'b' of the nodes 1 and 3"),
        (["x"], ValueError, "nodes: expected the id of a node, got 'x'"),
        ("ab", TypeError, "nodes: expected a list of node numbers or ids, got 'ab'"),
        (["a", 0.5], TypeError, "nodes: expected a list of node numbers or ids, got torch.float32"),
        (np.array(3), TypeError, "nodes: expected a list of node numbers or ids, got 3"),
        (["a", None], TypeError, "nodes: expected a list of node numbers or ids, got .0, None"),
    ],
)
def test_requests_that_are_refused(nodes, error, message):
    with pytest.raises(error, match=message):
        requested_nodes(nodes, 4, IDS)


def test_ids_of_the_data_are_used(model, data):
    data.node_ids = NodeIds(pa.array([f"item-{k}" for k in range(80)]))
    (node,) = explain(model, data, nodes=["item-7"], removals=0).nodes
    assert (node.node, node.id) == (7, "item-7")
