// Vectors as wide as the registers of an instruction set, with the vector extensions of GCC and
// Clang: one source for all instruction sets.
#pragma once

#include <torch/headeronly/util/BFloat16.h>

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace gatsparse::GATSPARSE_ISA {

using torch::headeronly::BFloat16;

#define GATSPARSE_INLINE inline __attribute__((always_inline))

#define GATSPARSE_LAMBDA __attribute__((always_inline))

// For code with many callers, which is not inlined.
#define GATSPARSE_NOINLINE __attribute__((noinline))

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
template <class A>
struct VecOf<A, 1> {  // GCC keeps a vector of one lane in memory
  typedef A type;
};
template <class A, int N = kLanes<A>>
using Vec = typename VecOf<A, N>::type;

// n rounded up to whole vectors.
template <class A>
constexpr int64_t whole_vectors(int64_t n) {
  return (n + kLanes<A> - 1) / kLanes<A> * kLanes<A>;
}

// Calls f(0), ..., f(count - 1); each index is a constant.
template <class F, int... index>
GATSPARSE_INLINE void unroll_over(const F& f, std::integer_sequence<int, index...>) {
  (f(std::integral_constant<int, index>{}), ...);
}
template <int count, class F>
GATSPARSE_INLINE void unroll(const F& f) {
  unroll_over(f, std::make_integer_sequence<int, count>{});
}

// Lane l of a vector, which may be a single number.
template <class V>
GATSPARSE_INLINE auto lane(const V& value, [[maybe_unused]] int l) {
  if constexpr (std::is_arithmetic_v<V>) return value;
  else return value[l];
}
template <class V, class A>
GATSPARSE_INLINE void set_lane(V& value, [[maybe_unused]] int l, A number) {
  if constexpr (std::is_arithmetic_v<V>) value = number;
  else value[l] = number;
}

// The same bits, interpreted as numbers of another type.
template <class To, class From>
GATSPARSE_INLINE To bits_as(const From& value) {
  static_assert(sizeof(To) == sizeof(From));
  To other;
  std::memcpy(&other, &value, sizeof(other));
  return other;
}

// Loads N values of storage type T as a vector of A.
template <class A, int N = kLanes<A>, class T>
GATSPARSE_INLINE Vec<A, N> load(const T* source) {
  Vec<A, N> value;
  if constexpr (N == 1) {
    return static_cast<A>(*source);
  } else if constexpr (std::is_same_v<T, A>) {
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
  using A = decltype(lane(value, 0));
  constexpr int N = sizeof(V) / sizeof(A);
  if constexpr (std::is_same_v<T, A>) {
    std::memcpy(target, &value, sizeof(value));
  } else if constexpr (N == 1) {
    *target = static_cast<T>(value);
  } else {  // to bfloat16: ties to even, and every NaN to the same
    const auto bits = bits_as<Vec<uint32_t, N>>(value);
    const auto rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    const Vec<uint32_t, N> nan = 0x7FC0u - Vec<uint32_t, N>{};
    const auto half = __builtin_convertvector(value == value ? rounded : nan, Vec<uint16_t, N>);
    std::memcpy(target, &half, sizeof(half));
  }
}

#if defined(__AVX2__) && !defined(__AVX512F__)
// The bits of n lanes, then zeros.
template <class Int>
GATSPARSE_INLINE __m256i first_lanes(int n) {
  constexpr int W = kLanes<Int>;
  alignas(64) static constexpr Int mask[2 * W] = {-1, -1, -1, -1, W > 4 ? -1 : 0, W > 4 ? -1 : 0,
                                                  W > 4 ? -1 : 0, W > 4 ? -1 : 0};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask + W - n));
}
#endif

// Loads n < kLanes values, and zeros for the rest; touches nothing beyond them.
template <class A, class T>
GATSPARSE_INLINE Vec<A> load_partial(const T* source, int n) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>)
    return Vec<A>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), source));
  if constexpr (std::is_same_v<T, double>)
    return Vec<A>(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), source));
  if constexpr (sizeof(T) == 2) {
    const auto half = _mm256_maskz_loadu_epi16(static_cast<__mmask16>((1u << n) - 1), source);
    return load<A>(reinterpret_cast<const T*>(&half));
  }
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>)
    return Vec<A>(_mm256_maskload_ps(source, first_lanes<int32_t>(n)));
  if constexpr (std::is_same_v<T, double>)
    return Vec<A>(_mm256_maskload_pd(source, first_lanes<int64_t>(n)));
