"""Imports run downward only, backends never import one another, and `import gatsparse` loads no
package of an extra.
"""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import gatsparse
import gatsparse.data.places
from gatsparse.train.logs import require_logs
from gatsparse_cli.installation import report

PACKAGE = Path(gatsparse.__file__).parent

#: From the bottom up; a part may import itself and the parts before it.
LAYERS = [
    "extras",
    "intervals",
    "checks",
    "config_types",
    "_native",
    "memory",
    "tracing",
    "slow_path",
    "files",
    "index_checks",
    "graph",
    "gpu",
    "storage_map",
    "graph_cache",
    "adjacency",
    "testing",
    "ops",
    "nn",
    "data",
    "inference",
    "explain",
    "train",
    "inspection",
    "predict",
    "graphgym",
]
ATTENTION = {"gat", "gatv2"}
BACKENDS = ["fused", "scatter", "dense"]


def imports(source: str) -> set[str]:
    """Returns the gatsparse modules that a source text imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "gatsparse"}


def violations(part: str, source: str) -> list[str]:
    """Returns the imports of layers above :obj:`part`."""
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
    assert {file.parent.name for file in files} == ATTENTION
    for file in files:
        assert not backend_violations(backend, file.read_text())


def test_nothing_imports_benchmarks_or_tests():
    for file in FILES:
        text = file.read_text()
        assert "import benchmarks" not in text
        assert "from benchmarks" not in text
        assert "from tests" not in text


def test_violations_are_detected():
    assert violations("graph", "from gatsparse.nn import GATConv") == ["nn"]
    assert violations("ops", "def f():\n    import gatsparse.train.config") == ["train"]
    assert not violations("nn", "from gatsparse.graph import CSRGraph")
    assert backend_violations("dense", "from gatsparse.ops.gat import scatter")
    assert backend_violations("fused", "from gatsparse.ops.gat.dense import gat_attention")


# Packages


def test_import_loads_no_optional_packages():
    """Runs in a process that hides the packages of the extras, also from PyG, which loads some."""
    code = """
import sys
import gatsparse_cli
assert "torch" not in sys.modules, "gatsparse --help needs no torch"

hidden = ("joblib", "jsonargparse", "matplotlib", "ogb", "pandas", "platformdirs", "pyarrow",
          "rich", "scipy", "sklearn", "torch_scatter", "yacs")
sys.modules |= dict.fromkeys(hidden)
import torch, torch_geometric
for name in hidden:
    del sys.modules[name]

wanted = []
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            wanted.append(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())

before = set(sys.modules)
import gatsparse
loaded = {name.partition(".")[0] for name in sys.modules.keys() - before}
assert loaded <= {"gatsparse", *sys.stdlib_module_names}, loaded
for name in ("data", "explain", "inference", "inspection", "predict", "train"):
    assert f"gatsparse.{name}" not in sys.modules and name in dir(gatsparse), name
for name in ("coo_to_csr", "csr_transpose", "dropout", "elu_dropout", "gat", "gat_backward",
             "gatv2", "gatv2_backward", "neighbor_sum", "sparse_linear"):
    assert hasattr(torch.ops.gatsparse, name), name

x, edge_index = torch.randn(4, 3), torch.tensor([[0, 1, 2], [1, 2, 3]])
gatsparse.GATConv(3, 2)(x, edge_index).sum().backward()
model = gatsparse.GAT(3, 2, 2, 2).eval()
assert torch.equal(gatsparse.infer(model, x, edge_index), model(x, edge_index))
gatsparse.data.rmat(8, 16)
gatsparse.inference.parse_bytes("4GB")
assert not wanted, wanted
gatsparse.GATConv(3, 2, backend="scatter")(x, edge_index)
assert wanted == ["torch_scatter"], wanted
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_submodules_are_attributes():
    assert gatsparse.train is importlib.import_module("gatsparse.train")
    assert gatsparse.infer is gatsparse.inference.infer
    with pytest.raises(AttributeError, match="module 'gatsparse' has no attribute 'trian'"):
        getattr(gatsparse, "trian")  # noqa: B009


def imported_anew(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    importlib.import_module(module)


def write(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(b"1,2\n")
    return path


GRAPH = gatsparse.CSRGraph.from_edge_index(torch.tensor([[0, 1], [1, 0]]))
MODEL = gatsparse.GAT(2, 2, 1).eval()

#: Of each extra, a package that may be missing, and what needs it.
NEEDS = [
    *[
        ("train", package, lambda _, patch: imported_anew("gatsparse.train", patch))
        for package in ("joblib", "jsonargparse", "psutil", "scikit-learn", "rich", "scipy")
    ],
    *[
        ("report", package, lambda _, patch: imported_anew("gatsparse.explain", patch))
        for package in ("jinja2", "matplotlib", "scikit-learn", "scipy")
    ],
    ("graphgym", "yacs", lambda _, patch: imported_anew("gatsparse.graphgym", patch)),
    ("bench", "matplotlib", lambda _, patch: imported_anew("benchmarks", patch)),
    ("data", "scikit-learn", lambda *_: gatsparse.data.load("digits")),
    ("data", "scipy", lambda *_: gatsparse.data.load("cora")),
    ("data", "scipy", lambda *_: GRAPH.reorder("rcm")),
    ("data", "platformdirs", lambda *_: gatsparse.data.places.user_cache_path("gatsparse")),
    ("data", "rich", lambda *_: gatsparse.infer(MODEL, torch.ones(2, 2), GRAPH, progress=True)),
    (
        "data",
        "rich",
        lambda folder, _: gatsparse.data.read_graph(write(folder, "edges.csv"), progress=True),
    ),
    ("large", "pyarrow", lambda folder, _: gatsparse.data.read_graph(write(folder, "edges.csv"))),
    ("watch", "tensorboard", lambda *_: require_logs(["tensorboard"])),
    ("ogb", "ogb", lambda *_: gatsparse.data.ogb_evaluator("ogbn-arxiv")),
]


@pytest.mark.parametrize(("extra", "package", "call"), NEEDS)
def test_missing_package_names_the_extra(extra, package, call, tmp_path, monkeypatch):
    module = {"scikit-learn": "sklearn"}.get(package, package)
    monkeypatch.setitem(sys.modules, module, None)
    message = rf"needs {package}, which is not installed: pip install 'gatsparse\[{extra}\]'$"
    with pytest.raises(ImportError, match=message) as caught:
        call(tmp_path, monkeypatch)
    assert caught.value.name == module


def test_extras_bring_the_packages():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def packages(requirements: list[str]) -> set[str]:
        found = set()
        for requirement in requirements:
            name, inner = re.match(r"([\w-]+)(?:\[([\w,]+)\])?", requirement).groups()
            found |= {name} if name != "gatsparse" else set()
            for extra in inner.split(",") if name == "gatsparse" else ():
                found |= packages(extras[extra])
        return found

    assert packages(project["dependencies"]) == {"numpy", "torch", "torch-geometric"}
    for extra, package, _ in NEEDS:
        assert package in packages(extras[extra]), (extra, package)
        assert package in packages(extras["dev"]), package


def test_info_without_extras(monkeypatch, capsys):
    for name in ("joblib", "platformdirs"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "gatsparse.train", raising=False)
    assert report(check=True) == 0
    out = " ".join(capsys.readouterr().out.split())
    for needs, extra in (("train needs joblib", "train"), ("data needs platformdirs", "data")):
        assert f"missing: gatsparse.{needs}, which is not installed" in out
        assert f"-> pip install 'gatsparse[{extra}]'" in out
