// The GAT operator on CPU. The formulas stand in fused.py; the names are the same.
#include <cmath>

#include "attention.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// Weights without an exponential per edge: for a slope s in 0 .. 1,
//   LeakyReLU(alpha_src + alpha_dst) = max(alpha_src + alpha_dst, s * (alpha_src + alpha_dst)),
// so the weight of an edge relative to shift = LeakyReLU(alpha_dst) is the larger of the products
// of two factors of its ends,
//   above: exp(alpha_src) and exp(alpha_dst - shift),
//   below: exp(s * alpha_src) and exp(s * alpha_dst - shift).
// All weights lie between exp(-|alpha_src|) and exp(|alpha_src|): for alpha_src within kModerate
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

// How many of the numbers are larger in size than `bound`; NaN is.
template <class A>
int64_t count_beyond(const A* number, int64_t n, A bound) {
  using Count = std::conditional_t<sizeof(A) == 4, uint32_t, uint64_t>;
  Count beyond = 0;
  for (int64_t k = 0; k < n; ++k) beyond += !(std::abs(number[k]) <= bound);
  return beyond;
}

template <class A>
bool all_within(const A* number, int64_t n, A bound) {
  constexpr int64_t kGrain = 1 << 16;
  std::atomic<bool> all{true};
  parallel_each((n + kGrain - 1) / kGrain, [&](int64_t chunk) {
    const int64_t first = chunk * kGrain;
    if (count_beyond(number + first, std::min(kGrain, n - first), bound) > 0)
      all.store(false, std::memory_order_relaxed);
  });
  return all.load();
}

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

  // What the numbers of an edge are asked for.
  const Index* number() const { return edge ? &csr.perm : nullptr; }

  // Whether the weights of edges may be products of Factors.
  bool factorizes(const A* alpha_src, const A* alpha_dst) const {
    return !edge && slope >= A(0) && slope <= A(1) && fits_registers<A>(*this) &&
           all_within(alpha_src, num_src * Hp, A(kModerate)) &&
           all_within(alpha_dst, num_dst * Hp, std::numeric_limits<A>::max());
  }
};

// alpha_src[n, h] = <x[n, h], att_src[h]>, for all heads, and the same for att_dst if given.
template <class T>
void node_terms(const Gat<T>& g, acc_t<T>* alpha_src, acc_t<T>* alpha_dst) {
  using A = acc_t<T>;
  const int64_t HC = g.H * g.C;
  for_each_group<A>(g, true, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
    for_each_node_chunk(g.num_src, [&](int64_t, int64_t first, int64_t last) {
      if constexpr (std::decay_t<decltype(tiles)>::whole) {
        for (int64_t n = first; n < last; ++n) {
          const T* row = g.x + n * HC;
          prefetch_stream(row, HC);
          store(alpha_src + n * P, row_products<P>(tiles, row, g.att_src));
          if (g.att_dst) store(alpha_dst + n * P, row_products<P>(tiles, row, g.att_dst));
        }
      } else {
        alignas(64) A product[(kBlock + 3) * P];
        int64_t id[kBlock + 3];
        for (int64_t n = first; n < last; n += kBlock) {
          const int64_t size = std::min(kBlock, last - n);
          for (int64_t b = 0; b < size + 3; ++b) id[b] = n + std::min(b, size - 1);
          const auto write = [&](const A* att, A* alpha) {
            inner_products<P>(g.x + h0 * g.C, HC, id, size, att + h0 * g.C, heads, g.C, product);
            for (int64_t b = 0; b < size; ++b)
              store(alpha + (n + b) * g.Hp + h0, load<A, P>(product + b * P));
          };
          write(g.att_src, alpha_src);
          if (g.att_dst) write(g.att_dst, alpha_dst);
        }
      }
    });
  });
}

// The factors [N, 2, P] of nodes whose alpha [N, P] are given: `of` gives those of numbers side by
// side, of as many nodes as fill a vector.
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

