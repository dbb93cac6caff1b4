"""Parsing of PTX."""

import numpy as np
import pytest

from tests.ptx.emulator.program import decode, stored_parameters
from tests.ptx.emulator.text import (
    Address,
    Immediate,
    Pair,
    PtxError,
    Register,
    Special,
    Symbol,
    Vector,
    instruction,
    operand,
    parse,
    statements,
)
from tests.ptx.emulator.warps import Fault
from tests.ptx.snippets import kernel, run

PTX = """
.version 8.7
.target sm_90a
.address_size 64
// .globl name
.extern .shared .align 16 .b8 global_smem[];
.visible .entry name(
    .param .u64 .ptr .global .align 1 name_param_0,
    .param .u32 name_param_1,
    .param .f32 name_param_2
)
.reqntid 64
.maxnreg 128
{
    .reg .pred %p<3>;
    .reg .b32 %r<5>;
    .reg .b64 %rd<4>;
    .loc 1 2 3 // file.py:2:3
$L__func_begin0:
    /* a
       comment */
    ld.param.b64 %rd1, [name_param_0];
$L__BB0_1: // inner
    mov.u32 %r1, %tid.x;
    @!%p1 bra $L__BB0_1;
    { // a scope
        .reg .b32 %r<3>, tmp;
        mov.b32 %r1, 5;
        mov.b32 tmp, %r1;
    }
    ret;
$L__func_end0:
}
.file 1 "a.py"
.section .debug_abbrev { .b8 1 }
"""


def test_parse():
    found = parse(PTX.replace("<3>, tmp", "1, tmp"))
    assert (found.name, found.threads) == ("name", 64)
    assert [(p.type, p.pointer) for p in found.parameters] == [
        ("u64", True),
        ("u32", False),
        ("f32", False),
    ]
    assert found.shared == {"global_smem": 0}
    assert found.labels == {"$L__func_begin0": 0, "$L__BB0_1": 1, "$L__func_end0": 6}
    opcodes = [one.opcode for one in found.instructions]
    assert opcodes == ["ld.param.b64", "mov.u32", "bra", "mov.b32", "mov.b32", "ret"]
    assert found.instructions[2].guard == Register("%p1", negated=True)
    inner = found.instructions[3].operands[0]
    assert inner != Register("%r1")
    assert found.instructions[4].operands[1] == inner
    assert found.type_of("%r1") == "b32"
    with pytest.raises(PtxError, match="undeclared"):
        found.type_of("%q1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%r1", Register("%r1")),
        ("!%p2", Register("%p2", True)),
        ("%tid.x", Special("%tid.x")),
        ("%laneid", Special("%laneid")),
        ("-12", Immediate(-12)),
        ("0xFFU", Immediate(255)),
        ("0f3F800000", Immediate(0x3F800000, 32)),
        ("0d3FF0000000000000", Immediate(0x3FF0000000000000, 64)),
        ("[ %rd1 + 16 ]", Address(Register("%rd1"), 16)),
        ("[%rd1+-4]", Address(Register("%rd1"), -4)),
        ("[global_smem]", Address(Symbol("global_smem"), 0)),
        ("{ %r1, _ }", Vector((Register("%r1"), Symbol("_")))),
        ("%r1|%p1", Pair(Register("%r1"), Register("%p1"))),
    ],
)
def test_operands(text, expected):
    assert operand(text) == expected


@pytest.mark.parametrize("text", ["1.5", "[%r1 - 4]", "%clock64.x", "a b", "0f3F"])
def test_unknown_operands_raise(text):
    with pytest.raises(PtxError):
        operand(text)


def test_statements():
    assert statements("a b; L: { c {x, y}; } d [e];") == [
        "a b",
        "L:",
        "{",
        "c {x, y}",
        "}",
        "d [e]",
    ]
    with pytest.raises(PtxError, match="semicolon"):
        statements("a b; c")
    with pytest.raises(PtxError, match="instruction"):
        instruction("ADD %r1")


