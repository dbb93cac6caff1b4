"""Every opcode that the emulator accepts is PTX, and every modifier has a known answer."""

import functools
import subprocess

import pytest

from tests.ptx import (
    test_comparisons,
    test_conversions,
    test_floats,
    test_halves,
    test_integers,
    test_warps,
)
from tests.ptx.compiling import TOOLS
from tests.ptx.emulator import operation, warps
from tests.ptx.emulator.formats import FORMATS
from tests.ptx.exploring import accepted

TYPES = tuple(FORMATS)
_LETTERS = {1: "p", 8: "h", 16: "h", 32: "r", 64: "d"}
#: Operands that must be constants.
_CONSTANTS = {"lop3": {4: "0x96"}, "createpolicy": {1: "0f3F800000"}}
#: Requires compute capability 10: packed float32, and sums of float32 and halves.
_NEW = ("f32x2", "f32.f16", "f32.bf16")


@functools.cache
def opcodes() -> tuple[str, ...]:
    """All accepted opcodes that compute in every thread alone."""
    table = operation.OPERATIONS.items()
    return tuple(
        opcode
        for first, function in table
        for opcode in sorted({*accepted(first, function, TYPES)})
    )


def line(opcode: str) -> str:
    """An instruction with registers of the types that the emulator expects."""
    first = opcode.split(".")[0]
    found = operation.decode(opcode, 0)
    kinds = [*found.result.split("|"), *found.sources]
    names = [f"%{_LETTERS[FORMATS[kind].bits]}{place}" for place, kind in enumerate(kinds)]
    for place, text in _CONSTANTS.get(first, {}).items():
        names[place] = text
    results = len(found.result.split("|"))
    return f"{opcode} {'|'.join(names[:results])}, {', '.join(names[results:])};"


def assemble(lines: list[str], arch: str, tool: str, folder) -> str:
    """Returns what the assembler complains about."""
    registers = ".reg .pred %p<9>; .reg .b16 %h<9>; .reg .b32 %r<9>; .reg .b64 %d<9>;"
    version = "8.8" if "100" in arch else "8.5"
    head = f".version {version}\n.target {arch}\n.address_size 64\n.visible .entry k() {{"
    source = folder / "all.ptx"
    source.write_text("\n".join([head, registers, *lines, "ret;", "}"]))
    command = [TOOLS / tool, f"--gpu-name={arch}", source, "-o", folder / "all.cubin"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(("arch", "tool"), [("sm_90a", "ptxas"), ("sm_100a", "ptxas-blackwell")])
def test_the_assembler_accepts_every_opcode(arch, tool, tmp_path):
    lines = [line(opcode) for opcode in opcodes()]
    if arch == "sm_90a":
        lines = [text for text in lines if not any(name in text.split()[0] for name in _NEW)]
        lines += [text for text in map(line, opcodes()) if text.startswith("cvt.f32.")]
    assert len(lines) > 1000
    assert assemble(lines, arch, tool, tmp_path) == ""


def test_the_assembler_rejects_wrong_opcodes(tmp_path):
    """An error of the table would be seen."""
    for text in ("add.sat.f64 %d0, %d1, %d2;", "setp.lo.s32 %p0, %r1, %r2;"):
        assert "error" in assemble([text], "sm_90a", "ptxas", tmp_path)


def answered(cases: list) -> set[tuple[str, str]]:
    """Pairs of an opcode and a modifier in the known answers."""
    words = [
        word.strip(";").split(".")
        for case in cases
        for part in case[0].split(";")
        if (word := part.split()[0] if part.split() else "")
    ]
    return {(first, modifier) for first, *rest in words for modifier in ("", *rest)}


def test_every_modifier_has_a_known_answer():
    tests = (
        *(test_comparisons, test_conversions, test_floats, test_halves),
        *(test_integers, test_warps),
    )
    cases = [case for test in tests for case in test.CASES]
    offered = {
        (first, modifier)
        for name in opcodes()
        for first, *rest in [name.split(".")]
        for modifier in ("", *rest)
    }
    for first, function in warps.WARP_OPERATIONS.items():
        for name in {*accepted(first, function, TYPES), first}:
            offered |= {(first, modifier) for modifier in ("", *name.split(".")[1:])}
    missing = offered - answered(cases)
    assert not missing, sorted(missing)