template <class A, int P>
struct Score {
  const A* alpha_src;  // from head h0 on, as the others
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

// The weights of edges from the factors of their ends, [N, 2, P]; their scores' signs from
// alpha, which tells numbers near 0 apart where their exponentials are equal.
template <class A, int P>
struct FactorScore {
  static constexpr bool splits = true;  // the positive scores' part may be asked for

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

using Eight = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;
using Seven = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

template <class T>
Eight forward(const Gat<T>& g, const std::optional<Tensor>& alpha_dst_,
              const std::optional<Tensor>& bias, bool concat, bool save, bool positive,
              ScalarType dtype) {
  using A = acc_t<T>;
  const auto wanted = [](bool yes, int64_t size) { return yes ? size : 0; };
  Tensor out = empty({g.num_dst, concat ? g.H * g.C : g.C}, dtype);
  Tensor heads_out = empty({wanted(save, g.num_dst), g.H, g.C}, dtype);
  Tensor alpha_src = empty({g.num_src, g.Hp}, acc_dtype<T>());
  Tensor alpha_dst = empty({g.num_dst, g.Hp}, acc_dtype<T>());
  Tensor shift = empty({wanted(save, g.num_dst), g.Hp}, acc_dtype<T>());
  Tensor weight_sum = empty({wanted(save, g.num_dst), g.Hp}, acc_dtype<T>());
  Tensor positive_out = empty({wanted(positive, g.num_dst), g.H, g.C}, dtype);
  Tensor positive_weight = empty({wanted(positive, g.num_dst), g.Hp}, acc_dtype<T>());
  if (bias) check_tensor(*bias, "bias", acc_dtype<T>(), {concat ? g.H * g.C : g.C});

  A* src_terms = alpha_src.mutable_data_ptr<A>();
  A* dst_terms = alpha_dst.mutable_data_ptr<A>();
  node_terms(g, src_terms, dst_terms);
  if (!g.att_dst) {
    std::fill_n(dst_terms, g.num_dst * g.Hp, A(0));
    if (alpha_dst_) {
      check_tensor(*alpha_dst_, "alpha_dst", acc_dtype<T>(), {g.num_dst, g.H});
      const A* given = alpha_dst_->const_data_ptr<A>();
      for (int64_t i = 0; i < g.num_dst; ++i)
        std::copy_n(given + i * g.H, g.H, dst_terms + i * g.Hp);
    }
  }

  BoundsFlag flag;
  const Rows rows(g.num_dst, g.csr.ptr);
  const Edges edges{g.csr, nullptr, g.number(), g.num_src, g.csr.num_entries, g.num_loops,
                    edges_ahead<T>(g.H * g.C), &flag};
  const bool whole = g.factorizes(src_terms, dst_terms);
  const Scratch<A> src_factors(whole ? g.num_src * 2 * g.Hp : 0);
  const Scratch<A> dst_factors(whole ? g.num_dst * 2 * g.Hp : 0);
  for_each_group<A>(g, whole, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
    using Tiles = std::decay_t<decltype(tiles)>;
    const auto accumulate = [&](const auto& score) {
      using Kernel = Forward<T, P, std::decay_t<decltype(score)>, Tiles>;
      const typename Kernel::Outputs outputs{
          out.mutable_data_ptr<T>(),
          bias ? bias->template const_data_ptr<A>() : nullptr,
          concat,
          save ? heads_out.mutable_data_ptr<T>() : nullptr,
          save ? shift.mutable_data_ptr<A>() : nullptr,
          save ? weight_sum.mutable_data_ptr<A>() : nullptr,
          positive ? positive_out.mutable_data_ptr<T>() : nullptr,
          positive ? positive_weight.mutable_data_ptr<A>() : nullptr};
      const Kernel kernel(g, edges, g.x, h0, heads, tiles, score, outputs);
      accumulate_rows<A>(rows, kernel.state_size(), kernel);
    };
    if constexpr (Tiles::whole) {
      node_factors<P>(src_terms, g.num_src, src_factors.data(), OfSrc<A>{g.slope});
      node_factors<P>(dst_terms, g.num_dst, dst_factors.data(), OfDst<A>{g.slope});
      accumulate(FactorScore<A, P>{src_factors.data(), dst_factors.data(), src_terms, dst_terms,
                                   g.slope});
    } else {
      accumulate(Score<A, P>{src_terms + h0, dst_terms + h0, g.edge, g.Hp, h0, heads, g.slope});
    }
  });
  flag.check("col: index out of range");
  return {out,   heads_out,  alpha_src,    alpha_dst,
          shift, weight_sum, positive_out, positive_weight};
}

// The terms of a destination in the backward; of whole rows its factors, relative to the shift
// that was saved and divided by the sum of weights, stand in the place of the first two.
constexpr int64_t kAlphaDst = kNumTerms, kTerms = kNumTerms + 1;
static_assert(kShift == 0 && kInverseSum == 1);

// What the passes of the backward hand on to each other.
template <class T>
struct Gradients {
  using A = acc_t<T>;

