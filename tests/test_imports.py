"""Imports run downward only, and backends never import one another."""

import ast
from pathlib import Path

import pytest

import gatsparse

PACKAGE = Path(gatsparse.__file__).parent

#: From the bottom up; a part may import itself and what stands before it.
LAYERS = [
    "checks",
    "_native",
    "tracing",
    "slow_path",
    "files",
    "index_checks",
    "graph",
    "graph_cache",
    "adjacency",
    "testing",
    "ops",
    "nn",
    "data",
    "inference",
    "train",
    "graphgym",
]
BACKENDS = ["fused", "scatter", "dense"]


def imports(source: str) -> set[str]:
    """The gatsparse modules that a source text imports, at any depth of it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "gatsparse"}


def violations(part: str, source: str) -> list[str]:
    """Imports of layers above :obj:`part`."""
    names = [name.split(".")[1] for name in imports(source) if "." in name]
    above = LAYERS[LAYERS.index(part) + 1 :]
    return [name for name in names if name in above]


def backend_violations(backend: str, source: str) -> list[str]:
    others = {name for name in BACKENDS if name != backend}
    return [name for name in imports(source) if others & set(name.split("."))]


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_run_downward(file):
    part = file.relative_to(PACKAGE).with_suffix("").parts[0]
    if part != "__init__":
        assert part in LAYERS, f"{part} has no place in LAYERS yet"
        assert not violations(part, file.read_text())


@pytest.mark.parametrize("backend", BACKENDS)
def test_backends_do_not_import_one_another(backend):
    files = list(PACKAGE.glob(f"ops/*/{backend}.py"))
    assert {file.parent.name for file in files} == {"gat", "gatv2"}
    for file in files:
        assert not backend_violations(backend, file.read_text())


def test_nothing_imports_benchmarks_or_tests():
    for file in FILES:
        text = file.read_text()
        assert "import benchmarks" not in text
        assert "from benchmarks" not in text
        assert "from tests" not in text


def test_the_rules_can_fail():
    assert violations("graph", "from gatsparse.nn import GATConv") == ["nn"]
    assert violations("ops", "def f():\n    import gatsparse.train.config") == ["train"]
    assert not violations("nn", "from gatsparse.graph import CSRGraph")
    assert backend_violations("dense", "from gatsparse.ops.gat import scatter")
    assert backend_violations("fused", "from gatsparse.ops.gat.dense import gat_attention")
