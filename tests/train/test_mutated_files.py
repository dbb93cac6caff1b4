import pytest

from tests.train.fuzz_files import Files

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_mutated_files_are_read_right_or_refused(first, files):
    for seed in range(first, first + 50):
        files.run(seed)


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(186, id="seconds of a checkpoint are a list"),
        pytest.param(1069, id="a checkpoint without the epochs kept"),
    ],
)
def test_files_that_failed(seed, files):
    files.run(seed)


def test_executed_code_is_found(files, monkeypatch):
    monkeypatch.setattr("tests.train.fuzz_files.EXECUTED", ["executed"])
    with pytest.raises(AssertionError, match="code of the file was executed"):
        files.run(0)
