// The rows of a CSR structure, cut into work for threads. The cut depends on the structure
// alone: whoever does a piece of work, sums are taken in the same order.
#pragma once

#include "csr.h"

namespace gatsparse {

// Calls f(k) for k in 0 .. n-1, in parallel; a thread that is done takes the next few, which lie
// together in memory.
template <class F>
void parallel_each(int64_t n, const F& f) {
  constexpr int64_t kTurns = 16;
  const int64_t workers = std::min<int64_t>(n, torch::stable::get_num_threads());
  if (workers <= 1) {
    for (int64_t k = 0; k < n; ++k) f(k);
    return;
  }
  const int64_t few = std::max<int64_t>(1, n / (kTurns * workers));
  std::atomic<int64_t> next{0};
  torch::stable::parallel_for(0, workers, 1, [&](int64_t, int64_t) {
    for (int64_t begin; (begin = next.fetch_add(few, std::memory_order_relaxed)) < n;)
      for (int64_t k = begin; k < std::min(begin + few, n); ++k) f(k);
  });
}

class Rows {
 public:
  // A part of the entries of a row that is too long for one thread.
  struct Piece {
    int64_t row, begin, end;
  };

  Rows(int64_t num_rows, const int64_t* ptr) : num_rows_(num_rows), ptr_(ptr) {
    const int64_t work = num_rows + ptr[num_rows];
    chunk_ = std::max(kChunk, (work + kMaxChunks - 1) / kMaxChunks);
    num_chunks_ = (work + chunk_ - 1) / chunk_;
    for (int64_t i = 0; i < num_rows; ++i) {
      if (ptr[i + 1] - ptr[i] <= kHub) continue;
      for (int64_t e = ptr[i]; e < ptr[i + 1]; e += kPiece)
        pieces_.push_back({i, e, std::min(e + kPiece, ptr[i + 1])});
    }
  }

  int64_t num_chunks() const { return num_chunks_; }
  int64_t ptr(int64_t row) const { return ptr_[row]; }

  // Calls f(chunk, first, last) for every chunk of rows first .. last-1, in parallel. Row i
  // stands at position ptr[i] + i of the work; a chunk owns the rows that start in it.
  template <class F>
  void for_each_chunk(const F& f) const {
    parallel_each(num_chunks_, [&](int64_t chunk) {
      const int64_t first = first_row(chunk * chunk_), last = first_row((chunk + 1) * chunk_);
      if (first < last) f(chunk, first, last);
    });
  }

  const std::vector<Piece>& pieces() const { return pieces_; }
  bool is_hub(int64_t row) const { return ptr_[row + 1] - ptr_[row] > kHub; }
  int64_t first_piece(int64_t row) const {
    const auto before = [](const Piece& piece, int64_t row) { return piece.row < row; };
    return std::lower_bound(pieces_.begin(), pieces_.end(), row, before) - pieces_.begin();
  }

 private:
  // Entries plus rows of a chunk: enough to be worth a thread's while.
  static constexpr int64_t kChunk = 2048, kMaxChunks = 4096;
  static constexpr int64_t kHub = 4096, kPiece = 2048;

  int64_t first_row(int64_t work) const {
    int64_t low = 0, high = num_rows_;
    while (low < high) {
      const int64_t mid = low + (high - low) / 2;
      if (ptr_[mid] + mid < work) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  int64_t num_rows_, chunk_, num_chunks_;
  const int64_t* ptr_;
  std::vector<Piece> pieces_;
};

// States of `size` numbers, each at the beginning of a cache line.
template <class A>
class States {
 public:
  States(int64_t count, int64_t size)
      : lines_per_state_((size + kLine - 1) / kLine), lines_(count * lines_per_state_) {}
  A* operator[](int64_t k) { return lines_[k * lines_per_state_].number; }

 private:
  static constexpr int64_t kLine = 64 / sizeof(A);
  struct alignas(64) Line { A number[kLine]; };

  int64_t lines_per_state_;
  std::vector<Line> lines_;
};

// Accumulates every row of `rows` in a state of `size` numbers, and finishes it:
//   begin(row, state), one add(row, begin, end, state) for its entries, finish(chunk, row, state);
// the states of the parts of a row are put together by merge(state, part's state): the pieces
// of a hub, and runs of entries that are short enough to be summed in a row without losing
// digits.
template <class A, class Kernel>
void accumulate_rows(const Rows& rows, int64_t size, const Kernel& kernel) {
  constexpr int64_t kRun = 64;
  const auto add = [&](int64_t row, int64_t begin, int64_t end, A* state, A* run) {
    kernel.begin(row, state);
    kernel.add(row, begin, std::min(begin + kRun, end), state);
    for (int64_t first = begin + kRun; first < end; first += kRun) {
      kernel.begin(row, run);
      kernel.add(row, first, std::min(first + kRun, end), run);
      kernel.merge(state, run);
    }
  };
  const auto& pieces = rows.pieces();
  States<A> piece_states(pieces.size(), size);
  parallel_each(pieces.size(), [&](int64_t p) {
    States<A> run(1, size);
    add(pieces[p].row, pieces[p].begin, pieces[p].end, piece_states[p], run[0]);
  });
  rows.for_each_chunk([&](int64_t chunk, int64_t first, int64_t last) {
    States<A> states(2, size);
    A* state = states[0];
    for (int64_t row = first; row < last; ++row) {
      if (rows.is_hub(row)) {
        const size_t p = rows.first_piece(row);
        std::copy_n(piece_states[p], size, state);
        for (size_t q = p + 1; q < pieces.size() && pieces[q].row == row; ++q)
          kernel.merge(state, piece_states[q]);
      } else {
        add(row, rows.ptr(row), rows.ptr(row + 1), state, states[1]);
      }
      kernel.finish(chunk, row, state);
    }
  });
}

}  // namespace gatsparse
