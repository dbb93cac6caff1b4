// The softmax over the edges of every destination and the weighted sum of their rows.
#pragma once

#include "attention.h"
#include "exp.h"

namespace gatsparse::GATSPARSE_ISA {

// The shift to subtract from scores; scores of -inf have weight 0 for any later shift.
template <class Heads>
GATSPARSE_INLINE Heads finite(const Heads& shift) {
  using A = decltype(lane(shift, 0));
  return shift == -std::numeric_limits<A>::infinity() ? Heads{} : shift;
}

// Factor that makes sums relative to one shift relative to a larger one.
template <class A, int P>
GATSPARSE_INLINE Vec<A, P> shrinking(const Vec<A, P>& from, const Vec<A, P>& to) {
  // If all scores so far are -inf, nothing has to shrink.
  const Vec<A, P> one = A(1) - Vec<A, P>{};
  return to > from && from > -std::numeric_limits<A>::infinity() ? exp_lanes<P>(from - to) : one;
}

// The heads [h0, h0 + heads) of the forward pass, row by row.
//
// Cut rows are visited in blocks: score(i, block, scores, positive) computes the scores of a
// block's edges to row i and, unless `positive` is null, 1 for each positive score and 0 for the
// others. For whole rows, score.of_row(tile, i) computes the weights of the edges to row i one by
// one: (j, x_j, shrink) -> the weight of an edge, relative to its `shift`, and whether its score
// is positive; it calls shrink(factor) before it raises the shift. Its prefetch<positive>(next)
// prefetches the data of another node.
template <class T, int P, class Score, class Tiles>
class Forward final : public RowKernel<acc_t<T>> {
  using A = acc_t<T>;
  using Heads = Vec<A, P>;  // one number per head

 public:
  struct Outputs {
    T* out;              // [N_dst, H * C], or [N_dst, C]: the mean over heads
    const A* bias;       // in the shape of a row of out; null: no bias
    bool concat;
    A* mean;             // [N_dst, C], the mean over the groups before; null: concat, or one group
    A* heads_out;        // [N_dst, H, C], before mean and bias, not rounded; null: not needed
    A* shift;            // [N_dst, Hp]; null: not needed
    A* weight_sum;       // [N_dst, Hp]
    A* positive_out;     // heads_out over edges with a positive score only; null: not needed
    A* positive_weight;  // [N_dst, Hp], the softmax summed over these edges
  };

  Forward(const Attention& a, const Edges& edges, const T* x, int64_t h0, int64_t heads,
          const Tiles& tiles, const Score& score, const Outputs& outputs)
      : a_(a), edges_(edges), x_(x + h0 * a.C), stride_(a.H * a.C), h0_(h0), heads_(heads),
        size_(whole_vectors<A>(heads * a.C)), tiles_(tiles), score_(score), o_(outputs) {}

  // The shift, the sum of weights, the same for positive scores, and whether an edge was visited,
  // P numbers each; then the weighted sum, and the same for positive scores.
  int64_t state_size() const override {
    return kTotal + (o_.positive_out ? 2 : 1) * size_;
  }

  void sum(int64_t i, int64_t begin, int64_t end, A* state) const override {
    if constexpr (!Tiles::whole) {
      std::fill_n(state, P, -std::numeric_limits<A>::infinity());
      std::fill_n(state + P, kTotal - P, A(0));  // the first block fills the rest
      edges_.visit_blocks(
          i, begin, end, [](int64_t) {},
          [&](const Block& block, bool first) { visit(i, block, first, state); });
    } else if (Score::splits && o_.positive_out) {
      sum_whole<Score::splits>(tiles_.tile, i, begin, end, state);
    } else {
      sum_whole<false>(tiles_.tile, i, begin, end, state);
    }
  }

  void merge(A* state, A* piece) const override {
    if (piece[kVisited] == A(0)) return;  // all of its entries were loops
    if (state[kVisited] == A(0)) return void(std::copy_n(piece, state_size(), state));
    const Heads shift = larger(load<A, P>(state), load<A, P>(piece));
    raise(state, shift);
    raise(piece, shift);
    store(state, shift);
    add_numbers(state + P, piece + P, state_size() - P);
  }

  void finish(int64_t, int64_t i, A* state) const override {
    const Outputs o = o_;  // a copy, because the compiler must assume that writes could alias it
    const A* total = state + kTotal;
    const bool isolated = state[kVisited] == A(0);
    if (isolated) std::fill(state + kTotal, state + state_size(), A(0));
    const Heads sum = load<A, P>(state + P);
    alignas(64) A norm[P];
    store(norm, isolated ? Heads{} : A(1) / sum);
    if (o.shift) {
      store(o.shift + i * a_.Hp + h0_, load<A, P>(state));
      store(o.weight_sum + i * a_.Hp + h0_, sum);
    }
    if (o.positive_out)
      store(o.positive_weight + i * a_.Hp + h0_, load<A, P>(state + 2 * P) * load<A, P>(norm));
    const int64_t offset = h0_ * a_.C, at = i * stride_ + offset;
    tiles_.each_vector([&](const auto& tile, auto v) GATSPARSE_LAMBDA {
      const Vec<A> factor = tile.template spread<v>(norm);
      const Vec<A> value = factor * tile.read(total, v);
      if (o.concat)
        tile.write(o.out + at, v, o.bias ? value + tile.read(o.bias + offset, v) : value);
      if (o.heads_out) tile.write(o.heads_out + at, v, value);
      if (o.positive_out)
        tile.write(o.positive_out + at, v, factor * tile.read(total + size_, v));
    });
    if (!o.concat) add_mean(i, total, norm);
  }

