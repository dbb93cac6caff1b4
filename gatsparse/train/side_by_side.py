"""Parallel training of seeds, each in one process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from typing import TYPE_CHECKING

import torch

from gatsparse.train.errors import ProcessDiedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from multiprocessing.connection import Connection


def side_by_side(
    prepare: Callable[[], Callable[[int], object]],
    seeds: Sequence[int],
    processes: int,
    threads: int,
) -> Generator[int, None, None]:
    """Calls a function for every seed, in parallel processes.

    The processes end when this process ends for any reason, and when the iterator is closed;
    they do not receive Ctrl-C.

    Args:
        prepare (callable): Called once in each process; returns the function. Both must be
            importable by name.
        seeds (list of int): Arguments of the function.
        processes (int): Number of processes.
        threads (int): Threads of torch in each process.

    Yields:
        int: The finished seeds, in the order in which they finish.

    Raises:
        ProcessDiedError: If a process dies; the message names its seed.
        Exception: Any exception of the function.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gatsparse.train"])
    _start_forkserver()
    waiting = iter(seeds)
    with ExitStack() as stack:
        lifeline, end = context.Pipe(duplex=False)
        # One executor for each process: an executor does not report which process died.
        executors = [
            stack.enter_context(
                ProcessPoolExecutor(1, context, _begin, (lifeline, threads, prepare))
            )
            for _ in range(processes)
        ]
        stack.callback(lifeline.close)
        stack.callback(end.close)  # called first: then the executors do not wait for processes
        running: dict[Future[None], tuple[ProcessPoolExecutor, int]] = {}

        def submit(executor: ProcessPoolExecutor) -> None:
            for seed in waiting:
                running[executor.submit(_call, seed)] = executor, seed
                break

        with _ctrl_c_deferred():  # a process that is half started would end with a traceback
            for executor in executors:
                submit(executor)
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                executor, seed = running.pop(future)
                try:
                    future.result()
                except BrokenProcessPool as error:
                    raise ProcessDiedError(
                        f"seed {seed}: its process died (killed, perhaps for lack of memory, "
                        "or crashed)"
                    ) from error
                submit(executor)
                yield seed


def _start_forkserver() -> None:
    # SIGINT is blocked, which all its processes inherit: only this process receives Ctrl-C.
    # The tracker is started first, because its start unblocks SIGINT.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _ctrl_c_deferred() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals are not received
        yield
        return
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda signum, _: received.append(signum))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if received:
            signal.raise_signal(signal.SIGINT)


_function: Callable[[int], object]


def _begin(
    lifeline: Connection, threads: int, prepare: Callable[[], Callable[[int], object]]
) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # if the server was running before
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    torch.set_num_threads(threads)
    _function = prepare()


def _end_with(lifeline: Connection) -> None:
    """Ends this process when the other end of the pipe is closed, or its process is gone."""
    with suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)


def _call(seed: int) -> None:
    _function(seed)
