"""Measures the gain of our layers in place of PyG's: ``python -m benchmarks.drop_in``.

They are timed on small graphs, in models of PyG and its users, and under ``torch.compile``. Outputs
and gradients are first compared with PyG's in float64.
"""

from __future__ import annotations

import argparse
import copy
import logging
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch import Tensor
from torch._dynamo.utils import clear_compilation_metrics, counters, get_compilation_metrics
from torch._inductor.utils import fresh_cache
from torch_geometric.datasets import KarateClub

import gatsparse
from benchmarks import zoo
from benchmarks.drop_in_rows import CompiledRow, LayerRow, ModelRow
from benchmarks.exact import TOLERANCE, error
from benchmarks.sections import Job, Section, write
from benchmarks.turns import alternate
from gatsparse.nn import PaperGAT

HEADS, CHANNELS = 8, 8
LAYERS = ("GATConv", "GATv2Conv")

Inputs = Iterator[tuple[Tensor, ...]]  # of successive calls


def accelerated(name: str, model: torch.nn.Module, inputs: Inputs) -> tuple[torch.nn.Module, float]:
    """Returns an accelerated copy of a model, and its error in float64; see :func:`error`.

    Raises:
        RuntimeError: If the error exceeds :data:`TOLERANCE`.
    """
    ours = gatsparse.accelerate(copy.deepcopy(model))
    expected, found = (computed(copy.deepcopy(m).double(), *next(inputs)) for m in (model, ours))
    difference = error(found, expected)
    if not difference <= TOLERANCE:
        raise RuntimeError(f"{name}: expected PyG's results, got an error of {difference:.1e}")
    return ours, difference


def computed(model: torch.nn.Module, *inputs: Tensor) -> list[Tensor]:
    """Returns the output of a float64 model, and the gradients of its parameters."""
    model.zero_grad()
    out = model(*(t.double() if t.is_floating_point() else t for t in inputs))
    out.backward(torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out))
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [out.detach(), *gradients]


def small_graphs(options: argparse.Namespace) -> Iterator[Job]:
    """Yields layers on small graphs, where the overhead of a call matters."""
    karate = KarateClub()[0]
    batch = zoo.molecules(options.graphs, 32, 8)
    pair = torch.tensor([[0], [1]])
    graphs = {
        "karate club: 34 nodes, 156 edges": (karate["x"], karate["edge_index"], 20),
        zoo.describe(batch): (batch["x"], batch["edge_index"], 1),
        "2 nodes, 1 edge": (torch.randn(2, 32), pair, 20),
    }
    for name in LAYERS:
        for graph, (x, edge_index, calls) in graphs.items():
            pyg = getattr(torch_geometric.nn, name)(x.size(1), CHANNELS, HEADS)
            copies = ((x, edge_index.clone()) for _ in repeat(None))
            for kind, inputs in (("same", repeat((x, edge_index))), ("new", copies)):
                args = (name, graph, kind, pyg, inputs, options.rounds, calls)
                yield Job(f"{name}, {graph}, {kind} edge_index", partial(_layer_rows, *args))


def _layer_rows(
    name: str,
    graph: str,
    kind: str,
    pyg: torch.nn.Module,
    inputs: Inputs,
    rounds: int,
    calls: int,
) -> Iterator[LayerRow]:
    ours, difference = accelerated(f"{name}, {graph}", pyg, inputs)
    layers = {"PyG": pyg, "gatsparse": ours}
    for work, function in (("forward", _forward), ("forward + backward", _step)):
        contenders = {key: function(m, inputs) for key, m in layers.items()}
        yield LayerRow(name, graph, kind, work, alternate(contenders, rounds, calls), difference)


