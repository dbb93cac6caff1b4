"""``gatsparse inspect``: what is in a graph, and a configuration to train on it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gatsparse_cli.config_keys import options_in, unknown_key
from gatsparse_cli.out_file import check_out


def add_parser(commands: Any) -> None:
    """Adds the command to the subparsers of ``gatsparse``."""
    parser = commands.add_parser(
        "inspect",
        usage="gatsparse inspect [-h] [--out FILE] PATH [--key value ...]",
        help="show what is in a graph, and suggest a configuration",
        description="Show what is in a graph: nodes, labels, edges, degrees, homophily, and the "
        "memory and time that a training would take. Suggest a configuration, unless PATH is one "
        "with more than a dataset and a task.",
        epilog="example: gatsparse inspect my_graph/ --dataset.label kind --out my_graph.yaml",
        parents=[_options()],
        allow_abbrev=False,
    )
    parser.add_argument(
        "dataset",
        metavar="PATH",
        help="folder with nodes.* and edges.*, configuration with a dataset, or name of a data set",
    )
    parser.add_argument(
        "overrides",
        metavar="--key value",
        nargs=argparse.REMAINDER,
        help="set a key of the configuration, as in gatsparse train: files by --dataset.nodes and "
        "--dataset.edges; columns by --dataset.node_id, --dataset.label, --dataset.source and "
        "--dataset.target; --task; `gatsparse inspect PATH --help` lists all",
    )
    parser.set_defaults(run=run, unknown="expected PATH before")


def _options() -> argparse.ArgumentParser:
    """Options of the command itself, which are also accepted after PATH."""
    parser = argparse.ArgumentParser("gatsparse inspect", add_help=False, allow_abbrev=False)
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write the configuration into a new file: .yaml"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Prints the report and the configuration; returns the exit code of the process."""
    arguments, overrides = _options().parse_known_args(arguments.overrides, arguments)
    if (message := unknown_key(overrides)) is not None:
        print(f"gatsparse inspect: {message}", file=sys.stderr)
        return 2
    from gatsparse.config_types import ConfigError
    from gatsparse.data import GraphFileError
    from gatsparse.inspection import inspect_graph
    from gatsparse.inspection.report import report, suggestion
    from gatsparse.train.config_file import read_dataset

    out: Path | None = arguments.out and arguments.out.expanduser()
    if out is not None:
        check_out(out, (".yaml", ".yml"), replace=False)  # before any work
    config, keys = read_dataset(arguments.dataset, overrides)
    more = sorted(keys - {"dataset", "task"})
    if out is not None and more:
        raise ConfigError(
            f"out: expected only a dataset and a task, from which a configuration is made, got "
            f"{', '.join(more)}, too: remove them, or train the configuration as it is"
        )
    try:
        if more:
            print(report(inspect_graph(config)))
            return 0
        assert config.dataset is not None
        inspection = inspect_graph(config.dataset, config.task if "task" in keys else None)
    except GraphFileError as error:
        raise GraphFileError(f"{error}{options_in(str(error))}") from error
    print(report(inspection))
    text = suggestion(inspection)
    if out is None:
        print(f"\n# for `gatsparse train`; --out FILE writes it into a file\n{text}", end="")
    else:
        out.write_text(text, encoding="utf-8")
        chosen = [f"\nchosen: {reason}{options_in(reason)}" for reason in inspection.reasons]
        print("".join(chosen))
        print(f"written: {out}; to train: gatsparse train {out}")
    return 0
