"""``gatsparse info``: what is installed, and how to install the rest."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Adds the command to the subparsers of ``gatsparse``."""
    parser = commands.add_parser(
        "info",
        help="show what is installed, and how to install the rest",
        description="Show what is installed, and how to install the rest.",
        epilog="example: gatsparse info --check",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if torch, PyG or the CPU kernels are missing",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report; returns the exit code of the process."""
    from gatsparse_cli.installation import report

    return report(check=arguments.check)
