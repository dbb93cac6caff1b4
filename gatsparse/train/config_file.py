"""Configurations as YAML files, and keys given on the command line."""

from __future__ import annotations

import re
from argparse import ArgumentError
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from jsonargparse import ArgumentParser
from yaml import YAMLError

from gatsparse.checks import check_instance
from gatsparse.config_types import ConfigError, describe, group_of
from gatsparse.data import GraphFiles
from gatsparse.data.places import expand
from gatsparse.train.config import TrainConfig

_OPTIONS = ("config", "help", "print_config")
_ERRORS = (ArgumentError, TypeError, ValueError, OSError, RecursionError, YAMLError)


def parse_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    r"""Reads a YAML file, then overrides keys.

    Args:
        path (str or Path): The file.
        overrides (list of str, optional): Such as ``["--epochs", "5", "--model.kind", "pyg"]``.

    Returns:
        TrainConfig: The configuration, checked.

    Raises:
        TypeError: If :obj:`path` is not a path.
        ConfigError: If the file cannot be read, a key is unknown or occurs twice, or a value is of
            another type or out of range.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.train import parse_config
        >>> _ = Path("digits.yaml").write_text("dataset: digits\nepochs: 50\n")
        >>> config = parse_config("digits.yaml", ["--optim.lr", "0.01"])
        >>> config.epochs, config.optim.lr
        (50, 0.01)
    """
    config = read_config(path, overrides)
    if config.dataset is None:
        raise ConfigError(
            f"{path}: dataset: expected the name of a data set or a folder of files, got null"
        )
    return config


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """:func:`parse_config` that accepts a run on data in memory, without a data set."""
    check_instance("path", path, (str, Path), "a path")
    for argument in overrides:
        if argument.startswith("--"):
            _require_known(argument[2:].partition("=")[0], "--")
    path = expand(path)
    for file in (path, *_other_files(overrides)):
        with _errors_of(f"{file}: "):
            _require_plain(file)
    return _parse(["--config", str(path)], overrides, f"{path}: ")


def read_dataset(name: str, overrides: Sequence[str] = ()) -> tuple[TrainConfig, set[str]]:
    """Reads a configuration file, or makes a configuration of a data set; then overrides keys.

    Args:
        name (str): A YAML file, a folder of files, the name of a data set or ``module:function``.
        overrides (list of str, optional): As in :func:`parse_config`.

    Returns:
        tuple: The configuration, and the top-level keys that are set.

    Raises:
        ConfigError: As in :func:`parse_config`, or if there is no such data set.
    """
    if name.endswith((".yaml", ".yml")):
        config, given = parse_config(name, overrides), ["--config", str(expand(name))]
    else:
        is_folder = isinstance(TrainConfig(name).dataset, GraphFiles)
        given = [f"--dataset.path={name}" if is_folder else f"--dataset={name}"]
        config = _parse(given, overrides, "")
    keys = _parser().parse_args(_with_folder([*given, *overrides]), defaults=False)
    return config, set(keys.as_dict()) - {"config"}


def _parse(given: Sequence[str], overrides: Sequence[str], source: str) -> TrainConfig:
    """The configuration of arguments; errors name their source, but not those of overrides."""
    parser = _parser()
    try:
        values = parser.parse_args(_with_folder([*given, *overrides]))
    except _ERRORS as error:
        with _errors_of(""):  # an error of the overrides does not blame the file
            parser.parse_args(["--dataset=digits", *overrides])
        raise ConfigError(f"{source}{_message(error)}") from error
    with _errors_of(""):
        for key, hint in _keys().items():
            if is_dataclass(hint) and values[key] is None:
                raise ConfigError(f"{key}: expected keys and values, got null")
        fields = dict(parser.instantiate(values))
        del fields["config"]
        return TrainConfig(**fields)


def _with_folder(arguments: Sequence[str]) -> list[str]:
    """Arguments that set the folder as ``dataset.path`` before other keys of its files, too, if
    ``dataset`` is the folder.
    """
    folder, result = None, []
    for argument, following in zip(arguments, (*arguments[1:], ""), strict=True):
        name, equals, value = argument.partition("=")
        value = value if equals else following
        if name == "--config":
            content = yaml.safe_load(expand(value).read_text(encoding="utf-8"))
            folder = content.get("dataset", folder)
        elif name == "--dataset":
            folder = value
        elif name.startswith("--dataset."):
            if isinstance(folder, str) and isinstance(TrainConfig(folder).dataset, GraphFiles):
                result.append(f"--dataset.path={folder}")
            folder = None
        result.append(argument)
    return result