#endif
  alignas(kVectorBytes) T values[kLanes<A>] = {};
  for (int l = 0; l < n; ++l) values[l] = source[l];
  return load<A>(values);
}

template <class A, class T>
GATSPARSE_INLINE void store_partial(T* target, const Vec<A>& value, int n) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<T, float>)
    return _mm512_mask_storeu_ps(target, static_cast<__mmask16>((1u << n) - 1), value);
  if constexpr (std::is_same_v<T, double>)
    return _mm512_mask_storeu_pd(target, static_cast<__mmask8>((1u << n) - 1), value);
  if constexpr (sizeof(T) == 2) {
    __m256i half;
    store(reinterpret_cast<T*>(&half), value);
    return _mm256_mask_storeu_epi16(target, static_cast<__mmask16>((1u << n) - 1), half);
  }
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<T, float>)
    return _mm256_maskstore_ps(target, first_lanes<int32_t>(n), value);
  if constexpr (std::is_same_v<T, double>)
    return _mm256_maskstore_pd(target, first_lanes<int64_t>(n), value);
#endif
  alignas(kVectorBytes) T values[kLanes<A>];
  store(values, value);
  for (int l = 0; l < n; ++l) target[l] = values[l];
}

// target[k] += source[k] for n numbers.
template <class A, class T>
inline void add_numbers(A* target, const T* source, int64_t n) {
  constexpr int64_t W = kLanes<A>;
  const int64_t whole = n / W * W;
  for (int64_t k = 0; k < whole; k += W)
    store(target + k, load<A>(target + k) + load<A>(source + k));
  for (int64_t k = whole; k < n; ++k) target[k] += static_cast<A>(source[k]);
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

// Fills a vector with repetitions of a shorter one.
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

// The first N lanes of a vector, or a vector that begins with the lanes of a shorter one; its
// other lanes are undefined.
template <class A, int N, int M, int... lane>
GATSPARSE_INLINE Vec<A, N> resize_lanes(const Vec<A, M>& value,
                                        std::integer_sequence<int, lane...>) {
#if defined(__clang__) || __GNUC__ >= 12
  if constexpr (N == 1) return value[0];
  else return __builtin_shufflevector(value, value, (lane < M ? lane : -1)...);
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

// The lanes of a where a condition holds, else those of b. Single numbers are chosen without a
// branch, because the processor cannot predict random signs.
template <class Condition, class V>
GATSPARSE_INLINE V choose(const Condition& condition, const V& a, const V& b) {
  if constexpr (std::is_arithmetic_v<V>) {
    static_assert(std::is_same_v<Condition, bool>);
    using Bits = std::conditional_t<sizeof(V) == 4, uint32_t, uint64_t>;
    const Bits mask = Bits(0) - static_cast<Bits>(condition);
    return bits_as<V>(static_cast<Bits>((bits_as<Bits>(a) & mask) | (bits_as<Bits>(b) & ~mask)));
  } else {
    return condition ? a : b;
  }
}

template <class V, class A>
GATSPARSE_INLINE V leaky_relu(const V& z, A slope) {
  return choose(z > A(0), z, V(slope * z));
}

// A bit for every lane that is greater than 0.
GATSPARSE_INLINE uint16_t positive_lanes(const Vec<float>& value) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(value, _mm512_setzero_ps(), _CMP_GT_OQ);
#elif defined(__AVX2__)
  return static_cast<uint16_t>(
      _mm256_movemask_ps(_mm256_cmp_ps(value, _mm256_setzero_ps(), _CMP_GT_OQ)));
#else
  uint16_t bits = 0;
  for (int l = 0; l < kLanes<float>; ++l)
    bits = static_cast<uint16_t>(bits | (value[l] > 0.0f) << l);
  return bits;
#endif
}

// The lanes whose bit is set, and zeros.
GATSPARSE_INLINE Vec<float> only_lanes(uint16_t bits, const Vec<float>& value) {
#if defined(__AVX512F__)
  return _mm512_maskz_mov_ps(bits, value);
#else
  Vec<int32_t> of_lane;
  for (int l = 0; l < kLanes<float>; ++l) of_lane[l] = 1 << l;
  return (of_lane & bits) != 0 ? value : Vec<float>{};
#endif
}

// Whether a is greater than b in any lane.
template <class A, int N>
GATSPARSE_INLINE bool any_greater(const Vec<A, N>& a, const Vec<A, N>& b) {
#ifdef __AVX512F__
  if constexpr (sizeof(a) == 64 && sizeof(A) == 4) return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
  if constexpr (sizeof(a) == 32 && sizeof(A) == 4) return _mm256_cmp_ps_mask(a, b, _CMP_GT_OQ);
  if constexpr (sizeof(a) == 16 && sizeof(A) == 4) return _mm_cmp_ps_mask(a, b, _CMP_GT_OQ);
#endif
  bool any = false;
  for (int l = 0; l < N; ++l) any |= lane(a, l) > lane(b, l);
  return any;
}

// Writes the nonzero values among n values contiguously, each with its index, and returns their
// number. `value` and `id` have room for a vector beyond the n-th.
template <class A, class T, class index_t>
GATSPARSE_INLINE int64_t pick_nonzero(const T* values, const index_t* index, int64_t n, A* value,
                                      index_t* id) {
  int64_t count = 0;
#ifdef __AVX512F__
  if constexpr (std::is_same_v<T, float> && sizeof(index_t) == 4) {
    for (int64_t k = 0; k < n; k += 16) {
      const auto given = static_cast<__mmask16>(n - k >= 16 ? 0xFFFF : (1 << (n - k)) - 1);
      const __m512 v = _mm512_maskz_loadu_ps(given, values + k);
      const __m512i i = _mm512_maskz_loadu_epi32(given, index + k);
      const __mmask16 picked = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
      _mm512_storeu_ps(value + count, _mm512_maskz_compress_ps(picked, v));
      _mm512_storeu_si512(id + count, _mm512_maskz_compress_epi32(picked, i));
      count += __builtin_popcount(picked);
    }
    return count;
  }
#endif
  for (int64_t k = 0; k < n; ++k) {
    id[count] = index[k];
    value[count] = static_cast<A>(values[k]);
    count += value[count] != A(0);
  }
  return count;
}

// The rows l and l + half of every square of 2 * half exchange halves; then the same for the
// squares within it.
template <class T, int half>
GATSPARSE_INLINE void transpose_rows(Vec<T>* row) {
  constexpr int W = kLanes<T>;
  if constexpr (half > 0) {
    unroll<W / 2>([&](auto k) GATSPARSE_LAMBDA {
      const int a = k / half * 2 * half + k % half, b = a + half;
      const Vec<T> upper = row[a], lower = row[b];
      row[a] = shuffle<T>(upper, lower, [](int l) { return l & half ? kLanes<T> + l - half : l; });
      row[b] = shuffle<T>(upper, lower, [](int l) { return l & half ? kLanes<T> + l : l + half; });
    });
    transpose_rows<T, half / 2>(row);
  }
}

// Writes the transpose of source [W, W] to target, whose rows are `target_stride` apart:
// W = kLanes<T>.
template <class T>
GATSPARSE_INLINE void transpose_square(const T* source, int64_t source_stride, T* target,
                                       int64_t target_stride) {
  constexpr int W = kLanes<T>;
  Vec<T> row[W];
  unroll<W>([&](auto r) GATSPARSE_LAMBDA { row[r] = load<T>(source + r * source_stride); });
  transpose_rows<T, W / 2>(row);
  unroll<W>([&](auto r) GATSPARSE_LAMBDA { store(target + r * target_stride, row[r]); });
}

// The low half of every lane times b.
GATSPARSE_INLINE Vec<uint64_t> product_of_low_halves(const Vec<uint64_t>& a, uint32_t b) {
  [[maybe_unused]] const Vec<uint64_t> factor = b - Vec<uint64_t>{};
#if defined(__AVX512F__)
  // The variant with a mask, because GCC 12 warns about a variable in the other one.
  return Vec<uint64_t>(_mm512_maskz_mul_epu32(0xFF, __m512i(a), __m512i(factor)));
#elif defined(__AVX2__)
  return Vec<uint64_t>(_mm256_mul_epu32(__m256i(a), __m256i(factor)));
#elif defined(__SSE2__)
  return Vec<uint64_t>(_mm_mul_epu32(__m128i(a), __m128i(factor)));
#elif defined(__ARM_NEON)
  return Vec<uint64_t>(vmull_u32(vmovn_u64(uint64x2_t(a)), vdup_n_u32(b)));
#else
  return (a & 0xFFFFFFFFu) * factor;
#endif
}

}  // namespace gatsparse::GATSPARSE_ISA
