"""GATv2's Triton kernels as they are compiled for a GPU, in the emulator, against float64.

The emulator also finds races, reads of memory that nothing has written, and accesses outside of
tensors.
"""

from contextlib import nullcontext

import pytest
import torch

from gatsparse.testing import Graph, error_budget, graph_zoo
from tests.gpu.gat_calls import errors, in_flight
from tests.gpu.gatv2_calls import GRADS, IN_STORAGE, SAVED, Call, Case, call

pytest.importorskip("triton")

from tests.ptx.device import emulated

ZOO = graph_zoo()
CASES = [
    ("dense with duplicates", Case(8, 8, loops=True, length=2)),
    ("duplicate loops", Case(4, 8, loops=True, p=0.5, edge=True, concat=False, length=2)),
    ("bipartite, more sources", Case(3, 12, p=0.3, loops=True, wide=True, records=False)),
    ("complete", Case(1, 7, edge=True, programs=2)),
    ("hub", Case(8, 8, loops=True, length=2)),
    ("isolated nodes", Case(2, 64, loops=True, records=False, scale=20.0)),
    ("chain", Case(12, 5, slope=-0.1, length=64)),
    ("duplicate edges", Case(1, 520)),
    ("bipartite, no destinations", Case(2, 4)),
]
#: 6 nodes, each with edges from the next three, and a loop.
SMALL = Graph(torch.tensor([[(i + k) % 6, i] for i in range(6) for k in range(4)]).T, (6, 6))


def on_gpu(tensors: Call, **schedule) -> dict[str, torch.Tensor]:
    """Results of the kernels: as they are for 8x8, with an edge in flight for other shapes."""
    unrolled = nullcontext() if tensors.case.H == tensors.case.C == 8 else in_flight(1)
    with emulated(**schedule), unrolled:
        return tensors.on_gpu()


def in_precision(tensors: Call, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Results of the CPU's kernels, which compute float16 in float32."""
    if dtype != torch.float16:
        return tensors.on_cpu()
    wide = tensors.to(torch.float32).on_cpu()
    return {n: t.to(dtype) if n in IN_STORAGE else t for n, t in wide.items()}


def rounding_of_products(tensors: Call, dtype: torch.dtype) -> float:
    """Rounding of the inner products <g, x_src>, which may cancel to nothing in a gradient."""
    x, g = tensors.inputs[0].double(), tensors.grad_out.double()
    product = x.norm(dim=2).max() * g.norm(dim=2).max() if x.numel() and g.numel() else 0.0
    return torch.finfo(dtype).eps * float(product)


def assert_within_budget(tensors: Call, dtype: torch.dtype) -> None:
    tensors = tensors.to(dtype)
    exact = tensors.to(torch.float64).on_cpu()
    found = errors(on_gpu(tensors), exact)
    reference = errors(in_precision(tensors, dtype), exact)
    terms = torch.promote_types(dtype, torch.float32)
    for name, error in found.items():
        budget = error_budget(reference[name], dtype if name in IN_STORAGE else terms)
        if name in GRADS:
            largest = float(exact[name].abs().max()) if exact[name].numel() else 0.0
            budget += rounding_of_products(tensors, terms) / max(1.0, largest)
        assert error <= budget, (name, error, budget)


@pytest.mark.parametrize(("graph", "case"), CASES, ids=str)
def test_float32_is_within_its_error_budget(graph, case):
    assert_within_budget(call(ZOO[graph], case), torch.float32)


@pytest.mark.parametrize(
    ("dtype", "records"),
    [
        (torch.bfloat16, True),
        (torch.float16, False),
    ],
    ids=str,
)
def test_half_precision_is_within_its_error_budget(dtype, records):
    case = Case(4, 8, loops=True, p=0.5, edge=records, records=records, length=2)
    assert_within_budget(call(SMALL, case), dtype)


@pytest.mark.parametrize("records", [True, False])
@pytest.mark.parametrize(
    "values",
    [
        {"x_src": [(3, float("nan"))]},
        {"x_src": [(3, float("inf")), ((5, 0), float("-inf"))]},
        {"x_dst": [(2, float("-inf"))], "att": [(0, 1.0)]},
    ],
    ids=["NaN", "inf", "minus inf"],
)
def test_nan_and_inf_reach_the_same_results_as_on_the_cpu(records, values):
    tensors = call(SMALL, Case(2, 3, length=2, records=records), **values).to(torch.float32)
    found = errors(on_gpu(tensors), tensors.on_cpu())
    assert max(found.values()) < 1e-4, found


@pytest.mark.parametrize("case", [CASES[0][1], CASES[2][1]._replace(length=2)])
def test_results_do_not_depend_on_the_schedule(case):
    tensors = call(SMALL, case).to(torch.float32)
    first = on_gpu(tensors)
    for schedule in ("lockstep", "random"):
        again = on_gpu(tensors, schedule=schedule, seed=3)
        for name in ("out", *SAVED, *GRADS):
            assert torch.equal(first[name], again[name]), name


def test_gradients_of_equal_neighbours_vanish():
    """``<g, x_j>`` and D cancel: what is left is the rounding of the sums."""
    tensors = call(SMALL, Case(4, 8, scale=0.5)).to(torch.float32)
    x_src = tensors.inputs[0][:1].expand_as(tensors.inputs[0]).contiguous()
    tensors = tensors._replace(inputs=(x_src, *tensors.inputs[1:]))
    rounding = rounding_of_products(tensors, torch.float32) * len(x_src)
    assert on_gpu(tensors)["grad_x_dst"].abs().max() < rounding


def test_corrupt_index_raises():
    tensors = call(SMALL, Case(2, 4)).to(torch.float32)
    tensors.csr[1] = tensors.csr[1].clone()
    tensors.csr[1][5] = 6
    with pytest.raises(RuntimeError, match="csr: index out of range"):
        on_gpu(tensors)