def config_yaml(config: TrainConfig) -> str:
    """The configuration as YAML, which :func:`parse_config` reads back."""
    parser = _parser()
    return parser.dump(parser.parse_object(asdict(config)))


@cache
def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="gatsparse train CONFIG",
        description="Keys of a configuration; on the command line they override the file.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="Another file, on top of CONFIG.")
    parser.add_class_arguments(TrainConfig, as_group=True)
    return parser


def _other_files(overrides: Sequence[str]) -> Iterator[Path]:
    """Files that are passed by ``--config`` on the command line."""
    for argument, following in zip(overrides, (*overrides[1:], ""), strict=False):
        name, _, value = argument.partition("=")
        if name == "--config":
            yield expand(value or following)


@contextmanager
def _errors_of(source: str) -> Iterator[None]:
    """Converts errors of parsers to a :class:`ConfigError` of one line that names the source."""
    try:
        yield
    except _ERRORS as error:
        raise ConfigError(f"{source}{_message(error)}") from error


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _value_error(str(error)) or " ".join(str(error).split())[:300]


def _value_error(message: str) -> str | None:
    """Rewrites the parser's message about a value of another type as :class:`TrainConfig` does."""
    own = re.search(r"^ *- (dataset\.\w+: expected .*)", message, re.MULTILINE)
    if own is not None:  # an error of GraphFiles, among those of the other types of the key
        return own[1]
    match = re.search(
        r'Parser key "([\w.]+)":.*(?:Got value|Given value): (.*)', message, re.DOTALL
    )
    if match is None:
        return None
    key, value = match[1], match[2].strip()
    nested = re.fullmatch(r"NestedArg\(key='([\w.]+)', val=(.*)\)", value, re.DOTALL)
    if nested is not None:
        key, value = f"{key}.{nested[1]}", nested[2]
    if key == "dataset" and value.startswith("Namespace("):
        return "dataset.path: expected the folder of the files, got null: set it, too"
    hint = _keys().get(key)
    if hint is None or is_dataclass(hint):
        return None
    return f"{key}: expected {describe(hint)}, got {value[:80]}"


@cache
def _keys(config: Any = TrainConfig, prefix: str = "") -> dict[str, Any]:
    """The keys of a configuration with their types; keys of groups are ``group.key``."""
    keys: dict[str, Any] = {}
    for key, hint in get_type_hints(config).items():
        keys[prefix + key] = hint
        if (group := group_of(hint)) is not None:
            keys |= _keys(group, f"{prefix}{key}.")
    return keys


def _require_known(key: str, dashes: str = "") -> None:
    if key not in _keys() and not (dashes and key in _OPTIONS):
        close = get_close_matches(key, _keys(), n=1)
        hint = f"did you mean {dashes}{close[0]}?" if close else "--help lists the keys"
        raise ConfigError(f"{dashes}{key}: no such key; {hint}")


def _require_plain(path: Path) -> None:
    """Raises unless a file is a YAML mapping of known keys, each once, without aliases.

    Aliases let a file of a few lines expand to any size.
    """
    text = path.read_text(encoding="utf-8")
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1
            raise ConfigError(f"line {line}: aliases (*{event.anchor}) are not supported")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError("expected keys and values, such as dataset: cora")
    _require_keys(root, "", set())
    dataset = yaml.safe_load(text).get("dataset")
    if isinstance(dataset, dict):
        GraphFiles(**{"path": None, **dataset})  # its errors are clearer than the parser's


def _require_keys(mapping: yaml.MappingNode, prefix: str, seen: set[str]) -> None:
    for key_node, value in mapping.value:
        with _errors_of(f"line {key_node.start_mark.line + 1}: "):
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("expected a key, such as dataset")
            key = f"{prefix}{key_node.value}"
            _require_known(key)
            if key in seen:
                raise ConfigError(f"{key}: the key occurs twice")
            seen.add(key)
            group = isinstance(value, yaml.MappingNode) and group_of(_keys()[key]) is not None
            if not group and is_dataclass(_keys()[key]):
                raise ConfigError(f"{key}: expected keys and values")
        if group:
            _require_keys(value, f"{key}.", seen)
