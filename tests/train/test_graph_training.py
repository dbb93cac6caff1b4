"""Trainings of task graph_classification."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric import seed_everything
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool

from gatsparse.data import join_graphs
from gatsparse.train import (
    FitResult,
    GraphClassifier,
    GraphConfig,
    ModelConfig,
    OptimConfig,
    SamplingConfig,
    TrainConfig,
    build_graph_classifier,
    build_model,
    fit,
    model_sizes,
    split_graphs,
)
from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.graph_steps import outputs_of_graphs
from gatsparse.train.memory import estimate

BATCH_SIZE = 8


def graphs() -> list[Data]:
    """Random graphs of two classes, in whose features the sign of a noisy shift differs."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for index in range(40):
        nodes = 3 + index % 5
        x = torch.randn(nodes, 3, generator=generator) + (index % 2) - 0.5
        edge_index = torch.randint(nodes, (2, 2 * nodes), generator=generator)
        edge_attr = torch.randn(2 * nodes, 2, generator=generator)
        found.append(Data(x=x, edge_index=edge_index, edge_attr=edge_attr, y=index % 2))
    return found


@pytest.fixture
def task() -> Data:
    return split_graphs(join_graphs(graphs()), 0, GraphConfig(train_share=0.6, val_share=0.2))


def config_of(**options: Any) -> TrainConfig:
    options = {
        "model": ModelConfig(hidden_channels=4, heads=2, dropout=0.0),
        "graph": GraphConfig(channels=6),
        "sampling": SamplingConfig(batch_size=BATCH_SIZE),
        "optim": OptimConfig(lr=0.01, weight_decay=0.0),
        "epochs": 4,
        **options,
    }
    return TrainConfig(task="graph_classification", **options)


def model_of(config: TrainConfig, data: Data) -> GraphClassifier:
    seed_everything(0)
    return build_graph_classifier(config.model, config.graph, model_sizes(data, config.task))


def run(data: Data, config: TrainConfig, **options: Any) -> FitResult:
    return fit(model_of(config, data), data, config, **options)


def plain_losses(data: Data, config: TrainConfig, epochs: int) -> list[float]:
    """Returns the losses of a loop over PyG's loader, layers and pooling."""
    model = model_of(replace(config, model=replace(config.model, kind="pyg")), data)
    pool = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    every = graphs()
    train = [every[i] for i in data.train_mask.nonzero().flatten().tolist()]
    losses = []
    for _ in range(epochs):
        total = 0.0
        whole = [Batch.from_data_list(list(train))]
        loader = DataLoader(train, BATCH_SIZE, shuffle=True) if config.mode == "sampled" else whole
        for batch in loader:
            z = model.encoder(batch.x, batch.edge_index, edge_attr=batch.edge_attr)
            loss = F.cross_entropy(model.lin(pool[config.graph.pooling](z, batch.batch)), batch.y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * batch.num_graphs
        losses.append(total / len(train))
        if config.mode == "sampled":
            for _ in DataLoader(every, BATCH_SIZE):  # a loader draws a number from the generator
                pass
    return losses


@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_steps_are_those_of_a_plain_loop(task: Data, mode: Any, pooling: Any):
    config = config_of(mode=mode, graph=GraphConfig(channels=6, pooling=pooling))
    losses = run(task, config).losses
    # Rounding of float32 in another order, which the steps of Adam carry on.
    assert losses[0] == pytest.approx(plain_losses(task, config, 1)[0], rel=1e-5)
    assert losses == pytest.approx(plain_losses(task, config, 4), rel=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        {"architecture": "deep", "num_layers": 3, "jk": "cat"},
        {"architecture": "deep", "norm": "batch", "variant": "gatv2"},
        {"kind": "scatter"},
    ],
)
def test_models_in_both_modes(task: Data, model: Any):
    for mode in ("full", "sampled"):
        config = config_of(mode=mode, model=ModelConfig(hidden_channels=4, heads=2, **model))
        assert run(task, replace(config, epochs=30)).rules["val_score"].val_score > 0.7


