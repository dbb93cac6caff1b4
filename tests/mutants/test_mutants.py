import pytest

from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.table import AREAS

MUTANTS = [mutant for mutants in AREAS.values() for mutant in mutants]


def test_every_fault_changes_one_place():
    for mutant in MUTANTS:
        mutant.applied(ROOT)


def test_every_fault_has_tests():
    paths = {path for mutant in MUTANTS for path in mutant.tests.split()}
    assert paths
    assert [path for path in sorted(paths) if not (ROOT / "tests" / path).exists()] == []


def test_faults_differ():
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.fault for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("not in the file", "", "0 times"), ("E", "e", "times"), ("# Files", "# Files", "same text")],
)
def test_faults_that_change_nothing_or_several_places_raise(old, new, message, tmp_path):
    (tmp_path / "gatsparse").mkdir()
    (tmp_path / "gatsparse/file.py").write_text("# Files\nE = E\n")
    with pytest.raises(ValueError, match=message):
        Mutant("", "file.py", old, new, "").applied(tmp_path)
