"""Measures the layouts and sizes of the attention kernels on a GPU, and writes the table of those
that are faster than the rule: ``python -m benchmarks.tune_gpu``.

A candidate must give the results of the rule within the error budget before it is timed. See
:mod:`gatsparse.gpu.launch_table`. This script has not been run on a GPU yet.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks import plan
from gatsparse import CSRGraph
from gatsparse.data import rmat
from gatsparse.gpu import launch_table
from gatsparse.gpu.lanes import Lanes, power_of_two, sizes, vectors
from gatsparse.gpu.launch_table import PASSES, Choice, Key, Pass
from gatsparse.ops.fused import csr_arguments, padded_heads
from gatsparse.ops.gat.fused import positive_pays
from gatsparse.testing import error_budget, relative_error

#: A choice replaces the rule if its time is at most this part of the rule's.
WORTHWHILE = 0.97

_VECTOR_BYTES = 16
_MOST_CHANNELS = 32  # of a lane; GATv2's backward pass keeps a bit of each in 16 bits
_MOST_SIGNS = 16
_MOST_IN_FLIGHT = 64  # channels that a lane loads before it needs the first
_MOST_LANES = 512
_MOST_EDGES, _MOST_WARPS = 8, 16
_CANCELLED = 16  # roundings of gradients that cancel to less than 1
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Setting(NamedTuple):
    """What is tuned.

    Args:
        name (str): Pass.
        H, C (int): Heads and channels.
        dtype (torch.dtype): Dtype of the features.
    """

    name: Pass
    H: int
    C: int
    dtype: torch.dtype

    def rule(self) -> Choice:
        """Returns the choice of the rule."""
        layout, size = launch_table.rule(
            self.name, self.H, self.C, padded_heads(self.H), self.dtype
        )
        return Choice(layout.V, layout.K, size.B, size.num_warps)

    def layout(self, choice: Choice) -> Lanes:
        """Returns the layout of a choice."""
        return vectors(self.H, self.C, padded_heads(self.H), choice.V, choice.K)

    def accepts(self, choice: Choice) -> bool:
        """Whether the kernels accept a choice, and it is no waste of registers and threads."""
        layout = self.layout(choice)
        most = _MOST_SIGNS if self.name == "gatv2_backward" else _MOST_CHANNELS
        return (
            self.C % choice.V == 0
            and choice.V * self.dtype.itemsize <= _VECTOR_BYTES
            and most >= layout.R * layout.V
            and max(most, _MOST_IN_FLIGHT) >= choice.B * layout.R * layout.V
            and layout.lanes <= max(_MOST_LANES, power_of_two(self.H))
            and sizes(layout).num_warps <= choice.num_warps
        )

    def layouts(self, _: Choice) -> Iterator[Choice]:
        """Yields choices of V and K, with the other numbers of the rule for them."""
        for V, K in product((1, 2, 4, 8), (1, 2, 4, 8, 16, 32, 64, 128)):
            if self.C % V == 0 and power_of_two(self.C // V) >= K:
                size = sizes(self.layout(Choice(V, K, 1, 1)))
                yield Choice(V, K, size.B, size.num_warps)

    def edges(self, choice: Choice) -> Iterator[Choice]:
        """Yields choices of B."""
        for B in range(1, _MOST_EDGES + 1):
            if power_of_two(B) == B:
                yield choice._replace(B=B)

    def warps(self, choice: Choice) -> Iterator[Choice]:
        """Yields choices of the number of warps."""
        for num_warps in range(choice.num_warps, min(4 * choice.num_warps, _MOST_WARPS) + 1):
            if num_warps == power_of_two(num_warps):
                yield choice._replace(num_warps=num_warps)


def tune(setting: Setting, seconds: Callable[[Choice], float]) -> Choice | None:
    """Searches for a choice that is faster than the rule: first V and K, then B, then the warps.

    Args:
        setting (Setting): What is tuned.
        seconds (callable): Measures a choice; inf if it fails.

    Returns:
        Choice, optional: The fastest choice, or None if it is not :data:`WORTHWHILE`. Both are
        measured again, in turns.
    """
    rule = best = setting.rule()
    measured = {rule: seconds(rule)}
    for step in (setting.layouts, setting.edges, setting.warps):
        for choice in filter(setting.accepts, step(best)):
            if choice not in measured:
                measured[choice] = seconds(choice)
        best = min(measured, key=measured.__getitem__)
    if best == rule:
        return None
    again = [(seconds(best), seconds(rule)) for _ in range(3)]
    least, least_of_rule = map(min, zip(*again, strict=True))
    return best if least <= WORTHWHILE * least_of_rule else None


@contextmanager
def using(key: Key, choice: Choice) -> Iterator[None]:
    """Context in which the table has an entry."""
    before = launch_table.TABLE.copy()
    launch_table.TABLE[key] = choice
    try:
        yield
    finally:
        launch_table.TABLE.clear()
        launch_table.TABLE.update(before)


class Problem:
    """A pass on random features of a graph, with added self-loops.

    Args:
        setting (Setting): The pass.
        graph (CSRGraph): The graph, on the device.
    """

    def __init__(self, setting: Setting, graph: CSRGraph) -> None:
        self.setting = setting
        self._csr = csr_arguments(graph, True)
        self._positive = positive_pays(graph, setting.C)
        self._device = device = graph.csr.ptr.device
        architecture = launch_table.architecture(device)
        assert architecture is not None
        dtype = str(setting.dtype).removeprefix("torch.")
        self.key = Key(setting.name, setting.H, setting.C, dtype, architecture)
        generator = torch.Generator().manual_seed(0)
        node, one = (graph.num_dst, setting.H, setting.C), (1, setting.H, setting.C)
        drawn = [torch.randn(shape, generator=generator) for shape in (node, node, node, one, one)]
        stored = [tensor.to(device, setting.dtype) for tensor in drawn]
        self.run = self._prepared(*stored)
        with using(self.key, setting.rule()):
            exact = self._prepared(*(tensor.double() for tensor in stored))()
            self._exact = [tensor.cpu() for tensor in exact]
            rounding = _CANCELLED * torch.finfo(torch.float32).eps
            self._budgets = [
                error_budget(relative_error(found.cpu(), expected), setting.dtype) + rounding
                for found, expected in zip(self.run(), self._exact, strict=True)
            ]

    def _prepared(
        self, x: Tensor, other: Tensor, grad: Tensor, att: Tensor, att_dst: Tensor
    ) -> Callable[[], list[Tensor]]:
        """Returns the pass on tensors of one dtype; it returns the output, or the gradients."""
        from gatsparse.ops.gat import cuda as gat
        from gatsparse.ops.gatv2 import cuda as gatv2

        acc = torch.promote_types(x.dtype, torch.float32)
        att, att_dst = att.to(acc), att_dst.to(acc)
        inputs: Any
        given: Any
        saved: Any
        options: Any = (*self._csr, True, 0.2, 0.0, None)
        if self.setting.name.startswith("gatv2"):
            inputs = (x, other, att, None, None)
            forward = partial(gatv2.gatv2, *inputs, None, True, True, *options)
            backward, given = gatv2.gatv2_backward, inputs
        else:
            inputs = (x, att, att_dst)
            results: Any = (True, True, self._positive)
            forward = partial(gat.gat, *inputs, *[None] * 4, *results, *options)
            backward, given = gat.gat_backward, (*inputs, None, None)
        if not self.setting.name.endswith("backward"):
            return lambda: [forward()[0]]
        _, *saved = forward()
        return lambda: list(backward(grad, *given, *saved, *options))

    def is_right(self) -> bool:
        """Whether the results are within their error budgets."""
        return all(
            relative_error(found.cpu(), expected) <= budget
            for found, expected, budget in zip(self.run(), self._exact, self._budgets, strict=True)
        )

    def seconds(self, choice: Choice, repetitions: int = 20) -> float:
        """Returns the median time of a choice on a GPU; inf if it fails or its results are
        wrong.
        """
        with using(self.key, choice):
            try:
                if not self.is_right():
                    return float("inf")
                return _timed(self.run, repetitions)
            except Exception as error:  # such as too many registers: the next one is tried
                print(f"{choice}: {type(error).__name__}: {error}", file=sys.stderr)
                return float("inf")


def _timed(run: Callable[[], object], repetitions: int) -> float:
    """Median seconds of the kernels of a run: a CUDA graph has no part of the host."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    times = []
    for _ in range(repetitions):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1000)
    return statistics.median(times)


