"""Known answers of integer instructions, from their definitions in the PTX ISA."""

import pytest

from tests.ptx.snippets import evaluate, f32, f64

MAX32, MIN32 = 0x7FFFFFFF, 0x80000000
MAX64, MIN64 = 0x7FFFFFFFFFFFFFFF, 0x8000000000000000
ONES32, ONES64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF

KINDS = ("b16", "b32", "b64", "s16", "s32", "s64", "u16", "u32", "u64", "f32", "f64")
#: Instruction, types of the operands, and rows of operands with the result last.
CASES = [
    ("add.s32", "b32 b32 -> b32", [(MAX32, 1, MIN32), (5, -7 & ONES32, -2 & ONES32)]),
    ("add.u32", "b32 b32 -> b32", [(ONES32, 2, 1)]),
    ("add.sat.s32", "b32 b32 -> b32", [(MAX32, 1, MAX32), (MIN32, ONES32, MIN32), (3, 4, 7)]),
    ("sub.sat.s32", "b32 b32 -> b32", [(MIN32, 1, MIN32), (MAX32, ONES32, MAX32)]),
    ("add.s16", "b16 b16 -> b16", [(0x7FFF, 1, 0x8000)]),
    ("add.u16", "b16 b16 -> b16", [(0xFFFF, 1, 0)]),
    ("add.s64", "b64 b64 -> b64", [(ONES64, 1, 0), (0xFFFFFFFF, 1, 0x100000000)]),
    ("add.u64", "b64 b64 -> b64", [(MAX64, 1, MIN64)]),
    ("sub.s32", "b32 b32 -> b32", [(3, 5, 0xFFFFFFFE)]),
    ("sub.u32", "b32 b32 -> b32", [(0, 1, ONES32)]),
    ("sub.s16", "b16 b16 -> b16", [(0, 1, 0xFFFF)]),
    ("sub.u16", "b16 b16 -> b16", [(2, 1, 1)]),
    ("sub.s64", "b64 b64 -> b64", [(0, 1, ONES64)]),
    ("sub.u64", "b64 b64 -> b64", [(MIN64, 1, MAX64)]),
    ("mul.lo.s32", "b32 b32 -> b32", [(0x10000, 0x10001, 0x10000), (ONES32, 3, 0xFFFFFFFD)]),
    ("mul.lo.u32", "b32 b32 -> b32", [(ONES32, ONES32, 1)]),
    ("mul.lo.s16", "b16 b16 -> b16", [(0x100, 0x101, 0x100)]),
    ("mul.lo.u16", "b16 b16 -> b16", [(0xFFFF, 2, 0xFFFE)]),
    ("mul.lo.s64", "b64 b64 -> b64", [(0x100000001, 0x100000001, 0x200000001)]),
    ("mul.lo.u64", "b64 b64 -> b64", [(ONES64, 2, 0xFFFFFFFFFFFFFFFE)]),
    ("mul.hi.s32", "b32 b32 -> b32", [(ONES32, ONES32, 0), (MIN32, 2, ONES32)]),
    ("mul.hi.u32", "b32 b32 -> b32", [(ONES32, ONES32, 0xFFFFFFFE), (0xD2511F53, 2, 1)]),
    ("mul.hi.s16", "b16 b16 -> b16", [(0x8000, 2, 0xFFFF)]),
    ("mul.hi.u16", "b16 b16 -> b16", [(0xFFFF, 0xFFFF, 0xFFFE)]),
    (
        "mul.hi.u64",
        "b64 b64 -> b64",
        [(ONES64, ONES64, 0xFFFFFFFFFFFFFFFE), (1 << 63, 6, 3), (0xFFFFFFFF, 0xFFFFFFFF, 0)],
    ),
    (
        "mul.hi.s64",
        "b64 b64 -> b64",
        [(ONES64, ONES64, 0), (MIN64, MIN64, 1 << 62), (MIN64, 1, ONES64), (5, ONES64, ONES64)],
    ),
    ("mul.wide.s32", "b32 b32 -> b64", [(ONES32, 7, -7 & ONES64), (MIN32, MIN32, 1 << 62)]),
    ("mul.wide.u32", "b32 b32 -> b64", [(ONES32, ONES32, 0xFFFFFFFE00000001)]),
    ("mul.wide.s16", "b16 b16 -> b32", [(0xFFFF, 2, 0xFFFFFFFE)]),
    ("mul.wide.u16", "b16 b16 -> b32", [(0xFFFF, 0xFFFF, 0xFFFE0001)]),
    ("mad.lo.s32", "b32 b32 b32 -> b32", [(3, ONES32, 10, 7)]),
    ("mad.lo.u32", "b32 b32 b32 -> b32", [(0x10000, 0x10000, 5, 5)]),
    ("mad.lo.s16", "b16 b16 b16 -> b16", [(3, 4, 0xFFFF, 11)]),
    ("mad.lo.u16", "b16 b16 b16 -> b16", [(0x100, 0x100, 9, 9)]),
    ("mad.lo.s64", "b64 b64 b64 -> b64", [(1 << 32, 1 << 32, 3, 3)]),
    ("mad.lo.u64", "b64 b64 b64 -> b64", [(ONES64, ONES64, 3, 4)]),
    ("mad.hi.s32", "b32 b32 b32 -> b32", [(MIN32, 2, 5, 4)]),
    ("mad.hi.u32", "b32 b32 b32 -> b32", [(ONES32, ONES32, 3, 1)]),
    ("mad.hi.s16", "b16 b16 b16 -> b16", [(0x8000, 2, 1, 0)]),
    ("mad.hi.u16", "b16 b16 b16 -> b16", [(0x8000, 2, 1, 2)]),
    ("mad.hi.s64", "b64 b64 b64 -> b64", [(MIN64, 2, 1, 0)]),
    ("mad.hi.u64", "b64 b64 b64 -> b64", [(MIN64, 2, 1, 2)]),
    ("mad.wide.s32", "b32 b32 b64 -> b64", [(ONES32, 4, 1 << 40, (1 << 40) - 4)]),
    ("mad.wide.u32", "b32 b32 b64 -> b64", [(ONES32, 4, 4, 1 << 34)]),
    ("mad.wide.s16", "b16 b16 b32 -> b32", [(0xFFFF, 4, 4, 0)]),
    ("mad.wide.u16", "b16 b16 b32 -> b32", [(0xFFFF, 4, 4, 0x40000)]),
    ("div.s32", "b32 b32 -> b32", [(-7 & ONES32, 2, -3 & ONES32), (7, -2 & ONES32, -3 & ONES32)]),
    ("div.u32", "b32 b32 -> b32", [(ONES32, 2, MAX32), (6, 7, 0)]),
    ("div.s16", "b16 b16 -> b16", [(0xFFF9, 2, 0xFFFD)]),
    ("div.u16", "b16 b16 -> b16", [(0xFFF9, 2, 0x7FFC)]),
    ("div.s64", "b64 b64 -> b64", [(-7 & ONES64, 2, -3 & ONES64), (-8 & ONES64, -2 & ONES64, 4)]),
    ("div.u64", "b64 b64 -> b64", [(ONES64, 2, MAX64)]),
    ("rem.s32", "b32 b32 -> b32", [(-7 & ONES32, 2, ONES32), (7, -2 & ONES32, 1)]),
    ("rem.u32", "b32 b32 -> b32", [(ONES32, 10, 5)]),
    ("rem.s16", "b16 b16 -> b16", [(0xFFF9, 2, 0xFFFF)]),
    ("rem.u16", "b16 b16 -> b16", [(0xFFF9, 2, 1)]),
    ("rem.s64", "b64 b64 -> b64", [(-7 & ONES64, 4, -3 & ONES64)]),
    ("rem.u64", "b64 b64 -> b64", [(ONES64, 10, 5)]),
    ("min.s32", "b32 b32 -> b32", [(ONES32, 1, ONES32)]),
    ("min.u32", "b32 b32 -> b32", [(ONES32, 1, 1)]),
    ("min.s16", "b16 b16 -> b16", [(0xFFFF, 1, 0xFFFF)]),
    ("min.u16", "b16 b16 -> b16", [(0xFFFF, 1, 1)]),
    ("min.s64", "b64 b64 -> b64", [(ONES64, 1, ONES64)]),
    ("min.u64", "b64 b64 -> b64", [(ONES64, 1, 1)]),
    ("max.s32", "b32 b32 -> b32", [(ONES32, 1, 1)]),
    ("max.u32", "b32 b32 -> b32", [(ONES32, 1, ONES32)]),
    ("max.s16", "b16 b16 -> b16", [(0xFFFF, 1, 1)]),
    ("max.u16", "b16 b16 -> b16", [(0xFFFF, 1, 0xFFFF)]),
    ("max.s64", "b64 b64 -> b64", [(ONES64, 1, 1)]),
    ("max.u64", "b64 b64 -> b64", [(ONES64, 1, ONES64)]),
    ("min.relu.s32", "b32 b32 -> b32", [(ONES32, 1, 0), (3, 2, 2)]),
    ("max.relu.s32", "b32 b32 -> b32", [(ONES32, MIN32, 0), (3, 2, 3)]),
    ("abs.s32", "b32 -> b32", [(ONES32, 1), (MIN32, MIN32), (4, 4)]),
    ("abs.s16", "b16 -> b16", [(0xFFFF, 1)]),
    ("abs.s64", "b64 -> b64", [(ONES64, 1)]),
    ("neg.s32", "b32 -> b32", [(1, ONES32), (MIN32, MIN32)]),
    ("neg.s16", "b16 -> b16", [(1, 0xFFFF)]),
    ("neg.s64", "b64 -> b64", [(1, ONES64)]),
    ("and.b16", "b16 b16 -> b16", [(0xF0F0, 0xFF00, 0xF000)]),
    ("and.b32", "b32 b32 -> b32", [(0xF0F0F0F0, 0xFF00FF00, 0xF000F000)]),
    ("and.b64", "b64 b64 -> b64", [(ONES64, 5, 5)]),
    ("and.pred", "pred pred -> pred", [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 1)]),
    ("and.pred {0}, {1}, !{2}", "pred pred -> pred", [(1, 0, 1), (1, 1, 0)]),
    ("or.b16", "b16 b16 -> b16", [(0xF0F0, 0xFF00, 0xFFF0)]),
    ("or.b32", "b32 b32 -> b32", [(0xF0F0F0F0, 0x0F, 0xF0F0F0FF)]),
    ("or.b64", "b64 b64 -> b64", [(MIN64, 5, MIN64 + 5)]),
    ("or.pred", "pred pred -> pred", [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 1)]),
    ("xor.b16", "b16 b16 -> b16", [(0xF0F0, 0xFFFF, 0x0F0F)]),
    ("xor.b32", "b32 b32 -> b32", [(0xF0F0F0F0, 0xFF, 0xF0F0F00F)]),
    ("xor.b64", "b64 b64 -> b64", [(ONES64, 1, 0xFFFFFFFFFFFFFFFE)]),
    ("xor.pred", "pred pred -> pred", [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]),
    ("not.b16", "b16 -> b16", [(0xF0F0, 0x0F0F)]),
    ("not.b32", "b32 -> b32", [(0, ONES32)]),
    ("not.b64", "b64 -> b64", [(1, 0xFFFFFFFFFFFFFFFE)]),
    ("not.pred", "pred -> pred", [(0, 1), (1, 0)]),
    ("cnot.b16", "b16 -> b16", [(0, 1), (7, 0)]),
    ("cnot.b32", "b32 -> b32", [(0, 1), (7, 0)]),
    ("cnot.b64", "b64 -> b64", [(0, 1), (7, 0)]),
    # Shifts by the width or more.
    ("shl.b16", "b16 b32 -> b16", [(3, 15, 0x8000), (3, 16, 0), (3, 0, 3)]),
    ("shl.b32", "b32 b32 -> b32", [(3, 31, MIN32), (3, 32, 0), (3, ONES32, 0)]),
    ("shl.b64", "b64 b32 -> b64", [(3, 63, MIN64), (3, 64, 0), (3, 33, 3 << 33)]),
    ("shr.b16", "b16 b32 -> b16", [(0x8000, 15, 1), (0x8000, 16, 0)]),
    ("shr.b32", "b32 b32 -> b32", [(MIN32, 31, 1), (MIN32, 32, 0)]),
    ("shr.b64", "b64 b32 -> b64", [(MIN64, 63, 1), (MIN64, 64, 0)]),
    ("shr.u16", "b16 b32 -> b16", [(0x8000, 15, 1), (0x8000, 99, 0)]),
    ("shr.u32", "b32 b32 -> b32", [(MIN32, 31, 1), (MIN32, 32, 0), (MIN32, 1 << 20, 0)]),
    ("shr.u64", "b64 b32 -> b64", [(MIN64, 32, 1 << 31), (MIN64, 64, 0)]),
    ("shr.s16", "b16 b32 -> b16", [(0x8000, 3, 0xF000), (0x8000, 16, 0xFFFF)]),
    ("shr.s32", "b32 b32 -> b32", [(MIN32, 31, ONES32), (MIN32, 32, ONES32), (MAX32, 40, 0)]),
    ("shr.s64", "b64 b32 -> b64", [(MIN64, 63, ONES64), (MIN64, 64, ONES64), (MAX64, 70, 0)]),
    ("shf.l.wrap.b32", "b32 b32 b32 -> b32", [(MIN32, 1, 1, 3), (MIN32, 1, 33, 3)]),
    ("shf.l.clamp.b32", "b32 b32 b32 -> b32", [(MIN32, 1, 1, 3), (0x1234, 1, 40, 0x1234)]),
    ("shf.r.wrap.b32", "b32 b32 b32 -> b32", [(2, 1, 1, MIN32 + 1), (2, 1, 33, MIN32 + 1)]),
    ("shf.r.clamp.b32", "b32 b32 b32 -> b32", [(2, 1, 1, MIN32 + 1), (2, 0x1234, 40, 0x1234)]),
    # Bit fields.
    (
        "bfe.u32",
        "b32 b32 b32 -> b32",
        [(0x12345678, 8, 8, 0x56), (ONES32, 28, 8, 15), (ONES32, 4, 0, 0), (ONES32, 40, 4, 0)],
    ),
    (
        "bfe.s32",
        "b32 b32 b32 -> b32",
        [
            *((0x80, 4, 4, 0xFFFFFFF8), (0x70, 4, 4, 7), (MIN32, 28, 8, 0xFFFFFFF8)),
            *((ONES32, 4, 0, 0), (MIN32, 40, 4, ONES32), (MAX32, 40, 4, 0)),
        ],
    ),
    ("bfe.u64", "b64 b32 b32 -> b64", [(0xAB << 40, 40, 8, 0xAB), (ONES64, 60, 64, 15)]),
    ("bfe.s64", "b64 b32 b32 -> b64", [(0xAB << 40, 40, 8, 0xAB - 0x100 & ONES64)]),
    (
        "bfi.b32",
        "b32 b32 b32 b32 -> b32",
        [
            *((0xAB, ONES32, 8, 8, 0xFFFFABFF), (0xAB, 0, 28, 8, 0xB0000000)),
            *((0xAB, 7, 4, 0, 7), (0xAB, 7, 32, 8, 7), (0xAB, 7, 0, 32, 0xAB)),
        ],
    ),
    ("bfi.b64", "b64 b64 b32 b32 -> b64", [(0xAB, ONES64, 32, 8, 0xFFFFFFABFFFFFFFF)]),
    ("bmsk.clamp.b32", "b32 b32 -> b32", [(4, 8, 0xFF0), (28, 8, 0xF0000000), (0, 32, ONES32)]),
    ("szext.clamp.u32", "b32 b32 -> b32", [(0xFFFF, 8, 0xFF), (0xFFFF, 40, 0xFFFF)]),
    ("szext.clamp.s32", "b32 b32 -> b32", [(0x80, 8, 0xFFFFFF80), (0x7F, 8, 0x7F), (9, 0, 0)]),
    ("szext.wrap.u32", "b32 b32 -> b32", [(0xFFFF, 40, 0xFF)]),
    ("szext.wrap.s32", "b32 b32 -> b32", [(0x80, 40, 0xFFFFFF80)]),
    (
        "prmt.b32",
        "b32 b32 b32 -> b32",
        [
            *(
                (0x33221100, 0x77665544, s, r)
                for s, r in ((0x7654, 0x77665544), (0x5410, 0x55441100))
            ),
            *((0x80, 0x7F, 0x4C80, 0x7F00FF80), (0x33221100, 0, 0x0123, 0x00112233)),
        ],
    ),
    ("lop3.b32 {0}, {1}, {2}, {3}, 0x96", "b32 b32 b32 -> b32", [(0xF0, 0xCC, 0xAA, 0x96)]),
    ("lop3.b32 {0}, {1}, {2}, {3}, 0xE8", "b32 b32 b32 -> b32", [(0xF0, 0xCC, 0xAA, 0xE8)]),
    ("lop3.b32 {0}, {1}, {2}, {3}, 1", "b32 b32 b32 -> b32", [(0xF0, 0xCC, 0xAA, 0xFFFFFF01)]),
    ("popc.b32", "b32 -> b32", [(0, 0), (ONES32, 32), (0xF1, 5)]),
    ("popc.b64", "b64 -> b32", [(ONES64, 64), (1 << 63, 1)]),
    ("clz.b32", "b32 -> b32", [(0, 32), (1, 31), (MIN32, 0)]),
    ("clz.b64", "b64 -> b32", [(0, 64), (1 << 40, 23)]),
    ("bfind.u32", "b32 -> b32", [(0, ONES32), (1, 0), (MIN32, 31)]),
    ("bfind.s32", "b32 -> b32", [(0, ONES32), (ONES32, ONES32), (0xFFFFFFFE, 0), (5, 2)]),
    ("bfind.u64", "b64 -> b32", [(0, ONES32), (1 << 40, 40)]),
    ("bfind.s64", "b64 -> b32", [(ONES64, ONES32), (1 << 40, 40)]),
    ("bfind.shiftamt.u32", "b32 -> b32", [(0, ONES32), (1, 31)]),
    ("bfind.shiftamt.s32", "b32 -> b32", [(5, 29)]),
    ("bfind.shiftamt.u64", "b64 -> b32", [(1, 63)]),
    ("bfind.shiftamt.s64", "b64 -> b32", [(1, 63)]),
    ("brev.b32", "b32 -> b32", [(1, MIN32), (0xC0000001, 0x80000003)]),
    ("brev.b64", "b64 -> b64", [(1, MIN64), (3 << 60, 12)]),
    *[
        (
            f"selp.{kind}",
            f"b{kind[1:]} b{kind[1:]} pred -> b{kind[1:]}",
            [(5, 9, 1, 5), (5, 9, 0, 9)],
        )
        for kind in KINDS
    ],
    *[(f"mov.{kind}", f"b{kind[1:]} -> b{kind[1:]}", [(0x8001, 0x8001)]) for kind in KINDS],
    ("mov.pred", "pred -> pred", [(0, 0), (1, 1)]),
    ("mov.b32 {0}, 0f3F800000", "b32 -> b32", [(0, f32(1.0))]),
    ("mov.b64 {0}, 0d3FF0000000000000", "b64 -> b64", [(0, f64(1.0))]),
    ("mov.b16 {0}, -128", "b16 -> b16", [(0, 0xFF80)]),
    ("cvta.to.global.u64", "b64 -> b64", [(MIN64 + 7, MIN64 + 7)]),
    ("cvta.global.u64", "b64 -> b64", [(MIN64 + 7, MIN64 + 7)]),
    *[
        (f"createpolicy.fractional.L2::{name}.b64 {{0}}, 0f3F800000", "b64 -> b64", [(1, 0)])
        for name in ("evict_first", "evict_last", "evict_normal", "evict_unchanged")
    ],
    # Comparisons: of signed, unsigned, and bits.
    *[
        (f"setp.{name}.s{bits}", f"b{bits} b{bits} -> pred", rows)
        for bits in (16, 32, 64)
        for minus in [(1 << bits) - 1]
        for name, rows in {
            "eq": [(minus, minus, 1), (minus, 1, 0)],
            "ne": [(minus, minus, 0), (minus, 1, 1)],
            "lt": [(minus, 1, 1), (1, minus, 0), (1, 1, 0)],
            "le": [(minus, 1, 1), (1, minus, 0), (1, 1, 1)],
            "gt": [(minus, 1, 0), (1, minus, 1), (1, 1, 0)],
            "ge": [(minus, 1, 0), (1, minus, 1), (1, 1, 1)],
        }.items()
    ],
    *[
        (f"setp.{name}.u{bits}", f"b{bits} b{bits} -> pred", rows)
        for bits in (16, 32, 64)
        for most in [(1 << bits) - 1]
        for names, rows in {
            ("eq",): [(most, most, 1), (most, 1, 0)],
            ("ne",): [(most, most, 0), (most, 1, 1)],
            ("lt", "lo"): [(most, 1, 0), (1, most, 1), (1, 1, 0)],
            ("le", "ls"): [(most, 1, 0), (1, most, 1), (1, 1, 1)],
            ("gt", "hi"): [(most, 1, 1), (1, most, 0), (1, 1, 0)],
            ("ge", "hs"): [(most, 1, 1), (1, most, 0), (1, 1, 1)],
        }.items()
        for name in names
    ],
    *[
        (
            f"setp.{name}.b{bits}",
            f"b{bits} b{bits} -> pred",
            [(9, 9, name == "eq"), (9, 8, name == "ne")],
        )
        for bits in (16, 32, 64)
        for name in ("eq", "ne")
    ],
    ("setp.lt.and.s32", "b32 b32 pred -> pred", [(1, 2, 1, 1), (1, 2, 0, 0), (2, 1, 1, 0)]),
    ("setp.lt.or.s32", "b32 b32 pred -> pred", [(1, 2, 0, 1), (2, 1, 0, 0), (2, 1, 1, 1)]),
    ("setp.lt.xor.s32", "b32 b32 pred -> pred", [(1, 2, 1, 0), (1, 2, 0, 1), (2, 1, 1, 1)]),
    ("setp.lt.and.s32 {0}, {1}, {2}, !{3}", "b32 b32 pred -> pred", [(1, 2, 1, 0), (1, 2, 0, 1)]),
    ("setp.lt.s32 %p9|{0}, {1}, {2}", "b32 b32 -> pred", [(1, 2, 0), (2, 1, 1)]),
    (
        "setp.lt.and.s32 %p9|{0}, {1}, {2}, {3}",
        "b32 b32 pred -> pred",
        [(2, 1, 1, 1), (2, 1, 0, 0)],
    ),
]


@pytest.mark.parametrize(("text", "form", "rows"), CASES, ids=[case[0] for case in CASES])
def test_known_answers(text, form, rows):
    found = evaluate(text, form, [row[:-1] for row in rows])
    assert found == [int(row[-1]) for row in rows]
