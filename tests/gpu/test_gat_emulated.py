"""GAT's Triton kernels as they are compiled for a GPU, in the emulator, against float64.

The emulator also finds races, reads of memory that nothing has written, and accesses outside of
tensors.
"""

import re
from contextlib import nullcontext

import pytest
import torch

from gatsparse.ops.philox import edge_dropout
from gatsparse.testing import error_budget, graph_zoo
from tests.gpu.gat_calls import GRADS, SAVED, SEED, Call, Case, call, errors, in_flight, pieces_of

pytest.importorskip("triton")

from gatsparse.gpu import edge_dropout as edge_dropout_on_gpu
from gatsparse.ops.gat import cuda
from tests.ptx.compiling import Compiled
from tests.ptx.device import emulated
from tests.ptx.emulator.warps import Fault

ZOO = graph_zoo()
FIRST = Case(8, 8, loops=True, positive=True)
SECOND = Case(4, 8, loops=True, p=0.5, edge=True, concat=False, length=2)
THIRD = Case(3, 12, p=0.3, wide=True, length=2)
#: Kernels are compiled for each of these once, and run on several graphs.
CASES = [
    (FIRST, ("random", "hub", "isolated nodes", "only loops", "chain", "no nodes", "no edges")),
    (FIRST._replace(scale=20.0), ("complete",)),
    (SECOND, ("dense with duplicates", "duplicate loops")),
    (
        THIRD,
        ("bipartite, more sources", "bipartite, more destinations", "bipartite, no destinations"),
    ),
    (Case(1, 7, edge=True, slope=-0.1, length=64), ("complete",)),
    (Case(1, 520, positive=True), ("duplicate edges",)),
]
NUM_REFERENCES = 8
IN_STORAGE = ("out", "grad_x")
OF_SCORES = ("grad_att_src", "grad_att_dst", "grad_alpha_dst", "grad_edge", "grad_loop")


def on_cpu(tensors: Call) -> dict[str, torch.Tensor]:
    operators = torch.ops.gatsparse
    return tensors.run(operators.gat, operators.gat_backward)


def on_gpu(tensors: Call, **schedule) -> dict[str, torch.Tensor]:
    """Results of the kernels: as they are for the first case, with an edge in flight for others."""
    case = tensors.case
    unrolled = nullcontext() if case.C == FIRST.C == case.H else in_flight(1)
    with emulated(**schedule), pieces_of(case.length), unrolled:
        return tensors.run(cuda.gat, cuda.gat_backward)


