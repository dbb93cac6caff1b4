#include "rows.h"

namespace gatsparse {
namespace {

// States of `size` numbers, each aligned to a cache line.
template <class A>
class States {
 public:
  States(int64_t count, int64_t size)
      : lines_per_state_(std::max<int64_t>(1, (size + kLine - 1) / kLine)),
        lines_(count * lines_per_state_) {}
  A* operator[](int64_t k) { return lines_[k * lines_per_state_].number; }

 private:
  static constexpr int64_t kLine = 64 / sizeof(A);
  struct alignas(64) Line { A number[kLine]; };

  int64_t lines_per_state_;
  std::vector<Line> lines_;
};

}  // namespace

template <class A>
void accumulate_rows(const Rows& rows, const RowKernel<A>& kernel) {
  const int64_t size = kernel.state_size();
  const auto sum = [&](int64_t row, int64_t begin, int64_t end, A* state, A* run) {
    kernel.sum(row, begin, std::min(begin + kRun, end), state);
    for (int64_t first = begin + kRun; first < end; first += kRun) {
      kernel.sum(row, first, std::min(first + kRun, end), run);
      kernel.merge(state, run);
    }
  };
  const auto& pieces = rows.pieces();
  States<A> piece_states(pieces.size(), size);
  parallel_each(pieces.size(), [&](int64_t p) {
    States<A> run(1, size);
    sum(pieces[p].row, pieces[p].begin, pieces[p].end, piece_states[p], run[0]);
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
        sum(row, rows.ptr(row), rows.ptr(row + 1), state, states[1]);
      }
      kernel.finish(chunk, row, state);
    }
  });
}

template void accumulate_rows(const Rows&, const RowKernel<float>&);
template void accumulate_rows(const Rows&, const RowKernel<double>&);

}  // namespace gatsparse
