"""Operators and graphs on tensors without data: nothing reads a value or waits for a GPU."""

from unittest import mock

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

pytest.importorskip("triton")

from gatsparse.gpu import launch
from gatsparse.gpu.pieces import pieces
from gatsparse.graph.csr import sort_by_row
from gatsparse.graph.late_check import confine

H, C, N, E = 8, 8, 100, 700


class NoCopies(TorchDispatchMode):
    """Rejects copies between devices, for which the host waits."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [t for t in (*args, out) if isinstance(t, torch.Tensor)]
        if "copy" in str(func) and len({t.device.type for t in tensors}) > 1:
            raise AssertionError(f"{func} from {tensors[0].device}")
        return out


class NoNumbers(TorchFunctionMode):
    """Rejects tensors made from numbers of the host, which are copied to the device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor):
            raise AssertionError(f"{func.__name__} copies numbers to the device")
        return func(*args, **(kwargs or {}))


@pytest.fixture
def launched():
    """Names of the kernels that are launched, none of which runs."""
    names = []

    def record(kernel, grid, *args, num_warps=1, **constants):  # noqa: ARG001
        assert all(t.is_meta for t in args if isinstance(t, torch.Tensor))
        names.append(kernel.__name__)

    with NoNumbers(), NoCopies(), mock.patch.object(launch, "launch", record):
        yield names


def on_gpu(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def csr(num_rows=N):
    indices = (on_gpu(E, dtype=torch.int32) for _ in range(2))
    return [on_gpu(num_rows + 1, dtype=torch.int64), *indices]


def seed():
    return on_gpu(dtype=torch.int64)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_gat(launched, positive, dtype):
    from gatsparse.ops.gat import cuda

    terms = torch.promote_types(dtype, torch.float32)
    x, grad = on_gpu(N, H, C, dtype=dtype), on_gpu(N, H, C, dtype=dtype)
    att = [on_gpu(1, H, C, dtype=terms) for _ in range(2)]
    edges = [None, None] if positive else [on_gpu(n, H, dtype=terms) for n in (E, N)]
    graph, options = (csr(), csr()), (True, 0.2, 0.5, seed())
    out, *saved = cuda.gat(x, *att, None, *edges, None, True, True, positive, *graph, *options)
    assert out.shape == (N, H * C)
    grads = cuda.gat_backward(grad, x, *att, *edges, *saved, *graph, *options)
    assert grads[0].shape == x.shape
    assert len(launched) > 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gatv2(launched, dtype):
    from gatsparse.ops.gatv2 import cuda

    terms = torch.promote_types(dtype, torch.float32)
    x = [on_gpu(N, H, C, dtype=dtype) for _ in range(3)]
    att, graph, options = on_gpu(1, H, C, dtype=terms), (csr(), csr()), (True, 0.2, 0.5, seed())
    edges = [on_gpu(n, H, C, dtype=dtype) for n in (E, N)]
    out, *saved = cuda.gatv2(*x[:2], att, *edges, None, True, True, *graph, *options)
    assert out.shape == (N, H * C)
    cuda.gatv2_backward(x[2], *x[:2], att, *edges, *saved, *graph, *options)
    assert len(launched) > 3


def test_other_operators(launched):
    from gatsparse.ops.dropout import cuda as dropout
    from gatsparse.ops.neighbor_sum import cuda as neighbor_sum
    from gatsparse.ops.sparse_linear import cuda as sparse_linear

    x, weight = on_gpu(N, H * C), on_gpu(H * C, 50)
    dropout.dropout(x, 0.5, seed())
    out = dropout.elu_dropout(x, 0.5, seed())
    dropout.elu_dropout_backward(x, out, 0.5, seed())
    neighbor_sum.neighbor_sum(x, csr(), csr())
    graph = csr(), csr(50)
    sparse_linear.sparse_linear(on_gpu(E), weight, None, *graph)
    sparse_linear.sparse_linear_backward(x, on_gpu(E), weight, True, True, *graph)
    assert len(launched) > 5


@pytest.mark.usefixtures("launched")
def test_graph_is_built_without_waiting():
    edge_index = on_gpu(2, E, dtype=torch.int64)
    with mock.patch("gatsparse.graph.late_check.LateCheck"):  # reads the result at a later call
        confined, _ = confine(edge_index, (N, N))
    by_row = sort_by_row(*confined.flip(0), N, torch.int32)
    assert by_row.ptr.shape == (N + 1,)
    transposed = sort_by_row(by_row.other.long(), by_row.row(), N, torch.int32)
    assert pieces(list(transposed), N).table.is_meta


def test_reading_a_value_is_detected(launched):
    with pytest.raises(Exception, match="meta"):
        int(on_gpu(3).sum())
    with pytest.raises(AssertionError, match="copy"):
        torch.zeros(()).to("meta")
    with pytest.raises(AssertionError, match="copies numbers"):
        on_gpu(3).new_tensor([0, 1])
    assert launched == []
