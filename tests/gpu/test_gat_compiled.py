"""GAT's kernels as machine code: instructions of an edge, registers, and no spills."""

from typing import Any

import pytest
import torch

pytest.importorskip("triton")

import triton.language as tl

from gatsparse.gpu.lanes import lanes, sizes
from gatsparse.ops.fused import padded_heads
from gatsparse.ops.gat.triton_backward import gat_backward
from gatsparse.ops.gat.triton_forward import gat_forward
from tests.gpu import launches
from tests.ptx.compiling import Compiled, compile_kernel, specialize
from tests.ptx.sass import loop_counts

POINTERS = {
    "*fp32": [
        *("alpha_src", "alpha_dst", "edge", "loop", "bias", "heads_out", "shift", "weight_sum"),
        *("positive_out", "positive_weight", "part", "part_terms", "att_src", "att_dst", "terms"),
        *("grad_alpha_dst", "grad_alpha_src", "grad_score", "grad_loop", "part_sums"),
    ],
    "*i32": ["col", "perm", "place", "table"],
    "*u8": ["bits"],
}
KINDS = {name: kind for kind, names in POINTERS.items() for name in names} | {"scale": "fp64"}
FEATURES = ("x", "out", "grad_out", "grad_x")
DTYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16"}
WITHOUT_EDGES = ("edge", "loop", "perm", "bits", "place", "grad_score", "grad_loop")


def compiled(kernel: Any, H: int, C: int, dtype: torch.dtype, arch: str) -> tuple[Compiled, int]:
    """The kernel without edge terms and dropout, and the edges of a turn of its loops."""
    layout = lanes(H, C, padded_heads(H), dtype)
    G, B, num_warps = sizes(layout)
    constants = layout._asdict() | {"G": G, "B": B, "LOOPS": False, "SLOPE": 0.2}
    constants |= {"ACC": tl.float32, "LENGTH": layout.HS} | dict.fromkeys(WITHOUT_EDGES)
    names = kernel.arg_names
    kinds = KINDS | dict.fromkeys(FEATURES, DTYPES[dtype])
    signature = {n: kinds.get(n, "i32") for n in names if n not in constants}
    constants = {n: value for n, value in constants.items() if n in names}
    return compile_kernel(kernel, signature, constants, arch, num_warps), G * B


@pytest.mark.parametrize(
    ("kernel", "H", "C", "instructions", "registers"),
    [
        (gat_forward, 8, 8, 16, 64),
        (gat_forward, 4, 64, 40, 96),
        (gat_backward, 8, 8, 16, 64),
        (gat_backward, 4, 64, 35, 80),
    ],
)
def test_instructions_per_edge(kernel, H, C, instructions, registers):
    """Without self-loops; ``test_static_budgets`` has the kernels with them."""
    code, edges = compiled(kernel, H, C, torch.float32, "sm_90")
    inner = [count for count in loop_counts(code.sass) if count["LDG128"]]
    per_edge = min(count["all"] for count in inner) / edges
    assert per_edge <= instructions
    assert code.registers <= registers
    for count in inner:
        assert count["LDG128"] >= edges * H * C * 4 // 512  # 16 bytes for each of 32 threads
        assert not {"LDS", "STS", "BAR", "LDL", "STL"} & {k for k, n in count.items() if n}


@pytest.mark.parametrize("kernel", [gat_forward, gat_backward])
@pytest.mark.parametrize(
    ("H", "C", "dtype"),
    [
        (8, 8, torch.float32),
        (4, 64, torch.bfloat16),
        (1, 7, torch.float32),
        (1, 1024, torch.float32),
    ],
)
def test_no_registers_are_spilled(kernel, H, C, dtype):
    code, _ = compiled(kernel, H, C, dtype, "sm_90")
    assert code.spills == 0
    assert code.stack == 0


@pytest.mark.parametrize("attention", [launches.gat, launches.gatv2])
def test_kernels_are_compiled_once_for_all_dropout_probabilities(attention):
    def keys(p):
        found = launches.launches(attention(8, 8, p=p))
        return [specialize(f.kernel, f.args, f.constants, "sm_90").key() for f in found]

    assert keys(0.1) == keys(0.6)
