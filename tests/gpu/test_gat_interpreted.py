"""GAT's Triton kernels in Triton's interpreter, in float64, against the CPU's kernels."""

from collections.abc import Iterator

import pytest
import torch

from gatsparse.testing import graph_zoo
from tests.gpu.gat_calls import Case, call, errors, pieces_of

pytest.importorskip("triton")

ZOO = graph_zoo()
for large in ("random", "hub"):  # the emulator runs them
    del ZOO[large]
OPTIONS = [
    {},
    {"loops": True, "positive": True},
    {"loops": True, "p": 0.5, "edge": True, "concat": False},
    {"p": 0.6, "positive": True, "length": 64, "wide": True},
    {"edge": True, "scale": 8.0},
    {"loops": True, "p": 1.0, "x_dst": True},
    {"slope": -0.3, "loops": True, "edge": True, "wide": True},
    {"slope": 0.0, "x_dst": True, "p": 0.3},
    {"slope": 1.5, "loops": True, "positive": True, "concat": False},
]
SHAPES = [(1, 7), (4, 8), (3, 5), (8, 8), (1, 1), (2, 64), (12, 4)]


def zoo_cases() -> dict[str, tuple[str, Case]]:
    """Every graph with a set of options, all sets and shapes in turn, by name."""
    cases = {}
    for at, graph in enumerate(ZOO):
        H, C = (2, 4) if graph == "hub" else SHAPES[(at + at // 9) % len(SHAPES)]
        case = Case(H, C, **OPTIONS[at % len(OPTIONS)])
        cases[f"{graph}: {case}"] = graph, case
    return cases


NAN, INF = float("nan"), float("inf")
#: Numbers of some nodes of a chain; the results of the others must not change.
SPECIAL = {
    "NaN": {"x": [(3, NAN)]},
    "inf": {"x": [(3, INF), ((5, 0), -INF)]},
    "minus inf": {"x": [(slice(0, 12), -INF)]},
    "huge": {"x": [(3, 1e30), (4, -1e30)]},
    "NaN in one channel of grad_out": {"grad_out": [((3, 1, 0), NAN)]},
}
SPECIAL_CASES = [Case(2, 3, length=4), Case(2, 4, loops=True, positive=True, length=4)]


def interpreted() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the errors of all cases, in the process that interprets Triton's functions."""
    from gatsparse.ops.gat import cuda

    operators = torch.ops.gatsparse
    for name, (graph, case) in zoo_cases().items():
        tensors = call(ZOO[graph], case)
        with pieces_of(case.length):
            actual = tensors.run(cuda.gat, cuda.gat_backward)
        yield name, errors(actual, tensors.run(operators.gat, operators.gat_backward))
    for name, values in SPECIAL.items():
        for case in SPECIAL_CASES:
            tensors = call(ZOO["chain"], case, **values)
            with pieces_of(case.length):
                actual = tensors.run(cuda.gat, cuda.gat_backward)
            yield (
                f"{name}: {case}",
                errors(actual, tensors.run(operators.gat, operators.gat_backward)),
            )
    tensors = call(ZOO["duplicate edges"], Case(2, 4))
    wrong = tensors._replace(case=Case(2, 4, slope=0.2 + 1e-9))
    yield (
        "wrong slope",
        errors(
            wrong.run(cuda.gat, cuda.gat_backward),
            tensors.run(operators.gat, operators.gat_backward),
        ),
    )


@pytest.mark.parametrize("name", zoo_cases())
def test_results_and_gradients_agree_with_the_cpu(found, name):
    assert max(found[name].values()) < 1e-12, found[name]


@pytest.mark.parametrize("case", SPECIAL_CASES, ids=str)
@pytest.mark.parametrize("name", SPECIAL)
def test_nan_and_inf_reach_the_same_results_as_on_the_cpu(found, name, case):
    assert max(found[f"{name}: {case}"].values()) < 1e-12, found[f"{name}: {case}"]


def test_comparison_detects_a_slightly_wrong_slope(found):
    assert found["wrong slope"]["out"] > 1e-12
    assert found["wrong slope"]["grad_x"] > 1e-12
