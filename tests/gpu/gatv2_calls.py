"""Calls of GATv2's operators, forward and backward, for the CPU's kernels and the GPU's alike."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from gatsparse.ops.fused import csr_arguments
from gatsparse.testing import Graph, gatv2_inputs
from tests.gpu.gat_calls import SEED, name_of, pieces_of

SAVED = ("heads_out", "shift", "weight_sum")
GRADS = ("grad_x_src", "grad_x_dst", "grad_att", "grad_bias", "grad_edge", "grad_loop")
#: Results in the dtype of the features.
IN_STORAGE = ("out", "grad_x_src", "grad_x_dst", "grad_edge", "grad_loop")


class Case(NamedTuple):
    """Arguments of a call.

    Args:
        H, C (int): Heads and channels.
        loops (bool): Whether self-loops are added.
        p (float): Dropout.
        edge (bool): Whether edges (and loops) have features.
        concat (bool): Whether heads are concatenated.
        slope (float): Negative slope.
        records (bool): Whether the backward pass keeps records of edges.
        length (int): Length of pieces.
        wide (bool): Whether indices are int64.
        programs (int): Most programs of the pass over the in-edges.
        scale (float): Scale of the scores.
    """

    H: int
    C: int
    loops: bool = False
    p: float = 0.0
    edge: bool = False
    concat: bool = True
    slope: float = 0.2
    records: bool = True
    length: int = 8
    wide: bool = False
    programs: int = 1 << 15
    scale: float = 1.0

    def __str__(self) -> str:
        return name_of(self)


class Call(NamedTuple):
    """Tensors of a call: the arguments of ``gatv2`` up to the bias, the gradient, the graph."""

    inputs: tuple[Tensor | None, ...]
    grad_out: Tensor
    csr: list[Tensor]
    csr_t: list[Tensor]
    case: Case

    def run(
        self, gatv2: Callable, gatv2_backward: Callable, shift_unit: float = 1.0
    ) -> dict[str, Tensor]:
        """Returns all results of the operators by their names, the shift in units of 1."""
        case = self.case
        options = (case.loops, case.slope, case.p, SEED if case.p > 0 else None)
        out, *saved = gatv2(*self.inputs, case.concat, True, self.csr, self.csr_t, *options)
        grads = gatv2_backward(
            self.grad_out, *self.inputs[:5], *saved, self.csr, self.csr_t, *options
        )
        results = dict(zip(("out", *SAVED, *GRADS), (out, *saved, *grads), strict=True))
        results["shift"] = results["shift"][:, : case.H] * shift_unit
        results["weight_sum"] = results["weight_sum"][:, : case.H]
        return results

    def on_cpu(self) -> dict[str, Tensor]:
        """Returns the results of the CPU's kernels."""
        operators = torch.ops.gatsparse
        return self.run(operators.gatv2, operators.gatv2_backward)

    def on_gpu(self) -> dict[str, Tensor]:
        """Returns the results of the GPU's kernels, in the interpreter or in the emulator."""
        from gatsparse.ops.gatv2 import cuda

        with limits(self.case):
            return self.run(cuda.gatv2, cuda.gatv2_backward, math.log(2))

    def to(self, dtype: torch.dtype) -> "Call":
        """Returns the call with features in another dtype; att and bias are at least float32."""
        terms = torch.promote_types(dtype, torch.float32)
        dtypes = (dtype, dtype, terms, dtype, dtype, terms)
        inputs = tuple(
            None if t is None else t.to(d) for t, d in zip(self.inputs, dtypes, strict=True)
        )
        return self._replace(inputs=inputs, grad_out=self.grad_out.to(dtype))


def call(graph: Graph, case: Case, **values: list[tuple]) -> Call:
    """A call with normal float64 tensors; ``values`` replace some: ``x_src=[(index, value)]``."""
    tensors = gatv2_inputs(
        *(graph, case.H, case.C),
        edge=case.edge,
        loop=case.loops,
        concat=case.concat,
        scale=case.scale,
    )
    tensors = {n: t.detach() for n, t in tensors.items()}
    for name, replaced in values.items():
        for place, value in replaced:
            tensors[name][place] = value
    generator = torch.Generator().manual_seed(7)
    shape = (graph.size[1], case.H, case.C)
    grad_out = torch.randn(shape, dtype=torch.float64, generator=generator)
    csr, csr_t = csr_arguments(graph.csr(), True)
    if case.wide:
        csr, csr_t = ([side[0], side[1].long(), side[2].long()] for side in (csr, csr_t))
    names = ("x_src", "x_dst", "att", "edge", "loop", "bias")
    return Call(tuple(map(tensors.get, names)), grad_out, csr, csr_t, case)


@contextmanager
def limits(case: Case) -> Iterator[None]:
    """Context with the length of pieces, the most programs and the choice of records of a case."""
    from gatsparse.ops.gatv2 import cuda

    values = {
        (cuda, "_MOST_PROGRAMS"): case.programs,
        (cuda, "_SMALL_RECORDS"): 1 << 40 if case.records else 0,
        (cuda, "_TABLES"): 0,
    }
    before = {(module, name): getattr(module, name) for module, name in values}
    for (module, name), value in values.items():
        setattr(module, name, value)
    try:
        with pieces_of(case.length):
            yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)
