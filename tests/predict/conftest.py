from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gatsparse.data import GraphFiles
from gatsparse.predict import FinishedRun, load_run
from gatsparse.train import ModelConfig, Output, SamplingConfig, TrainConfig, train

CLASSES = ("book", "game", "tool")


@pytest.fixture(autouse=True)
def _one_thread(threads):
    """Runs with one thread: these graphs are small."""
    threads(1)


def write_graph(folder: Path, first: int = 0, count: int = 180) -> Path:
    """Writes items of three kinds, most of whose links are to items of their kind."""
    rng = random.Random(first)
    nodes, edges = ["id,price,colour,label,size,red,round"], ["source,target"]
    for i in range(first, first + count):
        kind, colour = i % 3, rng.choice(["red", "blue"])
        price = f"{kind + rng.random():.3f}"
        labels = f"{price},{int(colour == 'red')},{kind % 2}"
        nodes.append(f"item-{i},{price},{colour},{CLASSES[kind]},{labels}")
        edges += [f"item-{i},item-{first + (i - first + k) % count}" for k in (1, 3, 9, 15)]
    folder.mkdir()
    (folder / "nodes.csv").write_text("\n".join(nodes) + "\n")
    (folder / "edges.csv").write_text("\n".join(edges) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of a graph of 180 nodes."""
    return write_graph(tmp_path / "shop")


@pytest.fixture
def trained(folder: Path, tmp_path: Path) -> Callable[..., FinishedRun]:
    """Trains for three epochs; returns the run."""
    files = GraphFiles(folder, features=["price", "colour"], standardize=True)
    base = TrainConfig(
        files,
        model=ModelConfig(hidden_channels=4, heads=2),
        sampling=SamplingConfig(batch_size=16, max_memory="1GB"),
        epochs=3,
        processes=1,
        run_dir=tmp_path / "runs",
    )

    def run(label: str | list[str] = "label", **options: object) -> FinishedRun:
        config = replace(base, **{"dataset": replace(files, label=label), **options})
        train(config, output=Output())
        (path,) = config.run_dir.iterdir()
        return load_run(path)

    return run
