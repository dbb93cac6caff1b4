"""The benchmark as users run it, on the data set that is always available."""

import pytest

from benchmarks import worker
from benchmarks.__main__ import main
from benchmarks.config import Accuracy, PowerLaw, Recipe, Sweep, Timing, save
from benchmarks.contenders import Contender
from benchmarks.isolate import UnavailableError
from benchmarks.plan import Task
from benchmarks.rows import read
from gatsparse.data import DatasetNotFoundError
from tests.benchmarks import fakes

ONCE = Timing(warmup=0.0, seconds=0.0, repetitions=1)


def test_benchmark_of_models_on_digits(tmp_path, capsys):
    folder = tmp_path / "run"
    config = fakes.config(
        folder,
        datasets=("digits",),
        contenders=("gatsparse", "pyg", "dense-broadcast"),
        threads=1,
        time_limit=60.0,
        inference=ONCE,
        step=ONCE,
        recipe=Recipe(("gatsparse", "dense-broadcast"), epochs=3),
        accuracy=Accuracy(seeds=1, epochs=2),
    )
    save(config, tmp_path / "bench.yaml")
    assert main(["run", str(tmp_path / "bench.yaml"), "--rounds", "1"]) == 0
    rows = list(read(folder / "results.jsonl").values())
    assert [(row.status, row.detail) for row in rows] == [("ok", "")] * (1 + 3 + 2 * 3 + 2 + 2)
    for row in rows:
        assert row.values.baseline is not None
        assert row.values.peak is not None
        assert row.values.baseline <= row.values.peak
        assert row.values.repetitions == (1 if row.measurement in ("inference", "step") else None)
    assert "gatsparse" in capsys.readouterr().out
    assert (folder / "report.md").exists()
    assert len(list(folder.glob("*.png"))) == 4


def test_benchmark_of_layers_on_tiny_graphs(tmp_path, capsys):
    folder = tmp_path / "run"
    config = fakes.config(
        folder,
        datasets=(),
        threads=1,
        time_limit=60.0,
        graphs={"tiny": PowerLaw(num_nodes=100, num_edges=1000)},
        layers=(Sweep(("tiny", "digits"), ("GAT", "GATv2"), ("2x4",), ("gatsparse", "pyg"), ONCE),),
    )
    save(config, tmp_path / "kernels.yaml")
    assert main(["run", str(tmp_path / "kernels.yaml")]) == 0
    rows = list(read(folder / "results.jsonl").values())
    timed = [row for row in rows if row.values.repetitions is not None]
    assert [(row.status, row.detail) for row in rows] == [("ok", "")] * len(rows)
    assert (len(rows), len(timed)) == (2 + 4 + 24, 2 * 2 * (4 + 2))
    for row in timed:
        assert row.values.floor is not None
        assert row.values.baseline is not None
        assert row.values.peak is not None
        assert row.values.baseline <= row.values.peak
    assert "gatsparse" in capsys.readouterr().out
    assert (folder / "layers.csv").read_text().count("\n") == 1 + len(timed)
    assert len(list(folder.glob("*.png"))) == 2


@pytest.mark.parametrize(
    ("dataset", "module"), [("digits", "no_such_module"), ("cora", None)], ids=["module", "data"]
)
def test_missing_module_or_data_set_is_unavailable(tmp_path, monkeypatch, dataset, module):
    def missing(_config):
        raise DatasetNotFoundError("cora is nowhere")

    if dataset == "cora":
        monkeypatch.setattr(worker, "load_task", missing)
    config = fakes.config(tmp_path, datasets=(dataset,))
    contender = Contender("pyg", requires=module)
    task = Task(dataset, "pyg", "step")
    with pytest.raises(UnavailableError, match=r"no_such_module|cora is nowhere"):
        worker.measure(task, contender, config, tmp_path / "reference.pt")
