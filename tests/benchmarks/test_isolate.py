import os
import signal
import threading
import time

import psutil
import pytest
import torch

from benchmarks.isolate import Call, UnavailableError, isolated


@pytest.fixture
def call(tmp_path):
    def call(function, *args, memory_limit=4.0, time_limit=20.0):
        one = Call(function, args, memory_limit, time_limit, tmp_path / "log")
        [(made, outcome)] = isolated([one])
        assert made is one
        return outcome

    return call


def double(number):
    print("doubling")
    return 2 * number


def allocate(number_of_bytes):
    return torch.ones(number_of_bytes // 4).numel()


def allocate_in_python(number_of_bytes):
    return len(bytearray(number_of_bytes))


def fail(error):
    raise error


def sleep(path):
    path.write_text(str(os.getpid()))
    time.sleep(60)


def test_result_and_log(call, tmp_path):
    outcome = call(double, 21)
    assert (outcome.status, outcome.value) == ("ok", 42)
    assert (tmp_path / "log").read_text() == "doubling\n"


def test_runs_in_its_own_process(call):
    assert call(os.getpid).value != os.getpid()


@pytest.mark.parametrize("function", [allocate, allocate_in_python])
def test_call_that_exceeds_its_memory_is_out_of_memory(call, function):
    assert call(function, 10**9, memory_limit=2.0).status == "ok"
    assert call(function, 3 * 10**9, memory_limit=2.0).status == "out of memory"


def test_call_that_exceeds_its_time_is_killed(call, tmp_path):
    outcome = call(sleep, tmp_path / "pid", time_limit=1.0)
    assert outcome.status == "out of time"
    assert "1 s" in outcome.detail
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_exception_is_an_outcome(call, tmp_path):
    outcome = call(fail, KeyError("width"))
    assert (outcome.status, outcome.detail) == ("crashed", "KeyError: 'width'")
    assert "Traceback" in (tmp_path / "log").read_text()


def test_unavailable_is_an_outcome(call):
    outcome = call(fail, UnavailableError("no torch_scatter\ntry pip"))
    assert (outcome.status, outcome.detail) == ("unavailable", "no torch_scatter\ntry pip")


@pytest.mark.parametrize(
    ("function", "argument", "cause"),
    [
        (os._exit, 3, "exit code 3"),
        (signal.raise_signal, signal.SIGKILL, "SIGKILL"),
        (signal.raise_signal, signal.SIGSEGV, "SIGSEGV"),
    ],
)
def test_crash_is_an_outcome(call, function, argument, cause):
    outcome = call(function, argument)
    assert outcome.status == "crashed"
    assert cause in outcome.detail


@pytest.fixture
def _interruptible():
    """Installs Python's own handler, which a process in the background lacks."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_ctrl_c_ends_the_process(call, tmp_path):
    def interrupt():
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        call(sleep, tmp_path / "pid")
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def meet(own, other):
    own.touch()
    while not other.exists():
        time.sleep(0.01)


def test_calls_run_at_once(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    calls = [
        Call(function, paths, 4.0, 20.0, tmp_path / f"log-{k}")
        for k, (function, paths) in enumerate([(meet, (a, b)), (meet, (b, a)), (meet, (c, a))])
    ]
    outcomes = dict(isolated(calls, at_once=2))
    assert {outcome.status for outcome in outcomes.values()} == {"ok"}
    assert set(outcomes) == set(calls)


def test_calls_are_taken_one_after_the_other(tmp_path):
    def calls():
        for k in range(3):
            assert len(outcomes) == k
            yield Call(double, (k,), 4.0, 20.0, tmp_path / "log")

    outcomes = []
    for call, outcome in isolated(calls()):
        outcomes.append((call.args[0], outcome.value))
    assert outcomes == [(0, 0), (1, 2), (2, 4)]


def test_running_processes_are_killed_when_the_generator_is_closed(tmp_path):
    calls = [
        Call(sleep, (tmp_path / "pid",), 4.0, 60.0, tmp_path / "log-0"),
        Call(meet, (tmp_path / "done", tmp_path / "pid"), 4.0, 60.0, tmp_path / "log-1"),
    ]
    outcomes = isolated(calls, at_once=2)
    assert next(outcomes)[0] is calls[1]
    outcomes.close()
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
