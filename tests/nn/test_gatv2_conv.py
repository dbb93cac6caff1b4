"""Features of GATv2Conv only, compared with PyG's layer on the same weights."""

import pytest
import torch

from gatsparse import GATv2Conv
from gatsparse.testing import graph_zoo
from tests.nn.layers import assert_same, pair

EDGES, (NUM_NODES, _) = graph_zoo()["random"]


@pytest.mark.parametrize("backend", ["fused", "scatter", "dense"])
@pytest.mark.parametrize("residual", [False, True])
def test_shared_weights(residual, backend):
    theirs, ours = pair(
        "GATv2Conv", 6, 5, heads=3, share_weights=True, residual=residual, backend=backend
    )
    x = torch.randn(NUM_NODES, 6, dtype=torch.float64)
    assert_same(theirs, ours, (x,), EDGES)
    assert_same(theirs, ours, (x, x.sin()), EDGES)


def test_shared_weights_and_edge_features():
    theirs, ours = pair("GATv2Conv", 6, 5, heads=3, share_weights=True, edge_dim=3)
    x, edge_attr = (torch.randn(n, f, dtype=torch.float64) for n, f in ((NUM_NODES, 6), (500, 3)))
    assert_same(theirs, ours, (x,), EDGES, edge_attr)


def test_bad_inputs_raise():
    x = torch.randn(NUM_NODES, 6)
    with pytest.raises(ValueError, match=r"x\[1\]: expected features of the destinations, got"):
        GATv2Conv((6, 6), 5)((x, None), EDGES)
    with pytest.raises(ValueError, match="edge_attr: expected None, as edge_dim is None, got a"):
        GATv2Conv(6, 5)(x, EDGES, torch.randn(500, 3))
