"""Calls a function in a process of its own, with a limit on memory and on time."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benchmarks.results import Status

# Every process is forked from a server that has imported the libraries and run nothing:
# as clean as a new interpreter, without seconds of imports for each measurement.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["torch_geometric.nn", "gatsparse.nn", "gatsparse.train"])


_SECONDS_TO_TIDY_UP = 5.0


class UnavailableError(Exception):
    """What a measurement needs is not on this machine."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended.

    Args:
        status (str): ``"ok"``, or what went wrong.
        detail (str): The reason in words.
        value: What the function returned.
    """

    status: Status
    detail: str = ""
    value: Any = None


def isolated(
    function: Callable[..., Any],
    *args: Any,
    memory_limit: float,
    time_limit: float,
    log: Path,
) -> Outcome:
    """Calls ``function(*args)`` in a new process; whatever happens there, it returns.

    Args:
        function (callable): Importable by name, like its arguments and result picklable.
        *args: Its arguments.
        memory_limit (float): GB of private memory (``RLIMIT_DATA``).
        time_limit (float): Seconds.
        log (Path): File that takes what the process prints, and its traceback.
    """
    receiver, sender = _processes.Pipe(duplex=False)
    process = _processes.Process(
        target=_child, args=(sender, int(memory_limit * 1e9), log, function, args)
    )
    process.start()
    sender.close()
    assert process.pid is not None
    try:
        if not wait([receiver, process.sentinel], timeout=time_limit):
            return Outcome("out of time", f"not done within {time_limit:g} s")
        if receiver.poll():
            with suppress(EOFError):
                outcome = receiver.recv()
                process.join(_SECONDS_TO_TIDY_UP)
                return outcome
        process.join()
        return Outcome("crashed", f"{_cause(process.exitcode)}; see {log.name}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # compilers that it started, too
        process.kill()
        process.join()
        receiver.close()


def _child(
    sender: Connection,
    memory_limit: int,
    log: Path,
    function: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    os.setsid()  # so that Ctrl-C reaches the harness alone, which then ends this process
    with log.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    faulthandler.enable()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    try:
        outcome = Outcome("ok", value=function(*args))
    except Exception as error:  # each one becomes a row
        traceback.print_exc()
        outcome = Outcome(_status(error), _first_line(error))
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
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in message:
        return "out of memory"
    return "crashed"


def _first_line(error: Exception) -> str:
    if isinstance(error, UnavailableError):
        return str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"ended by {signal.Signals(-exitcode).name}"
    return f"ended with exit code {exitcode}"
