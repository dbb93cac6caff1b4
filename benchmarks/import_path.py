"""Digests of the modules of custom contenders and data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from gatsparse.data.import_path import is_import_path

_ENTRY = "code of "


def digests(names: Iterable[str]) -> dict[str, str]:
    """Returns digests of the modules in import paths, as entries of the environment of a run.

    They make a run measure a changed module again.
    """
    found = {}
    for module in sorted({name.partition(":")[0] for name in names if is_import_path(name)}):
        spec = find_spec(module)
        if spec is not None and spec.origin is not None:
            digest = hashlib.sha256(Path(spec.origin).read_bytes())
            found[f"{_ENTRY}{module}"] = digest.hexdigest()[:12]
    return found


def relevant(environment: Mapping[str, str | int], names: Iterable[str]) -> dict[str, str | int]:
    """Returns the environment without the digests of modules that no name refers to."""
    modules = {name.partition(":")[0] for name in names if is_import_path(name)}
    return {
        key: value
        for key, value in environment.items()
        if not key.startswith(_ENTRY) or key.removeprefix(_ENTRY) in modules
    }
