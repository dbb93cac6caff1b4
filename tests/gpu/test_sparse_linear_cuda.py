"""Products of sparse matrices in Triton, interpreted and as compiled for a GPU."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from gatsparse.ops.fused import csr_arguments
from gatsparse.testing import error_budget, graph_zoo
from tests.gpu.gat_calls import errors, pieces_of

pytest.importorskip("triton")

ZOO = graph_zoo()
WIDTHS = (8, 3, 40, 1)
LARGE = ("hub", "random", "complete", "dense with duplicates", "chain", "reversed chain")
CASES = {
    f"{name}: {width}": (name, width)
    for k, name in enumerate(ZOO)
    for width in (1 if name in LARGE else WIDTHS[k % 4],)
} | {"duplicate edges: 70": ("duplicate edges", 70)}
NAMES = ("out", "grad_values", "grad_weight")


class Call(NamedTuple):
    """Tensors of a call; a third of the values are 0."""

    values: Tensor
    weight: Tensor
    bias: Tensor
    grad_out: Tensor
    csr: list[Tensor]
    csr_t: list[Tensor]

    def to(self, dtype: torch.dtype) -> "Call":
        return Call(*(t.to(dtype) for t in self[:4]), self.csr, self.csr_t)

    def run(self, operators: Any, of_values: bool = True, of_weight: bool = True) -> dict:
        values, weight, bias, grad_out, csr, csr_t = self
        with pieces_of(16):
            out = operators.sparse_linear(values, weight, bias, csr, csr_t)
            grads = operators.sparse_linear_backward(
                grad_out, values, weight, of_values, of_weight, csr, csr_t
            )
        return dict(zip(NAMES, (out, *grads), strict=True))


def call(name: str, width: int) -> Call:
    """A call with normal float64 tensors; the graph's sources are features."""
    graph = ZOO[name]
    (num_features, num_rows), num_entries = graph.size, graph.edge_index.size(1)
    generator = torch.Generator().manual_seed(width)
    shapes = ((num_entries,), (width, num_features), (width,), (num_rows, width))
    values, *others = (
        torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes
    )
    values[::3] = 0.0
    return Call(values, *others, *csr_arguments(graph.csr(), True))


def interpreted() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the errors of all cases, in the process that interprets Triton's functions."""
    from gatsparse.ops.sparse_linear import cuda

    operators = torch.ops.gatsparse
    for case, (name, width) in CASES.items():
        tensors = call(name, width)
        yield case, errors_without_softmax(tensors.run(cuda), tensors.run(operators))
    for wanted in ((True, False), (False, True)):
        tensors = call("duplicate edges", 3)
        found = errors_without_softmax(tensors.run(cuda, *wanted), tensors.run(operators, *wanted))
        yield f"wanted: {wanted}", found
    tensors = call("duplicate edges", 3)
    tensors.weight[:, 0] = torch.inf  # two of its three values are not 0
    tensors.weight[:, 2] = torch.nan
    yield "inf and NaN", errors_without_softmax(tensors.run(cuda), tensors.run(operators))


def errors_without_softmax(actual: dict, expected: dict) -> dict[str, float]:
    """Errors as in :func:`tests.gpu.gat_calls.errors`."""
    none = {"shift": torch.zeros(0), "weight_sum": torch.zeros(0)}
    found = errors(actual | none, expected | none)
    return {name: found[name] for name in NAMES}


@pytest.mark.parametrize(
    "case", [*CASES, "wanted: (True, False)", "wanted: (False, True)", "inf and NaN"]
)
def test_float64_agrees_with_the_cpu(found, case):
    assert max(found[case].values()) < 1e-12, found[case]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("name", "width"), [("random", 8), ("bipartite, more sources", 5)])
def test_other_dtypes_are_within_their_error_budgets(name, width, dtype):
    from gatsparse.ops.sparse_linear import cuda
    from tests.ptx.device import emulated

    tensors = call(name, width).to(dtype)
    with emulated():
        actual = tensors.run(cuda)
    operators = torch.ops.gatsparse
    exact = tensors.to(torch.float64).run(operators)
    wide = tensors.to(torch.promote_types(dtype, torch.float32)).run(operators)
    reference = errors_without_softmax({n: t.to(dtype) for n, t in wide.items()}, exact)
    for name, error in errors_without_softmax(actual, exact).items():
        assert actual[name].dtype == dtype
        assert error <= error_budget(reference[name], dtype), name
