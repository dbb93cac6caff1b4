import pickle

import pytest
import torch

from gatsparse.graph.csr import CSR
from tests.graph.expected import ZOO


@pytest.fixture
def former_name(monkeypatch):
    """Pickles name CSR by the module it had in version 0.1."""
    with monkeypatch.context() as patch:
        patch.setattr(CSR, "__module__", "gatsparse.graph")
        yield patch


def test_torch_load_reads_former_module_names(former_name, tmp_path):
    graph = ZOO["random"].csr()
    torch.save(graph, tmp_path / "graph.pt")
    former_name.undo()
    loaded = torch.load(tmp_path / "graph.pt", weights_only=True)
    assert all(map(torch.equal, loaded.csr, graph.csr))


def test_pickle_reads_former_module_names(former_name):
    graph = ZOO["random"].csr()
    content = pickle.dumps(graph)
    former_name.undo()
    assert b"gatsparse.graph.csr" not in content
    loaded = pickle.loads(content)
    assert all(map(torch.equal, loaded.csr, graph.csr))
