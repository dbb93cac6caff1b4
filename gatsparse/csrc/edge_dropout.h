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
      : threshold_(static_cast<uint64_t>(p * 4294967296.0)),
        scale_(p < 1.0 ? 1.0 / (1.0 - p) : 0.0) {
    STD_TORCH_CHECK(p >= 0.0 && p <= 1.0, "dropout: expected 0 <= dropout <= 1, got ", p);
    if (p == 0.0) return;
    STD_TORCH_CHECK(seed.has_value(), "seed: needed when dropout > 0");
    check_tensor(*seed, "seed", ScalarType::Long, {});
    seed_ = static_cast<uint64_t>(*seed->const_data_ptr<int64_t>());
  }

  bool active() const { return threshold_ > 0; }

  // Draws for the edges of csr and then for the loops, by the numbers that the caller gave them.
  void draw(const Csr& csr, int64_t num_loops, int64_t H) {
    groups_ = (H + kGroup - 1) / kGroup;
    const int64_t num_edges = csr.num_entries, n = num_edges + num_loops;
    kept_.resize(n * groups_);
    BoundsFlag flag;
    parallel_each((n + kGrain - 1) / kGrain, [&](int64_t chunk) {
      const int64_t last = std::min((chunk + 1) * kGrain, n);
      for (int64_t at = chunk * kGrain; at < last; at += kLanesAtOnce) {
        int64_t number[kLanesAtOnce];
        for (int l = 0; l < kLanesAtOnce; ++l) {
          const int64_t edge = std::min(at + l, last - 1);
          number[l] = edge < num_edges ? csr.perm[edge] : edge;
          if (edge < num_edges) flag.in_bounds(number[l], num_edges);
        }
        for (int64_t group = 0; group < groups_; ++group) {
          uint32_t bits[kLanesAtOnce] = {};
          for (int64_t h = 0; h < std::min(kGroup, H - group * kGroup); h += 4)
            add_bits(number, group * kGroup + h, h, bits);
          for (int l = 0; l < kLanesAtOnce && at + l < last; ++l)
            kept_[(at + l) * groups_ + group] = static_cast<uint16_t>(bits[l]);
        }
      }
    });
    flag.check("csr: index out of range");
  }

  // What the weights of the heads h0 .. h0 + P - 1 of an edge are multiplied by: 1 / (1 - p)
  // where they are kept, else 0. `at` is its place in csr, or that of a loop behind the edges.
  template <class A, int P>
  GATSPARSE_INLINE Vec<A, P> scale(int64_t at, int64_t h0) const {
    using Int = std::conditional_t<sizeof(A) == 4, int32_t, int64_t>;
    const Vec<Int, P> bit = Int(1) << lanes<Int>(std::make_integer_sequence<int, P>{});
    const Vec<Int, P> kept = Int(kept_[at * groups_ + h0 / kGroup]) & bit;
    return kept != 0 ? static_cast<A>(scale_) - Vec<A, P>{} : Vec<A, P>{};
  }

 private:
  static constexpr int64_t kGroup = 16, kGrain = 4096;
  static constexpr int kLanesAtOnce = 16;

  template <class Int, int... lane>
  static GATSPARSE_INLINE Vec<Int, sizeof...(lane)> lanes(std::integer_sequence<int, lane...>) {
    return Vec<Int, sizeof...(lane)>{lane...};
  }

  // The bits h .. h + 3 for the heads from `head` on of the edges `number`.
  void add_bits(const int64_t* number, int64_t head, int64_t h, uint32_t* bits) const {
    uint32_t word[4][kLanesAtOnce];
    for (int l = 0; l < kLanesAtOnce; ++l) {
      word[0][l] = static_cast<uint32_t>(number[l]);
      word[1][l] = static_cast<uint32_t>(number[l] >> 32);
      word[2][l] = static_cast<uint32_t>(head / 4);
      word[3][l] = 0;
    }
    philox_lanes<kLanesAtOnce>(seed_, word);
    for (int k = 0; k < 4; ++k)
      for (int l = 0; l < kLanesAtOnce; ++l)
        bits[l] |= static_cast<uint32_t>(word[k][l] >= threshold_) << (h + k);
  }

  uint64_t threshold_;
  double scale_;
  uint64_t seed_ = 0;
  int64_t groups_ = 0;
  std::vector<uint16_t> kept_;
};

}  // namespace gatsparse::GATSPARSE_ISA
