"""Reads disassembled NVIDIA machine code: loops, and instructions by kind."""

import re
from collections import Counter
from typing import NamedTuple

#: Kinds that are counted by their first word.
KINDS = (
    *("SHFL", "LDS", "LDSM", "STS", "STSM", "LDL", "STL", "LDC", "ULDC", "BAR", "WARPSYNC"),
    *("ATOM", "ATOMS", "ATOMG", "RED", "LDGSTS", "MUFU", "BRA", "BSSY", "BSYNC"),
    *("FFMA", "FADD", "FMUL", "FSEL", "FSETP", "FMNMX", "HFMA2", "HADD2", "HMUL2", "HMMA"),
    *("DFMA", "DADD", "DMUL", "DSETP", "ISETP", "IADD3", "IMAD", "LEA", "LOP3", "SHF", "SEL"),
    *("PRMT", "MOV", "F2F", "F2FP", "F2I", "I2F", "I2FP", "VOTE", "R2UR", "S2R"),
)
_INSTRUCTION = re.compile(
    r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*(?:\.\w+)*)(.*)"
)
_LABEL = re.compile(r"\s*(\.L_x_\d+):")
_WIDTHS = {"128": 128, "64": 64, "U16": 16, "S16": 16, "U8": 8, "S8": 8}


class Line(NamedTuple):
    """One instruction: its opcode with modifiers, and the rest of the line."""

    opcode: str
    rest: str


def read(text: str) -> tuple[list[Line], dict[str, int]]:
    """Returns the instructions, and for each label the position of the instruction after it."""
    lines, labels = [], {}
    for line in text.splitlines():
        if found := _LABEL.match(line):
            labels[found.group(1)] = len(lines)
        elif found := _INSTRUCTION.match(line):
            lines.append(Line(found.group(1), found.group(2)))
    return lines, labels


def kind(opcode: str) -> str:
    """Returns the kind that an opcode is counted as: ``LDG128`` for ``LDG.E.128.CONSTANT``."""
    first, *rest = opcode.split(".")
    if first in ("LDG", "STG", "LD", "ST"):
        return f"{first}{next((_WIDTHS[word] for word in rest if word in _WIDTHS), 32)}"
    if first == "IMAD":
        return next((f"IMAD.{word}" for word in rest if word in ("WIDE", "MOV", "HI")), "IMAD")
    if first.startswith("U") and first[1:] in KINDS:
        return first
    return first if first in KINDS else "other"


def counts(lines: list[Line]) -> Counter[str]:
    """Returns the number of instructions of each kind, and of ``all`` but padding."""
    found = Counter(kind(line.opcode) for line in lines if line.opcode != "NOP")
    found["all"] = sum(found.values())
    return found


def innermost_loops(text: str) -> list[list[Line]]:
    """Returns the instructions of each loop that contains no other, in order.

    A loop reaches from a label to the last branch back to it. A branch to itself, which ends
    every kernel, is no loop.
    """
    lines, labels = read(text)
    ends: dict[int, int] = {}
    for place, line in enumerate(lines):
        target = (
            re.search(r"`\((\.L_x_\d+)\)", line.rest) if line.opcode.startswith("BRA") else None
        )
        if target and labels.get(target.group(1), place) < place:
            start = labels[target.group(1)]
            ends[start] = max(place, ends.get(start, 0))
    return [
        lines[start : end + 1]
        for start, end in sorted(ends.items())
        if not any(start <= a and b <= end and (a, b) != (start, end) for a, b in ends.items())
    ]


def loop_counts(text: str) -> list[Counter[str]]:
    """Returns :func:`counts` of each innermost loop."""
    return [counts(loop) for loop in innermost_loops(text)]
