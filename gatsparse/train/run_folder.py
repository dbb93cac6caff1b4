"""The files of one run."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from itertools import count
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import torch

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphSchema
from gatsparse.files import named_errors, open_rows, write_atomically
from gatsparse.train.config_file import config_yaml, read_config
from gatsparse.train.device import find_device
from gatsparse.train.environment import data_digest, environment, nodes_digest
from gatsparse.train.errors import DamagedFileError
from gatsparse.train.models import ModelSizes
from gatsparse.train.objectives.objective import TargetScale
from gatsparse.train.results import Epoch, FitResult, RuleResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch_geometric.data import Data

    from gatsparse.train.config import TrainConfig


@dataclass(frozen=True)
class RunFolder:
    """A folder ``<run_dir>/<dataset>-<kind>-<time>``, see :func:`open_run_folder`.

    ====================== ==============================================================
    ``config.yaml``        configuration, for ``gatsparse train``
    ``environment.json``   versions, threads, data: what else the results depend on
    ``schema.json``        columns and classes of a graph in files, for predictions
    ``features.json``      the ``shift`` of normalised features, for predictions
    ``seed-<seed>.jsonl``  a row per epoch, appended as the epochs end
    ``seed-<seed>.pt``     the model kept: ``state_dict``, its row, ``sizes`` (a dict of
                           :class:`~gatsparse.train.ModelSizes`) and, of a regression,
                           ``target_scale``, for ``torch.load``
    ``checkpoint-<seed>``  state of the training of a seed, until it is finished
    ``seed-<seed>.json``   best epoch and scores by rule, seconds, digests; written last
    ``summary.json``       summary of the seeds finished so far
    ``<log>/seed-<seed>``  losses and scores of each epoch, in the formats of :obj:`log`
    ====================== ==============================================================

    Except for the rows, files are written atomically, so that an interrupted run leaves only
    complete files. The digests show whether the files of a finished seed have changed.

    Args:
        path (Path): The folder.
        continued (bool, optional): Whether an earlier process started the run.
    """

    path: Path
    continued: bool = False

    @contextmanager
    def metrics(self, seed: int) -> Iterator[Callable[[Epoch], None]]:
        """Yields a function that appends the row of an epoch, on disk for other processes to read.

        Rows of an earlier process are dropped: a training that resumes appends them again.

        Raises:
            OSError: If the file cannot be written.
        """
        path = self._rows(seed)
        with open_rows(path) as file:

            def append(epoch: Epoch) -> None:
                with named_errors(path):
                    file.write(json.dumps({"seed": seed, **asdict(epoch)}) + "\n")

            yield append
            with named_errors(path):
                os.fsync(file.fileno())

    def epochs(self, seed: int, start: int = 0) -> tuple[list[Epoch], int]:
        """Returns the epochs in the rows of a seed, which may be read while they are written.

        Args:
            seed (int): The seed.
            start (int, optional): Position in the file at which to start reading.

        Returns:
            tuple: The epochs, empty without a readable file, and the position of the next row.
        """
        try:
            with self._rows(seed).open("rb") as file:
                if file.seek(0, os.SEEK_END) < start:  # begun again by another process
                    start = 0
                file.seek(start)
                lines = file.read().splitlines(keepends=True)
            if lines and not lines[-1].endswith(b"\n"):  # half written
                lines.pop()
            rows = [json.loads(line) for line in lines]
            epochs = [Epoch(**{key: row[key] for key in row if key != "seed"}) for row in rows]
        except (OSError, ValueError, TypeError):
            return [], 0
        return epochs, start + sum(map(len, lines))

    def save_result(self, seed: int, result: FitResult, sizes: ModelSizes) -> None:
        """Saves the kept model, then the result, which marks the seed as finished.

        Args:
            seed (int): The seed.
            result (FitResult): Its result.
            sizes (ModelSizes): Sizes of the model, to build it without its data.

        Raises:
            OSError: If a file cannot be written.
        """
        rule, kept = next(iter(result.rules.items()))
        scale = result.target_scale and result.target_scale._asdict()
        model = {"seed": seed, "rule": rule, **asdict(kept), "state_dict": result.state_dict}
        model |= {"sizes": sizes._asdict(), "target_scale": scale}
        buffer = BytesIO()  # torch.save reports a full disk as a RuntimeError
        torch.save(model, buffer)
        name = f"seed-{seed}.pt"
        write_atomically(self.path / name, lambda file: file.write(buffer.getbuffer()))
        rules = {rule: asdict(of_rule) for rule, of_rule in result.rules.items()}
        content = {"seed": seed, "seconds": result.seconds, "rules": rules, "target_scale": scale}
        content["files"] = {path.name: _digest(path.read_bytes()) for path in self._files(seed)}
        content["sha256"] = _digest(json.dumps(content).encode())
        self._write_json(f"seed-{seed}.json", content)

    def checkpoint(self, seed: int) -> Path:
        """The file of the state of an unfinished training."""
        return self.path / f"checkpoint-{seed}"

    def is_finished(self, seed: int) -> bool:
        """Whether the result of a seed exists."""
        return self._result(seed).exists()

    def load_result(self, seed: int) -> FitResult:
        """Returns the result of a finished seed.

        Raises:
            DamagedFileError: If one of its files is missing or has changed.
            OSError: If a file cannot be read.
        """
        path = self._result(seed)
        try:
            result = json.loads(path.read_bytes())
            if result.pop("sha256") != _digest(json.dumps(result).encode()):
                raise ValueError("its digest differs")
            for path in self._files(seed):
                if result["files"][path.name] != _digest(path.read_bytes()):
                    raise ValueError("its digest differs")
            path = self._result(seed)
            rows, model = self._files(seed)
            scale = result.get("target_scale")
            return FitResult(
                rules={rule: RuleResult(**values) for rule, values in result["rules"].items()},
                losses=[json.loads(row)["train_loss"] for row in rows.read_bytes().splitlines()],
                seconds=result["seconds"],
                state_dict=torch.load(model, weights_only=True)["state_dict"],
                target_scale=scale and TargetScale(**scale),
            )
        except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise DamagedFileError(
                f"{path}: missing or damaged ({error}): delete {self._result(seed)} and run "
                f"gatsparse train {self.path / 'config.yaml'} to train the seed again, or start a "
                "new run with --resume false"
            ) from error

    def load_sizes(self, seed: int) -> ModelSizes:
        """Returns the sizes of the model of a finished seed.

        Raises:
            DamagedFileError: If the file of the model is missing or damaged.
        """
        path = self.path / f"seed-{seed}.pt"
        try:
            return ModelSizes(**torch.load(path, weights_only=True)["sizes"])
        except (OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
            raise DamagedFileError(f"{path}: missing or damaged ({error})") from error

    def load_schema(self) -> GraphSchema | None:
        """Returns the schema of a graph in files; None for other data sets.

        Raises:
            DamagedFileError: If the file is damaged.
        """
        path = self.path / "schema.json"
        if not path.exists():
            return None
        try:
            return GraphSchema.from_dict(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DamagedFileError(f"{path}: damaged ({error}): train again") from error

    def load_feature_shift(self) -> float:
        """Returns what was subtracted from the features before their normalisation.

        Raises:
            DamagedFileError: If the file is missing or damaged.
        """
        path = self.path / "features.json"
        try:
            return float(json.loads(path.read_bytes())["shift"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DamagedFileError(f"{path}: missing or damaged ({error}): train again") from error

    def has_nodes(self, data: Data) -> bool:
        """Whether data have the nodes of the training, as :func:`load_task` returned them."""
        return self._recorded("nodes") == nodes_digest(data)

    def check_data(self, data: Data) -> None:
        """Raises :class:`ConfigError` if data of the training have changed since then."""
        if self._recorded("data") not in (None, data_digest(data)):
            raise ConfigError(
                f"data: the data of {self.path} have changed since its training: train again, or "
                "pass the folder of the files as --data to use the model on the new data"
            )

    def _recorded(self, key: str) -> str | None:
        recorded = _read_json(self.path / "environment.json")
        return recorded.get(key) if isinstance(recorded, dict) else None

    def save_summary(self, summary: dict[str, Any]) -> None:
        """Saves the summary; a summary of all seeds marks the run as finished."""
        self._write_json("summary.json", summary)

    def begin(self, config: TrainConfig, current: dict[str, Any], data: Data) -> None:
        """Saves the configuration, what is learned from the data, and the environment."""
        if (schema := data.get("schema")) is not None:
            self._write_json("schema.json", schema.to_dict())
        if (shift := data.get("feature_shift")) is not None:
            self._write_json("features.json", {"shift": shift})
        self._write_text("config.yaml", config_yaml(config.with_absolute_paths()))
        self._write_json("environment.json", current)

    def continues(self, config: TrainConfig, current: dict[str, Any]) -> bool:
        """Whether this is an unfinished run of this configuration and environment."""
        if _read_json(self.path / "environment.json") != current:
            return False
        summary = _read_json(self.path / "summary.json")
        complete = isinstance(summary, dict) and summary.get("seeds") == config.all_seeds
        if complete and all(map(self.is_finished, config.all_seeds)):
            return False
        try:
            return read_config(self.path / "config.yaml").essence() == config.essence()
        except ConfigError:
            return False

    def remove_torn_files(self) -> None:
        """Removes files that were being written when the run was killed."""
        for path in self.path.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def _rows(self, seed: int) -> Path:
        return self.path / f"seed-{seed}.jsonl"

    def _result(self, seed: int) -> Path:
        return self.path / f"seed-{seed}.json"

    def _files(self, seed: int) -> tuple[Path, Path]:
        return self._rows(seed), self.path / f"seed-{seed}.pt"

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        self._write_text(name, json.dumps(content, indent=2) + "\n")

    def _write_text(self, name: str, text: str) -> None:
        write_atomically(self.path / name, lambda file: file.write(text.encode()))


@contextmanager
def open_run_folder(config: TrainConfig, data: Data) -> Iterator[RunFolder]:
    """Yields the newest unfinished folder of this configuration, else a new one; locked.

    An unfinished run is resumed if all keys that affect the results, the data, the code, the
    versions, the device and the instruction sets are the same, and no other process is working on
    it. Other runs are never changed; a folder with damaged files is treated as another run. A
    finished run is resumed if the result of a seed was deleted.

    Args:
        config (TrainConfig): The configuration.
        data (torch_geometric.data.Data): Data of the training.

    Raises:
        ConfigError: If :obj:`run_dir` is a file, or the folder cannot be created; as in
            :func:`~gatsparse.train.device.find_device`.
        OSError: If a file in it cannot be written.
    """
    current = environment(config.threads, data, find_device(config.device))
    folder, lock = (config.resume and _unfinished(config, current)) or _new(config, current, data)
    try:
        yield folder
    finally:
        os.close(lock)


def _unfinished(config: TrainConfig, current: dict[str, Any]) -> tuple[RunFolder, int] | None:
    begun = config.run_dir.glob(f"{config.dataset_name}-{config.model.kind}-*/environment.json")
    for file in sorted(begun, key=_modified, reverse=True):
        folder = RunFolder(file.parent, continued=True)
        if not folder.continues(config, current) or (lock := _lock(folder.path)) is None:
            continue
        if folder.continues(config, current):  # again: it may have been finished meanwhile
            folder.remove_torn_files()
            return folder, lock
        os.close(lock)
    return None


def _modified(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _new(config: TrainConfig, current: dict[str, Any], data: Data) -> tuple[RunFolder, int]:
    try:
        config.run_dir.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(
            f"run_dir: expected a folder, got {config.run_dir}, which is a file or inside one"
        ) from error
    except OSError as error:
        raise _not_writable(config.run_dir, error) from error
    stem = f"{config.dataset_name}-{config.model.kind}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in count(1):
        folder = RunFolder(config.run_dir / (stem if number == 1 else f"{stem}-{number}"))
        try:
            folder.path.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise _not_writable(config.run_dir, error) from error
        lock = _lock(folder.path)
        assert lock is not None  # others lock only folders that have an environment.json
        try:
            folder.begin(config, current, data)
        except (Exception, KeyboardInterrupt):
            os.close(lock)
            rmtree(folder.path, ignore_errors=True)
            raise
        return folder, lock
    raise AssertionError("unreachable: count() does not end")


def _not_writable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"run_dir: expected a folder that can be written, got {path} ({error.strerror}): set it to "
        "another folder"
    )


def _lock(path: Path) -> int | None:
    """Locks a folder until the returned descriptor is closed; None if another process holds it."""
    descriptor = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _read_json(path: Path) -> Any:
    """Returns the content of a file, or None if it is missing, unreadable or damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
