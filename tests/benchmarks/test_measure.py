import time

import numpy as np

from benchmarks import measure
from benchmarks.config import Timing


def counted():
    calls = []
    return calls, lambda: calls.append(None)


def test_repeat_runs_the_minimum_repetitions():
    calls, function = counted()
    values = measure.repeat(function, Timing(warmup=0.0, seconds=0.0, repetitions=7))
    assert values.repetitions == 7
    assert len(calls) == 8


def test_repeat_runs_the_minimum_seconds():
    calls, function = counted()
    start = time.perf_counter()
    values = measure.repeat(function, Timing(warmup=0.05, seconds=0.1, repetitions=1))
    assert time.perf_counter() - start >= 0.15
    assert values.repetitions is not None
    assert 1 < values.repetitions < len(calls)


def test_floor_is_interleaved():
    calls = []
    timing = Timing(warmup=0.0, seconds=0.0, repetitions=3)
    values = measure.alternate(lambda: calls.append("f"), lambda: calls.append("floor"), timing)
    assert values.repetitions == 3
    assert calls == ["f", "floor"] * 4


def test_floor_is_timed_separately():
    timing = Timing(warmup=0.0, seconds=0.0, repetitions=3)
    values = measure.alternate(lambda: time.sleep(0.02), lambda: None, timing)
    assert values.median is not None
    assert values.floor is not None
    assert values.floor < 0.01 < values.median


def test_quantiles_are_ordered():
    values = measure.repeat(counted()[1], Timing(0.0, 0.01, 20))
    assert values.p10 is not None
    assert values.median is not None
    assert values.p90 is not None
    assert 0 < values.p10 <= values.median <= values.p90


def test_peak_includes_freed_memory():
    resident = measure.resident()
    block = np.ones(2 * 10**7)
    del block
    assert measure.peak() >= resident + 15 * 10**7


def test_environment_is_reproducible():
    environment = measure.environment(threads=3)
    assert environment["threads"] == 3
    assert environment["cpu"]
    assert environment["torch"] != "not installed"
    assert environment == measure.environment(threads=3)


def test_environment_names_missing_packages(monkeypatch):
    monkeypatch.setattr(measure, "_PACKAGES", ("no-such-package",))
    assert measure.environment(None)["no-such-package"] == "not installed"