  const T* grad_out;
  const A* alpha_src;
  const A* src_factors;  // [N_src, 2, Hp]; of whole rows
  A* dst_terms;          // [N_dst, kTerms, Hp]
  A* grad_alpha_dst;     // [N_dst, Hp]
  bool known;            // whether grad_alpha_dst is known before the edges are visited
  T* grad_x;
  // The gradient of the score of every edge, then of every loop: in the caller's order where
  // there are edge features, whose gradient it is; else in the order of csr.
  A* grad_score;
  A* grad_loop;
  int64_t grad_length;
  ChunkSums<A>* grad_att_src;
  ChunkSums<A>* grad_att_dst;

  A* score_row(int64_t at, int64_t num_edges) const {
    return at < num_edges ? grad_score + at * grad_length
                          : grad_loop + (at - num_edges) * grad_length;
  }
};

// The out-edges of every source: grad_x and the gradients of alpha_src and att_src.
template <class T, int P, class Tiles>
class BySource {
  using A = acc_t<T>;

 public:
  BySource(const Gat<T>& g, const Edges& edges, const Gradients<T>& grads, int64_t h0,
           int64_t heads, const Tiles& tiles)
      : g_(g), edges_(edges), grads_(grads),
        score_{nullptr, nullptr, g.edge, g.Hp, h0, heads, g.slope}, h0_(h0), heads_(heads),
        stride_(g.H * g.C), offset_(h0 * g.C), tiles_(tiles) {}

  // The gradient of alpha_src, P numbers; then that of x.
  int64_t state_size() const { return kTotal + whole_vectors<A>(heads_ * g_.C); }
  void begin(int64_t, A* state) const {
    if (!Tiles::whole) std::fill_n(state, state_size(), A(0));
  }
  void add(int64_t j, int64_t begin, int64_t end, A* state) const {
    if constexpr (!Tiles::whole)
      edges_.visit_blocks(
          j, begin, end,
          [&](int64_t number) {
            if (g_.edge)
              std::fill_n(grads_.score_row(number, g_.csr.num_entries) + h0_, heads_, A(0));
          },
          [&](const Block& block, bool first) { visit(j, block, first, state); });
    else if (grads_.known)
      add_whole<true>(tiles_.tile, j, begin, end, state);
    else
      add_whole<false>(tiles_.tile, j, begin, end, state);
  }
  void merge(A* state, A* piece) const {
    for (int64_t k = 0; k < state_size(); ++k) state[k] += piece[k];
  }
  void finish(int64_t chunk, int64_t j, A* state) const {
    const int64_t at = j * stride_ + offset_;
    if (grads_.known) finish<true>(chunk, at, state, grads_.grad_alpha_dst + j * g_.Hp + h0_);
    else finish<false>(chunk, at, state, nullptr);
  }

