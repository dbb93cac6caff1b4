// Vectors as wide as the registers of one instruction set, by the GCC and Clang vector
// extensions: one source for all of them.
#pragma once

#include <torch/headeronly/util/BFloat16.h>

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace gatsparse::GATSPARSE_ISA {

using torch::headeronly::BFloat16;

#define GATSPARSE_INLINE inline __attribute__((always_inline))

#define GATSPARSE_LAMBDA __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class A>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(A));

template <class A, int N>
struct VecOf {
  typedef A type __attribute__((vector_size(N * sizeof(A))));
};
template <class A, int N = kLanes<A>>
using Vec = typename VecOf<A, N>::type;

// As many numbers as fill the vectors that n of them need.
template <class A>
constexpr int64_t whole_vectors(int64_t n) {
  return (n + kLanes<A> - 1) / kLanes<A> * kLanes<A>;
}

// f(0), ..., f(count - 1), each index a constant.
template <int count, class F>
GATSPARSE_INLINE void unroll(const F& f) {
  if constexpr (count > 0) {
    unroll<count - 1>(f);
    f(std::integral_constant<int, count - 1>{});
  }
}

// Loads N values of storage type T as a vector of A.
template <class A, int N = kLanes<A>, class T>
GATSPARSE_INLINE Vec<A, N> load(const T* source) {
  Vec<A, N> value;
  if constexpr (std::is_same_v<T, A>) {
    std::memcpy(&value, source, sizeof(value));
  } else {  // a bfloat16 is the upper half of a float32
    Vec<uint16_t, N> half;
    std::memcpy(&half, source, sizeof(half));
    const Vec<uint32_t, N> bits = __builtin_convertvector(half, Vec<uint32_t, N>) << 16;
    std::memcpy(&value, &bits, sizeof(value));
  }
  return value;
}

// Stores the lanes of a vector in storage type T, rounded to the nearest.
template <class V, class T>
GATSPARSE_INLINE void store(T* target, const V& value) {
  if constexpr (std::is_same_v<T, std::decay_t<decltype(value[0])>>) {
    std::memcpy(target, &value, sizeof(value));
  } else {
    for (size_t l = 0; l < sizeof(value) / sizeof(value[0]); ++l)
      target[l] = static_cast<T>(value[l]);
  }
}

// Loads n < kLanes values, and zeros for the rest; touches nothing beyond them.
template <class A, class T>
GATSPARSE_INLINE Vec<A> load_partial(const T* source, int n) {
#ifdef __AVX512F__
  if constexpr (std::is_same_v<T, float>)
    return Vec<A>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), source));
  if constexpr (std::is_same_v<T, double>)
    return Vec<A>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), source));
#endif
  alignas(kVectorBytes) T values[kLanes<A>] = {};
  for (int l = 0; l < n; ++l) values[l] = source[l];
  return load<A>(values);
}

template <class V, class T>
GATSPARSE_INLINE void store_partial(T* target, const V& value, int n) {
  for (int l = 0; l < n; ++l) target[l] = static_cast<T>(value[l]);
}

template <class V, class F, int... lane>
GATSPARSE_INLINE V shuffle_lanes(V a, V b, F index, std::integer_sequence<int, lane...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, index(lane)...);
#else
  using Int = std::conditional_t<sizeof(a[0]) == 4, int32_t, int64_t>;
  return __builtin_shuffle(a, b, Vec<Int, sizeof...(lane)>{index(lane)...});
#endif
}

// Lane l of the result is lane index(l) of a and b side by side.
template <class A, class F>
GATSPARSE_INLINE Vec<A> shuffle(Vec<A> a, Vec<A> b, F index) {
  return shuffle_lanes(a, b, index, std::make_integer_sequence<int, kLanes<A>>{});
}

