"""Calls of GAT's operators, forward and backward, for the CPU's kernels and the GPU's alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from gatsparse.gpu import lanes, pieces
from gatsparse.ops.fused import csr_arguments
from gatsparse.testing import Graph, cast, gat_inputs, relative_error

SEED = torch.tensor(0x1234_5678_9ABC_DEF1)
SAVED = (
    *("heads_out", "alpha_src", "alpha_dst", "shift", "weight_sum"),
    *("positive_out", "positive_weight"),
)
GRADS = (
    *("grad_x", "grad_att_src", "grad_att_dst", "grad_alpha_dst", "grad_bias"),
    *("grad_edge", "grad_loop"),
)
#: Results whose columns beyond the heads are padding.
PADDED = ("alpha_src", "alpha_dst", "shift", "weight_sum", "positive_weight", "grad_alpha_dst")


def name_of(case: Any) -> str:
    """Heads, channels and the options of a case that differ from the defaults."""
    default = case._field_defaults
    options = {n: v for n, v in case._asdict().items() if n in default and v != default[n]}
    return " ".join([f"{case.H}x{case.C}", *(f"{n}={v}" for n, v in options.items())])


class Case(NamedTuple):
    """Arguments of a call.

    Args:
        H, C (int): Heads and channels.
        loops (bool): Whether self-loops are added.
        p (float): Dropout.
        edge (bool): Whether edges (and loops) have terms.
        positive (bool): Whether the sums over positive scores are saved, where that is possible.
        concat (bool): Whether heads are concatenated.
        slope (float): Negative slope.
        x_dst (bool, optional): Whether destinations have features of their own.
        length (int): Length of pieces.
        wide (bool): Whether indices are int64.
        scale (float): Scale of the scores.
    """

    H: int
    C: int
    loops: bool = False
    p: float = 0.0
    edge: bool = False
    positive: bool = False
    concat: bool = True
    slope: float = 0.2
    x_dst: bool | None = None
    length: int = 8
    wide: bool = False
    scale: float = 1.0

    def __str__(self) -> str:
        return name_of(self)


class Call(NamedTuple):
    """Tensors of a call: the arguments of ``gat`` up to the bias, the gradient, and the graph."""

    inputs: tuple[Tensor | None, ...]
    grad_out: Tensor
    csr: list[Tensor]
    csr_t: list[Tensor]
    case: Case

    def run(self, gat: Callable, gat_backward: Callable) -> dict[str, Tensor]:
        """Returns all results of the operators by their names."""
        case = self.case
        positive = case.positive and self.inputs[2] is not None and not case.edge
        positive = positive and case.slope >= 0
        options = (case.loops, case.slope, case.p, SEED if case.p > 0 else None)
        out, *saved = gat(*self.inputs, case.concat, True, positive, self.csr, self.csr_t, *options)
        x, att_src, att_dst, _, edge, loop, _ = self.inputs
        grads = gat_backward(
            self.grad_out, x, att_src, att_dst, edge, loop, *saved, self.csr, self.csr_t, *options
        )
        results = dict(zip(("out", *SAVED, *GRADS), (out, *saved, *grads), strict=True))
        return {n: t[:, : case.H] if n in PADDED else t for n, t in results.items()}

    def to(self, dtype: torch.dtype) -> "Call":
        """Returns the call with features in another dtype; the other tensors are at least
        float32.
        """
        terms = torch.promote_types(dtype, torch.float32)
        x, *others = self.inputs
        inputs = (x.to(dtype), *(None if t is None else t.to(terms) for t in others))
        return self._replace(inputs=inputs, grad_out=self.grad_out.to(dtype))

    def with_channels(self, order: Tensor) -> "Call":
        """Returns the call with the channels in another order, which changes only roundings."""
        x, att_src, att_dst, alpha_dst, edge, loop, bias = self.inputs
        x, att_src, att_dst = (None if t is None else t[..., order] for t in (x, att_src, att_dst))
        bias = bias.view(-1, self.case.C)[:, order].flatten()
        inputs = (x, att_src, att_dst, alpha_dst, edge, loop, bias)
        return self._replace(inputs=inputs, grad_out=self.grad_out[..., order])


def call(graph: Graph, case: Case, **values: list[tuple[Any, float]]) -> Call:
    """A call with normal float64 tensors, of which pairs ``(index, value)`` replace numbers of
    ``x`` and ``grad_out``.
    """
    tensors = gat_inputs(
        *(graph, case.H, case.C),
        x_dst=case.x_dst,
        edge=case.edge,
        loop=case.loops,
        concat=case.concat,
        scale=case.scale,
    )
    tensors = {n: t.detach() for n, t in cast(tensors, torch.float64).items()}
    att_dst, alpha_dst = tensors["att_dst"], None
    if "x_dst" in tensors:
        alpha_dst, att_dst = (tensors["x_dst"] * att_dst).sum(-1), None
    generator = torch.Generator().manual_seed(7)
    shape = (graph.size[1], case.H, case.C)
    grad_out = torch.randn(shape, dtype=torch.float64, generator=generator)
    for name, tensor in (("x", tensors["x"]), ("grad_out", grad_out)):
        for place, value in values.get(name, ()):
            tensor[place] = value
    csr, csr_t = csr_arguments(graph.csr(), True)
    if case.wide:
        csr, csr_t = ([side[0], side[1].long(), side[2].long()] for side in (csr, csr_t))
    inputs = (
        *(tensors["x"], tensors["att_src"], att_dst, alpha_dst),
        *(tensors.get("edge"), tensors.get("loop"), tensors["bias"]),
    )
    return Call(inputs, grad_out, csr, csr_t, case)


def errors(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, float]:
    """Relative error of each result; inf where shapes or places of NaN and inf differ.

    A softmax may be saved with any shift, so shift and sum are compared as log-sum-exp.
    """
    actual, expected = _with_logsumexp(actual), _with_logsumexp(expected)
    found = {}
    for name, wanted in expected.items():
        got = actual[name].double()
        wanted = wanted.double()
        finite = wanted.isfinite()
        same = got.shape == wanted.shape and torch.equal(
            got.nan_to_num(0.0, 1.0, -1.0)[~finite], wanted.nan_to_num(0.0, 1.0, -1.0)[~finite]
        )
        same = same and torch.equal(got.isnan(), wanted.isnan())
        found[name] = relative_error(got[finite], wanted[finite]) if same else float("inf")
    return found


def _with_logsumexp(results: dict[str, Tensor]) -> dict[str, Tensor]:
    others = {n: t for n, t in results.items() if n not in ("shift", "weight_sum")}
    return others | {"logsumexp": results["shift"] + results["weight_sum"].log()}


@contextmanager
def pieces_of(length: int) -> Iterator[None]:
    """Context in which rows are cut into pieces of a given length, and a program combines at most
    four of them.
    """
    with (
        mock.patch.object(pieces, "piece_length", return_value=length),
        mock.patch.object(pieces, "_TOGETHER", 4),
    ):
        yield


@contextmanager
def in_flight(channels: int) -> Iterator[None]:
    """Context in which a lane loads fewer channels at once: kernels are compiled much faster."""
    with mock.patch.object(lanes, "_IN_FLIGHT", channels):
        yield
