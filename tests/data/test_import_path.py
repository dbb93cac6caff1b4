import sys

import pytest
from torch_geometric.data import Data

from gatsparse.data.import_path import import_data, import_graphs

SOURCE = """
import torch
from gatsparse.data import join_graphs
from torch_geometric.data import Data, InMemoryDataset

number = 1
graph = Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0], [1]]), y=1)
unlabelled = [Data(x=graph.x, edge_index=graph.edge_index)]
several = ([graph], [graph], [graph])

def joined():
    return join_graphs([graph, graph])

def one():
    return graph

def two():
    return Graphs([graph, graph])

class Graphs(InMemoryDataset):
    def __init__(self, graphs=(graph,)):
        super().__init__()
        self._data, self.slices = self.collate(list(graphs))
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    """Writes a module into the current folder, which is not on the path of a script."""
    (tmp_path / "own_graphs.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield
    sys.modules.pop("own_graphs", None)


@pytest.mark.parametrize("name", ["graph", "one", "Graphs"])
def test_data_and_functions_and_data_sets(name):
    before = list(sys.path)
    data = import_data("dataset", f"own_graphs:{name}")
    assert isinstance(data, Data)
    assert data.num_nodes == 3
    assert sys.path == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_graphs:number", "expected torch_geometric.data.Data, .* got int"),
        ("own_graphs:two", "expected a data set with one graph .* got 2 graphs"),
        ("own_graphs:three", "cannot import 'own_graphs:three'"),
        ("nowhere:one", "cannot import 'nowhere:one'"),
    ],
)
def test_other_objects_raise(name, message):
    with pytest.raises(ValueError, match=f"^dataset: .*{message}"):
        import_data("dataset", name)


@pytest.mark.parametrize(("name", "count"), [("two", 2), ("several", 3), ("joined", 2)])
def test_graphs_are_joined(name, count):
    data = import_graphs("dataset", f"own_graphs:{name}")
    assert int(data["batch"][-1]) + 1 == count
    assert ("train_mask" in data) == (name == "several")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("number", "expected a data set of graphs, a list .* got int"),
        ("unlabelled", r"'own_graphs:unlabelled': graphs\[0\]\.y: expected the class"),
    ],
)
def test_other_objects_than_graphs_raise(name, message):
    with pytest.raises(ValueError, match=f"^dataset: .*{message}"):
        import_graphs("dataset", f"own_graphs:{name}")
