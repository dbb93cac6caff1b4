// A table whose rows are gathered: where each row is gathered often, from a copy on huge pages.
#pragma once

#include <cstring>

#include "memory.h"
#include "parallel.h"

namespace gatsparse {

template <class T>
class Gathered {
 public:
  // The table [num_rows, length], of which `num_gathered` rows are read.
  Gathered(const T* table, int64_t num_rows, int64_t length, int64_t num_gathered)
      : rows_(table) {
    // A copy costs about as much as gathering each row once or twice. Address translations of
    // smaller tables are cached.
    constexpr int64_t kTimes = 4, kBytes = 16 << 20, kChunk = 1 << 18;
    const int64_t size = num_rows * length, bytes = size * static_cast<int64_t>(sizeof(T));
    if (bytes < kBytes || num_gathered < kTimes * num_rows || is_kept(table)) return;
    if (!allocate(copy_, size)) return;
    T* target = copy_->data();
    parallel_each((size + kChunk - 1) / kChunk, [&](int64_t chunk) {
      const int64_t first = chunk * kChunk, count = std::min(kChunk, size - first);
      std::memcpy(target + first, table + first, static_cast<size_t>(count) * sizeof(T));
    });
    rows_ = target;
  }
  operator const T*() const { return rows_; }

 private:
  const T* rows_;
  std::optional<Scratch<T>> copy_;
};

}  // namespace gatsparse
