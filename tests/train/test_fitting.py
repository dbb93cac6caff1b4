from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch import Tensor
from torch_geometric import seed_everything
from torch_geometric.data import Data

from gatsparse.data import load, random_split
from gatsparse.train import (
    ConfigError,
    DenseGAT,
    Epoch,
    FitResult,
    ModelConfig,
    OptimConfig,
    SamplingConfig,
    TrainConfig,
    TrainingDivergedError,
    build_model,
    build_optimizer,
    fit,
    load_task,
    model_graph,
    task_of_seed,
)
from gatsparse.train.model_config import Kind
from gatsparse.train.stopping import StoppingRule

KINDS = get_args(Kind)


def config_of(kind: Any = "gatsparse", **options: Any) -> TrainConfig:
    model = ModelConfig(kind, hidden_channels=4, heads=2, dropout=options.pop("dropout", 0.3))
    return TrainConfig("digits", model=model, optim=OptimConfig(lr=0.02), **options)


def run(data: Data, config: TrainConfig, seed: int = 0, **options: Any) -> FitResult:
    seed_everything(seed)
    return fit(build_model(config.model, data), data, config, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_training_learns(task: Data, kind: str):
    result = run(task, config_of(kind, epochs=40, dropout=0.0))
    assert result.test_score >= 0.9
    assert result.losses[-1] < 0.5 * result.losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_gives_the_same_losses(task: Data, kind: str):
    config = config_of(kind, epochs=8)
    first, second, other = (run(task, config, seed).losses for seed in (3, 3, 4))
    assert first == second
    assert first != other


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_each_step_uses_its_own_gradients(task: Data, mode: Any):
    """Training without dropout takes the steps of a loop in torch."""
    sampling = SamplingConfig(batch_size=20, num_neighbors=[-1, -1])
    config = config_of(epochs=6, dropout=0.0, mode=mode, sampling=sampling)
    seed_everything(0)
    model = build_model(config.model, task)
    optimizer = build_optimizer(config.optim, model)
    losses: list[float] = []
    for _ in range(6):
        logits = model(task.x, task.edge_index)[task.train_mask]
        loss = torch.nn.functional.cross_entropy(logits, task.y[task.train_mask])  # pyright: ignore
        model.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert run(task, config).losses == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stopping", get_args(StoppingRule))
def test_kept_model_is_that_of_the_best_epoch(task: Data, kind: str, stopping: Any):
    epochs: list[Epoch] = []
    config = config_of(kind, epochs=15, stopping=stopping)
    result = run(task, config, on_epoch=epochs.append)
    assert [epoch.epoch for epoch in epochs] == list(range(1, result.epochs + 1))
    assert [epoch.train_loss for epoch in epochs] == result.losses
    best = epochs[result.best_epoch - 1]
    assert (result.val_score, result.val_loss, result.test_score) == (
        best.val_score,
        best.val_loss,
        best.test_score,
    )
    if stopping == "val_score":
        assert best.val_score == max(epoch.val_score for epoch in epochs)
    if stopping in ("val_loss", "pyg"):
        assert best.val_loss == min(epoch.val_loss for epoch in epochs)

    model = build_model(config.model, task)
    model.load_state_dict(result.state_dict)
    logits = model.eval()(task.x, model_graph(config.model.kind, task))
    predicted = logits.argmax(dim=1)
    for mask, accuracy in ((task.val_mask, result.val_score), (task.test_mask, result.test_score)):
        assert (predicted[mask] == task["y"][mask]).double().mean().item() == accuracy


def test_rules_judge_one_training_as_if_alone(task: Data):
    options: Any = {"epochs": 40, "patience": 3}
    rules: list[Any] = ["val_loss", "pyg", "paper", "val_score"]
    together = run(task, config_of(stopping=rules, **options))
    alone = {rule: run(task, config_of(stopping=rule, **options)) for rule in rules}
    assert list(together.rules) == rules
    assert together.rules == {rule: result.rules[rule] for rule, result in alone.items()}
    assert together.epochs == max(result.epochs for result in alone.values())
    assert together.losses[: alone["pyg"].epochs] == alone["pyg"].losses
    assert len({result.epochs for result in alone.values()}) > 1
    first = alone["val_loss"]
    assert together.test_score == first.test_score
    for key, value in first.state_dict.items():
        assert torch.equal(together.state_dict[key], value)


def test_stops_when_the_patience_is_used_up(task: Data):
    frozen = replace(config_of(epochs=50, patience=4), optim=OptimConfig(1e-12, 0.0))
    result = run(task, frozen)
    assert (result.best_epoch, result.epochs, len(result.losses)) == (1, 5, 5)


def test_other_labels_do_not_change_the_training_loss(task: Data):
    config = config_of(epochs=5, stopping="val_loss")
    expected = run(task, config)
    changed = task.clone()
    changed.y = torch.where(task.train_mask, task["y"], (task["y"] + 1) % 3)
    result = run(changed, config)
    assert result.losses == expected.losses
    assert result.val_loss != expected.val_loss


def test_overlapping_masks_warn(task: Data):
    shared = task.clone()
    shared.test_mask = task.test_mask.clone()
    shared.test_mask[task.train_mask.nonzero()[:3]] = True
    message = rf"data.test_mask: 3 of its {int(shared.test_mask.sum())} nodes are in train_mask"
    with pytest.warns(UserWarning, match=message):
        run(shared, config_of(epochs=1))


def test_dense_and_sparse_train_alike_without_dropout(task: Data):
    task.x = task["x"].double()
    sparse, dense = (config_of(kind, epochs=20, dropout=0.0) for kind in ("gatsparse", "dense"))
    model, reference = build_model(sparse.model, task), build_model(dense.model, task)
    assert isinstance(reference, DenseGAT)
    reference.load_gat_state(model.state_dict())
    losses = torch.tensor([fit(model, task, sparse).losses, fit(reference, task, dense).losses])
    assert losses.shape == (2, 20)
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-9, atol=0)


