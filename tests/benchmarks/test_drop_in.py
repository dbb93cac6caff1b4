import argparse
import json

import pytest
import torch
from torch_geometric.nn import GATConv

from benchmarks import drop_in, sections, zoo

TINY = [
    "--rounds=1",
    "--graphs=4",
    "--nodes=60",
    "--edges=300",
    "--batches=3",
    "--compiler=aot_eager",
]
PAIRS = {"PyG", "gatsparse"}


def tables(report):
    """Returns the cells of every table, by its heading."""
    found = {}
    for section in report.split("\n## ")[1:]:
        heading, *lines = section.splitlines()
        found[heading] = [line.split(" | ") for line in lines if line.startswith("| ")]
    return found


def test_main_measures_layers_models_and_compilation(tmp_path, capsys):
    assert drop_in.main([*TINY, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    report = (tmp_path / "report.md").read_text()
    result = json.loads((tmp_path / "drop_in.json").read_text())
    assert result["environment"]["torch"] == torch.__version__
    assert str(tmp_path) not in report + json.dumps(result)

    for table, (key, section) in zip(tables(report).items(), drop_in.SECTIONS.items(), strict=True):
        heading, (header, _, *lines) = table
        assert heading == section.title
        assert heading in printed
        assert len(lines) == len(result[key])
        assert {len(line) for line in lines} == {len(header)} == {len(section.header)}

    layers = result["layers"]
    assert len(layers) == 2 * 3 * 2 * 2  # layers, graphs, same and new, passes
    assert {row["work"] for row in layers} == {"forward", "forward + backward"}
    models = result["models"]
    assert [row["layers"] for row in models] == [3, 3, 3, 7, 6]
    for row in layers + models:
        assert set(row["seconds"]) == PAIRS
        assert row["error"] <= drop_in.TOLERANCE
    compiled = [row for row in result["compiled"] if row["model"].startswith("gatsparse")]
    assert [row["dynamic"] for row in compiled] == [None, True] * 2
    for row in compiled:
        assert row["fullgraph"]
        assert row["batches"] == 3
        assert row["graphs"] > len(row["recompilations"])
        assert row["error"] <= drop_in.TOLERANCE


class Breaks(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = torch.nn.Linear(32, 1)

    def forward(self, x, _edge_index):
        torch._dynamo.graph_break()
        return self.lin(x)


def test_models_with_graph_breaks_are_compiled_with_them(monkeypatch):
    monkeypatch.setattr(drop_in, "LAYERS", ("GATConv",))
    monkeypatch.setattr(drop_in, "PaperGAT", lambda *_, **__: Breaks())
    options = argparse.Namespace(batches=2, compiler="aot_eager")
    rows, failures = sections.measured(drop_in.SECTIONS["compiled"], options)
    assert failures == []
    assert [row.fullgraph for row in rows] == [True, False] * 4
    for failed, broken in zip(rows[::2], rows[1::2], strict=True):
        assert failed.batches == 0
        assert "failed" in failed.cells()
        assert "Unsupported" in failed.notes()[0]
        assert broken.batches == 2
        assert broken.graph_breaks == 1
        assert broken.error <= drop_in.TOLERANCE


def test_failure_keeps_the_other_rows(monkeypatch, tmp_path, capsys):
    def jobs(_options):
        yield drop_in.Job("good", lambda: [row("good")])
        yield drop_in.Job("bad", lambda: [][0])
        yield drop_in.Job("late", lambda: [row("late")])

    def broken(_options):
        yield drop_in.Job("first", lambda: [row("first")])
        raise MemoryError("no more")

    def row(name):
        return drop_in.ModelRow(name, "graph", 1, {"PyG": 2.0, "gatsparse": 1.0}, 0.0)

    header = drop_in.SECTIONS["models"].header
    sections = {
        "jobs": drop_in.Section("Jobs", jobs, header, "jobs"),
        "broken": drop_in.Section("Broken", broken, header, "broken"),
    }
    monkeypatch.setattr(drop_in, "SECTIONS", sections)
    assert drop_in.main([*TINY, "--out", str(tmp_path)]) == 1
    result = json.loads((tmp_path / "drop_in.json").read_text())
    assert [line["model"] for line in result["jobs"]] == ["good", "late"]
    assert [line["model"] for line in result["broken"]] == ["first"]
    report = (tmp_path / "report.md").read_text()
    assert "- failed: bad: IndexError: list index out of range" in report
    assert "- failed: Broken: MemoryError: no more" in report
    assert "MemoryError" in capsys.readouterr().err


def test_model_with_wrong_results_is_not_timed():
    layer = GATConv(5, 3)
    layer.register_forward_hook(lambda _, __, out: out * torch.rand(()))
    inputs = iter([(torch.randn(4, 5), torch.tensor([[0, 1], [2, 3]]))] * 2)
    with pytest.raises(RuntimeError, match="GATConv: expected PyG's results"):
        drop_in.accelerated("GATConv", layer, inputs)


def test_molecules_are_undirected_graphs_of_20_to_40_nodes():
    torch.manual_seed(0)
    batch = zoo.molecules(20, 5, 2)
    assert batch.num_graphs == 20
    assert not batch.is_directed()
    assert not batch.has_self_loops()
    assert batch.edge_index.unique(dim=1).shape == batch.edge_index.shape
    assert 20 <= batch.batch.bincount().min() <= batch.batch.bincount().max() <= 40
    assert batch.num_edges == 2 * (batch.num_nodes - 20 + 3 * 20)
    assert zoo.describe(batch).startswith("20 molecules: ")
