"""Kills trainings and exact inferences at random moments, resumes them, and compares the results.

``python -m benchmarks.stress.killed``
"""

from __future__ import annotations

import argparse
import json
import pickle
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from gatsparse.data import open_features
from gatsparse.inference import infer
from gatsparse.nn import PaperGAT
from gatsparse.train import TrainConfig, load_task, parse_config
from gatsparse.train.checkpoint import read_checkpoint


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status.

    The exit status is 1 if a result differs, a file cannot be read, a process fails, or no process
    was killed while it was running.

    Args:
        arguments (list, optional): Command-line arguments.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stress.killed", description=__doc__)
    parser.add_argument("--config", default="configs/killed.yaml", help="training configuration")
    parser.add_argument("--kills", type=int, default=20, help="kills of training and of inference")
    parser.add_argument("--seconds", type=float, default=4.0, help="longest life of a training")
    parser.add_argument("--out", type=Path, default=Path("runs/killed"))
    parser.add_argument("--infer", type=Path, help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args(arguments)
    if options.infer is not None:
        _infer(parse_config(options.config), options.infer)
        return 0
    generator = random.Random(0)
    status = 0
    train = ["-c", "from gatsparse_cli import main; raise SystemExit(main())", "train"]
    train += [options.config, "--progress", "false", "--run_dir"]
    infer = ["-m", "benchmarks.stress.killed", "--config", options.config, "--infer"]
    for what, command, longest, compare in (
        ("training", train, options.seconds, _equal_runs),
        ("inference", infer, options.seconds / 4, _equal_outputs),
    ):
        killed, whole = (options.out / f"{what}-{name}" for name in ("killed", "whole"))
        for folder in (killed, whole):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        kills = 0
        try:
            while kills < options.kills and _life(command, killed, generator.uniform(0.0, longest)):
                kills += 1
            for folder in (killed, whole)[kills < options.kills :]:  # a process may have finished
                _run([*command, str(folder)])
            same = compare(killed, whole)
        except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
            print(f"{what}: FAILED after {kills} kills: {error}", flush=True)
            status = 1
            continue
        print(
            f"{what}: killed {kills} times, all files could be read; the result is "
            f"{'equal' if same else 'DIFFERENT'}, bit for bit",
            flush=True,
        )
        if kills == 0:
            print(f"{what}: FAILED, it ended before it was killed; set fewer --seconds")
        if kills == 0 or not same:
            status = 1
    return status


def _run(command: list[str]) -> None:
    """Runs a Python command.

    Raises:
        RuntimeError: If it fails.
    """
    code = subprocess.run(_python(command), check=False, stdout=subprocess.DEVNULL).returncode
    if code != 0:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {code}")


def _python(command: list[str]) -> list[str]:
    return [sys.executable, "-u", *command]


def _life(command: list[str], folder: Path, seconds: float) -> bool:
    """Starts a process, kills it some seconds after it begins to work, and reads its files.

    Returns whether the process was still running.
    """
    process = subprocess.Popen(_python([*command, str(folder)]), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "run folder" in line or line == "begins\n":
            break
    else:
        raise RuntimeError(
            f"{' '.join(command)} ended with exit code {process.wait()} at its start"
        )
    time.sleep(seconds)
    at_work = process.poll() is None
    process.kill()
    process.communicate()
    for path in folder.rglob("*"):
        if path.name.startswith("checkpoint-"):
            read_checkpoint(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.name.startswith("layer-"):
            open_features(path)
    return at_work


def _infer(config: TrainConfig, folder: Path) -> None:
    """Runs exact inference of a random model on the graph of a training."""
    torch.manual_seed(0)
    data = load_task(config)
    model = PaperGAT(data.num_features, 64, 16, num_layers=4).eval()
    x, edge_index = data["x"], data["edge_index"]
    print("begins", flush=True)
    infer(model, x, edge_index, max_memory="250MB", folder=folder)


def _equal_runs(one: Path, other: Path) -> bool:
    """Returns whether two run folders have the same epochs and the same model."""
    epochs, models = [], []
    for folder in (one, other):
        (run,) = folder.iterdir()
        epochs.append((run / "seed-0.jsonl").read_text())
        models.append(torch.load(run / "seed-0.pt", weights_only=True)["state_dict"])
    same = all(torch.equal(value, models[1][key]) for key, value in models[0].items())
    return epochs[0] == epochs[1] and same


def _equal_outputs(one: Path, other: Path) -> bool:
    return (one / "layer-4.npy").read_bytes() == (other / "layer-4.npy").read_bytes()


if __name__ == "__main__":
    sys.exit(main())
