"""Features in .npy files: readable files, and errors of others."""

import gc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy
from torch_geometric.data import Data

import gatsparse
from gatsparse.data.features import RowFile, open_features
from gatsparse.data.loader import NeighborLoader

DTYPES = ["float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64"]
SHAPES = [(5,), (1,), (4, 3), (1, 1), (7, 0), (0, 3), (0,), (3, 2, 4), (2, 0, 3)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.npy"


def array(shape, dtype="float32"):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def write(path, shape, descr="<f4", content=b"", fortran_order=False):
    """Writes a header, which need not match the content, and the content."""
    with path.open("wb") as file:
        header = {"descr": descr, "fortran_order": fortran_order, "shape": shape}
        npy.write_array_header_1_0(file, header)
        file.write(content)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_numpy_load(path, dtype, shape):
    np.save(path, array(shape, dtype))
    for name in (path, str(path)):
        x = open_features(name)
        assert x.shape == shape
        assert x.dtype == getattr(torch, dtype)
        np.testing.assert_array_equal(x.numpy(), np.load(path))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_the_format_are_read(path, version):
    with path.open("wb") as file:
        npy.write_array(file, array((4, 3)), version=version)
    np.testing.assert_array_equal(open_features(path).numpy(), array((4, 3)))


def test_too_large_sizes_raise(path):
    write(path, (0, 2**62, 2**62))
    with pytest.raises(ValueError, match=r"x\.npy: expected fewer than 2\*\*63 numbers"):
        open_features(path)


def test_bytes_after_the_array_are_ignored(path):
    write(path, (4, 3), content=array((4, 3)).tobytes() + b"more")
    np.testing.assert_array_equal(open_features(path).numpy(), array((4, 3)))


def test_file_of_a_memory_map_is_read(path):
    pages = npy.open_memmap(path, mode="w+", dtype="float64", shape=(300, 70))
    pages[:] = array((300, 70))
    pages.flush()
    x = open_features(path)
    np.testing.assert_array_equal(x.numpy(), array((300, 70)))
    index = torch.tensor([299, 0, 7, 7])
    np.testing.assert_array_equal(x[index].numpy(), array((300, 70))[[299, 0, 7, 7]])


def test_one_dimension_in_fortran_order_is_read(path):
    write(path, (3,), content=array((3,)).tobytes(), fortran_order=True)
    np.testing.assert_array_equal(open_features(path).numpy(), array((3,)))


def test_writes_to_the_tensor_do_not_change_the_file(path):
    np.save(path, array((4, 3)))
    before = path.read_bytes()
    x = open_features(path)
    x += 1
    np.testing.assert_array_equal(x.numpy(), array((4, 3)) + 1)
    assert path.read_bytes() == before
    np.testing.assert_array_equal(open_features(path).numpy(), array((4, 3)))


def test_tensor_outlives_the_name_of_the_file(path):
    np.save(path, array((4, 3)))
    x = open_features(path)[1:]
    path.unlink()
    gc.collect()
    np.testing.assert_array_equal(x.numpy(), array((4, 3))[1:])


def test_missing_file_raises(path):
    for read in (open_features, RowFile):
        with pytest.raises(FileNotFoundError, match=r"x\.npy"):
            read(path)


def refuses(path, message):
    """Checks that both readers raise and name the file."""
    for read in (open_features, RowFile):
        with pytest.raises(ValueError, match=message) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: expected ")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUM", b"PK\x03\x04 a zip archive, say", b"\x93NUMPY\x01\x00\x10\x00{}"],
    ids=["empty", "no whole magic", "another format", "no whole header"],
)
def test_files_of_other_formats_raise(path, content):
    path.write_bytes(content)
    refuses(path, "expected a valid .npy header, got an invalid one")


def test_unknown_version_raises(path):
    np.save(path, array((4, 3)))
    path.write_bytes(b"\x93NUMPY\x04\x00" + path.read_bytes()[8:])
    refuses(path, r"expected a valid .npy header, got an invalid one \(unknown version \(4, 0\)\)")


def test_header_of_python_2_is_read(path):
    np.save(path, array((4, 3)))
    path.write_bytes(path.read_bytes().replace(b"(4, 3), }  ", b"(4L, 3L), }"))
    np.testing.assert_array_equal(open_features(path).numpy(), array((4, 3)))


def test_home_folder_in_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "x.npy", array((4, 3)))
    np.testing.assert_array_equal(open_features("~/x.npy").numpy(), array((4, 3)))
    assert RowFile("~/x.npy").path == tmp_path / "x.npy"
    with pytest.raises(FileNotFoundError, match=r"~nobody-there/x\.npy"):
        open_features("~nobody-there/x.npy")


@pytest.mark.parametrize("missing", [1, 12, 48])
def test_truncated_file_raises(path, missing):
    np.save(path, array((4, 3)))
    path.write_bytes(path.read_bytes()[:-missing])
    refuses(path, rf"expected 176 bytes for shape \[4, 3\] of float32, got {176 - missing}")


@pytest.mark.parametrize("shape", [(4, 3), (3, 2, 4)])
def test_fortran_order_raises(path, shape):
    np.save(path, np.asfortranarray(array(shape)))
    refuses(path, r"in C order, got \[\d, .*\] in Fortran order")


def test_scalar_raises(path):
    np.save(path, np.float32(3))
    refuses(path, r"expected an array \[N, ...\] in C order, got \[\]")


