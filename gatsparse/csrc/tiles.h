// Sums over the rows of a block of edges. A row [heads, C] is split into tiles that fit the
// registers; each function passes over the block once per tile. The numbers of an edge, one
// per head, are P apart: heads padded to a power of two.
#pragma once

#include <algorithm>

#include "simd.h"

namespace gatsparse::GATSPARSE_ISA {

// Prefetches the first `bytes` of a row some edges ahead into the second-level cache, which
// handles more requests at a time than the first. Uses integers, because the id is not checked yet.
template <int bytes, class T>
GATSPARSE_INLINE void prefetch(const T* table, int64_t stride, int64_t id) {
  const uintptr_t row = reinterpret_cast<uintptr_t>(table) +
                        static_cast<uintptr_t>(id) *
                            static_cast<uintptr_t>(stride * static_cast<int64_t>(sizeof(T)));
#pragma GCC unroll 8
  for (int line = 0; line < bytes; line += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(row + line), 0, 2);
}

// Prefetches rows some way ahead in a table that is read sequentially: chunks of rows are too short
// for the processor's own prefetching.
template <class T>
GATSPARSE_INLINE void prefetch_stream(const T* row, int64_t length) {
  constexpr uintptr_t kAhead = 8192;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(row) + kAhead;
  for (uintptr_t at = begin; at < begin + static_cast<uintptr_t>(length) * sizeof(T); at += 64)
    __builtin_prefetch(reinterpret_cast<const void*>(at));
}

// `heads` heads of `channels` channels each in `vectors` vectors; with one head, the last
// vector may be partially filled.
template <class A, int heads_, int vectors_, bool partial_>
struct Tile {
  static constexpr int heads = heads_, vectors = vectors_, lanes = kLanes<A>;
  // Vectors per head, or heads per vector: one of the two is 1.
  static constexpr int vectors_per_head = std::max(1, vectors / heads);
  static constexpr int heads_per_vector = std::max(1, heads / vectors);
  // The tile's inner products need `parts` vectors, in which groups of `group` lanes are summed;
  // `batch` edges fill four vectors, or the number of lanes if it is smaller.
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
  // Prefetches the tile's part of a row, some edges ahead.
  template <class T>
  GATSPARSE_INLINE void prefetch(const T* table, int64_t stride, int64_t id) const {
    gatsparse::GATSPARSE_ISA::prefetch<vectors * lanes * static_cast<int>(sizeof(T))>(
        table + offset, stride, id);
  }
  // Length of a row that is one tile.
  GATSPARSE_INLINE int64_t length() const {
    return partial_ ? (vectors - 1) * lanes + tail : vectors * lanes;
  }
  // Vector v of a row whose channels all hold the number of their head; from P numbers if the
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

// The lean build has fewer kinds of tiles: it compiles sooner and runs slower.
#ifdef GATSPARSE_LEAN
constexpr bool kLean = true;
#else
constexpr bool kLean = false;
#endif

// Whether rows that fit the registers may be whole: see attention.h.
template <class A>
constexpr bool kWholeRows = !kLean && std::is_same_v<A, float>;

// Calls f(P, tile) and returns true if a row of all heads fits one tile of P heads.
template <class A, class F>
bool with_whole_row(int64_t heads, int64_t C, const F& f) {
  bool done = false;
  if constexpr (kWholeRows<A>) {
    constexpr int W = kLanes<A>;
    unroll<4>([&](auto k) {
      constexpr int n = decltype(k)::value + 1;
      if (done || heads != 1 || C <= (n - 1) * W || C > n * W) return;
      f(std::integral_constant<int, 1>{},
        Tile<A, 1, n, true>{0, 0, true, static_cast<int>((C - 1) % W + 1)});
      done = true;
    });
    const auto several_heads = [&](auto vectors_, auto channels_) {
      constexpr int vectors = decltype(vectors_)::value, channels = decltype(channels_)::value;
      constexpr int P = vectors * W / channels;
      if constexpr (P >= 4 && P <= W) {
        if (done || heads != P || C != channels) return;
        f(std::integral_constant<int, P>{}, Tile<A, P, vectors, false>{0, 0, true, W});
        done = true;
      }
    };
    unroll<kVectorBytes == 64 ? 3 : 2>([&](auto k) {
      const std::integral_constant<int, (4 << decltype(k)::value)> vectors{};
      several_heads(vectors, std::integral_constant<int, 8>{});
      several_heads(vectors, std::integral_constant<int, 16>{});
      several_heads(vectors, std::integral_constant<int, 32>{});
      several_heads(vectors, std::integral_constant<int, 64>{});
    });
  }
  return done;
}

// Whether rows fit the registers.
template <class A>
bool fits_registers(int64_t heads, int64_t C) {
  return with_whole_row<A>(heads, C, [](auto, const auto&) {});
}

// Calls f for the tiles of head h, of at most four vectors each.
template <class A, class F>
GATSPARSE_INLINE void for_each_tile_of_head(int64_t h, int64_t C, const F& f) {
  constexpr int W = kLanes<A>;
  int64_t c = 0;
  for (; c + 4 * W <= C; c += 4 * W) f(Tile<A, 1, 4, false>{h, h * C + c, c == 0, W});
  if constexpr (kLean) {
    for (; c + W <= C; c += W) f(Tile<A, 1, 1, false>{h, h * C + c, c == 0, W});
    if (c < C) f(Tile<A, 1, 1, true>{h, h * C + c, c == 0, static_cast<int>(C - c)});
  } else {
    const int rest = static_cast<int>(C - c), tail = (rest - 1) % W + 1;
    if (rest > 3 * W) f(Tile<A, 1, 4, true>{h, h * C + c, c == 0, tail});
    else if (rest > 2 * W) f(Tile<A, 1, 3, true>{h, h * C + c, c == 0, tail});
    else if (rest > W) f(Tile<A, 1, 2, true>{h, h * C + c, c == 0, tail});
    else if (rest > 0) f(Tile<A, 1, 1, true>{h, h * C + c, c == 0, tail});
  }
}

// Calls f for the tiles of [heads, C], of at most four vectors each.
template <class A, class F>
GATSPARSE_INLINE void for_each_tile(int64_t heads, int64_t C, const F& f) {
  constexpr int W = kLanes<A>;
  int64_t h = 0;
  const auto several_heads = [&](auto channels_) GATSPARSE_LAMBDA {
    constexpr int channels = decltype(channels_)::value, together = 4 * W / channels;
    if constexpr (together > 1 && !kLean)
      if (C == channels)
        for (; h + together <= heads; h += together)
          f(Tile<A, together, 4, false>{h, h * C, true, W});
  };
  several_heads(std::integral_constant<int, 8>{});
  several_heads(std::integral_constant<int, 16>{});
  several_heads(std::integral_constant<int, 32>{});
  for (; h < heads; ++h) for_each_tile_of_head<A>(h, C, f);
}

// Rows that fit the registers: all of their heads are one tile.
template <class Tile>
struct Whole {
  static constexpr bool whole = true;
  Tile tile;

