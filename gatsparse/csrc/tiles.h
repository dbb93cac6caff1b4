// Sums over the rows of a block of edges. A row [heads, C] is cut into tiles that fit the
// registers; each function goes over the block once per tile. The numbers of an edge, one
// per head, lie P apart: heads padded to a power of two.
#pragma once

#include <algorithm>

#include "simd.h"

namespace gatsparse::GATSPARSE_ISA {

// Asks for the first `bytes` of a row some edges before its turn, into the second cache: it takes
// more requests at a time than the first. In integers: the id is not checked yet.
template <int bytes, class T>
GATSPARSE_INLINE void prefetch(const T* table, int64_t stride, int64_t id) {
  const uintptr_t row = reinterpret_cast<uintptr_t>(table) +
                        static_cast<uintptr_t>(id) *
                            static_cast<uintptr_t>(stride * static_cast<int64_t>(sizeof(T)));
#pragma GCC unroll 8
  for (int line = 0; line < bytes; line += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(row + line), 0, 2);
}

// Asks for what comes some rows after this one of a table that is read from row to row: chunks of
// rows are too short for the processor to notice by itself.
template <class T>
GATSPARSE_INLINE void prefetch_stream(const T* row, int64_t length) {
  constexpr uintptr_t kAhead = 8192;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(row) + kAhead;
  for (uintptr_t at = begin; at < begin + static_cast<uintptr_t>(length) * sizeof(T); at += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(at));
}

// `heads` heads of `channels` channels each in `vectors` vectors; with one head, the last
// vector may be filled in part.
template <class A, int heads_, int vectors_, bool partial_>
struct Tile {
  static constexpr int heads = heads_, vectors = vectors_, lanes = kLanes<A>;
  // Vectors of a head, or heads of a vector: one of the two is 1.
  static constexpr int vectors_per_head = std::max(1, vectors / heads);
  static constexpr int heads_per_vector = std::max(1, heads / vectors);
  // The tile's inner products take `parts` vectors, groups of `group` lanes to be summed;
  // `batch` edges fill four, or as many as a sum has lanes.
  static constexpr int group = kLanes<A> / heads_per_vector;
  static constexpr int parts = vectors / vectors_per_head;
  static constexpr int batch = std::max(1, std::min(4, kLanes<A>) / parts);

  int64_t h;       // its first head
  int64_t offset;  // where it begins in the row
  bool first;      // whether it begins its heads
  int tail;        // filled lanes of the last vector

