"""The command line: ``python -m benchmarks run|report|plot|compare``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.compare import compare
from benchmarks.config import BenchConfig, parse
from benchmarks.config_help import KeysAction
from benchmarks.large.report import report as report_large
from benchmarks.plot import plot
from benchmarks.report import report
from benchmarks.run import run
from benchmarks.summary import Summary
from benchmarks.text import describe


def main(arguments: list[str] | None = None) -> int:
    """Runs a command and returns its exit status, which is 1 if a measurement failed or is missing.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    parser = _parser()
    options, overrides = parser.parse_known_args(arguments)
    if overrides and options.command != "run":
        parser.error(f"unrecognized arguments: {' '.join(overrides)}")

    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    try:
        if options.command == "compare":
            compare(options.first, options.second, console)
            return 0
        if options.command == "report" and (options.folder / "rows.jsonl").exists():
            console.print(f"Markdown: {report_large(options.folder)}", soft_wrap=True)
            return 0
        if options.command == "run":
            config = parse(options.config, *overrides)
            options.folder = run(config, console)
        if options.command in ("run", "report"):
            console.print(f"Markdown: {report(options.folder, console)}", soft_wrap=True)
        if options.command == "plot":
            console.print("Plots:", *plot(options.folder), soft_wrap=True)
        summary = Summary.load(options.folder)
        failed, unfinished = summary.failed(), summary.unfinished()
    except KeyboardInterrupt:
        console.print("Stopped. The finished rows are kept; the same command continues the run.")
        return 130
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for row in failed:
        print(f"failed: {describe(row)}", file=sys.stderr)
    if unfinished:
        print(f"not made yet: {len(unfinished)} measurements", file=sys.stderr)
    return int(bool(failed or unfinished))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    text = "measure, or continue measuring, then report and plot"
    command = commands.add_parser("run", help=text, add_help=False)
    command.add_argument("config", help="YAML file; `--key value` after it overrides a key")
    command.add_argument("-h", "--help", action=KeysAction, config=BenchConfig)
    for name, text in (("report", "print and draw again"), ("plot", "draw the charts again")):
        command = commands.add_parser(name, help=text)
        command.add_argument("folder", type=Path, help="folder of a run")
    command = commands.add_parser("compare", help="compare two runs")
    for name in ("first", "second"):
        command.add_argument(name, type=Path, help="folder of a run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
