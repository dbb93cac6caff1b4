// What the variants of graph attention share: the visit of a row's edges, the softmax over them,
// the weighted sum, and the first pass of the backward.
//
// Rows of x that fit the registers (Whole) are visited edge by edge, and everything of an edge
// stays there. The others, those with edge features and where a variant asks for it are visited
// in blocks of edges: a block's scores are computed first, then its exponentials, all heads at
// once, then the sums over its rows, which stay in the cache.
#pragma once

#include <limits>
#include <optional>

#include "edge_dropout.h"
#include "tiles.h"

namespace gatsparse::GATSPARSE_ISA {

constexpr int64_t kBlock = 32;

// Numbers per node and head are stored with the heads padded to this many.
inline int64_t padded_heads(int64_t H) {
  return H == 1 ? 1 : H <= 4 ? 4 : H <= 8 ? 8 : (H + 15) / 16 * 16;
}

// Calls f(P, h0, heads) for the groups of at most 16 heads that are computed at a time.
template <class F>
void for_each_group(int64_t H, const F& f) {
  if (H == 1) return f(std::integral_constant<int, 1>{}, 0, H);
  if (H <= 4) return f(std::integral_constant<int, 4>{}, 0, H);
  if (H <= 8) return f(std::integral_constant<int, 8>{}, 0, H);
  for (int64_t h0 = 0; h0 < H; h0 += 16)
    f(std::integral_constant<int, 16>{}, h0, std::min<int64_t>(16, H - h0));
}

// Optional numbers of every edge: a table of the edges as the caller numbered them, and
// one of the loops, which follow them.
template <class X>
struct EdgeTable {
  bool given = false;
  const X* edge = nullptr;
  const X* loop = nullptr;
  int64_t num_edges = 0, length = 0;

  EdgeTable(const std::optional<Tensor>& edge_, const std::optional<Tensor>& loop_,
            ScalarType dtype, int64_t num_edges_, int64_t num_loops,
            std::vector<int64_t> row)
      : num_edges(num_edges_), length(1) {
    for (const int64_t size : row) length *= size;
    STD_TORCH_CHECK(!edge_ || loop_ || num_loops == 0, "loop: expected for edge, got none");
    given = edge_.has_value();
    if (!given) return;
    row.insert(row.begin(), num_edges);
    check_tensor(*edge_, "edge", dtype, row);
    edge = edge_->template const_data_ptr<X>();
    if (!loop_) return;
    row[0] = num_loops;
    check_tensor(*loop_, "loop", dtype, row);
    loop = loop_->template const_data_ptr<X>();
  }
  explicit operator bool() const { return given; }
  const X* row(int64_t number) const {
    return number < num_edges ? edge + number * length : loop + (number - num_edges) * length;
  }
};

// The arguments that every pass of every variant shares, checked.
struct Attention {
  Csr csr;
  int64_t num_src, num_dst, H, C, Hp, num_loops;
  EdgeDropout dropout;

