import pytest

from benchmarks.rows import Row, Status, Values, open_store, read


def row(round: int = 0, status: Status = "ok", **values) -> Row:
    return Row("cora", "pyg", "step", round, "abc", status, values=Values(**values))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "results.jsonl"
    with open_store(path) as store:
        for turn in range(3):
            store.append(row(turn, median=0.1 * turn, peak=2**40))
    return path


def test_rows_are_written_and_read(path):
    rows = read(path)
    assert [key.round for key in rows] == [0, 1, 2]
    assert rows[row(2).key] == row(2, median=0.2, peak=2**40)


def test_missing_file_has_no_rows(tmp_path):
    assert read(tmp_path / "results.jsonl") == {}


@pytest.mark.parametrize("cut", [1, 2, 20, 100])
def test_torn_last_line_is_cut_off(path, cut):
    path.write_bytes(path.read_bytes()[:-cut])
    assert [key.round for key in read(path)] == [0, 1]
    with open_store(path) as store:
        assert [key.round for key in store.rows] == [0, 1]
        store.append(row(5))
    assert [key.round for key in read(path)] == [0, 1, 5]


@pytest.mark.parametrize("line", ["{", "[]", '{"dataset": "cora"}', ""])
def test_bad_line_raises(path, line):
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([first, line, *rest, ""]))
    with pytest.raises(ValueError, match=r"results.jsonl:2: expected a row"):
        read(path)


def test_last_row_of_a_key_counts(path):
    with open_store(path) as store:
        store.append(row(1, "crashed"))
    rows = read(path)
    assert len(rows) == 3
    assert rows[row(1).key].status == "crashed"


def test_forget_keeps_the_file(path):
    with open_store(path) as store:
        store.forget(lambda row: row.round == 1)
        assert [key.round for key in store.rows] == [0, 2]
    assert len(read(path)) == 3


def test_one_writer_at_a_time(path):
    with (
        open_store(path),
        pytest.raises(ValueError, match="another benchmark is writing"),
        open_store(path),
    ):
        pass
    with open_store(path):
        pass
