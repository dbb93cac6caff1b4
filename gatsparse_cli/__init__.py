"""The command line: ``gatsparse train`` and ``gatsparse info``.

It is a separate package, because ``import gatsparse`` imports torch and PyG, which takes seconds:
``gatsparse --help`` needs neither, and ``gatsparse info`` reports which one is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gatsparse_cli.config_keys import unknown_key
from gatsparse_cli.failure import failure_of


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
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv[:1] == ["train"] and argv[1:2] and argv[1][:2] == "--" and argv[1] != "--help":
        print(f"gatsparse train: expected CONFIG before {argv[1]}", file=sys.stderr)
        return 2
    arguments = _parser().parse_args(argv)
    run = _info if arguments.command == "info" else _train
    try:
        code = run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Exception, KeyboardInterrupt) as error:
        failure = failure_of(error)
        if failure is None:
            raise
        print(f"gatsparse {arguments.command}: {failure.message}", file=sys.stderr)
        return failure.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gatsparse", description="Train graph attention networks on CPUs."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser(
        "train",
        help="train the model of a configuration",
        epilog="`gatsparse train CONFIG --help` lists the keys.",
    )
    train.add_argument("config", metavar="CONFIG", help="YAML file, such as configs/cora.yaml")
    train.add_argument(
        "overrides",
        metavar="--key value",
        nargs=argparse.REMAINDER,
        help="override a key, such as --epochs 5 --model.kind pyg --seeds 10",
    )
    info = commands.add_parser("info", help="show what is installed, and how to install the rest")
    info.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if torch, PyG or the CPU kernels are missing",
    )
    return parser


def _train(arguments: argparse.Namespace) -> int:
    config = Path(arguments.config).expanduser()
    if not config.exists():  # known without torch
        print(f"gatsparse train: {config}: no such file", file=sys.stderr)
        return 2
    if (message := unknown_key(arguments.overrides)) is not None:
        print(f"gatsparse train: {message}", file=sys.stderr)
        return 2
    from gatsparse.train import parse_config, train

    train(parse_config(config, arguments.overrides))
    return 0


def _info(arguments: argparse.Namespace) -> int:
    from gatsparse_cli.info import report

    return report(check=arguments.check)
