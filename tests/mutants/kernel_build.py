"""The kernels with faults in them, compiled for one instruction set."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant

#: The build tree is kept, so that each fault compiles only the files that it changes.
_FOLDER = ROOT / "build/mutants"
_FOLDERS = ("gatsparse/csrc", "gatsparse/ops")
_SOURCES = (".cpp", ".h", "CMakeLists.txt")


class KernelBuild:
    """A copy of the sources, and their build tree.

    Args:
        isa (str): The instruction set.
    """

    def __init__(self, isa: str) -> None:
        self._source, self._tree = _FOLDER / "source", _FOLDER / f"tree-{isa}"
        self._extension = self._tree / "_C.abi3.so"
        _update(self._source)
        csrc = self._source / "gatsparse/csrc"
        options = {
            "CMAKE_BUILD_TYPE": "Release",
            "GATSPARSE_ISAS": isa,
            "Python_EXECUTABLE": sys.executable,
        }
        defined = [f"-D{key}={value}" for key, value in options.items()]
        _call(["cmake", "-G", "Ninja", "-S", csrc, "-B", self._tree, *defined])
        self._build()

    @contextmanager
    def mutated(self, mutant: Mutant, target: Path) -> Iterator[None]:
        """Replaces the file :obj:`target` by the extension with the fault."""
        path = self._source / "gatsparse" / mutant.file
        text = path.read_text()
        path.write_text(mutant.applied(self._source))
        try:
            self._build()
            with self.installed(target):
                yield
        finally:
            path.write_text(text)

    @contextmanager
    def installed(self, target: Path) -> Iterator[None]:
        """Replaces the file :obj:`target` by the extension that was built last."""
        before = target.read_bytes()
        shutil.copy(self._extension, target)
        try:
            yield
        finally:
            target.write_bytes(before)

    def _build(self) -> None:
        _call(["cmake", "--build", self._tree])


def _update(target: Path) -> None:
    """Copies the sources that have changed; the other copies keep their times."""
    sources = [
        path.relative_to(ROOT)
        for folder in _FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.name.endswith(_SOURCES)
    ]
    for name in sources:
        path, text = target / name, (ROOT / name).read_text()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _call(command: list[object]) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{done.stdout}{done.stderr}")
