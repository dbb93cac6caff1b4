"""``gatsparse info``: what is installed, or what a run or a saved model is."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_parser(commands: Any) -> None:
    """Adds the command to the subparsers of ``gatsparse``."""
    parser = commands.add_parser(
        "info",
        help="show what is installed, or a run or a saved model",
        description="Show what is installed, and how to install the rest; with MODEL, the model, "
        "the backends of its layers on this machine, and its scores.",
        epilog="example: gatsparse info runs/cora-gatsparse-20260131-120000/seed-0.pt",
        allow_abbrev=False,
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="run folder of gatsparse train, or a file seed-N.pt in it",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if torch, PyG or the CPU kernels are missing",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report; returns the exit code of the process."""
    if arguments.model is None:
        from gatsparse_cli.installation import report

        return report(check=arguments.check)
    if arguments.check:
        print("gatsparse info: --check: expected no MODEL", file=sys.stderr)
        return 2
    from gatsparse_cli.saved_model import describe

    print(describe(arguments.model))
    return 0
