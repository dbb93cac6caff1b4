"""Operations between the 32 threads of a warp.

Operands have the shape ``[warps, 32]``; :obj:`active` says which threads take part.
"""

from collections.abc import Callable

import numpy as np

from tests.ptx.emulator.operation import Words
from tests.ptx.emulator.text import PtxError

#: compute(active, *sources) -> result or (result, predicate).
Compute = Callable[..., np.ndarray | tuple[np.ndarray, np.ndarray]]
LANE = np.arange(32, dtype=np.int64)[None, :]


class Fault(Exception):  # noqa: N818 - a name of hardware
    """Error of a kernel that a GPU would not report, or that would end it."""


class WarpOperation:
    """An operation between the threads of a warp.

    Args:
        result (str): Format of the destination.
        sources (tuple): Formats of the sources; the last is the mask of the threads that take part.
        compute: Function of the active threads and the sources.
        second (str, optional): Format of the second destination, if there may be one.
    """

    def __init__(self, result: str, sources: tuple[str, ...], compute: Compute, second: str = ""):
        self.result, self.sources, self.compute, self.second = result, sources, compute, second


def check_members(active: np.ndarray, mask: np.ndarray, name: str) -> None:
    """Raises if the threads that execute an operation are not those that its mask names."""
    if (active & (mask != members(active))).any():
        raise Fault(f"{name}: the active threads of a warp are not those of its mask")


def members(active: np.ndarray) -> np.ndarray:
    """The flags of 32 threads as an integer, for each thread: ``[warps, 32]`` uint32."""
    word = (active.astype(np.uint64) << LANE.astype(np.uint64)).sum(1, dtype=np.uint64)
    return np.repeat(word.astype(np.uint32)[:, None], 32, 1)


def _shfl(words: Words) -> WarpOperation:
    words.one("sync")
    mode = words.one("up", "down", "bfly", "idx")
    words.one("b32")

    def shuffle(
        active: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray, _: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        count, clamp, segment = (b & 31).astype(np.int64), (c & 31).astype(np.int64), c >> 8 & 31
        segment = segment.astype(np.int64)
        last = (LANE & segment) | (clamp & ~segment)
        if mode == "up":
            source, valid = LANE - count, LANE - count >= last
        elif mode == "idx":
            source = (LANE & segment) | (count & ~segment)
            valid = source <= last
        else:
            source = LANE + count if mode == "down" else LANE ^ count
            valid = source <= last
        source = np.where(valid, source, LANE)
        taken = np.take_along_axis(active, source, 1)
        if (active & ~taken).any():
            raise Fault(f"{words.opcode}: reads from a thread that does not take part")
        return np.take_along_axis(a, source, 1), valid

    return WarpOperation("b32", ("b32", "b32", "b32", "b32"), shuffle, second="pred")


def _float_extreme(largest: bool, absolute: bool, nan: bool) -> Callable:
    def reduce(value: np.ndarray, active: np.ndarray) -> np.ndarray:
        value = np.abs(value) if absolute else value
        missing = np.float32(-np.inf if largest else np.inf)
        is_nan = np.isnan(value)
        filled = np.where(active & ~is_nan, value, missing)
        # +0 is larger than -0: bits order floats of one sign.
        bits = filled.view(np.int32)
        order = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
        best = order.max(1) if largest else order.min(1)
        result = np.where(best < 0, best ^ 0x7FFFFFFF, best).astype(np.int32).view(np.float32)
        none = (is_nan & active).any(1) if nan else ~(active & ~is_nan).any(1)
        return np.where(none, np.float32(np.nan), result)

    return reduce


def _redux(words: Words) -> WarpOperation:
    words.one("sync")
    name = words.one("add", "min", "max", "and", "or", "xor")
    absolute, nan = words.flag("abs"), words.flag("NaN")
    kind = words.one(
        *(("b32",) if name in ("and", "or", "xor") else ("u32", "s32")),
        *(("f32",) if name in ("min", "max") else ()),
    )
    if (absolute or nan) and kind != "f32":
        raise PtxError(f"unsupported {words.opcode}")
    if kind == "f32":
        reduce = _float_extreme(name == "max", absolute, nan)
    else:
        function, fill = {
            "add": (np.add, lambda _: 0),
            "min": (np.minimum, lambda dtype: np.iinfo(dtype).max),
            "max": (np.maximum, lambda dtype: np.iinfo(dtype).min),
            "and": (np.bitwise_and, lambda dtype: np.iinfo(dtype).max),
            "or": (np.bitwise_or, lambda _: 0),
            "xor": (np.bitwise_xor, lambda _: 0),
        }[name]

        def reduce(value: np.ndarray, active: np.ndarray) -> np.ndarray:
            missing = value.dtype.type(fill(value.dtype))
            return function.reduce(np.where(active, value, missing), axis=1, dtype=value.dtype)

    def compute(active: np.ndarray, a: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.repeat(reduce(a, active)[:, None], 32, 1)

    return WarpOperation(kind, (kind, "b32"), compute)


def _vote(words: Words) -> WarpOperation:
    words.one("sync")
    name = words.one("all", "any", "uni", "ballot")
    words.one("b32" if name == "ballot" else "pred")

    def vote(active: np.ndarray, a: np.ndarray, _: np.ndarray) -> np.ndarray:
        every, some = (a | ~active).all(1), (a & active).any(1)
        if name == "ballot":
            return members(a & active)
        result = {"all": every, "any": some, "uni": every | ~some}[name]
        return np.repeat(np.expand_dims(result, 1), 32, 1)

    return WarpOperation("b32" if name == "ballot" else "pred", ("pred", "b32"), vote)


def _match(words: Words) -> WarpOperation:
    name = words.one("any", "all")
    words.one("sync")
    kind = words.one("b32", "b64")

    def match(
        active: np.ndarray, a: np.ndarray, _: np.ndarray
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        same = (a[:, :, None] == a[:, None, :]) & active[:, None, :]
        found = (same.astype(np.uint64) << LANE.astype(np.uint64)[None]).sum(2, dtype=np.uint64)
        if name == "any":
            return found.astype(np.uint32)
        every = members(active)
        alike = (found.astype(np.uint32) == every) | ~active
        alike = np.repeat(alike.all(1)[:, None], 32, 1)
        return np.where(alike, every, np.uint32(0)), alike

    return WarpOperation("b32", (kind, "b32"), match, second="pred" if name == "all" else "")


def _activemask(words: Words) -> WarpOperation:
    words.one("b32")
    return WarpOperation("b32", (), lambda active: members(active))


def _elect(words: Words) -> WarpOperation:
    words.one("sync")

    def elect(active: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        leader = np.argmax(active, 1)[:, None]
        return np.repeat(leader.astype(np.uint32), 32, 1), leader == LANE

    return WarpOperation("b32", ("b32",), elect, second="pred")


#: Functions of an opcode's modifiers by the opcode.
WARP_OPERATIONS: dict[str, Callable[[Words], WarpOperation]] = {
    "shfl": _shfl,
    "redux": _redux,
    "vote": _vote,
    "match": _match,
    "activemask": _activemask,
    "elect": _elect,
}


def decode(opcode: str) -> WarpOperation:
    """Returns the operation of an opcode.

    Raises:
        PtxError: If one of its modifiers is not supported.
    """
    words = Words(opcode)
    found = WARP_OPERATIONS[words.first](words)
    words.end()
    return found