  Attention(const Tensor& x, const Tensors& csr_, bool add_self_loops, double p,
            const std::optional<Tensor>& seed)
      : csr(csr_), dropout(p, seed) {
    STD_TORCH_CHECK(x.dim() == 3, "x: expected [N, H, C], got ", x.dim(), " dimensions");
    num_src = x.size(0);
    num_dst = csr.num_rows;
    H = x.size(1);
    C = x.size(2);
    Hp = padded_heads(H);
    STD_TORCH_CHECK(H > 0 && C > 0, "x: expected H, C >= 1, got ", H, ", ", C);
    num_loops = add_self_loops ? std::min(num_src, num_dst) : 0;
    check_tensor(x, "x", x.scalar_type(), {num_src, H, C});
    if (dropout.active()) dropout.draw(csr, num_loops, H);
  }
};

// Whether the rows of x fit the registers.
template <class A>
bool fits_registers(const Attention& a) {
  bool fits = false;
  for_each_group(a.H, [&](auto P, int64_t, int64_t) {
    fits |= in_one_tile<A, P>(a.H, a.C, [](const auto&) {});
  });
  return fits;
}

// for_each_group with the tiles of the rows of x: f(P, h0, heads, tiles). Rows that fit the
// registers are whole where `whole` allows it.
template <class A, class F>
void for_each_group(const Attention& a, bool whole, const F& f) {
  for_each_group(a.H, [&](auto P, int64_t h0, int64_t heads) {
    const bool done = whole && in_one_tile<A, P>(a.H, a.C, [&](const auto& tile) {
      f(P, h0, heads, Whole<std::decay_t<decltype(tile)>>{tile});
    });
    if (!done) f(P, h0, heads, Cut<A, P>{heads, a.C});
  });
}

// The edges of a block: the node at the other end, the edge's place in csr, its number, and
// the node at the other end of the edge that comes `ahead` edges later. The last id stands there
// thrice more, for loops that take four edges at a time.
struct Block {
  int64_t size = 0;
  int64_t id[kBlock + 3], slot[kBlock], number[kBlock], next[kBlock];

  void add(int64_t id_, int64_t slot_, int64_t number_, int64_t next_) {
    id[size] = id_;
    slot[size] = slot_;
    number[size] = number_;
    next[size++] = next_;
  }
  void pad() {
    for (int k = 0; k < 3; ++k) id[size + k] = id[size - 1];
  }
};

// The entries of rows, in-edges or out-edges, with their virtual loops.
struct Edges {
  const Csr& rows;
  const Index* slot;    // where an entry stands in csr; null: where it stands in rows
  const Index* number;  // of a slot; null: nobody asks
  int64_t num_others, num_edges, num_loops;
  int64_t ahead;        // how many edges ahead rows are asked for
  BoundsFlag* flag;

  // Calls visit(block, first) for the entries begin .. end-1 of a row, then for its loop if these
  // are the last; skip(number) for the loops among them that the virtual ones replace.
  template <class Skip, class Visit>
  GATSPARSE_INLINE void visit_blocks(int64_t row, int64_t begin, int64_t end, const Skip& skip,
                                     const Visit& visit) const {
    Block block;
    bool loop = end == rows.ptr[row + 1] && row < num_loops, first = true;
    for (int64_t t = begin; t < end || loop;) {
      block.size = 0;
      if (rows.index.wide) t = collect(block, rows.index.as<int64_t>(), row, t, end, skip);
      else t = collect(block, rows.index.as<int32_t>(), row, t, end, skip);
      if (t == end && loop && block.size < kBlock) {
        block.add(row, num_edges + row, num_edges + row, row);
        loop = false;
      }
      if (block.size == 0) continue;
      block.pad();
      visit(block, first);
      first = false;
    }
  }

  // Calls visit(id, slot, next id, next slot) for each of them instead, where `next` are those of
  // the edge that comes `ahead` edges later; the loop's slot is its number.
  template <class Visit>
  GATSPARSE_INLINE void visit_each(int64_t row, int64_t begin, int64_t end,
                                   const Visit& visit) const {
    if (rows.index.wide) visit_each<int64_t>(row, begin, end, visit);
    else visit_each<int32_t>(row, begin, end, visit);
    const int64_t loop = num_edges + row;
    if (end == rows.ptr[row + 1] && row < num_loops) visit(row, loop, row, loop);
  }

 private:
  template <class index_t, class Visit>
  GATSPARSE_INLINE void visit_each(int64_t row, int64_t begin, int64_t end,
                                   const Visit& visit) const {
    const index_t* ids = rows.index.as<index_t>();
    const index_t* slots = slot ? slot->as<index_t>() : nullptr;
    const int64_t loop = num_loops > 0 ? row : -1, last = num_edges - 1, bound = num_others;
    const int64_t distance = ahead;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t id = ids[t], later = std::min(t + distance, last);
      if (!flag->in_bounds(id, bound) || id == loop) continue;
      const int64_t at = slots ? slots[t] : t;
      if (slots && !flag->in_bounds(at, num_edges)) continue;
      visit(id, at, ids[later], slots ? slots[later] : later);
    }
  }

