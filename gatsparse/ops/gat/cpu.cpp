// The GAT operator on CPU. The formulas stand in fused.py; the names are the same.
#include <cmath>
#include <limits>
#include <optional>

#include "csr.h"
#include "philox.h"
#include "simd.h"

namespace gatsparse::GATSPARSE_ISA {
namespace {

// Edges are visited in blocks: first the scores of a block, then its exponentials, all
// heads and edges at once, then the sums over its rows of x, which stay in the cache.
constexpr int64_t kBlock = 32;

// The arguments that the forward and the backward pass share, checked.
template <class T, class index_t>
struct Gat {
  using A = acc_t<T>;

  Csr<index_t> csr;
  int64_t num_src, num_dst, H, C, num_loops;
  const T* x;
  const A* alpha_src;
  const A* alpha_dst;
  A slope;
  EdgeDropout dropout;

  Gat(const Tensor& x_, const Tensor& alpha_src_, const Tensor& alpha_dst_, const Tensors& csr_,
      bool add_self_loops, double negative_slope, double p, const std::optional<Tensor>& seed)
      : csr(csr_), slope(static_cast<A>(negative_slope)), dropout(p, seed_of(p, seed)) {
    STD_TORCH_CHECK(x_.dim() == 3, "x: expected [N, H, C], got ", x_.dim(), " dimensions");
    num_src = x_.size(0);
    num_dst = csr.num_rows;
    H = x_.size(1);
    C = x_.size(2);
    STD_TORCH_CHECK(H > 0 && C > 0, "x: expected H, C >= 1, got ", H, ", ", C);
    num_loops = add_self_loops ? std::min(num_src, num_dst) : 0;
    check_tensor(x_, "x", x_.scalar_type(), {num_src, H, C});
    check_tensor(alpha_src_, "alpha_src", acc_dtype<T>(), {num_src, H});
    check_tensor(alpha_dst_, "alpha_dst", acc_dtype<T>(), {num_dst, H});
    x = x_.const_data_ptr<T>();
    alpha_src = alpha_src_.const_data_ptr<A>();
    alpha_dst = alpha_dst_.const_data_ptr<A>();
  }

  static uint64_t seed_of(double p, const std::optional<Tensor>& seed) {
    STD_TORCH_CHECK(p >= 0.0 && p <= 1.0, "dropout: expected 0 <= dropout <= 1, got ", p);
    if (p == 0.0) return 0;
    STD_TORCH_CHECK(seed.has_value(), "seed: needed when dropout > 0");
    check_tensor(*seed, "seed", ScalarType::Long, {});
    return static_cast<uint64_t>(*seed->const_data_ptr<int64_t>());
  }

