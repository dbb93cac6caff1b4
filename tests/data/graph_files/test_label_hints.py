"""Labels that are no classes are errors or get a hint."""

import pytest

from gatsparse.data import GraphFileError, GraphFiles, load_files


def write(folder, labels):
    """Writes a node for each label."""
    rows = [f"{k},{k},{label}" for k, label in enumerate(labels)]
    (folder / "nodes.csv").write_text("\n".join(["id,f,label", *rows]) + "\n")
    (folder / "edges.csv").write_text("source,target\n0,1\n")
    return GraphFiles(folder)


@pytest.mark.parametrize("options", [{}, {"draw": "random"}])
def test_real_numbers_are_no_classes(tmp_path, options):
    write(tmp_path, [f"{k}.25" for k in range(20)])
    message = (
        r"line 2: column 'label': expected a class, got the real number 0.25: set task: regression"
    )
    with pytest.raises(GraphFileError, match=message):
        load_files(GraphFiles(tmp_path, **options))
    assert load_files(GraphFiles(tmp_path, **options), "regression").y[1] == 1.25


def test_whole_numbers_are_classes(tmp_path):
    data = load_files(write(tmp_path, ["1.0", "2.0", ""] * 5))
    assert data.y.tolist()[:3] == [0, 1, -1]
    assert data.schema.classes == ["1", "2"]


def test_real_numbers_of_graphs_have_no_other_task(tmp_path):
    (tmp_path / "nodes.csv").write_text("id,f,graph\na,1,0\nb,2,1\n")
    (tmp_path / "edges.csv").write_text("source,target\na,a\n")
    (tmp_path / "graphs.csv").write_text("id,label\n0,1.5\n1,2\n")
    with pytest.raises(GraphFileError, match=r"graphs.csv: line 2: .* 1.5: write classes as text"):
        load_files(GraphFiles(tmp_path), "graph_classification")


def test_lists_of_labels_are_noted(tmp_path):
    files = write(tmp_path, ["red", "red;round", "round"] * 10)
    hint = 'set task: multi_label and dataset.label_separator: ";" if a cell lists several labels'
    notes = load_files(files).notes
    assert notes[0] == f"labels such as 'red;round' are classes of their own: {hint}"


def test_split_that_cannot_be_drawn_hints_at_the_labels(tmp_path):
    files = write(tmp_path, ["red", "red;round", "round", "blue;round", "blue", "red;blue"])
    message = r"got none of 6 labelled nodes in 6 classes: .* \(labels such as 'red;round' are"
    with pytest.raises(GraphFileError, match=message):
        load_files(files)
