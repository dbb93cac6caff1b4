"""The stress test with one kill of each process."""

import sys

import pytest

from benchmarks.stress import killed


@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by a signal")
def test_killed_processes_continue_with_equal_results(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text(
        "dataset: sbm\nsynthetic: {num_nodes: 2000, num_edges: 20000, num_classes: 16}\n"
        "model: {hidden_channels: 4, heads: 2}\nepochs: 20\npatience: 20\n"
        "processes: 1\ncheckpoint_seconds: 0\nnormalize_features: false\n"
    )
    out = tmp_path / "out"
    arguments = ["--config", str(config), "--kills", "1", "--seconds", "0.05", "--out", str(out)]
    assert killed.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "training: killed" in printed
    assert printed.count("the result is equal, bit for bit") == 2


def test_different_outputs_are_detected(tmp_path):
    for name, content in (("one", b"12"), ("other", b"13"), ("same", b"12")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "layer-4.npy").write_bytes(content)
    one, other, same = (tmp_path / name for name in ("one", "other", "same"))
    assert killed._equal_outputs(one, same)
    assert not killed._equal_outputs(one, other)


@pytest.mark.parametrize("error", [RuntimeError("ended with exit code 1"), OSError("torn file")])
def test_failures_are_reported_and_other_files_are_kept(tmp_path, monkeypatch, capsys, error):
    def failing(*_):
        raise error

    monkeypatch.setattr(killed, "_life", failing)
    (tmp_path / "mine.txt").write_text("kept")
    assert killed.main(["--config", "none.yaml", "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count(f"FAILED after 0 kills: {error}") == 2
    assert (tmp_path / "mine.txt").exists()


def test_run_without_a_kill_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(killed, "_life", lambda *_: False)
    monkeypatch.setattr(killed, "_run", lambda *_: None)
    for name in ("_equal_runs", "_equal_outputs"):
        monkeypatch.setattr(killed, name, lambda *_: True)
    assert killed.main(["--config", "none.yaml", "--out", str(tmp_path)]) == 1
    assert "set fewer --seconds" in capsys.readouterr().out
