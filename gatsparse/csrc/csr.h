// What every kernel shares: the checked view of a CSR structure, the parallel
// loop over its rows, and dispatch over dtypes.
#pragma once

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/BFloat16.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
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

// Asks for huge pages behind a large new tensor: its page faults would cost more time than
// a kernel takes to fill it.
inline void advise_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr uintptr_t kPage = 4096;
  if (bytes < (int64_t{4} << 20)) return;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(data) + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);  // only a wish
#endif
}

inline Tensor empty(const std::vector<int64_t>& sizes, ScalarType dtype) {
  try {
    Tensor tensor = torch::stable::empty(sizes, dtype);
    int64_t bytes = tensor.element_size();
    for (const int64_t size : sizes) bytes *= size;
    advise_huge_pages(tensor.mutable_data_ptr(), bytes);
    return tensor;
  } catch (const std::exception&) {  // across the stable ABI the reason is lost
    std::string shape;
    for (const int64_t size : sizes) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    throw std::runtime_error("can't allocate memory: a tensor of shape [" + shape + "]");
  }
}

// Uninitialised numbers for the time of one call. Large ones lie on huge pages of their own:
// what the allocator hands out again may lie on small pages, where each row that is gathered
// costs a translation.
template <class A>
class Scratch {
 public:
  explicit Scratch(int64_t size) {
    const size_t bytes = static_cast<size_t>(size) * sizeof(A);
#ifdef MADV_HUGEPAGE
    constexpr size_t kHugePage = size_t{2} << 20;
    if (bytes >= 2 * kHugePage) {
      mapped_ = bytes + kHugePage;
      memory_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory_ == MAP_FAILED) fail(bytes);
      const uintptr_t first = (reinterpret_cast<uintptr_t>(memory_) + kHugePage - 1) / kHugePage;
      numbers_ = reinterpret_cast<A*>(first * kHugePage);
      madvise(numbers_, bytes, MADV_HUGEPAGE);  // only a wish
      return;
    }
#endif
    memory_ = ::operator new(bytes, kAlignment, std::nothrow);
    if (!memory_) fail(bytes);
    numbers_ = static_cast<A*>(memory_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
#ifdef MADV_HUGEPAGE
    if (mapped_ > 0) {
      munmap(memory_, mapped_);
      return;
    }
#endif
    ::operator delete(memory_, kAlignment);
  }
  A* data() const { return numbers_; }

 private:
  static constexpr std::align_val_t kAlignment{64};

  [[noreturn]] static void fail(size_t bytes) {
    throw std::runtime_error("can't allocate memory: " + std::to_string(bytes) + " bytes");
  }

  void* memory_;
  size_t mapped_ = 0;
  A* numbers_;
};

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

// Integers of 32 or of 64 bits.
struct Index {
  const void* data;
  bool wide;
  template <class index_t>
  const index_t* as() const { return static_cast<const index_t*>(data); }
  int64_t operator[](int64_t k) const { return wide ? as<int64_t>()[k] : as<int32_t>()[k]; }
};

// The rows of a CSR structure: row i holds the entries ptr[i] .. ptr[i+1] of
// `index` (the other end of each edge) and `perm` (where the edge stood before).
struct Csr {
  int64_t num_rows;
  int64_t num_entries;
  const int64_t* ptr;
  Index index, perm;

  // Checks everything a row loop relies on, except the entries of `index` and
  // `perm`: the kernels compare those with their bounds as they visit them.
  explicit Csr(const Tensors& csr) {
    STD_TORCH_CHECK(csr.size() == 3, "expected [rowptr, col, perm], got ", csr.size(),
                    " tensors");
    num_rows = csr[0].numel() - 1;
    num_entries = csr[1].numel();
    STD_TORCH_CHECK(num_rows >= 0, "rowptr: expected at least one entry");
    const auto dtype = csr[1].scalar_type();
    STD_TORCH_CHECK(dtype == ScalarType::Int || dtype == ScalarType::Long,
                    "col: expected int32 or int64");
    check_tensor(csr[0], "rowptr", ScalarType::Long, {num_rows + 1});
    check_tensor(csr[1], "col", dtype, {num_entries});
    check_tensor(csr[2], "perm", dtype, {num_entries});
    ptr = csr[0].const_data_ptr<int64_t>();
    index = {csr[1].const_data_ptr(), dtype == ScalarType::Long};
    perm = {csr[2].const_data_ptr(), dtype == ScalarType::Long};
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
    if (__builtin_expect(!ok, 0)) raise();
    return ok;
  }
  void raise() { raised_.store(true, std::memory_order_relaxed); }
  void check(const char* what) const { STD_TORCH_CHECK(!raised_.load(), what); }

 private:
  std::atomic<bool> raised_{false};
};

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

}  // namespace gatsparse
