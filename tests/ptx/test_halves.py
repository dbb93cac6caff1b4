"""Known answers of float16, bfloat16 and packed instructions."""

import pytest

from tests.ptx.snippets import (
    B1,
    B2,
    B3,
    INF16,
    INF32,
    INFB,
    NAN16,
    NAN32,
    NANB,
    evaluate,
    f16,
    f32,
    pair16,
)

ONE, TWO, THREE = f32(1.0), f32(2.0), f32(3.0)


def pair32(low: int, high: int) -> int:
    return high << 32 | low


#: Instruction, types of the operands, and rows of operands with the result last.
CASES = [
    # Halves: one rounding, ties to even, overflow, NaN.
    *[
        (f"{op}.f16", "b16 b16 -> b16", rows)
        for ops, rows in {
            ("add", "add.rn"): [
                (f16(1), f16(2), f16(3)),
                (f16(2048), f16(1), f16(2048)),
                (f16(2050), f16(1), f16(2052)),
                (f16(65504), f16(65504), INF16),
                (INF16, 0xFC00, NAN16),
                (1, 1, 2),
            ],
            ("sub", "sub.rn"): [(f16(1), f16(3), f16(-2)), (INF16, INF16, NAN16)],
            ("mul", "mul.rn"): [(f16(3), f16(0.5), f16(1.5)), (0x0400, f16(0.5), 0x0200)],
        }.items()
        for op in ops
    ],
    ("add.sat.f16", "b16 b16 -> b16", [(f16(1), f16(2), f16(1))]),
    ("sub.sat.f16", "b16 b16 -> b16", [(f16(1), f16(2), 0)]),
    ("mul.sat.f16", "b16 b16 -> b16", [(f16(4), f16(2), f16(1))]),
    ("fma.rn.f16", "b16 b16 b16 -> b16", [(0x3C02, 0x3C02, f16(-1), 0x1C01)]),  # 2^-8 + 2^-18
    (
        "fma.rn.relu.f16",
        "b16 b16 b16 -> b16",
        [(f16(-1), f16(1), 0, 0), (f16(1), f16(1), 0, f16(1))],
    ),
    ("fma.rn.sat.f16", "b16 b16 b16 -> b16", [(f16(2), f16(2), 0, f16(1))]),
    *[
        (
            f"{op}.f16x2",
            "b32 b32 -> b32",
            [(pair16(f16(1), f16(5)), pair16(f16(2), f16(7)), result)],
        )
        for op, result in (
            ("add", pair16(f16(3), f16(12))),
            ("sub", pair16(f16(-1), f16(-2))),
            ("mul", pair16(f16(2), f16(35))),
            ("add.sat", pair16(f16(1), f16(1))),
            ("sub.sat", pair16(0, 0)),
            ("mul.sat", pair16(f16(1), f16(1))),
        )
    ],
    (
        "fma.rn.f16x2",
        "b32 b32 b32 -> b32",
        [
            (
                pair16(f16(2), f16(3)),
                pair16(f16(5), f16(7)),
                pair16(f16(1), 0),
                pair16(f16(11), f16(21)),
            )
        ],
    ),
    (
        "fma.rn.relu.f16x2",
        "b32 b32 b32 -> b32",
        [(pair16(f16(-2), f16(3)), 0x3C003C00, 0, f16(3) << 16)],
    ),
    (
        "fma.rn.sat.f16x2",
        "b32 b32 b32 -> b32",
        [(pair16(f16(-2), f16(3)), 0x3C003C00, 0, f16(1) << 16)],
    ),
    ("add.bf16", "b16 b16 -> b16", [(B1, B2, B3), (0x4380, B1, 0x4380), (0x4381, B1, 0x4382)]),
    ("add.rn.bf16", "b16 b16 -> b16", [(INFB, 0xFF80, NANB), (0x7F7F, 0x7F7F, INFB)]),
    ("sub.bf16", "b16 b16 -> b16", [(B1, B3, 0xC000)]),
    ("mul.bf16", "b16 b16 -> b16", [(B2, B3, 0x40C0), (0x3F81, 0x3F81, 0x3F82)]),
    ("fma.rn.bf16", "b16 b16 b16 -> b16", [(0x3F82, 0x3F82, 0xBF80, 0x3D01), (B2, B3, B1, 0x40E0)]),
    ("fma.rn.relu.bf16", "b16 b16 b16 -> b16", [(0xBF80, B1, 0, 0)]),
    ("add.bf16x2", "b32 b32 -> b32", [(pair16(B1, B2), pair16(B2, B1), pair16(B3, B3))]),
    ("sub.bf16x2", "b32 b32 -> b32", [(pair16(B3, B2), pair16(B2, B1), pair16(B1, B1))]),
    ("mul.bf16x2", "b32 b32 -> b32", [(pair16(B3, B2), pair16(B1, B1), pair16(B3, B2))]),
    (
        "fma.rn.bf16x2",
        "b32 b32 b32 -> b32",
        [(pair16(B1, B1), pair16(B1, B2), pair16(B1, B1), pair16(B2, B3))],
    ),
    (
        "fma.rn.relu.bf16x2",
        "b32 b32 b32 -> b32",
        [(pair16(0xBF80, B1), pair16(B1, B2), 0, B2 << 16)],
    ),
    *[
        (
            f"{op}.f32x2",
            "b64 b64 -> b64",
            [(pair32(ONE, INF32), pair32(TWO, INF32), pair32(*result))],
        )
        for op, result in (
            ("add", (THREE, INF32)),
            ("add.rn", (THREE, INF32)),
            ("sub", (f32(-1), NAN32)),
            ("mul", (TWO, INF32)),
        )
    ],
    (
        "fma.rn.f32x2",
        "b64 b64 b64 -> b64",
        [(pair32(ONE, TWO), pair32(TWO, THREE), pair32(ONE, ONE), pair32(THREE, f32(7)))],
    ),
    ("add.f32.f16", "b16 b32 -> b32", [(f16(1.5), ONE, f32(2.5))]),
    ("add.rn.f32.bf16", "b16 b32 -> b32", [(B3, ONE, f32(4))]),
    ("sub.f32.f16", "b16 b32 -> b32", [(f16(1.5), ONE, f32(0.5)), (f16(1), INF32, 0xFF800000)]),
    ("sub.rn.f32.bf16", "b16 b32 -> b32", [(B3, ONE, TWO)]),
    ("add.rz.f32.bf16", "b16 b32 -> b32", [(0xBF80, f32(2.0**-30), f32(-1 + 2.0**-24))]),
]


@pytest.mark.parametrize(("text", "form", "rows"), CASES, ids=[case[0] for case in CASES])
def test_known_answers(text, form, rows):
    found = evaluate(text, form, [row[:-1] for row in rows])
    assert [hex(bits) for bits in found] == [hex(row[-1]) for row in rows]
