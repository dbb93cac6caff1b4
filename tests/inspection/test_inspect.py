"""Graphs are inspected; the suggested configuration trains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFileError, GraphFiles
from gatsparse.inspection import inspect_graph
from gatsparse.inspection.report import report, suggestion
from gatsparse.train import (
    ModelConfig,
    Output,
    SamplingConfig,
    TrainConfig,
    load_task,
    parse_config,
    task_of_seed,
    train,
)
from gatsparse.train.memory import estimate
from tests.predict.conftest import write_graph


@pytest.fixture(autouse=True)
def _one_thread(threads):
    """Runs with one thread: these graphs are small."""
    threads(1)


@pytest.fixture
def files(tmp_path: Path) -> GraphFiles:
    return GraphFiles(write_graph(tmp_path / "shop"), ignore=["size", "red", "round"])


@pytest.fixture
def trains(tmp_path: Path) -> Callable[[str], TrainConfig]:
    """Trains for an epoch what a suggestion, a text in YAML, describes."""

    def run(text: str) -> TrainConfig:
        (tmp_path / "suggested.yaml").write_text(text)
        config = parse_config(tmp_path / "suggested.yaml", ["--epochs", "1"])
        train(replace(config, run_dir=tmp_path / "runs"), output=Output())
        return config

    return run


CASES = {
    "classes": {},
    "numbers": {"label": "size", "task": "regression"},
    "several numbers": {"label": ["size", "round"], "task": "regression"},
    "zeros and ones": {"label": ["red", "round"], "task": "multi_label"},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_task_is_that_of_the_labels(files, trains, case):
    task = case.get("task", "classification")
    inspection = inspect_graph(replace(files, label=case.get("label"), ignore=[]))
    assert inspection.config.task == task
    assert trains(suggestion(inspection)).task == task
    report(inspection)


@pytest.mark.parametrize(
    "options",
    [
        {"split": "random"},
        {"task": "link_prediction"},
        {"task": "link_prediction", "mode": "sampled"},
        {"mode": "sampled", "metric": "roc_auc", "task": "multi_label"},
        {"class_weights": "balanced", "model": ModelConfig(kind="pyg")},
    ],
    ids=str,
)
def test_configuration_of_a_training_is_kept(files, trains, options):
    label = ["red", "round"] if options.get("task") == "multi_label" else "label"
    sampling = SamplingConfig(batch_size=32, max_memory="1GB")
    config = TrainConfig(replace(files, label=label, ignore=[]), sampling=sampling, **options)
    inspection = inspect_graph(config)
    assert inspection.config == config
    assert inspection.reasons == []
    assert report(inspection)
    assert trains(suggestion(inspection)).essence() == replace(config, epochs=1).essence()


def test_data_set_by_name(trains):
    inspection = inspect_graph("digits")
    assert trains(suggestion(inspection)) == TrainConfig("digits", epochs=1)
    text = report(inspection)
    for line in (
        "nodes      1,797",
        "features 64",
        "0.96: share",
        "; 0.10 if edges were random",
        "10 classes: 3 10.2%",
        "200 training, 500",
    ):
        assert line in text, line


def test_missing_names_and_dates(tmp_path, trains):
    """Names and dates are ignored, missing numbers filled, scales made equal, with reasons."""
    folder = write_graph(tmp_path / "shop")
    lines = (folder / "nodes.csv").read_text().splitlines()
    rows = [f"{line},thing {i},2024-01-{i % 28 + 1:02},{1000 * i}" for i, line in enumerate(lines)]
    rows[0] = f"{lines[0]},name,seen,sold"
    rows[5] = rows[5].removesuffix(",5000") + ","
    (folder / "nodes.csv").write_text("\n".join(rows) + "\n")
    inspection = inspect_graph(str(folder))
    chosen = inspection.config.dataset
    assert chosen.ignore == ["name", "seen"]
    assert (chosen.missing, chosen.standardize) == ("mean", True)
    reasons = "\n".join(inspection.reasons)
    for reason in ("'name' is ignored", "'seen' is ignored: times", "1 missing cells in sold"):
        assert reason in reasons, reason
    assert "missing  sold 1" in report(inspection)
    assert trains(suggestion(inspection)).dataset == chosen


def test_edges_of_unknown_nodes(files, trains):
    """They are counted by the inspection, and allowed only if there are some."""
    assert inspect_graph(files).config.dataset.unknown_nodes == "error"
    with (files.path / "edges.csv").open("a") as file:
        file.write("item-1,nowhere\n")
    inspection = inspect_graph(files)
    assert inspection.config.dataset.unknown_nodes == "drop"
    assert "1 edges of unknown nodes dropped" in report(inspection)
    trains(suggestion(inspection))


def test_edges_of_unknown_nodes_stay_dropped(files):
    """Keeps options that are set, also if there are none."""
    files = replace(files, unknown_nodes="drop")
    assert inspect_graph(files).config.dataset.unknown_nodes == "drop"


def test_memory_is_that_of_the_training(files):
    """Of a directed graph, it is that of the graph with the reverse of every edge."""
    inspection = inspect_graph(files)
    config = inspection.config
    assert config.undirected
    needed = estimate(config, task_of_seed(load_task(config), config, 0))
    assert needed <= inspection.cost.memory <= 1.5 * needed
    assert inspection.cost.epoch_seconds > 0


@pytest.mark.parametrize(("free", "mode"), [(3.5, "sampled"), (4.5, "full")])
def test_mode_leaves_half_of_the_memory_free(files, monkeypatch, free, mode):
    """Edges without their reverse, which is added, count twice."""
    needed = estimate(TrainConfig(files), load_task(TrainConfig(files)))
    memory = SimpleNamespace(available=free * needed)
    monkeypatch.setattr("gatsparse.inspection.inspect.psutil.virtual_memory", lambda: memory)
    inspection = inspect_graph(files)
    assert inspection.config.undirected
    assert inspection.config.mode == mode


def test_time_of_large_graphs_is_measured_on_a_small_one(files, monkeypatch):
    monkeypatch.setattr("gatsparse.inspection.cost._MOST_EDGES", 100)
    sizes: list[int] = []

    def watched(_model, data, _config, *, on_epoch):
        sizes.append(data.num_edges)
        for _ in range(3):
            on_epoch(None)

    ticks = SimpleNamespace(perf_counter=count().__next__)  # an epoch takes a second
    monkeypatch.setattr("gatsparse.inspection.cost.fit", watched)
    monkeypatch.setattr("gatsparse.inspection.cost.time", ticks)
    inspection = inspect_graph(files)
    assert sizes == [100]
    assert inspection.cost.epoch_seconds == pytest.approx(inspection.data.num_edges / 100)


@pytest.mark.parametrize("mode", ["full", "sampled"])
@pytest.mark.parametrize(
    "options",
    [
        {"label": "size", "task": "regression"},
        {"label": ["red", "round"], "task": "multi_label", "metric": "roc_auc"},
        {"label": "label", "class_weights": "balanced"},
    ],
    ids=str,
)
def test_times_need_no_metric(files, monkeypatch, mode, options):
    """Scores and weights are not defined for the labels of a few nodes."""
    monkeypatch.setattr("gatsparse.inspection.cost._MOST_EDGES", 20)
    label, *more = options.items()
    sampling = SamplingConfig(batch_size=1, max_memory="1GB")
    config = TrainConfig(
        replace(files, label=label[1], ignore=[]), mode=mode, sampling=sampling, **dict(more)
    )
    assert inspect_graph(config).cost.epoch_seconds > 0


def test_task_of_a_configuration_is_that_of_the_configuration():
    with pytest.raises(ConfigError, match=r"task: expected None with a configuration"):
        inspect_graph(TrainConfig("digits"), "regression")


def test_recipe_of_links(trains):
    """Dropout and weight decay are those of the guide."""
    inspection = inspect_graph("digits", "link_prediction")
    config = inspection.config
    assert (config.model.dropout, config.optim.lr, config.optim.weight_decay) == (0.0, 0.01, 0.0)
    assert trains(suggestion(inspection)).task == "link_prediction"


def test_damaged_files_are_reported(files):
    (files.path / "nodes.csv").write_text("id,label\na,x\na,y\n")
    with pytest.raises(GraphFileError, match="expected every id once, got 'a' again"):
        inspect_graph(str(files.path))
