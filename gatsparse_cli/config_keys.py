"""Keys of the configuration of a training, which are options of commands; read from its source
without importing it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_SOURCES = (
    "train/config.py",
    "train/graph_config.py",
    "train/model_config.py",
    "train/synthetic_config.py",
    "data/graph_files/config.py",
)
_ROOT = "TrainConfig"
_OPTIONS = ("config", "help", "print_config", "")


def unknown_key(overrides: Sequence[str]) -> str | None:
    """Returns an error message about the first unknown key of ``--key value``, or None.

    Args:
        overrides (list of str): Arguments of the command line that override keys.
    """
    keys = config_keys()
    for argument in overrides:
        key = argument.removeprefix("--").partition("=")[0]
        if not keys or not argument.startswith("--") or key in (*keys, *_OPTIONS):
            continue
        close = [known for known in keys if known.endswith(f".{key}")]
        close = close or get_close_matches(key, keys, n=1)
        hint = f"did you mean --{close[0]}?" if close else "--help lists the keys"
        return f"--{key}: no such key; {hint}"
    return None


def options_in(message: str) -> str:
    """Returns the options that set the keys which an error message recommends, in parentheses."""
    cure = message.rpartition(": ")[2]
    options = [f"--{key}" for key in dict.fromkeys(re.findall(r"\bdataset\.\w+", cure))]
    return f" (options: {', '.join(options)})" if options else ""


@cache
def config_keys() -> tuple[str, ...]:
    """Returns the keys, in groups as ``group.key``; none if the source is missing."""
    spec = find_spec("gatsparse")
    for place in (spec and spec.submodule_search_locations) or ():
        classes = {}
        for source in (Path(place, source) for source in _SOURCES):
            if source.is_file():
                tree = ast.parse(source.read_text(encoding="utf-8"))
                classes |= {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        if _ROOT in classes:
            return tuple(_keys(_ROOT, "", classes))
    return ()


def _keys(name: str, prefix: str, classes: dict[str, ast.ClassDef]) -> Iterator[str]:
    for statement in classes[name].body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            key = prefix + statement.target.id
            yield key
            for hint in ast.unparse(statement.annotation).split(" | "):
                if hint in classes:
                    yield from _keys(hint, f"{key}.", classes)
