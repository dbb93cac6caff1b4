"""Errors of cases that run in Triton's interpreter, once for all processes of a test run."""

import json

import pytest
from filelock import FileLock

from tests.gpu.interpreted import TOGETHER, errors_of


@pytest.fixture(scope="module")
def found(request, tmp_path_factory, worker_id):
    """Errors of the cases of the test module, see :func:`tests.gpu.interpreted.errors_of`."""
    module = request.module.__name__
    if worker_id == "master":  # without xdist
        return errors_of([module])[module]
    modules = TOGETHER if module in TOGETHER else [module]
    file = tmp_path_factory.getbasetemp().parent / f"{modules[0]}.json"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            file.write_text(json.dumps(errors_of(modules)))
        return json.loads(file.read_text())[module]
