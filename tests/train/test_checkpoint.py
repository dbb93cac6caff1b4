"""A training that resumes from a checkpoint ends like an uninterrupted one."""

from dataclasses import replace

import pytest
import torch
from torch_geometric import seed_everything

from gatsparse.train import (
    ConfigError,
    DamagedFileError,
    ModelConfig,
    OptimConfig,
    SamplingConfig,
    SyntheticConfig,
    TrainConfig,
    build_model,
    fit,
    load_task,
)
from gatsparse.train import checkpoint as checkpoints
from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.memory import check_memory, estimate

SYNTHETIC = SyntheticConfig(
    num_nodes=300, num_edges=3000, num_classes=4, num_features=8, signal=4.0
)


def config_of(mode="full", architecture="paper", **options):
    model = ModelConfig(hidden_channels=4, heads=2, num_layers=2, architecture=architecture)
    return TrainConfig(
        "sbm",
        mode=mode,
        synthetic=SYNTHETIC,
        model=model,
        sampling=SamplingConfig(batch_size=64, num_neighbors=[4, 3], max_memory="100MB"),
        stopping=["val_score", "val_loss", "paper", "pyg"],
        normalize_features=False,
        optim=OptimConfig(lr=0.02),
        epochs=8,
        patience=8,
        **options,
    )


def train(config, data, **options):
    seed_everything(0)
    return fit(build_model(config.model, data), data, config, **options)


def same(one, other):
    assert (one.losses, one.rules) == (other.losses, other.rules)
    assert one.state_dict.keys() == other.state_dict.keys()
    for key, value in one.state_dict.items():
        assert torch.equal(value, other.state_dict[key])


@pytest.mark.parametrize("mode", ["full", "sampled"])
@pytest.mark.parametrize("architecture", ["paper", "deep"])
@pytest.mark.parametrize("interrupted_after", [1, 2, 5])
def test_resumed_training_is_equal_bit_for_bit(mode, architecture, interrupted_after, tmp_path):
    config = config_of(mode, architecture)
    data = load_task(config)
    whole = train(config, data)
    checkpoint = Checkpoint(tmp_path / "checkpoint")

    def interrupt(epoch):
        if epoch.epoch == interrupted_after + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, data, on_epoch=interrupt, checkpoint=checkpoint)
    torch.manual_seed(99)  # the checkpoint restores the generator, too
    epochs = []
    resumed = fit(
        build_model(config.model, data), data, config, on_epoch=epochs.append, checkpoint=checkpoint
    )
    same(resumed, whole)
    assert [epoch.epoch for epoch in epochs] == list(range(1, resumed.epochs + 1))
    other = train(
        config_of(mode, architecture), load_task(config), checkpoint=Checkpoint(tmp_path / "new")
    )
    same(other, whole)


def test_interrupted_save_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    checkpoint = Checkpoint(path)
    checkpoint.save({"epoch": 1})

    def dies(_, file):
        file.write(b"half a")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.torch, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save({"epoch": 2})
    assert checkpoint.load()["epoch"] == 1
    checkpoint.remove()
    assert checkpoint.load() is None


def test_checkpoint_of_another_training_raises(tmp_path):
    path = tmp_path / "checkpoint"
    Checkpoint(path, training="seed 0").save({"epoch": 1})
    assert Checkpoint(path, training="seed 0").load() == {"epoch": 1}
    with pytest.raises(DamagedFileError, match=r"checkpoint: .* it belongs to another training"):
        Checkpoint(path, training="seed 1").load()


def test_checkpoint_with_another_number_raises(tmp_path):
    path = tmp_path / "checkpoint"
    Checkpoint(path).save({"weights": torch.full((1000,), 1.5)})
    content = bytearray(path.read_bytes())
    content[content.index(torch.full((8,), 1.5).numpy().tobytes()) + 1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="it is truncated or damaged"):
        Checkpoint(path).load()


