"""``python -m benchmarks.large CONFIG``: measures, or goes on measuring, and reports."""

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
from benchmarks.isolate import Call, Outcome, isolated
from benchmarks.large import measurements
from benchmarks.large.config import LargeConfig
from benchmarks.large.report import report
from benchmarks.measure import environment


class Row(NamedTuple):
    """A measurement: of which graph, what, of whom."""

    graph: str
    what: str
    who: str
    function: Callable[[], measurements.Numbers]


def plan(config: LargeConfig) -> list[Row]:
    """The rows, in their order."""
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


def run(config: LargeConfig) -> Path:
    """Measures what is not there yet, and writes the report; returns its path."""
    folder = Path(config.out)
    folder.mkdir(parents=True, exist_ok=True)
    save(config, folder / "config.yaml")
    machine = environment(config.threads) | {"measured by": _settings(config)}
    path = folder / "rows.jsonl"
    done = _finished(path, machine)
    waiting = [row for row in plan(config) if (row.graph, row.what, row.who) not in done]
    limits = config.memory_limit, config.time_limit
    calls = [Call(row.function, (), *limits, folder / "last.log") for row in waiting]
    for row, (_, outcome) in zip(waiting, isolated(calls), strict=True):
        line = _line(row, outcome, machine)
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(*list(line.values())[:-1], flush=True)
    return report(folder)


def _settings(config: LargeConfig) -> str:
    """Changes with the configuration and with the code of this benchmark."""
    digest = hashlib.sha256(repr(replace(config, out="")).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _line(row: Row, outcome: Outcome, machine: dict[str, Any]) -> dict[str, Any]:
    return {
        "graph": row.graph,
        "what": row.what,
        "who": row.who,
        "status": outcome.status,
        "detail": outcome.detail,
        "numbers": outcome.value or {},
        "machine": machine,
    }


def _finished(path: Path, machine: dict[str, Any]) -> set[tuple[str, str, str]]:
    """The rows of a file that are of this machine, code and configuration."""
    lines = map(json.loads, path.read_text().splitlines()) if path.exists() else []
    return {(r["graph"], r["what"], r["who"]) for r in lines if r["machine"] == machine}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status.

    Args:
        arguments (list, optional): Of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("config", help="YAML file; `--key value` after it overrides a key")
    options, overrides = parser.parse_known_args(arguments)
    try:
        config = parse_as(LargeConfig, options.config, *overrides)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"report: {run(config)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
