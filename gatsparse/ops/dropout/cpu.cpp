// Dropout of activations on CPU. The rule stands in __init__.py.
#include "csr.h"
#include "philox.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

constexpr int kCounters = 16;              // at once
constexpr int64_t kGroup = 4 * kCounters;  // elements at once: four words of each counter
constexpr int64_t kGrain = 2048;           // groups that are worth a thread's while

template <class T>
void drop_group(const T* x, T* out, int64_t n, int64_t group, uint64_t seed,
                uint32_t threshold, acc_t<T> scale) {
  using A = acc_t<T>;
  uint32_t word[4][kCounters];
  for (int l = 0; l < kCounters; ++l) {
    const uint64_t counter = static_cast<uint64_t>(group) * kCounters + l;
    word[0][l] = static_cast<uint32_t>(counter);
    word[1][l] = static_cast<uint32_t>(counter >> 32);
    word[2][l] = 0;
    word[3][l] = 1;  // keeps these numbers apart from those of edges
  }
  philox_lanes<kCounters>(seed, word);
  const uint32_t* words = word[0];
#pragma omp simd
  for (int64_t k = 0; k < n; ++k)
    out[k] = static_cast<T>(static_cast<A>(x[k]) * (words[k] >= threshold ? scale : A(0)));
}

Tensor dropout(const Tensor& x, double p, const Tensor& seed) {
  STD_TORCH_CHECK(p >= 0.0 && p < 1.0, "p: expected 0 <= p < 1, got ", p);
  STD_TORCH_CHECK(x.is_cpu() && x.is_contiguous(), "x: expected a contiguous CPU tensor");
  check_tensor(seed, "seed", ScalarType::Long, {});
  const uint64_t key = static_cast<uint64_t>(*seed.const_data_ptr<int64_t>());
  const uint32_t threshold = static_cast<uint32_t>(p * 4294967296.0);
  const int64_t n = x.numel();
  Tensor out = empty({x.sizes().begin(), x.sizes().end()}, x.scalar_type());
  dispatch_storage(x, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const T* source = x.const_data_ptr<T>();
    T* target = out.mutable_data_ptr<T>();
    const auto scale = static_cast<acc_t<T>>(1.0 / (1.0 - p));
    torch::stable::parallel_for(
        0, (n + kGroup - 1) / kGroup, kGrain, [&](int64_t begin, int64_t end) {
          for (int64_t group = begin; group < end; ++group) {
            const int64_t first = group * kGroup;
            drop_group(source + first, target + first, std::min(kGroup, n - first), group, key,
                       threshold, scale);
          }
        });
  });
  return out;
}

}  // namespace

void register_dropout(StableLibrary& library) { library.impl("dropout", TORCH_BOX(&dropout)); }

}  // namespace gatsparse::GATSPARSE_ISA
