"""The command line: ``python -m benchmarks.experiments.paper run|compare|time|report``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from benchmarks.experiments.paper import runs
from benchmarks.experiments.paper.protocols import DATASETS
from benchmarks.experiments.paper.report import report
from benchmarks.experiments.paper.runs import PaperRuns
from gatsparse.data import DatasetCorruptError, DatasetNotFoundError
from gatsparse.train import TrainConfig

# By command: trainings, help, data sets, and number of seeds (None: those of the configuration).
_TRAININGS = {
    "run": (runs.of_tables, "run the missing trainings of the table of accuracies", DATASETS, None),
    "compare": (runs.of_comparison, "train with our layers and with PyG's", DATASETS[:2], 30),
    "time": (runs.of_times, "train a few seeds with PyG's layers", DATASETS[:2], 3),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit status.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    options, overrides = _parser().parse_known_args(arguments)
    paper_runs = PaperRuns(options.out, tuple(overrides))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    try:
        failures: list[str] = []
        if options.command in _TRAININGS:
            make, _, _, seeds = _TRAININGS[options.command]
            configs = make(_with_seeds(paper_runs, options.seeds or seeds), options.datasets)
            failures = _train(configs)
            files = report(paper_runs, DATASETS, console, failures=failures)
        else:
            files = report(paper_runs, options.datasets, console, options.seeds)
        console.print("Files:", *files, soft_wrap=True)
    except KeyboardInterrupt:
        console.print("Stopped. The finished seeds are kept; the same command continues the run.")
        return 130
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return int(bool(failures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.experiments.paper",
        description="`--key value` overrides a key of all configurations.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    table = {name: (text, datasets) for name, (_, text, datasets, _) in _TRAININGS.items()}
    table["report"] = ("write the tables of the finished trainings", DATASETS)
    for name, (text, datasets) in table.items():
        command = commands.add_parser(name, help=text, allow_abbrev=False)
        command.add_argument("--out", type=Path, default=Path("runs", "paper"))
        command.add_argument("--datasets", nargs="+", choices=DATASETS, default=datasets)
        command.add_argument("--seeds", type=_positive, help="number of seeds")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected >= 1, got {number}")
    return number


def _with_seeds(paper_runs: PaperRuns, count: int | None) -> PaperRuns:
    if count is None:
        return paper_runs
    return PaperRuns(paper_runs.out, (*paper_runs.overrides, "--seeds", str(count)))


def _train(configs: Iterable[TrainConfig]) -> list[str]:
    """Runs the missing trainings, and returns the failures with their reasons.

    A failure does not stop the trainings of the other configurations.
    """
    absent: set[str] = set()
    failures: list[str] = []
    for config in configs:
        if config.dataset_name in absent:
            continue
        name = f"{config.run_dir.name}, {config.model.kind}"
        try:
            runs.complete(config)
        except (DatasetNotFoundError, DatasetCorruptError) as error:
            absent.add(config.dataset_name)
            failures.append(f"{config.dataset_name}: {error}")
        except Exception as error:  # each one becomes a line of the report
            failures.append(f"{name}: {type(error).__name__}: {error}")
        else:
            continue
        print(f"error: {failures[-1]}", file=sys.stderr)
    return failures


if __name__ == "__main__":
    sys.exit(main())
