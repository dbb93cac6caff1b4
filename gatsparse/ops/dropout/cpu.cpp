// Dropout of activations on CPU, alone and after ELU. The formulas are in __init__.py.
#include <cmath>
#include <optional>

#include "csr.h"
#include "exp.h"
#include "parallel.h"
#include "philox.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

constexpr int kVectors = 2, kWide = kLanes<uint64_t>;
constexpr int64_t kGroup = 64;    // elements of a group: four words of each of its 16 counters
constexpr int64_t kGrain = 128;   // groups per piece of work of a thread

template <int N>
GATSPARSE_INLINE Vec<float, N> expm1_lanes(const Vec<float, N>& x) {
  // Taylor's series near 0, where exp(x) - 1 would lose precision.
  Vec<float, N> series = x * (1.0f / 8) + 1.0f;
  for (const float k : {7, 6, 5, 4, 3, 2}) series = x * (1 / k) * series + 1.0f;
  return x > -0.35f ? x * series : exp_lanes<N>(x) - 1.0f;
}
template <int N>
GATSPARSE_INLINE Vec<double, N> expm1_lanes(const Vec<double, N>& x) {
  Vec<double, N> value = x;
  for (int l = 0; l < N; ++l) value[l] = std::expm1(x[l]);
  return value;
}

// The low parts of the words of one or two vectors, side by side.
template <class Word>
GATSPARSE_INLINE Vec<Word> narrowed(const Vec<uint64_t>* words) {
  if constexpr (sizeof(Word) == 8) {
    return words[0];
  } else {
    constexpr int half = kLanes<Word> / 2;
    const auto part = [&](int k) GATSPARSE_LAMBDA {
      return resize<Word, 2 * half, half>(__builtin_convertvector(words[k], Vec<Word, half>));
    };
    return shuffle<Word>(part(0), part(1), [](int l) { return l < half ? l : l + half; });
  }
}

struct Dropout {
  uint64_t key = 0;
  uint32_t threshold = 0;
  double scale = 1.0;

  Dropout(double p, const std::optional<Tensor>& seed) {
    STD_TORCH_CHECK(p >= 0.0 && p < 1.0, "p: expected 0 <= p < 1, got ", p);
    if (p == 0.0) return;
    STD_TORCH_CHECK(seed.has_value(), "seed: needed when p > 0");
    check_tensor(*seed, "seed", ScalarType::Long, {});
    key = static_cast<uint64_t>(*seed->const_data_ptr<int64_t>());
    threshold = static_cast<uint32_t>(p * 4294967296.0);
    scale = 1.0 / (1.0 - p);
  }

  // Calls f(at, factor) for the vectors of a group: its numbers starting at `at` are multiplied
  // by `factor`. Element k of a group is dropped by word k / 16 of counter k % 16.
  template <class A, class F>
  GATSPARSE_INLINE void factors(int64_t group, const F& f) const {
    using Word = std::conditional_t<sizeof(A) == 4, uint32_t, uint64_t>;
    constexpr int together = kLanes<A> / kWide;  // vectors of words for a vector of numbers
    static_assert(kVectors % together == 0);
    const Vec<A> kept = static_cast<A>(scale) - Vec<A>{};
    if (threshold == 0) {
      for (int at = 0; at < kGroup; at += kLanes<A>) f(at, kept);
      return;
    }
    for (int first = 0; first < 16; first += kVectors * kWide) {
      Vec<uint64_t> word[4][kVectors];
      unroll<kVectors>([&](auto v) GATSPARSE_LAMBDA {
        uint64_t counter[kWide];
        for (int l = 0; l < kWide; ++l)
          counter[l] = static_cast<uint64_t>(group) * 16 + first + v * kWide + l;
        word[0][v] = load<uint64_t>(counter);
        word[1][v] = word[0][v] >> 32;
        word[2][v] = Vec<uint64_t>{};
        word[3][v] = 1 - Vec<uint64_t>{};  // keeps these numbers apart from those of edges
      });
      philox<kVectors>(key, word);
      unroll<4 * kVectors / together>([&](auto k) GATSPARSE_LAMBDA {
        constexpr int at = k * together, w = at / kVectors, v = at % kVectors;
        const auto words = narrowed<Word>(&word[w][v]);
        f(w * 16 + first + v * kWide, words >= threshold ? kept : Vec<A>{});
      });
    }
  }
};

