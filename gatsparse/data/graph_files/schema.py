"""Columns of features and classes that a model expects of a graph."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Column:
    """A column of features, and how it becomes numbers.

    Args:
        name (str): Its name.
        kind (str): ``"number"``, ``"category"`` (one feature for each category) or ``"vector"``.
        size (int): Number of features.
        categories (list of str): The categories in the order of their features.
        fill (float, optional): Mean of the numbers, which replaces missing ones with
            ``missing="mean"``. (default: not known)
        mean, std (float): What is subtracted from numbers, and by what they are divided then.

    Example:
        >>> from gatsparse.data import Column
        >>> Column("colour", "category", size=2, categories=["blue", "red"]).size
        2
    """

    name: str
    kind: Literal["number", "category", "vector"]
    size: int = 1
    categories: list[str] = field(default_factory=list)
    fill: float | None = None
    mean: float = 0.0
    std: float = 1.0


@dataclass(frozen=True)
class GraphSchema:
    """The columns of features of a graph in files, its classes and its task.

    A model that was trained on one graph can be applied to another one with the same schema.

    Args:
        columns (list of Column): Columns of the features of nodes; empty if they are a matrix.
        num_features (int): Number of features of a node.
        edge_columns (list of Column): Columns of the features of edges.
        classes (list of str): Names of the classes, of the labels, or of the regression targets.

    Example:
        >>> from gatsparse.data import Column, GraphSchema
        >>> schema = GraphSchema([Column("age", "number")], 1, [], ["child", "adult"])
        >>> GraphSchema.from_dict(schema.to_dict()) == schema
        True
    """

    columns: list[Column]
    num_features: int
    edge_columns: list[Column]
    classes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Returns the schema as values of JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> GraphSchema:
        """Returns the schema of :meth:`to_dict`.

        Raises:
            TypeError, KeyError: If it is another dictionary.
        """
        columns, edge_columns = (
            [Column(**column) for column in values[key]] for key in ("columns", "edge_columns")
        )
        return GraphSchema(columns, values["num_features"], edge_columns, list(values["classes"]))
