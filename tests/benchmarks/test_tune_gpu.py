"""Search for the layouts and sizes of GPU launches, with times that are made up."""

import pytest
import torch

pytest.importorskip("triton")

from benchmarks import tune_gpu
from benchmarks.tune_gpu import Choice, Setting, main, tune, using
from gatsparse.gpu import launch_table

SETTING = Setting("gat", 8, 8, torch.float32)
BEST = Choice(V=2, K=4, B=2, num_warps=4)


def distance(choice, other=BEST):
    return sum(a != b for a, b in zip(choice, other, strict=True))


def test_search_finds_the_fastest_choice():
    assert tune(SETTING, lambda choice: 1.0 + distance(choice)) == BEST


def test_search_measures_only_what_the_kernels_accept():
    measured = []
    tune(Setting("gatv2_backward", 4, 64, torch.bfloat16), lambda c: measured.append(c) or 1.0)
    assert len(set(measured)) > 10
    for V, K, B, _ in set(measured):
        vectors = -(-64 // (V * K))
        assert 64 % V == 0
        assert V * 2 <= 16
        assert vectors * V <= 16  # signs of a lane
        assert B * vectors * V <= 64


@pytest.mark.parametrize(("gain", "found"), [(0.02, None), (0.05, BEST)])
def test_a_small_gain_does_not_replace_the_rule(gain, found):
    rule = SETTING.rule()
    times = {rule: 1.0, BEST: 1.0 - gain}
    times |= {Choice(2, 4, 4, 1): 1.0 - 0.4 * gain, Choice(2, 4, 2, 1): 1.0 - 0.5 * gain}
    assert tune(SETTING, lambda choice: times.get(choice, 2.0)) == found


def test_a_choice_that_was_fast_only_once_does_not_replace_the_rule():
    calls = []

    def seconds(choice):
        calls.append(choice)
        return 0.5 if calls.count(choice) == 1 and choice != SETTING.rule() else 1.0

    assert tune(SETTING, seconds) is None


def test_a_choice_that_fails_is_not_found():
    assert tune(SETTING, lambda c: 1.0 if c == SETTING.rule() else float("inf")) is None


def test_the_table_is_restored():
    key = launch_table.Key("gat", 8, 8, "float32", "sm_90")
    before = dict(launch_table.TABLE)

    def fail():
        with using(key, BEST):
            assert launch_table.TABLE[key] == BEST
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert before == launch_table.TABLE


class FakeProblem(tune_gpu.Problem):
    """A problem that is always right, or fails."""

    def __init__(self, setting, graph):  # noqa: ARG002
        dtype = str(setting.dtype).removeprefix("torch.")
        self.key = launch_table.Key(setting.name, setting.H, setting.C, dtype, "sm_90")
        self.run = self.chosen

    def chosen(self):
        return launch_table.TABLE[self.key]

    def is_right(self):
        if self.chosen().K == 8:
            raise RuntimeError("out of resource: registers")
        return self.chosen().V != 1


def test_wrong_and_failing_choices_take_for_ever(monkeypatch, capsys):
    monkeypatch.setattr(tune_gpu, "_timed", lambda run, _: float(run().B))
    problem = FakeProblem(SETTING, None)
    assert problem.seconds(Choice(2, 4, 2, 1)) == 2.0
    assert problem.seconds(Choice(1, 4, 2, 1)) == float("inf")
    assert problem.seconds(Choice(2, 8, 2, 1)) == float("inf")
    assert "out of resource" in capsys.readouterr().err


def test_command_writes_what_it_found(monkeypatch, tmp_path, capsys):
    stale = launch_table.Key("gatv2", 8, 8, "float32", "sm_90")
    kept = stale._replace(architecture="sm_80")
    monkeypatch.setattr(launch_table, "TABLE", {stale: BEST, kept: BEST})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(tune_gpu.CSRGraph, "to", lambda graph, _: graph)
    monkeypatch.setattr(tune_gpu, "Problem", FakeProblem)
    times = {"gat": lambda run, _: 1.0 + distance(run()), "gatv2": lambda *_: 1.0}
    out = tmp_path / "table.json"
    options = ["--shapes", "8x8", "--dtypes", "float32", "--nodes", "9", "--edges", "20"]
    for name, timed in times.items():
        monkeypatch.setattr(tune_gpu, "_timed", timed)
        assert main([*options, "--passes", name, "--out", str(out)]) == 0
        found = launch_table.read(out)
        assert found.pop(kept) == BEST
        assert found.pop(stale, None) == (BEST if name == "gat" else None)
        assert found == ({stale._replace(name="gat"): BEST} if name == "gat" else {})
    assert "gatv2 8x8 float32: the rule" in capsys.readouterr().out


def test_command_without_a_gpu_says_so(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "needs a GPU, but torch finds none" in capsys.readouterr().err
