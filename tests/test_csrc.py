"""The tests of the C++ headers in ``tests/csrc``, compiled and run for each instruction set."""

import subprocess
import sys
from pathlib import Path

import pytest

from gatsparse import _native

ROOT = Path(__file__).parents[1]


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("isa", _native.isas())
def test_headers(isa: str, tmp_path: Path):
    tools = Path(sys.executable).parent
    run(
        *(tools / "cmake", "-G", "Ninja", "-S", ROOT / "gatsparse/csrc", "-B", tmp_path),
        f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}",
        f"-DPython_EXECUTABLE={sys.executable}",
        *("-DGATSPARSE_TESTS=ON", "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON"),
    )
    run(tools / "ninja", "-C", tmp_path, f"tests_{isa}")
    results = run(tmp_path / f"tests_{isa}").splitlines()
    sources = (ROOT / "tests/csrc").glob("test_*.cpp")
    assert len(results) == sum(source.read_text().count("\nTEST(") for source in sources)
    assert all(result.startswith("passed ") for result in results)