  // Calls f(tile, v) for every vector of a row.
  template <class F>
  GATSPARSE_INLINE void each_vector(const F& f) const {
    unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA { f(tile, v); });
  }
};

// Calls f(tile, v) for every vector of head h, each as a tile.
template <class A, class F>
GATSPARSE_INLINE void for_each_vector_of_head(int64_t h, int64_t C, const F& f) {
  constexpr int W = kLanes<A>;
  constexpr std::integral_constant<int, 0> v{};
  int64_t c = 0;
  for (; c + W <= C; c += W) f(Tile<A, 1, 1, false>{h, h * C + c, c == 0, W}, v);
  if (c < C) f(Tile<A, 1, 1, true>{h, h * C + c, c == 0, static_cast<int>(C - c)}, v);
}

// `heads` heads of rows of any shape.
template <class A>
struct Cut {
  static constexpr bool whole = false;
  int64_t heads, C;

  // Calls f(tile, v) for every vector of a row, each as a tile.
  template <class F>
  GATSPARSE_INLINE void each_vector(const F& f) const {
    for (int64_t h = 0; h < heads; ++h) for_each_vector_of_head<A>(h, C, f);
  }
};

// total[h, c] += sum over b of weight[b, h] * table[id[b], h, c]; if `first`, total starts at 0.
// Rows next[b] are prefetched. The weights of an edge are P apart.
template <class A, class T>
GATSPARSE_NOINLINE void add_weighted_rows(const T* table, int64_t stride, const int64_t* id,
                                          const int64_t* next, int64_t n, const A* weight,
                                          int64_t P, int64_t heads, int64_t C, bool first,
                                          A* total) {
  for_each_tile<A>(heads, C, [&](auto tile) GATSPARSE_LAMBDA {
    using Tile = decltype(tile);
    Vec<A> sum[Tile::vectors];
    unroll<Tile::vectors>(
        [&](auto v) GATSPARSE_LAMBDA { sum[v] = first ? Vec<A>{} : tile.read(total, v); });
    for (int64_t b = 0; b < n; ++b) {
      tile.prefetch(table, stride, next[b]);
      const T* row = table + id[b] * stride;
      unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA {
        sum[v] += tile.template spread<v>(weight + b * P) * tile.read(row, v);
      });
    }
    unroll<Tile::vectors>([&](auto v) GATSPARSE_LAMBDA { tile.write(total, v, sum[v]); });
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

// product[b, h] = sum over c of term(row b, h, c), where `prepare(tile)` returns the function
// (b, row, v) -> terms of vector v; 0 for heads beyond the last. The products of an edge are P
// apart. The ids are padded to a multiple of four, and `product` has room for all of them.
template <class A, class T, class Prepare>
GATSPARSE_INLINE void sum_channels(const T* table, int64_t stride, const int64_t* id, int64_t n,
                                   int64_t P, int64_t heads, int64_t C, A* product,
                                   const Prepare& prepare) {
  if (heads < P) std::fill_n(product, n * P, A(0));
  for_each_tile<A>(heads, C, [&](auto tile) GATSPARSE_LAMBDA {
    using Tile = decltype(tile);
    const auto term = prepare(tile);
    for (int64_t b = 0; b < n; b += Tile::batch) {
      Vec<A> part[Tile::batch * Tile::parts];
      unroll<Tile::batch>([&](auto k) GATSPARSE_LAMBDA {
        const T* row = table + id[b + k] * stride;
        unroll<Tile::parts>([&](auto q) GATSPARSE_LAMBDA {
          constexpr int v = q * Tile::vectors_per_head;
          Vec<A>& sum = part[k * Tile::parts + q];
          sum = term(b + k, row, v);
          unroll<Tile::vectors_per_head - 1>(
              [&](auto w) GATSPARSE_LAMBDA { sum += term(b + k, row, v + 1 + w); });
        });
      });
      const Vec<A> sums = sum_groups<A, Tile::batch * Tile::parts, Tile::group>(part);
      unroll<Tile::batch>([&](auto k) GATSPARSE_LAMBDA {
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
template <class A, class T, class X>
GATSPARSE_NOINLINE void inner_products(const T* table, int64_t stride, const int64_t* id,
                                       int64_t n, const X* x, int64_t P, int64_t heads, int64_t C,
                                       A* product) {
  sum_channels(table, stride, id, n, P, heads, C, product, [&](auto tile) GATSPARSE_LAMBDA {
    struct {
      decltype(tile) t;
      Vec<A> x[decltype(tile)::vectors];
      GATSPARSE_INLINE Vec<A> operator()(int64_t, const T* row, int v) const {
        return x[v] * t.read(row, v);
      }
    } term{tile, {}};
    unroll<decltype(tile)::vectors>(
        [&](auto v) GATSPARSE_LAMBDA { term.x[v] = tile.read(x, v); });
    return term;
  });
}

}  // namespace gatsparse::GATSPARSE_ISA
