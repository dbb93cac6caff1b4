"""The command line ``gatsparse``, one module for each command.

It is a separate package, because ``import gatsparse`` imports torch and PyG, which takes seconds:
``gatsparse --help`` needs neither, and ``gatsparse info`` reports which one is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from gatsparse_cli import explain, info, inspect, predict, train
from gatsparse_cli.failure import failure_of

#: Each has ``add_parser(commands)``, whose parser has a default ``run(arguments) -> exit code``.
_COMMANDS = (inspect, train, predict, explain, info)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv (list of str, optional): Its arguments. (default: the arguments of the process)

    Returns:
        int: 0; 1 if the command failed; 2 if the configuration is wrong; 130 if interrupted.

    Raises:
        SystemExit: After ``--help``, and with code 2 if the command is unknown.
        Exception: An undocumented error, which is a bug of gatsparse.
    """
    name = "gatsparse"
    try:
        arguments, unknown = _parser().parse_known_args(argv)
        name = f"gatsparse {arguments.command}"
        if unknown:
            print(f"{name}: {arguments.unknown} {unknown[0]}", file=sys.stderr)
            return 2
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as error:
        failure = failure_of(error)
        if failure is None:
            raise
        print(f"{name}: {failure.message}", file=sys.stderr)
        return failure.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gatsparse",
        description="Train graph attention networks on CPUs.",
        epilog="example: gatsparse train configs/cora.yaml --seeds 10",
    )
    parser.set_defaults(unknown="no such option:")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser
