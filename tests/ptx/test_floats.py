"""Known answers of float32 and float64 instructions."""

import math

import pytest

from tests.ptx.snippets import (
    B1,
    B2,
    B3,
    INF16,
    INF32,
    INF64,
    INFB,
    MINUS0_32,
    MINUS0_64,
    NAN16,
    NAN32,
    NAN64,
    NANB,
    QUIET32,
    evaluate,
    f16,
    f32,
    f64,
    pair16,
)

TINY32 = 1  # the smallest subnormal
MAX32 = 0x7F7FFFFF
ONE, TWO, THREE = f32(1.0), f32(2.0), f32(3.0)

ADD32 = [
    (ONE, TWO, THREE),
    (INF32, INF32 | 1 << 31, NAN32),
    (QUIET32, ONE, NAN32),
    (MINUS0_32, MINUS0_32, MINUS0_32),
    (MINUS0_32, 0, 0),
    (MAX32, MAX32, INF32),
    (TINY32, TINY32, 2),
    (f32(1.0), f32(2.0**-24), f32(1.0)),  # a tie to even
    (f32(1.0 + 2.0**-23), f32(2.0**-24), f32(1.0 + 2.0**-22)),  # a tie to even, up
]
#: Instruction, types of the operands, and rows of operands with the result last.
CASES = [
    ("add.f32", "b32 b32 -> b32", ADD32),
    ("add.rn.f32", "b32 b32 -> b32", ADD32),
    ("add.rz.f32", "b32 b32 -> b32", [(f32(1 + 2.0**-23), f32(2.0**-24), f32(1 + 2.0**-23))]),
    (
        "add.rz.f32",
        "b32 b32 -> b32",
        [(f32(-1.0), f32(2.0**-30), f32(-1 + 2.0**-24)), (MAX32, MAX32, MAX32)],
    ),
    ("add.ftz.f32", "b32 b32 -> b32", [(TINY32, TINY32, 0), (0x80000001, MINUS0_32, MINUS0_32)]),
    ("add.rn.ftz.f32", "b32 b32 -> b32", [(0x00C00000, 0x80800000, 0)]),  # a subnormal result
    ("add.sat.f32", "b32 b32 -> b32", [(ONE, ONE, ONE), (f32(-5), ONE, 0), (QUIET32, ONE, 0)]),
    ("add.f64", "b64 b64 -> b64", [(f64(1.0), f64(2.0**-53), f64(1.0)), (NAN64, 0, NAN64)]),
    ("add.rn.f64", "b64 b64 -> b64", [(f64(0.1), f64(0.2), 0x3FD3333333333334)]),
    ("sub.f32", "b32 b32 -> b32", [(ONE, THREE, f32(-2.0)), (INF32, INF32, NAN32), (0, 0, 0)]),
    ("sub.rn.f32", "b32 b32 -> b32", [(MINUS0_32, 0, MINUS0_32)]),
    ("sub.rz.f32", "b32 b32 -> b32", [(f32(1.0), f32(2.0**-30), f32(1 - 2.0**-24))]),
    ("sub.ftz.f32", "b32 b32 -> b32", [(TINY32, ONE, f32(-1.0))]),
    ("sub.sat.f32", "b32 b32 -> b32", [(ONE, THREE, 0)]),
    ("sub.f64", "b64 b64 -> b64", [(f64(1.0), f64(3.0), f64(-2.0))]),
    ("mul.f32", "b32 b32 -> b32", [(TWO, THREE, f32(6)), (INF32, 0, NAN32), (MAX32, TWO, INF32)]),
    ("mul.rn.f32", "b32 b32 -> b32", [(f32(1 + 2.0**-23), f32(1 + 2.0**-23), f32(1 + 2.0**-22))]),
    ("mul.rz.f32", "b32 b32 -> b32", [(f32(1 - 2.0**-24), f32(1 - 2.0**-24), f32(1 - 2.0**-23))]),
    ("mul.rm.f32", "b32 b32 -> b32", [(f32(-1 - 2.0**-23), f32(1 + 2.0**-23), 0xBF800003)]),
    ("mul.rp.f32", "b32 b32 -> b32", [(f32(1 + 2.0**-23), f32(1 + 2.0**-23), 0x3F800003)]),
    ("mul.ftz.f32", "b32 b32 -> b32", [(f32(2.0**-100), f32(2.0**-40), 0), (TINY32, MAX32, 0)]),
    ("mul.f32", "b32 b32 -> b32", [(f32(2.0**-100), f32(2.0**-40), 0x200)]),
    ("mul.sat.f32", "b32 b32 -> b32", [(TWO, THREE, ONE), (TWO, f32(-3), 0), (0, INF32, 0)]),
    ("mul.f64", "b64 b64 -> b64", [(f64(3.0), f64(-0.5), f64(-1.5))]),
    # One rounding: the product (1 + u)^2 = 1 + 2u + u^2 needs more bits than float32 has.
    (
        "fma.rn.f32",
        "b32 b32 b32 -> b32",
        [
            (f32(1 + 2.0**-23), f32(1 + 2.0**-23), f32(-1.0), f32(2.0**-22 + 2.0**-46)),
            (INF32, 0, ONE, NAN32),
            (INF32, ONE, INF32 | 1 << 31, NAN32),
            (ONE, ONE, QUIET32, NAN32),
            (MINUS0_32, ONE, MINUS0_32, MINUS0_32),
            (f32(-1.0), ONE, ONE, 0),
            # 2^24 + 3 is a tie.
            (f32(2.0**24 + 2), f32(1.0), f32(1.0), f32(2.0**24 + 4)),
            # A subnormal just below a tie, by less than float64 holds.
            (f32(2.0**-75 * (1 + 2.0**-20)), f32(2.0**-75 * (1 - 2.0**-20)), 0x400001, 0x400001),
        ],
    ),
    ("fma.rz.f32", "b32 b32 b32 -> b32", [(f32(2.0**24 + 2), ONE, ONE, f32(2.0**24 + 2))]),
    ("fma.rn.ftz.f32", "b32 b32 b32 -> b32", [(TINY32, ONE, TINY32, 0)]),
    ("fma.rn.sat.f32", "b32 b32 b32 -> b32", [(TWO, TWO, TWO, ONE), (QUIET32, ONE, ONE, 0)]),
    ("mad.rn.f32", "b32 b32 b32 -> b32", [(TWO, THREE, ONE, f32(7.0))]),
    ("mad.rz.f32", "b32 b32 b32 -> b32", [(f32(2.0**24 + 2), ONE, ONE, f32(2.0**24 + 2))]),
    ("mad.rn.ftz.f32", "b32 b32 b32 -> b32", [(TINY32, ONE, TINY32, 0)]),
    ("mad.rn.sat.f32", "b32 b32 b32 -> b32", [(TWO, TWO, TWO, ONE)]),
    (
        "fma.rn.f64",
        "b64 b64 b64 -> b64",
        [
            (f64(1 + 2.0**-52), f64(1 + 2.0**-52), f64(-1.0), f64(2.0**-51 + 2.0**-104)),
            (f64(2.0**1000), f64(2.0**1000), f64(-math.inf), f64(-math.inf)),
            (f64(2.0**600), f64(2.0**600), f64(-(2.0**1000)), INF64),
            (f64(2.0**-600), f64(2.0**-600), f64(2.0**-1074), f64(2.0**-1074)),
            (f64(2.0**-600), f64(-(2.0**-600)), 0, MINUS0_64),
            (INF64, 0, f64(1.0), NAN64),
            (MINUS0_64, f64(1.0), MINUS0_64, MINUS0_64),
            (f64(1.0), f64(0.0), MINUS0_64, 0),
        ],
    ),
    ("mad.rn.f64", "b64 b64 b64 -> b64", [(f64(2.0), f64(3.0), f64(1.0), f64(7.0))]),
    ("div.rn.f32", "b32 b32 -> b32", [(ONE, THREE, 0x3EAAAAAB), (ONE, 0, INF32), (0, 0, NAN32)]),
    ("div.rn.ftz.f32", "b32 b32 -> b32", [(TINY32, ONE, 0)]),
    ("div.full.f32", "b32 b32 -> b32", [(f32(6), THREE, TWO), (ONE, MINUS0_32, 0xFF800000)]),
    ("div.full.ftz.f32", "b32 b32 -> b32", [(ONE, TINY32, INF32)]),
    ("div.approx.f32", "b32 b32 -> b32", [(f32(6), THREE, TWO)]),
    ("div.approx.ftz.f32", "b32 b32 -> b32", [(f32(6), THREE, TWO)]),
    ("div.rn.f64", "b64 b64 -> b64", [(f64(1.0), f64(3.0), 0x3FD5555555555555)]),
    ("rcp.rn.f32", "b32 -> b32", [(THREE, 0x3EAAAAAB), (MINUS0_32, 0xFF800000), (INF32, 0)]),
    ("rcp.rn.ftz.f32", "b32 -> b32", [(TINY32, INF32)]),
    ("rcp.rn.f64", "b64 -> b64", [(f64(3.0), 0x3FD5555555555555)]),
    ("rcp.approx.f32", "b32 -> b32", [(TWO, f32(0.5)), (0, INF32), (QUIET32, NAN32)]),
    ("rcp.approx.ftz.f32", "b32 -> b32", [(TWO, f32(0.5)), (0x80000001, 0xFF800000)]),
    ("sqrt.rn.f32", "b32 -> b32", [(TWO, 0x3FB504F3), (MINUS0_32, MINUS0_32), (f32(-1), NAN32)]),
    ("sqrt.rn.ftz.f32", "b32 -> b32", [(TINY32, 0)]),
    ("sqrt.rn.f64", "b64 -> b64", [(f64(2.0), 0x3FF6A09E667F3BCD)]),
    ("sqrt.approx.f32", "b32 -> b32", [(f32(4), TWO)]),
    ("sqrt.approx.ftz.f32", "b32 -> b32", [(f32(4), TWO), (TINY32, 0)]),
    ("rsqrt.approx.f32", "b32 -> b32", [(f32(4), f32(0.5)), (0, INF32), (INF32, 0)]),
    ("rsqrt.approx.ftz.f32", "b32 -> b32", [(TINY32, INF32)]),
    (
        "ex2.approx.f32",
        "b32 -> b32",
        [(THREE, f32(8)), (0xFF800000, 0), (INF32, INF32), (QUIET32, NAN32), (f32(-149), 1)],
    ),
    ("ex2.approx.ftz.f32", "b32 -> b32", [(f32(-127), 0), (f32(-126), f32(2.0**-126))]),
    ("ex2.approx.f16", "b16 -> b16", [(f16(3), f16(8)), (f16(16), INF16)]),
    ("ex2.approx.f16x2", "b32 -> b32", [(pair16(f16(3), f16(-1)), pair16(f16(8), f16(0.5)))]),
    ("ex2.approx.ftz.bf16", "b16 -> b16", [(B3, 0x4100), (0xC2FE, 0)]),  # 2^3; 2^-127
    ("ex2.approx.ftz.bf16x2", "b32 -> b32", [(pair16(B3, B1), pair16(0x4100, B2))]),
    ("lg2.approx.f32", "b32 -> b32", [(f32(8), THREE), (0, 0xFF800000), (f32(-1), NAN32)]),
    ("lg2.approx.ftz.f32", "b32 -> b32", [(TINY32, 0xFF800000)]),
    ("sin.approx.f32", "b32 -> b32", [(0, 0), (INF32, NAN32)]),
    ("sin.approx.ftz.f32", "b32 -> b32", [(TINY32, 0)]),
    ("cos.approx.f32", "b32 -> b32", [(0, ONE), (INF32, NAN32)]),
    ("cos.approx.ftz.f32", "b32 -> b32", [(TINY32, ONE)]),
    ("tanh.approx.f32", "b32 -> b32", [(0, 0), (INF32, ONE), (0xFF800000, f32(-1.0))]),
    ("tanh.approx.f16", "b16 -> b16", [(INF16, f16(1))]),
    ("tanh.approx.f16x2", "b32 -> b32", [(pair16(INF16, 0), pair16(f16(1), 0))]),
    ("tanh.approx.bf16", "b16 -> b16", [(INFB, B1)]),
    ("tanh.approx.bf16x2", "b32 -> b32", [(pair16(INFB, 0), pair16(B1, 0))]),
    # NaN loses against a number; -0 is less than +0.
    *[
        (
            f"{name}{ftz}.f32",
            "b32 b32 -> b32",
            [
                (ONE, TWO, big),
                (QUIET32, ONE, ONE),
                (ONE, QUIET32, ONE),
                (QUIET32, QUIET32, NAN32),
                (MINUS0_32, 0, zero),
                (0, MINUS0_32, zero),
                (INF32, 0xFF800000, edge),
                (TINY32, 0, 0 if ftz or name == "min" else TINY32),
            ],
        )
        for name, big, zero, edge in (
            ("max", TWO, 0, INF32),
            ("min", ONE, MINUS0_32, 0xFF800000),
        )
        for ftz in ("", ".ftz")
    ],
    *[
        (
            f"{name}.NaN.f32",
            "b32 b32 -> b32",
            [(ONE, TWO, big), (QUIET32, ONE, NAN32), (ONE, QUIET32, NAN32)],
        )
        for name, big in (("max", TWO), ("min", ONE))
    ],
    ("max.ftz.NaN.f32", "b32 b32 -> b32", [(TINY32, 0, 0), (QUIET32, ONE, NAN32)]),
    ("max.f32", "b32 b32 b32 -> b32", [(ONE, THREE, TWO, THREE), (QUIET32, ONE, TWO, TWO)]),
    ("min.f32", "b32 b32 b32 -> b32", [(TWO, THREE, ONE, ONE)]),
    *[
        (f"{name}.f64", "b64 b64 -> b64", [(NAN64, f64(1), f64(1)), (f64(1), f64(2), f64(big))])
        for name, big in (("max", 2), ("min", 1))
    ],
    *[
        (
            f"{name}{nan}.{kind}",
            "b16 b16 -> b16",
            [(one, two, big), (quiet, one, canonical if nan else one), (0x8000, 0, zero)],
        )
        for kind, one, two, quiet, canonical in (
            ("f16", f16(1), f16(2), 0x7E00, NAN16),
            ("bf16", B1, B2, 0x7FC0, NANB),
        )
        for name, big, zero in (("max", two, 0), ("min", one, 0x8000))
        for nan in ("", ".NaN")
    ],
    *[
        (
            f"{name}{nan}.{kind}x2",
            "b32 b32 -> b32",
            [(pair16(one, quiet), pair16(two, one), pair16(big, canonical if nan else one))],
        )
        for kind, one, two, quiet, canonical in (
            ("f16", f16(1), f16(2), 0x7E00, NAN16),
            ("bf16", B1, B2, 0x7FC0, NANB),
        )
        for name, big in (("max", two), ("min", one))
        for nan in ("", ".NaN")
    ],
    ("abs.f32", "b32 -> b32", [(f32(-2), TWO), (MINUS0_32, 0), (0xFF800000, INF32)]),
    ("abs.ftz.f32", "b32 -> b32", [(0x80000001, 0), (f32(-2), TWO)]),
    ("abs.f64", "b64 -> b64", [(f64(-2), f64(2))]),
    ("abs.f16", "b16 -> b16", [(f16(-2), f16(2))]),
    ("abs.bf16", "b16 -> b16", [(0xC000, B2)]),
    ("abs.f16x2", "b32 -> b32", [(0xC000C000, 0x40004000)]),
    ("abs.bf16x2", "b32 -> b32", [(0xC0004000, 0x40004000)]),
    ("neg.f32", "b32 -> b32", [(TWO, f32(-2)), (0, MINUS0_32), (INF32, 0xFF800000)]),
    ("neg.ftz.f32", "b32 -> b32", [(TINY32, MINUS0_32), (TWO, f32(-2))]),
    ("neg.f64", "b64 -> b64", [(f64(2), f64(-2))]),
    ("neg.f16", "b16 -> b16", [(f16(2), f16(-2))]),
    ("neg.bf16", "b16 -> b16", [(B2, 0xC000)]),
    ("neg.f16x2", "b32 -> b32", [(0x40004000, 0xC000C000)]),
    ("neg.bf16x2", "b32 -> b32", [(0x40004000, 0xC000C000)]),
    ("copysign.f32", "b32 b32 -> b32", [(f32(-1), TWO, f32(-2)), (ONE, f32(-2), TWO)]),
    ("copysign.f64", "b64 b64 -> b64", [(f64(-1), f64(2), f64(-2))]),
    *[
        (f"testp.{name}.{kind}", f"{bits} -> pred", list(zip(values, answers, strict=True)))
        for kind, bits, values in (
            ("f32", "b32", (ONE, TINY32, 0, INF32, QUIET32)),
            ("f64", "b64", (f64(1), 1, 0, INF64, NAN64)),
        )
        for name, answers in {
            "finite": (1, 1, 1, 0, 0),
            "infinite": (0, 0, 0, 1, 0),
            "number": (1, 1, 1, 1, 0),
            "notanumber": (0, 0, 0, 0, 1),
            "normal": (1, 0, 1, 0, 0),  # zeros too
            "subnormal": (0, 1, 0, 0, 0),
        }.items()
    ],
]


@pytest.mark.parametrize(("text", "form", "rows"), CASES, ids=[case[0] for case in CASES])
def test_known_answers(text, form, rows):
    found = evaluate(text, form, [row[:-1] for row in rows])
    assert [hex(bits) for bits in found] == [hex(row[-1]) for row in rows]
