import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from gatsparse import _native, slow_path
from gatsparse.nn import dropout, sparse_linear
from gatsparse.slow_path import SlowPathWarning
from gatsparse.testing import error_budget, relative_error

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")


def features(num_nodes, num_features, density=0.2, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(num_nodes, num_features, generator=generator, dtype=torch.float64)
    kept = torch.rand(num_nodes, num_features, generator=generator) < density
    return (x * kept).to(dtype).to_sparse_csr()


def weights(out, num_features, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    normal = (
        torch.randn(n, generator=generator, dtype=torch.float64) for n in (out * num_features, out)
    )
    weight, bias = normal
    return (
        weight.view(out, num_features).to(dtype).requires_grad_(),
        bias.to(dtype).requires_grad_(),
    )


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@given(
    num_nodes=st.integers(0, 40),
    num_features=st.integers(1, 40),
    out=st.integers(1, 70),
    density=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_equals_dense(isa, dtype, num_nodes, num_features, out, density):
    x = features(num_nodes, num_features, density, dtype)
    weight, bias = weights(out, num_features, dtype)
    leaf = x.clone().requires_grad_()
    with _native.use_isa(isa):
        result = sparse_linear(leaf, weight, bias)
        grad_out = torch.ones_like(result) + result.detach()
        result.backward(grad_out)

    def dense(precision):
        leaves = [t.detach().to(precision).requires_grad_() for t in (x.to_dense(), weight, bias)]
        expected = F.linear(*leaves)
        expected.backward(grad_out.to(precision))
        at_values = leaves[0].grad[x.to_dense() != 0]
        return [expected.detach(), at_values, leaves[1].grad, leaves[2].grad]

    exact, same = dense(torch.float64), dense(dtype)
    actual = [result.detach(), leaf.grad.values(), weight.grad, bias.grad]
    for ours, truth, reference in zip(actual, exact, same, strict=True):
        assert ours.dtype == dtype
        budget = error_budget(relative_error(reference, truth), dtype)
        assert relative_error(ours, truth) <= budget


def test_hub_of_features_and_threads(threads):
    x = features(6000, 3, density=1.0, dtype=torch.float32)
    weight, _ = weights(20, 3, torch.float32)
    results = []
    for num_threads in (1, 2, 3):
        threads(num_threads)
        weight.grad = None
        out = sparse_linear(x, weight)
        out.square().sum().backward()
        results.append((out.detach(), weight.grad))
    for out, grad in results[1:]:
        assert torch.equal(out, results[0][0])
        assert torch.equal(grad, results[0][1])

    def gradient(dtype):
        dense, w = x.to_dense().to(dtype), weight.detach().to(dtype)
        return 2 * F.linear(dense, w).T @ dense

    exact = gradient(torch.float64)
    budget = error_budget(relative_error(gradient(torch.float32), exact), torch.float32)
    assert relative_error(results[0][1], exact) <= budget


def test_operator():
    x = features(7, 5)
    weight, bias = weights(4, 5)
    csr = [x.crow_indices(), x.col_indices(), torch.arange(x.values().numel())]
    csr_t = list(torch.ops.gatsparse.csr_transpose(csr, 5))
    arguments = (x.values().clone().requires_grad_(), weight, bias, csr, csr_t)
    operator = torch.ops.gatsparse.sparse_linear
    torch.library.opcheck(operator.default, arguments)
    assert torch.autograd.gradcheck(lambda *t: operator(*t, csr, csr_t), arguments[:3])
    compiled = torch.compile(
        lambda *t: operator(*t, csr, csr_t), fullgraph=True, backend="aot_eager"
    )
    assert torch.equal(compiled(*arguments[:3]), operator(*arguments))


def test_output_of_dropout_shares_the_transpose(monkeypatch):
    x = features(50, 30)
    weight, _ = weights(4, 30)
    sparse_linear(x, weight)

    def never(*_):
        raise AssertionError("built again")

    monkeypatch.setattr("gatsparse.graph._transpose", never)
    monkeypatch.setattr("gatsparse.graph._checked_csr", never)
    dropped = dropout(x, 0.5)
    sparse_linear(dropped, weight).sum().backward()
    expected = dropped.to_dense().sum(0).expand(4, -1)
    assert relative_error(weight.grad, expected) <= 50 * torch.finfo(torch.float64).eps


def test_without_kernels(monkeypatch):
    x = features(20, 9)
    weight, bias = weights(4, 9)
    monkeypatch.setattr(_native, "MISSING", "not built")
    expected = F.linear(x.to_dense(), weight, bias)
    budget = error_budget(0.0, torch.float64)
    monkeypatch.setattr(slow_path, "_warned", set())
    with pytest.warns(SlowPathWarning, match="not built"):
        out = sparse_linear(x, weight, bias)
    assert relative_error(out, expected) <= budget


def test_dropout_of_stored_values():
    x = torch.ones(300, 200).to_sparse_csr()
    out = dropout(x, 0.6)
    assert out.layout == torch.sparse_csr
    assert torch.equal(out.col_indices(), x.col_indices())
    assert set(out.values().unique().tolist()) == {0.0, 2.5}
    # Six standard deviations of a binomial share.
    share = (out.values() == 0).double().mean()
    assert abs(share - 0.6) < 6 * (0.24 / 60000) ** 0.5
    assert dropout(x, 0.6, False) is x
    torch.manual_seed(1)
    first = dropout(x, 0.6).values()
    torch.manual_seed(1)
    assert torch.equal(first, dropout(torch.ones(300, 200), 0.6).flatten())


def test_bad_inputs_raise():
    x = features(6, 5)
    weight, bias = weights(4, 5)
    with pytest.raises(ValueError, match="x: expected a sparse_csr, sparse_csc"):
        sparse_linear(x.to_dense(), weight)
    with pytest.raises(ValueError, match=r"weight: expected shape \[O, 5\]"):
        sparse_linear(x, weight.T)
    with pytest.raises(ValueError, match=r"bias: expected shape \[4\]"):
        sparse_linear(x, weight, bias[:2])
    with pytest.raises(TypeError, match=r"weight: expected torch.float64 to match x"):
        sparse_linear(x, weight.float())
    with pytest.raises(TypeError, match="x: expected a dense, sparse_csr, sparse_csc or"):
        dropout(x.to_dense().to_sparse_bsr((1, 1)), 0.5)
    wrong = torch.sparse_csr_tensor(
        torch.tensor([0, 1]), torch.tensor([7]), torch.ones(1), (1, 5), check_invariants=False
    )
    with pytest.raises(IndexError, match="7 at position 0"):
        sparse_linear(wrong, weight.float())


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("index_dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize(("key", "part"), [("csr", 1), ("csr_t", 1), ("csr_t", 2)])
@pytest.mark.parametrize("place", [0, -1])
def test_kernels_reject_indices_out_of_range(isa, index_dtype, key, part, place):
    x = features(7, 5)
    weight, _ = weights(4, 5)
    csr = [x.crow_indices(), x.col_indices(), torch.arange(x.values().numel())]
    arguments = {"csr": csr, "csr_t": list(torch.ops.gatsparse.csr_transpose(csr, 5))}
    arguments = {key: [t[0], *(i.to(index_dtype) for i in t[1:])] for key, t in arguments.items()}
    operator = torch.ops.gatsparse.sparse_linear
    bound = {("csr", 1): 5, ("csr_t", 1): 7, ("csr_t", 2): x.values().numel()}[key, part]
    for index in (-1, bound, 2**31 - 1, -(2**31)):
        broken = arguments[key][part].clone()
        broken[place] = index
        given = arguments | {key: [*arguments[key]]}
        given[key][part] = broken
        with _native.use_isa(isa), pytest.raises(RuntimeError, match="index out of range"):
            operator(x.values(), weight, None, **given).sum().backward()
