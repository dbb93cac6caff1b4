"""The rows of a run, combined over its rounds and seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple, get_args

from benchmarks import config as configs
from benchmarks import plan, recipe
from benchmarks.config import BenchConfig
from benchmarks.plan import Task
from benchmarks.rows import (
    Key,
    Measurement,
    ModelMeasurement,
    Row,
    TimedLayer,
    Values,
    read,
)


def save_settings(folder: Path, config: BenchConfig, environment: Mapping[str, str | int]) -> None:
    """Writes the settings of a run, which determine the rows that count, into its folder."""
    configs.save(config, folder / "config.yaml")
    (folder / "environment.json").write_text(json.dumps(environment, indent=2))


class Training(NamedTuple):
    """A timed training.

    Args:
        seconds (float): Wall time of all its epochs.
        scaled_from (int, optional): The epochs that were run, if the time is scaled up from them.
        accuracy (float, optional): Test accuracy, 0 .. 1, if the training was not stopped early.
    """

    seconds: float
    scaled_from: int | None
    accuracy: float | None


@dataclass(frozen=True)
class Summary:
    """Results of a run so far.

    Args:
        config (BenchConfig): Configuration of the run.
        environment (dict): Environment of its last execution.
        rows (dict): All rows of its folder, including those of other settings.
    """

    config: BenchConfig
    environment: Mapping[str, str | int]
    rows: Mapping[Key, Row]

    @classmethod
    def load(cls, folder: Path) -> Summary:
        """Reads a run's folder.

        Raises:
            ValueError: If the folder is not that of a run.
        """
        rows = read(folder / "results.jsonl")
        path = folder / "environment.json"
        if not path.exists() and not rows:
            raise ValueError(f"{folder}: expected the folder of a run, got no {path.name}")
        config = configs.parse(folder / "config.yaml")
        if not path.exists():  # published results: the environment of the last row
            return cls(config, list(rows.values())[-1].environment, rows)
        try:
            return cls(config, json.loads(path.read_text()), rows)
        except ValueError as error:
            raise ValueError(f"{path}: expected JSON, {error}; delete the file") from error

    def row(self, task: Task) -> Row | None:
        """Returns the row of a measurement, or None if it was not made."""
        return self.rows.get(plan.key(task, self.config, self.environment))

    def failed(self) -> list[Row]:
        """Returns the rows that explain missing values of the configuration, once each.

        An unavailable data set does not count if the configuration has a fallback.
        """
        causes: dict[Key, Row] = {}
        for task in self.tasks():
            row = self.row(task) or self.problem(*task[:3])
            if row is not None and row.status != "ok":
                causes[row.key] = row
        return list(causes.values())

    def unfinished(self) -> list[Task]:
        """Returns the measurements that an interrupted run can still make."""
        return [
            task
            for task in self.tasks()
            if self.row(task) is None and self.problem(*task[:3]) is None
        ]

    def tasks(self) -> list[Task]:
        """Returns the measurements of the configuration."""
        names = self.datasets()
        if self.config.fallback is None:
            names = list(dict.fromkeys([*names, *self.config.datasets]))
        tasks = [task for name in names for task in plan.tasks(self.config, name)]
        for name in plan.graphs(self.config):
            tasks += [plan.graph(name), *plan.layer_tasks(self.config, name)]
        return tasks

    def without_section(self) -> list[Row]:
        """Returns the rows of unavailable data sets and graphs, which have no section."""
        rows = [self.row(plan.reference(name)) for name in self.config.datasets]
        missing = [row for row in rows if row is not None and row.status == "unavailable"]
        graphs = [self.row(plan.graph(name)) for name in plan.graphs(self.config)]
        return missing + [row for row in graphs if row is not None and row.status != "ok"]

    def datasets(self) -> list[str]:
        """Returns the data sets that were measured on."""
        missing = {row.dataset for row in self.without_section() if row.measurement == "reference"}
        return plan.datasets(self.config, lambda name: name not in missing)

    def graphs(self) -> dict[str, Values]:
        """Returns the sizes of the graphs that layers were measured on."""
        rows = {name: self.row(plan.graph(name)) for name in plan.graphs(self.config)}
        return {name: row.values for name, row in rows.items() if row and row.status == "ok"}

    def all(self, dataset: str, contender: str, measurement: Measurement) -> list[Row]:
        """Returns the rows of a measurement in all rounds, or of all seeds."""
        task = Task(dataset, contender, measurement)
        if measurement in get_args(TimedLayer):
            turns = [task._replace(round=turn) for turn in range(self.config.rounds)]
        elif measurement in get_args(ModelMeasurement):
            tasks = plan.tasks(self.config, dataset)
            turns = [found for found in tasks if found[:3] == task[:3]]
        else:
            turns = [task]
        rows = [self.row(turn) for turn in turns]
        return [row for row in rows if row is not None]

    def problem(self, dataset: str, contender: str, measurement: Measurement) -> Row | None:
        """Returns the row that explains why a measurement has no values, or None."""
        for requirement in plan.requirements(Task(dataset, contender, measurement)):
            problem = self.problem(*requirement[:3])
            if problem is not None:
                return problem
        rows = self.all(dataset, contender, measurement)
        return next((row for row in rows if row.status != "ok"), None)

    def training(self, dataset: str, contender: str) -> Training | None:
        """Returns the training of the recipe, or None if it was not timed."""
        rows = self.all(dataset, contender, "recipe")
        if not rows or self.problem(dataset, contender, "recipe") is not None:
            return None
        values, epochs = rows[0].values, self.config.recipe.epochs
        assert values.first_epoch is not None
        assert values.seconds is not None
        assert values.epochs is not None
        return Training(
            recipe.whole(values.first_epoch, values.seconds, values.epochs, epochs),
            None if values.epochs == epochs else values.epochs,
            values.accuracy,
        )

    def times(self, dataset: str, contender: str, measurement: Measurement) -> Values | None:
        """Returns time and memory: medians over the rounds, and the sum of the repetitions."""
        rows = self.all(dataset, contender, measurement)
        if not rows or self.problem(dataset, contender, measurement) is not None:
            return None

        def middle(name: str) -> float:
            return median(getattr(row.values, name) for row in rows)

        has_floor = rows[0].values.floor is not None

        return Values(
            median=middle("median"),
            p10=middle("p10"),
            p90=middle("p90"),
            repetitions=sum(row.values.repetitions or 0 for row in rows),
            floor=middle("floor") if has_floor else None,
            baseline=int(middle("baseline")),
            peak=int(middle("peak")),
        )
