"""Calls functions in separate processes, with limits on memory and time."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path
from textwrap import shorten
from typing import Any

from benchmarks.rows import Status

# Every process is forked from a server that has imported the libraries and run nothing else:
# as clean as a new interpreter, without seconds of imports for each measurement.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["torch_geometric.nn", "gatsparse.nn", "gatsparse.train"])


_SECONDS_TO_TIDY_UP = 5.0


class UnavailableError(Exception):
    """A data set or package that a measurement needs is missing."""


@dataclass(frozen=True)
class Call:
    """A function call in a separate process.

    Args:
        function (callable): Function that is importable by name. The function, its arguments and
            its result must be picklable.
        args (tuple): Arguments of the function.
        memory_limit (float): Limit on private memory (``RLIMIT_DATA``), in GB.
        time_limit (float): Time limit in seconds.
        log (Path): File for the output and the traceback of the process.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    memory_limit: float
    time_limit: float
    log: Path


@dataclass(frozen=True)
class Outcome:
    """Outcome of a call.

    Args:
        status (str): ``"ok"``, or the kind of failure.
        detail (str): Reason of the failure.
        value: Result of the function.
    """

    status: Status
    detail: str = ""
    value: Any = None


def isolated(
    calls: Iterable[Call], at_once: int = 1
) -> Generator[tuple[Call, Outcome], None, None]:
    """Runs calls in new processes, and yields their outcomes, also if a process crashes.

    A call is taken from :obj:`calls` only when it can start, so it may depend on earlier
    outcomes. Processes that still run when the generator ends or raises are killed.

    Args:
        calls (iterable): Calls to run.
        at_once (int, optional): Number of processes at a time.
    """
    waiting = iter(calls)
    running: list[_Process] = []
    try:
        while True:
            running.extend(_Process(call) for call in islice(waiting, at_once - len(running)))
            if not running:
                return
            first = min(process.deadline for process in running)
            wait(
                [handle for process in running for handle in process.handles],
                timeout=max(0.0, first - time.monotonic()),
            )
            for process in list(running):
                outcome = process.outcome()
                if outcome is not None:
                    running.remove(process)
                    process.kill()
                    yield process.call, outcome
    finally:
        for process in running:
            process.kill()


class _Process:
    """A call that has been started."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._receiver, sender = _processes.Pipe(duplex=False)
        self._process = _processes.Process(target=_child, args=(sender, call))
        self._process.start()
        sender.close()
        self.deadline = time.monotonic() + call.time_limit
        #: Handles that become ready when the call ends.
        self.handles = [self._receiver, self._process.sentinel]

    def outcome(self) -> Outcome | None:
        """Returns the outcome, or None while the call runs within its time limit."""
        alive = self._process.is_alive()
        if self._receiver.poll():
            with suppress(EOFError):
                outcome = self._receiver.recv()
                self._process.join(_SECONDS_TO_TIDY_UP)
                return outcome
            self._process.join()
            alive = False
        if not alive:
            cause = _cause(self._process.exitcode)
            return Outcome("crashed", f"{cause}; see {self.call.log.name}")
        if time.monotonic() >= self.deadline:
            return Outcome("out of time", f"not done within {self.call.time_limit:g} s")
        return None

    def kill(self) -> None:
        """Kills the process and its children, such as compilers."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._receiver.close()


def _child(sender: Connection, call: Call) -> None:
    os.setsid()  # so that Ctrl-C reaches the harness alone, which then ends this process
    with call.log.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    faulthandler.enable()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    memory_limit = int(call.memory_limit * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    try:
        outcome = Outcome("ok", value=call.function(*call.args))
    except Exception as error:  # each one becomes a row
        traceback.print_exc()
        outcome = Outcome(_status(error), _reason(error))
    sender.send(outcome)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _status(error: Exception) -> Status:
    if isinstance(error, UnavailableError):
        return "unavailable"
    message = str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in message:
        return "out of memory"
    return "crashed"


def _reason(error: Exception) -> str:
    """One line; a long message is cut."""
    if isinstance(error, UnavailableError):
        return str(error)
    words = f"{type(error).__name__}: {error}".split()
    return shorten(" ".join(words), width=400, placeholder=" ...")


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"ended by {signal.Signals(-exitcode).name}"
    return f"ended with exit code {exitcode}"