def in_precision(tensors: Call, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Results of the CPU's kernels, which compute float16 in float32."""
    if dtype != torch.float16:
        return on_cpu(tensors)
    wide = on_cpu(tensors.to(torch.float32))
    return {n: t.to(dtype) if n in IN_STORAGE else t for n, t in wide.items()}


def reference_errors(tensors: Call, dtype: torch.dtype) -> dict[str, float]:
    """Largest errors of the CPU's kernels in a precision, over some orders of the channels."""
    found: dict[str, float] = {}
    generator = torch.Generator().manual_seed(0)
    for _ in range(NUM_REFERENCES):
        order = torch.randperm(tensors.case.C, generator=generator)
        other = tensors.with_channels(order)
        error = errors(in_precision(other, dtype), on_cpu(other.to(torch.float64)))
        found = {name: max(value, found.get(name, 0.0)) for name, value in error.items()}
    return found


def assert_within_budget(tensors: Call, dtype: torch.dtype) -> None:
    tensors = tensors.to(dtype)
    exact = on_cpu(tensors.to(torch.float64))
    found = errors(on_gpu(tensors), exact)
    reference = reference_errors(tensors, dtype)
    terms = torch.promote_types(dtype, torch.float32)
    rounding = rounding_of_products(tensors, terms)
    for name, error in found.items():
        budget = error_budget(reference[name], dtype if name in IN_STORAGE else terms)
        if name in OF_SCORES:
            budget += rounding / max([1.0, *exact[name].abs().flatten().tolist()])
        assert error <= budget, (name, error, budget)


def rounding_of_products(tensors: Call, dtype: torch.dtype) -> float:
    """Rounding of the inner products <g, x>, which may cancel to nothing."""
    x, g = tensors.inputs[0].double(), tensors.grad_out.double()
    product = x.norm(dim=2).max() * g.norm(dim=2).max() if x.numel() and g.numel() else 0.0
    return torch.finfo(dtype).eps * float(product)


@pytest.mark.parametrize(("case", "graphs"), CASES, ids=str)
def test_float32_is_within_its_error_budget(case, graphs):
    for graph in graphs:
        assert_within_budget(call(ZOO[graph], case), torch.float32)


@pytest.mark.parametrize(
    ("case", "graph", "dtype"),
    [(FIRST, "random", torch.bfloat16), (SECOND, "dense with duplicates", torch.float16)],
    ids=str,
)
def test_half_precision_is_within_its_error_budget(case, graph, dtype):
    assert_within_budget(call(ZOO[graph], case), dtype)


def test_float64_agrees_with_the_cpu():
    tensors = call(ZOO["duplicate loops"], Case(3, 6, loops=True, p=0.3, edge=True, length=2))
    found = errors(on_gpu(tensors), on_cpu(tensors))
    assert max(found.values()) < 1e-12, found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_gradients_of_equal_neighbours_vanish(dtype):
    """``<g, x_j>`` and D cancel: what is left is the rounding of the sums, not of the storage."""
    tensors = call(ZOO["complete"], Case(4, 8, scale=0.5, length=64)).to(dtype)
    x = tensors.inputs[0][:1].expand_as(tensors.inputs[0]).contiguous()
    tensors = tensors._replace(inputs=(x, *tensors.inputs[1:]))
    grads = on_gpu(tensors)
    rounding = rounding_of_products(tensors, torch.float32) * len(x)
    assert grads["grad_alpha_dst"].abs().max() < rounding
    assert grads["grad_att_src"].abs().max() < rounding * float(x.double().norm(dim=2).max())


@pytest.mark.parametrize("case", [FIRST, SECOND], ids=str)
@pytest.mark.parametrize(
    "values",
    [
        {"x": [(3, float("nan"))]},
        {"x": [(3, float("inf")), ((5, 0), float("-inf"))]},
        {"x": [(slice(0, 12), float("-inf"))]},
        {"x": [(3, 1e12), (4, -1e12)]},
        {"grad_out": [((3, 1, 0), float("nan"))]},
    ],
    ids=["NaN", "inf", "minus inf", "huge scores", "NaN in grad_out"],
)
def test_nan_and_inf_reach_the_same_results_as_on_the_cpu(case, values):
    tensors = call(ZOO["complete"], case, **values).to(torch.float32)
    found = errors(on_gpu(tensors), on_cpu(tensors))
    assert max(found.values()) < 1e-4, found


@pytest.mark.parametrize("case", [FIRST, SECOND], ids=str)
def test_results_do_not_depend_on_the_schedule(case):
    tensors = call(ZOO["complete"], case).to(torch.float32)
    first = on_gpu(tensors)
    for schedule in ("lockstep", "random"):
        again = on_gpu(tensors, schedule=schedule, seed=3)
        for name in ("out", *SAVED, *GRADS):
            assert torch.equal(first[name], again[name]), name


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("heads", "p"), [(3, 0.5), (8, 0.1), (12, 0.9), (1, 1.0)])
def test_dropout_draws_the_numbers_of_the_cpu(heads, p, transposed):
    graph = ZOO["random"].csr()
    csr, csr_t = list(graph.csr), list(graph.csr_t)
    with emulated():
        bits = edge_dropout_on_gpu.draw(csr, csr_t if transposed else None, 7, heads, p, SEED)
    number = csr[2][csr_t[2].long()] if transposed else csr[2]
    loops = graph.num_edges + torch.arange(7)
    number = torch.cat([number.long(), loops])
    expected = edge_dropout(number, heads, p, SEED, torch.float64) > 0
    head = torch.arange(heads)
    assert torch.equal(bits[:, head // 8] >> head % 8 & 1 == 1, expected)


def test_seed_on_the_device_draws_the_same_numbers():
    graph = ZOO["random"].csr()
    perm, num_edges = graph.csr.perm, graph.num_edges
    bits = torch.zeros(num_edges, 1, dtype=torch.uint8)
    constants = {"H": 8, "BYTES": 1, "BLOCK": 128, "num_warps": 4}
    with emulated() as device:
        arguments = (perm, None, SEED, bits, num_edges, num_edges, 2**30)
        device.launch(edge_dropout_on_gpu.draw_bits, 4, *arguments, **constants)
        again = edge_dropout_on_gpu.draw(list(graph.csr), None, 0, 8, (2**30 + 1) / 2**32, SEED)
    assert torch.equal(bits, again)


def test_seed_of_another_device_raises():
    csr = list(ZOO["random"].csr().csr)
    with pytest.raises(RuntimeError, match="seed: expected a tensor on cpu, got meta"):
        edge_dropout_on_gpu.draw(csr, None, 0, 2, 0.5, SEED.to("meta"))


def test_combining_pieces_without_barriers_is_a_race(monkeypatch):
    without = property(lambda code: re.sub(r"bar\.sync[^;]*;", "", code.asm["ptx"]))
    monkeypatch.setattr(Compiled, "ptx", without)
    with pytest.raises(Fault, match=r"shared memory: race.*gat_combine"):
        on_gpu(call(ZOO["hub"], FIRST).to(torch.float32))


def test_corrupt_index_raises():
    tensors = call(ZOO["random"], Case(2, 4)).to(torch.float32)
    tensors.csr[1] = tensors.csr[1].clone()
    tensors.csr[1][5] = 60
    with pytest.raises(RuntimeError, match="csr: index out of range"):
        on_gpu(tensors)
