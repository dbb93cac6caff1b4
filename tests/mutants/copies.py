"""A copy of the package and its tests in a temporary folder, in which faults are made."""

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.mutants.mutant import ROOT, Mutant

_COPIED = ("gatsparse", "gatsparse_cli", "tests", "configs", "benchmarks", "pyproject.toml")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "results")
_SECONDS = 600

# Editable installs find gatsparse by an import hook, which precedes sys.path.
_SITE = """import sys
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in getattr(f, "__module__", "")]
"""
_CHECK = "import gatsparse, gatsparse._C as c; print(gatsparse.__file__); print(c.__file__)"

#: Exit statuses of pytest; those above are errors of the selection.
_PASSED, _FAILED = 0, 1


class Outcome(NamedTuple):
    """Result of a selection of tests.

    Args:
        failed (bool): Whether a test failed, pytest crashed or the time ran out.
        seconds (float): Wall-clock time.
        how (str): The last line that pytest printed, or how it ended.
    """

    failed: bool
    seconds: float
    how: str


class Copy:
    """The copy, and processes in which ``gatsparse`` is the copied package.

    Args:
        root (Path): An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=_LEFT_OUT)
            else:
                shutil.copy(ROOT / name, root / name)
        self.extension = root / "gatsparse/_C.abi3.so"
        shutil.copy(_built_extension(), self.extension)
        (root / "site").mkdir()
        (root / "site/sitecustomize.py").write_text(_SITE)
        # Compiled modules are recognised by time and size, which a fault may leave as they are.
        environment = {
            **os.environ,
            "PYTHONPATH": f"{root / 'site'}{os.pathsep}{root}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        check = [sys.executable, "-c", _CHECK]
        found = subprocess.check_output(check, cwd=root, env=environment, text=True).split("\n")[:2]
        if found != [str(root / "gatsparse/__init__.py"), str(self.extension)]:
            raise RuntimeError(f"gatsparse: expected the copy, got {found}")
        self._output = root / "output"
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.mutants.server", str(self._output), str(_SECONDS)],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def close(self) -> None:
        """Ends the processes."""
        with self._server as server:
            assert server.stdin is not None
            server.stdin.close()

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Applies the fault to the copy within a ``with`` block."""
        path = self.root / "gatsparse" / mutant.file
        text = path.read_text()
        path.write_text(mutant.applied(self.root))
        try:
            yield
        finally:
            path.write_text(text)

    def run(self, tests: str, only: str = "") -> Outcome:
        """Runs a selection of tests until one fails.

        Raises:
            ValueError: If pytest cannot run it, or it has no tests.
        """
        arguments = ["-x", "-q", "-p", "no:cacheprovider"]
        arguments += [f"tests/{path}" for path in tests.split()]
        arguments += ["-k", only] if only else []
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(arguments) + "\n")
        status, seconds = json.loads(self._server.stdout.readline())
        if status < 0:
            return Outcome(True, seconds, f"ended by signal {-status}")
        output = self._output.read_text(errors="replace")
        if status not in (_PASSED, _FAILED):
            raise ValueError(f"pytest {shlex.join(arguments)}:\n{output}")
        return Outcome(status == _FAILED, seconds, _summary(output))


@contextmanager
def copy_of_the_package() -> Iterator[Copy]:
    """Yields a copy, which is removed in the end."""
    with TemporaryDirectory(prefix="gatsparse-mutants-") as folder:
        copy = Copy(Path(folder).resolve())
        try:
            yield copy
        finally:
            copy.close()


def _built_extension() -> str:
    spec = importlib.util.find_spec("gatsparse._C")
    if spec is None or spec.origin is None:
        raise RuntimeError("gatsparse: expected the kernels to be built: run `make setup`")
    return spec.origin


def _summary(output: str) -> str:
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return (failed or output.splitlines()[-1:] or [""])[0].split(" - ")[0]
