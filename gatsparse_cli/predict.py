"""``gatsparse predict``: applies the model of a run."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gatsparse_cli.dataset_keys import add_data_option, errors_of_files, keys_of_files
from gatsparse_cli.numbers import at_least
from gatsparse_cli.out_file import check_out


def add_parser(commands: Any) -> None:
    """Adds the command to the subparsers of ``gatsparse``."""
    parser = commands.add_parser(
        "predict",
        help="apply the model of a run to its own or to another graph",
        description="Write the prediction and the probabilities of every node, or of every graph. "
        "A call that was interrupted continues if it is repeated.",
        epilog="example: gatsparse predict runs/cora-gatsparse-20260131-120000 --out cora.csv",
        allow_abbrev=False,
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder of gatsparse train")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="file to write: .parquet or .csv"
    )
    add_data_option(parser)
    parser.add_argument(
        "--pairs",
        metavar="FILE",
        help="table of pairs of nodes, for runs of link prediction: columns source and target, or "
        "those of the edges of the training",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="seed of the model (default: the best in validation)"
    )
    parser.add_argument(
        "--max-memory",
        metavar="SIZE",
        help="memory for temporary tensors, such as 4GB; if it is short, layers are computed one "
        "by one (default: half of the available memory)",
    )
    parser.add_argument(
        "--threads",
        type=at_least(1),
        metavar="N",
        help="number of threads (default: as in the training)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Predicts; returns the exit code of the process."""
    from gatsparse.config_types import ConfigError
    from gatsparse.inference import parse_bytes
    from gatsparse.predict import load_data, load_run, predict, predict_links
    from gatsparse.predict.predictions import SUFFIXES, check_names
    from gatsparse.train.metrics import format_score

    out: Path = arguments.out.expanduser()
    check_out(out, SUFFIXES)  # before any work
    try:
        max_memory = None if arguments.max_memory is None else parse_bytes(arguments.max_memory)
    except (ValueError, OverflowError) as error:
        raise ConfigError(str(error)) from error
    trained = load_run(arguments.run_folder, arguments.seed)
    links = trained.config.task == "link_prediction"
    if links != (arguments.pairs is not None):
        expected = "a table of pairs" if links else "none"
        raise ConfigError(f"--pairs: expected {expected} with task {trained.config.task}")
    if not links:
        check_names(trained)
    with errors_of_files():
        data = load_data(trained, arguments.data, **keys_of_files(arguments))
    for note in data.get("notes") or ():
        print(note)
    print(f"model: seed {trained.seed} of {trained.path}")
    with _work_folder(out) as folder:
        predictions = predict(
            trained,
            data,
            max_memory=max_memory,
            folder=folder,
            threads=arguments.threads,
        )
        if links:
            pairs = predict_links(predictions, arguments.pairs)
            pairs.write(out)
            written = f"{len(pairs):,} pairs"
        else:
            metric = trained.config.chosen_metric
            for name, score in predictions.scores().items():
                print(f"{name} {metric}: {format_score(metric, score, digits=2)}")
            predictions.write(out)
            unit = "graphs" if trained.config.task == "graph_classification" else "nodes"
            written = f"{len(predictions.outputs):,} {unit}"
    print(f"written: {out}, {written}")
    return 0


@contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    """Yields a folder for finished layers, which is kept for the next call if this one fails."""
    folder = out.with_name(f".{out.name}.work")
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()  # if nothing is finished
        if folder.exists():
            print(
                f"finished layers are in {folder}: the same command uses and removes them",
                file=sys.stderr,
            )
        raise
    shutil.rmtree(folder, ignore_errors=True)
