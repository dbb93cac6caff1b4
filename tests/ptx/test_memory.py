"""Loads and stores: values, widths, and the faults that a GPU would not report."""

import numpy as np
import pytest

from tests.ptx.emulator.buffers import OFFSET_BITS, Shadow
from tests.ptx.emulator.text import PtxError
from tests.ptx.emulator.warps import Fault
from tests.ptx.snippets import run

#: Addresses of element %t of buffers 0 and 1: 4 bytes each.
AT = "add.s64 %d1, %buffer0, %row2; add.s64 %d2, %buffer1, %row2;"


def numbers(count: int = 32, dtype: type = np.uint32) -> np.ndarray:
    return np.arange(100, 100 + count, dtype=dtype)


@pytest.mark.parametrize(
    "hint",
    [
        *("", ".weak", ".ca", ".cg", ".cs", ".lu", ".cv", ".nc", ".nc.L1::no_allocate"),
        *(".L1::evict_first", ".L1::evict_last", ".L1::evict_normal", ".L1::evict_unchanged"),
        *(
            ".L2::evict_first",
            ".L1::evict_last.L2::evict_last",
            ".L2::64B",
            ".L2::128B",
            ".L2::256B",
        ),
    ],
)
def test_load_hints_change_nothing(hint):
    x, out = numbers(), np.zeros(32, np.uint32)
    where = hint if hint == ".weak" else ""
    hint = "" if hint == ".weak" else hint
    run(f"{AT} ld{where}.global{hint}.b32 %r1, [%d1]; st.global.b32 [%d2], %r1;", x, out)
    assert out.tolist() == x.tolist()


@pytest.mark.parametrize(
    "hint", ["", ".wb", ".cg", ".cs", ".wt", ".L1::evict_first", ".L1::no_allocate"]
)
def test_store_hints_change_nothing(hint):
    x, out = numbers(), np.zeros(32, np.uint32)
    run(f"{AT} ld.global.b32 %r1, [%d1]; st.global{hint}.b32 [%d2], %r1;", x, out)
    assert out.tolist() == x.tolist()


def test_cache_policy():
    x, out = numbers(), np.zeros(32, np.uint32)
    policy = "createpolicy.fractional.L2::evict_last.b64 %d9, 0f3F800000;"
    load = "ld.global.L1::evict_last.L2::cache_hint.b32 %r1, [%d1], %d9;"
    run(f"{AT} {policy} {load} st.global.L2::cache_hint.b32 [%d2], %r1, %d9;", x, out)
    assert out.tolist() == x.tolist()


@pytest.mark.parametrize(
    ("load", "store", "element"),
    [
        ("v2.b32", "{%r1, %r2}", 8),
        ("v4.b32", "{%r1, %r2, %r3, %r4}", 16),
        ("v2.b64", "{%d11, %d12}", 16),
        ("v4.b16", "{%h1, %h2, %h3, %h4}", 8),
        ("v8.b32", "{%r1, %r2, %r3, %r4, %r5, %r6, %r7, %r8}", 32),
        ("v2.f32", "{%r1, %r2}", 8),
        ("b64", "%d11", 8),
        ("u16", "%h1", 2),
        ("b8", "%h1", 1),
    ],
)
def test_vectors(load, store, element):
    x = np.random.default_rng(0).integers(0, 256, 32 * element).astype(np.uint8)
    out = np.zeros_like(x)
    at = (
        f"mul.lo.s64 %d1, %row0, {element}; add.s64 %d2, %buffer1, %d1; add.s64 %d1, %buffer0, %d1;"
    )
    run(f"{at} ld.global.{load} {store}, [%d1]; st.global.{load} [%d2], {store};", x, out)
    assert out.tolist() == x.tolist()


@pytest.mark.parametrize(
    ("kind", "register", "expected"),
    [("s8", "r1", 0xFFFFFF80), ("u8", "r1", 0x80), ("b8", "r1", 0x80), ("s16", "r1", 0xFFFF8080)],
)
def test_narrow_loads_extend(kind, register, expected):
    x, out = np.full(64, 0x80, np.uint8), np.zeros(32, np.uint32)
    at = "add.s64 %d1, %buffer0, %row1; add.s64 %d2, %buffer1, %row2;"
    run(f"{at} ld.global.{kind} %{register}, [%d1]; st.global.b32 [%d2], %{register};", x, out)
    assert set(out.tolist()) == {expected}


def test_offsets_and_guards():
    x, out = numbers(33), np.zeros(32, np.uint32)
    text = f"{AT} setp.lt.u32 %p1, %t, 5; mov.b32 %r1, 7; @%p1 ld.global.b32 %r1, [%d1+4];"
    run(f"{text} @!%p1 st.global.b32 [%d2 + 0], %r1; @%p1 st.global.b32 [%d2], %r1;", x, out)
    assert out.tolist() == [*range(101, 106), *[7] * 27]


