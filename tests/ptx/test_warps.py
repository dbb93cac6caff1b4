"""Known answers of operations between the threads of a warp, and their faults."""

import math

import numpy as np
import pytest

from tests.ptx.emulator.text import PtxError
from tests.ptx.emulator.warps import Fault
from tests.ptx.snippets import f32, run

LANE = list(range(32))
STORE = "add.s64 %d1, %buffer0, %row2; st.global.b32 [%d1], %r1;"
#: Opcode with its operands, values of %r2 in the 32 threads, and the results in %r1.
CASES = [
    ("shfl.sync.bfly.b32 %r1, %r2, 5, 31, -1", LANE, [lane ^ 5 for lane in LANE]),
    ("shfl.sync.bfly.b32 %r1, %r2, 16, 0x1F, 0xFFFFFFFF", LANE, [lane ^ 16 for lane in LANE]),
    ("shfl.sync.idx.b32 %r1, %r2, 7, 31, -1", LANE, [7] * 32),
    ("shfl.sync.idx.b32 %r1, %r2, 35, 31, -1", LANE, [3] * 32),
    # Segments of 8 threads: bits 8 to 12 of the third operand are ones above the segment.
    ("shfl.sync.idx.b32 %r1, %r2, 2, 0x181F, -1", LANE, [lane // 8 * 8 + 2 for lane in LANE]),
    (
        "shfl.sync.up.b32 %r1, %r2, 3, 0, -1",
        LANE,
        [lane - 3 if lane > 2 else lane for lane in LANE],
    ),
    ("shfl.sync.up.b32 %r1, %r2, 1, 0x1800, -1", LANE, [lane - (lane % 8 > 0) for lane in LANE]),
    (
        "shfl.sync.down.b32 %r1, %r2, 2, 31, -1",
        LANE,
        [lane + 2 if lane < 30 else lane for lane in LANE],
    ),
    ("shfl.sync.down.b32 %r1, %r2, 1, 0x181F, -1", LANE, [lane + (lane % 8 < 7) for lane in LANE]),
    (
        "shfl.sync.down.b32 %r9|%p1, %r2, 2, 31, -1; selp.b32 %r1, 1, 0, %p1",
        LANE,
        [int(k < 30) for k in LANE],
    ),
    ("redux.sync.add.s32 %r1, %r2, -1", LANE, [496] * 32),
    ("redux.sync.add.u32 %r1, %r2, -1", [1 << 31] * 2 + [1] * 30, [30] * 32),
    ("redux.sync.min.s32 %r1, %r2, -1", [0xFFFFFFFF, *LANE[1:]], [0xFFFFFFFF] * 32),
    ("redux.sync.min.u32 %r1, %r2, -1", [0xFFFFFFFF, *LANE[1:]], [1] * 32),
    ("redux.sync.max.s32 %r1, %r2, -1", [0xFFFFFFFF, *LANE[1:]], [31] * 32),
    ("redux.sync.max.u32 %r1, %r2, -1", [0xFFFFFFFF, *LANE[1:]], [0xFFFFFFFF] * 32),
    ("redux.sync.and.b32 %r1, %r2, -1", [0xFF, *[0x3F] * 31], [0x3F] * 32),
    ("redux.sync.or.b32 %r1, %r2, -1", [1 << k for k in LANE], [0xFFFFFFFF] * 32),
    ("redux.sync.xor.b32 %r1, %r2, -1", [7, *[1] * 31], [6] * 32),
    *[
        (f"redux.sync.{op}.f32 %r1, %r2, -1", [f32(v) for v in values], [result] * 32)
        for op, values, result in (
            ("max", [math.nan, -3.0, *[-5.0] * 30], f32(-3.0)),
            ("min", [math.nan, -3.0, *[-5.0] * 30], f32(-5.0)),
            ("max", [math.nan] * 32, 0x7FFFFFFF),
            ("max", [-0.0] * 31 + [0.0], 0),
            ("min", [-0.0] * 31 + [0.0], 1 << 31),
            ("max.NaN", [math.nan, *[1.0] * 31], 0x7FFFFFFF),
            ("min.NaN", [2.0, *[1.0] * 31], f32(1.0)),
            ("max.abs", [-7.0, *[5.0] * 31], f32(7.0)),
            ("min.abs", [-7.0, *[-5.0] * 31], f32(5.0)),
            ("max.abs.NaN", [math.nan, *[1.0] * 31], 0x7FFFFFFF),
            ("min.abs.NaN", [-7.0, *[-5.0] * 31], f32(5.0)),
        )
    ],
    *[
        (
            f"setp.ne.b32 %p1, %r2, 0; vote.sync.{op}.pred %p2, %p1, -1; selp.b32 %r1, 1, 0, %p2",
            values,
            [result] * 32,
        )
        for op, values, result in (
            ("all", [1] * 32, 1),
            ("all", [0, *[1] * 31], 0),
            ("any", [0] * 32, 0),
            ("any", [1, *[0] * 31], 1),
            ("uni", [0] * 32, 1),
            ("uni", [1] * 32, 1),
            ("uni", [1, *[0] * 31], 0),
        )
    ],
    ("setp.ne.b32 %p1, %r2, 0; vote.sync.ballot.b32 %r1, %p1, -1", [1, 0, 1, *[0] * 29], [5] * 32),
    ("match.any.sync.b32 %r1, %r2, -1", [k % 2 for k in LANE], [0x55555555, 0xAAAAAAAA] * 16),
    ("match.all.sync.b32 %r1|%p1, %r2, -1", [4] * 32, [0xFFFFFFFF] * 32),
    ("match.all.sync.b32 %r1|%p1, %r2, -1", [5, *[4] * 31], [0] * 32),
    (
        "cvt.u64.u32 %d2, %r2; match.any.sync.b64 %r1, %d2, -1",
        [k // 16 for k in LANE],
        [0xFFFF] * 16 + [0xFFFF0000] * 16,
    ),
    (
        "cvt.u64.u32 %d2, %r2; match.all.sync.b64 %r1|%p1, %d2, -1; selp.b32 %r1, 1, 0, %p1",
        [4] * 32,
        [1] * 32,
    ),
    ("activemask.b32 %r1", LANE, [0xFFFFFFFF] * 32),
    ("elect.sync %r1|%p1, -1", LANE, [0] * 32),
    ("elect.sync _|%p1, -1; selp.b32 %r1, 1, 0, %p1", LANE, [1, *[0] * 31]),
    ("bar.warp.sync -1; mov.b32 %r1, %r2", LANE, LANE),
    *[
        (f"mov.u32 %r1, %{name}", LANE, result)
        for name, result in {
            "tid.x": LANE,
            "ntid.x": [32] * 32,
            "ctaid.x": [0] * 32,
            "ctaid.y": [0] * 32,
            "nctaid.x": [1] * 32,
            "laneid": LANE,
            "warpid": [0] * 32,
            "lanemask_eq": [1 << k for k in LANE],
            "lanemask_lt": [(1 << k) - 1 for k in LANE],
            "lanemask_le": [(2 << k) - 1 for k in LANE],
            "lanemask_gt": [0xFFFFFFFF & ~((2 << k) - 1) for k in LANE],
            "lanemask_ge": [0xFFFFFFFF & ~((1 << k) - 1) for k in LANE],
        }.items()
    ],
]


def results(text: str, values: list[int]) -> list[int]:
    data = np.array(values, np.uint32)
    run(f"add.s64 %d1, %buffer0, %row2; ld.global.b32 %r2, [%d1];\n{text};\n{STORE}", data)
    return data.tolist()


@pytest.mark.parametrize(("text", "values", "expected"), CASES, ids=[case[0] for case in CASES])
def test_known_answers(text, values, expected):
    assert results(text, values) == expected


def half(text: str) -> str:
    """A text that only the lower 16 threads run."""
    return f"setp.ge.u32 %p8, %t, 16; @%p8 bra SKIP; {text}; SKIP: mov.b32 %r1, %r1"


def test_part_of_a_warp():
    text = half("shfl.sync.bfly.b32 %r1, %r2, 1, 31, 0xFFFF")
    found = results(f"mov.b32 %r1, %r2; {text}", LANE)
    assert found == [lane ^ 1 if lane < 16 else lane for lane in LANE]
    found = results(f"mov.b32 %r1, %r2; {half('redux.sync.min.s32 %r1, %r2, 0xFFFF')}", LANE[::-1])
    assert found == [16] * 16 + LANE[15::-1]
    found = results(f"mov.b32 %r1, 0; {half('activemask.b32 %r1')}", LANE)
    assert found == [0xFFFF] * 16 + [0] * 16


@pytest.mark.parametrize(
    "text",
    [
        "shfl.sync.bfly.b32 %r1, %r2, 1, 31, -1",
        "redux.sync.add.s32 %r1, %r2, -1",
        "bar.warp.sync -1",
        "match.any.sync.b32 %r1, %r2, -1",
    ],
)
def test_absent_threads_are_a_fault(text):
    with pytest.raises(Fault, match="not those of its mask"):
        results(half(text), LANE)


def test_shuffle_from_an_absent_thread_is_a_fault():
    with pytest.raises(Fault, match="does not take part"):
        results(half("shfl.sync.bfly.b32 %r1, %r2, 16, 31, 0xFFFF"), LANE)


def matrix_rows(text: str, shared: int = 512) -> np.ndarray:
    """Shared memory of 8 x 8 matrices of 16-bit numbers 0, 1, 2, ... that a body reads."""
    out = np.zeros((32, 4), np.uint32)
    fill = "".join(
        f"mad.lo.u32 %r20, %t, 8, {k}; cvt.u16.u32 %h1, %r20; shl.b32 %r21, %r20, 1;"
        f"mov.b32 %r22, memory; add.s32 %r22, %r22, %r21; st.shared.b16 [%r22], %h1;"
        for k in range(8)
    )
    store = "shl.b64 %d2, %row3, 1; add.s64 %d2, %buffer0, %d2;"
    store += "st.global.v4.b32 [%d2], {%r1, %r2, %r3, %r4};"
    zero = "".join(f"mov.b32 %r{k}, 0;" for k in range(1, 5))
    address = "mov.b32 %r22, memory; shl.b32 %r23, %t, 4; add.s32 %r24, %r22, %r23;"
    run(f"{fill} bar.sync 0; {zero} {address} {text}; {store}", out, shared=shared)
    return out.view(np.uint16).reshape(32, 4, 2)


def test_ldmatrix():
    out = matrix_rows("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2, %r3, %r4}, [%r24]")
    for matrix in range(4):
        whole = np.arange(64).reshape(8, 8) + 64 * matrix
        for lane in range(32):
            pair = whole[lane // 4, lane % 4 * 2 : lane % 4 * 2 + 2]
            assert out[lane, matrix].tolist() == pair.tolist()
    out = matrix_rows("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r1, %r2}, [%r24]")
    whole = np.arange(64, 128).reshape(8, 8)
    for lane in range(32):
        pair = whole[lane % 4 * 2 : lane % 4 * 2 + 2, lane // 4]
        assert out[lane, 1].tolist() == pair.tolist()
    assert not out[:, 2:].any()


def test_stmatrix():
    text = "mov.b32 %r5, %t; stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r24], {%r5};"
    text += "bar.warp.sync -1; ld.shared.v4.b32 {%r1, %r2, %r3, %r4}, [%r24]"
    out = matrix_rows(text).reshape(32, 8)
    whole = np.arange(512).reshape(64, 8)[:32]
    whole[:8] = np.stack([np.arange(32), np.zeros(32)], 1).reshape(8, 8)  # pairs (lane, 0)
    assert out.tolist() == whole.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "shfl.sync.bfly.b64 %d1, %d2, 1, 31, -1",
        "shfl.bfly.b32 %r1, %r2, 1, 31",
        "redux.sync.and.s32 %r1, %r2, -1",
        "redux.sync.add.abs.s32 %r1, %r2, -1",
        "redux.sync.add.f32 %r1, %r2, -1",
        "vote.sync.all.b32 %r1, %p1, -1",
        "match.some.sync.b32 %r1, %r2, -1",
        "redux.sync.add.s32 %r1|%p1, %r2, -1",
        "shfl.sync.bfly.b32 %r1, %r2, 1, -1",
        "ldmatrix.sync.aligned.m8n8.x3.shared.b16 {%r1, %r2, %r3}, [%r24]",
        "ldmatrix.sync.aligned.m8n16.x1.shared.b16 {%r1}, [%r24]",
    ],
)
def test_unsupported_forms_raise(text):
    with pytest.raises(PtxError):
        results(text, LANE)
