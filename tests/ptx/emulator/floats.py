"""Floating-point arithmetic; ``add``, ``mul`` and others of integers are passed on."""

from collections.abc import Callable

import numpy as np

from tests.ptx.emulator import formats, integers
from tests.ptx.emulator.operation import Operation, Words, operation
from tests.ptx.emulator.text import PtxError

HALVES = ("f16", "bf16", "f16x2", "bf16x2")
FLOATS = ("f32", "f64", *HALVES)
SATURATING = ("f32", "f16", "f16x2")
ROUNDINGS = ("rn", "rz", "rm", "rp")
_SMALLEST = 2.0**-126


def flush(value: np.ndarray) -> np.ndarray:
    """Replaces subnormals of float32 (or bfloat16) by zeros of their sign."""
    small = np.abs(value) < _SMALLEST
    return np.where(small, np.copysign(value.dtype.type(0), value), value)


def saturate(value: np.ndarray) -> np.ndarray:
    """Clamps to [0, 1]; NaN becomes 0."""
    return np.where(np.isnan(value), value.dtype.type(0), np.clip(value, 0, 1) + 0)


def arithmetic(
    kind: str,
    function: Callable[..., np.ndarray],
    *,
    sources: int,
    ftz: bool = False,
    sat: bool = False,
) -> Operation:
    """Operation of :obj:`sources` floats of one format, with flushing and saturation."""

    def compute(*values: np.ndarray) -> np.ndarray:
        result = function(*(map(flush, values) if ftz else values))
        result = flush(result) if ftz else result
        return saturate(result) if sat else result

    return Operation(kind, (kind,) * sources, compute)


def _is_integer(words: Words) -> bool:
    return words.rest[-1] in integers.INTEGERS


def _sum(words: Words, sign: int) -> Operation:
    """``add`` and ``sub``. Half formats are computed in float64 rounded to odd."""
    if _is_integer(words):
        return integers.integer_sum(words, sign < 0)
    mode = words.optional("rn", "rz") or "rn"
    ftz, sat = words.flag("ftz"), words.flag("sat")
    kind = words.one("f32", "f64", "f32x2", *HALVES)
    if source := kind == "f32" and words.optional("f16", "bf16"):
        if ftz or sat:
            raise PtxError(f"unsupported {words.opcode}")
        return Operation(
            "f32",
            (source, "f32"),
            lambda a, b: formats.to_float32(formats.sum_to_odd(a, sign * _double(b)), mode),
        )
    if kind == "f32":

        def directed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return formats.to_float32(formats.sum_to_odd(_double(a), sign * _double(b)), mode)

        nearest = np.add if sign > 0 else np.subtract
        function = nearest if mode == "rn" else directed
        return arithmetic(kind, function, sources=2, ftz=ftz, sat=sat)
    if mode != "rn" or ftz or (sat and kind not in SATURATING):
        raise PtxError(f"unsupported {words.opcode}")
    if kind in HALVES:
        return arithmetic(kind, lambda a, b: formats.sum_to_odd(a, sign * b), sources=2, sat=sat)
    return arithmetic(kind, np.add if sign > 0 else np.subtract, sources=2, sat=sat)


def _double(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float64)


@operation("add")
def _add(words: Words) -> Operation:
    return _sum(words, 1)


@operation("sub")
def _sub(words: Words) -> Operation:
    return _sum(words, -1)


@operation("mul")
def _mul(words: Words) -> Operation:
    if _is_integer(words):
        return integers.integer_product(words, adds=False)
    mode = words.optional(*ROUNDINGS) or "rn"
    ftz, sat = words.flag("ftz"), words.flag("sat")
    kind = words.one(*FLOATS, "f32x2")
    if kind == "f32" and mode != "rn":

        def directed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            return formats.to_float32(_double(a) * b, mode)

        return arithmetic(kind, directed, sources=2, ftz=ftz, sat=sat)
    if mode != "rn" or (ftz and kind != "f32") or (sat and kind not in SATURATING):
        raise PtxError(f"unsupported {words.opcode}")
    return arithmetic(kind, np.multiply, sources=2, ftz=ftz, sat=sat)


