"""Known answers of comparisons of floats."""

import pytest

from tests.ptx.snippets import (
    B1,
    B2,
    MINUS0_32,
    NAN64,
    QUIET32,
    evaluate,
    f16,
    f32,
    f64,
)

ONE, TWO, THREE = f32(1.0), f32(2.0), f32(3.0)
#: Instruction, types of the operands, and rows of operands with the result last.
CASES = [
    # Comparisons: all but ne and the unordered ones fail of NaN.
    *[
        (
            f"setp.{name}.{kind}",
            f"{bits} {bits} -> pred",
            [(a, b, y) for (a, b), y in zip(pairs, answers, strict=True)],
        )
        for kind, bits, pairs in (
            ("f32", "b32", ((ONE, TWO), (ONE, ONE), (TWO, ONE), (QUIET32, ONE), (MINUS0_32, 0))),
            (
                "f64",
                "b64",
                ((f64(1), f64(2)), (f64(1), f64(1)), (f64(2), f64(1)), (NAN64, 0), (1 << 63, 0)),
            ),
            (
                "f16",
                "b16",
                ((f16(1), f16(2)), (f16(1), f16(1)), (f16(2), f16(1)), (0x7E00, 0), (1 << 15, 0)),
            ),
            ("bf16", "b16", ((B1, B2), (B1, B1), (B2, B1), (B1, 0x7FC0), (1 << 15, 0))),
        )
        for name, answers in {
            "eq": (0, 1, 0, 0, 1),
            "ne": (1, 0, 1, 0, 0),
            "lt": (1, 0, 0, 0, 0),
            "le": (1, 1, 0, 0, 1),
            "gt": (0, 0, 1, 0, 0),
            "ge": (0, 1, 1, 0, 1),
            "equ": (0, 1, 0, 1, 1),
            "neu": (1, 0, 1, 1, 0),
            "ltu": (1, 0, 0, 1, 0),
            "leu": (1, 1, 0, 1, 1),
            "gtu": (0, 0, 1, 1, 0),
            "geu": (0, 1, 1, 1, 1),
            "num": (1, 1, 1, 0, 1),
            "nan": (0, 0, 0, 1, 0),
        }.items()
    ],
]


@pytest.mark.parametrize(("text", "form", "rows"), CASES, ids=[case[0] for case in CASES])
def test_known_answers(text, form, rows):
    found = evaluate(text, form, [row[:-1] for row in rows])
    assert [hex(bits) for bits in found] == [hex(row[-1]) for row in rows]
