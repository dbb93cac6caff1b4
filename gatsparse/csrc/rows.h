// The rows of a CSR graph, split into work for threads. The split depends only on the graph, so
// sums have the same order for any number of threads.
#pragma once

#include "csr.h"
#include "parallel.h"

namespace gatsparse {

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

  // Calls f(chunk, first, last) for every chunk of rows first .. last-1, in parallel. Row i starts
  // at position ptr[i] + i of the work; a chunk owns the rows that start in it.
  void for_each_chunk(FunctionRef<void(int64_t, int64_t, int64_t)> f) const {
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
  // Entries plus rows of a chunk: enough to pay off the overhead of a thread.
  static constexpr int64_t kChunk = 1024, kMaxChunks = 4096;
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

// Entries of a row that are summed at a time: few enough to avoid a loss of precision.
constexpr int64_t kRun = 64;

// Work of a kernel on a row: it sums the row's entries in a state of `state_size` numbers.
template <class A>
class RowKernel {
 public:
  virtual int64_t state_size() const = 0;
  // state = the sums over the entries begin .. end-1 of a row, at most kRun of them.
  virtual void sum(int64_t row, int64_t begin, int64_t end, A* state) const = 0;
  // state += the sums over other entries of the row, which may be overwritten.
  virtual void merge(A* state, A* part) const = 0;
  // Writes the results of a row; `chunk` identifies the thread's piece of work.
  virtual void finish(int64_t chunk, int64_t row, A* state) const = 0;

 protected:
  ~RowKernel() = default;
};

// Sums and finishes every row. The pieces of a hub are summed first, by any thread.
template <class A>
void accumulate_rows(const Rows& rows, const RowKernel<A>& kernel);

}  // namespace gatsparse