@pytest.mark.parametrize("epoch", [1, 3])
def test_loss_that_is_not_finite_raises(task: Data, epoch: int):
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3))
            self.steps = 0

        def forward(self, x: Tensor, _: Tensor) -> Tensor:
            self.steps += self.training
            return x * self.weight * (torch.nan if self.steps == epoch else 1.0)

    with pytest.raises(TrainingDivergedError, match=f"epoch {epoch}: the training loss is nan"):
        fit(Model(), task, config_of(epochs=5))


def test_divergence_after_the_last_step_raises(task: Data):
    config = replace(config_of(epochs=1), optim=OptimConfig(lr=1e30))
    with pytest.raises(TrainingDivergedError, match=r"epoch 1: the validation loss is (nan|inf)"):
        run(task, config)


def test_features_with_nan_raise(task: Data):
    task["x"][3, 1] = torch.nan
    with pytest.raises(TrainingDivergedError, match="epoch 1: "):
        run(task, config_of())


def test_masks_of_several_splits_raise(task: Data):
    task.val_mask = task.val_mask[:, None].expand(-1, 10)
    with pytest.raises(ValueError, match=r"data\.val_mask: expected shape \[60\], got \[60, 10\]"):
        run(task, config_of())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_dtype_of_features_and_parameters(dtype: Any, kind: str):
    data = load_task(TrainConfig("digits", dtype=dtype))
    model = build_model(config_of(kind).model, data)
    tensors = [data.x, *model.parameters()]
    if kind == "dense":
        tensors.append(model_graph(kind, data))
    assert {str(tensor.dtype) for tensor in tensors} == {f"torch.{dtype}"}


def test_normalized_features_sum_to_one():
    raw = load("digits")
    plain = load_task(TrainConfig("digits", normalize_features=False))
    normalized = load_task(TrainConfig("digits"))
    assert torch.equal(plain["x"], raw["x"])
    torch.testing.assert_close(normalized["x"], raw["x"] / raw["x"].sum(dim=1, keepdim=True))


def test_split_is_chosen(monkeypatch: pytest.MonkeyPatch, task: Data):
    masks = torch.stack([task.train_mask, task.val_mask, task.test_mask], dim=1)
    for shift, key in enumerate(("train_mask", "val_mask", "test_mask")):
        task[key] = masks.roll(shift, dims=1)
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: task.clone())
    data = load_task(TrainConfig("tolokers", split=1))
    assert torch.equal(data.train_mask, masks[:, 1])
    assert torch.equal(data.val_mask, masks[:, 0])
    assert torch.equal(data.test_mask, masks[:, 2])
    with pytest.raises(ConfigError, match="split: expected 0 <= split < 3 of tolokers, got 3"):
        load_task(TrainConfig("tolokers", split=3))