 private:
  template <bool known>
  GATSPARSE_INLINE void finish(int64_t chunk, int64_t at, const A* grad_src,
                               const A* grad_dst) const {
    const A* total = grad_src + kTotal;
    const A *att_src = g_.att_src + offset_, *att_dst = known ? g_.att_dst + offset_ : nullptr;
    const T* x_j = g_.x + at;
    T* grad_x = grads_.grad_x + at;
    A* att_src_sum = grads_.grad_att_src->at(chunk) + offset_;
    A* att_dst_sum = grads_.grad_att_dst->at(chunk) + offset_;
    for_each_vector(tiles_, [&](const auto& tile, auto v) GATSPARSE_LAMBDA {
      const Vec<A> x = tile.read(x_j, v), src = tile.template spread<v>(grad_src);
      Vec<A> grad = tile.read(total, v) + src * tile.read(att_src, v);
      tile.write(att_src_sum, v, tile.read(att_src_sum, v) + src * x);
      if constexpr (known) {
        const Vec<A> dst = tile.template spread<v>(grad_dst);
        grad += dst * tile.read(att_dst, v);
        tile.write(att_dst_sum, v, tile.read(att_dst_sum, v) + dst * x);
      }
      tile.write(grad_x, v, grad);
    });
  }

  // `add` of whole rows: what is gathered is read once.
  template <bool known, class Tile>
  GATSPARSE_INLINE void add_whole(const Tile& tile, int64_t j, int64_t begin, int64_t end,
                                  A* state) const {
    using Heads = Vec<A, P>;
    const T* grad_out = grads_.grad_out;
    const A* dst_terms = grads_.dst_terms;
    const int64_t stride = tile.length();
    const Heads alpha_j = load<A, P>(grads_.alpha_src + j * P);
    const auto of_j = Factors<A, P>::read(grads_.src_factors + j * 2 * P);
    Vec<A> x_j[Tile::vectors], total[Tile::vectors] = {};
    unroll<Tile::vectors>(
        [&](auto v) GATSPARSE_LAMBDA { x_j[v] = tile.read(g_.x + j * stride, v); });
    Heads sum{};
    const auto visit = [&](int64_t i, int64_t at, int64_t next, int64_t next_at) GATSPARSE_LAMBDA {
      tile.prefetch(grad_out, stride, next);
      prefetch<kTerms * P * sizeof(A)>(dst_terms, kTerms * P, next);
      if constexpr (!known) prefetch<P * sizeof(A)>(grads_.grad_score, P, next_at);
      Vec<A> g[Tile::vectors];
      unroll<Tile::vectors>(
          [&](auto v) GATSPARSE_LAMBDA { g[v] = tile.read(grad_out + i * stride, v); });
      const A* terms = dst_terms + i * kTerms * P;
      const auto gradient = edge_gradient<A, P>(
          g_, at, 0, of_j.weight(Factors<A, P>::read(terms)),
          tile_products<P, Tile, A>(x_j, g), load<A, P>(terms + kD * P));
      const Heads raw = alpha_j + load<A, P>(terms + kAlphaDst * P);
      const Heads grad = raw > A(0) ? gradient.score : g_.slope * gradient.score;
      sum += grad;
      if constexpr (!known) store(grads_.score_row(at, g_.csr.num_entries), grad);
      unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA {
        total[v] += tile.template spread<v, P>(gradient.weight) * g[v];
      });
    };
    edges_.visit_each(j, begin, end, visit);
    store(state, sum);
    unroll<Tile::vectors>(
        [&](auto v) GATSPARSE_LAMBDA { tile.write_whole(state + kTotal, v, total[v]); });
  }

  GATSPARSE_INLINE void visit(int64_t j, const Block& block, bool first, A* state) const {
    alignas(64) A weight[kBlock * P], grad[(kBlock + 3) * P];  // <grad_out, x> at first
    inner_products<P>(grads_.grad_out + offset_, stride_, block.id, block.size,
                      g_.x + j * stride_ + offset_, heads_, g_.C, grad);
    const Vec<A, P> alpha_j = load<A, P>(grads_.alpha_src + j * g_.Hp + h0_);
    const A slope = score_.slope;
    Vec<A, P> sum = load<A, P>(state);
    for (int64_t b = 0; b < block.size; ++b) {
      prefetch<kTerms * P * sizeof(A)>(grads_.dst_terms, kTerms * g_.Hp, block.next[b]);
      const A* terms = grads_.dst_terms + block.id[b] * kTerms * g_.Hp + h0_;
      const Vec<A, P> raw = score_.raw(alpha_j, terms + kAlphaDst * g_.Hp, block.number[b]);
      const auto gradient = edge_gradient<A, P>(
          g_, block.slot[b], h0_, softmax<A, P>(leaky_relu(raw, slope), terms, g_.Hp),
          load<A, P>(grad + b * P), load<A, P>(terms + kD * g_.Hp));
      const Vec<A, P> grad_b = raw > A(0) ? gradient.score : slope * gradient.score;
      store(weight + b * P, gradient.weight);
      store(grad + b * P, grad_b);
      sum += grad_b;
    }
    store(state, sum);
    if (!grads_.known)
      for (int64_t b = 0; b < block.size; ++b) {
        const int64_t at = g_.edge ? block.number[b] : block.slot[b];
        A* target = grads_.score_row(at, g_.csr.num_entries) + h0_;
        if (!g_.edge) store(target, load<A, P>(grad + b * P));
        else std::copy_n(grad + b * P, heads_, target);
      }
    add_weighted_rows<P>(grads_.grad_out + offset_, stride_, block.id, block.next, block.size,
                         weight, heads_, g_.C, first, state + kTotal);
  }

