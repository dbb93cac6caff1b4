"""Mutated configurations and files of runs: each is read correctly or raises a documented error.

``python -m tests.train.fuzz_files --count 10000 --seed 0`` checks 10000 files and prints the first
failures of each kind. The test suite checks some of them.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from gatsparse.train import (
    ConfigError,
    TrainConfig,
    build_model,
    fit,
    load_task,
    model_sizes,
    parse_config,
)
from gatsparse.train.checkpoint import _MAGIC, Checkpoint
from gatsparse.train.config import ModelConfig, SyntheticConfig
from gatsparse.train.errors import DamagedFileError
from gatsparse.train.run_folder import RunFolder

_SECONDS = 20  # of one input; more is a hang
_TRAINING = "the training"

EXECUTED: list[str] = []


class Command:
    """A pickle that shows when it is loaded."""

    def __reduce__(self):
        return EXECUTED.append, ("executed",)


_YAML = """\
dataset: digits
mode: full
epochs: 5
seeds: 2
stopping: [val_score, val_loss]
model:
  kind: gat
  heads: 4
  hidden_channels: 8
  dropout: 0.5
optim:
  lr: 0.01
  weight_decay: 0.0005
"""
_TOKENS = [
    *(
        "null",
        "true",
        "-1",
        "0",
        "1e400",
        ".nan",
        "[]",
        "{}",
        "''",
        "*a",
        "&a 1",
        "!!python/name:x",
    ),
    *("- 1", ": :", "epochs: 7", "model: 3", "\t", "\x00", "é", "0x10", "9" * 40, "~", "<<: *a"),
]


def mutated(rng: random.Random, content: bytes) -> bytes:
    """The content with a few bytes changed, cut, doubled, or replaced as a whole."""
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(changed) + 1)
        length = rng.choice([1, 1, 4, 40])
        what = rng.randrange(5)
        if what == 0 and changed:
            changed[min(at, len(changed) - 1)] = rng.randrange(256)
        elif what == 1:
            del changed[at : at + length]
        elif what == 2:
            changed[at:at] = changed[at : at + length]
        elif what == 3:
            changed[at:at] = rng.choice(_TOKENS).encode()
        else:
            del changed[at:]
    return bytes(changed)


def outcome(expected: type[Exception], call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """The result of a call, or the documented error that it raises."""
    try:
        return call(), None
    except expected as error:
        return None, error


class Files:
    """A finished run and a checkpoint, from which inputs are made.

    Args:
        path (Path): An empty folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        synthetic = SyntheticConfig(num_nodes=60, num_edges=300, num_classes=3, num_features=4)
        model = ModelConfig(hidden_channels=2, heads=1, num_layers=2)
        self.config = TrainConfig("sbm", synthetic=synthetic, model=model, epochs=3, patience=3)
        self.data = load_task(self.config)
        self.file = path / "checkpoint"
        checkpoint = Checkpoint(self.file, training=_TRAINING)
        torch.manual_seed(0)
        self.result = self._fit(checkpoint)
        self.folder = RunFolder(path)
        with self.folder.metrics(0) as append:
            for epoch in self.epochs:
                append(epoch)
        self.folder.save_result(0, self.result, model_sizes(self.data))
        self.checkpoint = self._interrupted(checkpoint)
        self.originals = {
            name: (path / name).read_bytes()
            for name in ("seed-0.json", "seed-0.jsonl", "seed-0.pt")
        }

    def _fit(self, checkpoint: Checkpoint | None = None, stop_after: int | None = None):
        self.epochs = []

        def on_epoch(epoch):
            self.epochs.append(epoch)
            if stop_after is not None and epoch.epoch > stop_after:
                raise KeyboardInterrupt

        model = build_model(self.config.model, self.data)
        return fit(model, self.data, self.config, on_epoch=on_epoch, checkpoint=checkpoint)

    def _interrupted(self, checkpoint: Checkpoint) -> bytes:
        torch.manual_seed(0)
        try:
            self._fit(checkpoint, stop_after=1)
        except KeyboardInterrupt:
            return self.file.read_bytes()
        raise AssertionError("the training was not interrupted")

    # Inputs #######################################################################

    def configuration(self, rng: random.Random) -> None:
        """A configuration is parsed, or refused with a ConfigError."""
        file = self.path / "config.yaml"
        file.write_bytes(mutated(rng, _YAML.encode()))
        config, error = outcome(ConfigError, lambda: parse_config(file))
        assert isinstance(config, TrainConfig) or "\n" not in str(error)

    def damaged_checkpoint(self, rng: random.Random) -> None:
        """A training continues to the same end, or the file is refused and named."""
        content = mutated(rng, self.checkpoint)
        self._continue(content, unchanged=content == self.checkpoint)

    def foreign_checkpoint(self, rng: random.Random) -> None:
        """A file with a right digest and another content: a state that does not fit."""
        begin = len(_MAGIC) + sha256().digest_size
        payload = self.checkpoint[begin:]
        kind = rng.randrange(3)
        if kind == 0:
            payload = mutated(rng, payload)
        elif kind == 1:
            payload = pickle.dumps(Command())
        else:
            state = torch.load(io.BytesIO(payload), weights_only=True)
            key = rng.choice(sorted(state))
            if rng.random() < 0.5:
                del state[key]
            else:
                state[key] = rng.choice([None, -1, "x", [], {}, torch.zeros(3)])
            buffer = io.BytesIO()
            torch.save(state, buffer)
            payload = buffer.getvalue()
        same = payload == self.checkpoint[begin:]
        self._continue(_MAGIC + sha256(payload).digest() + payload, unchanged=same, exact=kind != 2)

    def _continue(self, content: bytes, *, unchanged: bool, exact: bool = True) -> None:
        self.file.write_bytes(content)
        torch.manual_seed(1)
        checkpoint = Checkpoint(self.file, training=_TRAINING)
        result, error = outcome(DamagedFileError, lambda: self._fit(checkpoint))
        if error is not None:
            assert not unchanged
            assert str(self.file) in str(error)
            assert "--resume false" in str(error)
        elif exact:
            assert (result.losses, result.rules) == (self.result.losses, self.result.rules)

    def result_file(self, rng: random.Random) -> None:
        """A file of a finished seed is what was written, or refused and named."""
        name = rng.choice(sorted(self.originals))
        content = mutated(rng, self.originals[name])
        if name == "seed-0.json" and rng.random() < 0.5:
            values = json.loads(self.originals[name])
            values[rng.choice(sorted(values))] = rng.choice([None, -1, "x", [], {}])
            content = json.dumps(values).encode()
        file = self.path / name
        file.write_bytes(content)
        result, error = outcome(DamagedFileError, lambda: self.folder.load_result(0))
        file.write_bytes(self.originals[name])
        if error is not None:
            assert str(self.path) in str(error)
        else:
            assert (result.losses, result.rules) == (self.result.losses, self.result.rules)

    def record_of_a_run(self, rng: random.Random) -> None:
        """A damaged record of another run is not taken for this one, and raises nothing."""
        current = {"code": "1", "versions": {"torch": "2"}}
        self.folder.begin(self.config, current, self.data)
        name = rng.choice(["config.yaml", "environment.json", "summary.json"])
        file = self.path / name
        original = file.read_bytes() if file.exists() else b'{"seeds": [0]}'
        file.write_bytes(mutated(rng, original))
        assert self.folder.continues(self.config, current) in (True, False)
        assert not self.folder.continues(self.config, {"code": "2"})
        (self.path / "summary.json").unlink(missing_ok=True)

    def run(self, seed: int) -> None:
        """Makes one input and checks it.

        Raises:
            Exception: If it is neither right nor refused as documented.
        """
        rng = random.Random(seed)
        inputs: list[Callable[[random.Random], None]] = [
            *[self.configuration] * 3,
            *[self.damaged_checkpoint] * 2,
            self.foreign_checkpoint,
            self.result_file,
            self.record_of_a_run,
        ]
        make = rng.choice(inputs)
        start = time.monotonic()
        try:
            make(rng)
            assert not EXECUTED, "code of the file was executed"
            assert time.monotonic() - start < _SECONDS, "it hangs"
        except Exception as error:
            error.add_note(f"{make.__name__}, seed {seed}")
            raise


def _failure(files: Files, seed: int) -> Exception | None:
    try:
        files.run(seed)
    except Exception as error:
        return error
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    failures: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder))
        for seed in range(arguments.seed, arguments.seed + arguments.count):
            if (error := _failure(files, seed)) is not None:
                kind = f"{type(error).__name__}: {str(error)[:80]}"
                failures[kind] += 1
                if failures[kind] == 1:
                    traceback.print_exception(error, limit=-4)
    print(f"{arguments.count} inputs, {sum(failures.values())} failures")
    for kind, count in failures.most_common():
        print(f"{count:6} {kind}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
