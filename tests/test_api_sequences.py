import pytest
import torch

from gatsparse.testing import relative_error
from tests.api_sequences import Sequence, run
from tests.graph_formats import FORMATS
from tests.nn.layers import outputs_and_gradients, pair

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly:UserWarning"),
]


@pytest.mark.parametrize("first", range(1000, 1050, 25))
def test_random_sequences_of_calls_equal_pyg(first):
    for seed in range(first, first + 25):
        run(seed)


@pytest.mark.parametrize("seed", [2156, 2465])
def test_sequences_that_failed(seed):
    run(seed, with_compile=True)


@pytest.mark.parametrize("num_edges", [0, 30])
@pytest.mark.parametrize(
    "options",
    [{}, {"add_self_loops": False, "flow": "target_to_source"}, {"edge_dim": 2, "dropout": 0.5}],
    ids=str,
)
@pytest.mark.parametrize("format", FORMATS)
def test_pyg_forward_on_every_format(format, options, num_edges):
    """Hooks need PyG's forward pass, which fails or is wrong on some formats without conversion."""
    theirs, ours = (layer.eval() for layer in pair("GATConv", 5, 3, heads=2, **options))
    ours.register_message_forward_hook(lambda *_: None)
    x = torch.randn(6, 5, dtype=torch.float64)
    edges = torch.randint(6, (2, num_edges))
    edge_attr = torch.randn(num_edges, 2, dtype=torch.float64) if "edge_dim" in options else None
    with torch.inference_mode():
        given, order = FORMATS[format](edges, (6, 6))
        ours(x, given, None if edge_attr is None else edge_attr[order])
    for graph, order in ((given, order), FORMATS[format](edges, (6, 6))):  # noqa: B020
        expected = outputs_and_gradients(
            theirs, (x,), edges[:, order], None if edge_attr is None else edge_attr[order]
        )
        in_order = None if edge_attr is None else edge_attr[order].clone()
        actual = outputs_and_gradients(ours, (x,), graph, in_order)
        for a, b in zip(actual, expected, strict=True):
            assert relative_error(a, b) <= 1e-10


def test_wrong_results_are_detected(monkeypatch):
    sequence = next(s for s in (Sequence(k, False) for k in range(9)) if s.dtype == torch.float64)
    original = sequence._forward

    def wrong(layer, *args):
        out = original(layer, *args)
        return out * 1.01 if layer is sequence.ours else out

    monkeypatch.setattr(sequence, "_forward", wrong)
    with pytest.raises(AssertionError, match="result 0: error"):
        sequence.gradients()
