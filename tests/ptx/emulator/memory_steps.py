"""Runs loads and stores in many threads, and counts the sectors that a warp touches."""

from collections.abc import Callable

import numpy as np

from tests.ptx.emulator.accesses import Access
from tests.ptx.emulator.chunk import Chunk
from tests.ptx.emulator.operands import Operands
from tests.ptx.emulator.operation import Words
from tests.ptx.emulator.text import (
    Address,
    Immediate,
    Instruction,
    Operand,
    PtxError,
    Symbol,
    Vector,
)
from tests.ptx.emulator.warps import Fault

Step = Callable[[Chunk, "np.ndarray | None"], None]


def _elements(operand: Operand, count: int) -> tuple[Operand, ...]:
    found = operand.elements if isinstance(operand, Vector) else (operand,)
    if len(found) != count:
        raise PtxError(f"expected {count} registers, got {len(found)}")
    return found


def _address(operand: Operand, space: str, operands: Operands) -> Callable[[Chunk], np.ndarray]:
    """Returns a function to the address of each lane: int64 ``[lanes]``."""
    if not isinstance(operand, Address):
        raise PtxError(f"expected an address, got {operand}")
    offset = operand.offset
    if space == "global":
        read = operands.read(operand.base, "s64")
        return lambda chunk: np.broadcast_to(read(chunk), (chunk.lanes,)) + np.int64(offset)
    base = operand.base
    if isinstance(base, Immediate):
        raise PtxError(f"expected a register or a variable, got {base}")
    read = operands.read(base, "u32")
    return lambda chunk: (
        np.broadcast_to(read(chunk), (chunk.lanes,)).astype(np.int64) + offset & 0xFFFFFFFF
    )


def _lanes(chunk: Chunk, mask: np.ndarray | None) -> np.ndarray:
    return np.arange(chunk.lanes) if mask is None else np.flatnonzero(mask)


def _count(
    chunk: Chunk, name: str, buffer: str, lanes: np.ndarray, address: np.ndarray, size: int
) -> None:
    """Counts warp-wide requests, the distinct 32-byte sectors of each, and bytes."""
    warp = lanes // 32
    # The widest access has 32 bytes and is aligned: one sector per thread.
    sectors = np.unique((warp << 48) | (address >> 5 & (1 << 48) - 1)) if lanes.size else lanes
    chunk.counts.requests[name, buffer] += int(np.count_nonzero(np.diff(warp, prepend=-1)))
    chunk.counts.sectors[name, buffer] += sectors.size
    chunk.counts.bytes[name, buffer] += lanes.size * size


