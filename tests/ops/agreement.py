"""Shared by the tests of the attention operators: the graph zoo, variants and agreement."""

import pytest
import torch

from gatsparse.testing import Graph, graph_zoo
from tests.ops.variants import (
    VARIANTS,
    assert_close,
    run,
)

ZOO = graph_zoo()
BACKENDS = ("fused", "scatter", "dense")
HEADS = 8
#: Rows that fit the registers of some instruction set, in float32 or in float64; and rows
#: of more heads, whose first sixteen would.
SHORT_ROWS = [(1, 16), (1, 40), (2, 32), (4, 8), (4, 64), (8, 8), (8, 16), (16, 8), (32, 8)]

every_variant = pytest.mark.parametrize("variant", VARIANTS)
with_and_without_loops = pytest.mark.parametrize("loops", [False, True])
with_and_without_edges = pytest.mark.parametrize("edge", [False, True])


def check_agreement(
    variant, graph: Graph, shape, loops, dropout, concat, edge, slope=0.2, seed=0, **kwargs
):
    inputs = VARIANTS[variant].inputs(
        graph, *shape, edge=edge, loop=loops, concat=concat, seed=seed, scale=3.0, **kwargs
    )
    options = {
        "add_self_loops": loops,
        "dropout": dropout,
        "seed": torch.tensor(1234567890123456789 + seed),
        "concat": concat,
        "negative_slope": slope,
    }
    csr = graph.csr()
    fused = run(variant, inputs, csr, backend="fused", **options)
    for backend in ("scatter",) if edge else ("scatter", "dense"):
        assert_close(fused, run(variant, inputs, csr, backend=backend, **options))