def models(options: argparse.Namespace) -> Iterator[Job]:
    """Yields models with PyG's layers and accelerated."""
    for name, case in zoo.models(options.nodes, options.edges, options.graphs // 2).items():
        yield Job(name, partial(_model_rows, name, case, options.rounds))


def _model_rows(name: str, case: zoo.Case, rounds: int) -> Iterator[ModelRow]:
    inputs = repeat(case.inputs)
    ours, difference = accelerated(name, case.model, inputs)
    contenders = {"PyG": _step(case.model, inputs), "gatsparse": _step(ours, inputs)}
    layers = sum(type(m) in (gatsparse.GATConv, gatsparse.GATv2Conv) for m in ours.modules())
    yield ModelRow(name, case.graph, layers, alternate(contenders, rounds), difference)


def _forward(model: torch.nn.Module, inputs: Inputs) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad():
            model(*next(inputs))

    return run


def _step(model: torch.nn.Module, inputs: Inputs) -> Callable[[], object]:
    with torch.no_grad():
        grad = torch.randn_like(model(*next(inputs)))

    def run() -> None:
        model.zero_grad()
        model(*next(inputs)).backward(grad)

    return run


def _elu(x: Tensor, _p: float, _training: bool) -> Tensor:
    return F.elu(x)


def compiled(options: argparse.Namespace) -> Iterator[Job]:
    """Yields two-layer models under ``torch.compile``, as one graph or else with graph breaks."""
    for name in LAYERS:
        for key, library in (("PyG", torch_geometric.nn), ("gatsparse", gatsparse)):
            layer = getattr(library, name)
            for dynamic in (None, True):
                args = (f"{key} {name}", layer, dynamic, options)
                yield Job(f"{args[0]}, dynamic={dynamic}", partial(_compiled_rows, *args))


def _compiled_rows(
    name: str, layer: Any, dynamic: bool | None, options: argparse.Namespace
) -> Iterator[CompiledRow]:
    model = PaperGAT(32, 8, 7, dropout=0.0, conv=layer, elu_dropout_fn=_elu).double()
    for fullgraph in (True, False):
        row = _compiled(name, model, dynamic, fullgraph, options)
        yield row
        if not row.problem:
            break


@fresh_cache()  # independent of earlier runs
def _compiled(
    name: str,
    model: torch.nn.Module,
    dynamic: bool | None,
    fullgraph: bool,
    options: argparse.Namespace,
) -> CompiledRow:
    torch.compiler.reset()
    clear_compilation_metrics()
    counters.clear()
    fast = copy.deepcopy(model)
    fast.compile(fullgraph=fullgraph, dynamic=dynamic, backend=options.compiler)
    seconds, errors, problem = 0.0, [], ""
    generator = torch.Generator().manual_seed(0)
    for _ in range(options.batches):
        num_nodes = int(torch.randint(50, 2001, (), generator=generator))
        num_edges = int(torch.randint(100, 20_001, (), generator=generator))
        x = torch.randn(num_nodes, 32, generator=generator)
        edge_index = torch.randint(num_nodes, (2, num_edges), generator=generator)
        start = time.perf_counter()
        try:
            found = computed(fast, x, edge_index)
        except Exception as failure:  # each one becomes a row
            problem = _reason(failure)
            break
        finally:
            seconds += time.perf_counter() - start
        errors.append(error(found, computed(model, x, edge_index)))
    reasons = [metrics.recompile_reason for metrics in get_compilation_metrics()]
    return CompiledRow(
        model=name,
        dynamic=dynamic,
        fullgraph=fullgraph,
        batches=len(errors),
        graphs=counters["stats"]["unique_graphs"],
        recompilations=[reason.split("  #")[0].strip() for reason in reasons if reason],
        graph_breaks=sum(counters["graph_break"].values()),
        seconds=seconds,
        error=torch.tensor([0.0, *errors]).max().item(),
        problem=problem,
    )


def _reason(failure: Exception) -> str:
    """Returns the line of a compiler's message that describes the failure."""
    text = str(failure)
    line = (text.partition("debug context: ")[2] or text).partition("\n")[0]
    return f"{type(failure).__name__}: {line}"


SECTIONS = {
    "layers": Section(
        "Small graphs",
        small_graphs,
        (
            "layer",
            "graph",
            "edge_index",
            "pass",
            "PyG (µs)",
            "gatsparse (µs)",
            "gain",
            "error",
        ),
        f"{HEADS} heads x {CHANNELS} channels; the features need no gradient. Medians of a call. "
        "A new edge_index is a copy made in each call, so that its structure is built again.",
    ),
    "models": Section(
        "accelerate()",
        models,
        ("model", "graph", "layers", "PyG (ms)", "gatsparse (ms)", "gain", "error"),
        "Medians of forward + backward; how many layers were exchanged.",
    ),
    "compiled": Section(
        "torch.compile",
        compiled,
        (
            "two layers of",
            "dynamic",
            "fullgraph",
            "batches",
            "graphs",
            "recompilations",
            "graph breaks",
            "seconds",
            "error",
        ),
        "Forward + backward in float64, on random graphs of 50 to 2000 nodes and 100 to 20000 "
        "edges; seconds in all, those of compiling included, with an empty cache of compiled code; "
        "error against the model that is not compiled.",
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Measures all sections; see :func:`benchmarks.sections.write`.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drop_in", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="interleaved rounds")
    parser.add_argument("--out", type=Path, help="folder for report.md and drop_in.json")
    parser.add_argument("--graphs", type=int, default=512, help="graphs in a batch of molecules")
    parser.add_argument("--nodes", type=int, default=20_000, help="nodes of the power-law graph")
    parser.add_argument("--edges", type=int, default=400_000, help="edges of the power-law graph")
    parser.add_argument("--batches", type=int, default=50, help="batches for compiled models")
    parser.add_argument("--compiler", default="inductor", help="backend of torch.compile")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    return write("Drop-in", "drop_in.json", SECTIONS, options)


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # of the compiler, whose failures become rows
    sys.exit(main())
