"""Training steps on a GPU as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gatsparse.checks import check_integer
from gatsparse.gpu import pieces
from gatsparse.graph import late_check


def compile_step(step: Callable[[], Tensor], warmup: int = 3) -> Callable[[], Tensor]:
    """Returns a function that runs a training step with one launch.

    A step on a graph of Cora's size consists of many short kernels, which a GPU computes faster
    than the host starts them. After :obj:`warmup` calls, the next one records the kernels in a
    `CUDA graph <https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs>`_, and every call
    replays it. Every call, also the first ones, is one step. Dropout draws new numbers in each.

    A recorded step reads and writes the same memory in every call. Therefore its features, labels,
    model and optimiser must stay the same tensors; copy new values into them. It must not read
    values on the host: index labels by positions instead of a mask, and create the optimiser with
    ``capturable=True``. Graphs are sorted and checked before the recording: later changes of an
    ``edge_index`` have no effect, so compile another step for another graph.

    On a CPU every call runs :obj:`step` itself. No step has been recorded on a GPU yet.

    Args:
        step (callable): Runs one step and returns its loss, or another tensor.
        warmup (int, optional): Number of calls before the recording, at least 1.

    Returns:
        callable: Runs one step and returns a copy of its result, detached on a GPU.

    Raises:
        TypeError: If :obj:`step` is not callable, or does not return a tensor.
        ValueError: If :obj:`warmup` is below 1.
        RuntimeError: If the step cannot be recorded, in the call that records it.
        IndexError: If a node index is out of range, at the latest in that call.

    Example:
        >>> import torch, gatsparse
        >>> model, x = gatsparse.GATConv(3, 2), torch.randn(4, 3)
        >>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 3]])
        >>> optimizer = torch.optim.Adam(model.parameters(), capturable=x.is_cuda)
        >>> def step():
        ...     optimizer.zero_grad()
        ...     loss = model(x, edge_index).square().mean()
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> train = gatsparse.compile_step(step)
        >>> losses = [float(train().detach()) for _ in range(10)]
        >>> losses[-1] < losses[0]
        True
    """
    if not callable(step):
        raise TypeError(f"step: expected a callable, got {type(step).__name__}")
    check_integer("warmup", warmup, 1)
    return _Step(step, warmup)


class _Step:
    def __init__(self, step: Callable[[], Tensor], warmup: int) -> None:
        self._step = step
        self._waiting = warmup
        self._stream: torch.cuda.Stream | None = None
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor | None = None
        self._kept: list = []  # what the recorded kernels read, and only caches hold

    def __call__(self) -> Tensor:
        if self._graph is None:
            if self._waiting > 0 or self._stream is None:
                return self._warm()
            self._record()
        assert self._graph is not None
        assert self._result is not None
        self._graph.replay()
        return self._result.clone()

    def _warm(self) -> Tensor:
        """Runs the step; on a GPU on another stream, as the recording will."""
        self._waiting -= 1
        if self._stream is None:
            result = _checked(self._step())
            if result.is_cuda:
                self._stream = torch.cuda.Stream(result.device)
                return result.detach().clone()
            return result
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            result = _checked(self._step()).detach().clone()
        current.wait_stream(self._stream)
        result.record_stream(current)
        return result

    def _record(self) -> None:
        late_check.read_all()  # nothing reads them later
        graph = torch.cuda.CUDAGraph()
        try:
            with pieces.used() as kept, torch.cuda.graph(graph, stream=self._stream):
                result = _checked(self._step()).detach()
        except RuntimeError as error:
            raise RuntimeError(
                "step: it cannot be recorded as a CUDA graph. It must not read values on the host "
                "(.item(), a mask as an index, an assertion), change sizes from call to call, or "
                f"use an optimiser without capturable=True: {error}"
            ) from error
        self._graph, self._result, self._kept = graph, result, kept


def _checked(result: Tensor) -> Tensor:
    if not isinstance(result, Tensor):
        raise TypeError(f"step: expected to return a tensor, got {type(result).__name__}")
    return result
