import pytest
import torch

from gatsparse.ops.philox import draw_seed, edge_dropout, philox


def signed(value):
    return value - 2**64 if value >= 2**63 else value


# The known answers of the reference implementation (Random123, kat_vectors).
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_known_answers(counter, key, expected):
    low, high = (int(word, 16) for word in key.split())
    words = philox(
        torch.tensor(signed(low | high << 32)),
        tuple(torch.tensor(int(word, 16)) for word in counter.split()),
    )
    assert " ".join(f"{int(word):08x}" for word in words) == expected


@pytest.mark.parametrize("heads", [1, 2, 4, 7, 8])
def test_numbers_of_a_head_do_not_depend_on_the_number_of_heads(heads):
    edge = torch.arange(1000)
    seed = torch.tensor(-5)
    scale = edge_dropout(edge, heads, 0.25, seed, torch.float64)
    assert scale.shape == (1000, heads)
    assert torch.equal(scale, edge_dropout(edge, 16, 0.25, seed, torch.float64)[:, :heads])
    assert set(scale.unique().tolist()) == {0.0, 4 / 3}


@pytest.mark.parametrize("p", [0.1, 0.5, 0.6, 0.99])
def test_share_of_dropped_weights(p):
    scale = edge_dropout(torch.arange(200_000) + 2**33, 8, p, draw_seed(), torch.float32)
    dropped = (scale == 0).double().mean(0)
    # Six standard deviations of a binomial share.
    assert (dropped - p).abs().max() < 6 * (p * (1 - p) / 200_000) ** 0.5
    correlation = torch.corrcoef((scale == 0).double().T) - torch.eye(8)
    assert correlation.abs().max() < 6 / 200_000**0.5


def test_large_edge_numbers_matter():
    seed = torch.tensor(0)
    near, far = (
        edge_dropout(torch.arange(64) + start, 4, 0.5, seed, torch.float32) for start in (0, 2**32)
    )
    assert not torch.equal(near, far)
