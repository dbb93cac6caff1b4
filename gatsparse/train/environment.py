"""Environment of a run: what its results depend on in addition to its configuration."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.data import Data

import gatsparse
from gatsparse import _native
from gatsparse.data.digest import digest_of
from gatsparse.train.device import describe_device


def environment(threads: int, data: Data, device: torch.device) -> dict[str, str | int | None]:
    """Returns the versions, the code, the device, the instruction sets, the threads and the data.

    Args:
        threads (int): Threads of a training.
        data (torch_geometric.data.Data): Data of the training.
        device (torch.device): Device of the training.
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
        "device": describe_device(device),
        "threads": threads,
        "data": data_digest(data),
        "nodes": nodes_digest(data),
    }


def data_digest(data: Data) -> str:
    """Returns a digest of the tensors of :obj:`data`, and of its schema."""
    schema = data.get("schema")
    described = "" if schema is None else json.dumps(schema.to_dict(), sort_keys=True)
    values = sorted(data.to_dict().items())
    return digest_of({key: value for key, value in values if isinstance(value, Tensor)}, described)


def nodes_digest(data: Data) -> str:
    """Returns a digest of what makes nodes or graphs those of a training: features and labels.

    Other tensors of :obj:`data`, its edges, its schema and the type of the labels do not matter.
    """
    tensors = {key: value for key in ("x", "batch") if isinstance(value := data.get(key), Tensor)}
    if isinstance(y := data.get("y"), Tensor):
        tensors["y"] = y.detach().double().reshape(-1)
    return digest_of(tensors)


def code_digest() -> str:
    """Returns a digest of the package's source and of its compiled kernels."""
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
