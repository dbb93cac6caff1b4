"""Table of the keys of a configuration, generated from its dataclasses."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from docstring_parser import parse
from rich import box
from rich.console import Console
from rich.table import Table


def keys(config: type, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yields key, type, default and description of every field of a dataclass, also nested ones.

    A key is ``graphs.NAME.num_nodes`` in a dictionary and ``layers[].shapes`` in a list.
    """
    texts = {item.arg_name: item.description or "" for item in parse(config.__doc__ or "").params}
    types = get_type_hints(config)
    for field in fields(config):
        name = prefix + field.name
        inner = _inner(types[field.name])
        text = " ".join(texts.get(field.name, "").split()).replace("``", "")
        default = "" if inner and inner[1] == "." else _default(field)
        yield name, _type(types[field.name]), default, text
        if inner is not None:
            nested, suffix = inner
            yield from keys(nested, name + suffix)


def print_keys(config: type, usage: str, console: Console) -> None:
    """Prints the keys of a configuration.

    Args:
        config (type): Dataclass of the configuration.
        usage (str): Line above the table.
        console (Console): Console to print on.
    """
    console.print(usage, markup=False, highlight=False, soft_wrap=True)
    table = Table("key", "type", "default", "description", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for line in keys(config):
        table.add_row(*(cell.replace("[", "\\[") for cell in line))
    console.print(table)


class KeysAction(argparse.Action):
    """``--help`` of a command with a configuration: prints its options and all keys."""

    def __init__(self, option_strings: list[str], dest: str, *, config: type) -> None:
        super().__init__(option_strings, dest, nargs=0, help="list the keys of CONFIG")
        self.config = config

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Prints and exits."""
        console = Console()
        if not console.is_terminal:
            console = Console(width=140)
        usage = f"{parser.format_help()}\nKeys of CONFIG, each of which `--key value` overrides:"
        print_keys(self.config, usage, console)
        parser.exit()


def _inner(kind: Any) -> tuple[type, str] | None:
    """Returns the dataclass in a type, and the separator between a field and its keys."""
    if is_dataclass(kind) and isinstance(kind, type):
        return kind, "."
    for argument in get_args(kind):
        if is_dataclass(argument) and isinstance(argument, type):
            return argument, ".NAME." if getattr(kind, "__origin__", None) is dict else "[]."
    return None


def _type(kind: Any) -> str:
    if isinstance(kind, type) and not get_args(kind):
        return "section" if is_dataclass(kind) else kind.__name__
    text = str(kind).replace("typing.", "").replace("NoneType", "None")
    for found in get_args(kind):
        if is_dataclass(found) and isinstance(found, type):
            text = text.replace(f"{found.__module__}.{found.__qualname__}", "section")
    return text


def _default(field: Field[Any]) -> str:
    if field.default is not MISSING:
        value = field.default
    elif field.default_factory is not MISSING:
        value = field.default_factory()
    else:
        return "required"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value)