  template <class index_t, class Skip>
  GATSPARSE_INLINE int64_t collect(Block& block, const index_t* index, int64_t row, int64_t t,
                                   int64_t end, const Skip& skip) const {
    for (; t < end && block.size < kBlock; ++t) {
      const int64_t other = index[t], next = index[std::min(t + ahead, num_edges - 1)];
      if (!flag->in_bounds(other, num_others)) continue;
      const bool loop = num_loops > 0 && other == row;
      if (!slot && !number) {  // nobody asks which edge it is
        if (!loop) block.add(other, t, 0, next);
        continue;
      }
      const int64_t at = slot ? (*slot)[t] : t;
      if (!flag->in_bounds(at, num_edges)) continue;
      const int64_t edge = number ? (*number)[at] : 0;
      if (!flag->in_bounds(edge, num_edges)) continue;
      if (loop) skip(edge);
      else block.add(other, at, edge, next);
    }
    return t;
  }
};

// Rows are asked for so far ahead that they fill a first cache of 32 KB at most.
template <class T>
int64_t edges_ahead(int64_t row_length) {
  return std::clamp<int64_t>(32768 / (row_length * static_cast<int64_t>(sizeof(T))), 4, 64);
}

// What to subtract from scores: those of -inf have weight 0, whatever is to come.
template <class Heads>
GATSPARSE_INLINE Heads finite(const Heads& shift) {
  using A = decltype(lane(shift, 0));
  return shift == -std::numeric_limits<A>::infinity() ? Heads{} : shift;
}

// What sums relative to one shift are multiplied by to be relative to a larger one.
template <class A, int P>
GATSPARSE_INLINE Vec<A, P> shrinking(const Vec<A, P>& from, const Vec<A, P>& to) {
  // Where nothing but -inf came so far, there is nothing to shrink.
  const Vec<A, P> one = A(1) - Vec<A, P>{};
  return to > from && from > -std::numeric_limits<A>::infinity() ? exp_lanes<P>(from - to) : one;
}

// The heads [h0, h0 + heads) of the forward pass, row by row (see accumulate_rows).
//
// Rows in tiles that are not whole are visited in blocks: score(i, block, scores, positive)
// computes the scores of a block's edges to row i and, where asked, 1 for each positive one and
// 0 for the others. Of whole rows, score.of_row(tile, i) gives the weights of the edges to
// row i one by one: (j, x_j, shrink) -> its weight, relative to its `shift`, and whether its
// score is positive; before it raises the shift, it calls shrink(factor). Its
// prefetch<positive>(next) asks for what it will read of another node.
template <class T, int P, class Score, class Tiles>
class Forward {
  using A = acc_t<T>;
  using Heads = Vec<A, P>;  // one number per head

 public:
  struct Outputs {
    T* out;              // [N_dst, H * C], or [N_dst, C]: the mean over heads
    const A* bias;       // of the shape of a row of out; null: none
    bool concat;
    T* heads_out;        // [N_dst, H, C], before mean and bias; null: not wanted
    A* shift;            // [N_dst, Hp]; null: not wanted
    A* weight_sum;       // [N_dst, Hp]
    T* positive_out;     // heads_out of the edges of positive score alone; null: not wanted
    A* positive_weight;  // [N_dst, Hp], what they have of the softmax
  };

  Forward(const Attention& a, const Edges& edges, const T* x, int64_t h0, int64_t heads,
          const Tiles& tiles, const Score& score, const Outputs& outputs)
      : a_(a), edges_(edges), x_(x + h0 * a.C), stride_(a.H * a.C), h0_(h0), heads_(heads),
        size_(whole_vectors<A>(heads * a.C)), tiles_(tiles), score_(score), o_(outputs) {}

