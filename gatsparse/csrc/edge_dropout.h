// Attention dropout: which heads of which edges are kept, drawn for all edges before any is
// visited, one bit per edge and head.
#pragma once

#include <optional>

#include "csr.h"
#include "simd.h"

namespace gatsparse::GATSPARSE_ISA {

class EdgeDropout {
 public:
  EdgeDropout(double p, const std::optional<Tensor>& seed);

  bool active() const { return active_; }

  // Draws for the edges of csr and then for the loops, by their numbers in the caller's order.
  void draw(const Csr& csr, int64_t num_loops, int64_t H);

  // Dropout factors of the heads h0 .. h0 + P - 1 of an edge: 1 / (1 - p) for weights that are
  // kept, else 0. `at` is the place of an edge in csr, or of a loop after the edges.
  template <class A, int P>
  GATSPARSE_INLINE Vec<A, P> scale(int64_t at, int64_t h0) const {
    using Int = std::conditional_t<sizeof(A) == 4, int32_t, int64_t>;
    const Vec<Int, P> bit = Int(1) << lanes<Int>(std::make_integer_sequence<int, P>{});
    const Vec<Int, P> kept = Int(kept_->data()[at * groups_ + h0 / kGroup] >> h0 % kGroup) & bit;
    const Vec<A, P> scale = static_cast<A>(scale_) - Vec<A, P>{};
    return choose(kept != 0, scale, Vec<A, P>{});
  }

 private:
  static constexpr int64_t kGroup = 16;  // heads per word of bits

  template <class Int, int... lane>
  static GATSPARSE_INLINE Vec<Int, sizeof...(lane)> lanes(std::integer_sequence<int, lane...>) {
    return Vec<Int, sizeof...(lane)>{lane...};
  }

  template <class index_t>
  void draw(const index_t* perm, int64_t num_edges, int64_t num_loops, int64_t H);
  void draw_group(const uint64_t* number, int64_t head, int64_t H, uint16_t* target) const;

  double scale_;
  uint64_t seed_ = 0;
  uint64_t last_dropped_ = 0;  // the largest word for which a weight is dropped
  bool active_ = false;
  int64_t groups_ = 0;
  std::optional<Scratch<uint16_t>> kept_;
};

}  // namespace gatsparse::GATSPARSE_ISA
