"""Parses PTX: one kernel, its parameters, registers, shared memory and instructions."""

import re
from typing import NamedTuple


class PtxError(Exception):
    """PTX that this emulator does not support, or that breaks the rules of the language."""


class Register(NamedTuple):
    name: str
    negated: bool = False  # !%p of a predicate


class Special(NamedTuple):
    """A register that the machine fills: ``%tid.x``."""

    name: str


class Immediate(NamedTuple):
    """A constant. :obj:`bits` is the size of a float's pattern, 0 for an integer."""

    value: int
    bits: int = 0


class Symbol(NamedTuple):
    """The name of a parameter, a variable or a label."""

    name: str


class Vector(NamedTuple):
    elements: "tuple[Operand, ...]"


class Pair(NamedTuple):
    """Two destinations, ``%r1|%p1``."""

    first: "Operand"
    second: "Operand"


class Address(NamedTuple):
    base: Register | Symbol | Immediate
    offset: int


Operand = Register | Special | Immediate | Symbol | Vector | Pair | Address

#: The destination that throws a result away.
SINK = Symbol("_")


class Instruction(NamedTuple):
    """One instruction.

    Args:
        guard (Register, optional): The predicate that must hold, possibly negated.
        opcode (str): Opcode with modifiers, ``ld.global.v4.b32``.
        operands (tuple): The operands, destination first.
        text (str): The source text.
    """

    guard: Register | None
    opcode: str
    operands: tuple[Operand, ...]
    text: str


class Parameter(NamedTuple):
    name: str
    type: str
    pointer: bool


class Kernel(NamedTuple):
    """A parsed entry function.

    Args:
        name (str): Its name.
        threads (int): Number of threads of a program.
        parameters (tuple): Parameters in order.
        registers (dict): Type of each declared register, or of a numbered family ``%r``.
        shared (dict): Offset of each variable in shared memory.
        shared_bytes (int): Bytes of shared memory of fixed size.
        instructions (tuple): The instructions.
        labels (dict): Position of the instruction after each label.
    """

    name: str
    threads: int
    parameters: tuple[Parameter, ...]
    registers: dict[str, str]
    shared: dict[str, int]
    shared_bytes: int
    instructions: tuple[Instruction, ...]
    labels: dict[str, int]

    def type_of(self, register: str) -> str:
        """Returns the declared type of a register.

        Raises:
            PtxError: If it is not declared.
        """
        for name in (register, register.rstrip("0123456789") + "<>"):
            if name in self.registers:
                return self.registers[name]
        raise PtxError(f"undeclared register {register}")


SPECIAL = re.compile(r"%(tid|ntid|ctaid|nctaid)\.[xyz]|%(laneid|warpid|lanemask_(eq|le|lt|ge|gt))")
_NAME = r"[A-Za-z_$%][\w$]*"


def operand(text: str) -> Operand:
    """Parses one operand.

    Raises:
        PtxError: If it is none that this emulator knows.
    """
    text = text.strip()
    if text.startswith("{"):
        return Vector(tuple(operand(part) for part in split(text[1:-1])))
    if found := re.fullmatch(rf"\[\s*({_NAME}|\d+)\s*(?:\+\s*(-?\d+|0x[0-9a-f]+))?\s*\]", text):
        base = operand(found.group(1))
        assert isinstance(base, (Register, Symbol, Immediate))
        return Address(base, int(found.group(2) or "0", 0))
    if "|" in text:
        first, second = text.split("|")
        return Pair(operand(first), operand(second))
    if SPECIAL.fullmatch(text):
        return Special(text)
    if found := re.fullmatch(r"(!?)(%[\w$]+)", text):
        return Register(found.group(2), bool(found.group(1)))
    if found := re.fullmatch(r"0f([0-9A-Fa-f]{8})|0d([0-9A-Fa-f]{16})", text):
        digits = found.group(1) or found.group(2)
        return Immediate(int(digits, 16), 4 * len(digits))
    if found := re.fullmatch(r"(-?(?:0[xX][0-9A-Fa-f]+|\d+))U?", text):
        return Immediate(int(found.group(1), 0))
    if re.fullmatch(_NAME, text):
        return Symbol(text)
    raise PtxError(f"operand {text!r}")