@operation("fma", "mad")
def _fma(words: Words) -> Operation:
    if _is_integer(words):
        if words.first == "fma":
            raise PtxError(f"unsupported {words.opcode}")
        return integers.integer_product(words, adds=True)
    mode = words.one("rn", "rz")
    ftz, sat, relu = words.flag("ftz"), words.flag("sat"), words.flag("relu")
    kind = words.one(*((*FLOATS, "f32x2") if words.first == "fma" else ("f32", "f64")))
    bad_sat = sat and (relu or kind not in SATURATING)
    only_f32 = mode != "rn" or ftz
    if bad_sat or (relu and kind not in HALVES) or (only_f32 and kind != "f32"):
        raise PtxError(f"unsupported {words.opcode}")
    if kind == "f32" and mode != "rn":

        def function(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
            return formats.to_float32(formats.fma_to_odd(_double(a), b, c), mode)

    elif kind in HALVES:

        def function(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
            total = formats.fma_to_odd(a, b, c)
            return np.where(total < 0, 0.0, total) if relu else total

    else:
        function = formats.fma_float64 if kind == "f64" else formats.fma_float32
    return arithmetic(kind, function, sources=3, ftz=ftz, sat=sat)


@operation("div")
def _div(words: Words) -> Operation:
    """Division; ``approx`` and ``full`` are rounded to nearest."""
    if _is_integer(words):
        return integers.integer_division(words, rest=False)
    exact = words.one("rn", "full", "approx") == "rn"
    ftz = words.flag("ftz")
    kind = words.one("f32", "f64") if exact and not ftz else words.one("f32")
    return arithmetic(kind, np.divide, sources=2, ftz=ftz)


def _through_double(function: Callable[[np.ndarray], np.ndarray]) -> Callable:
    def compute(a: np.ndarray) -> np.ndarray:
        return function(a.astype(np.float64)).astype(a.dtype)

    return compute


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rcp": lambda a: 1.0 / a,
    "sqrt": np.sqrt,
    "rsqrt": lambda a: 1.0 / np.sqrt(a),
    "ex2": np.exp2,
    "lg2": np.log2,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
}


@operation(*FUNCTIONS)
def _function(words: Words) -> Operation:
    """Functions of one number; approximations are rounded to nearest."""
    exact = words.first in ("rcp", "sqrt") and words.flag("rn")
    if not exact:
        words.one("approx")
    ftz = words.first != "tanh" and words.flag("ftz")
    kinds = ["f32"]
    if exact and not ftz:
        kinds.append("f64")
    if words.first == "ex2":
        kinds += HALVES[1::2] if ftz else HALVES[::2]
    if words.first == "tanh":
        kinds += HALVES
    kind = words.one(*kinds)
    function = _through_double(FUNCTIONS[words.first])
    return arithmetic(kind, function, sources=1, ftz=ftz)


def _pick(a: np.ndarray, b: np.ndarray, largest: bool, nan: bool) -> np.ndarray:
    """The larger or smaller number; +0 is larger than -0. NaN loses, or wins if :obj:`nan`."""
    first = np.where(np.signbit(a) == largest, b, a)  # of two zeros
    compared = np.where(a > b, a, b) if largest else np.where(a < b, a, b)
    result = np.where((a == b) & (a == 0), first, compared)
    if nan:
        return np.where(np.isnan(a) | np.isnan(b), a.dtype.type(np.nan), result)
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, result))


@operation("min", "max")
def _extreme(words: Words) -> Operation:
    largest = words.first == "max"
    if words.rest[-1] in integers.INTEGERS:
        relu = words.flag("relu")
        kind = words.one(*(("s32",) if relu else integers.INTEGERS))
        function = np.maximum if largest else np.minimum
        if relu:
            return Operation(kind, (kind, kind), lambda a, b: np.maximum(function(a, b), 0))
        return Operation(kind, (kind, kind), function)
    ftz, nan, absolute = words.flag("ftz"), words.flag("NaN"), words.flag("xorsign")
    kind = words.one(*FLOATS)
    if absolute or (ftz and kind != "f32") or (nan and kind == "f64"):
        raise PtxError(f"unsupported {words.opcode}")

    def pick(first: np.ndarray, *more: np.ndarray) -> np.ndarray:
        for other in more:
            first = _pick(first, other, largest, nan)
        return first

    three = words.sources == 3 and kind == "f32"
    return arithmetic(kind, pick, sources=3 if three else 2, ftz=ftz)


_SIGNS = {"f16": 0x8000, "bf16": 0x8000, "f32": 1 << 31, "f64": 1 << 63} | dict.fromkeys(
    ("f16x2", "bf16x2"), 0x80008000
)


@operation("abs", "neg")
def _sign(words: Words) -> Operation:
    if words.rest[-1] in integers.SIGNED:
        kind = words.one(*integers.SIGNED)
        return Operation(kind, (kind,), np.abs if words.first == "abs" else np.negative)
    ftz = words.flag("ftz")
    kind = words.one(*FLOATS)
    if ftz and kind != "f32":
        raise PtxError(f"unsupported {words.opcode}")
    if ftz:
        function = np.abs if words.first == "abs" else np.negative
        return arithmetic(kind, function, sources=1, ftz=True)
    bits = f"b{formats.FORMATS[kind].bits}"
    sign = formats.FORMATS[bits].raw(_SIGNS[kind])
    if words.first == "abs":
        return Operation(bits, (bits,), lambda a: a & ~sign)
    return Operation(bits, (bits,), lambda a: a ^ sign)


@operation("copysign")
def _copysign(words: Words) -> Operation:
    kind = words.one("f32", "f64")
    bits = f"b{kind[1:]}"
    sign = formats.FORMATS[bits].raw(_SIGNS[kind])
    return Operation(bits, (bits, bits), lambda a, b: a & sign | b & ~sign)


@operation("testp")
def _testp(words: Words) -> Operation:
    name = words.one("finite", "infinite", "number", "notanumber", "normal", "subnormal")
    kind = words.one("f32", "f64")
    tiny = {"f32": 2.0**-126, "f64": 2.0**-1022}[kind]
    tests: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "finite": np.isfinite,
        "infinite": np.isinf,
        "number": lambda a: ~np.isnan(a),
        "notanumber": np.isnan,
        "normal": lambda a: np.isfinite(a) & ((np.abs(a) >= tiny) | (a == 0)),
        "subnormal": lambda a: (np.abs(a) < tiny) & (a != 0),
    }
    return Operation("pred", (kind,), tests[name])
