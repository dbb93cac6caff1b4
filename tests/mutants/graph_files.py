from tests.mutants.mutant import Mutant

_FILES = "data/graph_files/test_load_files.py"
_LABELS = "data/graph_files/test_labels.py"
_TEXTS = "data/graph_files/test_texts.py"

MUTANTS = [
    Mutant(
        "an unknown category is the last one",
        "data/graph_files/features.py",
        "nodes = np.flatnonzero(~unknown)",
        "nodes = np.arange(len(codes))",
        _FILES,
        "schema_of_another_graph",
    ),
    Mutant(
        "missing numbers become 0 instead of the mean",
        "data/graph_files/features.py",
        '{"error": None, "mean": column.fill, "zero": 0.0}',
        '{"error": None, "mean": 0.0, "zero": 0.0}',
        _FILES,
        "missing_numbers",
    ),
    Mutant(
        "booleans may be 0 and 1 in another graph",
        "data/graph_files/features.py",
        "if known & expected and found & other and not known & other:",
        "if False:",
        _TEXTS,
        "booleans_are_not",
    ),
    Mutant(
        "large whole numbers lose digits",
        "data/graph_files/texts.py",
        r"(0|[1-9][0-9]*)(?:\.0*)?",
        r"(0|[1-9][0-9]{0,14})(?:\.0*)?",
        _TEXTS,
    ),
    Mutant(
        "numbers in a column of text are written anew",
        "data/graph_files/texts.py",
        "number if only_values else text",
        "number",
        _TEXTS,
    ),
    Mutant(
        "numbers in another graph are compared as they are written",
        "data/graph_files/texts.py",
        "return equal.get(number, ",
        "return (",
        _TEXTS,
    ),
    Mutant(
        "one of two equal numbers in text is the category",
        "data/graph_files/texts.py",
        "equal[number] = number if number in equal else name",
        "equal[number] = name",
        _TEXTS,
    ),
    Mutant(
        "a category that is called NA is missing among numbers",
        "data/graph_files/texts.py",
        "ConvertOptions().null_values if name not in known]",
        "ConvertOptions().null_values]",
        _TEXTS,
    ),
    Mutant(
        "-1 is a class of a graph for predictions with one other class",
        "data/graph_files/labels.py",
        "(known or len(labelled) > 1)",
        "len(labelled) > 1",
        _LABELS,
    ),
    Mutant(
        "an empty cell is a node with none of the labels",
        "data/graph_files/labels.py",
        'y[torch.tensor(unlabelled)] = float("nan")',
        "y[torch.tensor(unlabelled)] = 0.0",
        _LABELS,
    ),
    Mutant(
        "a node with some labels is labelled",
        "data/graph_files/labels.py",
        "unlabelled = np.isnan(y).any(axis=1)",
        "unlabelled = np.isnan(y).all(axis=1)",
        _LABELS,
    ),
    Mutant(
        "the earliest nodes are test nodes",
        "data/graph_files/splits.py",
        "groups = [nodes[np.argsort(times[nodes], kind=",
        "groups = [nodes[np.argsort(-times[nodes], kind=",
        _FILES,
        "drawn_splits",
    ),
    Mutant(
        "features of dropped edges are kept",
        "data/graph_files/edges.py",
        "attrs.append(part[torch.from_numpy(keep)])",
        "attrs.append(part[: int(keep.sum())])",
        _FILES,
        "edge_features",
    ),
    Mutant(
        "numbers of nodes may begin with zeros",
        "data/graph_files/node_ids.py",
        '"^(0|[1-9][0-9]{0,17})$"',
        '"^[0-9]{1,18}$"',
        "data/graph_files/test_node_ids.py",
    ),
]