  static constexpr int64_t kTotal = whole_vectors<A>(P);

  const Gat<T>& g_;
  const Edges& edges_;
  const Gradients<T>& grads_;
  Score<A, P> score_;
  int64_t h0_, heads_, stride_, offset_;
  Tiles tiles_;
};

// The sums of the scores' gradients over the in-edges of every destination: those of
// alpha_dst and, where x holds the destinations too, what att_dst owes them.
template <class T, int P, class Tiles>
class ByDestination {
  using A = acc_t<T>;
  using Heads = Vec<A, P>;

 public:
  ByDestination(const Gat<T>& g, const Gradients<T>& grads, BoundsFlag& flag, int64_t h0,
                int64_t heads, const Tiles& tiles)
      : g_(g), grads_(grads), flag_(flag), h0_(h0), heads_(heads), stride_(g.H * g.C),
        offset_(h0 * g.C), tiles_(tiles) {}

  int64_t state_size() const { return P; }
  void begin(int64_t, A* state) const { std::fill_n(state, P, A(0)); }
  void add(int64_t i, int64_t begin, int64_t end, A* state) const {
    Heads sum = load<A, P>(state);
    for (int64_t e = begin; e < end; ++e)
      if (g_.num_loops == 0 || g_.csr.index[e] != i) add_row(g_.edge ? g_.csr.perm[e] : e, sum);
    if (end == g_.csr.ptr[i + 1] && i < g_.num_loops) add_row(g_.csr.num_entries + i, sum);
    store(state, sum);
  }
  void merge(A* state, A* piece) const {
    for (int64_t h = 0; h < P; ++h) state[h] += piece[h];
  }
  void finish(int64_t chunk, int64_t i, A* state) const {
    std::copy_n(state, P, grads_.grad_alpha_dst + i * g_.Hp + h0_);
    if (!g_.att_dst) return;
    A* att_sum = grads_.grad_att_dst->at(chunk) + offset_;
    T* grad_x = grads_.grad_x + i * stride_ + offset_;
    const T* x = g_.x + i * stride_ + offset_;
    const A* att_dst = g_.att_dst + offset_;
    for_each_vector(tiles_, [&](const auto& tile, auto v) GATSPARSE_LAMBDA {
      const Vec<A> grad = tile.template spread<v>(state);
      tile.write(att_sum, v, tile.read(att_sum, v) + grad * tile.read(x, v));
      tile.write(grad_x, v, tile.read(grad_x, v) + grad * tile.read(att_dst, v));
    });
  }

 private:
  GATSPARSE_INLINE void add_row(int64_t at, Heads& sum) const {
    if (!flag_.in_bounds(at, g_.csr.num_entries + g_.num_loops)) return;
    const A* grad = grads_.score_row(at, g_.csr.num_entries) + h0_;
    if (!g_.edge) return void(sum += load<A, P>(grad));
    for (int h = 0; h < heads_; ++h) set_lane(sum, h, lane(sum, h) + grad[h]);
  }

  const Gat<T>& g_;
  const Gradients<T>& grads_;
  BoundsFlag& flag_;
  int64_t h0_, heads_, stride_, offset_;
  Tiles tiles_;
};