  // Dropout belongs to the edge as the caller numbered it; loop i follows the edges.
  int64_t loop_id(int64_t i) const { return csr.num_entries + i; }
};

template <class A>
GATSPARSE_INLINE A leaky_relu(A score, A slope) {
  return score > A(0) ? score : slope * score;
}

// Calls f(n) for n = H at compile time where H is common, so that loops over heads unroll.
template <class F>
void with_heads(int64_t H, const F& f) {
  if (H == 8) f(std::integral_constant<int64_t, 8>{});
  else if (H == 4) f(std::integral_constant<int64_t, 4>{});
  else if (H == 1) f(std::integral_constant<int64_t, 1>{});
  else f(H);
}

// A tile of x: `heads` heads of `channels` channels each, whose sums fit the registers.
template <int heads_, int channels_>
struct Tile {
  static constexpr int heads = heads_;
  static constexpr int channels = channels_;
  int64_t h, c;  // where it begins
};

// Cuts [H, C] into tiles.
template <class F>
GATSPARSE_INLINE void for_each_tile(int64_t H, int64_t C, const F& f) {
  int64_t h = 0;
  if (C == 8) for (; h + 8 <= H; h += 8) f(Tile<8, 8>{h, 0});
  if (C == 16) for (; h + 4 <= H; h += 4) f(Tile<4, 16>{h, 0});
  if (C == 32) for (; h + 2 <= H; h += 2) f(Tile<2, 32>{h, 0});
  for (; h < H; ++h) {
    int64_t c = 0;
    for (; c + 64 <= C; c += 64) f(Tile<1, 64>{h, c});
    if ((C - c) & 32) f(Tile<1, 32>{h, c}), c += 32;
    if ((C - c) & 16) f(Tile<1, 16>{h, c}), c += 16;
    if ((C - c) & 8) f(Tile<1, 8>{h, c}), c += 8;
    if ((C - c) & 4) f(Tile<1, 4>{h, c}), c += 4;
    if ((C - c) & 2) f(Tile<1, 2>{h, c}), c += 2;
    if ((C - c) & 1) f(Tile<1, 1>{h, c});
  }
}

// total[h, c] += sum over b of weight[b, h] * table[id[b], h, c], for all h and c.
template <class A, class T>
GATSPARSE_INLINE void add_weighted_rows(const T* table, const int64_t* id, int64_t n,
                                        const A* weight, int64_t H, int64_t C, A* total) {
  for_each_tile(H, C, [&](auto tile) {
    constexpr int lanes = std::min<int>(tile.channels, 64 / sizeof(A));
    constexpr int vectors = tile.channels / lanes;
    const int64_t offset = tile.h * C + tile.c;
    Vec<A, lanes> acc[tile.heads * vectors];
    for (int v = 0; v < tile.heads * vectors; ++v)
      acc[v] = load<A, lanes>(total + offset + v * lanes);
    for (int64_t b = 0; b < n; ++b) {
      const T* row = table + id[b] * H * C + offset;
      const A* w = weight + b * H + tile.h;
#pragma GCC unroll 8
      for (int v = 0; v < tile.heads * vectors; ++v)
        acc[v] += w[v / vectors] * load<A, lanes>(row + v * lanes);
    }
    for (int v = 0; v < tile.heads * vectors; ++v)
      std::memcpy(total + offset + v * lanes, &acc[v], sizeof(acc[v]));
  });
}

// product[b, h] = <table[id[b], h], x[h]>, for all h.
template <class A, class T>
GATSPARSE_INLINE void inner_products(const T* table, const int64_t* id, int64_t n, const T* x,
                                     int64_t H, int64_t C, A* product) {
  for_each_tile(H, C, [&](auto tile) {
    constexpr int lanes = std::min<int>(tile.channels, 64 / sizeof(A));
    constexpr int vectors = tile.channels / lanes;
    const int64_t offset = tile.h * C + tile.c;
    Vec<A, lanes> x_tile[tile.heads * vectors];
    for (int v = 0; v < tile.heads * vectors; ++v)
      x_tile[v] = load<A, lanes>(x + offset + v * lanes);
    for (int64_t b = 0; b < n; ++b) {
      const T* row = table + id[b] * H * C + offset;
#pragma GCC unroll 8
      for (int h = 0; h < tile.heads; ++h) {
        Vec<A, lanes> dot = x_tile[h * vectors] * load<A, lanes>(row + h * vectors * lanes);
        for (int v = h * vectors + 1; v < (h + 1) * vectors; ++v)
          dot += x_tile[v] * load<A, lanes>(row + v * lanes);
        A& target = product[b * H + tile.h + h];
        target = (tile.c == 0 ? A(0) : target) + sum<A, lanes>(dot);
      }
    }
  });
}

// Asks for a row of a table some edges before its turn.
constexpr int64_t kAhead = 8;
template <class T>
GATSPARSE_INLINE void prefetch_row(const T* row, int64_t length) {
  const char* bytes = reinterpret_cast<const char*>(row);
  for (int64_t line = 0; line < length * static_cast<int64_t>(sizeof(T)); line += 64)
    __builtin_prefetch(bytes + line);
}

// The edges of a block: the node at the other end, the place in a per-edge array, and
// the number by which dropout knows the edge.
struct Block {
  int64_t size = 0;
  int64_t id[kBlock], slot[kBlock], edge[kBlock];
  void add(int64_t id_, int64_t slot_, int64_t edge_) {
    id[size] = id_;
    slot[size] = slot_;
    edge[size++] = edge_;
  }
};

template <class T, class index_t>
std::tuple<Tensor, Tensor, Tensor> forward(const Gat<T, index_t>& g, ScalarType dtype) {
  using A = acc_t<T>;
  const int64_t C = g.C, HC = g.H * C, num_edges = g.csr.num_entries;
  Tensor out_ = empty({g.num_dst, g.H, C}, dtype);
  Tensor score_max_ = empty({g.num_dst, g.H}, acc_dtype<T>());
  Tensor weight_sum_ = empty({g.num_dst, g.H}, acc_dtype<T>());
  T* out = out_.mutable_data_ptr<T>();
  A* score_max = score_max_.mutable_data_ptr<A>();
  A* weight_sum = weight_sum_.mutable_data_ptr<A>();
  BoundsFlag flag;

  const auto rows = [&](auto heads, int64_t first, int64_t last) {
    // Locals, which no store can change: else the loops over heads do not vectorise.
    const int64_t H = heads;
    const A slope = g.slope;
    std::vector<A> buffer(kBlock * H + 3 * H + HC);
    A* const weight = buffer.data();
    A* const block_max = weight + kBlock * H;
    A* const shift = block_max + H;
    A* const scale = shift + H;
    A* const total = scale + H;
    for (int64_t i = first; i < last; ++i) {
      const A* alpha_i = g.alpha_dst + i * H;
      A* max = score_max + i * H;
      A* sum = weight_sum + i * H;
      std::fill(max, max + H, -std::numeric_limits<A>::infinity());
      std::fill(sum, sum + H, A(0));
      std::fill(total, total + HC, A(0));

      bool isolated = true;

      const auto visit = [&](const Block& block) {
        const int64_t n = block.size;
        isolated &= n == 0;
        std::copy(max, max + H, block_max);
        for (int64_t b = 0; b < n; ++b) {
          const A* alpha_j = g.alpha_src + block.id[b] * H;
#pragma omp simd
          for (int64_t h = 0; h < H; ++h) {
            const A score = leaky_relu(alpha_j[h] + alpha_i[h], slope);
            weight[b * H + h] = score;
            block_max[h] = block_max[h] < score ? score : block_max[h];
          }
        }
        for (int64_t h = 0; h < H; ++h) {
          if (!(block_max[h] > max[h])) continue;
          const A shrink = exp_nonpositive(max[h] - block_max[h]);
          max[h] = block_max[h];
          sum[h] *= shrink;
          for (int64_t c = 0; c < C; ++c) total[h * C + c] *= shrink;
        }
        // Scores of -inf so far have weight 0, whatever is to come.
        for (int64_t h = 0; h < H; ++h)
          shift[h] = max[h] == -std::numeric_limits<A>::infinity() ? A(0) : max[h];
        for (int64_t b = 0; b < n; ++b) {
#pragma omp simd
          for (int64_t h = 0; h < H; ++h)
            weight[b * H + h] = exp_nonpositive(weight[b * H + h] - shift[h]);
        }
        for (int64_t b = 0; b < n; ++b)
          for (int64_t h = 0; h < H; ++h) sum[h] += weight[b * H + h];
        if (g.dropout.active()) {
          for (int64_t b = 0; b < n; ++b) {
            g.dropout(block.edge[b], H, scale);
            for (int64_t h = 0; h < H; ++h) weight[b * H + h] *= scale[h];
          }
        }
        add_weighted_rows(g.x, block.id, n, weight, H, C, total);
      };

      Block block;
      for (int64_t e = g.csr.ptr[i]; e < g.csr.ptr[i + 1]; ++e) {
        if (e + 2 * kAhead < num_edges)
          prefetch_row(g.alpha_src + H * g.csr.index[e + 2 * kAhead], H);
        if (e + kAhead < num_edges) prefetch_row(g.x + HC * g.csr.index[e + kAhead], HC);
        const int64_t j = g.csr.index[e];
        if (!flag.in_bounds(j, g.num_src) || (g.num_loops > 0 && j == i)) continue;
        if (block.size == kBlock) visit(block), block.size = 0;
        block.add(j, e, g.csr.perm[e]);
      }
      if (block.size == kBlock) visit(block), block.size = 0;
      if (i < g.num_loops) block.add(i, num_edges + i, g.loop_id(i));
      visit(block);

      for (int64_t h = 0; h < H; ++h) {
        const A norm = isolated ? A(0) : A(1) / sum[h];
        for (int64_t c = 0; c < C; ++c)
          out[i * HC + h * C + c] = static_cast<T>(total[h * C + c] * norm);
      }
    }
  };
  parallel_rows(g.num_dst, g.csr.ptr, [&](int64_t first, int64_t last) {
    with_heads(g.H, [&](auto H) { rows(H, first, last); });
  });
  flag.check("col: index out of range");
  return {out_, score_max_, weight_sum_};
}

template <class T, class index_t>
std::tuple<Tensor, Tensor, Tensor> backward(const Gat<T, index_t>& g,
                                            const Csr<index_t>& csr_t, const Tensor& grad_out_,
                                            const Tensor& out_, const Tensor& score_max_,
                                            const Tensor& weight_sum_) {
  using A = acc_t<T>;
  const int64_t C = g.C, HC = g.H * C, num_edges = g.csr.num_entries;
  const ScalarType dtype = out_.scalar_type();
  check_tensor(grad_out_, "grad_out", dtype, {g.num_dst, g.H, C});
  check_tensor(out_, "out", dtype, {g.num_dst, g.H, C});
  check_tensor(score_max_, "score_max", acc_dtype<T>(), {g.num_dst, g.H});
  check_tensor(weight_sum_, "weight_sum", acc_dtype<T>(), {g.num_dst, g.H});
  STD_TORCH_CHECK(csr_t.num_rows == g.num_src && csr_t.num_entries == num_edges,
                  "csr_t: not the transpose of csr");
  const T* grad_out = grad_out_.const_data_ptr<T>();
  const T* out = out_.const_data_ptr<T>();
  const A* score_max = score_max_.const_data_ptr<A>();
  const A* weight_sum = weight_sum_.const_data_ptr<A>();

  Tensor grad_x_ = empty({g.num_src, g.H, C}, dtype);
  Tensor grad_alpha_src_ = empty({g.num_src, g.H}, acc_dtype<T>());
  Tensor grad_alpha_dst_ = empty({g.num_dst, g.H}, acc_dtype<T>());
  // Per edge in the order of csr, then per loop; written by source, read by destination.
  Tensor grad_score_ = empty({num_edges + g.num_loops, g.H}, acc_dtype<T>());
  // What an edge needs of its destination, side by side: alpha_dst, score_max,
  // 1 / weight_sum and D, H numbers each.
  Tensor dst_terms_ = empty({g.num_dst, 4, g.H}, acc_dtype<T>());
  T* grad_x = grad_x_.mutable_data_ptr<T>();
  A* grad_alpha_src = grad_alpha_src_.mutable_data_ptr<A>();
  A* grad_alpha_dst = grad_alpha_dst_.mutable_data_ptr<A>();
  A* grad_score = grad_score_.mutable_data_ptr<A>();
  A* dst_terms = dst_terms_.mutable_data_ptr<A>();
  BoundsFlag flag;

  torch::stable::parallel_for(0, g.num_dst, kGrain, [&](int64_t begin, int64_t end) {
    const int64_t H = g.H;
    for (int64_t i = begin; i < end; ++i) {
      A* terms = dst_terms + i * 4 * H;
      std::copy_n(g.alpha_dst + i * H, H, terms);
      std::copy_n(score_max + i * H, H, terms + H);
      for (int64_t h = 0; h < H; ++h) terms[2 * H + h] = A(1) / weight_sum[i * H + h];
      inner_products(grad_out, &i, 1, out + i * HC, H, C, terms + 3 * H);
    }
  });

  const auto rows = [&](auto heads, int64_t first, int64_t last) {
    const int64_t H = heads;
    const A slope = g.slope;
    std::vector<A> buffer(2 * kBlock * H + 2 * H + HC);
    A* const weight = buffer.data();
    A* const product = weight + kBlock * H;
    A* const scale = product + kBlock * H;
    A* const grad_alpha_j = scale + H;
    A* const grad_x_j = grad_alpha_j + H;
    std::fill(scale, scale + H, A(1));
    for (int64_t j = first; j < last; ++j) {
      const A* alpha_j = g.alpha_src + j * H;
      std::fill(grad_x_j, grad_x_j + HC, A(0));
      std::fill(grad_alpha_j, grad_alpha_j + H, A(0));

      const auto visit = [&](const Block& block) {
        const int64_t n = block.size;
        inner_products(grad_out, block.id, n, g.x + j * HC, H, C, product);
        for (int64_t b = 0; b < n; ++b) {
          if (g.dropout.active()) g.dropout(block.edge[b], H, scale);
          const A* terms = dst_terms + block.id[b] * 4 * H;
          A* grad_edge = grad_score + block.slot[b] * H;
#pragma omp simd
          for (int64_t h = 0; h < H; ++h) {
            const A score = alpha_j[h] + terms[h];
            const A p = exp_nonpositive(leaky_relu(score, slope) - terms[H + h]) * terms[2 * H + h];
            const A grad = p * (scale[h] * product[b * H + h] - terms[3 * H + h]) *
                           (score > A(0) ? A(1) : slope);
            weight[b * H + h] = p * scale[h];
            grad_edge[h] = grad;
            grad_alpha_j[h] += grad;
          }
        }
        add_weighted_rows(grad_out, block.id, n, weight, H, C, grad_x_j);
      };

      Block block;
      for (int64_t t = csr_t.ptr[j]; t < csr_t.ptr[j + 1]; ++t) {
        if (t + kAhead < num_edges) {
          prefetch_row(dst_terms + 4 * H * csr_t.index[t + kAhead], 4 * H);
          prefetch_row(grad_out + HC * csr_t.index[t + kAhead], HC);
        }
        const int64_t i = csr_t.index[t], e = csr_t.perm[t];
        if (!flag.in_bounds(i, g.num_dst) || !flag.in_bounds(e, num_edges)) continue;
        if (g.num_loops > 0 && i == j) continue;
        if (block.size == kBlock) visit(block), block.size = 0;
        block.add(i, e, g.csr.perm[e]);
      }
      if (block.size == kBlock) visit(block), block.size = 0;
      if (j < g.num_loops) block.add(j, num_edges + j, g.loop_id(j));
      visit(block);

      for (int64_t k = 0; k < HC; ++k) grad_x[j * HC + k] = static_cast<T>(grad_x_j[k]);
      std::copy(grad_alpha_j, grad_alpha_j + H, grad_alpha_src + j * H);
    }
  };
  parallel_rows(g.num_src, csr_t.ptr, [&](int64_t first, int64_t last) {
    with_heads(g.H, [&](auto H) { rows(H, first, last); });
  });

  parallel_rows(g.num_dst, g.csr.ptr, [&](int64_t first, int64_t last) {
    const int64_t H = g.H;
    for (int64_t i = first; i < last; ++i) {
      A* total = grad_alpha_dst + i * H;
      std::fill(total, total + H, A(0));
      const auto add = [&](int64_t slot) {
        for (int64_t h = 0; h < H; ++h) total[h] += grad_score[slot * H + h];
      };
      for (int64_t e = g.csr.ptr[i]; e < g.csr.ptr[i + 1]; ++e)
        if (g.num_loops == 0 || g.csr.index[e] != i) add(e);
      if (i < g.num_loops) add(num_edges + i);
    }
  });
  flag.check("csr_t: index out of range");
  return {grad_x_, grad_alpha_src_, grad_alpha_dst_};
}

std::tuple<Tensor, Tensor, Tensor> gat(const Tensor& x, const Tensor& alpha_src,
                                       const Tensor& alpha_dst, Tensors csr, Tensors /*csr_t*/,
                                       bool add_self_loops, double negative_slope,
                                       double dropout, std::optional<Tensor> seed) {
  STD_TORCH_CHECK(csr.size() == 3, "csr: expected [rowptr, col, perm]");
  return dispatch(x, csr[1], [&](auto storage, auto index) {
    using T = typename decltype(storage)::type;
    const Gat<T, typename decltype(index)::type> g(x, alpha_src, alpha_dst, csr, add_self_loops,
                                                   negative_slope, dropout, seed);
    return forward(g, x.scalar_type());
  });
}

std::tuple<Tensor, Tensor, Tensor> gat_backward(
    const Tensor& grad_out, const Tensor& x, const Tensor& alpha_src, const Tensor& alpha_dst,
    const Tensor& out, const Tensor& score_max, const Tensor& weight_sum, Tensors csr,
    Tensors csr_t, bool add_self_loops, double negative_slope, double dropout,
    std::optional<Tensor> seed) {
  STD_TORCH_CHECK(csr.size() == 3, "csr: expected [rowptr, col, perm]");
  return dispatch(x, csr[1], [&](auto storage, auto index) {
    using T = typename decltype(storage)::type;
    using index_t = typename decltype(index)::type;
    const Gat<T, index_t> g(x, alpha_src, alpha_dst, csr, add_self_loops, negative_slope, dropout,
                            seed);
    return backward(g, Csr<index_t>(csr_t), grad_out, out, score_max, weight_sum);
  });
}

}  // namespace

void register_gat(StableLibrary& library) {
  library.impl("gat", TORCH_BOX(&gat));
  library.impl("gat_backward", TORCH_BOX(&gat_backward));
}

}  // namespace gatsparse::GATSPARSE_ISA
