"""The wheel of `make wheel`: its contents, and the README's example in an empty environment."""

import os
import subprocess
import sys
import venv
import zipfile
from email import message_from_bytes
from importlib.util import find_spec
from pathlib import Path

import pytest

import gatsparse
from tests.test_docs import python_blocks

ROOT = Path(__file__).parent.parent
PACKAGES = ("gatsparse", "gatsparse_cli")
#: Sources, the parts of the page of an explanation, and the launch table of GPUs.
SUFFIXES = (".py", ".html", ".css", ".js", ".json")


def sources() -> list[Path]:
    files = [p for name in PACKAGES for p in (ROOT / name).rglob("*") if p.is_file()]
    return [p for p in files if p.suffix in SUFFIXES or p.name == "py.typed"]


@pytest.fixture(scope="module")
def wheel() -> Path:
    """`make test` builds the wheel, because a test would need minutes to compile the kernels."""
    found = list((ROOT / "dist").glob("gatsparse-*.whl"))
    if not found or found[0].stat().st_mtime < max(p.stat().st_mtime for p in sources()):
        pytest.skip("dist has no wheel of these sources: run `make wheel`")
    assert len(found) == 1, found
    return found[0]


def test_tag_is_abi3_of_oldest_python(wheel):
    assert wheel.name.startswith(f"gatsparse-{gatsparse.__version__}-cp310-abi3-")


def test_holds_package_and_kernels_only(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {name for name in names if ".dist-info/" not in name}
    expected = {p.relative_to(ROOT).as_posix() for p in sources()}
    assert package == expected | {"gatsparse/_C.abi3.so"}
    assert "gatsparse/py.typed" in package
    assert {name.partition(".dist-info/")[2] for name in names - package} == {
        *("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }


def test_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        folder = f"gatsparse-{gatsparse.__version__}.dist-info"
        metadata = message_from_bytes(archive.read(f"{folder}/METADATA"))
    assert metadata["Version"] == gatsparse.__version__
    assert metadata["Requires-Python"] == ">=3.10"
    assert "Typing :: Typed" in metadata.get_all("Classifier")


def test_example_in_an_empty_environment(wheel, tmp_path):
    """Only the wheel is installed; torch and the other packages are those of this environment."""
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)

    # Python does not read the .pth files of a folder that a .pth file adds, so an editable
    # installation of gatsparse stays invisible.
    shared = {
        str(Path(find_spec(name).origin).parent.parent)
        for name in ("torch", "torch_geometric", "numpy", "sklearn")
    }
    [library] = tmp_path.glob("venv/lib/python*/site-packages")
    (library / "shared.pth").write_text("\n".join(sorted(shared)))

    example = python_blocks(ROOT / "README.md")[0]
    checks = f"""
from gatsparse import _native
from gatsparse_cli import main
assert gatsparse.__file__ == {str(library / "gatsparse" / "__init__.py")!r}
assert _native._C.__file__ == {str(library / "gatsparse" / "_C.abi3.so")!r}
assert accuracy > 0.75
assert main(["info", "--check"]) == 0
"""
    done = subprocess.run(
        [python, "-I", "-c", example + checks],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (python.parent / "gatsparse").exists()
