import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from gatsparse import _native
from gatsparse.data import rmat, stochastic_block_model, synthetic

UNIFORM = (0.25, 0.25, 0.25, 0.25)
SKEWED = (0.57, 0.19, 0.19, 0.05)


@pytest.fixture
def in_torch_operations(monkeypatch):
    """Calls a function as if there were no kernels."""

    def call(function, *args, **kwargs):
        with monkeypatch.context() as patch:
            patch.setattr(_native, "MISSING", "not built")
            return function(*args, **kwargs)

    return call


def degrees(edge_index, num_nodes):
    return torch.bincount(edge_index[1], minlength=num_nodes).sort(descending=True).values


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize(
    ("num_nodes", "num_edges"), [(1, 0), (1, 5), (2, 9), (1000, 5000), (2**16 + 1, 10)]
)
def test_shape_and_range(num_nodes, num_edges, dtype):
    edge_index = rmat(num_nodes, num_edges, dtype=dtype)
    assert (edge_index.dtype, list(edge_index.shape)) == (dtype, [2, num_edges])
    assert bool(((edge_index >= 0) & (edge_index < num_nodes)).all())
    assert torch.equal(edge_index.long(), rmat(num_nodes, num_edges))


def test_rmat_is_the_same_for_any_number_of_threads(threads):
    found = []
    for num_threads in (1, 2, 4):
        threads(num_threads)
        found.append(rmat(3000, 70000, seed=3))
    assert torch.equal(found[1], found[0])
    assert torch.equal(found[2], found[0])
    assert not torch.equal(rmat(3000, 70000, seed=4), found[0])


def test_rmat_is_reproducible():
    edge_index = rmat(1000, 5000)
    position = torch.arange(1, 5001)
    assert edge_index[:, :3].tolist() == [[807, 445, 561], [32, 813, 756]]
    assert int((edge_index * position).sum()) == 12_416_807_207


@pytest.mark.parametrize("seed", [0, 2**32 + 5, 2**63 - 1])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("num_nodes", [1, 2, 3, 15, 16, 17, 255, 256, 2**16, 2**16 + 1, 2**20 - 3])
def test_rmat_equals_that_in_torch_operations(in_torch_operations, num_nodes, dtype, seed):
    arguments = (num_nodes, 1500, seed, SKEWED, dtype)
    expected = in_torch_operations(rmat, *arguments)
    assert expected.dtype == dtype
    assert torch.equal(rmat(*arguments), expected)


QUADRANTS = [UNIFORM, (1.0, 0.0, 0.0, 0.0), (0.5, 0.0, 0.5, 0.0), (0.4, 0.4, 0.1, 0.1)]


@pytest.mark.parametrize("probabilities", QUADRANTS)
@pytest.mark.parametrize("num_nodes", [2, 5, 65, 500])
def test_rmat_of_any_probabilities(in_torch_operations, num_nodes, probabilities):
    arguments = (num_nodes, 3000, 1, probabilities)
    edge_index = rmat(*arguments)
    assert torch.equal(edge_index, in_torch_operations(rmat, *arguments))
    if probabilities[0] == 1.0:
        assert edge_index.unique().numel() == 1
    if probabilities[1] == probabilities[3] == 0.0:  # all targets in the first half, and so on
        assert edge_index[1].unique().numel() == 1


@given(st.integers(1, 70), st.integers(0, 50), st.integers(0, 2**63 - 1))
def test_any_rmat_equals_that_in_torch_operations(num_nodes, num_edges, seed):
    edge_index = rmat(num_nodes, num_edges, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_native, "MISSING", "not built")
        assert torch.equal(rmat(num_nodes, num_edges, seed), edge_index)


def test_edges_are_drawn_independently():
    edge_index = rmat(1000, 50000)
    for num_edges in (1, 64, 2**14, 2**14 + 1):
        assert torch.equal(rmat(1000, num_edges), edge_index[:, :num_edges])
    assert edge_index.unique(dim=1).size(1) > 20000
    assert edge_index.unique().numel() > 900


def test_global_generator_is_not_used():
    state = torch.get_rng_state()
    rmat(100, 100)
    stochastic_block_model(100, 100, 3, 2)
    assert torch.equal(torch.get_rng_state(), state)


def test_degrees_are_skewed():
    skewed = degrees(rmat(10000, 160000), 10000)
    even = degrees(rmat(10000, 160000, probabilities=UNIFORM), 10000)
    assert skewed[0] > 100 * 16 > 40 * even[0]
    assert skewed[:100].sum() > 0.3 * 160000 > 10 * even[:100].sum()


