"""Measures training scripts in the style of PyG's examples: ``python -m benchmarks.scripts``.

Each runs as it is and with the line ``gatsparse.accelerate(model)``. Losses, outputs and gradients
are first compared in float64, without dropout.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.scripts import measure
from benchmarks.scripts.cases import CASES
from benchmarks.sections import Section, write

_TIMES = Section(
    "Scripts",
    measure.times,
    (
        "script",
        "graph",
        "load",
        "function",
        "rounds",
        "PyG (ms)",
        "gatsparse (ms)",
        "gain",
        "95 %",
        "error",
    ),
    "Medians of an epoch of train() and of a call of test(), interleaved; the interval of the gain "
    "is drawn from the rounds. The error is the largest in float64, of the outputs of layers and "
    "of gradients; for ogb and ppi it was computed on smaller graphs.",
)
_ACCURACIES = Section(
    "Accuracy",
    measure.accuracies,
    ("script", "seeds", "epochs", "PyG (%)", "gatsparse (%)", "difference", "95 %"),
    "Mean test accuracy at the epoch of the best validation accuracy; Welch's interval.",
)


def main(arguments: list[str] | None = None) -> int:
    """Measures the scripts; see :func:`benchmarks.sections.write`.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scripts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="interleaved rounds")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=CASES,
        default=list(CASES),
        metavar="SCRIPT",
        help=f"some of {', '.join(CASES)}",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the size of the graphs")
    parser.add_argument("--busy", action="store_true", help="measure with a busy core, too")
    parser.add_argument(
        "--seeds", type=int, default=0, help="seeds of the comparison of accuracies"
    )
    parser.add_argument("--epochs", type=int, default=200, help="epochs of each of its trainings")
    parser.add_argument("--data", type=Path, help="folder of Cora and CiteSeer")
    parser.add_argument("--out", type=Path, help="folder for report.md and scripts.json")
    options = parser.parse_args(arguments)
    if options.seeds == 1:
        parser.error("--seeds: expected 0 or at least 2, got 1")
    sections = {"scripts": _TIMES} | ({"accuracy": _ACCURACIES} if options.seeds else {})
    return write("Scripts", "scripts.json", sections, options)


if __name__ == "__main__":
    sys.exit(main())
