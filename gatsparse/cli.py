"""The command line: ``gatsparse train`` and ``gatsparse info``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

# Imports stand inside the commands: `gatsparse info` must run where something is missing.


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv (list of str, optional): Its arguments. (default: those of the process)

    Returns:
        int: 0; 1 if the command failed; 2 if the configuration is wrong; 130 if interrupted.

    Raises:
        SystemExit: After ``--help``, and with code 2 if there is no such command.
    """
    parser = argparse.ArgumentParser(prog="gatsparse", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser(
        "train",
        help="train a model as a configuration says",
        epilog="`gatsparse train CONFIG --help` lists the keys.",
    )
    train.add_argument("config", metavar="CONFIG", help="YAML file, such as configs/cora.yaml")
    train.add_argument(
        "overrides",
        metavar="--key value",
        nargs=argparse.REMAINDER,
        help="override a key, such as --epochs 5 --model.kind pyg --seeds 10",
    )
    commands.add_parser("info", help="say what is installed, and how to get what is missing")
    arguments = parser.parse_args(argv)
    if arguments.command == "info":
        return _info()
    try:
        return _train(arguments.config, arguments.overrides)
    except KeyboardInterrupt:
        return _fail("interrupted; the same command continues with the seeds not finished", 130)


def _train(config: str, overrides: list[str]) -> int:
    from gatsparse.data import DatasetCorruptError, DatasetNotFoundError
    from gatsparse.train import (
        ConfigError,
        ProcessDiedError,
        TrainingDivergedError,
        parse_config,
        train,
    )

    try:
        train(parse_config(config, overrides))
    except ConfigError as error:
        return _fail(error, 2)
    except (
        DatasetNotFoundError,
        DatasetCorruptError,
        TrainingDivergedError,
        ProcessDiedError,
        ImportError,
        OSError,
    ) as error:
        return _fail(error, 1)
    return 0


def _fail(message: object, code: int) -> int:
    print(f"gatsparse train: {message}", file=sys.stderr)
    return code


def _info() -> int:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("what", "state", "how to get it"):
        table.add_column(heading, overflow="fold")
    for row in (*_versions(), _scatter(), _kernels(), *_data_sets()):
        table.add_row(*row, *[""] * (3 - len(row)))
    Console(highlight=False, markup=False).print(table)
    return 0


def _versions() -> list[tuple[str, ...]]:
    import platform

    import torch
    import torch_geometric

    import gatsparse

    return [
        ("gatsparse", gatsparse.__version__),
        ("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("torch", torch.__version__),
        ("torch-geometric", torch_geometric.__version__),
        ("threads", str(torch.get_num_threads())),
    ]


def _scatter() -> tuple[str, ...]:
    try:
        import torch_scatter
    except (ImportError, OSError) as error:  # OSError: built for another torch
        return (
            "torch-scatter",
            f"missing ({error}); torch's own operations serve in its stead",
            "pip install --no-build-isolation torch-scatter==2.1.2",
        )
    return "torch-scatter", torch_scatter.__version__


def _kernels() -> tuple[str, ...]:
    from gatsparse import _native

    if _native.MISSING is None:
        return "CPU kernels", f"{', '.join(_native.isas())} (the first is used)"
    return (
        "CPU kernels",
        f"missing: {_native.MISSING}; the scatter backend serves in their stead",
        "install a C++ compiler, then, in the source folder: "
        "pip install 'scikit-build-core>=0.11' cmake ninja && "
        "pip install --no-build-isolation --no-deps --force-reinstall .",
    )


def _data_sets() -> list[tuple[str, ...]]:
    from gatsparse.data import NAMES, find

    rows: list[tuple[str, ...]] = []
    for name in NAMES:
        if name == "digits":
            rows.append((name, "comes with scikit-learn"))
        elif raw_dir := find(name):
            rows.append((name, str(raw_dir)))
        else:
            command = f"python -c \"import gatsparse.data; gatsparse.data.load('{name}')\""
            rows.append((name, "no files", f"{command} downloads it, or says where to put it"))
    return rows