template <class T>
Seven backward(const Gat<T>& g, const Csr& csr_t, const Tensor& grad_out, const Tensor& heads_out,
               const Tensor& alpha_src, const Tensor& alpha_dst, const Tensor& shift,
               const Tensor& weight_sum, const Tensor& positive_out,
               const Tensor& positive_weight) {
  using A = acc_t<T>;
  const int64_t C = g.C, HC = g.H * C, num_edges = g.csr.num_entries;
  const ScalarType dtype = heads_out.scalar_type(), acc = acc_dtype<T>();
  const bool known = positive_out.numel() > 0;
  check_tensor(alpha_src, "alpha_src", acc, {g.num_src, g.Hp});
  check_tensor(alpha_dst, "alpha_dst", acc, {g.num_dst, g.Hp});
  if (known) {
    STD_TORCH_CHECK(g.att_dst && !g.edge && g.slope >= A(0),
                    "positive_out: of no use with these inputs");
    check_tensor(positive_out, "positive_out", dtype, {g.num_dst, g.H, C});
    check_tensor(positive_weight, "positive_weight", acc, {g.num_dst, g.Hp});
  }
  STD_TORCH_CHECK(csr_t.num_rows == g.num_src && csr_t.num_entries == num_edges,
                  "csr_t: not the transpose of csr");

  const Rows rows_t(g.num_src, csr_t.ptr), rows(g.num_dst, g.csr.ptr);
  const bool by_edge = static_cast<bool>(g.edge);
  const int64_t grad_length = by_edge ? g.H : g.Hp;
  Tensor grad_x = empty({g.num_src, g.H, C}, dtype);
  Tensor grad_att_src = empty({1, g.H, C}, acc);
  Tensor grad_att_dst = empty({1, g.H, C}, acc);
  Tensor grad_alpha_dst = empty({g.num_dst, g.Hp}, acc);
  Tensor grad_bias = empty({g.H, C}, acc);
  Tensor grad_edge = empty({known ? 0 : num_edges, grad_length}, acc);
  Tensor grad_loop = empty({known ? 0 : g.num_loops, grad_length}, acc);
  const A* alpha = alpha_dst.const_data_ptr<A>();
  const bool whole = g.factorizes(alpha_src.const_data_ptr<A>(), alpha);
  const Scratch<A> dst_terms(g.num_dst * kTerms * g.Hp);
  const Scratch<A> src_factors(whole ? g.num_src * 2 * g.Hp : 0);
  const Scratch<A> dst_factors(whole ? g.num_dst * 2 * g.Hp : 0);
  ChunkSums<A> att_src_sums(rows_t.num_chunks(), HC);
  ChunkSums<A> att_dst_sums(known ? rows_t.num_chunks() : rows.num_chunks(), HC);
  const Gradients<T> grads{grad_out.const_data_ptr<T>(),
                           alpha_src.const_data_ptr<A>(),
                           src_factors.data(),
                           dst_terms.data(),
                           grad_alpha_dst.mutable_data_ptr<A>(),
                           known,
                           grad_x.mutable_data_ptr<T>(),
                           grad_edge.mutable_data_ptr<A>(),
                           grad_loop.mutable_data_ptr<A>(),
                           grad_length,
                           &att_src_sums,
                           &att_dst_sums};
  const T* positive_rows = positive_out.const_data_ptr<T>();
  const A* positive_weights = positive_weight.const_data_ptr<A>();
  if (whole)
    for_each_group<A>(g, true, [&](auto P, int64_t, int64_t, const auto&) {
      node_factors<P>(grads.alpha_src, g.num_src, src_factors.data(), OfSrc<A>{g.slope});
      node_factors<P>(alpha, g.num_dst, dst_factors.data(), OfDst<A>{g.slope});
    });
  destination_terms<T>(
      g, whole, grad_out, heads_out, shift, weight_sum, kTerms, grads.dst_terms,
      grad_bias.mutable_data_ptr<A>(),
      [&](auto P, const auto& tiles, int64_t i, int64_t h0, A* terms) GATSPARSE_LAMBDA {
        using Heads = Vec<A, P>;
        const int64_t at = i * g.Hp + h0, row = i * HC + h0 * C;
        const Heads alpha_i = load<A, P>(alpha + at);
        if (known) {
          const Heads shared = load<A, P>(terms + kD * g.Hp) * load<A, P>(positive_weights + at);
          const Heads product = row_products<P>(tiles, grads.grad_out + row, positive_rows + row);
          store(grads.grad_alpha_dst + at, (A(1) - g.slope) * (product - shared));
        }
        store(terms + kAlphaDst * g.Hp, alpha_i);
        if constexpr (std::decay_t<decltype(tiles)>::whole) {
          const Heads scale = softmax<A, P>(leaky_relu(alpha_i, g.slope), terms, P);
          auto factors = Factors<A, P>::read(dst_factors.data() + i * 2 * P);
          factors.above *= scale;
          factors.below *= scale;
          factors.write(terms);
        }
      });

  BoundsFlag flag;
  const Index* slot = known && !g.number() && !g.dropout.active() ? nullptr : &csr_t.perm;
  const Edges edges{csr_t,     slot,        g.number(),          g.num_dst,
                    num_edges, g.num_loops, edges_ahead<T>(HC), &flag};
  for_each_group<A>(g, whole, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
    using Tiles = std::decay_t<decltype(tiles)>;
    const BySource<T, P, Tiles> by_source(g, edges, grads, h0, heads, tiles);
    accumulate_rows<A>(rows_t, by_source.state_size(), by_source);
    flag.check("csr_t: index out of range");
    if (known) return;
    const ByDestination<T, P, Tiles> by_destination(g, grads, flag, h0, heads, tiles);
    accumulate_rows<A>(rows, by_destination.state_size(), by_destination);
    flag.check("csr: perm out of range");
  });
  att_src_sums.write(grad_att_src.mutable_data_ptr<A>());
  att_dst_sums.write(grad_att_dst.mutable_data_ptr<A>());
  if (!by_edge) {  // they were only scratch
    grad_edge = empty({0, g.H}, acc);
    grad_loop = empty({0, g.H}, acc);
  }
  return {grad_x, grad_att_src, grad_att_dst, grad_alpha_dst, grad_bias, grad_edge, grad_loop};
}

