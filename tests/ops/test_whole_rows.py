"""Rows of float32 that fit the registers, which the kernels do not cut into tiles.

The kernels cut rows of float64, so agreement to float64 rounding says nothing about them.
"""

import pytest
import torch

from gatsparse import _native
from gatsparse.testing import cast, graph_zoo
from tests.ops.variants import VARIANTS, assert_close, run

ZOO = graph_zoo()
#: Heads and channels; which of them fit depends on the instruction set.
SHAPES = [(1, 40), (4, 8), (4, 16), (8, 8)]
#: Half of the digits: this is about the function, error budgets are in test_attention.py.
TOLERANCE = torch.finfo(torch.float32).eps ** 0.5


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize(("loops", "dropout"), [(False, 0.0), (True, 0.5)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["hub", "bipartite, more sources"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_whole_rows_equal_the_definition(variant, name, shape, loops, dropout, isa):
    graph = ZOO[name]
    inputs = cast(VARIANTS[variant].inputs(graph, *shape, scale=3.0), torch.float32)
    options = {"add_self_loops": loops, "dropout": dropout, "seed": torch.tensor(3)}
    exact = run(variant, cast(inputs, torch.float64), graph.csr(), backend="scatter", **options)
    with _native.use_isa(isa):
        actual = run(variant, inputs, graph.csr(), backend="fused", **options)
    assert_close(actual, exact, TOLERANCE)