def test_nodes_are_permuted():
    num_nodes = 2**12
    edge_index = rmat(num_nodes, 60000)
    assert 0.4 < float((edge_index < num_nodes // 2).double().mean()) < 0.6


@pytest.mark.parametrize("bits", [0, 1, 2, 4])
def test_every_quadrant_has_its_probability(bits):
    probabilities = (0.4, 0.3, 0.2, 0.1)
    bounds, codes = synthetic._quadrants(bits, probabilities)
    assert bounds.dtype == codes.dtype == torch.int64
    assert codes.unique(dim=1).size(1) == codes.size(1) == 4**bits
    ends = torch.tensor([0]), torch.tensor([2**32])
    chances = torch.cat([ends[0], bounds, ends[1]]).diff().double() / 2**32
    for chance, (source, target) in zip(chances.tolist(), codes.T.tolist(), strict=True):
        choices = [2 * (source >> bit & 1) + (target >> bit & 1) for bit in range(bits)]
        expected = math.prod(probabilities[choice] for choice in choices)
        assert math.isclose(chance, expected, abs_tol=2**-31)


def expected_counts(num_nodes, num_edges, probabilities):
    """Returns expected counts ``[N, N]`` before nodes are permuted, from powers of a quadrant."""
    one = torch.tensor(probabilities, dtype=torch.float64).view(2, 2)
    chance = torch.ones(1, 1, dtype=torch.float64)
    for _ in range((num_nodes - 1).bit_length()):
        chance = torch.kron(chance, one)
    chance = chance[:num_nodes, :num_nodes]
    return num_edges * chance / chance.sum()


@pytest.mark.parametrize("num_nodes", [2, 3, 4, 13, 16, 21])
def test_edges_follow_the_model(num_nodes, monkeypatch):
    probabilities = (0.4, 0.25, 0.2, 0.15)
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.arange(n))
    source, target = rmat(num_nodes, 200000, probabilities=probabilities)
    counts = torch.bincount(num_nodes * source + target, minlength=num_nodes**2)
    p = chisquare(counts, expected_counts(num_nodes, 200000, probabilities).flatten()).pvalue
    assert 1e-4 < p < 1 - 1e-4
    other = expected_counts(num_nodes, 200000, (0.4, 0.2, 0.25, 0.15))  # source and target swapped
    assert chisquare(counts, other.flatten()).pvalue < 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_nodes": 0}, "num_nodes: expected >= 1, got 0"),
        ({"num_edges": -1}, "num_edges: expected >= 0, got -1"),
        ({"seed": -1}, "seed: expected >= 0, got -1"),
        ({"seed": 2**63}, "seed: expected <= 9223372036854775807, got 9223372036854775808"),
        ({"dtype": torch.int16}, r"dtype: expected torch.int32 or int64, got torch.int16"),
        ({"dtype": torch.float32}, "dtype: expected torch.int32 or int64"),
        (
            {"dtype": torch.int32, "num_nodes": 2**31},
            "dtype: expected torch.int64 for 2147483648 nodes, got torch.int32",
        ),
        ({"probabilities": (0.5, 0.5)}, r"probabilities: expected four numbers"),
        ({"probabilities": (0.5, 0.3, 0.1, 0.0)}, r"sum to 1.*got \(0.5, 0.3, 0.1, 0.0\)"),
        ({"probabilities": (1.5, -0.5, 0.0, 0.0)}, "numbers >= 0"),
        ({"probabilities": (0.2, 0.3, 0.3, 0.2)}, "largest first"),
        ({"probabilities": (math.nan, 0.5, 0.3, 0.2)}, "expected a finite number, got nan"),
    ],
)
def test_bad_arguments_of_rmat_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        rmat(**{"num_nodes": 10, "num_edges": 10, **arguments})


# stochastic_block_model ###########################################################


def sbm(num_nodes=300, num_edges=6000, num_classes=3, num_features=5, **options):
    return stochastic_block_model(num_nodes, num_edges, num_classes, num_features, **options)


def assert_same_data(data, other):
    theirs = other.to_dict()
    assert theirs.keys() == {"x", "edge_index", "y", "train_mask", "val_mask", "test_mask"}
    assert data.to_dict().keys() == theirs.keys()
    for key, value in data:
        assert value.dtype == theirs[key].dtype
        assert torch.equal(value, theirs[key])


