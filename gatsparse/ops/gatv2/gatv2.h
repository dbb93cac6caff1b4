// The arguments of GATv2, and the scores of its edges. The formulas are in fused.py; the names
// are the same.
#pragma once

#include "attention_forward.h"
#include "leaky_score.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

template <class T>
struct Gatv2 : Attention {
  using A = acc_t<T>;

  const T* x_src;
  const T* x_dst;
  const A* att;
  EdgeTable<T> edge;
  A slope;

  Gatv2(const Tensor& x_src_, const Tensor& x_dst_, const Tensor& att_,
        const std::optional<Tensor>& edge_, const std::optional<Tensor>& loop_,
        const Tensors& csr_, bool add_self_loops, double negative_slope, double p,
        const std::optional<Tensor>& seed)
      : Attention(x_src_, csr_, add_self_loops, p, seed),
        edge(edge_, loop_, x_src_.scalar_type(), csr.num_entries, num_loops, {H, C}),
        slope(static_cast<A>(negative_slope)) {
    check_tensor(x_dst_, "x_dst", x_src_.scalar_type(), {num_dst, H, C});
    check_tensor(att_, "att", acc_dtype<T>(), {1, H, C});
    x_src = x_src_.const_data_ptr<T>();
    x_dst = x_dst_.const_data_ptr<T>();
    att = att_.const_data_ptr<A>();
  }

  // Number of each edge in the caller's order; null: not needed.
  const Index* number() const { return edge ? &csr.perm : nullptr; }
};

// The rows of edge features of a block; the last one is repeated three times, like the ids.
template <class T>
struct EdgeRows {
  const T* row[kBlock + 3];

  EdgeRows(const EdgeTable<T>& edge, const Block& block, int64_t offset) {
    if (!edge) return;
    for (int64_t b = 0; b < block.size + 3; ++b)
      row[b] = edge.row(block.number[std::min(b, block.size - 1)]) + offset;
  }
};

// The scores of an edge whose rows at both ends are one tile; also computes LeakyReLU(z).
template <int P, class Tile, class A>
GATSPARSE_INLINE Vec<A, P> tile_scores(const Vec<A>* x, const Vec<A>* y, const Vec<A>* att,
                                       A slope, Vec<A>* leaky) {
  unroll<Tile::vectors>(
      [&](auto v) GATSPARSE_LAMBDA { leaky[v] = leaky_relu(x[v] + y[v], slope); });
  return tile_products<P, Tile, A>(att, leaky);
}

template <class T, int P>
struct Score {
  using A = acc_t<T>;
  static constexpr bool splits = false;

  const Gatv2<T>& g;
  int64_t h0, heads;

  // The weights of the edges to row i, one at a time, for rows that are one tile. They are relative
  // to the score of one edge, until another score is larger by kMargin. The margin is so small that
  // the difference of scores near the largest is rounded by at most 2^-23.
  template <class Tile>
  struct OfRow {
    using Heads = Vec<A, P>;
    struct Edge {
      Heads weight;
    };
    static constexpr A kInfinity = std::numeric_limits<A>::infinity(), kMargin = 4;

    Tile tile;
    A slope;
    Vec<A> x_i[Tile::vectors], att[Tile::vectors];
    Heads shift = Heads{} - kInfinity, limit = shift, finite_shift{};

    template <bool>
    void prefetch(int64_t) const {}
    template <class Shrink>
    GATSPARSE_INLINE Edge operator()(int64_t, const T* x_j, const Shrink& shrink) {
      Vec<A> x[Tile::vectors], leaky[Tile::vectors];
      unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA { x[v] = tile.read(x_j, v); });
      const Heads score = tile_scores<P, Tile, A>(x_i, x, att, slope, leaky);
      if (any_greater<A, P>(score, limit)) {
        const Heads raised = score > limit ? score : shift;
        shrink(shrinking<A, P>(shift, raised));
        shift = raised;
        limit = raised + kMargin;
        finite_shift = finite(raised);
      }
      return {exp_lanes<P>(score - finite_shift)};
    }
  };
  template <class Tile>
  GATSPARSE_INLINE OfRow<Tile> of_row(const Tile& tile, int64_t i) const {
    OfRow<Tile> score{tile, g.slope, {}, {}};
    unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA {
      score.x_i[v] = tile.read(g.x_dst + i * tile.length(), v);
      score.att[v] = tile.read(g.att, v);
    });
    return score;
  }

  // The scores of edges whose other ends are rows of `table`, with x at this end.
  GATSPARSE_INLINE LeakyScore<acc_t<T>, T> of(const T* table, const T* x,
                                              const EdgeRows<T>& edge) const {
    const int64_t offset = h0 * g.C;
    return {table + offset, g.H * g.C,        x + offset, g.edge ? edge.row : nullptr,
            g.att + offset, g.slope,          heads,      g.C};
  }
  GATSPARSE_INLINE void operator()(int64_t i, const Block& block, acc_t<T>* score,
                                   acc_t<T>*) const {
    const EdgeRows<T> edge(g.edge, block, h0 * g.C);
    of(g.x_src, g.x_dst + i * g.H * g.C, edge).scores(block.id, block.size, P, score);
  }
};

}  // namespace
}  // namespace gatsparse::GATSPARSE_ISA