// out[k] = f(factor of k, a[k], b[k]), by vectors; b may be null.
template <class T, class F>
void each(const Dropout& dropout, const T* a, const T* b, T* out, int64_t n, const F& f) {
  using A = acc_t<T>;
  const auto whole = [&](const T* a, const T* b, T* out, int64_t group) {
    dropout.factors<A>(group, [&](int at, const Vec<A>& factor) GATSPARSE_LAMBDA {
      const Vec<A> other = b ? load<A>(b + at) : Vec<A>{};
      store(out + at, f(factor, load<A>(a + at), other));
    });
  };
  const int64_t groups = (n + kGroup - 1) / kGroup;
  parallel_each((groups + kGrain - 1) / kGrain, [&](int64_t chunk) {
    for (int64_t group = chunk * kGrain; group < std::min((chunk + 1) * kGrain, groups); ++group) {
      const int64_t first = group * kGroup, size = std::min(kGroup, n - first);
      if (size == kGroup) {
        whole(a + first, b ? b + first : nullptr, out + first, group);
        continue;
      }
      T a_rest[kGroup] = {}, b_rest[kGroup] = {}, out_rest[kGroup];
      std::copy_n(a + first, size, a_rest);
      if (b) std::copy_n(b + first, size, b_rest);
      whole(a_rest, b ? b_rest : nullptr, out_rest, group);
      std::copy_n(out_rest, size, out + first);
    }
  });
}

// The same for tensors: f(A{}, factor, a, b), where A is the type of the numbers.
template <class F>
Tensor each(double p, const std::optional<Tensor>& seed, const char* name, const Tensor& a,
            const Tensor* b, const F& f) {
  const Dropout dropout(p, seed);
  STD_TORCH_CHECK(a.is_cpu() && a.is_contiguous(), name, ": expected a contiguous CPU tensor");
  const std::vector<int64_t> sizes(a.sizes().begin(), a.sizes().end());
  if (b) check_tensor(*b, "out", a.scalar_type(), sizes);
  Tensor out = empty(sizes, a.scalar_type());
  dispatch_storage(a, [&](auto storage) {
    using T = typename decltype(storage)::type;
    using A = acc_t<T>;
    each(dropout, a.const_data_ptr<T>(), b ? b->const_data_ptr<T>() : nullptr,
         out.mutable_data_ptr<T>(), a.numel(),
         [&](const auto& factor, const auto& a, const auto& b)
             GATSPARSE_LAMBDA { return f(A{}, factor, a, b); });
  });
  return out;
}

Tensor dropout(const Tensor& x, double p, const Tensor& seed) {
  return each(p, seed, "x", x, nullptr, [](auto, const auto& factor, const auto& x, const auto&)
                                       GATSPARSE_LAMBDA { return factor * x; });
}

Tensor elu_dropout(const Tensor& x, double p, std::optional<Tensor> seed) {
  return each(p, seed, "x", x, nullptr,
              [](auto zero, const auto& factor, const auto& x, const auto&) GATSPARSE_LAMBDA {
                return factor * (x > zero ? x : expm1_lanes<kLanes<decltype(zero)>>(x));
              });
}

// For a negative kept element, the derivative of ELU is exp(x) = out / scale + 1.
Tensor elu_dropout_backward(const Tensor& grad, const Tensor& out, double p,
                            std::optional<Tensor> seed) {
  return each(p, seed, "grad_out", grad, &out,
              [p](auto zero, const auto& factor, const auto& grad, const auto& out)
                  GATSPARSE_LAMBDA {
                    const auto keep = static_cast<decltype(zero)>(1.0 - p);
                    const auto one = 1 - std::decay_t<decltype(out)>{};
                    // For a rounded result it could be below 0.
                    const auto slope = keep * out + one;
                    return factor * grad * (out > zero ? one : slope > zero ? slope : slope * zero);
                  });
}

}  // namespace

void register_dropout(StableLibrary& library) {
  library.impl("dropout", TORCH_BOX(&dropout));
  library.impl("elu_dropout", TORCH_BOX(&elu_dropout));
  library.impl("elu_dropout_backward", TORCH_BOX(&elu_dropout_backward));
}

}  // namespace gatsparse::GATSPARSE_ISA
