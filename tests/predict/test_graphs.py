"""Training, saved models and predictions of graphs."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import gatsparse
from examples.graph_classification import digits
from gatsparse.data import join_graphs
from gatsparse.inspection import inspect_graph
from gatsparse.predict import explain_run, load_data, load_run, predict
from gatsparse.train import (
    ConfigError,
    GraphClassifier,
    GraphConfig,
    ModelConfig,
    OptimConfig,
    SamplingConfig,
    TrainConfig,
    parse_config,
    train,
)
from gatsparse_cli import main


def test_digits_as_graphs(tmp_path: Path):
    """Of 300 digits of ten classes, more than half of the test graphs are recognised."""
    config = TrainConfig(
        task="graph_classification",
        mode="sampled",
        model=ModelConfig(hidden_channels=8, heads=4, dropout=0.0, residual=True),
        graph=GraphConfig(pooling="max", train_share=0.6, val_share=0.2),
        sampling=SamplingConfig(batch_size=16),
        optim=OptimConfig(lr=0.01, weight_decay=0.0),
        epochs=12,
        run_dir=tmp_path,
        progress=False,
    )
    (result,) = train(config, join_graphs(digits()[:300]))
    assert result.test_score > 0.5


def write_files(folder: Path, count: int, *, split: bool) -> None:
    """Writes stars and rings of 4 to 6 nodes, whose classes their degrees tell."""
    generator = torch.Generator().manual_seed(count)
    nodes, edges, graphs = ["id,graph,degree"], ["source,target"], ["id,label,split"]
    for graph in range(count):
        size, star = 4 + graph % 3, graph % 2
        for node in range(size):
            end = 0 if star else (node + 1) % size
            edges.append(f"{graph}-{node},{graph}-{end}")
            noise = float(torch.rand(1, generator=generator))
            degree = (size - 1 if node == 0 else 1) if star else 2
            nodes.append(f"{graph}-{node},g{graph},{degree + noise}")
        part = ("train", "train", "val", "test")[graph // 2 % 4]
        graphs.append(f"g{graph},{'star' if star else 'ring'},{part}")
    if not split:
        graphs = ["id", *(line.partition(",")[0] for line in graphs[1:])]
    folder.mkdir()
    for name, lines in (("nodes", nodes), ("edges", edges), ("graphs", graphs)):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(params=["full", "sampled"])
def run_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Run folder of a training on graphs in files."""
    write_files(tmp_path / "shapes", 40, split=True)
    (tmp_path / "config.yaml").write_text(
        f"dataset: {tmp_path / 'shapes'}\ntask: graph_classification\nmode: {request.param}\n"
        "model: {hidden_channels: 4, heads: 2, dropout: 0.0}\nsampling: {batch_size: 8}\n"
        f"optim: {{lr: 0.02}}\nepochs: 25\nrun_dir: {tmp_path / 'runs'}\nprogress: false\n"
    )
    train(parse_config(tmp_path / "config.yaml"))
    (folder,) = (tmp_path / "runs").iterdir()
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_have_the_scores_of_the_training(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = load_run(run_folder)
    predictions = predict(run, load_data(run))
    assert predictions.scores()["test"] == run.result.test_score
    assert run.result.test_score > 0.8
    out = tmp_path / "out.csv"
    assert main(["predict", str(run_folder), "--out", str(out)]) == 0
    assert "40 graphs" in capsys.readouterr().out
    rows = rows_of(out)
    assert [row["id"] for row in rows] == [f"g{graph}" for graph in range(40)]
    assert list(rows[0]) == ["id", "class", "p_ring", "p_star"]
    correct = [row["class"] == ("ring", "star")[i % 2] for i, row in enumerate(rows)]
    test = [correct[i] for i in range(40) if i // 2 % 4 == 3]
    assert sum(test) / len(test) == run.result.test_score


def test_predictions_of_other_graphs_without_labels(run_folder: Path, tmp_path: Path):
    write_files(tmp_path / "other", 6, split=False)
    run = load_run(run_folder)
    data = load_data(run, tmp_path / "other")
    predictions = predict(run, data)
    assert predictions.scores() == {}
    assert predictions.outputs.shape == (6, 2)
    little = predict(run, data, max_memory=1)  # in batches
    # Sums of at most 6 nodes in float32, in another order.
    torch.testing.assert_close(little.outputs, predictions.outputs, rtol=1e-5, atol=1e-6)


def test_other_graphs_with_labels_are_scored(run_folder: Path, tmp_path: Path):
    write_files(tmp_path / "other", 12, split=True)
    graphs = tmp_path / "other" / "graphs.csv"
    graphs.write_text(
        "".join(f"{line.rpartition(',')[0]}\n" for line in graphs.read_text().splitlines())
    )
    run = load_run(run_folder)
    scores = predict(run, load_data(run, tmp_path / "other")).scores()
    assert list(scores) == ["all"]
    assert scores["all"] > 0.8


def test_pairs_are_none_of_graphs(run_folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["predict", str(run_folder), "--out", "a.csv", "--pairs", "pairs.csv"]) == 2
    assert "--pairs: expected none with task graph_classification" in capsys.readouterr().err


def test_saved_model_is_a_graph_classifier(run_folder: Path, capsys: pytest.CaptureFixture[str]):
    model = gatsparse.load_model(run_folder)
    assert isinstance(model, GraphClassifier)
    assert main(["info", str(run_folder)]) == 0
    assert "encoder.conv1  GATConv  fused" in capsys.readouterr().out


def test_explanations_and_inspections_of_graphs_raise(run_folder: Path, tmp_path: Path):
    run = load_run(run_folder)
    with pytest.raises(ConfigError, match="run: expected a model of nodes, got task graph_class"):
        explain_run(run, load_data(run), tmp_path / "page.html")
    with pytest.raises(ConfigError, match="task: expected a task of one graph to inspect"):
        inspect_graph(run.config)


def test_imported_graphs_are_trained_like_graphs_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "own_digits.py").write_text(
        "from examples.graph_classification import digits\n\ndef graphs():\n"
        "    return digits()[:60]\n"
    )
    monkeypatch.chdir(tmp_path)
    config = TrainConfig(
        "own_digits:graphs",
        task="graph_classification",
        mode="sampled",
        graph=GraphConfig(draw="random", train_share=0.6, val_share=0.2),
        split="random",
        epochs=2,
        seeds=[5],
        progress=False,
    )
    (imported,) = train(config)
    (in_memory,) = train(replace(config, dataset=None), join_graphs(digits()[:60]))
    assert (imported.losses, imported.rules) == (in_memory.losses, in_memory.rules)
    sys.modules.pop("own_digits")