  // The shift, the sum of weights, that of the positive scores, and whether there was an edge,
  // P numbers each; then the weighted sum, and that of the positive scores.
  int64_t state_size() const { return kTotal + (o_.positive_out ? 2 : 1) * size_; }

  // The first block of a row fills the rest; of a whole row, `add` fills everything.
  void begin(int64_t, A* state) const {
    if (Tiles::whole) return;
    std::fill_n(state, P, -std::numeric_limits<A>::infinity());
    std::fill_n(state + P, kTotal - P, A(0));
  }
  void add(int64_t i, int64_t begin, int64_t end, A* state) const {
    if constexpr (!Tiles::whole)
      edges_.visit_blocks(
          i, begin, end, [](int64_t) {},
          [&](const Block& block, bool first) { visit(i, block, first, state); });
    else if (Score::splits && o_.positive_out)
      add_whole<Score::splits>(tiles_.tile, i, begin, end, state);
    else
      add_whole<false>(tiles_.tile, i, begin, end, state);
  }

  void merge(A* state, A* piece) const {
    if (piece[kVisited] == A(0)) return;  // all of its entries were loops
    if (state[kVisited] == A(0)) return void(std::copy_n(piece, state_size(), state));
    const Heads shift = larger(load<A, P>(state), load<A, P>(piece));
    raise(state, shift);
    raise(piece, shift);
    store(state, shift);
    for (int64_t k = P; k < state_size(); ++k) state[k] += piece[k];
  }

  void finish(int64_t, int64_t i, A* state) const {
    const Outputs o = o_;  // a copy: what is written here could be a part of it, for all one knows
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
    for_each_vector(tiles_, [&](const auto& tile, auto v) GATSPARSE_LAMBDA {
      const Vec<A> factor = tile.template spread<v>(norm);
      const Vec<A> value = factor * tile.read(total, v);
      if (o.concat)
        tile.write(o.out + at, v, o.bias ? value + tile.read(o.bias + offset, v) : value);
      if (o.heads_out) tile.write(o.heads_out + at, v, value);
      if (o.positive_out)
        tile.write(o.positive_out + at, v, factor * tile.read(total + size_, v));
    });
    if (!o.concat) add_mean(total, norm, o.out + i * a_.C);
  }

 private:
  static constexpr int64_t kVisited = 3 * P, kTotal = whole_vectors<A>(4 * P);

  static GATSPARSE_INLINE Heads larger(const Heads& a, const Heads& b) { return a > b ? a : b; }

  void add_mean(const A* total, const A* norm, T* out) const {
    for (int64_t c = 0; c < a_.C; ++c) {
      A mean = 0;
      for (int64_t h = 0; h < heads_; ++h) mean += total[h * a_.C + c] * norm[h];
      const A first = o_.bias ? o_.bias[c] : A(0);
      out[c] = static_cast<T>((h0_ == 0 ? first : A(out[c])) + mean / static_cast<A>(a_.H));
    }
  }

  // Makes the state's sums relative to another shift, never a smaller one.
  void raise(A* state, const Heads& to) const {
    const Heads factor = shrinking<A, P>(load<A, P>(state), to);
    alignas(64) A shrink[P];
    store(shrink, factor);
    if (std::all_of(shrink, shrink + P, [](A number) { return number == A(1); })) return;
    for (int k = 1; k < 3; ++k) store(state + k * P, load<A, P>(state + k * P) * factor);
    for (A* total = state + kTotal; total < state + state_size(); total += size_)
      for_each_vector(tiles_, [&](const auto& tile, auto v) GATSPARSE_LAMBDA {
        tile.write(total, v, tile.template spread<v>(shrink) * tile.read(total, v));
      });
  }

