// The weights of GAT without an exponential per edge: products of two factors per node.
#pragma once

#include <cmath>

#include "attention.h"
#include "exp.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// Weights without an exponential per edge: for a slope s in 0 .. 1,
//   LeakyReLU(alpha_src + alpha_dst) = max(alpha_src + alpha_dst, s * (alpha_src + alpha_dst)),
// so the weight of an edge relative to shift = LeakyReLU(alpha_dst) is the larger of the products
// of two factors of its ends,
//   above: exp(alpha_src) and exp(alpha_dst - shift),
//   below: exp(s * alpha_src) and exp(s * alpha_dst - shift).
// All weights are between exp(-|alpha_src|) and exp(|alpha_src|): for |alpha_src| <= kModerate
// this leaves room for sums of 1e12 times as much in float32, and for features of 1e-12.
template <class A, int P>
struct Factors {
  using Heads = Vec<A, P>;
  Heads above, below;

  static GATSPARSE_INLINE Factors of_src(const Heads& alpha, A slope) {
    return {exp_lanes<P>(alpha), exp_lanes<P>(slope * alpha)};
  }
  static GATSPARSE_INLINE Factors of_dst(const Heads& alpha, A slope) {
    const Heads one = A(1) - Heads{};
    const Heads smaller = exp_lanes<P>((slope - A(1)) * (alpha > A(0) ? alpha : -alpha));
    return {alpha > A(0) ? one : smaller, alpha > A(0) ? smaller : one};
  }
  static GATSPARSE_INLINE Factors read(const A* row) {
    return {load<A, P>(row), load<A, P>(row + P)};
  }
  GATSPARSE_INLINE void write(A* row) const {
    store(row, above);
    store(row + P, below);
  }
  GATSPARSE_INLINE Heads weight(const Factors& other_end) const {
    const Heads a = above * other_end.above, b = below * other_end.below;
    return a > b ? a : b;
  }
};

template <class A>
struct OfSrc {
  A slope;
  template <class V>
  GATSPARSE_INLINE auto operator()(const V& alpha) const {
    return Factors<A, sizeof(V) / sizeof(A)>::of_src(alpha, slope);
  }
};
template <class A>
struct OfDst {
  A slope;
  template <class V>
  GATSPARSE_INLINE auto operator()(const V& alpha) const {
    return Factors<A, sizeof(V) / sizeof(A)>::of_dst(alpha, slope);
  }
};

constexpr double kModerate = 60;

// Whether all numbers are at most `bound` in absolute value; NaN is not.
template <class A>
bool all_within(const A* number, int64_t n, A bound) {
  constexpr int64_t kGrain = 1 << 16, W = kLanes<A>;
  std::atomic<bool> all{true};
  parallel_each((n + kGrain - 1) / kGrain, [&](int64_t chunk) {
    const int64_t last = std::min((chunk + 1) * kGrain, n);
    int64_t k = chunk * kGrain;
    auto within = Vec<A>{} == Vec<A>{};
    for (; k + W <= last; k += W) {
      const Vec<A> value = load<A>(number + k);
      within &= (value <= bound) & (value >= -bound);
    }
    bool yes = true;
    for (int l = 0; l < W; ++l) yes &= within[l] != 0;
    for (; k < last; ++k) yes &= std::abs(number[k]) <= bound;
    if (!yes) all.store(false, std::memory_order_relaxed);
  });
  return all.load();
}

// The factors [N, 2, P] of nodes with given alpha [N, P]: `of` computes the factors of consecutive
// numbers, for the nodes that fill a vector.
template <int P, class A, class Of>
void node_factors(const A* alpha, int64_t num_nodes, A* factors, const Of& of) {
  constexpr int W = kLanes<A>;
  for_each_node_chunk(num_nodes, [&](int64_t, int64_t first, int64_t last) {
    int64_t n = first;
    if constexpr (P <= W)
      for (; n + W / P <= last; n += W / P) {
        const auto f = of(load<A>(alpha + n * P));
        unroll<2>([&](auto half) GATSPARSE_LAMBDA {
          store(factors + n * 2 * P + half * W, shuffle<A>(f.above, f.below, [](int l) {
                  const int at = decltype(half)::value * kLanes<A> + l;
                  return at / (2 * P) * P + at % P + (at / P % 2 == 0 ? 0 : kLanes<A>);
                }));
        });
      }
    for (; n < last; ++n)
      of(load<A, P>(alpha + n * P)).write(factors + n * 2 * P);
  });
}

template <class A, class Of>
void node_factors(int64_t P, const A* alpha, int64_t num_nodes, A* factors, const Of& of) {
  if (P == 1) node_factors<1>(alpha, num_nodes, factors, of);
  else if (P == 4) node_factors<4>(alpha, num_nodes, factors, of);
  else if (P == 8) node_factors<8>(alpha, num_nodes, factors, of);
  else node_factors<16>(alpha, num_nodes, factors, of);
}

}  // namespace
}  // namespace gatsparse::GATSPARSE_ISA
