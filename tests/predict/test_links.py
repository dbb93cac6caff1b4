"""Probabilities of links, of runs of link prediction."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFileError
from gatsparse.predict import load_data, load_run, predict, predict_links
from gatsparse.train import LinkConfig, Output, TrainConfig, train

CONFIG = TrainConfig(
    "digits", task="link_prediction", epochs=2, link=LinkConfig(channels=8), run_dir=Path("runs")
)


@pytest.fixture(scope="module")
def predictions(tmp_path_factory):
    """Embeddings of a short training."""
    config = replace(CONFIG, run_dir=tmp_path_factory.mktemp("runs"))
    train(config, output=Output())
    run = load_run(next(config.run_dir.iterdir()))
    return predict(run, load_data(run))


def test_probability_is_the_sigmoid_of_the_inner_product(predictions, tmp_path):
    (tmp_path / "pairs.csv").write_text("source,target\n3,5\n1796,0\n5,3\n")
    links = predict_links(predictions, tmp_path / "pairs.csv")
    z = predictions.outputs
    expected = torch.sigmoid((z[[3, 1796, 5]] * z[[5, 0, 3]]).sum(dim=1))
    assert links.pairs.tolist() == [[3, 1796, 5], [5, 0, 3]]
    assert torch.equal(links.probabilities, expected)
    links.write(tmp_path / "links.csv")
    lines = (tmp_path / "links.csv").read_text().splitlines()
    assert lines[0] == '"source","target","p"'
    assert [line.rpartition(",")[0] for line in lines[1:]] == ["3,5", "1796,0", "5,3"]


def test_unknown_nodes_raise(predictions, tmp_path):
    (tmp_path / "pairs.csv").write_text("source,target\n3,5\n3,1797\n")
    with pytest.raises(GraphFileError, match=r"line 3: column 'target': '1797' is not a node"):
        predict_links(predictions, tmp_path / "pairs.csv")


def test_runs_of_other_tasks_raise(predictions, tmp_path):
    other = replace(predictions.run, config=replace(CONFIG, task="classification", metric=None))
    with pytest.raises(ConfigError, match="pairs: expected a run with task link_prediction"):
        predict_links(replace(predictions, run=other), tmp_path / "pairs.csv")