@pytest.mark.parametrize(
    "change",
    [
        (".reqntid 64", ""),
        (".visible .entry", ".visible .func"),
        (".param .u32 name", ".param .align 8 .b8 name[12], .param .u32 name"),
        ("ret;", ".local .align 4 .b8 depot[4]; ret;"),
        ("mov.b32 tmp, %r1;", ".reg %x;"),
        (".b8 global_smem[]", ".b32 global_smem[4]"),
    ],
)
def test_unsupported_text_raises(change):
    with pytest.raises(PtxError):
        parse(PTX.replace(*change))


@pytest.mark.parametrize(
    "text",
    [
        "add.f32.rn %r1, %r2, %r3",  # modifiers in another order
        "add.rn.f32.x %r1, %r2, %r3",
        "add.f32 %r1, %r2",
        "add.f32 %r1, %r2, %d3",
        "add.f32 %r1, %r2, 1",
        "add.s32 %r1, %r2, 0f3F800000",
        "add.s32 %r1, %r2, 0x1FFFFFFFF",
        "add.s64 %r1, %d2, %d3",
        "add.s32 5, %r2, %r3",
        "add.s32 %r1, !%r2, %r3",
        "mov.b32 %r1, nothing",
        "mov.u64 %d1, %tid.x",
        "mov.b64 {%r1, %r2}, {%r3, %r4}",
        "mov.b32 {%r1, %r2}, %r3",
        "cvt.u32.u16 %h1, %h2",
        "cvt.u16.u32 %h1, %h2",
        "cvt.rn.f32.f16 %r1, %h1",
        "cvt.f16.f32 %h1, %r1",
        "cvt.rn.s32.s64 %r1, %d1",
        "cvt.s32.f32 %r1, %r2",
        "cvt.rna.tf32.f32 %r1, %r2",
        "cvt.rm.f16.f32 %h1, %r1",
        "selp.b32 %r1, %r2, %r3, %r4",
        "setp.lo.s32 %p1, %r1, %r2",
        "setp.lt.b32 %p1, %r1, %r2",
        "setp.lt.ftz.f32 %p1, %r1, %r2",
        "setp.lt.f16 %p1|%p2, %h1, %h2",
        "add.f32 %r1|%p1, %r2, %r3",
        "mul.wide.s64 %d1, %d2, %d3",
        "shl.s32 %r1, %r2, %r3",
        "prmt.b32.f4e %r1, %r2, %r3, %r4",
        "atom.global.add.u32 %r1, [%buffer0], 1",
        "st.param.b32 [p0], %r1",
        "ld.param.b32 %r1, [p0]",
        "ld.param.b64 %d1, [p0+4]",
        "ld.global.b32 {%r1, %r2}, [%buffer0]",
        "ld.global.b32 %r1, [%r2]",
        "ld.global.b64 %r1, [%buffer0]",
        "ld.shared.b32 %r1, [%d1]",
        "ld.global.b32 %r1, [%buffer0], %d1",
        "bra.x END; END:",
        "call foo, ()",
        "trap.x",
    ],
)
def test_unsupported_instructions_raise(text):
    with pytest.raises(PtxError):
        decode(parse(kernel(text + ";", 1)))


def test_trap_is_a_fault():
    text = "setp.eq.u32 %p1, %t, 40; @%p1 trap;"
    run(text, np.zeros(1, np.uint32))
    with pytest.raises(Fault, match="trap in program 1"):
        run("mov.u32 %r1, %ctaid.x; setp.eq.u32 %p1, %r1, 1; @%p1 trap;", np.zeros(1), grid=(2,))


def test_inner_registers_hide_outer_ones():
    out = np.zeros(32, np.uint32)
    text = "mov.b32 %r1, 3; { .reg .b32 %r1, tmp; mov.b32 tmp, 4; add.s32 %r1, tmp, 5; }"
    run(f"{text} add.s64 %d1, %buffer0, %row2; st.global.b32 [%d1], %r1;", out)
    assert set(out.tolist()) == {3}


def test_stored_parameters():
    text = """
    add.s64 %d1, %buffer0, %row2;
    selp.b64 %d2, %buffer1, %buffer0, %p1;
    ld.global.b64 %d3, [%buffer2];
    add.s64 %d4, %d2, %d3;
    st.global.b32 [%d4], %r1;
    """
    assert stored_parameters(parse(kernel(text, 3))) == {"p0", "p1"}
