"""Kills trainings and exact inferences at random moments, lets them go on, and compares what they
end with: ``python -m benchmarks.killed``.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from gatsparse.inference import infer
from gatsparse.nn import PaperGAT
from gatsparse.train import TrainConfig, parse_config
from gatsparse.train.fitting import load_task


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status.

    Args:
        arguments (list, optional): Of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.killed", description=__doc__)
    parser.add_argument("--config", default="configs/killed.yaml", help="of the training")
    parser.add_argument("--kills", type=int, default=20, help="of each")
    parser.add_argument("--seconds", type=float, default=4.0, help="the longest life of a process")
    parser.add_argument("--out", type=Path, default=Path("runs/killed"))
    parser.add_argument("--infer", type=Path, help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args(arguments)
    if options.infer is not None:
        _infer(parse_config(options.config), options.infer)
        return 0
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    random.seed(0)
    equal = True
    train = ["-c", "from gatsparse.cli import main; raise SystemExit(main())", "train"]
    train += [options.config, "--progress", "false", "--run_dir"]
    infer = ["-m", "benchmarks.killed", "--config", options.config, "--infer"]
    for what, command, compare in (
        ("training", train, _equal_runs),
        ("inference", infer, _equal_outputs),
    ):
        killed, whole = (options.out / f"{what}-{name}" for name in ("killed", "whole"))
        lives = [
            _life([*command, str(killed)], random.uniform(0.0, options.seconds), killed)
            for _ in range(options.kills)
        ]
        for folder in (killed, whole):
            subprocess.run(_python([*command, str(folder)]), check=True, stdout=subprocess.DEVNULL)
        same = compare(killed, whole)
        equal &= same
        print(
            f"{what}: {lives.count(True)} of {len(lives)} processes killed at work, every file "
            f"they left could be read; result {'equal' if same else 'DIFFERENT'}, bit for bit",
            flush=True,
        )
    return 0 if equal else 1


def _python(command: list[str]) -> list[str]:
    return [sys.executable, "-u", *command]


def _life(command: list[str], seconds: float, folder: Path) -> bool:
    """Starts a process, kills it so long after its first line about its work, and reads what it
    left; whether it was still at work.
    """
    process = subprocess.Popen(_python(command), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "run folder" in line or line == "begins\n":
            break
    else:
        raise RuntimeError("the process ended before it began")
    time.sleep(seconds)
    at_work = process.poll() is None
    process.kill()
    process.communicate()
    for checkpoint in folder.glob("*/checkpoint-*"):
        torch.load(checkpoint, weights_only=True)
    return at_work


def _infer(config: TrainConfig, folder: Path) -> None:
    """Exact inference of a model of random weights on the graph of a training."""
    torch.manual_seed(0)
    data = load_task(config)
    model = PaperGAT(data.num_features, 16, 16, num_layers=3).eval()
    x, edge_index = data["x"], data["edge_index"]
    print("begins", flush=True)
    infer(model, x, edge_index, max_memory="250MB", folder=folder)


def _equal_runs(one: Path, other: Path) -> bool:
    """Whether two run folders have the same epochs and the same model."""
    epochs, models = [], []
    for folder in (one, other):
        (run,) = folder.iterdir()
        epochs.append((run / "seed-0.jsonl").read_text())
        models.append(torch.load(run / "seed-0.pt", weights_only=True)["state_dict"])
    same = all(torch.equal(value, models[1][key]) for key, value in models[0].items())
    return epochs[0] == epochs[1] and same


def _equal_outputs(one: Path, other: Path) -> bool:
    return (one / "layer-3.npy").read_bytes() == (other / "layer-3.npy").read_bytes()


if __name__ == "__main__":
    sys.exit(main())
