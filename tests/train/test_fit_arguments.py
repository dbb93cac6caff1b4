"""Models and data that training rejects, by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_torch_csr_tensor

import gatsparse
from gatsparse.train import TrainConfig, fit


class Own(torch.nn.Module):
    """A layer, and a function of its output."""

    def __init__(self, function: Any = lambda out: out, **options: Any) -> None:
        super().__init__()
        self.conv, self.function = gatsparse.GATConv(3, 3, **options), function

    def forward(self, x: Any, edge_index: Any, **options: Any) -> Any:
        return self.function(self.conv(x, edge_index, **options))


def config(mode: Any = "full") -> TrainConfig:
    return TrainConfig("digits", mode=mode, epochs=2)


def test_sampled_training_needs_a_model_of_layers(task: Data):
    with pytest.raises(TypeError, match=r"model: expected .* without convs"):
        fit(Own(), task, config("sampled"))


def test_sampled_training_rejects_jk(task: Data):
    model = gatsparse.GAT(3, 4, 2, 3, jk="cat")
    with pytest.raises(ValueError, match="jk None or 'last' with mode sampled, got 'cat'"):
        fit(model, task, config("sampled"))
    fit(model, task, config())


@pytest.mark.filterwarnings("ignore:Sparse")
def test_sampled_training_rejects_matrices(task: Data):
    assert task.edge_index is not None
    task.edge_index = to_torch_csr_tensor(task.edge_index)
    with pytest.raises(TypeError, match=r"data\.edge_index: expected a dense tensor"):
        fit(gatsparse.GAT(3, 4, 2, 3), task, config("sampled"))


def test_models_without_logits_raise(task: Data):
    with pytest.raises(TypeError, match=r"model: expected logits .* got tuple"):
        fit(Own(lambda out: (out, out)), task, config())
    for function in (lambda out: out[:30], lambda out: out[:, 0]):
        with pytest.raises(ValueError, match=r"model: expected logits \[60, classes\]"):
            fit(Own(function), task, config())


def test_sparse_labels_raise(task: Data):
    task.y = task["y"].to_sparse()
    with pytest.raises(TypeError, match=r"data\.y: expected a dense tensor"):
        fit(Own(), task, config())


def test_edge_features_are_passed_by_keyword(task: Data):
    task.edge_attr = torch.rand(task.num_edges, 2)
    model = Own(edge_dim=2)
    before = model.conv.lin_edge.weight.clone()
    fit(model, task, config())
    assert not torch.equal(model.conv.lin_edge.weight, before)
    with pytest.raises(ValueError, match=r"data\.edge_attr: expected None"):
        fit(Own(), task, config())