@pytest.mark.parametrize(
    "dtype", [">f4", ">i8", "bool", "uint16", "complex64", "U3", "V2", "M8[s]", "f4,i4", object]
)
def test_unsupported_dtypes_raise(path, dtype):
    np.save(path, np.zeros((2, 3), dtype))
    refuses(path, "expected an array of float16, float32, .*, int64, got ")


def test_objects_are_not_unpickled(path):
    class Evil:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    np.save(path, np.array([Evil()], dtype=object), allow_pickle=True)
    refuses(path, "got object")


@pytest.mark.parametrize("shape", [(2**40,), (1, 2**62), (2**32, 2**32)])
def test_header_with_too_large_a_shape_raises(path, shape):
    write(path, shape, content=bytes(64))
    refuses(path, r"expected \d+ bytes for shape")


@pytest.mark.parametrize("shape", [(2**70,), (0, 2**70), (-2,), (-1, 4), (-4, -4), (True, 3)])
def test_header_with_an_invalid_shape_raises(path, shape):
    write(path, shape, content=bytes(64))
    with pytest.raises(ValueError, match="expected"):
        open_features(path)


@pytest.mark.parametrize(("good", "bad"), [(b"(4, 3), }", b"(4, 3),  "), (b"'shape'", b"b'shap'")])
def test_broken_header_raises(path, good, bad):
    np.save(path, array((4, 3)))
    content = path.read_bytes()
    assert good in content
    path.write_bytes(content.replace(good, bad))
    refuses(path, "expected a valid .npy header, got an invalid one")


@given(st.lists(st.tuples(st.integers(10, 127), st.sampled_from(b"09(,':<>fiL ")), max_size=3))
def test_any_header_is_read_as_by_numpy_or_raises(tmp_path_factory, changes):
    """The file is read as by NumPy, or an error is raised."""
    path = tmp_path_factory.getbasetemp() / "any.npy"
    np.save(path, array((4, 3)))
    content = bytearray(path.read_bytes())
    for position, byte in changes:
        content[position] = byte
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, about headers that Python 2 wrote
        try:
            x = open_features(path)
        except ValueError:
            return
        np.testing.assert_array_equal(x.numpy(), np.load(path))


# RowFile ##########################################################################


@pytest.fixture
def row_file(path):
    """Opens the file of an array."""

    def open_rows(x):
        np.save(path, x)
        return RowFile(path)

    return open_rows


@pytest.mark.parametrize("shape", [*SHAPES, (5000, 3)], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8"])
def test_gathered_rows_equal_numpy(row_file, dtype, shape):
    x = array(shape, dtype)
    rows = row_file(x)
    assert rows.shape == shape
    n = shape[0]
    for index in ([], [0, n - 1, 0, n - 1], range(n), range(n)[::-1], range(0, n, 3)):
        index = torch.tensor(index, dtype=torch.int64) if n else torch.empty(0).long()
        out = rows.gather(index)
        assert out.dtype == rows.dtype
        np.testing.assert_array_equal(out.numpy(), x[index.numpy()])
    every_second = torch.arange(n)[::2]
    np.testing.assert_array_equal(rows.gather(every_second).numpy(), x[::2])


def test_gathered_rows_are_the_same_for_any_number_of_threads(row_file, threads):
    x = array((4000, 5))
    rows = row_file(x)
    index = torch.randint(4000, (9000,))
    for num_threads in (1, 4):
        threads(num_threads)
        np.testing.assert_array_equal(rows.gather(index).numpy(), x[index.numpy()])


@pytest.mark.parametrize("index", [[4], [0, -1], [2**61], [-(2**63)]])
def test_rows_out_of_range_raise(row_file, path, index):
    rows = row_file(array((4, 3)))
    with pytest.raises(IndexError, match=rf"{path}: index: expected indices in 0 .. 3, got "):
        rows.gather(torch.tensor(index))


def test_file_truncated_after_opening_raises(row_file, path):
    rows = row_file(array((4, 3)))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(OSError, match=r"x\.npy: rows cannot be read; was the file truncated"):
        rows.gather(torch.tensor([0, 3]))
    np.testing.assert_array_equal(rows.gather(torch.tensor([2])).numpy(), array((4, 3))[[2]])


def test_row_file_closes_itself(row_file, path):
    def times_open():
        return sum(fd.exists() and fd.samefile(path) for fd in Path("/dev/fd").iterdir())

    rows = row_file(array((4, 3)))
    assert times_open() == 1
    del rows
    gc.collect()
    assert times_open() == 0


# In batches #######################################################################


def test_loader_accepts_features_in_a_file(path):
    np.save(path, array((60, 8)))
    edge_index = torch.randint(60, (2, 300))
    conv = gatsparse.GATConv(8, 3)
    opened, loaded = (
        list(
            NeighborLoader(
                Data(x=x, edge_index=edge_index),
                [3, 2],
                batch_size=20,
                seed=1,
                prefetch=prefetch,
            )
        )
        for x, prefetch in ((open_features(path), 2), (torch.from_numpy(array((60, 8))), 0))
    )
    assert len(opened) == 3
    for ours, theirs in zip(opened, loaded, strict=True):
        assert torch.equal(ours.x, theirs.x)
        assert torch.equal(conv(ours.x, ours.edge_index), conv(theirs.x, theirs.edge_index))
