"""Runs pytest in forks of a process that has imported what is slow to import, for
:mod:`tests.mutants.copies`; gatsparse itself is imported in each fork.

Each line of the standard input is a JSON list, the arguments of pytest. The answer is one line: the
exit status, negative for a signal, and the seconds.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback

import pytest

_SLOW = (
    "scipy.stats",
    "sklearn.metrics",
    "torch_geometric.loader",
    "torch_geometric.nn",
    "torch_geometric.sampler",
    "torch_geometric.transforms",
)


def serve(output: str, seconds: int) -> None:
    """Answers requests until the standard input ends.

    Args:
        output (str): The file into which pytest prints.
        seconds (int): The most time for one answer, after which it is -14, the alarm's signal.
    """
    for name in _SLOW:
        importlib.import_module(name)
    assert "gatsparse" not in sys.modules
    for line in sys.stdin:
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            _run(json.loads(line), output, seconds)
        _, status = os.waitpid(child, 0)
        answer = os.waitstatus_to_exitcode(status), time.monotonic() - begin
        print(json.dumps(answer), flush=True)


def _run(arguments: list[str], output: str, seconds: int) -> None:
    code = int(pytest.ExitCode.INTERNAL_ERROR)
    try:
        signal.alarm(seconds)
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
            os.dup2(file, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
        code = int(pytest.main(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
