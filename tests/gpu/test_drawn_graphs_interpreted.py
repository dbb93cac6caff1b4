"""Both attentions in Triton's interpreter, in float64, on graphs drawn by hypothesis, against the
CPU's kernels.
"""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.gpu import gat_calls, gatv2_calls
from tests.strategies import graphs, shapes

pytest.importorskip("triton")

COMMON = {
    "loops": st.booleans(),
    "p": st.sampled_from([0.0, 0.4]),
    "edge": st.booleans(),
    "concat": st.booleans(),
    "slope": st.sampled_from([0.2, 0.0, -0.5, 1.5]),
    "length": st.sampled_from([1, 3, 64]),
    "wide": st.booleans(),
    "scale": st.sampled_from([1.0, 6.0]),
}
OPTIONS = {
    "GAT": st.fixed_dictionaries({**COMMON, "positive": st.booleans()}),
    "GATv2": st.fixed_dictionaries({**COMMON, "records": st.booleans()}),
}
EXAMPLES = 10


def gat_errors(graph, shape, options) -> tuple[str, dict[str, float]]:
    from gatsparse.ops.gat import cuda

    case = gat_calls.Case(*shape, **options)
    tensors = gat_calls.call(graph, case)
    with gat_calls.pieces_of(case.length):
        actual = tensors.run(cuda.gat, cuda.gat_backward)
    operators = torch.ops.gatsparse
    expected = tensors.run(operators.gat, operators.gat_backward)
    return str(case), gat_calls.errors(actual, expected)


def gatv2_errors(graph, shape, options) -> tuple[str, dict[str, float]]:
    case = gatv2_calls.Case(*shape, **options)
    tensors = gatv2_calls.call(graph, case)
    return str(case), gat_calls.errors(tensors.on_gpu(), tensors.on_cpu())


ERRORS = {"GAT": gat_errors, "GATv2": gatv2_errors}


def drawn(variant: str) -> dict[str, dict[str, float]]:
    """Returns the errors of a variant on drawn graphs, by case and graph."""
    found = {}

    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=EXAMPLES,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs(max_nodes=6, max_edges=24), shapes, OPTIONS[variant])
    def check(graph, shape, options):
        case, errors = ERRORS[variant](graph, shape, options)
        edges = graph.edge_index.tolist()
        found[f"{variant} {case} size={graph.size} edges={edges}"] = errors

    check()
    return found


def interpreted() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the errors of the drawn graphs, in the process that interprets Triton's functions."""
    for variant in OPTIONS:
        yield from drawn(variant).items()


@pytest.mark.parametrize("variant", OPTIONS)
def test_results_and_gradients_agree_with_the_cpu(found, variant):
    cases = {name: errors for name, errors in found.items() if name.split()[0] == variant}
    assert sum("edges=[[], []]" not in name for name in cases) >= EXAMPLES // 2
    for name, errors in cases.items():
        assert max(errors.values()) < 1e-12, (name, errors)
