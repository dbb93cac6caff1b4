"""Contenders and data sets that the configuration names by import path."""

import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import contenders, plan
from benchmarks.__main__ import main
from benchmarks.import_path import digests, relevant
from benchmarks.plan import Task
from benchmarks.rows import read
from benchmarks.run import run
from tests.benchmarks import fakes

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
QUICK = ["--step.repetitions=1", "--step.seconds=0", "--step.warmup=0", "--inference.repetitions=1"]
QUICK += ["--inference.seconds=0", "--inference.warmup=0", "--accuracy.seeds=0", "--threads=1"]


@pytest.fixture
def my_module(tmp_path, monkeypatch):
    """Writes the example of the documentation into the current folder."""
    example = PAGE.split("### Your own contender and data set")[1]
    for language, name in (("python", "my_module.py"), ("yaml", "my.yaml")):
        (block,) = re.findall(rf"^```{language}\n(.*?)^```", example, re.MULTILINE | re.DOTALL)
        (tmp_path / name).write_text(block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("my_module", None)


def test_example_of_the_documentation(my_module, capsys):
    assert main(["run", "my.yaml", *QUICK]) == 0
    rows = read(my_module / "runs" / "my" / "results.jsonl")
    found = {key[1:3]: row.status for key, row in rows.items()}
    assert found["my_module:my_contender", "gate"] == "ok"
    assert found["my_module:my_contender", "step"] == "ok"
    assert set(found.values()) == {"ok"}
    assert {key.dataset for key in rows} == {"my_module:my_dataset"}
    assert "my_module:my_contender" in capsys.readouterr().out
    assert "code of my_module" in (my_module / "runs" / "my" / "report.md").read_text()


def test_changed_module_is_measured_again(my_module, tmp_path):
    own = "my_module:my_contender"
    config = fakes.config(tmp_path / "run", contenders=("pyg", own))

    def keys():
        environment = {"cpu": "a", **digests(plan.names(config))}
        return {n: plan.key(Task("cora", n, "step"), config, environment) for n in ("pyg", own)}

    before = keys()
    assert before == keys()
    path = my_module / "my_module.py"
    path.write_text(path.read_text() + "\n")
    after = keys()
    assert before["pyg"] == after["pyg"]
    assert before[own] != after[own]


def test_environment_keeps_entries_without_modules():
    environment = {"cpu": "a", "code": "b", "code of my_module": "c"}
    assert relevant(environment, ["pyg"]) == {"cpu": "a", "code": "b"}
    assert relevant(environment, ["my_module:x"]) == environment


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contenders": ("nowhere:x",)}, "contenders: cannot import 'nowhere:x'"),
        ({"contenders": ("my_module:x",)}, "contenders: cannot import 'my_module:x'"),
        ({"contenders": ("my_module:my_dataset",)}, "to be a benchmarks.contenders.Contender"),
        ({"datasets": ("my_module:my_contender",)}, "datasets: expected .* to be a function"),
        ({"fallback": "my_module:x"}, "fallback: cannot import"),
    ],
)
@pytest.mark.usefixtures("my_module")
def test_wrong_import_paths_raise(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        run(fakes.config(tmp_path / "run", **change), Console(quiet=True), fakes.measure)


@pytest.mark.usefixtures("my_module")
def test_contenders_by_import_path():
    assert contenders.find_for_layers("my_module:my_contender").kind == "pyg"
