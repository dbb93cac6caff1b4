// Shared parts of all kernels: the checked view of a CSR graph, and dispatch over dtypes.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/BFloat16.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "memory.h"

namespace gatsparse {

using torch::stable::detail::StableLibrary;
using Tensors = std::vector<Tensor>;

void check_tensor(const Tensor& tensor, const char* name, ScalarType dtype,
                  const std::vector<int64_t>& sizes);

// Integers of 32 or 64 bits.
struct Index {
  const void* data;
  bool wide;
  template <class index_t>
  const index_t* as() const { return static_cast<const index_t*>(data); }
  int64_t operator[](int64_t k) const { return wide ? as<int64_t>()[k] : as<int32_t>()[k]; }
};

// The rows of a CSR graph: row i holds the entries ptr[i] .. ptr[i+1] of
// `index` (the other end of each edge) and `perm` (its position in the input).
struct Csr {
  int64_t num_rows;
  int64_t num_entries;
  const int64_t* ptr;
  Index index, perm;

  // Checks everything a row loop relies on, except the entries of `index` and
  // `perm`: the kernels compare those with their bounds as they visit them.
  explicit Csr(const Tensors& csr);
};

// Raised inside a parallel region by a thread that finds an index out of range, and converted to
// an error after it, because an exception must not leave a thread of the pool.
class BoundsFlag {
 public:
  template <class index_t>
  bool in_bounds(index_t value, int64_t bound) {
    const bool ok = static_cast<uint64_t>(value) < static_cast<uint64_t>(bound);
    if (__builtin_expect(!ok, 0)) raise();
    return ok;
  }
  void raise() { raised_.store(true, std::memory_order_relaxed); }
  void check(const char* what) const { STD_TORCH_CHECK(!raised_.load(), what); }

 private:
  std::atomic<bool> raised_{false};
};

// The type of sums: float32, or float64 if the storage is float64.
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

}  // namespace gatsparse
