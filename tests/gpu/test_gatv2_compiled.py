"""GATv2's kernels as machine code: instructions of an edge, registers, and no spills."""

from typing import Any

import pytest
import torch

pytest.importorskip("triton")

from gatsparse.gpu.launch_table import rule
from gatsparse.ops.cuda import Shape
from gatsparse.ops.gatv2 import cuda
from gatsparse.testing import graph_zoo
from tests.gpu.gatv2_calls import Case, call
from tests.ptx.compiling import Compiled, compile_call
from tests.ptx.sass import loop_counts

DUPLICATES = graph_zoo()["dense with duplicates"]


def compiled(
    case: Case, dtype: torch.dtype, arch: str, patch: pytest.MonkeyPatch
) -> dict[str, tuple[Compiled, int]]:
    """The kernels of a call, and the edges of a turn of their loops; nothing is run."""
    found = {}

    def launch(kernel: Any, _grid: int, *args: Any, num_warps: int = 1, **constants: Any) -> None:
        code = compile_call(kernel, *args, arch=arch, num_warps=num_warps, **constants)
        found[code.name] = code, constants.get("G", 1) * constants.get("B", 1)

    patch.setattr("gatsparse.gpu.launch.launch", launch)
    call(DUPLICATES, case).to(dtype).on_gpu()
    return found


@pytest.mark.parametrize(
    ("kernel", "case", "instructions", "registers"),
    [
        ("gatv2_forward", Case(8, 8, loops=True), 20, 64),
        ("gatv2_forward", Case(4, 64), 60, 128),
        ("in_edges", Case(8, 8, loops=True), 36, 80),
        ("in_edges", Case(8, 8, records=False), 30, 80),
        ("in_edges", Case(4, 64), 130, 128),
        ("out_edges", Case(8, 8, loops=True), 21, 80),
        ("out_edges", Case(8, 8, records=False), 34, 80),
        ("out_edges", Case(4, 64), 56, 80),
    ],
    ids=str,
)
def test_instructions_per_edge(kernel, case, instructions, registers, monkeypatch):
    code, edges = compiled(case, torch.float32, "sm_90", monkeypatch)[kernel]
    inner = [count for count in loop_counts(code.sass) if count["LDG128"]]
    assert min(count["all"] for count in inner) / edges <= instructions
    assert code.registers <= registers
    for count in inner:
        assert count["LDG128"] >= edges * case.H * case.C * 4 // 512  # 16 bytes of 32 threads
        assert not {"LDS", "STS", "BAR", "LDL", "STL"} & {k for k, n in count.items() if n}


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        (Case(4, 64, edge=True), torch.bfloat16),
        (Case(1, 1024), torch.float32),
    ],
    ids=str,
)
def test_no_registers_are_spilled(case, dtype, monkeypatch):
    for name, (code, _) in compiled(case, dtype, "sm_90", monkeypatch).items():
        assert code.spills == 0, name
        assert code.stack == 0, name


@pytest.mark.parametrize(
    ("H", "C", "dtype"),
    [(8, 8, torch.float32), (4, 64, torch.bfloat16), (1, 4096, torch.float32), (3, 97, torch.half)],
)
def test_signs_of_a_lane_fit_sixteen_bits(H, C, dtype):
    layout, _ = rule("gatv2_backward", H, C, H, dtype)
    assert layout.R * layout.V <= 16
    assert layout.K * layout.R * layout.V >= C


@pytest.mark.parametrize(("H", "C", "num_edges"), [(8, 8, 20_000_000), (4, 64, 50_000_000)])
def test_records_take_at_most_six_tables(H, C, num_edges):
    num_nodes = 4_000_000
    x_src = torch.empty(num_nodes, H, C, device="meta")
    for factor in (1, 100):
        sizes = (num_nodes + 1, factor * num_edges, factor * num_edges)
        csr = [torch.empty(size, device="meta") for size in sizes]
        shape = Shape.of("gatv2_backward", x_src, csr, False)
        record, signs = cuda._records(shape, x_src, always=False)
        assert (record is None) == (factor == 100)
        if record is not None:
            assert record.nbytes + signs.nbytes <= 6 * x_src.nbytes
            assert record.nbytes + signs.nbytes < num_edges * H * C * 4 / 2
        assert cuda._records(shape, x_src, always=True)[0] is not None
