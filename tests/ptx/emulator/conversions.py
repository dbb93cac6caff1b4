"""``cvt`` between integers and floats in all roundings, ``mov`` of one register, ``cvta``."""

from collections.abc import Callable

import numpy as np

from tests.ptx.emulator import formats
from tests.ptx.emulator.floats import saturate
from tests.ptx.emulator.formats import FORMATS
from tests.ptx.emulator.operation import Operation, Words, operation
from tests.ptx.emulator.text import PtxError

INTEGERS = tuple(f"{letter}{bits}" for letter in "su" for bits in (8, 16, 32, 64))
FLOATS = ("f16", "bf16", "f32", "f64")
PACKED = ("f16x2", "bf16x2")
ROUND: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rni": np.rint,
    "rzi": np.trunc,
    "rmi": np.floor,
    "rpi": np.ceil,
}


def _dtype(kind: str) -> np.dtype:
    return FORMATS[kind].decode(np.zeros(1, FORMATS[kind].raw)).dtype


def _float_to_integer(mode: str, result: str, source: str) -> Callable:
    """Rounds and clamps to the range of the integer.

    NaN becomes 0, or the bits 1000... where the source is f64 or the result has 64 bits.
    """
    dtype = _dtype(result)
    limits = np.iinfo(dtype)
    of_nan = dtype.type(0)
    if source == "f64" or limits.bits == 64:
        high = 1 << (limits.bits - 1)
        of_nan = dtype.type(high if dtype.kind == "u" else -high)

    def convert(a: np.ndarray) -> np.ndarray:
        whole = ROUND[mode](a.astype(np.float64))
        low, high = float(limits.min), float(limits.max)  # of 64 bits, high is one too many
        inside = np.where((whole >= low) & (whole < high), whole, 0).astype(dtype)
        clamped = np.where(whole < low, dtype.type(limits.min), inside)
        clamped = np.where(whole >= high, dtype.type(limits.max), clamped)
        return np.where(np.isnan(a), of_nan, clamped)

    return convert


def _integer_to_integer(result: str, source: str, sat: bool) -> Callable:
    dtype = _dtype(result)
    limits, given = np.iinfo(dtype), np.iinfo(_dtype(source))

    def convert(a: np.ndarray) -> np.ndarray:
        if sat:
            a = np.clip(a, max(limits.min, given.min), min(limits.max, given.max))
        return a.astype(dtype)

    return convert


def _integer_to_float(mode: str, result: str) -> Callable:
    def convert(a: np.ndarray) -> np.ndarray:
        wide = a.astype(np.float64)
        if result == "f64":
            return _directed_double(a, wide, mode)
        if a.dtype.itemsize == 8:  # float64 does not hold it: round to odd
            wide = formats.odd(wide, _error(a, wide))
        return formats.to_float32(wide, mode) if result == "f32" else wide

    return convert


