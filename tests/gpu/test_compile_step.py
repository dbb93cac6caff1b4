"""Calls of a compiled step, with a fake of torch's CUDA graphs."""

import gc
import weakref
from contextlib import contextmanager

import pytest
import torch

import gatsparse
from gatsparse.gpu.compile_step import _Step
from gatsparse.gpu.pieces import pieces
from gatsparse.graph.late_check import confine
from gatsparse.testing import graph_zoo


class FakeCUDA:
    """A graph that records the function that runs inside of it, and runs it in each replay."""

    def __init__(self):
        self.recording = None
        self.log = []

    def install(self, monkeypatch):
        outer = self

        class Stream:
            device = "cuda:0"

            def __init__(self, device=None):
                pass

            def wait_stream(self, _other):
                outer.log.append("wait")

        class CUDAGraph:
            def replay(self):
                outer.log.append("replay")
                for action in self.actions:
                    action()

        @contextmanager
        def graph(graph, stream):
            assert isinstance(stream, Stream)
            outer.log.append("record")
            graph.actions = outer.recording = []
            yield
            outer.recording = None

        @contextmanager
        def stream(_stream):
            yield

        fakes = {"Stream": Stream, "CUDAGraph": CUDAGraph, "graph": graph, "stream": stream}
        for name, fake in fakes.items():
            monkeypatch.setattr(torch.cuda, name, fake)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda _device=None: Stream())

    def run(self, action):
        """Runs an action of a kernel, or records it."""
        if self.recording is None:
            action()
        else:
            self.recording.append(action)


class OnGPU(torch.Tensor):
    """A tensor that claims to be on a GPU."""

    is_cuda = True
    device = "cuda:0"

    def record_stream(self, stream):
        pass


@pytest.fixture
def cuda(monkeypatch):
    fake = FakeCUDA()
    fake.install(monkeypatch)
    return fake


def counting(cuda):
    count = torch.zeros(()).as_subclass(OnGPU)

    def step():
        cuda.run(lambda: count.add_(1))
        return count

    return step, count


@pytest.mark.parametrize("warmup", [1, 2, 5])
def test_every_call_is_one_step(cuda, warmup):
    step, count = counting(cuda)
    train = gatsparse.compile_step(step, warmup=warmup)
    results = [float(train()) for _ in range(warmup + 4)]
    assert results == [1.0 + k for k in range(warmup + 4)]
    assert float(count) == warmup + 4
    assert cuda.log.count("record") == 1
    assert cuda.log.count("replay") == 4


def test_results_are_copies(cuda):
    step, _ = counting(cuda)
    train = gatsparse.compile_step(step, warmup=1)
    first, second, third = train(), train(), train()
    assert [float(t) for t in (first, second, third)] == [1.0, 2.0, 3.0]


def test_a_step_that_cannot_be_recorded_names_the_reasons(cuda):
    def step():
        if cuda.recording is not None:
            raise RuntimeError("operation not permitted when stream is capturing")
        return torch.zeros(()).as_subclass(OnGPU)

    train = gatsparse.compile_step(step, warmup=1)
    train()
    with pytest.raises(RuntimeError, match=r"cannot be recorded.*capturable=True.*not per"):
        train()


def test_a_step_that_returns_no_tensor_when_it_is_recorded_raises(cuda):
    train = gatsparse.compile_step(
        lambda: torch.zeros(()).as_subclass(OnGPU) if cuda.recording is None else 1.0, warmup=1
    )
    train()
    with pytest.raises(TypeError, match="step: expected to return a tensor, got float"):
        train()


def test_indices_are_checked_before_the_recording(cuda):
    confined_and_check = confine(torch.tensor([[0, 9], [1, 0]]), (2, 2))
    train = gatsparse.compile_step(counting(cuda)[0], warmup=1)
    train()
    with pytest.raises(IndexError, match="got 9 at position 1"):
        train()
    assert "record" not in cuda.log
    del confined_and_check


@pytest.mark.usefixtures("cuda")
def test_graphs_live_as_long_as_the_recorded_step():
    csr = list(graph_zoo()["random"].csr().csr)
    count = torch.zeros(()).as_subclass(OnGPU)

    def step():
        if csr:
            pieces(csr, 60)
        return count

    train = gatsparse.compile_step(step, warmup=1)
    train(), train()
    alive = [weakref.ref(tensor) for tensor in (*csr, pieces(csr, 60).table)]
    csr.clear()  # such as by clear_graph_cache
    gc.collect()
    assert all(tensor() is not None for tensor in alive)
    del train
    gc.collect()
    assert all(tensor() is None for tensor in alive)


def test_on_a_cpu_the_step_runs_itself():
    loss = torch.zeros((), requires_grad=True)
    train = gatsparse.compile_step(lambda: loss)
    assert all(train() is loss for _ in range(6))
    assert isinstance(train, _Step)


def test_wrong_results_raise():
    with pytest.raises(TypeError, match="step: expected to return a tensor, got float"):
        gatsparse.compile_step(lambda: 1.0)()
