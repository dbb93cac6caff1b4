"""The table of operations that compute a value of their operands, thread by thread."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.ptx.emulator.text import PtxError


class Words:
    """The modifiers of an opcode, taken from left to right.

    Args:
        opcode (str): ``fma.rn.ftz.f32``.
        sources (int): Number of source operands of the instruction.
    """

    def __init__(self, opcode: str, sources: int = 0):
        self.opcode, self.sources = opcode, sources
        self.first, *self.rest = opcode.split(".")

    def optional(self, *options: str) -> str | None:
        """Takes the next modifier if it is one of :obj:`options`."""
        if self.rest and self.rest[0] in options:
            return self.rest.pop(0)
        return None

    def flag(self, name: str) -> bool:
        """Takes the next modifier if it is :obj:`name`."""
        return self.optional(name) is not None

    def one(self, *options: str) -> str:
        """Takes the next modifier, which must be one of :obj:`options`."""
        if (word := self.optional(*options)) is None:
            raise PtxError(f"{self.opcode}: expected one of {', '.join(options)}")
        return word

    def end(self) -> None:
        """Raises if a modifier is left."""
        if self.rest:
            raise PtxError(f"{self.opcode}: unsupported modifier .{self.rest[0]}")


class Operation(NamedTuple):
    """A value computed of operands.

    Args:
        result (str): Format of the destination; two, separated by a bar, of a pair.
        sources (tuple): Format of each source.
        compute: The sources' values to the result's (a tuple of a pair's). Sources have the shape
            ``[threads]`` or ``[1]``.
        loose (bool): Whether registers may be wider than the formats (``cvt``).
    """

    result: str
    sources: tuple[str, ...]
    compute: Callable[..., Any]
    loose: bool = False


#: Functions of an opcode's modifiers by the opcode.
OPERATIONS: dict[str, Callable[[Words], Operation]] = {}


def operation(*names: str) -> Callable:
    """Registers a function as the meaning of opcodes."""

    def register(function: Callable[[Words], Operation]) -> Callable[[Words], Operation]:
        for name in names:
            OPERATIONS[name] = function
        return function

    return register


def decode(opcode: str, sources: int) -> Operation:
    """Returns the operation of an opcode with a number of source operands.

    Raises:
        PtxError: If the opcode or one of its modifiers is not supported.
    """
    words = Words(opcode, sources)
    if words.first not in OPERATIONS:
        raise PtxError(f"unsupported opcode {opcode}")
    found = OPERATIONS[words.first](words)
    words.end()
    return found
