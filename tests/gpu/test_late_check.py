"""Checks whose results arrive later: ranges of indices, and content without a new version."""

import pickle

import pytest
import torch

from gatsparse import CSRGraph
from gatsparse.gpu.content import ContentOnGPU
from gatsparse.graph.late_check import LateCheck, confine
from gatsparse.graph_cache import _fingerprint_in_torch, _Graphs


class Pending:
    """An event of a GPU that the host may or may not have reached."""

    def __init__(self):
        self.arrived = False

    def query(self):
        return self.arrived

    def synchronize(self):
        self.arrived = True


def pending(check):
    check._arrived = Pending()
    return check._arrived


@pytest.fixture(autouse=True)
def _no_capture(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)


@pytest.mark.parametrize(
    ("edges", "sizes", "message"),
    [
        ([[0, 7, 1], [1, 0, 2]], (5, 3), r"edge_index\[0\].* 0 \.\. 4, got 7 at position 1"),
        ([[0, 1, -2], [1, 0, 2]], (5, 3), r"edge_index\[0\].* 0 \.\. 4, got -2 at position 2"),
        ([[0, 4, 1], [1, 0, 3]], (5, 3), r"edge_index\[1\].* 0 \.\. 2, got 3 at position 2"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_indices_out_of_range_are_confined_and_reported(edges, sizes, message, dtype):
    edge_index = torch.tensor(edges, dtype=dtype)
    confined, check = confine(edge_index, sizes)
    for end, size in zip(confined, sizes, strict=True):
        assert end.min() >= 0
        assert end.max() < size
    for _ in range(2):
        with pytest.raises(IndexError, match=message):
            check.passed()


def test_edges_in_range_are_unchanged():
    edge_index = torch.tensor([[0, 4, 1], [1, 0, 2]])
    confined, check = confine(edge_index, (5, 3))
    assert torch.equal(confined, edge_index)
    assert check.passed()


def test_edges_without_nodes_raise_at_once():
    with pytest.raises(IndexError, match=r"edge_index\[1\]: expected no edges without nodes"):
        confine(torch.tensor([[0], [0]]), (1, 0))
    assert confine(torch.empty(2, 0, dtype=torch.int64), (1, 0))[1] is None


def test_a_result_on_its_way_does_not_block():
    check = LateCheck(torch.tensor([1]), lambda found: ValueError(str(found)))
    event = pending(check)
    assert not check.passed()
    event.arrived = True
    with pytest.raises(ValueError, match=r"\[1\]"):
        check.passed()


def test_nothing_is_read_while_a_cuda_graph_is_captured(monkeypatch):
    check = LateCheck(torch.tensor([1]), lambda found: ValueError(str(found)))
    pending(check).arrived = True
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert not check.passed()


def test_graph_raises_when_the_result_has_arrived():
    edge_index = torch.tensor([[0, 9], [1, 0]])
    confined, check = confine(edge_index, (2, 2))
    graph = CSRGraph.from_edge_index(confined, num_nodes=2)
    graph._check = check
    event = pending(check)
    assert graph.csr.other.tolist() == [1, 0]
    event.arrived = True
    with pytest.raises(IndexError, match="got 9 at position 1"):
        _ = graph.csr


def test_check_indices_waits():
    confined, check = confine(torch.tensor([[0, 9], [1, 0]]), (2, 2))
    graph = CSRGraph.from_edge_index(confined, num_nodes=2)
    graph._check = check
    pending(check)
    with pytest.raises(IndexError, match="got 9"):
        graph.check_indices()
    _, graph._check = confine(torch.tensor([[0, 1], [1, 0]]), (2, 2))
    graph.check_indices()
    assert graph._check is None


@pytest.fixture
def _prints(monkeypatch):
    def prints(self):
        return torch.tensor([_fingerprint_in_torch(index) for index in self._indices])

    monkeypatch.setattr(ContentOnGPU, "_fingerprints", prints)


@pytest.mark.usefixtures("_prints")
def test_unseen_changes_are_reported_at_the_next_call():
    edge_index = torch.tensor([[0, 1], [1, 0]])
    graphs = _Graphs(100)
    graph = CSRGraph.from_edge_index(edge_index, num_nodes=2)
    graphs.keep("view", ContentOnGPU((edge_index,)), graph)
    for _ in range(3):
        assert graphs.find("view", (2, 2), ContentOnGPU((edge_index,))) is graph
    edge_index.numpy()[0, 0] = 1  # no new version
    assert graphs.find("view", (2, 2), ContentOnGPU((edge_index,))) is graph
    for _ in range(2):
        with pytest.raises(RuntimeError, match="changed without a new version"):
            graphs.find("view", (2, 2), ContentOnGPU((edge_index,)))


@pytest.mark.usefixtures("_prints")
def test_a_change_is_reported_even_if_it_is_undone():
    index = torch.tensor([0, 1])
    kept = ContentOnGPU((index,))
    kept.keep()
    index.numpy()[0] = 1
    kept.compare(ContentOnGPU((index,)))
    index.numpy()[0] = 0
    pending(kept._check)
    kept.compare(ContentOnGPU((index,)))
    with pytest.raises(RuntimeError, match="edge_index"):
        kept.compare(ContentOnGPU((index,)))


@pytest.mark.usefixtures("_prints")
@pytest.mark.parametrize("inference", [True, False])
def test_content_kept_in_inference_mode_is_compared_in_training(inference):
    index = torch.tensor([0, 1])
    kept = ContentOnGPU((index,))
    with torch.inference_mode(inference):
        kept.keep()
    for mode in (not inference, inference):
        with torch.inference_mode(mode):
            kept.compare(ContentOnGPU((index,)))
    index.numpy()[0] = 1
    kept.compare(ContentOnGPU((index,)))
    with pytest.raises(RuntimeError, match="edge_index: its memory has changed"):
        kept.compare(ContentOnGPU((index,)))


@pytest.mark.usefixtures("_prints")
def test_a_new_version_is_another_content():
    edge_index = torch.tensor([[0, 1], [1, 0]])
    graphs = _Graphs(100)
    graphs.keep("view", ContentOnGPU((edge_index,)), CSRGraph.from_edge_index(edge_index, 2))
    edge_index[0, 0] = 1
    assert graphs.find("view", (2, 2), ContentOnGPU((edge_index,))) is None


@pytest.mark.usefixtures("_prints")
def test_kept_content_does_not_keep_the_tensors():
    index = torch.tensor([0, 1])
    content = ContentOnGPU((index,))
    content.keep()
    assert content._indices == ()


@pytest.mark.parametrize(
    "use",
    [
        lambda graph: graph.reverse(),
        lambda graph: graph.reorder(),
        lambda graph: graph.to("meta"),
        pickle.dumps,
    ],
    ids=["reverse", "reorder", "to", "pickle"],
)
def test_graphs_made_of_a_wrong_one_raise(use):
    confined, check = confine(torch.tensor([[0, 9], [1, 0]]), (2, 2))
    graph = CSRGraph.from_edge_index(confined, num_nodes=2)
    graph.reverse(), graph.reorder()  # are cached
    graph._check = check
    with pytest.raises(IndexError, match="got 9 at position 1"):
        use(graph)
