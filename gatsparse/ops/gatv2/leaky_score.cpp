#include "leaky_score.h"

#include "csr.h"
#include "tiles.h"

namespace gatsparse::GATSPARSE_ISA {

template <class A, class T>
template <bool edges>
void LeakyScore<A, T>::compute(const int64_t* id, int64_t n, int64_t P, A* score) const {
  sum_channels(table, stride, id, n, P, heads, C, score, [&](auto tile) GATSPARSE_LAMBDA {
    struct {
      decltype(tile) t;
      const T* const* edge;
      Vec<A> x[decltype(tile)::vectors], above[decltype(tile)::vectors],
          below[decltype(tile)::vectors];
      GATSPARSE_INLINE Vec<A> operator()(int64_t b, const T* row, int v) const {
        Vec<A> z = x[v] + t.read(row, v);
        if constexpr (edges) z += t.read(edge[b], v);
        return (z > A(0) ? above[v] : below[v]) * z;
      }
    } term{tile, edge, {}, {}, {}};
    unroll<decltype(tile)::vectors>([&](auto v) GATSPARSE_LAMBDA {
      term.x[v] = tile.read(x, v);
      term.above[v] = tile.read(att, v);
      term.below[v] = slope * term.above[v];
    });
    return term;
  });
}

template <class A, class T>
template <bool by_destination, bool edges>
void LeakyScore<A, T>::add(const int64_t* id, const int64_t* next, int64_t n, const A* number,
                           int64_t P, bool first, A* positive, A* leaky,
                           T* const* grad_edge) const {
  for_each_tile<A>(heads, C, [&](auto tile) GATSPARSE_LAMBDA {
    using Tile = decltype(tile);
    Vec<A> sum[Tile::vectors], leaky_sum[Tile::vectors];
    unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA {
      sum[v] = first ? Vec<A>{} : tile.read(positive, v);
      leaky_sum[v] = first || !by_destination ? Vec<A>{} : tile.read(leaky, v);
    });
    for (int64_t b = 0; b < n; ++b) {
      tile.prefetch(table, stride, next[b]);
      const T* row = table + id[b] * stride;
      unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA {
        Vec<A> z = tile.read(x, v) + tile.read(row, v);
        if constexpr (edges) z += tile.read(edge[b], v);
        const Vec<A> weight = tile.template spread<v>(number + b * P);
        sum[v] += z > A(0) ? weight : Vec<A>{};
        if constexpr (by_destination) leaky_sum[v] += weight * leaky_relu(z, slope);
        if constexpr (by_destination && edges) {
          const Vec<A> above = tile.read(att, v);
          tile.write(grad_edge[b], v, weight * (z > A(0) ? above : slope * above));
        }
      });
    }
    unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA {
      tile.write(positive, v, sum[v]);
      if constexpr (by_destination) tile.write(leaky, v, leaky_sum[v]);
    });
  });
}

#define GATSPARSE_INSTANTIATE(A, T)                                                             \
  template void LeakyScore<A, T>::compute<true>(const int64_t*, int64_t, int64_t, A*) const;    \
  template void LeakyScore<A, T>::compute<false>(const int64_t*, int64_t, int64_t, A*) const;   \
  template void LeakyScore<A, T>::add<true, true>(const int64_t*, const int64_t*, int64_t,      \
                                                  const A*, int64_t, bool, A*, A*, T* const*)   \
      const;                                                                                    \
  template void LeakyScore<A, T>::add<true, false>(const int64_t*, const int64_t*, int64_t,     \
                                                   const A*, int64_t, bool, A*, A*, T* const*)  \
      const;                                                                                    \
  template void LeakyScore<A, T>::add<false, true>(const int64_t*, const int64_t*, int64_t,     \
                                                   const A*, int64_t, bool, A*, A*, T* const*)  \
      const;                                                                                    \
  template void LeakyScore<A, T>::add<false, false>(const int64_t*, const int64_t*, int64_t,    \
                                                    const A*, int64_t, bool, A*, A*, T* const*) \
      const
GATSPARSE_INSTANTIATE(float, float);
GATSPARSE_INSTANTIATE(double, double);
GATSPARSE_INSTANTIATE(float, BFloat16);

}  // namespace gatsparse::GATSPARSE_ISA