def test_mov_of_parts():
    out = np.zeros(32, np.uint64)
    text = "mov.b32 %r1, {%h1, %h2}; mov.b32 {%h3, %h4}, %r1; mov.b64 %d3, {%r1, %t};"
    text += "mov.b64 {_, %r5}, %d3; cvt.u32.u16 %r6, %h4; mov.b64 %d3, {%r6, %r5};"
    run(
        f"mov.b16 %h1, 1; mov.b16 %h2, 2; {text} add.s64 %d1, %buffer0, %row3;"
        "st.global.b64 [%d1], %d3;",
        out,
    )
    assert out.tolist() == [lane << 32 | 2 for lane in range(32)]


def test_registers_that_were_never_written_are_nan():
    out = np.zeros(32, np.float32)
    run(
        "add.s64 %d1, %buffer0, %row2; mul.f32 %r1, %r2, 0f00000000; st.global.b32 [%d1], %r1;", out
    )
    assert np.isnan(out).all()


@pytest.mark.parametrize(
    ("address", "match"),
    [
        ("add.s64 %d1, %buffer0, %row2; add.s64 %d1, %d1, 4;", "out of bounds.*at 128 of buffer0"),
        ("add.s64 %d1, %buffer0, %row2; sub.s64 %d1, %d1, 4;", "out of bounds.*at -4 of buffer0"),
        ("mul.lo.s64 %d1, %row2, 1000; add.s64 %d1, %buffer0, %d1;", "out of bounds"),
        ("add.s64 %d1, %buffer0, 2;", "misaligned access of 4 bytes at 2 of buffer0"),
        ("mov.b64 %d1, 0;", "which is no tensor"),
        ("sub.s64 %d1, %row2, 4;", "which is no tensor"),
        # From one tensor into the other one, though that address is within it.
        ("add.s64 %d1, %buffer0, 4096;", "out of bounds"),
    ],
)
@pytest.mark.parametrize("access", ["ld.global.b32 %r1, [%d1]", "st.global.b32 [%d1], 0"])
def test_wrong_addresses(address, match, access):
    with pytest.raises(Fault, match=match):
        run(f"{address} {access};", numbers(), numbers())


def test_one_byte_behind_a_vector():
    x = np.zeros(32 * 16 - 4, np.uint8)
    with pytest.raises(Fault, match="out of bounds: access of 16 bytes at 496"):
        run(
            "shl.b64 %d1, %row3, 1; add.s64 %d1, %buffer0, %d1;"
            "ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%d1];",
            x,
        )


@pytest.mark.parametrize("size", [8, 16])
def test_misaligned_vectors(size):
    load = {8: "ld.global.v2.b32 {%r1,%r2}", 16: "ld.global.v2.b64 {%d8,%d9}"}[size]
    with pytest.raises(Fault, match=f"misaligned access of {size} bytes"):
        run(f"add.s64 %d1, %buffer0, {size // 2}; {load}, [%d1];", numbers(64))


def test_memory_that_was_never_written():
    x, out = numbers(), np.zeros(32, np.uint32)
    known = np.ones(128, bool)
    copy = f"{AT} ld.global.b32 %r1, [%d1]; st.global.b32 [%d2], %r1;"
    written = np.zeros(128, bool)
    run(copy, x, out, known={0: known, 1: written})
    assert written.all()
    known[77] = False
    with pytest.raises(Fault, match="buffer0: reads 4 bytes at 76 that were never written"):
        run(copy, x, out, known={0: known})
    run(f"{AT} st.global.b32 [%d1], 3; ld.global.b32 %r1, [%d1];", x, out, known={0: known})


# Races


def test_race_between_programs():
    """All programs write their number to one place."""
    text = "setp.eq.u32 %p1, %t, 0; mov.u32 %r1, %ctaid.x; @%p1 st.global.b32 [%buffer0], %r1;"
    run(text, numbers())
    for schedule in ("lockstep", "random", "serial"):
        with pytest.raises(Fault, match="race"):
            run(text, numbers(), grid=(3,), schedule=schedule)


@pytest.mark.parametrize("schedule", ["lockstep", "random", "serial"])
def test_equal_values_are_no_race(schedule):
    out = numbers()
    run("st.global.b32 [%buffer0], 5;", out, threads=64, grid=(3,), schedule=schedule)
    assert out[0] == 5


def test_race_between_threads_of_a_warp():
    with pytest.raises(Fault, match="race, threads write different values"):
        run("st.global.b32 [%buffer0], %t;", numbers())


@pytest.mark.parametrize("schedule", ["lockstep", "random", "serial"])
def test_read_of_what_another_program_writes(schedule):
    """Program k writes element k and reads element k + 1."""
    text = "setp.eq.u32 %p1, %t, 0; mov.u32 %r1, %ctaid.x; mul.wide.u32 %d1, %r1, 4;"
    text += "add.s64 %d1, %buffer0, %d1; @%p1 st.global.b32 [%d1], %r1;"
    run(text, numbers(), grid=(3,), schedule=schedule)
    with pytest.raises(Fault, match="race"):
        run(f"{text} ld.global.b32 %r2, [%d1+4];", numbers(), grid=(3,), schedule=schedule)


def test_read_of_unchanged_memory_is_no_race():
    run(f"{AT} ld.global.b32 %r1, [%buffer0]; st.global.b32 [%d2], %r1;", numbers(), numbers())


