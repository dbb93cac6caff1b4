"""Runs cases of Triton kernels in Triton's interpreter, in a process of its own.

Triton decides when it is imported whether its functions are interpreted. A test module therefore
defines ``interpreted()``, a generator of ``(case, {result: error})``, and reads the errors from
the fixture ``found``, for which ``errors_of`` runs the generator in a new process.
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


#: Modules with few cases, which share a process.
TOGETHER = [
    f"tests.gpu.test_{name}"
    for name in (
        *("drawn_graphs_interpreted", "dropout_cuda", "launch_table", "layers_interpreted"),
        *("neighbor_sum_cuda", "sparse_linear_cuda"),
    )
]


def errors_of(modules: list[str], timeout: float = 1800) -> dict[str, dict[str, dict[str, float]]]:
    """Returns the errors of all cases of test modules, by module, case and result."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.gpu.interpreted", *modules],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if process.returncode != 0:
        raise RuntimeError(f"{modules}: the interpreter failed\n{process.stdout}{process.stderr}")
    lines = [line for line in process.stdout.splitlines() if line.startswith(_MARK)]
    errors: dict[str, dict[str, dict[str, float]]] = {module: {} for module in modules}
    for line in lines:
        module, case, found = json.loads(line.removeprefix(_MARK))
        errors[module][case] = found
    return errors


def main(modules: list[str]) -> None:
    """Prints the errors of each case of test modules as a line of JSON."""
    import torch

    torch.set_num_threads(1)
    with warnings.catch_warnings():
        # NumPy warns where a GPU computes inf or NaN, as it should.
        warnings.simplefilter("ignore", RuntimeWarning)
        for module in modules:
            for case, errors in importlib.import_module(module).interpreted():
                print(_MARK + json.dumps((module, case, errors)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