def test_checkpoint_is_due_after_its_interval(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    checkpoint = Checkpoint(tmp_path / "checkpoint", seconds=30)
    assert not checkpoint.is_due()
    now[0] = 130.0
    assert checkpoint.is_due()
    checkpoint.save({})
    assert not checkpoint.is_due()
    assert not Checkpoint().is_due()


def test_sampled_training_learns():
    model = ModelConfig(hidden_channels=8, heads=2, dropout=0.1)
    config = replace(
        config_of("sampled"), epochs=30, stopping="val_score", patience=30, model=model
    )
    data = load_task(config)
    result = train(config, data)
    assert result.test_score > 0.5
    assert result.losses[-1] < result.losses[0]


def test_modes_agree_if_a_batch_is_the_graph():
    """All neighbours in one batch, without dropout, give the losses of a full batch."""
    model = ModelConfig(hidden_channels=4, heads=2, dropout=0.0)
    options = {"synthetic": SYNTHETIC, "model": model, "dtype": "float64", "epochs": 5}
    everything = SamplingConfig(batch_size=300, num_neighbors=[-1, -1])
    full = TrainConfig("sbm", **options)
    sampled = TrainConfig("sbm", mode="sampled", sampling=everything, **options)
    losses = [train(config, load_task(config)).losses for config in (full, sampled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


def test_bad_configurations_raise():
    for options, key in (
        ({"mode": "sampled", "model": ModelConfig(num_layers=3)}, "num_neighbors"),
        ({"mode": "sampled", "model": ModelConfig(kind="pyg")}, "mode"),
        ({"split": "other"}, "split"),
        ({"metric": "f1"}, "metric"),
        ({"max_memory": "much"}, "max_memory"),
        ({"checkpoint_seconds": -1.0}, "checkpoint_seconds"),
    ):
        with pytest.raises(ConfigError, match=key):
            TrainConfig("sbm", **options)
    for options in ({"num_neighbors": [0]}, {"batch_size": 0}, {"max_memory": "none"}):
        with pytest.raises(ConfigError, match=f"sampling.{next(iter(options))}"):
            SamplingConfig(**options)
    with pytest.raises(ConfigError, match="num_layers"):
        ModelConfig(kind="dense", num_layers=3)


def test_memory_beyond_the_limit_raises():
    config = config_of(max_memory="100kB")
    data = load_task(config)
    with pytest.raises(
        ConfigError, match=r"memory: .* 145\.9 kB in addition .* 100\.0 kB max_memory"
    ):
        check_memory(config, data)
    assert "available" in check_memory(config_of(), data)


def test_memory_estimate_grows_with_the_model():
    data = load_task(config_of())
    needed = {mode: estimate(config_of(mode), data) for mode in ("full", "sampled")}
    assert needed["sampled"] > 100e6  # the budget of exact inference
    layer = ModelConfig(hidden_channels=4, heads=2, num_layers=3)
    deeper = TrainConfig("sbm", synthetic=SYNTHETIC, model=layer)
    assert estimate(deeper, data) > needed["full"]
    pyg = TrainConfig("sbm", synthetic=SYNTHETIC, model=ModelConfig(kind="pyg"))
    ours = TrainConfig("sbm", synthetic=SYNTHETIC, model=ModelConfig())
    assert estimate(pyg, data) > 2 * estimate(ours, data)
    v2 = replace(ours, model=ModelConfig(variant="gatv2"))
    edges = data.clone()
    edges.edge_attr = torch.rand(data.num_edges, 2)
    assert estimate(ours, data) < estimate(ours, edges)
    assert estimate(ours, data) < estimate(v2, data) < estimate(v2, edges)


def test_roc_auc():
    config = TrainConfig(
        "sbm",
        synthetic=SyntheticConfig(num_nodes=200, num_edges=2000, num_classes=2, num_features=8),
        metric="roc_auc",
        epochs=5,
    )
    assert train(config, load_task(config)).test_score > 0.6
    with pytest.raises(ValueError, match="metric: expected 2 classes"):
        train(config_of(metric="roc_auc"), load_task(config_of()))


def test_too_small_budget_of_inference_raises_before_the_first_epoch():
    config = config_of("sampled")
    config = replace(config, sampling=replace(config.sampling, max_memory="1MB"))
    with pytest.raises(ConfigError, match=r"sampling\.max_memory: layer 1 needs"):
        train(config, load_task(config))
