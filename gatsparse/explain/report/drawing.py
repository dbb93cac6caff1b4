"""Positions of the nodes and edges of a flow in its drawing."""

from __future__ import annotations

from typing import NamedTuple

from gatsparse.explain.flow import Flow, FlowEdge, FlowNode

_STEP, _ROW, _MARGIN, _TOP = 230, 36, 150, 48


class Dot(NamedTuple):
    """A node of the drawing.

    Args:
        node (FlowNode): The node.
        x, y, radius (float): Its circle.
        label_x, label_y, anchor: Its label: outside in the first and last column, else above.
        key (str): Its column and row, which edges refer to.
    """

    node: FlowNode
    x: float
    y: float
    radius: float
    label_x: float
    label_y: float
    anchor: str
    key: str


class Link(NamedTuple):
    """An edge of the drawing.

    Args:
        source, target (Dot): Its ends.
        attention (float): Its attention.
        layer (int): Its layer.
        path (str): Its curve.
        width (float): Its stroke.
    """

    source: Dot
    target: Dot
    attention: float
    layer: int
    path: str
    width: float


class Drawing(NamedTuple):
    """The drawing of a flow.

    Args:
        width, height (int): Its size.
        columns (list): :class:`Dot` of each column.
        links (list of Link): Strongest last, so that they are on top.
    """

    width: int
    height: int
    columns: list[list[Dot]]
    links: list[Link]


def drawing_of(flow: Flow) -> Drawing:
    """Returns the drawing of a flow, with a column for the nodes before each layer.

    Args:
        flow (Flow): The flow.
    """
    rows = max(map(len, flow.columns))
    columns = [
        [
            _dot(node, k, row, len(flow.columns), rows, len(column))
            for row, node in enumerate(column)
        ]
        for k, column in enumerate(flow.columns)
    ]
    links = [
        _link(edge, layer, columns[layer][edge.source], columns[layer + 1][edge.target])
        for layer, edges in enumerate(flow.edges)
        for edge in edges
    ]
    width = 2 * _MARGIN + _STEP * (len(columns) - 1)
    links.sort(key=lambda link: link.attention)
    return Drawing(width, _TOP + rows * _ROW + 8, columns, links)


def _dot(node: FlowNode, column: int, row: int, columns: int, rows: int, count: int) -> Dot:
    x = _MARGIN + column * _STEP
    y = _TOP + _ROW * (row + 0.5 + (rows - count) / 2)
    radius = 4 + 7 * node.share**0.5
    if column == 0:
        label = (x - radius - 6, y + 4, "end")
    elif column == columns - 1:
        label = (x + radius + 6, y + 4, "start")
    else:
        label = (x, y - radius - 4, "middle")
    return Dot(node, x, y, radius, *label, f"{column}-{row}")


def _link(edge: FlowEdge, layer: int, source: Dot, target: Dot) -> Link:
    middle = (source.x + target.x) / 2
    path = (
        f"M{source.x:.0f},{source.y:.1f}"
        f"C{middle:.0f},{source.y:.1f} {middle:.0f},{target.y:.1f} {target.x:.0f},{target.y:.1f}"
    )
    return Link(source, target, edge.attention, layer, path, 0.8 + 9 * edge.attention)
