"""The table of launches: its entries, its lookup, and that every candidate gives right results."""

from collections.abc import Iterator
from itertools import cycle
from types import SimpleNamespace
from unittest import mock

import pytest
import torch

from gatsparse.testing import graph_zoo, relative_error

pytest.importorskip("triton")

from benchmarks.tune_gpu import Problem, Setting, using
from gatsparse.gpu import launch_table
from gatsparse.gpu.launch_table import Choice, Key
from tests.gpu import launches
from tests.gpu.gat_calls import Case, call

KEY = Key("gat", 8, 8, "float32", "sm_90")
CHOICE = Choice(V=2, K=4, B=1, num_warps=2)
SETTINGS = [Setting(name, 3, 8, torch.float32) for name in launch_table.PASSES]


@pytest.fixture
def on_sm_90(monkeypatch):
    """Tensors of the CPU count as those of a GPU."""
    monkeypatch.setattr(launch_table, "architecture", lambda _: "sm_90")


def candidates(setting: Setting) -> list[Choice]:
    """Every second layout, with each number of edges and of warps in turn."""
    rule = setting.rule()
    edges = cycle([choice.B for choice in setting.edges(rule)])
    warps = cycle([choice.num_warps for choice in setting.warps(rule)])
    found = (
        choice._replace(B=next(edges), num_warps=next(warps)) for choice in setting.layouts(rule)
    )
    accepted = [choice for choice in found if setting.accepts(choice)]
    return accepted[launch_table.PASSES.index(setting.name) % 2 :: 2]


def name_of(setting: Setting, choice: Choice) -> str:
    return f"{setting.name} {choice}"


def interpreted() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields which candidates are right, in the process that interprets Triton's functions."""
    graph = graph_zoo()["duplicate loops"].csr()
    vectors = launch_table.vectors
    with mock.patch.object(launch_table, "architecture", return_value="sm_90"):
        for setting in SETTINGS:
            problem = Problem(setting, graph)
            for choice in candidates(setting):
                with using(problem.key, choice):
                    yield name_of(setting, choice), {"right": problem.is_right()}
            with (
                using(problem.key, setting.rule()._replace(V=1, K=2)),
                mock.patch.object(
                    launch_table, "vectors", lambda *sizes: vectors(*sizes)._replace(R=1)
                ),
            ):
                yield f"{setting.name} wrong", {"right": problem.is_right()}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_candidates_give_right_results(found, setting):
    assert len(candidates(setting)) >= 4
    for choice in candidates(setting):
        assert found[name_of(setting, choice)]["right"], choice


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_layout_that_lacks_channels_is_not_right(found, setting):
    assert not found[f"{setting.name} wrong"]["right"]


@pytest.mark.usefixtures("on_sm_90")
def test_emulated_candidate_of_several_warps_is_right():
    from gatsparse.ops.gat import cuda
    from tests.ptx.device import emulated

    tensors = call(graph_zoo()["random"], Case(8, 8, loops=True)).to(torch.float32)
    arguments = (*tensors.inputs, True, False, False, tensors.csr, [], True, 0.2, 0.0, None)
    with emulated() as device, using(KEY, Choice(V=2, K=4, B=2, num_warps=4)):
        out, *_ = cuda.gat(*arguments)
    expected, *_ = torch.ops.gatsparse.gat(*arguments)
    assert relative_error(out, expected) < 1e-6
    assert [code.num_warps for code in device.compiled if code.name == "gat_forward"] == [4]


@pytest.mark.usefixtures("on_sm_90")
@pytest.mark.parametrize(("C", "positive"), [(2, True), (64, False)])
def test_pass_of_gat_is_that_of_layers(C, positive, monkeypatch):
    from gatsparse.ops.gat import cuda

    class CalledError(Exception):
        pass

    def gat(*args):
        assert args[9] is positive
        raise CalledError

    monkeypatch.setattr(cuda, "gat", gat)
    with pytest.raises(CalledError):
        Problem(Setting("gat", 1, C, torch.float32), graph_zoo()["random"].csr())


@pytest.mark.usefixtures("on_sm_90")
def test_launches_are_those_of_the_table():
    def sizes_of(kernel):
        found = launches.launches(launches.gat(8, 8))
        (constants,) = [f.constants for f in found if f.kernel.__name__ == kernel]
        return Choice(*(constants[name] for name in Choice._fields)), constants["G"]

    rule = sizes_of("gat_backward")
    with using(KEY, CHOICE):
        assert sizes_of("gat_forward") == (CHOICE, 2)
        assert sizes_of("gat_backward") == rule
    assert sizes_of("gat_forward") == (Choice(V=4, K=2, B=4, num_warps=1), 2)


@pytest.mark.parametrize(
    "key",
    [
        KEY._replace(architecture="sm_120"),
        KEY._replace(dtype="bfloat16"),
        KEY._replace(name="gatv2"),
        KEY._replace(H=4),
        KEY._replace(C=16),
    ],
    ids=str,
)
def test_without_an_entry_the_rule_is_used(key, monkeypatch):
    monkeypatch.setattr(launch_table, "architecture", lambda _: key.architecture)
    dtype = getattr(torch, key.dtype)
    with using(KEY, CHOICE):
        found = launch_table.plan(key.name, key.H, key.C, 8, dtype, torch.device("cuda"))
    assert found == launch_table.rule(key.name, key.H, key.C, 8, dtype)


def test_other_devices_use_the_rule():
    with using(KEY, CHOICE):
        found = launch_table.plan("gat", 8, 8, 8, torch.float32, torch.device("meta"))
    assert found == launch_table.rule("gat", 8, 8, 8, torch.float32)


@pytest.mark.parametrize(
    ("hip", "properties", "expected"),
    [
        (None, {"major": 9, "minor": 0}, "sm_90"),
        (None, {"major": 12, "minor": 1}, "sm_121"),
        ("6.4", {"gcnArchName": "gfx942:sramecc+:xnack-", "major": 9, "minor": 4}, "gfx942"),
    ],
)
def test_architecture_of_a_device(hip, properties, expected, monkeypatch):
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(**properties)
    )
    assert launch_table.architecture.__wrapped__(torch.device("cuda", 3)) == expected


def test_table_is_written_and_read(tmp_path):
    table = {KEY: CHOICE, KEY._replace(name="gatv2"): CHOICE._replace(B=2)}
    for written in (table, {}):
        launch_table.write(tmp_path / "table.json", written)
        assert launch_table.read(tmp_path / "table.json") == written


def test_committed_entries_are_accepted_by_the_kernels():
    for key, choice in launch_table.TABLE.items():
        assert Setting(key.name, key.H, key.C, getattr(torch, key.dtype)).accepts(choice), key


@pytest.mark.parametrize("name", launch_table.PASSES)
@pytest.mark.parametrize(("H", "C"), [(8, 8), (4, 64), (1, 7), (3, 97), (1, 1024), (16, 4)])
def test_the_choice_of_the_rule_is_accepted_and_equals_it(name, H, C):
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        setting = Setting(name, H, C, dtype)
        choice = setting.rule()
        assert setting.accepts(choice)
        assert launch_table.chosen(H, C, H, choice) == launch_table.rule(name, H, C, H, dtype)
