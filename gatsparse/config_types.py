"""Checks that the fields of a configuration have the types of their annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


class ConfigError(ValueError):
    """A configuration that cannot be run.

    Example:
        >>> from gatsparse.train import ConfigError, TrainConfig
        >>> try:
        ...     TrainConfig("digits", epochs=0)
        ... except ConfigError as error:
        ...     print(error)
        epochs: expected >= 1, got 0
    """

    exit_code = 2


#: Largest size.
MOST = 2**31 - 1


def require(condition: bool, key: str, expected: str, value: object) -> None:
    """Raises :class:`ConfigError` naming :obj:`key` unless :obj:`condition` holds."""
    if not condition:
        text = repr(value)
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise ConfigError(f"{key}: expected {expected}, got {shown}")


def require_sizes(config: object, prefix: str, keys: Sequence[str], least: int = 1) -> None:
    """Raises :class:`ConfigError` naming the first field that is not None or a size.

    Args:
        config (dataclass): The configuration.
        prefix (str): Prefix of the names of its fields, such as ``"model."``.
        keys (list of str): The fields.
        least (int, optional): The smallest size.
    """
    for key in keys:
        value = getattr(config, key)
        expected = f">= {least}" if value is None or value < least else f"<= {MOST}"
        require(value is None or least <= value <= MOST, f"{prefix}{key}", expected, value)


def require_types(config: Any, prefix: str = "") -> None:
    """Raises :class:`ConfigError` naming the first field that is not of its annotated type.

    Args:
        config (dataclass): The configuration.
        prefix (str, optional): Prefix of the names of its fields, such as ``"model."``.
    """
    hints = get_type_hints(type(config))
    for field in fields(config):
        value, hint = getattr(config, field.name), hints[field.name]
        require(_is_of(value, hint), f"{prefix}{field.name}", describe(hint), value)


def group_of(hint: Any) -> Any:
    """Returns the dataclass of a group of keys, which an annotation is or allows, or None."""
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return next((choice for choice in choices if is_dataclass(choice)), None)


def describe(hint: Any) -> str:
    """Returns an annotation in words, such as "int or list of int"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin in (Union, UnionType):
        return " or ".join(map(describe, arguments))
    if origin is list:
        item = describe(arguments[0])
        return f"list of ({item})" if " " in item else f"list of {item}"
    if is_dataclass(hint):
        return "keys and values"
    return {NoneType: "null", Path: "path"}.get(hint, getattr(hint, "__name__", str(hint)))


def _is_of(value: object, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_is_of(value, argument) for argument in arguments)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in arguments)
    if origin is list:
        return isinstance(value, list) and all(_is_of(item, arguments[0]) for item in value)
    if hint in (None, NoneType):
        return value is None
    if isinstance(value, bool):  # a subclass of int
        return hint is bool
    if hint is float:
        return isinstance(value, (int, float))
    if hint is Path:
        return isinstance(value, (str, Path))
    return isinstance(value, hint)
