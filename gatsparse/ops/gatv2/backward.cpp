// The backward pass of GATv2 on CPU.
#include "attention_backward.h"
#include "gathered.h"
#include "gatv2.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

template <class T>
struct Gradients {
  using A = acc_t<T>;

  const T* grad_out;
  A* dst_terms;  // [N_dst, kNumTerms, Hp]
  T* grad_x_src;
  T* grad_x_dst;
  T* grad_edge;
  T* grad_loop;
  ChunkSums<A>* grad_att;
  void* records;  // Record of every slot, then of every loop; null: computed twice
};

// What the pass over the in-edges computes of an edge and the pass over the out-edges needs, for
// rows that are one tile.
template <class A, int P, int vectors>
struct Record {
  A weight[P];                 // weight of grad_out in the gradient of x_src
  A score[P];                  // gradient of the score
  uint16_t positive[vectors];  // a bit for every z > 0
};

// Records are kept if they are at most as large as six tables of x, or small.
constexpr int64_t kSmallRecords = int64_t{64} << 20, kTables = 6;

// The rows of one direction, in-edges of destinations or out-edges of sources: x is the row at
// this end, whose gradient is
//   att * (slope * sum of grad_score + (1 - slope) * sum of grad_score where z > 0),
// plus, for sources, the weighted sum of grad_out.
template <class T, int P, class Tiles, bool by_destination>
class ScoreBackward final : public RowKernel<acc_t<T>> {
  using A = acc_t<T>;

 public:
  ScoreBackward(const Gatv2<T>& g, const Edges& edges, const Gradients<T>& grads, int64_t h0,
                int64_t heads, const Tiles& tiles)
      : g_(g), edges_(edges), grads_(grads), score_{g, h0, heads}, h0_(h0), heads_(heads),
        stride_(g.H * g.C), offset_(h0 * g.C), size_(whole_vectors<A>(heads * g.C)),
        tiles_(tiles) {}

  // The sum of the gradients of the scores, P numbers; the same where z > 0; and the sum of
  // LeakyReLU(z) weighted with these gradients (destinations) or of grad_out (sources).
  int64_t state_size() const override { return kTotal + 2 * size_; }
  void sum(int64_t row, int64_t begin, int64_t end, A* state) const override {
    if constexpr (Tiles::whole) {
      if (!grads_.records) sum_whole<false>(tiles_.tile, row, begin, end, state);
      else if constexpr (by_destination) sum_whole<true>(tiles_.tile, row, begin, end, state);
      else sum_recorded(tiles_.tile, row, begin, end, state);
    } else {
      std::fill_n(state, state_size(), A(0));
      edges_.visit_blocks(
          row, begin, end,
          [&](int64_t number) {
            if (by_destination && g_.edge)
              std::fill_n(grads_.grad_edge + number * stride_ + offset_, heads_ * g_.C, T(0));
          },
          [&](const Block& block, bool first) { visit(row, block, first, state); });
    }
  }
  void merge(A* state, A* piece) const override { add_numbers(state, piece, state_size()); }
  void finish(int64_t chunk, int64_t row, A* state) const override {
    const A* positive = state + kTotal;
    const A* other = positive + size_;
    T* target = (by_destination ? grads_.grad_x_dst : grads_.grad_x_src) + row * stride_ + offset_;
    A* att_sum = grads_.grad_att->at(chunk) + offset_;
    tiles_.each_vector([&](const auto& tile, auto v) GATSPARSE_LAMBDA {
      const Vec<A> sum = g_.slope * tile.template spread<v>(state) +
                         (A(1) - g_.slope) * tile.read(positive, v);
      const Vec<A> grad = tile.read(g_.att + offset_, v) * sum, rest = tile.read(other, v);
      tile.write(target, v, by_destination ? grad : grad + rest);
      if constexpr (by_destination) tile.write(att_sum, v, tile.read(att_sum, v) + rest);
    });
  }

