import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from gatsparse import _native
from gatsparse.ops import dropout, elu_dropout
from gatsparse.ops.philox import philox


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 5000])
def test_numbers_are_philox_of_the_position(isa, size):
    seed = torch.tensor(2**40 + 7)
    with _native.use_isa(isa):
        out = torch.ops.gatsparse.dropout(torch.ones(size), 0.3, seed)
    k = torch.arange(size)
    group, word, lane = k // 64, k % 64 // 16, k % 16
    zero = torch.zeros_like(k)
    words = torch.stack(philox(seed, (group * 16 + lane, zero, zero, zero + 1)))
    kept = words[word, k] >= int(0.3 * 2**32)
    assert torch.equal(out, kept.float() / 0.7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("p", [0.1, 0.6, 0.999])
def test_distribution(p, dtype):
    x = torch.ones(400, 500, dtype=dtype)
    out = dropout(x, p)
    assert out.dtype == dtype
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / (1 - p), dtype=dtype).item()}
    # Six standard deviations of a binomial share.
    assert abs((out == 0).double().mean() - p) < 6 * (p * (1 - p) / x.numel()) ** 0.5
    shares = (out == 0).double().mean(0)
    assert (shares - p).abs().max() < 6 * (p * (1 - p) / 400) ** 0.5 + 1 / 400


def test_seed_comes_from_torch():
    x = torch.ones(1000)
    torch.manual_seed(1)
    first, second = dropout(x), dropout(x)
    torch.manual_seed(1)
    assert torch.equal(dropout(x), first)
    assert not torch.equal(first, second)


def test_same_for_any_number_of_threads(threads):
    x, seed = torch.randn(1_000_003), torch.tensor(3)
    results = []
    for num_threads in (1, 2, 3):
        threads(num_threads)
        results.append(torch.ops.gatsparse.dropout(x, 0.5, seed))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_gradients():
    x = torch.randn(7, 30, dtype=torch.float64, requires_grad=True)
    arguments = (x, 0.4, torch.tensor(9))
    operator = torch.ops.gatsparse.dropout
    assert torch.autograd.gradcheck(operator, arguments)
    assert torch.autograd.gradgradcheck(operator, arguments)
    torch.library.opcheck(operator.default, arguments)
    out = dropout(x, 0.4)
    out.sum().backward()
    assert torch.equal(x.grad == 0, out == 0)


def test_edge_cases(monkeypatch):
    x = torch.randn(5, 6)
    assert dropout(x, 0.5, False) is x
    assert dropout(x, 0.0) is x
    assert torch.equal(dropout(x, 1.0), torch.zeros(5, 6))
    assert dropout(x.T, 0.5).shape == (6, 5)
    assert dropout(torch.full((1000,), torch.nan)).isnan().all()
    for p in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="p: expected 0 <= p <= 1"):
            dropout(x, p)
    monkeypatch.setattr(_native, "MISSING", "not built")
    assert (dropout(torch.ones(1000)) == 0).any()


def test_compile():
    compiled = torch.compile(lambda x: dropout(x, 0.5), fullgraph=True)
    out = compiled(torch.ones(1000))
    assert set(out.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("p", [0.0, 0.6])
@pytest.mark.parametrize("size", [0, 1, 65, 5000])
def test_elu_dropout(isa, dtype, p, size):
    """The output is ELU times the dropout of ones; gradients are compared, too."""
    generator = torch.Generator().manual_seed(3)
    x = 4 * torch.randn(size, generator=generator, dtype=torch.float64)
    x[:2] = 0.0
    grad = torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)
    leaf, seed = x.to(dtype).requires_grad_(), torch.tensor(11)
    with _native.use_isa(isa):
        out = torch.ops.gatsparse.elu_dropout(leaf, p, seed if p else None)
        out.backward(grad)
        ones = torch.ones(size, dtype=torch.float64)
        factor = torch.ops.gatsparse.dropout(ones, p, seed) if p else ones

    exact = leaf.detach().double().requires_grad_()
    expected = F.elu(exact) * factor
    expected.backward(grad.double())
    assert out.dtype == dtype
    assert torch.equal(out == 0, expected == 0)
    # ELU has two roundings and an ulp of exp, dropout another two; the derivative is computed
    # from the rounded result.
    assert_close(out.detach().double(), expected.detach(), rtol=5 * torch.finfo(dtype).eps, atol=0)
    error = (leaf.grad.double() - exact.grad).abs()
    assert (error <= 8 * torch.finfo(dtype).eps * (grad.double() * factor).abs()).all()


def test_elu_dropout_of_large_numbers():
    x = torch.tensor([torch.inf, -torch.inf, torch.nan, 1e30, -1e30], requires_grad=True)
    out = elu_dropout(x, training=False)
    assert torch.equal(out.nan_to_num(7.0), torch.tensor([torch.inf, -1, 7, 1e30, -1]).nan_to_num())
    out.backward(torch.ones(5))
    assert torch.equal(x.grad.nan_to_num(7.0), torch.tensor([1.0, 0, 7, 1, 0]))


def test_elu_dropout_drops_the_same_values_as_dropout():
    x = torch.rand(1000) + 1
    torch.manual_seed(5)
    expected = dropout(x, 0.3)
    torch.manual_seed(5)
    assert torch.equal(elu_dropout(x, 0.3), expected)
    assert torch.equal(elu_dropout(x, 1.0), torch.zeros(1000))
    assert torch.equal(elu_dropout(x, 0.3, training=False), x)
    with pytest.raises(ValueError, match="p: expected 0 <= p <= 1, got 2"):
        elu_dropout(x, 2.0)


def test_elu_dropout_operator():
    x = torch.randn(7, 30, dtype=torch.float64, requires_grad=True)
    arguments = (x, 0.4, torch.tensor(9))
    operator = torch.ops.gatsparse.elu_dropout
    torch.library.opcheck(operator.default, arguments)
    assert torch.autograd.gradcheck(operator, arguments)
    compiled = torch.compile(
        lambda x: operator(x, *arguments[1:]), fullgraph=True, backend="aot_eager"
    )
    assert torch.equal(compiled(x), operator(*arguments))
    assert torch.autograd.gradgradcheck(lambda x: elu_dropout(x, 0.0), x)

    def seeded(x):
        torch.manual_seed(4)
        return elu_dropout(x, 0.4)

    assert torch.autograd.gradgradcheck(seeded, x)


def test_elu_dropout_is_traced(tmp_path):
    x = torch.randn(3, 5, requires_grad=True)
    traced = torch.jit.trace(lambda x: elu_dropout(x, training=False), x)
    traced.save(str(tmp_path / "traced.pt"))
    assert_close(torch.jit.load(str(tmp_path / "traced.pt"))(x), F.elu(x))


def test_elu_dropout_under_functional_transforms():
    x = torch.randn(3, 5, dtype=torch.float64)

    def function(x):
        return elu_dropout(x, training=False)

    tangent = torch.func.jvp(torch.vmap(function), (x,), (torch.ones_like(x),))[1]
    assert_close(tangent, torch.func.jvp(F.elu, (x,), (torch.ones_like(x),))[1])
