"""Integer arithmetic, shifts, bit fields, selection and comparison."""

from collections.abc import Callable

import numpy as np

from tests.ptx.emulator.formats import FORMATS, RAW
from tests.ptx.emulator.operation import Operation, Words, operation
from tests.ptx.emulator.text import PtxError

SIGNED = ("s16", "s32", "s64")
UNSIGNED = ("u16", "u32", "u64")
BITS = ("b16", "b32", "b64")
INTEGERS = (*SIGNED, *UNSIGNED)


def wider(kind: str) -> str:
    return kind[0] + str(2 * int(kind[1:]))


def width(kind: str) -> int:
    return int(kind[1:])


def dtype(kind: str) -> np.dtype:
    return FORMATS[kind].decode(np.zeros(1, FORMATS[kind].raw)).dtype


def high_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The upper half of the product of two integers of one dtype."""
    if a.dtype.itemsize < 8:
        wide = np.dtype(f"{a.dtype.kind}{2 * a.dtype.itemsize}")
        return (a.astype(wide) * b.astype(wide) >> wide.type(8 * a.dtype.itemsize)).astype(a.dtype)
    x, y, half, low = a.view(np.uint64), b.view(np.uint64), np.uint64(32), np.uint64(0xFFFFFFFF)
    cross = (x >> half) * (y & low) + ((x & low) * (y & low) >> half)
    other = (x & low) * (y >> half) + (cross & low)
    result = (x >> half) * (y >> half) + (cross >> half) + (other >> half)
    if a.dtype.kind == "i":
        zero = np.uint64(0)
        result = result - np.where(a < 0, y, zero) - np.where(b < 0, x, zero)
    return result.view(a.dtype)


def integer_product(words: Words, adds: bool) -> Operation:
    """``mul`` and ``mad`` of integers; the type is the last modifier."""
    half = words.one("lo", "hi", "wide")
    saturates = adds and half == "hi" and words.flag("sat")
    kind = words.one(*INTEGERS)
    if saturates or (half == "wide" and width(kind) == 64):
        raise PtxError(f"unsupported {words.opcode}")
    result = wider(kind) if half == "wide" else kind

    def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if half == "wide":
            return a.astype(dtype(result)) * b.astype(dtype(result))
        return a * b if half == "lo" else high_product(a, b)

    if adds:
        return Operation(result, (kind, kind, result), lambda a, b, c: product(a, b) + c)
    return Operation(result, (kind, kind), product)


def saturated(kind: str, exact: np.ndarray) -> np.ndarray:
    limits = np.iinfo(dtype(kind))
    return np.clip(exact, limits.min, limits.max).astype(dtype(kind))


def integer_sum(words: Words, subtracts: bool) -> Operation:
    """``add`` and ``sub`` of integers."""
    sign = -1 if subtracts else 1
    if words.flag("sat"):
        kind = words.one("s32")
        return Operation(
            kind, (kind, kind), lambda a, b: saturated(kind, a.astype(np.int64) + sign * b)
        )
    kind = words.one(*INTEGERS)
    return Operation(kind, (kind, kind), (lambda a, b: a - b) if subtracts else np.add)


def divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quotient rounded towards zero; -1 (all bits) where the divisor is 0."""
    safe = np.where(b == 0, b.dtype.type(1), b)
    quotient = a // safe
    if a.dtype.kind == "i":
        quotient = quotient + ((quotient * safe != a) & ((a < 0) != (safe < 0))).astype(a.dtype)
    return np.where(b == 0, ~a.dtype.type(0), quotient)


def integer_division(words: Words, rest: bool) -> Operation:
    kind = words.one(*INTEGERS)
    if rest:
        return Operation(kind, (kind, kind), lambda a, b: a - divided(a, b) * b)
    return Operation(kind, (kind, kind), divided)


@operation("rem")
def _rem(words: Words) -> Operation:
    return integer_division(words, rest=True)


@operation("shl")
def _shl(words: Words) -> Operation:
    kind = words.one(*BITS)
    last = width(kind) - 1

    def shift(a: np.ndarray, count: np.ndarray) -> np.ndarray:
        moved = a << np.minimum(count, last).astype(a.dtype)
        return np.where(count > last, a.dtype.type(0), moved)

    return Operation(kind, (kind, "u32"), shift)


@operation("shr")
def _shr(words: Words) -> Operation:
    kind = words.one(*BITS, *INTEGERS)
    last = width(kind) - 1

    def shift(a: np.ndarray, count: np.ndarray) -> np.ndarray:
        moved = a >> np.minimum(count, last).astype(a.dtype)
        return moved if kind[0] == "s" else np.where(count > last, a.dtype.type(0), moved)

    return Operation(kind, (kind, "u32"), shift)


