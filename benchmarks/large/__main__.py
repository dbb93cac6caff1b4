"""Starts or continues measurements on large graphs: ``python -m benchmarks.large CONFIG``."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.config import parse_as, save
from benchmarks.config_help import KeysAction
from benchmarks.isolate import Call, Outcome, isolated
from benchmarks.large import measurements
from benchmarks.large.config import LargeConfig
from benchmarks.large.report import read, report
from benchmarks.measure import environment
from benchmarks.rows import open_lines

#: Largest error of exact inference relative to the largest output, in float32.
_LARGEST_DIFFERENCE = 1e-4


class Row(NamedTuple):
    """A measurement: graph, name, contender, and the function that makes it."""

    graph: str
    what: str
    who: str
    function: Callable[[], measurements.Numbers]


def plan(config: LargeConfig) -> list[Row]:
    """Returns the measurements in order."""
    rows: list[Row] = []
    for name in [*config.datasets, *config.graphs]:

        def add(
            what: str, who: str, function: Callable[..., Any], *args: Any, name: str = name
        ) -> None:
            rows.append(Row(name, what, who, partial(function, config, name, *args)))

        add("structure", "gatsparse", measurements.structure)
        for who in ("gatsparse", "pyg"):
            add("step", who, measurements.step, who)
        add("sampling", "gatsparse", measurements.sampling)
        for who in ("gatsparse", "pyg"):
            add("sampled epoch", who, measurements.sampled_epoch, who)
        for k, budget in enumerate(config.budgets):
            folder = Path(config.out) / f"layers-{name}-{budget}" if k > 0 else None
            what = f"inference within {budget}" + ("" if k == 0 else ", on disk")
            add(what, "gatsparse", measurements.inference, "gatsparse", budget, folder)
        add("inference", "pyg", measurements.inference, "pyg", "", None)
    return rows


def run(config: LargeConfig) -> tuple[Path, list[str]]:
    """Makes the missing measurements, and writes the report.

    Returns:
        tuple: Path of the report, and the failed measurements with the reason.
    """
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    save(config, folder / "config.yaml")
    machine = environment(config.threads) | {"measured by": _settings(config)}
    path = folder / "rows.jsonl"
    done = {_key(line) for line in read(path) if line["machine"] == machine}
    waiting = [row for row in plan(config) if (row.graph, row.what, row.who) not in done]
    limits = config.memory_limit, config.time_limit
    calls = [Call(row.function, (), *limits, folder / "last.log") for row in waiting]
    with open_lines(path) as append:
        for row, (_, outcome) in zip(waiting, isolated(calls), strict=True):
            line = _line(row, outcome, machine)
            append(json.dumps(line))
            print(*list(line.values())[:-1], flush=True)
    last = {_key(line): line for line in read(path) if line["machine"] == machine}
    failed = [
        f"{row.graph} {row.what} {row.who}: {line['status']}: {line['detail']}"
        for row in plan(config)
        if (line := last[row.graph, row.what, row.who])["status"] != "ok"
    ]
    return report(folder), failed


def _settings(config: LargeConfig) -> str:
    """Returns a digest of the configuration and of the code of this benchmark."""
    digest = hashlib.sha256(repr(replace(config, out="")).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _line(row: Row, outcome: Outcome, machine: dict[str, Any]) -> dict[str, Any]:
    status, detail = outcome.status, outcome.detail
    difference = (outcome.value or {}).get("difference", 0.0)
    if status == "ok" and not difference <= _LARGEST_DIFFERENCE:
        status, detail = "wrong", f"difference from the whole graph {difference:.1e}"
    return {
        "graph": row.graph,
        "what": row.what,
        "who": row.who,
        "status": status,
        "detail": detail,
        "numbers": outcome.value or {},
        "machine": machine,
    }


def _key(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["graph"], line["what"], line["who"]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status, which is 1 if a measurement failed.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.large", description=__doc__, add_help=False
    )
    parser.add_argument("config", help="YAML file; `--key value` after it overrides a key")
    parser.add_argument("-h", "--help", action=KeysAction, config=LargeConfig)
    options, overrides = parser.parse_known_args(arguments)
    try:
        path, failed = run(parse_as(LargeConfig, options.config, *overrides))
    except KeyboardInterrupt:
        print("Stopped. The finished rows are kept; the same command continues the run.")
        return 130
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"report: {path}")
    for text in failed:
        print(f"failed: {text}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
