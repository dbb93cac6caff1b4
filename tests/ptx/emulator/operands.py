"""Reads operands and writes results, in the format that an instruction asks for."""

from collections.abc import Callable

import numpy as np

from tests.ptx.emulator.chunk import Chunk
from tests.ptx.emulator.formats import FORMATS, RAW, Format
from tests.ptx.emulator.text import (
    SINK,
    Immediate,
    Kernel,
    Operand,
    PtxError,
    Register,
    Special,
    Symbol,
)

Read = Callable[[Chunk], np.ndarray]
#: write(chunk, value, mask): the mask is None if all lanes are written.
Write = Callable[[Chunk, np.ndarray, "np.ndarray | None"], None]


class Operands:
    """The registers of a kernel, and access to them.

    Args:
        kernel (Kernel): The parsed kernel.
    """

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.types: list[type] = []
        self._numbers: dict[str, int] = {}

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.types)
            self.types.append(FORMATS[self.kernel.type_of(name)].raw)
        return self._numbers[name]

    def read(self, operand: Operand, kind: str, loose: bool = False) -> Read:
        """Returns a function that reads values of a format.

        Args:
            operand (Operand): A register, special register, constant or shared variable.
            kind (str): Name of the format.
            loose (bool): Whether a register may be wider; its upper bits are dropped.
        """
        wanted = FORMATS[kind]
        if isinstance(operand, Register):
            return self._register(operand, wanted, loose)
        if isinstance(operand, Special):
            if wanted.raw is not np.uint32:
                raise PtxError(f"{operand.name} read as {kind}")
            return lambda chunk: wanted.decode(chunk.special[operand.name])
        if isinstance(operand, Symbol) and operand.name in self.kernel.shared:
            operand = Immediate(self.kernel.shared[operand.name])
        if not isinstance(operand, Immediate):
            raise PtxError(f"operand {operand} read as {kind}")
        value = wanted.decode(_bits(operand, kind, wanted))
        return lambda _: value

    def _register(self, operand: Register, wanted: Format, loose: bool) -> Read:
        number = self._number(operand.name)
        given = self.types[number]
        if operand.negated:
            if given is not np.bool_ or wanted.raw is not np.bool_:
                raise PtxError(f"!{operand.name} is no predicate")
            return lambda chunk: ~chunk.registers[number]
        if given is wanted.raw:
            return lambda chunk: wanted.decode(chunk.registers[number])
        if loose and given is not np.bool_ and np.dtype(given).itemsize * 8 > wanted.bits:
            return lambda chunk: wanted.decode(chunk.registers[number].astype(wanted.raw))
        raise PtxError(f"{operand.name} has {np.dtype(given)}, not {np.dtype(wanted.raw)}")

    def write(self, operand: Operand, kind: str, loose: bool = False) -> Write:
        """Returns a function that writes values of a format.

        Args:
            operand (Operand): A register, or ``_``.
            kind (str): Name of the format.
            loose (bool): Whether the register may be wider; signed values are extended by their
                sign, others by zeros.
        """
        if operand == SINK:
            return lambda *_: None
        if not isinstance(operand, Register) or operand.negated:
            raise PtxError(f"destination {operand}")
        number = self._number(operand.name)
        given, format_ = self.types[number], FORMATS[kind]
        extend = None
        if given is not format_.raw:
            if not loose or given is np.bool_ or np.dtype(given).itemsize * 8 <= format_.bits:
                raise PtxError(f"{operand.name} has {np.dtype(given)}, result {kind}")
            extend = _extension(kind, given)

        def write(chunk: Chunk, value: np.ndarray, mask: np.ndarray | None) -> None:
            bits = format_.encode(value)
            if extend is not None:
                bits = extend(bits)
            if mask is not None:
                bits = np.where(mask, bits, chunk.registers[number])
            elif bits.size != chunk.lanes:
                bits = np.broadcast_to(bits, (chunk.lanes,)).copy()
            chunk.registers[number] = bits

        return write


def _extension(kind: str, raw: type) -> Callable[[np.ndarray], np.ndarray]:
    size = np.dtype(raw).itemsize
    if kind[0] == "s":
        return lambda bits: bits.view(f"i{bits.dtype.itemsize}").astype(f"i{size}").view(raw)
    return lambda bits: bits.astype(raw)


def _bits(operand: Immediate, kind: str, wanted: Format) -> np.ndarray:
    """Bits of a constant, ``[1]``."""
    if operand.bits:
        if operand.bits != wanted.bits or kind[0] in "us":
            raise PtxError(f"a float of {operand.bits} bits read as {kind}")
    elif kind in ("f32", "f64"):
        raise PtxError(f"the integer {operand.value} read as {kind}")
    if wanted.raw is np.bool_:
        return np.array([operand.value != 0])
    if not -(1 << (wanted.bits - 1)) <= operand.value < 1 << wanted.bits:
        raise PtxError(f"{operand.value} read as {kind}")
    return np.array([operand.value & ((1 << wanted.bits) - 1)], RAW[wanted.bits // 8])
