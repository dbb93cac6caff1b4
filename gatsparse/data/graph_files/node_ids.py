"""Ids of nodes, of any kind, and the numbers of the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gatsparse.checks import check_instance, check_integer
from gatsparse.data.graph_files.arrow import compute, empty_cells, index_in
from gatsparse.data.graph_files.table import GraphFileError, Table

if TYPE_CHECKING:
    import pyarrow as pa


class NodeIds:
    """The id of each node: text, an integer, or the number of the node itself.

    Integers and text are the same id if they are written the same: ``7`` and ``"7"``, but not
    ``"07"``.

    Args:
        values (pyarrow.Array, optional): Ids as text or as 64-bit integers, each once.
            (default: nodes are their own ids)
        num_nodes (int, optional): Number of nodes, if there are no :obj:`values`.

    Example:
        >>> import pyarrow
        >>> from gatsparse.data import NodeIds
        >>> ids = NodeIds(pyarrow.array(["anna", "ben"]))
        >>> ids[1], ids.find(pyarrow.array(["ben", "carl"])).tolist()
        ('ben', [1, -1])
    """

    def __init__(self, values: pa.Array | None = None, num_nodes: int = 0) -> None:
        check_integer("num_nodes", num_nodes, least=0)
        if values is not None:
            import pyarrow as pa

            check_instance("values", values, pa.Array, "a pyarrow.Array")
        self.values = values
        self.num_nodes = num_nodes if values is None else len(values)

    def __len__(self) -> int:
        return self.num_nodes

    def __getitem__(self, node: int) -> str | int:
        """Id of a node.

        Raises:
            IndexError: If the node is out of range.
        """
        if not 0 <= node < self.num_nodes:
            raise IndexError(f"node: expected 0 .. {self.num_nodes - 1}, got {node}")
        return int(node) if self.values is None else self.values[int(node)].as_py()

    def find(self, ids: pa.Array) -> np.ndarray:
        """Returns the numbers of the nodes with these ids.

        Args:
            ids (pyarrow.Array): Ids as text or integers.

        Returns:
            numpy.ndarray: int64 ``[len(ids)]``; -1 if there is no such node.

        Raises:
            TypeError: If :obj:`ids` is no array of text or integers.
        """
        import pyarrow as pa

        check_instance("ids", ids, pa.Array, "a pyarrow.Array")
        kind = ids.type
        if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or kind == pa.large_string()):
            raise TypeError(f"ids: expected text or integers, got {kind}")
        if self.values is None:
            numbers = ids if pa.types.is_integer(ids.type) else _as_integers(ids)
            found = numbers.to_numpy(zero_copy_only=False)
            return np.where((found >= 0) & (found < self.num_nodes), found, -1)
        values = self.values
        if pa.types.is_integer(values.type) != pa.types.is_integer(ids.type):
            values, ids = (_as_text(array) for array in (values, ids))
        elif values.type != ids.type:
            ids = ids.cast(values.type)
        return index_in(ids, values).astype(np.int64)

    def take(self, nodes: np.ndarray) -> NodeIds:
        """Returns the ids of some nodes, which are numbered in this order."""
        import pyarrow as pa

        if self.values is None:
            return NodeIds(pa.array(nodes.astype(np.int64)))
        return NodeIds(self.values.take(pa.array(nodes)))

    def array(self) -> pa.Array:
        """Returns the ids of all nodes."""
        import pyarrow as pa

        return pa.array(np.arange(self.num_nodes)) if self.values is None else self.values


def read_ids(
    table: Table, name: str, column: Any, first_row: int = 0, unit: str = "node"
) -> pa.Array:
    """Returns a column of a table as ids: large strings or int64.

    Args:
        table (Table): The table, for messages.
        name (str): Name of the column.
        column (pyarrow.Array): Some of its rows.
        first_row (int, optional): Number of the first of these rows.
        unit (str, optional): What has the ids, for messages.

    Raises:
        GraphFileError: If the column holds neither text, UUIDs nor integers that int64 holds, or a
            cell is empty.
    """
    try:
        ids = _id_array(column)
    except ValueError as error:
        raise GraphFileError(f"{table.path}: column {name!r}: {error}") from error
    empty = empty_cells(ids)
    if compute().any(empty).as_py():
        row = first_row + int(compute().index(empty, True).as_py())
        raise GraphFileError(
            f"{table.path}: {table.place(row)}: column {name!r}: expected the id of a {unit}, got "
            "an empty cell"
        )
    return ids


def read_unique_ids(table: Table, name: str, column: Any) -> NodeIds:
    """Returns the ids of the nodes of a table.

    Raises:
        GraphFileError: As in :func:`read_ids`, or if an id occurs twice.
    """
    ids = read_ids(table, name, column)
    if compute().count_distinct(ids).as_py() < len(ids):
        codes = ids.dictionary_encode().indices.to_numpy()
        _, first = np.unique(codes, return_index=True)
        again = int(np.setdiff1d(np.arange(len(codes)), first)[0])
        before = int(np.flatnonzero(codes == codes[again])[0])
        raise GraphFileError(
            f"{table.path}: {table.place(again)}: column {name!r}: expected every id once, got "
            f"{ids[again].as_py()!r} again, first in {table.place(before)}"
        )
    return NodeIds(ids)


def _id_array(column: Any) -> Any:
    import pyarrow as pa
    from pyarrow import types

    if isinstance(column, np.ndarray):
        raise ValueError("expected ids as text or integers, got vectors")
    dtype = column.type
    if str(dtype) == "extension<arrow.uuid>":
        import uuid

        raw = column.storage.to_pylist()
        texts = [None if value is None else str(uuid.UUID(bytes=value)) for value in raw]
        return pa.array(texts, pa.large_string())
    if types.is_integer(dtype):
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise ValueError("expected ids below 2**63: write larger ones as text") from error
    if types.is_string(dtype) or types.is_large_string(dtype) or types.is_binary(dtype):
        return column.cast(pa.large_string())
    raise ValueError(f"expected ids as text or integers, got {dtype}: convert the column")


def _as_text(ids: Any) -> Any:
    import pyarrow as pa

    return ids.cast(pa.large_string())


def _as_integers(ids: Any) -> Any:
    """The integers that are written as text without signs or leading zeros; -1 for other ids."""
    import pyarrow as pa

    plain = compute().match_substring_regex(ids, "^(0|[1-9][0-9]{0,17})$")
    return compute().if_else(plain, ids, "-1").cast(pa.int64())