@pytest.mark.parametrize(
    ("num_nodes", "num_edges", "num_classes", "num_features"),
    [(1, 0, 1, 1), (1, 7, 1, 2), (2, 9, 2, 1), (50, 200, 50, 3), (70000, 1000, 7, 2)],
)
def test_shapes_of_the_model(num_nodes, num_edges, num_classes, num_features):
    data = sbm(num_nodes, num_edges, num_classes, num_features)
    data.validate()
    assert (data.x.dtype, list(data.x.shape)) == (torch.float32, [num_nodes, num_features])
    assert (data.y.dtype, list(data.y.shape)) == (torch.int64, [num_nodes])
    assert (data.edge_index.dtype, list(data.edge_index.shape)) == (torch.int64, [2, num_edges])
    assert bool(((data.edge_index >= 0) & (data.edge_index < num_nodes)).all())


@pytest.mark.parametrize("num_classes", [1, 2, 7, 300])
def test_classes_are_equally_large(num_classes):
    y = sbm(num_classes=num_classes).y
    counts = torch.bincount(y)
    assert counts.numel() == num_classes
    assert int(counts.max() - counts.min()) <= 1
    assert num_classes == 1 or bool((y.diff() < 0).any())  # nor in order


def test_masks_share_out_the_nodes():
    for num_nodes in (1, 2, 3, 4, 7, 302):
        data = sbm(num_nodes, 0, 1, 1)
        masks = torch.stack([data.train_mask, data.val_mask, data.test_mask])
        assert masks.dtype == torch.bool
        assert masks.sum(dim=0).tolist() == [1] * num_nodes
        quarter = num_nodes // 4
        assert masks.sum(dim=1).tolist() == [num_nodes - 2 * quarter, quarter, quarter]
    shares = [int(masks[:, half].sum(dim=1)[0]) for half in (slice(151), slice(151, None))]
    assert all(40 < share < 110 for share in shares)


@pytest.mark.parametrize("homophily", [0.0, 0.3, 0.8, 1.0])
def test_share_of_edges_that_stay_in_a_class(homophily):
    data = sbm(homophily=homophily)
    source, target = data.y[data.edge_index]
    stay = int((source == target).sum())
    assert binomtest(stay, 6000, homophily).pvalue > 1e-4
    assert binomtest(stay, 6000, 0.5).pvalue < 1e-4


@pytest.mark.parametrize("homophily", [0.0, 1.0])
def test_one_class_has_all_edges(homophily):
    data = sbm(20, 4000, 1, 1, homophily=homophily)
    counts = torch.bincount(20 * data.edge_index[0] + data.edge_index[1], minlength=400)
    assert chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("homophily", [0.0, 0.4, 1.0])
def test_every_pair_of_nodes_has_its_probability(homophily):
    """In classes of 3, 3 and 4 nodes, targets and the sources of each kind are uniform."""
    data = sbm(10, 100000, 3, 1, homophily=homophily)
    same = (data.y[:, None] == data.y).double()
    chance = homophily * same / same.sum(dim=0) + (1 - homophily) * (1 - same) / (1 - same).sum(
        dim=0
    )
    counts = torch.bincount(10 * data.edge_index[0] + data.edge_index[1], minlength=100)
    expected = (10000 * chance).flatten()
    assert not counts[expected == 0].any()
    p = chisquare(counts[expected > 0], expected[expected > 0]).pvalue
    assert 1e-4 < p < 1 - 1e-4
    assert chisquare(counts).pvalue < 1e-4


def class_means(x, y):
    return torch.stack([x[y == c].mean(dim=0) for c in range(int(y.max()) + 1)])


def test_signal_lifts_classes_out_of_the_noise():
    noise, one, three = (sbm(num_features=400, signal=signal) for signal in (0.0, 1.0, 3.0))
    assert 0.99 < float(noise.x.std()) < 1.01
    assert float(class_means(noise.x, noise.y).abs().max()) < 0.6
    centres = one.x - noise.x
    torch.testing.assert_close(three.x - noise.x, 3 * centres, atol=1e-5, rtol=1e-4)
    means = class_means(centres, one.y)
    torch.testing.assert_close(centres, means[one.y], atol=1e-5, rtol=1e-4)
    assert all(0.85 < float(length) < 1.15 for length in means.norm(dim=1))
    assert all(1.2 < float(torch.dist(means[a], means[b])) < 1.6 for a, b in ((0, 1), (1, 2)))


def test_block_model_is_the_same_for_any_number_of_threads(threads):
    found = []
    for num_threads in (1, 2, 4):
        threads(num_threads)
        found.append(sbm(70000, 80000, seed=5))
    assert_same_data(found[1], found[0])
    assert_same_data(found[2], found[0])
    other = sbm(70000, 80000, seed=6)
    assert all(not torch.equal(value, other[key]) for key, value in found[0])


def test_block_model_is_reproducible():
    edge_index = sbm().edge_index
    assert edge_index[:, :3].tolist() == [[190, 167, 162], [119, 291, 5]]
    assert int((edge_index * torch.arange(1, 6001)).sum()) == 5_379_508_799


