"""Time, memory, and what they were measured on."""

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
    "gate.py",
    "layers.py",
    "measure.py",
    "operator.py",
    "recipe.py",
    "turns.py",
    "worker.py",
)


def repeat(function: Callable[[], object], timing: Timing) -> Values:
    """Runs a function to warm up, then until both bounds of :obj:`timing` are met.

    Returns:
        Values: Median, 10th and 90th percentile in seconds, and the number of runs.
    """
    interleaved([function], timing.warmup, repetitions=1)
    return _quantiles(interleaved([function], timing.seconds, timing.repetitions)[:, 0])


def alternate(
    function: Callable[[], object], floor: Callable[[], object], timing: Timing
) -> Values:
    """As :func:`repeat`, with the floor in turn, so that a drift of the machine meets both.

    Returns:
        Values: As :func:`repeat`, and the median time of the floor.
    """
    interleaved([function, floor], timing.warmup, repetitions=1)
    times = interleaved([function, floor], timing.seconds, timing.repetitions)
    return replace(_quantiles(times[:, 0]), floor=float(np.median(times[:, 1])))


def _quantiles(times: np.ndarray) -> Values:
    p10, median, p90 = np.quantile(times, [0.1, 0.5, 0.9]).tolist()
    return Values(median=median, p10=p10, p90=p90, repetitions=len(times))


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return psutil.Process().memory_info().rss


def peak() -> int:
    """Most bytes of this process that were ever in memory at a time."""
    if sys.platform == "linux":  # ru_maxrss would count the process that was forked from
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def environment(threads: int | None) -> dict[str, str | int]:
    """The machine, the versions and a fingerprint of the code that is measured.

    Args:
        threads (int, optional): Threads that torch will use; its default if not given.
    """
    return {
        "cpu": _cpu(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": psutil.cpu_count(logical=False) or 0,
        "processors": psutil.cpu_count() or 0,
        "threads": threads or torch.get_num_threads(),
        "memory": psutil.virtual_memory().total,
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
    """Changes with the measured code, so that rows of different code never mix."""
    digest = hashlib.sha256(code_digest().encode())
    for name in sorted(_OWN_CODE):
        digest.update((Path(benchmarks.__path__[0]) / name).read_bytes())
    return digest.hexdigest()[:12]
