"""``gatsparse train``: trains the model of a configuration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gatsparse_cli.config_keys import unknown_key


def add_parser(commands: Any) -> None:
    """Adds the command to the subparsers of ``gatsparse``."""
    parser = commands.add_parser(
        "train",
        usage="gatsparse train [-h] CONFIG [--key value ...]",
        help="train the model of a configuration",
        description="Train the model of a configuration; `gatsparse train CONFIG --help` "
        "lists the keys.",
        epilog="example: gatsparse train configs/cora.yaml --seeds 10 --model.heads 4",
        allow_abbrev=False,
    )
    parser.add_argument("config", metavar="CONFIG", help="YAML file, such as configs/cora.yaml")
    parser.add_argument(
        "overrides",
        metavar="--key value",
        nargs=argparse.REMAINDER,
        help="override a key, such as --epochs 5 --model.kind pyg --seeds 10",
    )
    parser.set_defaults(run=run, unknown="expected CONFIG before")


def run(arguments: argparse.Namespace) -> int:
    """Trains; returns the exit code of the process."""
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
