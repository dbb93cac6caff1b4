"""The benchmark of gatsparse against PyG, torch-scatter and the dense layer."""

from importlib.util import find_spec

# This module does not import gatsparse, which takes seconds: measuring processes import it first.
for _package in ("jsonargparse", "matplotlib", "psutil", "rich", "scipy"):
    if find_spec(_package) is None:
        raise ImportError(
            f"benchmarks needs {_package}, which is not installed: pip install 'gatsparse[bench]'",
            name=_package,
        )
