"""Runs hand-written PTX in the emulator: one instruction on rows of operands, or a whole body."""

import re
import struct
from collections.abc import Sequence

import numpy as np

from tests.ptx.emulator.buffers import Buffer, GlobalMemory
from tests.ptx.emulator.chunk import Counts
from tests.ptx.emulator.machine import Machine
from tests.ptx.emulator.text import parse

#: Bits of infinity, and of the NaN that arithmetic returns; B is bfloat16.
INF16, INFB, INF32, INF64 = 0x7C00, 0x7F80, 0x7F800000, 0x7FF0000000000000
NAN16, NANB, NAN32, NAN64 = 0x7FFF, 0x7FFF, 0x7FFFFFFF, 0x7FF8000000000000
QUIET32 = 0x7FC00000  # a NaN that arithmetic does not return
MINUS0_16, MINUS0_32, MINUS0_64 = 0x8000, 1 << 31, 1 << 63
#: 1, 2 and 3 in bfloat16.
B1, B2, B3 = 0x3F80, 0x4000, 0x4040

_LETTERS = {"p": "pred", "h": "b16", "r": "b32", "d": "b64"}
_TYPE = {"b8": "h", "b16": "h", "b32": "r", "b64": "d", "pred": "p"}


def pair16(low: int, high: int) -> int:
    """Bits of two numbers of 16 bits in one register."""
    return high << 16 | low


def f16(value: float) -> int:
    """Bits of a number in float16."""
    return struct.unpack("<H", struct.pack("<e", value))[0]


def f32(value: float) -> int:
    """Bits of a number in float32."""
    return struct.unpack("<I", struct.pack("<f", value))[0]


def f64(value: float) -> int:
    """Bits of a number in float64."""
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def kernel(body: str, buffers: int, threads: int = 32, shared: int = 0) -> str:
    """PTX of a kernel.

    The address of buffer k is in ``%buffer<k>``, ``%t`` is the number of the thread, ``%row0`` to
    ``%row3`` are 1, 2, 4 and 8 times the thread's number in the grid (64 bits).
    """
    parameters = ",\n".join(f".param .u64 .ptr .global .align 1 p{k}" for k in range(buffers))
    loads = "\n".join(f"ld.param.b64 %buffer{k}, [p{k}];" for k in range(buffers))
    registers = "\n".join(f".reg .{kind} %{name}<64>;" for name, kind in _LETTERS.items())
    memory = f".shared .align 16 .b8 memory[{shared}];" if shared else ""
    return f"""
.version 8.5
.target sm_90a
.address_size 64
{memory}
.visible .entry snippet(
{parameters}
)
.reqntid {threads}
{{
{registers}
.reg .b64 %buffer<{buffers + 1}>;
.reg .b32 %t, %first;
.reg .b64 %row<4>;
{loads}
mov.u32 %t, %tid.x;
mov.u32 %first, %ctaid.x;
mad.lo.s32 %first, %first, {threads}, %t;
cvt.u64.u32 %row0, %first;
shl.b64 %row1, %row0, 1;
shl.b64 %row2, %row0, 2;
shl.b64 %row3, %row0, 3;
{body}
ret;
}}
"""


def run(
    body: str,
    *arrays: np.ndarray,
    threads: int = 32,
    grid: Sequence[int] = (1,),
    shared: int = 0,
    schedule: str = "lockstep",
    seed: int = 0,
    known: dict[int, np.ndarray] | None = None,
) -> Counts:
    """Runs a body (see :func:`kernel`) on arrays, which it changes in place.

    Args:
        body (str): PTX.
        arrays: Contiguous arrays, one for each buffer.
        threads (int): Threads of a program.
        grid (sequence): Number of programs.
        shared (int): Bytes of the shared variable ``memory``.
        schedule (str): Schedule of the machine.
        seed (int): Its seed.
        known (dict): Which bytes of a buffer were written, bool by its number.
    """
    machine = Machine(parse(kernel(body, len(arrays), threads, shared)), schedule, seed)
    memory, parameters = GlobalMemory(), {}
    for place, array in enumerate(arrays):
        data = array.reshape(-1).view(np.uint8)
        buffer = Buffer(data, array.dtype.itemsize, f"buffer{place}", (known or {}).get(place))
        address = memory.add(buffer, 0, data.size, 0, f"buffer{place}")
        parameters[f"p{place}"] = np.array([address], np.uint64)
    return machine.launch(grid, parameters, memory)


def _move(kind: str, number: int, buffer: int) -> str:
    """Loads a column of operands into the register of a number."""
    letter = _TYPE[kind]
    bits = {"pred": 8}.get(kind) or int(kind[1:])
    row = {8: 0, 16: 1, 32: 2, 64: 3}[bits]
    add = f"add.s64 %d{number + 32}, %buffer{buffer}, %row{row};\n"
    if kind == "pred":
        return (
            f"{add}ld.global.u8 %h{number}, [%d{number + 32}];\n"
            f"setp.ne.b16 %p{number}, %h{number}, 0;\n"
        )
    return f"{add}ld.global.b{bits} %{letter}{number}, [%d{number + 32}];\n"


def evaluate(text: str, form: str, rows: Sequence[Sequence[int]]) -> list[int]:
    """Returns the bits that an instruction computes for each row of operands.

    Args:
        text (str): The opcode, or the instruction with its operands as ``{0}`` for the result and
            ``{1}``, ``{2}``, ... for the sources.
        form (str): Types of the sources and of the result, ``b32 b32 -> b32``.
        rows (sequence): Bits of the sources, at most 32 rows.
    """
    sources, result = (part.split() for part in form.split("->"))
    kinds = [*result, *sources]
    registers = [f"%{_TYPE[kind]}{number}" for number, kind in enumerate(kinds)]
    if "{" not in text:
        text += " " + ", ".join(f"{{{place}}}" for place in range(len(kinds)))
    text = re.sub(r"\{(\d+)\}", lambda found: registers[int(found.group(1))], text)
    columns = []
    for place, kind in enumerate(sources):
        dtype = {"pred": "u1", "b8": "u1"}.get(kind) or f"u{int(kind[1:]) // 8}"
        columns.append(np.zeros(32, dtype))
        columns[-1][: len(rows)] = [row[place] for row in rows]
    loads = "".join(_move(kind, k + 1, k) for k, kind in enumerate(sources))
    target = result[0]
    bits = {"pred": 32, "b8": 8}.get(target) or int(target[1:])
    out = np.zeros(32, f"u{bits // 8}")
    store = f"add.s64 %d63, %buffer{len(sources)}, %row{ {8: 0, 16: 1, 32: 2, 64: 3}[bits] };\n"
    if target == "pred":
        store += "selp.b32 %r62, 1, 0, %p0;\nst.global.b32 [%d63], %r62;\n"
    else:
        store += f"st.global.b{bits} [%d63], {registers[0]};\n"
    run(f"{loads}{text};\n{store}", *columns, out)
    return out[: len(rows)].tolist()
