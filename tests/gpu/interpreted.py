"""Runs cases of Triton kernels in Triton's interpreter, in a process of its own.

Triton decides when it is imported whether its functions are interpreted. A test module therefore
defines ``interpreted()``, a generator of ``(case, {result: error})``, and reads the errors from
``errors_of(__name__)``, which runs the generator in a new process.
"""

import importlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[2]
_MARK = "interpreted: "


def errors_of(module: str, timeout: float = 1800) -> dict[str, dict[str, float]]:
    """Returns the errors of all cases of a test module, by case and result."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.gpu.interpreted", module],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if process.returncode != 0:
        raise RuntimeError(f"{module}: the interpreter failed\n{process.stdout}{process.stderr}")
    lines = [line for line in process.stdout.splitlines() if line.startswith(_MARK)]
    return dict(json.loads(line.removeprefix(_MARK)) for line in lines)


def main(module: str) -> None:
    """Prints the errors of each case of a test module as a line of JSON."""
    import torch

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        # NumPy warns where a GPU computes inf or NaN, as it should.
        warnings.simplefilter("ignore", RuntimeWarning)
        for case, errors in importlib.import_module(module).interpreted():
            print(_MARK + json.dumps((case, errors)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
