"""Small Triton kernels that the tests of this folder compile and run."""

import triton
import triton.language as tl


@triton.jit
def add(x, y, out, size, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    tl.store(out + at, tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside), mask=inside)


@triton.jit
def softmax_row(x, out, columns, BLOCK: tl.constexpr):
    """Softmax of each row of x [rows, columns]."""
    row = tl.program_id(0).to(tl.int64) * columns
    at = tl.arange(0, BLOCK)
    inside = at < columns
    score = tl.load(x + row + at, mask=inside, other=float("-inf")).to(tl.float32)
    weight = tl.exp(score - tl.max(score, 0))
    tl.store(out + row + at, weight / tl.sum(weight, 0), mask=inside)


@triton.jit
def row_sums(x, out, columns, BLOCK: tl.constexpr):
    """Sum of each row of x [rows, columns], a loop over blocks of columns."""
    row = tl.program_id(0).to(tl.int64) * columns
    total = tl.zeros([BLOCK], tl.float32)
    for start in range(0, columns, BLOCK):
        at = start + tl.arange(0, BLOCK)
        total += tl.load(x + row + at, mask=at < columns, other=0.0).to(tl.float32)
    tl.store(out + tl.program_id(0), tl.sum(total, 0))


@triton.jit
def words(seed, edge, out, size, BLOCK: tl.constexpr):
    """Philox words out [size, 4] (int64) of the counters (edge, 0)."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    number = tl.load(edge + at, mask=inside, other=0)
    zero = tl.zeros([BLOCK], tl.uint32)
    low, high = (number & 0xFFFFFFFF).to(tl.uint32), (number >> 32).to(tl.uint32)
    w0, w1, w2, w3 = tl.philox(tl.load(seed), low, high, zero, zero)
    tl.store(out + at * 4, w0.to(tl.int64), mask=inside)
    tl.store(out + at * 4 + 1, w1.to(tl.int64), mask=inside)
    tl.store(out + at * 4 + 2, w2.to(tl.int64), mask=inside)
    tl.store(out + at * 4 + 3, w3.to(tl.int64), mask=inside)


@triton.jit
def cast(x, out, size, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    tl.store(out + at, tl.load(x + at, mask=inside).to(out.dtype.element_ty), mask=inside)


@triton.jit
def exchange(x, out, BLOCK: tl.constexpr):
    """Reverses x [BLOCK] through memory: all threads must have written before any reads."""
    at = tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at))
    tl.debug_barrier()
    value = tl.load(out + BLOCK - 1 - at)
    tl.debug_barrier()
    tl.store(out + at, value)


@triton.jit
def exchange_unordered(x, out, BLOCK: tl.constexpr):
    """As :func:`exchange`, without barriers: wrong."""
    at = tl.arange(0, BLOCK)
    tl.store(out + at, tl.load(x + at))
    value = tl.load(out + BLOCK - 1 - at)
    tl.store(out + at, value)


@triton.jit
def transpose(x, out, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Transpose of x [ROWS, COLUMNS], through shared memory."""
    row, column = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    value = tl.load(x + row[:, None] * COLUMNS + column[None, :])
    tl.store(out + column[:, None] * ROWS + row[None, :], tl.trans(value))


@triton.jit
def scaled(x, out, size, factor, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    tl.store(out + at, tl.load(x + at, mask=inside) * factor, mask=inside)


@triton.jit
def off_by_one(x, out, size, BLOCK: tl.constexpr):
    """Reads one element behind the last: wrong."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    tl.store(out + at, tl.load(x + at + 1, mask=inside), mask=inside)