@pytest.mark.parametrize("homophily", [0.0, 0.7, 1.0])
@pytest.mark.parametrize(("num_nodes", "num_classes"), [(1, 1), (2, 2), (97, 1), (97, 5), (97, 97)])
def test_block_model_equals_that_in_torch_operations(
    in_torch_operations, num_nodes, num_classes, homophily
):
    for seed in (0, 2**40 + 1, 2**63 - 1):
        arguments = (num_nodes, 2000, num_classes, 3, homophily, 1.0, seed)
        expected = in_torch_operations(stochastic_block_model, *arguments)
        assert_same_data(stochastic_block_model(*arguments), expected)


def test_narrow_edges_of_the_model():
    members, ptr = torch.tensor([2, 0, 1]), torch.tensor([0, 1, 3])
    arguments = (members, torch.tensor([1, 1, 0]), ptr, 500, 3, 2**31)
    wide, narrow = (torch.ops.gatsparse.block_edges(*arguments, n) for n in (False, True))
    assert (wide.dtype, narrow.dtype) == (torch.int64, torch.int32)
    assert torch.equal(narrow.long(), wide)
    assert torch.equal(synthetic._block_edges(*arguments, True), narrow)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_nodes": 0}, "num_nodes: expected >= 1, got 0"),
        ({"num_edges": -1}, "num_edges: expected >= 0, got -1"),
        ({"seed": -1}, "seed: expected >= 0, got -1"),
        ({"num_classes": 0}, "num_classes: expected >= 1, got 0"),
        ({"num_classes": 301}, "num_classes: expected 1 .. num_nodes, got 301"),
        ({"num_features": 0}, "num_features: expected >= 1, got 0"),
        ({"homophily": -0.1}, "homophily: expected 0 <= homophily <= 1, got -0.1"),
        ({"homophily": 1.1}, "homophily: expected 0 <= homophily <= 1, got 1.1"),
        ({"homophily": math.nan}, "homophily: expected 0 <= homophily <= 1, got nan"),
    ],
)
def test_bad_arguments_of_the_block_model_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        sbm(**arguments)


# Operators ########################################################################


@pytest.mark.parametrize(
    ("members", "block_of", "ptr", "message"),
    [
        ([0, 1, 2], [0, 0, 1], [0, 2, 2, 3], "ptr: expected to rise"),
        ([0, 1, 2], [0, 0, 1], [0, 2, 4], "ptr: expected to rise from 0 to 3"),
        ([0, 1, 2], [0, 0, 1], [1, 2, 3], "ptr: expected to rise from 0 to 3"),
        ([0, 1, 2], [0, 0, 1], [0], "ptr: expected to rise from 0 to 3"),
        ([0, 1, 2], [0, 0, 2], [0, 2, 3], "block_of, members: index out of range"),
        ([0, 1, 2], [0, -1, 1], [0, 2, 3], "block_of, members: index out of range"),
        ([0, 1, 3], [0, 0, 1], [0, 2, 3], "block_of, members: index out of range"),
        ([0, 1, 2], [0, 0], [0, 2, 3], "block_of: expected size 3"),
        ([], [], [0], "expected sizes >= 0"),
    ],
)
def test_block_edges_checks_its_input(members, block_of, ptr, message):
    tensors = [torch.tensor(values, dtype=torch.int64) for values in (members, block_of, ptr)]
    with pytest.raises(RuntimeError, match=message):
        torch.ops.gatsparse.block_edges(*tensors, 100, 0, 2**31, False)


def test_rmat_edges_checks_its_input():
    order = torch.arange(3)
    tables = [*synthetic._quadrants(4, UNIFORM), *synthetic._quadrants(2, UNIFORM)]
    rmat_edges = torch.ops.gatsparse.rmat_edges
    assert rmat_edges(order, 9, 0, 2, tables, False).shape == (2, 9)
    for num_bits in (-1, 1, 3, 63):
        with pytest.raises(RuntimeError, match=r"num_bits|sizes"):
            rmat_edges(order, 9, 0, num_bits, tables, False)
    with pytest.raises(RuntimeError, match="expected sizes >= 0"):
        rmat_edges(order, -1, 0, 2, tables, False)
    with pytest.raises(RuntimeError, match="tables: expected bounds and codes, twice"):
        rmat_edges(order, 9, 0, 2, tables[:2], False)
    with pytest.raises(RuntimeError, match="bounds: expected size 15"):
        rmat_edges(order, 9, 0, 2, [*tables[:2], *tables[:2]], False)