  template <class T>
  GATSPARSE_INLINE Vec<A> read(const T* row, int v) const {
    const T* source = row + offset + v * kLanes<A>;
    if (partial_ && v == vectors - 1 && tail < kLanes<A>) return load_partial<A>(source, tail);
    return load<A>(source);
  }
  template <class T>
  GATSPARSE_INLINE void write(T* row, int v, const Vec<A>& value) const {
    T* target = row + offset + v * kLanes<A>;
    if (partial_ && v == vectors - 1 && tail < kLanes<A>) store_partial<A>(target, value, tail);
    else store(target, value);
  }
  // Writes the unfilled lanes of the last vector, too.
  GATSPARSE_INLINE void write_whole(A* row, int v, const Vec<A>& value) const {
    store(row + offset + v * kLanes<A>, value);
  }
  // Asks for what the tile has of a row, some edges before its turn.
  template <class T>
  GATSPARSE_INLINE void prefetch(const T* table, int64_t stride, int64_t id) const {
    gatsparse::GATSPARSE_ISA::prefetch<vectors * lanes * static_cast<int>(sizeof(T))>(
        table + offset, stride, id);
  }
  // How long a row is that is one tile.
  GATSPARSE_INLINE int64_t length() const {
    return partial_ ? (vectors - 1) * lanes + tail : vectors * lanes;
  }
  // Vector v of a row whose channels all hold the number of their head; of P numbers, if the
  // tile is the whole row.
  template <int v, int P>
  GATSPARSE_INLINE Vec<A> spread(const Vec<A, P>& number) const {
    if constexpr (heads_per_vector == 1) {
      return lane(number, v / vectors_per_head) - Vec<A>{};
    } else {
      const Vec<A> numbers = resize<A, lanes, P>(number);
      return shuffle<A>(numbers, numbers, [](int l) { return (v * lanes + l) / Tile::group; });
    }
  }
  template <int v>
  GATSPARSE_INLINE Vec<A> spread(const A* number) const {
    if constexpr (heads_per_vector == 1) {
      return number[h + v / vectors_per_head] - Vec<A>{};
    } else {
      const Vec<A> numbers = repeat<A, heads>(load<A, heads>(number + h));
      return shuffle<A>(numbers, numbers, [](int l) { return (v * lanes + l) / Tile::group; });
    }
  }
};

// Calls f(tile) and returns true if a row of all heads fits one tile of P heads.
template <class A, int P, class F>
bool in_one_tile(int64_t heads, int64_t C, const F& f) {
  constexpr int W = kLanes<A>;
  if (heads != P) return false;
  bool done = false;
  const auto several_heads = [&](auto vectors, auto channels) {
    constexpr int together = decltype(vectors)::value * W / decltype(channels)::value;
    if constexpr (together == P && P <= W)
      if (!done && C == channels) {
        f(Tile<A, P, decltype(vectors)::value, false>{0, 0, true, W});
        done = true;
      }
  };
  const auto one_head = [&](auto vectors) {
    constexpr int n = decltype(vectors)::value;
    if (!done && C > (n - 1) * W && C <= n * W) {
      f(Tile<A, 1, n, true>{0, 0, true, static_cast<int>((C - 1) % W + 1)});
      done = true;
    }
  };
  if constexpr (P == 1) {
    unroll<4>([&](auto n) { one_head(std::integral_constant<int, n + 1>{}); });
  } else {
    unroll<kVectorBytes == 64 ? 3 : 2>([&](auto k) {
      const std::integral_constant<int, (4 << k)> vectors{};
      several_heads(vectors, std::integral_constant<int, 8>{});
      several_heads(vectors, std::integral_constant<int, 16>{});
      several_heads(vectors, std::integral_constant<int, 32>{});
      several_heads(vectors, std::integral_constant<int, 64>{});
    });
  }
  return done;
}

// Cuts [heads, C], of at most P heads, into tiles of at most four vectors.
template <class A, int P, class F>
GATSPARSE_INLINE void for_each_tile(int64_t heads, int64_t C, const F& f) {
  constexpr int W = kLanes<A>;
  int64_t h = 0;
  const auto several_heads = [&](auto channels) {
    constexpr int together = 4 * W / decltype(channels)::value;
    if constexpr (together > 1 && together <= P)
      if (C == channels)
        for (; h + together <= heads; h += together)
          f(Tile<A, together, 4, false>{h, h * C, true, W});
  };
  several_heads(std::integral_constant<int, 8>{});
  several_heads(std::integral_constant<int, 16>{});
  several_heads(std::integral_constant<int, 32>{});
  for (; h < heads; ++h) {
    int64_t c = 0;
    for (; c + 4 * W <= C; c += 4 * W) f(Tile<A, 1, 4, false>{h, h * C + c, c == 0, W});
    const int rest = static_cast<int>(C - c), tail = (rest - 1) % W + 1;
    if (rest > 3 * W) f(Tile<A, 1, 4, true>{h, h * C + c, c == 0, tail});
    else if (rest > 2 * W) f(Tile<A, 1, 3, true>{h, h * C + c, c == 0, tail});
    else if (rest > W) f(Tile<A, 1, 2, true>{h, h * C + c, c == 0, tail});
    else if (rest > 0) f(Tile<A, 1, 1, true>{h, h * C + c, c == 0, tail});
  }
}

// Rows that fit the registers: all of their heads are one tile.
template <class Tile>
struct Whole {
  static constexpr bool whole = true;
  Tile tile;

  template <class F>
  GATSPARSE_INLINE void each(const F& f) const { f(tile); }
};

// `heads` heads, at most P, of rows of any shape.
template <class A, int P>
struct Cut {
  static constexpr bool whole = false;
  int64_t heads, C;

