"""The errors in the guide about graphs in files are those of the code."""

import re
from pathlib import Path

import pytest

from gatsparse.data import GraphFileError, GraphFiles, load_files
from tests.data.graph_files.conftest import EDGES, NODES

PAGE = Path(__file__).parents[3] / "docs" / "guide" / "own_graph.md"
ROWS = re.findall(
    r"^\| (.*?) \| `(\S*(?:nodes|edges)\.csv.*?|dataset\..*?)` \|$", PAGE.read_text(), re.M
)

#: What is wrong in the files of the fixture, by the first column of the table.
FAULTS = {
    "an empty cell": ("nodes.csv", "b,2", "b,"),
    "text among numbers": ("nodes.csv", "d,4", "d,four"),
    "an id twice": ("nodes.csv", "c,3", "a,3"),
    "a cell too much": ("nodes.csv", "d,4", "d,4,2"),
    "an unknown split": ("nodes.csv", "val", "vall"),
    "a split without a part": ("nodes.csv", "val", "train"),
    "no label": ("nodes.csv", "label", "kind"),
    "one class only": ("nodes.csv", ",y,", ",x,"),
    "an unknown node": ("edges.csv", "c,d", "c,z"),
    "columns with other names": ("edges.csv", "source,target", "foo,bar"),
}


def test_every_row_is_tested():
    assert [fault for fault, _ in ROWS] == list(FAULTS)


@pytest.mark.parametrize(("fault", "message"), ROWS, ids=[fault for fault, _ in ROWS])
def test_message(folder, monkeypatch, fault, message):
    name, old, new = FAULTS[fault]
    (folder / "my_graph").mkdir()
    for file, content in {"nodes.csv": NODES, "edges.csv": EDGES}.items():
        text = content.replace(old, new) if file == name else content
        (folder / "my_graph" / file).write_text(text)
    monkeypatch.chdir(folder)
    with pytest.raises(GraphFileError) as caught:
        load_files(GraphFiles("my_graph"))
    assert str(caught.value) == message
