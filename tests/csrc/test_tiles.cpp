// tiles.h: every cut of a row covers it once, and sums over tiles equal plain loops.
#include "check.h"
#include "tiles.h"

using namespace gatsparse::GATSPARSE_ISA;

namespace {

constexpr int64_t kStride = 1000;  // of the tables: rows are parts of longer ones
constexpr int64_t kRows = 7;

// f(heads, C) for shapes of every kind of tile, and of several.
template <class F>
void for_each_shape(const F& f) {
  for (const int64_t heads : {1, 2, 3, 4, 8, 9, 16})
    for (const int64_t C : {1, 3, 7, 8, 16, 17, 31, 32, 37, 48, 61, 62})
      if (heads * C < kStride) f(heads, C);
}

template <class A>
void check_cover(int64_t heads, int64_t C) {
  constexpr int W = kLanes<A>;
  std::vector<int> visits(heads * C);
  for_each_tile<A>(heads, C, [&](auto tile) {
    using Tile = decltype(tile);
    CHECK(Tile::vectors <= 4);
    CHECK(tile.first == (tile.offset % C == 0));
    CHECK(tile.h == tile.offset / C);
    const int64_t filled = Tile::vectors * W - (W - tile.tail);
    for (int64_t k = 0; k < filled; ++k) ++visits.at(tile.offset + k);
    // A tile is one head, or whole heads.
    CHECK(Tile::heads == 1 ? (tile.offset + filled - 1) / C == tile.h : filled == Tile::heads * C);
  });
  for (const int count : visits) CHECK(count == 1);

  std::vector<A> row(heads * C), given(heads * C, A(1));
  Cut<A>{heads, C}.each_vector([&](const auto& tile, auto v) {
    tile.write(row.data(), v, tile.read(row.data(), v) + tile.read(given.data(), v));
  });
  for (const A count : row) CHECK(count == 1);
}

template <class A, class T>
void check_sums(int64_t heads, int64_t C) {
  for (const int64_t P : {int64_t{1}, int64_t{4}, int64_t{8}, int64_t{16}}) {
    if (P < heads) continue;
    for (int64_t n = 1; n <= 6; ++n) {
      const auto table = small_integers<T>(kRows * kStride);
      const auto x = small_integers<T>(heads * C);
      const auto weight = small_integers<A>(n * P + 16);
      std::vector<int64_t> id;
      for (int64_t b = 0; b < n; ++b) id.push_back(b * 3 % kRows);
      for (int k = 0; k < 3; ++k) id.push_back(id.back());
      const int64_t beyond = int64_t{1} << 40;  // what is only prefetched may be out of range
      const std::vector<int64_t> next(n, beyond);

      for (const bool first : {true, false}) {
        auto total = small_integers<A>(heads * C + 1);
        const auto before = total;
        add_weighted_rows(table.data(), kStride, id.data(), next.data(), n, weight.data(), P, heads,
                          C, first, total.data());
        for (int64_t k = 0; k < heads * C; ++k) {
          A expected = first ? A(0) : before[k];
          for (int64_t b = 0; b < n; ++b)
            expected += weight[b * P + k / C] * static_cast<A>(table[id[b] * kStride + k]);
          CHECK(total[k] == expected);
        }
        CHECK(total.back() == before.back());
      }

      std::vector<A> product((n + 3) * P + 16, A(99));
      inner_products(table.data(), kStride, id.data(), n, x.data(), P, heads, C, product.data());
      for (int64_t b = 0; b < n; ++b)
        for (int64_t h = 0; h < P; ++h) {
          A expected = 0;
          for (int64_t c = 0; h < heads && c < C; ++c)
            expected += static_cast<A>(table[id[b] * kStride + h * C + c]) *
                        static_cast<A>(x[h * C + c]);
          CHECK(product[b * P + h] == expected);
        }
    }
  }
}

// The vectors of a row that fits the registers: spread numbers of heads, and inner products.
void check_whole(int64_t heads, int64_t C) {
  constexpr int W = kLanes<float>;
  with_whole_row<float>(heads, C, [&](auto P, const auto& tile) {
    using Tile = std::decay_t<decltype(tile)>;
    CHECK(P == heads && tile.length() == heads * C);
    const auto a = small_integers<float>(heads * C), b = small_integers<float>(heads * C);
    const auto number = small_integers<float>(P);
    Vec<float> x[Tile::vectors], y[Tile::vectors];
    unroll<Tile::vectors>([&](auto v) {
      x[v] = tile.read(a.data(), v);
      y[v] = tile.read(b.data(), v);
      const Vec<float> wide = tile.template spread<v, P>(load<float, P>(number.data()));
      const Vec<float> same = tile.template spread<v>(number.data());
      for (int l = 0; l < W && v * W + l < heads * C; ++l) {
        CHECK(wide[l] == number[(v * W + l) / C]);
        CHECK(same[l] == wide[l]);
      }
    });
    const auto products = tile_products<P, Tile, float>(x, y);
    for (int64_t h = 0; h < heads; ++h) {
      float expected = 0;
      for (int64_t c = 0; c < C; ++c) expected += a[h * C + c] * b[h * C + c];
      CHECK(lane(products, static_cast<int>(h)) == expected);
    }
  });
}

}  // namespace

TEST(tiles_cover_a_row_once) {
  for_each_shape(check_cover<float>);
  for_each_shape(check_cover<double>);
}

TEST(sums_over_tiles_equal_loops) {
  for_each_shape(check_sums<float, float>);
  for_each_shape(check_sums<double, double>);
  for_each_shape(check_sums<float, BFloat16>);
}

TEST(whole_rows_equal_loops) {
  int64_t whole = 0;
  for (int64_t C = 1; C <= 4 * kLanes<float> + 1; ++C) {
    check_whole(1, C);
    whole += fits_registers<float>(1, C);
  }
  CHECK(whole == (kLean ? 0 : 4 * kLanes<float>));
  for (const int64_t heads : {2, 4, 8, 16, 32})
    for (const int64_t C : {8, 16, 32, 64}) check_whole(heads, C);
  CHECK(fits_registers<float>(8, 8) == (!kLean && kVectorBytes >= 32));
  CHECK(!fits_registers<double>(8, 8));
  CHECK(!fits_registers<float>(8, 9));
}
