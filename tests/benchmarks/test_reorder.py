import pytest
import torch

from benchmarks import reorder
from benchmarks.reorder import communities, main, power_law


def test_communities_and_power_law_have_their_shape():
    torch.manual_seed(0)
    edge_index = communities(1000, 20_000, size=64, inside=0.9)
    src, dst = edge_index
    assert edge_index.min() >= 0
    assert edge_index.max() < 1000
    assert 0.85 < float((src // 64 == dst // 64).float().mean()) < 0.95
    degree = torch.bincount(power_law(1000, 20_000)[1], minlength=1000)
    assert degree[0] > 10 * degree.median()


def test_main_prints_gain_and_cost(capsys):
    assert main(["--nodes", "200", "--edges", "1000", "--rounds", "1"]) == 0
    text = capsys.readouterr().out
    assert text.count("Cost, once: rcm") == 2
    assert text.count("4x64") == text.count("8x8") == 8


def test_failure_does_not_stop_the_other_graph(monkeypatch, capsys):
    def failing(*_):
        raise RuntimeError("no graph")

    monkeypatch.setattr(reorder, "power_law", failing)
    assert main(["--nodes", "50", "--edges", "100", "--rounds", "1"]) == 1
    found = capsys.readouterr()
    assert "failed: power law: RuntimeError: no graph" in found.err
    assert "communities" in found.out


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--nodes", "-1"], ["--inside", "2"]])
def test_wrong_options_raise(wrong, capsys):
    with pytest.raises(SystemExit):
        main(wrong)
    assert f"{wrong[0][2:]}: expected" in capsys.readouterr().err