 private:
  // Gathered rows are read once.
  template <bool record, class Tile>
  GATSPARSE_INLINE void sum_whole(const Tile tile, int64_t row, int64_t begin, int64_t end,
                                  A* state) const {
    using Heads = Vec<A, P>;
    constexpr int vectors = Tile::vectors, num_terms = kNumTerms * P;
    const int64_t stride = tile.length();
    const T* table = by_destination ? g_.x_src : g_.x_dst;
    const T* grad_out = grads_.grad_out;
    const A* dst_terms = grads_.dst_terms;
    const A slope = g_.slope;
    Vec<A> x[vectors], att[vectors], g[vectors], positive[vectors] = {}, other[vectors] = {};
    unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
      x[v] = tile.read((by_destination ? g_.x_dst : g_.x_src) + row * stride, v);
      att[v] = tile.read(g_.att, v);
      if constexpr (by_destination) g[v] = tile.read(grad_out + row * stride, v);
    });
    Heads sum{};
    const auto visit = [&](int64_t id, int64_t at, int64_t next, int64_t) GATSPARSE_LAMBDA {
      tile.prefetch(table, stride, next);
      if constexpr (!by_destination) {
        tile.prefetch(grad_out, stride, next);
        prefetch<num_terms * sizeof(A)>(dst_terms, num_terms, next);
      }
      Vec<A> y[vectors], leaky[vectors];
      unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
        y[v] = tile.read(table + id * stride, v);
        if constexpr (!by_destination) g[v] = tile.read(grad_out + id * stride, v);
      });
      const Heads score = tile_scores<P, Tile, A>(x, y, att, slope, leaky);
      const A* terms = dst_terms + (by_destination ? row : id) * num_terms;
      const auto gradient = edge_gradient<A, P>(
          g_, at, 0, softmax<A, P>(score, terms, P),
          tile_products<P, Tile, A>(by_destination ? y : x, g), load<A, P>(terms + kD * P));
      sum += gradient.score;
      if constexpr (record) {
        auto& recorded = static_cast<Record<A, P, vectors>*>(grads_.records)[at];
        store(recorded.weight, gradient.weight);
        store(recorded.score, gradient.score);
        unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
          recorded.positive[v] = positive_lanes(x[v] + y[v]);
        });
      }
      unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
        const Vec<A> grad_v = tile.template spread<v, P>(gradient.score);
        positive[v] += x[v] + y[v] > A(0) ? grad_v : Vec<A>{};
        if constexpr (by_destination) other[v] += grad_v * leaky[v];
        else other[v] += tile.template spread<v, P>(gradient.weight) * g[v];
      });
    };
    edges_.visit_each(row, begin, end, visit);
    store(state, sum);
    unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
      tile.write_whole(state + kTotal, v, positive[v]);
      tile.write_whole(state + kTotal + size_, v, other[v]);
    });
  }

  // The same for sources, from the records of the pass over the in-edges.
  template <class Tile>
  GATSPARSE_INLINE void sum_recorded(const Tile tile, int64_t row, int64_t begin, int64_t end,
                                     A* state) const {
    constexpr int vectors = Tile::vectors;
    using Edge = Record<A, P, vectors>;
    const int64_t stride = tile.length();
    const auto* records = static_cast<const Edge*>(grads_.records);
    Vec<A, P> sum{};
    Vec<A> positive[vectors] = {}, other[vectors] = {};
    const auto visit = [&](int64_t id, int64_t at, int64_t next, int64_t next_at) GATSPARSE_LAMBDA {
      tile.prefetch(grads_.grad_out, stride, next);
      prefetch<sizeof(Edge)>(reinterpret_cast<const char*>(records), sizeof(Edge), next_at);
      const Edge& edge = records[at];
      const auto weight = load<A, P>(edge.weight), score = load<A, P>(edge.score);
      sum += score;
      unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
        positive[v] += only_lanes(edge.positive[v], tile.template spread<v, P>(score));
        other[v] += tile.template spread<v, P>(weight) *
                    tile.read(grads_.grad_out + id * stride, v);
      });
    };
    edges_.visit_each(row, begin, end, visit);
    store(state, sum);
    unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
      tile.write_whole(state + kTotal, v, positive[v]);
      tile.write_whole(state + kTotal + size_, v, other[v]);
    });
  }

  GATSPARSE_INLINE void visit(int64_t row, const Block& block, bool first, A* state) const {
    const int64_t n = block.size;
    const EdgeRows<T> edge(g_.edge, block, offset_);
    const T* grad_out = grads_.grad_out + offset_;
    // First the scores, and <grad_out, x>.
    alignas(64) A weight[(kBlock + 3) * P], grad[(kBlock + 3) * P];
    Vec<A, P> sum = load<A, P>(state);
    const auto compute = [&](int64_t b, const A* terms) {
      const auto gradient = edge_gradient<A, P>(
          g_, block.slot[b], h0_, softmax<A, P>(load<A, P>(weight + b * P), terms, g_.Hp),
          load<A, P>(grad + b * P), load<A, P>(terms + kD * g_.Hp));
      store(weight + b * P, gradient.weight);
      store(grad + b * P, gradient.score);
      sum += gradient.score;
    };
    A* positive = state + kTotal;
    A* other = positive + size_;
    if constexpr (by_destination) {
      const auto score = score_.of(g_.x_src, g_.x_dst + row * stride_, edge);
      score.scores(block.id, n, P, weight);
      inner_products(g_.x_src + offset_, stride_, block.id, n, grad_out + row * stride_, P, heads_,
                     g_.C, grad);
      const A* terms = grads_.dst_terms + row * kNumTerms * g_.Hp + h0_;
      for (int64_t b = 0; b < n; ++b) compute(b, terms);
      T* grad_edge[kBlock];
      for (int64_t b = 0; b < n && g_.edge; ++b) grad_edge[b] = edge_row(block.number[b]);
      score.template add_gradients<true>(block.id, block.next, n, grad, P, first, positive, other,
                                         grad_edge);
    } else {
      const auto score = score_.of(g_.x_dst, g_.x_src + row * stride_, edge);
      score.scores(block.id, n, P, weight);
      inner_products(grad_out, stride_, block.id, n, g_.x_src + row * stride_ + offset_, P, heads_,
                     g_.C, grad);
      for (int64_t b = 0; b < n; ++b) {
        prefetch<kNumTerms * P * sizeof(A)>(grads_.dst_terms, kNumTerms * g_.Hp, block.next[b]);
        compute(b, grads_.dst_terms + block.id[b] * kNumTerms * g_.Hp + h0_);
      }
      score.template add_gradients<false>(block.id, block.next, n, grad, P, first, positive,
                                          nullptr, nullptr);
      add_weighted_rows(grad_out, stride_, block.id, block.next, n, weight, P, heads_, g_.C, first,
                        other);
    }
    store(state, sum);
  }

  T* edge_row(int64_t number) const {
    const int64_t E = g_.csr.num_entries;
    return (number < E ? grads_.grad_edge + number * stride_
                       : grads_.grad_loop + (number - E) * stride_) + offset_;
  }

  static constexpr int64_t kTotal = whole_vectors<A>(P);

  const Gatv2<T>& g_;
  const Edges& edges_;
  const Gradients<T>& grads_;
  Score<T, P> score_;
  int64_t h0_, heads_, stride_, offset_, size_;
  Tiles tiles_;
};

