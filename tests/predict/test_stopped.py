"""Commands that are stopped by a full disk or by Ctrl-C leave no half-written file."""

import resource
from contextlib import contextmanager

import pytest

from gatsparse_cli import main


@contextmanager
def full_disk(size=1000):
    """No file can be larger than some bytes, which fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files_of(out):
    """Names of the file and of all temporary ones."""
    return sorted(path.name for path in out.parent.glob(f"*{out.name}*"))


@pytest.mark.parametrize(("mode", "full"), [("full", "p.csv"), ("sampled", "layer-1-heads-2.npy")])
def test_full_disk_in_predictions(trained, tmp_path, capsys, mode, full):
    out = tmp_path / "p.csv"
    command = ["predict", str(trained(mode=mode).path), "--out", str(out)]
    with full_disk():
        assert main(command) == 1
    error = capsys.readouterr().err
    assert error.startswith("gatsparse predict: ")
    assert f"{full}'" in error
    assert files_of(out) == []
    assert main(command) == 0
    assert files_of(out) == ["p.csv"]


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("command", "name", "place"),
    [
        ("predict", "p.csv", "gatsparse.predict.load_data"),
        ("predict", "p.csv", "gatsparse.files.os.fsync"),
        ("explain", "p.html", "gatsparse.predict.load_data"),
        ("explain", "p.html", "gatsparse.files.os.fsync"),
    ],
)
def test_ctrl_c_keeps_the_old_file(trained, tmp_path, capsys, monkeypatch, command, name, place):
    out = tmp_path / name
    out.write_text("old")
    run = str(trained().path)
    monkeypatch.setattr(place, interrupt)
    assert main([command, run, "--out", str(out)]) == 130
    message = f"gatsparse {command}: interrupted; run the same command again to continue\n"
    assert capsys.readouterr().err == message
    assert out.read_text() == "old"
    assert files_of(out) == [name]


def test_ctrl_c_keeps_finished_layers(trained, tmp_path, capsys, monkeypatch):
    out = tmp_path / "p.csv"
    command = ["predict", str(trained(mode="sampled").path), "--out", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr("gatsparse.predict.predictions.Predictions.write", interrupt)
        assert main(command) == 130
    assert f"finished layers are in {tmp_path / '.p.csv.work'}" in capsys.readouterr().err
    assert (tmp_path / ".p.csv.work" / "state.json").exists()
    monkeypatch.setattr("gatsparse.inference._run_blocks", interrupt)  # no layer is computed again
    monkeypatch.setattr("gatsparse.inference.run_heads", interrupt)
    assert main(command) == 0
    assert files_of(out) == ["p.csv"]


def test_ctrl_c_while_arguments_are_parsed(capsys, monkeypatch):
    monkeypatch.setattr("gatsparse_cli._parser", interrupt)
    assert main(["predict"]) == 130
    assert capsys.readouterr().err.startswith("gatsparse: interrupted")