def test_shadow_orders_accesses_by_barriers():
    def key(program: int, barriers: int, warp: int) -> np.ndarray:
        return np.array([program << 32 | barriers << 8 | warp])

    at = np.array([0])
    for later, race in [
        (key(0, 0, 0), False),
        (key(0, 0, 1), True),
        (key(0, 1, 1), False),
        (key(1, 0, 0), True),
        (key(1, 1, 0), True),
    ]:
        for first, second in (("write", "read"), ("read", "write"), ("write", "write")):
            shadow = Shadow(1)
            assert not getattr(shadow, first)(at, key(0, 0, 0)).any()
            assert getattr(shadow, second)(at, later).any() == race, (later, first, second)
        shadow = Shadow(1)
        shadow.read(at, key(0, 0, 0))
        assert not shadow.read(at, later).any()
    shadow = Shadow(1)  # a read before the last one
    shadow.read(at, key(0, 0, 0))
    shadow.read(at, key(0, 0, 1))
    assert shadow.write(at, key(0, 0, 1)).any()
    shadow = Shadow(1)  # two reads in one step
    shadow.read(np.array([0, 0]), np.concatenate([key(0, 0, 0), key(0, 0, 1)]))
    assert shadow.write(at, key(0, 0, 1)).any()
    assert shadow.write(at, key(0, 0, 0)).any()


# Shared memory

SHARED = "mov.b32 %r9, memory; shl.b32 %r8, %t, 2; add.s32 %r9, %r9, %r8;"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("st.shared.b32 [%r9+4], %t;", "out of bounds: 4 bytes at 128 of 128 shared bytes"),
        ("st.shared.b32 [%r9+-4], %t;", "out of bounds"),
        ("ld.shared.b32 %r1, [%r9];", "never written"),
        ("st.shared.b32 [%r9+2], %t;", "misaligned"),
        ("ld.shared.v4.b32 {%r1, %r2, %r3, %r4}, [%r9];", "misaligned"),
    ],
)
def test_wrong_shared_addresses(text, match):
    with pytest.raises(Fault, match=match):
        run(SHARED + text, numbers(), shared=128)


def test_shared_memory_of_the_program():
    out = np.zeros(32, np.uint32)
    text = "st.shared::cta.b32 [%r9], %t; ld.shared::cta.b32 %r1, [%r9];"
    run(f"{SHARED} {text} add.s64 %d1, %buffer0, %row2; st.global.b32 [%d1], %r1;", out, shared=128)
    assert out.tolist() == list(range(32))


def test_programs_have_their_own_shared_memory():
    out = np.zeros(96, np.uint32)
    text = "mov.u32 %r1, %ctaid.x; st.shared.b32 [%r9], %r1; ld.shared.b32 %r2, [memory+4];"
    run(
        f"{SHARED} {text} add.s64 %d1, %buffer0, %row2; st.global.b32 [%d1], %r2;",
        out,
        grid=(3,),
        shared=128,
    )
    assert out.tolist() == [0] * 32 + [1] * 32 + [2] * 32


# Counts


def test_counts():
    x, out = numbers(4 * 64, np.uint32), np.zeros(4 * 64, np.uint32)
    text = "shl.b64 %d1, %row3, 1; add.s64 %d2, %buffer1, %d1; add.s64 %d1, %buffer0, %d1;"
    text += "setp.lt.u32 %p1, %t, 3; ld.global.v4.b32 {%r1, %r2, %r3, %r4}, [%d1];"
    counts = run(f"{text} @%p1 st.global.b32 [%d2], %r1;", x, out, threads=64)
    load, store = ("ld.global", "buffer0"), ("st.global", "buffer1")
    assert counts.instructions["ld.global.v4.b32"] == 2
    assert counts.instructions["st.global.b32"] == 2  # one of them with no active thread
    assert counts.instructions["ret"] == 2
    assert dict(counts.requests) == {load: 2, store: 1}
    assert dict(counts.sectors) == {load: 32, store: 2}
    assert dict(counts.bytes) == {load: 1024, store: 12}


def test_warps_count_their_own_sectors():
    """Two warps read the same 32 numbers."""
    text = "and.b32 %r1, %t, 31; mul.wide.u32 %d1, %r1, 4; add.s64 %d1, %buffer0, %d1;"
    counts = run(f"{text} ld.global.b32 %r2, [%d1];", numbers(), threads=64)
    assert counts.sectors["ld.global", "buffer0"] == 8


@pytest.mark.parametrize(
    "opcode",
    [
        *("ld.local.b32", "ld.b32", "ld.volatile.global.b32", "ld.acquire.gpu.global.b32"),
        *("ld.global.v3.b32", "ld.global.b128", "ld.shared.nc.b32", "ld.global.L3::x.b32"),
        *("ld.global.v8.b64", "ld.shared.v8.b32", "ld.param.v2.b32", "ld.global.b32.v2"),
    ],
)
def test_unsupported_loads_raise(opcode):
    with pytest.raises(PtxError):
        run(f"{opcode} %r1, [%buffer0];", numbers())


def test_addresses_leave_room():
    assert OFFSET_BITS >= 40
