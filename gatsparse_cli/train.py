"""``gatsparse train``: trains the model of a configuration."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from gatsparse_cli.config_keys import unknown_key
from gatsparse_cli.graph_folder import data_instead


def add_parser(commands: Any) -> None:
    """Adds the command to the subparsers of ``gatsparse``."""
    parser = commands.add_parser(
        "train",
        usage="gatsparse train [-h] [--quiet | --json] CONFIG [--key value ...]",
        help="train the model of a configuration",
        description="Train the model of a configuration; `gatsparse train CONFIG --help` "
        "lists the keys.",
        epilog="example: gatsparse train configs/cora.yaml --seeds 10 --model.heads 4",
        parents=[_options()],
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


def _options() -> argparse.ArgumentParser:
    """Options of the command itself, which are also accepted after CONFIG."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument(
        "--quiet",
        dest="output",
        action="store_const",
        const="quiet",
        help="print errors and warnings only",
    )
    formats.add_argument(
        "--json",
        dest="output",
        action="store_const",
        const="json",
        help="print each event (start, epoch, seed, summary) as a line of JSON",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Trains; returns the exit code of the process."""
    arguments, overrides = _options().parse_known_args(arguments.overrides, arguments)
    config = Path(arguments.config).expanduser()
    if not config.exists():  # known without torch
        print(f"gatsparse train: {config}: no such file", file=sys.stderr)
        return 2
    if (message := data_instead(config) or unknown_key(overrides)) is not None:
        print(f"gatsparse train: {message}", file=sys.stderr)
        return 2
    from gatsparse.train import JsonOutput, Output, parse_config, train

    parsed = parse_config(config, overrides)
    if arguments.output is None:
        train(parsed)
        return 0
    output = JsonOutput() if arguments.output == "json" else Output()
    with redirect_stdout(sys.stderr):  # what other packages print, such as downloads
        train(parsed, output=output)
    return 0
