"""Compilation for a GPU that is missing, and what is read from the result."""

import pytest
import torch

from tests.ptx import kernels, sass
from tests.ptx.compiling import compile_call, compile_kernel, specialize, target_of

X = torch.zeros(64)


@pytest.mark.parametrize(
    ("arch", "backend", "warp"),
    [("sm_80", "cuda", 32), ("sm_120", "cuda", 32), ("gfx942", "hip", 64), ("gfx1100", "hip", 32)],
)
def test_targets(arch, backend, warp):
    target = target_of(arch)
    assert (target.backend, target.warp_size) == (backend, warp)


def test_unknown_target_raises():
    with pytest.raises(ValueError, match="arch: expected sm_"):
        target_of("90")


def test_specialization():
    found = specialize(kernels.add, (X, X[1:], X[4:], 48), {"BLOCK": 32, "num_warps": 2}, "sm_90")
    assert list(found.signature.values()) == ["*fp32", "*fp32", "*fp32", "i32", "constexpr"]
    divisible = [["tt.divisibility", 16]]
    marked = [place for place, value in found.attributes.items() if value == divisible]
    assert marked == [(0,), (2,), (3,)]
    assert found.constants == {(4,): 32}
    assert found.options == (("enable_fp_fusion", True), ("num_warps", 2))
    assert found.arguments[3] == 48
    for size, kind in ((1, "constexpr"), (7, "i32"), (2**40, "i64"), (None, "constexpr")):
        other = specialize(kernels.add, (X, X, X, size), {"BLOCK": 32}, "sm_90")
        assert other.signature["size"] == kind
        assert len(other.arguments) == (3 if kind == "constexpr" else 4)
        assert other.key() != found.key()
    for dtype, kind in ((torch.bfloat16, "*bf16"), (torch.int64, "*i64"), (torch.uint8, "*u8")):
        x = X.to(dtype)
        assert specialize(kernels.add, (x, x, x, 4), {"BLOCK": 8}, "sm_90").signature["x"] == kind


@pytest.mark.parametrize("arch", ["sm_80", "sm_90", "sm_100"])
def test_compiled_for_nvidia(arch):
    found = compile_call(kernels.row_sums, X, X, 64, arch=arch, num_warps=2, BLOCK=128)
    assert found.name == "row_sums"
    assert found.num_warps == 2
    assert found.shared > 0
    assert f".target {arch}" in found.ptx
    assert found.cubin.startswith(b"\x7fELF")
    assert 8 <= found.registers <= 64
    assert (found.spills, found.stack) == (0, 0)
    (loop,) = sass.loop_counts(found.sass)
    assert loop["LDG64"] + loop["LDG32"] + loop["LDG128"] >= 1
    assert loop["FADD"] >= 1
    assert loop["BRA"] == 1
    assert loop["all"] == sum(loop.values()) - loop["all"]


def test_compiled_for_amd():
    found = compile_call(kernels.row_sums, X, X, 64, arch="gfx942", num_warps=2, BLOCK=128)
    assert "amdgcn" in found.asm
    assert found.registers > 0
    assert found.spills == 0


def test_equal_calls_share_a_result():
    first = compile_call(kernels.add, X, X, X, 60, BLOCK=32)
    assert compile_call(kernels.add, X + 1, X, X, 61, BLOCK=32) is first
    assert compile_call(kernels.add, X, X, X, 64, BLOCK=32) is not first
    assert compile_call(kernels.add, X, X, X, 60, BLOCK=32, arch="sm_80") is not first


def code(ptx: str) -> str:
    """PTX without the names of source files."""
    return "".join(line for line in ptx.splitlines(True) if ".file" not in line)


def test_signature_in_words():
    signature = {"x": "*fp32", "out": "*fp32", "columns": "i32"}
    found = compile_kernel(kernels.row_sums, signature, {"BLOCK": 128}, num_warps=2)
    call = compile_call(kernels.row_sums, X, X, 63, num_warps=2, BLOCK=128)
    assert code(found.ptx) == code(call.ptx)
    divisible = compile_kernel(
        kernels.row_sums, signature, {"BLOCK": 128}, num_warps=2, divisible=("columns",)
    )
    call = compile_call(kernels.row_sums, X, X, 64, num_warps=2, BLOCK=128)
    assert code(divisible.ptx) == code(call.ptx)
    with pytest.raises(ValueError, match=r"missing or unknown parameters: \['BLOCK'\]"):
        compile_kernel(kernels.row_sums, signature, {})


SASS = """
        .headerflags    @"EF_CUDA_SM90"
.text.k:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/                   IADD3 R2, R2, 0x1, RZ ;
.L_x_0:
        /*0020*/              @!P0 LDG.E.128.CONSTANT R4, desc[UR4][R2.64] ;
        /*0030*/                   LDG.E.U16 R8, desc[UR4][R2.64+0x10] ;
        /*0040*/                   FFMA R5, R4, R6, R7 ;
        /*0050*/                   IMAD.WIDE R2, R5, 0x4, R2 ;
        /*0060*/                   SHFL.BFLY PT, R6, R5, 0x1, 0x1f ;
        /*0070*/               @P0 BRA `(.L_x_0) ;
        /*0080*/                   STG.E desc[UR4][R2.64], R5 ;
        /*0090*/              @UP0 BRA `(.L_x_1) ;
        /*00a0*/                   EXIT ;
.L_x_2:
        /*00b0*/                   BRA `(.L_x_2);
        /*00c0*/                   NOP;
"""


def test_innermost_loops_of_machine_code():
    lines, labels = sass.read(SASS)
    assert len(lines) == 13
    assert labels == {".L_x_1": 1, ".L_x_0": 2, ".L_x_2": 11}
    (loop,) = sass.innermost_loops(SASS)
    assert [line.opcode.split(".")[0] for line in loop] == [
        "LDG",
        "LDG",
        "FFMA",
        "IMAD",
        "SHFL",
        "BRA",
    ]
    (counts,) = sass.loop_counts(SASS)
    assert counts == {
        **{"LDG128": 1, "LDG16": 1, "FFMA": 1, "IMAD.WIDE": 1, "SHFL": 1, "BRA": 1},
        "all": 6,
    }
    assert sass.counts(lines)["all"] == 12


@pytest.mark.parametrize(
    ("opcode", "kind"),
    [
        *(("LDG.E", "LDG32"), ("LDG.E.64", "LDG64"), ("LDG.E.S8", "LDG8"), ("STG.E.128", "STG128")),
        *(
            ("IMAD.MOV.U32", "IMAD.MOV"),
            ("IMAD", "IMAD"),
            ("IMAD.SHL", "IMAD"),
            ("MUFU.EX2", "MUFU"),
        ),
        *(("LDGSTS.E.128", "LDGSTS"), ("ULDC.64", "ULDC"), ("XYZ", "other"), ("LDS.128", "LDS")),
    ],
)
def test_kinds(opcode, kind):
    assert sass.kind(opcode) == kind
