// The backward pass of GAT on CPU.
#include "attention_backward.h"
#include "gat.h"
#include "gathered.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// The terms of a destination in the backward pass. For whole rows, the first two are replaced by
// its factors, relative to the saved shift and divided by the sum of weights.
constexpr int64_t kAlphaDst = kNumTerms, kTerms = kNumTerms + 1;
static_assert(kShift == 0 && kInverseSum == 1);

// Data that the parts of the backward pass share.
template <class T>
struct Gradients {
  using A = acc_t<T>;

  const T* grad_out;
  const A* alpha_src;
  const A* src_factors;  // [N_src, 2, Hp]; for whole rows
  A* dst_terms;          // [N_dst, kTerms, Hp]
  A* grad_alpha_dst;     // [N_dst, Hp]
  bool known;            // whether grad_alpha_dst is known before the edges are visited
  T* grad_x;
  // The gradient of the score of every edge, then of every loop. With edge features, it is their
  // gradient, in the caller's order; otherwise it is in the order of csr.
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
class BySource final : public RowKernel<acc_t<T>> {
  using A = acc_t<T>;

 public:
  BySource(const Gat<T>& g, const Edges& edges, const Gradients<T>& grads, int64_t h0,
           int64_t heads, const Tiles& tiles)
      : g_(g), edges_(edges), grads_(grads),
        score_{nullptr, nullptr, g.edge, g.Hp, h0, heads, g.slope}, h0_(h0), heads_(heads),
        stride_(g.H * g.C), offset_(h0 * g.C), tiles_(tiles) {}

