"""A core that other work takes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Ends by itself if its parent was killed.
_LOOP = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(100_000):
        pass
"""


@contextmanager
def busy_core() -> Iterator[subprocess.Popen[bytes]]:
    """Runs a process that computes without a pause.

    Yields:
        subprocess.Popen: The process, which is killed afterwards.
    """
    command = [sys.executable, "-c", _LOOP, str(os.getpid())]
    process = subprocess.Popen(command, start_new_session=True)  # Ctrl-C does not reach it
    try:
        yield process
    finally:
        process.kill()
        process.wait()
