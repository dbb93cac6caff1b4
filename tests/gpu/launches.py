"""Launches of all operators on meta tensors: what is compiled, for any architecture."""

from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import torch
from torch import Tensor

from gatsparse.gpu import launch
from tests.ptx.compiling import Compiled, compile_specialized, specialize

#: Numbers of nodes and edges; E // L > 0, so that rows are cut into pieces.
N, E = 1600, 25600


class Launch(NamedTuple):
    """Arguments of ``gatsparse.gpu.launch.launch``."""

    kernel: Any
    args: tuple
    constants: dict[str, Any]

    def compiled(self, arch: str) -> Compiled:
        """The kernel as it is compiled for these arguments."""
        wanted = specialize(self.kernel, self.args, self.constants, arch)
        return compile_specialized(self.kernel, wanted, arch)


def launches(call: Callable[[], object]) -> list[Launch]:
    """Returns what a call on meta tensors launches; nothing is run."""
    found = []

    def record(kernel: Any, _grid: int, *args: Any, num_warps: int = 1, **constants: Any) -> None:
        found.append(Launch(kernel, args, constants | {"num_warps": num_warps}))

    with mock.patch.object(launch, "launch", record):
        call()
    return found


def _tensor(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def _csr(num_rows: int = N) -> list[Tensor]:
    indices = (_tensor(E, dtype=torch.int32) for _ in range(2))
    return [_tensor(num_rows + 1, dtype=torch.int64), *indices]


def _options(p: float) -> tuple:
    return True, 0.2, p, _tensor(dtype=torch.int64) if p > 0 else None


def gat(
    H: int, C: int, dtype: torch.dtype = torch.float32, p: float = 0.0, edge: bool = False
) -> Callable[[], object]:
    """Forward and backward pass of GAT."""
    from gatsparse.ops.gat import cuda

    def call() -> None:
        acc = torch.promote_types(dtype, torch.float32)
        x, grad = (_tensor(N, H, C, dtype=dtype) for _ in range(2))
        att = [_tensor(1, H, C, dtype=acc) for _ in range(2)]
        edges = [_tensor(n, H, dtype=acc) if edge else None for n in (E, N)]
        given = (_csr(), _csr(), *_options(p))
        bias = _tensor(H * C, dtype=acc)
        _, *saved = cuda.gat(x, *att, None, *edges, bias, True, True, not edge, *given)
        cuda.gat_backward(grad, x, *att, *edges, *saved, *given)

    return call


def gatv2(
    H: int, C: int, dtype: torch.dtype = torch.float32, p: float = 0.0, edge: bool = False
) -> Callable[[], object]:
    """Forward and backward pass of GATv2."""
    from gatsparse.ops.gatv2 import cuda

    def call() -> None:
        acc = torch.promote_types(dtype, torch.float32)
        x_src, x_dst, grad = (_tensor(N, H, C, dtype=dtype) for _ in range(3))
        edges = [_tensor(n, H, C, dtype=dtype) if edge else None for n in (E, N)]
        given = (_csr(), _csr(), *_options(p))
        inputs, bias = (
            (x_src, x_dst, _tensor(1, H, C, dtype=acc), *edges),
            _tensor(H * C, dtype=acc),
        )
        _, *saved = cuda.gatv2(*inputs, bias, True, True, *given)
        cuda.gatv2_backward(grad, *inputs, *saved, *given)

    return call


def others() -> None:
    """The sums of neighbours, the dropouts, the sparse projection and the fingerprint."""
    from gatsparse.gpu.fingerprint import fingerprint
    from gatsparse.ops.dropout import cuda as dropout
    from gatsparse.ops.neighbor_sum import cuda as neighbor_sum
    from gatsparse.ops.sparse_linear import cuda as sparse_linear

    x, seed, graph = _tensor(N, 64), _tensor(dtype=torch.int64), (_csr(), _csr(320))
    dropout.dropout(x, 0.5, seed)
    dropout.elu_dropout_backward(x, dropout.elu_dropout(x, 0.5, seed), 0.5, seed)
    neighbor_sum.neighbor_sum(x, _csr(), _csr())
    sparse_linear.sparse_linear(_tensor(E), _tensor(64, 320), None, *graph)
    sparse_linear.sparse_linear_backward(x, _tensor(E), _tensor(64, 320), True, True, *graph)
    fingerprint(_tensor(2, E, dtype=torch.int64))


#: Calls by name; the first ones are the shapes that the documentation measures.
CALLS: dict[str, Callable[[], object]] = {
    "GAT 8x8": gat(8, 8),
    "GAT 4x64": gat(4, 64),
    "GATv2 8x8": gatv2(8, 8),
    "GATv2 4x64": gatv2(4, 64),
    "GAT 8x8 bfloat16, dropout": gat(8, 8, torch.bfloat16, p=0.5),
    "GAT 3x37, edge terms": gat(3, 37, edge=True),
    "GATv2 3x37, edge features": gatv2(3, 37, edge=True),
    "other operators": others,
}
