import pytest

from tests.api_sequences import Sequence, run

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are implicitly:UserWarning"),
]


@pytest.mark.parametrize("first", range(1000, 1050, 25))
def test_random_sequences_of_calls_equal_pyg(first):
    for seed in range(first, first + 25):
        run(seed)


#: PyG's forward pass, which hooks need, failed or was wrong on these formats.
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(12, id="self-loops with edge features beside CSR"),
        pytest.param(21, id="target_to_source on COO"),
        pytest.param(132, id="EdgeIndex in inference mode"),
        pytest.param(140, id="duplicate edges in COO"),
        pytest.param(187, id="wrong gradient on int32"),
        pytest.param(286, id="int32"),
    ],
)
def test_sequences_that_failed(seed):
    run(seed, with_compile=True)


def test_wrong_results_are_found(monkeypatch):
    sequence = Sequence(3, with_compile=False)
    original = sequence._forward

    def wrong(layer, *args):
        out = original(layer, *args)
        return out * 1.01 if layer is sequence.ours else out

    monkeypatch.setattr(sequence, "_forward", wrong)
    with pytest.raises(AssertionError, match="result 0: error"):
        sequence.gradients()