// Fills a vector with a shorter one, again and again.
template <class A, int N, int... lane>
GATSPARSE_INLINE Vec<A> repeat_lanes(const Vec<A, N>& value, std::integer_sequence<int, lane...>) {
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(value, value, (lane % N)...);
#else
  return Vec<A>{value[lane % N]...};
#endif
}
template <class A, int N>
GATSPARSE_INLINE Vec<A> repeat(const Vec<A, N>& value) {
  return repeat_lanes<A, N>(value, std::make_integer_sequence<int, kLanes<A>>{});
}

// The first N lanes of a vector, or a vector whose first lanes are those of a shorter one and
// whose others are anything.
template <class A, int N, int M, int... lane>
GATSPARSE_INLINE Vec<A, N> resize_lanes(const Vec<A, M>& value,
                                        std::integer_sequence<int, lane...>) {
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(value, value, (lane < M ? lane : -1)...);
#else
  return Vec<A, N>{value[lane % M]...};
#endif
}
template <class A, int N, int M>
GATSPARSE_INLINE Vec<A, N> resize(const Vec<A, M>& value) {
  return resize_lanes<A, N, M>(value, std::make_integer_sequence<int, N>{});
}

// The sums of the groups of `group` lanes, of all vectors, side by side. (Halves of
// groups are added to each other, two vectors at a time, until groups are single lanes.)
template <class A, int count, int group>
GATSPARSE_INLINE Vec<A> sum_groups(const Vec<A>* v) {
  if constexpr (group == 1) {
    static_assert(count == 1);
    return v[0];
  } else {
    constexpr int half = group / 2, next = count > 1 ? count / 2 : 1;
    Vec<A> sums[next];
    unroll<next>([&](auto k) {
      const Vec<A> a = v[2 * k < count ? 2 * k : 0], b = v[2 * k + 1 < count ? 2 * k + 1 : 0];
      sums[k] =
          shuffle<A>(a, b, [](int l) { return l / (group / 2) * group + l % (group / 2); }) +
          shuffle<A>(a, b, [](int l) {
            return l / (group / 2) * group + l % (group / 2) + group / 2;
          });
    });
    static_assert(half >= 1);
    return sum_groups<A, next, half>(sums);
  }
}

template <class V, class A>
GATSPARSE_INLINE V leaky_relu(const V& z, A slope) { return z > A(0) ? z : slope * z; }

// Whether a number of a is greater than that of b in the same lane.
template <class A, int N>
GATSPARSE_INLINE bool any_greater(const Vec<A, N>& a, const Vec<A, N>& b) {
#ifdef __AVX512F__
  if constexpr (sizeof(a) == 64 && sizeof(A) == 4) return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
  if constexpr (sizeof(a) == 32 && sizeof(A) == 4) return _mm256_cmp_ps_mask(a, b, _CMP_GT_OQ);
  if constexpr (sizeof(a) == 16 && sizeof(A) == 4) return _mm_cmp_ps_mask(a, b, _CMP_GT_OQ);
#endif
  bool any = false;
  for (int l = 0; l < N; ++l) any |= a[l] > b[l];
  return any;
}

// exp(x) for x <= 80. Measured within 1.3 ulp; 0 below -87.3, where float32 becomes
// subnormal; NaN stays NaN.
template <int N>
GATSPARSE_INLINE Vec<float, N> exp_lanes(const Vec<float, N>& x) {
  using F = Vec<float, N>;
  using I = Vec<uint32_t, N>;
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  const F shifted = x * 1.44269504f + kShift;
  const F k = shifted - kShift;
  const F r = (x - k * kLn2High) - k * kLn2Low;
  F p = r * (1.0f / 5040) + 1.0f / 720;  // Taylor's series: |r| <= ln(2) / 2
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const I bits = (I(shifted) - 0x4B400000u + 127u) << 23;  // k, as an exponent
  const F value = p * F(bits);
  return x < -87.3f ? F{} : value;
}

template <int N>
GATSPARSE_INLINE Vec<double, N> exp_lanes(const Vec<double, N>& x) {
  Vec<double, N> value = x;
  for (int l = 0; l < N; ++l) value[l] = __builtin_exp(x[l]);
  return value;
}

}  // namespace gatsparse::GATSPARSE_ISA
