"""Measurement of time and memory, and the environment of a run."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import resource
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import torch

import benchmarks
from benchmarks.config import Timing
from benchmarks.rows import Values
from benchmarks.turns import interleaved
from gatsparse.train.environment import code_digest

_PACKAGES = ("torch", "torch-geometric", "torch-scatter", "gatsparse")
_OWN_CODE = (
    "contenders.py",
    "datasets.py",
    "device.py",
    "gate.py",
    "layers.py",
    "measure.py",
    "operator.py",
    "recipe.py",
    "turns.py",
    "worker.py",
)


def repeat(function: Callable[[], object], timing: Timing) -> Values:
    """Times a function after a warm-up, until both minimums of :obj:`timing` are reached.

    Returns:
        Values: Median, 10th and 90th percentile in seconds, and the number of runs.
    """
    interleaved([function], timing.warmup, repetitions=1)
    return _quantiles(interleaved([function], timing.seconds, timing.repetitions)[:, 0])


def alternate(
    function: Callable[[], object], floor: Callable[[], object], timing: Timing
) -> Values:
    """Times a function interleaved with the floor, so that a drift of the machine affects both.

    Returns:
        Values: Result of :func:`repeat`, and the median time of the floor.
    """
    interleaved([function, floor], timing.warmup, repetitions=1)
    times = interleaved([function, floor], timing.seconds, timing.repetitions)
    return replace(_quantiles(times[:, 0]), floor=float(np.median(times[:, 1])))


def _quantiles(times: np.ndarray) -> Values:
    p10, median, p90 = np.quantile(times, [0.1, 0.5, 0.9]).tolist()
    return Values(median=median, p10=p10, p90=p90, repetitions=len(times))


def resident() -> int:
    """Returns the resident bytes of this process."""
    return psutil.Process().memory_info().rss


def peak() -> int:
    """Returns the peak of the resident bytes of this process."""
    if sys.platform == "linux":  # ru_maxrss would include the peak of the parent process
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def environment(threads: int | None) -> dict[str, str | int]:
    """Returns the machine, the versions, and a fingerprint of the measured code.

    Args:
        threads (int, optional): Number of threads of torch; by default, the current one.
    """
    return {
        "cpu": _cpu(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": psutil.cpu_count(logical=False) or 0,
        "processors": psutil.cpu_count() or 0,
        "threads": threads or torch.get_num_threads(),
        "memory": psutil.virtual_memory().total,
        **({"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        "os": platform.platform(),
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
        "code": _fingerprint(),
    }


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _fingerprint() -> str:
    """Returns a digest of the measured code, so that rows of different code never mix."""
    digest = hashlib.sha256(code_digest().encode())
    for name in sorted(_OWN_CODE):
        digest.update((Path(benchmarks.__path__[0]) / name).read_bytes())
    return digest.hexdigest()[:12]
