from tests.mutants.mutant import Mutant

_COLUMNS = "inspection/test_columns.py"
_INSPECT = "inspection/test_inspect.py"
_LABELS = "inspection/test_labels.py"
_ROLES = "inspection/test_roles.py"
_REPORT = "inspection/test_report.py"

MUTANTS = [
    Mutant(
        "missing cells count in the mean",
        "inspection/columns.py",
        "self.total / max(self.count - self.missing, 1)",
        "self.total / max(self.count, 1)",
        _COLUMNS,
    ),
    Mutant(
        "numbers that may be negative are counts",
        "inspection/roles.py",
        "all(n.low >= 0 for n in numbers) and ",
        "",
        f"{_ROLES}",
    ),
    Mutant(
        "texts that differ in most rows are categories",
        "inspection/roles.py",
        "2 * distinct > summary.count",
        "distinct > summary.count",
        f"{_ROLES}",
    ),
    Mutant(
        "some columns of zeros and ones are enough for several labels",
        "inspection/labels.py",
        "if all(label.values <= {0, 1} for label in content)",
        "if any(label.values <= {0, 1} for label in content)",
        f"{_INSPECT} {_LABELS}",
    ),
    Mutant(
        "texts with a separator are lists even if no label occurs twice",
        "data/graph_files/label_hints.py",
        "any(separator in text for text in texts) and len(parts) < len(texts)",
        "any(separator in text for text in texts)",
        _LABELS,
    ),
    Mutant(
        "columns that cannot be read are no labels",
        "inspection/labels.py",
        's.num_distinct == 0 and s.kind != "unsupported" for s',
        "s.num_distinct == 0 for s",
        _LABELS,
    ),
    Mutant(
        "edges of unknown nodes are dropped even if there are none",
        "inspection/inspect.py",
        '(count := data.dropped["unknown_nodes"]) > 0',
        '(count := data.dropped["unknown_nodes"]) >= 0',
        _INSPECT,
    ),
    Mutant(
        "the reverse edges need no memory",
        "inspection/inspect.py",
        "estimate(config, data) * (2 if config.undirected else 1)",
        "estimate(config, data)",
        _INSPECT,
    ),
    Mutant(
        "the time of a part of a graph is that of the graph",
        "inspection/cost.py",
        "seconds = _epoch_seconds(config, small) / share",
        "seconds = _epoch_seconds(config, small)",
        _INSPECT,
    ),
    Mutant(
        "a share just below 100 % is rounded up",
        "inspection/report.py",
        "math.floor(1000 * statistics.reciprocity)",
        "round(1000 * statistics.reciprocity)",
        _REPORT,
    ),
    Mutant(
        "homophily by chance is the share of a class",
        "inspection/report.py",
        "((shares / shares.sum()) ** 2).sum()",
        "((shares / shares.sum())).sum()",
        _INSPECT,
    ),
]
