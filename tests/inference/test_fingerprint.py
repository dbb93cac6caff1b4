"""The fingerprint changes with everything on which the result depends."""

import os

import numpy as np
import torch

from gatsparse import CSRGraph
from gatsparse.data.features import RowFile
from gatsparse.inference.fingerprint import fingerprint
from gatsparse.inference.sources import Rows
from tests.inference.models import MODELS, F

EDGES = torch.tensor([[0, 1], [1, 2]])
X = Rows(torch.zeros(3, F))


def test_fingerprint_depends_on_the_order_of_edges_with_features():
    model, features = MODELS["GAT"](), Rows(torch.ones(2, 4))
    graph, other = (CSRGraph.from_edge_index(e, num_nodes=3) for e in (EDGES, EDGES.flip(1)))
    assert torch.equal(graph.col, other.col)
    assert fingerprint(model, X, graph, None) == fingerprint(model, X, other, None)
    assert fingerprint(model, X, graph, features) != fingerprint(model, X, other, features)


def test_fingerprint_depends_on_the_time_of_a_file(tmp_path):
    model, graph = MODELS["GAT"](), CSRGraph.from_edge_index(EDGES, num_nodes=3)
    np.save(tmp_path / "x.npy", X.x.numpy())
    file = RowFile(tmp_path / "x.npy")
    before = fingerprint(model, file, graph, None)
    assert fingerprint(model, file, graph, None) == before
    os.utime(file.path, ns=(0, 10**9))
    assert fingerprint(model, file, graph, None) != before


def test_fingerprint_depends_on_the_weights():
    model, graph = MODELS["GAT"](), CSRGraph.from_edge_index(EDGES, num_nodes=3)
    before = fingerprint(model, X, graph, None)
    with torch.no_grad():
        model.convs[1].att_dst[0, 1, 2] += 1
    assert fingerprint(model, X, graph, None) != before
