"""Fast fake measurements, which other processes can import."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import plan
from benchmarks.config import Accuracy, BenchConfig, PowerLaw, Sweep
from benchmarks.contenders import Contender
from benchmarks.isolate import UnavailableError
from benchmarks.plan import Case, Task
from benchmarks.rows import Row, Values, open_store
from benchmarks.summary import save_settings

CONTENDERS = ("gatsparse", "scatter", "pyg", "dense-concat")


def config(out: Path, **changes) -> BenchConfig:
    options: dict[str, Any] = {
        "datasets": ("cora",),
        "contenders": CONTENDERS,
        "time_limit": 20.0,
        "accuracy": Accuracy(seeds=1, processes=1),
    }
    return BenchConfig(out=str(out), **{**options, **changes})


GRAPHS = {f"E{n}": PowerLaw(num_nodes=n // 10, num_edges=n) for n in (1000, 10**5, 10**6, 10**7)}


def layer_config(out: Path, **changes) -> BenchConfig:
    """Returns a run on four synthetic graphs of growing size; scatter is measured on one only."""
    sweeps = (
        Sweep(("E1000",), ("GAT",), ("8x8",), ("gatsparse", "scatter", "pyg")),
        Sweep(tuple(GRAPHS), ("GAT", "GATv2"), ("8x8", "1x4"), ("gatsparse", "pyg")),
    )
    return config(out, **{"datasets": (), "graphs": GRAPHS, "layers": sweeps, **changes})


def values(task: Task, error: float = 0.1) -> Values:
    scale = 1 + CONTENDERS.index(task.contender)
    match task.measurement:
        case "graph":
            size = GRAPHS[task.dataset]
            return Values(num_nodes=size.num_nodes, num_edges=size.num_edges)
        case "gate" | "layer gate":
            return Values(
                output_error=error, output_budget=0.2, gradient_error=0.1, gradient_budget=0.2
            )
        case "inference" | "step":
            time = scale * (1 + task.round)
            return Values(
                median=1e-3 * time,
                p10=0.9e-3 * time,
                p90=1.1e-3 * time,
                repetitions=10,
                baseline=10**8,
                peak=scale * 10**9,
            )
        case "recipe" if task.contender == "dense-concat":
            return Values(seconds=25.0, first_epoch=7.0, epochs=10)
        case "recipe":
            return Values(accuracy=0.825, seconds=scale * 2.5, first_epoch=0.1, epochs=200)
        case "accuracy":
            return Values(accuracy=0.8 + 0.01 * task.round, seconds=2.0)
        case "reference":
            return Values()
        case _:
            edges = GRAPHS[Case.of(task).graph].num_edges
            time = scale * (1 + task.round) * edges**1.5 * 1e-9
            return Values(
                median=time,
                p10=0.9 * time,
                p90=1.1 * time,
                repetitions=10,
                floor=time / 4,
                baseline=10**8,
                peak=10**8 + 100 * scale * edges,
            )


def measure(task: Task, contender: Contender, config: BenchConfig, reference: Path) -> Values:
    """Succeeds, and appends the task to the file ``calls`` in the folder of the run."""
    assert contender is not None
    with Path(config.out, "calls").open("a") as stream:
        print(*task, file=stream)
    if task.measurement in ("reference", "graph"):
        reference.touch()
    return values(task)


def slow(task: Task, contender: Contender, config: BenchConfig, reference: Path) -> Values:
    """Does the same slowly, and writes the process to the file ``worker``."""
    Path(config.out, "worker").write_text(str(os.getpid()))
    time.sleep(0.2)
    return measure(task, contender, config, reference)


def troubled(task: Task, contender: Contender, config: BenchConfig, reference: Path) -> Values:
    """Fails in a different way for each contender."""
    match task[:3]:
        case ("citeseer", _, _):
            raise UnavailableError("citeseer is nowhere")
        case (_, "gatsparse", "gate"):
            return values(task, error=0.3)
        case ("GAT", "scatter", "layer gate"):
            return values(task, error=0.3)
        case (_, "pyg", "forward+backward"):
            bytearray(2 * int(1e9 * config.memory_limit))
        case (_, "scatter", "gate"):
            raise UnavailableError("torch_scatter cannot be imported")
        case (_, "pyg", "step"):
            os.abort()
        case (_, "dense-concat", "inference"):
            time.sleep(60)
        case (_, "dense-concat", "step"):
            bytearray(2 * int(1e9 * config.memory_limit))
    return measure(task, contender, config, reference)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def make(config, machine, changes=None):
    """Writes a run's folder; :obj:`changes` has statuses other than ok, None for no row."""
    valued = ("ok", "wrong")  # other measurements have no values
    save_settings(Path(config.out), config, machine)
    with open_store(Path(config.out, "results.jsonl")) as store:
        tasks = [task for name in config.datasets for task in plan.tasks(config, name)]
        for name in plan.graphs(config):
            tasks += [plan.graph(name), *plan.layer_tasks(config, name)]
        for task in tasks:
            status = (changes or {}).get(task[:3], "ok")
            if status is not None:
                key = plan.key(task, config, machine)
                row = Row(*key, status=status, environment=machine)
                row = replace(row, values=values(task) if status in valued else Values())
                store.append(row if status == "ok" else replace(row, detail="why [it] is"))
    return Path(config.out)