@operation("shf")
def _shf(words: Words) -> Operation:
    left, wraps = words.one("l", "r") == "l", words.one("clamp", "wrap") == "wrap"
    words.one("b32")

    def shift(low: np.ndarray, high: np.ndarray, count: np.ndarray) -> np.ndarray:
        both = high.astype(np.uint64) << np.uint64(32) | low
        count = (count & 31 if wraps else np.minimum(count, 32)).astype(np.uint64)
        moved = (both << count) >> np.uint64(32) if left else both >> count
        return (moved & np.uint64(0xFFFFFFFF)).astype(np.uint32)

    return Operation("b32", ("b32", "b32", "u32"), shift)


@operation("and", "or", "xor")
def _logic(words: Words) -> Operation:
    kind = words.one("pred", *BITS)
    function = getattr(np, f"bitwise_{words.first}")
    return Operation(kind, (kind, kind), function)


@operation("not")
def _not(words: Words) -> Operation:
    kind = words.one("pred", *BITS)
    return Operation(kind, (kind,), np.invert)


@operation("cnot")
def _cnot(words: Words) -> Operation:
    kind = words.one(*BITS)
    return Operation(kind, (kind,), lambda a: (a == 0).astype(a.dtype))


@operation("lop3")
def _lop3(words: Words) -> Operation:
    words.one("b32")

    def table(a: np.ndarray, b: np.ndarray, c: np.ndarray, rows: np.ndarray) -> np.ndarray:
        result = np.zeros(np.broadcast_shapes(a.shape, b.shape, c.shape), np.uint32)
        for row in range(8):
            if int(rows[0]) >> row & 1:
                x, y, z = (v if row & bit else ~v for v, bit in ((a, 4), (b, 2), (c, 1)))
                result |= x & y & z
        return result

    return Operation("b32", ("b32", "b32", "b32", "u32"), table)


def _low_bits(count: np.ndarray, raw: type) -> np.ndarray:
    """An integer of :obj:`count` ones."""
    bits = 8 * np.dtype(raw).itemsize
    ones = (raw(1) << np.minimum(count, bits - 1).astype(raw)) - raw(1)
    return np.where(count >= bits, ~raw(0), ones).astype(raw)


