"""A training for every seed, with its progress on the screen and its files on disk."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch_geometric import seed_everything

from gatsparse.train.full_batch import build_model, fit, load_task
from gatsparse.train.run_folder import RunFolder

if TYPE_CHECKING:
    from gatsparse.train.config import TrainConfig
    from gatsparse.train.full_batch import Epoch, FitResult


def train(config: TrainConfig) -> list[FitResult]:
    """Trains once for every seed, and writes a :class:`RunFolder`.

    Returns:
        list of FitResult: In the order of the seeds.

    Raises:
        ConfigError, DatasetNotFoundError, DatasetCorruptError: As :func:`load_task`.
        TrainingDivergedError: As :func:`fit`.
        OSError: If the run folder cannot be written.
    """
    data = load_task(config)
    folder = RunFolder(config)
    console = Console(highlight=False)
    console.print(f"run folder: {folder.path}", soft_wrap=True)
    results: list[FitResult] = []
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
        console=console,
        transient=True,
        disable=not (config.progress and console.is_terminal),
    ) as progress:
        for seed in config.seeds:
            task = progress.add_task(f"seed {seed}", total=config.epochs, state="")

            def on_epoch(epoch: Epoch, seed: int = seed, task=task) -> None:
                folder.append_epoch(seed, epoch)
                state = f"loss {epoch.train_loss:.4f}, val {epoch.val_acc:.1%}"
                progress.update(task, completed=epoch.epoch, state=state)

            seed_everything(seed)
            result = fit(build_model(config.model, data), data, config, on_epoch=on_epoch)
            progress.remove_task(task)
            results.append(result)
            folder.save_checkpoint(seed, result)
            folder.save_summary(_summary(config, results))
            console.print(
                f"seed {seed}: test {result.test_acc:.1%}, val {result.val_acc:.1%}, epoch "
                f"{result.best_epoch} of {result.epochs}, {result.seconds:.1f} s",
                soft_wrap=True,
            )
    console.print(_headline(config, results), soft_wrap=True)
    return results


def _summary(config: TrainConfig, results: list[FitResult]) -> dict[str, object]:
    test_acc = [result.test_acc for result in results]
    return {
        "dataset": config.dataset,
        "kind": config.model.kind,
        "seeds": config.seeds[: len(results)],
        "best_epoch": [result.best_epoch for result in results],
        "epochs": [result.epochs for result in results],
        "val_acc": [result.val_acc for result in results],
        "test_acc": test_acc,
        "seconds": [result.seconds for result in results],
        "test_acc_mean": fmean(test_acc),
        "test_acc_std": stdev(test_acc) if len(test_acc) > 1 else None,
    }


def _headline(config: TrainConfig, results: list[FitResult]) -> str:
    test_acc = [100 * result.test_acc for result in results]
    spread = f" +- {stdev(test_acc):.2f}" if len(test_acc) > 1 else ""
    return (
        f"{config.dataset}, {config.model.kind}: test accuracy {fmean(test_acc):.2f}{spread} %, "
        f"{len(test_acc)} seed(s)"
    )
