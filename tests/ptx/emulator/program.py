"""Decodes a kernel into basic blocks of functions that run one instruction in many threads."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tests.ptx.emulator import conversions, floats, integers, operation, warps
from tests.ptx.emulator.accesses import access
from tests.ptx.emulator.chunk import Chunk
from tests.ptx.emulator.memory_steps import load, matrices, parameter, store
from tests.ptx.emulator.operands import Operands
from tests.ptx.emulator.operation import Words
from tests.ptx.emulator.text import (
    Instruction,
    Kernel,
    Pair,
    PtxError,
    Register,
    Symbol,
    Vector,
)

TABLES = (conversions, floats, integers)  # importing them fills the table of operations

#: step(chunk, mask): runs an instruction in the lanes of a mask, None for all.
Step = Callable[[Chunk, "np.ndarray | None"], None]


class End(NamedTuple):
    """How a block ends: threads go on to ``target`` (or end, or wait) if the guard holds.

    Args:
        kind (str): ``next``, ``branch``, ``return`` or ``barrier``.
        guard: Reads the predicate; None if there is none.
        target (int): Block that a branch goes to.
        text (str): The instruction.
    """

    kind: str
    guard: Callable[[Chunk], np.ndarray] | None = None
    target: int = -1
    text: str = ""


class Block(NamedTuple):
    """Instructions that run one after the other."""

    steps: tuple[tuple[Step, str], ...]
    end: End
    opcodes: tuple[str, ...]


class Program(NamedTuple):
    """A decoded kernel.

    Args:
        kernel (Kernel): The parsed kernel.
        blocks (tuple): Its blocks in the order of the text.
        registers (list): Unsigned dtype of each register.
    """

    kernel: Kernel
    blocks: tuple[Block, ...]
    registers: list[type]


def _control(instruction: Instruction) -> str | None:
    first = instruction.opcode.split(".")[0]
    if first in ("ret", "exit"):
        return "return"
    if first == "bra":
        return "branch"
    barrier = first in ("bar", "barrier") and not instruction.opcode.startswith("bar.warp")
    return "barrier" if barrier else None


def _is_memory(instruction: Instruction) -> bool:
    first, *rest = instruction.opcode.split(".")
    return first in ("ld", "st", "ldmatrix", "stmatrix") and "param" not in rest


def _warp_barrier(instruction: Instruction, operands: Operands) -> Step:
    """``bar.warp.sync`` orders the threads of a warp, which run in step."""
    words = Words(instruction.opcode)
    words.one("warp")
    words.one("sync")
    words.end()
    mask_of = operands.read(instruction.operands[0], "b32")

    def step(chunk: Chunk, mask: np.ndarray | None) -> None:
        active = chunk.warps(np.array([True]) if mask is None else mask)
        warps.check_members(active, chunk.warps(mask_of(chunk)), instruction.opcode)

    return step


def _trap(chunk: Chunk, mask: np.ndarray | None) -> None:
    if mask is None or mask.any():
        program = int(chunk.program[0 if mask is None else np.argmax(mask)])
        raise warps.Fault(f"trap in program {program}")


def _warp(instruction: Instruction, operands: Operands) -> Step:
    found = warps.decode(instruction.opcode)
    target, *given = instruction.operands
    if isinstance(target, Pair) and not found.second:
        raise PtxError(f"{instruction.text}: one destination expected")
    first, second = (target.first, target.second) if isinstance(target, Pair) else (target, None)
    if len(given) != len(found.sources):
        raise PtxError(f"{instruction.text}: expected {len(found.sources)} sources")
    read = [operands.read(o, kind) for o, kind in zip(given, found.sources, strict=True)]
    write = operands.write(first, found.result)
    write_second = operands.write(second, found.second) if second else None

    def step(chunk: Chunk, mask: np.ndarray | None) -> None:
        active = chunk.warps(np.array([True]) if mask is None else mask)
        values = [chunk.warps(source(chunk)) for source in read]
        if values:
            warps.check_members(active, values[-1].astype(np.uint32), instruction.opcode)
        results = found.compute(active, *values)
        result, predicate = results if isinstance(results, tuple) else (results, None)
        write(chunk, np.ascontiguousarray(result).reshape(-1), mask)
        if write_second:
            write_second(chunk, np.ascontiguousarray(predicate).reshape(-1), mask)

    return step


def _value(instruction: Instruction, operands: Operands) -> Step:
    """An operation of every thread alone."""
    target, *given = instruction.operands
    found = operation.decode(instruction.opcode, len(given))
    results = found.result.split("|")
    targets = [target.first, target.second] if isinstance(target, Pair) else [target]
    if len(given) != len(found.sources) or len(targets) > len(results):
        raise PtxError(f"{instruction.text}: wrong number of operands")
    read = [
        operands.read(o, kind, found.loose) for o, kind in zip(given, found.sources, strict=True)
    ]
    writes = [
        operands.write(o, kind, found.loose) for o, kind in zip(targets, results, strict=False)
    ]
    compute = found.compute
    if len(results) == 1:
        (write,) = writes
        return lambda chunk, mask: write(chunk, compute(*[r(chunk) for r in read]), mask)

    def step(chunk: Chunk, mask: np.ndarray | None) -> None:
        for write, value in zip(writes, compute(*[r(chunk) for r in read]), strict=False):
            write(chunk, value, mask)

    return step


def _move_vector(instruction: Instruction, operands: Operands) -> Step:
    """``mov`` between a register and the registers that hold its parts."""
    words = Words(instruction.opcode)
    kind = words.one("b16", "b32", "b64")
    words.end()
    target, source = instruction.operands
    parts = target if isinstance(target, Vector) else source
    if not isinstance(parts, Vector) or isinstance(target, Vector) == isinstance(source, Vector):
        raise PtxError(instruction.text)
    count = len(parts.elements)
    part = f"b{int(kind[1:]) // count}"
    part_dtype, whole_dtype = (f"u{int(name[1:]) // 8}" for name in (part, kind))
    if isinstance(target, Vector):
        read = operands.read(source, kind)
        writes = [operands.write(element, part) for element in parts.elements]

        def unpack(chunk: Chunk, mask: np.ndarray | None) -> None:
            pieces = np.ascontiguousarray(read(chunk)).view(part_dtype).reshape(-1, count)
            for place, write in enumerate(writes):
                write(chunk, pieces[:, place].copy(), mask)

        return unpack
    reads = [operands.read(element, part) for element in parts.elements]
    write = operands.write(target, kind)

    def pack(chunk: Chunk, mask: np.ndarray | None) -> None:
        pieces = [np.broadcast_to(read(chunk), (chunk.lanes,)) for read in reads]
        write(chunk, np.stack(pieces, 1).view(whole_dtype).reshape(-1), mask)

    return pack


def _step(instruction: Instruction, operands: Operands) -> Step:
    """Returns the function of an instruction, without its guard."""
    first = instruction.opcode.split(".")[0]
    if first in ("ld", "st"):
        found = access(instruction.opcode)
        if found.space == "param":
            return parameter(instruction, found, operands)
        return (load if found.load else store)(instruction, found, operands)
    if first in ("ldmatrix", "stmatrix"):
        return matrices(instruction, operands)
    if instruction.opcode == "trap":
        return _trap
    if instruction.opcode.startswith("bar.warp"):
        return _warp_barrier(instruction, operands)
    if first in warps.WARP_OPERATIONS:
        return _warp(instruction, operands)
    if first == "mov" and any(isinstance(o, Vector) for o in instruction.operands):
        return _move_vector(instruction, operands)
    return _value(instruction, operands)


def _guarded(step: Step, guard: Callable[[Chunk], np.ndarray]) -> Step:
    def guarded(chunk: Chunk, mask: np.ndarray | None) -> None:
        holds = guard(chunk)
        mask = holds if mask is None else mask & holds
        step(chunk, None if mask.all() else mask)

    return guarded


def _barrier(instruction: Instruction, kernel: Kernel) -> None:
    """Checks that a barrier waits for all threads of the program."""
    words = Words(instruction.opcode)
    words.flag("cta")
    words.one("sync")
    words.flag("aligned")
    words.end()
    values = [getattr(o, "value", None) for o in instruction.operands]
    if instruction.guard or values[:1] != [0] or values[1:] not in ([], [kernel.threads]):
        raise PtxError(f"unsupported {instruction.text}")


def _end(
    control: str,
    found: Instruction,
    kernel: Kernel,
    guard: Callable[[Chunk], np.ndarray] | None,
    number: dict[int, int],
) -> End:
    """Returns the end of a block that an instruction makes; blocks have a number by position."""
    target = -1
    if control == "branch":
        (place,) = found.operands
        if found.opcode not in ("bra", "bra.uni") or not isinstance(place, Symbol):
            raise PtxError(f"{kernel.name}: {found.text}")
        target = number[kernel.labels[place.name]]
    elif control == "barrier":
        _barrier(found, kernel)
    return End(control, guard, target, found.text)


def decode(kernel: Kernel, split_memory: bool = False) -> Program:
    """Decodes all instructions of a kernel.

    Args:
        kernel (Kernel): The parsed kernel.
        split_memory (bool): Whether blocks end after every access to memory, so that warps
            interleave there.

    Raises:
        PtxError: If an instruction is not supported.
    """
    operands = Operands(kernel)
    starts = {0, *kernel.labels.values()}
    for place, found in enumerate(kernel.instructions):
        if _control(found) or (split_memory and _is_memory(found)):
            starts.add(place + 1)
    starts = sorted(place for place in starts if place < len(kernel.instructions))
    number = {place: block for block, place in enumerate(starts)}
    number[len(kernel.instructions)] = len(starts)
    blocks = []
    for start, stop in zip(starts, [*starts[1:], len(kernel.instructions)], strict=True):
        steps, end = [], End("next")
        for found in kernel.instructions[start:stop]:
            guard = operands.read(found.guard, "pred") if found.guard else None
            if (control := _control(found)) is None:
                try:
                    step = _step(found, operands)
                except (PtxError, KeyError, ValueError) as error:
                    raise PtxError(f"{kernel.name}: {found.text}: {error}") from None
                steps.append((_guarded(step, guard) if guard else step, found.text))
                continue
            end = _end(control, found, kernel, guard, number)
        opcodes = tuple(found.opcode for found in kernel.instructions[start:stop])
        blocks.append(Block(tuple(steps), end, opcodes))
    return Program(kernel, tuple(blocks), operands.types)


def stored_parameters(kernel: Kernel) -> set[str]:
    """Returns the parameters whose values can reach the address of a store to global memory."""
    sources: dict[str, set[str]] = {}
    targets: set[str] = set()
    for found in kernel.instructions:
        names = [_names(operand) for operand in found.operands]
        first = found.opcode.split(".")[0]
        if found.opcode.startswith("st.") and ".global" in found.opcode:
            targets |= names[0]
        elif names and not (first == "ld" and ".param" not in found.opcode):
            for name in names[0]:
                sources.setdefault(name, set()).update(*names[1:])
    reached, new = set(), targets
    while new:
        reached |= new
        new = set().union(*(sources.get(name, set()) for name in new)) - reached
    return reached & {parameter.name for parameter in kernel.parameters}


def _names(operand: object) -> set[str]:
    """Names of registers and parameters in an operand."""
    if isinstance(operand, (Register, Symbol)):
        return {operand.name}
    if isinstance(operand, tuple):
        return set().union(*(_names(part) for part in operand))
    return set()