def main(arguments: list[str] | None = None) -> int:
    """Tunes the settings on a power-law graph, and returns the exit code.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune_gpu", description=__doc__)
    parser.add_argument("--shapes", nargs="+", default=["8x8", "4x64"], help="heads x channels")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], choices=_DTYPES)
    parser.add_argument("--passes", nargs="+", default=PASSES, choices=PASSES)
    parser.add_argument("--nodes", type=int, default=169_343)
    parser.add_argument("--edges", type=int, default=2_315_598)
    parser.add_argument("--out", type=Path, default=launch_table.PATH, help="file of the table")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        parser.error("needs a GPU, but torch finds none")
    graph = CSRGraph.from_edge_index(rmat(options.nodes, options.edges, 0), options.nodes)
    graph = graph.to("cuda")
    table = dict(launch_table.TABLE)
    for name, shape, dtype in product(options.passes, options.shapes, options.dtypes):
        setting = Setting(name, *plan.split(shape), _DTYPES[dtype])
        problem = Problem(setting, graph)
        table.pop(problem.key, None)
        choice = tune(setting, problem.seconds)
        print(f"{name} {shape} {dtype}: {choice or 'the rule'}", flush=True)
        if choice is not None:
            table[problem.key] = choice
        launch_table.write(options.out, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