// The gradients: see fused.py.
using Results = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

template <class T>
Results backward(Gatv2<T>& g, const Csr& csr_t, ScalarType dtype, const Tensor& grad_out,
                 const Tensor& heads_out, const Tensor& shift, const Tensor& weight_sum) {
  using A = acc_t<T>;
  const int64_t HC = g.H * g.C, num_edges = g.csr.num_entries;
  const ScalarType acc = acc_dtype<T>();
  const Gathered<T> x_src(g.x_src, g.num_src, HC, num_edges);
  const Gathered<T> x_dst(g.x_dst, g.num_dst, HC, num_edges);
  g.x_src = x_src;
  g.x_dst = x_dst;
  STD_TORCH_CHECK(csr_t.num_rows == g.num_src && csr_t.num_entries == num_edges,
                  "csr_t: not the transpose of csr");
  Tensor grad_x_src = empty({g.num_src, g.H, g.C}, dtype);
  Tensor grad_x_dst = empty({g.num_dst, g.H, g.C}, dtype);
  Tensor grad_att = empty({1, g.H, g.C}, acc);
  Tensor grad_bias = empty({g.H, g.C}, acc);
  Tensor grad_edge = empty({g.edge ? num_edges : 0, g.H, g.C}, dtype);
  Tensor grad_loop = empty({g.edge ? g.num_loops : 0, g.H, g.C}, dtype);
  const Scratch<A> dst_terms(g.num_dst * kNumTerms * g.Hp);
  check_tensor(grad_out, "grad_out", dtype, {g.num_dst, g.H, g.C});
  destination_terms<T>(g, grad_out, heads_out, shift, weight_sum, kNumTerms, dst_terms.data(),
                       grad_bias.mutable_data_ptr<A>(), {}, [](int64_t, int64_t) {});

  const Rows rows(g.num_dst, g.csr.ptr), rows_t(g.num_src, csr_t.ptr);
  ChunkSums<A> att_sums(rows.num_chunks(), g.H * g.C);
  const Gathered<T> grad_rows(grad_out.const_data_ptr<T>(), g.num_dst, HC, num_edges);
  Gradients<T> grads{grad_rows,
                     dst_terms.data(),
                     grad_x_src.mutable_data_ptr<T>(),
                     grad_x_dst.mutable_data_ptr<T>(),
                     grad_edge.mutable_data_ptr<T>(),
                     grad_loop.mutable_data_ptr<T>(),
                     &att_sums,
                     nullptr};
  BoundsFlag flag;
  const Edges in_edges{g.csr, nullptr, g.number(), g.num_src, num_edges, g.num_loops,
                       edges_ahead<T>(HC), &flag};
  const Index* slot = g.number() || g.dropout.active() ? &csr_t.perm : nullptr;
  Edges out_edges{csr_t,     slot,        g.number(),             g.num_dst,
                  num_edges, g.num_loops, edges_ahead<T>(2 * HC), &flag};
  for_each_group<A>(g, !g.edge, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
    using Tiles = std::decay_t<decltype(tiles)>;
    std::optional<Scratch<char>> records;
    if constexpr (Tiles::whole) {
      constexpr int64_t size = sizeof(Record<A, P, decltype(tiles.tile)::vectors>);
      const int64_t bytes = (num_edges + g.num_loops) * size;
      const int64_t table = g.num_src * HC * static_cast<int64_t>(sizeof(T));
      if (bytes <= std::max(kSmallRecords, kTables * table) && allocate(records, bytes)) {
        grads.records = records->data();
        out_edges.slot = &csr_t.perm;
        out_edges.ahead = edges_ahead<T>(HC);
      }
    }
    const ScoreBackward<T, P, Tiles, true> by_destination(g, in_edges, grads, h0, heads, tiles);
    accumulate_rows<A>(rows, by_destination);
    const ScoreBackward<T, P, Tiles, false> by_source(g, out_edges, grads, h0, heads, tiles);
    accumulate_rows<A>(rows_t, by_source);
  });
  flag.check("csr_t: index out of range");
  att_sums.write(grad_att.mutable_data_ptr<A>());
  return {grad_x_src, grad_x_dst, grad_att, grad_bias, grad_edge, grad_loop};
}

Results gatv2_backward(const Tensor& grad_out, const Tensor& x_src, const Tensor& x_dst,
                       const Tensor& att, std::optional<Tensor> edge, std::optional<Tensor> loop,
                       const Tensor& heads_out, const Tensor& shift, const Tensor& weight_sum,
                       Tensors csr, Tensors csr_t, bool add_self_loops, double negative_slope,
                       double dropout, std::optional<Tensor> seed) {
  return dispatch_storage(x_src, [&](auto storage) {
    using T = typename decltype(storage)::type;
    Gatv2<T> g(x_src, x_dst, att, edge, loop, csr, add_self_loops, negative_slope, dropout, seed);
    return backward(g, Csr(csr_t), x_src.scalar_type(), grad_out, heads_out, shift, weight_sum);
  });
}

}  // namespace

void register_gatv2_backward(StableLibrary& library) {
  library.impl("gatv2_backward", TORCH_BOX(&gatv2_backward));
}

}  // namespace gatsparse::GATSPARSE_ISA
