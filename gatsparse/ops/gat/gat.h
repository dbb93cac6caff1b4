// The arguments of GAT, and the scores of its edges. The formulas are in fused.py; the names are
// the same.
#pragma once

#include "factors.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

template <class T>
struct Gat : Attention {
  using A = acc_t<T>;

  const T* x;
  const A* att_src;
  const A* att_dst;  // null: alpha_dst is given, or zero
  EdgeTable<A> edge;
  A slope;

  Gat(const Tensor& x_, const Tensor& att_src_, const std::optional<Tensor>& att_dst_,
      const std::optional<Tensor>& edge_, const std::optional<Tensor>& loop_,
      const Tensors& csr_, bool add_self_loops, double negative_slope, double p,
      const std::optional<Tensor>& seed)
      : Attention(x_, csr_, add_self_loops, p, seed),
        edge(edge_, loop_, acc_dtype<T>(), csr.num_entries, num_loops, {H}),
        slope(static_cast<A>(negative_slope)) {
    check_tensor(att_src_, "att_src", acc_dtype<T>(), {1, H, C});
    x = x_.const_data_ptr<T>();
    att_src = att_src_.const_data_ptr<A>();
    att_dst = nullptr;
    if (!att_dst_) return;
    STD_TORCH_CHECK(num_src == num_dst, "att_dst: x has no row for every destination");
    check_tensor(*att_dst_, "att_dst", acc_dtype<T>(), {1, H, C});
    att_dst = att_dst_->const_data_ptr<A>();
  }

  // Number of each edge in the caller's order; null: not needed.
  const Index* number() const { return edge ? &csr.perm : nullptr; }

  // Whether the weights of edges can be computed as products of Factors.
  bool factorizes(const A* alpha_src, const A* alpha_dst) const {
    return !edge && slope >= A(0) && slope <= A(1) && fits_registers<A>(H, C) &&
           all_within(alpha_src, num_src * Hp, A(kModerate)) &&
           all_within(alpha_dst, num_dst * Hp, std::numeric_limits<A>::max());
  }
};

template <class A, int P>
struct Score {
  const A* alpha_src;  // starting at head h0, like the others
  const A* alpha_dst;
  const EdgeTable<A>& edge;
  int64_t Hp, h0, heads;
  A slope;

  GATSPARSE_INLINE Vec<A, P> raw(const Vec<A, P>& one_end, const A* other_end,
                                 int64_t number) const {
    Vec<A, P> score = one_end + load<A, P>(other_end);
    if (edge) {
      const A* term = edge.row(number) + h0;
      for (int64_t h = 0; h < heads; ++h)
        set_lane(score, static_cast<int>(h), lane(score, static_cast<int>(h)) + term[h]);
    }
    return score;
  }
  GATSPARSE_INLINE void operator()(int64_t i, const Block& block, A* score, A* positive) const {
    const Vec<A, P> alpha_i = load<A, P>(alpha_dst + i * Hp), zero{}, one = A(1) - zero;
    for (int64_t b = 0; b < block.size; ++b) {
      prefetch<P * sizeof(A)>(alpha_src, Hp, block.next[b]);
      const Vec<A, P> s = raw(alpha_i, alpha_src + block.id[b] * Hp, block.number[b]);
      store(score + b * P, leaky_relu(s, slope));
      if (positive) store(positive + b * P, s > A(0) ? one : zero);
    }
  }
};

// The weights of edges from the factors of their ends, [N, 2, P]. The signs of their scores come
// from alpha, because numbers near 0 can have equal exponentials.
template <class A, int P>
struct FactorScore {
  static constexpr bool splits = true;  // supports the sums over positive scores

  const A* src_factors;
  const A* dst_factors;
  const A* alpha_src;
  const A* alpha_dst;
  A slope;

  struct Edge {
    Vec<A, P> weight;
    decltype(Vec<A, P>{} > Vec<A, P>{}) positive;
  };
  struct OfRow {
    const A* factors;
    const A* alpha_src;
    Vec<A, P> alpha_i, shift;
    Factors<A, P> of_i;

    template <bool positive>
    GATSPARSE_INLINE void prefetch(int64_t next) const {
      using gatsparse::GATSPARSE_ISA::prefetch;
      prefetch<2 * P * sizeof(A)>(factors, 2 * P, next);
      if constexpr (positive) prefetch<P * sizeof(A)>(alpha_src, P, next);
    }
    template <class Shrink>
    GATSPARSE_INLINE Edge operator()(int64_t j, const void*, const Shrink&) const {
      return {of_i.weight(Factors<A, P>::read(factors + j * 2 * P)),
              alpha_i + load<A, P>(alpha_src + j * P) > A(0)};
    }
  };
  template <class Tile>
  GATSPARSE_INLINE OfRow of_row(const Tile&, int64_t i) const {
    const Vec<A, P> alpha_i = load<A, P>(alpha_dst + i * P);
    return {src_factors, alpha_src, alpha_i, leaky_relu(alpha_i, slope),
            Factors<A, P>::read(dst_factors + i * 2 * P)};
  }
};

}  // namespace
}  // namespace gatsparse::GATSPARSE_ISA
