"""Dropout and ELU in Triton, interpreted and as compiled for a GPU, against the CPU's kernels."""

from collections.abc import Iterator

import pytest
import torch

pytest.importorskip("triton")

SEED = torch.tensor(2**62 + 12345)
OPERATORS = torch.ops.gatsparse
#: A program computes 2048 elements: none, parts of one, and a whole one and a part.
SIZES = (0, 1, 15, 65, 2100)
HALVES = (torch.bfloat16, torch.float16)


def numbers(size: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    x, grad = 3 * torch.randn(2, size, generator=generator, dtype=torch.float64)
    if size > 20:
        x[7:12] = torch.tensor([0.0, float("inf"), float("-inf"), float("nan"), -1e-20])
    return x.to(dtype), grad.to(dtype)


def results(operators, size: int, p: float, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Results of the operators; those of float16 on the CPU are computed in float32."""
    x, grad = numbers(size, dtype)
    seed = SEED if p > 0 else None
    if operators is OPERATORS and dtype == torch.float16:
        x, grad = x.float(), grad.float()
    out = OPERATORS.elu_dropout(x.double(), p, seed).to(x.dtype)
    found = {
        "elu_dropout": operators.elu_dropout(x, p, seed),
        "elu_dropout_backward": operators.elu_dropout_backward(grad, out, p, seed),
    }
    if p > 0:
        found["dropout"] = operators.dropout(x, p, SEED)
    return {name: tensor.to(dtype) for name, tensor in found.items()}


def errors(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> dict[str, float]:
    """The largest error of each result, relative to each element; in the backward pass to at
    least 10, because the derivative of ELU is a difference from 1. inf where 0, NaN or inf is at
    another place.
    """
    found = {}
    for name, tensor in actual.items():
        got, wanted = tensor.double(), expected[name].double()
        backward = name == "elu_dropout_backward"
        finite = wanted.isfinite()
        special = wanted[~finite].nan_to_num(7.0)
        same = got.shape == wanted.shape and torch.equal(got[~finite].nan_to_num(7.0), special)
        same = same and (backward or torch.equal(got == 0, wanted == 0))
        scale = wanted[finite].abs().clamp(min=10.0 if backward else 1e-30)
        error = (got - wanted)[finite].abs() / scale if same else torch.tensor([torch.inf])
        found[name] = float(error.max()) if error.numel() else 0.0
    return found


def interpreted() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the errors of all cases, in the process that interprets Triton's functions."""
    from gatsparse.ops.dropout import cuda

    cases = [(size, p, torch.float64) for size in SIZES for p in (0.0, 0.3, 0.999)]
    for size, p, dtype in [*cases, *((2100, 0.3, dtype) for dtype in HALVES)]:
        actual = results(cuda, size, p, dtype)
        yield f"{size} {p} {dtype}", errors(actual, results(OPERATORS, size, p, dtype))


@pytest.mark.parametrize("p", [0.0, 0.3, 0.999])
@pytest.mark.parametrize("size", SIZES)
def test_float64_agrees_with_the_cpu(found, size, p):
    errors = found[f"{size} {p} {torch.float64}"]
    assert max(errors.values()) < 1e-14, errors


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_halves_agree_with_the_cpu(found, dtype):
    errors = found[f"2100 0.3 {dtype}"]
    assert max(errors.values()) <= 2 * torch.finfo(dtype).eps, errors


@pytest.mark.parametrize(("size", "p"), [(5000, 0.3), (2048, 0.6), (77, 0.0)])
def test_compiled_kernels_agree_with_the_cpu(size, p):
    from gatsparse.ops.dropout import cuda
    from tests.ptx.device import emulated

    with emulated():
        actual = results(cuda, size, p, torch.float32)
    for name, error in errors(actual, results(OPERATORS, size, p, torch.float32)).items():
        assert error <= 8 * torch.finfo(torch.float32).eps, name


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_compiled_dropout_of_halves_is_that_of_the_cpu(dtype):
    from gatsparse.ops.dropout import cuda
    from tests.ptx.device import emulated

    x, _ = numbers(5000, dtype)
    with emulated():
        out = cuda.dropout(x, 0.3, SEED)
    expected = OPERATORS.dropout(x.float(), 0.3, SEED).to(dtype)
    assert out.dtype == dtype
    torch.testing.assert_close(out, expected, rtol=0, atol=0, equal_nan=True)


def test_kernels_are_vectorised_and_use_no_shared_memory():
    from gatsparse.ops.dropout import cuda
    from tests.ptx.device import emulated
    from tests.ptx.sass import counts, read

    with emulated() as device:
        x = torch.ones(4100)  # the last program is not whole
        cuda.elu_dropout_backward(x, x, 0.5, SEED)
    (code,) = device.compiled
    found = counts(read(code.sass)[0])
    assert found["LDG128"] == 8
    assert found["STG128"] == 4
    assert code.shared == 0
    assert code.spills == 0
    assert code.registers <= 48


@pytest.mark.parametrize(("p", "seed"), [(1.0, SEED), (-0.1, SEED), (0.5, None)])
def test_wrong_arguments_raise(p, seed):
    from gatsparse.ops.dropout import cuda

    with pytest.raises(RuntimeError, match=r"p: expected 0 <= p < 1|seed: needed"):
        cuda.elu_dropout(torch.ones(3), p, seed)