  // The gradient of alpha_src, P numbers; then the gradient of x.
  int64_t state_size() const override { return kTotal + whole_vectors<A>(heads_ * g_.C); }
  void sum(int64_t j, int64_t begin, int64_t end, A* state) const override {
    if constexpr (!Tiles::whole) {
      std::fill_n(state, state_size(), A(0));
      edges_.visit_blocks(
          j, begin, end,
          [&](int64_t number) {
            if (g_.edge)
              std::fill_n(grads_.score_row(number, g_.csr.num_entries) + h0_, heads_, A(0));
          },
          [&](const Block& block, bool first) { visit(j, block, first, state); });
    } else if (grads_.known) {
      sum_whole<true>(tiles_.tile, j, begin, end, state);
    } else {
      sum_whole<false>(tiles_.tile, j, begin, end, state);
    }
  }
  void merge(A* state, A* piece) const override { add_numbers(state, piece, state_size()); }
  void finish(int64_t chunk, int64_t j, A* state) const override {
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
    tiles_.each_vector([&](const auto& tile, auto v) GATSPARSE_LAMBDA {
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

  // Gathered rows are read once.
  template <bool known, class Tile>
  GATSPARSE_INLINE void sum_whole(const Tile tile, int64_t j, int64_t begin, int64_t end,
                                  A* state) const {
    using Heads = Vec<A, P>;
    const T* grad_out = grads_.grad_out;
    const A* dst_terms = grads_.dst_terms;
    const A slope = g_.slope;
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
      const Heads grad = choose(raw > A(0), gradient.score, Heads(slope * gradient.score));
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
    inner_products(grads_.grad_out + offset_, stride_, block.id, block.size,
                   g_.x + j * stride_ + offset_, P, heads_, g_.C, grad);
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
      const Vec<A, P> grad_b =
          choose(raw > A(0), gradient.score, Vec<A, P>(slope * gradient.score));
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
    add_weighted_rows(grads_.grad_out + offset_, stride_, block.id, block.next, block.size, weight,
                      P, heads_, g_.C, first, state + kTotal);
  }

  static constexpr int64_t kTotal = whole_vectors<A>(P);

  const Gat<T>& g_;
  const Edges& edges_;
  const Gradients<T>& grads_;
  Score<A, P> score_;
  int64_t h0_, heads_, stride_, offset_;
  Tiles tiles_;
};

// Sums of the gradients of the scores over the in-edges of every destination: the gradient of
// alpha_dst and, if x also holds the destinations, the gradients of att_dst and x that follow.
template <class T, int P, class Tiles>
class ByDestination final : public RowKernel<acc_t<T>> {
  using A = acc_t<T>;
  using Heads = Vec<A, P>;

 public:
  ByDestination(const Gat<T>& g, const Gradients<T>& grads, BoundsFlag& flag, int64_t h0,
                int64_t heads, const Tiles& tiles)
      : g_(g), grads_(grads), flag_(flag), h0_(h0), heads_(heads), stride_(g.H * g.C),
        offset_(h0 * g.C), tiles_(tiles) {}

  int64_t state_size() const override { return P; }
  void sum(int64_t i, int64_t begin, int64_t end, A* state) const override {
    Heads sum{};
    for (int64_t e = begin; e < end; ++e)
      if (g_.num_loops == 0 || g_.csr.index[e] != i) add_row(g_.edge ? g_.csr.perm[e] : e, sum);
    if (end == g_.csr.ptr[i + 1] && i < g_.num_loops) add_row(g_.csr.num_entries + i, sum);
    store(state, sum);
  }
  void merge(A* state, A* piece) const override { add_numbers(state, piece, P); }
  void finish(int64_t chunk, int64_t i, A* state) const override {
    std::copy_n(state, P, grads_.grad_alpha_dst + i * g_.Hp + h0_);
    if (!g_.att_dst) return;
    A* att_sum = grads_.grad_att_dst->at(chunk) + offset_;
    T* grad_x = grads_.grad_x + i * stride_ + offset_;
    const T* x = g_.x + i * stride_ + offset_;
    const A* att_dst = g_.att_dst + offset_;
    tiles_.each_vector([&](const auto& tile, auto v) GATSPARSE_LAMBDA {
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

// The gradients: see fused.py.
using Results = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

template <class T>
Results backward(const Gat<T>& g, const Csr& csr_t, ScalarType dtype, const Tensor& grad_out,
                 const Tensor& heads_out, const Tensor& alpha_src, const Tensor& alpha_dst,
                 const Tensor& shift, const Tensor& weight_sum, const Tensor& positive_out,
                 const Tensor& positive_weight) {
  using A = acc_t<T>;
  const int64_t C = g.C, HC = g.H * C, num_edges = g.csr.num_entries;
  const ScalarType acc = acc_dtype<T>();
  const bool known = positive_out.numel() > 0;
  check_tensor(grad_out, "grad_out", dtype, {g.num_dst, g.H, C});
  check_tensor(alpha_src, "alpha_src", acc, {g.num_src, g.Hp});
  check_tensor(alpha_dst, "alpha_dst", acc, {g.num_dst, g.Hp});
  if (known) {
    STD_TORCH_CHECK(g.att_dst && !g.edge && g.slope >= A(0),
                    "positive_out: of no use with these inputs");
    check_tensor(positive_out, "positive_out", acc, {g.num_dst, g.H, C});
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
  const Gathered<T> grad_rows(grad_out.const_data_ptr<T>(), g.num_dst, HC, num_edges);
  const Gradients<T> grads{grad_rows,
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
  const A* positive_rows = positive_out.const_data_ptr<A>();
  const A* positive_weights = positive_weight.const_data_ptr<A>();
  if (whole) {
    node_factors(g.Hp, grads.alpha_src, g.num_src, src_factors.data(), OfSrc<A>{g.slope});
    node_factors(g.Hp, alpha, g.num_dst, dst_factors.data(), OfDst<A>{g.slope});
  }
  const auto more_terms = [&](int64_t first, int64_t last) {
    A* grad_dst = grads.grad_alpha_dst;
    for (int64_t i = first; i < last; ++i)
      for_each_quad(g.Hp, [&](auto P, int64_t h0) GATSPARSE_LAMBDA {
        using Heads = Vec<A, P>;
        A* terms = grads.dst_terms + i * kTerms * g.Hp + h0;
        const int64_t at = i * g.Hp + h0;
        const Heads alpha_i = load<A, P>(alpha + at);
        if (known) {
          const Heads shared = load<A, P>(terms + kD * g.Hp) * load<A, P>(positive_weights + at);
          store(grad_dst + at, (A(1) - g.slope) * (load<A, P>(grad_dst + at) - shared));
        }
        store(terms + kAlphaDst * g.Hp, alpha_i);
        if (!whole) return;
        const Heads scale = softmax<A, P>(leaky_relu(alpha_i, g.slope), terms, g.Hp);
        const A* factors = dst_factors.data() + i * 2 * g.Hp + h0;
        store(terms, scale * load<A, P>(factors));
        store(terms + g.Hp, scale * load<A, P>(factors + g.Hp));
      });
  };
  destination_terms<T>(g, grad_out, heads_out, shift, weight_sum, kTerms, grads.dst_terms,
                       grad_bias.mutable_data_ptr<A>(),
                       {known ? positive_rows : nullptr, HC, grads.grad_alpha_dst, g.Hp},
                       more_terms);

  BoundsFlag flag;
  const Index* slot = known && !g.number() && !g.dropout.active() ? nullptr : &csr_t.perm;
  const Edges edges{csr_t,     slot,        g.number(),          g.num_dst,
                    num_edges, g.num_loops, edges_ahead<T>(HC), &flag};
  for_each_group<A>(g, whole, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
    using Tiles = std::decay_t<decltype(tiles)>;
    const BySource<T, P, Tiles> by_source(g, edges, grads, h0, heads, tiles);
    accumulate_rows<A>(rows_t, by_source);
  });
  flag.check("csr_t: index out of range");
  if (!known)
    for_each_group<A>(g, !g.edge, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
      using Tiles = std::decay_t<decltype(tiles)>;
      const ByDestination<T, P, Tiles> by_destination(g, grads, flag, h0, heads, tiles);
      accumulate_rows<A>(rows, by_destination);
    });
  flag.check("csr: perm out of range");
  att_src_sums.write(grad_att_src.mutable_data_ptr<A>());
  att_dst_sums.write(grad_att_dst.mutable_data_ptr<A>());
  if (!by_edge) {  // they were only temporary
    grad_edge = empty({0, g.H}, acc);
    grad_loop = empty({0, g.H}, acc);
  }
  return {grad_x, grad_att_src, grad_att_dst, grad_alpha_dst, grad_bias, grad_edge, grad_loop};
}

Results gat_backward(const Tensor& grad_out, const Tensor& x, const Tensor& att_src,
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
    return backward(g, Csr(csr_t), x.scalar_type(), grad_out, heads_out, alpha_src, alpha_dst,
                    shift, weight_sum, positive_out, positive_weight);
  });
}

}  // namespace

void register_gat_backward(StableLibrary& library) {
  library.impl("gat_backward", TORCH_BOX(&gat_backward));
}

}  // namespace gatsparse::GATSPARSE_ISA
