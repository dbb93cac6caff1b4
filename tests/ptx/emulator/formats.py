"""Number formats: the bits of a register as values and back, with exact rounding."""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

#: Unsigned NumPy dtype of a register by its bytes.
RAW = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

#: The NaN that arithmetic returns.
NAN = {"f16": 0x7FFF, "bf16": 0x7FFF, "f32": 0x7FFFFFFF, "f64": 0x7FF8000000000000}


class Format(NamedTuple):
    """A format of register contents.

    Args:
        raw (type): Unsigned NumPy dtype of the register; bool of a predicate.
        decode: Bits ``[n]`` to values ``[n]``, or ``[n, 2]`` of a packed format.
        encode: Values to bits. Values of ``f16`` and ``bf16`` are rounded to nearest even.
    """

    raw: type
    decode: Callable[[np.ndarray], np.ndarray]
    encode: Callable[[np.ndarray], np.ndarray]

    @property
    def bits(self) -> int:
        return 1 if self.raw is np.bool_ else 8 * np.dtype(self.raw).itemsize


def odd(total: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Rounds :obj:`total` (float64, nearest) to odd, given its rounding error.

    A value that is rounded to odd in float64 rounds correctly to any format of at most 51 bits.
    """
    even = total.view(np.uint64) & np.uint64(1) == 0
    wrong = even & (error != 0) & np.isfinite(total) & np.isfinite(error)
    if not wrong.any():
        return total
    towards = np.where(error > 0, np.inf, -np.inf)
    return np.where(wrong, np.nextafter(total, towards), total)


def two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the float64 sum and its exact error."""
    total = a + b
    rest = total - a
    return total, (a - (total - rest)) + (b - rest)


def sum_to_odd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum of two float64 rounded to odd."""
    return odd(*two_sum(a, b))


def to_float32(value: np.ndarray, mode: str = "rn") -> np.ndarray:
    """Rounds float64 to float32 in mode ``rn``, ``rz``, ``rm`` or ``rp``."""
    near = value.astype(np.float32)
    if mode == "rn":
        return near
    back = near.astype(np.float64)
    down = {"rz": np.abs(back) > np.abs(value), "rm": back > value, "rp": back < value}[mode]
    toward = {"rz": 0.0, "rm": -np.inf, "rp": np.inf}[mode]
    return np.where(down, np.nextafter(near, np.float32(toward)), near)


def float32_odd(value: np.ndarray) -> np.ndarray:
    """Rounds float64 to odd in float32."""
    near = value.astype(np.float32)
    error = value - near.astype(np.float64)
    even = near.view(np.uint32) & np.uint32(1) == 0
    wrong = even & (error != 0) & np.isfinite(value)
    overflow = np.isinf(near) & np.isfinite(value)
    towards = np.where(error > 0, np.float32(np.inf), np.float32(-np.inf))
    result = np.where(wrong & ~overflow, np.nextafter(near, towards), near)
    largest = np.copysign(np.float32(np.finfo(np.float32).max), near)
    return np.where(overflow, largest, result)


def bf16_bits(value: np.ndarray, mode: str = "rn") -> np.ndarray:
    """Rounds float32 or float64 to the bits of bfloat16 in mode ``rn`` or ``rz``."""
    narrow = float32_odd(value) if value.dtype == np.float64 else value
    bits = narrow.view(np.uint32).astype(np.uint64)
    if mode == "rn":
        bits = bits + np.uint64(0x7FFF) + ((bits >> np.uint64(16)) & np.uint64(1))
    rounded = (bits >> np.uint64(16)).astype(np.uint16)
    return np.where(np.isnan(value), np.uint16(NAN["bf16"]), rounded)


def f16_bits(value: np.ndarray, mode: str = "rn") -> np.ndarray:
    """Rounds float32 or float64 to the bits of float16 in mode ``rn`` or ``rz``."""
    near = value.astype(np.float16)
    if mode == "rz":
        too_far = np.abs(near.astype(value.dtype)) > np.abs(value)
        near = np.where(too_far, np.nextafter(near, np.float16(0)), near)
    return np.where(np.isnan(value), np.uint16(NAN["f16"]), near.view(np.uint16))


def canonical(value: np.ndarray, name: str) -> np.ndarray:
    """Replaces every NaN of float32 or float64 by the one that arithmetic returns."""
    bad = value != value
    if bad.any():
        value = np.array(value)
        value.view(RAW[value.dtype.itemsize])[bad] = NAN[name]
    return value


def _integer(dtype: type) -> Format:
    raw = RAW[np.dtype(dtype).itemsize]

    def encode(value: np.ndarray) -> np.ndarray:
        assert value.dtype == dtype, f"expected {dtype}, got {value.dtype}"
        return value.view(raw)

    return Format(raw, lambda bits: bits.view(dtype), encode)


def _float(dtype: type, name: str) -> Format:
    raw = RAW[np.dtype(dtype).itemsize]

    def encode(value: np.ndarray) -> np.ndarray:
        assert value.dtype == dtype, f"expected {dtype}, got {value.dtype}"
        return canonical(value, name).view(raw)

    return Format(raw, lambda bits: bits.view(dtype), encode)


def _packed(part: Format) -> Format:
    size = np.dtype(part.raw).itemsize
    raw = RAW[2 * size]

    def decode(bits: np.ndarray) -> np.ndarray:
        return part.decode(np.ascontiguousarray(bits).view(part.raw).reshape(-1, 2))

    def encode(value: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(part.encode(value)).view(raw).reshape(-1)

    return Format(raw, decode, encode)


def _formats() -> dict[str, Format]:
    formats = {
        f"{letter}{bits}": _integer(getattr(np, f"{'int' if letter == 's' else 'uint'}{bits}"))
        for letter in "bus"
        for bits in (8, 16, 32, 64)
    }
    formats["pred"] = Format(np.bool_, lambda bits: bits, lambda value: value)
    formats["f32"] = _float(np.float32, "f32")
    formats["f64"] = _float(np.float64, "f64")
    formats["f16"] = Format(
        np.uint16, lambda bits: bits.view(np.float16).astype(np.float64), f16_bits
    )
    formats["bf16"] = Format(
        np.uint16,
        lambda bits: (bits.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64),
        bf16_bits,
    )
    for name in ("f16", "bf16", "f32"):
        formats[f"{name}x2"] = _packed(formats[name])
    return formats


#: Formats by the name of their PTX type.
FORMATS = _formats()


def fma_float32(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a b + c in float32 with one rounding (to nearest)."""
    product = a.astype(np.float64) * b
    total = product + c
    result = total.astype(np.float32)
    # A second rounding errs only where float64 fell on the middle of two float32.
    middle = total.view(np.uint64) & np.uint64(0x1FFFFFFF) == 0x10000000
    doubtful = middle | (np.abs(total) < 2.0**-126)
    if doubtful.any():
        exact = sum_to_odd(product, c.astype(np.float64)).astype(np.float32)
        result = np.where(doubtful, exact, result)
    return result


def fma_to_odd(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a b + c of float64 values whose product is exact, rounded to odd."""
    return sum_to_odd(np.asarray(a * b), np.asarray(c, dtype=np.float64))


def _two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the float64 product and its exact error (Veltkamp and Dekker)."""
    factor = 134217729.0  # 2^27 + 1
    high_a, high_b = a * factor, b * factor
    high_a, high_b = high_a - (high_a - a), high_b - (high_b - b)
    low_a, low_b = a - high_a, b - high_b
    product = a * b
    error = low_a * low_b - (((product - high_a * high_b) - low_a * high_b) - high_a * low_b)
    return product, error


def _fma_exactly(a: float, b: float, c: float) -> float:
    total = Fraction(a) * Fraction(b) + Fraction(c)
    if total == 0:
        return a * b + c if a * b == 0 else 0.0  # the signs of zeros, or exact cancellation
    try:
        return float(total)
    except OverflowError:
        return np.inf if total > 0 else -np.inf


def fma_float64(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a b + c in float64 with one rounding (Boldo and Melquiond, 2008)."""
    a, b, c = np.broadcast_arrays(a, b, c)
    product, low = _two_product(a, b)
    inner, inner_low = two_sum(c, low)
    high, high_low = two_sum(product, inner)
    result = high + sum_to_odd(inner_low, high_low)
    given = np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    unbounded = np.where(np.isinf(c) & np.isfinite(a) & np.isfinite(b), c, a * b + c)
    result = np.where(given, result, unbounded)
    # Where the splitting could overflow or underflow.
    sizes = np.abs(np.stack([a, b, c, product]))
    extreme = ((sizes > 2.0**960) | ((sizes < 2.0**-900) & (sizes > 0))).any(0)
    extreme |= (product == 0) & (a != 0) & (b != 0)
    zero = (product == 0) & ~extreme
    result = np.where(given & zero, product + c, result)  # keeps the sign of a zero
    for place in np.flatnonzero(extreme & given):
        result[place] = _fma_exactly(float(a[place]), float(b[place]), float(c[place]))
    return result