  template <class F>
  GATSPARSE_INLINE void each(const F& f) const { for_each_tile<A, P>(heads, C, f); }
};

// total[h, c] += sum over b of weight[b, h] * table[id[b], h, c]; total is taken as 0 at first.
// Rows next[b] come soon.
template <int P, class A, class T>
GATSPARSE_INLINE void add_weighted_rows(const T* table, int64_t stride, const int64_t* id,
                                        const int64_t* next, int64_t n, const A* weight,
                                        int64_t heads, int64_t C, bool first, A* total) {
  for_each_tile<A, P>(heads, C, [&](auto tile) {
    using Tile = decltype(tile);
    Vec<A> sum[Tile::vectors];
    unroll<Tile::vectors>([&](auto v) { sum[v] = first ? Vec<A>{} : tile.read(total, v); });
    for (int64_t b = 0; b < n; ++b) {
      tile.prefetch(table, stride, next[b]);
      const T* row = table + id[b] * stride;
      unroll<Tile::vectors>([&](auto v) {
        sum[v] += tile.template spread<v>(weight + b * P) * tile.read(row, v);
      });
    }
    unroll<Tile::vectors>([&](auto v) { tile.write(total, v, sum[v]); });
  });
}

// f(tile, v) for every vector of every tile.
template <class Tiles, class F>
GATSPARSE_INLINE void for_each_vector(const Tiles& tiles, const F& f) {
  tiles.each([&](const auto& tile) GATSPARSE_LAMBDA {
    unroll<std::decay_t<decltype(tile)>::vectors>([&](auto v) GATSPARSE_LAMBDA { f(tile, v); });
  });
}

// <x[h], y[h]> of a row that is one tile, of P heads.
template <int P, class Tile, class A>
GATSPARSE_INLINE Vec<A, P> tile_products(const Vec<A>* x, const Vec<A>* y) {
  Vec<A> part[Tile::parts];
  unroll<Tile::parts>([&](auto q) GATSPARSE_LAMBDA {
    constexpr int v = q * Tile::vectors_per_head;
    part[q] = x[v] * y[v];
    unroll<Tile::vectors_per_head - 1>(
        [&](auto w) GATSPARSE_LAMBDA { part[q] += x[v + 1 + w] * y[v + 1 + w]; });
  });
  return resize<A, P, kLanes<A>>(sum_groups<A, Tile::parts, Tile::group>(part));
}

// product[b, h] = sum over c of term(row b, h, c), where `prepare(tile)` gives the function
// (b, row, v) -> terms of vector v; 0 for heads beyond the last. The ids are padded to a
// multiple of four, and there is room for as many products.
template <int P, class A, class T, class Prepare>
GATSPARSE_INLINE void sum_channels(const T* table, int64_t stride, const int64_t* id, int64_t n,
                                   int64_t heads, int64_t C, A* product, const Prepare& prepare) {
  if (heads < P) std::fill_n(product, n * P, A(0));
  for_each_tile<A, P>(heads, C, [&](auto tile) {
    using Tile = decltype(tile);
    const auto term = prepare(tile);
    for (int64_t b = 0; b < n; b += Tile::batch) {
      Vec<A> part[Tile::batch * Tile::parts];
      unroll<Tile::batch>([&](auto k) {
        const T* row = table + id[b + k] * stride;
        unroll<Tile::parts>([&](auto q) {
          constexpr int v = q * Tile::vectors_per_head;
          Vec<A>& sum = part[k * Tile::parts + q];
          sum = term(b + k, row, std::integral_constant<int, v>{});
          unroll<Tile::vectors_per_head - 1>(
              [&](auto w) { sum += term(b + k, row, std::integral_constant<int, v + 1 + w>{}); });
        });
      });
      const Vec<A> sums = sum_groups<A, Tile::batch * Tile::parts, Tile::group>(part);
      unroll<Tile::batch>([&](auto k) {
        using Sums = Vec<A, Tile::heads>;
        Sums sum;
        std::memcpy(&sum, reinterpret_cast<const A*>(&sums) + k * Tile::heads, sizeof(sum));
        A* target = product + (b + k) * P + tile.h;
        store(target, tile.first ? sum : sum + load<A, Tile::heads>(target));
      });
    }
  });
}

// product[b, h] = <table[id[b], h], x[h]>.
template <int P, class A, class T, class X>
GATSPARSE_INLINE void inner_products(const T* table, int64_t stride, const int64_t* id, int64_t n,
                                     const X* x, int64_t heads, int64_t C, A* product) {
  sum_channels<P>(table, stride, id, n, heads, C, product, [&](auto tile) {
    struct {
      decltype(tile) t;
      Vec<A> x[decltype(tile)::vectors];
      GATSPARSE_INLINE Vec<A> operator()(int64_t, const T* row, int v) const {
        return x[v] * t.read(row, v);
      }
    } term{tile, {}};
    unroll<decltype(tile)::vectors>([&](auto v) { term.x[v] = tile.read(x, v); });
    return term;
  });
}

// What the score of GATv2 is made of: sum over c of att[h, c] * LeakyReLU(z[b, h, c]), where
// z[b] = table[id[b]] + x, plus edge[b] where there are edge features.
template <class A, class T>
struct LeakyScore {
  const T* table;
  int64_t stride;
  const T* x;
  const T* const* edge;  // null: no edge features
  const A* att;
  A slope;
  int64_t heads, C;

