"""Configurations of graphs in files that contradict themselves."""

import re

import pytest

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFiles, load_files
from tests.data.graph_files.conftest import NODES

FILES = {
    "nodes": "{}nodes.csv",
    "edges": "{}edges.csv",
    "graphs": "{}graphs.csv",
    "features": "{}x.npz",
    "label": "{}y.npy",
    "train": "{}train.txt",
    "val": "{}val.txt",
    "test": "{}test.txt",
}
SPLIT = {"train": "train.txt", "val": "val.txt", "test": "test.txt"}


@pytest.mark.parametrize("outside", ["/data/", "../", "parts/../../"])
@pytest.mark.parametrize("key", FILES)
def test_files_outside_of_the_folder_are_refused(key, outside):
    """In another folder, predictions would read the files of the training."""
    name = FILES[key].format(outside)
    split = SPLIT if key in SPLIT else {}
    expected = f"dataset.{key}: expected a name relative to dataset.path and without '..', got "
    with pytest.raises(ConfigError, match=re.escape(f"{expected}{name!r}: ") + ".* link to it"):
        GraphFiles("shop", **{**split, key: name})


def test_each_of_several_files_of_edges_is_checked():
    with pytest.raises(ConfigError, match=r"dataset\.edges: .* got '/data/b\.csv': "):
        GraphFiles("shop", edges=["a.csv", "/data/b.csv"])


def test_columns_may_have_names_of_any_form():
    files = GraphFiles("shop", features=["/price"], label="../kind", split="/split")
    assert files.features == ["/price"]


def test_links_to_files_outside_of_the_folder_are_read(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "nodes.csv").unlink()
    (elsewhere / "table.csv").write_text(NODES)
    (folder / "linked.csv").symlink_to(elsewhere / "table.csv")
    assert load_files(GraphFiles(folder, nodes="linked.csv")).num_nodes == 4


@pytest.mark.parametrize(
    ("key", "value"),
    [("features", ["age", "sex"]), ("categorical", ["sex"]), ("label", "sex"), ("node_id", "sex")],
)
def test_ignored_columns_have_no_other_role(key, value):
    with pytest.raises(ConfigError, match=rf"dataset\.ignore: .* in dataset\.{key}, got 'sex' in"):
        GraphFiles("shop", ignore=["name", "sex"], **{key: value})


@pytest.mark.parametrize("features", [["age"], "x.npy"])
def test_categorical_columns_are_features(features):
    with pytest.raises(ConfigError, match=r"dataset\.categorical: .* dataset\.features, got 'sex'"):
        GraphFiles("shop", features=features, categorical=["sex"])
