"""GATv2's Triton kernels in Triton's interpreter, in float64, against the CPU's kernels."""

from collections.abc import Iterator

import pytest
import torch

from gatsparse.testing import Graph, graph_zoo, relative_error
from tests.gpu.gat_calls import errors
from tests.gpu.gatv2_calls import Call, Case, call

pytest.importorskip("triton")

ZOO = graph_zoo()
for large in ("random", "hub", "dense with duplicates"):  # the emulator runs them
    del ZOO[large]
OPTIONS = [
    {"records": False},
    {"loops": True},
    {"loops": True, "p": 0.5, "edge": True, "concat": False},
    {"p": 0.6, "length": 64, "wide": True, "records": False},
    {"edge": True, "scale": 8.0},
    {"loops": True, "p": 1.0, "records": False},
    {"slope": -0.3, "loops": True, "edge": True, "wide": True, "programs": 3},
    {"slope": 0.0, "p": 0.3, "programs": 2},
    {"slope": 1.5, "loops": True, "concat": False, "records": False},
]
LARGE = ("complete", "chain", "reversed chain")
SHAPES = [(1, 7), (4, 8), (3, 5), (8, 8), (1, 1), (2, 64), (12, 4)]
#: 6 nodes, each with edges from the next three, and a loop.
SMALL = Graph(torch.tensor([[(i + k) % 6, i] for i in range(6) for k in range(4)]).T, (6, 6))
LONG_ROWS = [
    ("duplicate edges", Case(1, 520)),
    ("duplicate edges", Case(2, 97, records=False)),
    ("duplicate edges", Case(8, 64, length=1)),  # more pieces than groups that combine them
]


def zoo_cases() -> dict[str, tuple[str, Case]]:
    """Every graph with a set of options, all sets and shapes in turn, by name."""
    cases = {f"{graph}: {case}": (graph, case) for graph, case in LONG_ROWS}
    for at, graph in enumerate(ZOO):
        H, C = (2, 4) if graph in LARGE else SHAPES[(at + at // 9) % len(SHAPES)]
        case = Case(H, C, **OPTIONS[at % len(OPTIONS)])
        cases[f"{graph}: {case}"] = graph, case
    return cases


#: Values of x_src at some nodes of a graph; the attention of the others must not change.
SPECIAL = {
    "NaN": {"x_src": [(3, float("nan"))]},
    "inf": {"x_src": [(3, float("inf")), ((5, 0), float("-inf"))]},
    "huge": {"x_src": [(3, 1e30), (4, -1e30)]},
    "NaN of a destination": {"x_dst": [(2, float("nan"))]},
    "minus inf": {"x_dst": [(2, float("-inf"))], "att": [(0, 1.0)]},
    "NaN of a replaced loop": {"edge": [(4, float("nan"))]},
    "masked edges": {"edge": [(slice(4, 11), float("-inf"))], "att": [(0, 1.0)]},
}
SPECIAL_CASES = [
    Case(2, 3, length=4, edge=True),
    Case(2, 4, loops=True, length=2, records=False),
    Case(1, 3, loops=True, length=2, edge=True),
]


def special_cases() -> dict[str, tuple[str, Case]]:
    """Every replacement with each case that has the replaced tensor, by name."""
    return {
        f"{name}: {case}": (name, case)
        for name, values in SPECIAL.items()
        for case in SPECIAL_CASES
        if case.edge or "edge" not in values
    }


def interpreted() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the errors of all cases, in the process that interprets Triton's functions."""
    for name, (graph, case) in zoo_cases().items():
        tensors = call(ZOO[graph], case)
        yield name, errors(tensors.on_gpu(), tensors.on_cpu())
    for name, (values, case) in special_cases().items():
        tensors = call(SMALL, case, **SPECIAL[values])
        yield name, errors(tensors.on_gpu(), tensors.on_cpu())
    tensors = call(ZOO["isolated nodes"], Case(2, 3), x_dst=[(0, float("nan"))])
    yield "NaN without edges", errors(tensors.on_gpu(), tensors.on_cpu())
    for concat in (True, False):
        case = Case(3, 5, loops=True, concat=concat)
        tensors = call(SMALL, case)
        yield f"without saving: {concat}", without_saving(tensors)
    tensors = call(ZOO["duplicate edges"], Case(2, 4))
    wrong = tensors._replace(case=Case(2, 4, slope=0.2 + 1e-9))
    yield "wrong slope", errors(wrong.on_gpu(), tensors.on_cpu())


def without_saving(tensors: Call) -> dict[str, float]:
    """Differences of the result, and of the sizes of the other results, if nothing is saved."""
    from gatsparse.ops.gatv2 import cuda

    case = tensors.case
    arguments = (*tensors.inputs, case.concat, False, tensors.csr, [], case.loops, case.slope)
    out, *saved = cuda.gatv2(*arguments, 0.0, None)
    expected = torch.ops.gatsparse.gatv2(*arguments, 0.0, None)
    same = [t.shape == e.shape for t, e in zip((out, *saved), expected, strict=True)]
    return {"out": relative_error(out, expected[0]) if all(same) else float("inf")}


@pytest.mark.parametrize("name", zoo_cases())
def test_results_and_gradients_agree_with_the_cpu(found, name):
    assert max(found[name].values()) < 1e-12, found[name]


@pytest.mark.parametrize("name", [*special_cases(), "NaN without edges"])
def test_nan_and_inf_reach_the_same_results_as_on_the_cpu(found, name):
    assert max(found[name].values()) < 1e-12, found[name]


@pytest.mark.parametrize("concat", [True, False])
def test_forward_pass_alone_saves_nothing(found, concat):
    assert found[f"without saving: {concat}"]["out"] < 1e-12


def test_comparison_detects_a_slightly_wrong_slope(found):
    assert found["wrong slope"]["out"] > 1e-12
    assert found["wrong slope"]["grad_x_src"] > 1e-12
