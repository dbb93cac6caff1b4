"""``gatsparse inspect``: what is in a graph, and a configuration to train on it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Adds the command to the subparsers of ``gatsparse``."""
    parser = commands.add_parser(
        "inspect",
        help="show what is in a graph, and suggest a configuration",
        description="Show what is in a graph: nodes, labels, edges, degrees, homophily, and the "
        "memory and time that a training would take. Suggest a configuration.",
        epilog="example: gatsparse inspect my_graph/ --out my_graph.yaml",
        allow_abbrev=False,
    )
    parser.add_argument(
        "dataset",
        metavar="PATH",
        help="folder with nodes.* and edges.*, configuration with a dataset, or name of a data set",
    )
    parser.add_argument(
        "--id", metavar="COLUMN", help="column of the ids of the nodes (default: id or node)"
    )
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        nargs="+",
        help="column of the labels, or several of them (default: label or y)",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="write the configuration into a file"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the report and the configuration; returns the exit code of the process."""
    out: Path | None = arguments.out
    if out is not None and out.exists():
        print(f"gatsparse inspect: --out: {out} exists; choose another name", file=sys.stderr)
        return 2
    dataset: Any = arguments.dataset
    given = dataset.endswith((".yaml", ".yml"))
    if given and out is not None:
        print(
            f"gatsparse inspect: --out: expected a folder or a data set, got {dataset}, which is a "
            "configuration",
            file=sys.stderr,
        )
        return 2
    from gatsparse.config_types import ConfigError
    from gatsparse.data import GraphFiles
    from gatsparse.inspection import inspect_graph
    from gatsparse.inspection.report import report, suggestion
    from gatsparse.train import parse_config

    if arguments.id is not None or arguments.label is not None:
        if not Path(dataset).is_dir():
            raise ConfigError(f"--id, --label: expected a folder of files, got {dataset}")
        label = arguments.label
        if label is not None and len(label) == 1:
            (label,) = label
        dataset = GraphFiles(Path(dataset), node_id=arguments.id, label=label)
    inspection = inspect_graph(parse_config(dataset) if given else dataset)
    print(report(inspection))
    if given:
        return 0
    text = suggestion(inspection)
    if out is None:
        print(f"\n# for `gatsparse train`; --out FILE writes it into a file\n{text}", end="")
    else:
        out.write_text(text, encoding="utf-8")
        print(f"\nwritten: {out}; to train: gatsparse train {out}")
    return 0
