// What every kernel shares: the checked view of a CSR structure, the parallel
// loop over its rows, and dispatch over dtypes.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/BFloat16.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace gatsparse {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using torch::stable::detail::StableLibrary;
using Tensors = std::vector<Tensor>;

void register_graph(StableLibrary& library);

inline Tensor empty(const std::vector<int64_t>& sizes, ScalarType dtype) {
  try {
    return torch::stable::empty(sizes, dtype);
  } catch (const std::exception&) {  // across the stable ABI the reason is lost
    std::string shape;
    for (const int64_t size : sizes) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    throw std::runtime_error("can't allocate memory: a tensor of shape [" + shape + "]");
  }
}

inline void check_tensor(const Tensor& tensor, const char* name, ScalarType dtype,
                         const std::vector<int64_t>& sizes) {
  STD_TORCH_CHECK(tensor.is_cpu() && tensor.is_contiguous(), name,
                  ": expected a contiguous CPU tensor");
  STD_TORCH_CHECK(tensor.scalar_type() == dtype, name, ": unexpected dtype");
  STD_TORCH_CHECK(tensor.dim() == static_cast<int64_t>(sizes.size()), name, ": expected ",
                  sizes.size(), " dimensions, got ", tensor.dim());
  for (size_t d = 0; d < sizes.size(); ++d)
    STD_TORCH_CHECK(tensor.size(d) == sizes[d], name, ": expected size ", sizes[d],
                    " in dimension ", d, ", got ", tensor.size(d));
}

// The rows of a CSR structure: row i holds the entries ptr[i] .. ptr[i+1] of
// `index` (the other end of each edge) and `perm` (where the edge stood before).
// `index_t` is int32_t or int64_t; offsets are always int64_t.
template <class index_t>
struct Csr {
  int64_t num_rows;
  int64_t num_entries;
  const int64_t* ptr;
  const index_t* index;
  const index_t* perm;

  // Checks everything a row loop relies on, except the entries of `index` and
  // `perm`: the kernels compare those with their bounds as they visit them.
  explicit Csr(const Tensors& csr) {
    STD_TORCH_CHECK(csr.size() == 3, "expected [rowptr, col, perm], got ", csr.size(),
                    " tensors");
    num_rows = csr[0].numel() - 1;
    num_entries = csr[1].numel();
    STD_TORCH_CHECK(num_rows >= 0, "rowptr: expected at least one entry");
    const auto index_dtype = sizeof(index_t) == 4 ? ScalarType::Int : ScalarType::Long;
    check_tensor(csr[0], "rowptr", ScalarType::Long, {num_rows + 1});
    check_tensor(csr[1], "col", index_dtype, {num_entries});
    check_tensor(csr[2], "perm", index_dtype, {num_entries});
    ptr = csr[0].const_data_ptr<int64_t>();
    index = csr[1].const_data_ptr<index_t>();
    perm = csr[2].const_data_ptr<index_t>();
    bool sorted = ptr[0] == 0 && ptr[num_rows] == num_entries;
    for (int64_t i = 0; i < num_rows; ++i) sorted &= ptr[i] <= ptr[i + 1];
    STD_TORCH_CHECK(sorted, "rowptr: expected to rise from 0 to ", num_entries);
  }
};

// Raised inside a parallel region by the thread that meets a bad index, and
// turned into an error after it: an exception must not leave a thread of the pool.
class BoundsFlag {
 public:
  template <class index_t>
  bool in_bounds(index_t value, int64_t bound) {
    const bool ok = static_cast<uint64_t>(value) < static_cast<uint64_t>(bound);
    if (__builtin_expect(!ok, 0)) raised_.store(true, std::memory_order_relaxed);
    return ok;
  }
  void check(const char* what) const { STD_TORCH_CHECK(!raised_.load(), what); }

 private:
  std::atomic<bool> raised_{false};
};

// Work, in edge visits plus rows, below which a second thread costs more than it brings.
constexpr int64_t kGrain = 2048;

// Calls f(begin, end) on ranges of rows, in parallel, each with an equal share of
// the edges. Row i stands at position ptr[i] + i of the work; a range owns the rows
// that start in it. So each row has one owner, whatever the number of threads.
template <class F>
void parallel_rows(int64_t num_rows, const int64_t* ptr, const F& f) {
  const auto first_row = [=](int64_t work) {
    int64_t low = 0, high = num_rows;
    while (low < high) {
      const int64_t mid = low + (high - low) / 2;
      if (ptr[mid] + mid < work) low = mid + 1;
      else high = mid;
    }
    return low;
  };
  torch::stable::parallel_for(0, ptr[num_rows] + num_rows, kGrain,
                              [&](int64_t begin, int64_t end) {
                                const int64_t first = first_row(begin), last = first_row(end);
                                if (first < last) f(first, last);
                              });
}

// The type that sums are taken in: float32, or better where the storage is better.
template <class T>
struct Accumulate { using type = float; };
template <>
struct Accumulate<double> { using type = double; };
template <class T>
using acc_t = typename Accumulate<T>::type;

template <class T>
constexpr ScalarType acc_dtype() {
  return std::is_same_v<acc_t<T>, double> ? ScalarType::Double : ScalarType::Float;
}

template <class T>
struct Type { using type = T; };

// Calls f(Type<storage>{}) for the dtype of the features.
template <class F>
auto dispatch_storage(const Tensor& x, const F& f) {
  if (x.scalar_type() == ScalarType::Float) return f(Type<float>{});
  if (x.scalar_type() == ScalarType::Double) return f(Type<double>{});
  STD_TORCH_CHECK(x.scalar_type() == ScalarType::BFloat16,
                  "x: expected float32, float64 or bfloat16");
  return f(Type<torch::headeronly::BFloat16>{});
}

// Calls f(Type<storage>{}, Type<index>{}) for the dtypes of the features and of `col`.
template <class F>
auto dispatch(const Tensor& x, const Tensor& col, const F& f) {
  return dispatch_storage(x, [&](auto storage) {
    if (col.scalar_type() == ScalarType::Int) return f(storage, Type<int32_t>{});
    STD_TORCH_CHECK(col.scalar_type() == ScalarType::Long, "col: expected int32 or int64");
    return f(storage, Type<int64_t>{});
  });
}

}  // namespace gatsparse