 private:
  static constexpr int64_t kVisited = 3 * P, kTotal = whole_vectors<A>(4 * P);

  static GATSPARSE_INLINE Heads larger(const Heads& a, const Heads& b) { return a > b ? a : b; }

  void add_mean(int64_t i, const A* total, const A* norm) const {
    const bool last = h0_ + heads_ == a_.H;
    for (int64_t c = 0; c < a_.C; ++c) {
      const int64_t at = i * a_.C + c;
      A sum = 0;
      for (int64_t h = 0; h < heads_; ++h) sum += total[h * a_.C + c] * norm[h];
      const A before = h0_ > 0 ? o_.mean[at] : o_.bias ? o_.bias[c] : A(0);
      const A mean = before + sum / static_cast<A>(a_.H);
      if (last) o_.out[at] = static_cast<T>(mean);
      else o_.mean[at] = mean;
    }
  }

  // Makes the state's sums relative to another shift, which is never smaller.
  void raise(A* state, const Heads& to) const {
    const Heads factor = shrinking<A, P>(load<A, P>(state), to);
    alignas(64) A shrink[P];
    store(shrink, factor);
    if (std::all_of(shrink, shrink + P, [](A number) { return number == A(1); })) return;
    for (int k = 1; k < 3; ++k) store(state + k * P, load<A, P>(state + k * P) * factor);
    for (A* total = state + kTotal; total < state + state_size(); total += size_)
      tiles_.each_vector([&](const auto& tile, auto v) GATSPARSE_LAMBDA {
        tile.write(total, v, tile.template spread<v>(shrink) * tile.read(total, v));
      });
  }

  template <bool positive, class Tile>
  GATSPARSE_INLINE void sum_whole(const Tile tile, int64_t i, int64_t begin, int64_t end,
                                  A* state) const {
    constexpr int vectors = Tile::vectors;
    const int64_t stride = tile.length();
    const T* x = x_;
    auto row_score = score_.of_row(tile, i);
    Heads sum{}, positive_sum{};
    Vec<A> total[vectors] = {}, positive_total[vectors] = {};
    const auto shrink = [&](const Heads& factor) GATSPARSE_LAMBDA {
      sum *= factor;
      if constexpr (positive) positive_sum *= factor;
      unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
        const Vec<A> factor_v = tile.template spread<v, P>(factor);
        total[v] *= factor_v;
        if constexpr (positive) positive_total[v] *= factor_v;
      });
    };
    bool visited = false;
    const bool drops = a_.dropout.active();
    const auto visit = [&](int64_t j, int64_t at, int64_t next, int64_t) GATSPARSE_LAMBDA {
      tile.prefetch(x, stride, next);
      row_score.template prefetch<positive>(next);
      const T* row = x + j * stride;
      const auto edge = row_score(j, row, shrink);
      visited = true;
      Heads w = edge.weight;
      sum += w;
      if constexpr (positive) positive_sum += choose(edge.positive, w, Heads{});
      if (drops) w *= a_.dropout.template scale<A, P>(at, 0);
      unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
        total[v] += tile.template spread<v, P>(w) * tile.read(row, v);
      });
      if constexpr (positive) {
        const Heads positive_w = choose(edge.positive, w, Heads{});
        unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
          positive_total[v] += tile.template spread<v, P>(positive_w) * tile.read(row, v);
        });
      }
    };
    edges_.visit_each(i, begin, end, visit);
    store(state, row_score.shift);
    store(state + P, sum);
    store(state + 2 * P, positive_sum);
    state[kVisited] = visited ? A(1) : A(0);
    unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
      tile.write_whole(state + kTotal, v, total[v]);
      if constexpr (positive) tile.write_whole(state + kTotal + size_, v, positive_total[v]);
    });
  }

  GATSPARSE_INLINE void visit(int64_t i, const Block& block, bool first, A* state) const {
    const int64_t n = block.size;
    alignas(64) A weight[(kBlock + 3) * P], positive[kBlock * P];
    score_(i, block, weight, o_.positive_out ? positive : nullptr);

    Heads max = load<A, P>(state), sum{}, positive_sum{};
    for (int64_t b = 0; b < n; ++b) max = larger(load<A, P>(weight + b * P), max);
    if (!first) raise(state, max);
    store(state, max);
    const Heads shift = finite(max);
    for (int64_t b = 0; b < n; ++b) {
      Heads w = exp_lanes<P>(load<A, P>(weight + b * P) - shift);
      sum += w;
      if (o_.positive_out) positive_sum += w * load<A, P>(positive + b * P);
      if (a_.dropout.active()) w *= a_.dropout.template scale<A, P>(block.slot[b], h0_);
      if (o_.positive_out) store(positive + b * P, w * load<A, P>(positive + b * P));
      store(weight + b * P, w);
    }
    store(state + P, load<A, P>(state + P) + sum);
    store(state + 2 * P, load<A, P>(state + 2 * P) + positive_sum);
    state[kVisited] = A(1);

    A* total = state + kTotal;
    add_weighted_rows(x_, stride_, block.id, block.next, n, weight, P, heads_, a_.C, first, total);
    if (o_.positive_out)
      add_weighted_rows(x_, stride_, block.id, block.id, n, positive, P, heads_, a_.C, first,
                        total + size_);
  }

  const Attention& a_;
  const Edges& edges_;
  const T* x_;
  int64_t stride_, h0_, heads_, size_;
  Tiles tiles_;
  const Score& score_;
  const Outputs& o_;
};

}  // namespace gatsparse::GATSPARSE_ISA
