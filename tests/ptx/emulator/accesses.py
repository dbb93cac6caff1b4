"""Loads and stores: how their opcodes and modifiers read."""

from typing import NamedTuple

from tests.ptx.emulator.formats import FORMATS
from tests.ptx.emulator.operation import Words
from tests.ptx.emulator.text import PtxError

SPACES = ("global", "shared", "param")
TYPES = (*(f"{letter}{bits}" for letter in "bus" for bits in (8, 16, 32, 64)), "f32", "f64")
_EVICTION = ("evict_normal", "evict_unchanged", "evict_first", "evict_last", "no_allocate")


class Access(NamedTuple):
    """A load or a store.

    Args:
        load (bool): Whether it is a load.
        space (str): ``global``, ``shared`` or ``param``.
        type (str): Type of an element.
        elements (int): Number of elements.
        policy (bool): Whether the last operand is a cache policy.
    """

    load: bool
    space: str
    type: str
    elements: int
    policy: bool

    @property
    def size(self) -> int:
        """Bytes that a thread accesses."""
        return self.elements * FORMATS[self.type].bits // 8

    @property
    def name(self) -> str:
        return f"{'ld' if self.load else 'st'}.{self.space}"


def access(opcode: str) -> Access:
    """Returns the meaning of ``ld`` and ``st``. Hints about caches have no effect.

    Raises:
        PtxError: If a modifier is not supported.
    """
    words = Words(opcode)
    load = words.first == "ld"
    words.flag("weak")
    space = words.one(*SPACES, "shared::cta").removesuffix("::cta")
    if space == "global":
        words.optional(*(("ca", "cg", "cs", "lu", "cv") if load else ("wb", "cg", "cs", "wt")))
        if load:
            words.flag("nc")
        words.optional(*(f"L1::{name}" for name in _EVICTION))
        words.optional(*(f"L2::{name}" for name in _EVICTION[:4]))
        policy = words.flag("L2::cache_hint")
        if load:
            words.optional("L2::64B", "L2::128B", "L2::256B")
    else:
        policy = False
    vector = words.optional("v2", "v4", "v8") or "v1"
    kind = words.one(*TYPES)
    words.end()
    found = Access(load, space, kind, int(vector[1:]), policy)
    if found.size > (32 if space == "global" else 16) or (space == "param" and found.elements > 1):
        raise PtxError(f"unsupported {opcode}")
    if space == "param" and not load:
        raise PtxError(f"unsupported {opcode}")
    return found
