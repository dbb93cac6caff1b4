"""The tests of this folder need Triton, which torch installs on Linux with CUDA."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("triton") else ["test_*.py"]