def test_split_of_each_seed(monkeypatch: pytest.MonkeyPatch, task: Data):
    for key in ("train_mask", "val_mask", "test_mask"):
        task[key] = torch.stack([task[key].roll(k) for k in range(3)], dim=1)
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: task)
    config = TrainConfig("tolokers", split="seed")
    data = load_task(config)
    for seed in (2, 0, 1):
        chosen = task_of_seed(data, config, seed)
        assert torch.equal(chosen.train_mask, data.train_mask[:, seed])
        assert torch.equal(chosen.test_mask, data.test_mask[:, seed])
    with pytest.raises(ConfigError, match=r"split: expected seeds below 3, .* got 3"):
        task_of_seed(data, config, 3)


def test_random_split():
    config = TrainConfig("digits", split="random")
    data = load_task(config)
    assert "train_mask" not in data
    split = task_of_seed(data, config, 3)
    assert torch.equal(split.test_mask, random_split(load("digits"), 3).test_mask)
    fixed = load_task(TrainConfig("digits"))
    assert task_of_seed(fixed, TrainConfig("digits"), 3) is fixed


def test_largest_component(monkeypatch: pytest.MonkeyPatch, task: Data):
    alone = torch.tensor([4, 40])
    linked = ~torch.isin(task["edge_index"], alone).any(dim=0)
    task.edge_index = task["edge_index"][:, linked]
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: task.clone())
    assert load_task(TrainConfig("digits")).num_nodes == 60
    data = load_task(TrainConfig("digits", largest_component=True))
    assert (data.num_nodes, data.num_edges) == (58, task.num_edges)
    assert [int(data[f"{key}_mask"].sum()) for key in ("train", "val", "test")] == [19, 20, 19]


def test_edge_features_of_a_data_set(monkeypatch: pytest.MonkeyPatch, task: Data):
    """Reversed edges get the same features, and features of duplicates are averaged."""
    task.edge_index = torch.tensor([[0, 1, 2], [1, 0, 3]])
    task.edge_attr = torch.tensor([2, 4, 5])
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: task.clone())
    data = load_task(TrainConfig("digits"))
    assert data.edge_attr is not None
    assert data.edge_attr.tolist() == [2.0, 4.0, 5.0]
    data = load_task(TrainConfig("digits", undirected=True))
    assert data["edge_index"].tolist() == [[0, 1, 2, 3], [1, 0, 3, 2]]
    assert data["edge_attr"].tolist() == [3.0, 3.0, 5.0, 5.0]
    with pytest.raises(ConfigError, match="dataset: digits has edge_attr, which dense"):
        load_task(TrainConfig("digits", model=ModelConfig("dense")))


def test_edge_weights_of_a_data_set_raise(monkeypatch: pytest.MonkeyPatch, task: Data):
    task.edge_weight = torch.ones(task.num_edges)
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: task.clone())
    with pytest.raises(ConfigError, match=r"has edge_weight, .* store the weights as edge_attr"):
        load_task(TrainConfig("digits"))


def test_split_of_a_data_set_with_one_split_raises():
    assert load_task(TrainConfig("digits")).train_mask.shape == (1797,)
    with pytest.raises(ConfigError, match="split < 1 of digits, got 1"):
        load_task(TrainConfig("digits", split=1))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_mostly_zero_features_train_every_kind(
    monkeypatch: pytest.MonkeyPatch, task: Data, kind: Kind
):
    sparse = task.clone()
    sparse.x = torch.cat([_features_of(task), torch.zeros(60, 40)], dim=1)
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: sparse)
    config = TrainConfig(dataset="digits", model=ModelConfig(kind=kind), epochs=3)
    data = load_task(config)
    layout = torch.sparse_csr if kind == "gatsparse" else torch.strided
    assert _features_of(data).layout == layout
    rows = _features_of(data).to_dense().sum(1)
    assert torch.allclose(rows, torch.ones(60))
    seed_everything(0)
    assert len(fit(build_model(config.model, data), data, config).losses) == 3


def _features_of(data: Data) -> Tensor:
    assert data.x is not None
    return data.x