@operation("bfe")
def _bfe(words: Words) -> Operation:
    kind = words.one("u32", "s32", "u64", "s64")
    bits, raw = width(kind), RAW[width(kind) // 8]

    def extract(a: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
        word, start, length = a.view(raw), start & 255, length & 255
        moved = np.where(start >= bits, raw(0), word >> np.minimum(start, bits - 1).astype(raw))
        mask = _low_bits(np.minimum(length, bits - np.minimum(start, bits)), raw)
        result = moved & mask
        if kind[0] == "s":
            last = np.clip(start.astype(np.int64) + length - 1, 0, bits - 1).astype(raw)
            sign = (word >> last & raw(1)).astype(bool) & (length > 0)
            result = np.where(sign, result | ~mask, result)
        return result.view(a.dtype)

    return Operation(kind, (kind, "u32", "u32"), extract)


@operation("bfi")
def _bfi(words: Words) -> Operation:
    kind = words.one("b32", "b64")
    bits, raw = width(kind), RAW[width(kind) // 8]

    def insert(a: np.ndarray, b: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
        start, length = start & 255, length & 255
        place = np.minimum(start, bits - 1).astype(raw)
        mask = np.where(start >= bits, raw(0), _low_bits(length, raw) << place)
        return (b & ~mask) | (a << place & mask)

    return Operation(kind, (kind, kind, "u32", "u32"), insert)


@operation("bmsk")
def _bmsk(words: Words) -> Operation:
    if words.one("clamp", "wrap") == "wrap":
        raise PtxError(f"unsupported {words.opcode}")
    words.one("b32")

    def mask(start: np.ndarray, length: np.ndarray) -> np.ndarray:
        ones = _low_bits(length, np.uint32) << np.minimum(start, 31)
        return np.where(start > 31, np.uint32(0), ones)

    return Operation("b32", ("u32", "u32"), mask)


@operation("prmt")
def _prmt(words: Words) -> Operation:
    words.one("b32")

    def permute(a: np.ndarray, b: np.ndarray, selector: np.ndarray) -> np.ndarray:
        both = b.astype(np.uint64) << np.uint64(32) | a
        result = np.zeros(np.broadcast_shapes(both.shape, selector.shape), np.uint32)
        for place in range(4):
            nibble = selector >> np.uint32(4 * place)
            byte = both >> (8 * (nibble & 7)).astype(np.uint64) & np.uint64(0xFF)
            sign = np.where(byte & np.uint64(0x80) != 0, np.uint64(0xFF), np.uint64(0))
            byte = np.where(nibble & 8 != 0, sign, byte)
            result |= byte.astype(np.uint32) << np.uint32(8 * place)
        return result

    return Operation("b32", ("b32", "b32", "u32"), permute)


@operation("popc")
def _popc(words: Words) -> Operation:
    kind = words.one("b32", "b64")
    return Operation("u32", (kind,), lambda a: np.bitwise_count(a).astype(np.uint32))


def _length(a: np.ndarray) -> np.ndarray:
    """Position of the highest one, counted from 1; 0 of a zero."""
    for shift in (1, 2, 4, 8, 16, 32)[: 5 if a.dtype.itemsize == 4 else 6]:
        a = a | a >> a.dtype.type(shift)
    return np.bitwise_count(a).astype(np.uint32)


@operation("clz")
def _clz(words: Words) -> Operation:
    kind = words.one("b32", "b64")
    return Operation("u32", (kind,), lambda a: np.uint32(width(kind)) - _length(a))


@operation("bfind")
def _bfind(words: Words) -> Operation:
    shift_amount = words.flag("shiftamt")
    kind = words.one("u32", "s32", "u64", "s64")
    raw = RAW[width(kind) // 8]

    def find(a: np.ndarray) -> np.ndarray:
        found = _length(np.where(a < 0, ~a, a).view(raw)) - np.uint32(1)
        if shift_amount:
            return np.where(found == 0xFFFFFFFF, found, np.uint32(width(kind) - 1) - found)
        return found

    return Operation("u32", (kind,), find)


@operation("brev")
def _brev(words: Words) -> Operation:
    kind = words.one("b32", "b64")

    def reverse(a: np.ndarray) -> np.ndarray:
        result = np.zeros_like(a)
        for bit in range(width(kind)):
            one = a.dtype.type(1)
            result |= (a >> a.dtype.type(bit) & one) << a.dtype.type(width(kind) - 1 - bit)
        return result

    return Operation(kind, (kind,), reverse)


@operation("selp")
def _selp(words: Words) -> Operation:
    kind = words.one(*BITS, *INTEGERS, "f32", "f64")
    bits = f"b{width(kind)}"
    return Operation(bits, (bits, bits, "pred"), lambda a, b, p: np.where(p, a, b))


ORDERED: dict[str, Callable] = {
    **{"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal},
    **{"gt": np.greater, "ge": np.greater_equal},
}
#: Comparisons of unsigned integers that have names of their own.
UNSIGNED_NAMES = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
#: Comparisons that hold if an operand is NaN.
UNORDERED = {name + "u": name for name in ORDERED}


def comparison(name: str, kind: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Returns the comparison :obj:`name` of values of a type.

    Raises:
        PtxError: If the type has no such comparison.
    """
    floats = kind[0] == "f" or kind == "bf16"
    if not floats:
        if kind[0] == "u":
            name = UNSIGNED_NAMES.get(name, name)
        if name not in (("eq", "ne") if kind[0] == "b" else ORDERED):
            raise PtxError(f"comparison {name} of {kind}")
        return ORDERED[name]
    if name in ("num", "nan"):
        return lambda a, b: (np.isnan(a) | np.isnan(b)) == (name == "nan")
    if name in UNORDERED:
        return lambda a, b: ORDERED[UNORDERED[name]](a, b) | np.isnan(a) | np.isnan(b)
    if name not in ORDERED:
        raise PtxError(f"comparison {name} of {kind}")
    if name == "ne":  # NumPy's holds of a NaN
        return lambda a, b: (a < b) | (a > b)
    return ORDERED[name]


@operation("setp")
def _setp(words: Words) -> Operation:
    """``p|q = (a compared to b) combined with c``; q has the opposite comparison."""
    name = words.one(*ORDERED, *UNSIGNED_NAMES, *UNORDERED, "num", "nan")
    combined = words.optional("and", "or", "xor")
    if words.flag("ftz"):
        raise PtxError(f"unsupported {words.opcode}")
    kind = words.one(*BITS, *INTEGERS, "f16", "bf16", "f32", "f64")
    compare = comparison(name, kind)
    combine = getattr(np, f"bitwise_{combined}") if combined else lambda result, _: result

    def both(a: np.ndarray, b: np.ndarray, *c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        result = compare(a, b)
        return combine(result, *c or (None,)), combine(~result, *c or (None,))

    sources = (kind, kind, "pred") if combined else (kind, kind)
    if kind in ("f16", "bf16"):  # which have no q
        return Operation("pred", sources, lambda *values: both(*values)[0])
    return Operation("pred|pred", sources, both)


@operation("szext")
def _szext(words: Words) -> Operation:
    wraps = words.one("clamp", "wrap") == "wrap"
    kind = words.one("u32", "s32")

    def extend(a: np.ndarray, length: np.ndarray) -> np.ndarray:
        length = length & 31 if wraps else np.minimum(length, 32)
        mask = _low_bits(length, np.uint32)
        low = a.view(np.uint32) & mask
        last = np.where(length > 0, length - 1, 0).astype(np.uint32)
        sign = (low >> last & 1).astype(bool) & (length > 0) & (kind[0] == "s")
        return np.where(sign, low | ~mask, low).view(a.dtype)

    return Operation(kind, (kind, "u32"), extend)
