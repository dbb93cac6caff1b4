"""Sums of neighbours' rows in Triton, interpreted and as compiled for a GPU."""

from collections.abc import Iterator

import pytest
import torch

from gatsparse.ops.fused import csr_arguments
from gatsparse.testing import error_budget, graph_zoo, relative_error
from tests.gpu.gat_calls import pieces_of

pytest.importorskip("triton")

ZOO = graph_zoo()
WIDTHS = (8, 7, 20, 1)
CASES = {
    f"{name}: {width}": (name, width)
    for k, name in enumerate(ZOO)
    for width in ((2,) if name == "hub" else (WIDTHS[k % 4], WIDTHS[(k + 1) % 4]))
} | {"duplicate edges: 300": ("duplicate edges", 300)}


def arguments(name: str, width: int) -> tuple[torch.Tensor, list, list]:
    graph = ZOO[name]
    generator = torch.Generator().manual_seed(width)
    x = torch.randn(graph.size[0], width, dtype=torch.float64, generator=generator)
    return x, *csr_arguments(graph.csr(), True)


def interpreted() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the errors of all cases, in the process that interprets Triton's functions."""
    from gatsparse.ops.neighbor_sum import cuda

    for case, (name, width) in CASES.items():
        x, csr, csr_t = arguments(name, width)
        with pieces_of(1 if width == 300 else 16):  # 1: more pieces than groups that add them
            out = cuda.neighbor_sum(x, csr, csr_t)
        expected = torch.ops.gatsparse.neighbor_sum(x, csr, csr_t)
        same = out.shape == expected.shape
        yield case, {"out": relative_error(out, expected) if same else float("inf")}


@pytest.mark.parametrize("case", CASES)
def test_float64_agrees_with_the_cpu(found, case):
    assert found[case]["out"] < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("name", "width"), [("random", 8), ("hub", 20), ("chain", 7)])
def test_other_dtypes_are_within_their_error_budgets(name, width, dtype):
    from gatsparse.ops.neighbor_sum import cuda
    from tests.ptx.device import emulated

    x, csr, csr_t = arguments(name, width)
    x = x.to(dtype)
    with emulated(), pieces_of(16):
        out = cuda.neighbor_sum(x, csr, csr_t)
    exact = torch.ops.gatsparse.neighbor_sum(x.double(), csr, csr_t)
    wide = torch.promote_types(dtype, torch.float32)
    reference = torch.ops.gatsparse.neighbor_sum(x.to(wide), csr, csr_t).to(dtype)
    assert out.dtype == dtype
    assert relative_error(out, exact) <= error_budget(relative_error(reference, exact), dtype)


def test_nan_reaches_only_the_neighbours():
    from gatsparse.ops.neighbor_sum import cuda
    from tests.ptx.device import emulated

    x, csr, csr_t = arguments("random", 8)
    x = x.float()
    x[3] = torch.nan
    with emulated():
        out = cuda.neighbor_sum(x, csr, csr_t)
    expected = torch.ops.gatsparse.neighbor_sum(x, csr, csr_t)
    assert torch.equal(out.isnan(), expected.isnan())


def test_loop_reads_vectors_without_conversions():
    from gatsparse.ops.neighbor_sum import cuda
    from tests.ptx.device import emulated
    from tests.ptx.sass import loop_counts

    x, csr, csr_t = arguments("random", 64)
    with emulated() as device:
        cuda.neighbor_sum(x.float(), csr, csr_t)
    (code,) = [code for code in device.compiled if code.name == "row_sums_kernel"]
    inner = min(loop_counts(code.sass), key=lambda count: count["all"])
    edges = 8 * 2  # in flight, of two groups
    assert inner["LDG128"] == edges // 2
    assert inner["all"] <= 6 * edges
    assert code.registers <= 64
    assert code.spills == code.shared == 0