def split(text: str) -> list[str]:
    """Splits at the commas outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "{[(") - (letter in "}])")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in (part.strip() for part in parts) if part]


def instruction(text: str) -> Instruction:
    """Parses an instruction without its semicolon."""
    found = re.fullmatch(r"(?:@(!?%[\w$]+)\s+)?([a-z][\w.:]*)(?:\s+(.*))?", text)
    if found is None:
        raise PtxError(f"instruction {text!r}")
    guard = operand(found.group(1)) if found.group(1) else None
    assert guard is None or isinstance(guard, Register)
    operands = tuple(operand(part) for part in split(found.group(3) or ""))
    return Instruction(guard, found.group(2), operands, text)


def statements(body: str) -> list[str]:
    """Splits the body of a function into statements, labels (``name:``) and braces of scopes."""
    found, current, depth = [], "", 0
    for letter in body:
        if not current.strip() and letter in "{}":
            found.append(letter)
            current = ""
            continue
        depth += (letter in "{[(") - (letter in "}])")
        if letter == ";" and depth == 0:
            found.append(" ".join(current.split()))
            current = ""
        elif letter == ":" and re.fullmatch(r"\s*[\w$]+", current):
            found.append(current.strip() + ":")
            current = ""
        else:
            current += letter
    if current.strip():
        raise PtxError(f"expected a semicolon after {current.strip()!r}")
    return found


def _without_comments(ptx: str) -> str:
    text = re.sub(r"/\*.*?\*/", " ", re.sub(r"//[^\n]*", "", ptx), flags=re.DOTALL)
    return re.sub(r"(?m)^\s*\.(loc|file|pragma)\b[^\n]*$", "", text)


def _entry(text: str) -> tuple[str, str, str]:
    """Returns the name, the header and the body of the only entry function."""
    found = re.search(r"\.entry\s+([\w$]+)\s*\(", text)
    if found is None or text.count(".entry") != 1:
        raise PtxError("expected PTX with one .entry")
    start = text.index("{", found.end())
    depth, end = 1, start + 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return found.group(1), text[found.end() : start], text[start + 1 : end - 1]


def _parameters(header: str) -> tuple[Parameter, ...]:
    found = []
    for part in split(header[: header.index(")")]):
        form = r"\.param\s+\.(\w+)((?:\s+\.(?:ptr|global|align)(?:\s+\d+)?)*)\s+([\w$]+)"
        match = re.fullmatch(form, part)
        if match is None:
            raise PtxError(f"parameter {part!r}")
        found.append(Parameter(match.group(3), match.group(1), ".ptr" in match.group(2)))
    return tuple(found)


def _shared(text: str) -> tuple[dict[str, int], int]:
    """Returns the offset of each variable in shared memory, and the bytes of fixed size."""
    offsets, size, dynamic = {}, 0, []
    form = r"\.shared\s+(?:\.align\s+(\d+)\s+)?\.b8\s+([\w$]+)\[(\d*)\]"
    for align, name, length in re.findall(form, text):
        size = -(-size // int(align or 1)) * int(align or 1)
        if length:
            offsets[name] = size
            size += int(length)
        else:
            dynamic.append(name)
    if len(offsets) + len(dynamic) != len(re.findall(r"\.shared\s+\.", text)):
        raise PtxError("a declaration of shared memory that is not supported")
    size = -(-size // 16) * 16
    return offsets | dict.fromkeys(dynamic, size), size


class _Scopes:
    """Names of registers in nested scopes; an inner register hides an outer one."""

    def __init__(self):
        self.types: dict[str, str] = {}
        self.renamed: list[dict[str, str]] = []
        self.number = 0

    def declare(self, text: str) -> None:
        found = re.fullmatch(r"\.reg\s+\.(\w+)\s+(.*)", text)
        if found is None:
            raise PtxError(f"declaration {text!r}")
        for name in split(found.group(2)):
            family = re.fullmatch(r"(%[\w$]+)<\d+>", name)
            if family and not self.renamed:
                self.types[family.group(1) + "<>"] = found.group(1)
            elif self.renamed:
                self.number += 1
                inner = f"%scope{self.number}_{name.lstrip('%')}"
                self.renamed[-1][name] = inner
                self.types[inner] = found.group(1)
            else:
                self.types[name] = found.group(1)

    def resolve(self, text: str) -> str:
        def current(found: re.Match) -> str:
            names = [scope[found.group()] for scope in self.renamed if found.group() in scope]
            return names[-1] if names else found.group()

        return re.sub(r"(?<![\w.$])%?[A-Za-z_$][\w$]*", current, text) if self.renamed else text


def parse(ptx: str) -> Kernel:
    """Parses PTX with one entry function.

    Raises:
        PtxError: If it contains what this emulator does not support.
    """
    text = _without_comments(ptx)
    name, header, body = _entry(text)
    threads = re.search(r"\.(?:reqntid|maxntid)\s+(\d+)", header)
    if threads is None:
        raise PtxError(f"{name}: expected .reqntid or .maxntid")
    shared, shared_bytes = _shared(text)
    scopes = _Scopes()
    instructions: list[Instruction] = []
    labels: dict[str, int] = {}
    for statement in statements(body):
        if statement == "{":
            scopes.renamed.append({})
        elif statement == "}":
            scopes.renamed.pop()
        elif statement.endswith(":"):
            labels[statement[:-1]] = len(instructions)
        elif statement.startswith(".reg"):
            scopes.declare(statement)
        elif statement.startswith("."):
            if ".shared" not in statement:
                raise PtxError(f"directive {statement!r}")
        elif statement:
            instructions.append(instruction(scopes.resolve(statement)))
    return Kernel(
        name=name,
        threads=int(threads.group(1)),
        parameters=_parameters(header),
        registers=scopes.types,
        shared=shared,
        shared_bytes=shared_bytes,
        instructions=tuple(instructions),
        labels=labels,
    )
