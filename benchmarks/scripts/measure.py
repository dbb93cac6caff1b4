"""Times of scripts, and accuracies of whole trainings, with and without acceleration."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
from torch_geometric import seed_everything

import gatsparse
from benchmarks.samples import ratio
from benchmarks.scripts.busy import busy_core
from benchmarks.scripts.cases import CASES
from benchmarks.scripts.gate import gate
from benchmarks.scripts.rows import AccuracyRow, ScriptRow
from benchmarks.scripts.script import Case, Script
from benchmarks.sections import Job
from benchmarks.turns import interleaved

_CONTENDERS = ("PyG", "gatsparse")


def times(options: argparse.Namespace) -> Iterator[Job]:
    """Yields the scripts, whose results are compared before they are timed."""
    for name in options.only:
        yield Job(name, partial(_times, name, CASES[name], options))


def accuracies(options: argparse.Namespace) -> Iterator[Job]:
    """Yields the scripts whose accuracies can be compared."""
    for name in options.only:
        if CASES[name].scored:
            yield Job(name, partial(_accuracies, name, CASES[name], options))


def set_up(case: Case, data: Any, seed: int) -> dict[str, Script]:
    """Returns a script by contender, both with the same initial weights."""
    scripts = {}
    for contender in _CONTENDERS:
        seed_everything(seed)
        scripts[contender] = case.script(data)
    gatsparse.accelerate(scripts["gatsparse"].model)
    return scripts


def _times(name: str, case: Case, options: argparse.Namespace) -> Iterator[ScriptRow]:
    difference = gate(name, case, case.data(options.data, case.gate * options.scale))
    data = case.data(options.data, options.scale)
    scripts = set_up(case, data, seed=0).values()
    functions = [function for script in scripts for function in (script.train, script.test)]
    rounds = min(options.rounds, case.rounds)
    loads = {"idle": nullcontext} | ({"one core busy": busy_core} if options.busy else {})
    for load, context in loads.items():
        with context():
            measured = interleaved(functions, 0.0, rounds + 1, case.calls)[1:]
        pyg, ours = measured[:, :2].T, measured[:, 2:].T
        for function, first, second in zip(
            ("train", "test", "train + test"), [*pyg, pyg.sum(0)], [*ours, ours.sum(0)], strict=True
        ):
            seconds = {"PyG": float(np.median(first)), "gatsparse": float(np.median(second))}
            gain = ratio(first.tolist(), second.tolist())
            yield ScriptRow(name, describe(data), load, function, rounds, seconds, gain, difference)


def _accuracies(name: str, case: Case, options: argparse.Namespace) -> Iterator[AccuracyRow]:
    data = case.data(options.data, options.scale)
    found: dict[str, list[float]] = {contender: [] for contender in _CONTENDERS}
    for seed in range(options.seeds):
        for contender, script in set_up(case, data, seed).items():
            seed_everything(seed)
            found[contender].append(best_accuracy(script, options.epochs))
    yield AccuracyRow(name, options.epochs, found)


def best_accuracy(script: Script, epochs: int) -> float:
    """Trains, and returns the test accuracy of the epoch with the best validation accuracy."""
    best = (-1.0, 0.0)
    for _ in range(epochs):
        script.train()
        _, val, test = script.test()
        best = max(best, (val, test), key=lambda pair: pair[0])
    return best[1]


def describe(data: Any) -> str:
    """Describes one or several graphs."""
    if isinstance(data, list):
        return f"{len(data):,} graphs: " + _sizes(data)
    return _sizes([data])


def _sizes(graphs: list[Any]) -> str:
    nodes, edges = (sum(getattr(g, name) for g in graphs) for name in ("num_nodes", "num_edges"))
    return f"{nodes:,} nodes, {edges:,} edges"
