"""Barriers, divergence and the order in which warps and programs run."""

import numpy as np
import pytest

from tests.ptx.emulator.buffers import Buffer, GlobalMemory
from tests.ptx.emulator.machine import Machine, Schedule
from tests.ptx.emulator.text import PtxError, parse
from tests.ptx.emulator.warps import Fault
from tests.ptx.snippets import kernel, run

SCHEDULES = ("lockstep", "random", "serial")
#: Thread t writes to place t, and reads place (t + 32) % 64: of the other warp.
WRITE = "mov.b32 %r9, memory; shl.b32 %r8, %t, 2; add.s32 %r8, %r8, %r9; st.shared.b32 [%r8], %t;"
READ = "add.s32 %r7, %t, 32; and.b32 %r7, %r7, 63; shl.b32 %r7, %r7, 2; add.s32 %r7, %r7, %r9;"
READ += "ld.shared.b32 %r1, [%r7];"
STORE = "add.s64 %d1, %buffer0, %row2; st.global.b32 [%d1], %r1;"
EXPECTED = [*range(32, 64), *range(32)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    "barrier", ["bar.sync 0", "bar.sync 0, 64", "barrier.sync.aligned 0", "barrier.cta.sync 0"]
)
def test_barrier(schedule, barrier):
    out = np.zeros(64 * 40, np.uint32)
    for seed in range(3):
        text = f"{WRITE} {barrier}; {READ} {STORE}"
        run(text, out, threads=64, grid=(40,), shared=256, schedule=schedule, seed=seed)
        assert out.tolist() == EXPECTED * 40


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_missing_barrier_is_a_race(schedule):
    out = np.zeros(64, np.uint32)
    with pytest.raises(Fault, match=r"shared memory: (race|reads)"):
        run(f"{WRITE} {READ} {STORE}", out, threads=64, shared=256, schedule=schedule)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_missing_barrier_before_a_second_write_is_a_race(schedule):
    out = np.zeros(64, np.uint32)
    again = "add.s32 %r5, %t, 100; st.shared.b32 [%r8], %r5;"
    text = f"{WRITE} bar.sync 0; {READ} {again} {STORE}"
    with pytest.raises(Fault, match="shared memory: race"):
        run(text, out, threads=64, shared=256, schedule=schedule)
    run(text.replace(again, f"bar.sync 0; {again}"), out, threads=64, shared=256, schedule=schedule)
    assert out.tolist() == EXPECTED


@pytest.mark.parametrize("schedule", ["random", "serial"])
def test_missing_barrier_shows_without_race_detection(schedule):
    """Some order of the warps gives another result."""
    zero = "mov.b32 %r9, memory; shl.b32 %r8, %t, 2; add.s32 %r8, %r8, %r9; st.shared.b32 [%r8], 0;"
    text = f"{zero} bar.sync 0; {WRITE} {READ} {STORE}"
    machine = Machine(parse(kernel(text, 1, 64, 256)), schedule, races=False)
    results = set()
    for seed in range(20):
        out, memory = np.zeros(64, np.uint32), GlobalMemory()
        address = memory.add(Buffer(out.view(np.uint8), 4, "out", watched=False), 0, 256, 0, "out")
        machine.seed = seed
        machine.launch((1,), {"p0": np.array([address], np.uint64)}, memory)
        results.add(tuple(out.tolist()))
    assert len(results) > 1


@pytest.mark.parametrize(
    ("text", "match"),
    [
        # Half of a warp waits.
        (
            "and.b32 %r1, %t, 1; setp.eq.u32 %p1, %r1, 0; @%p1 bra SKIP; bar.sync 0; SKIP:",
            "divergent barrier: bar.sync 0",
        ),
        # One warp waits, the other ends.
        ("setp.lt.u32 %p1, %t, 32; @%p1 bra SKIP; bar.sync 0; SKIP:", "ended while others wait"),
        ("setp.lt.u32 %p1, %t, 32; @%p1 ret; bar.sync 0;", "ended while others wait"),
        # Two warps wait at different barriers.
        (
            "setp.lt.u32 %p1, %t, 32; @%p1 bra A; bar.sync 0; bra B; A: bar.sync 0; B:",
            "different instructions",
        ),
    ],
)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_divergent_barriers(text, match, schedule):
    with pytest.raises(Fault, match=match):
        run(text, np.zeros(1, np.uint32), threads=64, schedule=schedule)


def test_unsupported_barriers_raise():
    for text in (
        "bar.sync 1;",
        "bar.sync 0, 32;",
        "bar.arrive 0, 64;",
        "bar.red.popc.u32 %r1, 0, %p1;",
    ):
        with pytest.raises(PtxError):
            run(text, np.zeros(1, np.uint32), threads=64)
    with pytest.raises(PtxError):
        run("setp.eq.u32 %p1, %t, 0; @%p1 bar.sync 0;", np.zeros(1, np.uint32), threads=64)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_loops_of_different_lengths(schedule):
    """Thread t adds 1 + 2 + ... + t in a loop, then the warp exchanges the sums."""
    text = """
    mov.b32 %r1, 0;
    mov.b32 %r2, %t;
    LOOP:
    setp.eq.s32 %p1, %r2, 0;
    @%p1 bra DONE;
    add.s32 %r1, %r1, %r2;
    add.s32 %r2, %r2, -1;
    bra.uni LOOP;
    DONE:
    shfl.sync.bfly.b32 %r1, %r1, 1, 31, -1;
    """
    out = np.zeros(64 * 5, np.uint32)
    run(text + STORE, out, threads=64, grid=(5,), schedule=schedule)
    sums = [t * (t + 1) // 2 for t in range(64)]
    assert out.tolist() == [sums[t ^ 1] for t in range(64)] * 5


def test_grid():
    out = np.zeros((2, 3, 4), np.uint32)
    text = """
    mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ctaid.y; mov.u32 %r3, %ctaid.z;
    mov.u32 %r4, %nctaid.x; mov.u32 %r5, %nctaid.y;
    mad.lo.u32 %r6, %r3, %r5, %r2; mad.lo.u32 %r6, %r6, %r4, %r1;
    mul.wide.u32 %d1, %r6, 4; add.s64 %d1, %buffer0, %d1;
    mad.lo.u32 %r7, %r3, 100, %r1; mad.lo.u32 %r7, %r2, 10, %r7;
    st.global.b32 [%d1], %r7;
    """
    run(text, out, grid=(4, 3, 2))
    z, y, x = np.indices(out.shape)
    assert (out == 100 * z + 10 * y + x).all()


def test_schedules_differ_by_seed():
    orders = {tuple(np.concatenate(Schedule("random", seed).chunks(9, 32))) for seed in range(5)}
    assert len(orders) == 5
    assert np.concatenate(Schedule("lockstep", 1).chunks(500, 32)).tolist() == list(range(500))
    assert all(chunk.size == 1 for chunk in Schedule("serial", 0).chunks(9, 32))
    with pytest.raises(ValueError, match="schedule: expected"):
        Schedule("any", 0)


def test_serial_runs_one_warp_until_it_waits():
    schedule = Schedule("serial", 0)
    awake = np.zeros(4, bool)
    runnable = np.ones(4, bool)
    first = schedule.awake(runnable, awake)
    assert first.sum() == 1
    assert (schedule.awake(runnable, first) == first).all()
    runnable[first] = False
    assert not (schedule.awake(runnable, first) & first).any()


def test_no_programs():
    assert not sum(run("", np.zeros(1, np.uint32), grid=(0,)).instructions.values())
