"""Report of what is installed, and how to install what is missing."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

_NEEDED = {"torch": "torch", "torch-geometric": "torch_geometric"}


class Row(NamedTuple):
    """A part of the installation.

    Args:
        name (str): Its name.
        state (str): Its version or location, or why it is missing.
        cure (str, optional): How to install it.
        fatal (bool, optional): Whether ``gatsparse info --check`` fails.
    """

    name: str
    state: str
    cure: str = ""
    fatal: bool = False


def report(*, check: bool) -> int:
    """Prints a line for every part of the installation.

    Args:
        check (bool): Whether to fail if torch, PyG or the CPU kernels are missing.

    Returns:
        int: The exit code of the process.
    """
    rows = list(_rows())
    width = max(len(row.name) for row in rows)
    for row in rows:
        print(f"{row.name:<{width}}  {row.state}")
        if row.cure:
            print(f"{'':<{width}}  -> {row.cure}")
    missing = [row for row in rows if row.fatal]
    if not check or not missing:
        return 0
    for row in missing:
        print(f"gatsparse info: {row.name}: {row.state}", file=sys.stderr)
    return 1


def _rows() -> Iterator[Row]:
    yield Row("gatsparse", _version("gatsparse"))
    yield Row("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    packages = [_package(name, module) for name, module in _NEEDED.items()]
    yield from packages
    if any(row.fatal for row in packages):
        return
    try:
        importlib.import_module("gatsparse")
    except (ImportError, OSError) as error:
        cure = "pip install --force-reinstall gatsparse"
        yield Row("gatsparse", f"cannot be imported ({error})", cure, fatal=True)
        return
    yield _threads()
    yield _scatter()
    yield _kernels()
    yield _gpu_kernels()
    yield _training()
    yield from _data_sets()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _package(name: str, module: str) -> Row:
    try:
        return Row(name, importlib.import_module(module).__version__)
    except (ImportError, OSError) as error:  # OSError: a library that cannot be loaded
        return Row(name, f"missing ({error})", f"pip install {name}", fatal=True)


def _threads() -> Row:
    import torch

    return Row("threads", str(torch.get_num_threads()))


def _scatter() -> Row:
    try:
        import torch_scatter  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError) as error:  # OSError: built for another torch
        return Row(
            "torch-scatter",
            f"missing ({error}); torch's own operations are used",
            "pip install --no-build-isolation torch-scatter==2.1.2",
        )
    return Row("torch-scatter", torch_scatter.__version__)


def _kernels() -> Row:
    from gatsparse import _native

    if _native.MISSING is None:
        return Row("CPU kernels", f"{', '.join(_native.isas())} (the first is used)")
    return Row(
        "CPU kernels",
        f"missing: {_native.MISSING}; the scatter backend is used, which is slower",
        "install a C++ compiler, then, in the source folder: "
        "pip install 'scikit-build-core>=0.11' cmake ninja && "
        "pip install --no-build-isolation --no-deps --force-reinstall .",
        fatal=True,
    )


def _gpu_kernels() -> Row:
    import torch

    if not torch.cuda.is_available():
        return Row("GPU kernels", "not used: torch finds no GPU")
    try:
        import triton  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        state = f"missing ({error}); the scatter backend is used, which is slower"
        return Row("GPU kernels", state, "pip install triton")
    return Row("GPU kernels", f"Triton {triton.__version__} on {torch.cuda.get_device_name()}")


def _training() -> Row:
    try:
        importlib.import_module("gatsparse.train")
    except ImportError as error:
        return _missing_extra("training", error)
    return Row("training", "installed")


def _missing_extra(name: str, error: ImportError) -> Row:
    state, _, cure = str(error).rpartition(": ")
    return Row(name, f"missing: {state}", cure)


def _data_sets() -> Iterator[Row]:
    from gatsparse.data import NAMES, find

    try:
        find(NAMES[0])
    except ImportError as error:
        yield _missing_extra("data sets", error)
        return
    for name in NAMES:
        if name == "digits":
            yield Row(name, "part of scikit-learn")
        elif raw_dir := find(name):
            yield Row(name, str(raw_dir))
        else:
            command = f"python -c \"import gatsparse.data; gatsparse.data.load('{name}')\""
            yield Row(name, "no files", f"{command} downloads it, or shows where to put the files")
