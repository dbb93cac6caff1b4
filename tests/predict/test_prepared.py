"""Data of predictions are those of the training, or are refused."""

from copy import copy
from dataclasses import replace

import pytest
import scipy.sparse
import torch
from torch_geometric.data import Data

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFiles, load, load_files, stochastic_block_model
from gatsparse.predict import load_data, load_run, predict
from gatsparse.train import (
    LinkConfig,
    Output,
    TrainConfig,
    load_task,
    split_links,
    task_of_seed,
    train,
)
from gatsparse.train.environment import data_digest
from tests.predict.conftest import write_graph

QUIET = Output()


def run_of(config, tmp_path, data=None):
    config = replace(config, run_dir=tmp_path / "runs", epochs=1)
    train(config, data, output=QUIET)
    return load_run(next((tmp_path / "runs").iterdir()))


def test_links_of_many_nodes_with_int32_indices():
    """The number of a pair does not fit int32."""
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(100_000, (2, 300), generator=generator)
    wide = split_links(Data(x=torch.ones(100_000, 1), edge_index=edge_index), 0)
    narrow = split_links(Data(x=torch.ones(100_000, 1), edge_index=edge_index.int()), 0)
    for key in ("train_links", "val_links", "test_links", "val_negatives", "edge_index"):
        assert torch.equal(narrow[key].long(), wide[key]), key


def test_links_are_predicted_on_all_edges(tmp_path):
    config = TrainConfig("digits", task="link_prediction", link=LinkConfig(channels=4))
    run = run_of(config, tmp_path)
    data = load_data(run)
    assert data.num_edges == load_task(config).num_edges
    assert torch.equal(predict(run, data).outputs, predict(run, load_data(run, "digits")).outputs)


def test_given_data_with_the_name_of_a_data_set_are_not_normalized(tmp_path):
    data = stochastic_block_model(200, 1000, 4, 8)
    run = run_of(TrainConfig("cora"), tmp_path, data)
    assert run.config.normalize_features is False
    assert torch.equal(load_data(run, data).x, data.x)


def test_folders_are_refused_by_runs_without_a_schema(tmp_path):
    run = run_of(TrainConfig("digits"), tmp_path)
    folder = write_graph(tmp_path / "graph")
    with pytest.raises(ConfigError, match=r"data: expected the name of a data set .* got the fold"):
        load_data(run, folder)


def test_names_of_columns_and_classes_are_part_of_the_digest(tmp_path):
    data = load_files(GraphFiles(write_graph(tmp_path / "graph")))
    before = data_digest(data)
    data.schema = replace(data.schema, classes=data.schema.classes[::-1])
    assert data_digest(data) != before


def test_largest_component_of_sparse_features(tmp_path):
    (tmp_path / "nodes.csv").write_text("id,label\na,x\nb,y\nc,x\nd,y\n")
    (tmp_path / "edges.csv").write_text("source,target\nb,c\nc,d\n")
    matrix = scipy.sparse.csr_matrix([[1.0, 0], [0, 2], [3, 0], [0, 4]])
    scipy.sparse.save_npz(tmp_path / "x.npz", matrix)
    files = GraphFiles(tmp_path, draw="random", train_share=0.4, val_share=0.3)
    data = load_task(TrainConfig(files, largest_component=True))
    assert data.x.to_dense().tolist() == [[0, 2], [3, 0], [0, 4]]
    assert [data.node_ids[node] for node in range(3)] == ["b", "c", "d"]


def test_split_of_the_seed_without_masks_is_an_error():
    data = Data(
        x=torch.ones(4, 2), y=torch.tensor([0, 1, 0, 1]), edge_index=torch.ones(2, 3).long()
    )
    with pytest.raises(ConfigError, match=r"split: expected train_mask, .* got none"):
        load_task(TrainConfig(split="seed"), data)


def test_features_of_a_part_of_the_graph_are_normalised_as_in_the_training(tmp_path):
    """The least feature, which is subtracted from all, is not in the part."""
    data = stochastic_block_model(200, 1000, 4, 8)
    run = run_of(TrainConfig(normalize_features=True), tmp_path, data)
    whole = load_data(run, data)
    assert torch.equal(whole.x, load_task(run.config, data).x)
    least = data.x.min(dim=1).values
    kept = least > least.median()
    assert torch.equal(load_data(run, data.subgraph(kept)).x, whole.x[kept])
    assert not whole.get("notes")


def test_features_below_those_of_the_training_are_noted(tmp_path):
    """Their sum may be negative, by which nothing is divided."""
    data = stochastic_block_model(200, 1000, 4, 8)
    run = run_of(TrainConfig(normalize_features=True), tmp_path, data)
    data.x[:3] = data.x.min() - 1
    (note,) = load_data(run, data).notes
    assert note.startswith("normalize_features: 3 nodes have features below -")


@pytest.mark.parametrize("kind", ["in memory", "by name", "files"])
def test_data_of_the_training_get_the_drawn_split_of_the_seed(tmp_path, kind):
    """Their own masks have training nodes of the drawn split, which are not scored."""
    data, name = load("digits"), "digits"
    if kind == "files":
        name = GraphFiles(write_graph(tmp_path / "graph"), draw="random")
    config = TrainConfig(None if kind == "in memory" else name, split="random", seeds=[3])
    run = run_of(config, tmp_path, data if kind == "in memory" else None)
    given = {"in memory": data, "by name": "digits", "files": tmp_path / "graph"}[kind]
    scores = predict(run, load_data(run, given)).scores()
    assert scores == {"val": run.result.val_score, "test": run.result.test_score}


def test_drawn_split_does_not_depend_on_additional_tensors_and_edges(tmp_path):
    data = load("digits")
    run = run_of(TrainConfig(split="random"), tmp_path, data)
    other = copy(data)
    other.pred, other.y = torch.zeros(1797), data.y.int()
    other.edge_index = data.edge_index[:, 1:]
    train_mask = task_of_seed(load_task(run.config, data), run.config, run.seed).train_mask
    assert torch.equal(load_data(run, other).train_mask, train_mask)


def test_other_data_keep_their_masks(tmp_path):
    data = load("digits")
    run = run_of(TrainConfig(split="random"), tmp_path, data)
    other = copy(data)
    other.x = data.x + 1
    assert torch.equal(load_data(run, other).test_mask, data.test_mask)
