// Dropout of activations on CPU. The rule stands in __init__.py.
#include "csr.h"
#include "philox.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

constexpr int kVectors = 2, kLanesOfWord = kLanes<uint64_t>;
constexpr int64_t kGroup = 64;     // elements of a group: four words of each of its 16 counters
constexpr int64_t kGrain = 2048;   // groups that are worth a thread's while

// Element k of a group is dropped by word k / 16 of counter k % 16.
template <class T>
void drop_group(const T* x, T* out, int64_t group, uint64_t seed, uint32_t threshold,
                acc_t<T> scale) {
  using A = acc_t<T>;
  using Numbers = Vec<A, kLanesOfWord>;
  using Words = Vec<std::conditional_t<sizeof(A) == 4, uint32_t, uint64_t>, kLanesOfWord>;
  for (int first = 0; first < 16; first += kVectors * kLanesOfWord) {
    Vec<uint64_t> word[4][kVectors];
    unroll<kVectors>([&](auto v) GATSPARSE_LAMBDA {
      uint64_t counter[kLanesOfWord];
      for (int l = 0; l < kLanesOfWord; ++l)
        counter[l] = static_cast<uint64_t>(group) * 16 + first + v * kLanesOfWord + l;
      word[0][v] = load<uint64_t>(counter);
      word[1][v] = word[0][v] >> 32;
      word[2][v] = Vec<uint64_t>{};
      word[3][v] = 1 - Vec<uint64_t>{};  // keeps these numbers apart from those of edges
    });
    philox<kVectors>(seed, word);
    unroll<4 * kVectors>([&](auto k) GATSPARSE_LAMBDA {
      const int at = k / kVectors * 16 + first + k % kVectors * kLanesOfWord;
      const auto words = __builtin_convertvector(word[k / kVectors][k % kVectors], Words);
      const Numbers value = load<A, kLanesOfWord>(x + at);
      store(out + at, words >= threshold ? scale * value : A(0) * value);
    });
  }
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
            if (first + kGroup <= n) {
              drop_group(source + first, target + first, group, key, threshold, scale);
            } else {
              T last[kGroup] = {}, dropped[kGroup];
              std::copy(source + first, source + n, last);
              drop_group(last, dropped, group, key, threshold, scale);
              std::copy_n(dropped, n - first, target + first);
            }
          }
        });
  });
  return out;
}

}  // namespace

void register_dropout(StableLibrary& library) { library.impl("dropout", TORCH_BOX(&dropout)); }

}  // namespace gatsparse::GATSPARSE_ISA