def test_paper_exact_model_of_graphs(task: Data):
    del task.edge_attr
    model = ModelConfig(hidden_channels=4, heads=2, dropout=0.0, paper_exact=True)
    result = run(task, config_of(mode="sampled", model=model, epochs=20))
    assert result.losses[-1] < result.losses[0] / 2


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_held_out_graphs_do_not_change_the_training(task: Data, mode: Any):
    """Also with batch norm, whose statistics are those of the training graphs."""
    model = ModelConfig(architecture="deep", norm="batch", hidden_channels=4, heads=2)
    config = config_of(mode=mode, model=model)
    other = task.clone()
    held_out = ~task.train_mask[task["batch"]]
    other["x"][held_out] *= 3
    first, second = run(task, config), run(other, config)
    assert first.losses == second.losses
    assert first.rules["val_score"].val_loss != second.rules["val_score"].val_loss


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_resumed_training_ends_like_an_uninterrupted_one(task: Data, tmp_path: Path, mode: Any):
    model = ModelConfig(hidden_channels=4, heads=2, dropout=0.5)
    config = config_of(mode=mode, epochs=5, model=model)
    expected = run(task, config)

    def stop(epoch: Any) -> None:
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(task, config, on_epoch=stop, checkpoint=Checkpoint(tmp_path / "state"))
    resumed = run(task, config, checkpoint=Checkpoint(tmp_path / "state"))
    assert (resumed.losses, resumed.rules) == (expected.losses, expected.rules)
    for key, value in expected.state_dict.items():
        assert torch.equal(resumed.state_dict[key], value)


def test_batches_are_those_of_the_seed(task: Data):
    config = config_of(mode="sampled")
    assert run(task, config).losses == run(task, config).losses
    model = model_of(config, task)
    torch.manual_seed(1)  # the same weights, other batches
    assert fit(model, task, config).losses != run(task, config).losses


def test_outputs_do_not_depend_on_the_batches(task: Data):
    model = model_of(config_of(), task)
    whole = outputs_of_graphs(model, task, None)
    # Sums of at most 7 nodes in float32, in another order.
    torch.testing.assert_close(outputs_of_graphs(model, task, 7), whole, rtol=1e-5, atol=1e-6)


def test_class_weights_are_those_of_graphs(task: Data):
    config = config_of(class_weights=[1.0, 3.0], epochs=1)
    model = model_of(config, task)
    logits = model(task.x, task.edge_index, task.batch, task.edge_attr)[task.train_mask]  # pyright: ignore
    expected = F.cross_entropy(logits, task["y"][task.train_mask], torch.tensor([1.0, 3.0]))
    assert run(task, config).losses[0] == pytest.approx(expected.item(), rel=1e-5)


class NodeModel(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = torch.nn.Linear(3, 2)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:  # noqa: ARG002
        return self.lin(x)


class PerNode(NodeModel):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:  # noqa: ARG002
        return self.lin(x)


def test_models_of_nodes_raise(task: Data):
    del task.edge_attr
    with pytest.raises(ValueError, match=r"expected forward\(x, edge_index, batch\) for graphs"):
        fit(NodeModel(), task, config_of())
    with pytest.raises(ValueError, match=r"expected logits \[24, classes\] of graphs .* got \["):
        fit(PerNode(), task, config_of())
    with pytest.raises(ValueError, match=r"task: .* call build_graph_classifier"):
        build_model(ModelConfig(), task, "graph_classification")


def test_batches_need_less_memory_than_all_graphs(task: Data):
    full, batches = (estimate(config_of(mode=mode), task) for mode in ("full", "sampled"))
    assert 0 < batches < full
    everything = SamplingConfig(batch_size=1000)
    assert estimate(config_of(mode="sampled", sampling=everything), task) == full
