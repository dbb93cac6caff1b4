from itertools import count

from benchmarks import turns


def test_functions_are_interleaved():
    calls = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    assert list(turns.alternate(functions, rounds=2)) == ["a", "b"]
    assert "".join(calls) == "ababab"
    calls.clear()
    turns.alternate(functions, rounds=1, calls=3)
    assert "".join(calls) == "aaabbbaaabbb"


def test_time_is_that_of_one_call(monkeypatch):
    ticks = count()
    monkeypatch.setattr(turns.time, "perf_counter", lambda: next(ticks))
    assert turns.alternate({"a": lambda: None}, rounds=3, calls=4) == {"a": 0.25}
