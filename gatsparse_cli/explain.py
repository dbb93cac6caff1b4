"""``gatsparse explain``: a page about what the model of a run attends to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gatsparse_cli.dataset_keys import add_data_option, errors_of_files, keys_of_files
from gatsparse_cli.numbers import at_least
from gatsparse_cli.out_file import check_out


def add_parser(commands: Any) -> None:
    """Adds the command to the subparsers of ``gatsparse``."""
    parser = commands.add_parser(
        "explain",
        help="write a page about what the model of a run attends to",
        description="Write one HTML page, which needs no network: losses and scores, confusion "
        "matrix, attention of each layer and head, single nodes with their neighbours, and a test "
        "of whether the attention matters.",
        epilog="example: gatsparse explain runs/cora-gatsparse-20260131-120000 --out cora.html",
        allow_abbrev=False,
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of gatsparse train")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="file to write: .html"
    )
    parser.add_argument(
        "--node",
        metavar="ID",
        nargs="+",
        default=[],
        help="ids of nodes to explain (default: 12 nodes, half of them errors)",
    )
    add_data_option(parser)
    parser.add_argument(
        "--seed", type=int, metavar="N", help="seed of the model (default: the best in validation)"
    )
    parser.add_argument(
        "--removals",
        type=at_least(0),
        default=200,
        metavar="N",
        help="nodes whose in-neighbours are removed in the test (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Writes the page; returns the exit code of the process."""
    from gatsparse.predict import explain_run, load_data, load_run

    out: Path = arguments.out.expanduser()
    check_out(out, (".html", ".htm"))  # before any work
    trained = load_run(arguments.run_folder, arguments.seed)
    with errors_of_files():
        data = load_data(trained, arguments.data, **keys_of_files(arguments))
    explain_run(trained, data, out, nodes=arguments.node, removals=arguments.removals)
    print(f"written: {out}, {out.stat().st_size / 1e6:.1f} MB")
    return 0
