// Arguments that all passes of all variants of graph attention share, and the grouping of heads.
//
// Rows of x that fit the registers (Whole) are visited edge by edge, and all values of an edge
// stay in registers. Other rows (Cut), rows with edge features and rows that a variant excludes
// are visited in blocks of edges: first the scores of a block are computed, then its exponentials
// for all heads at once, then the sums over its rows, which stay in the cache.
#pragma once

#include <limits>

#include "edge_dropout.h"
#include "edges.h"
#include "tiles.h"

namespace gatsparse::GATSPARSE_ISA {

// Numbers per node and head are stored with the heads padded to this many.
inline int64_t padded_heads(int64_t H) {
  return H == 1 ? 1 : H <= 4 ? 4 : H <= 8 ? 8 : (H + 15) / 16 * 16;
}

struct Attention {
  Csr csr;
  int64_t num_src, num_dst, H, C, Hp, num_loops;
  EdgeDropout dropout;

  Attention(const Tensor& x, const Tensors& csr_, bool add_self_loops, double p,
            const std::optional<Tensor>& seed);
};

// The most heads of a group. More heads mean fewer passes over the edges, for more code.
template <class A>
constexpr int64_t kMostHeads = kWholeRows<A> ? 16 : 4;

// Calls f(P, h0, heads, tiles) for the groups of heads [h0, h0 + heads), at most P, that are
// computed at a time.
template <class A, class F>
void for_each_group(const Attention& a, const F& f) {
  const auto groups_of = [&](auto P) {
    for (int64_t h0 = 0; h0 < a.H; h0 += P) {
      const int64_t heads = std::min<int64_t>(P, a.H - h0);
      f(P, h0, heads, Cut<A>{heads, a.C});
    }
  };
  if (a.H == 1) return groups_of(std::integral_constant<int, 1>{});
  if constexpr (kMostHeads<A> > 4) {
    if (a.H > 8) return groups_of(std::integral_constant<int, 16>{});
    if (a.H > 4) return groups_of(std::integral_constant<int, 8>{});
  }
  groups_of(std::integral_constant<int, 4>{});
}

// The same, but if `whole` is true, rows that fit the registers are one whole group.
template <class A, class F>
void for_each_group(const Attention& a, bool whole, const F& f) {
  const auto whole_row = [&](auto P, const auto& tile) {
    f(P, int64_t{0}, a.H, Whole<std::decay_t<decltype(tile)>>{tile});
  };
  if (!whole || !with_whole_row<A>(a.H, a.C, whole_row)) for_each_group<A>(a, f);
}

// Calls f(chunk, first, last) for chunks of nodes, in parallel; every node is the same work.
constexpr int64_t kNodes = 512;
inline int64_t num_node_chunks(int64_t num_nodes) { return (num_nodes + kNodes - 1) / kNodes; }
inline void for_each_node_chunk(int64_t num_nodes,
                                FunctionRef<void(int64_t, int64_t, int64_t)> f) {
  parallel_each(num_node_chunks(num_nodes), [&](int64_t chunk) {
    f(chunk, chunk * kNodes, std::min((chunk + 1) * kNodes, num_nodes));
  });
}

// Inner products of rows: product[n * distance + h] = <x[n, h], y[n, h]> for every head, and 0 up
// to the padded number of heads. The rows of y are `stride` apart: 0 for a single row.
template <class A>
struct RowProducts {
  const A* y;
  int64_t stride;
  A* product;
  int64_t distance;
};

// Computes `one` and `other` for the rows first .. last-1 of x, each of which is read once. If y
// of `other` is null, it is left out.
template <class T>
void row_products(const Attention& a, const T* x, const RowProducts<acc_t<T>>& one,
                  const RowProducts<acc_t<T>>& other, int64_t first, int64_t last);

}  // namespace gatsparse::GATSPARSE_ISA
