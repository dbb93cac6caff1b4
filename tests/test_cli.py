from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_geometric

from gatsparse import _native
from gatsparse.data import load
from gatsparse.train import ProcessDiedError, config_file
from gatsparse_cli import _parser, config_keys, main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gatsparse.data.places.user_cache_path", lambda _: tmp_path / "cache")


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.yaml"
    path.write_text("dataset: digits\nepochs: 2\nmodel: {hidden_channels: 2, heads: 2}\n")
    return str(path)


def fails(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    code = main(argv)
    captured = capsys.readouterr()
    assert captured.err.startswith("gatsparse train: ")
    assert "Traceback" not in captured.err
    return code, captured.err


@pytest.mark.parametrize("kind", ["gatsparse", "scatter", "pyg", "dense"])
def test_train(config: str, kind: str, capsys: pytest.CaptureFixture[str]):
    assert main(["train", config, "--model.kind", kind, "--seeds", "[0,1]"]) == 0
    (folder,) = Path("runs").iterdir()
    captured = capsys.readouterr()
    assert folder.name in captured.out
    assert f"digits, {kind}, val_score: test accuracy" in captured.out
    assert json.loads((folder / "summary.json").read_text())["epochs"] == [2, 2]


def test_quiet_prints_nothing(config: str, capfd: pytest.CaptureFixture[str]):
    for arguments in (["--quiet", config], [config, "--quiet"]):
        assert main(["train", *arguments]) == 0
        assert capfd.readouterr() == ("", "")
    assert len(list(Path("runs").iterdir())) == 2


def test_quiet_prints_errors(config: str, capsys: pytest.CaptureFixture[str]):
    code, error = fails(capsys, "train", config, "--optim.lr", "1e30", "--quiet")
    assert code == 1
    assert "epoch 1" in error


@pytest.mark.parametrize(
    "arguments", [["--json", "CONFIG", "--epochs", "3"], ["CONFIG", "--epochs", "3", "--json"]]
)
def test_json_prints_events_and_nothing_else(
    config: str,
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    def downloading(*arguments: Any) -> Any:
        print("Downloading ...")
        return load(*arguments)

    monkeypatch.setattr("gatsparse.train.loading.load", downloading)
    assert main(["train", *(config if word == "CONFIG" else word for word in arguments)]) == 0
    captured = capsys.readouterr()
    events = [json.loads(line)["event"] for line in captured.out.splitlines()]
    assert events == ["start", "epoch", "epoch", "epoch", "seed", "summary"]
    assert captured.err == "Downloading ...\n"


def test_quiet_and_json_exclude_each_other(config: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["train", "--quiet", "--json", config])
    assert caught.value.code == 2
    assert "--json: not allowed with argument --quiet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epoch", "3"], "--epoch"),
        (["--model.head", "3"], "--model.head"),
        (["--epochs", "many"], "epochs"),
        (["--epochs", "0"], "epochs: expected >= 1, got 0"),
        (["--model.dropout", "1.5"], "model.dropout"),
        (["--dataset", "karate"], "karate"),
        (["--split", "3"], "split: expected 0 <= split < 1 of digits, got 3"),
        (["stray"], "stray"),
    ],
)
def test_wrong_override_is_reported(
    config: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    code, error = fails(capsys, "train", config, *arguments)
    assert code == 2
    assert message in error
    assert not Path("runs").exists()


def test_missing_config_is_reported(capsys: pytest.CaptureFixture[str]):
    code, error = fails(capsys, "train", "no-such.yaml")
    assert code == 2
    assert "no-such.yaml" in error


def test_missing_data_set_is_reported(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refuse(_: object) -> None:
        raise OSError("the network is down")

    monkeypatch.setattr("torch_geometric.datasets.Planetoid.download", refuse)
    code, error = fails(capsys, "train", config, "--dataset", "cora", "--root", "mine")
    assert code == 1
    for folder in ("mine", "data", "cache"):
        assert str(tmp_path / folder / "Cora" / "raw") in error
    assert "the network is down" in error


def test_corrupt_file_is_reported(config: str, capsys: pytest.CaptureFixture[str]):
    raw_dir = Path("data", "tolokers", "raw")
    raw_dir.mkdir(parents=True)
    (raw_dir / "tolokers.npz").write_bytes(b"PK")
    code, error = fails(capsys, "train", config, "--dataset", "tolokers")
    assert code == 1
    assert str(raw_dir / "tolokers.npz") in error


def test_diverging_training_is_reported(config: str, capsys: pytest.CaptureFixture[str]):
    code, error = fails(capsys, "train", config, "--optim.lr", "1e30")
    assert code == 1
    assert "epoch 1" in error


def test_file_as_run_dir_is_reported(config: str, capsys: pytest.CaptureFixture[str]):
    Path("runs").write_text("")
    code, error = fails(capsys, "train", config)
    assert code == 2
    assert "run_dir: expected a folder, got runs" in error


def test_interrupt_is_reported(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatsparse.train.experiment.fit", interrupt)
    code, error = fails(capsys, "train", config)
    assert code == 130
    assert "interrupted" in error


def test_dead_process_is_reported(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def die(*_: object) -> None:
        raise ProcessDiedError("seed 3: its process died")

    monkeypatch.setattr("gatsparse.train.train", die)
    code, error = fails(capsys, "train", config)
    assert code == 1
    assert "seed 3" in error


def test_random_splits_side_by_side(config: str, capsys: pytest.CaptureFixture[str]):
    arguments = ["--seeds=3", "--split=random", "--stopping=[pyg,paper]", "--processes=2"]
    assert main(["train", config, *arguments]) == 0
    (folder,) = Path("runs").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["seeds"] == [0, 1, 2]
    assert list(summary["rules"]) == ["pyg", "paper"]
    out = capsys.readouterr().out
    for rule in ("pyg", "paper"):
        assert f"digits, gatsparse, {rule}: test accuracy" in out
    assert "3 seed(s), 2 epochs on average" in out


@pytest.mark.parametrize(
    ("argv", "code"), [([], 2), (["trian"], 2), (["train"], 2), (["--help"], 0)]
)
def test_usage(argv: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == code
    captured = capsys.readouterr()
    assert "usage: gatsparse" in captured.out + captured.err


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yields a parser and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


COMMANDS = list(parsers(_parser()))


@pytest.mark.parametrize("parser", COMMANDS, ids=[parser.prog for parser in COMMANDS])
def test_help_fits_a_screen_and_has_an_example(
    parser: argparse.ArgumentParser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "100")
    lines = parser.format_help().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    (example,) = [line for line in lines if line.startswith("example: gatsparse ")]
    parsed, unknown = _parser().parse_known_args(shlex.split(example)[2:])
    assert parser.prog in ("gatsparse", f"gatsparse {parsed.command}")
    assert not unknown


def test_help_of_all_commands_is_tested():
    progs = {parser.prog for parser in COMMANDS}
    commands = ("inspect", "train", "predict", "explain", "info")
    assert progs == {"gatsparse", *(f"gatsparse {command}" for command in commands)}


def test_help_lists_the_keys(config: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["train", config, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "--model.kind {gatsparse,scatter,pyg,dense}" in out
    assert "--patience" in out


def info(capsys: pytest.CaptureFixture[str]) -> str:
    """Returns the output of `gatsparse info`, without spaces and line breaks."""
    assert main(["info"]) == 0
    return "".join(capsys.readouterr().out.split())


def test_info(capsys: pytest.CaptureFixture[str]):
    out = info(capsys)
    for version in (torch.__version__, torch_geometric.__version__):
        assert version in out
    for name in ("cora", "citeseer", "pubmed", "tolokers", "digits"):
        assert name in out
    for isa in _native.isas():
        assert isa in out


def test_info_names_what_is_missing_and_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "torch_scatter", None)
    monkeypatch.setattr(_native, "MISSING", "no extension")
    out = info(capsys)
    assert "torch-scattermissing" in out
    assert "torch-scatter==2.1.2" in out
    assert "CPUkernelsmissing:noextension" in out
    assert "C++compiler" in out


def test_info_finds_data_sets(capsys: pytest.CaptureFixture[str]):
    assert "tolokersnofiles" in info(capsys)
    raw_dir = Path("data", "tolokers", "raw")
    raw_dir.mkdir(parents=True)
    (raw_dir / "tolokers.npz").touch()
    assert f"tolokers{raw_dir}" in info(capsys)


def test_config_keys_are_read_from_the_source():
    assert list(config_keys.config_keys()) == list(config_file._keys())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epoch", "3"], "--epoch: no such key; did you mean --epochs?"),
        (
            ["--epochs=3", "--model.head=3"],
            "--model.head: no such key; did you mean --model.heads?",
        ),
        (["--zzz"], "--zzz: no such key; --help lists the keys"),
    ],
)
def test_unknown_key_is_found_without_torch(
    config: str,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "gatsparse.train", None)  # its import fails
    assert fails(capsys, "train", config, *arguments) == (2, f"gatsparse train: {message}\n")


def test_keys_before_the_configuration_are_reported(capsys: pytest.CaptureFixture[str]):
    code, error = fails(capsys, "train", "--epochs", "3")
    assert (code, error) == (2, "gatsparse train: expected CONFIG before --epochs\n")
