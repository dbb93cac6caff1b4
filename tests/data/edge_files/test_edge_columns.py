"""Which columns of a table are sources and destinations."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from gatsparse.data.edge_files.columns import find_pair, recognize_columns
from gatsparse.data.edge_list import EdgeListError, read_edge_list

SUFFIXES = [".parquet", ".csv", ".txt"]
PAIRS = [
    ("src", "dst"),
    ("src", "dest"),
    ("src", "destination"),
    ("source", "target"),
    ("source", "destination"),
    ("from", "to"),
    ("u", "v"),
    ("s", "t"),
    ("row", "col"),
    ("row", "column"),
    ("head", "tail"),
    ("start", "end"),
    ("subject", "object"),
    ("sender", "receiver"),
    ("CITING", "CITED"),
    ("origin", "destination"),
    ("parent", "child"),
    ("follower", "followee"),
    ("node1", "node2"),
    ("node_0", "node_1"),
    ("id_1", "id_2"),
]
STYLES = ["{}", "{}_id", "{}ID", "{}_node", "node_{}", "{}NodeId", "{}-idx"]
OTHERS = [
    "edge_id",
    "eid",
    "id",
    "timestamp",
    "time",
    "weight",
    "label",
    "year",
    "edge_weight",
    "ts",
    "age",
    "amount",
]
#: Names that do not contradict the order of the columns.
IN_ORDER = [
    ("a", "b"),
    ("user", "item"),
    ("item", "user"),
    ("0", "1"),
    ("x", "y"),
    ("node", "neighbor"),
    ("node", "node.1"),
    ("gene_id", "drug_id"),
    ("movieId", "userId"),
]
#: Names of the destination and the source.
BACKWARDS = [
    *("targets,sources", "idx_dst,idx_src", "dsts,srcs", "cols,rows", "to_user,from_user"),
    *("to_address,from_address", "dst_user_id,src_user_id", "target_paper,source_paper"),
    *("cited_paper_id,citing_paper_id", "target_x,source_x", "V2,V1", "n2,n1", "node_b,node_a"),
    *("second,first", "callee,caller", "ending,starting", "j,i", "b,a", "touser,fromuser"),
    *("employee,employer", "node.1,node", "edge_to,edge_from", "dstIDs,srcIDs", "vertexB,vertexA"),
    *("c,r", "col_idxs,row_idxs"),
]
#: Two names that raise: attributes, one end, unclear directions, or unknown names.
REFUSED = [
    *("node,community", "node,cluster", "node,y", "node,epoch", "a,capacity", "unix,node"),
    *("node_id,community_id", "user,user_group", "source_type,target_type", "lat1,lat2"),
    *("in,out", "out_node,in_node", "target,user", "dst_src,src_dst", "user_id,to", "start,target"),
    *("foo,bar", "node,weird", "t,u", "p,c", "id,node", "valid_from,valid_to", "a,a", "x1,x9"),
]

VALUES = {"source": [1, 2, 3], "destination": [4, 5, 6], "other": [7, 8, 9]}


def write(path: Path, columns: list[tuple[str, str]]) -> Path:
    """Writes a table with a column for each name and key of VALUES."""
    names = [name for name, _ in columns]
    values = [VALUES[key] for _, key in columns]
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(list(map(pa.array, values)), names=names), path)
        return path
    delimiter = {".csv": ",", ".tsv": "\t", ".txt": " "}[path.suffix]
    rows = [names, *zip(*values, strict=True)]
    path.write_text("".join(delimiter.join(map(str, row)) + "\n" for row in rows))
    return path


def read(path: Path, **options) -> list[list[int]]:
    return read_edge_list(path, **options).tolist()


RIGHT = [VALUES["source"], VALUES["destination"]]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("pair", PAIRS)
def test_usual_names_in_any_order(pair: tuple[str, str], style: str):
    for case in (str, str.upper, str.title):
        source, destination = (case(style.format(name)) for name in pair)
        for order in permutations([source, destination, "edge_id", "weight"]):
            expected = order.index(source), order.index(destination)
            assert recognize_columns(order) == expected
            assert find_pair(order) == expected
        assert recognize_columns([source, destination]) == (0, 1)
        assert recognize_columns([destination, source]) == (1, 0)


@pytest.mark.parametrize("other", OTHERS)
def test_other_integer_columns_are_not_taken_for_nodes(other: str):
    for order in permutations(["src", "dst", other, f"{other}2"]):
        assert recognize_columns(order) == (order.index("src"), order.index("dst"))
    for order in permutations(["a", other]):
        with pytest.raises(ValueError, match=f"'{other}'.*columns="):
            recognize_columns(order)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_of_files(tmp_path: Path, suffix: str):
    columns = [("edge_id", "other"), ("To", "destination"), ("FROM", "source"), ("ts", "other")]
    assert read(write(tmp_path / f"e{suffix}", columns)) == RIGHT
    path = write(tmp_path / f"e{suffix}", columns[:2])
    with pytest.raises(EdgeListError, match=r"'edge_id', 'To': name them with columns="):
        read(path)
    assert read(path, columns=("edge_id", "To")) == [VALUES["other"], VALUES["destination"]]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("names", IN_ORDER)
def test_two_columns_of_nodes_are_read_in_order(tmp_path: Path, suffix: str, names):
    if names == ("0", "1"):
        suffix = ".parquet"  # in text, a line of two integers is an edge
    path = write(tmp_path / f"e{suffix}", list(zip(names, ("source", "destination"), strict=True)))
    assert read(path) == RIGHT


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("names", BACKWARDS)
def test_names_outweigh_positions(tmp_path: Path, suffix: str, names: str):
    destination, source = names.split(",")
    path = tmp_path / f"e{suffix}"
    assert read(write(path, [(destination, "destination"), (source, "source")])) == RIGHT
    assert read(write(path, [(source, "source"), (destination, "destination")])) == RIGHT


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_with_further_words_next_to_attributes(tmp_path: Path, suffix: str):
    columns = [("to_user", "destination"), ("weight", "other"), ("from_user", "source")]
    assert read(write(tmp_path / f"e{suffix}", columns)) == RIGHT
    columns[1] = ("unclear", "other")
    with pytest.raises(EdgeListError, match=r"columns="):
        read(write(tmp_path / f"e{suffix}", columns))


@pytest.mark.parametrize("names", REFUSED)
def test_unclear_names_raise(names: str):
    for order in permutations(names.split(",")):
        with pytest.raises(ValueError, match=r"expected (two columns|one column 'a')"):
            recognize_columns(order)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "names",
    [
        ("a", "b", "c"),
        ("src", "b"),
        ("a", "dst"),
        ("target", "node"),
        ("src", "dst", "target"),
        ("src", "dst", "u", "v"),
        ("src", "SRC", "dst"),
        ("source", "to"),
        ("row", "target"),
        ("node_0", "node_1", "node_2"),
    ],
)
def test_ambiguous_columns_raise(tmp_path: Path, suffix: str, names):
    keys = ("source", "destination", "other", "other")
    path = write(tmp_path / f"e{suffix}", list(zip(names, keys, strict=False)))
    with pytest.raises(EdgeListError, match=r"columns=\(source, destination\)") as error:
        read(path)
    assert ", ".join(map(repr, names)) in str(error.value)
    assert read(path, columns=names[:2]) == RIGHT


def test_index_of_pandas_is_not_a_node(tmp_path: Path):
    columns = [("__index_level_0__", "other"), ("a", "source"), ("b", "destination")]
    assert read(write(tmp_path / "e.parquet", columns)) == RIGHT
    path = write(tmp_path / "e.csv", [("", "other"), ("src", "source"), ("dst", "destination")])
    assert read(path) == RIGHT
    for index in ("", "Unnamed: 0"):
        path = write(tmp_path / "e.csv", [(index, "other"), ("a", "source")])
        with pytest.raises(EdgeListError, match=r"columns=\(source, destination\)"):
            read(path)


def test_names_of_graph_databases(tmp_path: Path):
    path = tmp_path / "e.csv"
    path.write_text(":END_ID,:START_ID,:TYPE\n4,1,KNOWS\n5,2,KNOWS\n6,3,KNOWS\n")
    assert read(path) == RIGHT
    path.write_text("~id,~from,~to,~label\ne1,1,4,a\ne2,2,5,a\ne3,3,6,a\n")
    assert read(path) == RIGHT


def test_named_columns_must_be_integers(tmp_path: Path):
    table = pa.table({"src": ["a"], "dst": ["b"], "x": [1], "y": [2]})
    parquet.write_table(table, tmp_path / "e.parquet")
    with pytest.raises(EdgeListError, match="column 'src': expected integers, got string"):
        read(tmp_path / "e.parquet")


def test_names_in_a_comment(tmp_path: Path):
    path = tmp_path / "e.txt"
    for comment in ("# edge_id dst src", "#edge_id\tdst\tsrc", "% edge_id  dst src ", "// id v u"):
        path.write_text(f"# 3 edges\n{comment}\n7 4 1\n8 5 2\n9 6 3\n")
        assert read(path) == RIGHT
    path.write_text("# a b c\n7 1 4\n8 2 5\n9 3 6\n")
    assert read(path, columns=("b", "c")) == RIGHT
    path.write_text("# FromNodeId\tToNodeId\n1\t4\n2\t5\n3\t6\n")
    assert read(path) == RIGHT


@pytest.mark.parametrize(
    "head",
    [
        "# edge_id a b",
        "# timestamp a b",
        "#edge_id x y",
        "# edge_id foo bar",
        "# a b c",
        "# b to c",
        "# columns: edge_id a b",
        "# edge_id a b\n#",
        "# edge_id a b\n# 3 edges\n# --- --- ---\n\n",
    ],
)
@pytest.mark.parametrize("separator", [" ", ",", "\t"])
def test_unclear_names_in_a_comment_raise(tmp_path: Path, head, separator):
    path = tmp_path / "e.csv"
    start, *names = head.split(" ", 1) if head.startswith("# ") else ("#", head[1:])
    head = f"{start} " + "".join(names).replace(" ", separator).replace(f":{separator}", ": ")
    path.write_text(f"{head}\n" + "7 1 4\n8 2 5\n9 3 6\n".replace(" ", separator))
    with pytest.raises(EdgeListError, match=r"columns=\(source, destination\)"):
        read(path)
    assert read(path, columns=(1, 2)) == RIGHT


def test_comments_of_two_words(tmp_path: Path):
    path = tmp_path / "e.txt"
    for names in ("# edge_id weight", "# target,label", "# node community"):
        separator = "," if "," in names else " "
        path.write_text(f"{names}\n7{separator}1\n")
        with pytest.raises(EdgeListError, match="columns="):
            read(path)
    for rest in ("#---\n", "# --- ---\n", "#\n# 3 edges\n\n", "# edge list\n"):
        path.write_text(f"# target\tsource\n{rest}4\t1\n5\t2\n6\t3\n")
        assert read(path) == RIGHT
    for prose in ("edge list", "Directed graph", "email network", "Source: SNAP", "a comment"):
        path.write_text(f"# {prose}\n1 4\n2 5\n3 6\n")
        assert read(path) == RIGHT
    for prose in ("Edges, one per line", "made by me, today"):
        path.write_text(f"# {prose}\n1,4\n2,5\n3,6\n")
        assert read(path) == RIGHT
    path.write_text("# columns: target source\n4 1\n5 2\n6 3\n")
    assert read(path) == RIGHT


def test_names_without_edges(tmp_path: Path):
    path = tmp_path / "e.txt"
    for names in ("source target", "To_User From_User", "node1 node2"):
        path.write_text(f"{names}\n")
        assert read(path) == [[], []]
    for line in ("a1b2c3d4 deadbeef", "a b\n# c\n", "user item\n\n"):
        path.write_text(line)
        with pytest.raises(EdgeListError, match="expected "):
            read(path)
    path.write_text("left right\n")
    assert read(path, columns=("left", "right")) == [[], []]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_by_position(tmp_path: Path, suffix: str):
    columns = [("weight", "other"), ("p", "destination"), ("q", "source")]
    path = write(tmp_path / f"e{suffix}", columns)
    assert read(path, columns=(2, 1)) == RIGHT
    with pytest.raises(EdgeListError, match="expected column positions from 0 to 2, got 3"):
        read(path, columns=(0, 3))


def test_columns_by_position_without_names(tmp_path: Path):
    path = tmp_path / "e.csv"
    for first in ("7", "x", ""):
        path.write_text(f"{first},4,1\n{first},5,2\n{first},6,3\n")
        assert read(path, columns=(2, 1)) == RIGHT
    with pytest.raises(EdgeListError, match="from 0 to 2, got 3"):
        read(path, columns=(3, 1))
    path.write_text("4 1\n5 2 {'w': 3}\n6 3\n")
    assert read(path, columns=(1, 0)) == RIGHT


def test_columns_with_integers_as_names(tmp_path: Path):
    """pandas gives integer names to unnamed columns."""
    path = tmp_path / "e.csv"
    path.write_text("0,1,2\n1,4,7\n2,5,8\n3,6,9\n")
    assert read(path, columns=("0", "1")) == RIGHT


@given(names=st.lists(st.text(max_size=30), min_size=2, max_size=4))
def test_any_names_are_recognized_or_raise(names: list[str]):
    try:
        first, second = recognize_columns(names)
    except ValueError:
        return
    assert len(names) == 2 or find_pair(names) == (first, second)


def test_long_names_raise_without_delay(tmp_path: Path):
    path = write(tmp_path / "e.csv", [("id" * 10**5, "source"), ("node" * 10**5, "destination")])
    with pytest.raises(EdgeListError, match="columns="):
        read(path)
