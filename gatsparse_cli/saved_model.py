"""Report about a run or a saved model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.config_types import ConfigError
from gatsparse.data.places import expand
from gatsparse.predict import FinishedRun, load_run
from gatsparse.train import DamagedFileError
from gatsparse.train.backends import backends_of_model
from gatsparse.train.metrics import format_score
from gatsparse.train.run_folder import RunFolder

_HINT = "expected a run folder of gatsparse train, or a file seed-N.pt in it"


def describe(name: str) -> str:
    """Returns a report about a run folder, or about a file with a model.

    Args:
        name (str): The folder or file.

    Raises:
        ConfigError: If it does not exist, or is a folder of something else.
        DamagedFileError: If it is damaged, or a file of something else.
    """
    path = expand(name)
    if not path.exists():
        raise ConfigError(f"{path}: {_HINT}, got no such file")
    of_seed = re.fullmatch(r"seed-(\d+)\.pt", path.name)
    if path.is_dir():
        lines = _run(load_run(path))
    elif of_seed and (path.parent / "config.yaml").is_file():
        lines = _run(load_run(path.parent, int(of_seed[1])), only=int(of_seed[1]))
    else:
        lines = _file(path)
    return "\n".join(lines)


def _run(run: FinishedRun, only: int | None = None) -> Iterator[str]:
    config, sizes = run.config, run.sizes
    yield f"run folder: {run.path}"
    yield f"data: {config.dataset_name}, {sizes.in_channels} features, {sizes.out_channels} outputs"
    yield f"training: task {config.task}, mode {config.mode}, model.kind {config.model.kind}"
    yield f"model: {sum(p.numel() for p in run.model.parameters()):,} parameters"
    yield str(run.model)
    yield f"backends on this machine: {backends_of_model(config, run.model, _graph(run))}"
    folder, metric = RunFolder(run.path), config.chosen_metric
    for seed in run.seeds if only is None else [only]:
        result = folder.load_result(seed)
        for rule, kept in result.rules.items():
            val, test = (format_score(metric, score) for score in (kept.val_score, kept.test_score))
            yield (
                f"seed {seed}, {rule}: epoch {kept.best_epoch} of {kept.epochs}, {metric} "
                f"val {val}, test {test}"
            )
    if only is None and (missing := len(config.all_seeds) - len(run.seeds)):
        yield f"not finished: {missing} of {len(config.all_seeds)} seed(s)"
    yield from _environment(run.path / "environment.json")


def _graph(run: FinishedRun) -> Data:
    """A ring of four nodes with features of the sizes of a model."""
    dtype, nodes = getattr(torch, run.config.dtype), torch.arange(4)
    graph = Data(
        x=torch.zeros(4, run.sizes.in_channels, dtype=dtype),
        edge_index=torch.stack([nodes, nodes.roll(1)]),
    )
    if run.config.task == "graph_classification":
        graph.batch = torch.zeros_like(nodes)
    if run.sizes.edge_dim is not None:
        graph.edge_attr = torch.zeros(4, run.sizes.edge_dim, dtype=dtype)
    return graph


def _environment(file: Path) -> Iterator[str]:
    try:
        values = json.loads(file.read_bytes())
        shown = [f"{key} {values[key]}" for key in values if key not in ("code", "data")]
    except (OSError, ValueError, TypeError):
        yield f"trained with: unknown ({file} is missing or damaged)"
    else:
        yield f"trained with: {', '.join(shown)}"


def _file(path: Path) -> Iterator[str]:
    content = _load(path)
    state = content.get("state_dict", content)
    if not (isinstance(state, dict) and state and _is_state_dict(state)):
        raise DamagedFileError(f"{path}: {_HINT}, got a file without parameters")
    yield f"model: {path}"
    for key in ("seed", "rule", "best_epoch", "val_score", "test_score"):
        if state is not content and key in content:
            yield f"{key}: {content[key]}"
    yield f"{sum(tensor.numel() for tensor in state.values()):,} numbers"
    width = max(map(len, state))
    for key, tensor in state.items():
        yield f"{key:<{width}}  {list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
    yield (
        "The file has no configuration: `gatsparse info RUN/seed-N.pt`, in a run folder of "
        "gatsparse train, also shows the architecture and the backends."
    )


def _is_state_dict(values: dict[Any, Any]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in values.items())


def _load(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # damage can raise anything
        reason = str(error).strip().partition("\n")[0].partition(". ")[0][:200]
        raise DamagedFileError(
            f"{path}: {_HINT}, got a file that is damaged, or has more than tensors: save "
            f"model.state_dict() instead of a model ({reason})"
        ) from error
    if not isinstance(content, dict):
        raise DamagedFileError(f"{path}: {_HINT}, got a {type(content).__name__}")
    return content