  // `add` of whole rows.
  template <bool positive, class Tile>
  GATSPARSE_INLINE void add_whole(const Tile& tile, int64_t i, int64_t begin, int64_t end,
                                  A* state) const {
    constexpr int vectors = Tile::vectors;
    const int64_t stride = tile.length();
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
      tile.prefetch(x_, stride, next);
      row_score.template prefetch<positive>(next);
      const T* row = x_ + j * stride;
      const auto edge = row_score(j, row, shrink);
      visited = true;
      Heads w = edge.weight;
      sum += w;
      if constexpr (positive) positive_sum += edge.positive ? w : Heads{};
      if (drops) w *= a_.dropout.template scale<A, P>(at, 0);
      unroll<vectors>([&](auto v) GATSPARSE_LAMBDA {
        total[v] += tile.template spread<v, P>(w) * tile.read(row, v);
      });
      if constexpr (positive) {
        const Heads positive_w = edge.positive ? w : Heads{};
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
    add_weighted_rows<P>(x_, stride_, block.id, block.next, n, weight, heads_, a_.C, first, total);
    if (o_.positive_out)
      add_weighted_rows<P>(x_, stride_, block.id, block.id, n, positive, heads_, a_.C, first,
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

// Sums over all rows: those of each chunk, which are then added in pairs.
template <class A>
class ChunkSums {
 public:
  ChunkSums(int64_t num_chunks, int64_t size) : size_(size), sums_(num_chunks * size) {}
  A* at(int64_t chunk) { return sums_.data() + chunk * size_; }
  void write(A* target) {
    const int64_t num_chunks = sums_.size() / size_;
    for (int64_t step = 1; step < num_chunks; step *= 2)
      for (int64_t chunk = 0; chunk + step < num_chunks; chunk += 2 * step)
        for (int64_t k = 0; k < size_; ++k) at(chunk)[k] += at(chunk + step)[k];
    std::fill_n(target, size_, A(0));
    if (num_chunks > 0) std::copy_n(at(0), size_, target);
  }

 private:
  int64_t size_;
  std::vector<A> sums_;
};

// f(chunk, first, last) for chunks of nodes, in parallel, where every node is equal work.
constexpr int64_t kNodes = 512, kShortSum = 32;
inline int64_t num_node_chunks(int64_t num_nodes) { return (num_nodes + kNodes - 1) / kNodes; }
template <class F>
void for_each_node_chunk(int64_t num_nodes, const F& f) {
  parallel_each(num_node_chunks(num_nodes), [&](int64_t chunk) {
    f(chunk, chunk * kNodes, std::min((chunk + 1) * kNodes, num_nodes));
  });
}

// <x[h], y[h]> for the heads of one row, and 0 beyond them.
template <int P, class Tile, class T, class Y>
GATSPARSE_INLINE auto row_products(const Whole<Tile>& tiles, const T* x, const Y* y) {
  using A = acc_t<T>;
  Vec<A> x_v[Tile::vectors], y_v[Tile::vectors];
  unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA {
    x_v[v] = tiles.tile.read(x, v);
    y_v[v] = tiles.tile.read(y, v);
  });
  return tile_products<P, Tile, A>(x_v, y_v);
}
template <int P, class A, class T>
GATSPARSE_INLINE Vec<A, P> row_products(const Cut<A, P>& tiles, const T* x, const T* y) {
  const int64_t id[4] = {};
  alignas(64) A product[4 * P] = {};
  inner_products<P>(x, 0, id, 1, y, tiles.heads, tiles.C, product);
  return load<A, P>(product);
}

// What the backward needs of a destination, Hp numbers each, side by side.
enum Term { kShift, kInverseSum, kD, kNumTerms };

// The first pass of the backward: terms [N_dst, num_terms, Hp] with D = <grad_out, heads_out>,
// and the sums of grad_out over all nodes, [H, C]. more(P, tiles, i, h0, terms) adds what a
// variant has for the heads of a destination.
template <class T, class More>
void destination_terms(const Attention& a, bool whole, const Tensor& grad_out,
                       const Tensor& heads_out, const Tensor& shift, const Tensor& weight_sum,
                       int64_t num_terms, acc_t<T>* terms, acc_t<T>* grad_bias,
                       const More& more) {
  using A = acc_t<T>;
  const int64_t C = a.C, HC = a.H * C;
  for (const Tensor* rows : {&grad_out, &heads_out})
    check_tensor(*rows, "grad_out, heads_out", heads_out.scalar_type(), {a.num_dst, a.H, C});
  for (const Tensor* numbers : {&shift, &weight_sum})
    check_tensor(*numbers, "shift, weight_sum", acc_dtype<T>(), {a.num_dst, a.Hp});
  const T* g = grad_out.const_data_ptr<T>();
  const T* out = heads_out.const_data_ptr<T>();
  const A* reference = shift.const_data_ptr<A>();
  const A* sum = weight_sum.const_data_ptr<A>();
  ChunkSums<A> bias_sums(num_node_chunks(a.num_dst), HC);
  for_each_group<A>(a, whole, [&](auto P, int64_t h0, int64_t heads, const auto& tiles) {
    for_each_node_chunk(a.num_dst, [&](int64_t chunk, int64_t first, int64_t last) {
      A* bias_sum = bias_sums.at(chunk) + h0 * C;
      std::vector<A> short_sum(whole_vectors<A>(heads * C));
      for (int64_t i = first; i < last; ++i) {
        A* target = terms + i * num_terms * a.Hp + h0;
        const int64_t at = i * a.Hp + h0, row = i * HC + h0 * C;
        store(target + kShift * a.Hp, load<A, P>(reference + at));
        store(target + kInverseSum * a.Hp, A(1) / load<A, P>(sum + at));
        store(target + kD * a.Hp, row_products<P>(tiles, g + row, out + row));
        more(P, tiles, i, h0, target);
        for_each_vector(tiles, [&](const auto& tile, auto v) GATSPARSE_LAMBDA {
          A* total = short_sum.data();
          const Vec<A> value = tile.read(total, v) + tile.read(g + row, v);
          if constexpr (std::decay_t<decltype(tiles)>::whole) tile.write_whole(total, v, value);
          else tile.write(total, v, value);
        });
        if (i + 1 < last && (i + 1) % kShortSum > 0) continue;
        for (int64_t k = 0; k < heads * C; ++k) bias_sum[k] += std::exchange(short_sum[k], A(0));
      }
    });
  });
  bias_sums.write(grad_bias);
}

// The softmax of an edge, from its score and the terms of its destination.
template <class A, int P>
GATSPARSE_INLINE Vec<A, P> softmax(const Vec<A, P>& score, const A* terms, int64_t Hp) {
  return exp_lanes<P>(score - load<A, P>(terms + kShift * Hp)) *
         load<A, P>(terms + kInverseSum * Hp);
}

// What an edge, in its slot, adds to the gradients.
template <class A, int P>
struct EdgeGradient {
  Vec<A, P> weight;  // of grad_out in that of x
  Vec<A, P> score;   // the gradient of the score
};
// From its softmax p, <grad_out, x> and D of its destination.
template <class A, int P>
GATSPARSE_INLINE EdgeGradient<A, P> edge_gradient(const Attention& a, int64_t slot, int64_t h0,
                                                  const Vec<A, P>& p, const Vec<A, P>& inner,
                                                  const Vec<A, P>& D) {
  if (!a.dropout.active()) return {p, p * (inner - D)};
  const Vec<A, P> z = a.dropout.template scale<A, P>(slot, h0);
  return {p * z, p * (z * inner - D)};
}

}  // namespace gatsparse::GATSPARSE_ISA
