// Attention dropout: which heads of which edges are kept, drawn for all edges before any is
// visited, one bit per edge and head.
#pragma once

#include <optional>

#include "philox.h"
#include "rows.h"
#include "simd.h"

namespace gatsparse::GATSPARSE_ISA {

class EdgeDropout {
 public:
  EdgeDropout(double p, const std::optional<Tensor>& seed)
      : scale_(p < 1.0 ? 1.0 / (1.0 - p) : 0.0) {
    STD_TORCH_CHECK(p >= 0.0 && p <= 1.0, "dropout: expected 0 <= dropout <= 1, got ", p);
    if (p == 0.0) return;
    STD_TORCH_CHECK(seed.has_value(), "seed: needed when dropout > 0");
    check_tensor(*seed, "seed", ScalarType::Long, {});
    seed_ = static_cast<uint64_t>(*seed->const_data_ptr<int64_t>());
    const auto threshold = static_cast<uint64_t>(p * 4294967296.0);
    active_ = threshold > 0;
    last_dropped_ = threshold - 1;
  }

  bool active() const { return active_; }

  // Draws for the edges of csr and then for the loops, by the numbers that the caller gave them.
  void draw(const Csr& csr, int64_t num_loops, int64_t H) {
    groups_ = (H + kGroup - 1) / kGroup;
    kept_.emplace((csr.num_entries + num_loops) * groups_);
    if (csr.perm.wide) draw(csr.perm.as<int64_t>(), csr.num_entries, num_loops, H);
    else draw(csr.perm.as<int32_t>(), csr.num_entries, num_loops, H);
  }

  // What the weights of the heads h0 .. h0 + P - 1 of an edge are multiplied by: 1 / (1 - p)
  // where they are kept, else 0. `at` is its place in csr, or that of a loop behind the edges.
  template <class A, int P>
  GATSPARSE_INLINE Vec<A, P> scale(int64_t at, int64_t h0) const {
    using Int = std::conditional_t<sizeof(A) == 4, int32_t, int64_t>;
    const Vec<Int, P> bit = Int(1) << lanes<Int>(std::make_integer_sequence<int, P>{});
    const Vec<Int, P> kept = Int(kept_->data()[at * groups_ + h0 / kGroup]) & bit;
    return kept != 0 ? static_cast<A>(scale_) - Vec<A, P>{} : Vec<A, P>{};
  }

 private:
  static constexpr int64_t kGroup = 16, kGrain = 4096;
  static constexpr int kVectors = 2, kAtOnce = kVectors * kLanes<uint64_t>;

  template <class Int, int... lane>
  static GATSPARSE_INLINE Vec<Int, sizeof...(lane)> lanes(std::integer_sequence<int, lane...>) {
    return Vec<Int, sizeof...(lane)>{lane...};
  }

  template <class index_t>
  void draw(const index_t* perm, int64_t num_edges, int64_t num_loops, int64_t H) {
    const int64_t n = num_edges + num_loops;
    uint16_t* kept = kept_->data();
    BoundsFlag flag;
    parallel_each((n + kGrain - 1) / kGrain, [&](int64_t chunk) {
      const int64_t last = std::min((chunk + 1) * kGrain, n);
      for (int64_t at = chunk * kGrain; at < last; at += kAtOnce) {
        uint64_t number[kAtOnce];
        const int64_t count = std::min<int64_t>(kAtOnce, last - at);
        const auto of_edge = [&](int64_t edge) {
          return static_cast<uint64_t>(edge < num_edges ? int64_t{perm[edge]} : edge);
        };
        for (int l = 0; l < kAtOnce; ++l)
          number[l] = of_edge(at + std::min<int64_t>(l, count - 1));
        const int64_t edges = std::min(count, num_edges - at);  // before the loops
        uint64_t beyond = 0;
        for (int64_t l = 0; l < edges; ++l)
          beyond |= number[l] >= static_cast<uint64_t>(num_edges);
        if (beyond) flag.raise();
        for (int64_t group = 0; group < groups_; ++group) {
          uint16_t bits[kAtOnce];
          draw_group(number, group * kGroup, H, bits);
          for (int64_t l = 0; l < count; ++l) kept[(at + l) * groups_ + group] = bits[l];
        }
      }
    });
    flag.check("csr: index out of range");
  }

  // The bits of the heads from `head` on, at most kGroup, of the edges `number`.
  GATSPARSE_INLINE void draw_group(const uint64_t* number, int64_t head, int64_t H,
                                   uint16_t* target) const {
    Vec<uint64_t> bits[kVectors] = {};
    for (int64_t h = 0; h < std::min(kGroup, H - head); h += 4) {
      Vec<uint64_t> word[4][kVectors];
      unroll<kVectors>([&](auto v) GATSPARSE_LAMBDA {
        word[0][v] = load<uint64_t>(number + v * kLanes<uint64_t>);
        word[1][v] = word[0][v] >> 32;
        word[2][v] = static_cast<uint64_t>((head + h) / 4) - Vec<uint64_t>{};
        word[3][v] = Vec<uint64_t>{};
      });
      philox<kVectors>(seed_, word);
      unroll<4 * kVectors>([&](auto k) GATSPARSE_LAMBDA {
        const uint64_t bit = uint64_t{1} << (h + k % 4);
        bits[k / 4] |= word[k % 4][k / 4] > last_dropped_ ? bit - Vec<uint64_t>{}
                                                          : Vec<uint64_t>{};
      });
    }
    unroll<kVectors>([&](auto v) GATSPARSE_LAMBDA {
      using Narrow = Vec<uint16_t, kLanes<uint64_t>>;
      store(target + v * kLanes<uint64_t>, __builtin_convertvector(bits[v], Narrow));
    });
  }

  double scale_;
  uint64_t seed_ = 0;
  uint64_t last_dropped_ = 0;  // the largest word that drops
  bool active_ = false;
  int64_t groups_ = 0;
  std::optional<Scratch<uint16_t>> kept_;
};

}  // namespace gatsparse::GATSPARSE_ISA
