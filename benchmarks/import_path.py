"""Custom contenders and data sets by import path, such as ``"my_module:my_contender"``."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_ENTRY = "code of "


def is_import_path(name: str) -> bool:
    """Returns whether a name is an import path, ``"module:object"``."""
    return ":" in name


def imported(key: str, name: str) -> Any:
    """Imports an object.

    Args:
        key (str): Key of the configuration, for the message.
        name (str): ``"module:object"``. The module is searched on ``sys.path``, which includes the
            current folder in ``python -m benchmarks``.

    Raises:
        ValueError: If the module or object does not exist.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{key}: cannot import {name!r}: {error}") from error


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
