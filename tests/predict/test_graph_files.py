"""Commands on the model of a graph in files: other folders, and files that cannot be written."""

import re

import pytest

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFiles
from gatsparse.predict import load_data, load_run
from gatsparse.train import LinkConfig, ModelConfig, Output, TrainConfig, train
from gatsparse_cli import main

NODES = "id,f,label,split\na,1,x,train\nb,2,y,val\nc,3,x,test\nd,4,y,train\n"


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """Folder of a graph whose edges are in two files."""
    folder = tmp_path_factory.mktemp("graph")
    (folder / "nodes.csv").write_text(NODES)
    (folder / "one.csv").write_text("source,target\na,b\nb,a\n")
    (folder / "two.csv").write_text("source,target\nb,c\n")
    return folder


def trained(graph, tmp_path, **options):
    """Run folder of one epoch."""
    files = GraphFiles(graph, edges=["one.csv", "two.csv"])
    model = ModelConfig(hidden_channels=2, heads=1)
    config = TrainConfig(files, model=model, epochs=1, run_dir=tmp_path / "runs", **options)
    train(config, output=Output())
    return next((tmp_path / "runs").iterdir())


def test_edges_of_another_folder_are_in_the_same_files(graph, tmp_path):
    run = load_run(trained(graph, tmp_path))
    other = tmp_path / "other"
    other.mkdir()
    (other / "nodes.csv").write_text("id,f\na,1\nb,2\n")
    (other / "edges.csv").write_text("source,target\na,b\n")
    assert load_data(run, other).num_edges == 1
    (other / "one.csv").write_text("source,target\na,b\n")
    with pytest.raises(ConfigError, match=r"data: expected the files .* got only \['one.csv'\]"):
        load_data(run, other)
    (other / "two.csv").write_text("source,target\nb,a\nb,b\n")
    assert load_data(run, other).num_edges == 3


def test_nodes_that_are_left_out_are_reported(graph, tmp_path, capsys):
    run = trained(graph, tmp_path, largest_component=True)
    assert main(["predict", str(run), "--out", str(tmp_path / "p.csv")]) == 0
    assert "nodes outside of the largest component dropped: 1" in capsys.readouterr().out
    rows = (tmp_path / "p.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ['"id"', '"a"', '"b"', '"c"']


def test_keys_of_another_folder_on_the_command_line(graph, tmp_path, capsys):
    run = str(trained(graph, tmp_path))
    other, out = tmp_path / "other", str(tmp_path / "p.csv")
    other.mkdir()
    (other / "nodes.csv").write_text("id,f\na,1\nb,\n")
    (other / "edges.csv").write_text("source,target\na,b\nb,z\n")
    command = ["predict", run, "--data", str(other), "--out", out]
    assert main(command) == 1
    assert "dataset.missing to mean or zero (options: --dataset.missing)" in capsys.readouterr().err
    keys = ["--dataset.missing", "zero", "--dataset.unknown_nodes=drop", "--dataset.label", "null"]
    assert main([*command, *keys]) == 0
    assert "1 edges of unknown nodes dropped" in capsys.readouterr().out
    assert main([*command, "--dataset.mising", "zero"]) == 2
    assert "no such option: --dataset.mising" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "suffix"), [("predict", "csv"), ("explain", "html")])
def test_files_that_cannot_be_written_are_found_before_any_work(
    graph, tmp_path, capsys, monkeypatch, command, suffix
):
    run = str(trained(graph, tmp_path))
    (tmp_path / f"folder.{suffix}").mkdir()
    monkeypatch.setattr("gatsparse.predict.load_run", None)
    for name, message in {
        f"missing/out.{suffix}": "expected a file in a folder that exists",
        f"folder.{suffix}": "expected the name of a file, got the folder",
        "out.txt": f"expected a file that ends in .*{suffix}",
    }.items():
        assert main([command, run, "--out", str(tmp_path / name)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"gatsparse {command}: out: ")

        assert re.search(message, error)


@pytest.mark.parametrize(("command", "suffix"), [("predict", "csv"), ("explain", "html")])
def test_models_of_links_have_no_predictions_of_nodes(graph, tmp_path, capsys, command, suffix):
    (graph / "links.csv").write_text("source,target\na,b\nb,c\nc,d\n")
    config = TrainConfig(
        GraphFiles(graph, edges="links.csv"),
        model=ModelConfig(hidden_channels=2, heads=1),
        epochs=1,
        run_dir=tmp_path / "runs",
        task="link_prediction",
        link=LinkConfig(channels=2, val_share=0.34, test_share=0.34),
    )
    train(config, output=Output())
    run = str(next((tmp_path / "runs").iterdir()))
    assert main([command, run, "--out", str(tmp_path / f"out.{suffix}")]) == 2
    messages = {
        "predict": "--pairs: expected a table of pairs with task link_prediction",
        "explain": "expected a task of nodes, got link_prediction",
    }
    assert messages[command] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["predict", "--out", "p.csv", "--threads", "0"], "expected an integer >= 1, got '0'"),
        (["predict", "--out", "p.csv", "--threads", "x"], "expected an integer >= 1, got 'x'"),
        (["explain", "--out", "p.html", "--removals", "-1"], "expected an integer >= 0, got '-1'"),
    ],
)
def test_numbers_out_of_range(capsys, argv, message):
    with pytest.raises(SystemExit) as caught:
        main([*argv, "run"])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_memory_that_is_no_size(capsys, tmp_path):
    assert main(["predict", "run", "--out", str(tmp_path / "p.csv"), "--max-memory", "abc"]) == 2
    assert "max_memory: expected bytes > 0, such as 4GB" in capsys.readouterr().err


def test_labels_that_would_hide_other_columns_are_refused(tmp_path, capsys):
    """The probability of label a would have the name of label p_a."""
    (tmp_path / "nodes.csv").write_text("id,f,a,p_a\nu,1,0,1\nv,2,1,0\nw,3,0,1\n")
    (tmp_path / "edges.csv").write_text("source,target\nu,v\n")
    files = GraphFiles(tmp_path, label=["a", "p_a"], draw="random", train_share=0.4, val_share=0.3)
    config = TrainConfig(files, task="multi_label", epochs=1, run_dir=tmp_path / "runs")
    train(config, output=Output())
    run = str(next((tmp_path / "runs").iterdir()))
    assert main(["predict", run, "--out", str(tmp_path / "p.csv")]) == 2
    assert "got 'p_a' twice: rename the labels" in capsys.readouterr().err