  // score[b, h] for the n edges of a block.
  template <int P>
  GATSPARSE_INLINE void scores(const int64_t* id, int64_t n, A* score) const {
    if (edge) scores<P, true>(id, n, score);
    else scores<P, false>(id, n, score);
  }

  // Given the gradients of the scores, number[b, h]:
  //   positive[h, c] += sum over b of number[b, h] where z[b, h, c] > 0,
  // and, where by_destination, leaky[h, c] += sum over b of number[b, h] * LeakyReLU(z[b, h, c])
  // and grad_edge[b][h, c] = number[b, h] times the derivative of the score by z. The sums are
  // taken as 0 at first. Rows next[b] of the table come soon.
  template <int P, bool by_destination>
  GATSPARSE_INLINE void add_gradients(const int64_t* id, const int64_t* next, int64_t n,
                                      const A* number, bool first, A* positive, A* leaky,
                                      T* const* grad_edge) const {
    if (edge) add<P, by_destination, true>(id, next, n, number, first, positive, leaky, grad_edge);
    else add<P, by_destination, false>(id, next, n, number, first, positive, leaky, grad_edge);
  }

 private:
  template <int P, bool edges>
  GATSPARSE_INLINE void scores(const int64_t* id, int64_t n, A* score) const {
    sum_channels<P>(table, stride, id, n, heads, C, score, [&](auto tile) {
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
      unroll<decltype(tile)::vectors>([&](auto v) {
        term.x[v] = tile.read(x, v);
        term.above[v] = tile.read(att, v);
        term.below[v] = slope * term.above[v];
      });
      return term;
    });
  }

  template <int P, bool by_destination, bool edges>
  GATSPARSE_INLINE void add(const int64_t* id, const int64_t* next, int64_t n, const A* number,
                            bool first, A* positive, A* leaky, T* const* grad_edge) const {
    for_each_tile<A, P>(heads, C, [&](auto tile) {
      using Tile = decltype(tile);
      Vec<A> sum[Tile::vectors], leaky_sum[Tile::vectors];
      unroll<Tile::vectors>([&](auto v) {
        sum[v] = first ? Vec<A>{} : tile.read(positive, v);
        leaky_sum[v] = first || !by_destination ? Vec<A>{} : tile.read(leaky, v);
      });
      for (int64_t b = 0; b < n; ++b) {
        tile.prefetch(table, stride, next[b]);
        const T* row = table + id[b] * stride;
        unroll<Tile::vectors>([&](auto v) {
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
      unroll<Tile::vectors>([&](auto v) {
        tile.write(positive, v, sum[v]);
        if constexpr (by_destination) tile.write(leaky, v, leaky_sum[v]);
      });
    });
  }
};

}  // namespace gatsparse::GATSPARSE_ISA
