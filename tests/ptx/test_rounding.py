"""Multiply-add rounds once: against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from tests.ptx.emulator import formats
from tests.ptx.snippets import (
    evaluate,
)


def nearest(exact: Fraction, dtype: type) -> float:
    """The number of a NumPy float dtype that is nearest to a fraction, ties to even."""
    start = dtype(float(exact)) if abs(exact) < 1e300 else dtype(np.inf)
    if not np.isfinite(start):
        return float(start)
    near = [np.nextafter(start, dtype(-np.inf)), start, np.nextafter(start, dtype(np.inf))]
    near = [value for value in near if np.isfinite(value)]
    unsigned = f"u{dtype().itemsize}"
    return float(min(near, key=lambda v: (abs(Fraction(float(v)) - exact), v.view(unsigned) & 1)))


@pytest.mark.parametrize(
    ("kind", "dtype", "bits"),
    [("f16", np.float16, 16), ("f32", np.float32, 32), ("f64", np.float64, 64)],
)
def test_fma_rounds_once(kind, dtype, bits):
    """Random numbers whose product and addend nearly cancel, or meet in the middle."""
    random = np.random.default_rng(7)
    digits = {16: 10, 32: 23, 64: 52}[bits]
    a, b = (1 + random.integers(0, 1 << digits, (2, 32)) / (1 << digits)).astype(dtype)
    tail = random.choice([2.0 ** -(digits + 1), 2.0 ** -(2 * digits), 1.0, 2.0**digits], 32)
    c = (random.choice([-1, 1], 32) * tail * (1 + random.integers(0, 8, 32) / 8)).astype(dtype)
    with np.errstate(over="ignore"):
        c[::4] = -(a * b)[::4]
    expected = [
        nearest(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)), dtype)
        for x, y, z in zip(a, b, c, strict=True)
    ]
    rows = [tuple(int(v.view(f"u{bits // 8}")) for v in row) for row in zip(a, b, c, strict=True)]
    found = evaluate(f"fma.rn.{kind}", f"b{bits} b{bits} b{bits} -> b{bits}", rows)
    assert np.array(found, f"u{bits // 8}").view(dtype).tolist() == expected


def test_fma_float32_double_rounding():
    """Products and addends whose float64 sum lies in the middle of two float32."""
    random = np.random.default_rng(11)
    a = (1 + (2 * random.integers(0, 1 << 20, 4096) + 1) / (1 << 23)).astype(np.float32)
    c = (random.choice([-1.0, 1.0], 4096) * 2.0 ** -random.integers(55, 80, 4096)).astype(
        np.float32
    )
    b = np.full_like(a, 1.5)
    exact = [
        Fraction(float(x)) * Fraction(3, 2) + Fraction(float(z)) for x, z in zip(a, c, strict=True)
    ]
    expected = [nearest(value, np.float32) for value in exact]
    assert formats.fma_float32(a, b, c).tolist() == expected
    twice = (a.astype(np.float64) * b + c).astype(np.float32)
    assert (twice.tolist() != np.array(expected)).mean() > 0.3, "no test of double rounding"


def test_bfloat16_rounds_once():
    """Sums and products of bfloat16 near the middle of two, against fractions."""
    random = np.random.default_rng(5)
    values = (
        random.integers(0x3C00, 0x4200, (3, 32)) | random.choice([0, 0x8000], (3, 32))
    ).astype("u2")
    wide = (values.astype("u4") << 16).view(np.float32)
    exact = [Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)) for x, y, z in wide.T]
    expected = []
    for value in exact:
        bits = int(np.float32(float(value)).view("u4")) >> 16
        near = [bits - 1 & 0xFFFF, bits, bits + 1]
        distance = [
            (abs(Fraction(float(np.uint32(v << 16).view(np.float32))) - value), v & 1) for v in near
        ]
        expected.append(near[distance.index(min(distance))])
    rows = [tuple(int(v) for v in row) for row in values.T]
    assert evaluate("fma.rn.bf16", "b16 b16 b16 -> b16", rows) == expected
