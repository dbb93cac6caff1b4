import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from benchmarks.scripts.busy import busy_core

PARENT = """
import time
from benchmarks.scripts.busy import busy_core
with busy_core() as process:
    print(process.pid, flush=True)
    time.sleep(60)
"""


def has_ended(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def ends(pid):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not has_ended(pid):
        time.sleep(0.05)
    return has_ended(pid)


def compute_then_fail(found):
    with busy_core() as process:
        found.append(process.pid)
        used = psutil.Process(process.pid).cpu_times().user
        deadline = time.monotonic() + 20
        while psutil.Process(process.pid).cpu_times().user <= used:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        raise KeyError


def test_process_computes_until_an_error_ends_the_block():
    found = []
    with pytest.raises(KeyError):
        compute_then_fail(found)
    assert ends(found[0])


def test_process_ends_if_its_parent_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert not has_ended(pid)
        os.kill(parent.pid, signal.SIGKILL)
    assert ends(pid)