def _read(chunk: Chunk, found: Access, address: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    """Bytes that lanes load, uint8 ``[lanes, size]``."""
    if found.space == "shared":
        return chunk.shared.read(
            _shared(chunk, found.size, address, lanes), found.size, chunk.key[lanes]
        )
    result = np.empty((lanes.size, found.size), np.uint8)
    for window, places in chunk.memory.find(address, found.size):
        offset = address[places] - window.address + window.start
        result[places] = window.buffer.read(offset, found.size, chunk.key[lanes[places]])
        _count(chunk, found.name, window.name, lanes[places], address[places], found.size)
    return result


def _write(
    chunk: Chunk, found: Access, address: np.ndarray, lanes: np.ndarray, value: np.ndarray
) -> None:
    if found.space == "shared":
        chunk.shared.write(_shared(chunk, found.size, address, lanes), value, chunk.key[lanes])
        return
    for window, places in chunk.memory.find(address, found.size):
        offset = address[places] - window.address + window.start
        window.buffer.write(offset, value[places], chunk.key[lanes[places]])
        _count(chunk, found.name, window.name, lanes[places], address[places], found.size)


def _shared(chunk: Chunk, size: int, address: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    """Offsets in the shared memory of all programs."""
    if (address % size).any():
        raise Fault(f"misaligned access of {size} bytes to shared memory")
    if (address + size > chunk.shared_bytes).any():
        bad = int(address.max())
        raise Fault(f"out of bounds: {size} bytes at {bad} of {chunk.shared_bytes} shared bytes")
    return address + chunk.shared_start[lanes]


def _policy(instruction: Instruction, found: Access, operands: Operands) -> None:
    expected = 3 if found.policy else 2
    if len(instruction.operands) != expected:
        raise PtxError(f"expected {expected} operands")
    if found.policy:
        operands.read(instruction.operands[2], "b64")


def load(instruction: Instruction, found: Access, operands: Operands) -> Step:
    """``ld`` of global or shared memory."""
    _policy(instruction, found, operands)
    address_of = _address(instruction.operands[1], found.space, operands)
    targets = _elements(instruction.operands[0], found.elements)
    bits = f"{'s' if found.type[0] == 's' else 'b'}{found.type[1:]}"
    writes = [operands.write(target, bits, loose=True) for target in targets]
    dtype = f"{'i' if bits[0] == 's' else 'u'}{int(bits[1:]) // 8}"

    def step(chunk: Chunk, mask: np.ndarray | None) -> None:
        lanes = _lanes(chunk, mask)
        if not lanes.size:
            return
        value = _read(chunk, found, address_of(chunk)[lanes], lanes).view(dtype)
        for place, write in enumerate(writes):
            if mask is None:
                write(chunk, value[:, place].copy(), None)
            else:
                spread = np.zeros(chunk.lanes, dtype)
                spread[lanes] = value[:, place]
                write(chunk, spread, mask)

    return step


def store(instruction: Instruction, found: Access, operands: Operands) -> Step:
    """``st`` to global or shared memory."""
    _policy(instruction, found, operands)
    address_of = _address(instruction.operands[0], found.space, operands)
    sources = _elements(instruction.operands[1], found.elements)
    bits = f"b{found.type[1:]}"
    reads = [operands.read(source, bits, loose=True) for source in sources]

    def step(chunk: Chunk, mask: np.ndarray | None) -> None:
        lanes = _lanes(chunk, mask)
        if not lanes.size:
            return
        values = [np.broadcast_to(read(chunk), (chunk.lanes,))[lanes] for read in reads]
        value = np.stack(values, 1).view(np.uint8)
        _write(chunk, found, address_of(chunk)[lanes], lanes, value)

    return step


def parameter(instruction: Instruction, found: Access, operands: Operands) -> Step:
    """``ld.param`` of a whole parameter."""
    target, source = instruction.operands
    if not isinstance(source, Address) or not isinstance(source.base, Symbol) or source.offset:
        raise PtxError("expected the name of a parameter")
    name = source.base.name
    types = {parameter.name: parameter.type for parameter in operands.kernel.parameters}
    if int(types[name][1:]) != int(found.type[1:]):
        raise PtxError(f"{name} has type {types[name]}")
    bits = f"{'s' if found.type[0] == 's' else 'b'}{found.type[1:]}"
    write = operands.write(target, bits, loose=True)
    dtype = f"{'i' if bits[0] == 's' else 'u'}{int(bits[1:]) // 8}"
    return lambda chunk, mask: write(chunk, chunk.parameters[name].view(dtype), mask)


def matrices(instruction: Instruction, operands: Operands) -> Step:
    """``ldmatrix`` and ``stmatrix`` of 8 x 8 numbers of 16 bits in shared memory.

    Thread 8 q + r has the address of row r of matrix q. Thread t holds two numbers of each matrix:
    columns 2 (t % 4) and the next of row t // 4, or transposed.
    """
    words = Words(instruction.opcode)
    loads = words.first == "ldmatrix"
    words.one("sync")
    words.one("aligned")
    words.one("m8n8")
    count = int(words.one("x1", "x2", "x4")[1:])
    transposed = words.flag("trans")
    words.one("shared", "shared::cta")
    words.one("b16")
    words.end()
    registers, place = instruction.operands if loads else instruction.operands[::-1]
    address_of = _address(place, "shared", operands)
    elements = _elements(registers, count)
    writes = [operands.write(element, "b32") for element in elements] if loads else []
    reads = [] if loads else [operands.read(element, "b32") for element in elements]
    access = Access(loads, "shared", "b16", 8, False)

    def rows(chunk: Chunk, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        active = chunk.warps(np.array([True]) if mask is None else mask)
        if (active.any(1) != active.all(1)).any():
            raise Fault(f"{instruction.opcode}: not all threads of a warp are active")
        warps = np.flatnonzero(active.any(1))
        lanes = (warps[:, None] * 32 + np.arange(8 * count)).reshape(-1)
        return warps, lanes, address_of(chunk)[lanes]

    def step(chunk: Chunk, mask: np.ndarray | None) -> None:
        warps, lanes, address = rows(chunk, mask)
        if not warps.size:
            return
        if loads:
            whole = _read(chunk, access, address, lanes).view(np.uint16)
            whole = whole.reshape(-1, count, 8, 8)
            whole = whole.swapaxes(2, 3) if transposed else whole
            pairs = np.ascontiguousarray(whole).view(np.uint32).reshape(-1, count, 32)
            for which, write in enumerate(writes):
                spread = np.zeros((chunk.lanes // 32, 32), np.uint32)
                spread[warps] = pairs[:, which]
                write(chunk, spread.reshape(-1), mask)
            return
        held = np.stack([chunk.warps(read(chunk))[warps] for read in reads], 1)
        whole = held.view(np.uint16).reshape(-1, count, 8, 8)
        whole = whole.swapaxes(2, 3) if transposed else whole
        value = np.ascontiguousarray(whole).reshape(-1, 8).view(np.uint8)
        _write(chunk, access, address, lanes, value)

    return step
