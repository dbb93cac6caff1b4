"""What, beside its configuration, the numbers of a run depend on."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import torch

import gatsparse
from gatsparse import _native


def environment(threads: int) -> dict[str, str | int | None]:
    """The versions, the code, the instruction sets and the threads.

    Args:
        threads (int): Of a training.
    """
    return {
        "gatsparse": gatsparse.__version__,
        "code": code_digest(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_geometric": version("torch_geometric"),
        "torch_scatter": _version_if_installed("torch_scatter"),
        "machine": f"{platform.system()} {platform.machine()}",
        "torch_isa": torch.backends.cpu.get_cpu_capability(),
        "kernels_isa": next(iter(_native.isas()), None),
        "threads": threads,
    }


def code_digest() -> str:
    """A digest of the package's source and of its compiled kernels."""
    package = Path(gatsparse.__file__).parent
    files = sorted(package.rglob("*.py"))
    kernels = find_spec("gatsparse._C")
    if kernels is not None and kernels.origin is not None:
        files.append(Path(kernels.origin))
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _version_if_installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
