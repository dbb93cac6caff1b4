"""``gatsparse inspect``, and ``gatsparse train`` of data instead of a configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gatsparse.train import parse_config
from gatsparse_cli import main
from tests.predict.conftest import write_graph


@pytest.fixture(autouse=True)
def _one_thread(threads):
    """Runs with one thread: these graphs are small."""
    threads(1)


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_graph(tmp_path / "shop")


@pytest.fixture
def renamed(shop: Path) -> list[str]:
    """Keys of a folder whose files and columns have no usual name."""
    nodes, edges = (shop / f"{name}.csv" for name in ("nodes", "edges"))
    nodes.rename(shop / "items.csv")
    rows = edges.read_text().splitlines()[1:]
    edges.write_text("\n".join(["a,b,year", *(f"{row},2024" for row in rows)]))
    edges.rename(shop / "sales.csv")
    keys = {"nodes": "items.csv", "edges": "sales.csv", "source": "a", "target": "b"}
    return [f"--dataset.{key}={value}" for key, value in keys.items()]


def fails(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 2) -> str:
    assert main(argv) == code
    error = capsys.readouterr().err
    assert error.startswith(f"gatsparse {argv[0]}: ")
    return error


def test_configuration_is_printed_or_written(shop, capsys):
    assert main(["inspect", "shop", "--out", "shop.yaml"]) == 0
    out = capsys.readouterr().out
    assert "\nchosen: 0% of the edges have their reverse" in out
    assert out.endswith("written: shop.yaml; to train: gatsparse train shop.yaml\n")
    assert parse_config("shop.yaml").dataset.path == shop
    assert main(["inspect", "shop"]) == 0
    assert "# for `gatsparse train`" in capsys.readouterr().out
    assert main(["inspect", "shop.yaml"]) == 0
    assert "# for `gatsparse train`" not in capsys.readouterr().out


def test_names_of_files_and_columns(renamed):
    keys = [*renamed, "--dataset.label", "[red, round]"]
    assert main(["inspect", "shop", *keys, "--out", "shop.yaml"]) == 0
    config = parse_config("shop.yaml")
    assert (config.dataset.nodes, config.dataset.source) == ("items.csv", "a")
    assert (config.task, config.dataset.label) == ("multi_label", ["red", "round"])


def test_errors_name_the_options(renamed, capsys):
    nodes, edges, *_ = renamed
    expected = {
        (nodes,): "set dataset.edges (options: --dataset.edges)",
        (edges,): "(options: --dataset.nodes, --dataset.features)",
        (nodes, edges): "(options: --dataset.source, --dataset.target)",
    }
    for keys, message in expected.items():
        assert message in fails(capsys, "inspect", "shop", *keys, code=1)


def test_options_of_a_label_are_shown_without_labels(shop, capsys):
    nodes = shop / "nodes.csv"
    nodes.write_text(nodes.read_text().replace("label", "kind", 1))
    assert main(["inspect", "shop", "--out", "shop.yaml"]) == 0
    assert "set dataset.label to their names (options: --dataset.label)" in capsys.readouterr().out
    assert parse_config("shop.yaml").task == "link_prediction"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("dataset: {path: shop}\n", ["--task", "regression", "--dataset.label=size"]),
        ("dataset: {path: shop, label: size}\ntask: regression\n", []),
    ],
)
def test_configuration_with_a_dataset_and_a_task_is_completed(text, keys):
    Path("small.yaml").write_text(text)
    assert main(["inspect", "small.yaml", *keys, "--out", "whole.yaml"]) == 0
    config = parse_config("whole.yaml")
    assert (config.task, config.dataset.label, config.undirected) == ("regression", "size", True)


def test_configuration_with_other_keys_is_kept(capsys):
    Path("whole.yaml").write_text("dataset: shop\nepochs: 7\n")
    error = fails(capsys, "inspect", "whole.yaml", "--out", "other.yaml")
    assert "out: expected only a dataset and a task" in error
    assert "got epochs, too" in error
    assert main(["inspect", "whole.yaml"]) == 0
    out = capsys.readouterr().out
    assert "classification, mode full, 7 epochs at most" in out
    assert "no configuration is suggested" not in out


def test_other_keys_of_a_folder_are_set_in_the_file(capsys):
    error = fails(capsys, "inspect", "shop", "--undirected", "true", "--out", "shop.yaml")
    assert "got undirected, too: set them in the file that is written" in error
    assert main(["inspect", "shop", "--undirected", "true"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("# no configuration is suggested if other keys are set: undirected\n")


def test_folder_of_a_data_set_is_part_of_the_suggestion(shop):
    assert main(["inspect", "digits", "--root", "shop", "--out", "digits.yaml"]) == 0
    config = parse_config("digits.yaml")
    assert (config.dataset, config.root) == ("digits", shop)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["shop", "--label", "kind"], "--label: no such key; did you mean --dataset.label?"),
        (["--dataset.label", "kind", "shop"], "expected PATH before --dataset.label"),
        (["shop", "--task", "classes"], "task: expected classification or multi_label"),
        (["shop/nodes.csv"], "got 'shop/nodes.csv', a file: pass its folder"),
    ],
)
def test_wrong_arguments(capsys, argv, message):
    assert message in fails(capsys, "inspect", *argv)


def test_file_that_cannot_be_written_is_found_before_any_work(capsys, monkeypatch):
    Path("old.yaml").touch()
    monkeypatch.setattr("gatsparse.train.config_file.read_dataset", None)
    for name, message in {
        "missing/out.yaml": "expected a file in a folder that exists",
        f"{'x' * 250}.yaml": "expected a file that can be written",
        "shop": "expected a file that ends in .yaml or .yml",
        "old.yaml": "expected a new file, got old.yaml, which exists: choose another name",
    }.items():
        for argv in (["--out", name, "shop"], ["shop", "--out", name]):
            assert f"out: {message}" in fails(capsys, "inspect", *argv)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shop", "got a folder: `gatsparse inspect shop --out shop.yaml` writes one"),
        ("shop/nodes.csv", "got a table: `gatsparse inspect shop --out shop.yaml` writes one"),
    ],
)
def test_data_instead_of_a_configuration_are_to_be_inspected(capsys, name, message):
    assert message in fails(capsys, "train", name)


def test_folder_instead_of_a_configuration_is_found_without_torch(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gatsparse.train", None)  # its import fails
    assert "expected a configuration, got a folder" in fails(capsys, "train", "shop")
