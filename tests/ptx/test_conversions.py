"""Known answers of ``cvt`` in all roundings, and against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest

from tests.ptx.snippets import evaluate, f16, f32, f64

INF32, NAN32, INF64, NAN64 = 0x7F800000, 0x7FC00000, 0x7FF0000000000000, 0x7FF8000000000000
INF16, NAN16 = 0x7C00, 0x7E00
MAX32, MIN32, MAX64, MIN64 = 0x7FFFFFFF, 0x80000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000
ONES = {8: 0xFF, 16: 0xFFFF, 32: 0xFFFFFFFF, 64: 0xFFFFFFFFFFFFFFFF}
_REGISTER = {"8": "b16", "16": "b16", "32": "b32", "64": "b64"}
_FLOATS = {"f16": f16, "f32": f32, "f64": f64, "bf16": lambda v: f32(v) >> 16}


def register(kind: str) -> str:
    return _REGISTER[kind.strip("busf")]


def form(result: str, source: str) -> str:
    return f"{register(source)} -> {register(result)}"


#: Values and what each mode makes of them.
ROUNDED = {
    "rni": [(2.5, 2), (3.5, 4), (-2.5, -2), (0.75, 1), (-0.25, 0)],
    "rzi": [(2.9, 2), (-2.9, -2), (0.99, 0)],
    "rmi": [(2.9, 2), (-2.1, -3), (-0.25, -1)],
    "rpi": [(2.1, 3), (-2.9, -2), (0.25, 1)],
}


def _to_integer():
    for mode, pairs in ROUNDED.items():
        for source, bits in _FLOATS.items():
            for result in ("s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"):
                if source == "bf16" and result in ("s8", "u8"):
                    continue
                size = int(result[1:])
                wide = ONES[max(size, 16)]
                low = -(1 << (size - 1)) if result[0] == "s" else 0
                high = (1 << (size - 1)) - 1 if result[0] == "s" else ONES[size]
                nan = 0
                if source == "f64" or size == 64:
                    nan = low if result[0] == "s" else 1 << (size - 1)
                rows = [(bits(v), max(low, n) & wide) for v, n in pairs]
                rows += [(bits(math.inf), high & wide), (bits(-math.inf), low & wide)]
                rows += [(bits(math.nan), nan & wide)]
                if (source, size) not in (("f16", 32), ("f16", 64)):
                    large = 2.0 ** (15 if source == "f16" else 70)
                    rows += [
                        (bits(large), min(high, 1 << 15 if source == "f16" else 1 << 70) & wide)
                    ]
                yield (f"cvt.{mode}.{result}.{source}", form(result, source), rows)


CASES = [
    *_to_integer(),
    *[
        (
            f"cvt.rzi.sat.{result}.{source}",
            form(result, source),
            [(bits(-9.5), -9 & wide), (bits(3.5), 3)],
        )
        for source, bits in (("f16", f16), ("f32", f32), ("f64", f64))
        for result, wide in (("s16", 0xFFFF), ("s32", ONES[32]), ("s64", ONES[64]))
    ],
    ("cvt.rni.sat.u8.f32", "b32 -> b16", [(f32(300.0), 255), (f32(-3), 0)]),
    # Integers to integers: extension by sign or zeros, truncation, saturation.
    ("cvt.s64.s32", "b32 -> b64", [(0xFFFFFFFF, ONES[64]), (5, 5)]),
    ("cvt.u64.u32", "b32 -> b64", [(0xFFFFFFFF, 0xFFFFFFFF)]),
    ("cvt.s64.u32", "b32 -> b64", [(0xFFFFFFFF, 0xFFFFFFFF)]),
    ("cvt.u64.s32", "b32 -> b64", [(0xFFFFFFFF, ONES[64])]),
    ("cvt.u32.u64", "b64 -> b32", [(0x123456789, 0x23456789)]),
    ("cvt.s32.s64", "b64 -> b32", [(ONES[64], ONES[32])]),
    ("cvt.u16.u32", "b32 -> b16", [(0x12345, 0x2345)]),
    ("cvt.s16.s32", "b32 -> b16", [(0xFFFF8000, 0x8000)]),
    ("cvt.s32.s16", "b16 -> b32", [(0x8000, 0xFFFF8000)]),
    ("cvt.u32.u16", "b16 -> b32", [(0x8000, 0x8000)]),
    ("cvt.s32.s8", "b16 -> b32", [(0x1280, 0xFFFFFF80), (0x127F, 0x7F)]),
    ("cvt.u32.u8", "b16 -> b32", [(0x1280, 0x80)]),
    ("cvt.s16.s8", "b16 -> b16", [(0x1280, 0xFF80)]),
    ("cvt.u16.u8", "b16 -> b16", [(0x1280, 0x80)]),
    ("cvt.u8.u32", "b32 -> b16", [(0x1234, 0x34)]),
    ("cvt.s8.s32", "b32 -> b16", [(0x1284, 0xFF84)]),
    ("cvt.u8.u64", "b64 -> b16", [(0x1FF, 0xFF)]),
    ("cvt.sat.s8.s32", "b32 -> b16", [(1000, 127), (0xFFFFFC18, 0xFF80)]),
    ("cvt.sat.u8.s32", "b32 -> b16", [(1000, 255), (0xFFFFFC18, 0)]),
    ("cvt.sat.s32.u32", "b32 -> b32", [(ONES[32], MAX32), (7, 7)]),
    ("cvt.sat.u32.s64", "b64 -> b32", [(ONES[64], 0), (1 << 40, ONES[32])]),
    ("cvt.sat.u64.s64", "b64 -> b64", [(ONES[64], 0)]),
    ("cvt.sat.s64.u64", "b64 -> b64", [(ONES[64], MAX64)]),
    ("cvt.sat.u16.s16", "b16 -> b16", [(0x8000, 0)]),
    ("cvt.sat.s16.u16", "b16 -> b16", [(0x8000, 0x7FFF)]),
    # Integers to floats: 2^24 + 1 is the middle of two float32.
    *[
        (
            f"cvt.{mode}.f32.s32",
            "b32 -> b32",
            [((1 << 24) + 1, up), (-(1 << 24) - 1 & ONES[32], down)],
        )
        for mode, up, down in (
            ("rn", f32(2.0**24), f32(-(2.0**24))),
            ("rz", f32(2.0**24), f32(-(2.0**24))),
            ("rm", f32(2.0**24), f32(-(2.0**24) - 2)),
            ("rp", f32(2.0**24 + 2), f32(-(2.0**24))),
        )
    ],
    ("cvt.rn.f32.u32", "b32 -> b32", [(ONES[32], f32(2.0**32)), (0, 0)]),
    # Of 64 bits, float64 must not round first: 2^54 + 2^30 + 1 is above the middle of two float32.
    (
        "cvt.rn.f32.s64",
        "b64 -> b32",
        [((1 << 54) + (1 << 30) + 1, f32(2.0**54 + 2.0**31)), (ONES[64], f32(-1))],
    ),
    (
        "cvt.rn.f32.u64",
        "b64 -> b32",
        [(ONES[64], f32(2.0**64)), ((1 << 54) + (1 << 30), f32(2.0**54))],
    ),
    ("cvt.rz.f32.u64", "b64 -> b32", [(ONES[64], 0x5F7FFFFF)]),
    ("cvt.rp.f32.s64", "b64 -> b32", [((1 << 54) + 1, f32(2.0**54 + 2.0**31))]),
    ("cvt.rm.f32.s64", "b64 -> b32", [(-(1 << 54) - 1 & ONES[64], f32(-(2.0**54) - 2.0**31))]),
    ("cvt.rn.f32.s16", "b16 -> b32", [(0xFFFF, f32(-1.0))]),
    ("cvt.rn.f32.u16", "b16 -> b32", [(0xFFFF, f32(65535.0))]),
    ("cvt.rn.f32.s8", "b16 -> b32", [(0x80, f32(-128.0))]),
    ("cvt.rn.f32.u8", "b16 -> b32", [(0x80, f32(128.0))]),
    *[
        (
            f"cvt.{mode}.f64.s64",
            "b64 -> b64",
            [((1 << 53) + 1, up), (-(1 << 53) - 1 & ONES[64], down)],
        )
        for mode, up, down in (
            ("rn", f64(2.0**53), f64(-(2.0**53))),
            ("rz", f64(2.0**53), f64(-(2.0**53))),
            ("rm", f64(2.0**53), f64(-(2.0**53) - 2)),
            ("rp", f64(2.0**53 + 2), f64(-(2.0**53))),
        )
    ],
    ("cvt.rn.f64.u64", "b64 -> b64", [(ONES[64], f64(2.0**64))]),
    ("cvt.rz.f64.u64", "b64 -> b64", [(ONES[64], 0x43EFFFFFFFFFFFFF)]),
    ("cvt.rn.f64.s32", "b32 -> b64", [(MIN32, f64(-(2.0**31)))]),
    ("cvt.rn.f64.u32", "b32 -> b64", [(MIN32, f64(2.0**31))]),
    ("cvt.rn.f16.s32", "b32 -> b16", [(2049, f16(2048)), (2051, f16(2052)), (70000, INF16)]),
    ("cvt.rn.f16.u32", "b32 -> b16", [(ONES[32], INF16)]),
    ("cvt.rn.f16.s64", "b64 -> b16", [(ONES[64], f16(-1))]),
    ("cvt.rn.f16.u16", "b16 -> b16", [(3, f16(3))]),
    ("cvt.rn.sat.f16.s32", "b32 -> b16", [(5, f16(1)), (-5 & ONES[32], 0)]),
    ("cvt.rn.sat.f32.s32", "b32 -> b32", [(5, f32(1)), (-5 & ONES[32], 0)]),
    ("cvt.rn.bf16.s32", "b32 -> b16", [(257, 0x4380), (259, 0x4382)]),
    ("cvt.rn.bf16.s64", "b64 -> b16", [((1 << 54) + (1 << 46) + 1, 0x5A81)]),
    ("cvt.rn.bf16.u16", "b16 -> b16", [(3, 0x4040)]),
    # Floats to floats.
    ("cvt.f32.f16", "b16 -> b32", [(f16(1.5), f32(1.5)), (INF16, INF32), (1, f32(2.0**-24))]),
    ("cvt.f64.f16", "b16 -> b64", [(f16(-1.5), f64(-1.5))]),
    ("cvt.f32.bf16", "b16 -> b32", [(0x3FC0, f32(1.5)), (0xFF80, 0xFF800000), (1, 1 << 16)]),
    ("cvt.f64.bf16", "b16 -> b64", [(0x3FC0, f64(1.5))]),
    (
        "cvt.f64.f32",
        "b32 -> b64",
        [(f32(0.1), 0x3FB99999A0000000), (NAN32, NAN64), (1, f64(2.0**-149))],
    ),
    ("cvt.f32.f32", "b32 -> b32", [(f32(0.1), f32(0.1))]),
    ("cvt.f64.f64", "b64 -> b64", [(f64(0.1), f64(0.1))]),
    ("cvt.f16.f16", "b16 -> b16", [(f16(0.1), f16(0.1))]),
    ("cvt.bf16.bf16", "b16 -> b16", [(0x3DCD, 0x3DCD)]),
    (
        "cvt.sat.f32.f32",
        "b32 -> b32",
        [(f32(7), f32(1)), (f32(-7), 0), (NAN32, 0), (f32(0.5), f32(0.5))],
    ),
    ("cvt.sat.f64.f64", "b64 -> b64", [(f64(7), f64(1))]),
    ("cvt.sat.f16.f16", "b16 -> b16", [(f16(7), f16(1))]),
    ("cvt.sat.f32.f16", "b16 -> b32", [(f16(7), f32(1))]),
    *[
        (f"cvt.{mode}.f32.f64", "b64 -> b32", [(f64(1 + 2.0**-24), up), (f64(-1 - 2.0**-24), down)])
        for mode, up, down in (
            ("rn", f32(1.0), f32(-1.0)),
            ("rz", f32(1.0), f32(-1.0)),
            ("rm", f32(1.0), f32(-1 - 2.0**-23)),
            ("rp", f32(1 + 2.0**-23), f32(-1.0)),
        )
    ],
    (
        "cvt.rn.f32.f64",
        "b64 -> b32",
        [(f64(1e300), INF32), (NAN64, 0x7FFFFFFF), (f64(2.0**-149), 1)],
    ),
    ("cvt.rz.f32.f64", "b64 -> b32", [(f64(1e300), 0x7F7FFFFF), (INF64, INF32)]),
    ("cvt.rm.f32.f64", "b64 -> b32", [(f64(1e300), 0x7F7FFFFF), (f64(-1e300), 0xFF800000)]),
    ("cvt.rn.sat.f32.f64", "b64 -> b32", [(f64(1e300), f32(1.0))]),
    (
        "cvt.rn.f16.f32",
        "b32 -> b16",
        [(f32(2049), f16(2048)), (f32(65520), INF16), (NAN32, 0x7FFF)],
    ),
    ("cvt.rz.f16.f32", "b32 -> b16", [(f32(2051), f16(2050)), (f32(1e9), 0x7BFF), (INF32, INF16)]),
    ("cvt.rn.sat.f16.f32", "b32 -> b16", [(f32(9), f16(1)), (f32(-9), 0)]),
    ("cvt.rn.f16.f64", "b64 -> b16", [(f64(2049 + 2.0**-30), f16(2050)), (f64(-0.0), 0x8000)]),
    ("cvt.rz.f16.f64", "b64 -> b16", [(f64(2051.9), f16(2050))]),
    (
        "cvt.rn.bf16.f32",
        "b32 -> b16",
        [
            (0x3F808000, 0x3F80),  # a tie to even
            (0x3F818000, 0x3F82),
            (0x3F808001, 0x3F81),
            (0x7F7FFFFF, 0x7F80),
            (NAN32, 0x7FFF),
            (0xFF800000, 0xFF80),
            (0x80000001, 0x8000),
        ],
    ),
    (
        "cvt.rz.bf16.f32",
        "b32 -> b16",
        [(0x3F80FFFF, 0x3F80), (0x7F7FFFFF, 0x7F7F), (INF32, 0x7F80)],
    ),
    # Just above a tie, which float32 would round to the tie.
    (
        "cvt.rn.bf16.f64",
        "b64 -> b16",
        [(f64(1 + 2.0**-8 + 2.0**-40), 0x3F81), (f64(1e300), 0x7F80)],
    ),
    ("cvt.rz.bf16.f64", "b64 -> b16", [(f64(1 + 2.0**-7 - 2.0**-40), 0x3F80)]),
    ("cvt.rn.bf16.f16", "b16 -> b16", [(f16(1.5), 0x3FC0), (0x3C01, 0x3F80)]),
    ("cvt.rz.bf16.f16", "b16 -> b16", [(0x3C07, 0x3F80)]),
    ("cvt.rn.f16.bf16", "b16 -> b16", [(0x3FC0, f16(1.5)), (0x7F7F, INF16)]),
    ("cvt.rz.f16.bf16", "b16 -> b16", [(0x7F7F, 0x7BFF)]),
    *[
        (f"cvt.{mode}.f32.f32", "b32 -> b32", [(f32(v), f32(float(n))) for v, n in pairs if n])
        for mode, pairs in ROUNDED.items()
    ],
    ("cvt.rni.f32.f32", "b32 -> b32", [(f32(-0.25), 1 << 31), (INF32, INF32)]),
    *[
        (f"cvt.{mode}.f64.f64", "b64 -> b64", [(f64(v), f64(float(n))) for v, n in pairs if n])
        for mode, pairs in ROUNDED.items()
    ],
    ("cvt.rpi.f16.f16", "b16 -> b16", [(f16(2.5), f16(3))]),
    ("cvt.rmi.bf16.bf16", "b16 -> b16", [(0x4020, 0x4000)]),
    ("cvt.rmi.sat.f32.f32", "b32 -> b32", [(f32(2.5), f32(1))]),
    # Two floats, the first in the upper half.
    (
        "cvt.rn.bf16x2.f32",
        "b32 b32 -> b32",
        [(f32(1), f32(2), 0x3F804000), (0x3F818000, 0, 0x3F820000)],
    ),
    ("cvt.rz.bf16x2.f32", "b32 b32 -> b32", [(0x3F81FFFF, NAN32, 0x3F817FFF)]),
    ("cvt.rn.f16x2.f32", "b32 b32 -> b32", [(f32(1), f32(2), 0x3C004000)]),
    ("cvt.rz.f16x2.f32", "b32 b32 -> b32", [(f32(2051), f32(-0.0), f16(2050) << 16 | 0x8000)]),
    (
        "cvt.rn.relu.bf16x2.f32",
        "b32 b32 -> b32",
        [(f32(-1), f32(2), 0x4000), (NAN32, 0, 0x7FFF0000)],
    ),
    ("cvt.rz.relu.bf16x2.f32", "b32 b32 -> b32", [(f32(1), f32(-2), 0x3F800000)]),
    ("cvt.rn.relu.f16x2.f32", "b32 b32 -> b32", [(f32(-1), f32(2), 0x4000)]),
]


@pytest.mark.parametrize(("text", "form", "rows"), CASES, ids=[case[0] for case in CASES])
def test_known_answers(text, form, rows):
    found = evaluate(text, form, [row[:-1] for row in rows])
    assert [hex(bits) for bits in found] == [hex(row[-1]) for row in rows]


def _directed(exact: Fraction, mode: str, dtype: type) -> float:
    """A fraction rounded to a NumPy float dtype, by search."""
    start = dtype(float(exact))
    near = sorted(
        float(v)
        for v in (np.nextafter(start, dtype(-np.inf)), start, np.nextafter(start, dtype(np.inf)))
    )
    below = max(v for v in near if Fraction(v) <= exact)
    above = min(v for v in near if Fraction(v) >= exact)
    if mode == "rn":
        if exact - Fraction(below) == Fraction(above) - exact:
            unsigned = f"u{dtype().itemsize}"
            return below if int(dtype(below).view(unsigned)) % 2 == 0 else above
        return below if exact - Fraction(below) < Fraction(above) - exact else above
    return {"rm": below, "rp": above, "rz": below if exact > 0 else above}[mode]


@pytest.mark.parametrize("mode", ["rn", "rz", "rm", "rp"])
@pytest.mark.parametrize("result", ["f32", "f64"])
@pytest.mark.parametrize("source", ["s64", "u64"])
def test_integers_of_64_bits(mode, result, source):
    random = np.random.default_rng(3)
    values = random.integers(0, 2**64, 32, dtype=np.uint64)
    values[:16] = (values[:16] >> np.uint64(9)) | np.uint64(1 << 62) | np.uint64(1)
    values[8:16] &= np.uint64(0xFFFFFFFF80000001)
    signed = values.view(np.int64) if source == "s64" else values
    dtype = np.float32 if result == "f32" else np.float64
    rows = [(int(v),) for v in values]
    found = evaluate(f"cvt.{mode}.{result}.{source}", f"b64 -> b{result[1:]}", rows)
    found = np.array(found, f"u{dtype().itemsize}").view(dtype)
    assert found.tolist() == [_directed(Fraction(int(v)), mode, dtype) for v in signed]


def test_all_bfloat16_and_float16_survive():
    """Widening and rounding back gives every number again."""
    for kind, nan in (("bf16", 0x7F80), ("f16", 0x7C00)):
        values = [v for v in range(0, 1 << 16, 61) if v & 0x7FFF <= nan]
        for start in range(0, len(values), 32):
            rows = [(v,) for v in values[start : start + 32]]
            text = f"cvt.f32.{kind} %r40, {{1}};\ncvt.rn.{kind}.f32 {{0}}, %r40"
            assert evaluate(text, "b16 -> b16", rows) == [row[0] for row in rows]