def _error(a: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Sign of a - wide for integers of 64 bits and their float64."""
    limit = float(2 ** (64 if a.dtype.kind == "u" else 63))
    back = np.where(wide < limit, wide, 0).astype(a.dtype)
    sign = (a > back).astype(np.float64) - (a < back)
    return np.where(wide < limit, sign, -1.0)


def _directed_double(a: np.ndarray, wide: np.ndarray, mode: str) -> np.ndarray:
    if mode == "rn" or a.dtype.itemsize < 8:
        return wide
    error = _error(a, wide)
    wrong = {"rz": error * np.sign(wide) < 0, "rm": error < 0, "rp": error > 0}[mode]
    towards = {"rz": 0.0, "rm": -np.inf, "rp": np.inf}[mode]
    return np.where(wrong, np.nextafter(wide, towards), wide)


def _narrow(result: str, mode: str) -> Callable:
    """Rounds a float to the bits (halves) or the value (f32) of a narrower one."""
    if result == "f32":
        return lambda a: formats.to_float32(a.astype(np.float64), mode)
    if mode not in ("rn", "rz"):
        raise PtxError(f"rounding {mode} to {result}")
    bits = formats.f16_bits if result == "f16" else formats.bf16_bits
    return lambda a: bits(a, mode)


def _float_to_float(words: Words, mode: str | None, result: str, source: str) -> Operation:
    order = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8}
    if mode in ROUND:
        if result != source:
            raise PtxError(f"unsupported {words.opcode}")
        return Operation(result, (source,), ROUND[mode])
    if order[result] > order[source]:
        if mode:
            raise PtxError(f"{words.opcode}: a wider format needs no rounding")
        dtype = np.float32 if result == "f32" else np.float64
        return Operation(result, (source,), lambda a: a.astype(dtype))
    if result == source:
        if mode:
            raise PtxError(f"{words.opcode}: the same format needs no rounding")
        return Operation(result, (source,), lambda a: a)
    if mode is None:
        raise PtxError(f"{words.opcode}: expected a rounding")
    convert = _narrow(result, mode)
    return Operation("b16" if result in ("f16", "bf16") else result, (source,), convert)


def _packed(words: Words, mode: str | None, result: str, relu: bool) -> Operation:
    """Two floats in one register, the first source in the upper half."""
    if mode not in ("rn", "rz"):
        raise PtxError(f"unsupported {words.opcode}")
    words.one("f32")
    convert = _narrow(result.removesuffix("x2"), mode)

    def pack(high: np.ndarray, low: np.ndarray) -> np.ndarray:
        if relu:
            high, low = (np.where(v < 0, np.float32(0), v + np.float32(0)) for v in (high, low))
        return convert(high).astype(np.uint32) << np.uint32(16) | convert(low)

    return Operation("b32", ("f32", "f32"), pack)


@operation("cvt")
def _cvt(words: Words) -> Operation:
    mode = words.optional("rn", "rz", "rm", "rp", *ROUND)
    relu = words.flag("relu")
    ftz, sat = words.flag("ftz"), words.flag("sat")
    result = words.one(*INTEGERS, *FLOATS, *PACKED)
    if ftz or (relu and result not in PACKED):
        raise PtxError(f"unsupported {words.opcode}")
    if result in PACKED:
        if sat:
            raise PtxError(f"unsupported {words.opcode}")
        return _packed(words, mode, result, relu)
    source = words.one(*INTEGERS, *FLOATS)
    kinds = {result, source}
    if "bf16" in kinds and (sat or kinds & {"s8", "u8"}):
        raise PtxError(f"unsupported {words.opcode}")
    if kinds <= set(INTEGERS):
        found = _integers(words, mode, result, source, sat)
    elif result in INTEGERS:
        if mode not in ROUND:
            raise PtxError(f"{words.opcode}: expected .rni, .rzi, .rmi or .rpi")
        # With or without .sat the result is clamped.
        found = Operation(result, (source,), _float_to_integer(mode, result, source))
    elif source in INTEGERS:
        if mode is None or mode in ROUND or (result in ("f16", "bf16") and mode != "rn"):
            raise PtxError(f"unsupported {words.opcode}")
        found = Operation(result, (source,), _integer_to_float(mode, result))
    else:
        found = _float_to_float(words, mode, result, source)
    if sat and result in FLOATS:
        found = _saturating(found, result)
    return found._replace(loose=True)


def _integers(words: Words, mode: str | None, result: str, source: str, sat: bool) -> Operation:
    limits, given = np.iinfo(_dtype(result)), np.iinfo(_dtype(source))
    if mode or (sat and limits.min <= given.min and given.max <= limits.max):
        raise PtxError(f"unsupported {words.opcode}")
    return Operation(result, (source,), _integer_to_integer(result, source, sat))


def _saturating(found: Operation, result: str) -> Operation:
    """Clamps to [0, 1] after rounding; halves are given as bits."""
    convert, given = found.compute, FORMATS[result]
    if found.result == result:
        return found._replace(compute=lambda a: saturate(convert(a)))
    return found._replace(compute=lambda a: given.encode(saturate(given.decode(convert(a)))))


@operation("mov")
def _mov(words: Words) -> Operation:
    """Copies a register; vectors are handled by the program."""
    kind = words.one(
        *("pred", "b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64")
    )
    bits = kind if kind == "pred" else f"b{kind[1:]}"
    return Operation(bits, (bits,), lambda a: a)


@operation("cvta")
def _cvta(words: Words) -> Operation:
    """Between generic and global addresses, which are equal."""
    words.flag("to")
    words.one("global")
    words.one("u64")
    return Operation("b64", ("b64",), lambda a: a)


@operation("createpolicy")
def _createpolicy(words: Words) -> Operation:
    """A cache policy; the emulator has no cache."""
    words.one("fractional")
    words.one("L2::evict_first", "L2::evict_last", "L2::evict_normal", "L2::evict_unchanged")
    words.one("b64")
    return Operation("b64", ("f32",), lambda a: np.zeros(a.shape, np.uint64))
