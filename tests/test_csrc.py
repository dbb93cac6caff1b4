"""The tests of the C++ headers in ``tests/csrc``, compiled and run for each instruction set."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gatsparse import _native

ROOT = Path(__file__).parents[1]


TOOLS = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(
    not all((TOOLS / tool).exists() for tool in ("cmake", "ninja")),
    reason="cmake and ninja, which compile the tests, are not installed next to Python",
)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    run(
        *(TOOLS / "cmake", "-G", "Ninja", "-S", ROOT / "gatsparse/csrc", "-B", folder),
        f"-DCMAKE_MAKE_PROGRAM={TOOLS / 'ninja'}",
        f"-DPython_EXECUTABLE={sys.executable}",
        "-DGATSPARSE_TESTS=ON",
    )
    return folder


@pytest.mark.parametrize("isa", _native.isas())
def test_headers(isa: str, build: Path):
    run(TOOLS / "ninja", "-C", build, f"tests_{isa}")
    results = run(build / f"tests_{isa}").splitlines()
    sources = (ROOT / "tests/csrc").glob("test_*.cpp")
    assert len(results) == sum(source.read_text().count("\nTEST(") for source in sources)
    assert all(result.startswith("passed ") for result in results)


def test_objects_for_older_processors_are_linked_first(build: Path):
    """The linker keeps the first copy of an inline function that several objects share."""
    (link,) = re.findall(r"^build _C\S*: CXX.*", (build / "build.ninja").read_text(), re.MULTILINE)
    targets = re.findall(r"CMakeFiles/(\w+)\.dir/\S+\.o\b", link)
    order = ["core", "kernels_baseline", "kernels_avx2", "kernels_avx512"]
    assert len(targets) > 7
    assert targets == sorted(targets, key=order.index)
