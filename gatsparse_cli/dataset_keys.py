"""Keys of the files of another graph on the command line, such as ``--dataset.missing zero``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gatsparse_cli.config_keys import config_keys, options_in

_PREFIX = "dataset."


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Adds ``--data``, and the keys of its files, which the help describes together."""
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="folder of files with the same columns; labels and split may be missing (default: the "
        "graph of the training); --dataset.KEY VALUE sets a key of these files that differs from "
        "the training, such as --dataset.unknown_nodes drop",
    )
    for key in config_keys():
        if key.startswith(_PREFIX):
            parser.add_argument(f"--{key}", help=argparse.SUPPRESS)


def keys_of_files(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the keys that are given, without their prefix; ``null`` and lists as in YAML."""
    given = {
        key.removeprefix(_PREFIX): value
        for key, value in vars(arguments).items()
        if key.startswith(_PREFIX) and value is not None
    }
    return {key: _value(value) for key, value in given.items()}


@contextmanager
def errors_of_files() -> Iterator[None]:
    """Adds the options to errors that advise to set keys of the files."""
    from gatsparse.data import GraphFileError

    try:
        yield
    except GraphFileError as error:
        raise GraphFileError(f"{error}{options_in(str(error))}") from error


def _value(text: str) -> Any:
    if text == "null":
        return None
    if text.startswith("[") and text.endswith("]"):
        return [part.strip() for part in text[1:-1].split(",")]
    return text