Eight gat(const Tensor& x, const Tensor& att_src, std::optional<Tensor> att_dst,
          std::optional<Tensor> alpha_dst, std::optional<Tensor> edge, std::optional<Tensor> loop,
          std::optional<Tensor> bias, bool concat, bool save, bool positive, Tensors csr,
          Tensors /*csr_t*/, bool add_self_loops, double negative_slope, double dropout,
          std::optional<Tensor> seed) {
  return dispatch_storage(x, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const Gat<T> g(x, att_src, att_dst, edge, loop, csr, add_self_loops, negative_slope, dropout,
                   seed);
    return forward(g, alpha_dst, bias, concat, save, positive, x.scalar_type());
  });
}

Seven gat_backward(const Tensor& grad_out, const Tensor& x, const Tensor& att_src,
                   std::optional<Tensor> att_dst, std::optional<Tensor> edge,
                   std::optional<Tensor> loop, const Tensor& heads_out, const Tensor& alpha_src,
                   const Tensor& alpha_dst, const Tensor& shift, const Tensor& weight_sum,
                   const Tensor& positive_out, const Tensor& positive_weight, Tensors csr,
                   Tensors csr_t, bool add_self_loops, double negative_slope, double dropout,
                   std::optional<Tensor> seed) {
  return dispatch_storage(x, [&](auto storage) {
    using T = typename decltype(storage)::type;
    const Gat<T> g(x, att_src, att_dst, edge, loop, csr, add_self_loops, negative_slope, dropout,
                   seed);
    return backward(g, Csr(csr_t), grad_out, heads_out, alpha_src, alpha_dst, shift, weight_sum,
                    positive_out, positive_weight);
  });
}

}  // namespace

void register_gat(StableLibrary& library) {
  library.impl("gat", TORCH_BOX(&gat));
  library.impl("gat_backward", TORCH_BOX(&gat_backward));
}

}  // namespace gatsparse::GATSPARSE_ISA
